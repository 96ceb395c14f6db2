/*
 * nft_desk - what trees are planned on.
 *
 *     struct nft_desk desk = { .a = arena, .items = items };
 *     struct nft_here here = nft_desk_look(&desk, &part, picked);
 *
 * Nodes are looked at one after the other, and each needs lists for as long as it is looked at. They lie here, and are wiped
 * for the next node, so that planning asks for memory as often as the largest node does, not as often as there are nodes.
 */
#ifndef TEG_EMIT_NFT_TREE_DESK_H
#define TEG_EMIT_NFT_TREE_DESK_H

#include "compiler/emit/nft/tree/group.h"

/* Where items begin, and where they have ended, along an axis: ascending. */
struct nft_edge {
	addr_num at;
	uint32_t begin, end; /* so many */
};

/* A group, while items join it; those are chained by their places in the list. */
struct nft_joining {
	struct nft_group is; /* without items */
	unsigned decided;    /* of each of them */
	uint32_t first, last;
	size_t len;
};

struct nft_desk {
	struct arena *a;
	const struct nft_item *items;
	VEC(uint32_t) next;		  /* of a group's items, by place */
	VEC(struct nft_joining) groups;
	VEC(struct nft_group) made;
	VEC(uint32_t) members; /* of those */
	VEC(struct addr_range) spans;	  /* of items, within the part, along one axis */
	VEC(addr_num) begins, ends, spare; /* the same, each ascending */
	VEC(struct nft_edge) edges;
	VEC(struct addr_range) ranges;
	VEC(uint32_t) range_of, counts, lasts;
};

/* Empties a list, and makes room in it for so many. */
#define nft_desk_clear(desk, list, wanted)                                                                 \
	do {                                                                                               \
		(list)->len = 0;                                                                           \
		if ((list)->room < (wanted)) {                                                             \
			(list)->room = 2 * (wanted) + 64;                                                  \
			(list)->at = arena_zero((desk)->a, (list)->room * sizeof *(list)->at);             \
		}                                                                                          \
	} while (0)

/* Behind an item that takes all of the part no other counts. */
struct nft_here nft_desk_look(const struct nft_desk *d, const struct nft_part *p, struct nft_picked in);

#endif
