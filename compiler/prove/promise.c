#include "compiler/prove/promise.h"

#include <string.h>

#include "compiler/front/policy.h"
#include "compiler/prove/prover.h"

struct promise prove_invariant(struct prover *p, const struct ir *ir, const struct ir_invariant *v)
{
	const struct claim claim = {
		.name = v->said->name, .postures = v->said->postures, .direction = v->said->direction,
		.boxes = v->boxes, .box_count = v->box_count, .allowed = v->said->allowed,
	};
	struct claim_answer a = prove_claim(p, ir, &claim);

	return (struct promise){
		.claim = v->said, .span = v->said->span, .answer = a.answer, .calm = a.calm,
		.posture = ir->postures[a.posture].name, .witness = a.witness, .progress = a.progress,
	};
}

struct promise prove_ordered(struct prover *p, const struct ir *ir, unsigned tighter, unsigned wider)
{
	struct order_answer a = prove_order(p, ir, tighter, wider);

	return (struct promise){
		.tighter = ir->postures[tighter].name, .wider = ir->postures[wider].name,
		.answer = a.answer, .calm = a.calm, .equal_limits = a.equal_limits,
		.posture = ir->postures[tighter].name, .witness = a.witness, .in_wider = a.in_wider,
		.progress = a.progress,
	};
}

struct promise_list prove_promises(struct prover *p, const struct ir *ir)
{
	const struct policy *said = ir->policy;
	VEC(struct promise) all = { 0 };

	for (size_t i = 0; said && i < said->order_count; i++)
		for (size_t n = 1; n < said->orders[i].count; n++) {
			const unsigned *at = said->orders[i].postures;
			struct promise one = prove_ordered(p, ir, at[n - 1], at[n]);

			one.span = said->orders[i].span;
			vec_push(p->arena, &all, one);
		}
	for (size_t i = 0; i < ir->invariant_count; i++)
		vec_push(p->arena, &all, prove_invariant(p, ir, &ir->invariants[i]));
	return (struct promise_list){ all.at, all.len };
}

static size_t posture_at(const struct ir *ir, const char *name)
{
	size_t i = 0;

	while (strcmp(ir->postures[i].name, name))
		i++;
	return i;
}

void promise_orders(struct ir *ir, const struct promise_list *all)
{
	const size_t n = ir->posture_count;

	for (size_t i = 0; i < n; i++)
		ir->postures[i].within = 1ull << i;
	for (size_t i = 0; i < all->len; i++)
		if (!all->at[i].claim && all->at[i].answer == ANSWER_PROVED)
			ir->postures[posture_at(ir, all->at[i].tighter)].within |= 1ull << posture_at(ir, all->at[i].wider);
	for (size_t by = 0; by < n; by++) /* Warshall, 1962 */
		for (size_t i = 0; i < n; i++)
			if (ir->postures[i].within >> by & 1)
				ir->postures[i].within |= ir->postures[by].within;
	for (size_t i = 0; i < n; i++)
		for (size_t w = 0; w < n; w++)
			if (ir->postures[i].established < ir->postures[w].established || (!ir->postures[i].closed && ir->postures[w].closed))
				ir->postures[i].within &= ~(1ull << w);
}

const char *promise_name(const struct promise *p, struct arena *a)
{
	if (!p->claim)
		return arena_printf(a, "%s <= %s", p->tighter, p->wider);
	return p->claim->name ? p->claim->name : "the claim";
}
