/*
 * meter.c - token buckets in nft: one for each element of a dynamic set, or
 * one for all. In netdev for reflexes, in inet for the limits of rules.
 */
#include "compiler/emit/nft/layers.h"

#include <string.h>

#include "compiler/emit/nft/nft.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"

uint64_t nft_ms_of(uint64_t ns)
{
	return ns / 1000000 + (ns % 1000000 != 0);
}

enum nft_field nft_source_field(enum family f)
{
	return f == FAMILY_IP4 ? NFT_FIELD_IP_SADDR : NFT_FIELD_IP6_SADDR;
}

addr_num nft_leading_bits(enum family f, unsigned bits)
{
	addr_num host = bits < FAMILY_BITS(f) ? family_max(f) >> bits : 0;

	return family_max(f) & ~host;
}

struct nft_key nft_leading_key(enum nft_field address, enum family f, unsigned bits)
{
	const bool masked = bits < FAMILY_BITS(f);

	return (struct nft_key){ address, masked, masked ? nft_leading_bits(f, bits) : 0 };
}

static struct nft_limit limit_of(const struct ir_rate *rate)
{
	return (struct nft_limit){ .rate = rate->rate,
				   .unit_s = rate->unit_s,
				   .burst = (uint32_t)rate->burst,
				   .bytes = rate->bytes };
}

/* What a bucket is for: parts of a key. */
struct counted {
	enum family family;
	struct nft_key keys[NFT_PARTS_MOST];
	unsigned count;
};

static enum nft_field destination_field(enum family f)
{
	return f == FAMILY_IP4 ? NFT_FIELD_IP_DADDR : NFT_FIELD_IP6_DADDR;
}

static struct counted counted_address(const struct ir_rate *rate, enum family f)
{
	const enum nft_field address = rate->key == RATE_PER_DESTINATION ? destination_field(f) : nft_source_field(f);

	return (struct counted){ f, { nft_leading_key(address, f, rate->key_bits[f]) }, 1 };
}

/* The fields of a flow; of one without ports the first three. */
enum { FLOW_PARTS = 5, FLOW_PARTS_WITHOUT_PORTS = 3 };

static struct counted counted_flow(enum family f, bool has_ports)
{
	return (struct counted){
		f,
		{ { .field = nft_source_field(f) }, { .field = destination_field(f) }, { .field = NFT_FIELD_L4PROTO },
		  { .field = NFT_FIELD_SPORT }, { .field = NFT_FIELD_DPORT } },
		has_ports ? FLOW_PARTS : FLOW_PARTS_WITHOUT_PORTS,
	};
}

static const char *meter_name(struct nft_maker *mk, const struct ir_rate *rate, const struct counted *c)
{
	return nft_name(mk->arena, arena_printf(mk->arena, "meter%d.%s%s", c->family == FAMILY_IP4 ? 4 : 6, ir_bucket_name(rate, mk->arena),
						c->count == FLOW_PARTS_WITHOUT_PORTS ? "-portless" : ""));
}

/* What was silent so long has a full bucket again, and needs no element. The kernel counts in ticks: a little
 * longer never forgets a debt. */
static const struct nft_set *meter_at(struct nft_maker *mk, const struct ir_rate *rate, const struct counted *c)
{
	const uint64_t timeout_ms = nft_ms_of(rate->depth_ns) + 20;
	enum nft_field fields[NFT_PARTS_MOST];

	if (c->count == 1)
		return nft_dynamic_set_at(mk, meter_name(mk, rate, c), c->family, NFT_METER_MOST, timeout_ms);
	for (unsigned i = 0; i < c->count; i++)
		fields[i] = c->keys[i].field;
	return nft_parted_set_at(mk, meter_name(mk, rate, c), fields, c->count, NFT_FLOWS_MOST, timeout_ms);
}

/* The meter has no place for the packet. */
static void ask_absent(struct nft_maker *mk, struct nft_rule *r, const struct counted *c, const struct nft_set *meter)
{
	struct nft_expr e = { .kind = NFT_EXPR_LOOK, .look = { .absent = true, .count = c->count, .map = meter } };

	if (c->count == 1) {
		nft_push_match(mk, r, (struct nft_match){ .field = c->keys[0].field, .test = NFT_TEST_NOT_IN, .set = meter,
							   .masked = c->keys[0].masked, .mask = c->keys[0].mask });
		return;
	}
	e.look.keys = arena_copy(mk->arena, c->keys, sizeof c->keys);
	nft_push(mk, r, e);
}

static void put_meter(struct nft_maker *mk, struct nft_chain *chain, const struct ir_rule *rule, const struct counted *c,
		      nft_strikes strikes)
{
	const struct ir_rate *rate = rule->rate;
	struct nft_place p = { .set = meter_at(mk, rate, c), .count = c->count, .update = true, .limited = true, .limit = limit_of(rate) };
	struct nft_rule over = { 0 }, crowd = { 0 };

	p.keys = arena_copy(mk->arena, c->keys, sizeof c->keys);
	nft_ask_family(mk, &over, c->family);
	nft_push(mk, &over, (struct nft_expr){ .kind = NFT_EXPR_PLACE, .place = p });
	strikes(mk, &over, rule, true);
	nft_put_rule(mk, chain, over, NULL);

	nft_ask_family(mk, &crowd, c->family);
	ask_absent(mk, &crowd, c, p.set);
	nft_push(mk, &crowd, (struct nft_expr){ .kind = NFT_EXPR_LIMIT, .limit = limit_of(rate) });
	strikes(mk, &crowd, rule, false);
	nft_put_rule(mk, chain, crowd, "the meter is full: what has no place shares one bucket");
}

static void put_all(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *rule, nft_strikes strikes)
{
	struct nft_rule over = { 0 };

	nft_push(mk, &over, (struct nft_expr){ .kind = NFT_EXPR_LIMIT, .limit = limit_of(rule->rate) });
	strikes(mk, &over, rule, true);
	nft_put_rule(mk, c, over, NULL);
}

void nft_put_meters(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *rule, nft_strikes strikes)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct counted what = { 0 };

		switch (rule->rate->key) {
		case RATE_GLOBAL:
			put_all(mk, c, rule, strikes);
			return;
		case RATE_PER_SOURCE:
		case RATE_PER_DESTINATION:
			what = counted_address(rule->rate, (enum family)f);
			break;
		case RATE_PER_FLOW:
			what = counted_flow((enum family)f, false);
			break;
		}
		put_meter(mk, c, rule, &what, strikes);
	}
}

const char *nft_flow_chain(struct nft_maker *mk, const struct ir_rule *rule, const char *portless, nft_strikes strikes)
{
	static const uint16_t with_ports[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };
	struct nft_chain *c = nft_chain_new(mk, nft_name(mk->arena, arena_printf(mk->arena, "flow.%s", rule->id)),
					    arena_printf(mk->arena, "%s: flows with ports that are over its rate", rule->id));
	struct nft_rule without = { 0 };

	nft_ask_any(mk, &without, NFT_FIELD_L4PROTO, NFT_TEST_NOT_IN, with_ports, 3);
	nft_ends_in(mk, &without, NFT_FATE_GOTO, portless);
	nft_put_rule(mk, c, without, NULL);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		const struct counted what = counted_flow((enum family)f, true);

		put_meter(mk, c, rule, &what, strikes);
	}
	return c->name;
}

void nft_hand_over(struct nft_spread *s, struct nft_rule r)
{
	nft_ends_in(s->mk, &r, NFT_FATE_GOTO, s->to);
	nft_put_rule(s->mk, s->site->chain, r, NULL);
}
