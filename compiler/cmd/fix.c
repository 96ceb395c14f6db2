#include "compiler/cmd/fix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lang/base/file.h"

#define STEPS_MAX 16

/* What a file held before the last step. */
struct kept {
	const char *path;
	struct buf bytes;
};

struct fixing {
	struct arena *arena;
	size_t made, last; /* fixes, and those of the last step */
	size_t errors, warnings;    /* before the last step */
	size_t of_code[DIAG_COUNT]; /* then, of what it mended; else 0 */
	unsigned steps;
	bool over;
	VEC(struct kept) kept;
};

struct fixing *fixing_new(struct arena *a)
{
	struct fixing *f = arena_zero(a, sizeof *f);

	f->arena = a;
	return f;
}

size_t fixing_made(const struct fixing *f)
{
	return f->made;
}

/* --- which ------------------------------------------------------------------------------------ */

typedef VEC(const struct diag_edit *) edit_list;

static bool touch(struct span a, struct span b)
{
	return a.file == b.file && a.from <= b.to && b.from <= a.to;
}

static bool touches_any(const edit_list *l, struct span s)
{
	for (size_t i = 0; i < l->len; i++)
		if (touch(l->at[i]->span, s))
			return true;
	return false;
}

/* Is the file still what was read, and is it a file? */
static bool is_untouched(const struct source *s, struct buf *now)
{
	struct err ignored;
	struct stat st;

	return !stat(s->name, &st) && S_ISREG(st.st_mode) && !file_read(now, s->name, SOURCE_BYTES_MAX, &ignored) &&
	       now->len == s->len && !memcmp(buf_text(now), s->text, s->len);
}

static bool *files_that_may(struct arena *a, const struct compilation *c)
{
	bool *may = arena_zero(a, c->sources.list.len * sizeof *may);

	for (size_t i = 0; i < c->sources.list.len; i++) {
		own(buf) struct buf now = { 0 };

		may[i] = is_untouched(&c->sources.list.at[i], &now);
	}
	return may;
}

static bool can_be_made(const struct diag *d, const edit_list *l, const bool *may)
{
	if (!d->edits || d->allowed)
		return false;
	for (const struct diag_edit *e = d->edits; e; e = e->next)
		if (!may[e->span.file] || touches_any(l, e->span))
			return false;
	return true;
}

static size_t count_of(const struct diags *ds, enum diag_code code)
{
	size_t n = 0;

	for (size_t i = 0; i < ds->list.len; i++)
		n += ds->list.at[i]->code == code && !ds->list.at[i]->allowed;
	return n;
}

static size_t choose(struct fixing *f, const struct compilation *c, edit_list *out)
{
	const bool *may = files_that_may(f->arena, c);
	size_t chosen = 0;

	for (size_t i = 0; i < c->diags.list.len; i++) {
		const struct diag *d = c->diags.list.at[i];

		if (!can_be_made(d, out, may))
			continue;
		for (const struct diag_edit *e = d->edits; e; e = e->next)
			vec_push(f->arena, out, e);
		f->of_code[d->code] = count_of(&c->diags, d->code);
		chosen++;
	}
	return chosen;
}

/* --- making ----------------------------------------------------------------------------------- */

static int by_place(const void *x, const void *y)
{
	const struct diag_edit *const *a = x, *const *b = y;
	struct span s = (*a)->span, t = (*b)->span;

	if (s.file != t.file)
		return s.file < t.file ? -1 : 1;
	return s.from < t.from ? -1 : s.from > t.from;
}

static void keep(struct fixing *f, const struct source *s)
{
	struct kept k = { .path = arena_strdup(f->arena, s->name) };

	k.bytes.at = arena_strndup(f->arena, s->text, s->len);
	k.bytes.len = s->len;
	vec_push(f->arena, &f->kept, k);
}

/* The edits of one file, which are in its order. */
static int edit_file(struct fixing *f, const struct source *s, const struct diag_edit *const *edits, size_t len,
		     struct err *why)
{
	own(buf) struct buf text = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		buf_add(&text, s->text + at, edits[i]->span.from - at);
		buf_puts(&text, edits[i]->text);
		at = edits[i]->span.to;
	}
	buf_add(&text, s->text + at, s->len - at);
	keep(f, s);
	return file_save(s->name, buf_text(&text), text.len, 0644, why);
}

static int undo(struct fixing *f, struct err *why)
{
	f->over = true;
	f->made -= f->last;
	for (size_t i = 0; i < f->kept.len; i++) {
		const struct buf *bytes = &f->kept.at[i].bytes;
		int rc = file_save(f->kept.at[i].path, buf_text(bytes), bytes->len, 0644, why);

		if (rc)
			return rc;
	}
	return (int)f->kept.len;
}

static int make(struct fixing *f, const struct compilation *c, edit_list *edits, struct err *why)
{
	int files = 0;

	qsort(edits->at, edits->len, sizeof *edits->at, by_place);
	f->kept.len = 0;
	for (size_t from = 0, to; from < edits->len; from = to, files++) {
		uint32_t file = edits->at[from]->span.file;

		for (to = from + 1; to < edits->len && edits->at[to]->span.file == file;)
			to++;
		int rc = edit_file(f, &c->sources.list.at[file], edits->at + from, to - from, why);
		if (rc)
			return rc;
	}
	return files;
}

/*
 * Fewer errors, or as many and fewer warnings, or fewer of each kind that was mended: others may come to
 * light then, for a net that only a needless rule used is not used at all.
 */
static bool is_better(const struct fixing *f, const struct diags *now)
{
	bool fewer = true;

	for (int code = 0; code < DIAG_COUNT; code++)
		fewer &= !f->of_code[code] || count_of(now, (enum diag_code)code) < f->of_code[code];
	return now->errors < f->errors || (now->errors == f->errors && (now->warnings < f->warnings || fewer));
}

int fixing_step(struct fixing *f, const struct compilation *c, struct err *why)
{
	edit_list edits = { 0 };

	if (f->over || f->steps++ == STEPS_MAX)
		return 0;
	if (f->last && !is_better(f, &c->diags))
		return undo(f, why);
	f->errors = c->diags.errors;
	f->warnings = c->diags.warnings;
	memset(f->of_code, 0, sizeof f->of_code);
	f->last = choose(f, c, &edits);
	f->made += f->last;
	return f->last ? make(f, c, &edits, why) : 0;
}
