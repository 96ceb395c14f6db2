/*
 * nft_blocks - a set of networks as a few sets of blocks, each of so many leading bits.
 *
 *     ip saddr & 255.255.255.0 @h_5e1f0c93aa12_4      a hash, instead of      ip saddr @n_7e1f0c93aa12_4
 *
 * The kernel finds a value in a hash with one access, and among intervals by halving. So a set of many networks is
 * asked by length of prefix, in a rule each; lengths are rounded up to a few, where that does not make too many blocks.
 */
#ifndef TEG_EMIT_NFT_BLOCKS_H
#define TEG_EMIT_NFT_BLOCKS_H

#include "compiler/emit/nft/make.h"

#define NFT_BLOCKS_LEAST 512u /* parts of a set: below, intervals are as fast (tests/bench/nft_sets) */
#define NFT_BLOCKS_MOST	 6u    /* look-ups: more take as long as one among intervals */

struct nft_blocks {
	unsigned count;
	struct nft_block_set {
		unsigned bits;	   /* of each block */
		struct netset set; /* what they are together; of one family */
		const struct nft_set *made;
	} at[NFT_BLOCKS_MOST];	   /* disjoint; those with most blocks first */
};

/* NULL where one set of intervals, or of hosts, is as good. */
struct nft_blocks *nft_blocks_of(struct nft_maker *mk, const struct netset *set, enum family f);

/* The set of the blocks' first addresses. */
const struct nft_set *nft_block_set_at(struct nft_maker *mk, struct nft_block_set *b, enum family f);

#endif
