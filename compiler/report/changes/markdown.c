/*
 * markdown.c - a diff for a pull request.
 */
#include <string.h>

#include "compiler/report/changes/words.h"

/* Names and texts of the policy are shown as they are, never as markup. */
static void md_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_{}[]<>()#+!|~", *text))
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}

static void md_buf(struct buf *out, const struct buf *b)
{
	md_text(out, buf_text(b));
}

static void md_change(struct buf *out, const struct telling *k, const struct change *c)
{
	own(buf) struct buf region = { 0 }, because = { 0 }, example = { 0 }, flags = { 0 };

	change_print_share(&region, c);
	change_print_regions(&region, c, "; ");
	change_print_because(&because, k, c);
	witness_print(&example, &c->witness);
	if (c->conditional) {
		buf_puts(&example, ", ");
		change_print_assumes(&example, &c->witness);
	}
	change_print_flags(&flags, c->flags);
	buf_printf(out, "| %s | %s | ", change_word(c->kind), risk_name(c->risk));
	md_text(out, c->posture);
	buf_printf(out, " %s | ", direction_name(c->direction));
	md_buf(out, &region);
	buf_printf(out, " | %s → %s | ", verdict_name(c->witness.decider.verdict),
		   verdict_name(c->now.verdict));
	md_buf(out, &because);
	buf_puts(out, " | ");
	md_buf(out, &example);
	buf_puts(out, " | ");
	md_buf(out, &flags);
	buf_puts(out, " |\n");
}

static void md_fact(struct buf *out, const struct fact *f)
{
	buf_printf(out, "| %s | %s | ", fact_word(f->kind), risk_name(f->risk));
	md_text(out, f->what);
	buf_puts(out, " | ");
	md_text(out, f->before);
	buf_puts(out, " | ");
	md_text(out, f->after);
	if (f->example) {
		buf_puts(out, ", for example ");
		md_text(out, f->example);
	}
	buf_puts(out, " | ");
	change_print_flags(out, f->flags);
	buf_puts(out, " |\n");
}

void changes_markdown(struct buf *out, const struct telling *k)
{
	const struct diff *d = k->d;
	struct change_counts n = changes_count(d);
	own(buf) struct buf last = { 0 };

	buf_puts(out, "### What this changes\n\n");
	if (d->change_count)
		buf_puts(out, "| change | risk | where | packets | verdict | because | example | flags |\n"
			      "|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < d->change_count; i++)
		md_change(out, k, &d->changes[i]);
	if (d->fact_count)
		buf_puts(out, "\n| change | risk | what | before | after | flags |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < d->fact_count; i++)
		md_fact(out, &d->facts[i]);
	buf_putc(out, '\n');
	changes_print_proof(&last, d, &n);
	md_buf(out, &last);
	buf_puts(out, "\n**");
	last.len = 0;
	changes_print_count(&last, d, &n);
	buf_add(out, last.at, last.len - 1);
	buf_puts(out, "**\n");
}
