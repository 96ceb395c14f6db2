/*
 * effects.c - what rules and reflexes tell: logs and events that come, go, or come more rarely.
 *
 * A rule is compared with its equal in the other policy, wherever it stands and whatever it is called,
 * or else with the one of its id. An inherited rule is told of once, with the postures that have it.
 */
#include <string.h>

#include "compiler/prove/diff/pairing.h"

static bool has_effects(const struct ir_rule *r)
{
	return r->effects.log || r->effects.emits;
}

static const char *effects_text(struct arena *a, const struct ir_rule *r)
{
	own(buf) struct buf out = { 0 };

	if (r->effects.log)
		buf_printf(&out, "log \"%s\"", r->effects.log);
	if (r->effects.emits)
		buf_printf(&out, "%semit %s", out.len ? ", " : "", event_severity_name(r->effects.severity));
	if (r->effects.emits && r->effects.one_in > 1)
		buf_printf(&out, ", 1 in %lu", (unsigned long)r->effects.one_in);
	return out.len ? arena_strdup(a, buf_text(&out)) : "nothing";
}

/* Fewer lines or events, or events that weigh less. */
static bool loses(const struct ir_rule *a, const struct ir_rule *b)
{
	const struct pol_effects *x = &a->effects, *y = &b->effects;

	return (x->log && !y->log) || (x->emits && !y->emits) ||
	       (x->emits && y->emits && (y->severity < x->severity || y->one_in > x->one_in));
}

static void add(struct pairing *k, const struct ir_rule *rule, const char *before, const char *after, bool lost)
{
	struct arena *a = k->prover->arena;
	bool inherited = rule->layer == LAYER_POSTURE;
	struct told_effect e = { inherited ? rule->label : rule->id, NULL, before, after, lost };

	for (size_t i = 0; i < k->effects.len; i++) {
		struct told_effect *x = &k->effects.at[i];

		if (strcmp(x->what, e.what) || strcmp(x->before, before) || strcmp(x->after, after) || x->lost != lost)
			continue;
		if (inherited && !strstr(x->postures, k->posture))
			x->postures = arena_printf(a, "%s, %s", x->postures, k->posture);
		return;
	}
	e.postures = inherited ? k->posture : NULL;
	vec_push(a, &k->effects, e);
}

static void compare(struct pairing *k, const struct ir_rule *a, const struct ir_rule *b)
{
	const char *before = effects_text(k->prover->arena, a), *after;

	if (!b) {
		add(k, a, before, "gone", true);
		return;
	}
	after = effects_text(k->prover->arena, b);
	if (strcmp(before, after))
		add(k, b, before, after, loses(a, b));
}

/* --- of a posture and direction ----------------------------------------------------------- */

static const struct ir_rule *other_of(const struct pairing *k, const struct step *s)
{
	const struct judgement *other = k->j[NEW];
	const struct ir_rule *by_id = NULL;

	for (size_t i = 0; i < other->step_count; i++) {
		const struct ir_rule *r = other->steps[i].rule;

		if (!r || !k->edited[NEW][i])
			continue;
		if (!strcmp(r->id, s->rule->id))
			return r;
		if (!by_id && step_same(k->j[OLD], s, other, &other->steps[i]))
			by_id = r;
	}
	return by_id;
}

/* A rule of the new policy that tells more than the one of its id did. */
static void compare_gained(struct pairing *k, const struct ir_rule *rule)
{
	const struct judgement *old = k->j[OLD];

	for (size_t i = 0; i < old->step_count; i++) {
		const struct ir_rule *r = old->steps[i].rule;

		if (r && k->edited[OLD][i] && !has_effects(r) && !strcmp(r->id, rule->id))
			compare(k, r, rule);
	}
}

void compare_effects(struct pairing *k)
{
	const struct judgement *a = k->j[OLD], *b = k->j[NEW];

	k->posture = b->ir->postures[b->posture].name;
	for (size_t i = 0, j = 0;; i++, j++) {
		for (; i < a->step_count && k->edited[OLD][i]; i++)
			if (a->steps[i].rule && has_effects(a->steps[i].rule))
				compare(k, a->steps[i].rule, other_of(k, &a->steps[i]));
		for (; j < b->step_count && k->edited[NEW][j]; j++)
			if (b->steps[j].rule && has_effects(b->steps[j].rule))
				compare_gained(k, b->steps[j].rule);
		if (i == a->step_count || j == b->step_count)
			return;
		if (a->steps[i].rule && b->steps[j].rule)
			compare(k, a->steps[i].rule, b->steps[j].rule);
	}
}

/* --- reflexes that only tell -------------------------------------------------------------- */

static struct judgement *judge_watches(struct pairing *k, enum which side, struct ir *copy)
{
	const struct ir *ir = k->ir[side];
	struct ir_rule *rules = arena_copy(k->prover->arena, ir->watches.rules, ir->watches.count * sizeof *rules);

	for (size_t i = 0; i < ir->watches.count; i++)
		rules[i].except = 0;
	*copy = *ir;
	copy->reflexes = (struct ir_list){ rules, ir->watches.count };
	terms_add(&k->terms, copy);
	return judgement_make(&k->terms, copy, 0, DIRECTION_IN, 0);
}

static const struct step *watch_step(const struct judgement *j, const char *id)
{
	for (size_t i = 0; i < j->step_count; i++)
		if (j->steps[i].rule && j->steps[i].rule->layer == LAYER_REFLEX && !strcmp(j->steps[i].rule->id, id))
			return &j->steps[i];
	return NULL;
}

static const struct ir_rule *watch_named(const struct ir *ir, const char *id)
{
	for (size_t i = 0; i < ir->watches.count; i++)
		if (!strcmp(ir->watches.rules[i].id, id))
			return &ir->watches.rules[i];
	return NULL;
}

void compare_watches(struct pairing *k)
{
	struct ir copies[SIDES];
	struct judgement *x, *y;

	if (!k->ir[OLD]->watches.count)
		return;
	x = judge_watches(k, OLD, &copies[OLD]);
	y = judge_watches(k, NEW, &copies[NEW]);
	for (size_t i = 0; i < k->ir[OLD]->watches.count; i++) {
		const struct ir_rule *a = &k->ir[OLD]->watches.rules[i], *b = watch_named(k->ir[NEW], a->id);
		const struct step *s = watch_step(x, a->id), *t = watch_step(y, a->id);

		compare(k, a, b);
		if (b && s && t && (!step_same(x, s, y, t) || a->except != b->except))
			add(k, b, "tells of its packets", "of others", false);
	}
}

void effects_told(struct pairing *k)
{
	for (size_t i = 0; i < k->effects.len; i++) {
		const struct told_effect *e = &k->effects.at[i];
		const char *what = e->postures ? arena_printf(k->prover->arena, "%s of %s", e->what, e->postures) : e->what;

		fact_flagged(k, FACT_EFFECTS, e->lost ? FLAG(EFFECT_LOST) : 0, what, e->before, e->after);
	}
}
