#include "tests/lib/limits.h"

#include <string.h>

#include <linux/bpf.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "tests/lib/tap.h"

static struct plan_counter counters[] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "lifeline.ssh" },
					  { .id = "reflex.syn" } };
static struct teg_box boxes[] = {
	{ .zones = ~0ull, .dst = TEG_SET_SELF, .dport_lo = 22, .dport_hi = 22, .sport_hi = 65535, .icmp_hi = 65535,
	  .proto = PROTO_TCP, .rule = 0, .families = 3, .fragments = TEG_WHOLE | TEG_FIRST },
	{ .zones = ~0ull, .dport_hi = 65535, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_TCP, .rule = 1,
	  .families = 3, .fragments = TEG_WHOLE | TEG_FIRST, .flags_mask = 0x02, .flags_want = 0x02 },
};
static struct teg_rule rules[] = {
	{ .counter_slot = 2, .act = TEG_ACT_PASS, .one_in = 1 },
	{ .counter_slot = 3, .act = TEG_ACT_DROP, .cost_ns = 1000000, .depth_ns = LIMITS_BURST * 1000000ull, .key_bits4 = 32,
	  .key_bits6 = 64, .one_in = 1 },
};
const struct plan limits_plan = {
	.policy = "limits", .counters = counters, .counter_count = ARRAY_LEN(counters), .posture_count = 1,
	.boxes = boxes, .box_count = ARRAY_LEN(boxes), .rules = rules, .rule_count = ARRAY_LEN(rules),
	.config = { .abi = TEG_ABI_VERSION, .asks = TEG_ASKS_DST_SELF | TEG_ASKS_CLOCK, .lifeline_boxes = 1,
		    .box_count = ARRAY_LEN(boxes), .rule_count = ARRAY_LEN(rules), .neighbour_slot = 0,
		    .blocked_slot = 1 },
};

struct teg_rule limits_strict[2] = {
	{ .counter_slot = 2, .act = TEG_ACT_PASS, .one_in = 1 },
	{ .counter_slot = 3, .act = TEG_ACT_DROP, .cost_ns = SECOND, .depth_ns = 10 * SECOND, .block_ns = SECOND / 2,
	  .key_bits4 = 32, .key_bits6 = 64, .one_in = 1 },
};

size_t limits_syn(uint8_t *frame, size_t room, const char *src, unsigned nth, const char *dst, uint16_t dport,
		  size_t payload)
{
	static const uint8_t zeros[9000];
	struct packet p = { .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .sport = 40000,
			    .dport = dport, .flags = 0x02 };

	if (!addr_parse(src, &p.src) || !addr_parse(dst, &p.dst))
		return 0;
	p.family = p.src.family;
	p.src.num += p.family == FAMILY_IP4 ? nth : (addr_num)nth << 64;
	return frame_build(&p, zeros, payload, frame, room);
}

bool limits_passes(struct xdp_run *x, const char *src, unsigned nth)
{
	uint8_t frame[128];

	return xdp_run_frame(x, frame, limits_syn(frame, sizeof frame, src, nth, "192.0.2.1", 443, 0)) == XDP_PASS;
}

unsigned limits_clients(struct xdp_run *x, unsigned each)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < LIMITS_CLIENTS * each; i++)
		passed += limits_passes(x, "81.0.0.0", i % LIMITS_CLIENTS * 65539);
	return passed;
}
