/*
 * nft_cut - by which field, and into which ranges, the items of a part are best cut.
 *
 * The kernel looks a value up among ranges by halving, and among values in a hash, which is faster by far. So addresses
 * may be cut into blocks of so many leading bits: what is wider has several, what is narrower shares its block.
 */
#ifndef TEG_EMIT_NFT_TREE_CUT_H
#define TEG_EMIT_NFT_TREE_CUT_H

#include "compiler/emit/nft/tree/desk.h"

struct nft_cut {
	enum nft_axis axis;
	unsigned bits; /* of an address, that are looked up in a hash; 0: all, in ranges */
	size_t room; /* items of a part, beyond which it ends */
	double score;
};

/* .room is 0 where no cut is worth it. Axes of `never`, by bit, are not cut. */
struct nft_cut nft_cut_find(struct nft_desk *d, const struct nft_here *h, unsigned never);

/* The cut's ranges, in d->ranges. True when every value of the part lies in some range. */
bool nft_cut_make(struct nft_desk *d, const struct nft_here *h, struct nft_cut c);

#endif
