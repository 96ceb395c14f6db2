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
	return bulk_lo(i, BULK_PROTO) == bulk_hi(i, BULK_PROTO) && bulk_lo(i, BULK_DPORT) == bulk_hi(i, BULK_DPORT);
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

	return teg_bulk_hash(r, (uint64_t)(i->base[BULK_SRC] >> down), (uint64_t)(i->base[BULK_DST] >> down),
			     (uint64_t)bulk_lo(i, BULK_DPORT) << 32 | (uint64_t)bulk_lo(i, BULK_PROTO));
}

/* What a box's packet meets in a group: other boxes of the same key, or a tree of them. */
static double met_ns(double boxes)
{
	double nodes = boxes > 4 ? 0.5 + log2(boxes / 4) * 1.3 : 0;

	return nodes * BULK_NODE_NS + (boxes > 4 ? 4 : boxes) * BULK_CELL_NS * 0.6;
}

#define SAMPLE 512u
#define KINDS (BULK_CHOICES * BULK_CHOICES * 2)

/* Of one kind: which boxes of the sample are of it, and a number for each key that they have there. */
struct fitting {
	uint64_t fits[SAMPLE / 64];
	uint16_t key[SAMPLE];
};

/* Some of a family's boxes, by which kinds are chosen. */
struct sample {
	struct fitting *by_kind; /* KINDS of them */
	size_t len;
	double every;
	struct bulk_price price;
	const uint8_t *lens; /* that a kind may ask of an end, the first is 0 */
};

static struct bulk_kind kind_at(const uint8_t *lens, unsigned number)
{
	return (struct bulk_kind){ lens[number % BULK_CHOICES], lens[number / BULK_CHOICES % BULK_CHOICES],
				   number / (BULK_CHOICES * BULK_CHOICES) };
}

static unsigned number_of(const uint8_t *lens, struct bulk_kind k)
{
	unsigned src = 0, dst = 0;

	while (lens[src] != k.src)
		src++;
	while (lens[dst] != k.dst)
		dst++;
	return src + BULK_CHOICES * (dst + BULK_CHOICES * k.upper);
}

/* What a packet costs in all groups. */
static double grouping_cost(const struct sample *s, const struct bulk_grouping *g)
{
	uint64_t left[SAMPLE / 64];
	double sum = 0, before = 0;

	memset(left, 0xff, sizeof left);
	for (unsigned k = 0; k < g->len; k++) {
		const struct fitting *f = &s->by_kind[number_of(s->lens, g->kinds[k])];
		const bool all = k + 1 == g->len;
		uint16_t counts[SAMPLE] = { 0 }; /* by key */
		size_t in = 0, squares = 0;

		for (size_t w = 0; w < SAMPLE / 64; w++) {
			uint64_t here = left[w] & f->fits[w];

			left[w] &= ~here;
			for (; here; here &= here - 1, in++)
				squares += 2u * ++counts[f->key[64 * w + (unsigned)__builtin_ctzll(here)]] - 1;
		}
		const double share = (double)in / (double)s->len;
		if (in)
			sum += bulk_group_ns(s->price, met_ns(1 + ((double)squares / (double)in - 1) * s->every), share, before, all);
		before += share;
	}
	return sum;
}

/* Keys by their hash; each is numbered by the first box that has it. */
struct keys {
	uint64_t hash[4 * SAMPLE];
	uint16_t first[4 * SAMPLE]; /* from 1 */
};

static uint16_t key_number(struct keys *k, uint64_t hash, size_t box)
{
	size_t at = (hash * 0x9e3779b97f4a7c15ull >> 20) % (4 * SAMPLE);

	while (k->first[at] && k->hash[at] != hash)
		at = (at + 1) % (4 * SAMPLE);
	if (!k->first[at]) {
		k->hash[at] = hash;
		k->first[at] = (uint16_t)(box + 1);
	}
	return (uint16_t)(k->first[at] - 1);
}

static struct fitting fitting_of(const struct bulk_item *items, const uint32_t *at, size_t len, struct bulk_kind k, enum family f)
{
	const struct teg_bulk_root root = bulk_root_of(k, f);
	struct keys keys = { .first = { 0 } };
	struct fitting out = { .fits = { 0 } };

	for (size_t i = 0; i < len; i++) {
		const struct bulk_item *it = &items[at[i]];

		if (!is_of_kind(it, k))
			continue;
		out.fits[i / 64] |= 1ull << i % 64;
		out.key[i] = key_number(&keys, bulk_item_hash(it, &root, f), i);
	}
	return out;
}

static struct sample sample_of(struct arena *a, const struct bulk_item *items, uint32_t count, enum family f)
{
	static const uint8_t lens[FAMILY_COUNT][BULK_CHOICES] = { { 0, 8, 16, 20, 24, 32 }, { 0, 32, 40, 48, 56, 64 } };
	struct sample s = { .lens = lens[f], .price = bulk_price_of(count) };
	uint32_t *all = arena_zero(a, (count + 1) * sizeof *all);
	size_t len = 0;

	for (uint32_t i = 0; i < count; i++)
		if (items[i].families >> f & 1)
			all[len++] = i;
	s.len = len < SAMPLE ? len : SAMPLE;
	s.every = s.len ? (double)len / (double)s.len : 1;
	for (size_t i = 0; i < s.len; i++)
		all[i] = all[i * len / s.len];
	s.by_kind = arena_zero(a, KINDS * sizeof *s.by_kind);
	for (unsigned k = 0; k < KINDS && s.len; k++)
		s.by_kind[k] = fitting_of(items, all, s.len, kind_at(s.lens, k), f);
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
static bool better_grouping(const struct sample *s, struct bulk_grouping *best, double *least)
{
	const struct bulk_grouping from = *best;
	bool better = false;

	for (unsigned out = 0; out < from.len; out++) {
		struct bulk_grouping less = from;

		if (out + 1 < from.len)
			memmove(&less.kinds[out], &less.kinds[out + 1], (--less.len - out) * sizeof *less.kinds);
		for (unsigned k = 0; k < KINDS; k++) {
			struct bulk_grouping g = less.len < TEG_BULK_GROUPS ? with_kind(&less, kind_at(s->lens, k)) : less;
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
