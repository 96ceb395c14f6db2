/* head - the head of a request: who asks, for what, on which base, and with how large a body. */
#include "enforcer/api/http/parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "enforcer/api/feed_text.h"
#include "lang/base/clock.h"
#include "lang/bundle/bundle.h"

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
	if (r->door->by_token && !pace_take(r->server->pace, address_of(r), PACE_REQUEST, clock_ns(CLOCK_MONOTONIC)))
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
		pace_fine(r->server->pace, address_of(r), PACE_GUESS, clock_ns(CLOCK_MONOTONIC));
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

void request_open(struct request *r, const char *method, const char *path)
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
		request_refuse_method(r, method, path);
		return;
	}
	for (size_t i = 0; i < sizeof checks / sizeof *checks && !r->response; i++)
		checks[i](r);
	if (!r->response && (r->route->body == BODY_BUNDLE || r->route->body == BODY_TEXT))
		start_upload(r);
}
