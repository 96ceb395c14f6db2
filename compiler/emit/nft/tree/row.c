#include "compiler/emit/nft/tree/row.h"

#include <math.h>
#include <string.h>

#include "compiler/emit/nft/tree/grow.h"
#include "compiler/emit/nft/tree/shape.h"

#define UNMATCHED    0.2 /* of the packets are taken to come to the end */
#define PIECES	     16u
#define PIECE_LEAST  64u /* items */
#define ENOUGH_NS    800.0
#define LAYERED_MOST 200000u /* items: beyond, it takes too long */

#define SCORE_US 30000 /* to load, as bad as SCORE_NS more for each packet */
#define SCORE_NS 3000

double nft_price_score(struct nft_price p, double share)
{
	return share * p.ns / SCORE_NS + nft_load_us(p) / SCORE_US;
}

struct piece {
	struct nft_picked items;
	size_t before; /* items of the pieces before it */
	struct nft_price price;
	struct nft_node *tree;
	struct arena *of_tree; /* where it grew */
	bool alone; /* it is dearer to join it with the next */
};

struct row {
	struct nft_desk *desk;
	const struct nft_node *node;
	const struct nft_part *part;
	unsigned never;
	double share;
	struct piece *at;
	size_t len;
};

/* Of the packets that come to the row, those that come past so many items. */
static double passing(const struct row *r, size_t before)
{
	return 1 - (1 - UNMATCHED) * (double)before / (double)r->node->items.len;
}

/* Every packet may come through a piece of few items, and there is little to load. */
static double enough_for(const struct row *r, size_t len)
{
	const double share = 4 * ENOUGH_NS * (double)len / (double)r->node->items.len;

	return share > ENOUGH_NS ? ENOUGH_NS : share > LEAF_NS ? share : LEAF_NS;
}

/* A tree that scores more is of no use, and may be left half grown. */
static void grow_piece(const struct row *r, struct piece *p, double most)
{
	const struct nft_growth how = { r->never, enough_for(r, p->items.len), most * SCORE_US };

	p->of_tree = arena_new();
	p->tree = arena_zero(p->of_tree, sizeof *p->tree);
	*p->tree = (struct nft_node){ .items = p->items };
	p->price = nft_grow(r->desk, p->of_tree, p->tree, r->part, &how);
}

static void release(struct piece *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		arena_free(at[i].of_tree);
}

/* Of a packet that comes to the row, what it is likely to pay here. */
static double ns_of(const struct row *r, const struct piece *p)
{
	const double past = passing(r, p->before + p->items.len), own = passing(r, p->before) - past;

	return own * p->price.ns + past * p->price.past_ns;
}

static double score_of(const struct row *r, const struct piece *p)
{
	const struct nft_price of_row = { .ns = ns_of(r, p), .us = p->price.us, .maps = p->price.maps };

	return nft_price_score(of_row, r->share);
}

/* --- taken apart ------------------------------------------------------------------------------------------------- */

static void add_piece(struct row *r, struct nft_picked items)
{
	if (!items.len)
		return;
	r->at[r->len] = (struct piece){ .items = items };
	if (r->len)
		r->at[r->len].before = r->at[r->len - 1].before + r->at[r->len - 1].items.len;
	grow_piece(r, &r->at[r->len++], HUGE_VAL);
}

static void take_pieces(struct row *r, struct arena *a)
{
	const struct nft_picked l = r->node->items;
	const size_t pieces = l.len / PIECE_LEAST < PIECES ? l.len / PIECE_LEAST + 1 : PIECES;

	r->at = arena_zero(a, pieces * sizeof *r->at);
	for (size_t i = 0; i < pieces; i++) {
		const size_t from = l.len * i / pieces, to = l.len * (i + 1) / pieces;

		add_piece(r, (struct nft_picked){ l.at + from, l.decided + from, to - from });
	}
}

static bool take_layers(struct row *r, struct arena *a)
{
	struct nft_picked *layers;
	size_t count;

	if (r->node->items.len > LAYERED_MOST)
		return false;
	layers = nft_layers_of(a, r->desk->items, r->part, r->node->items, &count);
	if (!layers)
		return false;
	r->at = arena_zero(a, (count + 1) * sizeof *r->at);
	for (size_t i = 0; i < count; i++)
		add_piece(r, layers[i]);
	return true;
}

/* --- joined ------------------------------------------------------------------------------------------------------- */

static struct nft_picked both(struct arena *a, struct nft_picked x, struct nft_picked y)
{
	struct nft_picked out = nft_picked_new(a, x.len + y.len);

	for (size_t i = 0, k = 0; i < x.len || k < y.len;) {
		const bool of_x = k == y.len || (i < x.len && x.at[i] < y.at[k]);

		nft_pick(&out, of_x ? x.at[i] : y.at[k], of_x ? x.decided[i] : y.decided[k]);
		i += of_x;
		k += !of_x;
	}
	return out;
}

/* The pair of fewest items of which it is not known that it is dearer as one. */
static struct piece *smallest_pair(struct row *r)
{
	struct piece *least = NULL;

	for (size_t i = 0; i + 1 < r->len; i++)
		if (!r->at[i].alone && (!least || r->at[i].items.len + r->at[i + 1].items.len < least->items.len + least[1].items.len))
			least = &r->at[i];
	return least;
}

static struct piece joined(const struct row *r, struct arena *a, const struct piece *at, size_t len, double most)
{
	struct piece one = { .items = at[0].items, .before = at[0].before };

	for (size_t i = 1; i < len; i++)
		one.items = both(a, one.items, at[i].items);
	grow_piece(r, &one, most);
	return one;
}

static double score_of_all(const struct row *r, const struct piece *at, size_t len)
{
	double all = 0;

	for (size_t i = 0; i < len; i++)
		all += score_of(r, &at[i]);
	return all;
}

static void join(struct row *r, struct arena *a)
{
	struct piece *p;

	while ((p = smallest_pair(r))) {
		const double apart = score_of_all(r, p, 2);
		struct piece one = joined(r, a, p, 2, apart);

		p->alone = score_of(r, &one) > apart;
		if (p->alone) {
			release(&one, 1);
			continue;
		}
		release(p, 2);
		*p = one;
		r->len--;
		memmove(p + 1, p + 2, (size_t)(r->at + r->len - (p + 1)) * sizeof *p);
		if (p > r->at)
			p[-1].alone = false;
	}
}

/* --- planned ------------------------------------------------------------------------------------------------------ */

static void copy_node(struct arena *a, struct nft_node *to, const struct nft_node *n)
{
	*to = *n;
	to->items.at = arena_copy(a, n->items.at, n->items.len * sizeof *n->items.at);
	to->items.decided = arena_copy(a, n->items.decided, n->items.len);
	if (n->kind != NFT_NODE_CUT)
		return;
	to->branches = arena_copy(a, n->branches, n->branch_count * sizeof *n->branches);
	for (size_t i = 0; i < n->branch_count; i++)
		copy_node(a, to->branches[i].node = arena_zero(a, sizeof *n), n->branches[i].node);
	if (n->rest)
		copy_node(a, to->rest = arena_zero(a, sizeof *n), n->rest);
}

static struct nft_price make_row(struct row *r, struct arena *a, struct nft_node *n)
{
	struct nft_price all = { 0 };

	if (r->len == 1) {
		copy_node(a, n, r->at[0].tree);
		return r->at[0].price;
	}
	n->kind = NFT_NODE_ROW;
	n->row_len = r->len;
	n->row = arena_zero(a, r->len * sizeof *n->row);
	for (size_t i = 0; i < r->len; i++) {
		copy_node(a, n->row[i] = arena_zero(a, sizeof *n), r->at[i].tree);
		arena_free(take(r->at[i].of_tree)); /* so that no more than one tree is there twice */
		all.ns += ns_of(r, &r->at[i]);
		all.us += r->at[i].price.us;
		all.maps += r->at[i].price.maps;
	}
	return all;
}

struct nft_price nft_row_plan(struct nft_desk *d, struct arena *a, struct nft_node *n, const struct nft_part *p, unsigned never, double share)
{
	own(arena) struct arena *scratch = arena_new();
	struct row row = { .desk = d, .node = n, .part = p, .never = never, .share = share };
	struct nft_price all;

	if (!take_layers(&row, scratch))
		take_pieces(&row, scratch);
	join(&row, scratch);
	all = make_row(&row, a, n);
	release(row.at, row.len);
	return all;
}
