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
		struct ir_rate rate = { .bucket = "b", .kin = "b", .cost_ns = 1000, .depth_ns = rows[i].depth_ns };
		struct ir_box box = any_box(a);
		struct ir *ir = ir_of(a, &box, 1);

		ir->blocks.rules[0].rate = &rate;
		tap_num(emit(&plan, ir, a, &why), 0, "a rate fits");
		tap_num(plan.config.asks, rows[i].asks, "a shallow bucket asks for the fine clock, a deep one does not");
	}
}

/* A set that no tree takes for a few prefixes. */
static const struct ir_set *scattered(struct arena *a, size_t i)
{
	return set_of(a, arena_printf(a, "10.0.%zu.1 10.1.%zu.3 10.2.%zu.5 10.3.%zu.7 10.4.%zu.9", i, i, i, i, i));
}

static void too_much(struct arena *a)
{
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct ir_rate rate = { .bucket = "b", .kin = "b", .cost_ns = 1, .depth_ns = 1000000000 };
	struct ir_box *boxes = arena_zero(a, (TEG_RULES_MAX + 1) * sizeof *boxes);

	for (size_t i = 0; i <= TEG_RULES_MAX; i++)
		boxes[i] = any_box(a);
	for (size_t n = TEG_BOXES_MAX; n <= TEG_BOXES_MAX + 1; n++) {
		struct ir *ir = ir_of(a, boxes, n);

		for (size_t i = 0; i < n; i++)
			ir->blocks.rules[i].rate = &rate;
		tap_ok(!emit(&plan, ir, a, &why) == (n == TEG_BOXES_MAX), "%zu boxes with rates, of at most %u", n,
		       TEG_BOXES_MAX);
	}
	tap_text(why.text, "block.b512: lifelines, and reflexes that have a rate or only tell, may together have at most 512 boxes in the "
		 "first hook; every range of ports in a rule is one", "the sentence names the rule and the limit");

	tap_ok(emit(&plan, ir_of(a, boxes, TEG_RULES_MAX + 1), a, &why) < 0, "too many rules are refused");
	tap_text(why.text, "block.b120000: there may be at most 120000 lifelines, blocks and reflexes together",
		 "and the sentence names the rule and the limit");

	for (size_t i = 0; i <= TEG_SETS_MAX; i++)
		boxes[i].src = (struct ir_end){ .set = scattered(a, i) };
	tap_num(emit(&plan, ir_of(a, boxes, TEG_SETS_MAX), a, &why), 0, "as many sets as there may be fit");
	tap_ok(emit(&plan, ir_of(a, boxes, TEG_SETS_MAX + 1), a, &why) < 0, "one more does not");
	tap_text(why.text, "block.b62: lifelines, blocks and reflexes together may name at most 62 different address "
		 "sets in the first hook; those of up to 4 prefixes count in lifelines, rates, payloads and what only tells", "and the sentence names the rule and the limit");
}

/* What is too much for a list goes into trees. */
static void trees(struct arena *a)
{
	enum { MANY = 2000 };
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct ir_rate rate = { .bucket = "b", .kin = "b", .cost_ns = 1, .depth_ns = 1000000000 };
	struct ir_box *boxes = arena_zero(a, MANY * sizeof *boxes);

	for (size_t i = 0; i < MANY; i++) {
		boxes[i] = any_box(a);
		boxes[i].proto = PROTO_TCP;
		boxes[i].src = (struct ir_end){ .set = set_of(a, arena_printf(a, "10.%zu.%zu.0/24 2001:db8:%zu::/48",
									      i / 256, i % 256, i)) };
		boxes[i].dport = ranges_of(a, (uint16_t)i, (uint16_t)(i + 9));
	}
	struct ir *ir = ir_of(a, boxes, MANY);
	ir->blocks.rules[7].rate = &rate;
	tap_num(emit(&plan, ir, a, &why), 0, "many blocks with many sets fit");
	tap_num(plan.config.bulk.cells, 2 * (MANY - 1), "each end of two prefixes is two boxes of the trees");
	tap_num(plan.box_count, 1, "what has a rate stays in the list");
	tap_num(plan.prefix_count, 2, "and only its set is a set");
	tap_ok(plan.config.bulk.longest <= 16 && plan.config.bulk.depth <= 8 &&
		       plan.config.bulk.leaves < 4 * plan.config.bulk.cells,
	       "the trees are flat: %u nodes, depth %u, leaves up to %u, %u entries", plan.config.bulk.nodes,
	       plan.config.bulk.depth, plan.config.bulk.longest, plan.config.bulk.leaves);

	tap_num(emit(&plan, ir_of(a, boxes + 20, 100), a, &why), 0, "a hundred blocks fit");
	tap_ok(plan.config.bulk.cells == 200 && plan.config.bulk.vectors[0].words >= 2 && plan.config.bulk.vectors[1].words >= 2 &&
		       !plan.config.bulk.nodes, "and are bit vectors: %u and %u words", plan.config.bulk.vectors[0].words,
	       plan.config.bulk.vectors[1].words);
	tap_num(emit(&plan, ir_of(a, boxes + 20, 4), a, &why), 0, "few blocks fit");
	tap_num(plan.config.bulk.cells, 0, "and are a list");

	/* Any two of them overlap, in a way that no cut undoes. */
	for (size_t i = 0; i < MANY; i++) {
		boxes[i] = any_box(a);
		boxes[i].proto = PROTO_TCP;
		boxes[i].sport = ranges_of(a, (uint16_t)(i * 16), (uint16_t)(i * 16 + 32000));
		boxes[i].dport = ranges_of(a, (uint16_t)(i * 7), (uint16_t)(i * 7 + 40000));
	}
	tap_ok(emit(&plan, ir_of(a, boxes, MANY), a, &why) < 0 && !strncmp(why.text, "block.b", 7) &&
		       strstr(why.text, "more than 8 copies of each box"), "a tangle is refused: %s", why.text);
}

static void object(void)
{
	size_t len;
	for (int hook = 0; hook < TEG_HOOKS; hook++) {
		const char *bytes = emit_program((enum teg_hook)hook, &len);
		tap_ok(len > 1000 && !memcmp(bytes, "\177ELF", 4), "the program compiled for hook %d is an ELF object", hook);
		tap_ok(!strcmp(emit_program_digest((enum teg_hook)hook), digest_of(bytes, len).hex), "and its digest is carried with it");
	}
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	ports(a);
	ends(a);
	prefixes(a);
	clocks(a);
	too_much(a);
	trees(a);
	object();
	return tap_done();
}
