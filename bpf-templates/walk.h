/*
 * walk - the boxes in order, until one decides.
 */
#ifndef TEG_WALK_H
#define TEG_WALK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/pkt.h"

/* One value each, as long as the policy needs: set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct teg_box));
} gen_boxes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct teg_rule));
} gen_rules SEC(".maps");

/* What is known of the packet beyond its headers. */
struct walk {
	const struct pkt *p;
	__u64 zones, src, dst; /* bits of the interface's zone and of the addresses' sets */
	__u32 posture;
	__u64 now;
};

static __always_inline bool walk_is_within(__u16 value, __u16 lo, __u16 hi)
{
	return value >= lo && value <= hi;
}

static __always_inline bool walk_box_has(const struct teg_box *b, const struct walk *w)
{
	const struct pkt *p = w->p;

	return (b->proto == p->proto || b->proto == TEG_PROTO_ANY) &&
	       (b->families & p->family) && (b->fragments & p->fragment) &&
	       (b->zones & w->zones) &&
	       (!b->src || (b->src & w->src)) &&
	       (!b->dst || (b->dst & w->dst)) &&
	       walk_is_within(p->dport, b->dport_lo, b->dport_hi) &&
	       walk_is_within(p->sport, b->sport_lo, b->sport_hi) &&
	       walk_is_within(p->icmp, b->icmp_lo, b->icmp_hi) &&
	       (p->flags & b->flags_mask) == b->flags_want;
}

#endif
