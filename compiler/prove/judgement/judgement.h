/*
 * judgement - all layers of a policy, for one posture and one direction, as a
 * single first-match list.
 *
 * eval.h defines admitted = lifeline or (not block and not reflex and
 * posture). Written as steps, of which the first that has the packet decides:
 *
 *     lifelines            allow
 *     neighbour discovery  allow      (IPv6, hop limit 255)
 *     blocked at run time  drop       an unknown, see below
 *     feeds                drop       an unknown each
 *     blocks               drop
 *     reflexes             drop       with a rate: only when over it, an unknown
 *     invalid              drop
 *     established, related allow      as the posture's `established` says
 *     the posture's rules, its default
 *
 * So every question about a policy is one about an ordered list, and changes
 * of lifelines, blocks or `established` are edits of it like any other.
 *
 * What is forwarded needs one more word: there a lifeline and neighbour
 * discovery only spare a packet the blocks and reflexes; such a step goes on,
 * with the first step of layer 4.
 *
 * What the policy does not decide is an input: connection state, reply
 * direction, whether an address is the host's own (self). What is forwarded
 * does not go to the host itself: the kernel's routing sees to that, and it is
 * taken for granted here. What nobody can
 * know beforehand is an unknown: a boolean that may be anything. There is one
 * per rate or limit, one per feed, and one for runtime blocks. A limit that
 * several reflexes ask of one packet has more: see askers.c.
 *
 * A step's cells are the boxes of its rule, each for one address family. They
 * point into the ir, which must live as long.
 */
#ifndef TEG_PROVE_JUDGEMENT_JUDGEMENT_H
#define TEG_PROVE_JUDGEMENT_JUDGEMENT_H

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"

#define STATES_ALL   ((1u << CT_COUNT) - 1)
#define STATES_FIRST (1u << CT_NEW | 1u << CT_UNTRACKED) /* what is judged without a memory */

/* --- terms: what several policies are compared in ----------------------------------- */

/* Is the rate exceeded, is the pattern found, does the rule on sessions hold, is the source on the feed? */
enum open_kind { OPEN_RATE, OPEN_PATTERN, OPEN_SESSION, OPEN_FEED };

/* What takes a token of a limit before another is asked, by its packets. */
struct taker {
	const struct ir_rule *rule;
	const char *asks; /* the same of all that take of the same packets */
};

/* Either who they are, or only how many. */
struct takers {
	const struct taker *at; /* sorted by what they ask */
	size_t len;
	unsigned count;
};

/* As many are told one by one: which of them a packet has decides how many tokens it takes. */
#define TAKERS_COUNTED 6

struct unknown {
	const char *name;	/* ir_rule_condition() */
	enum open_kind kind;
	unsigned copy;		/* 0, or 1 for the other policy's own bucket */
	struct takers before;	/* of reflexes that share a limit: see askers.c */
	const char *said;	/* the name, and who takes before */
};

struct asker {
	const struct ir_rule *rule;
	struct takers before; /* never none */
};

/*
 * Zones are joined by name: bit i is zones[i], the bit ZONE_NONE is the
 * interfaces that no policy names. Fewer than 63 names in all.
 */
struct terms {
	struct arena *arena;
	VEC(const char *) zones;
	VEC(struct unknown) unknowns;
	VEC(struct asker) askers; /* reflexes that share a limit, behind others */
};

/* Zones and unknowns of one more policy. False when there are too many zones. */
bool terms_add(struct terms *t, const struct ir *ir);

/* Those that take a token of the rule's limit before it is asked, of one packet; none of most rules. */
struct takers terms_takers(const struct terms *t, const struct ir_rule *r);
bool takers_have(const struct takers *of, const struct taker *x);
bool takers_are_among(const struct takers *few, const struct takers *all);

/*
 * The rule's own condition, for lists of which each rule must ask what the other's rule of its id asks: where they are
 * alike in that, they take the same tokens. How many conditions there are, when it is not known.
 */
size_t terms_own_unknown(const struct terms *t, const struct ir_rule *r);

/* More reflexes, in their order, of which the policy's list does not know. */
void askers_add(struct terms *t, const struct ir *ir, const struct ir_list *l);

/* --- steps -------------------------------------------------------------------------- */

/* The addresses of one end: the host's own when `self`, or any of the ranges. */
struct side {
	bool self, full;
	const struct addr_range *at; /* sorted, disjoint */
	size_t len;
};

/* As much of the hop limit as anything asks. */
enum hops { HOPS_OTHER, HOPS_255, HOPS_1, HOPS_COUNT };
#define HOPS_ALL ((1u << HOPS_COUNT) - 1)

static inline enum hops hops_of(uint8_t hop_limit)
{
	return hop_limit == 255 ? HOPS_255 : hop_limit == 1 ? HOPS_1 : HOPS_OTHER;
}

struct cell {
	uint32_t step;
	enum family family;
	uint8_t states, replies, fragments, hops, blocked; /* bit per value; hops: enum hops */
	uint8_t flags_mask, flags_want;
	uint16_t proto_lo, proto_hi;
	uint64_t zones;
	int unknown; /* must hold, or -1 */
	struct side dst, src;
	struct ranges sport, dport, icmp;
};

struct step {
	const struct ir_rule *rule; /* or NULL: `why` alone says it */
	const char *why;
	enum verdict verdict;
	bool goes_on;	       /* instead of a verdict: layer 4 judges */
	uint32_t outcome;      /* of lists that alike.h compares: all that is done to a packet, as a number */
	uint32_t first, count; /* cells */
	uint64_t hash;	       /* of what it matches and its verdict */
};

struct judgement {
	const struct ir *ir;
	unsigned posture;
	enum direction direction;
	unsigned copy; /* of the unknowns that its reflexes ask */
	struct step *steps;
	size_t step_count;
	size_t layer4; /* its first step */
	struct cell *cells; /* by step */
	size_t cell_count;
};

/*
 * `copy` chooses whose buckets the reflexes ask: judgements with the same copy
 * see the same answers. The terms must know the ir already.
 */
struct judgement *judgement_make(struct terms *t, const struct ir *ir, unsigned posture,
				 enum direction direction, unsigned copy);

/*
 * The lifelines and the rules alone, of packets in any state: what a policy permits by its own words,
 * apart from what is always admitted and from what blocks and reflexes take away.
 */
struct judgement *judgement_of_rules(struct terms *t, const struct ir *ir, unsigned posture,
				     enum direction direction);

/*
 * What one hook decides by itself, as a list. Of layer 4: what is always admitted, flows that exist, the
 * rules; sessions are not among it. Of the first hook: layers 1 to 3 on interfaces of zones, and what goes on
 * to layer 4 as a last step, WHY_GOES_ON.
 */
struct judgement *judgement_of_layer4(struct terms *t, const struct ir *ir, unsigned posture, enum direction direction);
struct judgement *judgement_of_first_hook(struct terms *t, const struct ir *ir, unsigned posture);

/*
 * The packets of both cells; whether there may be any. Where one end names self and another addresses they are somewhat
 * more, and *exact becomes false. Ranges that are neither one's go into the arena.
 */
bool cell_meet(struct arena *a, const struct cell *x, const struct cell *y, struct cell *both, bool *exact);

/* Every packet of a family, on these zones of the terms. */
struct cell cell_any(enum family family, uint64_t zones);

/*
 * Of two judgements that have histories of their own, the one whose answer it is: a bucket is each one's own, while a
 * pattern is in a packet, or a source on a feed, to both.
 */
static inline unsigned condition_copy(const struct ir_rule *r, unsigned copy)
{
	return r->rate ? copy : 0;
}

/* By name: the bit of a policy's zone in the terms. */
uint64_t terms_zone(const struct terms *t, const char *name);

/* One box as cells of step 0, as a claim or a question needs it. Returns how many: at most 2. */
size_t cells_of_box(const struct terms *t, const struct ir *ir, const struct ir_box *box,
		    enum direction direction, struct cell out[static FAMILY_COUNT]);

/* ICMP and ICMPv6 errors, such as may belong to a flow, on these zones of the terms. */
struct cell cell_of_icmp_errors(enum family family, uint64_t zones);

/* Equal in what they match and in what they do. */
bool step_same(const struct judgement *x, const struct step *a, const struct judgement *y,
	       const struct step *b);

bool step_same_cells(const struct judgement *x, const struct step *a, const struct judgement *y,
		     const struct step *b);

/* The same packets, said in the same way. */
bool cell_same(const struct cell *a, const struct cell *b);

/* Fills in the step's hash, of its cells and of what it does. */
void judgement_hash(struct judgement *j, struct step *s);

/* "web_in", "default", "established", … */
static inline const char *step_name(const struct step *s)
{
	return s->rule ? s->rule->label : s->why;
}

/* --- one packet --------------------------------------------------------------------- */

/* A packet with all its circumstances. packet.zone counts in the terms' zones. */
struct point {
	struct packet packet;
	bool src_self, dst_self;
	bool blocked;
	const bool *over; /* by unknown */
};

bool cell_has(const struct cell *c, const struct point *p);

/* The number of the step that decides: plain first match, the reference for everything else. */
size_t judgement_first(const struct judgement *j, const struct point *p);

#endif
