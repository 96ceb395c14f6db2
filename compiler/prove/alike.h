/*
 * alike - do two lists do the same to every packet, and say the same of it?
 *
 * Each step has an outcome, a number for the verdict and for all else that is done: which
 * counter counts, what is logged, for how long a source is blocked. The caller gives them.
 *
 *     meant = alike_list(arena, ir, posture, direction, listed, count);
 *     made  = …
 *     struct alike a = prove_alike(p, &terms, &window, meant, made);
 *
 * Where both have the same outcomes in the same order, step is held against step, which takes
 * time in proportion to the lists; where they have not, or where two steps differ, the packets
 * concerned are looked at in windows, as for any edit of a policy.
 */
#ifndef TEG_PROVE_ALIKE_H
#define TEG_PROVE_ALIKE_H

#include "compiler/prove/prove.h"
#include "compiler/prove/window.h"

/* One place of a first-match list. */
struct listed {
	struct cell cell;
	uint32_t outcome;
};

/* Neighbours with the same outcome are one step. The cells are copied. */
struct judgement *alike_list(struct arena *a, const struct ir *ir, unsigned posture,
			     enum direction direction, const struct listed *at, size_t count);

#define ALIKE_NOTHING UINT32_MAX /* instead of an outcome: no step has the packet */

/* PROVED, REFUTED with a packet and what each list does to it, or UNDECIDED. */
struct alike {
	enum answer answer;
	struct witness witness;
	uint32_t meant, made;
	struct progress progress;
};

/* Of the packets of the window, and whatever the unknowns are. */
struct alike prove_alike(struct prover *p, const struct terms *terms, const struct window *w,
			 struct judgement *meant, struct judgement *made);

#endif
