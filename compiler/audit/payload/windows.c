/*
 * windows - every window that could change what is read is in the map.
 *
 * Before byte j idle, and b the bytes from j on: skipping byte j is right when the state after b is the one after b
 * without its first byte, and neither reading said what the other did not. So for each b for which that is not so,
 * the windows from each of b's first `stride` bytes on must be in the map: the program skips a byte if one of these
 * is not, whichever it asks. The map asks of a window as many bytes as its first two say. Of `b` only the window's
 * bytes are kept, each as what it is with bit 5 set: the map tells no more of it.
 */
#include "compiler/audit/payload/reading.h"
#include "lang/base/own.h"

#define TRIED_MOST   (1u << 26)
#define WINDOWS_SEEN (1u << 17)

struct look {
	uint64_t word;
	uint32_t is, later; /* after all bytes so far, and after all but the first */
	uint8_t depth;
	bool told;
};

struct windows {
	const struct teg_automaton *t;
	const uint32_t *steps;
	unsigned behind;	   /* so many bytes behind b's first the window begins */
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

	if (s->depth && s->word == l->word && s->is == l->is && s->later == l->later && s->depth == l->depth && s->told == l->told)
		return true;
	*s = *l;
	return false;
}

/* How many bytes of a window are asked, once its first two are known: with which no match may begin, within all of them. */
static unsigned asked_of(const struct windows *w, uint64_t word)
{
	const unsigned shift = w->t->shifts[word & 0xffff];

	return shift == TEG_WINDOW_NONE ? TEG_WINDOW_MAX : TEG_WINDOW_MAX - shift / 8;
}

static bool map_has(const struct windows *w, uint64_t word)
{
	const uint64_t window = teg_window(word, w->t->shifts[word & 0xffff]);
	const uint32_t bit = 8 * teg_window_word(window) + teg_window_bit(window);

	return w->t->windows[bit / 8] >> bit % 8 & 1;
}

static void look(struct windows *w, struct look l)
{
	const unsigned known = l.depth < w->behind ? 0 : l.depth - w->behind;

	if (l.depth && l.is == l.later && !l.told)
		return;
	if (known >= TEG_WINDOW_MIN && known == asked_of(w, l.word)) {
		w->holds &= map_has(w, l.word);
		return;
	}
	if (was_seen(w, &l))
		return;
	for (uint32_t c = 0; c < w->t->classes && w->holds && ++w->tried < TRIED_MOST; c++) {
		const uint32_t to = w->steps[l.is + c], later = l.depth ? w->steps[l.later + c] : w->t->idle;
		const bool in_window = l.depth >= w->behind;
		const bool told = l.told || w->steps[to + w->t->classes] != w->steps[later + w->t->classes];
		struct look next = { l.word, to, later, (uint8_t)(l.depth + 1), told };

		for (unsigned i = 0; i < (in_window ? w->count[c] : 1u) && w->holds && ++w->tried < TRIED_MOST; i++) {
			if (in_window)
				next.word = l.word | (uint64_t)w->members[c][i] << 8 * (l.depth - w->behind);
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

int payload_windows(struct payload_reading *r, uint32_t n)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_automaton *t = &r->plan->payload.automata[n];
	struct windows w = { .t = t, .steps = r->plan->payload.steps, .holds = true };

	if (is_full(t->windows, sizeof t->windows))
		return 0;
	find_members(&w);
	for (; w.behind < r->plan->config.payload.stride; w.behind++) {
		w.seen = arena_zero(a, WINDOWS_SEEN * sizeof *w.seen);
		look(&w, (struct look){ .is = t->idle, .later = t->idle });
	}
	if (!w.holds || t->first_hit == t->idle)
		return err_set(r->why, EPROTO, "payload automaton %u: a window in which a match may begin is not in its map", n);
	if (w.tried >= TRIED_MOST)
		return err_set(r->why, E2BIG, "payload automaton %u: the budget did not suffice to prove its windows", n);
	return 0;
}
