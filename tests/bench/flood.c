/*
 * What a limit per source costs a packet, and what becomes of clients beside a
 * flood of sources that nobody has seen before.
 *
 *     flood [ROUNDS]
 *
 * One reflex: SYNs over ten a second from a source. First ns a packet on one CPU and
 * on two at once that share its tables, beside a program that only reads the frame: of
 * 4096 known clients, of new ones for whom there is room, of new ones when all places
 * are taken. Then a thousand clients send two SYNs a second each from one CPU, while
 * the other floods as fast as it can.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/plan.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define SECOND 1000000000ull
#define CPUS 2
#define CLIENTS 1000
#define FLOOD_SECONDS 4
#define ATTACK_REPEAT 500000u
#define PLACES TEG_BUCKET_PLACES

static struct plan_counter counters[] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "reflex.syn" } };
static struct teg_box boxes[] = {
	{ .zones = ~0ull, .dport_hi = 65535, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_TCP, .families = 3,
	  .fragments = TEG_WHOLE | TEG_FIRST, .flags_mask = 0x02, .flags_want = 0x02 },
};
static struct teg_rule rules[] = {
	{ .counter_slot = 2, .act = TEG_ACT_DROP, .cost_ns = SECOND / 10, .depth_ns = SECOND, .key_bits4 = 32,
	  .key_bits6 = 64, .one_in = 1 },
};
static const struct plan plan = {
	.policy = "flood", .counters = counters, .counter_count = ARRAY_LEN(counters), .posture_count = 1,
	.boxes = boxes, .box_count = ARRAY_LEN(boxes), .rules = rules, .rule_count = ARRAY_LEN(rules),
	.config = { .abi = TEG_ABI_VERSION, .asks = TEG_ASKS_CLOCK, .box_count = ARRAY_LEN(boxes),
		    .rule_count = ARRAY_LEN(rules), .neighbour_slot = 0, .blocked_slot = 1 },
};

static size_t syn(uint8_t *frame, size_t room, uint32_t from)
{
	struct packet p = { .family = FAMILY_IP4, .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 60,
			    .sport = (uint16_t)(1024 + from % 60000), .dport = 443, .flags = 0x02 };

	floor_must(!addr_parse("0.0.0.0", &p.src) || !addr_parse("192.0.2.1", &p.dst), "address");
	p.src.num += from;
	return frame_build(&p, NULL, 0, frame, room);
}

static void fill(struct floor_trace *trace, uint32_t base, uint32_t among, bool strange)
{
	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		uint8_t frame[128] = { 0 };

		floor_must(!syn(frame, sizeof frame, base + i * 2654435761u % among * 2053), "frame");
		memcpy(trace->records[i].words, frame, FLOOR_BYTES);
	}
	trace->next = 0;
	trace->strange = strange;
}

static struct xdp_run *policy(void)
{
	struct xdp_run *x = NULL;
	struct err why = { 0 };

	if (xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why)) {
		fprintf(stderr, "flood: %s\n", why.text);
		exit(1);
	}
	xdp_run_at(x, 1, 0, 0);
	return x;
}

/* ---- what it costs ---------------------------------------------------------------------- */

static const struct kind {
	const char *name, *about;
	uint32_t among;
	bool strange, full;
	unsigned repeat;
} kinds[] = {
	{ "known", "4096 known clients", 4096, false, false, 200000 },
	{ "new", "new sources, for whom there is room", 8192, true, false, 40000 },
	{ "crowded", "new sources, when all places are taken", 8192, true, true, 200000 },
};

struct worker {
	const char *self;
	struct xdp_run *x;
	const struct kind *kind;
	pthread_barrier_t *start;
	unsigned cpu;
	struct floor_times t;
};

static void stay(unsigned cpu)
{
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(cpu, &mine);
	floor_must(sched_setaffinity(0, sizeof mine, &mine), "sched_setaffinity");
}

static void *measure(void *arg)
{
	struct worker *w = arg;
	struct floor_run f = { 0 };

	stay(w->cpu);
	floor_open(&f, w->self);
	fill(f.trace, w->cpu << 30, w->kind->among, w->kind->strange);
	pthread_barrier_wait(w->start);
	w->t = floor_compare(&f, xdp_run_program(w->x), 1, w->kind->repeat);
	floor_release(&f);
	return NULL;
}

static void take_all(struct xdp_run *x)
{
	uint8_t frame[128];

	for (uint32_t i = 0; i < 6 * PLACES; i++)
		xdp_run_frame(x, frame, syn(frame, sizeof frame, 200u << 24 | i));
}

static void compare(const char *self, const struct kind *k, unsigned cpus, unsigned rounds)
{
	double floor_ns = 1e9, policy_ns = 1e9;

	for (unsigned round = 0; round < rounds; round++) {
		own(xdp_run) struct xdp_run *x = policy();
		struct worker w[CPUS];
		pthread_t threads[CPUS];
		pthread_barrier_t start;

		if (k->full)
			take_all(x);
		floor_must(pthread_barrier_init(&start, NULL, cpus), "barrier");
		for (unsigned i = 0; i < cpus; i++) {
			w[i] = (struct worker){ .self = self, .x = x, .kind = k, .start = &start, .cpu = i };
			floor_must(pthread_create(&threads[i], NULL, measure, &w[i]), "thread");
		}
		for (unsigned i = 0; i < cpus; i++) {
			pthread_join(threads[i], NULL);
			floor_ns = w[i].t.floor_ns < floor_ns ? w[i].t.floor_ns : floor_ns;
			policy_ns = w[i].t.policy_ns < policy_ns ? w[i].t.policy_ns : policy_ns;
		}
		pthread_barrier_destroy(&start);
	}
	printf("%-8s %u CPU%s  floor %5.1f ns, with the limit %6.1f ns: +%5.1f ns   %s\n", k->name, cpus,
	       cpus > 1 ? "s" : " ", floor_ns, policy_ns, policy_ns - floor_ns, k->about);
	fflush(stdout);
}

/* ---- clients beside it ------------------------------------------------------------------ */

struct attack {
	const char *self;
	struct xdp_run *x;
	atomic_bool over;
};

static void *attack(void *arg)
{
	struct attack *a = arg;
	struct floor_run f = { 0 };

	stay(0);
	floor_open(&f, a->self);
	fill(f.trace, 11u << 24, 1u << 20, true);
	while (!a->over) {
		floor_compare(&f, xdp_run_program(a->x), 1, ATTACK_REPEAT);
		f.trace->next += 3 * ATTACK_REPEAT;
	}
	floor_release(&f);
	return NULL;
}

static unsigned clients(struct xdp_run *x)
{
	unsigned passed = 0;
	uint8_t frame[128];

	for (uint32_t i = 0; i < CLIENTS; i++)
		passed += xdp_run_frame(x, frame, syn(frame, sizeof frame, (81u << 24) + i * 65539)) == 2;
	return passed;
}

static void beside(const char *self)
{
	own(xdp_run) struct xdp_run *x = policy();
	struct attack a = { .self = self, .x = x };
	pthread_t thread;
	unsigned passed = 0;

	stay(1);
	clients(x);
	floor_must(pthread_create(&thread, NULL, attack, &a), "thread");
	for (unsigned half = 0; half < 2 * FLOOD_SECONDS; half++) {
		usleep(500000);
		passed += clients(x);
	}
	a.over = true;
	pthread_join(thread, NULL);
	uint64_t dropped = xdp_run_counter(x, 2).packets;
	uint64_t seen = xdp_run_cause(x, CAUSE_NONE).packets - (2 * FLOOD_SECONDS + 1) * CLIENTS;
	printf("beside a flood of %.2f million a second, each from another source: %u of %u packets of %u clients pass, "
	       "%.1f %% of the flood is dropped\n", (double)seen / FLOOD_SECONDS / 1e6, passed,
	       2 * FLOOD_SECONDS * CLIENTS, CLIENTS, 100.0 * (double)dropped / (double)seen);
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 7;

	if (rounds < 1) {
		fprintf(stderr, "usage: flood [ROUNDS]\n");
		return 64;
	}
	for (unsigned cpus = 1; cpus <= CPUS; cpus++)
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			compare(argv[0], &kinds[i], cpus, rounds);
	beside(argv[0]);
	return 0;
}
