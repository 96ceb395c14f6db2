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
#include <netinet/in.h>

#include "compiler/audit/audit.h"
#include "compiler/audit/more.h"
#include "lang/bundle/bulk_pack.h"

enum { PORT_FIELDS = 4 }; /* of word 4: 16 bits each, the protocol's upper 8 are 0 */

struct known {
	uint64_t value[TEG_BULK_WORDS], mask[TEG_BULK_WORDS];
	uint32_t least; /* rule: the greatest of those that the nodes above say */
};

struct ways {
	const struct plan *plan;
	struct arena *arena;
	struct bulk_words words; /* as the program reads them */
	unsigned family, tree;
	uint16_t *lacking; /* bit per tree and family: some leaf there lacks the box */
	const uint32_t *first_of; /* box, by rule */
	uint32_t strange;  /* 1 + the rule of a cell that is none of its boxes */
};

struct boxes {
	uint32_t *at;
	size_t len;
};

static uint16_t bit_of(const struct ways *w)
{
	return (uint16_t)(1u << (2 * w->tree + w->family));
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

/* --- cells ------------------------------------------------------------------------------------ */

static unsigned cell_words(const struct ways *w)
{
	return w->family == FAMILY_IP4 ? TEG_BULK_CELL4 : w->words.short6 ? TEG_BULK_SHORT6 : TEG_BULK_CELL6;
}

/* What a short cell asks of an end, by its first word: all of it, or what stands before the last 1. */
static bool short_is(uint64_t end, bool whole, const struct teg_bulk_box *b, unsigned word)
{
	const uint64_t mask = whole ? UINT64_MAX : ~((end & -end) | ((end & -end) - 1));

	return mask == b->mask[word] && (end & mask) == b->addr[word] && !b->mask[word + 1];
}

static bool ends_are(const struct ways *w, const uint64_t *c, const struct teg_bulk_box *b)
{
	const uint64_t last = c[cell_words(w) - 1];
	bool are = true;

	if (w->family == FAMILY_IP6 && w->words.short6)
		return short_is(c[0], last >> TEG_BULK_SRC_WHOLE_BIT & 1, b, 0) && short_is(c[1], last >> TEG_BULK_DST_WHOLE_BIT & 1, b, 2);
	if (w->family == FAMILY_IP4)
		return c[0] >> 32 == (uint32_t)b->addr[1] && (uint32_t)c[0] == (uint32_t)b->addr[3] &&
		       c[1] >> 32 == (uint32_t)b->mask[1] && (uint32_t)c[1] == (uint32_t)b->mask[3];
	for (unsigned i = 0; i < 4; i++) {
		const uint64_t len = c[4] >> 8 * i & UINT8_MAX, mask = len & 0x80 ? ~0ull << (63 - (len & 63)) : 0;

		are = are && c[i] == b->addr[i] && mask == b->mask[i];
	}
	return are;
}

/* A cell has one place for destination ports and ICMP types: what it has there must be all that the box asks of both. */
static bool ports_are(uint64_t ports, const struct teg_box *b)
{
	const bool icmp = b->proto == IPPROTO_ICMP || b->proto == IPPROTO_ICMPV6;
	const struct range here = { icmp ? b->icmp_lo : b->dport_lo, icmp ? b->icmp_hi : b->dport_hi };
	const struct range other = { icmp ? b->dport_lo : b->icmp_lo, icmp ? b->dport_hi : b->icmp_hi };

	return other.lo == 0 && other.hi == UINT16_MAX && (uint16_t)ports == b->sport_lo &&
	       (uint16_t)(ports >> 16) == b->sport_hi && (uint16_t)(ports >> 32) == here.lo && ports >> 48 == here.hi;
}

static bool cell_is(const struct ways *w, const uint64_t *c, const struct teg_bulk_box *b)
{
	const unsigned each = cell_words(w);
	const uint64_t last = c[each - 1];
	const bool any = b->box.proto == TEG_PROTO_ANY;
	const uint8_t fragments = last >> 8 & 7, proto = last & UINT8_MAX;

	return TEG_BULK_RULE(last) == b->box.rule && ends_are(w, c, b) && ports_are(c[each - 2], &b->box) &&
	       fragments == (b->box.fragments ^ (TEG_WHOLE | TEG_FIRST | TEG_LATER)) && any == !(last & TEG_BULK_ASKS_PROTO) &&
	       (any || proto == b->box.proto) && audit_drop_is(last, &w->plan->rules[b->box.rule]) &&
	       audit_more_is(w->plan, &w->words, TEG_BULK_MORE_OF(last), &b->box);
}

/* The box that a cell is: among `all` from *at on, which are those that may be there, or else any of its rule. */
static uint32_t box_of_cell(const struct ways *w, const uint64_t *c, struct boxes all, size_t *at)
{
	const struct teg_bulk_box *boxes = w->plan->bulk_boxes;
	uint32_t rule = TEG_BULK_RULE(c[cell_words(w) - 1]);

	while (*at < all.len && boxes[all.at[*at]].box.rule < rule)
		++*at;
	for (size_t i = *at; i < all.len && boxes[all.at[i]].box.rule == rule; i++)
		if (cell_is(w, c, &boxes[all.at[i]])) {
			*at = i + 1;
			return all.at[i];
		}
	for (uint32_t i = rule < w->plan->rule_count ? w->first_of[rule] : w->plan->config.bulk.cells;
	     i < w->plan->config.bulk.cells && boxes[i].box.rule == rule; i++)
		if (cell_is(w, c, &boxes[i]))
			return i;
	return UINT32_MAX;
}

/* A cell whose rule stands before the least that some node above it says is one that a packet may never come to. */
static void ask_leaf(struct ways *w, struct boxes all, const struct known *k, uint64_t leaf)
{
	const unsigned each = cell_words(w);
	size_t at = TEG_BULK_AT(leaf), count = TEG_BULK_COUNT(leaf), from = 0, asked = 0;
	uint32_t before = 0;

	if (count > w->plan->config.bulk.longest)
		count = w->plan->config.bulk.longest;
	for (size_t i = 0; i < count && at + each <= w->words.len; i++) {
		const uint64_t *c = &w->words.at[at];
		uint32_t box = box_of_cell(w, c, all, &from);

		if (box == UINT32_MAX || TEG_BULK_RULE(c[each - 1]) < before) {
			w->strange = 1 + TEG_BULK_RULE(c[each - 1]);
			return;
		}
		before = TEG_BULK_RULE(c[each - 1]);
		for (; asked < all.len && all.at[asked] < box; asked++)
			w->lacking[all.at[asked]] |= bit_of(w);
		if (asked < all.len && all.at[asked] == box) {
			if (before < k->least)
				w->lacking[box] |= bit_of(w);
			else if (holds_all(w, &w->plan->bulk_boxes[box], k))
				return;
			asked++;
		}
		at += each;
	}
	for (; asked < all.len; asked++)
		w->lacking[all.at[asked]] |= bit_of(w);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void lacks_all(struct ways *w, struct boxes all)
{
	for (size_t i = 0; i < all.len; i++)
		w->lacking[all.at[i]] |= bit_of(w);
}

/*
 * Each node has one list of boxes, behind those of the nodes above it: `room` begins where theirs end.
 * The program reads as many nodes as it is told that a way has.
 */
static void ask_node(struct ways *w, struct boxes all, const struct known *above, uint32_t at, uint32_t depth, uint32_t *room)
{
	const uint64_t node = w->words.at[at];
	const uint32_t least = TEG_BULK_LEAST(node) & TEG_BULK_NO_RULE;
	struct known here = *above, *k = &here;
	const unsigned word = TEG_BULK_STEP_WORD(node), shift = TEG_BULK_STEP_SHIFT(node), width = TEG_BULK_STEP_WIDTH(node);
	/* A way ends where the program is told that it does; and here where a node takes what no plan says. */
	const bool ends = depth >= w->plan->config.bulk.depth || width > 15 || shift > 64 - width;
	const uint64_t taken = ends ? 0 : ((1ull << width) - 1) << shift;

	k->least = least > k->least ? least : k->least;
	if (node & TEG_BULK_LEAF)
		ask_leaf(w, all, k, node);
	else if (ends)
		lacks_all(w, all);
	if (!all.len || node & TEG_BULK_LEAF || ends || w->strange)
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
		ask_node(w, some, &below, (uint32_t)TEG_BULK_AT(node) + i, depth + 1, room + some.len);
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

/* Bits of word 4 that a box asks in full. */
static uint64_t asked_above(const struct teg_box *b)
{
	uint64_t asked = 0xff00;

	for (unsigned f = 0; f < PORT_FIELDS; f++) {
		struct range r = port_range(b, f);

		if (r.lo == r.hi)
			asked |= (uint64_t)UINT16_MAX << (48 - 16 * f);
	}
	return asked;
}

/* What a root's bits are of all packets of a box; or none, when they may be others. */
static bool one_mix(const struct ways *w, const struct teg_bulk_root *r, const struct teg_bulk_box *b, uint64_t *mix)
{
	const unsigned src = w->family == FAMILY_IP4 ? 1 : 0, dst = src + 2;
	uint64_t upper = 0;

	if (r->take[0] & ~b->mask[src] || r->take[1] & ~b->mask[dst] || r->take[2] & ~asked_above(&b->box))
		return false;
	for (unsigned f = 0; f < PORT_FIELDS; f++)
		upper |= (uint64_t)port_range(&b->box, f).lo << (48 - 16 * f);
	*mix = teg_bulk_mix(r->take, b->addr[src], b->addr[dst], upper);
	return true;
}

/* Packets without a node's mark do not see it. */
static void ask_mark(struct ways *w, const struct teg_bulk_root *r, uint64_t leaf, struct boxes all)
{
	if (!(leaf & TEG_BULK_MARKED))
		return;
	for (size_t i = 0; i < all.len; i++) {
		uint64_t mix;

		if (!one_mix(w, r, &w->plan->bulk_boxes[all.at[i]], &mix) || TEG_BULK_MARK(mix) != TEG_BULK_MARK_OF(leaf))
			w->lacking[all.at[i]] |= bit_of(w);
	}
}

/* Two ascending lists as one; what is lacking already is left out. */
static struct boxes merged(const struct ways *w, struct boxes x, struct boxes y, uint32_t *room)
{
	struct boxes all = { room, 0 };

	for (size_t i = 0, j = 0; i < x.len || j < y.len;) {
		uint32_t b = j == y.len || (i < x.len && x.at[i] < y.at[j]) ? x.at[i++] : y.at[j++];

		if (!(w->lacking[b] & bit_of(w)))
			all.at[all.len++] = b;
	}
	return all;
}

/* Most boxes of other trees are found lacking at the first node, and need not be asked at the others. */
static struct boxes without_lacking(const struct ways *w, struct boxes b)
{
	size_t len = 0;

	for (size_t i = 0; i < b.len; i++)
		if (!(w->lacking[b.at[i]] & bit_of(w)))
			b.at[len++] = b.at[i];
	return (struct boxes){ b.at, len };
}

/* The boxes of a family by the node of the root in which they lie. */
struct rooted {
	struct boxes wide; /* in several */
	uint32_t *sorted;  /* in one, by node */
	uint32_t *begins;  /* by node: where in `sorted` */
};

static struct rooted rooted(struct ways *w, const struct teg_bulk_root *r, size_t nodes)
{
	const size_t cells = w->plan->config.bulk.cells, room = (cells + 1) * sizeof(uint32_t);
	uint32_t *node_of = arena_zero(w->arena, room);
	struct rooted out = { .wide = { arena_zero(w->arena, room), 0 }, .sorted = arena_zero(w->arena, room),
			      .begins = arena_zero(w->arena, (nodes + 2) * sizeof *out.begins) };

	for (uint32_t i = 0; i < cells; i++) {
		uint64_t node;

		node_of[i] = UINT32_MAX;
		if (!(w->plan->bulk_boxes[i].box.families >> w->family & 1))
			continue;
		if (!one_mix(w, r, &w->plan->bulk_boxes[i], &node)) {
			out.wide.at[out.wide.len++] = i;
			continue;
		}
		node >>= r->shift;
		node_of[i] = (uint32_t)node;
		out.begins[node + 2]++;
	}
	for (size_t n = 0; n < nodes; n++)
		out.begins[n + 2] += out.begins[n + 1];
	for (uint32_t i = 0; i < cells; i++)
		if (node_of[i] != UINT32_MAX)
			out.sorted[out.begins[node_of[i] + 1]++] = i;
	return out;
}

static void ask_tree(struct ways *w)
{
	const struct teg_bulk *t = &w->plan->config.bulk;
	const struct teg_bulk_root *r = &t->roots[w->family][w->tree];
	const size_t nodes = teg_bulk_root_nodes(r);
	/* A list is no longer than the one above it. */
	uint32_t *room = arena_zero(w->arena, (TEG_BULK_DEPTH_MAX + 2) * (t->cells + (size_t)1) * sizeof *room);
	struct rooted boxes = rooted(w, r, nodes);
	struct known k = at_root(w->family);

	for (size_t n = 0; n < nodes && !w->strange; n++) {
		struct boxes here = { boxes.sorted + boxes.begins[n], boxes.begins[n + 1] - boxes.begins[n] };
		uint64_t node = w->words.at[w->words.nodes_at + r->first + n];
		ask_mark(w, r, node, here);
		ask_mark(w, r, node, boxes.wide);
		struct boxes some = merged(w, boxes.wide, here, room);

		ask_node(w, some, &k, w->words.nodes_at + r->first + (uint32_t)n, 0, room + some.len);
		boxes.wide = without_lacking(w, boxes.wide);
	}
}

static const uint32_t *first_boxes(const struct plan *p, struct arena *a)
{
	uint32_t *first = arena_zero(a, (p->rule_count + (size_t)1) * sizeof *first);

	for (uint32_t i = p->config.bulk.cells; i-- > 0;)
		first[p->bulk_boxes[i].box.rule] = i;
	return first;
}

static const char *id_of(const struct plan *p, uint32_t rule)
{
	return rule < p->rule_count ? p->counters[p->rules[rule].counter_slot].id : "no rule";
}

/* Of each family, one tree must have the box wherever its packets come. */
static int boxes_hold(const struct ways *w, struct err *why)
{
	const struct teg_bulk *t = &w->plan->config.bulk;

	for (uint32_t i = 0; i < t->cells; i++)
		for (unsigned f = 0; f < FAMILY_COUNT; f++) {
			const struct teg_box *b = &w->plan->bulk_boxes[i].box;
			unsigned in_all = 0;

			for (unsigned g = 0; g < t->groups[f]; g++)
				in_all |= 1u << (2 * g + f);
			if (b->families >> f & 1 && (w->lacking[i] & in_all) == in_all)
				return err_set(why, EPROTO, "the first hook's trees lose packets of %s", id_of(w->plan, b->rule));
		}
	return 0;
}

int audit_trees_of(const struct plan *plan, struct bulk_words words, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_bulk *t = &plan->config.bulk;
	struct ways w = { .plan = plan, .arena = a, .words = words, .first_of = first_boxes(plan, a),
			  .lacking = arena_zero(a, (t->cells + (size_t)1) * sizeof *w.lacking) };

	if (!bulk_fits(&w.words, why))
		return why->code;
	for (w.family = 0; w.family < FAMILY_COUNT; w.family++)
		for (w.tree = 0; w.tree < t->groups[w.family] && !w.strange; w.tree++)
			ask_tree(&w);
	if (w.strange)
		return err_set(why, EPROTO, "the first hook's trees have a cell that is none of %s",
			       id_of(plan, w.strange - 1));
	return boxes_hold(&w, why);
}

int audit_trees(const struct plan *plan, struct err *why)
{
	own(arena) struct arena *a = arena_new();

	return audit_trees_of(plan, bulk_pack(a, plan, NULL), why);
}
