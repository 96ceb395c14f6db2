#include "enforcer/hook/tables/steps.h"

#include "lang/base/own.h"

#define STRIPS	 TEG_STEP_APART
#define FEW	 3u  /* a state that leads on by no more classes is one of a chain */
#define POOL	 64u /* chains of which the one that fits best is next */
#define IN_BYTES 4u  /* a cell */

/* One automaton. Its states are numbered as their rows stand in the plan. */
struct laying {
	struct arena *arena;
	const struct teg_automaton *t;
	const uint32_t *rows; /* the plan's */
	uint32_t width, inverse, states, first_hit;
	uint32_t *met, met_count; /* states, by the fewest bytes from the idle one */
	uint32_t *distance; /* 1 + that; 0: not met */
	uint16_t *ways;	    /* so many classes lead on, to states that are further from the idle one */
	uint8_t *leads;	    /* one of them: to the next state, or the first */
	uint32_t *place;    /* of its first cell */
	uint32_t level[STRIPS]; /* lines that are taken, by strip */
};

/* A place in the plan is divided by the rows' width: exactly, by so few. */
static uint32_t number_of(const struct laying *l, uint32_t at)
{
	return (uint32_t)((uint64_t)(at - l->t->idle) * l->inverse >> 32);
}

static uint32_t next_of(const struct laying *l, uint32_t s, uint32_t class)
{
	return number_of(l, l->rows[s * l->width + class]);
}

/* --- which state leads to which -------------------------------------------------------------- */

static void meet(struct laying *l, uint32_t s, uint32_t distance)
{
	if (l->distance[s])
		return;
	l->distance[s] = distance;
	l->met[l->met_count++] = s;
}

static void meet_next(struct laying *l, uint32_t s)
{
	const uint32_t further = l->distance[s] + 1;

	for (uint32_t c = 0; c < l->t->classes; c++) {
		const uint32_t to = next_of(l, s, c);

		meet(l, to, further);
		if (l->distance[to] == further && (!l->ways[s]++ || to == s + 1))
			l->leads[s] = (uint8_t)c;
	}
}

/* From the idle state on, from where reading begins, and from what nothing leads to. */
static void meet_all(struct laying *l)
{
	uint32_t done = 0;

	meet(l, 0, 1);
	meet(l, number_of(l, l->t->start), 1);
	for (uint32_t s = 0; s < l->states; s++) {
		meet(l, s, 1);
		for (; done < l->met_count; done++)
			meet_next(l, l->met[done]);
	}
}

static bool is_hit(const struct laying *l, uint32_t s)
{
	return s >= l->first_hit;
}

static bool is_chained(const struct laying *l, uint32_t s)
{
	return !is_hit(l, s) && l->ways[s] && l->ways[s] <= FEW;
}

/* --- side by side ------------------------------------------------------------------------- */

static void put(struct laying *l, unsigned strip, uint32_t s, uint32_t line)
{
	l->place[s] = line * STRIPS + strip;
	l->level[strip] = line + l->width;
}

/* So that all strips are taken up to one line, which is returned. */
static uint32_t make_even(struct laying *l)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < STRIPS; i++)
		most = l->level[i] > most ? l->level[i] : most;
	for (unsigned i = 0; i < STRIPS; i++)
		l->level[i] = most;
	return most;
}

static void put_side_by_side(struct laying *l, bool hits)
{
	unsigned strip = 0;

	for (uint32_t i = 0; i < l->met_count; i++) {
		const uint32_t s = l->met[i];

		if (is_chained(l, s) || is_hit(l, s) != hits)
			continue;
		put(l, strip, s, l->level[strip]);
		strip = (strip + 1) % STRIPS;
	}
	make_even(l);
}

/* --- what leads on in one line --------------------------------------------------------------- */

/* States of which the cells that lead on are to stand in one line, ascending by their classes. */
struct chain {
	uint32_t state[STRIPS];
	uint32_t count, leads; /* the sum of these classes */
};

struct chains {
	struct chain *at;
	size_t count;
};

static bool goes_on(const struct laying *l, uint32_t s)
{
	return s + 1 < l->states && is_chained(l, s) && is_chained(l, s + 1) && next_of(l, s, l->leads[s]) == s + 1;
}

/* So many states from this one on lead each to the next. */
static uint32_t length_of(const struct laying *l, uint32_t s)
{
	uint32_t len = 1;

	while (len < STRIPS && goes_on(l, s + len - 1))
		len++;
	return len;
}

static void chain_add(const struct laying *l, struct chain *c, uint32_t s)
{
	uint32_t i = c->count++;

	for (; i && l->leads[c->state[i - 1]] > l->leads[s]; i--)
		c->state[i] = c->state[i - 1];
	c->state[i] = s;
	c->leads += l->leads[s];
}

/* Short ones share a line; none is cut in two that fits in one. */
static struct chains find_chains(const struct laying *l)
{
	struct chains all = { .at = arena_zero(l->arena, (l->states + 1) * sizeof *all.at) };
	struct chain *c = all.at;

	for (uint32_t s = 0; s < l->states; s++) {
		if (!is_chained(l, s))
			continue;
		if (c->count + (s && goes_on(l, s - 1) ? 1 : length_of(l, s)) > STRIPS)
			c++;
		chain_add(l, c, s);
	}
	all.count = (size_t)(c - all.at) + (c->count > 0);
	return all;
}

/* Those of which most is taken go first. */
static void order_strips(const struct laying *l, unsigned strips[static STRIPS])
{
	for (unsigned i = 0; i < STRIPS; i++) {
		unsigned k = i;

		for (; k && l->level[strips[k - 1]] < l->level[i]; k--)
			strips[k] = strips[k - 1];
		strips[k] = i;
	}
}

/*
 * The first line in which all can lead on: the later a state's class, the earlier its row begins, in a strip of which less is taken. Of the
 * strips, those are for it of which least is. `unused`: lines that it leaves between, a state.
 */
static uint32_t line_of(const struct laying *l, const struct chain *c, const unsigned *strips, uint32_t *unused)
{
	uint32_t line = 0, taken = c->leads;

	strips += STRIPS - c->count;
	for (uint32_t i = 0; i < c->count; i++) {
		const uint32_t least = l->level[strips[i]] + l->leads[c->state[i]];

		line = least > line ? least : line;
		taken += l->level[strips[i]];
	}
	*unused = (c->count * line - taken) / c->count;
	return line;
}

static void put_chain(struct laying *l, const struct chain *c, const unsigned *strips)
{
	uint32_t unused;
	const uint32_t line = line_of(l, c, strips, &unused);

	for (uint32_t i = 0; i < c->count; i++)
		put(l, strips[STRIPS - c->count + i], c->state[i], line - l->leads[c->state[i]]);
}

static size_t best_of(const struct laying *l, const struct chain *const *pool, size_t len, const unsigned *strips)
{
	uint32_t least = UINT32_MAX, unused;
	size_t best = 0;

	for (size_t i = 0; i < len; i++) {
		line_of(l, pool[i], strips, &unused);
		if (unused >= least)
			continue;
		least = unused;
		best = i;
	}
	return best;
}

static void put_chains(struct laying *l)
{
	const struct chains all = find_chains(l);
	const struct chain *pool[POOL];
	size_t len = 0, next = 0;

	for (;;) {
		unsigned strips[STRIPS];

		while (len < POOL && next < all.count)
			pool[len++] = &all.at[next++];
		if (!len)
			return;
		order_strips(l, strips);
		const size_t best = best_of(l, pool, len, strips);
		put_chain(l, pool[best], strips);
		pool[best] = pool[--len];
	}
}

/* --- all of it ------------------------------------------------------------------------------ */

static struct laying laying_of(struct arena *a, const struct plan *p, uint32_t nth, uint32_t line)
{
	const struct teg_automaton *t = &p->payload.automata[nth];
	const uint32_t end = nth + 1 < p->config.payload.automata ? t[1].idle : p->config.payload.steps;
	const uint32_t width = t->classes + TEG_STEP_MORE, states = (end - t->idle) / width;
	struct laying l = { .arena = a, .t = t, .rows = p->payload.steps + t->idle, .width = width, .inverse = UINT32_MAX / width + 1,
			    .states = states };

	l.first_hit = number_of(&l, t->first_hit);
	l.met = arena_zero(a, states * sizeof *l.met);
	l.distance = arena_zero(a, states * sizeof *l.distance);
	l.ways = arena_zero(a, states * sizeof *l.ways);
	l.leads = arena_zero(a, states * sizeof *l.leads);
	l.place = arena_zero(a, states * sizeof *l.place);
	for (unsigned i = 0; i < STRIPS; i++)
		l.level[i] = line;
	return l;
}

/* Returns the line behind its rows. */
static uint32_t lay(struct laying *l, struct teg_automaton *out)
{
	meet_all(l);
	put_side_by_side(l, false);
	put_chains(l);
	out->idle = IN_BYTES * l->place[0];
	out->start = IN_BYTES * l->place[number_of(l, l->t->start)];
	out->first_hit = IN_BYTES * STRIPS * make_even(l);
	put_side_by_side(l, true);
	return make_even(l);
}

static void write_rows(const struct laying *l, uint32_t *steps)
{
	for (uint32_t s = 0; s < l->states; s++) {
		const uint32_t *row = l->rows + s * l->width;
		uint32_t *to = steps + l->place[s];

		for (uint32_t c = 0; c < l->t->classes; c++)
			to[STRIPS * c] = IN_BYTES * l->place[number_of(l, row[c])];
		for (uint32_t c = l->t->classes; c < l->width; c++)
			to[STRIPS * c] = row[c];
	}
}

struct steps_laid steps_lay(struct arena *a, const struct plan *p)
{
	own(arena) struct arena *scratch = arena_new();
	const uint32_t automata = p->config.payload.automata;
	struct laying *l = arena_zero(scratch, (automata + 1) * sizeof *l);
	struct steps_laid out = { .automata = arena_zero(a, (automata + 1) * sizeof *out.automata) };
	uint32_t line = 0;

	for (uint32_t i = 0; i < automata; i++) {
		l[i] = laying_of(scratch, p, i, line);
		out.automata[i] = p->payload.automata[i];
		line = lay(&l[i], &out.automata[i]);
	}
	out.count = line * STRIPS;
	out.steps = arena_zero(a, (out.count + 1) * sizeof *out.steps);
	for (uint32_t i = 0; i < automata; i++)
		write_rows(&l[i], out.steps);
	return out;
}
