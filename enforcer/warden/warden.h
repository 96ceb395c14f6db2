/*
 * warden - the only privileged role: it loads programs, sends rulesets, switches.
 *
 *     one thread, one poll:   signals · interfaces and addresses · the api's questions
 *
 * No network but netlink, no text: what it reads are bundles, messages, and its
 * own journal, each in a strict form. When it ends, by SIGTERM or by force, what
 * it put into the kernel goes on.
 */
#ifndef TEG_WARDEN_WARDEN_H
#define TEG_WARDEN_WARDEN_H

#include "enforcer/proc/settings.h"

/* The value is the process's exit code. */
int warden_run(const struct settings *s, char *const *argv);

/* Could it run with these settings, here? Touches nothing. */
int warden_check(const struct settings *s, struct err *why);

#endif
