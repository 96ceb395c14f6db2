/* Rules as the kernel runs them, over what registers hold of all packets at once. */
#include "compiler/audit/nft_ask.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft.h"
#include "compiler/ir/proto.h"

#define SLOTS 16 /* registers of 4 bytes */

struct asking_rule {
	const struct nft_world *w;
	const struct nft_said_rule *rule;
	struct nft_answer *out;
	struct nft_value regs[SLOTS];
	nft_cells spare; /* what a comparison leaves, until it is taken */
	struct nft_value key; /* of "not in the meter", until the limit that it is about */
	const struct nft_said_set *crowd;
	bool ended;
};

/* --- the world -------------------------------------------------------------------------------------- */

static struct addr_range name_range(const char *pattern)
{
	struct addr_range r = { 0, 0 };
	size_t len = strlen(pattern);
	bool open = len && pattern[len - 1] == '*';

	len -= open;
	for (size_t i = 0; i < 16; i++) {
		uint8_t c = i < len ? (uint8_t)pattern[i] : 0;

		r.lo = r.lo << 8 | c;
		r.hi = r.hi << 8 | (open && i >= len ? 0xff : c);
	}
	return r;
}

static int by_lo(const void *x, const void *y)
{
	const struct addr_range *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

/* Ascending, one within another left out, and loopback cut out of what holds it. */
static struct nft_names names_of(struct arena *a, struct addr_range *at, size_t len)
{
	struct addr_range lo = name_range("lo");
	VEC(struct addr_range) out = { 0 };

	qsort(at, len, sizeof *at, by_lo);
	for (size_t i = 0; i < len; i++) {
		if (out.len && at[i].hi <= out.at[out.len - 1].hi)
			continue;
		if (at[i].lo <= lo.lo && lo.lo <= at[i].hi) {
			if (at[i].lo < lo.lo)
				vec_push(a, &out, ((struct addr_range){ at[i].lo, lo.lo - 1 }));
			at[i].lo = lo.lo + 1;
		}
		if (at[i].lo <= at[i].hi)
			vec_push(a, &out, at[i]);
	}
	return (struct nft_names){ out.at, out.len };
}

uint64_t nft_world_zones(struct nft_world *w, const struct terms *t, const struct ir *ir)
{
	VEC(struct addr_range) all = { 0 };
	uint64_t some = 0;

	vec_push(w->arena, &all, name_range("lo"));
	for (size_t z = 0; z < ir->zone_count; z++) {
		VEC(struct addr_range) own = { 0 };
		uint64_t bit = terms_zone(t, ir->zones[z].name);

		for (size_t i = 0; i < ir->zones[z].pattern_count; i++) {
			vec_push(w->arena, &own, name_range(ir->zones[z].patterns[i]));
			vec_push(w->arena, &all, own.at[own.len - 1]);
		}
		w->zones[__builtin_ctzll(bit)] = names_of(w->arena, own.at, own.len);
		some |= own.len ? bit : 0;
	}
	qsort(all.at, all.len, sizeof *all.at, by_lo);
	size_t kept = 0;
	for (size_t i = 0; i < all.len; i++)
		if (!kept || all.at[i].lo > all.at[kept - 1].hi)
			all.at[kept++] = all.at[i];
	struct nft_names *none = &w->zones[ZONE_NONE];
	none->at = nft_others(w->arena, 16, all.at, kept, &none->len);
	return some | (none->len ? UINT64_C(1) << ZONE_NONE : 0);
}

/* --- registers ----------------------------------------------------------------------------------------- */

static bool slot_of(struct nft_attr a, unsigned *out)
{
	uint32_t reg;

	if (!nft_attr_u32(a, &reg))
		return false;
	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		*out = (reg - NFT_REG_1) * (SLOTS / 4);
	else if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		*out = reg - NFT_REG32_00;
	else
		return false;
	return true;
}

static unsigned slots_of(unsigned bytes)
{
	return (bytes + 3) / 4;
}

/* What the place held before, whole or in part, is gone. */
static bool load(struct asking_rule *k, struct nft_attr to, enum nft_asked what, unsigned bytes, bool host)
{
	unsigned slot;

	if (!slot_of(to, &slot) || !bytes || bytes > 16 || slot + slots_of(bytes) > SLOTS)
		return false;
	for (unsigned i = 0; i < SLOTS; i++)
		if (i < slot + slots_of(bytes) && i + slots_of(k->regs[i].bytes) > slot)
			k->regs[i] = (struct nft_value){ 0 };
	k->regs[slot] = (struct nft_value){ what, bytes, host, nft_value_last(bytes) };
	return true;
}

static struct nft_value *loaded(struct asking_rule *k, struct nft_attr from)
{
	unsigned slot;

	return slot_of(from, &slot) && k->regs[slot].what != NFT_ASKED_NOTHING ? &k->regs[slot] : NULL;
}

/* --- loads ------------------------------------------------------------------------------------------------ */

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

/* Of all the rule has got to: a place that means one thing here and another there is unknown. */
static enum nft_asked in_transports(const struct asking_rule *k, uint32_t at, uint32_t len)
{
	enum nft_asked what = NFT_ASKED_NOTHING;

	for (size_t i = 0; i < k->out->alts.len; i++) {
		const struct cell *c = &k->out->alts.at[i].cell;

		if (c->fragments & FRAGMENT_LATER)
			return NFT_ASKED_UNKNOWN;
		for (unsigned p = c->proto_lo; p <= c->proto_hi; p++) {
			enum nft_asked here = in_transport(k->w->family, p, at, len);

			if (here == NFT_ASKED_UNKNOWN || (what != NFT_ASKED_NOTHING && here != what))
				return NFT_ASKED_UNKNOWN;
			what = here;
		}
	}
	return what;
}

static bool ask_payload(struct asking_rule *k, const struct nft_attr *at)
{
	uint32_t base, offset, len;
	enum nft_asked what = NFT_ASKED_UNKNOWN;

	if (!nft_attr_u32(at[NFTA_PAYLOAD_BASE], &base) || !nft_attr_u32(at[NFTA_PAYLOAD_OFFSET], &offset) ||
	    !nft_attr_u32(at[NFTA_PAYLOAD_LEN], &len) || offset > 0xffff || len > 16)
		return false;
	if (base == NFT_PAYLOAD_NETWORK_HEADER)
		what = in_network(k->w->family, offset, len);
	else if (base == NFT_PAYLOAD_TRANSPORT_HEADER)
		what = in_transports(k, offset, len);
	return load(k, at[NFTA_PAYLOAD_DREG], what, len, false);
}

/* By which interface, as the hook's direction has it. */
static enum nft_asked interface_at(const struct nft_world *w, uint32_t key)
{
	const uint32_t own = w->direction == DIRECTION_OUT ? NFT_META_OIFNAME : NFT_META_IIFNAME;

	return key == own ? NFT_ASKED_ZONE : NFT_ASKED_UNKNOWN;
}

static bool ask_meta(struct asking_rule *k, const struct nft_attr *at)
{
	uint32_t key;

	if (!nft_attr_u32(at[NFTA_META_KEY], &key))
		return false;
	switch (key) {
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
		return load(k, at[NFTA_META_DREG], interface_at(k->w, key), 16, false);
	case NFT_META_PROTOCOL:
		return load(k, at[NFTA_META_DREG], NFT_ASKED_ETHERTYPE, 2, false);
	case NFT_META_NFPROTO:
		return load(k, at[NFTA_META_DREG], k->w->said->netdev ? NFT_ASKED_UNKNOWN : NFT_ASKED_NFPROTO, 1, false);
	case NFT_META_L4PROTO:
		return load(k, at[NFTA_META_DREG], NFT_ASKED_PROTO, 1, false);
	}
	return false;
}

/* A fragment's offset in IPv6; where there is no fragment header the load ends the rule. */
static bool ask_exthdr(struct asking_rule *k, const struct nft_attr *at)
{
	enum { FRAGMENT_HEADER = 44 };
	struct nft_attr type = at[NFTA_EXTHDR_TYPE];

	return k->w->family == FAMILY_IP6 && type.at && type.len == 1 && type.at[0] == FRAGMENT_HEADER &&
	       nft_attr_says(at[NFTA_EXTHDR_OFFSET], 2) && nft_attr_says(at[NFTA_EXTHDR_LEN], 2) &&
	       (!at[NFTA_EXTHDR_OP].at || nft_attr_says(at[NFTA_EXTHDR_OP], NFT_EXTHDR_OP_IPV6)) &&
	       load(k, at[NFTA_EXTHDR_DREG], NFT_ASKED_FRAGMENT6, 2, false);
}

static bool ask_ct(struct asking_rule *k, const struct nft_attr *at)
{
	if (k->w->said->netdev)
		return false;
	if (nft_attr_says(at[NFTA_CT_KEY], NFT_CT_STATE))
		return load(k, at[NFTA_CT_DREG], NFT_ASKED_STATE, 4, true);
	return nft_attr_says(at[NFTA_CT_KEY], NFT_CT_DIRECTION) && load(k, at[NFTA_CT_DREG], NFT_ASKED_REPLY, 1, false);
}

static bool ask_fib(struct asking_rule *k, const struct nft_attr *at)
{
	if (!nft_attr_says(at[NFTA_FIB_RESULT], NFT_FIB_RESULT_ADDRTYPE))
		return false;
	if (nft_attr_says(at[NFTA_FIB_FLAGS], NFTA_FIB_F_SADDR))
		return load(k, at[NFTA_FIB_DREG], NFT_ASKED_SRC_TYPE, 4, true);
	return nft_attr_says(at[NFTA_FIB_FLAGS], NFTA_FIB_F_DADDR) && load(k, at[NFTA_FIB_DREG], NFT_ASKED_DST_TYPE, 4, true);
}

static bool number_in(struct nft_attr nest, const struct nft_value *v, size_t *bytes, addr_num *out)
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

static bool ask_bitwise(struct asking_rule *k, const struct nft_attr *at)
{
	struct nft_value *v = loaded(k, at[NFTA_BITWISE_SREG]);
	addr_num mask, xor ;
	size_t mask_bytes, xor_bytes;
	unsigned from, to;

	if (!v || !slot_of(at[NFTA_BITWISE_SREG], &from) || !slot_of(at[NFTA_BITWISE_DREG], &to) || from != to ||
	    !nft_attr_says(at[NFTA_BITWISE_LEN], v->bytes) ||
	    (at[NFTA_BITWISE_OP].at && !nft_attr_says(at[NFTA_BITWISE_OP], NFT_BITWISE_BOOL)) ||
	    !number_in(at[NFTA_BITWISE_MASK], v, &mask_bytes, &mask) || mask_bytes != v->bytes ||
	    !number_in(at[NFTA_BITWISE_XOR], v, &xor_bytes, &xor) || xor_bytes != v->bytes || xor)
		return false;
	v->mask &= mask;
	return true;
}

/* --- comparisons -------------------------------------------------------------------------------------------- */

/* Most have room for one: rules that ask for many packets at once are few. */
#define ROOM_FOR_ONE(arena, vec) ((vec)->at = arena_zero((arena), sizeof *(vec)->at), (vec)->room = 1)

static void take_spare(struct asking_rule *k)
{
	k->out->alts.len = 0;
	for (size_t i = 0; i < k->spare.len; i++)
		vec_push(k->w->arena, &k->out->alts, ((struct nft_ask_alt){ .cell = k->spare.at[i], .verdict = { .code = NFT_ASK_FALLS_ON } }));
	k->spare.len = 0;
}

/* A limit counts what matches, and so does a map of counters: nothing may be asked behind them. */
static bool narrow_all(struct asking_rule *k, const struct nft_value *v, const struct addr_range *at, size_t len)
{
	struct nft_answer *out = k->out;
	size_t before = out->alts.len;

	if (out->limited || out->mapped)
		return false;
	for (size_t i = 0; i < before; i++)
		if (!nft_narrow(k->w, &out->alts.at[i].cell, v, at, len, &k->spare))
			return false;
	out->asked |= k->spare.len != before || !cell_same(k->spare.at, &out->alts.at[0].cell);
	take_spare(k);
	return true;
}

static bool narrow_others(struct asking_rule *k, const struct nft_value *v, const struct addr_range *at, size_t len)
{
	struct addr_range *others = nft_others(k->w->arena, v->bytes, at, len, &len);

	return narrow_all(k, v, others, len);
}

/* A name may be compared by its first bytes: the rest is anything. */
static bool ask_cmp(struct asking_rule *k, const struct nft_attr *at)
{
	const struct nft_value *v = loaded(k, at[NFTA_CMP_SREG]);
	struct addr_range *one = arena_zero(k->w->arena, sizeof *one);
	size_t bytes;
	uint32_t op;
	addr_num n;

	if (!v || !nft_attr_u32(at[NFTA_CMP_OP], &op) || !number_in(at[NFTA_CMP_DATA], v, &bytes, &n) ||
	    (bytes != v->bytes && v->what != NFT_ASKED_ZONE))
		return false;
	unsigned rest = 8 * (v->bytes - (unsigned)bytes);
	addr_num last = nft_value_last(v->bytes);
	*one = (struct addr_range){ n << rest, n << rest | (((addr_num)1 << rest) - 1) };
	switch (op) {
	case NFT_CMP_EQ:
		return narrow_all(k, v, one, 1);
	case NFT_CMP_NEQ:
		return narrow_others(k, v, one, 1);
	case NFT_CMP_GTE:
		one->hi = last;
		return narrow_all(k, v, one, 1);
	case NFT_CMP_LTE:
		one->lo = 0;
		return narrow_all(k, v, one, 1);
	case NFT_CMP_LT:
		one->hi = last;
		return narrow_others(k, v, one, 1);
	case NFT_CMP_GT:
		one->lo = 0;
		return narrow_others(k, v, one, 1);
	}
	return false;
}

static bool ask_range(struct asking_rule *k, const struct nft_attr *at)
{
	const struct nft_value *v = loaded(k, at[NFTA_RANGE_SREG]);
	struct addr_range *one = arena_zero(k->w->arena, sizeof *one);
	size_t lo, hi;

	if (!v || !number_in(at[NFTA_RANGE_FROM_DATA], v, &lo, &one->lo) || lo != v->bytes ||
	    !number_in(at[NFTA_RANGE_TO_DATA], v, &hi, &one->hi) || hi != v->bytes || one->lo > one->hi)
		return false;
	if (nft_attr_says(at[NFTA_RANGE_OP], NFT_RANGE_EQ))
		return narrow_all(k, v, one, 1);
	return nft_attr_says(at[NFTA_RANGE_OP], NFT_RANGE_NEQ) && narrow_others(k, v, one, 1);
}

/* --- sets that rules fill -------------------------------------------------------------------------------------- */

/* Sources under a block, by name: a set of another name, or by another key, is not those. */
static bool is_blocked_set(const struct asking_rule *k, const struct nft_said_set *s, const struct nft_value *v)
{
	const bool ip4 = k->w->family == FAMILY_IP4;
	const unsigned bits = ip4 ? TEG_BLOCK_BITS4 : TEG_BLOCK_BITS6, all = FAMILY_BITS(k->w->family);
	const addr_num mask = bits == all ? family_max(k->w->family) : ~(family_max(k->w->family) >> bits);

	return s->name && !strcmp(s->name, ip4 ? NFT_BLOCKED4 : NFT_BLOCKED6) && v->what == NFT_ASKED_SRC && v->mask == mask;
}

static bool narrow_blocked(struct asking_rule *k, bool inverted)
{
	if (k->out->limited || k->out->mapped)
		return false;
	for (size_t i = 0; i < k->out->alts.len; i++) {
		struct cell c = k->out->alts.at[i].cell;

		c.blocked &= inverted ? 1 : 2;
		if (c.blocked)
			vec_push(k->w->arena, &k->spare, c);
	}
	k->out->asked = true;
	take_spare(k);
	return true;
}

/* Of a meter only "it has no place for this one" is understood, and only before a limit. */
static bool look_up_dynamic(struct asking_rule *k, const struct nft_said_set *s, const struct nft_value *v, bool inverted)
{
	if (is_blocked_set(k, s, v))
		return narrow_blocked(k, inverted);
	if (!inverted || k->crowd || k->out->limited)
		return false;
	k->crowd = s;
	k->key = *v;
	return true;
}

/* --- look-ups ---------------------------------------------------------------------------------------------------- */

/* Elements in the byte order of this machine were read as if in the network's. */
static bool ranges_as_loaded(struct asking_rule *k, const struct nft_value *v, const struct addr_range **at, size_t len)
{
	struct addr_range *own;

	if (!v->host)
		return true;
	own = arena_copy(k->w->arena, *at, (len + 1) * sizeof *own);
	for (size_t i = 0; i < len; i++) {
		if (own[i].lo != own[i].hi)
			return false;
		own[i].lo = own[i].hi = __builtin_bswap32((uint32_t)own[i].lo);
	}
	if (len > 1)
		qsort(own, len, sizeof *own, by_lo);
	*at = own;
	return true;
}

/* All keys that lead to the same at once; maps lead to few places, or each key to its own. */
struct group {
	struct nft_said_lead to;
	VEC(struct addr_range) keys;
};

typedef VEC(struct group) groups;

static bool lead_same(const struct nft_said_lead *x, const struct nft_said_lead *y)
{
	return x->verdict.code == y->verdict.code && x->verdict.chain == y->verdict.chain && !x->counter == !y->counter &&
	       (!x->counter || !strcmp(x->counter, y->counter));
}

static struct group *group_for(struct arena *a, groups *all, const struct nft_said_lead *to)
{
	const size_t near = 16;

	for (size_t i = all->len; i-- > 0 && i + near > all->len;)
		if (lead_same(&all->at[i].to, to))
			return &all->at[i];
	vec_push(a, all, (struct group){ .to = *to });
	return &all->at[all->len - 1];
}

static void group_key(struct arena *a, struct group *g, struct addr_range key)
{
	struct addr_range *before = g->keys.len ? &g->keys.at[g->keys.len - 1] : NULL;

	if (before && before->hi + 1 == key.lo)
		before->hi = key.hi;
	else
		vec_push(a, &g->keys, key);
}

/* Where a counter is, the rule goes on. */
static void leads_to(struct asking_rule *k, struct nft_answer *all, const nft_cells *cells, const struct nft_said_lead *to)
{
	const struct nft_said_verdict on = { .code = NFT_ASK_FALLS_ON };

	for (size_t i = 0; i < cells->len; i++)
		vec_push(k->w->arena, &all->alts,
			 ((struct nft_ask_alt){ cells->at[i], to->counter ? on : to->verdict, to->counter }));
}

static bool narrow_each(struct asking_rule *k, const struct nft_value *v, const struct addr_range *at, size_t len,
			nft_cells *out)
{
	for (size_t i = 0; i < k->out->alts.len; i++)
		if (!nft_narrow(k->w, &k->out->alts.at[i].cell, v, at, len, out))
			return false;
	return true;
}

static bool map_part(struct asking_rule *k, const struct nft_value *v, const struct addr_range *at, size_t len,
		     const struct nft_said_lead *to, struct nft_answer *all)
{
	nft_cells cells = { 0 };

	if (!ranges_as_loaded(k, v, &at, len) || !narrow_each(k, v, at, len, &cells))
		return false;
	leads_to(k, all, &cells, to);
	return true;
}

static bool look_up_map(struct asking_rule *k, const struct nft_said_set *s, const struct nft_value *v, struct nft_answer *all)
{
	groups by_lead = { 0 };

	for (size_t i = 0; i < s->part_count; i++)
		group_key(k->w->arena, group_for(k->w->arena, &by_lead, &s->parts[i].to),
			  (struct addr_range){ s->parts[i].lo, s->parts[i].hi });
	for (size_t i = 0; i < by_lead.len; i++)
		if (!map_part(k, v, by_lead.at[i].keys.at, by_lead.at[i].keys.len, &by_lead.at[i].to, all))
			return false;
	if (!s->rest)
		return true;
	size_t len;
	struct addr_range *others = nft_others(k->w->arena, v->bytes, s->ranges, s->range_count, &len);
	return !v->host && map_part(k, v, others, len, &(struct nft_said_lead){ .verdict = s->rest_verdict }, all);
}

/* The values that a key is put together of, each in whole registers. */
static bool parts_of_key(struct asking_rule *k, unsigned slot, uint32_t bytes, const struct nft_value *out[static SLOTS],
			 size_t *count)
{
	uint32_t got = 0;

	*count = 0;
	while (got < bytes && slot < SLOTS && k->regs[slot].what != NFT_ASKED_NOTHING) {
		out[(*count)++] = &k->regs[slot];
		got += 4 * slots_of(k->regs[slot].bytes);
		slot += slots_of(k->regs[slot].bytes);
	}
	return got == bytes;
}

static bool narrow_element(struct asking_rule *k, const struct nft_said_element *e, const struct nft_value *const *parts,
			   size_t count, struct nft_answer *all)
{
	nft_cells cells = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < k->out->alts.len; i++)
		vec_push(k->w->arena, &cells, k->out->alts.at[i].cell);
	for (size_t p = 0; p < count; p++) {
		struct addr_range *key = arena_zero(k->w->arena, sizeof *key);
		nft_cells left = { 0 };

		*key = (struct addr_range){ nft_said_number(e->lo + at, parts[p]->bytes),
					    nft_said_number(e->hi + at, parts[p]->bytes) };
		if (parts[p]->host || key->lo > key->hi)
			return false;
		for (size_t i = 0; i < cells.len; i++)
			if (!nft_narrow(k->w, &cells.at[i], parts[p], key, 1, &left))
				return false;
		cells = left;
		at += 4 * slots_of(parts[p]->bytes);
	}
	leads_to(k, all, &cells, &e->to);
	return true;
}

static bool look_up_parts(struct asking_rule *k, const struct nft_said_set *s, unsigned slot, struct nft_answer *all)
{
	const struct nft_value *parts[SLOTS];
	size_t count;

	if (s->rest || !parts_of_key(k, slot, s->key_bytes, parts, &count))
		return false;
	for (size_t i = 0; i < s->elements.len; i++)
		if (!narrow_element(k, &s->elements.at[i], parts, count, all))
			return false;
	return true;
}

static bool take_alts(struct asking_rule *k, const struct nft_answer *all)
{
	k->out->asked = true;
	k->out->alts.at = all->alts.at;
	k->out->alts.len = all->alts.len;
	k->out->alts.room = all->alts.room;
	return true;
}

/* A map of counters: what it has not is not counted, and does not go on. */
static bool count_by_map(struct asking_rule *k, const struct nft_attr *at)
{
	const struct nft_value *v = loaded(k, at[NFTA_OBJREF_SET_SREG]);
	const char *name = nft_attr_text(k->w->arena, at[NFTA_OBJREF_SET_NAME]);
	const struct nft_said_set *s;
	struct nft_answer all = { 0 };
	uint32_t id;
	unsigned slot;

	if (!v || !name || k->out->counter || k->out->mapped || k->out->limited || k->crowd ||
	    !nft_attr_u32_or_none(at[NFTA_OBJREF_SET_ID], &id) || !(s = nft_said_set(k->w->said, name, id)) || !s->counts ||
	    !slot_of(at[NFTA_OBJREF_SET_SREG], &slot))
		return false;
	k->out->mapped = true;
	if (s->concat || s->key_bytes != v->bytes)
		return look_up_parts(k, s, slot, &all) && take_alts(k, &all);
	return look_up_map(k, s, v, &all) && take_alts(k, &all);
}

static bool ask_lookup(struct asking_rule *k, const struct nft_attr *at)
{
	const struct nft_value *v = loaded(k, at[NFTA_LOOKUP_SREG]);
	const char *name = nft_attr_text(k->w->arena, at[NFTA_LOOKUP_SET]);
	const struct nft_said_set *s;
	const struct addr_range *ranges;
	struct nft_answer all = { 0 };
	uint32_t id, flags;
	unsigned slot;

	if (!v || !name || !nft_attr_u32_or_none(at[NFTA_LOOKUP_SET_ID], &id) ||
	    !nft_attr_u32_or_none(at[NFTA_LOOKUP_FLAGS], &flags) || (flags & ~(uint32_t)NFT_LOOKUP_F_INV) ||
	    !(s = nft_said_set(k->w->said, name, id)) || !slot_of(at[NFTA_LOOKUP_SREG], &slot))
		return false;
	if (s->map != (at[NFTA_LOOKUP_DREG].at != NULL) || s->counts || k->out->mapped ||
	    (s->map && (flags || k->out->limited)))
		return false;
	if (s->map && !nft_attr_says(at[NFTA_LOOKUP_DREG], NFT_REG_VERDICT))
		return false;
	k->ended = s->map;
	if (s->concat || s->key_bytes != v->bytes)
		return !s->dynamic && !flags && !k->out->limited && look_up_parts(k, s, slot, &all) && take_alts(k, &all);
	if (s->dynamic)
		return look_up_dynamic(k, s, v, flags);
	if (s->map)
		return look_up_map(k, s, v, &all) && take_alts(k, &all);
	ranges = s->ranges;
	if (!ranges_as_loaded(k, v, &ranges, s->range_count))
		return false;
	return flags ? narrow_others(k, v, ranges, s->range_count) : narrow_all(k, v, ranges, s->range_count);
}

/* --- limits, counters, logs --------------------------------------------------------------------------------------- */

#define LIMIT_ATTRS                                                                                     \
	(NFT_ALLOW(NFTA_LIMIT_RATE) | NFT_ALLOW(NFTA_LIMIT_UNIT) | NFT_ALLOW(NFTA_LIMIT_BURST) |         \
	 NFT_ALLOW(NFTA_LIMIT_TYPE) | NFT_ALLOW(NFTA_LIMIT_FLAGS))

/* Those over it: what is within it would need the condition's contrary. */
static bool set_limit(struct asking_rule *k, const struct nft_attr *at)
{
	struct nft_ask_limit *l = &k->out->limit;

	if (k->out->limited || k->out->mapped)
		return false;
	k->out->limited = true;
	l->bytes = nft_attr_says(at[NFTA_LIMIT_TYPE], NFT_LIMIT_PKT_BYTES);
	return nft_attr_u64_or_none(at[NFTA_LIMIT_RATE], &l->rate) && nft_attr_u64_or_none(at[NFTA_LIMIT_UNIT], &l->unit_s) &&
	       nft_attr_u32(at[NFTA_LIMIT_BURST], &l->burst) && (l->bytes || nft_attr_says(at[NFTA_LIMIT_TYPE], NFT_LIMIT_PKTS)) &&
	       nft_attr_says(at[NFTA_LIMIT_FLAGS], NFT_LIMIT_F_INV);
}

static bool ask_limit(struct asking_rule *k, const struct nft_attr *at)
{
	struct nft_ask_limit *l = &k->out->limit;

	l->set = k->crowd;
	l->key = k->key;
	l->crowd = k->crowd != NULL;
	k->crowd = NULL;
	return set_limit(k, at);
}

static bool limit_of_element(struct asking_rule *k, struct nft_attr nest)
{
	struct nft_attr at[NFT_ATTRS_MAX], data[NFT_ATTRS_MAX];
	const char *name;

	if (!nft_attrs_of(nest, NFT_ALLOW(NFTA_EXPR_NAME) | NFT_ALLOW(NFTA_EXPR_DATA), at) || !at[NFTA_EXPR_DATA].at)
		return false;
	name = nft_attr_text(k->w->arena, at[NFTA_EXPR_NAME]);
	return name && !strcmp(name, "limit") && nft_attrs_of(at[NFTA_EXPR_DATA], LIMIT_ATTRS, data) && set_limit(k, data);
}

/* A source that is put under a block; or a bucket for each key. Full sets: docs/nftables.md. */
static bool ask_dynset(struct asking_rule *k, const struct nft_attr *at)
{
	const struct nft_value *v = loaded(k, at[NFTA_DYNSET_SREG_KEY]);
	const char *name = nft_attr_text(k->w->arena, at[NFTA_DYNSET_SET_NAME]);
	const struct nft_said_set *s;
	uint32_t id;

	if (!v || !name || k->crowd || k->out->blocks || !nft_attr_u32_or_none(at[NFTA_DYNSET_SET_ID], &id) ||
	    !(s = nft_said_set(k->w->said, name, id)) || !s->dynamic || !s->name || s->key_bytes != v->bytes)
		return false;
	if (at[NFTA_DYNSET_EXPR].at) {
		k->out->limit = (struct nft_ask_limit){ .set = s, .key = *v };
		return nft_attr_says(at[NFTA_DYNSET_OP], NFT_DYNSET_OP_UPDATE) && !at[NFTA_DYNSET_TIMEOUT].at &&
		       limit_of_element(k, at[NFTA_DYNSET_EXPR]);
	}
	k->out->blocks = true;
	return is_blocked_set(k, s, v) && nft_attr_says(at[NFTA_DYNSET_OP], NFT_DYNSET_OP_ADD) &&
	       nft_attr_u64_or_none(at[NFTA_DYNSET_TIMEOUT], &k->out->block_ms) && k->out->block_ms;
}

static bool ask_objref(struct asking_rule *k, const struct nft_attr *at)
{
	const char *name = nft_attr_text(k->w->arena, at[NFTA_OBJREF_IMM_NAME]);

	if (at[NFTA_OBJREF_SET_SREG].at)
		return !at[NFTA_OBJREF_IMM_NAME].at && !at[NFTA_OBJREF_IMM_TYPE].at && count_by_map(k, at);
	if (!name || k->out->counter || k->out->mapped || !nft_attr_says(at[NFTA_OBJREF_IMM_TYPE], NFT_OBJECT_COUNTER) ||
	    !strmap_find(&k->w->said->counters, name))
		return false;
	k->out->counter = name;
	return true;
}

static bool ask_log(struct asking_rule *k, const struct nft_attr *at)
{
	if (k->out->log)
		return false;
	k->out->log = nft_attr_text(k->w->arena, at[NFTA_LOG_PREFIX]);
	return k->out->log != NULL;
}

/* --- verdicts ------------------------------------------------------------------------------------------------------- */

static bool end_all(struct asking_rule *k, struct nft_said_verdict v)
{
	for (size_t i = 0; i < k->out->alts.len; i++)
		k->out->alts.at[i].verdict = v;
	k->ended = true;
	return true;
}

static bool ask_reject(struct asking_rule *k, const struct nft_attr *at)
{
	struct nft_attr code = at[NFTA_REJECT_ICMP_CODE];

	if (nft_attr_says(at[NFTA_REJECT_TYPE], NFT_REJECT_TCP_RST))
		return end_all(k, (struct nft_said_verdict){ .code = NFT_ASK_REJECT_RESET });
	return nft_attr_says(at[NFTA_REJECT_TYPE], NFT_REJECT_ICMPX_UNREACH) && code.at && code.len == 1 &&
	       code.at[0] == NFT_REJECT_ICMPX_ADMIN_PROHIBITED &&
	       end_all(k, (struct nft_said_verdict){ .code = NFT_ASK_REJECT_ICMP });
}

static bool ask_immediate(struct asking_rule *k, const struct nft_attr *at)
{
	struct nft_said_verdict v;

	return nft_attr_says(at[NFTA_IMMEDIATE_DREG], NFT_REG_VERDICT) &&
	       nft_said_verdict(k->w->said, at[NFTA_IMMEDIATE_DATA], &v) && end_all(k, v);
}

/* --- all -------------------------------------------------------------------------------------------------------------- */

#define A(type) NFT_ALLOW(NFTA_##type)

static const struct {
	const char *name;
	uint32_t attrs;
	bool (*ask)(struct asking_rule *k, const struct nft_attr *at);
} expressions[] = {
	{ "meta", A(META_DREG) | A(META_KEY), ask_meta },
	{ "payload", A(PAYLOAD_DREG) | A(PAYLOAD_BASE) | A(PAYLOAD_OFFSET) | A(PAYLOAD_LEN), ask_payload },
	{ "cmp", A(CMP_SREG) | A(CMP_OP) | A(CMP_DATA), ask_cmp },
	{ "immediate", A(IMMEDIATE_DREG) | A(IMMEDIATE_DATA), ask_immediate },
	{ "objref",
	  A(OBJREF_IMM_TYPE) | A(OBJREF_IMM_NAME) | A(OBJREF_SET_SREG) | A(OBJREF_SET_NAME) | A(OBJREF_SET_ID), ask_objref },
	{ "bitwise",
	  A(BITWISE_SREG) | A(BITWISE_DREG) | A(BITWISE_LEN) | A(BITWISE_OP) | A(BITWISE_MASK) | A(BITWISE_XOR), ask_bitwise },
	{ "lookup", A(LOOKUP_SREG) | A(LOOKUP_DREG) | A(LOOKUP_SET) | A(LOOKUP_SET_ID) | A(LOOKUP_FLAGS), ask_lookup },
	{ "range", A(RANGE_SREG) | A(RANGE_OP) | A(RANGE_FROM_DATA) | A(RANGE_TO_DATA), ask_range },
	{ "ct", A(CT_DREG) | A(CT_KEY), ask_ct },
	{ "fib", A(FIB_DREG) | A(FIB_RESULT) | A(FIB_FLAGS), ask_fib },
	{ "exthdr", A(EXTHDR_DREG) | A(EXTHDR_TYPE) | A(EXTHDR_OFFSET) | A(EXTHDR_LEN) | A(EXTHDR_OP), ask_exthdr },
	{ "limit", LIMIT_ATTRS, ask_limit },
	{ "dynset",
	  A(DYNSET_SREG_KEY) | A(DYNSET_SET_NAME) | A(DYNSET_SET_ID) | A(DYNSET_OP) | A(DYNSET_TIMEOUT) | A(DYNSET_EXPR),
	  ask_dynset },
	{ "log", A(LOG_PREFIX), ask_log },
	{ "reject", A(REJECT_TYPE) | A(REJECT_ICMP_CODE), ask_reject },
};

static bool ask_one(struct asking_rule *k, const struct nft_said_expr *e)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
		if (!strcmp(expressions[i].name, e->name))
			return !k->ended && nft_attrs_of(e->data, expressions[i].attrs, at) && expressions[i].ask(k, at);
	return false;
}

/* Nothing is left behind the last expression that somebody passes: as in the kernel, it is not run. */
int nft_ask_rule(const struct nft_world *w, const struct nft_said_rule *rule, const struct cell *path, struct nft_answer *out)
{
	struct asking_rule k = { .w = w, .rule = rule, .out = out };

	*out = (struct nft_answer){ 0 };
	ROOM_FOR_ONE(w->arena, &out->alts);
	ROOM_FOR_ONE(w->arena, &k.spare);
	vec_push(w->arena, &out->alts, ((struct nft_ask_alt){ .cell = *path, .verdict = { .code = NFT_ASK_FALLS_ON } }));
	for (size_t i = 0; i < rule->len && out->alts.len; i++)
		if (!ask_one(&k, &rule->exprs[i]))
			return err_set(w->why, ENOTSUP, "expression %zu, %.20s, cannot be told", i + 1, rule->exprs[i].name);
	if (k.crowd && out->alts.len)
		return err_set(w->why, ENOTSUP, "a look into a set that rules fill cannot be told");
	return 0;
}
