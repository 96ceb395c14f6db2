/*
 * Bit vectors: for keys in boxes, at their edges and beside, the rows give the first box of the list; as they
 * were made they are proved, and any bit that says something else is refused.
 */
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/vectors.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define NONE UINT32_MAX

struct key {
	unsigned family;
	uint8_t src[16], dst[16];
	uint16_t sport, dport, icmp;
	uint8_t proto, fragment;
	uint64_t zones;
};

/* ---- drawn boxes, and keys ------------------------------------------------------------------------ */

static const uint16_t edges[] = { 0, 1, 22, 255, 256, 257, 511, 1023, 1024, 1025, 5000, 32768, 65279, 65280, 65534, 65535 };

static struct range draw_range(struct gen *g)
{
	uint16_t x = edges[gen_below(g, ARRAY_LEN(edges))], y = edges[gen_below(g, ARRAY_LEN(edges))];

	if (gen_chance(g, 50))
		return (struct range){ 0, UINT16_MAX };
	if (gen_chance(g, 20))
		x = (uint16_t)gen_u64(g), y = (uint16_t)gen_u64(g);
	return (struct range){ x < y ? x : y, x < y ? y : x };
}

static void draw_end(struct gen *g, unsigned family, __u64 addr[static 2], __u64 mask[static 2])
{
	static const unsigned lens[] = { 0, 0, 1, 7, 8, 9, 17, 24, 31, 32 };
	unsigned len = lens[gen_below(g, ARRAY_LEN(lens))] * (family ? 4 : 1) + (family ? 0 : 96);
	unsigned __int128 num = family ? (unsigned __int128)(0x20010db800000000 | (gen_u64(g) & 0x0f0f00ff)) << 64 | (gen_u64(g) & 0xf00000000000000f)
				       : (unsigned __int128)0xffff << 32 | (gen_u64(g) & 0xc0a8070f);
	unsigned __int128 m = len ? ~(unsigned __int128)0 << (128 - len) : 0;

	if (len == 96)
		m = 0;
	num &= m;
	addr[0] = (uint64_t)(num >> 64), addr[1] = (uint64_t)num;
	mask[0] = (uint64_t)(m >> 64), mask[1] = (uint64_t)m;
}

static struct teg_bulk_box draw_box(struct gen *g, uint32_t rule)
{
	static const uint16_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, 47, TEG_PROTO_ANY };
	struct teg_bulk_box b = { .box = { .zones = UINT64_MAX, .families = 3, .rule = rule, .sport_hi = UINT16_MAX,
					   .dport_hi = UINT16_MAX, .icmp_hi = UINT16_MAX,
					   .proto = protos[gen_below(g, ARRAY_LEN(protos))],
					   .fragments = gen_chance(g, 80) ? 7 : (uint8_t)(1 + gen_below(g, 7)) } };
	struct range s = draw_range(g), d = draw_range(g);

	if (gen_chance(g, 30))
		b.box.zones = 1 + gen_below(g, 20);
	if (gen_chance(g, 90)) {
		unsigned family = gen_below(g, 2);

		b.box.families = (uint8_t)(1u << family);
		draw_end(g, family, b.addr, b.mask);
		draw_end(g, family, b.addr + 2, b.mask + 2);
	}
	if (b.box.proto == PROTO_ICMP || b.box.proto == PROTO_ICMPV6) {
		b.box.icmp_lo = d.lo, b.box.icmp_hi = d.hi;
	} else if (b.box.proto != TEG_PROTO_ANY) {
		b.box.sport_lo = s.lo, b.box.sport_hi = s.hi;
		b.box.dport_lo = d.lo, b.box.dport_hi = d.hi;
	}
	return b;
}

static void draw_address(struct gen *g, unsigned family, const __u64 addr[2], const __u64 mask[2], uint8_t out[16])
{
	const bool low = gen_chance(g, 40), high = gen_chance(g, 40);
	__u64 words[2];

	for (int w = 0; w < 2; w++) {
		words[w] = addr[w] | ((low ? 0 : high ? ~0ull : gen_u64(g)) & ~mask[w]);
		if (gen_chance(g, 10))
			words[w] ^= 1ull << gen_below(g, 64);
	}
	if (!family)
		words[0] = 0, words[1] = 0xffffull << 32 | (uint32_t)words[1];
	for (int i = 0; i < 16; i++)
		out[i] = (uint8_t)(words[i / 8] >> (56 - 8 * (i % 8)));
}

static uint16_t near(struct gen *g, uint16_t lo, uint16_t hi)
{
	return (uint16_t)((gen_chance(g, 50) ? lo : hi) + (gen_chance(g, 30) ? 1 : 0) - (gen_chance(g, 30) ? 1 : 0));
}

static struct key draw_key(struct gen *g, const struct teg_bulk_box *b)
{
	struct key k = { .family = b->box.families == 3 ? gen_below(g, 2) : b->box.families >> 1,
			 .fragment = (uint8_t)(1u << gen_below(g, 3)), .zones = 1ull << gen_below(g, 5) };

	k.proto = b->box.proto == TEG_PROTO_ANY ? (uint8_t)gen_u64(g) : (uint8_t)b->box.proto;
	if (k.proto == PROTO_ICMP || k.proto == PROTO_ICMPV6)
		k.icmp = near(g, b->box.icmp_lo, b->box.icmp_hi);
	else
		k.sport = near(g, b->box.sport_lo, b->box.sport_hi), k.dport = near(g, b->box.dport_lo, b->box.dport_hi);
	draw_address(g, k.family, b->addr, b->mask, k.src);
	draw_address(g, k.family, b->addr + 2, b->mask + 2, k.dst);
	return k;
}

/* ---- both ways ---------------------------------------------------------------------------------------- */

static bool end_matches(const __u64 addr[2], const __u64 mask[2], const uint8_t bytes[16])
{
	for (int i = 0; i < 16; i++)
		if ((bytes[i] ^ addr[i / 8] >> (56 - 8 * (i % 8))) & mask[i / 8] >> (56 - 8 * (i % 8)) & 0xff)
			return false;
	return true;
}

static uint32_t by_list(const struct plan *p, const struct key *k)
{
	for (uint32_t i = 0; i < p->config.bulk.cells; i++) {
		const struct teg_bulk_box *b = &p->bulk_boxes[i];
		const struct teg_box *x = &b->box;

		if (x->families >> k->family & 1 && end_matches(b->addr, b->mask, k->src) &&
		    end_matches(b->addr + 2, b->mask + 2, k->dst) && (x->proto == TEG_PROTO_ANY || x->proto == k->proto) &&
		    x->fragments & k->fragment && x->zones & k->zones && x->sport_lo <= k->sport && k->sport <= x->sport_hi &&
		    x->dport_lo <= k->dport && k->dport <= x->dport_hi && x->icmp_lo <= k->icmp && k->icmp <= x->icmp_hi)
			return x->rule;
	}
	return NONE;
}

static uint32_t by_rows(const struct bulk_words *w, const struct key *k)
{
	const struct teg_vectors *t = &w->vectors[k->family];
	const unsigned end = k->family ? 16 : 4;
	const uint16_t dport = k->dport | k->icmp;
	uint8_t bytes[TEG_VECTOR_BYTES6 + TEG_VECTOR_MORES_MAX / 8] = { 0 };

	memcpy(bytes, k->src + 16 - end, end);
	memcpy(bytes + end, k->dst + 16 - end, end);
	const uint8_t rest[] = { (uint8_t)(k->sport >> 8), (uint8_t)k->sport, (uint8_t)(dport >> 8), (uint8_t)dport,
				 k->proto, k->fragment };
	memcpy(bytes + 2 * end, rest, sizeof rest);
	for (unsigned i = 0; i < w->mores; i++)
		if (w->at[i * TEG_BULK_MORE] & k->zones)
			bytes[2 * end + 6 + i / 8] |= (uint8_t)(1u << i % 8);
	const uint64_t where = t->words == 4 ? w->at[t->table + bytes[t->byte]] : t->words ? 1ull << 32 : 0;
	for (size_t block = (uint32_t)where; block < (uint32_t)where + (where >> 32); block++)
		for (uint32_t word = 0; word < t->words; word++) {
			const uint64_t *at = &w->at[t->rows + block * t->block_words];
			uint64_t bits = ~0ull;

			for (unsigned i = 0; i < 2 * end + 6 + t->mores; i++)
				bits &= at[teg_vector_row(t, at, k->family, i, bytes[i]) + word];
			if (bits)
				return TEG_BULK_RULE(w->at[t->of_bit + block * TEG_VECTOR_BITS_MAX + 64 * word +
						       (unsigned)__builtin_ctzll(bits)]);
		}
	return NONE;
}

/* ---- laws --------------------------------------------------------------------------------------------- */

static struct plan draw_plan(struct gen *g, struct arena *a, uint32_t count)
{
	struct plan p = { .rule_count = count, .counter_count = 1 };
	struct vectors_ask ask;

	p.bulk_boxes = arena_zero(a, (count + (size_t)1) * sizeof *p.bulk_boxes);
	p.rules = arena_zero(a, (count + (size_t)1) * sizeof *p.rules);
	p.counters = arena_zero(a, sizeof *p.counters);
	p.counters[0].id = "drawn";
	p.config.bulk.cells = count;
	for (uint32_t i = 0; i < count; i++)
		p.bulk_boxes[i] = draw_box(g, i);
	if (!vectors_fit(p.bulk_boxes, count, p.rules, &ask))
		tap_note("%u boxes do not fit", count);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		p.config.bulk.vectors[f].words = ask.words[f];
	return p;
}

static void law(uint32_t count, uint64_t seed)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct plan p = draw_plan(&g, a, count);
	struct bulk_words w = bulk_pack(a, &p, NULL);
	struct err why = { 0 };
	uint32_t differ = 0, matched = 0, asked = 0;

	for (; asked < 20000; asked++) {
		struct key k = draw_key(&g, &p.bulk_boxes[gen_below(&g, count)]);
		uint32_t want = by_list(&p, &k);

		differ += by_rows(&w, &k) != want;
		matched += want != NONE;
	}
	tap_num(differ, 0, "rows and list find the same first box");
	tap_ok(matched > asked / 10 && !audit_vectors(&p, &why), "%u boxes, %u and %u blocks, %u of %u keys in one: proved %s",
	       count, w.vectors[0].blocks, w.vectors[1].blocks, matched, asked, why.text);
}

/* Each damage is a box that is not what the rows were made of, or a plan that has fewer or more bits than it needs. */
static bool damage(struct plan *p, struct gen *g, unsigned kind)
{
	struct teg_bulk_box *b = &p->bulk_boxes[gen_below(g, p->config.bulk.cells)];
	const bool has_ports = b->box.proto == PROTO_TCP || b->box.proto == PROTO_UDP;

	switch (kind) {
	case 0:
		return b->box.sport_hi != UINT16_MAX && has_ports && b->box.sport_lo++ < b->box.sport_hi;
	case 1:
		return has_ports && b->box.dport_lo < b->box.dport_hi && b->box.dport_hi--;
	case 2:
		b->box.proto = b->box.proto == PROTO_TCP ? PROTO_UDP : PROTO_TCP;
		return has_ports;
	case 3:
		b->box.fragments ^= TEG_LATER;
		return b->box.fragments;
	case 4:
		b->addr[1] ^= b->mask[1] & -b->mask[1];
		return b->mask[1] & UINT32_MAX;
	case 5:
		b->addr[2] ^= b->mask[2] & -b->mask[2];
		return b->mask[2] && b->box.families == TEG_IP6;
	case 6:
		b->box.families ^= TEG_IP6;
		return b->box.families == TEG_IP4 || (b->box.families == 3 && !b->mask[0] && !b->mask[1] && !b->mask[2] && !b->mask[3]);
	case 7:
		b->box.zones ^= 32;
		return true;
	}
	b->box.rule = (b->box.rule + 1) % p->rule_count;
	return true;
}

/* The rows of one plan, asked in the name of another. */
static void refused(void)
{
	static const char *const kinds[] = { "a source port", "a destination port", "a protocol", "a fragment", "an IPv4 address",
					     "an IPv6 address", "a family", "a zone", "a rule" };
	struct gen g = gen_new(5);

	for (unsigned kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		unsigned harmed = 0, missed = 0;

		for (int i = 0; i < 200; i++) {
			own(arena) struct arena *a = arena_new();
			struct plan p = draw_plan(&g, a, 20), other = p;
			struct err why;

			other.bulk_boxes = arena_copy(a, p.bulk_boxes, p.config.bulk.cells * sizeof *p.bulk_boxes);
			if (!damage(&other, &g, kind))
				continue;
			harmed++;
			missed += !audit_vectors_of(&other, bulk_pack(a, &p, NULL), &why);
		}
		tap_ok(harmed > 5 && !missed, "rows that have %s otherwise: %u of %u noticed", kinds[kind], harmed - missed, harmed);
	}
}

/* A bit in a row is another, or a bit's rule. */
static void flipped(uint32_t count)
{
	struct gen g = gen_new(6);
	unsigned harmed = 0, missed = 0, numbered = 0;

	for (int i = 0; i < 400; i++) {
		own(arena) struct arena *a = arena_new();
		struct plan p = draw_plan(&g, a, count);
		struct bulk_words w = bulk_pack(a, &p, NULL);
		unsigned f = gen_below(&g, 2);
		const struct teg_vectors *t = &w.vectors[f];
		const unsigned byte = gen_below(&g, (f ? TEG_VECTOR_BYTES6 : TEG_VECTOR_BYTES4) + t->mores), end = f ? 16 : 4;
		uint64_t *block = &w.at[t->rows];
		uint32_t bits = 0;
		struct err why;

		for (uint32_t bit = 0; bit < 64; bit++)
			bits = w.at[t->of_bit + bit] ? bit + 1 : bits;
		bool is_read = byte < 2 * end ? byte % end < 4 * t->quads || byte % end < 4 : byte >= 2 * end + 2 || t->sports;
		if (!t->words || !bits || !is_read || (byte == 2 * end + 5))
			continue;
		block[teg_vector_row(t, block, f, byte, gen_below(&g, TEG_VECTOR_ROWS))] ^= 1ull << gen_below(&g, bits);
		harmed++;
		numbered += t->words == TEG_VECTOR_LONG;
		missed += !audit_vectors_of(&p, w, &why);
	}
	tap_ok(harmed > 100 && !missed, "a bit of some row is another: %u of %u noticed, %u of numbered ones", harmed - missed, harmed, numbered);
}

/* Of a byte of the destination port, which is always read. */
static bool renumber(struct bulk_words *w, unsigned f, struct gen *g)
{
	uint8_t *numbers = (uint8_t *)&w->at[w->vectors[f].rows] + (2 * (f ? 16 : 4) + 2 + gen_below(g, 2)) * TEG_VECTOR_ROWS;
	uint8_t *number = &numbers[gen_below(g, TEG_VECTOR_ROWS)], was = *number;

	*number = numbers[gen_below(g, TEG_VECTOR_ROWS)];
	return *number != was;
}

/* A value has the row of another. */
static void renumbered(void)
{
	struct gen g = gen_new(7);
	unsigned harmed = 0, missed = 0;

	for (int i = 0; i < 40; i++) {
		own(arena) struct arena *a = arena_new();
		struct plan p = draw_plan(&g, a, 150);
		struct bulk_words w = bulk_pack(a, &p, NULL);
		struct err why;

		if (w.vectors[i & 1].words != TEG_VECTOR_LONG || !renumber(&w, i & 1, &g))
			continue;
		harmed++;
		missed += !audit_vectors_of(&p, w, &why);
	}
	tap_ok(harmed > 10 && !missed, "a value has another's row: %u of %u noticed", harmed - missed, harmed);
}

/* A bit says another rule, or that its rule, which lets pass, drops. */
static void said_wrongly(void)
{
	static const uint64_t lies[] = { TEG_BULK_PLAIN, TEG_BULK_LAST(1, 0, 0, 0) };
	struct gen g = gen_new(9);
	unsigned harmed = 0, missed = 0;

	for (int i = 0; i < 200; i++) {
		own(arena) struct arena *a = arena_new();
		struct plan p = draw_plan(&g, a, 12);
		struct bulk_words w = bulk_pack(a, &p, NULL);
		const struct teg_vectors *t = &w.vectors[gen_below(&g, 2)];
		struct err why;

		if (!t->words)
			continue;
		w.at[t->of_bit] ^= lies[i % ARRAY_LEN(lies)];
		harmed++;
		missed += !audit_vectors_of(&p, w, &why);
	}
	tap_ok(harmed > 100 && !missed, "what is said of a bit is another: %u of %u noticed", harmed - missed, harmed);
}

/* A value of the byte that says the blocks leads to those of another; refused where some packet would be judged otherwise. */
static void misled(void)
{
	struct gen g = gen_new(8);
	unsigned harmed = 0, noticed = 0, missed = 0;

	for (int i = 0; i < 60; i++) {
		own(arena) struct arena *a = arena_new();
		struct plan p = draw_plan(&g, a, 400);
		struct bulk_words w = bulk_pack(a, &p, NULL);
		const struct teg_vectors *t = &w.vectors[gen_below(&g, 2)];
		uint64_t *table = &w.at[t->table], was = table[gen_below(&g, TEG_VECTOR_ROWS)];
		unsigned at = gen_below(&g, TEG_VECTOR_ROWS), differ = 0;
		struct err why;

		if (t->words != 4 || table[at] == was)
			continue;
		table[at] = was;
		harmed++;
		for (int k = 0; k < 4000; k++) {
			struct key key = draw_key(&g, &p.bulk_boxes[gen_below(&g, 400)]);

			differ += by_rows(&w, &key) != by_list(&p, &key);
		}
		bool refused = audit_vectors_of(&p, w, &why) != 0;
		noticed += refused;
		missed += !refused && differ;
	}
	tap_ok(harmed > 10 && noticed && !missed, "a value that leads to other blocks: %u of %u noticed, %u of them judge otherwise",
	       noticed, harmed, missed);
}

int main(void)
{
	static const uint32_t counts[] = { 1, 2, 9, 30, 60, 150, 500 };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		law(counts[i], 100 + i);
	refused();
	flipped(12);
	flipped(100);
	renumbered();
	said_wrongly();
	misled();
	return tap_done();
}
