/*
 * listen - an answer that goes on: server-sent events (the HTML standard, 9.2).
 *
 * While there is nothing to tell, the connection sleeps in libmicrohttpd, which then does not notice
 * that the other side is gone; the figures, once a second, see to that. What was told must be taken within
 * the time of CLIENT_TAKE, as any answer.
 */
#include <string.h>

#include "enforcer/api/events.h"
#include "enforcer/api/http/request.h"

#define BLOCK_BYTES 4096

struct stream {
	struct server *server;
	struct MHD_Connection *connection;
	struct client *client;
	struct listener *listener;
	struct buf out; /* told, and not yet handed on from `at` */
	size_t at;
};

static void stream_sleep(void *cls)
{
	MHD_suspend_connection(((struct stream *)cls)->connection);
}

static void stream_wake(void *cls)
{
	MHD_resume_connection(((struct stream *)cls)->connection);
}

static ssize_t stream_read(void *cls, uint64_t pos, char *room, size_t most)
{
	struct stream *s = cls;

	(void)pos;
	if (s->at == s->out.len) {
		s->at = s->out.len = 0;
		client_await(s->server->clients, s->client, CLIENT_US);
		switch (listener_next(s->listener, &s->out, stream_sleep)) {
		case LISTEN_TOLD:
			break;
		case LISTEN_WAIT:
			return 0;
		case LISTEN_OVER:
			return MHD_CONTENT_READER_END_OF_STREAM;
		}
		client_await(s->server->clients, s->client, CLIENT_TAKE);
	}
	const size_t left = s->out.len - s->at, len = left < most ? left : most;
	memcpy(room, s->out.at + s->at, len);
	s->at += len;
	return (ssize_t)len;
}

static void stream_free(void *cls)
{
	struct stream *s = cls;

	listener_free(s->listener);
	buf_release(&s->out);
	free(s);
}

void route_events(struct request *r)
{
	struct server *server = request_server(r);
	struct stream *s = calloc(1, sizeof *s);

	if (s) {
		*s = (struct stream){ .server = server, .connection = request_connection(r), .client = request_client(r) };
		buf_puts(&s->out, "retry: 2000\n\n");
		s->listener = listener_new(server->events, request_header(r, "Last-Event-ID"), stream_wake, s);
	}
	if (!s || !s->listener) {
		if (s)
			buf_release(&s->out);
		free(s);
		request_refuse(r, PROBLEM_BUSY, NULL, NULL, "%d are listening already", EVENTS_LISTENERS);
		return;
	}
	request_reply_stream(r, "text/event-stream", BLOCK_BYTES, stream_read, stream_free, s);
}
