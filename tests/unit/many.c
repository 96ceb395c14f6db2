/* Several patterns as one automaton: it finds what each pattern's own automaton finds, and no window hides a match. */
#include <string.h>

#include "compiler/pattern/many.h"
#include "lang/base/own.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define WISHES_MAX 12
#define TEXT_MAX   72

static const struct many_wish pool[] = {
	{ "union\\s+select", PATTERN_ICASE }, { "^GET /", 0 }, { "\\.php$", 0 }, { "aab?c", 0 }, { "a{2,3}b", 0 },
	{ "^a+$", 0 }, { "b$", 0 }, { "$", 0 }, { "(a|b)*cc", 0 }, { "[^a]a[^a]", 0 }, { "a.*b", 0 }, { "c.c", PATTERN_DOT_ALL },
	{ "^b|aa$", 0 }, { "x", 0 }, { "../..", 0 }, { "\\x00\\xff", 0 }, { "abcab", 0 }, { "bcabc", 0 }, { "ca", PATTERN_ICASE },
	{ "(ab)+c", 0 }, { "^$|a", 0 }, { "^.{3}b", 0 }, { "ab{0}c", 0 }, { "(ab|c){0}x", 0 },
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

/* What the first hook has of an automaton besides its steps. */
struct idling {
	unsigned stride;
	struct many_windows windows;
	uint8_t ages[4096];
};

static bool idling_find(struct idling *k, const struct many *m, unsigned stride)
{
	k->stride = stride;
	many_windows(&k->windows, m, stride);
	if (m->states > sizeof k->ages)
		return false;
	many_ages(k->ages, m);
	return true;
}

/* Behind which of eight bytes no match begins any more. */
static unsigned begins(const struct idling *k, const uint8_t *at)
{
	for (unsigned i = 8; i; i -= k->stride) {
		uint64_t word = 0;

		for (unsigned b = 0; b < 8; b++)
			word |= (uint64_t)at[i - 1 + b] << 8 * b;
		const uint64_t window = teg_window(word, k->windows.shifts[word & 0xffff]);
		const uint32_t bit = 8 * teg_window_word(window) + teg_window_bit(window);
		if (k->windows.windows[bit / 8] >> bit % 8 & 1)
			return i;
	}
	return 0;
}

static void found_there(const struct many *m, uint32_t list, bool *found)
{
	for (uint32_t l = 0; l < m->lists[list].len; l++)
		found[m->lists[list].at[l]] = true;
}

/* As the first hook reads: eight bytes at a time, idle where nothing begins, and again when nothing that began is left. */
static void find_by_windows(const struct many *m, const struct idling *k, const char *text, size_t len, bool *found)
{
	const uint8_t *at = (const uint8_t *)text;
	uint32_t s = m->start;
	size_t i = 0;

	while (i < len) {
		const bool whole = i + 16 <= len;
		const unsigned begun = whole ? begins(k, at + i) : 8;
		const size_t until = whole ? i + 8 : len;

		if (s == 0 && !begun) {
			i = until;
			continue;
		}
		for (; i < until; i++) {
			s = m->next[(size_t)s * m->classes + m->class_of[at[i]]];
			found_there(m, m->hits[s], found);
		}
		if (whole && begun + k->ages[s] <= 8)
			s = 0;
	}
	found_there(m, m->ends[s], found);
}

static bool agree(const struct set *s, const struct many *m, const struct idling *k, const char *text, size_t len, size_t within)
{
	bool found[WISHES_MAX] = { 0 }, jumped[WISHES_MAX] = { 0 };
	bool same = true;

	many_find(m, text, len, within, found);
	find_by_windows(m, k, text, len, jumped);
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
		static struct idling two, four;

		set_draw(&s, &g, a);
		if (!many_compile(&m, a, s.wishes, s.count, 65536)) {
			tap_ok(false, "a few short patterns fit into one automaton");
			return;
		}
		if (!idling_find(&two, &m, 2) || !idling_find(&four, &m, 4))
			continue;
		for (unsigned i = 0; i < 400; i++, asked++) {
			char text[TEXT_MAX + 1];
			size_t len = text_draw(&g, text);

			if (!agree(&s, &m, gen_below(&g, 2) ? &two : &four, text, len, gen_below(&g, 2) ? SIZE_MAX : 1 + gen_below(&g, TEXT_MAX)))
				return;
		}
	}
	tap_ok(true, "%u texts: all of several patterns found as each alone", asked);
}

static unsigned ones(const uint8_t *map, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += (unsigned)__builtin_popcount(map[i]);
	return n;
}

static uint32_t pair(const char *two)
{
	return (uint32_t)((uint8_t)two[0] | (uint8_t)two[1] << 8);
}

/* So many pairs of letters have this shift, cases as one. */
static unsigned shifted(const struct many_windows *w, unsigned shift)
{
	unsigned n = 0;

	for (uint32_t p = 0; p < TEG_PAIRS; p++)
		n += (p | 0x2020) == p && w->shifts[p] == shift;
	return n;
}

static void sizes(void)
{
	static const struct many_wish words[] = { { "union select", PATTERN_ICASE }, { "jndi:ldap://", 0 }, { "/etc/passwd", 0 } };
	static const struct many_wish mixed[] = { { "union select", 0 }, { "ssh", 0 } };
	static const struct many_wish tangled[] = { { "a.{9}b", 0 }, { "c.{9}d", 0 } };
	static const struct many_wish anything[] = { { "[a-z]{8}", PATTERN_ICASE } };
	own(arena) struct arena *a = arena_new();
	static struct many_windows w;
	static uint8_t ages[100];
	struct many m;

	tap_ok(many_compile(&m, a, words, 3, 100), "three words fit into 100 states");
	tap_num(m.states, 12 + 12 + 11 + 1, "states of three words: one a letter, and the idle one, which is the beginning too");
	many_windows(&w, &m, 2);
	tap_ok(shifted(&w, TEG_WINDOW_SHIFT(8)) == 6 && ones(w.windows, sizeof w.windows) == 6 && shifted(&w, TEG_WINDOW_NONE) == 128 * 128 - 6,
	       "their windows are six of eight bytes, in either case");
	many_windows(&w, &m, 4);
	tap_ok(shifted(&w, TEG_WINDOW_SHIFT(8)) == 12 && ones(w.windows, sizeof w.windows) == 12, "four bytes apart they are twelve");
	many_ages(ages, &m);
	const uint32_t u = m.next[m.class_of['u']], un = m.next[(size_t)u * m.classes + m.class_of['N']];
	tap_ok(ages[u] == 1 && ages[un] == 2, "a state's age is how many letters have been read");
	tap_ok(many_compile(&m, a, mixed, 2, 100), "a long word and a short one fit");
	many_windows(&w, &m, 2);
	tap_ok(w.shifts[pair("ss")] == TEG_WINDOW_SHIFT(3) && w.shifts[pair("SH")] == TEG_WINDOW_SHIFT(2),
	       "the short one makes windows short that begin as it does");
	tap_ok(w.shifts[pair("un")] == TEG_WINDOW_SHIFT(8) && w.shifts[pair("nI")] == TEG_WINDOW_SHIFT(8), "and no others");
	tap_ok(!many_compile(&m, a, tangled, 2, 1000), "two tangled patterns need more than 1000 states");
	tap_ok(many_compile(&m, a, anything, 1, 1000), "a word of any letters fits");
	many_windows(&w, &m, 2);
	tap_ok(ones(w.windows, sizeof w.windows) > 0, "and has windows");
}

int main(void)
{
	sizes();
	drawn(7, 60);
	return tap_done();
}
