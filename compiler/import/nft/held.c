/*
 * held.c - values as they stand, held for one selector.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/nft/held.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

void held_doubt(struct held *h, const char *why)
{
	h->any = true;
	if (!h->unknown)
		h->unknown = why;
}

void held_unsure(struct held *h, const struct held *was, const char *why)
{
	for (enum family f = 0; f < FAMILY_COUNT; f++)
		h->of[SURE].nets[f].len = was->of[SURE].nets[f].len;
	h->of[SURE].numbers.len = was->of[SURE].numbers.len;
	h->of[SURE].bits = was->of[SURE].bits;
	h->unknown = was->unknown ? was->unknown : why;
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

bool nft_is_value(const struct nft_token *t)
{
	return t->kind == NFT_WORD || t->kind == NFT_STRING;
}

static int read_spelled(struct nft_context *cx, struct nft_part *p, struct spelled *out)
{
	*out = (struct spelled){ .from = nft_peek(p) };
	if (!nft_is_value(out->from))
		return nft_refuse(cx->why, out->from, "a value is due");
	p->at++;
	out->prefix = nft_eat(p, "/");
	if (!out->prefix && !nft_eat(p, "-"))
		return 0;
	out->to = nft_peek(p);
	if (!nft_is_value(out->to))
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
		held_doubt(h, arena_printf(cx->rs->m->arena, "%s %s", s->words, v->from->text));
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
		held_doubt(h, arena_printf(a, "the address %s", v->from->text));
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
		held_doubt(h, arena_printf(m->arena, "%s %s", s->words, t->text));
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
		held_doubt(h, arena_printf(cx->rs->m->arena, "%s %s", s->words, t->text));
}

/* --- TCP flags -------------------------------------------------------------------------------------------- */

/* "syn", "syn | ack", "(fin|syn)", "0x2"; with commas when they may stand there. */
int nft_read_flags(struct nft_context *cx, struct nft_part *p, bool commas, unsigned *out)
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
void held_flags(struct held *h, unsigned mask, unsigned want, bool firm)
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

void held_flip_flags(struct held *h)
{
	uint64_t sure = h->of[SURE].bits;

	h->of[SURE].bits = ~h->of[PERHAPS].bits;
	h->of[PERHAPS].bits = ~sure;
}

/* Below, above: the numbers or addresses from one end to the value. */
int nft_read_side(struct nft_context *cx, struct nft_part *p, const struct nft_selector *s, enum nft_operator o, struct held *h)
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
		held_doubt(h, s->words);
		return 0;
	}
	if (strict && n == (low ? 0 : most))
		return 0;
	n = strict ? (low ? n - 1 : n + 1) : n;
	hold_range(h, a, true, low ? (struct range){ 0, (uint16_t)n } : (struct range){ (uint16_t)n, (uint16_t)most });
	return 0;
}

/* --- values as they stand --------------------------------------------------------------------------------- */

void nft_skip_lines(struct nft_part *p)
{
	while (nft_peek(p)->kind == NFT_LINE)
		p->at++;
}

/* A value that is not known, up to what may stand behind it. */
bool nft_skip_value(struct nft_part *p)
{
	static const char *const joints[] = { "-", "/", "|", "&", "^", "<<", ">>", ":", "and", "or" };
	bool more = true;

	if (nft_eat(p, "over") || nft_eat(p, "until"))
		nft_skip_lines(p);
	while (more) {
		if (nft_eat(p, "(")) {
			while (!nft_eat(p, ")"))
				if (!nft_skip(p))
					return false;
		} else if (!nft_is_value(nft_peek(p))) {
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
int nft_read_value(struct nft_context *cx, struct nft_part *p, const struct nft_selector *s, bool firm, struct held *h)
{
	struct spelled v;
	unsigned flags;
	int rc;

	switch (s->look) {
	case LOOK_UNKNOWN:
		held_doubt(h, s->words);
		rc = nft_is(nft_peek(p), "(") ? (nft_skip_value(p) ? 0 : -EINVAL) : read_spelled(cx, p, &v);
		return rc == -EINVAL && !*cx->why->text ? nft_refuse(cx->why, nft_peek(p), "a value is due") : rc;
	case LOOK_FLAGS:
		rc = nft_read_flags(cx, p, false, &flags);
		if (!rc)
			held_flags(h, 0xff, flags, firm);
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
