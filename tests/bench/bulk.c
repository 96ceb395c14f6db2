/*
 * What long lists cost a packet in the first hook, against a program that only
 * reads the frame; how long they take to build and to load, and how much they hold.
 *
 *     bulk [ROUNDS [REPEAT [SIZE [KIND]]]]      KIND is acl, fw or ipc; acl6, fw6, ipc6 are the same rules for IPv6;
 *                                                      or DIRECTORY/FILE (tests/lib/classbench.h)
 *
 * The same in TC, against a floor of its own, for lists of up to a thousand.
 *
 * The lists are ClassBench's, read from ../shared/data/rulesets/classbench: every
 * so many of a list for 10 and 100 rules, every rule ten times in other networks
 * for 100,000. Packets lie in rules drawn evenly; one of five has another source.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/bpf.h>

#include "compiler/emit/emit.h"
#include "lang/bundle/bulk_pack.h"
#include "tests/lib/classbench.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define SIZE_TC_MOST 1000

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool fill(struct floor_trace *trace, struct arena *a, const char *kind, const struct classbench_rule *rules, size_t count)
{
	struct packet *p = arena_zero(a, FLOOR_RECORDS * sizeof *p);

	memset(trace, 0, sizeof *trace);
	if (!classbench_trace(p, FLOOR_RECORDS, kind, rules, count))
		return false;
	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		uint8_t frame[128] = { 0 };

		floor_must(!frame_build(&p[i], NULL, 0, frame, sizeof frame), "frame");
		memcpy(trace->records[i].words, frame, FLOOR_BYTES);
	}
	return true;
}

/* A bench of wrong verdicts measures nothing. */
static void judged_rightly(struct floor_run *f, struct xdp_run *x, const struct classbench_rule *rules, size_t count)
{
	struct gen g = gen_new(2);
	unsigned wrong = 0;

	for (unsigned i = 0; i < 500; i++) {
		uint8_t frame[128] = { 0 };
		struct packet p = classbench_packet(&g, rules, count);
		size_t len = frame_build(&p, NULL, 0, frame, sizeof frame), first = 0;

		while (first < count && !classbench_has(&rules[first], &p))
			first++;
		wrong += xdp_run_frame(x, frame, len) != (first < count ? XDP_DROP : XDP_PASS);
	}
	if (!wrong)
		return;
	fprintf(stderr, "bulk: %u of 500 packets are judged wrongly\n", wrong);
	floor_release(f);
	exit(1);
}

static bool measure(struct floor_run *f, enum teg_hook hook, const char *kind, size_t want, unsigned rounds, unsigned repeat)
{
	const char *in = hook == TEG_HOOK_TC ? "tc." : "";
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	struct plan plan = { 0 };
	struct err why;
	size_t count;
	struct classbench_rule *rules = classbench_sized(&count, a, kind, want);

	if (!rules || !fill(f->trace, a, kind, rules, count))
		return false;
	struct ir *ir = classbench_ir(rules, count, 1, a);
	double begun = now_ms();
	emit_plan(&plan, ir, a);
	if (emit_xdp(&plan, ir, a, &why)) {
		printf("%-3s %6zu  %s\n", kind, count, why.text);
		return true;
	}
	double built = now_ms();
	if (xdp_run_new_in(&x, hook, &plan, XDP_RUN_REAL_CLOCK, &why)) {
		fprintf(stderr, "bulk: %s\n", why.text);
		exit(1);
	}
	xdp_run_at(x, 1, 0, 0);
	judged_rightly(f, x, rules, count);

	const struct teg_bulk *t = &plan.config.bulk;
	struct floor_times ns = floor_compare(f, xdp_run_program(x), rounds, repeat);
	double bytes = plan.box_count * sizeof(struct teg_cell) + 8.0 * (double)bulk_pack(a, &plan, NULL).len;
	printf("%s%-4s %6zu  x%.2f  +%6.1f ns  (floor %.1f, median x%.2f)  %u trees, %u deep, leaves up to %u, %.1f copies, "
	       "%.0f bytes a rule, build %.0f ms, load %.0f ms\n", in, kind, count, ns.policy_ns / ns.floor_ns,
	       ns.policy_ns - ns.floor_ns, ns.floor_ns, ns.policy_median_ns / ns.floor_median_ns, t->groups[0] + t->groups[1], t->depth,
	       t->longest, t->cells ? (double)t->leaves / t->cells : 1, bytes / (double)count, built - begun,
	       xdp_run_load_ms(x));
	printf("bench bulk.%s%s.%zu.ratio %.2f x\n", in, kind, want, ns.policy_ns / ns.floor_ns);
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "acl", "fw", "ipc", "acl6", "fw6", "ipc6" };
	static const size_t sizes[] = { 10, 100, 1000, 10000, 100000 };
	size_t only = argc > 3 ? (size_t)atol(argv[3]) : 0;
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 9, repeat = argc > 2 ? (unsigned)atoi(argv[2]) : 300000;
	struct floor_run f[TEG_HOOKS] = { { 0 } };
	bool here = true;
	const bool file = argc > 4 && strchr(argv[4], '/');

	if (rounds < 1 || rounds > FLOOR_ROUNDS_MAX || repeat < 10) {
		fprintf(stderr, "usage: bulk [ROUNDS [REPEAT [SIZE [KIND]]]]\n");
		return 64;
	}
	for (enum teg_hook h = 0; h < TEG_HOOKS; h++)
		floor_open_in(&f[h], h, argv[0]);
	if (file)
		here = measure(&f[TEG_HOOK_XDP], TEG_HOOK_XDP, argv[4], only, rounds, repeat);
	for (size_t s = 0; s < ARRAY_LEN(sizes) && here && !file; s++)
		for (size_t k = 0; k < ARRAY_LEN(kinds) && here; k++)
			for (enum teg_hook h = 0; h < (sizes[s] > SIZE_TC_MOST ? TEG_HOOK_TC : TEG_HOOKS) && here; h++)
				if ((!only || only == sizes[s]) && (argc < 5 || !strcmp(argv[4], kinds[k])))
					here = measure(&f[h], h, kinds[k], sizes[s], rounds, repeat);
	if (!here)
		printf("skipped: ../shared/data/rulesets/classbench is not here\n");
	for (enum teg_hook h = 0; h < TEG_HOOKS; h++)
		floor_release(&f[h]);
	return 0;
}
