#include "compiler/emit/nft_tree.h"

#include "compiler/emit/nft_grow.h"
#include "compiler/emit/nft_price.h"
#include "compiler/emit/nft_shape.h"

#define UNMATCHED   0.2 /* of the packets are taken to come to the end */
#define SEGMENT_LEAST 64u /* items */
#define ENTRIES_MOST 16u  /* items in all nodes of a tree, for each of the list */

/* How a list is taken apart before trees are made of it. */
struct way {
	int rounds; /* of layers; 0: the list is not reordered */
	size_t segments; /* of each layer, or of all */
	double enough_ns;
	bool many; /* is tried for long lists too */
};

static const struct way ways[] = {
	{ 0, 1, 1000, true }, { 0, 4, 3000, true }, { 3, 1, 800, true }, { 3, 2, 2500, false },
	{ NFT_ROUNDS_MOST, 1, 800, false }, { NFT_ROUNDS_MOST, 2, 2500, false },
};

#define MANY 20000u /* items, of which a plan takes long to make */

/* The layers of so many rounds, as they were made last. */
struct layers {
	struct nft_picked at[NFT_LAYERS];
	int rounds;
	bool made; /* or it would take too long */
};

static bool layers_for(struct layers *k, struct arena *a, const struct nft_list *l, int rounds)
{
	if (rounds && rounds != k->rounds) {
		k->rounds = rounds;
		k->made = nft_layers_of(a, l, rounds * NFT_SHAPES, k->at);
	}
	return !rounds || k->made;
}

struct segments {
	struct nft_picked at[4 * NFT_LAYERS];
	size_t len;
};

static void cut_list(struct segments *out, struct nft_picked l, size_t segments)
{
	for (size_t s = 0; s < segments; s++) {
		const size_t from = l.len * s / segments, to = l.len * (s + 1) / segments;

		if (to > from)
			out->at[out->len++] = (struct nft_picked){ l.at + from, to - from };
	}
}

static struct segments take_apart(struct arena *a, const struct nft_list *l, const struct way *w, const struct layers *k)
{
	struct segments out = { .len = 0 };
	struct nft_picked all = { arena_zero(a, (l->count + 1) * sizeof *all.at), l->count };

	for (size_t i = 0; i < l->count; i++)
		all.at[i] = (uint32_t)i;
	if (!w->rounds) {
		cut_list(&out, all, w->segments);
		return out;
	}
	for (int s = 0; s < w->rounds * NFT_SHAPES; s++)
		cut_list(&out, k->at[s], k->at[s].len / w->segments < SEGMENT_LEAST ? 1 : w->segments);
	return out;
}

/* Every packet may come through a segment of few items, and there is little to load. */
static double enough_for(double enough_ns, size_t len, size_t count)
{
	const double share = 4 * enough_ns * (double)len / (double)count;

	return share > enough_ns ? enough_ns : share > LEAF_NS ? share : LEAF_NS;
}

static void plan(struct nft_trees *out, struct arena *a, const struct nft_list *l, const struct way *w, const struct layers *k)
{
	const struct segments segments = take_apart(a, l, w, k);
	double before_ns = 0, maps = 0;

	*out = (struct nft_trees){ .roots = arena_zero(a, (segments.len + 1) * sizeof *out->roots), .count = segments.len };
	for (size_t s = 0; s < segments.len; s++) {
		const struct nft_picked all = segments.at[s];
		struct nft_growing g = { .a = a, .items = l->items, .total = l->total && s + 1 == segments.len, .never = l->never,
				     .enough_ns = enough_for(w->enough_ns, all.len, l->count), .most = ENTRIES_MOST * all.len + 1024 };

		out->roots[s] = nft_grow(&g, nft_everything(), all, 0, 0);
		before_ns += g.packet_ns / g.weight;
		out->packet_ns += before_ns * (double)all.len / (double)l->count;
		out->load_us += g.load_us;
		maps += g.maps;
	}
	out->packet_ns = out->packet_ns * (1 - UNMATCHED) + before_ns * UNMATCHED;
	out->load_us += maps * maps * MAPS_US;
}

/* 3 us more a packet are as bad as 40 ms more to load. */
static double score_of(const struct nft_trees *t, size_t count)
{
	return t->packet_ns / 3000 + (t->load_us + COUNTER_US * (double)count) / 40000;
}

void nft_trees_plan(struct nft_trees *out, struct arena *a, const struct nft_list *l)
{
	struct layers k = { .rounds = 0 };
	size_t best = 0;
	double least = 0;

	for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
		own(arena) struct arena *scratch = arena_new();
		struct nft_trees t;

		if ((l->count > MANY && !ways[w].many) || (ways[w].segments > 1 && l->count / ways[w].segments < SEGMENT_LEAST))
			continue;
		if (!layers_for(&k, a, l, ways[w].rounds))
			continue;
		plan(&t, scratch, l, &ways[w], &k);
		const double score = score_of(&t, l->count);
		if (!least || score < least) {
			least = score;
			best = w;
		}
	}
	layers_for(&k, a, l, ways[best].rounds);
	plan(out, a, l, &ways[best], &k);
}
