/*
 * nft_shape - a list as layers of items of one shape.
 *
 * Items that are narrow in the destination, in the source, or in neither, make good trees each by themselves; what
 * is narrow in both may stand with either. Layers are gone through one after the other, so an item must not stand in
 * a layer before one that it meets and that comes before it in the list:
 *
 *     layer(x) = the first of its shape that is not before layer(y), for all y before x that x meets
 *
 * Layers of all shapes take turns. Large groups, which are one look-up whatever they are about, are shapes too, and each
 * turn begins with them.
 */
#ifndef TEG_EMIT_NFT_TREE_SHAPE_H
#define TEG_EMIT_NFT_TREE_SHAPE_H

#include "compiler/emit/nft/tree/item.h"

enum nft_shape { NFT_SHAPE_NARROW_DST, NFT_SHAPE_NARROW_SRC, NFT_SHAPE_WIDE, NFT_SHAPES };

/* Those that are not empty, in their order; NULL when it would take too long. */
struct nft_picked *nft_layers_of(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
				 size_t *count);

#endif
