/*
 * value_net.c - sets of addresses.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/front/reading.h"

/* Ranges on the way to a set: joined once, when all are there. */
struct gathering {
	VEC(struct addr_range) at[FAMILY_COUNT];
	bool self, self_fits;
};

static void gather_range(struct reading *r, struct gathering *g, enum family f, struct addr_range range)
{
	vec_push(r->trees, &g->at[f], range);
}

static void gather_set(struct reading *r, struct gathering *g, const struct netset *s)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < s->len[f]; i++)
			gather_range(r, g, (enum family)f, s->at[f][i]);
}

static struct netset gathered(struct arena *a, struct gathering *g)
{
	struct addr_range *at[FAMILY_COUNT] = { g->at[FAMILY_IP4].at, g->at[FAMILY_IP6].at };
	size_t len[FAMILY_COUNT] = { g->at[FAMILY_IP4].len, g->at[FAMILY_IP6].len };

	return netset_of_ranges(a, at, len);
}

/* ::ffff:192.0.2.1 is how a socket of both versions writes down an IPv4 client (RFC 4291, 2.5.5.2); no packet has it. */
static void tell_mapped(struct reading *r, const struct node *n, struct prefix p)
{
	char text[ADDR_TEXT];
	struct diag *d;

	if (p.addr.family != FAMILY_IP6 || p.len <= 96 || p.addr.num >> 32 != 0xffff)
		return;
	d = diag(r->diags, DIAG_ADDRESS_MAPPED, n->span, "no packet has an address of `%s`", n->text);
	prefix_print((struct prefix){ { FAMILY_IP4, p.addr.num & UINT32_MAX }, p.len - 96 }, text);
	diag_help(d, "the IPv4 address in it is %s", text); /* no fix: a rule that allows would come to allow somebody */
}

static bool prefix_read(struct reading *r, const struct node *n, struct prefix *out)
{
	char text[ADDR_TEXT + 8];
	struct diag *d;

	switch (prefix_parse(n->text, out)) {
	case PREFIX_OK:
		tell_mapped(r, n, *out);
		return true;
	case PREFIX_NOT_AN_ADDRESS:
		diag(r->diags, DIAG_ADDRESS, n->span, "`%s` is not an address", n->text);
		return false;
	case PREFIX_LENGTH:
		diag_help(diag(r->diags, DIAG_PREFIX_LENGTH, n->span, "`%s` has a length that no prefix has", n->text),
			  strchr(n->text, ':') ? "an IPv6 prefix is 0 to 128 bits long" : "an IPv4 prefix is 0 to 32 bits long");
		return false;
	case PREFIX_HOST_BITS:
		d = diag(r->diags, DIAG_HOST_BITS, n->span, "`%s` has bits set beyond its length", n->text);
		diag_help(d, "the network is %s; the single address has no length", prefix_print(*out, text));
		if (source_says(&r->c->sources, n->span, n->text))
			diag_fix(d, n->span, "%s", text);
		return false;
	}
	abort();
}

static bool one_address(struct reading *r, const struct node *n, struct addr *out)
{
	struct prefix p;

	if (n->kind != NODE_ADDRESS)
		return value_is_not(r, n, "an address");
	if (!prefix_read(r, n, &p))
		return false;
	if (strchr(n->text, '/'))
		return value_is_not(r, n, "an address without a length");
	*out = p.addr;
	return true;
}

static bool gather_address_range(struct reading *r, const struct node *n, struct gathering *g)
{
	struct addr lo, hi;

	if (!one_address(r, n->first, &lo) || !one_address(r, n->last, &hi))
		return false;
	if (lo.family != hi.family) {
		diag(r->diags, DIAG_RANGE_FAMILIES, n->span, "a range is of IPv4 or of IPv6, not from one to the other");
		return false;
	}
	if (lo.num > hi.num) {
		diag(r->diags, DIAG_RANGE_ORDER, n->span, "this range ends before it begins");
		return false;
	}
	gather_range(r, g, lo.family, (struct addr_range){ lo.num, hi.num });
	return true;
}

static bool gather(struct reading *r, const struct node *n, struct gathering *g);

static bool gather_all(struct reading *r, const struct node *n, struct gathering *g)
{
	bool sound = true;

	for (const struct node *part = n->first; part; part = part->next)
		sound &= gather(r, part, g);
	return sound;
}

static bool gather_name(struct reading *r, const struct node *n, struct gathering *g)
{
	struct symbol *s = scope_find(r, n, "net");

	if (!s)
		return false;
	if (!symbol_is_net(s)) {
		if (s->state != SYMBOL_WRONG)
			diag_at(value_mistyped(r, n, "a net"), s->span, "declared here");
		return false;
	}
	if (!symbol_settle(r, s, n->span))
		return false;
	gather_set(r, g, &s->net);
	return true;
}

static bool gather_computed(struct reading *r, const struct node *n, struct gathering *g)
{
	struct netset set, next;

	if (!value_net(r, n->first, &set))
		return false;
	for (const struct node *part = n->first->next; part; part = part->next) {
		if (!value_net(r, part, &next))
			return false;
		set = n->kind == NODE_MINUS ? netset_minus(r->arena, &set, &next) :
					      netset_meet(r->arena, &set, &next);
	}
	gather_set(r, g, &set);
	return true;
}

static bool gather(struct reading *r, const struct node *n, struct gathering *g)
{
	struct netset all;
	struct prefix p;

	switch ((unsigned)n->kind) {
	case NODE_ADDRESS:
		if (!prefix_read(r, n, &p))
			return false;
		gather_range(r, g, p.addr.family, prefix_range(p));
		return true;
	case NODE_NAME:
		return gather_name(r, n, g);
	case NODE_LIST:
	case NODE_JOIN:
		return gather_all(r, n, g);
	case NODE_MINUS:
	case NODE_MEET:
		return gather_computed(r, n, g);
	case NODE_RANGE:
		return gather_address_range(r, n, g);
	case NODE_ANY:
		all = netset_all(r->arena);
		gather_set(r, g, &all);
		return true;
	case NODE_SELF:
		g->self = true;
		if (g->self_fits)
			return true;
		diag_help(diag(r->diags, DIAG_TYPE, n->span, "`self` is only known at run time"),
			  "it can stand after `from` and `to`, alone or joined with others");
		return false;
	}
	return value_is_not(r, n, "a net");
}

/* Most ends are one prefix. */
static bool prefix_alone(struct reading *r, const struct node *n, struct arena *a, struct netset *out)
{
	struct prefix p;

	if (!prefix_read(r, n, &p))
		return false;
	*out = netset_of_range(a, p.addr.family, prefix_range(p));
	return true;
}

bool value_net(struct reading *r, const struct node *n, struct netset *out)
{
	struct gathering g = { 0 };

	if (n->kind == NODE_ADDRESS)
		return prefix_alone(r, n, r->arena, out);
	if (!gather(r, n, &g))
		return false;
	*out = gathered(r->arena, &g);
	return true;
}

bool value_end(struct reading *r, const struct node *n, struct pol_end *out)
{
	struct gathering g = { .self_fits = true };

	if (n->kind == NODE_ANY) {
		*out = (struct pol_end){ .any = true };
		return true;
	}
	*out = (struct pol_end){ 0 };
	if (n->kind == NODE_ADDRESS)
		return prefix_alone(r, n, r->said, &out->set);
	if (!gather(r, n, &g))
		return false;
	*out = (struct pol_end){ .self = g.self, .set = gathered(r->said, &g) };
	if (!out->self && netset_is_empty(&out->set))
		return value_is_empty(r, n);
	return true;
}

bool value_prefix(struct reading *r, const struct node *n, enum type type, struct netset *out)
{
	if (n->kind != NODE_ADDRESS && n->kind != NODE_NAME)
		return value_is_not(r, n, type_with_article(type));
	if (n->kind == NODE_ADDRESS && type == TYPE_ADDRESS && strchr(n->text, '/'))
		return value_is_not(r, n, "an address without a length");
	if (n->kind == NODE_NAME) {
		const struct symbol *s = scope_find(r, n, type_name(type));

		if (!s)
			return false;
		if (s->kind != SYMBOL_PARAM || s->type != type) {
			diag_at(value_mistyped(r, n, type_with_article(type)), s->span, "declared here");
			return false;
		}
	}
	return value_net(r, n, out);
}
