/*
 * audit - the log of changes, as the warden keeps it. Its descriptor comes through; nothing is parsed.
 */
#include "enforcer/api/request.h"

static void audit_told(struct request *r, struct answer *a)
{
	request_reply_file(r, "application/x-ndjson", a->fd, a->audit.len);
}

void route_audit(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_AUDIT, .fd = -1 }, audit_told);
}
