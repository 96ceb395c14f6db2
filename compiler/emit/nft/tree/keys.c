#include "compiler/emit/nft/tree/keys.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/tree/price.h"

#define WIDER_MOST 4u	 /* bits, of both ends together, that an item's prefixes are cut into */
#define SAVED_US   (RULE_US + 2 * QUESTION_US + ELEMENT_US) /* an item in a map needs no rule, nor what leads there */
#define LENGTHS	   129u

static size_t values_of(const struct nft_spans *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->len && n <= NFT_KEYS_MOST; i++)
		n += s->at[i].hi - s->at[i].lo < NFT_KEYS_MOST ? (size_t)(s->at[i].hi - s->at[i].lo) + 1 : NFT_KEYS_MOST + 1;
	return n < NFT_KEYS_MOST + 1 ? n : NFT_KEYS_MOST + 1;
}

static unsigned block_bits(const struct nft_spans *s, unsigned width)
{
	const addr_num size = s->at[0].hi - s->at[0].lo; /* less one */
	const uint64_t lower = ~(uint64_t)size, upper = ~(uint64_t)(size >> 64);
	const unsigned host = lower ? (unsigned)__builtin_ctzll(lower) : upper ? 64 + (unsigned)__builtin_ctzll(upper) : 128;

	if (size & (size + 1))
		return 0;
	for (size_t i = 0; i < s->len; i++)
		if (s->at[i].hi - s->at[i].lo != size || (s->at[i].lo & size))
			return 0;
	return host < width ? width - host : 0;
}

static struct nft_reach reach_of(const struct nft_item *it, enum nft_axis x)
{
	const struct nft_spans *family = &it->on[NFT_AXIS_FAMILY], *on = &it->on[x];
	const unsigned shift = family->at[0].hi == FAMILY_IP4 ? 0 : 96;

	if (family->at[0].lo != family->at[family->len - 1].hi)
		return (struct nft_reach){ 0, UINT32_MAX };
	return (struct nft_reach){ (uint32_t)(on->at[0].lo >> shift), (uint32_t)(on->at[on->len - 1].hi >> shift) };
}

static void measure(struct nft_item *it)
{
	const unsigned width = it->on[NFT_AXIS_FAMILY].at->hi == FAMILY_IP4 ? FAMILY_BITS(FAMILY_IP4) : FAMILY_BITS(FAMILY_IP6);

	for (unsigned end = 0; end < 2; end++) {
		it->blocks[end] = (uint8_t)block_bits(&it->on[NFT_AXIS_SRC + end], width);
		it->values[end] = (uint8_t)values_of(&it->on[NFT_AXIS_SPORT + end]);
		it->reach[end] = reach_of(it, NFT_AXIS_SRC + end);
	}
}

/* Ports that are asked before the map take the protocol with them: without, they are bytes that mean nothing. */
bool nft_keyed_proto(const struct nft_item *it, unsigned others, unsigned before)
{
	const unsigned sport = 1u << NFT_AXIS_SPORT, dport = 1u << NFT_AXIS_DPORT;
	const struct nft_spans *on = &it->on[NFT_AXIS_PROTO];

	if (on->len != 1 || on->at->lo != on->at->hi || !others || before)
		return false;
	if (others & (others - 1))
		return true;
	return others & (sport | dport) && it->values[others == dport] <= NFT_KEYS_MOST;
}

/* What an item asks but for values that stand in keys; equal bytes are equal. */
struct manner {
	uint32_t beside;
	uint16_t ports[2][2]; /* source, destination: a range that is asked before, all, or, the wrong way round, values in keys */
	uint8_t family, any;  /* any: ends of which nothing is asked, bits */
	uint8_t proto[2];     /* the wrong way round: in keys */
};

struct asker {
	struct manner manner;
	uint8_t bits[2]; /* source, destination */
	uint8_t key, before; /* axes, bits: its parts but a protocol, and ports that are asked before */
	uint16_t keys;	 /* without more bits; up to NFT_KEYS_MOST squared before it is refused */
	bool has_place;
	uint32_t item;
};

static int by_manner(const void *x, const void *y)
{
	const struct asker *a = x, *b = y;
	const int d = memcmp(&a->manner, &b->manner, sizeof a->manner);

	return d ? d : (a->item > b->item) - (a->item < b->item);
}

static bool end_of(struct asker *k, const struct nft_item *it, unsigned end)
{
	const struct nft_spans *on = &it->on[NFT_AXIS_SRC + end];
	const addr_num last = family_max((enum family)k->manner.family);

	if (on->len == 1 && on->at->lo == 0 && on->at->hi >= last) {
		k->manner.any |= (uint8_t)(1u << end);
		return true;
	}
	k->key |= (uint8_t)(1u << (NFT_AXIS_SRC + end));
	k->bits[end] = it->blocks[end];
	k->keys = (uint16_t)(on->len > NFT_KEYS_MOST ? NFT_KEYS_MOST + 1 : k->keys * on->len);
	return k->bits[end] && k->keys <= NFT_KEYS_MOST;
}

static bool ports_of(struct asker *k, const struct nft_item *it, unsigned end)
{
	const struct nft_spans *on = &it->on[NFT_AXIS_SPORT + end];
	const size_t values = it->values[end];
	uint16_t *range = k->manner.ports[end];

	range[0] = UINT16_MAX;
	if (values <= NFT_KEYS_MOST) {
		k->keys = (uint16_t)(k->keys * values);
		k->key |= (uint8_t)(1u << (NFT_AXIS_SPORT + end));
		return k->keys <= NFT_KEYS_MOST;
	}
	range[0] = (uint16_t)on->at->lo;
	range[1] = (uint16_t)on->at->hi;
	if (range[0] != 0 || range[1] != UINT16_MAX)
		k->before |= (uint8_t)(1u << (NFT_AXIS_SPORT + end));
	return on->len == 1;
}

static bool ask(struct asker *k, const struct nft_item *it, uint32_t number)
{
	const struct addr_range family = *it->on[NFT_AXIS_FAMILY].at, proto = *it->on[NFT_AXIS_PROTO].at;

	*k = (struct asker){ .manner = { .beside = it->beside, .family = (uint8_t)family.lo, .proto = { (uint8_t)proto.lo, (uint8_t)proto.hi } },
			     .keys = 1, .item = number };
	if (!it->grouped || it->on[NFT_AXIS_PROTO].len != 1 || it->on[NFT_AXIS_FAMILY].len != 1 || family.lo != family.hi ||
	    !end_of(k, it, 0) || !end_of(k, it, 1) || !ports_of(k, it, 0) || !ports_of(k, it, 1))
		return false;
	if (nft_keyed_proto(it, k->key, k->before)) {
		k->manner.proto[0] = 1;
		k->manner.proto[1] = 0;
	}
	return true;
}

/* What it saves that the item stands in a map under so many bits more; less than nothing where it cannot. */
static double saved_us(const struct asker *k, unsigned more)
{
	return more > WIDER_MOST || (unsigned)k->keys << more > NFT_KEYS_MOST ? -1 : SAVED_US - ELEMENT_US * (k->keys << more);
}

/* Lengths of both ends, and what all save that have a place under these. */
struct pairs {
	uint8_t lengths[2][LENGTHS]; /* that there are, ascending */
	uint8_t at[2][LENGTHS];	     /* which one a length is */
	size_t count[2];
	double us[LENGTHS * LENGTHS];
};

static void pairs_init(struct pairs *p, const struct asker *at, size_t len)
{
	for (unsigned end = 0; end < 2; end++) {
		bool is[LENGTHS] = { false };

		for (size_t i = 0; i < len; i++)
			is[at[i].bits[end]] = true;
		p->count[end] = 0;
		for (unsigned bits = 0; bits < LENGTHS; bits++) {
			p->at[end][bits] = (uint8_t)p->count[end];
			if (is[bits])
				p->lengths[end][p->count[end]++] = (uint8_t)bits;
		}
	}
}

static void pairs_add(struct pairs *p, const struct asker *k)
{
	for (size_t s = p->at[0][k->bits[0]]; s < p->count[0] && p->lengths[0][s] - k->bits[0] <= (int)WIDER_MOST; s++)
		for (size_t d = p->at[1][k->bits[1]]; d < p->count[1]; d++) {
			const double us = saved_us(k, p->lengths[0][s] - k->bits[0] + p->lengths[1][d] - k->bits[1]);

			if (us <= 0)
				break;
			p->us[s * p->count[1] + d] += us;
		}
}

/* The place of the pair that saves most. */
static size_t pairs_best(struct pairs *p, const struct asker *at, size_t len)
{
	const size_t count = p->count[0] * p->count[1];
	size_t best = 0;

	memset(p->us, 0, count * sizeof *p->us);
	for (size_t i = 0; i < len; i++)
		if (!at[i].has_place)
			pairs_add(p, &at[i]);
	for (size_t i = 1; i < count; i++)
		if (p->us[i] > p->us[best])
			best = i;
	return best;
}

static void give_place(struct nft_item *items, struct asker *k, uint8_t src, uint8_t dst)
{
	if (k->has_place || src < k->bits[0] || dst < k->bits[1] || saved_us(k, src - k->bits[0] + dst - k->bits[1]) <= 0)
		return;
	k->has_place = true;
	items[k->item].keyed[0] = src;
	items[k->item].keyed[1] = dst;
}

/* Of items of one manner, the longest of whose keys decide the masks. */
static void choose_for(struct pairs *p, struct nft_item *items, struct asker *at, size_t len)
{
	pairs_init(p, at, len);
	while (true) {
		const size_t best = pairs_best(p, at, len), s = best / p->count[1], d = best % p->count[1];

		if (p->us[best] < NFT_MAP_WORTH_US)
			return;
		for (size_t i = 0; i < len; i++)
			give_place(items, &at[i], p->lengths[0][s], p->lengths[1][d]);
	}
}

void nft_keys_choose(struct nft_item *items, size_t count)
{
	own(arena) struct arena *a = arena_new();
	struct asker *at = arena_zero(a, (count + 1) * sizeof *at);
	struct pairs *p = arena_zero(a, sizeof *p);
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		measure(&items[i]);
	for (size_t i = 0; i < count; i++)
		len += ask(&at[len], &items[i], (uint32_t)i);
	qsort(at, len, sizeof *at, by_manner);
	for (size_t from = 0, to; from < len; from = to) {
		for (to = from + 1; to < len && !memcmp(&at[from].manner, &at[to].manner, sizeof at->manner);)
			to++;
		if ((double)(to - from) * SAVED_US >= NFT_MAP_WORTH_US)
			choose_for(p, items, &at[from], to - from);
	}
}
