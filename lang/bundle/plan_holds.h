/*
 * plan_holds - is what a plan's bytes said within every bound that its readers rely on? Asked once, when it has been read.
 */
#ifndef TEG_BUNDLE_PLAN_HOLDS_H
#define TEG_BUNDLE_PLAN_HOLDS_H

#include "lang/base/err.h"
#include "lang/bundle/plan.h"

struct arena;

#define POSTURES_MAX 64 /* teg_config.closed_slot */

/* 0, or an error that says what does not hold. */
int plan_holds(const struct plan *p, struct arena *a, struct err *why);

#endif
