/*
 * counting - what each rule decided, read from the kernel: of a long policy in parts, between which the warden hears what else is wanted.
 *
 *     own(counting) struct counting c = { 0 };
 *     counting_begin(&c, g, k, why)
 *     while (!counting_is_over(&c))
 *         counting_go_on(&c, why)              some milliseconds
 *     counting_sum(&out, &c, why)              lives as long as c, and as the generation
 */
#ifndef TEG_WARDEN_COUNTING_H
#define TEG_WARDEN_COUNTING_H

#include "enforcer/proc/message.h"
#include "enforcer/warden/generation/generation.h"
#include "lang/base/strmap.h"

struct counting {
	struct kernel *k;
	const struct generation *g; /* may be NULL */
	uint64_t number;	    /* its own: another has other counters */
	struct arena *arena;
	struct filter_counter *at;
	uint32_t count, next;
	struct strmap by_name[FILTER_TABLES]; /* struct filter_counter */
	struct teg_counter *cpus;
	int cpu_count;
};

int counting_begin(struct counting *r, const struct generation *g, struct kernel *k, struct err *why);
bool counting_is_over(const struct counting *r);
int counting_go_on(struct counting *r, struct err *why);
int counting_sum(struct counters *out, struct counting *r, struct err *why);
void counting_release(struct counting *r);

static inline void counting_own_(struct counting *r)
{
	counting_release(r);
}

#endif
