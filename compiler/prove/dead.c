/*
 * dead.c - which rules decide nothing, or next to nothing, and which rules before them are the reason.
 */
#include "compiler/prove/mutant.h"
#include "compiler/prove/prover.h"

#include <assert.h>
#include <stdlib.h>

#include "lang/base/strmap.h"

/* --- which steps ever decide, and how much ------------------------------------------ */

struct reaching {
	struct reach reach;
	double *decides; /* by step: share of all packets, as space_weigh measures */
	double *shares;	 /* work, by step */
};

static double width(const struct addr_range *r)
{
	return (double)(r->hi - r->lo) + 1;
}

/* The share of all packets that lie in the window. Only these fields are ever cut. */
static double window_part(const struct window *w, const struct window *all)
{
	return width(&w->dst) / width(&all->dst) * (width(&w->src) / width(&all->src)) *
	       ((w->proto.hi - w->proto.lo + 1.0) / 256) *
	       ((w->dport.hi - w->dport.lo + 1.0) / 65536);
}

static void ask_reach(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct reaching *k = arg;
	struct window all = window_all(s->terms, s->window.family, s->window.states);
	double part = window_part(&s->window, &all);
	idd_ref steps = space_steps(m, s, slice);

	idd_numbers(m, steps, k->reach.reached);
	for (size_t i = 0; i < slice->len; i++)
		k->shares[slice->at[i]->step] = 0;
	idd_shares(m, steps, space_weigh, s, k->shares, k->reach.j->step_count);
	for (size_t i = 0; i < slice->len; i++) {
		uint32_t step = slice->at[i]->step;

		k->decides[step] += part * k->shares[step];
		k->shares[step] = 0;
	}
}

static void gave_up_reach(const struct slice *slice, void *arg)
{
	struct reaching *k = arg;

	reach_gave_up(slice, &k->reach);
	for (size_t i = 0; i < slice->len; i++)
		k->decides[slice->at[i]->step] = 1;
}

/* --- what a cell weighs by itself --------------------------------------------------- */

static double side_weight(const struct side *s, const struct addr_range *all)
{
	double sum = 0;

	if (s->full)
		return 1;
	for (size_t i = 0; i < s->len; i++)
		sum += width(&s->at[i]) / width(all);
	return s->self ? 0.5 + 0.5 * sum : sum;
}

static double ranges_weight(const struct ranges *r)
{
	double sum = 0;

	for (size_t i = 0; i < r->len; i++)
		sum += (r->at[i].hi - r->at[i].lo + 1.0) / 65536;
	return sum;
}

static double bits_weight(uint64_t mask, uint64_t all)
{
	return (double)__builtin_popcountll(mask & all) / __builtin_popcountll(all);
}

/* Cells of one step may overlap: then their sum is too much, and a rule is looked at needlessly. */
static double cell_weight(const struct cell *c, const struct window *all)
{
	if (c->unknown >= 0 || !(c->blocked & 1))
		return 0;
	return side_weight(&c->dst, &all->dst) * side_weight(&c->src, &all->src) *
	       ((c->proto_hi - c->proto_lo + 1.0) / 256) * ranges_weight(&c->dport) *
	       ranges_weight(&c->sport) * ranges_weight(&c->icmp) *
	       bits_weight(c->zones, all->zones) * bits_weight(c->fragments, FRAGMENT_ANY) *
	       bits_weight(c->hops, HOPS_ALL) * bits_weight(c->replies, 3) /
	       (1u << __builtin_popcount(c->flags_mask));
}

static double step_weight(const struct terms *t, const struct judgement *j, const struct step *s)
{
	double sum = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		struct window all = window_all(t, j->cells[s->first + i].family, STATES_ALL);

		sum += cell_weight(&j->cells[s->first + i], &all);
	}
	return sum;
}

/* --- all rules of a policy ---------------------------------------------------------- */

/* Rules of layers 1 to 3 stand in many judgements, and are dead when they are in all. */
struct seen {
	const struct ir_rule *rule;
	bool reached;
};

struct dead_search {
	struct prover *prover;
	struct terms terms;
	const struct ir *ir;
	double share;
	struct judgement **judgements; /* by posture and direction */
	struct dead_list list;
	VEC(struct dead) found;
	VEC(struct seen) seen;
	struct strmap places; /* id: 1 + its place in seen */

	/* work of the explanations, each of which leaves it as it was: there may be as many as rules */
	bool *decides, *listed;	/* by step: takes some of the rule's packets; is in the list: */
	VEC(uint32_t) deciding;
};

static struct seen *seen_at(struct dead_search *k, const struct ir_rule *rule)
{
	struct seen fresh = { .rule = rule };
	uintptr_t place = (uintptr_t)strmap_find(&k->places, rule->id);

	if (!place) {
		vec_push(k->prover->arena, &k->seen, fresh);
		place = k->seen.len;
		strmap_put(&k->places, rule->id, (void *)place);
	}
	return &k->seen.at[place - 1];
}

static void judge_step(struct dead_search *k, const struct judgement *j, const struct reaching *r,
		       uint32_t step)
{
	const struct step *s = &j->steps[step];
	struct dead d = { .posture = j->posture, .direction = j->direction, .rule = s->rule,
			  .never = !r->reach.reached[step] };

	if (!s->rule || s->rule->is_default)
		return;
	if (s->rule->layer != LAYER_POSTURE) {
		seen_at(k, s->rule)->reached |= r->reach.reached[step];
		return;
	}
	if (!d.never && (k->share >= 1 || r->decides[step] >= (1 - k->share) * step_weight(&k->terms, j, s)))
		return;
	vec_push(k->prover->arena, &k->found, d);
}

static void search(struct dead_search *k, struct judgement *j, unsigned states)
{
	struct arena *a = k->prover->arena;
	struct reaching r = {
		.reach = reach_begin(k->prover, &k->terms, j),
		.decides = arena_zero(a, j->step_count * sizeof *r.decides),
		.shares = arena_zero(a, j->step_count * sizeof *r.shares),
	};
	struct asking q = { .prover = k->prover, .terms = &k->terms, .most = WINDOW_CELLS,
			    .ask = ask_reach, .gave_up = gave_up_reach, .arg = &r };

	/* Whether a step decides is told by a packet of its own; how much, only by diagrams. */
	if (k->share >= 1) {
		q.need = reach_need;
		q.ask = reach_ask;
		q.gave_up = reach_gave_up;
		q.arg = &r.reach;
	}

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct window w = window_all(&k->terms, (enum family)f, states);

		asking_run(&q, &w, &j, 1);
	}
	for (uint32_t i = 0; i < j->step_count; i++)
		judge_step(k, j, &r, i);
	k->list.progress.windows += q.progress.windows;
	if (!k->list.progress.undecided)
		k->list.progress.first_undecided = q.progress.first_undecided;
	k->list.progress.undecided += q.progress.undecided;
}

static struct judgement *judgement_of(const struct dead_search *k, unsigned posture,
				      enum direction d)
{
	return k->judgements[posture * DIRECTION_COUNT + d];
}

static void make_judgements(struct dead_search *k)
{
	size_t count = k->ir->posture_count * DIRECTION_COUNT;

	size_t most = 0;

	k->judgements = arena_zero(k->prover->arena, count * sizeof *k->judgements);
	for (unsigned i = 0; i < count; i++) {
		k->judgements[i] = judgement_make(&k->terms, k->ir, i / DIRECTION_COUNT,
						  (enum direction)(i % DIRECTION_COUNT), 0);
		if (k->judgements[i]->step_count > most)
			most = k->judgements[i]->step_count;
	}
	k->decides = arena_zero(k->prover->arena, most * sizeof *k->decides);
	k->listed = arena_zero(k->prover->arena, most * sizeof *k->listed);
}

static struct dead_list search_all(struct prover *p, const struct ir *ir, double share, unsigned states)
{
	struct dead_search *k = arena_zero(p->arena, sizeof *k);

	*k = (struct dead_search){ .prover = p, .terms = terms_begin(p), .ir = ir, .share = share };
	strmap_init(&k->places, p->arena);
	terms_add(&k->terms, ir);
	make_judgements(k);
	for (unsigned i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			search(k, judgement_of(k, i, (enum direction)d), states);
	for (size_t i = 0; i < k->seen.len; i++) {
		struct dead d = { .rule = k->seen.at[i].rule, .never = true };

		if (!k->seen.at[i].reached)
			vec_push(p->arena, &k->found, d);
	}
	k->list.at = k->found.at;
	k->list.len = k->found.len;
	k->list.search = k;
	return k->list;
}

struct dead_list prove_dead(struct prover *p, const struct ir *ir, double share)
{
	return search_all(p, ir, share, 1u << CT_NEW);
}

/* Each hook by itself: neither is trusted to have seen what the other judges. */
struct idle_list prove_idle(struct prover *p, const struct ir *ir)
{
	struct ir first = *ir, last = *ir;
	struct idle_list out = { 0 };

	first.postures = arena_copy(p->arena, ir->postures, ir->posture_count * sizeof *ir->postures);
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++) {
			struct ir_list *l = &first.postures[i].lists[d];

			*l = (struct ir_list){ l->rules + l->count - 1, 1 };
		}
	last.feeds = last.blocks = last.reflexes = (struct ir_list){ 0 };
	for (int i = 0; i < 2; i++) {
		struct dead_list l = search_all(p, i ? &last : &first, 1, STATES_ALL);

		for (size_t k = 0; k < l.len; k++)
			vec_push(p->arena, &out, l.at[k].rule);
	}
	return out;
}

/* --- why one is dead ---------------------------------------------------------------- */

struct explaining {
	struct prover *prover;
	const struct terms *terms;
	struct judgement *j;
	uint32_t step;
	const struct cell *cell; /* of the step */
	struct dead_search *search;
	double own, contrary;
	bool contrary_witness;
	struct dead *dead;
	struct asking q;
};

static bool is_contrary(const struct explaining *k, uint32_t step)
{
	return MUTANT(24, k->j->steps[step].verdict != k->j->steps[k->step].verdict, true);
}

static idd_ref to_contrary(const void *arg, uint32_t step)
{
	const struct explaining *k = arg;

	return is_contrary(k, step) ? IDD_TRUE : IDD_FALSE;
}

static idd_ref to_others(const void *arg, uint32_t step)
{
	const struct explaining *k = arg;

	return step == k->step ? IDD_FALSE : IDD_TRUE;
}

/* Of the cell, while nothing is blocked and no rate is exceeded but the rule's own. */
static idd_ref calm_set(struct idd *m, struct space *s, const struct judgement *j,
			const struct cell *c)
{
	idd_ref set = space_cell_alone(m, s, j, c);

	for (unsigned level = 0; level < s->levels; level++) {
		bool own = c->unknown >= 0 && level == FIELD_COUNT + (unsigned)c->unknown;

		if (s->unknown_level[level] && !own)
			set = idd_apply(m, IDD_AND, set,
					idd_interval(m, level, 0, 0, IDD_TRUE, IDD_FALSE));
	}
	return set;
}

/* A packet that is decided otherwise is told rather than one that is decided alike. */
static void pick_witness(struct explaining *k, struct idd *m, struct space *s, idd_ref others,
			 idd_ref contrary)
{
	struct witness w;
	idd_ref set = contrary != IDD_FALSE ? contrary : others;

	if (k->contrary_witness || (k->dead->witnessed && contrary == IDD_FALSE))
		return;
	if (set == IDD_FALSE || !witness_pick(&w, k->prover, m, s, set, k->j->direction))
		return;
	witness_replay(&w, k->terms, k->j);
	k->dead->witness = w;
	k->dead->witnessed = true;
	k->contrary_witness = contrary != IDD_FALSE;
}

/* Only steps of the slice can be among them. */
static void note_deciding(struct dead_search *s, struct idd *m, idd_ref taken, const struct slice *slice)
{
	idd_numbers(m, taken, s->decides);
	for (size_t i = 0; i < slice->len; i++) {
		const uint32_t step = slice->at[i]->step;

		if (!s->decides[step] || s->listed[step])
			continue;
		s->listed[step] = true;
		vec_push(s->prover->arena, &s->deciding, step);
	}
}

static int by_step(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void forget_deciding(struct dead_search *s)
{
	for (size_t i = 0; i < s->deciding.len; i++)
		s->decides[s->deciding.at[i]] = s->listed[s->deciding.at[i]] = false;
	s->deciding.len = 0;
}

static void ask_why(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct explaining *k = arg;
	struct window all = window_all(s->terms, s->window.family, s->window.states);
	double part = window_part(&s->window, &all);
	idd_ref set = calm_set(m, s, k->j, k->cell);
	idd_ref taken = idd_apply(m, IDD_MASK, set, space_steps(m, s, slice));
	idd_ref others = idd_apply(m, IDD_OVER, idd_map(m, taken, to_others, k), IDD_FALSE);
	idd_ref contrary = idd_apply(m, IDD_OVER, idd_map(m, taken, to_contrary, k), IDD_FALSE);

	note_deciding(k->search, m, taken, slice);
	k->own += part * set_share(m, s, set);
	k->contrary += part * set_share(m, s, contrary);
	pick_witness(k, m, s, others, contrary);
}

static void list_deciders(struct dead_search *s, struct explaining *k, struct dead *d)
{
	VEC(struct decider) deciders = { 0 };

	if (s->deciding.len)
		qsort(s->deciding.at, s->deciding.len, sizeof *s->deciding.at, by_step);
	for (size_t i = 0; i < s->deciding.len; i++)
		if (s->deciding.at[i] != k->step)
			vec_push(s->prover->arena, &deciders, decider_of(&k->j->steps[s->deciding.at[i]]));
	d->deciders = deciders.at;
	d->decider_count = deciders.len;
}

static enum dead_kind kind_of(const struct explaining *k)
{
	if (!k->j->steps[k->step].count)
		return DEAD_EMPTY;
	if (!k->dead->never)
		return DEAD_PARTLY;
	for (size_t i = 0; i < k->search->deciding.len; i++)
		if (is_contrary(k, k->search->deciding.at[i]))
			return DEAD_SHADOWED;
	return DEAD_REDUNDANT;
}

/* A reflex may be silent in some postures: any posture that has the rule shows why. */
static struct judgement *judgement_with(const struct dead_search *k, struct dead *d, uint32_t *step)
{
	struct judgement *j = judgement_of(k, d->posture, d->direction);

	for (unsigned i = 0; !judgement_step(j, d->rule, step); i++) {
		assert(i < k->ir->posture_count);
		d->posture = i;
		j = judgement_of(k, i, d->direction);
	}
	return j;
}

/*
 * What stands behind a rule of layer 4 decides nothing of it, and need not be looked at. Not so behind
 * the others: what a lifeline spares goes on with layer 4.
 */
static struct judgement up_to(const struct judgement *j, uint32_t step)
{
	struct judgement cut = *j;

	if (step >= j->layer4) {
		cut.step_count = step + 1;
		cut.cell_count = j->steps[step].first + j->steps[step].count;
	}
	return cut;
}

bool prove_dead_explain(const struct dead_list *l, struct dead *d)
{
	struct dead_search *s = l->search;
	struct explaining k = { .prover = s->prover, .terms = &s->terms, .search = s, .dead = d };

	const struct judgement *whole = judgement_with(s, d, &k.step);
	struct judgement cut = up_to(whole, k.step);

	k.j = &cut;
	k.q = (struct asking){ .prover = s->prover, .terms = &s->terms, .most = SLICE_CELLS,
			       .ask = ask_why, .arg = &k };
	for (uint32_t i = 0; i < k.j->steps[k.step].count; i++) {
		const struct cell *c = &k.j->cells[k.j->steps[k.step].first + i];
		struct window all = window_all(&s->terms, c->family, 1u << CT_NEW), w;

		k.cell = c;
		k.q.more = c;
		all.quiet = c->unknown < 0;
		if (window_around(&w, &all, c))
			asking_run(&k.q, &w, &k.j, 1);
	}
	d->kind = kind_of(&k);
	d->share = k.own > 0 ? k.contrary / k.own : 0;
	d->progress = k.q.progress;
	list_deciders(s, &k, d);
	forget_deciding(s);
	return d->never || k.contrary > 0;
}
