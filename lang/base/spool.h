/*
 * spool - bytes by the ten million, while they are made: in a file without a name, and in memory only the newest, or all
 * where they are few.
 *
 *     own(spool) struct spool s = { 0 };         stays in memory
 *     spool_beside(&s, "edge.tegb");             or goes to the directory of this file, where that can be: never
 *                                                beside a device or a pipe, whose directory may be small
 *     buf_printf(&s.held, …);                    what is added stands in s.held, until
 *     spool_settle(&s);                          so much has come together that it goes on to the file
 *     spool_amend(&s, 0, &len, sizeof len);      what was known last
 *     spool_end(&s);                             nothing is held any more, where there is a file; or
 *     spool_drain(&s);                           the same, and few bytes go to one too
 *
 * Then it is read: from spool_bytes() where nothing went to a file, else by spool_read(), which tells too
 * what failed while it was written.
 */
#ifndef TEG_BASE_SPOOL_H
#define TEG_BASE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "lang/base/buf.h"
#include "lang/base/err.h"

struct spool {
	struct buf held;
	size_t in_file; /* bytes that went there */
	int fd;		/* of a file, where there is one */
	bool has_file;
	const char *beside; /* what its file lies beside or would, borrowed; NULL where there can be none */
	struct err fault; /* the first, or code 0 */
};

void spool_beside(struct spool *s, const char *path);
void spool_settle(struct spool *s);
/* Bytes that are there already are replaced. */
void spool_amend(struct spool *s, size_t at, const void *bytes, size_t len);
void spool_end(struct spool *s);
void spool_drain(struct spool *s);

/* All of them, in memory; NULL once some are in a file. */
const void *spool_bytes(const struct spool *s);
/* So many from there on: they must be there. */
int spool_read(const struct spool *s, size_t at, void *out, size_t len, struct err *why);

/*
 * All of them, of a spool that was drained, as they lie in its file: they come to memory when they are looked at, and
 * leave it when that is needed elsewhere. NULL where there is no file, after a write that failed, of nothing, and where it
 * cannot be mapped. munmap(2) of spool_len() ends it, not the spool.
 */
const void *spool_map(const struct spool *s);

static inline size_t spool_len(const struct spool *s)
{
	return s->in_file + s->held.len;
}

void spool_release(struct spool *s);
static inline void spool_own_(struct spool *s)
{
	spool_release(s);
}

#endif
