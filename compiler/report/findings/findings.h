/*
 * findings - what the prover has against a policy, as diagnostics: rules that
 * never decide, postures that are one, administrative ports open to everyone.
 */
#ifndef TEG_REPORT_FINDINGS_FINDINGS_H
#define TEG_REPORT_FINDINGS_FINDINGS_H

#include "compiler/front/front.h"
#include "compiler/ir/ir.h"
#include "compiler/prove/prove.h"

/* A rule is told to be partly taken when others decide more than this share of it otherwise. */
#define FINDINGS_SHARE 0.9

/* Adds them to what is told of the policy; what could not be decided is a finding too. */
void report_findings(struct compilation *c, struct prover *p, const struct ir *ir);

#endif
