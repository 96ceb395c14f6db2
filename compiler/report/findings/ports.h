/*
 * ports - administrative ports that a posture opens to everyone.
 */
#ifndef TEG_REPORT_FINDINGS_PORTS_H
#define TEG_REPORT_FINDINGS_PORTS_H

#include "compiler/prove/prove.h"
#include "lang/syntax/diag.h"

void report_open_ports(struct diags *to, struct prover *p, const struct ir *ir);

#endif
