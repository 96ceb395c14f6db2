#include "compiler/prove/judgement.h"

#include <assert.h>
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "compiler/prove/mutant.h"

#define BOTH 3u /* both values of a boolean */

static const struct addr_range full_range[FAMILY_COUNT] = {
	[FAMILY_IP4] = { 0, UINT32_MAX },
	[FAMILY_IP6] = { 0, ~(addr_num)0 },
};

static const struct range full_u16 = { 0, UINT16_MAX };

/* --- terms -------------------------------------------------------------------------- */

static size_t zone_find(const struct terms *t, const char *name)
{
	size_t i = 0;

	while (i < t->zones.len && strcmp(t->zones.at[i], name))
		i++;
	return i;
}

static size_t unknown_find(const struct terms *t, const char *name, unsigned copy)
{
	size_t i = 0;

	while (i < t->unknowns.len &&
	       (t->unknowns.at[i].copy != copy || strcmp(t->unknowns.at[i].name, name)))
		i++;
	return i;
}

uint64_t terms_zone(const struct terms *t, const char *name)
{
	return UINT64_C(1) << zone_find(t, name);
}

static enum open_kind open_kind(const struct ir_rule *r)
{
	return r->feed ? OPEN_FEED : r->payload ? OPEN_PATTERN : OPEN_RATE;
}

/* Their own, and for a second policy of which nothing is known to fill alike. */
static void unknowns_add(struct terms *t, const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const char *name = ir_rule_condition(&l->rules[i]);

		for (unsigned copy = 0; name && copy < 2; copy++) {
			struct unknown u = { name, open_kind(&l->rules[i]), copy };

			if (unknown_find(t, name, copy) == t->unknowns.len)
				vec_push(t->arena, &t->unknowns, u);
		}
	}
}

bool terms_add(struct terms *t, const struct ir *ir)
{
	for (size_t i = 0; i < ir->zone_count; i++) {
		if (zone_find(t, ir->zones[i].name) < t->zones.len)
			continue;
		if (t->zones.len == ZONE_NONE)
			return false;
		vec_push(t->arena, &t->zones, ir->zones[i].name);
	}
	unknowns_add(t, &ir->feeds);
	unknowns_add(t, &ir->reflexes);
	for (uint32_t i = 0; ir->derme && i < ir->derme->rule_count; i++)
		for (unsigned copy = 0; copy < 2; copy++) {
			struct unknown u = { ir->derme->rules[i].id, OPEN_SESSION, copy };

			if (derme_takes_away(&ir->derme->rules[i]) && unknown_find(t, u.name, copy) == t->unknowns.len)
				vec_push(t->arena, &t->unknowns, u);
		}
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			unknowns_add(t, &ir->postures[i].lists[d]);
	return true;
}

/*
 * A policy's zone bits in the terms' numbering. Zones that only the other
 * policy names are, to this one, interfaces of no zone.
 */
static uint64_t zones_translate(const struct terms *t, const struct ir *ir, uint64_t zones)
{
	uint64_t out = 0, known = 0;

	for (size_t i = 0; i < ir->zone_count; i++) {
		uint64_t bit = UINT64_C(1) << zone_find(t, ir->zones[i].name);

		known |= bit;
		if (zones >> i & 1)
			out |= bit;
	}
	if (zones >> ZONE_NONE & 1) {
		uint64_t all = (UINT64_C(1) << t->zones.len) - 1;

		out |= UINT64_C(1) << ZONE_NONE | MUTANT(16, all & ~known, 0);
	}
	return out;
}

/* --- cells -------------------------------------------------------------------------- */

static struct ranges all_u16(void)
{
	return (struct ranges){ (struct range *)&full_u16, 1 };
}

struct cell cell_any(enum family family, uint64_t zones)
{
	struct side full = { .full = true, .at = &full_range[family], .len = 1 };

	return (struct cell){
		.family = family,
		.states = STATES_ALL,
		.replies = BOTH,
		.fragments = FRAGMENT_ANY,
		.hops = HOPS_ALL,
		.blocked = BOTH,
		.proto_hi = UINT8_MAX,
		.zones = zones,
		.unknown = -1,
		.dst = full,
		.src = full,
		.sport = all_u16(),
		.dport = all_u16(),
		.icmp = all_u16(),
	};
}

static struct side side_of(const struct ir_end *e, enum family family)
{
	struct side s = { .full = e->any, .self = !e->any && e->self };

	if (e->any) {
		s.at = &full_range[family];
		s.len = 1;
	} else if (e->set) {
		s.at = e->set->set.at[family];
		s.len = e->set->set.len[family];
	}
	return s;
}

size_t cells_of_box(const struct terms *t, const struct ir *ir, const struct ir_box *box,
		    enum direction direction, struct cell out[static FAMILY_COUNT])
{
	size_t len = 0;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (!(box->families & 1u << f))
			continue;

		struct cell c = cell_any((enum family)f, zones_translate(t, ir, box->zones));

		c.fragments = box->fragments;
		c.flags_mask = box->flags_mask;
		c.flags_want = box->flags_want;
		if (box->proto != PROTO_ANY_NUMBER)
			c.proto_lo = c.proto_hi = box->proto;
		c.dst = side_of(&box->dst, c.family);
		c.dst.self &= direction != DIRECTION_FORWARD;
		c.src = side_of(&box->src, c.family);
		c.sport = box->sport;
		c.dport = box->dport;
		c.icmp = box->icmp;
		if ((c.dst.len || c.dst.self) && (c.src.len || c.src.self) && c.zones)
			out[len++] = c;
	}
	return len;
}

/* --- comparing steps ---------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0xbf58476d1ce4e5b9ull;
	return h ^ h >> 31;
}

static uint64_t mix_side(uint64_t h, const struct side *s)
{
	h = mix(h, s->len << 2 | (uint64_t)s->self << 1 | s->full);
	for (size_t i = 0; i < s->len; i++) {
		h = mix(h, (uint64_t)s->at[i].lo);
		h = mix(h, (uint64_t)(s->at[i].lo >> 64));
		h = mix(h, (uint64_t)s->at[i].hi);
		h = mix(h, (uint64_t)(s->at[i].hi >> 64));
	}
	return h;
}

static uint64_t mix_ranges(uint64_t h, const struct ranges *r)
{
	h = mix(h, r->len);
	for (size_t i = 0; i < r->len; i++)
		h = mix(h, (uint64_t)r->at[i].lo << 16 | r->at[i].hi);
	return h;
}

static uint64_t mix_cell(uint64_t h, const struct cell *c)
{
	h = mix(h, (uint64_t)c->family << 56 | (uint64_t)c->states << 48 |
			   (uint64_t)c->replies << 40 | (uint64_t)c->fragments << 32 |
			   (uint64_t)c->hops << 24 | (uint64_t)c->blocked << 16 |
			   (uint64_t)c->flags_mask << 8 | c->flags_want);
	h = mix(h, (uint64_t)c->proto_lo << 16 | c->proto_hi);
	h = mix(h, c->zones);
	h = mix(h, (uint64_t)c->unknown);
	h = mix_side(h, &c->dst);
	h = mix_side(h, &c->src);
	h = mix_ranges(h, &c->sport);
	h = mix_ranges(h, &c->dport);
	return mix_ranges(h, &c->icmp);
}

static bool side_same(const struct side *a, const struct side *b)
{
	if (a->self != b->self || a->full != b->full || a->len != b->len)
		return false;
	if (a->at == b->at)
		return true;
	for (size_t i = 0; i < a->len; i++)
		if (a->at[i].lo != b->at[i].lo || a->at[i].hi != b->at[i].hi)
			return false;
	return true;
}

bool cell_same(const struct cell *a, const struct cell *b)
{
	return a->family == b->family && a->states == b->states && a->replies == b->replies &&
	       a->fragments == b->fragments && a->hops == b->hops && a->blocked == b->blocked &&
	       a->flags_mask == b->flags_mask && a->flags_want == b->flags_want &&
	       a->proto_lo == b->proto_lo && a->proto_hi == b->proto_hi && a->zones == b->zones &&
	       a->unknown == b->unknown && side_same(&a->dst, &b->dst) &&
	       side_same(&a->src, &b->src) && ranges_equal(&a->sport, &b->sport) &&
	       ranges_equal(&a->dport, &b->dport) && ranges_equal(&a->icmp, &b->icmp);
}

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

	assert(j->cell_count < k->cell_room);
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
	s->hash = mix(0x9e3779b97f4a7c15ull, (uint64_t)s->outcome << 32 | s->verdict << 1 | s->goes_on);
	for (uint32_t i = 0; i < s->count; i++)
		s->hash = mix_cell(s->hash, &j->cells[s->first + i]);
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

static int unknown_of(const struct making *k, const struct ir_rule *r)
{
	const char *name = ir_rule_condition(r);

	return name ? (int)unknown_find(k->terms, name, k->j->copy) : -1;
}

static void step_rule(struct making *k, const struct ir_rule *r, uint64_t zones)
{
	step_begin(k, r, r->label, r->verdict);
	step_boxes(k, r->boxes, r->box_count, zones, unknown_of(k, r));
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
	const struct derme *d = k->ir->derme;

	for (uint32_t i = 0; d && i < d->rule_count; i++) {
		if (!derme_takes_away(&d->rules[i]))
			continue;
		step_begin(k, NULL, d->rules[i].id, VERDICT_DROP);
		for (int f = 0; f < FAMILY_COUNT; f++) {
			struct cell c = cell_any((enum family)f, k->everywhere);

			c.unknown = (int)unknown_find(k->terms, d->rules[i].id, k->j->copy);
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

	k.everywhere = zones_translate(t, ir, UINT64_MAX);
	k.in_zones = zones_translate(t, ir, ~(UINT64_C(1) << ZONE_NONE));
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

static bool side_has(const struct side *s, addr_num a, bool is_self)
{
	if (s->full || (s->self && is_self))
		return true;
	for (size_t i = 0; i < s->len && s->at[i].lo <= a; i++)
		if (a <= s->at[i].hi)
			return true;
	return false;
}

static bool bit(uint64_t mask, unsigned value)
{
	return mask >> value & 1;
}

bool cell_has(const struct cell *c, const struct point *p)
{
	const struct packet *k = &p->packet;

	return c->family == k->family && bit(c->states, k->state) && bit(c->replies, k->reply) &&
	       (c->fragments & k->fragment) && bit(c->hops, hops_of(k->hop_limit)) &&
	       bit(c->blocked, p->blocked) && bit(c->zones, k->zone) &&
	       (c->unknown < 0 || p->over[c->unknown]) && c->proto_lo <= k->proto &&
	       k->proto <= c->proto_hi && (k->flags & c->flags_mask) == c->flags_want &&
	       ranges_has(&c->dport, k->dport) && ranges_has(&c->sport, k->sport) &&
	       ranges_has(&c->icmp, k->icmp) && side_has(&c->dst, k->dst.num, p->dst_self) &&
	       side_has(&c->src, k->src.num, p->src_self);
}

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
