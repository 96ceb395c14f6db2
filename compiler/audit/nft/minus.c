/*
 * A cell without another. Field by field, what lies outside in this one is a cell of the
 * answer, and what lies inside goes on to the next:
 *
 *     c ∖ gone  =  (c outside in A)  +  (c inside in A, outside in B)  +  …
 */
#include "compiler/audit/nft/ask.h"

struct minus {
	struct arena *arena;
	const struct cell *gone;
	struct cell rest; /* inside in every field so far */
	nft_cells *out;
};

static struct ranges ports_meet(struct arena *a, const struct ranges *x, const struct ranges *y)
{
	return ranges_are_all(x) ? *y : ranges_are_all(y) ? *x : ranges_meet(a, x, y);
}

static bool sides_meet(struct arena *a, const struct side *x, const struct side *y)
{
	struct addr_range *both = arena_zero(a, (x->len + y->len + 1) * sizeof *both);

	return x->full || y->full || x->self || y->self || nft_common(both, x->at, x->len, y->at, y->len);
}

bool nft_meets(struct arena *a, const struct cell *x, const struct cell *y)
{
	const uint8_t both = x->flags_mask & y->flags_mask;

	return (x->states & y->states) && (x->replies & y->replies) && (x->fragments & y->fragments) &&
	       (x->hops & y->hops) && (x->blocked & y->blocked) && (x->zones & y->zones) && x->proto_lo <= y->proto_hi &&
	       y->proto_lo <= x->proto_hi && !((x->flags_want ^ y->flags_want) & both) &&
	       ports_meet(a, &x->sport, &y->sport).len && ports_meet(a, &x->dport, &y->dport).len &&
	       ports_meet(a, &x->icmp, &y->icmp).len && sides_meet(a, &x->src, &y->src) &&
	       sides_meet(a, &x->dst, &y->dst);
}

static void outside(struct minus *m, const struct cell *c)
{
	vec_push(m->arena, m->out, *c);
}

#define MINUS_BITS(field)                                                       \
	do {                                                                    \
		struct cell c_ = m->rest;                                       \
		c_.field &= (__typeof__(c_.field))~m->gone->field;              \
		if (c_.field)                                                   \
			outside(m, &c_);                                        \
		m->rest.field &= m->gone->field;                                \
	} while (0)

static void minus_bits(struct minus *m)
{
	MINUS_BITS(states);
	MINUS_BITS(replies);
	MINUS_BITS(fragments);
	MINUS_BITS(hops);
	MINUS_BITS(blocked);
	MINUS_BITS(zones);
}

static void minus_proto(struct minus *m)
{
	struct cell below = m->rest, above = m->rest;

	if (m->rest.proto_lo < m->gone->proto_lo) {
		below.proto_hi = (uint16_t)(m->gone->proto_lo - 1);
		m->rest.proto_lo = m->gone->proto_lo;
		outside(m, &below);
	}
	if (m->rest.proto_hi > m->gone->proto_hi) {
		above.proto_lo = (uint16_t)(m->gone->proto_hi + 1);
		m->rest.proto_hi = m->gone->proto_hi;
		outside(m, &above);
	}
}

#define MINUS_RANGES(field)                                                                             \
	do {                                                                                            \
		struct cell c_ = m->rest;                                                               \
		c_.field = ranges_minus(m->arena, &m->rest.field, &m->gone->field);                     \
		if (c_.field.len)                                                                       \
			outside(m, &c_);                                                                \
		m->rest.field = ports_meet(m->arena, &m->rest.field, &m->gone->field);                  \
	} while (0)

static void minus_flags(struct minus *m)
{
	for (unsigned bit = 1; bit < 256; bit <<= 1) {
		struct cell c = m->rest;

		if (!(m->gone->flags_mask & bit) || (m->rest.flags_mask & bit))
			continue;
		c.flags_mask |= (uint8_t)bit;
		c.flags_want |= (uint8_t)(~m->gone->flags_want & bit);
		outside(m, &c);
		m->rest.flags_mask |= (uint8_t)bit;
		m->rest.flags_want |= (uint8_t)(m->gone->flags_want & bit);
	}
}

/* "Not the host's own" is nothing that a cell can say. */
static bool minus_side(struct minus *m, struct side *rest, const struct side *gone)
{
	const struct side whole = *rest;
	struct addr_range *at;
	size_t len, room;

	if (gone->full || (whole.self && gone->self && !whole.len && !gone->len))
		return true;
	if (gone->self || whole.self)
		return false;
	at = nft_others(m->arena, FAMILY_BITS(m->rest.family) / 8, gone->at, gone->len, &room);
	struct addr_range *out = arena_zero(m->arena, (whole.len + room + 1) * sizeof *out);
	len = nft_common(out, whole.at, whole.len, at, room);
	if (len) {
		*rest = (struct side){ .at = out, .len = len };
		outside(m, &m->rest);
	}
	struct addr_range *in = arena_zero(m->arena, (whole.len + gone->len + 1) * sizeof *in);
	len = nft_common(in, whole.at, whole.len, gone->at, gone->len);
	*rest = (struct side){ .at = in, .len = len };
	return true;
}

bool nft_minus(struct arena *a, const struct cell *c, const struct cell *gone, nft_cells *out)
{
	struct minus at = { a, gone, *c, out }, *m = &at;

	if (!nft_meets(a, c, gone)) {
		vec_push(a, out, *c);
		return true;
	}
	if (gone->unknown >= 0)
		return false;
	minus_bits(m);
	minus_proto(m);
	MINUS_RANGES(sport);
	MINUS_RANGES(dport);
	MINUS_RANGES(icmp);
	minus_flags(m);
	return minus_side(m, &m->rest.src, &gone->src) && minus_side(m, &m->rest.dst, &gone->dst);
}
