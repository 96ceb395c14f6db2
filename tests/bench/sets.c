/*
 * What large address sets cost a packet in the first hook, against a program that only reads the frame,
 * beside the kernel's hash and LPM maps; how many bytes an entry takes and how long loading does.
 *
 *     sets [ROUNDS [REPEAT [SIZE]]]
 *
 * And what nft takes to load the same, and to say what it has: processor time, in a network of the bench's own.
 *
 * One block of a set of hosts or prefixes. Every packet is a miss, or every packet a hit, of 8,192 that are drawn evenly:
 * no locality. In a flood all but a few are misses too, and no source comes again. Prefixes are as long as those of lists of networks are: half are /24s, one of six a host.
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

#include "compiler/emit/emit.h"
#include "compiler/ir/proto.h"
#include "enforcer/hook/atlas/atlas.h"
#include "enforcer/nft/filter.h"
#include "tests/lib/craft.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define READ_MOST 100000u /* a million take the kernel 7 s, of IPv6 networks minutes */

static double clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

enum shape { HOSTS4, PREFIXES4, HOSTS6, PREFIXES6, SHAPES };
static const char *const shapes[SHAPES] = { "hosts", "prefixes", "hosts6", "prefixes6" };

enum kind { MISS, FLOOD, HIT, KINDS };
static const char *const kinds[KINDS] = { "miss", "flood", "hit" };

static enum family family_of(enum shape shape)
{
	return shape < HOSTS6 ? FAMILY_IP4 : FAMILY_IP6;
}

/* IPv6 networks are in 16,384 /32s, as what is announced in the Internet is. */
static struct addr any_address(struct gen *g, enum shape shape)
{
	if (family_of(shape) == FAMILY_IP4)
		return (struct addr){ FAMILY_IP4, (uint32_t)gen_u64(g) };
	return (struct addr){ FAMILY_IP6, (addr_num)(0x24000000u + gen_below(g, 16384) * 65537u) << 96 |
						  ((addr_num)(uint32_t)gen_u64(g) << 64) | gen_u64(g) };
}

static unsigned any_length(struct gen *g, enum shape shape)
{
	static const unsigned char lengths4[] = { 16, 20, 22, 23, 24, 24, 24, 24, 24, 24, 24, 24, 24, 25, 26, 27, 28, 30, 32, 32, 32, 32 };
	static const unsigned char lengths6[] = { 40, 44, 48, 48, 48, 48, 48, 48, 56, 64, 64, 64, 128 };

	switch (shape) {
	case PREFIXES4:
		return lengths4[gen_below(g, ARRAY_LEN(lengths4))];
	case PREFIXES6:
		return lengths6[gen_below(g, ARRAY_LEN(lengths6))];
	case HOSTS4:
	case HOSTS6:
	case SHAPES:
		break;
	}
	return FAMILY_BITS(family_of(shape));
}

static struct prefix *draw(struct gen *g, enum shape shape, size_t count, struct arena *a)
{
	struct prefix *p = arena_zero(a, count * sizeof *p);

	for (size_t i = 0; i < count; i++) {
		p[i] = (struct prefix){ any_address(g, shape), any_length(g, shape) };
		p[i].addr.num &= ~prefix_range((struct prefix){ { p[i].addr.family, 0 }, p[i].len }).hi;
	}
	return p;
}

static struct netset set_of(const struct prefix *p, size_t count, struct arena *a)
{
	struct addr_range *at[FAMILY_COUNT] = { arena_zero(a, count * sizeof **at), arena_zero(a, count * sizeof **at) };
	size_t len[FAMILY_COUNT] = { 0 };

	for (size_t i = 0; i < count; i++)
		at[p[i].addr.family][len[p[i].addr.family]++] = prefix_range(p[i]);
	return netset_of_ranges(a, at, len);
}

static struct ir *block_of(const struct netset *net, struct arena *a)
{
	static const struct range all = { 0, UINT16_MAX };
	struct policy *p = craft_policy(a, "sets");

	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	struct ir *ir = ir_lower(p, a);
	struct ir_set *set = arena_zero(a, sizeof *set);
	struct ir_box *box = arena_zero(a, sizeof *box);
	struct ir_rule *rule = arena_zero(a, sizeof *rule);

	set->set = *net;
	*box = (struct ir_box){ .zones = UINT64_MAX, .families = 3, .fragments = FRAGMENT_ANY, .proto = PROTO_ANY_NUMBER,
				.src = { .set = set }, .dst = { .any = true } };
	struct ranges every = { arena_copy(a, &all, sizeof all), 1 };
	box->sport = box->dport = box->icmp = every;
	*rule = (struct ir_rule){ .id = "block.bad", .label = "bad", .layer = LAYER_BLOCK, .verdict = VERDICT_DROP,
				  .boxes = box, .box_count = 1 };
	ir->blocks.rules = rule;
	ir->blocks.count = 1;
	return ir;
}

static void fill(struct floor_trace *trace, struct gen *g, enum shape shape, const struct netset *net, const struct prefix *p,
		 size_t count, bool hit)
{
	memset(trace, 0, sizeof *trace);
	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		struct packet q = { .family = family_of(shape), .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .proto = PROTO_TCP,
				    .dst = any_address(g, shape), .sport = 40000, .dport = 443, .flags = 16 };
		uint8_t frame[128] = { 0 };

		do {
			q.src = any_address(g, shape);
			if (hit) {
				const struct prefix *in = &p[gen_below(g, (unsigned)count)];
				q.src.num = in->addr.num | (q.src.num & prefix_range((struct prefix){ { q.family, 0 }, in->len }).hi);
			}
		} while (netset_has(net, q.src) != hit);
		floor_must(!frame_build(&q, NULL, 0, frame, sizeof frame), "frame");
		memcpy(trace->records[i].words, frame, FLOOR_BYTES);
	}
}

/* A bench of wrong verdicts measures nothing. */
static void judged_rightly(struct xdp_run *x, const struct floor_trace *trace, bool hit)
{
	for (unsigned i = 0; i < FLOOR_RECORDS; i++)
		if (xdp_run_frame(x, (const uint8_t *)trace->records[i].words, FLOOR_BYTES) != (hit ? XDP_DROP : XDP_PASS)) {
			fprintf(stderr, "sets: frame %u is judged wrongly\n", i);
			exit(1);
		}
}

/* The kernel's map of the same entries, and the program that asks it. */
static double peer(struct floor_run *f, const char *map, const char *program, const struct prefix *p, size_t count,
		   bool hosts, unsigned rounds, unsigned repeat)
{
	const int fd = bpf_object__find_map_fd_by_name(f->object, map);
	const int ask = bpf_program__fd(bpf_object__find_program_by_name(f->object, program));
	const uint32_t one = 1;

	for (size_t i = 0; i < count; i++) {
		const struct floor_prefix key = { p[i].len, __builtin_bswap32((uint32_t)p[i].addr.num) };
		floor_must(bpf_map_update_elem(fd, hosts ? (const void *)&key.addr_be : &key, &one, BPF_ANY), map);
	}
	struct floor_times t = floor_compare(f, ask, rounds, repeat);
	for (size_t i = 0; i < count; i++) {
		const struct floor_prefix key = { p[i].len, __builtin_bswap32((uint32_t)p[i].addr.num) };
		bpf_map_delete_elem(fd, hosts ? (const void *)&key.addr_be : &key);
	}
	return t.policy_ns / t.floor_ns;
}

/* ---- nft ------------------------------------------------------------------------------------ */

static void none_yet(void *count)
{
	*(uint64_t *)count = 0;
}

static void one_more(void *count, const void *key, size_t len, uint64_t left_ms)
{
	(void)key, (void)len, (void)left_ms;
	*(uint64_t *)count += 1;
}

static void must(int rc, const struct err *why)
{
	if (!rc)
		return;
	fprintf(stderr, "sets: %s\n", why->text);
	exit(1);
}

/* How many elements all sets have. */
static uint64_t read_all(struct filter *filter, struct arena *a)
{
	struct filter_live live;
	struct err why;
	uint64_t all = 0;

	must(filter_look(filter, &live, FILTER_WANT_SETS, a, &why), &why);
	for (size_t i = 0; i < live.set_count; i++) {
		uint64_t elements = 0;
		const struct filter_elements to = { none_yet, one_more, &elements };

		must(filter_set_elements(filter, live.sets[i].table, live.sets[i].name, &to, &why), &why);
		all += elements;
	}
	return all;
}

static void forget(struct filter *filter)
{
	own(filter_change) struct filter_change c = { 0 };
	struct err why;

	filter_change_no_table(&c, FILTER_NETDEV);
	must(filter_commit_loose(filter, &c, &why), &why);
}

static void measure_nft(struct filter *filter, enum shape shape, size_t count, const struct ir *ir, struct arena *a)
{
	struct plan plan = { 0 };
	struct emit_nft nft;
	struct err why;
	own(filter_change) struct filter_change c = { 0 };

	emit_plan(&plan, ir, a);
	double made = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	must(emit_nft(&nft, &plan, ir, a, &why), &why);
	made = clock_ms(CLOCK_THREAD_CPUTIME_ID) - made;
	batch_place(&nft.epiderme, 'a');
	filter_change_batch(&c, &nft.epiderme);
	double loaded = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	must(filter_commit_loose(filter, &c, &why), &why);
	loaded = clock_ms(CLOCK_THREAD_CPUTIME_ID) - loaded;
	printf("%-9s %8zu  nft: made in %.0f ms, %zu KB, loaded in %.0f ms", shapes[shape], count, made, nft.epiderme.len / 1024, loaded);
	if (count <= READ_MOST) {
		double read = clock_ms(CLOCK_THREAD_CPUTIME_ID);
		const uint64_t elements = read_all(filter, a);
		read = clock_ms(CLOCK_THREAD_CPUTIME_ID) - read;
		printf(", its %llu elements read in %.0f ms", (unsigned long long)elements, read);
	}
	putchar('\n');
	printf("bench sets.%s.%zu.nft.load %.0f ms\n", shapes[shape], count, loaded);
	emit_nft_release(&nft);
	forget(filter);
}

static void measure(struct floor_run *f, struct filter *filter, enum shape shape, size_t count, unsigned rounds, unsigned repeat)
{
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	own(atlas) struct atlas atlas = { 0 };
	struct gen g = gen_new(7);
	struct plan plan = { 0 };
	struct prefix *p = draw(&g, shape, count, a);
	struct netset net = set_of(p, count, a);
	struct ir *ir = block_of(&net, a);
	struct err why = { 0 };
	double ratio[KINDS], ns[KINDS], floor_ns = 0;

	emit_plan(&plan, ir, a);
	double begun = now_ms();
	if (emit_xdp(&plan, ir, a, &why) || atlas_build(&atlas, plan.prefixes, plan.prefix_count, &why)) {
		fprintf(stderr, "sets: %s\n", why.text);
		exit(1);
	}
	double built = now_ms();
	if (xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why)) {
		fprintf(stderr, "sets: %s\n", why.text);
		exit(1);
	}
	double loaded = now_ms();
	xdp_run_at(x, 1, 0, 0);
	printf("%-9s %8zu  ", shapes[shape], count);
	for (enum kind kind = MISS; kind < KINDS; kind++) {
		if (kind == FLOOD) {
			f->trace->strange = 1;
		} else {
			fill(f->trace, &g, shape, &net, p, count, kind == HIT);
			judged_rightly(x, f->trace, kind == HIT);
		}
		struct floor_times t = floor_compare(f, xdp_run_program(x), rounds, repeat);
		ratio[kind] = t.policy_ns / t.floor_ns;
		ns[kind] = t.policy_ns - t.floor_ns;
		floor_ns = t.floor_ns;
	}
	printf("miss x%.2f (+%.1f ns)  flood x%.2f (+%.1f ns)  hit x%.2f (+%.1f ns, counted)  floor %.1f  %.1f bytes each, emit and build %.0f ms, load %.0f ms",
	       ratio[MISS], ns[MISS], ratio[FLOOD], ns[FLOOD], ratio[HIT], ns[HIT], floor_ns, 8.0 * atlas.words / (double)count,
	       built - begun, loaded - built);
	if (family_of(shape) == FAMILY_IP4) {
		double lpm = peer(f, "bench_lpm", "ask_lpm", p, count, false, rounds < 3 ? rounds : 3, repeat / 4);
		printf("  hit in the kernel's LPM x%.1f", lpm);
	}
	if (shape == HOSTS4)
		printf(", hash x%.1f", peer(f, "bench_hash", "ask_hash", p, count, true, rounds < 3 ? rounds : 3, repeat / 4));
	putchar('\n');
	for (enum kind kind = MISS; kind < KINDS; kind++)
		printf("bench sets.%s.%zu.%s %.2f x\n", shapes[shape], count, kinds[kind], ratio[kind]);
	measure_nft(filter, shape, count, ir, a);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 1000, 10000, 100000, 1000000 };
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 9, repeat = argc > 2 ? (unsigned)atoi(argv[2]) : 300000;
	size_t only = argc > 3 ? (size_t)atol(argv[3]) : 0;
	struct floor_run f = { 0 };
	struct filter *filter = NULL;
	struct err why;

	if (rounds < 1 || rounds > FLOOR_ROUNDS_MAX || repeat < 10) {
		fprintf(stderr, "usage: sets [ROUNDS [REPEAT [SIZE]]]\n");
		return 64;
	}
	floor_must(unshare(CLONE_NEWNET), "a network namespace");
	floor_open(&f, argv[0]);
	must(filter_open(&filter, &why), &why);
	for (size_t s = 0; s < (only ? 1 : ARRAY_LEN(sizes)); s++)
		for (int shape = 0; shape < SHAPES; shape++)
			measure(&f, filter, (enum shape)shape, only ? only : sizes[s], rounds, repeat);
	filter_free(filter);
	floor_release(&f);
	return 0;
}
