/*
 * server - one conversation with an editor (LSP 3.17, JSON-RPC 2.0) on two descriptors.
 *
 *     lsp_serve(STDIN_FILENO, STDOUT_FILENO, options)      until `exit`
 *
 * Messages are taken as they come; what changed is compiled when no message waits, and
 * proved when nothing came for a while or on save. So a burst of keystrokes costs one reading,
 * and a question is answered from the text as it is when it was asked.
 *
 * Nothing that arrives can end the conversation but `exit`, the end of the stream, and a
 * header that says no length. All else that cannot be is answered with an error, or, where
 * LSP allows no answer, passed over with a line on stderr.
 */
#ifndef TEG_LSP_SERVER_H
#define TEG_LSP_SERVER_H

#include <limits.h>

#include <cjson/cJSON.h>

#include "compiler/lsp/document.h"
#include "compiler/lsp/frame.h"
#include "compiler/lsp/folder.h"

#define LSP_PAUSE_MS 400 /* without a message, before the prover is asked */

struct server {
	struct frames in;
	int out;
	struct documents documents;
	struct folders folders;
	bool initialized, shut, gone;
	char pages[PATH_MAX]; /* the folder of pages on diagnostics, as a URI; "" when it is not here */
	char refusal[512]; /* why a method said LSP_REFUSED */
};

/* The exit code: 0 after shutdown and exit, else 1. */
int lsp_serve(int in, int out, struct documents_options options);

/* What a method found: an answer (*result may stay NULL, which is null); params that are none; or no. */
enum lsp_answer { LSP_DONE, LSP_PARAMS, LSP_REFUSED };

#define METHOD(id, name, kind) enum lsp_answer method_##id(struct server *s, const cJSON *params, cJSON **result);
#include "compiler/lsp/method.def"
#undef METHOD

/* For methods. */
void lsp_notify(struct server *s, const char *method, cJSON *params); /* takes params */
/* The open document of params.textDocument.uri, compiled so far; NULL when there is none. */
struct document *lsp_document(struct server *s, const cJSON *params, enum document_state state);

/* tokens.c: what semantic tokens are called, among the capabilities. */
void tokens_legend(cJSON *capabilities);
/* names.c: the place of params.position; *d is NULL, and the answer false, when the document is not open. */
bool lsp_offset(struct server *s, const cJSON *params, struct document **d, size_t *at);
/* publish.c: {"uri", "range"}; NULL when no editor could open it: what tegc carries. */
cJSON *lsp_location(struct server *s, struct sources *sources, struct span at);
cJSON *lsp_range(struct sources *s, struct span at);

/* publish.c: where the pages are: installed beside tegc, or in the tree that it was built in. */
void pages_find(struct server *s);
/* publish.c: sends textDocument/publishDiagnostics for what the document's compilation told. */
void publish(struct server *s, struct document *d);
void publish_nothing(struct server *s, const struct document *d);

#endif
