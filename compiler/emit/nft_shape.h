/*
 * nft_shape - a list as layers of items of one shape.
 *
 * Items that are wide in both addresses, in the source, in the destination, or in neither, make good
 * trees each by themselves. Layers are gone through one after the other, so an item must not stand in a layer
 * before one that it meets and that comes before it in the list:
 *
 *     layer(x) = max(shape(x), layer(y) for all y before x that x meets)
 */
#ifndef TEG_EMIT_NFT_SHAPE_H
#define TEG_EMIT_NFT_SHAPE_H

#include "compiler/emit/nft_tree.h"

enum nft_shape { NFT_SHAPE_NARROW, NFT_SHAPE_WIDE_SRC, NFT_SHAPE_WIDE_DST, NFT_SHAPE_WIDE, NFT_SHAPES };

/* Layers of all shapes take turns, so many times; what must come later stands in the last. */
#define NFT_ROUNDS_MOST 12
#define NFT_LAYERS (NFT_ROUNDS_MOST * NFT_SHAPES)

/* False when it would take too long. */
bool nft_layers_of(struct arena *a, const struct nft_list *l, int count, struct nft_picked *out);

#endif
