/* Chains that answer SYNs for servers behind the host are proved, and each damage to them is refused. */
#include <string.h>

#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_audit.h"
#include "tests/lib/tap.h"

static const struct gen_shape answering = {
	.zones = 3, .lifelines = 1, .blocks = 1, .reflexes = 6, .postures = 1, .rules = 2, .rate_percent = 90, .cookies_percent = 80,
	.tell_percent = 30, .keyed_percent = 40,
};

static struct ir *answering_policy(unsigned seed, struct arena *a)
{
	struct gen g = gen_new(seed);

	return ir_for_nft(ir_lower(gen_policy(&g, a, &answering), a), a);
}

static bool answers(const struct nft_chain *c)
{
	return strstr(c->name, "_cookies") || strstr(c->name, "_answer.");
}

/* The expression `at` of these chains: another number, segment size or port; or its rule is lost. */
static bool damage_answer(struct nft_table *t, size_t *at)
{
	for (size_t c = 0, n = 0; c < t->chains.len; c++)
		for (size_t r = 0; answers(t->chains.at[c]) && r < t->chains.at[c]->rules.len; r++)
			for (size_t e = 0; e < t->chains.at[c]->rules.at[r].exprs.len; e++) {
				struct nft_expr *x = &t->chains.at[c]->rules.at[r].exprs.at[e];

				if (n++ < *at)
					continue;
				*at = n;
				if (x->kind == NFT_EXPR_MATCH)
					x->match.lo ^= x->match.masked ? x->match.mask & -x->match.mask : 1;
				else if (x->kind == NFT_EXPR_SYNPROXY)
					x->synproxy_mss ^= 1;
				else if (x->kind == NFT_EXPR_PLACE)
					x->place.keys[1].field = NFT_FIELD_SPORT;
				else if (x->kind == NFT_EXPR_LOOK)
					x->look.keys[1].field = NFT_FIELD_SPORT;
				else
					return nft_lose_rule(t->chains.at[c], r);
				return true;
			}
	return false;
}

/* Of both families, for servers behind alone: each damage changes what some SYN or acknowledgement meets. */
static struct ir *flooded_servers(struct arena *a)
{
	struct policy *p = craft_policy(a, "answering");
	struct pol_selector syn = craft_select(a, PROTO_TCP);

	syn.to = craft_end(a, "198.51.100.0/24 2001:db8::/32");
	struct pol_reflex *r = craft_reflex(p, "flood", syn);
	r->has_rate = r->cookies = true;
	r->rate = (struct pol_rate){ .count = 100, .window_ns = 1000000000, .key_bits = { 32, 64 }, .key = RATE_PER_DESTINATION };
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	return ir_for_nft(ir_lower(p, a), a);
}

static void damages_to_answers_are_noticed(void)
{
	size_t done = 0, seen = 0;

	for (size_t at = 0;;) {
		own(arena) struct arena *a = arena_new();
		struct ir *ir = flooded_servers(a);
		struct nft_ruleset rs;
		struct err why = { 0 };

		if (nft_lower(&rs, ir, a, &why) || !damage_answer(&rs.inet, &at))
			break;
		done++;
		if (nft_audit(audit_layer4, ir, &rs.inet, &why))
			seen++;
		else
			tap_note("place %zu is not noticed", at);
	}
	tap_ok(done > 20 && seen == done, "each damage to these chains is noticed: %zu of %zu", seen, done);
}

static void cookies_are_proved(void)
{
	struct nft_audited n = { 0 };
	size_t answered = 0;

	for (unsigned seed = 1; seed <= 60; seed++) {
		own(arena) struct arena *a = arena_new();
		struct ir *ir = answering_policy(seed, a);

		answered += ir->cookies.count != 0;
		nft_audit_sound(&n, "cookies", seed, ir, a);
	}
	tap_num((int64_t)n.refused, 0, "chains that answer SYNs for servers are proved");
	tap_ok(answered > 30, "%zu policies have some", answered);
	damages_to_answers_are_noticed();
}

int main(void)
{
	cookies_are_proved();
	return tap_done();
}
