/*
 * nft_row - a part's items as trees one behind the other.
 *
 * The list is taken apart, into pieces of it or into layers (shape.h), and what is cheaper as one tree is joined
 * again: a tree more is some look-ups for every packet that comes so far, a tree less may be many copies to load.
 * Neighbours are joined, the smallest first, so that the order of rows that meet stays.
 */
#ifndef TEG_EMIT_NFT_TREE_ROW_H
#define TEG_EMIT_NFT_TREE_ROW_H

#include "compiler/emit/nft/tree/desk.h"
#include "compiler/emit/nft/tree/price.h"
#include "compiler/emit/nft/tree/tree.h"

/* The node has its items, all in the part; `share` of all packets come to it. */
struct nft_price nft_row_plan(struct nft_desk *d, struct arena *a, struct nft_node *n, const struct nft_part *p, unsigned never, double share);

/* What is better of two: 3 us more a packet are as bad as 30 ms more to load. */
double nft_price_score(struct nft_price p, double share);

#endif
