#include "lang/base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/base/piece.h"

#define KEPT_BYTES    ((size_t)3 << 19)   /* so many are held before there is a file */
#define SETTLED_BYTES ((size_t)256 << 10) /* and so many then */
#define READ_BYTES    ((size_t)64 << 10)

void spool_beside(struct spool *s, const char *path)
{
	struct stat st;

	if (stat(path, &st) || S_ISREG(st.st_mode))
		s->beside = path;
}

/* Not every file system has files without a name (open(2), O_TMPFILE); then it stays in memory. */
static bool opened(struct spool *s)
{
	const char *slash = s->beside ? strrchr(s->beside, '/') : NULL;
	char dir[PATH_MAX];

	if (s->has_file || !s->beside)
		return s->has_file;
	if (snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - s->beside + 1) : 1, slash ? s->beside : ".") < (int)sizeof dir)
		s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	else
		s->fd = -1;
	s->has_file = s->fd >= 0;
	if (!s->has_file)
		s->beside = NULL;
	return s->has_file;
}

static void write_at(struct spool *s, size_t at, const char *bytes, size_t len)
{
	while (len && !s->fault.code) {
		const ssize_t n = pwrite(s->fd, bytes, len, (off_t)at);

		if (n < 0 && errno != EINTR)
			err_sys(&s->fault, "cannot write what is being made beside %s", s->beside);
		if (n > 0) {
			bytes += n;
			at += (size_t)n;
			len -= (size_t)n;
		}
	}
}

static void go_on(struct spool *s)
{
	write_at(s, s->in_file, s->held.at, s->held.len);
	s->in_file += s->held.len;
	s->held.len = 0;
}

/* What was held before there is a file was more than will be. */
void spool_settle(struct spool *s)
{
	const bool had_file = s->has_file;

	if (s->held.len < (had_file ? SETTLED_BYTES : KEPT_BYTES) || !opened(s))
		return;
	go_on(s);
	if (!had_file)
		buf_release(&s->held);
}

void spool_amend(struct spool *s, size_t at, const void *bytes, size_t len)
{
	const size_t there = at >= s->in_file ? 0 : s->in_file - at < len ? s->in_file - at : len;

	if (there)
		write_at(s, at, bytes, there);
	if (len > there)
		memcpy(s->held.at + (at + there - s->in_file), (const char *)bytes + there, len - there);
}

void spool_drain(struct spool *s)
{
	if (!opened(s))
		return;
	go_on(s);
	buf_release(&s->held);
}

void spool_end(struct spool *s)
{
	if (s->has_file)
		spool_drain(s);
}

const void *spool_bytes(const struct spool *s)
{
	return s->in_file ? NULL : buf_text(&s->held);
}

int spool_read(const struct spool *s, size_t at, void *out, size_t len, struct err *why)
{
	char *to = out;

	if (s->fault.code) {
		*why = s->fault;
		return why->code;
	}
	for (; len && at < s->in_file;) {
		const ssize_t n = pread(s->fd, to, len < s->in_file - at ? len : s->in_file - at, (off_t)at);

		if (n == 0)
			return err_set(why, EIO, "what was written before is not there");
		if (n < 0 && errno != EINTR)
			return err_sys(why, "cannot read what was written before");
		if (n > 0) {
			to += n;
			at += (size_t)n;
			len -= (size_t)n;
		}
	}
	if (len)
		memcpy(to, s->held.at + (at - s->in_file), len);
	return 0;
}

const void *spool_map(const struct spool *s)
{
	if (!s->has_file || s->fault.code || s->held.len || !s->in_file)
		return NULL;
	void *at = mmap(NULL, s->in_file, PROT_READ, MAP_PRIVATE, s->fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int each_of(const struct spool *s, int (*f)(void *context, const void *bytes, size_t len, struct err *why), void *context,
		   struct err *why)
{
	char some[READ_BYTES];
	int rc = 0;

	for (size_t at = 0, len; at < spool_len(s) && !rc; at += len) {
		len = spool_len(s) - at < sizeof some ? spool_len(s) - at : sizeof some;
		rc = spool_read(s, at, some, len, why);
		if (!rc)
			rc = f(context, some, len, why);
	}
	return rc;
}

int pieces_each(const struct pieces *p, int (*f)(void *context, const void *bytes, size_t len, struct err *why), void *context,
		struct err *why)
{
	int rc = 0;

	for (size_t i = 0; i < p->count && !rc; i++)
		if (p->at[i].at)
			rc = f(context, p->at[i].at, p->at[i].len, why);
		else if (p->at[i].in)
			rc = each_of(p->at[i].in, f, context, why);
	return rc;
}

void spool_release(struct spool *s)
{
	if (s->has_file)
		close(s->fd);
	buf_release(&s->held);
	*s = (struct spool){ 0 };
}
