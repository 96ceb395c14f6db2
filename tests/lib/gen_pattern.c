/* Regular expressions, each with something that it finds. */
#include "tests/lib/gen.h"

enum { DEEP = 2 }; /* groups in groups */

struct saying {
	struct gen *g;
	struct buf *expression, *word;
};

static void say(const struct saying *s, const char *expression, char found)
{
	buf_puts(s->expression, expression);
	buf_add(s->word, &found, 1);
}

static void one_sign(const struct saying *s)
{
	static const struct {
		const char *expression;
		char found;
	} signs[] = {
		{ "a", 'a' }, { "b", 'b' }, { "c", 'c' }, { "a", 'a' }, { "b", 'b' }, { "c", 'c' }, { "x", 'x' }, { "G", 'G' }, { "e", 'e' },
		{ "\\/", '/' }, { "\\.", '.' }, { " ", ' ' }, { "[abc]", 'b' }, { "[^a-c]", '-' }, { "[a-y]", 'y' }, { "\\d", '7' },
		{ "\\w", '_' }, { "\\W", '-' }, { "\\s", ' ' }, { "\\S", 'z' }, { ".", '-' }, { ".", 'a' }, { "\\x00", 0 }, { "\\xff", '\xff' },
		{ "\\n", '\n' },
	};
	const unsigned n = gen_below(s->g, sizeof signs / sizeof *signs);

	say(s, signs[n].expression, signs[n].found);
}

static void sequence(const struct saying *s, unsigned deep);

/* Only one of the two is in the word. */
static void choice(const struct saying *s, unsigned deep)
{
	own(buf) struct buf other = { 0 };
	const struct saying apart = { s->g, s->expression, &other };
	const bool first = gen_chance(s->g, 50);

	buf_puts(s->expression, gen_chance(s->g, 50) ? "(" : "(?:");
	sequence(first ? s : &apart, deep + 1);
	buf_puts(s->expression, "|");
	sequence(first ? &apart : s, deep + 1);
	buf_puts(s->expression, ")");
}

static void group(const struct saying *s, unsigned deep)
{
	buf_puts(s->expression, "(");
	sequence(s, deep + 1);
	buf_puts(s->expression, ")");
}

/* So many of what has been said since, once more. */
static void say_again(const struct saying *s, size_t since, unsigned times)
{
	const size_t len = s->word->len - since;

	if (!times)
		s->word->len = since;
	for (unsigned i = 1; i < times; i++) {
		char some[64];

		for (size_t at = 0; at < len; at++)
			if (at < sizeof some)
				some[at] = (char)s->word->at[since + at];
		buf_add(s->word, some, len < sizeof some ? len : sizeof some);
	}
}

static void repetition(const struct saying *s, size_t since)
{
	const unsigned least = gen_below(s->g, 4), more = gen_below(s->g, 4);

	switch (gen_below(s->g, 6)) {
	case 0:
		buf_puts(s->expression, "*");
		say_again(s, since, least);
		return;
	case 1:
		buf_puts(s->expression, "+");
		say_again(s, since, 1 + least);
		return;
	case 2:
		buf_puts(s->expression, "?");
		say_again(s, since, least % 2);
		return;
	case 3:
		buf_printf(s->expression, "{%u}", least);
		say_again(s, since, least);
		return;
	case 4:
		buf_printf(s->expression, "{%u,}", least);
		say_again(s, since, least + more);
		return;
	case 5:
		buf_printf(s->expression, "{%u,%u}", least, least + more);
		say_again(s, since, least + more);
		return;
	}
}

static void part(const struct saying *s, unsigned deep)
{
	const size_t since = s->word->len;
	const unsigned kind = deep < DEEP ? gen_below(s->g, 12) : 2;

	if (kind == 0)
		choice(s, deep);
	else if (kind == 1)
		group(s, deep);
	else
		one_sign(s);
	if (gen_chance(s->g, 15))
		repetition(s, since);
}

static void sequence(const struct saying *s, unsigned deep)
{
	for (unsigned n = 1 + gen_below(s->g, deep ? 3 : 9); n; n--)
		part(s, deep);
}

const char *gen_pattern(struct gen *g, struct arena *a, struct buf *word)
{
	own(buf) struct buf expression = { 0 };
	const struct saying s = { g, &expression, word };

	if (gen_chance(g, 8))
		buf_puts(&expression, "^");
	sequence(&s, 0);
	if (gen_chance(g, 8))
		buf_puts(&expression, "$");
	return arena_strdup(a, buf_text(&expression));
}
