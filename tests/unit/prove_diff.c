/*
 * A diff must be the difference: every sampled packet that old and new treat
 * otherwise is in exactly one change, of the right kind and cause; where a
 * change says that its regions are exact, they are.
 */
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/prove/diff/diff.h"
#include "compiler/prove/prover.h"
#include "compiler/prove/region.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

#define SAMPLES 1500

enum law {
	WITNESS_REPLAYS, WITNESS_DIFFERS, WITNESS_KIND, TOLD_ONCE, NOT_TOLD, EXACT_IN, EXACT_OUT,
	NOT_TWICE, IDLE_IS_IDLE, SELF_IS_EMPTY, CONDITIONAL_IS, SHARE_BOUNDS, ACCESS_TOLD,
	ACCESS_IS, ACCESS_ALONE, ACCESS_OF_SELF, LAWS
};

static const char *const laws[LAWS] = {
	[WITNESS_REPLAYS] = "every witness replays in eval on both versions",
	[WITNESS_DIFFERS] = "and is treated otherwise",
	[WITNESS_KIND] = "as its kind says",
	[TOLD_ONCE] = "every changed packet belongs to exactly one change",
	[NOT_TOLD] = "where nothing is told, no packet changes",
	[EXACT_IN] = "packets of an exact region change, by its cause",
	[EXACT_OUT] = "packets outside of them do not, by that cause",
	[NOT_TWICE] = "what an added rule decides is not told of a removed one too",
	[IDLE_IS_IDLE] = "an edit said to change nothing decides no changed packet",
	[SELF_IS_EMPTY] = "a policy and itself differ in nothing",
	[CONDITIONAL_IS] = "a conditional change names what it assumes, and no other does",
	[SHARE_BOUNDS] = "shares lie between 0 and 1, and are 1 for whole boxes alone",
	[ACCESS_TOLD] = "every packet that is admitted anew and not permitted is new access",
	[ACCESS_IS] = "every witness of new access is admitted now, was not before, and is not permitted",
	[ACCESS_ALONE] = "new access is what was opened, and nothing else",
	[ACCESS_OF_SELF] = "what the new policy permits by its own words is no new access of it",
};

static size_t checked[LAWS], broken[LAWS];

static void check(enum law l, bool held)
{
	checked[l]++;
	broken[l] += !held;
}

struct world {
	struct rules g;
	const struct ir *old, *new, *permits;
	struct terms terms;
	const struct diff *d, *access;
	struct judgement *a, *b; /* of the posture and direction at hand */
	struct terms wide;	 /* of all three, and their judgements */
	struct judgement *wide_a, *wide_b, *wide_permits;
};

static enum change_kind kind_of(const struct step *before, const struct step *after)
{
	if (before->verdict == VERDICT_ALLOW)
		return CHANGE_CLOSED;
	return after->verdict == VERDICT_ALLOW ? CHANGE_OPENED : CHANGE_EFFECT;
}

static bool cause_is(const struct change *c, const struct step *s)
{
	return c->cause.rule ? c->cause.rule == s->rule : !s->rule && !strcmp(c->cause.why, s->why);
}

static bool is_of(const struct change *c, const struct judgement *j)
{
	return c->direction == j->direction &&
	       strstr(c->posture, j->ir->postures[j->posture].name) != NULL;
}

/* Packets that a forwarded lifeline only spares something have no edited decider. */
static bool spares(const struct world *w, const struct change *c)
{
	const struct judgement *j = c->added ? w->b : w->a;

	for (size_t i = 0; i < j->step_count; i++)
		if (j->steps[i].goes_on && cause_is(c, &j->steps[i]))
			return true;
	return false;
}

static bool idle(const struct world *w, const struct step *s, enum idle_kind k)
{
	for (size_t i = 0; i < w->d->idle_count; i++)
		if (w->d->idles[i].kind == k && s->rule && w->d->idles[i].rule.rule == s->rule &&
		    w->d->idles[i].direction == w->a->direction &&
		    !strcmp(w->d->idles[i].posture, w->a->ir->postures[w->a->posture].name))
			return true;
	return false;
}

/* --- calm or not --------------------------------------------------------------------- */

static bool admits(const struct judgement *j, const struct point *p)
{
	return j->steps[judgement_first(j, p)].verdict == VERDICT_ALLOW;
}

static bool is_new_access(const struct world *w, const struct point *p)
{
	return admits(w->wide_b, p) && !admits(w->wide_a, p) && !admits(w->wide_permits, p);
}

static bool told_of_new(const struct world *w, const struct step *before, const struct step *after)
{
	for (size_t i = 0; i < w->d->change_count; i++) {
		const struct change *c = &w->d->changes[i];

		if (is_of(c, w->a) && c->kind == kind_of(before, after) && c->added &&
		    cause_is(c, after))
			return true;
	}
	return false;
}

/* Does the packet change by the same cause while nothing is blocked and no rate is exceeded? Then it is told there. */
static bool is_told_calm(const struct world *w, const struct change *c, const struct point *p)
{
	static const bool none[UINT8_MAX];
	struct point calm = *p;
	const struct step *before, *after;

	calm.blocked = false;
	calm.over = none;
	before = &w->a->steps[judgement_first(w->a, &calm)];
	after = &w->b->steps[judgement_first(w->b, &calm)];
	return before->verdict != after->verdict && kind_of(before, after) == c->kind &&
	       cause_is(c, c->added ? after : before) && (c->added || !told_of_new(w, before, after)) &&
	       (w->d != w->access || is_new_access(w, &calm));
}

/* How many changes tell of this packet. A removed rule's packet may be an added one's. */
static size_t told(const struct world *w, const struct point *p)
{
	const struct step *before = &w->a->steps[judgement_first(w->a, p)];
	const struct step *after = &w->b->steps[judgement_first(w->b, p)];
	size_t by_new = 0, by_old = 0, spared = 0;

	for (size_t i = 0; i < w->d->change_count; i++) {
		const struct change *c = &w->d->changes[i];

		if (!is_of(c, w->a) || c->kind != kind_of(before, after))
			continue;
		spared += spares(w, c);
		if (c->conditional == is_told_calm(w, c, p))
			continue;
		by_new += c->added && cause_is(c, after);
		by_old += !c->added && cause_is(c, before);
	}
	return by_new ? by_new : by_old ? by_old : spared ? 1 : 0;
}

/* --- regions ------------------------------------------------------------------------ */

static bool has(const struct values *v, addr_num n)
{
	for (size_t i = 0; i < v->len; i++)
		if (v->at[i].lo <= n && n <= v->at[i].hi)
			return true;
	return v->all;
}

static bool side_fits(const struct values *v, enum own_part o, addr_num a, bool self)
{
	switch (o) {
	case OWN_ONLY:
		return self && (!v->len || has(v, a));
	case OWN_NOT:
		return !self && has(v, a);
	case OWN_ALSO:
		return self || has(v, a);
	case OWN_EITHER:
		break;
	}
	return has(v, a);
}

static bool in_region(const struct region *r, const struct point *p)
{
	const struct packet *k = &p->packet;

	return (r->families >> k->family & 1) && has(&r->proto, k->proto) &&
	       side_fits(&r->dst, r->dst_own, k->dst.num, p->dst_self) &&
	       side_fits(&r->src, r->src_own, k->src.num, p->src_self) && has(&r->dport, k->dport) &&
	       has(&r->sport, k->sport) && has(&r->flags, k->flags) && has(&r->icmp, k->icmp) &&
	       has(&r->zones, k->zone);
}

static bool in_regions(const struct change *c, const struct point *p)
{
	for (size_t i = 0; i < c->box_count; i++)
		if (in_region(&c->boxes[i], p))
			return true;
	return false;
}

/* A packet in the circumstances in which the regions are meant. */
static struct point as_witnessed(const struct change *c, const struct point *p)
{
	struct point q = *p;
	const struct point *w = &c->witness.point;

	q.packet.state = w->packet.state;
	q.packet.reply = w->packet.reply;
	q.packet.hop_limit = w->packet.hop_limit;
	q.blocked = w->blocked;
	q.over = w->over;
	return q;
}

/* Always admitted, and never meant by words. */
static bool is_neighbour(const struct world *w, const struct point *p)
{
	return !strcmp(step_name(&w->a->steps[judgement_first(w->a, p)]), WHY_NEIGHBOUR);
}

/* Decided by a lifeline, a block or a reflex, old or new. */
static bool is_upper(const struct world *w, const struct point *p)
{
	return judgement_first(w->a, p) < w->a->layer4 || judgement_first(w->b, p) < w->b->layer4;
}

static void check_exact(struct world *w, const struct change *c, const struct point *sample)
{
	struct point p = as_witnessed(c, sample);
	const struct step *before, *after;
	bool mine;

	if (!c->exact || !is_of(c, w->a) || spares(w, c) || is_neighbour(w, &p) ||
	    (c->beside && is_upper(w, &p)) ||
	    p.packet.fragment != c->witness.point.packet.fragment)
		return;
	before = &w->a->steps[judgement_first(w->a, &p)];
	after = &w->b->steps[judgement_first(w->b, &p)];
	mine = before->verdict != after->verdict && kind_of(before, after) == c->kind &&
	       cause_is(c, c->added ? after : before) && c->conditional != is_told_calm(w, c, &p);
	if (in_regions(c, &p) && !c->added)
		check(NOT_TWICE, !told_of_new(w, before, after));
	if (in_regions(c, &p))
		check(EXACT_IN, before->verdict != after->verdict &&
					kind_of(before, after) == c->kind &&
					(mine || !c->added));
	else
		check(EXACT_OUT, !mine || (!c->added && told(w, &p) == 1));
}

/* --- new access --------------------------------------------------------------------- */

static void check_access_point(const struct world *w, const struct point *p)
{
	struct world as = *w;

	as.d = w->access;
	if (is_new_access(w, p))
		check(ACCESS_TOLD, told(&as, p) == 1);
}

static void check_access(const struct world *w)
{
	for (size_t i = 0; i < w->access->change_count; i++) {
		const struct change *c = &w->access->changes[i];

		check(ACCESS_ALONE, c->kind == CHANGE_OPENED && c->witness.replays);
		if (is_of(c, w->a) && !strchr(c->posture, ','))
			check(ACCESS_IS, is_new_access(w, &c->witness.point));
	}
}

/* What a policy's own rules say, apart from established flows and what only blocks take away. */
static bool by_own_words(const struct change *c)
{
	return c->now.rule && c->now.rule->layer == LAYER_POSTURE;
}

static void check_access_of_self(const struct world *w, struct prover *p)
{
	const struct diff *d = prove_new_access(p, w->old, w->new, w->new);

	for (size_t i = 0; i < d->change_count; i++)
		check(ACCESS_OF_SELF, !by_own_words(&d->changes[i]));
	check(ACCESS_OF_SELF, true);
}

/* --- one posture and direction ------------------------------------------------------ */

static bool tells_any(const struct world *w)
{
	for (size_t i = 0; i < w->d->change_count; i++)
		if (is_of(&w->d->changes[i], w->a))
			return true;
	return false;
}

static void check_point(struct world *w, const struct point *p)
{
	const struct step *before = &w->a->steps[judgement_first(w->a, p)];
	const struct step *after = &w->b->steps[judgement_first(w->b, p)];

	for (size_t i = 0; i < w->d->change_count; i++)
		check_exact(w, &w->d->changes[i], p);
	if (before->verdict == after->verdict)
		return;
	check(NOT_TOLD, tells_any(w));
	check(TOLD_ONCE, told(w, p) == 1);
	check(IDLE_IS_IDLE, !idle(w, after, IDLE_ADDED) && !idle(w, before, IDLE_REMOVED));
}

static void check_change(const struct change *c)
{
	check(WITNESS_REPLAYS, c->witness.replays);
	check(WITNESS_DIFFERS, c->witness.decider.verdict != c->now.verdict);
	check(WITNESS_KIND,
	      kind_of(&(struct step){ .verdict = c->witness.decider.verdict },
		      &(struct step){ .verdict = c->now.verdict }) == c->kind);
	check(CONDITIONAL_IS, c->conditional == (c->witness.assume_count > 0));
	check(SHARE_BOUNDS, c->share >= 0 && c->share <= 1 + 1e-9);
}

static void check_pair(struct world *w, unsigned posture, enum direction d)
{
	w->a = judgement_make(&w->terms, w->old, posture, d, 0);
	w->b = judgement_make(&w->terms, w->new, posture, d, 0);
	w->wide_a = judgement_make(&w->wide, w->old, posture, d, 0);
	w->wide_b = judgement_make(&w->wide, w->new, posture, d, 0);
	w->wide_permits = judgement_of_rules(&w->wide, w->permits, posture, d);
	for (int i = 0; i < SAMPLES; i++) {
		struct point p;

		rules_point(&w->g, i & 1 ? w->old : w->new, &w->terms, &p);
		p.packet.direction = d;
		p.dst_self &= d != DIRECTION_FORWARD;
		check_point(w, &p);
		if (i % 8 == 0)
			check_access_point(w, &p);
	}
	check_access(w);
}

/* Postures are matched by name: each has its own. */
static void name_postures(const struct ir *ir)
{
	static const char *const names[] = { "ALPHA", "BETA", "GAMMA" };

	for (size_t i = 0; i < ir->posture_count; i++)
		ir->postures[i].name = names[i];
}

static void check_world(struct world *w, size_t rules, size_t edits)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	own(arena) struct arena *a = arena_new();

	w->g.arena = a;
	w->g.sites = 0;
	w->old = rules_make(&w->g, rules);
	if (w->old->posture_count == 3)
		name_postures(w->old);
	w->new = rules_edit(&w->g, w->old, edits);
	struct rules other = w->g;

	other.seed ^= 0x9e3779b9;
	w->permits = rules_edit(&other, w->old, edits);
	w->terms = terms_begin(p);
	terms_add(&w->terms, w->old);
	terms_add(&w->terms, w->new);
	w->wide = terms_begin(p);
	terms_add(&w->wide, w->old);
	terms_add(&w->wide, w->new);
	terms_add(&w->wide, w->permits);
	check(SELF_IS_EMPTY, prove_diff(p, w->old, w->old)->change_count == 0);
	w->d = prove_diff(p, w->old, w->new);
	w->access = prove_new_access(p, w->old, w->new, w->permits);
	check_access_of_self(w, p);
	for (size_t i = 0; i < w->d->change_count; i++)
		check_change(&w->d->changes[i]);
	for (unsigned i = 0; i < w->old->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			check_pair(w, i, (enum direction)d);
}

int main(void)
{
	struct world w = { .g = { .seed = 3, .profile = RULES_SMALL } };

	for (size_t i = 0; i < 150; i++)
		check_world(&w, 1 + i % 7, 1 + i % 5);
	w.g = (struct rules){ .seed = 4, .profile = RULES_FW, .v6 = 0.3 };
	for (size_t i = 0; i < 4; i++)
		check_world(&w, 300, 12);
	for (int l = 0; l < LAWS; l++) {
		tap_num((int64_t)broken[l], 0, laws[l]);
		tap_ok(checked[l] > 50, "and that was asked %zu times", checked[l]);
	}
	return tap_done();
}
