/* Rules as the kernel runs them, over what registers hold of all packets at once. */
#include "compiler/audit/nft/asking.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

/* --- the world -------------------------------------------------------------------------------------- */

static struct addr_range name_range(const char *pattern)
{
	struct addr_range r = { 0, 0 };
	size_t len = strlen(pattern);
	bool open = len && pattern[len - 1] == '*';

	len -= open;
	for (size_t i = 0; i < 16; i++) {
		uint8_t c = i < len ? (uint8_t)pattern[i] : 0;

		r.lo = r.lo << 8 | c;
		r.hi = r.hi << 8 | (open && i >= len ? 0xff : c);
	}
	return r;
}

static int by_lo(const void *x, const void *y)
{
	const struct addr_range *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

/* Ascending, one within another left out, and loopback cut out of what holds it. */
static struct nft_names names_of(struct arena *a, struct addr_range *at, size_t len)
{
	struct addr_range lo = name_range("lo");
	VEC(struct addr_range) out = { 0 };

	qsort(at, len, sizeof *at, by_lo);
	for (size_t i = 0; i < len; i++) {
		if (out.len && at[i].hi <= out.at[out.len - 1].hi)
			continue;
		if (at[i].lo <= lo.lo && lo.lo <= at[i].hi) {
			if (at[i].lo < lo.lo)
				vec_push(a, &out, ((struct addr_range){ at[i].lo, lo.lo - 1 }));
			at[i].lo = lo.lo + 1;
		}
		if (at[i].lo <= at[i].hi)
			vec_push(a, &out, at[i]);
	}
	return (struct nft_names){ out.at, out.len };
}

uint64_t nft_world_zones(struct nft_world *w, const struct terms *t, const struct ir *ir)
{
	VEC(struct addr_range) all = { 0 };
	uint64_t some = 0;

	vec_push(w->arena, &all, name_range("lo"));
	for (size_t z = 0; z < ir->zone_count; z++) {
		VEC(struct addr_range) own = { 0 };
		uint64_t bit = terms_zone(t, ir->zones[z].name);

		for (size_t i = 0; i < ir->zones[z].pattern_count; i++) {
			vec_push(w->arena, &own, name_range(ir->zones[z].patterns[i]));
			vec_push(w->arena, &all, own.at[own.len - 1]);
		}
		w->zones[__builtin_ctzll(bit)] = names_of(w->arena, own.at, own.len);
		some |= own.len ? bit : 0;
	}
	qsort(all.at, all.len, sizeof *all.at, by_lo);
	size_t kept = 0;
	for (size_t i = 0; i < all.len; i++)
		if (!kept || all.at[i].lo > all.at[kept - 1].hi)
			all.at[kept++] = all.at[i];
	struct nft_names *none = &w->zones[ZONE_NONE];
	none->at = nft_others(w->arena, 16, all.at, kept, &none->len);
	return some | (none->len ? UINT64_C(1) << ZONE_NONE : 0);
}

/* --- all -------------------------------------------------------------------------------------------------------------- */

#define A(type) NFT_ALLOW(NFTA_##type)

static const struct {
	const char *name;
	uint32_t attrs;
	bool (*ask)(struct nft_asking *k, const struct nft_attr *at);
} expressions[] = {
	{ "meta", A(META_DREG) | A(META_KEY), nft_ask_meta },
	{ "payload", A(PAYLOAD_DREG) | A(PAYLOAD_BASE) | A(PAYLOAD_OFFSET) | A(PAYLOAD_LEN), nft_ask_payload },
	{ "cmp", A(CMP_SREG) | A(CMP_OP) | A(CMP_DATA), nft_ask_cmp },
	{ "immediate", A(IMMEDIATE_DREG) | A(IMMEDIATE_DATA), nft_ask_immediate },
	{ "objref",
	  A(OBJREF_IMM_TYPE) | A(OBJREF_IMM_NAME) | A(OBJREF_SET_SREG) | A(OBJREF_SET_NAME) | A(OBJREF_SET_ID), nft_ask_objref },
	{ "bitwise",
	  A(BITWISE_SREG) | A(BITWISE_DREG) | A(BITWISE_LEN) | A(BITWISE_OP) | A(BITWISE_MASK) | A(BITWISE_XOR), nft_ask_bitwise },
	{ "lookup", A(LOOKUP_SREG) | A(LOOKUP_DREG) | A(LOOKUP_SET) | A(LOOKUP_SET_ID) | A(LOOKUP_FLAGS), nft_ask_lookup },
	{ "range", A(RANGE_SREG) | A(RANGE_OP) | A(RANGE_FROM_DATA) | A(RANGE_TO_DATA), nft_ask_range },
	{ "ct", A(CT_DREG) | A(CT_KEY), nft_ask_ct },
	{ "fib", A(FIB_DREG) | A(FIB_RESULT) | A(FIB_FLAGS), nft_ask_fib },
	{ "exthdr", A(EXTHDR_DREG) | A(EXTHDR_TYPE) | A(EXTHDR_OFFSET) | A(EXTHDR_LEN) | A(EXTHDR_OP), nft_ask_exthdr },
	{ "limit", NFT_ASK_LIMIT_ATTRS, nft_ask_limit },
	{ "dynset",
	  A(DYNSET_SREG_KEY) | A(DYNSET_SET_NAME) | A(DYNSET_SET_ID) | A(DYNSET_OP) | A(DYNSET_TIMEOUT) | A(DYNSET_EXPR),
	  nft_ask_dynset },
	{ "log", A(LOG_PREFIX), nft_ask_log },
	{ "synproxy", A(SYNPROXY_MSS) | A(SYNPROXY_WSCALE) | A(SYNPROXY_FLAGS), nft_ask_synproxy },
	{ "reject", A(REJECT_TYPE) | A(REJECT_ICMP_CODE), nft_ask_reject },
};

static bool ask_one(struct nft_asking *k, const struct nft_said_expr *e)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
		if (!strcmp(expressions[i].name, e->name))
			return !k->ended && nft_attrs_of(e->data, expressions[i].attrs, at) && expressions[i].ask(k, at);
	return false;
}

/* Most have room for one: rules that ask for many packets at once are few. */
#define ROOM_FOR_ONE(arena, vec) ((vec)->at = arena_zero((arena), sizeof *(vec)->at), (vec)->room = 1)

/* Nothing is left behind the last expression that somebody passes: as in the kernel, it is not run. */
int nft_ask_rule(const struct nft_world *w, const struct nft_said_rule *rule, const struct cell *path, struct nft_answer *out)
{
	struct nft_asking k = { .w = w, .rule = rule, .out = out };

	*out = (struct nft_answer){ 0 };
	ROOM_FOR_ONE(w->arena, &out->alts);
	ROOM_FOR_ONE(w->arena, &k.spare);
	vec_push(w->arena, &out->alts, ((struct nft_ask_alt){ .cell = *path, .verdict = { .code = NFT_ASK_FALLS_ON } }));
	for (size_t i = 0; i < rule->len && out->alts.len; i++)
		if (!ask_one(&k, &rule->exprs[i]))
			return err_set(w->why, ENOTSUP, "expression %zu, %.20s, cannot be told", i + 1, rule->exprs[i].name);
	if (k.absent.set && out->alts.len)
		return err_set(w->why, ENOTSUP, "a look into a set that rules fill cannot be told");
	return 0;
}
