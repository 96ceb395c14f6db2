#include "compiler/emit/bulk_kind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UPPER_TAKE ((uint64_t)UINT16_MAX << 32 | UINT8_MAX)

static uint64_t top_bits(unsigned bits, enum family f)
{
	uint64_t all = bits ? ~(uint64_t)0 << (64 - bits) : 0;

	return f == FAMILY_IP4 ? all >> 32 : all;
}

static bool asks_upper(const struct bulk_item *i)
{
	return i->of[BULK_PROTO].lo == i->of[BULK_PROTO].hi && i->of[BULK_DPORT].lo == i->of[BULK_DPORT].hi;
}

static bool is_of_kind(const struct bulk_item *i, struct bulk_kind k)
{
	return i->asks[0] >= k.src && i->asks[1] >= k.dst && (!k.upper || asks_upper(i));
}

unsigned bulk_group_of(const struct bulk_item *i, const struct bulk_grouping *g)
{
	unsigned at = 0;

	while (at + 1 < g->len && !is_of_kind(i, g->kinds[at]))
		at++;
	return at;
}

struct teg_bulk_root bulk_root_of(struct bulk_kind k, enum family f)
{
	return (struct teg_bulk_root){ .take = { top_bits(k.src, f), top_bits(k.dst, f), k.upper ? UPPER_TAKE : 0 } };
}

uint64_t bulk_item_hash(const struct bulk_item *i, const struct teg_bulk_root *r, enum family f)
{
	unsigned down = f == FAMILY_IP4 ? 0 : 64;

	return teg_bulk_hash(r, (uint64_t)(i->of[BULK_SRC].lo >> down), (uint64_t)(i->of[BULK_DST].lo >> down),
			     (uint64_t)i->of[BULK_DPORT].lo << 32 | i->of[BULK_PROTO].lo);
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

	return nodes * BULK_NODE_NS + (boxes > 4 ? 4 : boxes) * BULK_CELL_NS * 0.6;
}

#define SAMPLE 512u

/* Some of a family's boxes, by which kinds are chosen. */
struct sample {
	struct counts counts;
	const struct bulk_item *items;
	uint32_t *at;
	size_t len;
	double every;
	enum family family;
	const uint8_t *lens; /* that a kind may ask of an end, the first is 0 */
};

/* What a packet costs in all groups. */
static double grouping_cost(struct sample *s, const struct bulk_grouping *g)
{
	double squares[TEG_BULK_GROUPS] = { 0 }, sum = 0, before = 0;
	size_t in[TEG_BULK_GROUPS] = { 0 };

	s->counts.turn++;
	for (size_t i = 0; i < s->len; i++) {
		const struct bulk_item *item = &s->items[s->at[i]];
		unsigned group = bulk_group_of(item, g);
		struct teg_bulk_root r = bulk_root_of(g->kinds[group], s->family);
		uint32_t *count = count_of(&s->counts, bulk_item_hash(item, &r, s->family) * TEG_BULK_GROUPS + group);

		squares[group] += 2.0 * ++*count - 1;
		in[group]++;
	}
	for (unsigned k = 0; k < g->len; k++) {
		bool all = k + 1 == g->len;
		double share = (double)in[k] / (double)s->len;
		double met = in[k] ? 1 + (squares[k] / (double)in[k] - 1) * s->every : 0;

		if (in[k])
			sum += BULK_TREE_NS + met_ns(met) * bulk_share_met(share, before, all);
		before += share;
	}
	return sum;
}

static struct sample sample_of(struct arena *a, const struct bulk_item *items, uint32_t count, enum family f)
{
	static const uint8_t lens[FAMILY_COUNT][BULK_CHOICES] = { { 0, 8, 16, 20, 24, 32 }, { 0, 32, 40, 48, 56, 64 } };
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
static struct bulk_grouping with_kind(const struct bulk_grouping *from, struct bulk_kind k)
{
	struct bulk_grouping g = *from;
	unsigned at = 0, sum = k.src + k.dst + 16u * k.upper;

	for (unsigned i = 0; i < g.len; i++) {
		const struct bulk_kind *x = &g.kinds[i];

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
static bool better_grouping(struct sample *s, struct bulk_grouping *best, double *least)
{
	const struct bulk_grouping from = *best;
	bool better = false;

	for (unsigned out = 0; out < from.len; out++) {
		struct bulk_grouping less = from;

		if (out + 1 < from.len)
			memmove(&less.kinds[out], &less.kinds[out + 1], (--less.len - out) * sizeof *less.kinds);
		for (unsigned k = 0; k < BULK_CHOICES * BULK_CHOICES * 2; k++) {
			const struct bulk_kind kind = { s->lens[k % BULK_CHOICES], s->lens[k / BULK_CHOICES % BULK_CHOICES], k / (BULK_CHOICES * BULK_CHOICES) };
			struct bulk_grouping g = less.len < TEG_BULK_GROUPS ? with_kind(&less, kind) : less;
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

static int by_cost(const void *x, const void *y)
{
	double a = ((const struct bulk_choice *)x)->cost, b = ((const struct bulk_choice *)y)->cost;

	return (a > b) - (a < b);
}

/*
 * From one kind, and from four: by whether the ends ask so many bits. One kind more may not
 * help where two would, so all these ways in are tried; the cheapest come first.
 */
void bulk_choose(struct bulk_choice out[BULK_CHOICES], struct arena *a, const struct bulk_item *items, uint32_t count)
{
	struct sample s[FAMILY_COUNT];

	for (int f = 0; f < FAMILY_COUNT; f++)
		s[f] = sample_of(a, items, count, (enum family)f);
	for (unsigned i = 0; i < BULK_CHOICES; i++) {
		out[i].cost = 0;
		for (int f = 0; f < FAMILY_COUNT; f++) {
			const uint8_t t = s[f].lens[i];
			struct bulk_grouping g = { .kinds = { { t, t, false }, { 0, t, false }, { t, 0, false } }, .len = t ? 4 : 1 };

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
	qsort(out, BULK_CHOICES, sizeof *out, by_cost);
}
