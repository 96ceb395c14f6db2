/* listing: what a bundle holds, word for word. */
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/proto.h"
#include "compiler/report/listing.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

static struct policy *edge(struct arena *a)
{
	struct policy *p = craft_policy(a, "edge");
	struct pol_selector ssh = craft_select(a, PROTO_TCP), syn = craft_select(a, PROTO_TCP),
			    echo = craft_select(a, PROTO_ICMP);
	struct pol_posture open = craft_posture("OPEN", VERDICT_ALLOW), shut = craft_posture("SHUT", VERDICT_DROP);

	p->title = "An edge";
	ssh.from = craft_end(a, "203.0.113.0/24 2001:db8::/48");
	ssh.to = craft_end(a, "self");
	ssh.protos[0].dport = ranges_of(a, 22, 22);
	craft_lifeline(p, "ssh", ssh);
	craft_block(p, "bogons", "10.0.0.0/8 203.0.113.7", 1);
	syn.protos[0].flags_mask = 0x12;
	syn.protos[0].flags_want = 0x02;
	struct pol_reflex *flood = craft_reflex(p, "flood", syn);
	flood->has_rate = true;
	flood->rate = (struct pol_rate){ .count = 1000, .window_ns = 100000000, .key_bits = { 32, 64 } };
	flood->block_ns = 60000000000;
	flood->except = 1;
	echo.protos[0].icmp = ranges_of(a, 8 << 8, 8 << 8 | 255);
	craft_reflex(p, "echo", echo);
	craft_rule(a, &open, "~1f0c93aa", DIRECTION_IN, VERDICT_ALLOW, ssh);
	shut.established = ESTABLISHED_CUT;
	craft_add_posture(p, open);
	craft_add_posture(p, shut);
	return p;
}

static const struct {
	const char *claim, *text;
} said[] = {
	{ "the policy", "policy edge 1.0.0  # An edge\nbundle " },
	{ "its zones", "\nzones\n    wan          eth0\n    lan          eth1 br-*\n" },
	{ "its postures",
	  "\npostures\n    OPEN         established keep, initial\n    SHUT         established cut, closed\n" },
	{ "the first hook's rules and boxes",
	  "\nfirst hook (XDP): 4 rules, 4 boxes, 4 prefixes\n"
	  "    pass lifeline.ssh\n"
	  "        tcp from set0 to self port 22 not-later-fragment\n"
	  "    drop block.bogons\n"
	  "        ip IPv4 from set1 on wan\n"
	  "    drop reflex.flood, what is over: 100000ns a packet of 100000000ns, per source /32 and /64, blocks the "
	  "source for 60000ms, except in OPEN\n"
	  "        tcp flags 0x02/0x12 not-later-fragment\n"
	  "    drop reflex.echo\n"
	  "        icmp IPv4 type 8 not-later-fragment\n"
	  "    drop what goes on to layer 4 in SHUT, but for ICMP errors and later fragments\n" },
	{ "address sets as they were written, though one lies in another",
	  "\naddress sets\n"
	  "    set0   203.0.113.0/24 2001:db8::/48\n"
	  "    set1   10.0.0.0/8 203.0.113.7\n" },
	{ "counters", "    lifeline  allow   neighbour\n" },
	{ "and their names in nft", "    posture   allow   OPEN.~1f0c93aa (OPEN._7e1f0c93aa)\n" },
	{ "layers 1 to 3 for nft", "table netdev tegumentar {" },
	{ "layer 4", "table inet tegumentar {" },
};

static void test_said(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 }, text = { 0 };
	own(bundle) struct bundle *b = NULL;
	struct err why = { 0 };

	if (!tap_ok(!emit_bundle(&bytes, ir_lower(edge(a), a), "policy edge\n", true, &why) &&
			    !bundle_open(&b, bytes.at, bytes.len, &why) && !listing_print(&text, b, &why),
		    "a bundle is listed"))
		tap_note("%s", why.text);
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		if (!tap_ok(strstr(buf_text(&text), said[i].text), "it says: %s", said[i].claim))
			tap_note("in:\n%s", buf_text(&text));
}

static void test_generated(void)
{
	unsigned listed = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf bytes = { 0 }, text = { 0 };
		own(bundle) struct bundle *b = NULL;
		struct gen g = gen_new(seed);
		struct err why = { 0 };

		if (emit_bundle(&bytes, ir_lower(gen_policy(&g, a, &gen_shape_usual), a), "", true, &why) ||
		    bundle_open(&b, bytes.at, bytes.len, &why) || listing_print(&text, b, &why))
			tap_note("seed %lu: %s", seed, why.text);
		else
			listed++;
	}
	tap_num(listed, 40, "and every generated one");
}

int main(void)
{
	test_said();
	test_generated();
	return tap_done();
}
