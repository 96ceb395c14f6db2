/*
 * bundle.c - all that is made for a host, read back out of the sealed bundle: its tables, its batches,
 * its order of postures.
 */
#include "compiler/audit/audit.h"

#include <errno.h>

#include "compiler/audit/nft/said.h"
#include "lang/bundle/bundle.h"

/* Read as it will be sent: placed in a bank. */
static int batch_holds(struct prover *p, const struct ir *ir, const struct bundle *b, const char *name,
		       int (*audit)(struct prover *p, const struct ir *ir, const struct batch *b, struct err *why),
		       struct err *why)
{
	own(batch) struct batch batch = { 0 };
	const struct bundle_member *m = bundle_find(b, name);
	int rc = batch_open(&batch, m->bytes, m->len, why);

	if (!rc) {
		batch_place(&batch, NFT_SAID_BANK);
		rc = audit(p, ir, &batch, why);
	}
	return rc ? err_in(why, "%s", name) : 0;
}

/* The order of the postures is as it was proved. */
static int order_holds(const struct ir *ir, const struct plan *plan, struct err *why)
{
	for (uint32_t i = 0; i < plan->posture_count; i++)
		if (plan->postures[i].within != (ir->postures[i].within | 1ull << i))
			return err_set(why, EPROTO, "the bundle has another order of postures than was proved, at %s", ir->postures[i].name);
	return 0;
}

int audit_bundle(const struct ir *ir, const void *bytes, size_t len, struct err *why)
{
	own(bundle) struct bundle *b = NULL;
	own(arena) struct arena *a = arena_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	const struct bundle_member *m;
	struct plan plan;
	int rc = bundle_open(&b, bytes, len, why);

	if (rc)
		return rc;
	m = bundle_find(b, "plan");
	rc = plan_decode(&plan, a, m->bytes, m->len, why);
	if (rc)
		return rc;
	rc = audit_first_hook(p, ir, &plan, why);
	if (!rc)
		rc = order_holds(ir, &plan, why);
	ir = ir_for_nft(ir, a);
	if (!rc)
		rc = batch_holds(p, ir, b, "nft/posture.batch", audit_layer4, why);
	return rc ? rc : batch_holds(p, ir, b, "nft/epiderme.batch", audit_nft_epiderme, why);
}
