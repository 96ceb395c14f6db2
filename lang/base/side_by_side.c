#include "lang/base/side_by_side.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define HELPERS_MOST 15u /* beside the caller */

struct queue {
	const struct errand *at;
	size_t count;
	atomic_size_t next;
};

static void *work(void *queue)
{
	struct queue *q = queue;

	for (size_t i; (i = atomic_fetch_add(&q->next, 1)) < q->count;)
		q->at[i].work(q->at[i].context);
	return NULL;
}

/* Those that this process may run on. */
static size_t processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) ? 1 : (size_t)CPU_COUNT(&set);
}

void side_by_side(const struct errand *errands, size_t count)
{
	struct queue q = { .at = errands, .count = count };
	const size_t all = processors(), most = all < count ? all : count;
	pthread_t helpers[HELPERS_MOST];
	size_t begun = 0;

	/* Where no thread is to be had, there are fewer. */
	while (begun < HELPERS_MOST && begun + 1 < most && !pthread_create(&helpers[begun], NULL, work, &q))
		begun++;
	work(&q);
	for (size_t i = 0; i < begun; i++)
		pthread_join(helpers[i], NULL);
}
