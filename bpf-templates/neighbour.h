/*
 * neighbour - the ICMP without which a host loses its link: neighbour discovery and listeners, which are let on before any rule; and
 * what a closed posture leaves to layer 4.
 */
#ifndef TEG_NEIGHBOUR_H
#define TEG_NEIGHBOUR_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/hook.h"
#include "bpf-templates/pkt.h"

static __always_inline bool is_icmpv6(const struct pkt *p)
{
	return unlikely(p->proto == ICMPV6_PROTO) && p->family == TEG_IP6 && p->fragment != TEG_LATER;
}

/* RFC 2710 and 3810: what listeners and routers say of multicast comes from a link-local address with
 * hop limit 1; RFC 3590: a report also from ::, of a host that has no address yet. */
static __always_inline bool is_listener(const struct pkt *p, __u32 type)
{
	bool local = (p->src.hi & bpf_cpu_to_be64(0x3ffull << 54)) == bpf_cpu_to_be64(0xfe80ull << 48);
	bool none = !(p->src.hi | p->src.lo) && (type == 131 || type == 143);

	return ((type >= 130 && type <= 132) || type == 143) && p->hop_limit == 1 && (local || none);
}

/* RFC 4861: neighbour discovery, whose hop limit proves a sender on the link. */
static __always_inline bool is_neighbour(const struct pkt *p)
{
	__u32 type = p->icmp >> 8, code = p->icmp & 0xff;

	if (likely(!is_icmpv6(p)))
		return false;
	if (type >= 133 && type <= 136)
		return code == 0 && p->hop_limit == 255;
	return is_listener(p, type);
}

/* What a closed posture leaves to layer 4: errors of a lifeline's flows, and
 * parts that mean nothing before reassembly. */
static __always_inline bool is_left_open(const struct pkt *p)
{
	__u32 type = p->icmp >> 8;

	if (p->fragment == TEG_LATER)
		return true;
	if (is_icmpv6(p))
		return type >= 1 && type <= 4;
	return p->proto == IPPROTO_ICMP && p->family == TEG_IP4 && (type == 3 || type == 11 || type == 12);
}

#endif /* TEG_NEIGHBOUR_H */
