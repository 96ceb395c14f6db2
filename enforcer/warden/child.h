/*
 * child - the api's process, kept running: when it dies it is started again,
 * after a pause that doubles while it dies young.
 */
#ifndef TEG_WARDEN_CHILD_H
#define TEG_WARDEN_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "enforcer/warden/talk.h"

struct child {
	char *const *argv;   /* of this process */
	int unix_listen, tcp_listen;
	pid_t pid;	     /* 0 when it does not run */
	struct talk talk;    /* with it */
	uint64_t started_ms, start_at_ms, pause_ms;
};

/* Starts it when its time has come; the value is how long to wait until then, -1 when it runs. */
int child_tend(struct child *c, uint64_t now_ms);

/* It does not speak as it may: it is ended. */
void child_break(struct child *c, const char *why);

/* After SIGCHLD. */
void child_reap(struct child *c, uint64_t now_ms);

/* The same of one that is not to be started again: has it ended? */
bool child_is_gone(struct child *c, int *status);

/* SIGTERM, two seconds, SIGKILL. */
void child_end(struct child *c);

#endif
