/*
 * without - a policy whose useless rules have no boxes: they keep their places, ids and counters, and
 * engines have nothing to ask of them.
 */
#ifndef TEG_IR_WITHOUT_H
#define TEG_IR_WITHOUT_H

#include "compiler/ir/ir.h"

/*
 * `rules` are of `ir`, and decide no packet (prove_idle). Those with a rate stay as they are. What is
 * returned shares everything else with `ir`.
 */
struct ir *ir_without(const struct ir *ir, const struct ir_rule *const *rules, size_t count, struct arena *a);

#endif
