/*
 * audit - what was changed: when, by whom, from where, and how it ended. STATE-DIR/audit.log.
 *
 *     audit_open(&a, settings, why)        goes on where the log ends
 *     audit_add(&a, &entry)                one line, written and synced before anybody hears of the change
 *
 * A line is a link of a chain (lang/base/chain.h): an object with time, what, who, from, summary,
 * result, detail, generation and posture. A line that a crash left half-written is cut off. A
 * change is not refused because the log cannot be written, as on a full disk: LOCKDOWN must be
 * possible then too. But it is told (`fault`), until the log can be written again.
 *
 * A log that has become as long as the setting audit-bytes says is put away under the number of its last entry,
 * and goes on in a new file. The chain goes through all of them:
 *
 *     audit.log.0000000040     1 … 40      more files than audit-files are removed, the oldest first,
 *     audit.log.0000000080    41 … 80      after an entry that says so: up to which entry, and its hash
 *     audit.log               81 …         its first line's `prev` is the hash of 80
 *
 * Each step may be the last before a crash: a log that is missing or empty goes on from the newest that was
 * put away; what should have been removed is removed with the next.
 */
#ifndef TEG_WARDEN_STATE_AUDIT_H
#define TEG_WARDEN_STATE_AUDIT_H

#include "enforcer/proc/message.h"
#include "enforcer/proc/settings.h"
#include "lang/base/chain.h"

struct audit {
	int fd; /* -1 when it cannot be written */
	struct chain chain;
	uint64_t len;	 /* of the file's whole lines */
	char fault[512]; /* "" when the last entry was written */
	char dir[201];
	unsigned room, kept; /* audit-bytes, audit-files */
};

struct audit_entry {
	const char *what;    /* "start", "apply", "posture", … */
	const struct asker *by; /* NULL: tegd itself */
	const char *summary; /* what was asked for: "LOCKDOWN for 300 s: scans", "bundle 5e88…" */
	const char *result;  /* "done", "refused", … */
	const char *detail;  /* why it was refused; "" when it was not */
	uint64_t generation; /* in force afterwards */
	const char *posture;
	const struct chain *removed; /* of "rotate": what comes until there is removed; else NULL */
};

/* Even when it fails, the log may be used: it then tries to open the file with each entry. */
int audit_open(struct audit *a, const struct settings *s, struct err *why);
void audit_close(struct audit *a);

void audit_add(struct audit *a, const struct audit_entry *e);

/*
 * A file of the log, for reading only: that which is written now (what comes later is not in *len), or, before an entry,
 * the newest that ends before it. None: *len is 0, and the descriptor of /dev/null.
 */
int audit_reader(const struct audit *a, uint64_t before, int *fd, uint64_t *len, struct err *why);

#endif
