/*
 * notes - what is remembered and told of changes and faults.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/inside.h"

void note_fault(char fault[static 512], const char *text)
{
	char is[512];

	snprintf(is, sizeof is, "%.500s", text);
	if (*is && strcmp(fault, is))
		say("%s", is);
	memcpy(fault, is, sizeof is);
}

static void tell_event(struct warden *w, const struct audit_entry *e)
{
	own(buf) struct buf out = { 0 };
	const struct event event = { w->audit.chain.seq, (uint64_t)time(NULL), e->what, e->summary, e->result, e->posture,
				     e->generation };
	struct err why;

	event_encode(&out, &event);
	const struct message m = { MESSAGE_EVENT, 0, out.at, out.len, -1 };
	if (w->api.talk.sock >= 0 && talk_say(&w->api.talk, &m, now_ms(), &why))
		child_break(&w->api, why.text);
}

void note_entry(struct warden *w, struct audit_entry *e)
{
	e->generation = w->live ? w->live->is.number : 0;
	e->posture = w->live ? w->live->is.posture : "";
	audit_add(&w->audit, e);
	if (*w->audit.fault)
		say("%s", w->audit.fault);
	tell_event(w, e);
}

void note_taken(struct warden *w)
{
	char text[sizeof w->kernel.taken];

	if (!*w->kernel.taken)
		return;
	memcpy(text, w->kernel.taken, sizeof text);
	w->kernel.taken[0] = '\0';
	say("%s", text);
	note_entry(w, &(struct audit_entry){ .what = "takeover", .summary = text, .result = "done", .detail = "" });
}

void note_change(struct warden *w, const char *what, const struct asker *by, const char *summary, int rc,
		 const struct refusal *no)
{
	note_entry(w, &(struct audit_entry){ .what = what, .by = by, .summary = summary, .result = rc ? result_name(no->code ? no->code : RESULT_FAILED) : "done",
					     .detail = no->why.text });
}
