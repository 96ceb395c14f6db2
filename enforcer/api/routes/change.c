/*
 * change - a posture or a policy put into force; answered when the outcome is known.
 */
#include <string.h>

#include "enforcer/api/http/request.h"
#include "lang/base/clock.h"

static enum problem problem_of(enum result_code c)
{
	switch (c) {
	case RESULT_REFUSED:
		return PROBLEM_REFUSED;
	case RESULT_CANNOT:
		return PROBLEM_CANNOT;
	case RESULT_CONFLICT:
		return PROBLEM_CONFLICT;
	case RESULT_STALE:
		return PROBLEM_STALE;
	case RESULT_OK:
	case RESULT_FAILED:
	case RESULT_COUNT:
		break;
	}
	return PROBLEM_FAILED;
}

const char *request_way_out(const char *part, enum result_code code)
{
	static const struct {
		const char *part;
		enum result_code code;
		const char *advice;
	} ways[] = {
#define WAY(part, code, advice) { part, RESULT_##code, advice },
#include "enforcer/api/routes/way.def"
#undef WAY
	};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (code == ways[i].code && !strcmp(part, ways[i].part))
			return ways[i].advice;
	return NULL;
}

static void add_active(cJSON *to, const struct result *result)
{
	json_add_count(to, "generation", result->generation);
	json_add_text(to, "posture", result->posture);
}

static void change_told(struct request *r, struct answer *a)
{
	const struct result *result = &a->result;
	cJSON *body;

	if (result->code == RESULT_OK) {
		body = cJSON_CreateObject();
		json_add_text(body, "result", result->pending_until ? "pending-confirm" : "active");
		json_add_text(body, "detail", result->text);
		add_active(body, result);
		json_add_time(body, "pending_until", result->pending_until);
		json_add_tests(body, result->tests_run, result->tests_left);
		request_add_unblocked(r, body, result);
		request_reply(r, MHD_HTTP_OK, body);
		return;
	}
	body = problem_json(problem_of(result->code), NULL, result->text, request_way_out(result->part, result->code));
	json_add_text(body, "result", "rejected");
	json_add_text(body, "part", result->part);
	json_add_text(body, "code", result_name(result->code));
	add_active(body, result);
	request_add_no_place(r, body, result);
	request_refuse_json(r, problem_of(result->code), body);
}

/* It was asked for, and nobody said how it ended. */
static void change_untold(struct request *r, enum heard how)
{
	if (how == HEARD_BUSY)
		request_refuse(r, PROBLEM_BUSY, NULL, NULL, "%d changes are already under way", LINK_CHANGES_MAX);
	else
		request_refuse(r, PROBLEM_UNKNOWN, NULL, NULL, "the warden %s", how == HEARD_LATE
			       ? "has not said how the change ended" : "ended while the change was under way");
}

void request_change(struct request *r, const struct question *q)
{
	request_on_silence(r, change_untold);
	request_ask(r, q, change_told);
}

struct posture_asked {
	const char *posture, *reason;
	uint64_t duration_minutes, duration_seconds; /* 0: until the next change */
};

const struct json_field posture_fields[] = {
	{ "posture", JSON_TEXT, .required = true, .at = offsetof(struct posture_asked, posture),
	  .least = 1, .most = 64, .about = "the posture to switch to" },
	{ "reason", JSON_TEXT, .at = offsetof(struct posture_asked, reason),
	  .most = REASON_MAX, .about = "why; shown by status" },
	{ "duration_minutes", JSON_COUNT, .at = offsetof(struct posture_asked, duration_minutes),
	  .least = 1, .most = POSTURE_SECONDS_MAX / 60, .about = "after how many minutes to return" },
	{ "duration_seconds", JSON_COUNT, .at = offsetof(struct posture_asked, duration_seconds),
	  .least = 1, .most = POSTURE_SECONDS_MAX, .about = "and seconds: both are added up" },
	{ 0 }
};

bool request_lasts(struct request *r, uint64_t minutes, uint64_t seconds, bool required, uint32_t *out)
{
	const uint64_t all = minutes * 60 + seconds; /* each within its bound */

	if (!all && required)
		request_refuse(r, PROBLEM_FIELD, "duration_minutes", NULL, "duration_minutes: it is missing: for how long, or duration_seconds");
	else if (all > POSTURE_SECONDS_MAX)
		request_refuse(r, PROBLEM_FIELD, "duration_seconds", NULL, "duration_seconds: with duration_minutes it is more than %u days",
			       POSTURE_SECONDS_MAX / 86400);
	*out = (uint32_t)all;
	return (all || !required) && all <= POSTURE_SECONDS_MAX;
}

void route_posture(struct request *r)
{
	struct posture_asked asked = { .reason = "" };
	own(buf) struct buf payload = { 0 };

	uint32_t seconds;

	if (!request_read(r, &asked) || !request_lasts(r, asked.duration_minutes, asked.duration_seconds, false, &seconds))
		return;
	set_posture_encode(&payload, &(struct set_posture){ asked.posture, asked.reason, seconds, request_asker(r) });
	request_change(r, &(struct question){ MESSAGE_SET_POSTURE, buf_text(&payload), payload.len, -1 });
}

/* A plan that is shown brings its base along; false when it was refused. */
static bool take_plan(struct request *r)
{
	const char *token = request_header(r, "Plan");
	char base[BASE_TAG_ROOM];
	struct digest bundle;

	if (!token)
		return true;
	if (plan_digest(request_bundle(r), &bundle) &&
	    ticket_use(request_server(r)->tickets, token, &bundle, clock_ns(CLOCK_MONOTONIC), base)) {
		request_rebase(r, base);
		return true;
	}
	request_refuse(r, PROBLEM_STALE, "Plan", "plan it again, and look at what it says",
		       "Plan: there is no such plan of this bundle, it was used, or it is older than %d minutes", TICKET_SECONDS / 60);
	return false;
}

void route_policy(struct request *r)
{
	own(buf) struct buf payload = { 0 };
	uint64_t confirm;
	bool downgrade;

	if (!request_asks(r, "Allow-Downgrade", &downgrade) ||
	    !request_counts(r, "Confirm-Seconds", CONFIRM_SECONDS_MAX, &confirm) || !take_plan(r))
		return;
	apply_encode(&payload, &(struct apply){ .downgrade = downgrade, .confirm = (uint32_t)confirm, .by = request_asker(r) });
	request_change(r, &(struct question){ MESSAGE_APPLY, buf_text(&payload), payload.len, request_bundle(r) });
}
