/*
 * side_by_side - work of which nothing waits for anything else, done at the same time where there are processors for it.
 *
 *     struct errand errands[] = { { make_tables, &tables }, { make_batches, &batches } };
 *
 *     side_by_side(errands, 2);       both are done
 *
 * The caller does its share, and with one processor all of it. What comes of an errand must not depend on when it is
 * done: it writes only what is its own, its arena and its err among that. They end however much they have
 * found wrong; who asked for them says which fault is told. Inside a memory_try() there are none: memory.h.
 */
#ifndef TEG_BASE_SIDE_BY_SIDE_H
#define TEG_BASE_SIDE_BY_SIDE_H

#include <stddef.h>

struct errand {
	void (*work)(void *context);
	void *context;
};

void side_by_side(const struct errand *errands, size_t count);

#endif
