/*
 * message_told.c - what the warden tells by itself, as bytes: events and packets.
 */
#include "enforcer/proc/message_parts.h"

#include <string.h>

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
	int rc = message_decoded(&in, true, "event", why);
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
	int rc = message_decoded(&in, holds, "packets", why);
	if (!rc)
		*out = p;
	return rc;
}
