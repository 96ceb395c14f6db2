/*
 * reach - how far a jump goes: 32,767 instructions, a signed word of 16 bits (struct bpf_insn, include/uapi/linux/bpf.h).
 *
 * What would go farther clang 14 writes modulo 2^16, in silence; the kernel takes such a program, and it judges wrong
 * (clang 19 stops). A jump that was cut so looks like any other. But it stays in its function: where none is longer than a jump
 * goes, none was cut.
 */
#ifndef TEG_HOOK_REACH_H
#define TEG_HOOK_REACH_H

#include <stddef.h>

#include "lang/base/err.h"

#define REACH_MOST 32767u /* instructions of a function */

/* Of a BPF object, aligned to eight bytes or not. -E2BIG: *why says which function is too long; -EINVAL: it is no such object. */
int reach_check(const void *object, size_t len, struct err *why);

#endif
