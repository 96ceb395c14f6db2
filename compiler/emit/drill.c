/*
 * drill - the packets of the policy's tests as frames, and what the first hook
 * must do with them: eval's word, packet by packet. A test that is known not to hold
 * (todo) is nothing for the host to try.
 */
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/partial.h"
#include "compiler/ir/trial.h"
#include "lang/base/strmap.h"

/* One test under way. */
struct drilling {
	const struct ir *ir;
	const struct plan *plan;
	struct arena *arena;
	struct strmap counters; /* by id: struct plan_counter */
	const struct pol_test *test;
	struct moment *moment;
	struct addr self[FAMILY_COUNT];
	uint64_t packets; /* so far, of all tests */
};

static uint32_t counter_of(const struct drilling *d, const char *id)
{
	const struct plan_counter *c = strmap_find(&d->counters, id);

	return c ? (uint32_t)(c - d->plan->counters) : DRILL_NOBODY;
}

/* What the first hook does with the packet, and what it counts it to. */
static struct drill_run run_of(const struct drilling *d, const struct packet *p)
{
	const struct outcome o = eval_epiderme(d->moment, p);

	if (o.rule)
		return (struct drill_run){ 1, o.verdict != VERDICT_ALLOW, counter_of(d, o.rule->id) };
	if (strcmp(o.why, WHY_GOES_ON))
		return (struct drill_run){ 1, o.verdict != VERDICT_ALLOW, counter_of(d, o.why) };
	if (eval_closed_drops(d->moment, p))
		return (struct drill_run){ 1, true, d->plan->config.closed_slot[d->test->posture] };
	return (struct drill_run){ 1, false, DRILL_NOBODY };
}

struct run_list {
	struct drill_run *at;
	size_t len, room;
};

static void add_run(struct drilling *d, struct run_list *runs, struct drill_run r)
{
	struct drill_run *last = runs->len ? &runs->at[runs->len - 1] : NULL;

	if (last && last->dropped == r.dropped && last->by == r.by)
		last->packets++;
	else
		vec_push(d->arena, runs, r);
}

/* Does the first hook decide the packets that the test asks about? */
static bool is_decided(const struct pol_case *c, const struct run_list *runs)
{
	for (size_t i = c->last ? runs->len - 1 : 0; i < runs->len; i++)
		if (runs->at[i].by == DRILL_NOBODY)
			return false;
	return true;
}

/* False when it cannot be tried. */
static bool drill_packets(struct drilling *d, const struct pol_case *c, struct drill_case *out)
{
	const struct partial p = partial_of(&c->packet, d->self[c->packet.family], d->ir->zone_count);
	const uint64_t times = c->times ? c->times : 1;
	uint8_t frame[DRILL_FRAME_MAX];
	struct run_list runs = { 0 };

	d->packets += times;
	if (times > DRILL_PACKETS_MAX || d->packets > DRILL_PACKETS_MAX)
		return false;
	out->len = (uint32_t)frame_build(&p.packet, p.packet.payload, p.packet.payload_len, frame, sizeof frame);
	if (!out->len)
		return false;
	for (uint64_t i = 0; i < times; i++)
		add_run(d, &runs, run_of(d, &p.packet));
	out->frame = arena_copy(d->arena, frame, out->len);
	out->zone = (uint8_t)p.packet.zone;
	out->runs = runs.at;
	out->run_count = (uint32_t)runs.len;
	out->asked = is_decided(c, &runs);
	return true;
}

static bool is_packets(const struct pol_case *c)
{
	return c->kind == CASE_PACKETS;
}

/* False when the host cannot try it. Cases keep their places, so that a failure names the one that was written. */
static bool drill_cases(struct drilling *d, struct drill_test *out)
{
	out->cases = arena_zero(d->arena, d->test->case_count * sizeof *out->cases);
	out->case_count = (uint32_t)d->test->case_count;
	for (size_t i = 0; i < d->test->case_count; i++) {
		const struct pol_case *c = &d->test->cases[i];

		if (is_packets(c) && c->packet.direction != DIRECTION_OUT && !drill_packets(d, c, &out->cases[i]))
			return false;
		out->cases[i].then_ns = c->within_ns;
		moment_pass(d->moment, c->within_ns);
	}
	return true;
}

static bool drill_test(struct drilling *d, const struct pol_test *t, uint32_t index, struct drill_test *out)
{
	struct netset *self = arena_zero(d->arena, sizeof *self);
	own(moment) struct moment *moment = moment_new(d->ir);

	*out = (struct drill_test){ .name = t->name, .index = index, .posture = t->posture };
	for (int f = 0; f < FAMILY_COUNT; f++) {
		out->self[f] = d->self[f] = trial_own_address(t, (enum family)f);
		struct netset one = netset_of_range(d->arena, (enum family)f,
						    (struct addr_range){ d->self[f].num, d->self[f].num });
		*self = netset_join(d->arena, self, &one);
	}
	moment_set_posture(moment, t->posture);
	moment_set_self(moment, self);
	d->test = t;
	d->moment = moment;
	return drill_cases(d, out);
}

static uint32_t asks_of_host(const struct pol_test *t)
{
	uint32_t n = 0;

	for (size_t i = 0; i < t->case_count; i++)
		n += is_packets(&t->cases[i]);
	return n;
}

static bool is_for_the_host(const struct ir *ir, const struct pol_test *t)
{
	return ir->zone_count && !t->todo && *t->name && strlen(t->name) <= DRILL_NAME_MAX;
}

void emit_drill(struct drill *out, const struct plan *plan, const struct ir *ir, struct arena *a)
{
	const struct policy *p = ir->policy;
	struct drilling d = { .ir = ir, .plan = plan, .arena = a };
	uint32_t asks = 0;

	*out = (struct drill){ .tests = arena_zero(a, (p->test_count + 1) * sizeof *out->tests) };
	strmap_init(&d.counters, a);
	for (uint32_t i = 0; p->test_count && i < plan->counter_count; i++)
		strmap_put(&d.counters, plan->counters[i].id, &plan->counters[i]);
	for (size_t i = 0; i < p->test_count && out->test_count < DRILL_TESTS_MAX; i++) {
		const uint64_t packets = d.packets;

		asks += asks_of_host(&p->tests[i]);
		if (!is_for_the_host(ir, &p->tests[i]))
			continue;
		if (drill_test(&d, &p->tests[i], (uint32_t)i + 1, &out->tests[out->test_count]))
			out->test_count++;
		else
			d.packets = packets;
	}
	out->elsewhere = asks - drill_asked(out);
}
