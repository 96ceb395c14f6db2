#include "tests/lib/gen.h"

#include <stdio.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "lang/vocab/cause.h"

const struct gen_shape gen_shape_usual = {
	.zones = 3, .lifelines = 2, .blocks = 3, .reflexes = 4, .postures = 4, .rules = 8,
	.rate_percent = 50, .block_percent = 30, .closed_percent = 15,
};

const struct gen_shape gen_shape_telling = {
	.zones = 3, .lifelines = 2, .blocks = 3, .reflexes = 4, .postures = 4, .rules = 8,
	.rate_percent = 50, .block_percent = 30, .closed_percent = 15, .rules_tell_percent = 40,
	.tell_percent = 50, .keyed_percent = 60,
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

/* --- the small world ---------------------------------------------------------------------- */

struct addr gen_addr(struct gen *g, enum family f)
{
	static const uint8_t byte[] = { 0, 1, 2, 127, 128, 254, 255 };
	static const uint8_t net[] = { 10, 10, 10, 192, 203, 0, 255 };
	struct addr a = { .family = f };

	if (gen_chance(g, 3)) {
		a.num = ((addr_num)gen_u64(g) << 64 | gen_u64(g)) & family_max(f);
		return a;
	}
	if (f == FAMILY_IP4) {
		a.num = (addr_num)GEN_PICK(g, net) << 24 | (addr_num)GEN_PICK(g, byte) << 16 |
			(addr_num)GEN_PICK(g, byte) << 8 | GEN_PICK(g, byte);
		return a;
	}
	a.num = (addr_num)(gen_chance(g, 90) ? 0x20010db8 : 0xfe800000) << 96;
	a.num |= (addr_num)GEN_PICK(g, byte) << 80 | (addr_num)GEN_PICK(g, byte) << 64;
	a.num |= (addr_num)GEN_PICK(g, byte) << 8 | GEN_PICK(g, byte);
	return a;
}

enum family gen_family(struct gen *g)
{
	return gen_chance(g, 50) ? FAMILY_IP4 : FAMILY_IP6;
}

static struct addr_range gen_prefix(struct gen *g, enum family f)
{
	static const uint8_t len4[] = { 32, 32, 31, 24, 23, 17, 16, 9, 8, 1, 0 };
	static const uint8_t len6[] = { 128, 128, 127, 120, 64, 65, 63, 48, 32, 1, 0 };
	unsigned len = f == FAMILY_IP4 ? GEN_PICK(g, len4) : GEN_PICK(g, len6);
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

uint16_t gen_port(struct gen *g)
{
	static const uint16_t ports[] = { 0,  1,  22,  23,   25,   53,	 79,	80,
					  81, 443, 444, 1023, 1024, 8080, 65534, 65535 };

	return gen_chance(g, 95) ? GEN_PICK(g, ports) : (uint16_t)gen_u64(g);
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
enum { NAMED = 2 };

struct making {
	struct gen *g;
	struct arena *a;
	struct policy *p;
	struct ranges all;
	const struct gen_shape *shape;
	struct pol_rate named[2][NAMED]; /* limits with names: of reflexes, and of rules */
	bool taken[2][NAMED];		 /* those who count all together, by a reflex or a rule of this posture */
};

static struct pol_end gen_end(struct making *mk)
{
	struct pol_end e = { 0 };
	unsigned kind = gen_below(mk->g, 100);

	if (kind < 45) {
		e.any = true;
		return e;
	}
	e.self = kind < 65;
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

	p.flags_mask = GEN_PICK(mk->g, masks);
	p.flags_want = (uint8_t)(gen_chance(mk->g, 60) ? 0x02 & p.flags_mask
						       : gen_u64(mk->g) & p.flags_mask);
	return p;
}

static struct pol_proto proto_icmp(struct making *mk, uint16_t number)
{
	static const uint16_t types4[] = { 0, 3, 8, 11, 12 }, types6[] = { 1, 2, 3, 128, 129, 135, 143 };
	struct pol_proto p = proto_plain(mk, number);
	uint16_t type = number == PROTO_ICMP ? GEN_PICK(mk->g, types4) : GEN_PICK(mk->g, types6);
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
		proto_add(&s, proto_plain(mk, GEN_PICK(g, plain)));
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

static struct pol_end gen_plain_end(struct making *mk, enum family f)
{
	struct gen *g = mk->g;
	const struct addr_range r = gen_prefix(g, f);
	struct pol_end e = { .any = gen_chance(g, 25) };

	if (!e.any) {
		e.set.at[f] = arena_copy(mk->a, &r, sizeof r);
		e.set.len[f] = 1;
	}
	return e;
}

static struct pol_selector gen_plain(struct making *mk)
{
	static const uint16_t numbers[] = { PROTO_ANY, PROTO_TCP, PROTO_TCP, PROTO_UDP };
	struct gen *g = mk->g;
	const enum family f = gen_family(g);
	const uint16_t number = GEN_PICK(g, numbers), port = gen_port(g);
	struct pol_selector s = {
		.protos = arena_zero(mk->a, sizeof *s.protos), .from = gen_plain_end(mk, f), .to = gen_plain_end(mk, f),
		.sport = mk->all, .zones = ZONES_ANY, .families = FAMILIES_ANY,
	};

	proto_add(&s, proto_plain(mk, number));
	if (!proto_has_ports(number))
		return s;
	if (gen_chance(g, 60))
		s.protos[0].dport = ranges_of(mk->a, port, gen_chance(g, 30) && port < 60000 ? port + 20 : port);
	if (gen_chance(g, 30))
		s.sport = ranges_of(mk->a, port, port);
	return s;
}

static enum verdict gen_verdict(struct gen *g)
{
	static const enum verdict v[] = { VERDICT_ALLOW, VERDICT_ALLOW, VERDICT_DROP, VERDICT_DROP,
					  VERDICT_REJECT };
	return GEN_PICK(g, v);
}

static void rule_name(struct making *mk, struct pol_rule *r, const char *owner, unsigned i)
{
	r->labelled = gen_chance(mk->g, 70);
	r->label = r->labelled ? arena_printf(mk->a, "rule_%u", i)
			       : arena_printf(mk->a, "~%08x", 0xbeef0000 + i);
	r->id = arena_printf(mk->a, "%s.%s", owner, r->label);
}

/* --- rates ---------------------------------------------------------------------------------- */

static const uint64_t day_ns = 86400000000000;

/*
 * As the front end takes them (compiler/front/limit.c), but none that takes more than fifty days to be full again: of slower ones
 * XDP and TC may forget what was taken (docs/semantics.md).
 */
static struct pol_rate gen_wide_amount(struct gen *g, bool bytes)
{
	static const uint64_t windows_ns[] = { 1, 999, 1000000, 1000000000, 59999999999, 60000000000, 3600000000000, 86400000000000,
					       604800000000000, 4320000000000000 };
	const uint64_t window_ns = gen_chance(g, 70) ? GEN_PICK(g, windows_ns) : 1 + gen_u64(g) % (50 * day_ns);
	const uint64_t least = 1 + window_ns / (6 * day_ns); /* slower ones are told otherwise than they are said, and refused */
	const uint64_t some = gen_u64(g) >> 32 >> gen_below(g, 32);
	struct pol_rate r = { .count = some < least ? least : some, .window_ns = window_ns, .bytes = bytes };

	if (bytes && r.count > 4000000000)
		r.count = 4000000000;
	if (bytes && r.count > 12 * window_ns) /* 12 GB a second */
		r.count = 12 * window_ns;
	if (!bytes && gen_chance(g, 40)) {
		const unsigned __int128 most = (unsigned __int128)50 * day_ns * r.count / window_ns;

		r.burst = 1 + (gen_u64(g) >> 32 >> gen_below(g, 32));
		r.burst = r.burst > UINT32_MAX ? UINT32_MAX : r.burst;
		r.burst = r.burst > most ? (uint64_t)most : r.burst;
	}
	return r;
}

static struct pol_rate gen_slow_amount(struct gen *g, bool bytes)
{
	static const uint64_t counts[] = { 1, 2, 3, 5, 7 };
	struct pol_rate r = { .count = GEN_PICK(g, counts), .window_ns = day_ns * (1 + gen_below(g, 3)), .bytes = bytes };

	if (bytes)
		r.count = 40 + gen_below(g, 600);
	else if (gen_chance(g, 30))
		r.burst = 1 + gen_below(g, 9);
	return r;
}

/* What the shape asks beyond gen_reflex()'s own: no flows and no bytes for rules. */
static struct pol_rate gen_rate(struct making *mk, bool of_rule)
{
	static const enum rate_key keys[] = { RATE_PER_SOURCE, RATE_PER_SOURCE, RATE_PER_DESTINATION, RATE_GLOBAL, RATE_PER_FLOW };
	static const uint8_t bits4[] = { 32, 32, 24, 31, 16, 1 }, bits6[] = { 64, 64, 128, 48, 56, 1, 127 };
	struct gen *g = mk->g;
	const bool bytes = !of_rule && gen_chance(g, 25);
	struct pol_rate r = mk->shape->wide ? gen_wide_amount(g, bytes) : gen_slow_amount(g, bytes);

	r.key = keys[gen_below(g, of_rule ? 4 : 5)];
	r.key_bits[FAMILY_IP4] = GEN_PICK(g, bits4);
	r.key_bits[FAMILY_IP6] = GEN_PICK(g, bits6);
	return r;
}

static void gen_named(struct making *mk)
{
	for (unsigned of_rule = 0; of_rule < 2; of_rule++)
		for (unsigned i = 0; i < NAMED; i++) {
			struct pol_rate *r = &mk->named[of_rule][i];

			*r = gen_rate(mk, of_rule);
			r->bucket = arena_printf(mk->a, "limit.%s_%u", of_rule ? "rules" : "reflexes", i);
		}
}

static struct pol_rate gen_any_rate(struct making *mk, bool of_rule)
{
	const unsigned n = mk->shape->shared_percent && gen_chance(mk->g, mk->shape->shared_percent) ? gen_below(mk->g, NAMED) : NAMED;

	if (n == NAMED || mk->taken[of_rule][n])
		return gen_rate(mk, of_rule);
	mk->taken[of_rule][n] = mk->named[of_rule][n].key == RATE_GLOBAL;
	return mk->named[of_rule][n];
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
	memset(mk->taken[true], 0, sizeof mk->taken[true]);
	p.rule_count = gen_below(g, shape->rules + 1);
	p.rules = arena_zero(mk->a, p.rule_count * sizeof *p.rules);
	for (unsigned j = 0; j < p.rule_count; j++) {
		struct pol_rule *r = &p.rules[j];

		rule_name(mk, r, p.name, j);
		r->direction = gen_chance(g, 60) ? DIRECTION_IN
						 : (enum direction)gen_below(g, DIRECTION_COUNT);
		r->verdict = gen_verdict(g);
		r->match = shape->plain_percent && gen_chance(g, shape->plain_percent) ? gen_plain(mk) : gen_selector(mk);
		if (shape->rules_tell_percent && gen_chance(g, shape->rules_tell_percent))
			r->effects = (struct pol_effects){ .emits = true, .severity = EVENT_HIGH, .one_in = 1 + gen_below(g, 50) };
		if (shape->limit_percent && r->verdict != VERDICT_DROP && gen_chance(g, shape->limit_percent)) {
			const struct pol_rate limit = gen_any_rate(mk, true);

			r->limit = arena_copy(mk->a, &limit, sizeof limit);
		}
	}
	return p;
}

static void gen_effects(struct gen *g, struct pol_reflex *r)
{
	const enum event_severity severity = (enum event_severity)gen_below(g, EVENT_SEVERITY_COUNT);

	r->effects = (struct pol_effects){ .emits = true, .severity = severity, .one_in = gen_chance(g, 30) ? 100 : 1 };
	r->only_tells = gen_chance(g, 33);
	if (r->only_tells)
		r->block_ns = 0;
}

static struct pol_reflex gen_reflex(struct making *mk, const struct gen_shape *shape, unsigned i)
{
	static const uint64_t counts[] = { 1, 2, 3, 7, 10, 100 };
	static const enum rate_key keys[] = { RATE_PER_DESTINATION, RATE_PER_FLOW, RATE_PER_FLOW, RATE_GLOBAL };
	static const uint64_t windows_ns[] = { 100000000, 1000000000, 3000000000, 60000000000 };
	struct gen *g = mk->g;
	/* One after the other: in an initializer the order of members would be that of what is drawn. */
	const struct pol_selector match = gen_selector(mk);
	const bool has_rate = gen_chance(g, shape->rate_percent);
	const uint64_t count = GEN_PICK(g, counts);
	const bool bytes = gen_chance(g, 20);
	const uint64_t window_ns = GEN_PICK(g, windows_ns);
	struct pol_reflex r = {
		.id = arena_printf(mk->a, "reflex.reflex_%u", i),
		.label = arena_printf(mk->a, "reflex_%u", i),
		.match = match,
		.has_rate = has_rate,
		.rate = { .count = count, .window_ns = window_ns, .key_bits = { 32, 64 }, .bytes = bytes },
		.block_ns = gen_chance(g, shape->block_percent) ? 1000000000ull * (1 + gen_below(g, 60)) : 0,
	};

	if (gen_chance(g, 25))
		r.except = gen_u64(g) & ((1ull << mk->p->posture_count) - 1);
	if (shape->keyed_percent && r.has_rate && gen_chance(g, shape->keyed_percent))
		r.rate.key = GEN_PICK(g, keys);
	if (shape->tell_percent && gen_chance(g, shape->tell_percent))
		gen_effects(g, &r);
	if (shape->cookies_percent && r.has_rate && !r.block_ns && !r.only_tells)
		r.cookies = gen_chance(g, shape->cookies_percent);
	if (shape->slow || shape->wide)
		r.rate = gen_any_rate(mk, false);
	if (shape->slow)
		r.block_ns *= 3600;
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

static void gen_feeds(struct making *mk, unsigned most)
{
	struct policy *p = mk->p;

	p->feed_count = gen_below(mk->g, most + 1);
	p->feeds = arena_zero(mk->a, p->feed_count * sizeof *p->feeds);
	for (unsigned i = 0; i < p->feed_count; i++)
		p->feeds[i] = (struct pol_feed){ .name = arena_printf(mk->a, "feed_%u", i), .id = arena_printf(mk->a, "feed.feed_%u", i),
						 .max = 1000, .blocks = true };
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
	struct making mk = { .g = g, .a = a, .p = p, .all = ranges_of(a, 0, UINT16_MAX), .shape = shape };

	p->arena = a;
	p->name = "generated";
	p->title = p->owner = "";
	p->version = "1";
	gen_zones(&mk, shape->zones ? shape->zones : 1);
	gen_nets(&mk);
	if (shape->feeds)
		gen_feeds(&mk, shape->feeds);
	if (shape->shared_percent)
		gen_named(&mk);
	p->posture_count = 1 + gen_below(g, shape->postures);
	p->postures = arena_zero(a, p->posture_count * sizeof *p->postures);
	for (unsigned i = 0; i < p->posture_count; i++)
		p->postures[i] = gen_posture(&mk, shape, i);
	p->initial = gen_below(g, (unsigned)p->posture_count);
	gen_epiderme(&mk, shape);
	return p;
}
