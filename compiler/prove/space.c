#include "compiler/prove/space.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/prove/mutant.h"

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

void space_release(struct space *s)
{
	free(s->dst.at);
	free(s->src.at);
	free(s->unknown_level);
	free(s->edges);
	free(s->sides);
	*s = (struct space){ 0 };
}

/* --- ranks -------------------------------------------------------------------------- */

static void cut_add(struct cuts *k, addr_num at)
{
	if (k->len == k->room) {
		k->room = k->room ? 2 * k->room : 256;
		k->at = must(realloc(k->at, k->room * sizeof *k->at));
	}
	k->at[k->len++] = at;
}

static void cut_side(struct cuts *k, const struct side *s, const struct addr_range *w)
{
	for (size_t i = 0; i < s->len && s->at[i].lo <= w->hi; i++) {
		if (s->at[i].hi < w->lo)
			continue;
		if (s->at[i].lo > w->lo)
			cut_add(k, s->at[i].lo);
		if (s->at[i].hi < w->hi)
			cut_add(k, s->at[i].hi + MUTANT(17, 1, 0));
	}
}

/* Where what ascends from here on ends. */
static size_t run_end(const addr_num *at, size_t from, size_t len)
{
	while (from < len && (++from == len || at[from] >= at[from - 1]))
		;
	return from;
}

static void runs_merge(addr_num *to, const addr_num *at, size_t from, size_t mid, size_t end)
{
	size_t a = from, b = mid;

	for (size_t i = from; i < end; i++)
		to[i] = b == end || (a < mid && at[a] <= at[b]) ? at[a++] : at[b++];
}

/* The cuts of each side ascend already: their runs are merged, two and two, until there is one. */
static void cuts_sort(struct cuts *k)
{
	size_t runs = run_end(k->at, 0, k->len) < k->len ? 2 : 1;
	addr_num *to = runs > 1 ? must(malloc(k->room * sizeof *to)) : NULL;

	while (runs > 1) {
		addr_num *from = k->at;

		runs = 0;
		for (size_t at = 0, end; at < k->len; at = end, runs++) {
			const size_t mid = run_end(from, at, k->len);

			end = run_end(from, mid, k->len);
			runs_merge(to, from, at, mid, end);
		}
		k->at = to;
		to = from;
	}
	free(to);
}

static int by_ranges(const void *a, const void *b)
{
	const struct side *x = *(const struct side *const *)a, *y = *(const struct side *const *)b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static void side_note(struct space *s, const struct side *side)
{
	if (side->full || !side->len)
		return;
	if (s->side_count == s->side_room) {
		s->side_room = s->side_room ? 2 * s->side_room : 256;
		s->sides = must(realloc(s->sides, s->side_room * sizeof *s->sides));
	}
	s->sides[s->side_count++] = side;
}

/* A set that many cells share is one array, and is cut along once. */
static void cuts_set(struct space *s, struct cuts *k, const struct addr_range *w)
{
	size_t len = 0;

	k->len = 0;
	cut_add(k, w->lo);
	if (s->side_count)
		qsort(s->sides, s->side_count, sizeof *s->sides, by_ranges);
	for (size_t i = 0; i < s->side_count; i++)
		if (!i || s->sides[i]->at != s->sides[i - 1]->at)
			cut_side(k, s->sides[i], w);
	cuts_sort(k);
	for (size_t i = 0; i < k->len; i++)
		if (!len || k->at[i] != k->at[len - 1])
			k->at[len++] = k->at[i];
	k->len = len;
	s->side_count = 0;
}

static bool is_not_above(const struct cuts *k, size_t at, addr_num a)
{
	return MUTANT(12, k->at[at] <= a, k->at[at] < a);
}

static uint32_t rank_between(const struct cuts *k, size_t lo, size_t hi, addr_num a)
{
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (is_not_above(k, mid, a))
			lo = mid;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

/* The last cut that is not above. */
static uint32_t rank_of(const struct cuts *k, addr_num a)
{
	return rank_between(k, 0, k->len, a);
}

/* The same of an address whose rank is not below `from`, and most often near. */
static uint32_t rank_from(const struct cuts *k, size_t from, addr_num a)
{
	size_t step = 1;

	while (from + step < k->len && is_not_above(k, from + step, a)) {
		from += step;
		step *= 2;
	}
	return rank_between(k, from, from + step < k->len ? from + step : k->len, a);
}

/* --- the order of levels ------------------------------------------------------------ */

static bool asks_a_zone(const struct window *w, const struct cell *c)
{
	uint64_t in_zones = w->zones & ~(UINT64_C(1) << ZONE_NONE);

	return (w->zones & ~c->zones) && (c->zones & w->zones) != in_zones;
}

/*
 * Where few rules name a zone, a zone test near the root doubles the diagram
 * below; where none or most do, it does best there.
 */
static bool zones_late(const struct window *w, const struct slice *slices, size_t count)
{
	size_t asking = 0, all = 0;

	for (size_t s = 0; s < count; s++) {
		for (size_t i = 0; i < slices[s].len; i++)
			asking += asks_a_zone(w, slices[s].at[i]);
		all += slices[s].len;
	}
	return asking > 0 && 2 * asking <= all;
}

static void order_set(struct space *s, bool late)
{
	unsigned level = 0;

	for (int f = 0; f < FIELD_COUNT; f++) {
		if (late && f == FIELD_ZONE)
			continue;
		if (late && f == FIELD_HOPS)
			s->field_at[level++] = FIELD_ZONE;
		s->field_at[level++] = (enum field)f;
	}
	for (level = 0; level < FIELD_COUNT; level++)
		s->level_of[s->field_at[level]] = level;
	s->levels = FIELD_COUNT + (unsigned)s->terms->unknowns.len;
	s->unknown_level = must(realloc(s->unknown_level, s->levels));
	memset(s->unknown_level, 0, s->levels);
	s->unknown_level[s->level_of[FIELD_BLOCKED]] = true;
	memset(s->unknown_level + FIELD_COUNT, true, s->terms->unknowns.len);
}

void space_set(struct space *s, const struct terms *t, const struct window *w,
	       const struct slice *slices, size_t slice_count, const struct cell *more)
{
	s->terms = t;
	s->window = *w;
	order_set(s, zones_late(w, slices, slice_count));

	for (size_t n = 0; n < slice_count; n++)
		for (size_t i = 0; i < slices[n].len; i++)
			side_note(s, &slices[n].at[i]->dst);
	if (more)
		side_note(s, &more->dst);
	cuts_set(s, &s->dst, &w->dst);

	for (size_t n = 0; n < slice_count; n++)
		for (size_t i = 0; i < slices[n].len; i++)
			side_note(s, &slices[n].at[i]->src);
	if (more)
		side_note(s, &more->src);
	cuts_set(s, &s->src, &w->src);
}

/* --- spelling values ---------------------------------------------------------------- */

/* Values that a mask allows are numbered without gaps. */
static uint32_t dense(uint64_t allowed, unsigned value)
{
	return (uint32_t)__builtin_popcountll(allowed & ((UINT64_C(1) << value) - 1));
}

static unsigned sparse(uint64_t allowed, uint32_t number)
{
	while (number--)
		allowed &= allowed - 1;
	return (unsigned)__builtin_ctzll(allowed);
}

static const struct range *u16_window(const struct space *s, enum field f)
{
	switch (f) {
	case FIELD_PROTO:
		return &s->window.proto;
	case FIELD_DPORT:
		return &s->window.dport;
	case FIELD_SPORT:
		return &s->window.sport;
	case FIELD_ICMP:
		return &s->window.icmp;
	case FIELD_STATE:
	case FIELD_REPLY:
	case FIELD_FRAGMENT:
	case FIELD_BLOCKED:
	case FIELD_ZONE:
	case FIELD_DST_SELF:
	case FIELD_SRC_SELF:
	case FIELD_DST:
	case FIELD_SRC:
	case FIELD_FLAGS:
	case FIELD_HOPS:
	case FIELD_COUNT:
		break;
	}
	return NULL;
}

uint32_t space_last(const struct space *s, unsigned level)
{
	if (level >= FIELD_COUNT)
		return 1;
	switch (s->field_at[level]) {
	case FIELD_STATE:
		return (uint32_t)__builtin_popcount(s->window.states) - 1;
	case FIELD_REPLY:
	case FIELD_BLOCKED:
	case FIELD_DST_SELF:
	case FIELD_SRC_SELF:
		return 1;
	case FIELD_HOPS:
		return HOPS_COUNT - 1;
	case FIELD_FRAGMENT:
		return (uint32_t)__builtin_popcount(s->window.fragments) - 1;
	case FIELD_ZONE:
		return (uint32_t)__builtin_popcountll(s->window.zones) - 1;
	case FIELD_DST:
		return (uint32_t)s->dst.len - 1;
	case FIELD_SRC:
		return (uint32_t)s->src.len - 1;
	case FIELD_FLAGS:
		return UINT8_MAX;
	case FIELD_PROTO:
	case FIELD_DPORT:
	case FIELD_SPORT:
	case FIELD_ICMP:
	case FIELD_COUNT:
		break;
	}

	const struct range *w = u16_window(s, s->field_at[level]);

	return w->hi - w->lo;
}

uint32_t space_value(const struct space *s, unsigned level, const struct point *p)
{
	const struct packet *k = &p->packet;

	if (level >= FIELD_COUNT)
		return p->over[level - FIELD_COUNT];
	switch (s->field_at[level]) {
	case FIELD_STATE:
		return dense(s->window.states, k->state);
	case FIELD_REPLY:
		return k->reply;
	case FIELD_FRAGMENT:
		return dense(s->window.fragments, (unsigned)__builtin_ctz(k->fragment));
	case FIELD_BLOCKED:
		return p->blocked;
	case FIELD_ZONE:
		return dense(s->window.zones, k->zone);
	case FIELD_PROTO:
		return k->proto - s->window.proto.lo;
	case FIELD_DST_SELF:
		return p->dst_self;
	case FIELD_SRC_SELF:
		return p->src_self;
	case FIELD_DST:
		return rank_of(&s->dst, k->dst.num);
	case FIELD_SRC:
		return rank_of(&s->src, k->src.num);
	case FIELD_DPORT:
		return k->dport - s->window.dport.lo;
	case FIELD_SPORT:
		return k->sport - s->window.sport.lo;
	case FIELD_FLAGS:
		return k->flags;
	case FIELD_ICMP:
		return k->icmp - s->window.icmp.lo;
	case FIELD_HOPS:
		return hops_of(k->hop_limit);
	case FIELD_COUNT:
		break;
	}
	return 0;
}

idd_ref space_ask(const struct idd *m, const struct space *s, idd_ref a, const struct point *p)
{
	while (!IDD_IS_NUMBER(a))
		a = idd_child(m, a, space_value(s, idd_level(m, a), p));
	return a;
}

struct addr_range space_addresses(const struct space *s, enum field f, uint32_t rank)
{
	const struct cuts *k = f == FIELD_DST ? &s->dst : &s->src;
	addr_num last = f == FIELD_DST ? s->window.dst.hi : s->window.src.hi;

	return (struct addr_range){ k->at[rank], rank + 1 < k->len ? k->at[rank + 1] - 1 : last };
}

struct value_range space_values(const struct space *s, unsigned level, uint32_t lo, uint32_t hi)
{
	uint32_t last = space_last(s, level);

	if (hi > last)
		hi = last;
	if (level >= FIELD_COUNT)
		return (struct value_range){ lo, hi };
	switch (s->field_at[level]) {
	case FIELD_STATE:
		return (struct value_range){ sparse(s->window.states, lo),
					     sparse(s->window.states, hi) };
	case FIELD_FRAGMENT:
		return (struct value_range){ sparse(s->window.fragments, lo),
					     sparse(s->window.fragments, hi) };
	case FIELD_ZONE:
		return (struct value_range){ sparse(s->window.zones, lo),
					     sparse(s->window.zones, hi) };
	case FIELD_DST:
	case FIELD_SRC:
		return (struct value_range){ space_addresses(s, s->field_at[level], lo).lo,
					     space_addresses(s, s->field_at[level], hi).hi };
	case FIELD_PROTO:
	case FIELD_DPORT:
	case FIELD_SPORT:
	case FIELD_ICMP: {
		uint32_t first = u16_window(s, s->field_at[level])->lo;

		return (struct value_range){ first + lo, first + hi };
	}
	case FIELD_REPLY:
	case FIELD_BLOCKED:
	case FIELD_DST_SELF:
	case FIELD_SRC_SELF:
	case FIELD_FLAGS:
	case FIELD_HOPS:
	case FIELD_COUNT:
		break;
	}
	return (struct value_range){ lo, hi };
}

/* --- cells as diagrams -------------------------------------------------------------- */

/* A node in the making: spans in ascending order, `outside` between them. */
struct spans {
	struct space *s;
	unsigned level;
	idd_ref inside, outside;
	uint32_t next; /* first value not yet said */
	bool ended;
};

static void edge_add(struct space *s, uint32_t hi, idd_ref to)
{
	if (s->edge_count == s->edge_room) {
		s->edge_room = s->edge_room ? 2 * s->edge_room : 256;
		s->edges = must(realloc(s->edges, s->edge_room * sizeof *s->edges));
	}
	s->edges[s->edge_count++] = (struct idd_edge){ hi, to };
}

static struct spans spans_begin(struct space *s, unsigned level, idd_ref inside, idd_ref outside)
{
	s->edge_count = 0;
	return (struct spans){ s, level, inside, outside, 0, false };
}

/* The level's last value stands for all above it. */
static void span(struct spans *k, uint32_t lo, uint32_t hi)
{
	if (lo > k->next)
		edge_add(k->s, lo - 1, k->outside);
	if (MUTANT(19, hi >= space_last(k->s, k->level), hi > space_last(k->s, k->level))) {
		edge_add(k->s, IDD_TOP, k->inside);
		k->ended = true;
	} else {
		edge_add(k->s, hi, k->inside);
		k->next = hi + 1;
	}
}

static idd_ref spans_end(struct idd *m, struct spans *k)
{
	if (!k->ended)
		edge_add(k->s, IDD_TOP, k->outside);
	return idd_node(m, k->level, k->s->edges, k->s->edge_count);
}

/* The bits of `mask` among those allowed. */
static idd_ref node_mask(struct idd *m, struct space *s, enum field f, uint64_t allowed,
			 uint64_t mask, idd_ref inside, idd_ref outside)
{
	struct spans k = spans_begin(s, s->level_of[f], inside, outside);
	uint32_t number = 0;

	if (!(allowed & ~mask))
		return inside;
	for (uint64_t left = allowed; left; left &= left - 1, number++)
		if (mask >> __builtin_ctzll(left) & 1)
			span(&k, number, number);
	return spans_end(m, &k);
}

static idd_ref node_ranges(struct idd *m, struct space *s, enum field f, const struct range *at,
			   size_t len, idd_ref inside, idd_ref outside)
{
	const struct range *w = u16_window(s, f);
	struct spans k = spans_begin(s, s->level_of[f], inside, outside);

	for (size_t i = 0; i < len && !k.ended && at[i].lo <= w->hi; i++) {
		uint16_t lo = at[i].lo > w->lo ? at[i].lo : w->lo;
		uint16_t hi = at[i].hi < w->hi ? at[i].hi : w->hi;

		if (lo <= hi)
			span(&k, lo - w->lo, hi - w->lo);
	}
	return spans_end(m, &k);
}

static idd_ref node_flags(struct idd *m, struct space *s, const struct cell *c, idd_ref inside,
			  idd_ref outside)
{
	struct spans k = spans_begin(s, s->level_of[FIELD_FLAGS], inside, outside);

	if (!c->flags_mask)
		return inside;
	for (uint32_t v = 0; v <= UINT8_MAX; v++)
		if ((v & c->flags_mask) == c->flags_want)
			span(&k, v, v);
	return spans_end(m, &k);
}

static idd_ref node_side(struct idd *m, struct space *s, enum field f, const struct side *side,
			 idd_ref inside, idd_ref outside)
{
	const struct cuts *cuts = f == FIELD_DST ? &s->dst : &s->src;
	struct addr_range w = f == FIELD_DST ? s->window.dst : s->window.src;
	struct spans k = spans_begin(s, s->level_of[f], inside, outside);
	uint32_t from, to = 0;

	if (side->full)
		return inside;
	for (size_t i = 0; i < side->len && !k.ended && side->at[i].lo <= w.hi; i++) {
		addr_num lo = side->at[i].lo > w.lo ? side->at[i].lo : w.lo;
		addr_num hi = side->at[i].hi < w.hi ? side->at[i].hi : w.hi;

		if (lo > hi)
			continue;
		from = rank_from(cuts, to, lo);
		to = rank_from(cuts, from, hi);
		span(&k, from, to);
	}
	return spans_end(m, &k);
}

static idd_ref node_bool(struct idd *m, struct space *s, enum field f, idd_ref no, idd_ref yes)
{
	struct idd_edge e[2] = { { 0, no }, { IDD_TOP, yes } };

	return idd_node(m, s->level_of[f], e, 2);
}

/* Both ends, given the host's answers to "is it mine?". */
static idd_ref node_ends(struct idd *m, struct space *s, const struct cell *c, bool dst_self,
			 bool src_self, idd_ref inside, idd_ref outside)
{
	if (!(src_self && c->src.self))
		inside = node_side(m, s, FIELD_SRC, &c->src, inside, outside);
	if (!(dst_self && c->dst.self))
		inside = node_side(m, s, FIELD_DST, &c->dst, inside, outside);
	return inside;
}

static idd_ref node_addresses(struct idd *m, struct space *s, const struct cell *c, idd_ref inside,
			      idd_ref outside)
{
	idd_ref by_dst[2];

	for (int dst_self = 0; dst_self < 2; dst_self++) {
		idd_ref no = node_ends(m, s, c, dst_self, false, inside, outside);
		idd_ref yes = no;

		if (MUTANT(20, c->src.self, false))
			yes = node_ends(m, s, c, dst_self, true, inside, outside);

		by_dst[dst_self] = node_bool(m, s, FIELD_SRC_SELF, no, yes);
		if (!c->dst.self)
			return by_dst[0];
	}
	return node_bool(m, s, FIELD_DST_SELF, by_dst[0], by_dst[1]);
}

static idd_ref node_field(struct idd *m, struct space *s, enum field f, const struct cell *c,
			  idd_ref inside, idd_ref outside)
{
	const struct range proto = { c->proto_lo, c->proto_hi };
	const uint64_t both = 3;

	switch (f) {
	case FIELD_STATE:
		return node_mask(m, s, f, s->window.states, c->states, inside, outside);
	case FIELD_REPLY:
		return node_mask(m, s, f, both, c->replies, inside, outside);
	case FIELD_FRAGMENT:
		return node_mask(m, s, f, s->window.fragments, c->fragments, inside, outside);
	case FIELD_BLOCKED:
		return node_mask(m, s, f, both, c->blocked, inside, outside);
	case FIELD_ZONE:
		return node_mask(m, s, f, s->window.zones, c->zones, inside, outside);
	case FIELD_PROTO:
		return node_ranges(m, s, f, &proto, 1, inside, outside);
	case FIELD_DST_SELF:
		return node_addresses(m, s, c, inside, outside);
	case FIELD_SRC_SELF:
	case FIELD_DST:
	case FIELD_SRC:
		return inside; /* with the above */
	case FIELD_DPORT:
		return node_ranges(m, s, f, c->dport.at, c->dport.len, inside, outside);
	case FIELD_SPORT:
		return node_ranges(m, s, f, c->sport.at, c->sport.len, inside, outside);
	case FIELD_FLAGS:
		return node_flags(m, s, c, inside, outside);
	case FIELD_ICMP:
		return node_ranges(m, s, f, c->icmp.at, c->icmp.len, inside, outside);
	case FIELD_HOPS:
		return node_mask(m, s, f, HOPS_ALL, c->hops, inside, outside);
	case FIELD_COUNT:
		break;
	}
	return inside;
}

idd_ref space_cell(struct idd *m, struct space *s, const struct cell *c, idd_ref inside,
		   idd_ref outside)
{
	if (!window_meets(&s->window, c))
		return outside;
	if (c->unknown >= 0)
		inside = idd_interval(m, FIELD_COUNT + (unsigned)c->unknown, 1, IDD_TOP, inside,
				      outside);
	for (unsigned level = FIELD_COUNT; level-- > 0;)
		inside = node_field(m, s, s->field_at[level], c, inside, outside);
	return inside;
}

/* --- lists as diagrams -------------------------------------------------------------- */

/*
 * over(first half, second half) rather than rule by rule: five to twenty times
 * faster on ten thousand rules, and the intermediate nodes stay few.
 */
static idd_ref build(struct idd *m, struct space *s, const struct slice *slice, size_t from,
		     size_t to, idd_mapping *leaf, const void *arg)
{
	if (from == to)
		return IDD_NONE;
	if (to - from == 1) {
		const struct cell *c = slice->at[from];

		return space_cell(m, s, c, leaf(arg, c->step), IDD_NONE);
	}

	size_t middle = from + (to - from) / 2;
	idd_ref first = build(m, s, slice, from, middle, leaf, arg);
	idd_ref then = build(m, s, slice, middle, to, leaf, arg);

	return idd_apply(m, IDD_OVER, first, then);
}

#define GOES_ON 0x7ffffffeu

static idd_ref release(const void *arg, uint32_t n)
{
	(void)arg;
	return n == GOES_ON ? IDD_NONE : IDD_NUMBER(n);
}

static idd_ref build_all(struct idd *m, struct space *s, const struct slice *slice,
			 idd_mapping *leaf, const void *arg)
{
	const struct judgement *j = slice->of;
	bool spared = false;
	size_t boundary = 0;

	for (; boundary < slice->len && slice->at[boundary]->step < j->layer4; boundary++)
		spared |= j->steps[slice->at[boundary]->step].goes_on;

	idd_ref epiderme = build(m, s, slice, 0, boundary, leaf, arg);

	if (MUTANT(18, spared, false))
		epiderme = idd_map(m, epiderme, release, NULL);
	return idd_apply(m, IDD_OVER, epiderme, build(m, s, slice, boundary, slice->len, leaf, arg));
}

static idd_ref leaf_step(const void *judgement, uint32_t step)
{
	const struct judgement *j = judgement;

	return IDD_NUMBER(j->steps[step].goes_on ? GOES_ON : step);
}

static idd_ref leaf_admitted(const void *judgement, uint32_t step)
{
	const struct step *s = &((const struct judgement *)judgement)->steps[step];

	return s->goes_on ? IDD_NUMBER(GOES_ON) : IDD_NUMBER(s->verdict == VERDICT_ALLOW);
}

static idd_ref leaf_verdict(const void *judgement, uint32_t step)
{
	const struct step *s = &((const struct judgement *)judgement)->steps[step];

	return IDD_NUMBER(s->goes_on ? GOES_ON : (uint32_t)s->verdict);
}

static idd_ref leaf_outcome(const void *judgement, uint32_t step)
{
	return IDD_NUMBER(((const struct judgement *)judgement)->steps[step].outcome);
}

idd_ref space_outcomes(struct idd *m, struct space *s, const struct slice *slice)
{
	return build(m, s, slice, 0, slice->len, leaf_outcome, slice->of);
}

idd_ref space_steps(struct idd *m, struct space *s, const struct slice *slice)
{
	return build_all(m, s, slice, leaf_step, slice->of);
}

struct among {
	const struct judgement *of;
	const bool *known;
};

static idd_ref leaf_among(const void *arg, uint32_t step)
{
	const struct among *k = arg;

	return IDD_NUMBER(k->of->steps[step].goes_on ? GOES_ON : k->known[step] ? k->of->step_count : step);
}

idd_ref space_steps_among(struct idd *m, struct space *s, const struct slice *slice, const bool *known)
{
	struct among k = { slice->of, known };

	return build_all(m, s, slice, leaf_among, &k);
}

idd_ref space_admitted(struct idd *m, struct space *s, const struct slice *slice)
{
	return build_all(m, s, slice, leaf_admitted, slice->of);
}

idd_ref space_verdicts(struct idd *m, struct space *s, const struct slice *slice)
{
	return build_all(m, s, slice, leaf_verdict, slice->of);
}

idd_ref space_cell_alone(struct idd *m, struct space *s, const struct judgement *j,
			 const struct cell *c)
{
	idd_ref set = space_cell(m, s, c, IDD_TRUE, IDD_FALSE);

	for (const struct cell *o = &j->cells[j->steps[c->step].first]; o < c; o++)
		set = idd_apply(m, IDD_DIFF, set, space_cell(m, s, o, IDD_TRUE, IDD_FALSE));
	return set;
}

/* --- measure ------------------------------------------------------------------------ */

double space_weigh(const void *space, unsigned level, uint32_t lo, uint32_t hi)
{
	const struct space *s = space;
	uint32_t last = space_last(s, level);
	enum field f = level < FIELD_COUNT ? s->field_at[level] : FIELD_COUNT;

	if (hi > last)
		hi = last;
	if (level >= FIELD_COUNT || f == FIELD_BLOCKED || f == FIELD_STATE)
		return lo == 0;
	if (f == FIELD_DST || f == FIELD_SRC) {
		struct addr_range w = f == FIELD_DST ? s->window.dst : s->window.src;
		addr_num from = space_addresses(s, f, lo).lo, to = space_addresses(s, f, hi).hi;

		/* subtracted before rounding: a /64 vanishes beside 2^125 */
		return ((double)(to - from) + 1) / ((double)(w.hi - w.lo) + 1);
	}
	return (hi - lo + 1.0) / (last + 1.0);
}
