#include "compiler/emit/nft/tree/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/tree/desk.h"
#include "compiler/emit/nft/tree/keys.h"
#include "compiler/emit/nft/tree/price.h"

#define GROUPS_BACK  8u	  /* that an item may be moved before */
#define MEMBERS_BACK 256u /* items of these */
#define MAPPED_LEAST 5u	  /* items in a map */
#define WHOLE_MOST   64u  /* items, or groups, of what may be a leaf */

/* Addresses of an item are those of its family, whatever part it stands in. */
static bool of_one_family(const struct nft_item *it, const struct nft_part *p)
{
	const struct nft_spans *family = &it->on[NFT_AXIS_FAMILY];

	return nft_has_family(p) || (family->len == 1 && family->at->lo == family->at->hi);
}

/* How many bits of an end stand in a key of multiples of `step` bits, and how many keys that makes; no bits: none. */
static unsigned keys_of_end(const struct nft_item *it, unsigned end, unsigned step, size_t *keys)
{
	const unsigned is = it->blocks[end], bits = it->keyed[end] ? it->keyed[end] : (is + step - 1) / step * step;

	if (!is || bits - is > 4)
		return 0;
	*keys *= it->on[NFT_AXIS_SRC + end].len << (bits - is);
	return bits;
}

/*
 * Keys of several axes, addresses under masks of a multiple of `step` bits: prefixes of several lengths are blocks of
 * one, a few each, and stand in one map. False when they are too many, or no such keys.
 */
static bool keys_by(const struct nft_item *it, unsigned asked, unsigned step, unsigned bits[static NFT_AXES])
{
	size_t keys = 1;

	for (unsigned end = 0; end < 2; end++) {
		if (asked >> (NFT_AXIS_SRC + end) & 1 && !(bits[NFT_AXIS_SRC + end] = keys_of_end(it, end, step, &keys)))
			return false;
		if (asked >> (NFT_AXIS_SPORT + end) & 1)
			keys *= it->values[end];
		if (!keys || keys > NFT_KEYS_MOST)
			return false;
	}
	return true;
}

/* Ports that are too many for keys: they are asked before the map. */
static unsigned asked_before(const struct nft_item *it, unsigned asked)
{
	unsigned before = 0;

	for (int x = NFT_AXIS_SPORT; x <= NFT_AXIS_DPORT; x++)
		if (asked >> x & 1 && asked != 1u << x && it->values[x - NFT_AXIS_SPORT] > NFT_KEYS_MOST)
			before |= 1u << x;
	return before == asked ? 0 : before;
}

/* Values of these axes, in a map's key. */
static bool group_by(const struct nft_item *it, const struct nft_part *p, unsigned asked, struct nft_group *out)
{
	*out = (struct nft_group){ .map = true, .axes = asked };
	if (!asked)
		return false;
	if ((asked & (1u << NFT_AXIS_SRC | 1u << NFT_AXIS_DST)) && !of_one_family(it, p))
		return false;
	if (!(asked & (asked - 1)))
		return true;
	return keys_by(it, asked, 4, out->bits) || keys_by(it, asked, 2, out->bits) || keys_by(it, asked, 1, out->bits);
}

/*
 * The map in which the item could stand. False: only a rule of its own says it. A protocol is a part of the key where a map of the
 * rest would have several too, or only ports; else it is asked before, since a map of one axis has room for ranges.
 */
static bool group_for(const struct nft_item *it, const struct nft_part *p, unsigned decided, struct nft_group *out)
{
	const unsigned open = NFT_ALL_AXES & ~decided & ~(1u << NFT_AXIS_FAMILY), proto = 1u << NFT_AXIS_PROTO;
	const unsigned in_part = open == proto ? open : open & ~proto;
	const unsigned before = asked_before(it, in_part), asked = in_part & ~before;

	*out = (struct nft_group){ .map = true };
	if (!it->grouped)
		return false;
	if (open & proto && nft_keyed_proto(it, asked, before) && group_by(it, p, asked | proto, out))
		return true;
	return group_by(it, p, asked, out);
}

static bool spans_same(const struct nft_spans *x, const struct nft_spans *y)
{
	if (x->len != y->len)
		return false;
	for (size_t i = 0; i < x->len; i++)
		if (x->at[i].lo != y->at[i].lo || x->at[i].hi != y->at[i].hi)
			return false;
	return true;
}

static const struct nft_item *item_at(const struct nft_here *h, uint32_t place)
{
	return &h->items[h->in.at[place]];
}

/* Before a map, where it is no part of its key. */
static bool is_asked_before(int x, unsigned decided)
{
	return x <= NFT_AXIS_PROTO || ((x == NFT_AXIS_SPORT || x == NFT_AXIS_DPORT) && !(decided >> x & 1));
}

/* The same questions before the map, and the same parts of the key. */
static bool goes_with(const struct nft_here *h, const struct nft_joining *g, uint32_t place, const struct nft_group *would)
{
	const struct nft_item *of = item_at(h, g->first), *it = item_at(h, place);

	if (!g->is.map || g->is.axes != would->axes || of->beside != it->beside || g->decided != h->in.decided[place])
		return false;
	for (int x = 0; x < NFT_AXES; x++)
		if (is_asked_before(x, g->decided) && !(would->axes >> x & 1) && !spans_same(&of->on[x], &it->on[x]))
			return false;
	return !memcmp(g->is.bits, would->bits, sizeof would->bits);
}

static bool meets_some(const struct nft_desk *d, const struct nft_here *h, const struct nft_joining *g, const struct nft_item *it)
{
	uint32_t at = g->first;

	for (size_t i = 0; i < g->len; i++, at = d->next.at[at])
		if (nft_items_meet(item_at(h, at), it))
			return true;
	return false;
}

/* The last group that the item may join: it must not be moved before one that it meets. */
static struct nft_joining *group_find(const struct nft_desk *d, const struct nft_here *h, uint32_t place, const struct nft_group *would)
{
	size_t members = 0;

	for (size_t back = 0; back < d->groups.len && back < GROUPS_BACK; back++) {
		struct nft_joining *g = &d->groups.at[d->groups.len - 1 - back];

		if (goes_with(h, g, place, would))
			return g;
		members += g->len;
		if (members > MEMBERS_BACK || meets_some(d, h, g, item_at(h, place)))
			return NULL;
	}
	return NULL;
}

static double ns_of_rule(unsigned decided)
{
	return RULE_NS + QUESTION_NS * __builtin_popcount(NFT_ALL_AXES & ~decided);
}

/* False when there are more groups than `most`, or when a packet pays more than most_ns for one rule of each. */
static bool groups_make(struct nft_desk *d, const struct nft_here *h, size_t most, double most_ns)
{
	double ns = 0;

	d->groups.len = 0;
	nft_desk_clear(d, &d->next, h->in.len);
	for (uint32_t i = 0; i < h->in.len; i++) {
		struct nft_group would;
		const bool map = group_for(item_at(h, i), h->part, h->in.decided[i], &would);
		struct nft_joining *g = map ? group_find(d, h, i, &would) : NULL;

		if (g) {
			g->last = d->next.at[g->last] = i;
			g->len++;
			continue;
		}
		would.map = map;
		ns += ns_of_rule(h->in.decided[i]);
		if (d->groups.len == most || ns > most_ns)
			return false;
		vec_push(d->a, &d->groups, ((struct nft_joining){ would, h->in.decided[i], i, i, 1 }));
	}
	return true;
}

static bool is_mapped(const struct nft_joining *g)
{
	return g->is.map && g->len >= MAPPED_LEAST;
}

/* One protocol of all is asked before: packets of others need not look. */
static bool one_proto(const struct nft_desk *d, const struct nft_here *h, const struct nft_joining *g)
{
	uint32_t at = g->first;

	for (size_t i = 0; i < g->len; i++, at = d->next.at[at])
		if (item_at(h, at)->on[NFT_AXIS_PROTO].at->lo != item_at(h, g->first)->on[NFT_AXIS_PROTO].at->lo)
			return false;
	return true;
}

/* Its items are put behind those of the groups before it; where they lie is told when all are there. */
static struct nft_group group_of(struct nft_desk *d, const struct nft_here *h, const struct nft_joining *g)
{
	const unsigned proto = 1u << NFT_AXIS_PROTO;
	struct nft_group out = g->is;
	uint32_t at = g->first;

	for (size_t i = 0; i < g->len; i++, at = d->next.at[at])
		vec_push(d->a, &d->members, h->in.at[at]);
	out.decided = g->decided;
	out.len = g->len;
	out.map = is_mapped(g);
	if (out.axes != proto && out.axes & proto && one_proto(d, h, g))
		out.axes &= ~proto;
	return out;
}

struct nft_group *nft_groups(struct nft_desk *d, const struct nft_part *p, struct nft_picked l, size_t *count)
{
	const struct nft_here h = nft_desk_look(d, p, l);
	size_t members = 0;

	groups_make(d, &h, SIZE_MAX, HUGE_VAL);
	d->made.len = d->members.len = 0;
	for (size_t i = 0; i < d->groups.len; i++)
		vec_push(d->a, &d->made, group_of(d, &h, &d->groups.at[i]));
	for (size_t i = 0; i < d->made.len; members += d->made.at[i++].len)
		d->made.at[i].items = &d->members.at[members];
	*count = d->made.len;
	return d->made.at;
}

/* --- large groups ----------------------------------------------------------------------------------- */

/* All that items of one group have in common. Of every item of a list there is one at once: 32 bytes. */
struct likeness {
	uint32_t beside, at;
	uint16_t lo[4], hi[4]; /* of what is asked before: family, protocol, ports */
	uint8_t axes, decided, bits[NFT_AXES];
};

static int by_likeness(const void *x, const void *y)
{
	const struct likeness *a = x, *b = y;
	int d = memcmp(a->bits, b->bits, sizeof a->bits);

	if (!d)
		d = memcmp(a->lo, b->lo, sizeof a->lo);
	if (!d)
		d = memcmp(a->hi, b->hi, sizeof a->hi);
	if (!d && a->axes != b->axes)
		d = a->axes < b->axes ? -1 : 1;
	if (!d && a->beside != b->beside)
		d = a->beside < b->beside ? -1 : 1;
	if (!d && a->decided != b->decided)
		d = a->decided < b->decided ? -1 : 1;
	return d;
}

static int by_likeness_and_place(const void *x, const void *y)
{
	const struct likeness *a = x, *b = y;
	const int d = by_likeness(a, b);

	return d ? d : (a->at > b->at) - (a->at < b->at);
}

static bool likeness_of(const struct nft_item *it, const struct nft_part *p, unsigned decided, size_t at, struct likeness *out)
{
	struct nft_group group;

	*out = (struct likeness){ .beside = it->beside, .decided = (uint8_t)decided, .at = (uint32_t)at };
	if (!group_for(it, p, decided, &group) || group.axes == 1u << NFT_AXIS_PROTO)
		return false;
	out->axes = (uint8_t)group.axes;
	for (int x = 0; x < NFT_AXES; x++)
		out->bits[x] = (uint8_t)group.bits[x];
	for (int x = 0, n = 0; x < NFT_AXES; x++) {
		if (!is_asked_before(x, decided) || group.axes >> x & 1)
			continue;
		if (it->on[x].len != 1)
			return false;
		out->lo[n] = (uint16_t)it->on[x].at->lo;
		out->hi[n++] = (uint16_t)it->on[x].at->hi;
	}
	return true;
}

/* Items from one place to another, in the order of their likeness. */
struct run {
	size_t from, to;
};

static int by_length(const void *x, const void *y)
{
	const struct run *a = x, *b = y;
	const size_t of_a = a->to - a->from, of_b = b->to - b->from;

	return of_a != of_b ? (of_a > of_b ? -1 : 1) : (a->from > b->from) - (a->from < b->from);
}

unsigned nft_large_groups(const struct nft_item *items, const struct nft_part *p, struct nft_picked l, size_t least, unsigned most,
			  uint8_t *of)
{
	own(arena) struct arena *a = arena_new();
	VEC(struct likeness) all = { 0 };
	VEC(struct run) runs = { 0 };

	for (size_t i = 0; i < l.len; i++) {
		struct likeness one;

		of[i] = 0;
		if (likeness_of(&items[l.at[i]], p, l.decided[i], i, &one))
			vec_push(a, &all, one);
	}
	if (all.len)
		qsort(all.at, all.len, sizeof *all.at, by_likeness_and_place);
	for (size_t from = 0, to; from < all.len; from = to) {
		for (to = from + 1; to < all.len && !by_likeness(&all.at[from], &all.at[to]);)
			to++;
		if (to - from >= least)
			vec_push(a, &runs, ((struct run){ from, to }));
	}
	if (runs.len)
		qsort(runs.at, runs.len, sizeof *runs.at, by_length);
	runs.len = runs.len < most ? runs.len : most;
	for (size_t r = 0; r < runs.len; r++)
		for (size_t i = runs.at[r].from; i < runs.at[r].to; i++)
			of[all.at[i].at] = (uint8_t)(r + 1);
	return (unsigned)runs.len;
}

/* --- what it costs -------------------------------------------------------------------------------- */

/* Of a map of one axis: a hash, unless some item asks a range. */
static bool is_of_values(const struct nft_desk *d, const struct nft_here *h, const struct nft_joining *g)
{
	const int x = __builtin_ctz(g->is.axes);
	uint32_t at = g->first;

	for (size_t i = 0; i < g->len; i++, at = d->next.at[at])
		for (size_t k = 0; k < item_at(h, at)->on[x].len; k++)
			if (item_at(h, at)->on[x].at[k].lo != item_at(h, at)->on[x].at[k].hi)
				return false;
	return true;
}

static struct nft_price price_of_group(const struct nft_desk *d, const struct nft_here *h, const struct nft_joining *g)
{
	const double len = (double)g->len, asked = __builtin_popcount(NFT_ALL_AXES & ~g->decided);

	if (!is_mapped(g))
		return (struct nft_price){ .ns = len * ns_of_rule(g->decided), .us = len * (RULE_US + QUESTION_US * asked) };
	if (g->is.axes & (g->is.axes - 1) || is_of_values(d, h, g))
		return (struct nft_price){ .ns = MAP_NS, .us = RULE_US + MAP_US + ELEMENT_US * len, .maps = 1 };
	return (struct nft_price){ .ns = MAP_NS + DEPTH_NS * nft_log2(g->len), .us = RULE_US + MAP_US + RANGE_US * len, .maps = 1 };
}

static struct nft_price price_of_groups(const struct nft_desk *d, const struct nft_here *h)
{
	struct nft_price all = { 0 };

	for (size_t i = 0; i < d->groups.len; i++) {
		const struct nft_price one = price_of_group(d, h, &d->groups.at[i]);

		all.ns += one.ns;
		all.us += one.us;
		all.maps += one.maps;
	}
	return all;
}

bool nft_price_of_leaf(struct nft_desk *d, const struct nft_here *h, struct nft_price *out)
{
	*out = (struct nft_price){ 0 };
	if (!groups_make(d, h, WHOLE_MOST, HUGE_VAL))
		return false;
	*out = price_of_groups(d, h);
	return true;
}

bool nft_leaf_is_worth(struct nft_desk *d, const struct nft_here *h, double ns, struct nft_price *out)
{
	if (!groups_make(d, h, WHOLE_MOST, ns))
		return false;
	*out = price_of_groups(d, h);
	return out->ns <= ns;
}
