/*
 * spell.c - the words of each statement, in their one order.
 */
#include <string.h>

#include "lang/base/addr.h"
#include "lang/syntax/print.h"
#include "lang/syntax/printer.h"
#include "lang/vocab/verdict.h"

/* --- values --------------------------------------------------------------------------------- */

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

static void put_value(struct printer *p, const struct node *n);
static void put_list(struct printer *p, const struct node *n);

static void put_operand(struct printer *p, const struct node *n, int least)
{
	bool brackets = strength(n) < least;

	buf_puts(&p->body, brackets ? "(" : "");
	put_value(p, n);
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

static void put_value(struct printer *p, const struct node *n)
{
	struct buf *out = &p->body;

	if (p->normal && n->kind == NODE_LIST && n->first && !n->first->next) {
		put_value(p, n->first);
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
			put_value(p, v);
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
		put_value(p, v);
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

/* --- parts of statements ------------------------------------------------------------------------ */

static void put_named(struct printer *p, const char *word, const struct node *n)
{
	buf_printf(&p->body, "%s%s ", p->body.len ? " " : "", word);
	put_value(p, n);
}

static void put_title(struct printer *p, const struct node *n)
{
	const char *title = node_find_text(n, NODE_TITLE);

	if (!title)
		return;
	buf_putc(&p->body, ' ');
	print_string(&p->body, title);
}

static void put_words(struct printer *p, const struct node *words)
{
	for (const struct node *n = words->first; n; n = n->next)
		buf_printf(&p->body, "%s%s", n == words->first ? "" : "+", n->text);
}

static void put_head(struct printer *p, const struct node *head)
{
	buf_puts(&p->body, p->body.len ? " " : "");
	if (!head) {
		buf_puts(&p->body, "ip");
		return;
	}
	put_value(p, head->first);
	if (head->first->next) {
		buf_putc(&p->body, ' ');
		put_value(p, head->first->next);
	}
}

static void put_flags(struct printer *p, const struct node *flags)
{
	buf_puts(&p->body, " flags ");
	put_words(p, flags->first);
	if (flags->first->next) {
		buf_putc(&p->body, '/');
		put_words(p, flags->first->next);
	}
}

static void put_end(struct printer *p, const char *word, const struct node *end, const struct node *port)
{
	if (!(p->normal && end->first->kind == NODE_ANY && !port))
		put_named(p, word, end->first);
	if (port)
		put_named(p, "port", port->first);
}

static void put_payload(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, " payload %s", n->first->text);
	if (n->first->next)
		put_named(p, "within", n->first->next->first);
}

/* Protocol, ports of no end, flags, from, to, on, payload. A port after `to` and one alone are the same. */
static void put_selector(struct printer *p, const struct node *s)
{
	const struct node *from = node_find(s, NODE_FROM), *to = node_find(s, NODE_TO), *port = node_find(s, NODE_PORT);
	const struct node *flags = node_find(s, NODE_FLAGS), *on = node_find(s, NODE_ON);
	const struct node *payload = node_find(s, NODE_PAYLOAD);
	bool to_any = p->normal && to && to->first->kind == NODE_ANY;

	put_head(p, node_find(s, NODE_HEAD));
	if (to_any && !port)
		port = node_find(to, NODE_PORT);
	if (port && (!to || to_any))
		put_named(p, "port", port->first);
	if (flags)
		put_flags(p, flags);
	if (from)
		put_end(p, "from", from, node_find(from, NODE_PORT));
	if (to && !to_any)
		put_end(p, "to", to, port ? port : node_find(to, NODE_PORT));
	if (on)
		put_named(p, "on", on->first);
	if (payload)
		put_payload(p, payload);
}

static void put_verdict(struct printer *p, const struct node *rule)
{
	const struct node *d = node_find(rule, NODE_DIRECTION);

	buf_puts(&p->body, verdict_name((enum verdict)rule->word));
	if (d && !(p->normal && d->word == DIRECTION_IN))
		buf_printf(&p->body, " %s", direction_name((enum direction)d->word));
}

static void put_label(struct printer *p, const struct node *n)
{
	const char *label = node_find_text(n, NODE_LABEL);

	if (label)
		buf_printf(&p->cell, "%s:", label);
}

static void put_declaration(struct printer *p, const char *word, const struct node *n)
{
	const struct node *name = node_find(n, NODE_NAME), *type = node_find(n, NODE_TYPE);
	const struct node *value = type ? type->next : name->next;

	p->kind = LINE_DECLARATION;
	buf_printf(&p->cell, "%s %s", word, name->text);
	if (type)
		buf_printf(&p->cell, ": %s", type->text);
	if (value) {
		buf_puts(&p->body, "= ");
		put_value(p, value);
	}
}

static void put_block(struct printer *p, const struct node *n)
{
	const char *label = node_find_text(n, NODE_LABEL);
	const struct node *on = node_find(n, NODE_ON), *value = n->first;

	while (!node_is_value(value))
		value = value->next;
	buf_printf(&p->body, "%s%sblock ", label ? label : "", label ? ": " : "");
	put_value(p, value);
	if (on)
		put_named(p, "on", on->first);
}

static void put_pers(struct printer *p, const struct node *first)
{
	for (const struct node *n = first; n; n = n->next)
		if (n->kind == NODE_PER)
			put_named(p, "per", n->first);
}

static void put_option(struct printer *p, const struct node *n)
{
	if (n)
		put_named(p, n->text, n->first);
}

/* `500/s per source burst 10k shared` */
static void put_limit(struct printer *p, const struct node *n)
{
	put_value(p, n->first);
	put_pers(p, n->first->next);
	put_option(p, node_find(n, NODE_OPTION));
	buf_puts(&p->body, node_find(n, NODE_SHARED) ? " shared" : "");
}

static void put_emit(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "emit %s", n->text);
	put_option(p, node_find(n, NODE_OPTION));
}

static void put_when(struct printer *p, const struct node *n)
{
	const struct node *key = n->first->kind == NODE_PER ? n->first : NULL;
	const struct node *count = key ? key->next : n->first;

	buf_puts(&p->body, n->text);
	if (key)
		put_named(p, "per", key->first);
	buf_puts(&p->body, " > ");
	put_value(p, count);
	put_pers(p, count->next);
}

/* --- phrases and conditions ------------------------------------------------------------------------ */

static void put_record(struct printer *p, const struct node *n)
{
	buf_puts(&p->body, n->first ? "{ " : "{}");
	for (const struct node *f = n->first; f; f = f->next) {
		buf_printf(&p->body, "%s: ", f->text);
		put_value(p, f->first);
		buf_puts(&p->body, f->next ? ", " : " }");
	}
}

static void put_call(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "%s(", n->text);
	for (const struct node *v = n->first; v; v = v->next) {
		put_value(p, v);
		buf_puts(&p->body, v->next ? ", " : "");
	}
	buf_putc(&p->body, ')');
}

static void put_compare(struct printer *p, const struct node *n)
{
	const struct node *right = n->first->next, *span = right->next;

	if (n->first->kind == NODE_CALL)
		put_call(p, n->first);
	else
		put_value(p, n->first);
	buf_printf(&p->body, " %s ", n->text);
	put_value(p, right);
	if (span)
		put_named(p, span->kind == NODE_WITHIN ? "within" : "for", span->first);
}

static void put_arguments(struct printer *p, const struct node *first)
{
	for (const struct node *n = first; n; n = n->next) {
		buf_puts(&p->body, p->body.len ? " " : "");
		switch ((unsigned)n->kind) {
		case NODE_KEYWORD:
			buf_puts(&p->body, n->text);
			break;
		case NODE_RECORD:
			put_record(p, n);
			break;
		case NODE_COMPARE:
			put_compare(p, n);
			break;
		default:
			put_value(p, n);
			break;
		}
	}
}

static void put_phrase(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "%s%s", p->body.len ? " " : "", n->text);
	put_arguments(p, n->first);
}

/* How tightly it holds together: or, and, not, a comparison. */
static int hold(const struct node *n)
{
	switch ((unsigned)n->kind) {
	case NODE_OR:
		return 1;
	case NODE_AND:
		return 2;
	case NODE_NOT:
		return 3;
	}
	return 4;
}

static void put_condition(struct printer *p, const struct node *n, int least)
{
	int own = hold(n);

	buf_puts(&p->body, own < least ? "(" : "");
	switch ((unsigned)n->kind) {
	case NODE_OR:
	case NODE_AND:
		for (const struct node *part = n->first; part; part = part->next) {
			put_condition(p, part, own + 1);
			buf_puts(&p->body, !part->next ? "" : n->kind == NODE_OR ? " or " : " and ");
		}
		break;
	case NODE_NOT:
		buf_puts(&p->body, "not ");
		if (n->first->kind == NODE_FROM || n->first->kind == NODE_TO) {
			buf_puts(&p->body, n->first->kind == NODE_FROM ? "from " : "to ");
			put_value(p, n->first->first);
		} else {
			put_condition(p, n->first, own);
		}
		break;
	case NODE_COMPARE:
		put_compare(p, n);
		break;
	default:
		put_value(p, n);
		break;
	}
	buf_puts(&p->body, own < least ? ")" : "");
}

static void put_where(struct printer *p, const struct node *n, const char *word)
{
	buf_printf(&p->body, "%s%s ", p->body.len ? " " : "", word);
	put_condition(p, n->first, 0);
}

static bool is_effect(const struct node *n)
{
	return n->kind == NODE_ACTION || n->kind == NODE_EMIT || n->kind == NODE_PHRASE;
}

bool spell_is_one(const struct node *before, const struct node *after, const struct node *parent)
{
	return parent->kind == NODE_REFLEX && is_effect(before) && is_effect(after);
}

/* Effects follow each other as nodes; the first prints all. */
static void put_effects(struct printer *p, const struct node *n)
{
	for (const struct node *a = n; a && is_effect(a); a = a->next) {
		buf_puts(&p->body, a == n ? "" : ", ");
		if (a->kind == NODE_EMIT) {
			put_emit(p, a);
		} else if (a->kind == NODE_PHRASE) {
			buf_puts(&p->body, a->text);
			put_arguments(p, a->first);
		} else {
			buf_puts(&p->body, verdict_name((enum verdict)a->word));
			if (a->first) {
				buf_putc(&p->body, ' ');
				put_value(p, a->first);
				put_named(p, "for", a->first->next);
			}
		}
	}
}

/* --- tests -------------------------------------------------------------------------------------------- */

static void put_packet_end(struct printer *p, const struct node *end)
{
	const struct node *who = end->first;
	bool brackets = who->next && who->kind == NODE_ADDRESS && strchr(who->text, ':');

	buf_puts(&p->body, brackets ? "[" : "");
	put_value(p, who);
	buf_puts(&p->body, brackets ? "]" : "");
	if (who->next) {
		buf_putc(&p->body, ':');
		put_value(p, who->next);
	}
}

static void put_text(struct printer *p, const struct node *payload)
{
	buf_puts(&p->body, "payload ");
	print_string(&p->body, payload->first->text);
}

static void put_packet(struct printer *p, const struct node *packet)
{
	const struct node *head = packet->first, *from = head->next, *to = from->next;

	put_value(p, head->first);
	if (head->first->next) {
		buf_putc(&p->body, ' ');
		put_value(p, head->first->next);
	}
	buf_putc(&p->body, ' ');
	put_packet_end(p, from);
	buf_puts(&p->body, " -> ");
	put_packet_end(p, to);
	for (const struct node *n = to->next; n; n = n->next) {
		buf_putc(&p->body, ' ');
		if (n->kind == NODE_WORDS)
			put_words(p, n);
		else if (n->kind == NODE_DIRECTION)
			buf_puts(&p->body, direction_name((enum direction)n->word));
		else if (n->kind == NODE_PAYLOAD)
			put_text(p, n);
		else if (n->kind == NODE_QUANTITY)
			put_value(p, n);
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

static void put_case(struct printer *p, const struct node *n)
{
	const struct node *within = node_find(n, NODE_WITHIN);
	bool times = n->first->kind != NODE_PACKET;

	if (times) {
		put_value(p, n->first);
		buf_puts(&p->body, " * (");
	}
	put_packet(p, node_find(n, NODE_PACKET));
	buf_puts(&p->body, times ? ")" : "");
	if (within)
		put_named(p, "in", within->first);
	put_asked(p);
	put_expect(p, node_find(n, NODE_EXPECT));
}

static void put_forall(struct printer *p, const struct node *n)
{
	const struct node *d = node_find(n, NODE_DIRECTION);

	buf_puts(&p->body, "forall");
	if (d)
		buf_printf(&p->body, " %s", direction_name((enum direction)d->word));
	put_selector(p, node_find(n, NODE_SELECTOR));
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
static const size_t *column_widths(struct printer *p, const struct node *table)
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

static void put_row(struct printer *p, const struct node *row)
{
	const struct node *expect = node_find(row, NODE_EXPECT);
	size_t column = 0;

	for (const struct node *n = row->first; n && n != expect; n = n->next, column++) {
		size_t width = value_width(n), most = p->widths[column];

		put_value(p, n);
		if (n->next)
			buf_printf(&p->body, "%*s", (int)(most - width + (n->next == expect ? 1 : 2)), "");
	}
	if (expect)
		put_expect(p, expect);
}

/* --- statements ------------------------------------------------------------------------------------- */

static void put_scope(struct printer *p, const struct node *scope)
{
	buf_puts(&p->body, "in ");
	if (scope->text)
		buf_printf(&p->body, "%s posture", scope->text);
	else
		put_value(p, scope->first);
	buf_putc(&p->body, ':');
}

static void put_claim(struct printer *p, const struct node *n)
{
	const struct node *d = node_find(n, NODE_DIRECTION);

	put_scope(p, node_find(n, NODE_SCOPE));
	if (d)
		buf_printf(&p->body, " %s", direction_name((enum direction)d->word));
	put_selector(p, node_find(n, NODE_SELECTOR));
	buf_printf(&p->body, " is %s", n->text);
}

static void put_tails(struct printer *p, const struct node *rule)
{
	const struct node *limit = node_find(rule, NODE_LIMIT), *log = node_find(rule, NODE_LOG);
	const struct node *emit = node_find(rule, NODE_EMIT);

	if (limit) {
		buf_puts(&p->body, " limit ");
		put_limit(p, limit);
	}
	if (log) {
		buf_puts(&p->body, " log");
		put_arguments(p, log->first);
	}
	if (emit) {
		buf_putc(&p->body, ' ');
		put_emit(p, emit);
	}
}

static void put_names(struct printer *p, const struct node *first, const char *between)
{
	for (const struct node *n = first; n; n = n->next)
		buf_printf(&p->body, "%s%s", n->text, n->next ? between : "");
}

static void put_bucket(struct printer *p, const struct node *n)
{
	p->kind = LINE_DECLARATION;
	buf_printf(&p->cell, "limit %s", n->first->text);
	buf_puts(&p->body, "= ");
	put_limit(p, node_find(n, NODE_LIMIT));
}

static void put_playbook(struct printer *p, const struct node *n)
{
	const char *between = "";

	buf_printf(&p->body, "playbook %s(", n->first->text);
	for (const struct node *c = n->first; c; c = c->next) {
		const struct node *type = c->kind == NODE_PARAM ? node_find(c, NODE_TYPE) : NULL;

		if (!type)
			continue;
		buf_printf(&p->body, "%s%s: %s", between, c->first->text, type->text);
		if (type->next) {
			buf_puts(&p->body, " = ");
			put_value(p, type->next);
		}
		between = ", ";
	}
	buf_putc(&p->body, ')');
}

static void put_response(struct printer *p, const struct node *n)
{
	const struct node *where = node_find(n, NODE_WHERE);

	buf_puts(&p->body, "on ");
	put_value(p, n->first);
	if (where)
		put_where(p, where, "where");
	buf_puts(&p->body, " run ");
	put_call(p, node_find(n, NODE_CALL));
}

static void put_sense(struct printer *p, const struct node *n)
{
	const struct node *where = node_find(n, NODE_WHERE);
	const struct node *head = where ? where : node_find(n, NODE_PHRASE);

	p->kind = LINE_RULE;
	put_label(p, n);
	if (where)
		put_where(p, where, "when");
	else
		put_phrase(p, head);
	buf_puts(&p->body, " do ");
	put_effects(p, head->next);
}

static void put_regulation(struct printer *p, const struct node *n)
{
	const struct node *until = node_find(n, NODE_UNTIL);

	put_where(p, node_find(n, NODE_WHERE), "when");
	put_phrase(p, node_find(n, NODE_PHRASE));
	if (until)
		put_where(p, until, "until");
}

static void put_budget(struct printer *p, const struct node *n)
{
	buf_puts(&p->body, "budget");
	for (const struct node *c = n->first; c; c = c->next) {
		put_phrase(p, c);
		buf_puts(&p->body, c->next ? "," : "");
	}
}

/* Steps of a playbook stand as they are; settings of a feed or a decoy are aligned. */
static void put_step(struct printer *p, const struct node *n, const struct node *parent)
{
	if (parent->kind != NODE_FEED && parent->kind != NODE_DECOY) {
		put_phrase(p, n);
		return;
	}
	p->kind = LINE_SETTING;
	buf_puts(&p->cell, n->text);
	put_arguments(p, n->first);
}

static void put_lifeline(struct printer *p, const struct node *rule)
{
	const struct node *d = node_find(rule, NODE_DIRECTION);

	p->kind = LINE_RULE;
	put_label(p, rule);
	if (d)
		buf_puts(&p->body, direction_name((enum direction)d->word));
	put_selector(p, node_find(rule, NODE_SELECTOR));
}

/* A reflex's line: its word in the cell. */
static void reflex_line(struct printer *p, const char *word)
{
	p->kind = LINE_SETTING;
	buf_puts(&p->cell, word);
}

bool spell_statement(struct printer *p, const struct node *n, const struct node *parent)
{
	const struct node *d;

	switch (n->kind) {
	case NODE_POLICY:
		buf_printf(&p->body, "policy %s", node_find_text(n, NODE_NAME));
		put_title(p, n);
		return node_find(n, NODE_SETTING) || p->sources->list.at[p->file].text[n->span.to - 1] == '}';
	case NODE_IMPORT:
		put_named(p, "import", n->first);
		return false;
	case NODE_PARAM:
		put_declaration(p, "param", n);
		return false;
	case NODE_ZONE:
		put_declaration(p, "zone", n);
		return false;
	case NODE_NET:
		put_declaration(p, "net", n);
		return false;
	case NODE_SERVICE:
		put_declaration(p, "service", n);
		return false;
	case NODE_LIFELINE:
		buf_puts(&p->body, "lifeline");
		return true;
	case NODE_BLOCK:
		put_block(p, n);
		return false;
	case NODE_POSTURE:
		buf_printf(&p->body, "posture %s", node_find_text(n, NODE_NAME));
		put_title(p, n);
		if (node_find(n, NODE_EXTENDS))
			buf_printf(&p->body, " extends %s", node_find_text(n, NODE_EXTENDS));
		return true;
	case NODE_INITIAL:
		buf_printf(&p->body, "initial posture %s", n->first->text);
		return false;
	case NODE_REFLEX:
		buf_printf(&p->body, "reflex %s", n->first->text);
		return true;
	case NODE_TEST:
		buf_puts(&p->body, "test");
		put_title(p, n);
		return true;
	case NODE_SETTING:
		p->kind = LINE_SETTING;
		buf_puts(&p->cell, n->text);
		put_value(p, n->first);
		return false;
	case NODE_DEFAULT:
		d = node_find(n, NODE_DIRECTION);
		buf_printf(&p->body, "default %s%s%s", d ? direction_name((enum direction)d->word) : "", d ? " " : "",
			   verdict_name((enum verdict)n->word));
		return false;
	case NODE_WITHOUT:
		buf_puts(&p->body, "without ");
		put_names(p, n->first, ", ");
		return false;
	case NODE_RULE:
		if (parent->kind == NODE_LIFELINE) {
			put_lifeline(p, n);
			return false;
		}
		p->kind = LINE_RULE;
		put_label(p, n);
		put_verdict(p, n);
		put_selector(p, node_find(n, NODE_SELECTOR));
		put_tails(p, n);
		return false;
	case NODE_MATCH:
		reflex_line(p, "match");
		put_selector(p, n->first);
		return false;
	case NODE_WHEN:
		reflex_line(p, "when");
		put_when(p, n);
		return false;
	case NODE_EXCEEDS:
		reflex_line(p, "when");
		buf_printf(&p->body, "exceeds %s", n->first->text);
		return false;
	case NODE_EXCEPT:
		reflex_line(p, "except");
		buf_puts(&p->body, "in ");
		put_names(p, n->first, ", ");
		return false;
	case NODE_ACTION:
	case NODE_EMIT:
		reflex_line(p, "do");
		put_effects(p, n);
		return false;
	case NODE_PHRASE:
		if (parent->kind == NODE_REFLEX) {
			reflex_line(p, "do");
			put_effects(p, n);
		} else {
			put_step(p, n, parent);
		}
		return false;
	case NODE_IF:
		put_where(p, n, "if");
		return true;
	case NODE_BUCKET:
		put_bucket(p, n);
		return false;
	case NODE_FEED:
		buf_printf(&p->body, "feed %s", n->first->text);
		return true;
	case NODE_DERME:
		buf_puts(&p->body, "derme");
		return true;
	case NODE_DECOY:
		buf_printf(&p->body, "decoy %s", n->first->text);
		return true;
	case NODE_PLAYBOOK:
		put_playbook(p, n);
		return true;
	case NODE_RESPONSE:
		put_response(p, n);
		return false;
	case NODE_HOMEOSTASIS:
		buf_puts(&p->body, "homeostasis");
		return true;
	case NODE_INVARIANT:
		buf_printf(&p->body, "invariant %s", n->first->text);
		return true;
	case NODE_ORDER:
		buf_puts(&p->body, "order ");
		put_names(p, n->first, " <= ");
		return false;
	case NODE_SENSE:
		put_sense(p, n);
		return false;
	case NODE_BUDGET:
		put_budget(p, n);
		return false;
	case NODE_PHASE:
		buf_printf(&p->body, "phase %s", n->first->text);
		return true;
	case NODE_PARALLEL:
		buf_puts(&p->body, "parallel");
		return true;
	case NODE_FAILURE:
		buf_printf(&p->body, "on %s", n->first->text);
		return true;
	case NODE_REGULATION:
		put_regulation(p, n);
		return false;
	case NODE_CLAIM:
		put_claim(p, n);
		return false;
	case NODE_FORALL:
		put_forall(p, n);
		return false;
	case NODE_AFTER:
		put_named(p, "after", n->first);
		return false;
	case NODE_TODO:
		put_named(p, "todo", n->first);
		return false;
	case NODE_REFUSES:
		buf_printf(&p->body, "refuses %s", n->text);
		return true;
	case NODE_TABLE:
		p->widths = column_widths(p, n);
		buf_puts(&p->body, "table ");
		put_packet(p, n->first);
		return true;
	case NODE_ROW:
		put_row(p, n);
		return false;
	case NODE_IN_POSTURE:
		buf_printf(&p->body, "posture %s", n->first->text);
		return false;
	case NODE_CASE:
		put_case(p, n);
		return false;
	default:
		return false;
	}
}

bool spell_is_item(const struct node *n, const struct node *parent)
{
	switch ((unsigned)n->kind) {
	case NODE_NAME: case NODE_TITLE: case NODE_EXTENDS: case NODE_PACKET: case NODE_HOLE:
		return false;
	case NODE_PARAM:
		return parent->kind != NODE_PLAYBOOK;
	}
	return true;
}

void print_value(struct buf *out, const struct node *value)
{
	struct printer p = { 0 };

	put_value(&p, value);
	buf_add(out, p.body.at, p.body.len);
	buf_release(&p.body);
}

void print_rule_normal(struct buf *out, const struct node *rule)
{
	struct printer p = { .normal = true };

	put_verdict(&p, rule);
	put_selector(&p, node_find(rule, NODE_SELECTOR));
	buf_add(out, p.body.at, p.body.len);
	buf_release(&p.body);
}
