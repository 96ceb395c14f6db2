/*
 * print.c - a statement is written into lines of cells, and lines that stand
 * together are aligned when all are there:
 *
 *     indent  cell      body                                     comment
 *             web_in:   allow web from any to self               # both families
 *                       allow out tcp to any port [80, 443]
 */
#include "lang/syntax/print.h"

#include <string.h>

#include "lang/base/addr.h"
#include "lang/vocab/verdict.h"

#define INDENT	   4
#define WIDTH	   100

/* What is aligned with what: only lines of one kind that follow each other. */
enum line_kind { LINE_PLAIN, LINE_BLANK, LINE_COMMENT, LINE_RULE, LINE_SETTING, LINE_DECLARATION, LINE_CASE };

struct line {
	enum line_kind kind;
	int indent;
	const char *cell, *body, *comment; /* or NULL */
};

struct printer {
	struct arena *arena;
	const struct ast *ast;
	struct sources *sources;
	uint32_t file;
	VEC(struct line) lines;
	size_t next_comment;
	uint32_t done;	/* the source is printed up to here */
	bool block_begins; /* no empty line here */
	bool breaking;	/* lists go on lines of their own */
	bool normal;	/* for an id: words that ask nothing are left out */
	int indent;
	enum line_kind kind;
	struct buf cell, body;
};

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

/*
 * The left operand may be as weak as the operator, the others must be stronger:
 * a - (b - c). With / it is the other way round, and .. does not chain.
 */
static void put_operation(struct printer *p, const struct node *n)
{
	int own = strength(n);

	put_operand(p, n->first, n->kind == NODE_PART || n->kind == NODE_RANGE ? own + 1 : own);
	for (const struct node *part = n->first->next; part; part = part->next) {
		buf_puts(&p->body, sign(n));
		put_operand(p, part, n->kind == NODE_PART ? own : own + 1);
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

/* --- lines ------------------------------------------------------------------------------------ */

static void line_add(struct printer *p, struct line l)
{
	vec_push(p->arena, &p->lines, l);
}

static const char *kept(struct printer *p, struct buf *b)
{
	const char *text = b->len ? arena_strndup(p->arena, b->at, b->len) : NULL;

	b->len = 0;
	if (b->at)
		b->at[0] = '\0';
	return text;
}

static void end_line(struct printer *p)
{
	struct line l = { .kind = p->kind, .indent = p->indent };

	l.cell = kept(p, &p->cell);
	l.body = kept(p, &p->body);
	line_add(p, l);
	p->kind = LINE_PLAIN;
}

static const char *source_text(const struct printer *p)
{
	return p->sources->list.at[p->file].text;
}

/* One empty line where there are some in the source, but not where a block begins. */
static void keep_blank(struct printer *p, uint32_t from)
{
	const char *text = source_text(p);
	int ends = 0;

	for (uint32_t i = p->done; i < from; i++)
		ends += text[i] == '\n';
	if (ends > 1 && !p->block_begins && p->lines.len)
		line_add(p, (struct line){ .kind = LINE_BLANK });
	p->block_begins = false;
}

static const struct comment *comment_at_hand(const struct printer *p)
{
	return p->next_comment < p->ast->comments.len ? &p->ast->comments.at[p->next_comment] : NULL;
}

static const char *comment_text(struct printer *p, const struct comment *c)
{
	const char *from = source_text(p) + c->span.from;
	size_t len = c->span.to - c->span.from;

	while (len && (from[len - 1] == ' ' || from[len - 1] == '\t'))
		len--;
	return arena_strndup(p->arena, from, len);
}

/* Comments that stand before this place, each on its line. */
static void comments_before(struct printer *p, uint32_t at)
{
	for (const struct comment *c; (c = comment_at_hand(p)) && c->span.from < at; p->next_comment++) {
		keep_blank(p, c->span.from);
		line_add(p, (struct line){ .kind = LINE_COMMENT, .indent = p->indent, .comment = comment_text(p, c) });
		p->done = c->span.to;
	}
}

/* The comment behind what ends at `end`, on the same line and before `limit`, goes to the last line. */
static void comment_behind(struct printer *p, uint32_t end, uint32_t limit)
{
	const struct comment *c = comment_at_hand(p);

	if (!c || c->own_line || c->span.from >= limit ||
	    source_line_of(p->sources, p->file, c->span.from) != source_line_of(p->sources, p->file, end))
		return;
	p->lines.at[p->lines.len - 1].comment = comment_text(p, c);
	p->done = c->span.to;
	p->next_comment++;
}

/* Comments inside of a statement, where no list could take them, go above it. */
static void comments_above(struct printer *p, size_t first_line, uint32_t end)
{
	size_t count = p->lines.len - first_line;
	struct line *moved = arena_copy(p->arena, p->lines.at + first_line, count * sizeof *moved);
	const struct comment *c = comment_at_hand(p);

	if (!c || c->span.from >= end)
		return;
	p->lines.len = first_line;
	for (; (c = comment_at_hand(p)) && c->span.from < end; p->next_comment++)
		line_add(p, (struct line){ .kind = LINE_COMMENT, .indent = p->indent, .comment = comment_text(p, c) });
	for (size_t i = 0; i < count; i++)
		line_add(p, moved[i]);
}

static bool comment_within(const struct printer *p, struct span s)
{
	const struct comment *c = comment_at_hand(p);

	return c && c->span.from > s.from && c->span.from < s.to;
}

static void put_list(struct printer *p, const struct node *n)
{
	bool was = p->breaking, commented = !p->normal && p->ast && comment_within(p, n->span);

	if (!p->breaking || (!commented && (!n->first || !n->first->next))) {
		buf_putc(&p->body, '[');
		for (const struct node *v = n->first; v; v = v->next) {
			put_value(p, v);
			buf_puts(&p->body, v->next ? ", " : "");
		}
		buf_putc(&p->body, ']');
		return;
	}
	buf_putc(&p->body, '[');
	end_line(p);
	p->indent++;
	p->block_begins = true;
	for (const struct node *v = n->first; v; v = v->next) {
		p->done = v->span.from;
		comments_before(p, v->span.from);
		p->breaking = comment_within(p, v->span);
		put_value(p, v);
		buf_putc(&p->body, ',');
		end_line(p);
		comment_behind(p, v->span.to, v->next ? v->next->span.from : n->span.to);
	}
	p->breaking = was;
	p->done = n->span.to;
	comments_before(p, n->span.to);
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

/* Protocol, ports of no end, flags, from, to, on. A port after `to` and one alone are the same. */
static void put_selector(struct printer *p, const struct node *s)
{
	const struct node *from = node_find(s, NODE_FROM), *to = node_find(s, NODE_TO), *port = node_find(s, NODE_PORT);
	const struct node *flags = node_find(s, NODE_FLAGS), *on = node_find(s, NODE_ON);
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

/* --- statements ----------------------------------------------------------------------------------- */

/* Writes one statement's cell and body; true when it is the head of a block, whose items follow. */
static bool put_statement(struct printer *p, const struct node *n);

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

static void put_when(struct printer *p, const struct node *n)
{
	const struct node *count = n->first->next;

	p->kind = LINE_SETTING;
	buf_puts(&p->cell, "when");
	buf_printf(&p->body, "%s per ", n->text);
	put_value(p, n->first);
	buf_puts(&p->body, " > ");
	put_value(p, count);
	if (count->next)
		put_named(p, "per", count->next);
}

/* Actions follow each other as nodes; the first prints all. */
static void put_actions(struct printer *p, const struct node *n)
{
	p->kind = LINE_SETTING;
	buf_puts(&p->cell, "do");
	for (const struct node *a = n; a && a->kind == NODE_ACTION; a = a->next) {
		buf_printf(&p->body, "%s%s", a == n ? "" : ", ", verdict_name((enum verdict)a->word));
		if (a->first) {
			buf_printf(&p->body, " %s for ", a->first->text);
			put_value(p, a->first->next);
		}
	}
}

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
		else
			buf_printf(&p->body, "on %s", n->first->text);
	}
}

static void put_case(struct printer *p, const struct node *n)
{
	const struct node *within = node_find(n, NODE_WITHIN), *expect = node_find(n, NODE_EXPECT);
	const char *by = node_find_text(expect, NODE_BY);
	bool times = n->first->kind != NODE_PACKET;

	if (times) {
		put_value(p, n->first);
		buf_puts(&p->body, " * (");
	}
	put_packet(p, node_find(n, NODE_PACKET));
	buf_puts(&p->body, times ? ")" : "");
	if (within)
		put_named(p, "in", within->first);
	p->kind = LINE_CASE;
	buf_add(&p->cell, p->body.at, p->body.len);
	p->body.len = 0;
	buf_printf(&p->body, "=> %s%s", node_find(expect, NODE_LAST) ? "last " : "", verdict_name((enum verdict)expect->word));
	if (by)
		buf_printf(&p->body, " by %s", by);
}

static bool put_statement(struct printer *p, const struct node *n)
{
	const struct node *d;

	switch (n->kind) {
	case NODE_POLICY:
		buf_printf(&p->body, "policy %s", node_find_text(n, NODE_NAME));
		put_title(p, n);
		return node_find(n, NODE_SETTING) || source_text(p)[n->span.to - 1] == '}';
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
	case NODE_RULE:
		p->kind = LINE_RULE;
		put_label(p, n);
		put_verdict(p, n);
		put_selector(p, node_find(n, NODE_SELECTOR));
		return false;
	case NODE_MATCH:
		p->kind = LINE_SETTING;
		buf_puts(&p->cell, "match");
		put_selector(p, n->first);
		return false;
	case NODE_WHEN:
		put_when(p, n);
		return false;
	case NODE_ACTION:
		put_actions(p, n);
		return false;
	case NODE_EXCEPT:
		p->kind = LINE_SETTING;
		buf_puts(&p->cell, "except");
		buf_puts(&p->body, "in ");
		for (const struct node *c = n->first; c; c = c->next)
			buf_printf(&p->body, "%s%s", c->text, c->next ? ", " : "");
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

static bool is_item(const struct node *n)
{
	switch ((unsigned)n->kind) {
	case NODE_SETTING: case NODE_DEFAULT: case NODE_RULE: case NODE_MATCH: case NODE_WHEN: case NODE_ACTION:
	case NODE_EXCEPT: case NODE_IN_POSTURE: case NODE_CASE:
		return true;
	}
	return false;
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

static bool put_once(struct printer *p, const struct node *n, const struct node *parent)
{
	if (parent->kind == NODE_LIFELINE) {
		put_lifeline(p, n);
		return false;
	}
	return put_statement(p, n);
}

/* Several actions are one statement. */
static struct span statement_span(const struct node *n)
{
	struct span s = n->span;

	if (n->kind == NODE_ACTION)
		for (; n && n->kind == NODE_ACTION; n = n->next)
			s.to = n->span.to;
	return s;
}

static void statement(struct printer *p, const struct node *n, const struct node *parent, uint32_t limit);

static void block(struct printer *p, const struct node *n)
{
	uint32_t end = n->span.to - 1;

	buf_puts(&p->body, " {");
	end_line(p);
	p->indent++;
	p->done = n->span.from;
	comment_behind(p, n->span.from, end);
	p->block_begins = true;
	for (const struct node *c = n->first, *before = NULL; c; before = c, c = c->next)
		if (is_item(c) && !(c->kind == NODE_ACTION && before && before->kind == NODE_ACTION))
			statement(p, c, n, end);
	comments_before(p, end);
	p->indent--;
	p->block_begins = false;
	line_add(p, (struct line){ .kind = LINE_PLAIN, .indent = p->indent, .body = "}" });
}

static void statement(struct printer *p, const struct node *n, const struct node *parent, uint32_t limit)
{
	struct span span = statement_span(n);
	size_t first_line;
	bool is_block;

	comments_before(p, span.from);
	keep_blank(p, span.from);
	first_line = p->lines.len;
	p->breaking = false;
	p->kind = LINE_PLAIN;
	is_block = put_once(p, n, parent);
	if (is_block) {
		block(p, n);
	} else {
		size_t width = (size_t)(p->indent * INDENT) + p->cell.len + 1 + p->body.len;

		if (comment_within(p, span) || width > WIDTH) {
			p->cell.len = p->body.len = 0;
			p->breaking = true;
			put_once(p, n, parent);
		}
		end_line(p);
		comments_above(p, first_line, span.to);
	}
	p->done = span.to;
	comment_behind(p, span.to, limit);
}

/* --- alignment -------------------------------------------------------------------------------------- */

/* Columns of UTF-8 text, as characters. */
static size_t columns(const char *text)
{
	size_t n = 0;

	for (; text && *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Declarations only with those of their own word. */
static bool stand_together(const struct line *a, const struct line *b)
{
	if (a->indent != b->indent || a->kind != b->kind || a->kind <= LINE_COMMENT)
		return false;
	return a->kind != LINE_DECLARATION || !strncmp(a->cell, b->cell, strcspn(a->cell, " ") + 1);
}

/* A longer cell is not waited for: its body follows it, the others are aligned without it. */
static size_t cell_most(enum line_kind kind)
{
	switch (kind) {
	case LINE_RULE:
		return SIZE_MAX;
	case LINE_CASE:
		return 76;
	case LINE_SETTING:
	case LINE_DECLARATION:
		return 32;
	case LINE_PLAIN:
	case LINE_BLANK:
	case LINE_COMMENT:
		break;
	}
	return 0;
}

static size_t cell_width(const struct line *from, const struct line *to)
{
	size_t width = 0;

	for (const struct line *l = from; l < to; l++)
		if (columns(l->cell) <= cell_most(from->kind))
			width = columns(l->cell) > width ? columns(l->cell) : width;
	return width;
}

static void pad(struct buf *out, size_t have, size_t want)
{
	for (; have < want; have++)
		buf_putc(out, ' ');
}

static const char *joined(struct printer *p, const struct line *l, size_t width)
{
	own(buf) struct buf text = { 0 };

	pad(&text, 0, (size_t)(l->indent * INDENT));
	if (l->cell)
		buf_puts(&text, l->cell);
	if (l->body) {
		pad(&text, columns(l->cell), width);
		buf_puts(&text, width || l->cell ? " " : "");
		buf_puts(&text, l->body);
	}
	return arena_strdup(p->arena, buf_text(&text));
}

/* Cells of lines that stand together begin their bodies in one column. */
static const char **join_cells(struct printer *p)
{
	const char **texts = arena_zero(p->arena, p->lines.len * sizeof *texts);

	for (size_t i = 0, end; i < p->lines.len; i = end) {
		for (end = i + 1; end < p->lines.len && stand_together(&p->lines.at[i], &p->lines.at[end]);)
			end++;
		size_t width = cell_width(&p->lines.at[i], &p->lines.at[i] + (end - i));
		for (size_t j = i; j < end; j++)
			texts[j] = joined(p, &p->lines.at[j], p->lines.at[j].kind == LINE_RULE || p->lines.at[j].cell ? width : 0);
	}
	return texts;
}

static bool has_comment(const struct line *l)
{
	return l->comment && l->kind != LINE_COMMENT;
}

/* Comments behind lines that follow each other stand in one column. */
static void put_lines(struct printer *p, struct buf *out)
{
	const char **texts = join_cells(p);

	for (size_t i = 0, end; i < p->lines.len; i = end) {
		size_t width = 0;

		for (end = i; end < p->lines.len && has_comment(&p->lines.at[end]); end++)
			width = columns(texts[end]) > width ? columns(texts[end]) : width;
		for (size_t j = i; j < end; j++) {
			buf_puts(out, texts[j]);
			pad(out, columns(texts[j]), width + 2);
			buf_printf(out, "%s\n", p->lines.at[j].comment);
		}
		if (end > i)
			continue;
		end = i + 1;
		if (p->lines.at[i].kind == LINE_COMMENT)
			buf_printf(out, "%*s%s", p->lines.at[i].indent * INDENT, "", p->lines.at[i].comment);
		else if (p->lines.at[i].kind != LINE_BLANK)
			buf_puts(out, texts[i]);
		buf_putc(out, '\n');
	}
}

void print_file(struct buf *out, const struct ast *ast, struct sources *s, uint32_t file)
{
	own(arena) struct arena *a = arena_new();
	struct printer p = { .arena = a, .ast = ast, .sources = s, .file = file, .block_begins = true };
	uint32_t end = (uint32_t)s->list.at[file].len;

	for (const struct node *n = ast->root->first; n; n = n->next)
		statement(&p, n, ast->root, end);
	comments_before(&p, end + 1);
	put_lines(&p, out);
	buf_release(&p.cell);
	buf_release(&p.body);
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
