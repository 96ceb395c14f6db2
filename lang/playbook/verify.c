/*
 * verify.c - whether code may be trusted, and the most that it can do.
 *
 * Places are only later, so one walk from front to back sees every path: where a jump
 * arrives, the worse of the ways there goes on. At such a place the stack is empty, so there
 * is nothing to merge but costs. A branch of a fork is walked as a region of its own; nothing
 * jumps into it or out of it.
 */
#include <errno.h>
#include <string.h>

#include "lang/playbook/verify.h"

enum item_source { ITEM_CONSTANT, ITEM_PARAM, ITEM_MADE };

struct item {
	enum sort sort;
	enum item_source from;
	uint16_t index;
};

/* What has been said about the next call. */
struct pending {
	bool undo, retry;
	enum play_step step; /* of undo */
	struct item args[STEP_ARGS_MAX];
	uint64_t undo_ns;
	uint64_t times, waits_ns;
};

struct arrival {
	bool any;
	struct play_worst worst;
};

struct checking {
	const struct playbooks *all;
	const struct playbook *p;
	struct err *why;
	struct item stack[PLAYBOOK_STACK_MAX];
	unsigned depth;
	struct pending next;
	struct arrival arrivals[PLAYBOOK_OPS_MAX + 1];
	bool blocks;
	uint32_t at;
};

static int refuse(struct checking *c, const char *what)
{
	return err_set(c->why, EINVAL, "playbook %s: instruction %u: %s", c->p->name, c->at, what);
}

/* --- costs ------------------------------------------------------------------------------------ */

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct play_worst worse(struct play_worst a, struct play_worst b)
{
	return (struct play_worst){
		.steps = (uint32_t)larger(a.steps, b.steps),
		.recovery_steps = (uint32_t)larger(a.recovery_steps, b.recovery_steps),
		.ns = larger(a.ns, b.ns),
		.recovery_ns = larger(a.recovery_ns, b.recovery_ns),
	};
}

/* --- the stack ---------------------------------------------------------------------------------- */

static int push(struct checking *c, struct item i)
{
	if (c->depth == PLAYBOOK_STACK_MAX)
		return refuse(c, "the stack is full");
	c->stack[c->depth++] = i;
	return 0;
}

static int pop(struct checking *c, struct item *out)
{
	*out = (struct item){ 0 };
	if (!c->depth)
		return refuse(c, "the stack is empty");
	*out = c->stack[--c->depth];
	return 0;
}

static int pop_sort(struct checking *c, enum sort sort, struct item *out)
{
	int rc = pop(c, out);

	return rc || out->sort == sort ? rc : refuse(c, "a value of another sort is due");
}

static const struct play_constant *constant_of(const struct checking *c, const struct item *i)
{
	return i->from == ITEM_CONSTANT ? &c->all->constants[i->index] : NULL;
}

/* Nothing is under way: no value, no undo and no retry that waits for its call. */
static int rests(struct checking *c)
{
	if (c->depth)
		return refuse(c, "values are left on the stack");
	if (c->next.undo || c->next.retry)
		return refuse(c, "an undo or a retry belongs to no call");
	return 0;
}

/* --- steps --------------------------------------------------------------------------------------- */

static int args_pop(struct checking *c, enum play_step s, struct item args[STEP_ARGS_MAX])
{
	const struct play_step_row *row = play_step_row(s);
	int rc;

	for (unsigned i = row->arg_count; i-- > 0;)
		if ((rc = pop_sort(c, row->args[i].sort, &args[i])))
			return rc;
	return 0;
}

/* How long one attempt takes at most. */
static int attempt_ns(struct checking *c, enum play_step s, const struct item *args, uint64_t *ns)
{
	int waits = step_arg_of(s, ARG_WAITS);
	const struct play_constant *k = waits < 0 ? NULL : constant_of(c, &args[waits]);

	if (waits >= 0 && (!k || k->number > PLAYBOOK_RUN_NS_MAX))
		return refuse(c, "how long the step may wait is not a constant of at most a day");
	*ns = STEP_TAKES_NS + (k ? k->number : 0);
	return 0;
}

static int undo(struct checking *c, enum play_step s)
{
	int rc;

	if (c->next.undo || c->next.retry)
		return refuse(c, "an undo stands before its call's retry, once");
	if ((rc = args_pop(c, s, c->next.args)) || (rc = attempt_ns(c, s, c->next.args, &c->next.undo_ns)))
		return rc;
	if (c->depth)
		return refuse(c, "values are left on the stack");
	c->next.undo = true;
	c->next.step = s;
	return 0;
}

static int retry(struct checking *c)
{
	struct item times, first, last;
	int rc;

	if (c->next.retry)
		return refuse(c, "a call is retried in one way");
	if ((rc = pop_sort(c, SORT_DURATION, &last)) || (rc = pop_sort(c, SORT_DURATION, &first)) ||
	    (rc = pop_sort(c, SORT_COUNT, &times)))
		return rc;
	const struct play_constant *n = constant_of(c, &times), *a = constant_of(c, &first), *z = constant_of(c, &last);

	if (!n || !a || !z || !n->number || n->number > PLAYBOOK_RETRIES_MAX || a->number > z->number ||
	    z->number > PLAYBOOK_RUN_NS_MAX)
		return refuse(c, "how often and when a call is retried is out of range");
	if (c->depth)
		return refuse(c, "values are left on the stack");
	c->next.retry = true;
	c->next.times = n->number;
	c->next.waits_ns = 0;
	for (uint64_t i = 0, wait = a->number; i < n->number; i++, wait = wait * 2 < z->number ? wait * 2 : z->number)
		c->next.waits_ns += wait;
	return 0;
}

static bool same_item(const struct item *a, const struct item *b)
{
	return a->from != ITEM_MADE && a->from == b->from && a->index == b->index;
}

/* What is undone is what is done: the undo was recorded, for the same subject. */
static int undo_fits(struct checking *c, enum play_step s, const struct item *args)
{
	enum play_step due = play_step_row(s)->undo;

	if (!c->next.undo)
		return due == STEP_NONE || due == s ? 0 : refuse(c, "the step's undo was not recorded");
	if (c->next.step != due)
		return refuse(c, "the undo that was recorded is not the step's");
	for (unsigned i = 0; due != s && i < play_step_row(due)->arg_count; i++)
		if (!same_item(&c->next.args[i], &args[i]))
			return refuse(c, "the undo speaks of something else than the step");
	return 0;
}

static int call(struct checking *c, enum play_step s, struct play_worst *now)
{
	struct item args[STEP_ARGS_MAX];
	uint64_t ns;
	int rc;

	if (!play_step_row(s)->words)
		return refuse(c, "this step is only an undo");
	if ((rc = args_pop(c, s, args)) || (rc = attempt_ns(c, s, args, &ns)) || (rc = undo_fits(c, s, args)))
		return rc;
	if (c->depth)
		return refuse(c, "values are left on the stack");
	c->blocks |= play_step_row(s)->effect == EFFECT_BLOCK;
	now->steps++;
	now->ns = sum(now->ns, ns);
	if (c->next.retry)
		now->ns = sum(now->ns, c->next.times * ns + c->next.waits_ns);
	if (c->next.undo) {
		now->recovery_steps++;
		now->recovery_ns = sum(now->recovery_ns, c->next.undo_ns);
	}
	c->next = (struct pending){ 0 };
	return 0;
}

/* --- values ----------------------------------------------------------------------------------------- */

static bool sort_has_order(enum sort s)
{
	switch (s) {
	case SORT_SEVERITY: case SORT_DURATION: case SORT_COUNT: case SORT_BYTES: case SORT_BANDWIDTH: case SORT_SHARE:
		return true;
	case SORT_ADDRESS: case SORT_TEXT: case SORT_NAME: case SORT_ZONE: case SORT_POSTURE: case SORT_SENSE:
	case SORT_RELATION: case SORT_CHOICE: case SORT_BOOLEAN: case SORT_RECORD: case SORT_COUNT_:
		break;
	}
	return false;
}

static int compare(struct checking *c, enum play_relation r)
{
	struct item a, b;
	int rc;

	if ((rc = pop(c, &b)) || (rc = pop_sort(c, b.sort, &a)))
		return rc;
	if (a.sort == SORT_RECORD || (!sort_has_order(a.sort) && r != RELATION_EQ && r != RELATION_NE))
		return refuse(c, "values of this sort have no such relation");
	return push(c, (struct item){ SORT_BOOLEAN, ITEM_MADE, 0 });
}

static int logic(struct checking *c, unsigned values)
{
	struct item i;
	int rc = 0;

	while (!rc && values--)
		rc = pop_sort(c, SORT_BOOLEAN, &i);
	return rc ? rc : push(c, (struct item){ SORT_BOOLEAN, ITEM_MADE, 0 });
}

static int record(struct checking *c, unsigned fields)
{
	struct item name, value;
	int rc;

	if (fields > PLAYBOOK_FIELDS_MAX)
		return refuse(c, "a record has too many fields");
	while (fields--) {
		if ((rc = pop(c, &value)) || (rc = pop_sort(c, SORT_NAME, &name)))
			return rc;
		if (value.sort == SORT_RECORD)
			return refuse(c, "a record holds no record");
	}
	return push(c, (struct item){ SORT_RECORD, ITEM_MADE, 0 });
}

/* --- the walk ------------------------------------------------------------------------------------------ */

static int jump(struct checking *c, uint32_t place, uint32_t to, struct play_worst now)
{
	struct arrival *a = &c->arrivals[place <= to ? place : to];

	if (place <= c->at || place > to)
		return refuse(c, "the place is not a later one of this part");
	a->worst = a->any ? worse(a->worst, now) : now;
	a->any = true;
	return rests(c);
}

static int region(struct checking *c, uint32_t from, uint32_t to, unsigned forks, struct play_worst *worst);

/* Branches take as long as the longest; they are undone one after the other. */
static int fork_branches(struct checking *c, uint32_t end, unsigned forks, struct play_worst *now)
{
	uint32_t fork = c->at, next = c->at + 1;
	uint64_t longest = 0;
	unsigned branches = 0;
	int rc;

	for (uint32_t i = next; i < end; i++)
		if (c->arrivals[i].any)
			return refuse(c, "something jumps into a branch");
	while (next < end) {
		const struct play_op *b = &c->p->ops[next];
		struct play_worst one = { 0 };
		struct arrival kept;

		c->at = next;
		if (b->code != OP_BRANCH || b->operand <= next || b->operand > end || ++branches > PLAYBOOK_BRANCHES_MAX)
			return refuse(c, "a branch is due here");
		kept = c->arrivals[b->operand];
		c->arrivals[b->operand] = (struct arrival){ 0 };
		if ((rc = region(c, next + 1, b->operand, forks + 1, &one)))
			return rc;
		c->arrivals[b->operand] = kept;
		now->steps += one.steps;
		now->recovery_steps += one.recovery_steps;
		now->recovery_ns = sum(now->recovery_ns, one.recovery_ns);
		longest = larger(longest, one.ns);
		next = b->operand;
	}
	now->ns = sum(now->ns, longest);
	c->at = fork;
	return branches ? 0 : refuse(c, "a fork has branches");
}

/* One instruction; *goes_on is false when what follows is not reached from it. *next is where to go on. */
static int instruction(struct checking *c, uint32_t to, unsigned forks, struct play_worst *now, bool *goes_on, uint32_t *next)
{
	const struct play_op *o = &c->p->ops[c->at];
	struct item i;
	int rc;

	switch (o->code) {
	case OP_PUSH:
		return push(c, (struct item){ c->all->constants[o->operand].sort, ITEM_CONSTANT, o->operand });
	case OP_LOAD:
		return push(c, (struct item){ c->p->params[o->operand].sort, ITEM_PARAM, o->operand });
	case OP_SENSE:
		return push(c, (struct item){ SORT_SHARE, ITEM_MADE, 0 });
	case OP_COMPARE:
		return compare(c, (enum play_relation)o->operand);
	case OP_NOT:
		return logic(c, 1);
	case OP_AND:
	case OP_OR:
		return logic(c, 2);
	case OP_RECORD:
		return record(c, o->operand);
	case OP_GATE:
		return (rc = pop_sort(c, SORT_BOOLEAN, &i)) ? rc : jump(c, o->operand, to, *now);
	case OP_GOTO:
		*goes_on = false;
		return jump(c, o->operand, to, *now);
	case OP_RETRY:
		return retry(c);
	case OP_UNDO:
		return undo(c, (enum play_step)o->operand);
	case OP_CALL:
		return call(c, (enum play_step)o->operand, now);
	case OP_PHASE:
		if (forks || c->all->constants[o->operand].sort != SORT_NAME)
			return refuse(c, "a phase has a name, and is no part of a branch");
		return rests(c);
	case OP_FORK:
		*next = o->operand;
		if (forks == PLAYBOOK_FORKS_MAX || o->operand <= c->at || o->operand > to)
			return refuse(c, "the fork is too deep, or ends elsewhere");
		return (rc = rests(c)) ? rc : fork_branches(c, o->operand, forks, now);
	case OP_BRANCH:
		return refuse(c, "a branch stands in no fork");
	case OP_END:
		return refuse(c, "the end is not at the end");
	case OP_COUNT:
		break;
	}
	return refuse(c, "there is no such instruction");
}

/* From one place to another; costs count from its beginning. */
static int region(struct checking *c, uint32_t from, uint32_t to, unsigned forks, struct play_worst *worst)
{
	struct play_worst now = { 0 };
	bool reached = true;
	int rc;

	for (uint32_t i = from; i <= to;) {
		const struct arrival *a = &c->arrivals[i];
		uint32_t next = i + 1;

		c->at = i;
		if (a->any && reached && (rc = rests(c)))
			return rc;
		if (a->any)
			now = reached ? worse(now, a->worst) : a->worst;
		reached |= a->any;
		if (!reached)
			return refuse(c, "nothing leads here");
		if (i == to)
			break;
		if ((rc = instruction(c, to, forks, &now, &reached, &next)))
			return rc;
		i = next;
	}
	*worst = now;
	return rests(c);
}

/* The run itself, or the answer to its failure: ends with END, and only there. */
static int part(struct checking *c, uint32_t from, uint32_t to, struct play_worst *worst)
{
	c->at = from;
	if (to == from || c->p->ops[to - 1].code != OP_END)
		return refuse(c, "there is no end");
	return region(c, from, to - 1, 0, worst);
}

/* --- what stands around the code ------------------------------------------------------------------------- */

static int operands_hold(struct checking *c)
{
	for (c->at = 0; c->at < c->p->op_count; c->at++) {
		const struct play_op *o = &c->p->ops[c->at];
		uint32_t limit = 0;

		if (o->code >= OP_COUNT)
			return refuse(c, "there is no such instruction");
		switch (op_operand(o->code)) {
		case OPERAND_NOTHING:
			limit = 1;
			break;
		case OPERAND_CONSTANT:
			limit = c->all->constant_count;
			break;
		case OPERAND_PARAM:
			limit = c->p->param_count;
			break;
		case OPERAND_SENSE:
			limit = SENSE_COUNT;
			break;
		case OPERAND_RELATION:
			limit = RELATION_COUNT;
			break;
		case OPERAND_FIELDS:
			limit = PLAYBOOK_FIELDS_MAX + 1;
			break;
		case OPERAND_PLACE:
			limit = c->p->op_count;
			break;
		case OPERAND_STEP:
			limit = STEP_COUNT;
			break;
		}
		if (o->operand >= limit)
			return refuse(c, "the operand is out of range");
	}
	return 0;
}

static bool sort_fits_param(enum sort s)
{
	switch (s) {
	case SORT_ADDRESS: case SORT_SEVERITY: case SORT_DURATION: case SORT_COUNT: case SORT_BYTES: case SORT_BANDWIDTH:
	case SORT_SHARE: case SORT_TEXT: case SORT_BOOLEAN:
		return true;
	case SORT_NAME: case SORT_ZONE: case SORT_POSTURE: case SORT_SENSE: case SORT_RELATION: case SORT_CHOICE:
	case SORT_RECORD: case SORT_COUNT_:
		break;
	}
	return false;
}

bool play_name_is_sound(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return len && len <= PLAYBOOK_NAME_MAX;
}

static int params_hold(const struct playbooks *all, const struct playbook *p, struct err *why)
{
	for (uint32_t i = 0; i < p->param_count; i++) {
		const struct play_param *q = &p->params[i];

		if (!play_name_is_sound(q->name) || !sort_fits_param(q->sort))
			return err_set(why, EINVAL, "playbook %s: parameter %u cannot be one", p->name, i);
		if (q->otherwise != PLAY_NO_CONSTANT &&
		    (q->otherwise >= all->constant_count || all->constants[q->otherwise].sort != q->sort))
			return err_set(why, EINVAL, "playbook %s: parameter %s has a value of another sort", p->name, q->name);
	}
	return 0;
}

bool play_time_is_sound(uint64_t ns)
{
	return ns && ns <= PLAYBOOK_TIME_NS_MAX;
}

static int budget_holds(const struct playbook *p, bool blocks, struct err *why)
{
	const struct play_budget *b = &p->budget;
	bool one = b->one_param != PLAY_NO_PARAM;

	if (!b->runtime_ns || b->runtime_ns > PLAYBOOK_RUN_NS_MAX)
		return err_set(why, EINVAL, "playbook %s: its runtime has no bound of at most a day", p->name);
	if (b->blocks ? !play_time_is_sound(b->blocks_ns) : b->blocks_ns != 0)
		return err_set(why, EINVAL, "playbook %s: blocks are counted in no time", p->name);
	if (blocks != (b->blocks != 0))
		return err_set(why, EINVAL, "playbook %s: %s", p->name,
			       blocks ? "its blocks have no bound" : "it blocks nothing, and has a bound for it");
	if (one ? b->one_param >= p->param_count || !play_time_is_sound(b->one_ns) : b->one_ns != 0)
		return err_set(why, EINVAL, "playbook %s: what runs one at a time is not told", p->name);
	return 0;
}

int playbook_verify(struct play_worst *out, const struct playbooks *all, const struct playbook *p, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct checking *c = arena_zero(a, sizeof *c);
	struct play_worst run, answer = { 0 };
	int rc;

	c->all = all;
	c->p = p;
	c->why = why;
	if (!play_name_is_sound(p->name) || p->param_count > PLAYBOOK_PARAMS_MAX || !p->op_count || p->op_count > PLAYBOOK_OPS_MAX ||
	    !p->failure || p->failure > p->op_count)
		return err_set(why, EINVAL, "a playbook has no name, or parts out of range");
	if ((rc = params_hold(all, p, why)) || (rc = operands_hold(c)) || (rc = part(c, 0, p->failure, &run)))
		return rc;
	if (p->failure < p->op_count && (rc = part(c, p->failure, p->op_count, &answer)))
		return rc;
	if ((rc = budget_holds(p, c->blocks, why)))
		return rc;
	run.recovery_steps += answer.steps;
	run.recovery_ns = sum(run.recovery_ns, answer.ns);
	if (run.ns > PLAYBOOK_RUN_NS_MAX || run.recovery_ns > PLAYBOOK_RUN_NS_MAX)
		return err_set(why, EINVAL, "playbook %s: it can take longer than a day", p->name);
	*out = run;
	return 0;
}
