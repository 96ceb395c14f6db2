#include "compiler/report/findings/promises.h"

#include <cjson/cJSON.h>

#include "compiler/front/policy.h"
#include "lang/syntax/source.h"

static const char *does(enum verdict v)
{
	return v == VERDICT_ALLOW ? "admits" : v == VERDICT_DROP ? "drops" : "rejects";
}

static void note_decider(struct diag *g, const char *posture, const struct decider *d)
{
	if (d->rule && span_is_somewhere(d->rule->span))
		diag_at(g, d->rule->span, "`%s` %s it in %s", d->why, does(d->verdict), posture);
	else
		diag_note(g, "`%s` %s it in %s", d->why, does(d->verdict), posture);
}

static void note_example(struct diag *g, const struct promise *p)
{
	own(buf) struct buf b = { 0 };

	witness_print(&b, &p->witness);
	diag_note(g, "for example: %s", buf_text(&b));
	for (size_t i = 0; i < p->witness.assume_count; i++)
		diag_note(g, "only if %s", p->witness.assumes[i]);
	note_decider(g, p->posture, &p->witness.decider);
	if (!p->claim)
		note_decider(g, p->wider, &p->in_wider);
}

static void tell_broken(struct diags *to, const struct promise *p, const char *name)
{
	struct diag *g;

	if (p->claim)
		g = diag(to, DIAG_CLAIM_BROKEN, p->span, "`%s` does not hold in %s", name, p->posture);
	else
		g = diag(to, DIAG_ORDER_BROKEN, p->span, "%s admits what %s does not", p->tighter, p->wider);
	note_example(g, p);
}

static void tell_assumes(struct diags *to, const struct promise *p, const char *name)
{
	struct diag *g;

	if (p->claim)
		g = diag(to, DIAG_CLAIM_ASSUMES, p->span, "`%s` holds only under an assumption", name);
	else
		g = diag(to, DIAG_ORDER_ASSUMES, p->span, "%s holds only under an assumption", name);
	note_example(g, p);
	if (p->claim && p->claim->allowed)
		diag_help(g, "what a lifeline admits is neither blocked nor limited");
}

void report_promise(struct diags *to, const struct promise *p)
{
	const char *name = promise_name(p, to->arena);

	switch (p->answer) {
	case ANSWER_REFUTED:
		tell_broken(to, p, name);
		return;
	case ANSWER_CONDITIONAL:
		(p->calm ? tell_broken : tell_assumes)(to, p, name);
		return;
	case ANSWER_UNDECIDED:
		diag(to, DIAG_PROVER_UNDECIDED, p->span, "%zu of %zu parts were too large to decide %s (%s)",
		     p->progress.undecided, p->progress.windows, name, p->progress.first_undecided.text);
		return;
	case ANSWER_PROVED:
		break;
	}
}

void report_promises(struct diags *to, const struct promise_list *all)
{
	for (size_t i = 0; i < all->len; i++)
		report_promise(to, &all->at[i]);
}

/* --- for programs ------------------------------------------------------------------------------ */

static cJSON *json_decider(const char *posture, const struct decider *d)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "by", d->rule ? d->rule->id : d->why);
	cJSON_AddStringToObject(o, "posture", posture);
	cJSON_AddStringToObject(o, "verdict", verdict_name(d->verdict));
	return o;
}

static cJSON *json_example(const struct promise *p)
{
	cJSON *o = cJSON_CreateObject(), *assumes = cJSON_AddArrayToObject(o, "assumes"), *decided;
	own(buf) struct buf packet = { 0 };

	for (size_t i = 0; i < p->witness.assume_count; i++)
		cJSON_AddItemToArray(assumes, cJSON_CreateString(p->witness.assumes[i]));
	decided = cJSON_AddArrayToObject(o, "decided");
	cJSON_AddItemToArray(decided, json_decider(p->posture, &p->witness.decider));
	if (!p->claim)
		cJSON_AddItemToArray(decided, json_decider(p->wider, &p->in_wider));
	witness_print(&packet, &p->witness);
	cJSON_AddStringToObject(o, "packet", buf_text(&packet));
	return o;
}

cJSON *report_promise_json(const struct promise *p, const char *claim)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "answer", promise_is_broken(p) ? answer_name(ANSWER_REFUTED) : answer_name(p->answer));
	cJSON_AddStringToObject(o, "claim", claim);
	if (p->answer == ANSWER_REFUTED || p->answer == ANSWER_CONDITIONAL)
		cJSON_AddItemToObject(o, "example", json_example(p));
	cJSON_AddNumberToObject(o, "undecided", (double)p->progress.undecided);
	return o;
}
