/*
 * Fuzz target: what the warden reads of the api, and the api of the warden, clients and files.
 *
 *     make fuzz FUZZERS=message
 *
 * The first byte says which reader gets the rest. A payload that is taken must be what would be
 * written of it; of texts only that they are read without harm, and shown without their secrets.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/api/access/roster.h"
#include "enforcer/api/events.h"
#include "enforcer/api/json.h"
#include "enforcer/ctl/verify.h"
#include "enforcer/proc/message.h"
#include "enforcer/proc/url.h"
#include "lang/base/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A payload of one struct: read, written, and the same. */
#define ROUND_TRIP(kind, ...)                                                                      \
	static void read_##kind(struct arena *a, const void *bytes, size_t len)                     \
	{                                                                                          \
		own(buf) struct buf again = { 0 };                                                  \
		struct kind got;                                                                    \
		struct err why;                                                                     \
                                                                                                   \
		(void)a;                                                                            \
		if (kind##_decode(&got, __VA_ARGS__ bytes, len, &why))                              \
			return;                                                                     \
		kind##_encode(&again, &got);                                                        \
		if (again.len != len || memcmp(buf_text(&again), bytes, len))                       \
			abort();                                                                    \
	}

ROUND_TRIP(status, a, )
ROUND_TRIP(counters, a, )
ROUND_TRIP(set_posture, a, )
ROUND_TRIP(apply, a, )
ROUND_TRIP(rollback, a, )
ROUND_TRIP(settle, a, )
ROUND_TRIP(block, a, )
ROUND_TRIP(result, a, )
ROUND_TRIP(history, a, )
ROUND_TRIP(ask_bundle, )
ROUND_TRIP(kept_bundle, a, )
ROUND_TRIP(ask_audit, )
ROUND_TRIP(audit_head, )
ROUND_TRIP(event, a, )
ROUND_TRIP(blocks, a, )

/* What is taken is shown, too. */
static void read_packets(struct arena *a, const void *bytes, size_t len)
{
	own(buf) struct buf again = { 0 };
	struct packets got;
	struct err why;

	if (packets_decode(&got, a, bytes, len, &why))
		return;
	packets_encode(&again, &got);
	if (again.len != len || memcmp(buf_text(&again), bytes, len))
		abort();
	for (uint32_t i = 0; i < got.row_count; i++)
		cJSON_Delete(packet_json(&got.rows[i]));
}

static void read_roster(struct arena *a, const void *bytes, size_t len)
{
	own(roster) struct roster *r = roster_new();
	struct err why;
	char *text = arena_strndup(a, bytes, strnlen(bytes, len));

	if (!roster_read_tokens(r, text, &why) && r->tokens.len > len)
		abort();
}

static void read_names(struct arena *a, const void *bytes, size_t len)
{
	struct certs c = { 0 };
	struct err why;
	char *text = arena_strndup(a, bytes, strnlen(bytes, len));

	if (!certs_read(&c, a, text, &why) && c.rows.len > len)
		abort();
}

/* A certificate's bytes: nobody is more than a line says, and what is told of them is text. */
static void read_certificate(struct arena *a, const void *bytes, size_t len)
{
	struct certs c = { .judge = true };
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)bytes, (unsigned)len };
	char text[] = "viewer dns a.example\noperator email ops@a.example\n";
	struct caller who;
	struct err why;

	if (certs_read(&c, a, text, &why))
		abort();
	access_of_certificate(&who, &der, &c);
	if (who.may > ACCESS_OPERATOR)
		abort();
	for (const char *at = who.name; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			abort();
}

/* A log with faults has one that is told. */
static void read_log(struct arena *a, const void *bytes, size_t len)
{
	own(verify) struct verify v;
	own(buf) struct buf text = { 0 };

	(void)a;
	buf_add(&text, bytes, len);
	verify_begin(&v, "");
	verify_file(&v, "audit.log", &text);
	verify_end(&v);
	if (len && !v.files.len && !v.faults.len)
		abort();
}

static void read_url(struct arena *a, const void *bytes, size_t len)
{
	char *text = arena_strndup(a, bytes, strnlen(bytes, len));
	struct url u;
	struct err why;

	if (url_parse(&u, a, text, &why))
		return;
	/* What is shown does not depend on the password. */
	const char *shown = url_redacted(a, &u);
	if (*u.password)
		u.password = "another";
	if (strcmp(shown, url_redacted(a, &u)) != 0)
		abort();
}

static void read_chain(struct arena *a, const void *bytes, size_t len)
{
	struct chain c = CHAIN_BEGIN;
	struct err why;

	(void)a;
	if (!chain_follow(&c, bytes, len, &why) && c.seq != 1)
		abort();
}

static void read_json(struct arena *a, const void *bytes, size_t len)
{
	static const struct json_field fields[] = {
		{ "t", JSON_TEXT, .most = 64 }, { "c", JSON_COUNT, .at = 8, .most = 1 << 20 },
		{ "l", JSON_TEXTS, .at = 16, .least = 1, .most = 8 }, { 0 },
	};
	struct { const char *t; uint64_t c; struct json_texts l; } out = { 0 };
	struct json_fault fault = { 0 };

	if (json_read(&out, fields, a, bytes, len, &fault))
		return;
	for (size_t i = 0; i < out.l.len; i++)
		if (!*out.l.at[i] || strlen(out.l.at[i]) > JSON_TEXTS_BYTES)
			abort();
	if (out.c > 1 << 20 || (out.t && strlen(out.t) > 64))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const readers[])(struct arena *a, const void *bytes, size_t len) = {
		read_status, read_counters, read_set_posture, read_apply, read_rollback, read_settle, read_block, read_result,
		read_history, read_ask_bundle, read_kept_bundle, read_ask_audit, read_audit_head, read_event, read_blocks,
		read_roster, read_url, read_chain, read_json, read_packets, read_names, read_certificate, read_log,
	};
	own(arena) struct arena *a = arena_new();

	if (len && bytes[0] < sizeof readers / sizeof *readers)
		readers[bytes[0]](a, bytes + 1, len - 1);
	return 0;
}
