/*
 * bulk_pack - a plan's trees or bit vectors in the form that the first hook reads: gen_bulk of bpf-templates/abi.h.
 *
 *     struct bulk_words w = bulk_pack(arena, plan, slots);
 *
 * The warden loads what this makes, and the compiler's audit reads it back.
 */
#ifndef TEG_BUNDLE_BULK_PACK_H
#define TEG_BUNDLE_BULK_PACK_H

#include "lang/base/arena.h"
#include "lang/bundle/plan.h"

struct bulk_words {
	uint64_t *at;
	size_t len;   /* more than TEG_BULK_WORDS_MAX, or more mores than there may be: cannot be loaded */
	size_t mores;
	bool short6;  /* cells of IPv6 are short ones */
	uint32_t nodes_at; /* where the nodes begin, in words; roots and nodes here count from 0 of all words */
	struct teg_vectors vectors[2]; /* by family, when the plan has them */
};

/* No words when the plan has neither. `slots` says where each counter of the plan is; NULL: where the plan has it. */
struct bulk_words bulk_pack(struct arena *a, const struct plan *plan, const uint32_t *slots);

/* Does the rule nothing but drop, told as any drop is? Then its cells say so. */
bool bulk_is_plain(const struct teg_rule *r);

/* What a cell's last word, or a bit's, says of its rule and of what is asked more. */
uint64_t bulk_last(const struct teg_rule *rules, const uint32_t *slots, uint32_t rule, uint32_t more);

/* Else E2BIG, with the limit. */
bool bulk_fits(const struct bulk_words *w, struct err *why);

/* So many different things do boxes ask beside their own words, nothing among them. */
size_t bulk_mores(const struct teg_bulk_box *boxes, uint32_t count, const struct teg_rule *rules);

/* Has the plan bit vectors, and no trees? */
bool bulk_has_vectors(const struct teg_bulk *t);

/*
 * May a box be a cell of the trees? It asks for ports only of protocols that have some, and for an ICMP
 * type only of ICMP: both have one place in a cell.
 */
bool bulk_can_pack(const struct teg_box *b);

#endif
