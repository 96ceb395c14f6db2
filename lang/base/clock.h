/*
 * clock - one of the kernel's clocks (clock_gettime(2)) as one number.
 */
#ifndef TEG_BASE_CLOCK_H
#define TEG_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)

static inline uint64_t clock_ns(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_ms(clockid_t which)
{
	return clock_ns(which) / 1000000;
}

#endif
