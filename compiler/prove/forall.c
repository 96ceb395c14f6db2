#include "compiler/prove/forall.h"

bool trial_has_forall(const struct pol_test *test)
{
	for (size_t i = 0; i < test->case_count; i++)
		if (test->cases[i].kind == CASE_FORALL)
			return true;
	return false;
}

/* The list without what only acts on what is over a rate, or holds a pattern. */
static struct ir_list list_at_rest(const struct ir_list *l, struct arena *a)
{
	struct ir_list out = { arena_copy(a, l->rules, l->count * sizeof *l->rules), l->count };

	for (size_t i = 0; i < out.count; i++)
		if (out.rules[i].rate || out.rules[i].payload)
			out.rules[i].box_count = 0;
	return out;
}

static const struct ir *ir_at_rest(const struct ir *ir, struct arena *a)
{
	struct ir *out = arena_copy(a, ir, sizeof *ir);

	out->feeds = (struct ir_list){ 0 };
	out->reflexes = list_at_rest(&ir->reflexes, a);
	out->postures = arena_copy(a, ir->postures, ir->posture_count * sizeof *ir->postures);
	for (size_t i = 0; i < out->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			out->postures[i].lists[d] = list_at_rest(&ir->postures[i].lists[d], a);
	return out;
}

static const struct ir_claim *claim_of(const struct ir *ir, const struct pol_case *c)
{
	for (size_t i = 0; i < ir->claim_count; i++)
		if (ir->claims[i].said == c)
			return &ir->claims[i];
	return NULL;
}

/*
 * What is left unknown is whether the source is blocked. A blocked packet is dropped, so
 * that where this decides, a claim of a drop is wrong of those that are not blocked, and
 * any other of those that are.
 */
static enum trial_fault fault_of(const struct claim_answer *a, const struct claim *claim)
{
	bool drop = claim->verdict == VERDICT_DROP && !claim->by;

	switch (a->answer) {
	case ANSWER_PROVED:
		return TRIAL_HELD;
	case ANSWER_CONDITIONAL:
		return drop ? TRIAL_SOME : TRIAL_HELD;
	case ANSWER_REFUTED:
		return TRIAL_SOME;
	case ANSWER_UNDECIDED:
		break;
	}
	return TRIAL_UNKNOWN;
}

static void settle(struct trial *t, size_t i, struct prover *p, const struct ir *rest, struct arena *a)
{
	struct trial_finding *f = &t->findings[i];
	const struct pol_case *c = f->asked;
	const struct ir_claim *said = claim_of(rest, c);
	struct claim claim = {
		.postures = 1ull << t->test->posture, .direction = c->direction, .boxes = said->boxes,
		.box_count = said->box_count, .allowed = c->verdict == VERDICT_ALLOW, .exact = true,
		.verdict = c->verdict, .by = c->by,
	};
	struct claim_answer answer = prove_claim(p, rest, &claim);
	own(buf) struct buf text = { 0 };

	if (answer.answer == ANSWER_REFUTED || answer.answer == ANSWER_CONDITIONAL) {
		const struct decider *d = &answer.witness.decider;

		witness_print(&text, &answer.witness);
		f->example = arena_strdup(a, buf_text(&text));
		f->got = (struct outcome){ .verdict = d->verdict, .rule = d->rule, .why = d->why };
	}
	trial_settle(t, i, fault_of(&answer, &claim));
}

void prove_trial(struct trial *t, struct prover *p, const struct ir *ir, struct arena *a)
{
	const struct ir *rest = trial_has_forall(t->test) ? ir_at_rest(ir, a) : NULL;

	for (size_t i = 0; rest && i < t->count; i++)
		if (t->findings[i].asked->kind == CASE_FORALL)
			settle(t, i, p, rest, a);
}
