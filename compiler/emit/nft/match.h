/*
 * nft_match - what a rule's boxes ask, as the matches of nft rules.
 *
 * A box is a conjunction of sets, and so is an nft rule, but for five things:
 * addresses are asked of one family at a time; `self` and a set are two
 * questions; large sets are asked by blocks of some lengths; an ICMP type and
 * some of its codes are two fields; and a list of codes is one rule each. So a
 * box becomes one rule, seldom more.
 */
#ifndef TEG_EMIT_NFT_MATCH_H
#define TEG_EMIT_NFT_MATCH_H

#include "compiler/emit/nft/blocks.h"
#include "compiler/emit/nft/box.h"
#include "compiler/emit/nft/make.h"

/*
 * Where a rule is put. Later fragments have chains of their own: nft loads a
 * field of their transport header all the same (nft_payload_fast_eval() of
 * net/netfilter/nf_tables_core.c does not look, kernel 6.18), from bytes that
 * are none, so what asks for such a field must not come to see them.
 */
struct nft_site {
	struct nft_chain *chain;
	enum nft_field interface; /* depends on the direction */
	uint8_t fragments;	  /* FRAGMENT_ bits that come here */
};

/* NF_CT_STATE_BIT of the kernel */
enum {
	CT_BIT_INVALID = 1,
	CT_BIT_ESTABLISHED = 2,
	CT_BIT_RELATED = 4,
	CT_BIT_NEW = 8,
	CT_BIT_UNTRACKED = 64
};

enum { FRAGMENT_EARLY = FRAGMENT_WHOLE | FRAGMENT_FIRST };

enum NFT_SMALL nft_end { NFT_END_ANY, NFT_END_SELF, NFT_END_SET };

/* What of a box one nft rule asks: nft rules are conjunctions. */
struct nft_way {
	struct nft_block_set *blocks;	 /* of an end's set, if that is asked by blocks; or NULL */
	const struct ranges *icmp_types; /* whole types */
	int16_t icmp_type;		 /* else one type, and some of its codes; -1: not asked */
	struct range icmp_codes;
	int8_t family;	      /* -1: not asked */
	enum nft_end src, dst;
	bool of_src;	      /* the end with blocks is the source */
	bool again;	      /* but the first of an end's blocks */
};

_Static_assert(sizeof(struct nft_way) == 32, "there is one of each box of a long list");

/* Questions that others have answered before, on the way to the rule. */
enum {
	NFT_DECIDED_FAMILY = 1,
	NFT_DECIDED_PROTO = 2,
	NFT_DECIDED_SRC = 4,
	NFT_DECIDED_DST = 8,
	NFT_DECIDED_SPORT = 16,
	NFT_DECIDED_DPORT = 32,
};

/* What of an end's set one rule asks. */
const struct netset *nft_way_set(const struct nft_way *w, const struct ir_end *e, bool src);

/* Has some interface of these zones? */
bool nft_zones_hold(struct nft_maker *mk, uint64_t zones);

/*
 * nft_ask_way - what is not decided. A family or protocol that is decided is asked once more where nft
 * lists fields by their names only behind it.
 */
void nft_ask_way(struct nft_maker *mk, struct nft_rule *r, enum nft_field interface, const struct nft_box *b,
		 const struct nft_way *w, unsigned decided);

/* One rule of the policy being lowered: `put` ends each nft rule that its boxes have begun. */
struct nft_spread {
	struct nft_maker *mk;
	struct arena *a; /* of boxes, which are needed until rules are made of them */
	const struct nft_site *site;
	const struct nft_box *box; /* the one in hand */
	void (*put)(struct nft_spread *s, struct nft_rule r);
	void (*found)(struct nft_spread *s, const struct nft_way *w); /* instead of put: rules are made later */
	void *finder;
	const struct ir_rule *rule;
	const char *remark;
	const char *to; /* chain, for a put that needs one */
	size_t made;	/* nft rules so far */
};

/* Every box that the site can see, each in as few rules as its fields allow. */
int nft_spread(struct nft_spread *s);

/* An interface's name as a number; a trailing '*' is every name that begins so. */
struct addr_range nft_names_of(const char *pattern);
void nft_ask_name(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		  struct addr_range name);

#endif
