/*
 * bdd_rules - judgements in BuDDy's binary decision diagrams: the same work
 * as compiler/prove does, by a package that others wrote. A second opinion in
 * tests, a measure in benches; one family at a time, bits of the numbers as
 * variables.
 *
 *     bdd_rules_open(terms);
 *     struct bdd_list l = bdd_rules_build(judgement, FAMILY_IP4, 0, judgement->cell_count);
 *     ... l.admitted, l.matched ...
 *     bdd_rules_close();
 *
 * Everything here is static, since only programs that ask for it link BuDDy.
 * It has one manager per process.
 */
#ifndef TEG_TEST_BDD_RULES_H
#define TEG_TEST_BDD_RULES_H

#include <assert.h>
#include <bdd.h>

#include "compiler/prove/judgement/judgement.h"
#include "compiler/prove/space/space.h"

/* First variable and number of bits, in the order that prover.md measured best. */
static const struct bdd_field {
	int first, bits;
} bdd_fields[FIELD_COUNT] = {
	[FIELD_STATE] = { 0, 3 },	[FIELD_REPLY] = { 3, 1 },      [FIELD_FRAGMENT] = { 4, 2 },
	[FIELD_BLOCKED] = { 6, 1 },	[FIELD_ZONE] = { 7, 6 },       [FIELD_PROTO] = { 13, 8 },
	[FIELD_DST_SELF] = { 21, 1 },	[FIELD_SRC_SELF] = { 22, 1 },  [FIELD_DST] = { 23, 128 },
	[FIELD_SRC] = { 151, 128 },	[FIELD_DPORT] = { 279, 16 },   [FIELD_SPORT] = { 295, 16 },
	[FIELD_FLAGS] = { 311, 8 },	[FIELD_ICMP] = { 319, 16 },    [FIELD_HOPS] = { 335, 2 },
};
#define BDD_UNKNOWNS 337

static void bdd_quietly(int pre, bddGbcStat *s)
{
	(void)pre;
	(void)s;
}

static void bdd_rules_open(const struct terms *t)
{
	bdd_init(1 << 18, 1 << 16);
	bdd_setvarnum(BDD_UNKNOWNS + (int)t->unknowns.len + 1);
	bdd_setcacheratio(4);
	bdd_setmaxincrease(1 << 23);
	bdd_gbc_hook(bdd_quietly);
}

static void bdd_rules_close(void)
{
	bdd_done();
}

/* `a` is used up, the result is held. */
static BDD bdd_held(BDD result, BDD a, BDD b)
{
	bdd_addref(result);
	bdd_delref(a);
	bdd_delref(b);
	return result;
}

static BDD bdd_bit_is(BDD then, int var, bool one)
{
	BDD bit = one ? bdd_ithvar(var) : bdd_nithvar(var);

	return bdd_held(bdd_and(bit, then), then, bddtrue);
}

static bool bdd_bit_of(addr_num n, int bits, int i)
{
	return n >> (bits - 1 - i) & 1;
}

/* n >= lo, or n <= hi, on bits from..: built from the last bit up. */
static BDD bdd_bound(struct bdd_field f, int from, addr_num bound, bool at_least)
{
	BDD b = bddtrue;

	for (int i = f.bits - 1; i >= from; i--) {
		bool one = bdd_bit_of(bound, f.bits, i);
		BDD zero_side = at_least ? (one ? bddfalse : b) : (one ? bddtrue : b);
		BDD one_side = at_least ? (one ? b : bddtrue) : (one ? b : bddfalse);

		b = bdd_held(bdd_ite(bdd_ithvar(f.first + i), one_side, zero_side), b, bddtrue);
	}
	return b;
}

static BDD bdd_interval(enum field field, addr_num lo, addr_num hi)
{
	struct bdd_field f = bdd_fields[field];
	BDD x = bdd_bound(f, 0, lo, true), y = bdd_bound(f, 0, hi, false);

	return bdd_held(bdd_and(x, y), x, y);
}

static BDD bdd_mask(enum field field, uint64_t mask, uint64_t all)
{
	BDD sum = bddfalse;

	if (!(all & ~mask))
		return bddtrue;
	for (uint64_t left = mask & all; left; left &= left - 1) {
		addr_num n = (addr_num)__builtin_ctzll(left);
		BDD one = bdd_interval(field, n, n);

		sum = bdd_held(bdd_or(sum, one), sum, one);
	}
	return sum;
}

static BDD bdd_ranges(enum field field, const struct ranges *r)
{
	BDD sum = bddfalse;

	if (ranges_are_all(r))
		return bddtrue;
	for (size_t i = 0; i < r->len; i++) {
		BDD one = bdd_interval(field, r->at[i].lo, r->at[i].hi);

		sum = bdd_held(bdd_or(sum, one), sum, one);
	}
	return sum;
}

static BDD bdd_side(enum field field, enum field self, const struct side *s, enum family family)
{
	int shift = family == FAMILY_IP4 ? 96 : 0; /* IPv4 in the upper bits */
	BDD sum = bddfalse;

	if (s->full)
		return bddtrue;
	for (size_t i = 0; i < s->len; i++) {
		addr_num low = shift ? ((addr_num)1 << shift) - 1 : 0;
		BDD one = bdd_interval(field, s->at[i].lo << shift, s->at[i].hi << shift | low);

		sum = bdd_held(bdd_or(sum, one), sum, one);
	}
	if (s->self)
		sum = bdd_held(bdd_or(sum, bdd_ithvar(bdd_fields[self].first)), sum, bddtrue);
	return sum;
}

static BDD bdd_flags(const struct cell *c)
{
	struct bdd_field f = bdd_fields[FIELD_FLAGS];
	BDD b = bddtrue;

	for (int i = f.bits - 1; i >= 0; i--)
		if (bdd_bit_of(c->flags_mask, f.bits, i))
			b = bdd_bit_is(b, f.first + i, bdd_bit_of(c->flags_want, f.bits, i));
	return b;
}

/* The packets of a cell; the caller holds the result. */
static BDD bdd_cell(const struct cell *c, uint64_t zones)
{
	BDD parts[] = {
		c->unknown < 0 ? bddtrue : bdd_ithvar(BDD_UNKNOWNS + c->unknown),
		bdd_mask(FIELD_HOPS, c->hops, HOPS_ALL),
		bdd_ranges(FIELD_ICMP, &c->icmp),
		bdd_flags(c),
		bdd_ranges(FIELD_SPORT, &c->sport),
		bdd_ranges(FIELD_DPORT, &c->dport),
		bdd_side(FIELD_SRC, FIELD_SRC_SELF, &c->src, c->family),
		bdd_side(FIELD_DST, FIELD_DST_SELF, &c->dst, c->family),
		c->proto_lo == 0 && c->proto_hi == 255
			? bddtrue
			: bdd_interval(FIELD_PROTO, c->proto_lo, c->proto_hi),
		bdd_mask(FIELD_ZONE, c->zones, zones),
		bdd_mask(FIELD_BLOCKED, c->blocked, 3),
		bdd_mask(FIELD_FRAGMENT, c->fragments, FRAGMENT_ANY),
		bdd_mask(FIELD_REPLY, c->replies, 3),
		bdd_mask(FIELD_STATE, c->states, STATES_ALL),
	};
	BDD all = bddtrue;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		all = bdd_held(bdd_and(parts[i], all), parts[i], all);
	return all;
}

/* Values that packets have: the others are only bit patterns. */
static inline BDD bdd_valid(uint64_t zones)
{
	BDD parts[] = {
		bdd_interval(FIELD_STATE, 0, CT_COUNT - 1),
		bdd_interval(FIELD_FRAGMENT, 0, 2),
		bdd_interval(FIELD_HOPS, 0, HOPS_COUNT - 1),
		bdd_mask(FIELD_ZONE, zones, UINT64_MAX),
	};
	BDD all = bddtrue;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		all = bdd_held(bdd_and(parts[i], all), parts[i], all);
	return all;
}

struct bdd_list {
	BDD admitted, matched;
};

/* First match of cells from..to of a family, halves first; goes_on is not for here. */
static inline struct bdd_list bdd_rules_build(const struct judgement *j, enum family family,
				       uint64_t zones, size_t from, size_t to)
{
	if (to - from == 1) {
		const struct cell *c = &j->cells[from];
		bool allow = j->steps[c->step].verdict == VERDICT_ALLOW;
		BDD m = c->family == family ? bdd_cell(c, zones) : bddfalse;

		assert(!j->steps[c->step].goes_on || c->family != family);
		return (struct bdd_list){ bdd_addref(allow ? m : bddfalse), m };
	}

	size_t middle = from + (to - from) / 2;
	struct bdd_list x = bdd_rules_build(j, family, zones, from, middle);
	struct bdd_list y = bdd_rules_build(j, family, zones, middle, to);
	BDD late = bdd_addref(bdd_apply(y.admitted, x.matched, bddop_diff));

	return (struct bdd_list){
		bdd_held(bdd_or(x.admitted, late), x.admitted, bdd_held(late, late, y.admitted)),
		bdd_held(bdd_or(x.matched, y.matched), x.matched, y.matched),
	};
}

#endif
