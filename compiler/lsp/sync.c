/*
 * sync.c - the beginning and the end of a conversation, and the texts that it is about.
 */
#include <string.h>

#include "compiler/lsp/server.h"
#include "compiler/lsp/text.h"
#include "lang/base/version.h"

static void capabilities(cJSON *to)
{
	static const char *const providers[] = {
		"documentFormattingProvider", "definitionProvider", "referencesProvider", "renameProvider",
		"hoverProvider", "documentSymbolProvider", "codeActionProvider",
	};
	cJSON *c = cJSON_AddObjectToObject(to, "capabilities");
	cJSON *sync = cJSON_AddObjectToObject(c, "textDocumentSync");

	cJSON_AddStringToObject(c, "positionEncoding", "utf-16");
	cJSON_AddTrueToObject(sync, "openClose");
	cJSON_AddNumberToObject(sync, "change", 2 /* incremental */);
	cJSON_AddTrueToObject(sync, "save");
	for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
		cJSON_AddTrueToObject(c, providers[i]);
	cJSON_AddObjectToObject(c, "completionProvider");
	cJSON_AddObjectToObject(c, "codeLensProvider");
	tokens_legend(c);
}

static void folder_read(struct server *s, const cJSON *uri)
{
	if (!cJSON_IsString(uri))
		return;
	own(mem) char *path = document_path_of(uri->valuestring);
	folders_add(&s->folders, path);
}

/* An editor of today names its folders; one of yesterday its root. */
static void folders_read(struct server *s, const cJSON *params)
{
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(params, "workspaceFolders"), *one;

	if (!cJSON_IsArray(all))
		folder_read(s, cJSON_GetObjectItemCaseSensitive(params, "rootUri"));
	cJSON_ArrayForEach(one, all)
		folder_read(s, cJSON_GetObjectItemCaseSensitive(one, "uri"));
}

enum lsp_answer method_initialize(struct server *s, const cJSON *params, cJSON **result)
{
	cJSON *info;

	if (!cJSON_IsObject(params))
		return LSP_PARAMS;
	s->initialized = true;
	folders_read(s, params);
	*result = cJSON_CreateObject();
	capabilities(*result);
	info = cJSON_AddObjectToObject(*result, "serverInfo");
	cJSON_AddStringToObject(info, "name", "tegc");
	cJSON_AddStringToObject(info, "version", TEGUMENTAR_VERSION);
	return LSP_DONE;
}

enum lsp_answer method_initialized(struct server *s, const cJSON *params, cJSON **result)
{
	(void)s, (void)params, (void)result;
	return LSP_DONE;
}

enum lsp_answer method_shutdown(struct server *s, const cJSON *params, cJSON **result)
{
	(void)params, (void)result;
	s->shut = true;
	return LSP_DONE;
}

/* --- texts ------------------------------------------------------------------------------------- */

static void all_changed(struct server *s)
{
	for (size_t i = 0; i < s->documents.count; i++)
		s->documents.at[i]->state = DOCUMENT_CHANGED;
}

enum lsp_answer method_did_open(struct server *s, const cJSON *params, cJSON **result)
{
	const cJSON *document = cJSON_GetObjectItemCaseSensitive(params, "textDocument");
	const cJSON *uri = cJSON_GetObjectItemCaseSensitive(document, "uri");
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(document, "text");
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(document, "version");

	(void)result;
	if (!cJSON_IsString(uri) || !*uri->valuestring || !cJSON_IsString(text) ||
	    !document_open(&s->documents, uri->valuestring, text->valuestring,
			   cJSON_IsNumber(version) ? version->valuedouble : 0))
		return LSP_PARAMS;
	all_changed(s); /* others may have looked for it in vain */
	return LSP_DONE;
}

/* One of contentChanges: a range and what comes there, or the whole text. */
static bool change(struct document *d, const cJSON *one)
{
	const cJSON *range = cJSON_GetObjectItemCaseSensitive(one, "range");
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(one, "text");
	struct position from, to;

	if (!cJSON_IsString(text))
		return false;
	if (!range) {
		document_edit(d, 0, d->text.len, text->valuestring);
		return true;
	}
	if (!position_read(cJSON_GetObjectItemCaseSensitive(range, "start"), &from) ||
	    !position_read(cJSON_GetObjectItemCaseSensitive(range, "end"), &to))
		return false;
	size_t at = text_offset(buf_text(&d->text), d->text.len, from);
	size_t end = text_offset(buf_text(&d->text), d->text.len, to);
	if (end < at)
		return false;
	document_edit(d, at, end, text->valuestring);
	return true;
}

enum lsp_answer method_did_change(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_CHANGED);
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(params, "textDocument"), "version");
	const cJSON *changes = cJSON_GetObjectItemCaseSensitive(params, "contentChanges"), *one;
	bool good = true;

	(void)result;
	if (!d || !cJSON_IsArray(changes))
		return LSP_PARAMS;
	document_changed(&s->documents, d);
	if (cJSON_IsNumber(version))
		d->version = version->valuedouble;
	cJSON_ArrayForEach(one, changes)
		good = good && change(d, one);
	return good ? LSP_DONE : LSP_PARAMS;
}

enum lsp_answer method_did_save(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_PROVED);

	(void)result;
	if (!d)
		return LSP_PARAMS;
	publish(s, d);
	return LSP_DONE;
}

enum lsp_answer method_did_close(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d = lsp_document(s, params, DOCUMENT_CHANGED);

	(void)result;
	if (!d)
		return LSP_PARAMS;
	publish_nothing(s, d);
	document_close(&s->documents, d);
	return LSP_DONE;
}

/* Files that are not open here, and that open ones may import. */
enum lsp_answer method_watched(struct server *s, const cJSON *params, cJSON **result)
{
	(void)params, (void)result;
	all_changed(s);
	return LSP_DONE;
}
