#include "enforcer/api/request.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "enforcer/api/feed_text.h"
#include "lang/bundle/bundle.h"

#define ANSWERS_MAX 4

struct request {
	struct server *server;
	struct door *door;
	struct MHD_Connection *connection;
	struct client *client;
	const struct route *route;
	gnutls_datum_t certificate; /* that was shown, and holds */
	bool unmapped; /* it has no name that gives a role */
	struct caller caller;
	const char *base; /* of If-Match; "" when any */
	const char *tag;  /* the answer's, or NULL */
	bool closes;	  /* the connection, with the answer */
	struct arena *arena;

	uint64_t body_left; /* still to come, by its Content-Length */
	struct buf body;    /* of a JSON route */
	int bundle;	    /* of a BUNDLE route, else -1 */
	bool uploads;	    /* holds one of the server's uploads */

	struct waiter waiter;
	bool asked; /* and not yet looked at what was heard */
	enum heard heard;
	struct answer *answers[ANSWERS_MAX]; /* the last is the one just heard */
	size_t answer_count;
	request_then *then;
	void (*silence)(struct request *r, enum heard how);

	struct MHD_Response *response; /* NULL until answered */
	unsigned status;
};

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

/* ---- answering ----------------------------------------------------------------------- */

/* Without memory for it there is none: request_serve() then closes the connection. */
static void answer_is(struct request *r, unsigned status, const char *type, struct MHD_Response *response)
{
	assert(!r->response);
	r->response = response;
	if (!response)
		return;
	r->status = status;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (r->closes || atomic_load(&r->server->leaving))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (r->tag)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, arena_printf(r->arena, "\"%s\"", r->tag));
}

static void answer_with(struct request *r, unsigned status, const char *type, char *bytes, size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);

	if (!response)
		free(bytes);
	answer_is(r, status, type, response);
}

void request_add_header(struct request *r, const char *name, const char *value)
{
	if (r->response)
		MHD_add_response_header(r->response, name, value);
}

void request_reply_file(struct request *r, const char *type, int fd, uint64_t len)
{
	own(fd) int ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct MHD_Response *response = ours < 0 ? NULL : MHD_create_response_from_fd64(len, ours);

	if (response)
		(void)take_fd(ours);
	answer_is(r, MHD_HTTP_OK, type, response);
}

void request_reply_stream(struct request *r, const char *type, size_t block, MHD_ContentReaderCallback read,
			  MHD_ContentReaderFreeCallback end, void *cls)
{
	struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block, read, cls, end);

	if (!response)
		end(cls);
	answer_is(r, MHD_HTTP_OK, type, response);
}

static void answer_with_json(struct request *r, unsigned status, const char *type, cJSON *body)
{
	char *text = cJSON_PrintUnformatted(body);

	cJSON_Delete(body);
	if (text)
		answer_with(r, status, type, text, strlen(text));
}

void request_reply(struct request *r, unsigned status, cJSON *body)
{
	answer_with_json(r, status, "application/json", body);
}

void request_reply_text(struct request *r, const char *type, struct buf *body)
{
	size_t len = body->len;
	char *bytes = take(body->at);

	*body = (struct buf){ 0 };
	answer_with(r, MHD_HTTP_OK, type, bytes, len);
}

/* What HTTP wants said beside the problem. */
static void add_problem_headers(struct request *r, enum problem p, const char *path)
{
	own(buf) struct buf allow = { 0 };

	if (p == PROBLEM_NO_TOKEN)
		MHD_add_response_header(r->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"tegumentar\"");
	if (problem_rows[p].status == MHD_HTTP_SERVICE_UNAVAILABLE || p == PROBLEM_CONFLICT || p == PROBLEM_TOO_FAST)
		MHD_add_response_header(r->response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (p == PROBLEM_METHOD) {
		route_allow(&allow, path);
		MHD_add_response_header(r->response, MHD_HTTP_HEADER_ALLOW, buf_text(&allow));
	}
}

void request_refuse_json(struct request *r, enum problem p, cJSON *body)
{
	answer_with_json(r, problem_rows[p].status, "application/problem+json", body);
	if (r->response)
		add_problem_headers(r, p, NULL);
}

void request_refuse(struct request *r, enum problem p, const char *field, const char *advice,
		    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	request_refuse_json(r, p, problem_json(p, field, arena_vprintf(r->arena, format, args), advice));
	va_end(args);
}

static void refuse_method(struct request *r, const char *method, const char *path)
{
	const char *detail = arena_printf(r->arena, "%s does not take %.20s", path, method);

	answer_with_json(r, problem_rows[PROBLEM_METHOD].status, "application/problem+json",
			 problem_json(PROBLEM_METHOD, NULL, detail, NULL));
	if (r->response)
		add_problem_headers(r, PROBLEM_METHOD, path);
}

static enum MHD_Result request_send(struct request *r)
{
	size_t route = r->route ? (size_t)(r->route - routes) : ROUTE_COUNT;

	assert(r->status < SERVER_STATUS_END);
	client_await(r->server->clients, r->client, CLIENT_TAKE);
	atomic_fetch_add(&r->server->answered[route][r->status], 1);
	return MHD_queue_response(r->connection, r->status, r->response);
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

/* ---- the head ------------------------------------------------------------------------------- */

const char *request_header(struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

bool request_asks(struct request *r, const char *name, bool *out)
{
	const char *value = request_header(r, name);

	*out = value && !strcmp(value, "yes");
	if (!value || *out)
		return true;
	request_refuse(r, PROBLEM_FIELD, name, NULL, "%s: it may only be `yes`", name);
	return false;
}

bool request_counts(struct request *r, const char *name, uint64_t most, uint64_t *out)
{
	const char *value = request_header(r, name);
	const size_t digits = value ? strspn(value, "0123456789") : 0;

	*out = digits && digits < 16 && !value[digits] ? strtoull(value, NULL, 10) : 0;
	if (!value || (*out && *out <= most))
		return true;
	request_refuse(r, PROBLEM_FIELD, name, NULL, "%s: it is a whole number from 1 to %" PRIu64, name, most);
	return false;
}

/* "192.0.2.1:40000", "[2001:db8::1]:40000" */
static const char *address_text(struct arena *a, const struct sockaddr *from)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (from && from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
		return arena_printf(a, "%s:%u", host, ntohs(in->sin_port));
	}
	if (from && from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
		return arena_printf(a, "[%s]:%u", host, ntohs(in6->sin6_port));
	}
	return "tcp";
}

static bool is_media_type(const char *given, const char *wanted)
{
	size_t len = strlen(wanted);

	return given && !strncasecmp(given, wanted, len) &&
	       (!given[len] || given[len] == ';' || given[len] == ' ');
}

static size_t body_most(const struct route *route)
{
	switch (route->body) {
	case BODY_NONE:
		return 0;
	case BODY_JSON:
		return REQUEST_BODY_MAX;
	case BODY_BUNDLE:
		return BUNDLE_BYTES_MAX;
	case BODY_TEXT:
		return FEED_TEXT_BYTES_MAX;
	}
	return 0;
}

/* How long the body is, as the head says; UINT64_MAX when it does not. libmicrohttpd read it as a number. */
static uint64_t body_length(struct request *r)
{
	const char *length = request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (request_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return UINT64_MAX;
	return length ? strtoull(length, NULL, 10) : 0;
}

static const struct sockaddr *address_of(const struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info ? info->client_addr : NULL;
}

static void check_pace(struct request *r)
{
	if (r->door->by_token && !pace_take(r->server->pace, address_of(r), PACE_REQUEST, clock_now_ns()))
		request_refuse(r, PROBLEM_TOO_FAST, NULL, NULL, "more than the setting rate-limit allows an address");
}

static void check_certificate(struct request *r)
{
	if (!r->door->tls || !r->door->tls->wants_client)
		return;
	const char *objection = tls_client_objection(r->door->tls, r->connection, &r->certificate);
	if (objection)
		request_refuse(r, PROBLEM_NO_CERT, NULL, NULL, "%s", objection);
}

/*
 * A page of another's host name that leads to this address (DNS rebinding) would be a page of ours to a
 * browser. Over TCP it has no token; on the Unix socket, which people reach through `ssh -L`, the kernel says
 * who asks, and such a page would ask in their name. So there the host is one without a dot, or loopback's address.
 */
static void check_host(struct request *r)
{
	const char *host = request_header(r, MHD_HTTP_HEADER_HOST);

	if (r->door->by_token || !host || !strchr(host, '.') ||
	    (!strncmp(host, "127.", 4) && strspn(host, "0123456789.:") == strlen(host)))
		return;
	request_refuse(r, PROBLEM_HOST, NULL, NULL, "%.100s is no name for a Unix socket", host);
}

/* A token that is not known makes nobody of who shows it, whatever certificate stands beside it. */
static void who_by_tcp(struct request *r)
{
	const struct roster *known = r->server->roster;
	const char *authorization = request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
	struct caller by_cert;

	access_of_token(&r->caller, authorization, known);
	if (!known->certs.judge || !r->certificate.data)
		return;
	access_of_certificate(&by_cert, &r->certificate, &known->certs);
	if (!authorization)
		r->caller = by_cert;
	else if (r->caller.known)
		access_of_both(&r->caller, &by_cert);
	r->unmapped = by_cert.may == ACCESS_ANYONE;
}

static const char *access_advice(const struct request *r)
{
	return r->unmapped && r->caller.known ? "add a line for that name, `ROLE KIND NAME`, to the file of the setting client-certs, "
						"and send tegd SIGHUP" : NULL;
}

static void check_access(struct request *r)
{
	if (r->door->by_token)
		who_by_tcp(r);
	else
		access_of_peer(&r->caller, client_fd(r->client), r->door->socket_group, r->server->roster);
	if (r->caller.may >= r->route->access)
		return;
	if (r->door->by_token && !r->caller.known)
		pace_fine(r->server->pace, address_of(r), PACE_GUESS, clock_now_ns());
	request_refuse(r, r->door->by_token && !r->caller.known ? PROBLEM_NO_TOKEN : PROBLEM_FORBIDDEN, NULL, access_advice(r),
		       "%s needs the role %s; %s has the role %s", r->route->path, access_name(r->route->access),
		       r->caller.name, access_name(r->caller.may));
}

static void check_body(struct request *r)
{
	const size_t most = body_most(r->route);
	const char *type = request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);

	if (r->body_left == UINT64_MAX)
		request_refuse(r, PROBLEM_NO_LENGTH, NULL, NULL, "the head says no Content-Length");
	else if (r->body_left > most)
		request_refuse(r, PROBLEM_TOO_LARGE, NULL, NULL, "%s takes a body of at most %zu bytes, not %" PRIu64,
			       r->route->path, most, r->body_left);
	else if (r->route->body != BODY_NONE && !is_media_type(type, body_name(r->route->body)))
		request_refuse(r, PROBLEM_MEDIA, NULL, NULL, "%s takes %s", r->route->path,
			       body_name(r->route->body));
}

static void check_parameters(struct request *r)
{
	if (MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, NULL, NULL) > 0)
		request_refuse(r, PROBLEM_PARAMETER, NULL, NULL, "%s takes no parameters", r->route->path);
}

/*
 * One strong tag, or `*`. More than one would let a client list all it has ever seen; a weak one
 * is no condition for a change (RFC 9110, 13.1.1).
 */
static void check_base(struct request *r)
{
	const char *tag = request_header(r, MHD_HTTP_HEADER_IF_MATCH);
	const size_t len = tag ? strlen(tag) : 0;

	if (!tag && r->route == &routes[ROUTE_policy] && request_header(r, "Plan"))
		return; /* which has one */
	if (!tag && r->route->base == BASE_MUST)
		request_refuse(r, PROBLEM_NO_BASE, NULL, NULL, "%s needs If-Match", r->route->path);
	else if (tag && r->route->base == BASE_NEVER)
		request_refuse(r, PROBLEM_FIELD, "If-Match", "leave it out", "If-Match: %s takes none", r->route->path);
	if (!tag || r->response || !strcmp(tag, "*"))
		return;
	if (len < 3 || len > BASE_TAG_ROOM || *tag != '"' || strchr(tag + 1, '"') != tag + len - 1)
		request_refuse(r, PROBLEM_FIELD, "If-Match", "send one ETag in double quotes, as it came, or `*`",
			       "If-Match: it is one tag in double quotes, or `*`");
	else
		r->base = arena_strndup(r->arena, tag + 1, len - 2);
}

struct asker request_asker(struct request *r)
{
	return (struct asker){
		.base = r->base,
		.who = arena_printf(r->arena, "%s (%s)", r->caller.name, access_name(r->caller.may)),
		.from = r->door->by_token ? address_text(r->arena, address_of(r)) : "unix",
	};
}

static void start_upload(struct request *r)
{
	r->uploads = true;
	if (atomic_fetch_add(&r->server->uploads, 1) >= SERVER_UPLOADS_MAX) {
		request_refuse(r, PROBLEM_BUSY, NULL, NULL, "%d large bodies are already being received",
			       SERVER_UPLOADS_MAX);
		return;
	}
	r->bundle = memfd_create("bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->bundle < 0)
		request_refuse(r, PROBLEM_BUSY, NULL, NULL, "there is no room for the body: %s", strerror(errno));
}

/* All that can be said before the body comes. */
static void request_open(struct request *r, const char *method, const char *path)
{
	void (*const checks[])(struct request *) = { check_access, check_parameters, check_body, check_base };
	bool path_known;

	r->body_left = body_length(r);
	check_pace(r);
	if (!r->response)
		check_certificate(r);
	if (!r->response)
		check_host(r);
	if (r->response)
		return;
	r->route = route_find(method, path, &path_known);
	if (!path_known) {
		request_refuse(r, PROBLEM_NOT_FOUND, NULL, NULL, "%.200s is no path of this api", path);
		return;
	}
	if (!r->route) {
		refuse_method(r, method, path);
		return;
	}
	for (size_t i = 0; i < sizeof checks / sizeof *checks && !r->response; i++)
		checks[i](r);
	if (!r->response && (r->route->body == BODY_BUNDLE || r->route->body == BODY_TEXT))
		start_upload(r);
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
