/*
 * nft_message - a batch while it is written, message by message.
 *
 *     struct nlmsghdr *h = nft_message(ms, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
 *     mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
 *     nft_message_name(ms, h, NFTA_CHAIN_NAME, c->name);
 *     nft_message_done(ms, h);
 *
 * By libmnl, attribute for attribute as libnftnl 1.2 orders them, whose objects for each rule and expression a long
 * list has no use for. Where a name begins with its bank's letter, that is noted for relocation.
 */
#ifndef TEG_EMIT_NFT_MESSAGE_MESSAGE_H
#define TEG_EMIT_NFT_MESSAGE_MESSAGE_H

#include <arpa/inet.h>
#include <libmnl/libmnl.h>

#include "compiler/emit/nft/rule.h"

struct nft_messages {
	uint16_t family; /* NFPROTO_ of the table */
	struct spool *out;
	size_t head;	 /* where in it the first message stands */
	char *scratch;	 /* one message; zero, but for what is being written */
	uint32_t *banks;
	size_t bank_count, bank_room;
	size_t looked_at, banks_looked_at; /* so much was inspected */
	struct err fault;		   /* what was found, or code 0 */
};

/* The messages come behind what *out has. */
void nft_messages_init(struct nft_messages *ms, enum nft_table_kind kind, struct spool *out);
size_t nft_messages_len(const struct nft_messages *ms);
/* What is still to be inspected is. Tells the first fault of all. */
int nft_messages_hold(struct nft_messages *ms, struct err *why);
void nft_messages_release(struct nft_messages *ms);
static inline void nft_messages_own_(struct nft_messages *ms)
{
	nft_messages_release(ms);
}

struct nlmsghdr *nft_message(struct nft_messages *ms, uint16_t type, uint16_t flags);
void nft_message_done(struct nft_messages *ms, struct nlmsghdr *h);

/* A name that begins with no bank's letter is the same in both. */
void nft_message_name(struct nft_messages *ms, struct nlmsghdr *h, uint16_t type, const char *name);
/* The same without a NUL behind it, as libnftnl has the names that an "objref" asks for. */
void nft_message_bare_name(struct nft_messages *ms, struct nlmsghdr *h, uint16_t type, const char *name);
/* As the data of type: a verdict of the kernel's, and the chain that it leads to, or NULL. */
void nft_message_verdict(struct nft_messages *ms, struct nlmsghdr *h, uint16_t type, uint32_t code, const char *chain);

/* NFTA_RULE_EXPRESSIONS. */
void nft_message_exprs(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_rule *rule);

/* Numbers go in the order of the network. */
static inline void nft_message_u32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(h, type, htonl(v));
}

void nft_message_u64(struct nlmsghdr *h, uint16_t type, uint64_t v);

#endif
