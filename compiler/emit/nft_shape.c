#include "compiler/emit/nft_shape.h"

#define COMPARED_MOST ((size_t)40 << 20)

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

static enum nft_shape shape_of(const struct nft_item *it)
{
	const bool src = is_narrow(it, NFT_AXIS_SRC), dst = is_narrow(it, NFT_AXIS_DST);

	return src ? dst ? NFT_SHAPE_NARROW : NFT_SHAPE_WIDE_DST : dst ? NFT_SHAPE_WIDE_SRC : NFT_SHAPE_WIDE;
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

bool nft_layers_of(struct arena *a, const struct nft_list *l, int count, struct nft_picked *out)
{
	static const enum nft_axis axes[NFT_SHAPES] = {
		[NFT_SHAPE_NARROW] = NFT_AXIS_DST, [NFT_SHAPE_WIDE_SRC] = NFT_AXIS_DST,
		[NFT_SHAPE_WIDE_DST] = NFT_AXIS_SRC, [NFT_SHAPE_WIDE] = NFT_AXIS_DST,
	};
	own(arena) struct arena *scratch = arena_new();
	struct places *layers = arena_zero(scratch, (size_t)count * sizeof *layers);
	struct layering k = { l->items, COMPARED_MOST };
	int top = 0;

	for (int s = 0; s < count; s++) {
		layers[s].axis = axes[s % NFT_SHAPES];
		out[s] = (struct nft_picked){ arena_zero(a, (l->count + 1) * sizeof *out[s].at), 0 };
	}
	for (uint32_t i = 0; i < l->count && k.left; i++) {
		const int shape = (int)shape_of(&l->items[i]);
		int least = top, layer;

		while (least > 0 && !meets_layer(&k, &layers[least], &l->items[i]))
			least--;
		for (layer = least; layer % NFT_SHAPES != shape && layer + 1 < count;)
			layer++;
		top = layer > top ? layer : top;
		put_in_layer(scratch, l->items, &layers[layer], i);
		out[layer].at[out[layer].len++] = i;
	}
	return k.left;
}
