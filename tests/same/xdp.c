/*
 * The program of both hooks, XDP and TC, against eval: generated policies, generated frames, the
 * malformed among them. Same verdict, counted where eval says it was decided,
 * packets and bytes, and told what the policy asks to be told.
 *
 *     tests/same/xdp [SEED [POLICIES [FRAMES]]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/eval.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

/* ---- policies ------------------------------------------------------------------ */

static const struct gen_shape shape = {
	.zones = 3, .lifelines = 2, .blocks = 3, .reflexes = 6, .postures = 3, .rules = 3,
	.rate_percent = 60, .block_percent = 30, .closed_percent = 40, .tell_percent = 40,
};

/* More than a list may hold. */
static const struct gen_shape large = {
	.zones = 3, .lifelines = 2, .blocks = 20, .reflexes = 900, .postures = 3, .rules = 3,
	.rate_percent = 3, .block_percent = 10, .closed_percent = 10, .tell_percent = 10,
};

enum kind { USUAL, VAST, LARGE, LOOKING };

struct drawn {
	struct ir *ir;
	struct netset self;
	struct gen_aim *aim;
	struct plan plan;
};

/* Rates as the tables hold them, beyond what the language says today: any key, buckets and
 * blocks so short that each nanosecond of the given clock shows. */
static void roughen(struct gen *g, struct ir *ir, struct arena *a)
{
	static const uint64_t costs[] = { 1, 1, 1000, 1000000, 1000000000, 600000000000 };

	for (size_t i = 0; i < ir->reflexes.count + ir->watches.count; i++) {
		struct ir_rule *r = i < ir->reflexes.count ? &ir->reflexes.rules[i] :
							     &ir->watches.rules[i - ir->reflexes.count];
		struct ir_rate rate = { .bucket = r->id, .kin = r->id, .burst = 1 + gen_below(g, 6), .rate = 1, .unit_s = 1 };

		if (r->block_ns && gen_chance(g, 50))
			r->block_ns = costs[gen_below(g, ARRAY_LEN(costs))];
		if (!r->rate || gen_chance(g, 30))
			continue;
		rate.cost_ns = costs[gen_below(g, ARRAY_LEN(costs))];
		rate.depth_ns = rate.cost_ns * rate.burst;
		if (gen_chance(g, 30)) {
			rate.bytes = true;
			rate.rate = 1 + gen_below(g, 200);
			rate.depth_ns = rate.cost_ns * (1 + gen_below(g, 500)) / rate.rate;
			if (rate.depth_ns < rate.cost_ns)
				rate.depth_ns = rate.cost_ns;
		}
		rate.key = gen_chance(g, 60) ? RATE_PER_SOURCE : gen_chance(g, 50) ? RATE_PER_DESTINATION :
			   gen_chance(g, 50) ? RATE_PER_FLOW : RATE_GLOBAL;
		rate.key_bits[FAMILY_IP4] = (uint8_t)gen_below(g, 33);
		rate.key_bits[FAMILY_IP6] = (uint8_t)gen_below(g, 129);
		r->rate = arena_copy(a, &rate, sizeof rate);
	}
}

static const struct {
	const char *expression;
	unsigned flags;
} patterns[] = {
	{ "abc", 0 }, { "^a", 0 }, { "c$", 0 }, { "a+b", PATTERN_ICASE }, { "get", PATTERN_ICASE }, { "c.*a", 0 }, { "bcc", 0 },
	{ "$", 0 }, { "^.{4}b", 0 }, { "\\.x", 0 }, { "ab|ba|cc", 0 }, { "[^a-c]{3}", 0 }, { "(ab)+c", 0 }, { "c.c", PATTERN_DOT_ALL },
	{ "\\xff", 0 }, { "union", PATTERN_ICASE }, { "[a-z]{6}", PATTERN_ICASE }, { "a.{3}b", 0 },
};

/* Some reflexes ask for a pattern besides, whatever else they ask. */
static void look_into(struct gen *g, struct ir *ir, struct arena *a)
{
	for (size_t i = 0; i < ir->reflexes.count + ir->watches.count; i++) {
		struct ir_rule *r = i < ir->reflexes.count ? &ir->reflexes.rules[i] :
							     &ir->watches.rules[i - ir->reflexes.count];
		struct pol_payload *p = arena_zero(a, sizeof *p);
		const unsigned n = gen_below(g, ARRAY_LEN(patterns));
		struct pattern_fault why;

		*p = (struct pol_payload){ .expression = patterns[n].expression, .flags = patterns[n].flags,
					   .within = gen_chance(g, 60) ? PAYLOAD_MOST : 1 + gen_below(g, 40) };
		if (gen_chance(g, 70) && !pattern_compile(&p->pattern, a, p->expression, p->flags, &why))
			r->payload = p;
	}
}

/* Prefixes so many that they do not fit the trie, which makes an atlas of them; half beside what packets ask. */
static void make_vast(struct gen *g, struct ir *ir, struct arena *a)
{
	enum { HOSTS = 12000 };
	struct addr_range *at[FAMILY_COUNT] = { arena_zero(a, HOSTS * sizeof **at), arena_zero(a, HOSTS * sizeof **at) };
	const size_t len[FAMILY_COUNT] = { HOSTS, HOSTS };

	if (!ir->set_count)
		return;
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < HOSTS; i++) {
			const struct netset *asked = &ir->sets[0]->set;
			const size_t ranges = asked->len[f];
			addr_num num = f == FAMILY_IP4 ? (uint32_t)gen_u64(g) : (addr_num)gen_u64(g) << 64 | gen_u64(g);
			addr_num host = ((addr_num)1 << gen_below(g, f == FAMILY_IP4 ? 12 : 97)) - 1;

			if (ranges && gen_chance(g, 50))
				num = (asked->at[f][gen_below(g, (unsigned)ranges)].lo ^ (num & 0xffff)) & family_max((enum family)f);
			at[f][i] = (struct addr_range){ num & ~host, num | host };
		}
	struct ir_set *set = (struct ir_set *)ir->sets[0];
	struct netset more = netset_of_ranges(a, at, len);
	set->set = netset_join(a, &set->set, &more);
}

static int draw(struct drawn *d, struct gen *g, enum kind kind, struct arena *a, struct err *why)
{
	d->ir = ir_lower(gen_policy(g, a, kind == LARGE ? &large : &shape), a);
	d->self = gen_self(g, a);
	d->aim = gen_aim_at(d->ir, &d->self, a);
	roughen(g, d->ir, a);
	if (kind == LOOKING)
		look_into(g, d->ir, a);
	if (kind == VAST)
		make_vast(g, d->ir, a);
	emit_plan(&d->plan, d->ir, a);
	return emit_xdp(&d->plan, d->ir, a, why);
}

static void set_self(struct xdp_run *x, const struct netset *self)
{
	struct addr at[64];
	size_t count = 0;

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < self->len[f]; i++)
			for (addr_num n = self->at[f][i].lo; count < ARRAY_LEN(at); n++) {
				at[count++] = (struct addr){ (enum family)f, n };
				if (n == self->at[f][i].hi)
					break;
			}
	xdp_run_self(x, at, count);
}

static uint32_t slot_of(const struct plan *p, const char *id)
{
	for (uint32_t i = 0; i < p->counter_count; i++)
		if (!strcmp(p->counters[i].id, id))
			return i;
	return p->counter_count;
}

/* ---- asking both -------------------------------------------------------------------------- */

struct wanted {
	unsigned action;
	enum cause cause;
	uint32_t slot; /* of the counter that must have moved; counter_count when none */
	uint32_t bytes;
	const char *why;
	bool found;
	uint8_t emits; /* bit per severity */
};

static const char *closed_id(const struct ir *ir, unsigned posture)
{
	const struct ir_list *in = &ir->postures[posture].lists[DIRECTION_IN];

	return in->rules[in->count - 1].id;
}

static struct wanted ask_eval(struct moment *m, const struct plan *plan, const struct ir *ir, unsigned zone,
			      unsigned posture, const uint8_t *frame, size_t len)
{
	struct packet p;
	struct wanted w = { .slot = plan->counter_count };

	w.cause = frame_parse(frame, len, &p);
	if (w.cause != CAUSE_NONE) {
		w.action = cause_verdict(w.cause) == VERDICT_ALLOW ? XDP_PASS : XDP_DROP;
		w.why = "its form";
		return w;
	}
	p.zone = zone;
	p.direction = DIRECTION_IN;
	w.bytes = p.len;

	struct outcome o = eval_epiderme(m, &p);
	w.action = o.verdict == VERDICT_ALLOW ? XDP_PASS : XDP_DROP;
	w.why = o.rule ? o.rule->id : o.why;
	w.emits = o.emits;
	w.found = o.rule && o.rule->payload;
	if (o.rule || !strcmp(o.why, WHY_NEIGHBOUR) || !strcmp(o.why, WHY_BLOCKED)) {
		w.slot = slot_of(plan, w.why);
	} else if (eval_closed_drops(m, &p)) {
		w.action = XDP_DROP;
		w.why = closed_id(ir, posture);
		w.slot = slot_of(plan, w.why);
	}
	return w;
}

static void show_frame(const uint8_t *frame, size_t len)
{
	char text[3 * 160 + 1] = "";

	for (size_t i = 0; i < len && i < 160; i++)
		snprintf(text + 3 * i, 4, "%02x ", frame[i]);
	tap_note("%zu bytes: %s", len, text);
}

struct tally {
	uint64_t frames, differ, by_cause[CAUSE_COUNT];
	uint64_t by_hook[TEG_HOOKS];
	uint64_t passed, by_rule, blocked, over, closed, told;
	uint64_t found; /* in payloads, and dropped */
	unsigned with_trees, refused;
};

static void tally_add(struct tally *t, const struct wanted *w)
{
	t->frames++;
	t->by_cause[w->cause]++;
	t->passed += w->action == XDP_PASS;
	t->told += w->emits != 0;
	t->found += w->found;
	t->by_rule += !strncmp(w->why, "lifeline", 8) || !strncmp(w->why, "block.", 6);
	t->over += !strncmp(w->why, "reflex", 6);
	t->blocked += !strcmp(w->why, WHY_BLOCKED);
	t->closed += w->why[0] == 'P';
}

struct pair {
	const struct drawn *d;
	const struct plan *plan;
	struct moment *m;
	struct xdp_run *x;
	const char *hook;
	struct teg_counter *counted; /* by slot, what eval says; and by cause after them */
};

/* What is dropped is told, by who decided and of what; and so is what the policy asks. */
static bool told_as_meant(const struct pair *q, const struct wanted *w)
{
	const struct xdp_run_told told = xdp_run_told(q->x);
	const struct teg_event *e = &told.last;
	const bool drops = w->action == XDP_DROP;

	if (told.severities != w->emits || (drops && !(told.count && e->does & TEG_DOES_DROP)) ||
	    (!drops && !w->emits && told.count))
		return false;
	if (!drops)
		return true;
	if (w->cause)
		return e->who == (TEG_WHO_CAUSE | w->cause);
	return e->who == w->slot && e->generation == 7 && e->since == 1;
}

static bool ask_both(struct pair *q, unsigned zone, unsigned posture, const uint8_t *frame, size_t len,
		     struct tally *t)
{
	struct wanted w = ask_eval(q->m, q->plan, q->d->ir, zone, posture, frame, len);
	unsigned action = xdp_run_frame(q->x, frame, len);
	bool same = action == w.action && told_as_meant(q, &w);

	tally_add(t, &w);
	if (w.slot < q->plan->counter_count) {
		struct teg_counter *mine = &q->counted[w.slot], seen = xdp_run_counter(q->x, w.slot);

		mine->packets++;
		mine->bytes += w.bytes;
		same = same && seen.packets == mine->packets && seen.bytes == mine->bytes;
	}
	q->counted[q->plan->counter_count + w.cause].packets++;
	if (!same) {
		tap_note("eval: %s by %s; %s: %s%s", w.action == XDP_PASS ? "pass" : "drop", w.why, q->hook,
			 action == XDP_PASS ? "pass" : action == XDP_DROP ? "drop" : "neither",
			 action == w.action ? ", but counted or told otherwise" : "");
		show_frame(frame, len);
	}
	return same;
}

/* eval says what is told, not by which of those that only tell. */
static bool is_watch(const struct plan_counter *c)
{
	return c->layer == LAYER_REFLEX && c->verdict == VERDICT_ALLOW;
}

/* Nothing else was counted than what eval says. */
static bool counters_agree(const struct pair *q)
{
	uint32_t n = q->plan->counter_count;

	for (uint32_t i = 0; i < n; i++)
		if (!is_watch(&q->plan->counters[i]) && xdp_run_counter(q->x, i).packets != q->counted[i].packets) {
			tap_note("%s: counted %" PRIu64 ", eval says %" PRIu64, q->plan->counters[i].id,
				 (uint64_t)xdp_run_counter(q->x, i).packets, (uint64_t)q->counted[i].packets);
			return false;
		}
	for (uint32_t c = 0; c < CAUSE_COUNT; c++)
		if (xdp_run_cause(q->x, (enum cause)c).packets != q->counted[n + c].packets) {
			tap_note("cause %u: counted %" PRIu64 ", eval says %" PRIu64, c,
				 (uint64_t)xdp_run_cause(q->x, (enum cause)c).packets,
				 (uint64_t)q->counted[n + c].packets);
			return false;
		}
	return true;
}

static uint64_t any_pause(struct gen *g)
{
	static const uint64_t pauses[] = { 1, 2, 3, 4, 5, 999, 1000000, 20000000, 1000000000, 7000000000 };

	return gen_chance(g, 8) ? pauses[gen_below(g, ARRAY_LEN(pauses))] : 0;
}

/* One policy, `frames` frames. False when the program could not be loaded at all. */
static bool try_policy(uint64_t seed, unsigned frames, enum kind kind, enum teg_hook hook, struct tally *t,
		       struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct drawn d = { 0 };
	own(xdp_run) struct xdp_run *x = NULL;

	int rc = draw(&d, &g, kind, a, why);
	if (rc == -E2BIG) {
		t->refused++;
		return true;
	}
	if (rc || xdp_run_new_in(&x, hook, &d.plan, XDP_RUN_GIVEN_CLOCK, why))
		return false;
	own(moment) struct moment *m = moment_new(d.ir);
	struct pair q = { &d, &d.plan, m, x, hook == TEG_HOOK_XDP ? "XDP" : "TC",
			  arena_zero(a, (d.plan.counter_count + CAUSE_COUNT) * sizeof *q.counted) };
	moment_set_self(m, &d.self);
	set_self(x, &d.self);

	unsigned zone = 0, posture = 0;
	uint64_t now = 0;
	t->with_trees += d.plan.config.bulk.cells != 0;
	for (unsigned i = 0; i < frames && !t->differ; i++) {
		uint8_t frame[GEN_FRAME_MAX];
		size_t len = gen_frame(&g, d.aim, frame);
		uint64_t pause = any_pause(&g);

		if (gen_chance(&g, 2)) {
			zone = gen_below(&g, (unsigned)d.ir->zone_count);
			posture = gen_below(&g, (unsigned)d.ir->posture_count);
		}
		if (!xdp_run_takes(x, frame, len))
			continue;
		now += pause;
		moment_pass(m, pause);
		moment_set_posture(m, posture);
		xdp_run_at(x, 1ull << zone, posture, now);
		t->differ += !ask_both(&q, zone, posture, frame, len, t);
		t->by_hook[hook]++;
	}
	t->differ += !counters_agree(&q);
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 270;
	unsigned frames = argc > 3 ? (unsigned)atoi(argv[3]) : 4000;
	struct tally t = { 0 };
	struct err why = { 0 };

	for (unsigned i = 0; i < policies && !t.differ; i++) {
		const enum kind kind = i % 25 == 24 ? VAST : i % 10 == 7 ? LARGE : i % 3 == 0 ? LOOKING : USUAL;

		if (!try_policy(seed + i, frames, kind, i / 2 % 2 ? TEG_HOOK_TC : TEG_HOOK_XDP, &t, &why)) {
			if (why.code == -EPERM) {
				tap_skip("BPF is not allowed here", "XDP, TC and eval give every frame the same verdict");
				return tap_done();
			}
			tap_ok(false, "policy of seed %" PRIu64 " loads: %s", seed + i, why.text);
			return tap_done();
		}
		if (t.differ)
			tap_note("policy of seed %" PRIu64, seed + i);
	}
	tap_ok(!t.differ, "XDP and eval give each of %" PRIu64 " frames the same verdict and the same counter, TC and "
	       "eval each of %" PRIu64, t.by_hook[TEG_HOOK_XDP], t.by_hook[TEG_HOOK_TC]);
	tap_note("%" PRIu64 " pass, %" PRIu64 " by lifeline or block, %" PRIu64 " by reflex, %" PRIu64
		 " blocked, %" PRIu64 " closed", t.passed, t.by_rule, t.over, t.blocked, t.closed);
	tap_ok(t.told || policies < 20, "%" PRIu64 " frames were told as the policy asks", t.told);
	tap_ok(t.found > 300 || policies < 200, "%" PRIu64 " frames were dropped for what their payload holds", t.found);
	tap_ok((t.with_trees && 20 * t.refused < policies) || policies < 20,
	       "%u of the policies had trees, %u were too large", t.with_trees, t.refused);
	for (int c = 0; c < CAUSE_COUNT; c++)
		if ((c != CAUSE_SHORT_ETH && c != CAUSE_PAYLOAD) || t.by_cause[c])
			tap_ok(t.by_cause[c], "cause %d was among them, %" PRIu64 " times", c, t.by_cause[c]);
	return tap_done();
}
