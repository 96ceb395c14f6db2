/* side_by_side - every errand is done once, and all are done when it returns. */
#include <sched.h>
#include <stdint.h>

#include "lang/base/arena.h"
#include "lang/base/side_by_side.h"
#include "tests/lib/tap.h"

#define ERRANDS 100u

struct sum {
	uint32_t of, is, times;
};

/* Each with an arena of its own, as what is really done side by side. */
static void add_up(void *context)
{
	own(arena) struct arena *a = arena_new();
	struct sum *s = context;
	uint32_t *all = arena_zero(a, (s->of + 1) * sizeof *all);

	for (uint32_t i = 1; i <= s->of; i++)
		all[i] = all[i - 1] + i;
	s->is = all[s->of];
	s->times++;
}

static bool sums_hold(size_t count)
{
	struct sum sums[ERRANDS] = { 0 };
	struct errand errands[ERRANDS];

	for (uint32_t i = 0; i < count; i++) {
		sums[i].of = 100 * i;
		errands[i] = (struct errand){ add_up, &sums[i] };
	}
	side_by_side(errands, count);
	for (uint32_t i = 0; i < ERRANDS; i++)
		if (sums[i].times != (i < count) || sums[i].is != sums[i].of * (sums[i].of + 1) / 2)
			return false;
	return true;
}

struct nested {
	bool holds;
};

static void sums_within(void *context)
{
	((struct nested *)context)->holds = sums_hold(ERRANDS);
}

static bool nested_hold(void)
{
	struct nested n[8] = { 0 };
	struct errand errands[8];
	bool all = true;

	for (size_t i = 0; i < 8; i++)
		errands[i] = (struct errand){ sums_within, &n[i] };
	side_by_side(errands, 8);
	for (size_t i = 0; i < 8; i++)
		all &= n[i].holds;
	return all;
}

static void test_all(const char *where)
{
	static const size_t counts[] = { 0, 1, 2, 7, ERRANDS };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		tap_ok(sums_hold(counts[i]), "%zu errands are done once each, %s", counts[i], where);
	tap_ok(nested_hold(), "errands within errands, %s", where);
}

int main(void)
{
	cpu_set_t one;

	test_all("on the processors there are");
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	tap_ok(!sched_setaffinity(0, sizeof one, &one), "one processor is left");
	test_all("on one");
	return tap_done();
}
