#include "compiler/engine/xdp.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/partial.h"
#include "enforcer/hook/tables/tables.h"

/* BPF_PROG_TEST_RUN says that frames arrive on the loopback of this namespace. */
#define TEST_IFINDEX 1

/* The longest frame that a test can mean: 65535 bytes of IP behind the longest header of Ethernet. */
#define FRAME_MOST (65535 + 18)

/* One test in the kernel, and in eval beside it. */
struct engine {
	const struct ir *ir;
	const struct pol_test *test;
	struct shared shared;
	struct tables *tables;
	struct ring_buffer *events;
	uint8_t emits; /* what the program told since it was last cleared: bit per severity */
	struct moment *moment;
	struct addr own[FAMILY_COUNT];
	uint64_t now_ns, zones;
	uint8_t *frame;
};

static void engine_release(struct engine *e)
{
	ring_buffer__free(e->events);
	tables_free(e->tables);
	shared_release(&e->shared);
	moment_free(e->moment);
}

static int hear_event(void *cls, void *data, size_t len)
{
	const struct teg_event *told = data;
	struct engine *e = cls;

	if (len >= sizeof *told && told->does & TEG_DOES_TELL)
		e->emits |= (uint8_t)(1u << (told->severity % EVENT_SEVERITY_COUNT));
	return 0;
}

static int engine_load(struct engine *e, struct arena *a, struct err *why)
{
	struct plan plan;
	struct tables_load load = { .shared = &e->shared, .plan = &plan, .given_clock = true, .tell_all = true };
	uint32_t *slots;
	int rc;

	emit_plan(&plan, e->ir, a);
	rc = emit_xdp(&plan, e->ir, a, why);
	if (rc)
		return rc;
	slots = arena_zero(a, (plan.counter_count + 1) * sizeof *slots);
	for (uint32_t i = 0; i < plan.counter_count; i++)
		slots[i] = i;
	load.slots = slots;
	load.object = emit_program(TEG_HOOK_XDP, &load.object_len);
	rc = shared_open(&e->shared, NULL, why);
	if (rc)
		return rc;
	e->events = ring_buffer__new(e->shared.events, hear_event, e, NULL);
	return e->events ? tables_load(&e->tables, &load, why) : err_sys(why, "cannot read events");
}

static int engine_set(struct engine *e, struct err *why)
{
	const uint32_t zero = 0;
	struct teg_active active;

	if (bpf_map_lookup_elem(e->shared.active, &zero, &active))
		return err_sys(why, "cannot read the posture");
	active.posture[0] = e->test->posture;
	if (bpf_map_update_elem(e->shared.active, &zero, &active, BPF_ANY))
		return err_sys(why, "cannot set the posture");
	return shared_set_self(&e->shared, e->own, FAMILY_COUNT, why);
}

static int engine_new(struct engine *e, struct arena *a, struct err *why)
{
	struct netset *self = arena_zero(a, sizeof *self);
	int rc;

	e->moment = moment_new(e->ir);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		e->own[f] = trial_own_address(e->test, (enum family)f);
		struct netset one = netset_of_range(a, (enum family)f, (struct addr_range){ e->own[f].num, e->own[f].num });
		*self = netset_join(a, self, &one);
	}
	moment_set_posture(e->moment, e->test->posture);
	moment_set_self(e->moment, self);
	e->frame = arena_zero(a, FRAME_MOST);
	rc = engine_load(e, a, why);
	return rc ? rc : engine_set(e, why);
}

/* What the next packets meet. */
static int engine_at(struct engine *e, unsigned zone, struct err *why)
{
	uint64_t zones = 1ull << zone;
	int rc = 0;

	if (zones != e->zones)
		rc = tables_set_zone(e->tables, TEST_IFINDEX, zones, why);
	e->zones = zones;
	return rc ? rc : tables_set_clock(e->tables, e->now_ns, why);
}

static int frame_run(struct engine *e, size_t len, bool *dropped, struct err *why)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = e->frame, .data_size_in = (uint32_t)len, .repeat = 1);

	if (bpf_prog_test_run_opts(tables_program(e->tables, TEG_HOOK_XDP), &run))
		return err_sys(why, "cannot run the program");
	*dropped = run.retval == XDP_DROP;
	e->emits = 0;
	return ring_buffer__consume(e->events) < 0 ? err_sys(why, "cannot read events") : 0;
}

static bool should_drop(const struct engine *e, const struct packet *p, const struct outcome *o)
{
	if (o->verdict != VERDICT_ALLOW)
		return true;
	return !o->rule && !strcmp(o->why, WHY_GOES_ON) && eval_closed_drops(e->moment, p);
}

static int case_run(struct engine *e, const struct pol_case *c, struct xdp_trial *out, struct err *why)
{
	struct partial p = partial_of(&c->packet, e->own[c->packet.family], e->ir->zone_count);
	size_t len = frame_build(&p.packet, p.packet.payload, p.packet.payload_len, e->frame, FRAME_MOST);
	uint64_t times = c->times ? c->times : 1;
	int rc = engine_at(e, p.packet.zone, why);

	for (uint64_t i = 1; !rc && len && i <= times && !out->differs; i++) {
		struct outcome o = eval_epiderme(e->moment, &p.packet);
		bool dropped = false;

		rc = frame_run(e, len, &dropped, why);
		if (rc)
			break;
		out->packets++;
		const bool agrees = dropped == should_drop(e, &p.packet, &o);
		if (!agrees || e->emits != o.emits) {
			out->differs = c;
			out->packet = i;
			out->dropped = dropped;
			out->agrees = agrees;
			out->emits = e->emits;
			out->outcome = o;
		}
	}
	return rc;
}

static int cases_run(struct engine *e, struct xdp_trial *out, struct err *why)
{
	int rc = 0;

	for (size_t i = 0; i < e->test->case_count && !rc && !out->differs; i++) {
		const struct pol_case *c = &e->test->cases[i];

		if (c->kind == CASE_PACKETS && c->packet.direction != DIRECTION_OUT)
			rc = case_run(e, c, out, why);
		e->now_ns += c->within_ns;
		moment_pass(e->moment, c->within_ns);
	}
	return rc;
}

int xdp_trial_run(struct xdp_trial *out, const struct ir *ir, const struct pol_test *test, struct arena *a,
		  struct err *why)
{
	struct engine e = { .ir = ir, .test = test, .shared = SHARED_NONE };
	int rc;

	*out = (struct xdp_trial){ 0 };
	if (!ir->zone_count)
		return 0; /* it is attached nowhere */
	if (!tables_may_run(TEG_HOOK_XDP, why))
		return -ENOTSUP;
	rc = engine_new(&e, a, why);
	if (!rc)
		rc = cases_run(&e, out, why);
	engine_release(&e);
	return rc;
}
