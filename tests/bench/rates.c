/*
 * What each form of a rate costs a packet, and an event.
 *
 *     rates [ROUNDS [NAME]]
 *
 * One reflex, which every packet meets. Beside it the same policy whose reflex is silent: the same
 * packets, read and matched alike, and no token taken, or nothing told. Both stand in turn behind the
 * feeder of floor_run.h; least of all rounds. The ratios are to the program that only reads the frame.
 *
 *     known     packets of 4096 clients who have buckets
 *     new       every packet of another source, when all near places are taken and there is room far: lines that no cache holds
 *     reused    the same in far places of others whose time is over
 *     crowded   the same when all places are taken: the sketch
 *     flood     the same from an empty table on, two million: the mean, of first few with room and then all without
 *     beside    the 4096 clients when all places are taken, each with a bucket of its own
 *
 * Behind these stands how many of all packets found no place.
 *
 * In the same rounds, before the same packets, stand token buckets as others write them, and clocks
 * (bpf-templates/limits.bpf.c). What those add is to the program that only reads the frame.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "enforcer/hook/shared.h"
#include "lang/bundle/plan.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define SECOND 1000000000ull
#define CLIENTS 4096u
#define PACKETS 60000u /* so few that often nothing comes between */
#define TURNS 2	      /* of a round */
#define NEW_PACKETS 60000u /* nearly all find room */
#define FLOOD_PACKETS 2000000u
#define EVENT_PACKETS 4000000u /* some ticks long */
#define FILLING_PACKETS 1500000u
#define TICK_US 100000 /* of events, as the warden has it */

enum fills { FILLS_NOT, FILLS_NEAR, FILLS_BEFORE, FILLS_AFTER /* the clients have come */, FILLS_OVER /* and their time is over */ };

#define PEERS 6u
#define PEERS_LIMITS 3u
static const struct peer {
	const char *name, *about;
} peers[PEERS] = { /* limits first */
	{ "lru", "in the kernel's LRU map, by the fine clock" },
	{ "lru_ticks", "the same by ticks" },
	{ "table", "a table of one CPU, who comes displaces, by ticks" },
	{ "fine", "no bucket, the fine clock read" },
	{ "coarse", "the coarse clock read" },
	{ "ticks", "the kernel's ticks read" },
};

static const struct form {
	const char *name, *about;
	struct teg_rule rate;
	enum family family;
	bool strange;
	enum fills fills;
	unsigned peers; /* so many stand beside it */
	unsigned packets; /* all at once, each of another source; 0: PACKETS, in TURNS */
	bool flood;
} forms[] = {
#define RATE(of, bits4, cost, a)                                                                          \
	{ .act = TEG_ACT_DROP, .one_in = 1, .key = TEG_KEY_##of, .key_bits4 = bits4, .key_bits6 = 64,      \
	  .cost_ns = cost, .bytes = a, .depth_ns = SECOND }
#define SLOW RATE(SOURCE, 32, SECOND / 10, 0)
	{ "source", "a source", RATE(SOURCE, 32, 1, 0), FAMILY_IP4, false, FILLS_NOT, PEERS, 0, false },
	{ "source6", "a source, IPv6", RATE(SOURCE, 32, 1, 0), FAMILY_IP6, false, FILLS_NOT, 0, 0, false },
	{ "prefix", "a /24", RATE(SOURCE, 24, 1, 0), FAMILY_IP4, false, FILLS_NOT, 0, 0, false },
	{ "destination", "a destination", RATE(DESTINATION, 32, 1, 0), FAMILY_IP4, false, FILLS_NOT, 0, 0, false },
	{ "flow", "a flow", RATE(FLOW, 32, 1, 0), FAMILY_IP4, false, FILLS_NOT, 0, 0, false },
	{ "flow6", "a flow, IPv6", RATE(FLOW, 32, 1, 0), FAMILY_IP6, false, FILLS_NOT, 0, 0, false },
	{ "all", "all together", RATE(ALL, 32, 1, 0), FAMILY_IP4, false, FILLS_NOT, 0, 0, false },
	{ "bytes", "a source, by bytes", RATE(SOURCE, 32, SECOND, SECOND), FAMILY_IP4, false, FILLS_NOT, 0, 0, false },
	{ "all-bytes", "all together, by bytes", RATE(ALL, 32, SECOND, SECOND), FAMILY_IP4, false,
	  FILLS_NOT, 0, 0, false },
	{ "new", "a source, every one new, room far", SLOW, FAMILY_IP4, true, FILLS_NEAR, PEERS_LIMITS, NEW_PACKETS, false },
	{ "reused", "the same, in far places that were others'", SLOW, FAMILY_IP4, true, FILLS_OVER, 0, NEW_PACKETS, false },
	{ "crowded", "the same, all places taken", SLOW, FAMILY_IP4, true, FILLS_BEFORE, PEERS_LIMITS, 0, false },
	{ "flood", "the same, two million from an empty table", SLOW, FAMILY_IP4, true, FILLS_NOT, PEERS_LIMITS, FLOOD_PACKETS, true },
	{ "beside", "a source, all places taken", SLOW, FAMILY_IP4, false, FILLS_AFTER, 0, 0, false },
#undef SLOW
#undef RATE
};

static char limits_path[4096];

static struct plan_counter counters[] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "reflex.rate" } };
static struct teg_box box = {
	.zones = ~0ull, .dport_hi = 65535, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_TCP, .families = 3,
	.fragments = TEG_WHOLE | TEG_FIRST, .flags_mask = 0x02, .flags_want = 0x02,
};

static struct xdp_run *policy(struct teg_rule rule, bool silent)
{
	struct plan plan = {
		.policy = "rates", .counters = counters, .counter_count = ARRAY_LEN(counters), .posture_count = 1,
		.boxes = &box, .box_count = 1, .rules = &rule, .rule_count = 1,
		.config = { .abi = TEG_ABI_VERSION, .asks = rule.cost_ns ? TEG_ASKS_CLOCK : 0, .box_count = 1, .rule_count = 1,
			    .neighbour_slot = 0, .blocked_slot = 1 },
	};
	struct xdp_run *x = NULL;
	struct err why = { 0 };

	rule.counter_slot = 2;
	rule.except = silent ? ~0ull : 0;
	if (xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why)) {
		fprintf(stderr, "rates: %s\n", why.text);
		exit(1);
	}
	xdp_run_at(x, 1, 0, 0);
	return x;
}

static void fill(struct floor_trace *trace, enum family family, bool strange)
{
	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		struct packet p = { .family = family, .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 60,
				    .dport = 443, .flags = 0x02 };
		const addr_num client = i * 2654435761u % CLIENTS;
		uint8_t frame[128] = { 0 };

		p.sport = (uint16_t)(1024 + client);
		floor_must(!addr_parse(family == FAMILY_IP4 ? "81.0.0.0" : "2a00:1450::", &p.src) ||
			   !addr_parse(family == FAMILY_IP4 ? "192.0.0.0" : "2001:db8:2::", &p.dst), "address");
		p.src.num += family == FAMILY_IP4 ? client * 2053 : client << 64;
		p.dst.num += client * 5;
		if (strange) /* of a turn of the trace none comes twice */
			p.src.num += (addr_num)i << 11;
		floor_must(!frame_build(&p, NULL, 0, frame, sizeof frame), "frame");
		memcpy(trace->records[i].words, frame, FLOOR_BYTES);
	}
	trace->next = 0;
	trace->strange = strange;
}

/* The least of two measurements. */
static void least(struct floor_times *t, struct floor_times u)
{
	t->floor_ns = u.floor_ns < t->floor_ns ? u.floor_ns : t->floor_ns;
	t->policy_ns = u.policy_ns < t->policy_ns ? u.policy_ns : t->policy_ns;
}

static void say(const char *name, struct floor_times with, struct floor_times without, const char *about)
{
	const double floor_ns = with.floor_ns < without.floor_ns ? with.floor_ns : without.floor_ns;

	printf("%-12s %6.1f ns %6.1f ns x%.2f %6.1f ns x%.2f  +%5.1f ns   %s\n", name, floor_ns, without.policy_ns,
	       without.policy_ns / floor_ns, with.policy_ns, with.policy_ns / floor_ns, with.policy_ns - without.policy_ns, about);
	printf("bench rates.%s %.1f ns\n", name, with.policy_ns - without.policy_ns);
	fflush(stdout);
}

/* ---- rates ------------------------------------------------------------------------------ */

static void take_all(struct floor_run *f, int program, const struct form *form)
{
	fill(f->trace, form->family, true);
	floor_compare(f, program, 1, FILLING_PACKETS);
}

static void age_one(struct teg_bucket *b, unsigned more)
{
	const uint64_t until = (b->who - 100 - more % 64) & ((1u << TEG_BUCKET_UNTIL) - 1);

	if (b->who)
		b->who = b->who >> TEG_BUCKET_UNTIL << TEG_BUCKET_UNTIL | until;
	b->empty_ns -= 300 * SECOND;
}

static struct teg_buckets *buckets_map(const struct xdp_run *x)
{
	struct teg_buckets *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, xdp_run_shared(x)->buckets, 0);

	floor_must(b == MAP_FAILED ? -1 : 0, "buckets");
	return b;
}

/* As though nobody had come for some minutes but to near places. */
static void age(const struct xdp_run *x)
{
	struct teg_buckets *b = buckets_map(x);

	for (unsigned i = 0; i < TEG_FAR_ROWS; i++)
		b->row[i].visit &= UINT32_MAX;
	for (unsigned i = 0; i < TEG_FAR_ROWS * TEG_FAR_ROW; i++)
		age_one(&b->far[i], i);
	munmap(b, sizeof *b);
}

/* All near places are of sources that never come, for a minute at least. */
static void take_near(const struct xdp_run *x)
{
	struct teg_buckets *b = buckets_map(x);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	const uint64_t unit = (uint64_t)now.tv_sec * SECOND >> TEG_BUCKET_UNIT, until = unit + 2 * TEG_GATE_AHEAD;

	for (unsigned i = 0; i < TEG_NEAR_SETS; i++) {
		b->gate[i] = unit + TEG_GATE_AHEAD;
		for (unsigned k = 0; k < TEG_BUCKET_WAYS; k++) {
			const uint64_t who = (uint64_t)(k + 1) << (64 - TEG_GATE_BITS) | (uint64_t)(i + 1) << TEG_BUCKET_UNTIL;

			b->near[i][k] = (struct teg_bucket){ who | (until & ((1u << TEG_BUCKET_UNTIL) - 1)), (uint64_t)now.tv_sec * SECOND };
			b->gate[i] |= who >> (64 - TEG_GATE_BITS) << (TEG_BUCKET_UNTIL + k * TEG_GATE_BITS);
		}
	}
	munmap(b, sizeof *b);
}

/* What has been measured in this trace is not measured again: a new source is new. */
static void turn(struct floor_run *f, int program, struct floor_times *t)
{
	least(t, floor_compare(f, program, 1, PACKETS));
	f->trace->next += 3 * PACKETS;
}

/* The mean of all packets, the first ones too. */
static void flood(struct floor_run *f, int program, struct floor_times *t)
{
	floor_put_trace(f);
	const double floor_ns = floor_mean(f, f->floor, FLOOD_PACKETS);
	least(t, (struct floor_times){ floor_ns, floor_mean(f, program, FLOOD_PACKETS), 0, 0 });
}

static void measure(struct floor_run *f, int program, const struct form *form, struct floor_times *t)
{
	fill(f->trace, form->family, form->strange);
	if (form->flood)
		flood(f, program, t);
	else if (form->packets)
		least(t, floor_compare(f, program, 1, form->packets));
	else
		for (unsigned j = 0; j < TURNS; j++)
			turn(f, program, t);
}

/* BUILD/bpf/limits.bpf.o, its tables empty. */
static struct bpf_object *limits(void)
{
	struct bpf_object *o = bpf_object__open_file(limits_path, NULL);
	struct timespec tick = { 0 };

	floor_must(o ? 0 : -errno, limits_path);
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	const uint64_t ticks[] = { (uint64_t)tick.tv_nsec, (uint64_t)tick.tv_nsec / 1000 }; /* a million tokens a second */
	floor_must(bpf_map__set_initial_value(bpf_object__find_map_by_name(o, ".rodata"), ticks, sizeof ticks), ".rodata");
	floor_must(bpf_object__load(o), limits_path);
	return o;
}

/* The same packets as those of the policy, and the same done before. */
static void beside(struct floor_run *f, const struct form *form, struct floor_times t[])
{
	struct bpf_object *o;

	for (unsigned i = 0; i < form->peers; i++) {
		o = limits();
		const int program = bpf_program__fd(bpf_object__find_program_by_name(o, peers[i].name));

		if (form->fills > FILLS_NEAR)
			take_all(f, program, form);
		measure(f, program, form, &t[i]);
		bpf_object__close(o);
	}
}

static void say_beside(const struct form *form, const struct floor_times t[])
{
	for (unsigned i = 0; i < form->peers; i++) {
		printf("  %-10s %6.1f ns %15s %6.1f ns x%.2f  +%5.1f ns   %s\n", peers[i].name, t[i].floor_ns, "", t[i].policy_ns,
		       t[i].policy_ns / t[i].floor_ns, t[i].policy_ns - t[i].floor_ns, peers[i].about);
		printf("bench rates.%s.%s %.1f ns\n", form->name, peers[i].name, t[i].policy_ns - t[i].floor_ns);
	}
	fflush(stdout);
}

/* Packets of a round, a tenth more where floor_compare() begins with some. */
static unsigned sent(const struct form *form)
{
	const unsigned measured = form->packets ? form->packets : TURNS * PACKETS;

	return form->flood ? measured : measured + measured / 10;
}

/* What was there before. */
static void prepare(struct floor_run *f, struct xdp_run *x, const struct form *form)
{
	struct err why = { 0 };

	floor_must(shared_forget(xdp_run_shared(x), &why), "buckets");
	fill(f->trace, form->family, form->strange);
	if (form->fills == FILLS_AFTER)
		floor_compare(f, xdp_run_program(x), 1, 2 * CLIENTS);
	if (form->fills > FILLS_NEAR)
		take_all(f, xdp_run_program(x), form);
	if (form->fills == FILLS_NEAR)
		take_near(x);
	if (form->fills == FILLS_OVER)
		age(x);
}

static void rate(struct floor_run *f, const struct form *form, unsigned rounds)
{
	own(xdp_run) struct xdp_run *with = policy(form->rate, false), *without = policy(form->rate, true);
	struct floor_times ours = { 1e9, 1e9, 0, 0 }, silent = ours, others[PEERS];
	uint64_t crowded = 0;

	for (unsigned i = 0; i < PEERS; i++)
		others[i] = ours;
	for (unsigned i = 0; i < rounds; i++) {
		prepare(f, with, form);
		const uint64_t before = xdp_run_telling(with).crowded;

		measure(f, xdp_run_program(with), form, &ours);
		crowded = xdp_run_telling(with).crowded - before;
		measure(f, xdp_run_program(without), form, &silent);
		beside(f, form, others);
	}
	say(form->name, ours, silent, form->about);
	if (form->strange)
		printf("%-12s of %u packets %llu found no place\n", "", sent(form), (unsigned long long)crowded);
	say_beside(form, others);
}

/* ---- events ----------------------------------------------------------------------------- */

struct reader {
	struct xdp_run *x;
	atomic_bool over;
};

/* As the warden does on another CPU: reads what there is, and lets the tick go on. */
static void *listen(void *arg)
{
	struct reader *r = arg;
	cpu_set_t other;

	CPU_ZERO(&other);
	CPU_SET(1, &other);
	sched_setaffinity(0, sizeof other, &other);
	for (uint32_t tick = 1; !r->over; tick++) {
		xdp_run_told(r->x);
		xdp_run_tick(r->x, tick);
		usleep(TICK_US);
	}
	return NULL;
}

/* A drop that is told as it is in the field, beside one of which nothing can be told any more. */
static void event(struct floor_run *f, const char *name, struct teg_rule rule, unsigned rounds, const char *about)
{
	own(xdp_run) struct xdp_run *told = policy(rule, false);
	own(xdp_run) struct xdp_run *untold = policy((struct teg_rule){ .act = TEG_ACT_DROP, .one_in = 1 }, false);
	struct floor_times with = { 1e9, 1e9, 0, 0 }, without = { 1e9, 1e9, 0, 0 };
	struct reader r = { .x = told };
	pthread_t thread;

	fill(f->trace, FAMILY_IP4, false);
	floor_must(pthread_create(&thread, NULL, listen, &r), "thread");
	for (unsigned i = 0; i < rounds; i++) {
		least(&with, floor_compare(f, xdp_run_program(told), 1, EVENT_PACKETS));
		least(&without, floor_compare(f, xdp_run_program(untold), 1, EVENT_PACKETS));
	}
	r.over = true;
	pthread_join(thread, NULL);
	const struct teg_telling t = xdp_run_telling(told);
	say(name, with, without, about);
	printf("%-12s of %llu packets %llu were told, %llu of those asked for were lost by the rate and %llu by the ring\n", "",
	       (unsigned long long)xdp_run_counter(told, 2).packets, (unsigned long long)t.told, (unsigned long long)t.rate,
	       (unsigned long long)t.full);
}

static void events(struct floor_run *f, unsigned rounds)
{
	event(f, "drop", (struct teg_rule){ .act = TEG_ACT_DROP, .one_in = 1 }, rounds, "a drop, told as a listener hears it");
	event(f, "emit-100", (struct teg_rule){ .act = TEG_ACT_DROP, .one_in = 100, .tells = 1 }, rounds,
	      "the same, emit sample 1/100");
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 9;
	const char *only = argc > 2 ? argv[2] : NULL;
	struct floor_run f = { 0 };

	if (rounds < 1) {
		fprintf(stderr, "usage: rates [ROUNDS [NAME]]\n");
		return 64;
	}
	floor_open(&f, argv[0]);
	const char *slash = strrchr(argv[0], '/');
	snprintf(limits_path, sizeof limits_path, "%.*s/../../bpf/limits.bpf.o", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
	printf("%-12s  floor     silent          acts\n", "");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (!only || !strcmp(only, forms[i].name))
			rate(&f, &forms[i], rounds);
	if (!only || !strcmp(only, "events"))
		events(&f, rounds / 3 + 1);
	floor_release(&f);
	return 0;
}
