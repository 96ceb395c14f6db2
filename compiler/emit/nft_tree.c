#include "compiler/emit/nft_tree.h"

#include <stdlib.h>
#include <string.h>

/*
 * Measured with tests/bench/nft_bulk, kernel 6.18: what the kernel takes to load and to judge. Only their
 * proportions matter.
 */
#define COUNTER_US  3.3
#define CHAIN_US    2.2
#define RULE_US	    5.5
#define QUESTION_US 1.8
#define MAP_US	    10.0
#define MAPS_US	    0.02 /* each with each: the kernel looks for sets in a list of all */
#define ELEMENT_US  1.2

#define RULE_NS	    14.0
#define QUESTION_NS 6.0
#define MAP_NS	    100.0
#define UNMATCHED   0.2 /* of the packets are taken to come to the end */
#define DEPTH_NS    18.0 /* of a set of ranges, for each time its half is left */

#define LEAF_NS	      120.0
#define COMPARED_MOST ((size_t)40 << 20)
#define SEGMENT_LEAST 64u /* items */
#define DEPTH_MOST   8u	  /* the kernel follows 16 chains, and some stand before and behind */
#define MAPPED_LEAST 5u	  /* items in a map */
#define GROUPS_BACK  8u	  /* that an item may be moved before */
#define MEMBERS_BACK 256u /* items of these */
#define WHOLE_MOST   64u  /* items, or groups, of what may be a leaf */
#define KEYS_MOST    16u  /* of one item in a map of several axes */
#define COPIES_MOST  3.0  /* of the items of one cut */
#define ENTRIES_MOST 16u  /* items in all nodes of a tree, for each of the list */

struct growing {
	struct arena *a;
	const struct nft_item *items;
	bool total;
	unsigned never; /* axes that are not cut: bits */
	double enough_ns;
	double packet_ns, load_us, maps, weight;
	size_t entries, most;
};

struct list {
	uint32_t *at;
	size_t len;
};

static double log2_of(size_t n)
{
	double d = 0;

	for (; n > 1; n /= 2)
		d++;
	return d;
}

/* --- items and parts -------------------------------------------------------------------------- */

static bool covers(const struct nft_item *it, const struct nft_part *p, enum nft_axis x)
{
	const struct nft_spans *s = &it->on[x];

	for (size_t i = 0; i < s->len && s->at[i].lo <= p->lo[x]; i++)
		if (s->at[i].hi >= p->hi[x])
			return true;
	return false;
}

unsigned nft_decided(const struct nft_item *it, const struct nft_part *p)
{
	unsigned decided = 0;

	for (int x = 0; x < NFT_AXES; x++)
		if (covers(it, p, (enum nft_axis)x))
			decided |= 1u << x;
	return decided;
}

static bool spans_meet(const struct nft_spans *x, const struct nft_spans *y)
{
	for (size_t i = 0, k = 0; i < x->len && k < y->len;) {
		if (x->at[i].hi < y->at[k].lo)
			i++;
		else if (y->at[k].hi < x->at[i].lo)
			k++;
		else
			return true;
	}
	return false;
}

/* What tells most apart is looked at first. */
static bool items_meet(const struct nft_item *x, const struct nft_item *y)
{
	for (int axis = NFT_AXES - 1; axis >= 0; axis--) {
		const struct nft_spans *a = &x->on[axis], *b = &y->on[axis];

		if (a->len == 1 && b->len == 1 ? a->at->lo > b->at->hi || b->at->lo > a->at->hi : !spans_meet(a, b))
			return false;
	}
	return true;
}

#define ALL_AXES ((1u << NFT_AXES) - 1)

static bool takes_all(const struct nft_item *it, const struct nft_part *p)
{
	return it->plain && nft_decided(it, p) == ALL_AXES;
}

/* --- groups ------------------------------------------------------------------------------------- */

static unsigned family_bits(const struct nft_part *p)
{
	return p->hi[NFT_AXIS_FAMILY] == FAMILY_IP4 ? 32 : 128;
}

/* Or more than a map takes of one item. */
static size_t values_of(const struct nft_spans *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->len && n <= KEYS_MOST; i++)
		n += s->at[i].hi - s->at[i].lo < KEYS_MOST ? (size_t)(s->at[i].hi - s->at[i].lo) + 1 : KEYS_MOST + 1;
	return n;
}

/* How many leading bits all these ranges have in common with all that is in them: 0 when they are no such blocks. */
static unsigned block_bits(const struct nft_spans *s, unsigned width)
{
	addr_num size = s->at[0].hi - s->at[0].lo; /* less one */
	unsigned host = 0;

	if (size & (size + 1))
		return 0;
	while (host < width && size >> host & 1)
		host++;
	for (size_t i = 0; i < s->len; i++)
		if (s->at[i].hi - s->at[i].lo != size || (s->at[i].lo & size))
			return 0;
	return width - host;
}

static bool has_ports(const struct nft_part *p)
{
	static const addr_num with[] = { 6, 17, 33, 132, 136 }; /* TCP, UDP, DCCP, SCTP, UDP-Lite */

	for (size_t i = 0; i < sizeof with / sizeof *with; i++)
		if (p->lo[NFT_AXIS_PROTO] == with[i] && p->hi[NFT_AXIS_PROTO] == with[i])
			return true;
	return false;
}

static bool has_family(const struct nft_part *p)
{
	return p->lo[NFT_AXIS_FAMILY] == p->hi[NFT_AXIS_FAMILY];
}

/* Ports of an item are those of its protocols, and addresses of its family, whatever part it stands in. */
static struct nft_part part_of_item(const struct nft_item *it, const struct nft_part *p)
{
	struct nft_part own = *p;

	for (int x = NFT_AXIS_FAMILY; x <= NFT_AXIS_PROTO; x++)
		if (it->on[x].len == 1) {
			own.lo[x] = it->on[x].at[0].lo > p->lo[x] ? it->on[x].at[0].lo : p->lo[x];
			own.hi[x] = it->on[x].at[0].hi < p->hi[x] ? it->on[x].at[0].hi : p->hi[x];
		}
	return own;
}

/* The map in which the item could stand. False: only a rule of its own says it. */
static bool group_for(const struct nft_item *it, const struct nft_part *p, struct nft_group *out)
{
	const unsigned open = ALL_AXES & ~nft_decided(it, p) & ~(1u << NFT_AXIS_FAMILY), proto = 1u << NFT_AXIS_PROTO;
	const unsigned asked = open == proto ? open : open & ~proto; /* whose ports are meant is asked before */
	const struct nft_part own = part_of_item(it, p);
	size_t keys = 1;

	*out = (struct nft_group){ .map = true, .axes = asked };
	if (!it->grouped || !asked)
		return false;
	if ((asked & (1u << NFT_AXIS_SRC | 1u << NFT_AXIS_DST)) && !has_family(&own))
		return false;
	if (!(asked & (asked - 1)))
		return true;
	if (__builtin_popcount(asked) > 4)
		return false;
	for (int x = 0; x < NFT_AXES; x++) {
		if (!(asked >> x & 1))
			continue;
		if (x == NFT_AXIS_SRC || x == NFT_AXIS_DST) {
			out->bits[x] = block_bits(&it->on[x], family_bits(&own));
			keys *= it->on[x].len;
		} else {
			out->bits[x] = 1; /* each value by itself */
			keys *= values_of(&it->on[x]);
		}
		if (!out->bits[x] || !keys || keys > KEYS_MOST)
			return false;
	}
	return true;
}

struct group_making {
	struct nft_group is;
	VEC(uint32_t) items;
};

static bool spans_same(const struct nft_spans *x, const struct nft_spans *y)
{
	if (x->len != y->len)
		return false;
	for (size_t i = 0; i < x->len; i++)
		if (x->at[i].lo != y->at[i].lo || x->at[i].hi != y->at[i].hi)
			return false;
	return true;
}

/* The same questions before the map, and the same parts of the key. */
static bool goes_with(const struct nft_item *items, const struct nft_part *p, const struct group_making *g,
		      const struct nft_item *it, const struct nft_group *would)
{
	const struct nft_item *of = &items[g->items.at[0]];
	const unsigned differ = nft_decided(of, p) ^ nft_decided(it, p);

	if (!g->is.map || g->is.axes != would->axes || of->beside != it->beside || differ)
		return false;
	for (int x = NFT_AXIS_FAMILY; x <= NFT_AXIS_PROTO; x++)
		if (!(would->axes >> x & 1) && !spans_same(&of->on[x], &it->on[x]))
			return false;
	return !memcmp(g->is.bits, would->bits, sizeof would->bits);
}

typedef VEC(struct group_making) groups;

/* The last group that the item may join: it must not be moved before one that it meets. */
static struct group_making *group_find(const struct nft_item *items, const struct nft_part *p, groups *all,
				       const struct nft_item *it, const struct nft_group *would)
{
	size_t members = 0;

	for (size_t back = 0; back < all->len && back < GROUPS_BACK; back++) {
		struct group_making *g = &all->at[all->len - 1 - back];

		if (goes_with(items, p, g, it, would))
			return g;
		members += g->items.len;
		if (members > MEMBERS_BACK)
			return NULL;
		for (size_t i = 0; i < g->items.len; i++)
			if (items_meet(&items[g->items.at[i]], it))
				return NULL;
	}
	return NULL;
}

/* False when there are more groups than `most`. */
static bool groups_make(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct list l, size_t most,
			groups *all)
{
	for (size_t i = 0; i < l.len; i++) {
		const struct nft_item *it = &items[l.at[i]];
		struct nft_group would;
		struct group_making *g = group_for(it, p, &would) ? group_find(items, p, all, it, &would) : (would.map = false, NULL);

		if (!g) {
			if (all->len == most)
				return false;
			vec_push(a, all, (struct group_making){ .is = would });
			g = &all->at[all->len - 1];
		}
		vec_push(a, &g->items, l.at[i]);
	}
	return true;
}

static size_t rules_of(const struct group_making *g)
{
	return g->is.map && g->items.len >= MAPPED_LEAST ? 1 : g->items.len;
}

struct nft_group *nft_groups(struct arena *a, const struct nft_item *items, const struct nft_node *leaf, size_t *count)
{
	groups all = { 0 };
	VEC(struct nft_group) out = { 0 };

	groups_make(a, items, &leaf->part, (struct list){ (uint32_t *)(uintptr_t)leaf->items, leaf->len }, SIZE_MAX, &all);
	for (size_t i = 0; i < all.len; i++) {
		struct group_making *g = &all.at[i];

		g->is.items = g->items.at;
		g->is.len = g->items.len;
		g->is.map &= rules_of(g) == 1 && g->items.len >= MAPPED_LEAST;
		vec_push(a, &out, g->is);
	}
	*count = out.len;
	return out.at;
}

/* --- what it costs -------------------------------------------------------------------------------- */

struct price {
	double ns, us, maps;
};

static struct price price_of_group(const struct nft_item *items, const struct nft_part *p, const struct group_making *g)
{
	const bool map = rules_of(g) == 1 && g->items.len >= MAPPED_LEAST;
	struct price all = { 0, 0, 0 };

	if (map && !(g->is.axes & (g->is.axes - 1)))
		return (struct price){ MAP_NS + DEPTH_NS * log2_of(g->items.len), RULE_US + MAP_US + 2 * ELEMENT_US * (double)g->items.len, 1 };
	if (map)
		return (struct price){ MAP_NS, RULE_US + MAP_US + ELEMENT_US * (double)g->items.len, 1 };
	for (size_t i = 0; i < g->items.len; i++) {
		int asked = __builtin_popcount(ALL_AXES & ~nft_decided(&items[g->items.at[i]], p));

		all.ns += RULE_NS + QUESTION_NS * asked;
		all.us += RULE_US + QUESTION_US * asked;
	}
	return all;
}

/* False when it is no leaf: too many rules. */
static bool price_of_leaf(struct growing *g, const struct nft_part *p, struct list l, struct price *out)
{
	own(arena) struct arena *a = arena_new();
	groups all = { 0 };

	*out = (struct price){ 0, 0, 0 };
	if (!groups_make(a, g->items, p, l, WHOLE_MOST, &all))
		return false;
	for (size_t i = 0; i < all.len; i++) {
		struct price one = price_of_group(g->items, p, &all.at[i]);

		out->ns += one.ns;
		out->us += one.us;
		out->maps += one.maps;
	}
	return true;
}

/* --- cuts --------------------------------------------------------------------------------------------- */

struct edge {
	addr_num at;
	uint32_t item;
	int by; /* how many more lie behind it */
};

struct edges {
	struct edge *at;
	size_t len;
	size_t wild; /* items that ask nothing of the axis here */
};

struct cut {
	enum nft_axis axis;
	size_t room; /* items of a part, beyond which it ends */
	double score;
};

static int by_place(const void *x, const void *y)
{
	const struct edge *a = x, *b = y;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->by - b->by;
}

static struct edges edges_of(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct list l, enum nft_axis x)
{
	struct edges e = { 0 };
	VEC(struct edge) at = { 0 };

	for (size_t i = 0; i < l.len; i++) {
		const struct nft_item *it = &items[l.at[i]];

		if (covers(it, p, x)) {
			e.wild++;
			continue;
		}
		for (size_t k = 0; k < it->on[x].len; k++) {
			addr_num lo = it->on[x].at[k].lo, hi = it->on[x].at[k].hi;

			if (hi < p->lo[x] || lo > p->hi[x])
				continue;
			lo = lo > p->lo[x] ? lo : p->lo[x];
			vec_push(a, &at, ((struct edge){ lo, l.at[i], 1 }));
			if (hi < p->hi[x])
				vec_push(a, &at, ((struct edge){ hi + 1, l.at[i], -1 }));
		}
	}
	if (at.len)
		qsort(at.at, at.len, sizeof *at.at, by_place);
	e.at = at.at;
	e.len = at.len;
	return e;
}

/* The ranges of a cut, and how the items lie in them. */
struct sweep {
	struct arena *a;
	VEC(struct addr_range) ranges;
	size_t wild;
	double sum, squares;
};

static void sweep_close(struct sweep *s, addr_num from, addr_num to, size_t items)
{
	const double all = (double)(items + s->wild);

	vec_push(s->a, &s->ranges, ((struct addr_range){ from, to }));
	s->sum += all;
	s->squares += all * all;
}

/* A part ends at an edge behind which it would hold fewer, once it has had its fill. */
static void sweep_along(struct sweep *s, const struct edges *e, addr_num last, size_t room)
{
	size_t here = 0, had = 0; /* items at this place; and in the part so far */
	addr_num from = 0, to = 0; /* the last value at which there was one */
	bool open = false;

	for (size_t i = 0; i < e->len;) {
		const addr_num at = e->at[i].at;
		size_t begin = 0, end = 0;

		to = here ? at - 1 : to;
		for (; i < e->len && e->at[i].at == at; i++) {
			begin += e->at[i].by > 0;
			end += e->at[i].by < 0;
		}
		here = here + begin - end;
		if (open && had >= room && here < had + begin) {
			sweep_close(s, from, to, had);
			open = false;
		}
		if (!open && here) {
			from = at;
			had = here - begin;
			open = true;
		}
		had += begin;
	}
	if (open)
		sweep_close(s, from, here ? last : to, had);
}

static bool ranges_fill(const struct sweep *s, const struct nft_part *p, enum nft_axis x)
{
	addr_num next = p->lo[x];

	for (size_t i = 0; i < s->ranges.len; i++) {
		if (s->ranges.at[i].lo != next)
			return false;
		if (s->ranges.at[i].hi == p->hi[x])
			return true;
		next = s->ranges.at[i].hi + 1;
	}
	return false;
}

static const size_t rooms[] = { 1, 4, 16, 64, 256 };

/* Few items in the part of a packet count most, then few copies. */
static void try_axis(struct arena *a, const struct growing *g, const struct nft_part *p, struct list l, enum nft_axis x,
		     struct cut *best)
{
	const struct edges e = edges_of(a, g->items, p, l, x);

	for (size_t r = 0; e.len && r < sizeof rooms / sizeof *rooms && rooms[r] < l.len; r++) {
		struct sweep s = { .a = a, .wild = e.wild };
		double copies, score;

		sweep_along(&s, &e, p->hi[x], rooms[r]);
		copies = (s.sum + (double)e.wild) / (double)l.len;
		score = (s.squares / s.sum + 4) * copies * copies;
		if (copies > COPIES_MOST || (s.ranges.len < 2 && ranges_fill(&s, p, x)))
			continue;
		if (best->room && best->score <= score)
			continue;
		*best = (struct cut){ x, rooms[r], score };
	}
}

static bool may_cut(const struct nft_part *p, enum nft_axis x)
{
	switch (x) {
	case NFT_AXIS_FAMILY:
	case NFT_AXIS_PROTO:
		return true;
	case NFT_AXIS_SRC:
	case NFT_AXIS_DST:
		return has_family(p);
	case NFT_AXIS_SPORT:
	case NFT_AXIS_DPORT:
		return has_ports(p);
	case NFT_AXES:
		break;
	}
	return false;
}

/* Ends of which an item asks whether they are the host's own: which of a range are, nobody can prove. */
static unsigned ends_of_self(const struct growing *g, struct list l)
{
	unsigned ends = 0;

	for (size_t i = 0; i < l.len; i++)
		ends |= g->items[l.at[i]].self;
	return ends;
}

static struct cut cut_find(struct growing *g, const struct nft_part *p, struct list l)
{
	const unsigned never = g->never | ends_of_self(g, l);
	struct cut best = { .room = 0 };

	for (int x = 0; x < NFT_AXES; x++) {
		own(arena) struct arena *a = arena_new();

		if (!(never >> x & 1) && may_cut(p, (enum nft_axis)x))
			try_axis(a, g, p, l, (enum nft_axis)x, &best);
	}
	return best;
}

/* --- trees ----------------------------------------------------------------------------------------------- */

static struct nft_node *grow(struct growing *g, struct nft_part p, struct list l, unsigned depth, double way_ns);

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
static size_t range_behind(const struct sweep *s, size_t from, addr_num value)
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
static struct list *items_by_range(struct growing *g, enum nft_axis x, struct list l, const struct sweep *s)
{
	VEC(uint32_t) *in = arena_zero(s->a, (s->ranges.len + 1) * sizeof *in);
	struct list *out = arena_zero(s->a, (s->ranges.len + 1) * sizeof *out);

	for (size_t i = 0; i < l.len; i++) {
		const struct nft_spans *on = &g->items[l.at[i]].on[x];

		for (size_t k = 0, r = 0; k < on->len; k++)
			for (r = range_behind(s, r, on->at[k].lo); r < s->ranges.len && s->ranges.at[r].lo <= on->at[k].hi; r++)
				if (!in[r].len || in[r].at[in[r].len - 1] != l.at[i])
					vec_push(s->a, &in[r], l.at[i]);
	}
	for (size_t r = 0; r < s->ranges.len; r++)
		out[r] = (struct list){ arena_copy(g->a, in[r].at, in[r].len * sizeof *in[r].at), in[r].len };
	return out;
}

static struct list items_wild(struct growing *g, const struct nft_part *p, enum nft_axis x, struct list l)
{
	struct list in = { arena_zero(g->a, (l.len + 1) * sizeof *in.at), 0 };

	for (size_t i = 0; i < l.len; i++)
		if (covers(&g->items[l.at[i]], p, x))
			in.at[in.len++] = l.at[i];
	return in;
}

/* The values between the ranges meet the rest: where nothing may come behind the look-up, by ranges of their own. */
static void fill_gaps(struct growing *g, struct nft_node *n)
{
	struct nft_node *rest = n->rest;
	VEC(struct nft_branch) all = { 0 };
	addr_num next = n->part.lo[n->axis];
	bool over = false;

	n->rest = NULL;
	if (!rest->len)
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

static void branch(struct growing *g, struct nft_node *n, struct list l, struct cut c, unsigned depth, double way_ns)
{
	own(arena) struct arena *a = arena_new();
	const struct edges e = edges_of(a, g->items, &n->part, l, c.axis);
	struct sweep s = { .a = a, .wild = e.wild };

	sweep_along(&s, &e, n->part.hi[c.axis], c.room);
	way_ns += MAP_NS + DEPTH_NS * log2_of(2 * s.ranges.len);
	n->axis = c.axis;
	n->branches = arena_zero(g->a, (s.ranges.len + 1) * sizeof *n->branches);
	n->branch_count = s.ranges.len;
	struct list *in = items_by_range(g, c.axis, l, &s);
	g->load_us += RULE_US + MAP_US + (CHAIN_US + 2 * ELEMENT_US) * (double)s.ranges.len;
	g->maps++;
	for (size_t i = 0; i < s.ranges.len; i++) {
		const struct nft_part part = part_within(&n->part, c.axis, s.ranges.at[i]);

		n->branches[i].range = s.ranges.at[i];
		n->branches[i].node = grow(g, part, in[i], depth + 1, way_ns);
	}
	if (ranges_fill(&s, &n->part, c.axis))
		return;
	n->rest = grow(g, n->part, items_wild(g, &n->part, c.axis, l), depth + 1, way_ns);
	if (!g->total)
		fill_gaps(g, n);
}

static struct nft_node *grow(struct growing *g, struct nft_part p, struct list l, unsigned depth, double way_ns)
{
	struct nft_node *n = arena_zero(g->a, sizeof *n);
	struct price leaf;
	struct cut c = { .room = 0 };
	bool small;

	for (size_t i = 0; i < l.len; i++)
		if (takes_all(&g->items[l.at[i]], &p))
			l.len = i + 1;
	small = price_of_leaf(g, &p, l, &leaf);
	*n = (struct nft_node){ .part = p, .items = l.at, .len = l.len, .leaf = true };
	g->entries += l.len;
	if ((!small || leaf.ns > g->enough_ns) && depth < DEPTH_MOST && g->entries < g->most)
		c = cut_find(g, &p, l);
	n->leaf = !c.room;
	if (c.room) {
		branch(g, n, l, c, depth, way_ns);
		return n;
	}
	if (!small)
		leaf = (struct price){ (RULE_NS + 3 * QUESTION_NS) * (double)l.len, (RULE_US + 3 * QUESTION_US) * (double)l.len, 0 };
	g->load_us += leaf.us;
	g->maps += leaf.maps;
	g->packet_ns += (double)l.len * (way_ns + 0.6 * leaf.ns);
	g->weight += (double)l.len;
	return n;
}

/* --- lists taken apart ------------------------------------------------------------------------------------------- */

static struct nft_part everything(void)
{
	struct nft_part p = { .hi = {
		[NFT_AXIS_FAMILY] = FAMILY_COUNT - 1, [NFT_AXIS_PROTO] = UINT8_MAX,
		[NFT_AXIS_SRC] = ~(addr_num)0, [NFT_AXIS_DST] = ~(addr_num)0,
		[NFT_AXIS_SPORT] = UINT16_MAX, [NFT_AXIS_DPORT] = UINT16_MAX,
	} };

	return p;
}

/*
 * Layers. Items that are wide in both addresses, in the source, in the destination, or in neither, make good
 * trees each by themselves. Layers are gone through one after the other, so an item must not stand in a layer
 * before one that it meets and that comes before it in the list:
 *
 *     layer(x) = max(shape(x), layer(y) for all y before x that x meets)
 */
enum shape { SHAPE_NARROW, SHAPE_WIDE_SRC, SHAPE_WIDE_DST, SHAPE_WIDE, SHAPES };

/* Layers of all shapes take turns, so many times; what must come later stands in the last. */
#define ROUNDS_MOST 12
#define LAYERS (ROUNDS_MOST * SHAPES)

#define NARROW4_MOST ((addr_num)1 << 16) /* addresses of an end, beyond which it is wide */
#define NARROW6_MOST ((addr_num)1 << 80)

static bool is_narrow(const struct nft_item *it, enum nft_axis x)
{
	const bool ip4 = it->on[NFT_AXIS_FAMILY].at[0].hi == FAMILY_IP4;
	addr_num left = ip4 ? NARROW4_MOST : NARROW6_MOST;

	for (size_t i = 0; i < it->on[x].len; i++) {
		const addr_num more = it->on[x].at[i].hi - it->on[x].at[i].lo;

		if (more >= left)
			return false;
		left -= more + 1;
	}
	return true;
}

static enum shape shape_of(const struct nft_item *it)
{
	const bool src = is_narrow(it, NFT_AXIS_SRC), dst = is_narrow(it, NFT_AXIS_DST);

	return src ? dst ? SHAPE_NARROW : SHAPE_WIDE_DST : dst ? SHAPE_WIDE_SRC : SHAPE_WIDE;
}

/* Items of a layer by where they lie on one axis: in a part of the space by its leading bits, or in many. */
#define PLACES	    4096u
#define PLACES_MOST 16u

struct places {
	enum nft_axis axis;
	VEC(uint32_t) at[PLACES], many, all;
};

static unsigned place_of(const struct nft_item *it, addr_num v)
{
	return (unsigned)(it->on[NFT_AXIS_FAMILY].at[0].hi == FAMILY_IP4 ? v >> 20 & 0xfff : (v >> 72 ^ v >> 84 ^ v >> 60) & 0xfff);
}

/* Few, each by itself; else 0. */
static unsigned places_of(const struct nft_item *it, enum nft_axis x, unsigned out[static PLACES_MOST])
{
	const bool ip4 = it->on[NFT_AXIS_FAMILY].at[0].hi == FAMILY_IP4;
	unsigned n = 0;

	for (size_t i = 0; i < it->on[x].len; i++) {
		const struct addr_range r = it->on[x].at[i];

		if (ip4 ? r.hi >> 20 != r.lo >> 20 : r.hi >> 60 != r.lo >> 60)
			return 0;
		if (n == PLACES_MOST)
			return 0;
		out[n++] = place_of(it, r.lo);
	}
	return n;
}

/* Comparing each with each takes too long when many are wide: then it is given up. */
struct layering {
	const struct nft_item *items;
	size_t left; /* comparisons */
};

static bool meets_any(struct layering *k, const uint32_t *at, size_t len, const struct nft_item *it)
{
	if (len > k->left) {
		k->left = 0;
		return true;
	}
	k->left -= len;
	for (size_t i = 0; i < len; i++)
		if (items_meet(&k->items[at[i]], it))
			return true;
	return false;
}

static bool meets_layer(struct layering *k, const struct places *p, const struct nft_item *it)
{
	unsigned in[PLACES_MOST], n = places_of(it, p->axis, in);

	if (!n)
		return meets_any(k, p->all.at, p->all.len, it);
	for (unsigned i = 0; i < n; i++)
		if (meets_any(k, p->at[in[i]].at, p->at[in[i]].len, it))
			return true;
	return meets_any(k, p->many.at, p->many.len, it);
}

static void put_in_layer(struct arena *a, const struct nft_item *items, struct places *p, uint32_t item)
{
	unsigned in[PLACES_MOST], n = places_of(&items[item], p->axis, in);

	vec_push(a, &p->all, item);
	if (!n)
		vec_push(a, &p->many, item);
	for (unsigned i = 0; i < n; i++)
		vec_push(a, &p->at[in[i]], item);
}

/* False when it would take too long. */
static bool layers_of(struct arena *a, const struct nft_list *l, int count, struct list *out)
{
	static const enum nft_axis axes[SHAPES] = {
		[SHAPE_NARROW] = NFT_AXIS_DST, [SHAPE_WIDE_SRC] = NFT_AXIS_DST,
		[SHAPE_WIDE_DST] = NFT_AXIS_SRC, [SHAPE_WIDE] = NFT_AXIS_DST,
	};
	own(arena) struct arena *scratch = arena_new();
	struct places *layers = arena_zero(scratch, (size_t)count * sizeof *layers);
	struct layering k = { l->items, COMPARED_MOST };
	int top = 0;

	for (int s = 0; s < count; s++) {
		layers[s].axis = axes[s % SHAPES];
		out[s] = (struct list){ arena_zero(a, (l->count + 1) * sizeof *out[s].at), 0 };
	}
	for (uint32_t i = 0; i < l->count && k.left; i++) {
		const int shape = (int)shape_of(&l->items[i]);
		int least = top, layer;

		while (least > 0 && !meets_layer(&k, &layers[least], &l->items[i]))
			least--;
		for (layer = least; layer % SHAPES != shape && layer + 1 < count;)
			layer++;
		top = layer > top ? layer : top;
		put_in_layer(scratch, l->items, &layers[layer], i);
		out[layer].at[out[layer].len++] = i;
	}
	return k.left;
}

/* --- plans ----------------------------------------------------------------------------------------------------- */

/* How a list is taken apart before trees are made of it. */
struct way {
	int rounds; /* of layers; 0: the list is not reordered */
	size_t segments; /* of each layer, or of all */
	double enough_ns;
	bool many; /* is tried for long lists too */
};

static const struct way ways[] = {
	{ 0, 1, 1000, true }, { 0, 4, 3000, true }, { 3, 1, 800, true }, { 3, 2, 2500, false },
	{ ROUNDS_MOST, 1, 800, false }, { ROUNDS_MOST, 2, 2500, false },
};

#define MANY 20000u /* items, of which a plan takes long to make */

/* The layers of so many rounds, as they were made last. */
struct layers {
	struct list at[LAYERS];
	int rounds;
	bool made; /* or it would take too long */
};

static bool layers_for(struct layers *k, struct arena *a, const struct nft_list *l, int rounds)
{
	if (rounds && rounds != k->rounds) {
		k->rounds = rounds;
		k->made = layers_of(a, l, rounds * SHAPES, k->at);
	}
	return !rounds || k->made;
}

struct segments {
	struct list at[4 * LAYERS];
	size_t len;
};

static void cut_list(struct segments *out, struct list l, size_t segments)
{
	for (size_t s = 0; s < segments; s++) {
		const size_t from = l.len * s / segments, to = l.len * (s + 1) / segments;

		if (to > from)
			out->at[out->len++] = (struct list){ l.at + from, to - from };
	}
}

static struct segments take_apart(struct arena *a, const struct nft_list *l, const struct way *w, const struct layers *k)
{
	struct segments out = { .len = 0 };
	struct list all = { arena_zero(a, (l->count + 1) * sizeof *all.at), l->count };

	for (size_t i = 0; i < l->count; i++)
		all.at[i] = (uint32_t)i;
	if (!w->rounds) {
		cut_list(&out, all, w->segments);
		return out;
	}
	for (int s = 0; s < w->rounds * SHAPES; s++)
		cut_list(&out, k->at[s], k->at[s].len / w->segments < SEGMENT_LEAST ? 1 : w->segments);
	return out;
}

/* Every packet may come through a segment of few items, and there is little to load. */
static double enough_for(double enough_ns, size_t len, size_t count)
{
	const double share = 4 * enough_ns * (double)len / (double)count;

	return share > enough_ns ? enough_ns : share > LEAF_NS ? share : LEAF_NS;
}

static void plan(struct nft_trees *out, struct arena *a, const struct nft_list *l, const struct way *w, const struct layers *k)
{
	const struct segments segments = take_apart(a, l, w, k);
	double before_ns = 0, maps = 0;

	*out = (struct nft_trees){ .roots = arena_zero(a, (segments.len + 1) * sizeof *out->roots), .count = segments.len };
	for (size_t s = 0; s < segments.len; s++) {
		const struct list all = segments.at[s];
		struct growing g = { .a = a, .items = l->items, .total = l->total && s + 1 == segments.len, .never = l->never,
				     .enough_ns = enough_for(w->enough_ns, all.len, l->count), .most = ENTRIES_MOST * all.len + 1024 };

		out->roots[s] = grow(&g, everything(), all, 0, 0);
		before_ns += g.packet_ns / g.weight;
		out->packet_ns += before_ns * (double)all.len / (double)l->count;
		out->load_us += g.load_us;
		maps += g.maps;
	}
	out->packet_ns = out->packet_ns * (1 - UNMATCHED) + before_ns * UNMATCHED;
	out->load_us += maps * maps * MAPS_US;
}

/* 3 us more a packet are as bad as 40 ms more to load. */
static double score_of(const struct nft_trees *t, size_t count)
{
	return t->packet_ns / 3000 + (t->load_us + COUNTER_US * (double)count) / 40000;
}

void nft_trees_plan(struct nft_trees *out, struct arena *a, const struct nft_list *l)
{
	struct layers k = { .rounds = 0 };
	size_t best = 0;
	double least = 0;

	for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
		own(arena) struct arena *scratch = arena_new();
		struct nft_trees t;

		if ((l->count > MANY && !ways[w].many) || (ways[w].segments > 1 && l->count / ways[w].segments < SEGMENT_LEAST))
			continue;
		if (!layers_for(&k, a, l, ways[w].rounds))
			continue;
		plan(&t, scratch, l, &ways[w], &k);
		const double score = score_of(&t, l->count);
		if (!least || score < least) {
			least = score;
			best = w;
		}
	}
	layers_for(&k, a, l, ways[best].rounds);
	plan(out, a, l, &ways[best], &k);
}
