#include "compiler/prove/judgement/parts.h"

#include <assert.h>
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"

/* --- comparing steps ---------------------------------------------------------------- */

bool step_same(const struct judgement *x, const struct step *a, const struct judgement *y,
	       const struct step *b)
{
	return a->hash == b->hash && a->verdict == b->verdict && a->goes_on == b->goes_on &&
	       a->outcome == b->outcome && step_same_cells(x, a, y, b);
}

bool step_same_cells(const struct judgement *x, const struct step *a, const struct judgement *y,
		     const struct step *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!cell_same(&x->cells[a->first + i], &y->cells[b->first + i]))
			return false;
	return true;
}

/* --- making ------------------------------------------------------------------------- */

struct making {
	struct terms *terms;
	const struct ir *ir;
	uint64_t everywhere, in_zones; /* in the terms' numbering */
	struct judgement *j;
	size_t step_room, cell_room;
	bool alone; /* compared with no other policy: each rule's condition is its own */
};

static void step_begin(struct making *k, const struct ir_rule *rule, const char *why,
		       enum verdict verdict)
{
	struct judgement *j = k->j;

	assert(j->step_count < k->step_room);
	j->steps[j->step_count++] = (struct step){
		.rule = rule,
		.why = why,
		.verdict = verdict,
		.first = (uint32_t)j->cell_count,
	};
}

/* The step just begun only spares its packets layers 2 and 3. */
static void step_goes_on(struct making *k)
{
	k->j->steps[k->j->step_count - 1].goes_on = true;
}

static void step_cell(struct making *k, struct cell c)
{
	struct judgement *j = k->j;

	if (j->cell_count == k->cell_room) {
		struct cell *more = arena_zero(k->terms->arena, 2 * (k->cell_room + 1) * sizeof *more);

		memcpy(more, j->cells, j->cell_count * sizeof *more);
		j->cells = more;
		k->cell_room = 2 * (k->cell_room + 1);
	}
	c.step = (uint32_t)j->step_count - 1;
	j->cells[j->cell_count++] = c;
}

/* The step just begun judges only what begins a flow. */
static void step_of_new_flows(struct making *k)
{
	struct judgement *j = k->j;

	for (size_t i = j->steps[j->step_count - 1].first; i < j->cell_count; i++)
		j->cells[i].states &= STATES_FIRST;
}

void judgement_hash(struct judgement *j, struct step *s)
{
	s->hash = hash_mix(0x9e3779b97f4a7c15ull, (uint64_t)s->outcome << 32 | s->verdict << 1 | s->goes_on);
	for (uint32_t i = 0; i < s->count; i++)
		s->hash = cell_mix(s->hash, &j->cells[s->first + i]);
}

static void step_end(struct making *k)
{
	struct judgement *j = k->j;
	struct step *s = &j->steps[j->step_count - 1];

	s->count = (uint32_t)j->cell_count - s->first;
	judgement_hash(j, s);
}

/* Boxes as cells, each also held to `zones` and, when not -1, to an unknown. */
static void step_boxes(struct making *k, const struct ir_box *boxes, size_t count, uint64_t zones,
		       int unknown)
{
	struct cell cells[FAMILY_COUNT];

	for (size_t i = 0; i < count; i++) {
		size_t len = cells_of_box(k->terms, k->ir, &boxes[i], k->j->direction, cells);

		for (size_t f = 0; f < len; f++) {
			cells[f].zones &= zones;
			cells[f].unknown = unknown;
			if (cells[f].zones)
				step_cell(k, cells[f]);
		}
	}
}

/* The packets that both boxes have. */
static void step_both(struct making *k, const struct ir_box *x, const struct ir_box *y, uint64_t zones, int unknown)
{
	struct cell a[FAMILY_COUNT], b[FAMILY_COUNT], both;
	const size_t as = cells_of_box(k->terms, k->ir, x, k->j->direction, a);
	const size_t bs = cells_of_box(k->terms, k->ir, y, k->j->direction, b);
	bool exact;

	for (size_t i = 0; i < as * bs; i++) {
		if (!cell_meet(k->terms->arena, &a[i / bs], &b[i % bs], &both, &exact) || !(both.zones &= zones))
			continue;
		both.unknown = unknown;
		step_cell(k, both);
	}
}

/* Those of the packets of which one that takes before is asked too, while the posture does not silence it. */
static void step_behind(struct making *k, const struct ir_rule *r, const struct taker *taker, uint64_t zones, int unknown)
{
	const struct ir_rule *x = taker->rule;

	if (x->except >> k->j->posture & 1)
		return;
	for (size_t i = 0; i < r->box_count; i++)
		for (size_t n = 0; n < x->box_count; n++)
			step_both(k, &r->boxes[i], &x->boxes[n], zones, unknown);
}

/* What is behind one, two, three of those that take before. */
struct counting {
	struct making *k;
	const struct ir_rule *rule;
	const struct ir_rule *takers[TAKERS_COUNTED];
	size_t taker_count;
	bool exact;
	VEC(struct cell) cells;
};

#define COUNTED_CELLS 1024

/* Nothing is left behind as many as the bucket holds. */
static int unknown_behind(const struct counting *c, unsigned taken)
{
	const struct takers some = { .count = taken };
	const struct ir_rule *r = c->rule;

	if (!r->payload && !r->rate->bytes && taken >= r->rate->burst)
		return -1;
	return (int)terms_unknown(c->k->terms, ir_rule_condition(r), condition_copy(r, c->k->j->copy), &some);
}

static void count_behind(struct counting *c, const struct cell *of, size_t from, unsigned taken)
{
	struct cell x[FAMILY_COUNT], both;

	for (size_t i = from; i < c->taker_count; i++)
		for (size_t b = 0; b < c->takers[i]->box_count; b++) {
			const size_t len = cells_of_box(c->k->terms, c->k->ir, &c->takers[i]->boxes[b], c->k->j->direction, x);

			for (size_t n = 0; n < len; n++) {
				bool exact = c->cells.len < COUNTED_CELLS;

				if (!cell_meet(c->k->terms->arena, of, &x[n], &both, &exact))
					continue;
				c->exact &= exact;
				if (!exact)
					continue;
				both.unknown = unknown_behind(c, taken + 1);
				vec_push(c->k->terms->arena, &c->cells, both);
				count_behind(c, &both, i + 1, taken + 1);
			}
		}
}

/* False where the packet does not tell how many take before: then of what is always over as much as it does tell. */
static bool step_counted(struct making *k, const struct ir_rule *r, const struct takers *before, uint64_t zones)
{
	struct counting c = { .k = k, .rule = r, .exact = true };
	struct cell own[FAMILY_COUNT];

	for (size_t i = 0; i < before->len; i++) {
		const struct ir_rule *x = before->at[i].rule;

		if (x->except >> k->j->posture & 1)
			continue;
		if (x->payload || c.taker_count == TAKERS_COUNTED)
			c.exact = false;
		else
			c.takers[c.taker_count++] = x;
	}
	c.exact &= before->len <= TAKERS_COUNTED;
	for (size_t i = 0; i < r->box_count; i++) {
		const size_t len = cells_of_box(k->terms, k->ir, &r->boxes[i], k->j->direction, own);

		for (size_t n = 0; n < len; n++)
			count_behind(&c, &own[n], 0, 0);
	}
	for (size_t i = 0; i < c.cells.len; i++)
		if ((c.exact || c.cells.at[i].unknown < 0) && (c.cells.at[i].zones &= zones))
			step_cell(k, c.cells.at[i]);
	return c.exact;
}

/* Behind others that take of its limit a rule is over too when fewer tokens are left than they take, all or some of them. */
static void step_shared(struct making *k, const struct ir_rule *r, uint64_t zones)
{
	const struct takers before = terms_takers(k->terms, r);
	const unsigned copy = condition_copy(r, k->j->copy);

	if (!before.len || step_counted(k, r, &before, zones))
		return;
	for (size_t u = 0; u < k->terms->unknowns.len; u++) {
		const struct unknown *of = &k->terms->unknowns.at[u];

		if (!of->before.len || of->copy != copy || strcmp(of->name, ir_rule_condition(r)) || !takers_are_among(&of->before, &before))
			continue;
		for (size_t i = 0; i < before.len; i++)
			if (takers_have(&of->before, &before.at[i]))
				step_behind(k, r, &before.at[i], zones, (int)u);
	}
}

static int unknown_of(const struct making *k, const struct ir_rule *r)
{
	static const struct takers none;
	const char *name = ir_rule_condition(r);

	if (!name)
		return -1;
	if (k->alone)
		return (int)terms_own_unknown(k->terms, r);
	return (int)terms_unknown(k->terms, name, condition_copy(r, k->j->copy), &none);
}

static void step_rule(struct making *k, const struct ir_rule *r, uint64_t zones)
{
	step_begin(k, r, r->label, r->verdict);
	step_boxes(k, r->boxes, r->box_count, zones, unknown_of(k, r));
	if (!k->alone)
		step_shared(k, r, zones);
	if (ir_rule_is_limit(r))
		step_of_new_flows(k);
	step_end(k);
}

static void step_lifeline(struct making *k, const struct ir_rule *r)
{
	step_begin(k, r, r->label, VERDICT_ALLOW);
	switch (k->j->direction) {
	case DIRECTION_FORWARD:
		step_goes_on(k);
		step_boxes(k, r->boxes, r->box_count, k->in_zones, -1);
		break;
	case DIRECTION_OUT:
		for (size_t i = 0; i < r->box_count; i++) {
			struct ir_box reply = ir_box_reply(&r->boxes[i]);

			step_boxes(k, &reply, 1, k->everywhere, -1);
		}
		break;
	case DIRECTION_IN:
	case DIRECTION_COUNT:
		step_boxes(k, r->boxes, r->box_count, k->everywhere, -1);
		break;
	}
	step_end(k);
}

/* Both families, held to some states and reply directions. */
static void step_state(struct making *k, const char *why, enum verdict v, unsigned states,
		       unsigned replies)
{
	step_begin(k, NULL, why, v);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct cell c = cell_any((enum family)f, k->everywhere);

		c.states = (uint8_t)states;
		c.replies = (uint8_t)replies;
		step_cell(k, c);
	}
	step_end(k);
}

/* An ICMP type is asked of a first or whole packet. */
static struct cell cell_icmp(uint64_t zones, enum family family, const struct range *types,
			     size_t len)
{
	struct cell c = cell_any(family, zones);

	c.proto_lo = c.proto_hi = family == FAMILY_IP4 ? PROTO_ICMP : PROTO_ICMPV6;
	c.fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST;
	c.icmp = (struct ranges){ (struct range *)types, len };
	return c;
}

/*
 * Multicast listener discovery (RFC 2710, 3810) travels with hop limit 1, from a
 * link-local address; a report also from :: (RFC 3590).
 */
static void cells_listener(struct making *k)
{
	static const struct range all[] = {
		{ 130 << 8, 132 << 8 | 255 }, { 143 << 8, 143 << 8 | 255 },
	};
	static const struct range reports[] = {
		{ 131 << 8, 131 << 8 | 255 }, { 143 << 8, 143 << 8 | 255 },
	};
	static const struct addr_range local = { (addr_num)0xfe80 << 112,
						 ((addr_num)0xfec0 << 112) - 1 };
	static const struct addr_range none = { 0, 0 };
	struct cell any = cell_icmp(k->everywhere, FAMILY_IP6, all, 2);
	struct cell report = cell_icmp(k->everywhere, FAMILY_IP6, reports, 2);

	any.hops = report.hops = 1u << HOPS_1;
	any.src = (struct side){ .at = &local, .len = 1 };
	report.src = (struct side){ .at = &none, .len = 1 };
	step_cell(k, any);
	step_cell(k, report);
}

/* Router and neighbour discovery (RFC 4861: hop limit 255, code 0), and listener discovery. */
static void step_neighbour(struct making *k)
{
	static const struct range discovery[] = {
		{ 133 << 8, 133 << 8 }, { 134 << 8, 134 << 8 },
		{ 135 << 8, 135 << 8 }, { 136 << 8, 136 << 8 },
	};
	struct cell c = cell_icmp(k->everywhere, FAMILY_IP6, discovery, 4);

	step_begin(k, NULL, WHY_NEIGHBOUR, VERDICT_ALLOW);
	if (k->j->direction == DIRECTION_FORWARD)
		step_goes_on(k);
	c.hops = 1u << HOPS_255;
	step_cell(k, c);
	cells_listener(k);
	step_end(k);
}

/* Unreachable, too big, time exceeded, parameter problem: RFC 792, RFC 4443. */
struct cell cell_of_icmp_errors(enum family family, uint64_t zones)
{
	static const struct range errors4[] = {
		{ 3 << 8, 3 << 8 | 255 }, { 11 << 8, 12 << 8 | 255 },
	};
	static const struct range errors6[] = { { 1 << 8, 4 << 8 | 255 } };

	if (family == FAMILY_IP4)
		return cell_icmp(zones, family, errors4, 2);
	return cell_icmp(zones, family, errors6, 1);
}

/* A closed posture lets errors pass that belong to a flow, and nothing else of a flow. */
static void step_related_errors(struct making *k)
{
	step_begin(k, NULL, WHY_RELATED, VERDICT_ALLOW);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct cell c = cell_of_icmp_errors((enum family)f, k->everywhere);

		c.states = 1u << CT_RELATED;
		step_cell(k, c);
	}
	step_end(k);
}

static void step_blocked(struct making *k)
{
	step_begin(k, NULL, WHY_BLOCKED, VERDICT_DROP);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct cell c = cell_any((enum family)f, k->in_zones);

		c.blocked = 1u << 1;
		if (c.zones)
			step_cell(k, c);
	}
	step_end(k);
}

/* Feeds, blocks and reflexes judge what arrives at an interface of a zone. */
static void steps_epiderme(struct making *k)
{
	const struct ir *ir = k->ir;

	step_blocked(k);
	for (size_t i = 0; i < ir->feeds.count; i++)
		step_rule(k, &ir->feeds.rules[i], k->in_zones);
	for (size_t i = 0; i < ir->blocks.count; i++)
		step_rule(k, &ir->blocks.rules[i], k->in_zones);
	for (size_t i = 0; i < ir->reflexes.count; i++) {
		const struct ir_rule *r = &ir->reflexes.rules[i];

		if (r->except >> k->j->posture & 1)
			continue;
		step_rule(k, r, k->in_zones);
	}
}

/* What a session has done is not in a packet: each rule that takes away is an open condition. */
static void steps_sessions(struct making *k)
{
	static const struct takers none;
	const struct derme *d = k->ir->derme;

	for (uint32_t i = 0; d && i < d->rule_count; i++) {
		if (!derme_takes_away(&d->rules[i]))
			continue;
		step_begin(k, NULL, d->rules[i].id, VERDICT_DROP);
		for (int f = 0; f < FAMILY_COUNT; f++) {
			struct cell c = cell_any((enum family)f, k->everywhere);

			c.unknown = (int)terms_unknown(k->terms, d->rules[i].id, k->j->copy, &none);
			step_cell(k, c);
		}
		step_end(k);
	}
}

static void steps_state(struct making *k, const struct ir_posture *p)
{
	const unsigned reply = 1u << 1;

	step_state(k, WHY_INVALID, VERDICT_DROP, 1u << CT_INVALID, BOTH);
	if (p->closed) {
		step_related_errors(k);
		return;
	}
	step_state(k, WHY_ESTABLISHED, VERDICT_ALLOW, 1u << CT_ESTABLISHED,
		   p->established == ESTABLISHED_KEEP ? BOTH : reply);
	step_state(k, WHY_RELATED, VERDICT_ALLOW, 1u << CT_RELATED, BOTH);
}

static size_t boxes_in(const struct ir_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += l->rules[i].box_count;
	return n;
}

/* With room for every step that there may be. */
static struct making making_begin(struct terms *t, const struct ir *ir, unsigned posture,
				  enum direction direction, unsigned copy)
{
	const size_t sessions = ir->derme ? ir->derme->rule_count : 0;
	const size_t fixed_steps = 5 + sessions, fixed_cells = 11 + FAMILY_COUNT * sessions;
	const struct ir_list *list = &ir->postures[posture].lists[direction];
	struct judgement *j = arena_zero(t->arena, sizeof *j);
	struct making k = { .terms = t, .ir = ir, .j = j };

	k.everywhere = terms_zones(t, ir, UINT64_MAX);
	k.in_zones = terms_zones(t, ir, ~(UINT64_C(1) << ZONE_NONE));
	k.step_room = fixed_steps + ir->lifelines.count + ir->feeds.count + ir->blocks.count + ir->reflexes.count +
		      list->count;
	k.cell_room = fixed_cells + FAMILY_COUNT * (boxes_in(&ir->lifelines) +
						    boxes_in(&ir->feeds) + boxes_in(&ir->blocks) +
						    boxes_in(&ir->reflexes) + boxes_in(list));
	j->ir = ir;
	j->posture = posture;
	j->direction = direction;
	j->copy = copy;
	j->steps = arena_zero(t->arena, k.step_room * sizeof *j->steps);
	j->cells = arena_zero(t->arena, k.cell_room * sizeof *j->cells);
	return k;
}

static void steps_lifelines(struct making *k)
{
	for (size_t i = 0; i < k->ir->lifelines.count; i++)
		step_lifeline(k, &k->ir->lifelines.rules[i]);
}

static void steps_rules(struct making *k)
{
	const struct ir_list *list = &k->ir->postures[k->j->posture].lists[k->j->direction];

	for (size_t i = 0; i < list->count; i++)
		step_rule(k, &list->rules[i], k->everywhere);
}

struct judgement *judgement_make(struct terms *t, const struct ir *ir, unsigned posture,
				 enum direction direction, unsigned copy)
{
	struct making k = making_begin(t, ir, posture, direction, copy);

	steps_lifelines(&k);
	step_neighbour(&k);
	if (direction != DIRECTION_OUT)
		steps_epiderme(&k);
	k.j->layer4 = k.j->step_count;
	steps_sessions(&k);
	steps_state(&k, &ir->postures[posture]);
	steps_rules(&k);
	return k.j;
}

struct judgement *judgement_of_layer4(struct terms *t, const struct ir *ir, unsigned posture, enum direction direction)
{
	struct making k = making_begin(t, ir, posture, direction, 0);

	k.alone = true;
	if (direction != DIRECTION_FORWARD) {
		steps_lifelines(&k);
		step_neighbour(&k);
	}
	steps_state(&k, &ir->postures[posture]);
	steps_rules(&k);
	return k.j;
}

struct judgement *judgement_of_first_hook(struct terms *t, const struct ir *ir, unsigned posture)
{
	struct making k = making_begin(t, ir, posture, DIRECTION_IN, 0);

	k.alone = true;
	steps_lifelines(&k);
	step_neighbour(&k);
	steps_epiderme(&k);
	step_state(&k, WHY_GOES_ON, VERDICT_ALLOW, STATES_ALL, BOTH);
	k.j->layer4 = k.j->step_count;
	return k.j;
}

struct judgement *judgement_of_rules(struct terms *t, const struct ir *ir, unsigned posture,
				     enum direction direction)
{
	struct making k = making_begin(t, ir, posture, direction, 0);

	if (direction != DIRECTION_FORWARD)
		steps_lifelines(&k);
	k.j->layer4 = k.j->step_count;
	steps_rules(&k);
	return k.j;
}

/* --- one packet --------------------------------------------------------------------- */

size_t judgement_first(const struct judgement *j, const struct point *p)
{
	for (size_t i = 0; i < j->cell_count; i++) {
		size_t step = j->cells[i].step;

		if (!cell_has(&j->cells[i], p))
			continue;
		if (!j->steps[step].goes_on)
			return step;
		i = j->steps[j->layer4].first - 1;
	}
	assert(!"a judgement ends with a default that has every packet");
	return j->step_count - 1;
}
