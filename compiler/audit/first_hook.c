/*
 * first_hook.c - the tables of the first hook, read back as rules and compared with the policy's for
 * all packets.
 */
#include "compiler/audit/audit.h"

#include <errno.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/named.h"
#include "compiler/prove/alike.h"
#include "lang/bundle/bulk_pack.h"

/* --- address sets: the longest prefix answers for all of them ------------------------------- */

#define SET_BITS 63 /* bit 63 is TEG_SET_SELF */

struct sets {
	struct arena *arena;
	VEC(struct addr_range) ranges[SET_BITS][FAMILY_COUNT];
	struct ir_set made[SET_BITS];
};

/* An address part and the sets that it is in. */
static void sets_add(struct sets *s, enum family f, addr_num lo, addr_num hi, uint64_t bits)
{
	struct addr_range r = { lo, hi };

	for (bits &= ~TEG_SET_SELF; bits; bits &= bits - 1)
		vec_push(s->arena, &s->ranges[__builtin_ctzll(bits)][f], r);
}

/* Prefixes that are open at a place of the sweep, the innermost last; and how far they are told. */
struct open_prefixes {
	struct addr_range at[130];
	uint64_t bits[130];
	size_t depth;
	enum family family;
	addr_num next;
};

static void close_until(struct sets *s, struct open_prefixes *o, const struct addr_range *next)
{
	while (o->depth && (!next || o->at[o->depth - 1].hi < next->lo)) {
		const struct addr_range *r = &o->at[o->depth - 1];

		if (o->next <= r->hi)
			sets_add(s, o->family, o->next, r->hi, o->bits[o->depth - 1]);
		o->next = r->hi + 1;
		o->depth--;
	}
}

/* The plan lists wider prefixes before those that lie in them, by family and address. */
static void read_prefixes(struct sets *s, const struct plan *plan)
{
	struct open_prefixes o = { .depth = 0 };

	for (uint32_t i = 0; i < plan->prefix_count; i++) {
		const struct plan_prefix *p = &plan->prefixes[i];
		struct addr_range r = prefix_range(p->prefix);

		if (p->prefix.addr.family != o.family) {
			close_until(s, &o, NULL);
			o.family = p->prefix.addr.family;
		}
		close_until(s, &o, &r);
		if (o.depth && o.next < r.lo)
			sets_add(s, o.family, o.next, r.lo - 1, o.bits[o.depth - 1]);
		o.at[o.depth] = r;
		o.bits[o.depth++] = p->sets;
		o.next = r.lo;
	}
	close_until(s, &o, NULL);
}

static void make_sets(struct sets *s)
{
	for (unsigned bit = 0; bit < SET_BITS; bit++) {
		struct addr_range *at[FAMILY_COUNT];
		size_t len[FAMILY_COUNT];

		for (int f = 0; f < FAMILY_COUNT; f++) {
			at[f] = s->ranges[bit][f].at;
			len[f] = s->ranges[bit][f].len;
		}
		s->made[bit].index = bit;
		s->made[bit].set = netset_of_ranges(s->arena, at, len);
	}
}

/* Any bit in common: the union of the sets asked for. */
static struct ir_end end_of(struct sets *s, uint64_t bits)
{
	struct ir_end e = { .any = !bits, .self = bits & TEG_SET_SELF };
	struct ir_set *joined;

	bits &= ~TEG_SET_SELF;
	if (!bits)
		return e;
	joined = arena_zero(s->arena, sizeof *joined);
	for (; bits; bits &= bits - 1)
		joined->set = netset_join(s->arena, &joined->set, &s->made[__builtin_ctzll(bits)].set);
	e.set = joined;
	return e;
}

/* --- boxes and rules --------------------------------------------------------------------------- */

static struct ir_box box_of(struct sets *s, const struct teg_box *b)
{
	return (struct ir_box){
		.zones = b->zones,
		.families = b->families,
		.fragments = b->fragments,
		.proto = b->proto == TEG_PROTO_ANY ? PROTO_ANY_NUMBER : b->proto,
		.src = end_of(s, b->src),
		.dst = end_of(s, b->dst),
		.sport = ranges_of(s->arena, b->sport_lo, b->sport_hi),
		.dport = ranges_of(s->arena, b->dport_lo, b->dport_hi),
		.icmp = ranges_of(s->arena, b->icmp_lo, b->icmp_hi),
		.flags_mask = b->flags_mask,
		.flags_want = b->flags_want,
	};
}

/* The end of a box in a tree: the prefix, where it has one. */
static struct ir_end prefixed(struct sets *s, struct ir_end other, uint8_t families, const __u64 addr[static 2],
			      const __u64 mask[static 2])
{
	const enum family f = families == TEG_IP4 ? FAMILY_IP4 : FAMILY_IP6;
	const addr_num most = family_max(f), lo = ((addr_num)addr[0] << 64 | addr[1]) & most;
	struct ir_set *one;

	if (!mask[0] && !mask[1])
		return other;
	one = arena_zero(s->arena, sizeof *one);
	one->set = netset_of_range(s->arena, f, (struct addr_range){ lo, lo | (~((addr_num)mask[0] << 64 | mask[1]) & most) });
	return (struct ir_end){ .set = one };
}

static struct ir_box bulk_box_of(struct sets *s, const struct teg_bulk_box *b)
{
	struct ir_box box = box_of(s, &b->box);

	box.src = prefixed(s, box.src, b->box.families, b->addr, b->mask);
	box.dst = prefixed(s, box.dst, b->box.families, b->addr + 2, b->mask + 2);
	return box;
}

static enum rate_key key_of(const struct teg_rule *t)
{
	switch ((enum teg_key)t->key) {
	case TEG_KEY_SOURCE:
		return RATE_PER_SOURCE;
	case TEG_KEY_DESTINATION:
		return RATE_PER_DESTINATION;
	case TEG_KEY_FLOW:
		return RATE_PER_FLOW;
	case TEG_KEY_ALL:
		break;
	}
	return RATE_GLOBAL;
}

/* A table knows a bucket by the digest of its name and of how it counts: the policy's, when that is the one. */
static const char *bucket_of(const struct strmap *named, const struct teg_rule *t, const char *id)
{
	const struct ir_rule *m = strmap_find(named, id);

	return m && m->rate && emit_xdp_bucket(m->rate) == t->bucket ? m->rate->bucket : "another bucket";
}

/* How far the plan's boxes have been read: they stand in the order of their rules. */
struct reading {
	const struct ir *meant;
	const struct strmap *named; /* its rules */
	const struct plan *plan;
	uint32_t listed, bulk, row;
};

/* Is this box of payloads among the listed ones? */
static bool listed_has(const struct plan *p, uint32_t from, uint32_t to, const struct teg_box *box)
{
	for (uint32_t i = from; i < to; i++) {
		struct teg_box alone = p->boxes[i];

		alone.rule = 0;
		alone.mark = 0;
		if (!memcmp(&alone, box, sizeof alone))
			return true;
	}
	return false;
}

static void read_boxes(struct sets *s, struct ir_rule *r, struct reading *at, uint32_t rule)
{
	const struct plan *p = at->plan;
	uint32_t listed = at->listed, bulk = at->bulk;

	while (listed < p->box_count && p->boxes[listed].rule == rule)
		listed++;
	while (bulk < p->config.bulk.cells && p->bulk_boxes[bulk].box.rule == rule)
		bulk++;
	r->boxes = arena_zero(s->arena, (listed - at->listed + bulk - at->bulk + (size_t)1) * sizeof *r->boxes);
	/* audit_payload() has seen that a listed box of such a rule is one of these. */
	if (at->row < p->config.payload.rows && p->payload.rows[at->row].rule == rule) {
		const struct teg_row *row = &p->payload.rows[at->row++];
		const struct ir_rule *m = strmap_find(at->named, r->id);

		r->payload = m ? m->payload : NULL;
		r->boxes = arena_zero(s->arena, (p->config.payload.boxes + (size_t)1) * sizeof *r->boxes);
		for (uint32_t i = 0; i < p->config.payload.boxes; i++)
			if (row->boxes >> i & 1 && (!row->mark || listed_has(p, at->listed, listed, &p->payload.boxes[i])))
				r->boxes[r->box_count++] = box_of(s, &p->payload.boxes[i]);
		at->listed = listed;
		return;
	}
	while (at->listed < listed)
		r->boxes[r->box_count++] = box_of(s, &p->boxes[at->listed++]);
	while (at->bulk < bulk)
		r->boxes[r->box_count++] = bulk_box_of(s, &p->bulk_boxes[at->bulk++]);
}

/* Everything, of who is on the feed of that name, if the policy has one there. */
static void read_feed(struct sets *s, struct ir_rule *r, const struct reading *at, uint32_t rule)
{
	const struct teg_config *c = &at->plan->config;
	const uint32_t which = rule - c->feed_first;

	if (which >= at->meant->feeds.count || strcmp(at->meant->feeds.rules[which].id, r->id) != 0)
		return; /* a rule without boxes, which is not what was meant */
	r->feed = at->meant->feeds.rules[which].feed;
	r->layer = LAYER_BLOCK;
	r->boxes = arena_copy(s->arena, at->meant->feeds.rules[which].boxes, sizeof *r->boxes);
	r->box_count = 1;
}

static struct ir_rule rule_of(struct sets *s, struct reading *at, uint32_t i)
{
	const struct plan *plan = at->plan;
	const struct teg_rule *t = &plan->rules[i];
	const char *id = plan->counters[t->counter_slot].id;
	struct ir_rule r = {
		.id = id,
		.label = id,
		.layer = t->act == TEG_ACT_PASS ? LAYER_LIFELINE : LAYER_REFLEX,
		.direction = DIRECTION_IN,
		.verdict = t->act == TEG_ACT_PASS ? VERDICT_ALLOW : VERDICT_DROP,
		.cookies = t->act == TEG_ACT_COOKIES,
		.block_ns = t->block_ns,
		.except = t->except,
		.effects = { .emits = t->tells, .severity = t->tells ? (enum event_severity)(t->tells - 1) : EVENT_LOW,
			     .one_in = t->one_in },
	};

	if (t->cost_ns) {
		struct ir_rate rate = { .cost_ns = t->cost_ns, .depth_ns = t->depth_ns, .rate = t->bytes, .bytes = t->bytes,
					.key_bits = { t->key_bits4, t->key_bits6 }, .key = key_of(t),
					.bucket = bucket_of(at->named, t, id) };

		rate.kin = rate.bucket;
		r.rate = arena_copy(s->arena, &rate, sizeof rate);
	}
	if (plan_rule_is_feed(plan, i))
		read_feed(s, &r, at, i);
	else
		read_boxes(s, &r, at, i);
	return r;
}

/* The tables as rules: lifelines apart, blocks and reflexes in one list. Everything in `a`. */
static void read_tables(struct ir *out, const struct ir *meant, const struct strmap *named, const struct plan *plan, struct arena *a)
{
	struct sets *s = arena_zero(a, sizeof *s);
	size_t room = (plan->rule_count + 1) * sizeof(struct ir_rule);
	struct reading at = { .meant = meant, .named = named, .plan = plan };

	s->arena = a;
	read_prefixes(s, plan);
	make_sets(s);
	*out = *meant;
	out->lifelines = (struct ir_list){ arena_zero(a, room), 0 };
	out->feeds = (struct ir_list){ arena_zero(a, room), 0 };
	out->blocks = (struct ir_list){ NULL, 0 };
	out->reflexes = (struct ir_list){ arena_zero(a, room), 0 };
	out->watches = (struct ir_list){ arena_zero(a, room), 0 };
	for (uint32_t i = 0; i < plan->rule_count; i++) {
		struct ir_rule r = rule_of(s, &at, i);
		struct ir_list *l = plan_rule_is_feed(plan, i)	       ? &out->feeds :
				    plan->rules[i].act == TEG_ACT_TELL ? &out->watches :
				    r.verdict == VERDICT_ALLOW	       ? &out->lifelines :
									 &out->reflexes;

		r.rank = out->reflexes.count;
		l->rules[l->count++] = r;
	}
}

/* --- what is compared ----------------------------------------------------------------------------- */

static bool same_rate(const struct ir_rate *x, const struct ir_rate *y)
{
	if (!x || !y)
		return x == y;
	return x->cost_ns == y->cost_ns && x->depth_ns == y->depth_ns && x->key == y->key &&
	       x->bytes == y->bytes && (!x->bytes || x->rate == y->rate) &&
	       !strcmp(x->bucket, y->bucket) &&
	       !memcmp(x->key_bits, y->key_bits, sizeof x->key_bits);
}

static bool same_effects(const struct pol_effects *x, const struct pol_effects *y)
{
	return x->emits == y->emits && (!x->emits || (x->severity == y->severity && x->one_in == y->one_in));
}

/* What the prover leaves out: how fast buckets fill, for how long a source is blocked, and what is told. */
static int limits_hold(const struct strmap *meant, const struct ir_list *made, struct err *why)
{
	for (size_t i = 0; i < made->count; i++) {
		const struct ir_rule *r = &made->rules[i], *m = strmap_find(meant, r->id);

		if (!m || !same_rate(m->rate, r->rate) || m->block_ns != r->block_ns || m->cookies != r->cookies)
			return err_set(why, EPROTO, "%s: its rate, block time or answer in the tables is not the policy's",
				       r->id);
		if (!same_effects(&m->effects, &r->effects))
			return err_set(why, EPROTO, "%s: the tables do not tell of it as the policy does", r->id);
	}
	return 0;
}

/* What only tells stands where the policy has it, behind the blocks, and is silent where it says. */
static int watches_hold(const struct ir *meant, const struct ir *made, struct err *why)
{
	bool same = meant->watches.count == made->watches.count;

	for (size_t i = 0; same && i < made->watches.count; i++) {
		const struct ir_rule *x = &meant->watches.rules[i], *y = &made->watches.rules[i];

		same = !strcmp(x->id, y->id) && x->except == y->except && meant->blocks.count + x->rank == y->rank;
	}
	return same ? 0 : err_set(why, EPROTO, "what only tells is not in the tables as the policy has it");
}

/* How a feed is read, and for how long: nothing that packets show. */
static int feeds_hold(const struct ir *meant, const struct plan *plan, struct err *why)
{
	for (uint32_t i = 0; i < plan->feed_count || i < meant->feeds.count; i++) {
		const struct pol_feed *m = i < meant->feeds.count ? meant->feeds.rules[i].feed : NULL;
		const struct plan_feed *f = i < plan->feed_count ? &plan->feeds[i] : NULL;

		if (!m || !f || strcmp(m->name, f->name) || m->format != f->format || strcmp(m->member ? m->member : "", f->member) ||
		    m->column != f->column || m->max != f->most || (m->stale_ns + 999999999) / 1000000000 != f->stale_s ||
		    m->stale_keeps != f->stale_keeps)
			return err_set(why, EPROTO, "feed %u is not the policy's", i);
	}
	return 0;
}

static int refuse(const struct ir *ir, unsigned posture, const struct witness *w, const char *what,
		  struct err *why)
{
	own(buf) struct buf packet = { 0 };

	witness_print(&packet, w);
	return err_set(why, EPROTO, "in %s, %s: %s", ir->postures[posture].name, what,
		       buf_text(&packet));
}

static int undecided(const struct ir *ir, unsigned posture, struct err *why)
{
	return err_set(why, E2BIG, "in %s, the budget did not suffice to prove that the first hook does what "
		       "the policy says", ir->postures[posture].name);
}

/*
 * What is done to a packet, and by which rule: its bucket, its block, its answer and what is told go with it. Rules that drop and
 * do nothing else are one: in lists of thousands, who of them it is would cost three times the proof.
 */
struct deciding {
	struct prover *prover;
	struct arena *arena;
	struct terms terms;
	struct strmap numbers; /* by name: 1 + the outcome */
	VEC(const char *) names;
};

static bool only_drops(const struct ir_rule *r)
{
	return r->verdict == VERDICT_DROP && !ir_rule_condition(r) && !r->block_ns && !r->cookies && !r->effects.emits;
}

static uint32_t decider_number(struct deciding *k, const struct step *s)
{
	const char *name = !s->rule ? s->why : only_drops(s->rule) ? "a rule that only drops" : s->rule->id;
	uintptr_t number = (uintptr_t)strmap_find(&k->numbers, name);

	if (!number) {
		vec_push(k->arena, &k->names, name);
		number = k->names.len;
		strmap_put(&k->numbers, name, (void *)number);
	}
	return (uint32_t)number - 1;
}

/* The first hook's steps of one family, as a list of who decides. */
static struct judgement *deciders(struct deciding *k, const struct ir *ir, unsigned posture, enum family f, struct arena *a)
{
	const struct judgement *j = judgement_of_first_hook(&k->terms, ir, posture);
	struct listed *at = arena_zero(a, (j->cell_count + 1) * sizeof *at);
	size_t count = 0;

	for (size_t i = 0; i < j->cell_count; i++)
		if (j->cells[i].family == f)
			at[count++] = (struct listed){ j->cells[i], decider_number(k, &j->steps[j->cells[i].step]) };
	return alike_list(a, ir, posture, DIRECTION_IN, at, count);
}

static const char *decider_text(const struct deciding *k, uint32_t number)
{
	return number == ALIKE_NOTHING ? "nothing" : k->names.at[number];
}

static int family_holds(struct deciding *k, const struct ir *meant, const struct ir *made, unsigned posture, enum family f, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct window w = window_all(&k->terms, f, STATES_ALL);
	struct judgement *x = deciders(k, meant, posture, f, a), *y = deciders(k, made, posture, f, a);

	w.zones &= ~(UINT64_C(1) << ZONE_NONE);
	if (!w.zones)
		return 0; /* no interface is of any zone */
	struct alike alike = prove_alike(k->prover, &k->terms, &w, x, y);
	switch (alike.answer) {
	case ANSWER_PROVED:
		return 0;
	case ANSWER_REFUTED:
	case ANSWER_CONDITIONAL:
		return refuse(meant, posture, &alike.witness,
			      arena_printf(a, "the first hook's tables do not do what the policy says, %s and not %s",
					   decider_text(k, alike.made), decider_text(k, alike.meant)), why);
	case ANSWER_UNDECIDED:
		break;
	}
	return undecided(meant, posture, why);
}

static int posture_holds(struct deciding *k, const struct ir *meant, const struct ir *made, unsigned posture, struct err *why)
{
	int rc = 0;

	for (int f = 0; f < FAMILY_COUNT && !rc; f++)
		rc = family_holds(k, meant, made, posture, (enum family)f, why);
	return rc;
}

static int closed_holds(struct prover *p, const struct ir *ir, const struct plan *plan,
			unsigned posture, struct err *why)
{
	struct claim_answer a;

	if (!(plan->config.closed >> posture & 1))
		return 0;
	a = prove_closed(p, ir, posture);
	if (a.answer == ANSWER_PROVED)
		return 0;
	if (a.answer == ANSWER_UNDECIDED)
		return undecided(ir, posture, why);
	return refuse(ir, posture, &a.witness, "the first hook would drop what layer 4 admits", why);
}

int audit_first_hook(struct prover *p, const struct ir *ir, const struct plan *plan, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct ir made;
	int rc;

	rc = bulk_has_vectors(&plan->config.bulk) ? audit_vectors(plan, why) : audit_trees(plan, why);
	if (!rc)
		rc = audit_payload(ir, plan, why);
	if (rc)
		return rc;
	const struct strmap meant = ir_early_named(ir, a);
	read_tables(&made, ir, &meant, plan, a);
	rc = limits_hold(&meant, &made.reflexes, why);
	if (!rc)
		rc = limits_hold(&meant, &made.watches, why);
	if (!rc)
		rc = watches_hold(ir, &made, why);
	if (!rc)
		rc = feeds_hold(ir, plan, why);
	struct deciding k = { .prover = p, .arena = a, .terms = { .arena = a } };
	strmap_init(&k.numbers, a);
	terms_add(&k.terms, ir);
	terms_add(&k.terms, &made);
	for (unsigned i = 0; i < ir->posture_count && !rc; i++) {
		rc = posture_holds(&k, ir, &made, i, why);
		if (!rc)
			rc = closed_holds(p, ir, plan, i, why);
	}
	return rc;
}
