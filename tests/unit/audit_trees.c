/* Trees read back are proved; a leaf that lists one box less, and a node that takes other bits, are refused. */
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/bulk_pack.h"
#include "tests/lib/classbench.h"
#include "tests/lib/in_trees.h"
#include "tests/lib/tap.h"

enum { RULES = 400 };

static struct prefix draw_prefix(struct gen *g, unsigned from, unsigned to)
{
	static const unsigned lens[] = { 0, 8, 14, 18, 20, 24, 28, 32 };
	unsigned len = lens[from + gen_below(g, to - from)];
	uint32_t num = 0x0a000000 | ((uint32_t)gen_u64(g) & 0xf0f0f07);

	return (struct prefix){ { FAMILY_IP4, len ? num & ~0u << (32 - len) : 0 }, len };
}

static struct classbench_rule *draw_rules(struct gen *g, struct arena *a)
{
	static const uint16_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ANY_NUMBER };
	struct classbench_rule *rules = arena_zero(a, RULES * sizeof *rules);

	for (int i = 0; i < RULES; i++) {
		uint16_t port = (uint16_t)gen_below(g, 2000), width = (uint16_t)gen_below(g, 3);
		/* Narrow ones for the hashes, wide ones of few ports for the trees. */
		bool wide = gen_chance(g, 50);

		rules[i] = (struct classbench_rule){ draw_prefix(g, 0, wide ? 3 : 8), draw_prefix(g, wide ? 0 : 4, wide ? 3 : 8), { 0, UINT16_MAX },
						     { port, (uint16_t)(port + width) }, protos[gen_below(g, wide ? 3 : 4)] };
	}
	return rules;
}

enum damage { ENTRY, SHORTER, WORD, SHIFT, WIDTH, ROOT, TAKE, DEPTH, ADDRESS, PORT, DAMAGES };

static uint64_t *some_node(struct plan *p, struct gen *g, bool leaf)
{
	for (int i = 0; i < 5000; i++) {
		uint64_t *n = &p->bulk_nodes[gen_below(g, p->config.bulk.nodes)];

		if (!!(*n & TEG_BULK_LEAF) == leaf && (!leaf || *n & 0xffff))
			return n;
	}
	return NULL;
}

static bool damage(struct plan *p, enum damage d, struct gen *g)
{
	struct teg_bulk *t = &p->config.bulk;
	uint64_t *leaf = some_node(p, g, true), *node = some_node(p, g, false);
	struct teg_bulk_box *b = &p->bulk_boxes[gen_below(g, t->cells)];
	struct teg_bulk_root *root = &t->roots[0][gen_below(g, t->groups[0])];

	if (!leaf || (!node && (d == WORD || d == SHIFT || d == WIDTH)))
		return false;
	switch (d) {
	case ENTRY:
		p->bulk_leaves[gen_below(g, t->leaves)] = gen_below(g, t->cells);
		return true;
	case SHORTER:
		--*leaf;
		return true;
	case WORD:
		*node ^= ((*node >> 6 & 7) == 4 ? 5 : 2) << 6;
		return true;
	case SHIFT:
		*node ^= 1;
		return true;
	case WIDTH:
		*node -= 1 << 9;
		return *node >> 9 & 15;
	case ROOT:
		root->first++;
		return root->first + teg_bulk_root_nodes(root) <= t->nodes;
	case TAKE:
		root->take[gen_below(g, 2)] ^= 1u << 31;
		return root->shift;
	case DEPTH:
		return t->depth && t->depth--;
	case ADDRESS:
		b->addr[1] ^= 1 << 24 & b->mask[1];
		return b->mask[1] & 1 << 24;
	case PORT:
		return b->box.dport_lo && b->box.dport_lo--;
	case DAMAGES:
		break;
	}
	return false;
}

/* As bpf-templates/bulk.h walks: the first box of the packet. */
static uint32_t walk(const struct plan *p, const struct classbench_rule *rules, const struct packet *x)
{
	const struct teg_bulk *t = &p->config.bulk;
	const uint64_t words[8] = { 0, 0xffffull << 32 | (uint32_t)x->src.num, 0, 0xffffull << 32 | (uint32_t)x->dst.num,
				    (uint64_t)x->sport << 48 | (uint64_t)x->dport << 32 | x->proto };
	uint32_t best = UINT32_MAX;

	for (uint32_t g = 0; g < t->groups[0]; g++) {
		const struct teg_bulk_root *r = &t->roots[0][g];
		uint64_t n = p->bulk_nodes[r->first + teg_bulk_hash(r, words[1], words[3], words[4])];

		for (uint32_t i = 0; i < t->depth && !(n & TEG_BULK_LEAF); i++)
			n = p->bulk_nodes[(n >> 32) + (words[n >> 6 & 7] >> (n & 63) & ((1u << (n >> 9 & 15)) - 1))];
		for (uint32_t i = 0; n & TEG_BULK_LEAF && i < (n & 0xffff); i++) {
			uint32_t c = p->bulk_leaves[(n >> 32 & 0x7fffffff) + i];

			if (c < best && classbench_has(&rules[p->bulk_boxes[c].box.rule], x))
				best = c;
		}
	}
	return best;
}

static bool differ(const struct plan *x, const struct plan *y, const struct classbench_rule *rules, struct gen *g)
{
	bool differ = false;

	for (int i = 0; i < 2000 && !differ; i++) {
		struct packet p = classbench_packet(g, rules, RULES);

		differ = walk(x, rules, &p) != walk(y, rules, &p);
	}
	return differ;
}

static struct plan copy_of(const struct plan *p, struct arena *a)
{
	struct plan c = *p;
	const struct teg_bulk *t = &p->config.bulk;

	c.bulk_boxes = arena_copy(a, p->bulk_boxes, t->cells * sizeof *p->bulk_boxes);
	c.bulk_nodes = arena_copy(a, p->bulk_nodes, t->nodes * sizeof *p->bulk_nodes);
	c.bulk_leaves = arena_copy(a, p->bulk_leaves, t->leaves * sizeof *p->bulk_leaves);
	return c;
}

/* What only the packed words have. */
enum hidden { LEAST, SLOT, CELL, MARK, HIDDEN };

/* In a node, or in the last word of a leaf's last cell. Another slot or another question is always a lie; the others need do no harm. */
static bool damage_words(const struct plan *p, struct bulk_words *w, enum hidden d, struct gen *g)
{
	uint64_t *node = &w->at[w->nodes_at + gen_below(g, p->config.bulk.nodes)];
	uint64_t *last = &w->at[TEG_BULK_AT(*node) + (TEG_BULK_COUNT(*node) - 1) * TEG_BULK_CELL4 + TEG_BULK_CELL4 - 1];
	const bool leaf = *node & TEG_BULK_LEAF && TEG_BULK_COUNT(*node);

	switch (d) {
	case LEAST:
		if (TEG_BULK_LEAST(*node) % TEG_BULK_LEAST_OF_LEAF >= RULES)
			return false;
		*node += 1ull << 46;
		return true;
	case SLOT:
		if (leaf)
			*last ^= 1ull << 28;
		return leaf;
	case CELL:
		if (leaf)
			*last ^= 1ull << (8 + gen_below(g, 4));
		return leaf;
	case MARK:
		*node ^= 1 << 9;
		return leaf && *node & TEG_BULK_MARKED;
	case HIDDEN:
		break;
	}
	return false;
}

static size_t sound, harmed[DAMAGES], noticed[DAMAGES], missed[DAMAGES], hidden[HIDDEN], found[HIDDEN];

static void check_words(const struct plan *plan, struct arena *a, struct gen *g)
{
	struct err why;

	for (int d = 0; d < HIDDEN; d++) {
		struct bulk_words w = bulk_pack(a, plan, NULL);

		if (!damage_words(plan, &w, (enum hidden)d, g))
			continue;
		hidden[d]++;
		found[d] += audit_trees_of(plan, w, &why) != 0;
	}
}

static void check_list(struct gen *g)
{
	own(arena) struct arena *a = arena_new();
	struct classbench_rule *rules = draw_rules(g, a);
	struct ir *ir = classbench_ir(rules, RULES, 1, a);
	struct plan plan = { 0 };
	struct err why = { 0 };

	emit_plan(&plan, ir, a);
	if (emit_xdp(&plan, ir, a, &why) || !in_trees(&plan, a))
		return;
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	int rc = audit_first_hook(p, ir, &plan, &why);
	sound += !rc;
	for (int i = 0; i < 4; i++)
		check_words(&plan, a, g);
	if (rc)
		tap_note("%s", why.text);
	for (int d = 0; d < DAMAGES; d++) {
		struct plan bad = copy_of(&plan, a);
		bool boxes = d == ADDRESS || d == PORT;

		if (!damage(&bad, (enum damage)d, g))
			continue;
		harmed[d]++;
		rc = boxes ? audit_first_hook(p, ir, &bad, &why) : audit_trees(&bad, &why);
		noticed[d] += rc != 0;
		missed[d] += !rc && !boxes && differ(&plan, &bad, rules, g);
	}
}

static size_t sound6[2], harmed6[2], found6[2]; /* of short cells, of long ones */

/* A bit of an end of one of IPv6's cells is always a lie. */
static void check_ends(struct gen *g, bool hosts)
{
	own(arena) struct arena *a = arena_new();
	struct classbench_rule *rules = draw_rules(g, a);
	struct plan plan = { 0 };
	struct err why = { 0 };

	classbench_ip6(rules, RULES);
	for (int i = 0; hosts && i < RULES; i += 7)
		rules[i].dst.len = 128;
	struct ir *ir = classbench_ir(rules, RULES, 1, a);
	emit_plan(&plan, ir, a);
	if (emit_xdp(&plan, ir, a, &why) || !in_trees(&plan, a))
		return;
	struct bulk_words w = bulk_pack(a, &plan, NULL);
	const unsigned each = w.short6 ? TEG_BULK_SHORT6 : TEG_BULK_CELL6, ends = w.short6 ? 2 : 4;
	sound6[hosts] += w.short6 == !hosts && !audit_trees(&plan, &why);
	for (uint32_t n = 0; n < plan.config.bulk.nodes; n++) {
		uint64_t node = w.at[w.nodes_at + n];

		if (!(node & TEG_BULK_LEAF) || !TEG_BULK_COUNT(node) || !gen_chance(g, 5))
			continue;
		uint64_t *end = &w.at[TEG_BULK_AT(node) + gen_below(g, (unsigned)TEG_BULK_COUNT(node)) * each + gen_below(g, ends)];
		const uint64_t was = *end;
		*end ^= 1ull << gen_below(g, 64);
		harmed6[hosts]++;
		found6[hosts] += audit_trees_of(&plan, w, &why) != 0;
		*end = was;
	}
}

static void check_ip6(struct gen *g)
{
	static const char *const cells[] = { "short cells", "long cells" };

	for (int hosts = 0; hosts < 2; hosts++) {
		for (int i = 0; i < 4; i++)
			check_ends(g, hosts);
		tap_ok(sound6[hosts] == 4, "IPv6 lists in %s as they were made are proved: %zu of 4", cells[hosts], sound6[hosts]);
		tap_ok(harmed6[hosts] > 20 && found6[hosts] == harmed6[hosts], "a bit of an end of %s: noticed %zu of %zu times", cells[hosts],
		       found6[hosts], harmed6[hosts]);
	}
}

int main(void)
{
	static const char *const names[DAMAGES] = {
		"an entry of a leaf", "a leaf's length", "a node's word", "a node's shift", "a node's width", "where a root begins",
		"what its hash is of", "the depth", "a box's address", "a box's port",
	};
	struct gen g = gen_new(11);

	static const char *const words[HIDDEN] = { "the least rule of a node", "where a cell says that it is counted", "what a cell asks",
						   "a mark" };
	for (int i = 0; i < 40; i++)
		check_list(&g);
	tap_num((int64_t)sound, 40, "lists of boxes in trees as they were made are proved");
	for (int d = 0; d < DAMAGES; d++) {
		tap_ok(harmed[d] > 5 && noticed[d] * 10 > harmed[d] * 3, "%s damaged: noticed %zu of %zu times", names[d],
		       noticed[d], harmed[d]);
		tap_num((int64_t)missed[d], 0, "and no packet is judged otherwise where it was not");
	}
	for (int d = 0; d < HIDDEN; d++)
		tap_ok(hidden[d] > 4 && found[d] * 10 >= hidden[d] * (d == SLOT || d == CELL ? 10 : 3),
		       "%s damaged in the packed words: noticed %zu of %zu times", words[d], found[d], hidden[d]);
	check_ip6(&g);
	return tap_done();
}
