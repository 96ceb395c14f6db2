/* Fields from a head alone: each as far as it is there, and never beyond it. */
#include <string.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "enforcer/api/packet_head.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

static struct teg_event event_of(const uint8_t *frame, size_t len)
{
	struct teg_event e = { 0 };

	e.head_len = (uint16_t)(len < sizeof e.head ? len : sizeof e.head);
	memcpy(e.head, frame, e.head_len);
	packet_head_read(&e);
	return e;
}

/* What the compiler reads in a whole frame is read in its head, as far as that goes. */
static bool agrees(const uint8_t *frame, size_t len)
{
	struct packet p;

	if (frame_parse(frame, len, &p) != CAUSE_NONE)
		return true;
	const struct teg_event e = event_of(frame, len);
	const bool ports = p.proto == PROTO_TCP || p.proto == PROTO_UDP || p.proto == PROTO_SCTP;
	const bool whole = p.fragment != FRAGMENT_LATER && e.sport;

	if (e.family != (p.family == FAMILY_IP4 ? TEG_IP4 : TEG_IP6) || e.frame_len < p.len)
		return false;
	return !whole || !ports || (e.proto == p.proto && e.sport == p.sport && e.dport == p.dport);
}

static void generated(void)
{
	static const struct gen_shape shape = { .zones = 1, .lifelines = 1, .blocks = 1, .reflexes = 2, .postures = 1, .rules = 2 };
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(5);
	struct ir *ir = ir_lower(gen_policy(&g, a, &shape), a);
	const struct netset self = gen_self(&g, a);
	struct gen_aim *aim = gen_aim_at(ir, &self, a);
	unsigned differ = 0;

	for (int i = 0; i < 20000; i++) {
		uint8_t frame[GEN_FRAME_MAX];
		const size_t len = gen_frame(&g, aim, frame);

		if (len > 13 && (frame[12] == 0x81 || frame[12] == 0x88))
			continue; /* the packet log has no tags */
		differ += !agrees(frame, len);
	}
	tap_num(differ, 0, "heads of generated frames are read as the frames are");
}

static void cut(void)
{
	struct packet p = { .family = FAMILY_IP4, .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .sport = 40000,
			    .dport = 80, .flags = 0x12 };
	uint8_t frame[128];

	addr_parse("198.51.100.7", &p.src);
	addr_parse("192.0.2.1", &p.dst);
	const size_t len = frame_build(&p, "x", 1, frame, sizeof frame);
	const struct teg_event whole = event_of(frame, len), no_tcp = event_of(frame, 34), ports = event_of(frame, 38),
			       no_ip = event_of(frame, 33), none = event_of(frame, 13);

	tap_ok(whole.family == TEG_IP4 && whole.proto == PROTO_TCP && whole.sport == 40000 && whole.dport == 80 && whole.flags == 0x12 &&
		       whole.frame_len == len && whole.fragment == TEG_WHOLE, "a whole head has all");
	tap_ok(no_tcp.proto == PROTO_TCP && !no_tcp.sport && !no_tcp.flags, "without TCP's header there are no ports");
	tap_ok(ports.dport == 80 && !ports.flags, "with the beginning of it there are ports, and no flags");
	tap_ok(!no_ip.family && !none.family, "without IP's header there is nothing");
}

static unsigned known_of(const uint8_t *frame, size_t len)
{
	struct teg_event e = { 0 };

	e.head_len = (uint16_t)(len < sizeof e.head ? len : sizeof e.head);
	memcpy(e.head, frame, e.head_len);
	return packet_head_read(&e);
}

/* A 0 that was read is told from one that was not. */
static void known(void)
{
	struct packet p = { .family = FAMILY_IP4, .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 64 }, message = p;
	uint8_t frame[128], tagged[136], crooked[128];

	addr_parse("198.51.100.7", &p.src);
	addr_parse("192.0.2.1", &p.dst);
	message.src = p.src, message.dst = p.dst, message.proto = PROTO_ICMP;
	const size_t len = frame_build(&p, "x", 1, frame, sizeof frame);

	tap_num(known_of(frame, len), HEAD_PORTS | HEAD_FLAGS, "of TCP ports and flags are known, if they are 0");
	tap_num(known_of(frame, 38), HEAD_PORTS, "of its beginning the ports");
	tap_num(known_of(frame, 37), 0, "of less nothing");
	memcpy(crooked, frame, len);
	crooked[14] = 0x44;
	tap_num(known_of(crooked, len), 0, "nothing behind an IP header that is shorter than there is");
	memcpy(crooked, frame, len);
	crooked[16] = 0, crooked[17] = 30;
	tap_num(known_of(crooked, len), HEAD_PORTS, "nothing that is padding");
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, "\x88\xa8\0\5\x81\0\0\6", 8);
	memcpy(tagged + 20, frame + 12, len - 12);
	tap_num(known_of(tagged, len + 8), HEAD_PORTS | HEAD_FLAGS, "behind two VLAN tags too");
	tap_num(known_of(frame, frame_build(&message, "", 0, frame, sizeof frame)), HEAD_ICMP, "of a message type and code");
}

int main(void)
{
	generated();
	cut();
	known();
	return tap_done();
}
