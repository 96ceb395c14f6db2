/*
 * fix - makes the fixes that diagnostics carry (diag_fix), in the policy's own files.
 *
 *     struct fixing *f = fixing_new(arena);
 *     while (fixing_step(f, c, &why) > 0)
 *             c = read and check again;
 *
 * In a step no two fixes touch; what touches waits for the next one. A fix is made whole or not at
 * all, in files that still hold what was read: not in standard input, a revision, a parameter or a
 * file that tegc carries. When a step leaves as much against the policy as before, the files get
 * back what they held, and that was the last step.
 */
#ifndef TEG_CMD_FIX_H
#define TEG_CMD_FIX_H

#include "compiler/front/front.h"
#include "lang/base/err.h"

struct fixing;

struct fixing *fixing_new(struct arena *a);

/*
 * How many files were changed: 0 when there is nothing (more) to do, or a negative errno. After any
 * other number the policy must be read again.
 */
int fixing_step(struct fixing *f, const struct compilation *c, struct err *why);

/* How many fixes stand in the files now. */
size_t fixing_made(const struct fixing *f);

#endif
