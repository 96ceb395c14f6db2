#include "compiler/cmd/input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/cmd/revision.h"
#include "compiler/front/store.h"
#include "lang/base/file.h"
#include "lang/bundle/bundle.h"
#include "lang/vocab/exit.h"

/* A bundle is a tar, and the first thing in it is its manifest. */
static bool is_bundle(const struct buf *b)
{
	static const char first[] = "manifest";

	return b->len >= 512 && !memcmp(b->at, first, sizeof first) && !memcmp(b->at + 257, "ustar", 5);
}

/* A resolved policy has no parameters and imports nothing. */
static struct policy *read_bundle(struct compilation *c, const char *name, const struct buf *bytes)
{
	own(bundle) struct bundle *b = NULL;
	struct err why = { 0 };
	const struct bundle_member *m;
	int rc = bundle_open(&b, bytes->at, bytes->len, &why);

	if (rc) {
		diag(&c->diags, DIAG_BUNDLE, SPAN_NOWHERE, "%s: %s", name, why.text);
		return NULL;
	}
	m = bundle_find(b, "policy/resolved.teg");
	if (!m) {
		diag(&c->diags, DIAG_BUNDLE, SPAN_NOWHERE, "%s: no policy is in this bundle", name);
		return NULL;
	}
	c->params.len = 0;
	return front_read_text(c, arena_printf(c->arena, "%s:policy/resolved.teg", name),
			       arena_strndup(c->arena, m->bytes, m->len), m->len);
}

/* What cannot be read is for the front end to tell. What can is read once: it may be a pipe. */
static struct policy *read_stored(struct compilation *c, const char *path, const char *name)
{
	own(buf) struct buf bytes = { 0 };
	struct err why = { 0 };

	if (c->store->read(c->store, path, BUNDLE_BYTES_MAX, &bytes, &why) || bytes.len > SOURCE_BYTES_MAX)
		return front_read(c, path);
	if (is_bundle(&bytes))
		return read_bundle(c, name, &bytes);
	return front_read_text(c, path, arena_strndup(c->arena, buf_text(&bytes), bytes.len), bytes.len);
}

static struct policy *read_from(struct compilation *c, const struct store *s, const char *path, const char *name)
{
	struct policy *p;

	c->store = s;
	p = read_stored(c, path, name);
	c->store = NULL;
	return p;
}

static struct policy *cannot_open(struct compilation *c, const char *name, const struct err *why)
{
	diag(&c->diags, DIAG_INPUT_MISSING, SPAN_NOWHERE, "cannot open %s: %s", name, why->text);
	c->input_fault = EXIT_INPUT;
	return NULL;
}

static struct policy *read_revision(struct compilation *c, const char *name, const char *colon)
{
	own(revision) struct revision *r = NULL;
	struct err why = { 0 };

	if (!revision_open(&r, c->arena, arena_strndup(c->arena, name, (size_t)(colon - name)), &why))
		return read_from(c, revision_store(r), colon + 1, name);
	return cannot_open(c, name, &why);
}

/* The colon before the path; those in braces are a part of the revision's name: HEAD^{/fix: x}. */
static const char *path_colon(const char *name)
{
	int depth = 0;

	for (; *name; name++) {
		depth += (*name == '{') - (*name == '}');
		if (*name == ':' && depth == 0)
			return name;
	}
	return NULL;
}

struct policy *input_read(struct compilation *c, const char *name)
{
	const char *colon = path_colon(name);
	struct stat st;

	if (colon && colon[1] && stat(name, &st))
		return read_revision(c, name, colon);
	return read_from(c, &store_disk, name, name);
}

static bool same_file(const char *x, const char *y)
{
	struct stat a, b;

	return !stat(x, &a) && !stat(y, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct policy *input_read_version(struct compilation *c, const char *path, const char *file, bool committed,
				  const char **where)
{
	own(revision) struct revision *r = NULL;
	own(buf) struct buf bytes = { 0 };
	struct err why = { 0 };
	bool lies_there = same_file(path, file);
	int rc;

	*where = lies_there ? "the working tree" : file;
	if ((lies_there && !committed) || file_read(&bytes, file, BUNDLE_BYTES_MAX, &why))
		return read_from(c, &store_disk, file, file);
	rc = revision_holding(&r, c->arena, path, bytes.at, bytes.len, &why);
	if (rc == -ENOSYS) /* what it imports would be looked for in the wrong place */
		return cannot_open(c, file, &why);
	if (rc)
		return read_from(c, &store_disk, file, file);
	*where = arena_strdup(c->arena, revision_name(r));
	return read_from(c, revision_store(r), path, path);
}
