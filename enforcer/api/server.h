/*
 * server - what all requests of the api share.
 */
#ifndef TEG_API_SERVER_H
#define TEG_API_SERVER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "enforcer/api/access/roster.h"
#include "enforcer/api/events.h"
#include "enforcer/api/http/client.h"
#include "enforcer/api/http/pace.h"
#include "enforcer/api/http/tls.h"
#include "enforcer/api/link.h"
#include "enforcer/api/qualia.h"
#include "enforcer/api/routes/route.h"
#include "enforcer/api/tickets.h"

#define SERVER_UPLOADS_MAX 2 /* bundles being received, each up to BUNDLE_BYTES_MAX of memory */

#define SERVER_STATUS_END 600 /* HTTP statuses are below */

/* One of two doors: its socket, and how those who come through it are known. */
struct door {
	struct server *server;
	bool by_token;	    /* else by what the kernel says of the peer */
	gid_t socket_group; /* of a Unix socket */
	struct tls *tls;    /* NULL: without */
};

struct server {
	struct link *link;
	struct clients *clients;
	struct qualia *qualia;
	struct events *events;
	const struct roster *roster;
	struct pace *pace; /* of TCP */
	struct tickets *tickets;
	atomic_bool leaving; /* another api takes over: whoever was answered, goes */
	atomic_uint uploads;
	atomic_ullong answered[ROUTE_COUNT + 1][SERVER_STATUS_END]; /* by route (the last: none) and status */
};

#endif
