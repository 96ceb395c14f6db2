/*
 * trials - what a policy's tests found, as diagnostics: the case, what it expected, what came
 * out, and the rule that decided.
 */
#ifndef TEG_REPORT_TRIALS_H
#define TEG_REPORT_TRIALS_H

#include "compiler/engine/xdp.h"
#include "lang/syntax/diag.h"

/* Adds one diagnostic for each case that does not hold; for a test that is to come, one when all do. */
void report_trial(struct diags *to, const struct trial *t);

/* Adds a diagnostic when the kernel does otherwise. */
void report_engine(struct diags *to, const struct pol_test *test, const struct xdp_trial *x);

/* A packet that leaves out what decides; `which` stands before the sentence, and may be empty. */
void report_open(struct diags *to, const char *which, const struct trial_finding *f);

#endif
