/* A rule's expressions as the kernel has them. */
#include "compiler/emit/nft/message/message.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/emit/nft/wire.h"
#include "lang/bundle/nft_tell.h"

/* --- values ---------------------------------------------------------------------- */

/* The field's bytes as the kernel loads them into a register. */
static void value_bytes(const struct nft_field_row *row, addr_num v, uint8_t out[static 16])
{
	if (row->host) {
		uint32_t native = (uint32_t)v;
		memcpy(out, &native, sizeof native);
		return;
	}
	for (unsigned i = 0; i < row->bytes; i++)
		out[i] = (uint8_t)(v >> (8 * (row->bytes - 1 - i)));
}

/* One expression: an element of the list, in it its name and its own attributes. */
struct expr {
	struct nlattr *element, *data;
};

static struct expr expr_begin(struct nlmsghdr *h, uint16_t type, const char *name)
{
	struct expr e = { .element = mnl_attr_nest_start(h, type) };

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return e;
}

static struct expr expr_of_rule(struct nlmsghdr *h, const char *name)
{
	return expr_begin(h, NFTA_LIST_ELEM, name);
}

static void expr_end(struct nlmsghdr *h, struct expr e)
{
	mnl_attr_nest_end(h, e.data);
	mnl_attr_nest_end(h, e.element);
}

static void put_value(struct nlmsghdr *h, uint16_t type, const void *bytes, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, bytes);
	mnl_attr_nest_end(h, nest);
}

/* By words of four bytes; the first is written as nft does (nft_parse_register() of the kernel). */
static uint32_t register_at(unsigned word)
{
	return word ? NFT_REG32_00 + word : NFT_REG_1;
}

static void put_load(struct nlmsghdr *h, const struct nft_field_row *row, uint32_t reg)
{
	static const char *const names[] = {
		[NFT_LOAD_META] = "meta", [NFT_LOAD_PAYLOAD] = "payload", [NFT_LOAD_EXTHDR] = "exthdr",
		[NFT_LOAD_CT] = "ct",	  [NFT_LOAD_FIB] = "fib",
	};
	const struct expr e = expr_of_rule(h, names[row->load]);

	switch (row->load) {
	case NFT_LOAD_META:
		nft_message_u32(h, NFTA_META_KEY, row->key);
		nft_message_u32(h, NFTA_META_DREG, reg);
		break;
	case NFT_LOAD_PAYLOAD:
		nft_message_u32(h, NFTA_PAYLOAD_DREG, reg);
		nft_message_u32(h, NFTA_PAYLOAD_BASE, row->key);
		nft_message_u32(h, NFTA_PAYLOAD_OFFSET, row->at);
		nft_message_u32(h, NFTA_PAYLOAD_LEN, row->bytes);
		break;
	case NFT_LOAD_EXTHDR:
		nft_message_u32(h, NFTA_EXTHDR_DREG, reg);
		mnl_attr_put_u8(h, NFTA_EXTHDR_TYPE, row->key);
		nft_message_u32(h, NFTA_EXTHDR_OFFSET, row->at);
		nft_message_u32(h, NFTA_EXTHDR_LEN, row->bytes);
		nft_message_u32(h, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
		break;
	case NFT_LOAD_CT:
		nft_message_u32(h, NFTA_CT_KEY, row->key);
		nft_message_u32(h, NFTA_CT_DREG, reg);
		break;
	case NFT_LOAD_FIB:
		nft_message_u32(h, NFTA_FIB_FLAGS, row->key);
		nft_message_u32(h, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
		nft_message_u32(h, NFTA_FIB_DREG, reg);
		break;
	}
	expr_end(h, e);
}

static void put_mask(struct nlmsghdr *h, const struct nft_field_row *row, addr_num mask, uint32_t reg)
{
	const struct expr e = expr_of_rule(h, "bitwise");
	uint8_t bytes[16], zero[16] = { 0 };

	value_bytes(row, mask, bytes);
	nft_message_u32(h, NFTA_BITWISE_SREG, reg);
	nft_message_u32(h, NFTA_BITWISE_DREG, reg);
	nft_message_u32(h, NFTA_BITWISE_OP, NFT_BITWISE_BOOL);
	nft_message_u32(h, NFTA_BITWISE_LEN, row->bytes);
	put_value(h, NFTA_BITWISE_MASK, bytes, row->bytes);
	put_value(h, NFTA_BITWISE_XOR, zero, row->bytes);
	expr_end(h, e);
}

static void put_cmp_bytes(struct nlmsghdr *h, uint32_t op, const void *bytes, size_t len)
{
	const struct expr e = expr_of_rule(h, "cmp");

	nft_message_u32(h, NFTA_CMP_SREG, NFT_REG_1);
	nft_message_u32(h, NFTA_CMP_OP, op);
	put_value(h, NFTA_CMP_DATA, bytes, len);
	expr_end(h, e);
}

static void put_cmp(struct nlmsghdr *h, const struct nft_match *m, uint32_t op)
{
	uint8_t bytes[16];

	value_bytes(&nft_fields[m->field], m->lo, bytes);
	put_cmp_bytes(h, op, bytes, m->bytes);
}

static void put_range_test(struct nlmsghdr *h, const struct nft_match *m)
{
	const struct expr e = expr_of_rule(h, "range");
	uint8_t bytes[16];

	nft_message_u32(h, NFTA_RANGE_SREG, NFT_REG_1);
	nft_message_u32(h, NFTA_RANGE_OP, NFT_RANGE_EQ);
	value_bytes(&nft_fields[m->field], m->lo, bytes);
	put_value(h, NFTA_RANGE_FROM_DATA, bytes, m->bytes);
	value_bytes(&nft_fields[m->field], m->hi, bytes);
	put_value(h, NFTA_RANGE_TO_DATA, bytes, m->bytes);
	expr_end(h, e);
}

/* Of a map of verdicts, what is found is the verdict. */
static void put_lookup(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_set *s, bool inverted)
{
	const struct expr e = expr_of_rule(h, "lookup");
	char name[NFT_WIRE_NAME_ROOM];

	nft_message_u32(h, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (s->leads == NFT_LEADS_TO_FATE)
		nft_message_u32(h, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	nft_message_name(ms, h, NFTA_LOOKUP_SET, nft_wire_set_name(s, name));
	nft_message_u32(h, NFTA_LOOKUP_SET_ID, s->id);
	if (inverted)
		nft_message_u32(h, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expr_end(h, e);
}

/* --- expressions ----------------------------------------------------------------- */

static void put_match(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_match *m)
{
	const struct nft_field_row *row = &nft_fields[m->field];

	put_load(h, row, NFT_REG_1);
	if (m->masked)
		put_mask(h, row, m->mask, NFT_REG_1);

	switch (m->test) {
	case NFT_TEST_EQ:
		put_cmp(h, m, NFT_CMP_EQ);
		return;
	case NFT_TEST_NE:
		put_cmp(h, m, NFT_CMP_NEQ);
		return;
	case NFT_TEST_GE:
		put_cmp(h, m, NFT_CMP_GTE);
		return;
	case NFT_TEST_WITHIN:
		put_range_test(h, m);
		return;
	case NFT_TEST_IN:
	case NFT_TEST_NOT_IN:
		put_lookup(ms, h, m->set, m->test == NFT_TEST_NOT_IN);
		return;
	}
}

/* The parts of a key, one behind the other. */
static void put_keys(struct nlmsghdr *h, const struct nft_key *keys, unsigned count)
{
	unsigned word = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct nft_field_row *row = &nft_fields[keys[i].field];

		put_load(h, row, register_at(word));
		if (keys[i].masked)
			put_mask(h, row, keys[i].mask, register_at(word));
		word += nft_wire_part_bytes(row->type) / 4;
	}
}

/* A look into a map of counters is an "objref" that takes the counter's name from there. */
static void put_counter_of(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_set *map)
{
	const struct expr e = expr_of_rule(h, "objref");
	char name[NFT_WIRE_NAME_ROOM];

	nft_message_u32(h, NFTA_OBJREF_SET_SREG, NFT_REG_1);
	nft_message_bare_name(ms, h, NFTA_OBJREF_SET_NAME, nft_wire_set_name(map, name));
	nft_message_u32(h, NFTA_OBJREF_SET_ID, map->id);
	expr_end(h, e);
}

static void put_look(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_look *l)
{
	put_keys(h, l->keys, l->count);
	switch (l->map->leads) {
	case NFT_LEADS_NOWHERE:
		put_lookup(ms, h, l->map, l->absent);
		return;
	case NFT_LEADS_TO_FATE:
		put_lookup(ms, h, l->map, false);
		return;
	case NFT_LEADS_TO_COUNTER:
		put_counter_of(ms, h, l->map);
		return;
	}
}

static void put_rate(struct nlmsghdr *h, const struct nft_limit *l, uint32_t flags)
{
	nft_message_u64(h, NFTA_LIMIT_RATE, l->rate);
	nft_message_u64(h, NFTA_LIMIT_UNIT, l->unit_s);
	nft_message_u32(h, NFTA_LIMIT_BURST, l->burst);
	nft_message_u32(h, NFTA_LIMIT_TYPE, l->bytes ? NFT_LIMIT_PKT_BYTES : NFT_LIMIT_PKTS);
	nft_message_u32(h, NFTA_LIMIT_FLAGS, flags);
}

static void put_limit(struct nlmsghdr *h, uint16_t type, const struct nft_limit *l)
{
	const struct expr e = expr_begin(h, type, "limit");

	put_rate(h, l, NFT_LIMIT_F_INV);
	expr_end(h, e);
}

static void put_place(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_place *p)
{
	put_keys(h, p->keys, p->count);

	const struct expr e = expr_of_rule(h, "dynset");
	nft_message_u32(h, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
	nft_message_u32(h, NFTA_DYNSET_OP, p->update ? NFT_DYNSET_OP_UPDATE : NFT_DYNSET_OP_ADD);
	if (p->timeout_ms)
		nft_message_u64(h, NFTA_DYNSET_TIMEOUT, p->timeout_ms);
	nft_message_name(ms, h, NFTA_DYNSET_SET_NAME, p->set->name);
	nft_message_u32(h, NFTA_DYNSET_SET_ID, p->set->id);
	if (p->limited)
		put_limit(h, NFTA_DYNSET_EXPR, &p->limit);
	expr_end(h, e);
}

static void put_counter(struct nft_messages *ms, struct nlmsghdr *h, const char *name)
{
	const struct expr e = expr_of_rule(h, "objref");

	nft_message_u32(h, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nft_message_bare_name(ms, h, NFTA_OBJREF_IMM_NAME, name);
	expr_end(h, e);
}

static void put_log(struct nlmsghdr *h, const char *prefix)
{
	const struct expr e = expr_of_rule(h, "log");

	mnl_attr_put_strz(h, NFTA_LOG_PREFIX, prefix);
	expr_end(h, e);
}

static void put_one_of(struct nlmsghdr *h, uint32_t count)
{
	const struct expr lot = expr_of_rule(h, "numgen");
	const uint32_t zero = 0;

	nft_message_u32(h, NFTA_NG_DREG, NFT_REG_1);
	nft_message_u32(h, NFTA_NG_MODULUS, count);
	nft_message_u32(h, NFTA_NG_TYPE, NFT_NG_RANDOM);
	expr_end(h, lot);
	put_cmp_bytes(h, NFT_CMP_EQ, &zero, sizeof zero);
}

static void put_tell(struct nlmsghdr *h, const struct nft_line *line)
{
	struct expr e;

	if (line->bounded) {
		e = expr_of_rule(h, "limit");
		put_rate(h, &(struct nft_limit){ .rate = NFT_TELL_RATE, .unit_s = 1, .burst = NFT_TELL_BURST }, 0);
		expr_end(h, e);
	}
	e = expr_of_rule(h, "log");
	mnl_attr_put_strz(h, NFTA_LOG_PREFIX, line->prefix);
	mnl_attr_put_u16(h, NFTA_LOG_GROUP, htons(NFT_TELL_GROUP));
	nft_message_u32(h, NFTA_LOG_SNAPLEN, NFT_TELL_BYTES);
	expr_end(h, e);
}

static void put_reject(struct nlmsghdr *h, enum nft_reject with)
{
	const struct expr e = expr_of_rule(h, "reject");

	switch (with) {
	case NFT_REJECT_WITH_RESET:
		nft_message_u32(h, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
		mnl_attr_put_u8(h, NFTA_REJECT_ICMP_CODE, 0);
		break;
	case NFT_REJECT_WITH_ICMP:
		nft_message_u32(h, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
		mnl_attr_put_u8(h, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
		break;
	}
	expr_end(h, e);
}

/* Without window scaling, which cannot be had for both ends unless one knows the server's. */
static void put_synproxy(struct nlmsghdr *h, uint16_t mss)
{
	const struct expr e = expr_of_rule(h, "synproxy");

	mnl_attr_put_u16(h, NFTA_SYNPROXY_MSS, htons(mss));
	mnl_attr_put_u8(h, NFTA_SYNPROXY_WSCALE, 0);
	nft_message_u32(h, NFTA_SYNPROXY_FLAGS, NFT_WIRE_SYNPROXY_FLAGS);
	expr_end(h, e);
}

static void put_fate(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_expr *x)
{
	const struct expr e = expr_of_rule(h, "immediate");

	nft_message_u32(h, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	nft_message_verdict(ms, h, NFTA_IMMEDIATE_DATA, (uint32_t)nft_wire_fates[x->fate], x->chain);
	expr_end(h, e);
}

static void put_expr(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_expr *e)
{
	switch (e->kind) {
	case NFT_EXPR_MATCH:
		put_match(ms, h, &e->match);
		return;
	case NFT_EXPR_LOOK:
		put_look(ms, h, &e->look);
		return;
	case NFT_EXPR_COUNTER:
		put_counter(ms, h, e->counter);
		return;
	case NFT_EXPR_LIMIT:
		put_limit(h, NFTA_LIST_ELEM, &e->limit);
		return;
	case NFT_EXPR_PLACE:
		put_place(ms, h, &e->place);
		return;
	case NFT_EXPR_ONE_OF:
		put_one_of(h, e->one_of);
		return;
	case NFT_EXPR_TELL:
		put_tell(h, &e->tell);
		return;
	case NFT_EXPR_LOG:
		put_log(h, e->log);
		return;
	case NFT_EXPR_REJECT:
		put_reject(h, e->reject);
		return;
	case NFT_EXPR_SYNPROXY:
		put_synproxy(h, e->synproxy_mss);
		return;
	case NFT_EXPR_FATE:
		put_fate(ms, h, e);
		return;
	}
}

void nft_message_exprs(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_rule *rule)
{
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);

	for (size_t i = 0; i < rule->exprs.len; i++)
		put_expr(ms, h, &rule->exprs.at[i]);
	mnl_attr_nest_end(h, list);
}
