/* Packets where a policy changes its mind. */
#include "tests/lib/gen.h"

#include <stdio.h>

#include "compiler/ir/proto.h"

struct gen_aim {
	const struct ir *ir;
	VEC(const struct ir_box *) boxes;
	VEC(struct addr) addrs[FAMILY_COUNT]; /* both ends of every range, and one beside */
	VEC(struct addr) self[FAMILY_COUNT];
	VEC(uint16_t) ports, icmp;
};

static void aim_addr(struct gen_aim *aim, struct arena *a, enum family f, addr_num n)
{
	struct addr one = { f, n & family_max(f) };

	vec_push(a, &aim->addrs[f], one);
}

static void aim_set(struct gen_aim *aim, struct arena *a, const struct netset *s)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (size_t i = 0; i < s->len[f]; i++) {
			aim_addr(aim, a, (enum family)f, s->at[f][i].lo);
			aim_addr(aim, a, (enum family)f, s->at[f][i].hi);
			aim_addr(aim, a, (enum family)f, s->at[f][i].lo - 1);
			aim_addr(aim, a, (enum family)f, s->at[f][i].hi + 1);
		}
	}
}

#define AIM_RANGES(aim, a, list, r)                                                                \
	for (size_t i_ = 0; i_ < (r)->len; i_++) {                                                 \
		vec_push((a), &(aim)->list, (r)->at[i_].lo);                                       \
		vec_push((a), &(aim)->list, (r)->at[i_].hi);                                       \
		vec_push((a), &(aim)->list, (uint16_t)((r)->at[i_].lo - 1));                       \
		vec_push((a), &(aim)->list, (uint16_t)((r)->at[i_].hi + 1));                       \
	}

static void aim_list(struct gen_aim *aim, struct arena *a, const struct ir_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		for (size_t j = 0; j < list->rules[i].box_count; j++) {
			const struct ir_box *b = &list->rules[i].boxes[j];

			vec_push(a, &aim->boxes, b);
			AIM_RANGES(aim, a, ports, &b->sport);
			AIM_RANGES(aim, a, ports, &b->dport);
			AIM_RANGES(aim, a, icmp, &b->icmp);
		}
	}
}

struct gen_aim *gen_aim_at(const struct ir *ir, const struct netset *self, struct arena *a)
{
	struct gen_aim *aim = arena_zero(a, sizeof *aim);

	aim->ir = ir;
	aim_list(aim, a, &ir->lifelines);
	aim_list(aim, a, &ir->blocks);
	aim_list(aim, a, &ir->reflexes);
	aim_list(aim, a, &ir->watches);
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			aim_list(aim, a, &ir->postures[i].lists[d]);
	for (size_t i = 0; i < ir->set_count; i++)
		aim_set(aim, a, &ir->sets[i]->set);
	aim_set(aim, a, self);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (size_t i = 0; i < self->len[f]; i++) {
			struct addr one = { (enum family)f, self->at[f][i].lo };
			vec_push(a, &aim->self[f], one);
		}
	}
	return aim;
}

static struct addr aim_any(struct gen *g, const struct gen_aim *aim, enum family f)
{
	if (aim->self[f].len && gen_chance(g, 30))
		return aim->self[f].at[gen_below(g, (unsigned)aim->self[f].len)];
	if (aim->addrs[f].len && gen_chance(g, 60))
		return aim->addrs[f].at[gen_below(g, (unsigned)aim->addrs[f].len)];
	return gen_addr(g, f);
}

static struct addr aim_end(struct gen *g, const struct gen_aim *aim, const struct ir_end *e,
			   enum family f)
{
	if (e->self && aim->self[f].len && gen_chance(g, 50))
		return aim->self[f].at[gen_below(g, (unsigned)aim->self[f].len)];
	if (e->set && e->set->set.len[f]) {
		struct addr_range r = e->set->set.at[f][gen_below(g, (unsigned)e->set->set.len[f])];
		addr_num step = r.hi - r.lo ? gen_u64(g) % ((uint64_t)(r.hi - r.lo) | 1) : 0;

		return (struct addr){ f, gen_chance(g, 50) ? r.lo + step : gen_chance(g, 50) ? r.lo : r.hi };
	}
	return aim_any(g, aim, f);
}

static uint16_t aim_range(struct gen *g, const struct ranges *r)
{
	struct range one = r->at[gen_below(g, (unsigned)r->len)];

	if (ranges_are_all(r))
		return gen_port(g);
	return gen_chance(g, 40) ? one.lo
	       : gen_chance(g, 50) ? one.hi
				   : (uint16_t)(one.lo + gen_below(g, one.hi - one.lo + 1u));
}

static const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_UDP, PROTO_ICMP,
				  PROTO_ICMPV6, PROTO_ICMPV6, PROTO_SCTP, 47, 50, 59, 2, 255 };
static const uint8_t fragments[] = { FRAGMENT_WHOLE, FRAGMENT_WHOLE, FRAGMENT_WHOLE, FRAGMENT_WHOLE,
				     FRAGMENT_WHOLE, FRAGMENT_WHOLE, FRAGMENT_FIRST, FRAGMENT_LATER };
static const uint8_t flags[] = { 0x02, 0x02, 0x12, 0x10, 0x18, 0x04, 0x11, 0x00, 0xff, 0x29, 0x42 };
static const uint8_t hops[] = { 64, 64, 255, 255, 254, 1, 0 };

static unsigned gen_zone(struct gen *g, const struct gen_aim *aim)
{
	return gen_chance(g, 85) ? gen_below(g, (unsigned)aim->ir->zone_count) : ZONE_NONE;
}

static uint16_t gen_icmp(struct gen *g, const struct gen_aim *aim)
{
	static const uint8_t types[] = { 0, 1, 3, 4, 8, 11, 12, 128, 130, 132, 133, 134, 135, 136, 137, 143 };

	if (aim->icmp.len && gen_chance(g, 40))
		return aim->icmp.at[gen_below(g, (unsigned)aim->icmp.len)];
	return (uint16_t)(GEN_PICK(g, types) << 8 | (gen_chance(g, 70) ? 0 : gen_below(g, 256)));
}

static uint16_t aim_port(struct gen *g, const struct gen_aim *aim)
{
	if (aim->ports.len && gen_chance(g, 60))
		return aim->ports.at[gen_below(g, (unsigned)aim->ports.len)];
	return gen_port(g);
}

static struct packet packet_anywhere(struct gen *g, const struct gen_aim *aim)
{
	enum family f = gen_family(g);

	return (struct packet){
		.zone = gen_zone(g, aim),
		.direction = gen_chance(g, 70) ? DIRECTION_IN : (enum direction)gen_below(g, DIRECTION_COUNT),
		.family = f,
		.src = aim_any(g, aim, f),
		.dst = aim_any(g, aim, f),
		.proto = GEN_PICK(g, protos),
		.fragment = GEN_PICK(g, fragments),
		.hop_limit = GEN_PICK(g, hops),
		.sport = aim_port(g, aim),
		.dport = aim_port(g, aim),
		.icmp = gen_icmp(g, aim),
		.flags = gen_chance(g, 80) ? GEN_PICK(g, flags) : (uint8_t)gen_u64(g),
		.state = gen_chance(g, 60) ? CT_NEW : (enum ct_state)gen_below(g, CT_COUNT),
		.reply = gen_chance(g, 50),
	};
}

/* What listeners say of multicast, or almost: the source and the hop limit tell. */
static void packet_listener(struct gen *g, struct packet *p)
{
	static const uint8_t types[] = { 129, 130, 131, 132, 143, 144 };
	static const addr_num sources[] = {
		0, 1, (addr_num)0xfe80 << 112, ((addr_num)0xfec0 << 112) - 1, (addr_num)0xfec0 << 112,
		((addr_num)0xfe80 << 112) - 1, (addr_num)0xfe80 << 112 | 7,
	};

	if (p->family != FAMILY_IP6)
		p->dst = gen_addr(g, FAMILY_IP6);
	p->family = FAMILY_IP6;
	p->src = (struct addr){ FAMILY_IP6, GEN_PICK(g, sources) };
	p->proto = PROTO_ICMPV6;
	p->icmp = (uint16_t)(GEN_PICK(g, types) << 8 | (gen_chance(g, 70) ? 0 : 7));
	p->hop_limit = gen_chance(g, 70) ? 1 : GEN_PICK(g, hops);
}

/* Moves a packet into a box, as far as its fields can say. */
static void packet_into(struct gen *g, const struct gen_aim *aim, const struct ir_box *b,
			struct packet *p)
{
	if (!(b->families & 1u << p->family))
		p->family = p->family == FAMILY_IP4 ? FAMILY_IP6 : FAMILY_IP4;
	p->src = aim_end(g, aim, &b->src, p->family);
	p->dst = aim_end(g, aim, &b->dst, p->family);
	if (b->proto != PROTO_ANY_NUMBER)
		p->proto = (uint8_t)b->proto;
	if (!(b->fragments & p->fragment))
		p->fragment = FRAGMENT_WHOLE;
	p->sport = aim_range(g, &b->sport);
	p->dport = aim_range(g, &b->dport);
	if (!ranges_are_all(&b->icmp))
		p->icmp = aim_range(g, &b->icmp);
	p->flags = (uint8_t)((p->flags & ~b->flags_mask) | b->flags_want);
	for (unsigned z = 0; z < aim->ir->zone_count && !(b->zones & 1ull << p->zone); z++)
		p->zone = z;
}

/* One field somewhere else: often the neighbour's side of an edge. */
static void packet_nudge(struct gen *g, const struct gen_aim *aim, struct packet *p)
{
	switch (gen_below(g, 9)) {
	case 0:
		p->src = aim_any(g, aim, p->family);
		return;
	case 1:
		p->dst = aim_any(g, aim, p->family);
		return;
	case 2:
		p->sport = aim_port(g, aim);
		return;
	case 3:
		p->dport = (uint16_t)(p->dport + (gen_chance(g, 50) ? 1 : -1));
		return;
	case 4:
		p->proto = GEN_PICK(g, protos);
		return;
	case 5:
		p->flags ^= (uint8_t)(1u << gen_below(g, 8));
		return;
	case 6:
		p->icmp = gen_icmp(g, aim);
		return;
	case 7:
		p->fragment = GEN_PICK(g, fragments);
		return;
	case 8:
		p->zone = gen_zone(g, aim);
		return;
	}
}

/* Fields that the packet's protocol and fragment do not have are 0, as frame_parse leaves them. */
static void packet_tidy(struct packet *p)
{
	bool header = p->fragment != FRAGMENT_LATER;
	bool icmp = (p->proto == PROTO_ICMP && p->family == FAMILY_IP4) ||
		    (p->proto == PROTO_ICMPV6 && p->family == FAMILY_IP6);

	if (!header || !proto_has_ports(p->proto))
		p->sport = p->dport = 0;
	if (!header || p->proto != PROTO_TCP)
		p->flags = 0;
	if (!header || !icmp)
		p->icmp = 0;
}

struct packet gen_packet(struct gen *g, const struct gen_aim *aim)
{
	struct packet p = packet_anywhere(g, aim);

	if (aim->boxes.len && gen_chance(g, 75))
		packet_into(g, aim, aim->boxes.at[gen_below(g, (unsigned)aim->boxes.len)], &p);
	for (unsigned n = gen_below(g, 3); n; n--)
		packet_nudge(g, aim, &p);
	if (gen_chance(g, 3))
		packet_listener(g, &p);
	packet_tidy(&p);
	return p;
}

const char *gen_packet_text(const struct packet *p, char text[static 256])
{
	char src[ADDR_TEXT], dst[ADDR_TEXT];

	snprintf(text, 256,
		 "%s zone %u proto %u %s.%u > %s.%u icmp %u/%u flags %02x fragment %u hop %u ct %s%s",
		 direction_name(p->direction), p->zone, p->proto, addr_print(p->src, src), p->sport,
		 addr_print(p->dst, dst), p->dport, p->icmp >> 8, p->icmp & 255u, p->flags, p->fragment,
		 p->hop_limit, ct_state_name(p->state), p->reply ? " reply" : "");
	return text;
}
