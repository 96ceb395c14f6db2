/*
 * text.c - a report for people: as at the prompt, without drawings, or a line for each finding.
 */
#include <string.h>

#include "compiler/report/changes/changes.h"
#include "compiler/report/diags.h"
#include "compiler/report/forms/report.h"

static void put_tests(struct buf *out, const struct report *r)
{
	struct report_counts n = report_count(r);

	if (!strcmp(r->command, "test"))
		buf_printf(out, "%zu passed, %zu failed, %zu unknown, %zu to do\n", n.passed, n.failed, n.unknown, n.todo);
}

static void put_changes(struct buf *out, const struct report *r)
{
	if (r->diff)
		report_changes(out, r->diff, r->files.at[0]->c, r->files.at[1]->c, CHANGES_TEXT, true);
}

static void put_spelling(struct buf *out, const struct report *r)
{
	for (size_t i = 0; i < r->files.len; i++)
		if (r->files.at[i]->spelling == SPELLING_OTHER)
			buf_printf(out, "%s would be spelled otherwise\n", report_path(r, r->files.at[i]->path));
}

void report_human(struct buf *out, const struct report *r)
{
	for (size_t i = 0; i < r->files.len; i++)
		diags_print(out, r->files.at[i]->c, false);
	put_tests(out, r);
	put_spelling(out, r);
	put_changes(out, r);
	buf_printf(out, "tegc %s: %s\n", r->command, report_result(r));
}

void report_plain(struct buf *out, const struct report *r)
{
	for (size_t i = 0; i < r->files.len; i++)
		diags_print_plain(out, r->files.at[i]->c);
	put_tests(out, r);
	put_spelling(out, r);
	put_changes(out, r);
	buf_printf(out, "tegc %s: %s\n", r->command, report_result(r));
}

void report_short(struct buf *out, const struct report *r)
{
	for (size_t i = 0; i < r->files.len; i++)
		diags_print_short(out, r->files.at[i]->c);
	put_spelling(out, r);
	put_changes(out, r);
}
