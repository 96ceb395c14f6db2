/*
 * nft against eval: generated policies are loaded into a namespace, generated
 * packets arrive, are forwarded and leave, and each must be counted where eval
 * says it is decided, and meet the verdict that eval says.
 *
 *     tests/same/nft [SEED [POLICIES [PACKETS [MANY]]]]
 *
 * PACKETS of each policy one by one, and MANY by the thousand (tests/lib/nft_many.h), malformed frames among both.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "lang/vocab/cause.h"
#include "tests/lib/craft.h"
#include "tests/lib/nft_lab.h"
#include "tests/lib/nft_many.h"
#include "tests/lib/tap.h"

/* --- packets ------------------------------------------------------------------------------------------ */

static bool try_arrival(struct nft_lab *lab, struct packet p, struct nft_tally *t)
{
	uint8_t frame[GEN_FRAME_MAX];
	size_t len = frame_build(&p, NULL, 0, frame, sizeof frame);
	struct live_seen seen;

	p.direction = DIRECTION_IN;
	if (!len || !live_arrive(&lab->live, nft_lab_link(p.zone), frame, len) || !live_seen(&lab->live, &seen))
		return true;
	return nft_judge(lab, p, &seen, t);
}

/* A packet to the host itself, or to none, takes the loopback, not the link. */
static bool may_leave(const struct nft_lab *lab, const struct packet *p)
{
	return p->fragment == FRAGMENT_WHOLE && !netset_has(&lab->live.self, p->dst) && p->src.num && p->dst.num;
}

static bool try_departure(struct nft_lab *lab, struct packet p, struct nft_tally *t)
{
	struct live_seen seen;

	if (!may_leave(lab, &p))
		return true;
	p.direction = DIRECTION_OUT;
	live_leave(&lab->live, nft_lab_link(p.zone), &p);
	if (!live_seen(&lab->live, &seen) || nft_hook_seen(&seen) != DIRECTION_OUT)
		return true;
	return nft_judge(lab, p, &seen, t);
}

static bool try_frame(struct nft_lab *lab, unsigned zone, const uint8_t *bytes, size_t len, struct nft_tally *t)
{
	struct nft_frame f;
	struct live_seen seen;

	nft_frame_read(&f, zone, bytes, len);
	if (!live_arrive(&lab->live, nft_lab_link(zone), bytes, len) || !live_seen(&lab->live, &seen))
		return true;
	switch (f.kind) {
	case NFT_FRAME_UNTOLD:
		return true;
	case NFT_FRAME_SOUND:
		if (nft_judge(lab, f.packet, &seen, t))
			return true;
		break;
	case NFT_FRAME_MALFORMED:
		t->causes++;
		if (seen.count ? nft_cause_seen(lab, &f, 1, &seen) : nft_frame_may_be_lost(&f))
			return true;
		tap_note("cause %s", cause_name(f.cause));
		nft_note_seen(&seen, &(struct nft_expected){ 0 });
		break;
	}
	nft_note_frame(&f);
	return false;
}

static bool try_any_frame(struct nft_lab *lab, struct gen *g, const struct gen_aim *aim, struct nft_tally *t)
{
	uint8_t frame[GEN_FRAME_MAX];
	size_t len = gen_frame(g, aim, frame);
	unsigned zone = gen_chance(g, 90) ? gen_below(g, (unsigned)lab->ir->zone_count) : ZONE_NONE;

	return try_frame(lab, zone, frame, len, t);
}

static bool try_packets(struct nft_lab *lab, struct gen *g, unsigned count, struct nft_tally *t)
{
	struct gen_aim *aim = gen_aim_at(lab->ir, &lab->live.self, lab->arena);

	for (unsigned i = 0; i < count; i++) {
		struct packet p = gen_packet(g, aim);
		bool same = i % 4 == 3 ? try_any_frame(lab, g, aim, t)
			    : i % 4 == 2 ? try_departure(lab, p, t)
					 : try_arrival(lab, p, t);

		if (!same)
			return false;
	}
	return true;
}

/* --- many at once --------------------------------------------------------------------------------------- */

/* One of four leaves; room for a frame. */
static struct nft_frame any_of_many(struct nft_lab *lab, struct gen *g, const struct gen_aim *aim, uint8_t *bytes)
{
	for (;;) {
		struct packet p = gen_packet(g, aim);

		p.direction = gen_chance(g, 25) ? DIRECTION_OUT : DIRECTION_IN;
		if (nft_has_no_proto(&p) || (p.direction == DIRECTION_OUT && !may_leave(lab, &p)))
			continue;
		const size_t len = frame_build(&p, NULL, 0, bytes, GEN_FRAME_MAX);
		if (len)
			return (struct nft_frame){ .bytes = bytes, .len = len, .zone = p.zone, .kind = NFT_FRAME_SOUND, .packet = p };
	}
}

static bool try_packets_at_once(struct nft_lab *lab, struct gen *g, const struct gen_aim *aim, unsigned count, struct nft_tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct nft_frame *frames = arena_zero(a, count * sizeof *frames);
	uint8_t bytes[GEN_FRAME_MAX];

	for (unsigned i = 0; i < count; i++) {
		frames[i] = any_of_many(lab, g, aim, bytes);
		frames[i].bytes = arena_copy(a, bytes, frames[i].len);
	}
	return nft_many_alike(lab, frames, count, t);
}

enum { FEW = 12 }; /* of a cause: for so few it is not asked */

static bool try_frames_at_once(struct nft_lab *lab, struct gen *g, const struct gen_aim *aim, unsigned count, struct nft_tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct nft_frame *frames = arena_zero(a, count * sizeof *frames);
	uint8_t bytes[GEN_FRAME_MAX];

	for (unsigned i = 0; i < count; i++) {
		const size_t len = gen_frame(g, aim, bytes);
		const unsigned zone = gen_chance(g, 90) ? gen_below(g, (unsigned)lab->ir->zone_count) : ZONE_NONE;

		nft_frame_read(&frames[i], zone, arena_copy(a, bytes, len), len);
	}
	return nft_many_frames(lab, frames, count, FEW, t);
}

/* One of three is a frame of any kind. */
static bool try_many(struct nft_lab *lab, struct gen *g, unsigned count, struct nft_tally *t)
{
	const struct gen_aim *aim = gen_aim_at(lab->ir, &lab->live.self, lab->arena);
	bool same = true;

	for (unsigned asked = 0; asked < count && same; asked += LIVE_MANY) {
		const unsigned n = count - asked < LIVE_MANY ? count - asked : LIVE_MANY;

		same = asked / LIVE_MANY % 3 == 1 ? try_frames_at_once(lab, g, aim, n, t) : try_packets_at_once(lab, g, aim, n, t);
	}
	return same;
}

/* --- policies ---------------------------------------------------------------------------------------------- */

struct trial {
	struct nft_tally tally;
	unsigned packets;
	bool many;
};

/* One packet after the other, or many at once. */
static bool try_policy(const struct nft_lab_case *c)
{
	struct trial *t = c->cls;
	const unsigned postures = (unsigned)c->lab->ir->posture_count;
	struct err why = { 0 };
	bool same = nft_lab_send(c->lab, 'a', &why) && nft_lab_hook(c->lab, 'a') && (!t->many || live_marks(&c->lab->live));

	if (!same)
		tap_note("%s", why.text);
	for (unsigned i = 0; same && i < postures; i++)
		same = nft_lab_posture(c->lab, i) && (t->many ? try_many : try_packets)(c->lab, c->g, t->packets / postures, &t->tally);
	return same;
}

/* Ways of all that is asked: a draw of a few policies may lack one. */
static void add_ways(struct nft_tally *all, const struct nft_tally *t)
{
	for (size_t i = 0; i < ARRAY_LEN(all->hooks); i++)
		all->hooks[i] += t->hooks[i];
	all->dropped_first += t->dropped_first;
	all->admitted += t->admitted;
	all->refused += t->refused;
	all->causes += t->causes;
}

static void each_way_was_taken(const struct nft_tally *t)
{
	tap_ok(t->hooks[DIRECTION_IN] && t->hooks[DIRECTION_FORWARD] && t->hooks[DIRECTION_OUT] && t->dropped_first && t->admitted &&
		       t->refused && t->causes, "each of these ways was taken");
}

static void note_ways(const struct nft_tally *t)
{
	tap_note("hooks: in %u, forward %u, out %u, none %u; first hook dropped %u; layer 4 admitted %u, refused %u; malformed %u",
		 t->hooks[DIRECTION_IN], t->hooks[DIRECTION_FORWARD], t->hooks[DIRECTION_OUT], t->hooks[DIRECTION_COUNT],
		 t->dropped_first, t->admitted, t->refused, t->causes);
}

/* None asked for are none. */
static void packets_are_judged_alike(struct nft_tally *all, const struct gen_shape *shape, unsigned first, unsigned policies,
				     unsigned packets, bool many)
{
	struct trial t = { .packets = packets, .many = many };
	const struct nft_lab_series s = { .shape = shape, .lan = { "eth1", "br-*" }, .first = first, .count = policies, .one = try_policy,
					  .cls = &t };

	if (!packets)
		return;
	const bool same = nft_lab_each(&s);
	if (!tap_ok(same, "%s%u packets and %u malformed frames under %u policies of %u rules a list are judged by nft as by eval",
		    many ? "many at once, " : "", t.tally.packets, t.tally.causes, policies, shape->rules))
		return;
	note_ways(&t.tally);
	add_ways(all, &t.tally);
}

/* A whole packet, cut behind so many bytes of its transport header, its IP header saying so. */
struct cut {
	enum family family;
	uint8_t proto;
	unsigned kept;
	const char *counter; /* or NULL: it goes on */
};

static const struct cut cuts[] = {
	{ FAMILY_IP4, PROTO_TCP, 20, NULL },	{ FAMILY_IP4, PROTO_TCP, 19, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_UDP, 8, NULL },	{ FAMILY_IP4, PROTO_UDP, 7, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_SCTP, 12, NULL },	{ FAMILY_IP4, PROTO_SCTP, 11, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_ICMP, 8, NULL },	{ FAMILY_IP4, PROTO_ICMP, 7, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_ICMPV6, 0, NULL },	{ FAMILY_IP4, 47, 0, NULL },
	{ FAMILY_IP6, PROTO_TCP, 20, NULL },	{ FAMILY_IP6, PROTO_TCP, 0, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_UDP, 8, NULL },	{ FAMILY_IP6, PROTO_UDP, 7, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_SCTP, 12, NULL },	{ FAMILY_IP6, PROTO_SCTP, 11, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_ICMPV6, 8, NULL },	{ FAMILY_IP6, PROTO_ICMPV6, 7, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_ICMP, 0, NULL },	{ FAMILY_IP6, 59, 0, NULL },
};

static size_t cut_frame(const struct cut *c, uint8_t *frame)
{
	bool ip4 = c->family == FAMILY_IP4;
	struct packet p = craft_packet(c->proto, ip4 ? "10.1.0.1" : "2001:db8::1", 1, ip4 ? "10.0.0.1" : "2001:db8::9", 2);
	size_t ip = ip4 ? 20 : 40, total = ip4 ? ip + c->kept : c->kept;

	p.icmp = 8 << 8;
	frame_build(&p, NULL, 0, frame, GEN_FRAME_MAX);
	frame[14 + (ip4 ? 2 : 4)] = 0;
	frame[14 + (ip4 ? 3 : 5)] = (uint8_t)total;
	return 14 + ip + c->kept;
}

/* One byte of a whole TCP packet changed, or its frame cut. */
static const struct {
	enum family family;
	unsigned at, value;
	size_t len; /* 0: whole */
	const char *counter, *claim;
} wounds[] = {
	{ FAMILY_IP4, 14, 0x45, 0, NULL, "a whole packet" },
	{ FAMILY_IP4, 14, 0x55, 0, "malformed.bad-ip", "version 5" },
	{ FAMILY_IP4, 14, 0x44, 0, "malformed.bad-ip", "a header of 16 bytes" },
	{ FAMILY_IP4, 14, 0x4f, 0, "malformed.bad-ip", "a header longer than the packet" },
	{ FAMILY_IP4, 17, 41, 0, "malformed.bad-ip", "a packet longer than its frame" },
	{ FAMILY_IP4, 14, 0x45, 33, "malformed.short-ip", "19 bytes of a header" },
	{ FAMILY_IP4, 46, 0x40, 0, "malformed.bad-tcp", "a TCP header of 16 bytes" },
	{ FAMILY_IP6, 14, 0x60, 0, NULL, "a whole packet of IPv6" },
	{ FAMILY_IP6, 14, 0x40, 0, "malformed.bad-ip", "version 4 in IPv6" },
	{ FAMILY_IP6, 19, 21, 0, "malformed.bad-ip", "IPv6: a packet longer than its frame" },
	{ FAMILY_IP6, 14, 0x60, 53, "malformed.short-ip", "39 bytes of a header" },
	{ FAMILY_IP6, 66, 0x40, 0, "malformed.bad-tcp", "IPv6: a TCP header of 16 bytes" },
	{ FAMILY_IP4, 13, 0x06, 0, "not-ip", "ARP passes" },
};

static void frame_counts(struct nft_lab *lab, const uint8_t *frame, size_t len, const char *counter, const char *claim)
{
	struct live_seen seen;
	bool passes = !counter || !strcmp(counter, WHY_NOT_IP);
	bool sent = live_arrive(&lab->live, NFT_LAB_WAN, frame, len) && live_seen(&lab->live, &seen);

	if (!tap_ok(sent && nft_moved_only(&seen, NFT_OURS_NETDEV, counter) &&
			    live_count(&seen, "netdev world", "passed") == passes, "%s", claim)) {
		nft_note_seen(&seen, &(struct nft_expected){ .netdev = counter, .passes = passes });
		nft_note_frame(&(struct nft_frame){ .bytes = frame, .len = len });
	}
}

/* An empty policy: all that can happen at the first hook is a cause. */
static void causes_are_counted(void)
{
	own(arena) struct arena *a = arena_new();
	struct policy *p = craft_policy(a, "bare");
	struct netset self = craft_set(a, "10.0.0.1");
	uint8_t frame[GEN_FRAME_MAX], tagged[GEN_FRAME_MAX];
	struct err why = { 0 };
	struct nft_lab lab;

	craft_add_posture(p, craft_posture("ONLY", VERDICT_DROP));
	bool ok = !nft_lab_open(&lab, p, a, &self, &why) && nft_lab_send(&lab, 'a', &why) && nft_lab_hook(&lab, 'a');
	if (!tap_ok(ok, "an empty policy is loaded"))
		tap_note("%s", why.text);

	for (size_t i = 0; ok && i < ARRAY_LEN(cuts); i++) {
		size_t len = cut_frame(&cuts[i], frame);
		const char *claim = arena_printf(a, "%u bytes of protocol %u in IPv%u", cuts[i].kept, cuts[i].proto,
						 cuts[i].family == FAMILY_IP4 ? 4 : 6);

		frame_counts(&lab, frame, len, cuts[i].counter, claim);
	}
	for (size_t i = 0; ok && i < ARRAY_LEN(wounds); i++) {
		struct cut whole = { wounds[i].family, PROTO_TCP, 20, NULL };
		size_t len = cut_frame(&whole, frame);

		frame[wounds[i].at] = (uint8_t)wounds[i].value;
		frame_counts(&lab, frame, wounds[i].len ? wounds[i].len : len, wounds[i].counter, wounds[i].claim);
	}
	for (unsigned tags = 1; ok && tags < 4; tags++) {
		static const uint8_t tag[] = { 0x81, 0x00, 0x00, 0x05 };
		size_t len = cut_frame(&cuts[0], frame);

		memcpy(tagged, frame, 12);
		for (unsigned t = 0; t < tags; t++)
			memcpy(tagged + 12 + 4 * t, tag, sizeof tag);
		memcpy(tagged + 12 + 4 * tags, frame + 12, len - 12);
		frame_counts(&lab, tagged, len + 4 * tags, tags > 1 ? "malformed.vlan-depth" : NULL,
			     arena_printf(a, "%u VLAN tags", tags));
	}
	nft_lab_close(&lab);
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 12;
	unsigned packets = argc > 3 ? (unsigned)atoi(argv[3]) : 2000;
	unsigned many = argc > 4 ? (unsigned)atoi(argv[4]) : 160000;
	struct nft_tally all = { 0 };

	if (!live_may()) {
		tap_skip("needs root for a network namespace", "nft judges as eval does");
		return tap_done();
	}
	packets_are_judged_alike(&all, &gen_shape_still, seed, policies, packets, false);
	packets_are_judged_alike(&all, &nft_long_lists, seed, policies / 4 + 1, packets, false);
	packets_are_judged_alike(&all, &gen_shape_still, seed + policies, policies, many, true);
	packets_are_judged_alike(&all, &nft_long_lists, seed + policies, policies / 4 + 1, many, true);
	each_way_was_taken(&all);
	causes_are_counted();
	return tap_done();
}
