/*
 * request - one thing asked over HTTP, from its first line to its answer.
 *
 *     void route_status(struct request *r)            a row of routes/routes.def names it
 *     {
 *             request_ask(r, MESSAGE_ASK_STATUS, NULL, status_told);
 *     }                                               the connection sleeps; no thread waits
 *
 *     static void status_told(struct request *r, struct answer *a)
 *     {
 *             request_reply(r, 200, status_json(&a->status));
 *     }
 *
 * A handler does exactly one of: ask, reply, refuse. When the warden does not answer, the
 * request is refused without the handler's help, unless it said how to go on (request_on_silence).
 */
#ifndef TEG_API_HTTP_REQUEST_H
#define TEG_API_HTTP_REQUEST_H

#include "enforcer/api/http/client.h"
#include "enforcer/api/http/problem.h"
#include "enforcer/api/link.h"
#include "enforcer/api/routes/route.h"
#include "enforcer/api/server.h"

#define REQUEST_BODY_MAX   ((size_t)64 << 10)
#define REQUEST_TIMEOUT_S  5   /* of a question that changes nothing */
#define REQUEST_CHANGE_S   300 /* of a change */
#define REQUEST_HEADER_MAX ((size_t)32 << 10) /* of the head; 431 beyond */

struct request;
typedef void request_then(struct request *r, struct answer *a);

struct server *request_server(struct request *r);
struct arena *request_arena(struct request *r); /* as long as the request */

/* The JSON body, read into what the route's fields describe; false when it was refused. */
bool request_read(struct request *r, void *out);

/* Whether the head says `NAME: yes`, and not NAME otherwise; false when it was refused. */
bool request_asks(struct request *r, const char *name, bool *out);

/* What number, from 1 to most, the head says NAME is; 0 when it does not say. False when it was refused. */
bool request_counts(struct request *r, const char *name, uint64_t most, uint64_t *out);

/* Of the head; NULL when it is not there. */
const char *request_header(struct request *r, const char *name);

struct MHD_Connection *request_connection(struct request *r);
struct client *request_client(struct request *r);

/* Who asks, and on which base: for the message that asks the warden for a change. As long as the request. */
struct asker request_asker(struct request *r);

/* Another base than If-Match says, for what comes. */
void request_rebase(struct request *r, const char *base);

/* The connection ends with the answer; before request_reply(). */
void request_close(struct request *r);

/* An ETag for the answer, without its quotes; before request_reply(). */
void request_tag(struct request *r, const char *tag);

/* The bundle of a BODY_BUNDLE route, in a sealed memory file; still the request's. */
int request_bundle(struct request *r);
bool plan_digest(int fd, struct digest *out); /* of its bytes; false when it is empty */

/* The answer given to `then` is the request's, and lives as long; request_answer() has them in order. */
void request_ask(struct request *r, const struct question *q, request_then *then);

/* A question that is answered with RESULT: its outcome is told, whatever it is. */
void request_change(struct request *r, const struct question *q);

/* A time in minutes and seconds, of which either may be left out. False when it was refused, as too long, or left out where it must not be. */
bool request_lasts(struct request *r, uint64_t minutes, uint64_t seconds, bool required, uint32_t *out);

/* Of blocks that were taken back: the sources that had none, and those that a network blocks all the same. */
void request_add_unblocked(struct request *r, cJSON *to, const struct result *result);

/* Of blocks that were refused: the sources for which there is no place; nothing when it was for something else. */
void request_add_no_place(struct request *r, cJSON *to, const struct result *result);

struct answer *request_answer(struct request *r, size_t nth);

/* What to do when the answer does not come, in place of a refusal; before request_ask(). */
void request_on_silence(struct request *r, void (*silence)(struct request *r, enum heard how));

/* Takes the object. */
void request_reply(struct request *r, unsigned status, cJSON *body);
/* Takes what the buffer holds. */
void request_reply_text(struct request *r, const char *type, struct buf *body);
/* One more in the answer's head; after request_reply…(). */
void request_add_header(struct request *r, const char *name, const char *value);

/* The first bytes of a file, which stays the caller's. */
void request_reply_file(struct request *r, const char *type, int fd, uint64_t len);

/* What `read` gives, until it says END; `end` is called with the closure when the answer is over. */
void request_reply_stream(struct request *r, const char *type, size_t block, MHD_ContentReaderCallback read,
			  MHD_ContentReaderFreeCallback end, void *cls);

/* routes/change.c: the way out of what was refused, a row of routes/way.def; NULL where the problem's own row has the nearest. */
const char *request_way_out(const char *part, enum result_code code);

/* `field` and `advice` may be NULL. */
void request_refuse(struct request *r, enum problem p, const char *field, const char *advice,
		    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same with an object of problem_json(), which it takes. */
void request_refuse_json(struct request *r, enum problem p, cJSON *body);

/* MHD's callbacks; the closure is the server. */
enum MHD_Result request_serve(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload_data,
			      size_t *upload_data_size, void **con_cls);
void request_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode toe);

#endif
