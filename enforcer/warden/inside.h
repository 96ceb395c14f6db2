/*
 * inside - what the warden's own files share; nobody else includes it.
 *
 *     warden.c    beginning, end, and the loop           answer.c    what the api asks, told
 *     rollout.c   generations: apply, rollback, confirm, cancel, revert
 *     posture.c   the posture, and its end               notes.c     audit, events, faults
 *     keep.c      can the state directory be written?
 *     doors.c     where is the api reached?
 *     reload.c    SIGHUP: another api takes over
 *     drift.c     is the kernel still as it was made?
 *     flows.c     has connection tracking room for new flows?
 */
#ifndef TEG_WARDEN_INSIDE_H
#define TEG_WARDEN_INSIDE_H

#include "enforcer/warden/state/audit.h"
#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/child.h"
#include "enforcer/warden/counting.h"
#include "enforcer/warden/told.h"
#include "enforcer/warden/generation/generation.h"
#include "enforcer/warden/kernel.h"
#include "enforcer/warden/notify.h"
#include "enforcer/warden/state/past.h"
#include "enforcer/warden/recover.h"

#define TICK_MS 5000

struct warden {
	const struct settings *settings;
	struct kernel kernel;
	struct state state;
	struct past past;
	struct audit audit;
	struct generation *live; /* NULL when none */
	enum recovered found;
	uint64_t started;	 /* seconds, CLOCK_REALTIME */
	/*
	 * What went wrong and is not seen in the kernel; "" when nothing: at the start, in following the
	 * host, in returning to a posture, and in going back to a generation, which are tried again at a time.
	 */
	char fault[512], follow_fault[512], feed_fault[512], feed_damage[512], return_fault[512], revert_fault[512];
	bool follow_fault_is_self; /* more addresses than `self` takes, which only a policy that asks it cares for */
	bool follows_again; /* at the next tick, or change: the host's interfaces or addresses could not be read, or followed */
	char keep_fault[512]; /* why what must be remembered cannot be; "" when it can */
	char door_fault[512]; /* why the api is not reached where it should be; "" when it is */
	gid_t group;	      /* of those who may administer */
	int tcp_waits;	      /* a socket that does not listen yet; -1 when none waits */
	uint64_t feeds_again_ms;
	uint64_t return_again_ms, revert_again_ms;
	/* CLOCK_BOOTTIME: when the generation took over, if this process did it. Whoever connected before cannot confirm it. */
	uint64_t switched_ns;
	/* What the drift check found, and whether that is still so. */
	struct status_drift drift;
	char drift_fault[512];
	bool drift_is_open;
	uint64_t drift_at_ms;
	struct blocks_own own_blocked;
	struct status_flows flows; /* as of the last look */
	char flows_fault[512];
	/* Counters on their way to the api that asked: in parts, between which others are heard. */
	struct {
		struct counting of;
		uint64_t talk; /* its number; 0: nobody asked */
		uint32_t id;
		uint64_t cost_ns;
	} counts;
	struct notify manager;
	struct child api, next, leaving; /* the last two while what it reads is read anew: reload.c */
	bool reload_again;
	struct talk *heard; /* with the api that is being answered */
	struct told *told; /* NULL where there was no memory */
	int signals, lock, network;
	bool ends;
};

uint64_t now_ms(void); /* CLOCK_MONOTONIC */

/* ---- notes.c ---- */

/* Said once, and told by /status until it is over. */
void note_fault(char fault[static 512], const char *text);
void note_entry(struct warden *w, struct audit_entry *e);
/* That another version's pins are taken over, once. */
void note_taken(struct warden *w);
/* `by` is NULL for what tegd does by itself. */
void note_change(struct warden *w, const char *what, const struct asker *by, const char *summary, int rc,
		 const struct refusal *no);

/* ---- warden.c ---- */

void warden_follow(struct warden *w, unsigned changed);
/* Which addresses of this host lie in blocked networks; what is new is said. */
void warden_look_at_own(struct warden *w);

/* ---- doors.c ---- */

/* An error only when it would be one for ever. */
int doors_open(struct warden *w, struct err *why);
bool doors_any(const struct warden *w);
/* Tries those again that are shut. */
void doors_look(struct warden *w);

/* ---- reload.c ---- */

void reload_begin(struct warden *w);
/* The next api's socket is readable: true when it took over, and asks. */
bool reload_heard(struct warden *w);
/* After SIGCHLD. */
void reload_reap(struct warden *w);

/* ---- rollout.c ---- */

/* Is what they mean still in force? */
int base_holds(const struct warden *w, const struct asker *by, struct refusal *no);

/* A generation waits to be confirmed. */
bool is_pending(const struct warden *w);
int refuse_pending(const struct warden *w, struct refusal *no);
/* What needs a generation, while there is none. */
int refuse_without(const struct warden *w, struct refusal *no);

/* *id is that of the bytes, whatever they are. */
int apply(struct warden *w, int fd, const struct apply *ask, struct refusal *no, struct digest *id);
/* The bundle that nothing but the settings asks for. */
int apply_first(struct warden *w, const struct buf *bytes, struct refusal *no);
int roll_back(struct warden *w, const struct rollback *ask, struct refusal *no, struct arena *a, const char **summary);
int confirm(struct warden *w, const struct settle *ask, struct refusal *no);
int cancel(struct warden *w, const struct settle *ask, struct refusal *no);

/* Until the confirmation is overdue, or going back is tried again. */
uint64_t revert_in_ms(const struct warden *w, uint64_t now);
void revert_overdue(struct warden *w);

/* ---- keep.c ---- */

/* Looks, and writes what could not be written before. */
void keep_look(struct warden *w);

/* Looks first. */
int keep_refuses(struct warden *w, struct refusal *no);

/* ---- flows.c ---- */

/* Looks; says when the connection table has become full, and when there is room again. */
void flows_look(struct warden *w);

/* ---- posture.c ---- */

/* The one that lasts: the active one, or what it goes back to. */
const char *lasting_posture(const struct record *is);
/*
 * Is the posture known to admit no more than what is in force, now and when its time is over? Then it may come even while a
 * generation waits, and stays when that goes, if what was before knows the same of it.
 */
bool posture_is_no_wider(const struct plan *p, const char *name, const struct record *is);
int set_posture(struct warden *w, const struct set_posture *ask, struct refusal *no);

/* Until the posture's end, or until it is tried again. */
uint64_t return_in_ms(const struct warden *w, uint64_t now);
void return_posture(struct warden *w);

/* ---- drift.c ---- */

/* Until the next look. */
uint64_t drift_in_ms(const struct warden *w, uint64_t now);
void drift_check(struct warden *w);
/* For a change that finds its part gone: true when something was not as it was made, and now is, whatever `drift` says. */
bool drift_put_right(struct warden *w);
/*
 * Interfaces have changed, and are followed next, which would put back in silence what somebody took away from those that are
 * still there. So it is looked for first: put right, or only told of, and then left so by generation_follow_links().
 */
void drift_before_following(struct warden *w);
/*
 * After a change: is there what judges arrivals by it? What is found gone is put right, whatever `drift` says; an error when that
 * cannot be, so that nobody is told of a change that no packet meets. The rest is left to the next look, since the tables of a
 * long policy take hundreds of milliseconds to read.
 */
int drift_after(struct warden *w, struct err *why);

/* ---- answer.c ---- */

/* A negative errno when the api does not speak as it may. */
int answer_any(struct warden *w, const struct message *m, struct arena *a, struct err *why);

/* The next part of what takes longer. */
bool answer_is_due(const struct warden *w);
void answer_go_on(struct warden *w);

#endif
