/*
 * TC before kernel 6.6: filters of a clsact qdisc. This kernel may have TCX, so the way is told.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <net/if.h>

#include "enforcer/hook/shared.h"
#include "enforcer/hook/tc.h"
#include "tests/lib/tap.h"

#define PINS "/mnt/bpf/teg"

/* A namespace with an interface, and a bpf file system that is gone with this process. */
static bool stage(void)
{
	return !unshare(CLONE_NEWNET | CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", "/mnt", "tmpfs", 0, NULL) &&
	       !system("mkdir /mnt/bpf && mount -t bpf bpf /mnt/bpf && mkdir " PINS " && ip link add w0 type veth peer name c0"
		       " && ip link add w1 type veth peer name c1");
}

/* Lines of what `tc` lists. */
static unsigned lists(const char *question)
{
	char command[256];
	unsigned n = 0;

	snprintf(command, sizeof command, "%s | wc -l", question);
	FILE *f = popen(command, "r");
	if (!f || fscanf(f, "%u", &n) != 1)
		n = ~0u;
	if (f)
		pclose(f);
	return n;
}

#define FILTERS(device) lists("tc filter show dev " device " ingress | grep handle")

static bool keep_none(uint32_t ifindex, void *context)
{
	(void)ifindex, (void)context;
	return false;
}

static void one_life(struct tc *t, const struct shared *shared, uint32_t w0)
{
	own(tc) struct tc *again = NULL;
	struct tc_link is;
	struct err why = { 0 };

	tap_ok(!tc_look(t, w0, &is, &why) && !is.there, "at first nothing of ours is there");
	tap_ok(!tc_join(t, w0, &why), "it is joined: %s", why.text);
	tap_ok(!tc_look(t, w0, &is, &why) && is.there && !is.armed && is.way == TC_CLSACT, "by a filter that judges nothing");
	tap_ok(!tc_arm(t, w0, &why) && !tc_look(t, w0, &is, &why) && is.armed, "then the anchor takes its place: %s", why.text);
	tap_num(FILTERS("w0"), 1, "which is one filter");
	tap_ok(!tc_open(&again, PINS, shared->tc_slots, TC_CLSACT, &why) && !tc_look(again, w0, &is, &why) && is.armed,
	       "another process finds it: %s", why.text);
	tap_num(system("tc filter del dev w0 ingress prio 1 handle 0x746567 bpf"), 0, "somebody deletes it");
	tap_ok(!tc_look(t, w0, &is, &why) && !is.there, "which is seen");
	tap_ok(!tc_join(t, w0, &why) && !tc_arm(t, w0, &why), "and it is put there again: %s", why.text);
	tap_num(system("rm " PINS "/clsact_*"), 0, "somebody takes its mark away");
	tap_ok(!tc_look(t, w0, &is, &why) && !is.there, "which is seen");
	tap_ok(!tc_join(t, w0, &why) && !tc_look(t, w0, &is, &why) && is.armed, "joined again, it judges as before: %s", why.text);
	tap_ok(!tc_arm(t, w0, &why) && !tc_look(t, w0, &is, &why) && is.armed, "and when it is armed: %s", why.text);
	tap_num(FILTERS("w0"), 1, "still by one filter");
	tc_leave_others(t, keep_none, NULL);
	tap_num(FILTERS("w0"), 0, "left, the filter is gone");
	tap_num(lists("ls " PINS " | grep clsact_"), 0, "and its mark");
	tap_num(lists("tc qdisc show dev w0 | grep clsact"), 1, "but the qdisc stays: others may use it");
}

static void others(struct tc *t, uint32_t w1)
{
	struct err why = { 0 };

	tap_num(system("tc qdisc add dev w1 clsact && tc filter add dev w1 ingress prio 5 bpf bytecode '1,6 0 0 0'"), 0,
		"somebody else has a filter of the same hook");
	tap_num(tc_others(t, w1), 1, "it is counted");
	tap_ok(!tc_join(t, w1, &why) && !tc_arm(t, w1, &why), "ours stands before it: %s", why.text);
	tap_num(tc_others(t, w1), 1, "and is none of the others");
	tc_leave(t, w1);
	tap_num(FILTERS("w1"), 1, "left, theirs stays");
	tap_num(system("tc filter add dev w1 ingress prio 1 bpf bytecode '1,6 0 0 0'"), 0, "theirs takes the first priority");
	tap_ok(tc_join(t, w1, &why) == -EBUSY && FILTERS("w1") == 2, "then ours is not put behind it: %s", why.text);
}

int main(void)
{
	struct shared shared = SHARED_NONE;
	own(tc) struct tc *t = NULL;
	struct err why = { 0 };

	if (geteuid() || !stage()) {
		tap_skip("needs root, namespaces and a bpf file system", "filters of a clsact qdisc");
		return tap_done();
	}
	if (!tap_ok(!shared_open(&shared, PINS, &why) && !tc_open(&t, PINS, shared.tc_slots, TC_CLSACT, &why), "the anchor loads: %s",
		    why.text))
		return tap_done();
	one_life(t, &shared, if_nametoindex("w0"));
	others(t, if_nametoindex("w1"));
	tap_ok(tc_is_pinned(t, false), "the anchor is pinned for the next start");
	shared_release(&shared);
	return tap_done();
}
