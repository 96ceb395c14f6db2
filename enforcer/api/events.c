#include "enforcer/api/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "enforcer/api/json.h"

struct listener {
	struct listener *next, **at;
	struct events *events;
	uint64_t heard;		/* number of the last event told */
	uint64_t qualia_heard;	/* the same of the figures */
	uint64_t packet_heard;	/* and of the packets */
	bool lost;		/* tell that something was missed */
	bool sleeps;
	void (*wake)(void *cls);
	void *cls;
};

struct events {
	pthread_mutex_t lock;
	uint64_t epoch;		     /* of this process: an id of another one is none of ours */
	uint64_t count;		     /* events so far; the last one's number */
	struct buf ring[EVENTS_KEPT]; /* by number */
	struct buf qualia;
	uint64_t qualia_count;
	struct buf packets[EVENTS_PACKETS]; /* by number */
	uint64_t packet_count, missed;
	uint64_t blocked;
	bool blocked_known, over;
	struct listener *first;
	unsigned listeners;
};

struct events *events_new(void)
{
	struct events *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	pthread_mutex_init(&e->lock, NULL);
	e->epoch = (uint64_t)time(NULL);
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		buf_release(&e->ring[i]);
	for (size_t i = 0; i < EVENTS_PACKETS; i++)
		buf_release(&e->packets[i]);
	buf_release(&e->qualia);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

/* ---- telling ------------------------------------------------------------------------ */

static void wake_all(struct events *e)
{
	for (struct listener *l = e->first; l; l = l->next) {
		if (l->sleeps)
			l->wake(l->cls);
		l->sleeps = false;
	}
}

/* With the lock. Takes the object. */
static void put(struct events *e, const char *type, cJSON *data)
{
	own(mem) char *text = cJSON_PrintUnformatted(data);
	struct buf *slot;

	cJSON_Delete(data);
	if (!text)
		return;
	slot = &e->ring[++e->count % EVENTS_KEPT];
	buf_release(slot);
	buf_printf(slot, "id: %" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: %s\n\n", e->epoch, e->count, type, text);
	wake_all(e);
}

void events_change(struct events *e, const struct event *what)
{
	cJSON *data = cJSON_CreateObject();

	json_add_count(data, "seq", what->seq);
	json_add_time(data, "time", what->time);
	json_add_text(data, "what", what->what);
	json_add_text(data, "summary", what->summary);
	json_add_text(data, "result", what->result);
	json_add_count(data, "generation", what->generation);
	json_add_text(data, "posture", what->posture);
	pthread_mutex_lock(&e->lock);
	put(e, "change", data);
	pthread_mutex_unlock(&e->lock);
}

void events_blocked(struct events *e, uint64_t sources)
{
	pthread_mutex_lock(&e->lock);
	if (e->blocked_known && e->blocked != sources) {
		cJSON *data = cJSON_CreateObject();

		json_add_count(data, "sources", sources);
		put(e, "blocked", data);
	}
	e->blocked = sources;
	e->blocked_known = true;
	pthread_mutex_unlock(&e->lock);
}

void events_qualia(struct events *e, const char *json)
{
	pthread_mutex_lock(&e->lock);
	buf_release(&e->qualia);
	buf_printf(&e->qualia, "event: qualia\ndata: %s\n\n", json);
	e->qualia_count++;
	wake_all(e);
	pthread_mutex_unlock(&e->lock);
}

void events_packets(struct events *e, const struct packets *p)
{
	if (!events_anyone(e))
		return;
	for (uint32_t i = 0; i < p->row_count; i++) {
		cJSON *data = packet_json(&p->rows[i]);
		own(mem) char *text = cJSON_PrintUnformatted(data);

		cJSON_Delete(data);
		if (!text)
			continue;
		pthread_mutex_lock(&e->lock);
		struct buf *slot = &e->packets[++e->packet_count % EVENTS_PACKETS];
		buf_release(slot);
		buf_printf(slot, "event: %s\ndata: %s\n\n", packet_event_name(&p->rows[i]), text);
		pthread_mutex_unlock(&e->lock);
	}
	pthread_mutex_lock(&e->lock);
	wake_all(e);
	pthread_mutex_unlock(&e->lock);
}

uint64_t events_missed(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	uint64_t missed = e->missed;
	pthread_mutex_unlock(&e->lock);
	return missed;
}

bool events_anyone(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	bool anyone = e->first;
	pthread_mutex_unlock(&e->lock);
	return anyone;
}

void events_end(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	e->over = true;
	wake_all(e);
	pthread_mutex_unlock(&e->lock);
}

/* ---- listening ------------------------------------------------------------------------- */

static uint64_t oldest(const struct events *e)
{
	return e->count > EVENTS_KEPT ? e->count - EVENTS_KEPT + 1 : 1;
}

/* Where to go on from; without an id, or with one that says nothing, at the end. */
static void find_place(struct listener *l, const char *last_id)
{
	const struct events *e = l->events;
	uint64_t epoch, number;
	char more;

	l->heard = e->count;
	if (!last_id || !*last_id)
		return;
	l->lost = sscanf(last_id, "%16" SCNx64 "-%19" SCNu64 "%c", &epoch, &number, &more) != 2 || epoch != e->epoch ||
		  number > e->count || number + 1 < oldest(e);
	if (!l->lost)
		l->heard = number;
}

struct listener *listener_new(struct events *e, const char *last_id, void (*wake)(void *cls), void *cls)
{
	struct listener *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	*l = (struct listener){ .events = e, .wake = wake, .cls = cls };
	pthread_mutex_lock(&e->lock);
	if (e->listeners < EVENTS_LISTENERS) {
		find_place(l, last_id);
		l->packet_heard = e->packet_count;
		l->next = e->first;
		l->at = &e->first;
		if (l->next)
			l->next->at = &l->next;
		e->first = l;
		e->listeners++;
	}
	pthread_mutex_unlock(&e->lock);
	if (!l->at)
		free(take(l));
	return l;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->events->lock);
	*l->at = l->next;
	if (l->next)
		l->next->at = l->at;
	l->events->listeners--;
	pthread_mutex_unlock(&l->events->lock);
	free(l);
}

static void tell_lost(struct listener *l, struct buf *out)
{
	buf_printf(out, "id: %" PRIx64 "-%" PRIu64 "\nevent: lost\ndata: {}\n\n", l->events->epoch, l->heard);
	l->lost = false;
}

/* The next packet; or first how many were written over before they were heard. */
static void tell_packet(struct listener *l, struct buf *out)
{
	struct events *e = l->events;
	const uint64_t behind = e->packet_count - l->packet_heard;

	if (behind > EVENTS_PACKETS) {
		const uint64_t missed = behind - EVENTS_PACKETS;

		e->missed += missed;
		l->packet_heard += missed;
		buf_printf(out, "event: missed\ndata: {\"packets\":%" PRIu64 "}\n\n", missed);
		return;
	}
	const struct buf *slot = &e->packets[++l->packet_heard % EVENTS_PACKETS];
	buf_add(out, slot->at, slot->len);
}

static enum listening next_locked(struct listener *l, struct buf *out, void (*sleep)(void *cls))
{
	struct events *e = l->events;

	if (e->over || l->heard + 1 < oldest(e))
		return LISTEN_OVER;
	if (l->lost) {
		tell_lost(l, out);
	} else if (l->heard < e->count) {
		const struct buf *slot = &e->ring[++l->heard % EVENTS_KEPT];

		buf_add(out, slot->at, slot->len);
	} else if (l->qualia_heard != e->qualia_count) {
		l->qualia_heard = e->qualia_count;
		buf_add(out, e->qualia.at, e->qualia.len);
	} else if (l->packet_heard < e->packet_count) {
		tell_packet(l, out);
	} else {
		l->sleeps = true;
		sleep(l->cls);
		return LISTEN_WAIT;
	}
	return LISTEN_TOLD;
}

enum listening listener_next(struct listener *l, struct buf *out, void (*sleep)(void *cls))
{
	pthread_mutex_lock(&l->events->lock);
	enum listening how = next_locked(l, out, sleep);
	pthread_mutex_unlock(&l->events->lock);
	return how;
}
