/*
 * json - what clients write, read strictly; and a help to write what we answer.
 *
 *     static const struct json_field fields[] = {
 *             { "posture", JSON_TEXT, .required = true, .at = offsetof(struct ask, posture),
 *               .least = 1, .most = 64, .about = "the posture to switch to" },
 *             { 0 }
 *     };
 *     if (json_read(&ask, fields, arena, bytes, len, &fault)) … fault names the field
 *
 * A body is one object of known fields, each at most once and of its type. What RFC 8259 does
 * not allow is refused, and so are text that is not UTF-8, control characters, NUL and half a
 * surrogate pair in strings, and more than JSON_DEPTH_MAX levels: what one reader takes and
 * another refuses has no place here.
 */
#ifndef TEG_API_JSON_H
#define TEG_API_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"

#define JSON_DEPTH_MAX 8

enum json_type { JSON_TEXT, JSON_COUNT, JSON_TEXTS, JSON_OBJECT, JSON_TYPE_COUNT };

/* A list of texts, of at most JSON_TEXTS_BYTES each. */
#define JSON_TEXTS_BYTES 64
struct json_texts {
	const char **at;
	size_t len;
};

/* A list of these ends with a NULL name. */
struct json_field {
	const char *name;
	enum json_type type;
	bool required;
	size_t at;	      /* of a const char * (TEXT, and OBJECT as it was written anew), uint64_t (COUNT) or struct json_texts (TEXTS) */
	uint64_t least, most; /* of the text's bytes, of the number, or of the list's length; of an OBJECT's text */
	const char *about;
};

struct json_fault {
	bool syntax;	/* it is no JSON at all */
	char field[64]; /* "" when it is not about one */
	char text[256]; /* a sentence */
};

/* Into the struct that the fields describe; fields left out stay as they are. Texts live in the arena. */
int json_read(void *out, const struct json_field *fields, struct arena *a, const char *bytes,
	      size_t len, struct json_fault *fault);

static inline void json_own_(cJSON **held)
{
	cJSON_Delete(*held);
}

/* Members added to an object; the text is cleaned to be UTF-8. */
void json_add_text(cJSON *to, const char *name, const char *text);
void json_add_count(cJSON *to, const char *name, uint64_t n); /* exact beyond 2^53 too */
void json_add_share(cJSON *to, const char *name, double v);   /* four decimals */
void json_add_time(cJSON *to, const char *name, uint64_t unix_s); /* RFC 3339, UTC; null when 0 */
void json_add_tests(cJSON *to, uint32_t run, uint32_t not_run);     /* TESTS of routes/answer.def */

#endif
