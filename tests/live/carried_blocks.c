/* Runtime blocks follow to another engine, however many: who is there already lasts as long as in either, and what nft has is read as long as it may know more. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/hook/block_table.h"
#include "enforcer/nft/filter_nets.h"
#include "enforcer/warden/blocks/nft.h"
#include "lang/base/clock.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

#define HOUR_NS UINT64_C(3600000000000)
#define MANY	9001u /* more than two changes of them, and one over */

static struct warden_stage s;
static int bundle;

static struct prefix host(uint32_t i)
{
	return block_host((struct addr){ FAMILY_IP4, 0x0b000000u + i * 7 });
}

static struct prefix parsed(const char *text, unsigned len)
{
	struct addr a;

	addr_parse(text, &a);
	return len ? prefix_cut((struct prefix){ a, len }, len) : block_host(a);
}

static bool begin(const char *engine)
{
	own(arena) struct arena *a = arena_new();

	if (!warden_stage_start(&s, "--engine", engine, NULL))
		return false;
	return warden_stage_status(&s, a).generation || warden_stage_apply(&s, bundle);
}

/* ---- the programs' table ------------------------------------------------------------- */

static bool open_table(struct shared *maps, struct block_table *t)
{
	char pins[160];
	struct err why;

	snprintf(pins, sizeof pins, "%s/bpf/teg", s.dir);
	return !shared_open(maps, pins, &why) && !block_table_open(t, maps, &why);
}

static bool put_in_xdp(struct prefix p, uint64_t left_ns)
{
	own(block_table) struct block_table t = { 0 };
	own(shared) struct shared maps = SHARED_NONE;
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);

	return open_table(&maps, &t) && block_table_set(&t, p, now + left_ns, TEG_BLOCK_NOBODY, now);
}

static bool put_many(void)
{
	own(block_table) struct block_table t = { 0 };
	own(shared) struct shared maps = SHARED_NONE;
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool all = open_table(&maps, &t);

	for (uint32_t i = 0; all && i < MANY; i++)
		all = block_table_set(&t, host(i), now + HOUR_NS, TEG_BLOCK_NOBODY, now);
	return all;
}

/* In minutes, rounded; 0: it is not blocked there. */
static int64_t minutes(uint64_t ns)
{
	return (int64_t)((ns + 30 * SECOND_NS) / (60 * SECOND_NS));
}

static int64_t in_xdp(struct prefix p)
{
	own(block_table) struct block_table t = { 0 };
	own(shared) struct shared maps = SHARED_NONE;
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (!open_table(&maps, &t))
		return -1;
	const uint64_t until = block_table_get(&t, p, now).until_ns;
	return until ? minutes(until - now) : 0;
}

/* ---- nft's sets ------------------------------------------------------------------------ */

static int64_t in_nft(struct prefix p)
{
	own(filter) struct filter *f = NULL;
	struct filter_element e;
	struct err why;

	block_element(&e, p);
	if (filter_open(&f, &why) || filter_elements_look(f, FILTER_NETDEV, &e, 1, &why))
		return -1;
	return e.is ? minutes(e.left_ms * 1000000) : 0;
}

static uint32_t many_in_nft(void)
{
	static struct filter_element all[MANY];
	own(filter) struct filter *f = NULL;
	uint32_t count = 0;
	struct err why;

	for (uint32_t i = 0; i < MANY; i++)
		block_element(&all[i], host(i));
	if (filter_open(&f, &why) || filter_elements_look(f, FILTER_NETDEV, all, MANY, &why))
		return 0;
	for (uint32_t i = 0; i < MANY; i++)
		count += all[i].is && minutes(all[i].left_ms * 1000000) == 60;
	return count;
}

static bool put_in_nft(struct prefix p, uint64_t left_ns)
{
	own(filter_change) struct filter_change c = { 0 };
	own(filter) struct filter *f = NULL;
	struct err why;

	block_change_element(&c, p, left_ns / 1000000);
	return !filter_open(&f, &why) && !filter_commit(f, &c, &why);
}

/* Networks of 16 bits, by the chains of that bank. */
static bool looked_for(char bank)
{
	own(filter) struct filter *f = NULL;
	uint64_t rules[FAMILY_COUNT];
	struct err why;

	return !filter_open(&f, &why) && !filter_nets(f, bank, rules, &why) && rules[FAMILY_IP4] == TEG_NET_BIT(16);
}

/* ---- the claims ------------------------------------------------------------------------- */

static void to_an_empty_set(void)
{
	tap_ok(begin("generic") && put_many() && put_in_xdp(parsed("2001:db8:1:2::", 0), HOUR_NS) && put_in_xdp(parsed("198.51.0.0", 16), HOUR_NS),
	       "XDP has many blocks, one of IPv6, and a network");
	warden_stage_end(&s, SIGTERM);
	tap_ok(begin("nft"), "nft takes over");
	tap_num(many_in_nft(), MANY, "with all of the hosts, for as long");
	tap_num(in_nft(parsed("2001:db8:1:2::", 0)), 60, "the one of IPv6");
	tap_num(in_nft(parsed("198.51.0.0", 16)), 60, "and the network");
	tap_ok(looked_for('a') || looked_for('b'), "which it looks for");
}

static void to_one_that_has_some(void)
{
	tap_ok(put_in_nft(parsed("203.0.113.9", 0), 2 * HOUR_NS) && put_in_nft(host(5), 3 * HOUR_NS) && put_in_nft(host(6), HOUR_NS / 2),
	       "nft places one, renews one, and has one for a shorter time");
	warden_stage_end(&s, SIGTERM);
	tap_ok(begin("generic"), "XDP takes over");
	tap_num(in_xdp(parsed("203.0.113.9", 0)), 120, "it has the new one");
	tap_num(in_xdp(host(5)), 180, "the renewed one for as long");
	tap_num(in_xdp(host(6)), 60, "and the other for what it had itself");
	tap_ok(put_in_xdp(host(7), 4 * HOUR_NS) && put_in_xdp(parsed("203.0.113.10", 0), HOUR_NS), "XDP renews one and places one");
	warden_stage_end(&s, SIGTERM);
	tap_ok(begin("nft"), "nft takes over, whose set is full of them");
	tap_num(in_nft(host(7)), 240, "it has the renewed one for as long");
	tap_num(in_nft(parsed("203.0.113.10", 0)), 60, "and the new one");
	tap_num(in_nft(host(5)), 180, "and what it had, for as long");
	tap_num(in_nft(host(6)), 60, "or longer, where XDP had it longer");
}

/* Somebody else's element in a set by which nobody judges tells whether that is read. */
static void read_no_more_than_needed(void)
{
	warden_stage_end(&s, SIGTERM);
	tap_ok(begin("generic") && warden_stage_apply(&s, bundle), "XDP takes over again, and a policy comes");
	tap_ok(put_in_nft(parsed("203.0.113.77", 0), HOUR_NS) && warden_stage_apply(&s, bundle), "and another, with something new in nft's set");
	tap_num(in_xdp(parsed("203.0.113.77", 0)), 0, "which is not read, since nft judges nowhere");
	warden_stage_end(&s, SIGTERM);
	tap_ok(begin("nft"), "nft takes over");
	warden_stage_end(&s, SIGTERM);
	tap_ok(begin("generic"), "and XDP from it");
	tap_num(in_xdp(parsed("203.0.113.77", 0)), 60, "then it is read");
	warden_stage_end(&s, SIGTERM);
}

static bool soon(int64_t (*in)(struct prefix), struct prefix p, int64_t wanted)
{
	for (int i = 0; i < 200 && in(p) != wanted; i++)
		usleep(50000);
	return in(p) == wanted;
}

/* An interface without Ethernet is nft's, beside one that is XDP's. */
static void read_once_nft_has_judged(void)
{
	const struct prefix one = parsed("203.0.113.98", 0), other = parsed("203.0.113.99", 0);

	tap_ok(begin("auto") && warden_stage_apply(&s, bundle) && warden_stage_apply(&s, bundle) && put_in_xdp(one, HOUR_NS), "XDP judges alone, and blocks one");
	tap_ok(!system("ip tuntap add w1 mode tun") && soon(in_nft, one, 60), "an interface comes that nft judges: it has that one");
	tap_ok(put_in_nft(other, HOUR_NS), "and blocks another");
	tap_ok(!system("ip link del w1") && soon(in_xdp, other, 60), "the interface goes: XDP has what nft had blocked");
	warden_stage_end(&s, SIGTERM);
}

/* A network of one length more than the programs ask for has no place there. */
static void past_one_without_a_place(void)
{
	bool put = true;

	tap_ok(begin("nft"), "nft takes over once more");
	for (unsigned len = 31 - TEG_NET_LENGTHS; put && len <= 31; len++)
		put = put_in_nft(parsed("198.51.0.0", len), HOUR_NS);
	tap_ok(put && put_in_nft(parsed("2001:db8:7::", 48), HOUR_NS), "it has networks of more lengths than XDP may have, and one of IPv6");
	warden_stage_end(&s, SIGTERM);
	tap_ok(begin("generic"), "XDP takes over");
	tap_num(in_xdp(parsed("2001:db8:7::", 48)), 60, "the one of IPv6 is carried, though another had no place");
	warden_stage_end(&s, SIGTERM);
}

int main(int argc, char **argv)
{
	if (warden_stage_role(argc, argv))
		return 0;
	if (!warden_stage_make(&s)) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	bundle = warden_stage_bundle(&s, "edge", "s/\"w0\"/\"w*\"/");
	if (!tap_ok(bundle >= 0, "a bundle"))
		return tap_done();
	to_an_empty_set();
	to_one_that_has_some();
	read_no_more_than_needed();
	read_once_nft_has_judged();
	past_one_without_a_place();
	return tap_done();
}
