/*
 * signatures.c - traffic that a reflex looked into, and that is now admitted unseen: something before
 * the reflex admits it, or the reflex is gone, narrower, or silent in a posture.
 *
 * Seen is what comes as far as the reflex, whether the pattern is found or not. The same signature is a
 * reflex of the same name, or of the same pattern.
 */
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/prove/diff/pairing.h"

struct looking {
	struct pairing *k;
	struct judgement *j[SIDES];
	const struct ir_rule *rule; /* of the old policy */
	const struct cell *cell;    /* of its cells */
	struct asking q;
	bool found;
	struct witness witness;
};

static bool is_same_signature(const struct ir_rule *a, const struct ir_rule *b)
{
	return b->payload && (!strcmp(a->id, b->id) || (!strcmp(a->payload->expression, b->payload->expression) &&
							a->payload->flags == b->payload->flags));
}

/* The first step that judges what the reflex has seen. */
static uint32_t place_of(const struct judgement *j, const struct ir_rule *r, bool watch)
{
	const struct ir_list *all = &j->ir->reflexes;
	size_t rank = watch ? r->rank : (size_t)(r - all->rules);

	for (uint32_t i = 0; i < j->layer4; i++) {
		const struct ir_rule *at = j->steps[i].rule;

		if (at && at->layer == LAYER_REFLEX && (size_t)(at - all->rules) >= rank)
			return i;
	}
	return (uint32_t)j->layer4;
}

static idd_ref is_from(const void *arg, uint32_t step)
{
	return step >= *(const uint32_t *)arg ? IDD_TRUE : IDD_FALSE;
}

static idd_ref is_admitted(const void *arg, uint32_t verdict)
{
	(void)arg;
	return verdict == VERDICT_ALLOW ? IDD_TRUE : IDD_FALSE;
}

/* What a forwarded lifeline only spares the reflexes comes to none of them. */
static idd_ref without_spared(struct idd *m, struct space *s, const struct judgement *j, idd_ref set)
{
	for (uint32_t i = 0; i < j->layer4; i++)
		for (uint32_t c = 0; j->steps[i].goes_on && c < j->steps[i].count; c++)
			set = idd_apply(m, IDD_DIFF, set, space_cell(m, s, &j->cells[j->steps[i].first + c], IDD_TRUE, IDD_FALSE));
	return set;
}

static idd_ref seen_of(struct idd *m, struct space *s, const struct looking *l, enum which side, idd_ref steps,
		       const struct ir_rule *r, bool watch)
{
	const struct judgement *j = l->j[side];
	uint32_t place = place_of(j, r, watch);
	struct cell cells[FAMILY_COUNT];
	idd_ref set = IDD_FALSE;

	if (r->except >> j->posture & 1)
		return IDD_FALSE;
	for (size_t b = 0; b < r->box_count; b++) {
		size_t len = cells_of_box(&l->k->terms, j->ir, &r->boxes[b], j->direction, cells);

		for (size_t i = 0; i < len; i++)
			if (cells[i].family == s->window.family)
				set = idd_apply(m, IDD_OR, set, space_cell(m, s, &cells[i], IDD_TRUE, IDD_FALSE));
	}
	set = idd_apply(m, IDD_AND, set, idd_map(m, steps, is_from, &place));
	return without_spared(m, s, j, set);
}

static idd_ref seen_now(struct idd *m, struct space *s, const struct looking *l, idd_ref steps)
{
	const struct ir *ir = l->j[NEW]->ir;
	idd_ref seen = IDD_FALSE;

	for (size_t i = 0; i < ir->reflexes.count; i++)
		if (is_same_signature(l->rule, &ir->reflexes.rules[i]))
			seen = idd_apply(m, IDD_OR, seen, seen_of(m, s, l, NEW, steps, &ir->reflexes.rules[i], false));
	for (size_t i = 0; i < ir->watches.count; i++)
		if (is_same_signature(l->rule, &ir->watches.rules[i]))
			seen = idd_apply(m, IDD_OR, seen, seen_of(m, s, l, NEW, steps, &ir->watches.rules[i], true));
	return seen;
}

static void ask_unseen(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct looking *l = arg;
	const struct ir_list *reflexes = &l->j[OLD]->ir->reflexes;
	bool watch = l->rule < reflexes->rules || l->rule >= reflexes->rules + reflexes->count;
	idd_ref seen = seen_of(m, s, l, OLD, space_steps(m, s, &slices[OLD]), l->rule, watch);
	idd_ref admitted = idd_map(m, space_verdicts(m, s, &slices[NEW]), is_admitted, NULL);
	idd_ref now = seen_now(m, s, l, space_steps(m, s, &slices[NEW]));
	idd_ref unseen = idd_apply(m, IDD_DIFF, idd_apply(m, IDD_AND, seen, admitted), now);

	if (unseen == IDD_FALSE)
		return;
	if (!witness_pick(&l->witness, l->k->prover, m, s, unseen, l->j[NEW]->direction)) {
		l->q.progress.undecided++;
		return;
	}
	witness_replay(&l->witness, &l->k->terms, l->j[NEW]);
	l->found = l->q.done = true;
}

static void tell(const struct looking *l)
{
	struct arena *a = l->k->prover->arena;
	own(buf) struct buf text = { 0 };
	struct fact *f;

	fact_flagged(l->k, FACT_SIGNATURE, FLAG(SIGNATURE_BYPASSED),
		     arena_printf(a, "%s in %s", l->rule->id, l->j[NEW]->ir->postures[l->j[NEW]->posture].name), "looks into it",
		     arena_printf(a, "admitted unseen by %s", l->witness.decider.why));
	witness_print(&text, &l->witness);
	f = &l->k->facts.at[l->k->facts.len - 1];
	f->example = arena_strdup(a, buf_text(&text));
}

static void look(struct looking *l)
{
	struct cell cells[FAMILY_COUNT];

	for (size_t b = 0; b < l->rule->box_count && !l->found; b++) {
		size_t len = cells_of_box(&l->k->terms, l->j[OLD]->ir, &l->rule->boxes[b], l->j[OLD]->direction, cells);

		for (size_t i = 0; i < len && !l->found; i++) {
			struct window all = window_all(&l->k->terms, cells[i].family, STATES_ALL), w;

			l->q.more = &cells[i];
			if (window_around(&w, &all, &cells[i]))
				asking_run(&l->q, &w, l->j, SIDES);
		}
	}
	progress_add(&l->k->q.progress, &l->q.progress);
	if (l->found)
		tell(l);
}

static void look_for_each(struct pairing *k, const struct ir_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct looking l = { .k = k, .j = { k->j[OLD], k->j[NEW] }, .rule = &list->rules[i] };

		l.q = (struct asking){ .prover = k->prover, .terms = &k->terms, .most = SLICE_CELLS, .ask = ask_unseen, .arg = &l };
		if (list->rules[i].payload)
			look(&l);
	}
}

void compare_signatures(struct pairing *k)
{
	if (k->j[NEW]->direction == DIRECTION_OUT)
		return;
	look_for_each(k, &k->ir[OLD]->reflexes);
	look_for_each(k, &k->ir[OLD]->watches);
}
