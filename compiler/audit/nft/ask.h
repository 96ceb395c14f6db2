/*
 * ask - what a rule of nft asks and does, in the prover's terms.
 *
 *     nft_ask_rule(&w, rule, &path, &answer)
 *
 * A rule is run as the kernel runs it, expression by expression over registers, but with all
 * packets of `path` at once: a register holds "the source's port" instead of 443, and a
 * comparison leaves those packets that pass it. What is left may take several cells, and with a
 * map each has a verdict of its own. So any order of loads, masks, comparisons, look-ups and
 * concatenations is understood, whoever wrote it.
 *
 * What has no meaning in these terms is refused, never guessed: -ENOTSUP.
 *
 * What is taken for granted of packets:
 *     - headers are sound: their least length is there. Frames that are not sound are no packets here.
 *     - a later fragment's protocol is known, as far as the kernel tells it;
 *     - inet: there are no later fragments, since connection tracking reassembles them;
 *     - an interface that is not loopback; loopback is a world of its own.
 */
#ifndef TEG_AUDIT_NFT_ASK_H
#define TEG_AUDIT_NFT_ASK_H

#include "compiler/audit/nft/said.h"
#include "compiler/prove/judgement/judgement.h"

/* Names of interfaces as numbers, 16 bytes, first one highest; ascending and disjoint. */
struct nft_names {
	struct addr_range *at;
	size_t len;
};

/* Does a server's SYNs being answered matter here, and are they? */
enum nft_armed { NFT_ARMED_UNASKED, NFT_ARMED_NOT, NFT_ARMED_IS };

/* What rules are asked about. */
struct nft_world {
	struct arena *arena;
	const struct nft_said *said;
	enum family family;
	enum direction direction;
	bool loopback;
	enum nft_armed armed;
	struct nft_names zones[64]; /* by bit of the terms */
	struct err *why;
};

/* Sets zones[] for the terms; returns the bits of those that some interface can be of. */
uint64_t nft_world_zones(struct nft_world *w, const struct terms *t, const struct ir *ir);

/* Besides the kernel's verdicts. */
enum { NFT_ASK_FALLS_ON = -1, NFT_ASK_REJECT_RESET = 100, NFT_ASK_REJECT_ICMP = 101, NFT_ASK_SYNPROXY = 102 };

struct nft_ask_alt {
	struct cell cell;
	struct nft_said_verdict verdict;
	const char *counter; /* its own, from a map; or NULL */
};

/* A value that a packet has, or a part of it, in a register. */
enum nft_asked {
	NFT_ASKED_NOTHING,
	NFT_ASKED_UNKNOWN, /* there or not, nobody here knows what it is */
	NFT_ASKED_BYTES,   /* surely there, with any value */
	NFT_ASKED_ZONE,
	NFT_ASKED_ETHERTYPE,
	NFT_ASKED_NFPROTO,
	NFT_ASKED_PROTO,
	NFT_ASKED_SRC,
	NFT_ASKED_DST,
	NFT_ASKED_SPORT,
	NFT_ASKED_DPORT,
	NFT_ASKED_ICMP,
	NFT_ASKED_ICMP_TYPE,
	NFT_ASKED_ICMP_CODE,
	NFT_ASKED_FLAGS,
	NFT_ASKED_DATA_OFFSET,
	NFT_ASKED_HOPS,
	NFT_ASKED_FRAGMENT4,
	NFT_ASKED_FRAGMENT6,
	NFT_ASKED_STATE,
	NFT_ASKED_REPLY,
	NFT_ASKED_SRC_TYPE,
	NFT_ASKED_DST_TYPE,
	NFT_ASKED_SEVERAL, /* fields that lie together, one of nft_several's rows */
	NFT_ASKED_BY_PROTO, /* what lies there in the header of a packet's protocol: told once that is */
};

struct nft_value {
	enum nft_asked what;
	unsigned bytes;
	bool host; /* byte order */
	addr_num mask;
	const struct nft_several *several;
	uint32_t at; /* BY_PROTO: in the header */
};

/* A load over several fields: each so many bits from its end. What is none of them may not be asked. */
#define NFT_SEVERAL_MOST 3
struct nft_several {
	unsigned at, bytes; /* of the header */
	unsigned count;
	struct { enum nft_asked what; unsigned bits, bytes; } fields[NFT_SEVERAL_MOST];
};

#define NFT_KEYS_MOST 5u /* of a bucket: a flow's */

/* Over its rate, as a packet of the rule is counted: in a set, by a key, or all together. */
struct nft_ask_limit {
	uint64_t rate, unit_s;
	uint32_t burst;
	bool bytes; /* are counted, not packets */
	const struct nft_said_set *set; /* or NULL */
	struct nft_value keys[NFT_KEYS_MOST]; /* the parts of its key */
	size_t key_count;
	bool crowd; /* those that the set has no place for */
};

struct nft_answer {
	VEC(struct nft_ask_alt) alts; /* disjoint */
	bool asked;		      /* false: all of the path come to the end of the rule */
	const char *counter, *log;    /* of all; or NULL */
	bool mapped;		      /* each has a counter of its own instead */
	bool limited;
	struct nft_ask_limit limit;
	const char *feed; /* the set of one, in which all of them are; or NULL */
	bool blocks; /* puts the source under a block */
	uint64_t block_ms;
	bool arms; /* the server: its clients' acknowledgements are asked for cookies */
};

int nft_ask_rule(const struct nft_world *w, const struct nft_said_rule *rule, const struct cell *path,
		 struct nft_answer *out);

/* --- narrow.c ----------------------------------------------------------------------------------------- */

typedef VEC(struct cell) nft_cells;

/* Packets of the cell whose value, masked, lies in the ranges. False: not to be told. */
bool nft_narrow(const struct nft_world *w, const struct cell *c, const struct nft_value *v,
		const struct addr_range *at, size_t len, nft_cells *out);

/* All numbers of `bytes` bytes that are in none of the ranges. */
struct addr_range *nft_others(struct arena *a, unsigned bytes, const struct addr_range *at, size_t len,
			      size_t *out_len);

/* What is in both; there is room for as many ranges as both have. Returns how many. */
size_t nft_common(struct addr_range *out, const struct addr_range *x, size_t x_len, const struct addr_range *y,
		  size_t y_len);

addr_num nft_value_last(unsigned bytes);

/* What so many bytes of a transport header are, for all packets of the cell: UNKNOWN where they are one thing here and another there. */
enum nft_asked nft_in_transport(enum family f, const struct cell *c, uint32_t at, uint32_t len);

/* --- minus.c ------------------------------------------------------------------------------------------ */

/* The packets of c that are not in gone, as disjoint cells. False: not to be told. */
bool nft_minus(struct arena *a, const struct cell *c, const struct cell *gone, nft_cells *out);

/* Is some packet in both? True also where it cannot be told. */
bool nft_meets(struct arena *a, const struct cell *x, const struct cell *y);

#endif
