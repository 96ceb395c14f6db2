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

static int send_chunk(int sock, const struct message *m, size_t from, size_t len, struct err *why)
{
	struct header h = { (uint16_t)m->kind, from + len < m->len, m->id };
	struct iovec parts[] = { { &h, sizeof h }, { (char *)(uintptr_t)m->payload + from, len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = len ? 2 : 1 };
	union room_for_fd room;
	ssize_t sent;

	if (!from && m->fd >= 0)
		attach_fd(&msg, &room, m->fd);
	do
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? peer_failed(m->kind, "send", why) : 0;
}

int message_send(int sock, const struct message *m, struct err *why)
{
	size_t at = 0;

	if (m->len > MESSAGE_BYTES_MAX)
		return err_set(why, EMSGSIZE, "a message (%s) of %zu bytes is longer than %zu",
			       message_name(m->kind), m->len, MESSAGE_BYTES_MAX);
	do {
		size_t left = m->len - at, len = left < MESSAGE_CHUNK ? left : MESSAGE_CHUNK;
		int rc = send_chunk(sock, m, at, len, why);

		if (rc)
			return rc;
		at += len;
	} while (at < m->len);
	return 0;
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

static int receive_chunk(int sock, struct chunk *out, char payload[static MESSAGE_CHUNK], struct err *why)
{
	struct iovec parts[] = { { &out->h, sizeof out->h }, { payload, MESSAGE_CHUNK } };
	union room_for_fd room;
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2,
			      .msg_control = room.bytes, .msg_controllen = sizeof room.bytes };
	bool too_many;
	ssize_t got;

	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
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

/* The rest of a message whose first part says more. */
static int receive_rest(int sock, struct buf *whole, const struct header *first, char *payload,
			struct err *why)
{
	struct chunk c = { .h = *first };

	while (c.h.more) {
		int rc = receive_chunk(sock, &c, payload, why);

		if (rc)
			return rc;
		if (c.fd >= 0)
			close(c.fd);
		if (c.fd >= 0 || c.h.kind != first->kind || c.h.id != first->id || c.h.more > 1 ||
		    (c.h.more && c.len != MESSAGE_CHUNK) || whole->len + c.len > MESSAGE_BYTES_MAX)
			return err_set(why, EPROTO, "%s goes on with a part that does not fit",
				       rows[first->kind].name);
		buf_add(whole, payload, c.len);
	}
	return 0;
}

int message_receive(int sock, enum role me, struct arena *a, struct message *out, struct err *why)
{
	char payload[MESSAGE_CHUNK];
	own(buf) struct buf whole = { 0 };
	struct chunk first;
	int rc = receive_chunk(sock, &first, payload, why);

	if (rc)
		return rc;
	own(fd) int fd = first.fd;
	rc = chunk_holds(&first, me, why);
	if (rc)
		return rc;
	buf_add(&whole, payload, first.len);
	rc = receive_rest(sock, &whole, &first.h, payload, why);
	if (rc)
		return rc;

	*out = (struct message){ (enum message_kind)first.h.kind, first.h.id,
				 arena_copy(a, buf_text(&whole), whole.len), whole.len, take_fd(fd) };
	return 0;
}
