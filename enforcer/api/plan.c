/*
 * plan - what a bundle would change, before anything is staged.
 *
 * Both bundles are read here, in the process without privilege: what is in force (which the warden lends for
 * reading) and what is offered. What differs is told by the names of rules and postures, and line by line of the
 * resolved policy. What it means for packets `tegc diff` says, which has the prover; the answer says how to ask it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "enforcer/api/lines.h"
#include "enforcer/api/request.h"
#include "lang/base/strmap.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/plan.h"

#define TEXT_MOST ((size_t)256 << 10) /* of the difference, in the answer */

/* A file's bytes, as long as it is mapped. */
struct view {
	void *at;
	size_t len;
};

static void view_own_(struct view *v)
{
	if (v->at)
		munmap(v->at, v->len);
}

static bool view_file(struct view *out, int fd)
{
	const off_t len = lseek(fd, 0, SEEK_END);
	void *at = len > 0 ? mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;

	if (at == MAP_FAILED)
		return false;
	*out = (struct view){ at, (size_t)len };
	return true;
}

bool plan_digest(int fd, struct digest *out)
{
	own(view) struct view v = { 0 };

	if (!view_file(&v, fd))
		return false;
	*out = digest_of(v.at, v.len);
	return true;
}

/* ---- a side of the comparison --------------------------------------------------------- */

struct side {
	struct bundle *bundle; /* NULL: nothing is in force */
	struct plan plan;
	const char *text; /* the resolved policy */
};

static void side_own_(struct side *s)
{
	bundle_free(s->bundle);
}

static int read_side(struct side *out, struct arena *a, const struct view *v, struct err *why)
{
	const struct bundle_member *plan, *text;
	int rc = bundle_open(&out->bundle, v->at, v->len, why);

	if (rc)
		return rc;
	plan = bundle_find(out->bundle, "plan");
	text = bundle_find(out->bundle, "policy/resolved.teg");
	if (!plan || !text)
		return err_set(why, EINVAL, "the bundle has no %s", plan ? "policy/resolved.teg" : "plan");
	out->text = arena_strndup(a, text->bytes, text->len);
	return plan_decode(&out->plan, a, plan->bytes, plan->len, why);
}

/* ---- what differs ------------------------------------------------------------------------ */

/* Names in `in` that `out_of` has not. */
static void add_missing(cJSON *to, const char *name, struct arena *a, const char *const *in, size_t in_len,
			const char *const *out_of, size_t out_of_len)
{
	cJSON *list = cJSON_AddArrayToObject(to, name);
	struct strmap has;

	strmap_init(&has, a);
	for (size_t i = 0; i < out_of_len; i++)
		strmap_put(&has, out_of[i], (void *)(uintptr_t)out_of[i]);
	for (size_t i = 0; i < in_len; i++)
		if (!strmap_find(&has, in[i]))
			cJSON_AddItemToArray(list, cJSON_CreateString(in[i]));
}

static const char **rule_ids(struct arena *a, const struct plan *p)
{
	const char **ids = arena_zero(a, (p->counter_count + 1) * sizeof *ids);

	for (uint32_t i = 0; i < p->counter_count; i++)
		ids[i] = p->counters[i].id;
	return ids;
}

static const char **posture_names(struct arena *a, const struct plan *p)
{
	const char **names = arena_zero(a, (p->posture_count + 1) * sizeof *names);

	for (uint32_t i = 0; i < p->posture_count; i++)
		names[i] = p->postures[i].name;
	return names;
}

static void add_names(cJSON *to, struct arena *a, const struct plan *was, const struct plan *is)
{
	const char **old_rules = rule_ids(a, was), **new_rules = rule_ids(a, is);
	const char **old_postures = posture_names(a, was), **new_postures = posture_names(a, is);

	add_missing(to, "rules_added", a, new_rules, is->counter_count, old_rules, was->counter_count);
	add_missing(to, "rules_removed", a, old_rules, was->counter_count, new_rules, is->counter_count);
	add_missing(to, "postures_added", a, new_postures, is->posture_count, old_postures, was->posture_count);
	add_missing(to, "postures_removed", a, old_postures, was->posture_count, new_postures, is->posture_count);
}

/* The posture goes on when the new policy has one of that name; else its initial one begins. */
static const char *posture_after(const struct plan *is, const char *now)
{
	for (uint32_t i = 0; i < is->posture_count; i++)
		if (!strcmp(is->postures[i].name, now))
			return now;
	return is->posture_count ? is->postures[is->initial].name : "";
}

static void add_text(cJSON *to, const char *was, const char *is)
{
	own(buf) struct buf diff = { 0 };
	const bool told = lines_diff(&diff, was, is) && diff.len <= TEXT_MOST;

	json_add_text(to, "text", told ? buf_text(&diff) : "");
	cJSON_AddBoolToObject(to, "text_complete", told);
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
	json_add_text(out, "bundle", bundle_id(is->bundle)->hex);
	json_add_text(out, "policy", is->plan.policy);
	json_add_text(out, "version", is->plan.version);
	cJSON_AddBoolToObject(out, "signed", bundle_find(is->bundle, "signature") != NULL);
	cJSON_AddBoolToObject(out, "same", was->bundle && !strcmp(bundle_id(was->bundle)->hex, bundle_id(is->bundle)->hex));
	json_add_text(out, "posture", posture_after(&is->plan, s->posture));
	add_names(out, request_arena(r), &was->plan, &is->plan);
	needs = cJSON_AddArrayToObject(out, "needs");
	for (uint32_t i = 0; i < is->plan.need_count; i++)
		cJSON_AddItemToArray(needs, cJSON_CreateString(arena_printf(request_arena(r), "%s: %s", is->plan.needs[i].by,
									 need_words(is->plan.needs[i].need))));
	add_text(out, was->bundle ? was->text : "", is->text);
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
		request_refuse(r, PROBLEM_REFUSED, NULL, NULL, "the bundle is empty");
		return;
	}
	if (read_side(&is, request_arena(r), &is_bytes, &why)) {
		request_refuse(r, PROBLEM_REFUSED, NULL, NULL, "%s", why.text);
		return;
	}
	if (kept >= 0 && (!view_file(&was_bytes, kept) || read_side(&was, request_arena(r), &was_bytes, &why))) {
		request_refuse(r, PROBLEM_CONFLICT, NULL, NULL, "the bundle in force cannot be read: %s", why.text);
		return;
	}
	digest = digest_of(is_bytes.at, is_bytes.len);
	base_tag(base, s->generation, s->bundle);
	ticket_issue(request_server(r)->tickets, &digest, base, clock_now_ns(), token);
	request_reply(r, MHD_HTTP_OK, plan_json(r, s, &was, &is, token));
}

static void bundle_told(struct request *r, struct answer *a)
{
	compare(r, &request_answer(r, 0)->status, a->fd);
}

static void status_told(struct request *r, struct answer *a)
{
	own(buf) struct buf payload = { 0 };

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
