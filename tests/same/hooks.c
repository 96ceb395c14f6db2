/*
 * One policy in two hooks: what XDP counts, TC goes on counting, and what TC blocks is
 * blocked for XDP. And what only TC sees: segments that were merged.
 */
#include <errno.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define NOW 5000000000ull

/* One block (UDP to port 9) and one reflex: TCP SYN over 4 in a row from a source, which is then blocked. */
static struct plan_counter counters[] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "block.discard" },
					  { .id = "reflex.syn" } };
static struct teg_box boxes[] = {
	{ .zones = 2, .dport_lo = 9, .dport_hi = 9, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_UDP, .rule = 0,
	  .families = 3, .fragments = TEG_WHOLE | TEG_FIRST },
	{ .zones = 2, .dport_hi = 65535, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_TCP, .rule = 1, .families = 3,
	  .fragments = TEG_WHOLE | TEG_FIRST, .flags_mask = 0x02, .flags_want = 0x02 },
};
static struct teg_rule rules[] = {
	{ .counter_slot = 2, .act = TEG_ACT_DROP, .one_in = 1 },
	{ .counter_slot = 3, .act = TEG_ACT_DROP, .cost_ns = 1000000, .depth_ns = 4000000, .key_bits4 = 32, .key_bits6 = 64,
	  .one_in = 1, .block_ns = 1000000000 },
};
static const struct plan plan = {
	.policy = "hooks", .counters = counters, .counter_count = ARRAY_LEN(counters), .posture_count = 1,
	.boxes = boxes, .box_count = ARRAY_LEN(boxes), .rules = rules, .rule_count = ARRAY_LEN(rules),
	.config = { .abi = TEG_ABI_VERSION, .asks = TEG_ASKS_ZONES | TEG_ASKS_CLOCK, .box_count = ARRAY_LEN(boxes),
		    .rule_count = ARRAY_LEN(rules), .neighbour_slot = 0, .blocked_slot = 1 },
};

static size_t packet(uint8_t *frame, size_t room, uint16_t proto, const char *src, uint16_t dport)
{
	struct packet p = { .proto = proto, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .sport = 40000, .dport = dport,
			    .flags = proto == PROTO_TCP ? 0x02 : 0 };

	if (!addr_parse(src, &p.src) || !addr_parse(strchr(src, ':') ? "2001:db8::1" : "192.0.2.1", &p.dst))
		return 0;
	p.family = p.src.family;
	return frame_build(&p, "0123456789", 10, frame, room);
}

static bool passes(struct xdp_run *x, enum teg_hook hook, uint16_t proto, const char *src, uint16_t dport)
{
	uint8_t frame[256];

	xdp_run_ask(x, hook);
	return xdp_run_frame(x, frame, packet(frame, sizeof frame, proto, src, dport)) == XDP_PASS;
}

static void one_policy(struct xdp_run *x)
{
	static const enum teg_hook turns[] = { TEG_HOOK_XDP, TEG_HOOK_TC, TEG_HOOK_TC, TEG_HOOK_XDP };
	unsigned passed = 0;

	tap_ok(!passes(x, TEG_HOOK_XDP, PROTO_UDP, "198.51.100.1", 9) && !passes(x, TEG_HOOK_TC, PROTO_UDP, "198.51.100.1", 9),
	       "both drop what a block drops");
	tap_num(xdp_run_counter(x, 2).packets, 2, "and count it in one counter");
	xdp_run_at(x, 4, 0, NOW);
	tap_ok(passes(x, TEG_HOOK_XDP, PROTO_UDP, "198.51.100.1", 9) && passes(x, TEG_HOOK_TC, PROTO_UDP, "198.51.100.1", 9),
	       "an interface that changes zones does so for both");
	xdp_run_at(x, 2, 0, NOW);
	for (size_t i = 0; i < ARRAY_LEN(turns); i++)
		passed += passes(x, turns[i], PROTO_TCP, "198.51.100.2", 80);
	tap_num(passed, 4, "four tokens of a source are taken in either hook");
	tap_ok(!passes(x, TEG_HOOK_TC, PROTO_TCP, "198.51.100.2", 80), "the fifth packet is over, in TC");
	tap_ok(!passes(x, TEG_HOOK_XDP, PROTO_UDP, "198.51.100.2", 80), "and its source is blocked, in XDP");
	tap_num(xdp_run_counter(x, 1).packets, 1, "which is counted as blocked");
}

static void merged(struct xdp_run *x, const char *src)
{
	uint8_t frame[256];
	const size_t len = packet(frame, sizeof frame, PROTO_UDP, src, 9), at = strchr(src, ':') ? 18 : 16;

	frame[at] = frame[at + 1] = 0;
	xdp_run_ask(x, TEG_HOOK_TC);
	const struct teg_counter before = xdp_run_counter(x, 2);
	xdp_run_frame(x, frame, len);
	tap_ok(xdp_run_counter(x, 2).packets == before.packets, "%s: an IP length of 0 contradicts the frame", src);
	xdp_run_merged(x, 50);
	xdp_run_frame(x, frame, len);
	xdp_run_merged(x, 0);
	tap_ok(xdp_run_counter(x, 2).packets == before.packets + 1, "%s: not where it stands for merged segments", src);
	tap_ok(xdp_run_counter(x, 2).bytes - before.bytes == len - 14, "%s: which count as one packet of their length", src);
}

int main(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };
	int rc = xdp_run_new(&x, &plan, XDP_RUN_GIVEN_CLOCK, &why);

	if (rc == -EPERM) {
		tap_skip("BPF is not allowed here", "one policy in two hooks");
		return tap_done();
	}
	tap_ok(!rc, "the program of XDP loads: %s", why.text);
	tap_ok(!rc && !xdp_run_join(x, TEG_HOOK_TC, &plan, &why), "and that of TC, by the same tables: %s", why.text);
	if (rc || why.code)
		return tap_done();
	xdp_run_at(x, 2, 0, NOW);
	one_policy(x);
	merged(x, "198.51.100.7");
	merged(x, "2001:db8::7");
	return tap_done();
}
