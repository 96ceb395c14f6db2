/*
 * moment - what the world is like around a packet; the state behind eval.h.
 *
 *     posture, clock, own addresses      set from outside
 *     buckets                            one for each (limit, what it counts for each)
 *     blocks                             sources blocked until a time
 *
 * Everything is remembered for ever: a full bucket and a block that is over
 * mean the same as none.
 */
#ifndef TEG_IR_MOMENT_H
#define TEG_IR_MOMENT_H

#include "compiler/ir/eval.h"

/* What has a bucket or a block of its own. */
struct moment_key {
	const char *bucket; /* NULL in blocks */
	struct addr one;    /* source or destination, host bits zero; all zero where nothing is told apart */
	struct addr other;  /* of a flow: its destination */
	uint64_t ports;	    /* of a flow: protocol, ports */
};

struct moment_entry {
	struct moment_key key;
	uint64_t tokens_ns, last_ns; /* a bucket's */
	uint64_t until_ns;	     /* a block's */
};

struct moment_table {
	struct moment_entry *entries;
	size_t count, room;
	size_t *slots; /* 1 + index into entries, 0 when free; twice as many as room */
};

struct moment {
	const struct ir *ir;
	unsigned posture;
	uint64_t now_ns;
	const struct netset *self;
	struct moment_table buckets, blocks;
	const char **found; /* rules whose patterns are taken to be found, whatever the payload */
	size_t found_count;
};

void moment_find(struct moment *m, const char *rule);
bool moment_is_found(const struct moment *m, const char *rule);

/* True when no token is left in the packet's bucket; else takes one. */
bool moment_is_over(struct moment *m, const struct ir_rate *rate, const struct packet *p);

/* Leaves tokens for so many such packets at this instant, as far as the bucket holds them. */
void moment_leave(struct moment *m, const struct ir_rate *rate, const struct packet *p, unsigned packets);

void moment_block(struct moment *m, struct addr source, uint64_t for_ns);
bool moment_is_blocked(const struct moment *m, struct addr source);

#endif
