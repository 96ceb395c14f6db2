/*
 * nft_lower - decided rules as nft tables.
 *
 * inet tegumentar                            netdev tegumentar
 *   @_pre_in @_pre_forward @_pre_out           @_epiderme_POSTURE, @_later_POSTURE
 *   @_POSTURE_in|forward|out                   @_arrival, @_late     before every posture's
 * reflexes
 *   @_reject                                   @_sound               drops what is malformed, by
 * cause
 *                                              @_rate.ID, @_late.ID, @_over.ID   a reflex with a
 * rate
 *                                              @_block.MS            blocks the source, drops
 */
#ifndef TEG_EMIT_NFT_LOWER_H
#define TEG_EMIT_NFT_LOWER_H

#include "compiler/emit/nft_rule.h"
#include "compiler/ir/ir.h"

struct nft_ruleset {
	struct nft_table inet, netdev;
};

/* Refuses names that would collide or not fit, and what a box may ask that nft cannot say. */
int nft_lower(struct nft_ruleset *out, const struct ir *ir, struct arena *a, struct err *why);

/* nft_hook_up - the base chains as the warden makes them, in bank a, for the posture of a fresh
 * start. */
void nft_hook_up(struct nft_ruleset *rs, const struct ir *ir);

#endif
