/*
 * bound - an index below a power of two, so that every verifier sees that it is.
 *
 *     &set[BOUND(place, WAYS)]
 *
 * Before 6.10 the kernel's verifier knows no bound of what "or", "exclusive or" and multiplication make of two unknown values
 * (adjust_scalar_min_max_vals(): only sums, differences and "and"); and clang moves a mask in front of them, or leaves it out where it
 * knows that it changes nothing. So the mask stands behind a barrier, last of all. tests/same/loads asks the verifier that runs.
 * Text of both worlds.
 */
#ifndef TEG_BOUND_H
#define TEG_BOUND_H

#define BOUND(x, power) ({ unsigned long long bound_ = (x); asm volatile("" : "+r"(bound_)); bound_ & ((power) - 1); })

#endif
