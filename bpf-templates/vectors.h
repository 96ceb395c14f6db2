/*
 * vectors - the first of up to a thousand cells, without a branch for each: what the rows of bits of
 * all bytes of the packet have in common. abi.h has the layout.
 *
 *     source, destination ────────┐
 *     ports, protocol, fragment ──┼─ and ──► lowest bit ──► rule
 *     what else cells ask ────────┘
 *
 * Rows depend on nothing but the packet, so all of their loads are under way at once; a tree's wait for each other.
 */
#ifndef TEG_VECTORS_H
#define TEG_VECTORS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/bound.h"
#include "bpf-templates/bulk.h"
#include "bpf-templates/config.h"
#include "bpf-templates/hook.h"
#include "bpf-templates/one.h"
#include "bpf-templates/walk.h"

/* Where a half-word has its upper byte. */
#define VECTOR_UPPER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* What is not a byte of the packet as it was read; and the words of what rows have in common so far. */
struct vector {
	volatile __u64 mores;
	__u64 bits[4];
};

/* The lowest bit of a word that is not 0: a de Bruijn sequence's six bits are another for each shift (Leiserson, Prokop
 * and Randall, 1998); BPF has no instruction for it. */
static __always_inline __u32 vector_lowest(__u64 x)
{
	static const __u8 place[64] = {
		0, 1, 2, 53, 3, 7, 54, 27, 4, 38, 41, 8, 34, 55, 48, 28,
		62, 5, 39, 46, 44, 42, 22, 9, 24, 35, 59, 56, 49, 18, 29, 11,
		63, 52, 6, 26, 37, 40, 33, 47, 61, 45, 43, 21, 23, 58, 17, 10,
		51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
	};

	return place[(x & -x) * 0x022fdd63cc95386dull >> 58];
}

/* Rows of a block. Short ones stand there for every value; of long ones each only once, behind the numbers that say by value which it is. */
struct vector_rows {
	const __u64 *block;
	__u64 step; /* from a byte's rows to the next one's */
	bool ip6;
};

/* Where each byte's rows are is said anew for each: clang would work all of it out before, and keep it on the stack. */
static __always_inline const __u64 *vector_numbered(const struct vector_rows *r, __u32 at, __u64 value)
{
	const __u8 *numbers = (const __u8 *)r->block + value, *rows = (const __u8 *)r->block + TEG_VECTOR_NUMBERS(r->ip6) * TEG_VECTOR_ROWS;
	__u64 place = r->step;

	WALK_ONE_REGISTER(place);
	place = place * at + (__u64)numbers[at * TEG_VECTOR_ROWS] * TEG_VECTOR_LONG * sizeof(__u64);
	return (const __u64 *)(rows + place);
}

/* The row of a byte's value: so many words, constant to the compiler; the byte is the packet's `at`-th. Clang
 * copies `block` and adds to the copy; the one instruction less counts where there is little else. With longer rows it
 * would keep too many such places on the stack. */
static __always_inline void vector_and(struct vector *v, const struct vector_rows *r, __u32 at, __u64 value, const __u32 words)
{
	const __u64 *row = &r->block[value * words];

	if (words == 1) {
		__u64 place = value * sizeof *row;

		asm("%0 += %1" : "+r"(place) : "r"(r->block));
		row = (const __u64 *)place;
	}
	row += (__u64)at * TEG_VECTOR_ROWS * words;
	if (words == TEG_VECTOR_LONG)
		row = vector_numbered(r, at, value);

	for (__u32 i = 0; i < words; i++) {
		v->bits[i] &= row[i];
		if (words == TEG_VECTOR_LONG)
			WALK_ONE_REGISTER(v->bits[i]);
	}
}

/* A bit for each of the mores that hold. */
static __always_inline __u64 vector_mores(const __u64 *words, const struct walk *w)
{
	const __u32 mores = gen_config.bulk.mores;
	__u64 hold = 1;

	for (__u32 i = 1; i < mores && i < TEG_VECTOR_MORES_MAX; i++)
		hold |= bulk_more_has(&words[i * TEG_BULK_MORE], w->zones, w->src, w->dst, w->posture, w->p->flags) << i;
	return hold;
}

/* The packet is read for each block anew: kept over a loop, its bytes would take as many places of the stack. */
static __always_inline void vector_meet(struct vector *v, const struct pkt *p, const __u64 *block,
					const volatile struct teg_vectors *t, bool ip6, const __u32 words)
{
	const __u32 end = ip6 ? 16 : 4;
	const volatile __u8 *src = (const __u8 *)&p->src + (16 - end), *dst = (const __u8 *)&p->dst + (16 - end);
	const volatile __u8 *dport = (const __u8 *)&p->dport, *icmp = (const __u8 *)&p->icmp;
	const volatile __u8 *sport = (const __u8 *)&p->sport, *proto = (const __u8 *)&p->proto, *part = &p->fragment;
	const struct vector_rows r = { block, words == TEG_VECTOR_LONG ? t->byte_words * sizeof *block : 0, ip6 };

	for (__u32 i = 0; i < 4; i++)
		v->bits[i] = i < words ? ~0ull : 0;
	for (__u32 q = 0; q < end / 4; q++) {
		if (q && t->quads <= q)
			break;
		for (__u32 i = 4 * q; i < 4 * q + 4; i++)
			vector_and(v, &r, i, src[i], words);
		for (__u32 i = 4 * q; i < 4 * q + 4; i++)
			vector_and(v, &r, end + i, dst[i], words);
	}
	if (t->sports) {
		vector_and(v, &r, 2 * end, sport[VECTOR_UPPER], words);
		vector_and(v, &r, 2 * end + 1, sport[1 - VECTOR_UPPER], words);
	}
	/* One of the two is 0. */
	vector_and(v, &r, 2 * end + 2, dport[VECTOR_UPPER] | icmp[VECTOR_UPPER], words);
	vector_and(v, &r, 2 * end + 3, dport[1 - VECTOR_UPPER] | icmp[1 - VECTOR_UPPER], words);
	vector_and(v, &r, 2 * end + 4, proto[1 - VECTOR_UPPER], words);
	if (t->parts)
		vector_and(v, &r, 2 * end + 5, *part, words);
	for (__u32 i = 0; i < TEG_VECTOR_MORES_MAX / 8 && i < t->mores; i++)
		vector_and(v, &r, 2 * end + 6 + i, v->mores >> 8 * i & 255, words);
}

/* What of_bit says of the lowest bit, if there is one. */
static __always_inline __u64 vector_rule(const __u64 *of_bit, const struct vector *v, const __u32 words)
{
	const __u64 *b = v->bits;
	__u64 bits = b[0], at = 0;

	if (!(b[0] | b[1] | b[2] | b[3]))
		return BULK_NONE;
	TEG_MARK();
	/* No branches: which of the words it is, nobody could foresee. */
	if (words == 4) {
		__u64 above = ~(__u64)((__s64)walk_some(b[0] | b[1]) >> 63);
		WALK_ONE_REGISTER(above);
		__u64 first = b[0] ^ ((b[0] ^ b[2]) & above), second = b[1] ^ ((b[1] ^ b[3]) & above);
		__u64 in_second = ~(__u64)((__s64)walk_some(first) >> 63);
		WALK_ONE_REGISTER(in_second);
		bits = first ^ ((first ^ second) & in_second);
		at = (128 & above) + (64 & in_second);
	} else if (words == 2) {
		__u64 in_second = ~(__u64)((__s64)walk_some(b[0]) >> 63);
		WALK_ONE_REGISTER(in_second);
		bits = b[0] ^ ((b[0] ^ b[1]) & in_second);
		at = 64 & in_second;
	}
	return of_bit[BOUND(at + (vector_lowest(bits) & 63), 64 * words)];
}

/* The byte that says in which blocks the packet's boxes are. */
static __always_inline __u32 vector_byte(const struct pkt *p, __u32 byte, bool ip6)
{
	const __u32 end = ip6 ? 16 : 4;
	const __u8 *src = (const __u8 *)&p->src + (16 - end), *dst = (const __u8 *)&p->dst + (16 - end);

	if (byte < end)
		return src[byte];
	return byte < 2 * end ? dst[byte - end] : p->proto & 255;
}

/* What of_bit says of the first cell that matches, or BULK_NONE. */
static __always_inline __u64 vector_first(const struct walk *w, bool ip6)
{
	const volatile struct teg_vectors *t = &gen_config.bulk.vectors[ip6];
	const struct pkt *p = w->p;
	const __u32 count = t->words;
	const __u64 *words = ONE(gen_bulk);
	struct vector v;

	if (!count)
		return BULK_NONE;
	if (t->mores)
		v.mores = vector_mores(words, w);
	if (count == 1) {
		vector_meet(&v, p, &words[t->rows], t, ip6, 1);
		return vector_rule(&words[t->of_bit], &v, 1);
	}
	if (count == 2) {
		vector_meet(&v, p, &words[t->rows], t, ip6, 2);
		return vector_rule(&words[t->of_bit], &v, 2);
	}
	const __u64 where = words[t->table + vector_byte(p, t->byte, ip6)];

	for (__u32 i = 0; i < t->longest && i < where >> 32; i++) {
		__u64 block = (__u32)where + i;

		WALK_ONE_REGISTER(block);
		if (block >= t->blocks)
			break;
		WALK_ONE_REGISTER(block); /* so that none but the one that was compared is kept on the stack: 6.1 sees no bound of another */
		vector_meet(&v, p, &words[t->rows + block * t->block_words], t, ip6, 4);
		__u64 rule = vector_rule(&words[t->of_bit + block * TEG_VECTOR_BITS_MAX], &v, 4);

		if (rule != BULK_NONE)
			return rule;
	}
	return BULK_NONE;
}

#endif
