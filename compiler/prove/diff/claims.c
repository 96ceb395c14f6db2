/*
 * claims.c - what becomes of a policy's own claims when it changes. Old and new are each held to
 * the claims they make themselves; claims are one when they have one name.
 */
#include <string.h>

#include "compiler/front/policy.h"
#include "compiler/prove/diff/diff.h"
#include "compiler/prove/promise.h"
#include "compiler/prove/prover.h"

struct comparing {
	struct arena *arena;
	struct claims_diff *out;
	struct promise_list old, new;
};

/* The worst of all lines of one name: an invariant may have several. */
static const struct promise *worst_named(const struct comparing *k, const struct promise_list *l, const char *name)
{
	const struct promise *worst = NULL;

	for (size_t i = 0; i < l->len; i++) {
		const struct promise *p = &l->at[i];

		if (strcmp(promise_name(p, k->arena), name) != 0)
			continue;
		if (!worst || worst->answer == ANSWER_PROVED ||
		    (promise_is_broken(p) && !promise_is_broken(worst)))
			worst = p;
	}
	return worst;
}

static const char *told(const struct comparing *k, const struct promise *p)
{
	own(buf) struct buf packet = { 0 };

	if (!p)
		return "absent";
	if (p->answer == ANSWER_PROVED || p->answer == ANSWER_UNDECIDED)
		return answer_name(p->answer);
	witness_print(&packet, &p->witness);
	return arena_printf(k->arena, "%s by %s in %s", promise_is_broken(p) ? "broken" : "may be broken",
			    buf_text(&packet), p->posture);
}

static void fact(struct comparing *k, enum fact_kind kind, enum risk risk, const char *what,
		 const struct promise *before, const struct promise *after)
{
	const char *word = (before ? before : after)->claim ? "invariant" : "order";
	struct fact f = { kind, risk, arena_printf(k->arena, "%s %s", word, what), told(k, before),
			  told(k, after), 0, NULL };

	vec_push(k->arena, &k->out->facts, f);
}

static void compare_named(struct comparing *k, const char *name)
{
	const struct promise *before = worst_named(k, &k->old, name), *after = worst_named(k, &k->new, name);
	bool was_broken = before && promise_is_broken(before);

	if (after && promise_is_broken(after) && !was_broken)
		fact(k, after->claim ? FACT_INVARIANT_BROKEN : FACT_ORDER_BROKEN, RISK_CRITICAL, name, before, after);
	else if (!after)
		fact(k, FACT_CLAIM, RISK_MEDIUM, name, before, NULL);
	else if (!before || before->answer != after->answer)
		fact(k, FACT_CLAIM, before && before->answer == ANSWER_PROVED ? RISK_MEDIUM : RISK_LOW, name, before,
		     after);
}

static bool seen(const struct comparing *k, const struct promise_list *l, size_t until, const char *name)
{
	for (size_t i = 0; i < until; i++)
		if (!strcmp(promise_name(&l->at[i], k->arena), name))
			return true;
	return false;
}

static bool pair_holds(const struct comparing *k, const char *tighter, const char *wider)
{
	const struct promise *p = worst_named(k, &k->new, arena_printf(k->arena, "%s <= %s", tighter, wider));

	return p && p->answer == ANSWER_PROVED;
}

/* "A <= B <= C", or NULL. */
static const char *order_that_holds(const struct comparing *k, const struct policy *p, const struct pol_order *o)
{
	const char *text = o->count ? p->postures[o->postures[0]].name : NULL;

	for (size_t i = 1; i < o->count; i++) {
		const char *wider = p->postures[o->postures[i]].name;

		if (!pair_holds(k, p->postures[o->postures[i - 1]].name, wider))
			return NULL;
		text = arena_printf(k->arena, "%s <= %s", text, wider);
	}
	return o->count > 1 ? text : NULL;
}

static void count_held(struct comparing *k, const struct policy *p)
{
	for (size_t i = 0; p && i < p->order_count; i++) {
		const char *text = order_that_holds(k, p, &p->orders[i]);

		if (text)
			vec_push(k->arena, &k->out->orders, text);
	}
	for (size_t i = 0; i < k->new.len; i++) {
		const struct promise *one = &k->new.at[i];

		if (one->claim && !seen(k, &k->new, i, one->claim->name))
			k->out->invariants += worst_named(k, &k->new, one->claim->name)->answer == ANSWER_PROVED;
	}
}

void claims_compare(struct claims_diff *out, struct prover *p, const struct ir *old, const struct ir *new)
{
	struct comparing k = { p->arena, out, prove_promises(p, old), prove_promises(p, new) };

	*out = (struct claims_diff){ 0 };
	for (size_t i = 0; i < k.new.len; i++)
		if (!seen(&k, &k.new, i, promise_name(&k.new.at[i], k.arena)))
			compare_named(&k, promise_name(&k.new.at[i], k.arena));
	for (size_t i = 0; i < k.old.len; i++) {
		const char *name = promise_name(&k.old.at[i], k.arena);

		if (!seen(&k, &k.old, i, name) && !worst_named(&k, &k.new, name))
			compare_named(&k, name);
	}
	count_held(&k, new->policy);
}
