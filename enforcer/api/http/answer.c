/* answer - what a request is answered, or refused with. */
#include "enforcer/api/http/parts.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

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

void request_refuse_method(struct request *r, const char *method, const char *path)
{
	const char *detail = arena_printf(r->arena, "%s does not take %.20s", path, method);

	answer_with_json(r, problem_rows[PROBLEM_METHOD].status, "application/problem+json",
			 problem_json(PROBLEM_METHOD, NULL, detail, NULL));
	if (r->response)
		add_problem_headers(r, PROBLEM_METHOD, path);
}

enum MHD_Result request_send(struct request *r)
{
	size_t route = r->route ? (size_t)(r->route - routes) : ROUTE_COUNT;

	assert(r->status < SERVER_STATUS_END);
	client_await(r->server->clients, r->client, CLIENT_TAKE);
	atomic_fetch_add(&r->server->answered[route][r->status], 1);
	return MHD_queue_response(r->connection, r->status, r->response);
}
