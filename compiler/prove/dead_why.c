/*
 * dead_why.c - why a rule decides nothing, or next to nothing: which others have its packets, and one of these packets.
 *
 * How much is decided otherwise is told by diagrams of three answers: by the rule itself, alike, otherwise. Who decides
 * is found by packets, and only for steps that get none a diagram has their numbers.
 */
#include "compiler/prove/dead_parts.h"

#include <assert.h>
#include <stdlib.h>

#include "compiler/prove/mutant.h"

struct explaining {
	struct prover *prover;
	const struct terms *terms;
	struct judgement *j;
	uint32_t step;
	const struct cell *cell; /* of the step */
	struct dead_search *search;
	double own, contrary;
	bool contrary_witness;
	struct dead *dead;
	struct asking q;
};

static bool is_contrary(const struct explaining *k, uint32_t step)
{
	return MUTANT(24, k->j->steps[step].verdict != k->j->steps[k->step].verdict, true);
}

/* Who decides, as far as the rule is concerned. */
enum who { WHO_ITSELF, WHO_ALIKE, WHO_OTHERWISE };

static idd_ref who_decides(const void *arg, uint32_t step)
{
	const struct explaining *k = arg;

	return IDD_NUMBER(step == k->step ? WHO_ITSELF : is_contrary(k, step) ? WHO_OTHERWISE : WHO_ALIKE);
}

static idd_ref by_contrary(const void *arg, uint32_t who)
{
	(void)arg;
	return who == WHO_OTHERWISE ? IDD_TRUE : IDD_FALSE;
}

static idd_ref by_others(const void *arg, uint32_t who)
{
	(void)arg;
	return who == WHO_ITSELF ? IDD_FALSE : IDD_TRUE;
}

/* Of the cell, while nothing is blocked and no rate is exceeded but the rule's own. */
static idd_ref calm_set(struct idd *m, struct space *s, const struct judgement *j,
			const struct cell *c)
{
	idd_ref set = space_cell_alone(m, s, j, c);

	for (unsigned level = 0; level < s->levels; level++) {
		bool own = c->unknown >= 0 && level == FIELD_COUNT + (unsigned)c->unknown;

		if (s->unknown_level[level] && !own)
			set = idd_apply(m, IDD_AND, set,
					idd_interval(m, level, 0, 0, IDD_TRUE, IDD_FALSE));
	}
	return set;
}

/* A packet that is decided otherwise is told rather than one that is decided alike. */
static void pick_witness(struct explaining *k, struct idd *m, struct space *s, idd_ref others,
			 idd_ref contrary)
{
	struct witness w;
	idd_ref set = contrary != IDD_FALSE ? contrary : others;

	if (k->contrary_witness || (k->dead->witnessed && contrary == IDD_FALSE))
		return;
	if (set == IDD_FALSE || !witness_pick(&w, k->prover, m, s, set, k->j->direction))
		return;
	witness_replay(&w, k->terms, k->j);
	k->dead->witness = w;
	k->dead->witnessed = true;
	k->contrary_witness = contrary != IDD_FALSE;
}

/* Only steps of the slice can be among them. */
static void list_deciding(struct dead_search *s, const struct slice *slice)
{
	for (size_t i = 0; i < slice->len; i++) {
		const uint32_t step = slice->at[i]->step;

		if (!s->decides[step] || s->listed[step])
			continue;
		s->listed[step] = true;
		vec_push(s->prover->arena, &s->deciding, step);
	}
}

/* What is found is listed at once: the diagram may not be finished. */
static void find_deciding(struct explaining *k, struct idd *m, struct space *s, idd_ref set, const struct slice *slice)
{
	struct reach r = { .j = k->j, .reached = k->search->decides, .over = k->search->over, .within = k->cell };
	struct slice open = *slice;

	open.len = reach_need(slice, &s->window, &r);
	list_deciding(k->search, slice);
	if (!open.len)
		return;
	idd_numbers(m, idd_apply(m, IDD_MASK, set, space_steps_among(m, s, &open, r.reached)), r.reached);
	list_deciding(k->search, slice);
}

static int by_step(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void forget_deciding(struct dead_search *s, const struct explaining *k)
{
	s->decides[k->step] = s->decides[k->j->step_count] = false;
	for (size_t i = 0; i < s->deciding.len; i++)
		s->decides[s->deciding.at[i]] = s->listed[s->deciding.at[i]] = false;
	s->deciding.len = 0;
}

static void ask_why(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct explaining *k = arg;
	struct window all = window_all(s->terms, s->window.family, s->window.states);
	double part = window_part(&s->window, &all);
	idd_ref set = calm_set(m, s, k->j, k->cell);
	idd_ref taken = idd_apply(m, IDD_MASK, set, space_sorted(m, s, slice, who_decides, k));
	idd_ref others = idd_apply(m, IDD_OVER, idd_map(m, taken, by_others, k), IDD_FALSE);
	idd_ref contrary = idd_apply(m, IDD_OVER, idd_map(m, taken, by_contrary, k), IDD_FALSE);

	find_deciding(k, m, s, set, slice);
	k->own += part * set_share(m, s, set);
	k->contrary += part * set_share(m, s, contrary);
	pick_witness(k, m, s, others, contrary);
}

static void list_deciders(struct dead_search *s, struct explaining *k, struct dead *d)
{
	VEC(struct decider) deciders = { 0 };

	if (s->deciding.len)
		qsort(s->deciding.at, s->deciding.len, sizeof *s->deciding.at, by_step);
	for (size_t i = 0; i < s->deciding.len; i++)
		if (s->deciding.at[i] != k->step)
			vec_push(s->prover->arena, &deciders, decider_of(&k->j->steps[s->deciding.at[i]]));
	d->deciders = deciders.at;
	d->decider_count = deciders.len;
}

static enum dead_kind kind_of(const struct explaining *k)
{
	if (!k->j->steps[k->step].count)
		return DEAD_EMPTY;
	if (!k->dead->never)
		return DEAD_PARTLY;
	for (size_t i = 0; i < k->search->deciding.len; i++)
		if (is_contrary(k, k->search->deciding.at[i]))
			return DEAD_SHADOWED;
	return DEAD_REDUNDANT;
}

/* A reflex may be silent in some postures: any posture that has the rule shows why. */
static struct judgement *judgement_with(const struct dead_search *k, struct dead *d, uint32_t *step)
{
	struct judgement *j = judgement_of(k, d->posture, d->direction);

	for (unsigned i = 0; !judgement_step(j, d->rule, step); i++) {
		assert(i < k->ir->posture_count);
		d->posture = i;
		j = judgement_of(k, i, d->direction);
	}
	return j;
}

/*
 * What stands behind a rule of layer 4 decides nothing of it, and need not be looked at. Not so behind
 * the others: what a lifeline spares goes on with layer 4.
 */
static struct judgement up_to(const struct judgement *j, uint32_t step)
{
	struct judgement cut = *j;

	if (step >= j->layer4) {
		cut.step_count = step + 1;
		cut.cell_count = j->steps[step].first + j->steps[step].count;
	}
	return cut;
}

bool prove_dead_explain(const struct dead_list *l, struct dead *d)
{
	struct dead_search *s = l->search;
	struct explaining k = { .prover = s->prover, .terms = &s->terms, .search = s, .dead = d };

	const struct judgement *whole = judgement_with(s, d, &k.step);
	struct judgement cut = up_to(whole, k.step);

	k.j = &cut;
	s->decides[k.step] = true; /* not looked for */
	k.q = (struct asking){ .prover = s->prover, .terms = &s->terms, .most = SLICE_CELLS,
			       .ask = ask_why, .arg = &k };
	for (uint32_t i = 0; i < k.j->steps[k.step].count; i++) {
		const struct cell *c = &k.j->cells[k.j->steps[k.step].first + i];
		struct window all = window_all(&s->terms, c->family, 1u << CT_NEW), w;

		k.cell = c;
		k.q.more = c;
		all.quiet = c->unknown < 0;
		if (window_around(&w, &all, c))
			asking_run(&k.q, &w, &k.j, 1);
	}
	d->kind = kind_of(&k);
	d->share = k.own > 0 ? k.contrary / k.own : 0;
	d->progress = k.q.progress;
	list_deciders(s, &k, d);
	forget_deciding(s, &k);
	return d->never || k.contrary > 0;
}
