/*
 * steps - where the program has the rows of automata, whose states are in bytes there.
 *
 * A plan has them row by row, in cells. What is read of a signature is one cell of each row: that which leads on. Row by row each of them is in
 * a line of the cache of its own. So cells of a row stand TEG_STEP_APART from each other, those of as many other rows between, and
 * rows begin where what leads on, from state to state of a signature, comes to stand in one line:
 *
 *                 strip 0    strip 1    strip 2   …
 *     line 40                          ┌───────┐
 *     line 41    ┌───────┐             │ a     │
 *     line 42    │ a     │  ┌───────┐  │ b     │
 *     line 43    │ b ──► │  │ a ──► │  │ c ──► │   "bac…" is read here
 *     line 44    │ c     │  │ b     │  └───────┘
 *
 * States that lead on by more than a few bytes stand side by side, those nearest the idle one first: of their rows each cell is read. Those that
 * end something stand so behind all others. Some 7 of a hundred cells are left unused.
 *
 *     struct steps_laid laid = steps_lay(arena, plan);     of a plan that holds: plan_payload_holds()
 */
#ifndef TEG_HOOK_TABLES_STEPS_H
#define TEG_HOOK_TABLES_STEPS_H

#include "lang/base/arena.h"
#include "lang/bundle/plan.h"

struct steps_laid {
	struct teg_automaton *automata; /* as many as the plan's */
	uint32_t *steps, count;		/* cells, without those that stand behind all rows */
};

struct steps_laid steps_lay(struct arena *a, const struct plan *p);

#endif
