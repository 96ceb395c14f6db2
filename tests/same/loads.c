/*
 * Will this kernel's verifier take the program, whatever the policy? Policies of all kinds, in both hooks, with the clock of the
 * field and a given one: what of the program there is to verify depends on them. Nothing is sent.
 *
 *     tests/same/loads [SEED [POLICIES]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "enforcer/hook/tables/tables.h"
#include "tests/lib/draw.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

static const char *const kinds[DRAW_KINDS] = {
	[DRAW_USUAL] = "a few rules", [DRAW_VAST] = "sets of thousands of networks", [DRAW_LARGE] = "hundreds of rules",
	[DRAW_LOOKING] = "patterns in payloads", [DRAW_WIDE] = "as many zones and postures as there may be",
	[DRAW_FEW] = "a rate or two among others",
};

struct taken {
	unsigned by_kind[DRAW_KINDS];
	unsigned refused, feeding, counted;
	double ms;
};

/* The same with loops as older kernels have them. */
static int try_counted(struct taken *t, const struct drawn *d, uint64_t seed, enum teg_hook hook, struct err *why)
{
	own(xdp_run) struct xdp_run *x = NULL;

	xdp_run_loops(TABLES_LOOPS_COUNTED);
	const int rc = xdp_run_new_in(&x, hook, &d->plan, draw_clock(seed), why);
	xdp_run_loops(TABLES_LOOPS_AS_TAKEN);
	t->counted += !rc;
	return rc;
}

static int try_policy(struct taken *t, uint64_t seed, enum teg_hook hook, struct err *why)
{
	const enum draw_kind kind = draw_kind(seed);
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	struct gen g = gen_new(seed);
	struct drawn d = { 0 };

	int rc = draw(&d, &g, kind, a, why);
	if (rc)
		return rc == -E2BIG ? 0 : rc; /* tegc refuses it */
	draw_feeds(&d, seed);
	rc = xdp_run_new_in(&x, hook, &d.plan, draw_clock(seed), why);
	if (!rc && tables_kernel_ends_loops())
		rc = try_counted(t, &d, seed, hook, why);
	if (rc)
		return rc;
	t->by_kind[kind]++;
	t->feeding += d.plan.feed_count != 0;
	t->ms += xdp_run_load_ms(x);
	return 0;
}

int main(int argc, char **argv)
{
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	const unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 25;
	struct taken t = { 0 };

	for (unsigned i = 0; i < policies * TEG_HOOKS; i++) {
		struct err why = { 0 };
		int rc = try_policy(&t, seed + i / TEG_HOOKS, i % TEG_HOOKS, &why);

		if (rc == -EPERM) {
			tap_skip("BPF is not allowed here", "the verifier takes the program of every policy");
			return tap_done();
		}
		if (rc && ++t.refused <= 4)
			tap_ok(false, "policy of seed %" PRIu64 ", %s, loads in %s: %s", seed + i / TEG_HOOKS,
			       kinds[draw_kind(seed + i / TEG_HOOKS)], i % TEG_HOOKS == TEG_HOOK_XDP ? "XDP" : "TC", why.text);
	}
	for (size_t k = 0; k < DRAW_KINDS; k++)
		tap_ok(!t.refused && (t.by_kind[k] || policies < 25), "the verifier takes the program of %u policies with %s", t.by_kind[k], kinds[k]);
	tap_ok(t.feeding || policies < 4, "%u of them ask for feeds", t.feeding);
	tap_ok(t.counted || policies < 25 || !tables_kernel_ends_loops(), "%u of them are taken with loops of a known end too", t.counted);
	tap_note("%u were refused; loading took %.0f ms of processor time each", t.refused,
		 t.ms / (policies * TEG_HOOKS - t.refused + !t.ms));
	return tap_done();
}
