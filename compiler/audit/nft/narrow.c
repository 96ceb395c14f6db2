/* What comparing a value leaves of a cell. */
#include <string.h>

#include "compiler/audit/nft/ask.h"
#include "compiler/ir/proto.h"

typedef const struct addr_range *ranges_at;

addr_num nft_value_last(unsigned bytes)
{
	return bytes == 16 ? ~(addr_num)0 : ((addr_num)1 << (8 * bytes)) - 1;
}

struct addr_range *nft_others(struct arena *a, unsigned bytes, ranges_at at, size_t len, size_t *out_len)
{
	struct addr_range *out = arena_zero(a, (len + 1) * sizeof *out);
	addr_num next = 0, last = nft_value_last(bytes);
	bool ended = false;

	*out_len = 0;
	for (size_t i = 0; i < len; i++) {
		if (at[i].lo > next)
			out[(*out_len)++] = (struct addr_range){ next, at[i].lo - 1 };
		ended = at[i].hi == last;
		next = at[i].hi + 1;
	}
	if (!ended)
		out[(*out_len)++] = (struct addr_range){ next, last };
	return out;
}

static bool has(ranges_at at, size_t len, addr_num v)
{
	size_t from = 0, to = len;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (at[mid].hi < v)
			from = mid + 1;
		else
			to = mid;
	}
	return from < len && at[from].lo <= v;
}

size_t nft_common(struct addr_range *out, ranges_at x, size_t x_len, ranges_at y, size_t y_len)
{
	size_t len = 0;

	for (size_t i = 0, j = 0; i < x_len && j < y_len;) {
		addr_num lo = x[i].lo > y[j].lo ? x[i].lo : y[j].lo;
		addr_num hi = x[i].hi < y[j].hi ? x[i].hi : y[j].hi;

		if (lo <= hi)
			out[len++] = (struct addr_range){ lo, hi };
		if (x[i].hi < y[j].hi)
			i++;
		else
			j++;
	}
	return len;
}

/* --- one answer for several values ---------------------------------------------------------------------- */

enum whether { NO, YES, SOME };

static enum whether whether(bool some, bool all)
{
	return all ? YES : some ? SOME : NO;
}

struct narrowing {
	const struct nft_world *w;
	const struct cell *c;
	const struct nft_value *v;
	ranges_at at;
	size_t len;
	nft_cells *out;
};

static bool holds(const struct narrowing *n, addr_num value)
{
	return has(n->at, n->len, value & n->v->mask);
}

static bool keep(struct narrowing *n, const struct cell *c)
{
	vec_push(n->w->arena, n->out, *c);
	return true;
}

/* All packets of the cell, none, or it cannot be told. */
static bool keep_whether(struct narrowing *n, enum whether is)
{
	return is == YES ? keep(n, n->c) : is == NO;
}

static bool whole(const struct narrowing *n)
{
	return n->v->mask == nft_value_last(n->v->bytes);
}

/* A number that may be anything: told only when it does not matter. */
static bool narrow_any(struct narrowing *n)
{
	bool all = n->len && n->at[0].lo == 0 && n->at[0].hi >= n->v->mask;

	return keep_whether(n, whether(n->len != 0, all));
}

static bool narrow_data_offset(struct narrowing *n)
{
	bool some = false, all = true;

	for (unsigned v = 0x50; v <= 0xff; v++) {
		some |= holds(n, v);
		all &= holds(n, v);
	}
	return keep_whether(n, whether(some, all));
}

/* --- interfaces ------------------------------------------------------------------------------------------- */

static const addr_num LOOPBACK = (addr_num)('l' << 8 | 'o') << 112;

static enum whether names_in(const struct narrowing *n, const struct nft_names *names)
{
	struct addr_range *common = arena_zero(n->w->arena, (n->len + names->len + 1) * sizeof *common);
	size_t len = nft_common(common, n->at, n->len, names->at, names->len);
	addr_num want = 0, got = 0;

	for (size_t i = 0; i < names->len; i++)
		want += names->at[i].hi - names->at[i].lo + 1;
	for (size_t i = 0; i < len; i++)
		got += common[i].hi - common[i].lo + 1;
	return whether(len != 0, want == got);
}

static bool narrow_zone(struct narrowing *n)
{
	struct cell c = *n->c;

	if (!whole(n))
		return false;
	if (n->w->loopback)
		return keep_whether(n, whether(holds(n, LOOPBACK), holds(n, LOOPBACK)));
	for (uint64_t left = c.zones; left; left &= left - 1) {
		unsigned zone = (unsigned)__builtin_ctzll(left);
		enum whether is = names_in(n, &n->w->zones[zone]);

		if (is == SOME)
			return false;
		if (is == NO)
			c.zones &= ~(UINT64_C(1) << zone);
	}
	return !c.zones || keep(n, &c);
}

/* --- protocols, ports, ICMP ------------------------------------------------------------------------------- */

static bool narrow_family(struct narrowing *n, addr_num ip4, addr_num ip6)
{
	bool is = holds(n, n->w->family == FAMILY_IP4 ? ip4 : ip6);

	return keep_whether(n, whether(is, is));
}

static bool narrow_proto(struct narrowing *n)
{
	if (!whole(n))
		return false;
	for (size_t i = 0; i < n->len; i++) {
		struct cell c = *n->c;

		if (n->at[i].lo > c.proto_hi || n->at[i].hi < c.proto_lo)
			continue;
		if (n->at[i].lo > c.proto_lo)
			c.proto_lo = (uint16_t)n->at[i].lo;
		if (n->at[i].hi < c.proto_hi)
			c.proto_hi = (uint16_t)n->at[i].hi;
		keep(n, &c);
	}
	return true;
}

static bool keep_ranges(struct narrowing *n, struct ranges *(*part)(struct cell *c), const struct ranges *with)
{
	struct cell c = *n->c;
	struct ranges *r = part(&c);

	*r = ranges_are_all(r) ? *with : ranges_meet(n->w->arena, r, with);
	return !r->len || keep(n, &c);
}

static struct ranges *sport_of(struct cell *c)
{
	return &c->sport;
}

static struct ranges *dport_of(struct cell *c)
{
	return &c->dport;
}

static struct ranges *icmp_of(struct cell *c)
{
	return &c->icmp;
}

/* The ranges `by` bits up, each filled below: a type is a range of types and codes. */
static struct ranges numbers(const struct narrowing *n, unsigned by)
{
	struct ranges r = { arena_zero(n->w->arena, (n->len + 1) * sizeof *r.at), n->len };

	for (size_t i = 0; i < n->len; i++)
		r.at[i] = (struct range){ (uint16_t)(n->at[i].lo << by),
					  (uint16_t)(n->at[i].hi << by | ((1u << by) - 1)) };
	return r;
}

static bool narrow_u16(struct narrowing *n, struct ranges *(*part)(struct cell *c), unsigned by)
{
	struct ranges r;

	if (!whole(n))
		return false;
	r = numbers(n, by);
	return keep_ranges(n, part, &r);
}

static bool narrow_icmp_code(struct narrowing *n)
{
	struct ranges all = { 0 };

	for (unsigned type = 0; type < 256; type++)
		for (unsigned code = 0; code < 256; code++)
			if (holds(n, code)) {
				unsigned from = code;

				while (code < 255 && holds(n, code + 1))
					code++;
				struct range r = { (uint16_t)(type << 8 | from), (uint16_t)(type << 8 | code) };
				struct ranges one = { &r, 1 };
				struct ranges met = ranges_meet(n->w->arena, &n->c->icmp, &one);

				if (met.len)
					all = ranges_join(n->w->arena, &all, &met);
			}
	return keep_ranges(n, icmp_of, &all);
}

/* --- TCP flags: a set of values as masks ------------------------------------------------------------------- */

struct flag_values {
	bool has[256];
};

/* One cell when the values are all that agree in some bits; else those with a bit, and those without. */
static void keep_flags(struct narrowing *n, const struct flag_values *f)
{
	struct flag_values half[2] = { 0 };
	unsigned ones = 0xff, zeros = 0xff, count = 0;

	for (unsigned v = 0; v < 256; v++)
		if (f->has[v]) {
			ones &= v;
			zeros &= ~v;
			count++;
		}
	const unsigned mask = ones | zeros, bit = ~mask & (mask + 1);
	if (!count)
		return;
	if (count == 1u << (8 - __builtin_popcount(mask))) {
		struct cell c = *n->c;

		c.flags_mask = (uint8_t)mask;
		c.flags_want = (uint8_t)ones;
		keep(n, &c);
		return;
	}
	for (unsigned v = 0; v < 256; v++)
		half[(v & bit) != 0].has[v] = f->has[v];
	keep_flags(n, &half[0]);
	keep_flags(n, &half[1]);
}

static bool narrow_flags(struct narrowing *n)
{
	struct flag_values f;

	for (unsigned v = 0; v < 256; v++)
		f.has[v] = holds(n, v) && (v & n->c->flags_mask) == n->c->flags_want;
	keep_flags(n, &f);
	return true;
}

/* --- hop limits, fragments, flows ----------------------------------------------------------------------------- */

static bool narrow_hops(struct narrowing *n)
{
	struct cell c = *n->c;
	bool some = false, all = true;

	for (unsigned v = 0; v < 256; v++)
		if (hops_of((uint8_t)v) == HOPS_OTHER) {
			some |= holds(n, v);
			all &= holds(n, v);
		}
	if ((c.hops & 1u << HOPS_OTHER) && some && !all)
		return false;
	if (!some)
		c.hops &= (uint8_t)~(1u << HOPS_OTHER);
	if (!holds(n, 1))
		c.hops &= (uint8_t)~(1u << HOPS_1);
	if (!holds(n, 255))
		c.hops &= (uint8_t)~(1u << HOPS_255);
	return !c.hops || keep(n, &c);
}

/* Where a fragment begins, in units of 8 bytes, `zero` being those that are at 0. */
static bool narrow_fragment(struct narrowing *n, addr_num mask, uint8_t zero)
{
	struct cell c = *n->c;
	addr_num least = mask & -mask;
	bool at_zero = holds(n, 0), some = false, all = true;

	if (n->v->mask != mask)
		return false;
	for (addr_num v = least; v <= mask; v += least) {
		some |= holds(n, v);
		all &= holds(n, v);
	}
	if (some && !all)
		return false;
	c.fragments &= (uint8_t)((at_zero ? zero : 0) | (all ? FRAGMENT_LATER : 0));
	return !c.fragments || keep(n, &c);
}

/* NF_CT_STATE_BIT, NF_CT_STATE_INVALID_BIT and _UNTRACKED_BIT of linux/netfilter/nf_conntrack_common.h. */
static const uint8_t state_bits[CT_COUNT] = {
	[CT_INVALID] = 1, [CT_ESTABLISHED] = 2, [CT_RELATED] = 4, [CT_NEW] = 8, [CT_UNTRACKED] = 64,
};

static bool narrow_state(struct narrowing *n)
{
	struct cell c = *n->c;

	for (int s = 0; s < CT_COUNT; s++)
		if (!holds(n, state_bits[s]))
			c.states &= (uint8_t)~(1u << s);
	return !c.states || keep(n, &c);
}

/* Only what belongs to a flow has a direction: otherwise the load ends the rule. */
static bool narrow_reply(struct narrowing *n)
{
	struct cell c = *n->c;

	c.states &= 1u << CT_NEW | 1u << CT_ESTABLISHED | 1u << CT_RELATED;
	for (unsigned v = 0; v < 2; v++)
		if (!holds(n, v))
			c.replies &= (uint8_t)~(1u << v);
	return !c.states || !c.replies || keep(n, &c);
}

/* --- addresses --------------------------------------------------------------------------------------------------- */

/* The addresses whose leading bits lie in the ranges. */
static bool unmasked(struct narrowing *n, struct addr_range **out, size_t *len)
{
	addr_num rest = nft_value_last(n->v->bytes) & ~n->v->mask;

	if (rest & (rest + 1))
		return false;
	*out = arena_zero(n->w->arena, (n->len + 1) * sizeof **out);
	*len = 0;
	for (size_t i = 0; i < n->len; i++) {
		addr_num lo = (n->at[i].lo + rest) & ~rest, hi = n->at[i].hi | rest;

		if (n->at[i].lo + rest < n->at[i].lo || (n->at[i].hi & ~rest) < lo)
			continue;
		if (*len && (*out)[*len - 1].hi + 1 == lo)
			(*out)[*len - 1].hi = hi;
		else
			(*out)[(*len)++] = (struct addr_range){ lo, hi };
	}
	return true;
}

static struct side *side_of(struct cell *c, const struct nft_value *v)
{
	return v->what == NFT_ASKED_SRC || v->what == NFT_ASKED_SRC_TYPE ? &c->src : &c->dst;
}

static bool narrow_address(struct narrowing *n)
{
	struct cell c = *n->c;
	struct side *s = side_of(&c, n->v);
	struct addr_range *at = (struct addr_range *)n->at;
	size_t len = n->len;

	if (!whole(n) && !unmasked(n, &at, &len))
		return false;
	if (!len)
		return true;
	if (len == 1 && at->lo == 0 && at->hi == nft_value_last(n->v->bytes))
		return keep(n, &c);
	if (s->self)
		return false;
	if (s->full) {
		*s = (struct side){ .at = at, .len = len };
		return keep(n, &c);
	}
	struct addr_range *both = arena_zero(n->w->arena, (s->len + len) * sizeof *both);
	len = nft_common(both, s->at, s->len, at, len);
	*s = (struct side){ .at = both, .len = len };
	return !len || keep(n, &c);
}

/* RTN_LOCAL of linux/rtnetlink.h. What is forwarded is not for the host itself. */
static bool narrow_type(struct narrowing *n)
{
	enum { LOCAL = 2 };
	struct cell c = *n->c;
	struct side *s = side_of(&c, n->v);

	if (!whole(n) || n->len != 1 || n->at[0].lo != LOCAL || n->at[0].hi != LOCAL)
		return false;
	if (n->v->what == NFT_ASKED_DST_TYPE && n->w->direction == DIRECTION_FORWARD)
		return true;
	if (!s->full && !(s->self && !s->len))
		return false;
	*s = (struct side){ .self = true };
	return keep(n, &c);
}

/* --- by the protocol, once it is known ------------------------------------------------------------------------------ */

static bool narrow_by_proto(struct narrowing *n)
{
	struct nft_value v = *n->v;

	v.what = nft_in_transport(n->w->family, n->c, v.at, v.bytes);
	return v.what != NFT_ASKED_SEVERAL && nft_narrow(n->w, n->c, &v, n->at, n->len, n->out);
}

/* --- several fields at once ------------------------------------------------------------------------------------------ */

/* What is asked of one of the fields: its value under the mask lies in a range. */
struct part {
	struct nft_value v;
	struct addr_range at;
	addr_num last; /* of its numbers */
};

static struct part part_of(const struct narrowing *n, unsigned field)
{
	const struct nft_several *s = n->v->several;
	const unsigned bits = s->fields[field].bits, bytes = s->fields[field].bytes;
	const addr_num last = nft_value_last(bytes);

	return (struct part){
		.v = { .what = s->fields[field].what, .bytes = bytes, .mask = n->v->mask >> bits & last },
		.at = { n->at->lo >> bits & last, n->at->hi >> bits & last },
		.last = last,
	};
}

static bool narrow_part(struct narrowing *n, const struct part *p, nft_cells *cells)
{
	const struct addr_range *at = arena_copy(n->w->arena, &p->at, sizeof p->at);
	nft_cells next = { 0 };

	if (!p->v.mask)
		return true;
	for (size_t i = 0; i < cells->len; i++)
		if (!nft_narrow(n->w, &cells->at[i], &p->v, at, 1, &next))
			return false;
	*cells = next;
	return true;
}

/*
 * Some leading bits of each have one value, or all of all lie in a range that is one for each field: the first fields have one
 * value, the next a range, the last any. Else it cannot be told; between the fields nothing may be asked.
 */
static bool narrow_several(struct narrowing *n)
{
	const struct nft_several *s = n->v->several;
	addr_num left = n->v->mask;
	nft_cells cells = { 0 };
	bool apart = false;

	if (n->len != 1 || n->v->host || (n->at->lo != n->at->hi && !whole(n)))
		return false;
	vec_push(n->w->arena, &cells, *n->c);
	for (unsigned f = 0; f < s->count; f++) {
		const struct part p = part_of(n, f);

		left &= ~(p.last << s->fields[f].bits);
		if (apart && (p.at.lo || p.at.hi != p.last))
			return false;
		apart |= p.at.lo != p.at.hi;
		if (p.at.lo & ~p.v.mask)
			return true; /* no packet has such a bit behind the mask */
		if (!narrow_part(n, &p, &cells))
			return false;
	}
	if (left)
		return false;
	if (n->at->lo & ~n->v->mask)
		return true;
	for (size_t i = 0; i < cells.len; i++)
		keep(n, &cells.at[i]);
	return true;
}

/* --- all ------------------------------------------------------------------------------------------------------------ */

bool nft_narrow(const struct nft_world *w, const struct cell *c, const struct nft_value *v, ranges_at at,
		size_t len, nft_cells *out)
{
	struct narrowing n = { w, c, v, at, len, out };

	switch (v->what) {
	case NFT_ASKED_NOTHING:
	case NFT_ASKED_UNKNOWN:
		return false;
	case NFT_ASKED_BYTES:
		return narrow_any(&n);
	case NFT_ASKED_ZONE:
		return narrow_zone(&n);
	case NFT_ASKED_ETHERTYPE:
		return narrow_family(&n, 0x0800, 0x86dd);
	case NFT_ASKED_NFPROTO:
		return narrow_family(&n, 2, 10); /* NFPROTO_IPV4 and _IPV6 of linux/netfilter.h */
	case NFT_ASKED_PROTO:
		return narrow_proto(&n);
	case NFT_ASKED_SRC:
	case NFT_ASKED_DST:
		return narrow_address(&n);
	case NFT_ASKED_SPORT:
		return narrow_u16(&n, sport_of, 0);
	case NFT_ASKED_DPORT:
		return narrow_u16(&n, dport_of, 0);
	case NFT_ASKED_ICMP:
		return narrow_u16(&n, icmp_of, 0);
	case NFT_ASKED_ICMP_TYPE:
		return narrow_u16(&n, icmp_of, 8);
	case NFT_ASKED_ICMP_CODE:
		return narrow_icmp_code(&n);
	case NFT_ASKED_FLAGS:
		return narrow_flags(&n);
	case NFT_ASKED_DATA_OFFSET:
		return narrow_data_offset(&n);
	case NFT_ASKED_HOPS:
		return narrow_hops(&n);
	case NFT_ASKED_FRAGMENT4:
		return narrow_fragment(&n, 0x1fff, FRAGMENT_WHOLE | FRAGMENT_FIRST);
	case NFT_ASKED_FRAGMENT6:
		return narrow_fragment(&n, 0xfff8, FRAGMENT_FIRST);
	case NFT_ASKED_STATE:
		return narrow_state(&n);
	case NFT_ASKED_REPLY:
		return narrow_reply(&n);
	case NFT_ASKED_SRC_TYPE:
	case NFT_ASKED_DST_TYPE:
		return narrow_type(&n);
	case NFT_ASKED_BY_PROTO:
		return narrow_by_proto(&n);
	case NFT_ASKED_SEVERAL:
		return narrow_several(&n);
	}
	return false;
}
