#include "compiler/emit/nft_read.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft_wire.h"
#include "lang/base/strmap.h"

#define EXPRS_MAX 64

struct reader {
	struct nft_table *table;
	struct arena *arena;
	struct strmap chains;	       /* by name */
	VEC(struct nft_set *) sets;    /* all, in the order of their messages */
	const struct nft_set *filling; /* the set whose elements are being read */
	VEC(struct addr_range) ranges; /* those read so far */
	struct err *why;
};

/* One rule: the kernel's expressions, and what of them is still without a meaning. */
struct raising {
	struct reader *rd;
	struct nft_rule *rule;
	struct nftnl_expr *exprs[EXPRS_MAX];
	const struct nlattr *raw[EXPRS_MAX]; /* the same in the message */
	size_t count, raw_count, at;
	struct nft_match load; /* what register 1 holds; field NFT_FIELD_COUNT: nothing */
	int proto;	       /* the one the rule has asked for, or -1 */
};

static int refuse(struct reader *rd, const char *what)
{
	return err_set(rd->why, EINVAL, "%s has no meaning here", what);
}

static const char *keep(struct reader *rd, const char *s)
{
	return arena_strdup(rd->arena, s ? s : "");
}

/* --- values ---------------------------------------------------------------------- */

static addr_num number_of(const uint8_t *bytes, uint32_t len, unsigned width)
{
	addr_num v = 0;

	for (unsigned i = 0; i < width; i++)
		v = v << 8 | (i < len ? bytes[i] : 0);
	return v;
}

static bool value_of(const struct nft_field_row *row, const void *bytes, uint32_t len,
		     addr_num *out)
{
	if (!bytes || !len || len > row->bytes || (row->host && len != sizeof(uint32_t)))
		return false;
	if (row->host) {
		uint32_t native;

		memcpy(&native, bytes, sizeof native);
		*out = native;
	} else {
		*out = number_of(bytes, len, row->bytes);
	}
	return true;
}

static struct nft_set *set_by(struct reader *rd, const char *name, uint32_t id)
{
	for (size_t i = rd->sets.len; i-- > 0;) {
		struct nft_set *s = rd->sets.at[i];

		if (s->id == id && !strcmp(s->name ? s->name : NFT_WIRE_ANONYMOUS, name))
			return s;
	}
	return NULL;
}

/* --- expressions: loads ---------------------------------------------------------- */

static bool reg1(struct nftnl_expr *e, uint16_t attr)
{
	return nftnl_expr_get_u32(e, attr) == NFT_REG_1;
}

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

static int take_load(struct raising *rs, enum nft_field f, bool sound, const char *what)
{
	if (!sound || f == NFT_FIELD_COUNT)
		return refuse(rs->rd, what);
	rs->load = (struct nft_match){ .field = f, .bytes = nft_fields[f].bytes };
	return 0;
}

static int raise_meta(struct raising *rs, struct nftnl_expr *e)
{
	return take_load(
		rs, field_at(rs, NFT_LOAD_META, nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY), 0, 0),
		reg1(e, NFTNL_EXPR_META_DREG), "a meta expression");
}

static int raise_payload(struct raising *rs, struct nftnl_expr *e)
{
	return take_load(rs,
			 field_at(rs, NFT_LOAD_PAYLOAD,
				  nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE),
				  nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET),
				  nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN)),
			 reg1(e, NFTNL_EXPR_PAYLOAD_DREG), "a payload expression");
}

static int raise_exthdr(struct raising *rs, struct nftnl_expr *e)
{
	return take_load(rs,
			 field_at(rs, NFT_LOAD_EXTHDR, nftnl_expr_get_u8(e, NFTNL_EXPR_EXTHDR_TYPE),
				  nftnl_expr_get_u32(e, NFTNL_EXPR_EXTHDR_OFFSET),
				  nftnl_expr_get_u32(e, NFTNL_EXPR_EXTHDR_LEN)),
			 reg1(e, NFTNL_EXPR_EXTHDR_DREG) &&
				 nftnl_expr_get_u32(e, NFTNL_EXPR_EXTHDR_OP) ==
					 NFT_EXTHDR_OP_IPV6 &&
				 !nftnl_expr_get_u32(e, NFTNL_EXPR_EXTHDR_FLAGS),
			 "an exthdr expression");
}

static int raise_ct(struct raising *rs, struct nftnl_expr *e)
{
	return take_load(rs,
			 field_at(rs, NFT_LOAD_CT, nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY), 0, 0),
			 reg1(e, NFTNL_EXPR_CT_DREG) && !nftnl_expr_is_set(e, NFTNL_EXPR_CT_DIR),
			 "a ct expression");
}

static int raise_fib(struct raising *rs, struct nftnl_expr *e)
{
	return take_load(
		rs, field_at(rs, NFT_LOAD_FIB, nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_FLAGS), 0, 0),
		reg1(e, NFTNL_EXPR_FIB_DREG) &&
			nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_RESULT) == NFT_FIB_RESULT_ADDRTYPE,
		"a fib expression");
}

static int raise_bitwise(struct raising *rs, struct nftnl_expr *e)
{
	static const uint8_t zero[16];
	const struct nft_field_row *row;
	uint32_t mask_len = 0, xor_len = 0;
	const void *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	const void * xor = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &xor_len);

	if (rs->load.field == NFT_FIELD_COUNT || rs->load.masked)
		return refuse(rs->rd, "a bitwise expression after no load");
	row = &nft_fields[rs->load.field];
	if (!reg1(e, NFTNL_EXPR_BITWISE_SREG) || !reg1(e, NFTNL_EXPR_BITWISE_DREG) ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_LEN) != row->bytes || mask_len != row->bytes ||
	    xor_len != row->bytes || memcmp(xor, zero, xor_len) ||
	    !value_of(row, mask, mask_len, &rs->load.mask))
		return refuse(rs->rd, "a bitwise expression");
	rs->load.masked = true;
	return 0;
}

/* --- expressions: tests -------------------------------------------------------------- */

static int push_match(struct raising *rs)
{
	struct nft_match m = rs->load;

	vec_push(rs->rd->arena, &rs->rule->exprs,
		 ((struct nft_expr){ .kind = NFT_EXPR_MATCH, .match = m }));
	if (m.field == NFT_FIELD_L4PROTO && m.test == NFT_TEST_EQ)
		rs->proto = (int)m.lo;
	rs->load.field = NFT_FIELD_COUNT;
	return 0;
}

/* The next expression, when it compares the same register downwards: then both are one range. */
static bool upper_end(struct raising *rs, const struct nft_field_row *row, addr_num *hi)
{
	struct nftnl_expr *e = rs->at + 1 < rs->count ? rs->exprs[rs->at + 1] : NULL;
	uint32_t len = 0;

	if (!e || strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "cmp") ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP) != NFT_CMP_LTE ||
	    !reg1(e, NFTNL_EXPR_CMP_SREG))
		return false;
	const void *bytes = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
	if (len != row->bytes || !value_of(row, bytes, len, hi))
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

static int raise_cmp(struct raising *rs, struct nftnl_expr *e)
{
	struct nft_match *m = &rs->load;
	uint32_t len = 0;
	const void *bytes = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);

	if (m->field == NFT_FIELD_COUNT)
		return refuse(rs->rd, "a cmp expression after no load");

	const struct nft_field_row *row = &nft_fields[m->field];
	if (!reg1(e, NFTNL_EXPR_CMP_SREG) || !value_of(row, bytes, len, &m->lo) ||
	    (len != row->bytes && row->type != NFT_TYPE_IFNAME))
		return refuse(rs->rd, "a cmp expression");
	m->bytes = (uint8_t)len;
	m->hi = last_of(m);
	switch (nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP)) {
	case NFT_CMP_EQ:
		m->test = NFT_TEST_EQ;
		return push_match(rs);
	case NFT_CMP_NEQ:
		m->test = NFT_TEST_NE;
		return push_match(rs);
	case NFT_CMP_GTE:
		m->test = upper_end(rs, row, &m->hi) ? NFT_TEST_WITHIN : NFT_TEST_GE;
		return push_match(rs);
	}
	return refuse(rs->rd, "a comparison of this kind");
}

static int raise_lookup(struct raising *rs, struct nftnl_expr *e)
{
	struct nft_match *m = &rs->load;
	uint32_t flags = nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_FLAGS);
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET);

	if (m->field == NFT_FIELD_COUNT || !name || !reg1(e, NFTNL_EXPR_LOOKUP_SREG) ||
	    (flags & ~(uint32_t)NFT_LOOKUP_F_INV) || nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG))
		return refuse(rs->rd, "a lookup expression");
	m->set = set_by(rs->rd, name, nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_SET_ID));
	if (!m->set || m->set->type != nft_fields[m->field].type)
		return refuse(rs->rd, "a lookup in a set that is not there");
	m->test = flags ? NFT_TEST_NOT_IN : NFT_TEST_IN;
	return push_match(rs);
}

/* --- expressions: acts ----------------------------------------------------------- */

static bool limit_of(struct nftnl_expr *e, struct nft_limit *out)
{
	*out = (struct nft_limit){
		.rate = nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_RATE),
		.unit_s = nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_UNIT),
		.burst = nftnl_expr_get_u32(e, NFTNL_EXPR_LIMIT_BURST),
	};
	return !strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "limit") &&
	       nftnl_expr_get_u32(e, NFTNL_EXPR_LIMIT_TYPE) == NFT_LIMIT_PKTS &&
	       nftnl_expr_get_u32(e, NFTNL_EXPR_LIMIT_FLAGS) == NFT_LIMIT_F_INV;
}

static int push_act(struct raising *rs, struct nft_expr e)
{
	vec_push(rs->rd->arena, &rs->rule->exprs, e);
	return 0;
}

static int raise_limit(struct raising *rs, struct nftnl_expr *e)
{
	struct nft_expr out = { .kind = NFT_EXPR_LIMIT };

	if (!limit_of(e, &out.limit))
		return refuse(rs->rd, "a limit of this kind");
	return push_act(rs, out);
}

struct inner {
	struct nft_place *place;
	unsigned count;
	bool sound;
};

static int read_inner(struct nftnl_expr *e, void *to)
{
	struct inner *in = to;

	in->count++;
	in->sound = limit_of(e, &in->place->limit);
	return 0;
}

static int raise_dynset(struct raising *rs, struct nftnl_expr *e)
{
	struct nft_expr out = { .kind = NFT_EXPR_PLACE };
	struct nft_place *p = &out.place;
	struct inner in = { p, 0, true };
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_DYNSET_OP);
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_DYNSET_SET_NAME);

	if (rs->load.field == NFT_FIELD_COUNT || !name || !reg1(e, NFTNL_EXPR_DYNSET_SREG_KEY) ||
	    nftnl_expr_is_set(e, NFTNL_EXPR_DYNSET_SREG_DATA) ||
	    (op != NFT_DYNSET_OP_ADD && op != NFT_DYNSET_OP_UPDATE))
		return refuse(rs->rd, "a dynset expression");
	nftnl_expr_expr_foreach(e, read_inner, &in);
	p->set = set_by(rs->rd, name, nftnl_expr_get_u32(e, NFTNL_EXPR_DYNSET_SET_ID));
	if (!p->set || in.count > 1 || !in.sound)
		return refuse(rs->rd, "a dynset expression");
	p->limited = in.count;
	p->update = op == NFT_DYNSET_OP_UPDATE;
	p->timeout_ms = nftnl_expr_get_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT);
	p->key = rs->load.field;
	p->masked = rs->load.masked;
	p->mask = rs->load.mask;
	rs->load.field = NFT_FIELD_COUNT;
	return push_act(rs, out);
}

/* libnftnl writes this name without a NUL, and reads it as if it had one: taken from the message.
 */
static const char *object_name(struct raising *rs)
{
	const struct nlattr *data, *name;

	mnl_attr_for_each_nested(data, rs->raw[rs->at])
	{
		if (mnl_attr_get_type(data) != NFTA_EXPR_DATA)
			continue;
		mnl_attr_for_each_nested(name, data) if (
			mnl_attr_get_type(name) ==
			NFTA_OBJREF_IMM_NAME) return arena_strndup(rs->rd->arena,
								   mnl_attr_get_payload(name),
								   mnl_attr_get_payload_len(name));
	}
	return NULL;
}

static int raise_objref(struct raising *rs, struct nftnl_expr *e)
{
	const char *name = object_name(rs);

	if (!name || nftnl_expr_get_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE) != NFT_OBJECT_COUNTER)
		return refuse(rs->rd, "an object of this kind");
	return push_act(rs, (struct nft_expr){ .kind = NFT_EXPR_COUNTER, .counter = name });
}

static int raise_reject(struct raising *rs, struct nftnl_expr *e)
{
	struct nft_expr out = { .kind = NFT_EXPR_REJECT };
	uint32_t type = nftnl_expr_get_u32(e, NFTNL_EXPR_REJECT_TYPE);
	uint8_t code = nftnl_expr_get_u8(e, NFTNL_EXPR_REJECT_CODE);

	if (type == NFT_REJECT_TCP_RST && !code)
		out.reject = NFT_REJECT_WITH_RESET;
	else if (type == NFT_REJECT_ICMPX_UNREACH && code == NFT_REJECT_ICMPX_ADMIN_PROHIBITED)
		out.reject = NFT_REJECT_WITH_ICMP;
	else
		return refuse(rs->rd, "a reject of this kind");
	return push_act(rs, out);
}

static int raise_immediate(struct raising *rs, struct nftnl_expr *e)
{
	struct nft_expr out = { .kind = NFT_EXPR_FATE };
	int code = (int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT);
	const char *chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);
	size_t fate = 0;

	while (fate < nft_wire_fate_count && nft_wire_fates[fate] != code)
		fate++;
	if (fate == nft_wire_fate_count ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT)
		return refuse(rs->rd, "a verdict of this kind");
	out.fate = (enum nft_fate)fate;
	if ((out.fate == NFT_FATE_JUMP || out.fate == NFT_FATE_GOTO) != (chain != NULL) ||
	    (chain && chain[0] != BATCH_BANK))
		return refuse(rs->rd, "a verdict's chain");
	out.chain = chain ? keep(rs->rd, chain) : NULL;
	return push_act(rs, out);
}

static const struct {
	const char *name;
	int (*raise)(struct raising *rs, struct nftnl_expr *e);
} raisers[] = {
	{ "meta", raise_meta },
	{ "payload", raise_payload },
	{ "exthdr", raise_exthdr },
	{ "ct", raise_ct },
	{ "fib", raise_fib },
	{ "bitwise", raise_bitwise },
	{ "cmp", raise_cmp },
	{ "lookup", raise_lookup },
	{ "limit", raise_limit },
	{ "dynset", raise_dynset },
	{ "objref", raise_objref },
	{ "reject", raise_reject },
	{ "immediate", raise_immediate },
};

static int raise_one(struct raising *rs, struct nftnl_expr *e)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

	for (size_t i = 0; i < sizeof raisers / sizeof *raisers; i++)
		if (!strcmp(raisers[i].name, name))
			return raisers[i].raise(rs, e);
	return err_set(rs->rd->why, EINVAL, "expression %s has no meaning here", name);
}

/* --- messages -------------------------------------------------------------------- */

static int collect(struct nftnl_expr *e, void *to)
{
	struct raising *rs = to;

	if (rs->count < EXPRS_MAX)
		rs->exprs[rs->count] = e;
	rs->count++;
	return 0;
}

static void collect_raw(struct raising *rs, const struct nlmsghdr *h)
{
	const struct nlattr *list, *e;

	mnl_attr_for_each(list, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_RULE_EXPRESSIONS)
			continue;
		mnl_attr_for_each_nested(e, list)
		{
			if (rs->raw_count < EXPRS_MAX)
				rs->raw[rs->raw_count] = e;
			rs->raw_count++;
		}
	}
}

static int raise_rule(struct reader *rd, struct nftnl_rule *r, const struct nlmsghdr *h)
{
	const char *name = nftnl_rule_get_str(r, NFTNL_RULE_CHAIN);
	struct nft_chain *c = name ? strmap_find(&rd->chains, name) : NULL;
	struct nft_rule rule = { 0 };
	struct raising rs = {
		.rd = rd, .rule = &rule, .load = { .field = NFT_FIELD_COUNT }, .proto = -1
	};

	if (!c)
		return refuse(rd, "a rule of a chain that is not there");
	nftnl_expr_foreach(r, collect, &rs);
	collect_raw(&rs, h);
	if (rs.count > EXPRS_MAX || rs.count != rs.raw_count)
		return refuse(rd, "a rule this long");
	for (; rs.at < rs.count; rs.at++)
		if (raise_one(&rs, rs.exprs[rs.at]))
			return rd->why->code;
	vec_push(rd->arena, &c->rules, rule);
	return 0;
}

static int read_rule(struct reader *rd, const struct nlmsghdr *h)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	int rc = r && nftnl_rule_nlmsg_parse(h, r) >= 0 ? raise_rule(rd, r, h)
							: refuse(rd, "a rule's message");

	if (r)
		nftnl_rule_free(r);
	return rc;
}

static int read_chain(struct reader *rd, const struct nlmsghdr *h)
{
	struct nftnl_chain *n = nftnl_chain_alloc();
	struct nft_chain *c = arena_zero(rd->arena, sizeof *c);
	int rc = n && nftnl_chain_nlmsg_parse(h, n) >= 0 ? 0 : refuse(rd, "a chain's message");

	if (!rc)
		c->name = keep(rd, nftnl_chain_get_str(n, NFTNL_CHAIN_NAME));
	if (n)
		nftnl_chain_free(n);
	if (rc)
		return rc;
	if (c->name[0] != BATCH_BANK)
		return refuse(rd, "a chain of no bank");
	strmap_put(&rd->chains, c->name, c);
	vec_push(rd->arena, &rd->table->chains, c);
	return 0;
}

static int read_counter(struct reader *rd, const struct nlmsghdr *h)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	int rc = o && nftnl_obj_nlmsg_parse(h, o) >= 0 &&
				 nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER
			 ? 0
			 : refuse(rd, "an object's message");

	if (!rc)
		vec_push(rd->arena, &rd->table->counters,
			 keep(rd, nftnl_obj_get_str(o, NFTNL_OBJ_NAME)));
	if (o)
		nftnl_obj_free(o);
	return rc;
}

/* --- sets ------------------------------------------------------------ */

static int set_from(struct reader *rd, struct nftnl_set *n)
{
	struct nft_set *s = arena_zero(rd->arena, sizeof *s);
	const char *name = nftnl_set_get_str(n, NFTNL_SET_NAME);
	uint32_t flags = nftnl_set_get_u32(n, NFTNL_SET_FLAGS),
		 number = nftnl_set_get_u32(n, NFTNL_SET_KEY_TYPE);
	size_t type = 0;

	while (type < nft_wire_type_count &&
	       (!nft_wire_types[type].bytes || nft_wire_types[type].number != number))
		type++;
	if (type == nft_wire_type_count ||
	    nftnl_set_get_u32(n, NFTNL_SET_KEY_LEN) != nft_wire_types[type].bytes || !name)
		return refuse(rd, "a set of this type");
	s->name = flags & NFT_SET_ANONYMOUS ? NULL : keep(rd, name);
	s->type = (enum nft_type)type;
	s->interval = flags & NFT_SET_INTERVAL;
	s->dynamic = flags & NFT_SET_EVAL;
	s->id = nftnl_set_get_u32(n, NFTNL_SET_ID);
	s->timeout_ms = nftnl_set_get_u64(n, NFTNL_SET_TIMEOUT);
	s->most = s->dynamic ? nftnl_set_get_u32(n, NFTNL_SET_DESC_SIZE) : 0;
	vec_push(rd->arena, &rd->sets, s);
	if (s->name)
		vec_push(rd->arena, &rd->table->sets, s);
	return 0;
}

static int read_set(struct reader *rd, const struct nlmsghdr *h)
{
	struct nftnl_set *n = nftnl_set_alloc();
	int rc = n && nftnl_set_nlmsg_parse(h, n) >= 0 ? set_from(rd, n)
						       : refuse(rd, "a set's message");

	if (n)
		nftnl_set_free(n);
	return rc;
}

struct element_reader {
	struct reader *rd;
	struct nft_set *set;
	bool sound;
};

static bool element_ends(struct nftnl_set_elem *e)
{
	return nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_FLAGS) &&
	       nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END;
}

static int read_element(struct nftnl_set_elem *e, void *to)
{
	struct element_reader *er = to;
	struct reader *rd = er->rd;
	unsigned bytes = nft_wire_types[er->set->type].bytes;
	uint32_t len = 0;
	const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);
	addr_num v = key && len == bytes ? number_of(key, len, bytes) : 0;
	addr_num last = bytes == 16 ? ~(addr_num)0 : ((addr_num)1 << (8 * bytes)) - 1;

	if (!key || len != bytes) {
		er->sound = false;
	} else if (element_ends(e)) {
		if (rd->ranges.len)
			rd->ranges.at[rd->ranges.len - 1].hi = v - 1;
		else
			er->sound = false;
	} else {
		vec_push(rd->arena, &rd->ranges,
			 ((struct addr_range){ v, er->set->interval ? last : v }));
	}
	return 0;
}

static int elements_from(struct reader *rd, struct nftnl_set *n, const struct nlmsghdr *h)
{
	const char *name = nftnl_set_get_str(n, NFTNL_SET_NAME);
	struct element_reader er = { .rd = rd, .sound = true };
	const struct nlattr *a;
	uint32_t id = 0;

	/* libnftnl reads the id of a set only with the set itself. */
	mnl_attr_for_each(a, h,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(a) ==
							       NFTA_SET_ELEM_LIST_SET_ID &&
						       mnl_attr_get_payload_len(a) == sizeof id)
		id = ntohl(mnl_attr_get_u32(a));
	er.set = name ? set_by(rd, name, id) : NULL;
	if (!er.set)
		return refuse(rd, "an element of a set that is not there");
	if (er.set->count && er.set != rd->filling)
		return refuse(rd, "a second list of elements");
	if (er.set != rd->filling)
		memset(&rd->ranges, 0, sizeof rd->ranges);
	rd->filling = er.set;
	nftnl_set_elem_foreach(n, read_element, &er);
	er.set->ranges = rd->ranges.at;
	er.set->count = rd->ranges.len;
	return er.sound ? 0 : refuse(rd, "an element");
}

static int read_elements(struct reader *rd, const struct nlmsghdr *h)
{
	struct nftnl_set *n = nftnl_set_alloc();
	int rc = n && nftnl_set_elems_nlmsg_parse(h, n) >= 0 ? elements_from(rd, n, h)
							     : refuse(rd, "a message of elements");

	if (n)
		nftnl_set_free(n);
	return rc;
}

/* --- all ------------------------------------------------------------ */

static int read_message(struct reader *rd, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);

	rd->table->kind = g->nfgen_family == NFT_WIRE_INET ? NFT_TABLE_INET : NFT_TABLE_NETDEV;
	switch (NFNL_MSG_TYPE(h->nlmsg_type)) {
	case NFT_MSG_NEWTABLE:
		return 0;
	case NFT_MSG_NEWOBJ:
		return read_counter(rd, h);
	case NFT_MSG_NEWSET:
		return read_set(rd, h);
	case NFT_MSG_NEWSETELEM:
		return read_elements(rd, h);
	case NFT_MSG_NEWCHAIN:
		return read_chain(rd, h);
	case NFT_MSG_NEWRULE:
		return read_rule(rd, h);
	}
	return refuse(rd, "a message of this kind");
}

/* Ends in a NUL, so that text at its end ends. */
static struct nlmsghdr *message_copy(const struct batch *b, size_t at)
{
	const struct nlmsghdr *h = (const void *)(b->messages + at);
	struct nlmsghdr *copy = calloc(1, h->nlmsg_len + (size_t)NLMSG_ALIGNTO);

	if (!copy)
		abort(); /* out of memory, as everywhere in tegc */
	return memcpy(copy, h, h->nlmsg_len);
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
		own(mem) struct nlmsghdr *h = message_copy(b, at);

		if (read_message(&rd, h))
			return err_in(why, "message at byte %zu", at);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return 0;
}
