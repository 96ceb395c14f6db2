/*
 * nft_grow - one tree: a part is cut, and its parts again, until few questions are left.
 */
#ifndef TEG_EMIT_NFT_GROW_H
#define TEG_EMIT_NFT_GROW_H

#include "compiler/emit/nft_cut.h"
#include "compiler/emit/nft_tree.h"

struct nft_growing {
	struct arena *a;
	const struct nft_item *items;
	bool total;	/* nothing is left unmatched: a packet need not leave the tree */
	unsigned never; /* axes that are not cut: bits */
	double enough_ns; /* a leaf that costs a packet no more is not cut */
	double packet_ns, load_us, maps, weight; /* so far; packets by the items that they come to */
	size_t entries, most; /* items in all nodes */
};

struct nft_node *nft_grow(struct nft_growing *g, struct nft_part p, struct nft_picked l, unsigned depth, double way_ns);

#endif
