/* abi_atlas - sets of up to millions of prefixes, and the feeds: how they lie in gen_atlas and gen_feeds. See abi.h. */
#ifndef TEG_ABI_ATLAS_H
#define TEG_ABI_ATLAS_H

#include <linux/types.h>
#include <stdbool.h>

/* What an atlas begins with. */
#define TEG_ATLAS_LENGTHS 64u

struct teg_atlas_table {
	__u32 at, buckets; /* no buckets: no table */
	__u32 gate, gate_shift; /* 2^(64 - shift) words */
};

enum { TEG_ATLAS_HOSTS4, TEG_ATLAS_HOSTS6, TEG_ATLAS_FAR, TEG_ATLAS_TABLES };

struct teg_atlas {
	__u32 root[2];	     /* by family; 0: no pages */
	__u32 root_is_pages; /* a bit by family */
	__u32 masks;
	__u64 seed;	     /* of the tables, odd */
	struct teg_atlas_table tables[TEG_ATLAS_TABLES];
	__u32 heads, head_cells; /* so many words */
	__u32 pilots, head_groups; /* a pilot each */
	__u32 trees, tree_count; /* the heads 1 to tree_count have one, the first at `trees` */
	__u32 far_lengths;   /* by the number of a head, a word: a bit for each length from 65 on */
	__u32 length_count;
	__u32 ground;	     /* of IPv4: 2^(32 - shift) bits, by the first bits of an address; 0: there is none */
	__u32 ground_shift;
	__u32 tags;	     /* of IPv4 hosts: 2^(32 - shift) buckets; 0: there are none */
	__u32 tags_shift;
	__u32 pad[2];
	__u8 lengths[TEG_ATLAS_LENGTHS]; /* of `far`, the longest first */
};
_Static_assert(sizeof(struct teg_atlas) == 24 * 8, "abi");

/*
 * gen_atlas: one value of config.atlas words, when gen_nodes is empty: address sets of up to
 * millions of prefixes. An offset is a number of words from the beginning, where a struct teg_atlas lies.
 * A value is the number of a mask: the sets that an address is in; 0 is none.
 *
 * Ground: IPv4 by its first bits, 9 to 22 of them. A bit says that some prefix lies there, at least in part: of most addresses
 * that are in no set nothing else is read.
 *
 * Pages: IPv4 prefixes, and those of IPv6 up to /32, which are asked by its first 32 bits.
 *
 *     root    65,536 offsets of pages, u32 each, by the first 16 bits; or, where pages are many, the pages themselves
 *     page    256 bits, by the next 8: is there an entry? | 31..0 entries before each of these four words
 *             | 63..32 offset of the entries, 21..0 the value where there is none | two words, for entries when they are so few. Without
 *             entries (offset 0) the first of these two words is the value of all parts that would have one
 *     entry   63 0 | 59..52 from, 51..44 to: the last 8 bits | 43..22 value there | 21..0 value elsewhere
 *             63 1 | 39..32 parts, but one | 31..0 offset of parts, u32 each: 31..24 from | 21..0 value
 *
 * Tags: most IPv4 hosts, where they are many. An address is mixed by a bijection of 32 bits: the first 17 or more are the number of its
 * bucket of four words, two in a cache line, and the last 15, which stand there, say the rest. So one line has all that is known of an address.
 *
 *     bucket  12 tags of 15 bits, 16 apart, four in a word | 12 values of 5 bits, by the lane and then the word of their tag
 *             | 63: some that would be here are in hosts4. A value of 0 is no host; its tag is the first one's
 *
 * Tables: buckets of 64 bytes. A key is in the first of its two buckets or, if that one says that some are, in the
 * second. Before hosts6 and far stands a gate, in which each key has two bits of one word: most others are known by it.
 *
 *     hosts4  8 cells: 63..32 value, 31..0 address; 63 of the first: some of this bucket's are in their second
 *     hosts6  5 words: bits 64 to 127 | 5 halves: bits 32 to 63 | 6 bits each: 5 this is its second bucket, 4..0 the
 *             value; 31 as above. The number of the head is what the bucket's own number says. Hosts of other values are in `far`
 *     far     3 keys of two words, 3 values, and whether some are in their second bucket: prefixes of other lengths
 *             from 65 on: head << 38 | bits 32 to 63 << 6 | length - 65, and the bits from 64 on
 *
 * Heads: the first 32 bits of IPv6 addresses, of which longer prefixes begin so. Each has a cell of its own, which its hash and its group's
 * pilot, an odd number of 16 bits that was tried until it was so, say: so one word is compared, whichever it is.
 *
 *     heads   a word each: 63..32 number of the head, 31..0 the first 32 bits; 0: none
 *     pilots  four in a word, by the number of the group
 *
 * Trees: a head's prefixes of 33 to 64 bits, by bits 32 to 63. The page of each, as above by the first 8 of them, stands by the head's number.
 *
 *     entry   63 0 | 50..46 bits, but 8, 45..22 bits 40 to 63 of the one prefix | 21..0 value there; elsewhere the page's
 *             63 1 | 34..32 depth, 31..0 offset of the first line of a tree of intervals
 *     inner   15 halves: where its parts end, but the last | the number of the first part's line; the others follow
 *     leaf    9 halves: where intervals end, but the last | 10 values of 22 bits
 */
#define TEG_ATLAS_VALUE ((1u << 22) - 1)
#define TEG_ATLAS_MASKS (1u << 21)
#define TEG_ATLAS_MANY 1u
#define TEG_ATLAS_KIND(entry) ((__u32)((entry) >> 63))
#define TEG_ATLAS_ROOT 65536u
#define TEG_ATLAS_LINE 8u	/* words of a cache line: a page, a bucket, a part of a tree */
#define TEG_ATLAS_INLINE 6u	/* word of a page, where entries stand when they are two at most */
#define TEG_ATLAS_PARTS 128u	/* words of the most parts that an entry may have; so many end the table */
#define TEG_ATLAS_CELLS 8u	/* ways of hosts4 */
#define TEG_ATLAS_TAGS 12u	/* of a bucket */
#define TEG_ATLAS_TAG_WORDS 3u
#define TEG_ATLAS_TAG_BITS 15u
#define TEG_ATLAS_TAG_VALUES 32u /* from 1 on */
#define TEG_ATLAS_WAYS6 5u
#define TEG_ATLAS_FAR_WAYS 3u
#define TEG_ATLAS_SPILLED (1u << 31)
#define TEG_ATLAS_DEPTH(entry) ((__u32)((entry) >> 32) & 7)
#define TEG_ATLAS_DEPTH_MOST 7u
#define TEG_ATLAS_INNER 15u
#define TEG_ATLAS_LEAF 9u
#define TEG_ATLAS_VALUES6 32u	/* of hosts6, from 1 on */
#define TEG_ATLAS_WORDS_MAX (1u << 26) /* 512 MB */

static inline __u64 teg_atlas_hash(__u64 seed, __u64 key, __u64 low)
{
	__u64 x = (key ^ low * 0x9e3779b97f4a7c15ull) * seed;

	x = (x ^ x >> 32) * 0xff51afd7ed558ccdull; /* MurmurHash3's end */
	return x ^ x >> 29;
}

/* A key is in the first or in the second of two buckets. */
static inline __u32 teg_atlas_bucket(__u64 hash, __u32 buckets, bool second)
{
	return (__u32)((second ? (__u32)hash : hash >> 32) * buckets >> 32);
}

/* The cell of a head. One half of its hash says its group; the other is not the same for any two, nor is what an odd number makes of it. */
static inline __u64 teg_atlas_head_hash(__u64 seed, __u32 top)
{
	return top * seed;
}

static inline __u32 teg_atlas_group(__u64 hash, __u32 groups)
{
	return (__u32)((hash >> 32) * groups >> 32);
}

static inline __u32 teg_atlas_head_cell(__u64 hash, __u32 pilot, __u32 cells)
{
	return (__u32)((__u64)((__u32)hash * pilot) * cells >> 32);
}

/* The tags of an atlas: see there. */
static inline __u32 teg_atlas_mix(__u32 key)
{
	key *= 0x9e3779b1u;
	key ^= key >> 15;
	return key * 0x85ebca77u;
}

/*
 * The same of hosts6, where the hash is of what the bucket holds, and the head, whose number is less than
 * there are buckets, moves it on: two heads' equal hosts are never in one bucket.
 */
static inline __u32 teg_atlas_bucket6(__u64 hash, __u32 head, __u32 buckets, bool second)
{
	__u64 at = (__u64)teg_atlas_bucket(hash, buckets, second) + head - buckets;

	return (__u32)(at + (buckets & (__u64)((__s64)at >> 63)));
}

/* A key's bits in its word of the gate. */
static inline __u64 teg_atlas_bits(__u64 hash)
{
	return 1ull << (hash & 63) | 1ull << (hash >> 6 & 63);
}

/*
 * gen_feeds: what is on the policy's feeds, an atlas as above in each of two banks of config.feed_words words. The
 * sets of an address are the feeds that it is on, a bit each. gen_feeding says which bank is read: nothing is
 * on any feed, or the first, or the second. The other is written whole before it is the one.
 */
#define TEG_FEEDING_SECTION ".data.feeding"
#define TEG_FEEDS_MAX 62u
#define TEG_FEED_ENTRIES_MAX 1000000u
enum { TEG_FEEDING_NOTHING, TEG_FEEDING_FIRST, TEG_FEEDING_SECOND };

#endif
