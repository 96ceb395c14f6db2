/*
 * pkt - a frame, read once: every bound is checked here, and what follows only
 * compares fields. Reads as compiler/ir/packet.c does, frame by frame; where
 * the two differ, this is wrong.
 *
 *     Ethernet [up to 2 VLAN tags] IPv4 | IPv6 [up to 8 extension headers] TCP | UDP | SCTP | ICMP | ICMPv6
 *
 * Headers are looked for in the frame's first part (frame.h): one whose headers go on in another is
 * short, unless the hook can pull it together.
 */
#ifndef TEG_PKT_H
#define TEG_PKT_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/cause.h"
#include "bpf-templates/frame.h"

#define PKT_VLAN_TAGS_MAX 2
#define PKT_EXTENSIONS_MAX 8
#define PKT_OFFSET_MASK 0x7fff /* more than eight headers of 2048 bytes; says so to the verifier */
#define IP_OFFSET 0x1fff /* RFC 791, 3.1: in units of 8 bytes */
#define IP_MORE 0x2000
#define ICMPV6_PROTO 58

/* 16 bytes in network order, as struct teg_addr has them. */
struct pkt_addr {
	__be64 hi, lo;
};

struct pkt {
	struct pkt_addr src, dst;
	__u32 len; /* from the IP header on, as that header says */
	__u32 payload_at, payload_len; /* of TCP and UDP, when it is asked: its offset in the frame, and what IP has behind their header */
	__u16 proto;
	__u16 sport, dport;
	__u16 icmp; /* type << 8 | code */
	__u8 family;   /* TEG_IP4 or TEG_IP6 */
	__u8 fragment; /* TEG_WHOLE, TEG_FIRST or TEG_LATER */
	__u8 hop_limit, flags;
};

/* The rest of the frame while it is read: `at` is the next header, `room` what IP says is left of the packet. */
struct pkt_rest {
	void *frame, *at, *end;
	__u32 room;
};

static __always_inline bool pkt_has(const struct pkt_rest *r, __u32 bytes)
{
	return r->room >= bytes && r->at + bytes <= r->end;
}

/* Does the frame hold so many bytes from `at` on? Asks for other buffers only when the first is not enough. */
static __always_inline bool pkt_frame_holds(struct frame_ctx *ctx, const struct pkt_rest *r, __u32 bytes)
{
	__u64 here = (__u64)(r->end - r->at);

	if (likely(bytes <= here))
		return true;
	if (!frame_has_parts())
		return false;
	return bytes + (__u64)(r->at - r->frame) <= frame_held(ctx);
}

static __always_inline struct pkt_addr pkt_mapped(__be32 ip4)
{
	return (struct pkt_addr){ 0, bpf_cpu_to_be64(0xffffull << 32 | bpf_ntohl(ip4)) };
}

/* Behind a header of so many bytes. */
static __always_inline void pkt_payload(struct pkt *p, const struct pkt_rest *r, __u32 header)
{
	p->payload_at = (__u32)(r->at - r->frame) + header;
	p->payload_len = r->room - header;
}

static __always_inline __u16 pkt_u16(const __u8 *at)
{
	return (__u16)(at[0] << 8 | at[1]);
}

/* How many bytes of the header above IP are read; 0 when nothing is. */
static __always_inline __u32 pkt_upper_bytes(__u32 proto, __u32 family)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_UDP:
		return 8;
	case IPPROTO_SCTP:
		return 12;
	case IPPROTO_ICMP:
		return family == TEG_IP4 ? 8 : 0;
	case ICMPV6_PROTO:
		return family == TEG_IP6 ? 8 : 0;
	}
	return 0;
}

/* Behind the header that makes it a fragment: `bytes` of it, to stand `offset` bytes into what it is a part of. */
static __always_inline enum cause pkt_fragment(__u32 proto, __u32 family, __u32 offset, bool more, __u32 bytes)
{
	if ((more && bytes % 8) || offset + bytes > 0xffff)
		return CAUSE_BAD_FRAGMENT;
	return offset && offset < pkt_upper_bytes(proto, family) ? CAUSE_OVERLAP : CAUSE_NONE;
}

/* An ICMP error holds the begin of the packet it is about; RFC 792, RFC 4443. */
static __always_inline bool pkt_has_inner(const struct pkt *p)
{
	__u32 type = p->icmp >> 8;

	if (p->family == TEG_IP6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* As far as 8 bytes behind its IP header; and sent by whom the error goes to. */
static __always_inline enum cause pkt_inner(const struct pkt *p, const struct pkt_rest *r)
{
	const __u8 *ip = r->at + 8;
	const bool ip4 = p->family == TEG_IP4;
	struct pkt_addr src;
	__u32 header, total;

	if (!pkt_has(r, 8 + (ip4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr))))
		return CAUSE_SHORT_INNER;
	if (ip4) {
		header = (ip[0] & 15) * 4u;
		total = pkt_u16(ip + 2);
		src = pkt_mapped(((const struct iphdr *)ip)->saddr);
	} else {
		header = sizeof(struct ipv6hdr);
		total = header + pkt_u16(ip + 4);
		__builtin_memcpy(&src, &((const struct ipv6hdr *)ip)->saddr, sizeof src);
	}
	if (ip[0] >> 4 != (ip4 ? 4 : 6) || header < sizeof(struct iphdr) || total < header)
		return CAUSE_BAD_INNER;
	if (!pkt_has(r, 8 + (total < header + 8 ? total : header + 8)))
		return CAUSE_SHORT_INNER;
	return (src.hi ^ p->dst.hi) | (src.lo ^ p->dst.lo) ? CAUSE_FOREIGN_INNER : CAUSE_NONE;
}

/* The header above IP. Protocols without a row here have no fields the language asks for. */
static __always_inline enum cause pkt_upper(struct pkt *p, const struct pkt_rest *r, const bool payload)
{
	const enum cause cut = p->fragment == TEG_FIRST ? CAUSE_TINY_FRAGMENT : CAUSE_SHORT_L4;
	const __u8 *h = r->at;

	switch (__builtin_expect(p->proto, IPPROTO_TCP)) {
	case IPPROTO_TCP: {
		if (unlikely(!pkt_has(r, 20)))
			return cut;
		__u32 header = (h[12] >> 4) * 4u;
		if (unlikely(header < 20 || header > r->room))
			return CAUSE_BAD_TCP;
		p->flags = h[13];
		TEG_MARK();
		if (payload)
			pkt_payload(p, r, header);
		break;
	}
	case IPPROTO_UDP: {
		if (unlikely(!pkt_has(r, 8)))
			return cut;
		__u32 len = pkt_u16(h + 4);
		if (unlikely(len < 8 || (len > r->room && p->fragment == TEG_WHOLE)))
			return CAUSE_BAD_UDP;
		if (payload)
			pkt_payload(p, r, 8);
		break;
	}
	case IPPROTO_SCTP:
		if (!pkt_has(r, 12))
			return cut;
		break;
	case IPPROTO_ICMP:
	case ICMPV6_PROTO:
		if ((p->proto == IPPROTO_ICMP) != (p->family == TEG_IP4))
			return CAUSE_NONE;
		if (!pkt_has(r, 8))
			return cut;
		p->icmp = pkt_u16(h);
		return pkt_has_inner(p) ? pkt_inner(p, r) : CAUSE_NONE;
	default:
		return CAUSE_NONE;
	}
	p->sport = pkt_u16(h);
	p->dport = pkt_u16(h + 2);
	return CAUSE_NONE;
}

static __always_inline enum cause pkt_ip4(struct frame_ctx *ctx, struct pkt *p, struct pkt_rest *r, const bool payload)
{
	const struct iphdr *ip = r->at;

	if (unlikely((void *)(ip + 1) > r->end))
		return CAUSE_SHORT_IP;
	__u32 header = ip->ihl * 4u;
	p->len = frame_ip_len(ctx, (__u32)(r->at - r->frame), 0, bpf_ntohs(ip->tot_len));
	if (unlikely(ip->version != 4 || header < sizeof *ip))
		return CAUSE_BAD_IP;
	if (unlikely(r->at + header > r->end))
		return CAUSE_SHORT_IP;
	if (unlikely(p->len < header || !pkt_frame_holds(ctx, r, p->len)))
		return CAUSE_BAD_IP;

	p->family = TEG_IP4;
	p->src = pkt_mapped(ip->saddr);
	p->dst = pkt_mapped(ip->daddr);
	p->proto = ip->protocol;
	p->hop_limit = ip->ttl;

	__u32 fragment = bpf_ntohs(ip->frag_off);
	p->fragment = TEG_WHOLE;
	r->at += header;
	r->room = p->len - header;
	if (unlikely(fragment & (IP_OFFSET | IP_MORE))) {
		enum cause c = pkt_fragment(p->proto, TEG_IP4, (fragment & IP_OFFSET) * 8, fragment & IP_MORE, r->room);

		p->fragment = fragment & IP_OFFSET ? TEG_LATER : TEG_FIRST;
		if (c || p->fragment == TEG_LATER)
			return c;
	}
	TEG_MARK();
	return pkt_upper(p, r, payload);
}

/* What may stand between IPv6 and the upper header, as ipv6_find_hdr() of the kernel walks it for
 * nft: authentication (51) is a protocol, as it is in IPv4. */
static __always_inline bool pkt_is_extension(__u32 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS;
}

/*
 * Where the extension headers end, in one word:
 *
 *     63..56 cause | 55..32 room | 31..16 offset in the frame | 15..8 fragment | 7..0 protocol
 *
 * Functions of their own, each verified once: their many ways would otherwise multiply
 * with those of all that follows (260 thousand instructions walked, not 5), and those of one
 * header with those of the next (4,400, not 900).
 */
#define PKT_WALKED(cause, room, at, fragment, proto)                                               \
	((__u64)(cause) << 56 | (__u64)(room) << 32 | (__u64)(at) << 16 | (__u64)(fragment) << 8 | (proto))
#define PKT_WALKED_CAUSE(walked) ((walked) >> 56)
#define PKT_WALKED_ROOM(walked) ((walked) >> 32 & 0xffffff)
#define PKT_WALKED_AT(walked) ((walked) >> 16 & PKT_OFFSET_MASK)
#define PKT_WALKED_FRAGMENT(walked) ((walked) >> 8 & 0xff)
#define PKT_WALKED_PROTO(walked) ((walked) & 0xff)

/* Behind one extension header, of the kind `proto`. */
__noinline __u64 pkt_extension(struct frame_ctx *ctx, __u32 at, __u32 room, __u32 proto, __u32 fragment)
{
	const __u8 *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	at &= PKT_OFFSET_MASK;
	const __u8 *h = frame + at;
	if (room < 8 || h + 8 > end)
		return PKT_WALKED(CAUSE_EXTENSIONS, 0, 0, 0, 0);

	__u32 len = (h[1] + 1u) * 8; /* RFC 8200, 4.2 */
	if (proto == IPPROTO_FRAGMENT) {
		__u32 where = pkt_u16(h + 2);
		enum cause c = where & ~6 ? pkt_fragment(h[0], TEG_IP6, where & ~7, where & 1, room - 8) : CAUSE_NONE;

		len = 8;
		if (c || where >> 3)
			return PKT_WALKED(c, 0, 0, TEG_LATER, h[0]);
		if (where & 1)
			fragment = TEG_FIRST;
	}
	if (len > room)
		return PKT_WALKED(CAUSE_EXTENSIONS, 0, 0, 0, 0);
	return PKT_WALKED(CAUSE_NONE, room - len, at + len, fragment, h[0]);
}

__noinline __u64 pkt_extensions(struct frame_ctx *ctx, __u32 at, __u32 room, __u32 proto)
{
	__u64 walked = PKT_WALKED(CAUSE_NONE, room, at, TEG_WHOLE, proto);

	for (int i = 0; i < PKT_EXTENSIONS_MAX; i++) {
		if (PKT_WALKED_CAUSE(walked) || PKT_WALKED_FRAGMENT(walked) == TEG_LATER ||
		    !pkt_is_extension(PKT_WALKED_PROTO(walked)))
			return walked;
		walked = pkt_extension(ctx, PKT_WALKED_AT(walked), PKT_WALKED_ROOM(walked), PKT_WALKED_PROTO(walked),
				       PKT_WALKED_FRAGMENT(walked));
	}
	if (!PKT_WALKED_CAUSE(walked) && PKT_WALKED_FRAGMENT(walked) != TEG_LATER && pkt_is_extension(PKT_WALKED_PROTO(walked)))
		return PKT_WALKED(CAUSE_EXTENSIONS, 0, 0, 0, 0);
	return walked;
}

static __always_inline enum cause pkt_ip6(struct frame_ctx *ctx, struct pkt *p, struct pkt_rest *r, const bool payload)
{
	const struct ipv6hdr *ip = r->at;

	if (unlikely((void *)(ip + 1) > r->end))
		return CAUSE_SHORT_IP;
	p->len = frame_ip_len(ctx, (__u32)(r->at - r->frame), sizeof *ip, bpf_ntohs(ip->payload_len));
	if (unlikely(ip->version != 6 || !pkt_frame_holds(ctx, r, p->len)))
		return CAUSE_BAD_IP;

	p->family = TEG_IP6;
	__builtin_memcpy(&p->src, &ip->saddr, sizeof p->src);
	__builtin_memcpy(&p->dst, &ip->daddr, sizeof p->dst);
	p->proto = ip->nexthdr;
	p->hop_limit = ip->hop_limit;
	p->fragment = TEG_WHOLE;

	r->at += sizeof *ip;
	r->room = p->len - sizeof *ip;
	if (likely(!pkt_is_extension(p->proto)))
		return pkt_upper(p, r, payload);

	void *frame = (void *)(long)ctx->data;
	__u64 walked = pkt_extensions(ctx, (__u32)(r->at - frame), r->room, p->proto);
	p->fragment = PKT_WALKED_FRAGMENT(walked);
	p->proto = PKT_WALKED_PROTO(walked);
	if (PKT_WALKED_CAUSE(walked) || p->fragment == TEG_LATER)
		return PKT_WALKED_CAUSE(walked);
	r->end = (void *)(long)ctx->data_end;
	r->frame = (void *)(long)ctx->data;
	r->at = r->frame + PKT_WALKED_AT(walked);
	r->room = PKT_WALKED_ROOM(walked);
	return pkt_upper(p, r, payload);
}

static __always_inline bool pkt_is_vlan(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/*
 * How far the frame is read: to the verifier, a number that may be any. It knows each of the places where a header may begin behind tags, and would
 * walk all that is read behind for each. In TC, where tags are rare in a frame, so it would for how much of the frame is known to be there.
 */
static __always_inline void pkt_forget(struct frame_ctx *ctx __attribute__((unused)), struct pkt_rest *r)
{
	const void *at = r->at;

	asm volatile("" : "+r"(at));
	__u64 offset = (__u64)(at - r->frame);

	asm volatile("" : "+r"(offset));
#ifdef TEG_FRAME_TC
	r->frame = (void *)(long)*(volatile __u32 *)&ctx->data;
	r->end = (void *)(long)*(volatile __u32 *)&ctx->data_end;
#endif
	r->at = r->frame + (offset & PKT_OFFSET_MASK);
}

/* `again`: in a function that is called for few, where it is forgotten without tags too. */
static __always_inline enum cause pkt_frame(struct frame_ctx *ctx, struct pkt *p, const bool payload, const bool again)
{
	struct pkt_rest r = { (void *)(long)ctx->data, (void *)(long)ctx->data, (void *)(long)ctx->data_end, 0 };
	const struct ethhdr *eth = r.at;

	if (unlikely((void *)(eth + 1) > r.end))
		return CAUSE_SHORT_ETH;
	__be16 type = eth->h_proto;
	r.at += sizeof *eth;
	if (unlikely(pkt_is_vlan(type))) {
		for (int tags = (int)frame_lost_tags(ctx); tags < PKT_VLAN_TAGS_MAX && pkt_is_vlan(type); tags++) {
			const __be16 *tag = r.at;

			if ((void *)(tag + 2) > r.end)
				return CAUSE_SHORT_ETH;
			type = tag[1];
			r.at += 4;
		}
		if (pkt_is_vlan(type))
			return CAUSE_VLAN_DEPTH;
		if (!again)
			pkt_forget(ctx, &r);
	}
	if (again)
		pkt_forget(ctx, &r);
	if (likely(type == bpf_htons(ETH_P_IP)))
		return pkt_ip4(ctx, p, &r, payload);
	if (type == bpf_htons(ETH_P_IPV6))
		return pkt_ip6(ctx, p, &r, payload);
	return CAUSE_NOT_IP;
}

#define PKT_FAILED 0x100u

/* Why it could not be read: one number to the verifier, which would walk what is done with each of them, from wherever it is found. It may be any, but 0. */
static __always_inline __u32 pkt_failed(const struct frame_ctx *ctx, enum cause c)
{
	__u64 any = *(const volatile __u32 *)&ctx->ingress_ifindex, which = c ^ any;

	asm volatile("" : "+r"(which));
	return ((which ^ any) & (PKT_FAILED - 1)) | PKT_FAILED;
}

/*
 * pkt_read - the frame as fields; anything but CAUSE_NONE leaves *p half filled, and is the cause and PKT_FAILED. Addresses are
 * cleared where there are none: nearly every packet has them.
 */
static __always_inline __u32 pkt_read_as(struct frame_ctx *ctx, struct pkt *p, const bool payload, const bool again)
{
	__builtin_memset(&p->len, 0, sizeof *p - __builtin_offsetof(struct pkt, len));
	const enum cause c = pkt_frame(ctx, p, payload, again);

	if (likely(!c))
		return CAUSE_NONE;
	const __u32 failed = pkt_failed(ctx, c);

	if (!p->family)
		__builtin_memset(p, 0, __builtin_offsetof(struct pkt, len));
	return failed;
}

static __always_inline __u32 pkt_read(struct frame_ctx *ctx, struct pkt *p, const bool payload)
{
	return pkt_read_as(ctx, p, payload, false);
}

/* Once more, from the beginning. A function of its own: it is called for few, and verified once. */
__noinline int pkt_read_pulled(struct frame_ctx *ctx, struct pkt *p)
{
	if (!p)
		return CAUSE_SHORT_ETH;
	return pkt_read_as(ctx, p, true, true);
}

#endif
