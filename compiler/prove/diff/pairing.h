/*
 * pairing - a diff under way: two policies, one posture and direction of each, one edited step. Private
 * to the files of the diff.
 *
 *     diff.c        postures by name, new ones by what they came for; what was found, in order
 *     ask.c         which packets an edited step changes, window by window
 *     tell.c        the same as a change: in words, with its flags
 *     facts.c       zones, and how what changes beside verdicts is told
 *     conditions.c  what rates, patterns, feeds and sessions ask
 *     blocking.c    whose sources are blocked for a time, and are not any more
 *     effects.c     logs and events
 *     signatures.c  what was looked into, and is not any more
 *     claims.c      what a policy says of itself
 *     responses.c   playbooks and what runs them
 */
#ifndef TEG_PROVE_DIFF_PAIRING_H
#define TEG_PROVE_DIFF_PAIRING_H

#include "compiler/prove/diff/diff.h"
#include "compiler/prove/prover.h"
#include "compiler/prove/region.h"

#define KINDS 3

/* What changes while nothing is blocked and no rate is exceeded; what changes only otherwise. */
enum when { WHEN_CALM, WHEN_ELSE, WHENS };

/*
 * What changed can be said in three ways: exactly; exactly but for what layers
 * before the rule's own decide, which are then named; and by naming the cells
 * in which it lies, and how much of them.
 */
enum words_kind { WORDS_EXACT, WORDS_BESIDE, WORDS_CELLS, WORDS };

/* What one edited step changed, kind by kind, calm or not, window after window. */
struct told {
	bool any, admin;
	struct witness witness;
	uint8_t states;
	bool *otherwise; /* by step of the other policy */
	struct words {
		bool exact;
		VEC(struct region) regions;
	} words[WORDS];
	bool *rest;		     /* by step of the own policy: decides what did not change */
	double changed, own;	     /* shares of all packets */
};

enum which { OLD, NEW, SIDES, PERMITS = SIDES };

struct told_effect {
	const char *what;     /* a label, or the id of what no posture has */
	const char *postures; /* that have it, or NULL */
	const char *before, *after;
	bool lost;
};

struct pairing {
	struct prover *prover;
	struct terms terms;
	bool access_only;	     /* nothing but what was opened, beyond what `permits` has */
	const struct ir *permits;    /* or NULL */
	struct judgement *j[SIDES + 1]; /* the last: what is permitted */
	bool *edited[SIDES];
	const struct ir *ir[SIDES];
	VEC(struct change) changes;
	VEC(struct fact) facts;
	VEC(struct told_effect) effects;
	const char *posture;	     /* the name of the one at hand */
	VEC(struct idle) idles;
	VEC(const char *) idle_ids; /* of new rules that changed an old one to no effect */

	/* the edited step being looked at */
	enum which side;
	uint32_t step;
	const struct cell *cell;
	struct told told[KINDS][WHENS];
	bool touches; /* it decides some changed packet, though another edit may tell of it */
	struct asking q;
};

/* ask.c: fills in told[] of the step and cell at hand. */
void ask_change(struct idd *m, struct space *s, const struct slice *slices, void *arg);
bool same_circumstances(const struct point *a, const struct point *b, size_t unknowns);

/* tell.c: all edits of a posture and direction. */
void pairing_compare(struct pairing *k, unsigned old_posture, unsigned new_posture, enum direction d);
/* Of these the verdicts alone, into `changes` and `idles`. */
void pairing_verdicts(struct pairing *k, unsigned old_posture, unsigned new_posture, enum direction d);
const struct ir_posture *posture_named(const struct ir *ir, const char *name, unsigned *index);
enum risk flags_risk(unsigned flags, enum risk least);

#define FLAG(f) (1u << FLAG_##f)

/* facts.c */
void fact(struct pairing *k, enum fact_kind kind, enum risk risk, const char *what, const char *before, const char *after);
/* The risk is that of the flags, low without any. */
void fact_flagged(struct pairing *k, enum fact_kind kind, unsigned flags, const char *what, const char *before,
		  const char *after);
bool fact_is_told(const struct pairing *k, const char *what, const char *before, const char *after);
void compare_zones(struct pairing *k);

/* conditions.c: of two lists of rules; of all feeds, and all rules on sessions. */
void compare_conditions(struct pairing *k, const struct ir_list *a, const struct ir_list *b);
void compare_feeds(struct pairing *k);
void compare_sessions(struct pairing *k);

/* blocking.c: of the posture at hand. */
void compare_blocking(struct pairing *k);

/* effects.c: of the posture and direction at hand; of reflexes that only tell; then all as facts. */
void compare_effects(struct pairing *k);
void compare_watches(struct pairing *k);
void effects_told(struct pairing *k);

/* signatures.c: of the posture and direction at hand. */
void compare_signatures(struct pairing *k);

#endif
