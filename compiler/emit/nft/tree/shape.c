#include "compiler/emit/nft/tree/shape.h"

#include "compiler/emit/nft/tree/group.h"

#define COMPARED_MOST ((size_t)40 << 20)
#define GROUP_LEAST   100u /* items */
#define GROUPS_MOST   16u
#define TURNS_MOST    40u /* what must come later than the last stands in that */

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

/*
 * Items of a layer by where they lie on an axis: in one block of as many addresses as a narrow end has at most, or in
 * many. Those of one place are a chain.
 */
#define PLACES_LEAST 16u /* of a layer, along one axis: as many as items are, or more */
#define PLACES_MOST  8192u
#define SPOTS_MOST   16u /* places of one item */

struct chain {
	uint32_t first, len; /* first: a link, from 1 */
};

struct link {
	uint32_t item, next;
	uint32_t spot; /* where it lies, of which its place is told */
	struct nft_reach src, dst;
};

struct along {
	struct chain *at, many; /* by place */
	unsigned places, links; /* links: but for those of many places */
};

struct places {
	struct along src, dst;
	VEC(uint32_t) all;
	VEC(uint8_t) decided; /* of each of these */
};

/* Where an item lies, however many places there are; in many: n is 0. */
struct spots {
	unsigned at[SPOTS_MOST], n;
};

/* An item, and where both of its ends lie. */
struct laid {
	const struct nft_item *it;
	uint32_t item;
	uint8_t decided;
	struct spots src, dst;
};

/* Comparing each with each takes too long when many are wide: then it is given up. */
struct layering {
	struct arena *a;
	const struct nft_item *items;
	size_t left; /* comparisons */
	VEC(struct link) links;
};

/* Blocks are scattered, since lists are about neighbours. */
static unsigned spot_of(addr_num block)
{
	return (unsigned)((uint64_t)block * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

static struct chain *chain_at(const struct along *along, unsigned spot)
{
	return &along->at[spot % along->places];
}

static struct spots spots_of(const struct nft_item *it, enum nft_axis x)
{
	const unsigned bits = block_bits(it);
	struct spots s = { .n = 0 };

	for (size_t i = 0; i < it->on[x].len; i++) {
		const struct addr_range r = it->on[x].at[i];

		if (r.hi >> bits != r.lo >> bits || s.n == SPOTS_MOST) {
			s.n = 0;
			break;
		}
		s.at[s.n++] = spot_of(r.lo >> bits);
	}
	return s;
}

static bool may_compare(struct layering *k, size_t len)
{
	k->left = len > k->left ? 0 : k->left - len;
	return k->left;
}

static bool meets_chain(struct layering *k, const struct chain *c, const struct laid *x)
{
	const struct link *l;

	if (!may_compare(k, c->len))
		return true;
	for (uint32_t at = c->first; at; at = l->next) {
		l = &k->links.at[at - 1];
		if (nft_reach_meet(l->src, x->it->reach[0]) && nft_reach_meet(l->dst, x->it->reach[1]) && nft_items_meet(&k->items[l->item], x->it))
			return true;
	}
	return false;
}

static bool meets_all(struct layering *k, const struct places *p, const struct nft_item *it)
{
	if (!may_compare(k, p->all.len))
		return true;
	for (size_t i = 0; i < p->all.len; i++)
		if (nft_items_meet(&k->items[p->all.at[i]], it))
			return true;
	return false;
}

/* How many it would be compared with along an axis. */
static size_t beside(const struct along *along, const struct spots *s)
{
	size_t n = along->many.len;

	for (unsigned i = 0; i < s->n; i++)
		n += chain_at(along, s->at[i])->len;
	return n;
}

static bool meets_layer(struct layering *k, const struct places *p, const struct laid *x)
{
	const bool by_dst = !x->src.n || (x->dst.n && beside(&p->dst, &x->dst) < beside(&p->src, &x->src));
	const struct along *along = by_dst ? &p->dst : &p->src;
	const struct spots *by = by_dst ? &x->dst : &x->src;

	if (!by->n)
		return meets_all(k, p, x->it);
	for (unsigned i = 0; i < by->n; i++)
		if (meets_chain(k, chain_at(along, by->at[i]), x))
			return true;
	return meets_chain(k, &along->many, x);
}

static void put_link(struct layering *k, struct chain *c, unsigned spot, const struct laid *x)
{
	vec_push(k->a, &k->links, ((struct link){ x->item, c->first, spot, x->it->reach[0], x->it->reach[1] }));
	c->first = (uint32_t)k->links.len;
	c->len++;
}

static void put_in_place(struct layering *k, const struct along *along, uint32_t number)
{
	struct link *l = &k->links.at[number - 1];
	struct chain *c = chain_at(along, l->spot);

	l->next = c->first;
	c->first = number;
	c->len++;
}

static void widen(struct layering *k, struct along *along)
{
	const struct along was = *along;

	along->places *= 2;
	along->at = arena_zero(k->a, along->places * sizeof *along->at);
	for (unsigned i = 0; i < was.places; i++)
		for (uint32_t at = was.at[i].first, next; at; at = next) {
			next = k->links.at[at - 1].next;
			put_in_place(k, along, at);
		}
}

static void put_along(struct layering *k, struct along *along, const struct spots *s, const struct laid *x)
{
	if (!s->n)
		put_link(k, &along->many, 0, x);
	for (unsigned i = 0; i < s->n; i++) {
		if (along->links++ == along->places && along->places < PLACES_MOST)
			widen(k, along);
		put_link(k, chain_at(along, s->at[i]), s->at[i], x);
	}
}

static void put_in_layer(struct layering *k, struct places *p, const struct laid *x)
{
	vec_push(k->a, &p->all, x->item);
	vec_push(k->a, &p->decided, x->decided);
	put_along(k, &p->src, &x->src, x);
	put_along(k, &p->dst, &x->dst, x);
}

static struct places *layer_new(const struct layering *k)
{
	struct places *p = arena_zero(k->a, sizeof *p);

	p->src.places = p->dst.places = PLACES_LEAST;
	p->src.at = arena_zero(k->a, PLACES_LEAST * sizeof *p->src.at);
	p->dst.at = arena_zero(k->a, PLACES_LEAST * sizeof *p->dst.at);
	return p;
}

/* Of a turn the groups come first. */
static bool may_stand(unsigned layer, unsigned groups, unsigned group, unsigned shapes)
{
	const unsigned at = layer % (groups + NFT_SHAPES);

	return at < groups ? group == at + 1 : shapes >> (at - groups) & 1;
}

static struct nft_picked picked_of(struct arena *a, const struct places *p)
{
	return (struct nft_picked){ arena_copy(a, p->all.at, p->all.len * sizeof *p->all.at), arena_copy(a, p->decided.at, p->decided.len), p->all.len };
}

static struct nft_picked *all_picked(struct arena *a, struct places **layers, unsigned last, size_t *count)
{
	struct nft_picked *out = arena_zero(a, (last + 1) * sizeof *out);

	*count = 0;
	for (unsigned i = 0; i <= last; i++)
		if (layers[i])
			out[(*count)++] = picked_of(a, layers[i]);
	return out;
}

struct nft_picked *nft_layers_of(struct arena *a, const struct nft_item *items, const struct nft_part *p, struct nft_picked l,
				 size_t *count)
{
	own(arena) struct arena *scratch = arena_new();
	uint8_t *group_of = arena_zero(scratch, l.len + 1);
	const unsigned groups = nft_large_groups(items, p, l, GROUP_LEAST, GROUPS_MOST, group_of);
	const unsigned most = TURNS_MOST * (groups + NFT_SHAPES);
	struct places **layers = arena_zero(scratch, most * sizeof *layers);
	struct layering k = { .a = scratch, .items = items, .left = COMPARED_MOST };
	unsigned top = 0;

	for (size_t i = 0; i < l.len && k.left; i++) {
		const struct nft_item *it = &items[l.at[i]];
		const struct laid x = { it, l.at[i], l.decided[i], spots_of(it, NFT_AXIS_SRC), spots_of(it, NFT_AXIS_DST) };
		const unsigned shapes = shapes_of(it);
		unsigned layer = top;

		while (layer > 0 && (!layers[layer] || !meets_layer(&k, layers[layer], &x)))
			layer--;
		while (!may_stand(layer, groups, group_of[i], shapes) && layer + 1 < most)
			layer++;
		top = layer > top ? layer : top;
		if (!layers[layer])
			layers[layer] = layer_new(&k);
		put_in_layer(&k, layers[layer], &x);
	}
	return k.left ? all_picked(a, layers, top, count) : NULL;
}
