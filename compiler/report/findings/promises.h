/*
 * promises - what the prover says to a policy's own claims, as diagnostics. What is proved is not told of.
 */
#ifndef TEG_REPORT_FINDINGS_PROMISES_H
#define TEG_REPORT_FINDINGS_PROMISES_H

#include "compiler/prove/promise.h"
#include "lang/syntax/diag.h"

void report_promises(struct diags *to, const struct promise_list *all);
void report_promise(struct diags *to, const struct promise *p);

/* One that was asked for, for programs: the value of "proof" in the envelope of docs/schemas. */
struct cJSON;
struct cJSON *report_promise_json(const struct promise *p, const char *claim);

#endif
