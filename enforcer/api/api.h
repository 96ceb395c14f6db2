/*
 * api - the HTTP side of tegd, in a process of its own without privilege.
 *
 * It owns no truth: it asks the warden (enforcer/proc/message.h) and tells
 * clients what it answered.
 */
#ifndef TEG_API_API_H
#define TEG_API_API_H

#include "enforcer/api/access/roster.h"
#include "enforcer/api/http/tls.h"

struct api_keys {
	const struct roster *roster;
	struct tls *tls; /* of the TCP door; NULL: without */
	unsigned rate;	 /* requests a second an address over TCP; 0: any */
};

/*
 * Serves until the warden is gone or SIGTERM comes; the value is the process's exit code.
 * unix_listen and tcp_listen are listening sockets, or -1: not configured, or not there yet.
 * Clients of the second must show a token of the roster.
 */
int api_run(int warden_sock, int unix_listen, int tcp_listen, const struct api_keys *keys);

#endif
