#include "enforcer/warden/generation/rehearse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

/* BPF_PROG_TEST_RUN says that frames arrive on the loopback of this namespace. */
#define TEST_IFINDEX 1

struct stage_play {
	const struct plan *plan;
	const struct drill_test *test;
	struct shared shared;
	struct tables *tables;
	uint32_t *slots;
	uint64_t now_ns;
	struct addr self[FAMILY_COUNT];
	int zone; /* -1: none yet */
};

static void stage_play_own_(struct stage_play *s)
{
	tables_free(s->tables);
	shared_release(&s->shared);
	free(s->slots);
}

static int play_open(struct stage_play *s, const struct tables_load *as, struct err *why)
{
	struct tables_load load = { .shared = &s->shared, .object = as->object, .object_len = as->object_len,
				    .plan = as->plan, .given_clock = true };

	s->plan = as->plan;
	s->slots = calloc(as->plan->counter_count + 1, sizeof *s->slots);
	if (!s->slots)
		return err_set(why, ENOMEM, "no memory for the tests");
	for (uint32_t i = 0; i < as->plan->counter_count; i++)
		s->slots[i] = i;
	load.slots = s->slots;
	int rc = shared_open(&s->shared, NULL, why);
	if (!rc && as->plan->counter_count > TEG_SLOTS_FIRST)
		rc = shared_make_more(&s->shared, NULL, why);
	return rc ? rc : tables_load(&s->tables, &load, why);
}

/* ---- one test --------------------------------------------------------------------- */

static bool same_self(const struct stage_play *s)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (s->self[f].num != s->test->self[f].num)
			return false;
	return true;
}

static int play_begin(struct stage_play *s, struct err *why)
{
	const uint32_t zero = 0;
	struct teg_active active = { .posture = { s->test->posture } };
	int rc = shared_forget(&s->shared, why);

	if (rc)
		return rc;
	if (bpf_map_update_elem(s->shared.active, &zero, &active, BPF_ANY))
		return err_sys(why, "cannot set the posture");
	s->now_ns = 0;
	if (same_self(s))
		return 0;
	memcpy(s->self, s->test->self, sizeof s->self);
	return shared_set_self(&s->shared, s->self, FAMILY_COUNT, why);
}

static int frames_run(struct stage_play *s, const struct drill_case *c, uint32_t times, uint32_t *answer, struct err *why)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = c->frame, .data_size_in = c->len, .repeat = (int)times);

	if (bpf_prog_test_run_opts(tables_program(s->tables, TEG_HOOK_XDP), &run))
		return err_sys(why, "cannot try the program out");
	*answer = run.retval;
	return 0;
}

/* What the counter does not tell: each packet alone, and nothing may drop it. */
static int run_uncounted(struct stage_play *s, const struct drill_case *c, const struct drill_run *r, bool *held,
			 struct err *why)
{
	int rc = 0;

	for (uint32_t i = 0; i < r->packets && *held && !rc; i++) {
		uint32_t answer = XDP_ABORTED;

		rc = frames_run(s, c, 1, &answer, why);
		*held = answer == XDP_PASS;
	}
	return rc;
}

/* All at once: each that the rule decides is counted to it. */
static int run_counted(struct stage_play *s, const struct drill_case *c, const struct drill_run *r, bool *held,
		       struct err *why)
{
	uint32_t answer = XDP_ABORTED;
	const uint64_t before = shared_count(&s->shared, r->by).packets;
	const int rc = frames_run(s, c, r->packets, &answer, why);

	*held = answer == (r->dropped ? XDP_DROP : XDP_PASS) &&
		shared_count(&s->shared, r->by).packets - before == r->packets;
	return rc;
}

static int otherwise(const struct stage_play *s, uint32_t nth, const struct drill_run *r, struct err *why)
{
	const char *by = r->by == DRILL_NOBODY ? "left to layer 4" : s->plan->counters[r->by].id;

	return err_set(why, EBADE, "test %u \"%s\" does not hold in this kernel: in case %u, %u packet%s should be %s%s and "
		       "%s not; the bundle's tables are not what its policy says, or this kernel runs them otherwise",
		       s->test->index, s->test->name, nth, r->packets, r->packets == 1 ? "" : "s",
		       r->by == DRILL_NOBODY ? "" : r->dropped ? "dropped by " : "admitted by ", by,
		       r->packets == 1 ? "is" : "are");
}

static int case_play(struct stage_play *s, const struct drill_case *c, uint32_t nth, struct err *why)
{
	int rc = tables_set_clock(s->tables, s->now_ns, why);

	if (!rc && c->len && s->zone != c->zone)
		rc = tables_set_zone(s->tables, TEST_IFINDEX, 1ull << c->zone, why);
	if (c->len)
		s->zone = c->zone;
	for (uint32_t i = 0; i < c->run_count && !rc; i++) {
		const struct drill_run *r = &c->runs[i];
		bool held = true;

		rc = r->by == DRILL_NOBODY ? run_uncounted(s, c, r, &held, why) : run_counted(s, c, r, &held, why);
		if (!rc && !held)
			rc = otherwise(s, nth, r, why);
	}
	s->now_ns += c->then_ns;
	return rc;
}

static int test_play(struct stage_play *s, const struct drill_test *t, struct err *why)
{
	s->test = t;
	int rc = play_begin(s, why);

	for (uint32_t i = 0; i < t->case_count && !rc; i++)
		rc = case_play(s, &t->cases[i], i + 1, why);
	return rc;
}

int rehearse(const struct drill *d, const struct tables_load *as, struct err *why)
{
	own(stage_play) struct stage_play s = { .shared = SHARED_NONE, .zone = -1 };
	int rc = d->test_count ? play_open(&s, as, why) : 0;

	for (uint32_t i = 0; i < d->test_count && !rc; i++)
		rc = test_play(&s, &d->tests[i], why);
	return rc;
}
