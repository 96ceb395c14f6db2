/*
 * What long lists cost a packet in nftables: one rule a line, nft's best form where it can hold the
 * list, and ours; and what ours takes to make, to prove and to load.
 *
 *     nft_bulk [ROUNDS [SIZE [KIND]]]
 *
 * ClassBench's lists (tests/lib/classbench.h), three of four rules accept. Frames go through a veth to
 * inet prerouting, before connection tracking, and are dropped behind what is measured; the sender is
 * BPF_PROG_TEST_RUN with live frames, as in tests/bench/arrive.c, so the time of a call is all the work
 * there is. What the way costs without any rules is taken off. Whether each engine accepts as many packets
 * of the trace as the list does is looked at before.
 *
 * nft's best form is one map of intervals over all five fields, which takes no two keys that overlap: it
 * holds as many rules as can be taken in order without, and its packets are those of the rules it holds.
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

#include "compiler/audit/audit.h"
#include "compiler/audit/nft_said.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/proto.h"
#include "enforcer/nft/filter.h"
#include "tests/lib/classbench.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/tap.h"

#define BATCH 64u /* fewer than a veth queues */

struct bench {
	struct floor_run floor;
	struct filter *filter;
	unsigned rounds;
	double way_ns; /* of a frame through the veth, to be dropped */
};

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- packets ----------------------------------------------------------------------------------- */

static void fill(struct bench *b, const struct classbench_rule *rules, size_t count)
{
	struct floor_trace *t = b->floor.trace;
	const uint32_t zero = 0;
	struct gen g = gen_new(1);

	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		uint8_t frame[128] = { 0 };
		struct packet p = classbench_packet(&g, rules, count);

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

/* About a third of a second a round, in whole traces. */
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

/* --- rulesets -------------------------------------------------------------------------------------- */

static bool accepts(size_t rule)
{
	return rule % 4 != 3;
}

static unsigned wanted(const struct classbench_rule *rules, size_t count, const size_t *numbers, const struct classbench_rule *from,
		       size_t from_count)
{
	struct gen g = gen_new(1);
	unsigned n = 0;

	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		struct packet p = classbench_packet(&g, from, from_count);
		size_t first = 0;

		while (first < count && !classbench_has(&rules[first], &p))
			first++;
		n += first < count && accepts(numbers ? numbers[first] : first);
	}
	return n;
}

static unsigned passed(void)
{
	FILE *f = popen("nft list counter ip behind passed", "r");
	char word[64];
	unsigned n = 0;

	floor_must(!f, "nft");
	while (fscanf(f, "%63s", word) == 1)
		if (!strcmp(word, "packets") && fscanf(f, "%u", &n) != 1)
			n = 0;
	pclose(f);
	return n;
}

static void empty_behind(void)
{
	floor_must(!live_nft("table ip behind { }\ndelete table ip behind\n"
			     "table ip behind { counter passed { }\nchain c { type filter hook prerouting priority -299; policy drop;\n"
			     "counter name passed\n}\n}\n"), "nft");
}

static double measured(const struct bench *b, const char *what, unsigned want)
{
	empty_behind();
	run(b, FLOOR_RECORDS);
	const unsigned got = passed();
	if (got != want) {
		fprintf(stderr, "nft_bulk: %s accepts %u of %u packets, not %u\n", what, got, FLOOR_RECORDS, want);
		exit(1);
	}
	return least_ns(b) - b->way_ns;
}

static void put_prefix(struct buf *b, const char *field, struct prefix p)
{
	char text[ADDR_TEXT];

	if (p.len)
		buf_printf(b, "%s %s/%u ", field, addr_print(p.addr, text), p.len);
}

static void put_ports(struct buf *b, const char *field, struct range r)
{
	if (r.lo != 0 || r.hi != UINT16_MAX)
		buf_printf(b, "th %s %u-%u ", field, r.lo, r.hi);
}

static bool has_ports(const struct classbench_rule *r)
{
	return r->proto != PROTO_ANY_NUMBER && proto_has_ports(r->proto);
}

/* As a person writes it: each rule with a counter of its own. */
static void print_linear(struct buf *b, const struct classbench_rule *rules, size_t count)
{
	buf_puts(b, "table ip peer { chain c { type filter hook prerouting priority -300; policy drop;\n");
	for (size_t i = 0; i < count; i++) {
		put_prefix(b, "ip saddr", rules[i].src);
		put_prefix(b, "ip daddr", rules[i].dst);
		if (rules[i].proto != PROTO_ANY_NUMBER)
			buf_printf(b, "meta l4proto %u ", rules[i].proto);
		if (has_ports(&rules[i])) {
			put_ports(b, "sport", rules[i].sport);
			put_ports(b, "dport", rules[i].dport);
		}
		buf_printf(b, "counter %s\n", accepts(i) ? "accept" : "drop");
	}
	buf_puts(b, "}\n}\n");
}

static bool prefixes_meet(struct prefix x, struct prefix y)
{
	struct addr_range a = prefix_range(x), b = prefix_range(y);

	return a.lo <= b.hi && b.lo <= a.hi;
}

static bool rules_meet(const struct classbench_rule *x, const struct classbench_rule *y)
{
	if (!prefixes_meet(x->src, y->src) || !prefixes_meet(x->dst, y->dst))
		return false;
	if (x->proto != PROTO_ANY_NUMBER && y->proto != PROTO_ANY_NUMBER && x->proto != y->proto)
		return false;
	if (!has_ports(x) || !has_ports(y))
		return true;
	return x->sport.lo <= y->sport.hi && y->sport.lo <= x->sport.hi && x->dport.lo <= y->dport.hi && y->dport.lo <= x->dport.hi;
}

static void print_key(struct buf *b, const struct classbench_rule *r)
{
	const struct addr_range src = prefix_range(r->src), dst = prefix_range(r->dst);
	const bool ports = has_ports(r), any = r->proto == PROTO_ANY_NUMBER;
	char lo[ADDR_TEXT], hi[ADDR_TEXT];

	buf_printf(b, "%s-%s . ", addr_print((struct addr){ FAMILY_IP4, src.lo }, lo), addr_print((struct addr){ FAMILY_IP4, src.hi }, hi));
	buf_printf(b, "%s-%s . ", addr_print((struct addr){ FAMILY_IP4, dst.lo }, lo), addr_print((struct addr){ FAMILY_IP4, dst.hi }, hi));
	buf_printf(b, "%u-%u . %u-%u . %u-%u", any ? 0 : r->proto, any ? 255 : r->proto, ports ? r->sport.lo : 0,
		   ports ? r->sport.hi : UINT16_MAX, ports ? r->dport.lo : 0, ports ? r->dport.hi : UINT16_MAX);
}

/* Of the list, the rules that meet none before them among those. */
static size_t held_by_map(const struct classbench_rule *rules, size_t count, struct classbench_rule *held, size_t *numbers)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		if (!has_ports(&rules[i]) && rules[i].proto != PROTO_ANY_NUMBER)
			continue; /* the map asks ports of everything */
		while (k < n && !rules_meet(&rules[i], &held[k]))
			k++;
		if (k < n)
			continue;
		numbers[n] = i;
		held[n++] = rules[i];
	}
	return n;
}

static void print_map(struct buf *b, const struct classbench_rule *held, size_t count, const size_t *numbers)
{
	buf_puts(b, "table ip peer { map m { type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service : verdict;\n"
		    "flags interval; counter; elements = {\n");
	for (size_t i = 0; i < count; i++) {
		buf_puts(b, i ? ",\n" : "");
		print_key(b, &held[i]);
		buf_printf(b, " : %s", accepts(numbers[i]) ? "accept" : "drop");
	}
	buf_puts(b, "\n}\n}\nchain c { type filter hook prerouting priority -300; policy drop;\n"
		    "ip saddr . ip daddr . meta l4proto . th sport . th dport vmap @m\n}\n}\n");
}

/* --- one list ------------------------------------------------------------------------------------------ */

static double load_peer(const struct buf *text)
{
	const double begun = now_ms(CLOCK_MONOTONIC);

	floor_must(!live_nft(buf_text(text)), "nft");
	return now_ms(CLOCK_MONOTONIC) - begun;
}

static void unload(const char *table)
{
	own(buf) struct buf b = { 0 };

	buf_printf(&b, "delete table %s\n", table);
	floor_must(!live_nft(buf_text(&b)), "nft");
}

struct ours {
	double made_ms, proved_ms, load_ms, ns;
	size_t bytes;
};

static double send_ms(struct bench *b, const struct batch *batch)
{
	own(filter_change) struct filter_change c = { 0 };
	struct err why;
	double begun;

	filter_change_batch(&c, batch);
	begun = now_ms(CLOCK_THREAD_CPUTIME_ID);
	if (filter_commit_loose(b->filter, &c, &why)) {
		fprintf(stderr, "nft_bulk: %s\n", why.text);
		exit(1);
	}
	return now_ms(CLOCK_THREAD_CPUTIME_ID) - begun;
}

static double proved_ms(const struct ir *ir, struct batch *batch, struct arena *a)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	const double begun = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	struct err why;
	int rc = audit_layer4(p, ir_for_nft(ir, a), batch, &why);

	if (rc)
		fprintf(stderr, "nft_bulk: the proof: %s\n", why.text);
	return rc ? -1 : now_ms(CLOCK_PROCESS_CPUTIME_ID) - begun;
}

static struct ours measure_ours(struct bench *b, const struct classbench_rule *rules, size_t count, unsigned want)
{
	own(arena) struct arena *a = arena_new();
	struct ir *ir = classbench_posture(rules, count, a);
	struct emit_nft nft;
	struct plan plan = { 0 };
	struct ours o = { .load_ms = 1e9 };
	struct err why;
	double begun = now_ms(CLOCK_PROCESS_CPUTIME_ID);

	floor_must(emit_nft(&nft, &plan, ir, a, &why) ? -EINVAL : 0, why.text);
	o.made_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID) - begun;
	o.bytes = nft.posture.len;
	batch_place(&nft.posture, NFT_SAID_BANK);
	o.proved_ms = proved_ms(ir, &nft.posture, a);
	for (int i = 0; i < 3; i++) {
		const double ms = send_ms(b, &nft.posture);

		o.load_ms = ms < o.load_ms ? ms : o.load_ms;
		if (i < 2)
			unload("inet tegumentar");
	}
	floor_must(!live_nft("table inet tegumentar { chain b_hook { type filter hook prerouting priority -300; policy drop;\n"
			     "goto b_P_forward\n}\n}\n"), "nft");
	o.ns = measured(b, "our tree", want);
	unload("inet tegumentar");
	emit_nft_release(&nft);
	return o;
}

static struct classbench_rule *sized(const char *kind, size_t want, size_t *count, struct arena *a)
{
	struct classbench_rule *rules;
	size_t n = classbench_read(&rules, a, arena_printf(a, "%s1_%d", kind, want > 1000 ? 10000 : 1000));

	*count = n < want ? n : want;
	for (size_t i = 0; n > want && i < want; i++)
		rules[i] = rules[i * n / want];
	return n ? rules : NULL;
}

static bool measure(struct bench *b, const char *kind, size_t size)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf linear = { 0 }, map = { 0 };
	size_t count, held_count;
	struct classbench_rule *rules = sized(kind, size, &count, a);

	if (!rules)
		return false;
	struct classbench_rule *held = arena_zero(a, count * sizeof *held);
	size_t *numbers = arena_zero(a, count * sizeof *numbers);

	fill(b, rules, count);
	empty_behind();
	b->way_ns = least_ns(b);
	const unsigned want = wanted(rules, count, NULL, rules, count);
	const struct ours o = measure_ours(b, rules, count, want);

	print_linear(&linear, rules, count);
	const double linear_ms = load_peer(&linear), linear_ns = measured(b, "the linear list", want);
	unload("ip peer");

	held_count = held_by_map(rules, count, held, numbers);
	print_map(&map, held, held_count, numbers);
	fill(b, held, held_count);
	load_peer(&map);
	const double map_ns = measured(b, "nft's map", wanted(held, held_count, numbers, held, held_count));
	unload("ip peer");

	printf("%-3s %5zu  %6.0f  %8.0f x%-6.1f %6.0f x%-5.1f (%zu rules)  %5.0f  %6.0f  %6.0f  %6.0f  %7zu\n", kind, count, o.ns,
	       linear_ns, linear_ns / o.ns, map_ns, map_ns / o.ns, held_count, o.made_ms, o.proved_ms, o.load_ms, linear_ms,
	       o.bytes / 1024);
	fflush(stdout);
	return true;
}

static void begin(struct bench *b, const char *self)
{
	const uint32_t zero = 0;
	struct err why;

	floor_must(unshare(CLONE_NEWNET), "a network namespace");
	floor_must(system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; "
			  "ip link add eth0 address 02:00:00:00:00:02 type veth peer name xeth0 && ip link set xeth0 up && "
			  "ip link set eth0 up && ethtool -K eth0 gro on"), "links");
	floor_open(&b->floor, self);
	int send = bpf_program__fd(bpf_object__find_program_by_name(b->floor.object, "send"));
	floor_must(bpf_map_update_elem(b->floor.next, &zero, &send, BPF_ANY), "bench_next");
	floor_must(filter_open(&b->filter, &why), "a netlink socket");
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "acl", "fw", "ipc" };
	static const size_t sizes[] = { 10, 100, 1000, 10000 };
	const size_t only = argc > 2 ? (size_t)atol(argv[2]) : 0;
	struct bench b = { .rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 3 };

	if (!live_may()) {
		printf("skipped: needs root\n");
		return 0;
	}
	begin(&b, argv[0]);
	printf("              ns a packet, beyond the way to the hook                     ms\n"
	       "    rules    ours    linear           nft's map                       made  proved  loaded  nft -f  KiB sent\n");
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if ((!only || only == sizes[s]) && (argc < 4 || !strcmp(argv[3], kinds[k])) && !measure(&b, kinds[k], sizes[s])) {
				printf("skipped: ../shared/data/rulesets/classbench is not here\n");
				return 0;
			}
	filter_free(b.filter);
	floor_release(&b.floor);
	return 0;
}
