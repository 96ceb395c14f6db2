#include "compiler/emit/bulk_tree.h"

#include <assert.h>
#include <string.h>

/* The last bit of each field in the key's words, and how many bits it has. */
static const struct {
	unsigned word, shift, bits;
} places[BULK_FIELDS] = {
	[BULK_SRC] = { 1, 0, 128 }, [BULK_DST] = { 3, 0, 128 },  [BULK_SPORT] = { 4, 48, 16 },
	[BULK_DPORT] = { 4, 32, 16 }, [BULK_ICMP] = { 4, 16, 16 }, [BULK_PROTO] = { 4, 0, 8 },
};

#define WIDTH_MAX 8u /* bits of one cut */
#define V4_MAPPED ((addr_num)0xffff << 32)

/* A part of the space: in each field, the values that begin with `base` and end in any `bits`. */
struct part {
	addr_num base[BULK_FIELDS];
	unsigned bits[BULK_FIELDS];
	bool all[BULK_FIELDS]; /* no bit of the field was passed over: the part is all that comes here */
	bool idle[BULK_FIELDS]; /* no box asks anything of the field here, nor in a part of it */
};

/* --- parts -------------------------------------------------------------------------- */

static addr_num part_hi(const struct part *p, enum bulk_field f)
{
	return p->base[f] | bulk_low_bits(p->bits[f]);
}

static bool covers_field(const struct bulk_item *i, const struct part *p, enum bulk_field f)
{
	return bulk_lo(i, f) <= p->base[f] && bulk_hi(i, f) >= part_hi(p, f);
}

static bool asks_nothing(const struct bulk_item *i, enum bulk_field f)
{
	return bulk_lo(i, f) == 0 && bulk_hi(i, f) >= bulk_low_bits(places[f].bits);
}

/* Does every packet that comes to this part lie in the box? */
static bool covers_all(const struct bulk_item *i, const struct part *p)
{
	if (!i->plain)
		return false;
	for (int f = 0; f < BULK_FIELDS; f++)
		if (p->all[f] ? !covers_field(i, p, (enum bulk_field)f) : !asks_nothing(i, (enum bulk_field)f))
			return false;
	return true;
}

/*
 * Bits that all boxes with a say in a field have in common need no cut. A packet
 * that differs there lies in none of these boxes, wherever it is sent.
 */
static void pass_over(const struct bulk_making *m, struct part *p, struct bulk_list l, enum bulk_field f)
{
	addr_num lo = ~(addr_num)0, hi = 0, last_lo = 0, first_hi = ~(addr_num)0;

	for (size_t i = 0; i < l.len; i++) {
		const struct bulk_item *it = &m->items[l.at[i]];

		if (covers_field(it, p, f))
			continue;
		addr_num from = bulk_lo(it, f) > p->base[f] ? bulk_lo(it, f) : p->base[f];
		addr_num to = bulk_hi(it, f) < part_hi(p, f) ? bulk_hi(it, f) : part_hi(p, f);
		lo = from < lo ? from : lo;
		hi = to > hi ? to : hi;
		last_lo = from > last_lo ? from : last_lo;
		first_hi = to < first_hi ? to : first_hi;
	}
	while (lo <= hi && p->bits[f] && lo >> (p->bits[f] - 1) == hi >> (p->bits[f] - 1)) {
		p->bits[f]--;
		p->base[f] = lo & ~bulk_low_bits(p->bits[f]);
		p->all[f] = false;
	}
	p->idle[f] = last_lo <= p->base[f] && first_hi >= part_hi(p, f);
}

/* --- leaves --------------------------------------------------------------------------- */

static uint64_t hash_of(struct bulk_list l)
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

static bool leaf_is(const struct bulk_making *m, uint64_t leaf, struct bulk_list l)
{
	size_t first = leaf >> 32 & 0x7fffffff;

	return (leaf & 0xffff) == l.len && !memcmp(&m->leaves.at[first], l.at, l.len * sizeof *l.at);
}

static void known_grow(struct bulk_making *m)
{
	uint64_t *old = m->known;
	size_t room = m->known_room;

	m->known_room = room ? 2 * room : 1024;
	m->known = arena_zero(m->passing, m->known_room * sizeof *m->known);
	for (size_t i = 0; i < room; i++) {
		size_t first = old[i] >> 32 & 0x7fffffff;

		if (!old[i])
			continue;
		size_t at = hash_of((struct bulk_list){ &m->leaves.at[first], old[i] & 0xffff }) & (m->known_room - 1);
		while (m->known[at])
			at = (at + 1) & (m->known_room - 1);
		m->known[at] = old[i];
	}
}

/* Equal leaves are one. */
static uint64_t leaf_put(struct bulk_making *m, struct bulk_list l, uint32_t depth)
{
	if (l.len > TEG_BULK_LONGEST_MAX || m->failed) {
		for (size_t i = 0; i < l.len; i++)
			m->copies[l.at[i]]++;
		m->failed = true;
		return leaf_of(0, 0);
	}
	m->depth = depth > m->depth ? depth : m->depth;
	m->longest = l.len > m->longest ? (uint32_t)l.len : m->longest;
	m->cost += (double)l.len * (depth * BULK_NODE_NS + (double)l.len * BULK_CELL_NS * 0.5);
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
	m->failed |= m->leaves.len > m->leaves_most || m->nodes.len > m->nodes_most;
	return leaf;
}

/* --- cuts ------------------------------------------------------------------------------- */

struct cut {
	enum bulk_field field;
	unsigned width;	 /* 0: none helps */
	double mean;	 /* boxes in the part where a box is, on average */
	size_t copies;
};

static void span_in(const struct bulk_item *i, const struct part *p, enum bulk_field f, unsigned width, uint32_t *first,
		    uint32_t *last)
{
	unsigned below = p->bits[f] - width;
	addr_num lo = bulk_lo(i, f) > p->base[f] ? bulk_lo(i, f) : p->base[f];
	addr_num hi = bulk_hi(i, f) < part_hi(p, f) ? bulk_hi(i, f) : part_hi(p, f);

	*first = (uint32_t)((lo - p->base[f]) >> below);
	*last = (uint32_t)((hi - p->base[f]) >> below);
}

/* A cut lies within one word of the key, and makes no more than `most` parts. */
static unsigned widest(const struct part *p, enum bulk_field f, size_t most)
{
	unsigned bits = p->bits[f] > 64 ? p->bits[f] - 64 : p->bits[f];

	bits = bits < WIDTH_MAX ? bits : WIDTH_MAX;
	while (bits && (size_t)1 << bits > most)
		bits--;
	return bits;
}

/* How many boxes begin in each part, and how many end. */
struct ends {
	unsigned begin[1u << WIDTH_MAX], end[1u << WIDTH_MAX];
};

static void try_width(const struct ends *e, unsigned width, size_t most, enum bulk_field f, struct cut *best)
{
	const unsigned parts = 1u << width;
	uint64_t squares = 0;
	size_t sum = 0, now = 0;

	/* A box is in a part when it begins in it or before, and has not ended before it. */
	for (unsigned i = 0; i < parts; i++) {
		now += e->begin[i];
		sum += now;
		squares += now * now;
		now -= e->end[i];
	}
	if (sum + parts > most)
		return;

	double mean = (double)squares / (double)sum;
	if (!best->width || mean <= best->mean)
		*best = (struct cut){ f, width, mean, sum };
}

/* Of two parts one. */
static void halve(struct ends *e, unsigned parts)
{
	for (unsigned i = 0; i < parts / 2; i++) {
		e->begin[i] = e->begin[2 * i] + e->begin[2 * i + 1];
		e->end[i] = e->end[2 * i] + e->end[2 * i + 1];
	}
}

/* From the finest parts to the coarsest; of equal ones the coarsest are taken, and of equal fields the first. */
static void try_field(const struct bulk_making *m, const struct part *p, struct bulk_list l, enum bulk_field f, struct cut *best)
{
	const size_t most = m->space * l.len + 8;
	const unsigned width = widest(p, f, most - l.len);
	struct cut here = { 0 };
	struct ends e;

	memset(e.begin, 0, sizeof *e.begin << width);
	memset(e.end, 0, sizeof *e.end << width);
	for (size_t i = 0; width && i < l.len; i++) {
		uint32_t first, last;

		span_in(&m->items[l.at[i]], p, f, width, &first, &last);
		e.begin[first]++;
		e.end[last]++;
	}
	for (unsigned w = width; w; halve(&e, 1u << w--))
		try_width(&e, w, most, f, &here);
	if (here.width && (!best->width || here.mean < best->mean))
		*best = here;
}

/* The boxes that have something in the part, which differs in `f` from the one where all of them have. */
static struct bulk_list list_of_part(struct bulk_making *m, const struct part *p, struct bulk_list all, enum bulk_field f)
{
	struct bulk_list out = { m->lists + m->listed, 0 };

	assert(m->listed + all.len <= (size_t)(m->item_count + 1) * BULK_LISTS);
	for (size_t i = 0; i < all.len; i++) {
		const struct bulk_item *it = &m->items[all.at[i]];

		if (bulk_lo(it, f) > part_hi(p, f) || bulk_hi(it, f) < p->base[f])
			continue;
		out.at[out.len++] = all.at[i];
		if (covers_all(it, p))
			break;
	}
	m->listed += out.len;
	return out;
}

static uint64_t grow(struct bulk_making *m, struct part p, struct bulk_list l, uint32_t depth);

/* Children lie side by side, so that a node needs the first one's place only. */
static uint64_t branch(struct bulk_making *m, const struct part *p, struct bulk_list l, struct cut c, uint32_t depth)
{
	const uint32_t parts = 1u << c.width, first = (uint32_t)m->nodes.len;
	const size_t around = m->listed;
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
		m->listed = around;
	}
	return TEG_BULK_NODE(first, c.width, word, shift);
}

static uint64_t grow(struct bulk_making *m, struct part p, struct bulk_list l, uint32_t depth)
{
	struct cut best = { 0 };

	if (l.len <= m->enough || depth + 1 >= TEG_BULK_DEPTH_MAX)
		return leaf_put(m, l, depth);
	for (int f = 0; f < BULK_FIELDS; f++) {
		if (!p.idle[f])
			pass_over(m, &p, l, (enum bulk_field)f);
		if (!p.idle[f])
			try_field(m, &p, l, (enum bulk_field)f, &best);
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

/* Of a prefix. */
static uint8_t free_bits(addr_num mask)
{
	const addr_num host = ~mask;

	assert(!(host & (host + 1)));
	return (uint8_t)(__builtin_popcountll((uint64_t)(host >> 64)) + __builtin_popcountll((uint64_t)host));
}

struct bulk_item bulk_item_of(const struct teg_bulk_box *x, const struct teg_rule *rules)
{
	const struct teg_box *b = &x->box;
	addr_num src_mask = two_words(x->mask), dst_mask = two_words(x->mask + 2);
	bool any = b->proto == TEG_PROTO_ANY;

	return (struct bulk_item){
		.base = { two_words(x->addr), two_words(x->addr + 2) },
		.free = { free_bits(src_mask), free_bits(dst_mask) },
		.lo = { b->sport_lo, b->dport_lo, b->icmp_lo, any ? 0 : b->proto },
		.hi = { b->sport_hi, b->dport_hi, b->icmp_hi, any ? UINT8_MAX : b->proto },
		.families = b->families,
		.asks = { asked_bits(src_mask, b->families), asked_bits(dst_mask, b->families) },
		.plain = b->zones == UINT64_MAX && !b->src && !b->dst && !b->flags_mask &&
			 b->fragments == (TEG_WHOLE | TEG_FIRST | TEG_LATER) && !rules[b->rule].except,
	};
}

static struct part everything(enum family family)
{
	struct part p = { 0 };

	for (int f = 0; f < BULK_FIELDS; f++) {
		p.bits[f] = places[f].bits;
		p.all[f] = true;
	}
	if (family == FAMILY_IP4) {
		p.base[BULK_SRC] = p.base[BULK_DST] = V4_MAPPED;
		p.bits[BULK_SRC] = p.bits[BULK_DST] = 32;
	}
	return p;
}

uint64_t bulk_tree_grow(struct bulk_making *m, struct bulk_list some, enum family family)
{
	struct part p = everything(family);

	m->listed = 0;
	return grow(m, p, list_of_part(m, &p, some, BULK_SRC), 0);
}
