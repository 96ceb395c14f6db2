/*
 * mutant - places where the prover can be broken on purpose.
 *
 *     if (MUTANT(3, a == b, true))
 *
 * means `a == b`. In a build with -DPROVE_MUTANTS it means `true` while
 * prove_mutant is 3: one build has them all, and the tests must notice
 * each (tests/same/prove-mutants.sh).
 */
#ifndef TEG_PROVE_MUTANT_H
#define TEG_PROVE_MUTANT_H

#ifdef PROVE_MUTANTS
extern int prove_mutant;
#define MUTANT(number, right, wrong) (prove_mutant == (number) ? (wrong) : (right))
#else
#define MUTANT(number, right, wrong) (right)
#endif

#endif
