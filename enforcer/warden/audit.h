/*
 * audit - what was changed: when, by whom, from where, and how it ended. STATE-DIR/audit.log.
 *
 *     audit_open(&a, state_dir, why)       goes on where the log ends
 *     audit_add(&a, &entry)                one line, written and synced before anybody hears of the change
 *
 * A line is a link of a chain (lang/base/chain.h): an object with time, what, who, from, summary,
 * result, detail, generation and posture. A line that a crash left half-written is cut off. A
 * change is not refused because the log cannot be written, as on a full disk: LOCKDOWN must be
 * possible then too. But it is told (`fault`), until the log can be written again.
 */
#ifndef TEG_WARDEN_AUDIT_H
#define TEG_WARDEN_AUDIT_H

#include "enforcer/proc/message.h"
#include "lang/base/chain.h"

struct audit {
	int fd; /* -1 when it cannot be written */
	struct chain chain;
	uint64_t len; /* of the whole lines */
	char fault[512]; /* "" when the last entry was written */
	char dir[201];
};

struct audit_entry {
	const char *what;    /* "start", "apply", "posture", … */
	const struct asker *by; /* NULL: tegd itself */
	const char *summary; /* what was asked for: "LOCKDOWN for 300 s: scans", "bundle 5e88…" */
	const char *result;  /* "done", "refused", … */
	const char *detail;  /* why it was refused; "" when it was not */
	uint64_t generation; /* in force afterwards */
	const char *posture;
};

/* Even when it fails, the log may be used: it then tries to open the file with each entry. */
int audit_open(struct audit *a, const char *dir, struct err *why);
void audit_close(struct audit *a);

void audit_add(struct audit *a, const struct audit_entry *e);

/* The log, for reading only; what is written later is not in *len. */
int audit_reader(const struct audit *a, int *fd, struct err *why);

#endif
