/*
 * blocks - sources that a reflex or a person has blocked for a time, wherever arrivals are judged.
 *
 * XDP has them in teg_blocks, nft in the sets blocked4 and blocked6; a person's block is put
 * into all that there are, so that every interface knows it. They stay through rollouts and restarts of
 * tegd, as their engines' other state does, and are gone after a boot. Lifelines outrank them. Before an interface
 * goes from one engine to the other, and after, each learns what the other has.
 */
#ifndef TEG_WARDEN_BLOCKS_H
#define TEG_WARDEN_BLOCKS_H

#include "enforcer/proc/message.h"
#include "enforcer/warden/generation.h"
#include "enforcer/warden/kernel.h"

/*
 * All of the sources, or, when it fails, none that was not before. -ENOENT when nft judges some interface and its set is gone.
 * was[i], where it is not NULL: whether the i-th source was blocked before.
 */
int blocks_change(struct kernel *k, bool nft_judges, const struct block *ask, bool *was, struct err *why);

/* What one engine has and the other has not, or for a shorter time, these have then, with the time that is left. */
struct block_engines {
	bool programs, nft;
};
int blocks_carry(struct kernel *k, const struct block_engines *to, struct err *why);

/* Those in force. The generation, which may be NULL, knows the reflexes' ids. */
int blocks_list(struct blocks *out, struct kernel *k, const struct generation *g, struct arena *a, struct err *why);

#endif
