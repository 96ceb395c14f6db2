/*
 * feel - the five figures, and beside them the numbers that their formulas use.
 */
#include "enforcer/api/http/request.h"

static void add_raw(cJSON *to, const struct qualia_now *n)
{
	cJSON *raw = cJSON_AddObjectToObject(to, "raw");

	json_add_share(raw, "packets_per_second", n->pps);
	json_add_share(raw, "bytes_per_second", n->bytes_per_s);
	json_add_share(raw, "admitted_per_second", n->admitted_pps);
	json_add_share(raw, "dropped_per_second", n->dropped_pps);
	json_add_share(raw, "hostile_per_second", n->hostile_pps);
	json_add_share(raw, "usual_packets_per_second", n->usual_pps);
	json_add_share(raw, "deviation_packets_per_second", n->deviation_pps);
	json_add_share(raw, "entropy_bits", n->entropy_bits);
	json_add_count(raw, "rules_active", n->rules_active);
	json_add_count(raw, "blocked_sources", n->blocked_sources);
}

/* Before two samples nothing is known, and null says so. */
cJSON *qualia_json(struct qualia *q)
{
	cJSON *body = cJSON_CreateObject();
	struct qualia_now now;

	qualia_get(q, &now);
	for (size_t i = 0; i < QUALE_COUNT; i++)
		if (now.felt)
			json_add_share(body, quale_rows[i].name, now.value[i]);
		else
			cJSON_AddNullToObject(body, quale_rows[i].name);
	json_add_share(body, "window_seconds", now.window_s);
	add_raw(body, &now);
	return body;
}

void route_qualia(struct request *r)
{
	request_reply(r, MHD_HTTP_OK, qualia_json(request_server(r)->qualia));
}
