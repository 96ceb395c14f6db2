/*
 * order.c - does one posture admit no more than another, and are two alike?
 */
#include "compiler/prove/mutant.h"

#include <string.h>
#include "compiler/prove/prover.h"

/*
 * Two judgements against each other: is there a packet that the first treats
 * as it must not, given what the second does?
 */
enum relation { NO_MORE /* the first admits no more */, ALIKE /* equal verdicts */ };

struct comparing {
	struct prover *prover;
	struct terms terms;
	enum relation relation;
	struct judgement *pair[2];
	struct asking q;
	enum answer answer;
	bool calm;
	struct witness witness;
	struct decider second;
};

static idd_ref wrong_set(struct idd *m, struct space *s, const struct slice *slices,
			 enum relation r)
{
	switch (r) {
	case NO_MORE: {
		idd_ref x = space_admitted(m, s, &slices[0]), y = space_admitted(m, s, &slices[1]);

		return idd_apply(m, IDD_DIFF, x, y);
	}
	case ALIKE:
		break;
	}

	idd_ref x = space_verdicts(m, s, &slices[0]), y = space_verdicts(m, s, &slices[1]);

	return idd_apply(m, IDD_XOR, x, y);
}

static void ask_relation(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct comparing *k = arg;
	idd_ref some = wrong_set(m, s, slices, k->relation);
	idd_ref all = idd_for_all(m, some, s->unknown_level);
	enum answer found = all != IDD_FALSE ? ANSWER_REFUTED : ANSWER_CONDITIONAL;

	if (some == IDD_FALSE)
		return;

	idd_ref calm = idd_fix(m, some, s->unknown_level,
			       arena_zero(k->prover->scratch, s->levels * sizeof(uint32_t)));

	if (found == ANSWER_CONDITIONAL && k->answer != ANSWER_PROVED && (k->calm || calm == IDD_FALSE))
		return;
	if (!witness_pick(&k->witness, k->prover, m, s, all != IDD_FALSE ? all : calm != IDD_FALSE ? calm : some,
			  k->pair[0]->direction)) {
		k->q.progress.undecided++;
		return;
	}
	witness_replay(&k->witness, &k->terms, k->pair[0]);
	k->witness.replays &= witness_replays(&k->witness, &k->terms, k->pair[1]);
	k->second = witness_decider(k->pair[1], &k->witness);
	k->answer = found;
	k->calm = calm != IDD_FALSE;
	k->q.done = found == ANSWER_REFUTED;
}

/* More edits than this, and looking at everything once is less work. */
#define EDITS_MOST 64

static void compare_everywhere(struct comparing *k, unsigned states)
{
	k->q.most = WINDOW_CELLS;
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct window w = window_all(&k->terms, (enum family)f, states);

		asking_run(&k->q, &w, k->pair, 2);
	}
}

/* Only a packet that an edited step has can be treated otherwise. */
static void compare_edited(struct comparing *k, const struct judgement *j, const bool *edited,
			   unsigned states)
{
	k->q.most = SLICE_CELLS;
	for (size_t i = 0; i < j->cell_count; i++) {
		struct window all = window_all(&k->terms, j->cells[i].family, states), w;

		if (edited[j->cells[i].step] && window_around(&w, &all, &j->cells[i]))
			asking_run(&k->q, &w, k->pair, 2);
	}
}

static void compare(struct comparing *k, unsigned states)
{
	struct edits e = edits_find(k->prover->arena, k->pair[0], k->pair[1]);

	k->q.prover = k->prover;
	k->q.terms = &k->terms;
	k->q.ask = ask_relation;
	k->q.arg = k;
	if (e.a_count + e.b_count > EDITS_MOST) {
		compare_everywhere(k, states);
		return;
	}
	compare_edited(k, k->pair[0], e.a, states);
	if (MUTANT(23, true, false))
		compare_edited(k, k->pair[1], e.b, states);
}

static enum answer compared(const struct comparing *k)
{
	if (k->answer != ANSWER_REFUTED && k->q.progress.undecided)
		return ANSWER_UNDECIDED;
	return k->answer;
}

/* `copy`: the wider posture's buckets are its own (1) or the same ones (0). */
static struct order_answer order_with(struct prover *p, const struct ir *ir, unsigned tighter,
				      unsigned wider, unsigned copy)
{
	struct comparing k = { .prover = p, .terms = terms_begin(p), .relation = NO_MORE };

	terms_add(&k.terms, ir);
	for (int d = 0; d < DIRECTION_COUNT && !k.q.done; d++) {
		k.pair[0] = judgement_make(&k.terms, ir, tighter, (enum direction)d, 0);
		k.pair[1] = judgement_make(&k.terms, ir, wider, (enum direction)d, copy);
		compare(&k, STATES_FIRST);
	}
	return (struct order_answer){
		.answer = compared(&k),
		.calm = k.calm,
		.witness = k.witness,
		.in_wider = k.second,
		.progress = k.q.progress,
	};
}

static bool list_has_rates(const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->rules[i].rate)
			return true;
	return false;
}

static bool has_rates(const struct ir *ir, unsigned posture)
{
	bool any = list_has_rates(&ir->reflexes) || (ir->derme && ir->derme->rule_count);

	for (int d = 0; d < DIRECTION_COUNT; d++)
		any |= list_has_rates(&ir->postures[posture].lists[d]);
	return any;
}

/* A limit that both know by one name: the tighter posture's admits no more. */
static bool limit_admits_no_more(const struct ir_rate *tighter, const struct ir_list *wider)
{
	for (size_t i = 0; i < wider->count; i++) {
		const struct ir_rate *w = wider->rules[i].rate;

		if (w && !strcmp(w->kin, tighter->kin) && (w->cost_ns > tighter->cost_ns || w->depth_ns < tighter->depth_ns ||
							   w->key != tighter->key ||
							   memcmp(w->key_bits, tighter->key_bits, sizeof w->key_bits) != 0))
			return false;
	}
	return true;
}

static bool limits_admit_no_more(const struct ir *ir, unsigned tighter, unsigned wider)
{
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const struct ir_list *t = &ir->postures[tighter].lists[d];

		for (size_t i = 0; i < t->count; i++)
			if (t->rules[i].rate && !limit_admits_no_more(t->rules[i].rate, &ir->postures[wider].lists[d]))
				return false;
	}
	return true;
}

/*
 * With buckets of their own, the answer holds for every history. With shared
 * ones it is about one packet that meets equally full buckets in both.
 */
struct order_answer prove_order(struct prover *p, const struct ir *ir, unsigned tighter,
				unsigned wider)
{
	struct order_answer a = order_with(p, ir, tighter, wider, 1);

	if (a.answer != ANSWER_CONDITIONAL || !(has_rates(ir, tighter) || has_rates(ir, wider)) ||
	    !limits_admit_no_more(ir, tighter, wider))
		return a;

	struct order_answer shared = order_with(p, ir, tighter, wider, 0);

	if (shared.answer == ANSWER_UNDECIDED)
		return a;
	shared.equal_limits = true;
	return shared;
}

struct equal_answer prove_equal(struct prover *p, const struct ir *x, unsigned x_posture,
				const struct ir *y, unsigned y_posture)
{
	struct comparing k = { .prover = p, .terms = terms_begin(p), .relation = ALIKE };

	if (!terms_add(&k.terms, x) || !terms_add(&k.terms, y))
		return (struct equal_answer){ .answer = ANSWER_UNDECIDED };
	for (int d = 0; d < DIRECTION_COUNT && !k.q.done; d++) {
		k.pair[0] = judgement_make(&k.terms, x, x_posture, (enum direction)d, 0);
		k.pair[1] = judgement_make(&k.terms, y, y_posture, (enum direction)d, 0);
		compare(&k, STATES_ALL);
	}
	return (struct equal_answer){
		.answer = compared(&k),
		.witness = k.witness,
		.in_second = k.second,
		.progress = k.q.progress,
	};
}

struct decider prove_decider(struct prover *p, const struct ir *ir, unsigned posture, const struct witness *w)
{
	struct terms t = terms_begin(p);

	terms_add(&t, ir);
	return witness_decider(judgement_make(&t, ir, posture, w->direction, 0), w);
}
