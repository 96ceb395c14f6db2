/*
 * meant.c - the packets that held values stand for.
 */
#include <stdlib.h>

#include "compiler/import/nft/held.h"

static int by_low(const void *x, const void *y)
{
	const struct range *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

static struct ranges many(struct arena *a, struct range *at, size_t len)
{
	struct ranges r = { arena_copy(a, at, len * sizeof *at), 0 };

	if (len)
		qsort(r.at, len, sizeof *r.at, by_low);
	for (size_t i = 0; i < len; i++) {
		struct range one = r.at[i];

		if (r.len && one.lo <= r.at[r.len - 1].hi + 1u)
			r.at[r.len - 1].hi = one.hi > r.at[r.len - 1].hi ? one.hi : r.at[r.len - 1].hi;
		else
			r.at[r.len++] = one;
	}
	return r;
}

/* Types, or codes of every type, as both together. */
static struct ranges messages(struct arena *a, const struct ranges *r, bool codes)
{
	VEC(struct range) all = { 0 };

	for (unsigned type = 0; type < (codes ? 256u : 1u); type++)
		for (size_t i = 0; i < r->len; i++) {
			struct range one = codes ? (struct range){ (uint16_t)(type << 8 | r->at[i].lo), (uint16_t)(type << 8 | r->at[i].hi) } :
						   (struct range){ (uint16_t)(r->at[i].lo << 8), (uint16_t)(r->at[i].hi << 8 | 255) };

			vec_push(a, &all, one);
		}
	return many(a, all.at, all.len);
}

/* The packets whose field has one of the values. */
struct region held_region(struct nft_context *cx, const struct nft_selector *s, const struct held *h, enum sure sure)
{
	struct arena *a = cx->rs->m->arena;
	struct box b = box_all(FAMILIES_ALL), later = b, both;
	struct addr_range *nets[FAMILY_COUNT] = { h->of[sure].nets[0].at, h->of[sure].nets[1].at };
	size_t counts[FAMILY_COUNT] = { h->of[sure].nets[0].len, h->of[sure].nets[1].len };
	struct ranges numbers = many(a, h->of[sure].numbers.at, h->of[sure].numbers.len);
	struct region r = { 0 };

	if (sure == PERHAPS && (h->any || s->look == LOOK_UNKNOWN))
		return region_of(a, &b);
	switch (s->look) {
	case LOOK_UNKNOWN:
	case LOOK_STATUS:
		return r;
	case LOOK_SRC:
		b.src = netset_of_ranges(a, nets, counts);
		break;
	case LOOK_DST:
		b.dst = netset_of_ranges(a, nets, counts);
		break;
	case LOOK_SPORT:
		b.sport = numbers;
		break;
	case LOOK_DPORT:
		b.dport = numbers;
		break;
	case LOOK_PROTO:
		b.proto = numbers;
		break;
	case LOOK_FAMILY:
		if (!h->of[sure].bits)
			return r;
		b = box_all((unsigned)h->of[sure].bits);
		break;
	case LOOK_IIF:
		b.inward = h->of[sure].bits;
		break;
	case LOOK_OIF:
		b.outward = h->of[sure].bits;
		break;
	case LOOK_STATE:
	case LOOK_WAY:
		b.states = h->of[sure].bits;
		break;
	case LOOK_TYPE:
	case LOOK_CODE:
		b.icmp = messages(a, &numbers, s->look == LOOK_CODE);
		break;
	case LOOK_FLAGS:
		b.flags = h->of[sure].bits;
		break;
	case LOOK_KIND:
		b.kinds = h->of[sure].bits;
		break;
	}
	if (s->begins) {
		later.states = (1u << CT_COUNT) - 1 - (1u << CT_NEW);
		b.states = 1u << CT_NEW;
	}
	struct box all = box_all(FAMILIES_ALL);

	if (box_meet(a, &b, &all, &both))
		r = region_of(a, &both);
	if (s->begins && sure == PERHAPS)
		vec_push(a, &r, later);
	return r;
}

void nft_add_odd(struct arena *a, struct region *to, const struct nft_lhs *l)
{
	struct region both = { 0 };

	region_add(a, &both, to);
	region_add(a, &both, &l->odd);
	*to = both;
}

/* What is asked, of those that have it; or all of those that is not asked. */
void nft_settle(struct nft_context *cx, const struct nft_lhs *l, struct region sure, struct region perhaps, bool negated, struct nft_match *out)
{
	struct arena *a = cx->rs->m->arena;

	if (negated) {
		out->sure = out->perhaps = l->has;
		region_minus(a, &out->sure, &perhaps, true);
		region_minus(a, &out->perhaps, &sure, false);
	} else {
		out->sure = region_meet(a, &l->has, &sure);
		out->perhaps = region_meet(a, &l->has, &perhaps);
	}
	nft_add_odd(a, &out->perhaps, l);
}

void held_meet(struct nft_context *cx, const struct nft_lhs *l, const struct held *h, struct region *sure, struct region *perhaps)
{
	struct arena *a = cx->rs->m->arena;
	struct box all = box_all(FAMILIES_ALL);

	*sure = *perhaps = region_of(a, &all);
	for (size_t i = 0; i < l->len; i++) {
		struct region s = held_region(cx, &l->at[i], &h[i], SURE), m = held_region(cx, &l->at[i], &h[i], PERHAPS);

		*sure = region_meet(a, sure, &s);
		*perhaps = region_meet(a, perhaps, &m);
	}
}

const char *held_unknown(const struct nft_lhs *l, const struct held *h)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->at[i].look == LOOK_UNKNOWN)
			return l->at[i].words;
	for (size_t i = 0; i < l->len; i++)
		if (h[i].unknown)
			return h[i].unknown;
	return NULL;
}
