/*
 * past - the generations that were in force: the last fifty, and who brought them. STATE-DIR/history.
 *
 *     past_begin(&p, &entry)   before the switch, and saved: what cannot be remembered is not done
 *       … switch …
 *     past_end(&p, END_DONE)   or past_drop(&p), when it did not come to it
 *     past_save
 *
 * The bundle of each stays in the state directory, by its id, until its last entry has gone. After
 * a crash the journal decides what an entry without an end came to: past_resolve().
 */
#ifndef TEG_WARDEN_STATE_PAST_H
#define TEG_WARDEN_STATE_PAST_H

#include "enforcer/proc/message.h"
#include "enforcer/warden/state/state.h"

#define PAST_MOST 50
#define PAST_TEXT 256

enum past_how { HOW_APPLY, HOW_ROLLBACK, HOW_REVERT, HOW_COUNT };
enum past_end { END_BEGUN, END_DONE, END_PENDING, END_CONFIRMED, END_CANCELLED, END_NOT_CONFIRMED, END_COUNT };

struct entry {
	uint64_t number, serial, at, of; /* as in struct history_row */
	struct digest bundle;
	enum past_how how;
	enum past_end end;
	char policy[PAST_TEXT + 1], version[PAST_TEXT + 1], who[PAST_TEXT + 1], from[PAST_TEXT + 1];
};

struct past {
	struct entry at[PAST_MOST + 1]; /* the newest last; one more while a change is under way */
	size_t len;
	bool unsaved; /* not in the file: the last past_save() failed */
};

/* None is an empty one. -EBADMSG when it cannot be read; then *out is empty. */
int past_load(struct past *out, const char *dir, struct err *why);
int past_save(struct past *p, const char *dir, struct err *why);

/* Saves too. When it fails, there is no entry. */
int past_begin(struct past *p, const struct entry *e, const char *dir, struct err *why);
/* The same without saving. */
void past_enter(struct past *p, const struct entry *e);
void past_drop(struct past *p);

/* Of the newest; the oldest goes when there are too many. */
void past_finish(struct past *p, enum past_end end);

/* Of a generation. */
void past_end(struct past *p, uint64_t number, enum past_end end);

/* After a start: what the journal does not know of did not come to be. */
void past_resolve(struct past *p, const struct state *s);

/* NULL when it is not kept. */
const struct entry *past_find(const struct past *p, uint64_t number);

/* The newest whose bundle is another one, or NULL. */
const struct entry *past_other(const struct past *p, const struct digest *bundle);

/* Removes the bundles that nobody names any more. */
void past_collect(const struct past *p, const struct state *s, const char *dir);

/* As the api is told: the newest first, in the arena. */
void past_tell(struct history *out, const struct past *p, uint64_t now, struct arena *a);

#endif
