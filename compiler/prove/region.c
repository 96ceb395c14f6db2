#include "compiler/prove/region.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/front/policy.h"
#include "compiler/ir/proto.h"
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

/* --- words: numbers ----------------------------------------------------------------- */

static const char *proto_word(addr_num number)
{
	static const struct {
		uint16_t number;
		const char *word;
	} known[] = {
		{ PROTO_ICMP, "icmp" }, { PROTO_TCP, "tcp" }, { PROTO_UDP, "udp" },
		{ PROTO_ICMPV6, "icmpv6" }, { PROTO_SCTP, "sctp" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].number == number)
			return known[i].word;
	return NULL;
}

static void print_protos(struct buf *out, const struct values *v)
{
	const char *sep = "";

	if (v->all) {
		buf_puts(out, "ip");
		return;
	}
	for (size_t i = 0; i < v->len; i++) {
		const char *word = v->at[i].lo == v->at[i].hi ? proto_word(v->at[i].lo) : NULL;

		buf_puts(out, sep);
		if (word)
			buf_puts(out, word);
		else if (v->at[i].lo == v->at[i].hi)
			buf_printf(out, "proto %u", (unsigned)v->at[i].lo);
		else
			buf_printf(out, "proto %u-%u", (unsigned)v->at[i].lo, (unsigned)v->at[i].hi);
		sep = ", ";
	}
}

static void print_number(struct buf *out, const struct value_range *r)
{
	if (r->lo == r->hi)
		buf_printf(out, "%u", (unsigned)r->lo);
	else
		buf_printf(out, "%u-%u", (unsigned)r->lo, (unsigned)r->hi);
}

/* The gaps of a set of numbers, which may be fewer words. */
static struct values complement(const struct values *v, addr_num last, struct value_range *room)
{
	struct values c = { .at = room };
	addr_num next = 0;

	for (size_t i = 0; i < v->len; i++) {
		if (v->at[i].lo > next)
			room[c.len++] = (struct value_range){ next, v->at[i].lo - 1 };
		if (v->at[i].hi == last)
			return c;
		next = v->at[i].hi + 1;
	}
	room[c.len++] = (struct value_range){ next, last };
	return c;
}

#define WORDS_MOST 8
#define PORT_RANGES 32 /* beyond this, not even the gaps are words */

static void print_list(struct buf *out, const struct values *v,
		       void (*one)(struct buf *out, const struct value_range *r))
{
	size_t shown = v->len > WORDS_MOST ? WORDS_MOST : v->len;

	if (v->len > 1)
		buf_putc(out, '[');
	for (size_t i = 0; i < shown; i++) {
		if (i)
			buf_puts(out, ", ");
		one(out, &v->at[i]);
	}
	if (shown < v->len)
		buf_printf(out, ", and %zu more", v->len - shown);
	if (v->len > 1)
		buf_putc(out, ']');
}

static double count_of(const struct values *v)
{
	double n = 0;

	for (size_t i = 0; i < v->len; i++)
		n += (double)(v->at[i].hi - v->at[i].lo) + 1;
	return n;
}

static void print_ports(struct buf *out, const char *word, const struct values *v)
{
	struct value_range room[PORT_RANGES + 1];
	struct values c;

	if (v->all)
		return;
	buf_printf(out, " %s ", word);
	if (v->len <= PORT_RANGES && count_of(v) > 32768) {
		c = complement(v, UINT16_MAX, room);
		if (c.len < v->len) {
			buf_puts(out, "all except ");
			v = &c;
		}
	}
	print_list(out, v, print_number);
}

/* --- words: flags and ICMP ---------------------------------------------------------- */

static bool has_value(const struct values *v, addr_num n)
{
	for (size_t i = 0; i < v->len; i++)
		if (v->at[i].lo <= n && n <= v->at[i].hi)
			return true;
	return false;
}

static bool is_pattern(const struct values *v, unsigned mask, unsigned want)
{
	for (unsigned i = 0; i < 256; i++)
		if (has_value(v, i) != ((i & mask) == want))
			return false;
	return true;
}

static void print_flag_names(struct buf *out, unsigned flags)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr" };
	const char *sep = "";

	for (unsigned i = 0; i < 8; i++) {
		if (!(flags >> i & 1))
			continue;
		buf_printf(out, "%s%s", sep, names[i]);
		sep = "+";
	}
	if (!flags)
		buf_puts(out, "none");
}

static void print_flags(struct buf *out, const struct values *v)
{
	if (v->all)
		return;
	for (unsigned mask = 1; mask < 256; mask++)
		for (unsigned want = mask;; want = (want - 1) & mask) {
			if (has_value(v, want) && is_pattern(v, mask, want)) {
				buf_puts(out, " flags ");
				print_flag_names(out, want);
				buf_putc(out, '/');
				print_flag_names(out, mask);
				return;
			}
			if (!want)
				break;
		}
	buf_printf(out, " with %g of 256 flag combinations", count_of(v));
}

static void print_icmp_one(struct buf *out, const struct value_range *r)
{
	unsigned lo = (unsigned)r->lo, hi = (unsigned)r->hi;

	if (lo >> 8 == hi >> 8 && (lo & 255) == 0 && (hi & 255) == 255)
		buf_printf(out, "type %u", lo >> 8);
	else if (lo == hi)
		buf_printf(out, "type %u code %u", lo >> 8, lo & 255);
	else
		buf_printf(out, "type %u code %u to type %u code %u", lo >> 8, lo & 255, hi >> 8,
			   hi & 255);
}

static void print_icmp(struct buf *out, const struct values *v)
{
	if (v->all)
		return;
	buf_putc(out, ' ');
	print_list(out, v, print_icmp_one);
}

/* --- words: addresses --------------------------------------------------------------- */

/*
 * `except` is the name that "any except NAME" has taken, by end. Where the
 * other family's line takes it over, a name without addresses of this family
 * excepts nothing here: so that one line may speak of both.
 */
struct naming {
	const struct policy *of[2];
	enum family family;
	struct arena *arena;
	enum field end; /* FIELD_SRC or FIELD_DST */
	const struct pol_net *except[FIELD_COUNT];
	bool literal; /* the addresses show the family */
};

static bool values_equal(const struct values *v, const struct addr_range *at, size_t len)
{
	if (v->len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (v->at[i].lo != at[i].lo || v->at[i].hi != at[i].hi)
			return false;
	return true;
}

static struct netset netset_of(const struct naming *n, const struct values *v)
{
	struct addr_range *at[FAMILY_COUNT] = { NULL };
	size_t len[FAMILY_COUNT] = { 0 };

	at[n->family] = arena_zero(n->arena, (v->len + 1) * sizeof **at);
	for (; len[n->family] < v->len; len[n->family]++)
		at[n->family][len[n->family]] = (struct addr_range){ v->at[len[n->family]].lo,
								     v->at[len[n->family]].hi };
	return netset_of_ranges(n->arena, at, len);
}

static const struct pol_net *net_at(const struct naming *n, size_t i)
{
	for (size_t p = 0; p < 2; p++) {
		size_t count = n->of[p] ? n->of[p]->net_count : 0;

		if (i < count)
			return &n->of[p]->nets[i];
		i -= count;
	}
	return NULL;
}

static const char *name_of(struct naming *n, const struct values *v)
{
	const struct pol_net *net;

	for (size_t i = 0; (net = net_at(n, i)); i++)
		if (net->set.len[n->family] &&
		    values_equal(v, net->set.at[n->family], net->set.len[n->family])) {
			n->literal |= !net->set.len[!n->family];
			return net->name;
		}
	return NULL;
}

/* "any except office", "partners except office": the set is one name without another. */
static bool print_except(struct buf *out, struct naming *n, const struct values *v)
{
	struct netset all = netset_all(n->arena);
	const struct pol_net *base = NULL, *gone;

	for (size_t b = 0; b == 0 || base; b++) {
		const struct netset *from = b ? &base->set : &all;

		for (size_t i = 0; (gone = net_at(n, i)); i++) {
			struct netset left = netset_minus(n->arena, from, &gone->set);

			if (!values_equal(v, left.at[n->family], left.len[n->family]))
				continue;
			buf_printf(out, "%s except %s", b ? base->name : "any", gone->name);
			n->except[n->end] = b ? NULL : gone;
			return true;
		}
		base = net_at(n, b);
	}
	return false;
}

static void print_prefixes(struct buf *out, struct naming *n, const struct values *v)
{
	n->literal = true;
	struct netset set = netset_of(n, v);
	size_t len, shown;
	struct prefix *at = netset_prefixes(n->arena, &set, &len);

	shown = len > WORDS_MOST ? WORDS_MOST : len;
	if (len > 1)
		buf_putc(out, '[');
	for (size_t i = 0; i < shown; i++) {
		char text[ADDR_TEXT];

		buf_printf(out, "%s%s", i ? ", " : "", prefix_print(at[i], text));
	}
	if (shown < len)
		buf_printf(out, ", and %zu more", len - shown);
	if (len > 1)
		buf_putc(out, ']');
}

static void print_addresses(struct buf *out, struct naming *n, const struct values *v)
{
	const struct pol_net *hint = n->except[n->end];
	const char *name = v->all ? "any" : name_of(n, v);
	struct value_range *room;
	struct values c;

	if (v->all && hint && !hint->set.len[n->family]) {
		buf_printf(out, "any except %s", hint->name);
		return;
	}
	if (name) {
		buf_puts(out, name);
		return;
	}
	if (print_except(out, n, v))
		return;
	room = arena_zero(n->arena, (v->len + 2) * sizeof *room);
	c = complement(v, family_max(n->family), room);
	if (count_of(&c) < count_of(v)) {
		buf_puts(out, "any except ");
		name = name_of(n, &c);
		if (name)
			buf_puts(out, name);
		else
			print_prefixes(out, n, &c);
		return;
	}
	print_prefixes(out, n, v);
}

static void print_end(struct buf *out, const char *word, enum field end, struct naming *n,
		      const struct values *v, enum own_part own)
{
	n->end = end;
	switch (own) {
	case OWN_ONLY:
		buf_printf(out, " %s self", word);
		if (v->all || !v->len)
			return;
		buf_puts(out, " in ");
		break;
	case OWN_NOT:
		buf_printf(out, " %s ", word);
		print_addresses(out, n, v);
		buf_puts(out, " (not self)");
		return;
	case OWN_ALSO:
		buf_printf(out, " %s self or ", word);
		break;
	case OWN_EITHER:
		buf_printf(out, " %s ", word);
		break;
	}
	print_addresses(out, n, v);
}

/* --- one line ----------------------------------------------------------------------- */

static void print_zones(struct buf *out, const struct values *v, const struct terms *t)
{
	const char *sep = " on ";

	if (v->all)
		return;
	for (size_t i = 0; i < v->len; i++)
		for (addr_num z = v->at[i].lo; z <= v->at[i].hi; z++) {
			if (z < t->zones.len)
				buf_printf(out, "%s%s", sep, t->zones.at[z]);
			else if (z == v->at[i].hi)
				buf_printf(out, "%sno zone", sep);
			sep = ", ";
		}
}

static bool is_icmp(const struct region *r)
{
	return r->proto.len == 1 && r->proto.at[0].lo == r->proto.at[0].hi &&
	       (r->proto.at[0].lo == PROTO_ICMP || r->proto.at[0].lo == PROTO_ICMPV6);
}

/* The family is said where neither an address nor the protocol shows it. */
static void print_with(struct buf *out, const struct region *r, const struct terms *t,
		       struct naming *n)
{
	own(buf) struct buf ends = { 0 };

	print_end(&ends, "from", FIELD_SRC, n, &r->src, r->src_own);
	print_ports(&ends, "port", &r->sport);
	print_end(&ends, "to", FIELD_DST, n, &r->dst, r->dst_own);
	print_ports(&ends, "port", &r->dport);

	print_protos(out, &r->proto);
	if (r->families != 3 && !n->literal && !is_icmp(r))
		buf_puts(out, r->families & 1u << FAMILY_IP4 ? " over IPv4" : " over IPv6");
	print_flags(out, &r->flags);
	print_icmp(out, &r->icmp);
	buf_puts(out, buf_text(&ends));
	print_zones(out, &r->zones, t);
}

static struct naming naming_of(const struct region *r, const struct ir *first,
			       const struct ir *second, struct arena *arena)
{
	return (struct naming){
		.of = { first ? first->policy : NULL, second ? second->policy : NULL },
		.family = r->families & 1u << FAMILY_IP4 ? FAMILY_IP4 : FAMILY_IP6,
		.arena = arena,
	};
}

void region_print(struct buf *out, const struct region *r, const struct terms *t,
		  const struct ir *first, const struct ir *second)
{
	own(arena) struct arena *arena = arena_new();
	struct naming n = naming_of(r, first, second, arena);

	print_with(out, r, t, &n);
}

/* One line being made of regions, in both families where it can be. */
struct lining {
	struct arena *arena;
	const struct terms *terms;
	const struct ir *first, *second;
};

/* As if the region were about these families; with the names that `like` took. */
static const char *line_of(const struct lining *k, const struct region *r, uint8_t families,
			   struct naming *like)
{
	own(buf) struct buf b = { 0 };
	own(arena) struct arena *mem = arena_new();
	struct region as = *r;
	struct naming n = naming_of(r, k->first, k->second, mem);

	memcpy(n.except, like->except, sizeof n.except);
	as.families = families;
	print_with(&b, &as, k->terms, &n);
	memcpy(like->except, n.except, sizeof n.except);
	return arena_strdup(k->arena, buf_text(&b));
}

/* Has the other family the same words, in one direction or the other? */
static const char *line_of_both(const struct lining *k, const struct region *a,
				const struct region *b)
{
	const struct region *order[2][2] = { { a, b }, { b, a } };

	for (int i = 0; i < 2; i++) {
		struct naming like = { 0 };
		const char *line = line_of(k, order[i][0], 3, &like);

		if (!strcmp(line, line_of(k, order[i][1], 3, &like)))
			return line;
	}
	return NULL;
}

struct region_lines region_lines(struct arena *arena, const struct region *at, size_t len,
				 const struct terms *t, const struct ir *first,
				 const struct ir *second)
{
	struct lining k = { arena, t, first, second };
	bool *told = arena_zero(arena, len + 1);
	VEC(const char *) lines = { 0 };

	for (size_t i = 0; i < len; i++) {
		struct naming alone = { 0 };
		const char *line = NULL;

		for (size_t j = i + 1; j < len && !told[i] && !line; j++)
			if (!told[j] && at[j].families != at[i].families)
				told[j] = (line = line_of_both(&k, &at[i], &at[j])) != NULL;
		if (told[i])
			continue;
		if (!line)
			line = line_of(&k, &at[i], at[i].families, &alone);
		vec_push(arena, &lines, line);
	}
	return (struct region_lines){ lines.at, lines.len };
}
