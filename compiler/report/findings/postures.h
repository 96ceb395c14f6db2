/*
 * postures - two that are one.
 */
#ifndef TEG_REPORT_FINDINGS_POSTURES_H
#define TEG_REPORT_FINDINGS_POSTURES_H

#include "compiler/prove/prove.h"
#include "lang/syntax/diag.h"

void report_equal_postures(struct diags *to, struct prover *p, const struct ir *ir);

#endif
