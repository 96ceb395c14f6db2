/*
 * problem - how a request is refused: RFC 9457, with the way out.
 *
 *     { "type": "urn:tegumentar:problem:field", "problem": "field", "status": 422,
 *       "title": "A field is not what it must be", "field": "posture",
 *       "detail": "posture: it is a string", "try": "change it; docs/api.md says what each field may be" }
 */
#ifndef TEG_API_HTTP_PROBLEM_H
#define TEG_API_HTTP_PROBLEM_H

#include <cjson/cJSON.h>

enum problem {
#define PROBLEM(id, ...) PROBLEM_##id,
#include "enforcer/api/http/problem.def"
#undef PROBLEM
	PROBLEM_COUNT
};

struct problem_row {
	const char *name;
	unsigned status;
	int exit;
	const char *title, *advice;
};

extern const struct problem_row problem_rows[PROBLEM_COUNT];

/* The object; further members may be added. `advice` NULL: the row's. */
cJSON *problem_json(enum problem p, const char *field, const char *detail, const char *advice);

#endif
