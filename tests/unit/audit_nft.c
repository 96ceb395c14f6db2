/*
 * The nft batches of generated policies, read back, are proved to do what was meant; and each of many
 * damages to what is sent is refused.
 */
#include <string.h>

#include "compiler/ir/proto.h"
#include "tests/lib/classbench.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_audit.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

static const char *const names[] = { "LOCKDOWN", "HARDENED", "BALANCED" };

/* What the lowering asks of a policy beside its rules. */
static void give_names(struct ir *ir, struct arena *a)
{
	for (size_t i = 0; i < ir->posture_count; i++)
		ir->postures[i].name = names[i];
	for (size_t z = 0; z < ir->zone_count; z++) {
		ir->zones[z].patterns = arena_zero(a, sizeof *ir->zones[z].patterns);
		ir->zones[z].patterns[0] = arena_printf(a, z % 2 ? "eth%zu" : "br%zu-*", z);
		ir->zones[z].pattern_count = 1;
	}
}

static struct nft_audited audited;

static void generated_policies_are_proved(void)
{
	struct rules g = { .seed = 31, .profile = RULES_SMALL };

	for (unsigned seed = 1; seed <= 200; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen at = gen_new(seed);

		const struct gen_shape *shape = seed % 2 ? &gen_shape_telling : &gen_shape_usual;

		nft_audit_sound(&audited, "seed", seed, ir_for_nft(ir_lower(gen_policy(&at, a, shape), a), a), a);
	}
	for (unsigned i = 0; i < 200; i++) {
		own(arena) struct arena *a = arena_new();

		g.arena = a;
		struct ir *ir = rules_make(&g, 2);
		give_names(ir, a);
		nft_audit_sound(&audited, "random", i, ir, a);
	}
	tap_num((int64_t)audited.refused, 0, "batches as they were made are proved");
	tap_ok(audited.policies > 300, "%zu policies", audited.policies);
}

/* --- damages ------------------------------------------------------------------------------ */

/* To what is sent; each changes what some packet meets, where no other rule had decided it already. */
enum damage {
	CONSTANT, CONTRARY, FIELD, VERDICT, COUNTER, TARGET, RETURNS, LOST, SWAPPED, ELEMENT, RATE, BLOCK, LEAD, KEY, JOINED, BEYOND, DAMAGES
};

static const char *const damage_names[DAMAGES] = {
	"a number that is compared", "a comparison turned round", "another field", "a verdict", "a counter",
	"a chain that is gone to", "a goto that comes back", "a rule that is lost", "two rules that change places", "an element that is lost",
	"a rate", "a block's time", "where two keys of a map lead", "a key that a map has lost",
	"a bit of several fields that are asked as one", "a bit that a mask takes away",
};

static struct nft_chain *some_chain(struct rules *g, struct nft_table *t)
{
	return t->chains.at[rules_below(g, t->chains.len)];
}

static const struct ir *damaged; /* the policy in hand */

/* What drops the malformed, and what only tells, is no part of what is proved. */
static bool is_proved(const struct nft_chain *c)
{
	if (strstr(c->name, "_sound") || strstr(c->name, "_tell.malformed") || strstr(c->name, "_line."))
		return false;
	for (size_t i = 0; i < damaged->watches.count; i++) {
		const char *id = strstr(c->name, damaged->watches.rules[i].id);

		if (id && !strcmp(id, damaged->watches.rules[i].id))
			return false;
	}
	return true;
}

static struct nft_expr *some_expr(struct rules *g, struct nft_table *t, enum nft_expr_kind kind)
{
	for (int tries = 0; tries < 2000; tries++) {
		struct nft_chain *c = some_chain(g, t);
		struct nft_rule *r = c->rules.len ? &c->rules.at[rules_below(g, c->rules.len)] : NULL;

		const size_t i = r && r->exprs.len ? rules_below(g, r->exprs.len) : 0;

		if (r && r->exprs.len && is_proved(c) && r->exprs.at[i].kind == kind)
			return &r->exprs.at[i];
	}
	return NULL;
}

static bool change_match(struct nft_match *m, enum damage d)
{
	if (d == FIELD) {
		if (m->field != NFT_FIELD_SPORT && m->field != NFT_FIELD_IP_SADDR && m->field != NFT_FIELD_IP6_SADDR)
			return false;
		m->field++;
		return true;
	}
	if (d == CONTRARY) {
		const enum nft_test to[] = { [NFT_TEST_EQ] = NFT_TEST_NE, [NFT_TEST_NE] = NFT_TEST_EQ, [NFT_TEST_IN] = NFT_TEST_NOT_IN,
					     [NFT_TEST_NOT_IN] = NFT_TEST_IN, [NFT_TEST_GE] = NFT_TEST_GE, [NFT_TEST_WITHIN] = NFT_TEST_EQ };

		if (m->test == NFT_TEST_GE)
			return false;
		m->test = to[m->test];
		return true;
	}
	if (m->test != NFT_TEST_EQ && m->test != NFT_TEST_WITHIN)
		return false;
	m->lo ^= m->masked ? m->mask & -m->mask : 1;
	return m->lo <= m->hi || m->test == NFT_TEST_EQ;
}

/* Of a load over several fields one bit that is asked, or one more that is not. */
static bool change_joined(struct rules *g, struct nft_match *m, enum damage d)
{
	const struct nft_field_row *row = &nft_fields[m->field];
	const addr_num bit = (addr_num)1 << rules_below(g, 8 * row->bytes);

	if (m->test != NFT_TEST_EQ || row->type != NFT_TYPE_NUMBER || row->bytes < 4)
		return false;
	if (d == BEYOND) /* no packet has it behind the mask: the rule never holds */
		return m->masked && !(m->mask & bit) && (m->lo |= bit);
	if (!m->masked || m->mask & bit)
		m->lo ^= bit;
	else
		m->mask |= bit;
	return true;
}

static bool swap_rules(struct nft_chain *c, size_t at)
{
	if (at + 1 >= c->rules.len)
		return false;
	struct nft_rule r = c->rules.at[at];
	c->rules.at[at] = c->rules.at[at + 1];
	c->rules.at[at + 1] = r;
	return true;
}

static bool lose_element(struct rules *g, struct nft_table *t)
{
	struct nft_expr *e = some_expr(g, t, NFT_EXPR_MATCH);
	struct nft_set *s = e ? (struct nft_set *)e->match.set : NULL;

	return s && !s->dynamic && s->count && s->count--;
}

/* In a map that a rule of a long list asks. */
static bool damage_map(struct rules *g, struct nft_table *t, enum damage d)
{
	struct nft_expr *e = some_expr(g, t, NFT_EXPR_LOOK);
	struct nft_set *s = e ? (struct nft_set *)e->look.map : NULL;

	if (!s || s->count < 2)
		return false;
	if (d == KEY)
		return s->count--;
	struct nft_lead *to = (struct nft_lead *)&s->to[rules_below(g, s->count - 1)], was = *to;
	to[0] = to[1];
	to[1] = was;
	return was.fate != to->fate || strcmp(was.name, to->name);
}

static bool damage_fate(struct rules *g, struct nft_table *t, enum damage d)
{
	struct nft_expr *e = some_expr(g, t, NFT_EXPR_FATE);

	if (!e || (d != VERDICT) != (e->chain != NULL))
		return false;
	if (d == RETURNS) {
		bool box = e->fate == NFT_FATE_GOTO && strstr(e->chain, "_over.");

		e->fate = NFT_FATE_JUMP;
		return box;
	}
	if (d == TARGET) {
		const char *to = some_chain(g, t)->name;

		return strcmp(to, e->chain) && (e->chain = to);
	}
	if (e->fate != NFT_FATE_ACCEPT && e->fate != NFT_FATE_DROP)
		return false;
	e->fate = e->fate == NFT_FATE_ACCEPT ? NFT_FATE_DROP : NFT_FATE_ACCEPT;
	return true;
}

static bool damage_table(struct rules *g, struct nft_table *t, enum damage d)
{
	struct nft_chain *c = some_chain(g, t);
	struct nft_expr *e;

	switch (d) {
	case CONSTANT:
	case CONTRARY:
	case FIELD:
		e = some_expr(g, t, NFT_EXPR_MATCH);
		return e && change_match(&e->match, d);
	case JOINED:
	case BEYOND:
		for (int tries = 0; tries < 20; tries++)
			if ((e = some_expr(g, t, NFT_EXPR_MATCH)) && change_joined(g, &e->match, d))
				return true;
		return false;
	case VERDICT:
	case TARGET:
	case RETURNS:
		return damage_fate(g, t, d);
	case COUNTER:
		e = some_expr(g, t, NFT_EXPR_COUNTER);
		return e && strcmp(e->counter, t->counters.at[0]) && (e->counter = t->counters.at[0]);
	case LOST:
		return is_proved(c) && nft_lose_rule(c, rules_below(g, c->rules.len + 1));
	case SWAPPED:
		return is_proved(c) && swap_rules(c, rules_below(g, c->rules.len + 1));
	case ELEMENT:
		return lose_element(g, t);
	case RATE:
		e = some_expr(g, t, NFT_EXPR_PLACE);
		return e && e->place.limited && ++e->place.limit.burst;
	case BLOCK:
		e = some_expr(g, t, NFT_EXPR_PLACE);
		return e && !e->place.limited && ++e->place.timeout_ms;
	case LEAD:
	case KEY:
		return damage_map(g, t, d);
	case DAMAGES:
		break;
	}
	return false;
}

static size_t harmed[DAMAGES], noticed[DAMAGES];

static void damage_one(struct rules *g, const struct ir *ir, enum damage d, bool netdev)
{
	own(arena) struct arena *a = arena_new();
	struct nft_ruleset rs;
	struct nft_table *t = netdev ? &rs.netdev : &rs.inet;
	struct err why = { 0 };

	damaged = ir;
	if (nft_lower(&rs, ir, a, &why) || !damage_table(g, t, d))
		return;
	harmed[d]++;
	noticed[d] += nft_audit(netdev ? audit_nft_epiderme : audit_layer4, ir, t, &why) != 0;
}

/*
 * How many of a hundred matter, at least: others hide behind rules that decide before them, are made up
 * for behind, or are in the family that a meter never sees.
 */
static const unsigned at_least[DAMAGES] = { 70, 80, 60, 80, 75, 60, 3, 70, 10, 60, 40, 40, 70, 70, 70, 70 };

/* A list that stands in trees and maps. */
static struct ir *long_list(struct rules *g, struct arena *a)
{
	g->arena = a;
	struct ir *ir = rules_make(g, 300);
	give_names(ir, a);
	return ir;
}

static void damages_to_trees(void)
{
	static const enum damage some[] = { CONSTANT, VERDICT, COUNTER, TARGET, LOST, LEAD, KEY, JOINED, BEYOND };

	for (unsigned seed = 1; seed <= 12; seed++) {
		struct rules g = { .seed = seed, .profile = RULES_ACL + seed % 3, .v6 = seed % 2 ? 0.3 : 0 };
		own(arena) struct arena *a = arena_new();
		const struct ir *ir = long_list(&g, a);

		for (size_t d = 0; d < sizeof some / sizeof *some; d++)
			for (int i = 0; i < (some[d] == LEAD || some[d] == KEY || some[d] >= JOINED ? 6 : 1); i++)
				damage_one(&g, ir, some[d], false);
	}
}

static bool has_look(const struct nft_table *t)
{
	for (size_t c = 0; c < t->chains.len; c++)
		for (size_t r = 0; r < t->chains.at[c]->rules.len; r++)
			for (size_t e = 0; e < t->chains.at[c]->rules.at[r].exprs.len; e++)
				if (t->chains.at[c]->rules.at[r].exprs.at[e].kind == NFT_EXPR_LOOK)
					return true;
	return false;
}

static void long_lists_are_proved(void)
{
	const size_t before = audited.refused;
	size_t maps = 0;

	for (unsigned seed = 1; seed <= 12; seed++) {
		struct rules g = { .seed = seed, .profile = RULES_ACL + seed % 3, .v6 = seed % 2 ? 0.3 : 0 };
		own(arena) struct arena *a = arena_new();
		struct ir *ir = long_list(&g, a);
		struct nft_ruleset rs;
		struct err why = { 0 };

		damaged = ir;
		nft_audit_sound(&audited, "list", seed, ir, a);
		if (!nft_lower(&rs, ir, a, &why))
			maps += has_look(&rs.inet);
	}
	tap_num((int64_t)(audited.refused - before), 0, "lists of 300 rules are proved");
	tap_num((int64_t)maps, 12, "in each stand maps");
}

/* Maps by several parts of which some are cut, and those behind a range of ports. */
static void count_maps(const struct nft_table *t, size_t *cut, size_t *behind)
{
	for (size_t c = 0; c < t->chains.len; c++)
		for (size_t r = 0; r < t->chains.at[c]->rules.len; r++) {
			const struct nft_rule *rule = &t->chains.at[c]->rules.at[r];
			bool range = false;

			for (size_t e = 0; e < rule->exprs.len; e++) {
				const struct nft_expr *x = &rule->exprs.at[e];

				range |= x->kind == NFT_EXPR_MATCH && x->match.test == NFT_TEST_WITHIN &&
					 (x->match.field == NFT_FIELD_SPORT || x->match.field == NFT_FIELD_DPORT);
				if (x->kind != NFT_EXPR_LOOK || x->look.count < 2)
					continue;
				*cut += x->look.keys[0].masked || x->look.keys[1].masked;
				*behind += range;
			}
		}
}

/* Networks of neighbouring lengths, half of them with a range of ports, some of which meet. */
static struct ir *alike_list(struct rules *g, struct arena *a)
{
	enum { RULES = 1200 };
	struct classbench_rule *rules = arena_zero(a, RULES * sizeof *rules);

	for (size_t i = 0; i < RULES; i++) {
		const unsigned src = 27 + (unsigned)rules_below(g, 4), dst = 29 + (unsigned)rules_below(g, 4);
		const addr_num from = 0x0a000000 + (rules_below(g, 200) << 5), to = 0xc0a80000 + (rules_below(g, 300) << 3);
		const uint16_t port = (uint16_t)(1 + rules_below(g, 3));

		rules[i] = (struct classbench_rule){
			{ { FAMILY_IP4, from }, src }, { { FAMILY_IP4, to }, dst }, { 0, UINT16_MAX },
			i % 2 ? (struct range){ 1024, UINT16_MAX } : (struct range){ port, port }, rules_below(g, 3) ? PROTO_TCP : PROTO_UDP };
	}
	return classbench_posture(rules, RULES, a);
}

static void lists_of_groups_are_proved(void)
{
	const size_t before = audited.refused;
	size_t cut = 0, behind = 0;

	for (unsigned seed = 1; seed <= 3; seed++) {
		struct rules g = { .seed = seed };
		own(arena) struct arena *a = arena_new();
		struct ir *ir = alike_list(&g, a);
		struct nft_ruleset rs;
		struct err why = { 0 };

		nft_audit_sound(&audited, "list of groups", seed, ir, a);
		if (!nft_lower(&rs, ir, a, &why))
			count_maps(&rs.inet, &cut, &behind);
	}
	tap_num((int64_t)(audited.refused - before), 0, "lists of 1,200 rules, much alike, are proved");
	tap_ok(cut >= 3, "%zu maps of networks of several lengths", cut);
	tap_ok(behind >= 3, "%zu maps behind a range of ports", behind);
}

/* What few policies have, or few damages matter to, is tried so often more that its share is no chance. */
static unsigned again(enum damage d)
{
	return d == RETURNS ? 60 : d == RATE || d == BLOCK ? 10 : 0;
}

static void damages_are_noticed(void)
{
	struct rules g = { .seed = 77, .profile = RULES_SMALL };

	for (unsigned seed = 1; seed <= 150; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen at = gen_new(seed);
		const struct ir *ir = ir_for_nft(ir_lower(gen_policy(&at, a, &gen_shape_usual), a), a);

		for (int d = 0; d < DAMAGES; d++) {
			for (unsigned i = 0; i < again((enum damage)d); i++)
				damage_one(&g, ir, (enum damage)d, true);
			damage_one(&g, ir, (enum damage)d, false);
			damage_one(&g, ir, (enum damage)d, true);
		}
	}
	damages_to_trees();
	for (int d = 0; d < DAMAGES; d++)
		tap_ok(harmed[d] > 5 && noticed[d] * 100 >= harmed[d] * at_least[d], "%s: noticed %zu of %zu times",
		       damage_names[d], noticed[d], harmed[d]);
}

/* --- what only tells ---------------------------------------------------------------------------- */

static bool is_tell(const struct nft_rule *r)
{
	return r->exprs.len == 1 && r->exprs.at[0].kind == NFT_EXPR_TELL && !strstr(r->exprs.at[0].tell.prefix, "malformed");
}

static const struct nft_expr more[] = {
	{ .kind = NFT_EXPR_FATE, .fate = NFT_FATE_ACCEPT },
	{ .kind = NFT_EXPR_FATE, .fate = NFT_FATE_DROP },
	{ .kind = NFT_EXPR_COUNTER, .counter = "neighbour" },
};

struct doing_more {
	const struct ir *ir;
	unsigned rules, seen;
};

static void tells_and_more(struct doing_more *k, struct nft_table *t, auditor *proof)
{
	struct err why;

	for (size_t c = 0; c < t->chains.len; c++)
		for (size_t i = 0; i < t->chains.at[c]->rules.len; i++) {
			struct nft_rule *r = &t->chains.at[c]->rules.at[i];

			if (!is_tell(r))
				continue;
			vec_push(t->arena, &r->exprs, more[k->rules % ARRAY_LEN(more)]);
			k->rules++;
			k->seen += nft_audit(proof, k->ir, t, &why) != 0;
			r->exprs.len--;
		}
}

/* A rule that tells is left out of the proof; one that does anything else besides is not, but some no packet reaches. */
static void telling_is_all_that_it_does(void)
{
	struct doing_more layer4 = { 0 }, arrival = { 0 };

	for (unsigned seed = 1; seed <= 20; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen at = gen_new(seed);
		const struct ir *ir = ir_for_nft(ir_lower(gen_policy(&at, a, &gen_shape_telling), a), a);
		struct nft_ruleset rs;
		struct err why = { 0 };

		if (nft_lower(&rs, ir, a, &why))
			continue;
		layer4.ir = arrival.ir = ir;
		tells_and_more(&layer4, &rs.inet, audit_layer4);
		tells_and_more(&arrival, &rs.netdev, audit_nft_epiderme);
	}
	tap_ok(layer4.rules > 20 && layer4.seen * 100 >= layer4.rules * 90, "%u rules of layer 4 that tell: one that does more is noticed %u times",
	       layer4.rules, layer4.seen);
	tap_ok(arrival.rules > 20 && arrival.seen * 100 >= arrival.rules * 60, "%u of arrivals: %u times", arrival.rules, arrival.seen);
}

int main(void)
{
	telling_is_all_that_it_does();
	generated_policies_are_proved();
	long_lists_are_proved();
	lists_of_groups_are_proved();
	damages_are_noticed();
	return tap_done();
}
