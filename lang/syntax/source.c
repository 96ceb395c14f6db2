#include "lang/syntax/source.h"

#include <assert.h>
#include <string.h>

uint32_t source_add(struct sources *s, const char *name, const char *text, size_t len)
{
	struct source added = { .name = name, .text = text, .len = len };

	assert(len <= SOURCE_BYTES_MAX);
	vec_push(s->arena, &s->list, added);
	s->len += len;
	return (uint32_t)s->list.len - 1;
}

bool span_is_somewhere(struct span s)
{
	return s.file != SPAN_NOWHERE_FILE;
}

struct span span_join(struct span from, struct span to)
{
	return (struct span){ from.file, from.from, to.to > from.from ? to.to : from.to };
}

static void find_lines(struct sources *all, struct source *s)
{
	VEC(uint32_t) lines = { 0 };

	if (s->lines)
		return;
	vec_push(all->arena, &lines, 0);
	for (const char *at = s->text, *end = at + s->len; (at = memchr(at, '\n', (size_t)(end - at)));) {
		at++;
		vec_push(all->arena, &lines, (uint32_t)(at - s->text));
	}
	s->lines = lines.at;
	s->line_count = lines.len;
}

uint32_t source_line_of(struct sources *all, uint32_t file, uint32_t at)
{
	struct source *s = &all->list.at[file];
	size_t lo = 0;

	find_lines(all, s);
	for (size_t hi = s->line_count; hi - lo > 1;) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->lines[mid] <= at)
			lo = mid;
		else
			hi = mid;
	}
	return (uint32_t)lo + 1;
}

const char *source_line(struct sources *all, uint32_t file, uint32_t line, size_t *len)
{
	struct source *s = &all->list.at[file];

	find_lines(all, s);
	assert(line >= 1 && line <= s->line_count);
	const char *from = s->text + s->lines[line - 1];
	const char *end = memchr(from, '\n', (size_t)(s->text + s->len - from));

	*len = (size_t)((end ? end : s->text + s->len) - from);
	if (*len && from[*len - 1] == '\r')
		--*len;
	return from;
}

struct place source_place(struct sources *all, uint32_t file, uint32_t at)
{
	struct source *s = &all->list.at[file];
	uint32_t line = source_line_of(all, file, at), column = 1;

	for (uint32_t i = s->lines[line - 1]; i < at; column++)
		i += (uint32_t)utf8_len(s->text + i, at - i);
	return (struct place){ s->name, line, column };
}

/* --- UTF-8 (RFC 3629) --------------------------------------------------------------- */

/* The bytes of one well-formed character, 0 when it is none. */
static size_t utf8_one(const unsigned char *at, size_t left)
{
	uint32_t c;
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;

	if (len <= 1)
		return len;
	if (len > left)
		return 0;
	c = at[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (at[i] & 0x3fu);
	}
	if ((len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
	    (len == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return len;
}

/* Eight bytes of ASCII, and none a NUL. */
static bool is_plain(const char *at)
{
	const uint64_t tops = 0x8080808080808080u, ones = 0x0101010101010101u;
	uint64_t v;

	memcpy(&v, at, sizeof v);
	return !((v | (v - ones)) & tops);
}

size_t utf8_sound(const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		if (len - i >= sizeof(uint64_t) && is_plain(text + i)) {
			i += sizeof(uint64_t);
			continue;
		}
		size_t one = utf8_one((const unsigned char *)text + i, len - i);

		if (!one || !text[i])
			return i;
		i += one;
	}
	return len;
}

size_t utf8_len(const char *at, size_t left)
{
	size_t one = left ? utf8_one((const unsigned char *)at, left) : 1;

	return one ? one : 1;
}

bool source_says(const struct sources *s, struct span at, const char *text)
{
	return span_is_somewhere(at) && strlen(text) == at.to - at.from && !memcmp(s->list.at[at.file].text + at.from, text, at.to - at.from);
}

bool sources_agree(const struct sources *s, struct span a, struct span b)
{
	return a.to - a.from == b.to - b.from &&
	       !memcmp(s->list.at[a.file].text + a.from, s->list.at[b.file].text + b.from, a.to - a.from);
}

struct span source_with_blanks(const struct sources *s, struct span at)
{
	const char *text = s->list.at[at.file].text;

	while (at.from && (text[at.from - 1] == ' ' || text[at.from - 1] == '\t'))
		at.from--;
	return at;
}

struct span source_lines(const struct sources *s, struct span at)
{
	const struct source *source = &s->list.at[at.file];
	const char *end;
	uint32_t behind;

	at = source_with_blanks(s, at);
	if (at.from && source->text[at.from - 1] != '\n')
		return SPAN_NOWHERE;
	for (behind = at.to; behind < source->len && strchr(" \t\r", source->text[behind]); behind++)
		;
	if (behind < source->len && source->text[behind] != '\n' && source->text[behind] != '#')
		return SPAN_NOWHERE;
	end = memchr(source->text + at.to, '\n', source->len - at.to);
	at.to = end ? (uint32_t)(end + 1 - source->text) : (uint32_t)source->len;
	return at;
}
