#include "enforcer/proc/message.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* ---- payloads ------------------------------------------------------------------ */

static int decoded(const struct wire_in *in, bool holds, const char *what, struct err *why)
{
	if (!wire_done(in) || !holds)
		return err_set(why, EPROTO, "%s: truncated, too long or out of range", what);
	return 0;
}

static void put_interface(struct buf *out, const struct status_interface *i)
{
	wire_put_str(out, i->name);
	wire_put_str(out, i->zone);
	wire_put_str(out, i->engine);
	wire_put_str(out, i->reason);
	wire_put_u32(out, i->ifindex);
	wire_put_u64(out, i->program_tag);
}

#define INTERFACE_BYTES (4 * 4 + 4 + 8)

static void put_parts(struct buf *out, const struct status *s)
{
	wire_put_u32(out, s->part_count);
	for (uint32_t i = 0; i < s->part_count; i++) {
		wire_put_str(out, s->parts[i].name);
		wire_put_str(out, s->parts[i].is);
		wire_put_str(out, s->parts[i].should);
		wire_put_str(out, s->parts[i].fault);
	}
}

static void put_drift(struct buf *out, const struct status_drift *d)
{
	wire_put_u64(out, d->checked);
	wire_put_u64(out, d->found);
	wire_put_u64(out, d->repaired);
	wire_put_u64(out, d->last);
	wire_put_str(out, d->fault);
}

static void put_events(struct buf *out, const struct status_events *e)
{
	wire_put_str(out, e->source);
	wire_put_u64(out, e->told);
	wire_put_u64(out, e->full);
	wire_put_u64(out, e->rate);
	wire_put_u64(out, e->slow);
}

void status_encode(struct buf *out, const struct status *s)
{
	wire_put_u64(out, s->generation);
	wire_put_str(out, s->bundle);
	wire_put_str(out, s->policy);
	wire_put_str(out, s->version);
	wire_put_u32(out, s->tests_run);
	wire_put_u32(out, s->tests_left);
	wire_put_str(out, s->posture);
	wire_put_str(out, s->posture_reason);
	wire_put_u64(out, s->posture_since);
	wire_put_u64(out, s->posture_until);
	wire_put_str(out, s->posture_next);
	wire_put_u64(out, s->started);
	wire_put_str(out, s->adopted);
	wire_put_str(out, s->engine);
	wire_put_str(out, s->nft_digest);
	wire_put_u8(out, s->intact);
	wire_put_str(out, s->fault);
	wire_put_u32(out, s->posture_count);
	for (uint32_t i = 0; i < s->posture_count; i++) {
		wire_put_str(out, s->postures[i].name);
		wire_put_str(out, s->postures[i].title);
	}
	wire_put_u32(out, s->interface_count);
	for (uint32_t i = 0; i < s->interface_count; i++)
		put_interface(out, &s->interfaces[i]);
	put_parts(out, s);
	wire_put_u64(out, s->pending.until);
	wire_put_u64(out, s->pending.before);
	put_drift(out, &s->drift);
	put_events(out, &s->events);
}

static void get_postures(struct wire_in *in, struct status *s, struct arena *a)
{
	s->posture_count = wire_get_count(in, 2 * 4);
	s->postures = arena_zero(a, s->posture_count * sizeof *s->postures);
	for (uint32_t i = 0; i < s->posture_count; i++) {
		s->postures[i].name = wire_get_str(in, a);
		s->postures[i].title = wire_get_str(in, a);
	}
}

static void get_interfaces(struct wire_in *in, struct status *s, struct arena *a)
{
	s->interface_count = wire_get_count(in, INTERFACE_BYTES);
	s->interfaces = arena_zero(a, s->interface_count * sizeof *s->interfaces);
	for (uint32_t i = 0; i < s->interface_count; i++) {
		struct status_interface *at = &s->interfaces[i];

		at->name = wire_get_str(in, a);
		at->zone = wire_get_str(in, a);
		at->engine = wire_get_str(in, a);
		at->reason = wire_get_str(in, a);
		at->ifindex = wire_get_u32(in);
		at->program_tag = wire_get_u64(in);
	}
}

static void get_parts(struct wire_in *in, struct status *s, struct arena *a)
{
	s->part_count = wire_get_count(in, 4 * 4);
	s->parts = arena_zero(a, s->part_count * sizeof *s->parts);
	for (uint32_t i = 0; i < s->part_count; i++) {
		s->parts[i].name = wire_get_str(in, a);
		s->parts[i].is = wire_get_str(in, a);
		s->parts[i].should = wire_get_str(in, a);
		s->parts[i].fault = wire_get_str(in, a);
	}
}

static void get_drift(struct wire_in *in, struct status_drift *d, struct arena *a)
{
	d->checked = wire_get_u64(in);
	d->found = wire_get_u64(in);
	d->repaired = wire_get_u64(in);
	d->last = wire_get_u64(in);
	d->fault = wire_get_str(in, a);
}

static void get_events(struct wire_in *in, struct status_events *e, struct arena *a)
{
	e->source = wire_get_str(in, a);
	e->told = wire_get_u64(in);
	e->full = wire_get_u64(in);
	e->rate = wire_get_u64(in);
	e->slow = wire_get_u64(in);
}

int status_decode(struct status *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct status s = { 0 };

	s.generation = wire_get_u64(&in);
	s.bundle = wire_get_str(&in, a);
	s.policy = wire_get_str(&in, a);
	s.version = wire_get_str(&in, a);
	s.tests_run = wire_get_u32(&in);
	s.tests_left = wire_get_u32(&in);
	s.posture = wire_get_str(&in, a);
	s.posture_reason = wire_get_str(&in, a);
	s.posture_since = wire_get_u64(&in);
	s.posture_until = wire_get_u64(&in);
	s.posture_next = wire_get_str(&in, a);
	s.started = wire_get_u64(&in);
	s.adopted = wire_get_str(&in, a);
	s.engine = wire_get_str(&in, a);
	s.nft_digest = wire_get_str(&in, a);
	s.intact = wire_get_u8(&in);
	s.fault = wire_get_str(&in, a);
	get_postures(&in, &s, a);
	get_interfaces(&in, &s, a);
	get_parts(&in, &s, a);
	s.pending.until = wire_get_u64(&in);
	s.pending.before = wire_get_u64(&in);
	get_drift(&in, &s.drift, a);
	get_events(&in, &s.events, a);
	int rc = decoded(&in, s.intact <= 1, "status", why);
	if (!rc)
		*out = s;
	return rc;
}

#define COUNTER_BYTES (4 + 1 + 1 + 4 + 8 + 8)

const char *counter_verdict(const struct counter_row *r)
{
	return counter_only_tells(r) ? "goes-on" : verdict_name(r->verdict);
}

void counters_encode(struct buf *out, const struct counters *c)
{
	wire_put_u64(out, c->at_ns);
	wire_put_u32(out, c->row_count);
	for (uint32_t i = 0; i < c->row_count; i++) {
		wire_put_str(out, c->rows[i].id);
		wire_put_u8(out, (uint8_t)c->rows[i].layer);
		wire_put_u8(out, (uint8_t)c->rows[i].verdict);
		wire_put_str(out, c->rows[i].posture);
		wire_put_u64(out, c->rows[i].packets);
		wire_put_u64(out, c->rows[i].bytes);
	}
	for (size_t i = 0; i < CAUSE_COUNT; i++)
		wire_put_u64(out, c->causes[i]);
	wire_put_u64(out, c->blocked_sources);
}

int counters_decode(struct counters *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct counters c = { 0 };
	bool holds = true;

	c.at_ns = wire_get_u64(&in);
	c.row_count = wire_get_count(&in, COUNTER_BYTES);
	c.rows = arena_zero(a, c.row_count * sizeof *c.rows);
	for (uint32_t i = 0; i < c.row_count; i++) {
		struct counter_row *r = &c.rows[i];

		r->id = wire_get_str(&in, a);
		r->layer = (enum layer)wire_get_u8(&in);
		r->verdict = (enum verdict)wire_get_u8(&in);
		r->posture = wire_get_str(&in, a);
		r->packets = wire_get_u64(&in);
		r->bytes = wire_get_u64(&in);
		holds = holds && r->layer < LAYER_COUNT && r->verdict < VERDICT_COUNT;
	}
	for (size_t i = 0; i < CAUSE_COUNT; i++)
		c.causes[i] = wire_get_u64(&in);
	c.blocked_sources = wire_get_u64(&in);
	int rc = decoded(&in, holds, "counters", why);
	if (!rc)
		*out = c;
	return rc;
}

void base_tag(char out[static BASE_TAG_ROOM], uint64_t generation, const char *bundle)
{
	if (generation)
		snprintf(out, BASE_TAG_ROOM, "%" PRIu64 "-%.16s", generation, bundle);
	else
		snprintf(out, BASE_TAG_ROOM, "0");
}

static void put_asker(struct buf *out, const struct asker *by)
{
	wire_put_str(out, by->base);
	wire_put_str(out, by->who);
	wire_put_str(out, by->from);
}

static struct asker get_asker(struct wire_in *in, struct arena *a)
{
	struct asker by;

	by.base = wire_get_str(in, a);
	by.who = wire_get_str(in, a);
	by.from = wire_get_str(in, a);
	if (strlen(by.base) > ASKER_TEXT_MAX || strlen(by.who) > ASKER_TEXT_MAX || strlen(by.from) > ASKER_TEXT_MAX)
		in->bad = true;
	return by;
}

void set_posture_encode(struct buf *out, const struct set_posture *s)
{
	wire_put_str(out, s->name);
	wire_put_str(out, s->reason);
	wire_put_u32(out, s->seconds);
	put_asker(out, &s->by);
}

int set_posture_decode(struct set_posture *out, struct arena *a, const void *bytes, size_t len,
		       struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct set_posture s = { 0 };

	s.name = wire_get_str(&in, a);
	s.reason = wire_get_str(&in, a);
	s.seconds = wire_get_u32(&in);
	s.by = get_asker(&in, a);
	bool holds = strlen(s.reason) <= REASON_MAX && s.seconds <= POSTURE_SECONDS_MAX;
	int rc = decoded(&in, holds, "set-posture", why);
	if (!rc)
		*out = s;
	return rc;
}

void apply_encode(struct buf *out, const struct apply *a)
{
	wire_put_u8(out, a->downgrade);
	wire_put_u32(out, a->confirm);
	put_asker(out, &a->by);
}

int apply_decode(struct apply *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct apply ask = { .downgrade = wire_get_u8(&in) };

	ask.confirm = wire_get_u32(&in);
	ask.by = get_asker(&in, a);
	int rc = decoded(&in, ask.downgrade <= 1 && ask.confirm <= CONFIRM_SECONDS_MAX, "apply", why);
	if (!rc)
		*out = ask;
	return rc;
}

#define SOURCE_BYTES (1 + 16)

static void put_source(struct buf *out, struct addr a)
{
	uint8_t bytes[16] = { 0 };

	addr_to_bytes(a, bytes);
	wire_put_u8(out, (uint8_t)a.family);
	buf_add(out, bytes, sizeof bytes);
}

static struct addr get_source(struct wire_in *in)
{
	const uint8_t family = wire_get_u8(in);
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof bytes; i++) {
		bytes[i] = wire_get_u8(in);
		if (family == FAMILY_IP4 && i >= 4 && bytes[i])
			in->bad = true; /* an IPv4 address leaves these empty */
	}
	if (family >= FAMILY_COUNT)
		in->bad = true;
	return in->bad ? (struct addr){ 0 } : addr_from_bytes((enum family)family, bytes);
}

void block_encode(struct buf *out, const struct block *b)
{
	wire_put_u32(out, b->seconds);
	wire_put_str(out, b->reason);
	wire_put_u32(out, b->source_count);
	for (uint32_t i = 0; i < b->source_count; i++)
		put_source(out, b->sources[i]);
	put_asker(out, &b->by);
}

int block_decode(struct block *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct block b = { 0 };

	b.seconds = wire_get_u32(&in);
	b.reason = wire_get_str(&in, a);
	b.source_count = wire_get_count(&in, SOURCE_BYTES);
	b.sources = arena_zero(a, (b.source_count + 1) * sizeof *b.sources);
	for (uint32_t i = 0; i < b.source_count; i++)
		b.sources[i] = get_source(&in);
	b.by = get_asker(&in, a);
	bool holds = b.seconds <= POSTURE_SECONDS_MAX && b.source_count && b.source_count <= BLOCK_SOURCES_MAX &&
		     strlen(b.reason) <= REASON_MAX;
	int rc = decoded(&in, holds, "block", why);
	if (!rc)
		*out = b;
	return rc;
}

void blocks_encode(struct buf *out, const struct blocks *b)
{
	wire_put_u64(out, b->total);
	wire_put_u32(out, b->row_count);
	for (uint32_t i = 0; i < b->row_count; i++) {
		put_source(out, b->rows[i].source);
		wire_put_u64(out, b->rows[i].until);
		wire_put_str(out, b->rows[i].by);
	}
}

int blocks_decode(struct blocks *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct blocks b = { 0 };

	b.total = wire_get_u64(&in);
	b.row_count = wire_get_count(&in, SOURCE_BYTES + 8 + 4);
	b.rows = arena_zero(a, (b.row_count + 1) * sizeof *b.rows);
	for (uint32_t i = 0; i < b.row_count; i++) {
		b.rows[i].source = get_source(&in);
		b.rows[i].until = wire_get_u64(&in);
		b.rows[i].by = wire_get_str(&in, a);
	}
	int rc = decoded(&in, b.row_count <= BLOCKS_LISTED_MAX, "blocks", why);
	if (!rc)
		*out = b;
	return rc;
}

void rollback_encode(struct buf *out, const struct rollback *r)
{
	wire_put_u64(out, r->to);
	wire_put_u32(out, r->confirm);
	put_asker(out, &r->by);
}

int rollback_decode(struct rollback *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct rollback r = { .to = wire_get_u64(&in) };

	r.confirm = wire_get_u32(&in);
	r.by = get_asker(&in, a);
	int rc = decoded(&in, r.confirm <= CONFIRM_SECONDS_MAX, "rollback", why);
	if (!rc)
		*out = r;
	return rc;
}

void settle_encode(struct buf *out, const struct settle *s)
{
	wire_put_u64(out, s->opened_ns);
	put_asker(out, &s->by);
}

int settle_decode(struct settle *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct settle s = { .opened_ns = wire_get_u64(&in) };

	s.by = get_asker(&in, a);
	int rc = decoded(&in, true, "settle", why);
	if (!rc)
		*out = s;
	return rc;
}

static void put_history_row(struct buf *out, const struct history_row *r)
{
	wire_put_u64(out, r->number);
	wire_put_str(out, r->bundle);
	wire_put_str(out, r->policy);
	wire_put_str(out, r->version);
	wire_put_u64(out, r->serial);
	wire_put_u64(out, r->at);
	wire_put_str(out, r->how);
	wire_put_u64(out, r->of);
	wire_put_str(out, r->who);
	wire_put_str(out, r->from);
	wire_put_str(out, r->result);
}

#define HISTORY_ROW_BYTES (4 * 8 + 7 * 4)

static void get_history_row(struct wire_in *in, struct history_row *r, struct arena *a)
{
	r->number = wire_get_u64(in);
	r->bundle = wire_get_str(in, a);
	r->policy = wire_get_str(in, a);
	r->version = wire_get_str(in, a);
	r->serial = wire_get_u64(in);
	r->at = wire_get_u64(in);
	r->how = wire_get_str(in, a);
	r->of = wire_get_u64(in);
	r->who = wire_get_str(in, a);
	r->from = wire_get_str(in, a);
	r->result = wire_get_str(in, a);
}

void history_encode(struct buf *out, const struct history *h)
{
	wire_put_u64(out, h->now);
	wire_put_u32(out, h->row_count);
	for (uint32_t i = 0; i < h->row_count; i++)
		put_history_row(out, &h->rows[i]);
}

int history_decode(struct history *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct history h = { .now = wire_get_u64(&in) };

	h.row_count = wire_get_count(&in, HISTORY_ROW_BYTES);
	h.rows = arena_zero(a, h.row_count * sizeof *h.rows);
	for (uint32_t i = 0; i < h.row_count; i++)
		get_history_row(&in, &h.rows[i], a);
	int rc = decoded(&in, true, "history", why);
	if (!rc)
		*out = h;
	return rc;
}

void ask_bundle_encode(struct buf *out, const struct ask_bundle *q)
{
	wire_put_u64(out, q->number);
}

int ask_bundle_decode(struct ask_bundle *out, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	const struct ask_bundle q = { wire_get_u64(&in) };
	int rc = decoded(&in, true, "ask-bundle", why);

	if (!rc)
		*out = q;
	return rc;
}

void kept_bundle_encode(struct buf *out, const struct kept_bundle *k)
{
	wire_put_str(out, k->id);
}

int kept_bundle_decode(struct kept_bundle *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	const struct kept_bundle k = { wire_get_str(&in, a) };
	int rc = decoded(&in, true, "bundle", why);

	if (!rc)
		*out = k;
	return rc;
}

void audit_head_encode(struct buf *out, const struct audit_head *h)
{
	wire_put_u64(out, h->seq);
	wire_put_u64(out, h->len);
}

int audit_head_decode(struct audit_head *out, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct audit_head h = { 0 };

	h.seq = wire_get_u64(&in);
	h.len = wire_get_u64(&in);
	int rc = decoded(&in, true, "audit", why);
	if (!rc)
		*out = h;
	return rc;
}

void event_encode(struct buf *out, const struct event *e)
{
	wire_put_u64(out, e->seq);
	wire_put_u64(out, e->time);
	wire_put_str(out, e->what);
	wire_put_str(out, e->summary);
	wire_put_str(out, e->result);
	wire_put_str(out, e->posture);
	wire_put_u64(out, e->generation);
}

int event_decode(struct event *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct event e = { 0 };

	e.seq = wire_get_u64(&in);
	e.time = wire_get_u64(&in);
	e.what = wire_get_str(&in, a);
	e.summary = wire_get_str(&in, a);
	e.result = wire_get_str(&in, a);
	e.posture = wire_get_str(&in, a);
	e.generation = wire_get_u64(&in);
	int rc = decoded(&in, true, "event", why);
	if (!rc)
		*out = e;
	return rc;
}

/* Both ends are of one machine and one build: the kernel's record goes as it is. */
void packets_encode(struct buf *out, const struct packets *p)
{
	wire_put_u32(out, p->row_count);
	for (uint32_t i = 0; i < p->row_count; i++) {
		const struct packet_row *r = &p->rows[i];

		wire_put_u64(out, r->at_ns);
		wire_put_u64(out, r->generation);
		wire_put_str(out, r->by);
		wire_put_str(out, r->placed);
		wire_put_str(out, r->posture);
		wire_put_str(out, r->interface);
		wire_put_bytes(out, &r->is, sizeof r->is);
	}
}

#define PACKET_ROW_BYTES (8 + 8 + 4 * 4 + 4 + sizeof(struct teg_event))

static bool get_packet_row(struct wire_in *in, struct packet_row *r, struct arena *a)
{
	size_t len;
	const void *bytes;

	r->at_ns = wire_get_u64(in);
	r->generation = wire_get_u64(in);
	r->by = wire_get_str(in, a);
	r->placed = wire_get_str(in, a);
	r->posture = wire_get_str(in, a);
	r->interface = wire_get_str(in, a);
	bytes = wire_get_bytes(in, &len);
	if (len != sizeof r->is)
		return false;
	memcpy(&r->is, bytes, sizeof r->is);
	return r->is.head_len <= TEG_EVENT_HEAD && r->is.severity < EVENT_SEVERITY_COUNT &&
	       (!r->is.family || r->is.family == TEG_IP4 || r->is.family == TEG_IP6);
}

int packets_decode(struct packets *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct packets p = { .row_count = wire_get_count(&in, PACKET_ROW_BYTES) };
	bool holds = p.row_count <= PACKETS_MAX;

	p.rows = arena_zero(a, (p.row_count + 1) * sizeof *p.rows);
	for (uint32_t i = 0; holds && i < p.row_count; i++)
		holds = get_packet_row(&in, &p.rows[i], a);
	int rc = decoded(&in, holds, "packets", why);
	if (!rc)
		*out = p;
	return rc;
}

void result_encode(struct buf *out, const struct result *r)
{
	wire_put_u8(out, (uint8_t)r->code);
	wire_put_str(out, r->part);
	wire_put_str(out, r->text);
	wire_put_u64(out, r->generation);
	wire_put_str(out, r->posture);
	wire_put_u64(out, r->pending_until);
	wire_put_u32(out, r->tests_run);
	wire_put_u32(out, r->tests_left);
}

int result_decode(struct result *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct result r = { 0 };

	r.code = (enum result_code)wire_get_u8(&in);
	r.part = wire_get_str(&in, a);
	r.text = wire_get_str(&in, a);
	r.generation = wire_get_u64(&in);
	r.posture = wire_get_str(&in, a);
	r.pending_until = wire_get_u64(&in);
	r.tests_run = wire_get_u32(&in);
	r.tests_left = wire_get_u32(&in);
	int rc = decoded(&in, r.code < RESULT_COUNT, "result", why);
	if (!rc)
		*out = r;
	return rc;
}
