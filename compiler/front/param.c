/*
 * param.c - values for parameters from outside: --param NAME=VALUE and JSON files.
 * Each becomes a source of its own, so that a mistake in it has a place.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/file.h"
#include "lang/base/near.h"
#include "lang/spell/print.h"
#include "lang/syntax/parse.h"
#include "lang/vocab/exit.h"

#define PARAMS_BYTES_MAX ((size_t)4 << 20)

static void give(struct compilation *c, struct param_given g)
{
	if (utf8_sound(g.text, strlen(g.text)) == strlen(g.text))
		vec_push(c->arena, &c->params, g);
	else
		diag(&c->diags, DIAG_INPUT_UTF8, SPAN_NOWHERE, "the value of parameter `%s` is not UTF-8", g.name);
}

static bool is_in_quotes(const char *text)
{
	size_t len = strlen(text);

	return len >= 2 && text[0] == '"' && text[len - 1] == '"';
}

bool front_give_param(struct compilation *c, const char *assignment)
{
	const char *equals = strchr(assignment, '=');

	if (!equals || equals == assignment || strlen(assignment) > PARAMS_BYTES_MAX)
		return false;
	const char *name = arena_strndup(c->arena, assignment, (size_t)(equals - assignment));
	const char *text = arena_strdup(c->arena, equals + 1);
	own(buf) struct buf literal = { 0 };

	if (is_in_quotes(text))
		buf_puts(&literal, text);
	else
		print_string(&literal, text);
	give(c, (struct param_given){ .name = name, .from = arena_printf(c->arena, "--param %s", name), .text = text,
				      .literal = arena_strdup(c->arena, buf_text(&literal)), .is_list = text[0] == '[' });
	return true;
}

/* A JSON value as .teg writes it; its strings as they are, or as strings of .teg. */
static bool json_value(struct buf *out, const cJSON *v, bool quoted)
{
	const cJSON *part;

	if (cJSON_IsString(v)) {
		if (quoted)
			print_string(out, v->valuestring);
		else
			buf_puts(out, v->valuestring);
		return true;
	}
	if (cJSON_IsBool(v)) {
		buf_puts(out, cJSON_IsTrue(v) ? "true" : "false");
		return true;
	}
	if (cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble <= 9007199254740992.0 &&
	    v->valuedouble == (double)(uint64_t)v->valuedouble) {
		buf_printf(out, "%llu", (unsigned long long)v->valuedouble);
		return true;
	}
	if (!cJSON_IsArray(v))
		return false;
	buf_putc(out, '[');
	cJSON_ArrayForEach(part, v) {
		if (part != v->child)
			buf_puts(out, ", ");
		if (cJSON_IsArray(part) || !json_value(out, part, quoted))
			return false;
	}
	buf_putc(out, ']');
	return true;
}

static void give_json(struct compilation *c, const char *path, const cJSON *root)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, root) {
		own(buf) struct buf text = { 0 }, quoted = { 0 };
		const char *name = arena_strdup(c->arena, v->string);

		if (json_value(&text, v, false) && json_value(&quoted, v, true))
			give(c, (struct param_given){ .name = name, .from = arena_printf(c->arena, "%s: %s", path, name),
						      .text = arena_strdup(c->arena, buf_text(&text)),
						      .literal = arena_strdup(c->arena, buf_text(&quoted)) });
		else
			diag_help(diag(&c->diags, DIAG_PARAMS_FILE, SPAN_NOWHERE,
				       "%s: the value of `%s` is not one that a parameter can have", path, name),
				  "there are strings, whole numbers, true, false, and lists of them");
	}
}

void front_give_params(struct compilation *c, const char *path)
{
	own(buf) struct buf bytes = { 0 };
	struct err why = { 0 };

	if (file_read(&bytes, path, PARAMS_BYTES_MAX, &why)) {
		diag(&c->diags, DIAG_INPUT_MISSING, SPAN_NOWHERE, "%s", why.text);
		c->input_fault = EXIT_INPUT;
		return;
	}
	const char *end = NULL;
	cJSON *root = cJSON_ParseWithLengthOpts(buf_text(&bytes), bytes.len + 1, &end, true);
	if (cJSON_IsObject(root)) {
		give_json(c, path, root);
	} else {
		uint32_t file = source_add(&c->sources, arena_strdup(c->arena, path),
					   arena_strndup(c->arena, buf_text(&bytes), bytes.len), bytes.len);
		uint32_t at = root || !end ? 0 : (uint32_t)(end - buf_text(&bytes));

		if (at > bytes.len)
			at = (uint32_t)bytes.len;
		diag_help(diag(&c->diags, DIAG_PARAMS_FILE, (struct span){ file, at, at + 1 },
			       root ? "this is not a JSON object" : "this is not JSON"),
			  "write { \"NAME\": \"VALUE\", ... } with values as in a policy");
	}
	cJSON_Delete(root);
}

static struct span as_source(struct reading *r, const struct param_given *g, const char *text)
{
	size_t len = strlen(text);

	return (struct span){ source_add(&r->c->sources, g->from, text, len), 0, (uint32_t)len };
}

/* What a policy would write between quotes is given without them, and stands for itself: a pattern may well begin with `[`. */
static const char *text_as(const struct param_given *g, enum type t)
{
	switch (t) {
	case TYPE_INTERFACE:
		return g->is_list ? g->text : g->literal;
	case TYPE_TEXT:
	case TYPE_PATTERN:
		return g->literal;
	default:
		return g->text;
	}
}

struct node *param_given_value(struct reading *r, const char *name, enum type type)
{
	struct param_given *last = NULL;
	struct ast ast;

	for (size_t i = 0; i < r->c->params.len; i++)
		if (!strcmp(r->c->params.at[i].name, name)) {
			last = &r->c->params.at[i];
			last->used = true;
		}
	if (!last)
		return NULL;
	struct span whole = as_source(r, last, text_as(last, type));
	parse_value(&ast, r->arena, &r->c->sources, whole.file, r->diags);
	return ast.root ? ast.root : node_new(r->arena, NODE_HOLE, whole);
}

void params_check(struct reading *r)
{
	for (size_t i = 0; i < r->c->params.len; i++) {
		const struct param_given *g = &r->c->params.at[i];
		struct near n = near_to(g->name);

		if (g->used || r->poisoned)
			continue;
		struct diag *d = diag(r->diags, DIAG_PARAM_UNKNOWN,
				      as_source(r, g, g->text), "the policy declares no parameter `%s`", g->name);
		for (size_t j = 0; j < r->symbols.entries.len; j++) {
			const struct symbol *s = r->symbols.entries.at[j].value;

			if (s->kind == SYMBOL_PARAM)
				near_try(&n, s->name);
		}
		if (n.best)
			diag_help(d, "did you mean `%s`?", n.best);
	}
}
