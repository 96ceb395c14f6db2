/* The text of a bundle and its batches make the same live ruleset: of generated policies, and of lists that stand in trees. */
#include <stdlib.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/nft_lab.h"
#include "tests/lib/tap.h"

/* The text's ingress chain has only the devices that are named without a star. */
static bool load_text(const struct nft_lab *lab)
{
	return live_nft(buf_text(&lab->nft.text));
}

/* The line in which two listings differ. */
static void note_lines(const char *want, const char *got)
{
	const char *from = want;
	size_t line;

	for (; *want && *want == *got; want++, got++)
		if (*want == '\n')
			from = want + 1;
	line = strcspn(want, "\n");
	tap_note("text:  %.*s", (int)(want - from + (ptrdiff_t)line), from);
	tap_note("batch: %.*s%.*s", (int)(want - from), from, (int)strcspn(got, "\n"), got);
}

/* A listing has sets and chains in the order in which they came; base chains come last in both. */
static bool lists_alike(struct nft_lab *lab, unsigned seed)
{
	own(buf) struct buf text = { 0 }, batch = { 0 };
	struct err why = { 0 };
	bool ok = load_text(lab) && live_list("table " NFT_OURS_INET, &text) && live_list("table " NFT_OURS_NETDEV, &text) && nft_lab_unload();

	if (!tap_ok(ok, "policy %u: nft -f takes the text", seed))
		return false;
	ok = nft_lab_send(lab, 'a', &why) && nft_lab_hook(lab, 'a') && live_list("table " NFT_OURS_INET, &batch) &&
	     live_list("table " NFT_OURS_NETDEV, &batch) && nft_lab_unload();
	if (!tap_ok(ok, "policy %u: the kernel takes the batches", seed)) {
		tap_note("%s", why.text);
		return false;
	}
	if (tap_ok(!strcmp(buf_text(&text), buf_text(&batch)), "policy %u: both make the same live ruleset", seed))
		return true;
	note_lines(buf_text(&text), buf_text(&batch));
	return false;
}

static unsigned joined; /* policies in which several fields are asked as one */

static bool try_policy(const struct nft_lab_case *c)
{
	joined += strstr(buf_text(&c->lab->nft.text), "@nh,72,88") != NULL;
	return lists_alike(c->lab, c->seed);
}

static void texts_and_batches_agree(const struct gen_shape *shape, unsigned first, unsigned count)
{
	const struct nft_lab_series s = { .shape = shape, .lan = { "br-x1", "br-y*" }, .first = first, .count = count, .one = try_policy };

	tap_ok(nft_lab_each(&s), "%u policies of %u rules a list were tried", count, shape->rules);
}

/* Clients with a port of TCP or of UDP each, in one map. */
static void protocols_share_a_map(void)
{
	own(arena) struct arena *a = arena_new();
	struct policy *p = craft_policy(a, "servers");
	struct pol_posture open = craft_posture("OPEN", VERDICT_DROP);
	struct netset self = craft_set(a, "10.0.0.1");
	struct packet own = craft_packet(PROTO_UDP, "198.3.7.9", 1, "10.0.0.1", 1009), other = craft_packet(PROTO_UDP, "198.3.7.8", 1, "10.0.0.1", 1008);
	struct err why = { 0 };
	struct live_seen seen;
	struct nft_lab lab;

	for (unsigned i = 0; i < 40; i++)
		craft_rule(a, &open, arena_printf(a, "s%u", i), DIRECTION_IN, VERDICT_ALLOW,
			   nft_lab_select(a, i % 2 ? PROTO_UDP : PROTO_TCP, arena_printf(a, "198.3.7.%u", i), "any", (uint16_t)(1000 + i)));
	craft_add_posture(p, open);
	nft_lab_widen(a, p, "br-x1", "br-y*");
	if (!tap_ok(!nft_lab_open(&lab, p, a, &self, &why) && strstr(buf_text(&lab.nft.text), "counter name meta l4proto . ip saddr . th dport map"),
		    "rules of TCP and of UDP are a map by protocol"))
		return;
	lists_alike(&lab, 1001);
	const bool ok = nft_lab_send(&lab, 'a', &why) && nft_lab_hook(&lab, 'a') && live_seen(&lab.live, &seen);
	if (tap_ok(ok, "it is loaded: %s", why.text) && nft_lab_arrives(&lab, own, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, NFT_OURS_INET, "OPEN.s9"), 1, "a client of UDP is counted for its rule");
	if (ok && nft_lab_arrives(&lab, other, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, NFT_OURS_INET, "OPEN.s8"), 0, "and not for one of TCP with the same port");
	nft_lab_close(&lab);
}

/* Sets by length of prefix, of which two generations share each. */
static void large_sets_are_shared(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf nets = { 0 };
	struct policy *p = craft_policy(a, "large");
	struct netset self = craft_set(a, "10.0.0.1");
	struct packet in = craft_packet(PROTO_UDP, "198.3.7.9", 1, "10.0.0.1", 9), out = in;
	struct err why = { 0 };
	struct live_seen seen;
	struct nft_lab lab;

	for (unsigned i = 0; i < 250; i++)
		buf_printf(&nets, " 198.%u.5.0/24 198.%u.7.0/28 198.%u.9.128/25 2001:db8:%x::/64 2001:db8:%x:1::1", i, i, i, 2 * i, i);
	craft_block(p, "bad", buf_text(&nets), ZONES_ANY);
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	nft_lab_widen(a, p, "br-x1", "br-y*");
	if (!tap_ok(!nft_lab_open(&lab, p, a, &self, &why) && strstr(buf_text(&lab.nft.text), "& 255.255.255."),
		    "a block of a thousand networks is asked by length"))
		return;
	lists_alike(&lab, 1000);
	bool ok = nft_lab_send(&lab, 'a', &why) && nft_lab_hook(&lab, 'a');
	tap_ok(ok && nft_lab_send(&lab, 'b', &why), "a second generation finds the elements there: %s", why.text);
	out.src.num += 16;
	if (ok && live_seen(&lab.live, &seen) && nft_lab_arrives(&lab, in, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, NFT_OURS_NETDEV, "block.bad"), 1, "what lies in a network of 28 bits is blocked");
	if (ok && nft_lab_arrives(&lab, out, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, NFT_OURS_NETDEV, "block.bad"), 0, "and what lies beside it is not");
	nft_lab_close(&lab);
}

/* Reflexes that do cookies, most for servers behind. */
static const struct gen_shape cookies = {
	.zones = 3, .lifelines = 1, .blocks = 1, .reflexes = 6, .postures = 2, .rules = 4, .rate_percent = 80, .cookies_percent = 80,
	.tell_percent = 30, .keyed_percent = 40,
};

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;

	if (!live_may()) {
		tap_skip("needs root for a network namespace", "the text is what is sent");
		return tap_done();
	}
	texts_and_batches_agree(&gen_shape_usual, seed, 8);
	texts_and_batches_agree(&gen_shape_telling, seed, 8);
	texts_and_batches_agree(&cookies, seed, 4);
	texts_and_batches_agree(&nft_long_lists, seed, 2);
	tap_ok(joined, "of these some ask several fields as one: %u", joined);
	large_sets_are_shared();
	protocols_share_a_map();
	return tap_done();
}
