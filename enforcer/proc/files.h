/*
 * files - the files that a confined process may open: time zones, to read; nothing else (Landlock, Linux 5.13 on).
 *
 * Descriptors that it has stay what they are, and so do those that it is sent. A kernel or a container without Landlock leaves it what
 * its user may read; the list of calls (allow.h) keeps it from writing either way.
 */
#ifndef TEG_PROC_FILES_H
#define TEG_PROC_FILES_H

#include "lang/base/err.h"

/* For good. The process has no_new_privs, and not yet its list of calls. */
int files_only(struct err *why);

#endif
