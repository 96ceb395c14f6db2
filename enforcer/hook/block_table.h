/*
 * block_table - the first hook's runtime blocks, as the warden reads and writes them while packets are judged.
 *
 *     own(block_table) struct block_table t = { 0 };
 *     if (block_table_open(&t, &shared, why)) ...
 *     block_table_set(&t, source, until_ns, by, now_ns)
 *     block_table_tidy(&t, now_ns)         now and then
 *
 * A source is a host, which is an IPv4 address or an IPv6 /64, or a network: a shorter prefix. Of a family networks of TEG_NET_LENGTHS
 * lengths may be blocked at a time, since a packet is asked for each.
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
	uint64_t nets_end[FAMILY_COUNT][64]; /* by length: no network of it is blocked after this */
	bool nets_doubtful; /* some length may be in use by nobody, or its end is not known */
};

/* A host as a source: of IPv6 its /64. */
struct prefix block_host(struct addr a);
bool block_is_net(struct prefix source);

int block_table_open(struct block_table *out, const struct shared *s, struct err *why);
void block_table_close(struct block_table *t);

/* Over memory that stays the caller's, and is not closed: for tests. */
struct block_table block_table_over(struct teg_blocks *at, struct teg_active *active, struct teg_hints *hints);

static inline void block_table_own_(struct block_table *t)
{
	block_table_close(t);
}

struct block_row {
	struct prefix source;
	uint64_t until_ns; /* CLOCK_MONOTONIC; 0: no block */
	uint32_t by;	   /* counter slot of what placed it, or TEG_BLOCK_NOBODY */
};

/* The block of this very source that is in force. */
struct block_row block_table_get(const struct block_table *t, struct prefix source, uint64_t now_ns);

/* Until then and no longer; 0: not at all. False where there is no place left, or no room for one more length. */
bool block_table_set(struct block_table *t, struct prefix source, uint64_t until_ns, uint32_t by, uint64_t now_ns);
bool block_table_takes_length(const struct block_table *t, struct prefix source);

/* Lengths of which no network is blocked any more are asked for no longer. Walks over the table, when there may be such. */
void block_table_tidy(struct block_table *t, uint64_t now_ns);

/* Of all in force, in no order. */
void block_table_each(const struct block_table *t, uint64_t now_ns, void (*one)(void *cls, const struct block_row *row), void *cls);
uint64_t block_table_count(const struct block_table *t, uint64_t now_ns);

/* One change, for tests and benches. */
int block_table_once(const struct shared *s, struct prefix source, uint64_t until_ns, uint32_t by, struct err *why);

#endif
