/*
 * What a policy costs a packet in the first hook: the policy of a bundle
 * against a program that only reads the frame (bpf-templates/floor.bpf.c), on
 * the same packets, in one run.
 *
 *     path BUNDLE [ROUNDS [REPEAT]]
 *
 * Both stand behind the same feeder and one tail call. Their rounds alternate,
 * so that a disturbance hits both; thread CPU time of BPF_PROG_TEST_RUN over
 * REPEAT packets; minimum and median over the rounds. Each round begins with full
 * buckets and no blocks, and is so short that nobody is over a rate of 100. Compare the ratios: the
 * nanoseconds are this machine's. Each kind of packet is printed twice, for
 * people and as "bench NAME VALUE UNIT" for tests/bench/run; then what a load took; then the same in TC ("tc.NAME"),
 * against a floor of its own.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bpf-templates/floor.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "enforcer/hook/tables/tables.h"
#include "lang/base/file.h"
#include "lang/bundle/bundle.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

/* ---- packets ----------------------------------------------------------------------- */

static const char self4[] = "192.0.2.1", self6[] = "2001:db8:2::1";

static struct addr address(const char *text)
{
	struct addr a;

	floor_must(!addr_parse(text, &a), text);
	return a;
}

static struct packet tcp_to_web(enum family f, uint8_t flags, unsigned i)
{
	struct packet p = {
		.family = f, .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 57, .flags = flags,
		.sport = (uint16_t)(1024 + i * 7), .dport = 443,
		.src = address(f == FAMILY_IP4 ? "81.0.0.0" : "2a00:1450::"),
		.dst = address(f == FAMILY_IP4 ? self4 : self6),
	};

	/* Clients here and there: every one of 4096, in an order that no cache line helps. */
	addr_num client = i * 2654435761u % 4096;
	p.src.num += f == FAMILY_IP4 ? client * 2053 : client << 64;
	return p;
}

static struct packet data4(unsigned i) { return tcp_to_web(FAMILY_IP4, 0x10, i); }
static struct packet data6(unsigned i) { return tcp_to_web(FAMILY_IP6, 0x10, i); }
static struct packet syn4(unsigned i) { return tcp_to_web(FAMILY_IP4, 0x02, i); }
static struct packet syn6(unsigned i) { return tcp_to_web(FAMILY_IP6, 0x02, i); }

static struct packet bogon4(unsigned i)
{
	static const char *const nets[] = { "10.0.0.0", "192.168.0.0", "127.0.0.0", "169.254.0.0", "240.0.0.0" };
	struct packet p = tcp_to_web(FAMILY_IP4, 0x02, i);

	p.src = address(nets[i % ARRAY_LEN(nets)]);
	p.src.num += i * 2654435761u % 65536;
	return p;
}

/* What an edge sees on a quiet day: mostly data, some new flows, some name service, some noise. */
static struct packet mixed(unsigned i)
{
	unsigned kind = i * 2654435761u >> 8 & 15;
	struct packet p = kind & 1 ? data4(i) : data6(i);

	switch (kind) {
	case 0:
		return syn6(i);
	case 1:
		return syn4(i);
	case 2:
		p.proto = PROTO_UDP;
		p.sport = 53;
		return p;
	case 3:
		return bogon4(i);
	case 4:
		p.proto = PROTO_ICMPV6;
		p.icmp = 128 << 8;
		return p;
	}
	return p;
}

static const struct kind {
	const char *name;
	struct packet (*packet)(unsigned i);
	const char *about;
	bool strange; /* sources never seen before */
	bool blocks;  /* a thousand other sources are blocked */
	bool told;    /* each drop is told, as many as the ring holds: else sixteen of a round are */
	unsigned lengths; /* ten other networks of each of so many lengths are blocked */
} kinds[] = {
	{ "mixed", mixed, "2/3 data, new flows, name service, a bogon of 16, echo", false, false, false, 0 },
	{ "data4", data4, "TCP data to the web server, IPv4", false, false, false, 0 },
	{ "data6", data6, "the same, IPv6", false, false, false, 0 },
	{ "syn4", syn4, "new flows of 4096 clients, IPv4", false, false, false, 0 },
	{ "syn6", syn6, "the same, IPv6", false, false, false, 0 },
	{ "flood4", syn4, "new flows, every one of another client, IPv4", true, false, false, 0 },
	{ "bogon4", bogon4, "sources that cannot be, IPv4", false, false, false, 0 },
	{ "data4b", data4, "TCP data, IPv4, while a thousand others are blocked", false, true, false, 0 },
	{ "data4n1", data4, "TCP data, IPv4, while others' networks of one length are blocked", false, false, false, 1 },
	{ "data4n8", data4, "the same, networks of eight lengths", false, false, false, 8 },
	{ "data6n8", data6, "the same, IPv6", false, false, false, 8 },
	{ "told4", bogon4, "sources that cannot be, IPv4, each told", false, false, true, 0 },
};

static void fill(struct floor_trace *trace, const struct kind *k)
{
	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		uint8_t frame[128] = { 0 };
		struct packet p = k->packet(i);

		floor_must(!frame_build(&p, NULL, 0, frame, sizeof frame), "frame");
		memcpy(trace->records[i].words, frame, FLOOR_BYTES);
	}
	trace->next = 0;
	trace->strange = k->strange;
}

/* ---- programs ------------------------------------------------------------------------ */

struct bench {
	enum teg_hook hook;
	struct tables_spent spent; /* the least of all rounds */
	struct floor_run floor; /* the hook's */
	struct arena *arena;
	struct plan plan;
	struct xdp_run *policy; /* the round's */
};

static void open_bundle(struct bench *b, const char *path)
{
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *bundle = NULL;
	struct err why = { 0 };

	b->arena = arena_new();
	if (file_read(&bytes, path, BUNDLE_BYTES_MAX, &why) ||
	    bundle_open(&bundle, bytes.at, bytes.len, &why)) {
		fprintf(stderr, "path: %s\n", why.text);
		exit(1);
	}
	const struct bundle_member *m = bundle_find(bundle, "plan");
	if (!m || plan_decode(&b->plan, b->arena, m->bytes, m->len, &why)) {
		fprintf(stderr, "path: %s\n", why.text);
		exit(1);
	}
	printf("%s: %u boxes, %u rules, %u prefixes\n\n", b->plan.policy, b->plan.box_count, b->plan.rule_count,
	       b->plan.prefix_count);
}

static void least(double *of, double ms)
{
	*of = *of && *of < ms ? *of : ms;
}

static void block_networks(const struct bench *b, const struct kind *k)
{
	const struct addr other[] = { address("223.0.0.0"), address("2001:db8:ff00::") };
	struct prefix nets[160];
	size_t count = 0;

	for (unsigned i = 0; i < 10 * k->lengths; i++)
		for (unsigned f = 0; f < ARRAY_LEN(other); f++) {
			nets[count] = (struct prefix){ other[f], (f ? 48 : 16) + i / 10 };
			nets[count++].addr.num += (addr_num)(i % 10) << (f ? 80 : 16);
		}
	if (count)
		xdp_run_block_nets(b->policy, nets, count, UINT64_MAX);
}

static void note_load(struct bench *b)
{
	const struct tables_spent *took = xdp_run_spent(b->policy);

	least(&b->spent.make_ms, took->make_ms);
	least(&b->spent.open_ms, took->open_ms);
	least(&b->spent.load_ms, took->load_ms);
	least(&b->spent.fill_ms, took->fill_ms);
}

static void begin(struct bench *b, const struct kind *k)
{
	const struct addr self[] = { address(self4), address(self6) };
	struct err why = { 0 };

	xdp_run_free(b->policy);
	b->policy = NULL;
	if (xdp_run_new_in(&b->policy, b->hook, &b->plan, k->told ? XDP_RUN_GIVEN_CLOCK : XDP_RUN_REAL_CLOCK, &why)) {
		fprintf(stderr, "path: %s\n", why.text);
		exit(1);
	}
	note_load(b);
	xdp_run_self(b->policy, self, ARRAY_LEN(self));
	xdp_run_at(b->policy, 1, b->plan.initial, 0);
	for (addr_num i = 0; k->blocks && i < 1000; i++) {
		struct addr other = address("223.1.0.0");

		other.num += i;
		xdp_run_block(b->policy, other, UINT64_MAX);
	}
	block_networks(b, k);
}

static double dropped(const struct bench *b)
{
	unsigned drops = 0;

	for (unsigned i = 0; i < FLOOR_RECORDS; i++)
		drops += xdp_run_frame(b->policy, (const uint8_t *)b->floor.trace->records[i].words, FLOOR_BYTES) == XDP_DROP;
	return 100.0 * drops / FLOOR_RECORDS;
}

static int by_size(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

#define RING_HOLDS (TEG_EVENTS_BYTES / (sizeof(struct teg_event) + 8))

/* Returns what the policy costs a packet. */
static double compare(struct bench *b, const struct kind *k, unsigned rounds, unsigned repeat)
{
	double floor_ns[FLOOR_ROUNDS_MAX], policy_ns[FLOOR_ROUNDS_MAX];

	if (k->told && repeat > RING_HOLDS)
		repeat = RING_HOLDS;
	fill(b->floor.trace, k);
	begin(b, k);
	double drops = dropped(b);
	for (unsigned i = 0; i < rounds; i++) {
		begin(b, k);
		struct floor_times t = floor_compare(&b->floor, xdp_run_program(b->policy), 1, repeat);
		floor_ns[i] = t.floor_ns, policy_ns[i] = t.policy_ns;
	}
	qsort(floor_ns, rounds, sizeof *floor_ns, by_size);
	qsort(policy_ns, rounds, sizeof *policy_ns, by_size);

	struct floor_times t = { floor_ns[0], policy_ns[0], floor_ns[rounds / 2], policy_ns[rounds / 2] };
	const char *in = b->hook == TEG_HOOK_TC ? "tc." : "";
	printf("%s%-8s %6.1f ns %6.1f ns   x%.2f +%5.1f ns   median %6.1f %6.1f x%.2f   %3.0f %% dropped   %s\n", in, k->name,
	       t.floor_ns, t.policy_ns, t.policy_ns / t.floor_ns, t.policy_ns - t.floor_ns, t.floor_median_ns,
	       t.policy_median_ns, t.policy_median_ns / t.floor_median_ns, drops, k->about);
	printf("bench path.%s%s.floor %.1f ns\nbench path.%s%s.policy %.1f ns\nbench path.%s%s.ratio %.2f x\n", in, k->name,
	       t.floor_ns, in, k->name, t.policy_ns, in, k->name, t.policy_ns / t.floor_ns);
	fflush(stdout);
	return t.policy_ns;
}

/* The rate on new flows is all that SYNs meet beside what data does. */
static void tell_token(enum teg_hook hook, const double *policy_ns)
{
	const char *in = hook == TEG_HOOK_TC ? "tc." : "";
	double data = 0, known = 0, new = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		data += strcmp(kinds[i].name, "data4") ? 0 : policy_ns[i];
		known += strcmp(kinds[i].name, "syn4") ? 0 : policy_ns[i];
		new += strcmp(kinds[i].name, "flood4") ? 0 : policy_ns[i];
	}
	printf("a token: +%.1f ns for a source that is known, +%.1f ns when every source is new\n", known - data, new - data);
	printf("bench path.%stoken.known %.1f ns\nbench path.%stoken.new %.1f ns\n", in, known - data, in, new - data);
}

static void tell_load(const struct bench *b)
{
	const char *in = b->hook == TEG_HOOK_TC ? "tc." : "";
	const struct tables_spent *s = &b->spent;

	printf("a load, of processor time: tables made %.1f ms, object opened %.1f, program verified %.1f, tables filled %.1f\n", s->make_ms,
	       s->open_ms, s->load_ms, s->fill_ms);
	printf("bench path.%sload.make %.2f ms\nbench path.%sload.open %.2f ms\nbench path.%sload.verify %.2f ms\nbench path.%sload.fill %.2f ms\n",
	       in, s->make_ms, in, s->open_ms, in, s->load_ms, in, s->fill_ms);
}

static void compare_all(struct bench *b, enum teg_hook hook, const char *self, unsigned rounds, unsigned repeat)
{
	double policy_ns[ARRAY_LEN(kinds)];

	b->hook = hook;
	b->spent = (struct tables_spent){ 0 };
	floor_open_in(&b->floor, hook, self);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		policy_ns[i] = compare(b, &kinds[i], rounds, repeat);
	tell_token(hook, policy_ns);
	tell_load(b);
	floor_release(&b->floor);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 9, repeat = argc > 3 ? (unsigned)atoi(argv[3]) : 350000;
	struct bench b = { 0 };

	if (argc < 2 || rounds < 1 || rounds > FLOOR_ROUNDS_MAX || repeat < 10) {
		fprintf(stderr, "usage: path BUNDLE [ROUNDS [REPEAT]]\n");
		return 64;
	}
	open_bundle(&b, argv[1]);
	printf("%-8s  floor     policy\n", "");
	for (enum teg_hook hook = 0; hook < TEG_HOOKS; hook++)
		compare_all(&b, hook, argv[0], rounds, repeat);
	xdp_run_free(b.policy);
	arena_free(b.arena);
	return 0;
}
