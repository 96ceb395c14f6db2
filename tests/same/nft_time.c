/*
 * What changes with time, in nft as in eval: rates and blocks; what a posture does to flows that connection
 * tracking knows; and what rejects tell.
 */
#include <string.h>

#include "compiler/emit/nft/lower.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/nft_lab.h"
#include "tests/lib/tap.h"

/* --- rates and blocks ---------------------------------------------------------------------------- */

enum { LATER = 256 }; /* fragment */

/* Packet, how often, in which posture. */
static const struct {
	unsigned posture;
	unsigned proto; /* | LATER */
	const char *src, *dst;
	unsigned port, times;
	const char *claim;
} storms[] = {
	{ 0, PROTO_UDP, "10.1.0.1", "10.0.0.1", 7, 9, "5 pass, 4 are over" },
	{ 0, PROTO_UDP, "10.1.0.2", "10.0.0.1", 7, 7, "another source has its own bucket" },
	{ 0, PROTO_UDP, "10.1.0.1", "10.0.0.1", 8, 3, "what the reflex is not about is not counted" },
	{ 0, PROTO_UDP, "2001:db8::1:1", "2001:db8::9", 7, 4, "IPv6" },
	{ 0, PROTO_UDP, "2001:db8::8000:0:0:2", "2001:db8::9", 7, 4, "shares a bucket within its /64" },
	{ 0, PROTO_UDP, "2001:db8:0:1::2", "2001:db8::9", 7, 6, "and not with the next" },
	{ 0, PROTO_TCP, "10.2.0.1", "10.0.0.1", 80, 2, "/24: two of three" },
	{ 0, PROTO_TCP, "10.2.0.200", "10.0.0.1", 80, 3, "its neighbour takes the third, and is blocked by the fourth" },
	{ 0, PROTO_UDP, "10.2.0.200", "10.0.0.1", 9, 2, "blocked whatever it sends" },
	{ 0, PROTO_TCP, "10.2.0.1", "10.0.0.1", 80, 1, "the first source is blocked by its own packet only" },
	{ 0, PROTO_UDP, "10.2.0.3", "10.0.0.1", 9, 1, "a source that was never over is not blocked" },
	{ 0, PROTO_TCP, "2001:db8:5::1", "2001:db8::9", 80, 5, "IPv6: over, and blocked" },
	{ 0, PROTO_UDP, "2001:db8:5:0:ffff::1", "2001:db8::9", 9, 2, "with its whole /64" },
	{ 0, PROTO_UDP, "2001:db8:5:1::1", "2001:db8::9", 9, 2, "and no more" },
	{ 1, PROTO_ICMP, "10.9.0.1", "10.0.0.1", 0, 2, "a reflex is silent where it is excepted" },
	{ 0, PROTO_ICMP, "10.9.0.1", "10.0.0.1", 0, 2, "and blocks elsewhere" },
	{ 1, PROTO_UDP, "10.9.0.1", "10.0.0.1", 9, 2, "the block stays in every posture" },
	{ 0, PROTO_UDP, "10.66.1.1", "10.0.0.1", 9, 2, "a static block" },
	{ 0, PROTO_ICMP, "10.9.0.1", "10.0.0.1", 0, 2, "runtime blocks are asked first" },
	{ 0, PROTO_UDP, "10.7.0.1", "10.0.0.1", 9, 3, "per flow: two of three" },
	{ 0, PROTO_UDP, "10.7.0.1", "10.0.0.1", 10, 3, "another port is another flow" },
	{ 0, PROTO_UDP, "10.7.0.1", "10.0.0.2", 9, 3, "so is another destination" },
	{ 0, PROTO_UDP, "10.7.0.2", "10.0.0.1", 9, 3, "and another source" },
	{ 0, PROTO_UDP, "10.7.0.1", "10.0.0.1", 9, 1, "the first is over all the time" },
	{ 0, PROTO_UDP, "2001:db8:7::1", "2001:db8::9", 9, 3, "flows of IPv6" },
	{ 0, PROTO_UDP, "2001:db8:7::2", "2001:db8::9", 9, 3, "to the last bit of an address" },
	{ 0, LATER | PROTO_UDP, "10.7.0.3", "10.0.0.1", 9, 4, "later fragments are one flow without ports" },
	{ 0, LATER | PROTO_UDP, "10.7.0.3", "10.0.0.1", 10, 1, "whatever stands where ports would" },
	{ 0, LATER | PROTO_UDP, "2001:db8:7::3", "2001:db8::9", 9, 4, "in IPv6 too" },
	{ 0, PROTO_UDP, "10.7.0.3", "10.0.0.1", 9, 3, "and not the flow of whole packets" },
	{ 0, PROTO_ICMP, "10.8.0.1", "10.0.0.1", 0, 3, "so are pings" },
	{ 0, PROTO_ICMP, "10.8.0.1", "10.0.0.2", 0, 3, "by where they go" },
	{ 0, PROTO_UDP, "10.3.0.1", "10.0.0.1", 11, 2, "per destination: two of three" },
	{ 0, PROTO_UDP, "10.3.0.2", "10.0.0.1", 11, 3, "whoever sends them" },
	{ 0, PROTO_UDP, "10.3.0.2", "10.0.0.2", 11, 4, "another destination has its own bucket" },
	{ 0, PROTO_UDP, "10.3.0.1", "10.0.0.1", 12, 3, "all together: a burst of four" },
	{ 0, PROTO_UDP, "2001:db8:3::1", "2001:db8::9", 12, 3, "in both families" },
	{ 0, PROTO_UDP, "10.3.0.1", "10.0.0.1", 13, 7, "150 bytes: five packets of 28" },
	{ 0, PROTO_UDP, "2001:db8:3::1", "2001:db8::9", 13, 4, "three of 48" },
};

static struct packet storm_packet(size_t i)
{
	struct packet p = craft_packet((uint8_t)storms[i].proto, storms[i].src, 1000, storms[i].dst, storms[i].port);

	p.zone = NFT_LAB_WAN;
	p.icmp = 8 << 8;
	if (storms[i].proto & LATER) {
		p.fragment = FRAGMENT_LATER;
		p.sport = p.dport = 0;
	}
	p.flags = storms[i].proto == PROTO_TCP ? 2 : 0;
	return p;
}

/* One packet, asked of the first hook once: buckets lose a token. */
static bool storm_once(struct nft_lab *lab, const struct packet *p)
{
	uint8_t frame[GEN_FRAME_MAX];
	size_t len = frame_build(p, NULL, 0, frame, sizeof frame);
	struct packet judged = *p;

	judged.len = (uint32_t)len - 14;
	struct nft_expected e = nft_expect_first(lab, &judged);
	struct live_seen seen;

	if (!live_arrive(&lab->live, nft_lab_link(p->zone), frame, len) || !live_seen(&lab->live, &seen))
		return false;
	if (nft_moved_only(&seen, NFT_OURS_NETDEV, e.netdev) && live_count(&seen, "netdev world", "passed") == e.passes)
		return true;
	nft_note_seen(&seen, &e);
	return false;
}

static void storms_are_judged_alike(struct nft_lab *lab)
{
	for (size_t i = 0; i < ARRAY_LEN(storms); i++) {
		struct packet p = storm_packet(i);
		bool same = nft_lab_posture(lab, storms[i].posture);
		unsigned k = 0;

		while (same && k < storms[i].times && (same = storm_once(lab, &p)))
			k++;
		if (!tap_ok(same, "%s", storms[i].claim))
			tap_note("packet %u of %u from %s", k + 1, storms[i].times, storms[i].src);
	}
}

/* A meter has room for so many sources; what comes then shares a bucket, and is not free. */
static void a_full_meter_does_not_open(struct nft_lab *lab)
{
	struct packet p = craft_packet(PROTO_UDP, "20.0.0.0", 1000, "10.0.0.1", 7);
	uint8_t frame[GEN_FRAME_MAX];
	struct live_seen seen;
	enum { BEYOND = 100 };

	for (unsigned i = 0; i < NFT_METER_MOST + BEYOND; i++) {
		p.src.num = 0x14000000u + i;
		if (!live_arrive(&lab->live, NFT_LAB_WAN, frame, frame_build(&p, NULL, 0, frame, sizeof frame)))
			break;
		if (i == NFT_METER_MOST - 100)
			live_seen(&lab->live, &seen);
	}
	live_seen(&lab->live, &seen);
	/* Some sources of the storms before have their place, too. */
	uint64_t dropped = live_count(&seen, NFT_OURS_NETDEV, "reflex.flood");
	tap_ok(dropped >= BEYOND - 5 && dropped < 2 * BEYOND, "a meter that is full lets only one bucket more pass");
	tap_note("%llu of the last %u were dropped", (unsigned long long)dropped, 2 * BEYOND - 1);
}

static void rates_and_blocks(void)
{
	own(arena) struct arena *a = arena_new();
	struct netset self = craft_set(a, "10.0.0.1 2001:db8::9");
	struct err why = { 0 };
	struct nft_lab lab;
	bool ok = !nft_lab_open(&lab, nft_lab_rated(a), a, &self, &why) && nft_lab_send(&lab, 'a', &why) && nft_lab_hook(&lab, 'a');

	if (tap_ok(ok, "a policy with rates is loaded")) {
		storms_are_judged_alike(&lab);
		nft_lab_posture(&lab, 0);
		a_full_meter_does_not_open(&lab);
	} else {
		tap_note("%s", why.text);
	}
	nft_lab_close(&lab);
}

/* --- flows: what a posture does to what the kernel knows ------------------------------------- */

static struct policy *flow_policy(struct arena *a)
{
	static const enum established kinds[] = { ESTABLISHED_KEEP, ESTABLISHED_RECHECK, ESTABLISHED_CUT, ESTABLISHED_CUT };
	static const char *const names[] = { "KEEP", "RECHECK", "CUT", "CLOSED" };
	struct policy *p = craft_policy(a, "flows");
	struct pol_posture open = craft_posture("OPEN", VERDICT_DROP);

	craft_rule(a, &open, "service", DIRECTION_IN, VERDICT_ALLOW, nft_lab_select(a, PROTO_UDP, "any", "self", 5000));
	craft_rule(a, &open, "told", DIRECTION_IN, VERDICT_REJECT, nft_lab_select(a, PROTO_UDP, "any", "self", 5001));
	craft_rule(a, &open, "reset", DIRECTION_IN, VERDICT_REJECT, nft_lab_select(a, PROTO_TCP, "any", "self", 5001));
	craft_add_posture(p, open);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct pol_posture q = craft_posture(names[i], VERDICT_DROP);

		q.established = kinds[i];
		if (i != 3) /* one admission, so that it is not closed */
			craft_rule(a, &q, "other", DIRECTION_IN, VERDICT_ALLOW, nft_lab_select(a, PROTO_UDP, "any", "self", 9));
		craft_add_posture(p, q);
	}
	return p;
}

enum { EITHER_WAY = 2 };

/* Judged as eval judges it in the state that connection tracking gives it, which is the one meant. */
static void flow_step(struct nft_lab *lab, struct packet p, struct live_seen *seen, enum ct_state state,
		      unsigned reply, const char *claim)
{
	const char *posture = lab->ir->postures[lab->ir->initial].name;
	unsigned way = live_count(seen, NFT_WORLD_INET, "reply") > 0;
	struct nft_tally t = { 0 };
	bool as_meant = nft_state_seen(seen) == state && (reply == EITHER_WAY || way == reply);

	if (!tap_ok(as_meant, "%s: %s, as connection tracking has it", posture, claim))
		nft_note_seen(seen, &(struct nft_expected){ 0 });
	tap_ok(nft_judge(lab, p, seen, &t), "%s: %s, judged by nft as by eval", posture, claim);
}

static void switch_to(struct nft_lab *lab, unsigned posture)
{
	lab->ir->initial = posture; /* what steps name */
	if (!nft_lab_posture(lab, posture))
		tap_ok(false, "posture %u is taken", posture);
}

static void flow_through(struct nft_lab *lab, unsigned posture)
{
	struct packet ask = craft_packet(PROTO_UDP, "10.1.0.0", 1234, "10.0.0.1", 5000), answer = ask, error = ask;
	uint8_t frame[GEN_FRAME_MAX];
	struct live_seen seen;

	ask.src.num += posture;
	error.src = ask.src;
	answer = ask;
	answer.src = ask.dst, answer.dst = ask.src;
	answer.sport = ask.dport, answer.dport = ask.sport;
	answer.direction = DIRECTION_OUT;
	error.proto = PROTO_ICMP;
	error.icmp = 3 << 8 | 1;
	error.sport = error.dport = 0;

	switch_to(lab, 0);
	if (nft_lab_arrives(lab, ask, NULL, 0, &seen))
		flow_step(lab, ask, &seen, CT_NEW, 0, "a flow begins");
	live_leave(&lab->live, NFT_LAB_WAN, &answer);
	live_seen(&lab->live, &seen);
	flow_step(lab, answer, &seen, CT_ESTABLISHED, 1, "it is answered");

	switch_to(lab, posture);
	if (nft_lab_arrives(lab, ask, NULL, 0, &seen))
		flow_step(lab, ask, &seen, CT_ESTABLISHED, 0, "its next packet");
	live_leave(&lab->live, NFT_LAB_WAN, &answer);
	live_seen(&lab->live, &seen);
	flow_step(lab, answer, &seen, CT_ESTABLISHED, 1, "its next answer");
	frame_build(&answer, NULL, 0, frame, sizeof frame);
	if (nft_lab_arrives(lab, error, frame + 14, 28, &seen))
		flow_step(lab, error, &seen, CT_RELATED, EITHER_WAY, "an error about it");
}

static void rejects_tell(struct nft_lab *lab)
{
	struct packet udp = craft_packet(PROTO_UDP, "10.1.0.9", 1234, "10.0.0.1", 5001), tcp = udp;
	struct live_seen seen;

	tcp.proto = PROTO_TCP;
	tcp.flags = 2;
	switch_to(lab, 0);
	if (nft_lab_arrives(lab, udp, NULL, 0, &seen))
		flow_step(lab, udp, &seen, CT_NEW, 0, "a rejected datagram");
	tap_num((int64_t)live_count(&seen, NFT_WORLD_INET, "sent.icmp"), 1, "its sender is told by ICMP");
	if (nft_lab_arrives(lab, tcp, NULL, 0, &seen))
		flow_step(lab, tcp, &seen, CT_NEW, 0, "a rejected connection");
	tap_num((int64_t)live_count(&seen, NFT_WORLD_INET, "sent.reset"), 1, "its sender is told by a reset");
}

static void flows_and_rejects(void)
{
	own(arena) struct arena *a = arena_new();
	struct netset self = craft_set(a, "10.0.0.1");
	struct err why = { 0 };
	struct nft_lab lab;
	bool ok = !nft_lab_open(&lab, flow_policy(a), a, &self, &why) && nft_lab_send(&lab, 'a', &why) &&
		  nft_lab_hook(&lab, 'a') && live_flows();

	if (tap_ok(ok, "a policy with four kinds of `established` is loaded")) {
		for (unsigned i = 1; i < lab.ir->posture_count; i++)
			flow_through(&lab, i);
		rejects_tell(&lab);
	} else {
		tap_note("%s", why.text);
	}
	nft_lab_close(&lab);
}

int main(void)
{
	if (!live_may()) {
		tap_skip("needs root for a network namespace", "rates and flows are judged as eval does");
		return tap_done();
	}
	rates_and_blocks();
	flows_and_rejects();
	return tap_done();
}
