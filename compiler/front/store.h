/*
 * store - where the files of a policy are: on the disk, or, as
 * compiler/cmd/revision.h has it, in one tree of a git repository.
 *
 *     struct store_file f;
 *
 *     if (s->find(s, arena, "nets/office.teg", &f))
 *             s->read(s, f.path, SOURCE_BYTES_MAX, &bytes, &why);
 *
 * A compilation has one store, so that what a policy imports comes from where
 * the policy itself does.
 */
#ifndef TEG_FRONT_STORE_H
#define TEG_FRONT_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"

struct store_file {
	const char *path;     /* to read it, and what it imports is looked for beside */
	const char *shown;    /* as reports call it */
	const char *identity; /* the same for every path that leads to the file */
	bool special;	      /* a device or a pipe: only as the main file */
};

struct store_names {
	const char **at;
	size_t len, room;
};

struct store {
	bool (*find)(const struct store *s, struct arena *a, const char *path, struct store_file *out);
	/* -ENOENT, -EISDIR and -EFBIG have words of their own; all else is trouble with reading. */
	int (*read)(const struct store *s, const char *path, size_t most, struct buf *out, struct err *why);
	/* The names in a directory, "" being the one at hand, in any order; false when there is none. */
	bool (*list)(const struct store *s, struct arena *a, const char *path, struct store_names *out);
};

extern const struct store store_disk;

#endif
