#include "compiler/lsp/text.h"

#include <stdint.h>
#include <string.h>

#include "lang/syntax/source.h"

/* Behind the line that `at` stands in, its end included. */
static size_t line_next(const char *text, size_t len, size_t at)
{
	const char *lf = memchr(text + at, '\n', len - at);
	size_t stop = lf ? (size_t)(lf - text) : len;
	const char *cr = memchr(text + at, '\r', stop - at);

	if (!cr || cr + 1 == text + stop)
		return lf ? stop + 1 : cr ? stop : len;
	return (size_t)(cr - text) + 1;
}

static bool line_ends(const char *text, size_t len, size_t at)
{
	return at == len || text[at] == '\n' || text[at] == '\r';
}

static bool has_end(const char *text, size_t from, size_t to)
{
	return to > from && (text[to - 1] == '\n' || text[to - 1] == '\r');
}

size_t text_offset(const char *text, size_t len, struct position p)
{
	size_t at = 0;

	for (size_t line = 0; line < p.line; line++) {
		size_t next = line_next(text, len, at);

		if (!has_end(text, at, next))
			return len;
		at = next;
	}
	for (size_t unit = 0; unit < p.unit && !line_ends(text, len, at);) {
		size_t bytes = utf8_len(text + at, len - at);

		unit += bytes == 4 ? 2 : 1;
		if (unit > p.unit) /* between two surrogates */
			break;
		at += bytes;
	}
	return at;
}

struct position text_position(const char *text, size_t len, size_t offset)
{
	struct position p = { 0, 0 };
	size_t at = 0;

	offset = offset < len ? offset : len;
	for (;;) {
		size_t next = line_next(text, len, at);

		if (next > offset || !has_end(text, at, next))
			break;
		at = next;
		p.line++;
	}
	while (at < offset) {
		size_t bytes = utf8_len(text + at, len - at);

		p.unit += bytes == 4 ? 2 : 1;
		at += bytes;
	}
	return p;
}

static bool count_read(const cJSON *json, const char *name, size_t *out)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(json, name);

	if (!cJSON_IsNumber(n) || !(n->valuedouble >= 0 && n->valuedouble <= INT32_MAX) ||
	    n->valuedouble != (double)(size_t)n->valuedouble)
		return false;
	*out = (size_t)n->valuedouble;
	return true;
}

bool position_read(const cJSON *json, struct position *out)
{
	return count_read(json, "line", &out->line) && count_read(json, "character", &out->unit);
}

static cJSON *position_json(struct position p)
{
	cJSON *out = cJSON_CreateObject();

	cJSON_AddNumberToObject(out, "line", (double)p.line);
	cJSON_AddNumberToObject(out, "character", (double)p.unit);
	return out;
}

cJSON *range_json(const char *text, size_t len, size_t from, size_t to)
{
	cJSON *out = cJSON_CreateObject();

	cJSON_AddItemToObject(out, "start", position_json(text_position(text, len, from)));
	cJSON_AddItemToObject(out, "end", position_json(text_position(text, len, to)));
	return out;
}
