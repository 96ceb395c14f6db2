/*
 * lifelines - those by which nobody can come in: their addresses cross no interface but the loopback, where
 * everything passes anyway. That is known before any host is.
 */
#ifndef TEG_REPORT_FINDINGS_LIFELINES_H
#define TEG_REPORT_FINDINGS_LIFELINES_H

#include "compiler/ir/ir.h"
#include "compiler/prove/prove.h"
#include "lang/syntax/diag.h"

void report_lifelines(struct diags *to, struct prover *p, const struct ir *ir);

#endif
