/* cells - cells and lists of them as diagrams. */
#include "compiler/prove/mutant.h"
#include "compiler/prove/space/parts.h"

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
		s->edges = memory_must(realloc(s->edges, s->edge_room * sizeof *s->edges));
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
	const struct range *w = space_u16(s, f);
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

struct sorting {
	const struct judgement *of;
	idd_mapping *sort;
	const void *arg;
};

static idd_ref leaf_sorted(const void *arg, uint32_t step)
{
	const struct sorting *k = arg;

	return k->of->steps[step].goes_on ? IDD_NUMBER(GOES_ON) : k->sort(k->arg, step);
}

idd_ref space_sorted(struct idd *m, struct space *s, const struct slice *slice, idd_mapping *sort, const void *arg)
{
	struct sorting k = { slice->of, sort, arg };

	return build_all(m, s, slice, leaf_sorted, &k);
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
