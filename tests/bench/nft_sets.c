/*
 * What large sets of networks cost a packet in nftables: intervals, a hash for each length of prefix, and ours, a hash
 * for each of the few lengths that compiler/emit/nft_blocks.h rounds them up to.
 *
 *     nft_sets [ROUNDS [SIZE]]
 *
 * Networks are as long as those of lists of networks are: half are /24s, one of six a host. Every packet is a miss, or
 * every packet a hit, drawn evenly. Frames come as in tests/bench/nft_bulk; what the way costs without rules is
 * taken off.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include "compiler/emit/nft_blocks.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/tap.h"

#define BATCH 64u /* fewer than a veth queues */

struct bench {
	struct floor_run floor;
	unsigned rounds;
	double way_ns;
};

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

static void fill(struct bench *b, const struct netset *set, bool hits)
{
	struct floor_trace *t = b->floor.trace;
	const uint32_t zero = 0;
	struct gen g = gen_new(7);

	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		struct packet p = craft_packet(PROTO_UDP, "10.0.0.1", 1, "10.0.0.2", 2);
		uint8_t frame[128] = { 0 };

		p.src.num = any_source(&g, set, hits);
		floor_must(!frame_build(&p, NULL, 0, frame, sizeof frame), "frame");
		memcpy(t->records[i].words, frame, FLOOR_BYTES);
	}
	t->next = t->strange = 0;
	t->out = if_nametoindex("xeth0");
	floor_must(bpf_map_update_elem(b->floor.trace_map, &zero, t, BPF_ANY), "bench_trace");
}

static double run(const struct bench *b, uint32_t packets)
{
	static const uint8_t frame[FLOOR_BYTES + 16];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof frame, .repeat = (int)packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	floor_must(bpf_prog_test_run_opts(b->floor.feed, &opts), "BPF_PROG_TEST_RUN");
	return opts.duration;
}

static double least_ns(const struct bench *b)
{
	const double probe = run(b, FLOOR_RECORDS);
	unsigned traces = (unsigned)(3e8 / (probe * FLOOR_RECORDS)) + 1;
	double least = probe;

	for (unsigned i = 0; i < b->rounds; i++) {
		double ns = run(b, traces * FLOOR_RECORDS);
		least = ns < least ? ns : least;
	}
	return least;
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

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void measure(struct bench *b, const char *what, const struct buf *text, const struct netset *set)
{
	const double begun = now_ms();

	floor_must(!live_nft(buf_text(text)), "nft");
	const double load_ms = now_ms() - begun;
	fill(b, set, false);
	const double miss = least_ns(b) - b->way_ns;
	fill(b, set, true);
	printf("%8zu  %-10s %6.0f %6.0f  %7.0f\n", set->len[FAMILY_IP4], what, miss, least_ns(b) - b->way_ns, load_ms);
	fflush(stdout);
	floor_must(!live_nft("delete table ip peer\n"), "nft");
}

static int by_place(const void *x, const void *y)
{
	const struct prefix *a = x, *b = y;

	return a->addr.num != b->addr.num ? (a->addr.num < b->addr.num ? -1 : 1) : (int)a->len - (int)b->len;
}

/* Ascending, none within another. */
static size_t draw(struct prefix *p, size_t want)
{
	static const unsigned char lengths[] = { 16, 20, 22, 23, 24, 24, 24, 24, 24, 24, 24, 24, 24, 25, 26, 27, 28, 30, 32, 32, 32, 32 };
	struct gen g = gen_new(3);
	size_t n = 0;

	for (size_t i = 0; i < want; i++) {
		const unsigned char len = lengths[gen_below(&g, ARRAY_LEN(lengths))];

		p[i].len = want > 100000 && len < 20 ? 24 : len;
		p[i].addr = (struct addr){ FAMILY_IP4, (uint32_t)gen_u64(&g) & 0x7fffffffu & (uint32_t)(~UINT64_C(0) << (32 - p[i].len)) };
	}
	qsort(p, want, sizeof *p, by_place);
	for (size_t i = 0; i < want; i++)
		if (!n || prefix_range(p[i]).lo > prefix_range(p[n - 1]).hi)
			p[n++] = p[i];
	return n;
}

static struct netset set_of(struct arena *a, const struct prefix *p, size_t n)
{
	struct addr_range *at = arena_zero(a, (n + 1) * sizeof *at);
	struct netset set = { 0 };
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		const struct addr_range r = prefix_range(p[i]);

		if (len && at[len - 1].hi + 1 == r.lo)
			at[len - 1].hi = r.hi;
		else
			at[len++] = r;
	}
	set.at[FAMILY_IP4] = at;
	set.len[FAMILY_IP4] = len;
	return set;
}

static void measure_size(struct bench *b, size_t want)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf intervals = { 0 }, lengths = { 0 }, blocks = { 0 };
	struct prefix *p = arena_zero(a, want * sizeof *p);
	const size_t n = draw(p, want);
	const struct netset set = set_of(a, p, n);

	print_intervals(&intervals, p, n);
	measure(b, "intervals", &intervals, &set);
	print_lengths(&lengths, p, n);
	measure(b, "by length", &lengths, &set);
	print_blocks(&blocks, &set, a);
	measure(b, "ours", &blocks, &set);
}

int main(int argc, char **argv)
{
	struct bench b = { .rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 3 };
	const struct netset none = { 0 };
	const uint32_t zero = 0;

	if (!live_may()) {
		printf("skipped: needs root\n");
		return 0;
	}
	floor_must(unshare(CLONE_NEWNET), "a network namespace");
	floor_must(system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; "
			  "ip link add eth0 address 02:00:00:00:00:02 type veth peer name xeth0 && ip link set xeth0 up && "
			  "ip link set eth0 up && ethtool -K eth0 gro on"), "links");
	floor_open(&b.floor, argv[0]);
	int send = bpf_program__fd(bpf_object__find_program_by_name(b.floor.object, "send"));
	floor_must(bpf_map_update_elem(b.floor.next, &zero, &send, BPF_ANY), "bench_next");
	fill(&b, &none, false);
	floor_must(!live_nft("table ip behind { chain c { type filter hook prerouting priority -299; policy drop;\n}\n}\n"), "nft");
	b.way_ns = least_ns(&b);
	printf("                        ns a packet   nft -f\n  ranges             miss    hit       ms\n");
	for (size_t n = 1000; n <= 1000000; n *= 10)
		if (argc < 3 || (size_t)atol(argv[2]) == n)
			measure_size(&b, n);
	return 0;
}
