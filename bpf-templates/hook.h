/*
 * hook - where a program stands, and what it may answer there. With TEG_FRAME_TC it is
 * the TC ingress hook of an interface, else XDP.
 */
#ifndef TEG_HOOK_H
#define TEG_HOOK_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

/* What most packets are stands in one line of instructions: a jump that is taken costs as much as several of them. */
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * TEG_MARK: most packets come by here. On their shortest way from one mark to the next no jump is taken (enforcer/hook/fold/fold.h). In TC it
 * would save less than it takes the verifier, which reads that program's frames twice.
 */
#ifdef TEG_FRAME_TC

#define frame_ctx __sk_buff
#define FRAME_SECTION "tc"
#define FRAME_SLOTS teg_tc_slots
#define TEG_MARK() do { } while (0)

/* On: the filters behind ours are asked. To TCX these are TCX_NEXT and TCX_DROP. */
enum { FRAME_PASS = TC_ACT_UNSPEC, FRAME_DROP = TC_ACT_SHOT };

#else

#define frame_ctx xdp_md
#define FRAME_SECTION "xdp" /* of frames in several buffers by a flag, where the kernel knows it */
#define FRAME_SLOTS teg_slots
#define TEG_MARK() asm volatile("goto +0")

enum { FRAME_PASS = XDP_PASS, FRAME_DROP = XDP_DROP };

#endif
#endif
