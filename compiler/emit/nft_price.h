/*
 * nft_price - what things cost the kernel, to load and to judge.
 *
 * Measured with tests/bench/nft_bulk, kernel 6.18. Only their proportions matter.
 */
#ifndef TEG_EMIT_NFT_PRICE_H
#define TEG_EMIT_NFT_PRICE_H

#include <stddef.h>

#define COUNTER_US  3.3
#define CHAIN_US    2.2
#define RULE_US	    5.5
#define QUESTION_US 1.8
#define MAP_US	    10.0
#define MAPS_US	    0.02 /* each with each: the kernel looks for sets in a list of all */
#define ELEMENT_US  1.2

#define RULE_NS	    14.0
#define QUESTION_NS 6.0
#define MAP_NS	    100.0
#define DEPTH_NS    18.0 /* of a set of ranges, for each time its half is left */
#define LEAF_NS	    120.0

struct nft_price {
	double ns, us, maps;
};

static inline double nft_log2(size_t n)
{
	double d = 0;

	for (; n > 1; n /= 2)
		d++;
	return d;
}

#endif
