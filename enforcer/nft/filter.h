/*
 * filter - our two tables in the kernel, over netlink: nothing else is ever touched.
 *
 *     own(filter_change) struct filter_change c = { 0 };
 *     filter_change_batch(&c, &batch);                   made by the compiler
 *     filter_change_hook(&c, &hook);                     made here, for this host
 *     filter_commit(f, &c, why);                       all of it, or nothing
 *
 * The kernel applies a change in one step: a packet sees every part of it or
 * none. What a table holds is seen by filter_look(), and summed up in a digest by
 * filter_digest() in which nothing that packets change takes part.
 */
#ifndef TEG_NFT_FILTER_H
#define TEG_NFT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/digest.h"
#include "lang/base/err.h"
#include "lang/bundle/batch.h"

#define FILTER_NAME "tegumentar"

enum filter_table { FILTER_INET, FILTER_NETDEV, FILTER_TABLES };

struct filter;
struct nlmsghdr;

int filter_open(struct filter **out, struct err *why);
void filter_free(struct filter *f);
OWN_FREE(filter, struct filter *)

/*
 * Where others change nftables all the time, a listing is asked for a few times, and then refused with -EBUSY and who it was. For a change
 * that somebody waits for it is asked for until this long after now, at least.
 *
 *     own(filter_patience) struct filter_patience p = filter_be_patient(f, 3000);
 */
struct filter_patience {
	struct filter *f;
};
struct filter_patience filter_be_patient(struct filter *f, unsigned ms);
void filter_patience_own_(struct filter_patience *p);

/* ---- changing ---------------------------------------------------------------- */

struct filter_change {
	struct buf messages;
	uint32_t count;
};

void filter_change_release(struct filter_change *c);
static inline void filter_change_own_(struct filter_change *c)
{
	filter_change_release(c);
}

/* A base chain: in inet at `hook` (NF_INET_…) with policy drop, in netdev at the ingress of `device`. */
struct filter_hook {
	enum filter_table table;
	const char *chain;
	uint32_t hook;
	const char *device; /* NULL in inet */
	int32_t priority;
};

void filter_change_batch(struct filter_change *c, const struct batch *b);
void filter_change_hook(struct filter_change *c, const struct filter_hook *h);
void filter_change_jump(struct filter_change *c, enum filter_table t, const char *chain, const char *to);
void filter_change_goto(struct filter_change *c, enum filter_table t, const char *chain, const char *to);
void filter_change_flush(struct filter_change *c, enum filter_table t, const char *chain);
void filter_change_no_chain(struct filter_change *c, enum filter_table t, const char *chain);
void filter_change_no_set(struct filter_change *c, enum filter_table t, const char *set);
void filter_change_no_counter(struct filter_change *c, enum filter_table t, const char *counter);
/* An element of a set with timeouts; its time begins anew when it was there. timeout_ms 0: it is not there afterwards. */
void filter_change_element(struct filter_change *c, enum filter_table t, const char *set, const void *key, size_t len,
			   uint64_t timeout_ms);
/* Many that are not there, in few messages: half of what each takes by itself. One that is there may keep its time. */
struct filter_timed {
	uint8_t key[16];
	uint8_t len;
	uint64_t timeout_ms;
};
void filter_change_elements(struct filter_change *c, enum filter_table t, const char *set, const struct filter_timed *at, size_t len);
/* Ranges into a set of intervals, or out of it: ascending, none touching the next. And all that is in a set, out. */
void filter_change_ranges(struct filter_change *c, enum filter_table t, const char *set, enum family f, const struct addr_range *at,
			  size_t len, bool add);
void filter_change_empty(struct filter_change *c, enum filter_table t, const char *set);
void filter_change_no_table(struct filter_change *c, enum filter_table t);

/* One transaction. An empty change is nothing done. */
int filter_commit(struct filter *f, struct filter_change *c, struct err *why);

/* The same; full[i]: message i is an element for which its set has no place. -ENFILE when the kernel refuses it for nothing else. */
int filter_commit_full(struct filter *f, struct filter_change *c, bool *full, struct err *why);

/*
 * What no packet meets yet, in several transactions: the kernel goes through all of a transaction for each set
 * without a name in it (__nft_set_trans_bind() of kernel 6.18), and nobody else's change gets in between its steps.
 * When it fails, what came before stands, as when it was cut off.
 */
int filter_commit_loose(struct filter *f, struct filter_change *c, struct err *why);

/* Every entry of this namespace's connection tracking ends. */
int filter_flush_conntrack(struct filter *f, struct err *why);

/* This namespace's connection tracking. The kernel's `dropped` also counts packets of one new flow that came at once on two processors. */
struct filter_flows {
	uint32_t count, most; /* flows, and how many there may be; most 0: any number */
	uint64_t dropped;     /* packets for whose flow there was no place, since the namespace was made */
	uint64_t evicted;     /* flows that ended before their time to make one */
};
int filter_flows_look(struct filter *f, struct filter_flows *out, struct err *why);

/* ---- looking --------------------------------------------------------------------- */

struct filter_chain {
	enum filter_table table;
	const char *name;
	bool hooked;
	const char *device; /* of a hook in netdev; "" when it has none left */
	uint64_t handle;    /* in the order in which they were made, which is that of a listing */
	const struct nlmsghdr *said;
};

struct filter_object {
	enum filter_table table;
	const char *name;
	uint64_t handle;	 /* of sets: what was made anew has another, in one table */
	uint64_t packets, bytes; /* of counters */
};

struct filter_live {
	struct filter_chain *chains;
	size_t chain_count;
	struct filter_object *sets, *counters;
	size_t set_count, counter_count;
	bool tables[FILTER_TABLES];
	uint64_t handles[FILTER_TABLES]; /* of the tables, as far as they were looked for */
};

enum filter_want {
	FILTER_WANT_CHAINS = 1,
	FILTER_WANT_SETS = 2,
	FILTER_WANT_COUNTERS = 4,
	FILTER_WANT_TABLES = 8,
	FILTER_WANT_COUNTS = 16, /* counters for what they count: a name may be there twice */
};

int filter_look(struct filter *f, struct filter_live *out, unsigned want, struct arena *a, struct err *why);

/* Counters by their names: what is not there has counted nothing. */
struct filter_counter {
	enum filter_table table;
	const char *name;
	bool is;
	uint64_t packets, bytes;
};
int filter_counters_look(struct filter *f, struct filter_counter *at, uint32_t count, struct err *why);

/* Packets of one counter, of both tables; 0 where it is not there. */
int filter_count(struct filter *f, const char *counter, uint64_t *out, struct err *why);

/* Elements in a set, as far as the table goes; expired ones are not counted, but for those of a large set that are not collected yet. */
int filter_set_size(struct filter *f, enum filter_table t, const char *set, uint64_t *out, struct err *why);

/* Is it known, without a look at its elements, that it has none? Kernels that do not say how many there are do not say that either. */
int filter_set_is_empty(struct filter *f, enum filter_table t, const char *set, bool *out, struct err *why);

/* Which of these sets are there. A listing would be as long as the policy. */
int filter_sets_look(struct filter *f, enum filter_table t, const char *const *names, bool *are, uint32_t count, struct err *why);

/* An element of a set that may be there: false when it has expired, or there is no such set. */
struct filter_element {
	const char *set;
	uint8_t key[16];
	uint8_t len;
	bool is;
	uint64_t left_ms; /* UINT64_MAX: without an end */
};
int filter_elements_look(struct filter *f, enum filter_table t, struct filter_element *at, uint32_t count, struct err *why);

/* Each element that has not expired: its key, and how long it still stays. When the set changed meanwhile all of it comes again, after a call of `again`. */
struct filter_elements {
	void (*again)(void *cls);
	void (*one)(void *cls, const void *key, size_t len, uint64_t left_ms);
	void *cls;
};
int filter_set_elements(struct filter *f, enum filter_table t, const char *set, const struct filter_elements *to, struct err *why);

/*
 * The rules of a chain in words: "jump a_pre_in; goto a_BALANCED_in". What is no
 * jump or goto is "other". "" when there is no such chain.
 */
int filter_ways(struct filter *f, enum filter_table t, const char *chain, struct arena *a, const char **out,
		struct err *why);

/*
 * What judges: the tables, their chains and rules, and with these the names of what rules refer to.
 * Not in it: handles, counts and elements of sets; the rules of hooks, which say the posture;
 * rules that look for blocked networks, see filter_nets.h; hooks in netdev, which follow the interfaces; and loose chains of the bank `but`.
 */
int filter_digest(struct filter *f, char but, struct digest *out, struct err *why);

/* Grows by one with every change of anyone to any table of this namespace. */
int filter_generation(struct filter *f, uint32_t *out, struct err *why);

#endif
