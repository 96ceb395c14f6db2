#include "lang/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/base/own.h"

int file_read_fd(struct buf *out, int fd, size_t most, struct err *why)
{
	char chunk[65536];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(why, "cannot read");
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > most)
			return err_set(why, EFBIG, "more than %zu bytes", most);
		buf_add(out, chunk, (size_t)n);
	}
}

int file_read(struct buf *out, const char *path, size_t most, struct err *why)
{
	own(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(why, "cannot open %s", path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(why, EISDIR, "%s is a directory", path);
	if (file_read_fd(out, fd, most, why))
		return err_in(why, "%s", path);
	return 0;
}

static int write_all(int fd, const char *at, size_t left, struct err *why)
{
	while (left) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(why, "cannot write");
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

static int write_some(void *fd, const void *bytes, size_t len, struct err *why)
{
	return write_all(*(int *)fd, bytes, len, why);
}

static int write_pieces(int fd, const struct pieces *p, struct err *why)
{
	return pieces_each(p, write_some, &fd, why);
}

/* A rename is only durable once the directory is. */
static int sync_parent(const char *path, struct err *why)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	own(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		return err_sys(why, "cannot sync %s", dir);
	return 0;
}

static int write_whole(int fd, const struct pieces *p, struct err *why)
{
	return write_pieces(fd, p, why) || (fsync(fd) && err_sys(why, "cannot sync")) ? why->code : 0;
}

/* From a file beside it, which is there now and whole, to the path. */
static int rename_in(const char *path, const char *beside, struct err *why)
{
	if (rename(beside, path)) {
		int rc = err_sys(why, "cannot rename %s to %s", beside, path);
		unlink(beside);
		return rc;
	}
	return sync_parent(path, why);
}

/* The same of one that is there and empty; when it fails, neither is left half. */
static int move_in(const char *path, const char *beside, int fd, const struct pieces *p, struct err *why)
{
	if (write_whole(fd, p, why)) {
		unlink(beside);
		return err_in(why, "%s", beside);
	}
	return rename_in(path, beside, why);
}

int file_replace(const char *path, const void *bytes, size_t len, unsigned mode, struct err *why)
{
	struct piece one = { .at = bytes, .len = len };
	char beside[PATH_MAX];

	if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
		return err_set(why, ENAMETOOLONG, "%s", path);

	own(fd) int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(why, "cannot create %s", beside);
	return move_in(path, beside, fd, &(struct pieces){ &one, 1 }, why);
}

/* Into what is no file: a device, or a pipe that somebody reads. */
static int write_into(const char *path, const struct pieces *p, struct err *why)
{
	own(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(why, "cannot open %s", path);
	return write_pieces(fd, p, why) ? err_in(why, "%s", path) : 0;
}

/* As the file that it takes the place of; its owner only where we may. */
static int look_like(int fd, const struct stat *st)
{
	(void)!fchown(fd, st->st_uid, st->st_gid);
	return fchmod(fd, st->st_mode & 07777);
}

int file_save(const char *path, const void *bytes, size_t len, unsigned mode, struct err *why)
{
	struct piece one = { .at = bytes, .len = len };

	return file_save_pieces(path, &(struct pieces){ &one, 1 }, mode, why);
}

/* Where a file of a person's goes, and what it takes the place of. */
struct place {
	char path[PATH_MAX];   /* behind links */
	char beside[PATH_MAX]; /* a name of its own: a file of the person's that is called so is not to be lost */
	struct stat st;
	bool there;
};

static int place_find(struct place *out, const char *path, struct err *why)
{
	out->there = !stat(path, &out->st);
	if (!*path)
		return err_set(why, ENOENT, "a file without a name cannot be written");
	if (out->there && S_ISDIR(out->st.st_mode))
		return err_set(why, EISDIR, "cannot write %s: it is a directory", path);
	if (out->there && !S_ISREG(out->st.st_mode))
		return 0;
	if (out->there && !realpath(path, out->path))
		return err_sys(why, "cannot write %s", path);
	if (!out->there && snprintf(out->path, sizeof out->path, "%s", path) >= (int)sizeof out->path)
		return err_set(why, ENAMETOOLONG, "%s", path);
	if (snprintf(out->beside, sizeof out->beside, "%s.%ld.new", out->path, (long)getpid()) >= (int)sizeof out->beside)
		return err_set(why, ENAMETOOLONG, "%s", path);
	return 0;
}

/* An empty file in its directory, without a name; -1 where there are none, as on NFS. */
static int open_nameless(const struct place *at, unsigned mode)
{
	const char *slash = strrchr(at->path, '/');
	char dir[PATH_MAX];

	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - at->path + 1) : 1, slash ? at->path : ".");
	return open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
}

static bool link_as(int fd, const char *name)
{
	char self[32];

	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return !linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/*
 * A program that is killed while it writes leaves nothing: the file has no name before it is whole. linkat(2) replaces
 * nothing, so where a file is there the whole one is beside it for a moment. -ENOTSUP: it cannot be done so.
 */
static int save_nameless(const struct place *at, const struct pieces *p, unsigned mode, struct err *why)
{
	own(fd) int fd = open_nameless(at, mode);

	if (fd < 0 || (at->there && look_like(fd, &at->st)))
		return -ENOTSUP;
	if (write_whole(fd, p, why))
		return err_in(why, "%s", at->path);
	if (!at->there && link_as(fd, at->path))
		return sync_parent(at->path, why);
	return link_as(fd, at->beside) ? rename_in(at->path, at->beside, why) : -ENOTSUP;
}

static int save_beside(const struct place *at, const struct pieces *p, unsigned mode, struct err *why)
{
	own(fd) int fd = open(at->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(why, "cannot write %s", errno == EEXIST ? at->beside : at->path);
	if (at->there && look_like(fd, &at->st)) {
		int rc = err_sys(why, "cannot write %s", at->path);
		unlink(at->beside);
		return rc;
	}
	return move_in(at->path, at->beside, fd, p, why);
}

int file_save_pieces(const char *path, const struct pieces *p, unsigned mode, struct err *why)
{
	struct place at;

	if (place_find(&at, path, why))
		return why->code;
	if (at.there && !S_ISREG(at.st.st_mode))
		return write_into(path, p, why);
	const int rc = save_nameless(&at, p, mode, why);
	return rc == -ENOTSUP ? save_beside(&at, p, mode, why) : rc;
}
