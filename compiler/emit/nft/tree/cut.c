#include "compiler/emit/nft/tree/cut.h"

#include <string.h>

#include "compiler/emit/nft/tree/price.h"

#define COPIES_MOST 2.0 /* of the items of one cut */
#define BLOCKS_MOST 2u	 /* for each item of a cut */
#define SPANS_MOST  256u /* of one item, of an axis that is cut */

static unsigned part_width(const struct nft_part *p)
{
	return FAMILY_BITS((enum family)p->lo[NFT_AXIS_FAMILY]);
}

/* --- where items begin and end -------------------------------------------------------------------------------- */

#define FEW 24u /* are put in order one by one */

static void order_few(addr_num *at, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		const addr_num v = at[i];
		size_t to = i;

		for (; to && at[to - 1] > v; to--)
			at[to] = at[to - 1];
		at[to] = v;
	}
}

/* By one byte; equal ones stay in their order. */
static void order_by(addr_num *to, const addr_num *at, size_t len, unsigned shift)
{
	const unsigned half = shift / 64 * 64;
	uint32_t from[257] = { 0 };

	shift -= half;
	for (size_t i = 0; i < len; i++)
		from[((uint64_t)(half ? at[i] >> 64 : at[i]) >> shift & 0xff) + 1]++;
	for (unsigned v = 1; v < 256; v++)
		from[v] += from[v - 1];
	for (size_t i = 0; i < len; i++)
		to[from[(uint64_t)(half ? at[i] >> 64 : at[i]) >> shift & 0xff]++] = at[i];
}

/* Ascending, byte by byte, but for bytes that are the same in all. */
static void put_in_order(addr_num *at, size_t len, addr_num *spare)
{
	addr_num differ = 0, *is = at;
	bool ascend = true;

	for (size_t i = 1; i < len; i++) {
		differ |= at[i] ^ at[0];
		ascend &= at[i - 1] <= at[i];
	}
	if (ascend)
		return;
	if (len <= FEW) {
		order_few(at, len);
		return;
	}
	for (unsigned shift = 0; shift < 128; shift += 8) {
		if (!(differ >> shift & 0xff))
			continue;
		order_by(spare, is, len, shift);
		addr_num *was = is;
		is = spare;
		spare = was;
	}
	if (is != at)
		memcpy(at, is, len * sizeof *at);
}

/* Returns how many items ask nothing of the axis here. */
static size_t find_spans(struct nft_desk *d, const struct nft_here *h, enum nft_axis x)
{
	const addr_num first = h->part->lo[x], last = h->part->hi[x];
	size_t wild = 0;

	nft_desk_clear(d, &d->spans, h->in.len);
	for (size_t i = 0; i < h->in.len; i++) {
		const struct nft_spans *on = &h->items[h->in.at[i]].on[x];

		if (h->in.decided[i] >> x & 1) {
			wild++;
			continue;
		}
		for (size_t k = 0; k < on->len; k++) {
			const struct addr_range r = on->at[k];

			if (r.hi >= first && r.lo <= last)
				vec_push(d->a, &d->spans, ((struct addr_range){ r.lo > first ? r.lo : first, r.hi < last ? r.hi : last }));
		}
	}
	return wild;
}

/* Blocks begin and end in the order in which what lies in them does: once is enough for blocks of all lengths. */
static void order_spans(struct nft_desk *d)
{
	const size_t len = d->spans.len;

	nft_desk_clear(d, &d->begins, len);
	nft_desk_clear(d, &d->ends, len);
	nft_desk_clear(d, &d->spare, len);
	for (size_t i = 0; i < len; i++) {
		d->begins.at[i] = d->spans.at[i].lo;
		d->ends.at[i] = d->spans.at[i].hi;
	}
	d->begins.len = d->ends.len = len;
	put_in_order(d->begins.at, len, d->spare.at);
	put_in_order(d->ends.at, len, d->spare.at);
}

/* As many places as there are, where spans are widened to blocks of so many bits. */
static void find_edges(struct nft_desk *d, const struct nft_part *p, enum nft_axis x, unsigned bits)
{
	const addr_num rest = bits ? ((addr_num)1 << (part_width(p) - bits)) - 1 : 0; /* of a block */
	const addr_num first = p->lo[x], last = p->hi[x];
	const size_t len = d->spans.len;
	size_t b = 0, e = 0;

	nft_desk_clear(d, &d->edges, 2 * len);
	while (b < len) {
		const addr_num begin = d->begins.at[b] & ~rest, end = d->ends.at[e] | rest; /* what has ended has begun: e <= b */
		struct nft_edge at = { begin > first ? begin : first, 0, 0 };

		if (end < at.at)
			at.at = end + 1;
		for (; b < len && ((d->begins.at[b] & ~rest) <= at.at); b++)
			at.begin++;
		for (; e < len && (d->ends.at[e] | rest) < at.at; e++)
			at.end++;
		d->edges.at[d->edges.len++] = at;
	}
	while (e < len && (d->ends.at[e] | rest) < last) {
		struct nft_edge at = { (d->ends.at[e] | rest) + 1, 0, 0 };

		for (; e < len && (d->ends.at[e] | rest) < at.at; e++)
			at.end++;
		d->edges.at[d->edges.len++] = at;
	}
}

/* --- ranges ------------------------------------------------------------------------------------------------------ */

/* The ranges of a cut, and how the items lie in them. */
struct sweep {
	size_t wild, most; /* items; more than `most` in all ranges together are too many */
	size_t ranges;
	addr_num next;
	bool wide, gap; /* some range is no single value; some value lies in no range */
	size_t sum;
	double squares;
	struct nft_desk *into; /* or NULL */
};

static void sweep_close(struct sweep *s, addr_num from, addr_num to, size_t items)
{
	const size_t all = items + s->wild;

	s->ranges++;
	s->wide |= from != to;
	s->gap |= from != s->next;
	s->next = to + 1;
	s->sum += all;
	s->squares += (double)all * (double)all;
	if (s->into)
		vec_push(s->into->a, &s->into->ranges, ((struct addr_range){ from, to }));
}

/* A part ends at a place behind which it would hold fewer, once it has had its fill. */
static void sweep_along(struct sweep *s, const struct nft_desk *d, addr_num last, size_t room)
{
	size_t here = 0, had = 0; /* items at this place; and in the part so far */
	addr_num from = 0, to = 0; /* the last value at which there was one */
	bool open = false;

	for (size_t i = 0; i < d->edges.len && s->sum <= s->most; i++) {
		const struct nft_edge p = d->edges.at[i];

		to = here ? p.at - 1 : to;
		here = here + p.begin - p.end;
		if (open && had >= room && here < had + p.begin) {
			sweep_close(s, from, to, had);
			open = false;
		}
		if (!open && here) {
			from = p.at;
			had = here - p.begin;
			open = true;
		}
		had += p.begin;
	}
	if (open)
		sweep_close(s, from, here ? last : to, had);
	s->gap |= s->ranges && s->next != last + 1;
}

bool nft_cut_make(struct nft_desk *d, const struct nft_here *h, struct nft_cut c)
{
	struct sweep s = { .most = SIZE_MAX, .next = h->part->lo[c.axis], .into = d };

	s.wild = find_spans(d, h, c.axis);
	order_spans(d);
	find_edges(d, h->part, c.axis, c.bits);
	d->ranges.len = 0;
	sweep_along(&s, d, h->part->hi[c.axis], c.room);
	return s.ranges && !s.gap;
}

/* --- which one ------------------------------------------------------------------------------------------------ */

/*
 * What a cut costs a packet, as far as can be told: the look, and the items that it has to do with then. Copies are what there
 * is to load, and are cut again.
 */
static double score_of(const struct sweep *s, unsigned bits, size_t items)
{
	const double sum = (double)s->sum, copies = (sum + (double)s->wild) / (double)items;
	double look = MAP_NS;

	if (copies > COPIES_MOST)
		return 0;
	if (!bits && s->wide)
		look = MAP_NS + DEPTH_NS * nft_log2(2 * s->ranges);
	return (s->squares / sum * ITEM_NS + look) * copies * copies * copies * copies;
}

static void try_cut(const struct nft_desk *d, const struct nft_here *h, size_t wild, struct nft_cut cut, struct nft_cut *best)
{
	struct sweep s = { .wild = wild, .most = (size_t)COPIES_MOST * h->in.len, .next = h->part->lo[cut.axis] };

	sweep_along(&s, d, h->part->hi[cut.axis], cut.room);
	if (s.sum > s.most)
		return;
	cut.score = score_of(&s, cut.bits, h->in.len);
	if (cut.score > 0 && (s.ranges >= 2 || s.gap) && (!best->room || cut.score < best->score))
		*best = cut;
}

static void try_ranges(struct nft_desk *d, const struct nft_here *h, size_t wild, enum nft_axis x, struct nft_cut *best)
{
	static const size_t rooms[] = { 1, 4, 16, 64, 256 };

	find_edges(d, h->part, x, 0);
	for (size_t r = 0; r < sizeof rooms / sizeof *rooms && rooms[r] < h->in.len; r++)
		try_cut(d, h, wild, (struct nft_cut){ .axis = x, .room = rooms[r] }, best);
}

/* Are blocks of so many bits, each item's by itself, more than `most`? */
static bool many_blocks(const struct nft_desk *d, unsigned rest, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < d->spans.len; i++) {
		const addr_num more = (d->spans.at[i].hi >> rest) - (d->spans.at[i].lo >> rest) + 1;

		if (more > most - n)
			return true;
		n += (size_t)more;
	}
	return false;
}

/* The narrowest blocks of which there are not too many, and the next ones. */
static void try_blocks(struct nft_desk *d, const struct nft_here *h, size_t wild, enum nft_axis x, struct nft_cut *best)
{
	const unsigned width = part_width(h->part), step = width / 8;
	const size_t most = BLOCKS_MOST * h->in.len + 16;
	unsigned bits = width;

	while (bits && many_blocks(d, width - bits, most))
		bits -= step;
	for (unsigned tried = 0; bits && tried < 2; tried++, bits -= step) {
		find_edges(d, h->part, x, bits);
		try_cut(d, h, wild, (struct nft_cut){ .axis = x, .bits = bits, .room = 1 }, best);
	}
}

static bool may_cut(const struct nft_part *p, enum nft_axis x)
{
	if (p->lo[x] == p->hi[x])
		return false;
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
static unsigned not_to_be_cut(const struct nft_here *h)
{
	unsigned axes = 0;

	for (size_t i = 0; i < h->in.len; i++) {
		const struct nft_item *it = &h->items[h->in.at[i]];

		axes |= it->self;
		for (int x = 0; x < NFT_AXES; x++)
			axes |= it->on[x].len > SPANS_MOST ? 1u << x : 0;
	}
	return axes;
}

struct nft_cut nft_cut_find(struct nft_desk *d, const struct nft_here *h, unsigned never)
{
	struct nft_cut best = { .room = 0 };

	never |= not_to_be_cut(h);
	for (enum nft_axis x = 0; x < NFT_AXES; x++) {
		if (never >> x & 1 || !may_cut(h->part, x))
			continue;
		const size_t wild = find_spans(d, h, x);

		if (!d->spans.len || 2 * wild > h->in.len) /* two ranges of that would copy more than COPIES_MOST */
			continue;
		order_spans(d);
		try_ranges(d, h, wild, x, &best);
		if (x == NFT_AXIS_SRC || x == NFT_AXIS_DST)
			try_blocks(d, h, wild, x, &best);
	}
	return best;
}
