/*
 * refuse - a rule that an engine has no room for.
 *
 *     if (t->boxes.len == TEG_BOXES_MAX)
 *             return refuse_rule(why, rule, "there may be at most %u boxes", TEG_BOXES_MAX);
 *
 * gives -E2BIG, "block.bogons: there may be at most 512 boxes", and where the policy has the rule.
 */
#ifndef TEG_EMIT_REFUSE_H
#define TEG_EMIT_REFUSE_H

#include "compiler/ir/ir.h"
#include "lang/base/err.h"

int refuse_rule(struct err *why, const struct ir_rule *rule, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
