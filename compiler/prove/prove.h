/*
 * prove - questions about policies, answered for all packets at once.
 *
 *     own(prover) struct prover *p = prover_new(&budget);
 *     struct claim_answer a = prove_claim(p, ir, &claim);
 *     struct order_answer o = prove_order(p, ir, LOCKDOWN, HARDENED);
 *     struct dead_list d = prove_dead(p, ir);
 *     struct diff *d = prove_diff(p, old, new);
 *
 * What is asked of is an ir; compiler/ir/eval.h says what it means. Answers
 * live as long as the prover. Whatever is said about a packet was replayed in
 * eval first; one that does not replay is our own mistake (answer.replays).
 *
 * How it is done stands in idd/idd.h (sets of packets), judgement/judgement.h (layers as one
 * list), window.h (why looking at a part is exact) and docs/prover.md.
 */
#ifndef TEG_PROVE_PROVE_H
#define TEG_PROVE_PROVE_H

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/prove/judgement/judgement.h"

struct prover;

/* Counted in steps, so that every machine gives the same answer. */
struct prove_budget {
	uint32_t slots; /* 8 bytes each, of one window's diagram */
	uint64_t steps; /* in all */
};

#define PROVE_BUDGET ((struct prove_budget){ 32u << 20, UINT64_C(2000000000) })

struct prover *prover_new(const struct prove_budget *budget);
void prover_free(struct prover *p);
OWN_FREE(prover, struct prover *)

/* --- what is common to all answers -------------------------------------------------- */

/*
 * PROVED       for every packet and whatever the unknowns are
 * REFUTED      some packet is wrong whatever the unknowns are
 * CONDITIONAL  some packet is wrong for some of them: the witness names which
 * UNDECIDED    the budget ran out in a part, and elsewhere nothing was wrong
 */
enum answer { ANSWER_PROVED, ANSWER_CONDITIONAL, ANSWER_REFUTED, ANSWER_UNDECIDED };

const char *answer_name(enum answer a);

/* How far a question got. A window is a part of all packets. */
struct progress {
	size_t windows, undecided;
	struct window_text {
		char text[160];
	} first_undecided;
};

/* Who decides a packet. */
struct decider {
	const struct ir_rule *rule; /* or NULL: `why` alone says it */
	const char *why;
	enum verdict verdict;
};

/*
 * A packet with real-looking values. Its addresses mean the host's own where
 * src_self and dst_self say so; packet.zone is an index into `zones`.
 */
struct witness {
	struct point point;
	enum direction direction;
	const char *zone;	   /* name, or NULL: an interface of no zone */
	const char **assumes;	   /* "reflex.syn_flood is over its rate", … */
	size_t assume_count;
	struct decider decider;
	bool replays;
};

/* "tcp 198.51.100.7:50000 -> self:22 syn on wan", as tests in a policy spell it. */
void witness_print(struct buf *out, const struct witness *w);

/* --- claims ------------------------------------------------------------------------- */

/*
 * "In these postures, packets of these boxes are allowed (or dropped)". What
 * is always admitted (neighbour discovery) is not meant by "dropped".
 */
struct claim {
	const char *name; /* or NULL */
	uint64_t postures; /* bit per posture of the ir */
	enum direction direction;
	unsigned states; /* bit per enum ct_state; 0 is CT_NEW alone */
	const struct ir_box *boxes;
	size_t box_count;
	bool allowed;	 /* else dropped or rejected */
	bool exact;	 /* not only allowed or not, but this verdict: */
	enum verdict verdict;
	const char *by;	 /* and decided by the rule of this label, or NULL */
};

struct claim_answer {
	enum answer answer;
	bool calm; /* CONDITIONAL, and wrong while none of the unknowns is so */
	unsigned posture; /* where it fails */
	struct witness witness;
	struct progress progress;
};

struct claim_answer prove_claim(struct prover *p, const struct ir *ir, const struct claim *claim);

/*
 * Does a block at run time, of whichever source, take no packet of the claim? What a lifeline
 * admits none takes. CONDITIONAL otherwise: the witness's source is the one that is blocked.
 */
struct claim_answer prove_blocks(struct prover *p, const struct ir *ir, const struct claim *claim);

/*
 * Does layer 4 drop whatever arrives in this posture, apart from lifelines,
 * neighbour discovery, ICMP errors and later fragments? Then the first hook may
 * drop it as well: eval_closed_drops().
 */
struct claim_answer prove_closed(struct prover *p, const struct ir *ir, unsigned posture);

/*
 * The steps of playbooks that can break a claim of what is allowed: a block or a scar that takes
 * one of its packets, a throttle that may drop what exceeds it. What a lifeline admits none reaches.
 * Postures are no breach: a claim is proved in each posture that it speaks of. Nor is a cut of
 * sessions: what comes next is judged as ever.
 */
struct breach {
	const struct ir_effect *effect;
	struct witness witness;
};

struct breaches {
	struct breach *at;
	size_t len;
	struct progress progress; /* steps that the budget did not decide are not listed */
};

struct breaches prove_breaches(struct prover *p, const struct ir *ir, const struct claim *claim);

/* --- postures against each other ---------------------------------------------------- */

/*
 * Does the tighter posture admit no more than the wider? Of new flows; what
 * happens to flows that exist is for `established` to say.
 */
struct order_answer {
	enum answer answer;
	bool calm; /* as of a claim */
	struct witness witness;	 /* decider: in the tighter posture */
	struct decider in_wider;
	bool equal_limits; /* holds only if both postures find each bucket equally full */
	struct progress progress;
};

struct order_answer prove_order(struct prover *p, const struct ir *ir, unsigned tighter,
				unsigned wider);

/* Do two postures, of one ir or of two, treat every packet alike, in every state? */
struct equal_answer {
	enum answer answer;
	struct witness witness; /* decider: in the first */
	struct decider in_second;
	struct progress progress;
};

struct equal_answer prove_equal(struct prover *p, const struct ir *x, unsigned x_posture,
				const struct ir *y, unsigned y_posture);

/* Who decides a packet in another posture of the ir that the witness is about. */
struct decider prove_decider(struct prover *p, const struct ir *ir, unsigned posture, const struct witness *w);

/* --- rules that decide nothing ------------------------------------------------------ */

/*
 * EMPTY      its tests contradict each other: there is no such packet
 * REDUNDANT  rules before it decide all its packets, with its own verdict
 * SHADOWED   the same, and some with another verdict
 * PARTLY     it decides some, but rules before it with another verdict take `share` of it
 */
enum dead_kind { DEAD_EMPTY, DEAD_REDUNDANT, DEAD_SHADOWED, DEAD_PARTLY };

struct dead {
	unsigned posture; /* of rules of layers 1 to 3: the first */
	enum direction direction;
	const struct ir_rule *rule;
	bool never; /* it decides no packet, whatever the unknowns are */

	/* by prove_dead_explain: */
	enum dead_kind kind;
	double share;		  /* of the rule's packets that others decide otherwise */
	struct decider *deciders; /* instead of it, in the order of judgement */
	size_t decider_count;
	bool witnessed;
	struct witness witness;	  /* one of its packets, decided otherwise where any is */
	struct progress progress;
};

struct dead_search; /* what the explanations go on with */

struct dead_list {
	struct dead *at;
	size_t len;
	struct progress progress; /* rules that matter in undecided windows are not listed */
	struct dead_search *search;
};

/* Every rule of every posture and layer that never decides, or less than 1 - share of its packets. */
struct dead_list prove_dead(struct prover *p, const struct ir *ir, double share);

struct idle_list {
	const struct ir_rule **at;
	size_t len, room;
};

/*
 * Rules that decide no packet, of new flows and of others: without them all is decided as with them. Those of
 * layer 4 by what layer 4 asks alone: it also judges what the first hook has not seen. Parts that are too
 * large to be searched have none.
 */
struct idle_list prove_idle(struct prover *p, const struct ir *ir);

/* Why. False when it was listed for its share alone, and loses the rest to rules that agree. */
bool prove_dead_explain(const struct dead_list *l, struct dead *d);

/* --- what one rule decides ---------------------------------------------------------- */

/*
 * Of new flows, in one posture and direction: which of its packets no rule before it takes. Lines are
 * regions in the policy's words (region.h). DECIDES_BESIDE: they are its packets but for what lifelines,
 * blocks and reflexes take, which are among `others`. DECIDES_PART: no few words say it; they are all of
 * the rule's packets, of which it decides `share`.
 */
enum decides_kind { DECIDES_NOTHING, DECIDES_ALL, DECIDES_EXACTLY, DECIDES_BESIDE, DECIDES_PART };

struct decides {
	enum decides_kind kind;
	double share;
	const char **lines;
	size_t line_count;
	struct decider *others; /* that decide the rest, in the order of judgement */
	size_t other_count;
	struct witness witness; /* one of what it decides */
	struct progress progress;
};

struct decides prove_decides(struct prover *p, const struct ir *ir, unsigned posture, enum direction d,
			     const struct ir_rule *rule);

#endif
