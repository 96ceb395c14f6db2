/*
 * message_past.c - what was, as bytes: generations, their bundles, the audit log.
 */
#include "enforcer/proc/message_parts.h"

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
	int rc = message_decoded(&in, true, "history", why);
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
	int rc = message_decoded(&in, true, "ask-bundle", why);

	if (!rc)
		*out = q;
	return rc;
}

void ask_audit_encode(struct buf *out, const struct ask_audit *q)
{
	wire_put_u64(out, q->before);
}

int ask_audit_decode(struct ask_audit *out, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	const struct ask_audit q = { wire_get_u64(&in) };
	int rc = message_decoded(&in, true, "ask-audit", why);

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
	int rc = message_decoded(&in, true, "bundle", why);

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
	int rc = message_decoded(&in, true, "audit", why);
	if (!rc)
		*out = h;
	return rc;
}
