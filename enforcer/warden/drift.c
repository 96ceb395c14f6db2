/*
 * drift - the kernel is compared with the journal now and then, and put right, or only told of.
 *
 * Putting right is what a start does that finds less than it should: the generation comes anew from its kept
 * bundle by a bridged switch, into the bank that is not in use. Pins are made again from what is held open, and the anchor
 * goes before programs of TC that somebody has put before it. What could not be read is not known to be altered: it stays, and is looked at again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/check.h"
#include "enforcer/warden/inside.h"
#include "lang/base/memory.h"

uint64_t drift_in_ms(const struct warden *w, uint64_t now)
{
	const unsigned every = w->settings->drift_seconds;
	const uint64_t next = w->drift_at_ms + UINT64_C(1000) * every;

	if (!every || !w->live)
		return UINT64_MAX;
	return next > now ? next - now : 0;
}

static int restore(struct warden *w, struct err *why)
{
	struct generation *anew = NULL;
	int rc = recover_restore(&anew, &w->kernel, &w->state, w->live, why);

	if (rc)
		return rc;
	generation_free(w->live);
	w->live = anew;
	rc = check_all(w->live, &w->kernel, why);
	return check_is_unknown(rc) ? 0 : rc; /* all of it was put there just now */
}

static int repair(struct warden *w, struct err *why)
{
	int rc = w->live->tables ? kernel_pin_again(&w->kernel, why) : 0;

	if (!rc)
		rc = check_lead(w->live, &w->kernel, why);
	if (rc)
		return rc;
	rc = check_all(w->live, &w->kernel, why);
	return !rc || check_is_unknown(rc) ? rc : restore(w, why);
}

/* What is found again and again is told once. */
static void found(struct warden *w, const char *what, bool repairs, int rc, const struct err *why)
{
	const bool is_known = !strcmp(w->drift_fault, what) && w->drift_is_open;
	const char *result = !repairs ? "reported" : rc ? "failed" : "done";

	snprintf(w->drift_fault, sizeof w->drift_fault, "%s", what);
	w->drift_is_open = !repairs || rc;
	w->drift.found += !is_known;
	w->drift.repaired += !w->drift_is_open;
	w->drift.last = (uint64_t)time(NULL);
	if (is_known && w->drift_is_open)
		return;
	if (!repairs)
		say("%s; it is only reported", what);
	else
		say("%s; %s%s", what, rc ? "it cannot be repaired: " : "it is repaired", rc ? why->text : "");
	note_entry(w, &(struct audit_entry){ .what = "drift", .summary = what, .result = result,
					     .detail = rc ? why->text : "" });
}

static int compare(struct warden *w, bool repairs)
{
	const bool was_unknown = w->live->unknown_since;
	char what[512];
	struct err why = { 0 };
	int rc = check_all(w->live, &w->kernel, &why);

	w->drift_at_ms = now_ms();
	if (check_is_unknown(rc)) {
		if (!was_unknown)
			say("whether all is as it was made is not known: %s", why.text);
		return rc;
	}
	w->drift.checked = (uint64_t)time(NULL);
	if (!rc) {
		w->drift_is_open = false;
		return -EALREADY;
	}
	snprintf(what, sizeof what, "%.500s", why.text);
	rc = repairs ? repair(w, &why) : 0;
	found(w, what, repairs, rc, &why);
	return rc;
}

void drift_check(struct warden *w)
{
	compare(w, w->settings->repairs);
}

bool drift_put_right(struct warden *w)
{
	return !compare(w, true);
}

static bool mark_lost(struct warden *w)
{
	struct ports *ports = &w->live->ports;
	bool any = false;
	struct err why;

	for (size_t i = 0; i < ports->len; i++) {
		struct port *p = &ports->at[i];

		p->left = check_port(w->live, &w->kernel, p, &why) == -EUCLEAN;
		any |= p->left;
	}
	return any;
}

void drift_before_following(struct warden *w)
{
	if (!mark_lost(w))
		return;
	compare(w, w->settings->repairs);
	for (size_t i = 0; w->settings->repairs && i < w->live->ports.len; i++)
		w->live->ports.at[i].left = false;
}

struct looking {
	struct warden *w;
	int rc;
	struct err found;
};

static void look(void *context)
{
	struct looking *l = context;

	l->rc = check_arrivals(l->w->live, &l->w->kernel, &l->found);
}

int drift_after(struct warden *w, struct err *why)
{
	struct looking l = { .w = w };

	/* What could not be read, for want of memory say, is not known to be altered. */
	if (!memory_try(look, &l) || l.rc != -EUCLEAN)
		return 0;
	const int rc = compare(w, true);
	return rc && rc != -EALREADY ? err_set(why, EUCLEAN, "%.300s, and it cannot be put right: the log says why", l.found.text) : 0;
}
