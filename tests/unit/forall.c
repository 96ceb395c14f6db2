/* forall: what is proved of every packet is so for each that eval judges; what is not, has an example. */
#include <string.h>

#include "compiler/prove/forall.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

struct counts {
	unsigned long held, some, packets, wrong;
};

static enum verdict judged(const struct ir *ir, unsigned posture, const struct netset *self, const struct packet *p)
{
	own(moment) struct moment *m = moment_new(ir);

	moment_set_posture(m, posture);
	moment_set_self(m, self);
	return eval_packet(m, p).verdict;
}

static bool in_claim(const struct ir *ir, const struct netset *self, const struct packet *p)
{
	own(moment) struct moment *m = moment_new(ir);

	moment_set_self(m, self);
	for (size_t i = 0; i < ir->claims[0].box_count; i++)
		if (box_has(m, &ir->claims[0].boxes[i], p))
			return true;
	return false;
}

/* New packets that some host could meet: what is forwarded is not for the host itself. */
static bool is_meant(const struct packet *p, enum direction d, const struct netset *self, enum verdict v)
{
	if (p->direction != d || p->state != CT_NEW || p->reply)
		return false;
	if (v != VERDICT_ALLOW && packet_is_neighbour(p))
		return false;
	return d != DIRECTION_FORWARD || !netset_has(self, p->dst);
}

static void try_packets(struct gen *g, const struct ir *ir, const struct pol_test *test, const struct netset *self,
			struct arena *a, struct counts *n)
{
	const struct pol_case *c = &test->cases[0];
	struct gen_aim *aim = gen_aim_at(ir, self, a);
	char text[256];

	for (int i = 0; i < 600; i++) {
		struct packet p = gen_packet(g, aim);

		if (!is_meant(&p, c->direction, self, c->verdict) || !in_claim(ir, self, &p))
			continue;
		n->packets++;
		if (judged(ir, test->posture, self, &p) == c->verdict)
			continue;
		n->wrong++;
		tap_note("%s", gen_packet_text(&p, text));
	}
}

/* A claim made of one of the policy's own selectors, so that it is sometimes true. */
static void try(uint64_t seed, struct counts *n)
{
	own(arena) struct arena *a = arena_new();
	own(prover) struct prover *prover = prover_new(&PROVE_BUDGET);
	struct gen g = gen_new(seed);
	struct policy *p = gen_policy(&g, a, &gen_shape_usual);
	const struct pol_posture *posture = &p->postures[0];
	struct pol_case c = { .kind = CASE_FORALL };
	struct pol_test test = { .name = "law", .cases = &c, .case_count = 1 };
	struct trial t;

	if (!posture->rule_count)
		return;
	const struct pol_rule *r = &posture->rules[gen_below(&g, (unsigned)posture->rule_count)];
	c.match = r->match;
	c.direction = r->direction;
	c.verdict = gen_chance(&g, 80) ? r->verdict : posture->defaults[r->direction];
	p->tests = &test;
	p->test_count = 1;

	struct ir *ir = ir_lower(p, a);
	struct netset self = gen_self(&g, a);
	trial_run(&t, ir, &test, a);
	prove_trial(&t, prover, ir, a);
	n->held += t.findings[0].fault == TRIAL_HELD;
	n->some += t.findings[0].fault == TRIAL_SOME && t.findings[0].example && t.findings[0].got.verdict != c.verdict;
	n->wrong += t.findings[0].fault == TRIAL_SOME && t.findings[0].got.verdict == c.verdict;
	if (t.findings[0].fault == TRIAL_HELD)
		try_packets(&g, ir, &test, &self, a, n);
}

int main(void)
{
	struct counts n = { 0 };

	for (uint64_t seed = 1; seed <= 700; seed++)
		try(seed, &n);
	tap_ok(!n.wrong && n.held > 50 && n.some > 50 && n.packets > 1000,
	       "what is proved holds, what is not has an example (%lu held with %lu packets, %lu not)", n.held, n.packets,
	       n.some);
	return tap_done();
}
