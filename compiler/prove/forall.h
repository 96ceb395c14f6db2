/*
 * forall - what a test claims of every packet: `forall tcp to self port 23 => drop by default`.
 *
 *     own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
 *     prove_trial(&trial, p, ir, arena);
 *
 * It is about new packets without payload, in the world in which a test begins: no source is blocked and no
 * rate exceeded. Neighbour discovery, which always passes, is not meant by a drop.
 */
#ifndef TEG_PROVE_FORALL_H
#define TEG_PROVE_FORALL_H

#include "compiler/ir/trial.h"
#include "compiler/prove/prove.h"

bool trial_has_forall(const struct pol_test *test);

/* Settles the findings of every `forall` of a trial that was run. */
void prove_trial(struct trial *t, struct prover *p, const struct ir *ir, struct arena *a);

#endif
