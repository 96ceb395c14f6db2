/*
 * nft_shape - a list as layers of items of one shape.
 *
 * Items that are narrow in the destination, in the source, or in neither, make good trees each by themselves; what
 * is narrow in both may stand with either. Layers are gone through one after the other, so an item must not stand in
 * a layer before one that it meets and that comes before it in the list:
 *
 *     layer(x) = the first of its shape that is not before layer(y), for all y before x that x meets
 *
 * Large groups, which are one look-up whatever they are about, have layers of their own before all others.
 */
#ifndef TEG_EMIT_NFT_SHAPE_H
#define TEG_EMIT_NFT_SHAPE_H

#include "compiler/emit/nft_item.h"

enum nft_shape { NFT_SHAPE_NARROW_DST, NFT_SHAPE_NARROW_SRC, NFT_SHAPE_WIDE, NFT_SHAPES };

#define NFT_GROUPS_MOST 12u
/* Layers of all shapes take turns; what must come later than the last stands in it. */
#define NFT_LAYERS (NFT_GROUPS_MOST + 40 * NFT_SHAPES)

/* Some layers are empty. False when it would take too long. */
bool nft_layers_of(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
		   struct nft_picked out[static NFT_LAYERS]);

#endif
