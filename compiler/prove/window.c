#include "compiler/prove/window.h"

#include <stdlib.h>

#include "compiler/prove/mutant.h"
#include "lang/base/memory.h"

#define U16_ALL ((struct range){ 0, UINT16_MAX })

struct window window_all(const struct terms *t, enum family family, unsigned states)
{
	struct addr_range everywhere = { 0, family_max(family) };

	return (struct window){
		.family = family,
		.states = (uint8_t)states,
		.fragments = FRAGMENT_ANY,
		.zones = ((UINT64_C(1) << t->zones.len) - 1) | UINT64_C(1) << ZONE_NONE,
		.proto = { 0, UINT8_MAX },
		.dport = U16_ALL,
		.sport = U16_ALL,
		.icmp = U16_ALL,
		.dst = everywhere,
		.src = everywhere,
	};
}

/* --- a window and a cell ------------------------------------------------------------ */

/* The first range that does not end before `lo`. */
static size_t side_from(const struct side *s, addr_num lo)
{
	size_t from = 0, to = s->len;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (s->at[mid].hi < lo)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool side_meets(const struct side *s, const struct addr_range *r)
{
	if (s->full || s->self)
		return true;

	size_t i = side_from(s, r->lo);

	return i < s->len && s->at[i].lo <= r->hi;
}

static bool side_covers(const struct side *s, const struct addr_range *r)
{
	if (s->full)
		return true;

	size_t i = side_from(s, r->lo);

	return i < s->len && s->at[i].lo <= r->lo && MUTANT(13, r->hi <= s->at[i].hi, true);
}

static bool ranges_meet_range(const struct ranges *r, const struct range *w)
{
	for (size_t i = 0; i < r->len && r->at[i].lo <= w->hi; i++)
		if (r->at[i].hi >= w->lo)
			return true;
	return false;
}

static bool ranges_cover_range(const struct ranges *r, const struct range *w)
{
	for (size_t i = 0; i < r->len && r->at[i].lo <= w->lo; i++)
		if (r->at[i].hi >= w->hi)
			return true;
	return false;
}

bool window_meets(const struct window *w, const struct cell *c)
{
	if (c->family != w->family || c->proto_lo > w->proto.hi || c->proto_hi < w->proto.lo)
		return false;
	if (!side_meets(&c->dst, &w->dst) || !side_meets(&c->src, &w->src))
		return false;
	if (w->quiet && (c->unknown >= 0 || !(c->blocked & 1u)))
		return false;
	return (c->states & w->states) && (c->zones & w->zones) && (c->fragments & w->fragments) &&
	       ranges_meet_range(&c->dport, &w->dport) && ranges_meet_range(&c->sport, &w->sport) &&
	       ranges_meet_range(&c->icmp, &w->icmp);
}

/* Has the cell every packet of the window? */
static bool window_in_cell(const struct window *w, const struct cell *c)
{
	return c->family == w->family && c->proto_lo <= w->proto.lo && w->proto.hi <= c->proto_hi &&
	       side_covers(&c->dst, &w->dst) && side_covers(&c->src, &w->src) &&
	       c->unknown < 0 && (w->quiet ? c->blocked & 1u : c->blocked == 3) &&
	       !(w->states & ~c->states) && !(w->zones & ~c->zones) && c->replies == 3 &&
	       c->hops == HOPS_ALL && !(w->fragments & ~c->fragments) && !c->flags_mask &&
	       MUTANT(11, ranges_cover_range(&c->dport, &w->dport), true) &&
	       ranges_cover_range(&c->sport, &w->sport) && ranges_cover_range(&c->icmp, &w->icmp);
}

static bool narrow_addresses(struct addr_range *r, const struct side *s)
{
	if (s->self)
		return true;

	size_t first = side_from(s, r->lo);

	if (first == s->len || s->at[first].lo > r->hi)
		return false;
	if (s->at[first].lo > r->lo)
		r->lo = s->at[first].lo;

	size_t last = side_from(s, r->hi);

	if (last == s->len || s->at[last].lo > r->hi)
		last--;
	if (s->at[last].hi < r->hi)
		r->hi = s->at[last].hi;
	return true;
}

static bool narrow_range(struct range *w, const struct ranges *r)
{
	if (!ranges_meet_range(r, w))
		return false;

	uint16_t lo = w->hi, hi = w->lo;

	for (size_t i = 0; i < r->len; i++) {
		uint16_t from = r->at[i].lo > w->lo ? r->at[i].lo : w->lo;
		uint16_t to = r->at[i].hi < w->hi ? r->at[i].hi : w->hi;

		if (from > to)
			continue;
		lo = from < lo ? from : lo;
		hi = to > hi ? to : hi;
	}
	*w = (struct range){ lo, hi };
	return true;
}

bool window_around(struct window *out, const struct window *outer, const struct cell *c)
{
	struct window w = *outer;

	if (!window_meets(outer, c))
		return false;
	w.fragments &= c->fragments;
	w.states &= MUTANT(14, c->states, c->states & (0u - c->states));
	if (c->proto_lo > w.proto.lo)
		w.proto.lo = c->proto_lo;
	if (c->proto_hi < w.proto.hi)
		w.proto.hi = c->proto_hi;
	if (!narrow_addresses(&w.dst, &c->dst) || !narrow_addresses(&w.src, &c->src) ||
	    !narrow_range(&w.dport, &c->dport) || !narrow_range(&w.sport, &c->sport) ||
	    !narrow_range(&w.icmp, &c->icmp))
		return false;
	*out = w;
	return true;
}

/* --- slices ------------------------------------------------------------------------- */

void slice_release(struct slice *s)
{
	free(s->at);
	*s = (struct slice){ 0 };
}

struct gathering {
	struct slice out;
	size_t room;
	bool done;
};

static void gather(struct gathering *g, const struct window *w, const struct cell *c)
{
	if (!window_meets(w, c))
		return;
	if (g->out.len == g->room) {
		g->room = g->room ? 2 * g->room : 64;
		g->out.at = memory_must(realloc(g->out.at, g->room * sizeof *g->out.at));
	}
	g->out.at[g->out.len++] = c;
	g->done = !g->out.of->steps[c->step].goes_on && window_in_cell(w, c);
}

struct slice slice_of(const struct judgement *j, const struct window *w)
{
	struct gathering g = { .out.of = j };

	for (size_t i = 0; i < j->cell_count && !g.done; i++)
		gather(&g, w, &j->cells[i]);
	return g.out;
}

struct slice slice_narrow(const struct slice *from, const struct window *w)
{
	struct gathering g = { .out.of = from->of };

	for (size_t i = 0; i < from->len && !g.done; i++)
		gather(&g, w, from->at[i]);
	return g.out;
}

/* --- cutting ------------------------------------------------------------------------ */

enum cut_field { CUT_DST, CUT_SRC, CUT_DPORT, CUT_FIELDS };

struct bounds {
	addr_num *at; /* first values of a new part */
	size_t len, room;
};

static void bound_add(struct bounds *b, addr_num lo, addr_num hi, const struct addr_range *w)
{
	if (b->len + 2 > b->room) {
		b->room = b->room ? 2 * b->room : 256;
		b->at = memory_must(realloc(b->at, b->room * sizeof *b->at));
	}
	if (lo > w->lo && lo <= w->hi)
		b->at[b->len++] = lo;
	if (hi >= w->lo && hi < w->hi)
		b->at[b->len++] = hi + 1;
}

static struct addr_range cut_extent(const struct window *w, enum cut_field f)
{
	switch (f) {
	case CUT_DST:
		return w->dst;
	case CUT_SRC:
		return w->src;
	case CUT_DPORT:
	case CUT_FIELDS:
		break;
	}
	return (struct addr_range){ w->dport.lo, w->dport.hi };
}

static const struct side *cut_side(const struct cell *c, enum cut_field f)
{
	return f == CUT_DST ? &c->dst : &c->src;
}

/* A set of a thousand ranges has no say in where to cut beyond its first few in the window. */
#define BOUNDS_PER_CELL 8

static void cell_bounds(struct bounds *b, const struct cell *c, enum cut_field f,
			const struct addr_range *w)
{
	if (f == CUT_DPORT) {
		for (size_t i = 0; i < c->dport.len; i++)
			bound_add(b, c->dport.at[i].lo, c->dport.at[i].hi, w);
		return;
	}

	const struct side *s = cut_side(c, f);
	size_t first = side_from(s, w->lo);

	for (size_t i = first; i < s->len && i < first + BOUNDS_PER_CELL; i++)
		bound_add(b, s->at[i].lo, s->at[i].hi, w);
}

static int by_number(const void *a, const void *b)
{
	const addr_num *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static struct window cut_half(const struct window *w, enum cut_field f, addr_num at, bool upper)
{
	struct window h = *w;
	struct addr_range r = cut_extent(w, f);

	if (upper)
		r.lo = at;
	else
		r.hi = at - 1;
	switch (f) {
	case CUT_DST:
		h.dst = r;
		break;
	case CUT_SRC:
		h.src = r;
		break;
	case CUT_DPORT:
	case CUT_FIELDS:
		h.dport = (struct range){ (uint16_t)r.lo, (uint16_t)MUTANT(15, r.hi, r.hi - upper) };
		break;
	}
	return h;
}

static size_t cells_meeting(const struct window *w, const struct slice *slices, size_t count)
{
	size_t n = 0;

	for (size_t s = 0; s < count; s++)
		for (size_t i = 0; i < slices[s].len; i++)
			n += window_meets(w, slices[s].at[i]);
	return n;
}

/* False when the field has no bound inside the window. */
static bool median(const struct window *w, enum cut_field f, const struct slice *slices,
		   size_t count, addr_num *at)
{
	struct addr_range extent = cut_extent(w, f);
	struct bounds b = { 0 };

	for (size_t s = 0; s < count; s++)
		for (size_t i = 0; i < slices[s].len; i++)
			cell_bounds(&b, slices[s].at[i], f, &extent);
	if (b.len) {
		qsort(b.at, b.len, sizeof *b.at, by_number);
		*at = b.at[b.len / 2];
	}
	free(b.at);
	return b.len > 0;
}

bool window_cut(const struct window *w, const struct slice *slices, size_t slice_count,
		struct window halves[static 2])
{
	size_t total = 0, best = SIZE_MAX;

	for (size_t s = 0; s < slice_count; s++)
		total += slices[s].len;
	for (int f = 0; f < CUT_FIELDS; f++) {
		addr_num at;

		if (!median(w, (enum cut_field)f, slices, slice_count, &at))
			continue;

		struct window lower = cut_half(w, (enum cut_field)f, at, false);
		struct window upper = cut_half(w, (enum cut_field)f, at, true);
		size_t cost = cells_meeting(&lower, slices, slice_count) +
			      cells_meeting(&upper, slices, slice_count);

		if (cost < best) {
			best = cost;
			halves[0] = lower;
			halves[1] = upper;
		}
	}
	return best < total + total * 17 / 20;
}
