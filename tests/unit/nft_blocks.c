/* Sets of networks by length of prefix: the blocks are the set, they are few, and where they would be many there are none. */
#include <string.h>

#include "compiler/emit/nft/blocks.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

struct world {
	struct arena *arena;
	struct nft_table table;
	struct nft_maker mk;
	uint32_t next_id;
};

static void open_world(struct world *w, struct arena *a)
{
	*w = (struct world){ .arena = a, .table = { .arena = a } };
	w->mk = (struct nft_maker){ .arena = a, .table = &w->table, .next_id = &w->next_id };
	strmap_init(&w->mk.sets, a);
	strmap_init(&w->mk.blocks, a);
}

/* Networks of these lengths, in turn, none beside another. */
static struct netset networks(struct gen *g, struct arena *a, enum family f, const unsigned *lengths, size_t kinds, size_t count)
{
	const unsigned room = f == FAMILY_IP4 ? 12 : 84; /* bits of a step, in which each has its place */
	struct addr_range *at = arena_zero(a, count * sizeof *at);
	struct netset set = { 0 };

	for (size_t i = 0; i < count; i++) {
		const unsigned host = FAMILY_BITS(f) - lengths[i % kinds];
		const addr_num size = (addr_num)1 << host, lo = (addr_num)(2 * i + 2) << room;

		at[i].lo = lo + (host < room ? (addr_num)gen_below(g, 1u << (room - host < 20 ? room - host : 20)) << host : 0);
		at[i].hi = at[i].lo + size - 1;
	}
	set.at[f] = at;
	set.len[f] = count;
	return set;
}

/* As nft would: masked, by the elements of each set. */
static bool found(struct world *w, struct nft_blocks *b, enum family f, addr_num v)
{
	for (unsigned i = 0; i < b->count; i++) {
		const struct nft_set *s = nft_block_set_at(&w->mk, &b->at[i], f);
		const addr_num key = v >> (FAMILY_BITS(f) - b->at[i].bits) << (FAMILY_BITS(f) - b->at[i].bits);
		size_t from = 0, to = s->count;

		while (from < to) {
			const size_t half = from + (to - from) / 2;

			if (s->ranges[half].lo < key)
				from = half + 1;
			else
				to = half;
		}
		if (from < s->count && s->ranges[from].lo == key)
			return true;
	}
	return false;
}

static size_t elements(struct world *w, struct nft_blocks *b, enum family f)
{
	size_t n = 0;

	for (unsigned i = 0; i < b->count; i++)
		n += nft_block_set_at(&w->mk, &b->at[i], f)->count;
	return n;
}

/* At the ends of each network, and beside them. */
static bool is_the_set(struct world *w, struct nft_blocks *b, const struct netset *set, enum family f)
{
	for (size_t i = 0; i < set->len[f]; i++) {
		const struct addr_range r = set->at[f][i];
		const addr_num at[] = { r.lo - 1, r.lo, r.lo + (r.hi - r.lo) / 2, r.hi, r.hi + 1 };

		for (size_t k = 0; k < ARRAY_LEN(at); k++) {
			const bool want = netset_has(set, (struct addr){ f, at[k] });

			if (found(w, b, f, at[k]) != want) {
				tap_note("address %zu of network %zu is %sin the set", k, i, want ? "" : "not ");
				return false;
			}
		}
	}
	return true;
}

static const struct {
	enum family family;
	unsigned lengths[10];
	size_t kinds, count;
	unsigned blocks; /* 0: none are made */
	const char *claim;
} cases[] = {
	{ FAMILY_IP4, { 24 }, 1, 1000, 1, "networks of one length are one set" },
	{ FAMILY_IP4, { 24 }, 1, 300, 0, "few are left as they are" },
	{ FAMILY_IP4, { 32 }, 1, 1000, 0, "hosts are a set of their own kind" },
	{ FAMILY_IP4, { 24, 24, 24, 23 }, 4, 1000, 1, "a few networks of 23 bits are two of 24 each" },
	{ FAMILY_IP4, { 24, 32 }, 2, 1000, 2, "but none is 256 hosts" },
	{ FAMILY_IP4, { 21, 22, 23, 24, 24, 24, 28, 30, 32, 32 }, 10, 2000, 3, "ten kinds are three" },
	{ FAMILY_IP6, { 48, 64, 64, 64, 128 }, 5, 2000, 3, "IPv6" },
	{ FAMILY_IP6, { 44, 48, 52, 56, 60, 64, 80, 96, 112, 128 }, 10, 2000, 0, "more look-ups than intervals take are none" },
	{ FAMILY_IP6, { 44, 48, 56, 64, 64, 96, 112, 128 }, 8, 2000, 0, "nor are networks of 96 bits 2^32 hosts each, few though these are beside one of 44" },
};

static void cases_are_as_expected(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new((unsigned)i);
		const enum family f = cases[i].family;
		const struct netset set = networks(&g, a, f, cases[i].lengths, cases[i].kinds, cases[i].count);
		struct world w;

		open_world(&w, a);
		struct nft_blocks *b = nft_blocks_of(&w.mk, &set, f);
		tap_num(b ? b->count : 0, cases[i].blocks, cases[i].claim);
		if (!b)
			continue;
		tap_ok(is_the_set(&w, b, &set, f), "and hold what the set holds");
		tap_ok(elements(&w, b, f) * 2 <= 5 * set.len[f], "in %zu blocks of %zu networks", elements(&w, b, f), set.len[f]);
		tap_ok(nft_blocks_of(&w.mk, &set, f) == b && w.table.sets.len == b->count, "asked again, they are the same");
	}
}

/* Ranges are no prefixes: those to the ends of all addresses among them. */
static void ranges_become_networks(void)
{
	own(arena) struct arena *a = arena_new();
	struct addr_range *at = arena_zero(a, 1002 * sizeof *at);
	struct netset set = { .at = { at }, .len = { 1002 } };
	struct world w;

	open_world(&w, a);
	at[0] = (struct addr_range){ 0, 0xffffff };
	for (addr_num i = 0; i < 1000; i++)
		at[i + 1] = (struct addr_range){ 0x10000000 + i * 0x10000 + 7 * 256, 0x10000000 + i * 0x10000 + 10 * 256 - 1 };
	at[1001] = (struct addr_range){ 0xffffff00, 0xffffffff };
	struct nft_blocks *b = nft_blocks_of(&w.mk, &set, FAMILY_IP4);
	if (tap_ok(b, "ranges of three networks of 24 bits, and both ends"))
		tap_ok(is_the_set(&w, b, &set, FAMILY_IP4), "hold what the set holds, in %u sets", b->count);
}

int main(void)
{
	cases_are_as_expected();
	ranges_become_networks();
	return tap_done();
}
