#include "compiler/emit/nft_encode_expr.h"

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft_wire.h"
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

static struct nftnl_expr *expr_new(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e)
		abort(); /* out of memory, as everywhere in tegc */
	if (r)
		nftnl_rule_add_expr(r, e);
	return e;
}

/* By words of four bytes; the first is written as nft does (nft_parse_register() of the kernel). */
static uint32_t register_at(unsigned word)
{
	return word ? NFT_REG32_00 + word : NFT_REG_1;
}

static void put_load(struct nftnl_rule *r, const struct nft_field_row *row, uint32_t reg)
{
	struct nftnl_expr *e;

	switch (row->load) {
	case NFT_LOAD_META:
		e = expr_new(r, "meta");
		nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, row->key);
		nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
		return;
	case NFT_LOAD_PAYLOAD:
		e = expr_new(r, "payload");
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, row->key);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, row->at);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, row->bytes);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
		return;
	case NFT_LOAD_EXTHDR:
		e = expr_new(r, "exthdr");
		nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, row->key);
		nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OFFSET, row->at);
		nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_LEN, row->bytes);
		nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
		nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_DREG, reg);
		return;
	case NFT_LOAD_CT:
		e = expr_new(r, "ct");
		nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, row->key);
		nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, reg);
		return;
	case NFT_LOAD_FIB:
		e = expr_new(r, "fib");
		nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, row->key);
		nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
		nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, reg);
		return;
	}
}

static void put_mask(struct nftnl_rule *r, const struct nft_field_row *row, addr_num mask, uint32_t reg)
{
	struct nftnl_expr *e = expr_new(r, "bitwise");
	uint8_t bytes[16], zero[16] = { 0 };

	value_bytes(row, mask, bytes);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, row->bytes);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, bytes, row->bytes);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, row->bytes);
}

static void put_cmp(struct nftnl_rule *r, const struct nft_match *m, uint32_t op, addr_num v)
{
	struct nftnl_expr *e = expr_new(r, "cmp");
	uint8_t bytes[16];

	value_bytes(&nft_fields[m->field], v, bytes);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, bytes, m->bytes);
}

static void put_range_test(struct nftnl_rule *r, const struct nft_match *m)
{
	struct nftnl_expr *e = expr_new(r, "range");
	uint8_t bytes[16];

	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_OP, NFT_RANGE_EQ);
	value_bytes(&nft_fields[m->field], m->lo, bytes);
	nftnl_expr_set(e, NFTNL_EXPR_RANGE_FROM_DATA, bytes, m->bytes);
	value_bytes(&nft_fields[m->field], m->hi, bytes);
	nftnl_expr_set(e, NFTNL_EXPR_RANGE_TO_DATA, bytes, m->bytes);
}

static void put_lookup(struct nftnl_rule *r, const struct nft_set *s, bool inverted)
{
	struct nftnl_expr *e = expr_new(r, "lookup");
	char name[NFT_WIRE_NAME_ROOM];

	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, nft_wire_set_name(s, name));
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, s->id);
	if (inverted)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

/* --- expressions ----------------------------------------------------------------- */

static void put_match(struct nftnl_rule *r, const struct nft_match *m)
{
	const struct nft_field_row *row = &nft_fields[m->field];

	put_load(r, row, NFT_REG_1);
	if (m->masked)
		put_mask(r, row, m->mask, NFT_REG_1);

	switch (m->test) {
	case NFT_TEST_EQ:
		put_cmp(r, m, NFT_CMP_EQ, m->lo);
		return;
	case NFT_TEST_NE:
		put_cmp(r, m, NFT_CMP_NEQ, m->lo);
		return;
	case NFT_TEST_GE:
		put_cmp(r, m, NFT_CMP_GTE, m->lo);
		return;
	case NFT_TEST_WITHIN:
		put_range_test(r, m);
		return;
	case NFT_TEST_IN:
	case NFT_TEST_NOT_IN:
		put_lookup(r, m->set, m->test == NFT_TEST_NOT_IN);
		return;
	}
}

/* The parts of a key, one behind the other. */
static void put_keys(struct nftnl_rule *r, const struct nft_key *keys, unsigned count)
{
	unsigned word = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct nft_field_row *row = &nft_fields[keys[i].field];

		put_load(r, row, register_at(word));
		if (keys[i].masked)
			put_mask(r, row, keys[i].mask, register_at(word));
		word += nft_wire_part_bytes(row->type) / 4;
	}
}

/* A look into a map of counters is an "objref" that takes the counter's name from there. */
static void put_look(struct nftnl_rule *r, const struct nft_look *l)
{
	struct nftnl_expr *e;
	char name[NFT_WIRE_NAME_ROOM];

	put_keys(r, l->keys, l->count);
	if (l->map->leads == NFT_LEADS_NOWHERE) {
		put_lookup(r, l->map, l->absent);
		return;
	}
	if (l->map->leads == NFT_LEADS_TO_COUNTER) {
		e = expr_new(r, "objref");
		nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_SET_SREG, NFT_REG_1);
		nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_SET_NAME, nft_wire_set_name(l->map, name));
		nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_SET_ID, l->map->id);
		return;
	}
	e = expr_new(r, "lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, nft_wire_set_name(l->map, name));
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, l->map->id);
}

static struct nftnl_expr *limit_new(struct nftnl_rule *r, const struct nft_limit *l)
{
	struct nftnl_expr *e = expr_new(r, "limit");

	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, l->rate);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, l->unit_s);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, l->burst);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, l->bytes ? NFT_LIMIT_PKT_BYTES : NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
	return e;
}

static void put_place(struct nftnl_rule *r, const struct nft_place *p)
{
	put_keys(r, p->keys, p->count);

	struct nftnl_expr *e = expr_new(r, "dynset");
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP,
			   p->update ? NFT_DYNSET_OP_UPDATE : NFT_DYNSET_OP_ADD);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, p->set->name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SET_ID, p->set->id);
	if (p->timeout_ms)
		nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, p->timeout_ms);
	if (p->limited)
		nftnl_expr_add_expr(e, NFTNL_EXPR_DYNSET_EXPR, limit_new(NULL, &p->limit));
}

static void put_counter(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = expr_new(r, "objref");

	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, name);
}

static void put_log(struct nftnl_rule *r, const char *prefix)
{
	nftnl_expr_set_str(expr_new(r, "log"), NFTNL_EXPR_LOG_PREFIX, prefix);
}

static void put_one_of(struct nftnl_rule *r, uint32_t count)
{
	const uint32_t zero = 0;
	struct nftnl_expr *lot = expr_new(r, "numgen"), *cmp = expr_new(r, "cmp");

	nftnl_expr_set_u32(lot, NFTNL_EXPR_NG_DREG, NFT_REG_1);
	nftnl_expr_set_u32(lot, NFTNL_EXPR_NG_MODULUS, count);
	nftnl_expr_set_u32(lot, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, &zero, sizeof zero);
}

static void put_tell(struct nftnl_rule *r, const struct nft_line *line)
{
	if (line->bounded) {
		struct nftnl_expr *limit = expr_new(r, "limit");

		nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, NFT_TELL_RATE);
		nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, 1);
		nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_BURST, NFT_TELL_BURST);
		nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
		nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_FLAGS, 0);
	}

	struct nftnl_expr *log = expr_new(r, "log");

	nftnl_expr_set_str(log, NFTNL_EXPR_LOG_PREFIX, line->prefix);
	nftnl_expr_set_u16(log, NFTNL_EXPR_LOG_GROUP, NFT_TELL_GROUP);
	nftnl_expr_set_u32(log, NFTNL_EXPR_LOG_SNAPLEN, NFT_TELL_BYTES);
}

static void put_reject(struct nftnl_rule *r, enum nft_reject with)
{
	struct nftnl_expr *e = expr_new(r, "reject");

	switch (with) {
	case NFT_REJECT_WITH_RESET:
		nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
		nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, 0);
		return;
	case NFT_REJECT_WITH_ICMP:
		nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
		nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
		return;
	}
}

/* Without window scaling, which cannot be had for both ends unless one knows the server's. */
static void put_synproxy(struct nftnl_rule *r, uint16_t mss)
{
	struct nftnl_expr *e = expr_new(r, "synproxy");

	nftnl_expr_set_u16(e, NFTNL_EXPR_SYNPROXY_MSS, mss);
	nftnl_expr_set_u8(e, NFTNL_EXPR_SYNPROXY_WSCALE, 0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_SYNPROXY_FLAGS, NFT_WIRE_SYNPROXY_FLAGS);
}

static void put_fate(struct nftnl_rule *r, const struct nft_expr *x)
{
	struct nftnl_expr *e = expr_new(r, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)nft_wire_fates[x->fate]);
	if (x->chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, x->chain);
}

static void put_expr(struct nftnl_rule *r, const struct nft_expr *e)
{
	switch (e->kind) {
	case NFT_EXPR_MATCH:
		put_match(r, &e->match);
		return;
	case NFT_EXPR_LOOK:
		put_look(r, &e->look);
		return;
	case NFT_EXPR_COUNTER:
		put_counter(r, e->counter);
		return;
	case NFT_EXPR_LIMIT:
		limit_new(r, &e->limit);
		return;
	case NFT_EXPR_PLACE:
		put_place(r, &e->place);
		return;
	case NFT_EXPR_ONE_OF:
		put_one_of(r, e->one_of);
		return;
	case NFT_EXPR_TELL:
		put_tell(r, &e->tell);
		return;
	case NFT_EXPR_LOG:
		put_log(r, e->log);
		return;
	case NFT_EXPR_REJECT:
		put_reject(r, e->reject);
		return;
	case NFT_EXPR_SYNPROXY:
		put_synproxy(r, e->synproxy_mss);
		return;
	case NFT_EXPR_FATE:
		put_fate(r, e);
		return;
	}
}

void nft_encode_exprs(struct nftnl_rule *out, const struct nft_rule *rule)
{
	for (size_t i = 0; i < rule->exprs.len; i++)
		put_expr(out, &rule->exprs.at[i]);
}
