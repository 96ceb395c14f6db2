/*
 * talk - what the warden and one api say to each other, over the warden's end of a pair. It never waits.
 *
 *     talk_begin(&t, sock)
 *     talk_say(&t, &m, now, why)          sends, or keeps what the api does not take yet
 *     poll(t.sock, talk_events(&t), …, talk_in_ms(&t, now))
 *     talk_go_on(&t, now, why)            sends what was kept
 *     talk_hear(&t, a, &m, now, why)      a question, once it is whole
 *     talk_end(&t)
 *
 * While something is kept nothing more is heard: an api that asks and does not read is answered once, and that answer
 * and TALK_KEPT events are the most that it can make the warden remember. One that takes nothing of what is kept, or does not
 * go on with a question in parts, for TALK_PATIENCE_MS does not speak as it may.
 */
#ifndef TEG_WARDEN_TALK_H
#define TEG_WARDEN_TALK_H

#include "enforcer/proc/message.h"

#define TALK_PATIENCE_MS 5000
#define TALK_KEPT	 1024 /* messages */

struct talk {
	int sock; /* -1 when there is none */
	struct kept *kept; /* what the api has not taken, the first perhaps in part */
	unsigned count;
	struct message_half half;
	uint64_t moved_ms; /* when it last took or said a part */
	uint64_t number;   /* no other talk has it */
};
#define TALK_NONE (struct talk){ .sock = -1 }

void talk_begin(struct talk *t, int sock);
/* Closes the socket too. */
void talk_end(struct talk *t);

/* Takes m->fd, and copies the rest where it must be kept. A negative errno when the other end is broken, or there is none. */
int talk_say(struct talk *t, const struct message *m, uint64_t now_ms, struct err *why);

/* Is all taken that was said? What need not be told is left out until then. */
bool talk_is_taken(const struct talk *t);

/* What its socket is watched for. */
short talk_events(const struct talk *t);

/* Until its patience is over: UINT64_MAX when nothing is under way. */
uint64_t talk_in_ms(const struct talk *t, uint64_t now_ms);
/* When that is 0: why the api is ended. */
const char *talk_complaint(const struct talk *t);

int talk_go_on(struct talk *t, uint64_t now_ms, struct err *why);

/* 1 when *out is a whole message, whose descriptor is the caller's; 0 when none is yet. */
int talk_hear(struct talk *t, struct arena *a, struct message *out, uint64_t now_ms, struct err *why);

#endif
