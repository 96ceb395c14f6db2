/*
 * space - a window's packets as values on the levels of a diagram.
 *
 *     level   field                      values
 *     0       connection state           those of the window
 *             reply direction            0 1
 *             fragment                   those of the window
 *             blocked at run time        0 1        an unknown
 *             zone                       of the terms, and none
 *             protocol                   from the window's first
 *             dst is self, src is self   0 1
 *             dst, src                   ranks, see below
 *             dport, sport               from the window's first
 *             TCP flags                  0..255
 *             ICMP type and code         from the window's first
 *             hop limit 255              0 1
 *     then    each rate                  0 1        an unknown each
 *
 * Addresses are ranks: number i is all addresses from cut i up to before cut
 * i + 1, and no cell of the slices tells them apart. So IPv6 costs what IPv4
 * costs. A value range that covers the window is no test, and the last value
 * of a level stands for everything above it: so equal sets of packets have
 * equal diagrams.
 *
 * What most diagrams do not depend on stands first, where it costs one node;
 * zones move behind the ports when some but few cells ask for one.
 */
#ifndef TEG_PROVE_SPACE_SPACE_H
#define TEG_PROVE_SPACE_SPACE_H

#include "compiler/prove/idd/idd.h"
#include "compiler/prove/window.h"

enum field {
	FIELD_STATE,
	FIELD_REPLY,
	FIELD_FRAGMENT,
	FIELD_BLOCKED,
	FIELD_ZONE,
	FIELD_PROTO,
	FIELD_DST_SELF,
	FIELD_SRC_SELF,
	FIELD_DST,
	FIELD_SRC,
	FIELD_DPORT,
	FIELD_SPORT,
	FIELD_FLAGS,
	FIELD_ICMP,
	FIELD_HOPS,
	FIELD_COUNT, /* from here on, level FIELD_COUNT + i is unknown i */
};

struct cuts {
	addr_num *at; /* at[0] is the window's first address */
	size_t len, room;
};

struct space {
	const struct terms *terms;
	struct window window;
	struct cuts dst, src;
	enum field field_at[FIELD_COUNT]; /* by level */
	unsigned level_of[FIELD_COUNT];
	unsigned levels;
	bool *unknown_level; /* by level: blocked and the rates */

	/* work */
	struct idd_edge *edges;
	size_t edge_count, edge_room;
	const struct side **sides;
	size_t side_count, side_room;
};

void space_release(struct space *s);

/* Ranks fine enough for all the slices and for `more` (a claim's cell, or NULL). */
void space_set(struct space *s, const struct terms *t, const struct window *w,
	       const struct slice *slices, size_t slice_count, const struct cell *more);

/* The packets of a cell: `inside` there, `outside` elsewhere. */
idd_ref space_cell(struct idd *m, struct space *s, const struct cell *c, idd_ref inside,
		   idd_ref outside);

/* Which step decides: the number of the step, for every packet of the window. */
idd_ref space_steps(struct idd *m, struct space *s, const struct slice *slice);

/* The same, but the steps that are `known` are one, with the number behind the last: much cheaper where they are most. */
idd_ref space_steps_among(struct idd *m, struct space *s, const struct slice *slice, const bool *known);

/* A number for who decides, as sort() gives it for a step. */
idd_ref space_sorted(struct idd *m, struct space *s, const struct slice *slice, idd_mapping *sort, const void *arg);

/* Which packets are admitted; cheaper than asking for the step. */
idd_ref space_admitted(struct idd *m, struct space *s, const struct slice *slice);

/* What is done to packets: the number of the verdict. */
idd_ref space_verdicts(struct idd *m, struct space *s, const struct slice *slice);

/* The number of the outcome; NONE where no step has the packet. */
idd_ref space_outcomes(struct idd *m, struct space *s, const struct slice *slice);

/*
 * The packets of a cell of a judgement, decided by it or not, without those of
 * its step's cells before it: so a step's cells are looked at one by one, and
 * no packet twice.
 */
idd_ref space_cell_alone(struct idd *m, struct space *s, const struct judgement *j,
			 const struct cell *c);

/* How a packet of the window is spelled on a level, and what a diagram says of it. */
uint32_t space_value(const struct space *s, unsigned level, const struct point *p);
idd_ref space_ask(const struct idd *m, const struct space *s, idd_ref a, const struct point *p);

/* The addresses of a rank. */
struct addr_range space_addresses(const struct space *s, enum field f, uint32_t rank);

/* The packet values lo..hi of a level, in the field's own numbers (masked fields: bit positions). */
struct value_range {
	addr_num lo, hi;
};
struct value_range space_values(const struct space *s, unsigned level, uint32_t lo, uint32_t hi);

/* How many different values a level has; ranks count as one each. */
uint32_t space_last(const struct space *s, unsigned level);

/*
 * A measure of sets: each field's values weigh alike, so that the window weighs
 * 1; states other than the window's first, exceeded rates and runtime blocks
 * weigh nothing. It serves to say "most of", never to rank.
 */
double space_weigh(const void *space, unsigned level, uint32_t lo, uint32_t hi);

#endif
