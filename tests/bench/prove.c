/*
 * What the prover's questions cost, in CPU time, against what is promised in
 * docs/prover.md; and the same work done by BuDDy in the same run, as a ratio.
 * Rule sets are generated from a seed. Says "not ok" where a promise is broken.
 *
 *     build/tests/bench/prove            all of it, less than a minute
 *     build/tests/bench/prove 1000       rule sets of up to 1000 rules
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "compiler/front/front.h"
#include "compiler/import/import.h"
#include "compiler/prove/diff/diff.h"
#include "compiler/prove/prover.h"
#include "lang/base/file.h"
#include "tests/lib/bdd_rules.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long peak_mb(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_maxrss / 1024;
}

/* One rule set and what is asked of it. Each question starts with a fresh prover. */
struct bench {
	struct rules g;
	const struct ir *ir;
	size_t rules;
};

static bool promised(const struct bench *b, const char *what, double ms, double most)
{
	return tap_ok(ms <= most, "%-28s %-4s %7zu rules %10.2f ms  promised %g ms", what,
		      rules_profile_name(b->g.profile), b->rules, ms, most);
}

static void bench_diff(struct bench *b, size_t edits, double most)
{
	const struct ir *other = rules_edit(&b->g, b->ir, edits);
	char what[64];
	double start = now_ms();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	const struct diff *d = prove_diff(p, b->ir, other);
	double ms = now_ms() - start;

	snprintf(what, sizeof what, "diff, %zu edits", edits);
	promised(b, what, ms, most);
	tap_note("%zu changes, %zu edits without effect, %zu undecided", d->change_count,
		 d->idle_count, d->progress.undecided);
	if (d->progress.undecided)
		tap_ok(false, "and decided");
}

/* "drop tcp", in the middle of the list: it meets every rule. */
static void bench_wide_edit(struct bench *b, double most)
{
	struct ir *copy = arena_copy(b->g.arena, b->ir, sizeof *b->ir);
	struct ir_list *l, *old = &b->ir->postures[0].lists[DIRECTION_FORWARD];
	struct ir_rule wide = old->rules[old->count - 1];
	size_t middle = old->count / 2;
	double start, ms;

	copy->postures = arena_copy(b->g.arena, b->ir->postures, sizeof *b->ir->postures);
	l = &copy->postures[0].lists[DIRECTION_FORWARD];
	l->rules = arena_zero(b->g.arena, (old->count + 1) * sizeof *l->rules);
	l->count = old->count + 1;
	memcpy(l->rules, old->rules, middle * sizeof *l->rules);
	memcpy(&l->rules[middle + 1], &old->rules[middle], (old->count - middle) * sizeof *l->rules);
	wide.is_default = false;
	wide.boxes = arena_copy(b->g.arena, wide.boxes, sizeof *wide.boxes);
	wide.boxes[0].proto = 6;
	l->rules[middle] = wide;

	start = now_ms();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	const struct diff *d = prove_diff(p, b->ir, copy);

	ms = now_ms() - start;
	promised(b, "diff, one very wide edit", ms, most);
	tap_note("%zu changes, in %zu windows, %zu undecided", d->change_count, d->progress.windows,
		 d->progress.undecided);
}

/* "tcp/23 is dropped everywhere", and what one rule says of its own packets. */
static void bench_claims(struct bench *b, double most)
{
	struct ir_rule r = rules_one(&b->g);
	struct ir_box telnet = b->ir->postures[0].lists[DIRECTION_FORWARD].rules[0].boxes[0];
	struct claim c = { .postures = 1, .direction = DIRECTION_FORWARD, .box_count = 1 };
	double start, one, everywhere;

	telnet.families = 3;
	telnet.proto = 6;
	telnet.src = telnet.dst = (struct ir_end){ .any = true };
	telnet.sport = ranges_of(b->g.arena, 0, UINT16_MAX);
	telnet.dport = ranges_of(b->g.arena, 23, 23);
	telnet.fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST;

	start = now_ms();
	{
		own(prover) struct prover *p = prover_new(&PROVE_BUDGET);

		c.boxes = r.boxes;
		prove_claim(p, b->ir, &c);
	}
	one = now_ms() - start;
	promised(b, "one claim", one, most);
	start = now_ms();
	{
		own(prover) struct prover *p = prover_new(&PROVE_BUDGET);

		c.boxes = &telnet;
		prove_claim(p, b->ir, &c);
	}
	everywhere = now_ms() - start;
	promised(b, "one claim, everywhere", everywhere, most);
}

static void bench_dead(struct bench *b, double most)
{
	double start = now_ms(), found, explained;
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct dead_list l = prove_dead(p, b->ir, 1);
	size_t few = l.len < 100 ? l.len : 100;

	found = now_ms() - start;
	start = now_ms();
	for (size_t i = 0; i < few; i++)
		prove_dead_explain(&l, &l.at[i]);
	explained = now_ms() - start;
	promised(b, "all dead rules", found, most);
	tap_note("%zu of %zu rules are dead, in %zu windows; saying why: %.2f ms each", l.len,
		 b->rules, l.progress.windows, few ? explained / (double)few : 0);
	if (l.progress.undecided)
		tap_ok(false, "and decided");
}

/* Every rule in two halves of its ports: another text with the same meaning. */
static const struct ir *rewritten(struct bench *b)
{
	struct ir *copy = arena_copy(b->g.arena, b->ir, sizeof *b->ir);
	struct ir_list *l, *old;

	copy->postures = arena_copy(b->g.arena, b->ir->postures, sizeof *b->ir->postures);
	l = &copy->postures[0].lists[DIRECTION_FORWARD];
	old = &b->ir->postures[0].lists[DIRECTION_FORWARD];
	l->rules = arena_zero(b->g.arena, 2 * old->count * sizeof *l->rules);
	l->count = 0;
	for (size_t i = 0; i < old->count; i++) {
		struct ir_rule r = old->rules[i], half = r;
		struct range ports = r.boxes[0].dport.at[0];

		if (!r.is_default && ports.lo < ports.hi && !ranges_are_all(&r.boxes[0].dport)) {
			uint16_t middle = (uint16_t)(ports.lo + (ports.hi - ports.lo) / 2);

			half.boxes = arena_copy(b->g.arena, r.boxes, sizeof *r.boxes);
			half.boxes[0].dport = ranges_of(b->g.arena, ports.lo, middle);
			l->rules[l->count++] = half;
			r.boxes = arena_copy(b->g.arena, r.boxes, sizeof *r.boxes);
			r.boxes[0].dport = ranges_of(b->g.arena, (uint16_t)(middle + 1), ports.hi);
		}
		l->rules[l->count++] = r;
	}
	return copy;
}

static void bench_equal(struct bench *b, double most)
{
	const struct ir *other = rewritten(b);
	double start = now_ms();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct equal_answer e = prove_equal(p, b->ir, 0, other, 0);
	double ms = now_ms() - start;

	promised(b, "equality with a rewriting", ms, most);
	tap_ok(e.answer == ANSWER_PROVED, "and it is proved, in %zu windows", e.progress.windows);
}

static void bench_all(enum rules_profile profile, size_t rules, const double most[6])
{
	own(arena) struct arena *a = arena_new();
	struct bench b = { .g = { .arena = a, .seed = 1, .profile = profile, .v6 = 0.3 },
			   .rules = rules };

	b.ir = rules_make(&b.g, rules);
	bench_diff(&b, 10, most[0]);
	if (most[1])
		bench_diff(&b, 100, most[1]);
	if (most[1])
		bench_wide_edit(&b, 3 * most[1]);
	bench_claims(&b, most[2]);
	if (most[3])
		bench_dead(&b, most[3]);
	if (most[4])
		bench_equal(&b, most[4]);
	tap_ok(peak_mb() <= most[5], "peak memory so far %ld MB, promised %g MB", peak_mb(), most[5]);
}

/* --- the same work by BuDDy --------------------------------------------------------- */

struct spent {
	double build, dead, diff;
	size_t dead_count;
	bool differs;
};

struct ours {
	const struct judgement *j[2];
	struct spent *spent;
	bool *reached;
};

static struct spent by_us(struct bench *b, const struct ir *other)
{
	struct spent s = { 0 };
	double start = now_ms();

	{
		own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
		struct dead_list l = prove_dead(p, b->ir, 1);

		s.dead = now_ms() - start;
		s.dead_count = l.len;
	}
	start = now_ms();
	{
		own(prover) struct prover *p = prover_new(&PROVE_BUDGET);

		s.differs = prove_equal(p, b->ir, 0, other, 0).answer == ANSWER_REFUTED;
		s.diff = now_ms() - start;
	}
	return s;
}

static size_t bdd_dead(const struct judgement *j, uint64_t zones)
{
	bool *alive = calloc(j->step_count, 1);
	size_t dead = 0;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		BDD before = bddfalse;

		for (size_t i = 0; i < j->cell_count; i++) {
			BDD own, left;

			if (j->cells[i].family != (enum family)f || j->steps[j->cells[i].step].goes_on)
				continue;
			own = bdd_cell(&j->cells[i], zones);
			left = bdd_addref(bdd_apply(own, before, bddop_diff));
			alive[j->cells[i].step] |= left != bddfalse;
			bdd_delref(left);
			before = bdd_held(bdd_or(before, own), before, own);
		}
		bdd_delref(before);
	}
	for (size_t i = 0; i < j->step_count; i++)
		dead += j->steps[i].rule && !j->steps[i].rule->is_default && !alive[i];
	free(alive);
	return dead;
}

/* Only layer 4: what a lifeline spares is not one list. */
static struct judgement layer4_of(const struct judgement *j)
{
	struct judgement l = *j;

	l.cells += j->steps[j->layer4].first;
	l.cell_count -= j->steps[j->layer4].first;
	return l;
}

static struct spent by_buddy(struct bench *b, const struct ir *other)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct terms t = terms_begin(p);
	struct spent s = { 0 };
	struct judgement x, y;
	uint64_t zones;
	double start;

	terms_add(&t, b->ir);
	x = layer4_of(judgement_make(&t, b->ir, 0, DIRECTION_FORWARD, 0));
	y = layer4_of(judgement_make(&t, other, 0, DIRECTION_FORWARD, 0));
	zones = window_all(&t, FAMILY_IP4, STATES_ALL).zones;

	bdd_rules_open(&t);
	start = now_ms();
	s.dead_count = bdd_dead(&x, zones);
	s.dead = now_ms() - start;
	bdd_rules_close();

	bdd_rules_open(&t);
	start = now_ms();
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct bdd_list m = bdd_rules_build(&x, (enum family)f, zones, 0, x.cell_count);
		struct bdd_list n = bdd_rules_build(&y, (enum family)f, zones, 0, y.cell_count);

		s.differs |= m.admitted != n.admitted;
	}
	s.diff = now_ms() - start;
	bdd_rules_close();
	return s;
}

static void bench_ratio(enum rules_profile profile, size_t rules)
{
	own(arena) struct arena *a = arena_new();
	struct bench b = { .g = { .arena = a, .seed = 1, .profile = profile, .v6 = 0.3 },
			   .rules = rules };
	const struct ir *other;
	struct spent us, buddy;

	b.ir = rules_make(&b.g, rules);
	other = rewritten(&b);
	us = by_us(&b, other);
	buddy = by_buddy(&b, other);
	tap_ok(us.dead_count == buddy.dead_count && us.differs == buddy.differs,
	       "BuDDy gives the same answers: %s, %zu rules, %zu dead", rules_profile_name(profile),
	       rules, us.dead_count);
	tap_note("all dead rules: %.1f ms, BuDDy %.1f ms, %.1f times ours", us.dead, buddy.dead,
		 buddy.dead / us.dead);
	tap_note("equality:       %.1f ms, BuDDy %.1f ms, %.1f times ours", us.diff, buddy.diff,
		 buddy.diff / us.diff);
}

/* --- a ruleset that someone runs ------------------------------------------------------ */

#define REAL	"../shared/data/rulesets/iptables/tum_i8__ip6tables-save-2016-03-16_13-53-28"
#define REAL_MS 1000

static const struct ir *real_ir(struct compilation *c)
{
	own(import) struct import *m = import_new();
	own(buf) struct buf text = { 0 }, teg = { 0 };
	struct err why = { 0 };
	struct import_text rules;
	struct policy *p;

	if (file_read(&text, REAL, IMPORT_BYTES_MAX, &why))
		return NULL;
	rules = (struct import_text){ REAL, text.at, text.len };
	if (import_iptables(m, FAMILY_IP6, &rules, &why) || import_flatten(m, &why))
		return NULL;
	import_write(m, &teg, "real", "real");
	p = front_read_text(c, "real.teg", arena_strdup(c->arena, buf_text(&teg)), teg.len);
	return p ? ir_lower(p, c->arena) : NULL;
}

/* The first ten rules of the longest list are gone. */
static const struct ir *real_edited(struct arena *a, const struct ir *ir)
{
	struct ir *out = arena_copy(a, ir, sizeof *ir);
	struct ir_list *l;
	size_t kept = 0;

	out->postures = arena_copy(a, ir->postures, ir->posture_count * sizeof *ir->postures);
	l = &out->postures[0].lists[DIRECTION_IN];
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (out->postures[0].lists[d].count > l->count)
			l = &out->postures[0].lists[d];
	l->rules = arena_copy(a, l->rules, l->count * sizeof *l->rules);
	for (size_t i = 0; i < l->count; i++)
		if (i >= 10 || l->rules[i].is_default)
			l->rules[kept++] = l->rules[i];
	l->count = kept;
	return out;
}

/* All that is asked of it together: reading, dead rules and why, equality with itself rewritten, a diff. */
static void bench_real(void)
{
	own(compilation) struct compilation *c = compilation_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	double start = now_ms(), read, dead, equal, all;
	const struct ir *ir = access(REAL, R_OK) ? NULL : real_ir(c), *edited;
	const struct diff *d;
	struct dead_list l;

	if (!ir) {
		tap_skip(REAL " is not here", "a real set of 5,500 rules");
		return;
	}
	read = now_ms();
	l = prove_dead(p, ir, 0.9);
	for (size_t i = 0; i < l.len; i++)
		prove_dead_explain(&l, &l.at[i]);
	dead = now_ms();
	edited = real_edited(c->arena, ir);
	prove_equal(p, ir, 0, edited, 0);
	equal = now_ms();
	d = prove_diff(p, ir, edited);
	all = now_ms();
	tap_ok(all - start <= REAL_MS && !l.progress.undecided && !d->progress.undecided,
	       "a real set of 5,500 rules: everything in %.0f ms, promised %d ms", all - start, REAL_MS);
	tap_note("import and reading %.0f ms, %zu rules to tell of and why %.0f ms, equality %.0f ms, diff with %zu changes %.0f ms",
		 read - start, l.len, dead - read, equal - dead, d->change_count, all - equal);
}

int main(int argc, char **argv)
{
	/* diff of 10 edits, of 100, a claim, all dead rules, equality; peak MB. 0: not promised */
	static const double small[] = { 20, 200, 20, 100, 300, 256 };
	static const double large[] = { 50, 4000, 50, 5000, 10000, 256 };
	static const double huge[] = { 500, 0, 1000, 60000, 0, 256 };
	size_t most = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;

	bench_real();
	for (int p = RULES_ACL; p <= RULES_IPC; p++)
		bench_all((enum rules_profile)p, 1000, small);
	for (int p = RULES_ACL; p <= RULES_IPC && most >= 10000; p++)
		bench_all((enum rules_profile)p, 10000, large);
	for (int p = RULES_ACL; p <= RULES_IPC; p++)
		bench_ratio((enum rules_profile)p, 1000);
	if (most >= 10000)
		bench_ratio(RULES_ACL, 10000);
	for (int p = RULES_ACL; p <= RULES_IPC && most >= 100000; p++)
		bench_all((enum rules_profile)p, 100000, huge);
	return tap_done();
}
