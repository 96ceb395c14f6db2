#include "lang/bundle/vectors.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define LINE 8u /* words of a cache line */
#define ROWS TEG_VECTOR_ROWS
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

/* --- bits ------------------------------------------------------------------------------------- */

#define BITS_MAX (TEG_VECTOR_BLOCKS_MAX * TEG_VECTOR_BITS_MAX)

struct bit {
	uint32_t box;
	struct part sport, dport;
};

struct family_bits {
	const struct teg_bulk_box *boxes;
	enum family family;
	unsigned end; /* bytes of each end */
	struct bit *at;
	size_t len;
};

/* Of one family, in the order of the boxes. */
static struct family_bits bits_of(struct arena *a, const struct teg_bulk_box *boxes, uint32_t count, enum family family)
{
	struct family_bits all = { .boxes = boxes, .family = family, .end = family == FAMILY_IP4 ? 4 : 16 };
	VEC(struct bit) bits = { 0 };

	for (uint32_t i = 0; i < count && bits.len <= BITS_MAX; i++) {
		const struct parts s = parts_of(sport_of(&boxes[i].box)), d = parts_of(vectors_dport(&boxes[i].box));

		for (unsigned k = 0; k < s.len * d.len && boxes[i].box.families >> family & 1; k++) {
			struct bit b = { i, s.at[k / d.len], d.at[k % d.len] };
			vec_push(a, &bits, b);
		}
	}
	all.at = bits.at;
	all.len = bits.len;
	return all;
}

/* Values of a byte. */
struct values {
	unsigned lo, hi; /* the first and the last, and of those between */
	uint8_t value, mask; /* the ones whose bits are so */
};

static struct values values_masked(uint8_t value, uint8_t mask)
{
	return (struct values){ value & mask, (value & mask) | (uint8_t)~mask, value, mask };
}

static bool values_have(const struct values *s, unsigned v)
{
	return v >= s->lo && v <= s->hi && !((v ^ s->value) & s->mask);
}

static bool values_are_all(const struct values *s)
{
	return !s->lo && s->hi == UINT8_MAX && !s->mask;
}

static struct values end_values(const struct family_bits *f, const __u64 addr[2], const __u64 mask[2], unsigned byte)
{
	const unsigned at = 16 - f->end + byte, down = 56 - 8 * (at % 8);

	return values_masked((uint8_t)(addr[at / 8] >> down), (uint8_t)(mask[at / 8] >> down));
}

/* The values that a packet of the bit may have in a byte of the packet; of fragments, those there are. */
static struct values values_of(const struct family_bits *f, const struct bit *bit, unsigned byte)
{
	const struct teg_bulk_box *b = &f->boxes[bit->box];
	const unsigned behind = byte - 2 * f->end;
	const bool any = b->box.proto == TEG_PROTO_ANY;

	if (byte < f->end)
		return end_values(f, b->addr, b->mask, byte);
	if (byte < 2 * f->end)
		return end_values(f, b->addr + 2, b->mask + 2, byte - f->end);
	if (behind < 2)
		return (struct values){ bit->sport.lo[behind], bit->sport.hi[behind], 0, 0 };
	if (behind < 4)
		return (struct values){ bit->dport.lo[behind - 2], bit->dport.hi[behind - 2], 0, 0 };
	return values_masked(any ? 0 : (uint8_t)b->box.proto, any ? 0 : UINT8_MAX);
}

/* --- blocks ------------------------------------------------------------------------------------- */

/* Values of one byte share blocks as long as they need no more of them together than each alone. */
struct cut {
	unsigned byte;
	unsigned first[ROWS], count[ROWS]; /* blocks, by value */
	unsigned blocks, longest;
	double mean; /* blocks that a packet is looked for in, each bit as likely */
};

static unsigned blocks_for(size_t bits)
{
	return bits ? (unsigned)((bits + TEG_VECTOR_BITS_MAX - 1) / TEG_VECTOR_BITS_MAX) : 1;
}

/* Of a family's bits at one byte. Sets of bits are all of so many words. */
struct at_byte {
	size_t words;
	uint64_t *of;	     /* ROWS sets: which bits have a value */
	uint64_t *all, *now; /* which have every one; and which share the blocks at hand */
	struct values *values; /* that each bit may have */
};

/* All in one piece, which the caller owns: `of` is NULL where there is no memory. */
static struct at_byte at_byte_for(size_t bits)
{
	struct at_byte s = { .words = bits / 64 + 1 };

	s.of = malloc((ROWS + 2) * s.words * sizeof *s.of + bits * sizeof *s.values);
	if (s.of) {
		s.all = s.of + ROWS * s.words;
		s.now = s.all + s.words;
		s.values = (struct values *)(s.now + s.words);
	}
	return s;
}

/* Does some bit ask the byte? */
static bool look_at_byte(struct at_byte *s, const struct family_bits *f, unsigned byte)
{
	bool asked = false;

	for (size_t i = 0; i < f->len; i++) {
		s->values[i] = values_of(f, &f->at[i], byte);
		asked |= s->values[i].mask != 0;
	}
	return asked;
}

static void join(uint64_t *to, const uint64_t *x, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] |= x[i];
}

static size_t count_joined(const uint64_t *x, const uint64_t *y, size_t words)
{
	size_t n = 0;

	for (size_t i = 0; i < words; i++)
		n += (size_t)__builtin_popcountll(x[i] | y[i]);
	return n;
}

/* Every one between the first and the last: only upper bits are asked. */
static bool values_are_run(const struct values *s)
{
	const unsigned free = (uint8_t)~s->mask;

	return !(free & (free + 1));
}

/* `upto` is the sum of blocks of all smaller values. */
static double mean_of(const struct cut *c, const unsigned upto[static ROWS + 1], const struct values *s)
{
	unsigned blocks = 0, values = 0;

	if (values_are_run(s))
		return (double)(upto[s->hi + 1] - upto[s->lo]) / (s->hi + 1 - s->lo);
	for (unsigned v = s->lo; v <= s->hi; v++)
		if (values_have(s, v))
			blocks += c->count[v], values++;
	return (double)blocks / values;
}

static double mean_blocks(const struct family_bits *f, const struct cut *c, const struct values *of)
{
	unsigned upto[ROWS + 1] = { 0 };
	double sum = 0;

	for (unsigned v = 0; v < ROWS; v++)
		upto[v + 1] = upto[v] + c->count[v];
	for (size_t i = 0; i < f->len; i++)
		sum += mean_of(c, upto, &of[i]);
	return sum / (double)f->len;
}

/* Of each value of a byte, which bits have it. */
static void find_bits(struct at_byte *s, size_t bits)
{
	memset(s->of, 0, (ROWS + 1) * s->words * sizeof *s->of);
	for (size_t i = 0; i < bits; i++) {
		const struct values *of = &s->values[i];

		if (values_are_all(of)) {
			s->all[i / 64] |= 1ull << i % 64;
			continue;
		}
		for (unsigned v = of->lo; v <= of->hi; v++)
			if (values_have(of, v))
				s->of[v * s->words + i / 64] |= 1ull << i % 64;
	}
	for (unsigned v = 0; v < ROWS; v++)
		join(&s->of[v * s->words], s->all, s->words);
}

static struct cut cut_by(const struct family_bits *f, unsigned byte, struct at_byte *s)
{
	struct cut c = { .byte = byte };
	const size_t bytes = s->words * sizeof *s->of;
	unsigned begun = 0, need = 1;

	find_bits(s, f->len);
	memset(s->now, 0, bytes);
	for (unsigned v = 0; v <= ROWS; v++) {
		const uint64_t *here = &s->of[v * s->words];

		if (v > begun && v < ROWS && !memcmp(here, here - s->words, bytes))
			continue; /* its bits are there already */
		unsigned alone = v < ROWS ? blocks_for(count_joined(here, here, s->words)) : 0;
		unsigned most = alone > need ? alone : need;

		if (v < ROWS && (v == begun || blocks_for(count_joined(s->now, here, s->words)) <= most)) {
			need = v == begun ? alone : most;
			join(s->now, here, s->words);
			continue;
		}
		for (unsigned u = begun; u < v; u++)
			c.first[u] = c.blocks, c.count[u] = need;
		c.blocks += need;
		c.longest = need > c.longest ? need : c.longest;
		if (v == ROWS)
			break;
		begun = v--;
		memset(s->now, 0, bytes);
	}
	c.mean = mean_blocks(f, &c, s->values);
	return c;
}

/*
 * The byte that leaves fewest blocks to look in; false when by each there are too many. By each byte that no bit asks they are the
 * same: of these the first is tried.
 */
static bool best_cut(const struct family_bits *f, struct cut *best)
{
	struct at_byte here = at_byte_for(f->len);
	own(mem) uint64_t *of = here.of;
	bool any = false, tried = false;

	for (unsigned byte = 0; of && byte < 2 * f->end + 5; byte++) {
		if (byte >= 2 * f->end && byte < 2 * f->end + 4)
			continue; /* ports are not bytes that the program can choose */
		const bool asked = look_at_byte(&here, f, byte);
		if (!asked && tried)
			continue;
		tried |= !asked;
		struct cut c = cut_by(f, byte, &here);

		if (c.blocks > TEG_VECTOR_BLOCKS_MAX || c.longest > TEG_VECTOR_LONGEST_MAX)
			continue;
		if (any && c.mean + 0.02 * c.blocks >= best->mean + 0.02 * best->blocks)
			continue;
		*best = c;
		any = true;
	}
	return any;
}

static uint32_t words_for(size_t bits)
{
	return bits == 0 ? 0 : bits <= 64 ? 1 : bits <= 128 ? 2 : 4;
}

bool vectors_fit(const struct teg_bulk_box *boxes, uint32_t count, const struct teg_rule *rules, struct vectors_ask *ask)
{
	own(arena) struct arena *a = arena_new();

	*ask = (struct vectors_ask){ .blocks = 1 };
	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		const struct family_bits bits = bits_of(a, boxes, count, (enum family)f);
		struct cut c;

		ask->words[f] = words_for(bits.len);
		if (ask->words[f] < 4)
			continue;
		if (bits.len > BITS_MAX || !best_cut(&bits, &c))
			return false;
		ask->blocks = c.mean > ask->blocks ? c.mean : ask->blocks;
	}
	ask->mores = (uint32_t)bulk_mores(boxes, count, rules);
	return ask->mores <= TEG_VECTOR_MORES_MAX;
}

/* --- rows ------------------------------------------------------------------------------------ */

struct packing {
	struct arena *arena;
	uint64_t *words;
	size_t len, room;
	struct family_bits bits;
	const struct teg_rule *rules;
	const uint32_t *slots;	 /* counter */
	const uint32_t *more_of; /* box */
	struct teg_vectors t; /* of the family at hand */
	unsigned bytes; /* that are asked there */
	uint64_t *rows; /* of all blocks, by byte and value */
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

static uint64_t *row_of(const struct packing *p, unsigned block, unsigned byte, unsigned value)
{
	return &p->rows[(((size_t)block * p->bytes + byte) * ROWS + value) * p->t.words];
}

static void fill(struct packing *p, unsigned block, unsigned slot, unsigned byte, struct values s)
{
	uint64_t *rows = row_of(p, block, byte, 0);

	for (unsigned v = s.lo; v <= s.hi; v++)
		if (values_have(&s, v))
			rows[v * p->t.words + slot / 64] |= 1ull << slot % 64;
}

/* A bit of a block: its rule, and itself in the rows of all its values. */
static void fill_bit(struct packing *p, unsigned block, unsigned slot, const struct bit *b)
{
	const struct teg_box *x = &p->bits.boxes[b->box].box;
	const unsigned fragment = 2 * p->bits.end + 5;
	const uint32_t more = p->more_of[b->box];
	const uint8_t more_bit = (uint8_t)(1u << more % 8);

	p->words[p->t.of_bit + (size_t)block * TEG_VECTOR_BITS_MAX + slot] = bulk_last(p->rules, p->slots, x->rule, 0);
	for (unsigned byte = 0; byte < fragment; byte++)
		fill(p, block, slot, byte, values_of(&p->bits, b, byte));
	for (unsigned part = TEG_WHOLE; part <= TEG_LATER; part <<= 1)
		if (x->fragments & part)
			fill(p, block, slot, fragment, (struct values){ part, part, 0, 0 });
	for (unsigned i = 0; i < p->t.mores; i++) {
		const bool here = more && more / 8 == i;

		fill(p, block, slot, fragment + 1 + i, values_masked(here ? more_bit : 0, here ? more_bit : 0));
	}
}

/* Does some packet with a value of which these are the blocks lie in the bit? */
static bool comes_to(const struct packing *p, const struct cut *c, unsigned first, const struct bit *b)
{
	struct values s = values_of(&p->bits, b, c->byte);

	for (unsigned v = s.lo; v <= s.hi; v++)
		if (c->first[v] == first && values_have(&s, v))
			return true;
	return false;
}

static void put_blocks(struct packing *p, const struct cut *c)
{
	for (unsigned v = 0; v < ROWS; v++) {
		unsigned slot = 0;

		p->words[p->t.table + v] = (uint64_t)c->count[v] << 32 | c->first[v];
		if (v && c->first[v] == c->first[v - 1])
			continue;
		for (size_t i = 0; i < p->bits.len; i++)
			if (comes_to(p, c, c->first[v], &p->bits.at[i])) {
				fill_bit(p, c->first[v] + slot / TEG_VECTOR_BITS_MAX, slot % TEG_VECTOR_BITS_MAX,
					 &p->bits.at[i]);
				slot++;
			}
	}
}

/* What no bit asks need not be read. */
static void note_asked(struct teg_vectors *t, const struct family_bits *f)
{
	for (size_t i = 0; i < f->len; i++) {
		const struct teg_bulk_box *b = &f->boxes[f->at[i].box];

		for (unsigned byte = 0; byte < 2 * f->end; byte++)
			if (values_of(f, &f->at[i], byte).mask && t->quads < byte % f->end / 4 + 1)
				t->quads = byte % f->end / 4 + 1;
		t->sports |= b->box.sport_lo || b->box.sport_hi != UINT16_MAX;
		t->parts |= b->box.fragments != EVERY_PART;
	}
}

/* The different rows of a byte, by one value of each. */
struct kinds {
	uint8_t value[ROWS], number[ROWS]; /* of a row; of a value */
	unsigned len;
};

/* Of most values it is that of the value before. */
static struct kinds kinds_of(const struct packing *p, unsigned block, unsigned byte)
{
	const size_t row = p->t.words * sizeof *p->rows;
	struct kinds k = { 0 };

	for (unsigned v = 0; v < ROWS; v++) {
		unsigned of = v ? k.number[v - 1] : 0, i = 0;

		if (v && memcmp(row_of(p, block, byte, v), row_of(p, block, byte, v - 1), row)) {
			while (i < k.len && memcmp(row_of(p, block, byte, v), row_of(p, block, byte, k.value[i]), row))
				i++;
			of = i;
		}
		if (of == k.len)
			k.value[k.len++] = (uint8_t)v;
		k.number[v] = (uint8_t)of;
	}
	return k;
}

static void put_block(struct packing *p, unsigned block, const struct kinds *of)
{
	uint64_t *at = &p->words[p->t.rows + (size_t)block * p->t.block_words];

	for (unsigned byte = 0; byte < p->bytes; byte++) {
		memcpy((uint8_t *)at + (size_t)byte * ROWS, of[byte].number, ROWS);
		for (unsigned v = 0; v < ROWS; v++)
			memcpy(&at[teg_vector_row(&p->t, at, p->bits.family == FAMILY_IP6, byte, v)], row_of(p, block, byte, v), p->t.words * sizeof *at);
	}
}

/* Each row of a byte once. */
static void put_numbered(struct packing *p)
{
	const size_t all = (size_t)p->t.blocks * p->bytes;
	struct kinds *of = arena_zero(p->arena, all * sizeof *of);
	unsigned most = 0;

	for (size_t i = 0; i < all; i++) {
		of[i] = kinds_of(p, (unsigned)(i / p->bytes), (unsigned)(i % p->bytes));
		most = of[i].len > most ? of[i].len : most;
	}
	p->t.byte_words = most * p->t.words;
	p->t.block_words = TEG_VECTOR_NUMBERS(p->bits.family == FAMILY_IP6) * ROWS / sizeof *p->words + p->bytes * p->t.byte_words;
	p->t.block_words = (p->t.block_words + LINE - 1) & ~(LINE - 1);
	p->t.rows = put_zeroes(p, (size_t)p->t.blocks * p->t.block_words + ROWS * p->t.words);
	for (unsigned block = 0; block < p->t.blocks; block++)
		put_block(p, block, &of[(size_t)block * p->bytes]);
}

static void put_rows(struct packing *p)
{
	if (p->t.words == TEG_VECTOR_LONG) {
		put_numbered(p);
		return;
	}
	p->t.block_words = p->bytes * ROWS * p->t.words;
	p->t.rows = put_zeroes(p, p->t.block_words);
	memcpy(&p->words[p->t.rows], p->rows, p->t.block_words * sizeof *p->rows);
}

static void pack_family(struct packing *p)
{
	struct cut c = { .blocks = 1, .longest = 1 };
	const bool cut = p->t.words == 4 && best_cut(&p->bits, &c);

	p->t.blocks = c.blocks;
	p->t.longest = c.longest;
	p->t.byte = c.byte;
	p->bytes = (p->bits.family == FAMILY_IP4 ? TEG_VECTOR_BYTES4 : TEG_VECTOR_BYTES6) + p->t.mores;
	p->rows = arena_zero(p->arena, (size_t)c.blocks * p->bytes * ROWS * p->t.words * sizeof *p->rows);
	note_asked(&p->t, &p->bits);
	if (cut)
		p->t.table = put_zeroes(p, ROWS);
	p->t.of_bit = put_zeroes(p, (size_t)c.blocks * TEG_VECTOR_BITS_MAX);
	if (cut)
		put_blocks(p, &c);
	for (size_t i = 0; i < p->bits.len && !cut; i++)
		fill_bit(p, 0, (unsigned)i, &p->bits.at[i]);
	put_rows(p);
}

void vectors_pack(struct bulk_words *words, struct arena *a, const struct plan *plan, const uint32_t *more_of,
		  const uint32_t *slots)
{
	const struct teg_bulk *t = &plan->config.bulk;
	struct packing p = { .arena = a, .words = words->at, .len = words->len, .room = words->len,
			     .rules = plan->rules, .slots = slots, .more_of = more_of };

	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		p.t = (struct teg_vectors){ .words = t->vectors[f].words,
					    .mores = words->mores > 1 ? (uint32_t)(words->mores + 7) / 8 : 0 };
		p.bits = bits_of(a, plan->bulk_boxes, t->cells, (enum family)f);
		if (p.t.words)
			pack_family(&p);
		words->vectors[f] = p.t;
	}
	words->at = p.words;
	words->len = p.len;
}
