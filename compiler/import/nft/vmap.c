/*
 * vmap.c - maps of verdicts: an element is a match with what then happens.
 */
#include "compiler/import/nft/held.h"

static int read_cases(struct nft_context *cx, struct nft_part p, const struct nft_lhs *l, struct nft_cases *out)
{
	struct arena *a = cx->rs->m->arena;

	for (;;) {
		struct nft_element e = { 0 };
		struct nft_case one = { 0 };
		struct region sure, perhaps;

		nft_skip_lines(&p);
		if (p.at == p.end)
			return 0;
		int rc = nft_read_key(cx, &p, l, true, &e);

		if (rc)
			return rc;
		nft_skip_lines(&p);
		if (!nft_eat(&p, ":"))
			return nft_refuse(cx->why, nft_peek(&p), ": and a verdict are due");
		nft_skip_lines(&p);
		one.place = e.place;
		one.others = e.others;
		one.verdict.at = p.at;
		while (p.at < p.end && !nft_is(p.at, ",") && nft_skip(&p))
			;
		one.verdict.end = p.at;
		held_meet(cx, l, e.at, &sure, &perhaps);
		nft_settle(cx, l, sure, perhaps, false, &one.match);
		one.match.unknown = held_unknown(l, e.at);
		vec_push(a, out, one);
		if (!nft_eat(&p, ",") && p.at < p.end)
			return nft_refuse(cx->why, p.at, "a comma is due");
	}
}

static void settle_others(struct nft_context *cx, const struct nft_lhs *l, struct nft_cases *all)
{
	struct arena *a = cx->rs->m->arena;

	for (size_t i = 0; i < all->len; i++) {
		struct nft_match *m = &all->at[i].match;

		if (!all->at[i].others)
			continue;
		*m = (struct nft_match){ l->has, l->has, NULL };
		for (size_t k = 0; k < all->len; k++)
			if (!all->at[k].others) {
				region_minus(a, &m->sure, &all->at[k].match.perhaps, true);
				region_minus(a, &m->perhaps, &all->at[k].match.sure, false);
			}
		nft_add_odd(a, &m->perhaps, l);
	}
}

int nft_read_vmap(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, struct nft_cases *out)
{
	const struct nft_token *at = nft_peek(p);
	struct nft_part inner = { at + 1, NULL };
	const struct nft_set *s;
	int rc = 0;

	*out = (struct nft_cases){ 0 };
	if (nft_is(at, "{")) {
		if (!nft_skip(p))
			return nft_refuse(cx->why, nft_peek(p), "} is due");
		inner.end = p->at - 1;
		rc = read_cases(cx, inner, l, out);
		settle_others(cx, l, out);
		return rc;
	}
	if (!nft_eat(p, "@"))
		return nft_refuse(cx->why, at, "a map is due");
	at = nft_peek(p);
	s = nft_set_due(cx, p);
	if (!s)
		return nft_refuse(cx->why, at, "there is no such map");
	for (size_t i = 0; i < s->elements.len && !rc; i++)
		rc = read_cases(cx, s->elements.at[i], l, out);
	if (!rc && s->changes) {
		struct nft_case any = { .place = at };

		any.match.perhaps = l->has;
		nft_add_odd(cx->rs->m->arena, &any.match.perhaps, l);
		any.match.unknown = arena_printf(cx->rs->m->arena, "what is in the map %s at run time", s->name);
		out->len = 0;
		vec_push(cx->rs->m->arena, out, any);
	}
	settle_others(cx, l, out);
	return rc;
}
