/*
 * filter_look.c - what of ours is in the kernel: chains, hooks, counters, and where hooks lead.
 */
#include "enforcer/nft/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "enforcer/nft/filter_talk.h"
#include "lang/base/own.h"
#include "lang/base/strmap.h"

struct look {
	struct arena *arena;
	enum filter_table table;
	bool there;
	uint64_t handle;
	VEC(struct filter_chain) chains;
	VEC(struct filter_object) objects;
	size_t chains_before, objects_before;
};

static void look_again(void *context)
{
	struct look *l = context;

	l->chains.len = l->chains_before;
	l->objects.len = l->objects_before;
}

/* 0 when it has none. */
static uint64_t handle_in(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a = filter_attribute(h, type);

	return a ? filter_u64(a) : 0;
}

static void see_table(const struct nlmsghdr *h, void *context)
{
	struct look *l = context;

	if (!filter_is_ours(h))
		return;
	l->there = true;
	l->handle = handle_in(h, NFTA_TABLE_HANDLE);
}

/* The device of a hook: one by itself, or the first of a list. */
static const char *hook_device(const struct nlattr *hook, struct arena *a)
{
	const struct nlattr *at, *one;

	mnl_attr_for_each_nested(at, hook) {
		if (mnl_attr_get_type(at) == NFTA_HOOK_DEV)
			return arena_strdup(a, mnl_attr_get_str(at));
		if (mnl_attr_get_type(at) == NFTA_HOOK_DEVS)
			mnl_attr_for_each_nested(one, at)
				return arena_strdup(a, mnl_attr_get_str(one));
	}
	return "";
}

static void see_chain(const struct nlmsghdr *h, void *context)
{
	struct look *l = context;
	const struct nlattr *hook = filter_attribute(h, NFTA_CHAIN_HOOK);

	if (!filter_is_ours(h))
		return;
	struct filter_chain c = { .table = l->table, .name = arena_strdup(l->arena, filter_text(h, NFTA_CHAIN_NAME)), .hooked = hook,
				  .device = "", .handle = handle_in(h, NFTA_CHAIN_HANDLE) };
	c.said = arena_copy(l->arena, h, h->nlmsg_len);
	if (hook)
		c.device = hook_device(hook, l->arena);
	vec_push(l->arena, &l->chains, c);
}

static bool set_is_anonymous(const struct nlmsghdr *h)
{
	const struct nlattr *flags = filter_attribute(h, NFTA_SET_FLAGS);

	return flags && ntohl(mnl_attr_get_u32(flags)) & NFT_SET_ANONYMOUS;
}

static void see_set(const struct nlmsghdr *h, void *context)
{
	struct look *l = context;

	if (!filter_is_ours(h) || set_is_anonymous(h))
		return;
	struct filter_object o = { .table = l->table, .name = arena_strdup(l->arena, filter_text(h, NFTA_SET_NAME)),
				   .handle = handle_in(h, NFTA_SET_HANDLE) };
	vec_push(l->arena, &l->objects, o);
}

static void read_counts(const struct nlmsghdr *h, uint64_t *packets, uint64_t *bytes)
{
	const struct nlattr *data = filter_attribute(h, NFTA_OBJ_DATA), *a;

	if (!data)
		return;
	mnl_attr_for_each_nested(a, data) {
		if (mnl_attr_get_type(a) == NFTA_COUNTER_PACKETS)
			*packets = filter_u64(a);
		if (mnl_attr_get_type(a) == NFTA_COUNTER_BYTES)
			*bytes = filter_u64(a);
	}
}

static void see_counter(const struct nlmsghdr *h, void *context)
{
	struct look *l = context;
	const struct nlattr *type = filter_attribute(h, NFTA_OBJ_TYPE);

	if (!filter_is_ours(h) || !type || ntohl(mnl_attr_get_u32(type)) != NFT_OBJECT_COUNTER)
		return;
	struct filter_object o = { .table = l->table, .name = arena_strdup(l->arena, filter_text(h, NFTA_OBJ_NAME)) };
	read_counts(h, &o.packets, &o.bytes);
	vec_push(l->arena, &l->objects, o);
}

static int look_at(struct filter *f, struct look *l, unsigned kind, filter_on_message see, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];

	for (unsigned t = 0; t < FILTER_TABLES; t++) {
		l->table = (enum filter_table)t;
		l->chains_before = l->chains.len;
		l->objects_before = l->objects.len;
		int rc = filter_ask(f, filter_list(room, kind, l->table), see, look_again, l, why);
		if (rc)
			return err_in(why, "cannot list the table %s %s", filter_family_names[t], FILTER_NAME);
	}
	return 0;
}

/* ---- chains, where others change nftables all the time -------------------------------------- */

/*
 * The kernel finds its place in a listing of chains, or of objects, among those of all tables: another table's chain that goes meanwhile
 * makes it pass over one of ours. But it knows how many chains, named sets and objects our table has, and each has a handle that no other of
 * the table has, or had. So when as many were seen, in whatever listings, all were.
 */
#define GATHERINGS 3

struct gathering {
	struct look *look;
	struct strmap handles;
	uint16_t handle; /* the attribute, of the kind that is listed */
	uint32_t use;	 /* what the table counts */
};

static bool is_new(struct gathering *g, const struct nlmsghdr *h)
{
	return filter_is_ours(h) &&
	       strmap_add(&g->handles, arena_printf(g->look->arena, "%llu", (unsigned long long)handle_in(h, g->handle)), g);
}

static void gather_chain(const struct nlmsghdr *h, void *context)
{
	struct gathering *g = context;

	if (is_new(g, h))
		see_chain(h, g->look);
}

/* A table does not count sets without names. */
static void gather_set(const struct nlmsghdr *h, void *context)
{
	if (!set_is_anonymous(h))
		is_new(context, h);
}

static void gather_object(const struct nlmsghdr *h, void *context)
{
	is_new(context, h);
}

static void see_use(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *use = filter_attribute(h, NFTA_TABLE_USE);

	((struct gathering *)context)->use = use ? ntohl(mnl_attr_get_u32(use)) : 0;
}

static void use_again(void *context)
{
	((struct gathering *)context)->use = 0;
}

static int by_handle(const void *a, const void *b)
{
	const uint64_t x = ((const struct filter_chain *)a)->handle, y = ((const struct filter_chain *)b)->handle;

	return x < y ? -1 : x > y;
}

/* Once more through all kinds; what was seen before stays. */
static int gather_more(struct filter *f, struct gathering *g, struct err *why)
{
	static const struct { unsigned kind; uint16_t handle; filter_on_message see; } kinds[] = {
		{ NFT_MSG_GETCHAIN, NFTA_CHAIN_HANDLE, gather_chain },
		{ NFT_MSG_GETSET, NFTA_SET_HANDLE, gather_set },
		{ NFT_MSG_GETOBJ, NFTA_OBJ_HANDLE, gather_object },
	};
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof kinds / sizeof *kinds; i++) {
		g->handle = kinds[i].handle;
		rc = filter_ask_twice(f, filter_list(room, kinds[i].kind, g->look->table), kinds[i].see, g, why);
	}
	return rc ? rc : filter_ask(f, filter_ours(room, NFT_MSG_GETTABLE, NLM_F_ACK, g->look->table), see_use, use_again, g, why);
}

static int gather_chains(struct filter *f, struct look *l, struct err *why)
{
	struct gathering g = { .look = l };
	int rc = 0;

	strmap_init(&g.handles, l->arena);
	for (int i = 0; (i < GATHERINGS || filter_is_patient(f)) && !rc && (!i || g.handles.entries.len < g.use); i++)
		rc = gather_more(f, &g, why);
	if (!rc && g.handles.entries.len != g.use)
		rc = filter_changes_too_fast(why);
	if (!rc && l->chains.len > l->chains_before)
		qsort(l->chains.at + l->chains_before, l->chains.len - l->chains_before, sizeof *l->chains.at, by_handle);
	return rc;
}

static int look_at_chains(struct filter *f, struct look *l, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];

	for (unsigned t = 0; t < FILTER_TABLES; t++) {
		l->table = (enum filter_table)t;
		l->chains_before = l->chains.len;
		int rc = filter_ask(f, filter_list(room, NFT_MSG_GETCHAIN, l->table), see_chain, look_again, l, why);
		if (rc == -EBUSY)
			rc = gather_chains(f, l, why);
		if (rc)
			return err_in(why, "cannot list the table %s %s", filter_family_names[t], FILTER_NAME);
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static int look_at_counts(struct filter *f, struct look *l, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];

	for (unsigned t = 0; t < FILTER_TABLES; t++) {
		l->table = (enum filter_table)t;
		int rc = filter_ask_twice(f, filter_list(room, NFT_MSG_GETOBJ, l->table), see_counter, l, why);
		if (rc)
			return err_in(why, "cannot list the table %s %s", filter_family_names[t], FILTER_NAME);
	}
	return 0;
}

static int look_for_tables(struct filter *f, struct filter_live *out, struct arena *a, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];

	for (unsigned t = 0; t < FILTER_TABLES; t++) {
		struct look l = { .arena = a, .table = (enum filter_table)t };
		int rc = filter_ask(f, filter_ours(room, NFT_MSG_GETTABLE, NLM_F_ACK, l.table), see_table, look_again, &l, why);

		if (rc)
			return err_in(why, "cannot look for our tables");
		out->tables[t] = l.there;
		out->handles[t] = l.handle;
	}
	return 0;
}

int filter_look(struct filter *f, struct filter_live *out, unsigned want, struct arena *a, struct err *why)
{
	struct filter_live live = { 0 };
	struct look chains = { .arena = a }, sets = { .arena = a }, counters = { .arena = a };
	int rc = want & FILTER_WANT_TABLES ? look_for_tables(f, &live, a, why) : 0;

	if (!rc && want & FILTER_WANT_CHAINS)
		rc = look_at_chains(f, &chains, why);
	if (!rc && want & FILTER_WANT_SETS)
		rc = look_at(f, &sets, NFT_MSG_GETSET, see_set, why);
	if (!rc && want & FILTER_WANT_COUNTERS)
		rc = look_at(f, &counters, NFT_MSG_GETOBJ, see_counter, why);
	if (!rc && want & FILTER_WANT_COUNTS)
		rc = look_at_counts(f, &counters, why);
	if (rc)
		return rc;
	live.chains = chains.chains.at, live.chain_count = chains.chains.len;
	live.sets = sets.objects.at, live.set_count = sets.objects.len;
	live.counters = counters.objects.at, live.counter_count = counters.objects.len;
	*out = live;
	return 0;
}

static struct nlmsghdr *ask_counter(void *room, uint32_t i, void *context)
{
	const struct filter_counter *at = context;
	struct nlmsghdr *h = filter_ours(room, NFT_MSG_GETOBJ, 0, at[i].table);

	filter_put_text(h, NFTA_OBJ_NAME, at[i].name);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	return h;
}

static void see_named_counter(const struct nlmsghdr *h, uint32_t i, void *context)
{
	struct filter_counter *c = (struct filter_counter *)context + i;

	c->is = true;
	read_counts(h, &c->packets, &c->bytes);
}

int filter_counters_look(struct filter *f, struct filter_counter *at, uint32_t count, struct err *why)
{
	int rc = filter_ask_each(f, count, &(struct filter_each){ ask_counter, see_named_counter, at }, why);

	return rc ? err_in(why, "cannot read counters") : 0;
}

int filter_count(struct filter *f, const char *counter, uint64_t *out, struct err *why)
{
	struct filter_counter of[FILTER_TABLES] = { { .table = FILTER_INET, .name = counter }, { .table = FILTER_NETDEV, .name = counter } };
	int rc = filter_counters_look(f, of, FILTER_TABLES, why);

	*out = of[0].packets + of[1].packets;
	return rc;
}

/* ---- the rules of hooks ------------------------------------------------------------------ */

struct ways {
	const char *chain;
	struct buf text;
};

static void ways_again(void *context)
{
	((struct ways *)context)->text.len = 0;
}

static void ways_own_(struct ways *w)
{
	buf_release(&w->text);
}

/* "jump X" or "goto X" when that is all the rule does, else "other". */
static void see_way(const struct nlmsghdr *h, void *context)
{
	struct ways *w = context;

	if (!filter_is_ours(h) || strcmp(filter_text(h, NFTA_RULE_CHAIN), w->chain))
		return;
	const struct nlattr *list_of = filter_attribute(h, NFTA_RULE_EXPRESSIONS);
	const struct nlattr *one = filter_nested(list_of, NFTA_LIST_ELEM), *name = filter_nested(one, NFTA_EXPR_NAME);
	const struct nlattr *data = filter_nested(filter_nested(one, NFTA_EXPR_DATA), NFTA_IMMEDIATE_DATA);
	const struct nlattr *verdict = filter_nested(data, NFTA_DATA_VERDICT);
	const struct nlattr *code = filter_nested(verdict, NFTA_VERDICT_CODE);
	const struct nlattr *to = filter_nested(verdict, NFTA_VERDICT_CHAIN);
	bool alone = one && mnl_attr_get_payload_len(list_of) <= (size_t)MNL_ALIGN(one->nla_len);
	int says = code ? (int)ntohl(mnl_attr_get_u32(code)) : 0;

	buf_puts(&w->text, w->text.len ? "; " : "");
	if (alone && to && !strcmp(mnl_attr_get_str(name), "immediate") && (says == NFT_JUMP || says == NFT_GOTO))
		buf_printf(&w->text, "%s %s", says == NFT_JUMP ? "jump" : "goto", mnl_attr_get_str(to));
	else
		buf_puts(&w->text, "other");
}

int filter_ways(struct filter *f, enum filter_table t, const char *chain, struct arena *a, const char **out,
		struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *h = filter_list(room, NFT_MSG_GETRULE, t);
	own(ways) struct ways w = { .chain = chain };

	filter_put_text(h, NFTA_RULE_CHAIN, chain);
	int rc = filter_ask(f, h, see_way, ways_again, &w, why);
	if (!rc)
		*out = arena_strndup(a, buf_text(&w.text), w.text.len);
	return rc;
}
