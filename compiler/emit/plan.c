/*
 * plan - the names that a bundle's other parts speak of: zones, postures, and
 * one counter for each stable id. The tables are emit_xdp's, nft_keep emit_nft's.
 */
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/front/policy.h"
#include "compiler/ir/eval.h"
#include "lang/base/strmap.h"
#include "lang/bundle/nft_name.h"

#define OF_NO_POSTURE 255

struct naming {
	struct arena *arena;
	struct strmap ids;
	VEC(struct plan_counter) counters;
};

/* Rules with one id share one counter. */
static void count(struct naming *n, const char *id, enum layer layer, enum verdict verdict,
		  uint8_t posture)
{
	if (!strmap_add(&n->ids, id, (void *)id))
		return;
	vec_push(n->arena, &n->counters, ((struct plan_counter){ id, nft_name(n->arena, id), layer, verdict, posture }));
}

static void count_list(struct naming *n, const struct ir_list *list, uint8_t posture)
{
	for (size_t i = 0; i < list->count; i++)
		count(n, list->rules[i].id, list->rules[i].layer, list->rules[i].verdict, posture);
}

static void name_counters(struct plan *out, const struct ir *ir, struct arena *a)
{
	own(arena) struct arena *passing = arena_new();
	struct naming n = { .arena = a };

	strmap_init(&n.ids, passing);
	count(&n, WHY_NEIGHBOUR, LAYER_LIFELINE, VERDICT_ALLOW, OF_NO_POSTURE);
	count(&n, WHY_BLOCKED, LAYER_BLOCK, VERDICT_DROP, OF_NO_POSTURE);
	count(&n, WHY_ESTABLISHED, LAYER_POSTURE, VERDICT_ALLOW, OF_NO_POSTURE);
	count(&n, WHY_RELATED, LAYER_POSTURE, VERDICT_ALLOW, OF_NO_POSTURE);
	count(&n, WHY_INVALID, LAYER_POSTURE, VERDICT_DROP, OF_NO_POSTURE);
	count_list(&n, &ir->lifelines, OF_NO_POSTURE);
	count_list(&n, &ir->feeds, OF_NO_POSTURE);
	count_list(&n, &ir->blocks, OF_NO_POSTURE);
	count_list(&n, &ir->reflexes, OF_NO_POSTURE);
	for (size_t i = 0; i < ir->watches.count; i++)
		count(&n, ir->watches.rules[i].id, LAYER_REFLEX, VERDICT_ALLOW, OF_NO_POSTURE);
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			count_list(&n, &ir->postures[i].lists[d], (uint8_t)i);
	out->counters = n.counters.at;
	out->counter_count = (uint32_t)n.counters.len;
}

static void name_zones(struct plan *out, const struct ir *ir, struct arena *a)
{
	out->zone_count = (uint32_t)ir->zone_count;
	out->zones = arena_zero(a, ir->zone_count * sizeof *out->zones);
	for (size_t i = 0; i < ir->zone_count; i++)
		out->zones[i] = (struct plan_zone){ ir->zones[i].name, ir->zones[i].patterns,
						    (uint32_t)ir->zones[i].pattern_count };
}

static const char *or_nothing(const char *s)
{
	return s ? s : "";
}

static void name_postures(struct plan *out, const struct ir *ir, struct arena *a)
{
	out->posture_count = (uint32_t)ir->posture_count;
	out->initial = ir->initial;
	out->postures = arena_zero(a, ir->posture_count * sizeof *out->postures);
	for (size_t i = 0; i < ir->posture_count; i++)
		out->postures[i] = (struct plan_posture){
			.name = ir->postures[i].name,
			.title = or_nothing(ir->policy->postures[i].title),
			.established = ir->postures[i].established,
			.closed = ir->postures[i].closed,
			.within = ir->postures[i].within | 1ull << i,
		};
}

static struct plan_feed feed_of(const struct pol_feed *f)
{
	const uint64_t second_ns = 1000000000;

	return (struct plan_feed){
		.name = f->name, .format = f->format, .member = or_nothing(f->member), .column = (uint32_t)f->column,
		.most = (uint32_t)f->max, .stale_s = (uint32_t)((f->stale_ns + second_ns - 1) / second_ns),
		.stale_keeps = f->stale_keeps,
	};
}

static void name_feeds(struct plan *out, const struct ir *ir, struct arena *a)
{
	out->feed_count = (uint32_t)ir->feeds.count;
	out->feeds = arena_zero(a, ir->feeds.count * sizeof *out->feeds);
	for (size_t i = 0; i < ir->feeds.count; i++)
		out->feeds[i] = feed_of(ir->feeds.rules[i].feed);
}

/* --- what the enforcer must be able to do ------------------------------------------------------- */

struct needing {
	struct arena *arena;
	VEC(struct plan_need) list;
};

static void need(struct needing *n, enum need what, const char *by)
{
	struct plan_need one = { what, by };

	vec_push(n->arena, &n->list, one);
}

static void need_of_list(struct needing *n, const struct ir_list *l, enum need events)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct ir_rule *r = &l->rules[i];

		if (r->effects.emits)
			need(n, events, r->id);
		if (r->cookies)
			need(n, NEED_COOKIES, r->id);
		if (r->payload)
			need(n, NEED_PAYLOAD, r->id);
		if (r->rate && r->rate->key == RATE_PER_FLOW)
			need(n, NEED_FLOWS, r->id);
		if (r->rate && r->rate->fleet)
			need(n, NEED_FLEET, r->id);
	}
}

static void need_of_responses(struct needing *n, const struct playbooks *p)
{
	for (uint32_t i = 0; i < p->decoy_count; i++)
		need(n, NEED_DECOYS, p->decoys[i].name);
	for (uint32_t i = 0; i < p->play_count; i++)
		need(n, NEED_PLAYBOOKS, p->plays[i].name);
	if (p->regulation_count)
		need(n, NEED_HOMEOSTASIS, "homeostasis");
}

static void need_of_senses(struct needing *n, const struct policy *p)
{
	for (size_t i = 0; i < p->feed_count; i++)
		need(n, NEED_FEEDS, p->feeds[i].id);
	for (uint32_t i = 0; i < p->derme.rule_count; i++)
		need(n, NEED_DERME, p->derme.rules[i].id);
}

static void list_needs(struct plan *out, const struct ir *ir, struct arena *a)
{
	struct needing n = { .arena = a };

	need_of_list(&n, &ir->reflexes, NEED_EVENTS);
	need_of_list(&n, &ir->watches, NEED_EVENTS);
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			need_of_list(&n, &ir->postures[i].lists[d], NEED_RULE_EVENTS);
	need_of_senses(&n, ir->policy);
	need_of_responses(&n, &ir->responses.code);
	out->needs = n.list.at;
	out->need_count = (uint32_t)n.list.len;
}

void emit_plan(struct plan *out, const struct ir *ir, struct arena *a)
{
	*out = (struct plan){
		.policy = ir->policy->name,
		.title = or_nothing(ir->policy->title),
		.version = or_nothing(ir->policy->version),
	};
	name_zones(out, ir, a);
	name_postures(out, ir, a);
	name_counters(out, ir, a);
	name_feeds(out, ir, a);
	list_needs(out, ir, a);
}
