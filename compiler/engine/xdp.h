/*
 * xdp - the packets of a policy's tests through the program that would judge them on
 * arrival, in this kernel (BPF_PROG_TEST_RUN): nothing is attached, pinned or sent.
 *
 *     struct xdp_trial x;
 *     rc = xdp_trial_run(&x, ir, test, arena, &why);
 *     if (!rc && x.differs) ...                     the kernel does otherwise than eval
 *
 * Each test has a program, buckets and blocks of its own, as in trial.h, and the same virtual
 * time. Asked is what the first hook knows: lifelines, blocks, reflexes and what they emit (none is
 * sampled here), and what a closed posture drops at once. Packets that go out do not meet it. A field that a packet leaves
 * out, and that nothing asks for, is 0.
 *
 * -EPERM where this process may not load a program, -ENOTSUP before Linux 6.1 (tables_may_run).
 */
#ifndef TEG_ENGINE_XDP_H
#define TEG_ENGINE_XDP_H

#include "compiler/ir/trial.h"
#include "lang/base/err.h"

struct xdp_trial {
	size_t packets; /* that the kernel judged */
	const struct pol_case *differs; /* the first, or NULL */
	uint64_t packet;		/* which of N, from 1 */
	bool dropped;			/* by the kernel */
	bool agrees;			/* both on the verdict: what is emitted differs */
	uint8_t emits;			/* by the kernel: bit per severity */
	struct outcome outcome;		/* of eval */
};

int xdp_trial_run(struct xdp_trial *out, const struct ir *ir, const struct pol_test *test, struct arena *a,
		  struct err *why);

#endif
