#include "compiler/pattern/positions.h"

#include <string.h>

#include "lang/base/hex.h"

#define NOWHERE UINT32_MAX
#define GROUPS_MAX 100

/* Part of the machine: where it begins, and which exits are still open, as a list through them. */
struct part {
	uint32_t from;
	uint32_t first_exit, last_exit; /* 2 * position, + 1 for `other` */
};

struct reader {
	struct positions *out;
	const char *text;
	size_t at, len;
	unsigned flags, depth;
	struct pattern_fault *why;
	bool failed;
};

static struct part fail_at(struct reader *r, size_t at, size_t len, const char *words)
{
	if (!r->failed)
		*r->why = (struct pattern_fault){ at, len, words };
	r->failed = true;
	return (struct part){ 0 };
}

static struct part fail(struct reader *r, size_t len, const char *words)
{
	return fail_at(r, r->at, len, words);
}

/* --- making the machine ------------------------------------------------------------------ */

static uint32_t *exit_of(struct reader *r, uint32_t exit)
{
	struct position *p = &r->out->at.at[exit / 2];

	return exit & 1 ? &p->other : &p->to;
}

static uint32_t position_add(struct reader *r, struct position p)
{
	if (r->out->at.len == PATTERN_POSITIONS_MAX) {
		fail_at(r, 0, r->len, "this pattern is too large: counted repetitions of what is itself repeated need most of it");
		return 0;
	}
	vec_push(r->out->arena, &r->out->at, p);
	return (uint32_t)r->out->at.len - 1;
}

/* Open exits are chained through the places they will be written to. */
static void join(struct reader *r, struct part p, uint32_t to)
{
	for (uint32_t exit = p.first_exit, next; !r->failed; exit = next) {
		next = *exit_of(r, exit);
		*exit_of(r, exit) = to;
		if (exit == p.last_exit)
			return;
	}
}

static struct part one(struct reader *r, enum position_kind kind, struct byte_set bytes)
{
	uint32_t at = position_add(r, (struct position){ .kind = kind, .to = NOWHERE, .other = NOWHERE, .bytes = bytes });

	return (struct part){ at, 2 * at, 2 * at };
}

static struct part follow(struct reader *r, struct part a, struct part b)
{
	join(r, a, b.from);
	return (struct part){ a.from, b.first_exit, b.last_exit };
}

static struct part exits_of_both(struct reader *r, uint32_t from, struct part a, struct part b)
{
	*exit_of(r, a.last_exit) = b.first_exit;
	return (struct part){ from, a.first_exit, b.last_exit };
}

static uint32_t parting(struct reader *r, uint32_t to)
{
	return position_add(r, (struct position){ .kind = POSITION_FORK, .to = to, .other = NOWHERE });
}

static struct part either(struct reader *r, struct part a, struct part b)
{
	uint32_t at = position_add(r, (struct position){ .kind = POSITION_FORK, .to = a.from, .other = b.from });

	return r->failed ? a : exits_of_both(r, at, a, b);
}

static struct part maybe(struct reader *r, struct part a)
{
	uint32_t at = parting(r, a.from);
	struct part skip = { at, 2 * at + 1, 2 * at + 1 };

	return r->failed ? a : exits_of_both(r, at, a, skip);
}

static struct part star(struct reader *r, struct part a)
{
	uint32_t at = parting(r, a.from);

	join(r, a, at);
	return (struct part){ at, 2 * at + 1, 2 * at + 1 };
}

/* Nothing, which is found everywhere. */
static struct part nothing(struct reader *r)
{
	uint32_t at = parting(r, NOWHERE);

	if (r->failed)
		return (struct part){ 0 };
	r->out->at.at[at].other = at; /* a fork to itself adds nothing */
	return (struct part){ at, 2 * at, 2 * at };
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void add_range(struct byte_set *s, unsigned lo, unsigned hi)
{
	for (unsigned b = lo; b <= hi; b++)
		s->bits[b / 64] |= 1ull << b % 64;
}

static void add_both_cases(struct byte_set *s)
{
	for (unsigned c = 'a'; c <= 'z'; c++)
		if (byte_set_has(s, c) || byte_set_has(s, c - 32)) {
			add_range(s, c, c);
			add_range(s, c - 32, c - 32);
		}
}

static void invert(struct byte_set *s)
{
	for (int i = 0; i < 4; i++)
		s->bits[i] = ~s->bits[i];
}

/* \d \w \s and their opposites; false when the letter is none of them. */
static bool class_of_letter(char letter, struct byte_set *out)
{
	*out = (struct byte_set){ 0 };
	switch (letter | 32) {
	case 'd':
		add_range(out, '0', '9');
		break;
	case 'w':
		add_range(out, '0', '9');
		add_range(out, 'a', 'z');
		add_range(out, 'A', 'Z');
		add_range(out, '_', '_');
		break;
	case 's':
		add_range(out, '\t', '\r');
		add_range(out, ' ', ' ');
		break;
	default:
		return false;
	}
	if (!(letter & 32))
		invert(out);
	return true;
}

static char peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->len ? r->text[r->at + ahead] : '\0';
}

/* Behind a backslash: a byte, or -1 after a fault. */
static int escaped_byte(struct reader *r)
{
	static const char letters[] = "nrtfv0", bytes[] = "\n\r\t\f\v";
	char c = peek(r, 1);
	const char *known = c ? strchr(letters, c) : NULL;

	if (c == 'x') {
		int hi = hex_digit(peek(r, 2)), lo = hi < 0 ? -1 : hex_digit(peek(r, 3));

		if (lo < 0) {
			fail(r, 2, "\\x is followed by two hex digits");
			return -1;
		}
		r->at += 4;
		return hi << 4 | lo;
	}
	if (known) {
		r->at += 2;
		return (unsigned char)bytes[known - letters];
	}
	if (!c)
		fail(r, 1, "a backslash stands before something");
	else if (c >= '1' && c <= '9')
		fail(r, 2, "a back-reference is not something that a finite automaton can follow: write out what repeats");
	else if (c == 'b' || c == 'B')
		fail(r, 2, "a word boundary is not supported: write what may stand there, as [^\\w]");
	else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		fail(r, 2, "this letter has no meaning behind a backslash; a byte is \\xHH");
	if (r->failed)
		return -1;
	r->at += 2;
	return (unsigned char)c;
}

static bool posix_class_begins(const struct reader *r)
{
	return peek(r, 0) == '[' && (peek(r, 1) == ':' || peek(r, 1) == '.' || peek(r, 1) == '=');
}

/* One member of [...]: a byte, or -1 when a class was added or a fault found. */
static int member(struct reader *r, struct byte_set *s)
{
	struct byte_set class;

	if (posix_class_begins(r)) {
		fail(r, 2, "classes are written \\d, \\w and \\s");
		return -1;
	}
	if (peek(r, 0) != '\\')
		return (unsigned char)r->text[r->at++];
	if (class_of_letter(peek(r, 1), &class)) {
		for (int i = 0; i < 4; i++)
			s->bits[i] |= class.bits[i];
		r->at += 2;
		return -1;
	}
	return escaped_byte(r);
}

static struct part set_of_bytes(struct reader *r)
{
	size_t began = r->at++;
	bool inverted = peek(r, 0) == '^', first = true;
	struct byte_set s = { 0 };

	r->at += inverted;
	for (; r->at < r->len && (first || peek(r, 0) != ']') && !r->failed; first = false) {
		size_t from = r->at;
		int lo = member(r, &s), hi = lo;

		if (lo >= 0 && peek(r, 0) == '-' && peek(r, 1) && peek(r, 1) != ']') {
			r->at++;
			hi = member(r, &s);
			if (hi < lo && !r->failed)
				return fail_at(r, from, r->at - from, "this range ends before it begins; the sign itself is \\-");
		}
		if (lo >= 0 && hi >= 0)
			add_range(&s, (unsigned)lo, (unsigned)hi);
	}
	if (r->failed)
		return (struct part){ 0 };
	if (r->at == r->len)
		return fail_at(r, began, 1, "this `[` is not closed; the signs themselves are \\[ and \\]");
	r->at++;
	if (r->flags & PATTERN_ICASE)
		add_both_cases(&s);
	if (inverted)
		invert(&s);
	return one(r, POSITION_BYTES, s);
}

static struct part byte(struct reader *r, int b)
{
	struct byte_set s = { 0 };

	if (b < 0)
		return (struct part){ 0 };
	add_range(&s, (unsigned)b, (unsigned)b);
	if (r->flags & PATTERN_ICASE)
		add_both_cases(&s);
	return one(r, POSITION_BYTES, s);
}

static struct part any_byte(struct reader *r)
{
	struct byte_set s = { 0 };

	if (!(r->flags & PATTERN_DOT_ALL))
		add_range(&s, '\n', '\n');
	invert(&s);
	r->at++;
	return one(r, POSITION_BYTES, s);
}

/* --- expressions --------------------------------------------------------------------------------- */

static struct part choice(struct reader *r);

static struct part group(struct reader *r)
{
	size_t began = r->at++;
	struct part p;

	if (peek(r, 0) == '?' && peek(r, 1) == ':')
		r->at += 2;
	else if (peek(r, 0) == '?' && (peek(r, 1) == '=' || peek(r, 1) == '!' || peek(r, 1) == '<'))
		return fail_at(r, began, 3, "look-around is not something that a finite automaton can do: write what stands there");
	else if (peek(r, 0) == '?')
		return fail_at(r, began, 3, "only (?: ) is known; letters for the whole pattern stand behind it");
	if (r->depth == GROUPS_MAX)
		return fail_at(r, began, 1, "groups are nested too deep");
	r->depth++;
	p = choice(r);
	r->depth--;
	if (!r->failed && peek(r, 0) != ')')
		return fail_at(r, began, 1, "this `(` is not closed; the sign itself is \\(");
	r->at++;
	return p;
}

static struct part atom(struct reader *r)
{
	struct byte_set class;

	switch (peek(r, 0)) {
	case '(':
		return group(r);
	case '[':
		return set_of_bytes(r);
	case '.':
		return any_byte(r);
	case '^':
		r->at++;
		return one(r, POSITION_BEGIN, class = (struct byte_set){ 0 });
	case '$':
		r->at++;
		return one(r, POSITION_END, class = (struct byte_set){ 0 });
	case '*': case '+': case '?': case '{':
		return fail(r, 1, "nothing stands before this repetition; the sign itself is written behind a backslash");
	case '\\':
		if (class_of_letter(peek(r, 1), &class)) {
			r->at += 2;
			return one(r, POSITION_BYTES, class);
		}
		return byte(r, escaped_byte(r));
	}
	return byte(r, (unsigned char)r->text[r->at++]);
}

/* Digits of a count; -1 when there are none, or too many. */
static int count(struct reader *r)
{
	int n = -1;

	for (; peek(r, 0) >= '0' && peek(r, 0) <= '9'; r->at++) {
		n = (n < 0 ? 0 : n) * 10 + (peek(r, 0) - '0');
		if (n > PATTERN_REPEAT_MAX) {
			fail(r, 1, "a pattern repeats at most 255 times; x{255}x{45} are 300");
			return -1;
		}
	}
	return n;
}

struct times {
	int least, most; /* most -1: without end */
};

static bool times_counted(struct reader *r, struct times *out)
{
	size_t began = r->at++;

	out->least = count(r);
	out->most = out->least;
	if (peek(r, 0) == ',') {
		r->at++;
		out->most = count(r);
	}
	if (r->failed)
		return false;
	if (out->least < 0 || peek(r, 0) != '}' || (out->most >= 0 && out->most < out->least)) {
		fail_at(r, began, 1, "a count is {n}, {n,} or {n,m}; the sign itself is \\{");
		return false;
	}
	r->at++;
	return true;
}

/* False when no repetition follows. */
static bool times_read(struct reader *r, struct times *out)
{
	switch (peek(r, 0)) {
	case '*':
		*out = (struct times){ 0, -1 };
		break;
	case '+':
		*out = (struct times){ 1, -1 };
		break;
	case '?':
		*out = (struct times){ 0, 1 };
		break;
	case '{':
		return times_counted(r, out);
	default:
		return false;
	}
	r->at++;
	return true;
}

/* The atom's text again, for one more copy of it. */
static struct part again(struct reader *r, size_t from)
{
	size_t behind = r->at;
	struct part p;

	r->at = from;
	p = atom(r);
	r->at = behind;
	return p;
}

/* Never come to, but in the machine: its exits lead somewhere, too. */
static struct part none_of(struct reader *r, struct part p)
{
	struct part none = nothing(r);

	join(r, p, none.from);
	return none;
}

static struct part repeat(struct reader *r, size_t from, struct part p, struct times t)
{
	struct part all = p;
	bool used = false;

	if (t.least == 0 && t.most == 0)
		return none_of(r, p);
	for (int i = 1; i <= t.least && !r->failed; i++) {
		all = i == 1 ? p : follow(r, all, again(r, from));
		used = true;
	}
	if (t.most < 0) {
		struct part rest = star(r, used ? again(r, from) : p);

		return used ? follow(r, all, rest) : rest;
	}
	for (int i = t.least; i < t.most && !r->failed; i++) {
		struct part rest = maybe(r, used ? again(r, from) : p);

		all = used ? follow(r, all, rest) : rest;
		used = true;
	}
	return all;
}

static struct part repeated(struct reader *r)
{
	size_t from = r->at;
	struct part p = atom(r);
	struct times t;

	if (r->failed || !times_read(r, &t) || r->failed)
		return p;
	if (peek(r, 0) == '?')
		return fail(r, 1, "lazy repetition means nothing to a finite automaton: leave the `?` out");
	if (peek(r, 0) == '+')
		return fail(r, 1, "possessive repetition is not something that a finite automaton can do");
	if (peek(r, 0) == '*' || peek(r, 0) == '{')
		return fail(r, 1, "one repetition is enough");
	return repeat(r, from, p, t);
}

static struct part sequence(struct reader *r)
{
	struct part all = { 0 };
	bool any = false;

	while (r->at < r->len && peek(r, 0) != '|' && peek(r, 0) != ')' && !r->failed) {
		struct part p = repeated(r);

		if (r->failed)
			break;
		all = any ? follow(r, all, p) : p;
		any = true;
	}
	return any || r->failed ? all : nothing(r);
}

static struct part choice(struct reader *r)
{
	struct part all = sequence(r);

	while (!r->failed && peek(r, 0) == '|') {
		r->at++;
		struct part p = sequence(r);
		if (!r->failed)
			all = either(r, all, p);
	}
	return all;
}

int positions_read(struct positions *out, struct arena *a, const char *expression, unsigned flags,
		   struct pattern_fault *why)
{
	struct reader r = { .out = out, .text = expression, .len = strlen(expression), .flags = flags, .why = why };

	*out = (struct positions){ .arena = a };
	struct part all = choice(&r);
	if (!r.failed && r.at < r.len)
		fail(&r, 1, "this `)` closes nothing; the sign itself is \\)");
	if (!r.failed) {
		uint32_t found = position_add(&r, (struct position){ .kind = POSITION_FOUND });

		join(&r, all, found);
		out->first = all.from;
	}
	return r.failed ? -1 : 0;
}
