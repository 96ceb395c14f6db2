/* eval: the order of judgement, what is always admitted, and time; docs/semantics.md is the text. */
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define WAN 0u
#define LAN 1u
#define SYN 0x02
#define ACK 0x10

enum { OPEN, SHUT, CLOSED, RECHECK, CUT };

static struct pol_selector tcp_port(struct arena *a, uint16_t port)
{
	struct pol_selector s = craft_select(a, PROTO_TCP);

	s.protos[0].dport = ranges_of(a, port, port);
	return s;
}

/* The policy that most rows below ask. */
static struct ir *edge(struct arena *a)
{
	struct policy *p = craft_policy(a, "edge");
	struct pol_selector ssh = tcp_port(a, 22), web = tcp_port(a, 80), syn = craft_select(a, PROTO_TCP);

	ssh.from = craft_end(a, "203.0.113.0/24 2001:db8:10::/48");
	ssh.to = craft_end(a, "self");
	craft_lifeline(p, "ssh", ssh);
	craft_block(p, "bogons", "10.0.0.0/8 203.0.113.66", 1ull << WAN);

	syn.protos[0].flags_mask = SYN | ACK;
	syn.protos[0].flags_want = SYN;
	syn.zones = 1ull << WAN;
	struct pol_reflex *flood = craft_reflex(p, "syn_flood", syn);
	flood->has_rate = true;
	flood->rate = (struct pol_rate){ .count = 3, .window_ns = 1000000000, .key_bits = { 32, 64 } };
	flood->block_ns = 60000000000;
	struct pol_reflex *xmas = craft_reflex(p, "xmas", craft_select(a, PROTO_TCP));
	xmas->match.protos[0].flags_mask = xmas->match.protos[0].flags_want = 0x29;
	xmas->except = 1ull << RECHECK;

	web.to = craft_end(a, "self");
	struct pol_posture open = craft_posture("OPEN", VERDICT_DROP), shut = open, closed = open,
			   recheck = open, cut = open;
	craft_rule(a, &open, "web_in", DIRECTION_IN, VERDICT_ALLOW, web);
	craft_rule(a, &open, "no_smtp", DIRECTION_FORWARD, VERDICT_REJECT, tcp_port(a, 25));
	open.defaults[DIRECTION_FORWARD] = open.defaults[DIRECTION_OUT] = VERDICT_ALLOW;
	shut.name = "SHUT";
	closed.name = "CLOSED";
	closed.established = ESTABLISHED_CUT;
	recheck.name = "RECHECK";
	recheck.established = ESTABLISHED_RECHECK;
	craft_rule(a, &recheck, "web_in", DIRECTION_IN, VERDICT_ALLOW, web);
	cut.name = "CUT";
	cut.established = ESTABLISHED_CUT;
	craft_rule(a, &cut, "web_in", DIRECTION_IN, VERDICT_ALLOW, web);
	craft_add_posture(p, open);
	craft_add_posture(p, shut);
	craft_add_posture(p, closed);
	craft_add_posture(p, recheck);
	craft_add_posture(p, cut);
	return ir_lower(p, a);
}

#define ICMP(type, code) ((type) << 8 | (code))

static const struct {
	const char *claim;
	unsigned posture;
	struct {
		uint8_t proto;
		const char *src;
		unsigned sport;
		const char *dst;
		unsigned dport;
		uint8_t flags;
		unsigned zone;
		enum direction direction;
		enum ct_state state;
		bool reply;
		uint16_t icmp;
		uint8_t hop_limit, fragment;
	} p;
	enum verdict verdict;
	const char *why;
} rows[] = {
	{ "a rule allows", OPEN,
	  { PROTO_TCP, "198.51.100.20", 40000, "192.0.2.1", 80, .flags = SYN },
	  VERDICT_ALLOW, "web_in" },
	{ "over IPv6 as well", OPEN,
	  { PROTO_TCP, "2001:db8:2::1", 40000, "2001:db8::1", 80, .flags = SYN },
	  VERDICT_ALLOW, "web_in" },
	{ "the port beside does not", OPEN,
	  { PROTO_TCP, "198.51.100.20", 40000, "192.0.2.1", 81, .flags = SYN },
	  VERDICT_DROP, "default" },
	{ "self is this host only", OPEN,
	  { PROTO_TCP, "198.51.100.20", 40000, "192.0.2.2", 80, .flags = SYN },
	  VERDICT_DROP, "default" },
	{ "udp is not tcp", OPEN,
	  { PROTO_UDP, "198.51.100.20", 40000, "192.0.2.1", 80, .zone = WAN },
	  VERDICT_DROP, "default" },
	{ "a later fragment has no port", OPEN,
	  { PROTO_TCP, "198.51.100.20", 0, "192.0.2.1", 0, .fragment = FRAGMENT_LATER },
	  VERDICT_DROP, "default" },
	{ "a first fragment has", OPEN,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .fragment = FRAGMENT_FIRST },
	  VERDICT_ALLOW, "web_in" },
	{ "each direction has its own list", OPEN,
	  { PROTO_TCP, "198.51.100.20", 40000, "192.0.2.9", 25, .flags = SYN, .zone = WAN, .direction = DIRECTION_FORWARD },
	  VERDICT_REJECT, "no_smtp" },
	{ "and its own default", OPEN,
	  { PROTO_TCP, "192.0.2.1", 40000, "198.51.100.20", 25, .flags = SYN, .zone = WAN, .direction = DIRECTION_OUT },
	  VERDICT_ALLOW, "default" },

	{ "lifeline", OPEN,
	  { PROTO_TCP, "203.0.113.9", 50000, "192.0.2.1", 22, .flags = SYN },
	  VERDICT_ALLOW, "lifeline" },
	{ "lifeline in a closed posture", CLOSED,
	  { PROTO_TCP, "203.0.113.9", 50000, "192.0.2.1", 22, .flags = SYN },
	  VERDICT_ALLOW, "lifeline" },
	{ "lifeline of a blocked source", SHUT,
	  { PROTO_TCP, "203.0.113.66", 50000, "192.0.2.1", 22, .flags = SYN },
	  VERDICT_ALLOW, "lifeline" },
	{ "lifeline with state invalid", SHUT,
	  { PROTO_TCP, "203.0.113.9", 50000, "192.0.2.1", 22, .flags = ACK, .state = CT_INVALID },
	  VERDICT_ALLOW, "lifeline" },
	{ "lifeline with xmas flags outranks reflexes", SHUT,
	  { PROTO_TCP, "203.0.113.9", 50000, "192.0.2.1", 22, .flags = 0x29 },
	  VERDICT_ALLOW, "lifeline" },
	{ "a lifeline's answer leaves", CLOSED,
	  { PROTO_TCP, "192.0.2.1", 22, "203.0.113.9", 50000, .flags = SYN | ACK, .zone = WAN, .direction = DIRECTION_OUT, .state = CT_INVALID },
	  VERDICT_ALLOW, "lifeline" },
	{ "but not from another port", CLOSED,
	  { PROTO_TCP, "192.0.2.1", 23, "203.0.113.9", 50000, .flags = SYN | ACK, .zone = WAN, .direction = DIRECTION_OUT },
	  VERDICT_DROP, "default" },
	{ "nor in the asking direction", CLOSED,
	  { PROTO_TCP, "203.0.113.9", 50000, "192.0.2.1", 22, .flags = SYN, .zone = WAN, .direction = DIRECTION_OUT },
	  VERDICT_DROP, "default" },
	{ "an answer does not come in", SHUT,
	  { PROTO_TCP, "192.0.2.1", 22, "203.0.113.9", 50000, .flags = SYN | ACK, .zone = WAN, .direction = DIRECTION_IN },
	  VERDICT_DROP, "default" },
	{ "a lifeline does not forward", SHUT,
	  { PROTO_TCP, "203.0.113.9", 50000, "192.0.2.1", 22, .flags = SYN, .zone = WAN, .direction = DIRECTION_FORWARD },
	  VERDICT_DROP, "default" },
	{ "yet a forwarded packet in its box passes the first hook", OPEN,
	  { PROTO_TCP, "203.0.113.66", 50000, "192.0.2.1", 22, .flags = SYN, .zone = WAN, .direction = DIRECTION_FORWARD },
	  VERDICT_ALLOW, "default" },

	{ "block", OPEN,
	  { PROTO_TCP, "10.1.2.3", 40000, "192.0.2.1", 80, .flags = SYN }, VERDICT_DROP, "bogons" },
	{ "block on its zone only", OPEN,
	  { PROTO_TCP, "10.1.2.3", 40000, "192.0.2.1", 80, .flags = SYN, .zone = LAN },
	  VERDICT_ALLOW, "web_in" },
	{ "block asks the source", OPEN,
	  { PROTO_TCP, "192.0.2.9", 40000, "10.1.2.3", 80, .flags = SYN }, VERDICT_DROP, "default" },
	{ "block does not judge what leaves", OPEN,
	  { PROTO_TCP, "10.1.2.3", 40000, "192.0.2.9", 80, .flags = SYN, .zone = WAN, .direction = DIRECTION_OUT },
	  VERDICT_ALLOW, "default" },
	{ "block judges what is forwarded", OPEN,
	  { PROTO_TCP, "10.1.2.3", 40000, "192.0.2.9", 80, .flags = SYN, .zone = WAN, .direction = DIRECTION_FORWARD },
	  VERDICT_DROP, "bogons" },
	{ "block of a later fragment", OPEN,
	  { PROTO_TCP, "10.1.2.3", 0, "192.0.2.1", 0, .fragment = FRAGMENT_LATER },
	  VERDICT_DROP, "bogons" },
	{ "established flows are blocked too", OPEN,
	  { PROTO_TCP, "10.1.2.3", 40000, "192.0.2.1", 80, .flags = ACK, .state = CT_ESTABLISHED },
	  VERDICT_DROP, "bogons" },
	{ "an interface of no zone has no first hook", OPEN,
	  { PROTO_TCP, "192.0.2.77", 40000, "192.0.2.1", 80, .flags = 0x29, .zone = ZONE_NONE },
	  VERDICT_ALLOW, "web_in" },
	{ "but the posture", SHUT,
	  { PROTO_TCP, "192.0.2.77", 40000, "192.0.2.1", 80, .flags = SYN, .zone = ZONE_NONE },
	  VERDICT_DROP, "default" },

	{ "reflex without a rate", OPEN,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .flags = 0x29 }, VERDICT_DROP, "xmas" },
	{ "other flags too do not save it", OPEN,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .flags = 0x3b }, VERDICT_DROP, "xmas" },
	{ "one flag short", OPEN,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .flags = 0x21 },
	  VERDICT_ALLOW, "web_in" },
	{ "except in a posture", RECHECK,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .flags = 0x29 },
	  VERDICT_ALLOW, "web_in" },

	{ "invalid", OPEN,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .flags = ACK, .state = CT_INVALID },
	  VERDICT_DROP, "invalid" },
	{ "invalid, even where the default allows", OPEN,
	  { PROTO_TCP, "192.0.2.1", 1, "198.51.100.20", 80, .flags = ACK, .zone = WAN, .direction = DIRECTION_OUT, .state = CT_INVALID },
	  VERDICT_DROP, "invalid" },
	{ "untracked is judged by the rules", OPEN,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .flags = ACK, .state = CT_UNTRACKED },
	  VERDICT_ALLOW, "web_in" },
	{ "keep: established", SHUT,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 9, .flags = ACK, .state = CT_ESTABLISHED },
	  VERDICT_ALLOW, "established" },
	{ "keep: related", SHUT,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 9, .flags = ACK, .state = CT_RELATED },
	  VERDICT_ALLOW, "related" },
	{ "recheck: established is judged again", RECHECK,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 9, .flags = ACK, .state = CT_ESTABLISHED },
	  VERDICT_DROP, "default" },
	{ "recheck: and may pass", RECHECK,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80, .flags = ACK, .state = CT_ESTABLISHED },
	  VERDICT_ALLOW, "web_in" },
	{ "recheck: a reply passes", RECHECK,
	  { PROTO_TCP, "198.51.100.20", 80, "192.0.2.1", 9, .flags = ACK, .state = CT_ESTABLISHED, .reply = true },
	  VERDICT_ALLOW, "established" },
	{ "recheck: related passes", RECHECK,
	  { PROTO_UDP, "198.51.100.20", 80, "192.0.2.1", 9, .state = CT_RELATED },
	  VERDICT_ALLOW, "related" },
	{ "cut: as recheck", CUT,
	  { PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 9, .flags = ACK, .state = CT_ESTABLISHED },
	  VERDICT_DROP, "default" },
	{ "cut: a reply passes", CUT,
	  { PROTO_TCP, "198.51.100.20", 80, "192.0.2.1", 9, .flags = ACK, .state = CT_ESTABLISHED, .reply = true },
	  VERDICT_ALLOW, "established" },
	{ "closed: no reply", CLOSED,
	  { PROTO_TCP, "198.51.100.20", 80, "192.0.2.1", 9, .flags = ACK, .state = CT_ESTABLISHED, .reply = true },
	  VERDICT_DROP, "default" },
	{ "closed: related only as an ICMP error", CLOSED,
	  { PROTO_ICMP, "198.51.100.20", 0, "192.0.2.1", 0, .icmp = ICMP(3, 4), .state = CT_RELATED },
	  VERDICT_ALLOW, "related" },
	{ "closed: an ICMP error of ICMPv6", CLOSED,
	  { PROTO_ICMPV6, "2001:db8:2::1", 0, "2001:db8::1", 0, .icmp = ICMP(2, 0), .state = CT_RELATED },
	  VERDICT_ALLOW, "related" },
	{ "closed: not as anything else", CLOSED,
	  { PROTO_TCP, "198.51.100.20", 20, "192.0.2.1", 9, .flags = SYN, .state = CT_RELATED },
	  VERDICT_DROP, "default" },
	{ "closed: not an echo", CLOSED,
	  { PROTO_ICMP, "198.51.100.20", 0, "192.0.2.1", 0, .icmp = ICMP(8, 0), .state = CT_RELATED },
	  VERDICT_DROP, "default" },

	{ "neighbour solicitation", CLOSED,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1:ff00:1", 0, .icmp = ICMP(135, 0), .hop_limit = 255 },
	  VERDICT_ALLOW, "neighbour" },
	{ "neighbour advertisement, leaving, untracked", CLOSED,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0, .zone = LAN, .direction = DIRECTION_OUT, .state = CT_UNTRACKED, .icmp = ICMP(136, 0), .hop_limit = 255 },
	  VERDICT_ALLOW, "neighbour" },
	{ "one that was routed is none", SHUT,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0, .icmp = ICMP(135, 0), .hop_limit = 254 },
	  VERDICT_DROP, "default" },
	{ "nor one with a code", SHUT,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0, .icmp = ICMP(135, 1), .hop_limit = 255 },
	  VERDICT_DROP, "default" },
	{ "redirect is none", SHUT,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0, .icmp = ICMP(137, 0), .hop_limit = 255 },
	  VERDICT_DROP, "default" },
	{ "MLD report", CLOSED,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::16", 0, .icmp = ICMP(143, 0), .hop_limit = 1 },
	  VERDICT_ALLOW, "neighbour" },
	{ "MLD query", CLOSED,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0, .icmp = ICMP(130, 0), .hop_limit = 1 },
	  VERDICT_ALLOW, "neighbour" },
	{ "MLD report of a host without an address", CLOSED,
	  { PROTO_ICMPV6, "::", 0, "ff02::16", 0, .icmp = ICMP(143, 0), .hop_limit = 1 },
	  VERDICT_ALLOW, "neighbour" },
	{ "so a report of the first version", CLOSED,
	  { PROTO_ICMPV6, "::", 0, "ff02::16", 0, .icmp = ICMP(131, 0), .hop_limit = 1 },
	  VERDICT_ALLOW, "neighbour" },
	{ "but no query", SHUT,
	  { PROTO_ICMPV6, "::", 0, "ff02::1", 0, .icmp = ICMP(130, 0), .hop_limit = 1 },
	  VERDICT_DROP, "default" },
	{ "nor a listener who is done", SHUT,
	  { PROTO_ICMPV6, "::", 0, "ff02::2", 0, .icmp = ICMP(132, 0), .hop_limit = 1 },
	  VERDICT_DROP, "default" },
	{ "the last link-local source", CLOSED,
	  { PROTO_ICMPV6, "febf:ffff::1", 0, "ff02::1", 0, .icmp = ICMP(130, 0), .hop_limit = 1 },
	  VERDICT_ALLOW, "neighbour" },
	{ "the first that is none", SHUT,
	  { PROTO_ICMPV6, "fec0::", 0, "ff02::1", 0, .icmp = ICMP(130, 0), .hop_limit = 1 },
	  VERDICT_DROP, "default" },
	{ "MLD from a global address is none", SHUT,
	  { PROTO_ICMPV6, "2001:db8:2::1", 0, "ff02::16", 0, .icmp = ICMP(143, 0), .hop_limit = 1 },
	  VERDICT_DROP, "default" },
	{ "MLD that may have been routed is none", SHUT,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::16", 0, .icmp = ICMP(143, 0), .hop_limit = 255 },
	  VERDICT_DROP, "default" },
	{ "not in forward", SHUT,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0, .zone = WAN, .direction = DIRECTION_FORWARD, .icmp = ICMP(135, 0), .hop_limit = 255 },
	  VERDICT_DROP, "default" },
	{ "type 135 of ICMP is none", SHUT,
	  { PROTO_ICMP, "198.51.100.20", 0, "192.0.2.1", 0, .icmp = ICMP(135, 0), .hop_limit = 255 },
	  VERDICT_DROP, "default" },
	{ "a later fragment is none", SHUT,
	  { PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0, .fragment = FRAGMENT_LATER, .hop_limit = 255 },
	  VERDICT_DROP, "default" },
};

static struct packet row_packet(size_t i)
{
	struct packet p = craft_packet(rows[i].p.proto, rows[i].p.src, rows[i].p.sport, rows[i].p.dst,
				       rows[i].p.dport);

	p.flags = rows[i].p.flags;
	p.zone = rows[i].p.zone;
	p.direction = rows[i].p.direction;
	p.state = rows[i].p.state;
	p.reply = rows[i].p.reply;
	p.icmp = rows[i].p.icmp;
	p.hop_limit = rows[i].p.hop_limit ? rows[i].p.hop_limit : 64;
	p.fragment = rows[i].p.fragment ? rows[i].p.fragment : FRAGMENT_WHOLE;
	return p;
}

static struct netset own_addresses(struct arena *a)
{
	return craft_set(a, "192.0.2.1 2001:db8::1");
}

static void test_rows(struct arena *a)
{
	const struct ir *ir = edge(a);
	struct netset self = own_addresses(a);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(moment) struct moment *m = moment_new(ir);
		struct packet p = row_packet(i);

		moment_set_self(m, &self);
		moment_set_posture(m, rows[i].posture);
		struct outcome o = eval_packet(m, &p);
		if (!tap_ok(o.verdict == rows[i].verdict && !strcmp(o.why, rows[i].why), "%s",
			    rows[i].claim))
			tap_note("expected %s by %s, got %s by %s", verdict_name(rows[i].verdict),
				 rows[i].why, verdict_name(o.verdict), o.why);
	}
}

/* Three a second from each source, then over; over blocks for a minute. */
static void test_rate(struct arena *a)
{
	own(moment) struct moment *m = moment_new(edge(a));
	struct netset self = own_addresses(a);
	struct packet syn = craft_packet(PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80);
	struct packet other = craft_packet(PROTO_TCP, "198.51.100.21", 1, "192.0.2.1", 80);
	struct packet ack = syn;

	moment_set_self(m, &self);
	syn.flags = other.flags = SYN;
	ack.flags = ACK;
	for (int i = 0; i < 5; i++)
		tap_text(eval_packet(m, &ack).why, "web_in", "what the reflex does not match takes no token");
	for (int i = 0; i < 3; i++)
		tap_text(eval_packet(m, &syn).why, "web_in", "within the rate");
	tap_text(eval_packet(m, &other).why, "web_in", "another source has its own bucket");
	tap_text(eval_packet(m, &syn).why, "syn_flood", "the fourth is over");
	tap_text(eval_packet(m, &ack).why, "blocked", "and its source is blocked");
	tap_text(eval_packet(m, &other).why, "web_in", "the other is not");
	moment_set_posture(m, SHUT);
	tap_text(eval_packet(m, &ack).why, "blocked", "in every posture");
	moment_set_posture(m, OPEN);
	moment_pass(m, 59999999999);
	tap_text(eval_packet(m, &ack).why, "blocked", "until the minute is over");
	moment_pass(m, 1);
	tap_text(eval_packet(m, &syn).why, "web_in", "then no more");
}

static void test_refill(struct arena *a)
{
	struct policy *p = craft_policy(a, "refill");
	struct pol_reflex *r = craft_reflex(p, "r", craft_select(a, PROTO_UDP));
	struct packet q = craft_packet(PROTO_UDP, "2001:db8::1", 1, "2001:db8::2", 2);
	struct packet neighbour = craft_packet(PROTO_UDP, "2001:db8::ffff:1", 1, "2001:db8::2", 2);
	struct packet stranger = craft_packet(PROTO_UDP, "2001:db8:0:1::1", 1, "2001:db8::2", 2);

	r->has_rate = true;
	r->rate = (struct pol_rate){ .count = 2, .window_ns = 1000000000, .key_bits = { 32, 64 } };
	craft_add_posture(p, craft_posture("P", VERDICT_ALLOW));
	own(moment) struct moment *m = moment_new(ir_lower(p, a));

	tap_text(eval_packet(m, &q).why, "default", "a full bucket: one");
	tap_text(eval_packet(m, &neighbour).why, "default", "the same /64: two");
	tap_text(eval_packet(m, &q).why, "r", "the third is over");
	tap_text(eval_packet(m, &stranger).why, "default", "another /64 is not");
	moment_pass(m, 499999999);
	tap_text(eval_packet(m, &q).why, "r", "a nanosecond before a token is back");
	moment_pass(m, 1);
	tap_text(eval_packet(m, &q).why, "default", "what was over took nothing: half a second is one");
	tap_text(eval_packet(m, &q).why, "r", "and no more");
	moment_pass(m, 3600000000000);
	tap_text(eval_packet(m, &q).why, "default", "after an hour: one");
	tap_text(eval_packet(m, &q).why, "default", "two");
	tap_text(eval_packet(m, &q).why, "r", "the bucket holds no more than its depth");
}

/* One token a packet and reflex, however many boxes it lies in; the next reflex is asked when it is within. */
static void test_reflex_order(struct arena *a)
{
	struct policy *p = craft_policy(a, "order");
	struct pol_selector twice = craft_select(a, PROTO_TCP);
	struct pol_proto both[] = { twice.protos[0], twice.protos[0] };
	struct packet q = craft_packet(PROTO_TCP, "192.0.2.9", 1, "192.0.2.1", 2);

	twice.protos = both;
	twice.proto_count = 2;
	struct pol_reflex *first = craft_reflex(p, "first", twice);
	first->has_rate = true;
	first->rate = (struct pol_rate){ .count = 2, .window_ns = 1000000000, .key_bits = { 32, 64 } };
	struct pol_reflex *second = craft_reflex(p, "second", craft_select(a, PROTO_TCP));
	second->has_rate = true;
	second->rate = (struct pol_rate){ .count = 1, .window_ns = 1000000000, .key_bits = { 32, 64 } };
	craft_add_posture(p, craft_posture("P", VERDICT_ALLOW));
	own(moment) struct moment *m = moment_new(ir_lower(p, a));

	tap_text(eval_packet(m, &q).why, "default", "both have a token");
	tap_text(eval_packet(m, &q).why, "second", "two boxes, one token: the first reflex has another");
	tap_text(eval_packet(m, &q).why, "first", "now it is over, and decides first");
}

static void test_lifeline_rule(struct arena *a)
{
	own(moment) struct moment *m = moment_new(edge(a));
	struct netset self = own_addresses(a);
	struct packet p = craft_packet(PROTO_TCP, "203.0.113.9", 1, "192.0.2.1", 22);

	moment_set_self(m, &self);
	struct outcome o = eval_packet(m, &p);
	tap_ok(o.rule && !strcmp(o.rule->id, "lifeline.ssh") && o.layer == LAYER_LIFELINE,
	       "the outcome names which lifeline");
}

static void test_frames(struct arena *a)
{
	struct ir *ir = edge(a);
	own(moment) struct moment *m = moment_new(ir);
	struct netset self = own_addresses(a);
	struct packet p = craft_packet(PROTO_TCP, "198.51.100.20", 1, "192.0.2.1", 80);
	uint8_t frame[128], arp[42] = { [12] = 0x08, [13] = 0x06 };

	moment_set_self(m, &self);
	p.flags = SYN;
	size_t len = frame_build(&p, "x", 1, frame, sizeof frame);
	tap_text(eval_frame(m, frame, len, WAN, DIRECTION_IN).why, "web_in", "a frame is judged as its packet");
	struct outcome o = eval_frame(m, frame, len - 1, WAN, DIRECTION_IN);
	tap_ok(o.verdict == VERDICT_DROP && !strcmp(o.why, "malformed.bad-ip"), "a short one by its cause");
	ir->postures[ir->initial].passes = 1u << CAUSE_BAD_UDP;
	tap_ok(eval_cause(m, CAUSE_BAD_UDP) == VERDICT_ALLOW && eval_cause(m, CAUSE_BAD_TCP) == VERDICT_DROP &&
	       eval_cause(m, CAUSE_NOT_IP) == VERDICT_ALLOW, "a posture says which causes pass");
	o = eval_frame(m, arp, sizeof arp, WAN, DIRECTION_IN);
	tap_ok(o.verdict == VERDICT_ALLOW && !strcmp(o.why, "not-ip"), "ARP passes");
}

/*
 * Laws over generated policies: what the first hook may push down, layer 4
 * drops in every state; lifelines and neighbours pass; nothing is undecided.
 */
static void test_laws(void)
{
	unsigned long judged = 0, pushed = 0, lifelines = 0, whys[3] = { 0 };
	bool sound = true, decided = true, out_skips = true;
	char text[256];

	for (uint64_t seed = 1; seed <= 300; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct ir *ir = ir_lower(gen_policy(&g, a, &gen_shape_usual), a);
		struct netset self = gen_self(&g, a);
		struct gen_aim *aim = gen_aim_at(ir, &self, a);
		own(moment) struct moment *m = moment_new(ir);

		moment_set_self(m, &self);
		for (int i = 0; i < 500; i++) {
			struct packet p = gen_packet(&g, aim);
			moment_set_posture(m, gen_below(&g, (unsigned)ir->posture_count));
			moment_pass(m, gen_below(&g, 1000000000));

			struct outcome first = eval_epiderme(m, &p);
			bool closed = first.verdict == VERDICT_ALLOW &&
				      !strcmp(first.why, WHY_GOES_ON) && eval_closed_drops(m, &p);
			struct outcome o = eval_packet(m, &p);

			judged++;
			whys[o.verdict]++;
			lifelines += o.layer == LAYER_LIFELINE;
			decided &= o.why && *o.why && strcmp(o.why, WHY_GOES_ON);
			pushed += closed && p.direction != DIRECTION_OUT;
			if (closed && p.direction != DIRECTION_OUT && o.verdict != VERDICT_DROP) {
				sound = false;
				tap_note("seed %lu: %s", seed, gen_packet_text(&p, text));
			}
			if (p.direction == DIRECTION_OUT && (o.layer == LAYER_BLOCK || o.layer == LAYER_REFLEX))
				out_skips = false;
		}
	}
	tap_ok(decided, "every one of %lu packets is decided by something that has a name", judged);
	tap_ok(sound && pushed > 100, "what may be pushed down (%lu) is dropped by layer 4 in every state", pushed);
	tap_ok(out_skips, "layers 2 and 3 do not judge what leaves");
	tap_ok(lifelines > judged / 100 && whys[VERDICT_ALLOW] > judged / 5 && whys[VERDICT_DROP] > judged / 5 &&
		       whys[VERDICT_REJECT] > judged / 100,
	       "the generator reaches every verdict (allow %lu, drop %lu, reject %lu, lifelines %lu)",
	       whys[VERDICT_ALLOW], whys[VERDICT_DROP], whys[VERDICT_REJECT], lifelines);
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	test_rows(a);
	test_rate(a);
	test_refill(a);
	test_reflex_order(a);
	test_lifeline_rule(a);
	test_frames(a);
	test_laws();
	return tap_done();
}
