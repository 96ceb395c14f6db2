/*
 * nft_layers - the two tables, and what they have in common.
 *
 *     nft_posture.c     inet tegumentar: preamble and postures       layer 4
 *     nft_epiderme.c    netdev tegumentar: the first hook            layers 1 to 3
 */
#ifndef TEG_EMIT_NFT_LAYERS_H
#define TEG_EMIT_NFT_LAYERS_H

#include "compiler/emit/nft_match.h"

int nft_lower_inet(struct nft_maker *mk);
int nft_lower_netdev(struct nft_maker *mk);

/* Rules that end in their verdict, each counted under its id. */
int nft_lower_list(struct nft_maker *mk, const struct nft_site *site, const struct ir_list *list);

/* Lifelines, or for `out` their answers. */
int nft_lower_lifelines(struct nft_maker *mk, const struct nft_site *site, enum direction d);
void nft_put_neighbour(struct nft_maker *mk, struct nft_chain *c);

/* The remark stands before the first of a rule's nft rules. */
const char *nft_remark_once(const struct nft_spread *s);

#endif
