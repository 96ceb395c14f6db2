/*
 * responses - what the prover finds against a policy's playbooks and decoys: a step that can
 * break a claim, a decoy that nobody reaches.
 */
#ifndef TEG_REPORT_FINDINGS_RESPONSES_H
#define TEG_REPORT_FINDINGS_RESPONSES_H

#include "compiler/prove/prove.h"
#include "lang/syntax/diag.h"

/* Steps that can break an invariant: errors, without which there is no bundle. */
void report_breaches(struct diags *to, struct prover *p, const struct ir *ir);
/* These, and what else is found. */
void report_responses(struct diags *to, struct prover *p, const struct ir *ir);

#endif
