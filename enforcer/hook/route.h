/*
 * route - which interfaces and addresses this host has, and when that changes.
 *
 *     route_links(r, &links, arena, why)           now
 *     poll(route_fd(r)) … route_drain(r)           something changed: ask again
 *
 * What changed is not read from the events: they may be lost, and a fresh list
 * cannot be wrong.
 */
#ifndef TEG_HOOK_ROUTE_H
#define TEG_HOOK_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/err.h"
#include "lang/base/own.h"

struct route;

int route_open(struct route **out, struct err *why);
void route_free(struct route *r);
OWN_FREE(route, struct route *)

/* Readable when something changed. */
int route_fd(const struct route *r);

enum route_change { ROUTE_LINKS = 1, ROUTE_ADDRESSES = 2 };

/* Forgets the events so far; the value is what they were about, or'ed. */
unsigned route_drain(struct route *r);

struct link {
	uint32_t ifindex;
	uint32_t master; /* whose port it is, a bridge's, a bond's or a VRF's; 0: nobody's */
	uint32_t carrier; /* of a VLAN device, a macvlan and the like: what its frames come by; 0: it is none */
	uint16_t type; /* ARPHRD_… of linux/if_arp.h */
	const char *name;
};

struct links {
	struct link *at;
	size_t len;
};

/* By ascending ifindex. */
int route_links(struct route *r, struct links *out, struct arena *a, struct err *why);

/* False only when the kernel says that there is no such interface: it may have gone since it was listed, and its event is still to come. */
bool route_has(struct route *r, uint32_t ifindex);

/*
 * Whatever the kernel takes for this host's own, once: the addresses of its interfaces, and what its local
 * routing table has besides (`ip route add local`). Hosts come before networks, small ones before large.
 */
struct addresses {
	struct prefix *at;
	size_t len;
};

int route_addresses(struct route *r, struct addresses *out, struct arena *a, struct err *why);

/* Each address by itself and once, in that order, into `out`: `most` of them, if there are so many. */
size_t addresses_each(const struct addresses *all, struct addr *out, size_t most);

#endif
