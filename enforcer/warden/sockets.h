/*
 * sockets - the sockets on which the api is reached. The warden makes them, since
 * the api may not; it never reads from one.
 */
#ifndef TEG_WARDEN_SOCKETS_H
#define TEG_WARDEN_SOCKETS_H

#include "enforcer/proc/settings.h"
#include "lang/base/err.h"

/* RUN_DIR/api.sock, for root and the group tegumentar. A socket nobody listens on is replaced. */
int sockets_open_unix(int *out, const struct settings *s, struct err *why);

/* *out is -1 when none is configured. */
int sockets_open_tcp(int *out, const struct settings *s, struct err *why);


#endif
