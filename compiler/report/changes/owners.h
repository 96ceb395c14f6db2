/*
 * owners - allowances (allow.h) that a change brings and that name nobody, though the policy or its other
 * allowances have owners: who is asked when one is due?
 */
#ifndef TEG_REPORT_CHANGES_OWNERS_H
#define TEG_REPORT_CHANGES_OWNERS_H

#include "compiler/front/front.h"
#include "compiler/prove/diff/diff.h"

/* The diff with them among its facts. */
const struct diff *report_owners(const struct diff *d, struct compilation *old, struct compilation *new,
				 const struct ir *was, const struct ir *is);

#endif
