/*
 * lines - what differs between two texts, line by line: the fewest lines taken out and put in.
 *
 *     @@ 12 @@             where the first of these stands in the new text
 *      kept
 *     -taken out
 *     +put in
 */
#ifndef TEG_API_LINES_H
#define TEG_API_LINES_H

#include <stdbool.h>

#include "lang/base/buf.h"

/* Appends it; nothing when they are equal. False when what differs is too long to be compared: then nothing is said. */
bool lines_diff(struct buf *out, const char *was, const char *is);

#endif
