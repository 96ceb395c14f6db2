/*
 * posture - it is switched when asked for, and goes back when its time is over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/generation/content.h"
#include "enforcer/warden/inside.h"
#include "lang/base/memory.h"

static int posture_find(const struct plan *p, const char *name, uint32_t *out)
{
	for (*out = 0; *out < p->posture_count; ++*out)
		if (!strcmp(p->postures[*out].name, name))
			return 0;
	return -ENOENT;
}

/* Where an end leads: the last posture that had none. */
const char *lasting_posture(const struct record *is)
{
	return deadline_is_set(&is->until) ? is->back : is->posture;
}

bool posture_is_no_wider(const struct plan *p, const char *name, const struct record *is)
{
	uint32_t asked, now, later;

	return !posture_find(p, name, &asked) && !posture_find(p, is->posture, &now) && !posture_find(p, lasting_posture(is), &later) &&
	       plan_is_within(p, asked, now) && plan_is_within(p, asked, later);
}

/* ---- while a generation waits to be confirmed ------------------------------------------ */

struct carrying {
	const struct warden *w;
	const char *name;
	bool holds;
};

/* What the bundle from before says of the posture: names may mean something else there. */
static void ask_before(void *context)
{
	struct carrying *c = context;
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *b = NULL;
	struct plan plan;
	struct err why;

	c->holds = !state_read_bundle(&bytes, c->w->settings->state_dir, &c->w->state.before.bundle, &why) &&
		   !bundle_open(&b, bytes.at, bytes.len, &why) && !content_plan(&plan, a, b, &why) &&
		   posture_is_no_wider(&plan, c->name, &c->w->state.before);
}

/* What is asked for while a generation waits holds even when it goes, if it is no wider than what then comes back. */
static void carry_posture(struct warden *w, const struct record *is)
{
	struct record *to = &w->state.before;
	struct carrying c = { .w = w, .name = is->posture };
	char back[sizeof to->back];

	if (!memory_try(ask_before, &c) || !c.holds)
		return;
	snprintf(back, sizeof back, "%s", lasting_posture(to));
	to->until = deadline_is_set(&is->until) && strcmp(is->posture, back) ? is->until : (struct deadline){ 0 };
	memcpy(to->back, back, sizeof back);
	memcpy(to->posture, is->posture, sizeof to->posture);
	memcpy(to->reason, is->reason, sizeof to->reason);
	to->since = is->since;
}

static void journal(struct warden *w, const struct record *is)
{
	struct err why;

	w->state.now = *is;
	if (is_pending(w))
		carry_posture(w, is);
	if (state_save(&w->state, w->settings->state_dir, &why))
		say("%s", why.text);
}

/* What is in force, once the posture is as asked. */
static struct record record_with(const struct record *is, const struct set_posture *ask)
{
	struct record r = *is;

	r.until = (struct deadline){ 0 };
	if (ask->seconds) {
		r.until = deadline_in(ask->seconds);
		snprintf(r.back, sizeof r.back, "%s", lasting_posture(is));
	}
	if (strcmp(is->posture, ask->name)) {
		r.since = (uint64_t)time(NULL);
		snprintf(r.posture, sizeof r.posture, "%s", ask->name);
	} else if (!*ask->reason) {
		return r;
	}
	snprintf(r.reason, sizeof r.reason, "%s", ask->reason);
	return r;
}

static bool records_say_the_same(const struct record *a, const struct record *b)
{
	return !strcmp(a->posture, b->posture) && !strcmp(a->reason, b->reason) && !deadline_is_set(&a->until) &&
	       !deadline_is_set(&b->until);
}

/*
 * An end is journalled before the switch: else a crash between the two would leave a posture that was meant
 * to end, without one. A start that finds another posture in force than the journal's drops the end.
 */
static int switch_posture(struct warden *w, uint32_t posture, const struct set_posture *ask, struct err *why)
{
	const struct record wanted = record_with(&w->live->is, ask);
	const bool same = records_say_the_same(&wanted, &w->live->is);

	if (ask->seconds)
		journal(w, &wanted);
	int rc = generation_set_posture(w->live, &w->kernel, posture, why);
	if (w->live->posture == posture) {
		w->live->is = wanted;
		*w->return_fault = '\0';
	}
	if (!same && (!ask->seconds || w->live->posture != posture))
		journal(w, &w->live->is);
	if (!same && w->live->posture == posture)
		say("posture %s%s%s", ask->name, ask->seconds ? " for a time, then " : "",
		    ask->seconds ? wanted.back : "");
	return rc;
}

int set_posture(struct warden *w, const struct set_posture *ask, struct refusal *no)
{
	uint32_t posture;
	int rc = base_holds(w, &ask->by, no);

	if (rc)
		return rc;
	no->part = "posture";
	if (!w->live)
		return refuse_without(w, no);
	if (posture_find(&w->live->plan, ask->name, &posture)) {
		no->code = RESULT_REFUSED;
		return err_set(&no->why, EINVAL, "the policy %s has no posture %.128s", w->live->plan.policy, ask->name);
	}
	if (ask->seconds && !strcmp(ask->name, lasting_posture(&w->live->is))) {
		no->code = RESULT_REFUSED;
		return err_set(&no->why, EINVAL, "%s would only go back to itself; leave the duration out", ask->name);
	}
	no->code = RESULT_FAILED;
	rc = switch_posture(w, posture, ask, &no->why);
	/* Somebody has flushed the ruleset, say: who shuts a host must not have to wait for the next look. */
	if (rc == -ENOENT && drift_put_right(w)) {
		no->why = (struct err){ 0 };
		rc = switch_posture(w, posture, ask, &no->why);
	}
	return rc ? rc : drift_after(w, &no->why);
}

uint64_t return_in_ms(const struct warden *w, uint64_t now)
{
	if (!w->live || !deadline_is_set(&w->live->is.until))
		return UINT64_MAX;
	const uint64_t left = deadline_left_ms(&w->live->is.until);
	const uint64_t again = w->return_again_ms > now ? w->return_again_ms - now : 0;
	return left > again ? left : again;
}

void return_posture(struct warden *w)
{
	own(buf) struct buf reason = { 0 };
	own(buf) struct buf name = { 0 };
	struct refusal no = { 0 };

	buf_puts(&name, w->live->is.back);
	buf_printf(&reason, "the time of %s was over", w->live->is.posture);
	const struct set_posture back = { .name = buf_text(&name), .reason = buf_text(&reason), .by = { "", "tegd", "" } };
	int rc = set_posture(w, &back, &no);
	note_change(w, "return", NULL, back.name, rc, &no);
	if (rc)
		err_in(&no.why, "posture %s is over, but %s does not come", w->live->is.posture, back.name);
	w->return_again_ms = now_ms() + TICK_MS;
	note_fault(w->return_fault, rc && deadline_is_set(&w->live->is.until) ? no.why.text : "");
}
