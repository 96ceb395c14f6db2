#include "compiler/emit/nft_grow.h"

#include "compiler/emit/nft_price.h"

#define DEPTH_MOST 8u /* the kernel follows 16 chains, and some stand before and behind */

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

/* The items of each range, ascending. */
static struct nft_picked *items_by_range(struct nft_growing *g, enum nft_axis x, struct nft_picked l, const struct nft_sweep *s)
{
	VEC(uint32_t) *in = arena_zero(s->a, (s->ranges.len + 1) * sizeof *in);
	struct nft_picked *out = arena_zero(s->a, (s->ranges.len + 1) * sizeof *out);

	for (size_t i = 0; i < l.len; i++) {
		const struct nft_spans *on = &g->items[l.at[i]].on[x];

		for (size_t k = 0, r = 0; k < on->len; k++)
			for (r = range_behind(s, r, on->at[k].lo); r < s->ranges.len && s->ranges.at[r].lo <= on->at[k].hi; r++)
				if (!in[r].len || in[r].at[in[r].len - 1] != l.at[i])
					vec_push(s->a, &in[r], l.at[i]);
	}
	for (size_t r = 0; r < s->ranges.len; r++)
		out[r] = (struct nft_picked){ arena_copy(g->a, in[r].at, in[r].len * sizeof *in[r].at), in[r].len };
	return out;
}

static struct nft_picked items_wild(struct nft_growing *g, const struct nft_part *p, enum nft_axis x, struct nft_picked l)
{
	struct nft_picked in = { arena_zero(g->a, (l.len + 1) * sizeof *in.at), 0 };

	for (size_t i = 0; i < l.len; i++)
		if (nft_covers(&g->items[l.at[i]], p, x))
			in.at[in.len++] = l.at[i];
	return in;
}

/* The values between the ranges meet the rest: where nothing may come behind the look-up, by ranges of their own. */
static void fill_gaps(struct nft_growing *g, struct nft_node *n)
{
	struct nft_node *rest = n->rest;
	VEC(struct nft_branch) all = { 0 };
	addr_num next = n->part.lo[n->axis];
	bool over = false;

	n->rest = NULL;
	if (!rest->items.len)
		return;

	for (size_t i = 0; i < n->branch_count; i++) {
		const struct addr_range r = n->branches[i].range;

		if (r.lo > next)
			vec_push(g->a, &all, ((struct nft_branch){ { next, r.lo - 1 }, rest }));
		vec_push(g->a, &all, n->branches[i]);
		over = r.hi == n->part.hi[n->axis];
		next = r.hi + 1;
	}
	if (!over)
		vec_push(g->a, &all, ((struct nft_branch){ { next, n->part.hi[n->axis] }, rest }));
	n->branches = all.at;
	n->branch_count = all.len;
}

static void branch(struct nft_growing *g, struct nft_node *n, struct nft_picked l, struct nft_cut c, unsigned depth, double way_ns)
{
	own(arena) struct arena *a = arena_new();
	const struct nft_edges e = nft_edges_of(a, g->items, &n->part, l, c.axis);
	struct nft_sweep s = { .a = a, .wild = e.wild };

	nft_sweep_along(&s, &e, n->part.hi[c.axis], c.room);
	way_ns += MAP_NS + DEPTH_NS * nft_log2(2 * s.ranges.len);
	n->axis = c.axis;
	n->branches = arena_zero(g->a, (s.ranges.len + 1) * sizeof *n->branches);
	n->branch_count = s.ranges.len;
	struct nft_picked *in = items_by_range(g, c.axis, l, &s);
	g->load_us += RULE_US + MAP_US + (CHAIN_US + 2 * ELEMENT_US) * (double)s.ranges.len;
	g->maps++;
	for (size_t i = 0; i < s.ranges.len; i++) {
		const struct nft_part part = part_within(&n->part, c.axis, s.ranges.at[i]);

		n->branches[i].range = s.ranges.at[i];
		n->branches[i].node = nft_grow(g, part, in[i], depth + 1, way_ns);
	}
	if (nft_ranges_fill(&s, &n->part, c.axis))
		return;
	n->rest = nft_grow(g, n->part, items_wild(g, &n->part, c.axis, l), depth + 1, way_ns);
	if (!g->total)
		fill_gaps(g, n);
}

struct nft_node *nft_grow(struct nft_growing *g, struct nft_part p, struct nft_picked l, unsigned depth, double way_ns)
{
	struct nft_node *n = arena_zero(g->a, sizeof *n);
	struct nft_price leaf;
	struct nft_cut c = { .room = 0 };
	bool small;

	for (size_t i = 0; i < l.len; i++)
		if (nft_takes_all(&g->items[l.at[i]], &p))
			l.len = i + 1;
	small = nft_price_of_leaf(g->items, &p, l, &leaf);
	*n = (struct nft_node){ .part = p, .items = l, .leaf = true };
	g->entries += l.len;
	if ((!small || leaf.ns > g->enough_ns) && depth < DEPTH_MOST && g->entries < g->most)
		c = nft_cut_find(g->items, &p, l, g->never);
	n->leaf = !c.room;
	if (c.room) {
		branch(g, n, l, c, depth, way_ns);
		return n;
	}
	if (!small)
		leaf = (struct nft_price){ (RULE_NS + 3 * QUESTION_NS) * (double)l.len, (RULE_US + 3 * QUESTION_US) * (double)l.len, 0 };
	g->load_us += leaf.us;
	g->maps += leaf.maps;
	g->packet_ns += (double)l.len * (way_ns + 0.6 * leaf.ns);
	g->weight += (double)l.len;
	return n;
}
