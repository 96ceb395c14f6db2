/*
 * Long lists in the loaded program: every packet is counted by the first rule
 * that has it. The lists are ClassBench's, with the packets and first matches
 * that come with them, and more packets whose first match is looked for rule by rule.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/proto.h"
#include "tests/lib/classbench.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

struct list {
	const struct classbench_rule *rules;
	size_t count, per_rule;
	struct plan plan;
	struct xdp_run *x;
	uint64_t *wanted; /* packets by rule */
};

static size_t first_of(const struct list *l, const struct packet *p)
{
	size_t i = 0;

	while (i < l->count && !classbench_has(&l->rules[i], p))
		i++;
	return i < l->count ? i : SIZE_MAX;
}

static bool ask(struct list *l, const struct packet *p, size_t first)
{
	uint8_t frame[128];
	size_t len = frame_build(p, NULL, 0, frame, sizeof frame);

	if (first != SIZE_MAX)
		l->wanted[first / l->per_rule]++;
	return len && xdp_run_frame(l->x, frame, len) == (first == SIZE_MAX ? XDP_PASS : XDP_DROP);
}

static size_t miscounted(const struct list *l)
{
	size_t bad = 0;

	for (uint32_t i = 0; i < l->plan.rule_count; i++)
		bad += xdp_run_counter(l->x, l->plan.rules[i].counter_slot).packets != l->wanted[i];
	return bad;
}

/* Of IPv6, one end that asks all 128 bits makes all cells long ones. */
enum ends { IP4, IP6, IP6_AND_A_HOST };

/* False where BPF is not allowed. */
static bool try_list(const char *name, size_t copies, enum ends ends)
{
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	struct classbench_rule *rules;
	struct classbench_truth *truths;
	struct gen g = gen_new(copies);
	struct err why;
	const bool ip6 = ends != IP4;
	size_t count = classbench_read(&rules, a, name), bad = 0, asked = 0;

	if (!count) {
		tap_skip("../shared/data/rulesets/classbench is not here", name);
		return true;
	}
	if (ip6)
		classbench_ip6(rules, count);
	if (ends == IP6_AND_A_HOST)
		rules[count / 2].dst.len = 128;
	struct list l = { .rules = ip6 ? rules : classbench_spread(rules, count, copies, a), .count = count * copies,
			  .per_rule = 1 };
	struct ir *ir = classbench_ir(l.rules, l.count, l.per_rule, a);
	emit_plan(&l.plan, ir, a);
	if (emit_xdp(&l.plan, ir, a, &why) || xdp_run_new_in(&x, xdp_run_hook(), &l.plan, XDP_RUN_GIVEN_CLOCK, &why)) {
		if (why.code == -EPERM)
			tap_skip("BPF is not allowed here", name);
		else if (why.code == -E2BIG && strstr(why.text, "before 6.0"))
			tap_skip(why.text, name);
		else
			tap_ok(false, "%s %zu times: %s", name, copies, why.text);
		return why.code != -EPERM;
	}
	l.x = x;
	l.wanted = arena_zero(a, l.plan.rule_count * sizeof *l.wanted);
	xdp_run_at(x, 1, 0, 0);

	size_t told = copies == 1 && !ip6 ? classbench_truths(&truths, a, name) : 0;
	for (size_t i = 0; i < told; i++)
		bad += !ask(&l, &truths[i].packet, truths[i].first);
	for (; asked < 20000000 / l.count || asked < 2000; asked++) {
		struct packet p = classbench_packet(&g, l.rules, l.count);

		bad += !ask(&l, &p, first_of(&l, &p));
	}
	tap_ok(!bad, "%s %zu times, IPv%d, %u trees, %u entries of %zu boxes: %zu packets with a known first match, %zu drawn ones; "
	       "%zu judged otherwise", name, copies,
	       ip6 ? 6 : 4, l.plan.config.bulk.groups[ip6], l.plan.config.bulk.leaves, l.count, told,
	       asked, bad);
	tap_num((int64_t)miscounted(&l), 0, "and counted by the first rule that has them");
	return true;
}

/* As many boxes with rates as there may be, among as many without: the verifier must take both walks. */
static bool try_full(void)
{
	enum { MANY = 4000 };
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	struct ir_rate rate = { .bucket = "b", .kin = "b", .cost_ns = 1000, .depth_ns = 5000, .key_bits = { 32, 64 } };
	struct classbench_rule *rules = arena_zero(a, MANY * sizeof *rules);
	struct plan plan = { 0 };
	struct err why = { 0 };

	for (uint32_t i = 0; i < MANY; i++)
		rules[i] = (struct classbench_rule){ { { FAMILY_IP4, 0x0a000000 + (i << 8) }, 24 }, { { FAMILY_IP4, 0 }, 0 },
						     { 0, UINT16_MAX }, { (uint16_t)i, (uint16_t)(i + 99) }, PROTO_UDP };
	struct ir *ir = classbench_ir(rules, MANY, 1, a);
	for (size_t i = 0; i < TEG_BOXES_MAX; i++) {
		struct ir_rule *r = &ir->reflexes.rules[i * (MANY / TEG_BOXES_MAX)];

		r->rate = &rate;
		r->boxes[0].src = (struct ir_end){ .any = true };
	}
	emit_plan(&plan, ir, a);
	int rc = emit_xdp(&plan, ir, a, &why);
	if (!rc)
		rc = xdp_run_new_in(&x, xdp_run_hook(), &plan, XDP_RUN_GIVEN_CLOCK, &why);
	if (rc == -EPERM) {
		tap_skip("BPF is not allowed here", "long lists");
		return false;
	}
	tap_ok(!rc && plan.box_count == TEG_BOXES_MAX && plan.config.bulk.cells == MANY - TEG_BOXES_MAX,
	       "%u boxes with rates among %u in trees load: %s", plan.box_count, plan.config.bulk.cells, why.text);
	return true;
}

int main(void)
{
	static const struct { const char *name; size_t copies; enum ends ends; } lists[] = {
		{ "acl1_1000", 1, IP4 },  { "fw1_1000", 1, IP4 },	{ "ipc1_1000", 1, IP4 },
		{ "acl1_1000", 1, IP6 },   { "fw1_1000", 1, IP6 },	{ "ipc1_10000", 1, IP6 },
		{ "acl1_10000", 1, IP6 },  { "acl1_10000", 1, IP6_AND_A_HOST },
		{ "acl1_10000", 1, IP4 }, { "fw1_10000", 1, IP4 },	{ "ipc1_10000", 1, IP4 },
		{ "acl1_10000", 10, IP4 }, { "fw1_10000", 10, IP4 },
	};

	if (!try_full())
		return tap_done();
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (!try_list(lists[i].name, lists[i].copies, lists[i].ends))
			break;
	return tap_done();
}
