#include <errno.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "lang/bundle/bundle.h"

static void emit_nft_own_(struct emit_nft *n)
{
	emit_nft_release(n);
}

static int playbooks_hold(const struct bundle_member *m, struct arena *a, struct err *why)
{
	struct playbooks p;

	return m && playbooks_decode(&p, a, m->bytes, m->len, why) ? err_in(why, "%s", m->name) : 0;
}

static int derme_holds(const struct bundle_member *m, struct arena *a, struct err *why)
{
	struct derme d;

	return m ? derme_decode(&d, a, m->bytes, m->len, why) : 0;
}

/*
 * What tegd will check, checked where the author sits: limits of the plan that
 * no engine's lowering knows, and our own mistakes.
 */
static int bundle_holds(const struct buf *sealed, struct err *why)
{
	static const char *const batches[] = { "nft/posture.batch", "nft/epiderme.batch" };
	own(bundle) struct bundle *b = NULL;
	own(arena) struct arena *a = arena_new();
	struct plan plan;
	int rc = bundle_open(&b, sealed->at, sealed->len, why);

	if (rc)
		return rc;
	const struct bundle_member *m = bundle_find(b, "plan");
	if ((rc = plan_decode(&plan, a, m->bytes, m->len, why)))
		return rc;
	for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
		own(batch) struct batch batch = { 0 };

		m = bundle_find(b, batches[i]);
		if (batch_open(&batch, m->bytes, m->len, why) || batch_check(&batch, "tegumentar", why))
			return err_in(why, "%s", batches[i]);
	}
	m = bundle_find(b, "drill");
	if (m && drill_decode(&(struct drill){ 0 }, a, &plan, m->bytes, m->len, why))
		return why->code;
	rc = derme_holds(bundle_find(b, "derme.tegd"), a, why);
	return rc ? rc : playbooks_hold(bundle_find(b, "playbooks.tegp"), a, why);
}

/* A long list's is tens of megabytes: there is one of it at a time. */
static void encode_batch(struct buf *out, struct batch *b)
{
	buf_reserve(out, b->len + b->bank_count * sizeof *b->banks + 16);
	batch_encode(out, b);
	batch_release(b);
}

int emit_bundle(struct buf *out, const struct ir *ir, const char *resolved, bool proved, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	own(emit_nft) struct emit_nft nft = { 0 };
	own(buf) struct buf plan_bytes = { 0 }, posture = { 0 }, epiderme = { 0 }, sealed = { 0 }, playbooks = { 0 }, derme = { 0 };
	own(buf) struct buf drill_bytes = { 0 };
	bool responds = !playbooks_are_empty(&ir->responses.code);
	struct plan plan;
	struct drill drill;
	size_t xdp_len, tc_len;
	const void *xdp = emit_program(TEG_HOOK_XDP, &xdp_len), *tc = emit_program(TEG_HOOK_TC, &tc_len);
	int rc;

	emit_plan(&plan, ir, a);
	plan.proved = proved;
	if (plan.counter_count > TEG_COUNTER_SLOTS)
		return err_set(why, E2BIG, "the rules of all postures have %u ids; there may be at most %u",
			       plan.counter_count, TEG_COUNTER_SLOTS);
	if ((rc = emit_xdp(&plan, ir, a, why)) || (rc = emit_nft(&nft, &plan, ir_for_nft(ir, a), a, why)))
		return rc;

	emit_drill(&drill, &plan, ir, a);
	plan_encode(&plan_bytes, &plan);
	if (drill.test_count || drill.elsewhere)
		drill_encode(&drill_bytes, &drill);
	encode_batch(&posture, &nft.posture);
	encode_batch(&epiderme, &nft.epiderme);
	if (responds)
		playbooks_encode(&playbooks, &ir->responses.code);
	if (ir->policy->derme.rule_count)
		derme_encode(&derme, &ir->policy->derme);
	arena_free(take(a)); /* nothing of the members is in it */
	struct bundle_member members[10] = {
		{ "plan", plan_bytes.at, plan_bytes.len },
		{ "policy/resolved.teg", resolved, strlen(resolved) },
		{ "xdp/policy.o", xdp, xdp_len },
		{ "tc/policy.o", tc, tc_len },
		{ "nft/posture.batch", posture.at, posture.len },
		{ "nft/epiderme.batch", epiderme.at, epiderme.len },
		{ "nft/ruleset.nft", buf_text(&nft.text), nft.text.len },
	};
	size_t count = 7;

	if (drill_bytes.len)
		members[count++] = (struct bundle_member){ "drill", drill_bytes.at, drill_bytes.len };
	if (derme.len)
		members[count++] = (struct bundle_member){ "derme.tegd", derme.at, derme.len };
	if (responds)
		members[count++] = (struct bundle_member){ "playbooks.tegp", playbooks.at, playbooks.len };
	bundle_write(&sealed, members, count);
	buf_release(&posture);
	buf_release(&epiderme);
	buf_release(&plan_bytes);
	emit_nft_release(&nft);
	if (bundle_holds(&sealed, why))
		return err_in(why, "the bundle would be refused");

	*out = sealed;
	sealed = (struct buf){ 0 };
	return 0;
}
