/*
 * The XDP tables of random policies, read back, are proved to be what was meant;
 * and each of many small damages to them is refused.
 */
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/front/policy.h"
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
	return tap_done();
}
