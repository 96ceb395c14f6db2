#include "compiler/emit/nft/bulk/parts.h"

#include <string.h>

#include "compiler/emit/nft/bulk/terse.h"
#include "compiler/emit/nft/layers.h"
#include "compiler/emit/nft/tree/grow.h"
#include "compiler/emit/nft/tree/tree.h"

/* --- one rule a line --------------------------------------------------------------------------------- */

static void put_item(struct bulk *k, struct nft_chain *c, uint32_t item, unsigned decided, const struct ir_rule **said)
{
	struct found *f = &k->found.at[item];
	struct nft_rule r = { 0 };

	nft_ask_way(k->mk, &r, k->site->interface, f->box, &f->way, decided);
	if (k->terse)
		nft_terse(&r, &f->way, decided);
	if (k->in_trees && nft_drop_is_told(k->mk, f->rule)) {
		nft_ends_in(k->mk, &r, NFT_FATE_GOTO, bulk_told_chain(k, f));
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
			bulk_put_group(k, c, &groups[i]);
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
	e.look.keys->field = bulk_field(k, n->axis, n->family);
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
	if (bulk_find(&k, rules, count))
		return mk->why->code;
	if (k.items.len - k.parts < NFT_BULK_LEAST)
		put_list(&k, site->chain);
	else
		put_trees(&k, takes_everything(&k.items.at[k.items.len - 1]));
	return 0;
}
