/*
 * draw - a policy from a seed, with all that asking an engine about it needs.
 *
 *     struct drawn d;
 *     if (draw(&d, &g, draw_kind(seed), arena, &why)) ...
 *     draw_feeds(&d, seed);                                 by who asks which programs the kernel takes
 *     xdp_run_new(&x, &d.plan, draw_clock(seed), &why);
 *
 * Beyond gen_policy(): rates that the tables hold but the language does not say, patterns,
 * lists too long for a walk, one rate or two among much that has none, sets too large for the own trie, and as many zones and postures as
 * there may be.
 */
#ifndef TEG_TEST_DRAW_H
#define TEG_TEST_DRAW_H

#include "lang/base/err.h"
#include "lang/bundle/plan.h"
#include "tests/lib/gen.h"
#include "tests/lib/xdp_run.h"

enum draw_kind { DRAW_USUAL, DRAW_VAST, DRAW_LARGE, DRAW_LOOKING, DRAW_WIDE, DRAW_FEW, DRAW_KINDS };

struct drawn {
	struct ir *ir;
	struct netset self;
	struct gen_aim *aim;
	struct plan plan;
};

/* Which kind the policy of this seed is, so that each has its part. */
enum draw_kind draw_kind(uint64_t seed);

/* The clock with which the program of this seed's policy is loaded. */
enum xdp_run_clock draw_clock(uint64_t seed);

/*
 * Half of all ask for feeds, of every kind and with both clocks: what of the program there is depends on it. Only policies of
 * one kind have feeds of their own; these are empty.
 */
void draw_feeds(struct drawn *d, uint64_t seed);

/* -E2BIG: more than the tables hold. */
int draw(struct drawn *d, struct gen *g, enum draw_kind kind, struct arena *a, struct err *why);

/* The plan anew, after rules were left out of the ir. */
int draw_plan(struct drawn *d, struct arena *a, struct err *why);

#endif
