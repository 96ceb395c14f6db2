/*
 * block_table - the first hook's runtime blocks, as the warden reads and writes them while packets are judged.
 *
 *     own(block_table) struct block_table t = { 0 };
 *     if (block_table_open(&t, &shared, why)) ...
 *     block_table_set(&t, source, until_ns, by, now_ns)
 *
 * A million sources find a place: where both sets of one are full, others move to their second. The program
 * does not move any: beyond some nine of ten places it may have to leave a source out, which it counts.
 */
#ifndef TEG_HOOK_BLOCK_TABLE_H
#define TEG_HOOK_BLOCK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "enforcer/hook/shared.h"
#include "lang/base/addr.h"
#include "lang/base/err.h"

struct block_table {
	struct teg_blocks *at;
	struct teg_active *active;
	struct teg_hints *hints;
	uint64_t back[2]; /* the seeds' inverses */
};

int block_table_open(struct block_table *out, const struct shared *s, struct err *why);
void block_table_close(struct block_table *t);

/* Over memory that stays the caller's, and is not closed: for tests. */
struct block_table block_table_over(struct teg_blocks *at, struct teg_active *active, struct teg_hints *hints);

static inline void block_table_own_(struct block_table *t)
{
	block_table_close(t);
}

struct block_row {
	struct addr source;
	uint64_t until_ns; /* CLOCK_MONOTONIC; 0: no block */
	uint32_t by;	   /* counter slot of what placed it, or TEG_BLOCK_NOBODY */
};

/* The block of a source (IPv4 its address, IPv6 its /64) that is in force. */
struct block_row block_table_get(const struct block_table *t, struct addr source, uint64_t now_ns);

/* Until then and no longer; 0: not at all. False where there is no place left. */
bool block_table_set(struct block_table *t, struct addr source, uint64_t until_ns, uint32_t by, uint64_t now_ns);

/* Of all in force, in no order. */
void block_table_each(const struct block_table *t, uint64_t now_ns, void (*one)(void *cls, const struct block_row *row), void *cls);
uint64_t block_table_count(const struct block_table *t, uint64_t now_ns);

/* One change, for tests and benches. */
int block_table_once(const struct shared *s, struct addr source, uint64_t until_ns, uint32_t by, struct err *why);

#endif
