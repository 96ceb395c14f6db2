/*
 * piece - bytes that lie somewhere else. Several, one behind the other, are one file that was never put together.
 */
#ifndef TEG_BASE_PIECE_H
#define TEG_BASE_PIECE_H

#include <stddef.h>

struct piece {
	const void *at;
	size_t len;
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

#endif
