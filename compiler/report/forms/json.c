/*
 * json.c - a report for programs: one envelope for all commands, docs/schemas/report.json.
 * Keys stand in the order of the alphabet, so that reports can be compared.
 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "compiler/report/changes/changes.h"
#include "compiler/report/forms/report.h"
#include "lang/base/digest.h"
#include "lang/base/version.h"

#define SCHEMA_VERSION 1

static void add_text(cJSON *o, const char *key, const char *text)
{
	if (text)
		cJSON_AddStringToObject(o, key, text);
}

static void add_count(cJSON *o, const char *key, size_t n)
{
	cJSON_AddNumberToObject(o, key, (double)n);
}

/* --- findings -------------------------------------------------------------------------------- */

static cJSON *json_place(const struct report *r, const struct report_file *f, struct span s)
{
	struct report_span at = report_span(r, f, s);
	cJSON *o = cJSON_CreateObject();

	add_count(o, "column", at.column);
	add_count(o, "end_column", at.end_column);
	add_count(o, "end_line", at.end_line);
	add_count(o, "line", at.line);
	add_text(o, "path", at.path);
	return o;
}

static cJSON *json_allowance(const struct diag_allowance *a)
{
	cJSON *o = cJSON_CreateObject();

	add_text(o, "owner", a->owner);
	add_text(o, "reason", a->reason);
	add_text(o, "until", a->until);
	return o;
}

static cJSON *json_edits(const struct report *r, const struct report_file *f, const struct diag *d)
{
	cJSON *list = cJSON_CreateArray();

	for (const struct diag_edit *e = d->edits; e; e = e->next) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddItemToObject(o, "place", json_place(r, f, e->span));
		add_text(o, "text", e->text);
		cJSON_AddItemToArray(list, o);
	}
	return list;
}

static cJSON *json_parts(const struct diag *d, enum diag_part_kind kind)
{
	cJSON *list = cJSON_CreateArray();

	for (const struct diag_part *p = d->parts; p; p = p->next)
		if (p->kind == kind)
			cJSON_AddItemToArray(list, cJSON_CreateString(p->text));
	return list;
}

static cJSON *json_related(const struct report *r, const struct report_file *f, const struct diag *d)
{
	cJSON *list = cJSON_CreateArray();

	for (const struct diag_part *p = d->parts; p; p = p->next) {
		cJSON *o;

		if (p->kind != DIAG_PLACE)
			continue;
		o = cJSON_CreateObject();
		cJSON_AddItemToObject(o, "place", json_place(r, f, p->span));
		add_text(o, "words", p->text);
		cJSON_AddItemToArray(list, o);
	}
	return list;
}

static cJSON *json_diag(const struct report *r, const struct report_file *f, const struct diag *d)
{
	cJSON *o = cJSON_CreateObject();

	if (d->allowed)
		cJSON_AddItemToObject(o, "allowed", json_allowance(d->allowed));
	add_text(o, "code", diag_kinds[d->code].code);
	if (d->edits)
		cJSON_AddItemToObject(o, "fix", json_edits(r, f, d));
	cJSON_AddItemToObject(o, "help", json_parts(d, DIAG_HELP));
	add_text(o, "label", d->label);
	add_text(o, "message", d->text);
	cJSON_AddItemToObject(o, "notes", json_parts(d, DIAG_NOTE));
	if (span_is_somewhere(d->span))
		cJSON_AddItemToObject(o, "place", json_place(r, f, d->span));
	cJSON_AddItemToObject(o, "related", json_related(r, f, d));
	add_text(o, "severity", severity_name(d->severity));
	add_text(o, "title", diag_kinds[d->code].title);
	return o;
}

static cJSON *json_diags(const struct report *r)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < r->files.len; i++) {
		struct report_file *f = r->files.at[i];

		diags_sort(&f->c->diags);
		for (size_t n = 0; n < f->c->diags.list.len; n++)
			cJSON_AddItemToArray(list, json_diag(r, f, f->c->diags.list.at[n]));
	}
	return list;
}

/* --- inputs ---------------------------------------------------------------------------------- */

struct input {
	const char *path;
	struct digest digest;
};

static int by_path(const void *x, const void *y)
{
	const struct input *a = x, *b = y;
	int order = strcmp(a->path, b->path);

	return order ? order : strcmp(a->digest.hex, b->digest.hex);
}

/* What is given on the command line is no input that others could look up. */
static cJSON *json_inputs(const struct report *r)
{
	VEC(struct input) all = { 0 };
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < r->files.len; i++)
		for (size_t n = 0; n < r->files.at[i]->c->sources.list.len; n++) {
			const struct source *s = &r->files.at[i]->c->sources.list.at[n];

			if (report_is_file(s)) {
				struct input in = { report_path(r, s->name), digest_of(s->text, s->len) };

				vec_push(r->arena, &all, in);
			}
		}
	if (all.len)
		qsort(all.at, all.len, sizeof *all.at, by_path);
	for (size_t i = 0; i < all.len; i++) {
		cJSON *o;

		if (i && !by_path(&all.at[i - 1], &all.at[i]))
			continue;
		o = cJSON_CreateObject();
		add_text(o, "path", all.at[i].path);
		add_text(o, "sha256", all.at[i].digest.hex);
		cJSON_AddItemToArray(list, o);
	}
	return list;
}

/* --- what one command has ---------------------------------------------------------------------- */

static cJSON *json_bundle(const struct report *r)
{
	cJSON *o = cJSON_CreateObject();

	add_count(o, "bytes", r->bundle.len);
	add_text(o, "path", report_path(r, r->bundle.path));
	cJSON_AddBoolToObject(o, "proved", r->bundle.proved);
	add_text(o, "sha256", r->bundle.sha256);
	return o;
}

static const char *spelling_word(enum spelling s)
{
	switch (s) {
	case SPELLING_NOT_ASKED:
		return "unknown";
	case SPELLING_SAME:
		return "same";
	case SPELLING_OTHER:
		return "other";
	case SPELLING_WRITTEN:
		break;
	}
	return "written";
}

static cJSON *json_files(const struct report *r)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < r->files.len; i++) {
		cJSON *o = cJSON_CreateObject();

		add_text(o, "path", report_path(r, r->files.at[i]->path));
		add_text(o, "spelling", spelling_word(r->files.at[i]->spelling));
		cJSON_AddItemToArray(list, o);
	}
	return list;
}

static const char *end_word(enum test_end e)
{
	switch (e) {
	case TEST_PASSED:
		return "passed";
	case TEST_FAILED:
		return "failed";
	case TEST_UNKNOWN:
		return "unknown";
	case TEST_TODO:
		break;
	}
	return "todo";
}

static cJSON *json_tests(const struct report *r)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < r->files.len; i++)
		for (size_t n = 0; n < r->files.at[i]->tests.len; n++) {
			const struct report_test *t = &r->files.at[i]->tests.at[n];
			cJSON *o = cJSON_CreateObject();

			add_text(o, "end", end_word(t->end));
			add_text(o, "name", t->name);
			cJSON_AddItemToObject(o, "place", json_place(r, r->files.at[i], t->span));
			cJSON_AddItemToArray(list, o);
		}
	return list;
}

static cJSON *json_summary(const struct report *r)
{
	struct report_counts n = report_count(r);
	cJSON *o = cJSON_CreateObject();

	add_count(o, "allowed", n.allowed);
	if (r->diff) {
		add_count(o, "closed", n.closed);
		add_count(o, "effect", n.effect);
	}
	add_count(o, "errors", n.errors);
	if (r->diff)
		add_count(o, "facts", n.facts);
	if (!strcmp(r->command, "check"))
		add_count(o, "fixed", n.fixed);
	add_count(o, "left_out", n.left_out);
	if (r->diff)
		add_count(o, "opened", n.opened);
	if (!strcmp(r->command, "test")) {
		cJSON *tests = cJSON_AddObjectToObject(o, "tests");

		add_count(tests, "failed", n.failed);
		add_count(tests, "passed", n.passed);
		add_count(tests, "todo", n.todo);
		add_count(tests, "unknown", n.unknown);
	}
	if (r->diff)
		add_count(o, "undecided", n.undecided);
	add_count(o, "warnings", n.warnings);
	if (r->diff)
		add_count(o, "without_effect", n.idle);
	return o;
}

static cJSON *json_tool(void)
{
	cJSON *o = cJSON_CreateObject();

	add_text(o, "name", "tegc");
	add_text(o, "version", TEGUMENTAR_VERSION);
	return o;
}

static void add_part(cJSON *o, const struct report *r, const char *key)
{
	cJSON *part = cJSON_GetObjectItemCaseSensitive(r->parts, key);

	if (part)
		cJSON_AddItemReferenceToObject(o, key, part);
}

void report_json(struct buf *out, const struct report *r)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	if (r->bundle.path)
		cJSON_AddItemToObject(o, "bundle", json_bundle(r));
	add_text(o, "command", r->command);
	add_part(o, r, "coverage");
	cJSON_AddItemToObject(o, "diagnostics", json_diags(r));
	if (r->diff)
		cJSON_AddItemToObject(o, "diff", report_changes_json(r->diff, r->files.at[0]->c, r->files.at[1]->c));
	add_count(o, "exit", (size_t)r->exit);
	add_part(o, r, "explanation");
	if (!strcmp(r->command, "fmt"))
		cJSON_AddItemToObject(o, "files", json_files(r));
	add_part(o, r, "import");
	cJSON_AddItemToObject(o, "inputs", json_inputs(r));
	add_part(o, r, "mutants");
	add_part(o, r, "proof");
	add_text(o, "result", report_result(r));
	add_text(o, "schema", "tegumentar.report");
	add_count(o, "schema_version", SCHEMA_VERSION);
	cJSON_AddItemToObject(o, "summary", json_summary(r));
	if (!strcmp(r->command, "test"))
		cJSON_AddItemToObject(o, "tests", json_tests(r));
	cJSON_AddItemToObject(o, "tool", json_tool());
	text = cJSON_Print(o);
	buf_puts(out, text ? text : "");
	buf_putc(out, '\n');
	cJSON_free(text);
	cJSON_Delete(o);
}
