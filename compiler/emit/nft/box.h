/*
 * nft_box - a rule's boxes, joined where that is exact.
 *
 * An nft rule can ask for a set of ports or protocols at once, so boxes that
 * differ in one such field become one: `web` (tcp/80, tcp/443, udp/443) to one
 * host is two rules, not three. A union of two boxes that are equal in all
 * fields but one is the box with the union of that field; nothing else is joined.
 */
#ifndef TEG_EMIT_NFT_BOX_H
#define TEG_EMIT_NFT_BOX_H

#include "compiler/ir/ir.h"

struct nft_box {
	const struct ir_box *box; /* all but proto */
	struct ranges protos;	  /* all when not asked */
};

/* In an order that depends on nothing but the boxes; one that is joined with none is the caller's. */
struct nft_box *nft_boxes(struct arena *a, const struct ir_box *boxes, size_t count,
			  size_t *out_count);

#endif
