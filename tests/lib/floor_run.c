#include "tests/lib/floor_run.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

void floor_must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(rc < 0 ? -rc : errno));
	exit(1);
}

void floor_open(struct floor_run *b, const char *self)
{
	floor_open_in(b, TEG_HOOK_XDP, self);
}

/* BUILD/bpf/floor.bpf.o, seen from BUILD/tests/bench/NAME. */
void floor_open_in(struct floor_run *b, enum teg_hook hook, const char *self)
{
	char path[4096];
	cpu_set_t cpu;
	const char *slash = strrchr(self, '/');

	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	floor_must(sched_setaffinity(0, sizeof cpu, &cpu), "sched_setaffinity");
	snprintf(path, sizeof path, "%.*s/../../bpf/%s.bpf.o", slash ? (int)(slash - self) : 1, slash ? self : ".",
		 hook == TEG_HOOK_TC ? "floor_tc" : "floor");
	struct bpf_object *o = bpf_object__open_file(path, NULL);
	floor_must(o ? 0 : -errno, path);
	floor_must(bpf_object__load(o), path);
	b->hook = hook;
	b->object = o;
	b->feed = bpf_program__fd(bpf_object__find_program_by_name(o, "feed"));
	b->floor = bpf_program__fd(bpf_object__find_program_by_name(o, "read_only"));
	b->next = bpf_object__find_map_fd_by_name(o, "bench_next");
	b->trace_map = bpf_object__find_map_fd_by_name(o, "bench_trace");
	b->trace = calloc(1, sizeof *b->trace);
	floor_must(b->trace ? 0 : -ENOMEM, "trace");
}

void floor_release(struct floor_run *b)
{
	free(b->trace);
	bpf_object__close(b->object);
	*b = (struct floor_run){ 0 };
}

#define FLOOR_BROKEN 0u /* XDP_ABORTED, TC_ACT_OK */

/* Thread CPU time, not wall time: the call first waits until the kernel knows the program. */
static double run(const struct floor_run *b, int program, unsigned repeat)
{
	static const uint8_t frame[FLOOR_BYTES + 16];
	const uint32_t zero = 0;
	struct __sk_buff skb = { .ingress_ifindex = 1 }; /* as XDP is told without being asked */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof frame, .repeat = (int)repeat,
		    .ctx_in = b->hook == TEG_HOOK_TC ? &skb : NULL, .ctx_size_in = b->hook == TEG_HOOK_TC ? sizeof skb : 0);
	struct timespec from, to;

	floor_must(bpf_map_update_elem(b->next, &zero, &program, BPF_ANY), "bench_next");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	floor_must(bpf_prog_test_run_opts(b->feed, &opts), "BPF_PROG_TEST_RUN");
	floor_must(opts.retval == FLOOR_BROKEN ? -EPROTO : 0, "the feeder found no trace or no program");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / repeat;
}

void floor_put_trace(const struct floor_run *b)
{
	const uint32_t zero = 0;

	floor_must(bpf_map_update_elem(b->trace_map, &zero, b->trace, BPF_ANY), "bench_trace");
}

double floor_mean(const struct floor_run *b, int program, unsigned packets)
{
	return run(b, program, packets);
}

static int by_size(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

struct floor_times floor_compare(struct floor_run *b, int program, unsigned rounds, unsigned repeat)
{
	double floor_ns[FLOOR_ROUNDS_MAX], policy_ns[FLOOR_ROUNDS_MAX];

	floor_put_trace(b);
	run(b, b->floor, repeat / 10);
	run(b, program, repeat / 10);
	for (unsigned i = 0; i < rounds; i++) {
		floor_ns[i] = run(b, b->floor, repeat);
		policy_ns[i] = run(b, program, repeat);
	}
	qsort(floor_ns, rounds, sizeof *floor_ns, by_size);
	qsort(policy_ns, rounds, sizeof *policy_ns, by_size);
	return (struct floor_times){ floor_ns[0], policy_ns[0], floor_ns[rounds / 2], policy_ns[rounds / 2] };
}
