/*
 * trial.c - tests: packets, what is expected, tables.
 */
#include <string.h>

#include "lang/spell/print.h"
#include "lang/spell/words.h"
#include "lang/vocab/verdict.h"

static void put_packet_end(struct printer *p, const struct node *end)
{
	const struct node *who = end->first;
	bool brackets = who->next && who->kind == NODE_ADDRESS && strchr(who->text, ':');

	buf_puts(&p->body, brackets ? "[" : "");
	spell_value(p, who);
	buf_puts(&p->body, brackets ? "]" : "");
	if (who->next) {
		buf_putc(&p->body, ':');
		spell_value(p, who->next);
	}
}

static void put_text(struct printer *p, const struct node *payload)
{
	buf_puts(&p->body, "payload ");
	print_string(&p->body, payload->first->text);
}

void spell_packet(struct printer *p, const struct node *packet)
{
	const struct node *head = packet->first, *from = head->next, *to = from->next;

	spell_value(p, head->first);
	if (head->first->next) {
		buf_putc(&p->body, ' ');
		spell_value(p, head->first->next);
	}
	buf_putc(&p->body, ' ');
	put_packet_end(p, from);
	buf_puts(&p->body, " -> ");
	put_packet_end(p, to);
	for (const struct node *n = to->next; n; n = n->next) {
		buf_putc(&p->body, ' ');
		if (n->kind == NODE_WORDS)
			spell_words(p, n);
		else if (n->kind == NODE_DIRECTION)
			buf_puts(&p->body, direction_name((enum direction)n->word));
		else if (n->kind == NODE_PAYLOAD)
			put_text(p, n);
		else if (n->kind == NODE_QUANTITY)
			spell_value(p, n);
		else
			buf_printf(&p->body, "on %s", n->first->text);
	}
}

static void put_expect(struct printer *p, const struct node *expect)
{
	const char *by = node_find_text(expect, NODE_BY);

	buf_printf(&p->body, "=> %s%s", node_find(expect, NODE_LAST) ? "last " : "", verdict_name((enum verdict)expect->word));
	if (by)
		buf_printf(&p->body, " by %s", by);
	for (const struct node *n = expect->first; n; n = n->next)
		if (n->kind == NODE_EMIT)
			buf_printf(&p->body, ", emits %s", n->text);
}

/* What is asked stands in the cell, what is expected in the body: so the arrows of cases are aligned. */
static void put_asked(struct printer *p)
{
	p->kind = LINE_CASE;
	buf_add(&p->cell, p->body.at, p->body.len);
	p->body.len = 0;
}

void spell_case(struct printer *p, const struct node *n)
{
	const struct node *within = node_find(n, NODE_WITHIN);
	bool times = n->first->kind != NODE_PACKET;

	if (times) {
		spell_value(p, n->first);
		buf_puts(&p->body, " * (");
	}
	spell_packet(p, node_find(n, NODE_PACKET));
	buf_puts(&p->body, times ? ")" : "");
	if (within)
		spell_named(p, "in", within->first);
	put_asked(p);
	put_expect(p, node_find(n, NODE_EXPECT));
}

void spell_forall(struct printer *p, const struct node *n)
{
	const struct node *d = node_find(n, NODE_DIRECTION);

	buf_puts(&p->body, "forall");
	if (d)
		buf_printf(&p->body, " %s", direction_name((enum direction)d->word));
	spell_selector(p, node_find(n, NODE_SELECTOR));
	put_asked(p);
	put_expect(p, node_find(n, NODE_EXPECT));
}

static size_t value_width(const struct node *n)
{
	own(buf) struct buf text = { 0 };

	print_value(&text, n);
	return text.len;
}

/* The widest cell of each column of a table, measured once for all its rows. */
const size_t *spell_widths(struct printer *p, const struct node *table)
{
	size_t most = 0, *widths;

	for (const struct node *row = table->first; row; row = row->next)
		if (row->kind == NODE_ROW && node_count(row) > most)
			most = node_count(row);
	widths = arena_zero(p->arena, (most + 1) * sizeof *widths);
	for (const struct node *row = table->first; row; row = row->next) {
		size_t column = 0;

		for (const struct node *n = row->kind == NODE_ROW ? row->first : NULL; n && n->kind != NODE_EXPECT; n = n->next, column++)
			if (value_width(n) > widths[column])
				widths[column] = value_width(n);
	}
	return widths;
}

void spell_row(struct printer *p, const struct node *row)
{
	const struct node *expect = node_find(row, NODE_EXPECT);
	size_t column = 0;

	for (const struct node *n = row->first; n && n != expect; n = n->next, column++) {
		size_t width = value_width(n), most = p->widths[column];

		spell_value(p, n);
		if (n->next)
			buf_printf(&p->body, "%*s", (int)(most - width + (n->next == expect ? 1 : 2)), "");
	}
	if (expect)
		put_expect(p, expect);
}
