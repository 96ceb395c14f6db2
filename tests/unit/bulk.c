/* Trees against the list they stand for: the first box that matches, for keys at and beside every edge. */
#include <errno.h>
#include <string.h>

#include "compiler/emit/bulk.h"
#include "compiler/emit/bulk_tree.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/bulk_pack.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define NONE UINT32_MAX

struct key {
	uint64_t words[TEG_BULK_WORDS];
	unsigned family;
};

static unsigned field_of(const struct key *k, unsigned shift)
{
	return (uint16_t)(k->words[4] >> shift);
}

static bool box_matches(const struct teg_bulk_box *b, const struct key *k)
{
	bool all = b->box.families >> k->family & 1;

	for (int w = 0; w < 4; w++)
		all = all && !((k->words[w] ^ b->addr[w]) & b->mask[w]);
	return all && b->box.sport_lo <= field_of(k, 48) && field_of(k, 48) <= b->box.sport_hi &&
	       b->box.dport_lo <= field_of(k, 32) && field_of(k, 32) <= b->box.dport_hi &&
	       b->box.icmp_lo <= field_of(k, 16) && field_of(k, 16) <= b->box.icmp_hi &&
	       (b->box.proto == TEG_PROTO_ANY || b->box.proto == field_of(k, 0));
}

static uint32_t by_list(const struct teg_bulk_box *boxes, uint32_t count, const struct key *k)
{
	for (uint32_t i = 0; i < count; i++)
		if (box_matches(&boxes[i], k))
			return i;
	return NONE;
}

/* As bpf-templates/bulk.h walks. `seen` counts the boxes asked. */
static uint32_t by_trees(const struct bulk_trees *t, const struct teg_bulk_box *boxes, const struct key *k,
			 uint64_t *seen)
{
	uint32_t best = NONE;

	for (uint32_t g = 0; g < t->tell.groups[k->family]; g++) {
		const struct teg_bulk_root *r = &t->tell.roots[k->family][g];
		const unsigned src = k->family ? 0 : 1;
		uint64_t n = t->nodes[r->first + teg_bulk_hash(r, k->words[src], k->words[src + 2], k->words[4])];

		for (uint32_t i = 0; i < t->tell.depth && !(n & TEG_BULK_LEAF); i++)
			n = t->nodes[(n >> 32) + (k->words[n >> 6 & 7] >> (n & 63) & ((1u << (n >> 9 & 15)) - 1))];
		if (!(n & TEG_BULK_LEAF))
			return NONE - 1; /* deeper than it says */
		for (uint32_t i = 0; i < (n & 0xffff); i++) {
			uint32_t c = t->leaves[(n >> 32 & 0x7fffffff) + i];

			if (c >= best)
				break;
			++*seen;
			if (box_matches(&boxes[c], k)) {
				best = c;
				break;
			}
		}
	}
	return best;
}

/* ---- drawn boxes, in a small world and in a wide one ------------------------------------- */

enum style { NARROW, MIXED, WIDE, STYLES };
static const char *const style_names[] = { "narrow", "mixed", "wide" };

static void draw_end(struct gen *g, enum style style, unsigned family, __u64 addr[static 2], __u64 mask[static 2])
{
	static const unsigned lengths[STYLES][4] = { { 32, 32, 28, 24 }, { 0, 8, 24, 32 }, { 0, 0, 1, 4 } };
	unsigned len = lengths[style][gen_below(g, 4)] * (family ? 2 : 1);
	unsigned __int128 all = family ? 0 : (unsigned __int128)0xffff << 32, num;

	num = family ? (unsigned __int128)0x20010db8 << 96 | (unsigned __int128)(gen_u64(g) & 0x00ff0f0f) << 72
		     : all | (gen_u64(g) & 0xff0f0f07);
	len = family ? len : 96 + len;
	unsigned __int128 m = len ? ~(unsigned __int128)0 << (128 - len) : 0;
	num &= m;
	addr[0] = (uint64_t)(num >> 64), addr[1] = (uint64_t)num;
	mask[0] = (uint64_t)(m >> 64), mask[1] = (uint64_t)m;
}

static void draw_range(struct gen *g, enum style style, uint16_t *lo, uint16_t *hi)
{
	unsigned kind = gen_below(g, 3), width = style == WIDE ? 9000 : 100;

	*lo = kind ? (uint16_t)gen_below(g, 3000) : 0;
	*hi = kind == 1 ? *lo : kind ? (uint16_t)(*lo + gen_below(g, width)) : UINT16_MAX;
}

static struct teg_bulk_box draw_box(struct gen *g, enum style style, uint16_t rule)
{
	static const uint16_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, TEG_PROTO_ANY };
	unsigned family = gen_below(g, 4) == 0;
	struct teg_bulk_box b = { .box = { .zones = UINT64_MAX, .families = (uint8_t)(1u << family), .fragments = 7,
					   .icmp_hi = UINT16_MAX, .rule = rule } };

	if (gen_chance(g, 2))
		b.box.families = 3;
	else
		draw_end(g, style, family, b.addr, b.mask), draw_end(g, style, family, b.addr + 2, b.mask + 2);
	b.box.proto = protos[gen_below(g, 4)];
	b.box.sport_hi = UINT16_MAX;
	if (style == WIDE || gen_chance(g, 20))
		draw_range(g, style, &b.box.sport_lo, &b.box.sport_hi);
	draw_range(g, style, &b.box.dport_lo, &b.box.dport_hi);
	return b;
}

/* In a box, at one of its edges, or one beside. */
static struct key draw_key(struct gen *g, const struct teg_bulk_box *b)
{
	unsigned family = b->box.families == 3 ? gen_below(g, 2) : b->box.families >> 1;
	struct key k = { .family = family };
	uint64_t ports[2] = { gen_chance(g, 50) ? b->box.sport_lo : b->box.sport_hi,
			      gen_chance(g, 50) ? b->box.dport_lo : b->box.dport_hi };

	for (int w = 0; w < 4; w++) {
		uint64_t v4 = w % 2 ? 0xffffull << 32 : 0, free = family ? ~0ull : w % 2 ? UINT32_MAX : 0;
		uint64_t host = gen_chance(g, 40) ? 0 : gen_chance(g, 40) ? ~0ull : gen_u64(g);

		k.words[w] = (b->addr[w] | (host & ~b->mask[w])) & free;
		k.words[w] |= family ? 0 : v4;
		if (gen_chance(g, 10))
			k.words[w] ^= 1ull << gen_below(g, 64) & free;
	}
	for (int i = 0; i < 2; i++)
		ports[i] = (uint16_t)(ports[i] + (gen_chance(g, 20) ? 1 : gen_chance(g, 20) ? -1 : 0));
	k.words[4] = ports[0] << 48 | ports[1] << 32 | (b->box.proto == TEG_PROTO_ANY ? gen_below(g, 256) : b->box.proto);
	return k;
}

/* ---- the law ---------------------------------------------------------------------------------- */

static void law(enum style style, uint32_t count, uint64_t seed)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct teg_bulk_box *boxes = arena_zero(a, count * sizeof *boxes);
	struct teg_rule *rules = arena_zero(a, count * sizeof *rules);
	struct bulk_trees t;
	uint32_t culprit = 0, asked = 0, differ = 0, matched = 0;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < count; i++) {
		boxes[i] = draw_box(&g, style, (uint16_t)i);
		rules[i].except = gen_chance(&g, 90); /* then nothing behind it is dead, whatever it covers */
	}
	int rc = bulk_build(&t, a, boxes, count, rules, &culprit);
	if (rc) {
		tap_ok(style == WIDE && rc == -E2BIG && culprit < count, "%u %s boxes are refused: box %u", count,
		       style_names[style], culprit);
		return;
	}
	for (; asked < 20000; asked++) {
		struct key k = draw_key(&g, &boxes[gen_below(&g, count)]);
		uint32_t want = by_list(boxes, count, &k);

		differ += by_trees(&t, boxes, &k, &seen) != want;
		matched += want != NONE;
	}
	tap_num(differ, 0, "trees and list find the same first box");
	tap_ok(matched > asked / 4, "%u %s boxes: %u of %u keys lay in one; %.1f asked a key; %u groups, %u nodes, %u "
	       "entries, depth %u, cost %.0f", count, style_names[style], matched, asked, (double)seen / asked,
	       t.tell.groups[0] + t.tell.groups[1], t.tell.nodes, t.tell.leaves, t.tell.depth, t.cost_ns);
	tap_ok(t.tell.leaves <= BULK_COPIES_MAX * (size_t)count + 1024 &&
		       t.tell.longest <= TEG_BULK_LONGEST_MAX,
	       "within the limits");
}

/* ---- what groups cost ------------------------------------------------------------------------------ */

static unsigned groups_of(const struct teg_bulk_box *boxes, uint32_t count)
{
	own(arena) struct arena *a = arena_new();
	const struct teg_rule *rules = arena_zero(a, count * sizeof *rules);
	struct bulk_trees t;
	uint32_t culprit;

	if (bulk_build(&t, a, boxes, count, rules, &culprit))
		return 0;
	return t.tell.groups[0] + t.tell.groups[1];
}

/* One box more, and the list is too long for a near cache. */
static void near_lists_have_more_groups(void)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(5);
	struct teg_bulk_box *boxes = arena_zero(a, (BULK_NEAR_BOXES + 1) * sizeof *boxes);

	for (uint32_t i = 0; i <= BULK_NEAR_BOXES; i++)
		boxes[i] = draw_box(&g, NARROW, (uint16_t)i);
	const unsigned near = groups_of(boxes, BULK_NEAR_BOXES), far = groups_of(boxes, BULK_NEAR_BOXES + 1);
	tap_ok(far && near > far, "%u boxes are in %u groups, one more in %u", BULK_NEAR_BOXES, near, far);
}

static void prices_hold(void)
{
	const struct bulk_price near = bulk_price_of(BULK_NEAR_BOXES), far = bulk_price_of(BULK_NEAR_BOXES + 1);
	const struct bulk_price both[] = { near, far };

	tap_ok(near.begin_ns < far.begin_ns && near.others < far.others, "a group of a near list costs less");
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		const struct bulk_price p = both[i];

		tap_ok(bulk_group_ns(p, 10, 1, 0, false) == p.begin_ns + 10 && bulk_group_ns(p, 10, 0.25, 0, true) == p.begin_ns + 10,
		       "who is in the tree meets all of it, and so do all where its root asks for nothing");
		tap_ok(bulk_group_ns(p, 10, 0.25, 0, false) < bulk_group_ns(p, 10, 0.5, 0, false) &&
			       bulk_group_ns(p, 10, 0.25, 0.5, false) <= bulk_group_ns(p, 10, 0.25, 0, false) &&
			       bulk_group_ns(p, 10, 0, 1, false) >= p.begin_ns,
		       "others meet less of it, and no more of one that stands behind, but its root");
	}
}

int main(void)
{
	static const uint32_t counts[] = { 1, 2, 9, 60, 400, 3000 };

	for (int s = 0; s < STYLES; s++)
		for (size_t i = 0; i < ARRAY_LEN(counts); i++)
			law((enum style)s, counts[i], 7 * i + (uint64_t)s);
	near_lists_have_more_groups();
	prices_hold();
	return tap_done();
}
