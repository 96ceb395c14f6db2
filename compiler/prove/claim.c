/*
 * claim.c - what a policy claims of itself, asked cell by cell of each posture; and the same for
 * runtime blocks and closed postures.
 */
#include "compiler/prove/mutant.h"
#include "compiler/prove/prover.h"

#include <string.h>

#include "compiler/ir/eval.h"

enum asks {
	ASKS_VERDICT, /* what a claim says */
	ASKS_CLOSED,  /* prove_closed(), and what it excepts is kept */
	ASKS_BLOCKS,  /* prove_blocks(): what a block at run time takes is wrong */
};

/* A claim in one posture, one of its cells, and what came of it. */
struct claiming {
	struct prover *prover;
	const struct terms *terms;
	const struct claim *claim;
	enum asks asks;
	const struct judgement *j;
	const struct cell *cell;
	struct asking *q;
	struct claim_answer *answer;
};

/* ICMP errors of a flow are what `related` lets by in a closed posture. */
static bool passes_closed(const struct step *s)
{
	if (s->verdict != VERDICT_ALLOW)
		return true;
	if (s->rule)
		return s->rule->layer == LAYER_LIFELINE;
	return !strcmp(s->why, WHY_NEIGHBOUR);
}

/* By what a test may call it. */
static bool is_called(const struct step *s, const char *name)
{
	if (!strcmp(name, step_name(s)))
		return true;
	return s->rule && (!strcmp(name, s->rule->id) ||
			   (s->rule->layer == LAYER_LIFELINE && !strcmp(name, WHY_LIFELINE)));
}

static bool keeps(const struct claim *c, const struct step *s)
{
	bool allowed = s->verdict == VERDICT_ALLOW;

	if (!c->allowed && !s->rule && !strcmp(s->why, WHY_NEIGHBOUR))
		return true; /* always admitted, and never meant */
	if (c->exact && s->verdict != c->verdict)
		return false;
	return allowed == c->allowed && (!c->by || is_called(s, c->by));
}

static idd_ref is_wrong(const void *arg, uint32_t step)
{
	const struct claiming *k = arg;

	const struct step *s = &k->j->steps[step];
	bool kept = false;

	switch (k->asks) {
	case ASKS_VERDICT:
		kept = keeps(k->claim, s);
		break;
	case ASKS_CLOSED:
		kept = passes_closed(s);
		break;
	case ASKS_BLOCKS:
		kept = s->rule || strcmp(s->why, WHY_BLOCKED);
		break;
	}
	return kept ? IDD_FALSE : IDD_TRUE;
}

static idd_ref asked_of(struct idd *m, struct space *s, const struct claiming *k)
{
	idd_ref in = space_cell(m, s, k->cell, IDD_TRUE, IDD_FALSE);
	struct cell errors = cell_of_icmp_errors(s->window.family, s->window.zones);

	if (k->asks != ASKS_CLOSED)
		return in;
	return idd_apply(m, IDD_DIFF, in, space_cell(m, s, &errors, IDD_TRUE, IDD_FALSE));
}

/* What is wrong whatever the unknowns are outranks what is wrong for some. */
static void ask_claim(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct claiming *k = arg;
	idd_ref in = asked_of(m, s, k);
	idd_ref wrong = idd_map(m, space_steps(m, s, slices), is_wrong, k);
	idd_ref some = idd_apply(m, IDD_AND, in, wrong);
	idd_ref all = MUTANT(22, idd_for_all(m, some, s->unknown_level), some);
	struct claim_answer *a = k->answer;
	enum answer found = all != IDD_FALSE ? ANSWER_REFUTED : ANSWER_CONDITIONAL;

	if (some == IDD_FALSE)
		return;

	idd_ref calm = idd_fix(m, some, s->unknown_level,
			       arena_zero(k->prover->scratch, s->levels * sizeof(uint32_t)));

	if (found == ANSWER_CONDITIONAL && a->answer != ANSWER_PROVED && (a->calm || calm == IDD_FALSE))
		return;
	if (!witness_pick(&a->witness, k->prover, m, s, all != IDD_FALSE ? all : calm != IDD_FALSE ? calm : some,
			  k->j->direction)) {
		k->q->progress.undecided++;
		return;
	}
	witness_replay(&a->witness, k->terms, k->j);
	a->answer = found;
	a->calm = calm != IDD_FALSE;
	a->posture = k->j->posture;
	k->q->done = found == ANSWER_REFUTED;
}

static void claim_cell(struct claiming *k, struct cell *c, struct progress *sum)
{
	struct asking q = { .prover = k->prover, .terms = k->terms, .most = SLICE_CELLS,
			    .more = c, .ask = ask_claim, .arg = k };
	unsigned states = k->claim->states ? k->claim->states : 1u << CT_NEW;
	struct window all = window_all(k->terms, c->family, states), w;
	struct judgement *j = (struct judgement *)k->j;

	if (!window_around(&w, &all, c))
		return;
	k->cell = c;
	k->q = &q;
	asking_run(&q, &w, &j, 1);
	progress_add(sum, &q.progress);
}

static void claim_posture(struct claiming *k, const struct ir *ir, struct progress *sum)
{
	struct cell cells[FAMILY_COUNT];

	for (size_t i = 0; i < k->claim->box_count; i++) {
		size_t len = cells_of_box(k->terms, ir, &k->claim->boxes[i],
					  k->claim->direction, cells);

		for (size_t f = 0; f < len && k->answer->answer != ANSWER_REFUTED; f++)
			claim_cell(k, &cells[f], sum);
	}
}

static struct claim_answer claim_ask(struct prover *p, const struct ir *ir, const struct claim *claim, enum asks asks)
{
	struct claim_answer a = { .answer = ANSWER_PROVED };
	struct terms t = terms_begin(p);
	struct claiming k = { .prover = p, .terms = &t, .claim = claim, .asks = asks, .answer = &a };

	terms_add(&t, ir);
	for (unsigned i = 0; i < ir->posture_count && a.answer != ANSWER_REFUTED; i++) {
		if (!(claim->postures >> i & 1))
			continue;
		k.j = judgement_make(&t, ir, i, claim->direction, 0);
		claim_posture(&k, ir, &a.progress);
	}
	if (a.answer != ANSWER_REFUTED && a.progress.undecided)
		a.answer = ANSWER_UNDECIDED;
	return a;
}

struct claim_answer prove_claim(struct prover *p, const struct ir *ir, const struct claim *claim)
{
	return claim_ask(p, ir, claim, ASKS_VERDICT);
}

/* Blocks stand before the posture: in one it is as in all. */
struct claim_answer prove_blocks(struct prover *p, const struct ir *ir, const struct claim *claim)
{
	struct claim in = *claim;

	in.postures &= -in.postures;
	return claim_ask(p, ir, &in, ASKS_BLOCKS);
}

struct claim_answer prove_closed(struct prover *p, const struct ir *ir, unsigned posture)
{
	static const enum direction arriving[] = { DIRECTION_IN, DIRECTION_FORWARD };
	struct claim_answer a = { .answer = ANSWER_PROVED };
	struct terms t = terms_begin(p);
	const struct range all = { 0, UINT16_MAX };
	const struct ranges ports = { arena_copy(p->arena, &all, sizeof all), 1 };
	const struct ir_box whole = {
		.zones = UINT64_MAX, .families = 3, .fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST,
		.proto = PROTO_ANY_NUMBER, .src.any = true, .dst.any = true,
		.sport = ports, .dport = ports, .icmp = ports,
	};

	terms_add(&t, ir);
	for (size_t i = 0; i < 2 && a.answer == ANSWER_PROVED; i++) {
		struct claim claim = { .direction = arriving[i], .states = STATES_ALL,
				       .boxes = &whole, .box_count = 1 };
		struct claiming k = { .prover = p, .terms = &t, .claim = &claim, .asks = ASKS_CLOSED,
				      .answer = &a };

		k.j = judgement_make(&t, ir, posture, arriving[i], 0);
		claim_posture(&k, ir, &a.progress);
	}
	if (a.answer != ANSWER_REFUTED && a.progress.undecided)
		a.answer = ANSWER_UNDECIDED;
	return a;
}
