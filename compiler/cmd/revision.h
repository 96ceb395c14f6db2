/*
 * revision - a tree of a git repository, as a store of policies: "HEAD~1",
 * "v1.2", or "" for what is staged.
 *
 *     own(revision) struct revision *r = NULL;
 *
 *     if (!revision_open(&r, arena, "HEAD~1", &why)) {
 *             c->store = revision_store(r);
 *             front_read(c, "policies/edge.teg");
 *     }
 *
 * Paths count from the top of the repository, as git's own REV:path does; "./"
 * and "../" begin where the process stands. What a policy imports is looked for
 * in the same tree, and so is an absolute path into the working tree; only
 * paths outside the repository are read from the disk. Names of links are
 * followed within the tree.
 *
 * The repository is found as git finds it, GIT_DIR, GIT_WORK_TREE and
 * GIT_INDEX_FILE included, and is not written to.
 *
 * libgit2 and the twelve libraries behind it take longer to load than all else of
 * tegc. So they are in the program tegc-git alone, which is tegc with this file and
 * patch.c; tegc has compiler/without_git.c in their place, and becomes tegc-git
 * where a revision may be asked for.
 */
#ifndef TEG_CMD_REVISION_H
#define TEG_CMD_REVISION_H

#include "compiler/front/store.h"

struct revision;

/*
 * Before a command that takes revisions does anything: becomes tegc-git, with the same arguments, when these may name one.
 * Comes back when they do not, when this is tegc-git, and where there is none: then it is asking for a revision that fails.
 */
void revision_program(char **argv);

int revision_open(struct revision **out, struct arena *a, const char *name, struct err *why);
/*
 * Where the path, from the top, has these bytes: what is staged, HEAD, or the youngest of the last
 * commits. -ENOENT when nowhere, or when there is no repository; -ENOSYS where there is no tegc-git to look.
 */
int revision_holding(struct revision **out, struct arena *a, const char *path, const void *bytes, size_t len,
		     struct err *why);
#define REVISIONS_SEARCHED 10000

void revision_free(struct revision *r);
OWN_FREE(revision, struct revision *)

/* "HEAD", "3f0c93a", "what is staged". */
const char *revision_name(const struct revision *r);

/* Lives as long as the revision. */
const struct store *revision_store(const struct revision *r);

#endif
