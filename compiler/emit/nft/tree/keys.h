/*
 * nft_keys - under how many leading bits addresses of a list stand in maps of several axes.
 *
 *     10.0.0.16/28 . 10.1.0.0/31 . 443        10.0.0.16 . 10.1.0.0 . 443, 10.0.0.16 . 10.1.0.1 . 443   in a map of 28 and 32
 *
 * Such a map has one mask for each part of its key, and an item of shorter prefixes some keys in it. So lengths are chosen for many items together:
 * of those that ask alike, the two lengths under which most is saved, and of what is left again.
 */
#ifndef TEG_EMIT_NFT_TREE_KEYS_H
#define TEG_EMIT_NFT_TREE_KEYS_H

#include "compiler/emit/nft/tree/item.h"

#define NFT_KEYS_MOST 16u /* of one item in a map of several axes */

/* Fills in .keyed, .blocks, .values and .reach. */
void nft_keys_choose(struct nft_item *items, size_t count);

/* Is the protocol of the item a part of a map's key beside such other parts, where such ports are asked before? Axes, bits. */
bool nft_keyed_proto(const struct nft_item *it, unsigned others, unsigned before);

#endif
