/*
 * message_ask.c - what asks for a change, as bytes: postures, bundles, blocks, rollbacks; and what came of it.
 */
#include "enforcer/proc/message_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void base_tag(char out[static BASE_TAG_ROOM], uint64_t generation, const char *bundle)
{
	if (generation)
		snprintf(out, BASE_TAG_ROOM, "%" PRIu64 "-%.16s", generation, bundle);
	else
		snprintf(out, BASE_TAG_ROOM, "0");
}

int message_decoded(const struct wire_in *in, bool holds, const char *what, struct err *why)
{
	if (!wire_done(in) || !holds)
		return err_set(why, EPROTO, "%s: truncated, too long or out of range", what);
	return 0;
}

void message_put_asker(struct buf *out, const struct asker *by)
{
	wire_put_str(out, by->base);
	wire_put_str(out, by->who);
	wire_put_str(out, by->from);
}

struct asker message_get_asker(struct wire_in *in, struct arena *a)
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
	message_put_asker(out, &s->by);
}

int set_posture_decode(struct set_posture *out, struct arena *a, const void *bytes, size_t len,
		       struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct set_posture s = { 0 };

	s.name = wire_get_str(&in, a);
	s.reason = wire_get_str(&in, a);
	s.seconds = wire_get_u32(&in);
	s.by = message_get_asker(&in, a);
	bool holds = strlen(s.reason) <= REASON_MAX && s.seconds <= POSTURE_SECONDS_MAX;
	int rc = message_decoded(&in, holds, "set-posture", why);
	if (!rc)
		*out = s;
	return rc;
}

void apply_encode(struct buf *out, const struct apply *a)
{
	wire_put_u8(out, a->downgrade);
	wire_put_u32(out, a->confirm);
	message_put_asker(out, &a->by);
}

int apply_decode(struct apply *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct apply ask = { .downgrade = wire_get_u8(&in) };

	ask.confirm = wire_get_u32(&in);
	ask.by = message_get_asker(&in, a);
	int rc = message_decoded(&in, ask.downgrade <= 1 && ask.confirm <= CONFIRM_SECONDS_MAX, "apply", why);
	if (!rc)
		*out = ask;
	return rc;
}

#define SOURCE_BYTES (1 + 16 + 1)

static void put_source(struct buf *out, struct prefix p)
{
	uint8_t bytes[16] = { 0 };

	addr_to_bytes(p.addr, bytes);
	wire_put_u8(out, (uint8_t)p.addr.family);
	buf_add(out, bytes, sizeof bytes);
	wire_put_u8(out, (uint8_t)p.len);
}

/* From 1 to the bits of a host: IPv4 32, IPv6 64. None has bits beyond its length. */
static bool source_holds(struct prefix p)
{
	const unsigned most = p.addr.family == FAMILY_IP4 ? 32 : 64;

	return p.len >= 1 && p.len <= most && !(p.addr.num & prefix_range((struct prefix){ { p.addr.family, 0 }, p.len }).hi);
}

static struct prefix get_source(struct wire_in *in)
{
	const uint8_t family = wire_get_u8(in);
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof bytes; i++) {
		bytes[i] = wire_get_u8(in);
		if (family == FAMILY_IP4 && i >= 4 && bytes[i])
			in->bad = true; /* an IPv4 address leaves these empty */
	}
	const uint8_t len = wire_get_u8(in);
	if (family >= FAMILY_COUNT)
		in->bad = true;
	const struct prefix p = { in->bad ? (struct addr){ 0 } : addr_from_bytes((enum family)family, bytes), len };
	if (!in->bad && !source_holds(p))
		in->bad = true;
	return in->bad ? (struct prefix){ 0 } : p;
}

static void put_sources(struct buf *out, const struct prefix *at, uint32_t count)
{
	wire_put_u32(out, count);
	for (uint32_t i = 0; i < count; i++)
		put_source(out, at[i]);
}

static struct prefix *get_sources(struct wire_in *in, struct arena *a, uint32_t *count)
{
	*count = wire_get_count(in, SOURCE_BYTES);
	struct prefix *at = arena_zero(a, (*count + (size_t)1) * sizeof *at);

	for (uint32_t i = 0; i < *count; i++)
		at[i] = get_source(in);
	return at;
}

void block_encode(struct buf *out, const struct block *b)
{
	wire_put_u32(out, b->seconds);
	wire_put_str(out, b->reason);
	put_sources(out, b->sources, b->source_count);
	message_put_asker(out, &b->by);
}

int block_decode(struct block *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct block b = { 0 };

	b.seconds = wire_get_u32(&in);
	b.reason = wire_get_str(&in, a);
	b.sources = get_sources(&in, a, &b.source_count);
	b.by = message_get_asker(&in, a);
	bool holds = b.seconds <= POSTURE_SECONDS_MAX && b.source_count && b.source_count <= BLOCK_SOURCES_MAX &&
		     strlen(b.reason) <= REASON_MAX;
	int rc = message_decoded(&in, holds, "block", why);
	if (!rc)
		*out = b;
	return rc;
}

void blocks_encode(struct buf *out, const struct blocks *b)
{
	wire_put_u8(out, b->known);
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

	const uint8_t known = wire_get_u8(&in);

	b.known = known;
	b.total = wire_get_u64(&in);
	b.row_count = wire_get_count(&in, SOURCE_BYTES + 8 + 4);
	b.rows = arena_zero(a, (b.row_count + 1) * sizeof *b.rows);
	for (uint32_t i = 0; i < b.row_count; i++) {
		b.rows[i].source = get_source(&in);
		b.rows[i].until = wire_get_u64(&in);
		b.rows[i].by = wire_get_str(&in, a);
	}
	int rc = message_decoded(&in, known <= 1 && b.row_count <= BLOCKS_LISTED_MAX, "blocks", why);
	if (!rc)
		*out = b;
	return rc;
}

void rollback_encode(struct buf *out, const struct rollback *r)
{
	wire_put_u64(out, r->to);
	wire_put_u32(out, r->confirm);
	message_put_asker(out, &r->by);
}

int rollback_decode(struct rollback *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct rollback r = { .to = wire_get_u64(&in) };

	r.confirm = wire_get_u32(&in);
	r.by = message_get_asker(&in, a);
	int rc = message_decoded(&in, r.confirm <= CONFIRM_SECONDS_MAX, "rollback", why);
	if (!rc)
		*out = r;
	return rc;
}

void settle_encode(struct buf *out, const struct settle *s)
{
	wire_put_u64(out, s->opened_ns);
	message_put_asker(out, &s->by);
}

int settle_decode(struct settle *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct settle s = { .opened_ns = wire_get_u64(&in) };

	s.by = message_get_asker(&in, a);
	int rc = message_decoded(&in, true, "settle", why);
	if (!rc)
		*out = s;
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
	put_sources(out, r->not_blocked, r->not_blocked_count);
	put_sources(out, r->still_blocked, r->still_blocked_count);
	put_sources(out, r->no_place, r->no_place_count);
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
	r.not_blocked = get_sources(&in, a, &r.not_blocked_count);
	r.still_blocked = get_sources(&in, a, &r.still_blocked_count);
	r.no_place = get_sources(&in, a, &r.no_place_count);
	const bool holds = r.code < RESULT_COUNT && r.not_blocked_count <= BLOCK_SOURCES_MAX && r.no_place_count <= BLOCK_SOURCES_MAX &&
			   r.still_blocked_count <= 2 * BLOCK_SOURCES_MAX && r.still_blocked_count % 2 == 0;
	int rc = message_decoded(&in, holds, "result", why);
	if (!rc)
		*out = r;
	return rc;
}
