/*
 * nft_tree - a long first-match list as chains in which a packet soon meets the few rules it may match.
 *
 *     struct nft_trees trees;
 *     nft_trees_plan(&trees, arena, &(struct nft_list){ items, count, 0 });
 *
 * A node cuts the packets that come to it by one field into ranges, each a part of its own with those
 * items that may match there, and cuts parts again, until few questions are left. What is in no range meets
 * the rest: items that ask nothing of that field.
 *
 * An item that is wide where others are narrow is copied into many parts. Against that a list is taken apart
 * into a row of trees, one behind the other, of which a packet leaves each unmatched but the one that decides it.
 *
 * In this room: nft_item, what items want; nft_desk, the lists that they are looked at on; nft_group, rules of a
 * leaf; nft_keys, lengths of prefixes in their maps; nft_price, what each thing costs; nft_cut and nft_grow, one tree;
 * nft_row, trees one behind the other, of nft_shape's layers.
 */
#ifndef TEG_EMIT_NFT_TREE_TREE_H
#define TEG_EMIT_NFT_TREE_TREE_H

#include "compiler/emit/nft/tree/group.h"

enum nft_node_kind {
	NFT_NODE_LEAF,
	NFT_NODE_CUT,
	NFT_NODE_ROW,
};

/* Which part it is follows from where it stands: nft_branch_part(). A row's trees, and what is left of a cut, are of its own part. */
struct nft_node {
	enum nft_node_kind kind;
	enum nft_axis axis; /* of a cut */
	unsigned bits;	    /* leading ones, of an address, that tell the branches apart; 0: they are ranges of values */
	enum family family; /* of its packets, where an address is cut */
	struct nft_picked items;
	struct nft_branch {
		struct addr_range range;
		struct nft_node *node;
	} *branches; /* ascending, disjoint */
	size_t branch_count;
	struct nft_node *rest; /* or NULL: nothing is left */

	struct nft_node **row; /* no rows among them */
	size_t row_len;

	const char *chain; /* for who makes chains of it; NULL so far */
};

struct nft_trees {
	struct nft_node *root;
	double packet_ns, load_us; /* as far as it can be told ahead */
};

struct nft_list {
	struct nft_item *items; /* are given their .keyed */
	size_t count;
	unsigned never; /* axes that must not be cut: bits */
};

/* Of the branches of a cut, whose part is `p`. */
struct nft_part nft_branch_part(const struct nft_node *cut, const struct nft_part *p, size_t i);

/* The root's part is nft_everything(). */
void nft_trees_plan(struct nft_trees *out, struct arena *a, const struct nft_list *l);

#endif
