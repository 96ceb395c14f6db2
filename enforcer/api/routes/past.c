/*
 * past - the generations that were in force: which, their bundles, one of them again; and whether the one
 * that waits for it may stay.
 */
#include "enforcer/api/http/request.h"

/* ---- looking ---------------------------------------------------------------------- */

static cJSON *generation_json(const struct history_row *row)
{
	cJSON *out = cJSON_CreateObject();

	json_add_count(out, "generation", row->number);
	json_add_text(out, "bundle", row->bundle);
	json_add_text(out, "policy", row->policy);
	json_add_text(out, "version", row->version);
	json_add_count(out, "serial", row->serial);
	json_add_time(out, "at", row->at);
	json_add_text(out, "how", row->how);
	json_add_count(out, "of", row->of);
	json_add_text(out, "result", row->result);
	return out;
}

static void history_told(struct request *r, struct answer *a)
{
	cJSON *body = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(body, "generations");

	for (uint32_t i = 0; i < a->history.row_count; i++)
		cJSON_AddItemToArray(list, generation_json(&a->history.rows[i]));
	json_add_count(body, "now", a->history.now);
	request_reply(r, MHD_HTTP_OK, body);
}

void route_history(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_HISTORY, .fd = -1 }, history_told);
}

struct bundle_asked {
	uint64_t generation;
};

const struct json_field bundle_fields[] = {
	{ "generation", JSON_COUNT, .required = true, .at = offsetof(struct bundle_asked, generation),
	  .least = 1, .most = (UINT64_C(1) << 53) - 1, .about = "whose bundle; `history` lists them" },
	{ 0 }
};

static void bundle_told(struct request *r, struct answer *a)
{
	const off_t len = *a->bundle.id ? lseek(a->fd, 0, SEEK_END) : -1;

	if (len < 0) {
		request_refuse(r, PROBLEM_FIELD, "generation", "choose one that `tegctl history` lists",
			       "generation: there is none of that number, or its bundle is not kept");
		return;
	}
	request_reply_file(r, "application/octet-stream", a->fd, (uint64_t)len);
}

void route_bundle(struct request *r)
{
	struct bundle_asked asked = { 0 };
	own(buf) struct buf payload = { 0 };

	if (!request_read(r, &asked))
		return;
	ask_bundle_encode(&payload, &(struct ask_bundle){ asked.generation });
	request_ask(r, &(struct question){ MESSAGE_ASK_BUNDLE, buf_text(&payload), payload.len, -1 }, bundle_told);
}

/* ---- changing ------------------------------------------------------------------------- */

struct rollback_asked {
	uint64_t generation, confirm_seconds;
};

const struct json_field rollback_fields[] = {
	{ "generation", JSON_COUNT, .at = offsetof(struct rollback_asked, generation),
	  .least = 1, .most = (UINT64_C(1) << 53) - 1, .about = "which to restore; else the last that had another bundle" },
	{ "confirm_seconds", JSON_COUNT, .at = offsetof(struct rollback_asked, confirm_seconds),
	  .least = 1, .most = CONFIRM_SECONDS_MAX, .about = "go back unless it is confirmed by then" },
	{ 0 }
};

void route_rollback(struct request *r)
{
	struct rollback_asked asked = { 0 };
	own(buf) struct buf payload = { 0 };

	if (!request_read(r, &asked))
		return;
	rollback_encode(&payload, &(struct rollback){ asked.generation, (uint32_t)asked.confirm_seconds, request_asker(r) });
	request_change(r, &(struct question){ MESSAGE_ROLLBACK, buf_text(&payload), payload.len, -1 });
}

/* Over which connection it is asked tells the warden whether the new generation lets one be opened. */
static void settle(struct request *r, enum message_kind how)
{
	own(buf) struct buf payload = { 0 };

	settle_encode(&payload, &(struct settle){ client_opened_ns(request_client(r)), request_asker(r) });
	request_change(r, &(struct question){ how, buf_text(&payload), payload.len, -1 });
}

/*
 * A browser has connections from before the switch, and asks over one of them: answered with Connection: close,
 * it opens another the next time.
 */
void route_confirm(struct request *r)
{
	request_close(r);
	settle(r, MESSAGE_CONFIRM);
}

void route_cancel(struct request *r)
{
	settle(r, MESSAGE_CANCEL);
}
