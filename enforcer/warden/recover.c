#include "enforcer/warden/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/check.h"
#include "lang/base/file.h"

const char *recovered_name(enum recovered r)
{
	switch (r) {
	case RECOVERED_FRESH:
		return "fresh";
	case RECOVERED_ADOPTED:
		return "adopted";
	case RECOVERED_RESTORED:
		return "restored";
	case RECOVERED_UNKNOWN:
		return "unknown";
	}
	return "";
}

static int look(struct kernel *k, struct filter_live *out, struct arena *a, struct err *why)
{
	return filter_look(k->filter, out, FILTER_WANT_CHAINS, a, why);
}

/* ---- a commit that was interrupted ---------------------------------------------------- */

static int came_through(struct kernel *k, const struct state *s, bool *out, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	uint32_t in_slot = 0;
	int rc = look(k, &live, a, why);

	if (!rc && k->xdp)
		rc = slot_read(k->shared.slots, &in_slot, why);
	if (!rc && !in_slot && k->older.slots >= 0) /* a switch that another version began */
		rc = slot_read(k->older.slots, &in_slot, why);
	if (rc)
		return rc;
	*out = layout_is_hooked(&live, s->next.bank) &&
	       (!layout_is_hooked(&live, bank_other(s->next.bank)) || (s->next.program[TEG_HOOK_XDP] && in_slot == s->next.program[TEG_HOOK_XDP]));
	return 0;
}

static bool keep_none(uint32_t ifindex, void *context)
{
	(void)ifindex, (void)context;
	return false;
}

static int go_back(struct kernel *k, struct state *s, struct err *why)
{
	own(sight) struct sight seen = { 0 };
	int rc = sight_look(&seen, k->filter, FILTER_WANT_CHAINS, why);

	if (rc)
		return rc;
	layout_drop_bank(&seen.change, &seen.live, s->next.bank);
	rc = filter_commit(k->filter, &seen.change, why);
	if (rc)
		return rc;
	if (!s->now.number && k->xdp)
		xdp_leave_others(k->xdp, keep_none, NULL);
	if (!s->now.number && k->tc)
		tc_leave_others(k->tc, keep_none, NULL);
	say("generation %llu was interrupted before it took over; generation %llu stays",
	    (unsigned long long)s->next.number, (unsigned long long)s->now.number);
	s->committing = false;
	state_note(s, k->settings->state_dir);
	return 0;
}

/* The hooks of H stand and its program judges: what is left of G goes. */
static int go_forward(struct kernel *k, struct state *s, struct err *why)
{
	own(generation) struct generation *g = NULL;
	int rc = generation_adopt(&g, k, &s->next, why);

	if (!rc)
		rc = generation_follow_links(g, k, s, why);
	if (!rc)
		rc = generation_settle(g, k, s, why);
	if (!rc)
		say("generation %llu was interrupted while it took over; it is finished",
		    (unsigned long long)s->now.number);
	return rc;
}

static int resolve(struct kernel *k, struct state *s, struct err *why)
{
	bool forward;
	int rc = came_through(k, s, &forward, why);

	if (rc || !forward)
		return rc ? rc : go_back(k, s, why);
	if (!go_forward(k, s, why))
		return 0;
	/* It had taken over, so it is what is restored. */
	say("generation %llu cannot be finished as it is (%s)", (unsigned long long)s->next.number, why->text);
	state_advance(s, &s->next);
	state_note(s, k->settings->state_dir);
	return 0;
}

/* ---- adopting ----------------------------------------------------------------------------- */

/* The posture that is in force, or was about to be. */
static int find_posture(const struct generation *g, struct kernel *k, uint32_t *out, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc = look(k, &live, a, why);

	if (rc)
		return rc;
	if (!layout_posture(k->filter, &live, g->is.bank, &g->plan, LAYOUT_NEXT, out, why))
		return 0;
	return layout_posture(k->filter, &live, g->is.bank, &g->plan, LAYOUT_HERE, out, why);
}

static int adopt_posture(struct generation *g, struct kernel *k, struct state *s, struct err *why)
{
	uint32_t posture;
	int rc = find_posture(g, k, &posture, why);

	if (!rc)
		rc = generation_set_posture(g, k, posture, why);
	if (rc || !strcmp(g->is.posture, s->now.posture))
		return rc;
	snprintf(g->is.reason, sizeof g->is.reason, "in force when tegd started");
	g->is.until = (struct deadline){ 0 };
	s->now = g->is;
	state_note(s, k->settings->state_dir);
	return 0;
}

static int adopt(struct generation **out, struct kernel *k, struct state *s, struct err *why)
{
	int rc = generation_adopt(out, k, &s->now, why);

	if (!rc)
		rc = adopt_posture(*out, k, s, why);
	if (!rc)
		rc = generation_follow_links(*out, k, s, why);
	if (rc)
		return rc;
	rc = check_all(*out, k, why);
	return check_is_unknown(rc) ? 0 : rc; /* it judges; whether it is whole is looked at again */
}

/* ---- restoring ----------------------------------------------------------------------------- */

/* Where both banks have hooks, those of the one to be used go: the others still judge. */
static int empty_bank(struct kernel *k, const struct filter_live *live, char bank, struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };

	layout_drop_others(&c, live, bank_other(bank));
	return filter_commit(k->filter, &c, why);
}

int recover_free_bank(struct kernel *k, const struct generation *live_one, char *out, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc = look(k, &live, a, why);
	char wanted = live_one ? bank_other(live_one->is.bank) : 'a';

	if (rc)
		return rc;
	if (layout_is_hooked(&live, wanted) && !layout_is_hooked(&live, bank_other(wanted)))
		wanted = bank_other(wanted);
	*out = wanted;
	return layout_is_hooked(&live, wanted) ? empty_bank(k, &live, wanted, why) : 0;
}

int recover_restore(struct generation **out, struct kernel *k, struct state *s, const struct generation *had,
		    struct err *why)
{
	const struct record is = s->now;
	own(buf) struct buf bytes = { 0 };
	own(generation) struct generation *g = NULL;
	struct refusal no = { 0 };
	struct stage ask = { .number = is.number, .from = &is, .was_taken = true, .live = had };
	int rc = state_read_bundle(&bytes, k->settings->state_dir, &is.bundle, why);

	if (!rc)
		rc = recover_free_bank(k, had, &ask.bank, why);
	if (rc)
		return rc;
	ask.bytes = bytes.at;
	ask.len = bytes.len;
	rc = generation_stage(&g, k, &ask, &no);
	if (!rc)
		rc = generation_commit(g, k, s, &no);
	if (rc) {
		*why = no.why;
		if (g)
			generation_abort(take(g), k);
		return err_in(why, "generation %llu cannot be restored (%s)", (unsigned long long)is.number, no.part);
	}
	*out = take(g);
	return 0;
}

/* ---- a start ---------------------------------------------------------------------------------- */

/* Has the kernel a policy of ours, when no journal says which? */
static int somebody_judges(struct kernel *k, bool *out, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc = look(k, &live, a, why);

	*out = !rc && (layout_is_hooked(&live, 'a') || layout_is_hooked(&live, 'b'));
	for (int hook = 0; !rc && !*out && hook < TEG_HOOKS; hook++) {
		const int slot = kernel_slot(k, (enum teg_hook)hook);
		uint32_t program = 0;

		rc = slot >= 0 ? slot_read(slot, &program, why) : 0;
		*out = program;
	}
	return rc;
}

/* A journal that is not there is that of a first start, or was removed. */
static int without_journal(struct kernel *k, enum recovered *how, int rc, struct err *why)
{
	struct err unseen = { 0 };
	bool is_there;

	if (somebody_judges(k, &is_there, &unseen)) {
		*why = unseen;
		return err_in(why, "what is in force is not known; it goes on until a bundle is applied");
	}
	*how = is_there ? RECOVERED_UNKNOWN : RECOVERED_FRESH;
	if (!is_there)
		return rc == -ENOENT ? 0 : err_in(why, "the kernel has nothing of ours, and what was in force is not known");
	if (rc == -ENOENT)
		err_set(why, EUCLEAN, "%s/state, which says what it is, is gone", k->settings->state_dir);
	return err_in(why, "the kernel has a policy of ours, which goes on until a bundle is applied");
}

/* A journal that cannot be read says nothing; what the kernel has then goes on, unknown. */
static int read_journal(struct state *s, struct kernel *k, enum recovered *how, struct err *why)
{
	int rc = state_load(s, k->settings->state_dir, why);

	if (!rc) {
		deadline_resume(&s->now.until);
		deadline_resume(&s->next.until);
		deadline_resume(&s->before.until);
		deadline_resume(&s->now.confirm);
		deadline_resume(&s->next.confirm);
		return 0;
	}
	*s = (struct state){ 0 };
	return without_journal(k, how, rc, why);
}

int recover(struct generation **out, enum recovered *how, struct kernel *k, struct state *s, struct err *why)
{
	own(generation) struct generation *g = NULL;
	*how = RECOVERED_FRESH;
	int rc = read_journal(s, k, how, why);

	*out = NULL;
	if (!rc && s->committing)
		rc = resolve(k, s, why);
	if (rc || !s->now.number)
		return rc;
	*how = RECOVERED_ADOPTED;
	if (!adopt(&g, k, s, why)) {
		*out = take(g);
		return 0;
	}
	say("generation %llu cannot be taken over as it stands, and is put in anew: %s", (unsigned long long)s->now.number, why->text);
	*how = RECOVERED_RESTORED;
	rc = recover_restore(out, k, s, g, why);
	if (rc)
		*out = take(g);
	return rc;
}
