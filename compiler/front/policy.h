/*
 * policy - what a .teg file means: names bound, units one, sets computed,
 * postures expanded. The front end makes it from trees, compiler/ir decides on it.
 *
 * Plain data in one arena. Every name here is resolved: no reference by name
 * is left except labels, which are stable ids. Lists keep source order, which
 * is the order of judgement.
 */
#ifndef TEG_FRONT_POLICY_H
#define TEG_FRONT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/front/response/response.h"
#include "compiler/pattern/pattern.h"
#include "lang/base/addr.h"
#include "lang/derme/derme.h"
#include "lang/base/arena.h"
#include "lang/base/ranges.h"
#include "lang/base/span.h"
#include "lang/vocab/format.h"
#include "lang/vocab/verdict.h"

#define POLICY_ZONES_MAX 63

struct pol_zone {
	const char *name;
	struct span span;
	const char **patterns; /* interface names; a trailing '*' matches any rest */
	size_t pattern_count;
};

/* A named set of addresses, kept so that reports can use the policy's own words. */
struct pol_net {
	const char *name;
	struct span span;
	struct netset set;
};

/*
 * pol_proto - a protocol and what is asked of its header. A selector lists
 * several: `web` is tcp/80,443 and udp/443.
 *
 * sport and dport are asked of TCP, UDP and SCTP only. icmp holds type << 8 | code and
 * is asked of ICMP (number 1) and ICMPv6 (58) only: `icmp echo` is two of these.
 */
#define PROTO_ANY 256

struct pol_proto {
	uint16_t number;		/* IP protocol, or PROTO_ANY */
	struct ranges dport;		/* all when not asked */
	struct ranges icmp;		/* all when not asked */
	uint8_t flags_mask, flags_want; /* TCP: (flags & mask) == want; mask 0 when not asked */
};

/* Where a packet comes from or goes to: matches when any part does. */
struct pol_end {
	bool any;
	bool self;	   /* this host's own addresses, followed at run time */
	struct netset set;
	const char *name; /* of a set, where that is all that was written; or NULL */
};

/* `payload /union\s+select/i within 512` */
#define PAYLOAD_MOST 65535 /* bytes of an IP packet */

struct pol_payload {
	const char *expression;
	unsigned flags;	 /* enum pattern_flags */
	uint64_t within; /* a match ends within so many bytes */
	struct pattern pattern;
};

struct pol_selector {
	struct pol_proto *protos; /* at least one */
	size_t proto_count;
	struct pol_end from, to;
	struct ranges sport;	  /* all when not asked */
	uint64_t zones;		  /* bit per zone of arrival (out: of leaving); ZONES_ANY when not asked */
	uint8_t families;	  /* bit per enum family; both unless a protocol or keyword fixes one */
	const struct pol_payload *payload; /* of a reflex, or NULL */
};

#define ZONES_ANY UINT64_MAX
#define FAMILIES_ANY 3u

/* What has a bucket of its own. */
enum rate_key { RATE_PER_SOURCE, RATE_PER_DESTINATION, RATE_PER_FLOW, RATE_GLOBAL };

/* `rate per source > count per window`: a token bucket that refills `count` tokens in
 * `window_ns`; the packet that finds it empty is over. */
struct pol_rate {
	uint64_t count; /* packets or flows; or bytes, */
	uint64_t window_ns;
	uint64_t burst;	    /* how many the bucket holds; 0: `count` */
	const char *bucket; /* "limit.per_client" when all who name that limit share it; NULL: the rule's own */
	enum rate_key key;
	uint8_t key_bits[FAMILY_COUNT]; /* leading bits of the source or destination that share a bucket: 32 and 64 */
	bool bytes; /* those are counted, from the IP header on */
	bool fleet; /* `shared`: one bucket for all hosts */
};

/* `limit per_client = 500/s per source` */
struct pol_limit {
	const char *name, *id; /* "per_client", "limit.per_client" */
	struct span span;
	struct pol_rate rate;
};

/* What is done beside the verdict. */
struct pol_effects {
	const char *log; /* how the line begins, or NULL */
	uint32_t one_in; /* of so many events one is sent, 1 or more */
	enum event_severity severity : 8;
	bool emits;
};

struct pol_rule {
	const char *id;	   /* stable: "HARDENED.web_in", "lifeline.~1f0c93aa", "reflex.syn_flood" */
	const char *label; /* what `by NAME` and reports say: "web_in", or the id's last part */
	struct span span;
	struct span named; /* the label where it was given first: its own, or the inherited one that it replaces */
	enum direction direction : 8;
	enum verdict verdict : 8;
	bool labelled;	   /* the author gave the label */
	struct pol_selector match;
	struct pol_effects effects;
	const struct pol_rate *limit; /* up to here the verdict, beyond it drop; or NULL */
};

struct pol_block {
	const char *id; /* "block.bogons" */
	const char *label;
	struct span span;
	struct netset set;
	uint64_t zones;
};

struct pol_reflex {
	const char *id; /* "reflex.syn_flood" */
	const char *label;
	struct span span;
	bool has_rate;
	bool only_tells;   /* it decides nothing */
	bool cookies;	   /* `do cookies`: this host answers for its listener; who does not answer back is dropped */
	struct pol_selector match;
	struct pol_rate rate;
	uint64_t block_ns; /* `drop source for T`; 0 for a plain drop */
	struct pol_effects effects;
	uint64_t except;   /* bit per posture: `except in` */
};

/* A list of addresses that is fetched; what is on it is blocked. */
struct pol_feed {
	const char *name, *id; /* "spamhaus_drop", "feed.spamhaus_drop" */
	struct span span;
	const char *url;
	enum feed_format format;
	const char *member;  /* of JSON_LINES, or NULL */
	uint64_t column;     /* of CSV, from 1; or 0 */
	uint64_t refresh_ns, max;
	uint64_t stale_ns;   /* so long after the last good fetch ... */
	bool stale_keeps;    /* ... it is kept all the same, or nothing is on it */
	bool blocks;
};

struct pol_posture {
	const char *name, *title;
	struct span span;
	enum established established;
	enum verdict defaults[DIRECTION_COUNT];
	struct span default_spans[DIRECTION_COUNT];
	uint32_t passes; /* bit per enum cause: `malformed pass` */
	struct pol_rule *rules; /* inherited ones included, replaced in place */
	size_t rule_count;
};

/* One packet of a test. A field that was left out is not invented: see `given`. */
enum pkt_field_bits {
	GIVEN_SRC = 1, GIVEN_SPORT = 2, GIVEN_DST = 4, GIVEN_DPORT = 8, GIVEN_FLAGS = 16,
	GIVEN_ICMP = 32, GIVEN_ZONE = 64, GIVEN_STATE = 128, GIVEN_SIZE = 256,
};

struct pol_packet {
	struct span span;
	unsigned given;
	uint16_t proto;
	enum family family;
	bool src_self, dst_self; /* the host's own address, whichever */
	struct addr src, dst;
	uint16_t sport, dport;
	uint8_t flags;
	uint16_t icmp; /* type << 8 | code */
	unsigned zone; /* index */
	enum direction direction;
	enum ct_state state; /* new unless said */
	bool reply;	     /* established, in the reply direction */
	uint32_t size;	     /* bytes from the IP header on */
	const char *payload; /* a text and, up to the size, zeros; or NULL: it has none */
	size_t payload_len;
};

/*
 * One line of a test. PACKETS sends some, and time passes; of AFTER only time passes. FORALL
 * is about every packet of a selector, and is proved. REFUSES is about declarations that
 * would be a mistake beside the policy's own: front_refuses() asks whether they are.
 */
enum pol_case_kind { CASE_PACKETS, CASE_AFTER, CASE_FORALL, CASE_REFUSES };

struct node;

struct pol_case {
	enum pol_case_kind kind;
	struct span span;
	uint64_t times;	    /* N * ( … ) */
	uint64_t within_ns; /* … in T; 0: all at one instant */
	struct pol_packet packet;
	struct pol_selector match; /* FORALL */
	enum direction direction;  /* FORALL */
	const char *code;	   /* REFUSES: "E0701" */
	struct node **decls;
	size_t decl_count;
	bool last;	    /* `last`: only the last packet's verdict is asked */
	enum verdict verdict;
	uint8_t emits;	    /* bit per severity that must be told */
	const char *by;	    /* label, or NULL */
	struct span by_span;
};

struct pol_test {
	const char *name;
	struct span span;
	const char *todo; /* why it need not hold yet, or NULL */
	unsigned posture; /* index */
	struct pol_case *cases;
	size_t case_count;
};

/* One line of an invariant: in these postures, each new packet of the selector is so treated. */
struct pol_claim {
	const char *name; /* of the invariant, or NULL */
	struct span span;
	uint64_t postures; /* bit per posture */
	enum direction direction;
	struct pol_selector match;
	bool allowed; /* else dropped or rejected */
};

/* Postures of which none admits more than the next. */
struct pol_order {
	struct span span;
	unsigned *postures; /* indices, the tightest first */
	size_t count;
};

struct policy {
	struct arena *arena;
	const char *name, *title, *version, *owner;
	struct span span;

	struct pol_zone *zones;
	size_t zone_count;
	struct pol_net *nets;
	size_t net_count;
	struct pol_limit *limits;
	size_t limit_count;
	struct pol_rule *lifelines; /* direction in, verdict allow */
	size_t lifeline_count;
	struct pol_block *blocks;
	size_t block_count;
	struct pol_reflex *reflexes;
	size_t reflex_count;
	struct pol_posture *postures;
	size_t posture_count;
	unsigned initial; /* index of the posture a fresh start takes */
	struct pol_responses responses;
	struct pol_feed *feeds;
	size_t feed_count;
	struct derme derme; /* rules on sessions, as code */
	struct pol_claim *claims; /* those of one invariant together */
	size_t claim_count;
	struct pol_order *orders;
	size_t order_count;
	struct pol_test *tests;
	size_t test_count;
};

#endif
