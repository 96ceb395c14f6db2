/*
 * nft_terse - a rule's questions in as few of the kernel's expressions as they take.
 *
 *     meta nfproto ipv4 meta l4proto tcp ip saddr 10.0.0.0/8 ip daddr 10.1.0.16/28      2 + 2 + 3 + 3
 *     @nh,72,88 & 0xff0000ff000000fffffff0 == 0x60000...                                3
 *     ip saddr 10.0.0.1 ip daddr 10.1.0.16/28                                           2 + 2 + 3, the family's before
 *     @nh,96,64 0xa0000010a010010-0xa0000010a01001f                                     2
 *
 * The kernel finds each expression by its name, in a list, which is most of what a rule costs to load. So a rule in a
 * tree, whose family is decided before, asks by where bytes lie what it would else ask field by field: protocol, source
 * and destination of IPv4 are one load, and so are two ports; leading bits are a range. A family or protocol that was asked once more, only
 * for fields to be listed by name, is not. nft reads and lists such questions as they are written here.
 */
#ifndef TEG_EMIT_NFT_BULK_TERSE_H
#define TEG_EMIT_NFT_BULK_TERSE_H

#include "compiler/emit/nft/match.h"

/* `r` has its questions and nothing else yet; `decided` as for nft_ask_way(). */
void nft_terse(struct nft_rule *r, const struct nft_way *w, unsigned decided);

#endif
