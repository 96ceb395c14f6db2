/*
 * status - what is live, part by part, as the warden reads it from the kernel.
 */
#include <inttypes.h>
#include <stdio.h>

#include "enforcer/api/http/request.h"
#include "lang/base/version.h"

static cJSON *interface_json(const struct status_interface *i)
{
	cJSON *out = cJSON_CreateObject();
	char tag[20];

	snprintf(tag, sizeof tag, "%016" PRIx64, i->program_tag);
	json_add_text(out, "name", i->name);
	json_add_count(out, "ifindex", i->ifindex);
	json_add_text(out, "zone", i->zone);
	json_add_text(out, "engine", i->engine);
	json_add_text(out, "reason", i->reason);
	if (i->program_tag)
		json_add_text(out, "program_tag", tag);
	else
		cJSON_AddNullToObject(out, "program_tag");
	return out;
}

static void add_policy(cJSON *to, const struct status *s)
{
	cJSON *policy;

	if (!s->generation) {
		cJSON_AddNullToObject(to, "policy");
		return;
	}
	policy = cJSON_AddObjectToObject(to, "policy");
	json_add_text(policy, "name", s->policy);
	json_add_text(policy, "version", s->version);
	json_add_text(policy, "bundle", s->bundle);
	cJSON_AddBoolToObject(policy, "proved", s->proved);
	json_add_tests(policy, s->tests_run, s->tests_left);
}

static void add_order(cJSON *to, const struct status *s, uint32_t posture)
{
	cJSON *wider = cJSON_AddArrayToObject(to, "no_wider_than");

	for (uint32_t i = 0; i < s->posture_count && i < 64; i++)
		if (i != posture && s->postures[posture].within >> i & 1)
			cJSON_AddItemToArray(wider, cJSON_CreateString(s->postures[i].name));
}

static void add_postures(cJSON *to, const struct status *s)
{
	cJSON *postures = cJSON_AddArrayToObject(to, "postures");

	for (uint32_t i = 0; i < s->posture_count; i++) {
		cJSON *one = cJSON_CreateObject();

		json_add_text(one, "name", s->postures[i].name);
		json_add_text(one, "title", s->postures[i].title);
		cJSON_AddBoolToObject(one, "closed", s->postures[i].closed);
		add_order(one, s, i);
		cJSON_AddItemToArray(postures, one);
	}
}

static void add_parts(cJSON *to, const struct status *s)
{
	cJSON *parts = cJSON_AddArrayToObject(to, "parts");

	for (uint32_t i = 0; i < s->part_count; i++) {
		cJSON *one = cJSON_CreateObject();

		json_add_text(one, "name", s->parts[i].name);
		json_add_text(one, "is", s->parts[i].is);
		json_add_text(one, "should", s->parts[i].should);
		json_add_text(one, "fault", s->parts[i].fault);
		cJSON_AddItemToArray(parts, one);
	}
}

static void add_pending(cJSON *to, const struct status_pending *p)
{
	cJSON *pending;

	if (!p->until) {
		cJSON_AddNullToObject(to, "pending");
		return;
	}
	pending = cJSON_AddObjectToObject(to, "pending");
	json_add_time(pending, "until", p->until);
	json_add_count(pending, "before", p->before);
}

static void add_drift(cJSON *to, const struct status_drift *d)
{
	cJSON *drift = cJSON_AddObjectToObject(to, "drift");

	json_add_time(drift, "checked", d->checked);
	json_add_count(drift, "found", d->found);
	json_add_count(drift, "repaired", d->repaired);
	json_add_time(drift, "last", d->last);
	json_add_text(drift, "fault", d->fault);
}

static void add_flows(cJSON *to, const struct status_flows *f)
{
	cJSON *flows;

	if (!f->known) {
		cJSON_AddNullToObject(to, "flows");
		return;
	}
	flows = cJSON_AddObjectToObject(to, "flows");
	json_add_count(flows, "count", f->count);
	json_add_count(flows, "most", f->most);
	json_add_count(flows, "dropped", f->dropped);
	json_add_count(flows, "evicted", f->evicted);
	json_add_time(flows, "full_since", f->full_since);
}

static void add_events(cJSON *to, const struct status_events *e, uint64_t missed)
{
	cJSON *events = cJSON_AddObjectToObject(to, "events");

	json_add_text(events, "source", e->source);
	json_add_count(events, "told", e->told);
	json_add_count(events, "lost_full", e->full);
	json_add_count(events, "lost_rate", e->rate);
	json_add_count(events, "lost_slow", e->slow);
	json_add_count(events, "missed", missed);
}

static void add_posture(cJSON *out, const struct status *s)
{
	json_add_text(out, "posture", s->posture);
	json_add_text(out, "posture_reason", s->posture_reason);
	json_add_time(out, "posture_since", s->posture_since);
	json_add_time(out, "posture_until", s->posture_until);
	json_add_text(out, "posture_next", s->posture_next);
	add_postures(out, s);
}

static cJSON *status_json(const struct status *s, const char *tag, uint64_t missed)
{
	cJSON *out = cJSON_CreateObject();

	json_add_text(out, "version", TEGUMENTAR_VERSION);
	json_add_count(out, "generation", s->generation);
	json_add_text(out, "tag", tag);
	if (s->unknown_since)
		cJSON_AddNullToObject(out, "intact");
	else
		cJSON_AddBoolToObject(out, "intact", s->intact);
	json_add_time(out, "unknown_since", s->unknown_since);
	json_add_text(out, "fault", s->fault);
	add_posture(out, s);
	add_policy(out, s);
	json_add_text(out, "engine", s->engine);
	cJSON *interfaces = cJSON_AddArrayToObject(out, "interfaces");
	for (uint32_t i = 0; i < s->interface_count; i++)
		cJSON_AddItemToArray(interfaces, interface_json(&s->interfaces[i]));
	json_add_text(out, "nft_digest", s->nft_digest);
	add_parts(out, s);
	add_pending(out, &s->pending);
	add_drift(out, &s->drift);
	json_add_text(out, "own_blocked", s->own_blocked);
	json_add_text(out, "refuses", s->refuses);
	add_flows(out, &s->flows);
	add_events(out, &s->events, missed);
	json_add_text(out, "cookies", s->cookies);
	cJSON_AddNumberToObject(out, "switch_seconds", (double)s->switch_ns / 1e9);
	json_add_time(out, "started", s->started);
	json_add_text(out, "adopted", s->adopted);
	return out;
}

static void status_told(struct request *r, struct answer *a)
{
	char tag[BASE_TAG_ROOM];

	base_tag(tag, a->status.generation, a->status.bundle);
	request_tag(r, tag);
	request_reply(r, MHD_HTTP_OK, status_json(&a->status, tag, events_missed(request_server(r)->events)));
}

void route_status(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_STATUS, .fd = -1 }, status_told);
}

static void postures_told(struct request *r, struct answer *a)
{
	cJSON *body = cJSON_CreateObject();
	char tag[BASE_TAG_ROOM];

	base_tag(tag, a->status.generation, a->status.bundle);
	request_tag(r, tag);
	json_add_count(body, "generation", a->status.generation);
	add_posture(body, &a->status);
	json_add_text(body, "adopted", a->status.adopted);
	request_reply(r, MHD_HTTP_OK, body);
}

void route_postures(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_STATUS, .fd = -1 }, postures_told);
}
