#include "compiler/ir/without.h"

#include <stdlib.h>

/* Rules by where they lie: what is made depends on which these are, not on their order. */
struct chosen {
	const struct ir_rule **at;
	size_t count;
};

static int by_place(const void *x, const void *y)
{
	uintptr_t a = (uintptr_t)*(const struct ir_rule *const *)x, b = (uintptr_t)*(const struct ir_rule *const *)y;

	return (a > b) - (a < b);
}

static bool is_chosen(const struct chosen *c, const struct ir_rule *rule)
{
	return c->count && bsearch(&rule, c->at, c->count, sizeof *c->at, by_place);
}

/*
 * A rule with a rate is kept: it takes tokens from a bucket that others may share, also of
 * packets that it does not decide.
 */
static struct ir_list list_without(const struct ir_list *l, const struct chosen *gone, struct arena *a)
{
	struct ir_list out = { arena_copy(a, l->rules, l->count * sizeof *l->rules), l->count };

	for (size_t i = 0; i < out.count; i++)
		if (!out.rules[i].rate && is_chosen(gone, &l->rules[i]))
			out.rules[i].box_count = 0;
	return out;
}

struct ir *ir_without(const struct ir *ir, const struct ir_rule *const *rules, size_t count, struct arena *a)
{
	struct ir *out = arena_copy(a, ir, sizeof *ir);
	struct chosen gone = { arena_copy(a, rules, count * sizeof *rules), count };

	if (count)
		qsort(gone.at, count, sizeof *gone.at, by_place);
	out->lifelines = list_without(&ir->lifelines, &gone, a);
	out->blocks = list_without(&ir->blocks, &gone, a);
	out->reflexes = list_without(&ir->reflexes, &gone, a);
	out->postures = arena_copy(a, ir->postures, ir->posture_count * sizeof *ir->postures);
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			out->postures[i].lists[d] = list_without(&ir->postures[i].lists[d], &gone, a);
	return out;
}
