/*
 * nft_meter.c - token buckets in nft: one for each element of a dynamic set, or
 * one for all. In netdev for reflexes, in inet for the limits of rules.
 */
#include "compiler/emit/nft_layers.h"

#include "compiler/emit/nft.h"
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

static enum nft_field key_field(const struct ir_rate *rate, enum family f)
{
	if (rate->key == RATE_PER_DESTINATION)
		return f == FAMILY_IP4 ? NFT_FIELD_IP_DADDR : NFT_FIELD_IP6_DADDR;
	return nft_source_field(f);
}

static struct nft_limit limit_of(const struct ir_rate *rate)
{
	return (struct nft_limit){ .rate = rate->rate,
				   .unit_s = rate->unit_s,
				   .burst = (uint32_t)rate->burst,
				   .bytes = rate->bytes };
}

/* Named by what it counts and how: where either changes, buckets begin anew. */
static const struct nft_set *meter_at(struct nft_maker *mk, const struct ir_rate *rate, enum family f)
{
	const char *id = arena_printf(
		mk->arena, "meter%d.%s.%llu%s-%llu-%llu-%u", f == FAMILY_IP4 ? 4 : 6, rate->bucket,
		(unsigned long long)rate->rate, rate->bytes ? "B" : "", (unsigned long long)rate->unit_s,
		(unsigned long long)rate->burst, rate->key_bits[f]);

	/* What was silent so long has a full bucket again, and needs no element. The
	 * kernel counts in ticks: a little longer never forgets a debt. */
	return nft_dynamic_set_at(mk, nft_name(mk->arena, id), f, NFT_METER_MOST,
				  nft_ms_of(rate->depth_ns) + 20);
}

static void put_meter(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *rule,
		      enum family f, nft_strikes strikes)
{
	const struct ir_rate *rate = rule->rate;
	const struct nft_set *meter = meter_at(mk, rate, f);
	const bool masked = rate->key_bits[f] < FAMILY_BITS(f);
	const addr_num mask = masked ? nft_leading_bits(f, rate->key_bits[f]) : 0;
	struct nft_place p = { .set = meter, .key = key_field(rate, f), .masked = masked, .mask = mask,
			       .update = true, .limited = true, .limit = limit_of(rate) };
	struct nft_match not_in = { .field = key_field(rate, f), .test = NFT_TEST_NOT_IN, .set = meter,
				    .masked = masked, .mask = mask };
	struct nft_rule over = { 0 }, crowd = { 0 };

	nft_ask_family(mk, &over, f);
	nft_push(mk, &over, (struct nft_expr){ .kind = NFT_EXPR_PLACE, .place = p });
	strikes(mk, &over, rule, true);
	nft_put_rule(mk, c, over, NULL);

	nft_ask_family(mk, &crowd, f);
	nft_push_match(mk, &crowd, not_in);
	nft_push(mk, &crowd, (struct nft_expr){ .kind = NFT_EXPR_LIMIT, .limit = limit_of(rate) });
	strikes(mk, &crowd, rule, false);
	nft_put_rule(mk, c, crowd, "the meter is full: what has no place shares one bucket");
}

void nft_put_meters(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *rule, nft_strikes strikes)
{
	struct nft_rule over = { 0 };

	if (rule->rate->key != RATE_GLOBAL) {
		for (int f = 0; f < FAMILY_COUNT; f++)
			put_meter(mk, c, rule, (enum family)f, strikes);
		return;
	}
	nft_push(mk, &over, (struct nft_expr){ .kind = NFT_EXPR_LIMIT, .limit = limit_of(rule->rate) });
	strikes(mk, &over, rule, true);
	nft_put_rule(mk, c, over, NULL);
}

void nft_hand_over(struct nft_spread *s, struct nft_rule r)
{
	nft_ends_in(s->mk, &r, NFT_FATE_GOTO, s->to);
	nft_put_rule(s->mk, s->site->chain, r, NULL);
}
