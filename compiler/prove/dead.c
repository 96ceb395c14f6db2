/*
 * dead.c - which rules decide nothing, or next to nothing.
 */
#include "compiler/prove/dead_parts.h"

#include <string.h>

/* --- which steps ever decide, and how much ------------------------------------------ */

struct reaching {
	struct reach reach;
	bool *known;	 /* by step, and one more: how much it decides is not asked */
	double *decides; /* by step: share of all packets, as space_weigh measures */
	double *shares;	 /* work, by step */
};

static size_t need_shares(const struct slice *slice, const struct window *w, void *arg)
{
	const struct reaching *k = arg;

	(void)w;
	return dead_need(slice, k->known);
}

static void ask_shares(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct reaching *k = arg;
	struct window all = window_all(s->terms, s->window.family, s->window.states);
	double part = window_part(&s->window, &all);
	idd_ref steps = space_steps_among(m, s, slice, k->known);

	for (size_t i = 0; i < slice->len; i++)
		k->shares[slice->at[i]->step] = 0;
	idd_shares(m, steps, space_weigh, s, k->shares, k->reach.j->step_count);
	for (size_t i = 0; i < slice->len; i++) {
		uint32_t step = slice->at[i]->step;

		k->decides[step] += part * k->shares[step];
		k->shares[step] = 0;
	}
}

static void gave_up_shares(const struct slice *slice, void *arg)
{
	struct reaching *k = arg;

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
	if (!d.never && (r->known[step] || r->decides[step] >= (1 - k->share) * step_weight(&k->terms, j, s)))
		return;
	vec_push(k->prover->arena, &k->found, d);
}

static void run(struct dead_search *k, struct asking *q, struct judgement *j, unsigned states)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct window w = window_all(&k->terms, (enum family)f, states);

		asking_run(q, &w, &j, 1);
	}
	progress_add(&k->list.progress, &q->progress);
}

/* Which steps that decide at all decide little: who may is measured by diagrams in which all others are one number. */
static void measure(struct dead_search *k, struct judgement *j, unsigned states, struct reaching *r)
{
	struct asking q = { .prover = k->prover, .terms = &k->terms, .most = WINDOW_CELLS, .need = need_shares, .ask = ask_shares,
			    .gave_up = gave_up_shares, .arg = r };

	for (size_t i = 0; i < j->step_count; i++)
		r->known[i] = i < j->layer4 || !j->steps[i].rule || j->steps[i].rule->is_default || !r->reach.reached[i];
	dead_bound(k, j, states, r->known);
	run(k, &q, j, states);
}

/* Whether a step decides is told by a packet of its own; how much, only by diagrams. */
static void search(struct dead_search *k, struct judgement *j, unsigned states)
{
	struct arena *a = k->prover->arena;
	struct reaching r = {
		.reach = reach_begin(k->prover, &k->terms, j),
		.known = arena_zero(a, (j->step_count + 1) * sizeof *r.known),
		.decides = arena_zero(a, j->step_count * sizeof *r.decides),
		.shares = arena_zero(a, j->step_count * sizeof *r.shares),
	};
	struct asking q = { .prover = k->prover, .terms = &k->terms, .most = WINDOW_CELLS, .need = reach_need, .ask = reach_ask,
			    .gave_up = reach_gave_up, .arg = &r.reach };

	run(k, &q, j, states);
	if (k->share < 1)
		measure(k, j, states, &r);
	else
		memset(r.known, true, j->step_count);
	for (uint32_t i = 0; i < j->step_count; i++)
		judge_step(k, j, &r, i);
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
	k->decides = arena_zero(k->prover->arena, (most + 1) * sizeof *k->decides);
	k->listed = arena_zero(k->prover->arena, (most + 1) * sizeof *k->listed);
	k->over = arena_zero(k->prover->arena, k->terms.unknowns.len * sizeof *k->over);
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
