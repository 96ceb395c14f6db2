/*
 * tc - the anchor at the TC ingress hook of interfaces where XDP does not judge.
 *
 *     tc_open(&t, pin_dir, slots, TC_TCX, why)
 *     tc_join(t, ifindex, why)      a program that lets all pass: it is attached, and judges nothing; a filter of ours whose mark was lost stays
 *     tc_arm(t, ifindex, why)       the anchor in its place, in one step
 *     tc_leave(t, ifindex)
 *
 * As in xdp.h, whatever of attaching can fail, fails in join, and the pins are the truth:
 *
 *     tcx_IFINDEX       a link (TCX, kernel 6.6): before every other program of the hook
 *     clsact_IFINDEX    a filter of the clsact qdisc (before 6.6), with a priority and a handle of our own; a filter
 *                       cannot be pinned, so the pin is of the anchor and only remembers that the filter is ours
 *
 * A filter that says "accept" ends the hook, so ours must be the first: where somebody else's filter has the
 * first priority, joining fails with -EBUSY. Nobody else's filter, program or qdisc is ever touched; a clsact
 * qdisc that was made here stays, empty.
 */
#ifndef TEG_HOOK_TC_H
#define TEG_HOOK_TC_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/base/err.h"
#include "lang/base/own.h"

enum tc_way { TC_TCX, TC_CLSACT };

struct tc;

/* `slots` is borrowed. The way is the best one that may be taken; TC_TCX becomes TC_CLSACT where the kernel has no TCX. */
int tc_open(struct tc **out, const char *pin_dir, int slots, enum tc_way way, struct err *why);
void tc_free(struct tc *t);
OWN_FREE(tc, struct tc *)

struct tc_link {
	bool there; /* ours is attached */
	bool armed; /* and it is the anchor */
	bool judges; /* or that of another version: see xdp.h */
	uint32_t program;
	enum tc_way way;
	unsigned before; /* programs that somebody has put before ours since: they may end the hook. Of TCX alone */
};

int tc_look(struct tc *t, uint32_t ifindex, struct tc_link *out, struct err *why);

int tc_join(struct tc *t, uint32_t ifindex, struct err *why);
int tc_arm(struct tc *t, uint32_t ifindex, struct err *why);
int tc_put(struct tc *t, uint32_t ifindex, int program, struct err *why);
void tc_leave(struct tc *t, uint32_t ifindex);

/*
 * tc_lead - before all other programs again. A link cannot be moved, so there is a new one; between the two, for some
 * 20 us, layers 1 to 3 are not judged, as they were not where a program before ours ended the hook.
 */
int tc_lead(struct tc *t, uint32_t ifindex, struct err *why);

/* Leaves every interface for which keep() says no; also those that are gone. */
void tc_leave_others(struct tc *t, bool (*keep)(uint32_t ifindex, void *context), void *context);

/* How many programs and filters of others the hook has: when ours joins, they judge after it. */
unsigned tc_others(struct tc *t, uint32_t ifindex);

/* Is the anchor pinned, for the next start? Repair pins it again. */
bool tc_is_pinned(struct tc *t, bool repair);

#endif
