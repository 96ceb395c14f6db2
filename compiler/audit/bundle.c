#include "compiler/audit/audit.h"
#include "lang/bundle/bundle.h"

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
	return rc ? rc : audit_first_hook(p, ir, &plan, why);
}
