/*
 * Reads the messages themselves, attribute by attribute: libnftnl's parsers trust
 * the kernel, and a bundle may come from anywhere. An attribute that has no row
 * here, that comes twice, or whose size is wrong, refuses the batch.
 */
#include "compiler/emit/nft_read.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "compiler/emit/nft_attr.h"
#include "compiler/emit/nft_wire.h"
#include "lang/base/strmap.h"
#include "lang/bundle/nft_name.h"
#include "lang/bundle/nft_tell.h"

#define EXPRS_MAX 64

struct reader {
	struct nft_table *table;
	struct arena *arena;
	struct strmap chains;	       /* by name */
	VEC(struct nft_set *) sets;    /* all, in the order of their messages */
	const struct nft_set *filling; /* the set whose elements are being read */
	VEC(struct addr_range) ranges; /* those read so far, */
	VEC(addr_num) keys;	       /* or their keys when they have several parts, */
	VEC(struct nft_lead) leads;    /* and of maps where they lead */
	struct err *why;
};

static int refuse(struct reader *rd, const char *what)
{
	return err_set(rd->why, EINVAL, "%s has no meaning here", what);
}

/* --- names ------------------------------------------------------------------------ */

/* A name that we print: nothing in it that nft would read otherwise. */
static const char *name_of(struct reader *rd, struct nft_attr a)
{
	const char *name = nft_attr_text(rd->arena, a);

	return name && nft_name_holds(name) ? name : NULL;
}

/* The same behind the letter of its bank. */
static const char *chain_of(struct reader *rd, struct nft_attr a)
{
	const char *name = nft_attr_text(rd->arena, a);

	if (!name || name[0] != BATCH_BANK || name[1] != '_')
		return NULL;
	return nft_name_holds(arena_printf(rd->arena, "a%s", name + 1)) ? name : NULL;
}

/* --- values ---------------------------------------------------------------------- */

static addr_num number_of(struct nft_attr a, unsigned width)
{
	addr_num v = 0;

	for (unsigned i = 0; i < width; i++)
		v = v << 8 | (i < a.len ? a.at[i] : 0);
	return v;
}

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
		*out = number_of(a, row->bytes);
	}
	*len = a.len;
	return true;
}

static struct nft_set *set_by(struct reader *rd, struct nft_attr name, struct nft_attr id)
{
	const char *text = nft_attr_text(rd->arena, name);
	char name_room[NFT_WIRE_NAME_ROOM];
	uint32_t number;

	if (!text || !nft_attr_u32(id, &number))
		return NULL;
	for (size_t i = rd->sets.len; i-- > 0;) {
		struct nft_set *s = rd->sets.at[i];

		if (s->id == number && !strcmp(nft_wire_set_name(s, name_room), text))
			return s;
	}
	return NULL;
}

/* --- expressions: loads ---------------------------------------------------------- */

struct kernel_expr {
	const char *name;
	struct nft_attr data;
};

/* One rule: the kernel's expressions, and what of them is still without a meaning. */
struct raising {
	struct reader *rd;
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

/* The next expression, when it compares the same register downwards: then both are one range. */
static bool upper_end(struct raising *rs, const struct nft_field_row *row, addr_num *hi)
{
	const struct kernel_expr *e = rs->at + 1 < rs->count ? &rs->exprs[rs->at + 1] : NULL;
	struct nft_attr at[NFT_ATTRS_MAX];
	size_t len;

	if (!e || strcmp(e->name, "cmp") || !nft_attrs_of(e->data, CMP_ATTRS, at) ||
	    !nft_attr_says(at[NFTA_CMP_SREG], NFT_REG_1) || !nft_attr_says(at[NFTA_CMP_OP], NFT_CMP_LTE) ||
	    !value_of(row, at[NFTA_CMP_DATA], &len, hi) || len != row->bytes)
		return false;
	rs->at++;
	return true;
}

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
		m->test = upper_end(rs, row, &m->hi) ? NFT_TEST_WITHIN : NFT_TEST_GE;
		return len == row->bytes && push_match(rs);
	}
	return false;
}

/* All loads so far are the key of a look into a map. */
static bool push_look(struct raising *rs, const struct nft_set *map)
{
	struct nft_expr out = { .kind = NFT_EXPR_LOOK };
	struct nft_look *l = &out.look;

	if (rs->load.field == NFT_FIELD_COUNT || !map)
		return false;
	memcpy(l->keys, rs->keys, sizeof rs->keys);
	l->count = rs->key_count + 1;
	l->keys[rs->key_count] = (struct nft_key){ rs->load.field, rs->load.masked, rs->load.mask };
	l->map = map;
	for (unsigned i = 0; i < l->count; i++)
		if (nft_fields[l->keys[i].field].type != (i ? map->part_types[i] : map->type))
			return false;
	rs->load.field = NFT_FIELD_COUNT;
	rs->key_count = rs->words = 0;
	vec_push(rs->rd->arena, &rs->rule->exprs, out);
	return l->count == (map->part_count ? map->part_count : 1);
}

static bool raise_vmap(struct raising *rs, const struct nft_attr *at)
{
	const struct nft_set *map = set_by(rs->rd, at[NFTA_LOOKUP_SET], at[NFTA_LOOKUP_SET_ID]);

	return nft_attr_says(at[NFTA_LOOKUP_SREG], NFT_REG_1) && nft_attr_says(at[NFTA_LOOKUP_DREG], NFT_REG_VERDICT) &&
	       !at[NFTA_LOOKUP_FLAGS].at && map && map->leads == NFT_LEADS_TO_FATE && push_look(rs, map);
}

static bool raise_lookup(struct raising *rs, const struct nft_attr *at)
{
	struct nft_match *m = &rs->load;
	uint32_t flags;

	if (at[NFTA_LOOKUP_DREG].at)
		return raise_vmap(rs, at);
	if (m->field == NFT_FIELD_COUNT || rs->key_count || !nft_attr_says(at[NFTA_LOOKUP_SREG], NFT_REG_1) ||
	    !nft_attr_u32_or_none(at[NFTA_LOOKUP_FLAGS], &flags) || (flags & ~(uint32_t)NFT_LOOKUP_F_INV))
		return false;
	m->set = set_by(rs->rd, at[NFTA_LOOKUP_SET], at[NFTA_LOOKUP_SET_ID]);
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
	       nft_limit_unit(out->unit_s);
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

	if (rs->load.field == NFT_FIELD_COUNT || rs->key_count || !nft_attr_says(at[NFTA_DYNSET_SREG_KEY], NFT_REG_1) ||
	    !nft_attr_u32(at[NFTA_DYNSET_OP], &op) ||
	    (op != NFT_DYNSET_OP_ADD && op != NFT_DYNSET_OP_UPDATE) ||
	    !nft_attr_u64_or_none(at[NFTA_DYNSET_TIMEOUT], &p->timeout_ms))
		return false;
	p->limited = at[NFTA_DYNSET_EXPR].at;
	if (p->limited && !inner_limit(rs, at[NFTA_DYNSET_EXPR], &p->limit))
		return false;
	p->set = set_by(rs->rd, at[NFTA_DYNSET_SET_NAME], at[NFTA_DYNSET_SET_ID]);
	if (!p->set || !p->set->name || p->set->type != nft_fields[rs->load.field].type)
		return false;
	p->update = op == NFT_DYNSET_OP_UPDATE;
	p->key = rs->load.field;
	p->masked = rs->load.masked;
	p->mask = rs->load.mask;
	rs->load.field = NFT_FIELD_COUNT;
	return push_act(rs, out);
}

static bool raise_objref(struct raising *rs, const struct nft_attr *at)
{
	const char *name = name_of(rs->rd, at[NFTA_OBJREF_IMM_NAME]);

	if (at[NFTA_OBJREF_SET_SREG].at) {
		const struct nft_set *map = set_by(rs->rd, at[NFTA_OBJREF_SET_NAME], at[NFTA_OBJREF_SET_ID]);

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
	struct nft_tell t;

	return rs->tells && prefix && nft_tell_parse(&t, prefix) && nft_attr_says16(at[NFTA_LOG_GROUP], NFT_TELL_GROUP) &&
	       nft_attr_says(at[NFTA_LOG_SNAPLEN], NFT_TELL_BYTES) &&
	       push_act(rs, (struct nft_expr){ .kind = NFT_EXPR_TELL, .tell = prefix });
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

static bool lead_of(struct reader *rd, struct nft_attr data, struct nft_lead *out)
{
	struct nft_attr verdict, in[NFT_ATTRS_MAX];
	uint32_t code;
	size_t fate = 0;

	if (!nft_attr_only(data, NFTA_DATA_VERDICT, &verdict) ||
	    !nft_attrs_of(verdict, NFT_ALLOW(NFTA_VERDICT_CODE) | NFT_ALLOW(NFTA_VERDICT_CHAIN), in) ||
	    !nft_attr_u32(in[NFTA_VERDICT_CODE], &code))
		return false;
	while (fate < nft_wire_fate_count && nft_wire_fates[fate] != (int)code)
		fate++;
	if (fate == nft_wire_fate_count)
		return false;
	out->fate = (enum nft_fate)fate;
	out->name = chain_of(rd, in[NFTA_VERDICT_CHAIN]);
	if (in[NFTA_VERDICT_CHAIN].at && !out->name)
		return false;
	return (out->fate == NFT_FATE_JUMP || out->fate == NFT_FATE_GOTO) == (out->name != NULL);
}

static bool raise_immediate(struct raising *rs, const struct nft_attr *at)
{
	struct nft_expr out = { .kind = NFT_EXPR_FATE };
	struct nft_lead lead;

	if (!nft_attr_says(at[NFTA_IMMEDIATE_DREG], NFT_REG_VERDICT) ||
	    !lead_of(rs->rd, at[NFTA_IMMEDIATE_DATA], &lead))
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

static int read_rule(struct reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	struct nft_rule rule = { 0 };
	struct raising rs = {
		.rd = rd, .rule = &rule, .load = { .field = NFT_FIELD_COUNT }, .proto = -1
	};

	if (!nft_attrs_of(message, RULE_ATTRS, at) || !at[NFTA_RULE_EXPRESSIONS].at ||
	    !collect(&rs, at[NFTA_RULE_EXPRESSIONS]))
		return refuse(rd, "a rule's message");
	const char *name = chain_of(rd, at[NFTA_RULE_CHAIN]);
	struct nft_chain *c = name ? strmap_find(&rd->chains, name) : NULL;
	if (!c)
		return refuse(rd, "a rule of a chain that is not there");
	for (; rs.at < rs.count; rs.at++)
		if (raise_one(&rs, &rs.exprs[rs.at]))
			return rd->why->code;
	if (rs.load.field != NFT_FIELD_COUNT)
		return refuse(rd, "a load that nothing tests");
	vec_push(rd->arena, &c->rules, rule);
	return 0;
}

/* --- tables, chains and counters --------------------------------------------------- */

static int read_table(struct reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	return nft_attrs_of(message, NFT_ALLOW(NFTA_TABLE_NAME), at) ? 0 : refuse(rd, "a table's message");
}

static int read_chain(struct reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	struct nft_chain *c = arena_zero(rd->arena, sizeof *c);

	if (!nft_attrs_of(message, NFT_ALLOW(NFTA_CHAIN_TABLE) | NFT_ALLOW(NFTA_CHAIN_NAME), at) ||
	    !(c->name = chain_of(rd, at[NFTA_CHAIN_NAME])) || strmap_find(&rd->chains, c->name))
		return refuse(rd, "a chain's message");
	strmap_put(&rd->chains, c->name, c);
	vec_push(rd->arena, &rd->table->chains, c);
	return 0;
}

/* A counter begins at nothing: one that did not would be printed as one that does. */
static bool counts_from_zero(struct nft_attr data)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	uint64_t bytes, packets;

	return !data.at ||
	       (nft_attrs_of(data, NFT_ALLOW(NFTA_COUNTER_BYTES) | NFT_ALLOW(NFTA_COUNTER_PACKETS), at) &&
		nft_attr_u64_or_none(at[NFTA_COUNTER_BYTES], &bytes) &&
		nft_attr_u64_or_none(at[NFTA_COUNTER_PACKETS], &packets) && !bytes && !packets);
}

#define OBJ_ATTRS                                                                                  \
	(NFT_ALLOW(NFTA_OBJ_TABLE) | NFT_ALLOW(NFTA_OBJ_NAME) | NFT_ALLOW(NFTA_OBJ_TYPE) | NFT_ALLOW(NFTA_OBJ_DATA))

static int read_counter(struct reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	if (!nft_attrs_of(message, OBJ_ATTRS, at) || !nft_attr_says(at[NFTA_OBJ_TYPE], NFT_OBJECT_COUNTER) ||
	    !counts_from_zero(at[NFTA_OBJ_DATA]))
		return refuse(rd, "an object's message");
	const char *name = name_of(rd, at[NFTA_OBJ_NAME]);
	if (!name)
		return refuse(rd, "an object's name");
	vec_push(rd->arena, &rd->table->counters, name);
	return 0;
}

/* --- sets ------------------------------------------------------------------------- */

#define SET_ATTRS                                                                                  \
	(NFT_ALLOW(NFTA_SET_TABLE) | NFT_ALLOW(NFTA_SET_NAME) | NFT_ALLOW(NFTA_SET_FLAGS) |                    \
	 NFT_ALLOW(NFTA_SET_KEY_TYPE) | NFT_ALLOW(NFTA_SET_KEY_LEN) | NFT_ALLOW(NFTA_SET_ID) |                 \
	 NFT_ALLOW(NFTA_SET_DATA_TYPE) | NFT_ALLOW(NFTA_SET_DATA_LEN) | NFT_ALLOW(NFTA_SET_OBJ_TYPE) |         \
	 NFT_ALLOW(NFTA_SET_DESC) | NFT_ALLOW(NFTA_SET_TIMEOUT) | NFT_ALLOW(NFTA_SET_USERDATA))

/* The kinds of set that nft_encode() makes; a map belongs to one rule. */
static bool flags_hold(uint32_t flags)
{
	switch (flags) {
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP | NFT_SET_INTERVAL:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_OBJECT:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_OBJECT | NFT_SET_INTERVAL:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL:
	case NFT_SET_INTERVAL:
	case NFT_SET_EVAL | NFT_SET_TIMEOUT:
		return true;
	}
	return false;
}

static bool type_numbered(uint32_t number, enum nft_type *out)
{
	for (size_t t = 0; t < nft_wire_type_count; t++)
		if (nft_wire_types[t].bytes && nft_wire_types[t].number == number) {
			*out = (enum nft_type)t;
			return true;
		}
	return false;
}

/* A number of several types has the last one in its lowest bits. */
static bool type_of(struct nft_attr number, struct nft_attr bytes, struct nft_set *s)
{
	uint32_t all, numbers[NFT_PARTS_MOST];
	unsigned count = 0;

	if (!nft_attr_u32(number, &all))
		return false;
	do {
		if (count == NFT_PARTS_MOST)
			return false;
		numbers[count++] = all & ((1u << NFT_WIRE_TYPE_BITS) - 1);
		all >>= NFT_WIRE_TYPE_BITS;
	} while (all);
	for (unsigned i = 0; i < count; i++)
		if (!type_numbered(numbers[count - 1 - i], &s->part_types[i]))
			return false;
	s->type = s->part_types[0];
	s->part_count = count > 1 ? count : 0;
	return nft_attr_says(bytes, nft_wire_key_bytes(s));
}

static bool leads_of(uint32_t flags, const struct nft_attr *at, enum nft_leads *out)
{
	*out = flags & NFT_SET_MAP ? NFT_LEADS_TO_FATE : flags & NFT_SET_OBJECT ? NFT_LEADS_TO_COUNTER : NFT_LEADS_NOWHERE;
	switch (*out) {
	case NFT_LEADS_NOWHERE:
		return !at[NFTA_SET_DATA_TYPE].at && !at[NFTA_SET_DATA_LEN].at && !at[NFTA_SET_OBJ_TYPE].at;
	case NFT_LEADS_TO_FATE:
		return nft_attr_says(at[NFTA_SET_DATA_TYPE], NFT_DATA_VERDICT) && nft_attr_says(at[NFTA_SET_DATA_LEN], 0) &&
		       !at[NFTA_SET_OBJ_TYPE].at;
	case NFT_LEADS_TO_COUNTER:
		return nft_attr_says(at[NFTA_SET_OBJ_TYPE], NFT_OBJECT_COUNTER) && !at[NFTA_SET_DATA_TYPE].at &&
		       !at[NFTA_SET_DATA_LEN].at;
	}
	return false;
}

static bool size_of(struct nft_attr desc, uint32_t *out)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	*out = 0;
	return !desc.at || (nft_attrs_of(desc, NFT_ALLOW(NFTA_SET_DESC_SIZE), at) &&
			    nft_attr_u32(at[NFTA_SET_DESC_SIZE], out));
}

static int read_set(struct reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	struct nft_set *s = arena_zero(rd->arena, sizeof *s);
	uint32_t flags, size;

	if (!nft_attrs_of(message, SET_ATTRS, at) || !nft_attr_u32_or_none(at[NFTA_SET_FLAGS], &flags) ||
	    !flags_hold(flags) || !type_of(at[NFTA_SET_KEY_TYPE], at[NFTA_SET_KEY_LEN], s) ||
	    !leads_of(flags, at, &s->leads) || (s->part_count && (!s->leads || (flags & NFT_SET_INTERVAL))) ||
	    !nft_attr_u32(at[NFTA_SET_ID], &s->id) ||
	    !nft_attr_u64_or_none(at[NFTA_SET_TIMEOUT], &s->timeout_ms) ||
	    !size_of(at[NFTA_SET_DESC], &size))
		return refuse(rd, "a set's message");
	s->interval = flags & NFT_SET_INTERVAL;
	s->dynamic = flags & NFT_SET_EVAL;
	s->most = s->dynamic ? size : 0;
	vec_push(rd->arena, &rd->sets, s);
	if (flags & NFT_SET_ANONYMOUS) {
		const char *own_name = nft_attr_text(rd->arena, at[NFTA_SET_NAME]);
		char room[NFT_WIRE_NAME_ROOM];

		return own_name && !strcmp(own_name, nft_wire_set_name(s, room)) ? 0 : refuse(rd, "a set's name");
	}

	s->name = name_of(rd, at[NFTA_SET_NAME]);
	if (!s->name || (s->type != NFT_TYPE_ADDR4 && s->type != NFT_TYPE_ADDR6))
		return refuse(rd, "a set's name");
	vec_push(rd->arena, &rd->table->sets, s);
	return 0;
}

static bool read_lead(struct reader *rd, const struct nft_set *s, const struct nft_attr *at)
{
	struct nft_lead lead = { 0 };

	switch (s->leads) {
	case NFT_LEADS_NOWHERE:
		return !at[NFTA_SET_ELEM_DATA].at && !at[NFTA_SET_ELEM_OBJREF].at;
	case NFT_LEADS_TO_FATE:
		if (at[NFTA_SET_ELEM_OBJREF].at || !lead_of(rd, at[NFTA_SET_ELEM_DATA], &lead))
			return false;
		break;
	case NFT_LEADS_TO_COUNTER:
		lead.name = name_of(rd, at[NFTA_SET_ELEM_OBJREF]);
		if (at[NFTA_SET_ELEM_DATA].at || !lead.name)
			return false;
		break;
	}
	vec_push(rd->arena, &rd->leads, lead);
	return true;
}

/* A key of several parts, each in registers of its own, the rest of them zero. */
static bool read_parts(struct reader *rd, const struct nft_set *s, struct nft_attr key)
{
	const uint8_t *at = key.at;

	for (unsigned i = 0; i < s->part_count; i++) {
		unsigned bytes = nft_wire_types[s->part_types[i]].bytes, room = nft_wire_part_bytes(s->part_types[i]);

		for (unsigned b = bytes; b < room; b++)
			if (at[b])
				return false;
		vec_push(rd->arena, &rd->keys, number_of((struct nft_attr){ at, bytes }, bytes));
		at += room;
	}
	return true;
}

/* A first value begins a range to the end of all, until the one after its last is said. */
static bool read_range(struct reader *rd, const struct nft_set *s, struct nft_attr key, bool ends)
{
	unsigned bytes = nft_wire_types[s->type].bytes;
	addr_num last = bytes == 16 ? ~(addr_num)0 : ((addr_num)1 << (8 * bytes)) - 1;
	addr_num v = number_of(key, bytes);
	struct addr_range *before = rd->ranges.len ? &rd->ranges.at[rd->ranges.len - 1] : NULL;

	if (ends) {
		if (!s->interval || !before || before->hi != last || v <= before->lo)
			return false;
		before->hi = v - 1;
		return true;
	}
	if (before && v <= before->hi)
		return false;
	vec_push(rd->arena, &rd->ranges, ((struct addr_range){ v, s->interval ? last : v }));
	return true;
}

#define ELEMENT_ATTRS                                                                              \
	(NFT_ALLOW(NFTA_SET_ELEM_KEY) | NFT_ALLOW(NFTA_SET_ELEM_FLAGS) | NFT_ALLOW(NFTA_SET_ELEM_DATA) |    \
	 NFT_ALLOW(NFTA_SET_ELEM_OBJREF))

static bool read_element(struct reader *rd, const struct nft_set *s, struct nft_attr element)
{
	struct nft_attr at[NFT_ATTRS_MAX], key;
	uint32_t flags;

	if (!nft_attrs_of(element, ELEMENT_ATTRS, at) || !nft_attr_u32_or_none(at[NFTA_SET_ELEM_FLAGS], &flags) ||
	    (flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END) ||
	    !nft_attr_only(at[NFTA_SET_ELEM_KEY], NFTA_DATA_VALUE, &key) || key.len != nft_wire_key_bytes(s))
		return false;
	if (flags)
		return !at[NFTA_SET_ELEM_DATA].at && !at[NFTA_SET_ELEM_OBJREF].at && !s->part_count &&
		       read_range(rd, s, key, true);
	if (!read_lead(rd, s, at))
		return false;
	return s->part_count ? read_parts(rd, s, key) : read_range(rd, s, key, false);
}

#define LIST_ATTRS                                                                                 \
	(NFT_ALLOW(NFTA_SET_ELEM_LIST_TABLE) | NFT_ALLOW(NFTA_SET_ELEM_LIST_SET) |                         \
	 NFT_ALLOW(NFTA_SET_ELEM_LIST_SET_ID) | NFT_ALLOW(NFTA_SET_ELEM_LIST_ELEMENTS))

static int read_elements(struct reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX], list, one;
	uint16_t type;

	if (!nft_attrs_of(message, LIST_ATTRS, at) || !at[NFTA_SET_ELEM_LIST_ELEMENTS].at)
		return refuse(rd, "a message of elements");
	struct nft_set *s = set_by(rd, at[NFTA_SET_ELEM_LIST_SET], at[NFTA_SET_ELEM_LIST_SET_ID]);
	if (!s || s->dynamic || (s->count && s != rd->filling))
		return refuse(rd, "a list of elements");
	if (s != rd->filling) {
		memset(&rd->ranges, 0, sizeof rd->ranges);
		memset(&rd->keys, 0, sizeof rd->keys);
		memset(&rd->leads, 0, sizeof rd->leads);
	}
	rd->filling = s;
	list = at[NFTA_SET_ELEM_LIST_ELEMENTS];
	while (nft_attr_next(&list, &type, &one))
		if (type != NFTA_LIST_ELEM || !read_element(rd, s, one))
			return refuse(rd, "an element");
	s->ranges = rd->ranges.at;
	s->keys = rd->keys.at;
	s->to = rd->leads.at;
	s->count = s->part_count ? rd->keys.len / s->part_count : rd->ranges.len;
	return list.len ? refuse(rd, "an element") : 0;
}

/* --- all ---------------------------------------------------------------------------- */

static int read_message(struct reader *rd, const struct nlmsghdr *h)
{
	size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct nft_attr body = { (const uint8_t *)h + head, h->nlmsg_len - head };

	switch (NFNL_MSG_TYPE(h->nlmsg_type)) {
	case NFT_MSG_NEWTABLE:
		return read_table(rd, body);
	case NFT_MSG_NEWOBJ:
		return read_counter(rd, body);
	case NFT_MSG_NEWSET:
		return read_set(rd, body);
	case NFT_MSG_NEWSETELEM:
		return read_elements(rd, body);
	case NFT_MSG_NEWCHAIN:
		return read_chain(rd, body);
	case NFT_MSG_NEWRULE:
		return read_rule(rd, body);
	}
	return refuse(rd, "a message of this kind");
}

/* All messages are about one table of one family. */
static bool family_of(struct reader *rd, const struct nlmsghdr *h, bool first)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	enum nft_table_kind kind =
		g->nfgen_family == NFT_WIRE_INET ? NFT_TABLE_INET : NFT_TABLE_NETDEV;

	if (first)
		rd->table->kind = kind;
	return rd->table->kind == kind;
}

int nft_read(struct nft_table *out, struct arena *a, const struct batch *b, struct err *why)
{
	struct reader rd = { .table = out, .arena = a, .why = why };
	int rc = batch_check(b, NFT_TABLE_NAME, why);

	if (rc)
		return rc;
	*out = (struct nft_table){ .arena = a };
	strmap_init(&rd.chains, a);
	for (size_t at = 0; at < b->len;) {
		const struct nlmsghdr *h = (const void *)(b->messages + at);

		rc = family_of(&rd, h, !at) ? read_message(&rd, h) : refuse(&rd, "a second table");
		if (rc)
			return err_in(why, "message at byte %zu", at);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return 0;
}
