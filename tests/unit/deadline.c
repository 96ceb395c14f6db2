/* A deadline holds within a boot whatever the clock does, and over a boot as far as the clock can be believed. */
#include <string.h>
#include <time.h>

#include "enforcer/warden/state/deadline.h"
#include "tests/lib/tap.h"

#define OTHER_BOOT "00000000-0000-0000-0000-000000000000"

/* Within a second of what is said: the clocks go on. */
static bool is_about(uint64_t ms, uint64_t seconds)
{
	return ms <= seconds * 1000 && ms + 1000 >= seconds * 1000;
}

static void none_is_never_over(void)
{
	struct deadline none = { 0 };

	deadline_resume(&none);
	tap_ok(!deadline_is_set(&none) && deadline_left_ms(&none) == UINT64_MAX, "no deadline is never over");
}

static void the_clock_does_not_matter(void)
{
	struct deadline d = deadline_in(60);

	tap_ok(deadline_is_set(&d) && is_about(deadline_left_ms(&d), 60), "a minute is a minute");
	tap_num(strlen(d.boot), DEADLINE_BOOT_MAX, "of a boot that has a name");
	d.until += 100000; /* as if the clock had been set */
	deadline_resume(&d);
	tap_ok(is_about(deadline_left_ms(&d), 60), "also when the clock is set");
	d.boot_ms = 1;
	tap_num(deadline_left_ms(&d), 0, "and over when it is over");
}

static const struct {
	const char *claim;
	int64_t until; /* seconds from now, by the clock */
	uint64_t left; /* of 300 */
} boots[] = {
	{ "after a boot the clock says how much is left", 100, 100 },
	{ "and whether it is over", -5, 0 },
	{ "a clock that lost its time delays it by its length at most", 86400 * 365, 300 },
};

static void a_boot_is_survived(void)
{
	for (size_t i = 0; i < ARRAY_LEN(boots); i++) {
		struct deadline d = deadline_in(300);

		strcpy(d.boot, OTHER_BOOT);
		d.boot_ms = 7;
		d.until = (uint64_t)(time(NULL) + boots[i].until);
		deadline_resume(&d);
		uint64_t left = deadline_left_ms(&d);
		if (!tap_ok(is_about(left, boots[i].left) && strcmp(d.boot, OTHER_BOOT), "%s", boots[i].claim))
			tap_note("%llu ms are left", (unsigned long long)left);
	}
}

int main(void)
{
	none_is_never_over();
	the_clock_does_not_matter();
	a_boot_is_survived();
	return tap_done();
}
