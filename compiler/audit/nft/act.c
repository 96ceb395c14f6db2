/* What a rule does beside asking: limits, counters, logs, verdicts. */
#include "compiler/audit/nft/asking.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/emit/nft/nft.h"
#include "compiler/emit/nft/wire.h"

/* --- limits, counters, logs --------------------------------------------------------------------------------------- */

/* Those over it: what is within it would need the condition's contrary. */
static bool set_limit(struct nft_asking *k, const struct nft_attr *at)
{
	struct nft_ask_limit *l = &k->out->limit;

	if (k->out->limited || k->out->mapped)
		return false;
	k->out->limited = true;
	l->bytes = nft_attr_says(at[NFTA_LIMIT_TYPE], NFT_LIMIT_PKT_BYTES);
	return nft_attr_u64_or_none(at[NFTA_LIMIT_RATE], &l->rate) && nft_attr_u64_or_none(at[NFTA_LIMIT_UNIT], &l->unit_s) &&
	       nft_attr_u32(at[NFTA_LIMIT_BURST], &l->burst) && (l->bytes || nft_attr_says(at[NFTA_LIMIT_TYPE], NFT_LIMIT_PKTS)) &&
	       nft_attr_says(at[NFTA_LIMIT_FLAGS], NFT_LIMIT_F_INV);
}

bool nft_ask_limit(struct nft_asking *k, const struct nft_attr *at)
{
	struct nft_ask_limit *l = &k->out->limit;

	*l = k->absent;
	l->crowd = l->set != NULL;
	k->absent.set = NULL;
	return set_limit(k, at);
}

static bool limit_of_element(struct nft_asking *k, struct nft_attr nest)
{
	struct nft_attr at[NFT_ATTRS_MAX], data[NFT_ATTRS_MAX];
	const char *name;

	if (!nft_attrs_of(nest, NFT_ALLOW(NFTA_EXPR_NAME) | NFT_ALLOW(NFTA_EXPR_DATA), at) || !at[NFTA_EXPR_DATA].at)
		return false;
	name = nft_attr_text(k->w->arena, at[NFTA_EXPR_NAME]);
	return name && !strcmp(name, "limit") && nft_attrs_of(at[NFTA_EXPR_DATA], NFT_ASK_LIMIT_ATTRS, data) && set_limit(k, data);
}

/* A source that is put under a block; or a bucket for each key. Full sets: docs/nftables.md. */
bool nft_ask_dynset(struct nft_asking *k, const struct nft_attr *at)
{
	const struct nft_value *v = nft_ask_loaded(k, at[NFTA_DYNSET_SREG_KEY]);
	const char *name = nft_attr_text(k->w->arena, at[NFTA_DYNSET_SET_NAME]);
	const struct nft_said_set *s;
	uint32_t id;

	if (!v || !name || k->absent.set || k->out->blocks || !nft_attr_u32_or_none(at[NFTA_DYNSET_SET_ID], &id) ||
	    !(s = nft_said_set(k->w->said, name, id)) || !s->dynamic || !s->name)
		return false;
	if (at[NFTA_DYNSET_EXPR].at)
		return nft_ask_meter(k, at[NFTA_DYNSET_SREG_KEY], s, &k->out->limit) &&
		       nft_attr_says(at[NFTA_DYNSET_OP], NFT_DYNSET_OP_UPDATE) && !at[NFTA_DYNSET_TIMEOUT].at &&
		       limit_of_element(k, at[NFTA_DYNSET_EXPR]);
	if (nft_ask_is_armed(k, at[NFTA_DYNSET_SREG_KEY], s)) {
		k->out->arms = true;
		return nft_attr_says(at[NFTA_DYNSET_OP], NFT_DYNSET_OP_UPDATE) && !at[NFTA_DYNSET_TIMEOUT].at && s->timeout_ms == NFT_ARMED_MS;
	}
	k->out->blocks = true;
	return s->key_bytes == v->bytes && nft_ask_is_blocked(k, s, v) && nft_attr_says(at[NFTA_DYNSET_OP], NFT_DYNSET_OP_ADD) &&
	       nft_attr_u64_or_none(at[NFTA_DYNSET_TIMEOUT], &k->out->block_ms) && k->out->block_ms;
}

bool nft_ask_objref(struct nft_asking *k, const struct nft_attr *at)
{
	const char *name = nft_attr_text(k->w->arena, at[NFTA_OBJREF_IMM_NAME]);

	if (at[NFTA_OBJREF_SET_SREG].at)
		return !at[NFTA_OBJREF_IMM_NAME].at && !at[NFTA_OBJREF_IMM_TYPE].at && nft_ask_count_by_map(k, at);
	if (!name || k->out->counter || k->out->mapped || !nft_attr_says(at[NFTA_OBJREF_IMM_TYPE], NFT_OBJECT_COUNTER) ||
	    !strmap_find(&k->w->said->counters, name))
		return false;
	k->out->counter = name;
	return true;
}

bool nft_ask_log(struct nft_asking *k, const struct nft_attr *at)
{
	if (k->out->log)
		return false;
	k->out->log = nft_attr_text(k->w->arena, at[NFTA_LOG_PREFIX]);
	return k->out->log != NULL;
}

/* --- verdicts ------------------------------------------------------------------------------------------------------- */

static bool end_all(struct nft_asking *k, struct nft_said_verdict v)
{
	for (size_t i = 0; i < k->out->alts.len; i++)
		k->out->alts.at[i].verdict = v;
	k->ended = true;
	return true;
}

bool nft_ask_reject(struct nft_asking *k, const struct nft_attr *at)
{
	struct nft_attr code = at[NFTA_REJECT_ICMP_CODE];

	if (nft_attr_says(at[NFTA_REJECT_TYPE], NFT_REJECT_TCP_RST))
		return end_all(k, (struct nft_said_verdict){ .code = NFT_ASK_REJECT_RESET });
	return nft_attr_says(at[NFTA_REJECT_TYPE], NFT_REJECT_ICMPX_UNREACH) && code.at && code.len == 1 &&
	       code.at[0] == NFT_REJECT_ICMPX_ADMIN_PROHIBITED &&
	       end_all(k, (struct nft_said_verdict){ .code = NFT_ASK_REJECT_ICMP });
}

/* What comes here ends here: of Ethernet's segments, without window scaling (compiler/emit/nft/cookies.c). */
bool nft_ask_synproxy(struct nft_asking *k, const struct nft_attr *at)
{
	const uint16_t mss = k->w->family == FAMILY_IP4 ? 1460 : 1440;
	const struct nft_attr scale = at[NFTA_SYNPROXY_WSCALE];

	return nft_attr_says16(at[NFTA_SYNPROXY_MSS], mss) && scale.len == 1 && !scale.at[0] &&
	       nft_attr_says(at[NFTA_SYNPROXY_FLAGS], NFT_WIRE_SYNPROXY_FLAGS) &&
	       end_all(k, (struct nft_said_verdict){ .code = NFT_ASK_SYNPROXY });
}

bool nft_ask_immediate(struct nft_asking *k, const struct nft_attr *at)
{
	struct nft_said_verdict v;

	return nft_attr_says(at[NFTA_IMMEDIATE_DREG], NFT_REG_VERDICT) &&
	       nft_said_verdict(k->w->said, at[NFTA_IMMEDIATE_DATA], &v) && end_all(k, v);
}
