/*
 * bulk_tree - one tree over some boxes. A part of bulk.h.
 *
 *     struct bulk_item items[] = { bulk_item_of(&box, rules), ... };
 *     struct bulk_making m = { .a = arena, .items = items, ..., .enough = 4, .space = 3 };
 *     node = bulk_tree_grow(&m, some, family)     its nodes and leaves are behind those that m has
 */
#ifndef TEG_EMIT_BULK_TREE_H
#define TEG_EMIT_BULK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf-templates/abi.h"
#include "lang/base/addr.h"
#include "lang/base/arena.h"

/* Measured with tests/bench/bulk: a node is a load that waits for the one before it. */
#define BULK_NODE_NS 8.0
#define BULK_CELL_NS 3.0

/*
 * What a group costs, where `met_ns` is what a packet pays that meets all of its tree, `share` of all boxes are in it, and `before` in
 * groups that are asked before. One that is in the tree meets all; of the others most have matched before and leave at once, or have no
 * node. So many boxes as BULK_NEAR_BOXES take a megabyte, which is a second cache: there a root costs little and so do other trees' packets,
 * so more and smaller groups are better.
 */
#define BULK_NEAR_BOXES 16384u

struct bulk_price {
	double begin_ns; /* the root: a line of memory, of long lists a far one */
	double others, spared; /* so much of the tree others meet; less by so much when all boxes are before it */
};

static inline struct bulk_price bulk_price_of(uint32_t boxes)
{
	return boxes <= BULK_NEAR_BOXES ? (struct bulk_price){ 2.0, 0.1, 0 } : (struct bulk_price){ 7.0, 0.4, 0.7 };
}

static inline double bulk_group_ns(struct bulk_price p, double met_ns, double share, double before, bool asks_none)
{
	return p.begin_ns + met_ns * (share + (1 - share) * (asks_none ? 1 : p.others) * (1 - p.spared * before));
}

enum bulk_field { BULK_SRC, BULK_DST, BULK_SPORT, BULK_DPORT, BULK_ICMP, BULK_PROTO, BULK_FIELDS };

/*
 * A box, as trees ask, in one line of the cache: its ends are prefixes, from `base` on and any in the last `free` bits; of the
 * fields behind them the first value and the last.
 */
struct bulk_item {
	addr_num base[BULK_DST + 1];
	uint16_t lo[BULK_FIELDS - BULK_SPORT], hi[BULK_FIELDS - BULK_SPORT];
	uint8_t free[BULK_DST + 1];
	uint8_t families;
	uint8_t asks[2]; /* bits of the source, of the destination */
	bool plain; /* its fields and family say everything: where it lies, later ones never match */
};

static inline addr_num bulk_low_bits(unsigned bits)
{
	return bits >= 128 ? ~(addr_num)0 : ((addr_num)1 << bits) - 1;
}

static inline addr_num bulk_lo(const struct bulk_item *i, enum bulk_field f)
{
	return f <= BULK_DST ? i->base[f] : i->lo[f - BULK_SPORT];
}

static inline addr_num bulk_hi(const struct bulk_item *i, enum bulk_field f)
{
	return f <= BULK_DST ? i->base[f] | bulk_low_bits(i->free[f]) : i->hi[f - BULK_SPORT];
}

/* Boxes by their number, ascending. */
struct bulk_list {
	uint32_t *at;
	size_t len;
};

/* Leaf entries a box, of all boxes together and of those of one group; and the largest leaf that is meant to be one. */
struct bulk_limit {
	unsigned copies, each, enough;
};

/* What is made so far, of all groups. */
struct bulk_making {
	struct arena *a; /* of the result */
	struct arena *passing; /* of the tree at hand */
	const struct bulk_item *items;
	uint32_t item_count;
	unsigned enough; /* boxes for a leaf */
	unsigned space;	 /* a cut may make so many copies of a box, parts without any counted */
	struct bulk_limit limit;
	size_t leaves_most, nodes_most; /* of all groups so far */
	VEC(uint64_t) nodes;
	VEC(uint32_t) leaves;
	uint32_t *copies; /* of each item */
	uint32_t *lists; /* of the parts around the one at hand, one behind the other: BULK_LISTS for each item */
	size_t listed;
	size_t copied;
	uint64_t *known; /* leaves by a hash of what they list */
	size_t known_room, known_len;
	uint32_t depth, longest;
	double cost; /* summed over the leaf entries of a group */
	bool failed;
};

/* A part's list is no longer than the one around it. */
#define BULK_LISTS (TEG_BULK_DEPTH_MAX + 2)

struct bulk_item bulk_item_of(const struct teg_bulk_box *b, const struct teg_rule *rules);

/* The node or leaf where all these boxes, and each packet of the family, begin. */
uint64_t bulk_tree_grow(struct bulk_making *m, struct bulk_list some, enum family family);

#endif
