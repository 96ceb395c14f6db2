/*
 * What eval cannot say of limits: several CPUs at one bucket, a flood of new sources, how long a place is kept,
 * and what sources without one share.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>

#include "bpf-templates/name.h"
#include "enforcer/hook/tables/tables.h"
#include "tests/lib/limits.h"
#include "tests/lib/tap.h"

/* ---- where a rate is asked ------------------------------------------------------------ */

/* In the program itself, or by a call: behind another rate, or in a list that is not short. */
static const struct asked {
	const char *where, *program;
	unsigned others; /* rates of other ports in the list */
	bool behind;	 /* one of all together, which is never over */
} askeds[] = {
	{ "where the program stands", "policy_rates", 0, false },
	{ "behind another rate", "policy_rates", 0, true },
	{ "in a long list", "policy", TEG_CELLS_SHORT, false },
	{ "in a long list, behind another rate", "policy", TEG_CELLS_SHORT, true },
};

#define ASKED_BEFORE 1 /* the bucket of what is asked before it */

struct asked_plan {
	struct plan plan;
	struct teg_box boxes[3 + TEG_CELLS_SHORT];
	struct teg_rule rules[3 + TEG_CELLS_SHORT];
};

static struct teg_box *asked_add(struct asked_plan *p, const struct teg_box *box, struct teg_rule rule)
{
	const uint32_t at = p->plan.box_count++;

	p->boxes[at] = *box;
	p->boxes[at].rule = at;
	p->rules[at] = rule;
	return &p->boxes[at];
}

/* limits_plan with that rule, asked there. */
static void asked_plan(struct asked_plan *p, const struct asked *at, const struct teg_rule *rate)
{
	struct teg_rule never = *rate;

	*p = (struct asked_plan){ .plan = limits_plan };
	p->plan.box_count = 0;
	asked_add(p, &limits_plan.boxes[0], limits_plan.rules[0]);
	for (unsigned i = 0; i < at->others; i++) {
		struct teg_box *other = asked_add(p, &limits_plan.boxes[1], *rate);

		other->dport_lo = other->dport_hi = (uint16_t)(1 + i);
	}
	never.key = TEG_KEY_ALL;
	never.bucket = ASKED_BEFORE;
	never.cost_ns = 1;
	if (at->behind)
		asked_add(p, &limits_plan.boxes[1], never);
	asked_add(p, &limits_plan.boxes[1], *rate);
	p->plan.boxes = p->boxes;
	p->plan.rules = p->rules;
	p->plan.rule_count = p->plan.config.rule_count = p->plan.config.box_count = p->plan.box_count;
}

/* A program that has that rate, asked there. */
static bool asked_new(struct xdp_run **out, const struct asked *at, const struct teg_rule *rate)
{
	struct asked_plan p;
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof info;
	struct err why = { 0 };

	asked_plan(&p, at, rate);
	if (!tap_ok(!xdp_run_new_in(out, xdp_run_hook(), &p.plan, XDP_RUN_GIVEN_CLOCK, &why), "a rate that is asked %s loads: %s", at->where, why.text))
		return false;
	xdp_run_at(*out, 1, 0, LIMITS_NOW);
	bpf_obj_get_info_by_fd(xdp_run_program(*out), &info, &len);
	return tap_text(info.name, at->program, "by this program");
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
		for (int i = 0; i < 2 * LIMITS_BURST; i++)
			w->passed[source] += limits_passes(w->x, "198.51.100.1", source);
	}
	return NULL;
}

static void two_cpus(const struct asked *at)
{
	own(xdp_run) struct xdp_run *x = NULL;
	pthread_barrier_t start;

	if (!asked_new(&x, at, &limits_plan.rules[1]))
		return;
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

		tap_num(passed, LIMITS_BURST, "tokens that two CPUs get from one bucket");
	}
}

/* ---- a flood ------------------------------------------------------------------------ */

static void spender(struct xdp_run *x)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < LIMITS_BURST + 100; i++)
		passed += limits_passes(x, "2001:db8::1", 0);
	tap_num(passed, LIMITS_BURST, "packets of a source that pass before it is over");
}

#define STRANGERS 1000000
#define FEW 4096
#define PLACES TEG_BUCKET_PLACES

static unsigned strangers(struct xdp_run *x, unsigned first, unsigned count)
{
	unsigned passed = 0;

	for (unsigned i = first; i < first + count; i++)
		passed += limits_passes(x, "100.0.0.0", i * 2654435761u >> 3);
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
	struct plan strict = limits_plan;
	struct err why = { 0 };
	unsigned passed = 0;

	strict.rules = limits_strict;
	if (!tap_ok(!xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why), "a strict limit loads"))
		return;
	xdp_run_at(x, 1, 0, LIMITS_NOW);
	tap_num(limits_clients(x, 5), 5 * LIMITS_CLIENTS, "packets of clients that pass before a flood");
	tap_num(xdp_run_telling(x).crowded, 0, "packets that shared a bucket until then");
	for (unsigned step = 0; step < 10; step++) {
		xdp_run_at(x, 1, 0, LIMITS_NOW + step * SECOND / 5);
		passed += strangers(x, step * STRANGERS / 10, STRANGERS / 10);
	}
	const unsigned most = PLACES + TEG_SKETCH_ROWS * TEG_SKETCH_SLICE_MOST * 12;
	tap_ok(passed >= PLACES && passed <= most, "of %d strangers %u pass: at least %u, at most %u", STRANGERS, passed,
	       PLACES, most);
	tap_ok(xdp_run_telling(x).crowded > STRANGERS - PLACES - PLACES / 8, "nearly all others share buckets, %llu of them",
	       (unsigned long long)xdp_run_telling(x).crowded);
	tap_num(limits_clients(x, 6), 6 * LIMITS_CLIENTS, "packets of clients that pass during it");
	tap_num(limits_clients(x, 1), 0, "of those that are over then");
	tap_num(strangers(x, STRANGERS, 1000), 0, "packets of more strangers that pass");
	tap_num(wrong_gates(x), 0, "gates that do not say who stands behind them");

	xdp_run_at(x, 1, 0, LIMITS_NOW + 60 * SECOND);
	tap_num(strangers(x, 2 * STRANGERS, 1000), 1000, "packets of strangers that pass when it has ended");
	tap_num(wrong_gates(x), 0, "gates that do not say who stands there now");
	passed = 0;
	for (unsigned i = 0; i < 100; i++)
		passed += limits_passes(x, "9.9.9.0", i % 10);
	tap_num(passed, 100, "packets that ten neighbours may send, ten each");
}

/* ---- two CPUs, one set ------------------------------------------------------------------ */

#define RACES 10000
#define RACE_SECONDS 10 /* at most: where much else runs, two CPUs seldom meet */
#define RACERS 4 /* sources of one set */
#define TOKENS 10 /* in a bucket of limits_strict */

struct racer {
	struct xdp_run *x;
	struct teg_buckets *b;
	atomic_uint *arrived;
	atomic_bool *is_over;
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
		passed += limits_passes(x, "100.0.0.0", source);
	return passed;
}

/* Two sources each; in every other race one of them comes to both: each takes a token, and the rest is left. */
static void *race(void *arg)
{
	struct racer *r = arg;
	const time_t from = time(NULL);
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(r->cpu, &mine);
	sched_setaffinity(0, sizeof mine, &mine);
	for (unsigned i = 0; i < RACES; i++) {
		if (!r->cpu) {
			memset(r->b->near[r->set], 0, sizeof r->b->near[0]);
			r->b->gate[r->set] = 0;
			*r->is_over = time(NULL) - from > RACE_SECONDS;
		}
		meet(r, 2 * i + 1);
		if (*r->is_over)
			break;
		limits_passes(r->x, "100.0.0.0", r->sources[i & 1 ? 0 : r->cpu]);
		limits_passes(r->x, "100.0.0.0", r->sources[2 + r->cpu]);
		meet(r, 2 * i + 2);
		if (!r->cpu)
			r->wrong += !gate_holds(r->b, r->set);
		if (!r->cpu && i & 1)
			r->other += left(r->x, r->sources[0]) != TOKENS - 2;
	}
	return NULL;
}

/* A source whose set is not that of what is asked before it. */
static unsigned first_racer(const struct teg_buckets *b)
{
	const __u64 seed[2] = { b->seed[0], b->seed[1] };
	unsigned source = 0;

	while (shares(name_of(b, source), name_end(ASKED_BEFORE, seed), false))
		source++;
	return source;
}

static void raced(const struct asked *at)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct teg_rule mild = limits_strict[1];
	struct racer r[2] = { { .cpu = 0 }, { .cpu = 1 } };
	atomic_uint arrived = 0;
	atomic_bool is_over = false;
	pthread_t threads[2];

	mild.block_ns = 0;
	if (!asked_new(&x, at, &mild))
		return;
	r[0].x = x, r[0].arrived = &arrived, r[0].is_over = &is_over, r[0].b = buckets_map(x);
	const unsigned first = first_racer(r[0].b);
	r[0].set = name_of(r[0].b, first) & (TEG_NEAR_SETS - 1);
	neighbours(r[0].b, first, false, r[0].sources, RACERS);
	limits_passes(x, "100.0.0.0", first);
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
			limits_passes(x, "100.0.0.0", near[k]);
	}
	for (unsigned i = 1; i < SHARERS; i++)
		limits_passes(x, "100.0.0.0", sharers[i]);
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
		{ "a year", 365 * DAY, 51 * DAY, false },
		{ "a year", 365 * DAY, 53 * DAY, true }, /* though it is not full: TEG_BUCKET_KEPT_MOST */
	};
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct teg_rule slow[] = { limits_strict[0], limits_strict[1] };
		struct plan strict = limits_plan;
		unsigned sharers[SHARERS];

		xdp_run_free(x);
		x = NULL;
		slow[1].cost_ns = slow[1].depth_ns = rows[i].depth_ns;
		strict.rules = slow;
		if (!tap_ok(!xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why), "a limit of one in %s loads", rows[i].depth))
			return;
		xdp_run_at(x, 1, 0, LIMITS_NOW);
		fill_both(x, sharers);
		xdp_run_at(x, 1, 0, LIMITS_NOW + rows[i].after_ns);
		limits_passes(x, "100.0.0.0", sharers[0]);
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
		b->near[set][place] = (struct teg_bucket){ 1ull << 63 | ((LIMITS_NOW >> TEG_BUCKET_UNIT) + TEG_BUCKET_KEPT), LIMITS_NOW };
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
	struct plan strict = limits_plan;
	struct err why = { 0 };
	unsigned four = 0, six = 0;

	strict.rules = limits_strict;
	if (!tap_ok(!xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why), "a strict limit loads"))
		return;
	xdp_run_at(x, 1, 0, LIMITS_NOW);
	for (unsigned i = 0; i < 8 * PLACES; i++) { /* /64s of sixteen /48s */
		if (i == FEW)
			tap_num(xdp_run_telling(x).crowded, 0, "of few sources, some of whose names begin alike, those that share a bucket");
		limits_passes(x, "2001:db8::", i);
	}
	take_rest(x);
	for (unsigned i = 0; i < 100; i++) {
		four += limits_passes(x, "9.9.9.0", i);
		six += limits_passes(x, "2001:db8:ffff::", i);
	}
	for (unsigned i = 0; i < 100; i++)
		limits_passes(x, "9.9.9.0", i);
	tap_num(xdp_run_counter(x, 1).packets, 0, "packets of sources that were over together, and for that blocked");
	tap_ok(four >= 10 && four <= 12, "of a /24 without places %u packets pass, not a hundred", four);
	tap_ok(six >= 10 && six <= 12, "of a /48 without places %u packets pass, not a hundred", six);
}

int main(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };

	if (xdp_run_new_in(&x, xdp_run_hook(), &limits_plan, XDP_RUN_GIVEN_CLOCK, &why)) {
		if (why.code == -EPERM)
			tap_skip("BPF is not allowed here", "limits hold in the XDP program");
		else
			tap_ok(false, "the program loads: %s", why.text);
		return tap_done();
	}
	xdp_run_at(x, 1, 0, LIMITS_NOW);
	spender(x);
	flood();
	crowded();
	for (size_t i = 0; i < ARRAY_LEN(askeds); i++) {
		two_cpus(&askeds[i]);
		raced(&askeds[i]);
	}
	kept();
	return tap_done();
}
