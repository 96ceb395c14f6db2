/*
 * nft_grow - one tree: a part is cut, and its parts again, until few questions are left.
 */
#ifndef TEG_EMIT_NFT_TREE_GROW_H
#define TEG_EMIT_NFT_TREE_GROW_H

#include "compiler/emit/nft/tree/cut.h"
#include "compiler/emit/nft/tree/price.h"
#include "compiler/emit/nft/tree/tree.h"

/*
 * Of a root that has its items, all in the part, what a packet is likely to pay, and what it takes to load. A
 * leaf that costs no more than enough_ns is not cut; axes of `never`, by bit, are never. What takes more than most_us to load
 * is given up once that is known: then it tells no less than that much, and the tree is not whole.
 */
struct nft_growth {
	unsigned never;
	double enough_ns, most_us;
};

struct nft_price nft_grow(struct nft_desk *d, struct arena *a, struct nft_node *root, const struct nft_part *p, const struct nft_growth *how);

/* Makes a leaf, which `h` looks at, a cut; its branches, and the rest, have their items. */
void nft_split(struct nft_desk *d, struct arena *a, struct nft_node *n, const struct nft_here *h, struct nft_cut c);

/* Of how many values a look at the cut's map takes one for the other: 1, or a block's. */
addr_num nft_cut_step(const struct nft_node *n);
size_t nft_cut_elements(const struct nft_node *n); /* of the map: its ranges, or its blocks */
struct nft_price nft_price_of_cut(const struct nft_node *n);

#endif
