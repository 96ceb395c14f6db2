/*
 * plan - what a bundle would change, before anything is staged.
 *
 * Both bundles are read here, in the process without privilege: what is in force (which the warden lends for
 * reading) and what is offered; compare.h says what is told of them.
 */
#include <string.h>

#include "enforcer/api/compare.h"
#include "enforcer/api/http/request.h"
#include "lang/base/clock.h"

bool plan_digest(int fd, struct digest *out)
{
	own(view) struct view v = { 0 };

	if (!view_file(&v, fd))
		return false;
	*out = digest_of(v.at, v.len);
	return true;
}

/* The posture goes on when the new policy has one of that name; else its initial one begins. */
static const char *posture_after(const struct plan *is, const char *now)
{
	for (uint32_t i = 0; i < is->posture_count; i++)
		if (!strcmp(is->postures[i].name, now))
			return now;
	return is->posture_count ? is->postures[is->initial].name : "";
}

static cJSON *plan_json(struct request *r, const struct status *s, const struct side *was, const struct side *is,
			const char *token)
{
	cJSON *out = cJSON_CreateObject(), *needs;
	char base[BASE_TAG_ROOM];

	base_tag(base, s->generation, s->bundle);
	json_add_text(out, "plan", token);
	json_add_count(out, "expires_seconds", TICKET_SECONDS);
	json_add_text(out, "base", base);
	cJSON_AddBoolToObject(out, "base_known", !status_is_unknown(s));
	json_add_text(out, "bundle", bundle_id(is->bundle)->hex);
	json_add_text(out, "policy", is->plan.policy);
	json_add_text(out, "version", is->plan.version);
	cJSON_AddBoolToObject(out, "signed", bundle_find(is->bundle, "signature") != NULL);
	cJSON_AddBoolToObject(out, "proved", is->plan.proved);
	cJSON_AddBoolToObject(out, "same", compare_same(was, is));
	json_add_text(out, "posture", posture_after(&is->plan, s->posture));
	needs = cJSON_AddArrayToObject(out, "needs");
	for (uint32_t i = 0; i < is->plan.need_count; i++)
		cJSON_AddItemToArray(needs, cJSON_CreateString(arena_printf(request_arena(r), "%s: %s", is->plan.needs[i].by,
									 need_words(is->plan.needs[i].need))));
	compare_add(out, request_arena(r), was, is);
	return out;
}

/* ---- the route ------------------------------------------------------------------------------ */

/* `kept` is the descriptor of what is in force, or -1. */
static void compare(struct request *r, const struct status *s, int kept)
{
	own(view) struct view was_bytes = { 0 }, is_bytes = { 0 };
	own(side) struct side was = { 0 }, is = { 0 };
	char token[TICKET_TEXT], base[BASE_TAG_ROOM];
	struct digest digest;
	struct err why = { 0 };

	if (!view_file(&is_bytes, request_bundle(r))) {
		request_refuse(r, PROBLEM_REFUSED, NULL, request_way_out("seal", RESULT_REFUSED), "the bundle is empty");
		return;
	}
	if (side_read(&is, request_arena(r), &is_bytes, &why)) {
		request_refuse(r, PROBLEM_REFUSED, NULL, request_way_out("seal", RESULT_REFUSED), "%s", why.text);
		return;
	}
	if (kept >= 0 && (!view_file(&was_bytes, kept) || side_read(&was, request_arena(r), &was_bytes, &why))) {
		request_refuse(r, PROBLEM_CONFLICT, NULL, NULL, "the bundle in force cannot be read: %s", why.text);
		return;
	}
	digest = digest_of(is_bytes.at, is_bytes.len);
	base_tag(base, s->generation, s->bundle);
	ticket_issue(request_server(r)->tickets, &digest, base, clock_ns(CLOCK_MONOTONIC), token);
	request_reply(r, MHD_HTTP_OK, plan_json(r, s, &was, &is, token));
}

static void bundle_told(struct request *r, struct answer *a)
{
	compare(r, &request_answer(r, 0)->status, a->fd);
}

static void status_told(struct request *r, struct answer *a)
{
	own(buf) struct buf payload = { 0 };
	bool all_new;

	if (!request_asks(r, "Base-Unknown", &all_new))
		return;
	if (status_is_unknown(&a->status) && !all_new) {
		request_refuse(r, PROBLEM_CONFLICT, NULL, "`tegctl plan FILE --base-unknown` calls all of the bundle new",
			       "a policy is in force, and it is not known which; so what the bundle would change cannot be told");
		return;
	}
	if (!a->status.generation) {
		compare(r, &a->status, -1);
		return;
	}
	ask_bundle_encode(&payload, &(struct ask_bundle){ a->status.generation });
	request_ask(r, &(struct question){ MESSAGE_ASK_BUNDLE, buf_text(&payload), payload.len, -1 }, bundle_told);
}

void route_plan(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_STATUS, .fd = -1 }, status_told);
}
