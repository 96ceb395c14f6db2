/*
 * playbook.c - playbooks: parameters and steps. Budgets are in budget.c, the most that a run can do in worst.c.
 *
 * What a step takes are rows (lang/vocab/step.def): words without a name in their order, and
 * after a word its value, in any order. `retry N backoff A..B` goes with every step, `undo`
 * with what is its own undo (run).
 */
#include <string.h>

#include "compiler/front/response/playing.h"
#include "lang/base/near.h"

/* --- what a step is ---------------------------------------------------------------------------- */

/* "sessions cut" is two words: *rest is what follows them. */
static bool words_begin(const struct node *phrase, const char *words, const struct node **rest)
{
	size_t len = strlen(phrase->text);

	*rest = phrase->first;
	if (strncmp(words, phrase->text, len))
		return false;
	if (!words[len])
		return true;
	if (words[len] != ' ' || !node_is_word(phrase->first, words + len + 1))
		return false;
	*rest = phrase->first->next;
	return true;
}

static bool step_find(const struct node *phrase, enum play_step *out, const struct node **rest)
{
	for (int s = 0; s < STEP_COUNT; s++)
		if (play_step_row((enum play_step)s)->words && words_begin(phrase, play_step_row((enum play_step)s)->words, rest)) {
			*out = (enum play_step)s;
			return true;
		}
	return false;
}

static void step_unknown(struct playing *p, const struct node *n)
{
	struct diag *d = diag(p->r->diags, DIAG_STEP_UNKNOWN, n->span, "there is no step `%s`", n->text);
	own(buf) struct buf all = { 0 };
	struct near near = near_to(n->text);

	p->sound = false;
	for (int s = 0; s < STEP_COUNT; s++) {
		const char *words = play_step_row((enum play_step)s)->words;

		if (!words)
			continue;
		near_try(&near, words);
		buf_printf(&all, "%s%s", all.len ? ", " : "", words);
	}
	if (near.best && strchr(near.best, ' '))
		diag_help(d, "did you mean `%s`?", near.best);
	else if (!tell_near(p->r, d, &near, n->span))
		diag_help(d, "there are %s", buf_text(&all));
}

/* --- its arguments -------------------------------------------------------------------------------- */

struct slots {
	const struct node *at[STEP_ARGS_MAX];
	const struct node *retry, *backoff, *undo;
	bool cut_short; /* a word lacks its value: nothing more is missing */
};

static int slot_of_word(enum play_step s, const struct node *n)
{
	const struct play_step_row *row = play_step_row(s);

	for (unsigned i = 0; i < row->arg_count; i++)
		if (*row->args[i].word && node_is_word(n, row->args[i].word))
			return (int)i;
	return -1;
}

static bool word_takes(enum play_step s, const struct node *n)
{
	return slot_of_word(s, n) >= 0 || node_is_word(n, "retry") || node_is_word(n, "backoff") || node_is_word(n, "undo");
}

static void extra(struct playing *p, enum play_step s, const struct node *n)
{
	diag_help(diag(p->r->diags, DIAG_STEP_EXTRA, n->span, "`%s` does not take this here", play_step_name(s)), "it is written: %s",
		  play_step_row(s)->example);
	p->sound = false;
}

static const struct node **slot_named(enum play_step s, struct slots *slots, const struct node *n)
{
	int i = slot_of_word(s, n);

	if (i >= 0)
		return &slots->at[i];
	return node_is_word(n, "retry") ? &slots->retry : node_is_word(n, "backoff") ? &slots->backoff :
	       node_is_word(n, "undo") ? &slots->undo : NULL;
}

static void slot_fill(struct playing *p, enum play_step s, struct slots *slots, const struct node *word)
{
	const struct node **slot = slot_named(s, slots, word), *value = word->next;

	if (!value || word_takes(s, value)) {
		diag_help(diag(p->r->diags, DIAG_STEP_ARGUMENT, word->span, "nothing stands after `%s`", word->text),
			  "it is written: %s", play_step_row(s)->example);
		p->sound = false;
		slots->cut_short = true;
	} else if (*slot) {
		diag_at(diag(p->r->diags, DIAG_STEP_EXTRA, word->span, "`%s` is said twice", word->text), (*slot)->span, "here first");
		p->sound = false;
	} else {
		*slot = value;
	}
}

/* `qualia.pain < 0.2` is three arguments; its sign stands in the node itself. */
static bool comparison_is_due(const struct play_step_row *row, unsigned next)
{
	return next + 3 <= row->arg_count && row->args[next + 1].sort == SORT_RELATION;
}

/* What stands without a word, in the next places; how many it takes, 0 when it does not fit. */
static unsigned place_bare(struct slots *slots, const struct play_step_row *row, unsigned next, const struct node *n)
{
	if (next == row->arg_count || *row->args[next].word || n->kind == NODE_KEYWORD)
		return 0;
	if ((n->kind == NODE_COMPARE) != comparison_is_due(row, next) ||
	    (n->kind == NODE_RECORD) != (row->args[next].sort == SORT_RECORD))
		return 0;
	if (n->kind != NODE_COMPARE) {
		slots->at[next] = n;
		return 1;
	}
	slots->at[next] = n->first;
	slots->at[next + 1] = n;
	slots->at[next + 2] = n->first->next;
	return 3;
}

static void slots_fill(struct playing *p, enum play_step s, const struct node *first, struct slots *slots)
{
	const struct play_step_row *row = play_step_row(s);
	unsigned next = 0;

	for (const struct node *n = first; n; n = n ? n->next : NULL) {
		unsigned taken;

		if (slot_named(s, slots, n)) {
			slot_fill(p, s, slots, n);
			n = n->next;
			continue;
		}
		taken = place_bare(slots, row, next, n);
		if (!taken) {
			slots->cut_short |= next < row->arg_count && !*row->args[next].word;
			extra(p, s, n);
		}
		next += taken;
	}
}

/* --- what is missing --------------------------------------------------------------------------------- */

static void missing(struct playing *p, enum play_step s, const struct node *n, const struct step_arg *a)
{
	const char *usage = play_step_row(s)->example;

	p->sound = false;
	switch (a->need) {
	case ARG_MAY:
		return;
	case ARG_ENDS:
		diag_help(diag(p->r->diags, DIAG_STEP_ENDLESS, n->span, "`%s` does not say when it ends", play_step_name(s)),
			  "say how long: %s", usage);
		return;
	case ARG_WAITS:
		diag_help(diag(p->r->diags, DIAG_STEP_WAIT, n->span, "`%s` does not say how long it may take", play_step_name(s)),
			  "say it: %s", usage);
		return;
	case ARG_MUST:
		break;
	}
	if (a->sort == SORT_CHOICE)
		diag_help(diag(p->r->diags, DIAG_APPROVE_ELSE, n->span, "what happens when nobody approves in time is not said"),
			  "say it: %s", usage);
	else
		diag_help(diag(p->r->diags, DIAG_STEP_ARGUMENT, n->span, "`%s` lacks %s", play_step_name(s), sort_with_article(a->sort)),
			  "it is written: %s", usage);
}

static void nothing_of(const struct step_arg *a, struct pol_value *out)
{
	*out = (struct pol_value){ .kind = a->sort == SORT_RECORD ? VALUE_RECORD : VALUE_CONSTANT, .sort = a->sort,
				   .constant = { .sort = a->sort } };
}

static void argument_read(struct playing *p, enum play_step s, unsigned i, const struct node *n, const struct node *value,
			  struct pol_act *out)
{
	const struct step_arg *a = &play_step_row(s)->args[i];
	struct pol_value *v = &out->args[i];

	if (!value) {
		nothing_of(a, v);
		if (a->need != ARG_MAY)
			missing(p, s, n, a);
		return;
	}
	if (!play_value(&p->scope, value, a->sort, v)) {
		p->sound = false;
		return;
	}
	if (a->need != ARG_WAITS)
		return;
	if (v->kind != VALUE_CONSTANT) {
		diag_help(diag(p->r->diags, DIAG_STEP_WAIT, value->span, "how long a step may take is no parameter of the playbook"),
			  "write a duration, or a parameter of the policy: the worst case must be known");
		p->sound = false;
	} else if (v->constant.number > PLAYBOOK_RUN_NS_MAX) {
		diag(p->r->diags, DIAG_STEP_WAIT, value->span, "a step may take a day, and no longer");
		p->sound = false;
	}
}

/* --- retry and undo ------------------------------------------------------------------------------------ */

static void retry_read(struct playing *p, const struct slots *slots, struct pol_act *out)
{
	struct reading *r = p->r;
	const struct node *backoff = slots->backoff;
	bool sound;

	if (!slots->retry && !backoff)
		return;
	if (!slots->retry || !backoff) {
		diag_help(diag(r->diags, DIAG_RETRY, (slots->retry ? slots->retry : backoff)->span,
			       "a retry says how often, and how long to wait between"), "write: retry 3 backoff 200ms..5s");
		p->sound = false;
		return;
	}
	sound = value_count(r, slots->retry, &out->retries);
	if (backoff->kind == NODE_RANGE)
		sound &= play_time(r, backoff->first, PLAYBOOK_RUN_NS_MAX, &out->first_ns) &&
			 play_time(r, backoff->last, PLAYBOOK_RUN_NS_MAX, &out->last_ns);
	else if ((sound &= play_time(r, backoff, PLAYBOOK_RUN_NS_MAX, &out->first_ns)))
		out->last_ns = out->first_ns;
	if (sound && (!out->retries || out->retries > PLAYBOOK_RETRIES_MAX)) {
		diag(r->diags, DIAG_RETRY, slots->retry->span, "a step is retried once to %d times", PLAYBOOK_RETRIES_MAX);
		sound = false;
	} else if (sound && out->first_ns > out->last_ns) {
		diag(r->diags, DIAG_RETRY, backoff->span, "waits between retries grow, and these shrink");
		sound = false;
	}
	p->sound &= sound;
}

static void undo_read(struct playing *p, enum play_step s, const struct slots *slots, struct pol_act *out)
{
	struct pol_value v;

	if (!slots->undo)
		return;
	if (play_step_row(s)->undo != s) {
		diag_help(diag(p->r->diags, DIAG_STEP_EXTRA, slots->undo->span, "`%s` takes no undo", play_step_name(s)),
			  play_step_row(s)->undo == STEP_NONE ? "it cannot be taken back" : "it is taken back by itself when the run is aborted");
		p->sound = false;
		return;
	}
	/* Of the policy's values only: what takes a run back is known before it begins. */
	if (play_value(&(struct play_scope){ .r = p->r }, slots->undo, SORT_TEXT, &v))
		out->undo = v.constant.text;
	else
		p->sound = false;
}

/* --- steps --------------------------------------------------------------------------------------------- */

enum act_place { IN_PLAYBOOK, IN_PHASE, IN_BRANCH, IN_FAILURE };

static struct pol_acts acts_read(struct playing *p, const struct node *first, enum act_place place);

/* As many instructions as lowering makes of it, or more. */
static unsigned weight_of_step(const struct pol_act *a)
{
	unsigned weight = 2 * play_step_row(a->step)->arg_count + 6;

	for (unsigned i = 0; i < play_step_row(a->step)->arg_count; i++)
		weight += 2 * (unsigned)a->args[i].field_count;
	return weight;
}

static unsigned weight_of_condition(const struct pol_condition *c)
{
	unsigned weight = 4;

	for (size_t i = 0; i < c->part_count; i++)
		weight += weight_of_condition(&c->parts[i]);
	return weight;
}

static bool step_read(struct playing *p, const struct node *n, struct pol_act *out)
{
	const struct node *rest;
	struct slots slots = { 0 };
	enum play_step s;

	out->kind = ACT_STEP;
	if (!step_find(n, &s, &rest)) {
		step_unknown(p, n);
		return false;
	}
	out->step = s;
	slots_fill(p, s, rest, &slots);
	for (unsigned i = 0; i < play_step_row(s)->arg_count; i++)
		if (slots.at[i] || !slots.cut_short)
			argument_read(p, s, i, n, slots.at[i], out);
	retry_read(p, &slots, out);
	undo_read(p, s, &slots, out);
	p->blocks |= play_step_row(s)->effect == EFFECT_BLOCK;
	p->weight += weight_of_step(out);
	return true;
}

static void part_misplaced(struct playing *p, const struct node *n, const char *what, const char *help)
{
	diag_help(diag(p->r->diags, DIAG_PLAYBOOK_PART, n->span, "%s", what), "%s", help);
	p->sound = false;
}

static void condition_read(struct playing *p, const struct node *n, struct pol_act *out, enum act_place place)
{
	const struct node *then = node_find(n, NODE_THEN), *otherwise = node_find(n, NODE_ELSE);

	out->kind = ACT_IF;
	if (play_condition(&p->scope, n->first, &out->condition))
		p->weight += weight_of_condition(&out->condition) + 2;
	else
		p->sound = false;
	out->acts = acts_read(p, then->first, place);
	if (otherwise)
		out->otherwise = acts_read(p, otherwise->first, place);
}

static bool part_is_empty(struct playing *p, const struct node *n, const struct pol_acts *acts)
{
	if (!acts->len && p->sound)
		part_misplaced(p, n, "nothing happens in here", "leave it out, or give it a step");
	return !acts->len;
}

static void phase_read(struct playing *p, const struct node *n, struct pol_act *out, enum act_place place)
{
	const struct node *name = node_find(n, NODE_NAME);

	if (place != IN_PLAYBOOK)
		part_misplaced(p, n, "a phase stands only in the playbook itself", "phases follow each other: close the one before");
	out->kind = ACT_PHASE;
	out->name = name->text;
	p->weight++;
	p->sound &= play_name_fits(p->r, name->span, name->text);
	out->acts = acts_read(p, name->next, IN_PHASE);
	part_is_empty(p, n, &out->acts);
}

static void parallel_read(struct playing *p, const struct node *n, struct pol_act *out)
{
	out->kind = ACT_PARALLEL;
	if (++p->depth > PLAYBOOK_FORKS_MAX)
		part_misplaced(p, n, "`parallel` stands in others too deep", "four in each other are the most");
	out->acts = acts_read(p, n->first, IN_BRANCH);
	p->depth--;
	p->weight += 1 + (unsigned)out->acts.len;
	part_is_empty(p, n, &out->acts);
	if (out->acts.len > PLAYBOOK_BRANCHES_MAX)
		part_misplaced(p, n, "too much happens side by side", "sixteen steps in one `parallel` are the most");
}

static void failure_note(struct playing *p, const struct node *n, enum act_place place)
{
	const struct node *name = node_find(n, NODE_NAME);

	if (strcmp(name->text, "failure"))
		part_misplaced(p, name, "a playbook answers its own failure, nothing else", "write: on failure { ... }");
	else if (place != IN_PLAYBOOK)
		part_misplaced(p, n, "`on failure` stands only in the playbook itself", "it answers for all phases");
	else if (p->failure)
		diag_at(diag(p->r->diags, DIAG_PLAYBOOK_PART, n->span, "a playbook answers its failure once"), p->failure->span,
			"here first");
	else
		p->failure = n;
	p->sound &= p->failure == n;
}

/* One act, or what stands beside them: then false. */
static bool act_read(struct playing *p, const struct node *n, enum act_place place, struct pol_act *out)
{
	switch ((unsigned)n->kind) {
	case NODE_PHRASE:
		return step_read(p, n, out);
	case NODE_PHASE:
		phase_read(p, n, out, place);
		return true;
	case NODE_PARALLEL:
		parallel_read(p, n, out);
		return true;
	case NODE_IF:
		condition_read(p, n, out, place == IN_PLAYBOOK ? IN_PHASE : place);
		return true;
	case NODE_BUDGET:
		if (place != IN_PLAYBOOK)
			part_misplaced(p, n, "the budget stands only in the playbook itself", "it bounds all phases");
		play_budget_read(p, n);
		return false;
	case NODE_FAILURE:
		failure_note(p, n, place);
		return false;
	}
	p->sound &= n->kind != NODE_HOLE;
	return false;
}

static struct pol_acts acts_read(struct playing *p, const struct node *first, enum act_place place)
{
	VEC(struct pol_act) acts = { 0 };

	for (const struct node *n = first; n; n = n->next) {
		struct pol_act act = { .span = n->span, .step = STEP_NONE };

		if (act_read(p, n, place, &act))
			vec_push(p->r->arena, &acts, act);
	}
	return (struct pol_acts){ acts.at, acts.len };
}

/* --- the playbook ------------------------------------------------------------------------------------------- */

static void param_read(struct playing *p, const struct node *n)
{
	const struct node *name = node_find(n, NODE_NAME), *type = node_find(n, NODE_TYPE), *value = type->next;
	struct pol_playbook *b = p->out;
	struct pol_play_param param = { .name = name->text, .span = name->span };
	struct play_scope outside = { .r = p->r };
	struct pol_value v;

	p->sound &= play_name_fits(p->r, name->span, name->text);
	for (unsigned i = 0; i < b->param_count; i++)
		if (!strcmp(b->params[i].name, name->text)) {
			diag(p->r->diags, DIAG_NAME_TWICE, name->span, "`%s` is declared twice", name->text);
			p->sound = false;
			return;
		}
	if (!play_param_sort(type->text, &param.sort)) {
		diag_help(diag(p->r->diags, DIAG_PARAM_TYPE, type->span, "parameters of playbooks have no type `%s`", type->text),
			  "there are address, severity, duration, count, bytes, bandwidth, percentage, text, boolean");
		p->sound = false;
		return;
	}
	if (b->param_count == PLAYBOOK_PARAMS_MAX) {
		diag(p->r->diags, DIAG_PLAYBOOK_LARGE, name->span, "a playbook has at most %d parameters", PLAYBOOK_PARAMS_MAX);
		p->sound = false;
		return;
	}
	if (value) {
		param.has_default = play_value(&outside, value, param.sort, &v);
		p->sound &= param.has_default;
		param.value = v.constant;
	}
	use_note(p->r, USE_PARAMETER, name->text, name->span, name->span);
	b->params[b->param_count++] = param;
}

static void playbook_read(struct reading *r, const struct node *decl, struct pol_playbook *out, unsigned *weight)
{
	const struct node *name = node_find(decl, NODE_NAME);
	struct playing p = { .r = r, .out = out, .sound = true, .weight = *weight };

	*out = (struct pol_playbook){ .name = name->text, .span = name->span, .budget = { .one_param = PLAY_NO_PARAM } };
	p.sound &= play_name_fits(r, name->span, name->text);
	p.scope = (struct play_scope){ .r = r, .playbook = out };
	for (const struct node *n = decl->first; n; n = n->next)
		if (n->kind == NODE_PARAM)
			param_read(&p, n);
	out->acts = acts_read(&p, name->next, IN_PLAYBOOK);
	if (p.failure)
		out->failure = acts_read(&p, node_find(p.failure, NODE_NAME)->next, IN_FAILURE);
	if (!out->acts.len && p.sound)
		part_misplaced(&p, name, "this playbook does nothing", "give it a step: block src for 1h");
	out->worst = play_worst_of(&out->acts, false);
	struct play_worst answer = play_worst_of(&out->failure, false);
	out->worst.recovery_steps += answer.steps;
	out->worst.recovery_ns += answer.ns;
	*weight = p.weight + 2;
	if (*weight > WEIGHT_MAX) {
		p.sound = false;
		diag(r->diags, DIAG_PLAYBOOK_LARGE, name->span, "the playbooks together have more steps than there is room for");
	}
	play_budget_check(&p);
}

void declare_playbooks(struct reading *r)
{
	VEC(struct pol_playbook) all = { 0 };
	unsigned weight = 0;

	strmap_init(&r->playbooks, r->arena);
	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i], *first;
		struct pol_playbook out;

		if (decl->kind != NODE_PLAYBOOK)
			continue;
		const struct node *name = node_find(decl, NODE_NAME);
		if ((first = strmap_find(&r->playbooks, name->text))) {
			diag_at(diag(r->diags, DIAG_NAME_TWICE, name->span, "`%s` is declared twice", name->text), first->span,
				"declared here first");
			continue;
		}
		strmap_put(&r->playbooks, name->text, (void *)name);
		use_note(r, USE_PLAYBOOK, name->text, name->span, name->span);
		if (all.len == PLAYBOOKS_MAX) {
			diag(r->diags, DIAG_PLAYBOOK_LARGE, name->span, "a policy has at most %d playbooks", PLAYBOOKS_MAX);
			return;
		}
		playbook_read(r, decl, &out, &weight);
		vec_push(r->arena, &all, out);
	}
	r->policy->responses.playbooks = all.at;
	r->policy->responses.playbook_count = all.len;
}
