/*
 * blocks - sources, hosts and networks, that a reflex or a person has blocked for a time, wherever arrivals are judged.
 *
 * XDP has them in teg_blocks, nft in the sets blocked4 and blocked6; a person's block is put
 * into all that there are, so that every interface knows it. They stay through rollouts and restarts of
 * tegd, as their engines' other state does, and are gone after a boot. Lifelines outrank them. Before an interface
 * goes from one engine to the other, and after, each learns what the other has.
 */
#ifndef TEG_WARDEN_BLOCKS_BLOCKS_H
#define TEG_WARDEN_BLOCKS_BLOCKS_H

#include "enforcer/proc/message.h"
#include "enforcer/warden/generation/generation.h"
#include "enforcer/warden/kernel.h"

/*
 * Of sources whose block is taken back: those that had none, and pairs of those that a network blocks all the same, and it.
 * Of sources that shall be blocked: those for which there is no place.
 */
struct blocks_told {
	struct prefix *not_blocked, *still_blocked, *no_place; /* room for as many as are asked for; of still_blocked twice as many */
	uint32_t not_blocked_count, still_blocked_count, no_place_count;
};

/*
 * All of the sources, or, when it fails, none that was not before. -ENOENT when nft judges some interface and its set is gone,
 * -ENOSPC when there is no place for some; no_place has all of these, unless it is a length of networks that is one too many.
 * nft judges by chains of that bank; 0: it does not judge. `told` may be NULL.
 */
int blocks_change(struct kernel *k, char bank, const struct block *ask, struct blocks_told *told, struct err *why);

/*
 * A network, or a /64 for one of its addresses, that has an address of this host, or all from which a lifeline admits, is not blocked:
 * who blocks it most likely does not mean his own. -EPERM, with what it has. Lifelines would pass all the same; what else the host needs of its own network would not.
 */
int blocks_spare(struct kernel *k, const struct plan *p, const struct block *ask, struct err *why);

/* Addresses of this host that lie in blocked networks, for that they came later: the block stays, and it is told while it is so. */
struct blocks_own {
	char text[512]; /* a sentence, with the way out; "" when there is none */
	uint32_t count;
};
int blocks_own(struct blocks_own *out, struct kernel *k, struct err *why);

/*
 * What one engine has and the other has not, or for a shorter time, these have then, with the time that is left. What nft has is read
 * as often as it may have placed some since, which takes a time that grows with their square: not where it judges nowhere.
 */
struct block_engines {
	bool programs, nft; /* who judges, or will */
	bool settled;	    /* nobody else does any more */
	char bank;	    /* whose chains nft judges by, or will */
};
int blocks_carry(struct kernel *k, const struct block_engines *to, struct err *why);

/* Those in force. The generation, which may be NULL, knows the reflexes' ids. */
int blocks_list(struct blocks *out, struct kernel *k, const struct generation *g, struct arena *a, struct err *why);

/* Is it a set of nft's with sources in it? */
bool blocks_is_set(const char *name);

/* Of the lengths of networks that nft asks for, those that nobody needs any more go. */
int blocks_tidy(struct kernel *k, char bank, struct err *why);

/* -EUCLEAN: networks are blocked that nft does not look for, or something else stands where it does. */
int blocks_check(struct kernel *k, char bank, struct err *why);

#endif
