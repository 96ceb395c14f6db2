#include "compiler/report/diags.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAB_COLUMNS 4
#define LINE_SHOWN_MAX 160 /* columns of a source line that are shown */

enum paint { PAINT_ERROR, PAINT_WARNING, PAINT_PLACE, PAINT_HELP, PAINT_STRONG, PAINT_END, PAINT_COUNT };

struct page {
	struct buf *out;
	struct compilation *c;
	bool colour;
	int gutter; /* digits of the largest line number */
};

static void paint(struct page *p, enum paint with)
{
	static const char *const codes[PAINT_COUNT] = { "\033[1;31m", "\033[1;33m", "\033[34m",
							"\033[36m", "\033[1m", "\033[0m" };
	if (p->colour)
		buf_puts(p->out, codes[with]);
}

/* --- text that cannot harm a terminal ----------------------------------------------------- */

static uint32_t utf8_char(const char *at, size_t len)
{
	uint32_t c = (unsigned char)at[0] & (len == 1 ? 0x7fu : 0x7fu >> len);

	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)at[i] & 0x3fu);
	return c;
}

/* Characters that change the direction of text or cannot be seen. */
static bool deceives(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x61c;
}

/* Wide characters take two columns, combining ones none (the usual blocks of Unicode, not all of them). */
static int utf8_columns(uint32_t c)
{
	static const struct { uint32_t from, to; int columns; } blocks[] = {
		{ 0x0300, 0x036f, 0 }, { 0x1100, 0x115f, 2 }, { 0x2e80, 0xa4cf, 2 },
		{ 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 }, { 0xfe00, 0xfe0f, 0 }, { 0xff00, 0xff60, 2 },
		{ 0x1f300, 0x1f64f, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
		if (c >= blocks[i].from && c <= blocks[i].to)
			return blocks[i].columns;
	return 1;
}

/* The character as it is shown: *columns wide; control characters and what is not UTF-8 as <1b>. */
static size_t shown(const char *at, size_t left, char text[static 16], int *columns)
{
	size_t len = utf8_len(at, left);
	unsigned char c = (unsigned char)*at;

	if (c == '\t') {
		*columns = TAB_COLUMNS;
		snprintf(text, 16, "%*s", TAB_COLUMNS, "");
		return 1;
	}
	if (c < 0x20 || c == 0x7f || (len == 1 && c >= 0x80) || (len > 1 && deceives(utf8_char(at, len)))) {
		*columns = snprintf(text, 16, "<%02x>", len > 1 ? utf8_char(at, len) : c);
		return len;
	}
	memcpy(text, at, len);
	text[len] = '\0';
	*columns = utf8_columns(utf8_char(at, len));
	return len;
}

static void put_text(struct page *p, const char *text)
{
	size_t left = strlen(text);
	char one[16];
	int columns;

	while (left) {
		size_t used = shown(text, left, one, &columns);

		buf_puts(p->out, one);
		text += used;
		left -= used;
	}
}

/* Columns before byte `upto` of the line, and so the place of a caret. */
static int columns_before(const char *line, size_t len, size_t upto)
{
	int total = 0, columns;
	char one[16];

	for (size_t i = 0; i < len && i < upto;) {
		i += shown(line + i, len - i, one, &columns);
		total += columns;
	}
	return total;
}

/* --- the excerpt --------------------------------------------------------------------------- */

/* A place to mark: the main one with ^, others with -. */
struct mark {
	struct span span;
	const char *label;
	bool main;
	uint32_t line;
};

static void put_gutter(struct page *p, uint32_t line)
{
	paint(p, PAINT_PLACE);
	if (line)
		buf_printf(p->out, "%*u |", p->gutter, line);
	else
		buf_printf(p->out, "%*s |", p->gutter, "");
	paint(p, PAINT_END);
}

static void put_line(struct page *p, uint32_t file, uint32_t number)
{
	size_t len;
	const char *line = source_line(&p->c->sources, file, number, &len);
	int total = 0, columns;
	char one[16];

	put_gutter(p, number);
	if (len)
		buf_putc(p->out, ' ');
	for (size_t i = 0; i < len && total < LINE_SHOWN_MAX; total += columns) {
		i += shown(line + i, len - i, one, &columns);
		buf_puts(p->out, one);
	}
	buf_puts(p->out, total >= LINE_SHOWN_MAX ? "...\n" : "\n");
}

static void put_mark(struct page *p, const struct mark *m, enum paint with)
{
	size_t len;
	const char *line = source_line(&p->c->sources, m->span.file, m->line, &len);
	size_t start = (size_t)(line - p->c->sources.list.at[m->span.file].text);
	int from = columns_before(line, len, m->span.from - start);
	int to = columns_before(line, len, m->span.to > start ? m->span.to - start : 0);

	if (from > LINE_SHOWN_MAX)
		from = LINE_SHOWN_MAX;
	if (to > LINE_SHOWN_MAX + 3)
		to = LINE_SHOWN_MAX + 3;
	put_gutter(p, 0);
	buf_printf(p->out, " %*s", from, "");
	paint(p, m->main ? with : PAINT_PLACE);
	do
		buf_putc(p->out, m->main ? '^' : '-');
	while (++from < to);
	if (m->label && *m->label) {
		buf_putc(p->out, ' ');
		put_text(p, m->label);
	}
	paint(p, PAINT_END);
	buf_putc(p->out, '\n');
}

static void put_place(struct page *p, const char *arrow, struct span s)
{
	struct place at = source_place(&p->c->sources, s.file, s.from);

	paint(p, PAINT_PLACE);
	buf_printf(p->out, "%*s%s ", p->gutter, "", arrow);
	paint(p, PAINT_END);
	put_text(p, at.file);
	buf_printf(p->out, ":%u:%u\n", at.line, at.column);
}

static int by_line(const void *x, const void *y)
{
	const struct mark *a = x, *b = y;

	if (a->span.file != b->span.file)
		return a->span.file < b->span.file ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->span.from < b->span.from ? -1 : a->span.from > b->span.from;
}

/* The marks of one file, in the order of its lines; a gap is shown as such. */
static void put_excerpt(struct page *p, const struct mark *marks, size_t count, enum paint with)
{
	uint32_t before = 0;

	put_gutter(p, 0);
	buf_putc(p->out, '\n');
	for (size_t i = 0; i < count; i++) {
		if (marks[i].line != before) {
			if (before && marks[i].line > before + 1)
				buf_printf(p->out, "%*s...\n", p->gutter > 1 ? p->gutter - 1 : 0, "");
			put_line(p, marks[i].span.file, marks[i].line);
		}
		put_mark(p, &marks[i], with);
		before = marks[i].line;
	}
}

#define MARKS_MAX 8

static size_t marks_of(struct page *p, const struct diag *d, struct mark *marks)
{
	size_t n = 0;

	if (!span_is_somewhere(d->span))
		return 0;
	marks[n++] = (struct mark){ .span = d->span, .label = d->label, .main = true };
	for (const struct diag_part *part = d->parts; part && n < MARKS_MAX; part = part->next)
		if (part->kind == DIAG_PLACE)
			marks[n++] = (struct mark){ .span = part->span, .label = part->text };
	for (size_t i = 0; i < n; i++) {
		marks[i].line = source_line_of(&p->c->sources, marks[i].span.file, marks[i].span.from);
		int digits = snprintf(NULL, 0, "%u", marks[i].line);
		p->gutter = digits > p->gutter ? digits : p->gutter;
	}
	return n;
}

static void put_places(struct page *p, struct mark *marks, size_t n, enum paint with)
{
	uint32_t main = marks[0].span.file;

	put_place(p, "-->", marks[0].span);
	qsort(marks, n, sizeof *marks, by_line);
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && marks[to].span.file == marks[from].span.file;)
			to++;
		if (marks[from].span.file == main)
			put_excerpt(p, marks + from, to - from, with);
	}
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && marks[to].span.file == marks[from].span.file;)
			to++;
		if (marks[from].span.file == main)
			continue;
		put_place(p, ":::", marks[from].span);
		put_excerpt(p, marks + from, to - from, with);
	}
}

static void put_parts(struct page *p, const struct diag *d)
{
	for (const struct diag_part *part = d->parts; part; part = part->next) {
		if (part->kind == DIAG_PLACE)
			continue;
		paint(p, PAINT_PLACE);
		buf_printf(p->out, "%*s = ", p->gutter, "");
		paint(p, PAINT_END);
		paint(p, PAINT_HELP);
		buf_puts(p->out, part->kind == DIAG_NOTE ? "note: " : "help: ");
		paint(p, PAINT_END);
		put_text(p, part->text);
		buf_putc(p->out, '\n');
	}
}

void report_diag(struct buf *out, struct compilation *c, const struct diag *d, bool colour)
{
	struct page p = { .out = out, .c = c, .colour = colour, .gutter = 1 };
	enum paint with = d->severity == SEVERITY_ERROR ? PAINT_ERROR : PAINT_WARNING;
	struct mark marks[MARKS_MAX];
	size_t n = marks_of(&p, d, marks);

	paint(&p, with);
	buf_printf(out, "%s[%s]", d->severity == SEVERITY_ERROR ? "error" : "warning", diag_kinds[d->code].code);
	paint(&p, PAINT_END);
	paint(&p, PAINT_STRONG);
	buf_puts(out, ": ");
	put_text(&p, d->text);
	paint(&p, PAINT_END);
	buf_putc(out, '\n');
	if (n)
		put_places(&p, marks, n, with);
	put_parts(&p, d);
}

static void put_count(struct buf *out, size_t n, const char *what)
{
	buf_printf(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

/* "2 errors, 1 warning", or nothing. */
static void print_count(struct buf *out, const struct diags *ds)
{
	const struct { size_t n; const char *what; } counts[] = { { ds->errors, "error" }, { ds->warnings, "warning" } };
	const char *between = "";

	for (size_t i = 0; i < 2; i++) {
		if (!counts[i].n)
			continue;
		buf_puts(out, between);
		put_count(out, counts[i].n, counts[i].what);
		between = ", ";
	}
	if (ds->allowed)
		buf_printf(out, "%s%zu allowed", between, ds->allowed);
}

static void put_counts(struct buf *out, const struct diags *ds)
{
	size_t all = ds->errors + ds->warnings + ds->allowed, before;

	if (all > ds->list.len)
		buf_printf(out, "%zu more are not shown\n", all - ds->list.len);
	before = out->len;
	print_count(out, ds);
	if (out->len > before)
		buf_putc(out, '\n');
}

void diags_print(struct buf *out, struct compilation *c, bool colour)
{
	struct diags *ds = &c->diags;

	diags_sort(ds);
	for (size_t i = 0; i < ds->list.len; i++) {
		if (ds->list.at[i]->allowed)
			continue;
		report_diag(out, c, ds->list.at[i], colour);
		buf_putc(out, '\n');
	}
	put_counts(out, ds);
}

/* --- without drawings --------------------------------------------------------------------- */

static void put_where(struct page *p, struct span s)
{
	if (!span_is_somewhere(s))
		return;

	struct place at = source_place(&p->c->sources, s.file, s.from);

	put_text(p, at.file);
	buf_printf(p->out, ":%u:%u: ", at.line, at.column);
}

static void put_part_plain(struct page *p, const struct diag_part *part)
{
	static const char *const words[] = { [DIAG_PLACE] = "", [DIAG_NOTE] = "note: ", [DIAG_HELP] = "help: " };

	buf_puts(p->out, "  ");
	if (part->kind == DIAG_PLACE)
		put_where(p, part->span);
	buf_puts(p->out, words[part->kind]);
	put_text(p, part->text);
	buf_putc(p->out, '\n');
}

static void put_diag_plain(struct buf *out, struct compilation *c, const struct diag *d)
{
	struct page p = { .out = out, .c = c };

	put_where(&p, d->span);
	buf_printf(out, "%s ", diag_kinds[d->code].code);
	put_text(&p, d->text);
	buf_putc(out, '\n');
	for (const struct diag_part *part = d->parts; part; part = part->next)
		put_part_plain(&p, part);
}

void diags_print_plain(struct buf *out, struct compilation *c)
{
	diags_sort(&c->diags);
	for (size_t i = 0; i < c->diags.list.len; i++)
		if (!c->diags.list.at[i]->allowed)
			put_diag_plain(out, c, c->diags.list.at[i]);
	put_counts(out, &c->diags);
}

void diags_print_short(struct buf *out, struct compilation *c)
{
	struct page p = { .out = out, .c = c };

	diags_sort(&c->diags);
	for (size_t i = 0; i < c->diags.list.len; i++) {
		const struct diag *d = c->diags.list.at[i];

		if (d->allowed)
			continue;
		put_where(&p, d->span);
		buf_printf(out, "%s[%s]: ", d->severity == SEVERITY_ERROR ? "error" : "warning", diag_kinds[d->code].code);
		put_text(&p, d->text);
		buf_putc(out, '\n');
	}
}

/* --- as this run is asked to -------------------------------------------------------------- */

struct manner report_manner;

static bool wants_colour(FILE *to)
{
	const char *no = getenv("NO_COLOR");

	switch (report_manner.colour) {
	case COLOUR_ALWAYS:
		return true;
	case COLOUR_NEVER:
		return false;
	case COLOUR_AUTO:
		break;
	}
	return isatty(fileno(to)) && !(no && *no);
}

void report_diags(FILE *to, struct compilation *c)
{
	own(buf) struct buf out = { 0 };

	if (report_manner.plain)
		diags_print_plain(&out, c);
	else
		diags_print(&out, c, wants_colour(to));
	fwrite(buf_text(&out), 1, out.len, to);
}

void report_one_diag(FILE *to, struct compilation *c, const struct diag *d)
{
	own(buf) struct buf out = { 0 };

	if (report_manner.plain)
		put_diag_plain(&out, c, d);
	else
		report_diag(&out, c, d, wants_colour(to));
	fwrite(buf_text(&out), 1, out.len, to);
}
