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

/* The sign bit says that value lies outside. */
static __always_inline __s32 walk_outside(__u16 value, __u16 lo, __u16 hi)
{
	return ((__s32)value - lo) | ((__s32)hi - value);
}

/*
 * Three branches a cell, whatever it asks: a branch a field costs the verifier
 * a path a field, and it gives up at 8192 that are open at once.
 */
static __always_inline bool walk_ports_in(const struct teg_cell *c, __u16 sport, __u16 dport, __u16 icmp)
{
	return (walk_outside(dport, c->dport_lo, c->dport_hi) | walk_outside(sport, c->sport_lo, c->sport_hi) |
		walk_outside(icmp, c->icmp_lo, c->icmp_hi)) >= 0;
}

static __always_inline bool walk_head_in(const struct teg_cell *c, const struct walk *w)
{
	if ((w->head ^ c->want) & c->mask)
		return false;
	return (__s64)(walk_some(c->zones & w->zones) & walk_some(c->src & w->src) & walk_some(c->dst & w->dst)) < 0;
}

static __always_inline bool walk_cell_has(const struct teg_cell *c, const struct walk *w)
{
	return walk_head_in(c, w) && walk_ports_in(c, w->p->sport, w->p->dport, w->p->icmp);
}

#endif
