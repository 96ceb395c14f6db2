/* The ruleset as netlink messages. */
#include "compiler/emit/nft/message/message.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/emit/nft/wire.h"

/* A nested attribute holds 64 KiB: a message of elements ends behind the one that passes half of that. */
#define ELEMENTS_BYTES ((size_t)32 << 10)
#define NFT_KEY_MOST   64u /* NFT_DATA_VALUE_MAXLEN */

static void encode_table(struct nft_messages *ms)
{
	struct nlmsghdr *h = nft_message(ms, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	nft_message_done(ms, h);
}

static void encode_counter(struct nft_messages *ms, const char *name)
{
	struct nlmsghdr *h = nft_message(ms, NFT_MSG_NEWOBJ, NLM_F_CREATE);
	struct nlattr *data;

	mnl_attr_put_strz(h, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(h, NFTA_OBJ_NAME, name);
	nft_message_u32(h, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	data = mnl_attr_nest_start(h, NFTA_OBJ_DATA);
	nft_message_u64(h, NFTA_COUNTER_BYTES, 0);
	nft_message_u64(h, NFTA_COUNTER_PACKETS, 0);
	mnl_attr_nest_end(h, data);
	nft_message_done(ms, h);
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

/* The `nft` program lists a set by what stands here: NFTNL_UDATA_SET_KEYBYTEORDER of libnftnl/udata.h (its src/mnl.c). */
static void put_byteorder(struct nlmsghdr *h, enum nft_type type)
{
	enum { KEYBYTEORDER = 0, HOST = 1, BIG = 2 };
	const uint32_t order = type == NFT_TYPE_IFNAME ? HOST : BIG;
	uint8_t data[2 + sizeof order] = { KEYBYTEORDER, sizeof order };

	memcpy(data + 2, &order, sizeof order);
	mnl_attr_put(h, NFTA_SET_USERDATA, sizeof data, data);
}

/* How many elements the kernel is to expect; 0: as many as there will be. */
static uint32_t size_of(const struct nft_set *s)
{
	if (s->most)
		return s->most;
	if (s->name && (!s->count || s->interval))
		return 0;
	return (uint32_t)(s->interval ? 2 * s->count : s->count);
}

static void put_leads(struct nlmsghdr *h, enum nft_leads leads)
{
	switch (leads) {
	case NFT_LEADS_NOWHERE:
		return;
	case NFT_LEADS_TO_FATE:
		nft_message_u32(h, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nft_message_u32(h, NFTA_SET_DATA_LEN, 0);
		return;
	case NFT_LEADS_TO_COUNTER:
		nft_message_u32(h, NFTA_SET_OBJ_TYPE, NFT_OBJECT_COUNTER);
		return;
	}
}

static void encode_set(struct nft_messages *ms, const struct nft_set *s)
{
	struct nlmsghdr *h = nft_message(ms, NFT_MSG_NEWSET, NLM_F_CREATE);
	char name[NFT_WIRE_NAME_ROOM];

	mnl_attr_put_strz(h, NFTA_SET_TABLE, NFT_TABLE_NAME);
	nft_message_name(ms, h, NFTA_SET_NAME, nft_wire_set_name(s, name));
	nft_message_u32(h, NFTA_SET_FLAGS, set_flags(s));
	nft_message_u32(h, NFTA_SET_KEY_TYPE, nft_wire_type_of(s));
	nft_message_u32(h, NFTA_SET_KEY_LEN, nft_wire_key_bytes(s));
	put_leads(h, s->leads);
	nft_message_u32(h, NFTA_SET_ID, s->id);
	if (s->most || !s->name || (s->count && !s->interval)) {
		struct nlattr *desc = mnl_attr_nest_start(h, NFTA_SET_DESC);
		nft_message_u32(h, NFTA_SET_DESC_SIZE, size_of(s));
		mnl_attr_nest_end(h, desc);
	}
	if (s->timeout_ms)
		nft_message_u64(h, NFTA_SET_TIMEOUT, s->timeout_ms);
	if (s->gc_ms)
		nft_message_u32(h, NFTA_SET_GC_INTERVAL, s->gc_ms);
	put_byteorder(h, s->type);
	nft_message_done(ms, h);
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
		put_bytes(out + at, nft_key_part(s, element, i), nft_wire_types[s->part_types[i]].bytes);
		at += nft_wire_part_bytes(s->part_types[i]);
	}
	return at;
}

static void put_lead(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_set *s, const struct nft_lead *to)
{
	if (s->leads == NFT_LEADS_TO_COUNTER) {
		mnl_attr_put_strz(h, NFTA_SET_ELEM_OBJREF, to->name);
		return;
	}
	nft_message_verdict(ms, h, NFTA_SET_ELEM_DATA, (uint32_t)nft_wire_fates[to->fate], to->name);
}

/* libnftnl would number the elements where the kernel, and its own reader, have NFTA_LIST_ELEM. */
static void put_element(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_set *s, const uint8_t *key, unsigned bytes,
			uint32_t flags, const struct nft_lead *to)
{
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM), *data;

	if (flags)
		nft_message_u32(h, NFTA_SET_ELEM_FLAGS, flags);
	data = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, bytes, key);
	mnl_attr_nest_end(h, data);
	if (to)
		put_lead(ms, h, s, to);
	mnl_attr_nest_end(h, element);
}

/*
 * Where the next range of a rule's own set begins, the one before has ended, and nothing says so: up to 6.12 Linux, in such a set,
 * takes a value for none of its own when it comes upon the end first. A set with a name must have all ends.
 */
static bool is_ended_by_next(const struct nft_set *s, size_t i)
{
	return !s->name && i + 1 < s->count && s->ranges[i].hi + 1 == s->ranges[i + 1].lo;
}

/* A range is its first value and the one after its last; the last of all has none after it. */
static void put_range(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_set *s, size_t i, const struct nft_lead *to)
{
	const struct addr_range r = s->ranges[i];
	unsigned bytes = nft_wire_types[s->type].bytes, bits = 8u * bytes;
	addr_num last = bits == 128 ? ~(addr_num)0 : ((addr_num)1 << bits) - 1;
	uint8_t key[16];

	put_bytes(key, r.lo, bytes);
	put_element(ms, h, s, key, bytes, 0, to);
	if (s->interval && r.hi != last && !is_ended_by_next(s, i)) {
		put_bytes(key, r.hi + 1, bytes);
		put_element(ms, h, s, key, bytes, NFT_SET_ELEM_INTERVAL_END, NULL);
	}
}

static void put_one(struct nft_messages *ms, struct nlmsghdr *h, const struct nft_set *s, size_t i)
{
	const struct nft_lead *to = s->leads ? &s->to[i] : NULL;
	uint8_t key[NFT_KEY_MOST];

	if (s->part_count > 1)
		put_element(ms, h, s, key, key_bytes(s, i, key), 0, to);
	else
		put_range(ms, h, s, i, to);
}

static void encode_elements(struct nft_messages *ms, const struct nft_set *s)
{
	char name[NFT_WIRE_NAME_ROOM];

	for (size_t i = 0; i < s->count;) {
		struct nlmsghdr *h = nft_message(ms, NFT_MSG_NEWSETELEM, NLM_F_CREATE);

		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
		nft_message_name(ms, h, NFTA_SET_ELEM_LIST_SET, nft_wire_set_name(s, name));
		nft_message_u32(h, NFTA_SET_ELEM_LIST_SET_ID, s->id);

		struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < s->count && h->nlmsg_len < ELEMENTS_BYTES; i++)
			put_one(ms, h, s, i);
		mnl_attr_nest_end(h, list);
		nft_message_done(ms, h);
	}
}

/* --- chains and rules ------------------------------------------------------------ */

static void encode_chain(struct nft_messages *ms, const struct nft_chain *c)
{
	struct nlmsghdr *h = nft_message(ms, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	nft_message_name(ms, h, NFTA_CHAIN_NAME, c->name);
	nft_message_done(ms, h);
}

static void encode_own_sets(struct nft_messages *ms, const struct nft_rule *r)
{
	for (size_t i = 0; i < r->exprs.len; i++) {
		const struct nft_expr *e = &r->exprs.at[i];

		const struct nft_set *s = e->kind == NFT_EXPR_MATCH ? e->match.set :
					  e->kind == NFT_EXPR_LOOK  ? e->look.map :
								      NULL;

		if (!s || s->name)
			continue;
		encode_set(ms, s);
		encode_elements(ms, s);
	}
}

static void encode_rule(struct nft_messages *ms, const struct nft_chain *c, const struct nft_rule *rule)
{
	encode_own_sets(ms, rule);

	struct nlmsghdr *h = nft_message(ms, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, NFT_TABLE_NAME);
	nft_message_name(ms, h, NFTA_RULE_CHAIN, c->name);
	nft_message_exprs(ms, h, rule);
	nft_message_done(ms, h);
}

static void encode_all(struct nft_messages *ms, const struct nft_table *t)
{
	encode_table(ms);
	for (size_t i = 0; i < t->counters.len; i++)
		encode_counter(ms, t->counters.at[i]);
	for (size_t i = 0; i < t->sets.len; i++) {
		encode_set(ms, t->sets.at[i]);
		encode_elements(ms, t->sets.at[i]);
	}
	for (size_t i = 0; i < t->chains.len; i++)
		if (!t->chains.at[i]->hook)
			encode_chain(ms, t->chains.at[i]);
	for (size_t i = 0; i < t->chains.len; i++)
		for (size_t k = 0; !t->chains.at[i]->hook && k < t->chains.at[i]->rules.len; k++)
			encode_rule(ms, t->chains.at[i], &t->chains.at[i]->rules.at[k]);
}

void nft_encode(struct batch *out, const struct nft_table *t)
{
	struct nft_messages ms;
	struct spool messages = { 0 };

	nft_messages_init(&ms, t->kind, &messages);
	encode_all(&ms, t);
	*out = (struct batch){ (uint8_t *)messages.held.at, messages.held.len, ms.banks, ms.bank_count };
	ms.banks = NULL;
	nft_messages_release(&ms);
}

int nft_encode_to(struct spool *out, const struct nft_table *t, struct err *why)
{
	own(nft_messages) struct nft_messages ms;
	own(buf) struct buf head = { 0 };

	batch_encode_head(&out->held, 0);
	nft_messages_init(&ms, t->kind, out);
	encode_all(&ms, t);
	if (nft_messages_hold(&ms, why))
		return why->code;
	batch_encode_head(&head, nft_messages_len(&ms));
	spool_amend(out, 0, head.at, head.len);
	batch_encode_banks(&out->held, ms.banks, ms.bank_count);
	return 0;
}
