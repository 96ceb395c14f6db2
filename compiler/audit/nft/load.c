/* Registers, and what is loaded into them: of a packet, of its interface, of what the kernel knows about it. */
#include "compiler/audit/nft/asking.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/ir/proto.h"

/* --- registers ----------------------------------------------------------------------------------------- */

bool nft_ask_slot(struct nft_attr a, unsigned *out)
{
	uint32_t reg;

	if (!nft_attr_u32(a, &reg))
		return false;
	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		*out = (reg - NFT_REG_1) * (NFT_ASK_SLOTS / 4);
	else if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		*out = reg - NFT_REG32_00;
	else
		return false;
	return true;
}

unsigned nft_ask_slots(unsigned bytes)
{
	return (bytes + 3) / 4;
}

/* What the place held before, whole or in part, is gone. */
static bool nft_ask_put(struct nft_asking *k, struct nft_attr to, enum nft_asked what, unsigned bytes, bool host)
{
	unsigned slot;

	if (!nft_ask_slot(to, &slot) || !bytes || bytes > 16 || slot + nft_ask_slots(bytes) > NFT_ASK_SLOTS)
		return false;
	for (unsigned i = 0; i < NFT_ASK_SLOTS; i++)
		if (i < slot + nft_ask_slots(bytes) && i + nft_ask_slots(k->regs[i].bytes) > slot)
			k->regs[i] = (struct nft_value){ 0 };
	k->regs[slot] = (struct nft_value){ .what = what, .bytes = bytes, .host = host, .mask = nft_value_last(bytes) };
	return true;
}

struct nft_value *nft_ask_loaded(struct nft_asking *k, struct nft_attr from)
{
	unsigned slot;

	return nft_ask_slot(from, &slot) && k->regs[slot].what != NFT_ASKED_NOTHING ? &k->regs[slot] : NULL;
}

/* --- loads ------------------------------------------------------------------------------------------------ */

/* Of IPv4 from the protocol on, and the ports; by the place in their header and the bytes. */
static const struct nft_several heads4[] = {
	{ 9, 7, 2, { { NFT_ASKED_PROTO, 48, 1 }, { NFT_ASKED_SRC, 0, 4 } } },
	{ 9, 11, 3, { { NFT_ASKED_PROTO, 80, 1 }, { NFT_ASKED_SRC, 32, 4 }, { NFT_ASKED_DST, 0, 4 } } },
	{ 12, 8, 2, { { NFT_ASKED_SRC, 32, 4 }, { NFT_ASKED_DST, 0, 4 } } },
};
static const struct nft_several both_ports = { 0, 4, 2, { { NFT_ASKED_SPORT, 16, 2 }, { NFT_ASKED_DPORT, 0, 2 } } };

static const struct nft_several *several_in_network(enum family f, uint32_t at, uint32_t len)
{
	for (size_t i = 0; f == FAMILY_IP4 && i < sizeof heads4 / sizeof *heads4; i++)
		if (heads4[i].at == at && heads4[i].bytes == len)
			return &heads4[i];
	return NULL;
}

static enum nft_asked in_network(enum family f, uint32_t at, uint32_t len)
{
	const uint32_t source = f == FAMILY_IP4 ? 12 : 8, bytes = FAMILY_BITS(f) / 8, head = f == FAMILY_IP4 ? 20 : 40;

	if (at == source && len == bytes)
		return NFT_ASKED_SRC;
	if (at == source + bytes && len == bytes)
		return NFT_ASKED_DST;
	if (f == FAMILY_IP4 && at == 6 && len == 2)
		return NFT_ASKED_FRAGMENT4;
	if (f == FAMILY_IP6 && at == 7 && len == 1)
		return NFT_ASKED_HOPS;
	return at + len <= head ? NFT_ASKED_BYTES : NFT_ASKED_UNKNOWN;
}

static enum nft_asked in_transport(enum family f, unsigned proto, uint32_t at, uint32_t len)
{
	const bool icmp = proto == PROTO_ICMP || proto == PROTO_ICMPV6;

	if (at + len > proto_header_bytes(f, proto))
		return NFT_ASKED_UNKNOWN;
	if (proto_has_ports((uint16_t)proto) && len == both_ports.bytes && at == both_ports.at)
		return NFT_ASKED_SEVERAL;
	if (proto_has_ports((uint16_t)proto) && len == 2 && (at == 0 || at == 2))
		return at ? NFT_ASKED_DPORT : NFT_ASKED_SPORT;
	if (icmp && at == 0 && len <= 2)
		return len == 2 ? NFT_ASKED_ICMP : NFT_ASKED_ICMP_TYPE;
	if (icmp && at == 1 && len == 1)
		return NFT_ASKED_ICMP_CODE;
	if (proto == PROTO_TCP && len == 1 && (at == 12 || at == 13))
		return at == 12 ? NFT_ASKED_DATA_OFFSET : NFT_ASKED_FLAGS;
	return NFT_ASKED_BYTES;
}

enum nft_asked nft_in_transport(enum family f, const struct cell *c, uint32_t at, uint32_t len)
{
	enum nft_asked what = NFT_ASKED_NOTHING;

	if (c->fragments & FRAGMENT_LATER)
		return NFT_ASKED_UNKNOWN;
	for (unsigned p = c->proto_lo; p <= c->proto_hi; p++) {
		const enum nft_asked here = in_transport(f, p, at, len);

		if (here == NFT_ASKED_UNKNOWN || (what != NFT_ASKED_NOTHING && here != what))
			return NFT_ASKED_UNKNOWN;
		what = here;
	}
	return what;
}

/* Of all the rule has got to. Where it is not one thing, a port is told once the protocol is: a map's key may have both. */
static enum nft_asked in_transports(const struct nft_asking *k, uint32_t at, uint32_t len)
{
	const enum nft_asked untold = len == 2 && (at == 0 || at == 2) ? NFT_ASKED_BY_PROTO : NFT_ASKED_UNKNOWN;
	enum nft_asked what = NFT_ASKED_NOTHING;

	for (size_t i = 0; i < k->out->alts.len; i++) {
		const enum nft_asked here = nft_in_transport(k->w->family, &k->out->alts.at[i].cell, at, len);

		if (here == NFT_ASKED_UNKNOWN || (what != NFT_ASKED_NOTHING && here != what))
			return untold;
		what = here;
	}
	return what;
}

bool nft_ask_payload(struct nft_asking *k, const struct nft_attr *at)
{
	uint32_t base, offset, len;
	enum nft_asked what = NFT_ASKED_UNKNOWN;
	const struct nft_several *several = NULL;
	unsigned slot;

	if (!nft_attr_u32(at[NFTA_PAYLOAD_BASE], &base) || !nft_attr_u32(at[NFTA_PAYLOAD_OFFSET], &offset) ||
	    !nft_attr_u32(at[NFTA_PAYLOAD_LEN], &len) || offset > 0xffff || len > 16)
		return false;
	if (base == NFT_PAYLOAD_NETWORK_HEADER) {
		several = several_in_network(k->w->family, offset, len);
		what = several ? NFT_ASKED_SEVERAL : in_network(k->w->family, offset, len);
	} else if (base == NFT_PAYLOAD_TRANSPORT_HEADER) {
		what = in_transports(k, offset, len);
		several = &both_ports;
	}
	if (!nft_ask_put(k, at[NFTA_PAYLOAD_DREG], what, len, false))
		return false;
	if (nft_ask_slot(at[NFTA_PAYLOAD_DREG], &slot)) {
		k->regs[slot].several = what == NFT_ASKED_SEVERAL ? several : NULL;
		k->regs[slot].at = offset;
	}
	return true;
}

/* By which interface, as the hook's direction has it. */
static enum nft_asked interface_at(const struct nft_world *w, uint32_t key)
{
	const uint32_t own = w->direction == DIRECTION_OUT ? NFT_META_OIFNAME : NFT_META_IIFNAME;

	return key == own ? NFT_ASKED_ZONE : NFT_ASKED_UNKNOWN;
}

bool nft_ask_meta(struct nft_asking *k, const struct nft_attr *at)
{
	uint32_t key;

	if (!nft_attr_u32(at[NFTA_META_KEY], &key))
		return false;
	switch (key) {
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
		return nft_ask_put(k, at[NFTA_META_DREG], interface_at(k->w, key), 16, false);
	case NFT_META_PROTOCOL:
		return nft_ask_put(k, at[NFTA_META_DREG], NFT_ASKED_ETHERTYPE, 2, false);
	case NFT_META_NFPROTO:
		return nft_ask_put(k, at[NFTA_META_DREG], k->w->said->netdev ? NFT_ASKED_UNKNOWN : NFT_ASKED_NFPROTO, 1, false);
	case NFT_META_L4PROTO:
		return nft_ask_put(k, at[NFTA_META_DREG], NFT_ASKED_PROTO, 1, false);
	}
	return false;
}

/* A fragment's offset in IPv6; where there is no fragment header the load ends the rule. */
bool nft_ask_exthdr(struct nft_asking *k, const struct nft_attr *at)
{
	enum { FRAGMENT_HEADER = 44 };
	struct nft_attr type = at[NFTA_EXTHDR_TYPE];

	return k->w->family == FAMILY_IP6 && type.at && type.len == 1 && type.at[0] == FRAGMENT_HEADER &&
	       nft_attr_says(at[NFTA_EXTHDR_OFFSET], 2) && nft_attr_says(at[NFTA_EXTHDR_LEN], 2) &&
	       (!at[NFTA_EXTHDR_OP].at || nft_attr_says(at[NFTA_EXTHDR_OP], NFT_EXTHDR_OP_IPV6)) &&
	       nft_ask_put(k, at[NFTA_EXTHDR_DREG], NFT_ASKED_FRAGMENT6, 2, false);
}

bool nft_ask_ct(struct nft_asking *k, const struct nft_attr *at)
{
	if (k->w->said->netdev)
		return false;
	if (nft_attr_says(at[NFTA_CT_KEY], NFT_CT_STATE))
		return nft_ask_put(k, at[NFTA_CT_DREG], NFT_ASKED_STATE, 4, true);
	return nft_attr_says(at[NFTA_CT_KEY], NFT_CT_DIRECTION) && nft_ask_put(k, at[NFTA_CT_DREG], NFT_ASKED_REPLY, 1, false);
}

bool nft_ask_fib(struct nft_asking *k, const struct nft_attr *at)
{
	if (!nft_attr_says(at[NFTA_FIB_RESULT], NFT_FIB_RESULT_ADDRTYPE))
		return false;
	if (nft_attr_says(at[NFTA_FIB_FLAGS], NFTA_FIB_F_SADDR))
		return nft_ask_put(k, at[NFTA_FIB_DREG], NFT_ASKED_SRC_TYPE, 4, true);
	return nft_attr_says(at[NFTA_FIB_FLAGS], NFTA_FIB_F_DADDR) && nft_ask_put(k, at[NFTA_FIB_DREG], NFT_ASKED_DST_TYPE, 4, true);
}

bool nft_ask_number(struct nft_attr nest, const struct nft_value *v, size_t *bytes, addr_num *out)
{
	struct nft_attr a;
	uint32_t native;

	if (!nft_attr_only(nest, NFTA_DATA_VALUE, &a) || !a.len || a.len > v->bytes)
		return false;
	*bytes = a.len;
	*out = nft_said_number(a.at, a.len);
	if (v->host) {
		if (a.len != sizeof native)
			return false;
		memcpy(&native, a.at, sizeof native);
		*out = native;
	}
	return true;
}

bool nft_ask_bitwise(struct nft_asking *k, const struct nft_attr *at)
{
	struct nft_value *v = nft_ask_loaded(k, at[NFTA_BITWISE_SREG]);
	addr_num mask, xor ;
	size_t mask_bytes, xor_bytes;
	unsigned from, to;

	if (!v || !nft_ask_slot(at[NFTA_BITWISE_SREG], &from) || !nft_ask_slot(at[NFTA_BITWISE_DREG], &to) || from != to ||
	    !nft_attr_says(at[NFTA_BITWISE_LEN], v->bytes) ||
	    (at[NFTA_BITWISE_OP].at && !nft_attr_says(at[NFTA_BITWISE_OP], NFT_BITWISE_BOOL)) ||
	    !nft_ask_number(at[NFTA_BITWISE_MASK], v, &mask_bytes, &mask) || mask_bytes != v->bytes ||
	    !nft_ask_number(at[NFTA_BITWISE_XOR], v, &xor_bytes, &xor) || xor_bytes != v->bytes || xor)
		return false;
	v->mask &= mask;
	return true;
}
