/*
 * names.c - what a name stands for, where else it stands, and another name for it.
 */
#include <string.h>

#include "compiler/lsp/server.h"
#include "compiler/lsp/text.h"
#include "lang/syntax/parse.h"

bool lsp_offset(struct server *s, const cJSON *params, struct document **d, size_t *at)
{
	struct position p;

	*d = lsp_document(s, params, DOCUMENT_CHECKED);
	if (!*d || !position_read(cJSON_GetObjectItemCaseSensitive(params, "position"), &p))
		return false;
	*at = text_offset(buf_text(&(*d)->text), (*d)->text.len, p);
	return true;
}

const struct use *lsp_use_at(struct server *s, const cJSON *params, struct document **d)
{
	size_t at;

	return lsp_offset(s, params, d, &at) ? uses_at(&(*d)->c->uses, (*d)->file, (uint32_t)at) : NULL;
}

enum lsp_answer method_definition(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d;
	const struct use *u = lsp_use_at(s, params, &d);

	if (!d)
		return LSP_PARAMS;
	*result = u ? lsp_location(s, &d->c->sources, u->declared) : NULL;
	return LSP_DONE;
}

/* --- all uses of one thing --------------------------------------------------------------------- */

static int by_place(const void *x, const void *y)
{
	const struct use *a = *(const struct use *const *)x, *b = *(const struct use *const *)y;

	if (a->at.file != b->at.file)
		return a->at.file < b->at.file ? -1 : 1;
	return a->at.from < b->at.from ? -1 : a->at.from > b->at.from;
}

struct places {
	const struct use **at;
	size_t count;
};

/* Each place once, in the order of the texts: what is inherited is resolved more than once. */
static struct places uses_of(const struct document *d, const struct use *u)
{
	const struct uses *all = &d->c->uses;
	struct places out = { arena_zero(d->c->arena, all->list.len * sizeof *out.at), 0 };
	size_t n = 0;

	for (size_t i = 0; i < all->list.len; i++)
		if (use_is_same(&all->list.at[i], u))
			out.at[n++] = &all->list.at[i];
	qsort(out.at, n, sizeof *out.at, by_place);
	for (size_t i = 0; i < n; i++)
		if (!out.count || by_place(&out.at[out.count - 1], &out.at[i]))
			out.at[out.count++] = out.at[i];
	return out;
}

/* Where the thing is known: this document, and open ones that import its declaration, answer for themselves. */
static void add_references(struct server *s, cJSON *to, const struct document *d, const struct use *u, bool declaration)
{
	struct places all = uses_of(d, u);

	for (size_t i = 0; i < all.count; i++) {
		bool is_declaration = !memcmp(&all.at[i]->at, &u->declared, sizeof u->declared);
		cJSON *place = declaration || !is_declaration ? lsp_location(s, &d->c->sources, all.at[i]->at) : NULL;

		if (place)
			cJSON_AddItemToArray(to, place);
	}
}

enum lsp_answer method_references(struct server *s, const cJSON *params, cJSON **result)
{
	const cJSON *context = cJSON_GetObjectItemCaseSensitive(params, "context");
	bool declaration = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(context, "includeDeclaration"));
	struct document *d;
	const struct use *u = lsp_use_at(s, params, &d);

	if (!d)
		return LSP_PARAMS;
	*result = cJSON_CreateArray();
	if (u)
		add_references(s, *result, d, u, declaration);
	return LSP_DONE;
}

/* --- another name ------------------------------------------------------------------------------------ */

static bool is_name(const char *text)
{
	size_t len = strlen(text);
	bool letter_due = true;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c == '_' && (!i || text[i - 1] != '-'));

		if (!letter && (letter_due || (c != '-' && !(c >= '0' && c <= '9'))))
			return false;
		letter_due = c == '-';
	}
	return len && !letter_due;
}

static enum lsp_answer no(struct server *s, const char *name, const char *why)
{
	snprintf(s->refusal, sizeof s->refusal, "`%.200s` %s", name, why);
	return LSP_REFUSED;
}

static char *replaced(const struct source *s, const struct places *all, uint32_t file, const char *name)
{
	struct buf out = { 0 };
	uint32_t done = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct span at = all->at[i]->at;

		if (at.file != file)
			continue;
		buf_add(&out, s->text + done, at.from - done);
		buf_puts(&out, name);
		done = at.to;
	}
	buf_add(&out, s->text + done, s->len - done);
	return out.at;
}

/*
 * The policy is read once more as it would be. A name that is taken, a reserved one, a use that
 * the index does not know: whatever would be told then and is not told now refuses the name.
 */
static bool still_holds(struct server *s, struct document *d, const struct places *all, const char *name)
{
	struct documents tried;
	bool holds;

	documents_init(&tried, s->documents.options);
	for (size_t i = 0; i < s->documents.count; i++)
		document_open(&tried, s->documents.at[i]->uri, buf_text(&s->documents.at[i]->text), 0);
	for (uint32_t file = 0; file < d->c->sources.list.len; file++) {
		const struct source *source = &d->c->sources.list.at[file];
		own(mem) char *uri = document_uri_of(&s->documents, source), *text = replaced(source, all, file, name);

		if (uri)
			document_open(&tried, uri, text, 0);
	}
	struct document *again = document_find(&tried, d->uri);
	document_bring(&tried, again, DOCUMENT_CHECKED);
	holds = again->c->diags.errors <= d->c->diags.errors;
	if (!holds)
		no(s, name, again->c->diags.list.at[0]->text);
	documents_release(&tried);
	return holds;
}

static enum lsp_answer edits_of(struct server *s, struct document *d, const struct places *all, const char *name, cJSON **result)
{
	cJSON *out = cJSON_CreateObject(), *changes = cJSON_AddObjectToObject(out, "changes");

	for (size_t i = 0; i < all->count; i++) {
		const struct source *source = &d->c->sources.list.at[all->at[i]->at.file];
		own(mem) char *uri = document_uri_of(&s->documents, source);
		cJSON *list = cJSON_GetObjectItemCaseSensitive(changes, uri), *edit = cJSON_CreateObject();

		if (!list)
			list = cJSON_AddArrayToObject(changes, uri);
		cJSON_AddItemToObject(edit, "range", range_json(source->text, source->len, all->at[i]->at.from, all->at[i]->at.to));
		cJSON_AddStringToObject(edit, "newText", name);
		cJSON_AddItemToArray(list, edit);
	}
	*result = out;
	return LSP_DONE;
}

enum lsp_answer method_rename(struct server *s, const cJSON *params, cJSON **result)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(params, "newName");
	struct document *d;
	const struct use *u = lsp_use_at(s, params, &d);

	if (!d || !cJSON_IsString(name))
		return LSP_PARAMS;
	if (!u)
		return no(s, name->valuestring, "is for a name, and here is none");
	if (!is_name(name->valuestring))
		return no(s, name->valuestring, "is no name: letters, digits and _, with - between letters");
	if (word_is_reserved(name->valuestring))
		return no(s, name->valuestring, "is a word of the language");
	if (uses_declared(&d->c->uses, u->kind, name->valuestring) && strcmp(u->name, name->valuestring))
		return no(s, name->valuestring, "is taken");
	struct places all = uses_of(d, u);
	for (size_t i = 0; i < all.count; i++) {
		own(mem) char *uri = document_uri_of(&s->documents, &d->c->sources.list.at[all.at[i]->at.file]);

		if (!uri)
			return no(s, u->name, "stands in a file that tegc carries, which cannot be changed");
	}
	return still_holds(s, d, &all, name->valuestring) ? edits_of(s, d, &all, name->valuestring, result) : LSP_REFUSED;
}
