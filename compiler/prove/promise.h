/*
 * promise - what a policy claims of itself, answered: each line of its invariants, and each pair of
 * neighbours in its orders.
 *
 *     struct promise_list all = prove_promises(p, ir);
 */
#ifndef TEG_PROVE_PROMISE_H
#define TEG_PROVE_PROMISE_H

#include "compiler/prove/prove.h"

struct pol_claim;

/* Three outcomes and the fourth that is none: enum answer. */
struct promise {
	const struct pol_claim *claim; /* or NULL: an order, of */
	const char *tighter, *wider;
	struct span span;
	enum answer answer;
	bool calm;	     /* CONDITIONAL, and wrong while nothing that is unknown is so: as wrong as REFUTED */
	bool equal_limits;   /* the order holds only if both postures find each bucket equally full */
	const char *posture; /* where it fails; of an order the tighter one */
	struct witness witness;
	struct decider in_wider;
	struct progress progress;
};

struct promise_list {
	struct promise *at;
	size_t len;
};

struct promise_list prove_promises(struct prover *p, const struct ir *ir);

/* One that stands in no policy. */
struct promise prove_invariant(struct prover *p, const struct ir *ir, const struct ir_invariant *v);
struct promise prove_ordered(struct prover *p, const struct ir *ir, unsigned tighter, unsigned wider);

static inline bool promise_is_broken(const struct promise *p)
{
	return p->answer == ANSWER_REFUTED || (p->answer == ANSWER_CONDITIONAL && p->calm);
}

/*
 * What the proved orders say of each posture, with what follows from them: `within` of its ir. A posture that lets established
 * flows go on is within none that judges them again, whatever it says of new ones; one that lets answers and what is related
 * pass is within no closed one.
 */
void promise_orders(struct ir *ir, const struct promise_list *all);

/* "no_telnet", "LOCKDOWN <= HARDENED". */
const char *promise_name(const struct promise *p, struct arena *a);

#endif
