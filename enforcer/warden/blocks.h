/*
 * blocks - sources that a reflex or a person has blocked for a time, wherever arrivals are judged.
 *
 * XDP has them in teg_blocks, nft in the sets blocked4 and blocked6; a person's block is put
 * into all that there are, so that every interface knows it. They stay through rollouts and restarts of
 * tegd, as their engines' other state does, and are gone after a boot. Lifelines outrank them.
 */
#ifndef TEG_WARDEN_BLOCKS_H
#define TEG_WARDEN_BLOCKS_H

#include "enforcer/proc/message.h"
#include "enforcer/warden/generation.h"
#include "enforcer/warden/kernel.h"

/* All of the sources, or, when it fails, none that was not before. */
int blocks_change(struct kernel *k, const struct block *ask, struct err *why);

/* Those in force. The generation, which may be NULL, knows the reflexes' ids. */
int blocks_list(struct blocks *out, struct kernel *k, const struct generation *g, struct arena *a, struct err *why);

#endif
