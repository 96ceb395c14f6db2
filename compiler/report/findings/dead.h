/*
 * dead - rules that never decide, or little of what they are for: which rules decide instead, a packet that
 * shows it, and what mends it where that is sure.
 */
#ifndef TEG_REPORT_FINDINGS_DEAD_H
#define TEG_REPORT_FINDINGS_DEAD_H

#include "compiler/prove/prove.h"
#include "lang/syntax/diag.h"
#include "lang/syntax/source.h"

void report_dead(struct diags *to, const struct sources *sources, struct prover *p, const struct ir *ir);

/* Does a rule of that place stand in the posture? An inherited one stands in several. */
bool posture_has(const struct ir_posture *p, const struct ir_rule *r);

#endif
