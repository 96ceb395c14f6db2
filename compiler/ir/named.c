#include "compiler/ir/named.h"

#include <string.h>

#define EARLY 5 /* lists of layers 1 to 3 */

static const struct ir_list *early(const struct ir *ir, size_t i)
{
	const struct ir_list *const lists[EARLY] = { &ir->lifelines, &ir->feeds, &ir->blocks, &ir->reflexes, &ir->watches };

	return lists[i];
}

struct strmap ir_early_named(const struct ir *ir, struct arena *a)
{
	struct strmap m;

	strmap_init(&m, a);
	for (size_t l = 0; l < EARLY; l++)
		for (size_t i = 0; i < early(ir, l)->count; i++)
			strmap_add(&m, early(ir, l)->rules[i].id, &early(ir, l)->rules[i]);
	return m;
}

static const struct ir_rule *rule_in(const struct ir_list *l, const char *id)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->rules[i].id, id))
			return &l->rules[i];
	return NULL;
}

const struct ir_rule *ir_rule_named(const struct ir *ir, const char *id)
{
	const struct ir_rule *r = NULL;

	for (size_t l = 0; !r && l < EARLY; l++)
		r = rule_in(early(ir, l), id);
	for (size_t i = 0; !r && i < ir->posture_count; i++)
		for (int d = 0; !r && d < DIRECTION_COUNT; d++)
			r = rule_in(&ir->postures[i].lists[d], id);
	return r;
}
