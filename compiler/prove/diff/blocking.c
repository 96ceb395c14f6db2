/*
 * blocking.c - packets whose source a reflex blocks for a time, and by which it is not blocked any more: the
 * reflex is gone, narrower, silent in a posture, or something before it decides. Whether a verdict changes
 * or not, the source's other packets come through.
 *
 * As with verdicts, only what an edited step has can be so, or what two steps have that are equal but for that.
 */
#include <assert.h>
#include <string.h>

#include "compiler/prove/diff/pairing.h"
#include "lang/base/strmap.h"

struct blocking {
	struct pairing *k;
	const struct ir_list *reflexes; /* of the old policy */
	uint64_t *blocks_ns;		/* by reflex: what is to be found of it; 0 when it has been told */
	VEC(uint64_t) times_ns;		/* each of them once */
	struct asking q;

	/* of a part: a packet, and by which reflex its source was blocked */
	bool found;
	struct witness witness;
	const struct ir_rule *rule;
};

static uint64_t old_block(const struct blocking *b, uint32_t step)
{
	const struct ir_rule *r = b->k->j[OLD]->steps[step].rule;

	return r && r->layer == LAYER_REFLEX ? b->blocks_ns[r - b->reflexes->rules] : 0;
}

static uint64_t new_block(const struct blocking *b, uint32_t step)
{
	const struct ir_rule *r = b->k->j[NEW]->steps[step].rule;

	return r ? r->block_ns : 0;
}

/* --- in a window ------------------------------------------------------------------------ */

struct so_long {
	const struct blocking *b;
	uint64_t ns;
};

static idd_ref was_blocking(const void *arg, uint32_t step)
{
	const struct so_long *l = arg;

	return old_block(l->b, step) >= l->ns ? IDD_TRUE : IDD_FALSE;
}

static idd_ref is_blocking(const void *arg, uint32_t step)
{
	const struct so_long *l = arg;

	return new_block(l->b, step) >= l->ns ? IDD_TRUE : IDD_FALSE;
}

static idd_ref is_allowed(const void *arg, uint32_t verdict)
{
	(void)arg;
	return verdict == VERDICT_ALLOW ? IDD_TRUE : IDD_FALSE;
}

/* Blocked for so long before, and not now. */
static idd_ref lost_of(struct idd *m, const struct blocking *b, const idd_ref steps[SIDES], uint64_t ns)
{
	const struct so_long l = { b, ns };

	return idd_apply(m, IDD_DIFF, idd_map(m, steps[OLD], was_blocking, &l), idd_map(m, steps[NEW], is_blocking, &l));
}

/* That a packet itself is admitted is told as what was opened; unless that is permitted. */
static void ask_blocking(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct blocking *b = arg;
	const idd_ref steps[SIDES] = { space_steps(m, s, &slices[OLD]), space_steps(m, s, &slices[NEW]) };
	idd_ref lost = IDD_FALSE;

	for (size_t i = 0; i < b->times_ns.len; i++)
		lost = idd_apply(m, IDD_OR, lost, lost_of(m, b, steps, b->times_ns.at[i]));
	if (!b->k->permits)
		lost = idd_apply(m, IDD_DIFF, lost, idd_map(m, space_verdicts(m, s, &slices[NEW]), is_allowed, NULL));
	if (lost == IDD_FALSE)
		return;
	if (!witness_pick(&b->witness, b->k->prover, m, s, lost, b->k->j[NEW]->direction)) {
		b->q.progress.undecided++;
		return;
	}
	b->rule = witness_decider(b->k->j[OLD], &b->witness).rule;
	assert(b->rule && b->rule->layer == LAYER_REFLEX && b->blocks_ns[b->rule - b->reflexes->rules]); /* else it is looked for without an end */
	witness_replay(&b->witness, &b->k->terms, b->k->j[NEW]);
	b->found = b->q.done = true;
}

/* --- where ------------------------------------------------------------------------------- */

static void tell(struct blocking *b)
{
	struct arena *a = b->k->prover->arena;
	own(buf) struct buf text = { 0 };
	const struct judgement *j = b->k->j[NEW];

	witness_print(&text, &b->witness);
	fact_flagged(b->k, FACT_BLOCK_TIME, FLAG(EFFECT_LOST), arena_printf(a, "%s in %s", b->rule->id, j->ir->postures[j->posture].name),
		     arena_printf(a, "blocks the source for %gs", (double)b->rule->block_ns / 1e9),
		     arena_printf(a, "%s by %s", verdict_name(b->witness.decider.verdict), b->witness.decider.why));
	b->k->facts.at[b->k->facts.len - 1].example = arena_strdup(a, buf_text(&text));
	b->blocks_ns[b->rule - b->reflexes->rules] = 0;
}

/* Until nothing is found that has not been told. */
static void look_around(struct blocking *b, const struct judgement *j, const struct step *s)
{
	for (uint32_t i = s->first; i < s->first + s->count; i++) {
		struct window all = window_all(&b->k->terms, j->cells[i].family, 1u << CT_NEW), w;

		if (!window_around(&w, &all, &j->cells[i]))
			continue;
		do {
			b->found = b->q.done = false;
			asking_run(&b->q, &w, b->k->j, SIDES);
			if (b->found)
				tell(b);
		} while (b->found);
	}
}

static void look_at_edited(struct blocking *b, enum which side)
{
	const struct judgement *j = b->k->j[side];

	for (size_t i = 0; i < j->layer4; i++)
		if (b->k->edited[side][i])
			look_around(b, j, &j->steps[i]);
}

/* Steps that both have in one order. */
static void look_at_equal(struct blocking *b)
{
	const struct judgement *x = b->k->j[OLD], *y = b->k->j[NEW];

	for (uint32_t i = 0, j = 0;; i++, j++) {
		while (i < x->layer4 && b->k->edited[OLD][i])
			i++;
		while (j < y->layer4 && b->k->edited[NEW][j])
			j++;
		if (i == x->layer4 || j == y->layer4)
			return;
		if (old_block(b, i) > new_block(b, j))
			look_around(b, x, &x->steps[i]);
	}
}

/* Of a reflex that blocks for less, that has been told. */
static uint64_t to_be_found(const struct strmap *new, const struct ir_rule *r)
{
	const struct ir_rule *now = r->block_ns ? strmap_find(new, r->id) : NULL;

	return now && now->block_ns < r->block_ns ? now->block_ns : r->block_ns;
}

static void note_time(struct blocking *b, uint64_t ns)
{
	for (size_t i = 0; i < b->times_ns.len; i++)
		if (b->times_ns.at[i] == ns)
			return;
	if (ns)
		vec_push(b->k->prover->arena, &b->times_ns, ns);
}

void compare_blocking(struct pairing *k)
{
	const struct ir_list *l = &k->ir[OLD]->reflexes, *now = &k->ir[NEW]->reflexes;
	struct blocking b = { .k = k, .reflexes = l, .blocks_ns = arena_zero(k->prover->arena, (l->count + 1) * sizeof *b.blocks_ns) };
	struct strmap new;

	strmap_init(&new, k->prover->arena);
	for (size_t i = 0; i < now->count; i++)
		strmap_put(&new, now->rules[i].id, &now->rules[i]);
	for (size_t i = 0; i < l->count; i++)
		note_time(&b, b.blocks_ns[i] = to_be_found(&new, &l->rules[i]));
	if (!b.times_ns.len)
		return;
	b.q = (struct asking){ .prover = k->prover, .terms = &k->terms, .most = SLICE_CELLS, .ask = ask_blocking, .arg = &b };
	look_at_edited(&b, OLD);
	look_at_edited(&b, NEW);
	look_at_equal(&b);
	progress_add(&k->q.progress, &b.q.progress);
}
