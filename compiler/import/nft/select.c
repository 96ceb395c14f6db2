/*
 * select.c - the left side of a match: which field of a packet, or that it is one that
 * is not known here. What nft adds to a rule by itself (nft(8), "dependencies") is added here too.
 */
#include <string.h>

#include "compiler/import/nft/match.h"
#include "compiler/ir/proto.h"

#define V4 FAMILY_BIT(FAMILY_IP4)
#define V6 FAMILY_BIT(FAMILY_IP6)
#define ALL FAMILIES_ALL
#define ANY NFT_ANY_PROTO

static const struct {
	const char *first, *second; /* NULL: one word is all */
	enum nft_look look;
	unsigned families;
	int proto;
} rows[] = {
	{ "ip", "saddr", LOOK_SRC, V4, ANY }, { "ip", "daddr", LOOK_DST, V4, ANY }, { "ip", "protocol", LOOK_PROTO, V4, ANY },
	{ "ip6", "saddr", LOOK_SRC, V6, ANY }, { "ip6", "daddr", LOOK_DST, V6, ANY },
	{ "tcp", "sport", LOOK_SPORT, ALL, PROTO_TCP }, { "tcp", "dport", LOOK_DPORT, ALL, PROTO_TCP }, { "tcp", "flags", LOOK_FLAGS, ALL, PROTO_TCP },
	{ "udp", "sport", LOOK_SPORT, ALL, PROTO_UDP }, { "udp", "dport", LOOK_DPORT, ALL, PROTO_UDP },
	{ "sctp", "sport", LOOK_SPORT, ALL, PROTO_SCTP }, { "sctp", "dport", LOOK_DPORT, ALL, PROTO_SCTP },
	{ "th", "sport", LOOK_SPORT, ALL, NFT_SOME_PORTED }, { "th", "dport", LOOK_DPORT, ALL, NFT_SOME_PORTED },
	{ "icmp", "type", LOOK_TYPE, V4, PROTO_ICMP }, { "icmp", "code", LOOK_CODE, V4, PROTO_ICMP },
	{ "icmpv6", "type", LOOK_TYPE, V6, PROTO_ICMPV6 }, { "icmpv6", "code", LOOK_CODE, V6, PROTO_ICMPV6 },
	{ "meta", "nfproto", LOOK_FAMILY, ALL, ANY }, { "meta", "protocol", LOOK_FAMILY, ALL, ANY }, { "meta", "l4proto", LOOK_PROTO, ALL, ANY },
	{ "meta", "iif", LOOK_IIF, ALL, ANY }, { "meta", "iifname", LOOK_IIF, ALL, ANY }, { "iif", NULL, LOOK_IIF, ALL, ANY },
	{ "iifname", NULL, LOOK_IIF, ALL, ANY }, { "meta", "oif", LOOK_OIF, ALL, ANY }, { "meta", "oifname", LOOK_OIF, ALL, ANY },
	{ "oif", NULL, LOOK_OIF, ALL, ANY }, { "oifname", NULL, LOOK_OIF, ALL, ANY }, { "iiftype", NULL, LOOK_IIF, ALL, ANY },
	{ "meta", "iiftype", LOOK_IIF, ALL, ANY }, { "oiftype", NULL, LOOK_OIF, ALL, ANY }, { "meta", "oiftype", LOOK_OIF, ALL, ANY },
	{ "ct", "state", LOOK_STATE, ALL, ANY }, { "ct", "direction", LOOK_WAY, ALL, ANY }, { "ct", "status", LOOK_STATUS, ALL, ANY },
};

/* Known to be a selector, and not known further: the words in front, then one more where `more` says so. */
static const struct {
	const char *first;
	bool more;
	int proto;
	unsigned families;
} unknowns[] = {
	{ "ip", true, ANY, V4 }, { "ip6", true, ANY, V6 }, { "tcp", true, PROTO_TCP, ALL }, { "udp", true, PROTO_UDP, ALL },
	{ "sctp", true, PROTO_SCTP, ALL }, { "udplite", true, 136, ALL }, { "dccp", true, 33, ALL }, { "th", true, ANY, ALL },
	{ "icmp", true, PROTO_ICMP, V4 }, { "icmpv6", true, PROTO_ICMPV6, V6 }, { "igmp", true, 2, V4 }, { "esp", true, 50, ALL },
	{ "ah", true, 51, ALL }, { "comp", true, 108, ALL }, { "gre", true, 47, ALL }, { "meta", true, ANY, ALL }, { "ether", true, ANY, ALL },
	{ "vlan", true, ANY, ALL }, { "arp", true, ANY, 0 }, { "ct", true, ANY, ALL }, { "rt", true, ANY, ALL }, { "socket", true, ANY, ALL },
	{ "frag", true, ANY, V6 }, { "hbh", true, ANY, V6 }, { "dst", true, ANY, V6 }, { "mh", true, ANY, V6 }, { "srh", true, ANY, V6 },
	{ "mark", false, ANY, ALL }, { "skuid", false, ANY, ALL }, { "skgid", false, ANY, ALL }, { "pkttype", false, ANY, ALL },
	{ "iifgroup", false, ANY, ALL }, { "oifgroup", false, ANY, ALL }, { "iifkind", false, ANY, ALL }, { "oifkind", false, ANY, ALL },
	{ "cgroup", false, ANY, ALL }, { "rtclassid", false, ANY, ALL }, { "cpu", false, ANY, ALL }, { "priority", false, ANY, ALL },
	{ "day", false, ANY, ALL }, { "hour", false, ANY, ALL }, { "time", false, ANY, ALL }, { "fib", false, ANY, ALL },
	{ "osf", true, ANY, ALL }, { "ipsec", true, ANY, ALL }, { "numgen", true, ANY, ALL }, { "symhash", true, ANY, ALL },
	{ "random", false, ANY, ALL }, { "nftrace", false, ANY, ALL }, { "protocol", false, ANY, ALL }, { "length", false, ANY, ALL },
};

struct region nft_domain(struct arena *a, unsigned families, int proto)
{
	struct box b = box_all(families);

	if (!families)
		return (struct region){ 0 };
	if (proto >= 0)
		b.proto = ranges_of(a, (uint16_t)proto, (uint16_t)proto);
	if (proto == NFT_SOME_PORTED) {
		static const uint16_t ported[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };

		b.proto = (struct ranges){ 0 };
		for (size_t i = 0; i < sizeof ported / sizeof *ported; i++) {
			struct ranges one = ranges_of(a, ported[i], ported[i]);

			b.proto = ranges_join(a, &b.proto, &one);
		}
	}
	return region_of(a, &b);
}

bool nft_begins_selector(const struct nft_part *p)
{
	const struct nft_token *t = nft_peek(p);

	if (nft_is(t, "@"))
		return true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (nft_is(t, rows[i].first))
			return true;
	for (size_t i = 0; i < sizeof unknowns / sizeof *unknowns; i++)
		if (nft_is(t, unknowns[i].first))
			return true;
	return false;
}

static const char *words_of(struct arena *a, const struct nft_token *from, const struct nft_token *to)
{
	const char *words = from->text;

	for (from++; from < to; from++)
		words = arena_printf(a, "%s %s", words, from->text ? from->text : "");
	return words;
}

/* ct original ip saddr, ct reply proto-dst, ct original saddr: of a packet that begins a flow, its own. */
static bool read_tuple(struct nft_part *p, struct nft_selector *out)
{
	static const struct { const char *name; enum nft_look look; } ends[] = {
		{ "saddr", LOOK_SRC }, { "daddr", LOOK_DST }, { "proto-src", LOOK_SPORT }, { "proto-dst", LOOK_DPORT },
		{ "protocol", LOOK_PROTO }, { "l3proto", LOOK_FAMILY },
	};
	bool original = nft_eat(p, "original");

	if (!original && !nft_eat(p, "reply"))
		return false;
	out->families = nft_eat(p, "ip") ? V4 : nft_eat(p, "ip6") ? V6 : ALL;
	for (size_t i = 0; i < sizeof ends / sizeof *ends && original; i++)
		if (nft_is(nft_peek(p), ends[i].name)) {
			out->look = ends[i].look;
			out->begins = true;
			if (i == 2 || i == 3)
				out->proto = NFT_SOME_PORTED;
			out->strange = i == 2 || i == 3;
		}
	return nft_skip(p);
}

/* fib saddr . iif oif, @th,16,16, tcp option maxseg size: how much belongs to it. */
static bool read_odd(struct nft_part *p, const char *first)
{
	if (!strcmp(first, "@"))
		return nft_skip(p) && nft_eat(p, ",") && nft_skip(p) && nft_eat(p, ",") && nft_skip(p);
	if (!strcmp(first, "fib")) {
		do
			if (!nft_skip(p))
				return false;
		while (nft_eat(p, "."));
		return nft_skip(p);
	}
	if (!strcmp(first, "osf") && nft_eat(p, "ttl"))
		return nft_skip(p) && nft_skip(p);
	if (!strcmp(first, "ipsec"))
		return nft_skip(p) && (!nft_eat(p, "spnum") || nft_skip(p)) && (nft_eat(p, "ip") || nft_eat(p, "ip6") ? nft_skip(p) : nft_skip(p));
	if (!strcmp(first, "numgen") || !strcmp(first, "symhash"))
		return (*first == 's' || nft_skip(p)) && nft_eat(p, "mod") && nft_skip(p) && (!nft_eat(p, "offset") || nft_skip(p));
	if (!strcmp(first, "socket") && nft_eat(p, "cgroupv2"))
		return nft_eat(p, "level") && nft_skip(p);
	if ((!strcmp(first, "tcp") || !strcmp(first, "ip")) && nft_eat(p, "option")) {
		if (!nft_skip(p))
			return false;
		static const char *const fields[] = { "size", "left", "right", "kind", "length", "count", "tsval", "tsecr", "value", "type", "ptr", "addr" };
		bool field = false;

		for (size_t i = 0; i < sizeof fields / sizeof *fields && !field; i++)
			field = nft_eat(p, fields[i]);
		return true;
	}
	return nft_skip(p);
}

static bool read_known(struct nft_context *cx, struct nft_part *p, struct nft_selector *out)
{
	const struct nft_token *from = nft_peek(p);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const bool both = p->end - p->at > 1 && rows[i].second && nft_is(p->at + 1, rows[i].second);

		if (!nft_is(from, rows[i].first) || (rows[i].second && !both))
			continue;
		*out = (struct nft_selector){ rows[i].look, rows[i].families, rows[i].proto, false, rows[i].proto == NFT_SOME_PORTED, NULL };
		p->at += rows[i].second ? 2 : 1;
		out->words = words_of(cx->rs->m->arena, from, p->at);
		return true;
	}
	if (p->end - p->at < 3 || !nft_is(from, "fib") || !nft_is(from + 1, "daddr") || !nft_is(from + 2, "type"))
		return false;
	out->look = LOOK_KIND;
	out->words = "fib daddr type";
	p->at += 3;
	return true;
}

/* A selector of which is known how much belongs to it; *found when it is one, and false when it is cut short. */
static bool read_unknown(struct nft_part *p, struct nft_selector *out, bool *found)
{
	const struct nft_token *from = nft_peek(p);

	*found = true;
	if (nft_eat(p, "@"))
		return read_odd(p, "@");
	for (size_t i = 0; i < sizeof unknowns / sizeof *unknowns; i++) {
		if (!nft_eat(p, unknowns[i].first))
			continue;
		out->families = unknowns[i].families;
		out->proto = unknowns[i].proto;
		if (nft_is(from, "ct") && read_tuple(p, out))
			return true;
		return (!unknowns[i].more && !nft_is(from, "fib")) || read_odd(p, from->text);
	}
	*found = false;
	return true;
}

static int read_selector(struct nft_context *cx, struct nft_part *p, struct nft_selector *out)
{
	const struct nft_token *from = nft_peek(p);
	bool found;

	*out = (struct nft_selector){ .look = LOOK_UNKNOWN, .families = ALL, .proto = ANY };
	if (read_known(cx, p, out))
		return 0;
	if (!read_unknown(p, out, &found))
		return nft_refuse(cx->why, nft_is(from, "@") ? from : nft_peek(p), "the rest of the expression is due");
	if (!found)
		return nft_refuse(cx->why, from, "this is not known here");
	out->words = words_of(cx->rs->m->arena, from, p->at);
	return 0;
}

/* What the place where the rule stands makes unknown. */
static void doubt(const struct nft_context *cx, struct nft_selector *s)
{
	bool early = cx->priority <= -200; /* connection tracking comes behind it */
	bool pre = cx->hook == NFT_PREROUTING, post = cx->hook == NFT_POSTROUTING;
	bool states = s->look == LOOK_STATE || s->look == LOOK_WAY || s->look == LOOK_STATUS || s->begins;

	if ((states && early) || (s->look == LOOK_KIND && cx->rs->translates_to) || (s->look == LOOK_OIF && pre) || (s->look == LOOK_IIF && post) ||
	    (s->begins && (cx->rs->translates_to || cx->rs->translates_from)) ||
	    (s->look == LOOK_STATUS && (cx->rs->translates_to || cx->rs->translates_from)))
		s->look = LOOK_UNKNOWN;
}

int nft_read_lhs(struct nft_context *cx, struct nft_part *p, struct nft_lhs *out)
{
	struct arena *a = cx->rs->m->arena;
	unsigned families = nft_families(cx->table);

	out->len = 0;
	out->has = out->odd = nft_domain(a, families ? families : ALL, ANY);
	do {
		struct nft_selector *s = &out->at[out->len];

		if (out->len == NFT_CONCAT_MAX)
			return nft_refuse(cx->why, nft_peek(p), "this joins too much");
		int rc = read_selector(cx, p, s);

		if (rc)
			return rc;
		doubt(cx, s);
		struct region has = nft_domain(a, s->families, s->proto), any = nft_domain(a, s->families, s->strange ? ANY : s->proto);

		out->has = region_meet(a, &out->has, &has);
		out->odd = region_meet(a, &out->odd, &any);
		out->len++;
	} while (nft_eat(p, "."));
	region_minus(a, &out->odd, &out->has, false);
	return 0;
}
