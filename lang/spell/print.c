/*
 * print.c - a statement is written into lines of cells, and lines that stand
 * together are aligned when all are there:
 *
 *     indent  cell      body                                     comment
 *             web_in:   allow web from any to self               # both families
 *                       allow out tcp to any port [80, 443]
 */
#include "lang/spell/print.h"

#include <string.h>

#include "lang/spell/printer.h"
#include "lang/syntax/parse.h"

#define INDENT	   4
#define WIDTH	   100

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

void printer_end_line(struct printer *p)
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
void printer_comments(struct printer *p, uint32_t at)
{
	for (const struct comment *c; (c = comment_at_hand(p)) && c->span.from < at; p->next_comment++) {
		keep_blank(p, c->span.from);
		line_add(p, (struct line){ .kind = LINE_COMMENT, .indent = p->indent, .comment = comment_text(p, c) });
		p->done = c->span.to;
	}
}

/* The comment behind what ends at `end`, on the same line and before `limit`, goes to the last line. */
void printer_comment_behind(struct printer *p, uint32_t end, uint32_t limit)
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

bool printer_comment_within(const struct printer *p, struct span s)
{
	const struct comment *c = comment_at_hand(p);

	return c && c->span.from > s.from && c->span.from < s.to;
}

static struct span statement_span(const struct node *n, const struct node *parent)
{
	struct span s = n->span;

	for (; n->next && spell_is_one(n, n->next, parent); n = n->next)
		s.to = n->next->span.to;
	return s;
}

static void statement(struct printer *p, const struct node *n, const struct node *parent, uint32_t limit);

/* The items of a block whose braces end at `end`, which no line has yet. */
static void block_items(struct printer *p, const struct node *n)
{
	uint32_t end = n->span.to - 1;

	buf_puts(&p->body, " {");
	printer_end_line(p);
	p->indent++;
	p->done = n->span.from;
	printer_comment_behind(p, n->span.from, end);
	p->block_begins = true;
	for (const struct node *c = n->first, *before = NULL; c; before = c, c = c->next)
		if (spell_is_item(c, n) && !(before && spell_is_one(before, c, n)))
			statement(p, c, n, end);
	printer_comments(p, end);
	p->indent--;
	p->block_begins = false;
}

/* What an IF guards is in children of its own; everything else holds its items itself. */
static void block(struct printer *p, const struct node *n)
{
	const struct node *then = n->kind == NODE_IF ? node_find(n, NODE_THEN) : n;
	const struct node *otherwise = n->kind == NODE_IF ? node_find(n, NODE_ELSE) : NULL;

	block_items(p, then);
	if (otherwise) {
		buf_puts(&p->body, "} else");
		block_items(p, otherwise);
	}
	line_add(p, (struct line){ .kind = LINE_PLAIN, .indent = p->indent, .body = "}" });
}

static void statement(struct printer *p, const struct node *n, const struct node *parent, uint32_t limit)
{
	struct span span = statement_span(n, parent);
	size_t first_line;
	bool is_block;

	printer_comments(p, span.from);
	keep_blank(p, span.from);
	first_line = p->lines.len;
	p->breaking = false;
	p->kind = LINE_PLAIN;
	is_block = spell_statement(p, n, parent);
	if (is_block) {
		block(p, n);
	} else {
		size_t width = (size_t)(p->indent * INDENT) + p->cell.len + 1 + p->body.len;

		if (printer_comment_within(p, span) || width > WIDTH) {
			p->cell.len = p->body.len = 0;
			p->breaking = true;
			p->wide = width > WIDTH;
			spell_statement(p, n, parent);
		}
		printer_end_line(p);
		comments_above(p, first_line, span.to);
	}
	p->done = span.to;
	printer_comment_behind(p, span.to, limit);
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
	printer_comments(&p, end + 1);
	put_lines(&p, out);
	buf_release(&p.cell);
	buf_release(&p.body);
}

bool print_source(struct buf *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds)
{
	const size_t errors = ds->errors;
	struct ast ast;

	if (!parse_is_text(s, file, ds))
		return false;
	parse_file(&ast, a, s, file, ds);
	if (!ast.sound || ds->errors > errors)
		return false;
	print_file(out, &ast, s, file);
	return true;
}
