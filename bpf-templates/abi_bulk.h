/* abi_bulk - many boxes, as trees or as bit vectors: what the program knows of them, and gen_bulk. See abi.h. */
#ifndef TEG_ABI_BULK_H
#define TEG_ABI_BULK_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf-templates/abi_rule.h"

/* What the program knows of the trees. No cells: the policy has none. */
#define TEG_BULK_GROUPS 6u
struct teg_bulk_root {
	__u64 take[3]; /* what the hash is of */
	__u32 first;   /* of its nodes */
	__u32 shift;   /* 2^(64 - shift) of them; 0: one */
};

/* Of a family's bit vectors; places are in words of gen_bulk. What is not said to be the plan's is by who loads. */
struct teg_vectors {
	__u32 words;  /* of a row, by the plan: 1, 2 or 4; 0: there are none */
	__u32 blocks; /* in all, and the most that one packet is asked in */
	__u32 longest;
	__u32 table;  /* when there are several: */
	__u32 byte;   /* by this byte of the packet */
	__u32 of_bit;
	__u32 rows, block_words;
	__u32 quads;  /* so many times four bytes of each end are asked */
	__u32 sports, parts; /* are source ports asked, fragments? */
	__u32 mores;  /* so many bytes say which mores hold */
	__u32 byte_words; /* of all rows of a byte */
	__u32 pad;
};
_Static_assert(sizeof(struct teg_vectors) == 56, "abi");

struct teg_bulk {
	__u32 cells, nodes, leaves;
	__u32 words, mores; /* of gen_bulk, and of it what the cells ask more, by who loads */
	__u32 depth;   /* nodes below a root, on the longest way to a leaf */
	__u32 longest; /* cells of the largest leaf */
	__u32 groups[2]; /* by family, IPv4 first */
	__u32 short6; /* cells of IPv6 are short ones, by who loads */
	struct teg_bulk_root roots[2][TEG_BULK_GROUPS];
	struct teg_vectors vectors[2]; /* by family */
};
_Static_assert(sizeof(struct teg_bulk) == 536, "abi");

/* ---- trees ------------------------------------------------------------------- */

/*
 * Many boxes: cells in a few trees instead of one list. Every block and reflex
 * without a rate is then a bulk cell, which also has one prefix for each end, so
 * that an end of one prefix needs no set. The first bulk cell that matches gives a
 * rule; the cells of gen_cells, in which the rates are, come first as far as
 * their rules stand before it.
 *
 *     words  0, 1 source | 2, 3 destination | 4  63..48 sport, 47..32 dport, 31..16 icmp, 7..0 protocol
 *
 * A group of boxes has a root: the hash of some bits that all of them ask, of
 * source, destination and word 4, is the number of a node. A node takes `width` bits
 * of one word for the child's number; a leaf is a run of cells, in their order. Roots
 * and nodes only leave out what cannot match: a cell that is reached is asked in full.
 *
 *     node   63 leaf 0 | 62..32 first child     | 12..9 width | 8..6 word | 5..0 shift
 *     leaf   63 leaf 1 | 62..32 where it begins | 15..0 how many
 *
 * The plan's leaves are numbers of boxes. gen_bulk is made of them when they are loaded:
 * one value of bulk.words words. First stand bulk.mores times what cells may ask beyond
 * their own words, each once; then the nodes; then the cells of all leaves, a copy for
 * every place where a box is listed, so that a leaf is read from one place.
 *
 * There a node has the least rule of all cells below it, with which nobody need go there who has met one before it:
 *
 *     node   63 leaf 0 | 62..46 least rule | 45..20 first child | 17..12 down | 11..6 up | 5..3 word; the child's number is word << up >> down
 *     leaf   63 leaf 1 | 62..46 least rule | 45..20 where it begins | 19 marked | 18..9 mark | 8..0 how many
 *
 * And a cell has what a plain drop of its rule needs, which so reads no rule:
 *
 *     IPv4   source << 32 | destination | its mask | ports | last
 *     IPv6   source, destination: four words | lens | nothing | ports | last
 *     short  source, destination: the first word each | ports | last
 *            of IPv6 where no box asks more than 64 bits of an end: behind what is asked of a word there is a 1, and then nothing
 *     lens   eight bits a word of the addresses, the first in the lowest: 7 asks, 6..0 how many of its bits, less one
 *     ports  63..48 dport_hi | 47..32 dport_lo | 31..16 sport_hi | 15..0 sport_lo; of ICMP type and code for dport
 *     last   63..47 rule | 46 plain | 45..28 counter slot | 27..14 what it asks more
 *            | of short ones 13, 12 all 64 bits of the source, of the destination are asked | 11 asks a protocol | 10..8 fragments that it is not for | 7..0 protocol
 *     more   zones | source sets | destination sets | bit per posture that it is silent in
 *            | 15..8 flags want, 7..0 flags mask | three words of nothing; the first asks nothing
 */
#define TEG_BULK_WORDS 5u
#define TEG_BULK_BOXES_MAX 131072u
#define TEG_BULK_DEPTH_MAX 32u
#define TEG_BULK_LONGEST_MAX 256u
#define TEG_BULK_WORDS_MAX (1u << 26)
#define TEG_BULK_LEAF (1ull << 63)
#define TEG_BULK_NODE(first, width, word, shift)                                                   \
	((__u64)(first) << 32 | (__u64)(width) << 9 | (__u64)(word) << 6 | (__u64)(shift))

#define TEG_BULK_CELL4 4u
#define TEG_BULK_CELL6 8u
#define TEG_BULK_SHORT6 4u
#define TEG_BULK_SRC_WHOLE_BIT 13
#define TEG_BULK_DST_WHOLE_BIT 12
#define TEG_BULK_PAD 64u /* words of nothing behind all cells: eight may be read wherever one is */
#define TEG_BULK_MORE 8u
#define TEG_BULK_MORES_MAX 16384u
#define TEG_BULK_LAST(rule, plain, slot, more)                                                     \
	((__u64)(rule) << 47 | (__u64)(plain) << 46 | (__u64)(slot) << 28 | (__u64)(more) << 14)
#define TEG_BULK_RULE(last) ((__u32)((last) >> 47))
#define TEG_BULK_PLAIN (1ull << 46)
#define TEG_BULK_SLOT(last) ((__u32)((last) >> 28) & 0x3ffff)
#define TEG_BULK_MORE_OF(last) ((last) >> 14 & 0x3fff)
#define TEG_BULK_ASKS_PROTO 0x800u
#define TEG_BULK_NO_RULE 0x1ffffu
_Static_assert(TEG_BULK_WORDS_MAX <= 1u << 26 && TEG_BULK_MORES_MAX <= 1u << 14, "abi");
/* What leads to a place in gen_bulk; and of it the place, and the least rule with, above it, the leaf's bit. */
#define TEG_BULK_WAY(n, least, at) ((n) | (__u64)(least) << 46 | (__u64)(at) << 20)
#define TEG_BULK_STEP(width, word, shift)                                                          \
	((__u64)(64 - (width)) << 12 | ((__u64)(64 - (shift) - (width)) & 63) << 6 | (__u64)(word) << 3)
#define TEG_BULK_STEP_WORD(n) ((n) >> 3 & 7)
#define TEG_BULK_STEP_WIDTH(n) (64 - ((n) >> 12 & 63))
#define TEG_BULK_STEP_SHIFT(n) (((n) >> 12 & 63) - ((n) >> 6 & 63))
#define TEG_BULK_AT(n) ((n) >> 20 & 0x3ffffff)
#define TEG_BULK_LEAST(n) ((__u32)((n) >> 46))
#define TEG_BULK_LEAST_OF_LEAF 0x20000u
#define TEG_BULK_PART(proto, fragment) ((__u32)(fragment) << 8 | (__u32)(proto))

/* IPv4 has the address in word 1, the first 64 bits of IPv6 are word 0. The first bits say which of its root's nodes. */
static inline __u64 teg_bulk_mix_src(__u64 src)
{
	return src * 0x9e3779b97f4a7c15ull;
}

static inline __u64 teg_bulk_mix_dst(__u64 dst)
{
	return dst * 0xc2b2ae3d27d4eb4full;
}

static inline __u64 teg_bulk_mix_upper(__u64 upper)
{
	return upper * 0xff51afd7ed558ccdull;
}

static inline __u64 teg_bulk_mix(const __u64 take[3], __u64 src, __u64 dst, __u64 upper)
{
	return teg_bulk_mix_src(src & take[0]) + teg_bulk_mix_dst(dst & take[1]) + teg_bulk_mix_upper(upper & take[2]);
}

static inline __u64 teg_bulk_hash(const struct teg_bulk_root *r, __u64 src, __u64 dst, __u64 upper)
{
	return teg_bulk_mix(r->take, src, dst, upper) >> r->shift;
}

/* Bits that no root's number of a node has: a root's leaf whose cells have all the same says which. */
#define TEG_BULK_SHIFT_MIN 44u
#define TEG_BULK_MARK(mix) ((mix) >> 28 & 0x3ff)
#define TEG_BULK_MARK_OF(leaf) ((leaf) >> 9 & 0x3ff)
#define TEG_BULK_MARKED (1u << 19)
#define TEG_BULK_MARK_DOWN 19	   /* so much brings a mix's mark to where a leaf has its own */
#define TEG_BULK_MARK_MASK 0x7fe00u
#define TEG_BULK_COUNT(leaf) ((leaf) & 0x1ff)

static inline __u64 teg_bulk_root_nodes(const struct teg_bulk_root *r)
{
	return r->shift ? 1ull << (64 - r->shift) : 1;
}

struct teg_bulk_box {
	struct teg_box box;
	__u64 addr[4], mask[4]; /* words 0 to 3; mask 0: any */
};
_Static_assert(sizeof(struct teg_bulk_box) == 112, "abi");

/* ---- bit vectors ------------------------------------------------------------- */

/*
 * Of fewer boxes there are bit vectors (Lakshman and Stiliadis, 1998): no load waits for another. A packet is so
 * many bytes, in this order, and for each value of each byte there is a row of bits: those of the boxes that
 * have it there.
 *
 *     IPv4   source 4 | destination 4 | source port 2 | destination port, or ICMP type and code 2 | protocol | fragment
 *     IPv6   source 16 | destination 16 | the same
 *
 * Behind these stand bytes whose bits say which of the mores hold, the first in the lowest bit. What its bytes' rows have
 * in common are the boxes that a packet lies in; the lowest bit is the first of them. A prefix is a condition on each byte.
 * A range of ports need not be, so a box has a bit for each part of its ranges that is one.
 *
 * Boxes of more than 128 bits are in blocks of 256 bits. One byte of the packet says which, by a table of 256: the first
 * block's number, and above 32 how many. A box is in every block where its packets may come.
 *
 * In gen_bulk the mores come first, as with trees; then, by family, the table; a word for each bit, as the last of its
 * box's cell would be, without what a cell asks; and the blocks. Rows of one or two words stand there 256 for each byte, by value.
 * Of four words, where most values of a byte have the same rows, each stands there once, so that 1,000 boxes take 60 KB of
 * the cache and not 700: first, for each byte that there may be, 256 numbers of a byte each, by value; then, for each byte, its
 * rows by number. Behind all blocks stand as many words as the largest number could lead to.
 */
#define TEG_VECTOR_BITS_MAX 256u   /* of a block */
#define TEG_VECTOR_BLOCKS_MAX 32u
#define TEG_VECTOR_LONGEST_MAX 8u
#define TEG_VECTOR_ROWS 256u
#define TEG_VECTOR_MORES_MAX 64u
#define TEG_VECTOR_LONG 4u /* words of a row that is found by its number */
#define TEG_VECTOR_BYTES4 14u
#define TEG_VECTOR_BYTES6 38u
#define TEG_VECTOR_NUMBERS(ip6) (((ip6) ? TEG_VECTOR_BYTES6 : TEG_VECTOR_BYTES4) + TEG_VECTOR_MORES_MAX / 8) /* bytes that there is room for */

/* In a block: where the row is that a value of a byte has. */
static inline __u64 teg_vector_row(const struct teg_vectors *t, const void *block, bool ip6, __u32 byte, __u32 value)
{
	if (t->words < TEG_VECTOR_LONG)
		return ((__u64)byte * TEG_VECTOR_ROWS + value) * t->words;
	return (__u64)TEG_VECTOR_NUMBERS(ip6) * TEG_VECTOR_ROWS / sizeof(__u64) + (__u64)byte * t->byte_words +
	       (__u64)((const __u8 *)block)[byte * TEG_VECTOR_ROWS + value] * t->words;
}

#endif
