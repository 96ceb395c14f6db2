/*
 * What each kind of object takes to load in nftables, for compiler/emit/nft/tree/price.h.
 *
 *     nft_price [ROUNDS [MANY]]
 *
 * A table has MANY of one kind beside those that they need, and is loaded as the warden does; so has one with a quarter as
 * many. What lies between both, shared among the objects between, is what one takes among many. Kinds take turns; the least
 * of ROUNDS counts.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "compiler/audit/nft/said.h"
#include "compiler/emit/nft/make.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/nft_run.h"
#include "tests/lib/tap.h"

#define PER_MAP	  20u
#define PER_CHAIN 20u

/* A table in the making. */
struct making {
	struct nft_maker mk;
	struct nft_table table;
	uint32_t next_id;
	struct err why;
	struct nft_chain *into; /* with no more than PER_CHAIN rules: a chain is written anew at each commit that changes it */
};

static void making_init(struct making *m, struct arena *a)
{
	*m = (struct making){ .table = { .kind = NFT_TABLE_INET, .arena = a }, .next_id = 1 };
	m->mk = (struct nft_maker){ .arena = a, .table = &m->table, .next_id = &m->next_id, .why = &m->why };
	strmap_init(&m->mk.counters, a);
	strmap_init(&m->mk.sets, a);
	strmap_init(&m->mk.chains, a);
	strmap_init(&m->mk.blocks, a);
	m->into = nft_chain_new(&m->mk, "rules", NULL);
}

static const char *numbered(struct making *m, const char *stem, size_t i)
{
	return arena_printf(m->mk.arena, "%s.%zu", stem, i);
}

/* --- kinds -------------------------------------------------------------------------------------- */

static void put_counter(struct making *m, size_t i)
{
	nft_counter_at(&m->mk, numbered(m, "P.r", i));
}

static void put_chain(struct making *m, size_t i)
{
	nft_chain_new(&m->mk, numbered(m, "P_forward", i), NULL);
}

static void put_into(struct making *m, struct nft_rule r)
{
	if (m->into->rules.len == PER_CHAIN)
		m->into = nft_chain_new(&m->mk, numbered(m, "rules", m->table.chains.len), NULL);
	nft_put_rule(&m->mk, m->into, r, NULL);
}

/* One expression: where it ends. */
static void put_rule(struct making *m, size_t i)
{
	struct nft_rule r = { 0 };

	(void)i;
	nft_ends(&m->mk, &r, NFT_FATE_ACCEPT);
	put_into(m, r);
}

static void put_counting(struct making *m, size_t i)
{
	struct nft_rule r = { 0 };

	nft_count_as(&m->mk, &r, numbered(m, "P.r", i));
	nft_ends(&m->mk, &r, NFT_FATE_ACCEPT);
	put_into(m, r);
}

static void put_asking(struct making *m, size_t i)
{
	struct nft_rule r = { 0 };

	nft_ask(&m->mk, &r, NFT_FIELD_IP_SADDR, NFT_TEST_EQ, i);
	nft_ends(&m->mk, &r, NFT_FATE_ACCEPT);
	put_into(m, r);
}

static void put_masking(struct making *m, size_t i)
{
	struct nft_rule r = { 0 };

	nft_ask_masked(&m->mk, &r, NFT_FIELD_IP_SADDR, 0xfffffff0, NFT_TEST_EQ, i << 4);
	nft_ends(&m->mk, &r, NFT_FATE_ACCEPT);
	put_into(m, r);
}

static void put_ranging(struct making *m, size_t i)
{
	struct nft_rule r = { 0 };

	nft_push_match(&m->mk, &r, (struct nft_match){ .field = NFT_FIELD_IP_SADDR, .test = NFT_TEST_WITHIN, .lo = i << 4, .hi = (i << 4) + 5 });
	nft_ends(&m->mk, &r, NFT_FATE_ACCEPT);
	put_into(m, r);
}

/* --- sets of one rule ------------------------------------------------------------------------------ */

enum form { FORM_VALUES, FORM_RANGES, FORM_CONCAT };

static void put_leads(struct making *m, struct nft_lead *to, size_t count, enum nft_leads leads)
{
	for (size_t i = 0; i < count; i++)
		to[i] = leads == NFT_LEADS_TO_COUNTER ? (struct nft_lead){ .name = nft_counter_at(&m->mk, numbered(m, "P.r", i)) }
						      : (struct nft_lead){ NFT_FATE_GOTO, m->into->name };
}

static void put_set(struct making *m, enum form form, enum nft_leads leads, size_t count)
{
	struct nft_expr e = { .kind = NFT_EXPR_LOOK };
	struct nft_set *s = nft_map_new(&m->mk, leads);
	struct nft_lead *to = arena_zero(m->mk.arena, count * sizeof *to);
	struct addr_range *ranges = arena_zero(m->mk.arena, count * sizeof *ranges);
	uint32_t *keys = arena_zero(m->mk.arena, 3 * count * sizeof *keys);
	struct nft_rule r = { 0 };

	e.look.count = form == FORM_CONCAT ? 3 : 1;
	e.look.keys = arena_zero(m->mk.arena, 3 * sizeof *e.look.keys);
	e.look.keys[0].field = NFT_FIELD_IP_SADDR;
	e.look.keys[1].field = NFT_FIELD_IP_DADDR;
	e.look.keys[2].field = NFT_FIELD_DPORT;
	e.look.map = s;
	s->type = NFT_TYPE_ADDR4;
	for (unsigned p = 0; p < e.look.count; p++)
		s->part_types[p] = nft_fields[e.look.keys[p].field].type;
	put_leads(m, to, count, leads);
	for (size_t i = 0; i < count; i++) {
		const addr_num at = (i * UINT64_C(2654435761) & 0xffffffff) >> 8;

		ranges[i] = form == FORM_RANGES ? (struct addr_range){ i << 6, (i << 6) + 9 } : (struct addr_range){ at, at };
		keys[3 * i] = (uint32_t)at;
		keys[3 * i + 1] = (uint32_t)i;
		keys[3 * i + 2] = i & 0xffff;
	}
	s->interval = form == FORM_RANGES;
	s->ranges = ranges;
	s->keys = keys;
	s->count = count;
	s->part_count = form == FORM_CONCAT ? 3 : 0;
	s->to = to;
	nft_push(&m->mk, &r, e);
	nft_ends(&m->mk, &r, NFT_FATE_ACCEPT);
	nft_put_rule(&m->mk, nft_chain_new(&m->mk, numbered(m, "maps", m->table.chains.len), NULL), r, NULL);
}

static void put_map(struct making *m, size_t i)
{
	if (!(i % PER_MAP))
		put_set(m, FORM_VALUES, NFT_LEADS_TO_COUNTER, PER_MAP);
}

static void put_range_map(struct making *m, size_t i)
{
	if (!(i % PER_MAP))
		put_set(m, FORM_RANGES, NFT_LEADS_TO_COUNTER, PER_MAP);
}

/* --- what is measured ------------------------------------------------------------------------------- */

static const struct kind {
	const char *name;
	void (*put)(struct making *m, size_t i);
	enum form form; /* of one set of all, without put */
	enum nft_leads leads;
} kinds[] = {
	{ "a counter", put_counter, 0, 0 },
	{ "a chain, empty", put_chain, 0, 0 },
	{ "a rule: accept", put_rule, 0, 0 },
	{ "a rule: counter (and the counter), accept", put_counting, 0, 0 },
	{ "a rule: load, compare, accept", put_asking, 0, 0 },
	{ "a rule: load, mask, compare, accept", put_masking, 0, 0 },
	{ "a rule: load, range, accept", put_ranging, 0, 0 },
	{ "an address that leads to a chain", NULL, FORM_VALUES, NFT_LEADS_TO_FATE },
	{ "an address and its counter", NULL, FORM_VALUES, NFT_LEADS_TO_COUNTER },
	{ "two addresses and a port, and their counter", NULL, FORM_CONCAT, NFT_LEADS_TO_COUNTER },
	{ "a range that leads to a chain", NULL, FORM_RANGES, NFT_LEADS_TO_FATE },
	{ "1/20 map of 20 addresses, its rule and chain", put_map, 0, 0 },
	{ "1/20 map of 20 ranges, its rule and chain", put_range_map, 0, 0 },
};

struct measured {
	struct batch few, many;
	double few_us, many_us; /* the least */
};

static void make(struct batch *out, const struct kind *k, size_t count)
{
	own(arena) struct arena *a = arena_new();
	struct making m;

	making_init(&m, a);
	for (size_t i = 0; k->put && i < count; i++)
		k->put(&m, i);
	if (!k->put)
		put_set(&m, k->form, k->leads, count);
	nft_encode(out, &m.table);
	batch_place(out, NFT_SAID_BANK);
}

static void load(struct filter *f, const struct batch *b, double *least_us)
{
	const double us = nft_load_ms(f, b) * 1e3;

	nft_unload("inet tegumentar");
	if (!*least_us || us < *least_us)
		*least_us = us;
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 7;
	const size_t many = argc > 2 ? (size_t)atol(argv[2]) : 10000, few = many / 4;
	struct measured at[ARRAY_LEN(kinds)] = { 0 };
	struct filter *f;
	struct err why;

	if (!live_may()) {
		printf("skipped: needs root\n");
		return 0;
	}
	floor_must(unshare(CLONE_NEWNET), "a network namespace");
	floor_must(filter_open(&f, &why), "a netlink socket");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		make(&at[i].few, &kinds[i], few);
		make(&at[i].many, &kinds[i], many);
	}
	for (unsigned r = 0; r < rounds; r++)
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			load(f, &at[i].few, &at[i].few_us);
			load(f, &at[i].many, &at[i].many_us);
		}
	printf("us to load, each of %zu\n", many);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		printf("  %-46s %6.2f\n", kinds[i].name, (at[i].many_us - at[i].few_us) / (double)(many - few));
		batch_release(&at[i].few);
		batch_release(&at[i].many);
	}
	filter_free(f);
	return 0;
}
