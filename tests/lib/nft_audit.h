/*
 * nft_audit - a table of nft's objects, proved as it stands in a bundle and is sent.
 *
 *     if (nft_audit(audit_layer4, ir, &rs.inet, &why)) ...       it was refused
 *     nft_audit_sound(&counts, "seed", seed, ir, a);             lowers a policy, and proves both of its tables
 */
#ifndef TEG_TESTS_NFT_AUDIT_H
#define TEG_TESTS_NFT_AUDIT_H

#include "compiler/audit/audit.h"
#include "compiler/emit/nft/lower.h"

typedef int auditor(struct prover *p, const struct ir *ir, const struct batch *b, struct err *why);

int nft_audit(auditor *of, const struct ir *ir, const struct nft_table *t, struct err *why);

struct nft_audited {
	size_t policies, refused;
};

/* What is refused is noted; what nft cannot carry is not counted. */
void nft_audit_sound(struct nft_audited *n, const char *which, unsigned seed, const struct ir *ir, struct arena *a);

/* The chain lacks its rule of this place; false when it has none there. */
bool nft_lose_rule(struct nft_chain *c, size_t at);

#endif
