#include "enforcer/warden/talk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/own.h"

struct kept {
	struct kept *next;
	struct message m; /* its descriptor is ours, its payload behind this */
	size_t at;	  /* so much is taken */
	char bytes[];
};

static void kept_free(struct kept *k)
{
	if (k && k->m.fd >= 0)
		close(k->m.fd);
	free(k);
}

OWN_FREE(kept, struct kept *)

void talk_begin(struct talk *t, int sock)
{
	static uint64_t talks;

	*t = (struct talk){ .sock = sock, .number = ++talks };
}

void talk_end(struct talk *t)
{
	while (t->kept) {
		own(kept) struct kept *k = t->kept;
		t->kept = k->next;
	}
	message_half_release(&t->half);
	if (t->sock >= 0)
		close(t->sock);
	*t = TALK_NONE;
}

/* ---- saying ----------------------------------------------------------------------------------- */

/* A copy, whose descriptor is the message's. */
static struct kept *kept_new(const struct message *m, size_t at)
{
	struct kept *k = malloc(sizeof *k + m->len);

	if (!k)
		return NULL;
	*k = (struct kept){ .m = *m, .at = at };
	if (m->len)
		memcpy(k->bytes, m->payload, m->len);
	k->m.payload = k->bytes;
	return k;
}

static int keep(struct talk *t, const struct message *m, size_t at, uint64_t now_ms, struct err *why)
{
	struct kept *k = t->count < TALK_KEPT ? kept_new(m, at) : NULL;

	if (!k)
		return err_set(why, ENOBUFS, "the other process does not take what it is told");
	struct kept **end = &t->kept;
	while (*end)
		end = &(*end)->next;
	if (end == &t->kept)
		t->moved_ms = now_ms;
	*end = k;
	t->count++;
	return 0;
}

int talk_say(struct talk *t, const struct message *m, uint64_t now_ms, struct err *why)
{
	own(fd) int fd = m->fd;
	size_t at = 0;
	int rc = 0;

	if (t->sock < 0)
		return err_set(why, EPIPE, "the other process is gone");
	if (!t->kept)
		rc = message_send_some(t->sock, m, &at, why);
	if (!rc)
		rc = keep(t, m, at, now_ms, why);
	if (!rc)
		fd = -1; /* it is kept too */
	return rc < 0 ? rc : 0;
}

int talk_go_on(struct talk *t, uint64_t now_ms, struct err *why)
{
	while (t->kept) {
		struct kept *k = t->kept;
		const size_t before = k->at;
		int rc = message_send_some(t->sock, &k->m, &k->at, why);

		if (rc < 0)
			return rc;
		if (rc || k->at > before)
			t->moved_ms = now_ms;
		if (!rc)
			return 0;
		t->kept = k->next;
		t->count--;
		kept_free(k);
	}
	return 0;
}

bool talk_is_taken(const struct talk *t)
{
	return !t->kept;
}

/* ---- hearing ---------------------------------------------------------------------------------- */

int talk_hear(struct talk *t, struct arena *a, struct message *out, uint64_t now_ms, struct err *why)
{
	t->moved_ms = now_ms;
	return message_receive_some(t->sock, ROLE_WARDEN, &t->half, a, out, why);
}

/* ---- waiting ---------------------------------------------------------------------------------- */

short talk_events(const struct talk *t)
{
	return t->kept ? POLLOUT : POLLIN;
}

uint64_t talk_in_ms(const struct talk *t, uint64_t now_ms)
{
	if (t->sock < 0 || (!t->kept && !t->half.begun))
		return UINT64_MAX;
	return now_ms - t->moved_ms < TALK_PATIENCE_MS ? TALK_PATIENCE_MS - (now_ms - t->moved_ms) : 0;
}

const char *talk_complaint(const struct talk *t)
{
	return t->kept ? "it does not take its answers" : "it does not go on with what it began to say";
}
