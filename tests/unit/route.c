/*
 * What route_addresses() takes for this host's own, in a network namespace that was empty: addresses and networks of local routes,
 * each once.
 */
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/hook/route.h"
#include "lang/base/buf.h"
#include "tests/lib/tap.h"

#define MANY 300

static void listed(struct route *r, const char *change, const char *want, size_t each)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf got = { 0 };
	struct addresses all = { 0 };
	struct addr one[MANY];
	struct err why = { 0 };

	if (*change && system(change)) {
		tap_ok(false, "%s", change);
		return;
	}
	if (!tap_ok(!route_addresses(r, &all, a, &why), "behind \"%s\" own addresses are listed: %s", change, why.text))
		return;
	for (size_t i = 0; i < all.len; i++) {
		char text[ADDR_TEXT];

		buf_printf(&got, "%s%s/%u", i ? " " : "", addr_print(all.at[i].addr, text), all.at[i].len);
	}
	tap_text(buf_text(&got), want, "and are these");
	tap_num((int64_t)addresses_each(&all, one, MANY), (int64_t)each, "which are so many");
}

int main(void)
{
	own(route) struct route *r = NULL;
	struct err why = { 0 };

	if (geteuid() || unshare(CLONE_NEWNET)) {
		tap_skip("a network namespace needs root", "own addresses");
		return tap_done();
	}
	if (!tap_ok(!route_open(&r, &why), "routing is asked: %s", why.text))
		return tap_done();
	listed(r, "", "", 0); /* IPv4 has no local table yet */
	listed(r, "ip link set lo up", "127.0.0.1/32 ::1/128", 2);
	listed(r, "ip route add local 192.0.2.0/24 dev lo && ip route add local 192.0.2.16/28 dev lo && ip route add local 192.0.2.17 dev lo",
	    "127.0.0.1/32 192.0.2.17/32 ::1/128 192.0.2.16/28 192.0.2.0/24", 258);
	listed(r, "ip route add 198.51.100.0/24 dev lo && ip route add local 203.0.113.1 dev lo table 100",
	    "127.0.0.1/32 192.0.2.17/32 ::1/128 192.0.2.16/28 192.0.2.0/24", 258);
	listed(r, "ip route flush table local 192.0.2.0/24; ip route flush table local root 192.0.2.0/24; ip -6 route add local default dev lo",
	    "127.0.0.1/32 ::1/128 ::/0", MANY);
	listed(r, "ip route add local default dev lo", "127.0.0.1/32 ::1/128 0.0.0.0/0 ::/0", MANY);
	return tap_done();
}
