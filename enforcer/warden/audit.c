#include "enforcer/warden/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lang/base/own.h"
#include "lang/base/utf8.h"

#define LINE_MAX_BYTES ((size_t)32 << 10) /* longer than any line can be */

static void path_of(char out[static 256], const struct audit *a)
{
	snprintf(out, 256, "%s/audit.log", a->dir);
}

/* ---- opening ------------------------------------------------------------------------ */

/* The last whole line, and where it ends. An empty file has none: *len is 0. */
static int read_last_line(int fd, char room[static LINE_MAX_BYTES], size_t *len, uint64_t *end, struct err *why)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(why, "cannot look at the audit log");
	const size_t want = (uint64_t)st.st_size < LINE_MAX_BYTES ? (size_t)st.st_size : LINE_MAX_BYTES;
	const off_t from = st.st_size - (off_t)want;
	if (pread(fd, room, want, from) != (ssize_t)want)
		return err_sys(why, "cannot read the audit log");
	const char *last = want ? memrchr(room, '\n', want) : NULL;
	*len = 0;
	*end = 0;
	if (!last)
		return from ? err_set(why, EBADMSG, "the audit log does not end with a line") : 0;
	const char *before = last > room ? memrchr(room, '\n', (size_t)(last - room)) : NULL;
	if (!before && from)
		return err_set(why, EBADMSG, "the audit log does not end with a line");
	const char *first = before ? before + 1 : room;
	*end = (uint64_t)from + (uint64_t)(last - room) + 1;
	*len = (size_t)(last - first);
	memmove(room, first, *len);
	return 0;
}

/* What a crash left half-written goes; a log that was altered at its end is not gone on with. */
static int resume(struct audit *a, int fd, struct err *why)
{
	char room[LINE_MAX_BYTES];
	size_t len;
	int rc = read_last_line(fd, room, &len, &a->len, why);

	if (rc)
		return rc;
	a->chain = (struct chain)CHAIN_BEGIN;
	rc = len ? chain_resume(&a->chain, room, len, why) : 0;
	if (!rc && ftruncate(fd, (off_t)a->len))
		rc = err_sys(why, "cannot cut the audit log's half line off");
	return rc;
}

/* A log that cannot be gone on with is kept, beside a new one. */
static int set_aside(const char *path, struct err *why)
{
	char aside[300];

	snprintf(aside, sizeof aside, "%s.broken-%" PRIu64, path, (uint64_t)time(NULL));
	return rename(path, aside) ? err_sys(why, "cannot set %s aside", path) : 0;
}

static int open_log(struct audit *a, struct err *why)
{
	char path[256];

	path_of(path, a);
	own(fd) int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(why, "cannot open %s", path);
	int rc = resume(a, fd, why);
	if (!rc)
		a->fd = take_fd(fd);
	return rc;
}

int audit_open(struct audit *a, const char *dir, struct err *why)
{
	char path[256];
	struct err first;
	int rc;

	*a = (struct audit){ .fd = -1, .chain = CHAIN_BEGIN };
	snprintf(a->dir, sizeof a->dir, "%s", dir);
	rc = open_log(a, &first);
	path_of(path, a);
	if (rc == -EBADMSG && !set_aside(path, why)) {
		rc = open_log(a, why);
		snprintf(a->fault, sizeof a->fault, "a log that was altered was set aside as audit.log.broken-*: %.300s", first.text);
	} else if (rc) {
		*why = first;
	}
	if (rc)
		snprintf(a->fault, sizeof a->fault, "%.500s", why->text);
	return rc;
}

void audit_close(struct audit *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* ---- writing -------------------------------------------------------------------------- */

static void add_member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, ",\"%s\":", name);
	utf8_add_json(out, value);
}

static void add_members(struct buf *out, const struct audit_entry *e)
{
	const time_t now = time(NULL);
	struct tm utc;
	char when[64] = "";

	if (gmtime_r(&now, &utc))
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
	buf_printf(out, "\"time\":\"%s\"", when);
	add_member(out, "what", e->what);
	add_member(out, "who", e->by ? e->by->who : "tegd");
	add_member(out, "from", e->by ? e->by->from : "");
	add_member(out, "summary", e->summary);
	add_member(out, "result", e->result);
	add_member(out, "detail", e->detail);
	buf_printf(out, ",\"generation\":%" PRIu64, e->generation);
	add_member(out, "posture", e->posture);
}

/* Whole and on the disk, or not at all. */
static int append(struct audit *a, const struct buf *line, struct err *why)
{
	const ssize_t wrote = write(a->fd, line->at, line->len);

	if (wrote == (ssize_t)line->len && !fdatasync(a->fd))
		return 0;
	err_sys(why, "cannot write the audit log");
	if (ftruncate(a->fd, (off_t)a->len))
		audit_close(a); /* opened anew, the half line is cut off */
	return why->code;
}

void audit_add(struct audit *a, const struct audit_entry *e)
{
	own(buf) struct buf members = { 0 }, line = { 0 };
	struct err why = { 0 };
	int rc = a->fd < 0 ? open_log(a, &why) : 0;

	if (!rc) {
		struct chain next = a->chain;

		add_members(&members, e);
		chain_add(&next, &line, buf_text(&members));
		rc = append(a, &line, &why);
		if (!rc) {
			a->chain = next;
			a->len += line.len;
		}
	}
	snprintf(a->fault, sizeof a->fault, "%.500s", rc ? why.text : "");
}

int audit_reader(const struct audit *a, int *fd, struct err *why)
{
	char path[256];

	path_of(path, a);
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return *fd < 0 ? err_sys(why, "cannot open %s", path) : 0;
}
