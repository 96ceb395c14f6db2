/*
 * trie - a plan's address sets in the form that the first hook walks: gen_nodes
 * and gen_masks of bpf-templates/abi.h.
 *
 *     10.0.0.0/8  in A            node 0   [10] ──► node 2   [0] ───── leaf: mask {A}
 *     10.1.0.0/16 in A and B                                 [1] ───── leaf: mask {A, B}
 *                                          [..] leaf: {}     [2..255]  leaf: mask {A}
 *
 * A prefix that ends within a byte fills all entries that it covers.
 */
#ifndef TEG_HOOK_TRIE_H
#define TEG_HOOK_TRIE_H

#include <stdint.h>

#include "bpf-templates/abi.h"
#include "lang/base/arena.h"
#include "lang/bundle/plan.h"

struct trie {
	struct teg_node *nodes;
	uint64_t *masks; /* the first is 0: in no set */
	uint32_t node_count, mask_count;
};

/* In `a`. All counts are 0 when the sets need more than TEG_NODES_MAX nodes. */
struct trie trie_build(struct arena *a, const struct plan_prefix *prefixes, uint32_t count);

/* The sets of an address, as the program finds them. */
uint64_t trie_find(const struct trie *t, struct addr addr);

#endif
