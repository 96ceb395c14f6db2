/*
 * allow - the system calls that a role may make: the rows of allow.def, and no others.
 *
 * A call that is no row does not exist (ENOSYS), a row's call with other arguments is refused (EPERM). A C library that is
 * newer than the list asks for a call it does not have, and goes on as on an older kernel. Nothing is killed: see
 * docs/decisions/0013-calls-by-list.md. Under the sanitizers there are the rows that their runtime needs besides,
 * and in the tegd that is built for valgrind, for tests, no list at all.
 */
#ifndef TEG_PROC_ALLOW_H
#define TEG_PROC_ALLOW_H

#include "enforcer/proc/message.h"
#include "lang/base/err.h"

/* For good, and for whatever it starts. The process has no_new_privs. */
int allow_only(enum role me, struct err *why);

#endif
