/*
 * nft_tree - a long first-match list as chains in which a packet soon meets the few rules it may match.
 *
 *     struct nft_trees trees;
 *     nft_trees_plan(&trees, arena, &(struct nft_list){ items, count, total, 0 });
 *
 * A node cuts the packets that come to it by one field into ranges, each a part of its own with those
 * items that may match there, and cuts parts again, until few questions are left. Where the list ends in
 * an item that takes everything (total), what is in no range meets the rest: items that ask nothing of
 * that field. Else every value lies in a range, so that nothing need come behind the look-up.
 *
 * An item that is wide where others are narrow is copied into many parts. Against that the list is taken
 * apart into segments, one behind the other, each with a tree that a packet leaves unmatched: pieces of the
 * list, or layers of items that are wide in the same addresses, in which no item stands before one that it
 * meets and that comes before it in the list. Several ways are tried, and the cheapest is taken.
 *
 * Its rooms: nft_item, what items want; nft_group, rules of a leaf; nft_cut and nft_grow, one tree; nft_shape, layers.
 */
#ifndef TEG_EMIT_NFT_TREE_H
#define TEG_EMIT_NFT_TREE_H

#include "compiler/emit/nft_group.h"

struct nft_node {
	struct nft_part part;
	struct nft_picked items;
	bool leaf;

	enum nft_axis axis; /* of a cut */
	struct nft_branch {
		struct addr_range range;
		struct nft_node *node;
	} *branches; /* ascending, disjoint */
	size_t branch_count;
	struct nft_node *rest; /* or NULL: nothing is left */

	const char *chain; /* for who makes chains of it; NULL so far */
};

struct nft_trees {
	struct nft_node **roots; /* by segment */
	size_t count;
	double packet_ns, load_us; /* as far as it can be told ahead */
};

struct nft_list {
	const struct nft_item *items;
	size_t count;
	bool total;	/* the last item takes everything */
	unsigned never; /* axes that must not be cut: bits */
};

void nft_trees_plan(struct nft_trees *out, struct arena *a, const struct nft_list *l);

#endif
