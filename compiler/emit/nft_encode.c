/* The ruleset as netlink messages, by libnftnl; chains' names are noted for relocation. */
#include "compiler/emit/nft_encode_expr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft_wire.h"

/* A nested attribute holds 64 KiB: a message of elements ends behind the one that passes half of that. */
#define ELEMENTS_BYTES ((size_t)32 << 10)
#define NFT_KEY_MOST   64u /* NFT_DATA_VALUE_MAXLEN */
#define MESSAGE_ROOM	    ((size_t)256 << 10)

struct encoder {
	const struct nft_table *table;
	char *scratch; /* one message */
	struct buf messages;
	uint32_t *banks;
	size_t bank_count, bank_room;
};

/* --- messages ----------------------------------------------------------------------------------
 */

static struct nlmsghdr *message(struct encoder *en, uint16_t type, uint16_t flags)
{
	uint16_t family = en->table->kind == NFT_TABLE_INET ? NFT_WIRE_INET : NFT_WIRE_NETDEV;

	return nftnl_nlmsg_build_hdr(en->scratch, type, family, flags, 0);
}

static void note_bank(struct encoder *en, const char *name)
{
	assert(name[0] == BATCH_BANK);
	if (en->bank_count == en->bank_room) {
		en->bank_room = en->bank_room ? 2 * en->bank_room : 256;
		en->banks = reallocarray(en->banks, en->bank_room, sizeof *en->banks);
		if (!en->banks)
			abort();
	}
	en->banks[en->bank_count++] = (uint32_t)(en->messages.len + (size_t)(name - en->scratch));
}

/* A name that begins with no bank's letter is the same in both. */
static void note_if_banked(struct encoder *en, const char *name)
{
	if (name[0] == BATCH_BANK)
		note_bank(en, name);
}

/* The bank letters of the attributes at the end of a path of nests. */
static void note_banks(struct encoder *en, const struct nlattr *nest, const uint16_t *path)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		if (mnl_attr_get_type(a) != path[0])
			continue;
		if (path[1])
			note_banks(en, a, path + 1);
		else
			note_if_banked(en, mnl_attr_get_str(a));
	}
}

static const struct {
	const char *name;
	uint16_t path[4];
} expr_banks[] = {
	{ "immediate", { NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT, NFTA_VERDICT_CHAIN, 0 } },
	{ "lookup", { NFTA_LOOKUP_SET, 0 } },
	{ "objref", { NFTA_OBJREF_SET_NAME, 0 } },
};

static void note_expr_banks(struct encoder *en, const struct nlattr *expr)
{
	const struct nlattr *a;
	const char *name = "";

	mnl_attr_for_each_nested(a, expr) {
		if (mnl_attr_get_type(a) == NFTA_EXPR_NAME)
			name = mnl_attr_get_str(a);
		for (size_t i = 0; mnl_attr_get_type(a) == NFTA_EXPR_DATA && i < sizeof expr_banks / sizeof *expr_banks; i++)
			if (!strcmp(expr_banks[i].name, name))
				note_banks(en, a, expr_banks[i].path);
	}
}

/* Of a message's own attributes of this type. */
static void note_banks_of(struct encoder *en, const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == type)
			note_if_banked(en, mnl_attr_get_str(a));
}

static void note_rule_banks(struct encoder *en, const struct nlmsghdr *h)
{
	const struct nlattr *a, *expr;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(a) == NFTA_RULE_CHAIN)
			note_bank(en, mnl_attr_get_str(a));
		else if (mnl_attr_get_type(a) == NFTA_RULE_EXPRESSIONS)
			mnl_attr_for_each_nested(expr, a)
				note_expr_banks(en, expr);
	}
}

static void done(struct encoder *en, struct nlmsghdr *h)
{
	assert(h->nlmsg_len <= MESSAGE_ROOM);
	buf_add(&en->messages, h, NLMSG_ALIGN(h->nlmsg_len));
	memset(h, 0,
	       NLMSG_ALIGN(h->nlmsg_len)); /* libmnl leaves the padding of attributes as it is */
}

static void encode_table(struct encoder *en)
{
	struct nlmsghdr *h = message(en, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	done(en, h);
}

static void encode_counter(struct encoder *en, const char *name)
{
	struct nlmsghdr *h = message(en, NFT_MSG_NEWOBJ, NLM_F_CREATE);
	struct nftnl_obj *o = nftnl_obj_alloc();

	if (!o)
		abort();
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, NFT_TABLE_NAME);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, name);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS, 0);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_BYTES, 0);
	nftnl_obj_nlmsg_build_payload(h, o);
	nftnl_obj_free(o);
	done(en, h);
}

/* --- sets ------------------------------------------------------------------------ */

static uint32_t set_flags(const struct nft_set *s)
{
	static const uint32_t leads[] = {
		[NFT_LEADS_NOWHERE] = 0,
		[NFT_LEADS_TO_FATE] = NFT_SET_MAP,
		[NFT_LEADS_TO_COUNTER] = NFT_SET_OBJECT,
	};

	return (s->name ? 0 : NFT_SET_ANONYMOUS | NFT_SET_CONSTANT) | leads[s->leads] |
	       (s->interval ? NFT_SET_INTERVAL : 0) |
	       (s->dynamic ? NFT_SET_EVAL | NFT_SET_TIMEOUT : 0);
}

/* The `nft` program lists a set by what stands here (libnftnl/udata.h, its src/mnl.c). */
static void set_byteorder(struct nftnl_set *n, enum nft_type type)
{
	enum { HOST = 1, BIG = 2 };
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!u || !nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER,
				       type == NFT_TYPE_IFNAME ? HOST : BIG))
		abort();
	nftnl_set_set_data(n, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
	nftnl_udata_buf_free(u);
}

static void encode_set(struct encoder *en, const struct nft_set *s)
{
	struct nlmsghdr *h = message(en, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nftnl_set *n = nftnl_set_alloc();
	char name[NFT_WIRE_NAME_ROOM];

	if (!n)
		abort();
	nftnl_set_set_str(n, NFTNL_SET_TABLE, NFT_TABLE_NAME);
	nftnl_set_set_str(n, NFTNL_SET_NAME, nft_wire_set_name(s, name));
	nftnl_set_set_u32(n, NFTNL_SET_ID, s->id);
	nftnl_set_set_u32(n, NFTNL_SET_FLAGS, set_flags(s));
	nftnl_set_set_u32(n, NFTNL_SET_KEY_TYPE, nft_wire_type_of(s));
	nftnl_set_set_u32(n, NFTNL_SET_KEY_LEN, nft_wire_key_bytes(s));
	if (s->leads == NFT_LEADS_TO_FATE) {
		nftnl_set_set_u32(n, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nftnl_set_set_u32(n, NFTNL_SET_DATA_LEN, 0);
	}
	if (s->leads == NFT_LEADS_TO_COUNTER)
		nftnl_set_set_u32(n, NFTNL_SET_OBJ_TYPE, NFT_OBJECT_COUNTER);
	if (s->timeout_ms)
		nftnl_set_set_u64(n, NFTNL_SET_TIMEOUT, s->timeout_ms);
	if (s->gc_ms)
		nftnl_set_set_u32(n, NFTNL_SET_GC_INTERVAL, s->gc_ms);
	if (s->most)
		nftnl_set_set_u32(n, NFTNL_SET_DESC_SIZE, s->most);
	else if (!s->name || (s->count && !s->interval))
		nftnl_set_set_u32(n, NFTNL_SET_DESC_SIZE,
				  (uint32_t)(s->interval ? 2 * s->count : s->count));
	set_byteorder(n, s->type);
	nftnl_set_nlmsg_build_payload(h, n);
	nftnl_set_free(n);
	note_banks_of(en, h, NFTA_SET_NAME);
	done(en, h);
}

static void put_bytes(uint8_t *out, addr_num v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

/* Parts begin a register each. */
static unsigned key_bytes(const struct nft_set *s, size_t element, uint8_t out[static NFT_KEY_MOST])
{
	unsigned at = 0;

	memset(out, 0, NFT_KEY_MOST);
	for (unsigned i = 0; i < s->part_count; i++) {
		put_bytes(out + at, s->keys[element * s->part_count + i], nft_wire_types[s->part_types[i]].bytes);
		at += nft_wire_part_bytes(s->part_types[i]);
	}
	return at;
}

static void put_lead(struct encoder *en, struct nlmsghdr *h, const struct nft_set *s, const struct nft_lead *to)
{
	struct nlattr *data, *verdict;

	if (s->leads == NFT_LEADS_TO_COUNTER) {
		mnl_attr_put_strz(h, NFTA_SET_ELEM_OBJREF, to->name);
		return;
	}
	data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
	verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl((uint32_t)nft_wire_fates[to->fate]));
	if (to->name) {
		const char *name = (const char *)mnl_nlmsg_get_payload_tail(h) + MNL_ATTR_HDRLEN;

		mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, to->name);
		note_bank(en, name);
	}
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
}

/* By libmnl itself: libnftnl numbers the elements where the kernel, and its own reader, have
 * NFTA_LIST_ELEM; and a set of a million elements needs no object each. */
static void put_element(struct encoder *en, struct nlmsghdr *h, const struct nft_set *s, const uint8_t *key, unsigned bytes,
			uint32_t flags, const struct nft_lead *to)
{
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM), *data;

	if (flags)
		mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(flags));
	data = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, bytes, key);
	mnl_attr_nest_end(h, data);
	if (to)
		put_lead(en, h, s, to);
	mnl_attr_nest_end(h, element);
}

/* A range is its first value and the one after its last; the last of all has none after it. */
static void put_range(struct encoder *en, struct nlmsghdr *h, const struct nft_set *s, struct addr_range r,
		      const struct nft_lead *to)
{
	unsigned bytes = nft_wire_types[s->type].bytes, bits = 8u * bytes;
	addr_num last = bits == 128 ? ~(addr_num)0 : ((addr_num)1 << bits) - 1;
	uint8_t key[16];

	put_bytes(key, r.lo, bytes);
	put_element(en, h, s, key, bytes, 0, to);
	if (s->interval && r.hi != last) {
		put_bytes(key, r.hi + 1, bytes);
		put_element(en, h, s, key, bytes, NFT_SET_ELEM_INTERVAL_END, NULL);
	}
}

static void put_one(struct encoder *en, struct nlmsghdr *h, const struct nft_set *s, size_t i)
{
	const struct nft_lead *to = s->leads ? &s->to[i] : NULL;
	uint8_t key[NFT_KEY_MOST];

	if (s->part_count > 1)
		put_element(en, h, s, key, key_bytes(s, i, key), 0, to);
	else
		put_range(en, h, s, s->ranges[i], to);
}

static void encode_elements(struct encoder *en, const struct nft_set *s)
{
	char name[NFT_WIRE_NAME_ROOM];

	for (size_t i = 0; i < s->count;) {
		struct nlmsghdr *h = message(en, NFT_MSG_NEWSETELEM, NLM_F_CREATE);

		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, nft_wire_set_name(s, name));
		note_banks_of(en, h, NFTA_SET_ELEM_LIST_SET);
		mnl_attr_put_u32(h, NFTA_SET_ELEM_LIST_SET_ID, htonl(s->id));

		struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < s->count && h->nlmsg_len < ELEMENTS_BYTES; i++)
			put_one(en, h, s, i);
		mnl_attr_nest_end(h, list);
		done(en, h);
	}
}

/* --- chains and rules ------------------------------------------------------------ */

static void encode_chain(struct encoder *en, const struct nft_chain *c)
{
	struct nlmsghdr *h = message(en, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, c->name);
	note_banks_of(en, h, NFTA_CHAIN_NAME);
	done(en, h);
}

static void encode_own_sets(struct encoder *en, const struct nft_rule *r)
{
	for (size_t i = 0; i < r->exprs.len; i++) {
		const struct nft_expr *e = &r->exprs.at[i];

		const struct nft_set *s = e->kind == NFT_EXPR_MATCH ? e->match.set :
					  e->kind == NFT_EXPR_LOOK  ? e->look.map :
								      NULL;

		if (!s || s->name)
			continue;
		encode_set(en, s);
		encode_elements(en, s);
	}
}

static void encode_rule(struct encoder *en, const struct nft_chain *c, const struct nft_rule *rule)
{
	encode_own_sets(en, rule);

	struct nlmsghdr *h = message(en, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	struct nftnl_rule *r = nftnl_rule_alloc();

	if (!r)
		abort();
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, NFT_TABLE_NAME);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, c->name);
	nft_encode_exprs(r, rule);
	nftnl_rule_nlmsg_build_payload(h, r);
	nftnl_rule_free(r);
	note_rule_banks(en, h);
	done(en, h);
}

static void encode_all(struct encoder *en)
{
	const struct nft_table *t = en->table;

	encode_table(en);
	for (size_t i = 0; i < t->counters.len; i++)
		encode_counter(en, t->counters.at[i]);
	for (size_t i = 0; i < t->sets.len; i++) {
		encode_set(en, t->sets.at[i]);
		encode_elements(en, t->sets.at[i]);
	}
	for (size_t i = 0; i < t->chains.len; i++)
		if (!t->chains.at[i]->hook)
			encode_chain(en, t->chains.at[i]);
	for (size_t i = 0; i < t->chains.len; i++)
		for (size_t k = 0; !t->chains.at[i]->hook && k < t->chains.at[i]->rules.len; k++)
			encode_rule(en, t->chains.at[i], &t->chains.at[i]->rules.at[k]);
}

void nft_encode(struct batch *out, const struct nft_table *t)
{
	struct encoder en = { .table = t, .scratch = calloc(1, MESSAGE_ROOM) };

	if (!en.scratch)
		abort();
	encode_all(&en);
	free(en.scratch);
	*out = (struct batch){
		.messages = (uint8_t *)en.messages.at,
		.len = en.messages.len,
		.banks = en.banks,
		.bank_count = en.bank_count,
	};
}
