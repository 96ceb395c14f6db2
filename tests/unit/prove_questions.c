/*
 * The questions against sampled packets and against a second way of
 * computing: whatever is called proved has no counter-example among packets
 * near the bounds, whatever is called refuted has a witness that is wrong
 * under every assumption, and a dead rule is one that the union of those
 * before it covers.
 */
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/prove/prover.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

#define SAMPLES 400

struct world {
	struct rules g;
	const struct ir *ir;
	struct prover *prover;
	struct terms terms;
};

enum law {
	CLAIM_REPLAYS, CLAIM_IN_BOX, CLAIM_WRONG, CLAIM_REFUTED_FOR_ALL, CLAIM_CONDITIONAL,
	CLAIM_PROVED, CLAIM_NOT_REFUTED, ORDER_REPLAYS, ORDER_WRONG, ORDER_PROVED, EQUAL_REPLAYS,
	EQUAL_WRONG, EQUAL_PROVED, EQUAL_SELF, DEAD_NEVER, DEAD_ALL_FOUND, DEAD_REPLAYS,
	DEAD_WITNESS, DEAD_DECIDERS, DEAD_SHARES, DEAD_WITNESSED, DECIDED, LAWS
};

static const char *const laws[LAWS] = {
	[CLAIM_REPLAYS] = "claims: every witness replays in eval",
	[CLAIM_IN_BOX] = "claims: the witness lies in the claim",
	[CLAIM_WRONG] = "claims: the witness is treated otherwise than claimed",
	[CLAIM_REFUTED_FOR_ALL] = "claims: a refuting witness is wrong under every assumption",
	[CLAIM_CONDITIONAL] = "claims: a conditional one is right under some assumption",
	[CLAIM_PROVED] = "claims: no sampled packet contradicts a proved one",
	[CLAIM_NOT_REFUTED] = "claims: none wrong under every assumption when not refuted",
	[ORDER_REPLAYS] = "order: every witness replays in eval, in both postures",
	[ORDER_WRONG] = "order: the witness passes the tighter and not the wider",
	[ORDER_PROVED] = "order: no sampled packet contradicts a proved one",
	[EQUAL_REPLAYS] = "equality: every witness replays in eval, in both",
	[EQUAL_WRONG] = "equality: the witness is treated differently",
	[EQUAL_PROVED] = "equality: no sampled packet contradicts a proved one",
	[EQUAL_SELF] = "equality: a posture equals itself",
	[DEAD_NEVER] = "dead: no sampled packet is decided by a rule called dead",
	[DEAD_ALL_FOUND] = "dead: exactly the rules that those before them cover",
	[DEAD_REPLAYS] = "dead: every witness replays in eval",
	[DEAD_WITNESS] = "dead: the witness lies in the rule and another decides it",
	[DEAD_DECIDERS] = "dead: who decides instead is told, each of them and nobody else",
	[DEAD_SHARES] = "dead: what is not listed loses no more than the share to rules that decide otherwise",
	[DEAD_WITNESSED] = "dead: there is a witness wherever there is a packet",
	[DECIDED] = "every question is decided",
};

static size_t checked[LAWS], broken[LAWS];

static void check(enum law l, bool held)
{
	checked[l]++;
	broken[l] += !held;
}

/* Every assignment of the unknowns; true when `wrong` holds for all, *some when for any. */
static bool for_all_unknowns(const struct terms *t, const struct point *p,
			     bool (*wrong)(const void *arg, const struct point *p), const void *arg,
			     bool *some)
{
	size_t n = t->unknowns.len;
	bool over[16], all = true;
	struct point q = *p;

	*some = false;
	q.over = over;
	for (unsigned bits = 0; bits < 2u << n; bits++) {
		for (size_t i = 0; i < n; i++)
			over[i] = bits >> (i + 1) & 1;
		q.blocked = bits & 1;
		if (wrong(arg, &q))
			*some = true;
		else
			all = false;
	}
	return all;
}

/* --- claims ------------------------------------------------------------------------- */

struct claimed {
	const struct claim *claim;
	const struct judgement *j;
};

static bool claim_wrong(const void *arg, const struct point *p)
{
	const struct claimed *k = arg;
	const struct step *s = &k->j->steps[judgement_first(k->j, p)];

	if (!k->claim->allowed && !strcmp(step_name(s), WHY_NEIGHBOUR))
		return false;
	return (s->verdict == VERDICT_ALLOW) != k->claim->allowed;
}

static bool in_claim(struct world *w, const struct claim *c, const struct point *p)
{
	struct cell cells[FAMILY_COUNT];

	for (size_t i = 0; i < c->box_count; i++) {
		size_t n = cells_of_box(&w->terms, w->ir, &c->boxes[i], c->direction, cells);

		for (size_t f = 0; f < n; f++)
			if (cell_has(&cells[f], p) && (c->states >> p->packet.state & 1))
				return true;
	}
	return false;
}

static void check_claim_witness(struct world *w, const struct claim *c, const struct claim_answer *a)
{
	struct claimed k = { c, judgement_make(&w->terms, w->ir, a->posture, c->direction, 0) };
	bool some, all = for_all_unknowns(&w->terms, &a->witness.point, claim_wrong, &k, &some);

	check(CLAIM_REPLAYS, a->witness.replays);
	check(CLAIM_IN_BOX, in_claim(w, c, &a->witness.point));
	check(CLAIM_WRONG, claim_wrong(&k, &a->witness.point));
	if (a->answer == ANSWER_REFUTED)
		check(CLAIM_REFUTED_FOR_ALL, all);
	else
		check(CLAIM_CONDITIONAL, !all);
}

static void check_claim_samples(struct world *w, const struct claim *c, const struct claim_answer *a)
{
	for (unsigned posture = 0; posture < w->ir->posture_count; posture++) {
		struct claimed k = { c, judgement_make(&w->terms, w->ir, posture, c->direction, 0) };

		for (int i = 0; i < SAMPLES; i++) {
			struct point p;
			bool some, all;

			rules_point(&w->g, w->ir, &w->terms, &p);
			p.dst_self &= c->direction != DIRECTION_FORWARD;
			if (!in_claim(w, c, &p))
				continue;
			all = for_all_unknowns(&w->terms, &p, claim_wrong, &k, &some);
			if (a->answer == ANSWER_PROVED)
				check(CLAIM_PROVED, !some);
			check(CLAIM_NOT_REFUTED, !all);
		}
	}
}

static void check_claims(struct world *w)
{
	struct ir_rule r = rules_one(&w->g);
	struct claim c = { .postures = UINT64_MAX,
			   .direction = (enum direction)rules_below(&w->g, DIRECTION_COUNT),
			   .states = 1 + (unsigned)rules_below(&w->g, STATES_ALL),
			   .boxes = r.boxes,
			   .box_count = r.box_count,
			   .allowed = rules_below(&w->g, 2) };
	struct claim_answer a = prove_claim(w->prover, w->ir, &c);

	if (a.answer == ANSWER_REFUTED || a.answer == ANSWER_CONDITIONAL)
		check_claim_witness(w, &c, &a);
	if (a.answer == ANSWER_PROVED || a.answer == ANSWER_CONDITIONAL)
		check_claim_samples(w, &c, &a);
}

/* --- postures ----------------------------------------------------------------------- */

static enum verdict verdict_in(const struct judgement *j, const struct point *p)
{
	return j->steps[judgement_first(j, p)].verdict;
}

static void check_order(struct world *w)
{
	unsigned a = (unsigned)rules_below(&w->g, 3), b = (unsigned)rules_below(&w->g, 3);
	struct order_answer o = prove_order(w->prover, w->ir, a, b);

	check(DECIDED, o.answer != ANSWER_UNDECIDED);
	if (o.answer == ANSWER_UNDECIDED)
		return;
	if (o.answer == ANSWER_REFUTED || o.answer == ANSWER_CONDITIONAL) {
		check(ORDER_REPLAYS, o.witness.replays);
		check(ORDER_WRONG, o.witness.decider.verdict == VERDICT_ALLOW &&
					   o.in_wider.verdict != VERDICT_ALLOW);
		return;
	}
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		struct judgement *x = judgement_make(&w->terms, w->ir, a, (enum direction)d, 0);
		struct judgement *y = judgement_make(&w->terms, w->ir, b, (enum direction)d, 0);

		for (int i = 0; i < SAMPLES; i++) {
			struct point p;

			rules_point(&w->g, w->ir, &w->terms, &p);
			p.dst_self &= d != DIRECTION_FORWARD;
			if (STATES_FIRST >> p.packet.state & 1)
				check(ORDER_PROVED, verdict_in(x, &p) != VERDICT_ALLOW ||
							    verdict_in(y, &p) == VERDICT_ALLOW);
		}
	}
}

/* A copy with rules moved often means the same, and the edits are few. */
static void check_equal(struct world *w)
{
	const struct ir *other = rules_edit(&w->g, w->ir, rules_below(&w->g, 4));
	unsigned a = (unsigned)rules_below(&w->g, 3);
	struct equal_answer e = prove_equal(w->prover, w->ir, a, other, a);

	check(EQUAL_SELF, prove_equal(w->prover, w->ir, a, w->ir, a).answer == ANSWER_PROVED);
	check(DECIDED, e.answer != ANSWER_UNDECIDED);
	if (e.answer == ANSWER_UNDECIDED)
		return;
	if (e.answer == ANSWER_REFUTED || e.answer == ANSWER_CONDITIONAL) {
		check(EQUAL_REPLAYS, e.witness.replays);
		check(EQUAL_WRONG, e.witness.decider.verdict != e.in_second.verdict);
		return;
	}
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		struct judgement *x = judgement_make(&w->terms, w->ir, a, (enum direction)d, 0);
		struct judgement *y = judgement_make(&w->terms, other, a, (enum direction)d, 0);

		for (int i = 0; i < SAMPLES; i++) {
			struct point p;

			rules_point(&w->g, i & 1 ? w->ir : other, &w->terms, &p);
			p.dst_self &= d != DIRECTION_FORWARD;
			check(EQUAL_PROVED, verdict_in(x, &p) == verdict_in(y, &p));
		}
	}
}

/* --- dead rules --------------------------------------------------------------------- */

struct covering {
	const struct judgement *j;
	const bool *gone; /* by step: what the question said */
	enum family family;
	bool *alive;
};

/* The other way: each rule minus the union of those before it. */
static void ask_cover(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct covering *k = arg;
	idd_ref before = IDD_FALSE, spared = IDD_FALSE;

	for (size_t i = 0; i < k->j->step_count; i++) {
		const struct step *step = &k->j->steps[i];
		idd_ref set = IDD_FALSE;

		if (i == k->j->layer4)
			before = idd_apply(m, IDD_DIFF, before, spared);
		for (uint32_t c = 0; c < step->count; c++)
			set = idd_apply(m, IDD_OR, set,
					space_cell(m, s, &k->j->cells[step->first + c], IDD_TRUE,
						   IDD_FALSE));
		set = idd_apply(m, IDD_DIFF, set, before);
		if (set != IDD_FALSE)
			k->alive[i] = true;
		if (step->goes_on)
			spared = idd_apply(m, IDD_OR, spared, set);
		before = idd_apply(m, IDD_OR, before, set);
	}
	(void)slice;
}

static bool said_dead(const struct dead_list *l, const struct judgement *j, const struct ir_rule *r)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->at[i].rule == r && l->at[i].never &&
		    (r->layer != LAYER_POSTURE ||
		     (l->at[i].posture == j->posture && l->at[i].direction == j->direction)))
			return true;
	return false;
}

static void check_dead_in(struct world *w, const struct dead_list *l, struct judgement *j)
{
	struct covering k = { .j = j, .alive = arena_zero(w->prover->arena, j->step_count) };
	struct asking q = { .prover = w->prover, .terms = &w->terms, .most = SIZE_MAX,
			    .ask = ask_cover, .arg = &k };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct window all = window_all(&w->terms, (enum family)f, STATES_ALL);

		asking_run(&q, &all, &j, 1);
	}
	for (size_t i = 0; i < j->step_count; i++) {
		const struct ir_rule *r = j->steps[i].rule;

		if (r && r->layer == LAYER_POSTURE && !r->is_default)
			check(DEAD_ALL_FOUND, said_dead(l, j, r) == !k.alive[i]);
		else if (r && said_dead(l, j, r))
			check(DEAD_ALL_FOUND, !k.alive[i] || j->steps[i].goes_on);
	}
	for (int i = 0; i < SAMPLES; i++) {
		struct point p;

		rules_point(&w->g, w->ir, &w->terms, &p);
		p.dst_self &= j->direction != DIRECTION_FORWARD;

		const struct ir_rule *r = j->steps[judgement_first(j, &p)].rule;

		check(DEAD_NEVER, !r || !said_dead(l, j, r));
	}
}

/* Who decides the rule's packets, with each step's number in one diagram, while nothing is blocked and no rate is exceeded but its own. */
struct deciding {
	const struct cell *cell; /* of the rule */
	bool *decides;		 /* by step */
};

static void ask_deciding(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct deciding *k = arg;
	idd_ref set = space_cell(m, s, k->cell, IDD_TRUE, IDD_FALSE);

	for (unsigned level = 0; level < s->levels; level++)
		if (s->unknown_level[level] && (k->cell->unknown < 0 || level != FIELD_COUNT + (unsigned)k->cell->unknown))
			set = idd_apply(m, IDD_AND, set, idd_interval(m, level, 0, 0, IDD_TRUE, IDD_FALSE));
	idd_numbers(m, idd_apply(m, IDD_MASK, set, space_steps(m, s, slice)), k->decides);
}

static bool is_among(const struct dead *d, const struct step *s)
{
	for (size_t i = 0; i < d->decider_count; i++)
		if (d->deciders[i].rule == s->rule && (s->rule || !strcmp(d->deciders[i].why, s->why)))
			return true;
	return false;
}

static void check_deciders(struct world *w, struct judgement *j, const struct dead *d)
{
	struct deciding k = { .decides = arena_zero(w->prover->arena, j->step_count) };
	struct asking q = { .prover = w->prover, .terms = &w->terms, .most = SIZE_MAX, .ask = ask_deciding, .arg = &k };
	uint32_t own = 0;

	if (!judgement_step(j, d->rule, &own))
		return;
	for (uint32_t i = 0; i < j->steps[own].count; i++) {
		k.cell = q.more = &j->cells[j->steps[own].first + i];

		struct window all = window_all(&w->terms, k.cell->family, 1u << CT_NEW);

		asking_run(&q, &all, &j, 1);
	}
	for (uint32_t i = 0; i < j->step_count; i++)
		check(DEAD_DECIDERS, i == own || is_among(d, &j->steps[i]) == k.decides[i]);
}

static void check_explained(struct world *w, const struct dead_list *l, struct dead *d)
{
	bool listed = prove_dead_explain(l, d);

	check(DEAD_WITNESSED, !listed || d->kind == DEAD_EMPTY || d->witnessed);
	if (!listed || !d->witnessed)
		return;

	struct judgement *j = judgement_make(&w->terms, w->ir, d->posture, d->direction, 0);
	bool in = false;

	check_deciders(w, j, d);
	for (size_t i = 0; i < j->cell_count; i++)
		in |= j->steps[j->cells[i].step].rule == d->rule &&
		      cell_has(&j->cells[i], &d->witness.point);
	check(DEAD_REPLAYS, d->witness.replays);
	check(DEAD_WITNESS, in && d->witness.decider.rule != d->rule && d->decider_count > 0 &&
				    (d->kind == DEAD_REDUNDANT) ==
					    (d->witness.decider.verdict == d->rule->verdict));
}

static bool is_listed(const struct dead_list *l, const struct ir_rule *r, unsigned posture, enum direction d)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->at[i].rule == r && l->at[i].posture == posture && l->at[i].direction == d)
			return true;
	return false;
}

/* What is not listed for its share is measured all the same. */
static void check_unlisted(struct world *w, const struct dead_list *l, double share)
{
	for (unsigned p = 0; p < w->ir->posture_count; p++)
		for (int d = 0; d < DIRECTION_COUNT; d++) {
			const struct ir_list *rules = &w->ir->postures[p].lists[d];

			for (size_t i = 0; i + 1 < rules->count; i++) {
				struct dead one = { .posture = p, .direction = (enum direction)d, .rule = &rules->rules[i] };

				if (!is_listed(l, one.rule, p, one.direction))
					check(DEAD_SHARES, !prove_dead_explain(l, &one) || one.share <= share + 1e-9);
			}
		}
}

static void check_dead(struct world *w)
{
	struct dead_list l = prove_dead(w->prover, w->ir, 0.5);

	check_unlisted(w, &l, 0.5);

	for (unsigned i = 0; i < w->ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			check_dead_in(w, &l, judgement_make(&w->terms, w->ir, i, (enum direction)d, 0));
	for (size_t i = 0; i < l.len; i++)
		check_explained(w, &l, &l.at[i]);
}

static void check_world(struct world *w, size_t rules)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	own(arena) struct arena *a = arena_new();

	w->g.arena = a;
	w->ir = rules_make(&w->g, rules);
	w->prover = p;
	w->terms = terms_begin(p);
	terms_add(&w->terms, w->ir);
	for (int i = 0; i < 6; i++)
		check_claims(w);
	for (int i = 0; i < 3; i++)
		check_order(w);
	for (int i = 0; i < 3; i++)
		check_equal(w);
	check_dead(w);
}

/* --- packets and diagrams ------------------------------------------------------------- */

static size_t never_in(const struct dead_list *l, const struct ir_rule *rule)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++)
		n += l->at[i].never && (!rule || l->at[i].rule == rule);
	return n;
}

static void ask_numbers(struct idd *m, struct space *s, const struct slice *slice, void *decides)
{
	idd_numbers(m, space_steps(m, s, slice), decides);
}

/* Packets tell of most rules that they decide: the answer is that of diagrams in which each has its number. */
static void check_long_list(enum rules_profile profile)
{
	own(arena) struct arena *a = arena_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct rules g = { .arena = a, .seed = 11, .profile = profile, .v6 = 0.3 };
	const struct ir *ir = rules_make(&g, 1500);
	struct dead_list l = prove_dead(p, ir, 1);
	struct terms t = terms_begin(p);
	size_t dead = 0, wrong = 0;

	terms_add(&t, ir);
	struct judgement *j = judgement_make(&t, ir, 0, DIRECTION_FORWARD, 0);
	bool *decides = arena_zero(a, j->step_count);
	struct asking q = { .prover = p, .terms = &t, .most = WINDOW_CELLS, .ask = ask_numbers, .arg = decides };
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct window w = window_all(&t, (enum family)f, 1u << CT_NEW);

		asking_run(&q, &w, &j, 1);
	}
	for (size_t i = j->layer4; i < j->step_count; i++) {
		const struct ir_rule *r = j->steps[i].rule;

		if (!r || r->is_default)
			continue;
		dead += !decides[i];
		wrong += decides[i] == (never_in(&l, r) > 0);
	}
	tap_num((int64_t)wrong, 0, "rules of 1,500 of which packets and diagrams say another thing");
	tap_ok(dead && dead == never_in(&l, NULL), "of those like %s, %zu never decide", rules_profile_name(profile), dead);
	tap_ok(l.progress.windows < q.progress.windows, "found in %zu windows in place of %zu", l.progress.windows, q.progress.windows);
}

int main(void)
{
	struct world w = { .g = { .seed = 5, .profile = RULES_SMALL } };

	for (int i = 0; i < 500; i++)
		check_world(&w, 1 + (size_t)i % 8);
	for (int l = 0; l < LAWS; l++) {
		tap_num((int64_t)broken[l], 0, laws[l]);
		tap_ok(checked[l] > 50, "and that was asked %zu times", checked[l]);
	}
	check_long_list(RULES_ACL);
	check_long_list(RULES_FW);
	check_long_list(RULES_IPC);
	return tap_done();
}
