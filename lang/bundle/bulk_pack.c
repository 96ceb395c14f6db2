#include "lang/bundle/bulk_pack.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "lang/bundle/vectors.h"

struct packing {
	struct arena *arena;
	const struct plan *plan;
	const uint32_t *slots;
	uint64_t *words;
	size_t len, room;
	uint64_t *packed[FAMILY_COUNT]; /* by where a leaf begins in the plan: the leaf as it was packed */
	size_t hole; /* where half a line was left; 0: nowhere */
	uint16_t *packed_len[FAMILY_COUNT]; /* and of how many cells it was */
	uint32_t *more_of; /* box */
	size_t more_count;
	bool short6; /* no box of IPv6 asks more than 64 bits of an end */
};

static bool is_icmp(uint16_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

bool bulk_can_pack(const struct teg_box *b)
{
	bool ports = b->sport_lo || b->sport_hi != UINT16_MAX || b->dport_lo || b->dport_hi != UINT16_MAX;
	bool icmp = b->icmp_lo || b->icmp_hi != UINT16_MAX;

	return !(ports && (is_icmp(b->proto) || b->proto == TEG_PROTO_ANY)) && !(icmp && !is_icmp(b->proto));
}

bool bulk_has_vectors(const struct teg_bulk *t)
{
	return t->vectors[0].words || t->vectors[1].words;
}

bool bulk_fits(const struct bulk_words *w, struct err *why)
{
	if (w->len > TEG_BULK_WORDS_MAX)
		err_set(why, E2BIG, "blocks and reflexes need %zu words of tables; there may be at most %u", w->len,
			TEG_BULK_WORDS_MAX);
	else if (w->mores > TEG_BULK_MORES_MAX)
		err_set(why, E2BIG, "blocks and reflexes name %zu different combinations of zones, address sets, flags and "
			"exceptions; there may be at most %u", w->mores, TEG_BULK_MORES_MAX);
	else
		return true;
	return false;
}

static void put(struct packing *p, uint64_t word)
{
	if (p->len == p->room)
		p->words = vec_grow_(p->arena, p->words, &p->room, sizeof *p->words);
	p->words[p->len++] = word;
}

/* --- what cells ask more -------------------------------------------------------------------- */

struct more {
	uint64_t words[TEG_BULK_MORE];
};

static struct more more_of(const struct packing *p, const struct teg_box *b)
{
	return (struct more){ { b->zones, b->src ? b->src : TEG_SET_ANY, b->dst ? b->dst : TEG_SET_ANY,
				p->plan->rules[b->rule].except, (uint64_t)b->flags_want << 8 | b->flags_mask } };
}

static uint64_t hash_of(const struct more *m)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < TEG_BULK_MORE; i++)
		h = (h ^ m->words[i]) * 0x9e3779b97f4a7c15ull, h ^= h >> 29;
	return h;
}

/* Each different one once, at the beginning of the words; the first asks nothing. */
static void pack_mores(struct packing *p, const struct teg_bulk *t)
{
	const struct more nothing = { { UINT64_MAX, TEG_SET_ANY, TEG_SET_ANY } };
	size_t room = 1024;

	while (room < 2 * (size_t)t->cells + 2)
		room *= 2;
	uint32_t *slots = arena_zero(p->arena, room * sizeof *slots); /* 1 + number */
	p->more_of = arena_zero(p->arena, (t->cells + (size_t)1) * sizeof *p->more_of);
	for (uint32_t i = 0; i <= t->cells; i++) {
		const struct more m = i ? more_of(p, &p->plan->bulk_boxes[i - 1].box) : nothing;
		size_t at = hash_of(&m) & (room - 1);

		while (slots[at] && memcmp(&p->words[(slots[at] - 1) * TEG_BULK_MORE], &m, sizeof m))
			at = (at + 1) & (room - 1);
		if (!slots[at]) {
			slots[at] = (uint32_t)++p->more_count;
			for (unsigned w = 0; w < TEG_BULK_MORE; w++)
				put(p, m.words[w]);
		}
		if (i)
			p->more_of[i - 1] = slots[at] - 1;
	}
}

size_t bulk_mores(const struct teg_bulk_box *boxes, uint32_t count, const struct teg_rule *rules)
{
	own(arena) struct arena *a = arena_new();
	struct plan plan = { .bulk_boxes = (struct teg_bulk_box *)boxes, .rules = (struct teg_rule *)rules,
			     .config.bulk.cells = count };
	struct packing p = { .arena = a, .plan = &plan };

	pack_mores(&p, &plan.config.bulk);
	return p.more_count;
}

/* --- cells ------------------------------------------------------------------------------------ */

static uint64_t ports_of(const struct teg_box *b)
{
	bool icmp = is_icmp(b->proto);

	return (uint64_t)(icmp ? b->icmp_hi : b->dport_hi) << 48 | (uint64_t)(icmp ? b->icmp_lo : b->dport_lo) << 32 |
	       (uint64_t)b->sport_hi << 16 | b->sport_lo;
}

bool bulk_is_plain(const struct teg_rule *r)
{
	return r->act == TEG_ACT_DROP && r->one_in <= 1 && !r->tells && !r->cost_ns && !r->block_ns;
}

uint64_t bulk_last(const struct teg_rule *rules, const uint32_t *slots, uint32_t rule, uint32_t more)
{
	const struct teg_rule *r = &rules[rule];

	return TEG_BULK_LAST(rule, bulk_is_plain(r), slots ? slots[r->counter_slot] : r->counter_slot, more);
}

static uint64_t last_of(const struct packing *p, uint32_t box)
{
	const struct teg_box *b = &p->plan->bulk_boxes[box].box;
	const uint8_t every_part = TEG_WHOLE | TEG_FIRST | TEG_LATER;
	uint64_t proto = b->proto == TEG_PROTO_ANY ? 0 : TEG_BULK_ASKS_PROTO | b->proto;

	return bulk_last(p->plan->rules, p->slots, b->rule, p->more_of[box]) | TEG_BULK_PART(proto, every_part & ~b->fragments);
}

/* Eight bits of each word of both addresses: how many of its bits are asked, less one, and 128; or 0. */
static uint64_t lens_of(const struct teg_bulk_box *b)
{
	uint64_t lens = 0;

	for (int w = 0; w < 4; w++) {
		uint64_t bits = (uint64_t)__builtin_popcountll(b->mask[w]);

		lens |= (bits ? 0x80 | (bits - 1) : 0) << 8 * w;
	}
	return lens;
}

static bool are_short(const struct plan *plan)
{
	bool are = true;

	for (uint32_t i = 0; i < plan->config.bulk.cells; i++) {
		const struct teg_bulk_box *b = &plan->bulk_boxes[i];

		are = are && (b->box.families == TEG_IP4 || !(b->mask[1] | b->mask[3]));
	}
	return are;
}

/* Of an end its first word, behind what is asked of it a 1. */
static uint64_t short_end(const struct teg_bulk_box *b, unsigned word)
{
	uint64_t free = ~b->mask[word];

	return b->addr[word] | (free + 1) >> 1 | (free == UINT64_MAX ? 1ull << 63 : 0);
}

static void put_short(struct packing *p, uint32_t box)
{
	const struct teg_bulk_box *b = &p->plan->bulk_boxes[box];

	put(p, short_end(b, 0));
	put(p, short_end(b, 2));
	put(p, ports_of(&b->box));
	put(p, last_of(p, box) | (uint64_t)(b->mask[0] == UINT64_MAX) << TEG_BULK_SRC_WHOLE_BIT |
		       (uint64_t)(b->mask[2] == UINT64_MAX) << TEG_BULK_DST_WHOLE_BIT);
}

static void put_cell(struct packing *p, uint32_t box, enum family f)
{
	const struct teg_bulk_box *b = &p->plan->bulk_boxes[box];

	if (f == FAMILY_IP6 && p->short6)
		return put_short(p, box);
	if (f == FAMILY_IP4) {
		put(p, b->addr[1] << 32 | (uint32_t)b->addr[3]);
		put(p, b->mask[1] << 32 | (uint32_t)b->mask[3]);
	} else {
		for (int w = 0; w < 4; w++)
			put(p, b->addr[w]);
		put(p, lens_of(b));
		put(p, 0);
	}
	put(p, ports_of(&b->box));
	put(p, last_of(p, box));
}

enum { LINE = 8 }; /* words of a cache line */

static unsigned cell_words(const struct packing *p, enum family f)
{
	return f == FAMILY_IP4 ? TEG_BULK_CELL4 : p->short6 ? TEG_BULK_SHORT6 : TEG_BULK_CELL6;
}

/* Two cells of IPv4, or short ones, are a line: those that are read together begin one, a single one may have the half that was left. */
static void begin_leaf(struct packing *p, size_t cells, enum family f)
{
	if (cells == 1 && cell_words(p, f) < LINE)
		return;
	if (p->len % LINE && !p->hole)
		p->hole = p->len;
	while (p->len % LINE)
		put(p, 0);
}

/* A leaf that several nodes have is packed once. */
static uint64_t pack_leaf(struct packing *p, uint64_t leaf, enum family f)
{
	size_t first = leaf >> 32 & 0x7fffffff, count = (uint16_t)leaf, end = 0;

	if (!count)
		return TEG_BULK_WAY(TEG_BULK_LEAF, TEG_BULK_NO_RULE, 0);
	if (p->packed_len[f][first] == count)
		return p->packed[f][first];
	begin_leaf(p, count, f);
	if (p->hole && count == 1 && cell_words(p, f) < LINE) {
		end = p->len;
		p->len = p->hole;
		p->hole = 0;
	}
	uint64_t at = p->len;
	for (size_t i = 0; i < count; i++)
		put_cell(p, p->plan->bulk_leaves[first + i], f);
	p->len = end ? end : p->len;
	uint32_t least = p->plan->bulk_boxes[p->plan->bulk_leaves[first]].box.rule;
	p->packed_len[f][first] = (uint16_t)count;
	return p->packed[f][first] = TEG_BULK_WAY(TEG_BULK_LEAF | count, least, at);
}

/* What the mix of all a root's bits is for packets of a box; the root takes only what each of its boxes asks in full. */
static uint64_t mix_of(const struct packing *p, const struct teg_bulk_root *r, uint32_t box, enum family f)
{
	const struct teg_bulk_box *b = &p->plan->bulk_boxes[box];
	const unsigned src = f == FAMILY_IP4 ? 1 : 0;

	return teg_bulk_mix(r->take, b->addr[src], b->addr[src + 2],
			    (uint64_t)b->box.sport_lo << 48 | (uint64_t)b->box.dport_lo << 32 |
				    (uint64_t)b->box.icmp_lo << 16 | (b->box.proto & UINT8_MAX));
}

/* A root's leaf of which all cells have one mark: other packets that come here need not look at them. */
static void mark_leaf(struct packing *p, const struct teg_bulk_root *r, uint32_t at, enum family f, uint64_t *packed)
{
	const uint64_t leaf = p->plan->bulk_nodes[at];
	const uint32_t *boxes = &p->plan->bulk_leaves[leaf >> 32 & 0x7fffffff];
	uint64_t mark = 0;

	if (!r->shift || !(leaf & TEG_BULK_LEAF))
		return;
	for (uint64_t i = 0; i < (uint16_t)leaf; i++) {
		uint64_t mix = mix_of(p, r, boxes[i], f);

		if (mix >> r->shift != at - r->first || (i && TEG_BULK_MARK(mix) != mark))
			return;
		mark = TEG_BULK_MARK(mix);
	}
	if ((uint16_t)leaf)
		*packed |= mark << 9 | TEG_BULK_MARKED;
}

/* By node: 1 + whose it is. Children stand behind their node, so one pass finds that. */
static uint8_t *families_of(const struct packing *p, const struct teg_bulk *t)
{
	uint8_t *of = arena_zero(p->arena, t->nodes);

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (uint32_t g = 0; g < t->groups[f]; g++)
			memset(&of[t->roots[f][g].first], 1 + f, teg_bulk_root_nodes(&t->roots[f][g]));
	for (uint32_t i = 0; i < t->nodes; i++) {
		uint64_t node = p->plan->bulk_nodes[i];

		if (!(node & TEG_BULK_LEAF))
			memset(&of[node >> 32], of[i], 1u << (node >> 9 & 15));
	}
	return of;
}

/* The least rule below a node, when all nodes behind it are packed. */
static uint32_t least_below(const uint64_t *packed, uint64_t node)
{
	uint32_t least = TEG_BULK_NO_RULE;

	for (uint32_t i = 0; i < 1u << (node >> 9 & 15); i++) {
		uint32_t rule = TEG_BULK_LEAST(packed[(node >> 32) + i]) & TEG_BULK_NO_RULE;

		least = rule < least ? rule : least;
	}
	return least;
}

static void pack_nodes(struct packing *p, const struct teg_bulk *t)
{
	const size_t first = p->len;
	const uint8_t *of = families_of(p, t);

	for (uint32_t i = 0; i < t->nodes; i++)
		put(p, TEG_BULK_WAY(TEG_BULK_LEAF, TEG_BULK_NO_RULE, 0));
	while (p->len % LINE)
		put(p, 0);
	for (uint32_t i = 0; i < t->nodes; i++)
		if (p->plan->bulk_nodes[i] & TEG_BULK_LEAF && of[i]) {
			uint64_t leaf = pack_leaf(p, p->plan->bulk_nodes[i], (enum family)(of[i] - 1));
			p->words[first + i] = leaf;
		}
	for (uint32_t i = t->nodes; i-- > 0;) {
		uint64_t node = p->plan->bulk_nodes[i];

		if (!(node & TEG_BULK_LEAF))
			p->words[first + i] = TEG_BULK_WAY(TEG_BULK_STEP(node >> 9 & 15, node >> 6 & 7, node & 63),
							    least_below(&p->words[first], node), first + (node >> 32));
	}
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (uint32_t g = 0; g < t->groups[f]; g++) {
			const struct teg_bulk_root *r = &t->roots[f][g];

			for (uint32_t i = r->first; i < r->first + teg_bulk_root_nodes(r); i++)
				mark_leaf(p, r, i, (enum family)f, &p->words[first + i]);
		}
}

struct bulk_words bulk_pack(struct arena *a, const struct plan *plan, const uint32_t *slots)
{
	const struct teg_bulk *t = &plan->config.bulk;
	struct packing p = { .arena = a, .plan = plan, .slots = slots };

	if (!t->cells)
		return (struct bulk_words){ 0 };
	if (bulk_has_vectors(t)) {
		pack_mores(&p, t);
		struct bulk_words w = { .at = p.words, .len = p.len, .mores = p.more_count };
		vectors_pack(&w, a, plan, p.more_of, slots);
		return w;
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		p.packed[f] = arena_zero(a, (t->leaves + (size_t)1) * sizeof *p.packed[f]);
		p.packed_len[f] = arena_zero(a, (t->leaves + (size_t)1) * sizeof *p.packed_len[f]);
	}
	pack_mores(&p, t);
	p.short6 = are_short(plan);
	pack_nodes(&p, t);
	/* The program asks whether a leaf of larger cells would end behind the table. */
	for (unsigned i = 0; i < TEG_BULK_PAD; i++)
		put(&p, 0);
	return (struct bulk_words){ .at = p.words, .len = p.len, .mores = p.more_count, .short6 = p.short6,
				    .nodes_at = (uint32_t)(p.more_count * TEG_BULK_MORE) };
}
