/* maps - a group of items as one look into a map: values as ranges, or several as keys. */
#include "compiler/emit/nft/bulk/parts.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/layers.h"

enum nft_field bulk_field(const struct bulk *k, enum nft_axis x, addr_num family)
{
	const bool ip4 = family == FAMILY_IP4;

	switch (x) {
	case NFT_AXIS_FAMILY:
		return k->mk->table->kind == NFT_TABLE_INET ? NFT_FIELD_NFPROTO : NFT_FIELD_PROTOCOL;
	case NFT_AXIS_PROTO:
		return NFT_FIELD_L4PROTO;
	case NFT_AXIS_SRC:
		return ip4 ? NFT_FIELD_IP_SADDR : NFT_FIELD_IP6_SADDR;
	case NFT_AXIS_DST:
		return ip4 ? NFT_FIELD_IP_DADDR : NFT_FIELD_IP6_DADDR;
	case NFT_AXIS_SPORT:
		return NFT_FIELD_SPORT;
	case NFT_AXIS_DPORT:
		return NFT_FIELD_DPORT;
	case NFT_AXES:
		break;
	}
	return NFT_FIELD_COUNT;
}

/* A place where a range begins, of the item that is first there. */
struct painted {
	addr_num lo, hi;
	uint32_t item;
};

static int by_begin(const void *x, const void *y)
{
	const struct painted *a = x, *b = y;

	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->item < b->item ? -1 : a->item > b->item;
}

static int by_number(const void *x, const void *y)
{
	const addr_num *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

typedef VEC(struct painted) paintings;

typedef VEC(addr_num) numbers;

/* Where ranges of the items begin, and where what is behind them does: ascending, each once. */
static numbers find_cuts(const struct bulk *k, struct arena *a, const struct nft_group *g, enum nft_axis x)
{
	numbers cuts = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < g->len; i++)
		for (size_t s = 0; s < k->items.at[g->items[i]].on[x].len; s++) {
			const struct addr_range r = k->items.at[g->items[i]].on[x].at[s];

			vec_push(a, &cuts, r.lo);
			if (r.hi != ~(addr_num)0)
				vec_push(a, &cuts, r.hi + 1);
		}
	qsort(cuts.at, cuts.len, sizeof *cuts.at, by_number);
	for (size_t i = 0; i < cuts.len; i++)
		if (!count || cuts.at[count - 1] != cuts.at[i])
			cuts.at[count++] = cuts.at[i];
	cuts.len = count;
	return cuts;
}

/* Pieces between cuts, each painted once: free_from[i] is the first from i on that has no paint. */
struct painting {
	struct arena *arena;
	numbers cuts;
	size_t *free_from;
	paintings out;
};

static size_t first_free(struct painting *p, size_t at)
{
	while (p->free_from[at] != at)
		at = p->free_from[at] = p->free_from[p->free_from[at]];
	return at;
}

static void paint_range(struct painting *p, struct addr_range r, uint32_t item)
{
	const numbers *cuts = &p->cuts;
	const addr_num *begin = bsearch(&r.lo, cuts->at, cuts->len, sizeof *cuts->at, by_number);
	size_t at = first_free(p, (size_t)(begin - cuts->at));

	for (; at < cuts->len && cuts->at[at] <= r.hi; at = first_free(p, at)) {
		const addr_num last = at + 1 < cuts->len ? cuts->at[at + 1] - 1 : r.hi;

		vec_push(p->arena, &p->out, ((struct painted){ cuts->at[at], last, item }));
		p->free_from[at] = at + 1;
	}
}

/* Of each value the first item that has it. */
static paintings paint(const struct bulk *k, struct arena *a, const struct nft_group *g, enum nft_axis x)
{
	struct painting p = { .arena = a, .cuts = find_cuts(k, a, g, x) };

	p.free_from = arena_zero(a, (p.cuts.len + 1) * sizeof *p.free_from);
	for (size_t i = 0; i <= p.cuts.len; i++)
		p.free_from[i] = i;
	for (size_t i = 0; i < g->len; i++)
		for (size_t s = 0; s < k->items.at[g->items[i]].on[x].len; s++)
			paint_range(&p, k->items.at[g->items[i]].on[x].at[s], g->items[i]);
	qsort(p.out.at, p.out.len, sizeof *p.out.at, by_begin);
	return p.out;
}

static struct nft_lead lead_of(struct bulk *k, uint32_t item)
{
	struct found *f = &k->found.at[item];

	if (nft_drop_is_told(k->mk, f->rule))
		return (struct nft_lead){ NFT_FATE_GOTO, bulk_told_chain(k, f) };
	return (struct nft_lead){ .name = f->counter };
}

/* Neighbours that count as one rule are one range. */
static void fill_ranges(struct bulk *k, struct nft_set *s, const paintings *p)
{
	struct addr_range *ranges = arena_zero(k->mk->arena, (p->len + 1) * sizeof *ranges);
	struct nft_lead *to = arena_zero(k->mk->arena, (p->len + 1) * sizeof *to);

	for (size_t i = 0; i < p->len; i++) {
		const struct nft_lead lead = lead_of(k, p->at[i].item);

		if (s->count && ranges[s->count - 1].hi + 1 == p->at[i].lo && to[s->count - 1].name == lead.name) {
			ranges[s->count - 1].hi = p->at[i].hi;
			continue;
		}
		to[s->count] = lead;
		ranges[s->count++] = (struct addr_range){ p->at[i].lo, p->at[i].hi };
	}
	for (size_t i = 0; i < s->count; i++)
		s->interval |= ranges[i].lo != ranges[i].hi;
	s->ranges = ranges;
	s->to = to;
}

struct keyed {
	addr_num at[NFT_PARTS_MOST];
	uint32_t item;
};

static int by_key(const void *x, const void *y)
{
	const struct keyed *a = x, *b = y;

	for (unsigned i = 0; i < NFT_PARTS_MOST; i++)
		if (a->at[i] != b->at[i])
			return a->at[i] < b->at[i] ? -1 : 1;
	return a->item < b->item ? -1 : a->item > b->item;
}

typedef VEC(struct keyed) keys_made;

/* What a map's keys are put together of: of each axis every so many values are one, under its mask. */
struct key_axes {
	enum nft_axis at[NFT_PARTS_MOST];
	addr_num step[NFT_PARTS_MOST];
	unsigned count;
};

static void push_keys(struct arena *a, keys_made *out, const struct nft_item *it, const struct key_axes *axes, unsigned at,
		      struct keyed key)
{
	if (at == axes->count) {
		vec_push(a, out, key);
		return;
	}
	const struct nft_spans *on = &it->on[axes->at[at]];
	for (size_t i = 0; i < on->len; i++)
		for (addr_num v = on->at[i].lo;; v += axes->step[at]) {
			key.at[at] = v;
			push_keys(a, out, it, axes, at + 1, key);
			if (on->at[i].hi - v < axes->step[at])
				break;
		}
}

/* Of equal keys the first item's counts. */
static void fill_keys(struct bulk *k, struct nft_set *s, keys_made *made)
{
	const unsigned words = nft_key_words(s);
	uint32_t *keys = arena_zero(k->mk->arena, (made->len * s->part_count * words + 1) * sizeof *keys), *end = keys;
	struct nft_lead *to = arena_zero(k->mk->arena, (made->len + 1) * sizeof *to);

	qsort(made->at, made->len, sizeof *made->at, by_key);
	for (size_t i = 0; i < made->len; i++) {
		if (i && !memcmp(made->at[i].at, made->at[i - 1].at, sizeof made->at[i].at))
			continue;
		for (unsigned w = 0; w < s->part_count * words; w++)
			*end++ = (uint32_t)(made->at[i].at[w / words] >> 32 * (w % words));
		to[s->count++] = lead_of(k, made->at[i].item);
	}
	s->keys = keys;
	s->to = to;
}

static struct nft_key key_of(const struct bulk *k, const struct nft_group *g, enum nft_axis x)
{
	const struct found *f = &k->found.at[g->items[0]];
	struct nft_key key = { .field = bulk_field(k, x, (addr_num)f->way.family) };
	const enum family family = (enum family)f->way.family;

	if ((x == NFT_AXIS_SRC || x == NFT_AXIS_DST) && g->bits[x] && g->bits[x] < FAMILY_BITS(family)) {
		key.masked = true;
		key.mask = nft_leading_bits(family, g->bits[x]);
	}
	return key;
}

static addr_num step_of(const struct bulk *k, const struct nft_group *g, enum nft_axis x)
{
	const enum family family = (enum family)k->found.at[g->items[0]].way.family;

	if ((x != NFT_AXIS_SRC && x != NFT_AXIS_DST) || !g->bits[x])
		return 1;
	return (addr_num)1 << (FAMILY_BITS(family) - g->bits[x]);
}

static void put_map(struct bulk *k, struct nft_rule *r, const struct nft_group *g, enum nft_leads leads)
{
	own(arena) struct arena *a = arena_new();
	struct nft_expr e = { .kind = NFT_EXPR_LOOK };
	struct nft_set *s = nft_map_new(k->mk, leads);
	struct key_axes axes = { .count = 0 };
	keys_made made = { 0 };

	e.look.keys = arena_zero(k->mk->arena, (size_t)__builtin_popcount(g->axes) * sizeof *e.look.keys);
	for (int x = 0; x < NFT_AXES; x++)
		if (g->axes >> x & 1) {
			axes.at[axes.count] = (enum nft_axis)x;
			axes.step[axes.count++] = step_of(k, g, (enum nft_axis)x);
			e.look.keys[e.look.count] = key_of(k, g, (enum nft_axis)x);
			s->part_types[e.look.count] = nft_fields[e.look.keys[e.look.count].field].type;
			e.look.count++;
		}
	s->type = s->part_types[0];
	e.look.map = s;
	if (e.look.count == 1) {
		paintings p = paint(k, a, g, axes.at[0]);
		fill_ranges(k, s, &p);
	} else {
		s->part_count = e.look.count;
		for (size_t i = 0; i < g->len; i++)
			push_keys(a, &made, &k->items.at[g->items[i]], &axes, 0, (struct keyed){ .item = g->items[i] });
		fill_keys(k, s, &made);
	}
	nft_push(k->mk, r, e);
}

void bulk_put_group(struct bulk *k, struct nft_chain *c, const struct nft_group *g)
{
	const struct found *f = &k->found.at[g->items[0]];
	unsigned decided = g->decided | g->axes;
	struct nft_rule r = { 0 };

	if (g->axes & (NFT_DECIDED_SRC | NFT_DECIDED_DST))
		decided &= ~(unsigned)NFT_DECIDED_FAMILY;
	nft_ask_way(k->mk, &r, k->site->interface, f->box, &f->way, decided);
	if (nft_drop_is_told(k->mk, f->rule)) {
		put_map(k, &r, g, NFT_LEADS_TO_FATE);
	} else {
		put_map(k, &r, g, NFT_LEADS_TO_COUNTER);
		k->ends(k->mk, &r, f->rule);
	}
	nft_put_rule(k->mk, c, r, NULL);
}
