/*
 * What long lists are in nftables, counted, and what they take to load: no packets, so that it takes seconds.
 *
 *     nft_load [ROUNDS [SIZE [KIND]]]
 *
 * ClassBench's lists, as in tests/bench/nft_bulk, and blocks of many networks, as in nft_sets (KIND "nets"); lists of 100,000 only when asked for. The time is the CPU's, of
 * the warden's way, the least of ROUNDS.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "compiler/audit/nft/said.h"
#include "compiler/emit/emit.h"
#include "tests/lib/classbench.h"
#include "tests/lib/craft.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/nft_run.h"
#include "tests/lib/some_nets.h"
#include "tests/lib/tap.h"

/* --- what is sent ------------------------------------------------------------------------------------- */

struct made {
	size_t counters, sets, elements, chains, rules, expressions, messages;
};

static size_t nests(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a, *one;
	size_t n = 0;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == type)
			mnl_attr_for_each_nested(one, a)
				n++;
	return n;
}

static struct made count(const struct batch *b)
{
	struct made m = { 0 };

	for (size_t at = 0; at < b->len; m.messages++) {
		const struct nlmsghdr *h = (const void *)(b->messages + at);
		const unsigned kind = NFNL_MSG_TYPE(h->nlmsg_type);

		m.counters += kind == NFT_MSG_NEWOBJ;
		m.sets += kind == NFT_MSG_NEWSET;
		m.chains += kind == NFT_MSG_NEWCHAIN;
		m.rules += kind == NFT_MSG_NEWRULE;
		m.expressions += kind == NFT_MSG_NEWRULE ? nests(h, NFTA_RULE_EXPRESSIONS) : 0;
		m.elements += kind == NFT_MSG_NEWSETELEM ? nests(h, NFTA_SET_ELEM_LIST_ELEMENTS) : 0;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return m;
}

static double least_ms(struct filter *f, const struct batch *b, const char *table, unsigned rounds)
{
	double least = 1e9;

	for (unsigned i = 0; i < rounds; i++) {
		const double ms = nft_load_ms(f, b);

		least = ms < least ? ms : least;
		nft_unload(table);
	}
	return least;
}

static void print(const char *kind, size_t size, const struct batch *b, double ms)
{
	const struct made m = count(b);

	printf("%-4s %7zu  %8zu %6zu %8zu %7zu %6zu %11zu %9zu  %7zu  %6.1f\n", kind, size, m.counters, m.sets, m.elements, m.chains,
	       m.rules, m.expressions, m.messages, b->len / 1024, ms);
	fflush(stdout);
}

static bool measure(struct filter *f, const char *kind, size_t size, unsigned rounds)
{
	own(arena) struct arena *a = arena_new();
	struct plan plan = { 0 };
	struct emit_nft nft;
	struct err why;
	size_t rules_count;
	struct classbench_rule *rules = classbench_sized(&rules_count, a, kind, size);

	if (!rules)
		return false;
	floor_must(emit_nft(&nft, &plan, classbench_posture(rules, rules_count, a), a, &why), why.text);
	batch_place(&nft.posture, NFT_SAID_BANK);
	print(kind, rules_count, &nft.posture, least_ms(f, &nft.posture, "inet tegumentar", rounds));
	emit_nft_release(&nft);
	return true;
}

/* A block of so many networks. */
static void measure_set(struct filter *f, size_t want, unsigned rounds)
{
	own(arena) struct arena *a = arena_new();
	struct policy *p = craft_policy(a, "large");
	struct prefix *nets = arena_zero(a, want * sizeof *nets);
	struct plan plan = { 0 };
	struct emit_nft nft;
	struct err why;

	craft_block(p, "bad", "192.0.2.1", ZONES_ANY);
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	p->blocks[0].set = some_nets_set(a, nets, some_nets(nets, want));
	floor_must(emit_nft(&nft, &plan, ir_lower(p, a), a, &why), why.text);
	batch_place(&nft.epiderme, NFT_SAID_BANK);
	print("nets", p->blocks[0].set.len[FAMILY_IP4], &nft.epiderme, least_ms(f, &nft.epiderme, "netdev tegumentar", rounds));
	emit_nft_release(&nft);
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "acl", "fw", "ipc" };
	static const size_t sizes[] = { 1000, 10000, 100000 };
	const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
	const size_t only = argc > 2 ? (size_t)atol(argv[2]) : 0;
	struct filter *f;
	struct err why;

	if (!live_may()) {
		printf("skipped: needs root\n");
		return 0;
	}
	floor_must(unshare(CLONE_NEWNET), "a network namespace");
	floor_must(filter_open(&f, &why), "a netlink socket");
	printf("        rules  counters   sets elements  chains  rules expressions  messages      KiB      ms\n");
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if ((only ? only == sizes[s] : sizes[s] <= 10000) && (argc < 4 || !strcmp(argv[3], kinds[k])) && !measure(f, kinds[k], sizes[s], rounds)) {
				printf("skipped: ../shared/data/rulesets/classbench is not here\n");
				return 0;
			}
	for (size_t n = 1000; n <= 1000000; n *= 10)
		if ((!only || only == n) && (argc < 4 || !strcmp(argv[3], "nets")))
			measure_set(f, n, rounds);
	filter_free(f);
	return 0;
}
