#include "enforcer/warden/state/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lang/base/arena.h"
#include "lang/base/own.h"
#include "lang/base/utf8.h"

#define LINE_MAX_BYTES ((size_t)32 << 10) /* longer than any line can be */

static void path_of(char out[static 256], const struct audit *a)
{
	snprintf(out, 256, "%s/audit.log", a->dir);
}

/* ---- what was put away -------------------------------------------------------------- */

#define AWAY "audit.log."

/* The number of its last entry; 0 when the name is another. */
static uint64_t away_last(const char *name)
{
	const size_t len = sizeof AWAY - 1;
	const size_t digits = strncmp(name, AWAY, len) ? 0 : strspn(name + len, "0123456789");

	return digits >= 10 && digits < 20 && !name[len + digits] ? strtoull(name + len, NULL, 10) : 0;
}

static void away_path(char out[static 256], const struct audit *a, uint64_t last)
{
	snprintf(out, 256, "%s/" AWAY "%010" PRIu64, a->dir, last);
}

/* The last entries of the files, in order. */
struct away {
	struct arena *arena;
	VEC(uint64_t) last;
};

static void away_free(struct away *away)
{
	arena_free(away->arena);
}

static inline void away_own_(struct away *away)
{
	away_free(away);
}

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Those that end before an entry. */
static int away_look(struct away *out, const struct audit *a, uint64_t before, struct err *why)
{
	DIR *dir = opendir(a->dir);
	const struct dirent *e;

	if (!dir)
		return err_sys(why, "cannot look into %s", a->dir);
	out->arena = arena_new();
	while ((e = readdir(dir))) {
		const uint64_t last = away_last(e->d_name);

		if (last && last < before)
			vec_push(out->arena, &out->last, last);
	}
	closedir(dir);
	if (out->last.len)
		qsort(out->last.at, out->last.len, sizeof *out->last.at, by_number);
	return 0;
}

static int sync_dir(const struct audit *a, struct err *why)
{
	own(fd) int fd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? err_sys(why, "cannot sync %s", a->dir) : 0;
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

/* Where the chain stands at a file's end, when it has a line. */
static int end_of(struct chain *c, uint64_t *end, int fd, struct err *why)
{
	char room[LINE_MAX_BYTES];
	size_t len = 0;
	int rc = read_last_line(fd, room, &len, end, why);

	return rc || !len ? rc : chain_resume(c, room, len, why);
}

/* Where the chain stands at the end of one that was put away. */
static int away_end(struct chain *c, const struct audit *a, uint64_t last, struct err *why)
{
	char path[256];
	uint64_t end;

	away_path(path, a, last);
	own(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(why, "cannot open %s", path);
	int rc = end_of(c, &end, fd, why);
	if (!rc && (!end || c->seq != last))
		rc = err_set(why, EBADMSG, "it does not end with entry %" PRIu64, last);
	return rc ? err_in(why, "%s", path) : 0;
}

/* A log that cannot be gone on with is kept, beside a new one. */
static int set_aside(const char *path, struct err *why)
{
	char aside[300];

	snprintf(aside, sizeof aside, "%s.broken-%" PRIu64, path, (uint64_t)time(NULL));
	return rename(path, aside) ? err_sys(why, "cannot set %s aside", path) : 0;
}

/* A new file goes on from the newest that was put away; one whose end was altered is set aside, as the log itself would be. */
static int resume_away(struct audit *a, struct err *why)
{
	own(away) struct away away = { 0 };
	char path[256];
	int rc = away_look(&away, a, UINT64_MAX, why);

	for (size_t n = away.last.len; !rc && n; n--) {
		a->chain = (struct chain)CHAIN_BEGIN;
		rc = away_end(&a->chain, a, away.last.at[n - 1], why);
		if (rc != -EBADMSG)
			return rc;
		away_path(path, a, away.last.at[n - 1]);
		snprintf(a->fault, sizeof a->fault, "a log that was altered was set aside as %.200s.broken-*: %.200s", path, why->text);
		rc = set_aside(path, why);
	}
	a->chain = (struct chain)CHAIN_BEGIN;
	return rc;
}

/* What a crash left half-written goes; a log that was altered at its end is not gone on with. */
static int resume(struct audit *a, int fd, struct err *why)
{
	int rc = end_of(&a->chain, &a->len, fd, why);

	if (!rc && !a->len)
		rc = resume_away(a, why);
	if (!rc && ftruncate(fd, (off_t)a->len))
		rc = err_sys(why, "cannot cut the audit log's half line off");
	return rc;
}

static int open_log(struct audit *a, struct err *why)
{
	char path[256];

	path_of(path, a);
	own(fd) int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(why, "cannot open %s", path);
	int rc = resume(a, fd, why);
	if (!rc && !a->len)
		rc = sync_dir(a, why);
	if (!rc)
		a->fd = take_fd(fd);
	return rc;
}

int audit_open(struct audit *a, const struct settings *s, struct err *why)
{
	char path[256];
	struct err first;
	int rc;

	*a = (struct audit){ .fd = -1, .chain = CHAIN_BEGIN, .room = s->audit_room, .kept = s->audit_kept };
	snprintf(a->dir, sizeof a->dir, "%s", s->state_dir);
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
	if (e->removed)
		buf_printf(out, ",\"removed_to\":%" PRIu64 ",\"removed_hash\":\"%s\"", e->removed->seq, e->removed->hash);
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

static int add_line(struct audit *a, const struct audit_entry *e, struct err *why)
{
	own(buf) struct buf members = { 0 }, line = { 0 };
	struct chain next = a->chain;
	int rc;

	add_members(&members, e);
	chain_add(&next, &line, buf_text(&members));
	rc = append(a, &line, why);
	if (rc)
		return rc;
	a->chain = next;
	a->len += line.len;
	return 0;
}

/* ---- putting away --------------------------------------------------------------------- */

/* Where the chain stands at the end of what is to go; seq 0 when nothing is. */
static int find_gone(struct chain *out, const struct audit *a, struct err *why)
{
	own(away) struct away away = { 0 };
	int rc = a->kept ? away_look(&away, a, UINT64_MAX, why) : 0;

	return rc || away.last.len <= a->kept || !a->kept ? rc : away_end(out, a, away.last.at[away.last.len - a->kept - 1], why);
}

static int remove_until(const struct audit *a, uint64_t last, struct err *why)
{
	own(away) struct away away = { 0 };
	char path[256];
	int rc = away_look(&away, a, last + 1, why);

	for (size_t i = 0; !rc && i < away.last.len; i++) {
		away_path(path, a, away.last.at[i]);
		rc = unlink(path) ? err_sys(why, "cannot remove %s", path) : 0;
	}
	return rc ? rc : sync_dir(a, why);
}

/* The entry that a new file begins with. What is removed is removed once the entry that says so is on the disk. */
static int begin_file(struct audit *a, const struct audit_entry *e, struct err *why)
{
	struct audit_entry said = { .what = "rotate", .result = "done", .detail = "", .generation = e->generation, .posture = e->posture };
	struct chain gone = CHAIN_BEGIN;
	char summary[256];
	const uint64_t last = a->chain.seq;
	const int rc = find_gone(&gone, a, why);
	int at = snprintf(summary, sizeof summary, "what comes until entry %" PRIu64 " is in " AWAY "%010" PRIu64, last, last);
	struct err other;

	if (!rc && gone.seq) {
		snprintf(summary + at, sizeof summary - (size_t)at, "; what comes until %" PRIu64 " is removed", gone.seq);
		said.removed = &gone;
	}
	said.summary = summary;
	if (add_line(a, &said, &other)) {
		*why = other;
		return other.code;
	}
	return said.removed ? remove_until(a, gone.seq, why) : rc;
}

/* When the file cannot be put away, it goes on growing. */
static int put_away(struct audit *a, const struct audit_entry *e, struct err *why)
{
	char path[256], away[256];

	path_of(path, a);
	away_path(away, a, a->chain.seq);
	if (renameat2(AT_FDCWD, path, AT_FDCWD, away, RENAME_NOREPLACE))
		return err_sys(why, "cannot put %s away as %s", path, away);
	audit_close(a);
	return open_log(a, why) ? why->code : begin_file(a, e, why);
}

void audit_add(struct audit *a, const struct audit_entry *e)
{
	struct err why = { 0 }, away = { 0 };
	int rc = a->fd < 0 ? open_log(a, &why) : 0;

	if (!rc && a->room && a->len >= a->room)
		put_away(a, e, &away);
	if (!rc)
		rc = a->fd < 0 ? open_log(a, &why) : 0;
	if (!rc)
		rc = add_line(a, e, &why);
	snprintf(a->fault, sizeof a->fault, "%.500s", rc ? why.text : away.text);
}

/* ---- reading ----------------------------------------------------------------------------- */

static int read_nothing(int *fd, struct err *why)
{
	*fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys(why, "cannot open /dev/null") : 0;
}

int audit_reader(const struct audit *a, uint64_t before, int *fd, uint64_t *len, struct err *why)
{
	own(away) struct away away = { 0 };
	struct stat st;
	char path[256];
	int rc = before ? away_look(&away, a, before, why) : 0;

	*len = 0;
	if (rc)
		return rc;
	if (before && !away.last.len)
		return read_nothing(fd, why);
	path_of(path, a);
	if (before)
		away_path(path, a, away.last.at[away.last.len - 1]);
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0 || fstat(*fd, &st))
		return err_sys(why, "cannot open %s", path);
	*len = before ? (uint64_t)st.st_size : a->len;
	return 0;
}
