/*
 * bulk_pack - a plan's trees in the form that the first hook reads: gen_bulk of bpf-templates/abi.h.
 *
 *     struct bulk_words w = bulk_pack(arena, plan);
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
	uint32_t nodes_at; /* where the nodes begin, in words; roots and nodes here count from 0 of all words */
};

/* No words when the plan has no trees. */
struct bulk_words bulk_pack(struct arena *a, const struct plan *plan);

/* Else E2BIG, with the limit. */
bool bulk_fits(const struct bulk_words *w, struct err *why);

/*
 * May a box be a cell of the trees? It asks for ports only of protocols that have some, and for an ICMP
 * type only of ICMP: both have one place in a cell.
 */
bool bulk_can_pack(const struct teg_box *b);

#endif
