/*
 * feeds - what is on the feeds of the policy in force, wherever arrivals are judged.
 *
 *     feeds_open(&kernel, why)                        at a start: what was kept
 *     feeds_replace(g, &kernel, &ask, fd, &no)        somebody brought another content
 *     feeds_follow(g, &kernel, why)                   some is stale now, or the kernel may have another content
 *     feeds_close(&kernel)
 *
 * A content belongs to a feed's name: it goes on through rollouts and restarts, in a file of its own in the state
 * directory (feeds/NAME), and goes when a generation that stays has no feed of that name.
 *
 *     kept beside ──► nft, by difference, in one transaction ──► kept ──► programs: the bank that is not read, then it is
 *
 * Whatever can fail comes before the last step. Whoever dies in between leaves, to each engine, the old content or the new
 * one, and the file says which of them the next start puts everywhere. A file that is damaged is said, and nothing is
 * on its feed until it is loaded again.
 */
#ifndef TEG_WARDEN_FEEDS_FEEDS_H
#define TEG_WARDEN_FEEDS_FEEDS_H

#include "enforcer/hook/atlas/atlas.h"
#include "enforcer/proc/message.h"
#include "enforcer/warden/generation/generation.h"
#include "enforcer/warden/kernel.h"

struct feeds;

/* What cannot be read is told by *why, and left out. */
int feeds_open(struct kernel *k, struct err *why);
void feeds_close(struct kernel *k);

/* What is on the plan's feeds now, as the programs read it; at NULL when nothing is. */
int feeds_atlas(struct atlas *out, const struct plan *p, const struct kernel *k, struct err *why);

/* The sets that nft has for the plan's feeds hold what is on these. What they hold already is not touched. */
int feeds_fill(struct kernel *k, const struct plan *p, struct err *why);

/*
 * What an earlier process said that nft's sets hold is so where its generation is adopted: then it counts from now on. Where
 * one is staged first, the sets may be others.
 */
void feeds_adopted(struct kernel *k);
void feeds_doubt(struct kernel *k);

/* -ENOENT with RESULT_CANNOT: nft judges some interface, and its sets of the feed are gone; nothing changed. */
int feeds_replace(struct generation *g, struct kernel *k, const struct feed_given *ask, int fd, struct refusal *no);

/* Programs and nft, again. */
int feeds_follow(struct generation *g, struct kernel *k, struct err *why);

/* Does something become stale that is then on no feed any more? So many milliseconds on; UINT64_MAX: never. */
uint64_t feeds_in_ms(const struct generation *g, const struct kernel *k);

/* Contents of feeds that the plan does not have go. */
void feeds_collect(struct kernel *k, const struct plan *p);

/* The rows point into the plan and the contents. */
void feeds_tell(struct feeds_told *out, const struct generation *g, const struct kernel *k, struct arena *a);

#endif
