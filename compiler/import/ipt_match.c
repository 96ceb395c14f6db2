/*
 * ipt_match.c - what the matches of iptables ask, one function for each kind of option.
 *
 * A match that is not known leaves `perhaps` as it is and empties `sure`.
 */
#include <ctype.h>
#include <string.h>

#include "compiler/import/iptables.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/tcp_flag.h"

static void unknown(struct ipt_rule *r, const char *what)
{
	r->never = true;
	if (!r->rule->unknown)
		r->rule->unknown = arena_strdup(r->m->arena, what);
}

static void narrow(struct ipt_rule *r, const struct box *by)
{
	struct box both;

	if (box_meet(r->m->arena, &r->sure, by, &both))
		r->sure = both;
	else
		r->never = true;
	if (box_meet(r->m->arena, &r->perhaps, by, &both))
		r->perhaps = both;
	else
		r->impossible = true;
}

static struct box all(const struct ipt_rule *r)
{
	return box_all(FAMILY_BIT(r->family));
}

/* --- addresses ------------------------------------------------------------------------------------ */

static bool mask_length(const char *text, enum family family, unsigned *bits)
{
	struct addr mask;
	char *end;

	if (!strchr(text, '.') && !strchr(text, ':')) {
		unsigned long n = strtoul(text, &end, 10);

		*bits = (unsigned)n;
		return isdigit((unsigned char)*text) && !*end && n <= FAMILY_BITS(family);
	}
	if (!addr_parse(text, &mask) || mask.family != family)
		return false;
	addr_num rest = ~mask.num & family_max(family);

	for (*bits = FAMILY_BITS(family); rest & 1; rest >>= 1)
		--*bits;
	return !rest;
}

static bool net_read(struct ipt_rule *r, const char *text, struct netset *out)
{
	struct arena *a = r->m->arena;
	const char *slash = strchr(text, '/');
	char *alone = arena_strndup(a, text, slash ? (size_t)(slash - text) : strlen(text));
	unsigned bits = FAMILY_BITS(r->family);
	struct addr at;

	if (!addr_parse(alone, &at) || at.family != r->family || (slash && !mask_length(slash + 1, at.family, &bits)))
		return false;
	addr_num host = bits == FAMILY_BITS(at.family) ? 0 : family_max(at.family) >> bits;

	*out = netset_of_range(a, at.family, (struct addr_range){ at.num & ~host, at.num | host });
	return true;
}

static bool span_read(struct ipt_rule *r, const char *text, struct netset *out)
{
	struct arena *a = r->m->arena;
	const char *dash = strchr(text, '-');
	struct addr from, to;

	if (!addr_parse(arena_strndup(a, text, dash ? (size_t)(dash - text) : strlen(text)), &from) ||
	    from.family != r->family)
		return false;
	to = from;
	if (dash && (!addr_parse(dash + 1, &to) || to.family != from.family || to.num < from.num))
		return false;
	*out = netset_of_range(a, from.family, (struct addr_range){ from.num, to.num });
	return true;
}

static void narrow_end(struct ipt_rule *r, bool source, struct netset set, bool negated)
{
	struct box b = all(r);

	if (negated)
		set = netset_minus(r->m->arena, &b.src, &set);
	*(source ? &b.src : &b.dst) = set;
	narrow(r, &b);
}

static void match_end(struct ipt_rule *r, const struct ipt_option *o, bool source, bool spans)
{
	struct words each = words_at_commas(r->m->arena, o->args[0]);
	struct netset set = { 0 }, one;

	for (size_t i = 0; i < each.len; i++) {
		if (!(spans ? span_read(r, each.at[i], &one) : net_read(r, each.at[i], &one))) {
			unknown(r, arena_printf(r->m->arena, "the address %s", each.at[i]));
			return;
		}
		set = netset_join(r->m->arena, &set, &one);
	}
	narrow_end(r, source, set, o->negated);
}

static void match_set(struct ipt_rule *r, const struct ipt_option *o)
{
	const struct netset *set = strmap_find(&r->m->sets, o->args[0]);

	if (!set || strmap_find(&r->m->filled, o->args[0]) || o->count != 2 || (strcmp(o->args[1], "src") && strcmp(o->args[1], "dst"))) {
		unknown(r, arena_printf(r->m->arena, "the set %s", o->args[0]));
		return;
	}
	narrow_end(r, !strcmp(o->args[1], "src"), *set, o->negated);
}

/* --- interfaces ------------------------------------------------------------------------------------- */

/* "eth+" is "eth*" here. */
const char *ipt_interface(struct arena *a, const char *name)
{
	size_t len = strlen(name);

	return len && name[len - 1] == '+' ? arena_printf(a, "%.*s*", (int)len - 1, name) : name;
}

static void match_interface(struct ipt_rule *r, const struct ipt_option *o, bool inward)
{
	const char *name = ipt_interface(r->m->arena, o->args[0]);
	uint64_t zones, maybe;
	struct box sure = all(r), perhaps = sure, both;

	if (!strcmp(name, "lo")) { /* always admitted, so no rule is asked about it */
		r->impossible |= !o->negated;
		r->never |= !o->negated;
		return;
	}
	import_zones_of(r->m, name, &zones, &maybe);
	if (zones != maybe && !r->rule->unknown)
		r->rule->unknown = arena_printf(r->m->arena, "which interfaces %s are", o->args[0]);
	if (o->negated) {
		uint64_t not_sure = ~maybe;

		maybe = ~zones;
		zones = not_sure;
	}
	*(inward ? &sure.inward : &sure.outward) = zones;
	*(inward ? &perhaps.inward : &perhaps.outward) = maybe;
	if (!zones || !box_meet(r->m->arena, &r->sure, &sure, &both))
		r->never = true;
	else
		r->sure = both;
	if (!maybe || !box_meet(r->m->arena, &r->perhaps, &perhaps, &both))
		r->impossible = true;
	else
		r->perhaps = both;
}

/* --- protocols, ports, messages --------------------------------------------------------------------- */

static void match_protocol(struct ipt_rule *r, const struct ipt_option *o)
{
	int number = strcmp(o->args[0], "all") ? import_protocol(o->args[0]) : 0;
	struct box b = all(r);

	if (number < 0) {
		unknown(r, arena_printf(r->m->arena, "the protocol %s", o->args[0]));
		return;
	}
	if (!number) /* "all", whose number is 0 */
		return;
	struct ranges one = ranges_of(r->m->arena, (uint16_t)number, (uint16_t)number);

	b.proto = o->negated ? ranges_minus(r->m->arena, &b.proto, &one) : one;
	narrow(r, &b);
}

/* "22", "1024:65535", ":1023". */
static bool ports_read(struct arena *a, const char *text, struct ranges *out)
{
	const char *colon = strchr(text, ':');
	int lo, hi;

	if (!colon) {
		lo = hi = import_port(text);
	} else {
		lo = colon == text ? 0 : import_port(arena_strndup(a, text, (size_t)(colon - text)));
		hi = colon[1] ? import_port(colon + 1) : UINT16_MAX;
	}
	if (lo < 0 || hi < lo)
		return false;
	*out = ranges_of(a, (uint16_t)lo, (uint16_t)hi);
	return true;
}

static bool one_protocol(const struct box *b)
{
	return b->proto.len == 1 && b->proto.at->lo == b->proto.at->hi;
}

static bool port_list(struct ipt_rule *r, const struct ipt_option *o, struct ranges *out)
{
	struct arena *a = r->m->arena;
	struct words each = words_at_commas(a, o->args[0]);
	struct ranges set = { 0 }, one, every = ranges_of(a, 0, UINT16_MAX);

	if (!one_protocol(&r->perhaps) || !proto_has_ports(r->perhaps.proto.at->lo)) {
		unknown(r, "a port of this protocol");
		return false;
	}
	for (size_t i = 0; i < each.len; i++) {
		if (!ports_read(a, each.at[i], &one)) {
			unknown(r, arena_printf(a, "the port %s", each.at[i]));
			return false;
		}
		set = ranges_join(a, &set, &one);
	}
	*out = o->negated ? ranges_minus(a, &every, &set) : set;
	return true;
}

static void match_ports(struct ipt_rule *r, const struct ipt_option *o, bool source)
{
	struct box b = all(r);

	if (port_list(r, o, source ? &b.sport : &b.dport))
		narrow(r, &b);
}

/* --ports: of either end. Two boxes, which ipt_finish() makes; all but, of both ends, is one. */
static void match_either(struct ipt_rule *r, const struct ipt_option *o)
{
	struct ranges set;
	struct box b = all(r);

	if (!port_list(r, o, &set))
		return;
	if (o->negated) {
		b.sport = b.dport = set;
		narrow(r, &b);
		return;
	}
	r->either = arena_copy(r->m->arena, &set, sizeof set);
}

static bool icmp_read(const struct ipt_rule *r, const char *text, struct ranges *out)
{
	static const struct { const char *name; int type4, code4, type6, code6; } rows[] = {
#define ICMP(name, type4, code4, type6, code6) { name, type4, code4, type6, code6 },
#include "lang/vocab/icmp.def"
#undef ICMP
		/* as iptables has them */
		{ "destination-unreachable", 3, -1, 1, -1 }, { "ttl-exceeded", 11, -1, 3, -1 },
		{ "ping", 8, -1, -1, -1 },		     { "pong", 0, -1, -1, -1 },
		{ "neighbor-solicitation", -1, -1, 135, -1 }, { "neighbour-solicitation", -1, -1, 135, -1 },
		{ "neighbor-advertisement", -1, -1, 136, -1 }, { "source-quench", 4, -1, -1, -1 },
		{ "timestamp-request", 13, -1, -1, -1 },
	};
	char *end;
	long type = strtol(text, &end, 10), code = -1;

	if (isdigit((unsigned char)*text)) {
		if (*end == '/')
			code = isdigit((unsigned char)end[1]) ? strtol(end + 1, &end, 10) : 256;
		if (*end || type > 255 || code > 255)
			return false;
	} else {
		type = -1;
		for (size_t i = 0; i < sizeof rows / sizeof *rows && type < 0; i++)
			if (!strcmp(rows[i].name, text)) {
				type = r->family == FAMILY_IP4 ? rows[i].type4 : rows[i].type6;
				code = r->family == FAMILY_IP4 ? rows[i].code4 : rows[i].code6;
			}
	}
	if (type < 0)
		return false;
	*out = ranges_of(r->m->arena, (uint16_t)(type << 8 | (code < 0 ? 0 : code)), (uint16_t)(type << 8 | (code < 0 ? 255 : code)));
	return true;
}

static void match_icmp(struct ipt_rule *r, const struct ipt_option *o)
{
	unsigned number = r->family == FAMILY_IP4 ? PROTO_ICMP : PROTO_ICMPV6;
	struct box b = all(r);
	struct ranges set;

	if (!strcmp(o->args[0], "any")) {
		r->never |= o->negated;
		r->impossible |= o->negated;
		return;
	}
	if (!icmp_read(r, o->args[0], &set) || !one_protocol(&r->perhaps) || r->perhaps.proto.at->lo != number) {
		unknown(r, arena_printf(r->m->arena, "the ICMP type %s", o->args[0]));
		return;
	}
	b.icmp = o->negated ? ranges_minus(r->m->arena, &b.icmp, &set) : set;
	narrow(r, &b);
}

/* --- TCP flags, connection state ----------------------------------------------------------------------- */

static bool flags_read(struct ipt_rule *r, const char *text, unsigned *out)
{
	struct words each = words_at_commas(r->m->arena, text);

	*out = 0;
	for (size_t i = 0; i < each.len; i++) {
		unsigned k = 0;
		uint8_t bits;

		while (tcp_flag_word(k) && strcasecmp(tcp_flag_word(k), each.at[i]))
			k++;
		if (!tcp_flag_word(k) || !tcp_flag_find(tcp_flag_word(k), &bits))
			return false;
		*out |= bits & 0x3f;
	}
	return true;
}

static void narrow_flags(struct ipt_rule *r, unsigned mask, unsigned want, bool negated)
{
	struct box b = all(r);

	if (!one_protocol(&r->perhaps) || r->perhaps.proto.at->lo != PROTO_TCP) {
		unknown(r, "a flag of this protocol");
		return;
	}
	b.flags = 0;
	for (unsigned f = 0; f < 64; f++)
		if (((f & mask) == want) != negated)
			b.flags |= 1ull << f;
	narrow(r, &b);
}

static void match_flags(struct ipt_rule *r, const struct ipt_option *o)
{
	unsigned mask, want;

	if (o->count == 2 && flags_read(r, o->args[0], &mask) && flags_read(r, o->args[1], &want))
		narrow_flags(r, mask, want, o->negated);
	else
		unknown(r, "these TCP flags");
}

static void match_syn(struct ipt_rule *r, const struct ipt_option *o)
{
	narrow_flags(r, 0x17, 0x02, o->negated);
}

static void match_state(struct ipt_rule *r, const struct ipt_option *o)
{
	static const char *const names[CT_COUNT] = {
		[CT_NEW] = "NEW", [CT_ESTABLISHED] = "ESTABLISHED", [CT_RELATED] = "RELATED",
		[CT_INVALID] = "INVALID", [CT_UNTRACKED] = "UNTRACKED",
	};
	struct words each = words_at_commas(r->m->arena, o->args[0]);
	struct box b = all(r);
	uint64_t states = 0;

	for (size_t i = 0; i < each.len; i++) {
		size_t k = 0;

		while (k < CT_COUNT && strcasecmp(names[k], each.at[i]))
			k++;
		if (k == CT_COUNT) {
			unknown(r, arena_printf(r->m->arena, "the state %s", each.at[i]));
			return;
		}
		states |= 1ull << k;
	}
	b.states = o->negated ? b.states & ~states : states;
	narrow(r, &b);
}

/* --- limits ---------------------------------------------------------------------------------------------- */

static void match_rate(struct ipt_rule *r, const struct ipt_option *o)
{
	if (o->negated) {
		unknown(r, "what is over a limit");
		return;
	}
	r->twice |= r->rate != NULL;
	r->rate = o->args[0];
}

static void match_over(struct ipt_rule *r, const struct ipt_option *o)
{
	r->over = true;
	match_rate(r, o);
}

static void match_burst(struct ipt_rule *r, const struct ipt_option *o)
{
	r->burst = o->args[0];
}

static void match_mode(struct ipt_rule *r, const struct ipt_option *o)
{
	r->by_source = !strcmp(o->args[0], "srcip");
	if (!r->by_source)
		unknown(r, "a limit by other than the source");
}

/* "10/min", "5/sec", "3/hour", "1/second" as .teg says it; NULL when it is something else, such as bytes. */
static const char *rate_words(struct arena *a, const char *rate, const char *burst, bool by_source)
{
	static const struct { const char *prefix, *unit; } units[] = {
		{ "second", "s" }, { "minute", "min" }, { "hour", "h" }, { "day", "d" },
	};
	char *end, *stop;
	unsigned long n = strtoul(rate, &end, 10), depth = burst ? strtoul(burst, &stop, 10) : 5;

	if (!isdigit((unsigned char)*rate) || *end != '/' || !end[1] || !n || n > 10000 || !depth || depth > 1000000 ||
	    (burst && (!isdigit((unsigned char)*burst) || *stop)))
		return NULL;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (!strncmp(units[i].prefix, end + 1, strlen(end + 1)))
			return arena_printf(a, "%lu/%s%s burst %lu", n, units[i].unit, by_source ? " per source" : "", depth);
	return NULL;
}

/* --- options ----------------------------------------------------------------------------------------------- */

static void match_src(struct ipt_rule *r, const struct ipt_option *o) { match_end(r, o, true, false); }
static void match_dst(struct ipt_rule *r, const struct ipt_option *o) { match_end(r, o, false, false); }
static void match_src_span(struct ipt_rule *r, const struct ipt_option *o) { match_end(r, o, true, true); }
static void match_dst_span(struct ipt_rule *r, const struct ipt_option *o) { match_end(r, o, false, true); }
static void match_in(struct ipt_rule *r, const struct ipt_option *o) { match_interface(r, o, true); }
static void match_out(struct ipt_rule *r, const struct ipt_option *o) { match_interface(r, o, false); }
static void match_sport(struct ipt_rule *r, const struct ipt_option *o) { match_ports(r, o, true); }
static void match_dport(struct ipt_rule *r, const struct ipt_option *o) { match_ports(r, o, false); }

/* --dst-type LOCAL,BROADCAST */
static void match_kind(struct ipt_rule *r, const struct ipt_option *o)
{
	struct words each = words_at_commas(r->m->arena, o->args[0]);
	struct box b = all(r);
	uint64_t kinds = 0;

	for (size_t i = 0; i < each.len; i++) {
		int kind = import_kind(each.at[i]);

		if (kind < 0) {
			unknown(r, arena_printf(r->m->arena, "the type %s of an address", each.at[i]));
			return;
		}
		kinds |= KIND_BIT(kind);
	}
	b.kinds = o->negated ? b.kinds & ~kinds : kinds;
	narrow(r, &b);
}

static void match_comment(struct ipt_rule *r, const struct ipt_option *o)
{
	r->rule->comment = o->args[0];
}

static void match_nothing(struct ipt_rule *r, const struct ipt_option *o)
{
	(void)r;
	(void)o;
}

static const struct {
	const char *name;
	unsigned args;
	void (*match)(struct ipt_rule *r, const struct ipt_option *o);
} options[] = {
	{ "-s", 1, match_src }, { "--source", 1, match_src }, { "-d", 1, match_dst }, { "--destination", 1, match_dst },
	{ "-i", 1, match_in }, { "-o", 1, match_out }, { "-p", 1, match_protocol },
	{ "--sport", 1, match_sport }, { "--sports", 1, match_sport }, { "--source-port", 1, match_sport },
	{ "--source-ports", 1, match_sport },
	{ "--dport", 1, match_dport }, { "--dports", 1, match_dport }, { "--destination-port", 1, match_dport },
	{ "--destination-ports", 1, match_dport }, { "--ports", 1, match_either },
	{ "--icmp-type", 1, match_icmp }, { "--icmpv6-type", 1, match_icmp },
	{ "--tcp-flags", 2, match_flags }, { "--syn", 0, match_syn },
	{ "--state", 1, match_state }, { "--ctstate", 1, match_state },
	{ "--src-range", 1, match_src_span }, { "--dst-range", 1, match_dst_span },
	{ "--dst-type", 1, match_kind }, { "--match-set", 2, match_set }, { "--comment", 1, match_comment },
	{ "--limit", 1, match_rate }, { "--limit-burst", 1, match_burst },
	{ "--hashlimit-above", 1, match_over }, { "--hashlimit-upto", 1, match_rate }, { "--hashlimit-burst", 1, match_burst },
	{ "--hashlimit-mode", 1, match_mode }, { "--hashlimit-name", 1, match_nothing },
	{ "--hashlimit-htable-expire", 1, match_nothing }, { "--hashlimit-htable-size", 1, match_nothing },
	{ "-c", 2, match_nothing }, { "--set-counters", 2, match_nothing },
	{ "--hashlimit-htable-max", 1, match_nothing }, { "--hashlimit-htable-gcinterval", 1, match_nothing },
};

bool ipt_knows(const char *option)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (!strcmp(options[i].name, option))
			return true;
	return false;
}

void ipt_match(struct ipt_rule *r, const struct ipt_option *o)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (!strcmp(options[i].name, o->name)) {
			if (o->count == options[i].args)
				options[i].match(r, o);
			else
				unknown(r, arena_printf(r->m->arena, "%s with %zu words", o->name, o->count));
			return;
		}
	unknown(r, o->name);
}

void ipt_module(struct ipt_rule *r, const char *name)
{
	static const char *const known[] = {
		"tcp", "udp", "sctp", "icmp", "icmp6", "icmpv6", "multiport", "state", "conntrack", "comment", "limit",
		"iprange", "set", "hashlimit", "addrtype",
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(known[i], name))
			return;
	unknown(r, arena_printf(r->m->arena, "match %s", name));
}

static struct region with_either(struct ipt_rule *r, const struct box *b)
{
	struct arena *a = r->m->arena;
	struct box side = all(r), both;
	struct region out = { 0 };

	if (!r->either)
		return region_of(a, b);
	side.sport = *r->either;
	if (box_meet(a, b, &side, &both))
		vec_push(a, &out, both);
	side = all(r);
	side.dport = *r->either;
	if (box_meet(a, b, &side, &both))
		vec_push(a, &out, both);
	return out;
}

void ipt_finish(struct ipt_rule *r)
{
	struct import_rule *to = r->rule;

	if (!r->never)
		to->sure = with_either(r, &r->sure);
	if (!r->impossible)
		to->perhaps = with_either(r, &r->perhaps);
	if (!r->rate)
		return;
	to->rate = r->never || r->over || r->twice ? NULL : rate_words(r->m->arena, r->rate, r->burst, r->by_source);
	to->rated = to->sure;
	to->sure = (struct region){ 0 };
	if (!to->unknown)
		to->unknown = IMPORT_OVER;
}
