/*
 * bulk_kind - into which groups boxes are best put: by a sample of them. A part of bulk.h.
 *
 *     bulk_choose(choices, scratch, items, count)     ways to group them, the one that should cost least first
 *     bulk_group_of(item, &choices[0].of[family])     the number of an item's group there
 */
#ifndef TEG_EMIT_BULK_KIND_H
#define TEG_EMIT_BULK_KIND_H

#include "compiler/emit/bulk_tree.h"

/* Bits that all boxes of a group ask: of the source, of the destination, and a whole port and protocol. */
struct bulk_kind {
	uint8_t src, dst;
	bool upper;
};

/* A box is of the first kind that it fits. */
struct bulk_grouping {
	struct bulk_kind kinds[TEG_BULK_GROUPS]; /* the last asks nothing */
	unsigned len;
};

enum { BULK_CHOICES = 6 };

struct bulk_choice {
	struct bulk_grouping of[FAMILY_COUNT];
	double cost; /* by the sample, of both families together */
};

void bulk_choose(struct bulk_choice out[BULK_CHOICES], struct arena *a, const struct bulk_item *items, uint32_t count);

/* The first kind that a box is of; the most particular ones come first. */
unsigned bulk_group_of(const struct bulk_item *i, const struct bulk_grouping *g);

/* The root of a kind, but for where its nodes are; and the number of the node to which an item belongs. */
struct teg_bulk_root bulk_root_of(struct bulk_kind k, enum family f);
uint64_t bulk_item_hash(const struct bulk_item *i, const struct teg_bulk_root *r, enum family f);

#endif
