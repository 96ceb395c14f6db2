/*
 * mutant - places where the prover can be broken on purpose.
 *
 *     if (MUTANT(3, a == b, true))
 *
 * means `a == b`, and `true` only in a build with -DPROVE_MUTANT=3. The tests
 * build every mutant and must notice each: tests/same/prove-mutants.sh.
 */
#ifndef TEG_PROVE_MUTANT_H
#define TEG_PROVE_MUTANT_H

#ifndef PROVE_MUTANT
#define PROVE_MUTANT 0
#endif

#define MUTANT(number, right, wrong) (PROVE_MUTANT == (number) ? (wrong) : (right))

#endif
