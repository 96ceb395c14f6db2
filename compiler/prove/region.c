#include "compiler/prove/region.h"

#include <math.h>
#include <string.h>

#include "compiler/prove/mutant.h"

/* --- boxes of level values ---------------------------------------------------------- */

struct interval {
	uint32_t lo, hi;
};

struct intervals {
	VEC(struct interval) in; /* none: every value */
};

struct box {
	struct intervals level[FIELD_COUNT];
};

/* What is known of a node; notes of an earlier turn say nothing. */
enum known { UNKNOWN_YET, YES, NO };

struct note {
	idd_ref node;
	uint32_t widest_turn, turn;
	double widest;
	enum known inside;
	const struct intervals *allowed;
};

struct covering {
	struct idd *m;
	const struct space *s;
	struct arena *scratch;
	idd_ref set;
	uint32_t turn;
	struct note *notes; /* open addressing; few nodes of a manager are in a set */
	size_t note_count, note_room;
};

static struct note *note_slot(const struct covering *k, idd_ref node)
{
	size_t i = (node * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (k->note_room - 1);

	while (k->notes[i].turn && k->notes[i].node != node)
		i = (i + 1) & (k->note_room - 1);
	return &k->notes[i];
}

static void notes_grow(struct covering *k)
{
	struct note *old = k->notes;
	size_t room = k->note_room;

	k->note_room = room ? 2 * room : 256;
	k->notes = arena_zero(k->scratch, k->note_room * sizeof *k->notes);
	for (size_t i = 0; i < room; i++)
		if (old[i].turn)
			*note_slot(k, old[i].node) = old[i];
}

/* Valid until the next note is made. */
static struct note *note_at(struct covering *k, idd_ref node)
{
	if (2 * (k->note_count + 1) > k->note_room)
		notes_grow(k);

	struct note *n = note_slot(k, node);

	if (!n->turn) {
		k->note_count++;
		*n = (struct note){ .node = node, .turn = k->turn };
	} else if (n->turn != k->turn) {
		n->turn = k->turn;
		n->inside = UNKNOWN_YET;
		n->allowed = NULL;
	}
	return n;
}

static void intervals_add(struct arena *a, struct intervals *v, uint32_t lo, uint32_t hi)
{
	if (v->in.len && v->in.at[v->in.len - 1].hi != IDD_TOP && v->in.at[v->in.len - 1].hi + 1 == lo)
		v->in.at[v->in.len - 1].hi = hi;
	else
		vec_push(a, &v->in, ((struct interval){ lo, hi }));
}

static bool intervals_all(const struct intervals *v)
{
	return !v->in.len || (v->in.at[0].lo == 0 && v->in.at[0].hi == IDD_TOP);
}

static bool intervals_meet(const struct intervals *v, uint32_t lo, uint32_t hi)
{
	size_t from = 0, to = v->in.len;

	if (!v->in.len)
		return true;
	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (v->in.at[mid].hi < lo)
			from = mid + 1;
		else
			to = mid;
	}
	return from < v->in.len && v->in.at[from].lo <= hi;
}

static uint32_t edge_lo(const struct idd_edge *e, size_t i)
{
	return i ? e[i - 1].hi + 1 : 0;
}

/* --- where to begin: the path with the largest product of edge groups --------------- */

/* All edges to one child go together, so that value sets come out whole; not in huge nodes. */
#define GROUPED_EDGES 256

static double group_width(const struct covering *k, unsigned level, const struct idd_edge *e,
			  size_t len, size_t i)
{
	double sum = 0;

	if (len > GROUPED_EDGES)
		return space_weigh(k->s, level, edge_lo(e, i), e[i].hi);
	for (size_t j = 0; j < len; j++)
		if (e[j].to == e[i].to)
			sum += space_weigh(k->s, level, edge_lo(e, j), e[j].hi);
	return sum;
}

#define NEVER (-1e9) /* no share has such a logarithm */

static double widest(struct covering *k, idd_ref a, idd_ref *next)
{
	size_t len;
	double best = NEVER;

	if (IDD_IS_NUMBER(a))
		return a == IDD_TRUE ? 0 : NEVER;
	if (!next && note_at(k, a)->widest_turn == k->turn)
		return note_at(k, a)->widest;

	const struct idd_edge *e = idd_edges(k->m, a, &len);

	for (size_t i = 0; i < len; i++) {
		double w = group_width(k, idd_level(k->m, a), e, len, i);
		double here = e[i].to == IDD_FALSE ? NEVER
						   : log2(w + 1e-300) + widest(k, e[i].to, NULL);

		if (here > best) {
			best = here;
			if (next)
				*next = e[i].to;
		}
	}
	note_at(k, a)->widest = best;
	note_at(k, a)->widest_turn = k->turn;
	return best;
}

static struct box seed(struct covering *k, idd_ref rest)
{
	struct box b = { 0 };

	k->turn++;
	while (!IDD_IS_NUMBER(rest)) {
		size_t len;
		idd_ref next = IDD_FALSE;

		widest(k, rest, &next);

		const struct idd_edge *e = idd_edges(k->m, rest, &len);

		for (size_t i = 0; i < len; i++)
			if (e[i].to == next)
				intervals_add(k->scratch, &b.level[idd_level(k->m, rest)],
					      edge_lo(e, i), e[i].hi);
		rest = next;
	}
	return b;
}

/* --- growing it: every value of a field with which the box still lies inside -------- */

struct growing {
	struct covering *k;
	const struct box *box;
};

static bool is_inside(struct growing *g, idd_ref a)
{
	size_t len;
	bool yes = true;

	if (IDD_IS_NUMBER(a))
		return a == IDD_TRUE;
	if (note_at(g->k, a)->inside != UNKNOWN_YET)
		return note_at(g->k, a)->inside == YES;

	const struct idd_edge *e = idd_edges(g->k->m, a, &len);
	const struct intervals *mine = &g->box->level[idd_level(g->k->m, a)];

	for (size_t i = 0; i < len && yes; i++)
		if (intervals_meet(mine, edge_lo(e, i), e[i].hi))
			yes = is_inside(g, e[i].to);
	note_at(g->k, a)->inside = yes ? YES : NO;
	return yes;
}

static struct intervals meet(struct arena *a, const struct intervals *x, const struct intervals *y)
{
	struct intervals out = { 0 };

	for (size_t i = 0, j = 0; i < x->in.len && j < y->in.len;) {
		struct interval p = x->in.at[i], q = y->in.at[j];
		uint32_t lo = p.lo > q.lo ? p.lo : q.lo, hi = p.hi < q.hi ? p.hi : q.hi;

		if (lo <= hi)
			intervals_add(a, &out, lo, hi);
		if (p.hi < q.hi)
			i++;
		else
			j++;
	}
	return out;
}

static const struct intervals *allowed_at(struct growing *g, idd_ref a, unsigned level);

/* Here an empty list means no value, not all. */
static struct intervals allowed_values(struct growing *g, idd_ref a, unsigned level)
{
	struct arena *mem = g->k->scratch;
	struct intervals out = { 0 };
	size_t len;

	if (IDD_IS_NUMBER(a) || idd_level(g->k->m, a) > level) {
		if (is_inside(g, a))
			intervals_add(mem, &out, 0, IDD_TOP);
		return out;
	}

	unsigned at = idd_level(g->k->m, a);
	const struct idd_edge *e = idd_edges(g->k->m, a, &len);

	if (at == level) {
		for (size_t i = 0; i < len; i++)
			if (MUTANT(27, is_inside(g, e[i].to), e[i].to != IDD_FALSE))
				intervals_add(mem, &out, edge_lo(e, i), e[i].hi);
		return out;
	}
	intervals_add(mem, &out, 0, IDD_TOP);
	for (size_t i = 0; i < len && out.in.len; i++)
		if (intervals_meet(&g->box->level[at], edge_lo(e, i), e[i].hi))
			out = meet(mem, &out, allowed_at(g, e[i].to, level));
	return out;
}

static const struct intervals *allowed_at(struct growing *g, idd_ref a, unsigned level)
{
	struct intervals *made;

	if (!IDD_IS_NUMBER(a) && note_at(g->k, a)->allowed)
		return note_at(g->k, a)->allowed;
	made = arena_zero(g->k->scratch, sizeof *made);
	*made = allowed_values(g, a, level);
	if (!IDD_IS_NUMBER(a))
		note_at(g->k, a)->allowed = made;
	return made;
}

static void grow_level(struct covering *k, struct box *b, unsigned level)
{
	struct growing g = { k, b };
	const struct intervals *all;

	k->turn++;
	all = allowed_at(&g, k->set, level);
	b->level[level] = *all;
	if (intervals_all(all))
		b->level[level].in.len = 0;
}

/* Small fields first; then ports, source and destination in the order given. */
static void grow(struct covering *k, struct box *b, const enum field last[4])
{
	for (unsigned level = 0; level < FIELD_COUNT; level++) {
		enum field f = k->s->field_at[level];

		if (f != last[0] && f != last[1] && f != last[2] && f != last[3] &&
		    b->level[level].in.len)
			grow_level(k, b, level);
	}
	for (int i = 0; i < 4; i++)
		if (b->level[k->s->level_of[last[i]]].in.len)
			grow_level(k, b, k->s->level_of[last[i]]);
}

/* Large boxes that take few words. */
static double score(const struct covering *k, const struct box *b)
{
	double sum = 0;

	for (unsigned level = 0; level < FIELD_COUNT; level++) {
		double w = 0;

		for (size_t i = 0; i < b->level[level].in.len; i++)
			w += space_weigh(k->s, level, b->level[level].in.at[i].lo,
					 b->level[level].in.at[i].hi);
		if (b->level[level].in.len)
			sum += log2(w + 1e-300) - 0.25 * (double)b->level[level].in.len;
	}
	return sum;
}

static struct box best_box(struct covering *k, idd_ref rest)
{
	static const enum field orders[][4] = {
		{ FIELD_SPORT, FIELD_DPORT, FIELD_SRC, FIELD_DST },
		{ FIELD_SPORT, FIELD_SRC, FIELD_DST, FIELD_DPORT },
		{ FIELD_SPORT, FIELD_DST, FIELD_SRC, FIELD_DPORT },
	};
	struct box start = seed(k, rest), best = start;
	double best_score = -INFINITY;

	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		struct box b = start;

		grow(k, &b, orders[i]);
		if (score(k, &b) <= best_score)
			continue;
		best = b;
		best_score = score(k, &b);
	}
	return best;
}

static idd_ref box_set(struct covering *k, const struct box *b)
{
	idd_ref set = IDD_TRUE;

	for (unsigned level = FIELD_COUNT; level-- > 0;) {
		const struct intervals *v = &b->level[level];
		VEC(struct idd_edge) e = { 0 };
		uint32_t next = 0;

		for (size_t i = 0; i < v->in.len; i++) {
			if (v->in.at[i].lo > next)
				vec_push(k->scratch, &e,
					 ((struct idd_edge){ v->in.at[i].lo - 1, IDD_FALSE }));
			vec_push(k->scratch, &e, ((struct idd_edge){ v->in.at[i].hi, set }));
			next = v->in.at[i].hi + 1;
		}
		if (v->in.len && v->in.at[v->in.len - 1].hi != IDD_TOP)
			vec_push(k->scratch, &e, ((struct idd_edge){ IDD_TOP, IDD_FALSE }));
		if (v->in.len)
			set = idd_node(k->m, level, e.at, e.len);
	}
	return set;
}

/* --- boxes as regions --------------------------------------------------------------- */

static struct values values_of(const struct space *s, enum field f, const struct box *b,
			       struct arena *arena)
{
	unsigned level = s->level_of[f];
	const struct intervals *v = &b->level[level];
	struct interval all = { 0, IDD_TOP };
	const struct interval *at = v->in.len ? v->in.at : &all;
	struct values out = { .len = v->in.len ? v->in.len : 1 };

	out.at = arena_zero(arena, out.len * sizeof *out.at);
	for (size_t i = 0; i < out.len; i++)
		out.at[i] = space_values(s, level, at[i].lo, at[i].hi);
	return out;
}

static void mark_all(struct values *v, addr_num last)
{
	v->all = v->len == 1 && v->at[0].lo == 0 && v->at[0].hi == last;
}

static enum own_part own_of(const struct space *s, enum field f, const struct box *b)
{
	const struct intervals *v = &b->level[s->level_of[f]];

	if (!v->in.len)
		return OWN_EITHER;
	return v->in.at[0].lo ? OWN_ONLY : OWN_NOT;
}

static struct region region_of_box(const struct space *s, const struct box *b, struct arena *arena)
{
	enum family family = s->window.family;
	struct region r = {
		.families = (uint8_t)(1u << family),
		.proto = values_of(s, FIELD_PROTO, b, arena),
		.dst = values_of(s, FIELD_DST, b, arena),
		.src = values_of(s, FIELD_SRC, b, arena),
		.dport = values_of(s, FIELD_DPORT, b, arena),
		.sport = values_of(s, FIELD_SPORT, b, arena),
		.flags = values_of(s, FIELD_FLAGS, b, arena),
		.icmp = values_of(s, FIELD_ICMP, b, arena),
		.zones = values_of(s, FIELD_ZONE, b, arena),
		.dst_own = own_of(s, FIELD_DST_SELF, b),
		.src_own = own_of(s, FIELD_SRC_SELF, b),
	};

	mark_all(&r.proto, UINT8_MAX);
	mark_all(&r.dst, family_max(family));
	mark_all(&r.src, family_max(family));
	mark_all(&r.dport, UINT16_MAX);
	mark_all(&r.sport, UINT16_MAX);
	mark_all(&r.flags, UINT8_MAX);
	mark_all(&r.icmp, UINT16_MAX);
	r.zones.all = !b->level[s->level_of[FIELD_ZONE]].in.len;
	return r;
}

/* Ports of protocols without ports, and the like: true, and no words. */
static bool asks_odd_ports(const struct space *s, const struct box *b)
{
	static const enum field fields[] = { FIELD_DPORT, FIELD_SPORT, FIELD_FLAGS, FIELD_ICMP };
	const struct intervals *proto = &b->level[s->level_of[FIELD_PROTO]];
	bool one = s->window.proto.lo == s->window.proto.hi ||
		   (proto->in.len == 1 && proto->in.at[0].lo == proto->in.at[0].hi);

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (!one && b->level[s->level_of[fields[i]]].in.len)
			return true;
	return false;
}

static bool in_few_words(const struct space *s, const struct box *b)
{
	if (asks_odd_ports(s, b))
		return false;
	for (unsigned level = 0; level < FIELD_COUNT; level++)
		if (b->level[level].in.len > REGION_RANGES)
			return false;
	return true;
}

struct region_list region_cover(struct idd *m, const struct space *s, idd_ref set, size_t most,
				struct arena *arena, struct arena *scratch)
{
	struct covering k = { .m = m, .s = s, .scratch = scratch, .set = set };
	struct region_list none = { 0 }, out = { .at = arena_zero(arena, most * sizeof *out.at) };
	idd_ref rest = set;

	if (idd_size(m, set).edges > REGION_EDGES)
		return none;
	while (rest != IDD_FALSE) {
		if (out.len == most)
			return none;

		struct box b = best_box(&k, rest);

		out.at[out.len++] = region_of_box(s, &b, arena);
		rest = idd_apply(m, IDD_DIFF, rest, box_set(&k, &b));
		if (!in_few_words(s, &b))
			return none;
	}
	out.exact = true;
	return out;
}

/* --- a cell as a region ------------------------------------------------------------- */

static struct values side_values(const struct side *s, struct arena *arena)
{
	struct values v = { .all = s->full, .at = arena_zero(arena, s->len * sizeof *v.at) };

	for (; v.len < s->len; v.len++)
		v.at[v.len] = (struct value_range){ s->at[v.len].lo, s->at[v.len].hi };
	return v;
}

static struct values ranges_values(const struct ranges *r, struct arena *arena)
{
	struct values v = { .all = ranges_are_all(r), .at = arena_zero(arena, r->len * sizeof *v.at) };

	for (; v.len < r->len; v.len++)
		v.at[v.len] = (struct value_range){ r->at[v.len].lo, r->at[v.len].hi };
	return v;
}

static struct values bits_values(uint64_t mask, uint64_t all, struct arena *arena)
{
	struct values v = { .all = !(all & ~mask), .at = arena_zero(arena, 64 * sizeof *v.at) };

	for (uint64_t left = mask & all; left; left &= left - 1)
		v.at[v.len++] = (struct value_range){ (unsigned)__builtin_ctzll(left),
						      (unsigned)__builtin_ctzll(left) };
	return v;
}

static struct values flags_values(const struct cell *c, struct arena *arena)
{
	struct values v = { .all = !c->flags_mask, .at = arena_zero(arena, 256 * sizeof *v.at) };

	for (unsigned i = 0; i < 256; i++)
		if ((i & c->flags_mask) == c->flags_want)
			v.at[v.len++] = (struct value_range){ i, i };
	return v;
}

static enum own_part own_of_side(const struct side *s)
{
	if (!s->self)
		return OWN_EITHER;
	return s->len ? OWN_ALSO : OWN_ONLY;
}

struct region region_of_cell(const struct space *s, const struct cell *c, struct arena *arena)
{
	struct value_range proto = { c->proto_lo, c->proto_hi };

	return (struct region){
		.families = (uint8_t)(1u << c->family),
		.proto = { arena_copy(arena, &proto, sizeof proto), 1,
			   c->proto_lo == 0 && c->proto_hi == UINT8_MAX },
		.dst = side_values(&c->dst, arena),
		.src = side_values(&c->src, arena),
		.dport = ranges_values(&c->dport, arena),
		.sport = ranges_values(&c->sport, arena),
		.flags = flags_values(c, arena),
		.icmp = ranges_values(&c->icmp, arena),
		.zones = bits_values(c->zones, s->window.zones, arena),
		.dst_own = own_of_side(&c->dst),
		.src_own = own_of_side(&c->src),
	};
}
