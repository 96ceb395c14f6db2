/*
 * response.c - from the trees of playbooks to their code.
 *
 *     if c { x } else { y }    c  GATE else  x  GOTO end  else: y  end:
 *     parallel { x y }         FORK end  BRANCH b  x  b: BRANCH end  y  end:
 */
#include "compiler/ir/response.h"

#include <assert.h>
#include <string.h>

#include "compiler/front/policy.h"

struct lowering {
	struct arena *arena;
	const struct policy *policy;
	const struct pol_playbook *playbook;
	VEC(struct play_constant) constants;
	VEC(struct play_op) ops;
	VEC(struct ir_effect) effects;
};

/* --- constants --------------------------------------------------------------------------------- */

/* In the order of their first use, each once. */
static uint16_t constant(struct lowering *l, struct play_constant k)
{
	for (size_t i = 0; i < l->constants.len; i++)
		if (play_constant_equal(&l->constants.at[i], &k))
			return (uint16_t)i;
	vec_push(l->arena, &l->constants, k);
	assert(l->constants.len <= PLAYBOOK_CONSTANTS_MAX);
	return (uint16_t)(l->constants.len - 1);
}

/* --- instructions -------------------------------------------------------------------------------- */

static size_t op(struct lowering *l, enum opcode code, unsigned operand)
{
	struct play_op o = { code, (uint16_t)operand };

	vec_push(l->arena, &l->ops, o);
	return l->ops.len - 1;
}

/* The instruction leads to what comes next. */
static void leads_here(struct lowering *l, size_t at)
{
	l->ops.at[at].operand = (uint16_t)l->ops.len;
}

static void push_number(struct lowering *l, enum sort sort, uint64_t number)
{
	op(l, OP_PUSH, constant(l, (struct play_constant){ .sort = sort, .number = number }));
}

static void push_text(struct lowering *l, enum sort sort, const char *text)
{
	op(l, OP_PUSH, constant(l, (struct play_constant){ .sort = sort, .text = text }));
}

static void push(struct lowering *l, const struct pol_value *v)
{
	switch (v->kind) {
	case VALUE_CONSTANT:
		op(l, OP_PUSH, constant(l, v->constant));
		return;
	case VALUE_PARAM:
		op(l, OP_LOAD, v->index);
		return;
	case VALUE_SENSE:
		op(l, OP_SENSE, v->index);
		return;
	case VALUE_RECORD:
		for (size_t i = 0; i < v->field_count; i++) {
			push_text(l, SORT_NAME, v->fields[i].name);
			push(l, &v->fields[i].value);
		}
		op(l, OP_RECORD, (unsigned)v->field_count);
		return;
	case VALUE_EVENT: /* only in what a binding gives */
		break;
	}
	abort();
}

/* --- steps ------------------------------------------------------------------------------------------ */

/* What takes the step back, with the step's first arguments; for `run`, another action in as long. */
static void lower_undo(struct lowering *l, const struct pol_act *a)
{
	enum play_step undo = play_step_row(a->step)->undo;

	if (undo == STEP_NONE || (undo == a->step && !a->undo))
		return;
	if (undo == a->step)
		push_text(l, SORT_TEXT, a->undo);
	for (unsigned i = undo == a->step ? 1 : 0; i < play_step_row(undo)->arg_count; i++)
		push(l, &a->args[i]);
	op(l, OP_UNDO, undo);
}

static void note_effect(struct lowering *l, const struct pol_act *a)
{
	struct ir_effect e = { play_step_row(a->step)->effect, a->step, l->playbook->name, a->span, 0, 0 };

	if (e.effect == EFFECT_NOTHING)
		return;
	for (unsigned i = 0; e.effect == EFFECT_POSTURE && i < l->policy->posture_count; i++)
		if (!strcmp(l->policy->postures[i].name, a->args[0].constant.text))
			e.posture = i;
	for (unsigned i = 0; e.effect == EFFECT_THROTTLE && i < l->policy->zone_count; i++)
		if (!strcmp(l->policy->zones[i].name, a->args[0].constant.text))
			e.zone = i;
	vec_push(l->arena, &l->effects, e);
}

static void lower_step(struct lowering *l, const struct pol_act *a)
{
	lower_undo(l, a);
	if (a->retries) {
		push_number(l, SORT_COUNT, a->retries);
		push_number(l, SORT_DURATION, a->first_ns);
		push_number(l, SORT_DURATION, a->last_ns);
		op(l, OP_RETRY, 0);
	}
	for (unsigned i = 0; i < play_step_row(a->step)->arg_count; i++)
		push(l, &a->args[i]);
	op(l, OP_CALL, a->step);
	note_effect(l, a);
}

static void lower_condition(struct lowering *l, const struct pol_condition *c)
{
	switch (c->kind) {
	case CONDITION_COMPARE:
		push(l, &c->left);
		push(l, &c->right);
		op(l, OP_COMPARE, c->relation);
		return;
	case CONDITION_VALUE:
		push(l, &c->left);
		return;
	case CONDITION_NOT:
		lower_condition(l, &c->parts[0]);
		op(l, OP_NOT, 0);
		return;
	case CONDITION_AND:
	case CONDITION_OR:
		lower_condition(l, &c->parts[0]);
		for (size_t i = 1; i < c->part_count; i++) {
			lower_condition(l, &c->parts[i]);
			op(l, c->kind == CONDITION_AND ? OP_AND : OP_OR, 0);
		}
		return;
	}
	abort();
}

static void lower_acts(struct lowering *l, const struct pol_acts *acts);

static void lower_if(struct lowering *l, const struct pol_act *a)
{
	size_t gate, over;

	lower_condition(l, &a->condition);
	gate = op(l, OP_GATE, 0);
	lower_acts(l, &a->acts);
	if (!a->otherwise.len) {
		leads_here(l, gate);
		return;
	}
	over = op(l, OP_GOTO, 0);
	leads_here(l, gate);
	lower_acts(l, &a->otherwise);
	leads_here(l, over);
}

static void lower_act(struct lowering *l, const struct pol_act *a);

static void lower_parallel(struct lowering *l, const struct pol_act *a)
{
	size_t fork = op(l, OP_FORK, 0);

	for (size_t i = 0; i < a->acts.len; i++) {
		size_t branch = op(l, OP_BRANCH, 0);

		lower_act(l, &a->acts.at[i]);
		leads_here(l, branch);
	}
	leads_here(l, fork);
}

static void lower_act(struct lowering *l, const struct pol_act *a)
{
	switch (a->kind) {
	case ACT_STEP:
		lower_step(l, a);
		return;
	case ACT_PHASE:
		op(l, OP_PHASE, constant(l, (struct play_constant){ .sort = SORT_NAME, .text = a->name }));
		lower_acts(l, &a->acts);
		return;
	case ACT_PARALLEL:
		lower_parallel(l, a);
		return;
	case ACT_IF:
		lower_if(l, a);
		return;
	}
	abort();
}

static void lower_acts(struct lowering *l, const struct pol_acts *acts)
{
	for (size_t i = 0; i < acts->len; i++)
		lower_act(l, &acts->at[i]);
}

/* --- what stands around them --------------------------------------------------------------------------- */

static void lower_playbook(struct lowering *l, const struct pol_playbook *p, struct playbook *out)
{
	l->playbook = p;
	l->ops.at = NULL;
	l->ops.len = l->ops.room = 0;
	*out = (struct playbook){ .name = p->name, .param_count = p->param_count, .budget = p->budget, .worst = p->worst };
	for (unsigned i = 0; i < p->param_count; i++)
		out->params[i] = (struct play_param){ p->params[i].name, p->params[i].sort,
						      p->params[i].has_default ? constant(l, p->params[i].value) : PLAY_NO_CONSTANT };
	lower_acts(l, &p->acts);
	op(l, OP_END, 0);
	out->failure = (uint32_t)l->ops.len;
	if (p->failure.len) {
		lower_acts(l, &p->failure);
		op(l, OP_END, 0);
	}
	out->ops = l->ops.at;
	out->op_count = (uint32_t)l->ops.len;
}

static void lower_binding(struct lowering *l, const struct pol_binding *b, struct play_binding *out)
{
	*out = (struct play_binding){ .event = b->event, .of = b->of, .term_count = b->term_count, .playbook = (uint16_t)b->playbook,
				      .given_count = b->given_count };
	memcpy(out->terms, b->terms, sizeof out->terms);
	for (unsigned i = 0; i < b->given_count; i++) {
		bool of_event = b->given[i].kind == VALUE_EVENT;

		out->given[i].of_event = of_event;
		out->given[i].index = of_event ? (uint16_t)b->given[i].index : constant(l, b->given[i].constant);
	}
}

static void lower_all(struct lowering *l, const struct pol_responses *from, struct playbooks *out)
{
	out->plays = arena_zero(l->arena, from->playbook_count * sizeof *out->plays);
	out->play_count = (uint32_t)from->playbook_count;
	for (size_t i = 0; i < from->playbook_count; i++)
		lower_playbook(l, &from->playbooks[i], &out->plays[i]);
	out->bindings = arena_zero(l->arena, from->binding_count * sizeof *out->bindings);
	out->binding_count = (uint32_t)from->binding_count;
	for (size_t i = 0; i < from->binding_count; i++)
		lower_binding(l, &from->bindings[i], &out->bindings[i]);
	out->regulations = arena_zero(l->arena, from->regulation_count * sizeof *out->regulations);
	out->regulation_count = (uint32_t)from->regulation_count;
	for (size_t i = 0; i < from->regulation_count; i++)
		out->regulations[i] = from->regulations[i].meant;
	out->decoys = arena_zero(l->arena, from->decoy_count * sizeof *out->decoys);
	out->decoy_count = (uint32_t)from->decoy_count;
	for (size_t i = 0; i < from->decoy_count; i++)
		out->decoys[i] = from->decoys[i].meant;
}

void ir_lower_responses(struct ir_responses *out, const struct policy *p, struct arena *a)
{
	struct lowering l = { .arena = a, .policy = p };

	*out = (struct ir_responses){ 0 };
	lower_all(&l, &p->responses, &out->code);
	out->code.constants = l.constants.at;
	out->code.constant_count = (uint32_t)l.constants.len;
	out->effects = l.effects.at;
	out->effect_count = l.effects.len;
}
