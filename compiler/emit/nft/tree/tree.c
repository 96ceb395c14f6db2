#include "compiler/emit/nft/tree/tree.h"

#include "compiler/emit/nft/tree/grow.h"
#include "compiler/emit/nft/tree/keys.h"
#include "compiler/emit/nft/tree/row.h"

#define COPIES_MOST 1.3 /* of a list, by its division */

struct planning {
	struct nft_desk desk;
	struct arena *a;
	const struct nft_list *list;
};

/*
 * A packet's family and protocol are looked up once for all trees behind, and rules of other ones are none of its
 * business; where many items are of any, each part would have its copies of them.
 */
static bool divide(struct planning *k, struct nft_node *n, const struct nft_here *h, enum nft_axis x)
{
	const struct nft_cut c = { .axis = x, .room = 1 };
	struct nft_node cut = *n;
	size_t entries;

	if (k->list->never >> x & 1)
		return false;
	nft_split(&k->desk, k->a, &cut, h, c);
	entries = cut.rest ? cut.rest->items.len : 0;
	for (size_t i = 0; i < cut.branch_count; i++)
		entries += cut.branches[i].node->items.len;
	if (!cut.branch_count || (double)entries > COPIES_MOST * (double)n->items.len)
		return false;
	*n = cut;
	return true;
}

static void add_part(struct nft_price *all, struct nft_price one, size_t len, size_t of)
{
	all->ns += one.ns * (double)len / (double)of;
	all->us += one.us;
	all->maps += one.maps;
}

static struct nft_price plan(struct planning *k, struct nft_node *n, const struct nft_part *p, enum nft_axis from)
{
	const struct nft_here h = nft_desk_look(&k->desk, p, n->items);
	struct nft_price all;

	n->items.len = h.in.len;
	if (nft_leaf_is_worth(&k->desk, &h, LEAF_NS, &all))
		return all;
	for (; from <= NFT_AXIS_PROTO; from++)
		if (divide(k, n, &h, from))
			break;
	if (from > NFT_AXIS_PROTO)
		return nft_row_plan(&k->desk, k->a, n, p, k->list->never, (double)n->items.len / (double)k->list->count);
	all = nft_price_of_cut(n);
	for (size_t i = 0; i < n->branch_count; i++) {
		const struct nft_part part = nft_branch_part(n, p, i);

		add_part(&all, plan(k, n->branches[i].node, &part, from + 1), n->branches[i].node->items.len, n->items.len);
	}
	if (n->rest)
		add_part(&all, plan(k, n->rest, p, from + 1), n->rest->items.len, n->items.len);
	return all;
}

void nft_trees_plan(struct nft_trees *out, struct arena *a, const struct nft_list *l)
{
	own(arena) struct arena *scratch = arena_new();
	struct planning k = { .desk = { .a = scratch, .items = l->items }, .a = a, .list = l };
	struct nft_price all;
	const struct nft_part everything = nft_everything();
	struct nft_picked whole = nft_picked_new(a, l->count);

	nft_keys_choose(l->items, l->count);
	for (size_t i = 0; i < l->count; i++)
		nft_pick(&whole, (uint32_t)i, nft_decided(&l->items[i], &everything));
	out->root = arena_zero(a, sizeof *out->root);
	*out->root = (struct nft_node){ .items = whole };
	all = plan(&k, out->root, &everything, NFT_AXIS_FAMILY);
	out->packet_ns = all.ns;
	out->load_us = nft_load_us(all);
}
