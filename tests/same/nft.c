/*
 * nft against eval: generated policies are loaded into a namespace, generated
 * packets arrive, are forwarded and leave, and each must be counted where eval
 * says it is decided, and meet the verdict that eval says.
 *
 *     tests/same/nft [SEED [POLICIES [PACKETS [MANY]]]]
 *
 * PACKETS of each policy one by one, malformed frames among them, and MANY by the thousand (tests/lib/nft_many.h).
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

/* IPv6, and somewhere the number of the fragment header. */
static bool may_be_fragment6(const uint8_t *frame, size_t len)
{
	static const uint8_t ip6[] = { 0x86, 0xdd };
	const uint8_t *type = memmem(frame, len, ip6, sizeof ip6);

	return type && memchr(type, 44, len - (size_t)(type - frame));
}

static size_t ip_offset(const uint8_t *frame)
{
	return frame[12] == 0x81 || frame[12] == 0x88 ? 18 : 14; /* behind a VLAN tag */
}

/* Longer than its IP header says. */
static bool is_padded(const uint8_t *frame, size_t len)
{
	size_t ip = ip_offset(frame);

	if (len < ip + 20)
		return false;
	size_t total = frame[ip] >> 4 == 4 ? (size_t)frame[ip + 2] << 8 | frame[ip + 3]
					   : 40 + ((size_t)frame[ip + 4] << 8 | frame[ip + 5]);
	return ip + total < len;
}

static bool malformed_seen(const struct live_seen *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if ((!strncmp(s->at[i].name, "malformed.", 10) || !strncmp(s->at[i].name, "passed.", 7)) && s->at[i].packets)
			return true;
	return false;
}

/* Malformed at ingress: what nft can see of it. */
static bool cause_may(struct nft_lab *lab, enum cause cause, bool fragment6, bool padded, const struct live_seen *s)
{
	const uint32_t passes = lab->ir->postures[lab->posture].passes;
	const char *names[CAUSE_COUNT];

	for (unsigned c = 0; c < CAUSE_COUNT; c++)
		names[c] = arena_printf(lab->arena, "%s.%s", passes >> c & 1 ? "passed" : "malformed", cause_name((enum cause)c));
	if (!s->count) /* skb_vlan_untag() drops a frame that ends in its tag, or at once behind it */
		return cause == CAUSE_SHORT_ETH || cause == CAUSE_SHORT_IP || cause == CAUSE_VLAN_DEPTH;
	switch (cause) {
	case CAUSE_NOT_IP:
	case CAUSE_SHORT_ETH:
		return nft_moved_only(s, NFT_OURS_NETDEV, WHY_NOT_IP);
	case CAUSE_SHORT_IP: /* options cut off: 20 bytes are there, more are promised */
		return nft_moved_only(s, NFT_OURS_NETDEV, names[cause]) || nft_moved_only(s, NFT_OURS_NETDEV, names[CAUSE_BAD_IP]);
	case CAUSE_BAD_IP: /* a fragment of IPv6 is not measured against its frame: the stack does it */
		return fragment6 || nft_moved_only(s, NFT_OURS_NETDEV, names[cause]);
	case CAUSE_VLAN_DEPTH:
		return nft_moved_only(s, NFT_OURS_NETDEV, names[cause]);
	case CAUSE_SHORT_L4: /* padding behind the packet reads as its header */
		return padded || nft_moved_only(s, NFT_OURS_NETDEV, names[cause]);
	case CAUSE_BAD_TCP: /* a header longer than the packet is conntrack's to find */
		return !live_count(s, NFT_OURS_NETDEV, names[CAUSE_BAD_IP]) &&
		       !live_count(s, NFT_OURS_NETDEV, names[CAUSE_SHORT_L4]);
	case CAUSE_EXTENSIONS: /* no count of headers in nft; and what the kernel cannot walk is bad-ip */
		return !live_count(s, NFT_OURS_NETDEV, names[CAUSE_SHORT_IP]);
	case CAUSE_TINY_FRAGMENT:
		return padded || nft_moved_only(s, NFT_OURS_NETDEV, names[cause]);
	case CAUSE_BAD_FRAGMENT: /* connection tracking puts parts together, and reads what errors are about */
		return !malformed_seen(s) || nft_moved_only(s, NFT_OURS_NETDEV, names[CAUSE_TINY_FRAGMENT]) ||
		       nft_moved_only(s, NFT_OURS_NETDEV, names[CAUSE_BAD_TCP]) ||
		       nft_moved_only(s, NFT_OURS_NETDEV, names[CAUSE_BAD_IP]); /* an extension header beyond the first part's end */
	case CAUSE_OVERLAP:
	case CAUSE_BAD_UDP:
	case CAUSE_SHORT_INNER:
	case CAUSE_BAD_INNER:
	case CAUSE_FOREIGN_INNER:
		return !malformed_seen(s);
	case CAUSE_PAYLOAD: /* nft looks into none */
	case CAUSE_NONE:
	case CAUSE_COUNT:
		break;
	}
	return false;
}

/* A fragment of a fragment: nft looks at the outer header, eval at the inner one. */
static bool is_fragmented_twice(const uint8_t *frame, size_t len)
{
	size_t ip = ip_offset(frame), at = ip + 40;
	unsigned fragments = 0;

	if (len < at || frame[ip - 2] != 0x86)
		return false;
	for (uint8_t next = frame[ip + 6]; at + 8 <= len && (next == 0 || next == 43 || next == 44 || next == 60);) {
		size_t step = next == 44 ? 8 : (frame[at + 1] + 1u) * 8;

		fragments += next == 44;
		next = frame[at];
		at += step;
	}
	return fragments > 1;
}

static void note_frame(const uint8_t *frame, size_t len)
{
	own(buf) struct buf hex = { 0 };

	for (size_t i = 0; i < len; i++)
		buf_printf(&hex, "%s%02x", i && i % 4 == 2 ? " " : "", frame[i]);
	tap_note("frame %s", buf_text(&hex));
}

static bool is_tag(const uint8_t *type)
{
	return (type[0] == 0x81 && type[1] == 0) || (type[0] == 0x88 && type[1] == 0xa8);
}

/* docs/nftables.md: nft reads through one tag, which the kernel has taken off. */
static bool has_two_tags(const uint8_t *frame, size_t len)
{
	return len >= 18 && is_tag(frame + 12) && is_tag(frame + 16);
}

static bool try_frame(struct nft_lab *lab, unsigned zone, const uint8_t *frame, size_t len, struct nft_tally *t)
{
	struct packet p;
	struct live_seen seen;
	enum cause cause = frame_parse(frame, len, &p);

	if (!live_arrive(&lab->live, nft_lab_link(zone), frame, len) || !live_seen(&lab->live, &seen))
		return true;
	if (is_fragmented_twice(frame, len))
		return true;
	if (has_two_tags(frame, len))
		cause = CAUSE_VLAN_DEPTH;
	if (cause == CAUSE_NONE) {
		p.zone = zone;
		p.direction = DIRECTION_IN;
		if (nft_judge(lab, p, &seen, t))
			return true;
		note_frame(frame, len);
		return false;
	}
	t->causes++;
	if (zone == ZONE_NONE || cause_may(lab, cause, may_be_fragment6(frame, len), is_padded(frame, len), &seen))
		return true;
	tap_note("cause %d", cause);
	note_frame(frame, len);
	nft_note_seen(&seen, &(struct nft_expected){ 0 });
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

/* One of four leaves. */
static struct packet any_of_many(struct nft_lab *lab, struct gen *g, const struct gen_aim *aim)
{
	for (;;) {
		struct packet p = gen_packet(g, aim);
		uint8_t frame[GEN_FRAME_MAX];

		p.direction = gen_chance(g, 25) ? DIRECTION_OUT : DIRECTION_IN;
		if (nft_has_no_proto(&p) || (p.direction == DIRECTION_OUT && !may_leave(lab, &p)))
			continue;
		if (frame_build(&p, NULL, 0, frame, sizeof frame))
			return p;
	}
}

static bool try_many(struct nft_lab *lab, struct gen *g, unsigned count, struct nft_tally *t)
{
	own(arena) struct arena *a = arena_new();
	const struct gen_aim *aim = gen_aim_at(lab->ir, &lab->live.self, lab->arena);
	struct packet *packets = arena_zero(a, LIVE_MANY * sizeof *packets);
	bool same = true;

	while (count && same) {
		const unsigned n = count < LIVE_MANY ? count : LIVE_MANY;

		for (unsigned i = 0; i < n; i++)
			packets[i] = any_of_many(lab, g, aim);
		same = nft_many_alike(lab, packets, n, t);
		count -= n;
	}
	return same;
}

/* One packet after the other, or many at once. */
static bool try_policy(const struct gen_shape *shape, unsigned seed, unsigned packets, bool many, struct nft_tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct policy *p = gen_policy(&g, a, shape);
	struct netset self = gen_self(&g, a);
	struct err why = { 0 };
	struct nft_lab lab;

	nft_lab_widen(a, p, "eth1", "br-*");
	if (nft_lab_open(&lab, p, a, &self, &why)) {
		tap_note("%s", why.text);
		return false;
	}
	bool same = nft_lab_send(&lab, 'a', &why) && nft_lab_hook(&lab, 'a') && (!many || live_marks(&lab.live));
	if (!same)
		tap_note("%s", why.text);
	for (unsigned i = 0; same && i < lab.ir->posture_count; i++)
		same = nft_lab_posture(&lab, i) &&
		       (many ? try_many : try_packets)(&lab, &g, packets / (unsigned)lab.ir->posture_count, t);
	nft_lab_close(&lab);
	return same;
}

static void note_ways(const struct nft_tally *t)
{
	tap_note("hooks: in %u, forward %u, out %u, none %u; first hook dropped %u; layer 4 admitted %u, refused %u; malformed %u",
		 t->hooks[DIRECTION_IN], t->hooks[DIRECTION_FORWARD], t->hooks[DIRECTION_OUT], t->hooks[DIRECTION_COUNT],
		 t->dropped_first, t->admitted, t->refused, t->causes);
}

/* None asked for are none. */
static void packets_are_judged_alike(const struct gen_shape *shape, unsigned first, unsigned policies, unsigned packets, bool many)
{
	struct nft_tally t = { 0 };

	if (!packets)
		return;
	for (unsigned seed = first; seed < first + policies; seed++) {
		if (!try_policy(shape, seed, packets, many, &t)) {
			tap_ok(false, "policy %u: nft judges as eval does", seed);
			return;
		}
	}
	tap_ok(true, "%s%u packets under %u policies of %u rules a list are judged by nft as by eval", many ? "many at once, " : "",
	       t.packets + t.causes, policies, shape->rules);
	note_ways(&t);
	tap_ok(t.hooks[DIRECTION_IN] && t.hooks[DIRECTION_FORWARD] && t.hooks[DIRECTION_OUT] && t.dropped_first &&
		       t.admitted && t.refused && (many || t.causes), "each of these ways was taken");
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
		note_frame(frame, len);
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

	if (!live_may()) {
		tap_skip("needs root for a network namespace", "nft judges as eval does");
		return tap_done();
	}
	packets_are_judged_alike(&gen_shape_still, seed, policies, packets, false);
	packets_are_judged_alike(&nft_long_lists, seed, policies / 4 + 1, packets, false);
	packets_are_judged_alike(&gen_shape_still, seed + policies, policies, many, true);
	packets_are_judged_alike(&nft_long_lists, seed + policies, policies / 4 + 1, many, true);
	causes_are_counted();
	return tap_done();
}
