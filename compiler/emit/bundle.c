#include <errno.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "lang/base/side_by_side.h"
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

static const struct bundle_member *member_of(const struct emitted *e, const char *name)
{
	for (size_t i = 0; i < e->count; i++)
		if (!strcmp(e->members[i].name, name))
			return &e->members[i];
	return NULL;
}

/*
 * What tegd will check, checked where the author sits: limits of the plan that
 * no engine's lowering knows, and our own mistakes.
 */
static int members_hold(const struct emitted *e, struct err *why)
{
	static const char *const batches[] = { "nft/posture.batch", "nft/epiderme.batch" };
	own(arena) struct arena *a = arena_new();
	struct plan plan;
	int rc;

	if (!bundle_fits(e->members, e->count, why))
		return why->code;
	const struct bundle_member *m = member_of(e, "plan");
	if ((rc = plan_decode(&plan, a, m->bytes, m->len, why)))
		return rc;
	for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
		m = member_of(e, batches[i]);
		if (batch_inspect(m->bytes, m->len, "tegumentar", why))
			return err_in(why, "%s", batches[i]);
	}
	m = member_of(e, "drill");
	if (m && drill_decode(&(struct drill){ 0 }, a, &plan, m->bytes, m->len, why))
		return why->code;
	rc = derme_holds(member_of(e, "derme.tegd"), a, why);
	return rc ? rc : playbooks_hold(member_of(e, "playbooks.tegp"), a, why);
}

void emitted_release(struct emitted *e)
{
	for (int i = 0; i < EMITTED_COUNT; i++)
		buf_release(&e->bytes[i]);
	*e = (struct emitted){ 0 };
}

static void put_member(struct emitted *e, const char *name, const void *bytes, size_t len)
{
	e->members[e->count++] = (struct bundle_member){ name, bytes, len };
}

static void put_bytes(struct emitted *e, const char *name, enum emitted_kind kind)
{
	put_member(e, name, buf_text(&e->bytes[kind]), e->bytes[kind].len);
}

static void list_members(struct emitted *e, const char *resolved)
{
	size_t xdp_len, tc_len;
	const void *xdp = emit_program(TEG_HOOK_XDP, &xdp_len), *tc = emit_program(TEG_HOOK_TC, &tc_len);

	put_bytes(e, "plan", EMITTED_PLAN);
	put_member(e, "policy/resolved.teg", resolved, strlen(resolved));
	put_member(e, "xdp/policy.o", xdp, xdp_len);
	put_member(e, "tc/policy.o", tc, tc_len);
	put_bytes(e, "nft/posture.batch", EMITTED_POSTURE);
	put_bytes(e, "nft/epiderme.batch", EMITTED_EPIDERME);
	put_bytes(e, "nft/ruleset.nft", EMITTED_RULESET);
	if (e->bytes[EMITTED_DRILL].len)
		put_bytes(e, "drill", EMITTED_DRILL);
	if (e->bytes[EMITTED_DERME].len)
		put_bytes(e, "derme.tegd", EMITTED_DERME);
	if (e->bytes[EMITTED_PLAYBOOKS].len)
		put_bytes(e, "playbooks.tegp", EMITTED_PLAYBOOKS);
}

/* One engine's lowering. Each fills its own part of the plan, from an arena of its own. */
struct lowering {
	const struct ir *ir;
	struct plan *plan;
	struct arena *a;
	struct emit_nft *nft;
	struct err why;
	int rc;
};

static void lower_xdp(void *context)
{
	struct lowering *l = context;

	l->rc = emit_xdp(l->plan, l->ir, l->a, &l->why);
}

static void lower_nft(void *context)
{
	struct lowering *l = context;

	l->rc = emit_nft(l->nft, l->plan, ir_for_nft(l->ir, l->a), l->a, &l->why);
}

/* XDP's fault is told before nft's. */
static int lower(struct plan *plan, struct emit_nft *nft, const struct ir *ir, struct arena *for_xdp, struct arena *for_nft, struct err *why)
{
	struct lowering x = { .ir = ir, .plan = plan, .a = for_xdp }, n = { .ir = ir, .plan = plan, .a = for_nft, .nft = nft };

	side_by_side((struct errand[]){ { lower_nft, &n }, { lower_xdp, &x } }, 2);
	if (x.rc || n.rc)
		*why = x.rc ? x.why : n.why;
	return x.rc ? x.rc : n.rc;
}

/* What the members are made from ends here: nothing of them is in it. */
static int make_bytes(struct emitted *e, const struct ir *ir, bool proved, struct err *why)
{
	own(arena) struct arena *a = arena_new(), *for_nft = arena_new();
	own(emit_nft) struct emit_nft nft = { 0 };
	struct plan plan;
	struct drill drill;
	int rc;

	emit_plan(&plan, ir, a);
	plan.proved = proved;
	if (plan.counter_count > TEG_COUNTER_SLOTS)
		return err_set(why, E2BIG, "the rules of all postures have %u ids; there may be at most %u",
			       plan.counter_count, TEG_COUNTER_SLOTS);
	if ((rc = lower(&plan, &nft, ir, a, for_nft, why)))
		return rc;

	emit_drill(&drill, &plan, ir, a);
	plan_encode(&e->bytes[EMITTED_PLAN], &plan);
	if (drill.test_count || drill.elsewhere)
		drill_encode(&e->bytes[EMITTED_DRILL], &drill);
	batch_encode_over(&e->bytes[EMITTED_POSTURE], &nft.posture);
	batch_encode_over(&e->bytes[EMITTED_EPIDERME], &nft.epiderme);
	e->bytes[EMITTED_RULESET] = nft.text;
	nft.text = (struct buf){ 0 };
	if (!playbooks_are_empty(&ir->responses.code))
		playbooks_encode(&e->bytes[EMITTED_PLAYBOOKS], &ir->responses.code);
	if (ir->policy->derme.rule_count)
		derme_encode(&e->bytes[EMITTED_DERME], &ir->policy->derme);
	return 0;
}

int emit_members(struct emitted *out, const struct ir *ir, const char *resolved, bool proved, struct err *why)
{
	own(emitted) struct emitted e = { 0 };
	int rc = make_bytes(&e, ir, proved, why);

	if (rc)
		return rc;
	list_members(&e, resolved);
	if (members_hold(&e, why))
		return err_in(why, "the bundle would be refused");

	*out = e;
	e = (struct emitted){ 0 };
	return 0;
}

int emit_bundle(struct buf *out, const struct ir *ir, const char *resolved, bool proved, struct err *why)
{
	own(emitted) struct emitted e = { 0 };
	int rc = emit_members(&e, ir, resolved, proved, why);

	if (!rc)
		bundle_write(out, e.members, e.count);
	return rc;
}
