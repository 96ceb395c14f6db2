/*
 * windows - where a match of several patterns may begin, as maps of short windows.
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
 * follow is in the maps. Cases are one: what bit 5 tells apart is the same byte here.
 */
#include <math.h>
#include <string.h>

#include "compiler/pattern/many.h"
#include "lang/base/own.h"

#define WINDOW_LEN 8u
#define GOING_MAX  131072u /* beginnings of a length: more would fill the maps */
#define WILD_MAX   2u	   /* bytes of a window that may be any */

/* About what the first hook takes, in ns: a window; eight bytes to which a match may begin, and those to which it may not. */
#define WINDOW_NS 0.6
#define TAKEN_NS  8.

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

/* --- maps ------------------------------------------------------------------------------------ */

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

typedef void put_fn(struct many_windows *out, uint64_t word, unsigned len);

static void put_window(struct many_windows *out, uint64_t word, unsigned len)
{
	const uint32_t at = teg_window(word, out->mask);

	if (!(out->windows[at / 8] >> at % 8 & 1))
		out->likely += word_likely(word, len);
	out->windows[at / 8] |= (uint8_t)(1u << at % 8);
}

static void put_begin(struct many_windows *out, uint64_t word, unsigned len)
{
	const uint32_t at = teg_begin(word, len);

	out->begins[at / 8] |= (uint8_t)(1u << at % 8);
}

/* The word with all that may be behind the bytes that are known of it. */
static void put_wild(struct many_windows *out, put_fn *put, uint64_t word, unsigned known, unsigned len)
{
	if (known == len) {
		put(out, word, len);
		return;
	}
	for (unsigned b = 0; b < 256; b++)
		if ((b | (TEG_WINDOW_FOLD & 0xff)) == b)
			put_wild(out, put, word | (uint64_t)b << 8 * known, known + 1, len);
}

/* Whether `len` bytes can be asked of all beginnings of a phase. */
static bool phase_has(const struct phase *p, unsigned len)
{
	for (unsigned known = 0; known + WILD_MAX < len; known++)
		if (p->told[known].len)
			return false;
	return len <= p->whole;
}

static void put_windows(struct many_windows *out, const struct phase *p, unsigned len)
{
	for (size_t i = 0; i < p->going[len].len; i++)
		put_window(out, p->going[len].at[i].word, len);
	for (unsigned known = 0; known <= len; known++)
		for (size_t i = 0; i < p->told[known].len; i++)
			put_wild(out, put_window, p->told[known].at[i], known, len);
}

/* Each by six of its bytes, or by four where six are not known. */
static void put_begins(struct many_windows *out, const struct phase *p)
{
	const unsigned most = p->whole >= TEG_BEGIN_LONG ? TEG_BEGIN_LONG : TEG_BEGIN_SHORT;

	if (!phase_has(p, TEG_BEGIN_SHORT)) {
		memset(out->begins, 0xff, sizeof out->begins);
		return;
	}
	for (size_t i = 0; i < p->going[most].len; i++)
		put_begin(out, p->going[most].at[i].word, most);
	for (unsigned known = 0; known <= most; known++)
		for (size_t i = 0; i < p->told[known].len; i++) {
			const unsigned len = known < TEG_BEGIN_LONG ? TEG_BEGIN_SHORT : TEG_BEGIN_LONG;

			put_wild(out, put_begin, p->told[known].at[i], known < len ? known : len, len);
		}
}

static double price(const struct many_windows *w, unsigned stride)
{
	const double windows = 8. / stride;
	unsigned ones = 0;

	for (size_t i = 0; i < sizeof w->windows; i++)
		ones += (unsigned)__builtin_popcount(w->windows[i]);
	const double in = fmin(1, w->likely + (double)ones / TEG_WINDOWS);

	return windows * WINDOW_NS + (1 - pow(1 - in, windows)) * TAKEN_NS;
}

/* With windows of so many bytes; a full map, when that cannot be. */
static void map(struct many_windows *out, const struct phase *phases, unsigned stride, unsigned len)
{
	memset(out, 0, sizeof *out);
	out->mask = TEG_WINDOW_MASK(len);
	for (unsigned i = 0; i < stride; i++) {
		if (!phase_has(&phases[i], len)) {
			memset(out->windows, 0xff, sizeof out->windows);
			break;
		}
		put_windows(out, &phases[i], len);
	}
	out->price = price(out, stride);
}

void many_windows(struct many_windows *out, const struct many *m, unsigned stride)
{
	own(arena) struct arena *a = arena_new();
	struct looking l = { .arena = a, .m = m, .slots = arena_zero(a, 2 * GOING_MAX * sizeof *l.slots) };
	struct phase phases[4] = { 0 };
	struct many_windows *tried = arena_zero(a, sizeof *tried);

	find_members(&l);
	for (unsigned i = 0; i < stride; i++)
		phase_find(&l, &phases[i], i);
	out->price = INFINITY;
	for (unsigned len = WINDOW_LEN; len; len--) {
		map(tried, phases, stride, len);
		if (tried->price < out->price)
			*out = *tried;
	}
	for (unsigned i = 0; i < stride; i++)
		put_begins(out, &phases[i]);
}
