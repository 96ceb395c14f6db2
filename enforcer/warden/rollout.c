/*
 * rollout - one generation follows another, and may have to be confirmed.
 *
 *     apply ──┬─► done                            roll_back: an old one's bundle, as a new generation
 *             └─► pending ──┬─► confirmed
 *      (seconds to confirm) ├─► cancelled ──────┐
 *                           └─► not confirmed ──┴─► revert: what was before, as a new generation
 *
 * The deadline stands in the journal with the generation that must be confirmed, beside the record of what was
 * before; so it holds through a crash, and through a boot.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/feeds/feeds.h"
#include "enforcer/warden/inside.h"
#include "lang/base/clock.h"
#include "lang/base/file.h"
#include "lang/base/memory.h"
#include "lang/bundle/bundle.h"

/* With others who change nftables all the time: half of what an answer is waited for. */
#define PATIENCE_MS 2500

/* What is to be rolled out, and for whom the history says it was. */
struct rollout {
	const struct buf *bytes;
	const struct record *from; /* whose posture goes on; NULL: the initial one begins */
	const struct asker *by;
	enum past_how how;
	uint64_t of;	  /* the generation that it restores */
	uint32_t confirm; /* seconds, or 0 */
	bool downgrade, was_taken;
};

static struct entry entry_of(const struct generation *g, const struct rollout *r)
{
	struct entry e = { .number = g->is.number, .serial = g->serial, .at = (uint64_t)time(NULL), .of = r->of,
			   .bundle = g->is.bundle, .how = r->how };

	snprintf(e.policy, sizeof e.policy, "%s", g->plan.policy);
	snprintf(e.version, sizeof e.version, "%s", g->plan.version);
	snprintf(e.who, sizeof e.who, "%s", r->by->who);
	snprintf(e.from, sizeof e.from, "%s", r->by->from);
	return e;
}

/* Beyond every number that is remembered, whatever became of the journal. */
static uint64_t next_number(const struct warden *w)
{
	const uint64_t newest = w->past.len ? w->past.at[w->past.len - 1].number : 0;

	return (w->state.now.number > newest ? w->state.now.number : newest) + 1;
}

static int stage(struct generation **out, struct warden *w, const struct rollout *r, struct refusal *no)
{
	struct stage ask = {
		.bytes = r->bytes->at, .len = r->bytes->len, .number = next_number(w), .live = w->live,
		.from = r->from, .confirm = r->confirm, .was_taken = r->was_taken,
		.now = w->state.now.number ? &w->state.now : NULL, .downgrade = r->downgrade,
	};

	own(filter_patience) struct filter_patience p = filter_be_patient(w->kernel.filter, PATIENCE_MS);
	if (!recover_free_bank(&w->kernel, w->live, &ask.bank, &no->why))
		return generation_stage(out, &w->kernel, &ask, no);
	no->code = RESULT_CANNOT;
	no->part = "nft";
	return no->why.code;
}

static int remember(struct warden *w, const struct generation *g, const struct rollout *r, struct refusal *no)
{
	const struct entry e = entry_of(g, r);

	no->code = RESULT_CANNOT;
	no->part = "journal";
	int rc = past_begin(&w->past, &e, w->settings->state_dir, &no->why);
	if (!rc || !r->was_taken)
		return rc;
	past_enter(&w->past, &e);
	return 0;
}

static void save_past(struct warden *w)
{
	struct err why;

	if (past_save(&w->past, w->settings->state_dir, &why))
		say("%s", why.text);
}

static int roll_out(struct warden *w, const struct rollout *r, struct refusal *no)
{
	own(generation) struct generation *g = NULL;
	int rc = stage(&g, w, r, no);

	if (rc)
		return rc;
	rc = remember(w, g, r, no);
	if (rc) {
		generation_abort(take(g), &w->kernel);
		return rc;
	}
	rc = generation_commit(g, &w->kernel, &w->state, no);
	if (rc) {
		generation_abort(take(g), &w->kernel);
		past_drop(&w->past);
		save_past(w);
		warden_follow(w, ROUTE_LINKS); /* interfaces that only the new one had are left again */
		return rc;
	}
	generation_free(w->live);
	w->live = take(g);
	w->switched_ns = clock_ns(CLOCK_BOOTTIME);
	*w->revert_fault = '\0';
	if (!is_pending(w))
		feeds_collect(&w->kernel, &w->live->plan);
	past_finish(&w->past, is_pending(w) ? END_PENDING : END_DONE);
	save_past(w);
	if (!w->state.unsaved && !w->past.unsaved)
		past_collect(&w->past, &w->state, w->settings->state_dir);
	say("generation %llu is in force: policy %s, posture %s%s", (unsigned long long)w->live->is.number,
	    w->live->plan.policy, w->live->is.posture, is_pending(w) ? "; it goes again unless it is confirmed in time" : "");
	note_fault(w->fault, no->why.text);
	note_taken(w);
	malloc_trim(0); /* a bundle is large, and the next one may be long in coming */
	return 0;
}

/* ---- may it be? -------------------------------------------------------------------------- */

bool is_pending(const struct warden *w)
{
	return w->state.now.number && deadline_is_set(&w->state.now.confirm);
}

int refuse_pending(const struct warden *w, struct refusal *no)
{
	no->code = RESULT_CONFLICT;
	no->part = "confirm";
	return err_set(&no->why, EBUSY, "generation %llu waits to be confirmed; confirm or cancel it first",
		       (unsigned long long)w->state.now.number);
}

int refuse_without(const struct warden *w, struct refusal *no)
{
	no->code = RESULT_CONFLICT;
	return err_set(&no->why, ENOENT, "%s; apply a bundle first",
		       w->found == RECOVERED_UNKNOWN ? "a policy is in force, and it is not known which" : "no policy is in force");
}

int base_holds(const struct warden *w, const struct asker *by, struct refusal *no)
{
	char is[BASE_TAG_ROOM];

	base_tag(is, w->live ? w->live->is.number : 0, w->live ? w->live->is.bundle.hex : "");
	if (!*by->base || !strcmp(by->base, is))
		return 0;
	no->code = RESULT_STALE;
	no->part = "base";
	return err_set(&no->why, ESTALE, "\"%s\" is in force, not \"%s\"", is, by->base);
}

/* May another generation follow now? */
static int may_follow(struct warden *w, const struct asker *by, uint32_t seconds, struct refusal *no)
{
	int rc = base_holds(w, by, no);

	if (rc)
		return rc;
	if (is_pending(w))
		return refuse_pending(w, no);
	rc = keep_refuses(w, no);
	if (rc)
		return rc;
	if (!seconds || w->live)
		return 0;
	no->code = RESULT_CONFLICT;
	no->part = "base";
	return err_set(&no->why, ENOENT, "no policy %s that could come back; apply without a confirmation",
		       w->found == RECOVERED_UNKNOWN ? "is known" : "is in force");
}

/* ---- apply, rollback ------------------------------------------------------------------------ */

/* A bundle from a descriptor, or of an old generation. */
struct reading {
	const struct warden *w;
	int fd;
	const struct digest *id;
	struct buf *out;
	struct refusal *no;
	int rc;
};

/* Somebody else's descriptor: only a file can be read to its end without waiting. */
static void read_given(void *context)
{
	struct reading *r = context;
	struct stat st;

	r->no->code = RESULT_REFUSED;
	r->no->part = "seal";
	if (fstat(r->fd, &st) || !S_ISREG(st.st_mode) || lseek(r->fd, 0, SEEK_SET))
		r->rc = err_set(&r->no->why, EINVAL, "the bundle's descriptor is no file");
	else
		r->rc = file_read_fd(r->out, r->fd, BUNDLE_BYTES_MAX, &r->no->why);
}

static void read_kept(void *context)
{
	struct reading *r = context;

	r->no->code = RESULT_CANNOT;
	r->no->part = "history";
	r->rc = state_read_bundle(r->out, r->w->settings->state_dir, r->id, &r->no->why);
}

/* It is the largest thing that tegd holds. */
static int read_bundle(struct reading r, void (*from)(void *context))
{
	if (memory_try(from, &r))
		return r.rc;
	r.no->code = RESULT_CANNOT;
	r.no->part = "memory";
	return err_set(&r.no->why, ENOMEM, "tegd has not enough memory for this bundle");
}

int apply(struct warden *w, int fd, const struct apply *ask, struct refusal *no, struct digest *id)
{
	own(buf) struct buf bytes = { 0 };
	int rc = may_follow(w, &ask->by, ask->confirm, no);

	if (!rc)
		rc = read_bundle((struct reading){ .fd = fd, .out = &bytes, .no = no }, read_given);
	if (rc)
		return rc;
	*id = digest_of(bytes.at, bytes.len);
	const struct rollout r = { .bytes = &bytes, .from = w->live ? &w->live->is : NULL, .by = &ask->by, .how = HOW_APPLY,
				   .confirm = ask->confirm, .downgrade = ask->downgrade };
	return roll_out(w, &r, no);
}

int apply_first(struct warden *w, const struct buf *bytes, struct refusal *no)
{
	const struct asker settings = { "", "tegd", "the setting bundle" };
	int rc = keep_refuses(w, no);

	return rc ? rc : roll_out(w, &(struct rollout){ .bytes = bytes, .by = &settings, .how = HOW_APPLY }, no);
}

static int find_old(const struct warden *w, uint64_t number, const struct entry **out, struct refusal *no)
{
	no->code = RESULT_REFUSED;
	no->part = "history";
	*out = number ? past_find(&w->past, number) : past_other(&w->past, &w->state.now.bundle);
	if (!*out && number)
		return err_set(&no->why, ENOENT, "generation %llu is not kept", (unsigned long long)number);
	if (!*out)
		return err_set(&no->why, ENOENT, "there is no generation before that had another bundle");
	if (!strcmp((*out)->bundle.hex, w->state.now.bundle.hex))
		return err_set(&no->why, EEXIST, "the bundle of generation %llu is the one in force",
			       (unsigned long long)(*out)->number);
	return 0;
}

int roll_back(struct warden *w, const struct rollback *ask, struct refusal *no, struct arena *a, const char **summary)
{
	own(buf) struct buf bytes = { 0 };
	const struct entry *old = NULL;
	int rc = may_follow(w, &ask->by, ask->confirm, no);

	*summary = ask->to ? arena_printf(a, "to generation %llu", (unsigned long long)ask->to) : "to the one before";
	if (!rc)
		rc = find_old(w, ask->to, &old, no);
	if (rc)
		return rc;
	*summary = arena_printf(a, "to generation %llu: policy %s %s, bundle %s", (unsigned long long)old->number, old->policy,
				old->version, old->bundle.hex);
	rc = read_bundle((struct reading){ .w = w, .id = &old->bundle, .out = &bytes, .no = no }, read_kept);
	if (rc)
		return rc;
	const struct rollout r = { .bytes = &bytes, .from = w->live ? &w->live->is : NULL, .by = &ask->by, .how = HOW_ROLLBACK,
				   .of = old->number, .confirm = ask->confirm, .downgrade = true };
	return roll_out(w, &r, no);
}

/* ---- confirm, cancel, revert ------------------------------------------------------------------ */

static int is_waited_for(const struct warden *w, const struct settle *ask, struct refusal *no)
{
	int rc = base_holds(w, &ask->by, no);

	if (rc || is_pending(w))
		return rc;
	no->code = RESULT_CONFLICT;
	no->part = "pending";
	return err_set(&no->why, ENOENT, "no generation waits to be confirmed");
}

/*
 * A connection that was there before would be let by as established, whatever the new policy says of new ones. The
 * api says when it was opened; what it says of the future is no proof.
 */
static int proves_a_way_in(const struct warden *w, const struct settle *ask, struct refusal *no)
{
	if (ask->opened_ns > w->switched_ns && ask->opened_ns <= clock_ns(CLOCK_BOOTTIME))
		return 0;
	no->code = RESULT_REFUSED;
	no->part = "confirm";
	return err_set(&no->why, EPERM, "the connection was opened before generation %llu took over; confirm over a new one",
		       (unsigned long long)w->state.now.number);
}

int confirm(struct warden *w, const struct settle *ask, struct refusal *no)
{
	int rc = is_waited_for(w, ask, no);

	if (!rc)
		rc = proves_a_way_in(w, ask, no);
	if (!rc)
		rc = keep_refuses(w, no);
	if (rc)
		return rc;
	const struct state was = w->state;
	w->state.now.confirm = (struct deadline){ 0 };
	w->state.before = (struct record){ 0 };
	rc = state_save(&w->state, w->settings->state_dir, &no->why);
	if (rc) {
		w->state = was;
		no->code = RESULT_CANNOT;
		no->part = "journal";
		return rc;
	}
	if (w->live)
		w->live->is.confirm = (struct deadline){ 0 };
	if (w->live)
		feeds_collect(&w->kernel, &w->live->plan);
	past_end(&w->past, w->state.now.number, END_CONFIRMED);
	save_past(w);
	say("generation %llu is confirmed", (unsigned long long)w->state.now.number);
	return 0;
}

static int revert(struct warden *w, enum past_end end, const struct asker *by, struct refusal *no)
{
	const struct record before = w->state.before;
	const uint64_t unwanted = w->state.now.number;
	own(buf) struct buf bytes = { 0 };
	int rc = state_read_bundle(&bytes, w->settings->state_dir, &before.bundle, &no->why);

	no->code = RESULT_FAILED;
	no->part = "history";
	if (rc)
		return rc;
	const struct rollout r = { .bytes = &bytes, .from = &before, .by = by, .how = HOW_REVERT, .of = before.number,
				   .downgrade = true, .was_taken = true };
	rc = roll_out(w, &r, no);
	if (rc)
		return rc;
	past_end(&w->past, unwanted, end);
	save_past(w);
	return 0;
}

int cancel(struct warden *w, const struct settle *ask, struct refusal *no)
{
	int rc = is_waited_for(w, ask, no);

	return rc ? rc : revert(w, END_CANCELLED, &ask->by, no);
}

uint64_t revert_in_ms(const struct warden *w, uint64_t now)
{
	if (!is_pending(w))
		return UINT64_MAX;
	const uint64_t left = deadline_left_ms(&w->state.now.confirm);
	const uint64_t again = w->revert_again_ms > now ? w->revert_again_ms - now : 0;
	return left > again ? left : again;
}

void revert_overdue(struct warden *w)
{
	const struct asker tegd = { "", "tegd", "" };
	const uint64_t unwanted = w->state.now.number, seconds = w->state.now.confirm.length;
	own(buf) struct buf summary = { 0 };
	struct refusal no = { .part = "" };

	buf_printf(&summary, "generation %llu was not confirmed within %llu s", (unsigned long long)unwanted,
		   (unsigned long long)seconds);
	say("%s", buf_text(&summary));
	int rc = revert(w, END_NOT_CONFIRMED, &tegd, &no);
	note_change(w, "revert", NULL, buf_text(&summary), rc, &no);
	if (rc)
		err_in(&no.why, "%s, but what was before does not come back (%s)", buf_text(&summary), no.part);
	w->revert_again_ms = now_ms() + TICK_MS;
	note_fault(w->revert_fault, rc ? no.why.text : "");
}
