#include "tests/lib/gen.h"

#include <stdio.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "lang/vocab/cause.h"

const struct gen_shape gen_shape_usual = {
	.zones = 3, .lifelines = 2, .blocks = 3, .reflexes = 4, .postures = 4, .rules = 8,
	.rate_percent = 50, .block_percent = 30, .closed_percent = 15,
};

const struct gen_shape gen_shape_still = {
	.zones = 3, .lifelines = 2, .blocks = 3, .reflexes = 4, .postures = 4, .rules = 8,
	.closed_percent = 15,
};

/* --- chance ----------------------------------------------------------------------------- */

struct gen gen_new(uint64_t seed)
{
	return (struct gen){ seed };
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t gen_u64(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

unsigned gen_below(struct gen *g, unsigned n)
{
	return n ? (unsigned)(gen_u64(g) % n) : 0;
}

bool gen_chance(struct gen *g, unsigned percent)
{
	return gen_below(g, 100) < percent;
}

#define PICK(g, table) ((table)[gen_below((g), sizeof(table) / sizeof *(table))])

/* --- the small world ---------------------------------------------------------------------- */

static struct addr gen_addr(struct gen *g, enum family f)
{
	static const uint8_t byte[] = { 0, 1, 2, 127, 128, 254, 255 };
	static const uint8_t net[] = { 10, 10, 10, 192, 203, 0, 255 };
	struct addr a = { .family = f };

	if (gen_chance(g, 3)) {
		a.num = ((addr_num)gen_u64(g) << 64 | gen_u64(g)) & family_max(f);
		return a;
	}
	if (f == FAMILY_IP4) {
		a.num = (addr_num)PICK(g, net) << 24 | (addr_num)PICK(g, byte) << 16 |
			(addr_num)PICK(g, byte) << 8 | PICK(g, byte);
		return a;
	}
	a.num = (addr_num)(gen_chance(g, 90) ? 0x20010db8 : 0xfe800000) << 96;
	a.num |= (addr_num)PICK(g, byte) << 80 | (addr_num)PICK(g, byte) << 64;
	a.num |= (addr_num)PICK(g, byte) << 8 | PICK(g, byte);
	return a;
}

static enum family gen_family(struct gen *g)
{
	return gen_chance(g, 50) ? FAMILY_IP4 : FAMILY_IP6;
}

static struct addr_range gen_prefix(struct gen *g, enum family f)
{
	static const uint8_t len4[] = { 32, 32, 31, 24, 23, 17, 16, 9, 8, 1, 0 };
	static const uint8_t len6[] = { 128, 128, 127, 120, 64, 65, 63, 48, 32, 1, 0 };
	unsigned len = f == FAMILY_IP4 ? PICK(g, len4) : PICK(g, len6);
	struct prefix p = { gen_addr(g, f), len };
	struct prefix host = { { f, 0 }, len };

	p.addr.num &= ~prefix_range(host).hi;
	return prefix_range(p);
}

static struct netset gen_set(struct gen *g, struct arena *a)
{
	struct netset s = { 0 };
	unsigned families = gen_chance(g, 60) ? 3 : 1u << gen_family(g);

	for (unsigned i = 0, n = 1 + gen_below(g, 5); i < n; i++) {
		enum family f = gen_family(g);
		if (!(families & 1u << f))
			continue;
		struct netset more = netset_of_range(a, f, gen_prefix(g, f));
		s = gen_chance(g, 85) ? netset_join(a, &s, &more) : netset_minus(a, &s, &more);
	}
	return s;
}

struct netset gen_self(struct gen *g, struct arena *a)
{
	struct netset s = { 0 };

	for (unsigned i = 0; i < 6; i++) {
		struct addr one = gen_addr(g, i & 1 ? FAMILY_IP6 : FAMILY_IP4);
		struct netset more = netset_of_range(a, one.family,
						     (struct addr_range){ one.num, one.num });
		s = netset_join(a, &s, &more);
	}
	return s;
}

static uint16_t gen_port(struct gen *g)
{
	static const uint16_t ports[] = { 0,  1,  22,  23,   25,   53,	 79,	80,
					  81, 443, 444, 1023, 1024, 8080, 65534, 65535 };

	return gen_chance(g, 95) ? PICK(g, ports) : (uint16_t)gen_u64(g);
}

static struct ranges gen_ports(struct gen *g, struct arena *a)
{
	struct ranges r = { 0 };

	for (unsigned i = 0, n = 1 + gen_below(g, 3); i < n; i++) {
		uint16_t lo = gen_port(g), hi = gen_chance(g, 60) ? lo : gen_port(g);
		struct ranges more = ranges_of(a, lo < hi ? lo : hi, lo < hi ? hi : lo);
		r = ranges_join(a, &r, &more);
	}
	return r;
}

/* --- policies ------------------------------------------------------------------------------- */

/* While one policy is made: the named sets that its rules share. */
struct making {
	struct gen *g;
	struct arena *a;
	struct policy *p;
	struct ranges all;
};

static struct pol_end gen_end(struct making *mk)
{
	struct pol_end e = { .text = "any" };
	unsigned kind = gen_below(mk->g, 100);

	if (kind < 45) {
		e.any = true;
		return e;
	}
	e.self = kind < 65;
	e.text = e.self ? "self" : "a set";
	if (kind >= 60)
		e.set = mk->p->net_count && gen_chance(mk->g, 70)
				? mk->p->nets[gen_below(mk->g, (unsigned)mk->p->net_count)].set
				: gen_set(mk->g, mk->a);
	return e;
}

static void proto_add(struct pol_selector *s, struct pol_proto p)
{
	s->protos[s->proto_count++] = p;
}

static struct pol_proto proto_plain(struct making *mk, uint16_t number)
{
	return (struct pol_proto){ .number = number, .dport = mk->all, .icmp = mk->all };
}

static struct pol_proto proto_ports(struct making *mk, uint16_t number)
{
	struct pol_proto p = proto_plain(mk, number);

	p.dport = gen_ports(mk->g, mk->a);
	return p;
}

static struct pol_proto proto_flags(struct making *mk)
{
	static const uint8_t masks[] = { 0x12, 0x02, 0x04, 0x17, 0xff, 0x29, 0xc0 };
	struct pol_proto p = gen_chance(mk->g, 50) ? proto_ports(mk, PROTO_TCP)
						   : proto_plain(mk, PROTO_TCP);

	p.flags_mask = PICK(mk->g, masks);
	p.flags_want = (uint8_t)(gen_chance(mk->g, 60) ? 0x02 & p.flags_mask
						       : gen_u64(mk->g) & p.flags_mask);
	return p;
}

static struct pol_proto proto_icmp(struct making *mk, uint16_t number)
{
	static const uint16_t types4[] = { 0, 3, 8, 11, 12 }, types6[] = { 1, 2, 3, 128, 129, 135, 143 };
	struct pol_proto p = proto_plain(mk, number);
	uint16_t type = number == PROTO_ICMP ? PICK(mk->g, types4) : PICK(mk->g, types6);
	uint16_t code = (uint16_t)gen_below(mk->g, 4);

	p.icmp = gen_chance(mk->g, 60) ? ranges_of(mk->a, (uint16_t)(type << 8), (uint16_t)(type << 8 | 255))
				       : ranges_of(mk->a, (uint16_t)(type << 8 | code),
						   (uint16_t)(type << 8 | code));
	return p;
}

static struct pol_selector gen_selector(struct making *mk)
{
	static const uint16_t plain[] = { PROTO_ANY, PROTO_ANY, PROTO_TCP, PROTO_UDP, PROTO_ICMP,
					  PROTO_ICMPV6, PROTO_SCTP, 47, 50, 59 };
	struct gen *g = mk->g;
	struct pol_selector s = {
		.protos = arena_zero(mk->a, 4 * sizeof *s.protos),
		.from = gen_end(mk),
		.to = gen_end(mk),
		.sport = mk->all,
		.zones = ZONES_ANY,
		.families = FAMILIES_ANY,
	};

	switch (gen_below(g, 8)) {
	case 0:
	case 1:
		proto_add(&s, proto_plain(mk, PICK(g, plain)));
		break;
	case 2:
		proto_add(&s, proto_ports(mk, PROTO_TCP));
		break;
	case 3:
		proto_add(&s, proto_ports(mk, PROTO_UDP));
		break;
	case 4:
		proto_add(&s, proto_flags(mk));
		break;
	case 5:
		proto_add(&s, proto_icmp(mk, PROTO_ICMP));
		proto_add(&s, proto_icmp(mk, PROTO_ICMPV6));
		break;
	case 6:
		proto_add(&s, proto_ports(mk, PROTO_SCTP));
		proto_add(&s, proto_ports(mk, PROTO_TCP));
		break;
	case 7:
		proto_add(&s, proto_ports(mk, PROTO_TCP));
		proto_add(&s, proto_ports(mk, PROTO_TCP));
		proto_add(&s, proto_ports(mk, PROTO_UDP));
		break;
	}
	if (proto_has_ports(s.protos[0].number) && gen_chance(g, 15))
		s.sport = gen_ports(g, mk->a);
	if (gen_chance(g, 35))
		s.zones = gen_u64(g) & ((1ull << mk->p->zone_count) - 1);
	if (gen_chance(g, 15))
		s.families = (uint8_t)(1u << gen_family(g));
	return s;
}

static enum verdict gen_verdict(struct gen *g)
{
	static const enum verdict v[] = { VERDICT_ALLOW, VERDICT_ALLOW, VERDICT_DROP, VERDICT_DROP,
					  VERDICT_REJECT };
	return PICK(g, v);
}

static void rule_name(struct making *mk, struct pol_rule *r, const char *owner, unsigned i)
{
	r->labelled = gen_chance(mk->g, 70);
	r->label = r->labelled ? arena_printf(mk->a, "rule_%u", i)
			       : arena_printf(mk->a, "~%08x", 0xbeef0000 + i);
	r->id = arena_printf(mk->a, "%s.%s", owner, r->label);
}

static struct pol_posture gen_posture(struct making *mk, const struct gen_shape *shape, unsigned i)
{
	struct gen *g = mk->g;
	struct pol_posture p = {
		.name = arena_printf(mk->a, "P%u", i),
		.title = "",
		.established = (enum established)gen_below(g, ESTABLISHED_COUNT),
	};

	for (unsigned c = 0, percent = gen_chance(g, 40) ? 40 : 0; c < CAUSE_COUNT; c++)
		p.passes |= (uint32_t)(cause_is_said((enum cause)c) && gen_chance(g, percent)) << c;

	for (int d = 0; d < DIRECTION_COUNT; d++)
		p.defaults[d] = gen_verdict(g);
	if (gen_chance(g, shape->closed_percent)) {
		p.established = ESTABLISHED_CUT;
		for (int d = 0; d < DIRECTION_COUNT; d++)
			p.defaults[d] = VERDICT_DROP;
		return p;
	}
	p.rule_count = gen_below(g, shape->rules + 1);
	p.rules = arena_zero(mk->a, p.rule_count * sizeof *p.rules);
	for (unsigned j = 0; j < p.rule_count; j++) {
		struct pol_rule *r = &p.rules[j];

		rule_name(mk, r, p.name, j);
		r->direction = gen_chance(g, 60) ? DIRECTION_IN
						 : (enum direction)gen_below(g, DIRECTION_COUNT);
		r->verdict = gen_verdict(g);
		r->match = gen_selector(mk);
	}
	return p;
}

static void gen_effects(struct gen *g, struct pol_reflex *r)
{
	r->effects = (struct pol_effects){ .emits = true, .severity = (enum event_severity)gen_below(g, EVENT_SEVERITY_COUNT),
					   .one_in = gen_chance(g, 30) ? 100 : 1 };
	r->only_tells = gen_chance(g, 33);
	if (r->only_tells)
		r->block_ns = 0;
}

static struct pol_reflex gen_reflex(struct making *mk, const struct gen_shape *shape, unsigned i)
{
	static const uint64_t counts[] = { 1, 2, 3, 7, 10, 100 };
	static const uint64_t windows_ns[] = { 100000000, 1000000000, 3000000000, 60000000000 };
	struct gen *g = mk->g;
	struct pol_reflex r = {
		.id = arena_printf(mk->a, "reflex.reflex_%u", i),
		.label = arena_printf(mk->a, "reflex_%u", i),
		.match = gen_selector(mk),
		.has_rate = gen_chance(g, shape->rate_percent),
		.rate = { .count = PICK(g, counts), .window_ns = PICK(g, windows_ns), .key_bits = { 32, 64 },
			  .bytes = gen_chance(g, 20) },
		.block_ns = gen_chance(g, shape->block_percent) ? 1000000000ull * (1 + gen_below(g, 60)) : 0,
	};

	if (gen_chance(g, 25))
		r.except = gen_u64(g) & ((1ull << mk->p->posture_count) - 1);
	if (shape->tell_percent && gen_chance(g, shape->tell_percent))
		gen_effects(g, &r);
	if (shape->cookies_percent && r.has_rate && !r.block_ns && !r.only_tells)
		r.cookies = gen_chance(g, shape->cookies_percent);
	return r;
}

static void gen_zones(struct making *mk, unsigned most)
{
	struct policy *p = mk->p;

	p->zone_count = 1 + gen_below(mk->g, most);
	p->zones = arena_zero(mk->a, p->zone_count * sizeof *p->zones);
	for (unsigned i = 0; i < p->zone_count; i++) {
		const char *pattern = arena_printf(mk->a, "eth%u", i);

		p->zones[i].name = arena_printf(mk->a, "zone_%u", i);
		p->zones[i].patterns = arena_copy(mk->a, &pattern, sizeof pattern);
		p->zones[i].pattern_count = 1;
	}
}

static void gen_nets(struct making *mk)
{
	struct policy *p = mk->p;

	p->net_count = gen_below(mk->g, 5);
	p->nets = arena_zero(mk->a, p->net_count * sizeof *p->nets);
	for (unsigned i = 0; i < p->net_count; i++) {
		p->nets[i].name = arena_printf(mk->a, "net_%u", i);
		p->nets[i].set = gen_set(mk->g, mk->a);
	}
}

static void gen_epiderme(struct making *mk, const struct gen_shape *shape)
{
	struct policy *p = mk->p;

	p->lifeline_count = gen_below(mk->g, shape->lifelines + 1);
	p->lifelines = arena_zero(mk->a, p->lifeline_count * sizeof *p->lifelines);
	for (unsigned i = 0; i < p->lifeline_count; i++) {
		rule_name(mk, &p->lifelines[i], "lifeline", i);
		p->lifelines[i].direction = DIRECTION_IN;
		p->lifelines[i].verdict = VERDICT_ALLOW;
		p->lifelines[i].match = gen_selector(mk);
	}
	p->block_count = gen_below(mk->g, shape->blocks + 1);
	p->blocks = arena_zero(mk->a, p->block_count * sizeof *p->blocks);
	for (unsigned i = 0; i < p->block_count; i++) {
		p->blocks[i].id = arena_printf(mk->a, "block.block_%u", i);
		p->blocks[i].label = arena_printf(mk->a, "block_%u", i);
		p->blocks[i].set = gen_set(mk->g, mk->a);
		p->blocks[i].zones = gen_chance(mk->g, 50) ? ZONES_ANY : 1ull << gen_below(mk->g, (unsigned)p->zone_count);
	}
	p->reflex_count = gen_below(mk->g, shape->reflexes + 1);
	p->reflexes = arena_zero(mk->a, p->reflex_count * sizeof *p->reflexes);
	for (unsigned i = 0; i < p->reflex_count; i++)
		p->reflexes[i] = gen_reflex(mk, shape, i);
}

struct policy *gen_policy(struct gen *g, struct arena *a, const struct gen_shape *shape)
{
	struct policy *p = arena_zero(a, sizeof *p);
	struct making mk = { g, a, p, ranges_of(a, 0, UINT16_MAX) };

	p->arena = a;
	p->name = "generated";
	p->title = p->owner = "";
	p->version = "1";
	gen_zones(&mk, shape->zones ? shape->zones : 1);
	gen_nets(&mk);
	p->posture_count = 1 + gen_below(g, shape->postures);
	p->postures = arena_zero(a, p->posture_count * sizeof *p->postures);
	for (unsigned i = 0; i < p->posture_count; i++)
		p->postures[i] = gen_posture(&mk, shape, i);
	p->initial = gen_below(g, (unsigned)p->posture_count);
	gen_epiderme(&mk, shape);
	return p;
}

/* --- packets --------------------------------------------------------------------------------- */

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
	return (uint16_t)(PICK(g, types) << 8 | (gen_chance(g, 70) ? 0 : gen_below(g, 256)));
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
		.proto = PICK(g, protos),
		.fragment = PICK(g, fragments),
		.hop_limit = PICK(g, hops),
		.sport = aim_port(g, aim),
		.dport = aim_port(g, aim),
		.icmp = gen_icmp(g, aim),
		.flags = gen_chance(g, 80) ? PICK(g, flags) : (uint8_t)gen_u64(g),
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
	p->src = (struct addr){ FAMILY_IP6, PICK(g, sources) };
	p->proto = PROTO_ICMPV6;
	p->icmp = (uint16_t)(PICK(g, types) << 8 | (gen_chance(g, 70) ? 0 : 7));
	p->hop_limit = gen_chance(g, 70) ? 1 : PICK(g, hops);
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
		p->proto = PICK(g, protos);
		return;
	case 5:
		p->flags ^= (uint8_t)(1u << gen_below(g, 8));
		return;
	case 6:
		p->icmp = gen_icmp(g, aim);
		return;
	case 7:
		p->fragment = PICK(g, fragments);
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

/* --- frames ------------------------------------------------------------------------------------ */

struct frame {
	uint8_t *at;
	size_t len;
};

/* Room for `bytes` zeros at `where`. */
static uint8_t *frame_insert(struct frame *f, size_t where, size_t bytes)
{
	memmove(f->at + where + bytes, f->at + where, f->len - where);
	memset(f->at + where, 0, bytes);
	f->len += bytes;
	return f->at + where;
}

static void be_add(uint8_t *at, size_t more)
{
	unsigned v = (unsigned)(at[0] << 8 | at[1]) + (unsigned)more;

	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void add_vlan(struct gen *g, struct frame *f)
{
	uint8_t *tag = frame_insert(f, 12, 4);

	tag[0] = gen_chance(g, 50) ? 0x81 : 0x88;
	tag[1] = tag[0] == 0x81 ? 0x00 : 0xa8;
	tag[3] = (uint8_t)gen_u64(g);
}

static void add_options(struct gen *g, struct frame *f, size_t ip)
{
	size_t words = 1 + gen_below(g, 10);
	uint8_t *options = frame_insert(f, ip + 20, 4 * words);

	memset(options, 1, 4 * words); /* RFC 791: no operation */
	f->at[ip] = (uint8_t)(0x45 + words);
	be_add(f->at + ip + 2, 4 * words);
}

/* One more extension header directly behind the IPv6 header. */
static void add_extension(struct gen *g, struct frame *f, size_t ip)
{
	static const uint8_t kinds[] = { 0, 43, 44, 51, 60, 60 };
	uint8_t kind = PICK(g, kinds);
	unsigned units = gen_chance(g, 80) ? 0 : gen_below(g, 3);
	size_t bytes = kind == 44 ? 8 : kind == 51 ? (units + 2) * 4u : (units + 1) * 8u;
	uint8_t *header = frame_insert(f, ip + 40, bytes);

	header[0] = f->at[ip + 6];
	header[1] = (uint8_t)units;
	if (kind == 44 && gen_chance(g, 30)) {
		header[2] = (uint8_t)gen_below(g, 2);
		header[3] = (uint8_t)gen_u64(g);
	}
	f->at[ip + 6] = kind;
	be_add(f->at + ip + 4, bytes);
}

static void decorate(struct gen *g, struct frame *f)
{
	bool ip4 = f->at[12] == 0x08;

	if (ip4 && gen_chance(g, 20))
		add_options(g, f, 14);
	if (!ip4 && gen_chance(g, 35))
		for (unsigned n = gen_chance(g, 80) ? 1 + gen_below(g, 3) : 5 + gen_below(g, 6); n; n--)
			add_extension(g, f, 14);
	if (gen_chance(g, 20))
		frame_insert(f, f->len, 1 + gen_below(g, 40)); /* padding */
	for (unsigned n = gen_chance(g, 20) ? 1 + gen_chance(g, 30) + gen_chance(g, 20) : 0; n; n--)
		add_vlan(g, f);
}

/* The IP packet ends before the frame does: what it loses becomes padding. */
static void end_early(struct gen *g, struct frame *f)
{
	size_t ip = 14;

	while (ip + 4 < f->len && (f->at[ip - 2] == 0x81 || f->at[ip - 2] == 0x88))
		ip += 4;
	if (ip + 6 > f->len)
		return;

	uint8_t *field = f->at[ip - 2] == 0x08 ? f->at + ip + 2 : f->at + ip + 4;
	unsigned len = (unsigned)(field[0] << 8 | field[1]);
	len -= gen_below(g, len + 1);
	field[0] = (uint8_t)(len >> 8);
	field[1] = (uint8_t)len;
}

/* Where damage matters: mostly the headers, seldom far behind. */
static void change_bytes(struct gen *g, struct frame *f)
{
	static const uint8_t values[] = { 0, 1, 4, 5, 6, 15, 40, 44, 59, 60, 127, 128, 255 };

	for (unsigned n = gen_chance(g, 50) ? 1 : 1 + gen_below(g, 5); n && f->len; n--) {
		unsigned where = gen_below(g, f->len < 80 ? (unsigned)f->len : 80);

		if (where < 12)
			where += 12; /* the Ethernet addresses decide nothing */
		if (where < f->len)
			f->at[where] = gen_chance(g, 50) ? PICK(g, values)
							 : (uint8_t)(f->at[where] ^ 1u << gen_below(g, 8));
	}
}

static void damage(struct gen *g, struct frame *f)
{
	switch (gen_below(g, 4)) {
	case 0:
		f->len = gen_below(g, (unsigned)f->len + 1);
		return;
	case 1:
		end_early(g, f);
		return;
	case 2:
	case 3:
		change_bytes(g, f);
		return;
	}
}

/* A TCP header that says of itself that it is longer or shorter than it is. */
static void change_tcp_length(struct gen *g, struct frame *f, const struct packet *p)
{
	size_t l4 = p->family == FAMILY_IP4 ? 34 : p->fragment == FRAGMENT_WHOLE ? 54 : 62;

	if (p->proto == PROTO_TCP && p->fragment != FRAGMENT_LATER)
		f->at[l4 + 12] = (uint8_t)(gen_below(g, 16) << 4);
}

/* Parts that would overwrite the header above IP, or do not hold it. */
static void change_fragment(struct gen *g, struct frame *f, const struct packet *p)
{
	const size_t ip = 14, begin = p->family == FAMILY_IP4 ? 34 : 62;
	uint8_t *where = f->at + (p->family == FAMILY_IP4 ? 20 : 56), *len = f->at + ip + (p->family == FAMILY_IP4 ? 2 : 4);
	const unsigned units = gen_below(g, 4), ends = 8 * gen_below(g, 3);

	if (p->fragment == FRAGMENT_LATER && gen_chance(g, 80)) {
		where[0] = (uint8_t)(p->family == FAMILY_IP4 ? where[0] & 0xe0 : 0);
		where[1] = (uint8_t)(p->family == FAMILY_IP4 ? units : units << 3 | 1);
	} else if (p->fragment == FRAGMENT_LATER) {
		where[0] |= 0x1f;
		where[1] |= 0xf8;
	} else if (p->fragment == FRAGMENT_FIRST && begin + ends <= f->len) {
		f->len = begin + ends;
		len[0] = 0;
		len[1] = (uint8_t)(f->len - (p->family == FAMILY_IP4 ? ip : ip + 40));
	}
}

/* Of the packet that an ICMP error is about: version, header and total length, source. */
static void change_inner(struct gen *g, struct frame *f, const struct packet *p)
{
	static const uint8_t first[] = { 0x45, 0x46, 0x44, 0x40, 0x55, 0x60, 0x6f, 0x35 };
	const bool ip4 = p->family == FAMILY_IP4;
	const size_t l4 = p->fragment == FRAGMENT_WHOLE ? 54 : 62;
	uint8_t *ip = f->at + (ip4 ? 34 : l4) + 8;

	if (!p->icmp || ip + 40 > f->at + f->len)
		return;
	switch (gen_below(g, 3)) {
	case 0:
		ip[0] = PICK(g, first);
		return;
	case 1:
		ip[ip4 ? 3 : 5] = (uint8_t)gen_below(g, 32);
		return;
	case 2:
		ip[(ip4 ? 12 : 8) + gen_below(g, ip4 ? 4 : 16)] ^= (uint8_t)(1u << gen_below(g, 8));
		return;
	}
}

size_t gen_payload(struct gen *g, uint8_t *out, size_t most)
{
	static const char signs[] = "abccab.xGETphunioslct /AC\n\xff";
	const size_t len = gen_below(g, (unsigned)(gen_chance(g, 90) && most > 64 ? 64 : most) + 1);
	const unsigned of = gen_chance(g, 50) ? 5 : sizeof signs - 1;
	const bool any = gen_chance(g, 40);

	for (size_t i = 0; i < len; i++)
		out[i] = any ? (uint8_t)gen_u64(g) : (uint8_t)signs[gen_below(g, of)];
	return len;
}

size_t gen_frame(struct gen *g, const struct gen_aim *aim, uint8_t frame[static GEN_FRAME_MAX])
{
	struct packet p = gen_packet(g, aim);
	uint8_t payload[700];
	size_t len = gen_payload(g, payload, sizeof payload);

	struct frame f = { frame, frame_build(&p, payload, len, frame, GEN_FRAME_MAX) };
	if (gen_chance(g, 4))
		change_tcp_length(g, &f, &p);
	if (gen_chance(g, 25))
		change_fragment(g, &f, &p);
	if (gen_chance(g, 20))
		change_inner(g, &f, &p);
	decorate(g, &f);
	if (gen_chance(g, 50))
		damage(g, &f);
	return f.len;
}
