/*
 * ir - the policy as ordered rules over field sets: what is decided.
 *
 *     struct ir *ir = ir_lower(policy, arena);
 *     struct outcome o = eval_packet(ir, moment, packet);        eval.h
 *
 * A rule is a list of boxes; a packet matches the rule when it lies in any
 * box; a box is a conjunction of one set per field. The first matching rule of
 * a list decides. A posture's default is its last rule, with one full box.
 *
 * Nothing here depends on an engine: prove/ and emit/ read this and nothing
 * before it. A box that asks for a header field (ports, flags, ICMP type)
 * already implies the protocol and "not a later fragment". A box names only
 * families in which both its ends have addresses, ICMP only IPv4 and ICMPv6
 * only IPv6; an end that holds every address of those families asks nothing
 * (any). A box in which no packet can lie is left out, so a rule may have none.
 */
#ifndef TEG_IR_IR_H
#define TEG_IR_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/front/policy.h"
#include "compiler/ir/response.h"
#include "lang/base/addr.h"
#include "lang/base/ranges.h"
#include "lang/base/span.h"
#include "lang/vocab/verdict.h"

struct policy;

/* Address sets are interned: equal sets are one pointer. They are the ir's own. */
struct ir_set {
	unsigned index;	  /* in ir->sets */
	const char *name; /* a name the policy gave to exactly this set, or NULL */
	struct netset set;
};

/* Matches when any part does. A full end has any = true and nothing else. */
struct ir_end {
	bool any, self;
	const struct ir_set *set; /* or NULL */
};

enum { FRAGMENT_WHOLE = 1, FRAGMENT_FIRST = 2, FRAGMENT_LATER = 4, FRAGMENT_ANY = 7 };

#define PROTO_ANY_NUMBER 256

struct ir_box {
	uint64_t zones;	   /* bit per zone; UINT64_MAX also covers interfaces of no zone */
	uint8_t families;  /* bit per enum family */
	uint8_t fragments; /* FRAGMENT_ bits */
	uint16_t proto;	   /* IP protocol number, or PROTO_ANY_NUMBER */
	uint8_t flags_mask, flags_want; /* TCP */
	struct ir_end src, dst;
	struct ranges sport, dport;	/* all when not asked */
	struct ranges icmp;		/* type << 8 | code; all when not asked */
};

/*
 * A token bucket in time: `depth_ns` is its capacity and `cost_ns` what a
 * packet takes; it refills one nanosecond per nanosecond. All engines share
 * this arithmetic, which is nft's (net/netfilter/nft_limit.c): cost_ns is
 * unit_s * 1e9 / rate, floored, and depth_ns is cost_ns * burst.
 *
 * The unit is the shortest of second, minute, hour, day and week in which the
 * policy's rate is a whole number; where none is, the one in which the nearest
 * whole number is nearest, at least 1 and at most one packet a nanosecond. So
 * "20 per 30d" becomes 5 a week; what would be a tenth off, as "1 per 30d", the
 * front end refuses. The burst is at most 2^32 - 1, as in nft.
 */
struct ir_rate {
	uint64_t rate, unit_s, burst; /* so many packets or bytes per unit_s, as nft is told: see ir_rate_of() */
	uint64_t cost_ns, depth_ns;   /* the cost is of a packet, or of `rate` bytes */
	bool bytes;		      /* those from the IP header on are counted, not packets */
	uint8_t key_bits[FAMILY_COUNT];
	enum rate_key key;
	const char *bucket; /* what shares it has the same: a rule's id, or "limit.NAME" */
	const char *kin;    /* what would fill alike has the same: a limit that several postures inherit */
	bool fleet;
};

struct ir_rule {
	const char *id, *label;
	struct span span;
	uint32_t rank;		     /* of a watch: so many reflexes stand before it */
	enum layer layer : 8;
	enum direction direction : 8; /* posture rules; the others judge on arrival */
	enum verdict verdict : 8;
	bool is_default;
	bool cookies;		     /* reflex: the packet is dropped, and answered with a SYN cookie */
	const struct pol_payload *payload; /* reflex: must be found too; or NULL */
	const struct pol_feed *feed;	   /* only sources that are on it; or NULL */
	struct ir_box *boxes;
	size_t box_count;
	/*
	 * Matches only what is over this, or NULL. In a posture it is the limit of the
	 * rule behind it, "HARDENED.web_in.limit", and asked only of new flows.
	 */
	const struct ir_rate *rate;
	struct pol_effects effects;
	uint64_t block_ns;	    /* reflex: also block the source for so long; 0: do not */
	uint64_t except;	    /* reflex: bit per posture in which it is silent */
};

struct ir_list {
	struct ir_rule *rules;
	size_t count;
};

struct ir_posture {
	const char *name;
	struct span span;
	enum established established;
	uint32_t passes; /* bit per enum cause: such frames go on to layer 4, unjudged by layers 1 to 3 */
	struct ir_list lists[DIRECTION_COUNT]; /* first match; the last is the default */
	/*
	 * Every packet that reaches layer 4 on arrival is dropped, whatever its
	 * connection state: existing flows are cut, `in` and `forward` have no rule
	 * but a default that drops, and `out` admits nothing. What may still pass
	 * is in docs/semantics.md, "Always admitted".
	 */
	bool closed;
	uint64_t within; /* a bit per posture that this one is proved to be no wider than, by promise_orders() of compiler/prove; else 0 */
};

struct ir_zone {
	const char *name;
	const char **patterns;
	size_t pattern_count;
};

struct pol_case;

/* What a `forall` of a test is about. */
struct ir_claim {
	const struct pol_case *said;
	struct ir_box *boxes;
	size_t box_count;
};

/* What a line of an invariant is about. */
struct ir_invariant {
	const struct pol_claim *said;
	struct ir_box *boxes;
	size_t box_count;
};

struct ir {
	struct arena *arena;
	const struct policy *policy;
	struct ir_zone *zones;
	size_t zone_count;
	const struct ir_set **sets;
	size_t set_count;
	struct ir_list lifelines, feeds, blocks, reflexes;
	struct ir_list cookies; /* of ir_for_nft(): reflexes that do cookies, for what layer 4 forwards */
	struct ir_list watches; /* reflexes that only tell: they decide nothing, and see what the reflexes before them let by */
	struct ir_posture *postures;
	size_t posture_count;
	unsigned initial;
	struct ir_responses responses;
	const struct derme *derme; /* rules on sessions: open conditions, which only take away; or NULL */
	struct ir_claim *claims; /* in the order of the tests */
	size_t claim_count;
	struct ir_invariant *invariants; /* as the policy's claims */
	size_t invariant_count;
};

/* Never fails: a policy that cannot be lowered was refused by the front end. */
struct ir *ir_lower(const struct policy *p, struct arena *a);

/* The boxes of one claim in the words of the ir's policy. */
struct ir_invariant ir_lower_claim(const struct ir *ir, const struct pol_claim *said, struct arena *a);

/* The box of the answers: ends and ports change places, all else stays. */
struct ir_box ir_box_reply(const struct ir_box *box);

/* By what its open condition is known, a rate, a pattern or a feed; NULL when its boxes are all it asks. */
static inline const char *ir_rule_condition(const struct ir_rule *r)
{
	return r->payload || r->feed ? r->id : r->rate ? r->rate->kin : NULL;
}

/*
 * What nft can carry of it: without the reflexes that look into payloads; those that do cookies apart, with the boxes that
 * are not of this host alone, and without those that are silent in some posture.
 */
struct ir *ir_for_nft(const struct ir *ir, struct arena *a);

/* The limit of the rule behind it: stands in no policy by itself. */
static inline bool ir_rule_is_limit(const struct ir_rule *r)
{
	return r->layer == LAYER_POSTURE && r->rate;
}

/* `count per window` in the arithmetic above; the bucket is the caller's to name. */
struct ir_rate ir_rate_of(const struct pol_rate *r);

/*
 * ir_bucket_name - the bucket and how it counts: "reflex.syn.10-1-10-32-64" is ten packets a second, ten at once, by IPv4 address and
 * IPv6 /64. Every engine names its buckets so: those of another rate or key are others, and begin full. In `a`.
 */
const char *ir_bucket_name(const struct ir_rate *r, struct arena *a);

/* Do their buckets let by as much, and count for the same? */
bool ir_rate_is_same(const struct ir_rate *a, const struct ir_rate *b);

/* "second", "minute", "hour", "day" or "week"; NULL for what no rate is told in. */
const char *ir_unit_name(uint64_t unit_s);

/* What a packet of LEN bytes, from the IP header on, takes from its bucket: nanoseconds. */
uint64_t ir_rate_cost(const struct ir_rate *r, uint32_t len);

#endif
