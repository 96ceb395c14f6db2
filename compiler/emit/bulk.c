#include "compiler/emit/bulk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/addr.h"

enum field { SRC, DST, SPORT, DPORT, ICMP, PROTO, FIELDS };

/* The last bit of each field in the key's words, and how many bits it has. */
static const struct {
	unsigned word, shift, bits;
} places[FIELDS] = {
	[SRC] = { 1, 0, 128 }, [DST] = { 3, 0, 128 },  [SPORT] = { 4, 48, 16 },
	[DPORT] = { 4, 32, 16 }, [ICMP] = { 4, 16, 16 }, [PROTO] = { 4, 0, 8 },
};

#define WIDTH_MAX 8u /* bits of one cut */
#define V4_MAPPED ((addr_num)0xffff << 32)

/* Measured with tests/bench/bulk: a node is a load that waits for the one before it. */
#define NODE_NS 5.0
#define CELL_NS 8.0
#define TREE_NS 10.0 /* to begin a group */
#define BULK_NS 10.0
#define LIST_CELL_NS 1.0

struct item {
	struct {
		addr_num lo, hi;
	} of[FIELDS];
	uint8_t families, group;
	bool plain; /* its fields and family say everything: where it lies, later ones never match */
};

/* A part of the space: in each field, the values that begin with `base` and end in any `bits`. */
struct part {
	addr_num base[FIELDS];
	unsigned bits[FIELDS];
	bool all[FIELDS]; /* no bit of the field was passed over: the part is all that comes here */
};

struct list {
	uint32_t *at;
	size_t len;
};

struct making {
	struct arena *a; /* of the result */
	const struct item *items;
	uint32_t item_count;
	unsigned enough; /* boxes for a leaf */
	unsigned space;	 /* a cut may make so many copies of a box, parts without any counted */
	size_t most;	 /* leaf entries */
	VEC(uint64_t) nodes;
	VEC(uint32_t) leaves;
	uint32_t *copies; /* of each item */
	uint32_t *room; /* for a list while it is made */
	size_t copied;
	uint64_t *known; /* leaves by a hash of what they list */
	size_t known_room, known_len;
	uint32_t depth, longest;
	double cost; /* summed over the leaf entries of a group */
	bool failed;
};

/* --- parts -------------------------------------------------------------------------- */

static addr_num low_bits(unsigned bits)
{
	return bits >= 128 ? ~(addr_num)0 : ((addr_num)1 << bits) - 1;
}

static addr_num part_hi(const struct part *p, enum field f)
{
	return p->base[f] | low_bits(p->bits[f]);
}

static bool covers_field(const struct item *i, const struct part *p, enum field f)
{
	return i->of[f].lo <= p->base[f] && i->of[f].hi >= part_hi(p, f);
}

static bool asks_nothing(const struct item *i, enum field f)
{
	return i->of[f].lo == 0 && i->of[f].hi >= low_bits(places[f].bits);
}

/* Does every packet that comes to this part lie in the box? */
static bool covers_all(const struct item *i, const struct part *p)
{
	if (!i->plain)
		return false;
	for (int f = 0; f < FIELDS; f++)
		if (p->all[f] ? !covers_field(i, p, (enum field)f) : !asks_nothing(i, (enum field)f))
			return false;
	return true;
}

/*
 * Bits that all boxes with a say in a field have in common need no cut. A packet
 * that differs there lies in none of these boxes, wherever it is sent.
 */
static void pass_over(const struct making *m, struct part *p, struct list l, enum field f)
{
	addr_num lo = ~(addr_num)0, hi = 0;

	for (size_t i = 0; i < l.len; i++) {
		const struct item *it = &m->items[l.at[i]];

		if (covers_field(it, p, f))
			continue;
		addr_num from = it->of[f].lo > p->base[f] ? it->of[f].lo : p->base[f];
		addr_num to = it->of[f].hi < part_hi(p, f) ? it->of[f].hi : part_hi(p, f);
		lo = from < lo ? from : lo;
		hi = to > hi ? to : hi;
	}
	while (lo <= hi && p->bits[f] && lo >> (p->bits[f] - 1) == hi >> (p->bits[f] - 1)) {
		p->bits[f]--;
		p->base[f] = lo & ~low_bits(p->bits[f]);
		p->all[f] = false;
	}
}

/* --- leaves --------------------------------------------------------------------------- */

static uint64_t hash_of(struct list l)
{
	uint64_t h = 0x9e3779b97f4a7c15ull ^ l.len;

	for (size_t i = 0; i < l.len; i++)
		h = (h ^ l.at[i]) * 0xff51afd7ed558ccdull, h ^= h >> 32;
	return h;
}

static uint64_t leaf_of(size_t first, size_t len)
{
	return TEG_BULK_LEAF | (uint64_t)first << 32 | len;
}

static bool leaf_is(const struct making *m, uint64_t leaf, struct list l)
{
	size_t first = leaf >> 32 & 0x7fffffff;

	return (leaf & 0xffff) == l.len && !memcmp(&m->leaves.at[first], l.at, l.len * sizeof *l.at);
}

static void known_grow(struct making *m)
{
	uint64_t *old = m->known;
	size_t room = m->known_room;

	m->known_room = room ? 2 * room : 1024;
	m->known = arena_zero(m->a, m->known_room * sizeof *m->known);
	for (size_t i = 0; i < room; i++) {
		size_t first = old[i] >> 32 & 0x7fffffff;

		if (!old[i])
			continue;
		size_t at = hash_of((struct list){ &m->leaves.at[first], old[i] & 0xffff }) & (m->known_room - 1);
		while (m->known[at])
			at = (at + 1) & (m->known_room - 1);
		m->known[at] = old[i];
	}
}

/* Equal leaves are one. */
static uint64_t leaf_put(struct making *m, struct list l, uint32_t depth)
{
	if (l.len > TEG_BULK_LONGEST_MAX || m->failed) {
		for (size_t i = 0; i < l.len; i++)
			m->copies[l.at[i]]++;
		m->failed = true;
		return leaf_of(0, 0);
	}
	m->depth = depth > m->depth ? depth : m->depth;
	m->longest = l.len > m->longest ? (uint32_t)l.len : m->longest;
	m->cost += (double)l.len * (depth * NODE_NS + (double)l.len * CELL_NS * 0.5);
	m->copied += l.len;
	for (size_t i = 0; i < l.len; i++)
		m->copies[l.at[i]]++;
	if (!l.len)
		return leaf_of(0, 0);
	if (2 * m->known_len >= m->known_room)
		known_grow(m);

	size_t at = hash_of(l) & (m->known_room - 1);
	for (; m->known[at]; at = (at + 1) & (m->known_room - 1))
		if (leaf_is(m, m->known[at], l))
			return m->known[at];
	m->known[at] = leaf_of(m->leaves.len, l.len);
	m->known_len++;
	uint64_t leaf = m->known[at];
	for (size_t i = 0; i < l.len; i++)
		vec_push(m->a, &m->leaves, l.at[i]);
	m->failed |= m->leaves.len > m->most || m->nodes.len > 2 * m->most;
	return leaf;
}

/* --- cuts ------------------------------------------------------------------------------- */

struct cut {
	enum field field;
	unsigned width;	 /* 0: none helps */
	double mean;	 /* boxes in the part where a box is, on average */
	size_t copies;
};

static void span_in(const struct item *i, const struct part *p, enum field f, unsigned width, uint32_t *first,
		    uint32_t *last)
{
	unsigned below = p->bits[f] - width;
	addr_num lo = i->of[f].lo > p->base[f] ? i->of[f].lo : p->base[f];
	addr_num hi = i->of[f].hi < part_hi(p, f) ? i->of[f].hi : part_hi(p, f);

	*first = (uint32_t)((lo - p->base[f]) >> below);
	*last = (uint32_t)((hi - p->base[f]) >> below);
}

/* A cut lies within one word of the key. */
static unsigned widest(const struct part *p, enum field f)
{
	unsigned bits = p->bits[f] > 64 ? p->bits[f] - 64 : p->bits[f];

	return bits < WIDTH_MAX ? bits : WIDTH_MAX;
}

static void try_width(const int *begin, const int *end, unsigned widest_bits, unsigned width, size_t most,
		      enum field f, struct cut *best)
{
	unsigned parts = 1u << width, per = 1u << (widest_bits - width);
	double squares = 0;
	size_t sum = 0;
	long now = 0;

	/* A box is in a part when it begins in it or before, and has not ended before it. */
	for (unsigned i = 0; i < parts; i++) {
		long ended = 0;

		for (unsigned j = i * per; j < (i + 1) * per; j++)
			now += begin[j], ended += end[j];
		sum += (size_t)now;
		squares += (double)now * (double)now;
		now -= ended;
	}
	if (sum + parts > most)
		return;

	double mean = squares / (double)sum;
	if (!best->width || mean < best->mean)
		*best = (struct cut){ f, width, mean, sum };
}

static void try_field(const struct making *m, const struct part *p, struct list l, enum field f, struct cut *best)
{
	unsigned width = widest(p, f);
	int begin[1u << WIDTH_MAX] = { 0 }, end[1u << WIDTH_MAX] = { 0 };
	bool asked = false;

	if (!width)
		return;
	for (size_t i = 0; i < l.len; i++) {
		uint32_t first, last;

		span_in(&m->items[l.at[i]], p, f, width, &first, &last);
		begin[first]++;
		end[last]++;
		asked |= !covers_field(&m->items[l.at[i]], p, f);
	}
	for (unsigned w = 1; asked && w <= width; w++)
		try_width(begin, end, width, w, m->space * l.len + 8, f, best);
}

/* The boxes that have something in the part, which differs in `f` from the one where all of them have. */
static struct list list_of_part(struct making *m, const struct part *p, struct list all, enum field f)
{
	size_t len = 0;

	for (size_t i = 0; i < all.len; i++) {
		const struct item *it = &m->items[all.at[i]];

		if (it->of[f].lo > part_hi(p, f) || it->of[f].hi < p->base[f])
			continue;
		m->room[len++] = all.at[i];
		if (covers_all(it, p))
			break;
	}
	return (struct list){ arena_copy(m->a, m->room, len * sizeof *m->room), len };
}

static uint64_t grow(struct making *m, struct part p, struct list l, uint32_t depth);

/* Children lie side by side, so that a node needs the first one's place only. */
static uint64_t branch(struct making *m, const struct part *p, struct list l, struct cut c, uint32_t depth)
{
	const uint32_t parts = 1u << c.width, first = (uint32_t)m->nodes.len;
	const unsigned below = p->bits[c.field] - c.width;
	unsigned word = places[c.field].word, shift = places[c.field].shift + below;

	if (below >= 64)
		word--, shift -= 64;
	for (uint32_t i = 0; i < parts; i++)
		vec_push(m->a, &m->nodes, 0);
	for (uint32_t i = 0; i < parts && !m->failed; i++) {
		struct part child = *p;

		child.bits[c.field] = below;
		child.base[c.field] = p->base[c.field] + ((addr_num)i << below);
		uint64_t node = grow(m, child, list_of_part(m, &child, l, c.field), depth + 1);
		m->nodes.at[first + i] = node;
	}
	return TEG_BULK_NODE(first, c.width, word, shift);
}

static uint64_t grow(struct making *m, struct part p, struct list l, uint32_t depth)
{
	struct cut best = { 0 };

	if (l.len <= m->enough || depth + 1 >= TEG_BULK_DEPTH_MAX)
		return leaf_put(m, l, depth);
	for (int f = 0; f < FIELDS; f++) {
		pass_over(m, &p, l, (enum field)f);
		try_field(m, &p, l, (enum field)f, &best);
	}
	if (!best.width || best.mean > 0.97 * (double)l.len)
		return leaf_put(m, l, depth);
	return branch(m, &p, l, best, depth);
}

/* --- boxes ------------------------------------------------------------------------------ */

static addr_num two_words(const __u64 w[2])
{
	return (addr_num)w[0] << 64 | w[1];
}

/* A wide end would be copied into most parts of a tree that cuts along it. */
static bool is_narrow(addr_num mask, uint8_t families)
{
	unsigned bits = (unsigned)__builtin_popcountll((uint64_t)(mask >> 64)) +
			(unsigned)__builtin_popcountll((uint64_t)mask);

	return bits >= (families == TEG_IP4 ? 96 + 16 : 32);
}

static struct item item_of(const struct teg_bulk_box *x, const struct teg_rule *rules)
{
	const struct teg_box *b = &x->box;
	addr_num src = two_words(x->addr), src_mask = two_words(x->mask);
	addr_num dst = two_words(x->addr + 2), dst_mask = two_words(x->mask + 2);
	bool any = b->proto == TEG_PROTO_ANY;

	return (struct item){
		.of = {
			[SRC] = { src, src | ~src_mask },
			[DST] = { dst, dst | ~dst_mask },
			[SPORT] = { b->sport_lo, b->sport_hi },
			[DPORT] = { b->dport_lo, b->dport_hi },
			[ICMP] = { b->icmp_lo, b->icmp_hi },
			[PROTO] = { any ? 0 : b->proto, any ? UINT8_MAX : b->proto },
		},
		.families = b->families,
		.group = (uint8_t)(is_narrow(src_mask, b->families) | is_narrow(dst_mask, b->families) << 1),
		.plain = b->zones == UINT64_MAX && !b->src && !b->dst && !b->flags_mask &&
			 b->fragments == (TEG_WHOLE | TEG_FIRST | TEG_LATER) && !rules[b->rule].except,
	};
}

static struct part everything(enum family family)
{
	struct part p = { 0 };

	for (int f = 0; f < FIELDS; f++) {
		p.bits[f] = places[f].bits;
		p.all[f] = true;
	}
	if (family == FAMILY_IP4) {
		p.base[SRC] = p.base[DST] = V4_MAPPED;
		p.bits[SRC] = p.bits[DST] = 32;
	}
	return p;
}

/* --- groups ------------------------------------------------------------------------------- */

/* Which of the four kinds of boxes stand together: by none, the source, both ends, or the destination. */
static const uint8_t groupings[][TEG_BULK_GROUPS] = { { 0, 0, 0, 0 }, { 0, 1, 0, 1 }, { 0, 1, 2, 3 }, { 0, 0, 1, 1 } };

static uint64_t group_root(struct making *m, const uint8_t grouping[TEG_BULK_GROUPS], unsigned group,
			   enum family family)
{
	struct list all = { arena_zero(m->a, (m->item_count + 1) * sizeof *all.at), 0 };
	struct part p = everything(family);

	for (uint32_t i = 0; i < m->item_count; i++)
		if (grouping[m->items[i].group] == group && m->items[i].families & 1u << family)
			all.at[all.len++] = i;
	return grow(m, p, list_of_part(m, &p, all, SRC), 0);
}

/* The roots are the first nodes: a group's for IPv4, then for IPv6. What a packet costs in all trees. */
static double group_all(struct making *m, const uint8_t grouping[TEG_BULK_GROUPS], struct teg_bulk *tell)
{
	bool used[TEG_BULK_GROUPS] = { 0 };
	double sum = BULK_NS;

	for (uint32_t i = 0; i < m->item_count; i++)
		used[grouping[m->items[i].group]] = true;
	for (unsigned g = 0; g < TEG_BULK_GROUPS; g++)
		for (int f = 0; f < FAMILY_COUNT && used[g]; f++)
			vec_push(m->a, &m->nodes, 0);
	for (unsigned g = 0; g < TEG_BULK_GROUPS; g++) {
		if (!used[g])
			continue;
		for (unsigned f = 0; f < FAMILY_COUNT; f++) {
			uint32_t at = 2 * tell->groups + f;
			uint64_t root = group_root(m, grouping, g, (enum family)f);

			m->nodes.at[at] = root;
			tell->roots[f][tell->groups] = at;
		}
		tell->groups++;
		sum += TREE_NS + (m->copied ? m->cost / (double)m->copied : 0);
		m->cost = 0;
		m->copied = 0;
	}
	return sum;
}

static uint32_t most_copied(const struct making *m)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < m->item_count; i++)
		if (m->copies[i] > m->copies[most])
			most = i;
	return most;
}

/* Larger leaves need fewer copies: they are the way out when small ones need too many. */
static const struct manner {
	unsigned enough, space;
	bool thorough; /* as the last grouping, only worth the time for lists that are not very long */
} manners[] = {
	{ 8, 3, false }, { 8, 2, true }, { 4, 2, true }, { 8, 6, true }, { 16, 3, false }, { 32, 3, false },
	{ 64, 3, false }, { 128, 3, false },
};
#define THOROUGH_MAX 2048u

static struct making try_grouping(struct bulk_trees *out, struct arena *a, const struct item *items, uint32_t count,
				  const uint8_t grouping[TEG_BULK_GROUPS], struct manner how)
{
	struct making m = { .a = a, .items = items, .item_count = count, .enough = how.enough, .space = how.space,
			    .most = (size_t)count * BULK_COPIES_MAX + 1024,
			    .copies = arena_zero(a, (count + 1) * sizeof *m.copies),
			    .room = arena_zero(a, (count + 1) * sizeof *m.room) };

	*out = (struct bulk_trees){ 0 };
	out->cost_ns = group_all(&m, grouping, &out->tell);
	out->tell.cells = count;
	out->tell.nodes = (uint32_t)m.nodes.len;
	out->tell.leaves = (uint32_t)m.leaves.len;
	out->tell.depth = m.depth + 1;
	out->tell.longest = m.longest;
	out->nodes = m.nodes.at;
	out->leaves = m.leaves.at;
	return m;
}

/* Keeps the better of two; false when the trees need too many copies. */
static bool try_manner(struct bulk_trees *best, bool any, struct arena *a, const struct item *items, uint32_t count,
		       const uint8_t grouping[TEG_BULK_GROUPS], struct manner how, uint32_t *culprit)
{
	own(arena) struct arena *scratch = arena_new();
	struct bulk_trees one;
	struct making m = try_grouping(&one, scratch, items, count, grouping, how);

	if (m.failed) {
		*culprit = most_copied(&m);
		return false;
	}
	if (any && one.cost_ns >= best->cost_ns)
		return true;
	one.nodes = arena_copy(a, one.nodes, one.tell.nodes * sizeof *one.nodes);
	one.leaves = arena_copy(a, one.leaves, one.tell.leaves * sizeof *one.leaves);
	*best = one;
	return true;
}

int bulk_build(struct bulk_trees *out, struct arena *a, const struct teg_bulk_box *boxes, uint32_t count,
	       const struct teg_rule *rules, uint32_t *culprit)
{
	struct item *items = arena_zero(a, (count + 1) * sizeof *items);
	const bool thorough = count <= THOROUGH_MAX;
	const size_t tried = sizeof groupings / sizeof *groupings - !thorough;
	bool any = false;

	assert(count <= TEG_BULK_BOXES_MAX);
	for (uint32_t i = 0; i < count; i++)
		items[i] = item_of(&boxes[i], rules);
	for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
		if (manners[i].thorough ? !thorough : any && manners[i].enough > 8)
			continue;
		for (size_t g = 0; g < tried; g++)
			any |= try_manner(out, any, a, items, count, groupings[g], manners[i], culprit);
	}
	return any ? 0 : -E2BIG;
}

double bulk_list_cost_ns(uint32_t boxes)
{
	return boxes * LIST_CELL_NS;
}
