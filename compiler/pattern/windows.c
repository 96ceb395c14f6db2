/*
 * windows - where a match of several patterns may begin, as a map of short windows.
 *
 * Two readings of the same bytes are compared, both from the idle state: one that
 * begins with the window's first byte, one a byte later. As long as they are in
 * different states, or have said different things, a match may have begun with
 * that byte: the window is put into the map. Looked at is every second byte, so the
 * same is done for windows that stand a byte behind the beginning.
 */
#include <string.h>

#include "compiler/pattern/many.h"

#define STEPS_MAX (1u << 22)

struct looking {
	const struct many *m;
	struct many_windows *out;
	uint8_t members[256][256]; /* class: its bytes */
	unsigned count[256];
	unsigned len, skip;	   /* of the windows; bytes before them that belong to the beginning */
	uint8_t classes[5];
	uint32_t steps;
	double likely;		   /* of a window of text */
};

/* About how often a byte stands in what people send: enough to compare lengths. */
static double byte_likely(unsigned b)
{
	if (b >= 'a' && b <= 'z')
		return 1.0 / 40;
	if ((b >= ' ' && b <= '~') || b == '\r' || b == '\n')
		return 1.0 / 160;
	return 1.0 / 2000;
}

static void put(struct looking *l, uint32_t word, double likely)
{
	const uint32_t at = teg_window(word, l->out->mask);

	if (!(l->out->bits[at / 8] >> at % 8 & 1))
		l->likely += likely;
	l->out->bits[at / 8] |= (uint8_t)(1u << at % 8);
}

/* Every window whose bytes are of the classes. */
static void put_all(struct looking *l, unsigned nth, uint32_t word, double likely)
{
	if (nth == l->len) {
		put(l, word, likely);
		return;
	}
	const unsigned c = l->classes[l->skip + nth];

	for (unsigned i = 0; i < l->count[c] && l->steps < STEPS_MAX; i++) {
		const unsigned b = l->members[c][i];

		l->steps++;
		put_all(l, nth + 1, word | (uint32_t)b << 8 * nth, likely * byte_likely(b));
	}
}

static uint32_t next_of(const struct many *m, uint32_t s, unsigned c)
{
	return m->next[(size_t)s * m->classes + c];
}

/* `told`: the readings have said different things already. */
static void look(struct looking *l, unsigned depth, uint32_t first, uint32_t later, bool told)
{
	const struct many *m = l->m;

	if (depth == l->skip + l->len) {
		put_all(l, 0, 0, 1);
		return;
	}
	for (unsigned c = 0; c < m->classes && l->steps < STEPS_MAX; c++) {
		const uint32_t f = next_of(m, first, c), t = depth ? next_of(m, later, c) : 0;
		const bool differ = told || m->hits[f] != m->hits[t];

		l->steps++;
		l->classes[depth] = (uint8_t)c;
		if (f != t || differ)
			look(l, depth + 1, f, t, differ);
	}
}

/* How often a window of text is in the map, about; 1 and a full map when there are too many. */
static double map(struct looking *l, unsigned len)
{
	unsigned ones = 0;

	*l->out = (struct many_windows){ .mask = (uint32_t)(0xffffffffull >> (32 - 8 * len)) };
	l->len = len;
	l->steps = 0;
	l->likely = 0;
	for (l->skip = 0; l->skip < 2; l->skip++)
		look(l, 0, 0, 0, false);
	if (l->steps >= STEPS_MAX) {
		memset(l->out->bits, 0xff, sizeof l->out->bits);
		return 1;
	}
	for (size_t i = 0; i < sizeof l->out->bits; i++)
		ones += (unsigned)__builtin_popcount(l->out->bits[i]);
	return l->likely + (double)ones / TEG_WINDOWS;
}

void many_windows(struct many_windows *out, const struct many *m)
{
	struct many_windows tried;
	struct looking l = { .m = m, .out = &tried };
	double least = 2;

	for (unsigned b = 0; b < 256; b++)
		l.members[m->class_of[b]][l.count[m->class_of[b]]++] = (uint8_t)b;
	for (unsigned len = 4; len; len--) {
		const double likely = map(&l, len);

		if (likely < least) {
			least = likely;
			*out = tried;
		}
	}
}
