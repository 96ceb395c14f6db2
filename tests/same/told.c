/*
 * What the first hook tells, as the reader of its ring sees it: every byte of a record, one of so
 * many, the bounds of a tick, and a ring without room.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "enforcer/hook/shared.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

enum { NEIGHBOUR, BLOCKED, WATCH, RARE, DROP, COUNTERS };
static struct plan_counter counters[COUNTERS] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "reflex.watch" },
						  { .id = "reflex.rare" }, { .id = "reflex.drop" } };
#define PORT(nth, at)                                                                              \
	{                                                                                          \
		.zones = ~0ull, .dport_lo = at, .dport_hi = at, .sport_hi = 65535, .icmp_hi = 65535,        \
		.proto = PROTO_TCP, .rule = nth, .families = TEG_IP4 | TEG_IP6, .fragments = TEG_WHOLE     \
	}
static struct teg_box boxes[] = { PORT(0, 1), PORT(0, 1), PORT(1, 2), PORT(2, 1), PORT(2, 3) };
static struct teg_rule rules[] = {
	{ .counter_slot = WATCH, .act = TEG_ACT_TELL, .one_in = 1, .tells = 1 + EVENT_MEDIUM },
	{ .counter_slot = RARE, .act = TEG_ACT_DROP, .one_in = 50, .tells = 1 + EVENT_LOW },
	{ .counter_slot = DROP, .act = TEG_ACT_DROP, .one_in = 1 },
};
static const struct plan plan = {
	.policy = "told", .counters = counters, .counter_count = COUNTERS, .posture_count = 1,
	.boxes = boxes, .box_count = ARRAY_LEN(boxes), .rules = rules, .rule_count = ARRAY_LEN(rules),
	.config = { .abi = TEG_ABI_VERSION, .asks = TEG_ASKS_WATCHES, .box_count = ARRAY_LEN(boxes),
		    .rule_count = ARRAY_LEN(rules), .neighbour_slot = NEIGHBOUR, .blocked_slot = BLOCKED },
};

static size_t segment(uint8_t *frame, size_t room, const char *src, const char *dst, uint16_t dport, size_t payload)
{
	static const uint8_t zeros[2000];
	struct packet p = { .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .sport = 40000, .dport = dport,
			    .flags = 0x12 };

	if (!addr_parse(src, &p.src) || !addr_parse(dst, &p.dst))
		return 0;
	p.family = p.src.family;
	return frame_build(&p, zeros, payload, frame, room);
}

static unsigned send(struct xdp_run *x, uint16_t dport, unsigned times)
{
	uint8_t frame[128];
	size_t len = segment(frame, sizeof frame, "198.51.100.7", "192.0.2.1", dport, 0);
	unsigned passed = 0;

	for (unsigned i = 0; i < times; i++)
		passed += xdp_run_frame(x, frame, len) == XDP_PASS;
	return passed;
}

/* ---- a record ------------------------------------------------------------------------ */

static bool is_ip4(const struct teg_addr *a, const char *want)
{
	struct addr w;

	if (!addr_parse(want, &w))
		return false;
	const struct teg_source s = shared_source(w);
	return !memcmp(a, &s.addr, sizeof *a);
}

static void records(struct xdp_run *x)
{
	uint8_t frame[512], zeros[TEG_EVENT_HEAD] = { 0 };
	size_t len = segment(frame, sizeof frame, "198.51.100.7", "192.0.2.1", 3, 200);

	xdp_run_told(x);
	tap_num(xdp_run_frame(x, frame, len), XDP_DROP, "a drop");
	struct xdp_run_told told = xdp_run_told(x);
	const struct teg_event *e = &told.last;
	tap_num(told.count, 1, "is told once");
	tap_ok(e->who == DROP && e->by == TEG_WHO_NOBODY && e->does == TEG_DOES_DROP && e->generation == 7 && e->posture == 0 &&
	       e->since == 1 && e->ifindex == 1 && e->at_ns, "by whom, and when");
	tap_ok(is_ip4(&e->src, "198.51.100.7") && is_ip4(&e->dst, "192.0.2.1") && e->sport == 40000 && e->dport == 3 &&
	       e->family == TEG_IP4 && e->proto == PROTO_TCP && e->flags == 0x12 && e->fragment == TEG_WHOLE, "of what packet");
	tap_ok(e->frame_len == len && e->head_len == TEG_EVENT_HEAD && !memcmp(e->head, frame, TEG_EVENT_HEAD),
	       "its length, and its first %u bytes", TEG_EVENT_HEAD);

	for (len = 14; len < 60; len += 5) {
		xdp_run_frame(x, frame, len);
		told = xdp_run_told(x);
		tap_ok(told.count == 1 && e->who & TEG_WHO_CAUSE && e->frame_len == len && e->head_len == len &&
		       !memcmp(e->head, frame, len) && !memcmp(e->head + len, zeros, TEG_EVENT_HEAD - len),
		       "cut to %zu bytes: by its cause, all of it, and nothing behind", len);
	}

	tap_num(send(x, 1, 1), 0, "what is watched and then dropped");
	told = xdp_run_told(x);
	tap_ok(told.count == 2 && told.severities == 1 << EVENT_MEDIUM && e->who == DROP,
	       "is told twice, though two boxes of the watch have it: by the watch, and by the drop");
	tap_num(send(x, 9, 1), 1, "what nobody asks for");
	tap_num(xdp_run_told(x).count, 0, "is not told");

	struct addr source = { 0 };
	addr_parse("198.51.100.7", &source);
	xdp_run_block(x, source, UINT64_MAX);
	send(x, 9, 1);
	told = xdp_run_told(x);
	tap_ok(told.count == 1 && e->who == BLOCKED && e->by == 0, "a runtime block, with who placed it");
	xdp_run_block(x, source, 0);
}

/* ---- bounds ----------------------------------------------------------------------------- */

static void one_of_fifty(struct xdp_run *x)
{
	const unsigned sent = 20000;
	unsigned told = 0, since = 0;

	for (uint32_t tick = 1; tick <= sent / 50; tick++) {
		xdp_run_tick(x, tick);
		send(x, 2, 50);
		struct xdp_run_told some = xdp_run_told(x);
		told += some.count;
		since = some.count ? some.last.since : since;
	}
	/* Gaps are even between 1 and 99: their variance is 50^2 / 3, so of 400 the deviation is 400^0.5 / 3^0.5. */
	tap_ok(told > 400 - 60 && told < 400 + 60, "one of fifty: of %u packets %u are told", sent, told);
	tap_ok(since >= 1 && since < 100 + 99, "and the last says that it stands for %u", since);
	tap_num(xdp_run_telling(x).rate, 0, "what is not drawn is not lost");
}

static void a_tick(struct xdp_run *x)
{
	struct teg_telling before = xdp_run_telling(x);

	xdp_run_tick(x, 1000000);
	send(x, 3, 500);
	struct xdp_run_told told = xdp_run_told(x);
	tap_num(told.count, TEG_EVENTS_A_RULE, "events of a drop in a tick");
	tap_num(xdp_run_telling(x).rate - before.rate, 0, "which is sampled: nothing is lost");
	send(x, 3, 500);
	tap_num(xdp_run_told(x).count, 0, "read or not, the tick is the same");
	xdp_run_tick(x, 1000001);
	send(x, 3, 1);
	told = xdp_run_told(x);
	tap_ok(told.count == 1 && told.last.since == 1000 - TEG_EVENTS_A_RULE + 1, "in the next one it is told at once, for all that was not: %u",
	       told.last.since);

	before = xdp_run_telling(x);
	xdp_run_tick(x, 1000002);
	send(x, 1, 100);
	told = xdp_run_told(x);
	tap_num(told.count, 2 * TEG_EVENTS_A_RULE, "a watch and a drop have their shares each");
	tap_num(xdp_run_telling(x).rate - before.rate, 100 - TEG_EVENTS_A_RULE, "and of what the policy asks, each that is not told is lost");
}

#define MANY 10

/* Each within its own share, all together beyond the CPU's. */
static void many_rules(void)
{
	static const char *const ids[MANY + 2] = { "neighbour", "blocked", "reflex.0", "reflex.1", "reflex.2", "reflex.3", "reflex.4",
						   "reflex.5", "reflex.6", "reflex.7", "reflex.8", "reflex.9" };
	struct plan_counter of[MANY + 2] = { { 0 } };
	struct teg_box at[MANY];
	struct teg_rule drops[MANY];
	struct plan many = plan;
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };

	for (unsigned i = 0; i < MANY + 2; i++)
		of[i].id = ids[i];
	for (unsigned i = 0; i < MANY; i++) {
		at[i] = (struct teg_box)PORT(i, 10 + i);
		drops[i] = (struct teg_rule){ .counter_slot = 2 + i, .act = TEG_ACT_DROP, .one_in = 1 };
	}
	many.counters = of, many.counter_count = MANY + 2;
	many.boxes = at, many.rules = drops;
	many.box_count = many.rule_count = many.config.box_count = many.config.rule_count = MANY;
	many.config.asks = 0;
	if (!tap_ok(!xdp_run_new(&x, &many, XDP_RUN_REAL_CLOCK, &why), "a policy of %d drops loads", MANY))
		return;
	xdp_run_at(x, 1, 0, 0);
	xdp_run_tick(x, 1);
	for (unsigned i = 0; i < MANY; i++)
		send(x, (uint16_t)(10 + i), 100);
	tap_num(xdp_run_told(x).count, TEG_EVENTS_A_TICK, "events of all rules together in a tick");
	tap_num(xdp_run_telling(x).rate, MANY * TEG_EVENTS_A_RULE - TEG_EVENTS_A_TICK, "what their shares have beyond that is lost, and counted");
	xdp_run_tick(x, 2);
	send(x, 10, 1);
	tap_num(xdp_run_told(x).count, 1, "in the next tick there is room again");
}

/* A reader that lets ticks go on, and does not read. */
static void a_full_ring(struct xdp_run *x)
{
	const struct teg_telling before = xdp_run_telling(x);
	const unsigned each = sizeof(struct teg_event) + 8, room = TEG_EVENTS_BYTES / each, sent = 7000;

	for (uint32_t tick = 0; tick < sent; tick++) {
		xdp_run_tick(x, 2000000 + tick);
		send(x, 3, 1);
	}
	const struct teg_telling after = xdp_run_telling(x);
	const unsigned told = xdp_run_told(x).count;
	tap_ok(told <= room && told > room - 3, "a ring of %u bytes holds %u records", TEG_EVENTS_BYTES, told);
	tap_num(after.told - before.told, told, "as many as were told");
	tap_num(after.full - before.full, sent - told, "the others are lost, and counted");
	xdp_run_tick(x, 3000000);
	send(x, 3, 1);
	tap_num(xdp_run_told(x).count, 1, "once it was read there is room again");
}

int main(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof one, &one); /* each CPU has its own share */
	if (xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why)) {
		if (why.code == -EPERM)
			tap_skip("BPF is not allowed here", "what the first hook tells");
		else
			tap_ok(false, "the program loads: %s", why.text);
		return tap_done();
	}
	records(x);
	one_of_fifty(x);
	a_tick(x);
	a_full_ring(x);
	many_rules();
	return tap_done();
}
