/* Rules become the first hook's tables: boxes, joint prefixes, and sentences about what does not fit. */
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/tap.h"

static struct ir_box any_box(struct arena *a)
{
	struct ranges all = ranges_of(a, 0, UINT16_MAX);

	return (struct ir_box){ .zones = UINT64_MAX, .families = 3, .fragments = FRAGMENT_ANY,
				.proto = PROTO_ANY_NUMBER, .src = { .any = true }, .dst = { .any = true },
				.sport = all, .dport = all, .icmp = all };
}

static const struct ir_set *set_of(struct arena *a, const char *prefixes)
{
	struct ir_set *s = arena_zero(a, sizeof *s);

	s->set = craft_set(a, prefixes);
	return s;
}

/* `count` blocks of one box each, told apart by their ids. */
static struct ir *ir_of(struct arena *a, const struct ir_box *boxes, size_t count)
{
	struct ir *ir = arena_zero(a, sizeof *ir);

	ir->policy = craft_policy(a, "tables");
	ir->blocks.count = count;
	ir->blocks.rules = arena_zero(a, count * sizeof *ir->blocks.rules);
	for (size_t i = 0; i < count; i++) {
		struct ir_rule *r = &ir->blocks.rules[i];

		r->id = r->label = arena_printf(a, "block.b%zu", i);
		r->layer = LAYER_BLOCK;
		r->verdict = VERDICT_DROP;
		r->box_count = 1;
		r->boxes = arena_copy(a, &boxes[i], sizeof boxes[i]);
	}
	return ir;
}

static int emit(struct plan *plan, const struct ir *ir, struct arena *a, struct err *why)
{
	emit_plan(plan, ir, a);
	return emit_xdp(plan, ir, a, why);
}

static void ports(struct arena *a)
{
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct ir_box box = any_box(a);
	struct ranges more = ranges_of(a, 443, 444);

	box.proto = PROTO_TCP;
	box.dport = ranges_of(a, 80, 80);
	box.dport = ranges_join(a, &box.dport, &more);
	more = ranges_of(a, 2000, 3000);
	box.sport = ranges_of(a, 1, 2);
	box.sport = ranges_join(a, &box.sport, &more);

	tap_num(emit(&plan, ir_of(a, &box, 1), a, &why), 0, "a rule of port lists fits");
	tap_num(plan.box_count, 4, "two ranges by two are four boxes");
	tap_num(plan.rule_count, 1, "and one rule");
	tap_ok(plan.box_count == 4 && plan.boxes[3].sport_lo == 2000 && plan.boxes[3].dport_hi == 444 &&
		       plan.boxes[3].rule == 0, "the last box has the last range of each");
	tap_num(plan.config.asks, 0, "ports alone ask for no table");
}

static void ends(struct arena *a)
{
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct ir_box boxes[3] = { any_box(a), any_box(a), any_box(a) };

	boxes[0].src = (struct ir_end){ 0 };
	boxes[1].dst = (struct ir_end){ .self = true };
	boxes[1].zones = 2;
	boxes[2].src = (struct ir_end){ .set = set_of(a, "10.0.0.0/8"), .self = true };

	tap_num(emit(&plan, ir_of(a, boxes, 3), a, &why), 0, "ends of each kind fit");
	tap_num(plan.box_count, 2, "an end without any address needs no box");
	tap_num(plan.rule_count, 3, "its rule stays, and counts nothing");
	tap_ok(plan.boxes[0].dst == TEG_SET_SELF && plan.boxes[0].src == 0, "`self` is a set of its own");
	tap_ok(plan.boxes[1].src == (TEG_SET_SELF | 1), "the first set is the first bit");
	tap_num(plan.config.asks, TEG_ASKS_ZONES | TEG_ASKS_SRC_SETS | TEG_ASKS_SRC_SELF | TEG_ASKS_DST_SELF,
		"what is asked, and nothing else");
}

static void prefixes(struct arena *a)
{
	static const struct { const char *prefix; uint64_t sets; } rows[] = {
		{ "10.0.0.0/8", 1 },  { "10.1.0.0/16", 1 | 2 }, { "10.1.2.3", 1 | 2 | 4 }, { "10.2.0.0/16", 1 | 4 },
		{ "192.0.2.0/24", 2 }, { "2001:db8::/32", 1 | 4 }, { "2001:db8::1", 1 | 2 | 4 },
	};
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct ir_box boxes[3] = { any_box(a), any_box(a), any_box(a) };

	boxes[0].src = (struct ir_end){ .set = set_of(a, "10.0.0.0/8 2001:db8::/32") };
	boxes[1].src = (struct ir_end){ .set = set_of(a, "10.1.0.0/16 192.0.2.0/24 2001:db8::1") };
	boxes[2].src = (struct ir_end){ .set = set_of(a, "10.1.2.3 10.2.0.0/16 2001:db8::/32") };

	tap_num(emit(&plan, ir_of(a, boxes, 3), a, &why), 0, "three sets that overlap fit");
	tap_num(plan.prefix_count, ARRAY_LEN(rows), "each prefix is there once");
	for (size_t i = 0; i < ARRAY_LEN(rows) && i < plan.prefix_count; i++) {
		char text[ADDR_TEXT];

		tap_text(prefix_print(plan.prefixes[i].prefix, text), rows[i].prefix, "prefixes ascend");
		tap_num((int64_t)plan.prefixes[i].sets, (int64_t)rows[i].sets, "with every set that covers it");
	}
}

static void clocks(struct arena *a)
{
	static const struct { uint64_t depth_ns; uint32_t asks; } rows[] = {
		{ 99999999, TEG_ASKS_CLOCK | TEG_ASKS_FINE_CLOCK }, { 100000000, TEG_ASKS_CLOCK },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan plan = { 0 };
		struct err why = { 0 };
		struct ir_rate rate = { .cost_ns = 1000, .depth_ns = rows[i].depth_ns };
		struct ir_box box = any_box(a);
		struct ir *ir = ir_of(a, &box, 1);

		ir->blocks.rules[0].rate = &rate;
		tap_num(emit(&plan, ir, a, &why), 0, "a rate fits");
		tap_num(plan.config.asks, rows[i].asks, "a shallow bucket asks for the fine clock, a deep one does not");
	}
}

static void too_much(struct arena *a)
{
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct ir_box *boxes = arena_zero(a, (TEG_BOXES_MAX + 1) * sizeof *boxes);

	for (size_t i = 0; i <= TEG_BOXES_MAX; i++)
		boxes[i] = any_box(a);
	tap_num(emit(&plan, ir_of(a, boxes, TEG_BOXES_MAX), a, &why), 0, "as many boxes as there may be fit");
	tap_ok(emit(&plan, ir_of(a, boxes, TEG_BOXES_MAX + 1), a, &why) < 0, "one more does not");
	tap_text(why.text, "block.b512: there may be at most 512 lifelines, blocks and reflexes together",
		 "and the sentence names the rule and the limit");

	for (size_t i = 0; i <= TEG_SETS_MAX; i++)
		boxes[i].src = (struct ir_end){ .set = set_of(a, arena_printf(a, "10.0.%zu.0/24", i)) };
	tap_num(emit(&plan, ir_of(a, boxes, TEG_SETS_MAX), a, &why), 0, "as many sets as there may be fit");
	tap_ok(emit(&plan, ir_of(a, boxes, TEG_SETS_MAX + 1), a, &why) < 0, "one more does not");
	tap_text(why.text, "block.b62: lifelines, blocks and reflexes together may name at most 62 different address "
		 "sets in the first hook", "and the sentence names the rule and the limit");

	struct ir_box many = any_box(a);
	struct ir *ir = ir_of(a, &many, 1);
	VEC(struct range) odd = { 0 };
	for (unsigned port = 1; port <= 2 * (TEG_BOXES_MAX + 1); port += 2) {
		struct range r = { (uint16_t)port, (uint16_t)port };
		vec_push(a, &odd, r);
	}
	ir->blocks.rules[0].boxes[0].dport = (struct ranges){ odd.at, odd.len };
	tap_ok(emit(&plan, ir, a, &why) < 0 && strstr(why.text, "block.b0: ") && strstr(why.text, "at most 512 boxes"),
	       "a rule of more port ranges than boxes is refused: %s", why.text);
}

static void object(void)
{
	size_t len;
	const char *bytes = emit_xdp_object(&len);

	tap_ok(len > 1000 && !memcmp(bytes, "\177ELF", 4), "the compiled program is an ELF object");
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	ports(a);
	ends(a);
	prefixes(a);
	clocks(a);
	too_much(a);
	object();
	return tap_done();
}
