/*
 * markdown.c - a table for a pull request. What a policy says is shown as text: it opens no markup.
 */
#include <string.h>

#include "compiler/report/changes/changes.h"
#include "compiler/report/forms/report.h"

#define ROWS_SHOWN 50

static void put_md(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			buf_putc(out, ' ');
			continue;
		}
		if (strchr("\\|<>&*_[]#@", *text))
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}

/* Code spans in our words stay code: nothing is escaped in them but the bar. */
static void put_words(struct buf *out, const char *text)
{
	bool code = false;

	for (; *text; text++) {
		char one[2] = { *text };

		if (*text == '`')
			code = !code && strchr(text + 1, '`');
		if (code && *text != '|')
			buf_putc(out, *text == '\n' ? ' ' : *text);
		else if (*text == '`')
			buf_putc(out, '`');
		else
			put_md(out, one);
	}
}

static void put_row(struct buf *out, const struct report *r, const struct report_file *f, const struct diag *d)
{
	buf_printf(out, "| %s | ", d->allowed ? "allowed" : severity_name(d->severity));
	if (span_is_somewhere(d->span)) {
		struct report_span at = report_span(r, f, d->span);

		put_md(out, at.path);
		buf_printf(out, ":%u:%u", at.line, at.column);
	} else {
		put_md(out, report_path(r, f->path));
	}
	buf_printf(out, " | %s | ", diag_kinds[d->code].code);
	put_words(out, d->text);
	if (d->allowed) {
		buf_puts(out, "; allowed: ");
		put_md(out, d->allowed->reason);
	}
	buf_puts(out, " |\n");
}

static void put_findings(struct buf *out, const struct report *r)
{
	size_t shown = 0, all = 0;

	for (size_t i = 0; i < r->files.len; i++) {
		const struct report_file *f = r->files.at[i];

		diags_sort(&f->c->diags);
		for (size_t n = 0; n < f->c->diags.list.len; n++, all++) {
			if (!all)
				buf_puts(out, "| | place | code | what |\n|---|---|---|---|\n");
			if (shown < ROWS_SHOWN) {
				put_row(out, r, f, f->c->diags.list.at[n]);
				shown++;
			}
		}
	}
	if (all > shown)
		buf_printf(out, "\n%zu more are not shown.\n", all - shown);
	if (all)
		buf_putc(out, '\n');
}

static void put_spelling(struct buf *out, const struct report *r)
{
	for (size_t i = 0; i < r->files.len; i++)
		if (r->files.at[i]->spelling == SPELLING_OTHER) {
			buf_puts(out, "- ");
			put_md(out, report_path(r, r->files.at[i]->path));
			buf_puts(out, " would be spelled otherwise\n");
		}
}

void report_markdown(struct buf *out, const struct report *r)
{
	struct report_counts n = report_count(r);

	buf_printf(out, "### tegc %s: %s\n\n", r->command, report_result(r));
	put_findings(out, r);
	if (!strcmp(r->command, "fmt"))
		put_spelling(out, r);
	if (r->diff) {
		report_changes(out, r->diff, r->files.at[0]->c, r->files.at[1]->c, CHANGES_MARKDOWN, true);
		return;
	}
	buf_puts(out, "**");
	if (!strcmp(r->command, "test"))
		buf_printf(out, "%zu passed, %zu failed, %zu unknown, %zu to do; ", n.passed, n.failed, n.unknown, n.todo);
	buf_printf(out, "%zu errors, %zu warnings, %zu allowed**\n", n.errors, n.warnings, n.allowed);
}
