/*
 * call - one request to the api, and its answer.
 *
 *     own(call) struct call call = { .method = "GET", .path = "/readyz" };
 *     enum exit_code rc = call_make(c, &call);
 *     if (rc)
 *             return rc;              what was wrong has been said, on stderr or as JSON
 *     … call.json, call.text
 */
#ifndef TEG_CTL_CALL_H
#define TEG_CTL_CALL_H

#include <stdio.h>

#include "enforcer/ctl/ctl.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"

struct call {
	/* The request. A method other than GET asks for a change. */
	const char *method, *path;
	const char *type;  /* of the body */
	const char *headers[4]; /* more of them, "Name: value", or NULL */
	const char *body;  /* borrowed; or */
	FILE *file;	   /* a regular file, from its beginning; borrowed */

	/* An answer that goes on is told as it comes, and is not kept; false: enough. That it ends is EXIT_UNAVAILABLE or 0, and not said. */
	bool (*told)(void *cls, const char *bytes, size_t len);
	void *told_cls;
	const char *mended; /* a refusal that has this member is the caller's to say */
	bool again; /* it was answered before: that nobody answers now, or not yet, is the caller's to say */

	/* The answer. */
	struct buf text;
	bool is_stream;
	struct buf tag; /* its ETag, with the quotes; empty when it has none */
	cJSON *json; /* NULL when it is none */
};

void call_release(struct call *call);
static inline void call_own_(struct call *call)
{
	call_release(call);
}

/* 0 when the api said yes; else it has been said why not, and this is how to end. */
enum exit_code call_make(const struct ctl *c, struct call *call);

/* The answer as it came, to stdout. */
enum exit_code call_say_json(const struct call *call);

/* Makes the call; true when its answer is to be put in words. Else *rc says how it ended: refused, or said as JSON since --json asks. */
bool call_for_words(const struct ctl *c, struct call *call, enum exit_code *rc);

/* What the api says of a path: as it came with --json, else in words. The arena ends when they are written. */
typedef void call_words(struct buf *out, struct arena *a, const cJSON *answer);
enum exit_code call_show(const struct ctl *c, const char *path, call_words *words);
/* The same of what a policy has: where the answer's list of that name is empty, it is said first that it has none, or that no policy is known. */
enum exit_code call_show_list(const struct ctl *c, const char *path, const char *list, call_words *words);

/* A member of an answer; "" or 0 when it is not there. */
const char *json_text(const cJSON *object, const char *name);
double json_number(const cJSON *object, const char *name);
bool json_is_true(const cJSON *object, const char *name);
/* Of a status, or of the postures, without a generation: is none enforced, or is it not known which? */
const char *json_unenforced(const cJSON *status);

#endif
