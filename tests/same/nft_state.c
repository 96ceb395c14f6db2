/*
 * What nft remembers, against eval: drawn rates of every kind, limits of rules, limits with names that several share, sources that
 * are blocked, and feeds whose content is replaced between packets. All packets come at one instant, since windows are days.
 *
 *     tests/same/nft_state [SEED [POLICIES [PACKETS]]]
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"
#include "tests/lib/fed.h"
#include "tests/lib/nft_audit.h"
#include "tests/lib/nft_lab.h"
#include "tests/lib/tap.h"

static const struct gen_shape first_hook = {
	.zones = 3, .lifelines = 1, .blocks = 1, .reflexes = 6, .postures = 3, .rules = 3, .rate_percent = 85, .block_percent = 15,
	.tell_percent = 15, .feeds = 2, .limit_percent = 30, .shared_percent = 35, .slow = true,
};

static const struct gen_shape layer4 = {
	.zones = 3, .postures = 3, .rules = 12, .limit_percent = 70, .shared_percent = 35, .slow = true,
};

/* Limits stand between trees. */
static const struct gen_shape long_lists = {
	.zones = 3, .postures = 2, .rules = 300, .limit_percent = 4, .shared_percent = 20, .plain_percent = 60, .slow = true,
};

struct trial {
	struct nft_tally tally;
	unsigned packets, over, limited, blocked, fed;
};

/* --- what happens between packets --------------------------------------------------------------------- */

static void print_ranges(struct buf *b, const char *set, const struct netset *s, enum family f)
{
	char text[ADDR_TEXT];

	buf_printf(b, "flush set " NFT_OURS_NETDEV " %s\n", set);
	for (size_t i = 0; i < s->len[f]; i++) {
		buf_printf(b, "add element " NFT_OURS_NETDEV " %s { %s", set, addr_print((struct addr){ f, s->at[f][i].lo }, text));
		if (s->at[f][i].lo != s->at[f][i].hi)
			buf_printf(b, "-%s", addr_print((struct addr){ f, s->at[f][i].hi }, text));
		buf_puts(b, " }\n");
	}
}

static bool feed(struct nft_lab *lab, struct gen *g, const struct gen_aim *aim, struct fed *fed)
{
	own(buf) struct buf b = { 0 };

	fed_draw(fed, g, lab->ir, aim, lab->arena);
	for (size_t i = 0; i < lab->ir->feeds.count; i++)
		for (int f = 0; f < FAMILY_COUNT; f++)
			print_ranges(&b, nft_feed_set(lab->arena, lab->ir->feeds.rules[i].feed->name, (enum family)f), &fed->on[i],
				     (enum family)f);
	return !b.len || live_nft(buf_text(&b));
}

static bool block(struct nft_lab *lab, struct addr source)
{
	char text[ADDR_TEXT];
	own(buf) struct buf b = { 0 };

	if (source.family == FAMILY_IP6)
		source.num &= ~(addr_num)UINT64_MAX;
	moment_block(lab->moment, source, 3600000000000);
	buf_printf(&b, "add element " NFT_OURS_NETDEV " blocked%u { %s timeout 1h }\n", source.family == FAMILY_IP4 ? 4 : 6,
		   addr_print(source, text));
	return live_nft(buf_text(&b));
}

static bool something_happens(struct nft_lab *lab, struct gen *g, const struct gen_aim *aim, struct fed *fed)
{
	switch (gen_below(g, 4)) {
	case 0:
		return feed(lab, g, aim, fed);
	case 1:
		return block(lab, gen_packet(g, aim).src);
	case 2:
	case 3:
		return nft_lab_posture(lab, gen_below(g, (unsigned)lab->ir->posture_count));
	}
	return false;
}

/* --- packets ---------------------------------------------------------------------------------------------- */

/* docs/nftables.md: a flow whose ports are both 0 has another bucket than the later fragments of its addresses. */
static bool has_no_ports_by_chance(const struct packet *p)
{
	return proto_has_ports(p->proto) && p->fragment != FRAGMENT_LATER && !p->sport && !p->dport;
}

/* A rule with a limit may count it. */
static bool is_limited(const struct nft_lab *lab, const struct packet *p)
{
	static const enum direction ways[] = { DIRECTION_IN, DIRECTION_FORWARD };

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		const struct ir_list *l = &lab->ir->postures[lab->posture].lists[ways[w]];

		for (size_t i = 0; i < l->count; i++)
			for (size_t k = 0; ir_rule_is_limit(&l->rules[i]) && k < l->rules[i].box_count; k++)
				if (box_has(lab->moment, &l->rules[i].boxes[k], p))
					return true;
	}
	return false;
}

static struct packet some_packet(const struct nft_lab *lab, struct gen *g, const struct gen_aim *aim)
{
	struct packet p = gen_packet(g, aim);

	for (unsigned tries = 0; tries < 30 && !is_limited(lab, &p); tries++)
		p = gen_packet(g, aim);
	return p;
}

/* One of few, so that buckets are met again. */
static struct packet draw_packet(const struct nft_lab *lab, struct gen *g, const struct gen_aim *aim, struct packet recent[static 8])
{
	const unsigned n = gen_below(g, 8);

	if (!recent[n].src.num || gen_chance(g, 8))
		recent[n] = gen_chance(g, 50) ? gen_packet(g, aim) : some_packet(lab, g, aim);
	struct packet p = recent[n];

	if (gen_chance(g, 20))
		p.src = recent[gen_below(g, 8)].src.family == p.family ? recent[gen_below(g, 8)].src : p.src;
	if (p.src.family != p.family)
		p.src = recent[n].src;
	p.direction = DIRECTION_IN;
	return p;
}

static void tally(struct trial *t, const struct live_seen *seen)
{
	for (unsigned i = 0; i < seen->count; i++) {
		const char *name = seen->at[i].name;
		const bool netdev = !strcmp(seen->at[i].table, NFT_OURS_NETDEV);

		t->over += netdev && !strncmp(name, "reflex.", 7);
		t->fed += netdev && !strncmp(name, NFT_FEED_BEGINS, strlen(NFT_FEED_BEGINS));
		t->blocked += netdev && !strcmp(name, WHY_BLOCKED);
		t->limited += !strcmp(seen->at[i].table, NFT_OURS_INET) && strstr(name, ".limit");
	}
}

static bool try_packet(struct nft_lab *lab, struct packet p, size_t payload, const struct fed *fed, struct trial *t)
{
	static const uint8_t zeros[512];
	uint8_t frame[GEN_FRAME_MAX];
	const size_t len = frame_build(&p, zeros, payload, frame, sizeof frame);
	struct live_seen seen;

	if (!len || nft_has_no_proto(&p) || has_no_ports_by_chance(&p))
		return true;
	p.len = (uint32_t)len - 14;
	fed_find(fed, lab->moment, lab->ir, p.src);
	if (!live_arrive(&lab->live, nft_lab_link(p.zone), frame, len) || !live_seen(&lab->live, &seen))
		return false;
	const bool same = nft_judge(lab, p, &seen, &t->tally);

	tally(t, &seen);
	return same;
}

static bool try_policy(const struct nft_lab_case *c)
{
	struct trial *t = c->cls;
	struct gen_aim *aim = gen_aim_at(c->lab->ir, &c->lab->live.self, c->lab->arena);
	struct packet recent[8] = { 0 };
	struct fed fed = { 0 };
	struct err why = { 0 };

	bool same = nft_lab_send(c->lab, 'a', &why) && nft_lab_hook(c->lab, 'a');
	if (!same)
		tap_note("%s", why.text);
	for (unsigned i = 0; same && i < t->packets; i++) {
		if (gen_chance(c->g, 2) && !something_happens(c->lab, c->g, aim, &fed))
			same = false;
		const size_t payload = gen_chance(c->g, 30) ? gen_below(c->g, 400) : 0;

		if (same && !try_packet(c->lab, draw_packet(c->lab, c->g, aim, recent), payload, &fed, t)) {
			tap_note("packet %u, in posture %s", i, c->lab->ir->postures[c->lab->posture].name);
			same = false;
		}
	}
	return same;
}

/* Gives how many were over a rate or a limit. */
static unsigned remembered_alike(const char *what, const struct gen_shape *of, unsigned first, unsigned policies, unsigned packets)
{
	struct trial t = { .packets = packets };
	const struct nft_lab_series s = { .shape = of, .lan = { "eth1", "br-*" }, .first = first, .count = policies, .one = try_policy,
					  .cls = &t };
	const bool same = nft_lab_each(&s);

	tap_ok(same, "%u packets under %u policies with %s are judged by nft as by eval", t.tally.packets, policies, what);
	tap_note("%u over a rate, %u over a limit, %u blocked, %u on a feed; hooks: in %u, forward %u, none %u", t.over, t.limited, t.blocked,
		 t.fed, t.tally.hooks[DIRECTION_IN], t.tally.hooks[DIRECTION_FORWARD], t.tally.hooks[DIRECTION_COUNT]);
	return t.over + t.limited;
}

/* What is asked of packets has names of interfaces in it that no policy says. */
static void proved(const struct gen_shape *of, unsigned first, unsigned policies)
{
	struct nft_audited n = { 0 };

	for (unsigned seed = first; seed < first + policies; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);

		nft_audit_sound(&n, "policy", seed, ir_lower(gen_policy(&g, a, of), a), a);
	}
	tap_ok(!n.refused && n.policies, "the batches of %zu such policies are proved", n.policies);
}

int main(int argc, char **argv)
{
	const unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	const unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 10;
	const unsigned packets = argc > 3 ? (unsigned)atoi(argv[3]) : 500;

	proved(&first_hook, seed, policies);
	proved(&layer4, seed, policies);
	proved(&long_lists, seed, 1 + policies / 4);
	if (!live_may()) {
		tap_skip("needs root for a network namespace", "nft remembers as eval does");
		return tap_done();
	}
	const unsigned rates = remembered_alike("rates, blocks and feeds", &first_hook, seed, policies, packets);
	const unsigned limits = remembered_alike("limits", &layer4, seed, policies, packets) +
				remembered_alike("limits in long lists", &long_lists, seed, 1 + policies / 4, packets);

	tap_ok(policies < 10 || (rates > 20 && limits > 20), "some are over: %u and %u", rates, limits);
	return tap_done();
}
