/*
 * format.c - the document in its one spelling, as `tegc fmt` writes it.
 */
#include <string.h>

#include "compiler/lsp/server.h"
#include "compiler/lsp/text.h"
#include "lang/spell/print.h"
#include "lang/syntax/parse.h"

/* False when its syntax has mistakes: then it stays as it is. */
static bool spelled(struct buf *out, const struct document *d)
{
	own(compilation) struct compilation *c = compilation_new();
	uint32_t file = source_add(&c->sources, d->path, buf_text(&d->text), d->text.len);

	return print_source(out, c->arena, &c->sources, file, &c->diags);
}

/* One edit, of what differs: the lines before and behind it stay, and marks in them. */
static cJSON *edit(const struct document *d, const struct buf *after)
{
	const char *old = buf_text(&d->text), *new = buf_text(after);
	size_t from = 0, most = d->text.len < after->len ? d->text.len : after->len, behind = 0;
	own(buf) struct buf text = { 0 };
	cJSON *out = cJSON_CreateObject();

	while (from < most && old[from] == new[from])
		from++;
	while (from && old[from - 1] != '\n')
		from--;
	while (behind < most - from && old[d->text.len - 1 - behind] == new[after->len - 1 - behind])
		behind++;
	while (behind && old[d->text.len - behind - 1] != '\n')
		behind--;
	buf_add(&text, new + from, after->len - behind - from);
	cJSON_AddItemToObject(out, "range", range_json(old, d->text.len, from, d->text.len - behind));
	cJSON_AddStringToObject(out, "newText", buf_text(&text));
	return out;
}

enum lsp_answer method_formatting(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_CHANGED);
	own(buf) struct buf after = { 0 };

	if (!d)
		return LSP_PARAMS;
	if (d->text.len > SOURCE_BYTES_MAX || !spelled(&after, d))
		return LSP_DONE;
	*result = cJSON_CreateArray();
	if (after.len != d->text.len || memcmp(buf_text(&after), buf_text(&d->text), after.len))
		cJSON_AddItemToArray(*result, edit(d, &after));
	return LSP_DONE;
}
