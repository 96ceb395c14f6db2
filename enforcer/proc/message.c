#include "enforcer/proc/message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "lang/base/own.h"

struct header {
	uint16_t kind, more;
	uint32_t id;
};

static const struct {
	const char *name;
	enum role from, to;
	bool carries_fd;
} rows[MESSAGE_COUNT] = {
#define MESSAGE(id, name, from, to, carries_fd, about)                                             \
	[MESSAGE_##id] = { name, ROLE_##from, ROLE_##to, carries_fd },
#include "enforcer/proc/message.def"
#undef MESSAGE
};

const char *role_name(enum role r)
{
	static const char *const names[ROLE_COUNT] = { [ROLE_WARDEN] = "warden", [ROLE_API] = "api" };

	return names[r];
}

const char *message_name(enum message_kind k)
{
	return rows[k].name;
}

const char *result_name(enum result_code c)
{
	static const char *const names[RESULT_COUNT] = {
		[RESULT_OK] = "ok", [RESULT_REFUSED] = "refused", [RESULT_CANNOT] = "cannot", [RESULT_CONFLICT] = "conflict",
		[RESULT_STALE] = "stale", [RESULT_FAILED] = "failed",
	};

	return c < RESULT_COUNT ? names[c] : "?";
}

int message_pair(int ends[static 2], struct err *why)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return err_sys(why, "cannot make a pair of sockets");
	return 0;
}

/* ---- sending --------------------------------------------------------------- */

union room_for_fd {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void attach_fd(struct msghdr *m, union room_for_fd *room, int fd)
{
	memset(room, 0, sizeof *room);
	m->msg_control = room->bytes;
	m->msg_controllen = sizeof room->bytes;

	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

static int peer_failed(enum message_kind kind, const char *verb, struct err *why)
{
	if (errno == ECONNRESET || errno == EPIPE)
		return err_set(why, EPIPE, "the other process is gone");
	if (errno == EAGAIN)
		return err_set(why, ETIMEDOUT, "the other process stalls");
	return err_sys(why, "cannot %s a message (%s)", verb, message_name(kind));
}

static int send_chunk(int sock, const struct message *m, size_t from, size_t len, int flags, struct err *why)
{
	struct header h = { (uint16_t)m->kind, from + len < m->len, m->id };
	struct iovec parts[] = { { &h, sizeof h }, { (char *)(uintptr_t)m->payload + from, len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = len ? 2 : 1 };
	union room_for_fd room;
	ssize_t sent;

	if (!from && m->fd >= 0)
		attach_fd(&msg, &room, m->fd);
	do
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? peer_failed(m->kind, "send", why) : 0;
}

/* From *at on, which follows what the peer took. */
static int send_rest(int sock, const struct message *m, size_t *at, int flags, struct err *why)
{
	if (m->len > MESSAGE_BYTES_MAX)
		return err_set(why, EMSGSIZE, "a message (%s) of %zu bytes is longer than %zu",
			       message_name(m->kind), m->len, MESSAGE_BYTES_MAX);
	do {
		size_t left = m->len - *at, len = left < MESSAGE_CHUNK ? left : MESSAGE_CHUNK;
		int rc = send_chunk(sock, m, *at, len, flags, why);

		if (rc)
			return rc;
		*at += len;
	} while (*at < m->len);
	return 0;
}

int message_send(int sock, const struct message *m, struct err *why)
{
	size_t at = 0;

	return send_rest(sock, m, &at, 0, why);
}

int message_send_some(int sock, const struct message *m, size_t *at, struct err *why)
{
	int rc = send_rest(sock, m, at, MSG_DONTWAIT, why);

	return rc == -ETIMEDOUT ? 0 : rc ? rc : 1;
}

/* ---- receiving --------------------------------------------------------------- */

/* The one descriptor of a datagram, or -1. Room is for one, but padding lets two through: any further is closed. */
static int detach_fd(struct msghdr *m, bool *too_many)
{
	int kept = -1;

	*too_many = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
			if (kept >= 0) {
				*too_many = true;
				close(fd);
				continue;
			}
			kept = fd;
		}
	}
	return kept;
}

struct chunk {
	struct header h;
	size_t len; /* of the payload */
	int fd;
};

static int receive_chunk(int sock, int flags, struct chunk *out, char payload[static MESSAGE_CHUNK], struct err *why)
{
	struct iovec parts[] = { { &out->h, sizeof out->h }, { payload, MESSAGE_CHUNK } };
	union room_for_fd room;
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2,
			      .msg_control = room.bytes, .msg_controllen = sizeof room.bytes };
	bool too_many;
	ssize_t got;

	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return peer_failed(MESSAGE_RESULT, "receive", why);
	if (got == 0)
		return err_set(why, EPIPE, "the other process is gone");
	out->fd = detach_fd(&msg, &too_many);
	if ((size_t)got < sizeof out->h || too_many || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (out->fd >= 0)
			close(out->fd);
		return err_set(why, EPROTO, "a datagram of %zd bytes is no message", got);
	}
	out->len = (size_t)got - sizeof out->h;
	return 0;
}

/* May this one be what `me` hears? */
static int chunk_holds(const struct chunk *c, enum role me, struct err *why)
{
	if (c->h.kind >= MESSAGE_COUNT)
		return err_set(why, EPROTO, "message kind %u is unknown", c->h.kind);
	if (rows[c->h.kind].to != me)
		return err_set(why, EPROTO, "%s is not for the %s", rows[c->h.kind].name, role_name(me));
	if (c->h.more > 1 || (c->h.more && c->len != MESSAGE_CHUNK))
		return err_set(why, EPROTO, "%s comes in parts that do not fit", rows[c->h.kind].name);
	if ((c->fd >= 0) != rows[c->h.kind].carries_fd)
		return err_set(why, EPROTO, "%s comes with%s a descriptor", rows[c->h.kind].name,
			       c->fd >= 0 ? "" : "out");
	return 0;
}

/* Does a part go on with the message that is half there? */
static int chunk_goes_on(const struct chunk *c, const struct message_half *half, struct err *why)
{
	if (c->fd >= 0 || c->h.kind != half->kind || c->h.id != half->id || c->h.more > 1 ||
	    (c->h.more && c->len != MESSAGE_CHUNK) || half->bytes.len + c->len > MESSAGE_BYTES_MAX)
		return err_set(why, EPROTO, "%s goes on with a part that does not fit", rows[half->kind].name);
	return 0;
}

/* Another part of it; *more says that it is not yet whole. */
static int receive_part(int sock, enum role me, int flags, struct message_half *half, bool *more, struct err *why)
{
	char payload[MESSAGE_CHUNK];
	struct chunk c;
	int rc = receive_chunk(sock, flags, &c, payload, why);

	if (rc)
		return rc;
	own(fd) int fd = c.fd;
	rc = half->begun ? chunk_goes_on(&c, half, why) : chunk_holds(&c, me, why);
	if (rc)
		return rc;
	if (!half->begun)
		*half = (struct message_half){ .begun = true, .kind = (enum message_kind)c.h.kind, .id = c.h.id, .fd = take_fd(fd) };
	buf_add(&half->bytes, payload, c.len);
	*more = c.h.more;
	return 0;
}

static int receive_rest(int sock, enum role me, int flags, struct message_half *half, struct arena *a,
			struct message *out, struct err *why)
{
	bool more = true;

	while (more) {
		int rc = receive_part(sock, me, flags, half, &more, why);

		if (rc)
			return rc;
	}
	*out = (struct message){ half->kind, half->id, arena_copy(a, buf_text(&half->bytes), half->bytes.len), half->bytes.len,
				 take_fd(half->fd) };
	message_half_release(half);
	return 0;
}

int message_receive(int sock, enum role me, struct arena *a, struct message *out, struct err *why)
{
	own(message_half) struct message_half half = { 0 };

	return receive_rest(sock, me, 0, &half, a, out, why);
}

int message_receive_some(int sock, enum role me, struct message_half *half, struct arena *a, struct message *out, struct err *why)
{
	int rc = receive_rest(sock, me, MSG_DONTWAIT, half, a, out, why);

	return rc == -ETIMEDOUT ? 0 : rc ? rc : 1;
}

void message_half_release(struct message_half *half)
{
	if (half->begun && half->fd >= 0)
		close(half->fd);
	buf_release(&half->bytes);
	*half = (struct message_half){ 0 };
}
