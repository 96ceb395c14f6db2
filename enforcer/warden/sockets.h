/*
 * sockets - the sockets on which the api is reached. The warden makes them, since
 * the api may not; it never reads from one.
 */
#ifndef TEG_WARDEN_SOCKETS_H
#define TEG_WARDEN_SOCKETS_H

#include "enforcer/proc/settings.h"
#include "lang/base/err.h"

/*
 * Those that the service manager made (LISTEN_FDS, sd_listen_fds(3)): at most one of each kind, -1 for what it did not
 * make. One over TCP must be at the address that the setting `listen` has, because who may come by there is
 * decided by the settings.
 */
int sockets_take(int *unix_listen, int *tcp_listen, const struct settings *s, struct err *why);

/* RUN_DIR/api.sock, for root and the group tegumentar. A socket nobody listens on is replaced. */
int sockets_open_unix(int *out, const struct settings *s, struct err *why);

/* *out is -1 when none is configured. */
int sockets_open_tcp(int *out, const struct settings *s, struct err *why);

#endif
