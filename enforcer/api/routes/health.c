/*
 * health - is it alive, and does it protect?
 */
#include <string.h>

#include "enforcer/api/http/request.h"

void route_healthz(struct request *r)
{
	cJSON *body = cJSON_CreateObject();

	json_add_text(body, "status", "ok");
	request_reply(r, MHD_HTTP_OK, body);
}

void route_health(struct request *r)
{
	route_healthz(r);
}

static void refuse_ready(struct request *r, cJSON *reasons)
{
	cJSON *body = problem_json(PROBLEM_NOT_READY, NULL,
				   cJSON_GetStringValue(cJSON_GetArrayItem(reasons, 0)), NULL);

	cJSON_AddItemToObject(body, "reasons", reasons);
	request_refuse_json(r, PROBLEM_NOT_READY, body);
}

static void add_reason(cJSON *reasons, const char *text)
{
	cJSON_AddItemToArray(reasons, cJSON_CreateString(text));
}

static void ready_told(struct request *r, struct answer *a)
{
	const struct status *s = &a->status;
	cJSON *reasons = cJSON_CreateArray();

	if (status_is_unknown(s))
		add_reason(reasons, arena_printf(request_arena(r), "%s; `tegctl apply FILE.tegb`", s->fault));
	else if (!s->generation)
		add_reason(reasons, *s->fault ? arena_printf(request_arena(r), "no policy is enforced: %s; `tegctl apply FILE.tegb`", s->fault)
					      : "no policy is enforced: `tegctl apply FILE.tegb`");
	else if (*s->refuses)
		add_reason(reasons, s->refuses);
	if (s->generation && !s->intact && strcmp(s->fault, s->refuses))
		add_reason(reasons, arena_printf(request_arena(r), "the live parts are not %sthose of generation %llu: %s",
						 s->unknown_since ? "known to be " : "", (unsigned long long)s->generation, s->fault));
	if (cJSON_GetArraySize(reasons)) {
		refuse_ready(r, reasons);
		return;
	}
	cJSON_Delete(reasons);

	cJSON *body = cJSON_CreateObject();
	json_add_text(body, "status", "ready");
	json_add_count(body, "generation", s->generation);
	json_add_text(body, "posture", s->posture);
	request_reply(r, MHD_HTTP_OK, body);
}

static void ready_untold(struct request *r, enum heard how)
{
	cJSON *reasons = cJSON_CreateArray();

	if (how == HEARD_LATE && link_is_changing(request_server(r)->link))
		add_reason(reasons, "the warden is busy with a change");
	else
		add_reason(reasons, "the warden does not answer");
	refuse_ready(r, reasons);
}

void route_readyz(struct request *r)
{
	request_on_silence(r, ready_untold);
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_STATUS, .fd = -1 }, ready_told);
}
