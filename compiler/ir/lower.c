/*
 * lower.c - what a policy means, as ordered rules over sets of field values: addresses, boxes,
 * then the rules of each layer.
 */
#include "compiler/ir/ir.h"

#include <assert.h>
#include <string.h>

#include "compiler/front/policy.h"
#include "compiler/ir/proto.h"

/* One lowering: the ir that grows, and its sets by content. */
struct lowering {
	struct ir *ir;
	struct arena *arena;
	struct arena *passing; /* of what ends with the lowering */
	VEC(const struct ir_set *) sets;
	uint32_t *slots; /* 1 + index into sets, 0 when free */
	size_t slot_count;
};

/* --- address sets: one pointer for equal sets --------------------------------- */

/* FNV-1a over the ranges: only to find candidates, netset_equal decides. */
static size_t netset_hash(const struct netset *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		const uint8_t *bytes = (const uint8_t *)s->at[f];

		for (size_t i = 0; i < s->len[f] * sizeof *s->at[f]; i++)
			h = (h ^ bytes[i]) * 0x100000001b3;
		h = (h ^ s->len[f]) * 0x100000001b3;
	}
	return (size_t)(h ^ h >> 32);
}

/* The slot of an equal set, or the free one where it belongs. */
static uint32_t *slot_of(struct lowering *lo, const struct netset *s)
{
	size_t i = netset_hash(s) & (lo->slot_count - 1);

	while (lo->slots[i] && !netset_equal(&lo->sets.at[lo->slots[i] - 1]->set, s))
		i = (i + 1) & (lo->slot_count - 1);
	return &lo->slots[i];
}

static void slots_grow(struct lowering *lo)
{
	lo->slot_count = lo->slot_count ? 2 * lo->slot_count : 64;
	lo->slots = arena_zero(lo->passing, lo->slot_count * sizeof *lo->slots);
	for (size_t i = 0; i < lo->sets.len; i++)
		*slot_of(lo, &lo->sets.at[i]->set) = (uint32_t)i + 1;
}

/* The policy's own word for exactly this set; the first one, when there are several. */
static const char *name_of(const struct policy *p, const struct netset *s)
{
	for (size_t i = 0; i < p->net_count; i++)
		if (netset_equal(&p->nets[i].set, s))
			return p->nets[i].name;
	return NULL;
}

static const struct ir_set *set_intern(struct lowering *lo, const struct netset *s)
{
	if (2 * (lo->sets.len + 1) > lo->slot_count)
		slots_grow(lo);

	uint32_t *slot = slot_of(lo, s);
	if (*slot)
		return lo->sets.at[*slot - 1];

	struct ir_set *set = arena_zero(lo->arena, sizeof *set);
	set->index = (unsigned)lo->sets.len;
	set->name = name_of(lo->ir->policy, s);
	set->set = *s;
	for (int f = 0; f < FAMILY_COUNT; f++)
		set->set.at[f] = arena_copy(lo->arena, s->at[f], s->len[f] * sizeof *s->at[f]);
	vec_push(lo->arena, &lo->sets, set);
	*slot = (uint32_t)lo->sets.len;
	return set;
}

/* --- boxes --------------------------------------------------------------------- */

static struct ir_box box_full(struct arena *a)
{
	return (struct ir_box){
		.zones = ZONES_ANY,
		.families = FAMILIES_ANY,
		.fragments = FRAGMENT_ANY,
		.proto = PROTO_ANY_NUMBER,
		.src = { .any = true },
		.dst = { .any = true },
		.sport = ranges_of(a, 0, UINT16_MAX),
		.dport = ranges_of(a, 0, UINT16_MAX),
		.icmp = ranges_of(a, 0, UINT16_MAX),
	};
}

static bool covers_family(const struct netset *s, enum family f)
{
	return s->len[f] == 1 && s->at[f][0].lo == 0 && s->at[f][0].hi == family_max(f);
}

/* The families of which the end has any address at all. */
static uint8_t end_families(const struct pol_end *e)
{
	uint8_t families = 0;

	if (e->any || e->self)
		return FAMILIES_ANY;
	for (int f = 0; f < FAMILY_COUNT; f++)
		families |= (uint8_t)((e->set.len[f] > 0) << f);
	return families;
}

/* An end asks nothing when it holds every address of the families that the box is about. */
static bool end_is_full(const struct pol_end *e, uint8_t families)
{
	if (e->any)
		return true;
	for (int f = 0; f < FAMILY_COUNT; f++)
		if ((families & 1u << f) && !covers_family(&e->set, (enum family)f))
			return false;
	return true;
}

static struct ir_end end_lower(struct lowering *lo, const struct pol_end *e, uint8_t families)
{
	if (end_is_full(e, families))
		return (struct ir_end){ .any = true };
	return (struct ir_end){
		.self = e->self,
		.set = netset_is_empty(&e->set) ? NULL : set_intern(lo, &e->set),
	};
}

static uint8_t proto_families(uint16_t number)
{
	switch (number) {
	case PROTO_ICMP:
		return 1u << FAMILY_IP4;
	case PROTO_ICMPV6:
		return 1u << FAMILY_IP6;
	}
	return FAMILIES_ANY;
}

/* False when no packet can lie in it: then there is no such box. */
static bool box_lower(struct lowering *lo, const struct pol_selector *s, const struct pol_proto *p,
		      struct ir_box *out)
{
	bool ports = !ranges_are_all(&s->sport) || !ranges_are_all(&p->dport);
	bool icmp = !ranges_are_all(&p->icmp);
	uint8_t families = s->families & proto_families(p->number) & end_families(&s->from) &
			   end_families(&s->to);

	assert(!ports || proto_has_ports(p->number));
	assert(!icmp || p->number == PROTO_ICMP || p->number == PROTO_ICMPV6);
	assert(!p->flags_mask || p->number == PROTO_TCP);

	if (!families || !s->zones || !s->sport.len || !p->dport.len || !p->icmp.len)
		return false;
	if (p->flags_want & ~p->flags_mask)
		return false;

	*out = (struct ir_box){
		.zones = s->zones,
		.families = families,
		.fragments = ports || icmp || p->flags_mask ? FRAGMENT_WHOLE | FRAGMENT_FIRST
							    : FRAGMENT_ANY,
		.proto = p->number,
		.src = end_lower(lo, &s->from, families),
		.dst = end_lower(lo, &s->to, families),
		.sport = s->sport,
		.dport = p->dport,
		.icmp = p->icmp,
		.flags_mask = p->flags_mask,
		.flags_want = p->flags_want,
	};
	return true;
}

static struct ir_box *boxes_lower(struct lowering *lo, const struct pol_selector *s, size_t *count)
{
	struct ir_box *boxes = arena_zero(lo->arena, s->proto_count * sizeof *boxes);

	*count = 0;
	for (size_t i = 0; i < s->proto_count; i++)
		if (box_lower(lo, s, &s->protos[i], &boxes[*count]))
			(*count)++;
	return boxes;
}

static void rule_match(struct lowering *lo, struct ir_rule *r, const struct pol_selector *s)
{
	r->boxes = boxes_lower(lo, s, &r->box_count);
}

struct ir_box ir_box_reply(const struct ir_box *box)
{
	struct ir_box reply = *box;

	reply.src = box->dst;
	reply.dst = box->src;
	reply.sport = box->dport;
	reply.dport = box->sport;
	return reply;
}

/* --- rules --------------------------------------------------------------------- */

static const struct ir_rate *rate_lower(struct lowering *lo, const struct pol_rate *r, const char *id)
{
	struct ir_rate rate = ir_rate_of(r);

	if (!rate.bucket)
		rate.bucket = id;
	rate.kin = rate.bucket;
	return arena_copy(lo->arena, &rate, sizeof rate);
}

static struct ir_rule rule_lower(struct lowering *lo, const struct pol_rule *r, enum layer layer)
{
	struct ir_rule out = {
		.id = r->id,
		.label = r->label,
		.span = r->span,
		.layer = layer,
		.direction = r->direction,
		.verdict = r->verdict,
		.effects = r->effects,
	};

	rule_match(lo, &out, &r->match);
	return out;
}

/* What is over a rule's limit, before the rule itself. */
static struct ir_rule limit_lower(struct lowering *lo, const struct pol_rule *r, const struct ir_rule *limited)
{
	struct ir_rule out = *limited;
	struct ir_rate rate;

	out.id = arena_printf(lo->arena, "%s.limit", r->id);
	out.label = arena_printf(lo->arena, "%s.limit", r->label);
	out.verdict = VERDICT_DROP;
	out.effects = (struct pol_effects){ 0 };
	rate = *rate_lower(lo, r->limit, out.id);
	if (rate.bucket == out.id)
		rate.kin = out.label;
	if (rate.key == RATE_GLOBAL)
		rate.bucket = out.id; /* with a name too, it stands in a rule of one posture */
	out.rate = arena_copy(lo->arena, &rate, sizeof rate);
	return out;
}

static struct ir_rule block_lower(struct lowering *lo, const struct pol_block *b)
{
	struct ir_rule out = {
		.id = b->id,
		.label = b->label,
		.span = b->span,
		.layer = LAYER_BLOCK,
		.direction = DIRECTION_IN,
		.verdict = VERDICT_DROP,
	};
	struct ranges all = ranges_of(lo->arena, 0, UINT16_MAX);
	struct pol_proto any = { .number = PROTO_ANY, .dport = all, .icmp = all };
	struct pol_selector from_set = {
		.protos = &any,
		.proto_count = 1,
		.from = { .set = b->set },
		.to = { .any = true },
		.sport = all,
		.zones = b->zones,
		.families = FAMILIES_ANY,
	};

	rule_match(lo, &out, &from_set);
	return out;
}

static struct ir_rule reflex_lower(struct lowering *lo, const struct pol_reflex *r)
{
	struct ir_rule out = {
		.id = r->id,
		.label = r->label,
		.span = r->span,
		.layer = LAYER_REFLEX,
		.direction = DIRECTION_IN,
		.verdict = VERDICT_DROP,
		.effects = r->effects,
		.cookies = r->cookies,
		.block_ns = r->block_ns,
		.except = r->except,
	};

	rule_match(lo, &out, &r->match);
	out.payload = r->match.payload;
	if (r->has_rate)
		out.rate = rate_lower(lo, &r->rate, r->id);
	return out;
}

static struct ir_rule default_lower(struct lowering *lo, const struct pol_posture *p,
				    enum direction d)
{
	struct ir_box full = box_full(lo->arena);

	return (struct ir_rule){
		.id = arena_printf(lo->arena, "%s.default.%s", p->name, direction_name(d)),
		.label = "default",
		.span = p->default_spans[d],
		.layer = LAYER_POSTURE,
		.direction = d,
		.verdict = p->defaults[d],
		.is_default = true,
		.boxes = arena_copy(lo->arena, &full, sizeof full),
		.box_count = 1,
	};
}

static struct ir_list list_lower(struct lowering *lo, const struct pol_posture *p, enum direction d)
{
	size_t count = 1;

	for (size_t i = 0; i < p->rule_count; i++)
		if (p->rules[i].direction == d)
			count += p->rules[i].limit ? 2 : 1;
	struct ir_list list = { .rules = arena_zero(lo->arena, count * sizeof *list.rules) };

	for (size_t i = 0; i < p->rule_count; i++) {
		if (p->rules[i].direction != d)
			continue;
		struct ir_rule rule = rule_lower(lo, &p->rules[i], LAYER_POSTURE);

		if (p->rules[i].limit)
			list.rules[list.count++] = limit_lower(lo, &p->rules[i], &rule);
		list.rules[list.count++] = rule;
	}
	list.rules[list.count++] = default_lower(lo, p, d);
	return list;
}

/*
 * A rule that drops on arrival changes no verdict, but the first hook would
 * count its packets as the default's; one that rejects would be silenced.
 */
static bool posture_is_closed(const struct pol_posture *p)
{
	if (p->established != ESTABLISHED_CUT || p->defaults[DIRECTION_IN] != VERDICT_DROP ||
	    p->defaults[DIRECTION_FORWARD] != VERDICT_DROP ||
	    p->defaults[DIRECTION_OUT] == VERDICT_ALLOW)
		return false;
	for (size_t i = 0; i < p->rule_count; i++)
		if (p->rules[i].direction != DIRECTION_OUT || p->rules[i].verdict == VERDICT_ALLOW)
			return false;
	return true;
}

static struct ir_posture posture_lower(struct lowering *lo, const struct pol_posture *p)
{
	struct ir_posture out = {
		.name = p->name,
		.span = p->span,
		.established = p->established,
		.passes = p->passes,
		.closed = posture_is_closed(p),
	};

	for (int d = 0; d < DIRECTION_COUNT; d++)
		out.lists[d] = list_lower(lo, p, (enum direction)d);
	return out;
}

/* What tests claim of every packet. */
static void claims_lower(struct lowering *lo, const struct policy *p)
{
	VEC(struct ir_claim) claims = { 0 };

	for (size_t i = 0; i < p->test_count; i++)
		for (size_t j = 0; j < p->tests[i].case_count; j++) {
			struct ir_claim one = { .said = &p->tests[i].cases[j] };

			if (one.said->kind != CASE_FORALL)
				continue;
			one.boxes = boxes_lower(lo, &one.said->match, &one.box_count);
			vec_push(lo->arena, &claims, one);
		}
	lo->ir->claims = claims.at;
	lo->ir->claim_count = claims.len;
}

static struct ir_invariant invariant_lower(struct lowering *lo, const struct pol_claim *said)
{
	struct ir_invariant one = { .said = said };

	one.boxes = boxes_lower(lo, &said->match, &one.box_count);
	return one;
}

static void invariants_lower(struct lowering *lo, const struct policy *p)
{
	lo->ir->invariant_count = p->claim_count;
	lo->ir->invariants = arena_zero(lo->arena, p->claim_count * sizeof *lo->ir->invariants);
	for (size_t i = 0; i < p->claim_count; i++)
		lo->ir->invariants[i] = invariant_lower(lo, &p->claims[i]);
}

/* Its sets stand in no list: only the prover looks at them. */
struct ir_invariant ir_lower_claim(const struct ir *ir, const struct pol_claim *said, struct arena *a)
{
	own(arena) struct arena *passing = arena_new();
	struct lowering lo = { .ir = (struct ir *)ir, .arena = a, .passing = passing };

	return invariant_lower(&lo, said);
}

static void zones_lower(struct lowering *lo, const struct policy *p)
{
	struct ir *ir = lo->ir;

	ir->zone_count = p->zone_count;
	ir->zones = arena_zero(lo->arena, p->zone_count * sizeof *ir->zones);
	for (size_t i = 0; i < p->zone_count; i++)
		ir->zones[i] = (struct ir_zone){ p->zones[i].name, p->zones[i].patterns,
						 p->zones[i].pattern_count };
}

/* Whatever comes from who is on it, and who that is says the enforcer. */
static struct ir_rule feed_lower(struct lowering *lo, const struct pol_feed *f)
{
	struct ir_box full = box_full(lo->arena);

	return (struct ir_rule){
		.id = f->id, .label = f->name, .span = f->span, .layer = LAYER_BLOCK, .direction = DIRECTION_IN,
		.verdict = VERDICT_DROP, .feed = f,
		.boxes = arena_copy(lo->arena, &full, sizeof full), .box_count = 1,
	};
}

static void epiderme_lower(struct lowering *lo, const struct policy *p)
{
	struct ir *ir = lo->ir;

	ir->lifelines.rules = arena_zero(lo->arena, p->lifeline_count * sizeof *ir->lifelines.rules);
	for (size_t i = 0; i < p->lifeline_count; i++)
		ir->lifelines.rules[ir->lifelines.count++] =
			rule_lower(lo, &p->lifelines[i], LAYER_LIFELINE);

	ir->feeds.rules = arena_zero(lo->arena, p->feed_count * sizeof *ir->feeds.rules);
	for (size_t i = 0; i < p->feed_count; i++)
		ir->feeds.rules[ir->feeds.count++] = feed_lower(lo, &p->feeds[i]);

	ir->blocks.rules = arena_zero(lo->arena, p->block_count * sizeof *ir->blocks.rules);
	for (size_t i = 0; i < p->block_count; i++)
		ir->blocks.rules[ir->blocks.count++] = block_lower(lo, &p->blocks[i]);

	size_t tell = 0;
	for (size_t i = 0; i < p->reflex_count; i++)
		tell += p->reflexes[i].only_tells;
	ir->reflexes.rules = arena_zero(lo->arena, (p->reflex_count - tell) * sizeof *ir->reflexes.rules);
	ir->watches.rules = arena_zero(lo->arena, tell * sizeof *ir->watches.rules);
	for (size_t i = 0; i < p->reflex_count; i++) {
		struct ir_list *l = p->reflexes[i].only_tells ? &ir->watches : &ir->reflexes;

		l->rules[l->count] = reflex_lower(lo, &p->reflexes[i]);
		l->rules[l->count++].rank = (uint32_t)ir->reflexes.count;
	}
}

struct ir *ir_lower(const struct policy *p, struct arena *a)
{
	own(arena) struct arena *passing = arena_new();
	struct ir *ir = arena_zero(a, sizeof *ir);
	struct lowering lo = { .ir = ir, .arena = a, .passing = passing };

	ir->arena = a;
	ir->policy = p;
	ir->initial = p->initial;
	ir->derme = &p->derme;
	zones_lower(&lo, p);
	epiderme_lower(&lo, p);
	ir->posture_count = p->posture_count;
	ir->postures = arena_zero(a, p->posture_count * sizeof *ir->postures);
	for (size_t i = 0; i < p->posture_count; i++)
		ir->postures[i] = posture_lower(&lo, &p->postures[i]);
	ir->sets = lo.sets.at;
	ir->set_count = lo.sets.len;
	ir_lower_responses(&ir->responses, p, a);
	claims_lower(&lo, p); /* behind the sets that are made: what only claims name is not */
	invariants_lower(&lo, p);
	return ir;
}
