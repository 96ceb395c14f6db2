/*
 * duration - a time in nanoseconds, as text.
 *
 *     duration_print    90000000000 is "90s": one unit, the longest in which it is whole; read back, it is the same
 *     duration_say      "1m 30s", for people
 */
#ifndef TEG_BASE_DURATION_H
#define TEG_BASE_DURATION_H

#include <stdint.h>

#include "lang/base/buf.h"

void duration_print(struct buf *out, uint64_t ns);
void duration_say(struct buf *out, uint64_t ns);

#endif
