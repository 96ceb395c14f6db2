/*
 * payload - the tables find in a payload what the policy's patterns find, each where it should.
 *
 * A pattern's own automaton (compiler/pattern, made anew from the policy) and the one of the
 * tables read the same bytes side by side, from every pair of states that can be reached together,
 * until the pattern is found: all patterns of an automaton at once, and alone those of which one state
 * of the tables means two. And every window that could change what is read must be in the map.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/audit/audit.h"
#include "lang/base/own.h"
#include "lang/base/strmap.h"

#define NOBODY		UINT32_MAX
#define DIFFERS		"the tables find in payloads what its pattern does not, or do not what it does"
#define STEPS_MOST	4000000000ull /* of all pairs together: some ten seconds */
#define WINDOW_STEPS_MOST (1u << 26)
#define WINDOWS_SEEN	  (1u << 17)

/* Rows that look for one pattern, and the lists in which they stand. */
struct looked_for {
	const struct pol_payload *said;
	const char *id;
	VEC(uint32_t) rows;
	VEC(uint32_t) places;
	uint32_t automaton;
	uint32_t nth, idle; /* of its automaton; the state in which it mostly is, a guess */
	bool alone;	    /* walked by itself */
};

struct reading {
	struct arena *arena;
	const struct ir *meant;
	const struct plan *plan;
	VEC(struct looked_for *) patterns;
	struct looked_for **of_row;
	bool *has;	      /* by place of a list: the pattern at hand is in it */
	uint32_t *beside;     /* by combined state: 1 + the pattern's state that was met first */
	uint64_t steps;
	struct err *why;
};

static const struct ir_rule *rule_of_row(const struct reading *r, uint32_t row)
{
	const struct plan *p = r->plan;

	return audit_rule_named(r->meant, p->counters[p->rules[p->payload.rows[row].rule].counter_slot].id);
}

static int refuse(struct reading *r, const char *id, const char *what)
{
	return err_set(r->why, EPROTO, "%s: %s", id, what);
}

/* --- rows ------------------------------------------------------------------------------ */

static int read_rows(struct reading *r)
{
	const uint32_t rows = r->plan->config.payload.rows;
	struct strmap known;
	uint64_t marks = 0;

	strmap_init(&known, r->arena);
	r->of_row = arena_zero(r->arena, (rows + 1) * sizeof *r->of_row);
	for (uint32_t i = 0; i < rows; i++) {
		const struct teg_row *row = &r->plan->payload.rows[i];
		const struct ir_rule *m = rule_of_row(r, i);

		if (!m || !m->payload || m->payload->within != row->within)
			return refuse(r, m ? m->id : "a rule", "what is looked for in payloads is not what the policy says");
		if ((i && row->rule == row[-1].rule) || (row->mark && marks >> (row->mark - 1) & 1))
			return refuse(r, m->id, "it shares what it looks for in payloads with another");
		marks |= row->mark ? 1ull << (row->mark - 1) : 0;
		const char *key = arena_printf(r->arena, "%u %s", m->payload->flags, m->payload->expression);
		struct looked_for *l = strmap_find(&known, key);
		if (!l) {
			l = arena_zero(r->arena, sizeof *l);
			*l = (struct looked_for){ .said = m->payload, .id = m->id, .automaton = NOBODY };
			strmap_put(&known, key, l);
			vec_push(r->arena, &r->patterns, l);
		}
		vec_push(r->arena, &l->rows, i);
		r->of_row[i] = l;
	}
	return 0;
}

/* The list names all rows of each pattern in it, and is of the automaton in which the pattern is. */
static int read_list(struct reading *r, uint32_t place, uint32_t automaton)
{
	const uint32_t *list = r->plan->payload.lists + place;

	for (uint32_t i = 1; i <= list[0]; i++) {
		struct looked_for *l = r->of_row[list[i]];

		if (l->automaton != NOBODY && l->automaton != automaton)
			return refuse(r, l->id, "two automata look for its pattern");
		l->automaton = automaton;
		if (l->places.len && l->places.at[l->places.len - 1] == place)
			continue;
		if (list[i] != l->rows.at[0])
			return refuse(r, l->id, "some rules that look for the same are left out of a list");
		vec_push(r->arena, &l->places, place);
	}
	for (uint32_t i = 1; i <= list[0]; i++) {
		const struct looked_for *l = r->of_row[list[i]];
		uint32_t named = 0;

		for (uint32_t k = 1; k <= list[0] && l->rows.len > 1; k++)
			named += r->of_row[list[k]] == l;
		if (l->rows.len > 1 && named != l->rows.len)
			return refuse(r, l->id, "some rules that look for the same are left out of a list");
	}
	return 0;
}

static uint32_t end_of(const struct plan *p, uint32_t automaton)
{
	return automaton + 1 < p->config.payload.automata ? p->payload.automata[automaton + 1].idle : p->config.payload.steps;
}

static int read_lists(struct reading *r)
{
	const struct plan *p = r->plan;
	bool *seen = arena_zero(r->arena, p->config.payload.lists);
	int rc = 0;

	for (uint32_t n = 0; n < p->config.payload.automata; n++) {
		const struct teg_automaton *t = &p->payload.automata[n];

		for (uint32_t s = t->idle; s < end_of(p, n) && !rc; s += t->classes + TEG_STEP_MORE)
			for (uint32_t c = t->classes; c < t->classes + 2 && !rc; c++) {
				const uint32_t place = p->payload.steps[s + c];

				if (!seen[place])
					rc = read_list(r, place, n);
				seen[place] = true;
			}
		memset(seen, 0, p->config.payload.lists);
	}
	return rc;
}

/* --- one pattern, side by side -------------------------------------------------------------- */

struct pair {
	uint32_t state, own;
};

struct side_by_side {
	const struct teg_automaton *t;
	const uint32_t *steps;
	const struct pattern *own_one;
	uint8_t classes[256][2]; /* of both, that a byte has together */
	unsigned class_count;
	VEC(struct pair) waiting;
	VEC(struct pair) met; /* second and later meetings of a state: few */
};

static void join_classes(struct side_by_side *w)
{
	for (unsigned b = 0; b < 256; b++) {
		unsigned i = 0;

		while (i < w->class_count && (w->classes[i][0] != w->t->class_of[b] || w->classes[i][1] != w->own_one->class_of[b]))
			i++;
		if (i < w->class_count)
			continue;
		w->classes[i][0] = w->t->class_of[b];
		w->classes[i][1] = w->own_one->class_of[b];
		w->class_count++;
	}
}

static void meet(struct reading *r, struct side_by_side *w, uint32_t state, uint32_t own)
{
	const struct pair p = { state, own };

	if (r->beside[state] == own + 1)
		return;
	for (size_t i = 0; r->beside[state] && i < w->met.len; i++)
		if (w->met.at[i].state == state && w->met.at[i].own == own)
			return;
	if (r->beside[state])
		vec_push(r->arena, &w->met, p);
	else
		r->beside[state] = own + 1;
	vec_push(r->arena, &w->waiting, p);
}

static bool pair_agrees(const struct reading *r, const struct side_by_side *w, const struct pair *p)
{
	const uint32_t *row = w->steps + p->state;

	return r->has[row[w->t->classes]] == w->own_one->found[p->own] &&
	       (w->own_one->found[p->own] || r->has[row[w->t->classes + 1]] == w->own_one->ends[p->own]);
}

static int walk_both(struct reading *r, struct side_by_side *w, const struct looked_for *l)
{
	const struct pattern *own_one = w->own_one;

	meet(r, w, w->t->start, 0);
	for (size_t i = 0; i < w->waiting.len; i++) {
		const struct pair p = w->waiting.at[i];
		bool is_begin = i == 0; /* nothing has been read: nothing can end yet, and no payload is empty */

		if (!is_begin && !pair_agrees(r, w, &p))
			return refuse(r, l->id, DIFFERS);
		if (own_one->found[p.own])
			continue;
		r->steps += w->class_count;
		if (r->steps > STEPS_MOST)
			return err_set(r->why, E2BIG, "%s: the budget did not suffice to prove that its pattern is looked for", l->id);
		for (unsigned c = 0; c < w->class_count; c++)
			meet(r, w, w->steps[p.state + w->classes[c][0]], own_one->next[p.own * own_one->classes + w->classes[c][1]]);
	}
	return 0;
}

static int pattern_holds(struct reading *r, struct looked_for *l)
{
	const struct plan *p = r->plan;
	struct side_by_side w = { .own_one = &l->said->pattern, .steps = p->payload.steps };
	int rc;

	if (l->automaton == NOBODY)
		return refuse(r, l->id, "no automaton looks for its pattern");
	w.t = &p->payload.automata[l->automaton];
	for (size_t i = 0; i < l->rows.len; i++)
		if (w.t->most < p->payload.rows[l->rows.at[i]].within)
			return refuse(r, l->id, "its automaton looks at fewer bytes than the rule says");
	if (!l->alone)
		return 0;
	join_classes(&w);
	for (size_t i = 0; i < l->places.len; i++)
		r->has[l->places.at[i]] = true;
	rc = walk_both(r, &w, l);
	for (size_t i = 0; i < l->places.len; i++)
		r->has[l->places.at[i]] = false;
	for (size_t i = 0; i < w.waiting.len; i++)
		r->beside[w.waiting.at[i].state] = 0;
	return rc;
}

/* --- all patterns of an automaton at once --------------------------------------------------------- */

/*
 * While the tables' automaton is walked, each pattern is in a state of its own. Nearly all are where their idle states lead by the last
 * byte, so of a state of the tables only the others are written down, ascending:
 *
 *     behind class c   those that c begins: base[c]        a state   its last class, and what differs from that class's base
 *
 * A step by class j: what base[c] leads to by j differs from base[j] in parts that are the same for all states: from[c][j]. So a step costs
 * as many patterns as are under way, not all of them. A state that is met again must mean the same. What was found is OVER, and
 * nothing is asked of it any more.
 */
#define OVER 0xffffu

struct moved {
	uint16_t nth, state; /* a pattern, and where it is */
};

struct moves {
	const struct moved *at;
	uint32_t len;
};

struct met {
	bool is;
	uint16_t last; /* class of the byte by which it was met first; class_count: reading begins */
	struct moves off;
};

struct abreast {
	struct reading *r;
	struct arena *arena;
	const struct teg_automaton *t;
	const uint32_t *steps;
	uint32_t width;
	VEC(struct looked_for *) patterns;
	uint8_t byte[256];	/* class: one of its bytes; classes are what the tables or any pattern tells apart */
	unsigned class_count;
	unsigned like[257];	/* class: the first whose base is the same */
	struct moves *base;	/* by class, and none: what is not where it is idle */
	struct moves *telling;	/* by class: what is found there, or if the payload ends */
	struct moves *from;	/* by last class and class, where it was asked for */
	bool *from_made;
	struct met *met;	/* by the tables' state's number */
	VEC(uint32_t) waiting;
	VEC(struct moved) next;
	uint32_t *in_hit, *in_end, *asked, now; /* by pattern */
};

static uint32_t step_of(const struct abreast *w, struct moved m, unsigned class)
{
	const struct pattern *own_one = &w->patterns.at[m.nth]->said->pattern;

	if (m.state == OVER || own_one->found[m.state])
		return OVER;
	return own_one->next[m.state * own_one->classes + own_one->class_of[w->byte[class]]];
}

static uint32_t idle_step(const struct abreast *w, uint32_t nth, unsigned class)
{
	return class == w->class_count ? w->patterns.at[nth]->idle
				       : step_of(w, (struct moved){ (uint16_t)nth, (uint16_t)w->patterns.at[nth]->idle }, class);
}

/* The state from which most bytes lead nowhere. */
static uint32_t idle_of(const struct pattern *p)
{
	uint32_t best = 0;
	unsigned most = 0;

	for (uint32_t s = 0; s < p->states; s++) {
		unsigned stay = 0;

		for (unsigned c = 0; c < p->classes; c++)
			stay += p->next[s * p->classes + c] == s;
		if (stay > most && !p->found[s]) {
			most = stay;
			best = s;
		}
	}
	return best;
}

static void refine(uint8_t *class_of, unsigned *count, const uint8_t *other)
{
	uint16_t made[256][2];
	uint8_t refined[256];
	unsigned n = 0;

	for (unsigned b = 0; b < 256; b++) {
		unsigned i = 0;

		while (i < n && (made[i][0] != class_of[b] || made[i][1] != other[b]))
			i++;
		if (i == n) {
			made[n][0] = class_of[b];
			made[n++][1] = other[b];
		}
		refined[b] = (uint8_t)i;
	}
	memcpy(class_of, refined, sizeof refined);
	*count = n;
}

/* Whether all bytes of a class are of one class there. */
static bool tells_more(const uint8_t *class_of, const uint8_t *other)
{
	uint16_t is[256];

	memset(is, 0xff, sizeof is);
	for (unsigned b = 0; b < 256; b++) {
		if (is[class_of[b]] != 0xffff && is[class_of[b]] != other[b])
			return true;
		is[class_of[b]] = other[b];
	}
	return false;
}

static void find_classes(struct abreast *w)
{
	uint8_t class_of[256] = { 0 };

	refine(class_of, &w->class_count, w->t->class_of);
	for (size_t i = 0; i < w->patterns.len; i++)
		if (tells_more(class_of, w->patterns.at[i]->said->pattern.class_of))
			refine(class_of, &w->class_count, w->patterns.at[i]->said->pattern.class_of);
	for (unsigned b = 256; b-- > 0;)
		w->byte[class_of[b]] = (uint8_t)b;
}

static bool moves_same(const struct moves *x, const struct moves *y)
{
	return x->len == y->len && (!x->len || !memcmp(x->at, y->at, x->len * sizeof *x->at));
}

static struct moves keep_next(struct abreast *w)
{
	return (struct moves){ arena_copy(w->arena, w->next.at, w->next.len * sizeof *w->next.at), (uint32_t)w->next.len };
}

/* Notes where a pattern is, unless the class's base says so. */
static void note(struct abreast *w, uint32_t nth, uint32_t state, unsigned class)
{
	if (state != idle_step(w, nth, class))
		vec_push(w->arena, &w->next, ((struct moved){ (uint16_t)nth, (uint16_t)state }));
}

static void find_bases(struct abreast *w)
{
	const size_t count = w->class_count + 1;

	w->base = arena_zero(w->arena, count * sizeof *w->base);
	w->from = arena_zero(w->arena, count * count * sizeof *w->from);
	w->from_made = arena_zero(w->arena, count * count);
	w->like[w->class_count] = w->class_count;
	for (unsigned c = 0; c < w->class_count; c++) {
		w->next.len = 0;
		for (uint32_t i = 0; i < w->patterns.len; i++)
			if (idle_step(w, i, c) != w->patterns.at[i]->idle)
				vec_push(w->arena, &w->next, ((struct moved){ (uint16_t)i, (uint16_t)idle_step(w, i, c) }));
		w->base[c] = keep_next(w);
		while (!moves_same(&w->base[w->like[c]], &w->base[c]))
			w->like[c]++;
	}
}

static void find_telling(struct abreast *w)
{
	w->telling = arena_zero(w->arena, w->class_count * sizeof *w->telling);
	for (unsigned c = 0; c < w->class_count; c++) {
		w->next.len = 0;
		for (uint32_t i = 0; i < w->patterns.len; i++) {
			const struct pattern *own_one = &w->patterns.at[i]->said->pattern;
			const uint32_t is = idle_step(w, i, c);

			if (is != OVER && (own_one->found[is] || own_one->ends[is]))
				vec_push(w->arena, &w->next, ((struct moved){ (uint16_t)i, (uint16_t)is }));
		}
		w->telling[c] = keep_next(w);
	}
}

static const struct moves *from_base(struct abreast *w, unsigned last, unsigned class)
{
	const size_t at = (size_t)last * (w->class_count + 1) + class;

	if (!w->from_made[at]) {
		w->next.len = 0;
		for (uint32_t i = 0; i < w->base[last].len; i++)
			note(w, w->base[last].at[i].nth, step_of(w, w->base[last].at[i], class), class);
		w->from[at] = keep_next(w);
		w->from_made[at] = true;
	}
	return &w->from[at];
}

/* Where all are behind a state and a byte, to w->next: both lists ascend, and what the state says goes before. */
static void step_all(struct abreast *w, const struct met *m, unsigned class)
{
	const struct moves *others = from_base(w, m->last, class);
	uint32_t o = 0;

	w->next.len = 0;
	for (uint32_t i = 0; i < m->off.len; i++) {
		const struct moved *is = &m->off.at[i];

		for (; o < others->len && others->at[o].nth < is->nth; o++)
			vec_push(w->arena, &w->next, others->at[o]);
		o += o < others->len && others->at[o].nth == is->nth;
		note(w, is->nth, step_of(w, *is, class), class);
	}
	for (; o < others->len; o++)
		vec_push(w->arena, &w->next, others->at[o]);
	w->r->steps += 1 + m->off.len + others->len;
}

/* A pattern is in one state now, and was in another when the same state of the tables was met. */
static void compare_one(struct abreast *w, uint32_t nth, uint32_t was, uint32_t is)
{
	if (is != was && is != OVER)
		w->patterns.at[nth]->alone = true;
}

static void compare_to(struct abreast *w, const struct met *m, unsigned class)
{
	const struct moves next_ones = { w->next.at, (uint32_t)w->next.len };
	uint32_t i = 0, k = 0;

	if (m->last == class && moves_same(&m->off, &next_ones))
		return;
	if (m->last != class)
		for (uint32_t nth = 0; nth < w->patterns.len; nth++) {
			const bool off = i < m->off.len && m->off.at[i].nth == nth, next = k < w->next.len && w->next.at[k].nth == nth;

			compare_one(w, nth, off ? m->off.at[i].state : idle_step(w, nth, m->last),
				    next ? w->next.at[k].state : idle_step(w, nth, class));
			i += off;
			k += next;
		}
	else
		while (i < m->off.len || k < w->next.len) {
			const uint32_t x = i < m->off.len ? m->off.at[i].nth : NOBODY, y = k < w->next.len ? w->next.at[k].nth : NOBODY;
			const uint32_t nth = x < y ? x : y, base = idle_step(w, nth, class);

			compare_one(w, nth, x == nth ? m->off.at[i].state : base, y == nth ? w->next.at[k].state : base);
			i += x == nth;
			k += y == nth;
		}
}

static void stamp_list(const struct abreast *w, uint32_t place, uint32_t *stamp)
{
	const uint32_t *list = w->r->plan->payload.lists + place;

	for (uint32_t i = 1; i <= list[0]; i++)
		stamp[w->r->of_row[list[i]]->nth] = w->now;
}

/* What the tables tell of a pattern that is in this state: the first answer counts. */
static bool tells_right(struct abreast *w, uint32_t nth, uint32_t state)
{
	const struct pattern *own_one = &w->patterns.at[nth]->said->pattern;

	if (w->asked[nth] == w->now)
		return true;
	w->asked[nth] = w->now;
	return state == OVER || ((w->in_hit[nth] == w->now) == own_one->found[state] &&
				 (own_one->found[state] || (w->in_end[nth] == w->now) == own_one->ends[state]));
}

static bool list_right(struct abreast *w, uint32_t place, unsigned class, uint32_t *wrong)
{
	const uint32_t *list = w->r->plan->payload.lists + place;

	for (uint32_t i = 1; i <= list[0]; i++) {
		*wrong = w->r->of_row[list[i]]->nth;
		if (!tells_right(w, *wrong, idle_step(w, *wrong, class)))
			return false;
	}
	return true;
}

/* Of those of w->next, behind a byte of this class; false with one of which the tables tell what is wrong. */
static bool state_tells_right(struct abreast *w, uint32_t state, unsigned class, uint32_t *wrong)
{
	const uint32_t *lists = w->steps + state + w->t->classes;

	w->now++;
	stamp_list(w, lists[0], w->in_hit);
	stamp_list(w, lists[1], w->in_end);
	for (size_t i = 0; i < w->next.len; i++) {
		*wrong = w->next.at[i].nth;
		if (!tells_right(w, *wrong, w->next.at[i].state))
			return false;
	}
	for (uint32_t i = 0; i < w->telling[class].len; i++) {
		*wrong = w->telling[class].at[i].nth;
		if (!tells_right(w, *wrong, w->telling[class].at[i].state))
			return false;
	}
	return list_right(w, lists[0], class, wrong) && list_right(w, lists[1], class, wrong);
}

static int arrive(struct abreast *w, uint32_t state, unsigned class)
{
	struct met *m = &w->met[(state - w->t->idle) / w->width];
	uint32_t wrong;

	if (m->is) {
		compare_to(w, m, class);
		return 0;
	}
	if (!state_tells_right(w, state, class, &wrong))
		return refuse(w->r, w->patterns.at[wrong]->id, DIFFERS);
	*m = (struct met){ true, (uint16_t)class, keep_next(w) };
	vec_push(w->arena, &w->waiting, state);
	return 0;
}

static int leave(struct abreast *w, uint32_t state, const struct met *m, uint32_t end)
{
	for (unsigned c = 0; c < w->class_count; c++) {
		const uint32_t to = w->steps[state + w->t->class_of[w->byte[c]]];

		if (to < w->t->idle || to >= end || (to - w->t->idle) % w->width)
			return refuse(w->r, w->patterns.at[0]->id, DIFFERS);
		step_all(w, m, c);
		int rc = arrive(w, to, w->like[c]);
		if (rc)
			return rc;
	}
	if (w->r->steps > STEPS_MOST)
		return err_set(w->r->why, E2BIG, "%s: the budget did not suffice to prove that its pattern is looked for", w->patterns.at[0]->id);
	return 0;
}

/* Where reading begins, nothing has been read: nothing can end yet, and no payload is empty. So it is met anew, if it is. */
static int walk_abreast(struct abreast *w, uint32_t end)
{
	struct met begin = { .last = (uint16_t)w->class_count };

	w->next.len = 0;
	for (uint32_t i = 0; i < w->patterns.len; i++)
		note(w, i, 0, w->class_count);
	begin.off = keep_next(w);
	int rc = leave(w, w->t->start, &begin, end);
	for (size_t i = 0; i < w->waiting.len && !rc; i++) {
		const uint32_t state = w->waiting.at[i];
		const struct met m = w->met[(state - w->t->idle) / w->width];

		rc = leave(w, state, &m, end);
	}
	return rc;
}

static int all_hold(struct reading *r, uint32_t n)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_automaton *t = &r->plan->payload.automata[n];
	const uint32_t end = end_of(r->plan, n);
	struct abreast w = { .r = r, .arena = a, .t = t, .steps = r->plan->payload.steps, .width = t->classes + TEG_STEP_MORE };

	for (size_t i = 0; i < r->patterns.len; i++) {
		struct looked_for *l = r->patterns.at[i];

		if (l->automaton != n)
			continue;
		l->nth = (uint32_t)w.patterns.len;
		l->idle = idle_of(&l->said->pattern);
		vec_push(a, &w.patterns, l);
	}
	if (!w.patterns.len)
		return 0;
	w.in_hit = arena_zero(a, w.patterns.len * sizeof *w.in_hit);
	w.in_end = arena_zero(a, w.patterns.len * sizeof *w.in_end);
	w.asked = arena_zero(a, w.patterns.len * sizeof *w.asked);
	w.met = arena_zero(a, ((end - t->idle) / w.width + 1) * sizeof *w.met);
	find_classes(&w);
	find_bases(&w);
	find_telling(&w);
	return walk_abreast(&w, end);
}

/* --- windows ---------------------------------------------------------------------------------- */

/*
 * Before byte j idle, and b the bytes from j on: skipping a stride is right when the state after b is the one after b
 * without its first `stride` bytes, and neither reading said what the other did not. So for each b for which that is
 * not so, the window from b's byte stride - 1 on must be in both maps. Of `b` only the window's bytes are kept, each as
 * what it is with bit 5 set: no map tells more of it.
 */
struct look {
	uint64_t word;
	uint32_t is, later; /* after all bytes so far, and after all but the first `stride` */
	uint8_t depth;
	bool told, begins;  /* found in `begins` */
};

struct windows {
	const struct teg_automaton *t;
	const uint32_t *steps;
	unsigned stride, len;
	uint8_t members[256][256]; /* a class's bytes, with bit 5 */
	unsigned count[256];
	struct look *seen;	   /* some of those that were looked at, by hash */
	uint32_t tried;
	bool holds;
};

static bool was_seen(struct windows *w, const struct look *l)
{
	const uint64_t h = (l->word ^ (uint64_t)l->is << 32 ^ l->later ^ (uint64_t)l->depth << 56 ^ (uint64_t)l->told << 63) * 0x9e3779b97f4a7c15;
	struct look *s = &w->seen[h >> 40 & (WINDOWS_SEEN - 1)];

	if (s->depth && s->word == l->word && s->is == l->is && s->later == l->later && s->depth == l->depth && s->told == l->told &&
	    s->begins == l->begins)
		return true;
	*s = *l;
	return false;
}

/* What the maps say of a window of which so many bytes are known: false when it lacks one that it must have. */
static bool maps_have(const struct windows *w, struct look *l, unsigned known)
{
	const uint32_t bit = teg_window(l->word, w->t->mask), begin = teg_begin(l->word, known);

	if (known == TEG_BEGIN_SHORT || known == TEG_BEGIN_LONG)
		l->begins |= w->t->begins[begin / 8] >> begin % 8 & 1;
	return (known != w->len || w->t->windows[bit / 8] >> bit % 8 & 1) && (known != TEG_BEGIN_LONG || l->begins);
}

static void look(struct windows *w, struct look l)
{
	if (l.depth >= w->stride && l.is == l.later && !l.told)
		return;
	if (l.depth >= w->stride && !maps_have(w, &l, l.depth - w->stride + 1)) {
		w->holds = false;
		return;
	}
	if ((l.begins && l.depth + 1u >= w->stride + w->len) || was_seen(w, &l))
		return;
	for (uint32_t c = 0; c < w->t->classes && w->holds && ++w->tried < WINDOW_STEPS_MOST; c++) {
		const uint32_t to = w->steps[l.is + c], behind = l.depth >= w->stride ? w->steps[l.later + c] : w->t->idle;
		const bool in_window = l.depth + 1u >= w->stride;
		const bool told = l.told || w->steps[to + w->t->classes] != w->steps[behind + w->t->classes];
		struct look next = { l.word, to, behind, (uint8_t)(l.depth + 1), told, l.begins };

		for (unsigned i = 0; i < (in_window ? w->count[c] : 1u) && w->holds && ++w->tried < WINDOW_STEPS_MOST; i++) {
			if (in_window)
				next.word = l.word | (uint64_t)w->members[c][i] << 8 * (l.depth + 1 - w->stride);
			look(w, next);
		}
	}
}

static void find_members(struct windows *w)
{
	for (unsigned c = 0; c < w->t->classes; c++)
		for (unsigned folded = 0x20; folded < 256; folded++)
			if (folded & 0x20 && (w->t->class_of[folded] == c || w->t->class_of[folded & ~0x20u] == c))
				w->members[c][w->count[c]++] = (uint8_t)folded;
}

static bool is_full(const uint8_t *map, size_t len)
{
	size_t full = 0;

	while (full < len && map[full] == 0xff)
		full++;
	return full == len;
}

static int windows_hold(struct reading *r, uint32_t n)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_automaton *t = &r->plan->payload.automata[n];
	struct windows w = { .t = t, .steps = r->plan->payload.steps, .stride = r->plan->config.payload.stride, .holds = true };

	if (is_full(t->windows, sizeof t->windows) && is_full(t->begins, sizeof t->begins))
		return 0;
	while (w.len < 8 && t->mask != TEG_WINDOW_MASK(w.len))
		w.len++;
	w.seen = arena_zero(a, WINDOWS_SEEN * sizeof *w.seen);
	find_members(&w);
	look(&w, (struct look){ .is = t->idle, .later = t->idle });
	if (!w.holds || t->first_hit == t->idle)
		return err_set(r->why, EPROTO, "payload automaton %u: a window in which a match may begin is not in its maps", n);
	if (w.tried >= WINDOW_STEPS_MOST)
		return err_set(r->why, E2BIG, "payload automaton %u: the budget did not suffice to prove its windows", n);
	return 0;
}

/* --- ages -------------------------------------------------------------------------------------- */

/*
 * A state of age n: whoever comes to it comes to it by the last n bytes from the idle state too. So from every state at once,
 * and beside it the idle one, the same bytes are read, and no state of age n may stand beside another after n of them.
 */
struct ages {
	const struct teg_automaton *t;
	const uint32_t *steps;
	VEC(struct pair) now, next; /* the state, and the one from idle */
	uint32_t *first;	    /* by state: 1 + what stands beside it, of those that were met first */
	uint64_t steps_taken;
};

static bool met_before(struct ages *g, struct pair p)
{
	if (!g->first[p.state])
		return g->first[p.state] = p.own + 1, false;
	if (g->first[p.state] == p.own + 1)
		return true;
	for (size_t i = g->next.len; i-- > 0 && g->steps_taken < STEPS_MOST; g->steps_taken++)
		if (g->next.at[i].state == p.state && g->next.at[i].own == p.own)
			return true;
	return false;
}

static int ages_hold(struct reading *r, uint32_t n)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_automaton *t = &r->plan->payload.automata[n];
	const uint32_t *steps = r->plan->payload.steps, end = end_of(r->plan, n);
	struct ages g = { .t = t, .steps = steps, .first = arena_zero(a, (end + (size_t)1) * sizeof *g.first) };

	for (uint32_t s = t->idle; s < end; s += t->classes + TEG_STEP_MORE)
		vec_push(a, &g.now, ((struct pair){ s, t->idle }));
	for (unsigned age = 0; age < TEG_AGE_OLD; age++) {
		g.next.len = 0;
		memset(g.first, 0, end * sizeof *g.first);
		for (size_t i = 0; i < g.now.len; i++) {
			const struct pair at = g.now.at[i];

			if (at.state != at.own && steps[at.state + t->classes + TEG_STEP_AGE] == age)
				return err_set(r->why, EPROTO, "payload automaton %u: a state is said to be younger than what it waits for", n);
			for (uint32_t c = 0; c < t->classes && at.state != at.own; c++) {
				const struct pair to = { steps[at.state + c], steps[at.own + c] };

				if (to.state != to.own && !met_before(&g, to))
					vec_push(a, &g.next, to);
			}
		}
		g.now.len = 0;
		for (size_t i = 0; i < g.next.len; i++)
			vec_push(a, &g.now, g.next.at[i]);
		if (g.steps_taken >= STEPS_MOST)
			return err_set(r->why, E2BIG, "payload automaton %u: the budget did not suffice to prove its states' ages", n);
	}
	return 0;
}

/* --- boxes ---------------------------------------------------------------------------------------- */

/* A listed box of a rule that looks into payloads has its mark, and is one of those that are looked into. */
static bool listed_box_holds(const struct plan *p, const struct teg_box *b)
{
	const struct teg_row *row = NULL;
	struct teg_box alone = *b;

	for (uint32_t i = 0; i < p->config.payload.rows && !row; i++)
		if (p->payload.rows[i].rule == b->rule)
			row = &p->payload.rows[i];
	if (!row)
		return !b->mark;
	alone.rule = 0;
	alone.mark = 0;
	for (uint32_t i = 0; i < p->config.payload.boxes; i++)
		if (row->boxes >> i & 1 && !memcmp(&p->payload.boxes[i], &alone, sizeof alone))
			return b->mark && b->mark == row->mark;
	return false;
}

static int boxes_hold(struct reading *r)
{
	const struct plan *p = r->plan;

	for (uint32_t i = 0; i < p->box_count; i++)
		if (!listed_box_holds(p, &p->boxes[i]))
			return refuse(r, p->counters[p->rules[p->boxes[i].rule].counter_slot].id,
				      "a box of it does not ask for what is found in the payload as the policy does");
	for (uint32_t i = 0; i < p->config.bulk.cells; i++)
		for (uint32_t k = 0; k < p->config.payload.rows; k++)
			if (p->bulk_boxes[i].box.mark || p->bulk_boxes[i].box.rule == p->payload.rows[k].rule)
				return err_set(r->why, EPROTO, "a tree has a box of a rule that looks into payloads");
	return 0;
}

int audit_payload(const struct ir *ir, const struct plan *plan, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct reading r = { .arena = a, .meant = ir, .plan = plan, .why = why };
	int rc = read_rows(&r);

	if (!rc)
		rc = boxes_hold(&r);
	if (!rc)
		rc = read_lists(&r);
	r.has = arena_zero(a, plan->config.payload.lists + 1);
	r.beside = arena_zero(a, (plan->config.payload.steps + 1) * sizeof *r.beside);
	for (uint32_t i = 0; i < plan->config.payload.automata && !rc; i++)
		rc = all_hold(&r, i);
	for (size_t i = 0; i < r.patterns.len && !rc; i++)
		rc = pattern_holds(&r, r.patterns.at[i]);
	for (uint32_t i = 0; i < plan->config.payload.automata && !rc; i++)
		rc = windows_hold(&r, i) ?: ages_hold(&r, i);
	return rc;
}
