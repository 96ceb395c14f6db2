/*
 * sampling - when counters are to be read again: once a second, but never for more than a fiftieth of the time.
 *
 *     if (sampling_is_due(&s, now_ns))
 *             sampling_begins(&s, now_ns);          and the warden is asked
 *     atomic_store(&s.cost_ns, c.cost_ns);          when it has answered
 *
 * The kernel goes through all counters of a table again for each part that it tells of, so that 60,000 take half a second or more of
 * a processor, during which the warden does nothing else.
 */
#ifndef TEG_API_SAMPLING_H
#define TEG_API_SAMPLING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SAMPLE_NS    UINT64_C(1000000000)
#define SAMPLE_SHARE 50

struct sampling {
	uint64_t next_ns, began_ns;
	_Atomic uint64_t cost_ns; /* processor time that the last reading took */
};

static inline bool sampling_is_due(const struct sampling *s, uint64_t now_ns)
{
	return now_ns >= s->next_ns && (now_ns - s->began_ns) / SAMPLE_SHARE >= atomic_load(&s->cost_ns);
}

/* A beat that was missed is not made up for. */
static inline void sampling_begins(struct sampling *s, uint64_t now_ns)
{
	s->next_ns = now_ns - s->next_ns > SAMPLE_NS ? now_ns + SAMPLE_NS : s->next_ns + SAMPLE_NS;
	s->began_ns = now_ns;
}

#endif
