#include "lang/bundle/vectors.h"

#include <netinet/in.h>
#include <string.h>

#define LINE 8u /* words of a cache line */
#define EVERY_PART (TEG_WHOLE | TEG_FIRST | TEG_LATER)

/* A part of a range of ports that is a condition on each of its two bytes. */
struct part {
	uint8_t lo[2], hi[2];
};

struct parts {
	struct part at[3];
	unsigned len;
};

struct range vectors_dport(const struct teg_box *b)
{
	if (b->proto == IPPROTO_ICMP || b->proto == IPPROTO_ICMPV6)
		return (struct range){ b->icmp_lo, b->icmp_hi };
	return (struct range){ b->dport_lo, b->dport_hi };
}

static struct range sport_of(const struct teg_box *b)
{
	return (struct range){ b->sport_lo, b->sport_hi };
}

/* The upper byte's first value with its lower bytes, its last one, and those between with all lower bytes. */
static struct parts parts_of(struct range r)
{
	const uint8_t upper = r.lo >> 8, last = r.hi >> 8, from = r.lo & UINT8_MAX, to = r.hi & UINT8_MAX;
	const unsigned whole = upper + (from != 0), end = last + (to == UINT8_MAX); /* [whole, end) */
	struct parts p = { 0 };

	if (upper == last || whole > end) {
		p.at[p.len++] = (struct part){ { upper, from }, { upper, upper == last ? to : UINT8_MAX } };
		if (upper != last)
			p.at[p.len++] = (struct part){ { last, 0 }, { last, to } };
		return p;
	}
	if (from)
		p.at[p.len++] = (struct part){ { upper, from }, { upper, UINT8_MAX } };
	if (whole < end)
		p.at[p.len++] = (struct part){ { (uint8_t)whole, 0 }, { (uint8_t)(end - 1), UINT8_MAX } };
	if (to != UINT8_MAX)
		p.at[p.len++] = (struct part){ { last, 0 }, { last, to } };
	return p;
}

static uint32_t words_of(const struct teg_bulk_box *boxes, uint32_t count, enum family family)
{
	size_t bits = 0;

	for (uint32_t i = 0; i < count; i++)
		if (boxes[i].box.families >> family & 1)
			bits += parts_of(sport_of(&boxes[i].box)).len * parts_of(vectors_dport(&boxes[i].box)).len;
	return (uint32_t)((bits + 63) / 64);
}

bool vectors_fit(const struct teg_bulk_box *boxes, uint32_t count, const struct teg_rule *rules, struct vectors_ask *ask)
{
	bool fit = true;

	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		ask->words[f] = words_of(boxes, count, (enum family)f);
		fit &= ask->words[f] <= TEG_VECTOR_WORDS_MAX;
	}
	ask->mores = fit ? (uint32_t)bulk_mores(boxes, count, rules) : 0;
	return fit && ask->mores <= TEG_VECTOR_MORES_MAX;
}

/* --- rows ------------------------------------------------------------------------------------ */

struct packing {
	struct arena *arena;
	uint64_t *words;
	size_t len, room;
	struct teg_vectors t; /* of the family at hand */
	enum family family;
};

/* So many words of nothing, from the beginning of a cache line on. */
static uint32_t put_zeroes(struct packing *p, size_t count)
{
	size_t first = (p->len + LINE - 1) & ~(size_t)(LINE - 1);

	while (p->room < first + count)
		p->words = vec_grow_(p->arena, p->words, &p->room, sizeof *p->words);
	memset(&p->words[p->len], 0, (first + count - p->len) * sizeof *p->words);
	p->len = first + count;
	return (uint32_t)first;
}

/* The bit in all rows of a byte's values from lo to hi that have `value` where the mask has ones. */
static void fill(struct packing *p, uint32_t bit, unsigned byte, unsigned lo, unsigned hi, uint8_t value, uint8_t mask)
{
	for (unsigned v = lo; v <= hi; v++)
		if (!((v ^ value) & mask))
			p->words[p->t.rows + ((byte * TEG_VECTOR_ROWS + v) << p->t.shift) + bit / 64] |= 1ull << bit % 64;
}

static uint8_t byte_of(const __u64 end[2], unsigned at)
{
	return (uint8_t)(end[at / 8] >> (56 - 8 * (at % 8)));
}

static unsigned end_bytes(enum family f)
{
	return f == FAMILY_IP4 ? 4 : 16;
}

static void fill_end(struct packing *p, uint32_t bit, unsigned byte, const __u64 addr[2], const __u64 mask[2])
{
	const unsigned bytes = end_bytes(p->family);

	for (unsigned i = 0; i < bytes; i++) {
		uint8_t m = byte_of(mask, 16 - bytes + i);

		fill(p, bit, byte + i, 0, UINT8_MAX, byte_of(addr, 16 - bytes + i), m);
		if (m && p->t.quads < i / 4 + 1)
			p->t.quads = i / 4 + 1;
	}
}

static void fill_ports(struct packing *p, uint32_t bit, unsigned byte, const struct part *x)
{
	for (unsigned i = 0; i < 2; i++)
		fill(p, bit, byte + i, x->lo[i], x->hi[i], 0, 0);
}

static void fill_box(struct packing *p, uint32_t bit, const struct teg_bulk_box *b, uint32_t more, const struct part *sport,
		     const struct part *dport)
{
	const unsigned end = end_bytes(p->family);
	const bool any = b->box.proto == TEG_PROTO_ANY;

	fill_end(p, bit, 0, b->addr, b->mask);
	fill_end(p, bit, end, b->addr + 2, b->mask + 2);
	fill_ports(p, bit, 2 * end, sport);
	fill_ports(p, bit, 2 * end + 2, dport);
	fill(p, bit, 2 * end + 4, 0, UINT8_MAX, any ? 0 : (uint8_t)b->box.proto, any ? 0 : UINT8_MAX);
	for (unsigned part = TEG_WHOLE; part <= TEG_LATER; part <<= 1)
		if (b->box.fragments & part)
			fill(p, bit, 2 * end + 5, part, part, 0, 0);
	if (more)
		fill(p, bit, 2 * end + 6 + more / 8, 0, UINT8_MAX, (uint8_t)(1u << more % 8), (uint8_t)(1u << more % 8));
	for (unsigned i = 0; i < p->t.mores; i++)
		if (!more || i != more / 8)
			fill(p, bit, 2 * end + 6 + i, 0, UINT8_MAX, 0, 0);
	p->t.sports |= b->box.sport_lo || b->box.sport_hi != UINT16_MAX;
	p->t.parts |= b->box.fragments != EVERY_PART;
}

static void pack_family(struct packing *p, const struct teg_bulk_box *boxes, uint32_t count, const uint32_t *more_of)
{
	const unsigned bytes = p->family == FAMILY_IP4 ? TEG_VECTOR_BYTES4 : TEG_VECTOR_BYTES6;
	uint32_t bit = 0;

	while (1u << p->t.shift < p->t.words)
		p->t.shift++;
	/* What is read is two words, and as many bits. */
	p->t.of_bit = put_zeroes(p, ((size_t)p->t.words + 1) * 64);
	p->t.rows = put_zeroes(p, (size_t)(bytes + p->t.mores) * TEG_VECTOR_ROWS << p->t.shift);
	for (uint32_t i = 0; i < count; i++) {
		if (!(boxes[i].box.families >> p->family & 1))
			continue;
		const struct parts s = parts_of(sport_of(&boxes[i].box)), d = parts_of(vectors_dport(&boxes[i].box));
		for (unsigned k = 0; k < s.len * d.len; k++, bit++) {
			p->words[p->t.of_bit + bit] = boxes[i].box.rule;
			fill_box(p, bit, &boxes[i], more_of[i], &s.at[k / d.len], &d.at[k % d.len]);
		}
	}
}

void vectors_pack(struct bulk_words *words, struct arena *a, const struct plan *plan, const uint32_t *more_of)
{
	const struct teg_bulk *t = &plan->config.bulk;
	struct packing p = { .arena = a, .words = words->at, .len = words->len, .room = words->len };

	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		p.family = (enum family)f;
		p.t = (struct teg_vectors){ .words = t->vectors[f].words, .mores = words->mores > 1 ? (uint32_t)(words->mores + 7) / 8 : 0 };
		if (p.t.words)
			pack_family(&p, plan->bulk_boxes, t->cells, more_of);
		words->vectors[f] = p.t;
	}
	words->at = p.words;
	words->len = p.len;
}
