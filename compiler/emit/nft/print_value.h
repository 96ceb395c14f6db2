/* print_value - numbers of a type, in the words of nft -f. */
#ifndef TEG_EMIT_NFT_PRINT_VALUE_H
#define TEG_EMIT_NFT_PRINT_VALUE_H

#include "compiler/emit/nft/rule.h"

bool nft_type_is_address(enum nft_type type);
enum family nft_type_family(enum nft_type type);

/* The length of the prefix that is exactly this range, or -1. */
int nft_prefix_of(enum family f, struct addr_range r);

void nft_print_quoted(struct buf *out, const char *name);
void nft_print_hex(struct buf *out, addr_num v);
void nft_print_value(struct buf *out, enum nft_type type, addr_num v);
void nft_print_range(struct buf *out, enum nft_type type, struct addr_range r);
/* "eth*": the names that begin with what lo and hi share. */
void nft_print_ifnames(struct buf *out, struct addr_range r);
/* By its name, or what is in it. */
void nft_print_set(struct buf *out, const struct nft_set *s);

#endif
