#include "enforcer/api/link.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lang/base/clock.h"

/* A question on its way. Without waiters it stays until answered, so that few are ever on their way. */
struct flight {
	struct flight *next;
	struct waiter *waiters;
	enum message_kind kind;
	uint32_t id;
};

struct link {
	pthread_mutex_t lock;
	int sock;
	bool gone;
	uint32_t last_id;
	unsigned changes;
	struct flight *flying;
	struct waiter *next[MESSAGE_COUNT]; /* who shares the next question of a kind */
	struct link_unasked unasked;
};

/* What is answered by what; kinds that are no question answer themselves, and are never asked. */
static enum message_kind answer_kind(enum message_kind question)
{
	switch (question) {
	case MESSAGE_ASK_STATUS:
		return MESSAGE_STATUS;
	case MESSAGE_ASK_COUNTERS:
		return MESSAGE_COUNTERS;
	case MESSAGE_SET_POSTURE:
	case MESSAGE_APPLY:
	case MESSAGE_BLOCK:
	case MESSAGE_FEED:
	case MESSAGE_ROLLBACK:
	case MESSAGE_CONFIRM:
	case MESSAGE_CANCEL:
		return MESSAGE_RESULT;
	case MESSAGE_ASK_HISTORY:
		return MESSAGE_HISTORY;
	case MESSAGE_ASK_BUNDLE:
		return MESSAGE_BUNDLE;
	case MESSAGE_ASK_BLOCKS:
		return MESSAGE_BLOCKS;
	case MESSAGE_ASK_FEEDS:
		return MESSAGE_FEEDS;
	case MESSAGE_ASK_AUDIT:
		return MESSAGE_AUDIT;
	case MESSAGE_STATUS:
	case MESSAGE_COUNTERS:
	case MESSAGE_RESULT:
	case MESSAGE_AUDIT:
	case MESSAGE_BLOCKS:
	case MESSAGE_FEEDS:
	case MESSAGE_HISTORY:
	case MESSAGE_BUNDLE:
	case MESSAGE_EVENT:
	case MESSAGE_PACKETS:
	case MESSAGE_COUNT:
		break;
	}
	return question;
}

static bool changes_something(enum message_kind question)
{
	return answer_kind(question) == MESSAGE_RESULT;
}

/* Two who ask the same are not asking the same: it says more than its kind. */
static bool stands_alone(enum message_kind question)
{
	return changes_something(question) || question == MESSAGE_ASK_BUNDLE || question == MESSAGE_ASK_AUDIT;
}

/* ---- answers --------------------------------------------------------------------- */

struct answer *answer_get(struct answer *a)
{
	atomic_fetch_add(&a->holders, 1);
	return a;
}

void answer_put(struct answer *a)
{
	if (!a || atomic_fetch_sub(&a->holders, 1) != 1)
		return;
	if (a->fd >= 0)
		close(a->fd);
	arena_free(a->arena);
}

static void answer_own_(struct answer **held)
{
	answer_put(*held);
}

/* Takes the arena, in which the answer then lives. */
static int answer_decode(struct answer **out, const struct message *m, struct arena *a, struct err *why)
{
	struct answer *made = arena_zero(a, sizeof *made);
	int rc = 0;

	*made = (struct answer){ .arena = a, .kind = m->kind, .fd = -1 };
	atomic_init(&made->holders, 1);
	switch (m->kind) {
	case MESSAGE_STATUS:
		rc = status_decode(&made->status, a, m->payload, m->len, why);
		break;
	case MESSAGE_COUNTERS:
		rc = counters_decode(&made->counters, a, m->payload, m->len, why);
		break;
	case MESSAGE_RESULT:
		rc = result_decode(&made->result, a, m->payload, m->len, why);
		break;
	case MESSAGE_AUDIT:
		rc = audit_head_decode(&made->audit, m->payload, m->len, why);
		break;
	case MESSAGE_BLOCKS:
		rc = blocks_decode(&made->blocks, a, m->payload, m->len, why);
		break;
	case MESSAGE_FEEDS:
		rc = feeds_told_decode(&made->feeds, a, m->payload, m->len, why);
		break;
	case MESSAGE_HISTORY:
		rc = history_decode(&made->history, a, m->payload, m->len, why);
		break;
	case MESSAGE_BUNDLE:
		rc = kept_bundle_decode(&made->bundle, a, m->payload, m->len, why);
		break;
	case MESSAGE_ASK_STATUS:
	case MESSAGE_ASK_COUNTERS:
	case MESSAGE_ASK_FEEDS:
	case MESSAGE_FEED:
	case MESSAGE_ASK_AUDIT:
	case MESSAGE_ASK_BLOCKS:
	case MESSAGE_SET_POSTURE:
	case MESSAGE_APPLY:
	case MESSAGE_BLOCK:
	case MESSAGE_ROLLBACK:
	case MESSAGE_CONFIRM:
	case MESSAGE_CANCEL:
	case MESSAGE_ASK_HISTORY:
	case MESSAGE_ASK_BUNDLE:
	case MESSAGE_EVENT:
	case MESSAGE_PACKETS:
	case MESSAGE_COUNT:
		rc = err_set(why, EPROTO, "%s is no answer", message_name(m->kind));
		break;
	}
	if (!rc)
		*out = made;
	return rc;
}

/* ---- telling ------------------------------------------------------------------------ */

static void tell(struct waiter *w, enum heard how, struct answer *a)
{
	w->then(w, how, a ? answer_get(a) : NULL);
}

/* Without the lock: a waiter may ask again at once. */
static void tell_all(struct waiter *w, enum heard how, struct answer *a)
{
	while (w) {
		struct waiter *next = w->next; /* the waiter is its owner's once told */

		tell(w, how, a);
		w = next;
	}
}

static void append(struct waiter **list, struct waiter *w)
{
	while (*list)
		list = &(*list)->next;
	w->next = NULL;
	*list = w;
}

static struct waiter *all_waiters(struct link *l)
{
	struct waiter *all = NULL;
	struct waiter **end = &all;

	for (struct flight *f = l->flying; f; f = f->next) {
		*end = f->waiters;
		f->waiters = NULL;
		while (*end)
			end = &(*end)->next;
	}
	for (size_t k = 0; k < MESSAGE_COUNT; k++) {
		*end = l->next[k];
		l->next[k] = NULL;
		while (*end)
			end = &(*end)->next;
	}
	return all;
}

void link_end(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	l->gone = true;
	struct waiter *all = all_waiters(l);
	pthread_mutex_unlock(&l->lock);
	tell_all(all, HEARD_GONE, NULL);
}

/* ---- asking -------------------------------------------------------------------------- */

static struct flight *find_kind(struct link *l, enum message_kind kind)
{
	struct flight *f = l->flying;

	while (f && f->kind != kind)
		f = f->next;
	return f;
}

/* Sends, with the lock held; the waiters fly with it. */
static bool fly(struct link *l, const struct question *q, struct waiter *waiters)
{
	struct message m = { q->kind, l->last_id + 1, q->payload, q->len, q->fd };
	struct flight *f = calloc(1, sizeof *f);
	struct err why = { 0 };

	if (!f || message_send(l->sock, &m, &why)) {
		free(f);
		return false;
	}
	*f = (struct flight){ l->flying, waiters, q->kind, ++l->last_id };
	l->flying = f;
	l->changes += changes_something(q->kind);
	return true;
}

/* HEARD_ANSWER when the waiter now waits. */
static enum heard ask_locked(struct link *l, const struct question *q, struct waiter *w)
{
	const bool changes = changes_something(q->kind);

	if (l->gone)
		return HEARD_GONE;
	if (changes && l->changes >= LINK_CHANGES_MAX)
		return HEARD_BUSY;
	if (!stands_alone(q->kind) && find_kind(l, q->kind)) {
		append(&l->next[q->kind], w);
		return HEARD_ANSWER;
	}
	w->next = NULL;
	return fly(l, q, w) ? HEARD_ANSWER : HEARD_GONE;
}

void link_ask(struct link *l, const struct question *q, struct waiter *w, uint64_t timeout_ns)
{
	assert(answer_kind(q->kind) != q->kind);
	w->deadline_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ns;

	pthread_mutex_lock(&l->lock);
	enum heard how = ask_locked(l, q, w);
	pthread_mutex_unlock(&l->lock);
	if (how != HEARD_ANSWER)
		tell(w, how, NULL);
}

bool link_is_changing(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	bool changing = l->changes > 0;
	pthread_mutex_unlock(&l->lock);
	return changing;
}

/* ---- hearing ---------------------------------------------------------------------------- */

/* Takes the flight of that id out, or gives NULL. */
static struct flight *land(struct link *l, uint32_t id)
{
	struct flight **at = &l->flying;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	struct flight *f = *at;
	if (f) {
		*at = f->next;
		l->changes -= changes_something(f->kind);
	}
	return f;
}

/* The next shared question of a kind, when someone waits for it; false when it cannot be asked. */
static bool fly_next(struct link *l, enum message_kind kind)
{
	const struct question q = { .kind = kind, .fd = -1 };

	if (!l->next[kind])
		return true;
	if (!fly(l, &q, l->next[kind]))
		return false;
	l->next[kind] = NULL;
	return true;
}

/* The waiters whom this answer is for. An answer that no question asked for breaks the talk. */
static int match(struct link *l, const struct answer *a, uint32_t id, struct waiter **out, struct err *why)
{
	struct flight *f = land(l, id);

	if (!f)
		return err_set(why, EPROTO, "%s answers question %u, which is not open", message_name(a->kind), id);
	own(mem) struct flight *landed = f;
	*out = f->waiters;
	if (answer_kind(f->kind) != a->kind)
		return err_set(why, EPROTO, "%s does not answer %s", message_name(a->kind), message_name(f->kind));
	if (!fly_next(l, f->kind))
		return err_set(why, EPIPE, "the warden does not take questions");
	return 0;
}

static int hear_unasked(struct link *l, const struct message *m, struct arena *a, struct err *why)
{
	struct packets packets;
	struct event event;
	int rc;

	if (m->kind == MESSAGE_PACKETS) {
		rc = packets_decode(&packets, a, m->payload, m->len, why);
		if (!rc && l->unasked.packets)
			l->unasked.packets(l->unasked.cls, &packets);
		return rc;
	}
	rc = event_decode(&event, a, m->payload, m->len, why);
	if (!rc && l->unasked.event)
		l->unasked.event(l->unasked.cls, &event);
	return rc;
}

/* What was said unasked is told at once; then *out stays NULL. */
static int receive(struct link *l, struct answer **out, uint32_t *id, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct message m;
	int rc = message_receive(l->sock, ROLE_API, a, &m, why);

	if (rc)
		return rc;
	own(fd) int fd = m.fd;
	if (m.kind == MESSAGE_EVENT || m.kind == MESSAGE_PACKETS)
		return hear_unasked(l, &m, a, why);
	rc = answer_decode(out, &m, a, why);
	if (rc)
		return rc;
	(*out)->fd = take_fd(fd);
	*id = m.id;
	(void)take(a); /* the answer holds it */
	return 0;
}

int link_read(struct link *l, struct err *why)
{
	own(answer) struct answer *a = NULL;
	struct waiter *waiters = NULL;
	uint32_t id = 0;
	int rc = receive(l, &a, &id, why);

	if (!rc && a) {
		pthread_mutex_lock(&l->lock);
		rc = match(l, a, id, &waiters, why);
		pthread_mutex_unlock(&l->lock);
	}
	tell_all(waiters, rc ? HEARD_GONE : HEARD_ANSWER, rc ? NULL : a);
	if (rc)
		link_end(l);
	return rc;
}

/* Moves who is overdue from one list to another. */
static void take_overdue(struct waiter **from, struct waiter **to, uint64_t now_ns)
{
	while (*from) {
		struct waiter *w = *from;

		if (w->deadline_ns > now_ns) {
			from = &w->next;
			continue;
		}
		*from = w->next;
		append(to, w);
	}
}

void link_tick(struct link *l, uint64_t now_ns)
{
	struct waiter *late = NULL;

	pthread_mutex_lock(&l->lock);
	for (struct flight *f = l->flying; f; f = f->next)
		take_overdue(&f->waiters, &late, now_ns);
	for (size_t k = 0; k < MESSAGE_COUNT; k++)
		take_overdue(&l->next[k], &late, now_ns);
	pthread_mutex_unlock(&l->lock);
	tell_all(late, HEARD_LATE, NULL);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Questions are short and few, so that they fit the socket's buffer; should they ever not, fail. */
#define SEND_LIMIT_S 1

struct link *link_new(int warden_sock, const struct link_unasked *to)
{
	const struct timeval limit = { .tv_sec = SEND_LIMIT_S };
	struct link *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->sock = warden_sock;
	if (to)
		l->unasked = *to;
	pthread_mutex_init(&l->lock, NULL);
	setsockopt(warden_sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	return l;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	link_end(l);
	for (struct flight *f = l->flying; f;) {
		struct flight *next = f->next;
		free(f);
		f = next;
	}
	pthread_mutex_destroy(&l->lock);
	free(l);
}
