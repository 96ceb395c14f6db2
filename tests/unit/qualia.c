/* The five figures, from counters whose sums are done by hand. */
#include <math.h>
#include <string.h>

#include "enforcer/api/qualia.h"
#include "tests/lib/tap.h"

#define SECOND 1000000000u

static struct counter_row rows[] = {
	{ "BALANCED.web_in", LAYER_POSTURE, VERDICT_ALLOW, "BALANCED", 5000, 90000 },
	{ "BALANCED.default.in", LAYER_POSTURE, VERDICT_DROP, "BALANCED", 700, 42000 },
	{ "reflex.syn_flood", LAYER_REFLEX, VERDICT_DROP, "", 10, 600 },
	{ "reflex.seen", LAYER_REFLEX, VERDICT_ALLOW, "", 0, 0 },
};
enum { WEB, DEFAULT, FLOOD, SEEN };

static struct counters now;

static void begin(void)
{
	rows[WEB].packets = 5000;
	rows[DEFAULT].packets = 700;
	rows[FLOOD].packets = 10;
	rows[SEEN].packets = 0;
	now = (struct counters){ .at_ns = 77 * (uint64_t)SECOND, .rows = rows, .row_count = ARRAY_LEN(rows) };
}

/* One second with so many packets of 100 bytes. */
static void pass(struct qualia *q, uint64_t web, uint64_t dropped, uint64_t flood, uint64_t broken)
{
	rows[WEB].packets += web;
	rows[WEB].bytes += web * 100;
	rows[DEFAULT].packets += dropped;
	rows[DEFAULT].bytes += dropped * 100;
	rows[FLOOD].packets += flood;
	rows[FLOOD].bytes += flood * 100;
	now.causes[CAUSE_SHORT_IP] += broken;
	now.at_ns += SECOND;
	qualia_sample(q, &now);
}

static void tap_about(double got, double want, const char *claim)
{
	if (!tap_ok(fabs(got - want) < 1e-6, "%s", claim))
		tap_note("want %.9f, got %.9f", want, got);
}

static void nothing_is_known_before_two_samples(void)
{
	own(qualia) struct qualia *q = qualia_new();
	struct qualia_now n;

	begin();
	qualia_get(q, &n);
	tap_ok(!n.felt, "nothing is felt before a sample");
	qualia_sample(q, &now);
	qualia_get(q, &n);
	tap_ok(!n.felt, "nor after one: since when it counts, nobody knows");
	pass(q, 0, 0, 0, 0);
	qualia_get(q, &n);
	tap_ok(n.felt && n.pps == 0, "two samples feel silence");
	tap_about(n.value[QUALE_PRESSURE], 0, "silence has no pressure");
	tap_about(n.value[QUALE_TEMPERATURE], 0.5, "and the usual temperature");
	tap_about(n.value[QUALE_PAIN] + n.value[QUALE_VIBRATION] + n.value[QUALE_TEXTURE], 0, "and nothing else");
}

static void sums_are_as_by_hand(void)
{
	own(qualia) struct qualia *q = qualia_new();
	struct qualia_now n;

	begin();
	qualia_sample(q, &now);
	pass(q, 600, 100, 250, 50);
	qualia_get(q, &n);
	tap_about(n.window_s, 1, "over one second");
	tap_about(n.pps, 1000, "a thousand packets, broken ones included");
	tap_about(n.bytes_per_s, 95000, "bytes, of those that a rule decided");
	tap_about(n.admitted_pps, 600, "admitted");
	tap_about(n.dropped_pps, 400, "dropped");
	tap_about(n.hostile_pps, 300, "hostile: the reflex's and the broken ones, not the default's");
	tap_about(n.value[QUALE_PRESSURE], log10(1001) / 6, "pressure");
	tap_about(n.value[QUALE_PAIN], 0.3 * 300 / 400, "pain");
	tap_about(n.entropy_bits, -(0.6 * log2(0.6) + 0.1 * log2(0.1) + 0.25 * log2(0.25) + 0.05 * log2(0.05)), "entropy");
	tap_num(n.rules_active, 4, "of three rules and a cause");
	tap_about(n.value[QUALE_TEXTURE], n.entropy_bits / 2, "texture: against four alike");
	tap_about(n.value[QUALE_TEMPERATURE], 0.5, "the first second is what is usual");
	tap_about(n.value[QUALE_VIBRATION], 0, "and steady");

	pass(q, 3000, 0, 0, 0);
	qualia_get(q, &n);
	tap_about(n.pps, 2000, "the mean of two seconds");
	tap_about(n.deviation_pps, 1000, "from which each is a thousand away");
	tap_about(n.value[QUALE_VIBRATION], 1.0 / 3, "vibration: c = 1/2");
	tap_about(n.usual_pps, 1000 - 2000 * expm1(-1.0 / QUALIA_USUAL_S), "usual has moved by a three-hundredth");
	tap_ok(n.value[QUALE_TEMPERATURE] > 0.6, "and it is warm");
}

static void the_window_forgets(void)
{
	own(qualia) struct qualia *q = qualia_new();
	struct qualia_now n;

	begin();
	qualia_sample(q, &now);
	pass(q, 1000000, 0, 1000000, 0);
	for (int i = 0; i < QUALIA_WINDOW_S; i++)
		pass(q, 10, 0, 0, 0);
	qualia_get(q, &n);
	tap_about(n.pps, 10, "after ten seconds the flood is forgotten");
	tap_about(n.value[QUALE_PAIN], 0, "and hurts no more");
	tap_num(n.rules_active, 1, "one rule decides");
	tap_about(n.value[QUALE_TEXTURE], 0, "so that there is no texture");
	tap_ok(n.value[QUALE_TEMPERATURE] < 0.01, "against what was usual it is cold");
}

static void a_rollout_does_not_shock(void)
{
	struct counter_row others[] = {
		{ "EXPLORE.new", LAYER_POSTURE, VERDICT_ALLOW, "EXPLORE", 123456789, 1 }, /* counted before, long ago */
		{ "reflex.syn_flood", LAYER_REFLEX, VERDICT_DROP, "", 0, 0 },
	};
	own(qualia) struct qualia *q = qualia_new();
	struct qualia_now n;

	begin();
	qualia_sample(q, &now);
	pass(q, 10, 0, 5, 0);
	others[1].packets = rows[FLOOD].packets + 7;
	now.rows = others;
	now.row_count = ARRAY_LEN(others);
	now.at_ns += SECOND;
	qualia_sample(q, &now);
	qualia_get(q, &n);
	tap_about(n.hostile_pps, 6, "a rule that stays counts on: 5 and 7 in two seconds");
	tap_about(n.pps, 11, "one that is new begins with its next second");

	others[1].packets = 4;
	now.at_ns += SECOND;
	qualia_sample(q, &now);
	qualia_get(q, &n);
	tap_about(n.hostile_pps, 16.0 / 3, "one that went back began anew");
	others[0].packets += 30;
	now.at_ns += SECOND;
	qualia_sample(q, &now);
	qualia_get(q, &n);
	tap_about(n.pps, (10 + 5 + 7 + 4 + 30) / 4.0, "and the new one is counted now");
}

static void unreadable_counters_are_no_sample(void)
{
	const struct counters none = { 0 };
	own(qualia) struct qualia *q = qualia_new();
	struct qualia_now n;

	begin();
	qualia_sample(q, &none);
	qualia_sample(q, &now);
	qualia_sample(q, &none);
	pass(q, 20, 0, 0, 0);
	qualia_get(q, &n);
	tap_about(n.pps, 20, "counters that could not be read are no sample");
	now.at_ns -= SECOND;
	qualia_sample(q, &now);
	qualia_get(q, &n);
	tap_about(n.pps, 20, "nor are those of the past");
}

static void extremes_stay_within(void)
{
	own(qualia) struct qualia *q = qualia_new();
	struct qualia_now n;
	bool within = true;

	begin();
	qualia_sample(q, &now);
	for (uint64_t flood = 1; flood; flood <<= 3) {
		pass(q, flood % 5, 0, flood, flood & 0xff);
		qualia_get(q, &n);
		for (size_t i = 0; i < QUALE_COUNT; i++)
			within = within && n.value[i] >= 0 && n.value[i] <= 1;
	}
	tap_ok(within, "however much comes, each is from 0 to 1");
	tap_about(n.value[QUALE_PRESSURE], 1, "at the most, 1");
}

int main(void)
{
	nothing_is_known_before_two_samples();
	sums_are_as_by_hand();
	the_window_forgets();
	a_rollout_does_not_shock();
	unreadable_counters_are_no_sample();
	extremes_stay_within();
	return tap_done();
}
