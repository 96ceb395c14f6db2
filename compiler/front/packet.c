/*
 * packet.c - the packet that a line of a test describes: its protocol and ends, and the words behind these.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/ir/proto.h"
#include "lang/base/near.h"
#include "lang/vocab/tcp_flag.h"

/* `icmp` alone is of the family that the ends say. */
static bool packet_proto(struct reading *r, const struct node *head, struct pol_packet *p, bool *icmp)
{
	const struct node *name = head->first, *what = head->first->next;
	uint64_t number;

	*icmp = !strcmp(name->text, "icmp");
	if (!strcmp(name->text, "protocol") && what) {
		if (!value_number(r, what, 255, &number))
			return false;
		p->proto = (uint16_t)number;
		return true;
	}
	if (!proto_find(name->text, &p->proto) || p->proto == PROTO_ANY) {
		struct diag *d = diag(r->diags, DIAG_PROTO_UNKNOWN, name->span, "a packet cannot be of `%s`", name->text);

		diag_help(d, "it has one protocol: tcp, udp, sctp, icmp, ..., or a number: protocol 47");
		return false;
	}
	if (what && p->proto != PROTO_ICMP && p->proto != PROTO_ICMPV6) {
		diag(r->diags, DIAG_HEAD_ARGUMENT, what->span, "`%s` takes nothing after it", name->text);
		return false;
	}
	return true;
}

static bool address_of_net(struct reading *r, const struct node *n, struct addr *out)
{
	struct netset s;

	if (!value_net(r, n, &s))
		return false;
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (s.len[f] == 1 && !s.len[!f] && s.at[f][0].lo == s.at[f][0].hi) {
			*out = (struct addr){ (enum family)f, s.at[f][0].lo };
			return true;
		}
	diag_help(diag(r->diags, DIAG_PACKET_ADDRESS, n->span, "a packet comes from one address and goes to one"),
		  "write an address, `self`, or `any` for whichever");
	return false;
}

struct packet_end {
	bool self, given;
	struct addr addr;
	const struct node *port;
};

static bool end_read(struct reading *r, const struct node *end, struct packet_end *out)
{
	const struct node *who = end->first;

	*out = (struct packet_end){ .port = who->next };
	switch ((unsigned)who->kind) {
	case NODE_SELF:
		out->self = out->given = true;
		return true;
	case NODE_ANY:
		return true;
	}
	out->given = true;
	return address_of_net(r, who, &out->addr);
}

static bool port_read(struct reading *r, const struct node *n, uint16_t proto, uint16_t *out)
{
	struct ranges ports;

	if (!proto_has_ports(proto)) {
		diag(r->diags, DIAG_PACKET_FIELD, n->span, "this packet has no ports");
		return false;
	}
	if (!value_ports(r, n, proto, &ports))
		return false;
	if (ports.len != 1 || ports.at[0].lo != ports.at[0].hi) {
		diag(r->diags, DIAG_PACKET_ADDRESS, n->span, "a packet has one port, and `%s` are several", n->text);
		return false;
	}
	*out = ports.at[0].lo;
	return true;
}

static bool family_read(struct reading *r, const struct node *packet, const struct packet_end *src,
			const struct packet_end *dst, bool icmp, struct pol_packet *p)
{
	bool from = src->given && !src->self, to = dst->given && !dst->self;

	if (from && to && src->addr.family != dst->addr.family) {
		diag(r->diags, DIAG_PACKET_FAMILY, packet->span, "a packet goes from IPv4 to IPv4, or from IPv6 to IPv6");
		return false;
	}
	if (from || to) {
		p->family = from ? src->addr.family : dst->addr.family;
	} else if (!icmp && (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)) {
		p->family = p->proto == PROTO_ICMP ? FAMILY_IP4 : FAMILY_IP6;
	} else {
		diag_help(diag(r->diags, DIAG_PACKET_FAMILY, packet->span, "is this packet of IPv4 or of IPv6?"),
			  "write the address of one of its ends");
		return false;
	}
	if (icmp)
		p->proto = p->family == FAMILY_IP4 ? PROTO_ICMP : PROTO_ICMPV6;
	if ((p->proto == PROTO_ICMP && p->family == FAMILY_IP6) || (p->proto == PROTO_ICMPV6 && p->family == FAMILY_IP4)) {
		diag_help(diag(r->diags, DIAG_PACKET_FAMILY, packet->span, "this ICMP is not of the family of its ends"),
			  "`icmp` alone is of the right one");
		return false;
	}
	return true;
}

static bool icmp_read(struct reading *r, const struct node *what, struct pol_packet *p)
{
	struct service s;
	bool v6 = p->proto == PROTO_ICMPV6;

	if (!what)
		return true;
	if (!value_icmp(r, what, !v6, v6, &s))
		return false;
	if (s.at[0].icmp.len != 1) {
		diag(r->diags, DIAG_PACKET_ADDRESS, what->span, "a packet is one ICMP message");
		return false;
	}
	p->icmp = s.at[0].icmp.at[0].lo; /* the code that is not said is 0 */
	p->given |= GIVEN_ICMP;
	return true;
}

/* --- words after the ends ---------------------------------------------------------------------- */

static bool state_word(struct pol_packet *p, const char *word)
{
	if (!strcmp(word, "reply")) {
		p->reply = true;
		p->state = CT_ESTABLISHED;
		p->given |= GIVEN_STATE;
		return true;
	}
	for (int s = 0; s < CT_COUNT; s++)
		if (!strcmp(word, ct_state_name((enum ct_state)s))) {
			p->state = (enum ct_state)s;
			p->given |= GIVEN_STATE;
			return true;
		}
	return false;
}

static bool word_unknown(struct reading *r, const struct node *words)
{
	struct diag *d = diag(r->diags, DIAG_PACKET_WORD, words->span, "`%s` says nothing of a packet", words->first->text);
	struct near n = near_to(words->first->text);

	for (int s = 0; s < CT_COUNT; s++)
		near_try(&n, ct_state_name((enum ct_state)s));
	near_try(&n, "reply");
	near_try(&n, "syn");
	near_try(&n, "ack");
	if (!tell_near(r, d, &n, words->first->span))
		diag_help(d, "there are TCP flags, the states new, established, reply, related, invalid, untracked, and in, forward, out, on ZONE");
	return false;
}

static bool words_read(struct reading *r, const struct node *words, struct pol_packet *p)
{
	const char *first = words->first->text;
	uint8_t bit;

	if (!words->first->next && state_word(p, first))
		return true;
	if (!tcp_flag_find(first, &bit))
		return word_unknown(r, words);
	if (p->proto != PROTO_TCP) {
		diag(r->diags, DIAG_PACKET_FIELD, words->span, "this packet has no TCP flags");
		return false;
	}
	p->given |= GIVEN_FLAGS;
	return select_flags(r, words, &p->flags);
}

static bool on_read(struct reading *r, const struct node *on, struct pol_packet *p)
{
	uint64_t zones = 0;

	if (!value_zones(r, on->first, &zones))
		return false;
	p->zone = (unsigned)__builtin_ctzll(zones);
	p->given |= GIVEN_ZONE;
	return true;
}

#define SIZE_MOST 65535u /* of an IP packet */

static bool size_read(struct reading *r, const struct node *size, struct pol_packet *p)
{
	uint64_t bytes;

	if (!value_amount(r, size, TYPE_BYTES, &bytes))
		return false;
	if (p->given & GIVEN_SIZE) {
		diag(r->diags, DIAG_CLAUSE_TWICE, size->span, "this is said twice");
		return false;
	}
	p->given |= GIVEN_SIZE;
	p->size = bytes <= SIZE_MOST ? (uint32_t)bytes : 0;
	if (p->size)
		return true;
	diag(r->diags, DIAG_NUMBER_RANGE, size->span, "a packet has 1 to %u bytes", SIZE_MOST);
	return false;
}

/* The shortest headers that frame_build() of packet.h writes. */
static uint32_t header_bytes(const struct pol_packet *p)
{
	const uint32_t ip = p->family == FAMILY_IP4 ? 20 : 40;

	if (p->proto == PROTO_TCP)
		return ip + 20;
	return p->proto == PROTO_SCTP ? ip + 12 : p->proto == PROTO_UDP || p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6 ? ip + 8 : ip;
}

/* What the size leaves behind the payload is zeros. */
static bool size_fill(struct reading *r, const struct node *packet, struct pol_packet *p)
{
	const uint32_t least = header_bytes(p) + (uint32_t)p->payload_len;
	char *bytes;

	if (p->size < least) {
		diag(r->diags, DIAG_NUMBER_RANGE, packet->span, "this packet has at least %u bytes", least);
		return false;
	}
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP)
		return true;
	bytes = arena_zero(r->arena, p->size - header_bytes(p) + 1);
	memcpy(bytes, p->payload ? p->payload : "", p->payload_len);
	p->payload = bytes;
	p->payload_len = p->size - header_bytes(p);
	return true;
}

static bool clauses_read(struct reading *r, const struct node *packet, struct pol_packet *p)
{
	bool sound = true;

	for (const struct node *n = packet->first; n; n = n->next) {
		switch ((unsigned)n->kind) {
		case NODE_WORDS:
			sound &= words_read(r, n, p);
			break;
		case NODE_DIRECTION:
			p->direction = (enum direction)n->word;
			break;
		case NODE_ON:
			sound &= on_read(r, n, p);
			break;
		case NODE_PAYLOAD:
			p->payload = n->first->text;
			p->payload_len = strlen(p->payload);
			break;
		case NODE_QUANTITY:
			sound &= size_read(r, n, p);
			break;
		case NODE_HOLE:
			sound = false;
			break;
		}
	}
	if (p->payload && p->proto != PROTO_TCP && p->proto != PROTO_UDP) {
		diag(r->diags, DIAG_PACKET_FIELD, packet->span, "only packets of TCP and UDP are given a payload");
		return false;
	}
	return sound && (!(p->given & GIVEN_SIZE) || size_fill(r, packet, p));
}

static bool ports_read(struct reading *r, struct pol_packet *p, const struct packet_end *src, const struct packet_end *dst)
{
	bool sound = true;

	if (src->port) {
		sound &= port_read(r, src->port, p->proto, &p->sport);
		p->given |= GIVEN_SPORT;
	}
	if (dst->port) {
		sound &= port_read(r, dst->port, p->proto, &p->dport);
		p->given |= GIVEN_DPORT;
	}
	return sound;
}

bool packet_read(struct reading *r, const struct node *packet, struct pol_packet *p)
{
	const struct node *head = packet->first, *from = head->next, *to = from->next;
	struct packet_end src, dst;
	bool icmp;

	*p = (struct pol_packet){ .span = packet->span, .state = CT_NEW };
	bool sound = packet_proto(r, head, p, &icmp);
	sound &= end_read(r, from, &src);
	sound &= end_read(r, to, &dst);
	if (!sound || !family_read(r, packet, &src, &dst, icmp, p))
		return false;
	p->given = (src.given ? GIVEN_SRC : 0u) | (dst.given ? GIVEN_DST : 0u);
	p->src_self = src.self;
	p->dst_self = dst.self;
	p->src = src.addr;
	p->dst = dst.addr;
	p->src.family = p->dst.family = p->family;
	if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)
		sound &= icmp_read(r, head->first->next, p);
	sound &= ports_read(r, p, &src, &dst);
	return clauses_read(r, packet, p) && sound;
}
