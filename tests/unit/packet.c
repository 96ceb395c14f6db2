/* frame_parse: each check of docs/semantics.md, at its boundary; frame_build is its inverse. */
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/cause.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

/* Frames as hex; the Ethernet addresses are left out. */
#define IP4(first, total, frag, proto) first " 00 " total " 0001 " frag " 40 " proto " 0000 c0000201 c0000202 "
#define IP6(len, next)	"60000000 " len " " next " 40 " A6 A6
#define A6		"20010db8000000000000000000000001 "
#define TCP(off)	"0050 0016 00000001 00000002 " off " 02 ffff 0000 0000 "
#define UDP		"0035 0035 0008 0000 "
#define SCTP		"0035 0035 00000000 00000000 "
#define ECHO		"08 00 0000 0001 0001 "
#define UNREACHABLE	"03 01 0000 00000000 "
#define INNER4(first, total, src) first " 00 " total " 0001 0000 40 06 0000 " src " c0000201 "
#define DEST(next)	next " 00 000000000000 "
#define FRAG(next, at)	next " 00 " at " 00000001 "

static const struct {
	const char *claim, *frame; /* from the EtherType on */
	enum cause cause;
	uint8_t proto, fragment;
	uint16_t dport;
} rows[] = {
	{ "ARP", "0806 0001", CAUSE_NOT_IP, 0, 0, 0 },
	{ "802.3 length", "0040 aaaa", CAUSE_NOT_IP, 0, 0, 0 },
	{ "ends in the EtherType", "08", CAUSE_SHORT_ETH, 0, 0, 0 },
	{ "nothing behind the EtherType", "0800", CAUSE_SHORT_IP, 0, 0, 0 },
	{ "ends in the VLAN tag", "8100 0001 08", CAUSE_SHORT_ETH, 0, 0, 0 },
	{ "one tag is read through", "8100 0001 0800" IP4("45", "0028", "0000", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "one service tag too", "88a8 0001 0800" IP4("45", "0028", "0000", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "ARP in a VLAN", "8100 0001 0806 0001", CAUSE_NOT_IP, 0, 0, 0 },
	{ "two tags are read through", "8100 0001 8100 0002 0800" IP4("45", "0028", "0000", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "a service tag and a customer's, IPv6", "88a8 0001 8100 0002 86dd" IP6("0014", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "two tags, the second cut", "88a8 0001 8100 0002", CAUSE_SHORT_ETH, 0, 0, 0 },
	{ "two tags, nothing behind", "88a8 0001 8100 0002 0800", CAUSE_SHORT_IP, 0, 0, 0 },
	{ "three tags", "88a8 0001 8100 0002 8100 0003 0800" IP4("45", "0028", "0000", "06") TCP("50"), CAUSE_VLAN_DEPTH, 0, 0, 0 },
	{ "three tags, the third cut", "8100 0001 8100 0002 8100", CAUSE_VLAN_DEPTH, 0, 0, 0 },

	{ "tcp", "0800" IP4("45", "0028", "0000", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "with padding", "0800" IP4("45", "0028", "0000", "06") TCP("50") "000000000000", CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "19 bytes of IPv4", "0800 4500 0028 0001 0000 4006 0000 c0000201 c00002", CAUSE_SHORT_IP, 0, 0, 0 },
	{ "version 5", "0800" IP4("55", "0028", "0000", "06") TCP("50"), CAUSE_BAD_IP, 0, 0, 0 },
	{ "version 6 under IPv4's type", "0800" IP6("0014", "06") TCP("50"), CAUSE_BAD_IP, 0, 0, 0 },
	{ "a header of 4 words", "0800" IP4("44", "0028", "0000", "06") TCP("50"), CAUSE_BAD_IP, 0, 0, 0 },
	{ "options", "0800" IP4("46", "002c", "0000", "06") "01010101" TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "ends in the options", "0800" IP4("46", "0014", "0000", "06") "010101", CAUSE_SHORT_IP, 0, 0, 0 },
	{ "total length below the header", "0800" IP4("45", "0013", "0000", "06") TCP("50"), CAUSE_BAD_IP, 0, 0, 0 },
	{ "total length beyond the frame", "0800" IP4("45", "0029", "0000", "06") TCP("50"), CAUSE_BAD_IP, 0, 0, 0 },
	{ "total length cuts the TCP header, the frame does not", "0800" IP4("45", "0027", "0000", "06") TCP("50"), CAUSE_SHORT_L4, 0, 0, 0 },
	{ "first fragment", "0800" IP4("45", "002c", "2000", "06") TCP("50") "01010101", CAUSE_NONE, 6, FRAGMENT_FIRST, 22 },
	{ "first fragment, shorter than its TCP header", "0800" IP4("45", "001c", "2000", "06") "0050001600000001", CAUSE_TINY_FRAGMENT, 0, 0, 0 },
	{ "later fragment, middle", "0800" IP4("45", "001c", "2003", "06") "0050001600000001", CAUSE_NONE, 6, FRAGMENT_LATER, 0 },
	{ "later fragment, last, empty", "0800" IP4("45", "0014", "0003", "06"), CAUSE_NONE, 6, FRAGMENT_LATER, 0 },
	{ "later fragment over the flags of TCP", "0800" IP4("45", "0015", "0001", "06") "ff", CAUSE_OVERLAP, 0, 0, 0 },
	{ "later fragment over the end of TCP", "0800" IP4("45", "001c", "2002", "06") "0050001600000001", CAUSE_OVERLAP, 0, 0, 0 },
	{ "later fragment directly behind UDP", "0800" IP4("45", "0015", "0001", "11") "ff", CAUSE_NONE, 17, FRAGMENT_LATER, 0 },
	{ "later fragment over the checksum of SCTP", "0800" IP4("45", "0015", "0001", "84") "ff", CAUSE_OVERLAP, 0, 0, 0 },
	{ "later fragment of GRE", "0800" IP4("45", "0015", "0001", "2f") "ff", CAUSE_NONE, 47, FRAGMENT_LATER, 0 },
	{ "a fragment of 7 bytes goes on", "0800" IP4("45", "001b", "2003", "06") "00500016000000", CAUSE_BAD_FRAGMENT, 0, 0, 0 },
	{ "a first fragment of 20 bytes", "0800" IP4("45", "0028", "2000", "06") TCP("50"), CAUSE_BAD_FRAGMENT, 0, 0, 0 },
	{ "a fragment to byte 65,535", "0800" IP4("45", "001b", "1fff", "06") "00500016000000", CAUSE_NONE, 6, FRAGMENT_LATER, 0 },
	{ "and one beyond", "0800" IP4("45", "001c", "1fff", "06") "0050001600000000", CAUSE_BAD_FRAGMENT, 0, 0, 0 },
	{ "do not fragment", "0800" IP4("45", "0028", "4000", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "the reserved flag is not looked at", "0800" IP4("45", "0028", "8000", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "data offset 4", "0800" IP4("45", "0028", "0000", "06") TCP("40"), CAUSE_BAD_TCP, 0, 0, 0 },
	{ "data offset beyond the packet", "0800" IP4("45", "0028", "0000", "06") TCP("60"), CAUSE_BAD_TCP, 0, 0, 0 },
	{ "data offset beyond the packet, in padding", "0800" IP4("45", "0028", "0000", "06") TCP("60") "01010101", CAUSE_BAD_TCP, 0, 0, 0 },
	{ "TCP options", "0800" IP4("45", "002c", "0000", "06") TCP("60") "01010101", CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "udp", "0800" IP4("45", "001c", "0000", "11") UDP, CAUSE_NONE, 17, FRAGMENT_WHOLE, 53 },
	{ "7 bytes of UDP", "0800" IP4("45", "001b", "0000", "11") UDP, CAUSE_SHORT_L4, 0, 0, 0 },
	{ "UDP length 7", "0800" IP4("45", "001c", "0000", "11") "0035 0035 0007 0000", CAUSE_BAD_UDP, 0, 0, 0 },
	{ "UDP length beyond the packet", "0800" IP4("45", "001c", "0000", "11") "0035 0035 0009 0000" "00", CAUSE_BAD_UDP, 0, 0, 0 },
	{ "UDP shorter than its packet", "0800" IP4("45", "001d", "0000", "11") UDP "00", CAUSE_NONE, 17, FRAGMENT_WHOLE, 53 },
	{ "UDP length 0", "86dd" IP6("0008", "11") "0035 0035 0000 0000", CAUSE_BAD_UDP, 0, 0, 0 },
	{ "a first fragment's UDP length is that of all", "0800" IP4("45", "001c", "2000", "11") "0035 0035 1000 0000", CAUSE_NONE, 17, FRAGMENT_FIRST, 53 },
	{ "but not below 8", "0800" IP4("45", "001c", "2000", "11") "0035 0035 0007 0000", CAUSE_BAD_UDP, 0, 0, 0 },
	{ "sctp", "0800" IP4("45", "0020", "0000", "84") SCTP, CAUSE_NONE, 132, FRAGMENT_WHOLE, 53 },
	{ "11 bytes of SCTP", "0800" IP4("45", "001f", "0000", "84") SCTP, CAUSE_SHORT_L4, 0, 0, 0 },
	{ "echo", "0800" IP4("45", "001c", "0000", "01") ECHO, CAUSE_NONE, 1, FRAGMENT_WHOLE, 0 },
	{ "7 bytes of ICMP", "0800" IP4("45", "001b", "0000", "01") ECHO, CAUSE_SHORT_L4, 0, 0, 0 },
	{ "an error about TCP", "0800" IP4("45", "0038", "0000", "01") UNREACHABLE INNER4("45", "05dc", "c0000202") "0016005000000001", CAUSE_NONE, 1, FRAGMENT_WHOLE, 0 },
	{ "7 bytes of TCP in it", "0800" IP4("45", "0037", "0000", "01") UNREACHABLE INNER4("45", "05dc", "c0000202") "00160050000000", CAUSE_SHORT_INNER, 0, 0, 0 },
	{ "7 bytes where there were no more", "0800" IP4("45", "0037", "0000", "01") UNREACHABLE INNER4("45", "001b", "c0000202") "00160050000000", CAUSE_NONE, 1, FRAGMENT_WHOLE, 0 },
	{ "an error with nothing", "0800" IP4("45", "001c", "0000", "01") UNREACHABLE, CAUSE_SHORT_INNER, 0, 0, 0 },
	{ "19 bytes of IPv4 in it", "0800" IP4("45", "002f", "0000", "01") UNREACHABLE "45000028000000004006000000000000000000", CAUSE_SHORT_INNER, 0, 0, 0 },
	{ "options in it, cut", "0800" IP4("45", "0038", "0000", "01") UNREACHABLE INNER4("46", "05dc", "c0000202") "0016005000000001", CAUSE_SHORT_INNER, 0, 0, 0 },
	{ "an error about IPv5", "0800" IP4("45", "0038", "0000", "01") UNREACHABLE INNER4("55", "05dc", "c0000202") "0016005000000001", CAUSE_BAD_INNER, 0, 0, 0 },
	{ "about a header of 16 bytes", "0800" IP4("45", "0038", "0000", "01") UNREACHABLE INNER4("44", "05dc", "c0000202") "0016005000000001", CAUSE_BAD_INNER, 0, 0, 0 },
	{ "about a packet of 19 bytes", "0800" IP4("45", "0038", "0000", "01") UNREACHABLE INNER4("45", "0013", "c0000202") "0016005000000001", CAUSE_BAD_INNER, 0, 0, 0 },
	{ "about a packet of somebody else", "0800" IP4("45", "0038", "0000", "01") UNREACHABLE INNER4("45", "05dc", "c0000203") "0016005000000001", CAUSE_FOREIGN_INNER, 0, 0, 0 },
	{ "no error, nothing in it", "0800" IP4("45", "001c", "0000", "01") "0d 00 0000 0001 0001", CAUSE_NONE, 1, FRAGMENT_WHOLE, 0 },
	{ "58 in IPv4 has no fields", "0800" IP4("45", "0014", "0000", "3a"), CAUSE_NONE, 58, FRAGMENT_WHOLE, 0 },
	{ "GRE", "0800" IP4("45", "0014", "0000", "2f"), CAUSE_NONE, 47, FRAGMENT_WHOLE, 0 },

	{ "IPv6 tcp", "86dd" IP6("0014", "06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "39 bytes of IPv6", "86dd 60000000 0000 06 40" A6 "200100000000000000000000000000", CAUSE_SHORT_IP, 0, 0, 0 },
	{ "version 4 under IPv6's type", "86dd 45000000 0000 3b 40" A6 A6, CAUSE_BAD_IP, 0, 0, 0 },
	{ "payload beyond the frame", "86dd" IP6("0015", "06") TCP("50"), CAUSE_BAD_IP, 0, 0, 0 },
	{ "padding behind IPv6", "86dd" IP6("0000", "3b") "00000000", CAUSE_NONE, 59, FRAGMENT_WHOLE, 0 },
	{ "no payload, though TCP", "86dd" IP6("0000", "06") TCP("50"), CAUSE_SHORT_L4, 0, 0, 0 },
	{ "jumbogram", "86dd" IP6("0000", "00") "06 00 c2 04 00010000", CAUSE_EXTENSIONS, 0, 0, 0 },
	{ "ESP ends the walk", "86dd" IP6("0008", "32") "0000000000000000", CAUSE_NONE, 50, FRAGMENT_WHOLE, 0 },
	{ "IPv6: too big", "86dd" IP6("0038", "3a") "02 00 0000 00000500" IP6("0400", "06") "0016005000000001", CAUSE_NONE, 58, FRAGMENT_WHOLE, 0 },
	{ "IPv6: 7 bytes of TCP in it", "86dd" IP6("0037", "3a") "02 00 0000 00000500" IP6("0400", "06") "00160050000000", CAUSE_SHORT_INNER, 0, 0, 0 },
	{ "IPv6: a packet without payload", "86dd" IP6("0030", "3a") "01 00 0000 00000000" IP6("0000", "3b"), CAUSE_NONE, 58, FRAGMENT_WHOLE, 0 },
	{ "IPv6: 39 bytes in it", "86dd" IP6("002f", "3a") "01 00 0000 00000000" IP6("0000", "3b"), CAUSE_SHORT_INNER, 0, 0, 0 },
	{ "IPv6: IPv4 in it", "86dd" IP6("0030", "3a") "01 00 0000 00000000 45000000 0000 3b 40" A6 A6, CAUSE_BAD_INNER, 0, 0, 0 },
	{ "IPv6: somebody else's", "86dd" IP6("0030", "3a") "01 00 0000 00000000 60000000 0000 3b 40 30010db8000000000000000000000001" A6, CAUSE_FOREIGN_INNER, 0, 0, 0 },
	{ "1 in IPv6 has no fields", "86dd" IP6("0000", "01"), CAUSE_NONE, 1, FRAGMENT_WHOLE, 0 },
	{ "mobility is a protocol", "86dd" IP6("0008", "87") "3b00000000000000", CAUSE_NONE, 135, FRAGMENT_WHOLE, 0 },
	{ "hop-by-hop", "86dd" IP6("001c", "00") DEST("06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "routing", "86dd" IP6("001c", "2b") DEST("06") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "7 bytes of an extension header", "86dd" IP6("0007", "3c") DEST("3b"), CAUSE_EXTENSIONS, 0, 0, 0 },
	{ "8 are enough", "86dd" IP6("0008", "3c") DEST("3b"), CAUSE_NONE, 59, FRAGMENT_WHOLE, 0 },
	{ "an extension header longer than the payload", "86dd" IP6("0008", "3c") "3b 01 000000000000 0000000000000000", CAUSE_EXTENSIONS, 0, 0, 0 },
	{ "authentication ends the walk", "86dd" IP6("0020", "33") "06 01 0000 00000000 00000000" TCP("50"), CAUSE_NONE, 51, FRAGMENT_WHOLE, 0 },
	{ "eight extension headers", "86dd" IP6("0040", "3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3b"), CAUSE_NONE, 59, FRAGMENT_WHOLE, 0 },
	{ "nine", "86dd" IP6("0048", "3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3c") DEST("3b"), CAUSE_EXTENSIONS, 0, 0, 0 },
	{ "atomic fragment", "86dd" IP6("001c", "2c") FRAG("06", "0000") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "IPv6 first fragment", "86dd" IP6("0020", "2c") FRAG("06", "0001") TCP("50") "01010101", CAUSE_NONE, 6, FRAGMENT_FIRST, 22 },
	{ "first fragment that ends in its extensions", "86dd" IP6("0008", "2c") FRAG("3c", "0001"), CAUSE_EXTENSIONS, 0, 0, 0 },
	{ "first fragment without its TCP header", "86dd" IP6("0010", "2c") FRAG("06", "0001") "0050001600000001", CAUSE_TINY_FRAGMENT, 0, 0, 0 },
	{ "IPv6 first fragment of 20 bytes", "86dd" IP6("001c", "2c") FRAG("06", "0001") TCP("50"), CAUSE_BAD_FRAGMENT, 0, 0, 0 },
	{ "IPv6 fragment beyond 65,535", "86dd" IP6("0010", "2c") FRAG("06", "fff8") "0050001600000001", CAUSE_BAD_FRAGMENT, 0, 0, 0 },
	{ "IPv6 fragment over the flags of TCP", "86dd" IP6("0010", "2c") FRAG("06", "0008") "0050001600000001", CAUSE_OVERLAP, 0, 0, 0 },
	{ "IPv6 later fragment", "86dd" IP6("0010", "2c") FRAG("06", "0018") "0050001600000001", CAUSE_NONE, 6, FRAGMENT_LATER, 0 },
	{ "a later fragment's next header is the protocol", "86dd" IP6("0010", "2c") FRAG("3c", "0009") "0050001600000001", CAUSE_NONE, 60, FRAGMENT_LATER, 0 },
	{ "reserved bits are no offset", "86dd" IP6("001c", "2c") FRAG("06", "0006") TCP("50"), CAUSE_NONE, 6, FRAGMENT_WHOLE, 22 },
	{ "fragment behind hop-by-hop, extension behind it", "86dd" IP6("0030", "00") DEST("2c") FRAG("3c", "0001") DEST("06") TCP("50") "01010101", CAUSE_NONE, 6, FRAGMENT_FIRST, 22 },
	{ "first, then atomic, stays first", "86dd" IP6("0028", "2c") FRAG("2c", "0001") FRAG("06", "0000") TCP("50") "01010101", CAUSE_NONE, 6, FRAGMENT_FIRST, 22 },
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	int half = -1;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		int digit = *hex <= '9' ? *hex - '0' : *hex - 'a' + 10;
		if (half < 0) {
			half = digit;
			continue;
		}
		out[n++] = (uint8_t)(half << 4 | digit);
		half = -1;
	}
	return n;
}

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t frame[512] = { 0 };
		struct packet p = { 0 };
		size_t len = 12 + from_hex(rows[i].frame, frame + 12);
		enum cause c = frame_parse(frame, len, &p);

		if (!tap_ok(c == rows[i].cause && p.proto == rows[i].proto &&
				    p.fragment == rows[i].fragment && p.dport == rows[i].dport,
			    "%s", rows[i].claim))
			tap_note("expected %s, got %s, proto %u fragment %u dport %u",
				 cause_name(rows[i].cause), cause_name(c), p.proto, p.fragment, p.dport);
	}
	for (enum cause c = 0; c < CAUSE_COUNT; c++)
		tap_ok((cause_verdict(c) == VERDICT_ALLOW) == (c == CAUSE_NONE || c == CAUSE_NOT_IP),
		       "%s: what becomes of it", cause_name(c));
}

static void test_fields(void)
{
	static const uint8_t frame[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00,
					 0x45, 0, 0, 40, 0, 0, 0, 0, 63, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7,
					 0x30, 0x39, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0 };
	struct packet p;
	char src[ADDR_TEXT], dst[ADDR_TEXT];

	tap_num(frame_parse(frame, sizeof frame, &p), CAUSE_NONE, "a SYN/ACK reads");
	tap_text(addr_print(p.src, src), "192.0.2.1", "source");
	tap_text(addr_print(p.dst, dst), "198.51.100.7", "destination");
	tap_ok(p.sport == 12345 && p.dport == 443 && p.flags == 0x12 && p.hop_limit == 63 && p.len == 40,
	       "ports, flags, hop limit, length");
}

/* Sums as a receiver checks them: all ones. */
static uint16_t sum(const uint8_t *at, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += (uint32_t)at[i] << (i & 1 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static void test_checksums(void)
{
	uint8_t f[256];
	struct packet p = craft_packet(PROTO_TCP, "192.0.2.1", 1000, "198.51.100.7", 80);
	size_t len = frame_build(&p, "abc", 3, f, sizeof f);

	tap_num(sum(f + 14, 20, 0), 0xffff, "IPv4 header checksum");
	tap_num(sum(f + 26, len - 26, (uint32_t)(PROTO_TCP + len - 34)), 0xffff, "TCP checksum, odd length");

	struct packet q = craft_packet(PROTO_ICMPV6, "fe80::1", 0, "ff02::1", 0);
	q.icmp = 135 << 8;
	len = frame_build(&q, "0123456789abcdef", 16, f, sizeof f);
	tap_num(sum(f + 22, len - 22, (uint32_t)(PROTO_ICMPV6 + len - 54)), 0xffff, "ICMPv6 checksum");

	struct packet u = craft_packet(PROTO_UDP, "2001:db8::1", 53, "2001:db8::2", 53);
	len = frame_build(&u, "x", 1, f, sizeof f);
	tap_num(sum(f + 22, len - 22, (uint32_t)(PROTO_UDP + len - 54)), 0xffff, "UDP checksum over IPv6");
	tap_num(frame_build(&u, "x", 1, f, len - 1), 0, "no room, no frame");
}

static bool packet_equal(const struct packet *x, const struct packet *y)
{
	return x->family == y->family && x->src.num == y->src.num && x->dst.num == y->dst.num &&
	       x->proto == y->proto && x->fragment == y->fragment && x->hop_limit == y->hop_limit &&
	       x->sport == y->sport && x->dport == y->dport && x->icmp == y->icmp && x->flags == y->flags;
}

/* Half of the generated frames are damaged, and every cause must come up. */
static void test_generated(void)
{
	unsigned long causes[CAUSE_COUNT] = { 0 };
	bool inverse = true;
	char text[256];

	for (uint64_t seed = 1; seed <= 60; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct ir *ir = ir_lower(gen_policy(&g, a, &gen_shape_usual), a);
		struct netset self = gen_self(&g, a);
		struct gen_aim *aim = gen_aim_at(ir, &self, a);

		for (int i = 0; i < 2000; i++) {
			struct packet p = gen_packet(&g, aim), q;
			uint8_t frame[GEN_FRAME_MAX];
			size_t len = frame_build(&p, "payload", 7, frame, sizeof frame);

			if (frame_parse(frame, len, &q) != CAUSE_NONE || !packet_equal(&p, &q)) {
				inverse = false;
				tap_note("seed %lu: %s", seed, gen_packet_text(&p, text));
			}
			/* Its own block, so that reading one byte too far is seen. */
			size_t n = gen_frame(&g, aim, frame);
			own(mem) uint8_t *exact = malloc(n ? n : 1);
			memcpy(exact, frame, n);
			causes[frame_parse(exact, n, &q)]++;
		}
	}
	tap_ok(inverse, "parse(build(packet)) is the packet");
	for (enum cause c = 0; c < CAUSE_COUNT; c++)
		tap_ok(c == CAUSE_PAYLOAD || causes[c] > 100, "the generator makes %s (%lu times)", cause_name(c), causes[c]);
}

int main(void)
{
	test_rows();
	test_fields();
	test_checksums();
	test_generated();
	return tap_done();
}
