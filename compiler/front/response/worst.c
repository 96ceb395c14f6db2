/*
 * worst.c - the most that a run of a playbook can do, and how long that can take.
 */
#include "compiler/front/response/playing.h"

static uint64_t step_wait(const struct pol_act *a)
{
	int waits = step_arg_of(a->step, ARG_WAITS);

	return STEP_TAKES_NS + (waits < 0 ? 0 : a->args[waits].constant.number);
}

static bool has_undo(const struct pol_act *a)
{
	enum play_step undo = play_step_row(a->step)->undo;

	return undo == a->step ? a->undo != NULL : undo != STEP_NONE;
}

static void worst_add(struct play_worst *to, const struct play_worst *w)
{
	to->steps += w->steps;
	to->ns += w->ns;
	to->recovery_steps += w->recovery_steps;
	to->recovery_ns += w->recovery_ns;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Waits are at most a day each, and WEIGHT_MAX bounds the steps: sums do not overflow. */
static struct play_worst worst_of_step(const struct pol_act *a)
{
	struct play_worst w = { .steps = 1, .ns = step_wait(a) * (1 + a->retries) };

	for (uint64_t i = 0, wait = a->first_ns; i < a->retries; i++, wait = wait * 2 < a->last_ns ? wait * 2 : a->last_ns)
		w.ns += wait;
	if (!has_undo(a))
		return w;
	w.recovery_steps = 1;
	w.recovery_ns = play_step_row(a->step)->undo == a->step ? step_wait(a) : STEP_TAKES_NS;
	return w;
}

static struct play_worst worst_of_act(const struct pol_act *a)
{
	struct play_worst x, y;

	switch (a->kind) {
	case ACT_STEP:
		return worst_of_step(a);
	case ACT_PHASE:
		return play_worst_of(&a->acts, false);
	case ACT_PARALLEL:
		return play_worst_of(&a->acts, true);
	case ACT_IF:
		break;
	}
	x = play_worst_of(&a->acts, false);
	y = play_worst_of(&a->otherwise, false);
	return (struct play_worst){ (uint32_t)larger(x.steps, y.steps), (uint32_t)larger(x.recovery_steps, y.recovery_steps),
				    larger(x.ns, y.ns), larger(x.recovery_ns, y.recovery_ns) };
}

struct play_worst play_worst_of(const struct pol_acts *acts, bool beside)
{
	struct play_worst all = { 0 };
	uint64_t longest = 0;

	for (size_t i = 0; i < acts->len; i++) {
		struct play_worst one = worst_of_act(&acts->at[i]);

		longest = larger(longest, one.ns);
		worst_add(&all, &one);
	}
	if (beside)
		all.ns = longest;
	return all;
}
