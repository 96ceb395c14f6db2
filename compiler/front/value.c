/*
 * value.c - what a value is, asked as the type that is due: what is said when it
 * is something else, and the types that need few words. The others have a file
 * each: value_net.c, value_amount.c, value_service.c.
 */
#include <string.h>

#include "compiler/front/reading.h"

/* --- what it is instead ------------------------------------------------------------------- */

static const char *in_words(struct reading *r, const struct node *n)
{
	const struct symbol *s;

	switch (n->kind) {
	case NODE_NAME:
		s = scope_peek(r, n->text);
		if (!s)
			return "a name";
		return s->kind == SYMBOL_ZONE    ? "a zone" :
		       s->kind == SYMBOL_NET     ? "a net" :
		       s->kind == SYMBOL_SERVICE ? "a service" :
		       s->kind == SYMBOL_LIMIT   ? "a limit" :
						   type_with_article(s->type);
	case NODE_STRING:
		return "a string";
	case NODE_NUMBER:
		return "a number";
	case NODE_QUANTITY:
		return "a quantity";
	case NODE_ADDRESS:
		return "an address";
	case NODE_ANY:
		return "`any`";
	case NODE_SELF:
		return "`self`";
	case NODE_LIST:
		return "a list";
	case NODE_JOIN: case NODE_MINUS: case NODE_MEET:
		return "a computed set";
	case NODE_PART:
		return "something with `/`";
	case NODE_RANGE:
		return "a range";
	default:
		return "this";
	}
}

struct diag *value_mistyped(struct reading *r, const struct node *n, const char *wanted)
{
	struct diag *d = diag(r->diags, DIAG_TYPE, n->span, "%s is due here", wanted);

	diag_label(d, "this is %s", in_words(r, n));
	return d;
}

bool value_is_not(struct reading *r, const struct node *n, const char *wanted)
{
	value_mistyped(r, n, wanted);
	return false;
}

bool value_is_empty(struct reading *r, const struct node *n)
{
	diag(r->diags, DIAG_SET_EMPTY, n->span, "nothing is in this set");
	return false;
}

/* --- zones and strings ---------------------------------------------------------------------------- */

bool value_zones(struct reading *r, const struct node *n, uint64_t *out)
{
	bool sound = true;
	struct symbol *s;

	switch ((unsigned)n->kind) {
	case NODE_NAME:
		s = scope_find(r, n, "zone");
		if (!s)
			return false;
		if (s->kind != SYMBOL_ZONE) {
			diag_at(value_mistyped(r, n, "a zone"), s->span, "declared here");
			return false;
		}
		*out |= 1ull << s->zone;
		return true;
	case NODE_LIST:
	case NODE_JOIN:
		for (const struct node *part = n->first; part; part = part->next)
			sound &= value_zones(r, part, out);
		return sound && (n->first || value_is_empty(r, n));
	case NODE_ANY:
		*out = ZONES_ANY;
		return true;
	}
	return value_is_not(r, n, "a zone");
}

bool value_text(struct reading *r, const struct node *n, enum type type, const char **out)
{
	struct symbol *s;

	if (n->kind == NODE_STRING) {
		*out = n->text;
		return true;
	}
	if (n->kind != NODE_NAME)
		return value_is_not(r, n, type_with_article(type));
	s = scope_find(r, n, type_name(type));
	if (!s)
		return false;
	if (s->kind != SYMBOL_PARAM || s->type != type) {
		diag_at(value_mistyped(r, n, type_with_article(type)), s->span, "declared here");
		return false;
	}
	if (!symbol_settle(r, s, n->span))
		return false;
	*out = s->strings.at[0];
	return true;
}

bool value_strings(struct reading *r, const struct node *n, struct symbol *into)
{
	bool sound = true;
	struct symbol *s;

	switch ((unsigned)n->kind) {
	case NODE_STRING:
		vec_push(r->arena, &into->strings, n->text);
		return true;
	case NODE_NAME:
		s = scope_find(r, n, "interface");
		if (!s)
			return false;
		if (s->kind != SYMBOL_PARAM || s->type != TYPE_INTERFACE) {
			diag_at(value_mistyped(r, n, "an interface"), s->span, "declared here");
			return false;
		}
		if (!symbol_settle(r, s, n->span))
			return false;
		for (size_t i = 0; i < s->strings.len; i++)
			vec_push(r->arena, &into->strings, s->strings.at[i]);
		return true;
	case NODE_LIST:
	case NODE_JOIN:
		for (const struct node *part = n->first; part; part = part->next)
			sound &= value_strings(r, part, into);
		return sound && (into->strings.len || value_is_empty(r, n));
	}
	diag_help(value_mistyped(r, n, "an interface"), "the name of an interface is a string: \"eth0\"");
	return false;
}
