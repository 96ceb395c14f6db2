/*
 * xdp - the rules of layers 1 to 3 as the tables that bpf-templates/policy.bpf.c walks.
 *
 * An ir box has sets of ports; a table's box has one range each, so a box of
 * several ranges becomes several, and a rule stays one rule. Address sets
 * become bits; all their prefixes go into one table, each with the bits of every
 * set that covers it, so that the longest match answers for all sets.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "lang/base/strmap.h"

/* Below this depth a bucket is measured by the fine clock: a tick of the coarse one
 * (1 to 10 ms) would be more than a tenth of it. */
#define COARSE_DEPTH_NS 100000000ull

extern const unsigned char policy_object[], policy_object_end[];

const void *emit_xdp_object(size_t *len)
{
	*len = (size_t)(policy_object_end - policy_object);
	return policy_object;
}

struct lowering {
	struct arena *arena;
	struct strmap counters;	       /* id to struct plan_counter */
	const struct plan_counter *first;
	const struct ir_set **sets;    /* by bit */
	unsigned set_count;
	uint32_t asks;
	VEC(struct teg_box) boxes;
	VEC(struct teg_rule) rules;
};

static uint32_t counter_at(const struct lowering *t, const char *id)
{
	const struct plan_counter *c = strmap_find(&t->counters, id);

	assert(c);
	return (uint32_t)(c - t->first);
}

/* The bit of a set; a new one takes the next. */
static int set_bit(struct lowering *t, const struct ir_set *set, const struct ir_rule *rule, uint64_t *bit,
		   struct err *why)
{
	unsigned i = 0;

	while (i < t->set_count && t->sets[i] != set)
		i++;
	if (i == TEG_SETS_MAX)
		return err_set(why, E2BIG, "%s: lifelines, blocks and reflexes together may name at most %u "
			       "different address sets in the first hook", rule->id, TEG_SETS_MAX);
	if (i == t->set_count)
		t->sets[t->set_count++] = set;
	*bit = 1ull << i;
	return 0;
}

/* What a box asks of an address; `never` when no address will do. */
struct end {
	uint64_t bits;
	bool never;
};

static int lower_end(struct lowering *t, const struct ir_end *e, const struct ir_rule *rule, uint32_t asks_set,
		     uint32_t asks_self, struct end *out, struct err *why)
{
	*out = (struct end){ 0 };
	if (e->any)
		return 0;
	if (e->set && !netset_is_empty(&e->set->set)) {
		int rc = set_bit(t, e->set, rule, &out->bits, why);
		if (rc)
			return rc;
		t->asks |= asks_set;
	}
	if (e->self) {
		out->bits |= TEG_SET_SELF;
		t->asks |= asks_self;
	}
	out->never = !out->bits;
	return 0;
}

static int add_box(struct lowering *t, const struct teg_box *box, const struct ir_rule *rule, struct err *why)
{
	if (t->boxes.len == TEG_BOXES_MAX)
		return err_set(why, E2BIG, "%s: lifelines, blocks and reflexes together may have at most %u boxes "
			       "in the first hook; every range of ports in a rule is one", rule->id, TEG_BOXES_MAX);
	vec_push(t->arena, &t->boxes, *box);
	return 0;
}

static int lower_box(struct lowering *t, const struct ir_box *b, const struct ir_rule *rule, struct err *why)
{
	struct teg_box box = {
		.zones = b->zones,
		.proto = b->proto,
		.rule = (uint16_t)t->rules.len,
		.families = b->families,
		.fragments = b->fragments,
		.flags_mask = b->flags_mask,
		.flags_want = b->flags_want,
	};
	struct end src, dst;
	int rc = lower_end(t, &b->src, rule, TEG_ASKS_SRC_SETS, TEG_ASKS_SRC_SELF, &src, why);

	if (!rc)
		rc = lower_end(t, &b->dst, rule, TEG_ASKS_DST_SETS, TEG_ASKS_DST_SELF, &dst, why);
	if (rc || src.never || dst.never)
		return rc;
	box.src = src.bits;
	box.dst = dst.bits;
	if (b->zones != UINT64_MAX)
		t->asks |= TEG_ASKS_ZONES;

	for (size_t s = 0; s < b->sport.len; s++)
		for (size_t d = 0; d < b->dport.len; d++)
			for (size_t i = 0; i < b->icmp.len; i++) {
				box.sport_lo = b->sport.at[s].lo, box.sport_hi = b->sport.at[s].hi;
				box.dport_lo = b->dport.at[d].lo, box.dport_hi = b->dport.at[d].hi;
				box.icmp_lo = b->icmp.at[i].lo, box.icmp_hi = b->icmp.at[i].hi;
				rc = add_box(t, &box, rule, why);
				if (rc)
					return rc;
			}
	return 0;
}

static int lower_rule(struct lowering *t, const struct ir_rule *r, struct err *why)
{
	struct teg_rule rule = {
		.except = r->except,
		.block_ns = r->block_ns,
		.counter_slot = counter_at(t, r->id),
		.act = r->verdict == VERDICT_ALLOW ? TEG_ACT_PASS : TEG_ACT_DROP,
	};

	if (t->rules.len == TEG_RULES_MAX)
		return err_set(why, E2BIG, "%s: there may be at most %u lifelines, blocks and reflexes together",
			       r->id, TEG_RULES_MAX);
	for (size_t i = 0; i < r->box_count; i++) {
		int rc = lower_box(t, &r->boxes[i], r, why);
		if (rc)
			return rc;
	}
	if (r->rate) {
		rule.cost_ns = r->rate->cost_ns;
		rule.depth_ns = r->rate->depth_ns;
		rule.key_bits4 = r->rate->key_bits[FAMILY_IP4];
		rule.key_bits6 = r->rate->key_bits[FAMILY_IP6];
		if (rule.depth_ns < COARSE_DEPTH_NS)
			t->asks |= TEG_ASKS_FINE_CLOCK;
	}
	if (r->rate || r->block_ns)
		t->asks |= TEG_ASKS_CLOCK;
	vec_push(t->arena, &t->rules, rule);
	return 0;
}

static int lower_list(struct lowering *t, const struct ir_list *list, struct err *why)
{
	for (size_t i = 0; i < list->count; i++) {
		int rc = lower_rule(t, &list->rules[i], why);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- address sets ------------------------------------------------------------- */

/* By family, then by first address, the wider before what lies in it. */
static int by_place(const void *x, const void *y)
{
	const struct prefix *a = &((const struct plan_prefix *)x)->prefix;
	const struct prefix *b = &((const struct plan_prefix *)y)->prefix;

	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	if (a->addr.num != b->addr.num)
		return a->addr.num < b->addr.num ? -1 : 1;
	return a->len < b->len ? -1 : a->len > b->len;
}

static bool prefix_covers(const struct prefix *wide, const struct prefix *narrow)
{
	struct addr_range w = prefix_range(*wide), n = prefix_range(*narrow);

	return wide->addr.family == narrow->addr.family && w.lo <= n.lo && n.hi <= w.hi;
}

/*
 * Equal prefixes become one; then each takes over the bits of the nearest one
 * around it, which has those of all further out. `around` is the chain of
 * prefixes that are open at this place, outermost first; prefixes nest, so a
 * chain is never longer than an address has bits.
 */
static size_t prefixes_join(struct plan_prefix *at, size_t len)
{
	size_t around[130], depth = 0, out = 0;

	for (size_t i = 0; i < len; i++) {
		if (out && by_place(&at[out - 1], &at[i]) == 0) {
			at[out - 1].sets |= at[i].sets;
			continue;
		}
		while (depth && !prefix_covers(&at[around[depth - 1]].prefix, &at[i].prefix))
			depth--;
		at[out] = at[i];
		if (depth)
			at[out].sets |= at[around[depth - 1]].sets;
		around[depth++] = out++;
	}
	return out;
}

static void lower_sets(struct plan *plan, const struct lowering *t)
{
	VEC(struct plan_prefix) all = { 0 };

	for (unsigned bit = 0; bit < t->set_count; bit++) {
		size_t len;
		const struct prefix *p = netset_prefixes(t->arena, &t->sets[bit]->set, &len);

		for (size_t i = 0; i < len; i++) {
			struct plan_prefix member = { p[i], 1ull << bit };
			vec_push(t->arena, &all, member);
		}
	}
	if (all.len)
		qsort(all.at, all.len, sizeof *all.at, by_place);
	plan->prefixes = all.at;
	plan->prefix_count = (uint32_t)prefixes_join(all.at, all.len);
}

/* ---- the whole ------------------------------------------------------------------- */

static void lower_config(struct plan *plan, const struct ir *ir, const struct lowering *t, size_t lifeline_boxes)
{
	struct teg_config *c = &plan->config;

	*c = (struct teg_config){
		.abi = TEG_ABI_VERSION,
		.asks = t->asks,
		.lifeline_boxes = (uint32_t)lifeline_boxes,
		.box_count = (uint32_t)t->boxes.len,
		.rule_count = (uint32_t)t->rules.len,
		.neighbour_slot = counter_at(t, "neighbour"),
		.blocked_slot = counter_at(t, "blocked"),
	};
	for (size_t i = 0; i < ir->posture_count; i++) {
		const struct ir_list *in = &ir->postures[i].lists[DIRECTION_IN];

		if (!ir->postures[i].closed)
			continue;
		c->closed |= 1ull << i;
		c->closed_slot[i] = counter_at(t, in->rules[in->count - 1].id);
	}
}

int emit_xdp(struct plan *plan, const struct ir *ir, struct arena *a, struct err *why)
{
	const struct ir_set *sets[TEG_SETS_MAX];
	struct lowering t = { .arena = a, .first = plan->counters, .sets = sets };

	if (ir->posture_count > 64)
		return err_set(why, E2BIG, "a policy may have at most 64 postures; this one has %zu", ir->posture_count);
	strmap_init(&t.counters, a);
	for (uint32_t i = 0; i < plan->counter_count; i++)
		strmap_put(&t.counters, plan->counters[i].id, &plan->counters[i]);

	int rc = lower_list(&t, &ir->lifelines, why);
	size_t lifeline_boxes = t.boxes.len;
	if (!rc)
		rc = lower_list(&t, &ir->blocks, why);
	if (!rc)
		rc = lower_list(&t, &ir->reflexes, why);
	if (rc)
		return rc;

	plan->boxes = t.boxes.at;
	plan->box_count = (uint32_t)t.boxes.len;
	plan->rules = t.rules.at;
	plan->rule_count = (uint32_t)t.rules.len;
	lower_sets(plan, &t);
	lower_config(plan, ir, &t, lifeline_boxes);
	return 0;
}
