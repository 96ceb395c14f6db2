#include "compiler/prove/prover.h"

#include <stdio.h>
#include <string.h>

struct prover *prover_new(const struct prove_budget *budget)
{
	struct prover *p = calloc(1, sizeof *p);
	struct idd_budget b = { budget->slots, budget->steps };

	if (!p)
		abort();
	p->arena = arena_new();
	p->budget = *budget;
	p->idd = idd_new(&b);
	return p;
}

void prover_free(struct prover *p)
{
	if (!p)
		return;
	idd_free(p->idd);
	space_release(&p->space);
	arena_free(p->scratch);
	arena_free(p->arena);
	free(p);
}

const char *answer_name(enum answer a)
{
	switch (a) {
	case ANSWER_PROVED:
		return "proved";
	case ANSWER_CONDITIONAL:
		return "conditional";
	case ANSWER_REFUTED:
		return "refuted";
	case ANSWER_UNDECIDED:
		break;
	}
	return "undecided";
}

struct terms terms_begin(struct prover *p)
{
	return (struct terms){ .arena = p->arena };
}

/* --- window by window --------------------------------------------------------------- */

struct one_ask {
	struct asking *q;
	const struct slice *slices;
};

static void ask(struct idd *m, void *arg)
{
	struct one_ask *one = arg;
	struct asking *q = one->q;

	q->ask(m, &q->prover->space, one->slices, q->arg);
}

static bool ask_window(struct asking *q, const struct window *w, const struct slice *slices,
		       size_t count)
{
	struct prover *p = q->prover;
	struct one_ask one = { q, slices };

	p->scratch = arena_new();
	idd_reset(p->idd);
	space_set(&p->space, q->terms, w, slices, count, q->more);

	bool done = idd_try(p->idd, ask, &one);

	arena_free(p->scratch);
	p->scratch = NULL;
	return done;
}

static void note_undecided(struct asking *q, const struct window *w, size_t cells)
{
	char dst[ADDR_TEXT], src[ADDR_TEXT];
	struct window_text *t = &q->progress.first_undecided;

	if (q->progress.undecided++)
		return;
	addr_print((struct addr){ w->family, w->dst.lo }, dst);
	addr_print((struct addr){ w->family, w->src.lo }, src);
	snprintf(t->text, sizeof t->text, "protocol %u-%u, to %s and up, from %s and up, %zu cells",
		 w->proto.lo, w->proto.hi, dst, src, cells);
}

static void run_window(struct asking *q, const struct window *w, const struct slice *slices,
		       size_t count);

static void run_narrowed(struct asking *q, const struct window *w, const struct slice *from,
			 size_t count)
{
	struct slice slices[SLICES_MOST] = { 0 };

	for (size_t i = 0; i < count; i++) {
		slices[i] = slice_narrow(&from[i], w);
		if (q->need)
			slices[i].len = q->need(&slices[i], w, q->arg);
	}
	run_window(q, w, slices, count);
	for (size_t i = 0; i < count; i++)
		slice_release(&slices[i]);
}

static bool run_halves(struct asking *q, const struct window *w, const struct slice *slices,
		       size_t count)
{
	struct window halves[2];

	if (!window_cut(w, slices, count, halves))
		return false;
	for (size_t i = 0; i < 2; i++)
		run_narrowed(q, &halves[i], slices, count);
	return true;
}

static void run_window(struct asking *q, const struct window *w, const struct slice *slices,
		       size_t count)
{
	const size_t few = 16; /* cells that no cut makes easier */
	size_t cells = 0;

	for (size_t i = 0; i < count; i++)
		cells += slices[i].len;
	if (q->done || (q->need && !cells))
		return;
	if (cells > q->most && run_halves(q, w, slices, count))
		return;
	if (ask_window(q, w, slices, count)) {
		q->progress.windows++;
		return;
	}
	if (idd_steps(q->prover->idd) <= q->prover->budget.steps && cells > few &&
	    run_halves(q, w, slices, count))
		return;
	q->progress.windows++;
	note_undecided(q, w, cells);
	if (q->gave_up)
		q->gave_up(slices, q->arg);
}

/*
 * Protocols apart first: rules that ask for ports are blind to each other
 * across protocols, and no cut of addresses sees that.
 */
static void run_protocols(struct asking *q, const struct window *w, const struct slice *slices,
			  size_t count)
{
	static const struct range classes[] = { { 6, 6 }, { 17, 17 }, { 0, 5 }, { 7, 16 }, { 18, 255 } };

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		struct window part = *w;

		if (classes[i].lo > part.proto.lo)
			part.proto.lo = classes[i].lo;
		if (classes[i].hi < part.proto.hi)
			part.proto.hi = classes[i].hi;
		if (part.proto.lo <= part.proto.hi)
			run_narrowed(q, &part, slices, count);
	}
}

void asking_run(struct asking *q, const struct window *w, struct judgement *const *of, size_t count)
{
	struct slice slices[SLICES_MOST] = { 0 };
	size_t cells = 0;

	if (q->done)
		return;
	for (size_t i = 0; i < count; i++) {
		slices[i] = slice_of(of[i], w);
		cells += slices[i].len;
	}
	if (cells > q->most && w->proto.lo != w->proto.hi)
		run_protocols(q, w, slices, count);
	else
		run_window(q, w, slices, count);
	for (size_t i = 0; i < count; i++)
		slice_release(&slices[i]);
}

void progress_add(struct progress *all, const struct progress *one)
{
	if (!all->undecided)
		all->first_undecided = one->first_undecided;
	all->windows += one->windows;
	all->undecided += one->undecided;
}

/* --- sets ---------------------------------------------------------------------------- */

double set_share(struct idd *m, struct space *s, idd_ref set)
{
	double share[2] = { 0 };

	idd_shares(m, set, space_weigh, s, share, 2);
	return share[1];
}

idd_ref set_as_witnessed(struct prover *p, struct idd *m, const struct space *s, const struct witness *w, idd_ref set)
{
	static const enum field fields[] = { FIELD_STATE, FIELD_REPLY, FIELD_FRAGMENT, FIELD_BLOCKED, FIELD_HOPS };
	bool *chosen = arena_zero(p->scratch, s->levels);
	uint32_t *value = arena_zero(p->scratch, s->levels * sizeof *value);

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		chosen[s->level_of[fields[i]]] = true;
	for (unsigned level = 0; level < s->levels; level++) {
		chosen[level] |= level >= FIELD_COUNT;
		if (chosen[level])
			value[level] = space_value(s, level, &w->point);
	}
	return idd_fix(m, set, chosen, value);
}

bool judgement_step(const struct judgement *j, const struct ir_rule *rule, uint32_t *out)
{
	for (uint32_t i = 0; i < j->step_count; i++)
		if (j->steps[i].rule == rule) {
			*out = i;
			return true;
		}
	return false;
}
