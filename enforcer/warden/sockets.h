/*
 * sockets - those on which the api is reached, and the one that says that a tegd is here. The warden makes them, since
 * the api may not; it never reads from one.
 */
#ifndef TEG_WARDEN_SOCKETS_H
#define TEG_WARDEN_SOCKETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "enforcer/proc/settings.h"
#include "lang/base/err.h"

/*
 * Those that the service manager made (LISTEN_FDS, sd_listen_fds(3)): at most one of each kind, -1 for what it did not
 * make. One over TCP must be at the address that the setting `listen` has, because who may come by there is
 * decided by the settings.
 */
int sockets_take(int *unix_listen, int *tcp_listen, const struct settings *s, struct err *why);

/* The group of those who may administer; (gid_t)-1 where there is none. */
gid_t sockets_group(void);

/*
 * RUN_DIR/api.sock, for root and that group. A socket nobody listens on is replaced. Patiently: one that somebody listens on is waited
 * for, for two seconds, since the api of a warden that was killed ends a moment later.
 */
int sockets_open_unix(int *out, const struct settings *s, gid_t group, bool patiently, struct err *why);

/* Made, while the process may make one; it listens from sockets_listen_tcp() on, which may be tried again. *out is -1 when none is configured. */
int sockets_make_tcp(int *out, const struct settings *s, struct err *why);
int sockets_listen_tcp(int fd, const struct settings *s, bool patiently, struct err *why);

/*
 * Two of tegd in one network namespace would take each other's tables for foreign changes. The first listens at the name
 * @tegumentar of the namespace, so that the second hears whose it is: -EBUSY. *out stays as it is where an ordinary user's
 * process has the name; that is said.
 */
int sockets_hold_network(int *out, struct err *why);

/* Now and then: those who asked whose it is have heard it. */
void sockets_let_go(int network);

#endif
