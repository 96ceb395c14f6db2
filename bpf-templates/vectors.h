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
#include "bpf-templates/bulk.h"
#include "bpf-templates/config.h"
#include "bpf-templates/walk.h"

/* Where a half-word has its upper byte. */
#define VECTOR_UPPER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* What is not a byte of the packet as it was read; and two words of what rows have in common so far. */
struct vector {
	__u32 dport; /* or ICMP type and code */
	__u64 mores;
	__u64 bits[2];
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

/* The row of a byte's value: rows lie 2^stride bytes apart, and the byte is the packet's `at`-th. */
static __always_inline void vector_and(struct vector *v, const void *rows, __u32 at, __u64 value, __u32 stride, bool two)
{
	const __u64 *row = rows + (value << stride) + ((__u64)at * TEG_VECTOR_ROWS << stride);

	v->bits[0] &= row[0];
	if (two)
		v->bits[1] &= row[1];
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

/*
 * Two words of all rows, or one. Constant to the compiler are `stride` of short rows, and `two`. The packet is read for each
 * two words anew: kept over a loop, its bytes would take as many places of the stack.
 */
static __always_inline void vector_meet(struct vector *v, const struct pkt *p, const void *rows,
					const volatile struct teg_vectors *t, bool ip6, __u32 stride, bool two)
{
	const __u32 end = ip6 ? 16 : 4;
	const volatile __u8 *src = (const __u8 *)&p->src + (16 - end), *dst = (const __u8 *)&p->dst + (16 - end);
	const volatile __u8 *sport = (const __u8 *)&p->sport, *proto = (const __u8 *)&p->proto, *part = &p->fragment;

	v->bits[0] = ~0ull;
	v->bits[1] = two ? ~0ull : 0;
	for (__u32 q = 0; q < end / 4; q++) {
		if (q && t->quads <= q)
			break;
		for (__u32 i = 4 * q; i < 4 * q + 4; i++) {
			vector_and(v, rows, i, src[i], stride, two);
			vector_and(v, rows, end + i, dst[i], stride, two);
		}
	}
	if (t->sports) {
		vector_and(v, rows, 2 * end, sport[VECTOR_UPPER], stride, two);
		vector_and(v, rows, 2 * end + 1, sport[1 - VECTOR_UPPER], stride, two);
	}
	vector_and(v, rows, 2 * end + 2, v->dport >> 8 & 255, stride, two);
	vector_and(v, rows, 2 * end + 3, v->dport & 255, stride, two);
	vector_and(v, rows, 2 * end + 4, proto[1 - VECTOR_UPPER], stride, two);
	if (t->parts)
		vector_and(v, rows, 2 * end + 5, *part, stride, two);
	for (__u32 i = 0; i < TEG_VECTOR_MORES_MAX / 8 && i < t->mores; i++)
		vector_and(v, rows, 2 * end + 6 + i, v->mores >> 8 * i & 255, stride, two);
}

/* The rule of the lowest bit, if there is one. */
static __always_inline __u32 vector_rule(const __u64 *of_bit, const struct vector *v, bool two)
{
	if (!(v->bits[0] | v->bits[1]))
		return NO_RULE;
	/* No branch: which of the words it is, nobody could foresee. */
	__u64 in_first = two ? (__u64)((__s64)walk_some(v->bits[0]) >> 63) : ~0ull;
	WALK_ONE_REGISTER(in_first);
	__u64 bits = v->bits[1] ^ ((v->bits[0] ^ v->bits[1]) & in_first);
	return (__u32)of_bit[(64 & ~in_first) + (vector_lowest(bits) & 63)];
}

/* The rule of the first cell that matches, or NO_RULE. */
static __always_inline __u32 vector_first(const struct walk *w, bool ip6)
{
	const volatile struct teg_vectors *t = &gen_config.bulk.vectors[ip6];
	const struct pkt *p = w->p;
	const __u32 zero = 0, count = t->words;
	const __u64 *words = count ? bpf_map_lookup_elem(&gen_bulk, &zero) : NULL;
	struct vector v = { .dport = p->dport | p->icmp };

	if (!words)
		return NO_RULE;
	if (t->mores)
		v.mores = vector_mores(words, w);
	if (count == 1) {
		vector_meet(&v, p, &words[t->rows], t, ip6, 3, false);
		return vector_rule(&words[t->of_bit], &v, false);
	}
	if (count == 2) {
		vector_meet(&v, p, &words[t->rows], t, ip6, 4, true);
		return vector_rule(&words[t->of_bit], &v, true);
	}
	for (__u32 base = 0; base < count && base < TEG_VECTOR_WORDS_MAX; base += 2) {
		vector_meet(&v, p, &words[t->rows + base], t, ip6, t->shift + 3, true);
		__u32 rule = vector_rule(&words[t->of_bit + base * 64], &v, true);

		if (rule != NO_RULE)
			return rule;
	}
	return NO_RULE;
}

#endif
