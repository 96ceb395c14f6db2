/*
 * claims.c - what a policy claims of itself: invariants, and which postures admit no more than others.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/buf.h"
#include "lang/base/near.h"
#include "lang/vocab/cause.h"

/* --- orders ------------------------------------------------------------------------------- */

/* What frames no rule judges is no question for the prover: the tighter posture passes none that the wider drops. */
static bool passes_no_more(struct reading *r, const struct node *decl, unsigned tighter, unsigned wider)
{
	const struct pol_posture *t = &r->policy->postures[tighter], *w = &r->policy->postures[wider];
	own(buf) struct buf names = { 0 };

	cause_names(&names, t->passes & ~w->passes);
	if (!names.len)
		return true;
	diag_help(diag(r->diags, DIAG_ORDER_BROKEN, decl->span, "%s passes malformed frames that %s drops", t->name, w->name),
		  "in %s: malformed drop %s", t->name, buf_text(&names));
	return false;
}

static bool order_read(struct reading *r, const struct node *decl, struct pol_order *out)
{
	VEC(unsigned) postures = { 0 };
	bool sound = true;

	for (const struct node *n = decl->first; n; n = n->next) {
		const struct posture_symbol *p = n->kind == NODE_NAME ? scope_posture(r, n) : NULL;

		sound &= p != NULL;
		for (size_t i = 0; p && i < postures.len; i++)
			if (postures.at[i] == p->index) {
				diag(r->diags, DIAG_ORDER_TWICE, n->span, "`%s` stands in this order twice", n->text);
				sound = false;
			}
		if (p)
			vec_push(r->arena, &postures, p->index);
	}
	for (size_t i = 0; sound && i + 1 < postures.len; i++)
		sound = passes_no_more(r, decl, postures.at[i], postures.at[i + 1]);
	*out = (struct pol_order){ decl->span, postures.at, postures.len };
	return sound;
}

static void declare_orders(struct reading *r)
{
	VEC(struct pol_order) all = { 0 };

	for (size_t i = 0; i < r->decls.len; i++) {
		struct pol_order one;

		if (r->decls.at[i]->kind == NODE_ORDER && order_read(r, r->decls.at[i], &one))
			vec_push(r->arena, &all, one);
	}
	r->policy->orders = all.at;
	r->policy->order_count = all.len;
}

/* --- of which postures ---------------------------------------------------------------------- */

static bool one_posture(struct reading *r, const struct node *n, uint64_t *out)
{
	const struct posture_symbol *p;

	if (n->kind != NODE_NAME) {
		diag(r->diags, DIAG_CLAIM_SCOPE, n->span, "this names no posture");
		return false;
	}
	p = scope_posture(r, n);
	if (p)
		*out |= UINT64_C(1) << p->index;
	return p != NULL;
}

/* Where a posture stands in an order; its length when it does not. */
static size_t place_in(const struct pol_order *o, uint64_t posture)
{
	size_t i = 0;

	while (i < o->count && !(posture >> o->postures[i] & 1))
		i++;
	return i;
}

/* What lies between is for an order to say; the order of the text means nothing. */
static bool range_of_postures(struct reading *r, const struct node *n, uint64_t *out)
{
	uint64_t from = 0, to = 0;

	if (!one_posture(r, n->first, &from) || !one_posture(r, n->first->next, &to))
		return false;
	for (size_t i = 0; i < r->policy->order_count; i++) {
		const struct pol_order *o = &r->policy->orders[i];
		size_t a = place_in(o, from), b = place_in(o, to);

		for (size_t at = a; b < o->count && at <= b; at++)
			*out |= UINT64_C(1) << o->postures[at];
		if (b < o->count && a <= b)
			return true;
	}
	diag_help(diag(r->diags, DIAG_CLAIM_SCOPE, n->span, "no `order` says what lies from `%s` to `%s`",
		       n->first->text, n->first->next->text),
		  "name the postures in a list, or say `order %s <= %s`", n->first->text, n->first->next->text);
	return false;
}

static bool postures_read(struct reading *r, const struct node *n, uint64_t *out)
{
	bool sound = true;

	if (n->kind == NODE_RANGE)
		return range_of_postures(r, n, out);
	if (n->kind != NODE_LIST)
		return one_posture(r, n, out);
	for (const struct node *at = n->first; at; at = at->next)
		sound &= postures_read(r, at, out);
	return sound;
}

static bool scope_read(struct reading *r, const struct node *scope, uint64_t *out)
{
	size_t count = r->policy->posture_count;

	*out = 0;
	if (!scope->text)
		return postures_read(r, scope->first, out);
	*out = count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
	if (!strcmp(scope->text, "every"))
		return true;
	struct diag *d = diag(r->diags, DIAG_CLAIM_WORD, scope->span, "`%s posture` says nothing", scope->text);
	struct near near = near_to(scope->text);
	near_try(&near, "every");
	diag_help(d, "`in every posture:`, or the names: `in [A, B]:`");
	fix_near(r, d, &near, scope->span);
	return false;
}

/* --- invariants ------------------------------------------------------------------------------ */

static void tell_outcome(struct reading *r, const struct node *n)
{
	struct diag *d = diag(r->diags, DIAG_CLAIM_WORD, n->span, "a packet cannot be claimed to be `%s`", n->text);
	struct near near = near_to(n->text);

	near_try(&near, "allowed");
	near_try(&near, "dropped");
	diag_help(d, "`is allowed` or `is dropped`");
	fix_near(r, d, &near, n->span);
}

static bool claim_read(struct reading *r, const struct node *n, const char *name, struct pol_claim *out)
{
	const struct node *direction = node_find(n, NODE_DIRECTION);
	bool allowed = !strcmp(n->text, "allowed"), sound = allowed || !strcmp(n->text, "dropped");

	*out = (struct pol_claim){
		.name = name, .span = n->span, .allowed = allowed,
		.direction = direction ? (enum direction)direction->word : DIRECTION_IN,
	};
	if (!sound)
		tell_outcome(r, n);
	sound &= scope_read(r, node_find(n, NODE_SCOPE), &out->postures);
	return select_read(r, node_find(n, NODE_SELECTOR), out->direction, &out->match) && sound;
}

static void invariant_read(struct reading *r, const struct node *decl, struct strmap *names)
{
	const struct node *name = node_find(decl, NODE_NAME), *first = strmap_find(names, name->text);

	if (first)
		diag_at(diag(r->diags, DIAG_NAME_TWICE, name->span, "there are two invariants `%s`", name->text),
			first->span, "here is the first");
	strmap_put(names, name->text, (void *)name);
	for (const struct node *n = decl->first; n; n = n->next) {
		struct pol_claim one;

		if (n->kind == NODE_CLAIM && claim_read(r, n, name->text, &one))
			vec_push(r->arena, &r->claims, one);
	}
}

void declare_claims(struct reading *r)
{
	struct strmap names;

	strmap_init(&names, r->arena);
	declare_orders(r);
	for (size_t i = 0; i < r->decls.len; i++)
		if (r->decls.at[i]->kind == NODE_INVARIANT)
			invariant_read(r, r->decls.at[i], &names);
	r->policy->claims = r->claims.at;
	r->policy->claim_count = r->claims.len;
}

/* "in every posture: …", or "order A <= B": as in a policy, without a name. */
bool claim_text_read(struct reading *r, struct ast *ast, struct pol_claim *claim, struct pol_order *order)
{
	const struct node *n = ast->root;

	if (n && n->kind == NODE_FILE)
		n = n->first;
	if (!n || !ast->sound)
		return false;
	if (n->kind == NODE_ORDER)
		return order_read(r, n, order);
	return n->kind == NODE_CLAIM && claim_read(r, n, NULL, claim);
}
