/*
 * hover.c - what a name is: the line that declares it, the comment above it, and the set that
 * it comes to.
 */
#include <string.h>

#include "compiler/lsp/decides.h"
#include "compiler/lsp/server.h"

/* Comments on lines of their own, just above the line. */
static uint32_t comment_begins(struct sources *s, uint32_t file, uint32_t line)
{
	size_t len;

	for (; line > 1; line--) {
		const char *above = source_line(s, file, line - 1, &len);
		size_t blank = strspn(above, " \t");

		if (blank >= len || above[blank] != '#')
			break;
	}
	return line;
}

static void add_lines(struct buf *out, struct sources *s, uint32_t file, uint32_t from, uint32_t to)
{
	for (uint32_t line = from; line <= to; line++) {
		size_t len, blank;
		const char *at = source_line(s, file, line, &len);

		blank = strspn(at, " \t");
		blank = blank < len ? blank : len;
		buf_printf(out, "%.*s\n", (int)(len - blank), at + blank);
	}
}

#define SET_SHOWN 1000 /* bytes */

static void add_set(struct buf *out, const struct policy *p, const struct use *u)
{
	for (size_t i = 0; p && i < p->net_count; i++) {
		own(buf) struct buf set = { 0 };

		if (strcmp(p->nets[i].name, u->name) || (u->kind != USE_NET && u->kind != USE_PARAM))
			continue;
		netset_print(&set, &p->nets[i].set);
		buf_printf(out, "# is %.*s%s\n", SET_SHOWN, buf_text(&set), set.len > SET_SHOWN ? " ..." : "");
	}
}

static void say_name(struct buf *out, struct document *d, const struct use *u)
{
	struct sources *sources = &d->c->sources;
	uint32_t line = source_line_of(sources, u->declared.file, u->declared.from);

	buf_printf(out, "%s `%s`, %s line %u\n\n```teg\n", use_kind_name(u->kind), u->name, sources->list.at[u->declared.file].name,
		   line);
	add_lines(out, sources, u->declared.file, comment_begins(sources, u->declared.file, line), line);
	add_set(out, d->policy, u);
	buf_puts(out, "```\n");
}

enum lsp_answer method_hover(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d;
	size_t at;

	if (!lsp_offset(s, params, &d, &at))
		return LSP_PARAMS;
	const struct use *u = uses_at(&d->c->uses, d->file, (uint32_t)at);
	own(buf) struct buf text = { 0 };
	struct span where = u ? u->at : SPAN_NOWHERE;
	if (u)
		say_name(&text, d, u);
	say_decides(&text, d, u, (uint32_t)at, &where);
	if (!text.len)
		return LSP_DONE;
	*result = cJSON_CreateObject();
	cJSON *contents = cJSON_AddObjectToObject(*result, "contents");
	cJSON_AddStringToObject(contents, "kind", "markdown");
	cJSON_AddStringToObject(contents, "value", buf_text(&text));
	cJSON_AddItemToObject(*result, "range", lsp_range(&d->c->sources, where));
	return LSP_DONE;
}
