/* Patterns: what they find, told by hand and by the C library's regular expressions; what is refused, and where. */
#include <regex.h>
#include <string.h>

#include "compiler/pattern/pattern.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"

static const struct {
	const char *expression, *text;
	unsigned flags;
	bool found;
} finds[] = {
	{ "union\\s+select", "q=1 UNION  SELECT 1", PATTERN_ICASE, true },
	{ "union\\s+select", "q=1 UNION  SELECT 1", 0, false },
	{ "union\\s+select", "unionselect", 0, false },
	{ "^GET /", "GET /index", 0, true },
	{ "^GET /", "x GET /", 0, false },
	{ "\\.php$", "a.php", 0, true },
	{ "\\.php$", "a.php?x", 0, false },
	{ "^$", "", 0, true },
	{ "^$", "x", 0, false },
	{ "$^", "", 0, true },
	{ "$^", "x", 0, false },
	{ "a|$^", "xx", 0, false },
	{ "^a$|b", "ab", 0, true },
	{ "^a$|b", "aa", 0, false },
	{ "", "anything", 0, true },
	{ "a|", "", 0, true },
	{ "(a|b)*c", "xxabbac", 0, true },
	{ "a.c", "a\nc", 0, false },
	{ "a.c", "a\nc", PATTERN_DOT_ALL, true },
	{ "a{3}", "baab", 0, false },
	{ "a{3}", "baaab", 0, true },
	{ "^a{2,3}$", "aaaa", 0, false },
	{ "^a{2,3}$", "aaa", 0, true },
	{ "^a{2,}b{0}$", "aaaaaa", 0, true },
	{ "^(ab){2}$", "abab", 0, true },
	{ "[^a-y]", "abcxyz", 0, true },
	{ "[^a-z]", "abcxyz", 0, false },
	{ "[a-f]+", "XYD", PATTERN_ICASE, true },
	{ "[]x]", "]", 0, true },
	{ "[a\\-z]", "-", 0, true },
	{ "[\\d_]\\W", "7 ", 0, true },
	{ "\\x41\\x2f", "A/", 0, true },
	{ "(?:GET|POST) /admin", "POST /admin", 0, true },
	{ "\\$\\{jndi:", "x=${jndi:ldap", 0, true },
};

static const struct {
	const char *expression, *part;
} refused[] = {
	{ "(a)\\1", "back-reference" }, { "(?=a)", "look-around" }, { "(?<!a)b", "look-around" }, { "\\bword", "word boundary" },
	{ "a*?", "lazy" },		{ "a++", "possessive" },    { "a**", "one repetition" }, { "*a", "nothing stands before" },
	{ "(a", "not closed" },		{ "a)", "closes nothing" }, { "[a", "not closed" },	 { "[z-a]", "ends before" },
	{ "a{3,2}", "a count is" },	{ "a{x}", "a count is" },   { "a{999}", "at most 255" }, { "\\q", "no meaning" },
	{ "a\\", "stands before" },	{ "(?i)a", "only (?:" },    { "\\xZZ", "two hex" },	 { "[[:alpha:]]", "classes are written" },
	{ "((((a{255}){255}){255}){255})", "too large" },	    { "(a|b)*a(a|b){14}", "too many states" },
};

static void told_by_hand(void)
{
	for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
		own(arena) struct arena *a = arena_new();
		struct pattern p;
		struct pattern_fault why = { 0 };
		int rc = pattern_compile(&p, a, finds[i].expression, finds[i].flags, &why);

		tap_ok(!rc && pattern_finds(&p, finds[i].text, strlen(finds[i].text), SIZE_MAX) == finds[i].found, "/%s/ %s in \"%s\"",
		       finds[i].expression, finds[i].found ? "is found" : "is not found", finds[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		own(arena) struct arena *a = arena_new();
		struct pattern p;
		struct pattern_fault why = { 0 };
		int rc = pattern_compile(&p, a, refused[i].expression, 0, &why);

		tap_ok(rc && strstr(why.words, refused[i].part) && why.at + why.len <= strlen(refused[i].expression),
		       "/%s/ is refused: %s", refused[i].expression, rc ? why.words : "it is not");
	}
}

/* --- the C library's opinion ------------------------------------------------------------------------ */

static uint64_t seed = 7;

static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void random_expression(char *out, size_t room, unsigned depth)
{
	static const char *const atoms[] = { "a", "b", "c", "[ab]", "[^a]", ".", "ab" };
	static const char *const times[] = { "", "", "", "*", "+", "?", "{2}", "{1,2}" };
	char inner[200];
	size_t n = 0;

	out[0] = '\0';
	for (unsigned parts = 1 + below(3); parts; parts--) {
		if (depth && below(3) == 0) {
			random_expression(inner, sizeof inner / 2, depth - 1);
			n += (size_t)snprintf(out + n, room - n, "(%s)%s", inner, times[below(ARRAY_LEN(times))]);
		} else {
			n += (size_t)snprintf(out + n, room - n, "%s%s", atoms[below(ARRAY_LEN(atoms))],
					      times[below(ARRAY_LEN(times))]);
		}
		if (parts > 1 && below(4) == 0)
			n += (size_t)snprintf(out + n, room - n, "|");
		if (n + 60 > room)
			return;
	}
}

static void told_by_the_library(void)
{
	unsigned asked = 0, other = 0, found = 0;

	for (unsigned round = 0; round < 3000; round++) {
		own(arena) struct arena *a = arena_new();
		struct pattern p;
		struct pattern_fault why;
		char expression[400], text[24];
		regex_t re;

		random_expression(expression, 180, 2);
		if (regcomp(&re, expression, REG_EXTENDED | REG_NOSUB))
			continue;
		if (!pattern_compile(&p, a, expression, 0, &why))
			for (unsigned t = 0; t < 20; t++) {
				unsigned len = below(sizeof text - 1);

				for (unsigned i = 0; i < len; i++)
					text[i] = "abcd"[below(4)];
				text[len] = '\0';
				bool theirs = !regexec(&re, text, 0, NULL, 0), ours = pattern_finds(&p, text, len, SIZE_MAX);

				asked++;
				found += ours;
				if (ours != theirs && !other++)
					tap_note("/%s/ in \"%s\": %d here, %d there", expression, text, ours, theirs);
			}
		regfree(&re);
	}
	tap_num(other, 0, "the C library finds the same");
	tap_ok(asked > 40000 && found > 5000 && found < asked, "in %u texts, in %u of them something", asked, found);
}

static void one_machine_for_one_meaning(void)
{
	own(arena) struct arena *a = arena_new();
	struct pattern x, y;
	struct pattern_fault why;

	pattern_compile(&x, a, "(a|b)(a|b)c", 0, &why);
	pattern_compile(&y, a, "[ab]{2}c", 0, &why);
	tap_ok(x.states == y.states && x.classes == y.classes && !memcmp(x.class_of, y.class_of, sizeof x.class_of) &&
		       !memcmp(x.next, y.next, x.states * x.classes * sizeof *x.next),
	       "equal patterns make equal tables, however they are written");
	tap_num(x.states, 4, "as small as can be");
}

static void shortest(void)
{
	own(arena) struct arena *a = arena_new();
	static const struct { const char *expression; size_t bytes; } rows[] = {
		{ "foo", 3 }, { "fo*", 1 }, { "^fo?o$", 2 }, { "a{4}|bc{9}", 4 }, { "a$|bb", 1 }, { "$^", PATTERN_NEVER }, { "x^y", PATTERN_NEVER },
		{ "(ab){40}c?", 80 }, { "", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pattern_fault f;
		struct pattern p;

		pattern_compile(&p, a, rows[i].expression, 0, &f);
		tap_num(pattern_shortest(&p, a), rows[i].bytes, rows[i].expression);
	}
}

int main(void)
{
	told_by_hand();
	told_by_the_library();
	one_machine_for_one_meaning();
	shortest();
	return tap_done();
}
