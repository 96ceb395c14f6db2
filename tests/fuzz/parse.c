/*
 * Any bytes as the text of a policy: scanner, layout and grammar read them, every mistake is
 * noted, and what was read without one has one spelling, which stays as it is.
 *
 *     make fuzz FUZZERS=parse SECONDS=600
 */
#include <stdlib.h>
#include <string.h>

#include "lang/spell/print.h"
#include "lang/syntax/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct text {
	struct arena *arena;
	struct sources sources;
	struct diags diags;
};

static void text_init(struct text *t, struct arena *a)
{
	*t = (struct text){ .arena = a };
	t->sources.arena = t->sources.trees = t->diags.arena = a;
}

static void must(bool held)
{
	if (!held)
		abort();
}

/* Every place lies in the text, a node's parts are told apart from what it stands in. */
static void must_lie_within(const struct node *n, size_t len)
{
	must(n->kind < NODE_COUNT && n->span.from <= n->span.to && n->span.to <= len);
	for (const struct node *c = n->first; c; c = c->next) {
		must(c->next || n->last == c);
		must_lie_within(c, len);
	}
}

static char *spelled(struct text *t, const char *text, size_t len)
{
	uint32_t file = source_add(&t->sources, "text", text, len);
	own(buf) struct buf out = { 0 };
	struct ast ast;

	parse_file(&ast, t->arena, &t->sources, file, &t->diags);
	must(ast.root);
	must_lie_within(ast.root, len);
	must(ast.sound || t->diags.errors);
	if (!ast.sound || t->diags.errors)
		return NULL;
	print_file(&out, &ast, &t->sources, file);
	return arena_strdup(t->arena, buf_text(&out));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	own(arena) struct arena *a = arena_new();
	char *text = arena_strndup(a, (const char *)bytes, len), *pretty, *again;
	struct text t;

	len = strlen(text); /* the front end refuses NUL before */
	text_init(&t, a);
	if (utf8_sound(text, len) < len)
		return 0;
	pretty = spelled(&t, text, len);
	if (!pretty)
		return 0;
	again = spelled(&t, pretty, strlen(pretty));
	must(again && !strcmp(pretty, again));
	return 0;
}
