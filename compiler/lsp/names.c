/*
 * names.c - what a name stands for, where else it stands, and another name for it.
 */
#include <string.h>

#include "compiler/lsp/server.h"
#include "compiler/lsp/sites.h"
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

/* The name that stands at params.position, or NULL. */
static const struct use *use_at(struct server *s, const cJSON *params, struct document **d)
{
	size_t at;

	return lsp_offset(s, params, d, &at) ? uses_at(&(*d)->c->uses, (*d)->file, (uint32_t)at) : NULL;
}

enum lsp_answer method_definition(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d;
	const struct use *u = use_at(s, params, &d);

	if (!d)
		return LSP_PARAMS;
	*result = u ? lsp_location(s, &d->c->sources, u->declared) : NULL;
	return LSP_DONE;
}

/* --- all uses of one thing --------------------------------------------------------------------- */

enum lsp_answer method_references(struct server *s, const cJSON *params, cJSON **result)
{
	const cJSON *context = cJSON_GetObjectItemCaseSensitive(params, "context");
	bool declaration = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(context, "includeDeclaration"));
	struct document *d;
	const struct use *u = use_at(s, params, &d);

	if (!d)
		return LSP_PARAMS;
	own(arena) struct arena *a = arena_new();
	struct sites all = { 0 };
	*result = cJSON_CreateArray();
	if (u)
		sites_find(&all, s, d, u, a);
	for (size_t i = 0; i < all.list.len; i++) {
		const struct site *site = &all.list.at[i];
		cJSON *one;

		if (!site->uri || (site->declares && !declaration))
			continue;
		one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "uri", site->uri);
		cJSON_AddItemToObject(one, "range", range_json(site->text, site->len, site->from, site->to));
		cJSON_AddItemToArray(*result, one);
	}
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

/* The text of the file that `*at` is the first site of, with the name in all of them; *at is moved behind the last. */
static char *replaced(const struct sites *all, size_t *at, const char *name)
{
	const struct site *first = &all->list.at[*at];
	struct buf out = { 0 };
	size_t done = 0;

	for (; *at < all->list.len && !strcmp(all->list.at[*at].uri, first->uri); ++*at) {
		const struct site *site = &all->list.at[*at];

		buf_add(&out, first->text + done, site->from - done);
		buf_puts(&out, name);
		done = site->to;
	}
	buf_add(&out, first->text + done, first->len - done);
	return out.at;
}

/* Where the declaration begins when all have the new name; each site before it in its file moves it. */
static uint32_t declared_at(const struct sites *all, const struct use *u, const char *name)
{
	int64_t longer = (int64_t)strlen(name) - (int64_t)(u->declared.to - u->declared.from), from = u->declared.from;

	for (size_t i = 0; i < all->list.len; i++)
		if (!strcmp(all->list.at[i].uri, all->declared_in) && all->list.at[i].from < u->declared.from)
			from += longer;
	return (uint32_t)from;
}

static bool reads_alike(struct documents *ds, struct document *d, const struct site_reader *before, const char *declared_in,
			struct span declared, const char **why)
{
	*why = "stands in more policies than are open at once";
	if (!d)
		return false;
	document_bring(ds, d, DOCUMENT_CHECKED);
	*why = d->c->diags.list.len ? d->c->diags.list.at[0]->text : "";
	if (d->c->diags.errors > before->errors)
		return false;
	*why = "means something else already where this stands";
	return sites_count(ds, d, declared_in, declared.from, declared.to) == before->places;
}

/*
 * Every policy that knows it is read once more as it would be. A name that is taken, one that would mean
 * something else somewhere, a use that the index does not know: what would be told then and is not told now
 * refuses the name, and so does one that stands in more places, or fewer.
 */
static bool still_holds(struct server *s, const struct sites *all, const struct use *u, const char *name)
{
	uint32_t from = declared_at(all, u, name), to = from + (uint32_t)strlen(name);
	struct documents tried;
	const char *why = "";
	bool holds = true;

	documents_init(&tried, s->documents.options);
	for (size_t i = 0; i < s->documents.count; i++)
		document_open(&tried, s->documents.at[i]->uri, buf_text(&s->documents.at[i]->text), 0);
	for (size_t i = 0; i < all->readers.len; i++)
		document_open(&tried, all->readers.at[i].uri, all->readers.at[i].text, 0);
	for (size_t i = 0; i < all->list.len;) {
		const char *uri = all->list.at[i].uri;
		own(mem) char *text = replaced(all, &i, name);

		document_open(&tried, uri, text, 0);
	}
	for (size_t i = 0; holds && i < all->readers.len; i++) {
		const struct site_reader *before = &all->readers.at[i];
		struct document *again = document_find(&tried, before->uri);

		holds = reads_alike(&tried, again, before, all->declared_in, (struct span){ 0, from, to }, &why);
	}
	if (!holds)
		no(s, name, why);
	documents_release(&tried);
	return holds;
}

static cJSON *edits_of(const struct sites *all, const char *name)
{
	cJSON *out = cJSON_CreateObject(), *changes = cJSON_AddObjectToObject(out, "changes");

	for (size_t i = 0; i < all->list.len; i++) {
		const struct site *site = &all->list.at[i];
		cJSON *list = cJSON_GetObjectItemCaseSensitive(changes, site->uri), *edit = cJSON_CreateObject();

		if (!list)
			list = cJSON_AddArrayToObject(changes, site->uri);
		cJSON_AddItemToObject(edit, "range", range_json(site->text, site->len, site->from, site->to));
		cJSON_AddStringToObject(edit, "newText", name);
		cJSON_AddItemToArray(list, edit);
	}
	return out;
}

/* What is wrong with the name, whatever it is for; NULL when it may do. */
static const char *name_fault(const struct document *d, const struct use *u, const char *name)
{
	if (!is_name(name))
		return "is no name: letters, digits and _, with - between letters";
	if (word_is_reserved(name))
		return "is a word of the language";
	if (u->kind != USE_PARAMETER && uses_declared(&d->c->uses, u->kind, name) && strcmp(u->name, name))
		return "is taken";
	return NULL;
}

enum lsp_answer method_rename(struct server *s, const cJSON *params, cJSON **result)
{
	const cJSON *asked = cJSON_GetObjectItemCaseSensitive(params, "newName");
	own(arena) struct arena *a = arena_new();
	struct document *d;
	const struct use *u = use_at(s, params, &d);
	struct sites all;

	if (!d || !cJSON_IsString(asked))
		return LSP_PARAMS;
	const char *name = asked->valuestring, *fault = u ? name_fault(d, u, name) : "is for a name, and here is none";
	if (fault)
		return no(s, name, fault);
	sites_find(&all, s, d, u, a);
	for (size_t i = 0; i < all.list.len; i++)
		if (!all.list.at[i].uri)
			return no(s, u->name, "stands in a file that tegc carries, which cannot be changed");
	if (all.ambiguous)
		return no(s, u->name, "stands for more than this one in an event: another rule has this label");
	if (!still_holds(s, &all, u, name))
		return LSP_REFUSED;
	*result = edits_of(&all, name);
	return LSP_DONE;
}
