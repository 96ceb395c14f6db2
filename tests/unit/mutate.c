/* mutate: each mutation does to its rule what its name says, and nothing to packets that the rule never had. */
#include <string.h>

#include "compiler/ir/mutate.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

enum { KINDS = MUTATE_PATTERN_NONE + 1 };

static const char *const names[KINDS] = {
	"a deleted rule has no packet",
	"a flipped rule has its packets, with another verdict",
	"a widened rule has its packets, and others",
	"a rule without a port has fewer packets, and no others",
	"a rule without a protocol has fewer packets, and no others",
	"a reflex without its rate acts on the first packet",
	"a reflex with twice its rate has its packets",
	"a reflex that does not block has its packets",
	"a reflex without exceptions has its packets",
	"a rule that emits nothing has its packets",
	"a reflex that looks for no pattern has its packets",
};

struct tally {
	unsigned long made, same, more, less, wrong, beside;
};

static bool rule_has(const struct moment *m, const struct ir_rule *r, const struct packet *p)
{
	for (size_t i = 0; i < r->box_count; i++)
		if (box_has(m, &r->boxes[i], p))
			return true;
	return false;
}

/* The rule in the other ir: lists keep their order. */
static const struct ir_rule *same_place(const struct ir *ir, const struct ir *other, const struct ir_rule *r)
{
	unsigned posture;

	for (size_t i = 0; i < ir_list_count(ir); i++) {
		const struct ir_list *l = ir_list_at(ir, i, &posture);

		if (r >= l->rules && r < l->rules + l->count)
			return ir_list_at(other, i, &posture)->rules + (r - l->rules);
	}
	return NULL;
}

/* Packets, or bytes, of a full bucket. */
static unsigned __int128 holds(const struct ir_rate *r)
{
	return (unsigned __int128)r->depth_ns * (r->bytes ? r->rate : 1) / r->cost_ns;
}

static bool fits(const struct mutation *m, const struct ir_rule *now, bool before, bool after)
{
	const struct ir_rule *r = m->rule;

	switch (m->kind) {
	case MUTATE_DELETE:
		return !after;
	case MUTATE_FLIP:
		return before == after && (now->verdict == VERDICT_ALLOW) != (r->verdict == VERDICT_ALLOW);
	case MUTATE_WIDEN:
		return after || !before;
	case MUTATE_NARROW_PORT:
	case MUTATE_NARROW_BOX:
		return before || !after;
	case MUTATE_RATE_NONE:
		return before == after && r->rate && !now->rate;
	case MUTATE_RATE_TWICE:
		return before == after && holds(now->rate) >= 2 * holds(r->rate);
	case MUTATE_BLOCK_NONE:
		return before == after && !now->block_ns;
	case MUTATE_EXCEPT_NONE:
		return before == after && !now->except;
	case MUTATE_SILENT:
		return before == after && !now->effects.emits;
	case MUTATE_PATTERN_NONE:
		return before == after && r->payload && !now->payload;
	}
	return false;
}

static enum verdict judged(const struct ir *ir, unsigned posture, const struct netset *self, const struct packet *p)
{
	own(moment) struct moment *m = moment_new(ir);

	moment_set_posture(m, posture);
	moment_set_self(m, self);
	return eval_packet(m, p).verdict;
}

static bool closes_otherwise(const struct ir *x, const struct ir *y)
{
	for (size_t i = 0; i < x->posture_count; i++)
		if (x->postures[i].closed != y->postures[i].closed)
			return true;
	return false;
}

static void try(const struct ir *ir, const struct mutation *m, struct gen *g, const struct gen_aim *aim,
		const struct netset *self, struct tally *n)
{
	own(arena) struct arena *a = arena_new();
	struct ir *wrong = mutate(ir, m, a);
	const struct ir_rule *now = same_place(ir, wrong, m->rule);
	own(moment) struct moment *world = moment_new(ir);
	char text[256];

	moment_set_self(world, self);
	n->made++;
	for (int i = 0; i < 12; i++) {
		struct packet p = gen_packet(g, aim);
		bool before = rule_has(world, m->rule, &p), after = rule_has(world, now, &p);
		bool right = fits(m, now, before, after);

		n->same += before && after;
		n->more += !before && after;
		n->less += before && !after;
		if (!before && !after && m->rule->layer != LAYER_LIFELINE && !closes_otherwise(ir, wrong)) {
			n->beside++;
			right &= judged(ir, 0, self, &p) == judged(wrong, 0, self, &p);
		}
		if (!right) {
			n->wrong++;
			tap_note("%s: %s", m->rule->id, gen_packet_text(&p, text));
		}
	}
}

/* Generated rules neither emit nor have limits: some of these do. */
static void add_limits(struct policy *p)
{
	static const struct pol_payload payload = { .expression = "x" };
	static const struct pol_rate limit = { .count = 3, .window_ns = 1000000000, .key_bits = { 32, 64 } };

	for (size_t i = 0; i < p->postures[0].rule_count; i++) {
		struct pol_rule *r = &p->postures[0].rules[i];

		r->span = (struct span){ 0, (uint32_t)i, (uint32_t)i + 1 };
		r->effects.emits = i % 3 == 0;
		r->limit = i % 2 ? &limit : NULL;
	}
	for (size_t i = 0; i < p->reflex_count; i++)
		p->reflexes[i].match.payload = i % 2 ? &payload : NULL;
}

int main(void)
{
	struct tally all[KINDS] = { 0 };
	struct gen_shape shape = gen_shape_usual;

	shape.postures = 1;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct policy *p = gen_policy(&g, a, &shape);

		add_limits(p);
		struct ir *ir = ir_lower(p, a);
		struct netset self = gen_self(&g, a);
		struct gen_aim *aim = gen_aim_at(ir, &self, a);
		struct mutation *list;
		size_t count = mutations_of(ir, &list, a);

		for (size_t i = 0; i < count; i++)
			try(ir, &list[i], &g, aim, &self, &all[list[i].kind]);
	}
	for (int i = 0; i < KINDS; i++) {
		struct tally *n = &all[i];
		bool moves = (i != MUTATE_WIDEN || n->more > 100) && (i != MUTATE_DELETE || n->less > 100) &&
			     ((i != MUTATE_NARROW_PORT && i != MUTATE_NARROW_BOX) || n->less > 10);

		tap_ok(!n->wrong && n->made > 20 && n->beside && moves,
		       "%s (%lu made; packets kept %lu, won %lu, lost %lu, beside %lu)", names[i], n->made, n->same,
		       n->more, n->less, n->beside);
	}
	return tap_done();
}
