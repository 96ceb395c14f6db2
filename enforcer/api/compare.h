/*
 * compare - two bundles, read in the process without privilege, and what differs between them.
 *
 *     own(view) struct view bytes = { 0 };
 *     own(side) struct side was = { 0 }, is = { 0 };
 *     view_file(&bytes, fd) && !side_read(&is, arena, &bytes, why)
 *     compare_add(json, arena, &was, &is)       a side that is empty has no rules, and no text
 *
 * It is told by the names of rules and postures, and line by line of the resolved policies. What it means for packets
 * `tegc diff` says, which has the prover.
 */
#ifndef TEG_API_COMPARE_H
#define TEG_API_COMPARE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "lang/bundle/bundle.h"
#include "lang/bundle/plan.h"

/* A file's bytes, as long as it is mapped. */
struct view {
	void *at;
	size_t len;
};

void view_own_(struct view *v);
bool view_file(struct view *out, int fd); /* false when it is empty */

struct side {
	struct bundle *bundle; /* NULL: there is none */
	struct plan plan;
	const char *text; /* the resolved policy */
};

void side_own_(struct side *s);
/* The view must outlive it. */
int side_read(struct side *out, struct arena *a, const struct view *v, struct err *why);

bool compare_same(const struct side *was, const struct side *is);

/* rules_added, rules_removed, postures_added, postures_removed, text, text_complete. */
void compare_add(cJSON *to, struct arena *a, const struct side *was, const struct side *is);

#endif
