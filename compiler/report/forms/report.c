#include "compiler/report/forms/report.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lang/base/file.h"
#include "lang/vocab/exit.h"

/* --- where paths begin ----------------------------------------------------------------------- */

/* The nearest folder above that is a git repository (.git is a folder, or a file in a worktree). */
static const char *root_of(struct arena *a)
{
	char here[PATH_MAX];
	char *cwd = getcwd(here, sizeof here) ? arena_strdup(a, here) : NULL;

	if (!cwd)
		return NULL;
	for (char *end = here + strlen(here); end > here;) {
		*end = '\0';
		if (access(arena_printf(a, "%s/.git", here), F_OK) == 0)
			return arena_printf(a, "%s/", here);
		end = strrchr(here, '/');
	}
	return arena_printf(a, "%s/", cwd);
}

const char *report_path(const struct report *r, const char *name)
{
	char real[PATH_MAX];
	size_t len = r->root ? strlen(r->root) : 0;

	if (!len || !realpath(name, real))
		return name;
	if (strncmp(real, r->root, len))
		return arena_strdup(r->arena, real);
	return arena_strdup(r->arena, real + len);
}

/* --- what is told ---------------------------------------------------------------------------- */

struct report *report_new(const char *command)
{
	struct arena *a = arena_new();
	struct report *r = arena_zero(a, sizeof *r);

	*r = (struct report){ .arena = a, .command = command, .root = root_of(a) };
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->files.len; i++)
		compilation_free(r->files.at[i]->c);
	cJSON_Delete(r->parts);
	arena_free(r->arena);
}

void report_add_part(struct report *r, const char *key, cJSON *value)
{
	if (!r->parts)
		r->parts = cJSON_CreateObject();
	cJSON_AddItemToObject(r->parts, key, value);
}

cJSON *report_list_part(struct report *r, const char *key)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(r->parts, key);

	if (!list) {
		list = cJSON_CreateArray();
		report_add_part(r, key, list);
	}
	return list;
}

struct report_file *report_add(struct report *r, const char *path, struct compilation *c)
{
	struct report_file *f = arena_zero(r->arena, sizeof *f);

	*f = (struct report_file){ .path = path, .c = c };
	vec_push(r->arena, &r->files, f);
	return f;
}

void report_add_test(struct report_file *f, const char *name, struct span span, enum test_end end, size_t from)
{
	struct diags *ds = &f->c->diags;
	struct report_test t = { .name = name, .span = span, .end = end, .found_count = ds->list.len - from };

	t.found = arena_zero(f->c->arena, (t.found_count + 1) * sizeof *t.found);
	for (size_t i = 0; i < t.found_count; i++)
		t.found[i] = ds->list.at[from + i];
	vec_push(f->c->arena, &f->tests, t);
}

const char *report_result(const struct report *r)
{
	static const struct { int number; const char *id; } exits[] = {
#define EXIT(id, number, about) { number, #id },
#include "lang/vocab/exit.def"
#undef EXIT
	};

	for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
		if (exits[i].number == r->exit) {
			char *word = arena_strdup(r->arena, exits[i].id);

			for (char *at = word; *at; at++)
				*at = (char)tolower((unsigned char)*at);
			return word;
		}
	return "ours";
}

bool report_is_file(const struct source *s)
{
	return strncmp(s->name, "--", 2) && strcmp(s->name, REPORT_CLAIM);
}

struct report_span report_span(const struct report *r, const struct report_file *f, struct span s)
{
	if (!report_is_file(&f->c->sources.list.at[s.file]))
		return (struct report_span){ report_path(r, f->path), 1, 1, 1, 1 };
	struct place from = source_place(&f->c->sources, s.file, s.from);
	struct place to = source_place(&f->c->sources, s.file, s.to > s.from ? s.to : s.from);

	return (struct report_span){ report_path(r, from.file), from.line, from.column, to.line, to.column };
}

static void count_tests(struct report_counts *n, const struct report_file *f)
{
	for (size_t i = 0; i < f->tests.len; i++) {
		n->tests++;
		switch (f->tests.at[i].end) {
		case TEST_PASSED:
			n->passed++;
			break;
		case TEST_FAILED:
			n->failed++;
			break;
		case TEST_UNKNOWN:
			n->unknown++;
			break;
		case TEST_TODO:
			n->todo++;
			break;
		}
	}
}

static void count_changes(struct report_counts *n, const struct diff *d)
{
	for (size_t i = 0; i < d->change_count; i++) {
		switch (d->changes[i].kind) {
		case CHANGE_OPENED:
			n->opened++;
			break;
		case CHANGE_CLOSED:
			n->closed++;
			break;
		case CHANGE_EFFECT:
			n->effect++;
			break;
		}
	}
	n->facts = d->fact_count;
	n->idle = d->idle_count;
	n->undecided = d->progress.undecided;
}

struct report_counts report_count(const struct report *r)
{
	struct report_counts n = { 0 };

	for (size_t i = 0; i < r->files.len; i++) {
		const struct diags *ds = &r->files.at[i]->c->diags;

		n.errors += ds->errors;
		n.warnings += ds->warnings;
		n.allowed += ds->allowed;
		n.left_out += ds->errors + ds->warnings + ds->allowed - ds->list.len;
		n.fixed += r->files.at[i]->fixed;
		count_tests(&n, r->files.at[i]);
	}
	if (r->diff)
		count_changes(&n, r->diff);
	return n;
}

const struct report_file *report_change_file(const struct report *r, const struct change *c)
{
	const struct report_file *f = r->files.at[c->added ? 1 : 0];

	return c->cause.rule && span_is_somewhere(c->cause.rule->span) ? f : NULL;
}

const char *severity_name(enum severity s)
{
	switch (s) {
	case SEVERITY_ERROR:
		return "error";
	case SEVERITY_WARNING:
		return "warning";
	case SEVERITY_COUNT:
		break;
	}
	abort();
}

/* --- to whom --------------------------------------------------------------------------------- */

bool report_ask(struct report *r, const char *asked)
{
	static const struct { const char *name; report_form *form; } formats[] = {
#define FORMAT(id, name, about) { name, report_##id },
#include "compiler/report/forms/format.def"
#undef FORMAT
	};
	size_t len = strcspn(asked, "=");

	for (size_t i = 0; asked[len] && asked[len + 1] && i < sizeof formats / sizeof *formats; i++)
		if (strlen(formats[i].name) == len && !strncmp(formats[i].name, asked, len)) {
			struct report_sink s = { asked + len + 1, formats[i].form };

			vec_push(r->arena, &r->sinks, s);
			return true;
		}
	fputs("tegc: --report takes FORMAT=FILE, where FORMAT is one of", stderr);
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		fprintf(stderr, " %s", formats[i].name);
	fputc('\n', stderr);
	return false;
}

static bool is_stdout(const struct report_sink *s)
{
	return !strcmp(s->path, "-");
}

FILE *report_text(const struct report *r)
{
	for (size_t i = 0; i < r->sinks.len; i++)
		if (is_stdout(&r->sinks.at[i]))
			return stderr;
	return stdout;
}

static bool write_sink(const struct report *r, const struct report_sink *s)
{
	own(buf) struct buf out = { 0 };
	struct err why = { 0 };

	s->form(&out, r);
	if (is_stdout(s)) {
		fwrite(buf_text(&out), 1, out.len, stdout); /* tegc.c tells when that fails */
		return true;
	}
	if (!file_save(s->path, buf_text(&out), out.len, 0644, &why))
		return true;
	fprintf(stderr, "tegc %s: the report cannot be written: %s\n", r->command, why.text);
	return false;
}

int report_write(struct report *r, int exit_code)
{
	bool written = true;

	r->exit = exit_code;
	for (size_t i = 0; i < r->sinks.len; i++)
		written &= write_sink(r, &r->sinks.at[i]);
	return written ? exit_code : EXIT_IO;
}
