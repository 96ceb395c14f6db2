/*
 * nft_encode_expr - a rule's expressions as the kernel's, by libnftnl: what nft_encode.c puts into a rule's message.
 */
#ifndef TEG_EMIT_NFT_ENCODE_EXPR_H
#define TEG_EMIT_NFT_ENCODE_EXPR_H

#include "compiler/emit/nft_rule.h"

struct nftnl_rule;

void nft_encode_exprs(struct nftnl_rule *out, const struct nft_rule *rule);

#endif
