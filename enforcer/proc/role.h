/*
 * role - one binary, several processes, each with only the privilege it needs.
 *
 *     warden                                api
 *     role_start(ROLE_API, …) ──fork,exec──► tegd --role api …
 *                                            settings, token        still root
 *                                            role_confine(user)     now nobody, for good
 *                                            api_run(…)
 *
 * Executing anew gives the child a fresh address space: nothing that the warden
 * read or holds is in it. It receives its descriptors at fixed numbers and no
 * others, and of the environment only TEGUMENTAR_*, but no setting that holds a secret.
 */
#ifndef TEG_PROC_ROLE_H
#define TEG_PROC_ROLE_H

#include <sys/types.h>

#include "enforcer/proc/message.h"
#include "lang/base/err.h"

enum role_fd { ROLE_FD_WARDEN = 3, ROLE_FD_UNIX = 4, ROLE_FD_TCP = 5, ROLE_FD_END = 6 };

/* fds[i] becomes descriptor ROLE_FD_WARDEN + i; -1 leaves that number closed. */
int role_start(pid_t *out, enum role role, char *const *argv,
	       const int fds[static ROLE_FD_END - ROLE_FD_WARDEN], struct err *why);

/*
 * Becomes the user (NULL or "": tegumentar when there is one, else nobody), with no
 * capability and no way to gain one, dies with its parent, opens no files but those of files.h,
 * and makes no system calls but the api's of allow.def.
 */
int role_confine(const char *user, struct err *why);

/* Is there that user, and is it not root? */
int role_check_user(const char *user, struct err *why);

#endif
