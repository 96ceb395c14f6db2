/*
 * tokens.c - what each name is, for colours: kinds that a grammar of an editor cannot know.
 */
#include <string.h>

#include "compiler/lsp/server.h"
#include "compiler/lsp/text.h"

/* By enum use_kind; names of LSP 3.17 where one fits. */
static const char *const legend[USE_COUNT] = {
	"parameter", "namespace", "variable", "type", "property", "class", "function", "property", "property", "property", "function",
	"parameter", "property", "function",
};

void tokens_legend(cJSON *capabilities)
{
	cJSON *provider = cJSON_AddObjectToObject(capabilities, "semanticTokensProvider");
	cJSON *names = cJSON_AddObjectToObject(provider, "legend");

	cJSON_AddItemToObject(names, "tokenTypes", cJSON_CreateStringArray(legend, USE_COUNT));
	cJSON_AddArrayToObject(names, "tokenModifiers");
	cJSON_AddTrueToObject(provider, "full");
}

static int by_place(const void *x, const void *y)
{
	const struct use *a = *(const struct use *const *)x, *b = *(const struct use *const *)y;

	return a->at.from < b->at.from ? -1 : a->at.from > b->at.from;
}

/* Five numbers each: lines and units from the one before, length, kind, no modifiers. One walk over the text. */
enum lsp_answer method_semantic_tokens(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_CHECKED);
	struct position before = { 0, 0 };
	size_t n = 0, line_at = 0;
	cJSON *data;

	if (!d)
		return LSP_PARAMS;
	const struct uses *all = &d->c->uses;
	const struct use **mine = arena_zero(d->c->arena, (all->list.len + 1) * sizeof *mine);
	const char *text = buf_text(&d->text);
	for (size_t i = 0; i < all->list.len; i++)
		if (all->list.at[i].at.file == d->file)
			mine[n++] = &all->list.at[i];
	qsort(mine, n, sizeof *mine, by_place);
	*result = cJSON_CreateObject();
	data = cJSON_AddArrayToObject(*result, "data");
	for (size_t i = 0, line = 0; i < n; i++) {
		const struct span at = mine[i]->at;

		if (i && at.from < mine[i - 1]->at.to)
			continue;
		struct position p = text_position(text + line_at, d->text.len - line_at, at.from - line_at);
		line += p.line;
		const double numbers[] = { (double)(line - before.line), (double)(line == before.line ? p.unit - before.unit : p.unit),
					   (double)(at.to - at.from), mine[i]->kind, 0 };
		for (size_t k = 0; k < 5; k++)
			cJSON_AddItemToArray(data, cJSON_CreateNumber(numbers[k]));
		before = (struct position){ line, p.unit };
		for (line_at = at.from; line_at && text[line_at - 1] != '\n' && text[line_at - 1] != '\r';)
			line_at--;
	}
	return LSP_DONE;
}
