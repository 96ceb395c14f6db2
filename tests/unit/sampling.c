/* When counters are read again: once a second, less often where that takes long. */
#include "enforcer/api/sampling.h"
#include "tests/lib/tap.h"

#define MS UINT64_C(1000000)

/* How often they are read in `seconds`, when the clock is looked at every 100 ms. */
static unsigned readings(uint64_t cost_ns, unsigned seconds)
{
	const uint64_t from = 77 * SAMPLE_NS;
	struct sampling s = { .next_ns = from };
	unsigned n = 0;

	for (uint64_t now = from; now < from + seconds * SAMPLE_NS; now += 100 * MS)
		if (sampling_is_due(&s, now)) {
			sampling_begins(&s, now);
			atomic_store(&s.cost_ns, cost_ns);
			n++;
		}
	return n;
}

static void a_pause_is_not_made_up_for(void)
{
	struct sampling s = { .next_ns = SAMPLE_NS };

	sampling_begins(&s, 10 * SAMPLE_NS);
	tap_ok(!sampling_is_due(&s, 10 * SAMPLE_NS + 999 * MS), "after a pause the next is a second later");
	tap_ok(sampling_is_due(&s, 11 * SAMPLE_NS), "and then it is due");
}

int main(void)
{
	tap_num(readings(0, 100), 100, "what takes no time is read once a second");
	tap_num(readings(20 * MS, 100), 100, "so is what takes a fiftieth of one");
	tap_num(readings(1300 * MS, 130), 2, "what takes 1.3 s is read every 65 s");
	a_pause_is_not_made_up_for();
	return tap_done();
}
