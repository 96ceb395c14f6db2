/*
 * budget.c - what bounds the runs of a playbook: blocks in a time, its duration, one run at a time for a parameter.
 */
#include <string.h>

#include "compiler/front/response/playing.h"
#include "lang/base/duration.h"

static void budget_wrong(struct playing *p, const struct node *n)
{
	diag_help(diag(p->r->diags, DIAG_BUDGET, n->span, "this is no part of a budget"),
		  "write: budget blocks 500 per 1h, runtime 10m, one per src per 5m");
	p->sound = false;
}

static bool once(struct playing *p, enum budget_part part, const struct node *n)
{
	if (p->budget[part]) {
		diag_at(diag(p->r->diags, DIAG_BUDGET, n->span, "this bound is set twice"), p->budget[part]->span, "here first");
		p->sound = false;
		return false;
	}
	p->budget[part] = n;
	return true;
}

/* `blocks 500 per 1h` */
static void budget_blocks(struct playing *p, const struct node *n)
{
	const struct node *count = n->first, *per = count ? count->next : NULL, *time = per ? per->next : NULL;
	struct play_budget *b = &p->out->budget;

	if (!node_is_word(per, "per") || !time || time->next) {
		budget_wrong(p, n);
		return;
	}
	p->sound &= value_count(p->r, count, &b->blocks) && play_time(p->r, time, PLAYBOOK_TIME_NS_MAX, &b->blocks_ns);
	if (p->sound && !b->blocks) {
		diag(p->r->diags, DIAG_AMOUNT_ZERO, count->span, "a budget of no blocks");
		p->sound = false;
	}
}

/* `one per src per 5m` */
static void budget_one(struct playing *p, const struct node *n)
{
	const struct node *per = n->first, *param = per ? per->next : NULL, *again = param ? param->next : NULL;
	const struct node *time = again ? again->next : NULL;

	if (!node_is_word(per, "per") || !node_is_word(again, "per") || !time || time->next) {
		budget_wrong(p, n);
		return;
	}
	for (unsigned i = 0; param->kind == NODE_NAME && i < p->out->param_count; i++)
		if (!strcmp(p->out->params[i].name, param->text)) {
			p->out->budget.one_param = (uint8_t)i;
			use_note(p->r, USE_PARAMETER, param->text, param->span, p->out->params[i].span);
			p->sound &= play_time(p->r, time, PLAYBOOK_TIME_NS_MAX, &p->out->budget.one_ns);
			return;
		}
	diag_help(diag(p->r->diags, DIAG_BUDGET, param->span, "runs are told apart by a parameter of the playbook"),
		  p->out->param_count ? "for example: one per %s per 5m" : "it has none, so leave this out: %s",
		  p->out->param_count ? p->out->params[0].name : "one per ...");
	p->sound = false;
}

static void budget_phrase(struct playing *p, const struct node *n)
{
	if (!strcmp(n->text, "blocks")) {
		if (once(p, BUDGET_BLOCKS, n))
			budget_blocks(p, n);
	} else if (!strcmp(n->text, "one")) {
		if (once(p, BUDGET_ONE, n))
			budget_one(p, n);
	} else if (strcmp(n->text, "runtime") || !n->first || n->first->next) {
		budget_wrong(p, n);
	} else if (once(p, BUDGET_RUNTIME, n)) {
		p->sound &= play_time(p->r, n->first, PLAYBOOK_RUN_NS_MAX, &p->out->budget.runtime_ns);
	}
}

void play_budget_read(struct playing *p, const struct node *n)
{
	for (const struct node *c = n->first; c; c = c->next)
		if (c->kind == NODE_PHRASE)
			budget_phrase(p, c);
}

/* Whether everything that needs a bound has one, and the run fits into its time. */
void play_budget_check(struct playing *p)
{
	struct pol_playbook *b = p->out;
	own(buf) struct buf worst = { 0 };

	if (!p->budget[BUDGET_RUNTIME])
		diag_help(diag(p->r->diags, DIAG_BUDGET, b->span, "how long a run of `%s` may take is not bounded", b->name),
			  "say it: budget runtime 10m");
	if (p->blocks && !p->budget[BUDGET_BLOCKS])
		diag_help(diag(p->r->diags, DIAG_BUDGET, b->span, "how many addresses `%s` may block is not bounded", b->name),
			  "say it: budget blocks 500 per 1h");
	if (p->sound && !p->blocks && p->budget[BUDGET_BLOCKS])
		diag_help(diag(p->r->diags, DIAG_BUDGET, p->budget[BUDGET_BLOCKS]->span, "`%s` blocks nothing", b->name),
			  "leave this bound out");
	if (!p->sound || !p->budget[BUDGET_RUNTIME])
		return;
	duration_say(&worst, b->worst.ns);
	if (b->worst.ns > PLAYBOOK_RUN_NS_MAX || b->worst.recovery_ns > PLAYBOOK_RUN_NS_MAX)
		diag(p->r->diags, DIAG_PLAYBOOK_LARGE, b->span, "a run of `%s` can take longer than a day", b->name);
	else if (b->worst.ns > b->budget.runtime_ns)
		diag_help(diag(p->r->diags, DIAG_BUDGET_SHORT, p->budget[BUDGET_RUNTIME]->span,
			       "a run can take %s, and is aborted before", buf_text(&worst)),
			  "give it as much, or let its steps wait shorter");
}
