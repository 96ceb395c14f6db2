/*
 * diff - what a change of a policy changes in meaning.
 *
 * For each posture and direction, old and new are compared as functions of all
 * packets and circumstances. Every packet that is treated otherwise is decided
 * by a rule that was edited, before or after; so the changes are told by their
 * causes, one edited rule each, and together they are the whole difference.
 *
 *     own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
 *     const struct diff *d = prove_diff(p, old, new);
 *
 *     for (size_t i = 0; i < d->change_count; i++)
 *             say(&d->changes[i]);
 */
#ifndef TEG_PROVE_DIFF_DIFF_H
#define TEG_PROVE_DIFF_DIFF_H

#include "compiler/prove/prove.h"

struct region;

/* EFFECT: dropped before and after, but the sender is told, or no longer. */
enum change_kind { CHANGE_OPENED, CHANGE_CLOSED, CHANGE_EFFECT };

enum risk { RISK_NONE, RISK_LOW, RISK_MEDIUM, RISK_HIGH, RISK_CRITICAL };

/* Documented in docs/diff.md. */
enum change_flag {
#define RISK(id, name, level, about) FLAG_##id,
#include "compiler/prove/diff/risk.def"
#undef RISK
	FLAG_COUNT
};

struct change {
	enum change_kind kind;
	const char *posture; /* "HARDENED"; "HARDENED, BALANCED" when it is the same in both */
	enum direction direction;

	/* Why: an edited rule decides, in the new policy (added) or in the old one. */
	bool added;
	struct decider cause;
	struct decider counterpart; /* the edited rule of the same id in the other policy; or no `why` */
	struct decider *otherwise; /* who decides these packets in the other policy */
	size_t otherwise_count;

	const struct region *boxes; /* exact, when `exact`; else what `share` of has changed */
	size_t box_count;
	const char **regions; /* the same in words */
	size_t region_count;
	bool exact;
	bool beside; /* but for packets that lifelines, blocks and reflexes decide: see `rest` */
	double share;
	struct decider *rest; /* who decides, on the cause's side, what did not change of its cells */
	size_t rest_count;

	uint8_t states;	      /* bit per connection state in which packets change */
	bool conditional;     /* never while nothing is blocked and no rate is exceeded */
	struct witness witness; /* decider: in the old policy */
	struct decider now;
	const char *edge; /* "port 23 stays drop", or NULL */

	unsigned flags; /* bit per enum change_flag */
	enum risk risk;
};

/* What changes beside verdicts: a limit, a zone, what is blocked for how long. */
enum fact_kind {
	FACT_RATE_UP, FACT_RATE_DOWN, FACT_BLOCK_TIME, FACT_ZONE, FACT_INITIAL,
	FACT_POSTURE_ADDED, FACT_POSTURE_REMOVED, FACT_ESTABLISHED, FACT_MALFORMED, FACT_FEED,
	FACT_PLAYBOOK, FACT_RESPONSE /* what runs one, homeostasis, a decoy */,
	FACT_PATTERN /* what is looked for */, FACT_SESSION, FACT_EFFECTS /* logs and events */, FACT_SIGNATURE /* admitted, and looked into no more */, FACT_OWNER,
	FACT_ORDER_BROKEN, FACT_INVARIANT_BROKEN, FACT_CLAIM, /* a claim came, went, or holds otherwise */
};

struct fact {
	enum fact_kind kind;
	enum risk risk;
	const char *what; /* "reflex.syn_flood", "zone wan", "posture LOCKDOWN" */
	const char *before, *after;
	unsigned flags;	     /* bit per enum change_flag */
	const char *example; /* a packet, or NULL */
};

/* An edit that changes nothing. */
enum idle_kind { IDLE_MOVED, IDLE_RENAMED, IDLE_CHANGED, IDLE_ADDED, IDLE_REMOVED };

struct idle {
	enum idle_kind kind;
	const char *posture;
	enum direction direction;
	struct decider rule;
};

struct diff {
	struct change *changes; /* opened first, then closed; worst first */
	size_t change_count;
	struct fact *facts;
	size_t fact_count;
	struct idle *idles;
	size_t idle_count;
	const char **orders; /* "A <= B <= C": what the new policy claims so, and is proved */
	size_t order_count, invariant_count;
	struct progress progress;
	bool access_only;    /* what was opened, and nothing else */
	bool too_many_zones; /* the two name more than 63 together: nothing was compared */
};

const struct diff *prove_diff(struct prover *p, const struct ir *old, const struct ir *new);

/*
 * Only what `head` admits, `base` did not, and `permits` (or NULL) does not permit: see
 * judgement_of_rules(). Asked of its posture of the same name, or else of its initial one. Facts are
 * those by which more may be admitted: rates that rose, zones, postures that are new.
 */
const struct diff *prove_new_access(struct prover *p, const struct ir *base, const struct ir *head,
				    const struct ir *permits);

/* Does eval say of every example what is said here? */
bool diff_replays(const struct diff *d);

const char *change_kind_name(enum change_kind k);
const char *risk_name(enum risk r);
const char *flag_name(enum change_flag f);

#endif
