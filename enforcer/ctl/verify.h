/*
 * verify - is an audit log whole: each file of it, and what should lie between them?
 *
 *     own(verify) struct verify v = { 0 };
 *     verify_begin(&v, head)
 *     verify_file(&v, name, &text)           each, in any order
 *     verify_end(&v)
 *     … v.faults, v.files from the oldest
 *
 * An entry can only be missing unseen after the last one: for that somebody must have written a head down. The
 * oldest file may begin with a later entry than 1 when one after it, in the same chain, says that
 * what came before was removed, and which hash that ended with.
 */
#ifndef TEG_CTL_VERIFY_H
#define TEG_CTL_VERIFY_H

#include <stdbool.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/chain.h"

struct verified {
	const char *name;
	struct chain before, end; /* where the chain stands before its first line and after its last; hash "" when that cannot be read */
};

struct verify {
	struct arena *arena;
	const char *head; /* "42-<hash>", or "" */
	bool head_seen;
	VEC(struct verified) files;
	VEC(struct chain) removed; /* what entries say of themselves was removed, and up to where */
	VEC(const char *) faults;  /* each a sentence */
};

void verify_begin(struct verify *v, const char *head);
void verify_free(struct verify *v);
static inline void verify_own_(struct verify *v)
{
	verify_free(v);
}

/* An empty file is none. */
void verify_file(struct verify *v, const char *name, const struct buf *text);

/* What lies between the files, and before the first. */
void verify_end(struct verify *v);

/* The last entry that is known; seq 0 when there is none. */
struct chain verify_last(const struct verify *v);

/* The same, of what was removed before the first file. */
struct chain verify_removed(const struct verify *v);

#endif
