#include "enforcer/warden/blocks/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/warden/blocks/seen.h"
#include "lang/base/clock.h"
#include "lang/base/memory.h"
#include "lang/base/own.h"

/* A larger set is not listed, only counted: reading it takes the kernel a time that grows with its square, minutes for a million. */
#define NFT_LISTED_MOST 50000u

/* ---- changing ------------------------------------------------------------------------ */

/* As they were. */
static void change_back(struct block_table *t, const struct block_row *before, uint32_t count, uint64_t now)
{
	while (count--)
		block_table_set(t, before[count].source, before[count].until_ns, before[count].by, now);
}

/* What must be there before anything changes: all that takes memory. */
struct changing {
	struct kernel *k;
	char bank; /* 0: nft does not judge */
	const struct block *ask;
	struct blocks_told *told; /* or NULL */
	bool *no_place; /* of each source */
	struct arena *arena;
	struct block_places at;
	struct block_table *table; /* NULL without XDP */
	struct block_row *before;
	struct filter_change nft;
	uint32_t *message; /* of nft's, the first of each source, and the one after the last */
	bool *full;	   /* of each message */
	struct err *why;
	int rc;
};

static void changing_own_(struct changing *c)
{
	filter_change_release(&c->nft);
	arena_free(c->arena);
}

static void make_nft(struct changing *c)
{
	const struct block *ask = c->ask;

	c->message = arena_zero(c->arena, (ask->source_count + 1) * sizeof *c->message);
	for (uint32_t i = 0; i < ask->source_count; i++) {
		c->message[i] = c->nft.count;
		if (block_places_nft(&c->at, ask->sources[i]))
			block_change_element(&c->nft, ask->sources[i], UINT64_C(1000) * ask->seconds);
	}
	c->message[ask->source_count] = c->nft.count;
}

/* Nobody is told that a source is blocked where the set that would hold it is gone. */
static int places_hold(const struct changing *c)
{
	for (uint32_t i = 0; c->bank && c->ask->seconds && i < c->ask->source_count; i++) {
		const struct prefix s = c->ask->sources[i];

		if (!block_places_nft(&c->at, s))
			return err_set(c->why, ENOENT, "nft judges what arrives, and its set %s is gone: somebody else has removed it",
				       block_sets[block_kind(s)][s.addr.family]);
	}
	return 0;
}

/* Which sources had no block, and which have a network's all the same. */
static int see_before(const struct changing *c)
{
	struct block_seen *seen = arena_zero(c->arena, c->ask->source_count * sizeof *seen);
	struct blocks_told *told = c->told;

	for (uint32_t i = 0; i < c->ask->source_count; i++)
		seen[i].source = c->ask->sources[i];
	int rc = blocks_see(c->k, &(struct block_question){ &c->at, true }, seen, c->ask->source_count, c->arena, c->why);
	for (uint32_t i = 0; !rc && i < c->ask->source_count; i++) {
		if (!seen[i].is)
			told->not_blocked[told->not_blocked_count++] = seen[i].source;
		if (seen[i].around.len) {
			told->still_blocked[told->still_blocked_count++] = seen[i].source;
			told->still_blocked[told->still_blocked_count++] = seen[i].around;
		}
	}
	return rc;
}

static void prepare(void *context)
{
	struct changing *c = context;

	c->arena = arena_new();
	c->before = arena_zero(c->arena, c->ask->source_count * sizeof *c->before);
	c->no_place = arena_zero(c->arena, c->ask->source_count * sizeof *c->no_place);
	c->rc = block_places_find(&c->at, c->k, c->why);
	if (!c->rc)
		c->rc = places_hold(c);
	if (!c->rc)
		make_nft(c);
	if (!c->rc && c->ask->seconds && c->at.nft[BLOCK_NETS][FAMILY_IP4])
		c->rc = block_lengths_use(&c->nft, c->k, c->bank, c->ask, c->why);
	if (!c->rc && c->at.xdp && !(c->table = kernel_blocks(c->k, c->why)))
		c->rc = c->why->code;
	if (!c->rc && c->told && !c->ask->seconds)
		c->rc = see_before(c);
	c->full = arena_zero(c->arena, (c->nft.count + 1) * sizeof *c->full);
}

/* Who else has none is told beside the first. */
static int refuse_without_place(const struct changing *c)
{
	const struct prefix *first = NULL;
	char text[ADDR_TEXT];
	uint32_t count = 0;

	for (uint32_t i = 0; i < c->ask->source_count; i++) {
		if (!c->no_place[i])
			continue;
		first = first ? first : &c->ask->sources[i];
		if (c->told)
			c->told->no_place[count] = c->ask->sources[i];
		count++;
	}
	if (!first)
		return 0;
	if (c->told)
		c->told->no_place_count = count;
	prefix_print(*first, text);
	if (count == 1)
		return err_set(c->why, ENOSPC, "no place is left to block %s: some %u sources may be blocked at a time", text, TEG_BLOCKS_MAX);
	return err_set(c->why, ENOSPC, "no place is left to block %u of %u sources, %s the first of them: some %u may be blocked at a time", count,
		       c->ask->source_count, text, TEG_BLOCKS_MAX);
}

static int change_xdp(struct changing *c, uint64_t now)
{
	const uint64_t until = c->ask->seconds ? now + c->ask->seconds * SECOND_NS : 0;
	const struct prefix *lacks_length = NULL;
	const uint32_t count = c->ask->source_count;
	int rc;

	for (uint32_t i = 0; i < count; i++) {
		const struct prefix *source = &c->ask->sources[i];

		c->before[i] = block_table_get(c->table, *source, now);
		c->no_place[i] = !block_table_set(c->table, *source, until, TEG_BLOCK_NOBODY, now);
		if (c->no_place[i] && block_is_net(*source) && !block_table_takes_length(c->table, *source))
			lacks_length = lacks_length ? lacks_length : source;
	}
	rc = lacks_length ? block_too_many_lengths(*lacks_length, c->why) : refuse_without_place(c);
	if (rc)
		change_back(c->table, c->before, count, now);
	return rc;
}

static int change_nft(struct changing *c)
{
	int rc = filter_commit_full(c->k->filter, &c->nft, c->full, c->why);

	for (uint32_t i = 0; rc == -ENFILE && i < c->ask->source_count; i++)
		for (uint32_t m = c->message[i]; m < c->message[i + 1]; m++)
			c->no_place[i] = c->no_place[i] || c->full[m];
	const int none = rc == -ENFILE ? refuse_without_place(c) : 0;
	return none ? none : rc;
}

/* Both, or none; a refusal's sentence takes memory. */
static void change(void *context)
{
	struct changing *c = context;
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (c->at.xdp)
		c->rc = change_xdp(c, now);
	if (c->rc)
		return;
	c->rc = change_nft(c);
	if (c->rc && c->at.xdp)
		change_back(c->table, c->before, c->ask->source_count, now);
	c->k->blocked_at_ns = 0; /* counted anew for the next who asks */
}

int blocks_change(struct kernel *k, char bank, const struct block *ask, struct blocks_told *told, struct err *why)
{
	own(changing) struct changing c = { .k = k, .bank = bank, .ask = ask, .told = told, .why = why };

	if (told)
		told->not_blocked_count = told->still_blocked_count = told->no_place_count = 0;
	if (!memory_try(prepare, &c))
		return err_set(why, ENOMEM, "tegd has not enough memory for these blocks; nothing changed");
	if (!c.rc)
		memory_finish(change, &c);
	return c.rc;
}

/* ---- walking over them ------------------------------------------------------------------ */

/* One that is in force, where XDP has it. */
typedef void walk_one(void *cls, struct prefix source, uint64_t left_ns, uint32_t slot);

struct walking {
	walk_one *one;
	void *cls;
	uint64_t now_ns;
};

static void walk_row(void *cls, const struct block_row *row)
{
	const struct walking *w = cls;

	w->one(w->cls, row->source, row->until_ns - w->now_ns, row->by);
}

static int walk_xdp(struct kernel *k, walk_one *one, void *cls, struct err *why)
{
	struct walking w = { one, cls, clock_ns(CLOCK_MONOTONIC) };
	const struct block_table *t = kernel_blocks(k, why);

	if (t)
		block_table_each(t, w.now_ns, walk_row, &w);
	return t ? 0 : why->code;
}

/* ---- what the programs have ---------------------------------------------------------------- */

/* Of a kind and family, in order. */
struct has {
	struct arena *arena;
	enum block_kind kind;
	enum family family;
	VEC(struct prefix) list;
};

static void has_from_xdp(void *cls, struct prefix source, uint64_t left_ns, uint32_t slot)
{
	struct has *h = cls;

	(void)left_ns, (void)slot;
	if (source.addr.family == h->family && block_kind(source) == h->kind)
		vec_push(h->arena, &h->list, source);
}

static int by_source(const void *x, const void *y)
{
	return prefix_order(x, y);
}

static void has_order(struct has *h)
{
	if (h->list.len)
		qsort(h->list.at, h->list.len, sizeof *h->list.at, by_source);
}

/* In order. */
static bool has_source(const struct has *h, struct prefix a)
{
	return h->list.len && bsearch(&a, h->list.at, h->list.len, sizeof a, by_source);
}

/* ---- listing ---------------------------------------------------------------------------- */

struct listing {
	struct blocks *out;
	const struct generation *g;
	uint64_t real_ns;
	const struct has *xdp; /* of the nft set's kind and family: a source that is in both engines is listed once */
	uint32_t from_rows;
	uint64_t from_total;
};

static const char *placed_by(const struct generation *g, uint32_t slot)
{
	if (slot == TEG_BLOCK_NOBODY)
		return "person";
	if (slot == TEG_BLOCK_UNKNOWN)
		return "";
	for (uint32_t i = 0; g && g->slots && i < g->plan.counter_count; i++)
		if (g->slots[i] == slot)
			return g->plan.counters[i].id;
	return "";
}

static void list_one(struct listing *l, struct prefix a, uint64_t left_ns, const char *by)
{
	l->out->total++;
	if (l->out->row_count < BLOCKS_LISTED_MAX)
		l->out->rows[l->out->row_count++] =
			(struct blocked_row){ a, (l->real_ns + left_ns + SECOND_NS - 1) / SECOND_NS, by };
}

static void list_from_xdp(void *cls, struct prefix a, uint64_t left_ns, uint32_t slot)
{
	struct listing *l = cls;

	list_one(l, a, left_ns, placed_by(l->g, slot));
}

static void list_element(void *cls, const void *key, size_t len, uint64_t left_ms)
{
	struct listing *l = cls;
	const uint64_t most_ms = UINT64_C(1000) * POSTURE_SECONDS_MAX;

	struct prefix a;
	if (block_of_key(&a, l->xdp->kind, l->xdp->family, key, len) && !has_source(l->xdp, a))
		list_one(l, a, (left_ms < most_ms ? left_ms : most_ms) * 1000000, "");
}

static void list_again(void *cls)
{
	struct listing *l = cls;

	l->out->row_count = l->from_rows;
	l->out->total = l->from_total;
}

static int list_nft(struct listing *l, struct kernel *k, const struct block_places *at, enum block_kind kind, enum family f, struct arena *a,
		    struct err *why)
{
	const struct filter_elements to = { list_again, list_element, l };
	struct has xdp = { a, kind, f, { 0 } };
	uint64_t size;
	int rc = filter_set_size(k->filter, FILTER_NETDEV, block_sets[kind][f], &size, why);

	if (rc || size > NFT_LISTED_MOST) {
		l->out->total += rc ? 0 : size;
		return rc;
	}
	rc = at->xdp ? walk_xdp(k, has_from_xdp, &xdp, why) : 0;
	if (rc)
		return rc;
	has_order(&xdp);
	l->xdp = &xdp;
	l->from_rows = l->out->row_count;
	l->from_total = l->out->total;
	return filter_set_elements(k->filter, FILTER_NETDEV, block_sets[kind][f], &to, why);
}

int blocks_list(struct blocks *out, struct kernel *k, const struct generation *g, struct arena *a, struct err *why)
{
	struct blocks b = { .rows = arena_zero(a, BLOCKS_LISTED_MAX * sizeof *b.rows) };
	struct listing l = { &b, g, clock_ns(CLOCK_REALTIME), NULL, 0, 0 };
	struct block_places at;
	int rc = block_places_find(&at, k, why);

	if (!rc && at.xdp)
		rc = walk_xdp(k, list_from_xdp, &l, why);
	for (unsigned kind = 0; kind < BLOCK_KINDS; kind++)
		for (unsigned f = 0; !rc && f < FAMILY_COUNT; f++)
			if (at.nft[kind][f])
				rc = list_nft(&l, k, &at, (enum block_kind)kind, (enum family)f, a, why);
	if (!rc)
		*out = b;
	return rc;
}
