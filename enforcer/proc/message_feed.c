/* Feeds: how much is on them, and what is to be. */
#include <string.h>

#include "bpf-templates/abi.h"
#include "enforcer/proc/message_parts.h"
#include "lang/base/wire.h"

#define ROW_BYTES 44 /* at least */

void feeds_told_encode(struct buf *out, const struct feeds_told *f)
{
	wire_put_u32(out, f->row_count);
	for (uint32_t i = 0; i < f->row_count; i++) {
		const struct feed_row *r = &f->rows[i];

		wire_put_str(out, r->name);
		wire_put_u8(out, (uint8_t)r->format);
		wire_put_str(out, r->member);
		wire_put_u32(out, r->column);
		wire_put_u32(out, r->most);
		wire_put_u32(out, r->stale_s);
		wire_put_u8(out, r->stale_keeps);
		wire_put_u64(out, r->loaded);
		wire_put_u32(out, r->entries);
		wire_put_u32(out, r->prefixes);
		wire_put_str(out, r->digest);
		wire_put_u8(out, r->stale);
		wire_put_u8(out, r->in_force);
	}
}

static bool get_row(struct wire_in *in, struct arena *a, struct feed_row *r)
{
	r->name = wire_get_str(in, a);
	r->format = (enum feed_format)wire_get_u8(in);
	r->member = wire_get_str(in, a);
	r->column = wire_get_u32(in);
	r->most = wire_get_u32(in);
	r->stale_s = wire_get_u32(in);
	r->stale_keeps = wire_get_u8(in);
	r->loaded = wire_get_u64(in);
	r->entries = wire_get_u32(in);
	r->prefixes = wire_get_u32(in);
	r->digest = wire_get_str(in, a);
	r->stale = wire_get_u8(in);
	r->in_force = wire_get_u8(in);
	return r->format < FORMAT_COUNT && r->stale_keeps <= 1 && r->stale <= 1 && r->in_force <= 1;
}

int feeds_told_decode(struct feeds_told *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct feeds_told f = { .row_count = wire_get_count(&in, ROW_BYTES) };
	bool holds = f.row_count <= TEG_FEEDS_MAX;

	f.rows = arena_zero(a, (f.row_count + 1) * sizeof *f.rows);
	for (uint32_t i = 0; i < f.row_count && holds; i++)
		holds = get_row(&in, a, &f.rows[i]);
	int rc = message_decoded(&in, holds, "feeds", why);
	if (!rc)
		*out = f;
	return rc;
}

void feed_given_encode(struct buf *out, const struct feed_given *f)
{
	wire_put_str(out, f->name);
	wire_put_u32(out, f->entries);
	wire_put_u8(out, f->clears);
	message_put_asker(out, &f->by);
}

int feed_given_decode(struct feed_given *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct feed_given f = { .name = wire_get_str(&in, a) };

	f.entries = wire_get_u32(&in);
	f.clears = wire_get_u8(&in);
	f.by = message_get_asker(&in, a);
	int rc = message_decoded(&in, f.entries <= TEG_FEED_ENTRIES_MAX && f.clears <= 1, "feed", why);
	if (!rc)
		*out = f;
	return rc;
}
