/*
 * window - a part of all packets, and the cells that matter in it.
 *
 * A window is one address family and a range in each wide field. A question is
 * asked only in windows: around what was edited, or around a claim, or, when
 * it is about everything, in windows made small enough by cutting. Only cells
 * that meet a window are looked at there, and none behind one that covers it.
 *
 * That is exact. The packets of a window meet the same cells in the same
 * order, and what is left out has none of them.
 */
#ifndef TEG_PROVE_WINDOW_H
#define TEG_PROVE_WINDOW_H

#include "compiler/prove/judgement/judgement.h"

struct window {
	enum family family;
	uint8_t states;	   /* bit per enum ct_state */
	uint8_t fragments; /* FRAGMENT_ bits */
	bool quiet;	   /* nothing is blocked at run time and no rate is exceeded */
	uint64_t zones; /* every zone of the terms, and ZONE_NONE */
	struct range proto, dport, sport, icmp;
	struct addr_range dst, src;
};

/* All packets of a family. */
struct window window_all(const struct terms *t, enum family family, unsigned states);

/* The smallest window around the cell's packets, within `outer`. False when they do not meet. */
bool window_around(struct window *out, const struct window *outer, const struct cell *c);

bool window_meets(const struct window *w, const struct cell *c);

/* The cells of a judgement that matter in a window, in order. */
struct slice {
	const struct judgement *of;
	const struct cell **at;
	size_t len;
};

void slice_release(struct slice *s);

/* All that matter of a judgement; of another slice, when the window is part of its window. */
struct slice slice_of(const struct judgement *j, const struct window *w);
struct slice slice_narrow(const struct slice *from, const struct window *w);

/*
 * Cuts the window in two at the median bound of one field, such that few cells
 * are on both sides. False when no cut helps.
 */
bool window_cut(const struct window *w, const struct slice *slices, size_t slice_count,
		struct window halves[static 2]);

#endif
