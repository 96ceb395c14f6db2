/*
 * value.c - values: addresses, numbers, sums and lists.
 */
#include <string.h>

#include "lang/base/addr.h"
#include "lang/spell/print.h"
#include "lang/spell/words.h"

void print_string(struct buf *out, const char *text)
{
	buf_putc(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		const char *plain = strchr("\"\"\\\\\nn\tt\rr", c);

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n' || c == '\t' || c == '\r')
			buf_printf(out, "\\%c", plain[1]);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_putc(out, (char)c);
	}
	buf_putc(out, '"');
}

static void put_address(struct buf *out, const char *text)
{
	char spelled[ADDR_TEXT + 8];
	struct prefix p;

	buf_puts(out, prefix_parse(text, &p) == PREFIX_OK ? prefix_print(p, spelled) : text);
}

static void put_number(struct buf *out, const char *text)
{
	while (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
		text++;
	buf_puts(out, text);
}

static int strength(const struct node *n)
{
	switch ((unsigned)n->kind) {
	case NODE_JOIN:
	case NODE_MINUS:
		return 1;
	case NODE_MEET:
		return 2;
	case NODE_PART:
		return 3;
	case NODE_RANGE:
		return 4;
	}
	return 5;
}

static const char *sign(const struct node *n)
{
	switch ((unsigned)n->kind) {
	case NODE_JOIN:
		return " + ";
	case NODE_MINUS:
		return " - ";
	case NODE_MEET:
		return " & ";
	case NODE_PART:
		return "/";
	}
	return "..";
}

static void put_list(struct printer *p, const struct node *n);

static void put_operand(struct printer *p, const struct node *n, int least)
{
	bool brackets = strength(n) < least;

	buf_puts(&p->body, brackets ? "(" : "");
	spell_value(p, n);
	buf_puts(&p->body, brackets ? ")" : "");
}

/* The first or the last word of a value. */
static const struct node *outermost(const struct node *n, bool last)
{
	while (strength(n) < 5)
		n = last ? n->last : n->first;
	return n;
}

/* `2.0.0.0/(8e)`, `::/(0/1)`: without brackets the length of a prefix would begin there. */
static bool would_be_prefix(const struct node *left, const struct node *right)
{
	const struct node *next = outermost(right, false);

	return outermost(left, true)->kind == NODE_ADDRESS &&
	       (next->kind == NODE_QUANTITY || next->kind == NODE_ADDRESS ||
		(next->kind == NODE_NUMBER && next != right));
}

/*
 * The left operand may be as weak as the operator, the others must be stronger:
 * a - (b - c). With / it is the other way round, and .. does not chain.
 */
static void put_operation(struct printer *p, const struct node *n)
{
	const struct node *before = n->first;
	int own = strength(n);

	put_operand(p, before, n->kind == NODE_PART || n->kind == NODE_RANGE ? own + 1 : own);
	for (const struct node *part = before->next; part; before = part, part = part->next) {
		bool prefix = n->kind == NODE_PART && would_be_prefix(before, part);

		buf_puts(&p->body, sign(n));
		put_operand(p, part, prefix ? 6 : n->kind == NODE_PART ? own : own + 1);
	}
}

void spell_value(struct printer *p, const struct node *n)
{
	struct buf *out = &p->body;

	if (p->normal && n->kind == NODE_LIST && n->first && !n->first->next) {
		spell_value(p, n->first);
		return;
	}
	switch (n->kind) {
	case NODE_STRING:
		print_string(out, n->text);
		return;
	case NODE_NUMBER:
	case NODE_QUANTITY:
		put_number(out, n->text);
		return;
	case NODE_ADDRESS:
		put_address(out, n->text);
		return;
	case NODE_ANY:
		buf_puts(out, "any");
		return;
	case NODE_SELF:
		buf_puts(out, "self");
		return;
	case NODE_LIST:
		put_list(p, n);
		return;
	case NODE_JOIN: case NODE_MINUS: case NODE_MEET: case NODE_PART: case NODE_RANGE:
		put_operation(p, n);
		return;
	default:
		buf_puts(out, n->text);
		return;
	}
}

static void put_list(struct printer *p, const struct node *n)
{
	bool was = p->breaking, commented = !p->normal && p->ast && printer_comment_within(p, n->span);

	if (!p->breaking || (!commented && (!p->wide || !n->first || !n->first->next))) {
		buf_putc(&p->body, '[');
		for (const struct node *v = n->first; v; v = v->next) {
			spell_value(p, v);
			buf_puts(&p->body, v->next ? ", " : "");
		}
		buf_putc(&p->body, ']');
		return;
	}
	buf_putc(&p->body, '[');
	printer_end_line(p);
	p->indent++;
	p->block_begins = true;
	for (const struct node *v = n->first; v; v = v->next) {
		p->done = v->span.from;
		printer_comments(p, v->span.from);
		p->breaking = printer_comment_within(p, v->span);
		spell_value(p, v);
		buf_putc(&p->body, ',');
		printer_end_line(p);
		printer_comment_behind(p, v->span.to, v->next ? v->next->span.from : n->span.to);
	}
	p->breaking = was;
	p->done = n->span.to;
	printer_comments(p, n->span.to);
	p->block_begins = false;
	p->indent--;
	buf_putc(&p->body, ']');
}

void print_value(struct buf *out, const struct node *value)
{
	struct printer p = { 0 };

	spell_value(&p, value);
	buf_add(out, p.body.at, p.body.len);
	buf_release(&p.body);
}
