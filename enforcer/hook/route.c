#include "enforcer/hook/route.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
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

int route_open(struct route **out, struct err *why)
{
	own(route) struct route *r = calloc(1, sizeof *r);
	struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
				      .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };

	if (!r)
		return err_set(why, ENOMEM, "no memory for a netlink socket");
	r->asks = r->hears = -1;
	r->seq = (uint32_t)time(NULL);
	r->room = malloc(RECEIVE_BYTES);
	r->asks = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	r->hears = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (!r->room || r->asks < 0 || r->hears < 0)
		return err_sys(why, "cannot open a netlink socket to routing");
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
			if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR)
				changed |= ROUTE_ADDRESSES;
		}
	}
}

/* ---- asking ------------------------------------------------------------------- */

typedef void (*on_message)(const struct nlmsghdr *h, void *context);

static int send_question(struct route *r, uint16_t type, struct err *why)
{
	_Alignas(8) uint8_t room[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++r->seq;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg)); /* longer than an ifaddrmsg; all zero: every family */
	if (send(r->asks, h, h->nlmsg_len, 0) < 0)
		return err_sys(why, "cannot ask for interfaces and addresses");
	return 0;
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
			if (h->nlmsg_type == NLMSG_DONE)
				return disturbed;
			if (h->nlmsg_type == NLMSG_ERROR)
				return err_set(why, EIO, "the kernel does not list interfaces and addresses");
			on(h, context);
		}
	}
}

static int ask(struct route *r, uint16_t type, on_message on, size_t *len, void *context, struct err *why)
{
	for (int i = 0; i < TRIES_MOST; i++) {
		*len = 0;
		int rc = send_question(r, type, why);
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

/* Others' links lead to a peer, or into another namespace. */
static bool is_vlan(const struct nlattr *info)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info)
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			return !strcmp(mnl_attr_get_str(a), "vlan");
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
	bool vlan = false, foreign = false;
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
			vlan = is_vlan(a);
	}
	l.carrier = vlan && !foreign ? carrier : 0;
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
	int rc = ask(r, RTM_GETLINK, see_link, &seen.links.len, &seen, why);

	if (rc)
		return rc;
	if (seen.links.len)
		qsort(seen.links.at, seen.links.len, sizeof *seen.links.at, by_index);
	*out = (struct links){ seen.links.at, seen.links.len };
	return 0;
}

struct seen_addresses {
	struct arena *arena;
	VEC(struct addr) addresses;
};

/* IFA_LOCAL is this host's end; on a link to one peer IFA_ADDRESS is the other's (rtnetlink(7)). */
static void see_address(const struct nlmsghdr *h, void *context)
{
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(h);
	struct seen_addresses *seen = context;
	const struct nlattr *a, *address = NULL;
	const bool is_ip4 = i->ifa_family == AF_INET;

	if (h->nlmsg_type != RTM_NEWADDR || (!is_ip4 && i->ifa_family != AF_INET6))
		return;
	mnl_attr_for_each(a, h, sizeof *i)
		if (mnl_attr_get_type(a) == IFA_LOCAL || (mnl_attr_get_type(a) == IFA_ADDRESS && !address))
			address = a;
	if (!address || mnl_attr_get_payload_len(address) != (is_ip4 ? 4 : 16))
		return;
	struct addr found = addr_from_bytes(is_ip4 ? FAMILY_IP4 : FAMILY_IP6, mnl_attr_get_payload(address));
	vec_push(seen->arena, &seen->addresses, found);
}

int route_addresses(struct route *r, struct addresses *out, struct arena *a, struct err *why)
{
	struct seen_addresses seen = { .arena = a };
	int rc = ask(r, RTM_GETADDR, see_address, &seen.addresses.len, &seen, why);

	if (!rc)
		*out = (struct addresses){ seen.addresses.at, seen.addresses.len };
	return rc;
}
