/*
 * deadline - a moment that outlives the process: journalled, and kept through a boot.
 *
 * Within one boot CLOCK_BOOTTIME decides, so that setting the clock neither hastens nor
 * delays it. It starts anew at a boot, so there CLOCK_REALTIME decides; a host whose clock is
 * wrong then (no battery, no NTP yet) waits at most as long as was asked for, counted from
 * the start of tegd.
 */
#ifndef TEG_WARDEN_STATE_DEADLINE_H
#define TEG_WARDEN_STATE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#define DEADLINE_BOOT_MAX 36

struct deadline {
	uint64_t until;	  /* seconds, CLOCK_REALTIME; 0 when there is none */
	uint64_t boot_ms; /* the same moment, CLOCK_BOOTTIME, of the boot named here */
	uint64_t length;  /* seconds that were asked for */
	char boot[DEADLINE_BOOT_MAX + 1]; /* /proc/sys/kernel/random/boot_id */
};

struct deadline deadline_in(uint64_t seconds);

/* One that was read from the journal, after a boot maybe. */
void deadline_resume(struct deadline *d);

/* 0 when it is over, UINT64_MAX when there is none. */
uint64_t deadline_left_ms(const struct deadline *d);

static inline bool deadline_is_set(const struct deadline *d)
{
	return d->until;
}

#endif
