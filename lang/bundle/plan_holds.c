#include "lang/bundle/plan_holds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/strmap.h"
#include "lang/base/wire.h"
#include "lang/bundle/bulk_pack.h"
#include "lang/bundle/nft_name.h"
#include "lang/bundle/vectors.h"
#include "lang/vocab/cause.h"

#define INTERFACE_MAX 15 /* IFNAMSIZ - 1 */
#define ZONES_MAX     63

/* A name of ours as it may stand in a log, a metric or a path: printable, no space or slash. */
static bool word_holds(const char *s, size_t most)
{
	size_t len = strlen(s);

	if (!len || len > most)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '/')
			return false;
	return true;
}

static bool text_holds(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* An interface's name, or the beginning of one and '*'. */
static bool pattern_holds(const char *s)
{
	const char *star = strchr(s, '*');

	if (star)
		return !star[1] && (star == s || word_holds(s, INTERFACE_MAX + 1));
	return word_holds(s, INTERFACE_MAX);
}

static int zones_hold(const struct plan *p, struct err *why)
{
	if (p->zone_count > ZONES_MAX)
		return err_set(why, EINVAL, "%u zones, more than %u", p->zone_count, ZONES_MAX);
	for (uint32_t i = 0; i < p->zone_count; i++) {
		const struct plan_zone *z = &p->zones[i];

		if (!word_holds(z->name, 255))
			return err_set(why, EINVAL, "zone %u has no proper name", i);
		for (uint32_t j = 0; j < z->pattern_count; j++)
			if (!pattern_holds(z->patterns[j]))
				return err_set(why, EINVAL, "zone %s: pattern %u names no interface",
					       z->name, j);
	}
	return 0;
}

static int postures_hold(const struct plan *p, struct arena *a, struct err *why)
{
	struct strmap names;

	strmap_init(&names, a);
	if (!p->posture_count || p->posture_count > POSTURES_MAX)
		return err_set(why, EINVAL, "%u postures, not 1 to %u", p->posture_count,
			       POSTURES_MAX);
	if (p->initial >= p->posture_count)
		return err_set(why, EINVAL, "initial posture %u is not there", p->initial);
	for (uint32_t i = 0; i < p->posture_count; i++) {
		struct plan_posture *s = &p->postures[i];

		if (!word_holds(s->name, 255) || !text_holds(s->title))
			return err_set(why, EINVAL, "posture %u has no proper name", i);
		if (s->established >= ESTABLISHED_COUNT || s->closed > 1)
			return err_set(why, EINVAL, "posture %s is out of range", s->name);
		if (!(s->within >> i & 1) || (p->posture_count < 64 && s->within >> p->posture_count))
			return err_set(why, EINVAL, "posture %s has no proper place in the order", s->name);
		if (strmap_find(&names, s->name))
			return err_set(why, EINVAL, "posture %s is there twice", s->name);
		strmap_put(&names, s->name, s);
	}
	return 0;
}

static int counters_hold(const struct plan *p, struct arena *a, struct err *why)
{
	struct strmap ids, names;

	strmap_init(&ids, a);
	strmap_init(&names, a);
	if (p->counter_count > TEG_COUNTER_SLOTS)
		return err_set(why, EINVAL, "%u counters, more than %u", p->counter_count,
			       TEG_COUNTER_SLOTS);
	for (uint32_t i = 0; i < p->counter_count; i++) {
		struct plan_counter *c = &p->counters[i];

		if (!word_holds(c->id, 1023) || (*c->nft_name && !nft_name_holds(c->nft_name)))
			return err_set(why, EINVAL, "counter %u has no proper name", i);
		if (c->layer >= LAYER_COUNT || c->verdict >= VERDICT_COUNT ||
		    (c->posture != 255 && c->posture >= p->posture_count))
			return err_set(why, EINVAL, "counter %s is out of range", c->id);
		if (!strmap_add(&ids, c->id, c) || (*c->nft_name && !strmap_add(&names, c->nft_name, c)))
			return err_set(why, EINVAL, "counter %s is there twice", c->id);
	}
	return 0;
}

static int config_holds(const struct plan *p, struct err *why)
{
	const struct teg_config *c = &p->config;

	if (c->abi < TEG_PLAN_OLDEST || c->abi > TEG_ABI_VERSION)
		return err_set(why, EINVAL, "tables of version %u, and this program reads %u to %u: build the bundle again, "
			       "with the tegc of this version", c->abi, TEG_PLAN_OLDEST, TEG_ABI_VERSION);
	if (c->box_count != p->box_count || c->rule_count != p->rule_count)
		return err_set(why, EINVAL, "the program is told other counts than its tables have");
	if (c->box_count > TEG_BOXES_MAX || c->rule_count > TEG_RULES_MAX)
		return err_set(why, EINVAL, "%u boxes and %u rules, more than %u and %u", c->box_count,
			       c->rule_count, TEG_BOXES_MAX, TEG_RULES_MAX);
	if (c->asks & ~TEG_ASKS_ALL)
		return err_set(why, EINVAL, "the policy asks what the program does not know");
	if (c->lifeline_boxes > c->box_count)
		return err_set(why, EINVAL, "more boxes belong to lifelines than there are");
	for (size_t i = 0; i < TEG_CAUSES_MOST; i++)
		if (c->passes[i] && (i >= CAUSE_COUNT || !cause_is_said((enum cause)i) ||
				     (p->posture_count < 64 && c->passes[i] >> p->posture_count)))
			return err_set(why, EINVAL, "frames go on of a cause that no posture decides");
	if (p->posture_count < 64 && c->closed >> p->posture_count)
		return err_set(why, EINVAL, "a posture is closed that is not there");
	if (c->neighbour_slot >= p->counter_count || c->blocked_slot >= p->counter_count)
		return err_set(why, EINVAL, "the program counts what is no counter");
	for (uint32_t i = 0; i < POSTURES_MAX; i++)
		if (c->closed_slot[i] && c->closed_slot[i] >= p->counter_count)
			return err_set(why, EINVAL, "posture %u counts what is no counter", i);
	return 0;
}

bool plan_box_holds(const struct plan *p, const struct teg_box *b)
{
	const uint64_t sets = TEG_SET_SELF | ((1ull << TEG_SETS_MAX) - 1);

	return b->rule < p->rule_count && !plan_rule_is_feed(p, b->rule) && b->proto <= TEG_PROTO_ANY && !(b->src & ~sets) &&
	       !(b->dst & ~sets) && b->sport_lo <= b->sport_hi && b->dport_lo <= b->dport_hi &&
	       b->icmp_lo <= b->icmp_hi && !(b->families & ~(TEG_IP4 | TEG_IP6)) &&
	       !(b->fragments & ~(TEG_WHOLE | TEG_FIRST | TEG_LATER)) &&
	       !(b->flags_want & ~b->flags_mask) && b->mark <= TEG_MARKS_MAX;
}

static int tables_hold(const struct plan *p, struct err *why)
{
	for (uint32_t i = 0; i < p->box_count; i++)
		if (!plan_box_holds(p, &p->boxes[i]) || (i && p->boxes[i].rule < p->boxes[i - 1].rule))
			return err_set(why, EINVAL, "box %u is out of range or order", i);
	for (uint32_t i = 0; i < p->rule_count; i++) {
		const struct teg_rule *r = &p->rules[i];

		if (r->counter_slot >= p->counter_count || r->act > TEG_ACT_COOKIES || r->key > TEG_KEY_ALL ||
		    r->key_bits4 > 32 || r->key_bits6 > 128 || r->cost_ns > r->depth_ns || !r->one_in ||
		    r->one_in > TEG_ONE_IN_MAX || r->tells > EVENT_SEVERITY_COUNT || (r->act == TEG_ACT_TELL && !r->tells) ||
		    (r->bytes && !r->cost_ns) || (r->act == TEG_ACT_COOKIES && (!r->cost_ns || r->block_ns)))
			return err_set(why, EINVAL, "rule %u is out of range", i);
	}
	return 0;
}

/* A prefix of the box's family, or none; beside one there are no sets. */
static bool bulk_end_holds(uint8_t families, uint64_t sets, const __u64 addr[static 2], const __u64 mask[static 2])
{
	addr_num host = ~((addr_num)mask[0] << 64 | mask[1]);

	if (host == ~(addr_num)0)
		return !addr[0] && !addr[1];
	if (sets || host & (host + 1) || addr[0] & ~mask[0] || addr[1] & ~mask[1])
		return false;
	return families == TEG_IP6 || (families == TEG_IP4 && host <= UINT32_MAX && !addr[0] && addr[1] >> 32 == 0xffff);
}

static bool bulk_box_holds(const struct plan *p, const struct teg_bulk_box *b)
{
	return plan_box_holds(p, &b->box) && bulk_can_pack(&b->box) && !p->rules[b->box.rule].cost_ns &&
	       bulk_end_holds(b->box.families, b->box.src, b->addr, b->mask) &&
	       bulk_end_holds(b->box.families, b->box.dst, b->addr + 2, b->mask + 2);
}

/* Children stand behind their node, so that every way ends. */
static bool bulk_node_holds(const struct teg_bulk *t, uint32_t at, uint64_t node)
{
	uint64_t first = node >> 32 & 0x7fffffff, count = node & 0xffff, width = node >> 9 & 15;

	if (node & TEG_BULK_LEAF)
		return count <= t->longest && first + count <= t->leaves;
	return width && (node >> 6 & 7) < TEG_BULK_WORDS && !(node >> 13 & 0x7ffff) && first > at &&
	       (node & 63) + width <= 64 && first + (1ull << width) <= t->nodes;
}

static bool root_holds(const struct teg_bulk *t, const struct teg_bulk_root *r)
{
	return (!r->shift || (r->shift < 64 && r->shift >= TEG_BULK_SHIFT_MIN)) && (r->shift || !(r->take[0] | r->take[1] | r->take[2])) &&
	       r->first + teg_bulk_root_nodes(r) <= t->nodes;
}

/* Bits for all boxes, or none. */
static int vectors_hold(const struct plan *p, struct err *why)
{
	const struct teg_bulk *t = &p->config.bulk;
	struct vectors_ask ask;

	if (!bulk_has_vectors(t))
		return 0;
	if (!vectors_fit(p->bulk_boxes, t->cells, p->rules, &ask) || t->vectors[0].words != ask.words[0] ||
	    t->vectors[1].words != ask.words[1])
		return err_set(why, EINVAL, "bit vectors of %u and %u words are not for these %u boxes", t->vectors[0].words,
			       t->vectors[1].words, t->cells);
	return 0;
}

static int bulk_holds(const struct plan *p, struct err *why)
{
	const struct teg_bulk *t = &p->config.bulk;

	if (t->cells > TEG_BULK_BOXES_MAX || t->depth > TEG_BULK_DEPTH_MAX ||
	    t->longest > TEG_BULK_LONGEST_MAX || t->groups[0] > TEG_BULK_GROUPS || t->groups[1] > TEG_BULK_GROUPS)
		return err_set(why, EINVAL, "the trees are larger than the program's");
	for (uint32_t i = 0; i < t->cells; i++)
		if (!bulk_box_holds(p, &p->bulk_boxes[i]) ||
		    (i && p->bulk_boxes[i].box.rule < p->bulk_boxes[i - 1].box.rule))
			return err_set(why, EINVAL, "tree box %u is out of range or order", i);
	for (uint32_t i = 0; i < t->nodes; i++)
		if (!bulk_node_holds(t, i, p->bulk_nodes[i]))
			return err_set(why, EINVAL, "tree node %u is out of range", i);
	for (uint32_t i = 0; i < t->leaves; i++)
		if (p->bulk_leaves[i] >= t->cells)
			return err_set(why, EINVAL, "leaf entry %u is out of range", i);
	for (uint32_t f = 0; f < FAMILY_COUNT; f++)
		for (uint32_t g = 0; g < t->groups[f]; g++)
			if (!root_holds(t, &t->roots[f][g]))
				return err_set(why, EINVAL, "a tree's root is out of range");
	return vectors_hold(p, why);
}

static bool prefix_holds(const struct plan_prefix *x)
{
	struct prefix p = x->prefix;

	if (p.addr.family >= FAMILY_COUNT || p.len > FAMILY_BITS(p.addr.family) ||
	    p.addr.num > family_max(p.addr.family))
		return false;

	addr_num host = prefix_range((struct prefix){ { p.addr.family, 0 }, p.len }).hi;
	return !(p.addr.num & host) && x->sets && !(x->sets >> TEG_SETS_MAX);
}

static int prefixes_hold(const struct plan *p, struct err *why)
{
	for (uint32_t i = 0; i < p->prefix_count; i++)
		if (!prefix_holds(&p->prefixes[i]))
			return err_set(why, EINVAL, "prefix %u is out of range", i);
	for (uint32_t i = 0; i < p->nft_keep_count; i++)
		if (!nft_name_holds(p->nft_keep[i]))
			return err_set(why, EINVAL, "kept nft object %u has no proper name", i);
	return 0;
}

static int needs_hold(const struct plan *p, struct err *why)
{
	for (uint32_t i = 0; i < p->need_count; i++)
		if (p->needs[i].need >= NEED_COUNT || !word_holds(p->needs[i].by, 1023))
			return err_set(why, EINVAL, "need %u is not one", i);
	return 0;
}

/* A name is also one of a file, and of others beside it that have a dot. */
static bool feed_name_holds(const char *s)
{
	return word_holds(s, PLAN_FEED_NAME_MOST) && !strchr(s, '.');
}

static bool feed_holds(const struct plan *p, uint32_t i)
{
	const struct plan_feed *f = &p->feeds[i];
	const struct teg_rule *r = &p->rules[p->config.feed_first + i];
	const char *id = p->counters[r->counter_slot].id;

	return feed_name_holds(f->name) && !strncmp(id, "feed.", 5) && !strcmp(id + 5, f->name) && r->act == TEG_ACT_DROP &&
	       !r->cost_ns && !r->except && !r->block_ns && f->format < FORMAT_COUNT && text_holds(f->member) && f->most &&
	       f->most <= TEG_FEED_ENTRIES_MAX && f->stale_s <= PLAN_FEED_SECONDS_MOST && f->stale_keeps <= 1;
}

static int feeds_hold(const struct plan *p, struct err *why)
{
	if (p->feed_count > TEG_FEEDS_MAX)
		return err_set(why, EINVAL, "%u feeds, more than %u", p->feed_count, TEG_FEEDS_MAX);
	if (p->feed_count > p->rule_count || p->config.feed_first > p->rule_count - p->feed_count)
		return err_set(why, EINVAL, "the rules of feeds are not there");
	for (uint32_t i = 0; i < p->feed_count; i++)
		if (!feed_holds(p, i))
			return err_set(why, EINVAL, "feed %u is out of range", i);
	return 0;
}

int plan_holds(const struct plan *p, struct arena *a, struct err *why)
{
	int rc;

	if (!word_holds(p->policy, 255) || !text_holds(p->title) || !text_holds(p->version))
		return err_set(why, EINVAL, "the policy has no proper name");
	if (p->proved > 1)
		return err_set(why, EINVAL, "whether it was proved is neither yes nor no");
	if ((rc = zones_hold(p, why)) || (rc = postures_hold(p, a, why)) ||
	    (rc = counters_hold(p, a, why)) || (rc = config_holds(p, why)) ||
	    (rc = tables_hold(p, why)) || (rc = feeds_hold(p, why)) || (rc = bulk_holds(p, why)) || (rc = plan_payload_holds(p, why)))
		return rc;
	if ((rc = needs_hold(p, why)))
		return rc;
	return prefixes_hold(p, why);
}
