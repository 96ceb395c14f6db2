#include "compiler/lsp/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void frames_release(struct frames *f)
{
	buf_release(&f->in);
}

/* A decimal number that fills the line, as Content-Length is; false for all else. */
static bool length_read(const char *at, const char *end, size_t *out)
{
	size_t n = 0;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (at == end)
		return false;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return false;
		n = n * 10 + (size_t)(*at - '0');
		if (n > FRAME_BODY_MAX)
			return false;
	}
	*out = n;
	return true;
}

/* The header's lines, each with its line end: one Content-Length; others are passed over. */
static bool header_read(const char *at, const char *end, size_t *length)
{
	static const char name[] = "content-length:";
	bool found = false;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop || stop == at || stop[-1] != '\r' || !memchr(at, ':', (size_t)(stop - at)))
			return false;
		if (!strncasecmp(at, name, sizeof name - 1)) {
			if (found || !length_read(at + sizeof name - 1, stop - 1, length))
				return false;
			found = true;
		}
		at = stop + 1;
	}
	return found;
}

/* What is in the buffer already; FRAME_NONE: more is needed. */
static enum frame_state frame_take(struct frames *f, const char **body, size_t *len)
{
	const char *at = f->in.at + f->taken;
	size_t left = f->in.len - f->taken, length = 0;
	const char *blank = left ? memmem(at, left < FRAME_HEADER_MAX ? left : FRAME_HEADER_MAX, "\r\n\r\n", 4) : NULL;

	if (!blank)
		return left < FRAME_HEADER_MAX ? FRAME_NONE : FRAME_BROKEN;
	if (!header_read(at, blank + 2, &length))
		return FRAME_BROKEN;
	size_t header = (size_t)(blank + 4 - at);
	if (left - header < length)
		return FRAME_NONE;
	*body = blank + 4;
	*len = length;
	f->taken += header + length;
	return FRAME_MESSAGE;
}

static void forget_taken(struct frames *f)
{
	if (!f->taken)
		return;
	memmove(f->in.at, f->in.at + f->taken, f->in.len - f->taken);
	f->in.len -= f->taken;
	f->taken = 0;
}

enum frame_state frame_next(struct frames *f, int wait_ms, const char **body, size_t *len)
{
	static char more[1 << 16];
	enum frame_state state = frame_take(f, body, len);

	if (state == FRAME_NONE)
		forget_taken(f);
	while (state == FRAME_NONE) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };
		int ready = poll(&p, 1, wait_ms);

		if (ready < 0 && errno == EINTR)
			continue;
		if (!ready)
			return FRAME_NONE;
		ssize_t n = ready < 0 ? -1 : read(f->fd, more, sizeof more);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return f->in.len ? FRAME_BROKEN : FRAME_END;
		buf_add(&f->in, more, (size_t)n);
		state = frame_take(f, body, len);
	}
	return state;
}

static bool write_all(int fd, const char *at, size_t len)
{
	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool frame_send(int fd, const char *body, size_t len)
{
	char header[64];
	int n = snprintf(header, sizeof header, "Content-Length: %zu\r\n\r\n", len);

	return write_all(fd, header, (size_t)n) && write_all(fd, body, len);
}
