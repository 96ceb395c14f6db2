#include "tests/lib/nft_audit.h"

#include <string.h>

#include "compiler/audit/nft/said.h"
#include "tests/lib/tap.h"

int nft_audit(auditor *of, const struct ir *ir, const struct nft_table *t, struct err *why)
{
	own(batch) struct batch made = { 0 }, sent = { 0 };
	own(buf) struct buf sealed = { 0 };
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	int rc;

	nft_encode(&made, t);
	batch_encode(&sealed, &made);
	rc = batch_open(&sent, sealed.at, sealed.len, why);
	if (rc)
		return rc;
	batch_place(&sent, NFT_SAID_BANK);
	return of(p, ir, &sent, why);
}

void nft_audit_sound(struct nft_audited *n, const char *which, unsigned seed, const struct ir *ir, struct arena *a)
{
	struct nft_ruleset rs;
	struct err why = { 0 };

	if (nft_lower(&rs, ir, a, &why))
		return;
	n->policies++;
	if (nft_audit(audit_layer4, ir, &rs.inet, &why) || nft_audit(audit_nft_epiderme, ir, &rs.netdev, &why)) {
		n->refused++;
		tap_note("%s %u: %s", which, seed, why.text);
	}
}

bool nft_lose_rule(struct nft_chain *c, size_t at)
{
	if (at >= c->rules.len)
		return false;
	memmove(&c->rules.at[at], &c->rules.at[at + 1], (c->rules.len - at - 1) * sizeof *c->rules.at);
	c->rules.len--;
	return true;
}
