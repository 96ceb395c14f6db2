/*
 * Networks blocked at run time, of drawn lengths, some within others: what XDP and TC drop is what a plain search finds. While no
 * network is blocked, when some are over, and when some are taken back.
 *
 *     tests/same/nets [SEED]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "enforcer/hook/block_table.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define NOW   UINT64_C(5000000000)
#define NETS  400
#define ASKED 4000

static struct plan_counter counters[] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "lifeline.ssh" } };
static struct teg_box boxes[] = {
	{ .zones = ~0ull, .dport_lo = 22, .dport_hi = 22, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_TCP, .families = 3,
	  .fragments = TEG_WHOLE | TEG_FIRST },
};
static struct teg_rule rules[] = { { .counter_slot = 2, .act = TEG_ACT_PASS, .one_in = 1 } };
static const struct plan plan = {
	.policy = "nets", .counters = counters, .counter_count = ARRAY_LEN(counters), .posture_count = 1,
	.boxes = boxes, .box_count = 1, .rules = rules, .rule_count = 1,
	.config = { .abi = TEG_ABI_VERSION, .lifeline_boxes = 1, .box_count = 1, .rule_count = 1, .neighbour_slot = 0, .blocked_slot = 1 },
};

struct net {
	struct prefix is;
	uint64_t until;
};

static struct net nets[NETS];

static bool is_blocked(struct addr a, uint64_t now)
{
	for (size_t i = 0; i < NETS; i++) {
		const struct addr_range r = prefix_range(nets[i].is);

		if (nets[i].until > now && nets[i].is.addr.family == a.family && r.lo <= a.num && a.num <= r.hi)
			return true;
	}
	return false;
}

/* Few first bits, so that networks lie in each other, and most packets near to one. */
static struct addr near(struct gen *g)
{
	struct addr a = { gen_below(g, 2) ? FAMILY_IP6 : FAMILY_IP4, 0 };
	const addr_num some = (addr_num)gen_below(g, 1u << 31) << 33 | gen_below(g, 1u << 31);

	if (a.family == FAMILY_IP4)
		a.num = (uint32_t)(0xc6000000u | (uint32_t)some >> gen_below(g, 20) % 20);
	else
		a.num = (addr_num)0x2001 << 112 | (some << 48) >> gen_below(g, 40) % 40;
	return a;
}

/* Of one family and length together there are few of 24 lengths. */
static struct net draw_net(struct gen *g, uint64_t until)
{
	struct prefix p = { near(g), 0 };

	p.len = p.addr.family == FAMILY_IP4 ? 8 + (unsigned)gen_below(g, 24) : 17 + 2 * (unsigned)gen_below(g, 24);
	if (!gen_below(g, 40))
		p.len = p.addr.family == FAMILY_IP4 ? 32 : 64;
	p.addr.num &= ~prefix_range((struct prefix){ { p.addr.family, 0 }, p.len }).hi;
	return (struct net){ p, until };
}

static bool same(struct prefix a, struct prefix b)
{
	return a.len == b.len && a.addr.family == b.addr.family && a.addr.num == b.addr.num;
}

static void draw_nets(struct xdp_run *x, struct gen *g)
{
	for (size_t i = 0; i < NETS; i++) {
		bool again = true;

		while (again) {
			nets[i] = draw_net(g, NOW + 1000 + 1000 * (i % 2));
			again = false;
			for (size_t k = 0; k < i; k++)
				again = again || same(nets[i].is, nets[k].is);
		}
		xdp_run_block_nets(x, &nets[i].is, 1, nets[i].until);
	}
}

static bool passes(struct xdp_run *x, enum teg_hook hook, struct addr src, uint16_t dport)
{
	struct packet p = { .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .sport = 40000, .dport = dport, .flags = 0x02,
			    .family = src.family, .src = src };
	uint8_t frame[256];

	addr_parse(src.family == FAMILY_IP4 ? "192.0.2.1" : "2001:db8::1", &p.dst);
	xdp_run_ask(x, hook);
	return xdp_run_frame(x, frame, frame_build(&p, "", 0, frame, sizeof frame)) == XDP_PASS;
}

static void ask(struct xdp_run *x, struct gen *g, uint64_t now, const char *when)
{
	unsigned wrong = 0, blocked = 0, lifeline = 0;

	xdp_run_at(x, 1, 0, now);
	for (unsigned i = 0; i < ASKED; i++) {
		struct addr a = near(g);

		if (!gen_below(g, 4)) /* the first of a network, its last, or what is beside it */
			a = nets[gen_below(g, NETS)].is.addr;
		a.num += gen_below(g, 3);
		a.num -= gen_below(g, 3);
		if (a.family == FAMILY_IP4)
			a.num = (uint32_t)a.num;
		const bool should = is_blocked(a, now);
		const bool xdp = passes(x, TEG_HOOK_XDP, a, 443), tc = passes(x, TEG_HOOK_TC, a, 443);
		char text[ADDR_TEXT];

		blocked += should;
		lifeline += !(i % 16) && !passes(x, TEG_HOOK_XDP, a, 22);
		if ((xdp == should || tc == should) && !wrong++)
			tap_note("%s: %s, XDP %s it, TC %s", addr_print(a, text), should ? "blocked" : "not blocked", xdp ? "passes" : "drops",
				 tc ? "passes" : "drops");
	}
	tap_ok(!wrong, "%s: of %u sources, %u blocked, XDP or TC see %u otherwise than a plain search", when, ASKED, blocked, wrong);
	tap_ok(!lifeline, "%s: a lifeline admits them all the same", when);
}

/* False when no program could be loaded. */
static bool in_turn(uint64_t seed, const char *loops)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };
	struct gen g = gen_new(seed);
	int rc = xdp_run_new(&x, &plan, XDP_RUN_GIVEN_CLOCK, &why);

	memset(nets, 0, sizeof nets);
	if (rc == -EPERM) {
		tap_skip("BPF is not allowed here", "networks are blocked in XDP and in TC");
		return false;
	}
	if (!tap_ok(!rc && !xdp_run_join(x, TEG_HOOK_TC, &plan, &why), "XDP and TC load, with loops %s: %s", loops, why.text))
		return false;
	ask(x, &g, NOW, "none is blocked");
	draw_nets(x, &g);
	ask(x, &g, NOW, "all are");
	ask(x, &g, NOW + 1000, "half of them are over");
	for (size_t i = 1; i < NETS; i += 4) {
		xdp_run_block_nets(x, &nets[i].is, 1, 0);
		nets[i].until = 0;
	}
	ask(x, &g, NOW + 1000, "half of the others are taken back");
	ask(x, &g, NOW + 2000, "all are over");
	return true;
}

int main(int argc, char **argv)
{
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;

	if (!in_turn(seed, tables_kernel_ends_loops() ? "that the kernel ends" : "of a known end") || !tables_kernel_ends_loops())
		return tap_done();
	xdp_run_loops(TABLES_LOOPS_COUNTED);
	in_turn(seed, "of a known end");
	return tap_done();
}
