#include "compiler/ir/partial.h"

#include <string.h>

#include "compiler/ir/proto.h"

struct guess guess_known(bool so)
{
	return so ? GUESS_YES : GUESS_NO;
}

struct guess guess_maybe(enum pkt_field_bits field)
{
	return (struct guess){ MAYBE, field };
}

static struct packet packet_of(const struct pol_packet *g, struct addr own)
{
	struct packet p = {
		.zone = g->zone,
		.direction = g->direction,
		.family = g->family,
		.src = g->src_self ? own : g->src,
		.dst = g->dst_self ? own : g->dst,
		.proto = (uint8_t)g->proto,
		.fragment = FRAGMENT_WHOLE,
		.hop_limit = 64,
		.state = g->state,
		.reply = g->reply,
		.len = g->size,
		.payload = (const uint8_t *)g->payload,
		.payload_len = g->payload_len,
	};
	unsigned type = g->icmp >> 8;

	if (proto_has_ports(g->proto)) {
		p.sport = g->sport;
		p.dport = g->dport;
	}
	if (g->proto == PROTO_TCP)
		p.flags = g->flags;
	if (g->proto == PROTO_ICMP || g->proto == PROTO_ICMPV6)
		p.icmp = g->icmp;
	if (g->proto == PROTO_ICMPV6 && type >= 133 && type <= 136)
		p.hop_limit = 255;
	else if (g->proto == PROTO_ICMPV6 && icmpv6_is_listener(type))
		p.hop_limit = 1;
	p.src.family = p.dst.family = p.family; /* an address that was left out has none */
	return p;
}

struct partial partial_of(const struct pol_packet *given, struct addr own, size_t zone_count)
{
	return (struct partial){ given, packet_of(given, own), zone_count };
}

bool partial_has(const struct partial *p, enum pkt_field_bits field)
{
	return p->given->given & field;
}

static struct guess end_has(const struct partial *p, const struct ir_end *e, struct addr a, bool self,
			     enum pkt_field_bits field)
{
	bool some = e->set && e->set->set.len[a.family];

	if (e->any || (self && e->self))
		return GUESS_YES;
	if (self)
		return some ? guess_maybe(field) : GUESS_NO;
	if (!partial_has(p, field))
		return some || e->self ? guess_maybe(field) : GUESS_NO;
	return guess_known(some && netset_has(&e->set->set, a));
}

static struct guess range_has(const struct partial *p, const struct ranges *asked, uint16_t value,
			       enum pkt_field_bits field)
{
	if (ranges_are_all(asked))
		return GUESS_YES;
	return partial_has(p, field) ? guess_known(ranges_has(asked, value)) : guess_maybe(field);
}

static struct guess zones_have(const struct partial *p, uint64_t zones)
{
	uint64_t all = (1ull << p->zone_count) - 1;

	if (partial_has(p, GIVEN_ZONE))
		return guess_known(zones & 1ull << p->packet.zone);
	if ((zones & all) == all)
		return GUESS_YES;
	return zones & all ? guess_maybe(GIVEN_ZONE) : GUESS_NO;
}

static struct guess flags_have(const struct partial *p, const struct ir_box *b)
{
	if (!b->flags_mask)
		return GUESS_YES;
	if (!partial_has(p, GIVEN_FLAGS))
		return guess_maybe(GIVEN_FLAGS);
	return guess_known((p->packet.flags & b->flags_mask) == b->flags_want);
}

void partial_ask(const struct partial *p, const struct ir_box *b, struct guess out[static BOX_FIELD_COUNT])
{
	const struct packet *k = &p->packet;
	const struct guess all[BOX_FIELD_COUNT] = {
		[BOX_FAMILY] = guess_known(b->families & 1u << k->family),
		[BOX_FRAGMENT] = guess_known(b->fragments & k->fragment),
		[BOX_PROTO] = guess_known(b->proto == PROTO_ANY_NUMBER || b->proto == k->proto),
		[BOX_ZONE] = zones_have(p, b->zones),
		[BOX_SRC] = end_has(p, &b->src, k->src, p->given->src_self, GIVEN_SRC),
		[BOX_DST] = end_has(p, &b->dst, k->dst, p->given->dst_self, GIVEN_DST),
		[BOX_SPORT] = range_has(p, &b->sport, k->sport, GIVEN_SPORT),
		[BOX_DPORT] = range_has(p, &b->dport, k->dport, GIVEN_DPORT),
		[BOX_ICMP] = range_has(p, &b->icmp, k->icmp, GIVEN_ICMP),
		[BOX_FLAGS] = flags_have(p, b),
	};

	memcpy(out, all, sizeof all);
}

static struct guess box_has_it(const struct partial *p, const struct ir_box *b)
{
	struct guess parts[BOX_FIELD_COUNT], all = GUESS_YES;

	partial_ask(p, b, parts);
	for (int i = 0; i < BOX_FIELD_COUNT; i++) {
		if (parts[i].truth == NO)
			return GUESS_NO;
		if (parts[i].truth == MAYBE && all.truth == YES)
			all = parts[i];
	}
	return all;
}

struct guess partial_in_rule(const struct partial *p, const struct ir_rule *rule, bool reply)
{
	struct guess any = GUESS_NO;

	for (size_t i = 0; i < rule->box_count && any.truth != YES; i++) {
		struct ir_box box = reply ? ir_box_reply(&rule->boxes[i]) : rule->boxes[i];
		struct guess one = box_has_it(p, &box);

		if (one.truth > any.truth)
			any = one;
	}
	return any;
}

struct guess partial_is_icmp(const struct partial *p, bool (*among)(const struct packet *))
{
	bool icmp = p->packet.proto == PROTO_ICMP || p->packet.proto == PROTO_ICMPV6;

	if (icmp && !partial_has(p, GIVEN_ICMP))
		return guess_maybe(GIVEN_ICMP);
	return guess_known(among(&p->packet));
}

/* What listeners send is known by its source, and `self` may or may not be link-local. */
struct guess partial_is_neighbour(const struct partial *p)
{
	bool has_source = partial_has(p, GIVEN_SRC) && !p->given->src_self;

	if (p->packet.proto == PROTO_ICMPV6 && partial_has(p, GIVEN_ICMP) &&
	    icmpv6_is_listener(p->packet.icmp >> 8) && !has_source)
		return guess_maybe(GIVEN_SRC);
	return partial_is_icmp(p, packet_is_neighbour);
}
