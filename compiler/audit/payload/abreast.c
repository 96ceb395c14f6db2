/* abreast - the tables' automaton walked state by state, with all its patterns beside it: see abreast.h. */
#include "compiler/audit/payload/abreast.h"
#include "lang/base/own.h"

/* A pattern is in one state now, and was in another when the same state of the tables was met. */
static void compare_one(struct abreast *w, uint32_t nth, uint32_t was, uint32_t is)
{
	if (is != was && is != ABREAST_OVER)
		w->patterns.at[nth]->alone = true;
}

/* Behind bytes of two classes: each pattern's base differs. */
static void compare_all(struct abreast *w, const struct met *m, unsigned class, const struct moves *now)
{
	uint32_t i = 0, k = 0;

	for (uint32_t nth = 0; nth < w->patterns.len; nth++) {
		const bool off = i < m->off.len && m->off.at[i].nth == nth, next = k < now->len && now->at[k].nth == nth;

		compare_one(w, nth, off ? m->off.at[i].state : abreast_idle(w, nth, m->last),
			    next ? now->at[k].state : abreast_idle(w, nth, class));
		i += off;
		k += next;
	}
}

/* Behind bytes of one class: those that neither list names are where they were. */
static void compare_listed(struct abreast *w, const struct met *m, const struct moves *now)
{
	uint32_t i = 0, k = 0;

	while (i < m->off.len || k < now->len) {
		const uint32_t x = i < m->off.len ? m->off.at[i].nth : PAYLOAD_NOBODY, y = k < now->len ? now->at[k].nth : PAYLOAD_NOBODY;
		const uint32_t nth = x < y ? x : y, base = abreast_idle(w, nth, m->last);

		compare_one(w, nth, x == nth ? m->off.at[i].state : base, y == nth ? now->at[k].state : base);
		i += x == nth;
		k += y == nth;
	}
}

static void compare_to(struct abreast *w, const struct met *m, unsigned class)
{
	const struct moves now = { w->next.at, (uint32_t)w->next.len };

	if (m->last != class)
		compare_all(w, m, class, &now);
	else if (!moves_same(&m->off, &now))
		compare_listed(w, m, &now);
}

static struct met *met_at(const struct abreast *w, uint32_t state)
{
	return &w->met[(state - w->t->idle) / w->width];
}

static int arrive(struct abreast *w, uint32_t state, unsigned class)
{
	struct met *m = met_at(w, state);
	uint32_t wrong;

	if (m->is) {
		compare_to(w, m, class);
		return 0;
	}
	if (!abreast_tells_right(w, state, class, &wrong))
		return payload_refuse(w->r, w->patterns.at[wrong]->id, PAYLOAD_DIFFERS);
	*m = (struct met){ true, (uint16_t)class, abreast_keep(w) };
	vec_push(w->arena, &w->waiting, state);
	return 0;
}

static int leave(struct abreast *w, uint32_t state, const struct met *m)
{
	for (unsigned c = 0; c < w->class_count; c++) {
		const uint32_t to = w->steps[state + w->t->class_of[w->byte[c]]];

		if (to < w->t->idle || to >= w->end || (to - w->t->idle) % w->width)
			return payload_refuse(w->r, w->patterns.at[0]->id, PAYLOAD_DIFFERS);
		abreast_step_all(w, m, c);
		int rc = arrive(w, to, w->like[c]);
		if (rc)
			return rc;
	}
	return w->r->steps > PAYLOAD_STEPS_MOST ? payload_too_much(w->r, w->patterns.at[0]->id) : 0;
}

/* Where reading begins, nothing has been read: nothing can end yet, and no payload is empty. So it is met anew, if it is. */
static int walk(struct abreast *w)
{
	struct met begin = { .last = (uint16_t)w->class_count };

	abreast_begin(w);
	begin.off = abreast_keep(w);
	int rc = leave(w, w->t->start, &begin);
	for (size_t i = 0; i < w->waiting.len && !rc; i++) {
		const uint32_t state = w->waiting.at[i];
		const struct met m = *met_at(w, state);

		rc = leave(w, state, &m);
	}
	return rc;
}

int payload_abreast(struct payload_reading *r, uint32_t n)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_automaton *t = &r->plan->payload.automata[n];
	struct abreast w = { .r = r, .arena = a, .t = t, .steps = r->plan->payload.steps, .width = t->classes + TEG_STEP_MORE,
			     .end = payload_end(r->plan, n) };

	for (size_t i = 0; i < r->patterns.len; i++)
		if (r->patterns.at[i]->automaton == n)
			vec_push(a, &w.patterns, r->patterns.at[i]);
	if (!w.patterns.len)
		return 0;
	w.met = arena_zero(a, ((w.end - t->idle) / w.width + 1) * sizeof *w.met);
	abreast_prepare(&w);
	abreast_tells_prepare(&w);
	return walk(&w);
}
