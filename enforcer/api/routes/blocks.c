/*
 * blocks - sources blocked for a time: who is, who shall be, who no longer.
 */
#include <string.h>

#include "enforcer/api/http/request.h"
#include "lang/vocab/source.h"

static bool refuse_source(struct request *r, const char *text, const char *fault, struct prefix instead)
{
	char try[ADDR_TEXT];

	request_refuse(r, PROBLEM_FIELD, "sources", prefix_print(instead, try), "sources: `%s` %s", text, fault);
	return false;
}

/* Otherwise it is refused, with what to write instead. */
static bool read_source(struct request *r, const char *text, struct prefix *out)
{
	switch (source_parse(text, out)) {
	case SOURCE_OK:
		return true;
	case SOURCE_NONE:
		request_refuse(r, PROBLEM_FIELD, "sources", "write an address or a network: 198.51.100.7, 2001:db8::7, 203.0.113.0/24, 2001:db8::/48",
			       "sources: `%s` is no IPv4 or IPv6 address, and no network", text);
		return false;
	case SOURCE_PART:
		return refuse_source(r, text, "is a part of a /64, and of IPv6 nothing less than a /64 is blocked", *out);
	case SOURCE_HOST_BITS:
		return refuse_source(r, text, "has bits behind the network's length", *out);
	case SOURCE_EVERYBODY:
		break;
	}
	request_refuse(r, PROBLEM_FIELD, "sources", "switch to a closed posture: tegctl posture", "sources: `%s` is everybody", text);
	return false;
}

static const char *print_source(struct arena *a, struct prefix source)
{
	char text[ADDR_TEXT];

	return arena_strdup(a, prefix_print(source, text));
}

void request_add_no_place(struct request *r, cJSON *to, const struct result *result)
{
	cJSON *list = result->no_place_count ? cJSON_AddArrayToObject(to, "no_place") : NULL;

	for (uint32_t i = 0; i < result->no_place_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(print_source(request_arena(r), result->no_place[i])));
}

void request_add_unblocked(struct request *r, cJSON *to, const struct result *result)
{
	cJSON *list = cJSON_AddArrayToObject(to, "not_blocked"), *still = cJSON_AddArrayToObject(to, "still_blocked");

	for (uint32_t i = 0; i < result->not_blocked_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(print_source(request_arena(r), result->not_blocked[i])));
	for (uint32_t i = 0; i + 1 < result->still_blocked_count; i += 2) {
		cJSON *one = cJSON_CreateObject();

		json_add_text(one, "source", print_source(request_arena(r), result->still_blocked[i]));
		json_add_text(one, "network", print_source(request_arena(r), result->still_blocked[i + 1]));
		cJSON_AddItemToArray(still, one);
	}
}

/* ---- the list ------------------------------------------------------------------------ */

static void blocks_told(struct request *r, struct answer *a)
{
	cJSON *body = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(body, "blocks");

	for (uint32_t i = 0; i < a->blocks.row_count; i++) {
		const struct blocked_row *row = &a->blocks.rows[i];
		cJSON *one = cJSON_CreateObject();

		json_add_text(one, "source", print_source(request_arena(r), row->source));
		json_add_time(one, "until", row->until);
		json_add_text(one, "by", row->by);
		cJSON_AddItemToArray(list, one);
	}
	if (a->blocks.known)
		json_add_count(body, "total", a->blocks.total);
	else
		cJSON_AddNullToObject(body, "total");
	request_reply(r, MHD_HTTP_OK, body);
}

void route_blocks(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_BLOCKS, .fd = -1 }, blocks_told);
}

/* ---- changes ---------------------------------------------------------------------------- */

struct block_asked {
	struct json_texts sources;
	const char *reason;
	uint64_t duration_minutes, duration_seconds;
};

#define SOURCES_FIELD                                                                              \
	{ "sources", JSON_TEXTS, .required = true, .at = offsetof(struct block_asked, sources),         \
	  .least = 1, .most = BLOCK_SOURCES_MAX, .about = "IPv4 addresses, IPv6 addresses, of which the /64 is meant, and networks of both" }
#define REASON_FIELD                                                                               \
	{ "reason", JSON_TEXT, .at = offsetof(struct block_asked, reason),                              \
	  .most = REASON_MAX, .about = "why; stands in the audit log" }

const struct json_field block_fields[] = {
	SOURCES_FIELD,
	REASON_FIELD,
	{ "duration_minutes", JSON_COUNT, .at = offsetof(struct block_asked, duration_minutes),
	  .least = 1, .most = POSTURE_SECONDS_MAX / 60, .about = "for how long; one of both must be there, and both are added up" },
	{ "duration_seconds", JSON_COUNT, .at = offsetof(struct block_asked, duration_seconds),
	  .least = 1, .most = POSTURE_SECONDS_MAX, .about = "the same in seconds" },
	{ 0 }
};

const struct json_field unblock_fields[] = {
	SOURCES_FIELD,
	REASON_FIELD,
	{ 0 }
};

/* Each once, however it is written. */
static uint32_t each_once(struct arena *a, struct prefix *at, size_t count)
{
	bool *again = arena_zero(a, count * sizeof *again);
	uint32_t kept = 0;

	sources_again(again, at, count);
	for (size_t i = 0; i < count; i++)
		if (!again[i])
			at[kept++] = at[i];
	return kept;
}

static void ask_change(struct request *r, const struct block_asked *asked, uint32_t seconds)
{
	own(buf) struct buf payload = { 0 };
	struct block b = { .seconds = seconds, .reason = asked->reason, .by = request_asker(r) };

	b.sources = arena_zero(request_arena(r), asked->sources.len * sizeof *b.sources);
	for (size_t i = 0; i < asked->sources.len; i++)
		if (!read_source(r, asked->sources.at[i], &b.sources[i]))
			return;
	b.source_count = each_once(request_arena(r), b.sources, asked->sources.len);
	block_encode(&payload, &b);
	request_change(r, &(struct question){ MESSAGE_BLOCK, buf_text(&payload), payload.len, -1 });
}

void route_block(struct request *r)
{
	struct block_asked asked = { .reason = "" };
	uint32_t seconds;

	if (request_read(r, &asked) && request_lasts(r, asked.duration_minutes, asked.duration_seconds, true, &seconds))
		ask_change(r, &asked, seconds);
}

void route_unblock(struct request *r)
{
	struct block_asked asked = { .reason = "" };

	if (request_read(r, &asked))
		ask_change(r, &asked, 0);
}
