/*
 * What a rule still decides, beside plain first match: on random policies, the packet that is told
 * is the rule's, every sampled packet that goes elsewhere goes to one that is named, and a rule that
 * decides nothing has none.
 */
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/prove/prover.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

#define POINTS 400

struct checking {
	struct rules g;
	const struct ir *ir;
	struct terms terms;
	const struct judgement *j;
	uint32_t step;
	size_t rules, kinds[DECIDES_PART + 1], points;
	size_t witness_wrong, not_named, not_nothing, not_all, share_wrong;
};

/* A new flow while nothing is blocked and no rate is exceeded but the rule's own. */
static bool calm_point(struct checking *k, struct point *p)
{
	static bool over[64];
	const struct step *s = &k->j->steps[k->step];
	bool has = false;

	rules_point(&k->g, k->ir, &k->terms, p);
	p->packet.direction = k->j->direction;
	p->packet.state = CT_NEW;
	p->packet.reply = false;
	p->blocked = false;
	p->dst_self &= k->j->direction != DIRECTION_FORWARD;
	memset(over, 0, sizeof over);
	p->over = over;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct cell *c = &k->j->cells[s->first + i];

		if (c->unknown >= 0)
			over[c->unknown] = true;
		has |= cell_has(c, p);
	}
	return has && (p->packet.src.num != p->packet.dst.num || p->src_self == p->dst_self);
}

static bool is_named(const struct decides *a, const struct step *s)
{
	for (size_t i = 0; i < a->other_count; i++)
		if (s->rule ? a->others[i].rule == s->rule : !strcmp(a->others[i].why, s->why))
			return true;
	return false;
}

static void check_point(struct checking *k, const struct decides *a)
{
	struct point p;

	if (!calm_point(k, &p))
		return;
	size_t first = judgement_first(k->j, &p);
	const struct step *s = &k->j->steps[first];
	bool own = first == k->step, always = !s->rule && !strcmp(s->why, WHY_NEIGHBOUR);

	k->points++;
	k->not_nothing += own && a->kind == DECIDES_NOTHING;
	k->not_all += !own && !always && a->kind == DECIDES_ALL;
	k->not_named += !own && !always && !is_named(a, s);
}

static void check_rule(struct checking *k, struct prover *p, unsigned posture, uint32_t step)
{
	const struct ir_rule *rule = k->j->steps[step].rule;
	struct decides a;

	if (!rule || k->j->steps[step].goes_on)
		return;
	k->step = step;
	k->rules++;
	a = prove_decides(p, k->ir, posture, k->j->direction, rule);
	k->kinds[a.kind]++;
	if (a.kind != DECIDES_NOTHING)
		k->witness_wrong += judgement_first(k->j, &a.witness.point) != step || !a.witness.replays || a.witness.decider.rule != rule;
	k->share_wrong += a.share < 0 || a.share > 1.000001 || (a.kind == DECIDES_NOTHING && a.share > 0);
	for (int i = 0; i < POINTS; i++)
		check_point(k, &a);
}

static void check_policy(struct checking *k, size_t rules)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	own(arena) struct arena *a = arena_new();

	k->g.arena = a;
	k->g.sites = 0;
	k->ir = rules_make(&k->g, rules);
	k->terms = terms_begin(p);
	terms_add(&k->terms, k->ir);
	for (unsigned i = 0; i < k->ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++) {
			k->j = judgement_make(&k->terms, k->ir, i, (enum direction)d, 0);
			for (uint32_t step = 0; step < k->j->step_count; step++)
				check_rule(k, p, i, step);
		}
}

static void check_profile(enum rules_profile profile, size_t policies, size_t rules)
{
	struct checking k = { .g = { .seed = 23 + profile, .profile = profile, .v6 = 0.4 } };

	for (size_t i = 0; i < policies; i++)
		check_policy(&k, rules);
	tap_ok(k.rules > policies && k.points > k.rules, "%s: %zu rules, %zu packets", rules_profile_name(profile), k.rules, k.points);
	tap_ok((k.kinds[DECIDES_NOTHING] || profile != RULES_SMALL) && k.kinds[DECIDES_ALL] && k.kinds[DECIDES_EXACTLY],
	       "of all kinds: nothing %zu, all %zu, exactly %zu, beside %zu, part %zu", k.kinds[DECIDES_NOTHING], k.kinds[DECIDES_ALL],
	       k.kinds[DECIDES_EXACTLY], k.kinds[DECIDES_BESIDE], k.kinds[DECIDES_PART]);
	tap_num(k.witness_wrong, 0, "the packet that is told is the rule's");
	tap_num(k.not_nothing, 0, "a rule that decides nothing has no packet");
	tap_num(k.not_all, 0, "a rule that decides all of its packets loses none");
	tap_num(k.not_named, 0, "who decides the rest is named");
	tap_num(k.share_wrong, 0, "a share is from none to all");
}

int main(void)
{
	check_profile(RULES_SMALL, 120, 6);
	check_profile(RULES_SMALL, 8, 30);
	check_profile(RULES_ACL, 2, 60);
	return tap_done();
}
