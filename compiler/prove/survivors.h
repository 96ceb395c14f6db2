/*
 * survivors - which small mistakes in a policy its tests would not notice.
 *
 *     struct survey s;
 *     survey_run(&s, ir, policy, arena);
 *     for (size_t i = 0; i < s.survivor_count; i++)
 *             tell(&s.survivors[i]);
 *
 * Every mutation of compiler/ir/mutate.h is made in turn, and the tests run against it. What
 * no test notices is asked of the prover: a mutation that treats every packet as the policy
 * does is no mistake, and is only counted. Where a reflex counts or blocks, what it does to
 * later packets is not the prover's to know, and such a mutation is never counted as equal.
 *
 * A mutation that breaks an invariant or an order of the policy is noticed as well.
 * The tests must hold to begin with.
 */
#ifndef TEG_PROVE_SURVIVORS_H
#define TEG_PROVE_SURVIVORS_H

#include "compiler/front/policy.h"
#include "compiler/ir/mutate.h"

struct survivor {
	struct mutation mutation;
	bool undecided; /* the prover could not say whether it changes anything */
};

struct survey {
	size_t made, noticed, equal;
	struct survivor *survivors; /* in the order of judgement */
	size_t survivor_count;
};

void survey_run(struct survey *out, const struct ir *ir, const struct policy *policy, struct arena *a);

#endif
