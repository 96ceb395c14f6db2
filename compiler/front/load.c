/*
 * load.c - files to declarations. An import stands for what its file declares, at
 * the import's place; a file that is imported again adds nothing.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/front/store.h"
#include "lang/base/near.h"
#include "lang/syntax/parse.h"
#include "lang/vocab/exit.h"

/* The files of policies/ that tegc carries: build/gen/shipped.S. */
struct shipped {
	const char *path, *text;
	uint64_t len;
};
extern const struct shipped shipped_files[];
extern const uint64_t shipped_count;

const char *shipped_find(const char *path, size_t *len)
{
	for (uint64_t i = 0; i < shipped_count; i++)
		if (!strcmp(shipped_files[i].path, path)) {
			*len = shipped_files[i].len;
			return shipped_files[i].text;
		}
	return NULL;
}

const char *shipped_name(size_t i)
{
	return i < shipped_count ? shipped_files[i].path : NULL;
}

/* A file that was found, and is read once whatever path led to it. */
struct found {
	struct store_file file;
	bool shipped;
	const char *text; /* what was given from memory, or NULL */
	size_t len;
};

enum { FILE_READING = 1, FILE_READ = 2 };
static char file_states[3];

/* --- what is wrong with a file ---------------------------------------------------------- */

/* The main file has no place that asks for it; its failure has an exit code of its own. */
static void unreadable(struct reading *r, const struct node *import, enum diag_code code, int exit_code,
		       const char *words)
{
	struct span at = import ? import->span : SPAN_NOWHERE;

	diag(r->diags, code, at, "%s", words);
	if (!import)
		r->c->input_fault = exit_code;
	r->poisoned = true;
}

static void told_by_errno(struct reading *r, const struct node *import, const char *path, const struct err *why)
{
	const char *words = arena_printf(r->arena, "%s", why->text);

	switch (-why->code) {
	case EISDIR:
		unreadable(r, import, DIAG_INPUT_DIRECTORY, EXIT_INPUT,
			   arena_printf(r->arena, "%s is a directory, not a policy", path));
		return;
	case EFBIG:
		unreadable(r, import, DIAG_INPUT_LARGE, EXIT_INPUT,
			   arena_printf(r->arena, "%s has more than %zu MiB", path, SOURCE_BYTES_MAX >> 20));
		return;
	case ENOENT: case EACCES: case ENOTDIR: case ELOOP: case ENAMETOOLONG: case EPERM:
		unreadable(r, import, DIAG_INPUT_MISSING, EXIT_INPUT, words);
		return;
	}
	unreadable(r, import, DIAG_INPUT_BROKEN, EXIT_IO, words);
}

static bool text_is_sound(struct reading *r, uint32_t file)
{
	bool sound = parse_is_text(&r->c->sources, file, r->diags);

	r->poisoned |= !sound;
	return sound;
}

static const struct store *store_of(const struct reading *r)
{
	return r->c->store ? r->c->store : &store_disk;
}

static bool read_text(struct reading *r, const struct found *f, const struct node *import, uint32_t *file)
{
	own(buf) struct buf bytes = { 0 };
	struct err why = { 0 };
	size_t len = 0;

	if (f->shipped) {
		const char *text = shipped_find(f->file.path, &len);

		*file = source_add(&r->c->sources, f->file.path, text, len);
		return true;
	}
	if (f->text) {
		*file = source_add(&r->c->sources, f->file.shown, f->text, f->len);
		return text_is_sound(r, *file);
	}
	if (store_of(r)->read(store_of(r), f->file.path, SOURCE_BYTES_MAX, &bytes, &why)) {
		told_by_errno(r, import, f->file.shown, &why);
		return false;
	}
	*file = source_add(&r->c->sources, f->file.shown, arena_strndup(r->c->texts, buf_text(&bytes), bytes.len), bytes.len);
	r->c->sources.list.at[*file].read = true;
	return text_is_sound(r, *file);
}

/* --- imports --------------------------------------------------------------------------------- */

static bool in_store(struct reading *r, const char *path, struct found *out)
{
	*out = (struct found){ 0 };
	return store_of(r)->find(store_of(r), r->arena, path, &out->file);
}

static bool among_shipped(struct reading *r, const char *path, struct found *out)
{
	size_t len;

	if (!shipped_find(path, &len))
		return false;
	*out = (struct found){
		.file = { path, path, arena_printf(r->arena, "shipped:%s", path), false },
		.shipped = true,
	};
	return true;
}

static const char *beside(struct reading *r, const char *importer, const char *path)
{
	const char *slash = strrchr(importer, '/');

	return slash ? arena_printf(r->arena, "%.*s%s", (int)(slash + 1 - importer), importer, path) :
		       arena_strdup(r->arena, path);
}

/* The directories that are looked in behind the one of the file that asks, by number; NULL when there are no more. */
static const char *directory(const struct reading *r, size_t i)
{
	const struct compilation *c = r->c;

	if (i < c->import_paths.len)
		return c->import_paths.at[i];
	return i - c->import_paths.len < c->libraries.len ? c->libraries.at[i - c->import_paths.len] : NULL;
}

static bool in_last_library(struct reading *r, const char *path, struct found *out)
{
	return r->c->last_library && in_store(r, arena_printf(r->arena, "%s/%s", r->c->last_library, path), out);
}

/* Beside the file that asks, then -I in order, then the libraries, what tegc carries, and the last library. */
static bool find(struct reading *r, const struct found *importer, const char *path, struct found *out)
{
	if (path[0] == '/')
		return in_store(r, path, out);
	if (importer->shipped ? among_shipped(r, beside(r, importer->file.path, path), out) :
				in_store(r, beside(r, importer->file.path, path), out))
		return true;
	for (size_t i = 0; directory(r, i); i++)
		if (in_store(r, arena_printf(r->arena, "%s/%s", directory(r, i), path), out))
			return true;
	return among_shipped(r, path, out) || in_last_library(r, path, out);
}

static void tell_missing(struct reading *r, const struct found *importer, const struct node *import)
{
	struct diag *d = diag(r->diags, DIAG_IMPORT_MISSING, import->span, "there is no file `%s` to import",
			      import->text);
	struct near n = near_to(import->text);

	r->poisoned = true;
	if (!importer->shipped && import->text[0] != '/')
		diag_note(d, "looked for %s", beside(r, importer->file.path, import->text));
	for (size_t i = 0; directory(r, i) && import->text[0] != '/'; i++)
		diag_note(d, "looked for %s/%s", directory(r, i), import->text);
	for (uint64_t i = 0; i < shipped_count; i++)
		near_try(&n, shipped_files[i].path);
	if (n.best)
		diag_help(d, "did you mean \"%s\"?", n.best);
	if (n.best && !n.tied && source_says(&r->c->sources, import->span, arena_printf(r->arena, "\"%s\"", import->text)))
		diag_fix(d, import->span, "\"%s\"", n.best);
}

static void tell_cycle(struct reading *r, const struct node *import, const struct found *f)
{
	struct diag *d = diag(r->diags, DIAG_IMPORT_CYCLE, import->span, "`%s` is being read already: it imports itself",
			      import->text);
	own(buf) struct buf chain = { 0 };

	for (size_t i = 0; i < r->importing.len; i++)
		buf_printf(&chain, "%s imports ", r->importing.at[i]);
	diag_note(d, "%s%s", buf_text(&chain), f->file.shown);
	diag_help(d, "put what both need into a third file, and import that from both");
}

static void load(struct reading *r, const struct found *f, const struct node *import);

/* --- imports by a pattern ------------------------------------------------------------------ */

static void load_one(struct reading *r, const struct found *importer, const struct node *path);

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Names of a directory that fit the pattern behind its last slash, in the order of their bytes. */
static void names_that_fit(struct reading *r, const char *path, struct store_names *out)
{
	const char *slash = strrchr(path, '/'), *pattern = slash ? slash + 1 : path;
	const char *dir = slash ? arena_strndup(r->arena, path, (size_t)(slash - path)) : "";
	struct store_names all = { 0 };

	store_of(r)->list(store_of(r), r->arena, dir, &all);
	if (all.len)
		qsort(all.at, all.len, sizeof *all.at, by_name);
	for (size_t i = 0; i < all.len; i++)
		if (!fnmatch(pattern, all.at[i], FNM_PERIOD))
			vec_push(r->arena, out, all.at[i]);
}

/* Beside the file that asks, or in the first directory that has any. */
static void load_pattern(struct reading *r, const struct found *importer, const struct node *path)
{
	const char *slash = strrchr(path->text, '/');
	struct store_names names = { 0 };

	names_that_fit(r, path->text[0] == '/' ? path->text : beside(r, importer->file.path, path->text), &names);
	for (size_t i = 0; directory(r, i) && !names.len && path->text[0] != '/'; i++)
		names_that_fit(r, arena_printf(r->arena, "%s/%s", directory(r, i), path->text), &names);
	if (!names.len && r->c->last_library && path->text[0] != '/')
		names_that_fit(r, arena_printf(r->arena, "%s/%s", r->c->last_library, path->text), &names);
	if (!names.len) {
		r->poisoned = true;
		diag_help(diag(r->diags, DIAG_IMPORT_NOTHING, path->span, "nothing fits `%s`", path->text),
			  "a pattern stands for one file or more; a site that needs none leaves the import out");
	}
	for (size_t i = 0; i < names.len; i++) {
		const char *name = arena_printf(r->arena, "%.*s%s", slash ? (int)(slash + 1 - path->text) : 0, path->text, names.at[i]);

		load_one(r, importer, node_text(r->arena, NODE_STRING, path->span, name));
	}
}

static void load_import(struct reading *r, const struct found *importer, const struct node *decl)
{
	const struct node *path = node_find(decl, NODE_STRING);
	const char *slash = strrchr(path->text, '/');

	if (!strpbrk(slash ? slash : path->text, "*?"))
		load_one(r, importer, path);
	else if (importer->shipped)
		tell_missing(r, importer, path);
	else
		load_pattern(r, importer, path);
}

static void load_one(struct reading *r, const struct found *importer, const struct node *path)
{
	struct found f;

	if (!find(r, importer, path->text, &f) || f.file.special)
		tell_missing(r, importer, path);
	else if (strmap_find(&r->files, f.file.identity) == &file_states[FILE_READING])
		tell_cycle(r, path, &f);
	else if (!strmap_find(&r->files, f.file.identity))
		load(r, &f, path);
}

static void header_is_first(struct reading *r, const struct node *decl, const struct node *first,
			    const struct node *import)
{
	struct diag *d;

	if (import) {
		d = diag(r->diags, DIAG_POLICY_PLACE, decl->span, "an imported file cannot be a policy of its own");
		diag_at(d, import->span, "imported here");
		diag_help(d, "move what both need into a file without a `policy` line");
	} else if (decl != first) {
		d = diag(r->diags, DIAG_POLICY_PLACE, decl->span, "`policy` stands before everything else, and once");
		diag_at(d, first->span, "this stands before it");
	}
}

static void load(struct reading *r, const struct found *f, const struct node *import)
{
	struct ast ast;
	uint32_t file;

	strmap_put(&r->files, f->file.identity, &file_states[FILE_READING]);
	if (!read_text(r, f, import, &file))
		return;
	if (!import)
		r->main_file = file;
	vec_push(r->arena, &r->importing, f->file.shown);
	parse_file(&ast, r->arena, &r->c->sources, file, r->diags);
	remarks_find(r->c, file, &ast);
	if (ast.nameless_hole)
		r->poisoned = true;
	for (struct node *n = ast.root->first; n; n = n->next) {
		if (n->kind == NODE_POLICY)
			header_is_first(r, n, ast.root->first, import);
		if (n->kind == NODE_IMPORT)
			load_import(r, f, n);
		else
			vec_push(r->trees, &r->decls, n);
	}
	r->importing.len--;
	strmap_put(&r->files, f->file.identity, &file_states[FILE_READ]);
}

bool load_main(struct reading *r, const char *path, const char *text, size_t len)
{
	struct found f;

	/* Where there is none, reading it will say why. */
	if (!strcmp(path, "-"))
		f = (struct found){ .file = { path, "<stdin>", path, true } };
	else if (!in_store(r, path, &f))
		f = (struct found){ .file = { path, path, path, false } };
	f.text = text;
	f.len = len;
	strmap_init(&r->files, r->arena);
	load(r, &f, NULL);
	return !r->c->input_fault && r->c->sources.list.len > 0;
}
