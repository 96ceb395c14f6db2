#include "lang/bundle/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/wire.h"
#include "lang/bundle/bulk_pack.h"
#include "lang/bundle/plan_holds.h"
#include "lang/vocab/cause.h"

#define PLAN_VERSION  15u

/* --- encode --------------------------------------------------------------------- */

static void put_zones(struct buf *out, const struct plan *p)
{
	wire_put_u32(out, p->zone_count);
	for (uint32_t i = 0; i < p->zone_count; i++) {
		wire_put_str(out, p->zones[i].name);
		wire_put_u32(out, p->zones[i].pattern_count);
		for (uint32_t j = 0; j < p->zones[i].pattern_count; j++)
			wire_put_str(out, p->zones[i].patterns[j]);
	}
}

static void put_postures(struct buf *out, const struct plan *p)
{
	wire_put_u32(out, p->posture_count);
	for (uint32_t i = 0; i < p->posture_count; i++) {
		wire_put_str(out, p->postures[i].name);
		wire_put_str(out, p->postures[i].title ? p->postures[i].title : "");
		wire_put_u8(out, (uint8_t)p->postures[i].established);
		wire_put_u8(out, p->postures[i].closed);
		wire_put_u64(out, p->postures[i].within);
	}
	wire_put_u32(out, p->initial);
}

static void put_counters(struct spool *to, const struct plan *p)
{
	struct buf *out = &to->held;

	wire_put_u32(out, p->counter_count);
	for (uint32_t i = 0; i < p->counter_count; i++) {
		const struct plan_counter *c = &p->counters[i];

		wire_put_str(out, c->id);
		wire_put_str(out, c->nft_name);
		wire_put_u8(out, (uint8_t)c->layer);
		wire_put_u8(out, (uint8_t)c->verdict);
		wire_put_u8(out, c->posture);
		spool_settle(to);
	}
}

static void put_config(struct buf *out, const struct teg_config *c)
{
	wire_put_u32(out, c->abi);
	wire_put_u32(out, c->asks);
	wire_put_u32(out, c->lifeline_boxes);
	wire_put_u32(out, c->box_count);
	wire_put_u32(out, c->rule_count);
	wire_put_u64(out, c->closed);
	wire_put_u32(out, c->neighbour_slot);
	wire_put_u32(out, c->blocked_slot);
	for (size_t i = 0; i < POSTURES_MAX; i++)
		wire_put_u32(out, c->closed_slot[i]);
	for (size_t i = 0; i < TEG_CAUSES_MOST; i++)
		wire_put_u64(out, c->passes[i]);
	wire_put_u32(out, c->feed_first);
}

void plan_box_put(struct buf *out, const struct teg_box *b)
{
	wire_put_u64(out, b->zones);
	wire_put_u64(out, b->src);
	wire_put_u64(out, b->dst);
	wire_put_u16(out, b->sport_lo);
	wire_put_u16(out, b->sport_hi);
	wire_put_u16(out, b->dport_lo);
	wire_put_u16(out, b->dport_hi);
	wire_put_u16(out, b->icmp_lo);
	wire_put_u16(out, b->icmp_hi);
	wire_put_u16(out, b->proto);
	wire_put_u32(out, b->rule);
	wire_put_u8(out, b->families);
	wire_put_u8(out, b->fragments);
	wire_put_u8(out, b->flags_mask);
	wire_put_u8(out, b->flags_want);
	wire_put_u8(out, b->mark);
}

static void put_boxes(struct buf *out, const struct plan *p)
{
	wire_put_u32(out, p->box_count);
	for (uint32_t i = 0; i < p->box_count; i++)
		plan_box_put(out, &p->boxes[i]);
}

#define RULE_BYTES 61

static void put_rules(struct spool *to, const struct plan *p)
{
	struct buf *out = &to->held;

	wire_put_u32(out, p->rule_count);
	for (uint32_t i = 0; i < p->rule_count; i++) {
		const struct teg_rule *r = &p->rules[i];

		wire_put_u64(out, r->except);
		wire_put_u64(out, r->cost_ns);
		wire_put_u64(out, r->depth_ns);
		wire_put_u64(out, r->bytes);
		wire_put_u64(out, r->block_ns);
		wire_put_u64(out, r->bucket);
		wire_put_u32(out, r->counter_slot);
		wire_put_u8(out, r->act);
		wire_put_u8(out, r->key);
		wire_put_u8(out, r->key_bits4);
		wire_put_u8(out, r->key_bits6);
		wire_put_u32(out, r->one_in);
		wire_put_u8(out, r->tells);
		spool_settle(to);
	}
}

#define PREFIX_BYTES 26

static void put_prefixes(struct buf *out, const struct plan *p)
{
	wire_put_u32(out, p->prefix_count);
	for (uint32_t i = 0; i < p->prefix_count; i++) {
		const struct plan_prefix *x = &p->prefixes[i];

		wire_put_u8(out, (uint8_t)x->prefix.addr.family);
		wire_put_u8(out, (uint8_t)x->prefix.len);
		wire_put_u64(out, (uint64_t)(x->prefix.addr.num >> 64));
		wire_put_u64(out, (uint64_t)x->prefix.addr.num);
		wire_put_u64(out, x->sets);
	}
}

#define BULK_BOX_BYTES (PLAN_BOX_BYTES + 64)

static void put_root(struct buf *out, const struct teg_bulk_root *r)
{
	for (int i = 0; i < 3; i++)
		wire_put_u64(out, r->take[i]);
	wire_put_u32(out, r->first);
	wire_put_u32(out, r->shift);
}

static void put_bulk(struct spool *to, const struct plan *p)
{
	const struct teg_bulk *t = &p->config.bulk;
	struct buf *out = &to->held;

	wire_put_u32(out, t->cells);
	for (uint32_t i = 0; i < t->cells; i++) {
		plan_box_put(out, &p->bulk_boxes[i].box);
		for (int w = 0; w < 4; w++) {
			wire_put_u64(out, p->bulk_boxes[i].addr[w]);
			wire_put_u64(out, p->bulk_boxes[i].mask[w]);
		}
		spool_settle(to);
	}
	wire_put_u32(out, t->nodes);
	for (uint32_t i = 0; i < t->nodes; i++) {
		wire_put_u64(out, p->bulk_nodes[i]);
		spool_settle(to);
	}
	wire_put_u32(out, t->leaves);
	for (uint32_t i = 0; i < t->leaves; i++) {
		wire_put_u32(out, p->bulk_leaves[i]);
		spool_settle(to);
	}
	for (uint32_t f = 0; f < FAMILY_COUNT; f++)
		wire_put_u32(out, t->vectors[f].words);
	wire_put_u32(out, t->depth);
	wire_put_u32(out, t->longest);
	for (uint32_t f = 0; f < FAMILY_COUNT; f++) {
		wire_put_u32(out, t->groups[f]);
		for (uint32_t g = 0; g < TEG_BULK_GROUPS; g++)
			put_root(out, &t->roots[f][g]);
	}
}

static void put_feeds(struct buf *out, const struct plan *p)
{
	wire_put_u32(out, p->feed_count);
	for (uint32_t i = 0; i < p->feed_count; i++) {
		const struct plan_feed *f = &p->feeds[i];

		wire_put_str(out, f->name);
		wire_put_u8(out, (uint8_t)f->format);
		wire_put_str(out, f->member);
		wire_put_u32(out, f->column);
		wire_put_u32(out, f->most);
		wire_put_u32(out, f->stale_s);
		wire_put_u8(out, f->stale_keeps);
	}
}

static void put_nft_keep(struct spool *to, const struct plan *p)
{
	wire_put_u32(&to->held, p->nft_keep_count);
	for (uint32_t i = 0; i < p->nft_keep_count; i++) {
		wire_put_str(&to->held, p->nft_keep[i]);
		spool_settle(to);
	}
}

static void put_needs(struct buf *out, const struct plan *p)
{
	wire_put_u32(out, p->need_count);
	for (uint32_t i = 0; i < p->need_count; i++) {
		wire_put_u8(out, (uint8_t)p->needs[i].need);
		wire_put_str(out, p->needs[i].by);
	}
}

void plan_spool(struct spool *to, const struct plan *p)
{
	struct buf *out = &to->held;

	wire_put_u32(out, PLAN_VERSION);
	wire_put_str(out, p->policy);
	wire_put_str(out, p->title ? p->title : "");
	wire_put_str(out, p->version ? p->version : "");
	wire_put_u8(out, p->proved);
	put_zones(out, p);
	put_postures(out, p);
	put_counters(to, p);
	put_config(out, &p->config);
	put_boxes(out, p);
	put_rules(to, p);
	put_prefixes(out, p);
	put_bulk(to, p);
	plan_payload_put(out, p);
	put_feeds(out, p);
	put_nft_keep(to, p);
	put_needs(out, p);
}

void plan_encode(struct buf *out, const struct plan *p)
{
	struct spool s = { .held = *out };

	plan_spool(&s, p);
	*out = s.held;
}

/* --- decode --------------------------------------------------------------------- */

static void get_zones(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->zone_count = wire_get_count(in, 8);
	p->zones = arena_zero(a, p->zone_count * sizeof *p->zones);
	for (uint32_t i = 0; i < p->zone_count; i++) {
		struct plan_zone *z = &p->zones[i];

		z->name = wire_get_str(in, a);
		z->pattern_count = wire_get_count(in, 4);
		z->patterns = arena_zero(a, z->pattern_count * sizeof *z->patterns);
		for (uint32_t j = 0; j < z->pattern_count; j++)
			z->patterns[j] = wire_get_str(in, a);
	}
}

static void get_postures(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->posture_count = wire_get_count(in, 18);
	p->postures = arena_zero(a, p->posture_count * sizeof *p->postures);
	for (uint32_t i = 0; i < p->posture_count; i++) {
		p->postures[i].name = wire_get_str(in, a);
		p->postures[i].title = wire_get_str(in, a);
		p->postures[i].established = (enum established)wire_get_u8(in);
		p->postures[i].closed = wire_get_u8(in);
		p->postures[i].within = wire_get_u64(in);
	}
	p->initial = wire_get_u32(in);
}

static void get_counters(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->counter_count = wire_get_count(in, 11);
	p->counters = arena_zero(a, p->counter_count * sizeof *p->counters);
	for (uint32_t i = 0; i < p->counter_count; i++) {
		struct plan_counter *c = &p->counters[i];

		c->id = wire_get_str(in, a);
		c->nft_name = wire_get_str(in, a);
		c->layer = (enum layer)wire_get_u8(in);
		c->verdict = (enum verdict)wire_get_u8(in);
		c->posture = wire_get_u8(in);
	}
}

static void get_config(struct wire_in *in, struct teg_config *c)
{
	c->abi = wire_get_u32(in);
	c->asks = wire_get_u32(in);
	c->lifeline_boxes = wire_get_u32(in);
	c->box_count = wire_get_u32(in);
	c->rule_count = wire_get_u32(in);
	c->closed = wire_get_u64(in);
	c->neighbour_slot = wire_get_u32(in);
	c->blocked_slot = wire_get_u32(in);
	for (size_t i = 0; i < POSTURES_MAX; i++)
		c->closed_slot[i] = wire_get_u32(in);
	for (size_t i = 0; i < TEG_CAUSES_MOST; i++)
		c->passes[i] = wire_get_u64(in);
	c->feed_first = wire_get_u32(in);
}

void plan_box_get(struct wire_in *in, struct teg_box *b)
{
	b->zones = wire_get_u64(in);
	b->src = wire_get_u64(in);
	b->dst = wire_get_u64(in);
	b->sport_lo = wire_get_u16(in);
	b->sport_hi = wire_get_u16(in);
	b->dport_lo = wire_get_u16(in);
	b->dport_hi = wire_get_u16(in);
	b->icmp_lo = wire_get_u16(in);
	b->icmp_hi = wire_get_u16(in);
	b->proto = wire_get_u16(in);
	b->rule = wire_get_u32(in);
	b->families = wire_get_u8(in);
	b->fragments = wire_get_u8(in);
	b->flags_mask = wire_get_u8(in);
	b->flags_want = wire_get_u8(in);
	b->mark = wire_get_u8(in);
}

static void get_boxes(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->box_count = wire_get_count(in, PLAN_BOX_BYTES);
	p->boxes = arena_zero(a, p->box_count * sizeof *p->boxes);
	for (uint32_t i = 0; i < p->box_count; i++)
		plan_box_get(in, &p->boxes[i]);
}

static void get_rules(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->rule_count = wire_get_count(in, RULE_BYTES);
	p->rules = arena_zero(a, p->rule_count * sizeof *p->rules);
	for (uint32_t i = 0; i < p->rule_count; i++) {
		struct teg_rule *r = &p->rules[i];

		r->except = wire_get_u64(in);
		r->cost_ns = wire_get_u64(in);
		r->depth_ns = wire_get_u64(in);
		r->bytes = wire_get_u64(in);
		r->block_ns = wire_get_u64(in);
		r->bucket = wire_get_u64(in);
		r->counter_slot = wire_get_u32(in);
		r->act = wire_get_u8(in);
		r->key = wire_get_u8(in);
		r->key_bits4 = wire_get_u8(in);
		r->key_bits6 = wire_get_u8(in);
		r->one_in = wire_get_u32(in);
		r->tells = wire_get_u8(in);
	}
}

static void get_prefixes(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->prefix_count = wire_get_count(in, PREFIX_BYTES);
	p->prefixes = arena_zero(a, p->prefix_count * sizeof *p->prefixes);
	for (uint32_t i = 0; i < p->prefix_count; i++) {
		struct plan_prefix *x = &p->prefixes[i];

		x->prefix.addr.family = (enum family)wire_get_u8(in);
		x->prefix.len = wire_get_u8(in);
		x->prefix.addr.num = (addr_num)wire_get_u64(in) << 64;
		x->prefix.addr.num |= wire_get_u64(in);
		x->sets = wire_get_u64(in);
	}
}

static struct teg_bulk_root get_root(struct wire_in *in)
{
	struct teg_bulk_root r;

	for (int i = 0; i < 3; i++)
		r.take[i] = wire_get_u64(in);
	r.first = wire_get_u32(in);
	r.shift = wire_get_u32(in);
	return r;
}

static void get_bulk(struct wire_in *in, struct plan *p, struct arena *a)
{
	struct teg_bulk *t = &p->config.bulk;

	t->cells = wire_get_count(in, BULK_BOX_BYTES);
	p->bulk_boxes = arena_zero(a, t->cells * sizeof *p->bulk_boxes);
	for (uint32_t i = 0; i < t->cells; i++) {
		plan_box_get(in, &p->bulk_boxes[i].box);
		for (int w = 0; w < 4; w++) {
			p->bulk_boxes[i].addr[w] = wire_get_u64(in);
			p->bulk_boxes[i].mask[w] = wire_get_u64(in);
		}
	}
	t->nodes = wire_get_count(in, 8);
	p->bulk_nodes = arena_zero(a, t->nodes * sizeof *p->bulk_nodes);
	for (uint32_t i = 0; i < t->nodes; i++)
		p->bulk_nodes[i] = wire_get_u64(in);
	t->leaves = wire_get_count(in, 4);
	p->bulk_leaves = arena_zero(a, t->leaves * sizeof *p->bulk_leaves);
	for (uint32_t i = 0; i < t->leaves; i++)
		p->bulk_leaves[i] = wire_get_u32(in);
	for (uint32_t f = 0; f < FAMILY_COUNT; f++)
		t->vectors[f].words = wire_get_u32(in);
	t->depth = wire_get_u32(in);
	t->longest = wire_get_u32(in);
	for (uint32_t f = 0; f < FAMILY_COUNT; f++) {
		t->groups[f] = wire_get_u32(in);
		for (uint32_t g = 0; g < TEG_BULK_GROUPS; g++)
			t->roots[f][g] = get_root(in);
	}
}

static void get_feeds(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->feed_count = p->config.feed_count = wire_get_count(in, 22);
	p->feeds = arena_zero(a, p->feed_count * sizeof *p->feeds);
	for (uint32_t i = 0; i < p->feed_count; i++) {
		struct plan_feed *f = &p->feeds[i];

		f->name = wire_get_str(in, a);
		f->format = (enum feed_format)wire_get_u8(in);
		f->member = wire_get_str(in, a);
		f->column = wire_get_u32(in);
		f->most = wire_get_u32(in);
		f->stale_s = wire_get_u32(in);
		f->stale_keeps = wire_get_u8(in);
	}
}

static void get_nft_keep(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->nft_keep_count = wire_get_count(in, 4);
	p->nft_keep = arena_zero(a, p->nft_keep_count * sizeof *p->nft_keep);
	for (uint32_t i = 0; i < p->nft_keep_count; i++)
		p->nft_keep[i] = wire_get_str(in, a);
}

static void get_needs(struct wire_in *in, struct plan *p, struct arena *a)
{
	p->need_count = wire_get_count(in, 5);
	p->needs = arena_zero(a, p->need_count * sizeof *p->needs);
	for (uint32_t i = 0; i < p->need_count; i++) {
		p->needs[i].need = (enum need)wire_get_u8(in);
		p->needs[i].by = wire_get_str(in, a);
	}
}

/* --- asked of a whole plan -------------------------------------------------------- */

const char *need_words(enum need n)
{
	static const char *const words[NEED_COUNT] = {
#define NEED(id, text) [NEED_##id] = text,
#include "lang/vocab/need.def"
#undef NEED
	};
	return words[n];
}

int plan_is_met(const struct plan *p, uint64_t can, struct err *why)
{
	const struct plan_need *first = NULL;
	uint32_t more = 0;

	for (uint32_t i = 0; i < p->need_count; i++) {
		if (can >> p->needs[i].need & 1)
			continue;
		more += first != NULL;
		first = first ? first : &p->needs[i];
	}
	if (!first)
		return 0;
	if (more)
		return err_set(why, ENOTSUP, "this enforcer cannot run %s (%s), nor %u other parts of the policy",
			       need_words(first->need), first->by, more);
	return err_set(why, ENOTSUP, "this enforcer cannot run %s (%s)", need_words(first->need), first->by);
}

int plan_decode(struct plan *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct plan p = { 0 };
	uint32_t version = wire_get_u32(&in);

	if (version != PLAN_VERSION)
		return err_set(why, EINVAL, "the plan is of version %u, and this program reads %u: build the bundle again, "
			       "with the tegc of this version", version, PLAN_VERSION);
	p.policy = wire_get_str(&in, a);
	p.title = wire_get_str(&in, a);
	p.version = wire_get_str(&in, a);
	p.proved = wire_get_u8(&in);
	get_zones(&in, &p, a);
	get_postures(&in, &p, a);
	get_counters(&in, &p, a);
	get_config(&in, &p.config);
	get_boxes(&in, &p, a);
	get_rules(&in, &p, a);
	get_prefixes(&in, &p, a);
	get_bulk(&in, &p, a);
	plan_payload_get(&in, &p, a);
	get_feeds(&in, &p, a);
	get_nft_keep(&in, &p, a);
	get_needs(&in, &p, a);
	if (!wire_done(&in))
		return err_set(why, EINVAL, "plan: truncated, or more than a plan");
	if (plan_holds(&p, a, why))
		return err_in(why, "plan");

	*out = p;
	return 0;
}

bool plan_is_within(const struct plan *p, uint32_t posture, uint32_t wider)
{
	return p->postures[posture].closed || p->postures[posture].within >> wider & 1;
}

/* ---- prefixes ------------------------------------------------------------------------ */

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
 * `around` is the chain of prefixes that are open at this place, outermost first; prefixes nest, so a
 * chain is never longer than an address has bits. The nearest has the sets of all further out.
 */
uint32_t plan_prefixes_join(struct plan_prefix *at, uint32_t len)
{
	uint32_t around[130], depth = 0, out = 0;

	if (len)
		qsort(at, len, sizeof *at, by_place);
	for (uint32_t i = 0; i < len; i++) {
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
