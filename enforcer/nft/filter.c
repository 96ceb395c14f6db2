#include "enforcer/nft/filter.h"

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

#include "enforcer/nft/filter_talk.h"
#include "lang/base/clock.h"
#include "lang/base/own.h"

/* A dump answers in parts of at most this (NLMSG_GOODSIZE and the larger of newer kernels). */
#define RECEIVE_BYTES (64u << 10)
#define PIECE_MESSAGES 1000u /* at least, of a change that may be seen in part */
#define SEND_BYTES    (64u << 10) /* that any socket sends at once; a larger change asks for room */
#define STALL_SECONDS 30
#define EACH_AT_ONCE  256u /* questions; an answer takes 8 KiB of the socket's room at most */
/* Of a dump into which another change came: a short one has luck soon, and a long one is not to keep the warden from hearing. */
#define TRIES_MOST    20
#define TRIES_LONG    3
#define PARTS_LONG    12u /* in all tries together */
#define WHO_WAIT_US    20000
#define WHO_HEARD_MOST 64 /* messages: a change tells of each of its objects before it tells whose it was */

/* NFPROTO_INET and NFPROTO_NETDEV of linux/netfilter.h, whose other contents quarrel with the C library's. */
const uint8_t filter_families[FILTER_TABLES] = { [FILTER_INET] = 1, [FILTER_NETDEV] = 5 };
const char *const filter_family_names[FILTER_TABLES] = { "inet", "netdev" };

struct filter {
	int sock;
	uint32_t seq;
	uint8_t *room; /* RECEIVE_BYTES */
	unsigned parts; /* received since a listing was first asked for */
	uint64_t patient_until_ms; /* CLOCK_MONOTONIC */
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

/* ---- making and reading messages -------------------------------------------------- */

struct nlmsghdr *filter_message(void *room, unsigned subsystem, unsigned kind, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	h->nlmsg_type = (uint16_t)(subsystem << 8 | kind);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

void filter_put_text(struct nlmsghdr *h, uint16_t type, const char *text)
{
	uint8_t *last = (uint8_t *)mnl_nlmsg_get_payload_tail(h) + MNL_ALIGN(MNL_ATTR_HDRLEN + strlen(text) + 1) - MNL_ALIGNTO;

	memset(last, 0, MNL_ALIGNTO);
	mnl_attr_put_strz(h, type, text);
}

void filter_put_one_element(struct nlmsghdr *m, const void *key, size_t len, uint64_t timeout_ms)
{
	struct nlattr *one = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	struct nlattr *data = mnl_attr_nest_start(m, NFTA_SET_ELEM_KEY);
	mnl_attr_put(m, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(m, data);
	if (timeout_ms)
		mnl_attr_put_u64(m, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout_ms));
	mnl_attr_nest_end(m, one);
}

void filter_put_element(struct nlmsghdr *m, const char *set, const void *key, size_t len, uint64_t timeout_ms)
{
	filter_put_text(m, NFTA_SET_ELEM_LIST_SET, set);
	struct nlattr *list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
	filter_put_one_element(m, key, len, timeout_ms);
	mnl_attr_nest_end(m, list);
}

struct nlmsghdr *filter_ours(void *room, unsigned kind, uint16_t flags, enum filter_table t)
{
	struct nlmsghdr *h = filter_message(room, NFNL_SUBSYS_NFTABLES, kind, flags, filter_families[t]);

	filter_put_text(h, NFTA_TABLE_NAME, FILTER_NAME); /* attribute 1 names the table in all of them */
	return h;
}

struct nlmsghdr *filter_list(void *room, unsigned kind, enum filter_table t)
{
	return filter_ours(room, kind, NLM_F_DUMP, t);
}

const struct nlattr *filter_attribute(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == type)
			return a;
	return NULL;
}

const struct nlattr *filter_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *a;

	if (nest)
		mnl_attr_for_each_nested(a, nest)
			if (mnl_attr_get_type(a) == type)
				return a;
	return NULL;
}

bool filter_is_ours(const struct nlmsghdr *h)
{
	const struct nlattr *table = filter_attribute(h, NFTA_TABLE_NAME);

	return table && !strcmp(mnl_attr_get_str(table), FILTER_NAME);
}

const char *filter_text(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a = filter_attribute(h, type);

	return a ? mnl_attr_get_str(a) : "";
}

uint64_t filter_u64(const struct nlattr *a)
{
	return be64toh(mnl_attr_get_u64(a));
}

/* ---- sending a change --------------------------------------------------------------- */

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

/* The first error is told, but for a full set: from that follows -ENOENT where the element is taken out again. */
static bool outdoes(int error, int told)
{
	return error && (!told || (told == -ENFILE && error != -ENFILE && error != -ENOENT));
}

/*
 * Errors come for the messages that have them, an acknowledgement for the last;
 * what fails as a whole (the commit itself) is answered under the first bracket's number.
 */
static int read_verdict(struct filter *f, const struct filter_change *c, uint32_t first, bool *full, struct err *why)
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
			if (full && e->error == -ENFILE && h->nlmsg_seq - first < c->count)
				full[h->nlmsg_seq - first] = true;
			if (outdoes(e->error, rc))
				rc = filter_refused(c, h->nlmsg_seq - first, h, why);
			ended = ended || h->nlmsg_seq == last || h->nlmsg_seq == first - 1;
		}
	}
	return rc;
}

int filter_commit(struct filter *f, struct filter_change *c, struct err *why)
{
	return filter_commit_full(f, c, NULL, why);
}

int filter_commit_full(struct filter *f, struct filter_change *c, bool *full, struct err *why)
{
	_Alignas(8) uint8_t begin[64], end[64];
	const uint32_t first = f->seq + 2;

	if (!c->count)
		return 0;
	if (full)
		memset(full, 0, c->count * sizeof *full);
	f->seq += c->count + 3;
	number(c, first);
	struct nlmsghdr *b = bracket(begin, NFNL_MSG_BATCH_BEGIN, first - 1);
	struct nlmsghdr *e = bracket(end, NFNL_MSG_BATCH_END, first + c->count);
	struct iovec parts[] = { { b, b->nlmsg_len }, { c->messages.at, c->messages.len }, { e, e->nlmsg_len } };
	int rc = send_parts(f, parts, 3, why);

	return rc ? rc : read_verdict(f, c, first, full, why);
}

/* A set without a name, its elements and the rule that asks it belong together: it must not be left without the rule. */
static bool may_end_behind(const struct nlmsghdr *h)
{
	const unsigned kind = NFNL_MSG_TYPE(h->nlmsg_type);

	return kind != NFT_MSG_NEWSET && kind != NFT_MSG_NEWSETELEM;
}

/* The messages from `at` on that go together. */
static struct filter_change piece_of(const struct filter_change *c, size_t at)
{
	struct filter_change piece = { .messages = { .at = c->messages.at + at } };

	while (at + piece.messages.len < c->messages.len) {
		const struct nlmsghdr *h = (void *)(piece.messages.at + piece.messages.len);

		piece.messages.len += NLMSG_ALIGN(h->nlmsg_len);
		piece.count++;
		if (piece.count >= PIECE_MESSAGES && may_end_behind(h))
			break;
	}
	return piece;
}

int filter_commit_loose(struct filter *f, struct filter_change *c, struct err *why)
{
	int rc = 0;

	for (size_t at = 0; at < c->messages.len && !rc;) {
		struct filter_change piece = piece_of(c, at);

		rc = filter_commit(f, &piece, why);
		at += piece.messages.len;
	}
	return rc;
}

/* ---- asking ------------------------------------------------------------------------ */

/*
 * Was there room for more, so that this part is the last? The kernel gives a part the 32 KiB that we could receive, or where it has no memory for
 * that what a small page holds, and the messages that come in more than one part have less than a quarter of either.
 */
static bool has_room(ssize_t len)
{
	return len < 2700 || (len >= 8192 && len < 24000);
}

/*
 * Sends one question and hands every answer on; -EAGAIN when a dump was disturbed by a change. The end comes by itself, after the last part.
 * A change between the two does not matter when that part had room left: all of the listing had been gone through.
 */
static int ask_once(struct filter *f, struct nlmsghdr *question, filter_on_message on, void *context, struct err *why)
{
	struct iovec part = { question, question->nlmsg_len };
	const uint32_t seq = question->nlmsg_seq = ++f->seq;
	bool disturbed = false, is_last = false;
	int rc = send_parts(f, &part, 1, why);

	while (!rc) {
		ssize_t got = receive(f, why);
		int left = (int)got;

		if (got < 0)
			return (int)got;
		f->parts++;
		for (const struct nlmsghdr *h = (void *)f->room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_seq != seq)
				continue;
			const bool change = h->nlmsg_flags & NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_DONE)
				return disturbed || (change && !is_last) ? -EAGAIN : 0;
			if (h->nlmsg_type == NLMSG_ERROR && !e->error)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return err_set(why, -e->error, "netfilter refuses the question: %s", strerror(-e->error));
			disturbed = disturbed || change;
			is_last = has_room(got);
			on(h, context);
		}
	}
	return rc;
}

/* No such table: nothing to list. */
static int nothing_there(struct err *why)
{
	*why = (struct err){ 0 };
	return 0;
}

struct filter_patience filter_be_patient(struct filter *f, unsigned ms)
{
	f->patient_until_ms = clock_ms(CLOCK_MONOTONIC) + ms;
	return (struct filter_patience){ f };
}

void filter_patience_own_(struct filter_patience *p)
{
	p->f->patient_until_ms = 0;
}

bool filter_is_patient(const struct filter *f)
{
	return f->patient_until_ms && clock_ms(CLOCK_MONOTONIC) < f->patient_until_ms;
}

/* The kernel tells of each change whose it was. */
static int open_ears(int *out)
{
	const struct sockaddr_nl changes = { .nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1) };
	const struct timeval wait = { .tv_usec = WHO_WAIT_US };
	own(fd) int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) ||
	    bind(sock, (const struct sockaddr *)&changes, sizeof changes))
		return -1;
	*out = take_fd(sock);
	return 0;
}

/* "nft (process 1234)", of the next change; "" when none comes soon. */
static void who_changes(struct buf *out)
{
	_Alignas(8) uint8_t room[4096];
	own(fd) int sock = -1;
	ssize_t got = open_ears(&sock) ? -1 : recv(sock, room, sizeof room, 0);

	for (int heard = 0; got > 0 && heard < WHO_HEARD_MOST; heard++) {
		int left = (int)got;

		for (const struct nlmsghdr *h = (void *)room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlattr *name = filter_attribute(h, NFTA_GEN_PROC_NAME), *id = filter_attribute(h, NFTA_GEN_PROC_PID);

			if (NFNL_MSG_TYPE(h->nlmsg_type) != NFT_MSG_NEWGEN || !name || !id)
				continue;
			buf_printf(out, "%.32s (process %u)", mnl_attr_get_str(name), ntohl(mnl_attr_get_u32(id)));
			return;
		}
		got = recv(sock, room, sizeof room, 0);
	}
}

int filter_changes_too_fast(struct err *why)
{
	own(buf) struct buf who = { 0 };

	who_changes(&who);
	return err_set(why, EBUSY, "others change nftables faster than it can be read%s%s", who.len ? ", now " : "", buf_text(&who));
}

int filter_ask(struct filter *f, struct nlmsghdr *question, filter_on_message on, void (*restart)(void *), void *context,
	       struct err *why)
{
	f->parts = 0;
	for (int i = 0; i < TRIES_LONG || (i < TRIES_MOST && f->parts < PARTS_LONG) || filter_is_patient(f); i++) {
		int rc = ask_once(f, question, on, context, why);

		if (rc != -EAGAIN)
			return rc == -ENOENT ? nothing_there(why) : rc;
		restart(context);
	}
	return filter_changes_too_fast(why);
}

int filter_ask_alike(struct filter *f, struct nlmsghdr *question, filter_on_message on, const struct filter_alike *to, void *context,
		     struct err *why)
{
	struct digest before = { "" };

	for (int i = 0; i < TRIES_LONG || filter_is_patient(f); i++) {
		int rc = ask_once(f, question, on, context, why);

		if (rc != -EAGAIN)
			return rc == -ENOENT ? nothing_there(why) : rc;
		const struct digest now = to->sum(context);
		if (i && !strcmp(now.hex, before.hex))
			return 0;
		before = now;
		to->restart(context);
	}
	return filter_changes_too_fast(why);
}

int filter_ask_twice(struct filter *f, struct nlmsghdr *question, filter_on_message on, void *context, struct err *why)
{
	int rc = ask_once(f, question, on, context, why);

	if (rc == -EAGAIN)
		rc = ask_once(f, question, on, context, why);
	if (rc == -ENOENT || rc == -EAGAIN)
		*why = (struct err){ 0 };
	return rc == -ENOENT || rc == -EAGAIN ? 0 : rc;
}

/* Each is answered once: by what is there, or by an error. */
static int hear_each(struct filter *f, uint32_t from, uint32_t first, uint32_t count, const struct filter_each *each, struct err *why)
{
	int rc = 0;

	for (uint32_t heard = 0; heard < count;) {
		ssize_t got = receive(f, why);
		int left = (int)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (void *)f->room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const uint32_t i = h->nlmsg_seq - first;
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (i >= count)
				continue;
			heard++;
			if (h->nlmsg_type != NLMSG_ERROR)
				each->on(h, from + i, each->context);
			else if (e->error && e->error != -ENOENT && !rc)
				rc = err_set(why, -e->error, "netfilter refuses the question: %s", strerror(-e->error));
		}
	}
	return rc;
}

static int ask_some(struct filter *f, uint32_t from, uint32_t count, const struct filter_each *each, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	own(buf) struct buf questions = { 0 };
	const uint32_t first = f->seq + 1;

	f->seq += count;
	for (uint32_t i = 0; i < count; i++) {
		struct nlmsghdr *h = each->make(room, from + i, each->context);

		h->nlmsg_seq = first + i;
		buf_add(&questions, h, h->nlmsg_len);
	}
	struct iovec part = { questions.at, questions.len };
	int rc = send_parts(f, &part, 1, why);
	return rc ? rc : hear_each(f, from, first, count, each, why);
}

int filter_ask_each(struct filter *f, uint32_t count, const struct filter_each *each, struct err *why)
{
	int rc = 0;

	for (uint32_t from = 0; !rc && from < count; from += EACH_AT_ONCE)
		rc = ask_some(f, from, count - from < EACH_AT_ONCE ? count - from : EACH_AT_ONCE, each, why);
	return rc;
}

static void see_generation(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *id = filter_attribute(h, NFTA_GEN_ID);

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
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *h = filter_message(room, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, NLM_F_ACK, AF_UNSPEC);
	int rc = filter_ask(f, h, see_generation, forget_nothing, out, why);

	return rc ? err_in(why, "cannot read the tables' generation") : 0;
}

int filter_flush_conntrack(struct filter *f, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *h = filter_message(room, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, AF_UNSPEC);
	int rc = ask_once(f, h, see_nothing, NULL, why);

	return rc ? err_in(why, "cannot flush connection tracking") : 0;
}
