/* cell - sets of packets: a box as cells, whether two are alike, whether one has a packet. */
#include "compiler/prove/judgement/parts.h"

#include "compiler/ir/proto.h"

static const struct addr_range full_range[FAMILY_COUNT] = {
	[FAMILY_IP4] = { 0, UINT32_MAX },
	[FAMILY_IP6] = { 0, ~(addr_num)0 },
};

static const struct range full_u16 = { 0, UINT16_MAX };

static struct ranges all_u16(void)
{
	return (struct ranges){ (struct range *)&full_u16, 1 };
}

struct cell cell_any(enum family family, uint64_t zones)
{
	struct side full = { .full = true, .at = &full_range[family], .len = 1 };

	return (struct cell){
		.family = family,
		.states = STATES_ALL,
		.replies = BOTH,
		.fragments = FRAGMENT_ANY,
		.hops = HOPS_ALL,
		.blocked = BOTH,
		.proto_hi = UINT8_MAX,
		.zones = zones,
		.unknown = -1,
		.dst = full,
		.src = full,
		.sport = all_u16(),
		.dport = all_u16(),
		.icmp = all_u16(),
	};
}

static struct side side_of(const struct ir_end *e, enum family family)
{
	struct side s = { .full = e->any, .self = !e->any && e->self };

	if (e->any) {
		s.at = &full_range[family];
		s.len = 1;
	} else if (e->set) {
		s.at = e->set->set.at[family];
		s.len = e->set->set.len[family];
	}
	return s;
}

size_t cells_of_box(const struct terms *t, const struct ir *ir, const struct ir_box *box,
		    enum direction direction, struct cell out[static FAMILY_COUNT])
{
	size_t len = 0;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (!(box->families & 1u << f))
			continue;

		struct cell c = cell_any((enum family)f, terms_zones(t, ir, box->zones));

		c.fragments = box->fragments;
		c.flags_mask = box->flags_mask;
		c.flags_want = box->flags_want;
		if (box->proto != PROTO_ANY_NUMBER)
			c.proto_lo = c.proto_hi = box->proto;
		c.dst = side_of(&box->dst, c.family);
		c.dst.self &= direction != DIRECTION_FORWARD;
		c.src = side_of(&box->src, c.family);
		c.sport = box->sport;
		c.dport = box->dport;
		c.icmp = box->icmp;
		if ((c.dst.len || c.dst.self) && (c.src.len || c.src.self) && c.zones)
			out[len++] = c;
	}
	return len;
}

/* --- comparing --------------------------------------------------------------------------- */

static uint64_t mix_side(uint64_t h, const struct side *s)
{
	h = hash_mix(h, s->len << 2 | (uint64_t)s->self << 1 | s->full);
	for (size_t i = 0; i < s->len; i++) {
		h = hash_mix(h, (uint64_t)s->at[i].lo);
		h = hash_mix(h, (uint64_t)(s->at[i].lo >> 64));
		h = hash_mix(h, (uint64_t)s->at[i].hi);
		h = hash_mix(h, (uint64_t)(s->at[i].hi >> 64));
	}
	return h;
}

static uint64_t mix_ranges(uint64_t h, const struct ranges *r)
{
	h = hash_mix(h, r->len);
	for (size_t i = 0; i < r->len; i++)
		h = hash_mix(h, (uint64_t)r->at[i].lo << 16 | r->at[i].hi);
	return h;
}

uint64_t cell_mix(uint64_t h, const struct cell *c)
{
	h = hash_mix(h, (uint64_t)c->family << 56 | (uint64_t)c->states << 48 |
			   (uint64_t)c->replies << 40 | (uint64_t)c->fragments << 32 |
			   (uint64_t)c->hops << 24 | (uint64_t)c->blocked << 16 |
			   (uint64_t)c->flags_mask << 8 | c->flags_want);
	h = hash_mix(h, (uint64_t)c->proto_lo << 16 | c->proto_hi);
	h = hash_mix(h, c->zones);
	h = hash_mix(h, (uint64_t)c->unknown);
	h = mix_side(h, &c->dst);
	h = mix_side(h, &c->src);
	h = mix_ranges(h, &c->sport);
	h = mix_ranges(h, &c->dport);
	return mix_ranges(h, &c->icmp);
}

static bool side_same(const struct side *a, const struct side *b)
{
	if (a->self != b->self || a->full != b->full || a->len != b->len)
		return false;
	if (a->at == b->at)
		return true;
	for (size_t i = 0; i < a->len; i++)
		if (a->at[i].lo != b->at[i].lo || a->at[i].hi != b->at[i].hi)
			return false;
	return true;
}

bool cell_same(const struct cell *a, const struct cell *b)
{
	return a->family == b->family && a->states == b->states && a->replies == b->replies &&
	       a->fragments == b->fragments && a->hops == b->hops && a->blocked == b->blocked &&
	       a->flags_mask == b->flags_mask && a->flags_want == b->flags_want &&
	       a->proto_lo == b->proto_lo && a->proto_hi == b->proto_hi && a->zones == b->zones &&
	       a->unknown == b->unknown && side_same(&a->dst, &b->dst) &&
	       side_same(&a->src, &b->src) && ranges_equal(&a->sport, &b->sport) &&
	       ranges_equal(&a->dport, &b->dport) && ranges_equal(&a->icmp, &b->icmp);
}

/* --- packets of two ------------------------------------------------------------------ */

static struct ranges ports_meet(struct arena *a, const struct ranges *x, const struct ranges *y)
{
	return ranges_are_all(x) ? *y : ranges_are_all(y) ? *x : ranges_meet(a, x, y);
}

static bool side_meet(struct arena *a, const struct side *x, const struct side *y, struct side *out, bool *exact)
{
	struct addr_range *both;
	size_t n = 0;

	*out = x->full ? *y : *x;
	if (x->full || y->full || side_same(x, y))
		return true;
	if (x->self != y->self) {
		*exact = false;
		return true;
	}
	both = arena_zero(a, (x->len + y->len) * sizeof *both);
	for (size_t i = 0, k = 0; i < x->len && k < y->len;) {
		const addr_num lo = x->at[i].lo > y->at[k].lo ? x->at[i].lo : y->at[k].lo;
		const addr_num hi = x->at[i].hi < y->at[k].hi ? x->at[i].hi : y->at[k].hi;

		if (lo <= hi)
			both[n++] = (struct addr_range){ lo, hi };
		if (x->at[i].hi < y->at[k].hi)
			i++;
		else
			k++;
	}
	out->at = both;
	out->len = n;
	return n || x->self;
}

bool cell_meet(struct arena *a, const struct cell *x, const struct cell *y, struct cell *both, bool *exact)
{
	*both = *x;
	both->states &= y->states;
	both->replies &= y->replies;
	both->fragments &= y->fragments;
	both->hops &= y->hops;
	both->blocked &= y->blocked;
	both->zones &= y->zones;
	both->flags_mask |= y->flags_mask;
	both->flags_want |= y->flags_want;
	both->proto_lo = x->proto_lo > y->proto_lo ? x->proto_lo : y->proto_lo;
	both->proto_hi = x->proto_hi < y->proto_hi ? x->proto_hi : y->proto_hi;
	both->sport = ports_meet(a, &x->sport, &y->sport);
	both->dport = ports_meet(a, &x->dport, &y->dport);
	both->icmp = ports_meet(a, &x->icmp, &y->icmp);
	return x->family == y->family && both->states && both->replies && both->fragments && both->hops && both->blocked &&
	       both->zones && !((x->flags_want ^ y->flags_want) & x->flags_mask & y->flags_mask) &&
	       both->proto_lo <= both->proto_hi && both->sport.len && both->dport.len && both->icmp.len &&
	       side_meet(a, &x->src, &y->src, &both->src, exact) &&
	       side_meet(a, &x->dst, &y->dst, &both->dst, exact);
}

/* --- one packet --------------------------------------------------------------------- */

static bool side_has(const struct side *s, addr_num a, bool is_self)
{
	if (s->full || (s->self && is_self))
		return true;
	for (size_t i = 0; i < s->len && s->at[i].lo <= a; i++)
		if (a <= s->at[i].hi)
			return true;
	return false;
}

static bool bit(uint64_t mask, unsigned value)
{
	return mask >> value & 1;
}

bool cell_has(const struct cell *c, const struct point *p)
{
	const struct packet *k = &p->packet;

	return c->family == k->family && bit(c->states, k->state) && bit(c->replies, k->reply) &&
	       (c->fragments & k->fragment) && bit(c->hops, hops_of(k->hop_limit)) &&
	       bit(c->blocked, p->blocked) && bit(c->zones, k->zone) &&
	       (c->unknown < 0 || p->over[c->unknown]) && c->proto_lo <= k->proto &&
	       k->proto <= c->proto_hi && (k->flags & c->flags_mask) == c->flags_want &&
	       ranges_has(&c->dport, k->dport) && ranges_has(&c->sport, k->sport) &&
	       ranges_has(&c->icmp, k->icmp) && side_has(&c->dst, k->dst.num, p->dst_self) &&
	       side_has(&c->src, k->src.num, p->src_self);
}
