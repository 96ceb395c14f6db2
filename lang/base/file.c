#include "lang/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

int file_replace(const char *path, const void *bytes, size_t len, unsigned mode, struct err *why)
{
	char beside[PATH_MAX];

	if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
		return err_set(why, ENAMETOOLONG, "%s", path);

	own(fd) int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(why, "cannot create %s", beside);
	if (write_all(fd, bytes, len, why) || (fsync(fd) && err_sys(why, "cannot sync"))) {
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
