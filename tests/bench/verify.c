/*
 * What it takes to load a policy into the first hook: a row for each bundle and hook, and for ClassBench's lists.
 *
 *     verify [-c] [BUNDLE...]            -c: loops as kernels before 6.12 have them
 *
 * What the verifier has looked at is the same in every run on a kernel: the instructions of the program, those that it processed,
 * the states that it kept, and the most that it kept at once. The times are processor time, the least of ROUNDS: tables made
 * of the plan, object opened and sized, maps made and program verified, tables filled. Maps that outlive generations are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "compiler/emit/emit.h"
#include "enforcer/hook/tables/tables.h"
#include "lang/base/file.h"
#include "lang/bundle/bundle.h"
#include "tests/lib/classbench.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define ROUNDS 5

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* "... processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0" */
static long said(const char *log, const char *word)
{
	const char *at = strstr(log, word);

	return at ? strtol(at + strlen(word), NULL, 10) : -1;
}

static struct bpf_prog_info info_of(int program)
{
	struct bpf_prog_info is = { 0 };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(program, &is, &len))
		perror("verify: the program");
	return is;
}

static void tell(const char *name, enum teg_hook hook, const struct plan *plan)
{
	struct tables_spent ms = { .make_ms = 1e9, .open_ms = 1e9, .load_ms = 1e9, .fill_ms = 1e9 };
	struct bpf_prog_info is = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		own(xdp_run) struct xdp_run *x = NULL;
		struct err why;

		if (xdp_run_new_in(&x, hook, plan, XDP_RUN_REAL_CLOCK, &why)) {
			printf("%-14s %-3s  %s\n", name, hook == TEG_HOOK_TC ? "tc" : "xdp", why.text);
			return;
		}
		const struct tables_spent *took = xdp_run_spent(x);
		ms.make_ms = least(ms.make_ms, took->make_ms);
		ms.open_ms = least(ms.open_ms, took->open_ms);
		ms.load_ms = least(ms.load_ms, took->load_ms);
		ms.fill_ms = least(ms.fill_ms, took->fill_ms);
		memcpy(ms.said, took->said, sizeof ms.said);
		is = info_of(xdp_run_program(x));
	}
	printf("%-14s %-3s %6u %7u %9ld %7ld %7ld  %6.1f %6.1f %6.1f %6.1f  %6.1f\n", name, hook == TEG_HOOK_TC ? "tc" : "xdp", plan->box_count,
	       is.xlated_prog_len / 8, said(ms.said, "processed "), said(ms.said, "total_states "), said(ms.said, "peak_states "),
	       ms.make_ms, ms.open_ms, ms.load_ms, ms.fill_ms, ms.make_ms + ms.open_ms + ms.load_ms + ms.fill_ms);
	fflush(stdout);
}

static void tell_both(const char *name, const struct plan *plan)
{
	for (enum teg_hook hook = 0; hook < TEG_HOOKS; hook++)
		tell(name, hook, plan);
}

static bool tell_bundle(const char *path)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *b = NULL;
	struct plan plan;
	struct err why = { 0 };

	if (file_read(&bytes, path, BUNDLE_BYTES_MAX, &why) || bundle_open(&b, bytes.at, bytes.len, &why)) {
		fprintf(stderr, "verify: %s\n", why.text);
		return false;
	}
	const struct bundle_member *m = bundle_find(b, "plan");
	if (!m || plan_decode(&plan, a, m->bytes, m->len, &why)) {
		fprintf(stderr, "verify: %s: %s\n", path, m ? why.text : "no plan");
		return false;
	}
	tell_both(plan.policy, &plan);
	return true;
}

static bool tell_list(const char *kind, size_t want)
{
	own(arena) struct arena *a = arena_new();
	char name[32];
	struct plan plan = { 0 };
	struct err why;
	size_t count;
	struct classbench_rule *rules = classbench_sized(&count, a, kind, want);

	if (!rules)
		return false;
	struct ir *ir = classbench_ir(rules, count, 1, a);
	emit_plan(&plan, ir, a);
	snprintf(name, sizeof name, "%s %zu", kind, want);
	if (emit_xdp(&plan, ir, a, &why))
		printf("%-14s      %s\n", name, why.text);
	else
		tell_both(name, &plan);
	return true;
}

int main(int argc, char **argv)
{
	static const struct { const char *kind; size_t want; } lists[] = {
		{ "acl", 10 },	  { "acl6", 10 },   { "acl", 1000 },  { "fw", 1000 },	  { "ipc", 1000 },    { "acl6", 1000 },
		{ "fw6", 1000 },  { "acl", 10000 }, { "fw", 10000 },  { "fw6", 10000 },  { "acl", 100000 },  { "fw", 100000 },
		{ "ipc6", 100000 },
	};
	bool read = true;
	int first = 1;

	if (first < argc && !strcmp(argv[first], "-c")) {
		xdp_run_loops(TABLES_LOOPS_COUNTED);
		first++;
	}
	printf("%-14s %-3s %6s %7s %9s %7s %7s  %6s %6s %6s %6s  %6s ms\n", "", "", "boxes", "long", "processed", "states", "at once",
	       "make", "open", "verify", "fill", "all");
	for (int i = first; i < argc; i++)
		read = tell_bundle(argv[i]) && read;
	for (size_t i = 0; i < ARRAY_LEN(lists) && tell_list(lists[i].kind, lists[i].want); i++)
		;
	return !read;
}
