/* Several patterns as one automaton: it finds what each pattern's own automaton finds, and no window hides a match. */
#include <string.h>

#include "compiler/pattern/many.h"
#include "lang/base/own.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define WISHES_MAX 12
#define TEXT_MAX   40

static const struct many_wish pool[] = {
	{ "union\\s+select", PATTERN_ICASE }, { "^GET /", 0 }, { "\\.php$", 0 }, { "aab?c", 0 }, { "a{2,3}b", 0 },
	{ "^a+$", 0 }, { "b$", 0 }, { "$", 0 }, { "(a|b)*cc", 0 }, { "[^a]a[^a]", 0 }, { "a.*b", 0 }, { "c.c", PATTERN_DOT_ALL },
	{ "^b|aa$", 0 }, { "x", 0 }, { "../..", 0 }, { "\\x00\\xff", 0 }, { "abcab", 0 }, { "bcabc", 0 }, { "ca", PATTERN_ICASE },
	{ "(ab)+c", 0 }, { "^$|a", 0 }, { "^.{3}b", 0 },
};

struct set {
	struct many_wish wishes[WISHES_MAX];
	struct pattern alone[WISHES_MAX];
	size_t count;
};

static void set_draw(struct set *s, struct gen *g, struct arena *a)
{
	struct pattern_fault why;

	s->count = 1 + gen_below(g, WISHES_MAX);
	for (size_t i = 0; i < s->count; i++) {
		s->wishes[i] = pool[gen_below(g, ARRAY_LEN(pool))];
		if (pattern_compile(&s->alone[i], a, s->wishes[i].expression, s->wishes[i].flags, &why))
			tap_ok(false, "/%s/ does not compile", s->wishes[i].expression);
	}
}

static size_t text_draw(struct gen *g, char *text)
{
	static const char signs[] = "aaabbbcc.xGETphunioslct /AC\n\0\xff";
	const size_t len = 1 + gen_below(g, TEXT_MAX), of = gen_below(g, 2) ? 3 : 8 + gen_below(g, sizeof signs - 8);

	for (size_t i = 0; i < len; i++)
		text[i] = signs[gen_below(g, of)];
	return len;
}

/* As the first hook reads: two bytes on whenever nothing has begun and the window behind the next is not in the map. */
static void find_by_windows(const struct many *m, const struct many_windows *w, const char *text, size_t len, bool *found)
{
	const uint8_t *at = (const uint8_t *)text;
	uint32_t s = m->start;

	for (size_t i = 0; i < len;) {
		if (s == 0 && i + 5 <= len) {
			uint32_t word = at[i + 1] | at[i + 2] << 8 | at[i + 3] << 16 | (uint32_t)at[i + 4] << 24;
			uint32_t bit = teg_window(word, w->mask);

			if (!(w->bits[bit / 8] >> bit % 8 & 1)) {
				i += 2;
				continue;
			}
		}
		s = m->next[(size_t)s * m->classes + m->class_of[at[i++]]];
		for (uint32_t l = 0; l < m->lists[m->hits[s]].len; l++)
			found[m->lists[m->hits[s]].at[l]] = true;
	}
	for (uint32_t l = 0; l < m->lists[m->ends[s]].len; l++)
		found[m->lists[m->ends[s]].at[l]] = true;
}

static bool agree(const struct set *s, const struct many *m, const struct many_windows *w, const char *text, size_t len,
		  size_t within)
{
	bool found[WISHES_MAX] = { 0 }, jumped[WISHES_MAX] = { 0 };
	bool same = true;

	many_find(m, text, len, within, found);
	find_by_windows(m, w, text, len, jumped);
	for (size_t i = 0; i < s->count && same; i++) {
		same = found[i] == pattern_finds(&s->alone[i], text, len, within) &&
		       jumped[i] == pattern_finds(&s->alone[i], text, len, SIZE_MAX);
		if (!same)
			tap_ok(false, "/%s/ in \"%.*s\" within %zu, beside %zu others", s->wishes[i].expression, (int)len, text,
			       within, s->count - 1);
	}
	return same;
}

static void drawn(uint64_t seed, unsigned rounds)
{
	struct gen g = gen_new(seed);
	unsigned asked = 0;

	for (unsigned r = 0; r < rounds; r++) {
		own(arena) struct arena *a = arena_new();
		struct set s;
		struct many m;
		static struct many_windows w;

		set_draw(&s, &g, a);
		if (!many_compile(&m, a, s.wishes, s.count, 65536)) {
			tap_ok(false, "a few short patterns fit into one automaton");
			return;
		}
		many_windows(&w, &m);
		for (unsigned i = 0; i < 400; i++, asked++) {
			char text[TEXT_MAX + 1];
			size_t len = text_draw(&g, text);

			if (!agree(&s, &m, &w, text, len, gen_below(&g, 2) ? SIZE_MAX : 1 + gen_below(&g, TEXT_MAX)))
				return;
		}
	}
	tap_ok(true, "%u texts: all of several patterns found as each alone", asked);
}

static unsigned ones(const struct many_windows *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < sizeof w->bits; i++)
		n += (unsigned)__builtin_popcount(w->bits[i]);
	return n;
}

static void sizes(void)
{
	static const struct many_wish words[] = { { "union select", 0 }, { "jndi:ldap", 0 }, { "etc/passwd", 0 } };
	static const struct many_wish tangled[] = { { "a.{9}b", 0 }, { "c.{9}d", 0 } };
	static const struct many_wish anything[] = { { "[a-z]{8}", PATTERN_ICASE } };
	own(arena) struct arena *a = arena_new();
	static struct many_windows w;
	struct many m;

	tap_ok(many_compile(&m, a, words, 3, 100), "three words fit into 100 states");
	tap_num(m.states, 12 + 9 + 10 + 1, "states of three words: one a letter, and the idle one, which is the beginning too");
	many_windows(&w, &m);
	tap_ok(w.mask == 0xffffffff && ones(&w) == 6, "their windows are six of four bytes");
	tap_ok(!many_compile(&m, a, tangled, 2, 1000), "two tangled patterns need more than 1000 states");
	tap_ok(many_compile(&m, a, anything, 1, 1000), "a word of any letters fits");
	many_windows(&w, &m);
	tap_ok(ones(&w) > 0, "and has windows");
}

int main(void)
{
	sizes();
	drawn(7, 60);
	return tap_done();
}
