#include "compiler/emit/nft/bulk/terse.h"

/* Of a rule's questions, those that may be left out, the first two, or joined; or NULL. */
struct found {
	const struct nft_match *family, *spare_proto;
	const struct nft_match *proto, *src, *dst, *sport, *dport; /* dport may be a range */
	bool by_family, by_proto; /* something is asked that nft has no words for without */
};

static bool is_one(const struct nft_match *m)
{
	return m->test == NFT_TEST_EQ && !m->set;
}

static bool is_address(const struct nft_match *m)
{
	return nft_fields[m->field].type == NFT_TYPE_ADDR4 || nft_fields[m->field].type == NFT_TYPE_ADDR6;
}

static void find(struct found *f, const struct nft_match *m)
{
	const struct nft_field_row *row = &nft_fields[m->field];

	f->by_family |= (is_address(m) && m->set) || row->type == NFT_TYPE_ICMP_TYPE || row->type == NFT_TYPE_ICMPV6_TYPE;
	f->by_proto |= row->proto != 0;
	if (m->field == NFT_FIELD_DPORT && !m->set)
		f->dport = m;
	if (!is_one(m))
		return;
	if (m->field == NFT_FIELD_NFPROTO || m->field == NFT_FIELD_PROTOCOL)
		f->family = m;
	if (m->field == NFT_FIELD_L4PROTO)
		f->proto = f->spare_proto = m;
	if (m->field == NFT_FIELD_IP_SADDR)
		f->src = m;
	if (m->field == NFT_FIELD_IP_DADDR)
		f->dst = m;
	if (m->field == NFT_FIELD_SPORT)
		f->sport = m;
}

/* Puts the bytes of one question where they lie in the wide one. */
static void lay(struct nft_match *wide, const struct nft_match *m, unsigned bits, addr_num all)
{
	if (!m)
		return;
	wide->mask |= (m->masked ? m->mask : all) << bits;
	wide->lo |= m->lo << bits;
}

/* Leading bits are asked as a range: a mask and a comparison are one expression more. */
static struct nft_match as_range(struct nft_match m)
{
	const addr_num all = nft_fields[m.field].bytes == 16 ? ~(addr_num)0 : ((addr_num)1 << (8 * nft_fields[m.field].bytes)) - 1;
	const addr_num rest = all & ~m.mask;

	if (m.test != NFT_TEST_EQ || !m.masked || rest & (rest + 1))
		return m;
	m.test = rest ? NFT_TEST_WITHIN : NFT_TEST_EQ;
	m.masked = false;
	m.mask = 0;
	m.hi = m.lo | rest;
	return m;
}

static struct nft_match joined(enum nft_field f, addr_num mask, addr_num value)
{
	return as_range((struct nft_match){ .field = f, .test = NFT_TEST_EQ, .bytes = nft_fields[f].bytes, .masked = true, .mask = mask, .lo = value, .hi = value });
}

/* From the protocol, or the source, to the last of what is asked; between the protocol and the source lies a checksum. */
static struct nft_match ends_of(const struct found *f)
{
	const addr_num all = UINT32_MAX;
	const unsigned src_at = f->dst ? 32 : 0;
	struct nft_match wide = { 0 };

	lay(&wide, f->dst, 0, all);
	lay(&wide, f->src, src_at, all);
	lay(&wide, f->proto, src_at + 48, UINT8_MAX);
	return joined(!f->proto ? NFT_FIELD_IP_ENDS : f->dst ? NFT_FIELD_IP_PROTO_ENDS : NFT_FIELD_IP_PROTO_SRC, wide.mask, wide.lo);
}

static struct nft_match ports_of(const struct found *f)
{
	struct nft_match m = { .field = NFT_FIELD_TH_PORTS, .test = f->dport->test, .bytes = nft_fields[NFT_FIELD_TH_PORTS].bytes };

	m.lo = f->sport->lo << 16 | f->dport->lo;
	m.hi = f->sport->lo << 16 | f->dport->hi;
	return m;
}

/* Is it one of those that are joined? */
static bool is_of_ends(const struct found *f, const struct nft_match *m)
{
	return m == f->proto || m == f->src || m == f->dst;
}

static bool is_of_ports(const struct found *f, const struct nft_match *m)
{
	return m == f->sport || m == f->dport;
}

/* Leaves in `f` what is asked all the same. */
static void leave_out(struct found *f, const struct nft_way *w, unsigned decided)
{
	if (w->family < 0 || !(decided & NFT_DECIDED_FAMILY) || f->by_family)
		f->family = NULL;
	if (f->by_proto || !(decided & NFT_DECIDED_PROTO))
		f->spare_proto = NULL;
	if (f->spare_proto || f->by_proto)
		f->proto = NULL;
}

void nft_terse(struct nft_rule *r, const struct nft_way *w, unsigned decided)
{
	struct found f = { 0 };
	size_t len = 0;

	for (size_t i = 0; i < r->exprs.len; i++)
		find(&f, &r->exprs.at[i].match);
	leave_out(&f, w, decided);
	const bool joins_ends = f.family && w->family == FAMILY_IP4 && (f.proto != NULL) + (f.src != NULL) + (f.dst != NULL) > 1;
	const bool joins_ports = f.sport && f.dport && !f.by_proto;
	const struct nft_match ends = joins_ends ? ends_of(&f) : (struct nft_match){ 0 };
	const struct nft_match ports = joins_ports ? ports_of(&f) : (struct nft_match){ 0 };
	const bool by_place = f.family != NULL; /* an address is */
	bool ends_said = false, ports_said = false;

	for (size_t i = 0; i < r->exprs.len; i++) {
		const struct nft_match *m = &r->exprs.at[i].match;
		const bool of_ends = joins_ends && is_of_ends(&f, m), of_ports = joins_ports && is_of_ports(&f, m);

		if (m == f.family || m == f.spare_proto || (of_ends && ends_said) || (of_ports && ports_said))
			continue;
		r->exprs.at[len++].match = of_ends ? ends : of_ports ? ports : by_place && is_address(m) ? as_range(*m) : *m;
		ends_said |= of_ends;
		ports_said |= of_ports;
	}
	r->exprs.len = len;
}
