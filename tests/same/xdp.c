/*
 * The program of both hooks, XDP and TC, against eval: generated policies, generated frames, the
 * malformed among them; between frames sources and networks are blocked, and feeds replaced. What differs is told as the shortest story that still differs.
 *
 *     tests/same/xdp [SEED [POLICIES [FRAMES]]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "tests/lib/ask.h"
#include "tests/lib/tap.h"

struct tally {
	uint64_t frames, differ, by_cause[CAUSE_COUNT];
	uint64_t by_hook[TEG_HOOKS];
	uint64_t passed, by_rule, blocked, over, closed, told;
	uint64_t found; /* in payloads, and dropped */
	unsigned with_trees, refused;
};

static void tally_add(struct tally *t, enum teg_hook hook, const struct wanted *w)
{
	t->frames++;
	t->by_hook[hook]++;
	t->by_cause[w->cause]++;
	t->passed += w->action == XDP_PASS;
	t->told += w->emits != 0;
	t->found += w->found;
	t->by_rule += !strncmp(w->why, "lifeline", 8) || !strncmp(w->why, "block.", 6);
	t->over += !strncmp(w->why, "reflex", 6);
	t->blocked += !strcmp(w->why, WHY_BLOCKED);
	t->closed += w->why[0] == 'P';
}

/* ---- stories: what happens to one policy ---------------------------------------------------- */

struct step {
	uint64_t pause, happens; /* happens: nothing, or what that number says, before the frame */
	unsigned zone, posture;
	size_t len;
	uint8_t *frame; /* room for GEN_FRAME_MAX while steps are drawn */
};

static uint64_t any_pause(struct gen *g)
{
	static const uint64_t pauses[] = { 1, 2, 3, 4, 5, 999, 1000000, 20000000, 1000000000, 7000000000 };
	static const uint64_t long_pauses[] = { 600000000000, 86400000000000, 864000000000000 };

	if (gen_below(g, 1000) == 0)
		return long_pauses[gen_below(g, ARRAY_LEN(long_pauses))];
	return gen_chance(g, 8) ? pauses[gen_below(g, ARRAY_LEN(pauses))] : 0;
}

/* The next one: it begins where the last one was. */
static void step_next(struct step *s, struct gen *g, const struct drawn *d)
{
	s->len = gen_frame(g, d->aim, s->frame);
	s->pause = any_pause(g);
	s->happens = gen_below(g, 500) ? 0 : gen_u64(g);
	if (gen_chance(g, 2)) {
		s->zone = gen_below(g, (unsigned)d->ir->zone_count);
		s->posture = gen_below(g, (unsigned)d->ir->posture_count);
	}
}

static bool step_differs(struct ask *q, const struct step *s, struct tally *t)
{
	struct wanted w;

	if (!xdp_run_takes(q->x, s->frame, s->len))
		return false;
	ask_at(q, s->zone, s->posture, s->pause);
	if (s->happens)
		ask_happens(q, s->happens);
	bool same = ask_frame(q, s->frame, s->len, &w);
	if (t)
		tally_add(t, q->hook, &w);
	return !same;
}

/* ---- the shortest story that differs ----------------------------------------------------------- */

#define REPLAYS_MOST 400

struct story {
	uint64_t seed;
	enum draw_kind kind;
	enum teg_hook hook;
	struct step *steps;
	size_t count;
	bool *kept;			/* of the steps */
	bool *rules;			/* of the lifelines, blocks, reflexes and watches, which are kept */
	size_t rule_count, replays;
};

static size_t list_thin(struct ir_list *list, const bool *kept)
{
	size_t n = 0;

	for (size_t i = 0; i < list->count; i++)
		if (kept[i])
			list->rules[n++] = list->rules[i];
	size_t was = list->count;
	list->count = n;
	return was;
}

/* Without the rules that are not kept; the lists' order is that of story.rules. */
static void ir_thin(struct ir *ir, const bool *kept)
{
	struct ir_list *lists[] = { &ir->lifelines, &ir->blocks, &ir->reflexes, &ir->watches };
	const bool *reflexes = kept + ir->lifelines.count + ir->blocks.count;

	for (size_t i = 0; i < ir->watches.count; i++) {
		size_t rank = ir->watches.rules[i].rank, fewer = 0;

		for (size_t r = 0; r < rank; r++)
			fewer += !reflexes[r];
		ir->watches.rules[i].rank = rank - fewer;
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		kept += list_thin(lists[i], kept);
}

static void note_story(const struct story *s, const struct drawn *d)
{
	const struct ir_list *lists[] = { &d->ir->lifelines, &d->ir->blocks, &d->ir->reflexes, &d->ir->watches };

	tap_note("seed %" PRIu64 ", %s, after %zu replays:", s->seed, ask_hooks[s->hook], s->replays);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < lists[i]->count; k++)
			tap_note("  %s, %zu boxes%s%s", lists[i]->rules[k].id, lists[i]->rules[k].box_count,
				 lists[i]->rules[k].rate ? ", a rate" : "", lists[i]->rules[k].payload ? ", a pattern" : "");
	for (size_t i = 0; i < s->count; i++)
		if (s->kept[i])
			tap_note("  in zone %u, posture %s, after %" PRIu64 " ns: %zu bytes", s->steps[i].zone,
				 d->ir->postures[s->steps[i].posture].name, s->steps[i].pause, s->steps[i].len);
}

/* Does what is kept of the story still differ? */
static bool story_differs(struct story *s, bool aloud)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(s->seed);
	struct drawn d = { 0 };
	struct err why;
	struct ask q;
	bool differs = false;

	s->replays++;
	if (draw(&d, &g, s->kind, a, &why))
		return false;
	ir_thin(d.ir, s->rules);
	if (draw_plan(&d, a, &why) || ask_open(&q, &d, s->hook, a, &why))
		return false;
	if (aloud)
		note_story(s, &d);
	q.quiet = !aloud;
	for (size_t i = 0; i < s->count && !differs; i++)
		differs = s->kept[i] && step_differs(&q, &s->steps[i], NULL);
	differs = differs || !ask_counters(&q);
	ask_close(&q);
	return differs;
}

/* Leaves out what is not needed, by halves, quarters, and so on (Zeller, Hildebrandt 2002). */
static void thin(struct story *s, bool *kept, size_t count)
{
	for (size_t part = count; part; part /= 2) {
		for (size_t from = 0; from < count && s->replays < REPLAYS_MOST; from += part) {
			const size_t n = count - from < part ? count - from : part;
			own(mem) bool *was = malloc(n);
			bool any = false;

			if (!was)
				return;
			memcpy(was, kept + from, n);
			for (size_t i = 0; i < n; i++)
				any |= kept[from + i];
			memset(kept + from, false, n);
			if (!any || !story_differs(s, false))
				memcpy(kept + from, was, n);
		}
	}
}

static void minimise(uint64_t seed, enum draw_kind kind, enum teg_hook hook, size_t count)
{
	own(arena) struct arena *a = arena_new();
	struct story s = { .seed = seed, .kind = kind, .hook = hook, .count = count };
	struct gen g = gen_new(seed);
	struct drawn d = { 0 };
	uint8_t frame[GEN_FRAME_MAX];
	struct step at = { .frame = frame };
	struct err why;

	if (draw(&d, &g, kind, a, &why))
		return;
	s.steps = arena_zero(a, count * sizeof *s.steps);
	for (size_t i = 0; i < count; i++) {
		step_next(&at, &g, &d);
		s.steps[i] = at;
		s.steps[i].frame = arena_copy(a, frame, at.len);
	}
	s.rule_count = d.ir->lifelines.count + d.ir->blocks.count + d.ir->reflexes.count + d.ir->watches.count;
	s.kept = arena_zero(a, count);
	s.rules = arena_zero(a, s.rule_count + 1);
	memset(s.kept, true, count);
	memset(s.rules, true, s.rule_count);
	thin(&s, s.kept, count);
	thin(&s, s.rules, s.rule_count);
	story_differs(&s, true);
}

/* ---- every policy ------------------------------------------------------------------------------ */

/* One policy, `frames` frames. False when the program could not be loaded at all. */
static bool try_policy(uint64_t seed, unsigned frames, struct tally *t, struct err *why)
{
	const enum draw_kind kind = draw_kind(seed);
	const enum teg_hook hook = seed / 2 % TEG_HOOKS == TEG_HOOK_XDP ? xdp_run_hook() : TEG_HOOK_TC;
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct drawn d = { 0 };
	uint8_t frame[GEN_FRAME_MAX];
	struct step s = { .frame = frame };
	struct ask q;
	unsigned i = 0;

	int rc = draw(&d, &g, kind, a, why);
	if (rc == -E2BIG) {
		t->refused++;
		return true;
	}
	if (rc || ask_open(&q, &d, hook, a, why))
		return false;
	t->with_trees += d.plan.config.bulk.cells != 0;
	while (i < frames && !t->differ) {
		step_next(&s, &g, &d);
		t->differ += step_differs(&q, &s, t);
		i++;
	}
	t->differ += !ask_counters(&q);
	ask_close(&q);
	if (t->differ)
		minimise(seed, kind, hook, i);
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 270;
	unsigned frames = argc > 3 ? (unsigned)atoi(argv[3]) : 40000;
	struct tally t = { 0 };
	struct err why = { 0 };

	for (unsigned i = 0; i < policies && !t.differ; i++) {
		if (!try_policy(seed + i, frames, &t, &why)) {
			if (why.code == -EPERM) {
				tap_skip("BPF is not allowed here", "XDP, TC and eval give every frame the same verdict");
				return tap_done();
			}
			tap_ok(false, "policy of seed %" PRIu64 " loads: %s", seed + i, why.text);
			return tap_done();
		}
	}
	tap_ok(!t.differ, "XDP and eval give each of %" PRIu64 " frames the same verdict and the same counter, TC and "
	       "eval each of %" PRIu64, t.by_hook[TEG_HOOK_XDP], t.by_hook[TEG_HOOK_TC]);
	tap_note("%" PRIu64 " pass, %" PRIu64 " by lifeline or block, %" PRIu64 " by reflex, %" PRIu64
		 " blocked, %" PRIu64 " closed", t.passed, t.by_rule, t.over, t.blocked, t.closed);
	tap_ok(t.frames >= 10000000 || (uint64_t)policies * frames < 10500000, "%" PRIu64 " verdicts were asked for", t.frames);
	tap_ok(t.told || policies < 20, "%" PRIu64 " frames were told as the policy asks", t.told);
	tap_ok(t.found > 300 || policies < 200, "%" PRIu64 " frames were dropped for what their payload holds", t.found);
	tap_ok((t.with_trees && 20 * t.refused < policies) || policies < 20,
	       "%u of the policies had trees, %u were too large", t.with_trees, t.refused);
	for (int c = 0; c < CAUSE_COUNT; c++)
		if ((c != CAUSE_SHORT_ETH && c != CAUSE_PAYLOAD) || t.by_cause[c])
			tap_ok(t.by_cause[c], "cause %d was among them, %" PRIu64 " times", c, t.by_cause[c]);
	return tap_done();
}
