#include <errno.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/emit/nft/lower.h"
#include "lang/base/side_by_side.h"
#include "lang/bundle/bundle.h"

void emitted_release(struct emitted *e)
{
	for (int i = 0; i < EMITTED_COUNT; i++)
		spool_release(&e->bytes[i]);
	*e = (struct emitted){ 0 };
}

/* --- lowering -------------------------------------------------------------------- */

/* One engine's lowering. Each fills its own part of the plan, from an arena of its own. */
struct lowering {
	const struct ir *ir;
	struct plan *plan;
	struct arena *a;
	struct nft_ruleset *nft;
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

	l->rc = emit_nft_lower(l->nft, l->plan, l->ir, l->a, &l->why);
}

/* XDP's fault is told before nft's. */
static int lower(struct lowering *xdp, struct lowering *nft, struct err *why)
{
	side_by_side((struct errand[]){ { lower_nft, nft }, { lower_xdp, xdp } }, 2);
	if (xdp->rc || nft->rc)
		*why = xdp->rc ? xdp->why : nft->why;
	return xdp->rc ? xdp->rc : nft->rc;
}

/* --- members --------------------------------------------------------------------- */

static int playbooks_hold(const struct buf *b, struct arena *a, struct err *why)
{
	struct playbooks p;

	return b->len && playbooks_decode(&p, a, b->at, b->len, why) ? err_in(why, "playbooks.tegp") : 0;
}

static int derme_holds(const struct buf *b, struct arena *a, struct err *why)
{
	struct derme d;

	return b->len ? derme_decode(&d, a, b->at, b->len, why) : 0;
}

static int drill_holds(const struct buf *b, struct arena *a, const struct plan *plan, struct err *why)
{
	return b->len ? drill_decode(&(struct drill){ 0 }, a, plan, b->at, b->len, why) : 0;
}

/*
 * What tegd will check, checked where the author sits: limits of the plan that
 * no engine's lowering knows, and our own mistakes.
 */
static int plan_holds_all(const struct emitted *e, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	const struct buf *bytes = &e->bytes[EMITTED_PLAN].held;
	struct plan plan;
	int rc;

	if ((rc = plan_decode(&plan, a, bytes->at, bytes->len, why)) ||
	    (rc = drill_holds(&e->bytes[EMITTED_DRILL].held, a, &plan, why)) ||
	    (rc = derme_holds(&e->bytes[EMITTED_DERME].held, a, why)))
		return rc;
	return playbooks_hold(&e->bytes[EMITTED_PLAYBOOKS].held, a, why);
}

static void put_plan(struct emitted *e, const struct plan *plan, const struct ir *ir, struct arena *a)
{
	struct drill drill;

	emit_drill(&drill, plan, ir, a);
	plan_encode(&e->bytes[EMITTED_PLAN].held, plan);
	if (drill.test_count || drill.elsewhere)
		drill_encode(&e->bytes[EMITTED_DRILL].held, &drill);
	if (!playbooks_are_empty(&ir->responses.code))
		playbooks_encode(&e->bytes[EMITTED_PLAYBOOKS].held, &ir->responses.code);
	if (ir->policy->derme.rule_count)
		derme_encode(&e->bytes[EMITTED_DERME].held, &ir->policy->derme);
}

/* The plan is made, and gone again, before what takes most room is. */
static int make_plan(struct emitted *e, struct lowering *nft, const struct ir *ir, bool proved, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct plan plan;
	struct lowering xdp = { .ir = ir, .plan = &plan, .a = a };
	int rc;

	emit_plan(&plan, ir, a);
	plan.proved = proved;
	if (plan.counter_count > TEG_COUNTER_SLOTS)
		return err_set(why, E2BIG, "the rules of all postures have %u ids; there may be at most %u",
			       plan.counter_count, TEG_COUNTER_SLOTS);
	nft->plan = &plan;
	if ((rc = lower(&xdp, nft, why)))
		return rc;
	put_plan(e, &plan, ir, a);
	return 0;
}

/* One of nft's members, which are many times what they are made from. */
struct writing {
	struct spool *out;
	const struct nft_ruleset *rs;
	const struct nft_table *table; /* of a batch */
	const struct ir *ir;	       /* of the text */
	struct err why;
	int rc;
};

static void write_batch(void *context)
{
	struct writing *w = context;

	w->rc = nft_encode_to(w->out, w->table, &w->why);
	spool_end(w->out);
}

static void write_text(void *context)
{
	struct writing *w = context;

	emit_nft_print(w->out, w->rs, w->ir);
	spool_end(w->out);
}

static int make_nft(struct emitted *e, const struct nft_ruleset *rs, const struct ir *ir, struct err *why)
{
	struct writing posture = { .out = &e->bytes[EMITTED_POSTURE], .table = &rs->inet };
	struct writing epiderme = { .out = &e->bytes[EMITTED_EPIDERME], .table = &rs->netdev };
	struct writing text = { .out = &e->bytes[EMITTED_RULESET], .rs = rs, .ir = ir };

	side_by_side((struct errand[]){ { write_text, &text }, { write_batch, &posture }, { write_batch, &epiderme } }, 3);
	if (posture.rc || epiderme.rc) {
		*why = posture.rc ? posture.why : epiderme.why;
		return err_in(why, "%s", posture.rc ? "nft/posture.batch" : "nft/epiderme.batch");
	}
	return 0;
}

/* What the members are made from ends here: nothing of them is in it. */
static int make_bytes(struct emitted *e, const struct ir *ir, bool proved, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct nft_ruleset rs;
	struct lowering nft = { .ir = ir_for_nft(ir, a), .a = a, .nft = &rs };
	int rc = make_plan(e, &nft, ir, proved, why);

	if (rc)
		return rc;
	if (plan_holds_all(e, why))
		return err_in(why, "the bundle would be refused");
	spool_end(&e->bytes[EMITTED_PLAN]);
	nft_hook_up(&rs, nft.ir);
	return make_nft(e, &rs, nft.ir, why) ? err_in(why, "the bundle would be refused") : 0;
}

/* --- the bundle ------------------------------------------------------------------ */

static void put_member(struct emitted *e, const char *name, const void *bytes, size_t len)
{
	e->members[e->count++] = (struct bundle_member){ .name = name, .bytes = bytes, .len = len };
}

static void put_spool(struct emitted *e, const char *name, const struct spool *s)
{
	e->members[e->count++] = (struct bundle_member){ .name = name, .bytes = spool_bytes(s), .len = spool_len(s), .in = s };
}

static void put_bytes(struct emitted *e, const char *name, enum emitted_kind kind)
{
	put_spool(e, name, &e->bytes[kind]);
}

/* They point at what lies in `e`. */
static void list_members(struct emitted *e, const struct spool *resolved)
{
	size_t xdp_len, tc_len;
	const void *xdp = emit_program(TEG_HOOK_XDP, &xdp_len), *tc = emit_program(TEG_HOOK_TC, &tc_len);

	put_bytes(e, "plan", EMITTED_PLAN);
	put_spool(e, "policy/resolved.teg", resolved);
	put_member(e, "xdp/policy.o", xdp, xdp_len);
	put_member(e, "tc/policy.o", tc, tc_len);
	put_bytes(e, "nft/posture.batch", EMITTED_POSTURE);
	put_bytes(e, "nft/epiderme.batch", EMITTED_EPIDERME);
	put_bytes(e, "nft/ruleset.nft", EMITTED_RULESET);
	if (spool_len(&e->bytes[EMITTED_DRILL]))
		put_bytes(e, "drill", EMITTED_DRILL);
	if (spool_len(&e->bytes[EMITTED_DERME]))
		put_bytes(e, "derme.tegd", EMITTED_DERME);
	if (spool_len(&e->bytes[EMITTED_PLAYBOOKS]))
		put_bytes(e, "playbooks.tegp", EMITTED_PLAYBOOKS);
}

int emit_members(struct emitted *out, const struct ir *ir, const struct spool *resolved, bool proved, const char *beside, struct err *why)
{
	static const enum emitted_kind large[] = { EMITTED_PLAN, EMITTED_POSTURE, EMITTED_EPIDERME, EMITTED_RULESET };
	int rc;

	*out = (struct emitted){ 0 };
	for (size_t i = 0; beside && i < sizeof large / sizeof *large; i++)
		spool_beside(&out->bytes[large[i]], beside);
	rc = make_bytes(out, ir, proved, why);
	if (!rc) {
		list_members(out, resolved);
		rc = bundle_fits(out->members, out->count, why) ? 0 : err_in(why, "the bundle would be refused");
	}
	if (rc)
		emitted_release(out);
	return rc;
}

int emit_bundle(struct buf *out, const struct ir *ir, const char *resolved, bool proved, struct err *why)
{
	own(spool) struct spool text = { 0 };
	own(emitted) struct emitted e = { 0 };

	buf_puts(&text.held, resolved);
	int rc = emit_members(&e, ir, &text, proved, NULL, why);

	if (!rc)
		bundle_write(out, e.members, e.count);
	return rc;
}
