/*
 * keep - a feed's content as a file of the state directory, and in memory.
 *
 *     file     "tegfeed1" | when it was loaded | entries | name | packed content | SHA-256 of all before
 */
#ifndef TEG_WARDEN_FEEDS_KEEP_H
#define TEG_WARDEN_FEEDS_KEEP_H

#include <stdint.h>

#include "lang/base/buf.h"
#include "lang/base/digest.h"
#include "lang/base/err.h"
#include "lang/bundle/feed_pack.h"
#include "lang/bundle/plan.h"

struct feed {
	struct feed *next;
	char name[PLAN_FEED_NAME_MOST + 1];
	uint64_t loaded; /* seconds, CLOCK_REALTIME */
	uint32_t entries;
	struct buf packed;
	struct feed_content content; /* in it */
	struct digest digest;	     /* of it */
	bool cleared;		     /* it was stale when last put into force, and is not */
};

void feed_free(struct feed *f);
OWN_FREE(feed, struct feed *)

static inline uint32_t feed_prefixes(const struct feed *f) /* of NULL: none */
{
	return f ? f->content.count[FAMILY_IP4] + f->content.count[FAMILY_IP6] : 0;
}

/* Takes the packed bytes, once they hold. */
int feed_new(struct feed **out, const char *name, struct buf *packed, uint32_t most, struct err *why);

/* Written and synced beside what is kept; and put in its place. */
int feed_keep_beside(const char *dir, const struct feed *f, struct err *why);
int feed_keep(const char *dir, const char *name, struct err *why);
void feed_keep_not(const char *dir, const char *name);

void feed_forget(const char *dir, const char *name);

/* All that are kept. One that is damaged is left out; *why tells of the last such, and the answer is not 0. */
int feeds_read(struct feed **out, const char *dir, struct err *why);

#endif
