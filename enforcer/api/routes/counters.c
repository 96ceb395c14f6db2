/*
 * counters - what each rule decided, and what no rule could: the numbers behind /metrics, as JSON.
 */
#include "enforcer/api/http/request.h"
#include "lang/vocab/cause.h"

static cJSON *rule_json(const struct counter_row *row)
{
	cJSON *out = cJSON_CreateObject();

	json_add_text(out, "id", row->id);
	json_add_text(out, "layer", layer_name(row->layer));
	json_add_text(out, "verdict", counter_verdict(row));
	json_add_text(out, "posture", row->posture);
	json_add_count(out, "packets", row->packets);
	json_add_count(out, "bytes", row->bytes);
	return out;
}

static cJSON *cause_json(enum cause c, const struct counters *of)
{
	cJSON *out = cJSON_CreateObject();

	json_add_text(out, "cause", cause_name(c));
	json_add_text(out, "verdict", verdict_name(cause_verdict(c)));
	json_add_count(out, "packets", of->causes[c]);
	json_add_count(out, "passed", of->passed[c]);
	return out;
}

static void counters_told(struct request *r, struct answer *a)
{
	const struct counters *c = &a->counters;
	cJSON *body, *list;

	if (!c->at_ns) {
		request_refuse(r, PROBLEM_UNREADABLE, NULL, NULL, "the warden could not read them");
		return;
	}
	body = cJSON_CreateObject();
	json_add_count(body, "at_ns", c->at_ns);
	list = cJSON_AddArrayToObject(body, "rules");
	for (uint32_t i = 0; i < c->row_count; i++)
		cJSON_AddItemToArray(list, rule_json(&c->rows[i]));
	list = cJSON_AddArrayToObject(body, "unjudged");
	for (unsigned i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		cJSON_AddItemToArray(list, cause_json((enum cause)i, c));
	json_add_count(body, "blocked_sources", c->blocked_sources);
	json_add_count(body, "crowded", c->crowded);
	request_reply(r, MHD_HTTP_OK, body);
}

void route_counters(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_COUNTERS, .fd = -1 }, counters_told);
}
