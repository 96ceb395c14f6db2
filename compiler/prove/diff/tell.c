/*
 * tell.c - a set of packets that fare otherwise as a change: in words, with its flags, its risk
 * and an example.
 */
#include "compiler/prove/diff/pairing.h"

#include <string.h>

static const struct {
	const char *name;
	enum risk level;
} risks[FLAG_COUNT] = {
#define RISK(id, text, rank, about) [FLAG_##id] = { text, RISK_##rank },
#include "compiler/prove/diff/risk.def"
#undef RISK
};

const char *flag_name(enum change_flag f)
{
	return risks[f].name;
}

/* --- what was found, as changes ----------------------------------------------------- */

static bool has_tcp(const struct region *r)
{
	for (size_t i = 0; i < r->proto.len; i++)
		if (r->proto.at[i].lo <= 6 && 6 <= r->proto.at[i].hi)
			return true;
	return false;
}

/* More than half of all addresses: nobody trusts so many. */
static bool is_most(const struct values *v, uint8_t families)
{
	double last = families & 1u << FAMILY_IP4 ? 0x1p32 : 0x1p128, sum = 0;

	for (size_t i = 0; i < v->len; i++)
		sum += (double)(v->at[i].hi - v->at[i].lo) + 1;
	return v->all || sum > last / 2;
}

static unsigned flags_of_region(const struct region *r)
{
	bool from_any = r->src_own != OWN_ONLY && is_most(&r->src, r->families);
	bool to_any = r->dst.all && r->dst_own != OWN_ONLY;
	unsigned flags = from_any ? FLAG(FROM_UNTRUSTED) : 0;

	if (from_any && to_any && r->dport.all && (r->proto.all || has_tcp(r)))
		flags |= FLAG(ANY_ANY);
	return flags;
}

static bool has_reflex(const struct ir *ir, const char *id)
{
	for (size_t i = 0; i < ir->reflexes.count; i++)
		if (!strcmp(ir->reflexes.rules[i].id, id))
			return true;
	return false;
}

#define MOST 0.5 /* of a rule that opens everything: less is not everything */

/* Who may come in is asked of new flows only. `admin`: to a port that administers. */
static unsigned flags_of(const struct pairing *k, const struct change *c, bool admin)
{
	const struct ir_rule *before = c->witness.decider.rule, *now = c->now.rule;
	bool access = c->kind == CHANGE_OPENED && (c->states & STATES_FIRST);
	unsigned flags = c->conditional ? FLAG(OPAQUE) : 0;

	for (size_t i = 0; access && i < c->box_count; i++)
		flags |= flags_of_region(&c->boxes[i]);
	if (access && admin)
		flags |= FLAG(ADMIN_PORT);
	if (!c->exact && c->share < MOST)
		flags &= ~FLAG(ANY_ANY);
	if (c->kind == CHANGE_OPENED && now && now->is_default)
		flags |= FLAG(DEFAULT_OPENED);
	if (c->kind == CHANGE_OPENED && before && before->rate && !has_reflex(k->ir[NEW], before->id))
		flags |= FLAG(RATE_UNBOUNDED);
	if (c->kind == CHANGE_CLOSED && before && before->layer == LAYER_LIFELINE)
		flags |= FLAG(SELF_LOCKOUT);
	if (c->kind == CHANGE_CLOSED && !(c->states & STATES_FIRST) &&
	    (c->states & 1u << CT_ESTABLISHED))
		flags |= FLAG(ESTABLISHED_CUT);
	return flags;
}

enum risk flags_risk(unsigned flags, enum risk least)
{
	enum risk worst = least;

	for (unsigned f = 0; f < FLAG_COUNT; f++)
		if ((flags >> f & 1) && risks[f].level > worst)
			worst = risks[f].level;
	return worst;
}

/* `first` before all, if it is one; then rules in order; then what no rule says. */
static struct decider *deciders_in(struct pairing *k, const struct judgement *j, const bool *which,
				   const struct decider *first, size_t *count)
{
	VEC(struct decider) list = { 0 };

	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < j->step_count; i++) {
			struct decider d = decider_of(&j->steps[i]);
			bool leads = first && d.rule == first->rule && !strcmp(d.why, first->why);

			if (which[i] && turn == (leads ? 0 : d.rule ? 1 : 2))
				vec_push(k->prover->arena, &list, d);
		}
	*count = list.len;
	return list.at;
}

static struct decider counterpart_of(const struct pairing *k, const struct step *s)
{
	const struct judgement *other = k->j[!k->side];

	for (size_t i = 0; s->rule && i < other->step_count; i++)
		if (k->edited[!k->side][i] && other->steps[i].rule &&
		    !strcmp(other->steps[i].rule->id, s->rule->id))
			return decider_of(&other->steps[i]);
	return (struct decider){ 0 };
}

/* The nearest port outside the witness's range that is treated as before. */
static const char *edge_of(const struct pairing *k, const struct witness *w,
			   const struct region *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		for (size_t n = 0; !at[i].dport.all && n < at[i].dport.len; n++) {
			struct value_range r = at[i].dport.at[n];
			struct witness beside = *w;

			if (w->point.packet.dport < r.lo || w->point.packet.dport > r.hi)
				continue;
			beside.point.packet.dport = (uint16_t)(r.hi < UINT16_MAX ? r.hi + 1 : r.lo - 1);

			struct decider a = witness_decider(k->j[OLD], &beside);
			struct decider b = witness_decider(k->j[NEW], &beside);

			if (a.verdict == b.verdict)
				return arena_printf(k->prover->arena, "port %u stays %s",
						    beside.point.packet.dport,
						    verdict_name(a.verdict));
		}
	return NULL;
}

static struct region_lines lines_of(const struct pairing *k, const struct words *w)
{
	return region_lines(k->prover->arena, w->regions.at, w->regions.len, &k->terms, k->ir[OLD],
			    k->ir[NEW]);
}

/* One line that is exact is best; else the way that takes fewer. */
static enum words_kind best_words(const struct pairing *k, const struct told *t)
{
	const struct words *exact = &t->words[WORDS_EXACT], *beside = &t->words[WORDS_BESIDE];

	if (!exact->exact)
		return beside->exact ? WORDS_BESIDE : WORDS_CELLS;
	if (!beside->exact || lines_of(k, exact).len <= lines_of(k, beside).len)
		return WORDS_EXACT;
	return WORDS_BESIDE;
}

static void tell(struct pairing *k, enum change_kind kind, enum when when, struct told *t)
{
	const struct judgement *own = k->j[k->side];
	enum words_kind way = best_words(k, t);
	const struct words *words = &t->words[way];
	struct region_lines lines = lines_of(k, words);
	struct change c = {
		.kind = kind,
		.posture = own->ir->postures[own->posture].name,
		.direction = own->direction,
		.added = k->side == NEW,
		.cause = decider_of(&own->steps[k->step]),
		.counterpart = counterpart_of(k, &own->steps[k->step]),
		.exact = way != WORDS_CELLS || words->exact,
		.beside = way == WORDS_BESIDE,
		.share = t->own > 0 ? t->changed / t->own : 1,
		.states = t->states,
		.conditional = when == WHEN_ELSE,
		.witness = t->witness,
	};

	witness_replay(&c.witness, &k->terms, k->j[OLD]);
	c.witness.replays &= witness_replays(&c.witness, &k->terms, k->j[NEW]);
	c.now = witness_decider(k->j[NEW], &c.witness);
	c.boxes = words->regions.at;
	c.box_count = words->regions.len;
	c.regions = lines.at;
	c.region_count = lines.len;
	c.otherwise = deciders_in(k, k->j[!k->side], t->otherwise,
				  c.added ? &c.witness.decider : &c.now, &c.otherwise_count);
	t->rest[k->step] &= !k->access_only; /* there, it decides what is permitted */
	c.rest = deciders_in(k, own, t->rest, NULL, &c.rest_count);
	c.edge = edge_of(k, &c.witness, c.boxes, c.box_count);
	c.flags = flags_of(k, &c, t->admin);
	c.risk = flags_risk(c.flags, kind == CHANGE_OPENED ? RISK_MEDIUM : RISK_LOW);
	vec_push(k->prover->arena, &k->changes, c);
}

/* --- edits -------------------------------------------------------------------------- */

/* Is there an equal step among the edited ones of the other policy? Then it was moved. */
static bool was_moved(const struct pairing *k, const struct step *s)
{
	const struct judgement *own = k->j[k->side], *other = k->j[!k->side];

	for (size_t i = 0; i < other->step_count; i++)
		if (k->edited[!k->side][i] && step_same(own, s, other, &other->steps[i]))
			return true;
	return false;
}

static bool is_idle_id(const struct pairing *k, const char *id)
{
	for (size_t i = 0; i < k->idle_ids.len; i++)
		if (!strcmp(k->idle_ids.at[i], id))
			return true;
	return false;
}

/*
 * A changed rule is a new one in the place of an old one. Without effect it is
 * when both are; the new one is looked at first.
 */
static bool settles_changed(struct pairing *k, const struct step *s, enum idle_kind *kind)
{
	if (!counterpart_of(k, s).why)
		return true;
	*kind = IDLE_CHANGED;
	if (k->side == OLD)
		return is_idle_id(k, s->rule->id);
	vec_push(k->prover->arena, &k->idle_ids, s->rule->id);
	return false;
}

static void note_idle(struct pairing *k)
{
	const struct judgement *own = k->j[k->side];
	const struct step *s = &own->steps[k->step];
	bool moved = was_moved(k, s);
	struct idle i = {
		.kind = moved ? IDLE_MOVED : k->side == NEW ? IDLE_ADDED : IDLE_REMOVED,
		.posture = own->ir->postures[own->posture].name,
		.direction = own->direction,
		.rule = decider_of(s),
	};

	if (!s->rule || (moved && k->side == OLD) ||
	    (!s->count && s->rule->layer != LAYER_POSTURE))
		return;
	if (moved || settles_changed(k, s, &i.kind))
		vec_push(k->prover->arena, &k->idles, i);
}

static void look_at_step(struct pairing *k, enum which side, uint32_t step)
{
	const struct judgement *j = k->j[side];
	size_t undecided = k->q.progress.undecided;

	k->side = side;
	k->step = step;
	k->touches = false;
	memset(k->told, 0, sizeof k->told);
	for (uint32_t i = 0; i < j->steps[step].count; i++) {
		const struct cell *c = &j->cells[j->steps[step].first + i];
		struct window all = window_all(&k->terms, c->family, STATES_ALL), w;

		k->cell = c;
		k->q.more = c;
		if (window_around(&w, &all, c))
			asking_run(&k->q, &w, k->j, k->permits ? SIDES + 1 : SIDES);
	}
	for (int kind = 0; kind < KINDS; kind++)
		for (int when = 0; when < WHENS; when++)
			if (k->told[kind][when].any)
				tell(k, (enum change_kind)kind, (enum when)when, &k->told[kind][when]);
	if (!k->touches && k->q.progress.undecided == undecided)
		note_idle(k);
}

/* Steps that both have in one order, under another label. */
static void find_renames(struct pairing *k)
{
	const struct judgement *a = k->j[OLD], *b = k->j[NEW];

	for (size_t i = 0, j = 0;; i++, j++) {
		while (i < a->step_count && k->edited[OLD][i])
			i++;
		while (j < b->step_count && k->edited[NEW][j])
			j++;
		if (i == a->step_count || j == b->step_count)
			return;

		struct idle renamed = { IDLE_RENAMED, a->ir->postures[a->posture].name,
					a->direction, decider_of(&b->steps[j]) };

		if (strcmp(step_name(&a->steps[i]), step_name(&b->steps[j])) != 0)
			vec_push(k->prover->arena, &k->idles, renamed);
	}
}

const struct ir_posture *posture_named(const struct ir *ir, const char *name, unsigned *index)
{
	for (unsigned i = 0; i < ir->posture_count; i++)
		if (!strcmp(ir->postures[i].name, name)) {
			*index = i;
			return &ir->postures[i];
		}
	return NULL;
}

/* The posture that says what is permitted in this one. */
static unsigned permitting(const struct pairing *k, unsigned posture)
{
	unsigned found = k->permits->initial;

	posture_named(k->permits, k->ir[NEW]->postures[posture].name, &found);
	return found;
}

void pairing_compare(struct pairing *k, unsigned old_posture, unsigned new_posture, enum direction d)
{
	pairing_verdicts(k, old_posture, new_posture, d);
	if (d == DIRECTION_IN) /* the first hook does not know where a packet goes */
		compare_blocking(k);
	if (!k->access_only) {
		compare_effects(k);
		compare_signatures(k);
	}
}

void pairing_verdicts(struct pairing *k, unsigned old_posture, unsigned new_posture, enum direction d)
{
	struct edits e;

	k->j[OLD] = judgement_make(&k->terms, k->ir[OLD], old_posture, d, 0);
	k->j[NEW] = judgement_make(&k->terms, k->ir[NEW], new_posture, d, 0);
	if (k->permits)
		k->j[PERMITS] = judgement_of_rules(&k->terms, k->permits, permitting(k, new_posture), d);
	e = edits_find(k->prover->arena, k->j[OLD], k->j[NEW]);
	k->edited[OLD] = e.a;
	k->edited[NEW] = e.b;
	k->idle_ids.len = 0;
	find_renames(k);
	for (uint32_t i = 0; i < k->j[NEW]->step_count; i++)
		if (e.b[i])
			look_at_step(k, NEW, i);
	for (uint32_t i = 0; i < k->j[OLD]->step_count; i++)
		if (e.a[i])
			look_at_step(k, OLD, i);
}
