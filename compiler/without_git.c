/*
 * without_git.c - in place of compiler/cmd/revision.c and patch.c: tegc becomes tegc-git, which has them. That stands
 * beside tegc where both were built, and below libexec where they are installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/cmd/patch.h"
#include "compiler/cmd/revision.h"
#include "compiler/of_build.h"
#include "lang/base/own.h"

/* Behind a revision's name is a colon, as in packets; `--at` and `--git` are for git. One too many of them costs a moment, no more. */
static bool may_ask(char *const *words)
{
	for (; *words; words++)
		if (strchr(*words, ':') || !strncmp(*words, "--g", 3) || !strncmp(*words, "--at", 4))
			return true;
	return false;
}

/* Who has written tegc, or is root, may have written what it becomes; in a folder for all, as /tmp, anybody has. */
static bool is_trusted(const char *path, uid_t owner)
{
	struct stat st;

	return !lstat(path, &st) && (st.st_uid == owner || !st.st_uid);
}

/* Two that were not made together may mean something else by one policy. */
static bool is_of_this_build(const char *path)
{
	own(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char page[OF_BUILD_PAGE];
	ssize_t len = fd < 0 ? -1 : pread(fd, page, sizeof page, 0);

	return len > 0 && memmem(page, (size_t)len, &of_build, sizeof of_build);
}

/* One that is there, and is of another build; "" when none is. */
static char other[PATH_MAX + 64];

void revision_program(char **argv)
{
	static const char *const places[] = { "tegc-git", "../libexec/tegumentar/tegc-git" };
	char here[PATH_MAX], path[PATH_MAX + 64];
	struct stat own;
	ssize_t len = may_ask(argv + 1) ? readlink("/proc/self/exe", here, sizeof here) : 0;

	if (len > 0 && stat("/proc/self/exe", &own))
		return;
	while (len > 0 && here[len - 1] != '/')
		len--;
	for (size_t i = 0; len > 0 && i < sizeof places / sizeof *places; i++) {
		snprintf(path, sizeof path, "%.*s%s", (int)len, here, places[i]);
		if (!is_trusted(path, own.st_uid))
			continue;
		if (is_of_this_build(path))
			execv(path, argv);
		else if (!*other)
			memcpy(other, path, sizeof path);
	}
}

/* --- where there is no such program --------------------------------------------------- */

#define NOT_THERE "by tegc-git, which is neither beside tegc nor in ../libexec/tegumentar, or belongs to somebody else"

#define NOT_ONE "by tegc-git, and %s is not of one build with this tegc: install both from the same one"

static int missing(struct err *why)
{
	if (*other)
		return err_set(why, ENOSYS, "git's revisions are read " NOT_ONE, other);
	return err_set(why, ENOSYS, "git's revisions are read " NOT_THERE);
}

int revision_open(struct revision **out, struct arena *a, const char *name, struct err *why)
{
	(void)out, (void)a, (void)name;
	return missing(why);
}

int revision_holding(struct revision **out, struct arena *a, const char *path, const void *bytes, size_t len, struct err *why)
{
	(void)out, (void)a, (void)path, (void)bytes, (void)len;
	return missing(why);
}

void revision_free(struct revision *r)
{
	(void)r;
}

const char *revision_name(const struct revision *r)
{
	(void)r;
	return "";
}

const struct store *revision_store(const struct revision *r)
{
	(void)r;
	return &store_disk;
}

void patch_print(struct buf *out, const char *path, const struct buf *old, const struct buf *new)
{
	(void)old, (void)new;
	if (*other)
		buf_printf(out, "%s: texts are compared " NOT_ONE "\n", path, other);
	else
		buf_printf(out, "%s: texts are compared " NOT_THERE "\n", path);
}
