/*
 * client - one connection: who is at its other end, and until when something must happen.
 *
 * A server that waits only for silence can be held by a byte every nine seconds. Here each step
 * has an end: a request's head, its body, the taking of its answer. Whoever is not done by then
 * is cut off, whatever they sent meanwhile. While we think, the clock stands.
 *
 *     connect ──HEAD_S──► head read ──BODY_S──► body read ──(none)──► answer ──TAKE_S──► taken ─┐
 *                 ▲                                                                             │
 *                 └─────────────────────────────── kept alive ──────────────────────────────────┘
 */
#ifndef TEG_API_HTTP_CLIENT_H
#define TEG_API_HTTP_CLIENT_H

#include <microhttpd.h>
#include <stdint.h>

#include "enforcer/api/access/access.h"
#include "lang/base/own.h"

enum client_wait { CLIENT_HEAD, CLIENT_BODY, CLIENT_BUNDLE, CLIENT_US, CLIENT_TAKE };

struct client;
struct clients;

struct clients *clients_new(void);
void clients_free(struct clients *c); /* when no connection is left */
OWN_FREE(clients, struct clients *)

/* An MHD_NotifyConnectionCallback whose closure is the clients. */
void clients_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
		    enum MHD_ConnectionNotificationCode code);

/* Cuts off who is overdue. */
void clients_tick(struct clients *c, uint64_t now_ns);

bool clients_are_gone(struct clients *c);

struct client *client_of(struct MHD_Connection *connection);
int client_fd(const struct client *c);
uint64_t client_opened_ns(const struct client *c); /* CLOCK_BOOTTIME: when the connection came */
void client_await(struct clients *all, struct client *c, enum client_wait what);

#endif
