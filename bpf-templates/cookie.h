/*
 * cookie - SYNs that this host's listener has no room for, answered on arrival.
 *
 *     SYN over the rate ──► listener? ──┬── has room, or knows the client ──► on, to what stands behind the reflex
 *                                       ├── has none ──► its SYN-ACK, back where the SYN came from
 *                                       └── no listener, or no plain SYN ──► drop
 *
 * The cookie is the kernel's own (bpf_tcp_gen_syncookie(), 5.4), so the client's ACK is checked by the
 * listener and by nobody else: on its way there it is a packet like any other, and layer 4 judges it as the first
 * of a new flow. What a SYN-ACK without a cookie would carry besides the MSS (window scaling, SACK, timestamps) is
 * lost, since where the kernel would find it again it adds an offset that a program cannot know
 * (secure_tcp_ts_off()).
 */
#ifndef TEG_COOKIE_H
#define TEG_COOKIE_H

#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/bound.h"
#include "bpf-templates/frame.h"
#include "bpf-templates/pkt.h"
#include "bpf-templates/walk.h"

#define COOKIE_TCP_MOST 60 /* bytes of a header */
#define COOKIE_ANSWER_LEAST 60 /* a frame of Ethernet, without its checksum */
#define COOKIE_HOPS 64
#define COOKIE_WINDOW 65535
#define IP_DONT 0x4000 /* fragment */
#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* What cookie_make() gives; any other is a cookie with the MSS above it. */
enum { COOKIE_NONE, COOKIE_ROOM };

/*
 * Where the headers of a plain segment are: its IP header's offset, and TCP's << 16; 0: it is none, has options of IP or
 * extension headers. A function of its own, whose answer is one number to the verifier, however many tags there are; asked by
 * who makes the cookie and sends it, and not by cookie_make(), below which there is no more of the stack.
 */
__noinline __u32 cookie_heads(struct frame_ctx *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 at = sizeof *eth;

	if (data + sizeof *eth > end || eth->h_dest[0] & 1)
		return 0;
	__be16 type = eth->h_proto;
	for (int i = 0; i < PKT_VLAN_TAGS_MAX; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (data + at + 4 > end)
			return 0;
		type = *(__be16 *)(data + at + 2);
		at += 4;
	}
	if (type == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip4 = data + at;

		if (data + at + sizeof *ip4 > end || ip4->ihl != 5 || ip4->protocol != IPPROTO_TCP)
			return 0;
		return at | (at + sizeof *ip4) << 16;
	}
	struct ipv6hdr *ip6 = data + at;

	if (data + at + sizeof *ip6 > end || ip6->nexthdr != IPPROTO_TCP)
		return 0;
	return at | (at + sizeof *ip6) << 16;
}

/* tcp NULL: it is no plain segment. */
struct cookie_heads {
	void *ip;
	struct tcphdr *tcp;
	__u32 at; /* of tcp */
};

static __always_inline struct cookie_heads cookie_find(struct frame_ctx *ctx, __u32 heads)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u64 ip_at = BOUND(heads, 64), tcp_at = BOUND(heads >> 16, 128);
	void *ip = data + ip_at, *tcp = data + tcp_at;

	WALK_ONE_REGISTER(ip);
	WALK_ONE_REGISTER(tcp);
	/* IPv4's and TCP's header are as long as IPv6's. */
	if (!heads || ip + sizeof(struct ipv6hdr) > end || tcp + sizeof(struct tcphdr) > end)
		return (struct cookie_heads){};
	return (struct cookie_heads){ ip, tcp, tcp_at };
}

/* What is asked with, one after the other: of a stack that all functions share, there is little. */
union cookie_room {
	struct bpf_sock_tuple tuple;
	__u32 header[COOKIE_TCP_MOST / 4];
};

/* The listener of this host for the packet, or who else has the connection; with a reference. */
static __always_inline struct bpf_sock *cookie_socket(struct bpf_sock_tuple *t, struct frame_ctx *ctx, const struct pkt *p)
{
	if (p->family == TEG_IP4) {
		t->ipv4.saddr = (__be32)(p->src.lo >> 32);
		t->ipv4.daddr = (__be32)(p->dst.lo >> 32);
		t->ipv4.sport = bpf_htons(p->sport);
		t->ipv4.dport = bpf_htons(p->dport);
		return bpf_skc_lookup_tcp(ctx, t, sizeof t->ipv4, BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(t->ipv6.saddr, &p->src, sizeof t->ipv6.saddr);
	__builtin_memcpy(t->ipv6.daddr, &p->dst, sizeof t->ipv6.daddr);
	t->ipv6.sport = bpf_htons(p->sport);
	t->ipv6.dport = bpf_htons(p->dport);
	return bpf_skc_lookup_tcp(ctx, t, sizeof t->ipv6, BPF_F_CURRENT_NETNS, 0);
}

/* The header with its options, as long as it says, where the verifier knows its room. */
static __always_inline __u32 cookie_header(__u32 copy[static COOKIE_TCP_MOST / 4], struct frame_ctx *ctx, const struct cookie_heads *h)
{
	const __u32 *words = (const void *)h->tcp;
	__u64 len = h->tcp->doff * 4;

	WALK_ONE_REGISTER(len);
	if (len < sizeof *h->tcp)
		return 0;
	WALK_ONE_REGISTER(len);
	if (len > COOKIE_TCP_MOST)
		return 0;
	if (frame_has_parts())
		return frame_load(ctx, h->at, copy, (__u32)len) ? 0 : (__u32)len;
	for (__u32 i = 0; i < COOKIE_TCP_MOST / 4; i++) {
		if (i * 4 >= len)
			break;
		if ((void *)(words + i + 1) > (void *)(long)ctx->data_end)
			return 0;
		copy[i] = words[i];
	}
	return len;
}

/* The kernel's cookie for a SYN to this listener, or why there is none. */
static __always_inline __s64 cookie_of(struct bpf_sock *listener, const struct cookie_heads *h, bool is_ip4,
				       __u32 header[static COOKIE_TCP_MOST / 4], __u32 len)
{
	if (len < sizeof(struct tcphdr) || len > COOKIE_TCP_MOST)
		return -EINVAL;
	return is_ip4 ? bpf_tcp_gen_syncookie(listener, h->ip, sizeof(struct iphdr), (void *)header, len) :
			bpf_tcp_gen_syncookie(listener, h->ip, sizeof(struct ipv6hdr), (void *)header, len);
}

/* What the listener says of the SYN with these heads. A function of its own, as limit_over() is. */
__noinline __u64 cookie_make(struct frame_ctx *ctx, const struct pkt *p, __u32 heads)
{
	union cookie_room room = {};

	if (!p)
		return COOKIE_NONE;
	const bool is_ip4 = p->family == TEG_IP4;
	struct cookie_heads h = cookie_find(ctx, heads);
	struct bpf_sock *listener = h.tcp ? cookie_socket(&room.tuple, ctx, p) : NULL;
	if (!listener)
		return COOKIE_NONE;
	__s64 made = -ENOENT;
	if (listener->state == BPF_TCP_LISTEN)
		made = cookie_of(listener, &h, is_ip4, room.header, cookie_header(room.header, ctx, &h));
	bpf_sk_release(listener);
	if (made == -ENOENT || made == -EOPNOTSUPP) /* the latter: a kernel without SYN cookies */
		return COOKIE_ROOM;
	return made > COOKIE_ROOM ? (__u64)made : COOKIE_NONE;
}

static __always_inline __sum16 cookie_folded(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	for (int i = 0; i < 3; i++)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__sum16)~sum;
}

static __always_inline __u64 cookie_sum(const void *words, __u32 count)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < count; i++)
		sum += ((const __u32 *)words)[i];
	return sum;
}

static __always_inline void cookie_swap_links(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
}

/* Both give what the pseudo header adds to TCP's checksum (RFC 9293, 3.1). */
static __always_inline __u64 cookie_ip4(struct iphdr *ip, __u32 tcp_len)
{
	__be32 from = ip->saddr;

	*(__u32 *)ip = bpf_htonl(0x45000000 | (sizeof *ip + tcp_len));
	*((__u32 *)ip + 1) = bpf_htonl(IP_DONT);
	ip->ttl = COOKIE_HOPS;
	ip->check = 0;
	ip->saddr = ip->daddr;
	ip->daddr = from;
	ip->check = cookie_folded(cookie_sum(ip, sizeof *ip / 4));
	return cookie_sum(&ip->saddr, 2) + bpf_htonl(IPPROTO_TCP << 16 | tcp_len);
}

static __always_inline __u64 cookie_ip6(struct ipv6hdr *ip, __u32 tcp_len)
{
	struct in6_addr from = ip->saddr;

	*(__u32 *)ip = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons((__u16)tcp_len);
	ip->hop_limit = COOKIE_HOPS;
	ip->saddr = ip->daddr;
	ip->daddr = from;
	return cookie_sum(&ip->saddr, 8) + bpf_htonl(IPPROTO_TCP) + bpf_htonl(tcp_len);
}

/* The MSS of the answer: what the cookie stands for, and no more than what this interface takes. */
static __always_inline __u16 cookie_mss(struct frame_ctx *ctx, __u64 made, bool is_ip4)
{
	const __u32 heads = (is_ip4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) + sizeof(struct tcphdr);
	__u16 mss = (__u16)(made >> 32);
	__u32 mtu = 0;

	bpf_check_mtu(ctx, 0, &mtu, 0, 0); /* whether this frame has room is not asked */
	return mtu > heads && mss > mtu - heads ? (__u16)(mtu - heads) : mss;
}

/*
 * cookie_answer - the frame becomes the SYN-ACK, and is cut to its length; false when it cannot. A SYN
 * without options leaves no room for the MSS, and is answered without.
 */
__noinline int cookie_answer(struct frame_ctx *ctx, const struct pkt *p, __u32 heads, __u64 made)
{
	if (!p)
		return 0;
	const bool is_ip4 = p->family == TEG_IP4;
	const __u16 most = cookie_mss(ctx, made, is_ip4);
	struct cookie_heads h = cookie_find(ctx, heads);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct tcphdr *syn = h.tcp;

	if (!syn || data + sizeof(struct ethhdr) > end)
		return 0;
	const bool mss = syn->doff > 5 && (void *)syn + 24 <= end;
	const __u32 len = mss ? 24 : 20;
	__u32 *words = (__u32 *)h.tcp;
	const __u32 acks = bpf_htonl(bpf_ntohl(words[1]) + 1);

	cookie_swap_links(data);
	__u64 sum = is_ip4 ? cookie_ip4(h.ip, len) : cookie_ip6(h.ip, len);
	words[0] = bpf_htonl((__u32)p->dport << 16 | p->sport);
	words[1] = bpf_htonl((__u32)made);
	words[2] = acks;
	words[3] = bpf_htonl(len / 4 << 28 | (TCP_ACK | TCP_SYN) << 16 | COOKIE_WINDOW);
	words[4] = 0;
	if (mss)
		words[5] = bpf_htonl(2u << 24 | 4u << 16 | most); /* RFC 9293, 3.2 */
	sum += mss ? cookie_sum(words, 6) : cookie_sum(words, 5);
	h.tcp->check = cookie_folded(sum);

	const __u32 want = h.at + len;
	return frame_cut(ctx, want > COOKIE_ANSWER_LEAST ? want : COOKIE_ANSWER_LEAST);
}

#endif
