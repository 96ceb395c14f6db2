#include "compiler/report/promises.h"

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
