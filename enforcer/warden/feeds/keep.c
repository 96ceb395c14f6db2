#include "enforcer/warden/feeds/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/base/file.h"
#include "lang/base/memory.h"
#include "lang/base/own.h"
#include "lang/base/wire.h"

#define MAGIC "tegfeed1"
#define BESIDE ".next"
#define FILE_BYTES_MAX (FEED_PACK_BYTES_MAX(TEG_FEED_ENTRIES_MAX) + 4096)

void feed_free(struct feed *f)
{
	if (!f)
		return;
	buf_release(&f->packed);
	free(f);
}

int feed_new(struct feed **out, const char *name, struct buf *packed, uint32_t most, struct err *why)
{
	own(feed) struct feed *f = calloc(1, sizeof *f);

	if (!f)
		return err_set(why, ENOMEM, "no memory for a feed");
	int rc = feed_unpack(&f->content, packed->at, packed->len, most, why);
	if (rc)
		return rc;
	snprintf(f->name, sizeof f->name, "%s", name);
	f->digest = digest_of(packed->at, packed->len);
	f->packed = *packed;
	*packed = (struct buf){ 0 };
	*out = take(f);
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------- */

static void path_of(char out[static PATH_MAX], const char *dir, const char *name, const char *ending)
{
	snprintf(out, PATH_MAX, "%s/feeds/%s%s", dir, name, ending);
}

int feed_keep_beside(const char *dir, const struct feed *f, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/feeds", dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_sys(why, "cannot make %s", path);
	buf_add(&bytes, MAGIC, strlen(MAGIC));
	wire_put_u64(&bytes, f->loaded);
	wire_put_u32(&bytes, f->entries);
	wire_put_str(&bytes, f->name);
	wire_put_bytes(&bytes, f->packed.at, f->packed.len);
	const struct digest is = digest_of(bytes.at, bytes.len);
	wire_put_str(&bytes, is.hex);
	path_of(path, dir, f->name, BESIDE);
	return file_replace(path, bytes.at, bytes.len, 0600, why) ? err_in(why, "cannot keep the feed") : 0;
}

int feed_keep(const char *dir, const char *name, struct err *why)
{
	char from[PATH_MAX], to[PATH_MAX];

	path_of(from, dir, name, BESIDE);
	path_of(to, dir, name, "");
	if (rename(from, to))
		return err_sys(why, "cannot keep the feed");
	snprintf(to, sizeof to, "%s/feeds", dir);
	own(fd) int directory = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory < 0 || fsync(directory) ? err_sys(why, "cannot sync %s", to) : 0;
}

void feed_keep_not(const char *dir, const char *name)
{
	char path[PATH_MAX];

	path_of(path, dir, name, BESIDE);
	unlink(path);
}

void feed_forget(const char *dir, const char *name)
{
	char path[PATH_MAX];

	path_of(path, dir, name, "");
	unlink(path);
}

/* ---- reading ------------------------------------------------------------------------------ */

static int damaged(const char *path, struct err *why)
{
	return err_set(why, EBADMSG, "%s is damaged: nothing is on that feed until it is loaded again", path);
}

/* The content stands in the file's bytes, and is copied out of them. */
static int feed_decode(struct feed **out, const char *name, const struct buf *file, const char *path, struct err *why)
{
	struct wire_in in = { (const uint8_t *)file->at, file->len, false };
	own(feed) struct feed *f = NULL;
	own(buf) struct buf packed = { 0 };
	size_t len, name_len, said_len;

	if (file->len < strlen(MAGIC) || memcmp(file->at, MAGIC, strlen(MAGIC)) != 0)
		return damaged(path, why);
	in.at += strlen(MAGIC);
	in.left -= strlen(MAGIC);
	const uint64_t loaded = wire_get_u64(&in);
	const uint32_t entries = wire_get_u32(&in);
	const char *named = wire_get_bytes(&in, &name_len);
	const void *bytes = wire_get_bytes(&in, &len);
	const struct digest is = digest_of(file->at, file->len - in.left);
	const char *said = wire_get_bytes(&in, &said_len);
	if (!wire_done(&in) || name_len != strlen(name) || memcmp(named, name, name_len) != 0 || said_len != DIGEST_HEX ||
	    memcmp(said, is.hex, DIGEST_HEX) != 0)
		return damaged(path, why);
	buf_add(&packed, bytes, len);
	if (feed_new(&f, name, &packed, TEG_FEED_ENTRIES_MAX, why))
		return damaged(path, why);
	f->loaded = loaded;
	f->entries = entries;
	*out = take(f);
	return 0;
}

static int read_one(struct feed **out, const char *dir, const char *name, struct err *why)
{
	own(buf) struct buf file = { 0 };
	char path[PATH_MAX];

	path_of(path, dir, name, "");
	int rc = file_read(&file, path, FILE_BYTES_MAX, why);
	return rc ? rc : feed_decode(out, name, &file, path, why);
}

int feeds_read(struct feed **out, const char *dir, struct err *why)
{
	char path[PATH_MAX];
	const struct dirent *e;
	int rc = 0;

	snprintf(path, sizeof path, "%s/feeds", dir);
	DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : err_sys(why, "cannot read %s", path);
	while ((e = readdir(d))) {
		struct feed *f = NULL;

		if (e->d_name[0] == '.' || strlen(e->d_name) > PLAN_FEED_NAME_MOST)
			continue;
		if (strchr(e->d_name, '.')) { /* left by who died while it was written */
			unlinkat(dirfd(d), e->d_name, 0);
			continue;
		}
		if (read_one(&f, dir, e->d_name, why)) {
			rc = why->code;
			continue;
		}
		f->next = *out;
		*out = f;
	}
	closedir(d);
	return rc;
}
