/*
 * diff - what changed from one generation that is kept to another.
 */
#include "enforcer/api/compare.h"
#include "enforcer/api/http/request.h"

struct diff_asked {
	uint64_t from, to;
};

const struct json_field diff_fields[] = {
	{ "from", JSON_COUNT, .required = true, .at = offsetof(struct diff_asked, from),
	  .least = 1, .most = (UINT64_C(1) << 53) - 1, .about = "a generation that `history` lists" },
	{ "to", JSON_COUNT, .required = true, .at = offsetof(struct diff_asked, to),
	  .least = 1, .most = (UINT64_C(1) << 53) - 1, .about = "the one that it is compared with" },
	{ 0 }
};

static void ask_bundle(struct request *r, uint64_t generation, request_then *then)
{
	own(buf) struct buf payload = { 0 };

	ask_bundle_encode(&payload, &(struct ask_bundle){ generation });
	request_ask(r, &(struct question){ MESSAGE_ASK_BUNDLE, buf_text(&payload), payload.len, -1 }, then);
}

/* False when the answer has none that can be read, which is then said. */
static bool read_answer(struct request *r, size_t nth, const char *field, struct view *bytes, struct side *out)
{
	const struct answer *a = request_answer(r, nth);
	struct err why = { 0 };

	if (!*a->bundle.id || !view_file(bytes, a->fd)) {
		request_refuse(r, PROBLEM_FIELD, field, "choose one that `tegctl history` lists",
			       "%s: there is none of that number, or its bundle is not kept", field);
		return false;
	}
	if (!side_read(out, request_arena(r), bytes, &why))
		return true;
	request_refuse(r, PROBLEM_REFUSED, field, NULL, "%s: its bundle cannot be read: %s", field, why.text);
	return false;
}

static void add_side(cJSON *to, const char *name, const struct side *s)
{
	cJSON *side = cJSON_AddObjectToObject(to, name);

	json_add_text(side, "policy", s->plan.policy);
	json_add_text(side, "version", s->plan.version);
	json_add_text(side, "bundle", bundle_id(s->bundle)->hex);
}

static void both_told(struct request *r, struct answer *a)
{
	own(view) struct view was_bytes = { 0 }, is_bytes = { 0 };
	own(side) struct side was = { 0 }, is = { 0 };

	(void)a;
	if (!read_answer(r, 0, "from", &was_bytes, &was) || !read_answer(r, 1, "to", &is_bytes, &is))
		return;
	cJSON *body = cJSON_CreateObject();
	cJSON_AddBoolToObject(body, "same", compare_same(&was, &is));
	add_side(body, "from", &was);
	add_side(body, "to", &is);
	compare_add(body, request_arena(r), &was, &is);
	request_reply(r, MHD_HTTP_OK, body);
}

static void one_told(struct request *r, struct answer *a)
{
	struct diff_asked asked = { 0 };

	(void)a;
	if (request_read(r, &asked))
		ask_bundle(r, asked.to, both_told);
}

void route_diff(struct request *r)
{
	struct diff_asked asked = { 0 };

	if (request_read(r, &asked))
		ask_bundle(r, asked.from, one_told);
}
