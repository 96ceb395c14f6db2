/* items - boxes as items: spans on each axis, and a number for what they ask beside these. */
#include "compiler/emit/nft/bulk/parts.h"

#include <string.h>

#include "compiler/emit/nft/layers.h"

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

int bulk_find(struct bulk *k, const struct ir_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct nft_spread s = { .mk = k->mk, .a = k->a, .site = k->site, .rule = &rules[i], .found = note_found, .finder = k };

		k->counter = nft_counter_at(k->mk, rules[i].id); /* a rule without boxes is counted too: never */
		if (nft_spread(&s))
			return k->mk->why->code;
	}
	return 0;
}

const char *bulk_told_chain(struct bulk *k, struct found *f)
{
	if (!f->told)
		f->told = nft_told_chain(k->mk, f->rule);
	return f->told;
}
