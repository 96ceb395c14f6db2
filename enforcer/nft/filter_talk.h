/*
 * filter_talk - what the parts of filter share: one socket, questions and answers.
 *
 *     filter.c          the socket, a change sent whole, a question asked until its answer is one state
 *     filter_change.c   the messages of a change
 *     filter_words.c    why the kernel refuses a change, in words
 *     filter_look.c     chains, sets, counters, and the rules of hooks
 *     filter_set.c      the elements of a set
 *     filter_flows.c    how full the connection table is
 *     filter_digest.c   what judges, in 32 bytes
 */
#ifndef TEG_NFT_FILTER_TALK_H
#define TEG_NFT_FILTER_TALK_H

#include <libmnl/libmnl.h>

#include "enforcer/nft/filter.h"

#define FILTER_SCRATCH_BYTES 2048u /* room for one message made here */

extern const uint8_t filter_families[FILTER_TABLES];
extern const char *const filter_family_names[FILTER_TABLES];

/* ---- messages ---------------------------------------------------------------------- */

/* One begun in `room`; the second names our table in it, the third asks for all there is of a kind in our table. */
struct nlmsghdr *filter_message(void *room, unsigned subsystem, unsigned kind, uint16_t flags, uint8_t family);
struct nlmsghdr *filter_ours(void *room, unsigned kind, uint16_t flags, enum filter_table t);
struct nlmsghdr *filter_list(void *room, unsigned kind, enum filter_table t);

/* What pads the text is zero, as from libmnl 1.0.5 on: of the process's memory nothing goes along. */
void filter_put_text(struct nlmsghdr *h, uint16_t type, const char *text);

/* Borrowed, or NULL. */
const struct nlattr *filter_attribute(const struct nlmsghdr *h, uint16_t type);
const struct nlattr *filter_nested(const struct nlattr *nest, uint16_t type);

bool filter_is_ours(const struct nlmsghdr *h);
const char *filter_text(const struct nlmsghdr *h, uint16_t type); /* "" when it has none */
uint64_t filter_u64(const struct nlattr *a);

/* The set, and an element of it; without a timeout when that is 0. */
void filter_put_one_element(struct nlmsghdr *m, const void *key, size_t len, uint64_t timeout_ms); /* in a list of them */
void filter_put_element(struct nlmsghdr *m, const char *set, const void *key, size_t len, uint64_t timeout_ms);

/* ---- talking --------------------------------------------------------------------------- */

typedef void (*filter_on_message)(const struct nlmsghdr *h, void *context);

/* A listing that is one state of the table; `restart` forgets what came before a disturbance. -EBUSY when each try was disturbed. */
int filter_ask(struct filter *f, struct nlmsghdr *question, filter_on_message on, void (*restart)(void *), void *context,
	       struct err *why);

/*
 * A listing that is one state of the table, though a change of anybody's disturbs it, by two that are alike:
 *
 *     first   ├── place 1 ── place 2 ── … ──┤
 *     second                                ├── place 1 ── place 2 ── … ──┤
 *                                           ▲ what both have was there now
 *
 * For what the kernel finds its place among by our table alone (rules; not chains or objects, whose places others' move), and never changes
 * in place: what comes in a rule's stead has another handle, which no rule had before. `sum` is over all that came, with the handles.
 */
struct filter_alike {
	void (*restart)(void *context);
	struct digest (*sum)(void *context);
};
int filter_ask_alike(struct filter *f, struct nlmsghdr *question, filter_on_message on, const struct filter_alike *to, void *context,
		     struct err *why);

/*
 * A listing that need not be one state, and has what was there all the time, once or twice. A change of anybody's table disturbs a listing:
 * where they come all the time, a long one never is one state.
 */
int filter_ask_twice(struct filter *f, struct nlmsghdr *question, filter_on_message on, void *context, struct err *why);

/* It is to be asked on, though tries are over: filter_be_patient(). */
bool filter_is_patient(const struct filter *f);

/* -EBUSY, and by whom the next change is. */
int filter_changes_too_fast(struct err *why);

/*
 * Many questions, each about one thing, so many at once as there is room for the answers. `make` writes question i into `room`; `on` is told
 * what is there, and of what is not nothing.
 */
struct filter_each {
	struct nlmsghdr *(*make)(void *room, uint32_t i, void *context);
	void (*on)(const struct nlmsghdr *h, uint32_t i, void *context);
	void *context;
};
int filter_ask_each(struct filter *f, uint32_t count, const struct filter_each *each, struct err *why);

/* The sentence for a change of which the kernel refuses message `index`: c->count is the change as a whole. */
int filter_refused(const struct filter_change *c, uint32_t index, const struct nlmsghdr *answer, struct err *why);

#endif
