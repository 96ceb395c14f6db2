/*
 * allow - comments that allow a finding:
 *
 *     # tegc: allow E0331 "the bastion of the lab" owner "net@example.org" until 2027-01-31
 *     ssh_any: allow tcp to self port 22
 *
 * On a line of its own it holds for the statement or block that follows, at the end of a line for
 * that line. What is allowed is counted apart, and shown to programs only (forms/report.h). Only warnings and
 * what the prover finds can be allowed: everything else hinders the policy's meaning. Past its date
 * an allowance allows nothing, and is a mistake itself. Today is the clock's, or SOURCE_DATE_EPOCH's.
 */
#ifndef TEG_REPORT_ALLOW_H
#define TEG_REPORT_ALLOW_H

#include "compiler/front/front.h"

/* Applied to what was found so far. `tell` what is wrong with the allowances themselves. */
void report_allowances(struct compilation *c, bool tell);

/* The same when everything was looked for: tells those that nothing needs too. */
void report_allowances_all(struct compilation *c);

/* What the comments say, expired ones left out, whatever they apply to. */
struct allowance_said {
	enum diag_code code;
	struct diag_allowance what;
};

struct allowances {
	struct allowance_said *at;
	size_t len, room;
};

struct allowances allowances_said(struct compilation *c);

#endif
