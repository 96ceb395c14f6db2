/*
 * decides.c - which of a rule's packets no rule before it takes, in words.
 */
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/prove/prover.h"
#include "compiler/prove/region.h"

enum words_kind { WORDS_EXACT, WORDS_BESIDE, WORDS_CELL, WORDS };

struct deciding {
	struct prover *prover;
	const struct terms *terms;
	struct judgement *j;
	uint32_t step;
	const struct cell *cell; /* of the step */
	bool *others;		 /* by step: takes some of the rule's packets */
	double own, kept;
	bool witnessed;
	struct witness witness;
	struct words {
		bool inexact;
		VEC(struct region) regions;
	} words[WORDS];
};

static idd_ref is_own(const void *arg, uint32_t step)
{
	const struct deciding *k = arg;

	return step == k->step ? IDD_TRUE : IDD_FALSE;
}

/* Neighbour discovery always passes, so words need not leave it out. */
static idd_ref is_always(const void *arg, uint32_t step)
{
	const struct deciding *k = arg;
	const struct step *s = &k->j->steps[step];

	return !s->rule && !strcmp(s->why, WHY_NEIGHBOUR) ? IDD_TRUE : IDD_FALSE;
}

/* Lifelines, blocks, reflexes: what stands before the rule in a layer before its own. */
static idd_ref is_upper(const void *arg, uint32_t step)
{
	const struct deciding *k = arg;

	return step < k->j->layer4 && k->step >= k->j->layer4 && k->j->steps[step].rule ? IDD_TRUE : IDD_FALSE;
}

/* What a level of the unknown is while nothing is blocked and no rate is exceeded but the rule's own. */
static uint32_t calm_value(const struct deciding *k, unsigned level)
{
	return k->cell->unknown >= 0 && level == FIELD_COUNT + (unsigned)k->cell->unknown;
}

/* Which packets, then. */
static idd_ref calm(const struct deciding *k, struct idd *m, const struct space *s, idd_ref set)
{
	uint32_t *value = arena_zero(k->prover->scratch, s->levels * sizeof *value);

	for (unsigned level = 0; level < s->levels; level++)
		value[level] = calm_value(k, level);
	return idd_fix(m, set, s->unknown_level, value);
}

/* And these packets in these circumstances alone. */
static idd_ref only_calm(const struct deciding *k, struct idd *m, const struct space *s, idd_ref set)
{
	for (unsigned level = 0; level < s->levels; level++)
		if (s->unknown_level[level])
			set = idd_apply(m, IDD_AND, set,
					idd_interval(m, level, calm_value(k, level), calm_value(k, level), IDD_TRUE, IDD_FALSE));
	return set;
}

static void note_regions(struct deciding *k, struct words *w, struct region_list regions)
{
	w->inexact |= !regions.exact;
	for (size_t i = 0; i < regions.len; i++)
		vec_push(k->prover->arena, &w->regions, regions.at[i]);
}

/* What it decides, in words of three kinds: alone, with what is above it, and all that its cell has. */
static void cover(struct deciding *k, struct idd *m, struct space *s, const struct witness *w, idd_ref cell, idd_ref steps,
		  struct region_list out[static WORDS])
{
	struct arena *a = k->prover->arena, *scratch = k->prover->scratch;
	struct region whole = region_of_cell(s, k->cell, a);
	idd_ref all = set_as_witnessed(k->prover, m, s, w, cell), decided = set_as_witnessed(k->prover, m, s, w, steps);
	idd_ref mine = idd_apply(m, IDD_AND, all, idd_apply(m, IDD_OR, idd_map(m, decided, is_own, k), idd_map(m, decided, is_always, k)));
	idd_ref beside = idd_apply(m, IDD_OR, mine, idd_apply(m, IDD_AND, all, idd_map(m, decided, is_upper, k)));
	struct region_list all_of_it = { arena_copy(a, &whole, sizeof whole), 1, true };

	out[WORDS_EXACT] = mine == all ? all_of_it : region_cover(m, s, mine, REGIONS_MOST, a, scratch);
	out[WORDS_BESIDE] = beside == all ? all_of_it : region_cover(m, s, beside, REGIONS_MOST, a, scratch);
	out[WORDS_CELL] = all_of_it;
}

/* In one part: all is computed before anything is noted. */
static void ask_decides(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct deciding *k = arg;
	idd_ref cell = calm(k, m, s, space_cell_alone(m, s, k->j, k->cell));
	idd_ref steps = calm(k, m, s, space_steps(m, s, slice));
	idd_ref own = idd_apply(m, IDD_DIFF, cell, idd_map(m, steps, is_always, k));
	idd_ref kept = idd_apply(m, IDD_AND, own, idd_map(m, steps, is_own, k));
	bool *others = arena_zero(k->prover->scratch, k->j->step_count);
	struct witness w = k->witness;
	bool found = k->witnessed;

	idd_numbers(m, idd_apply(m, IDD_MASK, idd_apply(m, IDD_DIFF, own, kept), steps), others);
	if (!found && kept != IDD_FALSE)
		found = witness_pick(&w, k->prover, m, s, only_calm(k, m, s, kept), k->j->direction);
	double own_share = set_share(m, s, own), kept_share = set_share(m, s, kept);
	struct region_list words[WORDS] = { { 0 } };
	if (found && kept != IDD_FALSE)
		cover(k, m, s, &w, cell, steps, words);
	for (size_t i = 0; i < k->j->step_count; i++)
		k->others[i] |= others[i] && i != k->step;
	k->own += own_share;
	k->kept += kept_share;
	for (int i = 0; kept != IDD_FALSE && i < WORDS; i++)
		note_regions(k, &k->words[i], words[i]);
	if (found && !k->witnessed)
		witness_replay(&w, k->terms, k->j);
	k->witness = w;
	k->witnessed = found;
}

static void list_others(struct deciding *k, struct decides *out)
{
	VEC(struct decider) others = { 0 };

	for (uint32_t i = 0; i < k->j->step_count; i++)
		if (k->others[i])
			vec_push(k->prover->arena, &others, decider_of(&k->j->steps[i]));
	out->others = others.at;
	out->other_count = others.len;
}

/* The first that is exact, and not longer than what says nearly the same. */
static enum words_kind best_words(const struct deciding *k, const struct region_lines lines[static WORDS])
{
	enum words_kind best = WORDS_CELL;

	for (enum words_kind w = WORDS_EXACT; w < WORDS_CELL; w++)
		if (!k->words[w].inexact && lines[w].len <= REGIONS_MOST + 1 && (best == WORDS_CELL || lines[w].len < lines[best].len))
			best = w;
	return best;
}

static void choose_words(struct deciding *k, const struct ir *ir, struct decides *out)
{
	static const enum decides_kind kinds[WORDS] = { DECIDES_EXACTLY, DECIDES_BESIDE, DECIDES_PART };
	struct region_lines all[WORDS];

	for (int i = 0; i < WORDS; i++)
		all[i] = region_lines(k->prover->arena, k->words[i].regions.at, k->words[i].regions.len, k->terms, ir, NULL);
	enum words_kind kind = best_words(k, all);
	struct region_lines lines = all[kind];

	out->kind = !k->witnessed ? DECIDES_NOTHING : !out->other_count ? DECIDES_ALL : kinds[kind];
	out->lines = lines.at;
	out->line_count = lines.len;
	out->share = k->own > 0 ? k->kept / k->own : 0;
	out->witness = k->witness;
}

struct decides prove_decides(struct prover *p, const struct ir *ir, unsigned posture, enum direction d,
			     const struct ir_rule *rule)
{
	struct terms terms = terms_begin(p);
	struct deciding k = { .prover = p, .terms = &terms };
	struct asking q = { .prover = p, .terms = &terms, .most = SLICE_CELLS, .ask = ask_decides, .arg = &k };
	struct decides out = { .kind = DECIDES_NOTHING };

	if (!terms_add(&terms, ir))
		return out;
	k.j = judgement_make(&terms, ir, posture, d, 0);
	if (!judgement_step(k.j, rule, &k.step))
		return out;
	k.others = arena_zero(p->arena, k.j->step_count);
	for (uint32_t i = 0; i < k.j->steps[k.step].count; i++) {
		struct window all, w;

		k.cell = q.more = &k.j->cells[k.j->steps[k.step].first + i];
		all = window_all(&terms, k.cell->family, 1u << CT_NEW);
		all.quiet = k.cell->unknown < 0;
		if (window_around(&w, &all, k.cell))
			asking_run(&q, &w, &k.j, 1);
	}
	out.progress = q.progress;
	list_others(&k, &out);
	choose_words(&k, ir, &out);
	return out;
}
