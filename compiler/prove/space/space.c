#include "compiler/prove/space/parts.h"

#include <string.h>

void space_release(struct space *s)
{
	free(s->dst.at);
	free(s->src.at);
	free(s->unknown_level);
	free(s->edges);
	free(s->sides);
	*s = (struct space){ 0 };
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
	s->unknown_level = memory_must(realloc(s->unknown_level, s->levels));
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
			space_note_side(s, &slices[n].at[i]->dst);
	if (more)
		space_note_side(s, &more->dst);
	space_cut(s, &s->dst, &w->dst);

	for (size_t n = 0; n < slice_count; n++)
		for (size_t i = 0; i < slices[n].len; i++)
			space_note_side(s, &slices[n].at[i]->src);
	if (more)
		space_note_side(s, &more->src);
	space_cut(s, &s->src, &w->src);
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

const struct range *space_u16(const struct space *s, enum field f)
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

	const struct range *w = space_u16(s, s->field_at[level]);

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
		uint32_t first = space_u16(s, s->field_at[level])->lo;

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
