/* Comparisons, and looks into sets and maps. */
#include "compiler/audit/nft/asking.h"

#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/nft.h"

static int by_lo(const void *x, const void *y)
{
	const struct addr_range *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

/* --- comparisons -------------------------------------------------------------------------------------------- */

static void take_spare(struct nft_asking *k)
{
	k->out->alts.len = 0;
	for (size_t i = 0; i < k->spare.len; i++)
		vec_push(k->w->arena, &k->out->alts, ((struct nft_ask_alt){ .cell = k->spare.at[i], .verdict = { .code = NFT_ASK_FALLS_ON } }));
	k->spare.len = 0;
}

/* A limit counts what matches, and so does a map of counters: nothing may be asked behind them. */
static bool narrow_all(struct nft_asking *k, const struct nft_value *v, const struct addr_range *at, size_t len)
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

static bool narrow_others(struct nft_asking *k, const struct nft_value *v, const struct addr_range *at, size_t len)
{
	struct addr_range *others = nft_others(k->w->arena, v->bytes, at, len, &len);

	return narrow_all(k, v, others, len);
}

/* A name may be compared by its first bytes: the rest is anything. */
bool nft_ask_cmp(struct nft_asking *k, const struct nft_attr *at)
{
	const struct nft_value *v = nft_ask_loaded(k, at[NFTA_CMP_SREG]);
	struct addr_range *one = arena_zero(k->w->arena, sizeof *one);
	size_t bytes;
	uint32_t op;
	addr_num n;

	if (!v || !nft_attr_u32(at[NFTA_CMP_OP], &op) || !nft_ask_number(at[NFTA_CMP_DATA], v, &bytes, &n) ||
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

bool nft_ask_range(struct nft_asking *k, const struct nft_attr *at)
{
	const struct nft_value *v = nft_ask_loaded(k, at[NFTA_RANGE_SREG]);
	struct addr_range *one = arena_zero(k->w->arena, sizeof *one);
	size_t lo, hi;

	if (!v || !nft_ask_number(at[NFTA_RANGE_FROM_DATA], v, &lo, &one->lo) || lo != v->bytes ||
	    !nft_ask_number(at[NFTA_RANGE_TO_DATA], v, &hi, &one->hi) || hi != v->bytes || one->lo > one->hi)
		return false;
	if (nft_attr_says(at[NFTA_RANGE_OP], NFT_RANGE_EQ))
		return narrow_all(k, v, one, 1);
	return nft_attr_says(at[NFTA_RANGE_OP], NFT_RANGE_NEQ) && narrow_others(k, v, one, 1);
}

/* --- sets that rules fill -------------------------------------------------------------------------------------- */

bool nft_ask_is_blocked(const struct nft_asking *k, const struct nft_said_set *s, const struct nft_value *v)
{
	const bool ip4 = k->w->family == FAMILY_IP4;
	const unsigned bits = ip4 ? TEG_BLOCK_BITS4 : TEG_BLOCK_BITS6, all = FAMILY_BITS(k->w->family);
	const addr_num mask = bits == all ? family_max(k->w->family) : ~(family_max(k->w->family) >> bits);

	return s->name && !strcmp(s->name, ip4 ? NFT_BLOCKED4 : NFT_BLOCKED6) && v->what == NFT_ASKED_SRC && v->mask == mask;
}

static bool narrow_blocked(struct nft_asking *k, bool inverted)
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

/* Who is on a feed: its whole source address. Nothing is understood of who is not. */
static bool look_up_feed(struct nft_asking *k, const struct nft_said_set *s, const struct nft_value *v, bool inverted)
{
	if (inverted || v->what != NFT_ASKED_SRC || v->mask != family_max(k->w->family) || v->host || k->out->feed ||
	    k->out->limited || k->out->mapped)
		return false;
	k->out->feed = s->name;
	k->out->asked = true;
	return true;
}

/* --- look-ups ---------------------------------------------------------------------------------------------------- */

/* Elements in the byte order of this machine were read as if in the network's. */
static bool ranges_as_loaded(struct nft_asking *k, const struct nft_value *v, const struct addr_range **at, size_t len)
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
static void leads_to(struct nft_asking *k, struct nft_answer *all, const nft_cells *cells, const struct nft_said_lead *to)
{
	const struct nft_said_verdict on = { .code = NFT_ASK_FALLS_ON };

	for (size_t i = 0; i < cells->len; i++)
		vec_push(k->w->arena, &all->alts,
			 ((struct nft_ask_alt){ cells->at[i], to->counter ? on : to->verdict, to->counter }));
}

static bool narrow_each(struct nft_asking *k, const struct nft_value *v, const struct addr_range *at, size_t len,
			nft_cells *out)
{
	for (size_t i = 0; i < k->out->alts.len; i++)
		if (!nft_narrow(k->w, &k->out->alts.at[i].cell, v, at, len, out))
			return false;
	return true;
}

static bool map_part(struct nft_asking *k, const struct nft_value *v, const struct addr_range *at, size_t len,
		     const struct nft_said_lead *to, struct nft_answer *all)
{
	nft_cells cells = { 0 };

	if (!ranges_as_loaded(k, v, &at, len) || !narrow_each(k, v, at, len, &cells))
		return false;
	leads_to(k, all, &cells, to);
	return true;
}

static bool look_up_map(struct nft_asking *k, const struct nft_said_set *s, const struct nft_value *v, struct nft_answer *all)
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
static bool parts_of_key(struct nft_asking *k, unsigned slot, uint32_t bytes, const struct nft_value *out[static NFT_ASK_SLOTS],
			 size_t *count)
{
	uint32_t got = 0;

	*count = 0;
	while (got < bytes && slot < NFT_ASK_SLOTS && k->regs[slot].what != NFT_ASKED_NOTHING) {
		out[(*count)++] = &k->regs[slot];
		got += 4 * nft_ask_slots(k->regs[slot].bytes);
		slot += nft_ask_slots(k->regs[slot].bytes);
	}
	return got == bytes;
}

bool nft_ask_meter(struct nft_asking *k, struct nft_attr from, const struct nft_said_set *s, struct nft_ask_limit *out)
{
	const struct nft_value *parts[NFT_ASK_SLOTS];
	const struct nft_value *first = nft_ask_loaded(k, from);
	unsigned slot;
	size_t count = 1;

	if (!first || !nft_ask_slot(from, &slot))
		return false;
	parts[0] = first;
	if (s->key_bytes != first->bytes && !parts_of_key(k, slot, s->key_bytes, parts, &count))
		return false;
	if (count > NFT_KEYS_MOST)
		return false;
	*out = (struct nft_ask_limit){ .set = s, .key_count = count };
	for (size_t i = 0; i < count; i++)
		out->keys[i] = *parts[i];
	return true;
}

bool nft_ask_is_armed(struct nft_asking *k, struct nft_attr from, const struct nft_said_set *s)
{
	struct nft_ask_limit by;

	return s->name && !strcmp(s->name, k->w->family == FAMILY_IP4 ? NFT_ARMED4 : NFT_ARMED6) && nft_ask_meter(k, from, s, &by) &&
	       by.key_count == 2 && by.keys[0].what == NFT_ASKED_DST && by.keys[0].mask == family_max(k->w->family) &&
	       by.keys[1].what == NFT_ASKED_DPORT && by.keys[1].mask == UINT16_MAX;
}

/* A server is among them or is not: each is a world of its own. */
static bool look_up_armed(struct nft_asking *k)
{
	if (k->w->armed == NFT_ARMED_NOT)
		k->out->alts.len = 0;
	return k->w->armed != NFT_ARMED_UNASKED && !k->out->limited && !k->absent.set;
}

/* Of a meter only "it has no place for this one" is understood, and only before a limit. */
static bool look_up_dynamic(struct nft_asking *k, const struct nft_said_set *s, struct nft_attr from, bool inverted)
{
	const struct nft_value *v = nft_ask_loaded(k, from);

	if (s->key_bytes == v->bytes && nft_ask_is_blocked(k, s, v))
		return narrow_blocked(k, inverted);
	if (nft_ask_is_armed(k, from, s))
		return !inverted && look_up_armed(k);
	return inverted && !k->absent.set && !k->out->limited && nft_ask_meter(k, from, s, &k->absent);
}

static bool narrow_element(struct nft_asking *k, const struct nft_said_element *e, const struct nft_value *const *parts,
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
		at += 4 * nft_ask_slots(parts[p]->bytes);
	}
	leads_to(k, all, &cells, &e->to);
	return true;
}

static bool look_up_parts(struct nft_asking *k, const struct nft_said_set *s, unsigned slot, struct nft_answer *all)
{
	const struct nft_value *parts[NFT_ASK_SLOTS];
	size_t count;

	if (s->rest || !parts_of_key(k, slot, s->key_bytes, parts, &count))
		return false;
	for (size_t i = 0; i < s->elements.len; i++)
		if (!narrow_element(k, &s->elements.at[i], parts, count, all))
			return false;
	return true;
}

static bool take_alts(struct nft_asking *k, const struct nft_answer *all)
{
	k->out->asked = true;
	k->out->alts.at = all->alts.at;
	k->out->alts.len = all->alts.len;
	k->out->alts.room = all->alts.room;
	return true;
}

/* A map of counters: what it has not is not counted, and does not go on. */
bool nft_ask_count_by_map(struct nft_asking *k, const struct nft_attr *at)
{
	const struct nft_value *v = nft_ask_loaded(k, at[NFTA_OBJREF_SET_SREG]);
	const char *name = nft_attr_text(k->w->arena, at[NFTA_OBJREF_SET_NAME]);
	const struct nft_said_set *s;
	struct nft_answer all = { 0 };
	uint32_t id;
	unsigned slot;

	if (!v || !name || k->out->counter || k->out->mapped || k->out->limited || k->absent.set ||
	    !nft_attr_u32_or_none(at[NFTA_OBJREF_SET_ID], &id) || !(s = nft_said_set(k->w->said, name, id)) || !s->counts ||
	    !nft_ask_slot(at[NFTA_OBJREF_SET_SREG], &slot))
		return false;
	k->out->mapped = true;
	if (s->concat || s->key_bytes != v->bytes)
		return look_up_parts(k, s, slot, &all) && take_alts(k, &all);
	return look_up_map(k, s, v, &all) && take_alts(k, &all);
}

bool nft_ask_lookup(struct nft_asking *k, const struct nft_attr *at)
{
	const struct nft_value *v = nft_ask_loaded(k, at[NFTA_LOOKUP_SREG]);
	const char *name = nft_attr_text(k->w->arena, at[NFTA_LOOKUP_SET]);
	const struct nft_said_set *s;
	const struct addr_range *ranges;
	struct nft_answer all = { 0 };
	uint32_t id, flags;
	unsigned slot;

	if (!v || !name || !nft_attr_u32_or_none(at[NFTA_LOOKUP_SET_ID], &id) ||
	    !nft_attr_u32_or_none(at[NFTA_LOOKUP_FLAGS], &flags) || (flags & ~(uint32_t)NFT_LOOKUP_F_INV) ||
	    !(s = nft_said_set(k->w->said, name, id)) || !nft_ask_slot(at[NFTA_LOOKUP_SREG], &slot))
		return false;
	if (s->map != (at[NFTA_LOOKUP_DREG].at != NULL) || s->counts || k->out->mapped ||
	    (s->map && (flags || k->out->limited)))
		return false;
	if (s->map && !nft_attr_says(at[NFTA_LOOKUP_DREG], NFT_REG_VERDICT))
		return false;
	k->ended = s->map;
	if (s->dynamic)
		return look_up_dynamic(k, s, at[NFTA_LOOKUP_SREG], flags);
	if (s->concat || s->key_bytes != v->bytes)
		return !flags && !k->out->limited && look_up_parts(k, s, slot, &all) && take_alts(k, &all);
	if (s->feed)
		return look_up_feed(k, s, v, flags);
	if (s->map)
		return look_up_map(k, s, v, &all) && take_alts(k, &all);
	ranges = s->ranges;
	if (!ranges_as_loaded(k, v, &ranges, s->range_count))
		return false;
	return flags ? narrow_others(k, v, ranges, s->range_count) : narrow_all(k, v, ranges, s->range_count);
}
