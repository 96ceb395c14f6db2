#include "compiler/lsp/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lang/syntax/source.h"

/* JSON-RPC 2.0, and LSP 3.17 for the last two. */
enum rpc_error {
	RPC_PARSE = -32700,
	RPC_REQUEST = -32600,
	RPC_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_NOT_INITIALIZED = -32002,
	RPC_FAILED = -32803,
};

enum method_kind { REQUEST, NOTE };

static const struct method {
	const char *name;
	enum method_kind kind;
	enum lsp_answer (*run)(struct server *s, const cJSON *params, cJSON **result);
} methods[] = {
#define METHOD(id, name, kind) { name, kind, method_##id },
#include "compiler/lsp/method.def"
#undef METHOD
};

static void json_free(cJSON *json)
{
	cJSON_Delete(json);
}
OWN_FREE(json, cJSON *)

/* --- saying ------------------------------------------------------------------------------------ */

static void send(struct server *s, cJSON *message)
{
	char *text = cJSON_PrintUnformatted(message);

	if (!frame_send(s->out, text, strlen(text)))
		s->gone = true;
	cJSON_free(text);
	cJSON_Delete(message);
}

static cJSON *message_new(void)
{
	cJSON *m = cJSON_CreateObject();

	cJSON_AddStringToObject(m, "jsonrpc", "2.0");
	return m;
}

void lsp_notify(struct server *s, const char *method, cJSON *params)
{
	cJSON *m = message_new();

	cJSON_AddStringToObject(m, "method", method);
	cJSON_AddItemToObject(m, "params", params);
	send(s, m);
}

static cJSON *answer_to(const cJSON *id)
{
	cJSON *m = message_new();

	cJSON_AddItemToObject(m, "id", id ? cJSON_Duplicate(id, true) : cJSON_CreateNull());
	return m;
}

static void answer(struct server *s, const cJSON *id, cJSON *result)
{
	cJSON *m = answer_to(id);

	cJSON_AddItemToObject(m, "result", result ? result : cJSON_CreateNull());
	send(s, m);
}

static void refuse(struct server *s, const cJSON *id, enum rpc_error code, const char *words)
{
	cJSON *m = answer_to(id), *error = cJSON_AddObjectToObject(m, "error");

	cJSON_AddNumberToObject(error, "code", code);
	cJSON_AddStringToObject(error, "message", words);
	send(s, m);
}

/* --- hearing ------------------------------------------------------------------------------------- */

struct document *lsp_document(struct server *s, const cJSON *params, enum document_state state)
{
	const cJSON *document = cJSON_GetObjectItemCaseSensitive(params, "textDocument");
	const cJSON *uri = cJSON_GetObjectItemCaseSensitive(document, "uri");
	struct document *d = cJSON_IsString(uri) ? document_find(&s->documents, uri->valuestring) : NULL;

	if (d)
		document_bring(&s->documents, d, state);
	return d;
}

/* Is there a \u0000, which cJSON would end the text at? */
static bool says_nul(const char *body, size_t len)
{
	for (size_t i = 0; i + 5 < len; i++) {
		if (body[i] != '\\')
			continue;
		if (!memcmp(body + i + 1, "u0000", 5))
			return true;
		i++;
	}
	return false;
}

static cJSON *message_read(const char *body, size_t len)
{
	const char *end = NULL;
	cJSON *m;

	if (utf8_sound(body, len) < len || says_nul(body, len))
		return NULL;
	m = cJSON_ParseWithLengthOpts(body, len, &end, false);
	while (m && end < body + len && *end && strchr(" \t\r\n", *end))
		end++;
	if (m && end == body + len)
		return m;
	cJSON_Delete(m);
	return NULL;
}

static const struct method *method_find(const char *name)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

static void answer_request(struct server *s, const cJSON *id, const struct method *m, const cJSON *params)
{
	cJSON *result = NULL;

	switch (m->run(s, params, &result)) {
	case LSP_DONE:
		answer(s, id, result);
		return;
	case LSP_PARAMS:
		refuse(s, id, RPC_PARAMS, "the parameters are not those of this method, or its document is not open");
		return;
	case LSP_REFUSED:
		refuse(s, id, RPC_FAILED, s->refusal);
		return;
	}
}

static void hear_request(struct server *s, const cJSON *id, const char *name, const cJSON *params)
{
	const struct method *m = method_find(name);

	if (!cJSON_IsString(id) && !cJSON_IsNumber(id))
		refuse(s, NULL, RPC_REQUEST, "an id is a number or a string");
	else if (s->shut)
		refuse(s, id, RPC_REQUEST, "nothing is answered after shutdown");
	else if (!m || m->kind != REQUEST)
		refuse(s, id, RPC_METHOD, "there is no such request");
	else if (s->initialized == !strcmp(name, "initialize"))
		refuse(s, id, s->initialized ? RPC_REQUEST : RPC_NOT_INITIALIZED, "initialize comes first, and once");
	else
		answer_request(s, id, m, params);
}

static void hear_note(struct server *s, const char *name, const cJSON *params)
{
	const struct method *m = method_find(name);
	cJSON *none = NULL;

	if (!s->initialized || s->shut || !m)
		return;
	if (m->kind != NOTE || m->run(s, params, &none) != LSP_DONE)
		fprintf(stderr, "tegc lsp: %s: what it says cannot be\n", m->name);
	cJSON_Delete(none);
}

/* False when the conversation is over. */
static bool hear(struct server *s, const char *body, size_t len)
{
	own(json) cJSON *m = message_read(body, len);
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(m, "id");
	const cJSON *method = cJSON_GetObjectItemCaseSensitive(m, "method");
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(m, "jsonrpc");
	const cJSON *params = cJSON_GetObjectItemCaseSensitive(m, "params");

	if (!m)
		refuse(s, NULL, RPC_PARSE, "this is not one JSON text in UTF-8 without NUL");
	else if (!cJSON_IsString(version) || strcmp(version->valuestring, "2.0"))
		refuse(s, NULL, RPC_REQUEST, "a message is an object with \"jsonrpc\": \"2.0\"");
	else if (!method && id)
		return true; /* an answer, and nothing was asked */
	else if (!cJSON_IsString(method))
		refuse(s, NULL, RPC_REQUEST, "a message has a method");
	else if (id)
		hear_request(s, id, method->valuestring, params);
	else if (!strcmp(method->valuestring, "exit"))
		return false;
	else
		hear_note(s, method->valuestring, params);
	return !s->gone;
}

/* --- the loop ---------------------------------------------------------------------------------- */

/* The document that is furthest behind, when it is behind that state. */
static struct document *behind(struct server *s, enum document_state state)
{
	struct document *least = NULL;

	for (size_t i = 0; i < s->documents.count; i++) {
		struct document *d = s->documents.at[i];

		if (d->state < state && (!least || d->state < least->state))
			least = d;
	}
	return least;
}

static void catch_up(struct server *s)
{
	struct document *d = behind(s, DOCUMENT_PROVED);

	document_bring(&s->documents, d, d->state == DOCUMENT_CHANGED ? DOCUMENT_CHECKED : DOCUMENT_PROVED);
	publish(s, d);
}

static bool converse(struct server *s)
{
	for (;;) {
		int wait = behind(s, DOCUMENT_CHECKED) ? 0 : behind(s, DOCUMENT_PROVED) ? LSP_PAUSE_MS : -1;
		const char *body;
		size_t len;

		switch (frame_next(&s->in, wait, &body, &len)) {
		case FRAME_MESSAGE:
			if (!hear(s, body, len))
				return s->shut;
			break;
		case FRAME_NONE:
			catch_up(s);
			break;
		case FRAME_END:
			return false;
		case FRAME_BROKEN:
			fprintf(stderr, "tegc lsp: this is no message of an editor: a header with one Content-Length is due\n");
			return false;
		}
	}
}

int lsp_serve(int in, int out, struct documents_options options)
{
	struct server s = { .in = { .fd = in }, .out = out };

	signal(SIGPIPE, SIG_IGN);
	documents_init(&s.documents, options);
	pages_find(&s);
	bool good = converse(&s);
	documents_release(&s.documents);
	folders_release(&s.folders);
	frames_release(&s.in);
	return good ? 0 : 1;
}
