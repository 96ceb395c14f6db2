#include "compiler/emit/nft/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/layers.h"
#include "compiler/ir/packet.h"

enum { FIB_TYPE_LOCAL = 2 }; /* RTN_LOCAL of linux/rtnetlink.h */

/* --- zones: names of interfaces -------------------------------------------------- */

struct addr_range nft_names_of(const char *pattern)
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

/* The names of the zones in the mask, ascending; one that lies within another is left out. One rule asks what its neighbours do. */
static struct addr_range *zone_names(struct nft_maker *mk, uint64_t zones, size_t *count)
{
	VEC(struct addr_range) names = { 0 };
	size_t kept = 0;

	if (mk->named.at && mk->named.zones == zones) {
		*count = mk->named.count;
		return mk->named.at;
	}
	for (size_t z = 0; z < mk->ir->zone_count; z++)
		for (size_t i = 0; (zones & 1ull << z) && i < mk->ir->zones[z].pattern_count; i++)
			vec_push(mk->arena, &names, nft_names_of(mk->ir->zones[z].patterns[i]));
	if (names.len)
		qsort(names.at, names.len, sizeof *names.at, order_names);
	for (size_t i = 0; i < names.len; i++)
		if (!kept || names.at[i].lo > names.at[kept - 1].hi)
			names.at[kept++] = names.at[i];
	mk->named.zones = zones;
	mk->named.at = names.at;
	*count = mk->named.count = kept;
	return names.at;
}

/* A range of names is compared by the bytes its two ends share. */
void nft_ask_name(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		  struct addr_range name)
{
	uint8_t bytes = 16;

	while (bytes && name.lo >> (128 - 8 * bytes) != name.hi >> (128 - 8 * bytes))
		bytes--;
	nft_push_match(
		mk, r,
		(struct nft_match){
			.field = f, .test = t, .bytes = bytes, .lo = name.lo, .hi = name.hi });
}

/* "*": every interface. */
static bool is_every_name(const struct addr_range *names, size_t count)
{
	return count == 1 && names->lo == 0 && names->hi == ~(addr_num)0;
}

bool nft_zones_hold(struct nft_maker *mk, uint64_t zones)
{
	bool but = zones & 1ull << ZONE_NONE;
	size_t count;

	if (zones == UINT64_MAX)
		return true;
	struct addr_range *names = zone_names(mk, but ? ~zones : zones, &count);
	return is_every_name(names, count) ? !but : but || count;
}

/* Interfaces of no zone, and these zones: all but the others. */
static void ask_zones(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, uint64_t zones)
{
	bool but = zones & 1ull << ZONE_NONE;
	size_t count;

	if (zones == UINT64_MAX)
		return;
	struct addr_range *names = zone_names(mk, but ? ~zones : zones, &count);
	if (is_every_name(names, count))
		return;
	if (!but && count > 1) {
		nft_ask_ranges(mk, r, f, names, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		nft_ask_name(mk, r, f, but ? NFT_TEST_NE : NFT_TEST_EQ, names[i]);
}

/* --- addresses ------------------------------------------------------------------- */

static bool end_has_way(const struct ir_end *e, enum nft_end way, int family)
{
	switch (way) {
	case NFT_END_ANY:
		return e->any;
	case NFT_END_SELF:
		return !e->any && e->self;
	case NFT_END_SET:
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
static void ask_set_of(struct nft_maker *mk, struct nft_rule *r, enum nft_field field,
		       const struct netset *set, enum family f)
{
	struct addr_range one = set->at[f][0];

	if (one.lo == 0 && one.hi == family_max(f))
		return;
	if (set->len[f] > 1)
		nft_ask_set(mk, r, field, NFT_TEST_IN, nft_net_set_at(mk, set, f));
	else if (one.lo != one.hi && range_is_prefix(one))
		nft_ask_masked(mk, r, field, family_max(f) & ~(one.hi - one.lo), NFT_TEST_EQ,
			       one.lo);
	else
		nft_ask_ranges(mk, r, field, arena_copy(mk->arena, &one, sizeof one), 1);
}

/* --- one box, one or more rules ------------------------------------------------------------------
 */

static void ask_icmp(struct nft_maker *mk, struct nft_rule *r, const struct nft_way *w)
{
	bool ip4 = w->family == FAMILY_IP4;
	enum nft_field type = ip4 ? NFT_FIELD_ICMP_TYPE : NFT_FIELD_ICMPV6_TYPE;
	enum nft_field code = ip4 ? NFT_FIELD_ICMP_CODE : NFT_FIELD_ICMPV6_CODE;

	if (w->icmp_types) {
		nft_ask_numbers(mk, r, type, w->icmp_types);
	} else if (w->icmp_type >= 0) {
		struct addr_range codes = { w->icmp_codes.lo, w->icmp_codes.hi };

		nft_ask(mk, r, type, NFT_TEST_EQ, (addr_num)w->icmp_type);
		nft_ask_ranges(mk, r, code, arena_copy(mk->arena, &codes, sizeof codes), 1);
	}
}

const struct netset *nft_way_set(const struct nft_way *w, const struct ir_end *e, bool src)
{
	return w->blocks && w->of_src == src ? &w->blocks->set : &e->set->set;
}

static void ask_blocks(struct nft_maker *mk, struct nft_rule *r, enum nft_field field, struct nft_block_set *b, enum family f)
{
	const struct nft_match m = { .field = field, .test = NFT_TEST_IN, .masked = b->bits < FAMILY_BITS(f),
				     .mask = b->bits < FAMILY_BITS(f) ? nft_leading_bits(f, b->bits) : 0,
				     .set = nft_block_set_at(mk, b, f) };

	nft_push_match(mk, r, m);
}

static void ask_end(struct nft_maker *mk, struct nft_rule *r, enum nft_field field, const struct ir_end *e, const struct nft_way *w,
		    bool src)
{
	if (w->blocks && w->of_src == src)
		ask_blocks(mk, r, field, w->blocks, (enum family)w->family);
	else
		ask_set_of(mk, r, field, &e->set->set, (enum family)w->family);
}

/* One address or prefix is compared at once; a set is looked up, which costs more than to ask for ports. */
static bool is_looked_up(const struct nft_way *w, const struct ir_end *e, bool src)
{
	return nft_way_set(w, e, src)->len[w->family] > 1;
}

static void ask_addresses(struct nft_maker *mk, struct nft_rule *r, const struct ir_box *b,
			  const struct nft_way *w, unsigned decided, bool looked_up)
{
	bool ip4 = w->family == FAMILY_IP4;

	if (w->src == NFT_END_SET && !(decided & NFT_DECIDED_SRC) && is_looked_up(w, &b->src, true) == looked_up)
		ask_end(mk, r, ip4 ? NFT_FIELD_IP_SADDR : NFT_FIELD_IP6_SADDR, &b->src, w, true);
	if (w->dst == NFT_END_SET && !(decided & NFT_DECIDED_DST) && is_looked_up(w, &b->dst, false) == looked_up)
		ask_end(mk, r, ip4 ? NFT_FIELD_IP_DADDR : NFT_FIELD_IP6_DADDR, &b->dst, w, false);
}

/* A look at the routing table: asked last. */
static void ask_self(struct nft_maker *mk, struct nft_rule *r, const struct nft_way *w)
{
	if (w->src == NFT_END_SELF)
		nft_ask(mk, r, NFT_FIELD_FIB_SADDR, NFT_TEST_EQ, FIB_TYPE_LOCAL);
	if (w->dst == NFT_END_SELF)
		nft_ask(mk, r, NFT_FIELD_FIB_DADDR, NFT_TEST_EQ, FIB_TYPE_LOCAL);
}

static bool asks_icmp(const struct nft_way *w)
{
	return w->icmp_types || w->icmp_type >= 0;
}

/* nft lists "ip saddr" only behind "meta nfproto ipv4", where it was asked. */
static bool asks_family(const struct nft_way *w, unsigned decided)
{
	const bool src = w->src == NFT_END_SET && !(decided & NFT_DECIDED_SRC);
	const bool dst = w->dst == NFT_END_SET && !(decided & NFT_DECIDED_DST);

	return w->family >= 0 && (!(decided & NFT_DECIDED_FAMILY) || src || dst || asks_icmp(w));
}

/* Behind no protocol, nft would join two ports into one load of four bytes that it lists as such. */
void nft_ask_way(struct nft_maker *mk, struct nft_rule *r, enum nft_field interface, const struct nft_box *nb,
		 const struct nft_way *w, unsigned decided)
{
	const struct ir_box *b = nb->box;
	const bool sport = !ranges_are_all(&b->sport) && !(decided & NFT_DECIDED_SPORT);
	const bool dport = !ranges_are_all(&b->dport) && !(decided & NFT_DECIDED_DPORT);
	const bool of_proto = b->flags_mask || asks_icmp(w) || (sport && dport);

	ask_zones(mk, r, interface, b->zones);
	if (asks_family(w, decided))
		nft_ask_family(mk, r, (enum family)w->family);
	if (!ranges_are_all(&nb->protos) && (!(decided & NFT_DECIDED_PROTO) || of_proto))
		nft_ask_numbers(mk, r, NFT_FIELD_L4PROTO, &nb->protos);
	ask_addresses(mk, r, b, w, decided, false);
	if (sport)
		nft_ask_numbers(mk, r, NFT_FIELD_SPORT, &b->sport);
	if (dport)
		nft_ask_numbers(mk, r, NFT_FIELD_DPORT, &b->dport);
	if (b->flags_mask == 0xff)
		nft_ask(mk, r, NFT_FIELD_TCP_FLAGS, NFT_TEST_EQ, b->flags_want);
	else if (b->flags_mask)
		nft_ask_masked(mk, r, NFT_FIELD_TCP_FLAGS, b->flags_mask, NFT_TEST_EQ,
			       b->flags_want);
	ask_addresses(mk, r, b, w, decided, true);
	ask_icmp(mk, r, w);
	ask_self(mk, r, w);
}

static void spread_way(struct nft_spread *s, const struct nft_way *w)
{
	struct nft_rule r = { 0 };

	if (!nft_zones_hold(s->mk, s->box->box->zones))
		return;
	if (s->found) {
		s->found(s, w);
		return;
	}
	nft_ask_way(s->mk, &r, s->site->interface, s->box, w, 0);
	s->put(s, r);
	s->made++;
}

/* Whole types go into one rule; each type of which only some codes are asked has its own. */
static void spread_icmp(struct nft_spread *s, struct nft_way w)
{
	const struct ranges *icmp = &s->box->box->icmp;
	struct ranges whole = { 0 };

	w.icmp_type = -1;
	if (ranges_are_all(icmp)) {
		spread_way(s, &w);
		return;
	}
	for (unsigned type = 0; type < 256; type++) {
		uint16_t lo = (uint16_t)(type << 8);
		struct ranges all = ranges_of(s->a, lo, lo | 0xff);
		struct ranges asked = ranges_meet(s->a, icmp, &all);

		if (ranges_equal(&asked, &all)) {
			struct ranges one = ranges_of(s->a, (uint16_t)type, (uint16_t)type);
			whole = ranges_join(s->a, &whole, &one);
			continue;
		}
		for (size_t i = 0; i < asked.len; i++) {
			w.icmp_type = (int)type;
			w.icmp_codes =
				(struct range){ asked.at[i].lo & 0xff, asked.at[i].hi & 0xff };
			spread_way(s, &w);
		}
	}
	if (whole.len) {
		w.icmp_types = arena_copy(s->a, &whole, sizeof whole);
		spread_way(s, &w);
	}
}

/* By blocks only one end, since each of the one would be asked with each of the other. */
static void spread_sets(struct nft_spread *s, struct nft_way w)
{
	const struct ir_box *b = s->box->box;
	struct nft_blocks *blocks = NULL;

	if (w.src == NFT_END_SET)
		blocks = nft_blocks_of(s->mk, &b->src.set->set, (enum family)w.family);
	w.of_src = blocks != NULL;
	if (!blocks && w.dst == NFT_END_SET)
		blocks = nft_blocks_of(s->mk, &b->dst.set->set, (enum family)w.family);
	if (!blocks)
		spread_icmp(s, w);
	for (unsigned i = 0; blocks && i < blocks->count; i++) {
		w.blocks = &blocks->at[i];
		w.again = i > 0;
		spread_icmp(s, w);
	}
}

static void spread_ends(struct nft_spread *s, int family)
{
	const struct ir_box *b = s->box->box;

	for (enum nft_end src = NFT_END_ANY; src <= NFT_END_SET; src++)
		for (enum nft_end dst = NFT_END_ANY; dst <= NFT_END_SET; dst++)
			if (end_has_way(&b->src, src, family) && end_has_way(&b->dst, dst, family))
				spread_sets(s, (struct nft_way){ .family = family, .src = src, .dst = dst });
}

static void spread_box(struct nft_spread *s)
{
	const struct ir_box *b = s->box->box;
	bool asks_family =
		b->families != (1u << FAMILY_IP4 | 1u << FAMILY_IP6) || b->src.set || b->dst.set;

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
	return (b->fragments & FRAGMENT_EARLY) == FRAGMENT_EARLY ||
	       !(b->fragments & FRAGMENT_EARLY);
}

/* The boxes that what comes to the site can lie in. */
static const struct ir_box *boxes_at(struct nft_spread *s, size_t *count)
{
	struct ir_box *boxes;

	*count = 0;
	for (size_t i = 0; i < s->rule->box_count; i++)
		*count += (s->rule->boxes[i].fragments & s->site->fragments) != 0;
	if (*count == s->rule->box_count)
		return s->rule->boxes;
	boxes = arena_zero(s->a, (*count + 1) * sizeof *boxes);
	*count = 0;
	for (size_t i = 0; i < s->rule->box_count; i++)
		if (s->rule->boxes[i].fragments & s->site->fragments)
			boxes[(*count)++] = s->rule->boxes[i];
	return boxes;
}

int nft_spread(struct nft_spread *s)
{
	size_t count;
	const struct ir_box *here = boxes_at(s, &count);

	for (size_t i = 0; i < count; i++)
		if (!fragments_can_be_said(&here[i]))
			return err_set(s->mk->why, ENOTSUP,
				       "rule %s asks for fragments in a way that nft cannot say",
				       s->rule->id);

	struct nft_box *boxes = nft_boxes(s->a, here, count, &count);
	for (size_t i = 0; i < count; i++) {
		s->box = &boxes[i];
		spread_box(s);
	}
	return 0;
}
