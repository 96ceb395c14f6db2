#include "compiler/emit/nft_grow.h"

#include "compiler/emit/nft_price.h"

#define ENTRIES_MOST 16u /* items in all nodes of a tree, for each of the list */
#define DEPTH_MOST   7u	 /* the kernel follows 16 chains, and some stand before and behind */

struct growing {
	struct arena *a;
	const struct nft_item *items;
	unsigned never; /* axes that are not cut: bits */
	double enough_ns;
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

/* The first range, from `from` on, that does not lie before the value. */
static size_t range_behind(const struct nft_sweep *s, size_t from, addr_num value)
{
	size_t to = s->ranges.len;

	while (from < to) {
		const size_t half = from + (to - from) / 2;

		if (s->ranges.at[half].hi < value)
			from = half + 1;
		else
			to = half;
	}
	return from;
}

/* Into the nodes of the ranges, ascending. */
static void items_by_range(struct arena *a, const struct nft_item *items, struct nft_node *n, const struct nft_sweep *s)
{
	VEC(uint32_t) *in = arena_zero(s->a, (s->ranges.len + 1) * sizeof *in);

	for (size_t i = 0; i < n->items.len; i++) {
		const struct nft_spans *on = &items[n->items.at[i]].on[n->axis];

		for (size_t k = 0, r = 0; k < on->len; k++)
			for (r = range_behind(s, r, on->at[k].lo); r < s->ranges.len && s->ranges.at[r].lo <= on->at[k].hi; r++)
				if (!in[r].len || in[r].at[in[r].len - 1] != n->items.at[i])
					vec_push(s->a, &in[r], n->items.at[i]);
	}
	for (size_t r = 0; r < s->ranges.len; r++)
		n->branches[r].node->items = (struct nft_picked){ arena_copy(a, in[r].at, in[r].len * sizeof *in[r].at), in[r].len };
}

static struct nft_picked items_wild(struct arena *a, const struct nft_item *items, const struct nft_node *n)
{
	struct nft_picked in = { arena_zero(a, (n->items.len + 1) * sizeof *in.at), 0 };

	for (size_t i = 0; i < n->items.len; i++)
		if (nft_covers(&items[n->items.at[i]], &n->part, n->axis))
			in.at[in.len++] = n->items.at[i];
	return in;
}

void nft_split(struct arena *a, const struct nft_item *items, struct nft_node *n, struct nft_cut c)
{
	own(arena) struct arena *scratch = arena_new();
	const struct nft_edges e = nft_edges_of(scratch, items, &n->part, n->items, c.axis, c.bits);
	struct nft_sweep s = { .a = scratch, .wild = e.wild };

	nft_sweep_along(&s, &e, n->part.hi[c.axis], c.room);
	n->kind = NFT_NODE_CUT;
	n->axis = c.axis;
	n->bits = c.bits;
	n->branches = arena_zero(a, (s.ranges.len + 1) * sizeof *n->branches);
	n->branch_count = s.ranges.len;
	for (size_t i = 0; i < s.ranges.len; i++) {
		n->branches[i].range = s.ranges.at[i];
		n->branches[i].node = arena_zero(a, sizeof *n->branches[i].node);
		n->branches[i].node->part = part_within(&n->part, c.axis, s.ranges.at[i]);
	}
	items_by_range(a, items, n, &s);
	if (nft_ranges_fill(&s, &n->part, c.axis))
		return;
	n->rest = arena_zero(a, sizeof *n->rest);
	n->rest->part = n->part;
	n->rest->items = items_wild(a, items, n);
}

addr_num nft_cut_step(const struct nft_node *n)
{
	return n->bits ? (addr_num)1 << (FAMILY_BITS((enum family)n->part.lo[NFT_AXIS_FAMILY]) - n->bits) : 1;
}

/* What one look at the cut's map costs; single values are a hash. */
struct nft_price nft_price_of_cut(const struct nft_node *n)
{
	struct nft_price p = { .ns = MAP_NS, .us = RULE_US + MAP_US, .maps = 1 };
	const addr_num step = nft_cut_step(n);
	double ranges = 0, keys = 0;

	for (size_t i = 0; i < n->branch_count; i++) {
		const struct addr_range r = n->branches[i].range;

		ranges += !n->bits && r.lo != r.hi;
		keys += n->bits ? (double)(r.hi / step - r.lo / step + 1) : 1;
	}
	p.ns += ranges > 0 ? DEPTH_NS * nft_log2(2 * n->branch_count) : 0;
	p.past_ns = p.ns;
	p.ns += CHAIN_NS;
	p.us += CHAIN_US * (double)n->branch_count + (ranges > 0 ? 2 : 1) * ELEMENT_US * keys;
	return p;
}

static void grow_leaf(struct growing *g, struct nft_node *n, struct nft_price leaf, double way_ns)
{
	g->price.us += leaf.us;
	g->price.maps += leaf.maps;
	g->price.ns += (double)n->items.len * (way_ns + 0.6 * leaf.ns);
	g->weight += (double)n->items.len;
}

static void grow(struct growing *g, struct nft_node *n, unsigned depth, double way_ns)
{
	struct nft_price price;
	struct nft_cut c = { .room = 0 };
	bool small;

	for (size_t i = 0; i < n->items.len; i++)
		if (nft_takes_all(&g->items[n->items.at[i]], &n->part))
			n->items.len = i + 1;
	small = nft_price_of_leaf(g->items, &n->part, n->items, &price);
	g->entries += n->items.len;
	if ((!small || price.ns > g->enough_ns) && depth < DEPTH_MOST && g->entries < g->most)
		c = nft_cut_find(g->items, &n->part, n->items, g->never);
	if (!c.room) {
		const double len = (double)n->items.len;

		if (!small)
			price = (struct nft_price){ .ns = (RULE_NS + 3 * QUESTION_NS) * len, .us = (RULE_US + 3 * QUESTION_US) * len };
		grow_leaf(g, n, price, way_ns);
		return;
	}
	nft_split(g->a, g->items, n, c);
	price = nft_price_of_cut(n);
	g->price.us += price.us;
	g->price.maps += price.maps;
	for (size_t i = 0; i < n->branch_count; i++)
		grow(g, n->branches[i].node, depth + 1, way_ns + price.ns);
	if (n->rest)
		grow(g, n->rest, depth + 1, way_ns + price.ns);
}

/* Most come past a cut by having none of its values. */
static double past_ns(const struct nft_item *items, const struct nft_node *n, double ns)
{
	struct nft_price leaf;

	if (n->kind == NFT_NODE_CUT)
		return nft_price_of_cut(n).past_ns + (n->rest ? past_ns(items, n->rest, ns) : 0);
	return nft_price_of_leaf(items, &n->part, n->items, &leaf) ? leaf.ns : ns;
}

struct nft_price nft_grow(struct arena *a, const struct nft_item *items, struct nft_node *root, unsigned never, double enough_ns)
{
	struct growing g = { .a = a, .items = items, .never = never, .enough_ns = enough_ns,
				 .most = ENTRIES_MOST * root->items.len + 1024 };

	grow(&g, root, 0, 0);
	g.price.ns /= g.weight ? g.weight : 1;
	g.price.past_ns = past_ns(items, root, g.price.ns);
	return g.price;
}
