/*
 * rehearse - the packets of the policy's tests through the program of a generation that is
 * being staged, in this kernel (BPF_PROG_TEST_RUN), before any packet meets it.
 *
 *     rc = rehearse(drill, &load, &why)      -EBADE: it does otherwise than the test says; *why names the test
 *
 * It is the bundle's program with the bundle's tables, verified and translated by this
 * kernel a second time with buckets, blocks, counters and a clock of its own, so that
 * nothing in force is counted or blocked. Nothing is attached or pinned.
 *
 * Held against the test are the verdict of every packet, and the counter of the rule that decided it.
 */
#ifndef TEG_WARDEN_GENERATION_REHEARSE_H
#define TEG_WARDEN_GENERATION_REHEARSE_H

#include "enforcer/hook/tables/tables.h"
#include "lang/bundle/drill.h"

/* Only where tables_may_run(). Of `as` the object, its length and the plan are asked. */
int rehearse(const struct drill *d, const struct tables_load *as, struct err *why);

#endif
