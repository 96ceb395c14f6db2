/*
 * input - a policy, by what a person calls it:
 *
 *     edge.teg            a file
 *     edge.tegb           a bundle: its policy/resolved.teg; no signature is asked for
 *     -                   standard input, one or the other
 *     HEAD~1:edge.teg     a file or a bundle in a tree of a git repository
 *     :edge.teg           as it is staged
 *
 * Known by what is in it, not by its ending. A file that is called so comes
 * before a revision. Imports come from where the policy comes from.
 */
#ifndef TEG_CMD_INPUT_H
#define TEG_CMD_INPUT_H

#include "compiler/front/front.h"

/* As front_read(): NULL when errors were noted, and front_exit() says which. */
struct policy *input_read(struct compilation *c, const char *name);

/*
 * A version of `path`, as git hands them out in temporary files: read where a revision has it, so
 * that imports are found and reports speak of the path. *where says which, "HEAD" or "the working
 * tree"; a file that no revision has is read as it lies there. `committed`: the file is the path
 * itself only because git saved making another.
 */
struct policy *input_read_version(struct compilation *c, const char *path, const char *file, bool committed,
				  const char **where);

#endif
