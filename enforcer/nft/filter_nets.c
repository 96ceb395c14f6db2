#include "enforcer/nft/filter_nets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "bpf-templates/abi.h"
#include "enforcer/nft/filter_talk.h"

#define CHAIN_ROOM 32

static const char *const sets[FAMILY_COUNT] = { FILTER_NETS4, FILTER_NETS6 };
static const uint16_t protocols[FAMILY_COUNT] = { ETH_P_IP, ETH_P_IPV6 };
static const uint32_t source_at[FAMILY_COUNT] = { 12, 8 }; /* in the IP header */

static void name_of(char out[static CHAIN_ROOM], char bank, const char *chain)
{
	snprintf(out, CHAIN_ROOM, "%c_%s", bank, chain);
}

/* ---- a rule ------------------------------------------------------------------------------------ */

struct expr {
	struct nlattr *element, *data;
};

static struct expr begin(struct nlmsghdr *m, const char *name)
{
	struct expr e = { mnl_attr_nest_start(m, NFTA_LIST_ELEM), NULL };

	filter_put_text(m, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(m, NFTA_EXPR_DATA);
	return e;
}

static void end(struct nlmsghdr *m, struct expr e)
{
	mnl_attr_nest_end(m, e.data);
	mnl_attr_nest_end(m, e.element);
}

static void put_value(struct nlmsghdr *m, uint16_t type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(m, type);

	mnl_attr_put(m, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(m, nest);
}

static void put_u32(struct nlmsghdr *m, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(m, type, htonl(value));
}

static void put_protocol(struct nlmsghdr *m, enum family f)
{
	const uint16_t protocol = htons(protocols[f]);
	struct expr e = begin(m, "meta");

	put_u32(m, NFTA_META_KEY, NFT_META_PROTOCOL);
	put_u32(m, NFTA_META_DREG, NFT_REG_1);
	end(m, e);
	e = begin(m, "cmp");
	put_u32(m, NFTA_CMP_SREG, NFT_REG_1);
	put_u32(m, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(m, NFTA_CMP_DATA, &protocol, sizeof protocol);
	end(m, e);
}

/* The leading bits, and the one behind them. */
static void mask_of(enum family f, unsigned len, uint8_t mask[static 16], uint8_t mark[static 16])
{
	const struct addr_range host = prefix_range((struct prefix){ { f, 0 }, len });

	addr_to_bytes((struct addr){ f, family_max(f) & ~host.hi }, mask);
	addr_to_bytes((struct addr){ f, (addr_num)1 << (FAMILY_BITS(f) - 1 - len) }, mark);
}

static void put_source(struct nlmsghdr *m, enum family f, unsigned len)
{
	const uint32_t bytes = FAMILY_BITS(f) / 8;
	uint8_t mask[16], mark[16];
	struct expr e = begin(m, "payload");

	mask_of(f, len, mask, mark);
	put_u32(m, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_u32(m, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	put_u32(m, NFTA_PAYLOAD_OFFSET, source_at[f]);
	put_u32(m, NFTA_PAYLOAD_LEN, bytes);
	end(m, e);
	e = begin(m, "bitwise");
	put_u32(m, NFTA_BITWISE_SREG, NFT_REG_1);
	put_u32(m, NFTA_BITWISE_DREG, NFT_REG_1);
	put_u32(m, NFTA_BITWISE_LEN, bytes);
	put_value(m, NFTA_BITWISE_MASK, mask, bytes);
	put_value(m, NFTA_BITWISE_XOR, mark, bytes);
	end(m, e);
}

static void put_verdict(struct nlmsghdr *m, char bank)
{
	char to[CHAIN_ROOM];
	struct expr e = begin(m, "objref");

	put_u32(m, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	filter_put_text(m, NFTA_OBJREF_IMM_NAME, "blocked");
	end(m, e);
	e = begin(m, "immediate");
	put_u32(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_IMMEDIATE_DATA);
	struct nlattr *v = mnl_attr_nest_start(m, NFTA_DATA_VERDICT);
	put_u32(m, NFTA_VERDICT_CODE, (uint32_t)NFT_GOTO);
	name_of(to, bank, "tell.blocked");
	filter_put_text(m, NFTA_VERDICT_CHAIN, to);
	mnl_attr_nest_end(m, v);
	mnl_attr_nest_end(m, data);
	end(m, e);
}

void filter_change_net(struct filter_change *c, char bank, enum family f, unsigned len)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *m = filter_ours(room, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, FILTER_NETDEV);
	char chain[CHAIN_ROOM];

	name_of(chain, bank, FILTER_NETS);
	filter_put_text(m, NFTA_RULE_CHAIN, chain);
	struct nlattr *list = mnl_attr_nest_start(m, NFTA_RULE_EXPRESSIONS);
	put_protocol(m, f);
	put_source(m, f, len);
	struct expr e = begin(m, "lookup");
	filter_put_text(m, NFTA_LOOKUP_SET, sets[f]);
	put_u32(m, NFTA_LOOKUP_SREG, NFT_REG_1);
	end(m, e);
	put_verdict(m, bank);
	mnl_attr_nest_end(m, list);
	buf_add(&c->messages, m, m->nlmsg_len);
	c->count++;
}

void filter_change_nets_flush(struct filter_change *c, char bank)
{
	char chain[CHAIN_ROOM];

	name_of(chain, bank, FILTER_NETS);
	filter_change_flush(c, FILTER_NETDEV, chain);
}

/* ---- and read back --------------------------------------------------------------------------------- */

struct reading {
	char chain[CHAIN_ROOM], tell[CHAIN_ROOM];
	uint64_t lengths[FAMILY_COUNT];
	bool other;
};

static void read_again(void *context)
{
	struct reading *r = context;

	r->lengths[0] = r->lengths[1] = 0;
	r->other = false;
}

static bool says(const struct nlattr *data, uint16_t type, uint32_t value)
{
	const struct nlattr *a = filter_nested(data, type);

	return a && mnl_attr_get_payload_len(a) == 4 && ntohl(mnl_attr_get_u32(a)) == value;
}

static bool says_text(const struct nlattr *data, uint16_t type, const char *text)
{
	const struct nlattr *a = filter_nested(data, type);

	return a && !strcmp(mnl_attr_get_str(a), text);
}

static bool says_value(const struct nlattr *data, uint16_t type, const void *value, size_t len)
{
	const struct nlattr *a = filter_nested(filter_nested(data, type), NFTA_DATA_VALUE);

	return a && mnl_attr_get_payload_len(a) == len && !memcmp(mnl_attr_get_payload(a), value, len);
}

/* Which bit of the exclusive or is set, as a length; 0: it is no mark. */
static unsigned marked_length(const struct nlattr *bitwise, enum family f)
{
	uint8_t mask[16], mark[16];

	for (unsigned len = 1; len < 64 && len < FAMILY_BITS(f); len++) {
		mask_of(f, len, mask, mark);
		if (says_value(bitwise, NFTA_BITWISE_XOR, mark, FAMILY_BITS(f) / 8) &&
		    says_value(bitwise, NFTA_BITWISE_MASK, mask, FAMILY_BITS(f) / 8))
			return len;
	}
	return 0;
}

enum { EXPR_META, EXPR_CMP, EXPR_PAYLOAD, EXPR_BITWISE, EXPR_LOOKUP, EXPR_OBJREF, EXPR_IMMEDIATE, EXPRS };

static bool find_expressions(const struct nlmsghdr *h, const struct nlattr *data[static EXPRS])
{
	static const char *const names[EXPRS] = { "meta", "cmp", "payload", "bitwise", "lookup", "objref", "immediate" };
	const struct nlattr *list = filter_attribute(h, NFTA_RULE_EXPRESSIONS), *one;
	unsigned count = 0;

	if (!list)
		return false;
	mnl_attr_for_each_nested(one, list) {
		if (count == EXPRS || !says_text(one, NFTA_EXPR_NAME, names[count]))
			return false;
		data[count++] = filter_nested(one, NFTA_EXPR_DATA);
	}
	return count == EXPRS;
}

static unsigned length_of(const struct nlattr *const data[static EXPRS], enum family f, const struct reading *r)
{
	const uint16_t protocol = htons(protocols[f]);
	const struct nlattr *verdict = filter_nested(filter_nested(data[EXPR_IMMEDIATE], NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
	const bool holds = says(data[EXPR_META], NFTA_META_KEY, NFT_META_PROTOCOL) &&
			   says(data[EXPR_CMP], NFTA_CMP_OP, NFT_CMP_EQ) &&
			   says_value(data[EXPR_CMP], NFTA_CMP_DATA, &protocol, sizeof protocol) &&
			   says(data[EXPR_PAYLOAD], NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER) &&
			   says(data[EXPR_PAYLOAD], NFTA_PAYLOAD_OFFSET, source_at[f]) &&
			   says(data[EXPR_PAYLOAD], NFTA_PAYLOAD_LEN, FAMILY_BITS(f) / 8) &&
			   says_text(data[EXPR_LOOKUP], NFTA_LOOKUP_SET, sets[f]) &&
			   (!filter_nested(data[EXPR_LOOKUP], NFTA_LOOKUP_FLAGS) || says(data[EXPR_LOOKUP], NFTA_LOOKUP_FLAGS, 0)) &&
			   says_text(data[EXPR_OBJREF], NFTA_OBJREF_IMM_NAME, "blocked") &&
			   says(verdict, NFTA_VERDICT_CODE, (uint32_t)NFT_GOTO) && says_text(verdict, NFTA_VERDICT_CHAIN, r->tell);

	return holds ? marked_length(data[EXPR_BITWISE], f) : 0;
}

static void read_rule(const struct nlmsghdr *h, void *context)
{
	struct reading *r = context;
	const struct nlattr *data[EXPRS];
	unsigned len = 0;

	if (!filter_is_ours(h) || strcmp(filter_text(h, NFTA_RULE_CHAIN), r->chain))
		return;
	const bool is_rule = find_expressions(h, data);
	for (unsigned f = 0; is_rule && !len && f < FAMILY_COUNT; f++) {
		len = length_of(data, (enum family)f, r);
		if (len)
			r->lengths[f] |= TEG_NET_BIT(len);
	}
	r->other = r->other || !len;
}

int filter_nets(struct filter *f, char bank, uint64_t lengths[static FAMILY_COUNT], struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *h = filter_list(room, NFT_MSG_GETRULE, FILTER_NETDEV);
	struct reading r = { .other = false };

	name_of(r.chain, bank, FILTER_NETS);
	name_of(r.tell, bank, "tell.blocked");
	filter_put_text(h, NFTA_RULE_CHAIN, r.chain);
	int rc = filter_ask(f, h, read_rule, read_again, &r, why);
	if (rc)
		return err_in(why, "cannot read the rules of %s", r.chain);
	memcpy(lengths, r.lengths, sizeof r.lengths);
	return r.other ? err_set(why, EUCLEAN, "nft: the rules that look for blocked networks were altered by somebody else") : 0;
}
