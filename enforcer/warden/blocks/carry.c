/*
 * carry.c - blocks that follow an interface to another engine.
 *
 *     nft ──► programs   its sets are read: the kernel tells of a set from its beginning each time, some 800 elements at once
 *     programs ──► nft   their table is walked, and nft asked for each source by its key; its sets are not read
 *
 * Neither is held in memory as a whole. A block that lasts less than a second longer there than here is the same.
 */
#include <errno.h>

#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/blocks/nft.h"
#include "enforcer/warden/blocks/seen.h"
#include "lang/base/clock.h"
#include "lang/base/own.h"

#define AT_ONCE 4096u /* sources in a change */

/* All others are carried, and who is not is known to nft alone. */
static int no_place(const struct block_table *t, struct prefix source, struct err *why)
{
	char text[ADDR_TEXT];

	if (block_is_net(source) && !block_table_takes_length(t, source))
		return err_set(why, ENOSPC, "the programs ask for networks of %u lengths of a family, and %s has one more: take those of some length back, "
			       "and block it again", TEG_NET_LENGTHS, prefix_print(source, text));
	return err_set(why, ENOSPC, "the programs' table of runtime blocks is full");
}

/* ---- to the programs ---------------------------------------------------------------------- */

struct to_programs {
	struct block_table *table;
	uint64_t now_ns;
	enum block_kind kind;
	enum family family;
	struct err *why;
	int rc; /* of the first without a place */
};

static void lasts_until(struct to_programs *c, struct prefix source, uint64_t until_ns, uint64_t slack_ns, uint32_t by)
{
	if (block_table_get(c->table, source, c->now_ns).until_ns + slack_ns < until_ns &&
	    !block_table_set(c->table, source, until_ns, by, c->now_ns) && !c->rc)
		c->rc = no_place(c->table, source, c->why);
}

static void take_element(void *cls, const void *key, size_t len, uint64_t left_ms)
{
	struct to_programs *c = cls;
	const uint64_t most_ms = UINT64_C(1000) * POSTURE_SECONDS_MAX;
	struct prefix source;

	if (block_of_key(&source, c->kind, c->family, key, len))
		lasts_until(c, source, c->now_ns + (left_ms < most_ms ? left_ms : most_ms) * 1000000, SECOND_NS, TEG_BLOCK_UNKNOWN);
}

/* What was taken already is there. */
static void take_again(void *cls)
{
	(void)cls;
}

static int carry_to_programs(struct kernel *k, enum block_kind kind, enum family f, struct err *why)
{
	struct to_programs c = { kernel_blocks(k, why), clock_ns(CLOCK_MONOTONIC), kind, f, why, 0 };
	const struct filter_elements to = { take_again, take_element, &c };

	if (!c.table)
		return why->code;
	int rc = filter_set_elements(k->filter, FILTER_NETDEV, block_sets[kind][f], &to, why);
	return rc ? rc : c.rc;
}

static void take_row(void *cls, const struct block_row *row)
{
	lasts_until(cls, row->source, row->until_ns, 0, row->by);
}

/* What the programs of another version have blocked. */
static int carry_older(struct kernel *k, struct err *why)
{
	struct to_programs c = { .now_ns = clock_ns(CLOCK_MONOTONIC), .why = why };

	if (!k->older.blocks.at || !k->xdp)
		return 0;
	c.table = kernel_blocks(k, why);
	if (!c.table)
		return why->code;
	block_table_each(&k->older.blocks, c.now_ns, take_row, &c);
	return c.rc;
}

/* ---- to nft ---------------------------------------------------------------------------------- */

struct to_nft {
	struct kernel *k;
	enum block_kind kind;
	enum family family;
	const char *set;
	bool was_empty; /* nobody need be asked for */
	uint64_t now_ns;
	uint32_t count;
	struct prefix *sources; /* AT_ONCE of each */
	uint64_t *left_ms;
	struct filter_element *elements;
	struct filter_timed *timed;
	struct block_lengths longer;
	struct err *why;
	int rc;
};

static int look_for(struct to_nft *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		block_element(&c->elements[i], c->sources[i]);
		c->elements[i].is = false;
	}
	return c->was_empty ? 0 : filter_elements_look(c->k->filter, FILTER_NETDEV, c->elements, c->count, c->why);
}

static bool lasts_as_long(const struct filter_element *e, uint64_t left_ms)
{
	return e->is && (e->left_ms == UINT64_MAX || e->left_ms + 1000 >= left_ms);
}

static void put_lacking(struct filter_change *change, struct to_nft *c)
{
	uint32_t lacking = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		if (lasts_as_long(&c->elements[i], c->left_ms[i]))
			continue;
		if (block_is_net(c->sources[i]))
			block_length_lasts(&c->longer, c->sources[i], c->left_ms[i]);
		if (c->elements[i].is)
			block_change_element(change, c->sources[i], c->left_ms[i]);
		else
			block_timed(&c->timed[lacking++], c->sources[i], c->left_ms[i]);
	}
	filter_change_elements(change, FILTER_NETDEV, c->set, c->timed, lacking);
}

static void put_some(struct to_nft *c)
{
	own(filter_change) struct filter_change change = { 0 };

	c->rc = look_for(c);
	if (!c->rc) {
		put_lacking(&change, c);
		c->rc = filter_commit(c->k->filter, &change, c->why);
	}
	c->count = 0;
}

static void put_row(void *cls, const struct block_row *row)
{
	struct to_nft *c = cls;

	if (c->rc || row->source.addr.family != c->family || block_kind(row->source) != c->kind)
		return;
	c->sources[c->count] = row->source;
	c->left_ms[c->count++] = (row->until_ns - c->now_ns) / 1000000 + 1;
	if (c->count == AT_ONCE)
		put_some(c);
}

/* The rules that ask for them follow. */
static int put_lengths(const struct to_nft *c)
{
	own(filter_change) struct filter_change change = { 0 };
	int rc = block_lengths_add(&change, c->k, &c->longer, c->why);

	return rc ? rc : filter_commit(c->k->filter, &change, c->why);
}

static int carry_to_nft(struct kernel *k, enum block_kind kind, enum family f, struct arena *a, struct err *why)
{
	const struct block_table *t = kernel_blocks(k, why);
	struct to_nft c = { .k = k, .kind = kind, .family = f, .set = block_sets[kind][f], .now_ns = clock_ns(CLOCK_MONOTONIC), .why = why };

	if (!t)
		return why->code;
	int rc = filter_set_is_empty(k->filter, FILTER_NETDEV, c.set, &c.was_empty, why);
	if (rc)
		return rc;
	c.sources = arena_zero(a, AT_ONCE * sizeof *c.sources);
	c.left_ms = arena_zero(a, AT_ONCE * sizeof *c.left_ms);
	c.elements = arena_zero(a, AT_ONCE * sizeof *c.elements);
	c.timed = arena_zero(a, AT_ONCE * sizeof *c.timed);
	block_table_each(t, c.now_ns, put_row, &c);
	if (!c.rc)
		put_some(&c);
	return c.rc || kind != BLOCK_NETS ? c.rc : put_lengths(&c);
}

/* ---- both --------------------------------------------------------------------------------------- */

/* What fails first is told; all others are carried still. */
struct carrying {
	struct kernel *k;
	const struct block_engines *to;
	struct err first;
};

static void note(struct carrying *c, int rc, const struct err *why)
{
	if (rc && !c->first.code)
		c->first = *why;
}

/* What nft has comes first: then what the programs have is all. */
static void carry_kind(struct carrying *c, enum block_kind kind, enum family f, struct arena *a)
{
	struct err why = { 0 };

	if (c->to->programs && !c->k->nft_blocks_known)
		note(c, carry_to_programs(c->k, kind, f, &why), &why);
	if (c->to->nft)
		note(c, carry_to_nft(c->k, kind, f, a, &why), &why);
}

static void carry_kinds(struct carrying *c, const struct block_places *at)
{
	own(arena) struct arena *a = arena_new();
	struct err why = { 0 };

	for (unsigned kind = 0; kind < BLOCK_KINDS; kind++)
		for (unsigned f = 0; at->xdp && f < FAMILY_COUNT; f++)
			if (at->nft[kind][f])
				carry_kind(c, (enum block_kind)kind, (enum family)f, a);
	if (c->to->nft && at->nft[BLOCK_NETS][FAMILY_IP4])
		note(c, block_lengths_sync(c->k, c->to->bank, &why), &why);
}

int blocks_carry(struct kernel *k, const struct block_engines *to, struct err *why)
{
	struct carrying c = { .k = k, .to = to };
	struct block_places at;

	if (to->nft)
		k->nft_blocks_known = false;
	note(&c, carry_older(k, why), why);
	int rc = block_places_find(&at, k, why);
	note(&c, rc, why);
	if (!rc)
		carry_kinds(&c, &at);
	if (!c.first.code && to->settled && to->programs && !to->nft)
		k->nft_blocks_known = true;
	if (!c.first.code)
		return 0;
	*why = c.first;
	return err_in(why, "not all runtime blocks are known to both engines");
}
