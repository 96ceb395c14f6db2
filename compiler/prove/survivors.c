#include "compiler/prove/survivors.h"

#include "compiler/prove/forall.h"
#include "compiler/prove/promise.h"

/* For one mutation; a policy with thousands of them is to be answered in a pause. */
static const struct prove_budget budget = { 1u << 20, UINT64_C(20000000) };

struct surveying {
	const struct ir *ir;
	const struct policy *policy;
	struct arena *arena;
	bool *broken; /* of the policy's promises, those that do not hold to begin with */
	VEC(struct survivor) survivors;
};

/* Is the rule, as it was or as it is now, of any concern to the test? */
static bool concerns(const struct ir *ir, const struct ir *wrong, const struct mutation *m, const struct pol_test *test)
{
	unsigned posture;

	for (size_t i = 0; i < ir_list_count(ir); i++) {
		const struct ir_list *before = ir_list_at(ir, i, &posture), *after = ir_list_at(wrong, i, &posture);

		if (before->rules == after->rules ||
		    (m->rule->layer == LAYER_POSTURE && posture != test->posture))
			continue;
		for (size_t j = 0; j < before->count; j++)
			if (before->rules[j].boxes != after->rules[j].boxes &&
			    (trial_meets(ir, test, &before->rules[j]) || trial_meets(ir, test, &after->rules[j])))
				return true;
	}
	return false;
}

static bool closes_otherwise(const struct ir *ir, const struct ir *wrong, unsigned posture)
{
	return ir->postures[posture].closed != wrong->postures[posture].closed;
}

static bool is_noticed(const struct surveying *k, const struct ir *wrong, const struct mutation *m, struct arena *scratch)
{
	for (size_t i = 0; i < k->policy->test_count; i++) {
		const struct pol_test *test = &k->policy->tests[i];
		struct trial t;

		if (!concerns(k->ir, wrong, m, test) && !closes_otherwise(k->ir, wrong, test->posture))
			continue;
		trial_run(&t, wrong, test, scratch);
		if (t.failed && !test->todo)
			return true;
	}
	return false;
}

/* The claims of tests, which take longer than their packets. */
static bool is_refuted(const struct surveying *k, const struct ir *wrong, struct arena *scratch)
{
	own(prover) struct prover *p = NULL;

	for (size_t i = 0; i < k->policy->test_count; i++) {
		const struct pol_test *test = &k->policy->tests[i];
		struct trial t;

		if (test->todo || !trial_has_forall(test))
			continue;
		if (!p)
			p = prover_new(&budget);
		trial_run(&t, wrong, test, scratch);
		prove_trial(&t, p, wrong, scratch);
		if (t.failed)
			return true;
	}
	return false;
}

/* A promise of the policy's invariants and orders that the mutation breaks. */
static bool breaks_promise(const struct surveying *k, const struct ir *wrong)
{
	own(prover) struct prover *p = NULL;

	if (!k->policy->order_count && !k->ir->invariant_count)
		return false;
	p = prover_new(&budget);
	struct promise_list all = prove_promises(p, wrong);
	for (size_t i = 0; i < all.len; i++)
		if (promise_is_broken(&all.at[i]) && !k->broken[i])
			return true;
	return false;
}

static bool *promises_broken(const struct ir *ir, struct arena *a)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct promise_list all = prove_promises(p, ir);
	bool *broken = arena_zero(a, (all.len + 1) * sizeof *broken);

	for (size_t i = 0; i < all.len; i++)
		broken[i] = promise_is_broken(&all.at[i]);
	return broken;
}

/* What is remembered for later packets, and what is told, are not in the prover's answer. */
static bool is_provable(const struct ir *ir, const struct mutation *m)
{
	return m->kind != MUTATE_SILENT && !m->rule->effects.emits && !m->rule->block_ns && !rule_counts(ir, m->rule);
}

/* The same verdict for every packet, in every posture. */
static enum answer changes_nothing(const struct surveying *k, const struct ir *wrong)
{
	own(prover) struct prover *p = prover_new(&budget);
	enum answer all = ANSWER_PROVED;

	for (unsigned i = 0; i < k->ir->posture_count; i++) {
		struct equal_answer a = prove_equal(p, k->ir, i, wrong, i);

		if (a.answer == ANSWER_REFUTED || a.answer == ANSWER_CONDITIONAL)
			return a.answer;
		if (a.answer == ANSWER_UNDECIDED)
			all = a.answer;
	}
	return all;
}

static void try(struct survey *out, struct surveying *k, const struct mutation *m)
{
	own(arena) struct arena *scratch = arena_new();
	const struct ir *wrong = mutate(k->ir, m, scratch);
	struct survivor s = { .mutation = *m };

	out->made++;
	if (is_noticed(k, wrong, m, scratch) || is_refuted(k, wrong, scratch) || breaks_promise(k, wrong)) {
		out->noticed++;
		return;
	}
	enum answer a = is_provable(k->ir, m) ? changes_nothing(k, wrong) : ANSWER_REFUTED;
	if (a == ANSWER_PROVED) {
		out->equal++;
		return;
	}
	s.undecided = a == ANSWER_UNDECIDED;
	vec_push(k->arena, &k->survivors, s);
}

void survey_run(struct survey *out, const struct ir *ir, const struct policy *policy, struct arena *a)
{
	struct surveying k = { .ir = ir, .policy = policy, .arena = a, .broken = promises_broken(ir, a) };
	struct mutation *all;
	size_t count = mutations_of(ir, &all, a);

	*out = (struct survey){ 0 };
	for (size_t i = 0; i < count; i++)
		try(out, &k, &all[i]);
	out->survivors = k.survivors.at;
	out->survivor_count = k.survivors.len;
}
