/* print_value - numbers as nft writes them: with its words where it has some, and as ranges and prefixes. */
#include "compiler/emit/nft/print_value.h"

#include "compiler/ir/proto.h"

/* Numbers that nft has words for. Others are written as numbers, which it reads as well. */
struct word {
	unsigned value;
	const char *text;
};

static const struct word nfprotos[] = { { 2, "ipv4" }, { 10, "ipv6" }, { 0, NULL } };

static const struct word ethertypes[] = {
	{ 0x0800, "ip" },     { 0x86dd, "ip6" }, { 0x8100, "0x8100" },
	{ 0x88a8, "0x88a8" }, { 0, NULL },
};

static const struct word protos[] = {
	{ PROTO_ICMP, "icmp" },	    { PROTO_TCP, "tcp" },   { PROTO_UDP, "udp" },
	{ PROTO_ICMPV6, "icmpv6" }, { PROTO_SCTP, "sctp" }, { 0, NULL },
};

static const struct word icmp_types[] = {
	{ 0, "echo-reply" },	     { 3, "destination-unreachable" },
	{ 8, "echo-request" },	     { 11, "time-exceeded" },
	{ 12, "parameter-problem" }, { 13, "timestamp-request" },
	{ 14, "timestamp-reply" },   { 0, NULL },
};

static const struct word icmpv6_types[] = {
	{ 1, "destination-unreachable" },
	{ 2, "packet-too-big" },
	{ 3, "time-exceeded" },
	{ 4, "parameter-problem" },
	{ 128, "echo-request" },
	{ 129, "echo-reply" },
	{ 130, "mld-listener-query" },
	{ 131, "mld-listener-report" },
	{ 132, "mld-listener-done" },
	{ 133, "nd-router-solicit" },
	{ 134, "nd-router-advert" },
	{ 135, "nd-neighbor-solicit" },
	{ 136, "nd-neighbor-advert" },
	{ 143, "mld2-listener-report" },
	{ 0, NULL },
};

static const struct word fib_types[] = { { 2, "local" }, { 0, NULL } };
static const struct word directions[] = { { 0, "original" }, { 1, "reply" }, { 0, NULL } };

/* Bits, highest last. */
static const struct word tcp_flags[] = {
	{ 0x01, "fin" }, { 0x02, "syn" }, { 0x04, "rst" }, { 0x08, "psh" }, { 0x10, "ack" },
	{ 0x20, "urg" }, { 0x40, "ecn" }, { 0x80, "cwr" }, { 0, NULL },
};

static const struct word ct_states[] = {
	{ 1, "invalid" }, { 2, "established" }, { 4, "related" },
	{ 8, "new" },	  { 64, "untracked" },	{ 0, NULL },
};

void nft_print_quoted(struct buf *out, const char *name)
{
	buf_putc(out, '"');
	buf_puts(out, name);
	buf_putc(out, '"');
}

static void print_word(struct buf *out, const struct word *words, addr_num v)
{
	for (; words->text; words++) {
		if (words->value == v) {
			buf_puts(out, words->text);
			return;
		}
	}
	buf_number(out, (unsigned)v);
}

static void print_bits(struct buf *out, const struct word *words, addr_num v, const char *between)
{
	const char *sep = "";

	if (!v)
		buf_puts(out, "0x0");
	for (; words->text; words++) {
		if (v & words->value) {
			buf_printf(out, "%s%s", sep, words->text);
			sep = between;
		}
	}
}

/* A listing may be of anyone's bundle: what does not belong into a name does not reach a terminal. */
static void ifname_text(addr_num name, char text[17])
{
	unsigned len = 0;

	for (; len < 16; len++) {
		unsigned char c = (unsigned char)(name >> (120 - 8 * len));

		if (!c)
			break;
		text[len] = c > ' ' && c < 0x7f && c != '"' ? (char)c : '?';
	}
	text[len] = '\0';
}

void nft_print_hex(struct buf *out, addr_num v)
{
	char digits[2 + 32], *at = digits + sizeof digits;

	do
		*--at = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	*--at = 'x';
	*--at = '0';
	buf_add(out, at, (size_t)(digits + sizeof digits - at));
}

void nft_print_value(struct buf *out, enum nft_type type, addr_num v)
{
	char text[ADDR_TEXT];

	switch (type) {
	case NFT_TYPE_NUMBER:
		nft_print_hex(out, v);
		return;
	case NFT_TYPE_IFNAME:
		ifname_text(v, text);
		nft_print_quoted(out, text);
		return;
	case NFT_TYPE_ETHERTYPE:
		print_word(out, ethertypes, v);
		return;
	case NFT_TYPE_NFPROTO:
		print_word(out, nfprotos, v);
		return;
	case NFT_TYPE_PROTO:
		print_word(out, protos, v);
		return;
	case NFT_TYPE_ADDR4:
		buf_puts(out, addr_print((struct addr){ FAMILY_IP4, v }, text));
		return;
	case NFT_TYPE_ADDR6:
		buf_puts(out, addr_print((struct addr){ FAMILY_IP6, v }, text));
		return;
	case NFT_TYPE_DECIMAL:
	case NFT_TYPE_PORT:
	case NFT_TYPE_ICMP_CODE:
	case NFT_TYPE_ICMPV6_CODE:
		buf_number(out, (unsigned)v);
		return;
	case NFT_TYPE_ICMP_TYPE:
		print_word(out, icmp_types, v);
		return;
	case NFT_TYPE_ICMPV6_TYPE:
		print_word(out, icmpv6_types, v);
		return;
	case NFT_TYPE_TCP_FLAGS:
		print_bits(out, tcp_flags, v, " | ");
		return;
	case NFT_TYPE_CT_STATE:
		print_bits(out, ct_states, v, ",");
		return;
	case NFT_TYPE_CT_DIRECTION:
		print_word(out, directions, v);
		return;
	case NFT_TYPE_FIB_TYPE:
		print_word(out, fib_types, v);
		return;
	}
}

/* --- ranges ---------------------------------------------------------------------- */

bool nft_type_is_address(enum nft_type type)
{
	return type == NFT_TYPE_ADDR4 || type == NFT_TYPE_ADDR6;
}

enum family nft_type_family(enum nft_type type)
{
	return type == NFT_TYPE_ADDR4 ? FAMILY_IP4 : FAMILY_IP6;
}

int nft_prefix_of(enum family f, struct addr_range r)
{
	addr_num size = r.hi - r.lo; /* less one, so that the whole space fits */
	unsigned host = 0;

	while (host < FAMILY_BITS(f) && size >> host & 1)
		host++;
	if ((host < 128 && size >> host) || (r.lo & size))
		return -1;
	return (int)(FAMILY_BITS(f) - host);
}

void nft_print_ifnames(struct buf *out, struct addr_range r)
{
	char text[17];

	ifname_text(r.lo, text);
	buf_putc(out, '"');
	buf_puts(out, text);
	buf_puts(out, r.lo == r.hi ? "\"" : "*\"");
}

void nft_print_range(struct buf *out, enum nft_type type, struct addr_range r)
{
	if (type == NFT_TYPE_IFNAME) {
		nft_print_ifnames(out, r);
		return;
	}
	if (r.lo == r.hi) {
		nft_print_value(out, type, r.lo);
		return;
	}
	if (type == NFT_TYPE_NUMBER) {
		nft_print_hex(out, r.lo);
		buf_putc(out, '-');
		nft_print_hex(out, r.hi);
		return;
	}
	if (!nft_type_is_address(type)) {
		buf_number(out, (unsigned)r.lo); /* words make no ranges */
		buf_putc(out, '-');
		buf_number(out, (unsigned)r.hi);
		return;
	}

	int len = nft_prefix_of(nft_type_family(type), r);
	nft_print_value(out, type, r.lo);
	if (len >= 0) {
		buf_putc(out, '/');
		buf_number(out, (unsigned)len);
		return;
	}
	buf_putc(out, '-');
	nft_print_value(out, type, r.hi);
}

void nft_print_set(struct buf *out, const struct nft_set *s)
{
	if (s->name) {
		buf_printf(out, "@%s", s->name);
		return;
	}
	buf_puts(out, "{ ");
	for (size_t i = 0; i < s->count; i++) {
		buf_puts(out, i ? ", " : "");
		nft_print_range(out, s->type, s->ranges[i]);
	}
	buf_puts(out, " }");
}
