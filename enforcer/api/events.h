/*
 * events - what happens, told as it happens to whoever listens (server-sent events).
 *
 *     the link's thread                     a door's threads
 *     events_change(e, &event) ──► ring ──► events_next(l, out)   "id: 66f1a2b3-7\nevent: change\ndata: {…}\n\n"
 *     events_packets(e, &some) ──► ring ──►                        "event: drop\ndata: {…}\n\n"
 *     events_qualia(e, json)   ──► last ──►                        "event: qualia\ndata: {…}\n\n"
 *
 * Changes are kept in a ring of EVENTS_KEPT; a listener is a place in it, so that it costs
 * the same whether it reads or not. One who falls behind by a whole ring is cut off. Of the
 * figures there is only the last: who was slow hears the next ones.
 *
 * Packets have a ring of their own, of EVENTS_PACKETS, and no id: they are samples, and a flood of them is no
 * reason to lose a change. Who falls behind hears how many were `missed`, and goes on.
 *
 * An id is the api's start and a number. Who comes back with the last id heard (Last-Event-ID) hears what
 * came since; when that is not known any more, first a `lost`, upon which one asks for the status.
 */
#ifndef TEG_API_EVENTS_H
#define TEG_API_EVENTS_H

#include <stdbool.h>

#include "enforcer/proc/message.h"
#include "lang/base/own.h"

#define EVENTS_KEPT	 256
#define EVENTS_PACKETS	 1024
#define EVENTS_LISTENERS 32

struct events;
struct listener;

struct events *events_new(void);
void events_free(struct events *e); /* when nobody listens */
OWN_FREE(events, struct events *)

/* Any thread. */
void events_change(struct events *e, const struct event *what);
void events_blocked(struct events *e, uint64_t sources); /* told when it is another number than before */
void events_qualia(struct events *e, const char *json);
void events_packets(struct events *e, const struct packets *p); /* forgotten at once when nobody listens */
uint64_t events_missed(struct events *e); /* packets, added up over all who were too slow */
bool events_anyone(struct events *e);

/* Everyone hears the end of it, and so does who comes from now on. */
void events_end(struct events *e);

/*
 * NULL when too many listen. `last_id` NULL: from now on. `wake` is called, with the events
 * locked, when there is something for who was told to wait.
 */
struct listener *listener_new(struct events *e, const char *last_id, void (*wake)(void *cls), void *cls);
void listener_free(struct listener *l);

enum listening { LISTEN_TOLD, LISTEN_WAIT, LISTEN_OVER };

/*
 * What comes next, appended to *out. When nothing does, `sleep` is called, with the events locked, so
 * that no waking can come before it; then LISTEN_WAIT.
 */
enum listening listener_next(struct listener *l, struct buf *out, void (*sleep)(void *cls));

/* ---- packets.c ---- */

/* A packet in words, and the type of its event: "rule" or "reflex" when the policy asks for it, else "drop". */
struct cJSON *packet_json(const struct packet_row *r);
const char *packet_event_name(const struct packet_row *r);

#endif
