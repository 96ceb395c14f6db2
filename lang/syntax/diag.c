#include "lang/syntax/diag.h"

#include <stdarg.h>
#include <stdlib.h>

const struct diag_kind diag_kinds[DIAG_COUNT] = {
#define DIAG(id, number, level, words) { number, #id, words, SEVERITY_##level },
#include "lang/syntax/diag.def"
#undef DIAG
};

static size_t *counter(struct diags *ds, enum severity severity)
{
	switch (severity) {
	case SEVERITY_ERROR:
		return &ds->errors;
	case SEVERITY_WARNING:
		return &ds->warnings;
	case SEVERITY_COUNT:
		break;
	}
	abort();
}

struct diag *diag(struct diags *ds, enum diag_code code, struct span span, const char *format, ...)
{
	enum severity severity = diag_kinds[code].severity;
	va_list args;

	++*counter(ds, severity);
	if (ds->list.len == DIAGS_KEPT)
		return &ds->spare;

	struct diag *d = arena_zero(ds->arena, sizeof *d);
	*d = (struct diag){ .arena = ds->arena, .code = code, .severity = severity, .span = span };
	d->last = &d->parts;
	d->last_edit = &d->edits;
	va_start(args, format);
	d->text = arena_vprintf(ds->arena, format, args);
	va_end(args);
	vec_push(ds->arena, &ds->list, d);
	return d;
}

void diag_label(struct diag *d, const char *format, ...)
{
	va_list args;

	if (!d->arena)
		return;
	va_start(args, format);
	d->label = arena_vprintf(d->arena, format, args);
	va_end(args);
}

static void part_add(struct diag *d, enum diag_part_kind kind, struct span span, const char *format,
		     va_list args)
{
	if (!d->arena) /* the spare one */
		return;

	struct diag_part *p = arena_zero(d->arena, sizeof *p);
	*p = (struct diag_part){ .kind = kind, .span = span, .text = arena_vprintf(d->arena, format, args) };
	*d->last = p;
	d->last = &p->next;
}

void diag_at(struct diag *d, struct span span, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	part_add(d, DIAG_PLACE, span, format, args);
	va_end(args);
}

void diag_note(struct diag *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	part_add(d, DIAG_NOTE, (struct span){ 0 }, format, args);
	va_end(args);
}

void diag_help(struct diag *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	part_add(d, DIAG_HELP, (struct span){ 0 }, format, args);
	va_end(args);
}

void diag_add_notes(struct buf *out, const struct diag *d)
{
	for (const struct diag_part *p = d->parts; p; p = p->next)
		if (p->kind != DIAG_PLACE)
			buf_printf(out, "\n%s: %s", p->kind == DIAG_NOTE ? "note" : "help", p->text);
}

void diag_fix(struct diag *d, struct span span, const char *format, ...)
{
	struct diag_edit *e;
	va_list args;

	if (!d->arena)
		return;
	va_start(args, format);
	e = arena_zero(d->arena, sizeof *e);
	*e = (struct diag_edit){ .span = span, .text = arena_vprintf(d->arena, format, args) };
	va_end(args);
	*d->last_edit = e;
	d->last_edit = &e->next;
}

void diag_allow(struct diags *ds, struct diag *d, const struct diag_allowance *by)
{
	if (d->allowed)
		return;
	d->allowed = by;
	--*counter(ds, d->severity);
	ds->allowed++;
}

void diag_severity(struct diags *ds, struct diag *d, enum severity severity)
{
	if (!d->arena) /* the spare one: it has been counted by its kind */
		return;
	--*counter(ds, d->severity);
	d->severity = severity;
	++*counter(ds, severity);
}

struct keyed {
	struct diag *d;
	size_t order;
};

static int by_place(const void *x, const void *y)
{
	const struct keyed *a = x, *b = y;
	struct span s = a->d->span, t = b->d->span;

	if (s.file != t.file)
		return s.file < t.file ? -1 : 1;
	if (s.from != t.from)
		return s.from < t.from ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void diags_sort(struct diags *ds)
{
	struct keyed *keyed = arena_zero(ds->arena, ds->list.len * sizeof *keyed);

	for (size_t i = 0; i < ds->list.len; i++)
		keyed[i] = (struct keyed){ ds->list.at[i], i };
	if (ds->list.len)
		qsort(keyed, ds->list.len, sizeof *keyed, by_place);
	for (size_t i = 0; i < ds->list.len; i++)
		ds->list.at[i] = keyed[i].d;
}
