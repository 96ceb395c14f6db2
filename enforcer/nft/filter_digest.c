/*
 * filter_digest.c - one number for all that our tables say: chains, rules, and what they refer to.
 */
#include "enforcer/nft/filter_nets.h"

#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "enforcer/nft/filter_talk.h"
#include "lang/base/own.h"

struct tally {
	struct arena *arena;
	struct buf text; /* what is digested */
	struct buf handles; /* of the rules of a listing */
	size_t before;
	char but;
	const struct filter_chain *chains;
	size_t chain_count;
	enum filter_table table;
};

static void tally_again(void *context)
{
	struct tally *t = context;

	t->text.len = t->before;
	t->handles.len = 0;
}

static struct digest tally_sum(void *context)
{
	const struct tally *t = context;
	const struct digest both[] = { digest_of(buf_text(&t->text) + t->before, t->text.len - t->before),
				       digest_of(buf_text(&t->handles), t->handles.len) };

	return digest_of(both, sizeof both);
}

/* Attribute 1 is the table's name in each, and its family is put before. */
static void put(struct tally *t, const struct nlmsghdr *h, const uint16_t *types, size_t count)
{
	const unsigned kind = NFNL_MSG_TYPE(h->nlmsg_type);

	buf_printf(&t->text, "%u %u\n", kind, (unsigned)t->table);
	for (size_t i = 0; i < count; i++) {
		const struct nlattr *a = filter_attribute(h, types[i]);

		buf_printf(&t->text, " %u %u ", types[i], a ? mnl_attr_get_payload_len(a) : 0);
		if (a)
			buf_add(&t->text, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	}
	buf_putc(&t->text, '\n');
}

enum part { PART_CHAIN, PART_RULES };

/* Its rules follow the networks that are blocked. */
static bool is_nets(const char *chain)
{
	return *chain && chain[1] == '_' && !strcmp(chain + 2, FILTER_NETS);
}

static bool takes_part(const struct tally *t, const char *chain, enum part part)
{
	for (size_t i = 0; i < t->chain_count; i++) {
		const struct filter_chain *c = &t->chains[i];

		if (c->table != t->table || strcmp(c->name, chain))
			continue;
		if (c->hooked)
			return part == PART_CHAIN && c->table == FILTER_INET;
		if (part == PART_RULES && c->table == FILTER_NETDEV && is_nets(c->name))
			return false;
		return !(c->name[0] == t->but && c->name[1] == '_');
	}
	return true;
}

static void tally_table(const struct nlmsghdr *h, void *context)
{
	static const uint16_t types[] = { NFTA_TABLE_NAME, NFTA_TABLE_FLAGS };

	if (filter_is_ours(h))
		put(context, h, types, 2);
}

static void tally_chain(const struct nlmsghdr *h, void *context)
{
	static const uint16_t types[] = { NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE };
	struct tally *t = context;

	if (filter_is_ours(h) && takes_part(t, filter_text(h, NFTA_CHAIN_NAME), PART_CHAIN))
		put(t, h, types, 4);
}

/* Expressions that hold a state of their own: it is not what judges. */
static bool expression_counts(const char *name)
{
	static const char *const states[] = { "counter", "quota", "last", "connlimit" };

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (!strcmp(name, states[i]))
			return true;
	return false;
}

static void tally_rule(const struct nlmsghdr *h, void *context)
{
	static const uint16_t types[] = { NFTA_RULE_CHAIN };
	struct tally *t = context;
	const struct nlattr *all = filter_attribute(h, NFTA_RULE_EXPRESSIONS), *handle = filter_attribute(h, NFTA_RULE_HANDLE), *one, *a;

	if (!filter_is_ours(h) || !takes_part(t, filter_text(h, NFTA_RULE_CHAIN), PART_RULES))
		return;
	put(t, h, types, 1);
	if (handle)
		buf_add(&t->handles, mnl_attr_get_payload(handle), mnl_attr_get_payload_len(handle));
	if (!all)
		return;
	mnl_attr_for_each_nested(one, all) {
		const char *name = "";

		mnl_attr_for_each_nested(a, one) {
			if (mnl_attr_get_type(a) == NFTA_EXPR_NAME)
				name = mnl_attr_get_str(a);
			else if (expression_counts(name))
				continue;
			buf_printf(&t->text, " %u ", mnl_attr_get_payload_len(a));
			buf_add(&t->text, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
		}
	}
}

static void tally_own_(struct tally *t)
{
	buf_release(&t->text);
	buf_release(&t->handles);
	arena_free(t->arena);
}

static int tally_table_of(struct filter *f, struct tally *t, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];

	return filter_ask(f, filter_ours(room, NFT_MSG_GETTABLE, NLM_F_ACK, t->table), tally_table, tally_again, t, why);
}

static int tally_chains_of(struct filter *f, struct tally *t, struct err *why)
{
	(void)f, (void)why;
	for (size_t i = 0; i < t->chain_count; i++)
		if (t->chains[i].table == t->table)
			tally_chain(t->chains[i].said, t);
	return 0;
}

static int tally_rules_of(struct filter *f, struct tally *t, struct err *why)
{
	static const struct filter_alike alike = { tally_again, tally_sum };
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];

	return filter_ask_alike(f, filter_list(room, NFT_MSG_GETRULE, t->table), tally_rule, &alike, t, why);
}

int filter_digest(struct filter *f, char but, struct digest *out, struct err *why)
{
	static int (*const parts[])(struct filter *, struct tally *, struct err *) = { tally_table_of, tally_chains_of, tally_rules_of };
	own(tally) struct tally t = { .arena = arena_new(), .but = but };
	struct filter_live live;
	int rc = filter_look(f, &live, FILTER_WANT_CHAINS, t.arena, why);

	t.chains = rc ? NULL : live.chains;
	t.chain_count = rc ? 0 : live.chain_count;
	for (size_t p = 0; !rc && p < sizeof parts / sizeof *parts; p++)
		for (unsigned table = 0; !rc && table < FILTER_TABLES; table++) {
			t.table = (enum filter_table)table;
			t.before = t.text.len;
			t.handles.len = 0;
			rc = parts[p](f, &t, why);
		}
	if (rc)
		return err_in(why, "cannot read our tables");
	*out = digest_of(buf_text(&t.text), t.text.len);
	return 0;
}
