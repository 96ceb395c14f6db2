/*
 * junit.c - what passed and what failed, for continuous integration. A suite is a policy. Its cases
 * are its tests; of other commands, what the command answers; of a diff, the changes.
 */
#include <string.h>

#include "compiler/report/forms/report.h"

/* XML 1.0 has no control characters but three, not even escaped; in attributes these become spaces. */
static void put_xml(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			buf_puts(out, "&amp;");
		else if (c == '<')
			buf_puts(out, "&lt;");
		else if (c == '>')
			buf_puts(out, "&gt;");
		else if (c == '"')
			buf_puts(out, "&quot;");
		else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			buf_printf(out, "&lt;%02x&gt;", c);
		else
			buf_putc(out, (char)c);
	}
}

static void put_attribute(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, " %s=\"", name);
	put_xml(out, value);
	buf_putc(out, '"');
}

/* "policies/edge.teg" -> "policies.edge": build servers make a tree of it. */
static void put_class(struct buf *out, const char *path)
{
	size_t len = strlen(path);
	own(buf) struct buf name = { 0 };

	if (len > 4 && !strcmp(path + len - 4, ".teg"))
		len -= 4;
	for (size_t i = 0; i < len; i++)
		buf_putc(&name, path[i] == '/' ? '.' : path[i]);
	put_attribute(out, "classname", buf_text(&name));
}

static void put_found(struct buf *out, const struct report *r, const struct report_file *f, const struct diag *d)
{
	own(buf) struct buf line = { 0 };

	if (span_is_somewhere(d->span)) {
		struct report_span at = report_span(r, f, d->span);

		buf_printf(&line, "%s:%u:%u: ", at.path, at.line, at.column);
	}
	buf_printf(&line, "%s[%s]: %s\n", severity_name(d->severity), diag_kinds[d->code].code, d->text);
	for (const struct diag_part *p = d->parts; p; p = p->next)
		buf_printf(&line, "  %s\n", p->text);
	put_xml(out, buf_text(&line));
}

struct counts {
	size_t cases, failures, errors, skipped;
};

static void open_case(struct buf *out, struct counts *n, const char *path, const char *name)
{
	n->cases++;
	buf_puts(out, "    <testcase");
	put_attribute(out, "name", name);
	put_class(out, path);
	buf_putc(out, '>');
}

static void close_case(struct buf *out)
{
	buf_puts(out, "</testcase>\n");
}

/* `kind` is "failure" or "error". */
static void open_fault(struct buf *out, const char *kind, const char *type, const char *message)
{
	buf_printf(out, "<%s", kind);
	put_attribute(out, "type", type);
	put_attribute(out, "message", message);
	buf_putc(out, '>');
}

/* --- tests ----------------------------------------------------------------------------------- */

static void put_test(struct buf *out, struct counts *n, const struct report *r, const struct report_file *f,
		     const struct report_test *t)
{
	bool failed = t->end == TEST_FAILED;
	const char *kind = failed ? "failure" : "error";

	open_case(out, n, report_path(r, f->path), t->name);
	switch (t->end) {
	case TEST_PASSED:
		break;
	case TEST_TODO:
		n->skipped++;
		buf_puts(out, "<skipped/>");
		break;
	case TEST_FAILED:
	case TEST_UNKNOWN:
		*(failed ? &n->failures : &n->errors) += 1;
		open_fault(out, kind, t->found_count ? diag_kinds[t->found[0]->code].code : kind,
			   t->found_count ? t->found[0]->text : "its words were not kept");
		for (size_t i = 0; i < t->found_count; i++)
			put_found(out, r, f, t->found[i]);
		buf_printf(out, "</%s>", kind);
		break;
	}
	close_case(out);
}

/* --- what was found in a policy ---------------------------------------------------------------- */

static const struct diag *first_against(const struct diags *ds)
{
	for (size_t i = 0; i < ds->list.len; i++)
		if (!ds->list.at[i]->allowed && ds->list.at[i]->severity == SEVERITY_ERROR)
			return ds->list.at[i];
	return NULL;
}

static void put_policy(struct buf *out, struct counts *n, const struct report *r, const struct report_file *f)
{
	const struct diags *ds = &f->c->diags;
	const struct diag *first = first_against(ds);

	open_case(out, n, report_path(r, f->path), r->command);
	if (first) {
		n->failures++;
		open_fault(out, "failure", diag_kinds[first->code].code, first->text);
		for (size_t i = 0; i < ds->list.len; i++)
			if (!ds->list.at[i]->allowed && ds->list.at[i]->severity == SEVERITY_ERROR)
				put_found(out, r, f, ds->list.at[i]);
		buf_puts(out, "</failure>");
	} else if (f->spelling == SPELLING_OTHER) {
		n->failures++;
		open_fault(out, "failure", "spelling", "tegc fmt would spell this otherwise");
		buf_puts(out, "</failure>");
	}
	close_case(out);
}

static void put_change(struct buf *out, struct counts *n, const struct report *r, const struct change *c)
{
	own(buf) struct buf name = { 0 }, words = { 0 };

	for (size_t i = 0; i < c->region_count; i++)
		buf_printf(&words, "%s%s", i ? "; " : "", c->regions[i]);
	buf_printf(&name, "%s %s: %s", change_kind_name(c->kind), c->posture, buf_text(&words));
	open_case(out, n, report_path(r, r->files.at[1]->path), buf_text(&name));
	n->failures++;
	open_fault(out, "failure", risk_name(c->risk), buf_text(&words));
	words.len = 0;
	buf_puts(&words, "for example: ");
	witness_print(&words, &c->witness);
	put_xml(out, buf_text(&words));
	buf_puts(out, "</failure>");
	close_case(out);
}

static void put_suite(struct buf *out, const struct report *r, size_t i)
{
	const struct report_file *f = r->files.at[i];
	own(buf) struct buf cases = { 0 };
	struct counts n = { 0 };

	for (size_t t = 0; t < f->tests.len; t++)
		put_test(&cases, &n, r, f, &f->tests.at[t]);
	if (!f->tests.len)
		put_policy(&cases, &n, r, f);
	for (size_t c = 0; r->diff && i == 1 && c < r->diff->change_count; c++)
		put_change(&cases, &n, r, &r->diff->changes[c]);
	buf_puts(out, "  <testsuite");
	put_attribute(out, "name", report_path(r, f->path));
	buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n", n.cases, n.failures, n.errors,
		   n.skipped);
	buf_add(out, buf_text(&cases), cases.len);
	buf_puts(out, "  </testsuite>\n");
}

void report_junit(struct buf *out, const struct report *r)
{
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	put_attribute(out, "name", arena_printf(r->arena, "tegc %s", r->command));
	buf_puts(out, ">\n");
	for (size_t i = 0; i < r->files.len; i++)
		put_suite(out, r, i);
	buf_puts(out, "</testsuites>\n");
}
