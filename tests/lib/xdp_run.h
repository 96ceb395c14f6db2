/*
 * xdp_run - the policy program in this kernel, asked frame by frame through
 * BPF_PROG_TEST_RUN: no interface, no packet on any wire.
 *
 *     own(xdp_run) struct xdp_run *x = NULL;
 *     if (xdp_run_new(&x, plan, XDP_RUN_GIVEN_CLOCK, &why)) ...
 *     xdp_run_at(x, zones, posture, now_ns);
 *     action = xdp_run_frame(x, frame, len);                XDP_PASS or XDP_DROP
 *     struct teg_counter c = xdp_run_counter(x, index);     by index into plan->counters
 *
 * Its maps are its own and nothing is pinned. What cannot fail in a kernel
 * that loaded the program ends the test when it does.
 */
#ifndef TEG_TEST_XDP_RUN_H
#define TEG_TEST_XDP_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/cause.h"
#include "enforcer/hook/tables/tables.h"
#include "lang/base/addr.h"
#include "lang/base/err.h"
#include "lang/base/own.h"
#include "lang/bundle/plan.h"

#define XDP_RUN_FRAME_MIN 14 /* the kernel refuses to test shorter frames */
#define XDP_RUN_SKB_MAX 3500 /* and, for TC, longer ones */

struct shared;
struct xdp_run;

/* With a given clock every event is told; else as in the field. */
enum xdp_run_clock { XDP_RUN_GIVEN_CLOCK, XDP_RUN_REAL_CLOCK };

/* With the compiled-in program. -EPERM where BPF is not allowed; -EACCES is the verifier, which refuses the program. */
int xdp_run_new(struct xdp_run **out, const struct plan *plan, enum xdp_run_clock clock, struct err *why);
/* The same for another hook than XDP. Its answers are told as XDP's. */
int xdp_run_new_in(struct xdp_run **out, enum teg_hook hook, const struct plan *plan, enum xdp_run_clock clock,
		   struct err *why);

/* What loops of the programs are like that are made from here on. Unless it is said: free where the kernel may have them, and nothing else is tried. */
void xdp_run_loops(enum tables_loops loops);

/* XDP; TC where the kernel may not be asked for XDP (tables_may_run), for tests that ask often or from two CPUs at once. */
enum teg_hook xdp_run_hook(void);

/* Processor time that opening, sizing, verifying and filling took; maps that outlive generations were there. */
double xdp_run_load_ms(const struct xdp_run *x);
struct tables_spent;
const struct tables_spent *xdp_run_spent(const struct xdp_run *x);

/* One more program by the same tables, as where interfaces have different hooks; and whose program is asked from now on. */
int xdp_run_join(struct xdp_run *x, enum teg_hook hook, const struct plan *plan, struct err *why);
void xdp_run_ask(struct xdp_run *x, enum teg_hook hook);

/* TC's next frames are of so many segments that were merged; 0: of one that was not. */
void xdp_run_merged(struct xdp_run *x, uint32_t segments);

void xdp_run_free(struct xdp_run *x);
OWN_FREE(xdp_run, struct xdp_run *)

/* Zone bits of the interface, posture, and time: what the next frames meet. */
void xdp_run_at(struct xdp_run *x, uint64_t zones, unsigned posture, uint64_t now_ns);

/* Every address of the set is the host's own. */
void xdp_run_self(struct xdp_run *x, const struct addr *own_addresses, size_t count);

/* As an API's request would; until_ns 0 takes it back. */
void xdp_run_block(struct xdp_run *x, struct addr source, uint64_t until_ns);
void xdp_run_block_nets(struct xdp_run *x, const struct prefix *at, size_t count, uint64_t until_ns);

/* What is on the feeds from now on, a bit each: prefixes as a plan has them. */
void xdp_run_feed(struct xdp_run *x, const struct plan_prefix *on, uint32_t count);
/* The same in two steps: beside what is read, and then it is what is read. */
void xdp_run_feed_beside(struct xdp_run *x, const struct plan_prefix *on, uint32_t count);
void xdp_run_fed(struct xdp_run *x);

/* Does the kernel take the frame for a test? For TC it must hold the IP header that its type says, and more than none, but no page. */
bool xdp_run_takes(const struct xdp_run *x, const uint8_t *frame, size_t len);

/* May be called from several threads at once. */
unsigned xdp_run_frame(struct xdp_run *x, const uint8_t *frame, size_t len);

struct teg_counter xdp_run_counter(const struct xdp_run *x, uint32_t slot);
/* CAUSE_COUNT + c: of those that the posture let go on. */
struct teg_counter xdp_run_cause(const struct xdp_run *x, enum cause c);

/* Events since they were last read. */
struct xdp_run_told {
	unsigned count;
	uint8_t severities;	/* bit per severity that the policy asks to be told */
	struct teg_event last;
};
struct xdp_run_told xdp_run_told(struct xdp_run *x);

/* As the reader of events does, which lets the tick go on. */
void xdp_run_tick(struct xdp_run *x, uint32_t tick);
struct teg_telling xdp_run_telling(const struct xdp_run *x);

/* Descriptor of the program; borrowed. */
int xdp_run_program(const struct xdp_run *x);

/* Its maps; borrowed. */
const struct shared *xdp_run_shared(const struct xdp_run *x);

#endif
