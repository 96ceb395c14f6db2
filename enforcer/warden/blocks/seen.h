/*
 * seen - who is blocked already, by himself and by a network around him.
 *
 *     block_places_find(&at, k, why)
 *     struct block_seen all[] = { { .source = … }, … };
 *     blocks_see(k, &ask, all, count, arena, why)
 *
 * nft is asked of all sources together, one length of prefix after the other, and once of a network that several are in.
 */
#ifndef TEG_WARDEN_BLOCKS_SEEN_H
#define TEG_WARDEN_BLOCKS_SEEN_H

#include "enforcer/warden/blocks/nft.h"

/* Where there are blocks. */
struct block_places {
	bool xdp, nft[BLOCK_KINDS][FAMILY_COUNT];
};

int block_places_find(struct block_places *out, struct kernel *k, struct err *why);

static inline bool block_places_nft(const struct block_places *at, struct prefix source)
{
	return at->nft[block_kind(source)][source.addr.family];
}

struct block_seen {
	struct prefix source;
	bool is;	      /* he himself */
	struct prefix around; /* the longest network that he is in, but for those to be left out; len 0: none */
};

/* `apart`: a network that is one of the sources is around no other. */
struct block_question {
	const struct block_places *at;
	bool apart;
};

int blocks_see(struct kernel *k, const struct block_question *ask, struct block_seen *all, uint32_t count, struct arena *a, struct err *why);

#endif
