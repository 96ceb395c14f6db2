#include "enforcer/hook/trie.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROOTS 2u

static int by_value(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* Every mask that occurs, once, ascending; 0 first. */
static void masks_collect(struct trie *t, struct arena *a, const struct plan_prefix *prefixes, uint32_t count)
{
	t->masks = arena_zero(a, ((size_t)count + 1) * sizeof *t->masks);
	for (uint32_t i = 0; i < count; i++)
		t->masks[i + 1] = prefixes[i].sets;
	qsort(t->masks, (size_t)count + 1, sizeof *t->masks, by_value);
	for (size_t i = 0; i <= count; i++)
		if (!i || t->masks[i] != t->masks[t->mask_count - 1])
			t->masks[t->mask_count++] = t->masks[i];
}

static uint32_t leaf_of(const struct trie *t, uint64_t mask)
{
	const uint64_t *at = bsearch(&mask, t->masks, t->mask_count, sizeof *t->masks, by_value);

	return TEG_LEAF | (uint32_t)(at - t->masks);
}

/* A node whose every entry is `entry`; 0 when there are as many as may be. */
static uint32_t node_add(struct trie *t, uint32_t entry)
{
	if (t->node_count == TEG_NODES_MAX)
		return 0;
	for (unsigned i = 0; i < 256; i++)
		t->nodes[t->node_count].at[i] = entry;
	return t->node_count++;
}

/* Prefixes come shortest first, so what one overwrites is never longer than itself. */
static bool insert(struct trie *t, const struct plan_prefix *p)
{
	uint32_t node = p->prefix.addr.family == FAMILY_IP4 ? 0 : 1;
	uint32_t leaf = leaf_of(t, p->sets);
	unsigned bits = p->prefix.len;
	uint8_t bytes[16];

	addr_to_bytes(p->prefix.addr, bytes);
	for (unsigned level = 0;; level++, bits -= 8) {
		uint32_t *entry = &t->nodes[node].at[bytes[level]];

		if (bits <= 8) {
			for (unsigned i = 0; i < 256u >> bits; i++)
				entry[i] = leaf;
			return true;
		}
		if (*entry & TEG_LEAF) {
			uint32_t child = node_add(t, *entry);

			if (!child)
				return false;
			*entry = child;
		}
		node = *entry;
	}
}

static int by_length(const void *x, const void *y)
{
	const struct plan_prefix *const *a = x, *const *b = y;

	return (*a)->prefix.len < (*b)->prefix.len ? -1 : (*a)->prefix.len > (*b)->prefix.len;
}

/* A prefix has a node of its own for each whole byte before its last, at worst. */
static size_t nodes_at_most(const struct plan_prefix *prefixes, uint32_t count)
{
	size_t most = ROOTS;

	for (uint32_t i = 0; i < count && most < TEG_NODES_MAX; i++)
		most += prefixes[i].prefix.len / 8;
	return most < TEG_NODES_MAX ? most : TEG_NODES_MAX;
}

struct trie trie_build(struct arena *a, const struct plan_prefix *prefixes, uint32_t count)
{
	if (count > 256 * TEG_NODES_MAX) /* a prefix has an entry at least */
		return (struct trie){ 0 };

	struct trie t = { .nodes = arena_zero(a, nodes_at_most(prefixes, count) * sizeof *t.nodes) };
	const struct plan_prefix **order = arena_zero(a, ((size_t)count + 1) * sizeof *order);

	masks_collect(&t, a, prefixes, count);
	for (uint32_t i = 0; i < count; i++)
		order[i] = &prefixes[i];
	qsort(order, count, sizeof *order, by_length);
	for (unsigned i = 0; i < ROOTS; i++)
		node_add(&t, leaf_of(&t, 0));
	for (uint32_t i = 0; i < count; i++)
		if (!insert(&t, order[i]))
			return (struct trie){ 0 };
	return t;
}

uint64_t trie_find(const struct trie *t, struct addr addr)
{
	uint32_t entry = addr.family == FAMILY_IP4 ? 0 : 1;
	uint8_t bytes[16];

	addr_to_bytes(addr, bytes);
	for (unsigned level = 0; !(entry & TEG_LEAF); level++)
		entry = t->nodes[entry].at[bytes[level]];
	return t->masks[entry & ~TEG_LEAF];
}
