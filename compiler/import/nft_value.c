/*
 * nft_value.c - the right side of a match: values, ranges, sets, maps of verdicts.
 *
 * What is asked of one selector is held as values until all are known, and becomes one
 * box; a joined element ("10.0.0.1 . 22") is a box each.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/nft_match.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SETS_DEEP 16
#define JOINED_MAX 512 /* elements of a set that joins fields; one with more is not known */

enum sure { PERHAPS, SURE, SURES };

/* Values of one selector. */
struct held {
	struct {
		VEC(struct addr_range) nets[FAMILY_COUNT];
		VEC(struct range) numbers;
		uint64_t bits; /* states, zones, families, combinations of flags: by the look */
	} of[SURES];
	bool any;	     /* perhaps every value */
	const char *unknown; /* why it is */
};

static void doubt(struct held *h, const char *why)
{
	h->any = true;
	if (!h->unknown)
		h->unknown = why;
}

/* --- one value ------------------------------------------------------------------------------------------ */

static bool number_read(const char *text, unsigned long most, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 0);
	return isdigit((unsigned char)*text) && !*end && !errno && *out <= most;
}

struct word {
	const char *name;
	unsigned number;
};

static bool word_read(const struct word *rows, size_t count, const char *text, unsigned long *out)
{
	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(rows[i].name, text)) {
			*out = rows[i].number;
			return true;
		}
	return false;
}

static bool type_read(const struct nft_selector *s, const char *text, unsigned long *out)
{
	static const struct word types4[] = {
		{ "echo-reply", 0 }, { "destination-unreachable", 3 }, { "source-quench", 4 }, { "redirect", 5 }, { "echo-request", 8 },
		{ "router-advertisement", 9 }, { "router-solicitation", 10 }, { "time-exceeded", 11 }, { "parameter-problem", 12 },
		{ "timestamp-request", 13 }, { "timestamp-reply", 14 }, { "info-request", 15 }, { "info-reply", 16 },
		{ "address-mask-request", 17 }, { "address-mask-reply", 18 },
	};
	static const struct word types6[] = {
		{ "destination-unreachable", 1 }, { "packet-too-big", 2 }, { "time-exceeded", 3 }, { "parameter-problem", 4 },
		{ "echo-request", 128 }, { "echo-reply", 129 }, { "mld-listener-query", 130 }, { "mld-listener-report", 131 },
		{ "mld-listener-done", 132 }, { "mld-listener-reduction", 132 }, { "nd-router-solicit", 133 }, { "nd-router-advert", 134 },
		{ "nd-neighbor-solicit", 135 }, { "nd-neighbor-advert", 136 }, { "nd-redirect", 137 }, { "router-renumbering", 138 },
		{ "ind-neighbor-solicit", 141 }, { "ind-neighbor-advert", 142 }, { "mld2-listener-report", 143 },
	};

	return number_read(text, 255, out) || (s->proto == PROTO_ICMP ? word_read(types4, COUNT(types4), text, out) :
									word_read(types6, COUNT(types6), text, out));
}

static bool code_read(const struct nft_selector *s, const char *text, unsigned long *out)
{
	static const struct word codes4[] = {
		{ "net-unreachable", 0 }, { "host-unreachable", 1 }, { "prot-unreachable", 2 }, { "port-unreachable", 3 },
		{ "frag-needed", 4 }, { "net-prohibited", 9 }, { "host-prohibited", 10 }, { "admin-prohibited", 13 },
	};
	static const struct word codes6[] = {
		{ "no-route", 0 }, { "admin-prohibited", 1 }, { "addr-unreachable", 3 }, { "port-unreachable", 4 },
		{ "policy-fail", 5 }, { "reject-route", 6 },
	};

	return number_read(text, 255, out) || (s->proto == PROTO_ICMP ? word_read(codes4, COUNT(codes4), text, out) :
									word_read(codes6, COUNT(codes6), text, out));
}

static bool state_read(const char *text, unsigned long *out)
{
	static const struct word states[] = {
		{ "new", CT_NEW }, { "established", CT_ESTABLISHED }, { "related", CT_RELATED }, { "invalid", CT_INVALID },
		{ "untracked", CT_UNTRACKED },
	};

	return word_read(states, COUNT(states), text, out);
}

static bool number_of(const struct nft_selector *s, const char *text, unsigned long *out)
{
	int n;

	switch (s->look) {
	case LOOK_SPORT:
	case LOOK_DPORT:
		n = import_port(text);
		*out = (unsigned long)n;
		return n >= 0 || number_read(text, UINT16_MAX, out);
	case LOOK_PROTO:
		n = import_protocol(text);
		*out = (unsigned long)n;
		return n >= 0 || number_read(text, 255, out);
	case LOOK_TYPE:
		return type_read(s, text, out);
	case LOOK_CODE:
		return code_read(s, text, out);
	case LOOK_UNKNOWN:
	case LOOK_SRC:
	case LOOK_DST:
	case LOOK_FAMILY:
	case LOOK_IIF:
	case LOOK_OIF:
	case LOOK_STATE:
	case LOOK_WAY:
	case LOOK_FLAGS:
	case LOOK_STATUS:
	case LOOK_KIND:
		break;
	}
	return false;
}

static unsigned long number_most(const struct nft_selector *s)
{
	return s->look == LOOK_SPORT || s->look == LOOK_DPORT ? UINT16_MAX : 255;
}

/* A value as it stands: one word, or two with - or / between them. */
struct spelled {
	const struct nft_token *from, *to; /* to: NULL when it is one */
	bool prefix;
};

static bool is_value(const struct nft_token *t)
{
	return t->kind == NFT_WORD || t->kind == NFT_STRING;
}

static int read_spelled(struct nft_context *cx, struct nft_part *p, struct spelled *out)
{
	*out = (struct spelled){ .from = nft_peek(p) };
	if (!is_value(out->from))
		return nft_refuse(cx->why, out->from, "a value is due");
	p->at++;
	out->prefix = nft_eat(p, "/");
	if (!out->prefix && !nft_eat(p, "-"))
		return 0;
	out->to = nft_peek(p);
	if (!is_value(out->to))
		return nft_refuse(cx->why, out->to, "the other end is due");
	p->at++;
	return 0;
}

static void hold_range(struct held *h, struct arena *a, bool firm, struct range r)
{
	vec_push(a, &h->of[PERHAPS].numbers, r);
	if (firm)
		vec_push(a, &h->of[SURE].numbers, r);
}

static void hold_bits(struct held *h, bool firm, uint64_t sure, uint64_t perhaps)
{
	h->of[PERHAPS].bits |= perhaps;
	if (firm)
		h->of[SURE].bits |= sure;
}

static int hold_number(struct nft_context *cx, const struct nft_selector *s, const struct spelled *v, bool firm, struct held *h)
{
	unsigned long lo, hi;

	if (!number_of(s, v->from->text, &lo) || v->prefix) {
		doubt(h, arena_printf(cx->rs->m->arena, "%s %s", s->words, v->from->text));
		return 0;
	}
	hi = lo;
	if (v->to && (!number_of(s, v->to->text, &hi) || hi < lo))
		return nft_refuse(cx->why, v->to, "this ends before it begins");
	hold_range(h, cx->rs->m->arena, firm, (struct range){ (uint16_t)lo, (uint16_t)hi });
	return 0;
}

static int hold_address(struct nft_context *cx, const struct nft_selector *s, const struct spelled *v, bool firm, struct held *h)
{
	struct arena *a = cx->rs->m->arena;
	struct addr from, to;
	unsigned long bits;

	if (!addr_parse(v->from->text, &from) || !(s->families & FAMILY_BIT(from.family))) {
		doubt(h, arena_printf(a, "the address %s", v->from->text));
		return 0;
	}
	to = from;
	if (v->prefix) {
		if (!number_read(v->to->text, FAMILY_BITS(from.family), &bits))
			return nft_refuse(cx->why, v->to, "a length of a prefix is due");
		addr_num host = bits == FAMILY_BITS(from.family) ? 0 : family_max(from.family) >> bits;

		from.num &= ~host;
		to.num |= host;
	} else if (v->to && (!addr_parse(v->to->text, &to) || to.family != from.family || to.num < from.num)) {
		return nft_refuse(cx->why, v->to, "this is no end of a range of addresses");
	}
	struct addr_range r = { from.num, to.num };

	vec_push(a, &h->of[PERHAPS].nets[from.family], r);
	if (firm)
		vec_push(a, &h->of[SURE].nets[from.family], r);
	return 0;
}

static void hold_interface(struct nft_context *cx, const struct nft_selector *s, const struct nft_token *t, bool firm, struct held *h)
{
	struct import *m = cx->rs->m;
	uint64_t sure, perhaps;
	bool kind = strstr(s->words, "type");

	if (kind ? strcmp(t->text, "loopback") : isdigit((unsigned char)*t->text) && t->kind == NFT_WORD) {
		doubt(h, arena_printf(m->arena, "%s %s", s->words, t->text));
		return;
	}
	if (kind || !strcmp(t->text, "lo")) /* always admitted, so no rule is asked about it */
		return;
	if (cx->rs->names)
		vec_push(m->arena, cx->rs->names, t->text);
	import_zones_of(m, t->text, &sure, &perhaps);
	if (sure != perhaps && !h->unknown)
		h->unknown = arena_printf(m->arena, "which interfaces %s are", t->text);
	hold_bits(h, firm, sure, perhaps);
}

/* Of another family, such as ARP, is no packet here. */
static uint64_t family_bits(const struct nft_token *t)
{
	return nft_is(t, "ipv4") || nft_is(t, "ip") || nft_is(t, "2") ? FAMILY_BIT(FAMILY_IP4) :
	       nft_is(t, "ipv6") || nft_is(t, "ip6") || nft_is(t, "10") ? FAMILY_BIT(FAMILY_IP6) : 0;
}

static void hold_word(struct nft_context *cx, const struct nft_selector *s, const struct nft_token *t, bool firm, struct held *h)
{
	uint64_t every = (1u << CT_COUNT) - 1, begins = 1u << CT_NEW;
	unsigned long n;

	if (s->look == LOOK_STATE && state_read(t->text, &n))
		hold_bits(h, firm, 1u << n, 1u << n);
	else if (s->look == LOOK_WAY && !strcmp(t->text, "original"))
		hold_bits(h, firm, begins, every);
	else if (s->look == LOOK_WAY && !strcmp(t->text, "reply"))
		hold_bits(h, firm, 0, every & ~begins);
	else if (s->look == LOOK_KIND && import_kind(t->text) >= 0)
		hold_bits(h, firm, KIND_BIT(import_kind(t->text)), KIND_BIT(import_kind(t->text)));
	else if (s->look == LOOK_FAMILY)
		hold_bits(h, firm, family_bits(t), family_bits(t));
	else if (s->look != LOOK_STATUS || (strcmp(t->text, "dnat") && strcmp(t->text, "snat"))) /* these are when nothing is translated */
		doubt(h, arena_printf(cx->rs->m->arena, "%s %s", s->words, t->text));
}

/* --- TCP flags -------------------------------------------------------------------------------------------- */

/* "syn", "syn | ack", "(fin|syn)", "0x2"; with commas when they may stand there. */
static int read_flags(struct nft_context *cx, struct nft_part *p, bool commas, unsigned *out)
{
	static const struct word flags[] = {
		{ "fin", 1 }, { "syn", 2 }, { "rst", 4 }, { "psh", 8 }, { "ack", 16 }, { "urg", 32 }, { "ecn", 64 }, { "cwr", 128 },
	};
	bool closed = nft_eat(p, "(");
	unsigned long n;

	*out = 0;
	do {
		const struct nft_token *t = nft_peek(p);

		if (t->kind != NFT_WORD || !(word_read(flags, COUNT(flags), t->text, &n) || number_read(t->text, 255, &n)))
			return nft_refuse(cx->why, t, "a flag of TCP is due");
		*out |= (unsigned)n;
		p->at++;
	} while (nft_eat(p, "|") || ((commas || closed) && nft_eat(p, ",")));
	return closed && !nft_eat(p, ")") ? nft_refuse(cx->why, nft_peek(p), ") is due") : 0;
}

/* Six of the eight are told apart here; what is asked of the other two is perhaps so. */
static void hold_flags(struct held *h, unsigned mask, unsigned want, bool firm)
{
	uint64_t set = 0;

	for (unsigned f = 0; f < 64; f++)
		if ((f & mask) == (want & 0x3f))
			set |= 1ull << f;
	if (want & ~mask)
		set = 0;
	hold_bits(h, firm && !(mask & ~0x3fu), set, set);
	if (mask & ~0x3fu && !h->unknown)
		h->unknown = "the flags ecn and cwr";
}

static void flip_flags(struct held *h)
{
	uint64_t sure = h->of[SURE].bits;

	h->of[SURE].bits = ~h->of[PERHAPS].bits;
	h->of[PERHAPS].bits = ~sure;
}

/* --- values become boxes ------------------------------------------------------------------------------------ */

static int by_low(const void *x, const void *y)
{
	const struct range *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

static struct ranges many(struct arena *a, struct range *at, size_t len)
{
	struct ranges r = { arena_copy(a, at, len * sizeof *at), 0 };

	if (len)
		qsort(r.at, len, sizeof *r.at, by_low);
	for (size_t i = 0; i < len; i++) {
		struct range one = r.at[i];

		if (r.len && one.lo <= r.at[r.len - 1].hi + 1u)
			r.at[r.len - 1].hi = one.hi > r.at[r.len - 1].hi ? one.hi : r.at[r.len - 1].hi;
		else
			r.at[r.len++] = one;
	}
	return r;
}

/* Types, or codes of every type, as both together. */
static struct ranges messages(struct arena *a, const struct ranges *r, bool codes)
{
	VEC(struct range) all = { 0 };

	for (unsigned type = 0; type < (codes ? 256u : 1u); type++)
		for (size_t i = 0; i < r->len; i++) {
			struct range one = codes ? (struct range){ (uint16_t)(type << 8 | r->at[i].lo), (uint16_t)(type << 8 | r->at[i].hi) } :
						   (struct range){ (uint16_t)(r->at[i].lo << 8), (uint16_t)(r->at[i].hi << 8 | 255) };

			vec_push(a, &all, one);
		}
	return many(a, all.at, all.len);
}

/* The packets whose field has one of the values. */
static struct region held_region(struct nft_context *cx, const struct nft_selector *s, const struct held *h, enum sure sure)
{
	struct arena *a = cx->rs->m->arena;
	struct box b = box_all(FAMILIES_ALL), later = b, both;
	struct addr_range *nets[FAMILY_COUNT] = { h->of[sure].nets[0].at, h->of[sure].nets[1].at };
	size_t counts[FAMILY_COUNT] = { h->of[sure].nets[0].len, h->of[sure].nets[1].len };
	struct ranges numbers = many(a, h->of[sure].numbers.at, h->of[sure].numbers.len);
	struct region r = { 0 };

	if (sure == PERHAPS && (h->any || s->look == LOOK_UNKNOWN))
		return region_of(a, &b);
	switch (s->look) {
	case LOOK_UNKNOWN:
	case LOOK_STATUS:
		return r;
	case LOOK_SRC:
		b.src = netset_of_ranges(a, nets, counts);
		break;
	case LOOK_DST:
		b.dst = netset_of_ranges(a, nets, counts);
		break;
	case LOOK_SPORT:
		b.sport = numbers;
		break;
	case LOOK_DPORT:
		b.dport = numbers;
		break;
	case LOOK_PROTO:
		b.proto = numbers;
		break;
	case LOOK_FAMILY:
		if (!h->of[sure].bits)
			return r;
		b = box_all((unsigned)h->of[sure].bits);
		break;
	case LOOK_IIF:
		b.inward = h->of[sure].bits;
		break;
	case LOOK_OIF:
		b.outward = h->of[sure].bits;
		break;
	case LOOK_STATE:
	case LOOK_WAY:
		b.states = h->of[sure].bits;
		break;
	case LOOK_TYPE:
	case LOOK_CODE:
		b.icmp = messages(a, &numbers, s->look == LOOK_CODE);
		break;
	case LOOK_FLAGS:
		b.flags = h->of[sure].bits;
		break;
	case LOOK_KIND:
		b.kinds = h->of[sure].bits;
		break;
	}
	if (s->begins) {
		later.states = (1u << CT_COUNT) - 1 - (1u << CT_NEW);
		b.states = 1u << CT_NEW;
	}
	struct box all = box_all(FAMILIES_ALL);

	if (box_meet(a, &b, &all, &both))
		r = region_of(a, &both);
	if (s->begins && sure == PERHAPS)
		vec_push(a, &r, later);
	return r;
}

static void add_odd(struct arena *a, struct region *to, const struct nft_lhs *l)
{
	struct region both = { 0 };

	region_add(a, &both, to);
	region_add(a, &both, &l->odd);
	*to = both;
}

/* What is asked, of those that have it; or all of those that is not asked. */
static void settle(struct nft_context *cx, const struct nft_lhs *l, struct region sure, struct region perhaps, bool negated, struct nft_match *out)
{
	struct arena *a = cx->rs->m->arena;

	if (negated) {
		out->sure = out->perhaps = l->has;
		region_minus(a, &out->sure, &perhaps, true);
		region_minus(a, &out->perhaps, &sure, false);
	} else {
		out->sure = region_meet(a, &l->has, &sure);
		out->perhaps = region_meet(a, &l->has, &perhaps);
	}
	add_odd(a, &out->perhaps, l);
}

/* --- elements -------------------------------------------------------------------------------------------------- */

static void skip_lines(struct nft_part *p)
{
	while (nft_peek(p)->kind == NFT_LINE)
		p->at++;
}

/* A value that is not known, up to what may stand behind it. */
static bool skip_value(struct nft_part *p)
{
	static const char *const joints[] = { "-", "/", "|", "&", "^", "<<", ">>", ":", "and", "or" };
	bool more = true;

	if (nft_eat(p, "over") || nft_eat(p, "until"))
		skip_lines(p);
	while (more) {
		if (nft_eat(p, "(")) {
			while (!nft_eat(p, ")"))
				if (!nft_skip(p))
					return false;
		} else if (!is_value(nft_peek(p))) {
			return false;
		} else {
			p->at++;
		}
		more = false;
		for (size_t i = 0; i < COUNT(joints) && !more; i++)
			more = nft_eat(p, joints[i]);
	}
	return true;
}

/* An element's own value ends at a colon: that of a hardware address is within a word. */
static int read_value(struct nft_context *cx, struct nft_part *p, const struct nft_selector *s, bool firm, struct held *h)
{
	struct spelled v;
	unsigned flags;
	int rc;

	switch (s->look) {
	case LOOK_UNKNOWN:
		doubt(h, s->words);
		rc = nft_is(nft_peek(p), "(") ? (skip_value(p) ? 0 : -EINVAL) : read_spelled(cx, p, &v);
		return rc == -EINVAL && !*cx->why->text ? nft_refuse(cx->why, nft_peek(p), "a value is due") : rc;
	case LOOK_FLAGS:
		rc = read_flags(cx, p, false, &flags);
		if (!rc)
			hold_flags(h, 0xff, flags, firm);
		return rc;
	case LOOK_SRC:
	case LOOK_DST:
		rc = read_spelled(cx, p, &v);
		return rc ? rc : hold_address(cx, s, &v, firm, h);
	case LOOK_SPORT:
	case LOOK_DPORT:
	case LOOK_PROTO:
	case LOOK_TYPE:
	case LOOK_CODE:
		rc = read_spelled(cx, p, &v);
		return rc ? rc : hold_number(cx, s, &v, firm, h);
	case LOOK_IIF:
	case LOOK_OIF:
		rc = read_spelled(cx, p, &v);
		if (!rc)
			hold_interface(cx, s, v.from, firm && !v.to, h);
		return rc;
	case LOOK_FAMILY:
	case LOOK_STATE:
	case LOOK_WAY:
	case LOOK_STATUS:
	case LOOK_KIND:
		rc = read_spelled(cx, p, &v);
		if (!rc)
			hold_word(cx, s, v.from, firm && !v.to, h);
		return rc;
	}
	return 0;
}

/* What may stand behind a key: its counter, its end. *ends: it does not stay. */
static int read_options(struct nft_context *cx, struct nft_part *p, bool *ends)
{
	for (;;) {
		const struct nft_token *t = nft_peek(p);

		skip_lines(p);
		if (nft_eat(p, "counter")) {
			while (nft_eat(p, "packets") || nft_eat(p, "bytes"))
				nft_skip(p);
		} else if (nft_is(t, "timeout") || nft_is(t, "expires") || nft_is(t, "comment")) {
			*ends |= !nft_is(t, "comment");
			p->at++;
			if (!nft_skip(p))
				return nft_refuse(cx->why, nft_peek(p), "a value is due");
		} else if (nft_is(t, "limit") || nft_is(t, "quota") || nft_is(t, "last") || nft_is(t, "ct")) {
			*ends = true;
			while (p->at < p->end && !nft_is(p->at, ",") && !nft_is(p->at, ":") && nft_skip(p))
				;
		} else {
			return 0;
		}
	}
}

struct element {
	struct held at[NFT_CONCAT_MAX];
	bool others; /* "*": what no other element has */
	const struct nft_token *place;
};

static int read_key(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool firm, struct element *out)
{
	const struct nft_part before = *p;
	const struct element was = *out;
	bool ends = false;
	int rc = 0;

	skip_lines(p);
	out->place = nft_peek(p);
	out->others = nft_eat(p, "*");
	for (size_t i = 0; i < l->len && !out->others && !rc; i++) {
		skip_lines(p);
		if (i && !nft_eat(p, "."))
			return nft_refuse(cx->why, nft_peek(p), ". and one more value are due");
		skip_lines(p);
		rc = read_value(cx, p, &l->at[i], firm, &out->at[i]);
	}
	skip_lines(p);
	rc = rc ? rc : read_options(cx, p, &ends);
	if (rc || !ends || !firm)
		return rc;
	*p = before;
	*out = was;
	for (size_t i = 0; i < l->len; i++)
		if (!out->at[i].unknown)
			out->at[i].unknown = "an element that ends";
	return read_key(cx, p, l, false, out);
}

static void meet_all(struct nft_context *cx, const struct nft_lhs *l, const struct held *h, struct region *sure, struct region *perhaps)
{
	struct arena *a = cx->rs->m->arena;
	struct box all = box_all(FAMILIES_ALL);

	*sure = *perhaps = region_of(a, &all);
	for (size_t i = 0; i < l->len; i++) {
		struct region s = held_region(cx, &l->at[i], &h[i], SURE), m = held_region(cx, &l->at[i], &h[i], PERHAPS);

		*sure = region_meet(a, sure, &s);
		*perhaps = region_meet(a, perhaps, &m);
	}
}

static const char *unknown_of(const struct nft_lhs *l, const struct held *h)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->at[i].look == LOOK_UNKNOWN)
			return l->at[i].words;
	for (size_t i = 0; i < l->len; i++)
		if (h[i].unknown)
			return h[i].unknown;
	return NULL;
}

/* Elements that are gathered into one match. */
struct gathering {
	struct held one; /* of a single selector */
	struct region sure, perhaps;
	size_t joined;
	unsigned deep;
	bool others;
	const char *unknown;
};

static int gather(struct nft_context *cx, struct nft_part p, const struct nft_lhs *l, bool firm, struct gathering *g)
{
	struct arena *a = cx->rs->m->arena;

	if (g->deep++ == SETS_DEEP)
		return nft_refuse(cx->why, nft_peek(&p), "too many sets within sets");

	for (;;) {
		struct element e = { 0 };
		struct region sure, perhaps;
		int rc;

		skip_lines(&p);
		if (p.at == p.end) {
			g->deep--;
			return 0;
		}
		if (nft_is(p.at, "{")) { /* a set that was defined */
			struct nft_part inner = { p.at + 1, NULL };

			if (!nft_skip(&p))
				return nft_refuse(cx->why, nft_peek(&p), "} is due");
			inner.end = p.at - 1;
			rc = gather(cx, inner, l, firm, g);
		} else if (l->len == 1) {
			e.at[0] = g->one;
			rc = read_key(cx, &p, l, firm, &e);
			g->one = e.at[0];
			g->others |= e.others;
		} else {
			rc = read_key(cx, &p, l, firm, &e);
			meet_all(cx, l, e.at, &sure, &perhaps);
			g->joined++;
			g->others |= e.others;
			if (!g->unknown)
				g->unknown = unknown_of(l, e.at);
			if (g->joined <= JOINED_MAX) {
				region_add(a, &g->sure, &sure);
				region_add(a, &g->perhaps, &perhaps);
			}
		}
		if (rc)
			return rc;
		if (nft_is(nft_peek(&p), ":")) /* of a map: what stands behind is not asked here */
			while (p.at < p.end && !nft_is(p.at, ",") && nft_skip(&p))
				;
		skip_lines(&p);
		if (!nft_eat(&p, ",") && p.at < p.end)
			return nft_refuse(cx->why, p.at, "a comma is due");
	}
}

static void end_gathering(struct nft_context *cx, const struct nft_lhs *l, struct gathering *g, bool negated, struct nft_match *out)
{
	struct arena *a = cx->rs->m->arena;
	struct box all = box_all(FAMILIES_ALL);

	if (l->len == 1) {
		g->sure = held_region(cx, &l->at[0], &g->one, SURE);
		g->perhaps = held_region(cx, &l->at[0], &g->one, PERHAPS);
		g->unknown = unknown_of(l, &g->one);
	}
	if (g->joined > JOINED_MAX) {
		g->sure = (struct region){ 0 };
		g->perhaps = region_of(a, &all);
		g->unknown = "a set of so many joined elements";
	}
	if (g->others)
		g->sure = g->perhaps = region_of(a, &all);
	region_tidy(a, &g->sure);
	region_tidy(a, &g->perhaps);
	out->unknown = g->unknown;
	settle(cx, l, g->sure, g->perhaps, negated, out);
}

static struct nft_set *set_due(struct nft_context *cx, struct nft_part *p)
{
	const struct nft_token *t = nft_peek(p);

	p->at += is_value(t);
	return is_value(t) ? strmap_find(&cx->table->sets, t->text) : NULL;
}

/* A set of addresses keeps its name. */
static void keep_name(struct nft_context *cx, const struct nft_set *s, const struct nft_lhs *l, const struct held *h)
{
	struct import *m = cx->rs->m;
	struct addr_range *nets[FAMILY_COUNT] = { h->of[SURE].nets[0].at, h->of[SURE].nets[1].at };
	size_t counts[FAMILY_COUNT] = { h->of[SURE].nets[0].len, h->of[SURE].nets[1].len };

	if (l->len != 1 || (l->at[0].look != LOOK_SRC && l->at[0].look != LOOK_DST) || h->unknown || strmap_find(&m->sets, s->name))
		return;
	struct netset set = netset_of_ranges(m->arena, nets, counts);

	strmap_put(&m->sets, s->name, arena_copy(m->arena, &set, sizeof set));
}

static int read_named(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool negated, struct nft_match *out)
{
	const struct nft_token *at = nft_peek(p);
	const struct nft_set *s = set_due(cx, p);
	struct gathering g = { 0 };
	int rc = 0;

	if (!s)
		return nft_refuse(cx->why, at, "there is no such set");
	for (size_t i = 0; i < s->elements.len && !rc; i++)
		rc = gather(cx, s->elements.at[i], l, true, &g);
	if (rc)
		return rc;
	if (s->changes) {
		struct box all = box_all(FAMILIES_ALL);

		out->unknown = arena_printf(cx->rs->m->arena, "what is in the set %s at run time", s->name);
		settle(cx, l, (struct region){ 0 }, region_of(cx->rs->m->arena, &all), negated, out);
		return 0;
	}
	end_gathering(cx, l, &g, negated, out);
	keep_name(cx, s, l, &g.one);
	return 0;
}

/* --- right sides -------------------------------------------------------------------------------------------------- */

enum operator { IS, IS_NOT, NONE_OF, BELOW, UP_TO, ABOVE, FROM };

static enum operator read_operator(struct nft_part *p, bool *written)
{
	static const struct { const char *sign, *word; enum operator is; } rows[] = {
		{ "==", "eq", IS }, { "!=", "ne", IS_NOT }, { "!", "!", NONE_OF }, { "<", "lt", BELOW }, { "<=", "le", UP_TO },
		{ ">", "gt", ABOVE }, { ">=", "ge", FROM },
	};

	*written = true;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (nft_eat(p, rows[i].sign) || nft_eat(p, rows[i].word))
			return rows[i].is;
	*written = false;
	return IS;
}

/* tcp flags syn; syn,ack; == syn; != syn; & (fin|syn) == syn; syn / fin,syn; ! syn */
static int read_flag_match(struct nft_context *cx, struct nft_part *p, struct held *h)
{
	unsigned mask = 0, want = 0;
	bool masked = nft_eat(p, "&") || nft_eat(p, "and"), written;
	int rc = masked ? read_flags(cx, p, false, &mask) : 0;
	enum operator o = rc ? IS : read_operator(p, &written);

	if (!rc && masked && nft_eat(p, "{")) {
		do {
			rc = read_flags(cx, p, false, &want);
			hold_flags(h, mask, want, !rc);
		} while (!rc && nft_eat(p, ","));
		if (o == IS_NOT)
			flip_flags(h);
		return rc || nft_eat(p, "}") ? rc : nft_refuse(cx->why, nft_peek(p), "} is due");
	}
	rc = rc ? rc : read_flags(cx, p, !masked, &want);
	if (!rc && !masked && nft_eat(p, "/")) {
		masked = true;
		rc = read_flags(cx, p, true, &mask);
	}
	if (rc)
		return rc;
	if (o != IS && o != IS_NOT && o != NONE_OF)
		return nft_refuse(cx->why, nft_peek(p), "flags are not compared so");
	if (!masked && !written && want) { /* any of them */
		hold_flags(h, want, 0, true);
		flip_flags(h);
	} else if (o == NONE_OF) {
		hold_flags(h, want, 0, true);
	} else {
		hold_flags(h, masked ? mask : 0xff, want, true);
		if (o == IS_NOT)
			flip_flags(h);
	}
	return 0;
}

/* Below, above: the numbers or addresses from one end to the value. */
static int hold_side(struct nft_context *cx, struct nft_part *p, const struct nft_selector *s, enum operator o, struct held *h)
{
	struct arena *a = cx->rs->m->arena;
	struct spelled v;
	unsigned long n;
	int rc = read_spelled(cx, p, &v);

	if (rc)
		return rc;
	bool low = o == BELOW || o == UP_TO, strict = o == BELOW || o == ABOVE;
	unsigned long most = number_most(s);

	if (v.to || !number_of(s, v.from->text, &n)) {
		doubt(h, s->words);
		return 0;
	}
	if (strict && n == (low ? 0 : most))
		return 0;
	n = strict ? (low ? n - 1 : n + 1) : n;
	hold_range(h, a, true, low ? (struct range){ 0, (uint16_t)n } : (struct range){ (uint16_t)n, (uint16_t)most });
	return 0;
}

/* Values without braces: one, or several with commas where they are bits. */
static int read_bare(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, enum operator o, struct held h[NFT_CONCAT_MAX])
{
	bool bits = l->len == 1 && (l->at[0].look == LOOK_STATE || l->at[0].look == LOOK_STATUS || l->at[0].look == LOOK_UNKNOWN);
	int rc = 0;

	if (l->len == 1 && l->at[0].look == LOOK_UNKNOWN) {
		do
			if (!skip_value(p))
				return nft_refuse(cx->why, nft_peek(p), "a value is due");
		while (nft_eat(p, ","));
		doubt(&h[0], l->at[0].words);
		return 0;
	}
	if (l->len == 1 && l->at[0].look == LOOK_FLAGS)
		return read_flag_match(cx, p, &h[0]);
	if (o == BELOW || o == UP_TO || o == ABOVE || o == FROM)
		return l->len == 1 ? hold_side(cx, p, &l->at[0], o, &h[0]) : nft_refuse(cx->why, nft_peek(p), "joined values have no order");
	for (size_t i = 0; i < l->len && !rc; i++) {
		if (i && !nft_eat(p, "."))
			return nft_refuse(cx->why, nft_peek(p), ". and one more value are due");
		do
			rc = read_value(cx, p, &l->at[i], true, &h[i]);
		while (!rc && bits && nft_eat(p, ","));
	}
	return rc;
}

int nft_read_rhs(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *lhs, struct nft_match *out)
{
	static const char *const bitwise[] = { "&", "and", "|", "or", "^", "xor", "<<", ">>" };
	struct nft_lhs masked = *lhs, *l = &masked;
	struct held h[NFT_CONCAT_MAX] = { 0 };
	struct gathering g = { 0 };
	struct nft_part before;
	enum operator o = IS;
	bool written;
	int rc;

	*out = (struct nft_match){ 0 };
	for (size_t i = 0; i < COUNT(bitwise) && !(l->len == 1 && l->at[0].look == LOOK_FLAGS); i++)
		if (nft_eat(p, bitwise[i])) {
			if (!skip_value(p))
				return nft_refuse(cx->why, nft_peek(p), "a value is due");
			l->at[0].look = LOOK_UNKNOWN;
			i = 0;
		}
	before = *p;
	o = read_operator(p, &written);
	if (nft_eat(p, "@"))
		return o == IS || o == IS_NOT ? read_named(cx, p, l, o == IS_NOT, out) : nft_refuse(cx->why, nft_peek(p), "a set has no order");
	if (nft_is(nft_peek(p), "{")) {
		struct nft_part inner = { p->at + 1, NULL };

		if (!nft_skip(p))
			return nft_refuse(cx->why, nft_peek(p), "} is due");
		inner.end = p->at - 1;
		rc = gather(cx, inner, l, true, &g);
		if (!rc)
			end_gathering(cx, l, &g, o != IS, out);
		return rc;
	}
	if (l->len == 1 && l->at[0].look == LOOK_FLAGS) { /* it reads its operator itself */
		*p = before;
		o = IS;
	}
	rc = read_bare(cx, p, l, o, h);
	if (rc)
		return rc;
	struct region sure, perhaps;

	meet_all(cx, l, h, &sure, &perhaps);
	out->unknown = unknown_of(l, h);
	settle(cx, l, sure, perhaps, o == IS_NOT || o == NONE_OF, out);
	return 0;
}

/* --- maps of verdicts ------------------------------------------------------------------------------------------------- */

static int read_cases(struct nft_context *cx, struct nft_part p, const struct nft_lhs *l, struct nft_cases *out)
{
	struct arena *a = cx->rs->m->arena;

	for (;;) {
		struct element e = { 0 };
		struct nft_case one = { 0 };
		struct region sure, perhaps;

		skip_lines(&p);
		if (p.at == p.end)
			return 0;
		int rc = read_key(cx, &p, l, true, &e);

		if (rc)
			return rc;
		skip_lines(&p);
		if (!nft_eat(&p, ":"))
			return nft_refuse(cx->why, nft_peek(&p), ": and a verdict are due");
		skip_lines(&p);
		one.place = e.place;
		one.others = e.others;
		one.verdict.at = p.at;
		while (p.at < p.end && !nft_is(p.at, ",") && nft_skip(&p))
			;
		one.verdict.end = p.at;
		meet_all(cx, l, e.at, &sure, &perhaps);
		settle(cx, l, sure, perhaps, false, &one.match);
		one.match.unknown = unknown_of(l, e.at);
		vec_push(a, out, one);
		if (!nft_eat(&p, ",") && p.at < p.end)
			return nft_refuse(cx->why, p.at, "a comma is due");
	}
}

static void settle_others(struct nft_context *cx, const struct nft_lhs *l, struct nft_cases *all)
{
	struct arena *a = cx->rs->m->arena;

	for (size_t i = 0; i < all->len; i++) {
		struct nft_match *m = &all->at[i].match;

		if (!all->at[i].others)
			continue;
		*m = (struct nft_match){ l->has, l->has, NULL };
		for (size_t k = 0; k < all->len; k++)
			if (!all->at[k].others) {
				region_minus(a, &m->sure, &all->at[k].match.perhaps, true);
				region_minus(a, &m->perhaps, &all->at[k].match.sure, false);
			}
		add_odd(a, &m->perhaps, l);
	}
}

int nft_read_vmap(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, struct nft_cases *out)
{
	const struct nft_token *at = nft_peek(p);
	struct nft_part inner = { at + 1, NULL };
	const struct nft_set *s;
	int rc = 0;

	*out = (struct nft_cases){ 0 };
	if (nft_is(at, "{")) {
		if (!nft_skip(p))
			return nft_refuse(cx->why, nft_peek(p), "} is due");
		inner.end = p->at - 1;
		rc = read_cases(cx, inner, l, out);
		settle_others(cx, l, out);
		return rc;
	}
	if (!nft_eat(p, "@"))
		return nft_refuse(cx->why, at, "a map is due");
	at = nft_peek(p);
	s = set_due(cx, p);
	if (!s)
		return nft_refuse(cx->why, at, "there is no such map");
	for (size_t i = 0; i < s->elements.len && !rc; i++)
		rc = read_cases(cx, s->elements.at[i], l, out);
	if (!rc && s->changes) {
		struct nft_case any = { .place = at };

		any.match.perhaps = l->has;
		add_odd(cx->rs->m->arena, &any.match.perhaps, l);
		any.match.unknown = arena_printf(cx->rs->m->arena, "what is in the map %s at run time", s->name);
		out->len = 0;
		vec_push(cx->rs->m->arena, out, any);
	}
	settle_others(cx, l, out);
	return rc;
}
