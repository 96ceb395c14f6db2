/*
 * breach.c - what playbooks can do to claims. A block takes every packet of its source that
 * no lifeline admits, so whether it can break a claim is one question, whichever the step; a
 * throttle asks the same of the packets in its zone.
 */
#include "compiler/prove/prover.h"

/* The claim's boxes in one zone; those that have no part in it are left out. */
static struct claim claim_in_zone(struct arena *a, const struct claim *claim, unsigned zone)
{
	struct claim in = *claim;
	struct ir_box *boxes = arena_zero(a, claim->box_count * sizeof *boxes);

	in.boxes = boxes;
	in.box_count = 0;
	for (size_t i = 0; i < claim->box_count; i++) {
		boxes[in.box_count] = claim->boxes[i];
		boxes[in.box_count].zones &= 1ull << zone;
		in.box_count += boxes[in.box_count].zones != 0;
	}
	return in;
}

/* Steps of an effect are asked about once. */
struct breaking {
	struct prover *prover;
	const struct ir *ir;
	const struct claim *claim;
	bool blocks_known;
	struct claim_answer blocks;
};

static struct claim_answer answer_for(struct breaking *b, const struct ir_effect *e)
{
	struct claim in;

	switch (e->effect) {
	case EFFECT_BLOCK:
		if (!b->blocks_known)
			b->blocks = prove_blocks(b->prover, b->ir, b->claim);
		b->blocks_known = true;
		return b->blocks;
	case EFFECT_THROTTLE:
		in = claim_in_zone(b->prover->arena, b->claim, e->zone);
		return prove_blocks(b->prover, b->ir, &in);
	case EFFECT_NOTHING: case EFFECT_SESSIONS: case EFFECT_POSTURE:
		break;
	}
	return (struct claim_answer){ .answer = ANSWER_PROVED };
}

struct breaches prove_breaches(struct prover *p, const struct ir *ir, const struct claim *claim)
{
	struct breaking b = { .prover = p, .ir = ir, .claim = claim };
	VEC(struct breach) found = { 0 };
	struct progress progress = { 0 };

	for (size_t i = 0; claim->allowed && claim->direction != DIRECTION_OUT && i < ir->responses.effect_count; i++) {
		const struct ir_effect *e = &ir->responses.effects[i];
		struct claim_answer a = answer_for(&b, e);

		if (a.answer == ANSWER_UNDECIDED)
			progress = a.progress;
		if (a.answer != ANSWER_CONDITIONAL && a.answer != ANSWER_REFUTED)
			continue;
		vec_push(p->arena, &found, ((struct breach){ e, a.witness }));
	}
	return (struct breaches){ found.at, found.len, progress };
}
