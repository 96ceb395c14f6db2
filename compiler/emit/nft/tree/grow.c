#include "compiler/emit/nft/tree/grow.h"

#include "compiler/emit/nft/tree/price.h"

#define ENTRIES_MOST 16u /* items in all nodes of a tree, for each of the list */
#define DEPTH_MOST   7u	 /* the kernel follows 16 chains, and some stand before and behind */

struct growing {
	struct nft_desk *desk;
	struct arena *a;
	const struct nft_growth *how;
	struct nft_price price; /* so far; ns by the items that packets come to */
	double weight;
	size_t entries, most;
};

static struct nft_part part_within(const struct nft_part *p, enum nft_axis x, struct addr_range r)
{
	struct nft_part part = *p;

	part.lo[x] = r.lo;
	part.hi[x] = r.hi;
	if (x == NFT_AXIS_FAMILY && r.lo == r.hi && r.lo == FAMILY_IP4)
		part.hi[NFT_AXIS_SRC] = part.hi[NFT_AXIS_DST] = family_max(FAMILY_IP4);
	return part;
}

struct nft_part nft_branch_part(const struct nft_node *cut, const struct nft_part *p, size_t i)
{
	return part_within(p, cut->axis, cut->branches[i].range);
}

/* The first range, from `from` on, that does not lie before the value. */
static size_t range_behind(const struct nft_desk *d, size_t from, addr_num value)
{
	size_t to = d->ranges.len;

	while (from < to) {
		const size_t half = from + (to - from) / 2;

		if (d->ranges.at[half].hi < value)
			from = half + 1;
		else
			to = half;
	}
	return from;
}

#define COVERED (1u << 31) /* beside the number of a range */

/* For each item in turn the ranges in which it is, and whether it covers them; and how many items each range has. */
static void find_ranges(struct nft_desk *d, const struct nft_here *h, enum nft_axis x)
{
	const size_t len = d->ranges.len;

	nft_desk_clear(d, &d->range_of, h->in.len);
	nft_desk_clear(d, &d->counts, len);
	nft_desk_clear(d, &d->lasts, len);
	for (size_t r = 0; r < len; r++) {
		d->counts.at[r] = 0;
		d->lasts.at[r] = UINT32_MAX;
	}
	for (size_t i = 0; i < h->in.len; i++) {
		const struct nft_spans *on = &h->items[h->in.at[i]].on[x];

		for (size_t k = 0, r = 0; k < on->len; k++)
			for (r = range_behind(d, r, on->at[k].lo); r < len && d->ranges.at[r].lo <= on->at[k].hi; r++) {
				if (d->lasts.at[r] == h->in.at[i])
					continue;
				d->lasts.at[r] = h->in.at[i];
				d->counts.at[r]++;
				const bool covered = on->at[k].lo <= d->ranges.at[r].lo && on->at[k].hi >= d->ranges.at[r].hi;
				vec_push(d->a, &d->range_of, (uint32_t)r | (covered ? COVERED : 0));
			}
		vec_push(d->a, &d->range_of, UINT32_MAX);
	}
}

/* What is decided in a part of h's, which is narrower along one axis; that of a family is so along its addresses too. */
static unsigned decided_within(const struct nft_here *h, size_t i, enum nft_axis x, struct addr_range r, bool covered)
{
	if (x != NFT_AXIS_FAMILY)
		return (h->in.decided[i] & ~(1u << x)) | (unsigned)covered << x;

	const struct nft_part part = part_within(h->part, x, r);
	return nft_decided(&h->items[h->in.at[i]], &part);
}

/* Into the nodes of the ranges, ascending. */
static void items_by_range(struct nft_desk *d, struct arena *a, struct nft_node *n, const struct nft_here *h)
{
	struct nft_picked all;

	find_ranges(d, h, n->axis);
	all = nft_picked_new(a, d->range_of.len - h->in.len);
	for (size_t r = 0; r < n->branch_count; r++) {
		n->branches[r].node->items = all;
		all.at += d->counts.at[r];
		all.decided += d->counts.at[r];
	}
	for (size_t i = 0, k = 0; i < h->in.len; k++) {
		const uint32_t r = d->range_of.at[k];

		if (r == UINT32_MAX) {
			i++;
			continue;
		}
		const struct nft_branch *to = &n->branches[r & ~COVERED];
		nft_pick(&to->node->items, h->in.at[i], decided_within(h, i, n->axis, to->range, r & COVERED));
	}
}

static struct nft_picked items_wild(struct arena *a, const struct nft_here *h, enum nft_axis x)
{
	struct nft_picked in;
	size_t len = 0;

	for (size_t i = 0; i < h->in.len; i++)
		len += h->in.decided[i] >> x & 1;
	in = nft_picked_new(a, len);
	for (size_t i = 0; i < h->in.len; i++)
		if (h->in.decided[i] >> x & 1)
			nft_pick(&in, h->in.at[i], h->in.decided[i]);
	return in;
}

void nft_split(struct nft_desk *d, struct arena *a, struct nft_node *n, const struct nft_here *h, struct nft_cut c)
{
	const bool fill = nft_cut_make(d, h, c);
	struct nft_node *nodes;

	n->kind = NFT_NODE_CUT;
	n->axis = c.axis;
	n->bits = c.bits;
	n->family = (enum family)h->part->lo[NFT_AXIS_FAMILY];
	n->branch_count = d->ranges.len;
	n->branches = arena_zero(a, (n->branch_count + 1) * sizeof *n->branches);
	nodes = arena_zero(a, (n->branch_count + !fill) * sizeof *nodes);
	for (size_t i = 0; i < n->branch_count; i++) {
		n->branches[i].range = d->ranges.at[i];
		n->branches[i].node = &nodes[i];
	}
	items_by_range(d, a, n, h);
	if (fill)
		return;
	n->rest = &nodes[n->branch_count];
	n->rest->items = items_wild(a, h, c.axis);
}

addr_num nft_cut_step(const struct nft_node *n)
{
	return n->bits ? (addr_num)1 << (FAMILY_BITS(n->family) - n->bits) : 1;
}

size_t nft_cut_elements(const struct nft_node *n)
{
	const addr_num step = nft_cut_step(n);
	size_t count = n->bits ? 0 : n->branch_count;

	for (size_t i = 0; n->bits && i < n->branch_count; i++)
		count += (size_t)(n->branches[i].range.hi / step - n->branches[i].range.lo / step + 1);
	return count;
}

/* What one look at the cut's map costs; single values are a hash. */
struct nft_price nft_price_of_cut(const struct nft_node *n)
{
	struct nft_price p = { .ns = MAP_NS, .us = RULE_US + MAP_US, .maps = 1 };
	const double elements = (double)nft_cut_elements(n);
	bool ranges = false;

	for (size_t i = 0; i < n->branch_count; i++)
		ranges |= !n->bits && n->branches[i].range.lo != n->branches[i].range.hi;
	p.ns += ranges ? DEPTH_NS * nft_log2(2 * n->branch_count) : 0;
	p.past_ns = p.ns;
	p.ns += CHAIN_NS;
	p.us += CHAIN_US * (double)n->branch_count + (ranges ? RANGE_US : ELEMENT_US) * elements;
	return p;
}

static void grow_leaf(struct growing *g, struct nft_node *n, struct nft_price leaf, double way_ns)
{
	g->price.us += leaf.us;
	g->price.maps += leaf.maps;
	g->price.ns += (double)n->items.len * (way_ns + 0.6 * leaf.ns);
	g->weight += (double)n->items.len;
}

static void grow(struct growing *g, struct nft_node *n, const struct nft_part *p, unsigned depth, double way_ns)
{
	struct nft_cut c = { .room = 0 };
	struct nft_price price;
	bool priced;

	if (nft_load_us(g->price) > g->how->most_us)
		return;
	const struct nft_here h = nft_desk_look(g->desk, p, n->items);
	n->items.len = h.in.len;
	g->entries += n->items.len;
	priced = nft_leaf_is_worth(g->desk, &h, g->how->enough_ns, &price);
	if (!priced && depth < DEPTH_MOST && g->entries < g->most)
		c = nft_cut_find(g->desk, &h, g->how->never);
	if (!c.room) {
		const double len = (double)n->items.len;

		if (!priced && !nft_price_of_leaf(g->desk, &h, &price))
			price = (struct nft_price){ .ns = (RULE_NS + 3 * QUESTION_NS) * len, .us = (RULE_US + 3 * QUESTION_US) * len };
		grow_leaf(g, n, price, way_ns);
		return;
	}
	nft_split(g->desk, g->a, n, &h, c);
	price = nft_price_of_cut(n);
	g->price.us += price.us;
	g->price.maps += price.maps;
	for (size_t i = 0; i < n->branch_count; i++) {
		const struct nft_part part = nft_branch_part(n, p, i);

		grow(g, n->branches[i].node, &part, depth + 1, way_ns + price.ns);
	}
	if (n->rest)
		grow(g, n->rest, p, depth + 1, way_ns + price.ns);
}

/* Most come past a cut by having none of its values. */
static double past_ns(struct nft_desk *d, const struct nft_node *n, const struct nft_part *p, double ns)
{
	struct nft_price leaf;

	if (n->kind == NFT_NODE_CUT)
		return nft_price_of_cut(n).past_ns + (n->rest ? past_ns(d, n->rest, p, ns) : 0);

	const struct nft_here h = nft_desk_look(d, p, n->items);
	return nft_price_of_leaf(d, &h, &leaf) ? leaf.ns : ns;
}

struct nft_price nft_grow(struct nft_desk *d, struct arena *a, struct nft_node *root, const struct nft_part *p, const struct nft_growth *how)
{
	struct growing g = { .desk = d, .a = a, .how = how, .most = ENTRIES_MOST * root->items.len + 1024 };

	grow(&g, root, p, 0, 0);
	g.price.ns /= g.weight ? g.weight : 1;
	g.price.past_ns = past_ns(d, root, p, g.price.ns);
	return g.price;
}
