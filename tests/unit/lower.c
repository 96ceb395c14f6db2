/* ir_lower: what becomes of selectors, sets, rates and postures. */
#include <string.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/tap.h"

#define NS_PER_S 1000000000ull

static const struct {
	const char *claim;
	uint64_t count, window_ns;
	uint64_t rate, unit_s, cost_ns, depth_ns;
	bool bytes;
	uint64_t burst;
} rates[] = {
	{ "a whole number a second", 1000, 100000000, 10000, 1, 100000, 100000000, false, 0 },
	{ "one a second", 1, NS_PER_S, 1, 1, NS_PER_S, NS_PER_S, false, 0 },
	{ "7 per 3s is 140 a minute", 7, 3 * NS_PER_S, 140, 60, 428571428, 2999999996, false, 0 },
	{ "1 per 10min is 6 an hour", 1, 600 * NS_PER_S, 6, 3600, 600 * NS_PER_S, 600 * NS_PER_S, false, 0 },
	{ "5 per day", 5, 86400 * NS_PER_S, 5, 86400, 17280 * NS_PER_S, 86400 * NS_PER_S, false, 0 },
	{ "2 per 7 days", 2, 7 * 86400 * NS_PER_S, 2, 604800, 302400 * NS_PER_S, 604800 * NS_PER_S, false, 0 },
	{ "1 per 30 days becomes 1 a week", 1, 30 * 86400 * NS_PER_S, 1, 604800, 604800 * NS_PER_S,
	  604800 * NS_PER_S, false, 0 },
	{ "1 per 7us: a week is nearest", 1, 7001, 86387658906, 604800, 7000, 7000, false, 0 },
	{ "more than one a nanosecond is one", 5000, 1000, 1000000000, 1, 1, 5000, false, 0 },
	{ "burst is at most 32 bits", 1ull << 33, 1ull << 33, 1000000000, 1, 1, UINT32_MAX, false, 0 },
	{ "bytes cost what they are of a second", 10000000, NS_PER_S, 10000000, 1, NS_PER_S, NS_PER_S, true, 0 },
	{ "of bytes a second's worth is held at least", 1000, NS_PER_S / 10, 10000, 1, NS_PER_S, NS_PER_S, true, 0 },
	{ "a window's bytes may come at once", 10000000, 100 * NS_PER_S, 100000, 1, NS_PER_S, 100 * NS_PER_S, true, 0 },
	{ "a burst of bytes is held in all", 1000, NS_PER_S, 1000, 1, NS_PER_S, 3 * NS_PER_S, true, 3000 },
	{ "few bytes are counted by the hour", 100, 3600 * NS_PER_S, 100, 3600, 3600 * NS_PER_S, 3600 * NS_PER_S, true, 0 },
	{ "a day's bytes are not: nft could not multiply them", 2400, 86400 * NS_PER_S, 100, 3600, 3600 * NS_PER_S,
	  86400 * NS_PER_S, true, 0 },
	{ "a hundred gigabits", 12000000000, NS_PER_S, 12000000000, 1, NS_PER_S, NS_PER_S, true, 0 },
};

static void test_rates(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		struct pol_rate given = { .count = rates[i].count, .window_ns = rates[i].window_ns, .key_bits = { 32, 64 },
					  .bytes = rates[i].bytes, .burst = rates[i].burst };
		struct ir_rate r = ir_rate_of(&given);

		if (!tap_ok(r.rate == rates[i].rate && r.unit_s == rates[i].unit_s &&
				    r.cost_ns == rates[i].cost_ns && r.depth_ns == rates[i].depth_ns &&
				    r.key_bits[FAMILY_IP6] == 64,
			    "rate: %s", rates[i].claim))
			tap_note("got %lu per %lus, cost %lu, depth %lu", r.rate, r.unit_s, r.cost_ns,
				 r.depth_ns);
	}
}

/* What differs in rate or key has another name, on every engine. */
static void test_bucket_names(struct arena *a)
{
	static const struct {
		enum rate_key key;
		uint64_t count, burst;
		bool bytes;
		uint8_t bits4;
		const char *name;
	} names[] = {
		{ RATE_PER_SOURCE, 10, 0, false, 32, "reflex.r.10-1-10-32-64" },
		{ RATE_PER_SOURCE, 11, 0, false, 32, "reflex.r.11-1-11-32-64" },
		{ RATE_PER_SOURCE, 10, 20, false, 32, "reflex.r.10-1-20-32-64" },
		{ RATE_PER_SOURCE, 10, 0, false, 24, "reflex.r.10-1-10-24-64" },
		{ RATE_PER_SOURCE, 1000, 0, true, 32, "reflex.r.1000B-1-0-32-64" },
		{ RATE_PER_DESTINATION, 10, 0, false, 32, "reflex.r.10-1-10-to-32-64" },
		{ RATE_PER_FLOW, 10, 0, false, 32, "reflex.r.10-1-10-flow" },
		{ RATE_GLOBAL, 10, 0, false, 32, "reflex.r.10-1-10-all" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct pol_rate given = { .count = names[i].count, .window_ns = NS_PER_S, .key_bits = { names[i].bits4, 64 },
					  .bytes = names[i].bytes, .burst = names[i].burst, .key = names[i].key, .bucket = "reflex.r" };
		struct ir_rate r = ir_rate_of(&given);

		tap_text(ir_bucket_name(&r, a), names[i].name, "a bucket's name");
	}
}

/* One rule, lowered. */
static const struct ir_rule *lower_one(struct arena *a, struct pol_selector s)
{
	struct policy *p = craft_policy(a, "one");
	struct pol_posture o = craft_posture("P", VERDICT_DROP);

	craft_rule(a, &o, "r", DIRECTION_IN, VERDICT_ALLOW, s);
	craft_add_posture(p, o);
	return &ir_lower(p, a)->postures[0].lists[DIRECTION_IN].rules[0];
}

static void test_families(struct arena *a)
{
	static const struct {
		const char *claim;
		uint16_t proto;
		const char *from, *to;
		unsigned boxes, families;
		bool any_from;
	} rows[] = {
		{ "nothing asked: both families", PROTO_ANY, "any", "any", 1, 3, true },
		{ "icmp is IPv4", PROTO_ICMP, "any", "any", 1, 1, true },
		{ "icmpv6 is IPv6", PROTO_ICMPV6, "any", "self", 1, 2, true },
		{ "an IPv4 set is IPv4", PROTO_TCP, "10.0.0.0/8", "any", 1, 1, false },
		{ "a set of both", PROTO_TCP, "10.0.0.0/8 2001:db8::/32", "self", 1, 3, false },
		{ "from IPv4 to IPv6 has no packet", PROTO_TCP, "10.0.0.0/8", "2001:db8::1", 0, 0, false },
		{ "icmp from an IPv6 set has none", PROTO_ICMP, "2001:db8::/32", "any", 0, 0, false },
		{ "an empty set has none", PROTO_ANY, "", "any", 0, 0, false },
		{ "all of IPv4 asks only the family", PROTO_UDP, "0.0.0.0/0", "any", 1, 1, true },
		{ "all of both is any", PROTO_UDP, "0.0.0.0/0 ::/0", "any", 1, 3, true },
		{ "all of IPv6 and some of IPv4 asks", PROTO_UDP, "10.0.0.0/8 ::/0", "any", 1, 3, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pol_selector s = craft_select(a, rows[i].proto);
		s.from = craft_end(a, rows[i].from);
		s.to = craft_end(a, rows[i].to);
		const struct ir_rule *r = lower_one(a, s);

		tap_ok(r->box_count == rows[i].boxes &&
			       (!r->box_count || (r->boxes[0].families == rows[i].families &&
						  r->boxes[0].src.any == rows[i].any_from &&
						  (r->boxes[0].src.set == NULL) == rows[i].any_from)),
		       "families: %s", rows[i].claim);
	}
}

static void test_fragments(struct arena *a)
{
	struct pol_selector plain = craft_select(a, PROTO_TCP);
	tap_num(lower_one(a, plain)->boxes[0].fragments, FRAGMENT_ANY, "tcp alone: later fragments too");

	struct pol_selector port = craft_select(a, PROTO_TCP);
	port.protos[0].dport = ranges_of(a, 22, 22);
	tap_num(lower_one(a, port)->boxes[0].fragments, FRAGMENT_WHOLE | FRAGMENT_FIRST,
		"a port: not a later fragment");

	struct pol_selector sport = craft_select(a, PROTO_UDP);
	sport.sport = ranges_of(a, 53, 53);
	tap_num(lower_one(a, sport)->boxes[0].fragments, FRAGMENT_WHOLE | FRAGMENT_FIRST,
		"a source port: not a later fragment");

	struct pol_selector flags = craft_select(a, PROTO_TCP);
	flags.protos[0].flags_mask = 0x12;
	flags.protos[0].flags_want = 0x02;
	tap_num(lower_one(a, flags)->boxes[0].fragments, FRAGMENT_WHOLE | FRAGMENT_FIRST,
		"flags: not a later fragment");

	struct pol_selector echo = craft_select(a, PROTO_ICMP);
	echo.protos[0].icmp = ranges_of(a, 8 << 8, 8 << 8 | 255);
	tap_num(lower_one(a, echo)->boxes[0].fragments, FRAGMENT_WHOLE | FRAGMENT_FIRST,
		"an ICMP type: not a later fragment");
}

static void test_service(struct arena *a)
{
	struct pol_selector s = craft_select(a, PROTO_TCP);
	struct pol_proto both[] = { s.protos[0], s.protos[0] };

	both[0].dport = ranges_of(a, 80, 80);
	both[1].number = PROTO_UDP;
	both[1].dport = ranges_of(a, 443, 443);
	s.protos = both;
	s.proto_count = 2;

	const struct ir_rule *r = lower_one(a, s);
	tap_ok(r->box_count == 2 && r->boxes[0].proto == PROTO_TCP && r->boxes[1].proto == PROTO_UDP &&
		       r->boxes[1].dport.at[0].lo == 443,
	       "a service is one box for each protocol, in order");
}

static void test_sets(struct arena *a)
{
	struct policy *p = craft_policy(a, "sets");
	struct pol_posture o = craft_posture("P", VERDICT_DROP);
	struct pol_net nets[] = {
		{ .name = "office", .set = craft_set(a, "10.0.0.0/8 2001:db8::/32") },
		{ .name = "again", .set = craft_set(a, "10.0.0.0/8 2001:db8::/32") },
	};
	struct pol_selector s = craft_select(a, PROTO_TCP), t = s, u = s;

	p->nets = nets;
	p->net_count = 2;
	s.from = craft_end(a, "10.0.0.0/9 10.128.0.0/9 2001:db8::/32");
	t.to = craft_end(a, "2001:db8::/32 10.0.0.0/8");
	u.from = craft_end(a, "10.0.0.0/9");
	craft_rule(a, &o, "s", DIRECTION_IN, VERDICT_ALLOW, s);
	craft_rule(a, &o, "t", DIRECTION_OUT, VERDICT_ALLOW, t);
	craft_rule(a, &o, "u", DIRECTION_IN, VERDICT_ALLOW, u);
	craft_add_posture(p, o);

	struct ir *ir = ir_lower(p, a);
	const struct ir_set *in = ir->postures[0].lists[DIRECTION_IN].rules[0].boxes[0].src.set;
	const struct ir_set *out = ir->postures[0].lists[DIRECTION_OUT].rules[0].boxes[0].dst.set;

	tap_ok(in == out, "equal sets are one pointer");
	tap_text(in->name, "office", "and have the first name that the policy gave them");
	tap_num(ir->set_count, 2, "each set is there once");
	tap_ok(ir->sets[in->index] == in && ir->sets[1]->index == 1 && !ir->sets[1]->name,
	       "sets know their place; one without a name has none");
}

static void test_many_sets(struct arena *a)
{
	struct policy *p = craft_policy(a, "many");
	struct pol_posture o = craft_posture("P", VERDICT_DROP);
	bool distinct = true;

	for (unsigned i = 0; i < 400; i++) {
		struct pol_selector s = craft_select(a, PROTO_TCP);
		s.from = craft_end(a, arena_printf(a, "10.0.%u.0/24", i % 200));
		craft_rule(a, &o, arena_printf(a, "r%u", i), DIRECTION_IN, VERDICT_ALLOW, s);
	}
	craft_add_posture(p, o);

	struct ir *ir = ir_lower(p, a);
	const struct ir_rule *r = ir->postures[0].lists[DIRECTION_IN].rules;
	for (unsigned i = 0; i < 200; i++)
		distinct &= r[i].boxes[0].src.set == r[i + 200].boxes[0].src.set &&
			    r[i].boxes[0].src.set->index == i;
	tap_ok(ir->set_count == 200 && distinct, "200 sets asked twice are 200 sets");
}

static void test_default(struct arena *a)
{
	struct policy *p = craft_policy(a, "defaults");
	struct pol_posture o = craft_posture("HARD", VERDICT_DROP);

	o.defaults[DIRECTION_OUT] = VERDICT_ALLOW;
	craft_add_posture(p, o);
	const struct ir_posture *h = &ir_lower(p, a)->postures[0];
	const struct ir_rule *r = &h->lists[DIRECTION_OUT].rules[0];

	tap_num(h->lists[DIRECTION_OUT].count, 1, "a posture without rules has its default");
	tap_text(r->id, "HARD.default.out", "named by posture and direction");
	tap_ok(r->is_default && r->verdict == VERDICT_ALLOW && r->box_count == 1 &&
		       r->boxes[0].zones == UINT64_MAX && r->boxes[0].fragments == FRAGMENT_ANY &&
		       r->boxes[0].families == 3 && r->boxes[0].proto == PROTO_ANY_NUMBER,
	       "with one full box");
}

static void test_closed(struct arena *a)
{
	static const struct {
		const char *claim;
		enum established established;
		enum verdict in, forward, out;
		int rule_direction; /* -1: no rule */
		enum verdict rule;
		bool closed;
	} rows[] = {
		{ "cut, drop, no rule", ESTABLISHED_CUT, VERDICT_DROP, VERDICT_DROP, VERDICT_DROP, -1, 0, true },
		{ "out may reject", ESTABLISHED_CUT, VERDICT_DROP, VERDICT_DROP, VERDICT_REJECT, -1, 0, true },
		{ "out may drop by rule", ESTABLISHED_CUT, VERDICT_DROP, VERDICT_DROP, VERDICT_DROP,
		  DIRECTION_OUT, VERDICT_DROP, true },
		{ "keep is not", ESTABLISHED_KEEP, VERDICT_DROP, VERDICT_DROP, VERDICT_DROP, -1, 0, false },
		{ "recheck is not", ESTABLISHED_RECHECK, VERDICT_DROP, VERDICT_DROP, VERDICT_DROP, -1, 0, false },
		{ "allow out is not", ESTABLISHED_CUT, VERDICT_DROP, VERDICT_DROP, VERDICT_ALLOW, -1, 0, false },
		{ "reject in is not: the sender is told", ESTABLISHED_CUT, VERDICT_REJECT, VERDICT_DROP,
		  VERDICT_DROP, -1, 0, false },
		{ "reject forward is not", ESTABLISHED_CUT, VERDICT_DROP, VERDICT_REJECT, VERDICT_DROP, -1, 0, false },
		{ "an allowing rule out is not", ESTABLISHED_CUT, VERDICT_DROP, VERDICT_DROP, VERDICT_DROP,
		  DIRECTION_OUT, VERDICT_ALLOW, false },
		{ "a dropping rule in is not: it counts its own", ESTABLISHED_CUT, VERDICT_DROP, VERDICT_DROP,
		  VERDICT_DROP, DIRECTION_IN, VERDICT_DROP, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy *p = craft_policy(a, "closed");
		struct pol_posture o = craft_posture("P", VERDICT_DROP);

		o.established = rows[i].established;
		o.defaults[DIRECTION_IN] = rows[i].in;
		o.defaults[DIRECTION_FORWARD] = rows[i].forward;
		o.defaults[DIRECTION_OUT] = rows[i].out;
		if (rows[i].rule_direction >= 0)
			craft_rule(a, &o, "r", (enum direction)rows[i].rule_direction, rows[i].rule,
				   craft_select(a, PROTO_TCP));
		craft_add_posture(p, o);
		tap_ok(ir_lower(p, a)->postures[0].closed == rows[i].closed, "closed: %s", rows[i].claim);
	}
}

static void test_reply(struct arena *a)
{
	struct pol_selector s = craft_select(a, PROTO_TCP);

	s.from = craft_end(a, "10.0.0.0/8");
	s.to = craft_end(a, "self");
	s.protos[0].dport = ranges_of(a, 22, 22);
	s.zones = 1;
	const struct ir_box *b = lower_one(a, s)->boxes;
	struct ir_box r = ir_box_reply(b);

	tap_ok(r.src.self && r.dst.set == b->src.set && r.sport.at[0].lo == 22 &&
		       ranges_are_all(&r.dport) && r.zones == 1 && r.families == b->families,
	       "the answer's box has ends and ports exchanged, all else as it is");
}

/* A limit with a name that counts all together is a bucket of each posture's rule, as it stands in nft; to proofs it is one. */
static void test_all_together(struct arena *a)
{
	static const enum rate_key keys[] = { RATE_GLOBAL, RATE_PER_SOURCE };

	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		const struct pol_rate limit = { .count = 9, .window_ns = NS_PER_S, .key = keys[k], .key_bits = { 32, 64 }, .bucket = "limit.l" };
		struct policy *p = craft_policy(a, "shared");

		for (int i = 0; i < 2; i++) {
			struct pol_posture q = craft_posture(i ? "Q" : "P", VERDICT_DROP);

			craft_rule(a, &q, i ? "web" : "mail", DIRECTION_IN, VERDICT_ALLOW, craft_select(a, PROTO_TCP));
			q.rules[0].limit = &limit;
			craft_add_posture(p, q);
		}
		const struct ir *ir = ir_lower(p, a);
		const struct ir_rate *one = ir->postures[0].lists[DIRECTION_IN].rules[0].rate, *two = ir->postures[1].lists[DIRECTION_IN].rules[0].rate;

		tap_ok(!strcmp(one->bucket, two->bucket) == (keys[k] != RATE_GLOBAL), "two postures' rules with a limit's name share its bucket%s",
		       keys[k] == RATE_GLOBAL ? ", but not one without `per`" : "");
		tap_text(two->kin, one->kin, "and fill alike");
	}
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	test_rates();
	test_bucket_names(a);
	test_all_together(a);
	test_families(a);
	test_fragments(a);
	test_service(a);
	test_sets(a);
	test_many_sets(a);
	test_default(a);
	test_closed(a);
	test_reply(a);
	return tap_done();
}
