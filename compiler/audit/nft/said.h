/*
 * said - a batch as the kernel takes it: tables, chains, sets and rules, from its bytes.
 *
 *     batch_place(b, NFT_SAID_BANK);
 *     nft_said_read(&said, arena, b, why)
 *     nft_said_chain(&said, "pre_in")
 *
 * Knows nothing of how batches are made. Rules are the kernel's expressions as they
 * stand in the messages; what they ask is for ask.h. What a batch may not say is
 * refused here: rules put anywhere but at the end of a chain, elements of sets that
 * others fill, a chain or a counter that is not there, a name of a set of addresses
 * that is not the one of its content (sets are kept over generations by their names).
 *
 * Everything points into the batch, which must live as long.
 */
#ifndef TEG_AUDIT_NFT_SAID_H
#define TEG_AUDIT_NFT_SAID_H

#include "compiler/emit/nft/read/attr.h"
#include "lang/base/addr.h"
#include "lang/base/err.h"
#include "lang/base/strmap.h"
#include "lang/bundle/batch.h"

/* Where the batch is placed to be read: a name of a chain that lacks the letter was not relocated. */
#define NFT_SAID_BANK 'b'

struct nft_said_expr {
	const char *name; /* as the kernel calls it */
	struct nft_attr data;
};

struct nft_said_rule {
	struct nft_said_expr *exprs;
	size_t len;
};

struct nft_said_chain {
	const char *name; /* behind the letter of its bank: "pre_in" */
	VEC(struct nft_said_rule) rules;
	bool entered; /* by whoever walks */
	bool decides; /* something of a packet; else rules that jump here are gone */
};

struct nft_said_verdict {
	int code;			    /* NF_ACCEPT, NF_DROP, NFT_JUMP, …; NFT_CONTINUE of what is no map */
	const struct nft_said_chain *chain; /* of jump and goto */
};

/* What a key of a map leads to: a verdict, or a counter that counts there. */
struct nft_said_lead {
	struct nft_said_verdict verdict;
	const char *counter; /* or NULL */
};

/* The keys lo..hi, as bytes; and in a map where they lead. */
struct nft_said_element {
	const uint8_t *lo, *hi;
	bool ends; /* an interval: it begins the part that is not in the set */
	struct nft_said_lead to;
};

/* A part of a set of single keys, as numbers. */
struct nft_said_part {
	addr_num lo, hi;
	struct nft_said_lead to;
};

struct nft_said_set {
	const char *name; /* or NULL: it belongs to one rule, */
	const char *placed; /* which finds it by this name in its bank; or NULL, and by its number */
	uint32_t id, key_bytes;
	bool interval, concat, dynamic;
	bool feed; /* the enforcer fills it */
	bool map, counts; /* to verdicts, to counters */
	uint64_t timeout_ms;
	VEC(struct nft_said_element) elements;
	bool rest; /* a map: what no other element has */
	struct nft_said_verdict rest_verdict;

	/* Of sets that are no concatenation, once all is read: ascending, disjoint. */
	struct nft_said_part *parts;
	size_t part_count;
	struct addr_range *ranges; /* the same without verdicts, neighbours joined */
	size_t range_count;
};

struct nft_said {
	struct arena *arena;
	bool netdev; /* else inet */
	struct strmap chains, counters, named; /* sets: by all their names */
	VEC(struct nft_said_set *) sets;
	VEC(const char *) idle_counters; /* that count in chains which decide nothing */
};

int nft_said_read(struct nft_said *out, struct arena *a, const struct batch *b, struct err *why);

/* idle.c: jumps to chains that decide nothing are taken away; part of the reading. */
void nft_said_forget_idle(struct nft_said *s);

/* Without the letter of the bank; NULL when there is none. */
struct nft_said_chain *nft_said_chain(const struct nft_said *s, const char *name);

/* The set that a rule means by this name and number, or NULL. */
struct nft_said_set *nft_said_set(const struct nft_said *s, const char *name, uint32_t id);

/* What an NFTA_DATA_VERDICT holds. False when it is none, or its chain is not there. */
bool nft_said_verdict(const struct nft_said *s, struct nft_attr data, struct nft_said_verdict *out);

addr_num nft_said_number(const uint8_t *at, size_t bytes);

#endif
