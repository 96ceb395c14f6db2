#include "lang/base/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HASH_BEGINS ",\"hash\":\""
#define HASH_ENDS   "\"}"
#define TAIL	    (sizeof HASH_BEGINS - 1 + DIGEST_HEX + sizeof HASH_ENDS - 1)

void chain_add(struct chain *c, struct buf *out, const char *members)
{
	const size_t from = out->len;

	buf_printf(out, "{\"seq\":%" PRIu64 ",\"prev\":\"%s\",%s", c->seq + 1, c->hash, members);
	const struct digest d = digest_of(out->at + from, out->len - from);
	buf_printf(out, HASH_BEGINS "%s" HASH_ENDS "\n", d.hex);
	memcpy(c->hash, d.hex, sizeof c->hash);
	c->seq++;
}

/* What a line says of itself; its digest holds. */
struct link {
	uint64_t seq;
	char prev[DIGEST_HEX + 1], hash[DIGEST_HEX + 1];
};

static int read_link(struct link *out, const char *line, size_t len, struct err *why)
{
	char head[128];
	int used = 0;

	snprintf(head, sizeof head, "%.*s", (int)(len < 120 ? len : 120), line);
	if (len < TAIL || memchr(line, '\0', len) ||
	    sscanf(head, "{\"seq\":%20" SCNu64 ",\"prev\":\"%64[0-9a-f]\",%n", &out->seq, out->prev, &used) != 2 || !used ||
	    (size_t)used > len - TAIL || strlen(out->prev) != DIGEST_HEX)
		return err_set(why, EBADMSG, "it is no line of an audit log");

	const char *tail = line + len - TAIL;
	const char *hash = tail + sizeof HASH_BEGINS - 1;
	const struct digest is = digest_of(line, len - TAIL);
	if (memcmp(tail, HASH_BEGINS, sizeof HASH_BEGINS - 1) || memcmp(hash + DIGEST_HEX, HASH_ENDS, sizeof HASH_ENDS - 1))
		return err_set(why, EBADMSG, "it does not end with its hash");
	if (memcmp(is.hex, hash, DIGEST_HEX))
		return err_set(why, EBADMSG, "entry %" PRIu64 " is not as it was written: its hash is another", out->seq);
	memcpy(out->hash, is.hex, sizeof out->hash);
	return 0;
}

static void advance(struct chain *c, const struct link *l)
{
	c->seq = l->seq;
	memcpy(c->hash, l->hash, sizeof c->hash);
}

int chain_follow(struct chain *c, const char *line, size_t len, struct err *why)
{
	struct link l;
	int rc = read_link(&l, line, len, why);

	if (rc)
		return rc;
	if (l.seq != c->seq + 1)
		return err_set(why, EBADMSG, "entry %" PRIu64 " follows entry %" PRIu64, l.seq, c->seq);
	if (strcmp(l.prev, c->hash))
		return err_set(why, EBADMSG, "entry %" PRIu64 " was not written after this entry %" PRIu64, l.seq, c->seq);
	advance(c, &l);
	return 0;
}

int chain_resume(struct chain *c, const char *line, size_t len, struct err *why)
{
	struct link l;
	int rc = read_link(&l, line, len, why);

	if (!rc)
		advance(c, &l);
	return rc;
}

int chain_before(struct chain *c, const char *line, size_t len, struct err *why)
{
	struct link l;
	int rc = read_link(&l, line, len, why);

	if (!rc && !l.seq)
		rc = err_set(why, EBADMSG, "entries begin with 1");
	if (rc)
		return rc;
	c->seq = l.seq - 1;
	memcpy(c->hash, l.prev, sizeof c->hash);
	return 0;
}
