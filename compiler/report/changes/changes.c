/*
 * changes.c - a diff in its forms; here for a terminal or a mail.
 */
#include "compiler/report/changes/changes.h"
#include "compiler/report/changes/words.h"

static void text_change(struct buf *out, const struct telling *k, const struct change *c)
{
	buf_printf(out, "%-6s %-8s %s %s   ", change_word(c->kind), risk_name(c->risk), c->posture,
		   direction_name(c->direction));
	change_print_share(out, c);
	change_print_regions(out, c, "; ");
	buf_printf(out, "   %s -> %s\n", verdict_name(c->witness.decider.verdict),
		   verdict_name(c->now.verdict));
	buf_puts(out, "   because    ");
	change_print_because(out, k, c);
	buf_puts(out, "\n   example    ");
	witness_print(out, &c->witness);
	buf_putc(out, '\n');
	if ((!c->exact || c->beside) && c->rest_count) {
		buf_puts(out, c->exact ? "   beside     what is decided before by "
				       : "   the rest   is decided by ");
		decider_print_some(out, telling_source(k, c->added), c->rest, c->rest_count);
		buf_putc(out, '\n');
	}
	if (c->edge)
		buf_printf(out, "   edge       %s\n", c->edge);
	if (c->conditional) {
		buf_puts(out, "   only       ");
		change_print_assumes(out, &c->witness);
		buf_putc(out, '\n');
	}
	if (!(c->states & 1u << CT_NEW)) {
		buf_puts(out, "   state      ");
		change_print_states(out, c);
		buf_putc(out, '\n');
	}
	if (c->flags) {
		buf_puts(out, "   flags      ");
		change_print_flags(out, c->flags);
		buf_putc(out, '\n');
	}
}

static size_t lines_in(const struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->at[i] == '\n';
	return n;
}

static void text_fact(struct buf *out, const struct fact *f)
{
	buf_printf(out, "%-6s %-8s %s   %s -> %s\n", fact_word(f->kind), risk_name(f->risk), f->what, f->before,
		   f->after);
	if (f->example)
		buf_printf(out, "   example    %s\n", f->example);
	if (f->flags) {
		buf_puts(out, "   flags      ");
		change_print_flags(out, f->flags);
		buf_putc(out, '\n');
	}
}

static void report_text(struct buf *out, const struct telling *k, bool all)
{
	const struct diff *d = k->d;
	struct change_counts n = changes_count(d);
	size_t left = d->change_count + d->fact_count;

	for (size_t i = 0; i < d->fact_count; i++)
		if (d->facts[i].risk == RISK_CRITICAL) {
			text_fact(out, &d->facts[i]);
			left--;
		}
	for (size_t i = 0; i < d->change_count; i++) {
		own(buf) struct buf one = { 0 };

		text_change(&one, k, &d->changes[i]);
		if (!all && lines_in(out) + lines_in(&one) > CHANGES_LINES)
			break;
		buf_add(out, one.at, one.len);
		left--;
	}
	for (size_t i = 0; i < d->fact_count && left; i++) {
		if (d->facts[i].risk == RISK_CRITICAL)
			continue;
		if (!all && lines_in(out) >= CHANGES_LINES)
			break;
		text_fact(out, &d->facts[i]);
		left--;
	}
	if (left)
		buf_printf(out, "and %zu more, --all shows them\n", left);
	changes_print_proof(out, d, &n);
	changes_print_count(out, d, &n);
}

void report_changes(struct buf *out, const struct diff *d, struct compilation *old,
		    struct compilation *new, enum changes_form form, bool all)
{
	const struct telling k = { d, old, new };

	switch (form) {
	case CHANGES_TEXT:
		report_text(out, &k, all);
		break;
	case CHANGES_MARKDOWN:
		changes_markdown(out, &k);
		break;
	}
}
