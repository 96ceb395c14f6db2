/*
 * audit - the log of changes, as the warden keeps it. Its descriptor comes through; nothing is parsed.
 */
#include "enforcer/api/http/request.h"

static void audit_told(struct request *r, struct answer *a)
{
	request_reply_file(r, "application/x-ndjson", a->fd, a->audit.len);
}

static void ask(struct request *r, uint64_t before)
{
	own(buf) struct buf payload = { 0 };

	ask_audit_encode(&payload, &(struct ask_audit){ before });
	request_ask(r, &(struct question){ MESSAGE_ASK_AUDIT, buf_text(&payload), payload.len, -1 }, audit_told);
}

void route_audit(struct request *r)
{
	ask(r, 0);
}

struct earlier_asked {
	uint64_t before;
};

const struct json_field earlier_fields[] = {
	{ "before", JSON_COUNT, .required = true, .at = offsetof(struct earlier_asked, before),
	  .least = 1, .most = (UINT64_C(1) << 53) - 1, .about = "an entry's `seq`: the file with the last of the entries before it" },
	{ 0 }
};

void route_earlier(struct request *r)
{
	struct earlier_asked asked = { 0 };

	if (request_read(r, &asked))
		ask(r, asked.before);
}
