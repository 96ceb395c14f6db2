/*
 * Chains that decide nothing: whatever is in them asks, counts, takes from buckets or tells, and comes back. A rule that
 * only jumps to such a chain is as if it were not there, and is taken away before anybody walks. So is what lets the
 * kernel's packets in clients' names leave, for SYN cookies.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/audit/nft/said.h"
#include "compiler/emit/nft/nft.h"

/* What a chain is until the contrary is found. */
struct idling {
	struct nft_said *said;
	bool changed;
};

#define A(type) NFT_ALLOW(NFTA_##type)

/* Expressions that only load and compare, with the attributes of those that do. */
static const struct {
	const char *name;
	uint32_t attrs;
} questions[] = {
	{ "meta", A(META_DREG) | A(META_KEY) },
	{ "payload", A(PAYLOAD_DREG) | A(PAYLOAD_BASE) | A(PAYLOAD_OFFSET) | A(PAYLOAD_LEN) },
	{ "exthdr", A(EXTHDR_DREG) | A(EXTHDR_TYPE) | A(EXTHDR_OFFSET) | A(EXTHDR_LEN) | A(EXTHDR_OP) },
	{ "ct", A(CT_DREG) | A(CT_KEY) },
	{ "fib", A(FIB_DREG) | A(FIB_RESULT) | A(FIB_FLAGS) },
	{ "bitwise", A(BITWISE_SREG) | A(BITWISE_DREG) | A(BITWISE_LEN) | A(BITWISE_OP) | A(BITWISE_MASK) | A(BITWISE_XOR) },
	{ "cmp", A(CMP_SREG) | A(CMP_OP) | A(CMP_DATA) },
	{ "range", A(RANGE_SREG) | A(RANGE_OP) | A(RANGE_FROM_DATA) | A(RANGE_TO_DATA) },
	{ "lookup", A(LOOKUP_SREG) | A(LOOKUP_SET) | A(LOOKUP_SET_ID) | A(LOOKUP_FLAGS) },
	{ "numgen", A(NG_DREG) | A(NG_MODULUS) | A(NG_TYPE) | A(NG_OFFSET) },
};

static bool only_asks(const struct nft_said_expr *e)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
		if (!strcmp(e->name, questions[i].name))
			return nft_attrs_of(e->data, questions[i].attrs, at);
	return false;
}

static bool only_tells(const struct nft_said_expr *e)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	return !strcmp(e->name, "log") && nft_attrs_of(e->data, A(LOG_PREFIX) | A(LOG_GROUP) | A(LOG_SNAPLEN), at) && at[NFTA_LOG_GROUP].at;
}

/* The name of a counter, by which a rule counts. */
static const char *counter_of(const struct nft_said *s, const struct nft_said_expr *e)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	if (strcmp(e->name, "objref") || !nft_attrs_of(e->data, A(OBJREF_IMM_TYPE) | A(OBJREF_IMM_NAME), at) ||
	    !nft_attr_says(at[NFTA_OBJREF_IMM_TYPE], NFT_OBJECT_COUNTER))
		return NULL;
	return nft_attr_text(s->arena, at[NFTA_OBJREF_IMM_NAME]);
}

/* A bucket's set; what stands in the others is blocked. */
static bool only_meters(const struct nft_said *s, const struct nft_said_expr *e)
{
	const uint32_t attrs = A(DYNSET_SREG_KEY) | A(DYNSET_SET_NAME) | A(DYNSET_SET_ID) | A(DYNSET_OP) | A(DYNSET_TIMEOUT) | A(DYNSET_EXPR);
	struct nft_attr at[NFT_ATTRS_MAX];

	if (!strcmp(e->name, "limit"))
		return true;
	if (strcmp(e->name, "dynset") || !nft_attrs_of(e->data, attrs, at) || !at[NFTA_DYNSET_EXPR].at)
		return false;
	const char *name = nft_attr_text(s->arena, at[NFTA_DYNSET_SET_NAME]);
	return name && strcmp(name, NFT_BLOCKED4) && strcmp(name, NFT_BLOCKED6);
}

static bool verdict_of(const struct nft_said *s, const struct nft_said_expr *e, struct nft_said_verdict *out)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	return !strcmp(e->name, "immediate") && nft_attrs_of(e->data, A(IMMEDIATE_DREG) | A(IMMEDIATE_DATA), at) &&
	       nft_attr_says(at[NFTA_IMMEDIATE_DREG], NFT_REG_VERDICT) && nft_said_verdict(s, at[NFTA_IMMEDIATE_DATA], out);
}

static bool comes_back(const struct nft_said *s, const struct nft_said_expr *e)
{
	struct nft_said_verdict v;

	if (!verdict_of(s, e, &v))
		return false;
	return v.code == NFT_RETURN || ((v.code == NFT_JUMP || v.code == NFT_GOTO) && !v.chain->decides);
}

static bool rule_decides(const struct nft_said *s, const struct nft_said_rule *r)
{
	for (size_t i = 0; i < r->len; i++) {
		const struct nft_said_expr *e = &r->exprs[i];

		if (!only_asks(e) && !only_tells(e) && !only_meters(s, e) && !counter_of(s, e) && !comes_back(s, e))
			return true;
	}
	return false;
}

static void look_at(struct idling *k, struct nft_said_chain *c)
{
	for (size_t i = 0; i < c->rules.len && !c->decides; i++)
		c->decides = rule_decides(k->said, &c->rules.at[i]);
	k->changed |= c->decides;
}

/* Only asks, and then jumps to what decides nothing. */
static bool is_idle(const struct nft_said *s, const struct nft_said_rule *r)
{
	struct nft_said_verdict v;

	for (size_t i = 0; i + 1 < r->len; i++)
		if (!only_asks(&r->exprs[i]))
			return false;
	return r->len && verdict_of(s, &r->exprs[r->len - 1], &v) && v.code == NFT_JUMP && !v.chain->decides;
}

static bool is_armed_lookup(const struct nft_said *s, const struct nft_said_expr *e)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	const char *name;

	if (strcmp(e->name, "lookup") || !nft_attrs_of(e->data, A(LOOKUP_SREG) | A(LOOKUP_SET) | A(LOOKUP_SET_ID), at))
		return false;
	name = nft_attr_text(s->arena, at[NFTA_LOOKUP_SET]);
	return name && (!strcmp(name, NFT_ARMED4) || !strcmp(name, NFT_ARMED6));
}

/* "fib saddr type != local", in two expressions. */
static bool is_foreign_source(const struct nft_said_expr *e)
{
	const uint32_t local = 2;
	struct nft_attr fib[NFT_ATTRS_MAX], cmp[NFT_ATTRS_MAX], value;

	return !strcmp(e[0].name, "fib") && !strcmp(e[1].name, "cmp") &&
	       nft_attrs_of(e[0].data, A(FIB_DREG) | A(FIB_RESULT) | A(FIB_FLAGS), fib) &&
	       nft_attrs_of(e[1].data, A(CMP_SREG) | A(CMP_OP) | A(CMP_DATA), cmp) && nft_attr_says(fib[NFTA_FIB_DREG], NFT_REG_1) &&
	       nft_attr_says(fib[NFTA_FIB_RESULT], NFT_FIB_RESULT_ADDRTYPE) && nft_attr_says(fib[NFTA_FIB_FLAGS], NFTA_FIB_F_SADDR) &&
	       nft_attr_says(cmp[NFTA_CMP_SREG], NFT_REG_1) && nft_attr_says(cmp[NFTA_CMP_OP], NFT_CMP_NEQ) &&
	       nft_attr_only(cmp[NFTA_CMP_DATA], NFTA_DATA_VALUE, &value) && value.len == sizeof local && !memcmp(value.at, &local, value.len);
}

/*
 * What leaves from an address that is not this host's, to a server whose SYNs are answered: the kernel's own, that
 * stands for a packet which was admitted. No packet of the policy's is from such a source.
 */
static bool is_answer(const struct nft_said *s, const struct nft_said_rule *r)
{
	struct nft_said_verdict v;
	bool armed = false;

	if (r->len < 4 || !verdict_of(s, &r->exprs[r->len - 1], &v) || v.code != NF_ACCEPT || !is_foreign_source(&r->exprs[r->len - 3]))
		return false;
	for (size_t i = 0; i + 3 < r->len; i++) {
		if (!only_asks(&r->exprs[i]))
			return false;
		armed = armed || is_armed_lookup(s, &r->exprs[i]);
	}
	return armed;
}

static void note_counters(struct nft_said *s, const struct nft_said_chain *c)
{
	for (size_t i = 0; i < c->rules.len; i++)
		for (size_t e = 0; e < c->rules.at[i].len; e++) {
			const char *name = counter_of(s, &c->rules.at[i].exprs[e]);

			if (name)
				vec_push(s->arena, &s->idle_counters, name);
		}
}

static void take_away(const struct nft_said *s, struct nft_said_chain *c)
{
	const bool before_out = !s->netdev && !strcmp(c->name, "pre_out");
	size_t kept = 0;

	for (size_t i = 0; i < c->rules.len; i++)
		if (!is_idle(s, &c->rules.at[i]) && !(before_out && is_answer(s, &c->rules.at[i])))
			c->rules.at[kept++] = c->rules.at[i];
	c->rules.len = kept;
}

void nft_said_forget_idle(struct nft_said *s)
{
	struct idling k = { .said = s, .changed = true };

	while (k.changed) {
		k.changed = false;
		for (size_t i = 0; i < s->chains.entries.len; i++)
			if (!((struct nft_said_chain *)s->chains.entries.at[i].value)->decides)
				look_at(&k, s->chains.entries.at[i].value);
	}
	for (size_t i = 0; i < s->chains.entries.len; i++) {
		struct nft_said_chain *c = s->chains.entries.at[i].value;

		if (c->decides)
			take_away(s, c);
		else
			note_counters(s, c);
	}
}
