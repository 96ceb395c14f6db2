#include "compiler/lsp/decides.h"

#include <string.h>

#include "compiler/prove/prove.h"

/* Somebody rests the mouse: a fraction of what a check may spend. */
#define HOVER_BUDGET ((struct prove_budget){ 1u << 20, UINT64_C(20000000) })

#define POSTURES_SHOWN 8
#define OTHERS_SHOWN   3

static bool same_span(struct span x, struct span y)
{
	return x.file == y.file && x.from == y.from && x.to == y.to;
}

/* --- one answer in words ---------------------------------------------------------------------- */

static void say_lines(struct buf *out, const struct decides *a)
{
	for (size_t i = 0; i < a->line_count; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : i + 1 == a->line_count ? " and " : ", ", a->lines[i]);
}

static void say_others(struct buf *out, const struct decides *a)
{
	for (size_t i = 0; i < a->other_count && i < OTHERS_SHOWN; i++)
		buf_printf(out, "%s`%s`", i ? ", " : "", a->others[i].why);
	if (a->other_count > OTHERS_SHOWN)
		buf_printf(out, " and %zu more", a->other_count - OTHERS_SHOWN);
}

static void say_share(struct buf *out, double share)
{
	if (share < 0.01)
		buf_puts(out, "decides less than 1% of ");
	else if (share > 0.99)
		buf_puts(out, "decides nearly all of ");
	else
		buf_printf(out, "decides about %.0f%% of ", share * 100);
}

static void say_what(struct buf *out, const struct decides *a)
{
	switch (a->kind) {
	case DECIDES_NOTHING:
		buf_puts(out, a->other_count ? "decides nothing; all of its packets go to " : "decides nothing: there is no such packet");
		say_others(out, a);
		return;
	case DECIDES_ALL:
		buf_puts(out, "decides all of its packets");
		return;
	case DECIDES_EXACTLY:
		buf_puts(out, "decides ");
		say_lines(out, a);
		break;
	case DECIDES_BESIDE:
		buf_puts(out, "decides ");
		say_lines(out, a);
		buf_puts(out, ", without what lifelines, blocks and reflexes take");
		break;
	case DECIDES_PART:
		say_share(out, a->share);
		say_lines(out, a);
		break;
	}
	buf_puts(out, "; the rest goes to ");
	say_others(out, a);
}

static void say_answer(struct buf *out, const struct decides *a)
{
	if (a->progress.undecided && a->kind == DECIDES_NOTHING) {
		buf_puts(out, "too much to look at while you wait; `tegc check` spends more");
		return;
	}
	say_what(out, a);
	if (a->kind != DECIDES_NOTHING && a->witness.replays) {
		buf_puts(out, "; for example `");
		witness_print(out, &a->witness);
		buf_puts(out, "`");
	}
	if (a->progress.undecided)
		buf_puts(out, " (not all of it was looked at)");
}

/* --- which rules ------------------------------------------------------------------------------- */

/* The rule of a posture that the name stands for, or that is written around the offset. */
static const struct pol_rule *rule_of(const struct pol_posture *p, uint32_t file, const struct use *u, uint32_t at)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct pol_rule *r = &p->rules[i];

		if (u ? u->kind == USE_LABEL && r->labelled && same_span(r->named, u->declared) :
			r->span.file == file && r->span.from <= at && at <= r->span.to)
			return r;
	}
	return NULL;
}

/* The limit of a rule stands before it, and has its place too. */
static const struct ir_rule *made_of(const struct ir_list *l, struct span at, bool limits)
{
	for (size_t i = 0; i < l->count; i++)
		if (same_span(l->rules[i].span, at) && (limits || !l->rules[i].rate))
			return &l->rules[i];
	return NULL;
}

/* Postures of which the same is true share a line. */
struct shown {
	struct buf names, words;
};

static void say_postures(struct buf *out, struct document *d, struct prover *p, const struct use *u, uint32_t at, struct span *where)
{
	struct shown lines[POSTURES_SHOWN] = { { { 0 }, { 0 } } };
	size_t count = 0, asked = 0;

	for (unsigned i = 0; i < d->policy->posture_count && asked < POSTURES_SHOWN; i++) {
		const struct pol_posture *posture = &d->policy->postures[i];
		const struct pol_rule *r = rule_of(posture, d->file, u, at);
		const struct ir_rule *made = r ? made_of(&d->ir->postures[i].lists[r->direction], r->span, false) : NULL;
		own(buf) struct buf words = { 0 };
		size_t line = 0;

		if (!made)
			continue;
		struct decides a = prove_decides(p, d->ir, i, r->direction, made);
		say_answer(&words, &a);
		while (line < count && strcmp(buf_text(&lines[line].words), buf_text(&words)))
			line++;
		buf_printf(&lines[line].names, "%s%s", line < count ? ", " : "", posture->name);
		if (line == count)
			buf_puts(&lines[count++].words, buf_text(&words));
		if (!u)
			*where = r->span;
		asked++;
	}
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "\n- %s: %s", buf_text(&lines[i].names), buf_text(&lines[i].words));
		buf_release(&lines[i].names);
		buf_release(&lines[i].words);
	}
}

/* Lifelines, blocks and reflexes: in the first posture where they act, which is as good as any. */
static void say_layer(struct buf *out, struct document *d, struct prover *p, const struct ir_list *l, struct span at)
{
	const struct ir_rule *made = made_of(l, at, true);
	unsigned posture = 0;

	while (made && posture + 1 < d->ir->posture_count && (made->except >> posture & 1))
		posture++;
	if (!made)
		return;
	struct decides a = prove_decides(p, d->ir, posture, DIRECTION_IN, made);
	buf_puts(out, "\n- on arrival: ");
	say_answer(out, &a);
}

static bool holds(struct span outer, struct span inner)
{
	return outer.file == inner.file && outer.from <= inner.from && inner.to <= outer.to;
}

static void say_layers(struct buf *out, struct document *d, struct prover *p, const struct use *u)
{
	const struct policy *q = d->policy;

	for (size_t i = 0; u->kind == USE_LIFELINE && i < q->lifeline_count; i++)
		if (holds(q->lifelines[i].span, u->declared))
			say_layer(out, d, p, &d->ir->lifelines, q->lifelines[i].span);
	for (size_t i = 0; u->kind == USE_BLOCK && i < q->block_count; i++)
		if (holds(q->blocks[i].span, u->declared))
			say_layer(out, d, p, &d->ir->blocks, q->blocks[i].span);
	for (size_t i = 0; u->kind == USE_REFLEX && i < q->reflex_count; i++)
		if (!strcmp(q->reflexes[i].label, u->name))
			say_layer(out, d, p, &d->ir->reflexes, q->reflexes[i].span);
}

void say_decides(struct buf *out, struct document *d, const struct use *u, uint32_t at, struct span *where)
{
	own(prover) struct prover *p = NULL;

	if (!d->policy)
		return;
	if (!d->ir)
		d->ir = ir_lower(d->policy, d->c->arena);
	p = prover_new(&HOVER_BUDGET);
	say_postures(out, d, p, u, at, where);
	if (u)
		say_layers(out, d, p, u);
}
