/*
 * drill - the packets of a policy's tests, as frames, for the host to try before
 * it switches: the bundle's member `drill`. tegc encodes it, tegd decodes it.
 *
 *     test "a scanner is dropped"     posture 2, self 198.51.100.1
 *       case 1   frame, zone          3 packets go on, 7 are dropped by reflex.syn_flood; 1 s passes
 *       case 2   frame, zone          1 packet is dropped by reflex.syn_flood
 *
 * A test begins with full buckets, no blocks, and the clock at 0; its cases come one
 * after the other, and time passes only as they say. Expected is what the first hook
 * does, which is where these frames can be tried; what layer 4 or the way out decides
 * is counted in `elsewhere`.
 */
#ifndef TEG_BUNDLE_DRILL_H
#define TEG_BUNDLE_DRILL_H

#include <stddef.h>
#include <stdint.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/bundle/plan.h"

#define DRILL_FRAME_MAX	  3072u	  /* what BPF_PROG_TEST_RUN takes on a page, with room before and behind */
#define DRILL_PACKETS_MAX 200000u /* of all tests: a change must not wait for them long */
#define DRILL_TESTS_MAX	  65536u
#define DRILL_NAME_MAX	  255u

#define DRILL_NOBODY UINT32_MAX

/* So many packets in a row, all alike. */
struct drill_run {
	uint32_t packets;
	uint8_t dropped;
	uint32_t by; /* index into plan->counters, or DRILL_NOBODY: goes on, and nothing counts it */
};

struct drill_case {
	const uint8_t *frame;
	uint32_t len; /* 0: time passes, and nothing else */
	uint8_t zone; /* index */
	uint8_t asked; /* the first hook decides what the test asks: it counts as run */
	uint64_t then_ns; /* so much time passes after it */
	struct drill_run *runs;
	uint32_t run_count;
};

struct drill_test {
	const char *name;
	uint32_t index; /* among the policy's, from 1 */
	uint32_t posture;
	struct addr self[FAMILY_COUNT]; /* this host's addresses meanwhile */
	struct drill_case *cases;
	uint32_t case_count;
};

struct drill {
	struct drill_test *tests;
	uint32_t test_count;
	uint32_t elsewhere; /* packets of tests that the first hook does not decide, or that are too many or too long */
};

void drill_encode(struct buf *out, const struct drill *d);

/* Refuses, with a reason, what is truncated, out of range of the plan, or of another version. Frames are borrowed. */
int drill_decode(struct drill *out, struct arena *a, const struct plan *plan, const void *bytes, size_t len,
		 struct err *why);

/* How many cases count as run. */
uint32_t drill_asked(const struct drill *d);

#endif
