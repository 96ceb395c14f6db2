#include "lang/syntax/ast.h"

#include <string.h>

struct node *node_new(struct arena *a, enum node_kind kind, struct span span)
{
	struct node *n = arena_zero(a, sizeof *n);

	n->kind = kind;
	n->span = span;
	return n;
}

struct node *node_text(struct arena *a, enum node_kind kind, struct span span, const char *text)
{
	struct node *n = node_new(a, kind, span);

	n->text = text;
	return n;
}

struct node *node_word(struct arena *a, enum node_kind kind, struct span span, int word)
{
	struct node *n = node_new(a, kind, span);

	n->word = word & 0x7fffff;
	return n;
}

struct node *node_add(struct node *parent, struct node *child)
{
	if (!child)
		return parent;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	if (child->span.to > parent->span.to)
		parent->span.to = child->span.to;
	return parent;
}

struct node *node_of1(struct arena *a, enum node_kind kind, struct span span, struct node *child)
{
	return node_add(node_new(a, kind, span), child);
}

struct node *node_of2(struct arena *a, enum node_kind kind, struct span span, struct node *x, struct node *y)
{
	return node_add(node_of1(a, kind, span, x), y);
}

struct node *node_move(struct node *parent, struct node *from)
{
	if (!from || !from->first)
		return parent;
	if (parent->last)
		parent->last->next = from->first;
	else
		parent->first = from->first;
	parent->last = from->last;
	if (from->last->span.to > parent->span.to)
		parent->span.to = from->last->span.to;
	from->first = from->last = NULL;
	return parent;
}

struct node *node_find(const struct node *n, enum node_kind kind)
{
	for (struct node *c = n ? n->first : NULL; c; c = c->next)
		if (c->kind == kind)
			return c;
	return NULL;
}

bool node_is_word(const struct node *n, const char *word)
{
	return n && (n->kind == NODE_KEYWORD || n->kind == NODE_NAME) && !strcmp(n->text, word);
}

const char *node_find_text(const struct node *n, enum node_kind kind)
{
	struct node *c = node_find(n, kind);

	return c ? c->text : NULL;
}

size_t node_count(const struct node *n)
{
	size_t count = 0;

	for (struct node *c = n->first; c; c = c->next)
		count++;
	return count;
}

bool node_is_value(const struct node *n)
{
	return n->kind >= NODE_NAME;
}
