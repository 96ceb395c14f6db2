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
 * In a leaf, items that ask the same of a packet but for some values stand in one map ("group"):
 *
 *     counter name ip saddr & 255.255.255.240 . th dport map { 10.0.0.16 . 443 : "P.web", … } accept
 *
 * What an item is about is known here by the ranges it wants of each axis, and by what else it asks, as a
 * number: items with the same number ask the same beside the axes and end alike.
 */
#ifndef TEG_EMIT_NFT_TREE_H
#define TEG_EMIT_NFT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"

enum nft_axis { NFT_AXIS_FAMILY, NFT_AXIS_PROTO, NFT_AXIS_SRC, NFT_AXIS_DST, NFT_AXIS_SPORT, NFT_AXIS_DPORT, NFT_AXES };

struct nft_spans {
	const struct addr_range *at; /* ascending, disjoint, not empty */
	size_t len;
};

struct nft_item {
	struct nft_spans on[NFT_AXES];
	unsigned self;	  /* ends that must be the host's own: bits of axes */
	uint32_t beside;  /* what else it asks, and how it ends; equal numbers are equal */
	bool plain;	  /* it asks nothing else: where it covers a part, later items never match */
	bool grouped;	  /* may stand in a map: does nothing but count before it ends */
};

/* Where a node stands: of each axis one range. */
struct nft_part {
	addr_num lo[NFT_AXES], hi[NFT_AXES];
};

/* Items of a leaf that become one rule. Of one axis any ranges; of several, few single values under one mask each. */
struct nft_group {
	const uint32_t *items; /* ascending */
	size_t len;
	bool map;
	unsigned axes;		  /* bits: what its keys are put together of */
	unsigned bits[NFT_AXES];  /* of several axes: leading bits of an address that count; not 0 where single values do */
};

struct nft_node {
	struct nft_part part;
	const uint32_t *items; /* ascending */
	size_t len;
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

/* What of an item is not asked in a part: bits of axes. */
unsigned nft_decided(const struct nft_item *it, const struct nft_part *p);

/* The rules of a leaf, in their order. */
struct nft_group *nft_groups(struct arena *a, const struct nft_item *items, const struct nft_node *leaf, size_t *count);

#endif
