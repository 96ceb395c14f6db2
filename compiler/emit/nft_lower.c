#include "compiler/emit/nft_lower.h"

#include <errno.h>
#include <string.h>

#include "compiler/emit/nft.h"
#include "compiler/emit/nft_box.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/base/digest.h"
#include "lang/base/strmap.h"
#include "lang/bundle/nft_name.h"

#define CHAIN_NAME_MOST 127 /* NFT_CHAIN_MAXNAMELEN of linux/netfilter/nf_tables.h, less the NUL */

enum { NFPROTO_IP4 = 2, NFPROTO_IP6 = 10, ETHERTYPE_IP4 = 0x0800, ETHERTYPE_IP6 = 0x86dd };
enum { CT_BIT_INVALID = 1, CT_BIT_ESTABLISHED = 2, CT_BIT_RELATED = 4 };
enum { FIB_TYPE_LOCAL = 2, DIRECTION_REPLY = 1 };

/* One table while it is filled. */
struct maker {
	const struct ir *ir;
	struct arena *arena;
	struct nft_table *table;
	struct strmap counters, sets; /* by name */
	uint32_t *next_id;
	struct err *why;
};

/*
 * Where a rule is put. Later fragments have chains of their own: nft loads a
 * field of their transport header all the same (nft_payload_fast_eval() of
 * net/netfilter/nf_tables_core.c does not look, kernel 6.18), from bytes that
 * are none, so what asks for such a field must not come to see them.
 */
struct site {
	struct nft_chain *chain;
	enum nft_field interface; /* depends on the direction */
	uint8_t fragments;	  /* FRAGMENT_ bits that come here */
};

enum { FRAGMENT_EARLY = FRAGMENT_WHOLE | FRAGMENT_FIRST };

/* --- objects --------------------------------------------------------------------------- */

static struct nft_chain *chain_new(struct maker *mk, const char *name, const char *remark)
{
	struct nft_chain *c = arena_zero(mk->arena, sizeof *c);

	c->name = arena_printf(mk->arena, "%c_%s", BATCH_BANK, name);
	c->remark = remark;
	vec_push(mk->arena, &mk->table->chains, c);
	return c;
}

static const char *counter_at(struct maker *mk, const char *id)
{
	const char *name = nft_name(mk->arena, id);

	if (!strmap_find(&mk->counters, name)) {
		strmap_put(&mk->counters, name, (void *)(uintptr_t)name);
		vec_push(mk->arena, &mk->table->counters, name);
	}
	return name;
}

static struct nft_set *set_new(struct maker *mk, const char *name, enum nft_type type)
{
	struct nft_set *s = arena_zero(mk->arena, sizeof *s);

	s->name = name;
	s->type = type;
	s->id = (*mk->next_id)++;
	if (name) {
		strmap_put(&mk->sets, name, s);
		vec_push(mk->arena, &mk->table->sets, s);
	}
	return s;
}

/* Equal sets have one name, whatever the policy calls them: two generations share them. */
static const struct nft_set *net_set_at(struct maker *mk, const struct netset *set, enum family f)
{
	struct digest d = digest_of(set->at[f], set->len[f] * sizeof *set->at[f]);
	const char *name = arena_printf(mk->arena, "n_%.12s_%d", d.hex, f == FAMILY_IP4 ? 4 : 6);
	struct nft_set *s = strmap_find(&mk->sets, name);

	if (s)
		return s;
	s = set_new(mk, name, f == FAMILY_IP4 ? NFT_TYPE_ADDR4 : NFT_TYPE_ADDR6);
	s->interval = true;
	s->ranges = set->at[f];
	s->count = set->len[f];
	return s;
}

static const struct nft_set *dynamic_set_at(struct maker *mk, const char *name, enum family f,
					    uint32_t most, uint64_t timeout_ms)
{
	struct nft_set *s = strmap_find(&mk->sets, name);

	if (s)
		return s;
	s = set_new(mk, name, f == FAMILY_IP4 ? NFT_TYPE_ADDR4 : NFT_TYPE_ADDR6);
	s->dynamic = true;
	s->most = most;
	s->timeout_ms = timeout_ms;
	return s;
}

/* --- rules, expression by expression ----------------------------------------------------- */

static void push(struct maker *mk, struct nft_rule *r, struct nft_expr e)
{
	vec_push(mk->arena, &r->exprs, e);
}

static void push_match(struct maker *mk, struct nft_rule *r, struct nft_match m)
{
	if (!m.bytes)
		m.bytes = nft_fields[m.field].bytes;
	push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_MATCH, .match = m });
}

static void ask(struct maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t, addr_num v)
{
	push_match(mk, r, (struct nft_match){ .field = f, .test = t, .lo = v, .hi = v });
}

static void ask_masked(struct maker *mk, struct nft_rule *r, enum nft_field f, addr_num mask,
		       enum nft_test t, addr_num v)
{
	push_match(mk, r, (struct nft_match){ .field = f, .test = t, .masked = true, .mask = mask,
					      .lo = v, .hi = v });
}

static void ask_set(struct maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		    const struct nft_set *s)
{
	push_match(mk, r, (struct nft_match){ .field = f, .test = t, .set = s });
}

/* One value, one range, or a set of the rule's own. */
static void ask_ranges(struct maker *mk, struct nft_rule *r, enum nft_field f,
		       const struct addr_range *at, size_t count)
{
	if (count == 1) {
		push_match(mk, r, (struct nft_match){
					  .field = f,
					  .test = at->lo == at->hi ? NFT_TEST_EQ : NFT_TEST_WITHIN,
					  .lo = at->lo, .hi = at->hi });
		return;
	}

	struct nft_set *s = set_new(mk, NULL, nft_fields[f].type);
	s->ranges = at;
	s->count = count;
	for (size_t i = 0; i < count; i++)
		s->interval |= at[i].lo != at[i].hi;
	ask_set(mk, r, f, NFT_TEST_IN, s);
}

static void ask_numbers(struct maker *mk, struct nft_rule *r, enum nft_field f, const struct ranges *set)
{
	struct addr_range *at = arena_zero(mk->arena, (set->len + 1) * sizeof *at);

	for (size_t i = 0; i < set->len; i++)
		at[i] = (struct addr_range){ set->at[i].lo, set->at[i].hi };
	ask_ranges(mk, r, f, at, set->len);
}

/* A few numbers, written down: `count` of them. */
static void ask_any(struct maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		    const uint16_t *values, size_t count)
{
	struct addr_range *at = arena_zero(mk->arena, count * sizeof *at);
	struct nft_set *s = set_new(mk, NULL, nft_fields[f].type);

	for (size_t i = 0; i < count; i++)
		at[i] = (struct addr_range){ values[i], values[i] };
	s->ranges = at;
	s->count = count;
	ask_set(mk, r, f, t, s);
}

static void count_as(struct maker *mk, struct nft_rule *r, const char *id)
{
	push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_COUNTER, .counter = counter_at(mk, id) });
}

static void ends(struct maker *mk, struct nft_rule *r, enum nft_fate fate)
{
	push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_FATE, .fate = fate });
}

static void ends_in(struct maker *mk, struct nft_rule *r, enum nft_fate fate, const char *chain)
{
	push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_FATE, .fate = fate, .chain = chain });
}

static void put_rule(struct maker *mk, struct nft_chain *c, struct nft_rule r, const char *remark)
{
	r.remark = remark;
	vec_push(mk->arena, &c->rules, r);
}

static void put_jump(struct maker *mk, struct nft_chain *c, const char *to)
{
	struct nft_rule r = { 0 };

	ends_in(mk, &r, NFT_FATE_JUMP, to);
	put_rule(mk, c, r, NULL);
}

static void ask_family(struct maker *mk, struct nft_rule *r, enum family f)
{
	if (mk->table->kind == NFT_TABLE_INET)
		ask(mk, r, NFT_FIELD_NFPROTO, NFT_TEST_EQ, f == FAMILY_IP4 ? NFPROTO_IP4 : NFPROTO_IP6);
	else
		ask(mk, r, NFT_FIELD_PROTOCOL, NFT_TEST_EQ, f == FAMILY_IP4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
}

/* --- zones: names of interfaces ------------------------------------------------------------- */

/* The 16 bytes as one number; a trailing '*' is every name that begins so. */
static struct addr_range names_of(const char *pattern)
{
	size_t len = strlen(pattern);
	bool prefix = len && pattern[len - 1] == '*';
	struct addr_range r = { 0, 0 };

	len -= prefix;
	for (size_t i = 0; i < 16; i++) {
		uint8_t c = i < len ? (uint8_t)pattern[i] : 0;

		r.lo = r.lo << 8 | c;
		r.hi = r.hi << 8 | (prefix && i >= len ? 0xff : c);
	}
	return r;
}

static int order_names(const void *x, const void *y)
{
	const struct addr_range *a = x, *b = y;

	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->hi > b->hi ? -1 : a->hi < b->hi;
}

/* The names of the zones in the mask, ascending; one that lies within another is left out. */
static struct addr_range *zone_names(struct maker *mk, uint64_t zones, size_t *count)
{
	VEC(struct addr_range) names = { 0 };
	size_t kept = 0;

	for (size_t z = 0; z < mk->ir->zone_count; z++)
		for (size_t i = 0; (zones & 1ull << z) && i < mk->ir->zones[z].pattern_count; i++)
			vec_push(mk->arena, &names, names_of(mk->ir->zones[z].patterns[i]));
	if (names.len)
		qsort(names.at, names.len, sizeof *names.at, order_names);
	for (size_t i = 0; i < names.len; i++)
		if (!kept || names.at[i].lo > names.at[kept - 1].hi)
			names.at[kept++] = names.at[i];
	*count = kept;
	return names.at;
}

/* A range of names is compared by the bytes its two ends share. */
static void ask_name(struct maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		     struct addr_range name)
{
	uint8_t bytes = 16;

	while (bytes && name.lo >> (128 - 8 * bytes) != name.hi >> (128 - 8 * bytes))
		bytes--;
	push_match(mk, r, (struct nft_match){ .field = f, .test = t, .bytes = bytes,
					      .lo = name.lo, .hi = name.hi });
}

/* "*": every interface. */
static bool is_every_name(const struct addr_range *names, size_t count)
{
	return count == 1 && names->lo == 0 && names->hi == ~(addr_num)0;
}

/* False when no interface can do. */
static bool ask_zones(struct maker *mk, struct nft_rule *r, enum nft_field f, uint64_t zones)
{
	bool but = zones & 1ull << ZONE_NONE; /* interfaces of no zone, and these zones: all but the others */
	size_t count;

	if (zones == UINT64_MAX)
		return true;
	struct addr_range *names = zone_names(mk, but ? ~zones : zones, &count);
	if (!count)
		return but;
	if (is_every_name(names, count))
		return !but;
	if (!but && count > 1) {
		ask_ranges(mk, r, f, names, count);
		return true;
	}
	for (size_t i = 0; i < count; i++)
		ask_name(mk, r, f, but ? NFT_TEST_NE : NFT_TEST_EQ, names[i]);
	return true;
}

/* --- addresses -------------------------------------------------------------------------------- */

enum end_way { END_ANY, END_SELF, END_SET };

static bool end_has_way(const struct ir_end *e, enum end_way way, int family)
{
	switch (way) {
	case END_ANY:
		return e->any;
	case END_SELF:
		return !e->any && e->self;
	case END_SET:
		return !e->any && e->set && family >= 0 && e->set->set.len[family];
	}
	return false;
}

static bool range_is_prefix(struct addr_range r)
{
	addr_num size = r.hi - r.lo; /* less one */

	return !(size & (size + 1)) && !(r.lo & size);
}

/* One range needs no set, and all addresses no question. */
static void ask_set_of(struct maker *mk, struct nft_rule *r, enum nft_field field,
		       const struct netset *set, enum family f)
{
	struct addr_range one = set->at[f][0];

	if (one.lo == 0 && one.hi == family_max(f))
		return;
	if (set->len[f] > 1)
		ask_set(mk, r, field, NFT_TEST_IN, net_set_at(mk, set, f));
	else if (one.lo != one.hi && range_is_prefix(one))
		ask_masked(mk, r, field, family_max(f) & ~(one.hi - one.lo), NFT_TEST_EQ, one.lo);
	else
		ask_ranges(mk, r, field, arena_copy(mk->arena, &one, sizeof one), 1);
}

/* --- one box, one or more rules ------------------------------------------------------------------ */

/* What of a box one rule asks: nft rules are conjunctions. */
struct way {
	int family; /* -1: not asked */
	enum end_way src, dst;
	const struct ranges *icmp_types; /* whole types */
	int icmp_type;			 /* else one type, and some of its codes; -1: not asked */
	struct range icmp_codes;
};

static void ask_icmp(struct maker *mk, struct nft_rule *r, const struct way *w)
{
	bool ip4 = w->family == FAMILY_IP4;
	enum nft_field type = ip4 ? NFT_FIELD_ICMP_TYPE : NFT_FIELD_ICMPV6_TYPE;
	enum nft_field code = ip4 ? NFT_FIELD_ICMP_CODE : NFT_FIELD_ICMPV6_CODE;

	if (w->icmp_types) {
		ask_numbers(mk, r, type, w->icmp_types);
	} else if (w->icmp_type >= 0) {
		struct addr_range codes = { w->icmp_codes.lo, w->icmp_codes.hi };

		ask(mk, r, type, NFT_TEST_EQ, (addr_num)w->icmp_type);
		ask_ranges(mk, r, code, arena_copy(mk->arena, &codes, sizeof codes), 1);
	}
}

static void ask_addresses(struct maker *mk, struct nft_rule *r, const struct ir_box *b, const struct way *w)
{
	bool ip4 = w->family == FAMILY_IP4;

	if (w->src == END_SET)
		ask_set_of(mk, r, ip4 ? NFT_FIELD_IP_SADDR : NFT_FIELD_IP6_SADDR, &b->src.set->set,
			   (enum family)w->family);
	if (w->dst == END_SET)
		ask_set_of(mk, r, ip4 ? NFT_FIELD_IP_DADDR : NFT_FIELD_IP6_DADDR, &b->dst.set->set,
			   (enum family)w->family);
}

/* A look at the routing table: asked last. */
static void ask_self(struct maker *mk, struct nft_rule *r, const struct way *w)
{
	if (w->src == END_SELF)
		ask(mk, r, NFT_FIELD_FIB_SADDR, NFT_TEST_EQ, FIB_TYPE_LOCAL);
	if (w->dst == END_SELF)
		ask(mk, r, NFT_FIELD_FIB_DADDR, NFT_TEST_EQ, FIB_TYPE_LOCAL);
}

static bool ask_way(struct maker *mk, struct nft_rule *r, enum nft_field interface,
		    const struct nft_box *nb, const struct way *w)
{
	const struct ir_box *b = &nb->box;

	if (!ask_zones(mk, r, interface, b->zones))
		return false;
	if (w->family >= 0)
		ask_family(mk, r, (enum family)w->family);
	if (!ranges_are_all(&nb->protos))
		ask_numbers(mk, r, NFT_FIELD_L4PROTO, &nb->protos);
	ask_addresses(mk, r, b, w);
	if (!ranges_are_all(&b->sport))
		ask_numbers(mk, r, NFT_FIELD_SPORT, &b->sport);
	if (!ranges_are_all(&b->dport))
		ask_numbers(mk, r, NFT_FIELD_DPORT, &b->dport);
	if (b->flags_mask == 0xff)
		ask(mk, r, NFT_FIELD_TCP_FLAGS, NFT_TEST_EQ, b->flags_want);
	else if (b->flags_mask)
		ask_masked(mk, r, NFT_FIELD_TCP_FLAGS, b->flags_mask, NFT_TEST_EQ, b->flags_want);
	ask_icmp(mk, r, w);
	ask_self(mk, r, w);
	return true;
}

/* The ways of a box, each the matches of one rule; `put` finishes it. */
struct spread {
	struct maker *mk;
	const struct site *site;
	const struct nft_box *box;
	void (*put)(struct spread *s, struct nft_rule r);
	const struct ir_rule *rule;
	const char *remark;
	const char *to; /* chain, for puts that need one */
	size_t made;
};

static void spread_way(struct spread *s, const struct way *w)
{
	struct nft_rule r = { 0 };

	if (!ask_way(s->mk, &r, s->site->interface, s->box, w))
		return;
	s->put(s, r);
	s->made++;
}

/* Whole types go into one rule; each type of which only some codes are asked has its own. */
static void spread_icmp(struct spread *s, struct way w)
{
	const struct ranges *icmp = &s->box->box.icmp;
	struct ranges whole = { 0 };

	w.icmp_type = -1;
	if (ranges_are_all(icmp)) {
		spread_way(s, &w);
		return;
	}
	for (unsigned type = 0; type < 256; type++) {
		uint16_t lo = (uint16_t)(type << 8);
		struct ranges all = ranges_of(s->mk->arena, lo, lo | 0xff);
		struct ranges asked = ranges_meet(s->mk->arena, icmp, &all);

		if (ranges_equal(&asked, &all)) {
			struct ranges one = ranges_of(s->mk->arena, (uint16_t)type, (uint16_t)type);
			whole = ranges_join(s->mk->arena, &whole, &one);
			continue;
		}
		for (size_t i = 0; i < asked.len; i++) {
			w.icmp_type = (int)type;
			w.icmp_codes = (struct range){ asked.at[i].lo & 0xff, asked.at[i].hi & 0xff };
			spread_way(s, &w);
		}
	}
	if (whole.len) {
		w.icmp_types = &whole;
		spread_way(s, &w);
	}
}

static void spread_ends(struct spread *s, int family)
{
	const struct ir_box *b = &s->box->box;

	for (enum end_way src = END_ANY; src <= END_SET; src++)
		for (enum end_way dst = END_ANY; dst <= END_SET; dst++)
			if (end_has_way(&b->src, src, family) && end_has_way(&b->dst, dst, family))
				spread_icmp(s, (struct way){ .family = family, .src = src, .dst = dst });
}

static void spread_box(struct spread *s)
{
	const struct ir_box *b = &s->box->box;
	bool asks_family = b->families != (1u << FAMILY_IP4 | 1u << FAMILY_IP6) || b->src.set || b->dst.set;

	if (!asks_family) {
		spread_ends(s, -1);
		return;
	}
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (b->families & 1u << f)
			spread_ends(s, f);
}

/* Whole packets and first fragments are not told apart here. */
static bool fragments_can_be_said(const struct ir_box *b)
{
	return (b->fragments & FRAGMENT_EARLY) == FRAGMENT_EARLY || !(b->fragments & FRAGMENT_EARLY);
}

/* The boxes that what comes to the site can lie in. */
static struct ir_box *boxes_at(struct spread *s, size_t *count)
{
	struct ir_box *boxes = arena_zero(s->mk->arena, (s->rule->box_count + 1) * sizeof *boxes);

	*count = 0;
	for (size_t i = 0; i < s->rule->box_count; i++)
		if (s->rule->boxes[i].fragments & s->site->fragments)
			boxes[(*count)++] = s->rule->boxes[i];
	return boxes;
}

/* Every box of the rule, each in as few nft rules as its fields allow. */
static int spread_rule(struct spread *s)
{
	size_t count;
	struct ir_box *here = boxes_at(s, &count);

	for (size_t i = 0; i < count; i++)
		if (!fragments_can_be_said(&here[i]))
			return err_set(s->mk->why, ENOTSUP, "rule %s asks for fragments in a way that nft cannot say",
				       s->rule->id);

	struct nft_box *boxes = nft_boxes(s->mk->arena, here, count, &count);
	for (size_t i = 0; i < count; i++) {
		s->box = &boxes[i];
		spread_box(s);
	}
	return 0;
}

/* --- layer 4 -------------------------------------------------------------------------------------- */

static enum nft_field interface_of(enum direction d)
{
	return d == DIRECTION_OUT ? NFT_FIELD_OIFNAME : NFT_FIELD_IIFNAME;
}

static const char *remark_once(struct spread *s)
{
	return s->made ? NULL : s->remark;
}

static void put_accept(struct spread *s, struct nft_rule r)
{
	count_as(s->mk, &r, s->rule->id);
	ends(s->mk, &r, NFT_FATE_ACCEPT);
	put_rule(s->mk, s->site->chain, r, remark_once(s));
}

static void put_drop(struct spread *s, struct nft_rule r)
{
	count_as(s->mk, &r, s->rule->id);
	ends(s->mk, &r, NFT_FATE_DROP);
	put_rule(s->mk, s->site->chain, r, remark_once(s));
}

static void put_reject(struct spread *s, struct nft_rule r)
{
	count_as(s->mk, &r, s->rule->id);
	ends_in(s->mk, &r, NFT_FATE_GOTO, "@_reject");
	put_rule(s->mk, s->site->chain, r, remark_once(s));
}

static int lower_rule(struct maker *mk, const struct site *site, const struct ir_rule *rule, const char *remark)
{
	struct spread s = { .mk = mk, .site = site, .rule = rule, .remark = remark };

	switch (rule->verdict) {
	case VERDICT_ALLOW:
		s.put = put_accept;
		break;
	case VERDICT_DROP:
		s.put = put_drop;
		break;
	case VERDICT_REJECT:
		s.put = put_reject;
		break;
	case VERDICT_COUNT:
		break;
	}
	counter_at(mk, rule->id); /* a rule without boxes is counted too: never */
	return spread_rule(&s);
}

static int lower_list(struct maker *mk, const struct site *site, const struct ir_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct ir_rule *r = &list->rules[i];
		const char *remark = r->is_default ? "default" : r->label;

		if (lower_rule(mk, site, r, remark))
			return mk->why->code;
	}
	return 0;
}

static void put_reject_chain(struct maker *mk)
{
	struct nft_chain *c = chain_new(mk, "reject", "tells the sender");
	struct nft_rule tcp = { 0 }, other = { 0 };

	ask(mk, &tcp, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_TCP);
	push(mk, &tcp, (struct nft_expr){ .kind = NFT_EXPR_REJECT, .reject = NFT_REJECT_WITH_RESET });
	put_rule(mk, c, tcp, NULL);
	push(mk, &other, (struct nft_expr){ .kind = NFT_EXPR_REJECT, .reject = NFT_REJECT_WITH_ICMP });
	put_rule(mk, c, other, NULL);
}

/* RFC 4861: neighbour discovery, only from the link itself. RFC 2710 and 3810: multicast listeners. */
static void put_neighbour(struct maker *mk, struct nft_chain *c)
{
	static const uint16_t listeners[] = { 130, 131, 132, 143 };
	struct addr_range discovery = { 133, 136 };
	struct nft_rule nd = { 0 }, mld = { 0 };

	ask_family(mk, &nd, FAMILY_IP6);
	ask(mk, &nd, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_ICMPV6);
	ask_ranges(mk, &nd, NFT_FIELD_ICMPV6_TYPE, arena_copy(mk->arena, &discovery, sizeof discovery), 1);
	ask(mk, &nd, NFT_FIELD_ICMPV6_CODE, NFT_TEST_EQ, 0);
	ask(mk, &nd, NFT_FIELD_IP6_HOPS, NFT_TEST_EQ, 255);
	count_as(mk, &nd, WHY_NEIGHBOUR);
	ends(mk, &nd, NFT_FATE_ACCEPT);
	put_rule(mk, c, nd, "neighbour discovery and multicast listeners always pass");

	ask_family(mk, &mld, FAMILY_IP6);
	ask(mk, &mld, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_ICMPV6);
	ask_any(mk, &mld, NFT_FIELD_ICMPV6_TYPE, NFT_TEST_IN, listeners, sizeof listeners / sizeof *listeners);
	count_as(mk, &mld, WHY_NEIGHBOUR);
	ends(mk, &mld, NFT_FATE_ACCEPT);
	put_rule(mk, c, mld, NULL);
}

static void put_loopback(struct maker *mk, const struct site *site)
{
	struct nft_rule r = { 0 };

	ask_name(mk, &r, site->interface, NFT_TEST_EQ, names_of("lo"));
	ends(mk, &r, NFT_FATE_ACCEPT);
	put_rule(mk, site->chain, r, "loopback is not judged");
}

static void put_invalid(struct maker *mk, struct nft_chain *c)
{
	struct nft_rule r = { 0 };

	ask_masked(mk, &r, NFT_FIELD_CT_STATE, CT_BIT_INVALID, NFT_TEST_NE, 0);
	count_as(mk, &r, WHY_INVALID);
	ends(mk, &r, NFT_FATE_DROP);
	put_rule(mk, c, r, "what belongs to no flow and begins none");
}

static struct ir_rule reply_rule(struct maker *mk, const struct ir_rule *rule)
{
	struct ir_rule reply = *rule;

	reply.boxes = arena_zero(mk->arena, (rule->box_count + 1) * sizeof *reply.boxes);
	for (size_t i = 0; i < rule->box_count; i++)
		reply.boxes[i] = ir_box_reply(&rule->boxes[i]);
	return reply;
}

static int lower_lifelines(struct maker *mk, const struct site *site, enum direction d)
{
	for (size_t i = 0; i < mk->ir->lifelines.count; i++) {
		const struct ir_rule *line = &mk->ir->lifelines.rules[i];
		struct ir_rule rule = d == DIRECTION_OUT ? reply_rule(mk, line) : *line;
		const char *remark = arena_printf(mk->arena, d == DIRECTION_OUT ? "%s, its answers" : "%s", line->id);

		if (lower_rule(mk, site, &rule, remark))
			return mk->why->code;
	}
	return 0;
}

static int lower_preamble(struct maker *mk, enum direction d)
{
	const char *name = arena_printf(mk->arena, "pre_%s", direction_name(d));
	struct site site = { chain_new(mk, name, "before every posture"), interface_of(d), FRAGMENT_EARLY };

	if (d != DIRECTION_FORWARD) {
		put_loopback(mk, &site);
		if (lower_lifelines(mk, &site, d))
			return mk->why->code;
		put_neighbour(mk, site.chain);
	}
	put_invalid(mk, site.chain);
	return 0;
}

/* Packets of a flow that the kernel knows: in state `bit`, only answers when `reply`. */
static void put_flow(struct maker *mk, struct nft_chain *c, unsigned bit, const char *why, bool reply)
{
	struct nft_rule r = { 0 };

	ask_masked(mk, &r, NFT_FIELD_CT_STATE, bit, NFT_TEST_NE, 0);
	if (reply)
		ask(mk, &r, NFT_FIELD_CT_DIRECTION, NFT_TEST_EQ, DIRECTION_REPLY);
	count_as(mk, &r, why);
	ends(mk, &r, NFT_FATE_ACCEPT);
	put_rule(mk, c, r, NULL);
}

/* A closed posture admits of what it knows only errors, as ICMP reports them (RFC 792, RFC 4443). */
static void put_errors(struct maker *mk, struct nft_chain *c)
{
	static const uint16_t errors[] = { 3, 11, 12 }, errors6[] = { 1, 2, 3, 4 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		bool ip4 = f == FAMILY_IP4;
		struct nft_rule r = { 0 };

		ask_masked(mk, &r, NFT_FIELD_CT_STATE, CT_BIT_RELATED, NFT_TEST_NE, 0);
		ask_family(mk, &r, (enum family)f);
		ask(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, ip4 ? PROTO_ICMP : PROTO_ICMPV6);
		ask_any(mk, &r, ip4 ? NFT_FIELD_ICMP_TYPE : NFT_FIELD_ICMPV6_TYPE, NFT_TEST_IN,
			ip4 ? errors : errors6, ip4 ? 3 : 4);
		count_as(mk, &r, WHY_RELATED);
		ends(mk, &r, NFT_FATE_ACCEPT);
		put_rule(mk, c, r, NULL);
	}
}

static void put_established(struct maker *mk, struct nft_chain *c, const struct ir_posture *p)
{
	if (p->closed) {
		put_errors(mk, c);
		return;
	}
	switch (p->established) {
	case ESTABLISHED_KEEP:
		put_flow(mk, c, CT_BIT_ESTABLISHED, WHY_ESTABLISHED, false);
		break;
	case ESTABLISHED_RECHECK:
	case ESTABLISHED_CUT:
		put_flow(mk, c, CT_BIT_ESTABLISHED, WHY_ESTABLISHED, true);
		break;
	case ESTABLISHED_COUNT:
		break;
	}
	put_flow(mk, c, CT_BIT_RELATED, WHY_RELATED, false);
}

static int lower_posture(struct maker *mk, const struct ir_posture *p)
{
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const char *way = direction_name((enum direction)d);
		const char *remark = arena_printf(mk->arena, "posture %s, %s: established %s", p->name, way,
						  established_name(p->established));
		struct site site = { chain_new(mk, arena_printf(mk->arena, "%s_%s", p->name, way), remark),
				     interface_of((enum direction)d), FRAGMENT_EARLY };

		put_established(mk, site.chain, p);
		if (lower_list(mk, &site, &p->lists[d]))
			return mk->why->code;
	}
	return 0;
}

static int lower_inet(struct maker *mk)
{
	counter_at(mk, WHY_NEIGHBOUR);
	counter_at(mk, WHY_INVALID);
	counter_at(mk, WHY_ESTABLISHED);
	counter_at(mk, WHY_RELATED);
	put_reject_chain(mk);
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (lower_preamble(mk, (enum direction)d))
			return mk->why->code;
	for (size_t i = 0; i < mk->ir->posture_count; i++)
		if (lower_posture(mk, &mk->ir->postures[i]))
			return mk->why->code;
	return 0;
}

/* --- the first hook, where there is no XDP ------------------------------------------------------------ */

static void put_cause(struct maker *mk, struct nft_chain *c, struct nft_rule r, enum cause cause)
{
	static const char *const names[CAUSE_COUNT] = {
#define CAUSE(id, name, ...) [CAUSE_##id] = name,
#include "bpf-templates/cause.def"
#undef CAUSE
	};

	count_as(mk, &r, arena_printf(mk->arena, "malformed.%s", names[cause]));
	ends(mk, &r, NFT_FATE_DROP);
	put_rule(mk, c, r, NULL);
}

/* The byte is there: every value is at least 0, and a load beyond the packet ends the rule. */
static void ask_there(struct maker *mk, struct nft_rule *r, enum nft_field f)
{
	ask(mk, r, f, NFT_TEST_GE, 0);
}

/* Packets of `proto` whose header reaches to the byte at `last` are sound. */
static void put_sound(struct maker *mk, struct nft_chain *c, int family, uint16_t proto, enum nft_field last)
{
	struct nft_rule r = { 0 };

	if (family >= 0)
		ask_family(mk, &r, (enum family)family);
	ask(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, proto);
	ask_there(mk, &r, last);
	if (proto == PROTO_TCP)
		ask_masked(mk, &r, NFT_FIELD_TCP_DOFF, 0xf0, NFT_TEST_GE, 0x50);
	ends(mk, &r, NFT_FATE_RETURN);
	put_rule(mk, c, r, NULL);
}

/* Protocols whose headers are not read. */
static void put_unread(struct maker *mk, struct nft_chain *c, enum family f)
{
	static const uint16_t read4[] = { PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_SCTP };
	static const uint16_t read6[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMPV6, PROTO_SCTP };
	struct nft_rule r = { 0 };

	ask_family(mk, &r, f);
	ask_any(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_NOT_IN, f == FAMILY_IP4 ? read4 : read6, 4);
	ends(mk, &r, NFT_FATE_RETURN);
	put_rule(mk, c, r, NULL);
}

/*
 * The kernel reads the IP header before the chain (nft_set_pktinfo_ipv4_validate()
 * and its sister); where it contradicts itself or the packet, there is no
 * `meta l4proto`, and a rule that asks for it does not hold. So what is sound
 * returns, commonest first, and what is left is named by how far it can be read.
 */
static void put_sound_chain(struct maker *mk)
{
	struct nft_chain *c = chain_new(mk, "sound", "drops packets whose headers cannot be read, by cause");
	struct nft_rule bad_tcp = { 0 }, short_l4 = { 0 }, bad4 = { 0 }, bad6 = { 0 }, short_ip = { 0 };

	put_sound(mk, c, -1, PROTO_TCP, NFT_FIELD_TH_BYTE_19);
	put_sound(mk, c, -1, PROTO_UDP, NFT_FIELD_TH_BYTE_7);
	put_sound(mk, c, FAMILY_IP4, PROTO_ICMP, NFT_FIELD_TH_BYTE_7);
	put_sound(mk, c, FAMILY_IP6, PROTO_ICMPV6, NFT_FIELD_TH_BYTE_7);
	put_sound(mk, c, -1, PROTO_SCTP, NFT_FIELD_TH_BYTE_11);
	put_unread(mk, c, FAMILY_IP4);
	put_unread(mk, c, FAMILY_IP6);

	ask(mk, &bad_tcp, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_TCP);
	ask_there(mk, &bad_tcp, NFT_FIELD_TH_BYTE_19);
	put_cause(mk, c, bad_tcp, CAUSE_BAD_TCP);
	ask_there(mk, &short_l4, NFT_FIELD_L4PROTO);
	put_cause(mk, c, short_l4, CAUSE_SHORT_L4);
	ask_family(mk, &bad4, FAMILY_IP4);
	ask_there(mk, &bad4, NFT_FIELD_IP_LAST);
	put_cause(mk, c, bad4, CAUSE_BAD_IP);
	ask_family(mk, &bad6, FAMILY_IP6);
	ask_there(mk, &bad6, NFT_FIELD_IP6_LAST);
	put_cause(mk, c, bad6, CAUSE_BAD_IP);
	put_cause(mk, c, short_ip, CAUSE_SHORT_IP);
}

/* The source as limits and blocks count it. */
static enum nft_field source_field(enum family f)
{
	return f == FAMILY_IP4 ? NFT_FIELD_IP_SADDR : NFT_FIELD_IP6_SADDR;
}

static addr_num source_mask(enum family f, unsigned bits)
{
	addr_num host = bits < FAMILY_BITS(f) ? family_max(f) >> bits : 0;

	return family_max(f) & ~host;
}

/* Sources under a runtime block: /32 and /64. */
#define BLOCKED_BITS(f) ((f) == FAMILY_IP4 ? 32u : 64u)

static const struct nft_set *blocked_set(struct maker *mk, enum family f)
{
	return dynamic_set_at(mk, f == FAMILY_IP4 ? NFT_BLOCKED4 : NFT_BLOCKED6, f, NFT_BLOCKED_MOST, 0);
}

static void ask_source(struct maker *mk, struct nft_rule *r, enum family f, unsigned bits,
		       enum nft_test t, const struct nft_set *s)
{
	struct nft_match m = { .field = source_field(f), .test = t, .set = s };

	m.masked = bits < FAMILY_BITS(f);
	m.mask = m.masked ? source_mask(f, bits) : 0;
	push_match(mk, r, m);
}

static void put_blocked(struct maker *mk, struct nft_chain *c)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct nft_rule r = { 0 };

		ask_family(mk, &r, (enum family)f);
		ask_source(mk, &r, (enum family)f, BLOCKED_BITS(f), NFT_TEST_IN, blocked_set(mk, (enum family)f));
		count_as(mk, &r, WHY_BLOCKED);
		ends(mk, &r, NFT_FATE_DROP);
		put_rule(mk, c, r, f ? NULL : "sources that a reflex or a person has blocked for a time");
	}
}

static void put_depth(struct maker *mk, struct nft_chain *c)
{
	static const uint16_t tags[] = { 0x8100, 0x88a8 };
	struct nft_rule r = { 0 };

	ask_any(mk, &r, NFT_FIELD_PROTOCOL, NFT_TEST_IN, tags, 2);
	put_cause(mk, c, r, CAUSE_VLAN_DEPTH);
}

static void put_not_ip(struct maker *mk, struct nft_chain *c)
{
	static const uint16_t ip[] = { ETHERTYPE_IP4, ETHERTYPE_IP6 };
	struct nft_rule r = { 0 };

	ask_any(mk, &r, NFT_FIELD_PROTOCOL, NFT_TEST_NOT_IN, ip, 2);
	count_as(mk, &r, WHY_NOT_IP);
	ends(mk, &r, NFT_FATE_ACCEPT);
	put_rule(mk, c, r, "ARP and other protocols below IP pass");
}

static int lower_arrival(struct maker *mk)
{
	struct site site = { chain_new(mk, "arrival", "before every posture's reflexes"), NFT_FIELD_IIFNAME,
			     FRAGMENT_EARLY };

	put_depth(mk, site.chain);
	put_not_ip(mk, site.chain);
	put_jump(mk, site.chain, "@_sound");
	if (lower_lifelines(mk, &site, DIRECTION_IN))
		return mk->why->code;
	put_neighbour(mk, site.chain);
	put_blocked(mk, site.chain);
	return lower_list(mk, &site, &mk->ir->blocks);
}

/* The same for later fragments. */
static int lower_late(struct maker *mk)
{
	struct site site = { chain_new(mk, "late", "the same for later fragments"), NFT_FIELD_IIFNAME, FRAGMENT_LATER };

	if (lower_lifelines(mk, &site, DIRECTION_IN))
		return mk->why->code;
	put_blocked(mk, site.chain);
	return lower_list(mk, &site, &mk->ir->blocks);
}

/* --- reflexes --------------------------------------------------------------------------------------------- */

static uint64_t ms_of(uint64_t ns)
{
	return ns / 1000000 + (ns % 1000000 != 0);
}

static const char *block_chain_name(struct maker *mk, uint64_t block_ns)
{
	return arena_printf(mk->arena, "block.%llu", (unsigned long long)ms_of(block_ns));
}

/* Puts the source into the set and drops. A full set must not let the packet pass: two rules. */
static const char *block_chain_at(struct maker *mk, uint64_t block_ns)
{
	const char *name = block_chain_name(mk, block_ns);
	const char *full = arena_printf(mk->arena, "%c_%s", BATCH_BANK, name);

	for (size_t i = 0; i < mk->table->chains.len; i++)
		if (!strcmp(mk->table->chains.at[i]->name, full))
			return full;

	struct nft_chain *c = chain_new(mk, name, "blocks the source for a time");
	for (int f = 0; f < FAMILY_COUNT; f++) {
		unsigned bits = BLOCKED_BITS(f);
		struct nft_place p = { .set = blocked_set(mk, (enum family)f), .key = source_field((enum family)f),
				       .timeout_ms = ms_of(block_ns) };
		struct nft_rule r = { 0 };

		p.masked = bits < FAMILY_BITS((enum family)f);
		p.mask = p.masked ? source_mask((enum family)f, bits) : 0;
		ask_family(mk, &r, (enum family)f);
		push(mk, &r, (struct nft_expr){ .kind = NFT_EXPR_PLACE, .place = p });
		put_rule(mk, c, r, NULL);
	}
	struct nft_rule drop = { 0 };
	ends(mk, &drop, NFT_FATE_DROP);
	put_rule(mk, c, drop, NULL);
	return full;
}

/* The end of a rule that has found what the reflex is about. */
static void strikes(struct maker *mk, struct nft_rule *r, const struct ir_rule *reflex)
{
	count_as(mk, r, reflex->id);
	if (reflex->block_ns)
		ends_in(mk, r, NFT_FATE_GOTO, block_chain_at(mk, reflex->block_ns));
	else
		ends(mk, r, NFT_FATE_DROP);
}

static struct nft_limit limit_of(const struct ir_rate *rate)
{
	return (struct nft_limit){ .rate = rate->rate, .unit_s = rate->unit_s, .burst = (uint32_t)rate->burst };
}

/* Named by what it counts and how: where either changes, buckets begin anew. */
static const struct nft_set *meter_at(struct maker *mk, const struct ir_rule *reflex, enum family f)
{
	const struct ir_rate *rate = reflex->rate;
	const char *id = arena_printf(mk->arena, "meter%d.%s.%llu-%llu-%llu-%u", f == FAMILY_IP4 ? 4 : 6,
				      reflex->id, (unsigned long long)rate->rate,
				      (unsigned long long)rate->unit_s, (unsigned long long)rate->burst,
				      rate->key_bits[f]);

	/* A source that was silent so long has a full bucket again, and needs no element. The
	 * kernel counts in ticks: a little longer never forgets a debt. */
	return dynamic_set_at(mk, nft_name(mk->arena, id), f, NFT_METER_MOST, ms_of(rate->depth_ns) + 20);
}

static void put_meter(struct maker *mk, struct nft_chain *c, const struct ir_rule *reflex, enum family f)
{
	const struct ir_rate *rate = reflex->rate;
	unsigned bits = rate->key_bits[f];
	const struct nft_set *meter = meter_at(mk, reflex, f);
	struct nft_place p = { .set = meter, .key = source_field(f), .update = true, .limited = true,
			       .limit = limit_of(rate) };
	struct nft_rule over = { 0 }, crowd = { 0 };

	p.masked = bits < FAMILY_BITS(f);
	p.mask = p.masked ? source_mask(f, bits) : 0;
	ask_family(mk, &over, f);
	push(mk, &over, (struct nft_expr){ .kind = NFT_EXPR_PLACE, .place = p });
	strikes(mk, &over, reflex);
	put_rule(mk, c, over, NULL);

	ask_family(mk, &crowd, f);
	ask_source(mk, &crowd, f, bits, NFT_TEST_NOT_IN, meter);
	push(mk, &crowd, (struct nft_expr){ .kind = NFT_EXPR_LIMIT, .limit = limit_of(rate) });
	count_as(mk, &crowd, reflex->id);
	ends(mk, &crowd, NFT_FATE_DROP);
	put_rule(mk, c, crowd, "the meter is full: sources without a place share one bucket");
}

static void put_strike(struct spread *s, struct nft_rule r)
{
	strikes(s->mk, &r, s->rule);
	put_rule(s->mk, s->site->chain, r, remark_once(s));
}

static void put_hand_over(struct spread *s, struct nft_rule r)
{
	ends_in(s->mk, &r, NFT_FATE_GOTO, s->to);
	put_rule(s->mk, s->site->chain, r, NULL);
}

/* "rate.ID" for what comes whole, "late.ID" for later fragments. */
static const char *boxes_chain_name(struct maker *mk, const struct ir_rule *reflex, uint8_t fragments)
{
	const char *kind = fragments == FRAGMENT_LATER ? "late" : "rate";

	return nft_name(mk->arena, arena_printf(mk->arena, "%s.%s", kind, reflex->id));
}

static bool rule_sees(const struct ir_rule *r, uint8_t fragments)
{
	for (size_t i = 0; i < r->box_count; i++)
		if (r->boxes[i].fragments & fragments)
			return true;
	return false;
}

static int put_counted(struct maker *mk, const struct ir_rule *reflex, uint8_t fragments, const char *over)
{
	struct nft_chain *boxes = chain_new(mk, boxes_chain_name(mk, reflex, fragments),
					    arena_printf(mk->arena, "%s: what it counts", reflex->id));
	struct site site = { boxes, NFT_FIELD_IIFNAME, fragments };
	struct spread s = { .mk = mk, .site = &site, .rule = reflex, .put = put_hand_over, .to = over };

	return spread_rule(&s);
}

/*
 * A packet that lies in two boxes counts once: the boxes stand in a chain of
 * their own and `goto` the meter, so that what is not over returns behind them.
 *
 *     @_epiderme_P ── jump ──► @_rate.R: box 1 ── goto ──┐
 *          ▲                             box 2 ── goto ──┼──► @_over.R: meters
 *          └──────────────────── not over ───────────────┴───────┘
 */
static int put_rated(struct maker *mk, const struct ir_rule *reflex)
{
	const char *id = reflex->id;
	struct nft_chain *over = chain_new(mk, nft_name(mk->arena, arena_printf(mk->arena, "over.%s", id)),
					   arena_printf(mk->arena, "%s: what is over its rate", id));
	static const uint8_t ways[] = { FRAGMENT_EARLY, FRAGMENT_LATER };

	for (int f = 0; f < FAMILY_COUNT; f++)
		put_meter(mk, over, reflex, (enum family)f);
	for (size_t i = 0; i < sizeof ways; i++)
		if (rule_sees(reflex, ways[i]) && put_counted(mk, reflex, ways[i], over->name))
			return mk->why->code;
	return 0;
}

static int lower_rates(struct maker *mk)
{
	for (size_t i = 0; i < mk->ir->reflexes.count; i++)
		if (mk->ir->reflexes.rules[i].rate && put_rated(mk, &mk->ir->reflexes.rules[i]))
			return mk->why->code;
	return 0;
}

static int lower_reflex(struct maker *mk, const struct site *site, const struct ir_rule *reflex)
{
	struct spread s = { .mk = mk, .site = site, .rule = reflex, .put = put_strike, .remark = reflex->label };
	struct nft_rule jump = { 0 };

	counter_at(mk, reflex->id);
	if (!rule_sees(reflex, site->fragments))
		return 0;
	if (!reflex->rate)
		return spread_rule(&s);

	const char *name = boxes_chain_name(mk, reflex, site->fragments);
	ends_in(mk, &jump, NFT_FATE_JUMP, arena_printf(mk->arena, "%c_%s", BATCH_BANK, name));
	put_rule(mk, site->chain, jump, reflex->label);
	return 0;
}

/* Later fragments. Of one that begins with an extension header the kernel names no protocol
 * (ipv6_find_hdr() of net/ipv6/exthdrs_core.c), though nothing is wrong with it: not asked. */
static void put_later(struct maker *mk, struct nft_chain *c, enum family f, const char *to)
{
	struct nft_rule r = { 0 };

	ask_family(mk, &r, f);
	if (f == FAMILY_IP4) {
		ask_masked(mk, &r, NFT_FIELD_IP_FRAG, 0x1fff, NFT_TEST_NE, 0);
		ask_there(mk, &r, NFT_FIELD_L4PROTO);
	} else {
		ask_masked(mk, &r, NFT_FIELD_IP6_FRAG, 0xfff8, NFT_TEST_NE, 0);
	}
	ends_in(mk, &r, NFT_FATE_GOTO, to);
	put_rule(mk, c, r, NULL);
}

static int lower_reflexes(struct maker *mk, const struct site *site, unsigned posture)
{
	for (size_t i = 0; i < mk->ir->reflexes.count; i++) {
		const struct ir_rule *r = &mk->ir->reflexes.rules[i];

		if (!(r->except & 1ull << posture) && lower_reflex(mk, site, r))
			return mk->why->code;
	}
	return 0;
}

static int lower_epiderme(struct maker *mk, unsigned posture)
{
	const char *name = mk->ir->postures[posture].name;
	struct site later = { chain_new(mk, arena_printf(mk->arena, "later_%s", name),
					arena_printf(mk->arena, "layers 1 to 3 in posture %s, later fragments", name)),
			      NFT_FIELD_IIFNAME, FRAGMENT_LATER };
	struct site early = { chain_new(mk, arena_printf(mk->arena, "epiderme_%s", name),
					arena_printf(mk->arena, "layers 1 to 3 in posture %s", name)),
			      NFT_FIELD_IIFNAME, FRAGMENT_EARLY };

	for (int f = 0; f < FAMILY_COUNT; f++)
		put_later(mk, early.chain, (enum family)f, later.chain->name);
	put_jump(mk, early.chain, "@_arrival");
	put_jump(mk, later.chain, "@_late");
	if (lower_reflexes(mk, &early, posture))
		return mk->why->code;
	return lower_reflexes(mk, &later, posture);
}

static int lower_netdev(struct maker *mk)
{
	counter_at(mk, WHY_NEIGHBOUR);
	put_sound_chain(mk);
	if (lower_arrival(mk) || lower_late(mk) || lower_rates(mk))
		return mk->why->code;
	for (unsigned i = 0; i < mk->ir->posture_count; i++)
		if (lower_epiderme(mk, i))
			return mk->why->code;
	return 0;
}

/* --- all ------------------------------------------------------------------------------------------------------ */

/* A posture's name is part of its chains' names, beside which ours stand. */
static int names_hold(const struct ir *ir, struct err *why)
{
	for (size_t i = 0; i < ir->posture_count; i++) {
		const char *name = ir->postures[i].name;

		if (!strcmp(name, "pre") || !strcmp(name, "hook"))
			return err_set(why, EINVAL, "a posture cannot be named %s: nft chains of that name are there for all",
				       name);
		if (strlen(name) + strlen("@_epiderme_") > CHAIN_NAME_MOST || !nft_name_holds(name))
			return err_set(why, EINVAL, "posture %.40s: nft takes no such name for a chain", name);
	}
	return 0;
}

static struct maker maker_of(const struct ir *ir, struct arena *a, struct nft_table *t,
			     enum nft_table_kind kind, uint32_t *next_id, struct err *why)
{
	struct maker mk = { .ir = ir, .arena = a, .table = t, .next_id = next_id, .why = why };

	*t = (struct nft_table){ .kind = kind, .arena = a };
	strmap_init(&mk.counters, a);
	strmap_init(&mk.sets, a);
	return mk;
}

int nft_lower(struct nft_ruleset *out, const struct ir *ir, struct arena *a, struct err *why)
{
	uint32_t next_id = 1; /* over both tables: they may go in one transaction */
	int rc = names_hold(ir, why);

	if (rc)
		return rc;
	struct maker inet = maker_of(ir, a, &out->inet, NFT_TABLE_INET, &next_id, why);
	rc = lower_inet(&inet);
	if (rc)
		return rc;
	struct maker netdev = maker_of(ir, a, &out->netdev, NFT_TABLE_NETDEV, &next_id, why);
	return lower_netdev(&netdev);
}

/* --- base chains, as text has them ----------------------------------------------------------------------------- */

static void hook_inet(struct nft_ruleset *rs, const struct ir *ir, enum direction d)
{
	static const char *const hooks[DIRECTION_COUNT] = { "input", "forward", "output" };
	struct maker mk = { .ir = ir, .arena = rs->inet.arena, .table = &rs->inet };
	const char *way = direction_name(d);
	struct nft_chain *c = chain_new(&mk, arena_printf(mk.arena, "hook_%s", way), "made by the warden: the active posture");
	struct nft_hook *h = arena_zero(mk.arena, sizeof *h);
	struct nft_rule pre = { 0 }, posture = { 0 };

	*h = (struct nft_hook){ .hook = hooks[d], .priority = NFT_PRIORITY_A, .drops = true };
	c->hook = h;
	ends_in(&mk, &pre, NFT_FATE_JUMP, arena_printf(mk.arena, "%c_pre_%s", BATCH_BANK, way));
	put_rule(&mk, c, pre, NULL);
	ends_in(&mk, &posture, NFT_FATE_GOTO,
		arena_printf(mk.arena, "%c_%s_%s", BATCH_BANK, ir->postures[ir->initial].name, way));
	put_rule(&mk, c, posture, NULL);
}

/* Interfaces that a zone names outright; a pattern is followed by the warden alone. */
static void hook_devices(struct nft_ruleset *rs, const struct ir *ir, struct nft_hook *h)
{
	VEC(const char *) devices = { 0 };

	for (size_t z = 0; z < ir->zone_count; z++)
		for (size_t i = 0; i < ir->zones[z].pattern_count; i++)
			if (!strchr(ir->zones[z].patterns[i], '*'))
				vec_push(rs->netdev.arena, &devices, ir->zones[z].patterns[i]);
	h->devices = devices.at;
	h->device_count = devices.len;
}

static void hook_netdev(struct nft_ruleset *rs, const struct ir *ir)
{
	struct maker mk = { .ir = ir, .arena = rs->netdev.arena, .table = &rs->netdev };
	struct nft_hook *h = arena_zero(mk.arena, sizeof *h);
	struct nft_rule posture = { 0 };

	*h = (struct nft_hook){ .hook = "ingress", .priority = NFT_PRIORITY_A };
	hook_devices(rs, ir, h);
	if (!h->device_count)
		return;

	struct nft_chain *c = chain_new(&mk, "hook_ingress",
					"made by the warden, on the interfaces of the zones: here those named without a '*'");
	c->hook = h;
	ends_in(&mk, &posture, NFT_FATE_GOTO,
		arena_printf(mk.arena, "%c_epiderme_%s", BATCH_BANK, ir->postures[ir->initial].name));
	put_rule(&mk, c, posture, NULL);
}

void nft_hook_up(struct nft_ruleset *rs, const struct ir *ir)
{
	for (int d = 0; d < DIRECTION_COUNT; d++)
		hook_inet(rs, ir, (enum direction)d);
	hook_netdev(rs, ir);
}
