#include "enforcer/warden/state/deadline.h"

#include <string.h>
#include <time.h>

#include "lang/base/clock.h"
#include "lang/base/file.h"
#include "lang/base/own.h"

/* "" when it cannot be read: then it is no boot's, and the real time decides. */
static void read_boot(char out[static DEADLINE_BOOT_MAX + 1])
{
	own(buf) struct buf id = { 0 };
	struct err ignored;

	memset(out, 0, DEADLINE_BOOT_MAX + 1);
	if (!file_read(&id, "/proc/sys/kernel/random/boot_id", 64, &ignored) && id.len >= DEADLINE_BOOT_MAX)
		memcpy(out, id.at, DEADLINE_BOOT_MAX);
}

struct deadline deadline_in(uint64_t seconds)
{
	struct deadline d = { .until = (uint64_t)time(NULL) + seconds, .boot_ms = clock_ms(CLOCK_BOOTTIME) + seconds * 1000,
			      .length = seconds };

	read_boot(d.boot);
	return d;
}

void deadline_resume(struct deadline *d)
{
	const uint64_t now = (uint64_t)time(NULL);
	char boot[DEADLINE_BOOT_MAX + 1];

	read_boot(boot);
	if (!deadline_is_set(d) || (*boot && !strcmp(boot, d->boot)))
		return;
	uint64_t left = d->until > now ? d->until - now : 0;
	if (left > d->length)
		left = d->length;
	d->until = now + left;
	d->boot_ms = clock_ms(CLOCK_BOOTTIME) + left * 1000;
	memcpy(d->boot, boot, sizeof boot);
}

uint64_t deadline_left_ms(const struct deadline *d)
{
	const uint64_t now = clock_ms(CLOCK_BOOTTIME);

	if (!deadline_is_set(d))
		return UINT64_MAX;
	return d->boot_ms > now ? d->boot_ms - now : 0;
}
