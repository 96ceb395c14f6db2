/* rules_edits - the same policy after some edits. */
#include "tests/lib/rules_gen_parts.h"

#include <string.h>

#include "tests/lib/tap.h"

static void rule_insert(struct ir_list *l, size_t at, struct ir_rule r)
{
	memmove(&l->rules[at + 1], &l->rules[at], (l->count - at) * sizeof *l->rules);
	l->rules[at] = r;
	l->count++;
}

static void rule_remove(struct ir_list *l, size_t at)
{
	memmove(&l->rules[at], &l->rules[at + 1], (l->count - at - 1) * sizeof *l->rules);
	l->count--;
}

static void edit_once(struct rules *g, struct ir_list *l, enum direction d)
{
	size_t rules = l->count - 1, at = rules ? rules_below(g, rules) : 0;
	struct ir_rule fresh = rules_one(g);

	fresh.direction = d;
	switch (rules ? rules_below(g, 4) : 0) {
	case 0:
		rule_insert(l, at, fresh);
		break;
	case 1:
		rule_remove(l, at);
		break;
	case 2: {
		struct ir_rule moved = l->rules[at];

		rule_remove(l, at);
		rule_insert(l, rules_below(g, rules), moved);
		break;
	}
	case 3:
		fresh.id = l->rules[at].id;
		fresh.label = l->rules[at].label;
		l->rules[at] = fresh;
		break;
	}
}

struct ir *rules_edit(struct rules *g, const struct ir *ir, size_t edits)
{
	struct ir *copy = arena_copy(g->arena, ir, sizeof *ir);
	bool small = g->profile == RULES_SMALL;

	if (small && chance(g, 0.3)) {
		static const struct ir_zone more[] = { { .name = "dmz" }, { .name = "wan" },
						       { .name = "lan" } };

		copy->zones = arena_copy(g->arena, more, sizeof more);
		copy->zone_count = ARRAY_LEN(more);
	}
	copy->postures = arena_copy(g->arena, ir->postures,
				    ir->posture_count * sizeof *ir->postures);
	for (size_t p = 0; p < ir->posture_count; p++)
		for (int d = 0; d < DIRECTION_COUNT; d++) {
			struct ir_list *l = &copy->postures[p].lists[d];
			struct ir_rule *rules = arena_zero(g->arena, (l->count + edits) * sizeof *rules);

			memcpy(rules, l->rules, l->count * sizeof *rules);
			l->rules = rules;
		}
	for (size_t i = 0; i < edits; i++) {
		enum direction d = small ? (enum direction)rules_below(g, DIRECTION_COUNT)
					 : DIRECTION_FORWARD;
		struct ir_posture *p = &copy->postures[rules_below(g, ir->posture_count)];

		edit_once(g, &p->lists[d], d);
	}
	return copy;
}
