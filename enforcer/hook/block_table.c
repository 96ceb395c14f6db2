#include "enforcer/hook/block_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf-templates/blocks.h"

#define MOVES_DEEP 4 /* 4^5 places are looked at before a table is full */

/* Newton: each step doubles the bits that are right; an odd number is its own inverse in three. */
static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;

	for (int i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

static void *map_of(int fd, size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void block_table_close(struct block_table *t)
{
	if (t->at)
		munmap(t->at, sizeof *t->at);
	if (t->active)
		munmap(t->active, sizeof *t->active);
	if (t->hints)
		munmap(t->hints, sizeof *t->hints);
	*t = (struct block_table){ 0 };
}

struct block_table block_table_over(struct teg_blocks *at, struct teg_active *active, struct teg_hints *hints)
{
	return (struct block_table){ at, active, hints, { inverse(at->seed[0]), inverse(at->seed[1]) } };
}

int block_table_open(struct block_table *out, const struct shared *s, struct err *why)
{
	struct block_table t = { map_of(s->blocks, sizeof *t.at), map_of(s->active, sizeof *t.active),
				 map_of(s->hints, sizeof *t.hints), { 0 } };

	if (!t.at || !t.active || !t.hints) {
		err_sys(why, "cannot map teg_blocks");
		block_table_close(&t);
		return why->code;
	}
	*out = block_table_over(t.at, t.active, t.hints);
	return 0;
}

/* ---- sources ------------------------------------------------------------------------- */

static uint64_t word_of(struct addr source)
{
	return (uint64_t)(source.family == FAMILY_IP4 ? source.num : source.num >> 64);
}

static struct blocks_key key_of(const struct block_table *t, struct addr source)
{
	return blocks_key(t->at, word_of(source), source.family == FAMILY_IP6);
}

/* What blocks_mix() was given. */
static uint64_t unmix(const struct block_table *t, uint64_t x)
{
	x ^= x >> 32;
	x *= t->back[1];
	x ^= x >> 32;
	x *= t->back[0];
	return x ^ x >> 32;
}

static struct block_row row_of(const struct block_table *t, uint32_t set, uint64_t key, uint64_t meta)
{
	const uint64_t rest = key >> TEG_BLOCK_BY_BITS;
	const uint32_t first = meta & TEG_BLOCK_SECOND ? teg_block_other(set, rest) : set;
	const uint64_t word = unmix(t, (uint64_t)first << TEG_BLOCK_REST_BITS | rest);
	struct block_row row = { { FAMILY_IP4, (uint32_t)word }, TEG_BLOCK_UNTIL(meta), key & TEG_BLOCK_BY };

	if (meta & TEG_BLOCK_IP6)
		row.source = (struct addr){ FAMILY_IP6, (addr_num)word << 64 };
	return row;
}

/* ---- changes ---------------------------------------------------------------------------- */

static void raise_to(__u64 *word, uint64_t to)
{
	__u64 seen = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (seen < to && !__atomic_compare_exchange_n(word, &seen, to, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

static void hint(struct block_table *t, struct addr source, uint64_t until_ns)
{
	const struct teg_source s = shared_source(source);
	uint64_t words[2];

	memcpy(words, &s.addr, sizeof words);
	raise_to(&t->active->blocks_until_ns, until_ns);
	raise_to(&t->hints->until_ns[teg_hint(words[0], words[1])], until_ns);
}

static void give_back(struct teg_block *b)
{
	__atomic_fetch_and(&b->meta, TEG_BLOCK_SPILLED, __ATOMIC_SEQ_CST);
}

static struct teg_block *make_room(struct block_table *t, uint32_t set, uint64_t now, unsigned deep);

/* The place of a block that stands in the set, claimed, once the block stands in its other set too. */
static struct teg_block *move_out(struct block_table *t, uint32_t set, struct teg_block *b, uint64_t now, unsigned deep)
{
	/* Its name behind its end: one that is being written has none, and one that is given to another since has another. */
	const uint64_t meta = blocks_meta(b), key = __atomic_load_n(&b->key, __ATOMIC_ACQUIRE), rest = key >> TEG_BLOCK_BY_BITS;
	const uint32_t other = teg_block_other(set, rest);
	const bool becomes_second = !(meta & TEG_BLOCK_SECOND);
	const struct blocks_key k = { rest, meta & TEG_BLOCK_IP6, { becomes_second ? set : other, becomes_second ? other : set } };

	if (meta & TEG_BLOCK_CLAIMED)
		return NULL;
	struct teg_block *to = blocks_claim(t->at->at[other], now);
	if (!to && deep)
		to = make_room(t, other, now, deep - 1);
	if (!to)
		return NULL;
	if (becomes_second)
		blocks_spill(t->at->at[set]);
	blocks_name(to, &k, becomes_second, TEG_BLOCK_UNTIL(meta), key & TEG_BLOCK_BY);
	const uint64_t seen = blocks_meta(b);
	if (((seen ^ meta) & ~TEG_BLOCK_SPILLED) || !blocks_swap(b, seen, (seen & TEG_BLOCK_SPILLED) | TEG_BLOCK_CLAIMED)) {
		give_back(to); /* the program has renewed it meanwhile: it stays where it is */
		return NULL;
	}
	return b;
}

static struct teg_block *make_room(struct block_table *t, uint32_t set, uint64_t now, unsigned deep)
{
	struct teg_block *b = NULL;

	for (unsigned i = 0; i < TEG_BLOCK_WAYS && !b; i++)
		b = move_out(t, set, &t->at->at[set][i], now, deep);
	return b;
}

static bool place(struct block_table *t, const struct blocks_key *k, uint64_t until_ns, uint32_t by, uint64_t now)
{
	if (blocks_place(t->at, k, until_ns, by, now))
		return true;
	struct teg_block *b = NULL;
	for (unsigned deep = 0; deep <= MOVES_DEEP && !b; deep++) /* the fewest moves */
		b = make_room(t, k->set[0], now, deep);
	if (b)
		blocks_name(b, k, 0, until_ns, by);
	return b;
}

static void clear(struct block_table *t, const struct blocks_key *k)
{
	struct teg_block *b;

	while ((b = blocks_find(t->at, k, 0)))
		give_back(b);
}

bool block_table_set(struct block_table *t, struct addr source, uint64_t until_ns, uint32_t by, uint64_t now_ns)
{
	const struct blocks_key k = key_of(t, source);

	if (!until_ns) {
		clear(t, &k);
		return true;
	}
	hint(t, source, until_ns);
	/* A shorter end than it has is a new block: for a moment it has both. */
	const struct teg_block *b = blocks_find(t->at, &k, now_ns);
	if (b && TEG_BLOCK_UNTIL(blocks_meta(b)) > until_ns)
		clear(t, &k);
	return place(t, &k, until_ns, by, now_ns);
}

/* ---- looking ------------------------------------------------------------------------------ */

struct block_row block_table_get(const struct block_table *t, struct addr source, uint64_t now_ns)
{
	const struct blocks_key k = key_of(t, source);
	const struct teg_block *b = blocks_find(t->at, &k, now_ns);

	return b ? (struct block_row){ source, TEG_BLOCK_UNTIL(blocks_meta(b)), b->key & TEG_BLOCK_BY } :
		   (struct block_row){ source, 0, TEG_BLOCK_NOBODY };
}

static bool none_is_left(const struct block_table *t, uint64_t now_ns)
{
	return __atomic_load_n(&t->active->blocks_until_ns, __ATOMIC_RELAXED) <= now_ns;
}

void block_table_each(const struct block_table *t, uint64_t now_ns, void (*one)(void *cls, const struct block_row *row), void *cls)
{
	for (uint32_t set = 0; set < TEG_BLOCK_SETS && !none_is_left(t, now_ns); set++)
		for (unsigned i = 0; i < TEG_BLOCK_WAYS; i++) {
			const struct teg_block *b = &t->at->at[set][i];
			const uint64_t meta = blocks_meta(b);

			if (TEG_BLOCK_UNTIL(meta) > now_ns) {
				const struct block_row row = row_of(t, set, *(const volatile __u64 *)&b->key, meta);
				one(cls, &row);
			}
		}
}

uint64_t block_table_count(const struct block_table *t, uint64_t now_ns)
{
	const struct teg_block *b = t->at->at[0];
	uint64_t count = 0;

	if (none_is_left(t, now_ns))
		return 0;
	for (uint32_t i = 0; i < TEG_BLOCKS_MAX; i++)
		count += TEG_BLOCK_UNTIL(b[i].meta) > now_ns;
	return count;
}

int block_table_once(const struct shared *s, struct addr source, uint64_t until_ns, uint32_t by, struct err *why)
{
	own(block_table) struct block_table t = { 0 };
	char text[ADDR_TEXT];
	int rc = block_table_open(&t, s, why);

	if (!rc && !block_table_set(&t, source, until_ns, by, 0))
		rc = err_set(why, ENOSPC, "no place is left to block %s", addr_print(source, text));
	return rc;
}
