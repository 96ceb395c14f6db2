/*
 * bulk - the first of many cells: by a tree to the few that may match, then one by one.
 *
 *     key ──► root of its family ──► node ──► ... ──► leaf: numbers of cells ──► the first that matches
 *
 * A function of its own, verified once: what comes before and after it has no
 * part in its ways.
 */
#ifndef TEG_BULK_H
#define TEG_BULK_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/config.h"
#include "bpf-templates/walk.h"

#define NO_RULE ~0u

/* One value each, as long as the policy needs: set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct teg_bulk_cell));
} gen_bulk_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} gen_bulk_nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} gen_bulk_leaves SEC(".maps");

struct bulk_key {
	__u64 words[8]; /* TEG_BULK_WORDS of them; eight so that three bits choose one */
	__u64 zones, src, dst;
	__u32 head, posture, family;
};

struct bulk_tables {
	const __u64 *nodes;
	const __u32 *leaves;
	const struct teg_bulk_cell *cells;
	const struct teg_rule *rules;
};

static __always_inline bool bulk_cell_has(const struct teg_bulk_cell *b, const struct bulk_key *k)
{
	const struct teg_cell *c = &b->cell;
	const __u64 *w = k->words;

	__u64 differs = ((k->head ^ c->want) & c->mask) | ((w[0] ^ b->addr[0]) & b->mask[0]) |
			((w[1] ^ b->addr[1]) & b->mask[1]) | ((w[2] ^ b->addr[2]) & b->mask[2]) |
			((w[3] ^ b->addr[3]) & b->mask[3]);
	if (differs)
		return false;
	__s64 in = walk_some(c->zones & k->zones) & walk_some(c->src & k->src) & walk_some(c->dst & k->dst);
	__s64 out = walk_outside(w[4] >> 32, c->dport_lo, c->dport_hi) | walk_outside(w[4] >> 48, c->sport_lo, c->sport_hi) |
		    walk_outside(w[4] >> 16, c->icmp_lo, c->icmp_hi);
	return (in & ~out) < 0;
}

/* The leaf where the key belongs; 0 is none. */
static __always_inline __u64 bulk_leaf(const struct bulk_tables *t, const struct bulk_key *k, __u32 root)
{
	const __u32 nodes_max = gen_config.bulk.nodes, depth = gen_config.bulk.depth;
	__u64 at = root, n = 0;

	for (__u32 i = 0; i < depth; i++) {
		WALK_ONE_REGISTER(at);
		if (at >= nodes_max)
			return 0;
		n = t->nodes[at];
		if (n & TEG_BULK_LEAF)
			return n;
		at = (n >> 32) + (k->words[n >> 6 & 7] >> (n & 63) & ((1u << (n >> 9 & 15)) - 1));
	}
	return 0;
}

/* The first cell of a leaf that matches and comes before `best`; else `best`. */
static __always_inline __u32 bulk_scan(const struct bulk_tables *t, const struct bulk_key *k, __u64 leaf, __u32 best)
{
	const __u32 leaves_max = gen_config.bulk.leaves, cells_max = gen_config.bulk.cells;
	const __u32 longest = gen_config.bulk.longest, rules_max = gen_config.rule_count;
	const __u32 first = leaf >> 32 & 0x7fffffff, count = leaf & 0xffff;

	for (__u32 i = 0; i < longest && i < count; i++) {
		__u64 at = first + i;

		WALK_ONE_REGISTER(at);
		if (at >= leaves_max)
			break;
		__u64 c = t->leaves[at];
		WALK_ONE_REGISTER(c);
		if (c >= best || c >= cells_max)
			break;
		const struct teg_bulk_cell *cell = &t->cells[c];
		if (!bulk_cell_has(cell, k))
			continue;
		__u64 rule = cell->cell.rule;
		WALK_ONE_REGISTER(rule);
		if (rule < rules_max && !(t->rules[rule].except >> (k->posture & 63) & 1))
			return c;
	}
	return best;
}

/* bulk_first - the rule of the first cell that matches, or NO_RULE. */
__noinline __u32 bulk_first(const struct bulk_key *k)
{
	const __u32 zero = 0, cells_max = gen_config.bulk.cells, groups = gen_config.bulk.groups;
	const struct bulk_tables t = {
		bpf_map_lookup_elem(&gen_bulk_nodes, &zero), bpf_map_lookup_elem(&gen_bulk_leaves, &zero),
		bpf_map_lookup_elem(&gen_bulk_cells, &zero), bpf_map_lookup_elem(&gen_rules, &zero),
	};
	__u32 best = NO_RULE;

	if (!k || !t.nodes || !t.leaves || !t.cells || !t.rules)
		return NO_RULE;
	for (__u32 g = 0; g < groups && g < TEG_BULK_GROUPS; g++) {
		__u64 leaf = bulk_leaf(&t, k, gen_config.bulk.roots[k->family & 1][g]);

		best = bulk_scan(&t, k, leaf, best);
	}
	return best < cells_max ? t.cells[best].cell.rule : NO_RULE;
}

#endif
