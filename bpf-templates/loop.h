/*
 * loop - a loop that the verifier need not walk to its end.
 *
 *     if (loop_is_free())
 *         while (at < end && LOOP_MAY_GO_ON())
 *
 * A verifier walks a loop as often as it can be gone through: sixteen turns, sixteen times. Newer kernels know a jump that may be taken
 * at any time (may_goto, BPF_JCOND), by which they end what goes on for too long. A loop that has one is walked until a turn shows nothing
 * new, three times or so, and may have as many turns as it needs. So a loop may end before what it is for, and what stands behind it
 * asks how far it came.
 *
 * What is added to a pointer is a number that is compared in each turn, and nothing else counts turns: else each of them is new.
 *
 * The template says that jump by another one, which no kernel sees: enforcer/hook/one_value.h makes it mean this. Where the kernel does not
 * know it, folding leaves nothing of such a loop.
 */
#ifndef TEG_LOOP_H
#define TEG_LOOP_H

#include <linux/bpf.h>
#include <stdbool.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/config.h"

static __always_inline bool loop_is_free(void)
{
	return gen_config.host & TEG_HOST_LOOPS;
}

#define LOOP_MAY_GO_ON()                                                                                   \
	({                                                                                                 \
		__label__ ends_, said_;                                                                    \
		bool on_ = true;                                                                           \
		asm volatile goto("if r10 == %0 goto %l[ends_]" : : "i"(TEG_MAY_END) : : ends_);           \
		goto said_;                                                                                \
	ends_:                                                                                             \
		on_ = false;                                                                               \
	said_:                                                                                             \
		on_;                                                                                       \
	})

#endif
