/*
 * parts - a manager of diagrams from within: idd.c makes nodes, and what is asked of them is in ask.c.
 *
 * Nodes lie one behind the other in an arena of 8-byte slots; a reference is
 * the number of the first slot:
 *
 *     slot   0        1        2      3      …
 *            len,hash level,-  edge   edge   …
 */
#ifndef TEG_PROVE_IDD_PARTS_H
#define TEG_PROVE_IDD_PARTS_H

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/prove/idd/idd.h"
#include "compiler/prove/mutant.h"
#include "lang/base/memory.h"

struct head {
	uint32_t len, hash;
	uint32_t level, unused;
};

#define HEAD_SLOTS (sizeof(struct head) / sizeof(struct idd_edge))

/* A remembered answer; `age` tells those from before the last reset apart. */
struct memo {
	idd_ref a, b;
	uint32_t op;
	uint32_t age;
	idd_ref result;
};

struct idd {
	struct idd_edge *slots;
	uint32_t used, room;

	uint32_t *table; /* open addressing, FREE or the node */
	uint32_t table_mask;
	uint32_t nodes;

	struct memo *memo; /* direct mapped */
	uint32_t memo_mask;
	uint32_t age;
	uint32_t next_op; /* each map and quantification is an operation of its own */

	struct idd_edge *stack; /* edges of the nodes being made */
	uint32_t depth, stack_room;

	uint32_t *mark;	 /* by slot: mark[a] == stamp when visited */
	uint32_t *place; /* then, as the how-manieth */
	uint32_t mark_room, stamp;

	struct idd_budget budget;
	uint64_t steps;
	bool guarded;
	jmp_buf escape;
};

static inline struct head *head_at(const struct idd *m, idd_ref a)
{
	return (struct head *)&m->slots[a];
}

static inline struct idd_edge *edges_at(const struct idd *m, idd_ref a)
{
	return &m->slots[a + HEAD_SLOTS];
}

#endif
