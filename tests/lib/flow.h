/*
 * flow - numbered packets from one network namespace to another, while something changes.
 *
 * A sender numbers its datagrams and sends each number to three UDP ports in turn, at a steady
 * pace. Policies under test admit FLOW_ALWAYS in every state, FLOW_FIRST in one of two alone and
 * FLOW_SECOND in the other alone; so what arrives tells when a change took effect, what it lost,
 * and whether a packet was judged by the old state after another was judged by the new.
 *
 *     flow_begin(&(struct flow){ .outside = "…", .edge = "…", … });
 *     flow_forget(FLOW_SECOND);
 *     … the change …
 *     flow_wait(10000, 80);
 *     flow_seen(FLOW_FIRST).last_ns … flow_seen(FLOW_SECOND).first_ns
 *     struct flow_sum sum = flow_end();
 *
 * One flow in a process. Whatever fails ends the process, having said what.
 */
#ifndef TEG_TESTS_FLOW_H
#define TEG_TESTS_FLOW_H

#include <stdbool.h>
#include <stdint.h>

enum flow_port { FLOW_ALWAYS, FLOW_FIRST, FLOW_SECOND };
enum { FLOW_PORTS = FLOW_SECOND + 1 };

struct flow {
	const char *outside, *edge;  /* names under /run/netns; borrowed until flow_end() */
	const char *source, *target; /* IPv4 addresses of theirs */
	uint32_t pace_ns;	     /* between two numbers */
};

/* What arrived at a port; numbers and times (CLOCK_MONOTONIC) are 0 when nothing did. */
struct flow_seen {
	uint64_t first_number, first_ns; /* since flow_forget() */
	uint64_t last_number, last_ns;
};

struct flow_sum {
	uint64_t sent, arrived; /* at FLOW_ALWAYS */
};

void flow_begin(const struct flow *flow);
void flow_forget(enum flow_port port);
struct flow_seen flow_seen(enum flow_port port);

/* Until something has come to the port since it was forgotten; false when nothing does. On a busy machine packets come late. */
bool flow_arrives(enum flow_port port);

/* Until NUMBERS more were sent and MS milliseconds passed. */
void flow_wait(uint64_t numbers, unsigned ms);

/* The numbers that were sent so far. */
uint64_t flow_sent(void);
/* What was sent and does not come in five seconds is lost. */
struct flow_sum flow_end(void);

uint64_t flow_now_ns(void);

#endif
