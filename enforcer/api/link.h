/*
 * link - the api's end of its talk with the warden: questions, and answers by id.
 *
 *     worker threads                          loop thread                warden
 *      link_ask(l, status, &w1) ───── id 7 ──────────────────────────────► busy
 *      link_ask(l, status, &w2) ┐ both wait for the next one,                │
 *      link_ask(l, status, &w3) ┘ asked when 7 is answered                   │
 *                                              link_read(l) ◄──── id 7 ──────┘
 *      w1.then(answer) ◄───────────────────────────┤
 *                                                  └──── id 8 ───────────────►
 *
 * A question that changes nothing is shared: at most one of a kind is on its way, and whoever
 * asks meanwhile shares the one after, so that no answer is older than its question and a
 * thousand clients cost the warden two. Changes are never shared; CHANGES_MAX may be on their
 * way. Asking does not block. Each waiter hears exactly once, on any thread, at latest
 * when link_tick() finds it overdue; a late answer is then dropped.
 */
#ifndef TEG_API_LINK_H
#define TEG_API_LINK_H

#include <stdatomic.h>

#include "enforcer/proc/message.h"

#define LINK_CHANGES_MAX 8

enum heard {
	HEARD_ANSWER,
	HEARD_LATE, /* no answer in time: a change may still happen */
	HEARD_BUSY, /* not asked: too many changes are on their way */
	HEARD_GONE  /* the warden is gone, or broken */
};

/* An answer, decoded; shared by all who asked, so read only. */
struct answer {
	atomic_uint holders;
	struct arena *arena;
	enum message_kind kind;
	int fd; /* that came with it, or -1; the answer's */
	union {
		struct status status;
		struct counters counters;
		struct result result;
		struct audit_head audit;
		struct blocks blocks;
		struct feeds_told feeds;
		struct history history;
		struct kept_bundle bundle;
	};
};

struct answer *answer_get(struct answer *a);
void answer_put(struct answer *a); /* accepts NULL */

/* One who waits; embedded in what the caller waits for, and the caller's again once it has heard. */
struct waiter {
	struct waiter *next;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC */
	/* The answer is NULL unless HEARD_ANSWER; the callee owns one holding of it. */
	void (*then)(struct waiter *w, enum heard how, struct answer *a);
};

struct question {
	enum message_kind kind;
	const void *payload; /* borrowed for the call */
	size_t len;
	int fd; /* -1 when none; borrowed */
};

struct link;

/*
 * The socket stays the caller's. `to` hears what the warden says unasked, in the thread that reads; NULL: nobody does;
 * what it is given lives as long as the call.
 */
struct link_unasked {
	void (*event)(void *cls, const struct event *e);
	void (*packets)(void *cls, const struct packets *p);
	void *cls;
};
struct link *link_new(int warden_sock, const struct link_unasked *to);
void link_free(struct link *l);
OWN_FREE(link, struct link *)

void link_ask(struct link *l, const struct question *q, struct waiter *w, uint64_t timeout_ns);

/* When the socket is readable. A negative errno when the talk is over; everyone has heard then. */
int link_read(struct link *l, struct err *why);

void link_tick(struct link *l, uint64_t now_ns);

/* Ends the talk: whoever waits, and whoever asks from now on, hears HEARD_GONE. */
void link_end(struct link *l);

/* A change is on its way: an unanswered status says only that the warden is busy. */
bool link_is_changing(struct link *l);

#endif
