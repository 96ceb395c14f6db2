#include "compiler/ir/explain.h"

#include <string.h>

struct telling {
	const struct ir *ir;
	struct arena *arena;
	struct explanation *x;
	VEC(struct explain_line) lines;
	VEC(struct explain_near) near;
	VEC(const struct ir_rule *) later;
	struct moment *world; /* as a test begins */
	bool decided;
};

const char *explain_layer_name(enum explain_layer l)
{
	switch (l) {
	case EXPLAIN_LIFELINE:
		return "lifeline";
	case EXPLAIN_NEIGHBOUR:
		return "neighbour";
	case EXPLAIN_BLOCKED:
		return "runtime blocks";
	case EXPLAIN_BLOCKS:
		return "blocks";
	case EXPLAIN_REFLEXES:
		return "reflexes";
	case EXPLAIN_STATE:
		return "state";
	case EXPLAIN_POSTURE:
		return "posture";
	case EXPLAIN_LAYER_COUNT:
		break;
	}
	return "";
}

/* --- what decides, and whether it is sure -------------------------------------------- */

static const char *name_of(const struct outcome *o)
{
	return o->rule ? o->rule->id : o->why;
}

/*
 * The outcome as a test's only case finds it: asked first, then expected. When it
 * could be another one, the test says by which field.
 */
static bool is_sure(struct explanation *x, const struct ir *ir, const struct pol_packet *packet, struct arena *a)
{
	struct pol_case *asked = arena_zero(a, sizeof *asked);
	struct pol_test test = { .name = "", .posture = x->posture, .cases = asked, .case_count = 1 };
	struct trial t;

	*asked = (struct pol_case){ .span = packet->span, .times = 1, .packet = *packet };
	trial_run(&t, ir, &test, a);
	x->outcome = t.findings[0].got;
	asked->verdict = x->outcome.verdict;
	asked->by = name_of(&x->outcome);
	trial_run(&t, ir, &test, a);
	x->open = t.findings[0];
	x->packet = partial_of(packet, trial_own_address(&test, packet->family), ir->zone_count);
	return x->open.fault == TRIAL_HELD;
}

/* --- what each layer said ------------------------------------------------------------- */

static void line(struct telling *t, enum explain_layer l, enum explain_said said, const struct ir_rule *rule)
{
	struct explain_line one = { l, said, rule };

	vec_push(t->arena, &t->lines, one);
	t->decided |= said == SAID_DECIDES;
}

static const struct ir_rule *first_in(const struct telling *t, const struct ir_list *list, bool reply)
{
	for (size_t i = 0; i < list->count; i++)
		if (partial_in_rule(&t->x->packet, &list->rules[i], reply).truth == YES)
			return &list->rules[i];
	return NULL;
}

/* The layer that decided ends the telling; others had nothing to say. */
static void ask(struct telling *t, enum explain_layer l, bool decides, const struct ir_rule *rule)
{
	if (t->decided)
		line(t, l, SAID_NOT_ASKED, NULL);
	else
		line(t, l, decides ? SAID_DECIDES : SAID_NOTHING, decides ? rule : NULL);
}

static void ask_always_admitted(struct telling *t, const struct outcome *o)
{
	const struct packet *p = &t->x->packet.packet;
	const struct ir_rule *lifeline = first_in(t, &t->ir->lifelines, p->direction == DIRECTION_OUT);

	if (p->direction != DIRECTION_FORWARD) {
		ask(t, EXPLAIN_LIFELINE, o->rule && o->layer == LAYER_LIFELINE, o->rule);
		ask(t, EXPLAIN_NEIGHBOUR, !o->rule && !strcmp(o->why, WHY_NEIGHBOUR), NULL);
		return;
	}
	line(t, EXPLAIN_LIFELINE, lifeline ? SAID_SPARES : SAID_NOTHING, lifeline);
	line(t, EXPLAIN_NEIGHBOUR, packet_is_neighbour(p) ? SAID_SPARES : SAID_NOTHING, NULL);
}

static void ask_reflex(struct telling *t, const struct ir_rule *rule, enum explain_said otherwise)
{
	if (partial_in_rule(&t->x->packet, rule, false).truth != YES)
		return;
	if (rule->except >> t->x->posture & 1)
		otherwise = SAID_SILENT;
	else if (rule->payload && !payload_has(t->world, rule, &t->x->packet.packet))
		otherwise = SAID_UNFOUND;
	line(t, EXPLAIN_REFLEXES, otherwise, rule);
}

static void ask_watches(struct telling *t, size_t rank)
{
	for (size_t i = 0; i < t->ir->watches.count; i++) {
		const struct ir_rule *rule = &t->ir->watches.rules[i];

		if (rule->rank == rank)
			ask_reflex(t, rule, rule->rate ? SAID_WITHIN : SAID_TELLS);
	}
}

/* Of the reflexes that have the packet, those that let it pass are told too. */
static void ask_reflexes(struct telling *t, const struct outcome *o)
{
	size_t before = t->lines.len, i;

	for (i = 0; i < t->ir->reflexes.count && !t->decided; i++) {
		const struct ir_rule *rule = &t->ir->reflexes.rules[i];

		ask_watches(t, i);
		if (o->rule == rule)
			line(t, EXPLAIN_REFLEXES, SAID_DECIDES, rule);
		else
			ask_reflex(t, rule, SAID_WITHIN);
	}
	if (!t->decided)
		ask_watches(t, i);
	if (t->lines.len == before)
		ask(t, EXPLAIN_REFLEXES, false, NULL);
}

static bool is_spared(const struct telling *t)
{
	for (size_t i = 0; i < t->lines.len; i++)
		if (t->lines.at[i].said == SAID_SPARES)
			return true;
	return false;
}

static void ask_first_hook(struct telling *t, const struct outcome *o)
{
	if (t->x->packet.packet.direction == DIRECTION_OUT || t->decided || is_spared(t)) {
		line(t, EXPLAIN_BLOCKED, SAID_NOT_ASKED, NULL);
		line(t, EXPLAIN_BLOCKS, SAID_NOT_ASKED, NULL);
		line(t, EXPLAIN_REFLEXES, SAID_NOT_ASKED, NULL);
		return;
	}
	ask(t, EXPLAIN_BLOCKED, !o->rule && !strcmp(o->why, WHY_BLOCKED), NULL);
	ask(t, EXPLAIN_BLOCKS, o->rule && o->layer == LAYER_BLOCK, o->rule);
	ask_reflexes(t, o);
}

/* The limit of the rule that decides. */
static void ask_limits(struct telling *t, const struct outcome *o)
{
	const struct ir_list *list = &t->ir->postures[t->x->posture].lists[t->x->packet.packet.direction];

	for (size_t i = 0; i < list->count && !t->decided && &list->rules[i] != o->rule; i++)
		if (ir_rule_is_limit(&list->rules[i]) &&
		    partial_in_rule(&t->x->packet, &list->rules[i], false).truth == YES)
			line(t, EXPLAIN_POSTURE, SAID_WITHIN, &list->rules[i]);
}

static void tell_layers(struct telling *t)
{
	const struct outcome *o = &t->x->outcome;

	ask_always_admitted(t, o);
	ask_first_hook(t, o);
	ask(t, EXPLAIN_STATE, !o->rule && o->layer == LAYER_POSTURE, NULL);
	ask_limits(t, o);
	ask(t, EXPLAIN_POSTURE, o->rule && o->layer == LAYER_POSTURE, o->rule);
}

/* --- what came near -------------------------------------------------------------------- */

static const struct ranges *ranges_in(const struct ir_box *b, enum box_field field)
{
	switch (field) {
	case BOX_SPORT:
		return &b->sport;
	case BOX_DPORT:
		return &b->dport;
	case BOX_ICMP:
		return &b->icmp;
	case BOX_FAMILY:
	case BOX_FRAGMENT:
	case BOX_PROTO:
	case BOX_ZONE:
	case BOX_SRC:
	case BOX_DST:
	case BOX_FLAGS:
	case BOX_FIELD_COUNT:
		break;
	}
	return NULL;
}

/* The one field by which the packet is outside the box, or BOX_FIELD_COUNT. */
static enum box_field only_miss(const struct partial *p, const struct ir_box *b)
{
	enum box_field missed = BOX_FIELD_COUNT;
	struct guess parts[BOX_FIELD_COUNT];

	partial_ask(p, b, parts);
	for (int i = 0; i < BOX_FIELD_COUNT; i++) {
		if (parts[i].truth == YES)
			continue;
		if (parts[i].truth == MAYBE || missed != BOX_FIELD_COUNT)
			return BOX_FIELD_COUNT;
		missed = (enum box_field)i;
	}
	return missed;
}

static void add_box(struct telling *t, struct explain_near *n, const struct ir_box *b, enum box_field field)
{
	const struct ranges *more = ranges_in(b, field);

	if (n->wants && n->field != field)
		return;
	if (more)
		n->ranges = n->wants ? ranges_join(t->arena, &n->ranges, more) : *more;
	if (!n->wants) {
		n->wants = b;
		n->field = field;
	}
}

static void try_near(struct telling *t, const struct ir_rule *rule)
{
	struct explain_near n = { .rule = rule };

	if (ir_rule_is_limit(rule))
		return; /* the rule behind it is told */
	if (partial_in_rule(&t->x->packet, rule, false).truth == YES)
		return; /* a reflex that has it, and let it pass */
	for (size_t i = 0; i < rule->box_count; i++) {
		enum box_field field = only_miss(&t->x->packet, &rule->boxes[i]);

		if (field != BOX_FIELD_COUNT)
			add_box(t, &n, &rule->boxes[i], field);
	}
	if (n.wants)
		vec_push(t->arena, &t->near, n);
}

/* What arrives may be for this host or not: rules of the other kind that would have had it. */
static void try_other_direction(struct telling *t)
{
	const struct ir_posture *posture = &t->ir->postures[t->x->posture];
	enum direction mine = t->x->packet.packet.direction;
	const struct ir_list *list = &posture->lists[mine == DIRECTION_IN ? DIRECTION_FORWARD : DIRECTION_IN];

	for (size_t i = 0; i < list->count && mine != DIRECTION_OUT; i++) {
		struct explain_near n = { .rule = &list->rules[i], .field = BOX_FIELD_COUNT };

		if (!n.rule->is_default && !ir_rule_is_limit(n.rule) && n.rule->verdict != t->x->outcome.verdict &&
		    partial_in_rule(&t->x->packet, n.rule, false).truth == YES)
			vec_push(t->arena, &t->near, n);
	}
}

static const struct ir_list *deciding_list(const struct telling *t)
{
	switch (t->x->outcome.layer) {
	case LAYER_LIFELINE:
		return &t->ir->lifelines;
	case LAYER_BLOCK:
		return &t->ir->blocks;
	case LAYER_REFLEX:
		return &t->ir->reflexes;
	case LAYER_POSTURE:
		return &t->ir->postures[t->x->posture].lists[t->x->packet.packet.direction];
	case LAYER_COUNT:
		break;
	}
	return NULL;
}

static void tell_list(struct telling *t, const struct ir_list *list)
{
	const struct outcome *o = &t->x->outcome;
	size_t i = 0;

	for (; i < list->count && &list->rules[i] != o->rule; i++)
		try_near(t, &list->rules[i]);
	for (i++; i < list->count; i++) {
		const struct ir_rule *rule = &list->rules[i];

		if (!rule->is_default && !rule->rate && !rule->payload && rule->verdict != o->verdict &&
		    partial_in_rule(&t->x->packet, rule, false).truth == YES)
			vec_push(t->arena, &t->later, rule);
	}
}

static void tell_near(struct telling *t)
{
	const struct outcome *o = &t->x->outcome;

	if (o->layer != LAYER_LIFELINE && t->x->packet.packet.direction == DIRECTION_IN)
		for (size_t i = 0; i < t->ir->lifelines.count; i++)
			try_near(t, &t->ir->lifelines.rules[i]);
	if (!o->rule || (o->layer == LAYER_LIFELINE && t->x->packet.packet.direction == DIRECTION_OUT))
		return; /* the answers of a lifeline are its boxes turned around */
	tell_list(t, deciding_list(t));
	if (o->layer == LAYER_POSTURE)
		try_other_direction(t);
}

bool explain_packet(struct explanation *out, const struct ir *ir, unsigned posture,
		    const struct pol_packet *packet, struct arena *a)
{
	own(moment) struct moment *world = moment_new(ir);
	struct telling t = { .ir = ir, .arena = a, .x = out, .world = world };

	*out = (struct explanation){ .posture = posture };
	if (!is_sure(out, ir, packet, a))
		return false;
	tell_layers(&t);
	tell_near(&t);
	out->lines = t.lines.at;
	out->line_count = t.lines.len;
	out->near = t.near.at;
	out->near_count = t.near.len;
	out->later = t.later.at;
	out->later_count = t.later.len;
	return true;
}
