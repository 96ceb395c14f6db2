/*
 * nft_rule - a ruleset as nftables has it, between the policy and the kernel.
 *
 *     ir ──nft_lower──► nft_table ──nft_print───► text for people and `nft -f`
 *                           ▲ │
 *                           │ └─────nft_encode──► batch for the kernel
 *                           └───────nft_read──────────┘
 *
 * A table holds counters, sets and chains; a chain holds rules; a rule is a
 * list of expressions, judged from left to right until one does not hold. Every
 * kind is an enum that each of the three visits with a switch without default:
 * none can know something that the others do not. Plain data, in one arena.
 *
 * Chains' names begin with BATCH_BANK. Values are numbers: an address, a port
 * or a bit mask as it is written, an interface's name as its 16 bytes, first
 * one highest.
 */
#ifndef TEG_EMIT_NFT_RULE_H
#define TEG_EMIT_NFT_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/spool.h"
#include "lang/base/strmap.h"
#include "lang/bundle/batch.h"

#define NFT_TABLE_NAME "tegumentar"

enum nft_table_kind { NFT_TABLE_INET, NFT_TABLE_NETDEV };

/* How a value is written, and which data type of the `nft` program it is in a set. */
enum nft_type {
	NFT_TYPE_NUMBER,
	NFT_TYPE_DECIMAL,
	NFT_TYPE_IFNAME,
	NFT_TYPE_ETHERTYPE,
	NFT_TYPE_NFPROTO,
	NFT_TYPE_PROTO,
	NFT_TYPE_ADDR4,
	NFT_TYPE_ADDR6,
	NFT_TYPE_PORT,
	NFT_TYPE_ICMP_TYPE,
	NFT_TYPE_ICMP_CODE,
	NFT_TYPE_ICMPV6_TYPE,
	NFT_TYPE_ICMPV6_CODE,
	NFT_TYPE_TCP_FLAGS,
	NFT_TYPE_CT_STATE,
	NFT_TYPE_CT_DIRECTION,
	NFT_TYPE_FIB_TYPE,
};

enum nft_load { NFT_LOAD_META, NFT_LOAD_PAYLOAD, NFT_LOAD_EXTHDR, NFT_LOAD_CT, NFT_LOAD_FIB };

/* Long lists are rules by the hundred thousand, of some four expressions each: these are kept small. */
#define NFT_SMALL __attribute__((packed))

enum NFT_SMALL nft_field {
#define NFT_FIELD(id, ...) NFT_FIELD_##id,
#include "compiler/emit/nft/field.def"
#undef NFT_FIELD
	NFT_FIELD_COUNT
};

struct nft_field_row {
	const char *text;
	enum nft_load load;
	uint8_t key, at, bytes;
	bool host;
	uint16_t part, proto;
	enum nft_type type;
};

extern const struct nft_field_row nft_fields[NFT_FIELD_COUNT];

/* What the elements of a map lead to; those of a set lead nowhere. */
enum nft_leads { NFT_LEADS_NOWHERE, NFT_LEADS_TO_FATE, NFT_LEADS_TO_COUNTER };

enum nft_fate { NFT_FATE_ACCEPT, NFT_FATE_DROP, NFT_FATE_RETURN, NFT_FATE_JUMP, NFT_FATE_GOTO };

struct nft_lead {
	enum nft_fate fate;
	const char *name; /* of the chain of a jump or goto, or of the counter */
};

#define NFT_PARTS_MOST 5u /* that a key is put together of */

/* A set without a name belongs to the one rule that asks it. */
struct nft_set {
	const char *name; /* or NULL */
	enum nft_type type; /* of the first part */
	bool interval;			 /* holds ranges; else only single values */
	bool dynamic;			 /* filled by rules; elements have a life time */
	uint64_t timeout_ms;		 /* of every element; 0: each says its own */
	uint32_t gc_ms;			 /* how often the kernel goes through it for elements that are over; 0: each second */
	uint32_t most;			 /* elements it has room for, of a name that is no interval; else 0 */
	const struct addr_range *ranges; /* ascending, disjoint; of single parts */
	size_t count;
	unsigned part_count;		 /* more than 1: elements are single keys, put together */
	enum nft_type part_types[NFT_PARTS_MOST];
	const uint32_t *keys;		 /* of several parts: count times part_count, of nft_key_words() each, the lowest first */
	enum nft_leads leads;
	const struct nft_lead *to;	 /* of a map, by element */
	uint32_t id; /* within one transaction; the kernel finds sets without a name by it */
};

/* That a part of a set's keys takes: one, where none of its parts is wider. */
unsigned nft_key_words(const struct nft_set *s);
addr_num nft_key_part(const struct nft_set *s, size_t element, unsigned part);

enum NFT_SMALL nft_test {
	NFT_TEST_EQ,
	NFT_TEST_NE,
	NFT_TEST_GE,
	NFT_TEST_WITHIN,
	NFT_TEST_IN,
	NFT_TEST_NOT_IN
};

/* An addr_num that lies as closely as a pointer does. */
typedef addr_num nft_num __attribute__((aligned(8)));

/* field [& mask] test lo[-hi] | set */
struct nft_match {
	enum nft_field field;
	enum nft_test test;
	bool masked;
	uint8_t bytes; /* compared: the first ones; fewer than the field's for "eth*" */
	const struct nft_set *set;
	nft_num mask, lo, hi;
};

/* True for packets over the rate: net/netfilter/nft_limit.c with the inverted flag. */
struct nft_limit {
	uint64_t rate, unit_s;
	uint32_t burst;
	bool bytes; /* and beyond the burst, `rate` of them fit */
};

/* A field, or some bits of it, as a part of a key. */
struct nft_key {
	enum nft_field field;
	bool masked;
	addr_num mask;
};

/* Puts a key into a dynamic set; with a limit, that of the key's own bucket decides whether it
 * holds. */
struct nft_place {
	const struct nft_set *set;
	struct nft_key *keys;
	unsigned count;
	bool update; /* the element's life begins anew */
	bool limited;
	uint64_t timeout_ms; /* 0: the set's */
	struct nft_limit limit;
};

enum nft_reject { NFT_REJECT_WITH_RESET, NFT_REJECT_WITH_ICMP };

/* A line to the packet log, lang/bundle/nft_tell.h; bounded: as often as it says there, and else the rule ends. */
struct nft_line {
	const char *prefix;
	bool bounded;
};

/*
 * Holds for packets whose key the map has: and goes where that leads, or counts there and goes on. Of what leads
 * nowhere, a set that rules fill, it holds for packets whose key is in it, or is absent.
 */
struct nft_look {
	bool absent;
	struct nft_key *keys;
	unsigned count;
	const struct nft_set *map;
};

enum NFT_SMALL nft_expr_kind {
	NFT_EXPR_MATCH,
	NFT_EXPR_LOOK,
	NFT_EXPR_COUNTER,
	NFT_EXPR_LIMIT,
	NFT_EXPR_PLACE,
	NFT_EXPR_LOG,
	NFT_EXPR_ONE_OF, /* holds for one packet of so many, by lot */
	NFT_EXPR_TELL,
	NFT_EXPR_REJECT,
	NFT_EXPR_SYNPROXY, /* a SYN is answered with a cookie, an ACK without one dropped: the packet ends here */
	NFT_EXPR_FATE,
};

struct nft_expr {
	enum nft_expr_kind kind;
	union {
		struct nft_match match;
		struct nft_look look;
		const char *counter;
		const char *log; /* how the line begins; no quotes in it */
		uint32_t one_of;
		uint16_t synproxy_mss;
		struct nft_line tell;
		struct nft_limit limit;
		struct nft_place place;
		enum nft_reject reject;
		struct {
			enum nft_fate fate;
			const char *chain; /* jump and goto */
		};
	};
};

_Static_assert(sizeof(struct nft_expr) == 72, "an expression is small");

struct nft_rule {
	VEC(struct nft_expr) exprs;
	const char *remark; /* a comment before it, or NULL; not sent */
};

/* Where a chain is hooked. The warden makes these; they are printed, never encoded. */
struct nft_hook {
	const char *hook; /* "input" */
	int priority;
	bool drops; /* policy */
	const char **devices;
	size_t device_count;
};

struct nft_chain {
	const char *name;
	const char *remark;
	const struct nft_hook *hook; /* or NULL */
	VEC(struct nft_rule) rules;
	size_t parts; /* chains that lists in it were cut into: they are numbered */
};

struct nft_table {
	enum nft_table_kind kind;
	struct arena *arena;
	VEC(const char *) counters;
	VEC(struct nft_set *) sets; /* those with a name */
	VEC(struct nft_chain *) chains;
	struct strmap by_id, by_name; /* of a lowered one: the counters' names, by what they count; sets */
};

const char *nft_table_family(enum nft_table_kind kind);

/* nft_print - the table as `nft -f` reads it, in bank `bank`. */
void nft_print(struct buf *out, const struct nft_table *t, char bank);
void nft_print_to(struct spool *out, const struct nft_table *t, char bank);

/* nft_encode - the table as messages, chains with a hook left out. */
void nft_encode(struct batch *out, const struct nft_table *t);
/* As a whole batch, in an empty *out; each message is looked at as batch_inspect() would. */
int nft_encode_to(struct spool *out, const struct nft_table *t, struct err *why);

#endif
