/* Layers 1 to 3 at the ingress hook, where there is no XDP. */
#include "compiler/emit/nft/layers.h"

#include <string.h>

#include "compiler/emit/nft/nft.h"
#include "compiler/emit/nft/bulk/bulk.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"
#include "lang/vocab/cause.h"

enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_IP6 = 0x86dd };

/* The chain of postures that let frames of the same causes go on. */
struct sound {
	struct nft_maker *mk;
	struct nft_chain *chain;
	uint32_t passes; /* bit per enum cause */
};

static void put_cause(const struct sound *s, struct nft_rule r, enum cause cause)
{
	const bool pass = s->passes >> cause & 1;

	const char *id = arena_printf(s->mk->arena, "%s.%s", pass ? "passed" : "malformed", cause_name(cause));

	nft_count_as(s->mk, &r, id);
	if (pass)
		nft_ends(s->mk, &r, NFT_FATE_ACCEPT);
	else
		nft_drops_told(s->mk, &r, id);
	nft_put_rule(s->mk, s->chain, r, NULL);
}

/* The byte is there: every value is at least 0, and a load beyond the packet ends the rule. */
static void ask_there(struct nft_maker *mk, struct nft_rule *r, enum nft_field f)
{
	nft_ask(mk, r, f, NFT_TEST_GE, 0);
}

/* Packets of `proto` whose header reaches to the byte at `last` are sound. */
static void put_sound(struct nft_maker *mk, struct nft_chain *c, int family, uint16_t proto,
		      enum nft_field last)
{
	struct nft_rule r = { 0 };

	if (family >= 0)
		nft_ask_family(mk, &r, (enum family)family);
	nft_ask(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, proto);
	ask_there(mk, &r, last);
	if (proto == PROTO_TCP)
		nft_ask_masked(mk, &r, NFT_FIELD_TCP_DOFF, 0xf0, NFT_TEST_GE, 0x50);
	nft_ends(mk, &r, NFT_FATE_RETURN);
	nft_put_rule(mk, c, r, NULL);
}

/* Protocols whose headers are not read. */
static void put_unread(struct nft_maker *mk, struct nft_chain *c, enum family f)
{
	static const uint16_t read4[] = { PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_SCTP };
	static const uint16_t read6[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMPV6, PROTO_SCTP };
	struct nft_rule r = { 0 };

	nft_ask_family(mk, &r, f);
	nft_ask_any(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_NOT_IN, f == FAMILY_IP4 ? read4 : read6, 4);
	nft_ends(mk, &r, NFT_FATE_RETURN);
	nft_put_rule(mk, c, r, NULL);
}

/* A first fragment that is not sound. */
static void put_tiny(const struct sound *s, enum family f)
{
	struct nft_maker *mk = s->mk;
	struct nft_rule r = { 0 };

	nft_ask_family(mk, &r, f);
	ask_there(mk, &r, NFT_FIELD_L4PROTO);
	if (f == FAMILY_IP4)
		nft_ask_masked(mk, &r, NFT_FIELD_IP_FRAG, 0x2000, NFT_TEST_NE, 0);
	else
		nft_ask_masked(mk, &r, NFT_FIELD_IP6_MORE, 0x0001, NFT_TEST_NE, 0);
	put_cause(s, r, CAUSE_TINY_FRAGMENT);
}

static void put_depth(const struct sound *s)
{
	static const uint16_t tags[] = { 0x8100, 0x88a8 };
	struct nft_rule r = { 0 };

	nft_ask_any(s->mk, &r, NFT_FIELD_PROTOCOL, NFT_TEST_IN, tags, 2);
	put_cause(s, r, CAUSE_VLAN_DEPTH);
}

static void put_not_ip(struct nft_maker *mk, struct nft_chain *c)
{
	static const uint16_t ip[] = { ETHERTYPE_IP4, ETHERTYPE_IP6 };
	struct nft_rule r = { 0 };

	nft_ask_any(mk, &r, NFT_FIELD_PROTOCOL, NFT_TEST_NOT_IN, ip, 2);
	nft_count_as(mk, &r, WHY_NOT_IP);
	nft_ends(mk, &r, NFT_FATE_ACCEPT);
	nft_put_rule(mk, c, r, "ARP and other protocols below IP pass");
}

/* One chain for all postures that let the same go on; most let nothing. */
static const char *sound_name(struct nft_maker *mk, unsigned posture)
{
	const uint32_t passes = mk->ir->postures[posture].passes;
	unsigned first = 0;

	while (mk->ir->postures[first].passes != passes)
		first++;
	return passes ? arena_printf(mk->arena, "sound_%s", mk->ir->postures[first].name) : "sound";
}

/* What is sound returns, commonest first. */
static void put_what_is_sound(struct nft_maker *mk, struct nft_chain *c)
{
	put_sound(mk, c, -1, PROTO_TCP, NFT_FIELD_TH_BYTE_19);
	put_sound(mk, c, -1, PROTO_UDP, NFT_FIELD_TH_BYTE_7);
	put_sound(mk, c, FAMILY_IP4, PROTO_ICMP, NFT_FIELD_TH_BYTE_7);
	put_sound(mk, c, FAMILY_IP6, PROTO_ICMPV6, NFT_FIELD_TH_BYTE_7);
	put_sound(mk, c, -1, PROTO_SCTP, NFT_FIELD_TH_BYTE_11);
	put_unread(mk, c, FAMILY_IP4);
	put_unread(mk, c, FAMILY_IP6);
}

/* A whole IP header that is not one. */
static void put_bad_ip(const struct sound *s, enum family f)
{
	struct nft_rule r = { 0 };

	nft_ask_family(s->mk, &r, f);
	ask_there(s->mk, &r, f == FAMILY_IP4 ? NFT_FIELD_IP_LAST : NFT_FIELD_IP6_LAST);
	put_cause(s, r, CAUSE_BAD_IP);
}

/* What is left is named by how far it can be read. */
static void put_what_is_left(const struct sound *s)
{
	struct nft_rule bad_tcp = { 0 }, short_l4 = { 0 }, short_ip = { 0 };

	nft_ask(s->mk, &bad_tcp, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_TCP);
	ask_there(s->mk, &bad_tcp, NFT_FIELD_TH_BYTE_19);
	put_cause(s, bad_tcp, CAUSE_BAD_TCP);
	put_tiny(s, FAMILY_IP4);
	put_tiny(s, FAMILY_IP6);
	ask_there(s->mk, &short_l4, NFT_FIELD_L4PROTO);
	put_cause(s, short_l4, CAUSE_SHORT_L4);
	put_bad_ip(s, FAMILY_IP4);
	put_bad_ip(s, FAMILY_IP6);
	put_cause(s, short_ip, CAUSE_SHORT_IP);
}

static bool has_chain(const struct nft_table *t, const char *name)
{
	for (size_t i = 0; i < t->chains.len; i++)
		if (!strcmp(t->chains.at[i]->name, name))
			return true;
	return false;
}

/*
 * The kernel reads the IP header before the chain (nft_set_pktinfo_ipv4_validate()
 * and its sister); where it contradicts itself or the packet, there is no
 * `meta l4proto`, and a rule that asks for it does not hold.
 */
static const char *sound_chain_at(struct nft_maker *mk, unsigned posture)
{
	const char *name = sound_name(mk, posture);
	const char *full = arena_printf(mk->arena, "%c_%s", BATCH_BANK, name);

	if (has_chain(mk->table, full))
		return full;
	struct nft_chain *c = nft_chain_new(mk, name, "drops packets whose headers cannot be read, by cause");
	const struct sound s = { mk, c, mk->ir->postures[posture].passes };
	put_depth(&s);
	put_not_ip(mk, c);
	put_what_is_sound(mk, c);
	put_what_is_left(&s);
	return full;
}

/* Of a source under a runtime block. */
#define BLOCKED_BITS(f) ((f) == FAMILY_IP4 ? TEG_BLOCK_BITS4 : TEG_BLOCK_BITS6)

static const struct nft_set *blocked_set(struct nft_maker *mk, enum family f)
{
	return nft_dynamic_set_at(mk, f == FAMILY_IP4 ? NFT_BLOCKED4 : NFT_BLOCKED6, f,
				  NFT_BLOCKED_MOST, 0);
}

static void ask_source(struct nft_maker *mk, struct nft_rule *r, enum family f, unsigned bits,
		       enum nft_test t, const struct nft_set *s)
{
	struct nft_match m = { .field = nft_source_field(f), .test = t, .set = s };

	m.masked = bits < FAMILY_BITS(f);
	m.mask = m.masked ? nft_leading_bits(f, bits) : 0;
	nft_push_match(mk, r, m);
}

static void put_blocked(struct nft_maker *mk, struct nft_chain *c)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct nft_rule r = { 0 };

		nft_ask_family(mk, &r, (enum family)f);
		ask_source(mk, &r, (enum family)f, BLOCKED_BITS(f), NFT_TEST_IN,
			   blocked_set(mk, (enum family)f));
		nft_count_as(mk, &r, WHY_BLOCKED);
		nft_drops_told(mk, &r, WHY_BLOCKED);
		nft_put_rule(mk, c, r,
			     f ? NULL : "sources that a reflex or a person has blocked for a time");
	}
}

/* Networks have sets from the beginning, and rules while some are blocked: tegd puts one in for each length of theirs. */
static const char *nets_chain(struct nft_maker *mk)
{
	if (!nft_chain_named(mk, "nets")) {
		nft_chain_new(mk, "nets", "networks that a person has blocked for a time: tegd puts in a rule for each length of theirs");
		nft_dynamic_set_at(mk, NFT_NETS4, FAMILY_IP4, NFT_BLOCKED_MOST, 0);
		nft_dynamic_set_at(mk, NFT_NETS6, FAMILY_IP6, NFT_BLOCKED_MOST, 0);
		nft_dynamic_set_at(mk, NFT_NETS_LENGTHS, FAMILY_IP4, NFT_NETS_LENGTHS_MOST, 0);
	}
	return NFT_NETS;
}

static void put_nets(struct nft_maker *mk, struct nft_chain *c)
{
	struct nft_rule r = { 0 };

	nft_ends_in(mk, &r, NFT_FATE_JUMP, nets_chain(mk));
	nft_put_rule(mk, c, r, NULL);
}

static void put_feed(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *feed)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct nft_rule r = { 0 };

		nft_ask_family(mk, &r, (enum family)f);
		ask_source(mk, &r, (enum family)f, FAMILY_BITS((enum family)f), NFT_TEST_IN,
			   nft_filled_set_at(mk, nft_feed_set(mk->arena, feed->feed->name, (enum family)f), (enum family)f));
		nft_count_as(mk, &r, feed->id);
		nft_drops_told(mk, &r, feed->id);
		nft_put_rule(mk, c, r, f ? NULL : arena_printf(mk->arena, "who is on the feed %s", feed->feed->name));
	}
}

/* Runtime blocks, feeds, and then the policy's own. */
static int put_blocks(struct nft_maker *mk, const struct nft_site *site)
{
	put_blocked(mk, site->chain);
	put_nets(mk, site->chain);
	for (size_t i = 0; i < mk->ir->feeds.count; i++)
		put_feed(mk, site->chain, &mk->ir->feeds.rules[i]);
	return nft_lower_list(mk, site, &mk->ir->blocks);
}

static int lower_arrival(struct nft_maker *mk)
{
	struct nft_site site = { nft_chain_new(mk, "arrival", "before every posture's reflexes"),
				 NFT_FIELD_IIFNAME, FRAGMENT_EARLY };

	if (nft_lower_lifelines(mk, &site, DIRECTION_IN))
		return mk->why->code;
	nft_put_neighbour(mk, site.chain);
	return put_blocks(mk, &site);
}

/* The same for later fragments. */
static int lower_late(struct nft_maker *mk)
{
	struct nft_site site = { nft_chain_new(mk, "late", "the same for later fragments"),
				 NFT_FIELD_IIFNAME, FRAGMENT_LATER };

	if (nft_lower_lifelines(mk, &site, DIRECTION_IN))
		return mk->why->code;
	return put_blocks(mk, &site);
}

/* --- reflexes -------------------------------------------------------------------- */

static const char *block_chain_name(struct nft_maker *mk, uint64_t block_ns)
{
	return arena_printf(mk->arena, "block.%llu", (unsigned long long)nft_ms_of(block_ns));
}

/* Puts the source into the set and drops. A full set must not let the packet pass: two rules. */
const char *nft_block_chain(struct nft_maker *mk, uint64_t block_ns)
{
	const char *name = block_chain_name(mk, block_ns), *full = nft_chain_named(mk, name);

	if (full)
		return full;

	struct nft_chain *c = nft_chain_new(mk, name, "blocks the source for a time");
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct nft_key source = nft_leading_key(nft_source_field((enum family)f), (enum family)f, BLOCKED_BITS(f));
		struct nft_place p = { .set = blocked_set(mk, (enum family)f),
				       .keys = arena_copy(mk->arena, &source, sizeof source), .count = 1,
				       .timeout_ms = nft_ms_of(block_ns) };
		struct nft_rule r = { 0 };

		nft_ask_family(mk, &r, (enum family)f);
		nft_push(mk, &r, (struct nft_expr){ .kind = NFT_EXPR_PLACE, .place = p });
		nft_put_rule(mk, c, r, NULL);
	}
	struct nft_rule drop = { 0 };
	nft_ends(mk, &drop, NFT_FATE_DROP);
	nft_put_rule(mk, c, drop, NULL);
	return c->name;
}

static void ends_in_strike(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *reflex)
{
	nft_ends_told(mk, r, reflex, true);
}

static void meter_strikes(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *reflex, bool known)
{
	nft_count_as(mk, r, reflex->id);
	nft_ends_told(mk, r, reflex, known);
}

/* Whose chain counts. */
static void watch_strikes(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *watch, bool known)
{
	(void)known;
	nft_ends_in(mk, r, NFT_FATE_GOTO, nft_watch_chain(mk, watch));
}

/* "rate.ID" or "see.ID" for what comes whole, "late.ID" for later fragments. */
static const char *boxes_chain_name(struct nft_maker *mk, const struct ir_rule *reflex,
				    uint8_t fragments)
{
	const char *kind = fragments == FRAGMENT_LATER ? "late" : reflex->rate ? "rate" : "see";

	return nft_name(mk->arena, arena_printf(mk->arena, "%s.%s", kind, reflex->id));
}

static bool rule_sees(const struct ir_rule *r, uint8_t fragments)
{
	for (size_t i = 0; i < r->box_count; i++)
		if (r->boxes[i].fragments & fragments)
			return true;
	return false;
}

static int put_boxes(struct nft_maker *mk, const struct ir_rule *reflex, uint8_t fragments, const char *to)
{
	struct nft_chain *boxes =
		nft_chain_new(mk, boxes_chain_name(mk, reflex, fragments),
			      arena_printf(mk->arena, "%s: what it %s", reflex->id, reflex->rate ? "counts" : "sees"));
	struct nft_site site = { boxes, NFT_FIELD_IIFNAME, fragments };
	struct nft_spread s = { .mk = mk, .a = mk->arena, .site = &site, .rule = reflex, .put = nft_hand_over, .to = to };

	return nft_spread(&s);
}

static const char *over_chain(struct nft_maker *mk, const struct ir_rule *reflex, nft_strikes strikes)
{
	struct nft_chain *over = nft_chain_new(mk, nft_name(mk->arena, arena_printf(mk->arena, "over.%s", reflex->id)),
					       arena_printf(mk->arena, "%s: what is over its rate", reflex->id));

	nft_put_meters(mk, over, reflex, strikes);
	return over->name;
}

/*
 * A packet that lies in two boxes counts once: the boxes stand in a chain of
 * their own and `goto` the meter, so that what is not over returns behind them.
 *
 *     @_epiderme_P ── jump ──► @_rate.R: box 1 ── goto ──┐
 *          ▲                             box 2 ── goto ──┼──► @_over.R: meters
 *          └──────────────────── not over ───────────────┴───────┘
 *
 * So do those of a reflex that only tells, and all of it comes back.
 */
static int put_apart(struct nft_maker *mk, const struct ir_rule *reflex, bool watches)
{
	const nft_strikes strikes = watches ? watch_strikes : meter_strikes;
	const char *late = reflex->rate ? over_chain(mk, reflex, strikes) : nft_watch_chain(mk, reflex), *early = late;

	if (reflex->rate && reflex->rate->key == RATE_PER_FLOW)
		early = nft_flow_chain(mk, reflex, late, strikes);
	if (rule_sees(reflex, FRAGMENT_EARLY) && put_boxes(mk, reflex, FRAGMENT_EARLY, early))
		return mk->why->code;
	return rule_sees(reflex, FRAGMENT_LATER) ? put_boxes(mk, reflex, FRAGMENT_LATER, late) : 0;
}

static int lower_apart(struct nft_maker *mk)
{
	for (size_t i = 0; i < mk->ir->reflexes.count; i++)
		if (mk->ir->reflexes.rules[i].rate && put_apart(mk, &mk->ir->reflexes.rules[i], false))
			return mk->why->code;
	for (size_t i = 0; i < mk->ir->watches.count; i++)
		if (put_apart(mk, &mk->ir->watches.rules[i], true))
			return mk->why->code;
	return 0;
}

static void jump_apart(struct nft_maker *mk, const struct nft_site *site, const struct ir_rule *reflex)
{
	const char *name = boxes_chain_name(mk, reflex, site->fragments);
	struct nft_rule jump = { 0 };

	nft_ends_in(mk, &jump, NFT_FATE_JUMP, arena_printf(mk->arena, "%c_%s", BATCH_BANK, name));
	nft_put_rule(mk, site->chain, jump, reflex->label);
}

/* Later fragments. Of one that begins with an extension header the kernel names no protocol
 * (ipv6_find_hdr() of net/ipv6/exthdrs_core.c), though nothing is wrong with it: not asked. */
static void put_later(struct nft_maker *mk, struct nft_chain *c, enum family f, const char *to)
{
	struct nft_rule r = { 0 };

	nft_ask_family(mk, &r, f);
	if (f == FAMILY_IP4) {
		nft_ask_masked(mk, &r, NFT_FIELD_IP_FRAG, 0x1fff, NFT_TEST_NE, 0);
		ask_there(mk, &r, NFT_FIELD_L4PROTO);
	} else {
		nft_ask_masked(mk, &r, NFT_FIELD_IP6_FRAG, 0xfff8, NFT_TEST_NE, 0);
	}
	nft_ends_in(mk, &r, NFT_FATE_GOTO, to);
	nft_put_rule(mk, c, r, NULL);
}

/* A reflex of this posture that the site can see; its counter is there in any case. */
static bool is_met(struct nft_maker *mk, const struct nft_site *site, const struct ir_rule *r, unsigned posture)
{
	if (r->except & 1ull << posture)
		return false;
	nft_counter_at(mk, r->id);
	return rule_sees(r, site->fragments);
}

/* Those without a rate, whose packets do not come back, stand in bulk: a part of the list, or, with gaps, copies of it. */
struct run {
	const struct ir_rule *at;
	size_t len;
	VEC(struct ir_rule) copies;
};

static void run_add(struct run *run, struct arena *a, const struct ir_rule *r)
{
	if (!run->len) {
		run->at = r;
	} else if (run->copies.len || &run->at[run->len] != r) {
		for (size_t i = run->copies.len; i < run->len; i++)
			vec_push(a, &run->copies, run->at[i]);
		vec_push(a, &run->copies, *r);
		run->at = run->copies.at;
	}
	run->len++;
}

static int end_run(struct nft_maker *mk, const struct nft_site *site, struct run *run)
{
	const size_t len = run->len;

	run->copies.len = run->len = 0;
	return len ? nft_bulk_lower(mk, site, run->at, len, ends_in_strike) : 0;
}

/* What only tells before the reflex of this rank. */
static int lower_watches(struct nft_maker *mk, const struct nft_site *site, struct run *run, unsigned posture, size_t rank)
{
	for (size_t i = 0; i < mk->ir->watches.count; i++) {
		const struct ir_rule *w = &mk->ir->watches.rules[i];

		if (w->rank != rank || !is_met(mk, site, w, posture))
			continue;
		if (end_run(mk, site, run))
			return mk->why->code;
		jump_apart(mk, site, w);
	}
	return 0;
}

static int lower_reflexes(struct nft_maker *mk, const struct nft_site *site, unsigned posture)
{
	own(arena) struct arena *scratch = arena_new();
	struct run run = { 0 };

	for (size_t i = 0; i < mk->ir->reflexes.count; i++) {
		const struct ir_rule *r = &mk->ir->reflexes.rules[i];

		if (lower_watches(mk, site, &run, posture, i))
			return mk->why->code;
		if (!is_met(mk, site, r, posture))
			continue;
		if (!r->rate) {
			run_add(&run, scratch, r);
			continue;
		}
		if (end_run(mk, site, &run))
			return mk->why->code;
		jump_apart(mk, site, r);
	}
	return lower_watches(mk, site, &run, posture, mk->ir->reflexes.count) ? mk->why->code : end_run(mk, site, &run);
}

static int lower_epiderme(struct nft_maker *mk, unsigned posture)
{
	const char *name = mk->ir->postures[posture].name;
	struct nft_site later = {
		nft_chain_new(mk, arena_printf(mk->arena, "later_%s", name),
			      arena_printf(mk->arena,
					   "layers 1 to 3 in posture %s, later fragments", name)),
		NFT_FIELD_IIFNAME, FRAGMENT_LATER
	};
	struct nft_site early = { nft_chain_new(mk, arena_printf(mk->arena, "epiderme_%s", name),
						arena_printf(mk->arena,
							     "layers 1 to 3 in posture %s", name)),
				  NFT_FIELD_IIFNAME, FRAGMENT_EARLY };

	for (int f = 0; f < FAMILY_COUNT; f++)
		put_later(mk, early.chain, (enum family)f, later.chain->name);
	nft_put_jump(mk, early.chain, sound_chain_at(mk, posture));
	nft_put_jump(mk, early.chain, "@_arrival");
	nft_put_jump(mk, later.chain, "@_late");
	if (lower_reflexes(mk, &early, posture))
		return mk->why->code;
	return lower_reflexes(mk, &later, posture);
}

int nft_lower_netdev(struct nft_maker *mk)
{
	nft_counter_at(mk, WHY_NEIGHBOUR);
	if (lower_arrival(mk) || lower_late(mk) || lower_apart(mk))
		return mk->why->code;
	for (unsigned i = 0; i < mk->ir->posture_count; i++)
		if (lower_epiderme(mk, i))
			return mk->why->code;
	return 0;
}
