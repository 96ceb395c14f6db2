/*
 * nft - rulesets of nftables: tables, chains and sets as they stand in the text.
 *
 *     text ──► tokens ──► tables ──► rules of the inner form
 *         lex.c     tables.c     rule.c, match.h
 *
 * Rules are read when all sets and chains are known, and once before that for the
 * interfaces they name.
 */
#ifndef TEG_IMPORT_NFT_NFT_H
#define TEG_IMPORT_NFT_NFT_H

#include "compiler/import/nft/lex.h"

enum nft_family { NFT_IP, NFT_IP6, NFT_INET, NFT_ARP, NFT_BRIDGE, NFT_NETDEV };

/* Some of the tokens. */
struct nft_part {
	const struct nft_token *at, *end;
};

enum nft_hook { NFT_NO_HOOK, NFT_PREROUTING, NFT_INPUT, NFT_FORWARD, NFT_OUTPUT, NFT_POSTROUTING, NFT_INGRESS, NFT_EGRESS };

struct nft_chain {
	struct import_chain *chain; /* of the inner form */
	const char *type;
	enum nft_hook hook;
	bool drops; /* by policy */
	VEC(struct nft_part) rules;
};

struct nft_set {
	const char *name;
	struct nft_part type;	      /* "ipv4_addr . inet_service", or what stands behind typeof */
	bool changes;		      /* what is in it is known at run time */
	VEC(struct nft_part) elements; /* between braces */
};

struct nft_table {
	const char *name;
	enum nft_family family;
	bool dormant;
	struct strmap chains; /* struct nft_chain */
	struct strmap sets;   /* struct nft_set: maps too */
	struct strmap limits; /* struct nft_part: what stands between the braces */
};

struct nft_ruleset {
	struct import *m;
	VEC(struct nft_table *) tables;
	bool translates_to, translates_from; /* some rule changes where a packet goes, or comes from */
	struct words *names;		     /* of interfaces, while they are gathered; otherwise NULL */
};

/* The families that a table judges: a mask. */
unsigned nft_families(const struct nft_table *t);

int nft_read_tables(struct nft_ruleset *rs, const struct nft_tokens *tokens, struct err *why);

/* One rule: what it becomes is added to its chain. */
int nft_read_rule(struct nft_ruleset *rs, const struct nft_table *t, struct nft_chain *c, struct nft_part rule, struct err *why);

/* --- reading along tokens --------------------------------------------------------------------------- */

/* What is next. Where the part has ended, an end at that place, until the next call. */
const struct nft_token *nft_peek(const struct nft_part *p);

bool nft_is(const struct nft_token *t, const char *text); /* a word or sign */
/* Past a word or sign, when it is the next. */
bool nft_eat(struct nft_part *p, const char *text);
/* Past what is next, braces and what they hold as one; false when there is nothing, or braces do not end. */
bool nft_skip(struct nft_part *p);

#endif
