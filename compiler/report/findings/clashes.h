/*
 * clashes - tests of a policy that contradict each other, as diagnostics.
 */
#ifndef TEG_REPORT_FINDINGS_CLASHES_H
#define TEG_REPORT_FINDINGS_CLASHES_H

#include "compiler/prove/clash.h"
#include "lang/syntax/diag.h"

void report_clashes(struct diags *to, const struct clash_list *all);

#endif
