#include "tests/lib/classbench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/tap.h"

#define LISTS "../shared/data/rulesets/classbench/"

static bool is_drawn(const char *kind)
{
	return strchr(kind, '/');
}

static FILE *list_open(const char *name, const char *ending)
{
	char path[256];

	snprintf(path, sizeof path, "%s%s%s", is_drawn(name) ? "" : LISTS, name, ending);
	return fopen(path, "r");
}

static struct prefix prefix_of(const unsigned part[4], unsigned len)
{
	uint32_t num = part[0] << 24 | part[1] << 16 | part[2] << 8 | part[3];

	return (struct prefix){ { FAMILY_IP4, len ? num & ~0u << (32 - len) : 0 }, len };
}

size_t classbench_read(struct classbench_rule **out, struct arena *a, const char *name)
{
	VEC(struct classbench_rule) rules = { 0 };
	FILE *f = list_open(name, ".rules");
	unsigned s[5], d[5], sp[2], dp[2], proto, mask, flags, flags_mask;

	if (!f)
		return 0;
	while (fscanf(f, " @%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u 0x%x/0x%x 0x%x/0x%x", s, s + 1, s + 2, s + 3, s + 4,
		      d, d + 1, d + 2, d + 3, d + 4, sp, sp + 1, dp, dp + 1, &proto, &mask, &flags, &flags_mask) == 18) {
		struct classbench_rule r = { prefix_of(s, s[4]), prefix_of(d, d[4]),
					     { (uint16_t)sp[0], (uint16_t)sp[1] }, { (uint16_t)dp[0], (uint16_t)dp[1] },
					     (uint16_t)(mask ? proto : PROTO_ANY_NUMBER) };
		vec_push(a, &rules, r);
	}
	fclose(f);
	*out = rules.at;
	return rules.len;
}

static size_t read_drawn(struct classbench_rule **out, struct arena *a, const char *kind)
{
	VEC(struct classbench_rule) rules = { 0 };
	FILE *f = list_open(kind, ".rules");
	unsigned s[5], d[5], sp[2], dp[2], proto;

	while (f && fscanf(f, " %u.%u.%u.%u/%u %u.%u.%u.%u/%u %u-%u %u-%u %u", s, s + 1, s + 2, s + 3, s + 4, d, d + 1, d + 2, d + 3,
			   d + 4, sp, sp + 1, dp, dp + 1, &proto) == 15) {
		struct classbench_rule r = { prefix_of(s, s[4]), prefix_of(d, d[4]),
					     { (uint16_t)sp[0], (uint16_t)sp[1] }, { (uint16_t)dp[0], (uint16_t)dp[1] },
					     (uint16_t)(proto ? proto : PROTO_ANY_NUMBER) };
		vec_push(a, &rules, r);
	}
	if (f)
		fclose(f);
	*out = rules.at;
	return rules.len;
}

static struct prefix moved(struct prefix p, uint32_t by)
{
	p.addr.num = p.len ? (p.addr.num ^ by) & (uint32_t)(~0u << (32 - p.len)) : 0;
	return p;
}

struct classbench_rule *classbench_spread(const struct classbench_rule *rules, size_t count, size_t copies,
					  struct arena *a)
{
	struct classbench_rule *all = arena_zero(a, count * copies * sizeof *all);

	for (size_t i = 0; i < count * copies; i++) {
		uint32_t by = (uint32_t)(i % copies) * 0x9e3779b1u & 0xffffff00;

		all[i] = rules[i / copies];
		all[i].src = moved(all[i].src, by);
		all[i].dst = moved(all[i].dst, by * 5);
	}
	return all;
}

static struct prefix widened(struct prefix p)
{
	const addr_num net = (addr_num)0x20010db8 << 96;

	return (struct prefix){ { FAMILY_IP6, p.len ? net | p.addr.num << 64 : 0 }, p.len ? p.len + 32 : 0 };
}

void classbench_ip6(struct classbench_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		rules[i].src = widened(rules[i].src);
		rules[i].dst = widened(rules[i].dst);
	}
}

static struct classbench_rule *sized4(size_t *count, struct arena *a, const char *kind, size_t want)
{
	struct classbench_rule *rules;
	const char *file = arena_printf(a, "%.*s1_%d", (int)strcspn(kind, "6"), kind, want > 1000 ? 10000 : 1000);
	size_t n = classbench_read(&rules, a, file);

	*count = n < want ? n : want;
	if (want == 100000) {
		*count = n * 10;
		return n ? classbench_spread(rules, n, 10, a) : NULL;
	}
	for (size_t i = 0; n > want && i < want; i++)
		rules[i] = rules[i * n / want];
	return n ? rules : NULL;
}

struct classbench_rule *classbench_sized(size_t *count, struct arena *a, const char *kind, size_t want)
{
	struct classbench_rule *rules;

	if (is_drawn(kind))
		return (*count = read_drawn(&rules, a, kind)) ? rules : NULL;
	rules = sized4(count, a, kind, want);
	if (rules && strchr(kind, '6'))
		classbench_ip6(rules, *count);
	return rules;
}

static struct ir_end end_of(struct prefix p, struct arena *a)
{
	struct ir_set *set = arena_zero(a, sizeof *set);

	if (!p.len)
		return (struct ir_end){ .any = true };
	set->set = netset_of_range(a, p.addr.family, prefix_range(p));
	return (struct ir_end){ .set = set };
}

static bool has_ports(const struct classbench_rule *r)
{
	return r->proto != PROTO_ANY_NUMBER && proto_has_ports(r->proto);
}

static struct ir_box box_of(const struct classbench_rule *r, struct arena *a)
{
	struct ranges all = ranges_of(a, 0, UINT16_MAX);
	struct ir_box b = { .zones = UINT64_MAX, .families = (uint8_t)(1u << r->src.addr.family), .fragments = FRAGMENT_ANY,
			    .proto = r->proto, .src = end_of(r->src, a), .dst = end_of(r->dst, a),
			    .sport = all, .dport = all, .icmp = all };

	if (has_ports(r)) {
		b.sport = ranges_of(a, r->sport.lo, r->sport.hi);
		b.dport = ranges_of(a, r->dport.lo, r->dport.hi);
	}
	return b;
}

struct ir *classbench_ir(const struct classbench_rule *rules, size_t count, size_t boxes_per_rule, struct arena *a)
{
	struct policy *p = craft_policy(a, "classbench");
	struct pol_posture open = craft_posture("OPEN", VERDICT_ALLOW);

	craft_add_posture(p, open);
	struct ir *ir = ir_lower(p, a);
	ir->reflexes.count = (count + boxes_per_rule - 1) / boxes_per_rule;
	ir->reflexes.rules = arena_zero(a, ir->reflexes.count * sizeof *ir->reflexes.rules);
	for (size_t i = 0; i < count; i++) {
		struct ir_rule *r = &ir->reflexes.rules[i / boxes_per_rule];

		if (i % boxes_per_rule == 0) {
			r->id = arena_printf(a, "reflex.r%zu", i / boxes_per_rule);
			r->label = r->id + sizeof "reflex." - 1;
			r->layer = LAYER_REFLEX;
			r->verdict = VERDICT_DROP;
			r->boxes = arena_zero(a, boxes_per_rule * sizeof *r->boxes);
		}
		r->boxes[r->box_count++] = box_of(&rules[i], a);
	}
	return ir;
}

struct ir *classbench_posture(const struct classbench_rule *rules, size_t count, struct arena *a)
{
	struct policy *p = craft_policy(a, "classbench");

	craft_add_posture(p, craft_posture("P", VERDICT_DROP));
	struct ir *ir = ir_lower(p, a);
	struct ir_list *l = &ir->postures[0].lists[DIRECTION_FORWARD];
	const struct ir_rule last = l->rules[l->count - 1];

	l->rules = arena_zero(a, (count + 1) * sizeof *l->rules);
	for (size_t i = 0; i < count; i++) {
		const struct ir_box box = box_of(&rules[i], a);

		l->rules[i] = (struct ir_rule){ .id = arena_printf(a, "P.r%zu", i), .layer = LAYER_POSTURE,
						.direction = DIRECTION_FORWARD, .box_count = 1,
						.verdict = i % 4 == 3 ? VERDICT_DROP : VERDICT_ALLOW,
						.boxes = arena_copy(a, &box, sizeof box) };
		l->rules[i].label = l->rules[i].id + sizeof "P." - 1;
	}
	l->rules[count] = last;
	l->count = count + 1;
	return ir;
}

static bool prefix_has(struct prefix p, struct addr a)
{
	struct addr_range r = prefix_range(p);

	return r.lo <= a.num && a.num <= r.hi;
}

bool classbench_has(const struct classbench_rule *r, const struct packet *p)
{
	return prefix_has(r->src, p->src) && prefix_has(r->dst, p->dst) &&
	       (r->proto == PROTO_ANY_NUMBER || r->proto == p->proto) &&
	       (!has_ports(r) || (r->sport.lo <= p->sport && p->sport <= r->sport.hi && r->dport.lo <= p->dport &&
				  p->dport <= r->dport.hi));
}

static struct addr addr_in(struct gen *g, struct prefix p)
{
	struct addr_range r = prefix_range(p);

	if (p.addr.family == FAMILY_IP6)
		return (struct addr){ FAMILY_IP6, r.lo | (((addr_num)gen_u64(g) << 64 | gen_u64(g)) & (r.hi ^ r.lo)) };
	return (struct addr){ FAMILY_IP4, r.lo + (uint32_t)gen_u64(g) % (uint64_t)(r.hi - r.lo + 1) };
}

static uint16_t number_in(struct gen *g, struct range r)
{
	return (uint16_t)(r.lo + gen_below(g, r.hi - r.lo + 1u));
}

struct packet classbench_packet(struct gen *g, const struct classbench_rule *rules, size_t count)
{
	const struct classbench_rule *r = &rules[gen_below(g, (unsigned)count)];
	struct packet p = { .family = r->src.addr.family, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .src = addr_in(g, r->src),
			    .dst = addr_in(g, r->dst), .proto = (uint8_t)r->proto };

	if (r->proto == PROTO_ANY_NUMBER)
		p.proto = gen_chance(g, 70) ? PROTO_TCP : PROTO_UDP;
	if (gen_chance(g, 20))
		p.src = gen_chance(g, 50) ? addr_in(g, rules[gen_below(g, (unsigned)count)].src)
					  : (struct addr){ p.family, (uint32_t)gen_u64(g) };
	if (!proto_has_ports(p.proto))
		return p;
	p.sport = has_ports(r) ? number_in(g, r->sport) : 40000;
	p.dport = has_ports(r) ? number_in(g, r->dport) : 443;
	return p;
}

/* As they stand in a packet. */
struct drawn {
	uint32_t src_be, dst_be;
	uint16_t sport_be, dport_be;
	uint8_t proto, none;
	uint16_t sum; /* of a header that is made anew */
};

static struct packet packet_of(const struct drawn *d)
{
	const bool ports = proto_has_ports(d->proto);

	return (struct packet){ .family = FAMILY_IP4, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .proto = d->proto,
				.src = { FAMILY_IP4, ntohl(d->src_be) }, .dst = { FAMILY_IP4, ntohl(d->dst_be) },
				.sport = ports ? ntohs(d->sport_be) : 0, .dport = ports ? ntohs(d->dport_be) : 0 };
}

bool classbench_trace(struct packet *out, size_t packets, const char *kind, const struct classbench_rule *rules, size_t count)
{
	FILE *f = is_drawn(kind) ? list_open(kind, ".trace") : NULL;
	struct gen g = gen_new(1);
	struct drawn d;
	size_t i = 0;

	for (; f && i < packets && fread(&d, sizeof d, 1, f) == 1; i++)
		out[i] = packet_of(&d);
	if (f)
		fclose(f);
	for (; !is_drawn(kind) && i < packets; i++)
		out[i] = classbench_packet(&g, rules, count);
	return i == packets;
}

size_t classbench_truths(struct classbench_truth **out, struct arena *a, const char *name)
{
	VEC(struct classbench_truth) all = { 0 };
	FILE *f = list_open(name, ".packets.tsv");
	char line[256];

	while (f && fgets(line, sizeof line, f)) {
		unsigned src, dst, sport, dport, proto;
		long first;

		if (sscanf(line, "%u %u %u %u %u %ld", &src, &dst, &sport, &dport, &proto, &first) != 6)
			continue;
		struct classbench_truth t = {
			.packet = { .family = FAMILY_IP4, .fragment = FRAGMENT_WHOLE, .hop_limit = 64,
				    .src = { FAMILY_IP4, src }, .dst = { FAMILY_IP4, dst }, .proto = (uint8_t)proto },
			.first = first < 0 ? SIZE_MAX : (size_t)first,
		};
		if (proto_has_ports(proto)) {
			t.packet.sport = (uint16_t)sport;
			t.packet.dport = (uint16_t)dport;
		}
		vec_push(a, &all, t);
	}
	if (f)
		fclose(f);
	*out = all.at;
	return all.len;
}
