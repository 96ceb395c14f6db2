/*
 * text_plan - the first hook's plan of a policy that stands in a test.
 *
 *     own(compilation) struct compilation *c = compilation_new();
 *     int rc = text_plan(&plan, c, "zone wan = ...", &why);
 */
#ifndef TEG_TEST_TEXT_PLAN_H
#define TEG_TEST_TEXT_PLAN_H

#include "compiler/front/front.h"
#include "lang/base/err.h"
#include "lang/bundle/plan.h"

/* The plan lives as long as *c. -EINVAL: the policy is not read. */
int text_plan(struct plan *plan, struct compilation *c, const char *text, struct err *why);

#endif
