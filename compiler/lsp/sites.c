#include "compiler/lsp/sites.h"

#include <string.h>

#include "lang/base/file.h"

/* The largest policy of a folder that is read when somebody asks where a name stands. */
#define READER_BYTES_MAX ((size_t)4 << 20)

struct finding {
	struct sites *out;
	struct server *server;
	uint32_t from, to;
	struct strmap texts; /* by URI */
	struct strmap seen;  /* by URI and place */
};

/* --- one policy ----------------------------------------------------------------------------- */

/* A file's URI, or what tegc calls one that it carries. */
static const char *file_name(struct arena *a, const struct documents *ds, const struct source *s)
{
	own(mem) char *uri = document_uri_of(ds, s);

	return arena_strdup(a, uri ? uri : s->name);
}

static bool file_find(const struct documents *ds, const struct document *d, const char *name, uint32_t *file)
{
	for (uint32_t i = 0; i < d->c->sources.list.len; i++)
		if (!strcmp(file_name(d->c->arena, ds, &d->c->sources.list.at[i]), name)) {
			*file = i;
			return true;
		}
	return false;
}

static int by_span(const void *x, const void *y)
{
	const struct use *a = *(const struct use *const *)x, *b = *(const struct use *const *)y;

	if (a->at.file != b->at.file)
		return a->at.file < b->at.file ? -1 : 1;
	return a->at.from < b->at.from ? -1 : a->at.from > b->at.from;
}

struct places {
	const struct use **at;
	size_t count;
};

/* Each place once, in the order of the texts: what is inherited is resolved more than once. */
static struct places places_of(const struct document *d, struct span declared)
{
	const struct uses *all = &d->c->uses;
	const struct use like = { .declared = declared };
	struct places out = { arena_zero(d->c->arena, (all->list.len + 1) * sizeof *out.at), 0 };
	size_t n = 0;

	for (size_t i = 0; i < all->list.len; i++)
		if (use_is_same(&all->list.at[i], &like))
			out.at[n++] = &all->list.at[i];
	qsort(out.at, n, sizeof *out.at, by_span);
	for (size_t i = 0; i < n; i++)
		if (!out.count || by_span(&out.at[out.count - 1], &out.at[i]))
			out.at[out.count++] = out.at[i];
	return out;
}

size_t sites_count(const struct documents *ds, const struct document *d, const char *declared_in, uint32_t from, uint32_t to)
{
	uint32_t file;

	return file_find(ds, d, declared_in, &file) ? places_of(d, (struct span){ file, from, to }).count : 0;
}

/* A place that is not only of this thing: an event that two rules of one label make. */
static bool stands_for_more(const struct uses *all, const struct use *u)
{
	for (size_t i = 0; u->kind == USE_LABEL && i < all->list.len; i++)
		if (!memcmp(&all->list.at[i].at, &u->at, sizeof u->at) && !use_is_same(&all->list.at[i], u))
			return true;
	return false;
}

/* The compilation may end before the answer is made, so what is kept is copied. */
static void add(struct finding *f, const struct source *s, const char *name, bool carried, const struct use *u)
{
	struct arena *a = f->out->arena;
	const char *key = arena_printf(a, "%u %s", u->at.from, name), *text = strmap_find(&f->texts, name);

	if (strmap_find(&f->seen, key))
		return;
	if (!text) {
		text = arena_strndup(a, s->text, s->len);
		strmap_put(&f->texts, name, (void *)text);
	}
	strmap_put(&f->seen, key, (void *)key);
	struct site site = { carried ? NULL : name, text, s->len, u->at.from, u->at.to, !memcmp(&u->at, &u->declared, sizeof u->at) };
	vec_push(a, &f->out->list, site);
}

static void add_all(struct finding *f, const struct documents *ds, const struct document *d, const struct places *all)
{
	const char *name = NULL;
	bool carried = false;

	for (size_t i = 0; i < all->count; i++) {
		const struct source *s = &d->c->sources.list.at[all->at[i]->at.file];

		if (!i || all->at[i]->at.file != all->at[i - 1]->at.file) {
			own(mem) char *uri = document_uri_of(ds, s);

			carried = !uri;
			name = arena_strdup(f->out->arena, uri ? uri : s->name);
		}
		add(f, s, name, carried, all->at[i]);
		f->out->ambiguous |= stands_for_more(&d->c->uses, all->at[i]);
	}
}

static void ask(struct finding *f, const struct documents *ds, const struct document *d)
{
	struct arena *a = f->out->arena;
	uint32_t file;

	if (!file_find(ds, d, f->out->declared_in, &file))
		return;
	struct places all = places_of(d, (struct span){ file, f->from, f->to });
	struct site_reader reader = { arena_strdup(a, d->uri), arena_strdup(a, buf_text(&d->text)), d->c->diags.errors, all.count };
	if (!all.count)
		return;
	add_all(f, ds, d, &all);
	vec_push(a, &f->out->readers, reader);
}

/* --- all of them ------------------------------------------------------------------------------ */

static bool is_open(const struct server *s, const char *path)
{
	for (size_t i = 0; i < s->documents.count; i++) {
		char *whole = realpath(s->documents.at[i]->path, NULL);
		bool same = whole && !strcmp(whole, path);

		free(whole);
		if (same)
			return true;
	}
	return false;
}

/* A file that imports nothing knows only itself, and then it is read by who does know. */
static void ask_file(const char *path, void *arg)
{
	struct finding *f = arg;
	own(buf) struct buf text = { 0 };
	struct err why = { 0 };
	struct documents alone;

	if (is_open(f->server, path) || file_read(&text, path, READER_BYTES_MAX, &why) || strlen(buf_text(&text)) < text.len ||
	    !strstr(buf_text(&text), "import"))
		return;
	documents_init(&alone, f->server->documents.options);
	for (size_t i = 0; i < f->server->documents.count; i++)
		document_open(&alone, f->server->documents.at[i]->uri, buf_text(&f->server->documents.at[i]->text), 0);
	struct source named = { .name = path };
	own(mem) char *uri = document_uri_of(&alone, &named);
	struct document *d = uri ? document_open(&alone, uri, buf_text(&text), 0) : NULL;
	if (d) {
		document_bring(&alone, d, DOCUMENT_CHECKED);
		ask(f, &alone, d);
	}
	documents_release(&alone);
}

static int by_place(const void *x, const void *y)
{
	const struct site *a = x, *b = y;
	int files = !a->uri || !b->uri ? !b->uri - !a->uri : strcmp(a->uri, b->uri);

	return files ? files : a->from < b->from ? -1 : a->from > b->from;
}

void sites_find(struct sites *out, struct server *s, struct document *d, const struct use *u, struct arena *a)
{
	struct finding f = { .out = out, .server = s, .from = u->declared.from, .to = u->declared.to };

	strmap_init(&f.texts, a);
	strmap_init(&f.seen, a);
	*out = (struct sites){ .arena = a };
	out->declared_in = file_name(a, &s->documents, &d->c->sources.list.at[u->declared.file]);
	ask(&f, &s->documents, d);
	for (size_t i = 0; i < s->documents.count; i++)
		if (s->documents.at[i] != d) {
			document_bring(&s->documents, s->documents.at[i], DOCUMENT_CHECKED);
			ask(&f, &s->documents, s->documents.at[i]);
		}
	folders_each(&s->folders, ask_file, &f);
	if (out->list.len)
		qsort(out->list.at, out->list.len, sizeof *out->list.at, by_place);
}
