/*
 * reach.c - which steps decide some packet at all.
 */
#include "compiler/prove/prover.h"

/*
 * A step decides when it is the first to have some packet. To find one, packets are taken from its cells, at their
 * bounds and between, the same ones on every machine. What is not found so may still decide: only a diagram says that it does not.
 */

/* Parts of more cells are not searched for packets: each step's are looked at in smaller ones. */
#define SEARCHED_MOST 2000
#define TRIES	      6

struct reach reach_begin(struct prover *p, const struct terms *t, const struct judgement *j)
{
	return (struct reach){
		.j = j,
		.reached = arena_zero(p->arena, (j->step_count + 1) * sizeof(bool)),
		.over = arena_zero(p->arena, t->unknowns.len * sizeof(bool)),
	};
}

static uint64_t next(uint64_t *draw)
{
	*draw ^= *draw << 13;
	*draw ^= *draw >> 7;
	*draw ^= *draw << 17;
	return *draw;
}

/* The first value, the last, or one between. */
static addr_num between(uint64_t *draw, addr_num lo, addr_num hi)
{
	switch (next(draw) % 4) {
	case 0:
		return lo;
	case 1:
		return hi;
	}
	const addr_num wide = hi - lo, far = (addr_num)next(draw) << 64 | next(draw);

	return wide + 1 ? lo + far % (wide + 1) : far;
}

static bool pick_address(uint64_t *draw, addr_num *out, bool *is_self, const struct side *s, const struct addr_range *w)
{
	addr_num lo = w->lo, hi = w->hi;

	*is_self = s->self;
	if (!s->full && !s->self) {
		const struct addr_range *r = &s->at[next(draw) % s->len];

		lo = r->lo > lo ? r->lo : lo;
		hi = r->hi < hi ? r->hi : hi;
	}
	if (lo > hi)
		return false;
	*out = between(draw, lo, hi);
	return true;
}

static bool pick_value(uint64_t *draw, uint16_t *out, const struct ranges *of, const struct range *w)
{
	const struct range *r = &of->at[next(draw) % of->len];
	const uint16_t lo = r->lo > w->lo ? r->lo : w->lo, hi = r->hi < w->hi ? r->hi : w->hi;

	if (lo > hi)
		return false;
	*out = (uint16_t)between(draw, lo, hi);
	return true;
}

static unsigned lowest(uint64_t bits)
{
	return (unsigned)__builtin_ctzll(bits);
}

/* Of new flows and whole packets, where the cell has such. */
static enum ct_state pick_state(unsigned states)
{
	return states >> CT_NEW & 1 ? CT_NEW : (enum ct_state)lowest(states);
}

/* Some packet of the cell in the window. False when this draw has none. */
static bool pick(struct point *out, uint64_t *draw, const struct cell *c, const struct window *w)
{
	struct packet *p = &out->packet;
	const unsigned proto_lo = c->proto_lo > w->proto.lo ? c->proto_lo : w->proto.lo;
	const unsigned proto_hi = c->proto_hi < w->proto.hi ? c->proto_hi : w->proto.hi;

	*p = (struct packet){
		.family = c->family,
		.zone = lowest(c->zones & w->zones),
		.state = pick_state(c->states & w->states),
		.fragment = (uint8_t)(1u << lowest(c->fragments & w->fragments)),
		.reply = !(c->replies & 1),
		.hop_limit = c->hops >> HOPS_OTHER & 1 ? 64 : c->hops >> HOPS_255 & 1 ? 255 : 1,
		.flags = c->flags_want,
		.proto = (uint8_t)between(draw, proto_lo, proto_hi),
	};
	out->blocked = !(c->blocked & 1);
	return pick_address(draw, &p->dst.num, &out->dst_self, &c->dst, &w->dst) &&
	       pick_address(draw, &p->src.num, &out->src_self, &c->src, &w->src) &&
	       pick_value(draw, &p->dport, &c->dport, &w->dport) && pick_value(draw, &p->sport, &c->sport, &w->sport) &&
	       pick_value(draw, &p->icmp, &c->icmp, &w->icmp);
}

/* The slice's first that has the packet, by plain first match. */
static uint32_t first_of(const struct slice *s, const struct point *p)
{
	const struct judgement *j = s->of;
	bool spared = false;

	for (size_t i = 0; i < s->len; i++) {
		const uint32_t step = s->at[i]->step;

		if ((spared && step < j->layer4) || !cell_has(s->at[i], p))
			continue;
		if (!j->steps[step].goes_on)
			return step;
		spared = true;
	}
	return UINT32_MAX;
}

/* The cell's packets that lie within the other too, as far as few values say it; the rest is asked of each packet. */
static struct cell narrowed(const struct cell *c, const struct cell *within)
{
	struct cell both = *c;

	if (!within)
		return both;
	both.states &= within->states;
	both.replies &= within->replies;
	both.fragments &= within->fragments;
	both.hops &= within->hops;
	both.blocked &= 1u;
	both.zones &= within->zones;
	both.flags_want |= within->flags_want;
	return both;
}

/* Has it any packet that is looked for? */
static bool may_meet(const struct reach *k, const struct cell *c)
{
	if (!k->within)
		return k->j->steps[c->step].rule;

	const struct cell both = narrowed(c, k->within);

	return both.states && both.replies && both.fragments && both.hops && both.blocked && both.zones &&
	       (c->unknown < 0 || c->unknown == k->within->unknown);
}

static bool is_open(const struct reach *k, const struct cell *c)
{
	return !k->reached[c->step] && !k->j->steps[c->step].goes_on && may_meet(k, c);
}

/* Whichever step the packet is found to be decided by, that one decides. */
static void search(struct reach *k, const struct slice *s, size_t at, const struct window *w)
{
	const struct cell *c = s->at[at], both = narrowed(c, k->within);
	const int unknown = k->within ? k->within->unknown : c->unknown;
	uint64_t draw = (c->step + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 0; i < TRIES && !k->reached[c->step]; i++) {
		struct point p = { .over = k->over };
		uint32_t step;

		if (!pick(&p, &draw, &both, w))
			continue;
		p.dst_self |= k->within && k->within->dst.self;
		p.src_self |= k->within && k->within->src.self;
		if (unknown >= 0)
			k->over[unknown] = true;
		step = !k->within || cell_has(k->within, &p) ? first_of(s, &p) : UINT32_MAX;
		if (step != UINT32_MAX)
			k->reached[step] = true;
		if (unknown >= 0)
			k->over[unknown] = false;
	}
}

size_t reach_need(const struct slice *s, const struct window *w, void *reach)
{
	struct reach *k = reach;
	size_t need = 0;

	for (size_t i = 0; i < s->len; i++) {
		if (is_open(k, s->at[i]) && s->len <= SEARCHED_MOST)
			search(k, s, i, w);
		if (is_open(k, s->at[i]))
			need = i + 1;
	}
	return need;
}

void reach_ask(struct idd *m, struct space *s, const struct slice *slice, void *reach)
{
	struct reach *k = reach;

	idd_numbers(m, space_steps_among(m, s, slice, k->reached), k->reached);
}

void reach_gave_up(const struct slice *slice, void *reach)
{
	struct reach *k = reach;

	for (size_t i = 0; i < slice->len; i++)
		k->reached[slice->at[i]->step] = true;
}
