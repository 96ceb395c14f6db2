/* plan: what emit makes survives encoding; what is out of range is refused; mutants do no harm. */
#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/in_trees.h"
#include "tests/lib/tap.h"

static struct policy *edge(struct arena *a)
{
	struct policy *p = craft_policy(a, "edge");
	struct pol_selector ssh = craft_select(a, PROTO_TCP);
	struct pol_posture open = craft_posture("OPEN", VERDICT_ALLOW), shut = craft_posture("SHUT", VERDICT_DROP);

	p->title = "An edge";
	ssh.from = craft_end(a, "203.0.113.0/24 2001:db8::/48");
	ssh.to = craft_end(a, "self");
	ssh.protos[0].dport = ranges_of(a, 22, 22);
	craft_lifeline(p, "ssh", ssh);
	craft_block(p, "bogons", "10.0.0.0/8 192.0.2.7", 1);
	craft_reflex(p, "flood", craft_select(a, PROTO_UDP))->block_ns = 5;
	craft_rule(a, &open, "web", DIRECTION_IN, VERDICT_ALLOW, craft_select(a, PROTO_TCP));
	craft_rule(a, &open, "~1f0c93aa", DIRECTION_OUT, VERDICT_REJECT, craft_select(a, PROTO_SCTP));
	craft_rule(a, &open, "~1f0c93aa", DIRECTION_OUT, VERDICT_REJECT, craft_select(a, PROTO_SCTP));
	shut.established = ESTABLISHED_CUT;
	craft_add_posture(p, open);
	craft_add_posture(p, shut);
	return p;
}

/* The same with so many reflexes that they stand in trees. */
static struct policy *long_edge(struct arena *a)
{
	struct policy *p = edge(a);

	for (unsigned i = 0; i < 200; i++) {
		struct pol_selector s = craft_select(a, PROTO_UDP);

		/* Ranges of ports are in no hash: these have a tree. */
		s.protos[0].dport = ranges_of(a, (uint16_t)(i * 3), (uint16_t)(i * 3 + 2));
		craft_reflex(p, arena_printf(a, "r%u", i), s);
	}
	return p;
}

/* The plan of a policy; false when the first hook's tables cannot hold it. */
static bool planned(struct plan *out, const struct policy *p, struct arena *a)
{
	struct ir *ir = ir_lower(p, a);
	struct err why;

	emit_plan(out, ir, a);
	out->nft_keep = arena_copy(a, (const char *[]){ "n_0123456789ab_4" }, sizeof(char *));
	out->nft_keep_count = 1;
	out->needs = arena_copy(a, (struct plan_need[]){ { NEED_EVENTS, "reflex.look" }, { NEED_FLEET, "BALANCED.web" } },
				2 * sizeof(struct plan_need));
	out->need_count = 2;
	return emit_xdp(out, ir, a, &why) == 0;
}

static void test_counters(struct arena *a)
{
	static const char *const ids[] = {
		"neighbour", "blocked", "established", "related", "invalid", "lifeline.ssh", "block.bogons",
		"reflex.flood", "OPEN.web", "OPEN.default.in", "OPEN.default.forward", "OPEN.~1f0c93aa",
		"OPEN.default.out", "SHUT.default.in", "SHUT.default.forward", "SHUT.default.out",
	};
	struct plan p;
	bool in_order = planned(&p, edge(a), a) && p.counter_count == ARRAY_LEN(ids);

	for (size_t i = 0; in_order && i < ARRAY_LEN(ids); i++)
		in_order = !strcmp(p.counters[i].id, ids[i]);
	tap_ok(in_order, "one counter for each id, in the order of judgement");
	tap_ok(p.counters[11].verdict == VERDICT_REJECT && p.counters[11].layer == LAYER_POSTURE &&
		       p.counters[11].posture == 0 && p.counters[13].posture == 1 && p.counters[7].posture == 255 &&
		       p.counters[6].layer == LAYER_BLOCK,
	       "with layer, verdict and posture");
	tap_text(p.counters[11].nft_name, "OPEN._7e1f0c93aa", "and a name that nft can read");
	tap_ok(!p.postures[0].closed && p.postures[1].closed && p.zone_count == 2 &&
		       !strcmp(p.zones[1].patterns[1], "br-*") && !strcmp(p.title, "An edge"),
	       "zones, postures and names are there");
}

static bool same_bytes(const struct plan *x, const struct plan *y)
{
	own(buf) struct buf a = { 0 }, b = { 0 };

	plan_encode(&a, x);
	plan_encode(&b, y);
	return a.len == b.len && !memcmp(a.at, b.at, a.len);
}

static bool same_tables(const struct plan *x, const struct plan *y)
{
	return x->box_count == y->box_count && x->rule_count == y->rule_count &&
	       x->prefix_count == y->prefix_count && !memcmp(&x->config, &y->config, sizeof x->config) &&
	       (!x->box_count || !memcmp(x->boxes, y->boxes, x->box_count * sizeof *x->boxes)) &&
	       (!x->config.bulk.cells ||
		(!memcmp(x->bulk_boxes, y->bulk_boxes, x->config.bulk.cells * sizeof *x->bulk_boxes) &&
		 (!x->config.bulk.nodes ||
		  !memcmp(x->bulk_nodes, y->bulk_nodes, x->config.bulk.nodes * sizeof *x->bulk_nodes)) &&
		 (!x->config.bulk.leaves ||
		  !memcmp(x->bulk_leaves, y->bulk_leaves, x->config.bulk.leaves * sizeof *x->bulk_leaves)))) &&
	       (!x->rule_count || !memcmp(x->rules, y->rules, x->rule_count * sizeof *x->rules));
}

static void test_round(void)
{
	bool same = true;
	unsigned plans = 0;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf bytes = { 0 };
		struct gen g = gen_new(seed);
		struct plan p, q;
		struct err why;

		if (!planned(&p, gen_policy(&g, a, &gen_shape_usual), a))
			continue;
		plans++;
		plan_encode(&bytes, &p);
		if (plan_decode(&q, a, bytes.at, bytes.len, &why)) {
			tap_note("seed %lu: %s", seed, why.text);
			same = false;
		} else if (!same_bytes(&p, &q) || !same_tables(&p, &q)) {
			tap_note("seed %lu differs", seed);
			same = false;
		}
	}
	tap_ok(same && plans > 150, "decode(encode(plan)) is the plan, for %u generated ones", plans);
}

/* --- what is out of range ------------------------------------------------------------------ */

static void zone_bad_name(struct plan *p) { p->zones[0].name = "a b"; }
static void zone_bad_pattern(struct plan *p) { p->zones[1].patterns[0] = "e*h"; }
static void zone_long_pattern(struct plan *p) { p->zones[1].patterns[0] = "sixteen-letters-"; }
static void zone_path_pattern(struct plan *p) { p->zones[1].patterns[0] = "../eth0"; }
static void posture_none(struct plan *p) { p->posture_count = 0; }
static void posture_initial(struct plan *p) { p->initial = 2; }
static void posture_twice(struct plan *p) { p->postures[1].name = p->postures[0].name; }
static void posture_established(struct plan *p) { p->postures[0].established = 3; }
static void posture_closed(struct plan *p) { p->postures[0].closed = 2; }
static void posture_not_itself(struct plan *p) { p->postures[1].within = 1; }
static void posture_within_none(struct plan *p) { p->postures[1].within |= 4; }
static void posture_title(struct plan *p) { p->postures[0].title = "a\nb"; }
static void counter_twice(struct plan *p) { p->counters[3].id = p->counters[4].id; }
static void counter_name_twice(struct plan *p) { p->counters[3].nft_name = p->counters[4].nft_name; }
static void counter_name(struct plan *p) { p->counters[3].nft_name = "a; flush"; }
static void counter_layer(struct plan *p) { p->counters[3].layer = LAYER_COUNT; }
static void counter_verdict(struct plan *p) { p->counters[3].verdict = 200; }
static void counter_posture(struct plan *p) { p->counters[3].posture = 2; }
static void config_abi(struct plan *p) { p->config.abi++; }
static void config_cells(struct plan *p) { p->config.abi = 13; }
static void config_boxes(struct plan *p) { p->config.box_count++; }
static void config_closed(struct plan *p) { p->config.closed |= 4; }
static void config_slot(struct plan *p) { p->config.blocked_slot = p->counter_count; }
static void config_closed_slot(struct plan *p) { p->config.closed_slot[63] = p->counter_count; }
static void box_rule(struct plan *p) { p->boxes[p->box_count - 1].rule = p->rule_count; }
static void box_order(struct plan *p) { p->boxes[0].rule = 1; p->boxes[1].rule = 0; }
static void box_proto(struct plan *p) { p->boxes[0].proto = 257; }
static void box_range(struct plan *p) { p->boxes[0].dport_lo = 23; }
static void box_set(struct plan *p) { p->boxes[0].src |= 1ull << 62; }
static void box_flags(struct plan *p) { p->boxes[0].flags_want = 1; }
static void box_families(struct plan *p) { p->boxes[0].families = 4; }
static void rule_slot(struct plan *p) { p->rules[0].counter_slot = p->counter_count; }
static void rule_act(struct plan *p) { p->rules[0].act = TEG_ACT_COOKIES + 1; }
static void rule_cookies(struct plan *p) { p->rules[0].act = TEG_ACT_COOKIES, p->rules[0].cost_ns = 0; }
static void rule_mute(struct plan *p) { p->rules[0].act = TEG_ACT_TELL; }
static void rule_severity(struct plan *p) { p->rules[0].tells = EVENT_SEVERITY_COUNT + 1; }
static void rule_one_in(struct plan *p) { p->rules[0].one_in = 0; }
static void rule_one_in_many(struct plan *p) { p->rules[0].one_in = TEG_ONE_IN_MAX + 1; }
static void rule_bits(struct plan *p) { p->rules[0].key_bits4 = 33; }
static void rule_cost(struct plan *p) { p->rules[0].cost_ns = p->rules[0].depth_ns + 1; }
static void prefix_len(struct plan *p) { p->prefixes[0].prefix.len = 33; }
static void prefix_host(struct plan *p) { p->prefixes[0].prefix.addr.num |= 1; }
static void prefix_wide(struct plan *p) { p->prefixes[0].prefix.addr.num |= (addr_num)1 << 40; }
static void prefix_family(struct plan *p) { p->prefixes[0].prefix.addr.family = 2; }
static void prefix_sets(struct plan *p) { p->prefixes[0].sets = 1ull << 62; }
static void prefix_no_sets(struct plan *p) { p->prefixes[0].sets = 0; }
static void need_kind(struct plan *p) { p->needs[1].need = NEED_COUNT; }
static void need_name(struct plan *p) { p->needs[0].by = ""; }
static void rule_key(struct plan *p) { p->rules[0].key = TEG_KEY_ALL + 1; }
static void keep_name(struct plan *p) { p->nft_keep[0] = "a b"; }

static const struct {
	const char *claim;
	void (*spoil)(struct plan *p);
	const char *says;
} spoilt[] = {
	{ "a zone's name", zone_bad_name, "zone 0" },
	{ "a pattern with a star inside", zone_bad_pattern, "pattern 0 names no interface" },
	{ "a pattern longer than an interface's name", zone_long_pattern, "pattern 0 names no interface" },
	{ "a pattern that is a path", zone_path_pattern, "pattern 0 names no interface" },
	{ "no postures", posture_none, "0 postures" },
	{ "an initial posture that is not there", posture_initial, "initial posture 2" },
	{ "a posture twice", posture_twice, "posture OPEN is there twice" },
	{ "an unknown kind of established", posture_established, "posture OPEN is out of range" },
	{ "closed that is neither yes nor no", posture_closed, "posture OPEN is out of range" },
	{ "a posture that is wider than itself", posture_not_itself, "posture SHUT has no proper place in the order" },
	{ "within one that is not there", posture_within_none, "posture SHUT has no proper place in the order" },
	{ "a title of two lines", posture_title, "posture 0" },
	{ "a counter twice", counter_twice, "is there twice" },
	{ "a counter's nft name twice", counter_name_twice, "is there twice" },
	{ "a counter's nft name that is none", counter_name, "counter 3 has no proper name" },
	{ "a layer", counter_layer, "counter related is out of range" },
	{ "a verdict", counter_verdict, "counter related is out of range" },
	{ "a counter's posture", counter_posture, "counter related is out of range" },
	{ "tables of another version", config_abi, "build the bundle again" },
	{ "tables beside a program for which a state is a place in cells", config_cells, "build the bundle again" },
	{ "another count of boxes", config_boxes, "other counts" },
	{ "a closed posture that is not there", config_closed, "a posture is closed" },
	{ "a slot that is no counter", config_slot, "no counter" },
	{ "a closed posture's slot", config_closed_slot, "no counter" },
	{ "a box of no rule", box_rule, "out of range or order" },
	{ "boxes in another order", box_order, "out of range or order" },
	{ "a protocol above any", box_proto, "box 0" },
	{ "a range that runs backwards", box_range, "box 0" },
	{ "a set too many", box_set, "box 0" },
	{ "flags outside the mask", box_flags, "box 0" },
	{ "a third family", box_families, "box 0" },
	{ "a rule that counts nothing", rule_slot, "rule 0" },
	{ "a fourth act", rule_act, "rule 0" },
	{ "a rule that only tells, and does not", rule_mute, "rule 0" },
	{ "cookies without a rate", rule_cookies, "rule 0" },
	{ "a fifth severity", rule_severity, "rule 0" },
	{ "one of no packets is told", rule_one_in, "rule 0" },
	{ "one of too many is told", rule_one_in_many, "rule 0" },
	{ "33 bits of IPv4", rule_bits, "rule 0" },
	{ "a packet that costs more than the bucket holds", rule_cost, "rule 0" },
	{ "a prefix of 33 bits", prefix_len, "prefix 0" },
	{ "a prefix with host bits", prefix_host, "prefix 0" },
	{ "an IPv4 prefix above 32 bits", prefix_wide, "prefix 0" },
	{ "a prefix of a third family", prefix_family, "prefix 0" },
	{ "a prefix of a set too many", prefix_sets, "prefix 0" },
	{ "a prefix of no set", prefix_no_sets, "prefix 0" },
	{ "a kept object's name", keep_name, "kept nft object 0" },
	{ "a key of a rate", rule_key, "rule 0" },
	{ "a need that is none", need_kind, "need 1" },
	{ "a need of nobody", need_name, "need 0" },
};

static void test_spoilt(void)
{
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf bytes = { 0 };
		struct plan p, q;
		struct err why = { 0 };

		planned(&p, edge(a), a);
		spoilt[i].spoil(&p);
		plan_encode(&bytes, &p);
		int rc = plan_decode(&q, a, bytes.at, bytes.len, &why);
		if (!tap_ok(rc < 0 && strstr(why.text, spoilt[i].says), "refused: %s", spoilt[i].claim))
			tap_note("%d %s", rc, why.text);
	}
}

static uint32_t inner_node(const struct plan *p)
{
	uint32_t i = 0;

	while (p->bulk_nodes[i] & TEG_BULK_LEAF)
		i++;
	return i;
}

static uint32_t full_leaf(const struct plan *p)
{
	uint32_t i = 0;

	while (!(p->bulk_nodes[i] & TEG_BULK_LEAF) || !(p->bulk_nodes[i] & 0xffff))
		i++;
	return i;
}

static void tree_word(struct plan *p) { p->bulk_nodes[inner_node(p)] |= 7 << 6; }
static void tree_width(struct plan *p) { p->bulk_nodes[inner_node(p)] &= ~(15ull << 9); }
static void tree_shift(struct plan *p) { p->bulk_nodes[inner_node(p)] |= 63; }
static void tree_loop(struct plan *p) { p->bulk_nodes[inner_node(p)] &= UINT32_MAX; }
static void tree_far(struct plan *p) { p->bulk_nodes[inner_node(p)] |= (uint64_t)p->config.bulk.nodes << 32; }
static void tree_leaf(struct plan *p) { p->bulk_nodes[full_leaf(p)] |= (uint64_t)p->config.bulk.leaves << 32; }
static void tree_long(struct plan *p) { p->bulk_nodes[full_leaf(p)] |= 0xffff; }
static void tree_entry(struct plan *p) { p->bulk_leaves[0] = p->config.bulk.cells; }
static void tree_root(struct plan *p) { p->config.bulk.roots[0][0].first = p->config.bulk.nodes; }
static void tree_groups(struct plan *p) { p->config.bulk.groups[0] = TEG_BULK_GROUPS + 1; }
static void tree_depth(struct plan *p) { p->config.bulk.depth = TEG_BULK_DEPTH_MAX + 1; }
static void tree_longest(struct plan *p) { p->config.bulk.longest = TEG_BULK_LONGEST_MAX + 1; }
static void tree_host(struct plan *p) { p->bulk_boxes[0].addr[1] |= 1; }
static void tree_rate(struct plan *p) { p->rules[p->bulk_boxes[0].box.rule].cost_ns = p->rules[p->bulk_boxes[0].box.rule].depth_ns = 1; }
static void tree_order(struct plan *p) { p->bulk_boxes[9].box.rule = 0; }

static const struct {
	const char *claim;
	void (*spoil)(struct plan *p);
	const char *says;
} spoilt_trees[] = {
	{ "a node of a word that is not there", tree_word, "tree node" },
	{ "a node without children", tree_width, "tree node" },
	{ "a node that takes bits behind its word", tree_shift, "tree node" },
	{ "a node before itself", tree_loop, "tree node" },
	{ "a node with children beyond the end", tree_far, "tree node" },
	{ "a leaf beyond the end", tree_leaf, "tree node" },
	{ "a leaf longer than the longest", tree_long, "tree node" },
	{ "a leaf entry of no box", tree_entry, "leaf entry 0" },
	{ "a root that is not there", tree_root, "root" },
	{ "a group too many", tree_groups, "larger than" },
	{ "trees too deep", tree_depth, "larger than" },
	{ "leaves too long", tree_longest, "larger than" },
	{ "an address with host bits", tree_host, "tree box 0" },
	{ "a rate in the trees", tree_rate, "tree box 0" },
	{ "tree boxes in another order", tree_order, "tree box 9" },
};

static void test_trees(void)
{
	for (size_t i = 0; i <= ARRAY_LEN(spoilt_trees); i++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf bytes = { 0 };
		struct plan p, q;
		struct err why = { 0 };

		planned(&p, long_edge(a), a);
		in_trees(&p, a);
		if (i < ARRAY_LEN(spoilt_trees) && p.config.bulk.cells > 9)
			spoilt_trees[i].spoil(&p);
		plan_encode(&bytes, &p);
		int rc = plan_decode(&q, a, bytes.at, bytes.len, &why);
		if (i == ARRAY_LEN(spoilt_trees))
			tap_ok(!rc && p.config.bulk.cells >= 200 && same_tables(&p, &q), "trees come through: %s", why.text);
		else if (!tap_ok(rc < 0 && strstr(why.text, spoilt_trees[i].says), "refused: %s", spoilt_trees[i].claim))
			tap_note("%d %s", rc, why.text);
	}
}

static void vectors_short(struct plan *p) { p->config.bulk.vectors[0].words--; }
static void vectors_long(struct plan *p) { p->config.bulk.vectors[0].words++; }
static void vectors_other(struct plan *p) { p->config.bulk.vectors[1].words++; }
static void vectors_less(struct plan *p) { p->config.bulk.cells = 60; }
static void vectors_none(struct plan *p) { (void)p; }

static void test_vectors(void)
{
	static const struct {
		const char *claim;
		void (*spoil)(struct plan *p);
		bool refused;
	} rows[] = {
		{ "vectors of too few words", vectors_short, true },
		{ "vectors of too many words", vectors_long, true },
		{ "vectors of a family that has none", vectors_other, true },
		{ "vectors of more words than bits", vectors_less, true },
		{ "bit vectors as they are made", vectors_none, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf bytes = { 0 };
		struct plan p, q;
		struct err why = { 0 };

		planned(&p, long_edge(a), a);
		rows[i].spoil(&p);
		plan_encode(&bytes, &p);
		int rc = plan_decode(&q, a, bytes.at, bytes.len, &why);
		if (rows[i].refused)
			tap_ok(rc < 0 && strstr(why.text, "bit vectors"), "refused: %s: %s", rows[i].claim, why.text);
		else
			tap_ok(!rc && p.config.bulk.vectors[0].words && same_tables(&p, &q), "%s come through: %s",
			       rows[i].claim, why.text);
	}
}

static void test_cuts(struct arena *a)
{
	own(buf) struct buf bytes = { 0 };
	struct plan p, q;
	struct err why = { 0 };
	size_t passed = 0;

	planned(&p, edge(a), a);
	plan_encode(&bytes, &p);
	for (size_t len = 0; len < bytes.len; len++) {
		own(arena) struct arena *b = arena_new();
		own(mem) uint8_t *cut = malloc(len + 1);
		memcpy(cut, bytes.at, len);
		passed += plan_decode(&q, b, cut, len, &why) == 0;
	}
	tap_num(passed, 0, "no cut plan decodes");
	buf_add(&bytes, "", 1);
	tap_ok(plan_decode(&q, a, bytes.at, bytes.len, &why) < 0 && strstr(why.text, "more than a plan"),
	       "nor one with a byte too many");
	bytes.at[0] = 99;
	tap_ok(plan_decode(&q, a, bytes.at, bytes.len, &why) < 0 && strstr(why.text, "version 99") && strstr(why.text, "build the bundle again"),
	       "nor one of another version, and what to do is said");
}

/* What still decodes is in range: encoding it again gives the same bytes. */
static void test_mutants(struct arena *a)
{
	own(buf) struct buf bytes = { 0 };
	struct gen g = gen_new(11);
	struct plan p, q;
	struct err why;
	unsigned decoded = 0;
	bool same = true;

	planned(&p, edge(a), a);
	plan_encode(&bytes, &p);
	for (int i = 0; i < 20000; i++) {
		own(arena) struct arena *b = arena_new();
		own(mem) uint8_t *mutant = malloc(bytes.len);
		own(buf) struct buf again = { 0 };

		memcpy(mutant, bytes.at, bytes.len);
		for (unsigned n = 1 + gen_below(&g, 3); n; n--)
			mutant[gen_below(&g, (unsigned)bytes.len)] = (uint8_t)(gen_chance(&g, 30) ? 255 : gen_u64(&g));
		if (plan_decode(&q, b, mutant, bytes.len, &why))
			continue;
		decoded++;
		plan_encode(&again, &q);
		same &= again.len == bytes.len && !memcmp(again.at, mutant, bytes.len);
	}
	tap_ok(same && decoded > 100, "20000 mutants of a plan are refused or read as they stand (%u)", decoded);
}

static void needs_are_met(void)
{
	struct plan_need needs[] = { { NEED_EVENTS, "reflex.look" }, { NEED_FLEET, "BALANCED.web" }, { NEED_EVENTS, "A.b" } };
	struct plan p = { .needs = needs, .need_count = 3 };
	struct err why = { 0 };

	tap_num(plan_is_met(&p, 1u << NEED_EVENTS | 1u << NEED_FLEET, &why), 0, "an enforcer that can do all of it takes the plan");
	tap_num(plan_is_met(&p, 1u << NEED_EVENTS, &why), -ENOTSUP, "one that cannot refuses it");
	tap_text(why.text, "this enforcer cannot run buckets shared by the fleet (BALANCED.web)", "naming what, and who asks");
	why = (struct err){ 0 };
	plan_is_met(&p, 0, &why);
	tap_text(why.text, "this enforcer cannot run events of reflexes (reflex.look), nor 2 other parts of the policy", "and how many more");
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	test_counters(a);
	test_round();
	test_spoilt();
	test_trees();
	test_vectors();
	test_cuts(a);
	test_mutants(a);
	needs_are_met();
	return tap_done();
}
