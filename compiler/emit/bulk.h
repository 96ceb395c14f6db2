/*
 * bulk - many boxes as a few trees in which a packet soon meets the few boxes it may lie in.
 *
 * A tree cuts the space of packets into equal parts by some bits of one field,
 * and each part again, until few boxes are left (HiCuts; Gupta and McKeown, 1999).
 * A box that is wide where others are narrow would be copied into many parts;
 * so boxes may stand in up to six groups, by whether their ends are wide, each
 * with a tree of its own. bpf-templates/abi.h has the layout, and what a tree means:
 * it only leaves out boxes that cannot match.
 *
 *     struct bulk_trees trees;
 *     if (bulk_build(&trees, arena, boxes, count, rules, &culprit))
 *             ... boxes[culprit] is the one that would be copied most
 */
#ifndef TEG_EMIT_BULK_H
#define TEG_EMIT_BULK_H

#include <stdint.h>

#include "bpf-templates/abi.h"
#include "lang/base/arena.h"
#include "lang/bundle/vectors.h"

/* So many leaf entries for each box, taking all boxes together. */
#define BULK_COPIES_MAX 8u

struct bulk_trees {
	struct teg_bulk tell; /* for the program */
	uint64_t *nodes;
	uint32_t *leaves;
	double cost_ns; /* of a packet that lies in a box, each box as likely; a measure to choose by */
};

/* The trees that cost least; -E2BIG and the box at fault when all would need too many copies. */
int bulk_build(struct bulk_trees *out, struct arena *a, const struct teg_bulk_box *boxes, uint32_t count,
	       const struct teg_rule *rules, uint32_t *culprit);

/* What bit vectors cost that ask for so much, by the same measure. */
double bulk_vectors_cost_ns(const struct vectors_ask *ask);

/* What a list of so many boxes costs, and what they ask of sets (TEG_ASKS_ bits), by the same measure. */
double bulk_list_cost_ns(uint32_t boxes, uint32_t asks);

#endif
