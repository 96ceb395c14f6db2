#include "enforcer/warden/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "lang/base/own.h"

/* A dump answers in parts of at most this (NLMSG_GOODSIZE and the larger of newer kernels). */
#define RECEIVE_BYTES (64u << 10)
#define SEND_BYTES    (64u << 10) /* that any socket sends at once; a larger change asks for room */
#define SCRATCH_BYTES 2048u
#define STALL_SECONDS 30
#define TRIES_MOST    20 /* of a dump into which another change came */

/* NFPROTO_INET and NFPROTO_NETDEV of linux/netfilter.h, whose other contents quarrel with the C library's. */
static const uint8_t families[FILTER_TABLES] = { [FILTER_INET] = 1, [FILTER_NETDEV] = 5 };
static const char *const family_names[FILTER_TABLES] = { "inet", "netdev" };

struct filter {
	int sock;
	uint32_t seq;
	uint8_t *room; /* RECEIVE_BYTES */
};

static int set_option(int sock, int level, int option, int value)
{
	return setsockopt(sock, level, option, &value, sizeof value);
}

/* Acknowledgements and dumps must not be lost to a small buffer: a root's socket may ask for more. */
int filter_open(struct filter **out, struct err *why)
{
	own(filter) struct filter *f = calloc(1, sizeof *f);
	const struct timeval stall = { .tv_sec = STALL_SECONDS };

	if (!f || !(f->room = malloc(RECEIVE_BYTES))) {
		if (f)
			f->sock = -1;
		return err_set(why, ENOMEM, "no memory for a netlink socket");
	}
	f->seq = (uint32_t)time(NULL);
	f->sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (f->sock < 0)
		return err_sys(why, "cannot open a netlink socket to netfilter");
	if (set_option(f->sock, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20) &&
	    set_option(f->sock, SOL_SOCKET, SO_RCVBUF, 8 << 20))
		return err_sys(why, "cannot size a netlink socket");
	set_option(f->sock, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	set_option(f->sock, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	if (setsockopt(f->sock, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall))
		return err_sys(why, "cannot limit the wait on a netlink socket");
	*out = take(f);
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	if (f->sock >= 0)
		close(f->sock);
	free(f->room);
	free(f);
}

/* ---- making messages ------------------------------------------------------------ */

static struct nlmsghdr *message(void *room, unsigned subsystem, unsigned kind, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	h->nlmsg_type = (uint16_t)(subsystem << 8 | kind);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

static struct nlmsghdr *change(void *room, unsigned kind, uint16_t flags, enum filter_table t)
{
	struct nlmsghdr *h = message(room, NFNL_SUBSYS_NFTABLES, kind, flags, families[t]);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, FILTER_NAME); /* attribute 1 names the table in all of them */
	return h;
}

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
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *m = change(room, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, h->table);

	mnl_attr_put_strz(m, NFTA_CHAIN_NAME, h->chain);
	struct nlattr *hook = mnl_attr_nest_start(m, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(m, NFTA_HOOK_HOOKNUM, htonl(h->hook));
	mnl_attr_put_u32(m, NFTA_HOOK_PRIORITY, htonl((uint32_t)h->priority));
	if (h->device)
		mnl_attr_put_strz(m, NFTA_HOOK_DEV, h->device);
	mnl_attr_nest_end(m, hook);
	mnl_attr_put_u32(m, NFTA_CHAIN_POLICY, htonl(h->device ? NF_ACCEPT_POLICY : NF_DROP_POLICY));
	mnl_attr_put_strz(m, NFTA_CHAIN_TYPE, "filter");
	add(c, m);
}

static void add_rule(struct filter_change *c, enum filter_table t, const char *chain, int verdict, const char *to)
{
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *m = change(room, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, t);

	mnl_attr_put_strz(m, NFTA_RULE_CHAIN, chain);
	struct nlattr *list = mnl_attr_nest_start(m, NFTA_RULE_EXPRESSIONS);
	struct nlattr *one = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	mnl_attr_put_strz(m, NFTA_EXPR_NAME, "immediate");
	struct nlattr *body = mnl_attr_nest_start(m, NFTA_EXPR_DATA);
	mnl_attr_put_u32(m, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_IMMEDIATE_DATA);
	struct nlattr *v = mnl_attr_nest_start(m, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(m, NFTA_VERDICT_CODE, htonl((uint32_t)verdict));
	mnl_attr_put_strz(m, NFTA_VERDICT_CHAIN, to);
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
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *m = change(room, kind, 0, t);

	if (name)
		mnl_attr_put_strz(m, attribute, name);
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
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *m = change(room, kind, kind == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, t);

	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_SET, set);
	struct nlattr *list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *one = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_SET_ELEM_KEY);
	mnl_attr_put(m, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(m, data);
	if (timeout_ms)
		mnl_attr_put_u64(m, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout_ms));
	mnl_attr_nest_end(m, one);
	mnl_attr_nest_end(m, list);
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

void filter_change_no_table(struct filter_change *c, enum filter_table t)
{
	add_named(c, NFT_MSG_DELTABLE, t, 0, NULL);
}

/* ---- what a message was about, for the sentence that says why it failed ----------- */

static const struct {
	const char *what;
	uint16_t name; /* attribute */
} kinds[] = {
	[NFT_MSG_NEWTABLE] = { "the table", 0 },
	[NFT_MSG_DELTABLE] = { "removing the table", 0 },
	[NFT_MSG_NEWCHAIN] = { "chain", NFTA_CHAIN_NAME },
	[NFT_MSG_DELCHAIN] = { "removing chain", NFTA_CHAIN_NAME },
	[NFT_MSG_NEWRULE] = { "a rule of chain", NFTA_RULE_CHAIN },
	[NFT_MSG_DELRULE] = { "removing the rules of chain", NFTA_RULE_CHAIN },
	[NFT_MSG_NEWSET] = { "set", NFTA_SET_NAME },
	[NFT_MSG_DELSET] = { "removing set", NFTA_SET_NAME },
	[NFT_MSG_NEWSETELEM] = { "elements of set", NFTA_SET_ELEM_LIST_SET },
	[NFT_MSG_DELSETELEM] = { "removing elements of set", NFTA_SET_ELEM_LIST_SET },
	[NFT_MSG_NEWOBJ] = { "counter", NFTA_OBJ_NAME },
	[NFT_MSG_DELOBJ] = { "removing counter", NFTA_OBJ_NAME },
};

static const struct nlattr *attribute_find(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == type)
			return a;
	return NULL;
}

/* " (meta, cmp, counter)": the expressions of a rule. */
static void describe_expressions(struct buf *out, const struct nlmsghdr *h)
{
	const struct nlattr *list = attribute_find(h, NFTA_RULE_EXPRESSIONS), *one, *a;

	if (!list)
		return;
	buf_puts(out, " (");
	mnl_attr_for_each_nested(one, list)
		mnl_attr_for_each_nested(a, one)
			if (mnl_attr_get_type(a) == NFTA_EXPR_NAME)
				buf_printf(out, "%s%.20s", buf_text(out)[out->len - 1] == '(' ? "" : ", ",
					   mnl_attr_get_str(a));
	buf_putc(out, ')');
}

static void describe(struct buf *out, const struct nlmsghdr *h)
{
	const unsigned kind = NFNL_MSG_TYPE(h->nlmsg_type);
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *name;

	if (kind >= sizeof kinds / sizeof *kinds || !kinds[kind].what) {
		buf_printf(out, "message of kind %u", kind);
		return;
	}
	buf_puts(out, kinds[kind].what);
	name = kinds[kind].name ? attribute_find(h, kinds[kind].name) : NULL;
	if (name)
		buf_printf(out, " %.128s", mnl_attr_get_str(name));
	if (kind == NFT_MSG_NEWRULE)
		describe_expressions(out, h);
	buf_printf(out, " in table %s %s", family_names[g->nfgen_family == families[FILTER_NETDEV]], FILTER_NAME);
}

static const char *way_out(int code)
{
	switch (code) {
	case ENOENT:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return "; this kernel lacks a part of nf_tables that the policy needs: install the kernel's netfilter "
		       "modules (nf_tables, nft_ct, nft_fib_inet, nft_reject_inet, nft_limit, nft_objref)";
	case EPERM:
		return "; tegd needs the capability CAP_NET_ADMIN in this network namespace";
	case EEXIST:
		return "; somebody else made it";
	default:
		return "";
	}
}

/* ---- sending a change --------------------------------------------------------------- */

/* The kernel's own words for an error (NETLINK_EXT_ACK), or "". */
static const char *kernel_words(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	const struct nlattr *a;
	size_t skip = sizeof *e;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return "";
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - sizeof e->msg;
	mnl_attr_for_each(a, h, skip)
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG && !mnl_attr_validate(a, MNL_TYPE_NUL_STRING))
			return mnl_attr_get_str(a);
	return "";
}

static const struct nlmsghdr *message_at(const struct filter_change *c, uint32_t index)
{
	const uint8_t *at = (const uint8_t *)c->messages.at;

	for (uint32_t i = 0; i < index; i++)
		at += NLMSG_ALIGN(((const struct nlmsghdr *)(const void *)at)->nlmsg_len);
	return (const struct nlmsghdr *)(const void *)at;
}

static int refused(const struct filter_change *c, uint32_t index, const struct nlmsghdr *answer, struct err *why)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);
	const char *words = kernel_words(answer);
	own(buf) struct buf what = { 0 };

	if (index < c->count)
		describe(&what, message_at(c, index));
	else
		buf_puts(&what, "the whole change");
	return err_set(why, -e->error, "the kernel refuses %s: %s%s%s%s", buf_text(&what), strerror(-e->error),
		       *words ? ": " : "", words, way_out(-e->error));
}

/* Numbers the messages from `first`; only the last asks for an acknowledgement, which comes after the commit. */
static void number(struct filter_change *c, uint32_t first)
{
	uint8_t *at = (uint8_t *)c->messages.at;

	for (uint32_t i = 0; i < c->count; i++) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)at;

		h->nlmsg_seq = first + i;
		if (i + 1 == c->count)
			h->nlmsg_flags |= NLM_F_ACK;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
}

static struct nlmsghdr *bracket(void *room, uint16_t type, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return h;
}

static int send_parts(struct filter *f, struct iovec *parts, size_t count, struct err *why)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr m = { .msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = parts, .msg_iovlen = count };
	size_t len = 0;
	ssize_t sent;

	for (size_t i = 0; i < count; i++)
		len += parts[i].iov_len;
	if (len > INT32_MAX / 4)
		return err_set(why, EFBIG, "a change of %zu bytes does not fit one transaction", len);
	if (len > SEND_BYTES)
		set_option(f->sock, SOL_SOCKET, SO_SNDBUFFORCE, (int)len + (int)SEND_BYTES);
	do
		sent = sendmsg(f->sock, &m, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? err_sys(why, "cannot send %zu bytes to netfilter", len) : 0;
}

static ssize_t receive(struct filter *f, struct err *why)
{
	ssize_t got;

	do
		got = recv(f->sock, f->room, RECEIVE_BYTES, 0);
	while (got < 0 && (errno == EINTR || errno == ENOBUFS));
	if (got < 0)
		return err_sys(why, "netfilter does not answer");
	return got;
}

/*
 * Errors come for the messages that have them, an acknowledgement for the last;
 * what fails as a whole (the commit itself) is answered under the first bracket's
 * number. The first error is the one told.
 */
static int read_verdict(struct filter *f, const struct filter_change *c, uint32_t first, struct err *why)
{
	const uint32_t last = first + c->count - 1;
	int rc = 0;

	for (bool ended = false; !ended;) {
		ssize_t got = receive(f, why);
		int left = (int)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (void *)f->room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - (first - 1) > c->count)
				continue;
			if (e->error && !rc)
				rc = refused(c, h->nlmsg_seq - first, h, why);
			ended = ended || h->nlmsg_seq == last || h->nlmsg_seq == first - 1;
		}
	}
	return rc;
}

int filter_commit(struct filter *f, struct filter_change *c, struct err *why)
{
	_Alignas(8) uint8_t begin[64], end[64];
	const uint32_t first = f->seq + 2;

	if (!c->count)
		return 0;
	f->seq += c->count + 3;
	number(c, first);
	struct nlmsghdr *b = bracket(begin, NFNL_MSG_BATCH_BEGIN, first - 1);
	struct nlmsghdr *e = bracket(end, NFNL_MSG_BATCH_END, first + c->count);
	struct iovec parts[] = { { b, b->nlmsg_len }, { c->messages.at, c->messages.len }, { e, e->nlmsg_len } };
	int rc = send_parts(f, parts, 3, why);

	return rc ? rc : read_verdict(f, c, first, why);
}

/* ---- asking ------------------------------------------------------------------------ */

typedef void (*on_message)(const struct nlmsghdr *h, void *context);

/* Sends one question and hands every answer on; -EAGAIN when a dump was disturbed by a change. */
static int ask_once(struct filter *f, struct nlmsghdr *question, on_message on, void *context, struct err *why)
{
	struct iovec part = { question, question->nlmsg_len };
	const uint32_t seq = question->nlmsg_seq = ++f->seq;
	bool disturbed = false;
	int rc = send_parts(f, &part, 1, why);

	while (!rc) {
		ssize_t got = receive(f, why);
		int left = (int)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (void *)f->room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_seq != seq)
				continue;
			disturbed = disturbed || h->nlmsg_flags & NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_DONE)
				return disturbed ? -EAGAIN : 0;
			if (h->nlmsg_type == NLMSG_ERROR && !e->error)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return err_set(why, -e->error, "netfilter refuses the question: %s", strerror(-e->error));
			on(h, context);
		}
	}
	return rc;
}

/* A listing that is one state of the table; `restart` forgets what came before a disturbance. */
static int ask(struct filter *f, struct nlmsghdr *question, on_message on, void (*restart)(void *), void *context,
	       struct err *why)
{
	for (int i = 0; i < TRIES_MOST; i++) {
		int rc = ask_once(f, question, on, context, why);

		if (rc != -EAGAIN)
			return rc == -ENOENT ? 0 : rc; /* no such table: nothing to list */
		restart(context);
	}
	return err_set(why, EBUSY, "the tables change faster than they can be read");
}

static struct nlmsghdr *list(void *room, unsigned kind, enum filter_table t)
{
	return change(room, kind, NLM_F_DUMP, t);
}

static bool is_ours(const struct nlmsghdr *h)
{
	const struct nlattr *table = attribute_find(h, NFTA_TABLE_NAME);

	return table && !strcmp(mnl_attr_get_str(table), FILTER_NAME);
}

static const char *text_at(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a = attribute_find(h, type);

	return a ? mnl_attr_get_str(a) : "";
}

/* ---- what is there -------------------------------------------------------------------- */

struct look {
	struct arena *arena;
	enum filter_table table;
	bool there;
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

static void see_table(const struct nlmsghdr *h, void *context)
{
	struct look *l = context;

	l->there = l->there || is_ours(h);
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
	const struct nlattr *hook = attribute_find(h, NFTA_CHAIN_HOOK);

	if (!is_ours(h))
		return;
	struct filter_chain c = { l->table, arena_strdup(l->arena, text_at(h, NFTA_CHAIN_NAME)), hook, "" };
	if (hook)
		c.device = hook_device(hook, l->arena);
	vec_push(l->arena, &l->chains, c);
}

static bool set_is_anonymous(const struct nlmsghdr *h)
{
	const struct nlattr *flags = attribute_find(h, NFTA_SET_FLAGS);

	return flags && ntohl(mnl_attr_get_u32(flags)) & NFT_SET_ANONYMOUS;
}

static void see_set(const struct nlmsghdr *h, void *context)
{
	struct look *l = context;

	if (!is_ours(h) || set_is_anonymous(h))
		return;
	struct filter_object o = { .table = l->table, .name = arena_strdup(l->arena, text_at(h, NFTA_SET_NAME)) };
	vec_push(l->arena, &l->objects, o);
}

static uint64_t u64_of(const struct nlattr *a)
{
	return be64toh(mnl_attr_get_u64(a));
}

static void see_counter(const struct nlmsghdr *h, void *context)
{
	struct look *l = context;
	const struct nlattr *type = attribute_find(h, NFTA_OBJ_TYPE), *data = attribute_find(h, NFTA_OBJ_DATA), *a;

	if (!is_ours(h) || !type || !data || ntohl(mnl_attr_get_u32(type)) != NFT_OBJECT_COUNTER)
		return;
	struct filter_object o = { .table = l->table, .name = arena_strdup(l->arena, text_at(h, NFTA_OBJ_NAME)) };
	mnl_attr_for_each_nested(a, data) {
		if (mnl_attr_get_type(a) == NFTA_COUNTER_PACKETS)
			o.packets = u64_of(a);
		if (mnl_attr_get_type(a) == NFTA_COUNTER_BYTES)
			o.bytes = u64_of(a);
	}
	vec_push(l->arena, &l->objects, o);
}

static int look_at(struct filter *f, struct look *l, unsigned kind, on_message see, struct err *why)
{
	_Alignas(8) uint8_t room[SCRATCH_BYTES];

	for (unsigned t = 0; t < FILTER_TABLES; t++) {
		l->table = (enum filter_table)t;
		l->chains_before = l->chains.len;
		l->objects_before = l->objects.len;
		int rc = ask(f, list(room, kind, l->table), see, look_again, l, why);
		if (rc)
			return err_in(why, "cannot list the table %s %s", family_names[t], FILTER_NAME);
	}
	return 0;
}

static int look_for_tables(struct filter *f, struct filter_live *out, struct arena *a, struct err *why)
{
	_Alignas(8) uint8_t room[SCRATCH_BYTES];

	for (unsigned t = 0; t < FILTER_TABLES; t++) {
		struct look l = { .arena = a, .table = (enum filter_table)t };
		struct nlmsghdr *h = message(room, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, NLM_F_DUMP, families[t]);
		int rc = ask(f, h, see_table, look_again, &l, why);

		if (rc)
			return err_in(why, "cannot list tables");
		out->tables[t] = l.there;
	}
	return 0;
}

int filter_look(struct filter *f, struct filter_live *out, unsigned want, struct arena *a, struct err *why)
{
	struct filter_live live = { 0 };
	struct look chains = { .arena = a }, sets = { .arena = a }, counters = { .arena = a };
	int rc = want & FILTER_WANT_TABLES ? look_for_tables(f, &live, a, why) : 0;

	if (!rc && want & FILTER_WANT_CHAINS)
		rc = look_at(f, &chains, NFT_MSG_GETCHAIN, see_chain, why);
	if (!rc && want & FILTER_WANT_SETS)
		rc = look_at(f, &sets, NFT_MSG_GETSET, see_set, why);
	if (!rc && want & FILTER_WANT_COUNTERS)
		rc = look_at(f, &counters, NFT_MSG_GETOBJ, see_counter, why);
	if (rc)
		return rc;
	live.chains = chains.chains.at, live.chain_count = chains.chains.len;
	live.sets = sets.objects.at, live.set_count = sets.objects.len;
	live.counters = counters.objects.at, live.counter_count = counters.objects.len;
	*out = live;
	return 0;
}

/* ---- hooks' rules, and elements --------------------------------------------------------- */

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

static const struct nlattr *nested_find(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *a;

	if (nest)
		mnl_attr_for_each_nested(a, nest)
			if (mnl_attr_get_type(a) == type)
				return a;
	return NULL;
}

/* "jump X" or "goto X" when that is all the rule does, else "other". */
static void see_way(const struct nlmsghdr *h, void *context)
{
	struct ways *w = context;

	if (!is_ours(h) || strcmp(text_at(h, NFTA_RULE_CHAIN), w->chain))
		return;
	const struct nlattr *list_of = attribute_find(h, NFTA_RULE_EXPRESSIONS);
	const struct nlattr *one = nested_find(list_of, NFTA_LIST_ELEM), *name = nested_find(one, NFTA_EXPR_NAME);
	const struct nlattr *data = nested_find(nested_find(one, NFTA_EXPR_DATA), NFTA_IMMEDIATE_DATA);
	const struct nlattr *verdict = nested_find(data, NFTA_DATA_VERDICT);
	const struct nlattr *code = nested_find(verdict, NFTA_VERDICT_CODE);
	const struct nlattr *to = nested_find(verdict, NFTA_VERDICT_CHAIN);
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
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *h = list(room, NFT_MSG_GETRULE, t);
	own(ways) struct ways w = { .chain = chain };

	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
	int rc = ask(f, h, see_way, ways_again, &w, why);
	if (!rc)
		*out = arena_strndup(a, buf_text(&w.text), w.text.len);
	return rc;
}

/* An element past its timeout stays listed until it is collected, with nothing left to live. */
static void count_elements(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *list_of = attribute_find(h, NFTA_SET_ELEM_LIST_ELEMENTS), *one, *a;
	uint64_t *count = context;

	if (!list_of)
		return;
	mnl_attr_for_each_nested(one, list_of) {
		bool expired = false;

		mnl_attr_for_each_nested(a, one)
			if (mnl_attr_get_type(a) == NFTA_SET_ELEM_EXPIRATION)
				expired = u64_of(a) == 0;
		*count += !expired;
	}
}

static void count_again(void *context)
{
	*(uint64_t *)context = 0;
}

int filter_set_size(struct filter *f, enum filter_table t, const char *set, uint64_t *out, struct err *why)
{
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *h = change(room, NFT_MSG_GETSETELEM, NLM_F_DUMP, t);
	uint64_t count = 0;

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	int rc = ask(f, h, count_elements, count_again, &count, why);
	if (!rc)
		*out = count;
	return rc;
}

static void tell_element(const struct nlattr *element, const struct filter_elements *to)
{
	const struct nlattr *key = NULL, *a, *value;
	uint64_t left_ms = UINT64_MAX; /* without an end */

	mnl_attr_for_each_nested(a, element) {
		if (mnl_attr_get_type(a) == NFTA_SET_ELEM_EXPIRATION)
			left_ms = u64_of(a);
		if (mnl_attr_get_type(a) == NFTA_SET_ELEM_KEY)
			mnl_attr_for_each_nested(value, a)
				key = value;
	}
	if (key && left_ms)
		to->one(to->cls, mnl_attr_get_payload(key), mnl_attr_get_payload_len(key), left_ms);
}

static void tell_elements(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *list = attribute_find(h, NFTA_SET_ELEM_LIST_ELEMENTS), *one;

	if (list)
		mnl_attr_for_each_nested(one, list)
			tell_element(one, context);
}

static void tell_again(void *context)
{
	const struct filter_elements *to = context;

	to->again(to->cls);
}

int filter_set_elements(struct filter *f, enum filter_table t, const char *set, const struct filter_elements *to,
			struct err *why)
{
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *h = change(room, NFT_MSG_GETSETELEM, NLM_F_DUMP, t);

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	return ask(f, h, tell_elements, tell_again, (void *)(uintptr_t)to, why);
}

/* ---- the digest ------------------------------------------------------------------------ */

struct tally {
	struct arena *arena;
	struct buf text; /* what is digested */
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
}

/* Attribute 1 is the table's name in each, and its family is put before. */
static void put(struct tally *t, const struct nlmsghdr *h, const uint16_t *types, size_t count)
{
	const unsigned kind = NFNL_MSG_TYPE(h->nlmsg_type);

	buf_printf(&t->text, "%u %u\n", kind, (unsigned)t->table);
	for (size_t i = 0; i < count; i++) {
		const struct nlattr *a = attribute_find(h, types[i]);

		buf_printf(&t->text, " %u %u ", types[i], a ? mnl_attr_get_payload_len(a) : 0);
		if (a)
			buf_add(&t->text, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	}
	buf_putc(&t->text, '\n');
}

enum part { PART_CHAIN, PART_RULES };

static bool takes_part(const struct tally *t, const char *chain, enum part part)
{
	for (size_t i = 0; i < t->chain_count; i++) {
		const struct filter_chain *c = &t->chains[i];

		if (c->table != t->table || strcmp(c->name, chain))
			continue;
		if (c->hooked)
			return part == PART_CHAIN && c->table == FILTER_INET;
		return !(c->name[0] == t->but && c->name[1] == '_');
	}
	return true;
}

static void tally_table(const struct nlmsghdr *h, void *context)
{
	static const uint16_t types[] = { NFTA_TABLE_NAME, NFTA_TABLE_FLAGS };

	if (is_ours(h))
		put(context, h, types, 2);
}

static void tally_chain(const struct nlmsghdr *h, void *context)
{
	static const uint16_t types[] = { NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE };
	struct tally *t = context;

	if (is_ours(h) && takes_part(t, text_at(h, NFTA_CHAIN_NAME), PART_CHAIN))
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
	const struct nlattr *all = attribute_find(h, NFTA_RULE_EXPRESSIONS), *one, *a;

	if (!is_ours(h) || !takes_part(t, text_at(h, NFTA_RULE_CHAIN), PART_RULES))
		return;
	put(t, h, types, 1);
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
	arena_free(t->arena);
}

int filter_digest(struct filter *f, char but, struct digest *out, struct err *why)
{
	static const struct { unsigned kind; on_message tally; } parts[] = {
		{ NFT_MSG_GETTABLE, tally_table }, { NFT_MSG_GETCHAIN, tally_chain }, { NFT_MSG_GETRULE, tally_rule },
	};
	own(tally) struct tally t = { .arena = arena_new(), .but = but };
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct filter_live live;
	int rc = filter_look(f, &live, FILTER_WANT_CHAINS, t.arena, why);

	t.chains = rc ? NULL : live.chains;
	t.chain_count = rc ? 0 : live.chain_count;
	for (size_t p = 0; !rc && p < sizeof parts / sizeof *parts; p++)
		for (unsigned table = 0; !rc && table < FILTER_TABLES; table++) {
			t.table = (enum filter_table)table;
			t.before = t.text.len;
			struct nlmsghdr *h = parts[p].kind == NFT_MSG_GETTABLE ?
				message(room, NFNL_SUBSYS_NFTABLES, parts[p].kind, NLM_F_DUMP, families[table]) :
				list(room, parts[p].kind, t.table);
			rc = ask(f, h, parts[p].tally, tally_again, &t, why);
		}
	if (rc)
		return err_in(why, "cannot read our tables");
	*out = digest_of(buf_text(&t.text), t.text.len);
	return 0;
}

static void see_generation(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *id = attribute_find(h, NFTA_GEN_ID);

	if (id)
		*(uint32_t *)context = ntohl(mnl_attr_get_u32(id));
}

static void see_nothing(const struct nlmsghdr *h, void *context)
{
	(void)h, (void)context;
}

static void forget_nothing(void *context)
{
	(void)context;
}

int filter_generation(struct filter *f, uint32_t *out, struct err *why)
{
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *h = message(room, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, NLM_F_ACK, AF_UNSPEC);
	int rc = ask(f, h, see_generation, forget_nothing, out, why);

	return rc ? err_in(why, "cannot read the tables' generation") : 0;
}

int filter_flush_conntrack(struct filter *f, struct err *why)
{
	_Alignas(8) uint8_t room[SCRATCH_BYTES];
	struct nlmsghdr *h = message(room, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, AF_UNSPEC);
	int rc = ask_once(f, h, see_nothing, NULL, why);

	return rc ? err_in(why, "cannot flush connection tracking") : 0;
}
