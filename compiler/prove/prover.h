/*
 * prover - what the questions share: the diagrams' manager, and asking window
 * by window. Private to this folder.
 *
 *     struct asking q = { .prover = p, .terms = &t, .most = 300, .ask = ask_dead, .arg = &mine };
 *
 *     asking_run(&q, &window, judgements, 2);
 *
 * cuts the window until at most about `most` cells matter in a part, and calls
 * ask() for each. ask() may be left by longjmp when the budget runs out: it
 * computes first and writes what it found at its end. The part is then cut
 * further; one that cannot be is undecided, and counted.
 */
#ifndef TEG_PROVE_PROVER_H
#define TEG_PROVE_PROVER_H

#include "compiler/prove/prove.h"
#include "compiler/prove/space/space.h"

struct prover {
	struct arena *arena;
	struct arena *scratch; /* of one ask() */
	struct idd *idd;
	struct space space;
	struct prove_budget budget;
};

struct terms terms_begin(struct prover *p);

#define WINDOW_CELLS 300  /* for questions about everything: bounds the memory */
#define SLICE_CELLS  1500 /* up to here one diagram is as fast */

#define SLICES_MOST 3

struct asking {
	struct prover *prover;
	const struct terms *terms;
	size_t most;
	const struct cell *more; /* ranks are fine enough for this one too, or NULL */
	/*
	 * How many of a part's cells need be looked at, from the first on, or NULL: all. It is called for wider windows too, before
	 * they are cut. A window of which none is needed is not asked about.
	 */
	size_t (*need)(const struct slice *slice, const struct window *w, void *arg);
	void (*ask)(struct idd *m, struct space *s, const struct slice *slices, void *arg);
	void (*gave_up)(const struct slice *slices, void *arg); /* on an undecided part, or NULL */
	void *arg;
	bool done; /* set by ask(): nothing more needs to be asked */
	struct progress progress;
};

/* What one of several questions took, added to what all took. */
void progress_add(struct progress *all, const struct progress *one);

void asking_run(struct asking *q, const struct window *w, struct judgement *const *of, size_t count);

/* The packets of the set in the circumstances of the witness: states, fragments and unknowns do not go into words. */
idd_ref set_as_witnessed(struct prover *p, struct idd *m, const struct space *s, const struct witness *w, idd_ref set);

/* How much of the window the set is, as space_weigh measures. */
double set_share(struct idd *m, struct space *s, idd_ref set);

/* --- steps that decide -------------------------------------------------------------- */

/*
 * Which steps decide any packet: for asking_run(), with reach_need() and reach_ask(). Most are found by a few
 * packets of theirs in each window; diagrams are asked of the rest.
 */
struct reach {
	const struct judgement *j;
	bool *reached; /* by step, and one for all that were known before */
	bool *over;    /* work: none of the unknowns holds */
	const struct cell *within; /* only packets of this one, while nothing is blocked and no rate is exceeded but its own; or NULL */
};

struct reach reach_begin(struct prover *p, const struct terms *t, const struct judgement *j);
size_t reach_need(const struct slice *slice, const struct window *w, void *reach);
void reach_ask(struct idd *m, struct space *s, const struct slice *slice, void *reach);
void reach_gave_up(const struct slice *slice, void *reach);

/* The step that is the rule's. */
bool judgement_step(const struct judgement *j, const struct ir_rule *rule, uint32_t *out);

/* --- edits -------------------------------------------------------------------------- */

/* Steps of two judgements that are not in a common subsequence of equal steps. */
struct edits {
	bool *a, *b; /* by step */
	size_t a_count, b_count;
};

struct edits edits_find(struct arena *arena, const struct judgement *a, const struct judgement *b);

/* --- witnesses ---------------------------------------------------------------------- */

/*
 * A packet of the set, with values people know where the set lets it have
 * them. False when only packets from and to one address are in it and the
 * host is asked to own and not to own it.
 */
bool witness_pick(struct witness *out, struct prover *p, struct idd *m, const struct space *s,
		  idd_ref set, enum direction direction);

/* Who decides the witness, by plain first match. */
struct decider witness_decider(const struct judgement *j, const struct witness *w);

/* Fills in decider and `replays`: eval must come to the same end. */
void witness_replay(struct witness *w, const struct terms *t, const struct judgement *j);
bool witness_replays(const struct witness *w, const struct terms *t, const struct judgement *j);

static inline struct decider decider_of(const struct step *s)
{
	return (struct decider){ s->rule, step_name(s), s->verdict };
}

/* --- claims ------------------------------------------------------------------------- */

/* What changes in what a policy claims of itself, and what of it holds now. */
struct claims_diff {
	VEC(struct fact) facts;
	VEC(const char *) orders; /* "A <= B <= C": proved in each pair */
	size_t invariants;	  /* proved in each line */
};

/* diff/claims.c */
void claims_compare(struct claims_diff *out, struct prover *p, const struct ir *old, const struct ir *new);

/* --- responses ---------------------------------------------------------------------- */

struct response_facts {
	VEC(struct fact) list;
};

/* diff/responses.c: what changes in playbooks, what runs them, homeostasis and decoys. */
void facts_of_responses(struct arena *a, struct response_facts *out, const struct ir *old, const struct ir *new);

#endif
