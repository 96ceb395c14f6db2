#include "compiler/report/findings/dead.h"

#include <string.h>

#include "compiler/report/findings/findings.h"
#include "lang/base/strmap.h"

struct finding {
	const struct sources *sources;
	struct diags *to;
	const struct ir *ir;
	struct prover *prover;
};

static bool same_span(struct span a, struct span b)
{
	return a.file == b.file && a.from == b.from && a.to == b.to;
}

/*
 * An inherited rule stands in several postures, and is told of once. Those of one place and kind are a
 * chain: by number, the next one, or 0. Lists of thousands are grouped once rather than searched for each.
 */
struct chains {
	const struct dead_list *l;
	size_t *next;
	bool *later; /* another stands before it in its chain */
};

static struct chains chains_of(const struct dead_list *l, struct arena *a)
{
	struct chains c = { l, arena_zero(a, (l->len + 1) * sizeof *c.next), arena_zero(a, l->len + 1) };
	size_t *last = arena_zero(a, (l->len + 1) * sizeof *last);
	struct strmap places;

	strmap_init(&places, a);
	for (size_t i = 0; i < l->len; i++) {
		struct span at = l->at[i].rule->span;
		const char *place = arena_printf(a, "%u:%u:%u:%d", at.file, at.from, at.to, l->at[i].kind);
		size_t *end = strmap_find(&places, place);

		c.later[i] = end != NULL;
		if (end) {
			c.next[*end] = i;
		} else {
			end = &last[i];
			strmap_put(&places, place, end);
		}
		*end = i;
	}
	return c;
}

/* Postures that have the rule, and those in which it is dead in this way. */
struct extent {
	size_t has, dead;
	const char *names;
};

bool posture_has(const struct ir_posture *p, const struct ir_rule *r)
{
	for (size_t i = 0; i < p->lists[r->direction].count; i++)
		if (same_span(p->lists[r->direction].rules[i].span, r->span))
			return true;
	return false;
}

static struct extent extent_of(const struct finding *f, const struct chains *c, size_t first)
{
	const struct dead *d = &c->l->at[first];
	struct extent e = { 0 };

	if (f->ir->posture_count == 1)
		return (struct extent){ 1, 1, f->ir->postures[0].name };
	for (size_t i = 0; i < f->ir->posture_count; i++)
		e.has += posture_has(&f->ir->postures[i], d->rule);
	for (size_t i = first; i || !e.dead; i = c->next[i]) {
		const char *name = f->ir->postures[c->l->at[i].posture].name;

		e.dead++;
		e.names = e.names ? arena_printf(f->to->arena, "%s, %s", e.names, name) : name;
	}
	return e;
}

static enum diag_code code_of(enum dead_kind k)
{
	switch (k) {
	case DEAD_EMPTY:
		return DIAG_RULE_EMPTY;
	case DEAD_SHADOWED:
		return DIAG_RULE_SHADOWED;
	case DEAD_REDUNDANT:
		return DIAG_RULE_REDUNDANT;
	case DEAD_PARTLY:
		break;
	}
	return DIAG_RULE_PARTLY;
}

static const char *does(enum verdict v)
{
	switch (v) {
	case VERDICT_ALLOW:
		return "admits";
	case VERDICT_DROP:
		return "drops";
	case VERDICT_REJECT:
	case VERDICT_COUNT:
		break;
	}
	return "rejects";
}

static void note_deciders(struct diag *g, const struct dead *d)
{
	const size_t shown = 3;

	for (size_t i = 0; i < d->decider_count && i < shown; i++) {
		const struct decider *by = &d->deciders[i];

		if (by->rule && !same_span(by->rule->span, d->rule->span))
			diag_at(g, by->rule->span, "`%s` decides %s of it first", by->why,
				d->decider_count == 1 && d->never ? "every packet" : "packets");
		else
			diag_note(g, "`%s` decides packets of it first", by->why);
	}
	if (d->decider_count > shown)
		diag_note(g, "and %zu other rules do", d->decider_count - shown);
}

static void note_witness(struct diag *g, const struct dead *d)
{
	own(buf) struct buf b = { 0 };

	if (!d->witnessed)
		return;
	witness_print(&b, &d->witness);
	diag_note(g, "for example: %s, decided by `%s`", buf_text(&b), d->witness.decider.why);
}

/* --- what mends them ---------------------------------------------------------------- */

/* Whole lines, or nowhere: a rule without a place in a text, or beside something else on its line. */
static struct span lines_of(const struct finding *f, const struct ir_rule *r)
{
	return span_is_somewhere(r->span) ? source_lines(f->sources, r->span) : SPAN_NOWHERE;
}

/* Do two rules stand in one block, a posture's or a condition's? */
static bool in_one_block(const struct finding *f, const struct ir_rule *first, const struct ir_rule *second)
{
	const char *text;

	if (first->span.file != second->span.file || first->span.to > second->span.from)
		return false;
	text = f->sources->list.at[first->span.file].text;
	for (uint32_t at = first->span.to; at < second->span.from; at++)
		if (text[at] == '{' || text[at] == '}')
			return false;
	return true;
}

static void fix_redundant(const struct finding *f, struct diag *g, const struct dead *d)
{
	struct span lines = lines_of(f, d->rule);

	if (span_is_somewhere(lines))
		diag_fix(g, lines, "%s", "");
}

/* Sure when one rule alone stands before it: in front of that it decides what it was written for. */
static void fix_shadowed(const struct finding *f, struct diag *g, const struct dead *d)
{
	const struct ir_rule *before = d->decider_count == 1 ? d->deciders[0].rule : NULL;
	struct span lines, there;
	uint32_t len;

	if (!before || before->layer != d->rule->layer || before->direction != d->rule->direction ||
	    !span_is_somewhere(before->span) || !in_one_block(f, before, d->rule))
		return;
	lines = lines_of(f, d->rule);
	there = lines_of(f, before);
	if (!span_is_somewhere(lines) || !span_is_somewhere(there))
		return;
	len = lines.to - lines.from;
	diag_fix(g, (struct span){ there.file, there.from, there.from }, "%.*s", (int)len,
		 f->sources->list.at[lines.file].text + lines.from);
	diag_fix(g, lines, "%s", "");
}

/* A rule that is inherited is dead where it is inherited, and needed elsewhere. */
static void fix_dead(const struct finding *f, struct diag *g, const struct dead *d, const struct extent *e)
{
	if (!d->never || d->rule->layer != LAYER_POSTURE || e->dead < e->has)
		return;
	if (d->kind == DEAD_REDUNDANT)
		fix_redundant(f, g, d);
	else if (d->kind == DEAD_SHADOWED)
		fix_shadowed(f, g, d);
}

static void tell_dead(const struct finding *f, const struct chains *c, size_t i)
{
	const struct dead *d = &c->l->at[i];
	struct extent e = extent_of(f, c, i);
	struct diag *g;

	if (d->never)
		g = diag(f->to, code_of(d->kind), d->rule->span, "`%s` never decides", d->rule->label);
	else
		g = diag(f->to, code_of(d->kind), d->rule->span,
			 "`%s` decides little: %.1f%% of its packets are decided otherwise before",
			 d->rule->label, d->share * 100 > 99.9 ? 99.9 : d->share * 100);
	if (d->kind == DEAD_SHADOWED && e.dead < e.has)
		diag_severity(f->to, g, SEVERITY_WARNING);
	note_deciders(g, d);
	if (d->kind == DEAD_SHADOWED && d->witnessed)
		diag_note(g, "`%s` %s what this rule was to %s", d->witness.decider.why,
			  does(d->witness.decider.verdict), verdict_name(d->rule->verdict));
	note_witness(g, d);
	if (d->rule->layer == LAYER_POSTURE && e.dead < e.has)
		diag_note(g, "in %s", e.names);
	if (d->kind == DEAD_REDUNDANT)
		diag_help(g, "it can go: nothing changes without it");
	else if (d->kind == DEAD_SHADOWED && d->witnessed)
		diag_help(g, "move it before `%s`", d->witness.decider.why);
	fix_dead(f, g, d, &e);
}

/* Where no posture is left that has it, it stands in no list that is searched. */
static void tell_silent(struct diags *to, const struct ir *ir, const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct ir_rule *r = &l->rules[i];
		struct diag *g;

		if ((size_t)__builtin_popcountll(r->except) < ir->posture_count)
			continue;
		g = diag(to, DIAG_RULE_EMPTY, r->span, "`%s` never fires", r->label);
		diag_note(g, ir->posture_count > 1 ? "it is silent in every posture" : "it is silent in the only posture");
	}
}

void report_dead(struct diags *to, const struct sources *sources, struct prover *p, const struct ir *ir)
{
	const struct finding finding = { sources, to, ir, p }, *f = &finding;
	struct dead_list l = prove_dead(p, ir, FINDINGS_SHARE);
	size_t kept = 0;

	for (size_t i = 0; i < l.len; i++) {
		struct dead d = l.at[i];

		if (prove_dead_explain(&l, &d) && (d.never || d.share > FINDINGS_SHARE))
			l.at[kept++] = d;
	}
	l.len = kept;

	struct chains c = chains_of(&l, to->arena);

	for (size_t i = 0; i < l.len; i++)
		if (!c.later[i])
			tell_dead(f, &c, i);
	tell_silent(to, ir, &ir->reflexes);
	tell_silent(to, ir, &ir->watches);
	if (l.progress.undecided)
		diag(to, DIAG_PROVER_UNDECIDED, SPAN_NOWHERE,
		     "%zu of %zu parts were too large to search for rules that never decide (%s)",
		     l.progress.undecided, l.progress.windows, l.progress.first_undecided.text);
}
