/* rules_points - packets at the bounds of a policy's boxes, and elsewhere. */
#include "tests/lib/rules_gen_parts.h"

#include "compiler/ir/proto.h"
#include "tests/lib/tap.h"

static addr_num random_address(struct rules *g, enum family family, const struct ir_end *e)
{
	addr_num a = rules_site(family, skewed(g, g->sites ? g->sites : 1)) + rules_below(g, 1 << 16);

	if (g->profile == RULES_SMALL)
		a = rules_small_range(g, family).lo;
	if (e && e->set && e->set->set.len[family]) {
		const struct addr_range *r =
			&e->set->set.at[family][rules_below(g, e->set->set.len[family])];

		switch (rules_below(g, 5)) {
		case 0:
			return r->lo;
		case 1:
			return r->hi;
		case 2:
			return r->lo ? r->lo - 1 : 0;
		case 3:
			return r->hi < family_max(family) ? r->hi + 1 : r->hi;
		default:
			return r->lo + (addr_num)(fraction(g) * (double)(r->hi - r->lo));
		}
	}
	return a & family_max(family);
}

static uint16_t random_number(struct rules *g, const struct ranges *r)
{
	if (r && r->len && chance(g, 0.8)) {
		const struct range *one = &r->at[rules_below(g, r->len)];

		switch (rules_below(g, 5)) {
		case 0:
			return one->lo;
		case 1:
			return one->hi;
		case 2:
			return (uint16_t)(one->lo - 1);
		case 3:
			return (uint16_t)(one->hi + 1);
		default:
			return (uint16_t)(one->lo + rules_below(g, (size_t)(one->hi - one->lo) + 1));
		}
	}
	return (uint16_t)(chance(g, 0.5) ? rules_below(g, 40) : rules_random(g));
}

static const struct ir_box *random_box(struct rules *g, const struct ir *ir)
{
	const struct ir_posture *p = &ir->postures[rules_below(g, ir->posture_count)];
	const struct ir_list *lists[] = { &ir->lifelines, &ir->blocks, &ir->reflexes,
					  &p->lists[0], &p->lists[1], &p->lists[2], &p->lists[1] };
	const struct ir_list *l = lists[rules_below(g, ARRAY_LEN(lists))];
	const struct ir_rule *r = l->count ? &l->rules[rules_below(g, l->count)] : NULL;

	return r && r->box_count ? &r->boxes[rules_below(g, r->box_count)] : NULL;
}

static void point_header(struct rules *g, struct packet *p, const struct ir_box *b)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ICMP,
					  PROTO_ICMPV6, PROTO_SCTP, 47 };

	p->proto = protos[rules_below(g, ARRAY_LEN(protos))];
	if (b && b->proto != PROTO_ANY_NUMBER && chance(g, 0.9))
		p->proto = (uint8_t)b->proto;
	p->fragment = (uint8_t)(chance(g, 0.7) ? FRAGMENT_WHOLE : 1u << rules_below(g, 3));
	p->hop_limit = chance(g, 0.3) ? 255 : chance(g, 0.3) ? 1 : 64;
	if (p->fragment == FRAGMENT_LATER)
		return;
	if (proto_has_ports(p->proto)) {
		p->sport = random_number(g, b ? &b->sport : NULL);
		p->dport = random_number(g, b ? &b->dport : NULL);
	}
	if (p->proto == PROTO_TCP)
		p->flags = (uint8_t)(b && chance(g, 0.5) ? b->flags_want | (rules_random(g) & ~b->flags_mask)
							 : rules_random(g));
	if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)
		p->icmp = chance(g, 0.3) ? (uint16_t)((130 + rules_below(g, 14)) << 8)
					 : random_number(g, b ? &b->icmp : NULL);
}

void rules_point(struct rules *g, const struct ir *ir, const struct terms *t, struct point *out)
{
	const struct ir_box *b = random_box(g, ir);
	enum family family = chance(g, 0.5) ? FAMILY_IP6 : FAMILY_IP4;
	struct point p = { .src_self = chance(g, 0.3), .dst_self = chance(g, 0.5),
			   .blocked = chance(g, 0.2) };
	bool *over = arena_zero(t->arena, t->unknowns.len + 1);

	if (b && !(b->families & 1u << family))
		family = family == FAMILY_IP4 ? FAMILY_IP6 : FAMILY_IP4;
	p.packet.family = family;
	p.packet.src = (struct addr){ family, random_address(g, family, b ? &b->src : NULL) };
	p.packet.dst = (struct addr){ family, random_address(g, family, b ? &b->dst : NULL) };
	point_header(g, &p.packet, b);
	if (p.packet.proto == PROTO_ICMPV6 && family == FAMILY_IP6 && chance(g, 0.3))
		p.packet.src.num = chance(g, 0.7) ? (addr_num)0xfe80 << 112 | rules_below(g, 3) : 0;
	if (p.packet.src.num == p.packet.dst.num)
		p.dst_self = p.src_self;
	p.packet.zone = chance(g, 0.3) || !t->zones.len ? 63 : (unsigned)rules_below(g, t->zones.len);
	p.packet.state = chance(g, 0.6) ? CT_NEW : (enum ct_state)rules_below(g, CT_COUNT);
	p.packet.reply = chance(g, 0.3);
	p.packet.len = 60;
	for (size_t i = 0; i < t->unknowns.len; i++)
		over[i] = chance(g, 0.3);
	p.over = over;
	*out = p;
}
