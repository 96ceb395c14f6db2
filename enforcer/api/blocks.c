/*
 * blocks - sources blocked for a time: who is, who shall be, who no longer.
 */
#include <string.h>

#include "enforcer/api/request.h"
#include "lang/base/addr.h"

/* ::ffff:192.0.2.1 is how a socket of both versions writes down an IPv4 client (RFC 4291, 2.5.5.2); no packet has it. */
static struct addr unmapped(struct addr a)
{
	if (a.family == FAMILY_IP6 && a.num >> 32 == 0xffff)
		return (struct addr){ FAMILY_IP4, a.num & UINT32_MAX };
	return a;
}

/* An IPv4 address or an IPv6 /64, which may be written as any address in it. */
static bool parse_source(const char *text, struct addr *out)
{
	struct prefix p;

	if (addr_parse(text, out)) {
		*out = unmapped(*out);
		return true;
	}
	if (prefix_parse(text, &p) != PREFIX_OK || p.len != (p.addr.family == FAMILY_IP4 ? 32 : 64))
		return false;
	*out = p.addr;
	return true;
}

static const char *print_source(struct arena *a, struct addr source)
{
	struct prefix p = { source, source.family == FAMILY_IP4 ? 32 : 64 };
	char text[ADDR_TEXT];

	p.addr.num &= ~prefix_range((struct prefix){ { source.family, 0 }, p.len }).hi;
	return arena_strdup(a, source.family == FAMILY_IP4 ? addr_print(source, text) : prefix_print(p, text));
}

void request_add_not_blocked(struct request *r, cJSON *to, const struct result *result)
{
	cJSON *list = cJSON_AddArrayToObject(to, "not_blocked");

	for (uint32_t i = 0; i < result->not_blocked_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(print_source(request_arena(r), result->not_blocked[i])));
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
	json_add_count(body, "total", a->blocks.total);
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
	uint64_t duration_minutes;
};

#define SOURCES_FIELD                                                                              \
	{ "sources", JSON_TEXTS, .required = true, .at = offsetof(struct block_asked, sources),         \
	  .least = 1, .most = BLOCK_SOURCES_MAX, .about = "IPv4 addresses, or IPv6 addresses, of which the /64 is meant" }
#define REASON_FIELD                                                                               \
	{ "reason", JSON_TEXT, .at = offsetof(struct block_asked, reason),                              \
	  .most = REASON_MAX, .about = "why; stands in the audit log" }

const struct json_field block_fields[] = {
	SOURCES_FIELD,
	REASON_FIELD,
	{ "duration_minutes", JSON_COUNT, .required = true, .at = offsetof(struct block_asked, duration_minutes),
	  .least = 1, .most = POSTURE_SECONDS_MAX / 60, .about = "for how long" },
	{ 0 }
};

const struct json_field unblock_fields[] = {
	SOURCES_FIELD,
	REASON_FIELD,
	{ 0 }
};

static void ask_change(struct request *r)
{
	struct block_asked asked = { .reason = "" };
	own(buf) struct buf payload = { 0 };
	struct block b;

	if (!request_read(r, &asked))
		return;
	b = (struct block){ .seconds = (uint32_t)asked.duration_minutes * 60, .reason = asked.reason, .by = request_asker(r),
			    .source_count = (uint32_t)asked.sources.len };
	b.sources = arena_zero(request_arena(r), asked.sources.len * sizeof *b.sources);
	for (size_t i = 0; i < asked.sources.len; i++)
		if (!parse_source(asked.sources.at[i], &b.sources[i])) {
			const char *text = asked.sources.at[i];

			request_refuse(r, PROBLEM_FIELD, "sources",
				       strchr(text, '/') ? "for a network, write a `block` in the policy, or load it on a feed: `tegctl feed`" :
							   "write an address, 198.51.100.7 or 2001:db8::7",
				       "sources: `%s` is no IPv4 address, and no IPv6 address or /64", text);
			return;
		}
	block_encode(&payload, &b);
	request_change(r, &(struct question){ MESSAGE_BLOCK, buf_text(&payload), payload.len, -1 });
}

void route_block(struct request *r)
{
	ask_change(r);
}

void route_unblock(struct request *r)
{
	ask_change(r);
}
