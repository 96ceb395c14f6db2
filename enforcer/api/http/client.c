#include "enforcer/api/http/client.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "enforcer/api/link.h"
#include "lang/base/clock.h"

struct client {
	struct client *next, **at; /* at: whose next is this one */
	int fd;			   /* the connection's */
	uint64_t deadline_ns;	   /* UINT64_MAX: none */
	uint64_t opened_ns;
};

struct clients {
	pthread_mutex_t lock;
	struct client *first;
};

static uint64_t limit_s(enum client_wait what)
{
	switch (what) {
	case CLIENT_HEAD:
		return 20;
	case CLIENT_BODY:
		return 20;
	case CLIENT_BUNDLE:
		return 300; /* the largest bundle at 1 MB/s */
	case CLIENT_US:
		return UINT64_MAX;
	case CLIENT_TAKE:
		return 30;
	}
	return 0;
}

static uint64_t deadline_of(enum client_wait what)
{
	uint64_t s = limit_s(what);

	return s == UINT64_MAX ? s : clock_ns(CLOCK_MONOTONIC) + s * 1000000000;
}

struct clients *clients_new(void)
{
	struct clients *c = calloc(1, sizeof *c);

	if (c)
		pthread_mutex_init(&c->lock, NULL);
	return c;
}

void clients_free(struct clients *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

bool clients_are_gone(struct clients *c)
{
	pthread_mutex_lock(&c->lock);
	const bool none = !c->first;
	pthread_mutex_unlock(&c->lock);
	return none;
}

static struct client *client_new(struct clients *all, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *c = info ? calloc(1, sizeof *c) : NULL;

	if (!c)
		return NULL;
	c->fd = info->connect_fd;
	c->opened_ns = clock_ns(CLOCK_BOOTTIME);
	c->deadline_ns = deadline_of(CLIENT_HEAD);

	pthread_mutex_lock(&all->lock);
	c->next = all->first;
	c->at = &all->first;
	if (c->next)
		c->next->at = &c->next;
	all->first = c;
	pthread_mutex_unlock(&all->lock);
	return c;
}

static void client_end(struct clients *all, struct client *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&all->lock);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	pthread_mutex_unlock(&all->lock);
	free(c);
}

/* libmicrohttpd closes the descriptor after this has told it is closed, so that one in the list is open. */
void clients_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
		    enum MHD_ConnectionNotificationCode code)
{
	switch (code) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		*socket_context = client_new(cls, connection);
		break;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		client_end(cls, *socket_context);
		break;
	}
}

void clients_tick(struct clients *all, uint64_t now_ns)
{
	pthread_mutex_lock(&all->lock);
	for (struct client *c = all->first; c; c = c->next) {
		if (c->deadline_ns > now_ns)
			continue;
		shutdown(c->fd, SHUT_RDWR); /* its thread sees the end and closes */
		c->deadline_ns = UINT64_MAX;
	}
	pthread_mutex_unlock(&all->lock);
}

struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

int client_fd(const struct client *c)
{
	return c->fd;
}

uint64_t client_opened_ns(const struct client *c)
{
	return c->opened_ns;
}

void client_await(struct clients *all, struct client *c, enum client_wait what)
{
	pthread_mutex_lock(&all->lock);
	c->deadline_ns = deadline_of(what);
	pthread_mutex_unlock(&all->lock);
}
