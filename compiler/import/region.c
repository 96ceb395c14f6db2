/*
 * region.c - a box minus a box is a box per field, disjoint from each other:
 *
 *     +-----------+
 *     |   first   |      what the first field tells apart,
 *     +---+---+---+
 *     |2nd|###|2nd|      then, where the first agrees, the second, ...
 *     +---+---+---+
 */
#include "compiler/import/region.h"

#include <string.h>

#include "lang/vocab/verdict.h"

/* What is not narrowed is the same everywhere, and nothing writes to it. */
struct box box_all(unsigned families)
{
	static struct range numbers = { 0, UINT16_MAX }, protocols = { 0, 255 };
	static struct addr_range v4 = { 0, UINT32_MAX }, v6 = { 0, ~(addr_num)0 };
	struct ranges every = { &numbers, 1 };
	struct netset all = { .at = { &v4, &v6 }, .len = { families & FAMILY_BIT(FAMILY_IP4) ? 1 : 0, families & FAMILY_BIT(FAMILY_IP6) ? 1 : 0 } };

	return (struct box){ .states = (1u << CT_COUNT) - 1, .inward = UINT64_MAX, .outward = UINT64_MAX, .kinds = KINDS_ALL,
			     .flags = UINT64_MAX, .proto = { &protocols, 1 }, .sport = every,
			     .dport = every, .icmp = every, .src = all, .dst = all };
}

unsigned box_families(const struct box *b)
{
	unsigned families = 0;

	for (enum family f = 0; f < FAMILY_COUNT; f++)
		if (b->src.len[f] && b->dst.len[f])
			families |= FAMILY_BIT(f);
	return families;
}

static uint64_t *bits_of(struct box *b, enum box_field f)
{
	return f == BOX_STATES ? &b->states : f == BOX_INWARD ? &b->inward : f == BOX_OUTWARD ? &b->outward :
	       f == BOX_KINDS ? &b->kinds : &b->flags;
}

static struct ranges *ranges_in(struct box *b, enum box_field f)
{
	return f == BOX_PROTO ? &b->proto : f == BOX_SPORT ? &b->sport : f == BOX_DPORT ? &b->dport : &b->icmp;
}

static struct netset *nets_in(struct box *b, enum box_field f)
{
	return f == BOX_SRC ? &b->src : &b->dst;
}

enum operation { MEET, MINUS, JOIN };

static uint64_t bits_do(enum operation o, uint64_t x, uint64_t y)
{
	return o == MEET ? x & y : o == MINUS ? x & ~y : x | y;
}

/* x's field becomes x with y; false when nothing is left in it. */
static bool field_do(struct arena *a, enum operation o, struct box *x, const struct box *with, enum box_field f)
{
	struct box *y = (struct box *)with;
	struct ranges *r;
	struct netset *n;

	switch (f) {
	case BOX_STATES:
	case BOX_INWARD:
	case BOX_OUTWARD:
	case BOX_KINDS:
	case BOX_FLAGS:
		*bits_of(x, f) = bits_do(o, *bits_of(x, f), *bits_of(y, f));
		return *bits_of(x, f);
	case BOX_PROTO:
	case BOX_SPORT:
	case BOX_DPORT:
	case BOX_ICMP:
		r = ranges_in(x, f);
		*r = o == MEET ? ranges_meet(a, r, ranges_in(y, f)) :
		     o == MINUS ? ranges_minus(a, r, ranges_in(y, f)) : ranges_join(a, r, ranges_in(y, f));
		return r->len;
	case BOX_SRC:
	case BOX_DST:
		n = nets_in(x, f);
		*n = o == MEET ? netset_meet(a, n, nets_in(y, f)) :
		     o == MINUS ? netset_minus(a, n, nets_in(y, f)) : netset_join(a, n, nets_in(y, f));
		return !netset_is_empty(n);
	case BOX_FIELDS:
		break;
	}
	return false;
}

/* Are the two equal but for at most this field? */
static bool field_equal(const struct box *cx, const struct box *cy, enum box_field f)
{
	struct box *x = (struct box *)cx, *y = (struct box *)cy;

	switch (f) {
	case BOX_STATES:
	case BOX_INWARD:
	case BOX_OUTWARD:
	case BOX_KINDS:
	case BOX_FLAGS:
		return *bits_of(x, f) == *bits_of(y, f);
	case BOX_PROTO:
	case BOX_SPORT:
	case BOX_DPORT:
	case BOX_ICMP:
		return ranges_equal(ranges_in(x, f), ranges_in(y, f));
	case BOX_SRC:
	case BOX_DST:
		return nets_in(x, f) == nets_in(y, f) || netset_equal(nets_in(x, f), nets_in(y, f));
	case BOX_FIELDS:
		break;
	}
	return true;
}

/* Addresses of a family that only one end has say nothing. False when none is left. */
static bool box_settle(struct box *b)
{
	unsigned families = box_families(b);

	for (enum family f = 0; f < FAMILY_COUNT; f++)
		if (!(families & FAMILY_BIT(f)))
			b->src.len[f] = b->dst.len[f] = 0;
	return families;
}

static bool ranges_relate(const struct ranges *x, const struct ranges *y, bool within)
{
	size_t j = 0;

	for (size_t i = 0; i < x->len; i++) {
		while (j < y->len && y->at[j].hi < x->at[i].lo)
			j++;
		bool meets = j < y->len && y->at[j].lo <= x->at[i].hi;

		if (!within && meets)
			return true;
		if (within && (!meets || y->at[j].lo > x->at[i].lo || y->at[j].hi < x->at[i].hi))
			return false;
	}
	return within;
}

static bool nets_relate(const struct netset *x, const struct netset *y, enum family f, bool within)
{
	size_t j = 0;

	for (size_t i = 0; i < x->len[f]; i++) {
		while (j < y->len[f] && y->at[f][j].hi < x->at[f][i].lo)
			j++;
		bool meets = j < y->len[f] && y->at[f][j].lo <= x->at[f][i].hi;

		if (!within && meets)
			return true;
		if (within && (!meets || y->at[f][j].lo > x->at[f][i].lo || y->at[f][j].hi < x->at[f][i].hi))
			return false;
	}
	return within;
}

bool box_touches(const struct box *x, const struct box *y)
{
	bool addresses = false;

	for (enum family f = 0; f < FAMILY_COUNT; f++)
		addresses |= nets_relate(&x->src, &y->src, f, false) && nets_relate(&x->dst, &y->dst, f, false);
	return addresses && x->states & y->states && x->inward & y->inward && x->outward & y->outward && x->kinds & y->kinds && x->flags & y->flags &&
	       ranges_relate(&x->proto, &y->proto, false) && ranges_relate(&x->sport, &y->sport, false) &&
	       ranges_relate(&x->dport, &y->dport, false) && ranges_relate(&x->icmp, &y->icmp, false);
}

bool box_within(const struct box *x, const struct box *y)
{
	bool within = true;

	for (enum family f = 0; f < FAMILY_COUNT; f++)
		within &= nets_relate(&x->src, &y->src, f, true) && nets_relate(&x->dst, &y->dst, f, true);
	return within && !(x->states & ~y->states) && !(x->inward & ~y->inward) && !(x->outward & ~y->outward) && !(x->kinds & ~y->kinds) && !(x->flags & ~y->flags) &&
	       ranges_relate(&x->proto, &y->proto, true) && ranges_relate(&x->sport, &y->sport, true) &&
	       ranges_relate(&x->dport, &y->dport, true) && ranges_relate(&x->icmp, &y->icmp, true);
}

bool box_meet(struct arena *a, const struct box *x, const struct box *y, struct box *out)
{
	if (!box_touches(x, y))
		return false;
	*out = *x;
	if (box_within(x, y))
		return true;
	for (enum box_field f = 0; f < BOX_FIELDS; f++)
		if (!field_do(a, MEET, out, y, f))
			return false;
	return box_settle(out);
}

struct region region_of(struct arena *a, const struct box *b)
{
	return (struct region){ arena_copy(a, b, sizeof *b), 1, 1 };
}

void region_add(struct arena *a, struct region *to, const struct region *more)
{
	if (!to->len && more->len)
		*to = (struct region){ arena_copy(a, more->at, more->len * sizeof *more->at), more->len, more->len };
	else
		for (size_t i = 0; i < more->len; i++)
			vec_push(a, to, more->at[i]);
}

struct region region_meet(struct arena *a, const struct region *x, const struct region *y)
{
	struct region r = { 0 };
	struct box both;

	for (size_t i = 0; i < x->len; i++)
		for (size_t j = 0; j < y->len; j++) {
			if (!box_meet(a, &x->at[i], &y->at[j], &both))
				continue;
			if (!r.len && x->len * y->len == 1) /* most are one box: no room for more */
				return region_of(a, &both);
			vec_push(a, &r, both);
		}
	return r;
}

static void box_minus(struct arena *a, const struct box *from, const struct box *gone, struct region *out)
{
	struct box rest = *from, piece;

	if (!box_meet(a, from, gone, &piece)) {
		vec_push(a, out, *from);
		return;
	}
	for (enum box_field f = 0; f < BOX_FIELDS; f++) {
		piece = rest;
		if (field_do(a, MINUS, &piece, gone, f) && box_settle(&piece))
			vec_push(a, out, piece);
		field_do(a, MEET, &rest, gone, f);
	}
}

/* What is surely kept when pieces may not be made: the boxes that do not touch it. */
static void keep_apart(struct arena *a, struct region *from, const struct box *gone)
{
	struct box both;
	size_t kept = 0;

	for (size_t i = 0; i < from->len; i++)
		if (!box_meet(a, &from->at[i], gone, &both))
			from->at[kept++] = from->at[i];
	from->len = kept;
}

static bool region_touches(const struct region *r, const struct box *b)
{
	for (size_t i = 0; i < r->len; i++)
		if (box_touches(&r->at[i], b))
			return true;
	return false;
}

bool region_minus(struct arena *a, struct region *from, const struct region *gone, bool low)
{
	bool exact = true;

	for (size_t g = 0; g < gone->len; g++) {
		struct region rest = { 0 };

		if (!region_touches(from, &gone->at[g]))
			continue;
		for (size_t i = 0; i < from->len; i++)
			box_minus(a, &from->at[i], &gone->at[g], &rest);
		region_tidy(a, &rest);
		if (rest.len <= REGION_BOXES_MAX) {
			*from = rest;
			continue;
		}
		exact = false;
		if (low)
			keep_apart(a, from, &gone->at[g]);
	}
	return exact;
}

static bool join_one(struct arena *a, struct box *x, const struct box *y)
{
	enum box_field other = BOX_FIELDS;

	for (enum box_field f = 0; f < BOX_FIELDS; f++)
		if (!field_equal(x, y, f)) {
			if (other != BOX_FIELDS)
				return false;
			other = f;
		}
	if (other != BOX_FIELDS)
		field_do(a, JOIN, x, y, other);
	return true;
}

void region_tidy(struct arena *a, struct region *r)
{
	for (size_t i = 0; i < r->len; i++)
		for (size_t j = i + 1; j < r->len;)
			if (join_one(a, &r->at[i], &r->at[j])) {
				r->at[j] = r->at[--r->len];
				j = i + 1;
			} else {
				j++;
			}
}
