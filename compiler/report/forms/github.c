/*
 * github.c - commands that GitHub reads in a job's log, and marks lines with:
 *
 *     ::error file=policies/edge.teg,line=57,endLine=57,col=5,endColumn=13,title=E0312::`late` never decides
 *
 * It keeps ten errors and ten warnings of a step; errors are told first.
 */
#include <string.h>

#include "compiler/report/forms/report.h"

/* What ends a command, or a property of one, is escaped. */
static void put_escaped(struct buf *out, const char *text, const char *also)
{
	for (; *text; text++)
		if (*text == '%' || *text == '\r' || *text == '\n' || strchr(also, *text))
			buf_printf(out, "%%%02X", (unsigned char)*text);
		else
			buf_putc(out, *text);
}

static void put_message(struct buf *out, const char *text)
{
	put_escaped(out, text, "");
}

static void put_property(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "%s=", name);
	put_escaped(out, text, ":,");
}

/* A column is told of one line only; its last one is in it. */
static void put_place(struct buf *out, const struct report_span *s)
{
	put_property(out, "file", s->path);
	buf_printf(out, ",line=%u,endLine=%u", s->line, s->end_line);
	if (s->line == s->end_line)
		buf_printf(out, ",col=%u,endColumn=%u", s->column,
			   s->end_column > s->column ? s->end_column - 1 : s->column);
	buf_putc(out, ',');
}

static void put_diag(struct buf *out, const struct report *r, const struct report_file *f, const struct diag *d)
{
	buf_printf(out, "::%s ", severity_name(d->severity));
	if (span_is_somewhere(d->span)) {
		struct report_span at = report_span(r, f, d->span);

		put_place(out, &at);
	}
	put_property(out, "title", diag_kinds[d->code].code);
	buf_puts(out, "::");
	put_message(out, d->text);
	for (const struct diag_part *p = d->parts; p; p = p->next)
		if (p->kind != DIAG_PLACE) {
			buf_printf(out, "%%0A%s: ", p->kind == DIAG_NOTE ? "note" : "help");
			put_message(out, p->text);
		}
	buf_putc(out, '\n');
}

static const char *const risk_commands[] = {
#define LEVEL(risk, command, level) [RISK_##risk] = command,
#include "compiler/report/forms/level.def"
#undef LEVEL
};

static void put_change(struct buf *out, const struct report *r, const struct change *c)
{
	const struct report_file *f = report_change_file(r, c);

	buf_printf(out, "::%s ", risk_commands[c->risk]);
	if (f) {
		struct report_span at = report_span(r, f, c->cause.rule->span);

		put_place(out, &at);
	}
	put_property(out, "title", change_kind_name(c->kind));
	buf_puts(out, "::");
	put_message(out, c->posture);
	for (size_t i = 0; i < c->region_count; i++) {
		buf_puts(out, i ? "; " : ": ");
		put_message(out, c->regions[i]);
	}
	buf_putc(out, '\n');
}

static void put_spelling(struct buf *out, const struct report *r, const struct report_file *f)
{
	if (f->spelling != SPELLING_OTHER)
		return;
	buf_puts(out, "::error ");
	put_property(out, "file", report_path(r, f->path));
	buf_puts(out, ",title=spelling::tegc fmt would spell this otherwise\n");
}

void report_github(struct buf *out, const struct report *r)
{
	for (enum severity s = 0; s < SEVERITY_COUNT; s++)
		for (size_t i = 0; i < r->files.len; i++) {
			const struct report_file *f = r->files.at[i];

			diags_sort(&f->c->diags);
			for (size_t n = 0; n < f->c->diags.list.len; n++)
				if (!f->c->diags.list.at[n]->allowed && f->c->diags.list.at[n]->severity == s)
					put_diag(out, r, f, f->c->diags.list.at[n]);
		}
	for (size_t i = 0; i < r->files.len; i++)
		put_spelling(out, r, r->files.at[i]);
	for (size_t i = 0; r->diff && i < r->diff->change_count; i++)
		put_change(out, r, &r->diff->changes[i]);
}
