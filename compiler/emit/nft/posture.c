/* Layer 4: the preamble and the postures, with connection tracking. */
#include "compiler/emit/nft/layers.h"

#include <string.h>

#include "compiler/emit/nft/bulk/bulk.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"

enum { DIRECTION_REPLY = 1 }; /* IP_CT_DIR_REPLY */

static enum nft_field interface_of(enum direction d)
{
	return d == DIRECTION_OUT ? NFT_FIELD_OIFNAME : NFT_FIELD_IIFNAME;
}

const char *nft_remark_once(const struct nft_spread *s)
{
	return s->made ? NULL : s->remark;
}

static void ends_as_said(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule)
{
	nft_log(mk, r, rule);
	nft_ends_told(mk, r, rule, true);
}

static void put_as_said(struct nft_spread *s, struct nft_rule r)
{
	nft_count_as(s->mk, &r, s->rule->id);
	ends_as_said(s->mk, &r, s->rule);
	nft_put_rule(s->mk, s->site->chain, r, nft_remark_once(s));
}

static int lower_rule(struct nft_maker *mk, const struct nft_site *site, const struct ir_rule *rule,
		      const char *remark)
{
	struct nft_spread s = { .mk = mk, .a = mk->arena, .site = site, .rule = rule, .remark = remark, .put = put_as_said };

	nft_counter_at(mk, rule->id); /* a rule without boxes is counted too: never */
	return nft_spread(&s);
}

static void limit_strikes(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *limit, bool known)
{
	(void)known;
	nft_count_as(mk, r, limit->id);
	nft_ends(mk, r, NFT_FATE_DROP);
}

/*
 * A new flow that lies in two boxes counts once, as in epiderme.c: the boxes
 * `goto` the meter, and what is within the limit returns to the rule behind.
 */
static int lower_limit(struct nft_maker *mk, const struct nft_site *site, const struct ir_rule *limit)
{
	const char *over_name = nft_name(mk->arena, arena_printf(mk->arena, "over.%s", limit->id));
	const char *boxes_name = nft_name(mk->arena, arena_printf(mk->arena, "rate.%s", limit->id));
	struct nft_chain *over = nft_chain_new(mk, over_name, arena_printf(mk->arena, "%s: what is over it", limit->id));
	struct nft_chain *boxes = nft_chain_new(mk, boxes_name, arena_printf(mk->arena, "%s: what it counts", limit->id));
	struct nft_site counted = { boxes, site->interface, site->fragments };
	struct nft_spread s = { .mk = mk, .a = mk->arena, .site = &counted, .rule = limit, .put = nft_hand_over, .to = over->name };
	struct nft_rule jump = { 0 };

	nft_counter_at(mk, limit->id);
	nft_put_meters(mk, over, limit, limit_strikes);
	if (nft_spread(&s))
		return mk->why->code;
	nft_ask_masked(mk, &jump, NFT_FIELD_CT_STATE, CT_BIT_NEW | CT_BIT_UNTRACKED, NFT_TEST_NE, 0);
	nft_ends_in(mk, &jump, NFT_FATE_JUMP, arena_printf(mk->arena, "%c_%s", BATCH_BANK, boxes_name));
	nft_put_rule(mk, site->chain, jump, limit->label);
	return 0;
}

/* Between limits, which a packet may come back from, rules stand in bulk. */
int nft_lower_list(struct nft_maker *mk, const struct nft_site *site, const struct ir_list *list)
{
	for (size_t i = 0, to; i < list->count; i = to) {
		for (to = i; to < list->count && !ir_rule_is_limit(&list->rules[to]);)
			to++;
		if (to > i && nft_bulk_lower(mk, site, &list->rules[i], to - i, ends_as_said))
			return mk->why->code;
		if (to < list->count && lower_limit(mk, site, &list->rules[to++]))
			return mk->why->code;
	}
	return 0;
}

static void put_reject_chain(struct nft_maker *mk)
{
	struct nft_chain *c = nft_chain_new(mk, "reject", "tells the sender");
	struct nft_rule tcp = { 0 }, other = { 0 };

	nft_ask(mk, &tcp, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_TCP);
	nft_push(mk, &tcp,
		 (struct nft_expr){ .kind = NFT_EXPR_REJECT, .reject = NFT_REJECT_WITH_RESET });
	nft_put_rule(mk, c, tcp, NULL);
	nft_push(mk, &other,
		 (struct nft_expr){ .kind = NFT_EXPR_REJECT, .reject = NFT_REJECT_WITH_ICMP });
	nft_put_rule(mk, c, other, NULL);
}

static void put_listener(struct nft_maker *mk, struct nft_chain *c, const uint16_t *types, size_t count,
			 struct nft_match source)
{
	struct nft_rule r = { 0 };

	nft_ask_family(mk, &r, FAMILY_IP6);
	nft_ask(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_ICMPV6);
	nft_push_match(mk, &r, source);
	nft_ask_any(mk, &r, NFT_FIELD_ICMPV6_TYPE, NFT_TEST_IN, types, count);
	nft_ask(mk, &r, NFT_FIELD_IP6_HOPS, NFT_TEST_EQ, 1);
	nft_count_as(mk, &r, WHY_NEIGHBOUR);
	nft_ends(mk, &r, NFT_FATE_ACCEPT);
	nft_put_rule(mk, c, r, NULL);
}

/* RFC 2710 and 3810: multicast listeners speak from a link-local address; RFC 3590: and report from ::
 * while they have none. */
static void put_listeners(struct nft_maker *mk, struct nft_chain *c)
{
	static const uint16_t all[] = { 130, 131, 132, 143 }, reports[] = { 131, 143 };
	const addr_num prefix = (addr_num)0xfe80 << 112, mask = (addr_num)0xffc0 << 112;
	const struct nft_match local = { .field = NFT_FIELD_IP6_SADDR, .test = NFT_TEST_EQ, .masked = true,
					 .mask = mask, .lo = prefix, .hi = prefix };
	const struct nft_match none = { .field = NFT_FIELD_IP6_SADDR, .test = NFT_TEST_EQ };

	put_listener(mk, c, all, sizeof all / sizeof *all, local);
	put_listener(mk, c, reports, sizeof reports / sizeof *reports, none);
}

/* RFC 4861: neighbour discovery, only from the link itself. */
void nft_put_neighbour(struct nft_maker *mk, struct nft_chain *c)
{
	struct addr_range discovery = { 133, 136 };
	struct nft_rule nd = { 0 };

	nft_ask_family(mk, &nd, FAMILY_IP6);
	nft_ask(mk, &nd, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_ICMPV6);
	nft_ask_ranges(mk, &nd, NFT_FIELD_ICMPV6_TYPE,
		       arena_copy(mk->arena, &discovery, sizeof discovery), 1);
	nft_ask(mk, &nd, NFT_FIELD_ICMPV6_CODE, NFT_TEST_EQ, 0);
	nft_ask(mk, &nd, NFT_FIELD_IP6_HOPS, NFT_TEST_EQ, 255);
	nft_count_as(mk, &nd, WHY_NEIGHBOUR);
	nft_ends(mk, &nd, NFT_FATE_ACCEPT);
	nft_put_rule(mk, c, nd, "neighbour discovery and multicast listeners always pass");

	put_listeners(mk, c);
}

static void put_loopback(struct nft_maker *mk, const struct nft_site *site)
{
	struct nft_rule r = { 0 };

	nft_ask_name(mk, &r, site->interface, NFT_TEST_EQ, nft_names_of("lo"));
	nft_ends(mk, &r, NFT_FATE_ACCEPT);
	nft_put_rule(mk, site->chain, r, "loopback is not judged");
}

static void put_invalid(struct nft_maker *mk, struct nft_chain *c)
{
	struct nft_rule r = { 0 };

	nft_ask_masked(mk, &r, NFT_FIELD_CT_STATE, CT_BIT_INVALID, NFT_TEST_NE, 0);
	nft_count_as(mk, &r, WHY_INVALID);
	nft_ends(mk, &r, NFT_FATE_DROP);
	nft_put_rule(mk, c, r, "what belongs to no flow and begins none");
}

static struct ir_rule reply_rule(struct nft_maker *mk, const struct ir_rule *rule)
{
	struct ir_rule reply = *rule;

	reply.boxes = arena_zero(mk->arena, (rule->box_count + 1) * sizeof *reply.boxes);
	for (size_t i = 0; i < rule->box_count; i++)
		reply.boxes[i] = ir_box_reply(&rule->boxes[i]);
	return reply;
}

int nft_lower_lifelines(struct nft_maker *mk, const struct nft_site *site, enum direction d)
{
	for (size_t i = 0; i < mk->ir->lifelines.count; i++) {
		const struct ir_rule *line = &mk->ir->lifelines.rules[i];
		struct ir_rule rule = d == DIRECTION_OUT ? reply_rule(mk, line) : *line;
		const char *remark = arena_printf(
			mk->arena, d == DIRECTION_OUT ? "%s, its answers" : "%s", line->id);

		if (lower_rule(mk, site, &rule, remark))
			return mk->why->code;
	}
	return 0;
}

static int lower_preamble(struct nft_maker *mk, enum direction d)
{
	const char *name = arena_printf(mk->arena, "pre_%s", direction_name(d));
	struct nft_site site = { nft_chain_new(mk, name, "before every posture"), interface_of(d),
				 FRAGMENT_EARLY };

	if (d != DIRECTION_FORWARD) {
		put_loopback(mk, &site);
		if (nft_lower_lifelines(mk, &site, d))
			return mk->why->code;
		nft_put_neighbour(mk, site.chain);
	}
	if (d == DIRECTION_OUT)
		nft_put_answers(mk, site.chain);
	put_invalid(mk, site.chain);
	return 0;
}

/* Packets of a flow that the kernel knows: in state `bit`, only answers when `reply`. */
static void put_flow(struct nft_maker *mk, struct nft_chain *c, unsigned bit, const char *why,
		     bool reply)
{
	struct nft_rule r = { 0 };

	nft_ask_masked(mk, &r, NFT_FIELD_CT_STATE, bit, NFT_TEST_NE, 0);
	if (reply)
		nft_ask(mk, &r, NFT_FIELD_CT_DIRECTION, NFT_TEST_EQ, DIRECTION_REPLY);
	nft_count_as(mk, &r, why);
	nft_ends(mk, &r, NFT_FATE_ACCEPT);
	nft_put_rule(mk, c, r, NULL);
}

/* A closed posture admits of what it knows only errors, as ICMP reports them (RFC 792, RFC 4443).
 */
static void put_errors(struct nft_maker *mk, struct nft_chain *c)
{
	static const uint16_t errors[] = { 3, 11, 12 }, errors6[] = { 1, 2, 3, 4 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		bool ip4 = f == FAMILY_IP4;
		struct nft_rule r = { 0 };

		nft_ask_masked(mk, &r, NFT_FIELD_CT_STATE, CT_BIT_RELATED, NFT_TEST_NE, 0);
		nft_ask_family(mk, &r, (enum family)f);
		nft_ask(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, ip4 ? PROTO_ICMP : PROTO_ICMPV6);
		nft_ask_any(mk, &r, ip4 ? NFT_FIELD_ICMP_TYPE : NFT_FIELD_ICMPV6_TYPE, NFT_TEST_IN,
			    ip4 ? errors : errors6, ip4 ? 3 : 4);
		nft_count_as(mk, &r, WHY_RELATED);
		nft_ends(mk, &r, NFT_FATE_ACCEPT);
		nft_put_rule(mk, c, r, NULL);
	}
}

static void put_established(struct nft_maker *mk, struct nft_chain *c, const struct ir_posture *p)
{
	if (p->closed) {
		put_errors(mk, c);
		return;
	}
	switch (p->established) {
	case ESTABLISHED_KEEP:
		put_flow(mk, c, CT_BIT_ESTABLISHED, WHY_ESTABLISHED, false);
		break;
	case ESTABLISHED_RECHECK:
	case ESTABLISHED_CUT:
		put_flow(mk, c, CT_BIT_ESTABLISHED, WHY_ESTABLISHED, true);
		break;
	case ESTABLISHED_COUNT:
		break;
	}
	put_flow(mk, c, CT_BIT_RELATED, WHY_RELATED, false);
}

static int lower_posture(struct nft_maker *mk, const struct ir_posture *p)
{
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const char *way = direction_name((enum direction)d);
		const char *remark = arena_printf(mk->arena, "posture %s, %s: established %s",
						  p->name, way, established_name(p->established));
		struct nft_site site = {
			nft_chain_new(mk, arena_printf(mk->arena, "%s_%s", p->name, way), remark),
			interface_of((enum direction)d), FRAGMENT_EARLY
		};

		put_established(mk, site.chain, p);
		if (nft_lower_list(mk, &site, &p->lists[d]))
			return mk->why->code;
	}
	return 0;
}

int nft_lower_inet(struct nft_maker *mk)
{
	nft_counter_at(mk, WHY_NEIGHBOUR);
	nft_counter_at(mk, WHY_INVALID);
	nft_counter_at(mk, WHY_ESTABLISHED);
	nft_counter_at(mk, WHY_RELATED);
	put_reject_chain(mk);
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (lower_preamble(mk, (enum direction)d))
			return mk->why->code;
	for (size_t i = 0; i < mk->ir->posture_count; i++)
		if (lower_posture(mk, &mk->ir->postures[i]))
			return mk->why->code;
	return nft_lower_cookies(mk);
}
