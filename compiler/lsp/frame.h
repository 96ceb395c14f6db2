/*
 * frame - messages on a byte stream, as LSP 3.17 frames them:
 *
 *     Content-Length: 52\r\n
 *     \r\n
 *     {"jsonrpc":"2.0", ...
 *
 * A frame that cannot be read leaves the stream without a place to go on from, so
 * it ends the conversation. What stands in a well-framed message is json's to judge.
 */
#ifndef TEG_LSP_FRAME_H
#define TEG_LSP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "lang/base/buf.h"

#define FRAME_HEADER_MAX ((size_t)4096)
#define FRAME_BODY_MAX	 ((size_t)128 << 20) /* the largest source, with room for its escapes */

struct frames {
	int fd;
	struct buf in;
	size_t taken; /* bytes of `in` that were handed out */
};

enum frame_state { FRAME_MESSAGE, FRAME_NONE, FRAME_END, FRAME_BROKEN };

void frames_release(struct frames *f);

/* Waits so long for a whole message, for ever when negative; *body lives until the next call. FRAME_NONE: none came. */
enum frame_state frame_next(struct frames *f, int wait_ms, const char **body, size_t *len);

/* Writes all of it; false when the other side is gone. */
bool frame_send(int fd, const char *body, size_t len);

#endif
