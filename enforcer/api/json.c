#include "enforcer/api/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lang/base/utf8.h"

static int fault_set(struct json_fault *f, bool syntax, const char *field, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fault_set(struct json_fault *f, bool syntax, const char *field, const char *format, ...)
{
	own(buf) struct buf clean = { 0 };
	va_list args;

	f->syntax = syntax;
	utf8_add_clean(&clean, field); /* a long name may be cut within a character, below */
	snprintf(f->field, sizeof f->field, "%s", buf_text(&clean));
	va_start(args, format);
	vsnprintf(f->text, sizeof f->text, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- the grammar of RFC 8259 -------------------------------------------------------
 *
 * cJSON builds the tree, but takes more than JSON: leading zeros, raw control
 * characters, bytes that are no UTF-8, \u0000. So the text is walked first.
 */

struct walk {
	const char *from, *at, *end;
	unsigned depth;
	struct json_fault *fault;
};

static int expected(const struct walk *w, const char *what)
{
	if (w->at >= w->end)
		return fault_set(w->fault, true, "", "the text ends where %s is expected", what);
	return fault_set(w->fault, true, "", "byte %td is not %s", w->at - w->from + 1, what);
}

static char peek(const struct walk *w)
{
	return w->at < w->end ? *w->at : '\0';
}

static bool eat(struct walk *w, char c)
{
	if (w->at >= w->end || *w->at != c)
		return false;
	w->at++;
	return true;
}

static void skip_space(struct walk *w)
{
	while (w->at < w->end && (*w->at == ' ' || *w->at == '\t' || *w->at == '\n' || *w->at == '\r'))
		w->at++;
}

static size_t skip_digits(struct walk *w)
{
	const char *from = w->at;

	while (peek(w) >= '0' && peek(w) <= '9')
		w->at++;
	return (size_t)(w->at - from);
}

static int walk_number(struct walk *w)
{
	eat(w, '-');
	if (!eat(w, '0') && !skip_digits(w))
		return expected(w, "a digit");
	if (eat(w, '.') && !skip_digits(w))
		return expected(w, "a digit");
	if (peek(w) == 'e' || peek(w) == 'E') {
		w->at++;
		if (!eat(w, '-'))
			eat(w, '+');
		if (!skip_digits(w))
			return expected(w, "a digit");
	}
	return 0;
}

static int hex4(struct walk *w, unsigned *out)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	unsigned v = 0;

	for (int i = 0; i < 4; i++, w->at++) {
		const char *d = peek(w) ? strchr(digits, peek(w)) : NULL;

		if (!d)
			return expected(w, "a hexadecimal digit");
		v = v << 4 | ((unsigned)(d - digits) & 15);
	}
	*out = v;
	return 0;
}

static int walk_unicode_escape(struct walk *w)
{
	unsigned first, second;

	if (hex4(w, &first))
		return -EINVAL;
	if (!first)
		return fault_set(w->fault, true, "", "\\u0000 has no place in a text");
	if (first >= 0xdc00 && first <= 0xdfff)
		return fault_set(w->fault, true, "", "\\u%04x is half a surrogate pair", first);
	if (first < 0xd800 || first > 0xdbff)
		return 0;
	if (!eat(w, '\\') || !eat(w, 'u') || hex4(w, &second) || second < 0xdc00 || second > 0xdfff)
		return fault_set(w->fault, true, "", "\\u%04x is half a surrogate pair", first);
	return 0;
}

static int walk_string(struct walk *w)
{
	if (!eat(w, '"'))
		return expected(w, "a string");
	while (!eat(w, '"')) {
		size_t len = utf8_length(w->at, (size_t)(w->end - w->at));

		if (w->at >= w->end)
			return expected(w, "the end of a string");
		if (!len)
			return expected(w, "UTF-8");
		if ((unsigned char)*w->at < 0x20)
			return expected(w, "allowed in a string unescaped");
		if (!eat(w, '\\')) {
			w->at += len;
			continue;
		}
		if (eat(w, 'u')) {
			if (walk_unicode_escape(w))
				return -EINVAL;
			continue;
		}
		if (!peek(w) || !strchr("\"\\/bfnrt", peek(w)))
			return expected(w, "an escape that JSON knows");
		w->at++;
	}
	return 0;
}

static int walk_word(struct walk *w, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(w->end - w->at) < len || memcmp(w->at, word, len))
		return expected(w, "a JSON value");
	w->at += len;
	return 0;
}

static int walk_value(struct walk *w);

static int walk_members(struct walk *w, char close)
{
	skip_space(w);
	if (eat(w, close))
		return 0;
	do {
		skip_space(w);
		if (close == '}') {
			if (walk_string(w))
				return -EINVAL;
			skip_space(w);
			if (!eat(w, ':'))
				return expected(w, "`:`");
		}
		if (walk_value(w))
			return -EINVAL;
	} while (eat(w, ','));
	return eat(w, close) ? 0 : expected(w, close == '}' ? "`,` or `}`" : "`,` or `]`");
}

static int walk_nested(struct walk *w, char close)
{
	if (++w->depth > JSON_DEPTH_MAX)
		return fault_set(w->fault, true, "", "it is nested deeper than %d levels", JSON_DEPTH_MAX);
	int rc = walk_members(w, close);
	w->depth--;
	return rc;
}

/* A value and the space around it. */
static int walk_value(struct walk *w)
{
	int rc;

	skip_space(w);
	if (eat(w, '{'))
		rc = walk_nested(w, '}');
	else if (eat(w, '['))
		rc = walk_nested(w, ']');
	else if (peek(w) == '"')
		rc = walk_string(w);
	else if (peek(w) == '-' || (peek(w) >= '0' && peek(w) <= '9'))
		rc = walk_number(w);
	else
		rc = walk_word(w, peek(w) == 't' ? "true" : peek(w) == 'f' ? "false" : "null");
	skip_space(w);
	return rc;
}

/* Grammar, characters and depth only. */
static int check(const char *bytes, size_t len, struct json_fault *fault)
{
	struct walk w = { bytes, bytes, bytes + len, 0, fault };

	if (walk_value(&w))
		return -EINVAL;
	return w.at == w.end ? 0 : expected(&w, "the end of the text");
}

/* ---- reading ----------------------------------------------------------------------------- */

static const struct json_field *find_field(const struct json_field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (!strcmp(fields->name, name))
			return fields;
	return NULL;
}

static int unknown_field(const struct json_field *fields, const char *name, struct json_fault *fault)
{
	own(buf) struct buf known = { 0 };

	for (; fields->name; fields++)
		buf_printf(&known, "%s`%s`", known.len ? ", " : "", fields->name);
	return fault_set(fault, false, name, "there is no such field; known here: %s", buf_text(&known));
}

static int read_string(const char **to, const struct json_field *f, uint64_t least, uint64_t most, struct arena *a,
		       const cJSON *value, struct json_fault *fault)
{
	if (!cJSON_IsString(value))
		return fault_set(fault, false, f->name, "it is a string");

	const char *text = cJSON_GetStringValue(value);
	size_t len = strlen(text);
	if (len < least || len > most)
		return fault_set(fault, false, f->name, "it has %" PRIu64 " to %" PRIu64 " bytes, not %zu", least, most, len);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return fault_set(fault, false, f->name, "it has no control characters");
	*to = arena_strdup(a, text);
	return 0;
}

static int read_text(void *to, const struct json_field *f, struct arena *a, const cJSON *value,
		     struct json_fault *fault)
{
	return read_string(to, f, f->least, f->most, a, value, fault);
}

static int read_texts(void *to, const struct json_field *f, struct arena *a, const cJSON *value,
		      struct json_fault *fault)
{
	struct json_texts texts = { .len = cJSON_IsArray(value) ? (size_t)cJSON_GetArraySize(value) : SIZE_MAX };
	const cJSON *one;
	size_t i = 0;

	if (texts.len < f->least || texts.len > f->most)
		return fault_set(fault, false, f->name, "it is a list of %" PRIu64 " to %" PRIu64 " strings", f->least, f->most);
	texts.at = arena_zero(a, (texts.len + 1) * sizeof *texts.at);
	cJSON_ArrayForEach(one, value)
		if (read_string(&texts.at[i++], f, 1, JSON_TEXTS_BYTES, a, one, fault))
			return -EINVAL;
	*(struct json_texts *)to = texts;
	return 0;
}

static int read_count(void *to, const struct json_field *f, const cJSON *value, struct json_fault *fault)
{
	double v = cJSON_IsNumber(value) ? cJSON_GetNumberValue(value) : -1;

	if (!(v >= (double)f->least && v <= (double)f->most) || v != (double)(uint64_t)v)
		return fault_set(fault, false, f->name, "it is a whole number from %" PRIu64 " to %" PRIu64,
				 f->least, f->most);
	*(uint64_t *)to = (uint64_t)v;
	return 0;
}

/* Whoever it is for says what may stand in it. */
static int read_object(void *to, const struct json_field *f, struct arena *a, const cJSON *value, struct json_fault *fault)
{
	char *text = cJSON_IsObject(value) ? cJSON_PrintUnformatted(value) : NULL;
	const bool fits = text && strlen(text) <= f->most;

	if (fits)
		*(const char **)to = arena_strdup(a, text);
	free(text);
	return fits ? 0 : fault_set(fault, false, f->name, "it is an object of at most %" PRIu64 " bytes", f->most);
}

static int read_field(void *out, const struct json_field *f, struct arena *a, const cJSON *value,
		      struct json_fault *fault)
{
	void *to = (char *)out + f->at;

	switch (f->type) {
	case JSON_TEXT:
		return read_text(to, f, a, value, fault);
	case JSON_COUNT:
		return read_count(to, f, value, fault);
	case JSON_TEXTS:
		return read_texts(to, f, a, value, fault);
	case JSON_OBJECT:
		return read_object(to, f, a, value, fault);
	case JSON_TYPE_COUNT:
		break;
	}
	assert(false);
	return -EINVAL;
}

static int read_fields(void *out, const struct json_field *fields, struct arena *a, const cJSON *object,
		       struct json_fault *fault)
{
	uint64_t seen = 0;
	const cJSON *value;

	cJSON_ArrayForEach(value, object) {
		const struct json_field *f = find_field(fields, value->string);

		if (!f)
			return unknown_field(fields, value->string, fault);
		if (seen & UINT64_C(1) << (f - fields))
			return fault_set(fault, false, f->name, "it stands twice");
		seen |= UINT64_C(1) << (f - fields);
		if (read_field(out, f, a, value, fault))
			return -EINVAL;
	}
	for (const struct json_field *f = fields; f->name; f++)
		if (f->required && !(seen & UINT64_C(1) << (f - fields)))
			return fault_set(fault, false, f->name, "it is missing: %s", f->about);
	return 0;
}

int json_read(void *out, const struct json_field *fields, struct arena *a, const char *bytes,
	      size_t len, struct json_fault *fault)
{
	if (check(bytes, len, fault))
		return -EINVAL;
	own(json) cJSON *tree = cJSON_ParseWithLength(bytes, len);
	if (!tree)
		return fault_set(fault, true, "", "it cannot be read");
	if (!cJSON_IsObject(tree))
		return fault_set(fault, false, "", "the body is an object, as {\"%s\": …}", fields->name);
	return read_fields(out, fields, a, tree, fault);
}

/* ---- writing ----------------------------------------------------------------------------------- */

void json_add_text(cJSON *to, const char *name, const char *text)
{
	own(buf) struct buf clean = { 0 };

	utf8_add_clean(&clean, text);
	cJSON_AddStringToObject(to, name, buf_text(&clean));
}

void json_add_count(cJSON *to, const char *name, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, n);
	cJSON_AddRawToObject(to, name, text);
}

void json_add_share(cJSON *to, const char *name, double v)
{
	char text[400]; /* DBL_MAX has 309 digits */

	snprintf(text, sizeof text, "%.4f", v);
	cJSON_AddRawToObject(to, name, text);
}

void json_add_time(cJSON *to, const char *name, uint64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm utc;
	char text[64];

	if (!unix_s || !gmtime_r(&t, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc))
		cJSON_AddNullToObject(to, name);
	else
		cJSON_AddStringToObject(to, name, text);
}

void json_add_tests(cJSON *to, uint32_t run, uint32_t not_run)
{
	cJSON *tests = cJSON_AddObjectToObject(to, "tests");

	json_add_count(tests, "run", run);
	json_add_count(tests, "not_run", not_run);
}
