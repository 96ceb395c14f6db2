/*
 * limits - a plan that has one limit, written out, and the frames that are held against it.
 *
 *     xdp_run_new_in(&x, xdp_run_hook(), &limits_plan, XDP_RUN_GIVEN_CLOCK, &why)
 *     passed += limits_passes(x, "198.51.100.1", nth);
 */
#ifndef TEG_TEST_LIMITS_H
#define TEG_TEST_LIMITS_H

#include "tests/lib/xdp_run.h"

#define LIMITS_BURST 500
#define LIMITS_NOW 5000000000ull
#define LIMITS_CLIENTS 1000
#define SECOND 1000000000ull

/* One lifeline (TCP to self, port 22) and one reflex: TCP SYN over LIMITS_BURST in a row from a source. */
extern const struct plan limits_plan;

/* In place of its rules: ten in ten seconds from a source, and who sends more is blocked. */
extern struct teg_rule limits_strict[2];

/* A SYN from the nth host, of IPv6 the nth /64, behind `src`. Returns its length. */
size_t limits_syn(uint8_t *frame, size_t room, const char *src, unsigned nth, const char *dst, uint16_t dport, size_t payload);

bool limits_passes(struct xdp_run *x, const char *src, unsigned nth);

/* Of LIMITS_CLIENTS clients here and there those that pass when each sends so many. */
unsigned limits_clients(struct xdp_run *x, unsigned each);

#endif
