#include "compiler/lsp/document.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "compiler/prove/prove.h"
#include "compiler/report/allow.h"
#include "compiler/report/findings/findings.h"
#include "lang/base/hex.h"

/* Less than check spends: somebody is typing. What is left undecided, `tegc check` says. */
#define EDITOR_BUDGET ((struct prove_budget){ 4u << 20, UINT64_C(60000000) })

/* --- URIs (RFC 3986, RFC 8089) --------------------------------------------------------------- */

char *document_path_of(const char *uri)
{
	static const char scheme[] = "file://";
	char *out = strdup(uri), *to = out;

	if (strncmp(uri, scheme, sizeof scheme - 1) || uri[sizeof scheme - 1] != '/')
		return out;
	for (const char *at = uri + sizeof scheme - 1; *at; at++) {
		if (*at == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0 && (at[1] != '0' || at[2] != '0')) {
			*to++ = (char)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
			at += 2;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	return out;
}

char *document_uri(const char *path)
{
	static const char plain[] = "-._~/";
	struct buf out = { 0 };

	buf_puts(&out, "file://");
	for (const unsigned char *at = (const unsigned char *)path; *at; at++)
		if ((*at >= '0' && *at <= '9') || ((*at | 32) >= 'a' && (*at | 32) <= 'z') || strchr(plain, *at))
			buf_putc(&out, (char)*at);
		else
			buf_printf(&out, "%%%02X", *at);
	return out.at;
}

char *document_uri_of(const struct documents *ds, const struct source *s)
{
	char whole[PATH_MAX];

	for (size_t i = 0; i < ds->count; i++)
		if (!strcmp(ds->at[i]->path, s->name))
			return strdup(ds->at[i]->uri);
	return realpath(s->name, whole) ? document_uri(whole) : NULL;
}

/* --- open texts as files --------------------------------------------------------------------------- */

static struct document *by_path(const struct store *s, const char *path)
{
	const struct documents *ds = (const struct documents *)s;

	for (size_t i = 0; i < ds->count; i++)
		if (!strcmp(ds->at[i]->path, path))
			return ds->at[i];
	return NULL;
}

static struct document *by_identity(const struct store *s, const char *identity)
{
	const struct documents *ds = (const struct documents *)s;

	for (size_t i = 0; i < ds->count; i++)
		if (!strcmp(ds->at[i]->identity, identity))
			return ds->at[i];
	return NULL;
}

static bool open_find(const struct store *s, struct arena *a, const char *path, struct store_file *out)
{
	const struct document *d = by_path(s, path);

	if (!d && !store_disk.find(&store_disk, a, path, out))
		return false;
	if (!d)
		d = by_identity(s, out->identity);
	if (d)
		*out = (struct store_file){ d->path, d->path, d->identity, false };
	return true;
}

static int open_read(const struct store *s, const char *path, size_t most, struct buf *out, struct err *why)
{
	const struct document *d = by_path(s, path);

	if (!d)
		return store_disk.read(&store_disk, path, most, out, why);
	if (d->text.len > most)
		return err_set(why, EFBIG, "%s is too large", path);
	buf_add(out, buf_text(&d->text), d->text.len);
	return 0;
}

/* Beside what is on the disk, what only an editor has; a name may be there twice. */
static bool open_list(const struct store *s, struct arena *a, const char *path, struct store_names *out)
{
	const struct documents *ds = (const struct documents *)s;
	bool there = store_disk.list(&store_disk, a, path, out);
	size_t len = strlen(path);

	for (size_t i = 0; i < ds->count; i++) {
		const char *slash = strrchr(ds->at[i]->path, '/');

		if (!slash || (size_t)(slash - ds->at[i]->path) != len || memcmp(ds->at[i]->path, path, len))
			continue;
		vec_push(a, out, arena_strdup(a, slash + 1));
		there = true;
	}
	return there;
}

/* --- the open ones --------------------------------------------------------------------------------- */

void documents_init(struct documents *ds, struct documents_options options)
{
	*ds = (struct documents){ .store = { open_find, open_read, open_list }, .options = options };
}

static void document_free(struct document *d)
{
	compilation_free(d->c);
	buf_release(&d->text);
	free(d->identity);
	free(d->path);
	free(d->uri);
	free(d);
}

void documents_release(struct documents *ds)
{
	for (size_t i = 0; i < ds->count; i++)
		document_free(ds->at[i]);
	free(ds->at);
}

struct document *document_find(struct documents *ds, const char *uri)
{
	for (size_t i = 0; i < ds->count; i++)
		if (!strcmp(ds->at[i]->uri, uri))
			return ds->at[i];
	return NULL;
}

static char *identity_of(const char *path)
{
	own(arena) struct arena *a = arena_new();
	struct store_file f;

	return strdup(store_disk.find(&store_disk, a, path, &f) ? f.identity : path);
}

struct document *document_open(struct documents *ds, const char *uri, const char *text, double version)
{
	struct document *d = document_find(ds, uri);

	if (!d && ds->count == DOCUMENTS_MAX)
		return NULL;
	if (!d) {
		d = calloc(1, sizeof *d);
		d->uri = strdup(uri);
		d->path = document_path_of(uri);
		d->identity = identity_of(d->path);
		ds->at = realloc(ds->at, (ds->count + 1) * sizeof *ds->at);
		ds->at[ds->count++] = d;
	}
	d->version = version;
	document_edit(d, 0, d->text.len, text);
	return d;
}

void document_close(struct documents *ds, struct document *d)
{
	size_t i = 0;

	document_changed(ds, d);
	while (ds->at[i] != d)
		i++;
	ds->at[i] = ds->at[--ds->count];
	document_free(d);
}

void document_edit(struct document *d, size_t from, size_t to, const char *text)
{
	struct buf after = { 0 };

	buf_add(&after, buf_text(&d->text), from);
	buf_puts(&after, text);
	buf_add(&after, buf_text(&d->text) + to, d->text.len - to);
	buf_release(&d->text);
	d->text = after;
}

static bool reads(const struct document *reader, const struct document *d)
{
	for (size_t i = 0; reader->c && i < reader->c->sources.list.len; i++)
		if (!strcmp(reader->c->sources.list.at[i].name, d->path))
			return true;
	return false;
}

void document_changed(struct documents *ds, struct document *d)
{
	d->state = DOCUMENT_CHANGED;
	for (size_t i = 0; i < ds->count; i++)
		if (reads(ds->at[i], d))
			ds->at[i]->state = DOCUMENT_CHANGED;
}

/* --- what is made of one ------------------------------------------------------------------------------ */

static void check(struct documents *ds, struct document *d)
{
	compilation_free(d->c);
	d->c = compilation_new();
	d->c->library_fits = true;
	d->c->store = &ds->store;
	d->c->uses.wanted = true;
	d->ir = NULL;
	ds->options.give(d->c, ds->options.arg);
	d->file = (uint32_t)d->c->sources.list.len;
	d->policy = front_read(d->c, d->path);
	if (d->policy)
		front_tell_unused(d->c);
	report_allowances(d->c, !d->policy);
	d->state = DOCUMENT_CHECKED;
}

static void find(struct document *d)
{
	own(prover) struct prover *prover = NULL;

	d->state = DOCUMENT_PROVED;
	if (!d->policy)
		return;
	prover = prover_new(&EDITOR_BUDGET);
	d->ir = ir_lower(d->policy, d->c->arena);
	report_findings(d->c, prover, d->ir);
	report_allowances_all(d->c);
}

void document_bring(struct documents *ds, struct document *d, enum document_state state)
{
	if (d->state < DOCUMENT_CHECKED && state >= DOCUMENT_CHECKED)
		check(ds, d);
	if (d->state < DOCUMENT_PROVED && state >= DOCUMENT_PROVED)
		find(d);
}
