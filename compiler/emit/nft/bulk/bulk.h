/*
 * nft_bulk - a long list of rules at one site, as the trees of tree/tree.h.
 *
 *     nft_bulk_lower(mk, &site, rules, count, ends)
 *
 *     chain @_P_in { …; ip daddr vmap { 10.0.0.0/24 : goto @_P_in.1, … }; …the rest… }
 *     chain @_P_in.1 { counter name ip saddr . th dport map { … } accept; …the default… }
 *
 * Decides, counts and logs as one rule a line would: the same rule of the list for every packet, and copies
 * of a rule count in its one counter. Segments before the last, and trees that something stands behind, are
 * jumped to; what they do not decide comes back.
 */
#ifndef TEG_EMIT_NFT_BULK_BULK_H
#define TEG_EMIT_NFT_BULK_BULK_H

#include "compiler/emit/nft/match.h"

/* Fewer boxes than this are read best, and soon judged, one a line. */
#define NFT_BULK_LEAST 17u

/* From so many on the rules among trees ask by place rather than by name, terse.h: then it counts what they take to load. */
#define NFT_TERSE_LEAST 128u

/* How a rule ends behind its counter: what is logged, and the verdict. */
typedef void (*nft_bulk_ends)(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule);

int nft_bulk_lower(struct nft_maker *mk, const struct nft_site *site, const struct ir_rule *rules, size_t count,
		   nft_bulk_ends ends);

#endif
