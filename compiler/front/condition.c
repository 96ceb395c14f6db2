/*
 * condition.c - `if PARAM { ... }`: what it guards takes its place, or falls away, before names are bound. A
 * condition asks parameters only: nothing else is known so early.
 */
#include <string.h>

#include "compiler/front/reading.h"

static bool truth(struct reading *r, const struct node *n, bool *out);

/* The parameter that a name stands for; says so when it is none. */
static struct symbol *param_of(struct reading *r, const struct node *n)
{
	struct symbol *s = n->kind == NODE_NAME ? scope_peek(r, n->text) : NULL;

	if (s && s->kind == SYMBOL_PARAM) {
		use_note_symbol(r, n, s);
		return s;
	}
	if (!r->poisoned)
		diag_help(diag(r->diags, DIAG_CONDITION, n->span, "a condition asks parameters, and this is none"),
			  "declare it: param NAME: boolean = false");
	return NULL;
}

static bool compare(const char *sign, int order, bool *out)
{
	*out = !strcmp(sign, "==") ? order == 0 :
	       !strcmp(sign, "!=") ? order != 0 :
	       !strcmp(sign, "<")  ? order < 0 :
	       !strcmp(sign, "<=") ? order <= 0 :
	       !strcmp(sign, ">")  ? order > 0 :
				     order >= 0;
	return true;
}

static bool is_order(const char *sign)
{
	return strcmp(sign, "==") && strcmp(sign, "!=");
}

static bool relation(struct reading *r, const struct node *n, bool *out)
{
	const struct node *left = n->first, *right = left->next;
	struct symbol *s = param_of(r, left);
	const char *text;
	uint64_t amount;

	if (!s || !symbol_settle(r, s, left->span))
		return false;
	if (right->next) {
		diag(r->diags, DIAG_CONDITION, right->next->span, "nothing lasts while a policy is compiled");
		return false;
	}
	switch (s->type) {
	case TYPE_DURATION: case TYPE_COUNT: case TYPE_BYTES: case TYPE_BANDWIDTH: case TYPE_PERCENTAGE:
	case TYPE_SEVERITY: case TYPE_BOOLEAN:
		return value_amount(r, right, s->type, &amount) &&
		       compare(n->text, s->amount < amount ? -1 : s->amount > amount, out);
	case TYPE_TEXT:
		if (is_order(n->text))
			break;
		return value_text(r, right, s->type, &text) && compare(n->text, strcmp(s->strings.at[0], text), out);
	case TYPE_NET: case TYPE_PORT: case TYPE_SERVICE: case TYPE_INTERFACE: case TYPE_ADDRESS: case TYPE_PREFIX:
	case TYPE_RATE: case TYPE_PATTERN: case TYPE_END:
		break;
	}
	diag_label(diag(r->diags, DIAG_CONDITION, n->span, "`%s` does not compare this", n->text), "`%s` is %s", s->name,
		   type_with_article(s->type));
	return false;
}

static bool joined(struct reading *r, const struct node *n, bool *out)
{
	bool sound = true, all = n->kind == NODE_AND, part = false;

	*out = all;
	for (const struct node *c = n->first; c; c = c->next) {
		sound &= truth(r, c, &part);
		*out = all ? *out && part : *out || part;
	}
	return sound;
}

static bool truth(struct reading *r, const struct node *n, bool *out)
{
	struct symbol *s;

	switch ((unsigned)n->kind) {
	case NODE_AND:
	case NODE_OR:
		return joined(r, n, out);
	case NODE_COMPARE:
		if (n->first->kind == NODE_CALL)
			break;
		return relation(r, n, out);
	case NODE_NOT:
		if (n->first->kind == NODE_FROM || n->first->kind == NODE_TO)
			break;
		if (!truth(r, n->first, out))
			return false;
		*out = !*out;
		return true;
	}
	s = param_of(r, n);
	if (!s || !symbol_settle(r, s, n->span))
		return false;
	if (s->type != TYPE_BOOLEAN) {
		struct diag *d = diag(r->diags, DIAG_CONDITION, n->span, "`%s` is neither true nor false", s->name);

		diag_label(d, "this is %s", type_with_article(s->type));
		diag_at(d, s->span, "declared here");
		return false;
	}
	*out = s->amount;
	return true;
}

/* The branch that stands, or NULL; a condition that makes no sense leaves names unknown. */
static struct node *branch(struct reading *r, const struct node *n)
{
	const struct node *other;
	bool yes = false;

	if (!truth(r, n->first, &yes)) {
		r->poisoned = true;
		return NULL;
	}
	other = node_find(n, yes ? NODE_ELSE : NODE_THEN);
	if (other)
		vec_push(r->arena, &r->untaken, other);
	return node_find(n, yes ? NODE_THEN : NODE_ELSE);
}

/* The children of a posture, conditions decided; each child is relinked once. */
static void flatten_posture(struct reading *r, struct node *n)
{
	struct node *next = n->first;

	n->first = n->last = NULL;
	while (next) {
		struct node *c = next, *taken = c->kind == NODE_IF ? branch(r, c) : NULL;

		next = c->next;
		c->next = NULL;
		if (c->kind != NODE_IF) {
			node_add(n, c);
		} else if (taken) {
			flatten_posture(r, taken);
			node_move(n, taken);
		}
	}
}

static bool stands_outside(struct reading *r, const struct node *n)
{
	if (n->kind != NODE_IMPORT && n->kind != NODE_PARAM && n->kind != NODE_POLICY)
		return true;
	diag(r->diags, DIAG_CONDITION, n->span, "what is imported, and which parameters there are, depends on no parameter");
	return false;
}

static void flatten(struct reading *r, struct node *first, bool inside)
{
	for (struct node *n = first, *next; n; n = next) {
		next = n->next;
		if (inside && !stands_outside(r, n))
			continue;
		if (n->kind == NODE_IF) {
			struct node *taken = branch(r, n);

			if (taken)
				flatten(r, taken->first, true);
			continue;
		}
		if (n->kind == NODE_POSTURE)
			flatten_posture(r, n);
		vec_push(r->trees, &r->decls, n);
	}
}

void conditions_decide(struct reading *r)
{
	size_t count = r->decls.len;
	struct node **all = r->decls.at;

	r->decls.at = NULL;
	r->decls.len = r->decls.room = 0;
	for (size_t i = 0; i < count; i++) {
		all[i]->next = NULL;
		flatten(r, all[i], false);
	}
}
