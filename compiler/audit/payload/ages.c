/*
 * ages - no state is older than it says.
 *
 * A state of age n: whoever comes to it comes to it by the last n bytes from the idle state too. So from every state at once,
 * and beside it the idle one, the same bytes are read, and no state of age n may stand beside another after n of them.
 */
#include <string.h>

#include "compiler/audit/payload/reading.h"
#include "lang/base/own.h"

struct ages {
	struct arena *arena;
	const struct teg_automaton *t;
	const uint32_t *steps;
	uint32_t end;
	VEC(struct payload_pair) now, next; /* the state, and the one from idle */
	uint32_t *first; /* by state: 1 + what stands beside it, of those that were met first */
	uint64_t steps_taken;
};

static bool met_before(struct ages *g, struct payload_pair p)
{
	if (!g->first[p.state])
		return g->first[p.state] = p.own + 1, false;
	if (g->first[p.state] == p.own + 1)
		return true;
	for (size_t i = g->next.len; i-- > 0 && g->steps_taken < PAYLOAD_STEPS_MOST; g->steps_taken++)
		if (g->next.at[i].state == p.state && g->next.at[i].own == p.own)
			return true;
	return false;
}

/* To g->next, what g->now leads to by one byte. False when a state of this age stands beside another. */
static bool read_one(struct ages *g, unsigned age)
{
	g->next.len = 0;
	memset(g->first, 0, g->end * sizeof *g->first);
	for (size_t i = 0; i < g->now.len; i++) {
		const struct payload_pair at = g->now.at[i];

		if (at.state == at.own)
			continue;
		if (g->steps[at.state + g->t->classes + TEG_STEP_AGE] == age)
			return false;
		for (uint32_t c = 0; c < g->t->classes; c++) {
			const struct payload_pair to = { g->steps[at.state + c], g->steps[at.own + c] };

			if (to.state != to.own && !met_before(g, to))
				vec_push(g->arena, &g->next, to);
		}
	}
	return true;
}

static void go_on(struct ages *g)
{
	g->now.len = 0;
	for (size_t i = 0; i < g->next.len; i++)
		vec_push(g->arena, &g->now, g->next.at[i]);
}

int payload_ages(struct payload_reading *r, uint32_t n)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_automaton *t = &r->plan->payload.automata[n];
	const uint32_t end = payload_end(r->plan, n);
	struct ages g = { .arena = a, .t = t, .steps = r->plan->payload.steps, .end = end,
			  .first = arena_zero(a, (end + (size_t)1) * sizeof *g.first) };

	for (uint32_t s = t->idle; s < end; s += t->classes + TEG_STEP_MORE)
		vec_push(a, &g.now, ((struct payload_pair){ s, t->idle }));
	for (unsigned age = 0; age < TEG_AGE_OLD; age++) {
		if (!read_one(&g, age))
			return err_set(r->why, EPROTO, "payload automaton %u: a state is said to be younger than what it waits for", n);
		go_on(&g);
		if (g.steps_taken >= PAYLOAD_STEPS_MOST)
			return err_set(r->why, E2BIG, "payload automaton %u: the budget did not suffice to prove its states' ages", n);
	}
	return 0;
}
