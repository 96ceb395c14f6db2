/*
 * What trees of long lists ask of a packet, counted: look-ups, halvings within them, rules and questions.
 *
 *     nft_model [KIND [SIZE]]
 *
 * ClassBench's lists and the packets of tests/bench/nft_bulk, walked in this process through the chains that
 * compiler/emit/nft/tree/tree.h plans. What the kernel makes of it is nft_bulk's to measure; a count is the same each time.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compiler/emit/nft/tree/desk.h"
#include "compiler/emit/nft/tree/price.h"
#include "compiler/emit/nft/tree/tree.h"
#include "compiler/ir/proto.h"
#include "tests/lib/classbench.h"
#include "tests/lib/tap.h"

#define PACKETS 4000

/* Of one packet, or of all. */
struct count {
	double chains, looks, halvings, rules, questions;
};

struct model {
	struct nft_item *items;
	size_t count;
	struct nft_trees trees;
	struct count of;
	size_t chains, maps, elements, rules, copies; /* of the whole */
};

static struct nft_spans span(struct arena *a, addr_num lo, addr_num hi)
{
	struct addr_range r = { lo, hi };

	return (struct nft_spans){ arena_copy(a, &r, sizeof r), 1 };
}

static struct nft_spans span_of(struct arena *a, struct prefix p)
{
	struct addr_range r = prefix_range(p);

	return p.len ? span(a, r.lo, r.hi) : span(a, 0, ~(addr_num)0);
}

static struct nft_item item_of(struct arena *a, const struct classbench_rule *r, size_t number)
{
	const bool any = r->proto == PROTO_ANY_NUMBER, ports = !any && proto_has_ports(r->proto), wide = !r->src.len && !r->dst.len;

	return (struct nft_item){
		.on = {
			[NFT_AXIS_FAMILY] = span(a, 0, wide ? FAMILY_COUNT - 1 : 0),
			[NFT_AXIS_PROTO] = span(a, any ? 0 : r->proto, any ? UINT8_MAX : r->proto),
			[NFT_AXIS_SRC] = span_of(a, r->src),
			[NFT_AXIS_DST] = span_of(a, r->dst),
			[NFT_AXIS_SPORT] = span(a, ports ? r->sport.lo : 0, ports ? r->sport.hi : UINT16_MAX),
			[NFT_AXIS_DPORT] = span(a, ports ? r->dport.lo : 0, ports ? r->dport.hi : UINT16_MAX),
		},
		.beside = number % 4 == 3, .plain = true, .grouped = true,
	};
}

static addr_num value_of(const struct packet *p, int x)
{
	switch ((enum nft_axis)x) {
	case NFT_AXIS_FAMILY:
		return p->family;
	case NFT_AXIS_PROTO:
		return p->proto;
	case NFT_AXIS_SRC:
		return p->src.num;
	case NFT_AXIS_DST:
		return p->dst.num;
	case NFT_AXIS_SPORT:
		return p->sport;
	case NFT_AXIS_DPORT:
		return p->dport;
	case NFT_AXES:
		break;
	}
	return 0;
}

/* Counts the questions that it takes to tell. */
static bool has(const struct nft_item *it, const struct packet *p, unsigned decided, double *questions)
{
	for (int x = 0; x < NFT_AXES; x++) {
		const addr_num v = value_of(p, x);

		if (decided >> x & 1)
			continue;
		*questions += 1;
		if (v < it->on[x].at[0].lo || v > it->on[x].at[0].hi)
			return false;
	}
	return true;
}

static bool in_leaf(struct model *m, const struct nft_node *n, const struct nft_part *part, const struct packet *p)
{
	own(arena) struct arena *a = arena_new();
	size_t count;
	struct nft_desk desk = { .a = a, .items = m->items };
	struct nft_group *groups = nft_groups(&desk, part, n->items, &count);

	for (size_t i = 0; i < count; i++) {
		double unasked = 0;

		m->of.rules += groups[i].map ? 1 : 0;
		m->of.looks += groups[i].map;
		m->of.halvings += groups[i].map && !(groups[i].axes & (groups[i].axes - 1)) ? nft_log2(groups[i].len) : 0;
		for (size_t k = 0; k < groups[i].len; k++) {
			const struct nft_item *it = &m->items[groups[i].items[k]];

			m->of.rules += !groups[i].map;
			if (has(it, p, nft_decided(it, part), groups[i].map ? &unasked : &m->of.questions))
				return true;
		}
	}
	return false;
}

static bool has_ranges(const struct nft_node *n)
{
	for (size_t i = 0; i < n->branch_count; i++)
		if (!n->bits && n->branches[i].range.lo != n->branches[i].range.hi)
			return true;
	return false;
}

static bool in_node(struct model *m, const struct nft_node *n, const struct nft_part *part, const struct packet *p);

static bool in_row(struct model *m, const struct nft_node *n, const struct nft_part *part, const struct packet *p)
{
	for (size_t i = 0; i < n->row_len; i++) {
		m->of.chains += n->row[i]->kind == NFT_NODE_CUT && n->row[i]->rest && n->row[i]->rest->items.len;
		if (in_node(m, n->row[i], part, p))
			return true;
	}
	return false;
}

static bool in_cut(struct model *m, const struct nft_node *n, const struct nft_part *part, const struct packet *p)
{
	const addr_num v = value_of(p, n->axis);

	m->of.looks++;
	m->of.halvings += has_ranges(n) ? nft_log2(2 * n->branch_count) : 0;
	for (size_t i = 0; i < n->branch_count; i++)
		if (v >= n->branches[i].range.lo && v <= n->branches[i].range.hi) {
			const struct nft_part branch = nft_branch_part(n, part, i);

			m->of.chains++;
			return in_node(m, n->branches[i].node, &branch, p);
		}
	return n->rest && in_node(m, n->rest, part, p);
}

static bool in_node(struct model *m, const struct nft_node *n, const struct nft_part *part, const struct packet *p)
{
	switch (n->kind) {
	case NFT_NODE_LEAF:
		return in_leaf(m, n, part, p);
	case NFT_NODE_CUT:
		return in_cut(m, n, part, p);
	case NFT_NODE_ROW:
		return in_row(m, n, part, p);
	}
	return false;
}

/* --- what there is to load ----------------------------------------------------------------------------------- */

static void add_leaf(struct model *m, const struct nft_node *n, const struct nft_part *part)
{
	own(arena) struct arena *a = arena_new();
	size_t count;
	struct nft_desk desk = { .a = a, .items = m->items };
	struct nft_group *groups = nft_groups(&desk, part, n->items, &count);

	m->copies += n->items.len;
	for (size_t i = 0; i < count; i++) {
		m->maps += groups[i].map;
		m->elements += groups[i].map ? groups[i].len : 0;
		m->rules += groups[i].map ? 1 : groups[i].len;
	}
}

static void add_node(struct model *m, const struct nft_node *n, const struct nft_part *part)
{
	m->chains++;
	if (n->kind == NFT_NODE_LEAF)
		add_leaf(m, n, part);
	m->maps += n->kind == NFT_NODE_CUT;
	m->elements += n->branch_count;
	for (size_t i = 0; i < n->branch_count; i++) {
		const struct nft_part branch = nft_branch_part(n, part, i);

		add_node(m, n->branches[i].node, &branch);
	}
	if (n->rest)
		add_node(m, n->rest, part);
	for (size_t i = 0; i < n->row_len; i++)
		add_node(m, n->row[i], part);
}

/* --- one list ---------------------------------------------------------------------------------------------------- */

static void plan(struct model *m, struct arena *a, const struct classbench_rule *rules)
{
	const struct classbench_rule any = { .proto = PROTO_ANY_NUMBER, .sport = { 0, UINT16_MAX }, .dport = { 0, UINT16_MAX } };
	const struct nft_part all = nft_everything();

	m->items = arena_zero(a, (m->count + 1) * sizeof *m->items);
	for (size_t i = 0; i < m->count; i++)
		m->items[i] = item_of(a, &rules[i], i);
	m->items[m->count] = item_of(a, &any, 3);
	nft_trees_plan(&m->trees, a, &(struct nft_list){ m->items, m->count + 1, 0 });
	add_node(m, m->trees.root, &all);
}

static void model(const char *kind, const char *size)
{
	own(arena) struct arena *a = arena_new();
	struct classbench_rule *rules;
	struct model m = { .count = classbench_read(&rules, a, arena_printf(a, "%s1_%s", kind, size)) };
	const struct nft_part all = nft_everything();
	const clock_t begun = clock();
	struct gen g = gen_new(1);

	if (!m.count)
		return;
	plan(&m, a, rules);
	const double ms = (double)(clock() - begun) * 1e3 / CLOCKS_PER_SEC;
	for (size_t i = 0; i < PACKETS; i++) {
		struct packet p = classbench_packet(&g, rules, m.count);

		in_node(&m, m.trees.root, &all, &p);
	}
	printf("%-3s %5zu  %7.1f %6.1f %9.1f %6.1f %10.1f %7.0f  %7zu %6zu %9zu %6zu %7.2f %6.0f  %5.0f\n", kind, m.count,
	       m.of.chains / PACKETS, m.of.looks / PACKETS, m.of.halvings / PACKETS, m.of.rules / PACKETS, m.of.questions / PACKETS,
	       m.trees.packet_ns, m.chains, m.maps, m.elements, m.rules, (double)m.copies / (double)m.count,
	       (m.trees.load_us + COUNTER_US * (double)m.count) / 1e3, ms);
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "acl", "fw", "ipc" };

	printf("            a packet meets                                      (told)  there are                                (told)   made\n"
	       "     rules   chains  looks  halvings  rules  questions      ns   chains   maps  elements  rules  copies     ms     ms\n");
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		if (argc < 2 || !strcmp(argv[1], kinds[k]))
			model(kinds[k], argc > 2 ? argv[2] : "10000");
	return 0;
}
