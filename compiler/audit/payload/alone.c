/*
 * alone - one pattern's automaton and the tables' read the same bytes side by side.
 *
 * From the pair of states in which reading begins to every pair that can be reached, until the
 * pattern is found. The tables must say of each pair what the pattern's own automaton does.
 */
#include "compiler/audit/payload/reading.h"

struct pair_walk {
	struct payload_reading *r;
	const struct looked_for *l;
	const struct teg_automaton *t;
	const uint32_t *steps;
	const struct pattern *own_one;
	struct payload_joined joined;
	VEC(struct payload_pair) waiting;
	VEC(struct payload_pair) met; /* second and later meetings of a state: few */
	bool *has;	  /* by place of a list: the pattern is in it */
	uint32_t *beside; /* by combined state: 1 + the pattern's state that was met first */
};

static void meet(struct pair_walk *w, uint32_t state, uint32_t own)
{
	const struct payload_pair p = { state, own };

	if (w->beside[state] == own + 1)
		return;
	for (size_t i = 0; w->beside[state] && i < w->met.len; i++)
		if (w->met.at[i].state == state && w->met.at[i].own == own)
			return;
	if (w->beside[state])
		vec_push(w->r->arena, &w->met, p);
	else
		w->beside[state] = own + 1;
	vec_push(w->r->arena, &w->waiting, p);
}

static bool pair_agrees(const struct pair_walk *w, const struct payload_pair *p)
{
	const uint32_t *row = w->steps + p->state;

	return w->has[row[w->t->classes]] == w->own_one->found[p->own] &&
	       (w->own_one->found[p->own] || w->has[row[w->t->classes + 1]] == w->own_one->ends[p->own]);
}

static int walk_both(struct pair_walk *w)
{
	const struct pattern *own_one = w->own_one;

	meet(w, w->t->start, 0);
	for (size_t i = 0; i < w->waiting.len; i++) {
		const struct payload_pair p = w->waiting.at[i];
		bool is_begin = i == 0; /* nothing has been read: nothing can end yet, and no payload is empty */

		if (!is_begin && !pair_agrees(w, &p))
			return payload_refuse(w->r, w->l->id, PAYLOAD_DIFFERS);
		if (own_one->found[p.own])
			continue;
		w->r->steps += w->joined.count;
		if (w->r->steps > PAYLOAD_STEPS_MOST)
			return payload_too_much(w->r, w->l->id);
		for (unsigned c = 0; c < w->joined.count; c++)
			meet(w, w->steps[p.state + w->joined.parts[c][0]],
			     own_one->next[p.own * own_one->classes + w->joined.parts[c][1]]);
	}
	return 0;
}

/* Leaves `has` and `beside` as it found them. */
static int walk_alone(struct pair_walk *w)
{
	payload_join(&w->joined, w->t->class_of, w->own_one->class_of);
	for (size_t i = 0; i < w->l->places.len; i++)
		w->has[w->l->places.at[i]] = true;
	int rc = walk_both(w);
	for (size_t i = 0; i < w->l->places.len; i++)
		w->has[w->l->places.at[i]] = false;
	for (size_t i = 0; i < w->waiting.len; i++)
		w->beside[w->waiting.at[i].state] = 0;
	return rc;
}

/* Every pattern is looked for, as far into the payload as its rules say. */
static int is_looked_for(struct payload_reading *r, const struct looked_for *l)
{
	const struct plan *p = r->plan;

	if (l->automaton == PAYLOAD_NOBODY)
		return payload_refuse(r, l->id, "no automaton looks for its pattern");
	for (size_t i = 0; i < l->rows.len; i++)
		if (p->payload.automata[l->automaton].most < p->payload.rows[l->rows.at[i]].within)
			return payload_refuse(r, l->id, "its automaton looks at fewer bytes than the rule says");
	return 0;
}

int payload_alone(struct payload_reading *r)
{
	const struct plan *p = r->plan;
	bool *has = arena_zero(r->arena, p->config.payload.lists + 1);
	uint32_t *beside = arena_zero(r->arena, (p->config.payload.steps + 1) * sizeof *beside);
	int rc = 0;

	for (size_t i = 0; i < r->patterns.len && !rc; i++) {
		const struct looked_for *l = r->patterns.at[i];

		rc = is_looked_for(r, l);
		if (rc || !l->alone)
			continue;
		struct pair_walk w = { .r = r, .l = l, .t = &p->payload.automata[l->automaton], .steps = p->payload.steps,
					  .own_one = &l->said->pattern, .has = has, .beside = beside };
		rc = walk_alone(&w);
	}
	return rc;
}
