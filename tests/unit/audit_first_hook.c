/*
 * The XDP tables of random policies, read back, are proved to be what was meant;
 * and each of many small damages to them is refused: each bit of which a packet shows that it matters.
 */
#include <stddef.h>
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/front/policy.h"
#include "compiler/ir/eval.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

/* What emit_plan() asks of the policy itself. */
static void give_policy(struct ir *ir, struct arena *a)
{
	static const char *const names[] = { "LOCKDOWN", "HARDENED", "BALANCED" };
	struct policy *p = arena_zero(a, sizeof *p);

	p->name = p->title = p->version = "random";
	p->posture_count = ir->posture_count;
	p->postures = arena_zero(a, p->posture_count * sizeof *p->postures);
	for (size_t i = 0; i < ir->posture_count; i++) {
		ir->postures[i].name = names[i];
		p->postures[i].name = p->postures[i].title = names[i];
	}
	ir->policy = p;
}

static bool make_plan(struct plan *plan, const struct ir *ir, struct arena *a)
{
	struct err why = { 0 };

	*plan = (struct plan){ 0 };
	emit_plan(plan, ir, a);
	return !emit_xdp(plan, ir, a, &why);
}

/* Damages that change the meaning of some packet, where there is one to change. */
enum damage {
	ZONES, FAMILIES, FRAGMENTS, PROTO, DPORT, ICMP, FLAGS, SRC, PREFIX_GONE, PREFIX_SHORT,
	ACT, RATE, DEPTH, KEY, KEY_BITS, COOKIES, TOLD, BLOCK, EXCEPT, CLOSED, DAMAGES
};

static bool damage(struct plan *p, enum damage d, struct rules *g)
{
	struct teg_box *b = p->box_count ? &p->boxes[rules_below(g, p->box_count)] : NULL;
	struct teg_rule *r = p->rule_count ? &p->rules[rules_below(g, p->rule_count)] : NULL;
	struct plan_prefix *x = p->prefix_count ? &p->prefixes[rules_below(g, p->prefix_count)] : NULL;

	switch (d) {
	case ZONES:
		return b && (b->zones ^= 1);
	case FAMILIES:
		return b && (b->families ^= 1);
	case FRAGMENTS:
		return b && (b->fragments ^= FRAGMENT_FIRST);
	case PROTO:
		return b && (b->proto = 99);
	case DPORT:
		return b && b->dport_lo < 65535 && ++b->dport_lo;
	case ICMP:
		return b && b->icmp_hi && b->icmp_hi-- > b->icmp_lo;
	case FLAGS:
		return b && b->flags_mask && (b->flags_want ^= (b->flags_mask & -b->flags_mask));
	case SRC:
		return b && b->src && (b->src = 0, true);
	case PREFIX_GONE:
		return x && (x->sets = 0, true);
	case PREFIX_SHORT:
		return x && (x->sets ^= 1);
	case ACT:
		return r && (r->act ^= 1, true);
	case RATE:
		return r && r->cost_ns && ++r->cost_ns;
	case DEPTH:
		return r && r->cost_ns && ++r->depth_ns;
	case KEY:
		return r && r->cost_ns && (r->key ^= TEG_KEY_SOURCE ^ TEG_KEY_FLOW, true);
	case KEY_BITS:
		return r && r->cost_ns && (r->key_bits4 ^= 8);
	case COOKIES:
		return r && r->act == TEG_ACT_DROP && (r->act = TEG_ACT_COOKIES);
	case TOLD:
		return r && (r->tells = r->tells ? 0 : 1 + EVENT_HIGH, true);
	case BLOCK:
		return r && ++r->block_ns;
	case EXCEPT:
		return r && r->act == TEG_ACT_DROP && (r->except ^= 1, true);
	case CLOSED:
		p->config.closed ^= 1;
		return p->config.closed & 1;
	case DAMAGES:
		break;
	}
	return false;
}

static size_t sound, refused_sound, harmed[DAMAGES], noticed[DAMAGES];

static void check_policy(struct rules *g)
{
	own(arena) struct arena *a = arena_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct ir *ir;
	struct plan plan;
	struct err why = { 0 };

	g->arena = a;
	ir = rules_make(g, 2);
	give_policy(ir, a);
	if (!make_plan(&plan, ir, a))
		return;
	sound++;
	if (audit_first_hook(p, ir, &plan, &why)) {
		refused_sound++;
		tap_note("%s", why.text);
	}
	for (int d = 0; d < DAMAGES; d++) {
		make_plan(&plan, ir, a);
		if (!damage(&plan, (enum damage)d, g))
			continue;
		harmed[d]++;
		noticed[d] += audit_first_hook(p, ir, &plan, &why) != 0;
	}
}

/* --- bits at random: what a packet shows, the audit must notice ----------------------------- */

/* One packet's way through the tables, cell by cell: nothing of the audit's. */
struct passing {
	const struct plan *plan;
	const struct point *at;
	unsigned posture, over; /* a bit per slot: its rate is exceeded */
};

static uint64_t sets_of(const struct plan *p, struct addr a, bool self)
{
	uint64_t sets = 0;
	int longest = -1;

	for (uint32_t i = 0; i < p->prefix_count; i++) {
		const struct prefix x = p->prefixes[i].prefix;
		const struct addr_range r = prefix_range(x);

		if (x.addr.family == a.family && r.lo <= a.num && a.num <= r.hi && (int)x.len > longest) {
			longest = x.len;
			sets = p->prefixes[i].sets & ~TEG_SET_SELF;
		}
	}
	return sets | (self ? TEG_SET_SELF : 0);
}

static bool lies_in(const struct passing *k, const struct teg_box *b)
{
	const struct packet *p = &k->at->packet;

	return (b->zones >> p->zone & 1) && (b->families >> p->family & 1) && (b->fragments & p->fragment) &&
	       (b->proto == TEG_PROTO_ANY || b->proto == p->proto) && (p->flags & b->flags_mask) == b->flags_want &&
	       p->sport >= b->sport_lo && p->sport <= b->sport_hi && p->dport >= b->dport_lo && p->dport <= b->dport_hi &&
	       p->icmp >= b->icmp_lo && p->icmp <= b->icmp_hi && (!b->src || (b->src & sets_of(k->plan, p->src, k->at->src_self))) &&
	       (!b->dst || (b->dst & sets_of(k->plan, p->dst, k->at->dst_self)));
}

static bool acts(const struct passing *k, uint32_t rule)
{
	const struct teg_rule *r = &k->plan->rules[rule];

	if (r->act == TEG_ACT_TELL || (r->except >> k->posture & 1) || (r->cost_ns && !(k->over >> rule % 32 & 1)))
		return false;
	for (uint32_t i = 0; i < k->plan->box_count; i++)
		if (k->plan->boxes[i].rule == rule && lies_in(k, &k->plan->boxes[i]))
			return true;
	return false;
}

/* The rule that decides; after the last one what goes on, and before the first that drops what always passes. */
static uint32_t decides(const struct passing *k)
{
	for (uint32_t i = 0; i < k->plan->rule_count; i++) {
		if (k->plan->rules[i].act != TEG_ACT_PASS && packet_is_neighbour(&k->at->packet))
			break;
		if (acts(k, i))
			return i;
	}
	return UINT32_MAX;
}

/* Rules that drop and do nothing else are one. */
static bool same_deed(const struct plan *p, uint32_t x, uint32_t y)
{
	const struct teg_rule *a = &p->rules[x], *b = &p->rules[y];

	return x == y || (x != UINT32_MAX && y != UINT32_MAX && a->act == TEG_ACT_DROP && b->act == TEG_ACT_DROP && !a->cost_ns && !b->cost_ns &&
			  !a->block_ns && !b->block_ns && !a->tells && !b->tells);
}

static bool is_sound(const struct teg_box *b)
{
	return b->zones && b->families && b->families <= 3 && b->fragments && b->fragments <= FRAGMENT_ANY && b->proto <= TEG_PROTO_ANY &&
	       !(b->flags_want & ~b->flags_mask) && b->sport_lo <= b->sport_hi && b->dport_lo <= b->dport_hi && b->icmp_lo <= b->icmp_hi;
}

static bool flip(struct plan *p, struct rules *g)
{
	struct teg_box *b = &p->boxes[rules_below(g, p->box_count)], *other = &p->boxes[rules_below(g, p->box_count)], was = *b;
	const uint32_t rule = b->rule, other_rule = other->rule;

	switch (rules_below(g, 8)) {
	case 0: /* two change places */
		*b = *other;
		*other = was;
		b->rule = rule;
		other->rule = other_rule;
		return rule != other_rule;
	case 1:
		if (p->prefix_count)
			p->prefixes[rules_below(g, p->prefix_count)].sets ^= 1ull << rules_below(g, 3);
		return p->prefix_count;
	case 2:
		p->rules[rule].except ^= 1ull << rules_below(g, 3);
		return p->rules[rule].act == TEG_ACT_DROP;
	default: /* a bit of what is asked: all before the mark */
		((uint8_t *)b)[rules_below(g, offsetof(struct teg_box, mark))] ^= (uint8_t)(1u << rules_below(g, 8));
		return is_sound(b);
	}
}

static size_t flips, showing, missed;

static bool shows(const struct plan *made, const struct plan *flipped, const struct ir *ir, struct rules *g, struct terms *t)
{
	for (int i = 0; i < 400; i++) {
		struct point at = { 0 };
		struct passing x, y;

		rules_point(g, ir, t, &at);
		if (at.packet.zone == ZONE_NONE)
			continue;
		x = y = (struct passing){ made, &at, (unsigned)rules_below(g, ir->posture_count), (unsigned)rules_random(g) };
		y.plan = flipped;
		if (!same_deed(made, decides(&x), decides(&y)))
			return true;
	}
	return false;
}

/* Reflexes of which some block, or tell: which of two drops a packet is no matter of verdicts. */
static void check_flips(struct rules *g)
{
	own(arena) struct arena *a = arena_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct terms t = { .arena = a };
	struct plan made, flipped;
	struct err why = { 0 };
	struct ir *ir;

	g->arena = a;
	ir = rules_make(g, 2);
	give_policy(ir, a);
	for (size_t i = 0; i < ir->reflexes.count; i++) {
		ir->reflexes.rules[i].block_ns = rules_below(g, 2) ? 1000000000ull * (1 + rules_below(g, 3)) : 0;
		ir->reflexes.rules[i].effects.emits = !rules_below(g, 3);
	}
	terms_add(&t, ir);
	if (!make_plan(&made, ir, a) || !made.box_count || made.config.bulk.cells)
		return;
	for (int i = 0; i < 20; i++) {
		make_plan(&flipped, ir, a);
		if (!flip(&flipped, g))
			continue;
		flips++;
		if (!shows(&made, &flipped, ir, g, &t))
			continue;
		showing++;
		missed += !audit_first_hook(p, ir, &flipped, &why);
	}
}

int main(void)
{
	static const char *const names[DAMAGES] = {
		"a zone", "a family", "a fragment", "a protocol", "a port", "an ICMP code", "a flag",
		"a source", "a prefix without sets", "a prefix in another set", "an act", "a rate",
		"a burst", "what a bucket is for", "how much of the address", "an answer", "what is told",
		"a block time", "an exception", "a posture that is not closed",
	};
	struct rules g = { .seed = 31, .profile = RULES_SMALL };

	for (int i = 0; i < 250; i++)
		check_policy(&g);
	tap_num((int64_t)refused_sound, 0, "tables as they were made are proved");
	tap_ok(sound > 200, "%zu policies", sound);
	for (int d = 0; d < DAMAGES; d++)
		tap_ok(harmed[d] > 5 && noticed[d] * 10 > harmed[d] * 3,
		       "%s damaged: noticed %zu of %zu times, as far as it matters", names[d],
		       noticed[d], harmed[d]);
	for (int i = 0; i < 150; i++)
		check_flips(&g);
	tap_ok(showing > 300, "of %zu tables with a bit or two cells exchanged, packets show %zu to be others", flips, showing);
	tap_num((int64_t)missed, 0, "all of which the audit notices");
	return tap_done();
}
