/*
 * parts - a request from within: what the files of request.h share.
 *
 *     request.c  its life, its body, and what is asked of the warden for it
 *     head.c     who asks, for what, and whether that may be
 *     answer.c   the answer, or the refusal
 */
#ifndef TEG_API_HTTP_PARTS_H
#define TEG_API_HTTP_PARTS_H

#include "enforcer/api/http/request.h"

#define ANSWERS_MAX 4

struct request {
	struct server *server;
	struct door *door;
	struct MHD_Connection *connection;
	struct client *client;
	const struct route *route;
	gnutls_datum_t certificate; /* that was shown, and holds */
	bool unmapped; /* it has no name that gives a role */
	struct caller caller;
	const char *base; /* of If-Match; "" when any */
	const char *tag;  /* the answer's, or NULL */
	bool closes;	  /* the connection, with the answer */
	struct arena *arena;

	uint64_t body_left; /* still to come, by its Content-Length */
	struct buf body;    /* of a JSON route */
	int bundle;	    /* of a BUNDLE route, else -1 */
	bool uploads;	    /* holds one of the server's uploads */

	struct waiter waiter;
	bool asked; /* and not yet looked at what was heard */
	enum heard heard;
	struct answer *answers[ANSWERS_MAX]; /* the last is the one just heard */
	size_t answer_count;
	request_then *then;
	void (*silence)(struct request *r, enum heard how);

	struct MHD_Response *response; /* NULL until answered */
	unsigned status;
};

/* All that can be said before the body comes. */
void request_open(struct request *r, const char *method, const char *path);

void request_refuse_method(struct request *r, const char *method, const char *path);
enum MHD_Result request_send(struct request *r);

#endif
