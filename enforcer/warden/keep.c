/*
 * keep - can what is in force be remembered?
 *
 * A state directory that is read-only or full stops nothing that is in force, nor what the kernel keeps by itself: a
 * posture without an end, blocks. A rollout, a confirmation and a posture with an end live from being remembered, so
 * they are refused until the directory can be written, loudly. What was in force before may come back all the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/inside.h"

static int look_at(const char *dir, struct err *why)
{
	struct statfs fs;

	if (access(dir, W_OK) || statfs(dir, &fs))
		return err_sys(why, "the state directory %s cannot be written", dir);
	if ((fs.f_blocks && !fs.f_bavail) || (fs.f_files && !fs.f_ffree)) /* no such bound: zero of zero */
		return err_set(why, ENOSPC, "the state directory %s cannot be written: %s", dir, strerror(ENOSPC));
	return 0;
}

/* What could not be written before is written first. */
static int catch_up(struct warden *w, struct err *why)
{
	const bool behind = w->state.unsaved || w->past.unsaved;
	int rc = look_at(w->settings->state_dir, why);

	if (!rc && w->state.unsaved)
		rc = state_save(&w->state, w->settings->state_dir, why);
	if (!rc && w->past.unsaved)
		rc = past_save(&w->past, w->settings->state_dir, why);
	if (!rc && behind)
		say("journal and history are written again");
	return rc;
}

static void note_keeping(struct warden *w, const char *result)
{
	note_entry(w, &(struct audit_entry){ .what = "state-dir", .summary = *w->keep_fault ? w->keep_fault : "it can be written",
					     .result = result, .detail = "" });
}

void keep_look(struct warden *w)
{
	const bool refused = *w->keep_fault;
	struct err why;
	int rc = catch_up(w, &why);

	if (rc)
		err_in(&why, "changes are refused until they can be remembered; make room, or make it writable");
	note_fault(w->keep_fault, rc ? why.text : "");
	if (refused != (rc != 0))
		note_keeping(w, rc ? "failed" : "done");
}

int keep_refuses(struct warden *w, struct refusal *no)
{
	keep_look(w);
	if (!*w->keep_fault)
		return 0;
	no->code = RESULT_CANNOT;
	no->part = "journal";
	return err_set(&no->why, EROFS, "%s", w->keep_fault);
}
