#include "compiler/emit/nft_shape.h"

#include "compiler/emit/nft_group.h"

#define COMPARED_MOST ((size_t)40 << 20)
#define GROUP_LEAST   200u /* items */

#define NARROW4_MOST ((addr_num)1 << 16) /* addresses of an end, beyond which it is wide */
#define NARROW6_MOST ((addr_num)1 << 80)

static bool is_narrow(const struct nft_item *it, enum nft_axis x)
{
	const bool ip4 = it->on[NFT_AXIS_FAMILY].at[0].hi == FAMILY_IP4;
	addr_num left = ip4 ? NARROW4_MOST : NARROW6_MOST;

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

/* Items of a layer by where they lie on one axis: in a part of the space by its leading bits, or in many. */
#define PLACES	    4096u
#define PLACES_MOST 16u

struct places {
	enum nft_axis axis;
	VEC(uint32_t) at[PLACES], many, all;
};

static unsigned place_of(const struct nft_item *it, addr_num v)
{
	return (unsigned)(it->on[NFT_AXIS_FAMILY].at[0].hi == FAMILY_IP4 ? v >> 20 & 0xfff : (v >> 72 ^ v >> 84 ^ v >> 60) & 0xfff);
}

/* Few, each by itself; else 0. */
static unsigned places_of(const struct nft_item *it, enum nft_axis x, unsigned out[static PLACES_MOST])
{
	const bool ip4 = it->on[NFT_AXIS_FAMILY].at[0].hi == FAMILY_IP4;
	unsigned n = 0;

	for (size_t i = 0; i < it->on[x].len; i++) {
		const struct addr_range r = it->on[x].at[i];

		if (ip4 ? r.hi >> 20 != r.lo >> 20 : r.hi >> 60 != r.lo >> 60)
			return 0;
		if (n == PLACES_MOST)
			return 0;
		out[n++] = place_of(it, r.lo);
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

static bool meets_layer(struct layering *k, const struct places *p, const struct nft_item *it)
{
	unsigned in[PLACES_MOST], n = places_of(it, p->axis, in);

	if (!n)
		return meets_any(k, p->all.at, p->all.len, it);
	for (unsigned i = 0; i < n; i++)
		if (meets_any(k, p->at[in[i]].at, p->at[in[i]].len, it))
			return true;
	return meets_any(k, p->many.at, p->many.len, it);
}

static void put_in_layer(struct arena *a, const struct nft_item *items, struct places *p, uint32_t item)
{
	unsigned in[PLACES_MOST], n = places_of(&items[item], p->axis, in);

	vec_push(a, &p->all, item);
	if (!n)
		vec_push(a, &p->many, item);
	for (unsigned i = 0; i < n; i++)
		vec_push(a, &p->at[in[i]], item);
}

static bool may_stand(unsigned layer, unsigned group, unsigned shapes)
{
	if (layer < NFT_GROUPS_MOST)
		return group == layer + 1;
	return shapes >> (layer - NFT_GROUPS_MOST) % NFT_SHAPES & 1;
}

static struct places *places_new(struct arena *a, unsigned layer)
{
	struct places *p = arena_zero(a, sizeof *p);
	const bool src = layer >= NFT_GROUPS_MOST && (layer - NFT_GROUPS_MOST) % NFT_SHAPES == NFT_SHAPE_NARROW_SRC;

	p->axis = src ? NFT_AXIS_SRC : NFT_AXIS_DST;
	return p;
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
			layers[layer] = places_new(scratch, layer);
		put_in_layer(scratch, items, layers[layer], l.at[i]);
	}
	for (unsigned s = 0; s < NFT_LAYERS; s++)
		out[s] = layers[s] ? (struct nft_picked){ arena_copy(a, layers[s]->all.at, layers[s]->all.len * sizeof *layers[s]->all.at),
							 layers[s]->all.len }
				   : (struct nft_picked){ NULL, 0 };
	return k.left;
}
