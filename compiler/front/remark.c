/*
 * remark.c - comments that speak to tegc, `# tegc: ...`, and the statements that each is about.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/syntax/packed.h"

static bool holds(struct span outer, uint32_t at)
{
	return outer.from <= at && at < outer.to;
}

/* The statement that follows in the same block; a node without a place of its own is none. */
static const struct node *following(struct compilation *c, const struct node *n, uint32_t at)
{
	const struct node *best = NULL;

	n = packed_open(c->arena, &c->sources, n);
	for (const struct node *child = n->first; child; child = child->next) {
		if (holds(child->span, at))
			return following(c, child, at);
		if (child->span.from >= at && child->span.to > child->span.from &&
		    (!best || child->span.from < best->span.from))
			best = child;
	}
	return best;
}

static struct span line_before(struct compilation *c, struct span comment)
{
	size_t len;
	uint32_t line = source_line_of(&c->sources, comment.file, comment.from);
	const char *text = source_line(&c->sources, comment.file, line, &len);

	return (struct span){ comment.file, (uint32_t)(text - c->sources.list.at[comment.file].text), comment.from };
}

static struct span extent_of(struct compilation *c, const struct ast *ast, const struct comment *comment)
{
	const struct node *n;

	if (!comment->own_line)
		return line_before(c, comment->span);
	n = following(c, ast->root, comment->span.to);
	return n ? n->span : SPAN_NOWHERE;
}

static bool speaks_to_tegc(const struct source *s, struct span comment)
{
	const char *at = s->text + comment.from + 1;

	return !strncmp(at + strspn(at, " \t"), "tegc:", 5);
}

void remarks_find(struct compilation *c, uint32_t file, const struct ast *ast)
{
	for (size_t i = 0; i < ast->comments.len; i++) {
		const struct comment *comment = &ast->comments.at[i];

		if (!speaks_to_tegc(&c->sources.list.at[file], comment->span))
			continue;
		struct remark m = { comment->span, extent_of(c, ast, comment) };
		vec_push(c->arena, &c->remarks, m);
	}
}
