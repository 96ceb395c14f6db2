#include "compiler/prove/alike.h"

#include <string.h>

#include "compiler/prove/prover.h"

struct judgement *alike_list(struct arena *a, const struct ir *ir, unsigned posture,
			     enum direction direction, const struct listed *at, size_t count)
{
	struct judgement *j = arena_zero(a, sizeof *j);

	j->ir = ir;
	j->posture = posture;
	j->direction = direction;
	j->steps = arena_zero(a, (count + 1) * sizeof *j->steps);
	j->cells = arena_zero(a, (count + 1) * sizeof *j->cells);
	for (size_t i = 0; i < count; i++) {
		if (!i || at[i].outcome != at[i - 1].outcome)
			j->steps[j->step_count++] = (struct step){ .outcome = at[i].outcome, .first = (uint32_t)i };
		j->cells[i] = at[i].cell;
		j->cells[i].step = (uint32_t)j->step_count - 1;
		j->steps[j->step_count - 1].count++;
	}
	j->cell_count = count;
	j->layer4 = j->step_count;
	return j;
}

struct comparing {
	struct prover *prover;
	const struct terms *terms;
	const struct window *window;
	struct judgement *pair[2];
	struct asking q;
	bool found; /* packets that the lists do not treat alike */
	struct alike out;
};

/* --- in a window ------------------------------------------------------------------------ */

static idd_ref difference(struct idd *m, struct space *s, const struct slice *slices)
{
	idd_ref x = space_outcomes(m, s, &slices[0]), y = space_outcomes(m, s, &slices[1]);

	return idd_apply(m, IDD_XOR, x, y);
}

static uint32_t outcome_of(const struct judgement *j, const struct point *p)
{
	for (size_t i = 0; i < j->cell_count; i++)
		if (cell_has(&j->cells[i], p))
			return j->steps[j->cells[i].step].outcome;
	return ALIKE_NOTHING;
}

static void ask_difference(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct comparing *k = arg;
	idd_ref some = difference(m, s, slices);
	struct witness w;

	if (some == IDD_FALSE)
		return;
	if (!witness_pick(&w, k->prover, m, s, some, k->pair[0]->direction)) {
		k->q.progress.undecided++;
		return;
	}
	k->out.witness = w;
	k->out.meant = outcome_of(k->pair[0], &w.point);
	k->out.made = outcome_of(k->pair[1], &w.point);
	k->found = k->q.done = true;
}

static void ask_whether(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct comparing *k = arg;

	k->found |= difference(m, s, slices) != IDD_FALSE;
	k->q.done = k->found;
}

/* --- step by step ------------------------------------------------------------------------- */

static bool same_outcomes(const struct judgement *x, const struct judgement *y)
{
	if (x->step_count != y->step_count)
		return false;
	for (size_t i = 0; i < x->step_count; i++)
		if (x->steps[i].outcome != y->steps[i].outcome)
			return false;
	return true;
}

/* The cells of one step as a list of their own; they keep pointing to the steps of the whole. */
static struct judgement step_alone(const struct judgement *j, size_t step)
{
	struct judgement one = *j;

	one.cells = &j->cells[j->steps[step].first];
	one.cell_count = j->steps[step].count;
	return one;
}

/* --- cells joined ------------------------------------------------------------------------- */

#define JOINED_MOST 32

/* Steps of few cells, in one form: lowerings join boxes that differ in one field. */
struct joined {
	struct cell at[JOINED_MOST];
	size_t len;
};

static bool same_but(const struct cell *x, const struct cell *y, struct ranges *(*part)(struct cell *c))
{
	struct cell a = *x, b = *y;

	*part(&a) = *part(&b);
	return cell_same(&a, &b);
}

static struct ranges *dport_of(struct cell *c)
{
	return &c->dport;
}

static struct ranges *sport_of(struct cell *c)
{
	return &c->sport;
}

static struct ranges *icmp_of(struct cell *c)
{
	return &c->icmp;
}

static bool join_zones(struct cell *x, const struct cell *y)
{
	struct cell other = *y;

	other.zones = x->zones;
	if (!cell_same(x, &other))
		return false;
	x->zones |= y->zones;
	return true;
}

static bool join_cells(struct arena *a, struct cell *x, struct cell *y)
{
	static struct ranges *(*const parts[])(struct cell *c) = { dport_of, sport_of, icmp_of };

	y->step = x->step;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (same_but(x, y, parts[i])) {
			*parts[i](x) = ranges_join(a, parts[i](x), parts[i](y));
			return true;
		}
	return join_zones(x, y);
}

static void join_all(struct arena *a, struct joined *k)
{
	for (size_t i = 0; i < k->len; i++)
		for (size_t j = i + 1; j < k->len; j++)
			if (join_cells(a, &k->at[i], &k->at[j])) {
				k->at[j] = k->at[--k->len];
				j = i;
			}
}

static bool join_step(struct arena *a, struct joined *k, const struct judgement *j, size_t step)
{
	const struct step *s = &j->steps[step];

	if (s->count > JOINED_MOST)
		return false;
	memcpy(k->at, &j->cells[s->first], s->count * sizeof *k->at);
	k->len = s->count;
	join_all(a, k);
	return true;
}

static bool same_joined(const struct joined *x, const struct joined *y)
{
	for (size_t i = 0, k; i < x->len; i++) {
		for (k = 0; k < y->len && !cell_same(&x->at[i], &y->at[k]); k++)
			;
		if (k == y->len)
			return false;
	}
	return x->len == y->len;
}

/* Surely the same: where this says no, diagrams say whether. */
static bool same_by_joining(struct comparing *k, size_t step)
{
	own(arena) struct arena *a = arena_new();
	struct joined x, y;

	return join_step(a, &x, k->pair[0], step) && join_step(a, &y, k->pair[1], step) && same_joined(&x, &y);
}

/* Do two steps have the same packets? A question that the budget leaves open is one for the lists. */
static bool same_packets(struct comparing *k, size_t step)
{
	struct judgement meant = step_alone(k->pair[0], step), made = step_alone(k->pair[1], step);
	struct judgement *const pair[] = { &meant, &made };

	if (step_same_cells(k->pair[0], &k->pair[0]->steps[step], k->pair[1], &k->pair[1]->steps[step]) ||
	    same_by_joining(k, step))
		return true;
	k->q = (struct asking){ .prover = k->prover, .terms = k->terms, .most = SLICE_CELLS,
				.ask = ask_whether, .arg = k };
	asking_run(&k->q, k->window, pair, 2);
	bool same = !k->found && !k->q.progress.undecided;
	k->found = false;
	return same;
}

static struct edits edits_by_step(struct comparing *k)
{
	const size_t count = k->pair[0]->step_count;
	struct edits e = { .a = arena_zero(k->prover->arena, count + 1) };

	e.b = e.a;
	for (size_t i = 0; i < count; i++)
		if (!same_packets(k, i)) {
			e.a[i] = true;
			e.a_count++;
			e.b_count++;
		}
	return e;
}

static struct edits edits_by_hash(struct comparing *k)
{
	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < k->pair[side]->step_count; i++)
			judgement_hash(k->pair[side], &k->pair[side]->steps[i]);
	return edits_find(k->prover->arena, k->pair[0], k->pair[1]);
}

/* --- the lists ------------------------------------------------------------------------------ */

/* More edits than this, and looking at everything once is less work. */
#define EDITS_MOST 64

static void compare_edited(struct comparing *k, const struct judgement *j, const bool *edited)
{
	k->q.most = SLICE_CELLS;
	for (size_t i = 0; i < j->cell_count; i++) {
		struct window w;

		if (edited[j->cells[i].step] && window_around(&w, k->window, &j->cells[i]))
			asking_run(&k->q, &w, k->pair, 2);
	}
}

struct alike prove_alike(struct prover *p, const struct terms *terms, const struct window *w,
			 struct judgement *meant, struct judgement *made)
{
	struct comparing k = { .prover = p, .terms = terms, .window = w, .pair = { meant, made } };
	struct edits e = same_outcomes(meant, made) ? edits_by_step(&k) : edits_by_hash(&k);

	k.q = (struct asking){ .prover = p, .terms = terms, .most = WINDOW_CELLS, .ask = ask_difference, .arg = &k };
	if (e.a_count + e.b_count > EDITS_MOST) {
		asking_run(&k.q, w, k.pair, 2);
	} else {
		compare_edited(&k, meant, e.a);
		compare_edited(&k, made, e.b);
	}
	k.out.progress = k.q.progress;
	k.out.answer = k.found ? ANSWER_REFUTED : k.q.progress.undecided ? ANSWER_UNDECIDED : ANSWER_PROVED;
	return k.out;
}
