/*
 * nft_reader - a batch while it is read: what read.c, rule.c and set.c share.
 */
#ifndef TEG_EMIT_NFT_READ_READER_H
#define TEG_EMIT_NFT_READ_READER_H

#include "compiler/emit/nft/read/attr.h"
#include "compiler/emit/nft/rule.h"
#include "lang/base/strmap.h"

struct nft_reader {
	struct nft_table *table;
	struct arena *arena;
	struct strmap chains;	       /* by name */
	VEC(struct nft_set *) sets;    /* all, in the order of their messages */
	const struct nft_set *filling; /* the set whose elements are being read */
	VEC(struct addr_range) ranges; /* those read so far, */
	VEC(uint32_t) keys;	       /* or their keys when they have several parts, */
	VEC(struct nft_lead) leads;    /* and of maps where they lead */
	struct err *why;
};

/* -EINVAL: `what` has no meaning here. */
int nft_reader_refuse(struct nft_reader *rd, const char *what);

/* A name that we print, or NULL; and the same behind the letter of its bank. */
const char *nft_reader_name(struct nft_reader *rd, struct nft_attr a);
const char *nft_reader_chain_name(struct nft_reader *rd, struct nft_attr a);

addr_num nft_reader_number(struct nft_attr a, unsigned width);
struct nft_set *nft_reader_set_by(struct nft_reader *rd, struct nft_attr name, struct nft_attr id);

/* A verdict, and where it leads. */
bool nft_reader_lead(struct nft_reader *rd, struct nft_attr data, struct nft_lead *out);

/* Bodies of messages. */
int nft_reader_rule(struct nft_reader *rd, struct nft_attr message);
int nft_reader_set(struct nft_reader *rd, struct nft_attr message);
int nft_reader_elements(struct nft_reader *rd, struct nft_attr message);

#endif
