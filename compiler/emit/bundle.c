#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/emit/nft/lower.h"
#include "compiler/emit/refuse.h"
#include "compiler/ir/named.h"
#include "lang/base/side_by_side.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/plan_holds.h"

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
static int lowered(const struct lowering *xdp, const struct lowering *nft, struct err *why)
{
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
static int plan_holds_all(const struct emitted *e, const struct plan *plan, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	int rc;

	if ((rc = plan_holds(plan, a, why)))
		return err_in(why, "plan");
	if ((rc = drill_holds(&e->bytes[EMITTED_DRILL].held, a, plan, why)) ||
	    (rc = derme_holds(&e->bytes[EMITTED_DERME].held, a, why)))
		return rc;
	return playbooks_hold(&e->bytes[EMITTED_PLAYBOOKS].held, a, why);
}

static void put_plan(struct emitted *e, const struct plan *plan, const struct ir *ir, struct arena *a)
{
	struct drill drill;

	emit_drill(&drill, plan, ir, a);
	plan_spool(&e->bytes[EMITTED_PLAN], plan);
	if (drill.test_count || drill.elsewhere)
		drill_encode(&e->bytes[EMITTED_DRILL].held, &drill);
	if (!playbooks_are_empty(&ir->responses.code))
		playbooks_encode(&e->bytes[EMITTED_PLAYBOOKS].held, &ir->responses.code);
	if (ir->policy->derme.rule_count)
		derme_encode(&e->bytes[EMITTED_DERME].held, &ir->policy->derme);
}

static size_t rules_of(const struct ir *ir)
{
	size_t count = ir->lifelines.count + ir->feeds.count + ir->blocks.count + ir->reflexes.count + ir->watches.count;

	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			count += ir->postures[i].lists[d].count;
	return count;
}

/* Of fewer rules, an errand is shorter than a thread is dear: its stack, its heap, and waking one that waits. */
#define RULES_BESIDE 2000

static void carry_out(const struct ir *ir, const struct errand *errands, size_t count)
{
	if (rules_of(ir) >= RULES_BESIDE) {
		side_by_side(errands, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		errands[i].work(errands[i].context);
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

static int write_nft(struct emitted *e, const struct nft_ruleset *rs, const struct ir *ir, struct err *why)
{
	struct writing posture = { .out = &e->bytes[EMITTED_POSTURE], .table = &rs->inet };
	struct writing epiderme = { .out = &e->bytes[EMITTED_EPIDERME], .table = &rs->netdev };
	struct writing text = { .out = &e->bytes[EMITTED_RULESET], .rs = rs, .ir = ir };

	carry_out(ir, (struct errand[]){ { write_text, &text }, { write_batch, &posture }, { write_batch, &epiderme } }, 3);
	if (posture.rc || epiderme.rc) {
		*why = posture.rc ? posture.why : epiderme.why;
		return err_in(why, "%s", posture.rc ? "nft/posture.batch" : "nft/epiderme.batch");
	}
	return 0;
}

/* --- from one to the other ------------------------------------------------------------ */

/* Of so many rules, one engine's lowering is gone before the other's begins: memory is dearer than the second processor. */
#define RULES_AT_ONCE 30000

/* What the members are made from: nothing of it is in them. */
struct making {
	struct emitted *e;
	const struct ir *ir;
	struct arena *a;
	struct plan plan;
	struct nft_ruleset rs;
	struct lowering xdp, nft;
};

static int begin_plan(struct making *m, bool proved, struct err *why)
{
	emit_plan(&m->plan, m->ir, m->a);
	m->plan.proved = proved;
	if (m->plan.counter_count > TEG_COUNTER_SLOTS)
		return refuse_rule(why, ir_rule_named(m->ir, m->plan.counters[TEG_COUNTER_SLOTS].id),
				   "the rules of all postures have %u ids; there may be at most %u", m->plan.counter_count, TEG_COUNTER_SLOTS);
	return 0;
}

/* When both engines have filled their part. */
static int end_plan(struct making *m, struct err *why)
{
	int rc = lowered(&m->xdp, &m->nft, why);

	if (rc)
		return rc;
	put_plan(m->e, &m->plan, m->ir, m->a);
	if (plan_holds_all(m->e, &m->plan, why))
		return err_in(why, "the bundle would be refused");
	spool_end(&m->e->bytes[EMITTED_PLAN]);
	return 0;
}

static int end_nft(struct making *m, struct err *why)
{
	nft_hook_up(&m->rs, m->nft.ir);
	return write_nft(m->e, &m->rs, m->nft.ir, why) ? err_in(why, "the bundle would be refused") : 0;
}

static int make_at_once(struct making *m, struct err *why)
{
	carry_out(m->ir, (struct errand[]){ { lower_nft, &m->nft }, { lower_xdp, &m->xdp } }, 2);
	int rc = end_plan(m, why);

	return rc ? rc : end_nft(m, why);
}

/* They lie where nft's objects do. */
static void keep_names(struct plan *plan, struct arena *a)
{
	const char **names = arena_copy(a, plan->nft_keep, plan->nft_keep_count * sizeof *names);

	for (uint32_t i = 0; i < plan->nft_keep_count; i++)
		names[i] = arena_strdup(a, names[i]);
	plan->nft_keep = names;
}

/* nft's first, of which more is made; faults are told in the order of above. */
static int make_in_turn(struct making *m, struct err *why)
{
	struct err unwritten = { 0 };

	lower_nft(&m->nft);
	if (!m->nft.rc) {
		keep_names(&m->plan, m->a);
		end_nft(m, &unwritten);
	}
	arena_free(take(m->nft.a));
	lower_xdp(&m->xdp);
	int rc = end_plan(m, why);

	if (!rc && unwritten.code)
		*why = unwritten;
	return rc ? rc : unwritten.code;
}

static int make_bytes(struct emitted *e, const struct ir *ir, bool proved, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct making m = { .e = e, .ir = ir, .a = a };
	int rc = begin_plan(&m, proved, why);

	if (rc)
		return rc;
	own(arena) struct arena *of_nft = arena_new();
	m.xdp = (struct lowering){ .ir = ir, .plan = &m.plan, .a = a };
	m.nft = (struct lowering){ .ir = ir_for_nft(ir, of_nft), .plan = &m.plan, .a = of_nft, .nft = &m.rs };
	if (rules_of(ir) <= RULES_AT_ONCE)
		return make_at_once(&m, why);
	m.nft.a = take(of_nft);
	return make_in_turn(&m, why);
}

/* --- the bundle ------------------------------------------------------------------ */

static void put_program(struct emitted *e, const char *name, enum teg_hook hook)
{
	struct bundle_member *m = &e->members[e->count++];

	*m = (struct bundle_member){ .name = name, .digest = emit_program_digest(hook) };
	m->bytes = emit_program(hook, &m->len);
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
	put_bytes(e, "plan", EMITTED_PLAN);
	put_spool(e, "policy/resolved.teg", resolved);
	put_program(e, "xdp/policy.o", TEG_HOOK_XDP);
	put_program(e, "tc/policy.o", TEG_HOOK_TC);
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
