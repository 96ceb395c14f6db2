/*
 * piece - bytes that lie somewhere else. Several, one behind the other, are one file that was never put together.
 */
#ifndef TEG_BASE_PIECE_H
#define TEG_BASE_PIECE_H

#include <stddef.h>

struct err;
struct spool;

struct piece {
	const void *at;
	size_t len;
	const struct spool *in; /* where they lie whose `at` is NULL: all that it has, spool.h */
};

struct pieces {
	struct piece *at;
	size_t count;
};

static inline size_t pieces_len(const struct pieces *p)
{
	size_t len = 0;

	for (size_t i = 0; i < p->count; i++)
		len += p->at[i].len;
	return len;
}

/* Their bytes, in order, as much at a time as there is; ends where f() is not 0, and says what it said. */
int pieces_each(const struct pieces *p, int (*f)(void *context, const void *bytes, size_t len, struct err *why), void *context,
		struct err *why);

#endif
