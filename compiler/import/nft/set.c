/*
 * set.c - sets: elements, one behind the other, gathered into one match.
 */
#include <string.h>

#include "compiler/import/nft/held.h"

#define SETS_DEEP 16
#define JOINED_MAX 512 /* elements of a set that joins fields; one with more is not known */

/* What may stand behind a key: its counter, its end. *ends: it does not stay. */
static int read_options(struct nft_context *cx, struct nft_part *p, bool *ends)
{
	for (;;) {
		const struct nft_token *t = nft_peek(p);

		nft_skip_lines(p);
		if (nft_eat(p, "counter")) {
			while (nft_eat(p, "packets") || nft_eat(p, "bytes"))
				nft_skip(p);
		} else if (nft_is(t, "timeout") || nft_is(t, "expires") || nft_is(t, "comment")) {
			*ends |= !nft_is(t, "comment");
			p->at++;
			if (!nft_skip(p))
				return nft_refuse(cx->why, nft_peek(p), "a value is due");
		} else if (nft_is(t, "limit") || nft_is(t, "quota") || nft_is(t, "last") || nft_is(t, "ct")) {
			*ends = true;
			while (p->at < p->end && !nft_is(p->at, ",") && !nft_is(p->at, ":") && nft_skip(p))
				;
		} else {
			return 0;
		}
	}
}

int nft_read_key(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool firm, struct nft_element *out)
{
	const struct nft_element was = *out;
	bool ends = false;
	int rc = 0;

	nft_skip_lines(p);
	out->place = nft_peek(p);
	out->others = nft_eat(p, "*");
	for (size_t i = 0; i < l->len && !out->others && !rc; i++) {
		nft_skip_lines(p);
		if (i && !nft_eat(p, "."))
			return nft_refuse(cx->why, nft_peek(p), ". and one more value are due");
		nft_skip_lines(p);
		rc = nft_read_value(cx, p, &l->at[i], firm, &out->at[i]);
	}
	nft_skip_lines(p);
	rc = rc ? rc : read_options(cx, p, &ends);
	for (size_t i = 0; i < l->len && !rc && ends && firm; i++)
		held_unsure(&out->at[i], &was.at[i], "an element that ends");
	return rc;
}

/* Elements that are gathered into one match. */
struct gathering {
	struct held one; /* of a single selector */
	struct region sure, perhaps;
	size_t joined;
	unsigned deep;
	bool others;
	const char *unknown;
};

static int gather(struct nft_context *cx, struct nft_part p, const struct nft_lhs *l, bool firm, struct gathering *g);

/* A set that was defined, between its braces. */
static int gather_inner(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool firm, struct gathering *g)
{
	struct nft_part inner = { p->at + 1, NULL };

	if (!nft_skip(p))
		return nft_refuse(cx->why, nft_peek(p), "} is due");
	inner.end = p->at - 1;
	return gather(cx, inner, l, firm, g);
}

static int gather_one(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool firm, struct gathering *g)
{
	struct nft_element e = { .at[0] = g->one };
	int rc = nft_read_key(cx, p, l, firm, &e);

	g->one = e.at[0];
	g->others |= e.others;
	return rc;
}

static int gather_joined(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool firm, struct gathering *g)
{
	struct nft_element e = { 0 };
	struct region sure, perhaps;
	int rc = nft_read_key(cx, p, l, firm, &e);

	held_meet(cx, l, e.at, &sure, &perhaps);
	g->joined++;
	g->others |= e.others;
	if (!g->unknown)
		g->unknown = held_unknown(l, e.at);
	if (g->joined <= JOINED_MAX) {
		region_add(cx->rs->m->arena, &g->sure, &sure);
		region_add(cx->rs->m->arena, &g->perhaps, &perhaps);
	}
	return rc;
}

static int gather(struct nft_context *cx, struct nft_part p, const struct nft_lhs *l, bool firm, struct gathering *g)
{
	if (g->deep++ == SETS_DEEP)
		return nft_refuse(cx->why, nft_peek(&p), "too many sets within sets");

	for (;;) {
		int rc;

		nft_skip_lines(&p);
		if (p.at == p.end) {
			g->deep--;
			return 0;
		}
		if (nft_is(p.at, "{"))
			rc = gather_inner(cx, &p, l, firm, g);
		else if (l->len == 1)
			rc = gather_one(cx, &p, l, firm, g);
		else
			rc = gather_joined(cx, &p, l, firm, g);
		if (rc)
			return rc;
		if (nft_is(nft_peek(&p), ":")) /* of a map: what stands behind is not asked here */
			while (p.at < p.end && !nft_is(p.at, ",") && nft_skip(&p))
				;
		nft_skip_lines(&p);
		if (!nft_eat(&p, ",") && p.at < p.end)
			return nft_refuse(cx->why, p.at, "a comma is due");
	}
}

static void end_gathering(struct nft_context *cx, const struct nft_lhs *l, struct gathering *g, bool negated, struct nft_match *out)
{
	struct arena *a = cx->rs->m->arena;
	struct box all = box_all(FAMILIES_ALL);

	if (l->len == 1) {
		g->sure = held_region(cx, &l->at[0], &g->one, SURE);
		g->perhaps = held_region(cx, &l->at[0], &g->one, PERHAPS);
		g->unknown = held_unknown(l, &g->one);
	}
	if (g->joined > JOINED_MAX) {
		g->sure = (struct region){ 0 };
		g->perhaps = region_of(a, &all);
		g->unknown = "a set of so many joined elements";
	}
	if (g->others)
		g->sure = g->perhaps = region_of(a, &all);
	region_tidy(a, &g->sure);
	region_tidy(a, &g->perhaps);
	out->unknown = g->unknown;
	nft_settle(cx, l, g->sure, g->perhaps, negated, out);
}

struct nft_set *nft_set_due(struct nft_context *cx, struct nft_part *p)
{
	const struct nft_token *t = nft_peek(p);

	p->at += nft_is_value(t);
	return nft_is_value(t) ? strmap_find(&cx->table->sets, t->text) : NULL;
}

/* A set of addresses keeps its name. */
static void keep_name(struct nft_context *cx, const struct nft_set *s, const struct nft_lhs *l, const struct held *h)
{
	struct import *m = cx->rs->m;
	struct addr_range *nets[FAMILY_COUNT] = { h->of[SURE].nets[0].at, h->of[SURE].nets[1].at };
	size_t counts[FAMILY_COUNT] = { h->of[SURE].nets[0].len, h->of[SURE].nets[1].len };

	if (l->len != 1 || (l->at[0].look != LOOK_SRC && l->at[0].look != LOOK_DST) || h->unknown || strmap_find(&m->sets, s->name))
		return;
	struct netset set = netset_of_ranges(m->arena, nets, counts);

	strmap_put(&m->sets, s->name, arena_copy(m->arena, &set, sizeof set));
}

int nft_read_set(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool negated, struct nft_match *out)
{
	struct nft_part inner = { p->at + 1, NULL };
	struct gathering g = { 0 };

	if (!nft_skip(p))
		return nft_refuse(cx->why, nft_peek(p), "} is due");
	inner.end = p->at - 1;
	int rc = gather(cx, inner, l, true, &g);

	if (!rc)
		end_gathering(cx, l, &g, negated, out);
	return rc;
}

int nft_read_named(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool negated, struct nft_match *out)
{
	const struct nft_token *at = nft_peek(p);
	const struct nft_set *s = nft_set_due(cx, p);
	struct gathering g = { 0 };
	int rc = 0;

	if (!s)
		return nft_refuse(cx->why, at, "there is no such set");
	for (size_t i = 0; i < s->elements.len && !rc; i++)
		rc = gather(cx, s->elements.at[i], l, true, &g);
	if (rc)
		return rc;
	if (s->changes) {
		struct box all = box_all(FAMILIES_ALL);

		out->unknown = arena_printf(cx->rs->m->arena, "what is in the set %s at run time", s->name);
		nft_settle(cx, l, (struct region){ 0 }, region_of(cx->rs->m->arena, &all), negated, out);
		return 0;
	}
	end_gathering(cx, l, &g, negated, out);
	keep_name(cx, s, l, &g.one);
	return 0;
}
