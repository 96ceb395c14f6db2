/*
 * parts - a long list while it is lowered: what the files of bulk.h share.
 *
 *     items.c  its boxes as items, with what they ask on each axis
 *     maps.c   items of which a packet meets one at most, as a map
 *     bulk.c   trees, whose leaves are rules and maps; or one rule a line
 */
#ifndef TEG_EMIT_NFT_BULK_PARTS_H
#define TEG_EMIT_NFT_BULK_PARTS_H

#include "compiler/emit/nft/bulk/bulk.h"
#include "compiler/emit/nft/tree/desk.h"

/* Of a box: what it asks, and in which words. */
struct found {
	const struct ir_rule *rule;
	const struct nft_box *box;
	struct nft_way way;
	const char *counter;
	const char *told; /* its chain, where it is told of by name; NULL so far */
};

#define SPANS_KNOWN 1024u

struct bulk {
	struct nft_maker *mk;
	struct arena *a; /* of all that is dropped once there are chains */
	const struct nft_site *site;
	nft_bulk_ends ends;
	const char *counter; /* of the rule whose items are being found */
	VEC(struct found) found;
	VEC(struct nft_item) items;
	struct nft_desk desk; /* leaves' rules */
	size_t parts; /* of items that are one but for the blocks of a set */
	bool in_trees;
	bool terse;   /* so many that what they take to load counts for more than how they read */
	struct strmap beside; /* numbers of what items ask beside the axes, by its text */
	struct strmap leaves; /* chains, by what stands in them */
	const struct addr_range *spans[SPANS_KNOWN]; /* of ports and protocols, those that were asked last */
};

/* --- items.c -------------------------------------------------------------------------------------- */

int bulk_find(struct bulk *k, const struct ir_rule *rules, size_t count);

/* Rules that are told of by name have a chain each, which counts. */
const char *bulk_told_chain(struct bulk *k, struct found *f);

/* --- maps.c --------------------------------------------------------------------------------------- */

enum nft_field bulk_field(const struct bulk *k, enum nft_axis x, addr_num family);
void bulk_put_group(struct bulk *k, struct nft_chain *c, const struct nft_group *g);

#endif
