/*
 * api_stage - the api in a process of its own, before a warden that plays a part.
 *
 *     struct api_stage *s = api_stage_new();        before any thread: it forks
 *     s->play.mute = true;                          change the part under s->lock
 *     http_ask(&answer, api_stage_connect(s, DOOR_UNIX), "GET /readyz HTTP/1.1\r\n…");
 *     tap_num(api_stage_end(s), 0, "the api ends well");
 *
 * The part is played over the real socket pair in the real wire format.
 */
#ifndef TEG_TEST_API_STAGE_H
#define TEG_TEST_API_STAGE_H

#include <pthread.h>
#include <sys/types.h>

#include "enforcer/proc/message.h"

#define STAGE_TOKEN	"correct-horse-battery-staple" /* policy-admin, token rule */
#define STAGE_OPERATOR	"operate-horse-battery-staple" /* token act */
#define STAGE_VIEWER	"looking-horse-battery-staple" /* token look */

#define STAGE_AUDIT "{\"seq\":1}\n"

enum stage_door { DOOR_UNIX, DOOR_TCP };

struct api_stage {
	pthread_mutex_t lock;
	struct {
		struct status status;
		struct counters counters; /* at_ns is filled in */
		struct result result;
		unsigned delay_ms; /* before each answer */
		bool mute;	   /* takes questions, answers none */
		bool wrong;	   /* answers with what was not asked for */
	} play;
	unsigned asked[MESSAGE_COUNT]; /* questions heard */
	char posture[80], reason[REASON_MAX + 1]; /* of the last set-posture */
	uint32_t seconds;
	uint64_t opened_ns, to;	/* of the last confirmation, of the last rollback */
	uint32_t confirm;	/* of the last apply or rollback */
	uint32_t blocked_count; /* of the last block */
	char feed[129]; /* that was given, */
	unsigned feed_entries;
	struct prefix blocked_last;
	char base[80], who[80], from[80];	  /* of the last change: whose, and on what */
	size_t bundle_len;			  /* of the last apply */
	int bundle_downgrade;
	int bundle_seals;
	char bundle_head[16];

	/* Not for the test's hands. */
	pid_t api;
	int sock;
	uint16_t port;
	char dir[64];
	pthread_t actor;
};

/* Requests, written out. */
#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
#define HEAD_OF(method, path) method " " path " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define POSTURE HEAD_OF("POST", "/api/tegumentar/posture")
#define POLICY HEAD_OF("POST", "/api/tegumentar/policy") "Content-Type: application/octet-stream\r\nContent-Length: 2\r\n"
#define BEARER "Authorization: Bearer "

struct api_stage *api_stage_new(void);

/* SIGTERM to the api; its exit code, or 1000 + the signal that ended it. */
int api_stage_end(struct api_stage *s);

/* A connection to the api; blocking, with limits of 30 s. */
int api_stage_connect(const struct api_stage *s, enum stage_door d);

/* Of the api's process. */
size_t api_stage_rss_kib(const struct api_stage *s);
size_t api_stage_fds(const struct api_stage *s);

/*
 * Sends the bytes, reads until the other side closes, closes. The HTTP status; 0 when no answer
 * came. Answers to `Connection: close` are whole then.
 */
int http_ask(struct buf *answer, int sock, const void *bytes, size_t len);
int http_ask_text(struct buf *answer, int sock, const char *text);

/* What follows the head, or "". */
const char *http_body(const struct buf *answer);

#endif
