#include "compiler/prove/clash.h"

#include <string.h>

#include "compiler/ir/partial.h"
#include "compiler/prove/prover.h"

struct clashing {
	struct prover *prover;
	const struct ir *ir;
	struct arena *arena;
	bool remembers;
	VEC(struct expectation) all;
	VEC(struct clash) found;
};

/* --- what is judged in the world in which a test begins ----------------------------------- */

static bool list_has_rate(const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->rules[i].rate || l->rules[i].block_ns)
			return true;
	return false;
}

/* Could one packet change what becomes of another? */
static bool policy_remembers(const struct ir *ir)
{
	if (list_has_rate(&ir->reflexes))
		return true;
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			if (list_has_rate(&ir->postures[i].lists[d]))
				return true;
	return false;
}

/* Of N packets of which only the last is asked, the others came before it. */
static bool is_first(const struct pol_case *c, size_t packets_before)
{
	return !packets_before && (!c->last || c->times <= 1);
}

static void collect(struct clashing *k, const struct pol_test *t)
{
	size_t before = 0;

	for (size_t i = 0; i < t->case_count && !t->todo; i++) {
		const struct pol_case *c = &t->cases[i];
		struct expectation e = { t, c };

		if (c->kind == CASE_FORALL || (c->kind == CASE_PACKETS && (!k->remembers || is_first(c, before))))
			vec_push(k->arena, &k->all, e);
		before += c->kind == CASE_PACKETS;
	}
}

/* --- what cannot both be ------------------------------------------------------------------ */

static bool list_has_both(const struct ir_list *l, const char *x, const char *y)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct ir_rule *r = &l->rules[i];
		bool lifeline = r->layer == LAYER_LIFELINE;

		if ((!strcmp(x, r->label) || !strcmp(x, r->id) || (lifeline && !strcmp(x, WHY_LIFELINE))) &&
		    (!strcmp(y, r->label) || !strcmp(y, r->id) || (lifeline && !strcmp(y, WHY_LIFELINE))))
			return true;
	}
	return false;
}

/* Is some rule called by both names? */
static bool may_be_one(const struct clashing *k, const char *x, const char *y)
{
	if (!strcmp(x, y) || list_has_both(&k->ir->lifelines, x, y) || list_has_both(&k->ir->blocks, x, y) ||
	    list_has_both(&k->ir->reflexes, x, y))
		return true;
	for (size_t i = 0; i < k->ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			if (list_has_both(&k->ir->postures[i].lists[d], x, y))
				return true;
	return false;
}

static bool expect_otherwise(const struct clashing *k, const struct pol_case *x, const struct pol_case *y)
{
	return x->verdict != y->verdict || (x->by && y->by && !may_be_one(k, x->by, y->by));
}

/* --- two packets -------------------------------------------------------------------------- */

static bool same_address(bool x_self, struct addr x, bool y_self, struct addr y)
{
	return x_self == y_self && (x_self || (x.family == y.family && x.num == y.num));
}

static bool same_text(const char *x, const char *y)
{
	return x == y || (x && y && !strcmp(x, y));
}

static bool is_one_packet(const struct pol_packet *x, const struct pol_packet *y)
{
	unsigned both = x->given & y->given;

	return x->proto == y->proto && x->family == y->family && x->direction == y->direction &&
	       x->state == y->state && x->reply == y->reply && same_text(x->payload, y->payload) &&
	       (!(both & GIVEN_SRC) || same_address(x->src_self, x->src, y->src_self, y->src)) &&
	       (!(both & GIVEN_DST) || same_address(x->dst_self, x->dst, y->dst_self, y->dst)) &&
	       (!(both & GIVEN_SPORT) || x->sport == y->sport) && (!(both & GIVEN_DPORT) || x->dport == y->dport) &&
	       (!(both & GIVEN_FLAGS) || x->flags == y->flags) && (!(both & GIVEN_ICMP) || x->icmp == y->icmp) &&
	       (!(both & GIVEN_ZONE) || x->zone == y->zone);
}

/* --- a packet and a claim ----------------------------------------------------------------- */

static const struct ir_claim *claim_of(const struct ir *ir, const struct pol_case *c)
{
	for (size_t i = 0; i < ir->claim_count; i++)
		if (ir->claims[i].said == c)
			return &ir->claims[i];
	return NULL;
}

/* Surely meant by it, whatever was left out. */
static bool claim_means(const struct clashing *k, const struct expectation *claim, const struct expectation *e)
{
	const struct pol_packet *g = &e->said->packet;
	const struct ir_claim *c = claim_of(k->ir, claim->said);
	const struct ir_rule boxes = { .boxes = c->boxes, .box_count = c->box_count };
	struct partial p = partial_of(g, trial_own_address(e->test, g->family), k->ir->zone_count);

	return g->direction == claim->said->direction && g->state == CT_NEW && !g->reply && !g->payload &&
	       partial_in_rule(&p, &boxes, false).truth == YES && partial_is_neighbour(&p).truth == NO;
}

/* --- two claims --------------------------------------------------------------------------- */

static struct ir_list list_of(struct arena *a, struct ir_rule first, const struct ir_rule *last)
{
	struct ir_rule *rules = arena_zero(a, 2 * sizeof *rules);

	rules[0] = first;
	rules[1] = *last;
	rules[1].verdict = VERDICT_DROP;
	return (struct ir_list){ rules, 2 };
}

/* A policy that admits what the claim is about, and nothing else. */
static const struct ir *ir_of_claim(const struct clashing *k, const struct ir_claim *c)
{
	struct ir *out = arena_zero(k->arena, sizeof *out);
	struct ir_posture *posture = arena_zero(k->arena, sizeof *posture);
	struct ir_rule rule = { .id = "both", .label = "both", .layer = LAYER_POSTURE,
				.direction = c->said->direction, .verdict = VERDICT_ALLOW,
				.boxes = c->boxes, .box_count = c->box_count };

	*posture = k->ir->postures[0];
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const struct ir_list *l = &posture->lists[d];
		struct ir_rule none = { .id = "none", .label = "none", .layer = LAYER_POSTURE };

		posture->lists[d] = list_of(k->arena, (enum direction)d == rule.direction ? rule : none,
					    &l->rules[l->count - 1]);
	}
	posture->closed = false;
	*out = (struct ir){ .arena = k->ir->arena, .policy = k->ir->policy, .zones = k->ir->zones,
			    .zone_count = k->ir->zone_count, .sets = k->ir->sets, .set_count = k->ir->set_count,
			    .postures = posture, .posture_count = 1 };
	return out;
}

/* A packet that both are about, or NULL. */
static const char *packet_of_both(struct clashing *k, const struct expectation *x, const struct expectation *y)
{
	const struct ir_claim *in = claim_of(k->ir, y->said);
	struct claim none = { .postures = 1, .direction = in->said->direction, .boxes = in->boxes,
			      .box_count = in->box_count };
	struct claim_answer a;
	own(buf) struct buf text = { 0 };

	if (x->said->direction != y->said->direction)
		return NULL;
	a = prove_claim(k->prover, ir_of_claim(k, claim_of(k->ir, x->said)), &none);
	if (a.answer != ANSWER_REFUTED && a.answer != ANSWER_CONDITIONAL)
		return NULL;
	witness_print(&text, &a.witness);
	return arena_strdup(k->arena, buf_text(&text));
}

/* --- pairs -------------------------------------------------------------------------------- */

static bool are_about_one(struct clashing *k, const struct expectation *x, const struct expectation *y, const char **example)
{
	bool x_all = x->said->kind == CASE_FORALL, y_all = y->said->kind == CASE_FORALL;

	*example = NULL;
	if (x_all && y_all) {
		*example = packet_of_both(k, x, y);
		return *example;
	}
	if (x_all)
		return claim_means(k, x, y);
	if (y_all)
		return claim_means(k, y, x);
	return is_one_packet(&x->said->packet, &y->said->packet);
}

static void what_the_policy_does(struct clashing *k, struct clash *c)
{
	const struct expectation *e = c->second.said->kind == CASE_PACKETS ? &c->second : &c->first;
	struct trial t;

	if (e->said->kind != CASE_PACKETS)
		return;
	trial_run(&t, k->ir, e->test, k->arena);
	for (size_t i = 0; i < t.count; i++)
		if (t.findings[i].asked == e->said && t.findings[i].fault != TRIAL_OPEN)
			c->got = t.findings[i].got;
}

static void compare(struct clashing *k, size_t second)
{
	struct clash c = { .second = k->all.at[second] };

	for (size_t i = 0; i < second; i++) {
		c.first = k->all.at[i];
		if (c.first.test->posture != c.second.test->posture || !expect_otherwise(k, c.first.said, c.second.said) ||
		    !are_about_one(k, &c.first, &c.second, &c.example))
			continue;
		what_the_policy_does(k, &c);
		vec_push(k->arena, &k->found, c);
		return;
	}
}

struct clash_list prove_clashes(struct prover *p, const struct ir *ir)
{
	struct clashing k = { .prover = p, .ir = ir, .arena = p->arena, .remembers = policy_remembers(ir) };

	for (size_t i = 0; ir->policy && i < ir->policy->test_count; i++)
		collect(&k, &ir->policy->tests[i]);
	for (size_t i = 1; i < k.all.len; i++)
		compare(&k, i);
	return (struct clash_list){ k.found.at, k.found.len };
}
