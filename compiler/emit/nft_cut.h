/*
 * nft_cut - by which field, and into which ranges, the items of a part are best cut.
 *
 * The kernel looks a value up among ranges by halving, and among values in a hash, which is faster by far. So addresses
 * may be cut into blocks of so many leading bits: what is wider has several, what is narrower shares its block.
 */
#ifndef TEG_EMIT_NFT_CUT_H
#define TEG_EMIT_NFT_CUT_H

#include "compiler/emit/nft_item.h"

/* Where items begin and end along an axis, in the order of the places. */
struct nft_edge {
	addr_num at;
	uint32_t item;
	int by; /* how many more lie behind it */
};

struct nft_edges {
	struct nft_edge *at;
	size_t len;
	size_t wild; /* items that ask nothing of the axis here */
};

struct nft_cut {
	enum nft_axis axis;
	unsigned bits; /* of an address, that are looked up in a hash; 0: all, in ranges */
	size_t room; /* items of a part, beyond which it ends */
	double score;
};

/* The ranges of a cut, and how the items lie in them. */
struct nft_sweep {
	struct arena *a;
	VEC(struct addr_range) ranges;
	size_t wild;
	double sum, squares;
};

/* .room is 0 where no cut is worth it. Axes of `never`, by bit, are not cut. */
struct nft_cut nft_cut_find(const struct nft_item *items, const struct nft_part *p, struct nft_picked l, unsigned never);

struct nft_edges nft_edges_of(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
			      enum nft_axis x, unsigned bits);
void nft_sweep_along(struct nft_sweep *s, const struct nft_edges *e, addr_num last, size_t room);

/* Every value of the part lies in some range. */
bool nft_ranges_fill(const struct nft_sweep *s, const struct nft_part *p, enum nft_axis x);

#endif
