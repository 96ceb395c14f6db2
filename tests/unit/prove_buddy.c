/*
 * A second opinion: BuDDy, a binary decision diagram package, is asked the
 * same questions about the same policies, and must give the same answers.
 */
#include <string.h>

#include "compiler/prove/prover.h"
#include "tests/lib/bdd_rules.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

struct world {
	struct rules g;
	const struct ir *ir, *other;
	struct prover *prover;
	struct terms terms;
	uint64_t zones;
};

enum law { DEAD, ALIKE, MORE, EVERY_PACKET, LAWS };

static const char *const laws[LAWS] = {
	[DEAD] = "the same rules decide nothing",
	[ALIKE] = "the same policies are equal",
	[MORE] = "the same postures admit no more than others",
	[EVERY_PACKET] = "a judgement has every packet",
};

static size_t checked[LAWS], broken[LAWS], yes[LAWS];

static void check(enum law l, bool ours, bool theirs)
{
	checked[l]++;
	yes[l] += theirs;
	broken[l] += ours != theirs;
}

static struct judgement *judge(struct world *w, const struct ir *ir, unsigned posture, enum direction d)
{
	return judgement_make(&w->terms, ir, posture, d, 0);
}

/* In and out only: what is forwarded past a lifeline is not one list for BuDDy. */
static const enum direction asked[] = { DIRECTION_IN, DIRECTION_OUT };

/* --- dead rules: the running union, as BDD users do it ------------------------------ */

static void cover(struct world *w, const struct judgement *j, enum family family, bool *alive)
{
	BDD before = bddfalse, valid = bdd_valid(w->zones);

	for (size_t i = 0; i < j->cell_count; i++) {
		const struct cell *c = &j->cells[i];
		BDD own, left;

		if (c->family != family)
			continue;
		own = bdd_cell(c, w->zones);
		left = bdd_addref(bdd_apply(own, before, bddop_diff));
		left = bdd_held(bdd_and(left, valid), left, bddtrue);
		alive[c->step] |= left != bddfalse;
		before = bdd_held(bdd_or(before, own), before, own);
		bdd_delref(left);
	}
	before = bdd_held(bdd_apply(valid, before, bddop_diff), before, bddtrue);
	check(EVERY_PACKET, true, before == bddfalse);
	bdd_delref(before);
	bdd_delref(valid);
}

static bool said_dead(const struct dead_list *l, const struct judgement *j, const struct ir_rule *r)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->at[i].never && l->at[i].rule == r && l->at[i].posture == j->posture &&
		    l->at[i].direction == j->direction)
			return true;
	return false;
}

static void check_dead(struct world *w)
{
	struct dead_list l = prove_dead(w->prover, w->ir, 1);

	for (unsigned p = 0; p < w->ir->posture_count; p++)
		for (size_t d = 0; d < ARRAY_LEN(asked); d++) {
			struct judgement *j = judge(w, w->ir, p, asked[d]);
			bool *alive = arena_zero(w->g.arena, j->step_count);

			cover(w, j, FAMILY_IP4, alive);
			cover(w, j, FAMILY_IP6, alive);
			for (size_t i = 0; i < j->step_count; i++) {
				const struct ir_rule *r = j->steps[i].rule;

				if (r && r->layer == LAYER_POSTURE && !r->is_default)
					check(DEAD, said_dead(&l, j, r), !alive[i]);
			}
		}
}

/* --- two lists against each other --------------------------------------------------- */

static BDD admitted(struct world *w, const struct judgement *j, enum family family)
{
	struct bdd_list l = bdd_rules_build(j, family, w->zones, 0, j->cell_count);
	BDD valid = bdd_valid(w->zones);

	bdd_delref(l.matched);
	return bdd_held(bdd_and(l.admitted, valid), l.admitted, valid);
}

/* What is admitted; EQUAL asks for verdicts, so drop and reject are made one before. */
static bool differ(struct world *w, const struct judgement *x, const struct judgement *y,
		   bool only_more, unsigned states)
{
	bool any = false;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		BDD a = admitted(w, x, (enum family)f), b = admitted(w, y, (enum family)f);
		BDD in = bdd_mask(FIELD_STATE, states, STATES_ALL);
		BDD d = bdd_addref(bdd_apply(a, b, only_more ? bddop_diff : bddop_xor));

		d = bdd_held(bdd_and(d, in), d, in);
		any |= d != bddfalse;
		bdd_delref(a);
		bdd_delref(b);
		bdd_delref(d);
	}
	return any;
}

static void check_pairs(struct world *w)
{
	for (unsigned p = 0; p < w->ir->posture_count; p++) {
		unsigned q = (unsigned)rules_below(&w->g, w->ir->posture_count);
		bool alike = true, no_more = true;
		struct equal_answer e = prove_equal(w->prover, w->ir, p, w->other, p);
		struct order_answer o = prove_order(w->prover, w->ir, p, q);

		for (size_t d = 0; d < ARRAY_LEN(asked); d++) {
			struct judgement *x = judge(w, w->ir, p, asked[d]);

			alike &= !differ(w, x, judge(w, w->other, p, asked[d]), false, STATES_ALL);
			no_more &= !differ(w, x, judge(w, w->ir, q, asked[d]), true, STATES_FIRST);
		}
		check(ALIKE, e.answer == ANSWER_PROVED, alike);
		check(MORE, o.answer == ANSWER_PROVED, no_more);
	}
}

/* No forwarded rules and no reject: what is asked is then the same on both sides. */
static void plain(struct ir *ir)
{
	for (size_t p = 0; p < ir->posture_count; p++)
		for (int d = 0; d < DIRECTION_COUNT; d++) {
			struct ir_list *l = &ir->postures[p].lists[d];

			for (size_t i = 0; i < l->count; i++)
				if (l->rules[i].verdict == VERDICT_REJECT)
					l->rules[i].verdict = VERDICT_DROP;
		}
	for (size_t p = 0; p < ir->posture_count; p++) {
		struct ir_list *l = &ir->postures[p].lists[DIRECTION_FORWARD];

		l->rules = &l->rules[l->count - 1];
		l->count = 1;
		l->rules[0].verdict = VERDICT_DROP;
	}
}

static void check_world(struct world *w, size_t rules)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	own(arena) struct arena *a = arena_new();
	struct ir *ir, *other;

	w->g.arena = a;
	ir = rules_make(&w->g, rules);
	other = rules_edit(&w->g, ir, 1 + rules_below(&w->g, 4));
	plain(ir);
	plain(other);
	w->ir = ir;
	w->other = other;
	w->prover = p;
	w->terms = terms_begin(p);
	terms_add(&w->terms, w->ir);
	terms_add(&w->terms, w->other);
	w->zones = window_all(&w->terms, FAMILY_IP4, STATES_ALL).zones;
	bdd_rules_open(&w->terms);
	check_dead(w);
	check_pairs(w);
	bdd_rules_close();
}

int main(void)
{
	struct world w = { .g = { .seed = 21, .profile = RULES_SMALL } };

	for (size_t i = 0; i < 60; i++)
		check_world(&w, 1 + i % 6);
	for (int l = 0; l < LAWS; l++) {
		tap_num((int64_t)broken[l], 0, laws[l]);
		tap_ok(checked[l] > 50, "and that was asked %zu times, %zu of them yes",
		       checked[l], yes[l]);
	}
	return tap_done();
}
