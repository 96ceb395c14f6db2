/*
 * trees - does every way through a tree end where its packets belong?
 *
 * A tree only leaves out boxes; which it may, is asked here of the nodes
 * themselves, by other means than those that made them. What is known of a
 * packet at a node are the bits that the nodes above have taken, each 0, 1 or
 * not known. A leaf must list every box that such a packet may lie in, unless it
 * lists one before it in which all such packets lie.
 *
 * The answer of all trees is the least box of any, so a box need be in one tree
 * only: one that some leaf of a tree lacks is given up for that tree, and every
 * box must be left in one tree of each of its families.
 */
#include <errno.h>

#include "compiler/audit/audit.h"

enum { PORT_FIELDS = 4 }; /* of word 4: 16 bits each, the protocol's upper 8 are 0 */

struct known {
	uint64_t value[TEG_BULK_WORDS], mask[TEG_BULK_WORDS];
};

struct ways {
	const struct plan *plan;
	struct arena *arena;
	unsigned family, tree;
	uint8_t *lacking; /* bit per tree and family: some leaf there lacks the box */
};

struct boxes {
	uint32_t *at;
	size_t len;
};

static uint8_t bit_of(const struct ways *w)
{
	return (uint8_t)(1u << (2 * w->tree + w->family));
}

/* The ranges of a box's part of word 4, from its highest 16 bits on. */
static struct range port_range(const struct teg_box *b, unsigned field)
{
	const bool any = b->proto == TEG_PROTO_ANY;
	const struct range of[PORT_FIELDS] = {
		{ b->sport_lo, b->sport_hi }, { b->dport_lo, b->dport_hi }, { b->icmp_lo, b->icmp_hi },
		{ any ? 0 : b->proto, any ? UINT8_MAX : b->proto },
	};

	return of[field];
}

/* The least number from `lo` on that has these bits, or 65536. */
static uint32_t least_from(uint32_t lo, uint32_t value, uint32_t mask)
{
	uint32_t free = ~mask & UINT16_MAX;

	if ((lo & mask) == value)
		return lo;
	/* It first differs from lo at some bit, where it has a 1 and lo a 0; below that it is as small as can be. */
	for (unsigned bit = 0; bit < 16; bit++) {
		uint32_t one = 1u << bit, above = UINT16_MAX & ~(2 * one - 1), below = one - 1;

		if (!(lo & one) && ((lo ^ value) & mask & above) == 0 && ((free | value) & one))
			return (lo & above) | one | (value & below);
	}
	return UINT16_MAX + 1;
}

/* May a packet of which this is known lie in the box, as far as these bits of one word say? */
static bool meets(const struct teg_bulk_box *b, const struct known *k, unsigned word, unsigned shift, unsigned width)
{
	if (word < 4)
		return !((b->addr[word] ^ k->value[word]) & b->mask[word] & k->mask[word]);
	for (unsigned at = shift / 16; at <= (shift + width - 1) / 16 && at < PORT_FIELDS; at++) {
		struct range r = port_range(&b->box, PORT_FIELDS - 1 - at);

		if (least_from(r.lo, (uint16_t)(k->value[4] >> 16 * at), (uint16_t)(k->mask[4] >> 16 * at)) > r.hi)
			return false;
	}
	return true;
}

/* Does every such packet lie in it, whatever else it is? */
static bool holds_all(const struct ways *w, const struct teg_bulk_box *b, const struct known *k)
{
	const struct teg_box *x = &b->box;

	if (x->zones != UINT64_MAX || x->src || x->dst || x->flags_mask ||
	    x->fragments != (TEG_WHOLE | TEG_FIRST | TEG_LATER) || w->plan->rules[x->rule].except)
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (b->mask[i] & ~k->mask[i] || (b->addr[i] ^ k->value[i]) & b->mask[i])
			return false;
	for (unsigned f = 0; f < PORT_FIELDS; f++) {
		unsigned shift = 48 - 16 * f;
		uint32_t least = (uint16_t)(k->value[4] >> shift), most = least | (uint16_t)~(k->mask[4] >> shift);
		struct range r = port_range(x, f);

		if (f == PORT_FIELDS - 1)
			most &= UINT8_MAX;
		if (least < r.lo || most > r.hi)
			return false;
	}
	return true;
}

static void ask_leaf(struct ways *w, struct boxes all, const struct known *k, uint64_t leaf)
{
	const uint32_t *listed = &w->plan->bulk_leaves[leaf >> 32 & 0x7fffffff];
	size_t count = leaf & 0xffff, at = 0;

	for (size_t i = 0; i < all.len; i++) {
		while (at < count && listed[at] < all.at[i])
			at++;
		if (at == count || listed[at] != all.at[i])
			w->lacking[all.at[i]] |= bit_of(w);
		else if (holds_all(w, &w->plan->bulk_boxes[all.at[i]], k))
			return;
	}
}

static void lacks_all(struct ways *w, struct boxes all)
{
	for (size_t i = 0; i < all.len; i++)
		w->lacking[all.at[i]] |= bit_of(w);
}

/*
 * Each node has one list of boxes, behind those of the nodes above it: `room` begins where theirs end.
 * The program reads as many nodes as it is told that a way has.
 */
static void ask_node(struct ways *w, struct boxes all, const struct known *k, uint32_t at, uint32_t depth, uint32_t *room)
{
	const uint64_t node = w->plan->bulk_nodes[at];
	const unsigned word = node >> 6 & 7, shift = node & 63, width = node >> 9 & 15;
	const uint64_t taken = ((1ull << width) - 1) << shift;

	if (depth >= w->plan->config.bulk.depth)
		lacks_all(w, all);
	else if (node & TEG_BULK_LEAF)
		ask_leaf(w, all, k, node);
	if (!all.len || node & TEG_BULK_LEAF || depth >= w->plan->config.bulk.depth)
		return;
	for (uint32_t i = 0; i < 1u << width; i++) {
		struct boxes some = { room, 0 };
		struct known below = *k;

		/* Bits that were taken above decide: the other children have no packets. */
		if ((below.value[word] ^ (uint64_t)i << shift) & taken & below.mask[word])
			continue;
		below.mask[word] |= taken;
		below.value[word] |= (uint64_t)i << shift & taken;
		for (size_t b = 0; b < all.len; b++)
			if (!(w->lacking[all.at[b]] & bit_of(w)) &&
			    meets(&w->plan->bulk_boxes[all.at[b]], &below, word, shift, width))
				some.at[some.len++] = all.at[b];
		ask_node(w, some, &below, (uint32_t)(node >> 32) + i, depth + 1, room + some.len);
	}
}

static struct known at_root(unsigned family)
{
	struct known k = { .mask[4] = 0xff00 };

	if (family == FAMILY_IP4)
		for (int w = 0; w < 4; w++) {
			k.mask[w] = w % 2 ? ~(uint64_t)UINT32_MAX : UINT64_MAX;
			k.value[w] = w % 2 ? 0xffffull << 32 : 0;
		}
	return k;
}

static void ask_tree(struct ways *w)
{
	const struct teg_bulk *t = &w->plan->config.bulk;
	/* A list is no longer than the one above it. */
	uint32_t *room = arena_zero(w->arena, (TEG_BULK_DEPTH_MAX + 2) * (t->cells + (size_t)1) * sizeof *room);
	struct boxes all = { room, 0 };
	struct known k = at_root(w->family);

	for (uint32_t i = 0; i < t->cells; i++)
		if (w->plan->bulk_boxes[i].box.families >> w->family & 1)
			all.at[all.len++] = i;
	ask_node(w, all, &k, t->roots[w->family][w->tree], 0, room + all.len);
}

int audit_trees(const struct plan *plan, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_bulk *t = &plan->config.bulk;
	struct ways w = { .plan = plan, .arena = a, .lacking = arena_zero(a, t->cells + (size_t)1) };

	if (!t->cells)
		return 0;
	for (w.tree = 0; w.tree < t->groups; w.tree++)
		for (w.family = 0; w.family < FAMILY_COUNT; w.family++)
			ask_tree(&w);
	for (uint32_t i = 0; i < t->cells; i++)
		for (unsigned f = 0; f < FAMILY_COUNT; f++) {
			unsigned in_all = 0;

			for (unsigned g = 0; g < t->groups; g++)
				in_all |= 1u << (2 * g + f);
			if (plan->bulk_boxes[i].box.families >> f & 1 && (w.lacking[i] & in_all) == in_all)
				return err_set(why, EPROTO, "the first hook's trees lose packets of %s",
					       plan->counters[plan->rules[plan->bulk_boxes[i].box.rule].counter_slot].id);
		}
	return 0;
}
