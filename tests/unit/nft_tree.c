/* Trees of long lists decide every packet as the list does, and keep within what the kernel takes. */
#include <string.h>

#include "compiler/emit/nft/tree/desk.h"
#include "compiler/emit/nft/tree/keys.h"
#include "compiler/emit/nft/tree/tree.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define MOST 700

struct point {
	addr_num at[NFT_AXES];
	uint32_t beside; /* the only other question that it passes */
};

static struct nft_spans span(struct arena *a, addr_num lo, addr_num hi)
{
	struct addr_range r = { lo, hi };

	return (struct nft_spans){ arena_copy(a, &r, sizeof r), 1 };
}

/* Prefixes of a small world of /8, so that they nest; some items speak of several. */
static struct nft_spans some_addresses(struct gen *g, struct arena *a, unsigned bits)
{
	const unsigned count = gen_chance(g, 15) ? 2 : 1;
	struct addr_range *at = arena_zero(a, count * sizeof *at);
	addr_num next = gen_below(g, 1u << 16);

	for (unsigned i = 0; i < count; i++) {
		const addr_num size = (addr_num)1 << (32 - bits), lo = (next << 8) & ~(size - 1);

		at[i] = (struct addr_range){ lo, lo + size - 1 };
		next = (at[i].hi >> 8) + 2 + gen_below(g, 300);
	}
	return (struct nft_spans){ at, count };
}

static struct nft_spans some_end(struct gen *g, struct arena *a, bool *is4)
{
	static const unsigned bits[] = { 32, 32, 28, 24, 16, 12 };

	if (gen_chance(g, 35))
		return span(a, 0, ~(addr_num)0);
	*is4 = true;
	return some_addresses(g, a, bits[gen_below(g, 6)]);
}

static struct nft_spans some_ports(struct gen *g, struct arena *a)
{
	const addr_num lo = gen_below(g, 200);

	switch (gen_below(g, 4)) {
	case 0:
		return span(a, lo, lo);
	case 1:
		return span(a, lo, lo + gen_below(g, 4));
	case 2:
		return span(a, lo, UINT16_MAX);
	}
	return span(a, 0, UINT16_MAX);
}

static struct nft_item some_item(struct gen *g, struct arena *a)
{
	static const addr_num protos[] = { 6, 17, 1 };
	struct nft_item it = { .beside = gen_below(g, 3), .grouped = gen_chance(g, 90) };
	bool is4 = gen_chance(g, 70);

	it.plain = !it.beside;
	it.on[NFT_AXIS_SRC] = some_end(g, a, &is4);
	it.on[NFT_AXIS_DST] = some_end(g, a, &is4);
	it.on[NFT_AXIS_FAMILY] = span(a, 0, is4 ? 0 : 1);
	it.on[NFT_AXIS_PROTO] = span(a, 0, UINT8_MAX);
	it.on[NFT_AXIS_SPORT] = it.on[NFT_AXIS_DPORT] = span(a, 0, UINT16_MAX);
	if (gen_chance(g, 20))
		return it;
	const addr_num proto = protos[gen_below(g, 3)];
	it.on[NFT_AXIS_PROTO] = span(a, proto, proto);
	if (proto != 1) {
		it.on[NFT_AXIS_DPORT] = some_ports(g, a);
		it.on[NFT_AXIS_SPORT] = gen_chance(g, 20) ? some_ports(g, a) : it.on[NFT_AXIS_SPORT];
	}
	return it;
}

/* One of many that ask alike, some of which meet. */
static struct nft_item alike_item(struct gen *g, struct arena *a)
{
	struct nft_item it = some_item(g, a);
	const addr_num port = gen_below(g, 50), host = gen_below(g, 40);

	it.beside = 0;
	it.plain = it.grouped = true;
	it.on[NFT_AXIS_FAMILY] = span(a, 0, 0);
	it.on[NFT_AXIS_PROTO] = span(a, 6, 6);
	it.on[NFT_AXIS_DST] = span(a, 0, ~(addr_num)0);
	it.on[NFT_AXIS_SRC] = span(a, host, host);
	it.on[NFT_AXIS_SPORT] = span(a, 0, UINT16_MAX);
	it.on[NFT_AXIS_DPORT] = span(a, port, port + gen_below(g, 2));
	return it;
}

static struct nft_item everything(struct arena *a)
{
	struct nft_item it = { .plain = true, .grouped = true };

	for (int x = 0; x < NFT_AXES; x++)
		it.on[x] = span(a, 0, x < NFT_AXIS_SRC ? (x ? UINT8_MAX : 1) : x < NFT_AXIS_SPORT ? ~(addr_num)0 : UINT16_MAX);
	return it;
}

/* In an item, or one step beside it. */
static struct point some_point(struct gen *g, const struct nft_item *items, size_t count)
{
	const struct nft_item *it = &items[gen_below(g, (unsigned)count)];
	struct point p = { .beside = gen_below(g, 3) };

	for (int x = 0; x < NFT_AXES; x++) {
		const struct addr_range r = it->on[x].at[gen_below(g, (unsigned)it->on[x].len)];

		p.at[x] = gen_chance(g, 50) ? r.lo : r.hi;
		if (gen_chance(g, 10))
			p.at[x] += gen_chance(g, 50) ? 1 : (addr_num)-1;
	}
	p.at[NFT_AXIS_FAMILY] &= 1;
	p.at[NFT_AXIS_PROTO] = p.at[NFT_AXIS_PROTO] == 6 || gen_chance(g, 40) ? 6 : p.at[NFT_AXIS_PROTO] & UINT8_MAX;
	if (p.at[NFT_AXIS_FAMILY] == 0) {
		p.at[NFT_AXIS_SRC] &= UINT32_MAX;
		p.at[NFT_AXIS_DST] &= UINT32_MAX;
	}
	p.at[NFT_AXIS_SPORT] &= UINT16_MAX;
	p.at[NFT_AXIS_DPORT] &= UINT16_MAX;
	return p;
}

static bool has(const struct nft_item *it, const struct point *p)
{
	for (int x = 0; x < NFT_AXES; x++) {
		size_t i = 0;

		while (i < it->on[x].len && (p->at[x] < it->on[x].at[i].lo || p->at[x] > it->on[x].at[i].hi))
			i++;
		if (i == it->on[x].len)
			return false;
	}
	return it->plain || it->beside == p->beside;
}

static size_t by_list(const struct nft_item *items, size_t count, const struct point *p)
{
	for (size_t i = 0; i < count; i++)
		if (has(&items[i], p))
			return i;
	return SIZE_MAX;
}

static size_t deepest, mapped;

/* A rule of a leaf does not ask again what the way to it has decided. */
static size_t by_leaf(const struct nft_item *items, const struct nft_node *n, const struct nft_part *part, const struct point *p)
{
	own(arena) struct arena *a = arena_new();
	size_t count;
	struct nft_desk desk = { .a = a, .items = items };
	struct nft_group *groups = nft_groups(&desk, part, n->items, &count);

	for (size_t i = 0; i < count; i++) {
		mapped += groups[i].map;
		for (size_t k = 0; k < groups[i].len; k++) {
			struct nft_item it = items[groups[i].items[k]];
			const unsigned decided = nft_decided(&it, part);
			struct addr_range here[NFT_AXES];

			for (int x = 0; x < NFT_AXES; x++) {
				here[x] = (struct addr_range){ p->at[x], p->at[x] };
				if (decided >> x & 1)
					it.on[x] = (struct nft_spans){ &here[x], 1 };
			}
			if (has(&it, p))
				return groups[i].items[k];
		}
	}
	return SIZE_MAX;
}

static size_t by_node(const struct nft_item *items, const struct nft_node *n, const struct nft_part *part, const struct point *p, size_t depth);

static size_t by_row(const struct nft_item *items, const struct nft_node *n, const struct nft_part *part, const struct point *p, size_t depth)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < n->row_len && found == SIZE_MAX; i++)
		found = by_node(items, n->row[i], part, p, depth + 1);
	return found;
}

static size_t by_node(const struct nft_item *items, const struct nft_node *n, const struct nft_part *part, const struct point *p, size_t depth)
{
	deepest = depth > deepest ? depth : deepest;
	switch (n->kind) {
	case NFT_NODE_LEAF:
		return by_leaf(items, n, part, p);
	case NFT_NODE_ROW:
		return by_row(items, n, part, p, depth);
	case NFT_NODE_CUT:
		break;
	}
	for (size_t i = 0; i < n->branch_count; i++)
		if (p->at[n->axis] >= n->branches[i].range.lo && p->at[n->axis] <= n->branches[i].range.hi) {
			const struct nft_part branch = nft_branch_part(n, part, i);

			return by_node(items, n->branches[i].node, &branch, p, depth + 1);
		}
	return n->rest ? by_node(items, n->rest, part, p, depth + 1) : SIZE_MAX;
}

static void one_list(unsigned seed, size_t count, bool total, bool *same)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct nft_item *items = arena_zero(a, count * sizeof *items);
	const struct nft_part all = nft_everything();
	struct nft_trees t;

	for (size_t i = 0; i < count; i++)
		items[i] = total && i + 1 == count ? everything(a) : gen_chance(&g, seed % 2 * 60) ? alike_item(&g, a) : some_item(&g, a);
	nft_trees_plan(&t, a, &(struct nft_list){ items, count, seed % 4 ? 0 : 1u << NFT_AXIS_PROTO });
	for (unsigned i = 0; i < 600 && *same; i++) {
		const struct point p = some_point(&g, items, count);
		const size_t want = by_list(items, count, &p), got = by_node(items, t.root, &all, &p, 1);

		*same = want == got;
		if (!*same)
			tap_note("list %u of %zu: point %u is decided by %zd, not by %zd", seed, count, i, (ssize_t)got, (ssize_t)want);
	}
}

static void trees_decide_as_lists(void)
{
	static const size_t sizes[] = { 1, 2, 17, 60, 200, MOST };
	unsigned lists = 0;
	bool same = true;

	for (unsigned seed = 1; seed <= 40 && same; seed++)
		for (size_t s = 0; s < ARRAY_LEN(sizes) && same; s++, lists++)
			one_list(seed, sizes[s], seed % 3, &same);
	tap_ok(same, "of %u lists, trees decide as first match does", lists);
	tap_ok(mapped > 1000, "%zu times by way of a map", mapped);
	tap_ok(deepest > 3, "%zu nodes deep", deepest);
	tap_ok(deepest <= 10, "so that the kernel follows it: 16 chains, with those before and behind");
}

/* 2,000 hosts with a port each, all accepted: one look-up, not 2,000 rules. */
static void alike_rules_are_one_map(void)
{
	own(arena) struct arena *a = arena_new();
	struct nft_item *items = arena_zero(a, 2001 * sizeof *items);
	struct nft_trees t;
	size_t count = 0;

	for (size_t i = 0; i <= 2000; i++) {
		items[i] = everything(a);
		if (i == 2000)
			break;
		items[i].on[NFT_AXIS_FAMILY] = span(a, 0, 0);
		items[i].on[NFT_AXIS_PROTO] = span(a, 6, 6);
		items[i].on[NFT_AXIS_SRC] = span(a, 0x0a000000 + i * 16, 0x0a00000f + i * 16);
		items[i].on[NFT_AXIS_DPORT] = span(a, 1000 + i, 1000 + i);
	}
	nft_trees_plan(&t, a, &(struct nft_list){ items, 2001, 0 });
	if (!tap_ok(t.root->kind == NFT_NODE_LEAF, "2,000 rules of a host and a port are one leaf"))
		return;
	const struct nft_part all = nft_everything();
	struct nft_desk desk = { .a = a, .items = items };
	struct nft_group *groups = nft_groups(&desk, &all, t.root->items, &count);
	tap_ok(count <= 2, "of a map, and perhaps the default");
	tap_ok(groups[0].map && groups[0].len == 2000 && groups[0].axes == (1u << NFT_AXIS_SRC | 1u << NFT_AXIS_DPORT) &&
		       groups[0].bits[NFT_AXIS_SRC] == 28, "by 28 bits of the source, and the port: their one protocol is asked before");
}

/* Prefixes from `bits` on, of one source and one destination, to one port. */
static struct nft_item between(struct arena *a, size_t i, unsigned src, unsigned dst)
{
	struct nft_item it = everything(a);
	const addr_num from = (addr_num)(i * 64), to = (addr_num)0x0a000000 + (addr_num)(i * 128);

	it.on[NFT_AXIS_FAMILY] = span(a, 0, 0);
	it.on[NFT_AXIS_PROTO] = span(a, 6, 6);
	it.on[NFT_AXIS_SRC] = span(a, from, from + ((addr_num)1 << (32 - src)) - 1);
	it.on[NFT_AXIS_DST] = span(a, to, to + ((addr_num)1 << (32 - dst)) - 1);
	it.on[NFT_AXIS_DPORT] = span(a, 443, 443);
	return it;
}

static void lengths_are_chosen_for_many(void)
{
	own(arena) struct arena *a = arena_new();
	struct nft_item items[600];
	bool joined = true, apart = true;

	for (size_t i = 0; i < 600; i++)
		items[i] = i < 500 ? between(a, i, 28 + i % 3, 30 + i % 2) : between(a, i, 26, 27);
	nft_keys_choose(items, 600);
	for (size_t i = 0; i < 600; i++) {
		joined &= i >= 500 || (items[i].keyed[0] == 30 && items[i].keyed[1] == 31);
		apart &= i < 500 || items[i].keyed[0] != 30;
	}
	tap_ok(joined, "500 rules of networks of 28 to 30, and 30 to 31 bits, share a map of 30 and 31");
	tap_ok(apart, "those of much shorter ones do not stand in it");
	nft_keys_choose(items, 0);
	for (size_t i = 0; i < 600; i++)
		items[i].keyed[0] = items[i].keyed[1] = 0;
	nft_keys_choose(items, 30);
	tap_num(items[0].keyed[0], 0, "for 30 rules no map is worth its look-up");
}

/* So many hosts, of which no two are neighbours. */
static struct nft_spans hosts(struct arena *a, addr_num from, size_t count)
{
	struct addr_range *at = arena_zero(a, count * sizeof *at);

	for (size_t i = 0; i < count; i++)
		at[i] = (struct addr_range){ from + 2 * i, from + 2 * i };
	return (struct nft_spans){ at, count };
}

/* 16 hosts to 16 hosts are 256 keys, which a byte would hold as none. */
static void too_many_keys_are_not_none(void)
{
	own(arena) struct arena *a = arena_new();
	struct nft_item items[400];
	bool asks_none = true, few = true;

	for (size_t i = 0; i < 400; i++) {
		items[i] = between(a, i, 32, 32);
		items[i].on[NFT_AXIS_SRC] = hosts(a, (addr_num)(i * 64), i < 200 ? 16 : 2);
		items[i].on[NFT_AXIS_DST] = hosts(a, (addr_num)(0x0a000000 + i * 64), i < 200 ? 16 : 1);
	}
	nft_keys_choose(items, 400);
	for (size_t i = 0; i < 400; i++) {
		asks_none &= i >= 200 || (!items[i].keyed[0] && !items[i].keyed[1]);
		few &= i < 200 || (items[i].keyed[0] == 32 && items[i].keyed[1] == 32);
	}
	tap_ok(asks_none, "rules of 16 hosts to 16 hosts have no place in a map's keys");
	tap_ok(few, "those of 2 to one have");
}

/* Rules of TCP and of UDP ask alike where the protocol is a part of the key. */
static void protocols_share_a_map(void)
{
	own(arena) struct arena *a = arena_new();
	struct nft_item *items = arena_zero(a, 401 * sizeof *items);
	struct nft_trees t;
	size_t count = 0;

	for (size_t i = 0; i < 400; i++) {
		items[i] = between(a, i, 32, 32);
		items[i].on[NFT_AXIS_PROTO] = span(a, i % 2 ? 17 : 6, i % 2 ? 17 : 6);
	}
	items[400] = everything(a);
	nft_trees_plan(&t, a, &(struct nft_list){ items, 401, 1u << NFT_AXIS_PROTO });
	const struct nft_node *leaf = t.root->kind == NFT_NODE_CUT ? t.root->branches[0].node : t.root;
	if (!tap_ok(leaf->kind == NFT_NODE_LEAF, "400 rules of two hosts, a port and TCP or UDP are one leaf"))
		return;
	const struct nft_part all = nft_everything(), part = leaf == t.root ? all : nft_branch_part(t.root, &all, 0);
	struct nft_desk desk = { .a = a, .items = items };
	struct nft_group *groups = nft_groups(&desk, &part, leaf->items, &count);
	tap_ok(groups[0].map && groups[0].len == 400 && groups[0].axes & 1u << NFT_AXIS_PROTO, "and one map");
	for (size_t i = 0; i < 400; i++)
		items[i].on[NFT_AXIS_DPORT] = span(a, 1024, UINT16_MAX);
	nft_keys_choose(items, 401);
	groups = nft_groups(&desk, &part, leaf->items, &count);
	tap_ok(groups[0].map && !(groups[0].axes & 1u << NFT_AXIS_PROTO), "not where ports are asked before the map");
}

int main(void)
{
	lengths_are_chosen_for_many();
	too_many_keys_are_not_none();
	protocols_share_a_map();
	trees_decide_as_lists();
	alike_rules_are_one_map();
	return tap_done();
}
