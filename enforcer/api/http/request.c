#include "enforcer/api/http/parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

struct server *request_server(struct request *r)
{
	return r->server;
}

struct arena *request_arena(struct request *r)
{
	return r->arena;
}

void request_rebase(struct request *r, const char *base)
{
	r->base = arena_strdup(r->arena, base);
}

void request_close(struct request *r)
{
	r->closes = true;
}

void request_tag(struct request *r, const char *tag)
{
	r->tag = arena_strdup(r->arena, tag);
}

struct MHD_Connection *request_connection(struct request *r)
{
	return r->connection;
}

struct client *request_client(struct request *r)
{
	return r->client;
}

int request_bundle(struct request *r)
{
	return r->bundle;
}

struct answer *request_answer(struct request *r, size_t nth)
{
	assert(nth < r->answer_count);
	return r->answers[nth];
}

static void request_free(struct request *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->answer_count; i++)
		answer_put(r->answers[i]);
	if (r->response)
		MHD_destroy_response(r->response);
	if (r->bundle >= 0)
		close(r->bundle);
	if (r->uploads)
		atomic_fetch_sub(&r->server->uploads, 1);
	buf_release(&r->body);
	arena_free(r->arena);
	free(r);
}

/* ---- asking the warden ------------------------------------------------------------------- */

static void heard(struct waiter *w, enum heard how, struct answer *a)
{
	struct request *r = (struct request *)((char *)w - offsetof(struct request, waiter));

	r->heard = how;
	if (a)
		r->answers[r->answer_count++] = a;
	MHD_resume_connection(r->connection); /* its thread has the request from here on */
}

static void refuse_silence(struct request *r, enum heard how)
{
	switch (how) {
	case HEARD_LATE:
		request_refuse(r, PROBLEM_LATE, NULL, NULL, "no answer within %d s%s", REQUEST_TIMEOUT_S,
			       link_is_changing(r->server->link) ? "; a change is under way" : "");
		break;
	case HEARD_BUSY:
		request_refuse(r, PROBLEM_BUSY, NULL, NULL, "%d changes are already under way", LINK_CHANGES_MAX);
		break;
	case HEARD_ANSWER:
	case HEARD_GONE:
		request_refuse(r, PROBLEM_GONE, NULL, NULL, "the warden does not answer");
		break;
	}
}

void request_on_silence(struct request *r, void (*silence)(struct request *r, enum heard how))
{
	r->silence = silence;
}

void request_ask(struct request *r, const struct question *q, request_then *then)
{
	const bool changes = r->route->method != METHOD_GET;
	const uint64_t timeout_s = changes ? REQUEST_CHANGE_S : REQUEST_TIMEOUT_S;

	assert(!r->asked && r->answer_count < ANSWERS_MAX);
	r->asked = true;
	r->then = then;
	r->waiter.then = heard;
	client_await(r->server->clients, r->client, CLIENT_US);
	MHD_suspend_connection(r->connection); /* before asking: the answer may come at once */
	link_ask(r->server->link, q, &r->waiter, timeout_s * 1000000000);
}

static void request_hear(struct request *r)
{
	r->asked = false;
	if (r->heard == HEARD_ANSWER)
		r->then(r, r->answers[r->answer_count - 1]);
	else
		(r->silence ? r->silence : refuse_silence)(r, r->heard);
}

/* ---- the body --------------------------------------------------------------------------------- */

static void request_take(struct request *r, const char *bytes, size_t len)
{
	r->body_left -= len < r->body_left ? len : r->body_left;
	if (r->response)
		return; /* refused already: read away, so that the client gets to reading */
	if (r->bundle < 0) {
		buf_add(&r->body, bytes, len);
		return;
	}
	for (size_t at = 0; at < len;) {
		ssize_t wrote = write(r->bundle, bytes + at, len - at);

		if (wrote < 0 && errno != EINTR) {
			request_refuse(r, PROBLEM_BUSY, NULL, NULL, "there is no room for the body: %s",
				       strerror(errno));
			return;
		}
		at += wrote < 0 ? 0 : (size_t)wrote;
	}
}

/* Sealed, what the warden checks is what it uses, whatever becomes of this process. */
static void seal_bundle(struct request *r)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	if (fcntl(r->bundle, F_ADD_SEALS, seals) || lseek(r->bundle, 0, SEEK_SET))
		request_refuse(r, PROBLEM_BUSY, NULL, NULL, "the bundle cannot be sealed: %s", strerror(errno));
}

bool request_read(struct request *r, void *out)
{
	struct json_fault fault = { 0 };

	if (!json_read(out, r->route->fields, r->arena, buf_text(&r->body), r->body.len, &fault))
		return true;
	request_refuse(r, fault.syntax ? PROBLEM_NOT_JSON : PROBLEM_FIELD, fault.field, NULL, "%s%s%s",
		       fault.field, *fault.field ? ": " : "", fault.text);
	return false;
}

/* ---- the life of a request ----------------------------------------------------------------------- */

static struct request *request_new(struct door *door, struct MHD_Connection *connection)
{
	struct request *r = calloc(1, sizeof *r);
	struct client *client = client_of(connection);

	if (!r || !client) {
		free(r);
		return NULL;
	}
	r->door = door;
	r->server = door->server;
	r->connection = connection;
	r->client = client;
	r->arena = arena_new();
	r->bundle = -1;
	r->base = "";
	return r;
}

/* A refusal waits until a short body is read: answering and closing at once can lose the answer on TCP. */
static enum MHD_Result request_begin(struct request *r, const char *method, const char *path)
{
	request_open(r, method, path);
	if (r->response && r->body_left > REQUEST_BODY_MAX)
		return request_send(r);
	client_await(r->server->clients, r->client, r->bundle >= 0 ? CLIENT_BUNDLE : CLIENT_BODY);
	return MHD_YES;
}

static void request_handle(struct request *r)
{
	if (r->bundle >= 0)
		seal_bundle(r);
	if (!r->response)
		r->route->handle(r);
}

enum MHD_Result request_serve(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload_data,
			      size_t *upload_data_size, void **con_cls)
{
	struct request *r = *con_cls;

	(void)version;
	if (!r) {
		*con_cls = r = request_new(cls, connection);
		return r ? request_begin(r, method, url) : MHD_NO;
	}
	if (*upload_data_size) {
		request_take(r, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return MHD_YES;
	}
	if (r->asked)
		request_hear(r);
	else if (!r->response)
		request_handle(r);
	if (r->asked)
		return MHD_YES;
	return r->response ? request_send(r) : MHD_NO;
}

void request_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode toe)
{
	struct request *r = *con_cls;

	(void)connection;
	(void)cls;
	(void)toe;
	if (r)
		client_await(r->server->clients, r->client, CLIENT_HEAD);
	request_free(r);
	*con_cls = NULL;
}
