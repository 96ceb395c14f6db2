/*
 * nft_price - what things cost the kernel, to load and to judge.
 *
 * To load: tests/bench/nft_price, kernel 6.18. To judge: fitted to what tests/bench/nft_bulk measures and tests/bench/nft_model
 * counts. Only their proportions matter.
 */
#ifndef TEG_EMIT_NFT_TREE_PRICE_H
#define TEG_EMIT_NFT_TREE_PRICE_H

#include <stddef.h>

#define COUNTER_US  1.2
#define CHAIN_US    1.0
#define RULE_US	    3.0 /* with its counter and its verdict */
#define QUESTION_US 2.2 /* a load, a comparison, and for some a mask */
#define MAP_US	    7.0
#define MAPS_US	    5.0 /* beside the map itself: the kernel looks for sets in a list of all */
#define ELEMENT_US  0.9
#define RANGE_US    2.4 /* two elements, in a tree */

/* To save, for a map more that every packet may meet. */
#define NFT_MAP_WORTH_US 1000.0

#define RULE_NS	    14.0
#define QUESTION_NS 6.0
#define ITEM_NS	    25.0 /* of an item that is to be compared, more or less */
#define MAP_NS	    150.0
#define DEPTH_NS    45.0 /* of a set of ranges, for each time its half is left */
#define CHAIN_NS    60.0 /* to go to another chain */
#define LEAF_NS	    180.0

struct nft_price {
	double ns, us, maps; /* of a packet that is decided here; to load; maps among that */
	double past_ns;	     /* of a packet that comes past */
};

static inline double nft_load_us(struct nft_price p)
{
	return p.us + p.maps * MAPS_US;
}

static inline double nft_log2(size_t n)
{
	double d = 0;

	for (; n > 1; n /= 2)
		d++;
	return d;
}

#endif
