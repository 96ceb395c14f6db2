/* explain: what it says decided is what eval decides; what came near is one field away, and no more. */
#include <string.h>

#include "compiler/ir/explain.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define ALL_GIVEN (GIVEN_SRC | GIVEN_SPORT | GIVEN_DST | GIVEN_DPORT | GIVEN_FLAGS | GIVEN_ICMP | GIVEN_ZONE | GIVEN_STATE | GIVEN_SIZE)

static struct pol_packet asked(const struct packet *p)
{
	return (struct pol_packet){
		.given = ALL_GIVEN, .proto = p->proto, .family = p->family, .src = p->src, .dst = p->dst,
		.sport = p->sport, .dport = p->dport, .flags = p->flags, .icmp = p->icmp, .zone = p->zone,
		.direction = p->direction, .state = p->state, .reply = p->reply, .size = p->len,
	};
}

/* The box with one field asked no more. */
static struct ir_box without(const struct ir_box *box, enum box_field f)
{
	static struct range whole = { 0, UINT16_MAX };
	static const struct ranges all = { &whole, 1 };
	struct ir_box b = *box;

	switch (f) {
	case BOX_FAMILY:
		b.families = 3;
		break;
	case BOX_FRAGMENT:
		b.fragments = FRAGMENT_ANY;
		break;
	case BOX_PROTO:
		b.proto = PROTO_ANY_NUMBER;
		break;
	case BOX_ZONE:
		b.zones = UINT64_MAX;
		break;
	case BOX_SRC:
		b.src = (struct ir_end){ .any = true };
		break;
	case BOX_DST:
		b.dst = (struct ir_end){ .any = true };
		break;
	case BOX_SPORT:
		b.sport = all;
		break;
	case BOX_DPORT:
		b.dport = all;
		break;
	case BOX_ICMP:
		b.icmp = all;
		break;
	case BOX_FLAGS:
		b.flags_mask = b.flags_want = 0;
		break;
	case BOX_FIELD_COUNT:
		break;
	}
	return b;
}

static bool rule_has(const struct moment *m, const struct ir_rule *r, const struct packet *p)
{
	for (size_t i = 0; i < r->box_count; i++)
		if (box_has(m, &r->boxes[i], p))
			return true;
	return false;
}

static bool near_is_near(const struct moment *m, const struct explain_near *n, const struct packet *p)
{
	if (n->field == BOX_FIELD_COUNT)
		return n->rule->direction != p->direction && rule_has(m, n->rule, p);
	struct ir_box wide = without(n->wants, n->field);

	return !rule_has(m, n->rule, p) && box_has(m, &wide, p);
}

static const struct explain_line *decider(const struct explanation *x, size_t *count)
{
	const struct explain_line *found = NULL;

	*count = 0;
	for (size_t i = 0; i < x->line_count; i++)
		if (x->lines[i].said == SAID_DECIDES) {
			found = &x->lines[i];
			(*count)++;
		}
	return found;
}

struct counts {
	unsigned long tried, nears, directions, later, wrong;
};

static bool holds(const struct explanation *x, const struct moment *m, const struct outcome *o, const struct packet *p,
		  struct counts *n)
{
	size_t deciders;
	const struct explain_line *line = decider(x, &deciders);
	bool right = x->outcome.rule == o->rule && x->outcome.verdict == o->verdict && deciders == 1 &&
		     line->rule == o->rule;

	for (size_t i = 0; i < x->near_count; i++) {
		right &= near_is_near(m, &x->near[i], p);
		n->directions += x->near[i].field == BOX_FIELD_COUNT;
	}
	for (size_t i = 0; i < x->later_count; i++)
		right &= rule_has(m, x->later[i], p) && x->later[i] > o->rule;
	n->nears += x->near_count;
	n->later += x->later_count;
	return right;
}

static void test_generated(void)
{
	struct counts n = { 0 };
	char text[256];

	for (uint64_t seed = 1; seed <= 300; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct ir *ir = ir_lower(gen_policy(&g, a, &gen_shape_usual), a);
		struct netset self = { 0 };
		struct gen_aim *aim = gen_aim_at(ir, &self, a);

		for (int i = 0; i < 80; i++) {
			struct packet p = gen_packet(&g, aim);
			struct pol_packet given = asked(&p);
			own(moment) struct moment *m = moment_new(ir);
			unsigned posture = gen_below(&g, (unsigned)ir->posture_count);
			struct explanation x;

			if (p.zone == ZONE_NONE || p.fragment != FRAGMENT_WHOLE)
				continue;
			p.hop_limit = partial_of(&given, p.src, ir->zone_count).packet.hop_limit;
			moment_set_posture(m, posture);
			struct outcome o = eval_packet(m, &p);

			n.tried++;
			if (explain_packet(&x, ir, posture, &given, a) && holds(&x, m, &o, &p, &n))
				continue;
			n.wrong++;
			tap_note("seed %lu: %s; eval: %s, explained: %s", seed, gen_packet_text(&p, text), o.why,
				 x.outcome.why);
		}
	}
	tap_ok(!n.wrong && n.tried > 5000 && n.nears > 1000 && n.directions > 100 && n.later > 20,
	       "one line decides, as eval does; near is one field away (%lu packets, %lu near, %lu by direction, %lu too late)",
	       n.tried, n.nears, n.directions, n.later);
}

int main(void)
{
	test_generated();
	return tap_done();
}
