#include "enforcer/hook/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define RECEIVE_BYTES (64u << 10)
#define TRIES_MOST    20

struct route {
	int asks, hears;
	uint32_t seq;
	uint8_t *room; /* RECEIVE_BYTES */
};

#define IF_EQUAL(value, is, is_not) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (is), (is_not))

/* Of routes only local ones are heard: where BGP is spoken, others change all the time. */
static int hear_local_routes(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		IF_EQUAL(htons(RTM_NEWROUTE), 1, 0),
		IF_EQUAL(htons(RTM_DELROUTE), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_type)),
		IF_EQUAL(RTN_LOCAL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog all = { sizeof code / sizeof *code, code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof all);
}

int route_open(struct route **out, struct err *why)
{
	own(route) struct route *r = calloc(1, sizeof *r);
	struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
				      .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
						   RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
	const int strict = 1; /* so that the kernel lists one table of routes, not all */

	if (!r)
		return err_set(why, ENOMEM, "no memory for a netlink socket");
	r->asks = r->hears = -1;
	r->seq = (uint32_t)time(NULL);
	r->room = malloc(RECEIVE_BYTES);
	r->asks = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	r->hears = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (!r->room || r->asks < 0 || r->hears < 0)
		return err_sys(why, "cannot open a netlink socket to routing");
	if (setsockopt(r->asks, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof strict) || hear_local_routes(r->hears))
		return err_sys(why, "cannot ask routing for the local table alone");
	if (bind(r->hears, (struct sockaddr *)&groups, sizeof groups))
		return err_sys(why, "cannot follow interfaces and addresses");
	*out = take(r);
	return 0;
}

void route_free(struct route *r)
{
	if (!r)
		return;
	if (r->asks >= 0)
		close(r->asks);
	if (r->hears >= 0)
		close(r->hears);
	free(r->room);
	free(r);
}

int route_fd(const struct route *r)
{
	return r->hears;
}

unsigned route_drain(struct route *r)
{
	unsigned changed = 0;

	for (;;) {
		ssize_t got = recv(r->hears, r->room, RECEIVE_BYTES, 0);
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS) { /* events were lost: anything may have changed */
			changed |= ROUTE_LINKS | ROUTE_ADDRESSES;
			continue;
		}
		if (got <= 0)
			return changed;
		for (const struct nlmsghdr *h = (void *)r->room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK)
				changed |= ROUTE_LINKS;
			if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR ||
			    h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE)
				changed |= ROUTE_ADDRESSES;
		}
	}
}

/* ---- asking ------------------------------------------------------------------- */

typedef void (*on_message)(const struct nlmsghdr *h, void *context);

/* What is listed, or told of one: of which kind, and what stands behind the header. */
struct question {
	uint16_t type, flags;
	const void *asks;
	size_t len;
};

static int send_question(struct route *r, const struct question *q, struct err *why)
{
	_Alignas(8) uint8_t room[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	h->nlmsg_type = q->type;
	h->nlmsg_flags = NLM_F_REQUEST | q->flags;
	h->nlmsg_seq = ++r->seq;
	memcpy(mnl_nlmsg_put_extra_header(h, q->len), q->asks, q->len);
	if (send(r->asks, h, h->nlmsg_len, 0) < 0)
		return err_sys(why, "cannot ask for interfaces and addresses");
	return 0;
}

/* How a list ended: a table that is not there yet has nothing. */
static int ended(const struct nlmsghdr *h, struct err *why)
{
	const int *code = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof *code || *code >= 0 || *code == -ENOENT)
		return 0;
	return err_set(why, -*code, "the kernel listed interfaces and addresses in part");
}

/* 1 when the list was disturbed by a change. */
static int read_answers(struct route *r, on_message on, void *context, struct err *why)
{
	bool disturbed = false;

	for (;;) {
		ssize_t got = recv(r->asks, r->room, RECEIVE_BYTES, 0);
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(why, "cannot read interfaces and addresses");
		for (const struct nlmsghdr *h = (void *)r->room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != r->seq)
				continue;
			disturbed = disturbed || h->nlmsg_flags & NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_DONE) {
				const int rc = ended(h, why);
				return rc ? rc : disturbed;
			}
			if (h->nlmsg_type == NLMSG_ERROR)
				return err_set(why, EIO, "the kernel does not list interfaces and addresses");
			on(h, context);
		}
	}
}

static int ask(struct route *r, struct question q, on_message on, size_t *len, void *context, struct err *why)
{
	const size_t before = *len;

	for (int i = 0; i < TRIES_MOST; i++) {
		*len = before;
		int rc = send_question(r, &q, why);
		if (!rc)
			rc = read_answers(r, on, context, why);
		if (rc <= 0)
			return rc;
	}
	return err_set(why, EBUSY, "interfaces and addresses change faster than they can be read");
}

struct seen_links {
	struct arena *arena;
	VEC(struct link) links;
};

static bool is_carried(const char *kind)
{
	static const char *const kinds[] = { "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kind, kinds[i]))
			return true;
	return false;
}

/* Has it the frames of its link, as they came? Others' links lead to a peer, or to what carries theirs in its own. */
static bool has_frames_of_link(const struct nlattr *info)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info)
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			return is_carried(mnl_attr_get_str(a));
	return false;
}

static void see_link(const struct nlmsghdr *h, void *context)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	struct seen_links *seen = context;
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK)
		return;
	struct link l = { .ifindex = (uint32_t)i->ifi_index, .type = i->ifi_type };
	uint32_t carrier = 0;
	bool carried = false, foreign = false;
	mnl_attr_for_each(a, h, sizeof *i) {
		if (mnl_attr_get_type(a) == IFLA_IFNAME)
			l.name = arena_strdup(seen->arena, mnl_attr_get_str(a));
		else if (mnl_attr_get_type(a) == IFLA_MASTER && mnl_attr_get_payload_len(a) == sizeof l.master)
			l.master = mnl_attr_get_u32(a);
		else if (mnl_attr_get_type(a) == IFLA_LINK && mnl_attr_get_payload_len(a) == sizeof carrier)
			carrier = mnl_attr_get_u32(a);
		else if (mnl_attr_get_type(a) == IFLA_LINK_NETNSID)
			foreign = true;
		else if (mnl_attr_get_type(a) == IFLA_LINKINFO)
			carried = has_frames_of_link(a);
	}
	l.carrier = carried && !foreign ? carrier : 0;
	if (l.name)
		vec_push(seen->arena, &seen->links, l);
}

static int by_index(const void *x, const void *y)
{
	const struct link *a = x, *b = y;

	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

int route_links(struct route *r, struct links *out, struct arena *a, struct err *why)
{
	struct seen_links seen = { .arena = a };
	const struct ifinfomsg all = { .ifi_family = AF_UNSPEC };
	int rc = ask(r, (struct question){ RTM_GETLINK, NLM_F_DUMP, &all, sizeof all }, see_link, &seen.links.len, &seen, why);

	if (rc)
		return rc;
	if (seen.links.len)
		qsort(seen.links.at, seen.links.len, sizeof *seen.links.at, by_index);
	*out = (struct links){ seen.links.at, seen.links.len };
	return 0;
}

/* What the kernel says of one interface: its link, or an error. */
static bool is_missing(const struct nlmsghdr *h)
{
	const int *code = mnl_nlmsg_get_payload(h);

	return h->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(h) >= sizeof *code && *code == -ENODEV;
}

bool route_has(struct route *r, uint32_t ifindex)
{
	const struct ifinfomsg one = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };
	struct err ignored;

	if (send_question(r, &(struct question){ RTM_GETLINK, 0, &one, sizeof one }, &ignored))
		return true;
	for (;;) {
		ssize_t got = recv(r->asks, r->room, RECEIVE_BYTES, 0);
		const struct nlmsghdr *h = (void *)r->room;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || !mnl_nlmsg_ok(h, (int)got))
			return true;
		if (h->nlmsg_seq == r->seq)
			return !is_missing(h);
	}
}

struct seen_addresses {
	struct arena *arena;
	VEC(struct prefix) all;
};

/* A route to everywhere has no destination. */
static void see(struct seen_addresses *seen, uint8_t family, const struct nlattr *address, unsigned len)
{
	const enum family f = family == AF_INET ? FAMILY_IP4 : FAMILY_IP6;
	struct prefix p = { .len = len };

	if (address ? mnl_attr_get_payload_len(address) != FAMILY_BITS(f) / 8 : len != 0)
		return;
	p.addr = address ? addr_from_bytes(f, mnl_attr_get_payload(address)) : (struct addr){ .family = f };
	vec_push(seen->arena, &seen->all, p);
}

/* IFA_LOCAL is this host's end; on a link to one peer IFA_ADDRESS is the other's (rtnetlink(7)). */
static void see_address(const struct nlmsghdr *h, void *context)
{
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *address = NULL;

	if (h->nlmsg_type != RTM_NEWADDR || (i->ifa_family != AF_INET && i->ifa_family != AF_INET6))
		return;
	mnl_attr_for_each(a, h, sizeof *i)
		if (mnl_attr_get_type(a) == IFA_LOCAL || (mnl_attr_get_type(a) == IFA_ADDRESS && !address))
			address = a;
	see(context, i->ifa_family, address, i->ifa_family == AF_INET ? 32 : 128);
}

/* Nothing arrives for loopback's own network, which is in the table too. */
static bool is_loopback(const struct rtmsg *m, const struct nlattr *destination)
{
	return m->rtm_family == AF_INET && destination && *(const uint8_t *)mnl_attr_get_payload(destination) == 127;
}

static void see_route(const struct nlmsghdr *h, void *context)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *destination = NULL;

	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_type != RTN_LOCAL || m->rtm_table != RT_TABLE_LOCAL ||
	    (m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
		return;
	mnl_attr_for_each(a, h, sizeof *m)
		if (mnl_attr_get_type(a) == RTA_DST)
			destination = a;
	if (!is_loopback(m, destination))
		see(context, m->rtm_family, destination, m->rtm_dst_len);
}

/* Hosts first; then networks, the smaller ones first. */
static int by_size(const void *x, const void *y)
{
	const struct prefix *a = x, *b = y;
	const unsigned m = FAMILY_BITS(a->addr.family) - a->len, n = FAMILY_BITS(b->addr.family) - b->len;

	if (m != n)
		return m > n ? 1 : -1;
	if (a->addr.family != b->addr.family)
		return a->addr.family > b->addr.family ? 1 : -1;
	return (a->addr.num > b->addr.num) - (a->addr.num < b->addr.num);
}

/* Each address has a local route of its own. */
static void seen_once(struct seen_addresses *seen)
{
	size_t kept = 0;

	if (seen->all.len)
		qsort(seen->all.at, seen->all.len, sizeof *seen->all.at, by_size);
	for (size_t i = 0; i < seen->all.len; i++)
		if (!kept || by_size(&seen->all.at[kept - 1], &seen->all.at[i]))
			seen->all.at[kept++] = seen->all.at[i];
	seen->all.len = kept;
}

/* A kernel without IPv6 answers with IPv4's. */
static int see_routes(struct route *r, struct seen_addresses *seen, uint8_t family, struct err *why)
{
	const struct rtmsg local = { .rtm_family = family, .rtm_table = RT_TABLE_LOCAL, .rtm_type = RTN_LOCAL };

	return ask(r, (struct question){ RTM_GETROUTE, NLM_F_DUMP, &local, sizeof local }, see_route, &seen->all.len, seen, why);
}

int route_addresses(struct route *r, struct addresses *out, struct arena *a, struct err *why)
{
	const struct ifaddrmsg all = { .ifa_family = AF_UNSPEC };
	struct seen_addresses seen = { .arena = a };
	int rc = ask(r, (struct question){ RTM_GETADDR, NLM_F_DUMP, &all, sizeof all }, see_address, &seen.all.len, &seen, why);

	if (!rc)
		rc = see_routes(r, &seen, AF_INET, why);
	if (!rc)
		rc = see_routes(r, &seen, AF_INET6, why);
	if (rc)
		return rc;
	seen_once(&seen);
	*out = (struct addresses){ seen.all.at, seen.all.len };
	return 0;
}

static bool is_in(const struct prefix *all, size_t len, struct addr a)
{
	for (size_t i = 0; i < len; i++) {
		const struct addr_range r = prefix_range(all[i]);

		if (all[i].addr.family == a.family && r.lo <= a.num && a.num <= r.hi)
			return true;
	}
	return false;
}

size_t addresses_each(const struct addresses *all, struct addr *out, size_t most)
{
	size_t count = 0;

	for (size_t i = 0; i < all->len; i++) {
		const struct addr_range r = prefix_range(all->at[i]);

		for (addr_num n = 0; n <= r.hi - r.lo && count < most; n++) {
			const struct addr one = { all->at[i].addr.family, r.lo + n };

			if (!is_in(all->at, i, one))
				out[count++] = one;
		}
	}
	return count;
}
