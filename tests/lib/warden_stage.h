/*
 * warden_stage - a real warden, and the test in the place of its api.
 *
 *     main: if (warden_stage_role(argc, argv)) return 0;     the warden started us as its api
 *     warden_stage_start(&s, dir, "nft", NULL);
 *     warden_stage_ask(&s, MESSAGE_ROLLBACK, payload, fd, a) → its answer
 *     warden_stage_end(&s, SIGKILL);
 *
 * The api's process gives its socket away to the test, and waits for its end. So the test says what an api
 * may say, word for word, and nothing stands between it and the warden.
 */
#ifndef TEG_TEST_WARDEN_STAGE_H
#define TEG_TEST_WARDEN_STAGE_H

#include <sys/types.h>

#include "enforcer/proc/message.h"

struct warden_stage {
	char dir[128];
	pid_t warden;
	int hand; /* where the socket comes from */
	int sock;
	uint32_t last_id;
};

bool warden_stage_role(int argc, char **argv);

/* A network of its own with the link w0; flags end with NULL. False when it does not come. */
bool warden_stage_make(struct warden_stage *s);
bool warden_stage_start(struct warden_stage *s, ...);
void warden_stage_end(struct warden_stage *s, int signal);

/* The kind is MESSAGE_COUNT when there is none. */
struct message warden_stage_ask(struct warden_stage *s, enum message_kind kind, const struct buf *payload, int fd, struct arena *a);
/* What a change came to; RESULT_COUNT when nothing was answered. The second: a bundle, by root, without a confirmation. */
struct result warden_stage_change(struct warden_stage *s, enum message_kind kind, const struct buf *payload, int fd, struct arena *a);
bool warden_stage_apply(struct warden_stage *s, int bundle);
struct status warden_stage_status(struct warden_stage *s, struct arena *a);
struct history warden_stage_history(struct warden_stage *s, struct arena *a);

/* tests/live/edge.teg altered by a sed script, as a bundle; -1 when it cannot be built. */
int warden_stage_bundle(const struct warden_stage *s, const char *name, const char *script);

/* A policy's text, likewise. */
int warden_stage_build(const struct warden_stage *s, const char *name, const char *text);

uint64_t warden_stage_now_ns(void); /* CLOCK_BOOTTIME */

#endif
