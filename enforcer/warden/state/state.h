/*
 * state - the journal: which generation is in force, and which one is on its way.
 *
 *     settled(now) ── state_save(committing: now, next) ── switch ── state_save(settled: next)
 *
 * Written before the kernel is touched and after it is done, each time whole and
 * synced. Whoever starts after a crash reads from it what to look for, and from
 * the kernel how far the switch came. A change of posture is announced only when it
 * has an end: whatever the journal says, the hook's own rules say which one is in force.
 *
 * In the state directory:   state   ledger   history   bundles/ID.tegb
 */
#ifndef TEG_WARDEN_STATE_STATE_H
#define TEG_WARDEN_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf-templates/abi.h"
#include "enforcer/warden/state/deadline.h"
#include "lang/base/buf.h"
#include "lang/base/digest.h"
#include "lang/base/err.h"

#define STATE_POSTURE_MAX 128
#define STATE_REASON_MAX  1024
#define STATE_DOUBT_MAX	  500

/* A generation as the journal knows it; number 0 is none. */
struct record {
	uint64_t number;
	struct digest bundle;		 /* its id */
	char bank;			 /* 'a' or 'b' */
	char posture[STATE_POSTURE_MAX + 1];
	char reason[STATE_REASON_MAX + 1];
	uint64_t since;			 /* seconds, CLOCK_REALTIME: of the posture */
	struct deadline until;		 /* when the posture goes back, to this one: */
	char back[STATE_POSTURE_MAX + 1];
	uint32_t program[TEG_HOOKS];	 /* the kernel's numbers for them; 0 when none takes part */
	struct digest tables;		 /* filter_digest() once it was in force */
	uint32_t tests_run, tests_left;	 /* cases of the policy's tests: tried in this kernel, and not */
	char doubt[STATE_DOUBT_MAX + 1]; /* how the policy's tests do not hold in what came back after a boot; "" when they do */
	struct deadline confirm;	 /* it goes again then, unless it is confirmed; unset: it stays */
};

struct state {
	bool unsaved;	 /* not in the file: the last state_save() failed */
	bool committing;
	struct record now, next; /* next only while committing */
	struct record before;	 /* what comes back when now is not confirmed; only while that has a deadline */
};

/* The generation takes over from now, which is what comes back when this one has yet to be confirmed. */
void state_advance(struct state *s, const struct record *is);

/*
 * -ENOENT when there is none, -EBADMSG when it cannot be read. The journal of the version before is read too: it knows
 * one program, XDP's, and no doubt.
 */
int state_load(struct state *out, const char *dir, struct err *why);
int state_save(struct state *s, const char *dir, struct err *why);

/* The same of what is so already: s->unsaved says that it failed, and it is tried again. */
void state_note(struct state *s, const char *dir);

/* Bundles that a record names. */
int state_keep_bundle(const char *dir, const struct digest *id, const void *bytes, size_t len, struct err *why);
int state_read_bundle(struct buf *out, const char *dir, const struct digest *id, struct err *why);

/* The file, for reading. */
int state_open_bundle(int *fd, const char *dir, const struct digest *id, struct err *why);

/* Removes the bundles that neither a record nor `more` names. */
void state_collect_bundles(const struct state *s, const struct digest *more, size_t n, const char *dir);

#endif
