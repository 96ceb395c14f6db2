/*
 * nft - what nft's sets of feeds hold, changed by difference.
 *
 * What they hold is noted, in memory and in feeds/.nft of the state directory, by their handles: a set that somebody made anew
 * has others, and is filled anew. Elements that somebody took out show when a difference is refused.
 */
#ifndef TEG_WARDEN_FEEDS_NFT_H
#define TEG_WARDEN_FEEDS_NFT_H

#include "enforcer/warden/feeds/keep.h"
#include "enforcer/warden/kernel.h"

struct filled;

struct feeds {
	struct feed *kept;
	struct filled *filled;
};

/* The kept content of that name, or NULL. */
struct feed *feeds_kept(const struct kernel *k, const char *name);

/* The notes of the process before: after the contents that they are about. Damaged ones are none. */
void feeds_filled_read(struct kernel *k);
void feeds_filled_free(struct kernel *k);

/* The sets of this feed hold what is on it, NULL for nothing, where nft has them; otherwise they hold what they held. */
int feed_fill(struct kernel *k, const char *name, const struct feed *is, struct err *why);

/* -ENOENT when they are gone: somebody else has removed them. */
int feed_has_sets(struct kernel *k, const char *name, struct err *why);

/* What they hold is not known any more. */
void feed_filled_not(struct kernel *k, const char *name);

#endif
