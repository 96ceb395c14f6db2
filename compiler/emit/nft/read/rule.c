/* Rules: the kernel's expressions, raised to ours. */
#include "compiler/emit/nft/read/reader.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/emit/nft/wire.h"
#include "compiler/ir/ir.h"
#include "lang/bundle/nft_tell.h"

#define EXPRS_MAX 64

/* --- values ---------------------------------------------------------------------- */

static bool value_of(const struct nft_field_row *row, struct nft_attr nest, size_t *len, addr_num *out)
{
	struct nft_attr a;

	if (!nft_attr_only(nest, NFTA_DATA_VALUE, &a) || !a.len || a.len > row->bytes)
		return false;
	if (row->host) {
		uint32_t native;

		if (a.len != sizeof native)
			return false;
		memcpy(&native, a.at, sizeof native);
		*out = native;
	} else {
		*out = nft_reader_number(a, row->bytes);
	}
	*len = a.len;
	return true;
}

/* --- expressions: loads ---------------------------------------------------------- */

struct kernel_expr {
	const char *name;
	struct nft_attr data;
};

/* One rule: the kernel's expressions, and what of them is still without a meaning. */
struct raising {
	struct nft_reader *rd;
	struct nft_rule *rule;
	struct kernel_expr exprs[EXPRS_MAX];
	size_t count, at;
	struct nft_match load; /* the last one; field NFT_FIELD_COUNT: none that is not tested */
	struct nft_key keys[NFT_PARTS_MOST]; /* those before it, parts of the same key */
	unsigned key_count, words;	     /* of four bytes, that these parts fill */
	int proto;	       /* the one the rule has asked for, or -1 */
	bool tells;	       /* as often as a rule may */
};

static enum nft_field field_at(const struct raising *rs, enum nft_load load, uint32_t key,
			       uint32_t at, uint32_t bytes)
{
	for (int f = 0; f < NFT_FIELD_COUNT; f++) {
		const struct nft_field_row *row = &nft_fields[f];

		if (row->load == load && row->key == key && row->at == at &&
		    (!bytes || row->bytes == bytes) && (!row->proto || row->proto == rs->proto))
			return (enum nft_field)f;
	}
	return NFT_FIELD_COUNT;
}

/* As nft writes it: the first of all registers by its number of old. */
static uint32_t register_of(const struct raising *rs)
{
	return rs->words ? NFT_REG32_00 + rs->words : NFT_REG_1;
}

/* A load behind another one is the next part of a key. */
static bool dreg_holds(struct raising *rs, struct nft_attr dreg)
{
	if (rs->load.field != NFT_FIELD_COUNT) {
		if (rs->key_count + 1 == NFT_PARTS_MOST)
			return false;
		rs->keys[rs->key_count++] = (struct nft_key){ rs->load.field, rs->load.masked, rs->load.mask };
		rs->words += nft_wire_part_bytes(nft_fields[rs->load.field].type) / 4;
	}
	return nft_attr_says(dreg, register_of(rs));
}

static bool take_load(struct raising *rs, enum nft_field f)
{
	if (f == NFT_FIELD_COUNT)
		return false;
	rs->load = (struct nft_match){ .field = f, .bytes = nft_fields[f].bytes };
	return true;
}

static bool raise_meta(struct raising *rs, const struct nft_attr *at)
{
	uint32_t key;

	return dreg_holds(rs, at[NFTA_META_DREG]) && nft_attr_u32(at[NFTA_META_KEY], &key) &&
	       take_load(rs, field_at(rs, NFT_LOAD_META, key, 0, 0));
}

static bool raise_payload(struct raising *rs, const struct nft_attr *at)
{
	uint32_t base, offset, len;

	return dreg_holds(rs, at[NFTA_PAYLOAD_DREG]) && nft_attr_u32(at[NFTA_PAYLOAD_BASE], &base) &&
	       nft_attr_u32(at[NFTA_PAYLOAD_OFFSET], &offset) && nft_attr_u32(at[NFTA_PAYLOAD_LEN], &len) &&
	       len && take_load(rs, field_at(rs, NFT_LOAD_PAYLOAD, base, offset, len));
}

static bool raise_exthdr(struct raising *rs, const struct nft_attr *at)
{
	struct nft_attr type = at[NFTA_EXTHDR_TYPE];
	uint32_t offset, len;

	return dreg_holds(rs, at[NFTA_EXTHDR_DREG]) && type.at && type.len == 1 &&
	       nft_attr_u32(at[NFTA_EXTHDR_OFFSET], &offset) && nft_attr_u32(at[NFTA_EXTHDR_LEN], &len) &&
	       len && (!at[NFTA_EXTHDR_OP].at || nft_attr_says(at[NFTA_EXTHDR_OP], NFT_EXTHDR_OP_IPV6)) &&
	       take_load(rs, field_at(rs, NFT_LOAD_EXTHDR, type.at[0], offset, len));
}

static bool raise_ct(struct raising *rs, const struct nft_attr *at)
{
	uint32_t key;

	return dreg_holds(rs, at[NFTA_CT_DREG]) && nft_attr_u32(at[NFTA_CT_KEY], &key) &&
	       take_load(rs, field_at(rs, NFT_LOAD_CT, key, 0, 0));
}

static bool raise_fib(struct raising *rs, const struct nft_attr *at)
{
	uint32_t flags;

	return dreg_holds(rs, at[NFTA_FIB_DREG]) &&
	       nft_attr_says(at[NFTA_FIB_RESULT], NFT_FIB_RESULT_ADDRTYPE) &&
	       nft_attr_u32(at[NFTA_FIB_FLAGS], &flags) &&
	       take_load(rs, field_at(rs, NFT_LOAD_FIB, flags, 0, 0));
}

/* Of the fields in one place, the one that is this part of it. */
static enum nft_field field_in_part(enum nft_field f, addr_num mask)
{
	const struct nft_field_row *is = &nft_fields[f];

	for (int other = 0; is->part && other < NFT_FIELD_COUNT; other++) {
		const struct nft_field_row *row = &nft_fields[other];

		if (row->load == is->load && row->key == is->key && row->at == is->at && row->bytes == is->bytes &&
		    row->part == mask)
			return (enum nft_field)other;
	}
	return f;
}

static bool raise_bitwise(struct raising *rs, const struct nft_attr *at)
{
	struct nft_match *m = &rs->load;
	addr_num xor ;
	size_t mask_len, xor_len;

	if (m->field == NFT_FIELD_COUNT || m->masked)
		return false;
	const struct nft_field_row *row = &nft_fields[m->field];
	m->masked = true;
	if (!nft_attr_says(at[NFTA_BITWISE_SREG], register_of(rs)) || !nft_attr_says(at[NFTA_BITWISE_DREG], register_of(rs)) ||
	    (at[NFTA_BITWISE_OP].at && !nft_attr_says(at[NFTA_BITWISE_OP], NFT_BITWISE_BOOL)) ||
	    !nft_attr_says(at[NFTA_BITWISE_LEN], row->bytes) ||
	    !value_of(row, at[NFTA_BITWISE_MASK], &mask_len, &m->mask) || mask_len != row->bytes ||
	    !value_of(row, at[NFTA_BITWISE_XOR], &xor_len, &xor) || xor_len != row->bytes || xor)
		return false;
	m->field = field_in_part(m->field, m->mask);
	return true;
}

/* --- expressions: tests ---------------------------------------------------------- */

static bool push_match(struct raising *rs)
{
	struct nft_match m = rs->load;

	vec_push(rs->rd->arena, &rs->rule->exprs,
		 ((struct nft_expr){ .kind = NFT_EXPR_MATCH, .match = m }));
	if (m.field == NFT_FIELD_L4PROTO && m.test == NFT_TEST_EQ)
		rs->proto = (int)m.lo;
	rs->load.field = NFT_FIELD_COUNT;
	return true;
}

#define CMP_ATTRS (NFT_ALLOW(NFTA_CMP_SREG) | NFT_ALLOW(NFTA_CMP_OP) | NFT_ALLOW(NFTA_CMP_DATA))

/* Of a name compared by its first bytes, the rest is anything. */
static addr_num last_of(const struct nft_match *m)
{
	unsigned rest = 8u * (nft_fields[m->field].bytes - m->bytes);

	return rest ? m->lo | (~(addr_num)0 >> (128 - rest)) : m->lo;
}

static bool raise_cmp(struct raising *rs, const struct nft_attr *at)
{
	struct nft_match *m = &rs->load;
	uint32_t op;
	size_t len;

	if (m->field == NFT_FIELD_COUNT || rs->key_count)
		return false;
	const struct nft_field_row *row = &nft_fields[m->field];
	if (!nft_attr_says(at[NFTA_CMP_SREG], NFT_REG_1) || !nft_attr_u32(at[NFTA_CMP_OP], &op) ||
	    !value_of(row, at[NFTA_CMP_DATA], &len, &m->lo) ||
	    (len != row->bytes && row->type != NFT_TYPE_IFNAME))
		return false;
	m->bytes = (uint8_t)len;
	m->hi = last_of(m);
	switch (op) {
	case NFT_CMP_EQ:
		m->test = NFT_TEST_EQ;
		return push_match(rs);
	case NFT_CMP_NEQ:
		m->test = NFT_TEST_NE;
		return push_match(rs);
	case NFT_CMP_GTE:
		m->test = NFT_TEST_GE;
		return len == row->bytes && push_match(rs);
	}
	return false;
}

static bool raise_range(struct raising *rs, const struct nft_attr *at)
{
	struct nft_match *m = &rs->load;
	size_t lo_len, hi_len;

	if (m->field == NFT_FIELD_COUNT || rs->key_count || m->masked)
		return false;
	const struct nft_field_row *row = &nft_fields[m->field];
	m->test = NFT_TEST_WITHIN;
	return nft_attr_says(at[NFTA_RANGE_SREG], NFT_REG_1) && nft_attr_says(at[NFTA_RANGE_OP], NFT_RANGE_EQ) &&
	       value_of(row, at[NFTA_RANGE_FROM_DATA], &lo_len, &m->lo) && lo_len == row->bytes &&
	       value_of(row, at[NFTA_RANGE_TO_DATA], &hi_len, &m->hi) && hi_len == row->bytes && m->lo <= m->hi && push_match(rs);
}

/* All loads so far are the key of a look into the set. */
static bool take_keys(struct raising *rs, const struct nft_set *set, struct nft_key **out, unsigned *count)
{
	struct nft_key *keys = *out = arena_copy(rs->rd->arena, rs->keys, sizeof rs->keys);

	if (rs->load.field == NFT_FIELD_COUNT || !set)
		return false;
	*count = rs->key_count + 1;
	keys[rs->key_count] = (struct nft_key){ rs->load.field, rs->load.masked, rs->load.mask };
	for (unsigned i = 0; i < *count; i++)
		if (nft_fields[keys[i].field].type != (i ? set->part_types[i] : set->type))
			return false;
	rs->load.field = NFT_FIELD_COUNT;
	rs->key_count = rs->words = 0;
	return *count == (set->part_count ? set->part_count : 1);
}

static bool push_look(struct raising *rs, const struct nft_set *map)
{
	struct nft_expr out = { .kind = NFT_EXPR_LOOK, .look.map = map };

	if (!take_keys(rs, map, &out.look.keys, &out.look.count))
		return false;
	vec_push(rs->rd->arena, &rs->rule->exprs, out);
	return true;
}

static bool raise_vmap(struct raising *rs, const struct nft_attr *at)
{
	const struct nft_set *map = nft_reader_set_by(rs->rd, at[NFTA_LOOKUP_SET], at[NFTA_LOOKUP_SET_ID]);

	return nft_attr_says(at[NFTA_LOOKUP_SREG], NFT_REG_1) && nft_attr_says(at[NFTA_LOOKUP_DREG], NFT_REG_VERDICT) &&
	       !at[NFTA_LOOKUP_FLAGS].at && map && map->leads == NFT_LEADS_TO_FATE && push_look(rs, map);
}

/* In the set, which rules fill, or not, by a key of several parts. */
static bool raise_filled(struct raising *rs, const struct nft_attr *at)
{
	const struct nft_set *set = nft_reader_set_by(rs->rd, at[NFTA_LOOKUP_SET], at[NFTA_LOOKUP_SET_ID]);
	uint32_t flags;

	if (!nft_attr_says(at[NFTA_LOOKUP_SREG], NFT_REG_1) || !nft_attr_u32_or_none(at[NFTA_LOOKUP_FLAGS], &flags) ||
	    (flags & ~(uint32_t)NFT_LOOKUP_F_INV) || !set || !set->dynamic || !push_look(rs, set))
		return false;
	rs->rule->exprs.at[rs->rule->exprs.len - 1].look.absent = flags;
	return true;
}

static bool raise_lookup(struct raising *rs, const struct nft_attr *at)
{
	struct nft_match *m = &rs->load;
	uint32_t flags;

	if (at[NFTA_LOOKUP_DREG].at)
		return raise_vmap(rs, at);
	if (rs->key_count)
		return raise_filled(rs, at);
	if (m->field == NFT_FIELD_COUNT || !nft_attr_says(at[NFTA_LOOKUP_SREG], NFT_REG_1) ||
	    !nft_attr_u32_or_none(at[NFTA_LOOKUP_FLAGS], &flags) || (flags & ~(uint32_t)NFT_LOOKUP_F_INV))
		return false;
	m->set = nft_reader_set_by(rs->rd, at[NFTA_LOOKUP_SET], at[NFTA_LOOKUP_SET_ID]);
	if (!m->set || m->set->type != nft_fields[m->field].type || m->set->leads || m->set->part_count > 1)
		return false;
	m->test = flags ? NFT_TEST_NOT_IN : NFT_TEST_IN;
	return push_match(rs);
}

/* --- expressions: acts ----------------------------------------------------------- */

static bool push_act(struct raising *rs, struct nft_expr e)
{
	vec_push(rs->rd->arena, &rs->rule->exprs, e);
	return true;
}

#define LIMIT_ATTRS                                                                                \
	(NFT_ALLOW(NFTA_LIMIT_RATE) | NFT_ALLOW(NFTA_LIMIT_UNIT) | NFT_ALLOW(NFTA_LIMIT_BURST) |               \
	 NFT_ALLOW(NFTA_LIMIT_TYPE) | NFT_ALLOW(NFTA_LIMIT_FLAGS))

static bool limit_of(const struct nft_attr *at, struct nft_limit *out)
{
	out->bytes = nft_attr_says(at[NFTA_LIMIT_TYPE], NFT_LIMIT_PKT_BYTES);
	return nft_attr_u64_or_none(at[NFTA_LIMIT_RATE], &out->rate) &&
	       nft_attr_u64_or_none(at[NFTA_LIMIT_UNIT], &out->unit_s) &&
	       nft_attr_u32(at[NFTA_LIMIT_BURST], &out->burst) &&
	       (out->bytes || nft_attr_says(at[NFTA_LIMIT_TYPE], NFT_LIMIT_PKTS)) &&
	       nft_attr_says(at[NFTA_LIMIT_FLAGS], NFT_LIMIT_F_INV) && out->rate &&
	       ir_unit_name(out->unit_s);
}

static bool raise_limit(struct raising *rs, const struct nft_attr *at)
{
	struct nft_expr out = { .kind = NFT_EXPR_LIMIT };

	return limit_of(at, &out.limit) && push_act(rs, out);
}

#define EXPR_ATTRS (NFT_ALLOW(NFTA_EXPR_NAME) | NFT_ALLOW(NFTA_EXPR_DATA))

/* The limit that each element of a meter has. */
static bool inner_limit(struct raising *rs, struct nft_attr nest, struct nft_limit *out)
{
	struct nft_attr at[NFT_ATTRS_MAX], data[NFT_ATTRS_MAX];

	if (!nft_attrs_of(nest, EXPR_ATTRS, at) || !at[NFTA_EXPR_DATA].at)
		return false;
	const char *name = nft_attr_text(rs->rd->arena, at[NFTA_EXPR_NAME]);
	return name && !strcmp(name, "limit") && nft_attrs_of(at[NFTA_EXPR_DATA], LIMIT_ATTRS, data) &&
	       limit_of(data, out);
}

static bool raise_dynset(struct raising *rs, const struct nft_attr *at)
{
	struct nft_expr out = { .kind = NFT_EXPR_PLACE };
	struct nft_place *p = &out.place;
	uint32_t op;

	if (!nft_attr_says(at[NFTA_DYNSET_SREG_KEY], NFT_REG_1) ||
	    !nft_attr_u32(at[NFTA_DYNSET_OP], &op) ||
	    (op != NFT_DYNSET_OP_ADD && op != NFT_DYNSET_OP_UPDATE) ||
	    !nft_attr_u64_or_none(at[NFTA_DYNSET_TIMEOUT], &p->timeout_ms))
		return false;
	p->limited = at[NFTA_DYNSET_EXPR].at;
	if (p->limited && !inner_limit(rs, at[NFTA_DYNSET_EXPR], &p->limit))
		return false;
	p->set = nft_reader_set_by(rs->rd, at[NFTA_DYNSET_SET_NAME], at[NFTA_DYNSET_SET_ID]);
	p->update = op == NFT_DYNSET_OP_UPDATE;
	if (!p->set || !p->set->name || !take_keys(rs, p->set, &p->keys, &p->count))
		return false;
	return push_act(rs, out);
}

static bool raise_objref(struct raising *rs, const struct nft_attr *at)
{
	const char *name = nft_reader_name(rs->rd, at[NFTA_OBJREF_IMM_NAME]);

	if (at[NFTA_OBJREF_SET_SREG].at) {
		const struct nft_set *map = nft_reader_set_by(rs->rd, at[NFTA_OBJREF_SET_NAME], at[NFTA_OBJREF_SET_ID]);

		return nft_attr_says(at[NFTA_OBJREF_SET_SREG], NFT_REG_1) && !at[NFTA_OBJREF_IMM_NAME].at &&
		       !at[NFTA_OBJREF_IMM_TYPE].at && map && map->leads == NFT_LEADS_TO_COUNTER && push_look(rs, map);
	}
	return name && nft_attr_says(at[NFTA_OBJREF_IMM_TYPE], NFT_OBJECT_COUNTER) &&
	       push_act(rs, (struct nft_expr){ .kind = NFT_EXPR_COUNTER, .counter = name });
}

static bool raise_log(struct raising *rs, const struct nft_attr *at)
{
	const char *prefix = nft_attr_text(rs->rd->arena, at[NFTA_LOG_PREFIX]);

	for (const char *c = prefix; c && *c; c++)
		if (*c < ' ' || *c > '~' || *c == '"')
			return false;
	return prefix && push_act(rs, (struct nft_expr){ .kind = NFT_EXPR_LOG, .log = prefix });
}

/* How often a rule tells: the log that it is for must follow. */
static bool raise_bound(struct raising *rs, const struct nft_attr *at)
{
	struct nft_limit l;

	rs->tells = nft_attr_u64_or_none(at[NFTA_LIMIT_RATE], &l.rate) && l.rate == NFT_TELL_RATE &&
		    nft_attr_u64_or_none(at[NFTA_LIMIT_UNIT], &l.unit_s) && l.unit_s == 1 &&
		    nft_attr_says(at[NFTA_LIMIT_BURST], NFT_TELL_BURST) && nft_attr_says(at[NFTA_LIMIT_TYPE], NFT_LIMIT_PKTS) &&
		    nft_attr_says(at[NFTA_LIMIT_FLAGS], 0) && rs->at + 1 < rs->count && !strcmp(rs->exprs[rs->at + 1].name, "log");
	return rs->tells;
}

static bool raise_tell(struct raising *rs, const struct nft_attr *at)
{
	const char *prefix = nft_attr_text(rs->rd->arena, at[NFTA_LOG_PREFIX]);
	const bool bounded = rs->tells;
	struct nft_tell t;

	rs->tells = false;
	return prefix && nft_tell_parse(&t, prefix) && nft_attr_says16(at[NFTA_LOG_GROUP], NFT_TELL_GROUP) &&
	       nft_attr_says(at[NFTA_LOG_SNAPLEN], NFT_TELL_BYTES) &&
	       push_act(rs, (struct nft_expr){ .kind = NFT_EXPR_TELL, .tell = { prefix, bounded } });
}

#define NG_ATTRS (NFT_ALLOW(NFTA_NG_DREG) | NFT_ALLOW(NFTA_NG_MODULUS) | NFT_ALLOW(NFTA_NG_TYPE) | NFT_ALLOW(NFTA_NG_OFFSET))

/* One of so many: the lot, and the comparison behind it. */
static bool raise_numgen(struct raising *rs, const struct nft_attr *at)
{
	struct nft_expr out = { .kind = NFT_EXPR_ONE_OF };
	const struct kernel_expr *next = rs->at + 1 < rs->count ? &rs->exprs[rs->at + 1] : NULL;
	struct nft_attr cmp[NFT_ATTRS_MAX], value;
	uint32_t offset;

	if (rs->load.field != NFT_FIELD_COUNT || !next || strcmp(next->name, "cmp") || !nft_attrs_of(next->data, CMP_ATTRS, cmp) ||
	    !nft_attr_says(at[NFTA_NG_DREG], NFT_REG_1) || !nft_attr_u32(at[NFTA_NG_MODULUS], &out.one_of) || out.one_of < 2 ||
	    !nft_attr_says(at[NFTA_NG_TYPE], NFT_NG_RANDOM) || !nft_attr_u32_or_none(at[NFTA_NG_OFFSET], &offset) || offset ||
	    !nft_attr_says(cmp[NFTA_CMP_SREG], NFT_REG_1) || !nft_attr_says(cmp[NFTA_CMP_OP], NFT_CMP_EQ) ||
	    !nft_attr_only(cmp[NFTA_CMP_DATA], NFTA_DATA_VALUE, &value) || value.len != 4 || nft_reader_number(value, 4))
		return false;
	rs->at++;
	return push_act(rs, out);
}

static bool raise_synproxy(struct raising *rs, const struct nft_attr *at)
{
	struct nft_expr out = { .kind = NFT_EXPR_SYNPROXY };
	const struct nft_attr mss = at[NFTA_SYNPROXY_MSS], scale = at[NFTA_SYNPROXY_WSCALE];

	if (mss.len != sizeof out.synproxy_mss || scale.len != 1 || scale.at[0] ||
	    !nft_attr_says(at[NFTA_SYNPROXY_FLAGS], NFT_WIRE_SYNPROXY_FLAGS))
		return false;
	out.synproxy_mss = (uint16_t)nft_reader_number(mss, mss.len);
	return push_act(rs, out);
}

static bool raise_reject(struct raising *rs, const struct nft_attr *at)
{
	struct nft_expr out = { .kind = NFT_EXPR_REJECT };
	struct nft_attr code = at[NFTA_REJECT_ICMP_CODE];

	if (code.at && code.len != 1)
		return false;
	if (nft_attr_says(at[NFTA_REJECT_TYPE], NFT_REJECT_TCP_RST))
		out.reject = NFT_REJECT_WITH_RESET;
	else if (nft_attr_says(at[NFTA_REJECT_TYPE], NFT_REJECT_ICMPX_UNREACH) && code.at &&
		 code.at[0] == NFT_REJECT_ICMPX_ADMIN_PROHIBITED)
		out.reject = NFT_REJECT_WITH_ICMP;
	else
		return false;
	return push_act(rs, out);
}

static bool raise_immediate(struct raising *rs, const struct nft_attr *at)
{
	struct nft_expr out = { .kind = NFT_EXPR_FATE };
	struct nft_lead lead;

	if (!nft_attr_says(at[NFTA_IMMEDIATE_DREG], NFT_REG_VERDICT) ||
	    !nft_reader_lead(rs->rd, at[NFTA_IMMEDIATE_DATA], &lead))
		return false;
	out.fate = lead.fate;
	out.chain = lead.name;
	return push_act(rs, out);
}

static const struct {
	const char *name;
	uint32_t attrs;
	bool (*raise)(struct raising *rs, const struct nft_attr *at);
} raisers[] = {
	{ "meta", NFT_ALLOW(NFTA_META_DREG) | NFT_ALLOW(NFTA_META_KEY), raise_meta },
	{ "payload",
	  NFT_ALLOW(NFTA_PAYLOAD_DREG) | NFT_ALLOW(NFTA_PAYLOAD_BASE) | NFT_ALLOW(NFTA_PAYLOAD_OFFSET) |
		  NFT_ALLOW(NFTA_PAYLOAD_LEN),
	  raise_payload },
	{ "exthdr",
	  NFT_ALLOW(NFTA_EXTHDR_DREG) | NFT_ALLOW(NFTA_EXTHDR_TYPE) | NFT_ALLOW(NFTA_EXTHDR_OFFSET) |
		  NFT_ALLOW(NFTA_EXTHDR_LEN) | NFT_ALLOW(NFTA_EXTHDR_OP),
	  raise_exthdr },
	{ "ct", NFT_ALLOW(NFTA_CT_DREG) | NFT_ALLOW(NFTA_CT_KEY), raise_ct },
	{ "fib", NFT_ALLOW(NFTA_FIB_DREG) | NFT_ALLOW(NFTA_FIB_RESULT) | NFT_ALLOW(NFTA_FIB_FLAGS), raise_fib },
	{ "bitwise",
	  NFT_ALLOW(NFTA_BITWISE_SREG) | NFT_ALLOW(NFTA_BITWISE_DREG) | NFT_ALLOW(NFTA_BITWISE_LEN) |
		  NFT_ALLOW(NFTA_BITWISE_OP) | NFT_ALLOW(NFTA_BITWISE_MASK) | NFT_ALLOW(NFTA_BITWISE_XOR),
	  raise_bitwise },
	{ "cmp", CMP_ATTRS, raise_cmp },
	{ "range",
	  NFT_ALLOW(NFTA_RANGE_SREG) | NFT_ALLOW(NFTA_RANGE_OP) | NFT_ALLOW(NFTA_RANGE_FROM_DATA) | NFT_ALLOW(NFTA_RANGE_TO_DATA),
	  raise_range },
	{ "lookup",
	  NFT_ALLOW(NFTA_LOOKUP_SREG) | NFT_ALLOW(NFTA_LOOKUP_DREG) | NFT_ALLOW(NFTA_LOOKUP_SET) |
		  NFT_ALLOW(NFTA_LOOKUP_SET_ID) | NFT_ALLOW(NFTA_LOOKUP_FLAGS),
	  raise_lookup },
	{ "limit", LIMIT_ATTRS, raise_limit },
	{ "dynset",
	  NFT_ALLOW(NFTA_DYNSET_SREG_KEY) | NFT_ALLOW(NFTA_DYNSET_SET_NAME) | NFT_ALLOW(NFTA_DYNSET_SET_ID) |
		  NFT_ALLOW(NFTA_DYNSET_OP) | NFT_ALLOW(NFTA_DYNSET_TIMEOUT) | NFT_ALLOW(NFTA_DYNSET_EXPR),
	  raise_dynset },
	{ "objref",
	  NFT_ALLOW(NFTA_OBJREF_IMM_TYPE) | NFT_ALLOW(NFTA_OBJREF_IMM_NAME) | NFT_ALLOW(NFTA_OBJREF_SET_SREG) |
		  NFT_ALLOW(NFTA_OBJREF_SET_NAME) | NFT_ALLOW(NFTA_OBJREF_SET_ID),
	  raise_objref },
	{ "log", NFT_ALLOW(NFTA_LOG_PREFIX), raise_log },
	{ "numgen", NG_ATTRS, raise_numgen },
	{ "synproxy", NFT_ALLOW(NFTA_SYNPROXY_MSS) | NFT_ALLOW(NFTA_SYNPROXY_WSCALE) | NFT_ALLOW(NFTA_SYNPROXY_FLAGS), raise_synproxy },
	{ "limit", LIMIT_ATTRS, raise_bound },
	{ "log", NFT_ALLOW(NFTA_LOG_PREFIX) | NFT_ALLOW(NFTA_LOG_GROUP) | NFT_ALLOW(NFTA_LOG_SNAPLEN), raise_tell },
	{ "reject", NFT_ALLOW(NFTA_REJECT_TYPE) | NFT_ALLOW(NFTA_REJECT_ICMP_CODE), raise_reject },
	{ "immediate", NFT_ALLOW(NFTA_IMMEDIATE_DREG) | NFT_ALLOW(NFTA_IMMEDIATE_DATA), raise_immediate },
};

static int raise_one(struct raising *rs, const struct kernel_expr *e)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	for (size_t i = 0; i < sizeof raisers / sizeof *raisers; i++)
		if (!strcmp(raisers[i].name, e->name) && nft_attrs_of(e->data, raisers[i].attrs, at) &&
		    raisers[i].raise(rs, at))
			return 0;
	return err_set(rs->rd->why, EINVAL,
		       "expression %.20s, as it is written, has no meaning here", e->name);
}

/* --- rules ------------------------------------------------------------------------ */

static bool collect(struct raising *rs, struct nft_attr list)
{
	struct nft_attr one, at[NFT_ATTRS_MAX];
	uint16_t type;

	while (nft_attr_next(&list, &type, &one)) {
		struct kernel_expr *e = &rs->exprs[rs->count];

		if (rs->count == EXPRS_MAX || type != NFTA_LIST_ELEM ||
		    !nft_attrs_of(one, EXPR_ATTRS, at))
			return false;
		e->name = nft_attr_text(rs->rd->arena, at[NFTA_EXPR_NAME]);
		e->data = at[NFTA_EXPR_DATA];
		if (!e->name || !e->data.at)
			return false;
		rs->count++;
	}
	return !list.len;
}

#define RULE_ATTRS (NFT_ALLOW(NFTA_RULE_TABLE) | NFT_ALLOW(NFTA_RULE_CHAIN) | NFT_ALLOW(NFTA_RULE_EXPRESSIONS))

int nft_reader_rule(struct nft_reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	struct nft_rule rule = { 0 };
	struct raising rs = {
		.rd = rd, .rule = &rule, .load = { .field = NFT_FIELD_COUNT }, .proto = -1
	};

	if (!nft_attrs_of(message, RULE_ATTRS, at) || !at[NFTA_RULE_EXPRESSIONS].at ||
	    !collect(&rs, at[NFTA_RULE_EXPRESSIONS]))
		return nft_reader_refuse(rd, "a rule's message");
	const char *name = nft_reader_chain_name(rd, at[NFTA_RULE_CHAIN]);
	struct nft_chain *c = name ? strmap_find(&rd->chains, name) : NULL;
	if (!c)
		return nft_reader_refuse(rd, "a rule of a chain that is not there");
	for (; rs.at < rs.count; rs.at++)
		if (raise_one(&rs, &rs.exprs[rs.at]))
			return rd->why->code;
	if (rs.load.field != NFT_FIELD_COUNT)
		return nft_reader_refuse(rd, "a load that nothing tests");
	vec_push(rd->arena, &c->rules, rule);
	return 0;
}
