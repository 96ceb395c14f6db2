#include "compiler/ir/packet.h"

#include <string.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/proto.h"

enum { ETH_BYTES = 14, VLAN_BYTES = 4, IP4_BYTES = 20, IP6_BYTES = 40, FRAG_BYTES = 8 };
enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_VLAN = 0x8100, ETHERTYPE_QINQ = 0x88a8,
       ETHERTYPE_IP6 = 0x86dd };

/* IPv6 extension headers as the kernel walks them for nft (ipv6_find_hdr() with IP6_FH_F_AUTH). */
enum { EXT_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_DEST = 60 };
#define EXTENSIONS_MAX 8
#define VLAN_TAGS_MAX 2

/* What is left to read. */
struct reader {
	const uint8_t *at;
	size_t left;
};

static void skip(struct reader *r, size_t bytes)
{
	r->at += bytes;
	r->left -= bytes;
}

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool is_vlan(uint16_t ethertype)
{
	return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ;
}

static enum cause read_ethernet(struct reader *r, uint16_t *ethertype)
{
	if (r->left < ETH_BYTES)
		return CAUSE_SHORT_ETH;
	*ethertype = be16(r->at + 12);
	skip(r, ETH_BYTES);
	for (unsigned tags = 0; is_vlan(*ethertype); tags++) {
		if (tags == VLAN_TAGS_MAX)
			return CAUSE_VLAN_DEPTH;
		if (r->left < VLAN_BYTES)
			return CAUSE_SHORT_ETH;
		*ethertype = be16(r->at + 2);
		skip(r, VLAN_BYTES);
	}
	return CAUSE_NONE;
}

/* How many bytes of the header above IP are read; 0 when nothing is. */
static size_t l4_bytes(const struct packet *p)
{
	return proto_header_bytes(p->family, p->proto);
}

/* Behind the header that makes it a fragment: `bytes` of it, to stand `offset` bytes into what it is a part of. */
static enum cause fragment_cause(const struct packet *p, size_t offset, bool more, size_t bytes)
{
	if ((more && bytes % 8) || offset + bytes > UINT16_MAX)
		return CAUSE_BAD_FRAGMENT;
	return offset && offset < l4_bytes(p) ? CAUSE_OVERLAP : CAUSE_NONE;
}

static enum cause read_ip4(struct reader *r, struct packet *p)
{
	const uint8_t *ip = r->at;

	if (r->left < IP4_BYTES)
		return CAUSE_SHORT_IP;

	size_t header = (ip[0] & 0x0fu) * 4;
	size_t total = be16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IP4_BYTES)
		return CAUSE_BAD_IP;
	if (r->left < header)
		return CAUSE_SHORT_IP;
	if (total < header || total > r->left)
		return CAUSE_BAD_IP;

	uint16_t where = be16(ip + 6);
	p->fragment = where & 0x1fff ? FRAGMENT_LATER
		      : where & 0x2000 ? FRAGMENT_FIRST
				       : FRAGMENT_WHOLE;
	p->family = FAMILY_IP4;
	p->hop_limit = ip[8];
	p->proto = ip[9];
	p->src = addr_from_bytes(FAMILY_IP4, ip + 12);
	p->dst = addr_from_bytes(FAMILY_IP4, ip + 16);
	p->len = (uint32_t)total;
	r->left = total;
	skip(r, header);
	if (p->fragment == FRAGMENT_WHOLE)
		return CAUSE_NONE;
	return fragment_cause(p, (where & 0x1fffu) * 8, where & 0x2000, r->left);
}

static bool is_extension(uint8_t next)
{
	return next == EXT_HOP || next == EXT_ROUTING || next == EXT_FRAGMENT || next == EXT_DEST;
}

static size_t extension_bytes(uint8_t kind, const uint8_t *header)
{
	return kind == EXT_FRAGMENT ? (size_t)FRAG_BYTES : (header[1] + 1u) * 8;
}

/* An atomic fragment (RFC 6946) is whole. */
static enum cause read_fragment_header(const struct reader *r, struct packet *p)
{
	uint16_t where = be16(r->at + 2);

	if (where >> 3)
		p->fragment = FRAGMENT_LATER;
	else if (where & 1)
		p->fragment = FRAGMENT_FIRST;
	else
		return CAUSE_NONE;
	p->proto = r->at[0];
	return fragment_cause(p, where & ~7u, where & 1, r->left - FRAG_BYTES);
}

/* From the first next header to the protocol, which a later fragment's header names at once. */
static enum cause read_extensions(struct reader *r, struct packet *p)
{
	for (unsigned seen = 0; p->fragment != FRAGMENT_LATER && is_extension(p->proto); seen++) {
		if (seen == EXTENSIONS_MAX || r->left < 8)
			return CAUSE_EXTENSIONS;

		size_t bytes = extension_bytes(p->proto, r->at);
		if (r->left < bytes)
			return CAUSE_EXTENSIONS;
		enum cause cause = p->proto == EXT_FRAGMENT ? read_fragment_header(r, p) : CAUSE_NONE;
		if (cause != CAUSE_NONE)
			return cause;
		p->proto = r->at[0];
		skip(r, bytes);
	}
	return CAUSE_NONE;
}

static enum cause read_ip6(struct reader *r, struct packet *p)
{
	const uint8_t *ip = r->at;

	if (r->left < IP6_BYTES)
		return CAUSE_SHORT_IP;
	size_t total = IP6_BYTES + (size_t)be16(ip + 4);
	if (ip[0] >> 4 != 6 || total > r->left)
		return CAUSE_BAD_IP;

	p->fragment = FRAGMENT_WHOLE;
	p->family = FAMILY_IP6;
	p->proto = ip[6];
	p->hop_limit = ip[7];
	p->src = addr_from_bytes(FAMILY_IP6, ip + 8);
	p->dst = addr_from_bytes(FAMILY_IP6, ip + 24);
	p->len = (uint32_t)total;
	r->left = total;
	skip(r, IP6_BYTES);
	return read_extensions(r, p);
}

/* What IP's length leaves behind the header of TCP or UDP. */
static void read_payload(const struct reader *r, struct packet *p, size_t header)
{
	p->payload = r->at + header;
	p->payload_len = r->left - header;
}

/* An ICMP error: behind its own 8 bytes stands the packet it is about, or the begin of it. */
static bool has_inner(const struct packet *p)
{
	unsigned type = p->icmp >> 8;

	if (proto_has_ports(p->proto) || !l4_bytes(p) || p->fragment == FRAGMENT_LATER)
		return false;
	if (p->family == FAMILY_IP6)
		return type >= 1 && type <= 4;				 /* RFC 4443 */
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12; /* RFC 792 */
}

/*
 * It must reach 8 bytes into what IP carries (RFC 792; RFC 4443 asks for more), if there was so much; and
 * it was sent by whom the error goes to: address translators translate both (RFC 5508, 4).
 */
static enum cause read_inner(const struct reader *r, const struct packet *p)
{
	const bool ip4 = p->family == FAMILY_IP4;
	const uint8_t *ip = r->at + 8;
	const size_t left = r->left - 8;

	if (left < (ip4 ? IP4_BYTES : IP6_BYTES))
		return CAUSE_SHORT_INNER;

	size_t header = ip4 ? (ip[0] & 0x0fu) * 4 : IP6_BYTES;
	size_t total = ip4 ? be16(ip + 2) : IP6_BYTES + be16(ip + 4);
	if (ip[0] >> 4 != (ip4 ? 4 : 6) || header < IP4_BYTES || total < header)
		return CAUSE_BAD_INNER;
	if (left < (total < header + 8 ? total : header + 8))
		return CAUSE_SHORT_INNER;
	return addr_from_bytes(p->family, ip + (ip4 ? 12 : 8)).num == p->dst.num ? CAUSE_NONE : CAUSE_FOREIGN_INNER;
}

static enum cause read_tcp(const struct reader *r, struct packet *p)
{
	size_t header = (r->at[12] >> 4) * 4u;

	if (header < 20 || header > r->left)
		return CAUSE_BAD_TCP;
	p->flags = r->at[13];
	read_payload(r, p, header);
	return CAUSE_NONE;
}

/* A first fragment's length is that of all fragments. */
static enum cause read_udp(const struct reader *r, struct packet *p)
{
	size_t len = be16(r->at + 4);

	if (len < 8 || (p->fragment == FRAGMENT_WHOLE && len > r->left))
		return CAUSE_BAD_UDP;
	read_payload(r, p, 8);
	return CAUSE_NONE;
}

static enum cause read_l4(const struct reader *r, struct packet *p)
{
	size_t bytes = p->fragment == FRAGMENT_LATER ? 0 : l4_bytes(p);

	if (r->left < bytes)
		return p->fragment == FRAGMENT_FIRST ? CAUSE_TINY_FRAGMENT : CAUSE_SHORT_L4;
	if (!bytes)
		return CAUSE_NONE;

	if (!proto_has_ports(p->proto)) {
		p->icmp = be16(r->at);
		return has_inner(p) ? read_inner(r, p) : CAUSE_NONE;
	}
	p->sport = be16(r->at);
	p->dport = be16(r->at + 2);
	if (p->proto == PROTO_UDP)
		return read_udp(r, p);
	return p->proto == PROTO_TCP ? read_tcp(r, p) : CAUSE_NONE;
}

enum cause frame_parse(const uint8_t *frame, size_t len, struct packet *out)
{
	struct reader r = { frame, len };
	struct packet p = { 0 };
	uint16_t ethertype = 0;
	enum cause cause = read_ethernet(&r, &ethertype);

	if (cause != CAUSE_NONE)
		return cause;
	if (ethertype == ETHERTYPE_IP4)
		cause = read_ip4(&r, &p);
	else if (ethertype == ETHERTYPE_IP6)
		cause = read_ip6(&r, &p);
	else
		return CAUSE_NOT_IP;
	if (cause == CAUSE_NONE)
		cause = read_l4(&r, &p);
	if (cause == CAUSE_NONE)
		*out = p;
	return cause;
}

/* --- building ------------------------------------------------------------------------ */

static void put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* RFC 1071: the ones' complement sum, not yet complemented. */
static uint32_t sum16(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += be16(at + i);
	if (len & 1)
		sum += (uint32_t)at[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Over the pseudo header (RFC 9293, RFC 8200) and the segment. */
static uint16_t l4_checksum(const struct packet *p, const uint8_t *l4, size_t len)
{
	uint8_t ends[32];
	uint32_t sum = 0;

	addr_to_bytes(p->src, ends);
	addr_to_bytes(p->dst, ends + 16);
	if (p->proto != PROTO_ICMP)
		sum = sum16(ends, sizeof ends, p->proto + (uint32_t)len);
	return (uint16_t)~sum16(l4, len, sum);
}

/* RFC 9260, appendix A: CRC-32c, put in little endian. */
static void put_sctp_checksum(uint8_t *l4, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= l4[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78 & -(crc & 1));
	}
	crc = ~crc;
	for (int i = 0; i < 4; i++)
		l4[8 + i] = (uint8_t)(crc >> (8 * i));
}

static void put_l4(const struct packet *p, uint8_t *l4, size_t len)
{
	switch (p->proto) {
	case PROTO_TCP:
		put16(l4, p->sport);
		put16(l4 + 2, p->dport);
		l4[12] = 5 << 4;
		l4[13] = p->flags;
		put16(l4 + 14, 65535);
		put16(l4 + 16, l4_checksum(p, l4, len));
		return;
	case PROTO_UDP:
		put16(l4, p->sport);
		put16(l4 + 2, p->dport);
		put16(l4 + 4, len);
		uint16_t sum = l4_checksum(p, l4, len);
		put16(l4 + 6, sum ? sum : 0xffff); /* RFC 768: 0 means none */
		return;
	case PROTO_SCTP:
		put16(l4, p->sport);
		put16(l4 + 2, p->dport);
		put_sctp_checksum(l4, len);
		return;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		put16(l4, p->icmp);
		put16(l4 + 2, l4_checksum(p, l4, len));
		return;
	}
}

/* A later fragment's offset: 512 bytes, in units of 8. */
#define LATER_UNITS 64

static void put_ip4(const struct packet *p, uint8_t *ip, size_t body)
{
	uint8_t bytes[16];

	ip[0] = 0x45;
	put16(ip + 2, IP4_BYTES + body);
	put16(ip + 6, p->fragment == FRAGMENT_LATER   ? LATER_UNITS
		      : p->fragment == FRAGMENT_FIRST ? 0x2000
						      : 0);
	ip[8] = p->hop_limit;
	ip[9] = p->proto;
	addr_to_bytes(p->src, bytes);
	memcpy(ip + 12, bytes, 4);
	addr_to_bytes(p->dst, bytes);
	memcpy(ip + 16, bytes, 4);
	put16(ip + 10, (uint16_t)~sum16(ip, IP4_BYTES, 0));
}

static void put_ip6(const struct packet *p, uint8_t *ip, size_t body)
{
	bool whole = p->fragment == FRAGMENT_WHOLE;
	uint8_t *fragment = ip + IP6_BYTES;

	ip[0] = 6 << 4;
	put16(ip + 4, body + (whole ? 0 : FRAG_BYTES));
	ip[6] = whole ? p->proto : EXT_FRAGMENT;
	ip[7] = p->hop_limit;
	addr_to_bytes(p->src, ip + 8);
	addr_to_bytes(p->dst, ip + 24);
	if (whole)
		return;
	fragment[0] = p->proto;
	put16(fragment + 2, p->fragment == FRAGMENT_LATER ? LATER_UNITS << 3 : 1);
}

/* The shortest packet that an error may be about: 8 bytes of UDP, from whom it goes to. */
static void put_inner(const struct packet *error, uint8_t *at)
{
	struct packet p = { .family = error->family, .src = error->dst, .dst = error->src,
			    .proto = PROTO_UDP, .fragment = FRAGMENT_WHOLE, .hop_limit = 64 };
	const size_t udp = l4_bytes(&p);

	if (p.family == FAMILY_IP4)
		put_ip4(&p, at, udp);
	else
		put_ip6(&p, at, udp);
	put16(at + (p.family == FAMILY_IP4 ? IP4_BYTES : IP6_BYTES) + 4, udp);
}

/* How much of the packet that an error is about the payload does not give: that would begin with its version. */
static size_t inner_missing(const struct packet *p, const uint8_t *payload, size_t len)
{
	const bool ip4 = p->family == FAMILY_IP4;

	if (!has_inner(p) || (len && payload[0] >> 4 == (ip4 ? 4 : 6)))
		return 0;
	return (ip4 ? IP4_BYTES : IP6_BYTES) + 8;
}

size_t frame_build(const struct packet *p, const void *payload, size_t payload_len,
		   uint8_t *frame, size_t room)
{
	static const uint8_t ends[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	bool ip4 = p->family == FAMILY_IP4;
	size_t ip = ip4 ? IP4_BYTES : p->fragment == FRAGMENT_WHOLE ? IP6_BYTES : IP6_BYTES + FRAG_BYTES;
	size_t l4 = p->fragment == FRAGMENT_LATER ? 0 : l4_bytes(p);
	size_t inner = inner_missing(p, payload, payload_len);
	size_t body = l4 + (payload_len > inner ? payload_len : inner);

	if (p->fragment == FRAGMENT_FIRST)
		body = (body + 7) / 8 * 8;
	if (ETH_BYTES + ip + body > room || ip + body > UINT16_MAX)
		return 0;

	memset(frame, 0, ETH_BYTES + ip + body);
	memcpy(frame, ends, sizeof ends);
	put16(frame + 12, ip4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);

	uint8_t *at = frame + ETH_BYTES;
	if (payload_len)
		memcpy(at + ip + l4, payload, payload_len);
	if (inner) {
		memset(at + ip + l4, 0, inner);
		put_inner(p, at + ip + l4);
	}
	if (l4)
		put_l4(p, at + ip, body);
	if (ip4)
		put_ip4(p, at, body);
	else
		put_ip6(p, at, body);
	return ETH_BYTES + ip + body;
}
