/*
 * ask.c - which packets an edited step changes, window by window.
 */
#include "compiler/prove/diff/pairing.h"

#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "compiler/prove/admin.h"
#include "compiler/prove/mutant.h"

static idd_ref is_edited_new(const void *arg, uint32_t step)
{
	const struct pairing *k = arg;

	return k->edited[NEW][step] ? IDD_TRUE : IDD_FALSE;
}

static idd_ref is_edited_old(const void *arg, uint32_t step)
{
	const struct pairing *k = arg;

	return k->edited[OLD][step] ? IDD_TRUE : IDD_FALSE;
}

static idd_ref is_this(const void *arg, uint32_t step)
{
	const struct pairing *k = arg;

	return step == k->step ? IDD_TRUE : IDD_FALSE;
}

static idd_ref is_neighbour_old(const void *arg, uint32_t step)
{
	const struct pairing *k = arg;
	const struct step *s = &k->j[OLD]->steps[step];

	return !s->rule && !strcmp(s->why, WHY_NEIGHBOUR) ? IDD_TRUE : IDD_FALSE;
}

static idd_ref is_allow(const void *arg, uint32_t verdict)
{
	(void)arg;
	return verdict == VERDICT_ALLOW ? IDD_TRUE : IDD_FALSE;
}

/*
 * Each changed packet belongs to one edited step: to the new policy's decider
 * when that was edited, else to the old one's. Where neither was, a forwarded
 * lifeline was edited that only spared the packet something: it is the cause.
 */
static idd_ref part_of_step(struct idd *m, struct space *s, const struct pairing *k,
			    const idd_ref steps[SIDES], idd_ref changed, bool *touches)
{
	idd_ref new_edit = idd_map(m, steps[NEW], is_edited_new, k);
	idd_ref mine = idd_apply(m, IDD_AND, changed,
				 space_cell_alone(m, s, k->j[k->side], k->cell));

	*touches = mine != IDD_FALSE;
	if (k->j[k->side]->steps[k->step].goes_on) {
		mine = idd_apply(m, IDD_DIFF, mine, new_edit);
		return idd_apply(m, IDD_DIFF, mine, idd_map(m, steps[OLD], is_edited_old, k));
	}
	mine = idd_apply(m, IDD_AND, mine, idd_map(m, steps[k->side], is_this, k));
	*touches = mine != IDD_FALSE;
	return k->side == NEW || MUTANT(26, false, true) ? mine
							 : idd_apply(m, IDD_DIFF, mine, new_edit);
}

static void split(struct idd *m, idd_ref part, const idd_ref verdicts[SIDES], idd_ref by_kind[KINDS])
{
	idd_ref before = idd_map(m, verdicts[OLD], is_allow, NULL);
	idd_ref after = idd_map(m, verdicts[NEW], is_allow, NULL);

	by_kind[CHANGE_OPENED] = idd_apply(m, IDD_AND, part, idd_apply(m, IDD_DIFF, after, before));
	by_kind[CHANGE_CLOSED] = idd_apply(m, IDD_AND, part, idd_apply(m, IDD_DIFF, before, after));
	by_kind[CHANGE_EFFECT] = idd_apply(m, IDD_DIFF, part, idd_apply(m, IDD_XOR, before, after));
}

/* One kind of change in one window: all is computed before anything is noted. */
struct found {
	bool any, admin;
	struct witness witness;
	struct region_list words[WORDS];
	double changed, own;
	uint8_t states;
	bool *otherwise, *rest;
};

/* The states in which some packet is in the set. */
static uint8_t states_of(struct idd *m, struct space *s, idd_ref set)
{
	uint8_t states = 0;

	for (uint32_t i = 0; i <= space_last(s, s->level_of[FIELD_STATE]); i++) {
		idd_ref in = IDD_IS_NUMBER(set) || idd_level(m, set) != s->level_of[FIELD_STATE]
				     ? set
				     : idd_child(m, set, i);

		if (in != IDD_FALSE)
			states |= (uint8_t)(1u << space_values(s, s->level_of[FIELD_STATE], i, i).lo);
	}
	return states;
}

/* Exact regions of the set; of the whole cell, its own words. */
static struct region_list cover(struct idd *m, struct space *s, const struct pairing *k,
				idd_ref set, idd_ref cell)
{
	struct arena *arena = k->prover->arena;
	struct region whole = region_of_cell(s, k->cell, arena);

	if (MUTANT(25, set == cell, true))
		return (struct region_list){ arena_copy(arena, &whole, sizeof whole), 1, true };
	return region_cover(m, s, set, REGIONS_MOST, arena, k->prover->scratch);
}

/* Lifelines, blocks, reflexes: what stands before the rule in a layer before its own. */
static idd_ref is_upper(const void *arg, uint32_t step)
{
	const struct pairing *k = arg;
	const struct judgement *j = k->j[k->side];

	return step < j->layer4 && k->step >= j->layer4 && j->steps[step].rule ? IDD_TRUE : IDD_FALSE;
}

/* Neighbour discovery always passes; so words need not leave it out. */
static void find_regions(struct found *f, struct idd *m, struct space *s, const struct pairing *k,
			 idd_ref set, idd_ref always, idd_ref steps)
{
	idd_ref own = space_cell(m, s, k->cell, IDD_TRUE, IDD_FALSE);
	idd_ref meant = idd_apply(m, IDD_OR, set, idd_apply(m, IDD_AND, own, always));
	idd_ref mine = set_as_witnessed(k->prover, m, s, &f->witness, meant);
	idd_ref all = set_as_witnessed(k->prover, m, s, &f->witness, own);
	idd_ref rest = idd_apply(m, IDD_DIFF, all, mine);
	idd_ref decided = set_as_witnessed(k->prover, m, s, &f->witness, steps);
	idd_ref upper = idd_apply(m, IDD_AND, all, idd_map(m, decided, is_upper, k));
	struct region whole = region_of_cell(s, k->cell, k->prover->arena);

	f->changed = set_share(m, s, mine);
	f->own = set_share(m, s, all);
	f->words[WORDS_EXACT] = cover(m, s, k, mine, all);
	f->words[WORDS_BESIDE] = cover(m, s, k, idd_apply(m, IDD_OR, mine, upper), all);
	f->words[WORDS_CELLS] = (struct region_list){
		arena_copy(k->prover->arena, &whole, sizeof whole), 1, mine == all
	};
	f->rest = arena_zero(k->prover->scratch, k->j[k->side]->step_count);
	idd_numbers(m, idd_apply(m, IDD_MASK, rest, decided), f->rest);
}

/* Does some new flow of the set go to a port that administers a host? */
static bool meets_admin(struct idd *m, struct space *s, const struct pairing *k, idd_ref set)
{
	struct cell c = *k->cell;

	if (c.proto_lo > PROTO_TCP || c.proto_hi < PROTO_TCP)
		return false;
	c.proto_lo = c.proto_hi = PROTO_TCP;
	c.states = STATES_FIRST;
	c.dport = *admin_ports();
	return idd_apply(m, IDD_AND, set, space_cell(m, s, &c, IDD_TRUE, IDD_FALSE)) != IDD_FALSE;
}

static void find(struct found *f, struct idd *m, struct space *s, const struct pairing *k,
		 idd_ref set, const idd_ref steps[SIDES])
{
	const struct judgement *other = k->j[!k->side];

	*f = (struct found){ 0 };
	if (set == IDD_FALSE)
		return;
	f->any = witness_pick(&f->witness, k->prover, m, s, set, other->direction);
	if (!f->any)
		return;
	f->states = states_of(m, s, set);
	f->admin = meets_admin(m, s, k, set);
	f->otherwise = arena_zero(k->prover->scratch, other->step_count);
	idd_numbers(m, idd_apply(m, IDD_MASK, set, steps[!k->side]), f->otherwise);
	find_regions(f, m, s, k, set, idd_map(m, steps[OLD], is_neighbour_old, k), steps[k->side]);
}

/* A packet of a new flow, under no assumption, is told rather than another. */
static bool tells_more(const struct witness *a, const struct witness *b)
{
	if (!a->assume_count != !b->assume_count)
		return !a->assume_count;
	return a->point.packet.state < b->point.packet.state;
}

bool same_circumstances(const struct point *a, const struct point *b, size_t unknowns)
{
	const struct packet *p = &a->packet, *q = &b->packet;

	return p->state == q->state && p->reply == q->reply && p->fragment == q->fragment &&
	       p->hop_limit == q->hop_limit && a->blocked == b->blocked &&
	       !memcmp(a->over, b->over, unknowns);
}

/* Exact when every part is. */
static void note_words(struct arena *a, struct words *w, const struct region_list *more, bool so_far)
{
	w->exact = more->exact && so_far;
	for (size_t i = 0; i < more->len; i++)
		vec_push(a, &w->regions, more->at[i]);
}

static void note(struct pairing *k, struct told *t, const struct found *f)
{
	const struct judgement *other = k->j[!k->side];
	struct arena *a = k->prover->arena;
	bool same = t->any && same_circumstances(&f->witness.point, &t->witness.point,
						 k->terms.unknowns.len);

	if (!f->any)
		return;
	if (!t->otherwise) {
		t->otherwise = arena_zero(a, other->step_count);
		t->rest = arena_zero(a, k->j[k->side]->step_count);
	}
	for (size_t i = 0; i < other->step_count; i++)
		t->otherwise[i] |= f->otherwise[i];
	for (int i = 0; i < WORDS; i++)
		note_words(a, &t->words[i], &f->words[i],
			   !t->any || (same && t->words[i].exact));
	for (size_t i = 0; i < k->j[k->side]->step_count; i++)
		t->rest[i] |= f->rest[i];
	if (!t->any || tells_more(&f->witness, &t->witness))
		t->witness = f->witness;
	t->states |= f->states;
	t->admin |= f->admin;
	t->changed += f->changed;
	t->own += f->own;
	t->any = true;
}

/* What is asked about: all that changed, or what was opened and is not permitted. */
static idd_ref within_question(struct idd *m, struct space *s, const struct pairing *k,
			       const struct slice *slices, const idd_ref verdicts[SIDES], idd_ref changed)
{
	idd_ref after, permitted;

	if (!k->access_only)
		return changed;
	after = idd_map(m, verdicts[NEW], is_allow, NULL);
	changed = idd_apply(m, IDD_AND, changed, after);
	if (!k->permits)
		return changed;
	permitted = idd_map(m, space_verdicts(m, s, &slices[PERMITS]), is_allow, NULL);
	return MUTANT(28, idd_apply(m, IDD_DIFF, changed, permitted), changed);
}

/*
 * What changes while nothing is blocked and no rate is exceeded, in these circumstances; and the packets
 * that change in others only, which the first would leave unsaid.
 */
static void split_calm(struct idd *m, struct space *s, const struct pairing *k, idd_ref set, idd_ref out[WHENS])
{
	const uint32_t *calm = arena_zero(k->prover->scratch, s->levels * sizeof *calm);

	out[WHEN_CALM] = idd_apply(m, IDD_AND, set, idd_fix(m, set, s->unknown_level, calm));
	out[WHEN_ELSE] = idd_apply(m, IDD_DIFF, set, out[WHEN_CALM]);
}

void ask_change(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct pairing *k = arg;
	idd_ref verdicts[SIDES], steps[SIDES], by_kind[KINDS];
	struct found found[KINDS][WHENS];
	idd_ref parts[KINDS][WHENS];
	bool touches;

	for (int i = 0; i < SIDES; i++)
		verdicts[i] = space_verdicts(m, s, &slices[i]);

	idd_ref changed = idd_apply(m, IDD_XOR, verdicts[OLD], verdicts[NEW]);

	changed = within_question(m, s, k, slices, verdicts, changed);
	if (changed == IDD_FALSE)
		return;
	for (int i = 0; i < SIDES; i++)
		steps[i] = space_steps(m, s, &slices[i]);
	split(m, part_of_step(m, s, k, steps, changed, &touches), verdicts, by_kind);
	for (int i = 0; i < KINDS; i++)
		split_calm(m, s, k, by_kind[i], parts[i]);
	for (int i = 0; i < KINDS * WHENS; i++)
		find(&found[i / WHENS][i % WHENS], m, s, k, parts[i / WHENS][i % WHENS], steps);
	for (int i = 0; i < KINDS * WHENS; i++) {
		const struct found *f = &found[i / WHENS][i % WHENS];

		k->q.progress.undecided += parts[i / WHENS][i % WHENS] != IDD_FALSE && !f->any;
		note(k, &k->told[i / WHENS][i % WHENS], f);
	}
	k->touches |= touches;
}
