/* Packets as frames, decorated and damaged. */
#include "tests/lib/gen.h"

#include <string.h>

#include "compiler/ir/proto.h"

struct frame {
	uint8_t *at;
	size_t len;
};

/* Room for `bytes` zeros at `where`. */
static uint8_t *frame_insert(struct frame *f, size_t where, size_t bytes)
{
	memmove(f->at + where + bytes, f->at + where, f->len - where);
	memset(f->at + where, 0, bytes);
	f->len += bytes;
	return f->at + where;
}

static void be_add(uint8_t *at, size_t more)
{
	unsigned v = (unsigned)(at[0] << 8 | at[1]) + (unsigned)more;

	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void add_vlan(struct gen *g, struct frame *f)
{
	uint8_t *tag = frame_insert(f, 12, 4);

	tag[0] = gen_chance(g, 50) ? 0x81 : 0x88;
	tag[1] = tag[0] == 0x81 ? 0x00 : 0xa8;
	tag[3] = (uint8_t)gen_u64(g);
}

static void add_options(struct gen *g, struct frame *f, size_t ip)
{
	size_t words = 1 + gen_below(g, 10);
	uint8_t *options = frame_insert(f, ip + 20, 4 * words);

	memset(options, 1, 4 * words); /* RFC 791: no operation */
	f->at[ip] = (uint8_t)(0x45 + words);
	be_add(f->at + ip + 2, 4 * words);
}

/* Headers of so many bytes and one more of 2,048 are in XDP's first buffer still. */
#define HEADERS_MOST 1200u

/* One more extension header directly behind the IPv6 header. */
static void add_extension(struct gen *g, struct frame *f, size_t ip)
{
	static const uint8_t kinds[] = { 0, 43, 44, 51, 60, 60 };
	uint8_t kind = GEN_PICK(g, kinds);
	unsigned units = gen_chance(g, 80) ? 0 : f->len < HEADERS_MOST && gen_chance(g, 20) ? gen_below(g, 256) : gen_below(g, 3);
	size_t bytes = kind == 44 ? 8 : kind == 51 ? (units + 2) * 4u : (units + 1) * 8u;
	uint8_t *header = frame_insert(f, ip + 40, bytes);

	header[0] = f->at[ip + 6];
	header[1] = (uint8_t)units;
	if (kind == 44 && gen_chance(g, 30)) {
		header[2] = (uint8_t)gen_below(g, 2);
		header[3] = (uint8_t)gen_u64(g);
	}
	f->at[ip + 6] = kind;
	be_add(f->at + ip + 4, bytes);
}

static void decorate(struct gen *g, struct frame *f)
{
	bool ip4 = f->at[12] == 0x08;

	if (ip4 && gen_chance(g, 20))
		add_options(g, f, 14);
	if (!ip4 && gen_chance(g, 35))
		for (unsigned n = gen_chance(g, 80) ? 1 + gen_below(g, 3) : 5 + gen_below(g, 6); n; n--)
			add_extension(g, f, 14);
	if (gen_chance(g, 20))
		frame_insert(f, f->len, 1 + gen_below(g, 40)); /* padding */
	for (unsigned n = gen_chance(g, 20) ? 1 + gen_chance(g, 30) + gen_chance(g, 20) : 0; n; n--)
		add_vlan(g, f);
}

/* The IP packet ends before the frame does: what it loses becomes padding. */
static void end_early(struct gen *g, struct frame *f)
{
	size_t ip = 14;

	while (ip + 4 < f->len && (f->at[ip - 2] == 0x81 || f->at[ip - 2] == 0x88))
		ip += 4;
	if (ip + 6 > f->len)
		return;

	uint8_t *field = f->at[ip - 2] == 0x08 ? f->at + ip + 2 : f->at + ip + 4;
	unsigned len = (unsigned)(field[0] << 8 | field[1]);
	len -= gen_chance(g, 10) ? len : gen_below(g, len + 1); /* 0: a jumbogram of IPv6, of merged segments IPv4 */
	field[0] = (uint8_t)(len >> 8);
	field[1] = (uint8_t)len;
}

/* Where damage matters: mostly the headers, seldom far behind. */
static void change_bytes(struct gen *g, struct frame *f)
{
	static const uint8_t values[] = { 0, 1, 4, 5, 6, 15, 40, 44, 59, 60, 127, 128, 255 };

	for (unsigned n = gen_chance(g, 50) ? 1 : 1 + gen_below(g, 5); n && f->len; n--) {
		unsigned where = gen_below(g, f->len < 80 ? (unsigned)f->len : 80);

		if (where < 12)
			where += 12; /* the Ethernet addresses decide nothing */
		if (where < f->len)
			f->at[where] = gen_chance(g, 50) ? GEN_PICK(g, values)
							 : (uint8_t)(f->at[where] ^ 1u << gen_below(g, 8));
	}
}

static void damage(struct gen *g, struct frame *f)
{
	switch (gen_below(g, 4)) {
	case 0:
		f->len = gen_below(g, (unsigned)f->len + 1);
		return;
	case 1:
		end_early(g, f);
		return;
	case 2:
	case 3:
		change_bytes(g, f);
		return;
	}
}

/* A TCP header that says of itself that it is longer or shorter than it is. */
static void change_tcp_length(struct gen *g, struct frame *f, const struct packet *p)
{
	size_t l4 = p->family == FAMILY_IP4 ? 34 : p->fragment == FRAGMENT_WHOLE ? 54 : 62;

	if (p->proto == PROTO_TCP && p->fragment != FRAGMENT_LATER)
		f->at[l4 + 12] = (uint8_t)(gen_below(g, 16) << 4);
}

/* Parts that would overwrite the header above IP, or do not hold it. */
static void change_fragment(struct gen *g, struct frame *f, const struct packet *p)
{
	const size_t ip = 14, begin = p->family == FAMILY_IP4 ? 34 : 62;
	uint8_t *where = f->at + (p->family == FAMILY_IP4 ? 20 : 56), *len = f->at + ip + (p->family == FAMILY_IP4 ? 2 : 4);
	const unsigned units = gen_below(g, 4), ends = 8 * gen_below(g, 3);

	if (p->fragment == FRAGMENT_LATER && gen_chance(g, 80)) {
		where[0] = (uint8_t)(p->family == FAMILY_IP4 ? where[0] & 0xe0 : 0);
		where[1] = (uint8_t)(p->family == FAMILY_IP4 ? units : units << 3 | 1);
	} else if (p->fragment == FRAGMENT_LATER) {
		where[0] |= 0x1f;
		where[1] |= 0xf8;
	} else if (p->fragment == FRAGMENT_FIRST && begin + ends <= f->len) {
		f->len = begin + ends;
		len[0] = 0;
		len[1] = (uint8_t)(f->len - (p->family == FAMILY_IP4 ? ip : ip + 40));
	}
}

/* Of the packet that an ICMP error is about: version, header and total length, source. */
static void change_inner(struct gen *g, struct frame *f, const struct packet *p)
{
	static const uint8_t first[] = { 0x45, 0x46, 0x44, 0x40, 0x55, 0x60, 0x6f, 0x35 };
	const bool ip4 = p->family == FAMILY_IP4;
	const size_t l4 = p->fragment == FRAGMENT_WHOLE ? 54 : 62;
	uint8_t *ip = f->at + (ip4 ? 34 : l4) + 8;

	if (!p->icmp || ip + 40 > f->at + f->len)
		return;
	switch (gen_below(g, 3)) {
	case 0:
		ip[0] = GEN_PICK(g, first);
		return;
	case 1:
		ip[ip4 ? 3 : 5] = (uint8_t)gen_below(g, 32);
		return;
	case 2:
		ip[(ip4 ? 12 : 8) + gen_below(g, ip4 ? 4 : 16)] ^= (uint8_t)(1u << gen_below(g, 8));
		return;
	}
}

size_t gen_payload(struct gen *g, uint8_t *out, size_t most)
{
	static const char signs[] = "abccab.xGETphunioslct /AC\n\xff";
	const size_t len = gen_below(g, (unsigned)(gen_chance(g, 90) && most > 64 ? 64 : most) + 1);
	const unsigned of = gen_chance(g, 50) ? 5 : sizeof signs - 1;
	const bool any = gen_chance(g, 40);

	for (size_t i = 0; i < len; i++)
		out[i] = any ? (uint8_t)gen_u64(g) : (uint8_t)signs[gen_below(g, of)];
	return len;
}

size_t gen_frame(struct gen *g, const struct gen_aim *aim, uint8_t frame[static GEN_FRAME_MAX])
{
	struct packet p = gen_packet(g, aim);
	uint8_t payload[8800];
	size_t len = gen_chance(g, 1) ? gen_payload(g, payload, sizeof payload) : gen_payload(g, payload, 700);

	struct frame f = { frame, frame_build(&p, payload, len, frame, GEN_FRAME_MAX) };
	if (gen_chance(g, 4))
		change_tcp_length(g, &f, &p);
	if (gen_chance(g, 25))
		change_fragment(g, &f, &p);
	if (gen_chance(g, 20))
		change_inner(g, &f, &p);
	decorate(g, &f);
	if (gen_chance(g, 50))
		damage(g, &f);
	return f.len;
}
