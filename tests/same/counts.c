/*
 * Counters at both ends of their two tables: packets of either CPU are counted in their rule's slot and in no other, and
 * one slot is cleared, and carried to other tables, without what is beside it.
 */
#include <errno.h>
#include <sched.h>

#include <linux/bpf.h>

#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "enforcer/hook/shared.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define LAST (TEG_SLOTS_FIRST + 3)

/* Whose packets are counted where: as many blocks, of UDP to ports 1 to 4. */
static const uint32_t slots[] = { 2, TEG_SLOTS_FIRST - 1, TEG_SLOTS_FIRST, LAST };
static const uint32_t beside[] = { 0, 1, 3, TEG_SLOTS_FIRST - 2, TEG_SLOTS_FIRST + 1, LAST - 1 };

static struct plan plan_of(struct arena *a)
{
	struct plan p = { .policy = "counts", .counter_count = LAST + 1, .posture_count = 1, .box_count = ARRAY_LEN(slots),
			  .rule_count = ARRAY_LEN(slots) };

	p.config = (struct teg_config){ .abi = TEG_ABI_VERSION, .box_count = p.box_count, .rule_count = p.rule_count,
					.blocked_slot = 1 };
	p.counters = arena_zero(a, p.counter_count * sizeof *p.counters);
	p.boxes = arena_zero(a, p.box_count * sizeof *p.boxes);
	p.rules = arena_zero(a, p.rule_count * sizeof *p.rules);
	for (uint32_t i = 0; i < p.counter_count; i++)
		p.counters[i].id = arena_printf(a, "block.b%u", i);
	for (uint32_t i = 0; i < p.rule_count; i++) {
		p.boxes[i] = (struct teg_box){ .zones = UINT64_MAX, .dport_lo = (uint16_t)(i + 1), .dport_hi = (uint16_t)(i + 1),
					       .sport_hi = UINT16_MAX, .icmp_hi = UINT16_MAX, .proto = PROTO_UDP, .rule = i,
					       .families = TEG_IP4, .fragments = TEG_WHOLE | TEG_FIRST };
		p.rules[i] = (struct teg_rule){ .counter_slot = slots[i], .act = TEG_ACT_DROP, .one_in = 1 };
	}
	return p;
}

static bool move_to(int cpu)
{
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(cpu, &mine);
	return !sched_setaffinity(0, sizeof mine, &mine);
}

static void send_to(struct xdp_run *x, uint16_t dport, unsigned times)
{
	uint8_t frame[128];
	struct packet p = { .proto = PROTO_UDP, .hop_limit = 64, .sport = 40000, .dport = dport };

	addr_parse("198.51.100.1", &p.src);
	addr_parse("192.0.2.1", &p.dst);
	p.family = p.src.family;
	const size_t len = frame_build(&p, "0123456789", 10, frame, sizeof frame);
	for (unsigned i = 0; i < times; i++)
		xdp_run_frame(x, frame, len);
}

static void counted(struct xdp_run *x)
{
	for (uint16_t i = 0; i < ARRAY_LEN(slots); i++) {
		if (move_to(0))
			send_to(x, i + 1, 1 + i);
		if (move_to(1))
			send_to(x, i + 1, 10);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(slots); i++) {
		const struct teg_counter c = xdp_run_counter(x, slots[i]);

		tap_ok(c.packets == 11 + i && c.bytes == (11 + i) * 38, "slot %u counts its own, of both CPUs: %llu packets", slots[i],
		       (unsigned long long)c.packets);
	}
	const struct shared *s = xdp_run_shared(x);
	tap_num(s->counted[0][TEG_SLOTS_FIRST + slots[1]].packets, 10, "the second CPU has its own of the first table");
	tap_num(s->counted[1][TEG_SLOTS_MORE + slots[2] - TEG_SLOTS_FIRST].packets, 10, "and of the second");
	for (uint32_t i = 0; i < ARRAY_LEN(beside); i++)
		tap_ok(!xdp_run_counter(x, beside[i]).packets, "slot %u counts nothing", beside[i]);
	tap_num(xdp_run_counter(x, TEG_COUNTER_SLOTS).packets, 0, "behind all slots there is nothing");
}

static void carried(const struct shared *from, struct err *why)
{
	own(shared) struct shared to = SHARED_NONE;

	if (shared_open(&to, NULL, why) || shared_make_more(&to, NULL, why))
		return;
	shared_count_carry(from, &to, slots[1]);
	shared_count_carry(from, &to, slots[3]);
	tap_num(shared_count(&to, slots[1]).packets, 12, "the last slot of the first table is carried");
	tap_num(shared_count(&to, slots[3]).packets, 14, "and one of the second");
	tap_num(shared_count(&to, slots[2]).packets, 0, "others are not");
	shared_count_clear(&to, slots[3]);
	tap_num(shared_count(&to, slots[3]).packets, 0, "a slot is cleared, of both CPUs");
	tap_num(shared_count(&to, slots[1]).packets, 12, "and no other");
}

int main(void)
{
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	const struct plan plan = plan_of(a);
	struct err why = { 0 };
	int rc = xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why);

	if (rc == -EPERM || !move_to(1)) {
		tap_skip("BPF is not allowed here, or there is one CPU", "counters of both tables");
		return tap_done();
	}
	tap_ok(!rc, "the program loads: %s", why.text);
	if (!rc)
		counted(x);
	if (!rc)
		carried(xdp_run_shared(x), &why);
	tap_ok(!why.code, "other tables are made: %s", why.text);
	return tap_done();
}
