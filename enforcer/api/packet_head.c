#include "enforcer/api/packet_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/if_ether.h>

enum { IP_HOP = 0, IP_TCP = 6, IP_UDP = 17, IP_ROUTING = 43, IP_FRAGMENT = 44, IP_ICMP = 1, IP_ICMPV6 = 58, IP_DSTOPTS = 60, IP_SCTP = 132 };

#define EXTENSIONS_MAX 8
#define TAGS_MAX 2

struct rest {
	const uint8_t *at;
	size_t len;
};

static uint16_t u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool skip(struct rest *r, size_t bytes)
{
	if (r->len < bytes)
		return false;
	r->at += bytes;
	r->len -= bytes;
	return true;
}

static unsigned read_ports(struct teg_event *e, const struct rest *r)
{
	if (r->len < 4)
		return 0;
	e->sport = u16(r->at);
	e->dport = u16(r->at + 2);
	return HEAD_PORTS;
}

static unsigned read_flags(struct teg_event *e, const struct rest *r)
{
	if (r->len <= 13)
		return 0;
	e->flags = r->at[13];
	return HEAD_FLAGS;
}

static unsigned read_upper(struct teg_event *e, const struct rest *r)
{
	switch (e->proto) {
	case IP_TCP:
		return read_ports(e, r) | read_flags(e, r);
	case IP_UDP:
	case IP_SCTP:
		return read_ports(e, r);
	case IP_ICMP:
	case IP_ICMPV6:
		if (r->len < 2)
			return 0;
		e->icmp = u16(r->at);
		return HEAD_ICMP;
	}
	return 0;
}

/* What stands behind the packet, as it says its length, is padding. Of one that the kernel made too long to say, it says 0. */
static void without_padding(struct rest *r, size_t header, size_t said)
{
	if (said && r->len > header + said)
		r->len = header + said;
}

static unsigned read_ip4(struct teg_event *e, struct rest r)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

	if (r.len < 20 || r.at[0] >> 4 != 4)
		return 0;
	const size_t header = (r.at[0] & 15) * 4u;
	const uint16_t fragment = u16(r.at + 6);
	e->family = TEG_IP4;
	e->frame_len = ETH_HLEN + u16(r.at + 2);
	e->proto = r.at[9];
	e->fragment = fragment & 0x1fff ? TEG_LATER : fragment & 0x2000 ? TEG_FIRST : TEG_WHOLE;
	memcpy(e->src.bytes, mapped, sizeof mapped);
	memcpy(e->dst.bytes, mapped, sizeof mapped);
	memcpy(e->src.bytes + 12, r.at + 12, 4);
	memcpy(e->dst.bytes + 12, r.at + 16, 4);
	without_padding(&r, 0, u16(r.at + 2));
	return e->fragment != TEG_LATER && header >= 20 && skip(&r, header) ? read_upper(e, &r) : 0;
}

/* False where the upper header is not to be found. */
static bool skip_extensions(struct teg_event *e, struct rest *r)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		const bool is_fragment = e->proto == IP_FRAGMENT;

		if (!is_fragment && e->proto != IP_HOP && e->proto != IP_ROUTING && e->proto != IP_DSTOPTS)
			return true;
		if (r->len < 8)
			return false;
		if (is_fragment)
			e->fragment = u16(r->at + 2) >> 3 ? TEG_LATER : u16(r->at + 2) & 1 ? TEG_FIRST : e->fragment;
		const size_t bytes = is_fragment ? 8 : (r->at[1] + 1u) * 8;
		e->proto = r->at[0];
		if (e->fragment == TEG_LATER || !skip(r, bytes))
			return false;
	}
	return false;
}

static unsigned read_ip6(struct teg_event *e, struct rest r)
{
	if (r.len < 40 || r.at[0] >> 4 != 6)
		return 0;
	e->family = TEG_IP6;
	e->frame_len = ETH_HLEN + 40u + u16(r.at + 4);
	e->proto = r.at[6];
	e->fragment = TEG_WHOLE;
	memcpy(e->src.bytes, r.at + 8, 16);
	memcpy(e->dst.bytes, r.at + 24, 16);
	without_padding(&r, 40, u16(r.at + 4));
	skip(&r, 40);
	return skip_extensions(e, &r) ? read_upper(e, &r) : 0;
}

unsigned packet_head_read(struct teg_event *e)
{
	struct rest r = { e->head, e->head_len < sizeof e->head ? e->head_len : sizeof e->head };

	if (r.len < ETH_HLEN)
		return 0;
	uint16_t type = u16(r.at + 2 * ETH_ALEN);

	skip(&r, ETH_HLEN);
	for (int i = 0; i < TAGS_MAX && (type == ETH_P_8021Q || type == ETH_P_8021AD) && r.len >= 4; i++) {
		type = u16(r.at + 2);
		skip(&r, 4);
	}
	if (type == ETH_P_IP)
		return read_ip4(e, r);
	return type == ETH_P_IPV6 ? read_ip6(e, r) : 0;
}

unsigned packet_head_read_upper(struct teg_event *e)
{
	struct teg_event read = *e;
	const unsigned known = packet_head_read(&read);

	if (read.family != e->family)
		return 0;
	e->proto = read.proto;
	e->sport = read.sport;
	e->dport = read.dport;
	e->flags = read.flags;
	e->icmp = read.icmp;
	return known;
}
