/*
 * symbols.c - the outline of a document, the tests in it with how they fare, and the fixes that
 * diagnostics know.
 */
#include <string.h>

#include "compiler/ir/trial.h"
#include "compiler/lsp/server.h"
#include "compiler/lsp/text.h"

/* SymbolKind of LSP 3.17 */
static int kind_of(enum use_kind k)
{
	switch (k) {
	case USE_PARAM: case USE_LIMIT: case USE_PARAMETER:
		return 14; /* Constant */
	case USE_ZONE:
		return 3; /* Namespace */
	case USE_NET: case USE_SERVICE:
		return 13; /* Variable */
	case USE_POSTURE:
		return 5; /* Class */
	case USE_REFLEX: case USE_PLAYBOOK: case USE_DECOY:
		return 12; /* Function */
	case USE_BLOCK: case USE_LIFELINE: case USE_LABEL: case USE_SENSE:
		return 6; /* Method */
	case USE_COUNT:
		break;
	}
	abort();
}

static bool declares(const struct document *d, const struct use *u)
{
	return u->at.file == d->file && u->kind != USE_PARAMETER &&
	       (!memcmp(&u->at, &u->declared, sizeof u->at) || u->kind == USE_LABEL);
}

/* Labels stand below the posture before them. */
enum lsp_answer method_symbols(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_CHECKED);

	if (!d)
		return LSP_PARAMS;
	*result = cJSON_CreateArray();
	for (size_t i = 0; i < d->c->uses.list.len; i++) {
		const struct use *u = &d->c->uses.list.at[i];
		cJSON *one, *place;

		if (!declares(d, u))
			continue;
		place = lsp_location(s, &d->c->sources, u->at);
		if (!place)
			continue;
		one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "name", u->name);
		cJSON_AddNumberToObject(one, "kind", kind_of(u->kind));
		cJSON_AddItemToObject(one, "location", place);
		cJSON_AddItemToArray(*result, one);
	}
	return LSP_DONE;
}

/* --- tests ----------------------------------------------------------------------------------- */

/* `forall` and `refuses` are for `tegc test`: they may take long. */
static const char *fares(const struct trial *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->findings[i].asked->kind == CASE_FORALL || t->findings[i].asked->kind == CASE_REFUSES)
			return t->failed ? "fails" : "the packets pass; the rest is for tegc test";
	return t->failed ? "fails" : "passes";
}

enum lsp_answer method_code_lens(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_CHECKED);

	if (!d)
		return LSP_PARAMS;
	*result = cJSON_CreateArray();
	if (!d->policy)
		return LSP_DONE;
	if (!d->ir)
		d->ir = ir_lower(d->policy, d->c->arena);
	for (size_t i = 0; i < d->policy->test_count; i++) {
		const struct pol_test *test = &d->policy->tests[i];
		cJSON *one, *command;
		struct trial t;

		if (test->span.file != d->file)
			continue;
		trial_run(&t, d->ir, test, d->c->arena);
		one = cJSON_CreateObject();
		cJSON_AddItemToObject(one, "range", lsp_range(&d->c->sources, test->span));
		command = cJSON_AddObjectToObject(one, "command");
		cJSON_AddStringToObject(command, "title", fares(&t));
		cJSON_AddStringToObject(command, "command", "");
		cJSON_AddItemToArray(*result, one);
	}
	return LSP_DONE;
}

/* --- fixes -------------------------------------------------------------------------------------- */

static const char *help_of(const struct diag *told)
{
	for (const struct diag_part *p = told->parts; p; p = p->next)
		if (p->kind == DIAG_HELP)
			return p->text;
	return told->text;
}

/* All edits of a fix are made together, so one outside the document keeps it from being offered. */
static cJSON *edits(struct document *d, const struct diag *told)
{
	cJSON *out = cJSON_CreateArray();

	for (const struct diag_edit *e = told->edits; e; e = e->next) {
		cJSON *one = cJSON_CreateObject();

		if (e->span.file != d->file) {
			cJSON_Delete(one);
			cJSON_Delete(out);
			return NULL;
		}
		cJSON_AddItemToObject(one, "range", lsp_range(&d->c->sources, e->span));
		cJSON_AddStringToObject(one, "newText", e->text);
		cJSON_AddItemToArray(out, one);
	}
	return out;
}

static void offer(cJSON *to, struct document *d, const struct diag *told)
{
	cJSON *changes, *list = edits(d, told), *one;

	if (!list)
		return;
	one = cJSON_CreateObject();
	cJSON_AddStringToObject(one, "title", help_of(told));
	cJSON_AddStringToObject(one, "kind", "quickfix");
	cJSON_AddTrueToObject(one, "isPreferred");
	changes = cJSON_AddObjectToObject(cJSON_AddObjectToObject(one, "edit"), "changes");
	cJSON_AddItemToObject(changes, d->uri, list);
	cJSON_AddItemToArray(to, one);
}

enum lsp_answer method_code_action(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_CHECKED);
	const cJSON *range = cJSON_GetObjectItemCaseSensitive(params, "range");
	struct position from, to;

	if (!d || !position_read(cJSON_GetObjectItemCaseSensitive(range, "start"), &from) ||
	    !position_read(cJSON_GetObjectItemCaseSensitive(range, "end"), &to))
		return LSP_PARAMS;
	size_t begin = text_offset(buf_text(&d->text), d->text.len, from);
	size_t end = text_offset(buf_text(&d->text), d->text.len, to);
	*result = cJSON_CreateArray();
	for (size_t i = 0; i < d->c->diags.list.len; i++) {
		const struct diag *told = d->c->diags.list.at[i];

		if (told->edits && !told->allowed && told->span.file == d->file && told->span.from <= end && begin <= told->span.to)
			offer(*result, d, told);
	}
	return LSP_DONE;
}
