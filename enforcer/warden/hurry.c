#include "enforcer/warden/hurry.h"

#include <sched.h>
#include <sys/resource.h>

#include "lang/base/clock.h"

#define LEAST_PRIORITY 1
#define BEFORE_OTHERS  -10

static bool schedule(int policy, int priority)
{
	const struct sched_param p = { .sched_priority = priority };

	return !sched_setscheduler(0, policy, &p);
}

void hurry_somewhat(void)
{
	setpriority(PRIO_PROCESS, 0, BEFORE_OTHERS);
}

struct hurry hurry_begin(uint64_t *lasted_ns)
{
	return (struct hurry){ schedule(SCHED_FIFO, LEAST_PRIORITY), clock_ns(CLOCK_MONOTONIC), lasted_ns };
}

void hurry_own_(struct hurry *h)
{
	*h->lasted_ns = clock_ns(CLOCK_MONOTONIC) - h->began_ns;
	if (h->granted)
		schedule(SCHED_OTHER, 0);
}
