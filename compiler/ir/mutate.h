/*
 * mutate - small mistakes on purpose: policies that differ from one in one rule.
 *
 *     struct mutation *all;
 *     size_t count = mutations_of(ir, &all, arena);
 *     for (size_t i = 0; i < count; i++)
 *             const struct ir *wrong = mutate(ir, &all[i], scratch);
 *
 * A rule that several postures inherit was written once, and is changed in all of them. Each
 * rule is deleted, flipped (allow to drop, the rest to allow), widened (one field asked no
 * more) and narrowed (one of its ports, or of its protocols, no more). A default is only
 * flipped. A reflex also loses its rate, its pattern, its block and its exceptions. What has a limit or a
 * rate has twice of it, in all that share it; a limit is also deleted. What emits an event is
 * silent. The limit of a rule goes with its rule.
 */
#ifndef TEG_IR_MUTATE_H
#define TEG_IR_MUTATE_H

#include "compiler/ir/ir.h"
#include "compiler/ir/partial.h"

enum mutation_kind {
	MUTATE_DELETE, MUTATE_FLIP, MUTATE_WIDEN, MUTATE_NARROW_PORT, MUTATE_NARROW_BOX,
	MUTATE_RATE_NONE, MUTATE_RATE_TWICE, MUTATE_BLOCK_NONE, MUTATE_EXCEPT_NONE, MUTATE_SILENT,
	MUTATE_PATTERN_NONE
};

struct mutation {
	const struct ir_rule *rule; /* the first of those that were written as one */
	enum mutation_kind kind;
	enum box_field field; /* MUTATE_WIDEN */
	struct range port;    /* MUTATE_NARROW_PORT: of the destination */
	size_t box;	      /* MUTATE_NARROW_BOX */
};

size_t mutations_of(const struct ir *ir, struct mutation **out, struct arena *a);

/* Shares with `ir` what is as before; lives in `a`. */
struct ir *mutate(const struct ir *ir, const struct mutation *m, struct arena *a);

/* Does the rule have a limit, or a rate, or is it one? Then it matters for later packets too. */
bool rule_counts(const struct ir *ir, const struct ir_rule *r);

/* Every list of an ir: lifelines, blocks, reflexes, watches, then each posture's, by direction. */
size_t ir_list_count(const struct ir *ir);
const struct ir_list *ir_list_at(const struct ir *ir, size_t i, unsigned *posture);

#endif
