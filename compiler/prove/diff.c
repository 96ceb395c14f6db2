#include "compiler/prove/diff.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "compiler/prove/admin.h"
#include "compiler/prove/mutant.h"
#include "compiler/prove/prover.h"
#include "compiler/prove/region.h"
#include "lang/base/strmap.h"

#define KINDS 3

const char *change_kind_name(enum change_kind k)
{
	switch (k) {
	case CHANGE_OPENED:
		return "opened";
	case CHANGE_CLOSED:
		return "closed";
	case CHANGE_EFFECT:
		break;
	}
	return "effect";
}

const char *risk_name(enum risk r)
{
	switch (r) {
	case RISK_NONE:
		return "none";
	case RISK_LOW:
		return "low";
	case RISK_MEDIUM:
		return "medium";
	case RISK_HIGH:
		return "high";
	case RISK_CRITICAL:
		break;
	}
	return "critical";
}

static const struct {
	const char *name;
	enum risk level;
} risks[FLAG_COUNT] = {
#define RISK(id, text, rank, about) [FLAG_##id] = { text, RISK_##rank },
#include "compiler/prove/risk.def"
#undef RISK
};

const char *flag_name(enum change_flag f)
{
	return risks[f].name;
}

/* --- one pair of judgements --------------------------------------------------------- */

/*
 * What changed can be said in three ways: exactly; exactly but for what layers
 * before the rule's own decide, which are then named; and by naming the cells
 * in which it lies, and how much of them.
 */
enum words_kind { WORDS_EXACT, WORDS_BESIDE, WORDS_CELLS, WORDS };

/* What one edited step changed, kind by kind, window after window. */
struct told {
	bool any, conditional, admin;
	struct witness witness;
	uint8_t states;
	bool *otherwise; /* by step of the other policy */
	struct words {
		bool exact;
		VEC(struct region) regions;
	} words[WORDS];
	bool *rest;		     /* by step of the own policy: decides what did not change */
	double changed, own;	     /* shares of all packets */
};

enum which { OLD, NEW, SIDES, PERMITS = SIDES };

struct pairing {
	struct prover *prover;
	struct terms terms;
	bool access_only;	     /* nothing but what was opened, beyond what `permits` has */
	const struct ir *permits;    /* or NULL */
	struct judgement *j[SIDES + 1]; /* the last: what is permitted */
	bool *edited[SIDES];
	const struct ir *ir[SIDES];
	VEC(struct change) changes;
	VEC(struct fact) facts;
	VEC(struct idle) idles;
	VEC(const char *) idle_ids; /* of new rules that changed an old one to no effect */

	/* the edited step being looked at */
	enum which side;
	uint32_t step;
	const struct cell *cell;
	struct told told[KINDS];
	bool touches; /* it decides some changed packet, though another edit may tell of it */
	struct asking q;
};

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
	bool any, conditional, admin;
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
	idd_ref calm;

	*f = (struct found){ 0 };
	if (set == IDD_FALSE)
		return;
	calm = idd_fix(m, set, s->unknown_level,
		       arena_zero(k->prover->scratch, s->levels * sizeof(uint32_t)));
	f->conditional = calm == IDD_FALSE;
	f->any = witness_pick(&f->witness, k->prover, m, s, f->conditional ? set : calm,
			      other->direction);
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

static bool same_circumstances(const struct point *a, const struct point *b, size_t unknowns)
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
	t->conditional = f->conditional && (t->conditional || !t->any);
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

static void ask_change(struct idd *m, struct space *s, const struct slice *slices, void *arg)
{
	struct pairing *k = arg;
	idd_ref verdicts[SIDES], steps[SIDES], by_kind[KINDS];
	struct found found[KINDS];
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
		find(&found[i], m, s, k, by_kind[i], steps);
	for (int i = 0; i < KINDS; i++) {
		k->q.progress.undecided += by_kind[i] != IDD_FALSE && !found[i].any;
		note(k, &k->told[i], &found[i]);
	}
	k->touches |= touches;
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

#define FLAG(f) (1u << FLAG_##f)

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

static enum risk risk_of(unsigned flags, enum change_kind kind)
{
	enum risk worst = kind == CHANGE_OPENED ? RISK_MEDIUM : RISK_LOW;

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

static void tell(struct pairing *k, enum change_kind kind, struct told *t)
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
		.conditional = t->conditional,
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
	c.risk = risk_of(c.flags, kind);
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
		if (k->told[kind].any)
			tell(k, (enum change_kind)kind, &k->told[kind]);
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

static const struct ir_posture *posture_named(const struct ir *ir, const char *name, unsigned *index)
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

static void compare(struct pairing *k, unsigned old_posture, unsigned new_posture, enum direction d)
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

/* --- facts beside verdicts ---------------------------------------------------------- */

/* Does more pass by it, though no verdict need change? */
static bool may_admit(enum fact_kind kind, enum risk risk)
{
	switch (kind) {
	case FACT_RATE_UP:
	case FACT_ZONE:
	case FACT_INITIAL:
	case FACT_POSTURE_ADDED:
		return true;
	case FACT_BLOCK_TIME:
		return risk >= RISK_MEDIUM;
	case FACT_RATE_DOWN:
	case FACT_POSTURE_REMOVED:
	case FACT_PLAYBOOK:
	case FACT_RESPONSE:
	case FACT_ORDER_BROKEN:
	case FACT_INVARIANT_BROKEN:
	case FACT_CLAIM:
	case FACT_ESTABLISHED: /* what it lets pass is asked packet by packet */
		break;
	}
	return false;
}

static void fact(struct pairing *k, enum fact_kind kind, enum risk risk, const char *what,
		 const char *before, const char *after)
{
	struct fact f = { kind, risk, what, before, after };

	if (k->access_only && !may_admit(kind, risk))
		return;
	vec_push(k->prover->arena, &k->facts, f);
}

static const char *rate_text(struct arena *a, const struct ir_rate *r)
{
	return arena_printf(a, "%lu%s per %lus, burst %lu", (unsigned long)r->rate, r->bytes ? " bytes" : "",
			    (unsigned long)r->unit_s, (unsigned long)r->burst);
}

static bool rates_differ(const struct ir_rate *a, const struct ir_rate *b)
{
	return a->bytes != b->bytes || a->cost_ns != b->cost_ns || a->depth_ns != b->depth_ns ||
	       (a->bytes && a->rate != b->rate);
}

/* Does b let more by? Packets and bytes cannot be compared: then it may. */
static bool rate_may_be_more(const struct ir_rate *a, const struct ir_rate *b)
{
	const unsigned __int128 was = (unsigned __int128)a->rate * b->unit_s, is = (unsigned __int128)b->rate * a->unit_s;

	return a->bytes != b->bytes || is > was || (is == was && b->depth_ns > a->depth_ns);
}

static void compare_rate(struct pairing *k, const struct ir_rule *a, const struct ir_rule *b)
{
	struct arena *mem = k->prover->arena;

	if (a->rate && b->rate && rates_differ(a->rate, b->rate)) {
		bool up = rate_may_be_more(a->rate, b->rate);

		fact(k, up ? FACT_RATE_UP : FACT_RATE_DOWN, up ? RISK_MEDIUM : RISK_LOW, b->id,
		     rate_text(mem, a->rate), rate_text(mem, b->rate));
	}
	if (a->block_ns != b->block_ns)
		fact(k, FACT_BLOCK_TIME, b->block_ns ? RISK_LOW : RISK_MEDIUM, b->id,
		     arena_printf(mem, "%gs", (double)a->block_ns / 1e9),
		     arena_printf(mem, "%gs", (double)b->block_ns / 1e9));
}

/* Reflexes, and the limits of a posture's rules. */
static bool has_amounts(const struct ir_rule *r)
{
	return r->rate || r->block_ns;
}

/* Does the rule that the limit belongs to, "HARDENED.web_in.limit", stand in the list? */
static bool has_limited(const struct ir_list *l, const struct ir_rule *limit)
{
	size_t len = strlen(limit->id) - strlen(".limit");

	for (size_t i = 0; i < l->count; i++)
		if (strlen(l->rules[i].id) == len && !strncmp(l->rules[i].id, limit->id, len))
			return true;
	return false;
}

/* A limit that came or went while its rule stayed: what else the rule's change opens must not hide it. */
static void limit_alone(struct pairing *k, const struct ir_rule *limit, const struct ir_list *others, bool added)
{
	const char *rate;

	if (!ir_rule_is_limit(limit) || !has_limited(others, limit))
		return;
	rate = rate_text(k->prover->arena, limit->rate);
	if (added)
		fact(k, FACT_RATE_DOWN, RISK_LOW, limit->id, "no limit", rate);
	else
		fact(k, FACT_RATE_UP, RISK_HIGH, limit->id, rate, "no limit");
}

static void map_amounts(struct strmap *out, struct arena *a, const struct ir_list *l)
{
	strmap_init(out, a);
	for (size_t i = 0; i < l->count; i++)
		if (has_amounts(&l->rules[i]))
			strmap_put(out, l->rules[i].id, &l->rules[i]);
}

static void compare_rates(struct pairing *k, const struct ir_list *a, const struct ir_list *b)
{
	struct strmap before, after;

	map_amounts(&before, k->prover->arena, a);
	map_amounts(&after, k->prover->arena, b);
	for (size_t i = 0; i < before.entries.len; i++) {
		const struct ir_rule *old = before.entries.at[i].value;
		const struct ir_rule *same = strmap_find(&after, old->id);

		if (same)
			compare_rate(k, old, same);
		else
			limit_alone(k, old, b, false);
	}
	for (size_t i = 0; i < after.entries.len; i++)
		if (!strmap_find(&before, after.entries.at[i].name))
			limit_alone(k, after.entries.at[i].value, a, true);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted: a zone is a set of interfaces. */
static const char *patterns_text(struct arena *a, const struct ir *ir, const char *zone)
{
	own(buf) struct buf b = { 0 };

	for (size_t i = 0; i < ir->zone_count; i++) {
		const struct ir_zone *z = &ir->zones[i];
		const char **sorted;

		if (strcmp(z->name, zone) != 0)
			continue;
		sorted = arena_copy(a, z->patterns, z->pattern_count * sizeof *sorted);
		qsort(sorted, z->pattern_count, sizeof *sorted, by_text);
		for (size_t p = 0; p < z->pattern_count; p++)
			buf_printf(&b, "%s%s", p ? ", " : "", sorted[p]);
	}
	return b.len ? arena_strdup(a, buf_text(&b)) : "no interface";
}

/* What is permitted says it of the zone in so many words. */
static bool permits_zone(const struct pairing *k, const char *zone, const char *patterns)
{
	return k->permits && !strcmp(patterns_text(k->prover->arena, k->permits, zone), patterns);
}

static void compare_zones(struct pairing *k)
{
	struct arena *mem = k->prover->arena;

	for (size_t i = 0; i < k->terms.zones.len; i++) {
		const char *zone = k->terms.zones.at[i];
		const char *before = patterns_text(mem, k->ir[OLD], zone);
		const char *after = patterns_text(mem, k->ir[NEW], zone);

		if (strcmp(before, after) != 0 && !permits_zone(k, zone, after))
			fact(k, FACT_ZONE, RISK_MEDIUM, arena_printf(mem, "zone %s", zone), before,
			     after);
	}
}

static void compare_responses(struct pairing *k)
{
	struct response_facts facts = { 0 };

	facts_of_responses(k->prover->arena, &facts, k->ir[OLD], k->ir[NEW]);
	for (size_t i = 0; i < facts.list.len; i++)
		vec_push(k->prover->arena, &k->facts, facts.list.at[i]);
}

static void compare_posture(struct pairing *k, unsigned new_posture)
{
	const struct ir_posture *b = &k->ir[NEW]->postures[new_posture];
	unsigned old_posture;
	const struct ir_posture *a = posture_named(k->ir[OLD], b->name, &old_posture);
	const char *what = arena_printf(k->prover->arena, "posture %s", b->name);

	if (!a) {
		fact(k, FACT_POSTURE_ADDED, RISK_LOW, what, "absent", "present");
		return;
	}
	if (a->established != b->established)
		fact(k, FACT_ESTABLISHED, RISK_LOW, what, established_name(a->established),
		     established_name(b->established));
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		compare_rates(k, &a->lists[d], &b->lists[d]);
		compare(k, old_posture, new_posture, (enum direction)d);
	}
}

static void compare_postures(struct pairing *k)
{
	const struct ir *a = k->ir[OLD], *b = k->ir[NEW];
	unsigned ignored;

	for (unsigned i = 0; i < b->posture_count; i++)
		compare_posture(k, i);
	for (unsigned i = 0; i < a->posture_count; i++)
		if (!posture_named(b, a->postures[i].name, &ignored))
			fact(k, FACT_POSTURE_REMOVED, RISK_MEDIUM,
			     arena_printf(k->prover->arena, "posture %s", a->postures[i].name),
			     "present", "absent");
	if (strcmp(a->postures[a->initial].name, b->postures[b->initial].name) != 0)
		fact(k, FACT_INITIAL, RISK_MEDIUM, "initial posture", a->postures[a->initial].name,
		     b->postures[b->initial].name);
}

/* --- in order ----------------------------------------------------------------------- */

static bool same_decider(const struct decider *a, const struct decider *b)
{
	const struct ir_rule *x = a->rule, *y = b->rule;

	if (!x || !y)
		return x == y && !strcmp(a->why, b->why);
	return x == y || (!strcmp(a->why, b->why) && x->span.file == y->span.file &&
			  x->span.from == y->span.from && x->span.to == y->span.to);
}

static bool same_deciders(const struct decider *a, size_t a_count, const struct decider *b,
			  size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!same_decider(&a[i], &b[i]))
			return false;
	return true;
}

/*
 * An edit of an inherited rule says the same in every posture that inherits it, but only where it
 * changes the same packets in the same way. Where the regions are not exact, the rules around it tell.
 */
static bool says_the_same(const struct change *a, const struct change *b, size_t unknowns)
{
	if (a->kind != b->kind || a->direction != b->direction || a->added != b->added ||
	    a->states != b->states || a->conditional != b->conditional || a->flags != b->flags ||
	    a->exact != b->exact || a->beside != b->beside || a->share != b->share ||
	    a->region_count != b->region_count ||
	    a->witness.decider.verdict != b->witness.decider.verdict ||
	    a->now.verdict != b->now.verdict || !same_decider(&a->cause, &b->cause) ||
	    (!a->exact &&
	     (!same_deciders(a->otherwise, a->otherwise_count, b->otherwise, b->otherwise_count) ||
	      !same_deciders(a->rest, a->rest_count, b->rest, b->rest_count))) ||
	    !same_circumstances(&a->witness.point, &b->witness.point, unknowns))
		return false;
	for (size_t i = 0; i < a->region_count; i++)
		if (strcmp(a->regions[i], b->regions[i]) != 0)
			return false;
	return true;
}

static void merge_postures(struct pairing *k)
{
	size_t kept = 0;

	for (size_t i = 0; i < k->changes.len; i++) {
		struct change *c = &k->changes.at[i], *twin = NULL;

		for (size_t n = 0; n < kept && !twin; n++)
			if (says_the_same(&k->changes.at[n], c, k->terms.unknowns.len))
				twin = &k->changes.at[n];
		if (twin)
			twin->posture = arena_printf(k->prover->arena, "%s, %s", twin->posture,
						     c->posture);
		else
			k->changes.at[kept++] = *c;
	}
	k->changes.len = kept;
}

/* Stable: equal ones keep the order of the policy. */
static void sort_changes(struct change *at, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		struct change c = at[i];
		size_t n = i;

		for (; n && (at[n - 1].kind > c.kind ||
			     (at[n - 1].kind == c.kind && at[n - 1].risk < c.risk));
		     n--)
			at[n] = at[n - 1];
		at[n] = c;
	}
}

static void compare_claims(struct pairing *k, struct diff *d)
{
	struct claims_diff claims;

	claims_compare(&claims, k->prover, k->ir[OLD], k->ir[NEW]);
	for (size_t i = 0; i < claims.facts.len; i++)
		vec_push(k->prover->arena, &k->facts, claims.facts.at[i]);
	d->orders = claims.orders.at;
	d->order_count = claims.orders.len;
	d->invariant_count = claims.invariants;
}

static const struct diff *run(struct pairing *k)
{
	struct diff *d = arena_zero(k->prover->arena, sizeof *d);

	k->q = (struct asking){ .prover = k->prover, .terms = &k->terms, .most = SLICE_CELLS,
				.ask = ask_change, .arg = k };
	d->access_only = k->access_only;
	if (!terms_add(&k->terms, k->ir[OLD]) || !terms_add(&k->terms, k->ir[NEW]) ||
	    (k->permits && !terms_add(&k->terms, k->permits))) {
		d->too_many_zones = true;
		return d;
	}
	compare_postures(k);
	compare_rates(k, &k->ir[OLD]->reflexes, &k->ir[NEW]->reflexes);
	compare_zones(k);
	if (!k->access_only) {
		compare_responses(k);
		compare_claims(k, d);
	}
	merge_postures(k);
	sort_changes(k->changes.at, k->changes.len);
	d->changes = k->changes.at;
	d->change_count = k->changes.len;
	d->facts = k->facts.at;
	d->fact_count = k->facts.len;
	d->idles = k->idles.at;
	d->idle_count = k->access_only ? 0 : k->idles.len;
	d->progress = k->q.progress;
	return d;
}

const struct diff *prove_diff(struct prover *p, const struct ir *old, const struct ir *new)
{
	struct pairing k = { .prover = p, .terms = terms_begin(p), .ir = { old, new } };

	return run(&k);
}

const struct diff *prove_new_access(struct prover *p, const struct ir *base, const struct ir *head,
				    const struct ir *permits)
{
	struct pairing k = { .prover = p, .terms = terms_begin(p), .ir = { base, head },
			     .access_only = true, .permits = permits };

	return run(&k);
}

bool diff_replays(const struct diff *d)
{
	for (size_t i = 0; i < d->change_count; i++)
		if (!d->changes[i].witness.replays)
			return false;
	return true;
}
