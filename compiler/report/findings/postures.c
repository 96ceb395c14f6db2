#include "compiler/report/findings/postures.h"

#include "lang/base/strmap.h"

/* A packet of the rule that is treated as the rule says, by whichever. */
static bool shows(struct prover *p, const struct ir *ir, unsigned posture, const struct ir_rule *r, struct witness *out)
{
	const struct claim otherwise = { .postures = 1ull << posture, .direction = r->direction, .boxes = r->boxes,
					 .box_count = r->box_count, .allowed = r->verdict != VERDICT_ALLOW };
	struct claim_answer a = prove_claim(p, ir, &otherwise);

	*out = a.witness;
	return a.answer == ANSWER_REFUTED || a.answer == ANSWER_CONDITIONAL;
}

/* One packet, of a rule where there is one rather than of the default, and who decides it in either posture. */
static void note_packet(struct diag *g, struct prover *p, const struct ir *ir, unsigned x, unsigned y)
{
	own(buf) struct buf text = { 0 };
	struct witness w;

	for (int d = 0; d < DIRECTION_COUNT; d++)
		for (size_t i = 0; i < ir->postures[x].lists[d].count; i++) {
			const struct ir_rule *r = &ir->postures[x].lists[d].rules[i];

			if (r->rate || !shows(p, ir, x, r, &w))
				continue;
			witness_print(&text, &w);
			diag_note(g, "for example: %s, decided by `%s` in %s and by `%s` in %s", buf_text(&text),
				  w.decider.why, ir->postures[x].name, prove_decider(p, ir, y, &w).why, ir->postures[y].name);
			return;
		}
}

/* Does every limit of the list that the other knows by one name let by as much there? */
static bool same_limits(const struct ir_list *x, const struct ir_list *y)
{
	own(arena) struct arena *a = arena_new();
	struct strmap limits; /* by that name: to struct ir_rate */

	strmap_init(&limits, a);
	for (size_t i = 0; i < x->count; i++)
		if (x->rules[i].rate)
			strmap_put(&limits, x->rules[i].rate->kin, (void *)x->rules[i].rate);
	for (size_t i = 0; i < y->count; i++) {
		const struct ir_rate *is = y->rules[i].rate, *other = is ? strmap_find(&limits, is->kin) : NULL;

		if (other && !ir_rate_is_same(is, other))
			return false;
	}
	return true;
}

static bool same_but_verdicts(const struct ir_posture *x, const struct ir_posture *y)
{
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (!same_limits(&x->lists[d], &y->lists[d]))
			return false;
	return x->established == y->established && x->passes == y->passes;
}

static void compare(struct diags *to, struct prover *p, const struct ir *ir, unsigned x, unsigned y)
{
	struct equal_answer a;
	struct diag *g;

	if (!same_but_verdicts(&ir->postures[x], &ir->postures[y]))
		return;
	a = prove_equal(p, ir, x, ir, y);
	if (a.answer == ANSWER_UNDECIDED)
		diag(to, DIAG_PROVER_UNDECIDED, ir->postures[y].span, "%zu of %zu parts were too large to compare %s and %s (%s)",
		     a.progress.undecided, a.progress.windows, ir->postures[x].name, ir->postures[y].name,
		     a.progress.first_undecided.text);
	if (a.answer != ANSWER_PROVED)
		return;
	g = diag(to, DIAG_POSTURES_EQUAL, ir->postures[y].span, "%s does to every packet what %s does", ir->postures[y].name,
		 ir->postures[x].name);
	diag_at(g, ir->postures[x].span, "the other one");
	note_packet(g, p, ir, x, y);
}

void report_equal_postures(struct diags *to, struct prover *p, const struct ir *ir)
{
	for (unsigned x = 0; x < ir->posture_count; x++)
		for (unsigned y = x + 1; y < ir->posture_count; y++)
			compare(to, p, ir, x, y);
}
