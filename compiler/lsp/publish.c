/*
 * publish.c - what `tegc check` says, in its words, at the places of an editor.
 */
#include <string.h>
#include <unistd.h>

#include "compiler/lsp/server.h"
#include "compiler/lsp/text.h"

cJSON *lsp_range(struct sources *s, struct span at)
{
	const struct source *source = &s->list.at[at.file];

	return range_json(source->text, source->len, at.from, at.to);
}

cJSON *lsp_location(struct server *s, struct sources *sources, struct span at)
{
	own(mem) char *uri = document_uri_of(&s->documents, &sources->list.at[at.file]);
	cJSON *out;

	if (!uri)
		return NULL;
	out = cJSON_CreateObject();
	cJSON_AddStringToObject(out, "uri", uri);
	cJSON_AddItemToObject(out, "range", lsp_range(sources, at));
	return out;
}

static void related(struct server *s, struct sources *sources, cJSON *to, struct span at, const char *words)
{
	cJSON *where = span_is_somewhere(at) ? lsp_location(s, sources, at) : NULL, *one;

	if (!where)
		return;
	one = cJSON_CreateObject();
	cJSON_AddItemToObject(one, "location", where);
	cJSON_AddStringToObject(one, "message", words);
	cJSON_AddItemToArray(to, one);
}

/* Its sentence, what stands beside the carets, and then notes and help, as check writes them. */
static void words(struct buf *out, const struct diag *d)
{
	buf_puts(out, d->text);
	if (d->label && *d->label)
		buf_printf(out, "\n%s", d->label);
	diag_add_notes(out, d);
}

void pages_find(struct server *s)
{
	static const char *const folders[] = { "../share/doc/tegumentar/errors", "../docs/errors" };
	char program[PATH_MAX], path[2 * PATH_MAX], whole[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
	char *slash = len > 0 ? memrchr(program, '/', (size_t)len) : NULL;

	for (size_t i = 0; slash && !*s->pages && i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%.*s/%s", (int)(slash - program), program, folders[i]);
		own(mem) char *uri = realpath(path, whole) ? document_uri(whole) : NULL;

		if (uri && strlen(uri) < sizeof s->pages)
			strcpy(s->pages, uri);
	}
}

static void add_page(cJSON *to, const struct server *s, const char *code)
{
	own(buf) struct buf href = { 0 };

	if (!*s->pages)
		return;
	buf_printf(&href, "%s/%s.md", s->pages, code);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(to, "codeDescription"), "href", buf_text(&href));
}

/* What stands in another file is told at the beginning of this one, which imports it. */
static cJSON *one(struct server *s, struct document *d, const struct diag *told)
{
	struct sources *sources = &d->c->sources;
	bool here = span_is_somewhere(told->span) && told->span.file == d->file;
	own(buf) struct buf text = { 0 };
	cJSON *out = cJSON_CreateObject(), *others = cJSON_CreateArray();

	words(&text, told);
	cJSON_AddItemToObject(out, "range", here ? lsp_range(sources, told->span) :
						   range_json(buf_text(&d->text), d->text.len, 0, 0));
	cJSON_AddNumberToObject(out, "severity", told->severity == SEVERITY_ERROR ? 1 : 2);
	cJSON_AddStringToObject(out, "code", diag_kinds[told->code].code);
	add_page(out, s, diag_kinds[told->code].code);
	cJSON_AddStringToObject(out, "source", "tegc");
	cJSON_AddStringToObject(out, "message", buf_text(&text));
	if (!here)
		related(s, sources, others, told->span, told->text);
	for (const struct diag_part *p = told->parts; p; p = p->next)
		if (p->kind == DIAG_PLACE)
			related(s, sources, others, p->span, p->text);
	cJSON_AddItemToObject(out, "relatedInformation", others);
	return out;
}

static void send_list(struct server *s, const struct document *d, cJSON *list)
{
	cJSON *params = cJSON_CreateObject();

	cJSON_AddStringToObject(params, "uri", d->uri);
	cJSON_AddNumberToObject(params, "version", d->version);
	cJSON_AddItemToObject(params, "diagnostics", list);
	lsp_notify(s, "textDocument/publishDiagnostics", params);
}

/* Not what a comment allows, nor what only our smaller budget leaves open. */
static bool is_told(const struct diag *d)
{
	return !d->allowed && d->code != DIAG_PROVER_UNDECIDED;
}

void publish(struct server *s, struct document *d)
{
	cJSON *list = cJSON_CreateArray();

	diags_sort(&d->c->diags);
	for (size_t i = 0; i < d->c->diags.list.len; i++)
		if (is_told(d->c->diags.list.at[i]))
			cJSON_AddItemToArray(list, one(s, d, d->c->diags.list.at[i]));
	send_list(s, d, list);
}

void publish_nothing(struct server *s, const struct document *d)
{
	send_list(s, d, cJSON_CreateArray());
}
