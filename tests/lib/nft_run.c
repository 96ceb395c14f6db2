#include "tests/lib/nft_run.h"

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

#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_live.h"

#define BATCH 64u /* fewer than a veth queues */

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- packets ----------------------------------------------------------------------------------- */

void nft_run_fill(struct nft_run *n, nft_run_draw draw, void *cls)
{
	struct floor_trace *t = n->floor.trace;
	const uint32_t zero = 0;

	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		uint8_t frame[128] = { 0 };
		const struct packet p = draw(cls);

		floor_must(!frame_build(&p, NULL, 0, frame, sizeof frame), "frame");
		memcpy(t->records[i].words, frame, FLOOR_BYTES);
	}
	t->next = t->strange = 0;
	t->out = if_nametoindex("xeth0");
	floor_must(bpf_map_update_elem(n->floor.trace_map, &zero, t, BPF_ANY), "bench_trace");
}

static double run(const struct nft_run *n, uint32_t packets)
{
	static const uint8_t frame[FLOOR_BYTES + 16];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof frame, .repeat = (int)packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	floor_must(bpf_prog_test_run_opts(n->floor.feed, &opts), "BPF_PROG_TEST_RUN");
	return opts.duration;
}

/* In whole traces. */
static double least_ns(const struct nft_run *n)
{
	const double probe = run(n, FLOOR_RECORDS);
	const unsigned traces = (unsigned)(3e8 / (probe * FLOOR_RECORDS)) + 1;
	double least = probe;

	for (unsigned i = 0; i < n->rounds; i++) {
		const double ns = run(n, traces * FLOOR_RECORDS);

		least = ns < least ? ns : least;
	}
	return least;
}

double nft_run_ns(const struct nft_run *n)
{
	return least_ns(n) - n->way_ns;
}

static void empty_behind(void)
{
	floor_must(!live_nft("table ip behind { }\ndelete table ip behind\n"
			     "table ip behind { counter passed { }\nchain c { type filter hook prerouting priority -299; policy drop;\n"
			     "counter name passed\n}\n}\n"), "nft");
}

unsigned nft_run_passed(const struct nft_run *n)
{
	char word[64];
	unsigned passed = 0;

	empty_behind();
	run(n, FLOOR_RECORDS);
	FILE *f = popen("nft list counter ip behind passed", "r");
	floor_must(!f, "nft");
	while (fscanf(f, "%63s", word) == 1)
		if (!strcmp(word, "packets") && fscanf(f, "%u", &passed) != 1)
			passed = 0;
	pclose(f);
	return passed;
}

/* --- rulesets -------------------------------------------------------------------------------------- */

double nft_text_ms(const struct buf *text)
{
	const double begun = now_ms(CLOCK_MONOTONIC);

	floor_must(!live_nft(buf_text(text)), "nft");
	return now_ms(CLOCK_MONOTONIC) - begun;
}

void nft_unload(const char *table)
{
	own(buf) struct buf b = { 0 };

	buf_printf(&b, "delete table %s\n", table);
	floor_must(!live_nft(buf_text(&b)), "nft");
}

double nft_load_ms(struct filter *f, const struct batch *b)
{
	own(filter_change) struct filter_change c = { 0 };
	struct err why;

	filter_change_batch(&c, b);
	const double begun = now_ms(CLOCK_THREAD_CPUTIME_ID);
	floor_must(filter_commit_loose(f, &c, &why), why.text);
	return now_ms(CLOCK_THREAD_CPUTIME_ID) - begun;
}

/* --- the namespace ------------------------------------------------------------------------------------ */

static struct packet any_packet(void *cls)
{
	(void)cls;
	return craft_packet(PROTO_UDP, "10.0.0.1", 1, "10.0.0.2", 2);
}

void nft_run_open(struct nft_run *n, const char *self, unsigned rounds)
{
	const uint32_t zero = 0;
	struct err why;

	*n = (struct nft_run){ .rounds = rounds };
	floor_must(unshare(CLONE_NEWNET), "a network namespace");
	floor_must(system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; "
			  "ip link add eth0 address 02:00:00:00:00:02 type veth peer name xeth0 && ip link set xeth0 up && "
			  "ip link set eth0 up && ethtool -K eth0 gro on"), "links");
	floor_open(&n->floor, self);
	const int send = bpf_program__fd(bpf_object__find_program_by_name(n->floor.object, "send"));
	floor_must(bpf_map_update_elem(n->floor.next, &zero, &send, BPF_ANY), "bench_next");
	floor_must(filter_open(&n->filter, &why), "a netlink socket");
	nft_run_fill(n, any_packet, NULL);
	empty_behind();
	n->way_ns = least_ns(n);
}

void nft_run_close(struct nft_run *n)
{
	filter_free(n->filter);
	floor_release(&n->floor);
}
