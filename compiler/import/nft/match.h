/*
 * match - what an expression of nft asks: `ip saddr . tcp dport { 10.0.0.0/8 . 22 }`.
 *
 * A match has the packets that surely and those that perhaps are asked for, both within
 * those that have what is looked at at all: `tcp dport != 22` is about TCP.
 */
#ifndef TEG_IMPORT_NFT_MATCH_H
#define TEG_IMPORT_NFT_MATCH_H

#include "compiler/import/nft/nft.h"

/* What one selector looks at. */
enum nft_look {
	LOOK_UNKNOWN,
	LOOK_SRC, LOOK_DST, LOOK_SPORT, LOOK_DPORT, LOOK_PROTO, LOOK_FAMILY, LOOK_IIF, LOOK_OIF, LOOK_STATE, LOOK_WAY,
	LOOK_TYPE, LOOK_CODE, LOOK_FLAGS, LOOK_STATUS, LOOK_KIND,
};

struct nft_selector {
	enum nft_look look;
	unsigned families; /* that have it */
	int proto;	   /* that has it: a number, or one of these */
#define NFT_ANY_PROTO (-1)
#define NFT_SOME_PORTED (-2)	/* some protocol with ports */
	bool begins;	   /* it is known of packets that begin a flow alone: ct original ... */
	bool strange;	   /* it may be asked of what has no such thing, and then is not known */
	const char *words; /* as it stands */
};

#define NFT_CONCAT_MAX 8

/* The left side of a match. */
struct nft_lhs {
	struct nft_selector at[NFT_CONCAT_MAX];
	size_t len;
	struct region has; /* packets that have it all */
	struct region odd; /* packets of which it may be asked, with an answer that is not known */
};

struct nft_match {
	struct region sure, perhaps;
	const char *unknown; /* what is asked that is not known, or NULL */
};

/* An element of a map of verdicts. */
struct nft_case {
	struct nft_match match;
	struct nft_part verdict;
	const struct nft_token *place;
	bool others; /* "*": what no other element has */
};

struct nft_cases {
	struct nft_case *at;
	size_t len, room;
};

/* What the reader of a rule knows while it reads matches. */
struct nft_context {
	struct nft_ruleset *rs;
	const struct nft_table *table;
	enum nft_hook hook;
	int priority;
	struct err *why;
};

bool nft_begins_selector(const struct nft_part *p);
int nft_read_lhs(struct nft_context *cx, struct nft_part *p, struct nft_lhs *out);
/* From the operator on. */
int nft_read_rhs(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, struct nft_match *out);
/* Behind the word vmap. */
int nft_read_vmap(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, struct nft_cases *out);

/* Those of the families, and of protocols that have ports or of one. */
struct region nft_domain(struct arena *a, unsigned families, int proto);

#endif
