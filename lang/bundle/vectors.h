/*
 * vectors - a plan's boxes as bit vectors: the rows that bpf-templates/abi.h describes. A part of bulk_pack.h.
 *
 *     if (vectors_fit(boxes, count, rules, &ask))     the plan says ask.words, for each family
 *     vectors_pack(&words, arena, plan, more_of, slots)   appends them to what boxes ask more
 */
#ifndef TEG_BUNDLE_VECTORS_H
#define TEG_BUNDLE_VECTORS_H

#include "lang/base/addr.h"
#include "lang/base/ranges.h"
#include "lang/bundle/bulk_pack.h"

struct vectors_ask {
	uint32_t words[FAMILY_COUNT]; /* of a row; 0: no box is of the family */
	double blocks; /* in which a packet is looked for, each bit as likely */
	uint32_t mores;
};

/* Is there room for all bits, and for all that boxes ask more? `ask` says how much they need. */
bool vectors_fit(const struct teg_bulk_box *boxes, uint32_t count, const struct teg_rule *rules, struct vectors_ask *ask);

/* `more_of` says by box what it asks more; `slots` is bulk_pack()'s. */
void vectors_pack(struct bulk_words *words, struct arena *a, const struct plan *plan, const uint32_t *more_of,
		  const uint32_t *slots);

/* What a box asks of the destination's port, or of the ICMP type and code, which have one place. */
struct range vectors_dport(const struct teg_box *b);

#endif
