#include "tests/lib/rules_gen_parts.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "tests/lib/tap.h"

/* --- numbers (splitmix64, public domain, Vigna) ------------------------------------- */

uint64_t rules_random(struct rules *g)
{
	uint64_t z = (g->seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

size_t rules_below(struct rules *g, size_t below)
{
	return (size_t)((rules_random(g) >> 32) * below >> 32);
}

const char *rules_profile_name(enum rules_profile p)
{
	static const char *const names[] = { "acl", "fw", "ipc", "small" };

	return names[p];
}

/* --- sets --------------------------------------------------------------------------- */

static addr_num low_bits(unsigned n)
{
	return n >= 128 ? ~(addr_num)0 : ((addr_num)1 << n) - 1;
}

addr_num rules_site(enum family family, size_t i)
{
	struct rules of_site = { .seed = 0x5157e000 + i * 7919 + family };
	uint64_t r = rules_random(&of_site);

	if (family == FAMILY_IP6)
		return (addr_num)(0x20010db800000000ull | (r & 0xffff0000)) << 64;
	if (r % 3)
		return 10u << 24 | (r >> 8 & 0xff0000);
	return (uint32_t)(r >> 16 & 0x7fff0000) | 1u << 25;
}

static struct addr_range prefix_at(enum family family, addr_num a, unsigned len)
{
	addr_num hosts = low_bits(FAMILY_BITS(family) - len);

	return (struct addr_range){ a & ~hosts, a | hosts };
}

static struct addr_range random_network(struct rules *g, enum family family, double host)
{
	bool v6 = family == FAMILY_IP6;
	addr_num a = rules_site(family, skewed(g, g->sites));
	double u = fraction(g);

	if (u < 0.07)
		return prefix_at(family, a, v6 ? 48 : 16);
	a |= (addr_num)skewed(g, 64) << (v6 ? 64 : 8);
	if (u < 0.07 + 0.93 * (1 - host)) {
		if (chance(g, 0.25))
			return prefix_at(family, a, v6 ? 56 : 20 + (unsigned)rules_below(g, 9));
		return prefix_at(family, a, v6 ? 64 : 24);
	}
	a |= 1 + skewed(g, v6 ? 200 : 120);
	return (struct addr_range){ a, a };
}

static const struct ir_set *set_of(struct rules *g, struct netset s)
{
	struct ir_set *set = arena_zero(g->arena, sizeof *set);

	set->index = g->sets++;
	set->set = s;
	return set;
}

static struct ir_end end_network(struct rules *g, enum family family, double any, double host)
{
	if (chance(g, any))
		return (struct ir_end){ .any = true };
	return (struct ir_end){
		.set = set_of(g, netset_of_range(g->arena, family, random_network(g, family, host))),
	};
}

/* --- the world of SMALL ------------------------------------------------------------- */

struct addr_range rules_small_range(struct rules *g, enum family family)
{
	addr_num base = family == FAMILY_IP4 ? 0x0a000000
					     : (addr_num)0x20010db800000000ull << 64;
	addr_num lo = base + rules_below(g, 32);
	addr_num hi = lo + (chance(g, 0.5) ? 0 : rules_below(g, 12));

	if (chance(g, 0.1))
		return (struct addr_range){ 0, base + rules_below(g, 20) };
	return (struct addr_range){ lo, hi };
}

static struct netset small_set(struct rules *g, unsigned families)
{
	struct addr_range r[FAMILY_COUNT][3];
	struct addr_range *at[FAMILY_COUNT] = { r[0], r[1] };
	size_t len[FAMILY_COUNT] = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t n = 1 + rules_below(g, 3); (families & 1u << f) && n; n--)
			r[f][len[f]++] = rules_small_range(g, (enum family)f);
	return netset_of_ranges(g->arena, at, len);
}

static struct ir_end small_end(struct rules *g, unsigned *families)
{
	struct ir_end e = { 0 };
	unsigned of = chance(g, 0.4) ? 3 : 1 + (unsigned)rules_below(g, 2);

	if (chance(g, 0.35))
		return (struct ir_end){ .any = true };
	e.self = chance(g, 0.4);
	if (!e.self || chance(g, 0.3))
		e.set = set_of(g, small_set(g, of));
	if (!e.self)
		*families &= of;
	return e;
}

static struct ranges small_ranges(struct rules *g, uint16_t below)
{
	struct ranges r = { NULL, 0 };

	for (size_t n = 1 + rules_below(g, 2); n; n--) {
		uint16_t lo = (uint16_t)rules_below(g, below);
		uint16_t hi = (uint16_t)(chance(g, 0.2) ? UINT16_MAX : lo + rules_below(g, 6));
		struct ranges one = ranges_of(g->arena, lo, hi);

		r = r.len ? ranges_join(g->arena, &r, &one) : one;
	}
	return r;
}

static struct ir_box box_full(struct rules *g)
{
	return (struct ir_box){
		.zones = UINT64_MAX,
		.families = 3,
		.fragments = FRAGMENT_ANY,
		.proto = PROTO_ANY_NUMBER,
		.src.any = true,
		.dst.any = true,
		.sport = ranges_of(g->arena, 0, UINT16_MAX),
		.dport = ranges_of(g->arena, 0, UINT16_MAX),
		.icmp = ranges_of(g->arena, 0, UINT16_MAX),
	};
}

static void small_header(struct rules *g, struct ir_box *b)
{
	static const uint16_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ICMP,
					   PROTO_ICMPV6, PROTO_SCTP, 47, PROTO_ANY_NUMBER };
	bool header = true;

	b->proto = protos[rules_below(g, ARRAY_LEN(protos))];
	if (proto_has_ports(b->proto) && chance(g, 0.8)) {
		b->dport = small_ranges(g, 30);
		if (chance(g, 0.3))
			b->sport = small_ranges(g, 30);
		if (b->proto == PROTO_TCP && chance(g, 0.3)) {
			b->flags_mask = (uint8_t)rules_below(g, 64);
			b->flags_want = (uint8_t)(b->flags_mask & rules_below(g, 64));
		}
	} else if ((b->proto == PROTO_ICMP || b->proto == PROTO_ICMPV6) && chance(g, 0.8)) {
		uint16_t type = (uint16_t)(chance(g, 0.5) ? rules_below(g, 16)
							  : 126 + rules_below(g, 18));

		b->icmp = ranges_of(g->arena, (uint16_t)(type << 8),
				    (uint16_t)(type << 8 | (chance(g, 0.5) ? 0 : 255)));
	} else {
		header = false;
	}
	if (header)
		b->fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST;
}

/* False when it would be empty, and a lowered policy has no empty boxes. */
static bool small_box(struct rules *g, struct ir_box *out)
{
	struct ir_box b = box_full(g);
	unsigned families = chance(g, 0.8) ? 3 : 1 + (unsigned)rules_below(g, 2);

	small_header(g, &b);
	if (b.proto == PROTO_ICMP)
		families &= 1;
	if (b.proto == PROTO_ICMPV6)
		families &= 2;
	b.src = small_end(g, &families);
	b.dst = small_end(g, &families);
	b.families = (uint8_t)families;
	if (chance(g, 0.3))
		b.zones = 1u << rules_below(g, 2);
	*out = b;
	return families != 0;
}

static struct ir_rule rule_named(struct rules *g, const char *prefix, enum layer layer,
				 enum direction d, enum verdict v)
{
	uint64_t n = rules_random(g) & 0xffffff;

	return (struct ir_rule){
		.id = arena_printf(g->arena, "%s.r%06lx", prefix, (unsigned long)n),
		.label = arena_printf(g->arena, "r%06lx", (unsigned long)n),
		.layer = layer,
		.direction = d,
		.verdict = v,
	};
}

static struct ir_rule small_rule(struct rules *g, enum layer layer, enum direction d, enum verdict v)
{
	struct ir_rule r = rule_named(g, layer_name(layer), layer, d, v);
	size_t wanted = 1 + rules_below(g, 2);

	r.boxes = arena_zero(g->arena, wanted * sizeof *r.boxes);
	for (size_t i = 0; i < wanted; i++)
		if (small_box(g, &r.boxes[r.box_count]))
			r.box_count++;
	return r;
}

static struct ir_list small_list(struct rules *g, enum layer layer, size_t len)
{
	struct ir_list l = { arena_zero(g->arena, (len + 1) * sizeof *l.rules), len };

	for (size_t i = 0; i < len; i++)
		l.rules[i] = small_rule(g, layer, DIRECTION_IN,
					layer == LAYER_LIFELINE ? VERDICT_ALLOW : VERDICT_DROP);
	return l;
}

static struct ir_rule default_rule(struct rules *g, enum direction d, enum verdict v)
{
	struct ir_rule r = rule_named(g, "default", LAYER_POSTURE, d, v);
	struct ir_box full = box_full(g);

	r.label = "default";
	r.is_default = true;
	r.boxes = arena_copy(g->arena, &full, sizeof full);
	r.box_count = 1;
	return r;
}

static const struct ir_rate *rate_of(struct rules *g, const struct ir_rule *r)
{
	static const enum rate_key keys[] = { RATE_PER_SOURCE, RATE_PER_DESTINATION, RATE_GLOBAL };
	const struct ir_rate rate = { .rate = 10, .unit_s = 1, .burst = 10, .cost_ns = 100000000, .depth_ns = 1000000000,
				      .key_bits = { 32, 64 }, .key = keys[rules_below(g, 3)],
				      .bucket = r->id, .kin = r->layer == LAYER_POSTURE ? r->label : r->id };

	return arena_copy(g->arena, &rate, sizeof rate);
}

/* Now and then a rule drops only what is over a limit; one a posture, since each is an unknown more. */
static void limit_one(struct rules *g, struct ir_list *l)
{
	struct ir_rule *r = &l->rules[rules_below(g, l->count)];

	if (r->is_default || chance(g, 0.5))
		return;
	r->verdict = VERDICT_DROP;
	r->rate = rate_of(g, r);
}

static void small_posture(struct rules *g, struct ir_posture *p, size_t rules)
{
	static const char *const names[] = { "LOCKDOWN", "HARDENED", "BALANCED", "EXPLORE" };
	bool allows = false;

	p->name = names[rules_below(g, 4)];
	p->established = (enum established)rules_below(g, ESTABLISHED_COUNT);
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		struct ir_list *l = &p->lists[d];
		enum verdict last = chance(g, 0.3) ? VERDICT_ALLOW : VERDICT_DROP;

		l->rules = arena_zero(g->arena, (rules + 1) * sizeof *l->rules);
		for (; l->count < rules; l->count++)
			l->rules[l->count] = small_rule(g, LAYER_POSTURE, (enum direction)d,
							(enum verdict)rules_below(g, VERDICT_COUNT));
		l->rules[l->count++] = default_rule(g, (enum direction)d, last);
		for (size_t i = 0; i < l->count; i++)
			allows |= l->rules[i].verdict == VERDICT_ALLOW;
	}
	limit_one(g, &p->lists[rules_below(g, DIRECTION_COUNT)]);
	p->closed = p->established == ESTABLISHED_CUT && !allows;
}

static struct ir *small_policy(struct rules *g, size_t count)
{
	static const struct ir_zone zones[] = { { .name = "wan" }, { .name = "lan" } };
	struct ir *ir = arena_zero(g->arena, sizeof *ir);

	ir->arena = g->arena;
	ir->zones = arena_copy(g->arena, zones, sizeof zones);
	ir->zone_count = 2;
	ir->lifelines = small_list(g, LAYER_LIFELINE, rules_below(g, 2));
	ir->blocks = small_list(g, LAYER_BLOCK, rules_below(g, 3));
	ir->reflexes = small_list(g, LAYER_REFLEX, rules_below(g, 3));
	for (size_t i = 0; i < ir->reflexes.count; i++) {
		ir->reflexes.rules[i].rate = chance(g, 0.7) ? rate_of(g, &ir->reflexes.rules[i]) : NULL;
		ir->reflexes.rules[i].except = rules_below(g, 4);
	}
	ir->posture_count = 3;
	ir->postures = arena_zero(g->arena, ir->posture_count * sizeof *ir->postures);
	for (size_t i = 0; i < ir->posture_count; i++)
		small_posture(g, &ir->postures[i], count);
	return ir;
}

/* --- the large profiles ------------------------------------------------------------- */

/* Probabilities: source, destination any; a host each; source port and destination port classes; drop. */
static const struct profile {
	double src_any, dst_any, src_host, dst_host;
	double sport[4], dport[4]; /* wildcard, high, low, range; else exact */
	double drop;
} profiles[] = {
	[RULES_ACL] = { .05, .02, .45, .60, { .97, .01, 0, 0 }, { .14, .03, .01, .14 }, .22 },
	[RULES_FW] = { .35, .25, .40, .50, { .75, .10, .01, .04 }, { .20, .12, .02, .18 }, .35 },
	[RULES_IPC] = { .10, .10, .45, .50, { .60, .15, .01, .09 }, { .25, .10, .02, .15 }, .25 },
};

static struct ranges random_ports(struct rules *g, const double class[4])
{
	static const uint16_t known[] = { 80,	443,  22,   53,	  25,	123,  3306, 5432, 8080,
					  8443, 21,   23,   110,  143,	161,  389,  445,  514,
					  636,	993,  1433, 1521, 3389, 5060, 6379, 9092 };
	double u = fraction(g);
	uint16_t p;

	if ((u -= class[0]) < 0)
		return ranges_of(g->arena, 0, UINT16_MAX);
	if ((u -= class[1]) < 0)
		return ranges_of(g->arena, 1024, UINT16_MAX);
	if ((u -= class[2]) < 0)
		return ranges_of(g->arena, 0, 1023);
	if ((u -= class[3]) < 0) {
		p = (uint16_t)(1024 + 10 * rules_below(g, 3000));
		return ranges_of(g->arena, p,
				 (uint16_t)(p + 1 + skewed(g, chance(g, 0.5) ? 40 : 4000)));
	}
	p = chance(g, 0.75) ? known[skewed(g, ARRAY_LEN(known))]
			    : (uint16_t)(1024 + skewed(g, 20000));
	return ranges_of(g->arena, p, p);
}

static struct ir_rule large_rule_of(struct rules *g)
{
	const struct profile *p = &profiles[g->profile];
	enum family family = chance(g, g->v6) ? FAMILY_IP6 : FAMILY_IP4;
	struct ir_rule r = rule_named(g, "P", LAYER_POSTURE, DIRECTION_FORWARD,
				      chance(g, p->drop) ? VERDICT_DROP : VERDICT_ALLOW);
	struct ir_box b = box_full(g);
	double u = fraction(g);

	b.families = (uint8_t)(1u << family);
	b.proto = u < 0.72 ? PROTO_TCP : u < 0.92 ? PROTO_UDP : PROTO_ANY_NUMBER;
	b.src = end_network(g, family, p->src_any, p->src_host);
	b.dst = end_network(g, family, p->dst_any, p->dst_host);
	if (b.proto != PROTO_ANY_NUMBER) {
		b.sport = random_ports(g, p->sport);
		b.dport = random_ports(g, p->dport);
		if (!ranges_are_all(&b.sport) || !ranges_are_all(&b.dport))
			b.fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST;
	}
	r.boxes = arena_copy(g->arena, &b, sizeof b);
	r.box_count = 1;
	return r;
}

/*
 * Real rule sets do not repeat very broad rules in their middle: they would
 * shadow all that follows. So most of them are drawn again.
 */
static struct ir_rule large_rule(struct rules *g)
{
	for (;;) {
		struct ir_rule r = large_rule_of(g);
		const struct ir_box *b = &r.boxes[0];
		const struct range *ports = &b->dport.at[0];
		int broad = b->src.any + b->dst.any + (ports->hi - ports->lo >= 0xfbff) +
			    (b->proto == PROTO_ANY_NUMBER);

		if (broad < 2 || (broad == 2 && !rules_below(g, 12)))
			return r;
	}
}

static struct ir *large_policy(struct rules *g, size_t count)
{
	struct ir *ir = arena_zero(g->arena, sizeof *ir);
	struct ir_posture *p = arena_zero(g->arena, sizeof *p);

	if (!g->sites)
		g->sites = count / 40 < 8 ? 8 : count / 40 > 1500 ? 1500 : count / 40;
	ir->arena = g->arena;
	ir->postures = p;
	ir->posture_count = 1;
	p->name = "P";
	p->established = ESTABLISHED_KEEP;
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		struct ir_list *l = &p->lists[d];
		size_t rules = d == DIRECTION_FORWARD ? count : 0;

		l->rules = arena_zero(g->arena, (rules + 1) * sizeof *l->rules);
		for (; l->count < rules; l->count++)
			l->rules[l->count] = large_rule(g);
		l->rules[l->count++] = default_rule(g, (enum direction)d, VERDICT_DROP);
	}
	return ir;
}

struct ir *rules_make(struct rules *g, size_t count)
{
	return g->profile == RULES_SMALL ? small_policy(g, count) : large_policy(g, count);
}

struct ir_rule rules_one(struct rules *g)
{
	if (g->profile == RULES_SMALL)
		return small_rule(g, LAYER_POSTURE, DIRECTION_FORWARD,
				  (enum verdict)rules_below(g, VERDICT_COUNT));
	return large_rule(g);
}
