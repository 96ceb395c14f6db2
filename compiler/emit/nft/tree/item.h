/*
 * nft_item - what a rule of a long list is about: the ranges that it wants of each axis.
 *
 * Beside the axes an item may ask more, which is known as a number: items with the same number ask the same
 * there, and end alike.
 */
#ifndef TEG_EMIT_NFT_TREE_ITEM_H
#define TEG_EMIT_NFT_TREE_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"

enum nft_axis { NFT_AXIS_FAMILY, NFT_AXIS_PROTO, NFT_AXIS_SRC, NFT_AXIS_DST, NFT_AXIS_SPORT, NFT_AXIS_DPORT, NFT_AXES };

#define NFT_ALL_AXES ((1u << NFT_AXES) - 1)

struct nft_spans {
	const struct addr_range *at; /* ascending, disjoint, not empty */
	size_t len;
};

/* From the first to the last address of an end, by the upper 32 bits: most items are told apart by that. */
struct nft_reach {
	uint32_t lo, hi;
};

static inline bool nft_reach_meet(struct nft_reach x, struct nft_reach y)
{
	return x.lo <= y.hi && y.lo <= x.hi;
}

struct nft_item {
	struct nft_spans on[NFT_AXES];
	unsigned self;	  /* ends that must be the host's own: bits of axes */
	uint32_t beside;  /* what else it asks, and how it ends; equal numbers are equal */
	bool plain;	  /* it asks nothing else: where it covers a part, later items never match */
	bool grouped;	  /* may stand in a map: does nothing but count before it ends */
	/* keys.h fills these in: of source and destination, of both ports. */
	uint8_t keyed[2];  /* leading bits in maps' keys; 0: any that do */
	uint8_t blocks[2]; /* leading bits that all its ranges are blocks of; 0: they are no such blocks */
	uint8_t values[2]; /* how many there are; no more than NFT_KEYS_MOST + 1 is counted */
	struct nft_reach reach[2]; /* of source and destination */
};

_Static_assert(sizeof(struct nft_item) == 128, "there is one of each box of a long list");

/* A part of the space: of each axis one range. */
struct nft_part {
	addr_num lo[NFT_AXES], hi[NFT_AXES];
};

/* Some items of a list, by number, ascending, that meet a part; and of each, by its place, what is not asked there: nft_decided(). */
struct nft_picked {
	uint32_t *at;
	uint8_t *decided;
	size_t len;
};

struct nft_picked nft_picked_new(struct arena *a, size_t room); /* none so far */

static inline void nft_pick(struct nft_picked *l, uint32_t item, unsigned decided)
{
	l->decided[l->len] = (uint8_t)decided;
	l->at[l->len++] = item;
}

/* Items that meet a part. */
struct nft_here {
	const struct nft_item *items;
	const struct nft_part *part;
	struct nft_picked in;
};

struct nft_part nft_everything(void);
bool nft_has_family(const struct nft_part *p); /* one */
bool nft_has_ports(const struct nft_part *p);  /* its one protocol has them */

/* The item asks nothing of the axis in this part. */
bool nft_covers(const struct nft_item *it, const struct nft_part *p, enum nft_axis x);

/* What of an item is not asked in a part: bits of axes. */
unsigned nft_decided(const struct nft_item *it, const struct nft_part *p);
bool nft_takes_all(const struct nft_item *it, const struct nft_part *p);

/* Does some packet match both, as far as the axes tell? */
bool nft_items_meet(const struct nft_item *x, const struct nft_item *y);

#endif
