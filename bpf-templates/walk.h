/*
 * walk - the boxes in order, until one decides.
 */
#ifndef TEG_WALK_H
#define TEG_WALK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/one.h"
#include "bpf-templates/pkt.h"

ONE_TABLE(struct teg_cell) gen_cells SEC(".maps");
ONE_TABLE(struct teg_rule) gen_rules SEC(".maps");

/* An index that is checked and then used: clang would else check one copy, and add another to a pointer. */
#define WALK_ONE_REGISTER(x) asm volatile("" : "+r"(x))

/* What is known of the packet, in the form of a cell. */
struct walk {
	struct frame_ctx *ctx;
	struct teg_active *active;
	const struct pkt *p;
	__u32 head;
	__u64 zones, src, dst;
	__u64 ports; /* as a cell has them */
	__u32 posture;
	int over; /* how the packet is over the rate of what decides: what reflex_decides() said */
	__u64 now; /* 0 until it is asked for */
	__u64 marks; /* of what was found in the payload */
};

/* The sign bit says that x is not 0. */
static __always_inline __u64 walk_some(__u64 x)
{
	return x | -x;
}

/*
 * The sign bit says that the packet lies in the cell. Without a branch: one a field costs the verifier
 * a path a field, and it gives up at 8192 that are open at once. TEG_ZONE_NONE stands alone, if it does: so the negative of
 * what zones are in common has the sign bit unless it is 0.
 */
static __always_inline __u64 walk_cell_in(const struct teg_cell *c, const struct walk *w)
{
	const __u64 within = ((w->ports | TEG_PORTS_SENTINELS) - c->ports_lo) & (c->ports_hi - w->ports);
	const __u64 other = (~within & TEG_PORTS_SENTINELS) | ((w->head ^ c->want) & c->mask);

	return -(c->zones & w->zones) & walk_some(c->src & w->src) & walk_some(c->dst & w->dst) & (other - 1);
}

static __always_inline bool walk_cell_has(const struct teg_cell *c, const struct walk *w)
{
	return (__s64)walk_cell_in(c, w) < 0;
}

#endif
