/*
 * With too small a budget the prover says "undecided", never a wrong yes; and
 * it says the same each time, since steps are counted and not seconds.
 */
#include <string.h>

#include "compiler/prove/diff/diff.h"
#include "compiler/prove/prover.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

struct world {
	struct rules g;
	const struct ir *ir, *other;
	struct claim claim;
};

/* All answers of one prover. */
struct answers {
	enum answer claim, order, equal;
	struct dead_list dead;
	const struct diff *diff;
	size_t undecided;
};

static struct answers ask_all(struct prover *p, const struct world *w)
{
	struct answers a = {
		.claim = prove_claim(p, w->ir, &w->claim).answer,
		.order = prove_order(p, w->ir, 0, 1).answer,
		.equal = prove_equal(p, w->ir, 0, w->other, 0).answer,
		.dead = prove_dead(p, w->ir, 1),
		.diff = prove_diff(p, w->ir, w->other),
	};

	a.undecided = (a.claim == ANSWER_UNDECIDED) + (a.order == ANSWER_UNDECIDED) +
		      (a.equal == ANSWER_UNDECIDED) + (a.dead.progress.undecided > 0) +
		      (a.diff->progress.undecided > 0);
	return a;
}

enum law { NO_WRONG_ANSWER, NO_WRONG_DEAD, NO_SILENT_DIFF, SAME_AGAIN, LAWS };

static const char *const laws[LAWS] = {
	[NO_WRONG_ANSWER] = "an answer is the right one, or undecided",
	[NO_WRONG_DEAD] = "a rule called dead is dead",
	[NO_SILENT_DIFF] = "a diff that is not undecided is whole",
	[SAME_AGAIN] = "asked again, everything is answered alike",
};

static size_t checked[LAWS], broken[LAWS], undecided, decided;

static void check(enum law l, bool held)
{
	checked[l]++;
	broken[l] += !held;
}

/* What is refuted in the part that was decided is refuted. */
static bool honest(enum answer got, enum answer truth)
{
	return got == ANSWER_UNDECIDED || got == truth;
}

static bool lists(const struct dead_list *l, const struct dead *d)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->at[i].rule == d->rule && l->at[i].posture == d->posture &&
		    l->at[i].direction == d->direction)
			return true;
	return false;
}

/* Changes that postures share are told once, where they are told in the same words. */
static size_t changes_in(const struct diff *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->change_count; i++) {
		n++;
		for (const char *p = d->changes[i].posture; *p; p++)
			n += *p == ',';
	}
	return n;
}

static void compare(const struct answers *got, const struct answers *truth)
{
	check(NO_WRONG_ANSWER, honest(got->claim, truth->claim));
	check(NO_WRONG_ANSWER, honest(got->order, truth->order));
	check(NO_WRONG_ANSWER, honest(got->equal, truth->equal));
	for (size_t i = 0; i < got->dead.len; i++)
		check(NO_WRONG_DEAD, lists(&truth->dead, &got->dead.at[i]));
	if (!got->diff->progress.undecided)
		check(NO_SILENT_DIFF, changes_in(got->diff) == changes_in(truth->diff));
	undecided += got->undecided;
	decided += 5 - got->undecided;
}

static void check_world(struct world *w)
{
	static const struct prove_budget little[] = {
		{ 1u << 12, 1u << 30 }, { 1u << 14, 1u << 30 }, { 1u << 16, 1u << 30 },
		{ 32u << 20, 30000 }, { 32u << 20, 300000 }, { 32u << 20, 3000000 },
	};
	own(arena) struct arena *a = arena_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct ir_rule r;
	struct answers truth;

	w->g.arena = a;
	w->ir = rules_make(&w->g, 20);
	w->other = rules_edit(&w->g, w->ir, 3);
	r = rules_one(&w->g);
	w->claim = (struct claim){ .postures = UINT64_MAX, .boxes = r.boxes, .box_count = r.box_count };
	truth = ask_all(p, w);
	for (size_t i = 0; i < ARRAY_LEN(little); i++) {
		own(prover) struct prover *first = prover_new(&little[i]);
		own(prover) struct prover *again = prover_new(&little[i]);
		struct answers x = ask_all(first, w), y = ask_all(again, w);

		compare(&x, &truth);
		check(SAME_AGAIN, x.claim == y.claim && x.order == y.order && x.equal == y.equal &&
					  x.dead.len == y.dead.len &&
					  x.diff->change_count == y.diff->change_count &&
					  x.undecided == y.undecided);
	}
}

int main(void)
{
	struct world w = { .g = { .seed = 17, .profile = RULES_SMALL } };

	for (int i = 0; i < 15; i++)
		check_world(&w);
	for (int l = 0; l < LAWS; l++) {
		tap_num((int64_t)broken[l], 0, laws[l]);
		tap_ok(checked[l] > 30, "and that was asked %zu times", checked[l]);
	}
	tap_ok(undecided > 50 && decided > 50, "%zu questions were undecided, %zu were not", undecided,
	       decided);
	return tap_done();
}
