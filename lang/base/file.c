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

/* From a file beside it, which is there now, to the path; when it fails, neither is left half. */
static int move_in(const char *path, const char *beside, int fd, const struct pieces *p, struct err *why)
{
	if (write_pieces(fd, p, why) || (fsync(fd) && err_sys(why, "cannot sync"))) {
		unlink(beside);
		return err_in(why, "%s", beside);
	}
	if (rename(beside, path)) {
		int rc = err_sys(why, "cannot rename %s to %s", beside, path);
		unlink(beside);
		return rc;
	}
	return sync_parent(path, why);
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

int file_save_pieces(const char *path, const struct pieces *p, unsigned mode, struct err *why)
{
	char real[PATH_MAX], beside[PATH_MAX];
	struct stat st;
	bool there = !stat(path, &st);

	if (!*path)
		return err_set(why, ENOENT, "a file without a name cannot be written");
	if (there && S_ISDIR(st.st_mode))
		return err_set(why, EISDIR, "cannot write %s: it is a directory", path);
	if (there && !S_ISREG(st.st_mode))
		return write_into(path, p, why);
	if (there && !realpath(path, real))
		return err_sys(why, "cannot write %s", path);
	/* A name of its own: a file of the person's that is called so is not to be lost. */
	if (snprintf(beside, sizeof beside, "%s.%ld.new", there ? real : path, (long)getpid()) >= (int)sizeof beside)
		return err_set(why, ENAMETOOLONG, "%s", path);

	own(fd) int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(why, "cannot write %s", errno == EEXIST ? beside : path);
	if (there && look_like(fd, &st)) {
		int rc = err_sys(why, "cannot write %s", path);
		unlink(beside);
		return rc;
	}
	return move_in(there ? real : path, beside, fd, p, why);
}
