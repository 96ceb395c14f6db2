/*
 * audit - what was made, read back, and proved to be what was meant.
 *
 * The lowerings are programs like any other. So a bundle's tables are read back
 * into rules, and the prover says whether they treat every packet as the policy
 * does. This room knows both emit and prove, which do not know each other.
 */
#ifndef TEG_AUDIT_AUDIT_H
#define TEG_AUDIT_AUDIT_H

#include "compiler/ir/ir.h"
#include "compiler/prove/prove.h"
#include "lang/base/err.h"
#include "lang/bundle/batch.h"
#include "lang/bundle/bulk_pack.h"
#include "lang/bundle/plan.h"

/*
 * audit_first_hook - the plan's XDP tables judge layers 1 to 3 as the ir does, in
 * every posture; rates and block times are the policy's; and what a closed
 * posture drops there, layer 4 would drop too. Refuses with the rule or the packet.
 */
int audit_first_hook(struct prover *p, const struct ir *ir, const struct plan *plan, struct err *why);

/*
 * audit_layer4, audit_nft_epiderme - the batch, placed in NFT_SAID_BANK, does in every posture what the
 * ir says: layer 4 at its three hooks, and layers 1 to 3 at the ingress hook. The same verdict, counted
 * as the same, logged alike, and sources blocked for as long. What the engines are known to differ in is
 * written in docs/nftables.md and nft/ask.h.
 */
int audit_layer4(struct prover *p, const struct ir *ir, const struct batch *b, struct err *why);
int audit_nft_epiderme(struct prover *p, const struct ir *ir, const struct batch *b, struct err *why);

/* audit_trees - no way through the plan's trees loses a packet of a box that it may lie in. */
int audit_trees(const struct plan *plan, struct err *why);
int audit_trees_of(const struct plan *plan, struct bulk_words words, struct err *why); /* of words made already */

/* audit_vectors - where there are bit vectors in place of trees: they say of each packet what the plan's boxes say. */
int audit_vectors(const struct plan *plan, struct err *why);
int audit_vectors_of(const struct plan *plan, struct bulk_words words, struct err *why); /* of words made already */

/*
 * audit_payload - what the plan's tables find in payloads is what the patterns of the policy's
 * reflexes find, each within its bytes; no window hides a match. The boxes are audit_first_hook's.
 */
int audit_payload(const struct ir *ir, const struct plan *plan, struct err *why);

/*
 * audit_bundle - the same of a sealed bundle, read back from its bytes. What it
 * refuses must not be written: -E2BIG when the budget did not suffice to tell,
 * -EPROTO when a lowering is wrong, which is our mistake.
 */
int audit_bundle(const struct ir *ir, const void *bytes, size_t len, struct err *why);

#endif
