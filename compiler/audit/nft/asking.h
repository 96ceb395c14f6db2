/*
 * asking - a rule while it is asked: what ask.c, load.c, look.c and act.c share.
 */
#ifndef TEG_AUDIT_NFT_ASKING_H
#define TEG_AUDIT_NFT_ASKING_H

#include "compiler/audit/nft/ask.h"

#define NFT_ASK_SLOTS 16 /* registers of 4 bytes */

struct nft_asking {
	const struct nft_world *w;
	const struct nft_said_rule *rule;
	struct nft_answer *out;
	struct nft_value regs[NFT_ASK_SLOTS];
	nft_cells spare; /* what a comparison leaves, until it is taken */
	struct nft_ask_limit absent; /* "not in the meter", until the limit that it is about */
	bool ended;
};

/* --- load.c --------------------------------------------------------------------------------------------- */

bool nft_ask_slot(struct nft_attr a, unsigned *out);
unsigned nft_ask_slots(unsigned bytes); /* that so many bytes fill */

/* The value that an expression reads, or NULL. */
struct nft_value *nft_ask_loaded(struct nft_asking *k, struct nft_attr from);

/* A number to compare it with. */
bool nft_ask_number(struct nft_attr nest, const struct nft_value *v, size_t *bytes, addr_num *out);

bool nft_ask_payload(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_meta(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_exthdr(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_ct(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_fib(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_bitwise(struct nft_asking *k, const struct nft_attr *at);

/* --- look.c --------------------------------------------------------------------------------------------- */

/* Sources under a block, by name: a set of another name, or by another key, is not those. */
bool nft_ask_is_blocked(const struct nft_asking *k, const struct nft_said_set *s, const struct nft_value *v);
/* What a bucket of the set is for, from the register on. */
bool nft_ask_meter(struct nft_asking *k, struct nft_attr from, const struct nft_said_set *s, struct nft_ask_limit *out);
/* Servers whose SYNs are answered, by address and port, from the register on. */
bool nft_ask_is_armed(struct nft_asking *k, struct nft_attr from, const struct nft_said_set *s);
bool nft_ask_count_by_map(struct nft_asking *k, const struct nft_attr *at);

bool nft_ask_cmp(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_range(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_lookup(struct nft_asking *k, const struct nft_attr *at);

/* --- act.c ---------------------------------------------------------------------------------------------- */

#define NFT_ASK_LIMIT_ATTRS                                                                                     \
	(NFT_ALLOW(NFTA_LIMIT_RATE) | NFT_ALLOW(NFTA_LIMIT_UNIT) | NFT_ALLOW(NFTA_LIMIT_BURST) |         \
	 NFT_ALLOW(NFTA_LIMIT_TYPE) | NFT_ALLOW(NFTA_LIMIT_FLAGS))

bool nft_ask_limit(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_dynset(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_objref(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_log(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_reject(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_synproxy(struct nft_asking *k, const struct nft_attr *at);
bool nft_ask_immediate(struct nft_asking *k, const struct nft_attr *at);

#endif
