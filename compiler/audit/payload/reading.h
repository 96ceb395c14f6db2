/*
 * reading - a plan's payload tables, while they are audited: what the files of this room share.
 *
 *     rows.c     which rows look for which pattern, and in which lists these stand
 *     boxes.c    the boxes of rules that look into payloads
 *     abreast.c  all patterns of an automaton, walked at once beside the tables
 *     alone.c    one pattern, walked by itself: of those that the tables do not keep apart
 *     windows.c  every window that could change what is read is in the maps
 *     ages.c     no state is older than it says
 *
 * Each is asked by payload.c in this order, and refuses with the rule's id.
 */
#ifndef TEG_AUDIT_PAYLOAD_READING_H
#define TEG_AUDIT_PAYLOAD_READING_H

#include <errno.h>

#include "compiler/ir/ir.h"
#include "lang/base/err.h"
#include "lang/bundle/plan.h"

#define PAYLOAD_NOBODY	   UINT32_MAX
#define PAYLOAD_DIFFERS	   "the tables find in payloads what its pattern does not, or do not what it does"
#define PAYLOAD_STEPS_MOST 4000000000ull /* of all pairs together: some ten seconds */

/* Rows that look for one pattern, and the lists in which they stand. */
struct looked_for {
	const struct pol_payload *said;
	const char *id;
	VEC(uint32_t) rows;
	VEC(uint32_t) places;
	uint32_t automaton;
	uint32_t nth, idle; /* of its automaton; the state in which it mostly is, a guess */
	bool alone;	    /* to be walked by itself */
};

struct payload_reading {
	struct arena *arena;
	const struct ir *meant;
	const struct plan *plan;
	VEC(struct looked_for *) patterns;
	struct looked_for **of_row;
	uint64_t steps;
	struct err *why;
};

/* A state of the tables, and what stands beside it. */
struct payload_pair {
	uint32_t state, own;
};

/* Bytes in classes that two automata tell apart together. */
struct payload_joined {
	uint8_t of[256];       /* by byte */
	uint8_t parts[256][2]; /* by class: the class of either that it lies in */
	unsigned count;
};

static inline int payload_refuse(struct payload_reading *r, const char *id, const char *what)
{
	return err_set(r->why, EPROTO, "%s: %s", id, what);
}

static inline int payload_too_much(struct payload_reading *r, const char *id)
{
	return err_set(r->why, E2BIG, "%s: the budget did not suffice to prove that its pattern is looked for", id);
}

/* Where the steps of the automaton end. */
static inline uint32_t payload_end(const struct plan *p, uint32_t automaton)
{
	return automaton + 1 < p->config.payload.automata ? p->payload.automata[automaton + 1].idle : p->config.payload.steps;
}

/* join.c */
void payload_join(struct payload_joined *out, const uint8_t *class_of, const uint8_t *other);

int payload_rows(struct payload_reading *r);
int payload_lists(struct payload_reading *r);
int payload_boxes(struct payload_reading *r);
int payload_abreast(struct payload_reading *r, uint32_t automaton); /* marks those that are to be walked alone */
int payload_alone(struct payload_reading *r);
int payload_windows(struct payload_reading *r, uint32_t automaton);
int payload_ages(struct payload_reading *r, uint32_t automaton);

#endif
