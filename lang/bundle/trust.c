#include "lang/bundle/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/base/file.h"

#define FILE_BYTES_MAX 65536
#define PUBLIC_SUFFIX  ".pub"

static int add_line(struct trust *t, const char *name, const char *line, size_t len, struct err *why)
{
	if (t->count == TRUST_KEYS_MAX)
		return err_set(why, E2BIG, "more than %d keys", TRUST_KEYS_MAX);
	int rc = seal_public_parse(&t->keys[t->count], line, len, why);
	if (rc)
		return rc;
	t->names[t->count++] = name;
	return 0;
}

static int add_lines(struct trust *t, const char *name, const struct buf *text, struct err *why)
{
	const char *at = buf_text(text), *end = at + text->len;
	unsigned number = 0;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *next = stop ? stop + 1 : end;
		int rc = add_line(t, name, at, (size_t)(next - at), why);

		number++;
		if (rc)
			return err_in(why, "line %u", number);
		at = next;
	}
	return 0;
}

/* Who can write a key there decides what is enforced. */
static int is_safe(const struct stat *st, struct err *why)
{
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(why, EPERM, "others than its owner may write it (chmod go-w)");
	return 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int add_file(struct trust *t, struct arena *a, int dir, const char *path, struct err *why)
{
	own(fd) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	own(buf) struct buf text = { 0 };
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(why, "cannot open it");
	if (!S_ISREG(st.st_mode))
		return err_set(why, EINVAL, "it is no file");
	if ((rc = is_safe(&st, why)) || (rc = file_read_fd(&text, fd, FILE_BYTES_MAX, why)))
		return rc;
	return add_lines(t, arena_strdup(a, base_of(path)), &text, why);
}

static int is_public(const struct dirent *e)
{
	size_t len = strlen(e->d_name), suffix = strlen(PUBLIC_SUFFIX);

	return len > suffix && !strcmp(e->d_name + len - suffix, PUBLIC_SUFFIX);
}

static int add_directory(struct trust *t, struct arena *a, int dir, const char *path, struct err *why)
{
	struct dirent **entries;
	struct stat st;
	int count, rc = 0;

	if (fstat(dir, &st))
		return err_sys(why, "cannot look at it");
	if ((rc = is_safe(&st, why)))
		return rc;
	count = scandir(path, &entries, is_public, alphasort);
	if (count < 0)
		return err_sys(why, "cannot list it");
	for (int i = 0; i < count; i++) {
		if (!rc && (rc = add_file(t, a, dir, entries[i]->d_name, why)))
			err_in(why, "%s", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int trust_read(struct trust *out, struct arena *a, const char *path, struct err *why)
{
	struct trust t = { .keys = arena_zero(a, TRUST_KEYS_MAX * sizeof *t.keys),
			   .names = arena_zero(a, TRUST_KEYS_MAX * sizeof *t.names) };
	own(fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = dir >= 0 ? add_directory(&t, a, dir, path, why) : add_file(&t, a, AT_FDCWD, path, why);

	if (!rc && !t.count)
		rc = err_set(why, ENOKEY, "there is no key in it");
	if (rc)
		return err_in(why, "trusted keys %s", path);
	*out = t;
	return 0;
}

int trust_check(struct trust_signer *out, const struct trust *t, const struct bundle *b, struct err *why)
{
	const struct bundle_member *manifest = bundle_find(b, "manifest"), *s = bundle_find(b, "signature");
	const struct seal_public *by = NULL;
	struct seal seal;

	if (!s)
		return err_set(why, ENOKEY, "it is not signed");
	int rc = seal_check(&seal, &by, t->keys, t->count, manifest->bytes, manifest->len, s->bytes, s->len, why);
	if (rc)
		return rc;
	*out = (struct trust_signer){ seal, t->names[by - t->keys] };
	return 0;
}
