/*
 * What large sets of networks cost a packet in nftables: intervals, a hash for each length of prefix, and ours, a hash
 * for each of the few lengths that compiler/emit/nft/blocks.h rounds them up to.
 *
 *     nft_sets [ROUNDS [SIZE [FORM]]]
 *
 * Networks are as long as those of lists of networks are: half are /24s, one of six a host. Every packet is a miss, or
 * every packet a hit, drawn evenly, as tests/lib/nft_run.h sends them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/blocks.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/nft_run.h"
#include "tests/lib/some_nets.h"

/* --- packets ------------------------------------------------------------------------------------ */

/* Networks lie below 128.0.0.0. */
static addr_num any_source(struct gen *g, const struct netset *set, bool hit)
{
	struct addr a = { .family = FAMILY_IP4 };

	if (hit) {
		const struct addr_range r = set->at[FAMILY_IP4][gen_below(g, (unsigned)set->len[FAMILY_IP4])];

		return r.lo + gen_u64(g) % (r.hi - r.lo + 1);
	}
	do
		a.num = (uint32_t)gen_u64(g) & 0x7fffffffu;
	while (netset_has(set, a));
	return a.num;
}

struct drawing {
	struct gen g;
	const struct netset *set;
	bool hits;
};

static struct packet draw(void *cls)
{
	struct drawing *d = cls;
	struct packet p = craft_packet(PROTO_UDP, "10.0.0.1", 1, "10.0.0.2", 2);

	p.src.num = any_source(&d->g, d->set, d->hits);
	return p;
}

static void fill(struct nft_run *n, const struct netset *set, bool hits)
{
	nft_run_fill(n, draw, &(struct drawing){ gen_new(7), set, hits });
}

/* --- rulesets ------------------------------------------------------------------------------------------ */

#define CHAIN "chain c { type filter hook prerouting priority -300; policy drop;\n"

static void print_intervals(struct buf *b, const struct prefix *p, size_t n)
{
	char text[ADDR_TEXT];

	buf_puts(b, "table ip peer { set s { type ipv4_addr; flags interval; auto-merge; elements = {\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s/%u", i ? ",\n" : "", addr_print(p[i].addr, text), p[i].len);
	buf_puts(b, "}\n}\n" CHAIN "ip saddr @s drop\n}\n}\n");
}

static void print_mask(struct buf *b, unsigned bits)
{
	char text[ADDR_TEXT];

	buf_printf(b, "ip saddr & %s @s%u drop\n", addr_print((struct addr){ FAMILY_IP4, (uint32_t)(~UINT64_C(0) << (32 - bits)) }, text),
		   bits);
}

/* As a person would: a set for each length there is. */
static void print_lengths(struct buf *b, const struct prefix *p, size_t n)
{
	size_t count[33] = { 0 };
	char text[ADDR_TEXT];

	for (size_t i = 0; i < n; i++)
		count[p[i].len]++;
	buf_puts(b, "table ip peer {\n");
	for (unsigned l = 1; l <= 32; l++) {
		if (!count[l])
			continue;
		buf_printf(b, "set s%u { type ipv4_addr; size %zu; elements = { ", l, count[l] + 1);
		for (size_t i = 0, k = 0; i < n; i++)
			if (p[i].len == l)
				buf_printf(b, "%s%s", k++ ? ",\n" : "", addr_print(p[i].addr, text));
		buf_puts(b, "}\n}\n");
	}
	buf_puts(b, CHAIN);
	for (unsigned l = 32; l; l--)
		if (count[l])
			print_mask(b, l);
	buf_puts(b, "}\n}\n");
}

static void print_blocks(struct buf *b, const struct netset *set, struct arena *a)
{
	struct nft_table table = { .arena = a };
	uint32_t next_id = 0;
	struct nft_maker mk = { .arena = a, .table = &table, .next_id = &next_id };
	char text[ADDR_TEXT];

	strmap_init(&mk.sets, a);
	strmap_init(&mk.blocks, a);
	struct nft_blocks *blocks = nft_blocks_of(&mk, set, FAMILY_IP4);
	buf_puts(b, "table ip peer {\n");
	for (unsigned k = 0; blocks && k < blocks->count; k++) {
		const struct nft_set *s = nft_block_set_at(&mk, &blocks->at[k], FAMILY_IP4);

		buf_printf(b, "set s%u { type ipv4_addr; size %u; elements = { ", blocks->at[k].bits, s->most);
		for (size_t i = 0; i < s->count; i++)
			buf_printf(b, "%s%s", i ? ",\n" : "", addr_print((struct addr){ FAMILY_IP4, s->ranges[i].lo }, text));
		buf_puts(b, "}\n}\n");
	}
	buf_puts(b, CHAIN);
	for (unsigned k = 0; blocks && k < blocks->count; k++)
		print_mask(b, blocks->at[k].bits);
	buf_puts(b, "}\n}\n");
}

/* --- one size ------------------------------------------------------------------------------------------- */

static void measure(struct nft_run *n, const char *what, const struct buf *text, const struct netset *set)
{
	const double load_ms = nft_text_ms(text);

	fill(n, set, false);
	const double miss_ns = nft_run_ns(n);
	fill(n, set, true);
	printf("%8zu  %-10s %6.0f %6.0f  %7.0f\n", set->len[FAMILY_IP4], what, miss_ns, nft_run_ns(n), load_ms);
	fflush(stdout);
	nft_unload("ip peer");
}

static bool wanted(const char *only, const char *form)
{
	return !only || !strcmp(only, form);
}

static void measure_size(struct nft_run *run, size_t want, const char *only)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf intervals = { 0 }, lengths = { 0 }, blocks = { 0 };
	struct prefix *p = arena_zero(a, want * sizeof *p);
	const size_t n = some_nets(p, want);
	const struct netset set = some_nets_set(a, p, n);

	print_intervals(&intervals, p, n);
	if (wanted(only, "intervals"))
		measure(run, "intervals", &intervals, &set);
	print_lengths(&lengths, p, n);
	if (wanted(only, "lengths"))
		measure(run, "lengths", &lengths, &set);
	print_blocks(&blocks, &set, a);
	if (wanted(only, "ours"))
		measure(run, "ours", &blocks, &set);
}

int main(int argc, char **argv)
{
	struct nft_run run;

	if (!live_may()) {
		printf("skipped: needs root\n");
		return 0;
	}
	nft_run_open(&run, argv[0], argc > 1 ? (unsigned)atoi(argv[1]) : 3);
	printf("                        ns a packet   nft -f\n  ranges             miss    hit       ms\n");
	for (size_t n = 1000; n <= 1000000; n *= 10)
		if (argc < 3 || (size_t)atol(argv[2]) == n)
			measure_size(&run, n, argc > 3 ? argv[3] : NULL);
	nft_run_close(&run);
	return 0;
}
