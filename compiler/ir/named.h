/* named - rules by the ids that they are counted by. */
#ifndef TEG_IR_NAMED_H
#define TEG_IR_NAMED_H

#include "compiler/ir/ir.h"
#include "lang/base/strmap.h"

/* Those of layers 1 to 3; of several with one id, the first. */
struct strmap ir_early_named(const struct ir *ir, struct arena *a);

/* The first of any layer, or NULL. */
const struct ir_rule *ir_rule_named(const struct ir *ir, const char *id);

#endif
