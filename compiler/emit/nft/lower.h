/*
 * nft_lower - decided rules as nft tables.
 *
 * inet tegumentar                            netdev tegumentar
 *   @_pre_in @_pre_forward @_pre_out           @_epiderme_POSTURE, and for later fragments
 *   @_POSTURE_in|forward|out                   @_later_POSTURE
 *   @_POSTURE_in.1 …                           parts of a long list, of any chain above
 *   @_reject                                   @_arrival, @_late     before the reflexes
 *   @_tell.ID, @_line.ID                       the same, and of reflexes that only tell @_see.ID
 *                                              @_sound               drops what is malformed
 *                                              @_rate.ID, @_late.ID  what a rate counts
 *                                              @_over.ID             its meters
 *                                              @_block.MS            blocks the source, drops
 */
#ifndef TEG_EMIT_NFT_LOWER_H
#define TEG_EMIT_NFT_LOWER_H

#include "compiler/emit/nft/rule.h"
#include "compiler/ir/ir.h"

struct nft_ruleset {
	struct nft_table inet, netdev;
};

/* Refuses names that would collide or not fit, and what a box may ask that nft cannot say. */
int nft_lower(struct nft_ruleset *out, const struct ir *ir, struct arena *a, struct err *why);

/* nft_hook_up - base chains like the warden's, in bank a, for the posture of a fresh start. */
void nft_hook_up(struct nft_ruleset *rs, const struct ir *ir);

#endif
