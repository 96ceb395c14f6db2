#include "compiler/emit/bulk.h"

#include <assert.h>
#include <errno.h>

#include "compiler/emit/bulk_kind.h"
#include "lang/bundle/bulk_pack.h"

/* Measured with tests/bench/bulk, as those in bulk_tree.h. */
#define BULK_NS 13.0
#define LIST_CELL_NS 2.0
#define VECTORS_NS 6.0
#define VECTOR_WORD_NS 3.5
#define MORE_NS 2.0
#define SETS_NS 6.0 /* to find in which sets an address lies */

/* --- roots -------------------------------------------------------------------------------- */

/* The boxes of a group by the number of their node, one list after another; begins[n] is where the n-th begins. */
static void sort_by_node(const struct bulk_making *m, struct bulk_list all, const struct teg_bulk_root *r, enum family f,
			 uint32_t *begins, uint32_t *sorted)
{
	size_t nodes = teg_bulk_root_nodes(r);

	for (size_t i = 0; i < all.len; i++)
		begins[bulk_item_hash(&m->items[all.at[i]], r, f) + 1]++;
	for (size_t n = 0; n < nodes; n++)
		begins[n + 1] += begins[n];
	uint32_t *next = arena_copy(m->passing, begins, nodes * sizeof *begins);
	for (size_t i = 0; i < all.len; i++)
		sorted[next[bulk_item_hash(&m->items[all.at[i]], r, f)]++] = all.at[i];
}

/* Twice as many nodes as boxes: most that are no box's find nothing. */
static unsigned shift_for(size_t boxes)
{
	unsigned bits = 1;

	while (bits < 64 - TEG_BULK_SHIFT_MIN && (size_t)1 << bits < 2 * boxes)
		bits++;
	return 64 - bits;
}

static bool asks_none(struct bulk_kind k)
{
	return !k.src && !k.dst && !k.upper;
}

static void make_root(struct bulk_making *m, struct teg_bulk_root *r, struct bulk_list all, struct bulk_kind k, enum family f)
{
	own(arena) struct arena *passing = m->passing = arena_new();

	*r = bulk_root_of(k, f);
	r->shift = asks_none(k) ? 0 : shift_for(all.len);
	r->first = (uint32_t)m->nodes.len;
	size_t nodes = teg_bulk_root_nodes(r);
	uint32_t *begins = arena_zero(passing, (nodes + 1) * sizeof *begins);
	uint32_t *sorted = arena_zero(passing, (all.len + 1) * sizeof *sorted);

	sort_by_node(m, all, r, f, begins, sorted);
	for (size_t n = 0; n < nodes; n++)
		vec_push(m->a, &m->nodes, 0);
	for (size_t n = 0; n < nodes; n++) {
		struct bulk_list some = { sorted + begins[n], begins[n + 1] - begins[n] };
		uint64_t node = bulk_tree_grow(m, some, f);

		m->nodes.at[r->first + n] = node;
	}
}

/* Larger leaves need fewer copies: they are the way out when small ones need too many. */
static const struct manner {
	unsigned enough, space;
} manners[] = {
	{ 4, 3 }, { 8, 3 }, { 16, 3 }, { 64, 3 }, { 128, 3 },
};

/* What is made so far; what came later can be forgotten. */
struct mark {
	size_t nodes, leaves;
	uint32_t depth, longest;
};

static void begin_group(struct bulk_making *m, const struct mark *to)
{
	m->nodes.len = to->nodes;
	m->leaves.len = to->leaves;
	m->depth = to->depth;
	m->longest = to->longest;
	m->known_room = m->known_len = 0;
	m->cost = 0;
	m->copied = 0;
	m->failed = false;
}

static size_t leaves_most(const struct bulk_making *m)
{
	return (size_t)m->item_count * m->limit.copies + 1024;
}

/* In the manner that costs a packet least; false when each needs too many copies. */
static bool make_group(struct bulk_making *m, struct teg_bulk_root *r, struct bulk_list all, struct bulk_kind k, enum family f,
		       double *met)
{
	const struct mark mark = { m->nodes.len, m->leaves.len, m->depth, m->longest };
	const struct manner *best = NULL, *last = NULL;
	const size_t here = mark.leaves + all.len * m->limit.each + 1024, most = leaves_most(m);

	m->leaves_most = here < most ? here : most;
	for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
		if (manners[i].enough > (best ? 8 : m->limit.enough))
			break;
		begin_group(m, &mark);
		m->enough = manners[i].enough;
		m->space = manners[i].space;
		make_root(m, r, all, k, f);
		last = &manners[i];
		double cost = m->copied ? m->cost / (double)m->copied : 0;
		if (m->failed || (best && cost >= *met))
			continue;
		best = last;
		*met = cost;
	}
	if (!best || best == last)
		return best;
	begin_group(m, &mark);
	m->enough = best->enough;
	m->space = best->space;
	make_root(m, r, all, k, f);
	return true;
}

/* A family's boxes, by the number of their kind. */
static struct bulk_list boxes_of_kind(struct bulk_making *m, const struct bulk_grouping *g, enum family f, unsigned kind)
{
	struct bulk_list all = { arena_zero(m->a, (m->item_count + 1) * sizeof *all.at), 0 };

	for (uint32_t i = 0; i < m->item_count; i++)
		if (m->items[i].families >> f & 1 && bulk_group_of(&m->items[i], g) == kind)
			all.at[all.len++] = i;
	return all;
}

/*
 * What a packet costs in all trees of a family. The widest kind is made first: when too many copies are needed, it
 * is what needs them.
 */
static double make_groups(struct bulk_making *m, const struct bulk_grouping *g, enum family f, struct teg_bulk *tell)
{
	struct bulk_list lists[TEG_BULK_GROUPS];
	double met[TEG_BULK_GROUPS] = { 0 }, sum = 0, before = 0;
	uint32_t len = 0;

	for (unsigned k = 0; k < g->len; k++) {
		lists[k] = boxes_of_kind(m, g, f, k);
		len += lists[k].len > 0;
	}
	tell->groups[f] = len;
	for (unsigned k = g->len; k-- > 0 && !m->failed;)
		if (lists[k].len)
			m->failed = !make_group(m, &tell->roots[f][--len], lists[k], g->kinds[k], f, &met[k]);
	for (unsigned k = 0; k < g->len; k++) {
		double share = (double)lists[k].len / m->item_count;

		if (lists[k].len)
			sum += bulk_group_ns(bulk_price_of(m->item_count), met[k], share, before, asks_none(g->kinds[k]));
		before += share;
	}
	return sum;
}

static uint32_t most_copied(const struct bulk_making *m)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < m->item_count; i++)
		if (m->copies[i] > m->copies[most])
			most = i;
	return most;
}

/* First what memory should hold at most and a packet meet, then what they may. */
static const struct bulk_limit limits[] = {
	{ BULK_COPIES_MAX / 2, 48, 16 }, { BULK_COPIES_MAX / 2, 48, 64 }, { BULK_COPIES_MAX, UINT16_MAX, UINT16_MAX },
};

static struct bulk_making try_grouping(struct bulk_trees *out, struct arena *a, const struct bulk_item *items, uint32_t count,
				  const struct bulk_grouping grouping[FAMILY_COUNT], struct bulk_limit limit)
{
	struct bulk_making m = { .a = a, .items = items, .item_count = count, .limit = limit,
			    .copies = arena_zero(a, (count + 1) * sizeof *m.copies),
			    .lists = arena_zero(a, (size_t)(count + 1) * BULK_LISTS * sizeof *m.lists) };

	m.nodes_most = 2 * leaves_most(&m);
	*out = (struct bulk_trees){ .cost_ns = BULK_NS };
	for (int f = 0; f < FAMILY_COUNT && !m.failed; f++)
		out->cost_ns += make_groups(&m, &grouping[f], (enum family)f, &out->tell);
	out->tell.cells = count;
	out->tell.nodes = (uint32_t)m.nodes.len;
	out->tell.leaves = (uint32_t)m.leaves.len;
	out->tell.depth = m.depth;
	out->tell.longest = m.longest;
	out->nodes = m.nodes.at;
	out->leaves = m.leaves.at;
	return m;
}

/* False when the trees need too many copies. */
static bool try_kinds(struct bulk_trees *out, struct arena *a, const struct bulk_item *items, uint32_t count,
		      const struct bulk_grouping grouping[FAMILY_COUNT], struct bulk_limit limit, uint32_t *culprit)
{
	own(arena) struct arena *scratch = arena_new();
	struct bulk_trees one;
	struct bulk_making m = try_grouping(&one, scratch, items, count, grouping, limit);

	if (m.failed) {
		*culprit = most_copied(&m);
		return false;
	}
	one.nodes = arena_copy(a, one.nodes, one.tell.nodes * sizeof *one.nodes);
	one.leaves = arena_copy(a, one.leaves, one.tell.leaves * sizeof *one.leaves);
	*out = one;
	return true;
}

int bulk_build(struct bulk_trees *out, struct arena *a, const struct teg_bulk_box *boxes, uint32_t count,
	       const struct teg_rule *rules, uint32_t *culprit)
{
	own(arena) struct arena *scratch = arena_new();
	struct bulk_item *items = arena_zero(scratch, (count + 1) * sizeof *items);
	struct bulk_choice choices[BULK_CHOICES] = { 0 };

	assert(count <= TEG_BULK_BOXES_MAX);
	for (uint32_t i = 0; i < count; i++)
		items[i] = bulk_item_of(&boxes[i], rules);
	bulk_choose(choices, scratch, items, count);
	for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
		for (unsigned i = 0; i < BULK_CHOICES; i++)
			/* They are sorted: of the same cost is the same grouping, found twice. */
			if ((!i || choices[i].cost > choices[i - 1].cost) &&
			    try_kinds(out, a, items, count, choices[i].of, limits[l], culprit))
				return 0;
	return -E2BIG;
}

double bulk_vectors_cost_ns(const struct vectors_ask *ask)
{
	const uint32_t words = ask->words[0] > ask->words[1] ? ask->words[0] : ask->words[1];

	return VECTORS_NS + words * VECTOR_WORD_NS * ask->blocks + (ask->mores - 1) * MORE_NS;
}

double bulk_list_cost_ns(uint32_t boxes, uint32_t asks)
{
	return boxes * LIST_CELL_NS + (asks & TEG_ASKS_SRC_SETS ? SETS_NS : 0) + (asks & TEG_ASKS_DST_SETS ? SETS_NS : 0);
}
