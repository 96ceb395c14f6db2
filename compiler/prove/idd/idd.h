/*
 * idd - functions from a few small numbers to a number, as shared diagrams.
 *
 * An interval decision diagram is a graph. A node belongs to a level (one
 * field of a packet) and splits all 32-bit values of it into intervals; each
 * interval leads to a node of a deeper level or to a number, the answer.
 *
 *     level 0          [ ..5]─────────► 7
 *     (protocol)       [6..6]──► level 4       [ ..21]──► 0
 *                      [7.. ]─┐  (port)        [22..22]──► 1
 *                             └► 7             [23..  ]──► 0
 *
 * A node with one interval is left out, and equal nodes are one node. So two
 * functions are equal exactly when their references are.
 *
 *     own(idd) struct idd *m = idd_new(&budget);
 *
 *     if (!idd_try(m, work, arg))       work() builds and asks;
 *             say "undecided";          false: the budget ran out
 *     idd_reset(m);                     drops every node, keeps the memory
 *
 * All growing happens inside idd_try: when the budget runs out, the engine
 * leaves work() by longjmp. So work() owns nothing but what is in arenas and
 * in structs of its caller. The manager has no state outside itself; nodes
 * are never freed one by one.
 *
 * Steps are counted, not seconds: the same question has the same answer,
 * "undecided" included, on every machine.
 */
#ifndef TEG_PROVE_IDD_IDD_H
#define TEG_PROVE_IDD_IDD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/own.h"

/* A node, or a number when the top bit is set. */
typedef uint32_t idd_ref;

#define IDD_NUMBER(n)	 (0x80000000u | (uint32_t)(n))
#define IDD_IS_NUMBER(r) (((r)&0x80000000u) != 0)
#define IDD_VALUE(r)	 ((r)&0x7fffffffu)

#define IDD_FALSE IDD_NUMBER(0)
#define IDD_TRUE  IDD_NUMBER(1)
#define IDD_NONE  IDD_NUMBER(0x7fffffff) /* no rule has answered */

#define IDD_TOP 0xffffffffu /* the last bound of every node */

/* From the bound before (exclusive) up to `hi` (inclusive). */
struct idd_edge {
	uint32_t hi;
	idd_ref to;
};

struct idd_budget {
	uint32_t slots; /* 8 bytes each, what the nodes of one diagram may take */
	uint64_t steps; /* edges visited, over the life of the manager */
};

struct idd;

struct idd *idd_new(const struct idd_budget *budget);
void idd_free(struct idd *m);
OWN_FREE(idd, struct idd *)

bool idd_try(struct idd *m, void (*work)(struct idd *m, void *arg), void *arg);
void idd_reset(struct idd *m);

/* So far: edges visited; slots in use now. */
uint64_t idd_steps(const struct idd *m);
uint32_t idd_slots(const struct idd *m);

/* --- making ------------------------------------------------------------------------- */

/* A node of any edges in ascending order, the last bound IDD_TOP; children lie deeper. */
idd_ref idd_node(struct idd *m, unsigned level, const struct idd_edge *edges, size_t len);

/* `inside` for lo..hi, `outside` elsewhere. */
idd_ref idd_interval(struct idd *m, unsigned level, uint32_t lo, uint32_t hi, idd_ref inside,
		     idd_ref outside);

enum idd_op {
	IDD_AND,  /* of sets: functions to FALSE and TRUE */
	IDD_OR,
	IDD_DIFF, /* in the first, not in the second */
	IDD_XOR,  /* where two functions to any numbers differ */
	IDD_OVER, /* the first, and the second where the first is NONE: first match */
	IDD_MASK, /* the second where the first, a set, is TRUE; NONE elsewhere */
};

idd_ref idd_apply(struct idd *m, enum idd_op op, idd_ref a, idd_ref b);

/* Number n becomes to(arg, n), a number or NONE; NONE stays. */
typedef idd_ref idd_mapping(const void *arg, uint32_t n);
idd_ref idd_map(struct idd *m, idd_ref a, idd_mapping *to, const void *arg);

/* For a set: where it holds for all (some) values of the levels with chosen[level]. */
idd_ref idd_for_all(struct idd *m, idd_ref a, const bool *chosen);
idd_ref idd_for_some(struct idd *m, idd_ref a, const bool *chosen);

/* With the chosen levels at the values given for them. */
idd_ref idd_fix(struct idd *m, idd_ref a, const bool *chosen, const uint32_t *value);

/* --- asking ------------------------------------------------------------------------- */

unsigned idd_level(const struct idd *m, idd_ref node);
/* Borrowed, and only until the next node is made. */
const struct idd_edge *idd_edges(const struct idd *m, idd_ref node, size_t *len);
idd_ref idd_child(const struct idd *m, idd_ref node, uint32_t value);

/* seen[n] = true for each number n that some values lead to; NONE is not one. */
void idd_numbers(struct idd *m, idd_ref a, bool *seen);

/* How many nodes and edges. */
struct idd_size {
	size_t nodes, edges;
};
struct idd_size idd_size(struct idd *m, idd_ref a);

/*
 * The share of all packets that lead to each number n < len, added to
 * share[n]. `weigh` says the share of lo..hi on a level, all of it being 1.
 */
typedef double idd_weigh(const void *arg, unsigned level, uint32_t lo, uint32_t hi);
void idd_shares(struct idd *m, idd_ref a, idd_weigh *weigh, const void *arg, double *share,
		size_t len);

#endif
