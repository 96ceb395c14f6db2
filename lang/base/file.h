/*
 * file - whole files: read with a limit, replaced in one step.
 *
 * file_replace() is for a program's own files, in a directory that is its own;
 * file_save() for a path that a person gave.
 */
#ifndef TEG_BASE_FILE_H
#define TEG_BASE_FILE_H

#include <stddef.h>

#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/piece.h"

/* Appends the file to *out. A directory, or more than `most` bytes, is an error. */
int file_read(struct buf *out, const char *path, size_t most, struct err *why);

/* The same from a descriptor, from where it stands to the end. */
int file_read_fd(struct buf *out, int fd, size_t most, struct err *why);

/*
 * Writes beside the file, syncs, and renames over it: afterwards the path
 * holds the old bytes or the new, whenever the power went. mode as for open(2).
 */
int file_replace(const char *path, const void *bytes, size_t len, unsigned mode, struct err *why);

/*
 * The same where a person said to: a link is followed, a file that is there keeps its mode, and its
 * owner where we may; what is no file, as /dev/stdout or a pipe, is written to and never replaced. Where the file system has
 * files without a name (open(2), O_TMPFILE), one that is killed meanwhile leaves nothing beside it that is not whole.
 */
int file_save(const char *path, const void *bytes, size_t len, unsigned mode, struct err *why);
int file_save_pieces(const char *path, const struct pieces *p, unsigned mode, struct err *why);

#endif
