/*
 * positions - an expression as a machine of positions, before it is made
 * deterministic: Thompson 1968.
 */
#ifndef TEG_PATTERN_POSITIONS_H
#define TEG_PATTERN_POSITIONS_H

#include "compiler/pattern/pattern.h"

enum position_kind { POSITION_BYTES, POSITION_FORK, POSITION_BEGIN, POSITION_END, POSITION_FOUND };

struct byte_set {
	uint64_t bits[4];
};

static inline bool byte_set_has(const struct byte_set *s, unsigned byte)
{
	return s->bits[byte / 64] >> byte % 64 & 1;
}

struct position {
	enum position_kind kind;
	uint32_t to, other; /* where it leads; a fork also to `other` */
	struct byte_set bytes;
};

struct positions {
	struct arena *arena;
	VEC(struct position) at;
	uint32_t first;
};

int positions_read(struct positions *out, struct arena *a, const char *expression, unsigned flags,
		   struct pattern_fault *why);

#endif
