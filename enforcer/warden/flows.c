/*
 * flows - has connection tracking room for new flows?
 *
 * The kernel looks a packet's flow up before layer 4 sees it (priority -200), and drops the packet when there is no place for a new
 * one. So nothing that a policy says decides then, and it is told.
 *
 *     full       no place is left; or packets were dropped since the last look, and less than an eighth is free
 *     not full   more than an eighth is
 */
#include <stdio.h>
#include <time.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/inside.h"

static bool has_room(const struct filter_flows *f)
{
	return !f->most || f->count < f->most - f->most / 8;
}

static bool has_none(const struct filter_flows *f, const struct status_flows *before)
{
	return f->most && (f->count >= f->most || (before->known && f->dropped > before->dropped));
}

static void note_room(struct warden *w, const char *result)
{
	char text[200];

	if (w->flows.full_since)
		snprintf(text, sizeof text, "connection tracking is full, with %u of %u flows: new ones are dropped before layer 4",
			 w->flows.count, w->flows.most);
	else
		snprintf(text, sizeof text, "connection tracking has room again: %u of %u flows", w->flows.count, w->flows.most);
	say("%s", text);
	note_entry(w, &(struct audit_entry){ .what = "flows", .summary = text, .result = result, .detail = "" });
}

static void see(struct warden *w, const struct filter_flows *is)
{
	const uint64_t was = w->flows.full_since;
	const bool full = !has_room(is) && (was || has_none(is, &w->flows));

	w->flows = (struct status_flows){ 1, is->count, is->most, is->dropped, is->evicted, full && !was ? (uint64_t)time(NULL) : full ? was : 0 };
	if (full != (was != 0))
		note_room(w, full ? "failed" : "done");
}

void flows_look(struct warden *w)
{
	struct filter_flows is;
	struct err why = { 0 };
	int rc = w->live ? filter_flows_look(w->kernel.filter, &is, &why) : 0;

	note_fault(w->flows_fault, rc ? why.text : "");
	if (w->live && !rc)
		see(w, &is);
	else
		w->flows.known = 0;
}
