/*
 * What eval cannot say of the XDP program: several CPUs at one bucket, a flood
 * of new sources, blocks and own addresses set from user space, frames of several
 * buffers, and the anchor before it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bpf-templates/name.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "enforcer/hook/anchor.h"
#include "enforcer/hook/block_table.h"
#include "enforcer/hook/tables.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define BURST 500
#define NOW 5000000000ull
#define SECOND 1000000000ull

/* One lifeline (TCP to self, port 22) and one reflex: TCP SYN over 500 in a row from a source. */
static struct plan_counter counters[] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "lifeline.ssh" },
					  { .id = "reflex.syn" } };
static struct teg_box boxes[] = {
	{ .zones = ~0ull, .dst = TEG_SET_SELF, .dport_lo = 22, .dport_hi = 22, .sport_hi = 65535, .icmp_hi = 65535,
	  .proto = PROTO_TCP, .rule = 0, .families = 3, .fragments = TEG_WHOLE | TEG_FIRST },
	{ .zones = ~0ull, .dport_hi = 65535, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_TCP, .rule = 1,
	  .families = 3, .fragments = TEG_WHOLE | TEG_FIRST, .flags_mask = 0x02, .flags_want = 0x02 },
};
static struct teg_rule rules[] = {
	{ .counter_slot = 2, .act = TEG_ACT_PASS, .one_in = 1 },
	{ .counter_slot = 3, .act = TEG_ACT_DROP, .cost_ns = 1000000, .depth_ns = BURST * 1000000ull, .key_bits4 = 32,
	  .key_bits6 = 64, .one_in = 1 },
};
static const struct plan plan = {
	.policy = "limits", .counters = counters, .counter_count = ARRAY_LEN(counters), .posture_count = 1,
	.boxes = boxes, .box_count = ARRAY_LEN(boxes), .rules = rules, .rule_count = ARRAY_LEN(rules),
	.config = { .abi = TEG_ABI_VERSION, .asks = TEG_ASKS_DST_SELF | TEG_ASKS_CLOCK, .lifeline_boxes = 1,
		    .box_count = ARRAY_LEN(boxes), .rule_count = ARRAY_LEN(rules), .neighbour_slot = 0,
		    .blocked_slot = 1 },
};

static size_t syn(uint8_t *frame, size_t room, const char *src, unsigned nth, const char *dst, uint16_t dport,
		  size_t payload)
{
	static const uint8_t zeros[9000];
	struct packet p = { .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .sport = 40000,
			    .dport = dport, .flags = 0x02 };

	if (!addr_parse(src, &p.src) || !addr_parse(dst, &p.dst))
		return 0;
	p.family = p.src.family;
	p.src.num += p.family == FAMILY_IP4 ? nth : (addr_num)nth << 64;
	return frame_build(&p, zeros, payload, frame, room);
}

static bool passes(struct xdp_run *x, const char *src, unsigned nth)
{
	uint8_t frame[128];

	return xdp_run_frame(x, frame, syn(frame, sizeof frame, src, nth, "192.0.2.1", 443, 0)) == XDP_PASS;
}

/* ---- two CPUs, one bucket ----------------------------------------------------------- */

#define SOURCES 10 /* one after another: a race is rarely lost */

struct worker {
	struct xdp_run *x;
	pthread_barrier_t *start;
	int cpu;
	unsigned passed[SOURCES];
};

static void *hammer(void *arg)
{
	struct worker *w = arg;
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(w->cpu, &mine);
	sched_setaffinity(0, sizeof mine, &mine); /* without, they may share one and never meet */
	for (unsigned source = 0; source < SOURCES; source++) {
		pthread_barrier_wait(w->start);
		for (int i = 0; i < 2 * BURST; i++)
			w->passed[source] += passes(w->x, "198.51.100.1", source);
	}
	return NULL;
}

static void two_cpus(struct xdp_run *x)
{
	pthread_barrier_t start;
	struct worker w[2] = { { .x = x, .start = &start, .cpu = 0 }, { .x = x, .start = &start, .cpu = 1 } };
	pthread_t threads[2];

	if (pthread_barrier_init(&start, NULL, 2))
		abort();
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, hammer, &w[i]))
			abort();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);

	for (unsigned i = 0; i < SOURCES; i++) {
		unsigned passed = w[0].passed[i] + w[1].passed[i];

		tap_num(passed, BURST, "tokens that two CPUs get from one bucket");
	}
}

/* ---- a flood ------------------------------------------------------------------------ */

static void spender(struct xdp_run *x)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < BURST + 100; i++)
		passed += passes(x, "2001:db8::1", 0);
	tap_num(passed, BURST, "packets of a source that pass before it is over");
}

/* Ten in ten seconds from a source, and who sends more is blocked. */
static struct teg_rule strict_rules[] = {
	{ .counter_slot = 2, .act = TEG_ACT_PASS, .one_in = 1 },
	{ .counter_slot = 3, .act = TEG_ACT_DROP, .cost_ns = SECOND, .depth_ns = 10 * SECOND, .block_ns = SECOND / 2,
	  .key_bits4 = 32, .key_bits6 = 64, .one_in = 1 },
};

#define CLIENTS 1000
#define STRANGERS 1000000
#define FEW 4096
#define PLACES TEG_BUCKET_PLACES

/* Of 1000 clients here and there those that pass when each sends so many. */
static unsigned clients(struct xdp_run *x, unsigned each)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < CLIENTS * each; i++)
		passed += passes(x, "81.0.0.0", i % CLIENTS * 65539);
	return passed;
}

static unsigned strangers(struct xdp_run *x, unsigned first, unsigned count)
{
	unsigned passed = 0;

	for (unsigned i = first; i < first + count; i++)
		passed += passes(x, "100.0.0.0", i * 2654435761u >> 3);
	return passed;
}

static struct teg_buckets *buckets_map(const struct xdp_run *x)
{
	struct teg_buckets *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, xdp_run_shared(x)->buckets, 0);

	if (b == MAP_FAILED)
		abort();
	return b;
}

/* Are its parts what the names of its set begin with? */
static bool gate_holds(const struct teg_buckets *b, unsigned set)
{
	uint64_t parts = 0;

	for (unsigned i = 0; i < TEG_BUCKET_WAYS; i++)
		parts |= b->near[set][i].who >> (64 - TEG_GATE_BITS) << (TEG_BUCKET_UNTIL + i * TEG_GATE_BITS);
	return parts == b->gate[set] >> TEG_BUCKET_UNTIL << TEG_BUCKET_UNTIL;
}

/* Far places that their words do not say, and parts of words that say none. */
static unsigned wrong_words(const struct teg_buckets *b)
{
	unsigned taken = 0, said = 0, unsaid = 0;

	for (unsigned at = 0; at < TEG_FAR_ROWS * TEG_FAR_ROW; at++) {
		const uint64_t who = b->far[at].who, word = b->word[teg_far_word(who)];
		const uint64_t part = teg_far_tag(who) << TEG_FAR_LINE_BITS | at % TEG_FAR_ROW / TEG_BUCKET_WAYS;
		unsigned i = 0;

		while (i < TEG_BUCKET_WAYS && (word >> 16 * i & 0xffff) != part)
			i++;
		taken += who != 0;
		unsaid += who && i == TEG_BUCKET_WAYS;
	}
	for (unsigned i = 0; i < TEG_FAR_WORDS * TEG_BUCKET_WAYS; i++)
		said += (b->word[i / TEG_BUCKET_WAYS] >> 16 * (i % TEG_BUCKET_WAYS) & 0xffff) != 0;
	return unsaid + (said > taken ? said - taken : taken - said);
}

static unsigned wrong_gates(const struct xdp_run *x)
{
	struct teg_buckets *b = buckets_map(x);
	unsigned wrong = wrong_words(b);

	for (unsigned set = 0; set < TEG_NEAR_SETS; set++)
		wrong += !gate_holds(b, set);
	munmap(b, sizeof *b);
	return wrong;
}

/* A thousand clients have sent five of ten. Then for two seconds nobody comes twice. */
static void flood(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct plan strict = plan;
	struct err why = { 0 };
	unsigned passed = 0;

	strict.rules = strict_rules;
	if (!tap_ok(!xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why), "a strict limit loads"))
		return;
	xdp_run_at(x, 1, 0, NOW);
	tap_num(clients(x, 5), 5 * CLIENTS, "packets of clients that pass before a flood");
	tap_num(xdp_run_telling(x).crowded, 0, "packets that shared a bucket until then");
	for (unsigned step = 0; step < 10; step++) {
		xdp_run_at(x, 1, 0, NOW + step * SECOND / 5);
		passed += strangers(x, step * STRANGERS / 10, STRANGERS / 10);
	}
	const unsigned most = PLACES + TEG_SKETCH_ROWS * TEG_SKETCH_SLICE_MOST * 12;
	tap_ok(passed >= PLACES && passed <= most, "of %d strangers %u pass: at least %u, at most %u", STRANGERS, passed,
	       PLACES, most);
	tap_ok(xdp_run_telling(x).crowded > STRANGERS - PLACES - PLACES / 8, "nearly all others share buckets, %llu of them",
	       (unsigned long long)xdp_run_telling(x).crowded);
	tap_num(clients(x, 6), 6 * CLIENTS, "packets of clients that pass during it");
	tap_num(clients(x, 1), 0, "of those that are over then");
	tap_num(strangers(x, STRANGERS, 1000), 0, "packets of more strangers that pass");
	tap_num(wrong_gates(x), 0, "gates that do not say who stands behind them");

	xdp_run_at(x, 1, 0, NOW + 60 * SECOND);
	tap_num(strangers(x, 2 * STRANGERS, 1000), 1000, "packets of strangers that pass when it has ended");
	tap_num(wrong_gates(x), 0, "gates that do not say who stands there now");
	passed = 0;
	for (unsigned i = 0; i < 100; i++)
		passed += passes(x, "9.9.9.0", i % 10);
	tap_num(passed, 100, "packets that ten neighbours may send, ten each");
}

/* ---- two CPUs, one set ------------------------------------------------------------------ */

#define RACES 20000
#define RACERS 4 /* sources of one set */
#define TOKENS 10 /* in a bucket of strict_rules */

struct racer {
	struct xdp_run *x;
	struct teg_buckets *b;
	atomic_uint *arrived;
	unsigned cpu, set, sources[RACERS], wrong, other;
};

/* As limit_name() has it, of an IPv4 source whose rule has no bucket's number: its last bits are those of both sets. */
static uint64_t name_of(const struct teg_buckets *b, unsigned source)
{
	const uint8_t bytes[8] = { 0, 0, 0xff, 0xff, 100, (uint8_t)(source >> 16), (uint8_t)(source >> 8), (uint8_t)source };
	const __u64 seed[2] = { b->seed[0], b->seed[1] };
	uint64_t lo;

	memcpy(&lo, bytes, sizeof lo);
	return name_end(name_address(0, seed, 0, lo, false), seed);
}

/* Do two share a near set; or far a word, in which both can stand, and near no set, where one would come with those of the other? */
static bool shares(uint64_t a, uint64_t b, bool far)
{
	const bool share_near = (a ^ b) % TEG_NEAR_SETS == 0;

	if (far)
		return teg_far_word(a) == teg_far_word(b) && teg_far_tag(a) != teg_far_tag(b) && !share_near;
	return share_near;
}

/* Sources that share a source's near set, or its far word: itself, and others. */
static void neighbours(const struct teg_buckets *b, unsigned of, bool far, unsigned *sources, unsigned count)
{
	sources[0] = of;
	for (unsigned source = 0, found = 1; found < count; source++) {
		unsigned with = 0;

		while (with < found && source != sources[with] && shares(name_of(b, source), name_of(b, sources[with]), far))
			with++;
		if (with == found)
			sources[found++] = source;
	}
}

/* Both leave within some nanoseconds of each other. */
static void meet(struct racer *r, unsigned times)
{
	atomic_fetch_add(r->arrived, 1);
	for (unsigned i = 1; atomic_load(r->arrived) < 2 * times; i++)
		if (i % 4096 == 0)
			sched_yield();
}

/* How many more of a source pass. */
static unsigned left(struct xdp_run *x, unsigned source)
{
	unsigned passed = 0;

	for (unsigned i = 0; i <= TOKENS; i++)
		passed += passes(x, "100.0.0.0", source);
	return passed;
}

/* Two sources each; in every other race one of them comes to both: each takes a token, and the rest is left. */
static void *race(void *arg)
{
	struct racer *r = arg;
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(r->cpu, &mine);
	sched_setaffinity(0, sizeof mine, &mine);
	for (unsigned i = 0; i < RACES; i++) {
		if (!r->cpu) {
			memset(r->b->near[r->set], 0, sizeof r->b->near[0]);
			r->b->gate[r->set] = 0;
		}
		meet(r, 2 * i + 1);
		passes(r->x, "100.0.0.0", r->sources[i & 1 ? 0 : r->cpu]);
		passes(r->x, "100.0.0.0", r->sources[2 + r->cpu]);
		meet(r, 2 * i + 2);
		if (!r->cpu)
			r->wrong += !gate_holds(r->b, r->set);
		if (!r->cpu && i & 1)
			r->other += left(r->x, r->sources[0]) != TOKENS - 2;
	}
	return NULL;
}

static void raced(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct teg_rule mild[] = { strict_rules[0], strict_rules[1] };
	struct plan strict = plan;
	struct err why = { 0 };
	struct racer r[2] = { { .cpu = 0 }, { .cpu = 1 } };
	atomic_uint arrived = 0;
	pthread_t threads[2];

	mild[1].block_ns = 0;
	strict.rules = mild;
	if (!tap_ok(!xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why), "a strict limit loads"))
		return;
	xdp_run_at(x, 1, 0, NOW);
	r[0].x = x, r[0].arrived = &arrived, r[0].b = buckets_map(x);
	r[0].set = name_of(r[0].b, 0) & (TEG_NEAR_SETS - 1);
	neighbours(r[0].b, 0, false, r[0].sources, RACERS);
	passes(x, "100.0.0.0", 0);
	tap_ok(r[0].b->near[r[0].set][0].who, "a source stands in the set that its name says");
	r[1] = r[0], r[1].cpu = 1;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, race, &r[i]))
			abort();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	tap_num(r[0].wrong, 0, "gates that do not say who stands behind them when two CPUs fill one set");
	tap_num(r[0].other, 0, "buckets that are not empty after as many packets as they hold when two CPUs take the first two");
	munmap(r[0].b, sizeof *r[0].b);
}

/* ---- how long a place is kept ------------------------------------------------------------ */

#define DAY (86400 * SECOND)
#define SHARERS (TEG_BUCKET_WAYS + 1) /* the stranger, and those who fill its word */

/* Near and far there is no place for the first of these: others come before it, and take those near of each. */
static void fill_both(struct xdp_run *x, unsigned *sharers)
{
	struct teg_buckets *b = buckets_map(x);
	unsigned near[SHARERS];

	neighbours(b, 0, true, sharers, SHARERS);
	for (unsigned i = 0; i < SHARERS; i++) {
		neighbours(b, sharers[i], false, near, SHARERS);
		for (unsigned k = 1; k < SHARERS; k++)
			passes(x, "100.0.0.0", near[k]);
	}
	for (unsigned i = 1; i < SHARERS; i++)
		passes(x, "100.0.0.0", sharers[i]);
	munmap(b, sizeof *b);
}

/*
 * A stranger's near set and its far word are full; then nothing comes for so many days. The moment until which a place is kept comes round
 * after 208.
 */
static void kept(void)
{
	static const struct { const char *depth; uint64_t depth_ns, after_ns; bool has_place; } rows[] = {
		{ "ten seconds", 10 * SECOND, 20 * SECOND, false },
		{ "ten seconds", 10 * SECOND, 60 * SECOND, true },
		{ "ten seconds", 10 * SECOND, 103 * DAY, true },
		{ "ten seconds", 10 * SECOND, 105 * DAY, true },
		{ "ten seconds", 10 * SECOND, 150 * DAY, true },
		{ "ten seconds", 10 * SECOND, 170 * DAY, true },
		{ "ten seconds", 10 * SECOND, 208 * DAY, true },
		{ "ten seconds", 10 * SECOND, 17919 * DAY / 86, true }, /* to the moment */
		{ "ten seconds", 10 * SECOND, 400 * DAY, true },
		{ "forty days", 40 * DAY, 39 * DAY, false },
		{ "forty days", 40 * DAY, 41 * DAY, true },
		{ "forty days", 40 * DAY, 200 * DAY, true },
	};
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct teg_rule slow[] = { strict_rules[0], strict_rules[1] };
		struct plan strict = plan;
		unsigned sharers[SHARERS];

		xdp_run_free(x);
		x = NULL;
		slow[1].cost_ns = slow[1].depth_ns = rows[i].depth_ns;
		strict.rules = slow;
		if (!tap_ok(!xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why), "a limit of one in %s loads", rows[i].depth))
			return;
		xdp_run_at(x, 1, 0, NOW);
		fill_both(x, sharers);
		xdp_run_at(x, 1, 0, NOW + rows[i].after_ns);
		passes(x, "100.0.0.0", sharers[0]);
		tap_ok(xdp_run_telling(x).crowded == !rows[i].has_place, "%s %.4f days after sources of one in %s filled its set and its word", rows[i].has_place ? "a stranger has a place" : "none has",
			(double)rows[i].after_ns / (double)DAY, rows[i].depth);
	}
}

/* What the hash left of the places when many more sources came than there are. */
static void take_rest(const struct xdp_run *x)
{
	struct teg_buckets *b = buckets_map(x);

	for (unsigned at = 0; at < TEG_NEAR_SETS * TEG_BUCKET_WAYS; at++) {
		const unsigned set = at / TEG_BUCKET_WAYS, place = at % TEG_BUCKET_WAYS;

		if (b->near[set][place].who)
			continue;
		b->near[set][place] = (struct teg_bucket){ 1ull << 63 | ((NOW >> TEG_BUCKET_UNIT) + TEG_BUCKET_KEPT), NOW };
		b->gate[set] |= 1ull << (TEG_BUCKET_UNTIL + (place + 1) * TEG_GATE_BITS - 1);
	}
	for (unsigned i = 0; i < TEG_FAR_WORDS * TEG_BUCKET_WAYS; i++)
		if (!(b->word[i / TEG_BUCKET_WAYS] >> 16 * (i % TEG_BUCKET_WAYS) & 0xffff))
			b->word[i / TEG_BUCKET_WAYS] |= 1ull << (TEG_FAR_LINE_BITS + 16 * (i % TEG_BUCKET_WAYS));
	munmap(b, sizeof *b);
}

/* Every place is taken: a /24, or a /48, has what a source has. */
static void crowded(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct plan strict = plan;
	struct err why = { 0 };
	unsigned four = 0, six = 0;

	strict.rules = strict_rules;
	if (!tap_ok(!xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why), "a strict limit loads"))
		return;
	xdp_run_at(x, 1, 0, NOW);
	for (unsigned i = 0; i < 8 * PLACES; i++) { /* /64s of sixteen /48s */
		if (i == FEW)
			tap_num(xdp_run_telling(x).crowded, 0, "of few sources, some of whose names begin alike, those that share a bucket");
		passes(x, "2001:db8::", i);
	}
	take_rest(x);
	for (unsigned i = 0; i < 100; i++) {
		four += passes(x, "9.9.9.0", i);
		six += passes(x, "2001:db8:ffff::", i);
	}
	for (unsigned i = 0; i < 100; i++)
		passes(x, "9.9.9.0", i);
	tap_num(xdp_run_counter(x, 1).packets, 0, "packets of sources that were over together, and for that blocked");
	tap_ok(four >= 10 && four <= 12, "of a /24 without places %u packets pass, not a hundred", four);
	tap_ok(six >= 10 && six <= 12, "of a /48 without places %u packets pass, not a hundred", six);
}

/* ---- from user space ----------------------------------------------------------------- */

static struct addr address(const char *text)
{
	struct addr a;

	if (!addr_parse(text, &a))
		abort();
	return a;
}

/* Places that are claimed, and given to nobody. */
static unsigned claimed(const struct block_table *t)
{
	unsigned found = 0;

	for (unsigned i = 0; i < TEG_BLOCK_SETS * TEG_BLOCK_WAYS; i++)
		found += (t->at->at[i / TEG_BLOCK_WAYS][i % TEG_BLOCK_WAYS].meta & TEG_BLOCK_CLAIMED) != 0;
	return found;
}

/* What the program writes into the table of blocks: whoever is over has one place, also when blocked anew. */
static void placed(void)
{
	struct plan strict = plan;
	own(xdp_run) struct xdp_run *x = NULL;
	own(block_table) struct block_table t = { 0 };
	struct err why;

	strict.rules = strict_rules;
	if (xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why) || block_table_open(&t, xdp_run_shared(x), &why)) {
		tap_ok(false, "a policy that blocks: %s", why.text);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t now = NOW + i * SECOND;

		xdp_run_at(x, 1, 0, now);
		clients(x, 12);
		tap_num(block_table_count(&t, now), CLIENTS, i ? "sources blocked, that were a second ago" : "sources that the program has blocked");
	}
	tap_num(claimed(&t), 0, "places that are claimed for nobody");
}

static void blocks(struct xdp_run *x)
{
	static const struct { const char *blocked, *asked; bool passes; } rows[] = {
		{ "203.0.113.7", "203.0.113.7", false },
		{ "203.0.113.7", "203.0.113.8", true },
		{ "2001:db8:7::7", "2001:db8:7::7", false },
		{ "2001:db8:7::7", "2001:db8:7::ffff", false }, /* the /64 is blocked */
		{ "2001:db8:7::7", "2001:db8:7:1::7", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr source = address(rows[i].blocked);

		tap_ok(passes(x, rows[i].asked, 0), "%s passes", rows[i].asked);
		xdp_run_block(x, source, NOW + 1000);
		tap_ok(passes(x, rows[i].asked, 0) == rows[i].passes, "%s %s while %s is blocked", rows[i].asked,
		       rows[i].passes ? "passes" : "does not pass", rows[i].blocked);
		xdp_run_at(x, 1, 0, NOW + 1000);
		tap_ok(passes(x, rows[i].asked, 0), "%s passes when the block is over", rows[i].asked);
		xdp_run_at(x, 1, 0, NOW);
		xdp_run_block(x, source, 0);
		tap_ok(passes(x, rows[i].asked, 0), "%s passes when the block is taken back", rows[i].asked);
	}
}

static bool is_lifeline(struct xdp_run *x, const char *dst)
{
	uint8_t frame[128];
	uint64_t before = xdp_run_counter(x, 2).packets;
	const char *src = strchr(dst, ':') ? "2001:db8:99::1" : "198.51.100.99";

	xdp_run_frame(x, frame, syn(frame, sizeof frame, src, 0, dst, 22, 0));
	return xdp_run_counter(x, 2).packets == before + 1;
}

static void own_addresses(struct xdp_run *x)
{
	struct addr first[] = { address("192.0.2.1"), address("2001:db8:2::1") };
	struct addr many[TEG_SELF_MAX];
	unsigned found = 0;

	xdp_run_self(x, first, ARRAY_LEN(first));
	tap_ok(is_lifeline(x, "192.0.2.1") && is_lifeline(x, "2001:db8:2::1"), "own addresses are `self`");
	tap_ok(!is_lifeline(x, "192.0.2.2") && !is_lifeline(x, "2001:db8:2::2"), "others are not");
	for (unsigned i = 0; i < TEG_SELF_MAX; i++) {
		many[i] = address(i & 1 ? "10.1.0.0" : "2001:db8:3::");
		many[i].num += i;
	}
	xdp_run_self(x, many, TEG_SELF_MAX);
	for (unsigned i = 0; i < TEG_SELF_MAX; i++) {
		char text[ADDR_TEXT];

		found += is_lifeline(x, addr_print(many[i], text));
	}
	tap_num(found, TEG_SELF_MAX, "own addresses found of as many as may be");
	tap_ok(!is_lifeline(x, "192.0.2.1"), "an address that the host has no more is not `self`");
}

/* ---- long frames ------------------------------------------------------------------------ */

static void long_frames(struct xdp_run *x)
{
	static uint8_t frame[9100];
	size_t len = syn(frame, sizeof frame, "198.51.100.50", 0, "192.0.2.1", 443, 8000);

	tap_num(xdp_run_frame(x, frame, len), XDP_PASS, "a frame of several buffers passes");
	uint64_t before = xdp_run_cause(x, CAUSE_BAD_IP).packets;
	tap_num(xdp_run_frame(x, frame, len - 1), XDP_DROP, "one byte short, it does not");
	tap_num(xdp_run_cause(x, CAUSE_BAD_IP).packets - before, 1, "and is counted as bad-ip");
}

/* ---- behind the anchor --------------------------------------------------------------------- */

static unsigned ask(int program, const uint8_t *frame, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = 1);

	return bpf_prog_test_run_opts(program, &run) ? XDP_ABORTED : run.retval;
}

static void anchored(struct xdp_run *x)
{
	static const uint8_t cut[14] = { [12] = 0x08 }; /* IPv4, and nothing of it */
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "anchor");
	struct bpf_object *o = bpf_object__open_mem(anchor_object, (size_t)(anchor_object_end - anchor_object), &opts);
	struct bpf_program *program = o ? bpf_object__find_program_by_name(o, "anchor") : NULL;
	struct bpf_map *slots = o ? bpf_object__find_map_by_name(o, "teg_slots") : NULL;
	const uint32_t zero = 0;
	int policy = xdp_run_program(x);

	if (!tap_ok(program && slots, "the anchor has its program and its slots"))
		return;
	bpf_program__set_flags(program, tables_kernel_has_frags() ? BPF_F_XDP_HAS_FRAGS : 0);
	tap_ok(!bpf_map__reuse_fd(slots, xdp_run_shared(x)->slots) && !bpf_object__load(o), "the anchor loads");
	tap_num(ask(bpf_program__fd(program), cut, sizeof cut), XDP_PASS, "an empty slot passes what no policy forbids");
	tap_num(bpf_map_update_elem(xdp_run_shared(x)->slots, &zero, &policy, BPF_ANY), 0, "the slot takes the policy");
	tap_num(ask(bpf_program__fd(program), cut, sizeof cut), XDP_DROP, "and the policy judges");

	own(tables) struct tables *found = NULL;
	struct err why = { 0 };
	tap_ok(!tables_adopt(&found, TEG_HOOK_XDP, policy, &why) && !tables_set_zone(found, 5000, 1, &why),
	       "its tables are found again by the program alone");
	tap_ok(tables_adopt(&found, TEG_HOOK_XDP, bpf_program__fd(program), &why) < 0, "the anchor is not taken for a policy: %s",
	       why.text);
	bpf_object__close(o);
}

int main(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };

	if (xdp_run_new_in(&x, xdp_run_hook(), &plan, XDP_RUN_GIVEN_CLOCK, &why)) {
		if (why.code == -EPERM)
			tap_skip("BPF is not allowed here", "limits hold in the XDP program");
		else
			tap_ok(false, "the program loads: %s", why.text);
		return tap_done();
	}
	xdp_run_at(x, 1, 0, NOW);
	two_cpus(x);
	spender(x);
	flood();
	crowded();
	raced();
	kept();
	placed();
	blocks(x);
	own_addresses(x);
	if (xdp_run_hook() == TEG_HOOK_XDP) {
		long_frames(x);
		anchored(x);
	} else {
		tap_skip("the kernel may not be asked for XDP, and TC has neither", "frames of several buffers, and the anchor");
	}
	return tap_done();
}
