#include "compiler/emit/bulk.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
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
#define NODE_NS 8.0
#define CELL_NS 3.0
#define TREE_NS 7.0 /* to begin a group */
#define BULK_NS 13.0
#define LIST_CELL_NS 2.0
#define VECTORS_NS 6.0
#define VECTOR_WORD_NS 3.5
#define MORE_NS 2.0
#define SETS_NS 6.0 /* to find in which sets an address lies */

struct item {
	struct {
		addr_num lo, hi;
	} of[FIELDS];
	uint8_t families;
	uint8_t asks[2]; /* bits of the source, of the destination */
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

/* Of an end, from its first bit on; of IPv6 at most the first word. */
static uint8_t asked_bits(addr_num mask, uint8_t families)
{
	unsigned bits = (unsigned)__builtin_popcountll((uint64_t)(mask >> 64)) + (unsigned)__builtin_popcountll((uint64_t)mask);

	if (families == TEG_IP4)
		return (uint8_t)(bits > 96 ? bits - 96 : 0);
	return (uint8_t)(bits < 64 ? bits : 64);
}

static struct item item_of(const struct teg_bulk_box *x, const struct teg_rule *rules)
{
	const struct teg_box *b = &x->box;
	addr_num src = two_words(x->addr), src_mask = two_words(x->mask);
	addr_num dst = two_words(x->addr + 2), dst_mask = two_words(x->mask + 2);
	bool any = b->proto == TEG_PROTO_ANY;

	struct item i = {
		.of = {
			[SRC] = { src, src | ~src_mask },
			[DST] = { dst, dst | ~dst_mask },
			[SPORT] = { b->sport_lo, b->sport_hi },
			[DPORT] = { b->dport_lo, b->dport_hi },
			[ICMP] = { b->icmp_lo, b->icmp_hi },
			[PROTO] = { any ? 0 : b->proto, any ? UINT8_MAX : b->proto },
		},
		.families = b->families,
		.plain = b->zones == UINT64_MAX && !b->src && !b->dst && !b->flags_mask &&
			 b->fragments == (TEG_WHOLE | TEG_FIRST | TEG_LATER) && !rules[b->rule].except,
	};
	i.asks[0] = asked_bits(src_mask, b->families);
	i.asks[1] = asked_bits(dst_mask, b->families);
	return i;
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

/* Bits that all boxes of a group ask: of the source, of the destination, and a whole port and protocol. */
struct kind {
	uint8_t src, dst;
	bool upper;
};

struct grouping {
	struct kind kinds[TEG_BULK_GROUPS]; /* the last asks nothing */
	unsigned len;
};

#define UPPER_TAKE ((uint64_t)UINT16_MAX << 32 | UINT8_MAX)

static uint64_t top_bits(unsigned bits, enum family f)
{
	uint64_t all = bits ? ~(uint64_t)0 << (64 - bits) : 0;

	return f == FAMILY_IP4 ? all >> 32 : all;
}

static bool asks_upper(const struct item *i)
{
	return i->of[PROTO].lo == i->of[PROTO].hi && i->of[DPORT].lo == i->of[DPORT].hi;
}

static bool is_of_kind(const struct item *i, struct kind k)
{
	return i->asks[0] >= k.src && i->asks[1] >= k.dst && (!k.upper || asks_upper(i));
}

/* The first kind that a box is of; the most particular ones come first. */
static unsigned group_of(const struct item *i, const struct grouping *g)
{
	unsigned at = 0;

	while (at + 1 < g->len && !is_of_kind(i, g->kinds[at]))
		at++;
	return at;
}

static struct teg_bulk_root root_of(struct kind k, enum family f)
{
	return (struct teg_bulk_root){ .take = { top_bits(k.src, f), top_bits(k.dst, f), k.upper ? UPPER_TAKE : 0 } };
}

static uint64_t hash_of_item(const struct item *i, const struct teg_bulk_root *r, enum family f)
{
	unsigned down = f == FAMILY_IP4 ? 0 : 64;

	return teg_bulk_hash(r, (uint64_t)(i->of[SRC].lo >> down), (uint64_t)(i->of[DST].lo >> down),
			     (uint64_t)i->of[DPORT].lo << 32 | i->of[PROTO].lo);
}

/* Keys of boxes, counted. */
struct counts {
	struct {
		uint64_t key;
		uint32_t count, turn;
	} *at;
	size_t room; /* a power of two */
	uint32_t turn;
};

static uint32_t *count_of(struct counts *c, uint64_t key)
{
	size_t at = (key * 0x9e3779b97f4a7c15ull >> 20) & (c->room - 1);

	while (c->at[at].turn == c->turn && c->at[at].key != key)
		at = (at + 1) & (c->room - 1);
	if (c->at[at].turn != c->turn) {
		c->at[at].turn = c->turn;
		c->at[at].key = key;
		c->at[at].count = 0;
	}
	return &c->at[at].count;
}

/* What a box's packet meets in a group: other boxes of the same key, or a tree of them. */
static double met_ns(double boxes)
{
	double nodes = boxes > 4 ? 0.5 + log2(boxes / 4) * 1.3 : 0;

	return nodes * NODE_NS + (boxes > 4 ? 4 : boxes) * CELL_NS * 0.6;
}

#define SAMPLE 512u
enum { LENS = 6 };

/* Some of a family's boxes, by which kinds are chosen. */
struct sample {
	struct counts counts;
	const struct item *items;
	uint32_t *at;
	size_t len;
	double every;
	enum family family;
	const uint8_t *lens; /* that a kind may ask of an end, the first is 0 */
};

/* What a packet costs in all groups. */
static double grouping_cost(struct sample *s, const struct grouping *g)
{
	double squares[TEG_BULK_GROUPS] = { 0 }, sum = 0;
	size_t in[TEG_BULK_GROUPS] = { 0 };

	s->counts.turn++;
	for (size_t i = 0; i < s->len; i++) {
		const struct item *item = &s->items[s->at[i]];
		unsigned group = group_of(item, g);
		struct teg_bulk_root r = root_of(g->kinds[group], s->family);
		uint32_t *count = count_of(&s->counts, hash_of_item(item, &r, s->family) * TEG_BULK_GROUPS + group);

		squares[group] += 2.0 * ++*count - 1;
		in[group]++;
	}
	for (unsigned k = 0; k < g->len; k++) {
		bool all = k + 1 == g->len;
		double share = (double)in[k] / (double)s->len;
		double met = in[k] ? 1 + (squares[k] / (double)in[k] - 1) * s->every : 0;

		if (in[k])
			sum += TREE_NS + met_ns(met) * (all ? 1 : share + 0.4 * (1 - share));
	}
	return sum;
}

static struct sample sample_of(struct arena *a, const struct item *items, uint32_t count, enum family f)
{
	static const uint8_t lens[FAMILY_COUNT][LENS] = { { 0, 8, 16, 20, 24, 32 }, { 0, 32, 40, 48, 56, 64 } };
	struct sample s = { .counts = { .room = 4 * SAMPLE }, .items = items, .family = f, .lens = lens[f] };
	uint32_t *all = arena_zero(a, (count + 1) * sizeof *all);
	size_t len = 0;

	for (uint32_t i = 0; i < count; i++)
		if (items[i].families >> f & 1)
			all[len++] = i;
	s.counts.at = arena_zero(a, s.counts.room * sizeof *s.counts.at);
	s.at = all;
	s.len = len < SAMPLE ? len : SAMPLE;
	for (size_t i = 0; i < s.len; i++)
		s.at[i] = all[i * len / s.len];
	s.every = s.len ? (double)len / (double)s.len : 1;
	return s;
}

/* A kind goes before those that ask no more than it does; not twice. */
static struct grouping with_kind(const struct grouping *from, struct kind k)
{
	struct grouping g = *from;
	unsigned at = 0, sum = k.src + k.dst + 16u * k.upper;

	for (unsigned i = 0; i < g.len; i++) {
		const struct kind *x = &g.kinds[i];

		if (x->src == k.src && x->dst == k.dst && x->upper == k.upper)
			return g;
		at += x->src + x->dst + 16u * x->upper >= sum;
	}
	memmove(&g.kinds[at + 1], &g.kinds[at], (g.len - at) * sizeof *g.kinds);
	g.kinds[at] = k;
	g.len++;
	return g;
}

/* One kind more, or another in the place of one: the best of all such, if it is better. */
static bool better_grouping(struct sample *s, struct grouping *best, double *least)
{
	const struct grouping from = *best;
	bool better = false;

	for (unsigned out = 0; out < from.len; out++) {
		struct grouping less = from;

		if (out + 1 < from.len)
			memmove(&less.kinds[out], &less.kinds[out + 1], (--less.len - out) * sizeof *less.kinds);
		for (unsigned k = 0; k < LENS * LENS * 2; k++) {
			const struct kind kind = { s->lens[k % LENS], s->lens[k / LENS % LENS], k / (LENS * LENS) };
			struct grouping g = less.len < TEG_BULK_GROUPS ? with_kind(&less, kind) : less;
			double cost = grouping_cost(s, &g);

			if (cost < *least - 0.25) {
				*least = cost;
				*best = g;
				better = true;
			}
		}
	}
	return better;
}

struct choice {
	struct grouping of[FAMILY_COUNT];
	double cost;
};

static int by_cost(const void *x, const void *y)
{
	double a = ((const struct choice *)x)->cost, b = ((const struct choice *)y)->cost;

	return (a > b) - (a < b);
}

/*
 * From one kind, and from four: by whether the ends ask so many bits. One kind more may not
 * help where two would, so all these ways in are tried; the cheapest come first.
 */
static void choose_kinds(struct choice out[LENS], struct arena *a, const struct item *items, uint32_t count)
{
	struct sample s[FAMILY_COUNT];

	for (int f = 0; f < FAMILY_COUNT; f++)
		s[f] = sample_of(a, items, count, (enum family)f);
	for (unsigned i = 0; i < LENS; i++) {
		out[i].cost = 0;
		for (int f = 0; f < FAMILY_COUNT; f++) {
			const uint8_t t = s[f].lens[i];
			struct grouping g = { .kinds = { { t, t, false }, { 0, t, false }, { t, 0, false } }, .len = t ? 4 : 1 };

			if (!s[f].len)
				g.len = 0;
			if (!g.len)
				continue;
			double cost = grouping_cost(&s[f], &g);
			for (unsigned turn = 0; turn < 4 && better_grouping(&s[f], &g, &cost); turn++)
				;
			out[i].of[f] = g;
			out[i].cost += cost;
		}
	}
	qsort(out, LENS, sizeof *out, by_cost);
}

/* --- roots -------------------------------------------------------------------------------- */

/* The boxes of a group by the number of their node, one list after another; begins[n] is where the n-th begins. */
static void sort_by_node(const struct making *m, struct list all, const struct teg_bulk_root *r, enum family f,
			 uint32_t *begins, uint32_t *sorted)
{
	size_t nodes = teg_bulk_root_nodes(r);

	for (size_t i = 0; i < all.len; i++)
		begins[hash_of_item(&m->items[all.at[i]], r, f) + 1]++;
	for (size_t n = 0; n < nodes; n++)
		begins[n + 1] += begins[n];
	uint32_t *next = arena_copy(m->a, begins, nodes * sizeof *begins);
	for (size_t i = 0; i < all.len; i++)
		sorted[next[hash_of_item(&m->items[all.at[i]], r, f)]++] = all.at[i];
}

/* Twice as many nodes as boxes: most that are no box's find nothing. */
static unsigned shift_for(size_t boxes)
{
	unsigned bits = 1;

	while (bits < 64 - TEG_BULK_SHIFT_MIN && (size_t)1 << bits < 2 * boxes)
		bits++;
	return 64 - bits;
}

static bool asks_none(struct kind k)
{
	return !k.src && !k.dst && !k.upper;
}

static void make_root(struct making *m, struct teg_bulk_root *r, struct list all, struct kind k, enum family f)
{
	*r = root_of(k, f);
	r->shift = asks_none(k) ? 0 : shift_for(all.len);
	r->first = (uint32_t)m->nodes.len;
	size_t nodes = teg_bulk_root_nodes(r);
	uint32_t *begins = arena_zero(m->a, (nodes + 1) * sizeof *begins);
	uint32_t *sorted = arena_zero(m->a, (all.len + 1) * sizeof *sorted);

	sort_by_node(m, all, r, f, begins, sorted);
	for (size_t n = 0; n < nodes; n++)
		vec_push(m->a, &m->nodes, 0);
	for (size_t n = 0; n < nodes; n++) {
		struct part p = everything(f);
		struct list some = { sorted + begins[n], begins[n + 1] - begins[n] };
		uint64_t node = grow(m, p, list_of_part(m, &p, some, SRC), 0);

		m->nodes.at[r->first + n] = node;
	}
}

/* Larger leaves need fewer copies: they are the way out when small ones need too many. */
static const struct manner {
	unsigned enough, space;
} manners[] = {
	{ 4, 3 }, { 8, 3 }, { 16, 3 }, { 32, 3 }, { 64, 3 }, { 128, 3 },
};

/* What is made so far; what came later can be forgotten. */
struct mark {
	size_t nodes, leaves;
	uint32_t depth, longest;
};

static void begin_group(struct making *m, const struct mark *to)
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

/* In the manner that costs a packet least; false when each needs too many copies. */
static bool make_group(struct making *m, struct teg_bulk_root *r, struct list all, struct kind k, enum family f,
		       double *met)
{
	const struct mark mark = { m->nodes.len, m->leaves.len, m->depth, m->longest };
	const struct manner *best = NULL, *last = NULL;

	for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
		if (best && manners[i].enough > 8)
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

/* What a packet costs in all trees of a family. */
static double make_groups(struct making *m, const struct grouping *g, enum family f, struct teg_bulk *tell)
{
	double sum = 0;

	for (unsigned k = 0; k < g->len && !m->failed; k++) {
		struct list all = { arena_zero(m->a, (m->item_count + 1) * sizeof *all.at), 0 };
		double met = 0;

		for (uint32_t i = 0; i < m->item_count; i++)
			if (m->items[i].families >> f & 1 && group_of(&m->items[i], g) == k)
				all.at[all.len++] = i;
		if (!all.len)
			continue;
		m->failed = !make_group(m, &tell->roots[f][tell->groups[f]++], all, g->kinds[k], f, &met);
		double share = (double)all.len / m->item_count;
		sum += TREE_NS + met * (asks_none(g->kinds[k]) ? 1 : share + 0.4 * (1 - share));
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

static struct making try_grouping(struct bulk_trees *out, struct arena *a, const struct item *items, uint32_t count,
				  const struct grouping grouping[FAMILY_COUNT])
{
	struct making m = { .a = a, .items = items, .item_count = count,
			    .most = (size_t)count * BULK_COPIES_MAX + 1024,
			    .copies = arena_zero(a, (count + 1) * sizeof *m.copies),
			    .room = arena_zero(a, (count + 1) * sizeof *m.room) };

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

/* Keeps the better of two; false when the trees need too many copies. */
static bool try_kinds(struct bulk_trees *best, bool any, struct arena *a, const struct item *items, uint32_t count,
		      const struct grouping grouping[FAMILY_COUNT], uint32_t *culprit)
{
	own(arena) struct arena *scratch = arena_new();
	struct bulk_trees one;
	struct making m = try_grouping(&one, scratch, items, count, grouping);

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
	own(arena) struct arena *scratch = arena_new();
	struct item *items = arena_zero(scratch, (count + 1) * sizeof *items);
	struct choice choices[LENS] = { 0 };
	bool any = false;

	assert(count <= TEG_BULK_BOXES_MAX);
	for (uint32_t i = 0; i < count; i++)
		items[i] = item_of(&boxes[i], rules);
	choose_kinds(choices, scratch, items, count);
	for (unsigned i = 0; i < LENS && !any; i++)
		any |= try_kinds(out, any, a, items, count, choices[i].of, culprit);
	return any ? 0 : -E2BIG;
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
