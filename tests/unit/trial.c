/* trial: tests of policies hold, fail, and are told which field they leave open. */
#include <string.h>

#include "compiler/ir/proto.h"
#include "compiler/ir/trial.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define ALL_GIVEN (GIVEN_SRC | GIVEN_SPORT | GIVEN_DST | GIVEN_DPORT | GIVEN_FLAGS | GIVEN_ICMP | GIVEN_ZONE | GIVEN_STATE | GIVEN_SIZE)

/* A lifeline, a block, a rate, and rules that ask for different fields. */
static struct ir *edge(struct arena *a)
{
	struct policy *p = craft_policy(a, "edge");
	struct pol_selector ssh = craft_select(a, PROTO_TCP), web = ssh, dns = craft_select(a, PROTO_UDP),
			    flood = craft_select(a, PROTO_TCP), part = craft_select(a, PROTO_SCTP);

	ssh.from = craft_end(a, "203.0.113.0/24");
	ssh.to = craft_end(a, "self");
	ssh.protos[0].dport = ranges_of(a, 22, 22);
	craft_lifeline(p, "ssh", ssh);
	craft_block(p, "bogons", "10.0.0.0/8", 1);

	flood.protos = arena_copy(a, flood.protos, sizeof *flood.protos);
	flood.protos[0].flags_mask = 0x12;
	flood.protos[0].flags_want = 0x02;
	struct pol_reflex *r = craft_reflex(p, "flood", flood);
	r->has_rate = true;
	r->rate = (struct pol_rate){ .count = 10, .window_ns = 100000000, .key_bits = { 32, 64 } };
	r->block_ns = 60000000000;

	struct pol_posture open = craft_posture("OPEN", VERDICT_DROP);
	web.protos = arena_copy(a, web.protos, sizeof *web.protos);
	web.to = craft_end(a, "self");
	web.protos[0].dport = ranges_of(a, 80, 80);
	craft_rule(a, &open, "web", DIRECTION_IN, VERDICT_ALLOW, web);
	dns.zones = 2;
	dns.protos[0].dport = ranges_of(a, 53, 53);
	craft_rule(a, &open, "dns", DIRECTION_IN, VERDICT_ALLOW, dns);
	dns.protos = arena_copy(a, dns.protos, sizeof *dns.protos);
	dns.zones = ZONES_ANY;
	dns.sport = ranges_of(a, 53, 53);
	craft_rule(a, &open, "dns_drop", DIRECTION_IN, VERDICT_DROP, dns);
	part.to = craft_end(a, "192.0.2.0/24");
	craft_rule(a, &open, "part", DIRECTION_IN, VERDICT_ALLOW, part);
	craft_rule(a, &open, "to_lan", DIRECTION_FORWARD, VERDICT_REJECT, craft_select(a, PROTO_TCP));
	craft_add_posture(p, open);
	return ir_lower(p, a);
}

/* One packet: fields given are those that are not 0, NULL or -1. */
struct row {
	const char *claim;
	uint8_t proto;
	const char *src, *dst; /* "self" */
	unsigned sport, dport;
	int flags, zone;
	enum direction direction;
	uint64_t times, within_ns;
	bool last;
	enum verdict verdict;
	const char *by;
	enum trial_fault fault;
	enum pkt_field_bits field;
	const char *text; /* who decided, or who asks */
};

static struct pol_case case_of(const struct row *row)
{
	struct pol_case c = { .times = row->times, .within_ns = row->within_ns, .last = row->last,
			      .verdict = row->verdict, .by = row->by };
	struct pol_packet *p = &c.packet;

	p->proto = row->proto;
	p->direction = row->direction;
	if (row->src) {
		p->src_self = !strcmp(row->src, "self");
		if (!p->src_self) {
			p->src = craft_addr(row->src);
			p->family = p->src.family;
		}
		p->given |= GIVEN_SRC;
	}
	if (row->dst) {
		p->dst_self = !strcmp(row->dst, "self");
		if (!p->dst_self) {
			p->dst = craft_addr(row->dst);
			p->family = p->dst.family;
		}
		p->given |= GIVEN_DST;
	}
	p->sport = (uint16_t)row->sport;
	p->dport = (uint16_t)row->dport;
	p->given |= (row->sport ? GIVEN_SPORT : 0u) | (row->dport ? GIVEN_DPORT : 0u);
	if (row->flags >= 0) {
		p->flags = (uint8_t)row->flags;
		p->given |= GIVEN_FLAGS;
	}
	if (row->zone >= 0) {
		p->zone = (unsigned)row->zone;
		p->given |= GIVEN_ZONE;
	}
	return c;
}

#define OUTSIDE "198.51.100.20"
#define SYN	2

static const struct row rows[] = {
	{ .claim = "a rule allows; nobody asks for the source port", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self",
	  .dport = 80, .flags = SYN, .zone = 0, .verdict = VERDICT_ALLOW, .by = "web" },
	{ .claim = "by its id", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80, .flags = SYN, .zone = 0,
	  .verdict = VERDICT_ALLOW, .by = "OPEN.web" },
	{ .claim = "another verdict", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 81, .flags = SYN,
	  .zone = 0, .verdict = VERDICT_ALLOW, .fault = TRIAL_VERDICT, .text = "default" },
	{ .claim = "another decider", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80, .flags = SYN,
	  .zone = 0, .verdict = VERDICT_ALLOW, .by = "dns", .fault = TRIAL_BY, .text = "web" },
	{ .claim = "one packet is within the rate, whatever its flags", .proto = PROTO_TCP, .src = OUTSIDE,
	  .dst = "self", .dport = 80, .flags = -1, .zone = 0, .verdict = VERDICT_ALLOW, .by = "web" },
	{ .claim = "no port: the rule asks for it", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .flags = SYN,
	  .zone = 0, .verdict = VERDICT_DROP, .fault = TRIAL_OPEN, .field = GIVEN_DPORT, .text = "web" },
	{ .claim = "no port: a lifeline asks too, but its source is another; the verdict is open by the rule",
	  .proto = PROTO_TCP, .src = "203.0.113.9", .dst = "self", .flags = SYN, .zone = 0, .verdict = VERDICT_DROP,
	  .fault = TRIAL_OPEN, .field = GIVEN_DPORT, .text = "lifeline" },
	{ .claim = "no zone", .proto = PROTO_UDP, .src = OUTSIDE, .dst = "self", .sport = 9, .dport = 53, .flags = -1,
	  .zone = -1, .verdict = VERDICT_ALLOW, .fault = TRIAL_OPEN, .field = GIVEN_ZONE, .text = "dns" },
	{ .claim = "no zone, and a block that would not mind", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self",
	  .dport = 80, .flags = SYN, .zone = -1, .verdict = VERDICT_ALLOW, .by = "web" },
	{ .claim = "no zone, and a block that would", .proto = PROTO_TCP, .src = "10.1.1.1", .dst = "self", .dport = 80,
	  .flags = SYN, .zone = -1, .verdict = VERDICT_ALLOW, .fault = TRIAL_OPEN, .field = GIVEN_ZONE, .text = "bogons" },
	{ .claim = "a rule asks for the source port, but drops as the default does", .proto = PROTO_UDP, .src = OUTSIDE,
	  .dst = "self", .dport = 53, .flags = -1, .zone = 0, .verdict = VERDICT_DROP },
	{ .claim = "unless it is asked who decides", .proto = PROTO_UDP, .src = OUTSIDE, .dst = "self", .dport = 53,
	  .flags = -1, .zone = 0, .verdict = VERDICT_DROP, .by = "default", .fault = TRIAL_OPEN, .field = GIVEN_SPORT,
	  .text = "dns_drop" },
	{ .claim = "no source: whose bucket is it?", .proto = PROTO_TCP, .dst = "self", .dport = 80, .flags = SYN,
	  .zone = 1, .verdict = VERDICT_ALLOW, .fault = TRIAL_OPEN, .field = GIVEN_SRC, .text = "flood" },
	{ .claim = "self may or may not lie in a set", .proto = PROTO_SCTP, .src = OUTSIDE, .dst = "self", .dport = 9,
	  .flags = -1, .zone = 0, .verdict = VERDICT_ALLOW, .fault = TRIAL_OPEN, .field = GIVEN_DST, .text = "part" },
	{ .claim = "an address that is written may", .proto = PROTO_SCTP, .src = OUTSIDE, .dst = "192.0.2.1", .dport = 9,
	  .flags = -1, .zone = 0, .verdict = VERDICT_ALLOW, .by = "part" },
	{ .claim = "and is not self", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "192.0.2.1", .dport = 80, .flags = SYN,
	  .zone = 0, .verdict = VERDICT_DROP, .by = "default" },
	{ .claim = "forward has its own rules", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "192.0.2.1", .flags = SYN,
	  .zone = 0, .direction = DIRECTION_FORWARD, .verdict = VERDICT_REJECT, .by = "to_lan" },
	{ .claim = "ten at once are within", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80, .flags = SYN,
	  .zone = 0, .times = 10, .verdict = VERDICT_ALLOW, .by = "web" },
	{ .claim = "the eleventh is over", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80, .flags = SYN,
	  .zone = 0, .times = 11, .last = true, .within_ns = 100000000, .verdict = VERDICT_DROP, .by = "flood" },
	{ .claim = "and all are asked unless `last`", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80,
	  .flags = SYN, .zone = 0, .times = 11, .verdict = VERDICT_ALLOW, .fault = TRIAL_VERDICT, .text = "flood" },
	{ .claim = "the twelfth is blocked", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80, .flags = SYN,
	  .zone = 0, .times = 12, .last = true, .verdict = VERDICT_DROP, .by = "blocked" },
	{ .claim = "many without flags: they may have been over", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self",
	  .dport = 80, .flags = -1, .zone = 0, .times = 11, .last = true, .verdict = VERDICT_ALLOW, .fault = TRIAL_OPEN,
	  .field = GIVEN_FLAGS, .text = "flood" },
	{ .claim = "and then blocked", .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80, .flags = -1,
	  .zone = 0, .times = 12, .last = true, .verdict = VERDICT_ALLOW, .fault = TRIAL_OPEN, .field = GIVEN_FLAGS,
	  .text = "blocked" },
};

static void test_rows(struct arena *a)
{
	const struct ir *ir = edge(a);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pol_case c = case_of(&rows[i]);
		struct pol_test test = { .name = rows[i].claim, .cases = &c, .case_count = 1 };
		struct trial t;

		trial_run(&t, ir, &test, a);
		const struct trial_finding *f = &t.findings[0];
		const char *text = f->fault == TRIAL_OPEN ? f->asks_why : f->got.why;
		if (!tap_ok(f->fault == rows[i].fault && f->field == rows[i].field &&
				    t.failed == (f->fault != TRIAL_HELD) &&
				    (!rows[i].text || !strcmp(text, rows[i].text)),
			    "%s", rows[i].claim))
			tap_note("fault %d field %s by %s, got %s by %s", f->fault, trial_field_name(f->field),
				 f->asks_why ? f->asks_why : "-", verdict_name(f->got.verdict), f->got.why);
	}
}

static void test_time(struct arena *a)
{
	const struct ir *ir = edge(a);
	struct row ten = { .proto = PROTO_TCP, .src = OUTSIDE, .dst = "self", .dport = 80, .flags = SYN,
			   .times = 10, .within_ns = 100000000, .verdict = VERDICT_ALLOW };
	struct pol_case c[] = { case_of(&ten), case_of(&ten), case_of(&ten) };
	struct pol_test test = { .name = "time", .cases = c, .case_count = 3 };
	struct trial t;

	trial_run(&t, ir, &test, a);
	tap_num(t.failed, 0, "ten in 100ms, three times one after the other, are within 10 per 100ms");
	c[1].within_ns = 99999999;
	trial_run(&t, ir, &test, a);
	tap_ok(t.failed == 1 && t.findings[2].fault == TRIAL_VERDICT && t.findings[2].packet == 10,
	       "a nanosecond less and the thirtieth is over");
	trial_run(&t, ir, &test, a);
	tap_ok(t.failed == 1, "a test begins afresh");
}

/*
 * Law: a case that holds holds for every value of what it leaves out. Generated
 * packets lose fields; when the trial does not call the case open, any other
 * packet with the same given fields must have the same verdict.
 */
static unsigned forget(struct gen *g)
{
	static const unsigned fields[] = { GIVEN_SPORT, GIVEN_DPORT, GIVEN_FLAGS, GIVEN_ICMP, GIVEN_ZONE, GIVEN_SRC, GIVEN_DST };
	unsigned given = ALL_GIVEN;

	for (unsigned n = 1 + gen_below(g, 3); n; n--)
		given &= ~fields[gen_below(g, ARRAY_LEN(fields))];
	return given;
}

static struct packet refill(struct packet p, const struct packet *other, unsigned given)
{
	bool icmp = p.proto == (p.family == FAMILY_IP4 ? PROTO_ICMP : PROTO_ICMPV6);

	if (!(given & GIVEN_SRC) && other->family == p.family)
		p.src = other->src;
	if (!(given & GIVEN_DST) && other->family == p.family)
		p.dst = other->dst;
	if (!(given & GIVEN_SPORT) && proto_has_ports(p.proto))
		p.sport = other->sport;
	if (!(given & GIVEN_DPORT) && proto_has_ports(p.proto))
		p.dport = other->dport;
	if (!(given & GIVEN_FLAGS) && p.proto == PROTO_TCP)
		p.flags = other->flags;
	if (!(given & GIVEN_ICMP) && icmp)
		p.icmp = other->icmp;
	if (!(given & GIVEN_ZONE) && other->zone != ZONE_NONE)
		p.zone = other->zone;
	unsigned type = p.icmp >> 8;
	p.hop_limit = p.proto == PROTO_ICMPV6 && type >= 133 && type <= 136 ? 255 : 64;
	if (p.proto == PROTO_ICMPV6 && icmpv6_is_listener(type))
		p.hop_limit = 1;
	return p;
}

static struct pol_packet asked(const struct packet *p, unsigned given)
{
	return (struct pol_packet){
		.given = given, .proto = p->proto, .family = p->family, .src = p->src, .dst = p->dst,
		.sport = p->sport, .dport = p->dport, .flags = p->flags, .icmp = p->icmp, .zone = p->zone,
		.direction = p->direction, .state = p->state, .reply = p->reply,
	};
}

static void test_law(void)
{
	unsigned long held = 0, open = 0, tried = 0;
	bool sound = true;
	char text[256];

	for (uint64_t seed = 1; seed <= 400; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct ir *ir = ir_lower(gen_policy(&g, a, &gen_shape_usual), a);
		struct netset self = { 0 };
		struct gen_aim *aim = gen_aim_at(ir, &self, a);

		for (int i = 0; i < 60; i++) {
			struct packet p = gen_packet(&g, aim);
			unsigned given = forget(&g);

			if (p.zone == ZONE_NONE || p.fragment != FRAGMENT_WHOLE)
				continue;
			struct pol_case c = { .packet = asked(&p, given) };
			struct pol_test test = { .name = "law", .posture = gen_below(&g, (unsigned)ir->posture_count),
						 .cases = &c, .case_count = 1 };
			struct trial t;

			trial_run(&t, ir, &test, a);
			c.verdict = t.findings[0].got.verdict;
			trial_run(&t, ir, &test, a);
			open += t.findings[0].fault == TRIAL_OPEN;
			if (t.findings[0].fault != TRIAL_HELD)
				continue;
			held++;
			for (int k = 0; k < 20; k++) {
				own(moment) struct moment *m = moment_new(ir);
				struct packet other = gen_packet(&g, aim), q = refill(p, &other, given);

				moment_set_posture(m, test.posture);
				tried++;
				if (eval_packet(m, &q).verdict == c.verdict)
					continue;
				sound = false;
				tap_note("seed %lu given %x: %s", seed, given, gen_packet_text(&q, text));
			}
		}
	}
	tap_ok(sound && held > 2000 && open > 1000,
	       "what holds does so for every value left out (%lu held, %lu open, %lu tried)", held, open, tried);
}

/*
 * The same over time: packets with open fields come first and may or may not
 * take tokens or place blocks; what the trial then says of a packet of their
 * source must hold in each of these histories.
 */
static void test_law_of_state(void)
{
	unsigned long held = 0, open = 0, over = 0;
	bool sound = true;
	char text[256];

	for (uint64_t seed = 1; seed <= 12000; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct ir *ir = ir_lower(gen_policy(&g, a, &gen_shape_usual), a);
		struct netset self = { 0 };
		struct gen_aim *aim = gen_aim_at(ir, &self, a);
		struct packet first = gen_packet(&g, aim), second = first;
		unsigned given = forget(&g) | GIVEN_SRC, times = 1 + gen_below(&g, 12);

		if (first.zone == ZONE_NONE || first.fragment != FRAGMENT_WHOLE || !ir->reflexes.count)
			continue;
		first.direction = second.direction = DIRECTION_IN;
		second.dport = gen_chance(&g, 50) ? first.dport : (uint16_t)(first.dport + 1);
		second = refill(second, &first, ALL_GIVEN);
		struct pol_case c[] = {
			{ .packet = asked(&first, given), .times = times, .last = true },
			{ .packet = asked(&second, ALL_GIVEN) },
		};
		struct pol_test test = { .name = "state", .posture = ir->initial, .cases = c, .case_count = 2 };
		struct trial t;

		trial_run(&t, ir, &test, a);
		c[1].verdict = t.findings[1].got.verdict;
		trial_run(&t, ir, &test, a);
		open += t.findings[1].fault == TRIAL_OPEN;
		if (t.findings[1].fault != TRIAL_HELD)
			continue;
		held++;
		over += t.findings[1].got.layer == LAYER_REFLEX || t.findings[1].got.layer == LAYER_BLOCK;
		for (int k = 0; k < 30; k++) {
			own(moment) struct moment *m = moment_new(ir);
			struct packet other = gen_packet(&g, aim);

			for (unsigned i = 0; i < times; i++) {
				if (k % 2)
					other = gen_packet(&g, aim);
				struct packet q = refill(first, &other, given);
				eval_packet(m, &q);
			}
			if (eval_packet(m, &second).verdict == c[1].verdict)
				continue;
			sound = false;
			tap_note("seed %lu given %x times %u: %s", seed, given, times, gen_packet_text(&second, text));
		}
	}
	tap_ok(sound && held > 2000 && open > 40 && over > 400,
	       "and in every history of them (%lu held, %lu by reflex or block, %lu open)", held, over, open);
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	test_rows(a);
	test_time(a);
	test_law();
	test_law_of_state();
	return tap_done();
}
