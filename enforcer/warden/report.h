/*
 * report - what the warden answers: read from the live kernel, not remembered.
 */
#ifndef TEG_WARDEN_REPORT_H
#define TEG_WARDEN_REPORT_H

#include "enforcer/proc/message.h"
#include "enforcer/warden/generation/generation.h"

/* Fills what depends on the generation and the kernel; everything in the arena. `g` may be NULL. */
void report_status(struct status *out, struct generation *g, struct kernel *k, struct arena *a);

#endif
