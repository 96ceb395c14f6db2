/*
 * xdp - the rules of layers 1 to 3 as the tables that bpf-templates/policy.bpf.c walks.
 *
 * An ir box has sets of ports; a table's box has one range each, so a box of
 * several ranges becomes several, and a rule stays one rule. Address sets
 * become bits; all their prefixes go into one table, each with the bits of every
 * set that covers it, so that the longest match answers for all sets.
 *
 * Few boxes are one list. Of many, those that decide at once (blocks, and reflexes
 * without a rate) go into bit vectors or trees, in which an end of few prefixes needs no set;
 * lifelines, rates and what only tells stay a list. What costs a packet less is taken.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf-templates/carried.h"
#include "bpf-templates/cause.h"
#include "compiler/emit/bulk.h"
#include "compiler/emit/emit.h"
#include "compiler/emit/payload.h"
#include "compiler/emit/refuse.h"
#include "lang/base/digest.h"
#include "lang/base/strmap.h"
#include "lang/bundle/bulk_pack.h"
#include "lang/bundle/vectors.h"

/* Below this depth a bucket is measured by the fine clock: a tick of the coarse one
 * (1 to 10 ms) would be more than a tenth of it. */
#define COARSE_DEPTH_NS 100000000ull

/* An end of so many prefixes is so many boxes of the trees, and no set. */
#define BULK_PREFIXES_MAX 4u

/* A list so short that nothing is gained by trying trees. */
#define LIST_ENOUGH 4u

/* Trees seldom cost less than this: where bit vectors do, none are tried. */
#define VECTORS_ENOUGH_NS 35.0

const void *emit_program(enum teg_hook hook, size_t *len)
{
	return carried_program(hook, len);
}

const char *emit_program_digest(enum teg_hook hook)
{
	return carried_digest(hook);
}

struct lowering {
	struct arena *arena;
	struct strmap counters;	       /* id to struct plan_counter */
	const struct plan_counter *first;
	const struct ir_set **sets;    /* by bit */
	unsigned set_count;
	uint32_t asks;
	bool bulk; /* what can go into trees does */
	VEC(struct teg_box) boxes;
	VEC(struct teg_bulk_box) bulk_boxes;
	VEC(struct teg_rule) rules;
	VEC(const struct ir_rule *) said; /* each of the rules */
	uint32_t feed_first;
	struct payload_asked payload;
	struct teg_row row;    /* of the rule at hand, when it looks into payloads */
};

static uint8_t key_of(enum rate_key key)
{
	switch (key) {
	case RATE_PER_SOURCE:
		return TEG_KEY_SOURCE;
	case RATE_PER_DESTINATION:
		return TEG_KEY_DESTINATION;
	case RATE_PER_FLOW:
		return TEG_KEY_FLOW;
	case RATE_GLOBAL:
		break;
	}
	return TEG_KEY_ALL;
}

uint64_t emit_xdp_bucket(const struct ir_rate *rate)
{
	own(arena) struct arena *a = arena_new();
	const char *name = ir_bucket_name(rate, a);
	struct digest d = digest_of(name, strlen(name));
	char first[17] = { 0 };

	memcpy(first, d.hex, 16);
	return strtoull(first, NULL, 16);
}

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
		return refuse_rule(why, rule, "lifelines, blocks and reflexes together may name at most %u different address sets in the first "
				   "hook; those of up to %u prefixes count in lifelines, rates, payloads and what only tells", TEG_SETS_MAX,
				   BULK_PREFIXES_MAX);
	if (i == t->set_count)
		t->sets[t->set_count++] = set;
	*bit = 1ull << i;
	return 0;
}

/* What a box asks of an address: nothing, bits of sets, or one of a few prefixes; `never` when none will do. */
struct end {
	uint64_t bits;
	bool never;
	struct prefix prefixes[BULK_PREFIXES_MAX];
	size_t count;
};

/* Few prefixes, and nothing else. */
static bool lower_prefixes(const struct ir_end *e, struct end *out)
{
	size_t count;

	if (!e->set || e->self || e->set->set.len[FAMILY_IP4] + e->set->set.len[FAMILY_IP6] > BULK_PREFIXES_MAX)
		return false;
	count = netset_few_prefixes(&e->set->set, out->prefixes, BULK_PREFIXES_MAX);
	if (!count || count > BULK_PREFIXES_MAX)
		return false;
	out->count = count;
	return true;
}

static int lower_end(struct lowering *t, const struct ir_end *e, const struct ir_rule *rule, bool bulk,
		     uint32_t asks_set, uint32_t asks_self, struct end *out, struct err *why)
{
	*out = (struct end){ 0 };
	if (e->any || (bulk && lower_prefixes(e, out)))
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

static void bulk_words(const struct prefix *p, __u64 addr[static 2], __u64 mask[static 2])
{
	unsigned bits = p->addr.family == FAMILY_IP4 ? 96 + p->len : p->len;
	addr_num num = p->addr.family == FAMILY_IP4 ? (addr_num)0xffff << 32 | p->addr.num : p->addr.num;
	addr_num all = bits ? ~(addr_num)0 << (128 - bits) : 0;

	addr[0] = (uint64_t)(num >> 64), addr[1] = (uint64_t)num;
	mask[0] = (uint64_t)(all >> 64), mask[1] = (uint64_t)all;
}

static void add_bulk_box(struct lowering *t, const struct teg_box *box, const struct prefix *src,
			 const struct prefix *dst)
{
	struct teg_bulk_box b = { .box = *box };

	if (src) {
		b.box.families &= (uint8_t)(1u << src->addr.family);
		bulk_words(src, b.addr, b.mask);
	}
	if (dst) {
		b.box.families &= (uint8_t)(1u << dst->addr.family);
		bulk_words(dst, b.addr + 2, b.mask + 2);
	}
	if (b.box.families)
		vec_push(t->arena, &t->bulk_boxes, b);
}

static int add_bulk_boxes(struct lowering *t, const struct teg_box *box, const struct end *src, const struct end *dst,
			  const struct ir_rule *rule, struct err *why)
{
	for (size_t s = 0; s < (src->count ? src->count : 1); s++)
		for (size_t d = 0; d < (dst->count ? dst->count : 1); d++)
			add_bulk_box(t, box, src->count ? &src->prefixes[s] : NULL,
				     dst->count ? &dst->prefixes[d] : NULL);
	if (t->bulk_boxes.len > TEG_BULK_BOXES_MAX)
		return refuse_rule(why, rule, "blocks and reflexes together may have at most %u boxes in the first "
				   "hook; every range of ports in a rule is one", TEG_BULK_BOXES_MAX);
	return 0;
}

static int add_box(struct lowering *t, const struct teg_box *box, const struct ir_rule *rule, struct err *why)
{
	if (t->boxes.len == TEG_BOXES_MAX)
		return refuse_rule(why, rule, "lifelines, and reflexes that have a rate or only tell, may together have "
				   "at most %u boxes in the first hook; every range of ports in a rule is one", TEG_BOXES_MAX);
	vec_push(t->arena, &t->boxes, *box);
	return 0;
}

static bool is_all(const struct ranges *r)
{
	return r->len == 1 && r->at[0].lo == 0 && r->at[0].hi == UINT16_MAX;
}

static bool can_be_in_trees(const struct ir_box *b)
{
	const bool ports = !is_all(&b->sport) || !is_all(&b->dport), icmp = !is_all(&b->icmp);
	const struct teg_box asks = { .proto = b->proto, .sport_lo = ports, .sport_hi = UINT16_MAX,
				      .dport_hi = UINT16_MAX, .icmp_lo = icmp, .icmp_hi = UINT16_MAX };

	return bulk_can_pack(&asks);
}

/* A box of a rule that looks into payloads; listed only when a rate, or telling, comes behind. */
static int add_payload_box(struct lowering *t, struct teg_box *box, const struct ir_rule *rule, struct err *why)
{
	uint32_t number;
	int rc = payload_ask_box(&t->payload, t->arena, box, rule, &number, why);

	if (rc)
		return rc;
	t->row.boxes |= 1ull << number;
	box->mark = (uint8_t)t->row.mark;
	return box->mark ? add_box(t, box, rule, why) : 0;
}

static int add_any_box(struct lowering *t, struct teg_box *box, const struct end *src, const struct end *dst, bool bulk,
		       const struct ir_rule *rule, struct err *why)
{
	if (rule->payload)
		return add_payload_box(t, box, rule, why);
	return bulk ? add_bulk_boxes(t, box, src, dst, rule, why) : add_box(t, box, rule, why);
}

static int lower_box(struct lowering *t, const struct ir_box *b, const struct ir_rule *rule, enum teg_act act,
		     struct err *why)
{
	struct teg_box box = {
		.zones = b->zones,
		.proto = b->proto,
		.rule = (uint32_t)t->rules.len,
		.families = b->families,
		.fragments = b->fragments,
		.flags_mask = b->flags_mask,
		.flags_want = b->flags_want,
	};
	const bool bulk = t->bulk && act == TEG_ACT_DROP && !rule->rate && !rule->payload && can_be_in_trees(b);
	struct end src, dst;
	int rc = lower_end(t, &b->src, rule, bulk, TEG_ASKS_SRC_SETS, TEG_ASKS_SRC_SELF, &src, why);

	if (!rc)
		rc = lower_end(t, &b->dst, rule, bulk, TEG_ASKS_DST_SETS, TEG_ASKS_DST_SELF, &dst, why);
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
				rc = add_any_box(t, &box, &src, &dst, bulk, rule, why);
				if (rc)
					return rc;
			}
	return 0;
}

static int lower_boxes(struct lowering *t, const struct ir_rule *r, enum teg_act act, struct err *why)
{
	uint8_t mark = 0;
	int rc = r->payload ? payload_mark(&t->payload, r, act == TEG_ACT_DROP && !r->rate, &mark, why) : 0;

	t->row = (struct teg_row){ .rule = (uint32_t)t->rules.len, .mark = mark };
	for (size_t i = 0; i < r->box_count && !rc; i++)
		rc = lower_box(t, &r->boxes[i], r, act, why);
	if (rc || !r->payload || !t->row.boxes)
		return rc;
	t->row.within = (uint32_t)r->payload->within;
	return payload_ask(&t->payload, t->arena, &t->row, r, why);
}

static int lower_rule(struct lowering *t, const struct ir_rule *r, enum teg_act act, struct err *why)
{
	struct teg_rule rule = {
		.except = r->except,
		.block_ns = r->block_ns,
		.counter_slot = counter_at(t, r->id),
		.act = (uint8_t)act,
		.one_in = r->effects.emits ? r->effects.one_in : 1,
		.tells = r->effects.emits ? (uint8_t)(1 + r->effects.severity) : 0,
	};

	if (t->rules.len == TEG_RULES_MAX)
		return refuse_rule(why, r, "there may be at most %u lifelines, blocks and reflexes together", TEG_RULES_MAX);
	int rc = lower_boxes(t, r, act, why);
	if (rc)
		return rc;
	if (r->rate) {
		rule.cost_ns = r->rate->cost_ns;
		rule.depth_ns = r->rate->depth_ns;
		rule.bytes = r->rate->bytes ? r->rate->rate : 0;
		rule.key_bits4 = r->rate->key_bits[FAMILY_IP4];
		rule.key_bits6 = r->rate->key_bits[FAMILY_IP6];
		rule.key = key_of(r->rate->key);
		rule.bucket = emit_xdp_bucket(r->rate);
		if (rule.depth_ns < COARSE_DEPTH_NS)
			t->asks |= TEG_ASKS_FINE_CLOCK;
	}
	if (r->rate || r->block_ns)
		t->asks |= TEG_ASKS_CLOCK;
	if (act == TEG_ACT_TELL)
		t->asks |= TEG_ASKS_WATCHES;
	if (act == TEG_ACT_COOKIES)
		t->asks |= TEG_ASKS_COOKIES;
	vec_push(t->arena, &t->rules, rule);
	vec_push(t->arena, &t->said, r);
	return 0;
}

static int lower_list(struct lowering *t, const struct ir_list *list, enum teg_act act, struct err *why)
{
	for (size_t i = 0; i < list->count; i++) {
		int rc = lower_rule(t, &list->rules[i], act, why);
		if (rc)
			return rc;
	}
	return 0;
}

/* Those that only tell, each where it stands among the others. */
static int lower_reflexes(struct lowering *t, const struct ir *ir, struct err *why)
{
	size_t watch = 0;
	int rc = 0;

	for (size_t i = 0; i <= ir->reflexes.count && !rc; i++) {
		for (; watch < ir->watches.count && ir->watches.rules[watch].rank == i && !rc; watch++)
			rc = lower_rule(t, &ir->watches.rules[watch], TEG_ACT_TELL, why);
		if (!rc && i < ir->reflexes.count)
			rc = lower_rule(t, &ir->reflexes.rules[i],
					ir->reflexes.rules[i].cookies ? TEG_ACT_COOKIES : TEG_ACT_DROP, why);
	}
	return rc;
}

/* ---- address sets ------------------------------------------------------------- */

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
	plan->prefixes = all.at;
	plan->prefix_count = plan_prefixes_join(all.at, (uint32_t)all.len);
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
		.feed_first = t->feed_first,
		.feed_count = (uint32_t)ir->feeds.count,
	};
	for (size_t i = 0; i < ir->posture_count; i++) {
		const struct ir_list *in = &ir->postures[i].lists[DIRECTION_IN];

		for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
			c->passes[cause] |= (uint64_t)(ir->postures[i].passes >> cause & 1) << i;
		if (!ir->postures[i].closed)
			continue;
		c->closed |= 1ull << i;
		c->closed_slot[i] = counter_at(t, in->rules[in->count - 1].id);
	}
}

/* Rows without boxes: who is on a feed is looked up, see gen_feeds. */
static int lower_feeds(struct lowering *t, const struct ir_list *feeds, struct err *why)
{
	t->feed_first = (uint32_t)t->rules.len;
	if (feeds->count > TEG_FEEDS_MAX)
		return refuse_rule(why, &feeds->rules[TEG_FEEDS_MAX], "there may be at most %u feeds", TEG_FEEDS_MAX);
	for (size_t i = 0; i < feeds->count; i++) {
		struct teg_rule row = { .counter_slot = counter_at(t, feeds->rules[i].id), .act = TEG_ACT_DROP, .one_in = 1 };

		vec_push(t->arena, &t->rules, row);
		vec_push(t->arena, &t->said, &feeds->rules[i]);
	}
	return 0;
}

static int lower_all(struct lowering *t, const struct ir *ir, size_t *lifeline_boxes, struct err *why)
{
	int rc = lower_list(t, &ir->lifelines, TEG_ACT_PASS, why);

	*lifeline_boxes = t->boxes.len;
	if (!rc)
		rc = lower_feeds(t, &ir->feeds, why);
	if (!rc)
		rc = lower_list(t, &ir->blocks, TEG_ACT_DROP, why);
	return rc ? rc : lower_reflexes(t, ir, why);
}

/* Bit vectors: false when they have no room for all boxes. */
static bool try_vectors(const struct lowering *t, struct bulk_trees *out)
{
	const uint32_t count = (uint32_t)t->bulk_boxes.len;
	struct vectors_ask ask;

	if (!vectors_fit(t->bulk_boxes.at, count, t->rules.at, &ask))
		return false;
	*out = (struct bulk_trees){ .tell.cells = count };
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		out->tell.vectors[f].words = ask.words[f];
	out->cost_ns = bulk_vectors_cost_ns(&ask);
	return true;
}

/* Trees, or bit vectors where those cost a packet less. */
static int build_tables(const struct lowering *t, struct bulk_trees *out, struct err *why)
{
	uint32_t culprit = 0;
	struct bulk_trees vectors;
	const bool fit = try_vectors(t, &vectors);

	if (fit && vectors.cost_ns <= VECTORS_ENOUGH_NS) {
		*out = vectors;
		return 0;
	}
	int rc = bulk_build(out, t->arena, t->bulk_boxes.at, (uint32_t)t->bulk_boxes.len, t->rules.at, &culprit);
	if (fit && (rc || vectors.cost_ns < out->cost_ns)) {
		*out = vectors;
		return 0;
	}
	if (!rc)
		return 0;
	return refuse_rule(why, t->said.at[t->bulk_boxes.at[culprit].box.rule], "overlaps so many other blocks and reflexes that "
			   "the first hook's tables would hold more than %u copies of each box", BULK_COPIES_MAX);
}

static int plan_put(struct plan *plan, const struct ir *ir, const struct lowering *t, size_t lifeline_boxes,
		    const struct bulk_trees *trees, struct err *why)
{
	plan->boxes = t->boxes.at;
	plan->box_count = (uint32_t)t->boxes.len;
	plan->rules = t->rules.at;
	plan->rule_count = (uint32_t)t->rules.len;
	lower_sets(plan, t);
	lower_config(plan, ir, t, lifeline_boxes);
	plan->bulk_boxes = t->bulk_boxes.at;
	plan->bulk_nodes = trees->nodes;
	plan->bulk_leaves = trees->leaves;
	plan->config.bulk = trees->tell;
	return payload_lower(plan, &t->payload, t->arena, why);
}

int emit_xdp(struct plan *plan, const struct ir *ir, struct arena *a, struct err *why)
{
	const struct ir_set *list_sets[TEG_SETS_MAX], *tree_sets[TEG_SETS_MAX];
	struct lowering list = { .arena = a, .first = plan->counters, .sets = list_sets };
	struct bulk_trees none = { 0 }, trees;
	struct err beyond_list = { 0 };
	size_t lifelines;

	if (ir->posture_count > 64)
		return err_set(why, E2BIG, "a policy may have at most 64 postures; this one has %zu", ir->posture_count);
	strmap_init(&list.counters, a);
	for (uint32_t i = 0; i < plan->counter_count; i++)
		strmap_put(&list.counters, plan->counters[i].id, &plan->counters[i]);

	struct lowering tree = list;
	tree.sets = tree_sets;
	tree.bulk = true;
	bool listed = !lower_all(&list, ir, &lifelines, &beyond_list);
	if (listed && list.boxes.len <= LIST_ENOUGH)
		return plan_put(plan, ir, &list, lifelines, &none, why);

	int rc = lower_all(&tree, ir, &lifelines, why);
	if (!rc)
		rc = build_tables(&tree, &trees, why);
	if (listed && (rc || trees.cost_ns + bulk_list_cost_ns((uint32_t)tree.boxes.len, tree.asks) >=
			       bulk_list_cost_ns((uint32_t)list.boxes.len, list.asks)))
		return plan_put(plan, ir, &list, lifelines, &none, why);
	return rc ? rc : plan_put(plan, ir, &tree, lifelines, &trees, why);
}
