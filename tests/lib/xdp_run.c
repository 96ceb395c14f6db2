#include "tests/lib/xdp_run.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include "compiler/emit/emit.h"
#include "enforcer/hook/atlas/atlas.h"
#include "enforcer/hook/block_table.h"
#include "enforcer/hook/tables/tables.h"
#include "tests/lib/ring_read.h"

/*
 * BPF_PROG_TEST_RUN says to XDP that frames arrive on the loopback of this namespace, and to TC what it is told. Linux 5.15 cannot be
 * told (net/bpf/test_run.c, convert___skb_to_skb): there they are of interface 0.
 */
#define TEST_IFINDEX 1

struct xdp_run {
	enum teg_hook hook;
	uint32_t tc_ifindex, segments;
	struct shared shared;
	struct tables *tables;
	uint64_t zones, now_ns;
	unsigned posture;
	unsigned cpus;
	struct teg_counter *per_cpu;
	struct ring_read ring;
	struct xdp_run_told told;
	struct tables_spent spent;
};

double xdp_run_load_ms(const struct xdp_run *x)
{
	return x->spent.make_ms + x->spent.open_ms + x->spent.load_ms + x->spent.fill_ms;
}

const struct tables_spent *xdp_run_spent(const struct xdp_run *x)
{
	return &x->spent;
}

static enum tables_loops loops_said = TABLES_LOOPS_AS_TAKEN;

void xdp_run_loops(enum tables_loops loops)
{
	loops_said = loops;
}

/* Nothing is tried twice here: what a kernel that can does not take is a fault. */
static enum tables_loops loops_of_kernel(void)
{
	if (loops_said != TABLES_LOOPS_AS_TAKEN)
		return loops_said;
	return tables_kernel_ends_loops() ? TABLES_LOOPS_FREE : TABLES_LOOPS_COUNTED;
}

static void must(bool held, const char *what)
{
	if (held)
		return;
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void hear(struct xdp_run_told *told, const void *data, size_t len)
{
	must(len >= sizeof told->last, "an event's length");
	memcpy(&told->last, data, sizeof told->last);
	told->count++;
	if (told->last.does & TEG_DOES_TELL)
		told->severities |= (uint8_t)(1u << told->last.severity);
}

int xdp_run_new_in(struct xdp_run **out, enum teg_hook hook, const struct plan *plan, enum xdp_run_clock clock,
		   struct err *why)
{
	own(xdp_run) struct xdp_run *x = calloc(1, sizeof *x);
	own(mem) uint32_t *slots = calloc(plan->counter_count + 1, sizeof *slots);
	struct tables_load load = { .plan = plan, .slots = slots, .given_clock = clock == XDP_RUN_GIVEN_CLOCK, .loops = loops_of_kernel(),
				    .tell_all = clock == XDP_RUN_GIVEN_CLOCK, .number = 7, .hook = hook };

	must(x && slots, "memory");
	x->hook = hook;
	x->tc_ifindex = xdp_run_hook() == TEG_HOOK_XDP ? TEST_IFINDEX : 0;
	x->shared = (struct shared)SHARED_NONE;
	x->cpus = (unsigned)libbpf_num_possible_cpus();
	x->per_cpu = calloc(x->cpus, sizeof *x->per_cpu);
	must(x->per_cpu, "memory");
	for (uint32_t i = 0; i < plan->counter_count; i++)
		slots[i] = i;

	int rc = shared_open(&x->shared, NULL, why);
	if (rc)
		return rc;
	if (plan->counter_count > TEG_SLOTS_FIRST)
		rc = shared_make_more(&x->shared, NULL, why);
	if (rc)
		return rc;
	load.shared = &x->shared;
	load.object = emit_program(hook, &load.object_len);
	load.spent = &x->spent;
	rc = tables_load(&x->tables, &load, why);
	if (rc)
		return rc;
	must(ring_read_open(&x->ring, x->shared.events, TEG_EVENTS_BYTES), "the ring of events");
	x->zones = x->posture = ~0u;
	xdp_run_at(x, 0, 0, 0);
	*out = take(x);
	return 0;
}

int xdp_run_join(struct xdp_run *x, enum teg_hook hook, const struct plan *plan, struct err *why)
{
	struct tables_load load = { .plan = plan, .hook = hook };

	load.object = emit_program(hook, &load.object_len);
	return tables_join(x->tables, &load, why);
}

void xdp_run_feed(struct xdp_run *x, const struct plan_prefix *on, uint32_t count)
{
	xdp_run_feed_beside(x, on, count);
	xdp_run_fed(x);
}

void xdp_run_feed_beside(struct xdp_run *x, const struct plan_prefix *on, uint32_t count)
{
	own(atlas) struct atlas a = { 0 };
	struct err why;

	must(!atlas_build(&a, on, count, &why), "what is on feeds");
	must(!tables_feed(x->tables, count ? &a : NULL, &why), "feeds");
}

void xdp_run_fed(struct xdp_run *x)
{
	struct err why;

	must(!tables_fed(x->tables, &why), "feeds");
}

void xdp_run_ask(struct xdp_run *x, enum teg_hook hook)
{
	x->hook = hook;
}

void xdp_run_merged(struct xdp_run *x, uint32_t segments)
{
	x->segments = segments;
}

int xdp_run_new(struct xdp_run **out, const struct plan *plan, enum xdp_run_clock clock, struct err *why)
{
	return xdp_run_new_in(out, TEG_HOOK_XDP, plan, clock, why);
}

enum teg_hook xdp_run_hook(void)
{
	return tables_may_run(TEG_HOOK_XDP, &(struct err){ 0 }) ? TEG_HOOK_XDP : TEG_HOOK_TC;
}

void xdp_run_free(struct xdp_run *x)
{
	if (!x)
		return;
	ring_read_close(&x->ring);
	tables_free(x->tables);
	shared_release(&x->shared);
	free(x->per_cpu);
	free(x);
}

void xdp_run_at(struct xdp_run *x, uint64_t zones, unsigned posture, uint64_t now_ns)
{
	const uint32_t zero = 0;
	struct err why;

	if (zones != x->zones)
		must(!tables_set_zone(x->tables, TEST_IFINDEX, zones, &why) &&
		     !tables_set_zone(x->tables, x->tc_ifindex, zones, &why), "zone");
	if (now_ns != x->now_ns)
		must(!tables_set_clock(x->tables, now_ns, &why), "clock");
	if (posture != x->posture) {
		struct teg_active active;

		must(!bpf_map_lookup_elem(x->shared.active, &zero, &active), "teg_active");
		active.posture[0] = posture;
		must(!bpf_map_update_elem(x->shared.active, &zero, &active, BPF_ANY), "teg_active");
	}
	x->zones = zones;
	x->now_ns = now_ns;
	x->posture = posture;
}

void xdp_run_self(struct xdp_run *x, const struct addr *own_addresses, size_t count)
{
	struct err why = { 0 };

	must(!shared_set_self(&x->shared, own_addresses, count, &why), why.text);
}

void xdp_run_block(struct xdp_run *x, struct addr source, uint64_t until_ns)
{
	struct err why = { 0 };

	must(!block_table_once(&x->shared, block_host(source), until_ns, 0, &why), why.text);
}

void xdp_run_block_nets(struct xdp_run *x, const struct prefix *at, size_t count, uint64_t until_ns)
{
	own(block_table) struct block_table t = { 0 };
	struct err why = { 0 };

	must(!block_table_open(&t, &x->shared, &why), why.text);
	for (size_t i = 0; i < count; i++)
		must(block_table_set(&t, at[i], until_ns, TEG_BLOCK_NOBODY, x->now_ns), "a place for a network");
	block_table_tidy(&t, x->now_ns);
}

bool xdp_run_takes(const struct xdp_run *x, const uint8_t *frame, size_t len)
{
	const size_t ip = XDP_RUN_FRAME_MIN;

	if (x->hook == TEG_HOOK_TC && len > XDP_RUN_SKB_MAX)
		return false;
	if (x->hook == TEG_HOOK_XDP || len <= ip)
		return len >= ip + (x->hook == TEG_HOOK_TC);
	const unsigned type = frame[ip - 2] << 8 | frame[ip - 1];
	return len >= ip + (type == ETH_P_IP ? 20u : type == ETH_P_IPV6 ? 40u : 0u);
}

unsigned xdp_run_frame(struct xdp_run *x, const uint8_t *frame, size_t len)
{
	struct __sk_buff skb = { .ingress_ifindex = x->tc_ifindex, .gso_segs = x->segments, .gso_size = x->segments ? 1 : 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = 1);

	if (x->hook == TEG_HOOK_TC) {
		run.ctx_in = &skb;
		run.ctx_size_in = sizeof skb;
	}
	must(!bpf_prog_test_run_opts(tables_program(x->tables, x->hook), &run), "BPF_PROG_TEST_RUN");
	switch (tables_verdict(x->hook, run.retval)) {
	case TABLES_PASS:
		return XDP_PASS;
	case TABLES_DROP:
		return XDP_DROP;
	case TABLES_NEITHER:
		break;
	}
	return XDP_ABORTED;
}

static struct teg_counter counter_of(const struct xdp_run *x, int map, uint32_t at)
{
	struct teg_counter sum = { 0 };

	must(!bpf_map_lookup_elem(map, &at, x->per_cpu), "counter");
	for (unsigned i = 0; i < x->cpus; i++) {
		sum.packets += x->per_cpu[i].packets;
		sum.bytes += x->per_cpu[i].bytes;
	}
	return sum;
}

struct teg_counter xdp_run_counter(const struct xdp_run *x, uint32_t slot)
{
	return shared_count(&x->shared, slot);
}

struct teg_counter xdp_run_cause(const struct xdp_run *x, enum cause c)
{
	return counter_of(x, x->shared.causes, c);
}

struct xdp_run_told xdp_run_told(struct xdp_run *x)
{
	const void *data;

	x->told = (struct xdp_run_told){ 0 };
	for (size_t len; (data = ring_read_next(&x->ring, &len));)
		hear(&x->told, data, len);
	return x->told;
}

void xdp_run_tick(struct xdp_run *x, uint32_t tick)
{
	const uint32_t zero = 0;
	struct teg_active active;

	must(!bpf_map_lookup_elem(x->shared.active, &zero, &active), "teg_active");
	active.tick = tick;
	must(!bpf_map_update_elem(x->shared.active, &zero, &active, BPF_ANY), "teg_active");
}

struct teg_telling xdp_run_telling(const struct xdp_run *x)
{
	own(mem) struct teg_telling *cpus = calloc(x->cpus, sizeof *cpus);
	struct teg_telling sum = { 0 };
	const uint32_t zero = 0;

	must(cpus && !bpf_map_lookup_elem(x->shared.telling, &zero, cpus), "teg_telling");
	for (unsigned i = 0; i < x->cpus; i++) {
		sum.told += cpus[i].told;
		sum.full += cpus[i].full;
		sum.rate += cpus[i].rate;
		sum.crowded += cpus[i].crowded;
	}
	return sum;
}

int xdp_run_program(const struct xdp_run *x)
{
	return tables_program(x->tables, x->hook);
}

const struct shared *xdp_run_shared(const struct xdp_run *x)
{
	return &x->shared;
}
