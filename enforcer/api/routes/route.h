/*
 * route - what can be asked, as rows of routes.def, and who answers.
 */
#ifndef TEG_API_ROUTES_ROUTE_H
#define TEG_API_ROUTES_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "enforcer/api/access/access.h"
#include "enforcer/api/json.h"
#include "lang/base/buf.h"

struct request;

enum method { METHOD_GET, METHOD_POST, METHOD_COUNT };
enum body { BODY_NONE, BODY_JSON, BODY_BUNDLE, BODY_TEXT };
enum base { BASE_NEVER, BASE_MAY, BASE_MUST }; /* does If-Match stand in the head? */

enum route_id {
#define ROUTE(id, ...) ROUTE_##id,
#include "enforcer/api/routes/routes.def"
#undef ROUTE
	ROUTE_COUNT
};

enum answer_id {
#define ANSWER(id, ...) ANSWER_##id,
#define MEMBER(...)
#include "enforcer/api/routes/answer.def"
#undef MEMBER
#undef ANSWER
	ANSWER_COUNT
};

struct route {
	const char *name;
	enum method method;
	const char *path;
	enum access access;
	enum body body;
	enum base base;
	const struct json_field *fields; /* of a JSON body */
	enum answer_id answer;
	const char *about;
	void (*handle)(struct request *r);
};

extern const struct route routes[ROUTE_COUNT];
extern const struct json_field posture_fields[], block_fields[], unblock_fields[], bundle_fields[],
	rollback_fields[], earlier_fields[], diff_fields[], heal_fields[], feed_clear_fields[];

const char *method_name(enum method m);
const char *body_name(enum body b); /* its media type, "" when none */

/* NULL when there is no such path, or none of that method; *path_known says which. */
const struct route *route_find(const char *method, const char *path, bool *path_known);

/* "GET, HEAD": what the path takes. */
void route_allow(struct buf *out, const char *path);

/* One per row. Called with the whole body read; asks, answers or refuses (http/request.h). */
#define ROUTE(id, ...) void route_##id(struct request *r);
#include "enforcer/api/routes/routes.def"
#undef ROUTE

#endif
