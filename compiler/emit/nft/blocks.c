#include "compiler/emit/nft/blocks.h"

#include <math.h>

#define BLOCKS_A_NETWORK 2.5 /* at most, by rounding */
#define BLOCKS_A_NETWORK_LARGE 1.6 /* where what they take to load is felt */
#define LARGE_LEAST	 262144.0
#define LENGTHS		 129

/* --- networks ----------------------------------------------------------------------------------------- */

typedef void (*take_prefix)(void *to, addr_num lo, unsigned bits);

/* A range as the fewest prefixes. */
static void prefixes_of(struct addr_range r, unsigned width, take_prefix each, void *to)
{
	for (addr_num lo = r.lo;;) {
		unsigned host = 0;

		while (host < width && !(lo >> host & 1)) {
			const addr_num more = ((addr_num)2 << host) - 1;

			if (more > r.hi - lo)
				break;
			host++;
		}
		each(to, lo, width - host);
		const addr_num last = lo + (((addr_num)1 << host) - 1);
		if (last == r.hi)
			return;
		lo = last + 1;
	}
}

static void count_prefix(void *to, addr_num lo, unsigned bits)
{
	(void)lo;
	((double *)to)[bits]++;
}

/* --- lengths ------------------------------------------------------------------------------------------- */

/*
 * Of all ways to round lengths up to `most` of them, that with the fewest blocks; fewer lengths come first. least[k][j]
 * is how many blocks those of at most j bits become, with k lengths of which the longest is j.
 */
struct rounding {
	unsigned width;
	double networks;
	const double *count; /* of each length */
	double least[NFT_BLOCKS_MOST + 1][LENGTHS];
	uint8_t from[NFT_BLOCKS_MOST + 1][LENGTHS];
};

/* How many blocks of j bits those longer than i, for each i, become: summed from the longest on, so that none is lost beside a much larger. */
static void blocks_above(const struct rounding *r, unsigned j, double blocks[static LENGTHS])
{
	blocks[j] = 0;
	for (unsigned i = j; i > 0; i--)
		blocks[i - 1] = blocks[i] + ldexp(r->count[i], (int)(j - i));
}

static void round_to(struct rounding *r, unsigned k)
{
	double blocks[LENGTHS];

	for (unsigned j = 1; j <= r->width; j++) {
		blocks_above(r, j, blocks);
		r->least[k][j] = INFINITY;
		for (unsigned i = k > 1 ? 1 : 0; i < (k > 1 ? j : 1); i++) {
			const double all = (k > 1 ? r->least[k - 1][i] : 0) + blocks[i];

			if (all < r->least[k][j]) {
				r->least[k][j] = all;
				r->from[k][j] = (uint8_t)i;
			}
		}
	}
}

/* How many lengths, ascending; 0: one set is as good. */
static unsigned round_lengths(const double count[static LENGTHS], unsigned width, unsigned out[static NFT_BLOCKS_MOST])
{
	struct rounding r = { .width = width, .count = count };
	unsigned longest = 0;

	for (unsigned l = 1; l <= width; l++) {
		r.networks += count[l];
		longest = count[l] > 0 ? l : longest;
	}
	const double most = r.networks * (r.networks < LARGE_LEAST ? BLOCKS_A_NETWORK : BLOCKS_A_NETWORK_LARGE);
	for (unsigned k = 1; k <= NFT_BLOCKS_MOST; k++) {
		round_to(&r, k);
		if (r.least[k][longest] > most)
			continue;
		for (unsigned i = k, j = longest; i > 0; j = r.from[i][j], i--)
			out[i - 1] = j;
		return k;
	}
	return 0;
}

/* --- blocks --------------------------------------------------------------------------------------------- */

struct sorting {
	struct arena *a;
	unsigned lengths[NFT_BLOCKS_MOST], count;
	unsigned width;
	VEC(struct addr_range) ranges[NFT_BLOCKS_MOST];
	size_t blocks[NFT_BLOCKS_MOST];
};

static void sort_prefix(void *to, addr_num lo, unsigned bits)
{
	struct sorting *s = to;
	const addr_num hi = lo + (((addr_num)1 << (s->width - bits)) - 1);
	unsigned i = 0;

	while (s->lengths[i] < bits)
		i++;
	struct addr_range *before = s->ranges[i].len ? &s->ranges[i].at[s->ranges[i].len - 1] : NULL;
	if (before && before->hi + 1 == lo)
		before->hi = hi;
	else
		vec_push(s->a, &s->ranges[i], ((struct addr_range){ lo, hi }));
	s->blocks[i] += (size_t)1 << (s->lengths[i] - bits);
}

static struct nft_blocks *blocks_made(struct sorting *s, enum family f)
{
	struct nft_blocks *b = arena_zero(s->a, sizeof *b);

	while (b->count < s->count) {
		unsigned most = 0;

		for (unsigned i = 1; i < s->count; i++)
			if (s->blocks[i] > s->blocks[most])
				most = i;
		struct nft_block_set *to = &b->at[b->count++];
		to->bits = s->lengths[most];
		to->set.at[f] = s->ranges[most].at;
		to->set.len[f] = s->ranges[most].len;
		s->blocks[most] = 0;
	}
	return b;
}

struct nft_blocks *nft_blocks_of(struct nft_maker *mk, const struct netset *set, enum family f)
{
	struct sorting s = { .a = mk->arena, .width = FAMILY_BITS(f) };
	double count[LENGTHS] = { 0 };

	if (set->len[f] < NFT_BLOCKS_LEAST)
		return NULL;
	const char *key = arena_printf(mk->arena, "%p %d", (const void *)set->at[f], (int)f);
	struct nft_blocks *known = strmap_find(&mk->blocks, key);
	if (known)
		return known;
	for (size_t i = 0; i < set->len[f]; i++)
		prefixes_of(set->at[f][i], s.width, count_prefix, count);
	s.count = round_lengths(count, s.width, s.lengths);
	if (!s.count || (s.count == 1 && s.lengths[0] == s.width))
		return NULL;
	for (size_t i = 0; i < set->len[f]; i++)
		prefixes_of(set->at[f][i], s.width, sort_prefix, &s);
	known = blocks_made(&s, f);
	strmap_put(&mk->blocks, key, known);
	return known;
}

const struct nft_set *nft_block_set_at(struct nft_maker *mk, struct nft_block_set *b, enum family f)
{
	const addr_num size = (addr_num)1 << (FAMILY_BITS(f) - b->bits);
	VEC(struct addr_range) values = { 0 };

	if (b->made)
		return b->made;
	for (size_t i = 0; i < b->set.len[f]; i++)
		for (addr_num v = b->set.at[f][i].lo;; v += size) {
			vec_push(mk->arena, &values, ((struct addr_range){ v, v }));
			if (b->set.at[f][i].hi - v < size)
				break;
		}
	b->made = nft_value_set_at(mk, values.at, values.len, f);
	return b->made;
}
