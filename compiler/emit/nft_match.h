/*
 * nft_match - what a rule's boxes ask, as the matches of nft rules.
 *
 * A box is a conjunction of sets, and so is an nft rule, but for four things:
 * addresses are asked of one family at a time; `self` and a set are two
 * questions; an ICMP type and some of its codes are two fields; and a list of
 * codes is one rule each. So a box becomes one rule, seldom more.
 */
#ifndef TEG_EMIT_NFT_MATCH_H
#define TEG_EMIT_NFT_MATCH_H

#include "compiler/emit/nft_box.h"
#include "compiler/emit/nft_make.h"

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

enum { FRAGMENT_EARLY = FRAGMENT_WHOLE | FRAGMENT_FIRST };

/* One rule of the policy being lowered: `put` ends each nft rule that its boxes have begun. */
struct nft_spread {
	struct nft_maker *mk;
	const struct nft_site *site;
	const struct nft_box *box; /* the one in hand */
	void (*put)(struct nft_spread *s, struct nft_rule r);
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
