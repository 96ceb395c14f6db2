/*
 * nft_group - items of a leaf that become one rule.
 *
 * Items that ask the same of a packet but for some values stand in one map:
 *
 *     counter name ip saddr & 255.255.255.240 . th dport map { 10.0.0.16 . 443 : "P.web", … } accept
 *
 * An item joins a group before it only when it meets none of those that it is moved before.
 */
#ifndef TEG_EMIT_NFT_TREE_GROUP_H
#define TEG_EMIT_NFT_TREE_GROUP_H

#include "compiler/emit/nft/tree/item.h"

struct nft_desk;
struct nft_price;

/* Of one axis any ranges; of several, few single values under one mask each. */
struct nft_group {
	const uint32_t *items; /* ascending */
	size_t len;
	bool map;
	unsigned decided;	  /* of each of them */
	unsigned axes;		  /* bits: what its keys are put together of */
	unsigned bits[NFT_AXES];  /* of several axes: leading bits of an address that count */
};

/* The rules of a leaf, in their order; they lie on the desk until it is asked for others. */
struct nft_group *nft_groups(struct nft_desk *d, const struct nft_part *p, struct nft_picked l, size_t *count);

/*
 * The largest groups that items would be, one look-up instead of that many rules: of[i] is the number, from 1, of the one
 * that l.at[i] could stand in, or 0. Returns how many there are.
 */
unsigned nft_large_groups(const struct nft_item *items, const struct nft_part *p, struct nft_picked l, size_t least, unsigned most,
			  uint8_t *of);

/* False when it is no leaf: too many rules. */
bool nft_price_of_leaf(struct nft_desk *d, const struct nft_here *h, struct nft_price *out);

/* Is it a leaf whose rules cost a packet no more than this? Told sooner than what one costs that is not. */
bool nft_leaf_is_worth(struct nft_desk *d, const struct nft_here *h, double ns, struct nft_price *out);

#endif
