/*
 * filter_change.c - one transaction, put together message by message.
 */
#include "enforcer/nft/filter.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "enforcer/nft/filter_talk.h"

static void add(struct filter_change *c, const struct nlmsghdr *h)
{
	buf_add(&c->messages, h, h->nlmsg_len);
	c->count++;
}

void filter_change_release(struct filter_change *c)
{
	buf_release(&c->messages);
	c->count = 0;
}

void filter_change_batch(struct filter_change *c, const struct batch *b)
{
	for (size_t at = 0; at < b->len; c->count++)
		at += NLMSG_ALIGN(((const struct nlmsghdr *)(const void *)(b->messages + at))->nlmsg_len);
	buf_add(&c->messages, b->messages, b->len);
}

#define NF_DROP_POLICY	 0u
#define NF_ACCEPT_POLICY 1u

void filter_change_hook(struct filter_change *c, const struct filter_hook *h)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *m = filter_ours(room, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, h->table);

	filter_put_text(m, NFTA_CHAIN_NAME, h->chain);
	struct nlattr *hook = mnl_attr_nest_start(m, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(m, NFTA_HOOK_HOOKNUM, htonl(h->hook));
	mnl_attr_put_u32(m, NFTA_HOOK_PRIORITY, htonl((uint32_t)h->priority));
	if (h->device)
		filter_put_text(m, NFTA_HOOK_DEV, h->device);
	mnl_attr_nest_end(m, hook);
	mnl_attr_put_u32(m, NFTA_CHAIN_POLICY, htonl(h->device ? NF_ACCEPT_POLICY : NF_DROP_POLICY));
	filter_put_text(m, NFTA_CHAIN_TYPE, "filter");
	add(c, m);
}

static void add_rule(struct filter_change *c, enum filter_table t, const char *chain, int verdict, const char *to)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *m = filter_ours(room, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, t);

	filter_put_text(m, NFTA_RULE_CHAIN, chain);
	struct nlattr *list = mnl_attr_nest_start(m, NFTA_RULE_EXPRESSIONS);
	struct nlattr *one = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	filter_put_text(m, NFTA_EXPR_NAME, "immediate");
	struct nlattr *body = mnl_attr_nest_start(m, NFTA_EXPR_DATA);
	mnl_attr_put_u32(m, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_IMMEDIATE_DATA);
	struct nlattr *v = mnl_attr_nest_start(m, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(m, NFTA_VERDICT_CODE, htonl((uint32_t)verdict));
	filter_put_text(m, NFTA_VERDICT_CHAIN, to);
	mnl_attr_nest_end(m, v);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, body);
	mnl_attr_nest_end(m, one);
	mnl_attr_nest_end(m, list);
	add(c, m);
}

void filter_change_jump(struct filter_change *c, enum filter_table t, const char *chain, const char *to)
{
	add_rule(c, t, chain, NFT_JUMP, to);
}

void filter_change_goto(struct filter_change *c, enum filter_table t, const char *chain, const char *to)
{
	add_rule(c, t, chain, NFT_GOTO, to);
}

static void add_named(struct filter_change *c, unsigned kind, enum filter_table t, uint16_t attribute, const char *name)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *m = filter_ours(room, kind, 0, t);

	if (name)
		filter_put_text(m, attribute, name);
	if (kind == NFT_MSG_DELOBJ)
		mnl_attr_put_u32(m, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	add(c, m);
}

void filter_change_flush(struct filter_change *c, enum filter_table t, const char *chain)
{
	add_named(c, NFT_MSG_DELRULE, t, NFTA_RULE_CHAIN, chain);
}

void filter_change_no_chain(struct filter_change *c, enum filter_table t, const char *chain)
{
	add_named(c, NFT_MSG_DELCHAIN, t, NFTA_CHAIN_NAME, chain);
}

void filter_change_no_set(struct filter_change *c, enum filter_table t, const char *set)
{
	add_named(c, NFT_MSG_DELSET, t, NFTA_SET_NAME, set);
}

void filter_change_no_counter(struct filter_change *c, enum filter_table t, const char *counter)
{
	add_named(c, NFT_MSG_DELOBJ, t, NFTA_OBJ_NAME, counter);
}

static void add_element(struct filter_change *c, unsigned kind, enum filter_table t, const char *set, const void *key,
			size_t len, uint64_t timeout_ms)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *m = filter_ours(room, kind, kind == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, t);

	filter_put_element(m, set, key, len, timeout_ms);
	add(c, m);
}

/*
 * One that is there keeps its time when it is added (nf_tables before Linux 6.12), and one that is not cannot
 * be taken out: so it is added, taken out, and added again, which to packets is one step.
 */
void filter_change_element(struct filter_change *c, enum filter_table t, const char *set, const void *key, size_t len,
			   uint64_t timeout_ms)
{
	add_element(c, NFT_MSG_NEWSETELEM, t, set, key, len, timeout_ms);
	add_element(c, NFT_MSG_DELSETELEM, t, set, key, len, 0);
	if (timeout_ms)
		add_element(c, NFT_MSG_NEWSETELEM, t, set, key, len, timeout_ms);
}

#define ELEMENTS_AT_ONCE 1000u /* a list is an attribute, and has 64 kB */
#define ELEMENT_BYTES	 48u

void filter_change_elements(struct filter_change *c, enum filter_table t, const char *set, const struct filter_timed *at, size_t len)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES + ELEMENTS_AT_ONCE * ELEMENT_BYTES];

	for (size_t from = 0; from < len; from += ELEMENTS_AT_ONCE) {
		struct nlmsghdr *m = filter_ours(room, NFT_MSG_NEWSETELEM, NLM_F_CREATE, t);

		filter_put_text(m, NFTA_SET_ELEM_LIST_SET, set);
		struct nlattr *list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t i = from; i < len && i < from + ELEMENTS_AT_ONCE; i++)
			filter_put_one_element(m, at[i].key, at[i].len, at[i].timeout_ms);
		mnl_attr_nest_end(m, list);
		add(c, m);
	}
}

void filter_change_empty(struct filter_change *c, enum filter_table t, const char *set)
{
	add_named(c, NFT_MSG_DELSETELEM, t, NFTA_SET_ELEM_LIST_SET, set);
}

static void put_bound(struct nlmsghdr *m, enum family f, addr_num at, bool ends)
{
	uint8_t key[16];
	struct nlattr *one = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_SET_ELEM_KEY);

	addr_to_bytes((struct addr){ f, at }, key);
	mnl_attr_put(m, NFTA_DATA_VALUE, FAMILY_BITS(f) / 8, key);
	mnl_attr_nest_end(m, data);
	if (ends)
		mnl_attr_put_u32(m, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(m, one);
}

/* The kernel's intervals: an element where one begins, and one behind its end. A list is an attribute, and has 64 kB. */
#define RANGES_AT_ONCE 800u
#define RANGE_BYTES    64u

void filter_change_ranges(struct filter_change *c, enum filter_table t, const char *set, enum family f, const struct addr_range *at,
			  size_t len, bool put)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES + RANGES_AT_ONCE * RANGE_BYTES];

	for (size_t from = 0; from < len; from += RANGES_AT_ONCE) {
		struct nlmsghdr *m = filter_ours(room, put ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, put ? NLM_F_CREATE : 0, t);

		filter_put_text(m, NFTA_SET_ELEM_LIST_SET, set);
		struct nlattr *list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t i = from; i < len && i < from + RANGES_AT_ONCE; i++) {
			put_bound(m, f, at[i].lo, false);
			if (at[i].hi != family_max(f))
				put_bound(m, f, at[i].hi + 1, true);
		}
		mnl_attr_nest_end(m, list);
		add(c, m);
	}
}

void filter_change_no_table(struct filter_change *c, enum filter_table t)
{
	add_named(c, NFT_MSG_DELTABLE, t, 0, NULL);
}
