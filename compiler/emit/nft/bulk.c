#include "compiler/emit/nft/bulk.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/desk.h"
#include "compiler/emit/nft/grow.h"
#include "compiler/emit/nft/layers.h"
#include "compiler/emit/nft/terse.h"
#include "compiler/emit/nft/tree.h"

/* Of a box: what it asks, and in which words. */
struct found {
	const struct ir_rule *rule;
	const struct nft_box *box;
	struct nft_way way;
	const char *counter;
	const char *told; /* its chain, where it is told of by name; NULL so far */
};

#define SPANS_KNOWN 1024u

struct bulk {
	struct nft_maker *mk;
	struct arena *a; /* of all that is dropped once there are chains */
	const struct nft_site *site;
	nft_bulk_ends ends;
	const char *counter; /* of the rule whose items are being found */
	VEC(struct found) found;
	VEC(struct nft_item) items;
	struct nft_desk desk; /* leaves' rules */
	size_t parts; /* of items that are one but for the blocks of a set */
	bool in_trees;
	bool terse;   /* so many that what they take to load counts for more than how they read */
	struct strmap beside; /* numbers of what items ask beside the axes, by its text */
	struct strmap leaves; /* chains, by what stands in them */
	const struct addr_range *spans[SPANS_KNOWN]; /* of ports and protocols, those that were asked last */
};

/* --- items --------------------------------------------------------------------------------------- */

static const struct addr_range all_addresses = { 0, ~(addr_num)0 }, all_ports = { 0, UINT16_MAX }, all_protos = { 0, UINT8_MAX };

static struct nft_spans spans_of_family(int family)
{
	static const struct addr_range all[] = { { FAMILY_IP4, FAMILY_IP4 }, { FAMILY_IP6, FAMILY_IP6 }, { 0, FAMILY_COUNT - 1 } };

	return (struct nft_spans){ &all[family < 0 ? FAMILY_COUNT : family], 1 };
}

/* One range, of which there are many alike. */
static struct nft_spans span_of(struct bulk *k, struct range r)
{
	const struct addr_range **known = &k->spans[(r.lo * 31u + r.hi) % SPANS_KNOWN], is = { r.lo, r.hi };

	if (!*known || (*known)->lo != is.lo || (*known)->hi != is.hi)
		*known = arena_copy(k->a, &is, sizeof is);
	return (struct nft_spans){ *known, 1 };
}

static struct nft_spans spans_of(struct bulk *k, const struct ranges *r, const struct addr_range *all)
{
	const addr_num last = all->hi;
	struct addr_range *at;
	size_t len = 0;

	if (ranges_are_all(r))
		return (struct nft_spans){ all, 1 };
	if (r->len == 1 && r->at->hi <= last)
		return span_of(k, *r->at);
	at = arena_zero(k->a, r->len * sizeof *at);
	for (size_t i = 0; i < r->len && r->at[i].lo <= last; i++)
		at[len++] = (struct addr_range){ r->at[i].lo, r->at[i].hi < last ? r->at[i].hi : last };
	return (struct nft_spans){ at, len };
}

static struct nft_spans spans_of_end(const struct ir_end *e, const struct nft_way *w, bool src)
{
	const struct netset *set;

	if ((src ? w->src : w->dst) != NFT_END_SET)
		return (struct nft_spans){ &all_addresses, 1 };
	set = nft_way_set(w, e, src);
	return (struct nft_spans){ set->at[w->family], set->len[w->family] };
}

/* Most items ask and end as the one before them. */
static bool is_beside_last(const struct bulk *k, const struct found *f)
{
	const struct found *last = k->found.len ? &k->found.at[k->found.len - 1] : NULL;
	const struct ir_box *b = f->box->box, *was = last ? last->box->box : NULL;
	const struct ir_rule *r = f->rule, *before = last ? last->rule : NULL;

	return last && ranges_are_all(&b->icmp) && ranges_are_all(&was->icmp) && b->zones == was->zones && !b->flags_mask &&
	       !was->flags_mask && (f->way.src == NFT_END_SELF) == (last->way.src == NFT_END_SELF) &&
	       (f->way.dst == NFT_END_SELF) == (last->way.dst == NFT_END_SELF) && r->verdict == before->verdict &&
	       r->block_ns == before->block_ns && !r->effects.log && !before->effects.log && !r->effects.emits &&
	       !before->effects.emits && nft_drop_is_told(k->mk, r) == nft_drop_is_told(k->mk, before);
}

/* Equal for items that ask the same beside the axes, and end alike. */
static uint32_t beside_number(struct bulk *k, const struct found *f)
{
	const struct ir_box *b = f->box->box;
	const struct ir_rule *r = f->rule;
	const uint64_t asked[] = { b->zones, b->flags_mask, b->flags_want, f->way.src == NFT_END_SELF, f->way.dst == NFT_END_SELF,
				   r->verdict, r->block_ns };
	own(buf) struct buf text = { 0 };

	if (is_beside_last(k, f))
		return k->items.at[k->items.len - 1].beside;

	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		buf_putc(&text, ' ');
		buf_number(&text, asked[i]);
	}
	for (size_t i = 0; !ranges_are_all(&b->icmp) && i < b->icmp.len; i++)
		buf_printf(&text, " %x-%x", b->icmp.at[i].lo, b->icmp.at[i].hi);
	if (r->effects.log)
		buf_printf(&text, " %s", r->effects.log);
	if (r->effects.emits)
		buf_printf(&text, " tells %s", r->id);
	else if (nft_drop_is_told(k->mk, r))
		buf_puts(&text, " is told of");

	void *known = strmap_find(&k->beside, buf_text(&text));
	if (!known) {
		known = (void *)(uintptr_t)(k->beside.entries.len + 1);
		strmap_put(&k->beside, arena_strdup(k->a, buf_text(&text)), known);
	}
	return (uint32_t)(uintptr_t)known;
}

static void note_found(struct nft_spread *s, const struct nft_way *w)
{
	struct bulk *k = s->finder;
	struct arena *a = k->a;
	const struct ir_box *b = s->box->box;
	const struct found f = { s->rule, s->box, *w, k->counter, NULL };
	const unsigned self = (w->src == NFT_END_SELF ? NFT_DECIDED_SRC : 0) | (w->dst == NFT_END_SELF ? NFT_DECIDED_DST : 0);
	const bool icmp = !ranges_are_all(&b->icmp);
	const struct nft_item it = {
		.on = {
			[NFT_AXIS_FAMILY] = spans_of_family(w->family),
			[NFT_AXIS_PROTO] = spans_of(k, &s->box->protos, &all_protos),
			[NFT_AXIS_SRC] = spans_of_end(&b->src, w, true),
			[NFT_AXIS_DST] = spans_of_end(&b->dst, w, false),
			[NFT_AXIS_SPORT] = spans_of(k, &b->sport, &all_ports),
			[NFT_AXIS_DPORT] = spans_of(k, &b->dport, &all_ports),
		},
		.self = self,
		.beside = beside_number(k, &f),
		.plain = b->zones == UINT64_MAX && !b->flags_mask && !self && !icmp,
		.grouped = !s->rule->effects.log && !s->rule->effects.emits && !icmp,
	};

	vec_push(a, &k->found, f);
	vec_push(a, &k->items, it);
	k->parts += w->again;
}

static int find_all(struct bulk *k, const struct ir_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct nft_spread s = { .mk = k->mk, .a = k->a, .site = k->site, .rule = &rules[i], .found = note_found, .finder = k };

		k->counter = nft_counter_at(k->mk, rules[i].id); /* a rule without boxes is counted too: never */
		if (nft_spread(&s))
			return k->mk->why->code;
	}
	return 0;
}

/* Rules that are told of by name have a chain each, which counts. */
static const char *told_chain(struct bulk *k, struct found *f)
{
	if (!f->told)
		f->told = nft_told_chain(k->mk, f->rule);
	return f->told;
}

/* --- one rule a line --------------------------------------------------------------------------------- */

static void put_item(struct bulk *k, struct nft_chain *c, uint32_t item, unsigned decided, const struct ir_rule **said)
{
	struct found *f = &k->found.at[item];
	struct nft_rule r = { 0 };

	nft_ask_way(k->mk, &r, k->site->interface, f->box, &f->way, decided);
	if (k->terse)
		nft_terse(&r, &f->way, decided);
	if (k->in_trees && nft_drop_is_told(k->mk, f->rule)) {
		nft_ends_in(k->mk, &r, NFT_FATE_GOTO, told_chain(k, f));
	} else {
		nft_count_at(k->mk, &r, f->counter);
		k->ends(k->mk, &r, f->rule);
	}
	nft_put_rule(k->mk, c, r, *said == f->rule ? NULL : f->rule->is_default ? "default" : f->rule->label);
	*said = f->rule;
}

static void put_list(struct bulk *k, struct nft_chain *c)
{
	const struct ir_rule *said = NULL;

	for (uint32_t i = 0; i < k->items.len; i++)
		put_item(k, c, i, 0, &said);
}

/* --- maps ---------------------------------------------------------------------------------------------- */

static enum nft_field field_of(const struct bulk *k, enum nft_axis x, addr_num family)
{
	const bool ip4 = family == FAMILY_IP4;

	switch (x) {
	case NFT_AXIS_FAMILY:
		return k->mk->table->kind == NFT_TABLE_INET ? NFT_FIELD_NFPROTO : NFT_FIELD_PROTOCOL;
	case NFT_AXIS_PROTO:
		return NFT_FIELD_L4PROTO;
	case NFT_AXIS_SRC:
		return ip4 ? NFT_FIELD_IP_SADDR : NFT_FIELD_IP6_SADDR;
	case NFT_AXIS_DST:
		return ip4 ? NFT_FIELD_IP_DADDR : NFT_FIELD_IP6_DADDR;
	case NFT_AXIS_SPORT:
		return NFT_FIELD_SPORT;
	case NFT_AXIS_DPORT:
		return NFT_FIELD_DPORT;
	case NFT_AXES:
		break;
	}
	return NFT_FIELD_COUNT;
}

/* A place where a range begins, of the item that is first there. */
struct painted {
	addr_num lo, hi;
	uint32_t item;
};

static int by_begin(const void *x, const void *y)
{
	const struct painted *a = x, *b = y;

	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->item < b->item ? -1 : a->item > b->item;
}

static int by_number(const void *x, const void *y)
{
	const addr_num *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

typedef VEC(struct painted) paintings;

/* Of each value the first item that has it: pieces between the ends of ranges, each painted once. */
static paintings paint(const struct bulk *k, struct arena *a, const struct nft_group *g, enum nft_axis x)
{
	VEC(addr_num) cuts = { 0 };
	paintings out = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < g->len; i++)
		for (size_t s = 0; s < k->items.at[g->items[i]].on[x].len; s++) {
			const struct addr_range r = k->items.at[g->items[i]].on[x].at[s];

			vec_push(a, &cuts, r.lo);
			if (r.hi != ~(addr_num)0)
				vec_push(a, &cuts, r.hi + 1);
		}
	qsort(cuts.at, cuts.len, sizeof *cuts.at, by_number);
	for (size_t i = 0; i < cuts.len; i++)
		if (!count || cuts.at[count - 1] != cuts.at[i])
			cuts.at[count++] = cuts.at[i];

	size_t *free_from = arena_zero(a, (count + 1) * sizeof *free_from); /* the first piece from here on without paint */
	for (size_t i = 0; i <= count; i++)
		free_from[i] = i;
	for (size_t i = 0; i < g->len; i++)
		for (size_t s = 0; s < k->items.at[g->items[i]].on[x].len; s++) {
			const struct addr_range r = k->items.at[g->items[i]].on[x].at[s];
			size_t at = (size_t)((addr_num *)bsearch(&r.lo, cuts.at, count, sizeof *cuts.at, by_number) - cuts.at);

			while (true) {
				while (free_from[at] != at)
					at = free_from[at] = free_from[free_from[at]];
				if (at == count || cuts.at[at] > r.hi)
					break;
				vec_push(a, &out,
					 ((struct painted){ cuts.at[at], at + 1 < count ? cuts.at[at + 1] - 1 : r.hi, g->items[i] }));
				free_from[at] = at + 1;
			}
		}
	qsort(out.at, out.len, sizeof *out.at, by_begin);
	return out;
}

static struct nft_lead lead_of(struct bulk *k, uint32_t item)
{
	struct found *f = &k->found.at[item];

	if (nft_drop_is_told(k->mk, f->rule))
		return (struct nft_lead){ NFT_FATE_GOTO, told_chain(k, f) };
	return (struct nft_lead){ .name = f->counter };
}

/* Neighbours that count as one rule are one range. */
static void fill_ranges(struct bulk *k, struct nft_set *s, const paintings *p)
{
	struct addr_range *ranges = arena_zero(k->mk->arena, (p->len + 1) * sizeof *ranges);
	struct nft_lead *to = arena_zero(k->mk->arena, (p->len + 1) * sizeof *to);

	for (size_t i = 0; i < p->len; i++) {
		const struct nft_lead lead = lead_of(k, p->at[i].item);

		if (s->count && ranges[s->count - 1].hi + 1 == p->at[i].lo && to[s->count - 1].name == lead.name) {
			ranges[s->count - 1].hi = p->at[i].hi;
			continue;
		}
		to[s->count] = lead;
		ranges[s->count++] = (struct addr_range){ p->at[i].lo, p->at[i].hi };
	}
	for (size_t i = 0; i < s->count; i++)
		s->interval |= ranges[i].lo != ranges[i].hi;
	s->ranges = ranges;
	s->to = to;
}

struct keyed {
	addr_num at[NFT_PARTS_MOST];
	uint32_t item;
};

static int by_key(const void *x, const void *y)
{
	const struct keyed *a = x, *b = y;

	for (unsigned i = 0; i < NFT_PARTS_MOST; i++)
		if (a->at[i] != b->at[i])
			return a->at[i] < b->at[i] ? -1 : 1;
	return a->item < b->item ? -1 : a->item > b->item;
}

typedef VEC(struct keyed) keys_made;

/* What a map's keys are put together of: of each axis every so many values are one, under its mask. */
struct key_axes {
	enum nft_axis at[NFT_PARTS_MOST];
	addr_num step[NFT_PARTS_MOST];
	unsigned count;
};

static void push_keys(struct arena *a, keys_made *out, const struct nft_item *it, const struct key_axes *axes, unsigned at,
		      struct keyed key)
{
	if (at == axes->count) {
		vec_push(a, out, key);
		return;
	}
	const struct nft_spans *on = &it->on[axes->at[at]];
	for (size_t i = 0; i < on->len; i++)
		for (addr_num v = on->at[i].lo;; v += axes->step[at]) {
			key.at[at] = v;
			push_keys(a, out, it, axes, at + 1, key);
			if (on->at[i].hi - v < axes->step[at])
				break;
		}
}

/* Of equal keys the first item's counts. */
static void fill_keys(struct bulk *k, struct nft_set *s, keys_made *made)
{
	const unsigned words = nft_key_words(s);
	uint32_t *keys = arena_zero(k->mk->arena, (made->len * s->part_count * words + 1) * sizeof *keys), *end = keys;
	struct nft_lead *to = arena_zero(k->mk->arena, (made->len + 1) * sizeof *to);

	qsort(made->at, made->len, sizeof *made->at, by_key);
	for (size_t i = 0; i < made->len; i++) {
		if (i && !memcmp(made->at[i].at, made->at[i - 1].at, sizeof made->at[i].at))
			continue;
		for (unsigned w = 0; w < s->part_count * words; w++)
			*end++ = (uint32_t)(made->at[i].at[w / words] >> 32 * (w % words));
		to[s->count++] = lead_of(k, made->at[i].item);
	}
	s->keys = keys;
	s->to = to;
}

static struct nft_key key_of(const struct bulk *k, const struct nft_group *g, enum nft_axis x)
{
	const struct found *f = &k->found.at[g->items[0]];
	struct nft_key key = { .field = field_of(k, x, (addr_num)f->way.family) };
	const enum family family = (enum family)f->way.family;

	if ((x == NFT_AXIS_SRC || x == NFT_AXIS_DST) && g->bits[x] && g->bits[x] < FAMILY_BITS(family)) {
		key.masked = true;
		key.mask = nft_leading_bits(family, g->bits[x]);
	}
	return key;
}

static addr_num step_of(const struct bulk *k, const struct nft_group *g, enum nft_axis x)
{
	const enum family family = (enum family)k->found.at[g->items[0]].way.family;

	if ((x != NFT_AXIS_SRC && x != NFT_AXIS_DST) || !g->bits[x])
		return 1;
	return (addr_num)1 << (FAMILY_BITS(family) - g->bits[x]);
}

static void put_map(struct bulk *k, struct nft_rule *r, const struct nft_group *g, enum nft_leads leads)
{
	own(arena) struct arena *a = arena_new();
	struct nft_expr e = { .kind = NFT_EXPR_LOOK };
	struct nft_set *s = nft_map_new(k->mk, leads);
	struct key_axes axes = { .count = 0 };
	keys_made made = { 0 };

	e.look.keys = arena_zero(k->mk->arena, (size_t)__builtin_popcount(g->axes) * sizeof *e.look.keys);
	for (int x = 0; x < NFT_AXES; x++)
		if (g->axes >> x & 1) {
			axes.at[axes.count] = (enum nft_axis)x;
			axes.step[axes.count++] = step_of(k, g, (enum nft_axis)x);
			e.look.keys[e.look.count] = key_of(k, g, (enum nft_axis)x);
			s->part_types[e.look.count] = nft_fields[e.look.keys[e.look.count].field].type;
			e.look.count++;
		}
	s->type = s->part_types[0];
	e.look.map = s;
	if (e.look.count == 1) {
		paintings p = paint(k, a, g, axes.at[0]);
		fill_ranges(k, s, &p);
	} else {
		s->part_count = e.look.count;
		for (size_t i = 0; i < g->len; i++)
			push_keys(a, &made, &k->items.at[g->items[i]], &axes, 0, (struct keyed){ .item = g->items[i] });
		fill_keys(k, s, &made);
	}
	nft_push(k->mk, r, e);
}

static void put_group(struct bulk *k, struct nft_chain *c, const struct nft_group *g)
{
	const struct found *f = &k->found.at[g->items[0]];
	unsigned decided = g->decided | g->axes;
	struct nft_rule r = { 0 };

	if (g->axes & (NFT_DECIDED_SRC | NFT_DECIDED_DST))
		decided &= ~(unsigned)NFT_DECIDED_FAMILY;
	nft_ask_way(k->mk, &r, k->site->interface, f->box, &f->way, decided);
	if (nft_drop_is_told(k->mk, f->rule)) {
		put_map(k, &r, g, NFT_LEADS_TO_FATE);
	} else {
		put_map(k, &r, g, NFT_LEADS_TO_COUNTER);
		k->ends(k->mk, &r, f->rule);
	}
	nft_put_rule(k->mk, c, r, NULL);
}

/* --- trees ------------------------------------------------------------------------------------------------- */

static const char *chain_of(struct bulk *k, struct nft_node *n, const struct nft_part *p);
static void put_node(struct bulk *k, struct nft_chain *c, const struct nft_node *n, const struct nft_part *p);

static struct nft_chain *chain_new(struct bulk *k)
{
	const char *own_name = k->site->chain->name + strlen("@_");

	return nft_chain_new(k->mk, arena_printf(k->mk->arena, "%s.%zu", own_name, ++k->site->chain->parts), NULL);
}

static void put_leaf(struct bulk *k, struct nft_chain *c, const struct nft_node *n, const struct nft_part *p)
{
	const struct ir_rule *said = NULL;
	size_t count;
	const struct nft_group *groups = nft_groups(&k->desk, p, n->items, &count);

	for (size_t i = 0; i < count; i++) {
		if (groups[i].map)
			put_group(k, c, &groups[i]);
		for (size_t m = 0; !groups[i].map && m < groups[i].len; m++)
			put_item(k, c, groups[i].items[m], groups[i].decided, &said);
	}
}

static struct nft_lead lead_to(struct bulk *k, const struct nft_node *cut, const struct nft_part *p, size_t branch, enum nft_fate fate)
{
	const struct nft_part part = nft_branch_part(cut, p, branch);

	return (struct nft_lead){ fate, chain_of(k, cut->branches[branch].node, &part) };
}

/* A family's number is nft's own, and no range. */
static void put_families(struct bulk *k, struct nft_set *s, const struct nft_node *n, const struct nft_part *p, enum nft_fate fate)
{
	const bool inet = k->mk->table->kind == NFT_TABLE_INET;
	struct addr_range *ranges = arena_zero(k->mk->arena, FAMILY_COUNT * sizeof *ranges);
	struct nft_lead *to = arena_zero(k->mk->arena, FAMILY_COUNT * sizeof *to);

	for (size_t i = 0; i < n->branch_count; i++)
		for (addr_num f = n->branches[i].range.lo; f <= n->branches[i].range.hi; f++) {
			const addr_num v = nft_family_number(inet ? NFT_TABLE_INET : NFT_TABLE_NETDEV, (enum family)f);

			to[s->count] = lead_to(k, n, p, i, fate);
			ranges[s->count++] = (struct addr_range){ v, v };
		}
	s->ranges = ranges;
	s->to = to;
}

/* Neighbours that lead to one chain are one range; blocks are values under a mask, each by itself. */
static void put_branches(struct bulk *k, struct nft_set *s, const struct nft_node *n, const struct nft_part *p, enum nft_fate fate)
{
	const addr_num step = nft_cut_step(n), mask = ~(step - 1);
	const size_t room = nft_cut_elements(n);
	struct addr_range *ranges = arena_zero(k->mk->arena, room * sizeof *ranges);
	struct nft_lead *to = arena_zero(k->mk->arena, room * sizeof *to);

	for (size_t i = 0; i < n->branch_count; i++) {
		const struct nft_lead lead = lead_to(k, n, p, i, fate);
		const struct addr_range r = n->branches[i].range;

		if (!n->bits && s->count && to[s->count - 1].name == lead.name && ranges[s->count - 1].hi + 1 == r.lo) {
			ranges[s->count - 1].hi = r.hi;
			continue;
		}
		for (addr_num v = r.lo & mask;; v += step) {
			ranges[s->count] = (struct addr_range){ v, n->bits ? v : r.hi };
			to[s->count++] = lead;
			if (!n->bits || r.hi - v < step)
				break;
		}
	}
	for (size_t i = 0; i < s->count; i++)
		s->interval |= ranges[i].lo != ranges[i].hi;
	s->ranges = ranges;
	s->to = to;
}

/* What a packet goes to is all that it meets, or, by a jump, it comes back for what stands behind. */
static void put_cut(struct bulk *k, struct nft_chain *c, const struct nft_node *n, const struct nft_part *p, enum nft_fate fate)
{
	struct nft_expr e = { .kind = NFT_EXPR_LOOK };
	struct nft_set *s = nft_map_new(k->mk, NFT_LEADS_TO_FATE);
	struct nft_rule r = { 0 };

	e.look.keys = arena_zero(k->mk->arena, sizeof *e.look.keys);
	e.look.keys->field = field_of(k, n->axis, n->family);
	e.look.keys->masked = nft_cut_step(n) > 1;
	e.look.keys->mask = e.look.keys->masked ? nft_leading_bits(n->family, n->bits) : 0;
	e.look.count = 1;
	e.look.map = s;
	s->type = s->part_types[0] = nft_fields[e.look.keys->field].type;
	if (n->axis == NFT_AXIS_FAMILY)
		put_families(k, s, n, p, fate);
	else
		put_branches(k, s, n, p, fate);
	if (n->axis == NFT_AXIS_SRC || n->axis == NFT_AXIS_DST)
		nft_ask_family(k->mk, &r, n->family);
	nft_push(k->mk, &r, e);
	nft_put_rule(k->mk, c, r, NULL);
}

/* What leaves a tree of a row unmatched comes to the next. */
static void put_in_row(struct bulk *k, struct nft_chain *c, struct nft_node *n, const struct nft_part *p)
{
	if (n->kind == NFT_NODE_LEAF)
		put_leaf(k, c, n, p);
	else if (n->kind == NFT_NODE_CUT && (!n->rest || !n->rest->items.len))
		put_cut(k, c, n, p, NFT_FATE_JUMP);
	else
		nft_put_jump(k->mk, c, chain_of(k, n, p));
}

static void put_row(struct bulk *k, struct nft_chain *c, const struct nft_node *n, const struct nft_part *p)
{
	for (size_t i = 0; i + 1 < n->row_len; i++)
		put_in_row(k, c, n->row[i], p);
	put_node(k, c, n->row[n->row_len - 1], p);
}

static void put_node(struct bulk *k, struct nft_chain *c, const struct nft_node *n, const struct nft_part *p)
{
	switch (n->kind) {
	case NFT_NODE_LEAF:
		put_leaf(k, c, n, p);
		return;
	case NFT_NODE_CUT:
		put_cut(k, c, n, p, NFT_FATE_GOTO);
		if (n->rest)
			put_node(k, c, n->rest, p);
		return;
	case NFT_NODE_ROW:
		put_row(k, c, n, p);
		return;
	}
}

/* What stands in a leaf's chain depends on nothing but this: its items, and what of each is decided, in bytes that are no NUL. */
static const char *leaf_text(struct bulk *k, const struct nft_node *n)
{
	char *text = arena_zero(k->a, 6 * n->items.len + 1), *to = text;

	for (size_t i = 0; i < n->items.len; i++) {
		*to++ = (char)(0x80 | n->items.decided[i]);
		for (unsigned shift = 0; shift < 32; shift += 7)
			*to++ = (char)(0x80 | n->items.at[i] >> shift);
	}
	return text;
}

static const char *chain_of(struct bulk *k, struct nft_node *n, const struct nft_part *p)
{
	const char *text = n->chain || n->kind != NFT_NODE_LEAF ? NULL : leaf_text(k, n);

	if (!n->chain && text)
		n->chain = strmap_find(&k->leaves, text);
	if (n->chain)
		return n->chain;
	struct nft_chain *c = chain_new(k);
	n->chain = c->name;
	if (text)
		strmap_put(&k->leaves, text, (void *)(uintptr_t)c->name);
	put_node(k, c, n, p);
	return c->name;
}

/* --- the list -------------------------------------------------------------------------------------------------- */

/* A packet may leave the trees unmatched only to come back to where it was sent from: not into what stands behind a
 * look-up, which it would not meet. */
static void put_trees(struct bulk *k, bool total)
{
	/* Of some later fragments the kernel names no protocol: epiderme.c. */
	const bool late = k->site->fragments == FRAGMENT_LATER;
	const struct nft_list l = { k->items.at, k->items.len, late ? NFT_DECIDED_PROTO : 0 };
	const struct nft_part all = nft_everything();
	struct nft_trees trees;

	nft_trees_plan(&trees, k->a, &l);
	k->desk = (struct nft_desk){ .a = k->a, .items = k->items.at };
	k->in_trees = true;
	k->terse = k->items.len >= NFT_TERSE_LEAST;
	if (total)
		put_node(k, k->site->chain, trees.root, &all);
	else
		nft_put_jump(k->mk, k->site->chain, chain_of(k, trees.root, &all));
}

static bool takes_everything(const struct nft_item *it)
{
	const struct nft_part all = nft_everything();

	return nft_takes_all(it, &all);
}

int nft_bulk_lower(struct nft_maker *mk, const struct nft_site *site, const struct ir_rule *rules, size_t count,
		   nft_bulk_ends ends)
{
	own(arena) struct arena *scratch = arena_new();
	struct bulk k = { .mk = mk, .a = scratch, .site = site, .ends = ends };

	strmap_init(&k.beside, scratch);
	strmap_init(&k.leaves, scratch);
	if (find_all(&k, rules, count))
		return mk->why->code;
	if (k.items.len - k.parts < NFT_BULK_LEAST)
		put_list(&k, site->chain);
	else
		put_trees(&k, takes_everything(&k.items.at[k.items.len - 1]));
	return 0;
}
