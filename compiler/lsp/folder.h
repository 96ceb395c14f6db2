/*
 * folder - the folders that the editor has open, and the policies in them.
 *
 *     folders_add(&f, "/etc/tegumentar");
 *     folders_each(&f, arg, call);
 *
 * Only files named *.teg are looked at, none behind a symbolic link, none whose name or
 * folder begins with a dot, and no more than FOLDER_FILES_MAX.
 */
#ifndef TEG_LSP_FOLDER_H
#define TEG_LSP_FOLDER_H

#include <stddef.h>

#define FOLDERS_MAX	 16
#define FOLDER_FILES_MAX 1000
#define FOLDER_DEPTH_MAX 16

struct folders {
	char *at[FOLDERS_MAX];
	size_t count;
};

void folders_release(struct folders *f);
/* What cannot be added is passed over: it is a place to look at, and no promise. */
void folders_add(struct folders *f, const char *path);

/* Every policy, in the order of the names; the path is lent. */
void folders_each(const struct folders *f, void (*call)(const char *path, void *arg), void *arg);

#endif
