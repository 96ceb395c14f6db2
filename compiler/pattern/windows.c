/*
 * windows - where a match of several patterns may begin, as a map of short windows.
 *
 * Two readings of the same bytes are compared, both from the idle state: one that
 * begins with the first byte, one a byte later. As long as they are in different
 * states, or have said different things, a match may have begun with that byte. The
 * bytes that keep it so are gathered, one more at a time:
 *
 *     j, a ──► ja ──► jav ──► java ──► … eight bytes of a window
 *
 * Windows stand `stride` bytes apart, so a window may begin up to stride - 1 bytes
 * behind the match: a phase for each. Once something has been said, all that may
 * follow is in the map. Cases are one: what bit 5 tells apart is the same byte here.
 */
#include <math.h>
#include <string.h>

#include "compiler/pattern/many.h"
#include "lang/base/own.h"

#define WINDOW_LEN TEG_WINDOW_MAX
#define GOING_MAX  131072u /* beginnings of a length: more would fill the map */
#define FOLDED	   ((unsigned)(TEG_WINDOW_FOLD & 0xffff))

/* About what the first hook takes, in ns: a window; and eight bytes of which a window is in the map. */
#define WINDOW_NS 0.9
#define TAKEN_NS  7.

/* Bytes of a window so far, and the two readings of them. */
struct beginning {
	uint64_t word;
	uint32_t first, later;
};

/* All beginnings of one phase, by how many bytes of the window are known. */
struct phase {
	VEC(struct beginning) going[WINDOW_LEN + 1]; /* may still become a match */
	VEC(uint64_t) told[WINDOW_LEN + 1];	     /* have said something, whatever follows */
	unsigned whole;				     /* up to so many bytes all of them are here */
};

struct looking {
	struct arena *arena;
	const struct many *m;
	uint8_t members[256][256]; /* class: its bytes, each case once */
	unsigned count[256];
	uint64_t *slots, level;	   /* a level's number, and 1 + place in its `going` */
};

static unsigned pair_of(uint64_t word)
{
	return (unsigned)(word & 0xffff) | FOLDED;
}

static uint32_t next_of(const struct many *m, uint32_t s, unsigned c)
{
	return m->next[(size_t)s * m->classes + c];
}

static void find_members(struct looking *l)
{
	bool has[256][256] = { 0 };

	for (unsigned b = 0; b < 256; b++) {
		const unsigned c = l->m->class_of[b], folded = b | (TEG_WINDOW_FOLD & 0xff);

		if (!has[c][folded])
			l->members[c][l->count[c]++] = (uint8_t)folded;
		has[c][folded] = true;
	}
}

/* --- beginnings ----------------------------------------------------------------------------- */

/* Adds one that is not there yet; false when there are too many. */
static bool going_add(struct looking *l, struct phase *p, unsigned known, struct beginning b)
{
	uint64_t h = (b.word ^ (uint64_t)b.first << 32 ^ b.later) * 0x9e3779b97f4a7c15;
	size_t at = (h ^ h >> 29) & (2 * GOING_MAX - 1);

	for (; l->slots[at] >> 32 == l->level; at = (at + 1) & (2 * GOING_MAX - 1)) {
		const struct beginning *have = &p->going[known].at[(uint32_t)l->slots[at] - 1];

		if (have->word == b.word && have->first == b.first && have->later == b.later)
			return true;
	}
	if (p->going[known].len == GOING_MAX)
		return false;
	vec_push(l->arena, &p->going[known], b);
	l->slots[at] = l->level << 32 | p->going[known].len;
	return true;
}

/* One more byte behind a beginning. `in_window`: it is the window's, of which `known` bytes are known with it. */
static bool go_on(struct looking *l, struct phase *p, const struct beginning *b, bool is_first, bool in_window, unsigned known)
{
	const struct many *m = l->m;

	for (unsigned c = 0; c < m->classes; c++) {
		const uint32_t f = next_of(m, b->first, c), t = is_first ? 0 : next_of(m, b->later, c);
		const bool told = m->hits[f] != m->hits[t];

		if (f == t && !told)
			continue;
		for (unsigned i = 0; i < (in_window ? l->count[c] : 1); i++) {
			const uint64_t word = in_window ? b->word | (uint64_t)l->members[c][i] << 8 * (known - 1) : 0;

			if (told)
				vec_push(l->arena, &p->told[known], word);
			else if (!going_add(l, p, known, (struct beginning){ word, f, t }))
				return false;
			if (p->told[known].len > GOING_MAX)
				return false;
		}
	}
	return true;
}

static void phase_find(struct looking *l, struct phase *p, unsigned behind)
{
	VEC(struct beginning) now = { 0 };

	vec_push(l->arena, &now, ((struct beginning){ 0 }));
	for (unsigned depth = 0; depth < behind + WINDOW_LEN; depth++) {
		const bool in_window = depth >= behind;
		const unsigned known = in_window ? depth - behind + 1 : 0;

		l->level++;
		p->going[known].len = 0;
		for (size_t i = 0; i < now.len; i++)
			if (!go_on(l, p, &now.at[i], depth == 0, in_window, known))
				return;
		now.len = 0;
		for (size_t i = 0; i < p->going[known].len; i++)
			vec_push(l->arena, &now, p->going[known].at[i]);
		p->whole = known;
	}
}

/* --- the map ------------------------------------------------------------------------------------ */

/* About how often a byte, its cases as one, stands behind what people send before it: enough to compare lengths. */
static double byte_likely(unsigned folded)
{
	if (folded >= 'a' && folded <= 'z')
		return 1.0 / 14;
	if (folded >= ' ' && folded <= '~')
		return 1.0 / 50;
	return 1.0 / 1000;
}

static double word_likely(uint64_t word, unsigned len)
{
	double likely = 1;

	for (unsigned i = 0; i < len; i++)
		likely *= byte_likely(word >> 8 * i & 0xff);
	return likely;
}

static void put(struct many_windows *out, uint64_t word)
{
	const unsigned shift = out->shifts[pair_of(word)];
	const uint64_t window = teg_window(word, shift);
	const size_t bit = 8 * (size_t)teg_window_word(window) + teg_window_bit(window);

	if (!(out->windows[bit / 8] >> bit % 8 & 1))
		out->likely += word_likely(word, WINDOW_LEN - shift / 8);
	out->windows[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* --- how long windows are, by their first two bytes ------------------------------------------- */

/* Windows that begin with this pair, in either case, are not longer than so many bytes. */
static void pair_most(struct many_windows *out, unsigned pair, unsigned len)
{
	static const unsigned cases[] = { 0, 0x20, 0x2000, FOLDED };

	if (out->shifts[pair] != TEG_WINDOW_NONE && out->shifts[pair] >= TEG_WINDOW_SHIFT(len))
		return;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		out->shifts[pair & ~cases[i]] = (uint8_t)TEG_WINDOW_SHIFT(len);
}

/* What has been told is not asked any further. Of what one byte told, any may be the second. */
static void find_pairs(struct many_windows *out, const struct phase *p, unsigned most)
{
	for (size_t i = 0; i < p->told[1].len; i++)
		for (unsigned b = 0; b < 256; b++)
			pair_most(out, pair_of(p->told[1].at[i] | b << 8), TEG_WINDOW_MIN);
	for (unsigned known = TEG_WINDOW_MIN; known <= most; known++)
		for (size_t i = 0; i < p->told[known].len; i++)
			pair_most(out, pair_of(p->told[known].at[i]), known);
	for (size_t i = 0; i < p->going[most].len; i++)
		pair_most(out, pair_of(p->going[most].at[i].word), most);
}

static bool map_has(const struct many_windows *w, uint64_t window)
{
	const size_t bit = 8 * (size_t)teg_window_word(window) + teg_window_bit(window);

	return w->windows[bit / 8] >> bit % 8 & 1;
}

/* Pairs with which no match begins have one of two windows. Where one of these is in the map, by chance, they are asked as others are. */
static void leave_pairs(struct many_windows *out)
{
	if (!map_has(out, teg_window(0, TEG_WINDOW_NONE)) && !map_has(out, teg_window(1, TEG_WINDOW_NONE)))
		return;
	for (size_t i = 0; i < sizeof out->shifts; i++)
		if (out->shifts[i] == TEG_WINDOW_NONE)
			out->shifts[i] = TEG_WINDOW_SHIFT(WINDOW_LEN);
}

static void put_windows(struct many_windows *out, const struct phase *p)
{
	for (unsigned len = TEG_WINDOW_MIN; len <= WINDOW_LEN; len++) {
		for (size_t i = 0; i < p->going[len].len; i++)
			if (out->shifts[pair_of(p->going[len].at[i].word)] == TEG_WINDOW_SHIFT(len))
				put(out, p->going[len].at[i].word);
		for (size_t i = 0; i < p->told[len].len; i++)
			put(out, p->told[len].at[i]);
	}
	for (size_t i = 0; i < p->told[1].len; i++)
		for (unsigned b = 0; b < 256; b++)
			put(out, p->told[1].at[i] | b << 8);
}

static double price(const struct many_windows *w, unsigned stride)
{
	const double windows = 8. / stride;
	unsigned ones = 0;

	for (size_t i = 0; i < sizeof w->windows; i++)
		ones += (unsigned)__builtin_popcount(w->windows[i]);
	const double in = fmin(1, w->likely + (double)ones / TEG_WINDOW_WORDS / 8);

	return windows * WINDOW_NS + (1 - pow(1 - in, windows)) * TAKEN_NS;
}

/* How many bytes of a window all beginnings are known by. */
static unsigned known_of(const struct phase *phases, unsigned stride)
{
	unsigned known = WINDOW_LEN;

	for (unsigned i = 0; i < stride; i++)
		if (phases[i].whole < known || phases[i].told[0].len)
			known = phases[i].told[0].len ? 0 : phases[i].whole;
	return known;
}

/* A full map, when two bytes do not tell whether a match begins. */
static void map(struct many_windows *out, const struct phase *phases, unsigned stride)
{
	const unsigned known = known_of(phases, stride);

	memset(out, 0, sizeof *out);
	if (known < TEG_WINDOW_MIN) {
		memset(out->windows, 0xff, sizeof out->windows);
	} else {
		memset(out->shifts, TEG_WINDOW_NONE, sizeof out->shifts);
		for (unsigned i = 0; i < stride; i++)
			find_pairs(out, &phases[i], known);
		for (unsigned i = 0; i < stride; i++)
			put_windows(out, &phases[i]);
		leave_pairs(out);
	}
	out->price = price(out, stride);
}

void many_windows(struct many_windows *out, const struct many *m, unsigned stride)
{
	own(arena) struct arena *a = arena_new();
	struct looking l = { .arena = a, .m = m, .slots = arena_zero(a, 2 * GOING_MAX * sizeof *l.slots) };
	struct phase phases[4] = { 0 };

	find_members(&l);
	for (unsigned i = 0; i < stride; i++)
		phase_find(&l, &phases[i], i);
	map(out, phases, stride);
}
