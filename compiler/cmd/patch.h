/*
 * patch - two texts line by line, as git shows them: for what has no meaning of its own to compare.
 */
#ifndef TEG_CMD_PATCH_H
#define TEG_CMD_PATCH_H

#include "lang/base/buf.h"

/* Appends the patch; nothing when the texts are one. */
void patch_print(struct buf *out, const char *path, const struct buf *old, const struct buf *new);

#endif
