#include "compiler/emit/nft_cut.h"

#include <stdlib.h>

#include "compiler/emit/nft_price.h"

#define COPIES_MOST 3.0 /* of the items of one cut */
#define BLOCKS_MOST 2u	 /* for each item of a cut */
#define SPANS_MOST  256u /* of one item, of an axis that is cut */

static int by_place(const void *x, const void *y)
{
	const struct nft_edge *a = x, *b = y;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->by - b->by;
}

static unsigned part_width(const struct nft_part *p)
{
	return FAMILY_BITS((enum family)p->lo[NFT_AXIS_FAMILY]);
}

struct nft_edges nft_edges_of(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
			      enum nft_axis x, unsigned bits)
{
	const addr_num rest = bits ? ((addr_num)1 << (part_width(p) - bits)) - 1 : 0; /* of a block */
	struct nft_edges e = { 0 };
	VEC(struct nft_edge) at = { 0 };

	for (size_t i = 0; i < l.len; i++) {
		const struct nft_item *it = &items[l.at[i]];

		if (nft_covers(it, p, x)) {
			e.wild++;
			continue;
		}
		for (size_t k = 0; k < it->on[x].len; k++) {
			addr_num lo = it->on[x].at[k].lo & ~rest, hi = it->on[x].at[k].hi | rest;

			if (hi < p->lo[x] || lo > p->hi[x])
				continue;
			lo = lo > p->lo[x] ? lo : p->lo[x];
			vec_push(a, &at, ((struct nft_edge){ lo, l.at[i], 1 }));
			if (hi < p->hi[x])
				vec_push(a, &at, ((struct nft_edge){ hi + 1, l.at[i], -1 }));
		}
	}
	if (at.len)
		qsort(at.at, at.len, sizeof *at.at, by_place);
	e.at = at.at;
	e.len = at.len;
	return e;
}

static void sweep_close(struct nft_sweep *s, addr_num from, addr_num to, size_t items)
{
	const double all = (double)(items + s->wild);

	vec_push(s->a, &s->ranges, ((struct addr_range){ from, to }));
	s->sum += all;
	s->squares += all * all;
}

/* A part ends at an edge behind which it would hold fewer, once it has had its fill. */
void nft_sweep_along(struct nft_sweep *s, const struct nft_edges *e, addr_num last, size_t room)
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

bool nft_ranges_fill(const struct nft_sweep *s, const struct nft_part *p, enum nft_axis x)
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

/* --- which one ------------------------------------------------------------------------------------------------ */

/* What a cut costs a packet, as far as can be told: the look, and the items that it has to do with then. */
static double score_of(const struct nft_sweep *s, unsigned bits, size_t items)
{
	const double copies = (s->sum + (double)s->wild) / (double)items;
	double look = MAP_NS;

	if (copies > COPIES_MOST)
		return 0;
	for (size_t i = 0; !bits && i < s->ranges.len; i++)
		if (s->ranges.at[i].lo != s->ranges.at[i].hi)
			look = MAP_NS + DEPTH_NS * nft_log2(2 * s->ranges.len);
	return (s->squares / s->sum * ITEM_NS + look) * copies * copies;
}

static bool try_cut(struct arena *a, const struct nft_part *p, const struct nft_edges *e, size_t items, struct nft_cut cut,
		    struct nft_cut *best)
{
	struct nft_sweep s = { .a = a, .wild = e->wild };

	nft_sweep_along(&s, e, p->hi[cut.axis], cut.room);
	cut.score = score_of(&s, cut.bits, items);
	if (cut.score <= 0 || (s.ranges.len < 2 && nft_ranges_fill(&s, p, cut.axis)) || (best->room && best->score <= cut.score))
		return false;
	*best = cut;
	return true;
}

static void try_ranges(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
		       enum nft_axis x, struct nft_cut *best)
{
	static const size_t rooms[] = { 1, 4, 16, 64, 256 };
	const struct nft_edges e = nft_edges_of(a, items, p, l, x, 0);

	for (size_t r = 0; e.len && r < sizeof rooms / sizeof *rooms && rooms[r] < l.len; r++)
		try_cut(a, p, &e, l.len, (struct nft_cut){ .axis = x, .room = rooms[r] }, best);
}

/* How many blocks of so many bits the items have, each by itself; or more than `most`. */
static size_t blocks_of(const struct nft_item *items, const struct nft_part *p, struct nft_picked l, enum nft_axis x, unsigned bits,
			size_t most)
{
	const unsigned rest = part_width(p) - bits;
	size_t n = 0;

	for (size_t i = 0; i < l.len; i++) {
		const struct nft_spans *on = &items[l.at[i]].on[x];

		if (nft_covers(&items[l.at[i]], p, x))
			continue;
		for (size_t k = 0; k < on->len; k++) {
			const addr_num lo = on->at[k].lo > p->lo[x] ? on->at[k].lo : p->lo[x];
			const addr_num hi = on->at[k].hi < p->hi[x] ? on->at[k].hi : p->hi[x];
			const addr_num more = hi < lo ? 0 : (hi >> rest) - (lo >> rest) + 1;

			if (more > most - n)
				return most + 1;
			n += (size_t)more;
		}
	}
	return n;
}

/* The narrowest blocks of which there are not too many, and the next ones. */
static void try_blocks(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
		       enum nft_axis x, struct nft_cut *best)
{
	const unsigned step = part_width(p) / 8;
	const size_t most = BLOCKS_MOST * l.len + 16;
	unsigned bits = part_width(p), tried = 0;

	while (bits && blocks_of(items, p, l, x, bits, most) > most)
		bits -= step;
	for (; bits && tried < 2; tried++, bits -= step) {
		const struct nft_edges e = nft_edges_of(a, items, p, l, x, bits);

		if (e.len)
			try_cut(a, p, &e, l.len, (struct nft_cut){ .axis = x, .bits = bits, .room = 1 }, best);
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
		return nft_has_family(p);
	case NFT_AXIS_SPORT:
	case NFT_AXIS_DPORT:
		return nft_has_ports(p);
	case NFT_AXES:
		break;
	}
	return false;
}

/*
 * Ends of which an item asks whether they are the host's own: which of a range are, nobody can prove. And axes of which
 * an item wants a large set: a part for each of its ranges is more to load than the set.
 */
static unsigned not_to_be_cut(const struct nft_item *items, struct nft_picked l)
{
	unsigned axes = 0;

	for (size_t i = 0; i < l.len; i++) {
		axes |= items[l.at[i]].self;
		for (int x = 0; x < NFT_AXES; x++)
			axes |= items[l.at[i]].on[x].len > SPANS_MOST ? 1u << x : 0;
	}
	return axes;
}

struct nft_cut nft_cut_find(const struct nft_item *items, const struct nft_part *p, struct nft_picked l, unsigned never)
{
	struct nft_cut best = { .room = 0 };

	never |= not_to_be_cut(items, l);
	for (int x = 0; x < NFT_AXES; x++) {
		own(arena) struct arena *a = arena_new();

		if (never >> x & 1 || !may_cut(p, (enum nft_axis)x))
			continue;
		try_ranges(a, items, p, l, (enum nft_axis)x, &best);
		if (x == NFT_AXIS_SRC || x == NFT_AXIS_DST)
			try_blocks(a, items, p, l, (enum nft_axis)x, &best);
	}
	return best;
}
