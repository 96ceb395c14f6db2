#include "compiler/emit/nft_shape.h"

#include "compiler/emit/nft_group.h"

#define COMPARED_MOST ((size_t)40 << 20)
#define GROUP_LEAST   200u /* items */

#define NARROW4_BITS 16u /* an end of more addresses than these bits count is wide */
#define NARROW6_BITS 80u

static unsigned block_bits(const struct nft_item *it)
{
	return it->on[NFT_AXIS_FAMILY].at[0].hi == FAMILY_IP4 ? NARROW4_BITS : NARROW6_BITS;
}

static bool is_narrow(const struct nft_item *it, enum nft_axis x)
{
	addr_num left = (addr_num)1 << block_bits(it);

	for (size_t i = 0; i < it->on[x].len; i++) {
		const addr_num more = it->on[x].at[i].hi - it->on[x].at[i].lo;

		if (more >= left)
			return false;
		left -= more + 1;
	}
	return true;
}

/* Shapes in whose layers it may stand: bits. */
static unsigned shapes_of(const struct nft_item *it)
{
	const unsigned src = is_narrow(it, NFT_AXIS_SRC) << NFT_SHAPE_NARROW_SRC;
	const unsigned dst = is_narrow(it, NFT_AXIS_DST) << NFT_SHAPE_NARROW_DST;

	return src | dst ? src | dst : 1u << NFT_SHAPE_WIDE;
}

/* Items of a layer by where they lie on an axis: in one block of as many addresses as a narrow end has at most, or in many. */
#define PLACES	    2048u
#define PLACES_MOST 16u

struct along {
	VEC(uint32_t) at[PLACES], many;
};

struct places {
	struct along src, dst;
	VEC(uint32_t) all;
};

/* Blocks are scattered, since lists are about neighbours. */
static unsigned place_of(addr_num block)
{
	return (unsigned)((uint64_t)block * UINT64_C(0x9e3779b97f4a7c15) >> 48) % PLACES;
}

/* Few, each by itself; else 0. */
static unsigned places_of(const struct nft_item *it, enum nft_axis x, unsigned out[static PLACES_MOST])
{
	const unsigned bits = block_bits(it);
	unsigned n = 0;

	for (size_t i = 0; i < it->on[x].len; i++) {
		const struct addr_range r = it->on[x].at[i];

		if (r.hi >> bits != r.lo >> bits)
			return 0;
		if (n == PLACES_MOST)
			return 0;
		out[n++] = place_of(r.lo >> bits);
	}
	return n;
}

/* Comparing each with each takes too long when many are wide: then it is given up. */
struct layering {
	const struct nft_item *items;
	size_t left; /* comparisons */
};

static bool meets_any(struct layering *k, const uint32_t *at, size_t len, const struct nft_item *it)
{
	if (len > k->left) {
		k->left = 0;
		return true;
	}
	k->left -= len;
	for (size_t i = 0; i < len; i++)
		if (nft_items_meet(&k->items[at[i]], it))
			return true;
	return false;
}

/* Where the item lies along an axis, and how many it would be compared with there. */
struct standing {
	const struct along *along;
	unsigned in[PLACES_MOST], n;
	size_t beside;
};

static struct standing standing_of(const struct nft_item *it, enum nft_axis x, const struct along *along)
{
	struct standing s = { .along = along };

	s.n = places_of(it, x, s.in);
	s.beside = along->many.len;
	for (unsigned i = 0; i < s.n; i++)
		s.beside += along->at[s.in[i]].len;
	return s;
}

static bool meets_layer(struct layering *k, const struct places *p, const struct nft_item *it)
{
	const struct standing src = standing_of(it, NFT_AXIS_SRC, &p->src), dst = standing_of(it, NFT_AXIS_DST, &p->dst);
	const struct standing *by = !src.n || (dst.n && dst.beside < src.beside) ? &dst : &src;

	if (!by->n)
		return meets_any(k, p->all.at, p->all.len, it);
	for (unsigned i = 0; i < by->n; i++)
		if (meets_any(k, by->along->at[by->in[i]].at, by->along->at[by->in[i]].len, it))
			return true;
	return meets_any(k, by->along->many.at, by->along->many.len, it);
}

static void put_along(struct arena *a, const struct nft_item *it, enum nft_axis x, struct along *along, uint32_t item)
{
	unsigned in[PLACES_MOST], n = places_of(it, x, in);

	if (!n)
		vec_push(a, &along->many, item);
	for (unsigned i = 0; i < n; i++)
		vec_push(a, &along->at[in[i]], item);
}

static void put_in_layer(struct arena *a, const struct nft_item *items, struct places *p, uint32_t item)
{
	vec_push(a, &p->all, item);
	put_along(a, &items[item], NFT_AXIS_SRC, &p->src, item);
	put_along(a, &items[item], NFT_AXIS_DST, &p->dst, item);
}

static bool may_stand(unsigned layer, unsigned group, unsigned shapes)
{
	if (layer < NFT_GROUPS_MOST)
		return group == layer + 1;
	return shapes >> (layer - NFT_GROUPS_MOST) % NFT_SHAPES & 1;
}

bool nft_layers_of(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
		   struct nft_picked out[static NFT_LAYERS])
{
	own(arena) struct arena *scratch = arena_new();
	struct places **layers = arena_zero(scratch, NFT_LAYERS * sizeof *layers);
	uint8_t *groups = arena_zero(scratch, l.len + 1);
	struct layering k = { items, COMPARED_MOST };
	unsigned top = 0;

	nft_large_groups(items, p, l, GROUP_LEAST, NFT_GROUPS_MOST, groups);
	for (size_t i = 0; i < l.len && k.left; i++) {
		const struct nft_item *it = &items[l.at[i]];
		const unsigned shapes = shapes_of(it);
		unsigned layer = top;

		while (layer > 0 && (!layers[layer] || !meets_layer(&k, layers[layer], it)))
			layer--;
		while (!may_stand(layer, groups[i], shapes) && layer + 1 < NFT_LAYERS)
			layer++;
		top = layer > top ? layer : top;
		if (!layers[layer])
			layers[layer] = arena_zero(scratch, sizeof *layers[layer]);
		put_in_layer(scratch, items, layers[layer], l.at[i]);
	}
	for (unsigned s = 0; s < NFT_LAYERS; s++)
		out[s] = layers[s] ? (struct nft_picked){ arena_copy(a, layers[s]->all.at, layers[s]->all.len * sizeof *layers[s]->all.at),
							 layers[s]->all.len }
				   : (struct nft_picked){ NULL, 0 };
	return k.left;
}
