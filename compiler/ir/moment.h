/*
 * moment - what the world is like around a packet; the state behind eval.h.
 *
 *     posture, clock, own addresses      set from outside
 *     buckets                            one for each (reflex, source cut to its key bits)
 *     blocks                             sources blocked until a time
 *
 * Everything is remembered for ever: a full bucket and a block that is over
 * mean the same as none.
 */
#ifndef TEG_IR_MOMENT_H
#define TEG_IR_MOMENT_H

#include "compiler/ir/eval.h"

/* A source as buckets and blocks know it. */
struct moment_key {
	const struct ir_rule *rule; /* NULL in blocks */
	struct addr source;	    /* host bits zero */
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
};

/* True when the source has no token left in the rule's bucket; else takes one. */
bool moment_is_over(struct moment *m, const struct ir_rule *rule, struct addr source);

/* Leaves the source no token at this instant, as if it had just been over. */
void moment_drain(struct moment *m, const struct ir_rule *rule, struct addr source);

void moment_block(struct moment *m, struct addr source, uint64_t for_ns);
bool moment_is_blocked(const struct moment *m, struct addr source);

#endif
