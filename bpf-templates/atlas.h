/*
 * atlas - in which sets an address lies, as an atlas of up to millions of prefixes says
 * (struct teg_atlas in abi.h). A host is in one of two buckets, an IPv4 network in a page and its
 * entry, an IPv6 one in a tree of few levels; each is one cache line, and so is what is known by a gate alone.
 *
 * The same text is the program's and user space's: nothing is trusted that was not compared with `words`.
 * No branch depends on where in a line the answer stands: it would be guessed wrong.
 */
#ifndef TEG_ATLAS_H
#define TEG_ATLAS_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/bound.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

struct atlas_view {
	const __u64 *at;
	const volatile struct teg_atlas *head; /* what it begins with, there or among the program's constants */
	__u32 words;
	__u32 which; /* the program's functions are told: 0 the policy's sets, else TEG_FEEDING_ */
};

/* Who counts what is read says how. */
#ifndef ATLAS_TOUCHES
#define ATLAS_TOUCHES(v, at) ((void)0)
#endif

/* What is compared is what is used: the verifier knows no more of a copy. */
#define ATLAS_ONE_REGISTER(x) asm volatile("" : "+r"(x))

static __always_inline __u64 atlas_word(const struct atlas_view *v, __u64 at)
{
	ATLAS_ONE_REGISTER(at);
	if (at >= v->words)
		return 0;
	ATLAS_ONE_REGISTER(at);
	ATLAS_TOUCHES(v, at);
	return v->at[at];
}

/* Eight words, or NULL. */
static __always_inline const __u64 *atlas_line(const struct atlas_view *v, __u64 at)
{
	ATLAS_ONE_REGISTER(at);
	if (at >= v->words - TEG_ATLAS_LINE)
		return (const __u64 *)0;
	ATLAS_ONE_REGISTER(at);
	ATLAS_TOUCHES(v, at);
	return v->at + at;
}

/* The half of a word that is the u32 at this place. */
static __always_inline __u32 atlas_half(const struct atlas_view *v, __u32 words, __u32 at)
{
	return (__u32)(atlas_word(v, (__u64)words + (at >> 1)) >> (at & 1) * 32);
}

/* BPF has no instruction for it. */
static __always_inline __u32 atlas_ones(__u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (__u32)(x * 0x0101010101010101ull >> 56);
}

/* 1 when x < y, of numbers below 2^63; no branch, which the verifier would follow both ways. */
static __always_inline __u64 atlas_less(__u64 x, __u64 y)
{
	__u64 below = x - y;

	ATLAS_ONE_REGISTER(below);
	return below >> 63;
}

/* All ones when x is 0, else 0. */
static __always_inline __u64 atlas_if_none(__u64 x)
{
	__u64 none = x | -x;

	ATLAS_ONE_REGISTER(none);
	none = (none >> 63) - 1;
	ATLAS_ONE_REGISTER(none);
	return none;
}

/* The same of half a word. */
static __always_inline __u64 atlas_if_none_half(__u32 x)
{
	__u64 none = (__u64)((__s64)((__u64)x - 1) >> 63);

	ATLAS_ONE_REGISTER(none);
	return none;
}

/* ---- pages -------------------------------------------------------------------------------- */

/* The value of the last part that begins at the byte or before: the first begins at 0. */
static __always_inline __u32 atlas_part(const struct atlas_view *v, __u64 entry, __u32 byte)
{
	__u64 first = (__u32)entry;
	__u32 last = (__u32)(entry >> 32 & 0xff), low = 0;

	ATLAS_ONE_REGISTER(first);
	if (first >= v->words - TEG_ATLAS_PARTS)
		return 0;
	ATLAS_ONE_REGISTER(first);
	const __u32 *parts = (const __u32 *)(v->at + first);
	for (__u32 step = 128; step; step >>= 1) {
		const __u32 at = (__u32)BOUND(low + step, 256);

		ATLAS_TOUCHES(v, first + at / 2);
		low += step & -(__u32)(atlas_less(at, last + 1) & atlas_less(parts[at] >> 24, byte + 1));
	}
	return parts[BOUND(low, 256)] & TEG_ATLAS_VALUE;
}

/* The program calls functions instead, which the verifier follows once. */
#ifndef ATLAS_PART
#define ATLAS_PART(v, entry, byte) atlas_part(v, entry, byte)
#define ATLAS_FAR(v, head, length, middle, low) atlas_far(v, head, length, middle, low)
#define ATLAS_LONGEST(v, has, head, middle, low) atlas_longest(v, has, head, middle, low)
#define ATLAS_PART_OF_LENGTHS(v, has, head, middle, low, from) atlas_lengths(v, has, head, middle, low, from)
#define ATLAS_ENTRY6(v, at, middle, around) atlas_entry6(v, at, middle, around)
#endif

static __always_inline __u32 atlas_entry(const struct atlas_view *v, __u64 entry, __u32 byte)
{
	if (TEG_ATLAS_KIND(entry) == TEG_ATLAS_MANY)
		return ATLAS_PART(v, entry, byte);
	__u32 lo = (__u32)(entry >> 52) & 0xff, hi = (__u32)(entry >> 44) & 0xff;
	return (__u32)(byte >= lo && byte <= hi ? entry >> 22 : entry) & TEG_ATLAS_VALUE;
}

/* Where the entry of this part of a page stands; 0: the value is all that there is. */
static __always_inline __u64 atlas_page_at(const __u64 *page, __u32 part, __u32 *value)
{
	const __u32 word = part >> 6 & 3;
	const __u64 bits = page[word], bit = 1ull << (part & 63), entries = page[5] >> 32;

	*value = (__u32)(bits & bit ? page[TEG_ATLAS_INLINE] : page[5]) & TEG_ATLAS_VALUE;
	return bits & bit && entries ? entries + ((__u32)(page[4] >> word * 8) & 0xff) + atlas_ones(bits & (bit - 1)) : 0;
}

/* The value of an IPv4 address, or of the first 32 bits of an IPv6 one. */
static __always_inline __u32 atlas_paged(const struct atlas_view *v, bool is_ip6, __u32 key)
{
	const volatile struct teg_atlas *a = v->head;
	const __u32 root = a->root[is_ip6];

	if (!root)
		return 0;
	const __u64 *page = atlas_line(v, a->root_is_pages >> is_ip6 & 1 ? (__u64)root + (key >> 16) * TEG_ATLAS_LINE :
									   atlas_half(v, root, key >> 16));
	if (!page)
		return 0;
	__u32 value;
	const __u64 at = atlas_page_at(page, key >> 8 & 0xff, &value);
	return !at ? value : atlas_entry(v, atlas_word(v, at), key & 0xff);
}

/* ---- tags --------------------------------------------------------------------------------- */

/* 16 bits four times. */
#define ATLAS_LANES 0x0001000100010001ull

/* The value of an IPv4 host; and whether, when that is 0, to ask hosts4 as well. */
static __always_inline __u32 atlas_tag(const struct atlas_view *v, __u32 key, bool *spilled)
{
	const volatile struct teg_atlas *a = v->head;
	const __u32 mixed = teg_atlas_mix(key);
	const __u64 *bucket = atlas_line(v, a->tags + (__u64)(mixed >> (a->tags_shift & 31)) * (TEG_ATLAS_TAG_WORDS + 1));
	const __u64 tag = (mixed & ((1u << TEG_ATLAS_TAG_BITS) - 1)) * ATLAS_LANES, top = ATLAS_LANES << TEG_ATLAS_TAG_BITS;

	if (!bucket)
		return 0;
	/* A lane's top bit is set when nothing is taken from it: it has the tag. */
	const __u64 first = top - (bucket[0] ^ tag), second = top - (bucket[1] ^ tag), third = top - (bucket[2] ^ tag);
	const __u64 values = bucket[TEG_ATLAS_TAG_WORDS];

	*spilled = values >> 63;
	if (!((first | second | third) & top))
		return 0;
	const __u64 found = (first & top) >> 15 | (second & top) >> 14 | (third & top) >> 13;
	const __u32 at = atlas_ones((found & -found) - 1);

	return (__u32)(values >> (((at >> 4) * TEG_ATLAS_TAG_WORDS + (at & 3)) * 5 & 63)) & (TEG_ATLAS_TAG_VALUES - 1);
}

/* ---- tables ------------------------------------------------------------------------------- */

/* May a key of this hash be in the table? */
static __always_inline bool atlas_gate(const struct atlas_view *v, const volatile struct teg_atlas_table *t, __u64 hash)
{
	const __u64 bits = teg_atlas_bits(hash);

	return (atlas_word(v, t->gate + (hash >> (t->gate_shift & 63))) & bits) == bits;
}

/* The value that a bucket has of a key of 32 bits, and whether to ask the second as well. */
static __always_inline __u32 atlas_cell_in(const __u64 *cells, __u32 key, bool *spilled)
{
	__u64 found = 0;

#pragma GCC unroll 8
	for (__u32 way = 0; way < TEG_ATLAS_CELLS; way++)
		found |= cells[way] & atlas_if_none_half((__u32)cells[way] ^ key);
	*spilled = cells[0] >> 63;
	return (__u32)(found >> 32) & ~TEG_ATLAS_SPILLED;
}

static __always_inline __u32 atlas_host6_in(const __u64 *lows, __u32 middle, __u64 low, __u32 second, bool *spilled)
{
	const __u32 *middles = (const __u32 *)(lows + TEG_ATLAS_WAYS6), says = middles[TEG_ATLAS_WAYS6];
	__u64 found = 0;

#pragma GCC unroll 5
	for (__u32 way = 0; way < TEG_ATLAS_WAYS6; way++) {
		const __u32 says_way = says >> way * 6;

		found |= says_way & atlas_if_none((lows[way] ^ low) | (middles[way] ^ middle) | ((says_way >> 5 & 1) ^ second));
	}
	*spilled = says >> 31;
	return found & (TEG_ATLAS_VALUES6 - 1);
}

static __always_inline __u32 atlas_far_in(const __u64 *keys, __u64 key, __u64 low, bool *spilled)
{
	const __u32 *values = (const __u32 *)(keys + 2 * TEG_ATLAS_FAR_WAYS);
	__u64 found = 0;

#pragma GCC unroll 3
	for (__u32 way = 0; way < TEG_ATLAS_FAR_WAYS; way++)
		found |= values[way] & atlas_if_none((keys[2 * way] ^ key) | (keys[2 * way + 1] ^ low));
	*spilled = values[TEG_ATLAS_FAR_WAYS];
	return (__u32)found;
}

static __always_inline const __u64 *atlas_bucket(const struct atlas_view *v, const volatile struct teg_atlas_table *t, __u32 bucket)
{
	return atlas_line(v, t->at + (__u64)bucket * TEG_ATLAS_LINE);
}

/* The value of a key of 32 bits; 0: it is not there. */
static __always_inline __u32 atlas_cell(const struct atlas_view *v, const volatile struct teg_atlas_table *t, __u64 hash, __u32 key)
{
	const __u64 *cells = atlas_bucket(v, t, teg_atlas_bucket(hash, t->buckets, false));
	bool spilled = false;
	__u32 found = cells ? atlas_cell_in(cells, key, &spilled) : 0;

	if (found || !spilled)
		return found;
	cells = atlas_bucket(v, t, teg_atlas_bucket(hash, t->buckets, true));
	return cells ? atlas_cell_in(cells, key, &spilled) : 0;
}

/* The value of a host of the head; 0: it has none. The hash is of what follows the first 32 bits. */
static __always_inline __u32 atlas_host6(const struct atlas_view *v, __u32 head, __u64 hash, __u32 middle, __u64 low)
{
	const volatile struct teg_atlas *a = v->head;
	const volatile struct teg_atlas_table *t = &a->tables[TEG_ATLAS_HOSTS6];
	const __u64 *lows = atlas_bucket(v, t, teg_atlas_bucket6(hash, head, t->buckets, false));
	bool spilled = false;
	__u32 found = lows ? atlas_host6_in(lows, middle, low, 0, &spilled) : 0;

	if (!found && spilled) {
		lows = atlas_bucket(v, t, teg_atlas_bucket6(hash, head, t->buckets, true));
		found = lows ? atlas_host6_in(lows, middle, low, 1, &spilled) : 0;
	}
	return found;
}

/* The value of a head's prefix of that length, from 65 on; 0: it is not there. */
static __always_inline __u32 atlas_far(const struct atlas_view *v, __u32 head, __u32 length, __u32 middle, __u64 low)
{
	const volatile struct teg_atlas *a = v->head;
	const volatile struct teg_atlas_table *t = &a->tables[TEG_ATLAS_FAR];
	const __u64 key = (__u64)head << 38 | (__u64)middle << 6 | (length - 65);
	bool spilled = false;

	low &= ~0ull << ((128 - length) & 63);
	const __u64 hash = teg_atlas_hash(a->seed, key, low);
	if (!atlas_gate(v, t, hash))
		return 0;
	const __u64 *keys = atlas_bucket(v, t, teg_atlas_bucket(hash, t->buckets, false));
	const __u32 found = keys ? atlas_far_in(keys, key, low, &spilled) : 0;

	if (found || !spilled)
		return found;
	keys = atlas_bucket(v, t, teg_atlas_bucket(hash, t->buckets, true));
	return keys ? atlas_far_in(keys, key, low, &spilled) : 0;
}

/* ---- trees -------------------------------------------------------------------------------- */

/* The value of bits 32 to 63 among the intervals of an entry. */
static __always_inline __u32 atlas_tree(const struct atlas_view *v, __u64 entry, __u32 middle)
{
	const __u32 depth = TEG_ATLAS_DEPTH(entry);
	__u64 at = (__u32)entry;

	for (__u32 i = 0; i < TEG_ATLAS_DEPTH_MOST && i < depth; i++) {
		const __u32 *ends = (const __u32 *)atlas_line(v, at);

		if (!ends)
			return 0;
		at = ends[TEG_ATLAS_INNER];
#pragma GCC unroll 15
		for (__u32 j = 0; j < TEG_ATLAS_INNER; j++)
			at += atlas_less(ends[j], middle);
		at *= TEG_ATLAS_LINE;
	}
	const __u32 *ends = (const __u32 *)atlas_line(v, at);
	if (!ends)
		return 0;
	__u64 bit = 0;
#pragma GCC unroll 9
	for (__u32 j = 0; j < TEG_ATLAS_LEAF; j++)
		bit += atlas_less(ends[j], middle);
	bit *= 22;
	/* The tenth value ends with the line's last half but four bits: what is read behind it is not looked at. */
	const __u32 half = TEG_ATLAS_LEAF + (__u32)(bit >> 5 & 7), next = half + (half < 15);
	return (__u32)((ends[half & 15] | (__u64)ends[next & 15] << 32) >> (bit & 31)) & TEG_ATLAS_VALUE;
}

/* The value of bits 32 to 63, where the entry that stands there is what their part of a page is asked for. */
static __always_inline __u32 atlas_entry6(const struct atlas_view *v, __u64 at, __u32 middle, __u32 around)
{
	const __u64 entry = atlas_word(v, at);

	if (TEG_ATLAS_KIND(entry) == TEG_ATLAS_MANY)
		return atlas_tree(v, entry, middle);
	return (((__u32)(entry >> 22) ^ middle) & 0xffffff) >> ((24 - (entry >> 46 & 31)) & 31) ? around : (__u32)entry & TEG_ATLAS_VALUE;
}

/* The value of the same among a head's prefixes. */
static __always_inline __u32 atlas_headed(const struct atlas_view *v, __u32 head, __u32 middle)
{
	const __u64 *page = atlas_line(v, v->head->trees + ((__u64)head - 1) * TEG_ATLAS_LINE);

	if (!page)
		return 0;
	__u32 value;
	const __u64 at = atlas_page_at(page, middle >> 24, &value);
	return at ? ATLAS_ENTRY6(v, at, middle, (__u32)page[5] & TEG_ATLAS_VALUE) : value;
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* Which lengths from 65 on the head's prefixes have, a bit each. */
static __always_inline __u64 atlas_far_lengths(const struct atlas_view *v, __u32 head)
{
	return atlas_word(v, (__u64)v->head->far_lengths + head);
}

#define ATLAS_LENGTHS_A_PART 8u

/* The value of the longest of those prefixes that has the address, among the lengths of a part, which are asked from the longest on; 0: none. */
static __always_inline __u32 atlas_lengths(const struct atlas_view *v, __u64 has, __u32 head, __u32 middle, __u64 low, __u64 from)
{
	const volatile struct teg_atlas *a = v->head;

	for (__u32 i = 0; i < ATLAS_LENGTHS_A_PART && from + i < a->length_count; i++) {
		const __u32 length = a->lengths[BOUND(from + i, TEG_ATLAS_LENGTHS)];
		const __u32 value = has >> ((length - 65) & 63) & 1 ? ATLAS_FAR(v, head, length, middle, low) : 0;

		if (value)
			return value;
	}
	return 0;
}

/* The same among all lengths. */
static __always_inline __u32 atlas_longest(const struct atlas_view *v, __u64 has, __u32 head, __u32 middle, __u64 low)
{
	for (__u32 from = 0; from < TEG_ATLAS_LENGTHS && from < v->head->length_count; from += ATLAS_LENGTHS_A_PART) {
		const __u32 value = ATLAS_PART_OF_LENGTHS(v, has, head, middle, low, from);

		if (value)
			return value;
	}
	return 0;
}

/* The number of what an IPv6 address begins with; 0: no longer prefix does. */
static __always_inline __u32 atlas_head(const struct atlas_view *v, __u32 top)
{
	const volatile struct teg_atlas *a = v->head;
	const __u64 hash = teg_atlas_head_hash(a->seed, top);
	const __u32 group = teg_atlas_group(hash, a->head_groups);
	const __u32 pilot = (__u32)(atlas_word(v, (__u64)a->pilots + (group >> 2)) >> (group & 3) * 16) & 0xffff;
	const __u64 cell = atlas_word(v, (__u64)a->heads + teg_atlas_head_cell(hash, pilot, a->head_cells));

	return (__u32)cell == top ? (__u32)(cell >> 32) : 0;
}

/* May an IPv4 address be in a set? */
static __always_inline bool atlas_grounds(const struct atlas_view *v, __u32 key)
{
	const volatile struct teg_atlas *a = v->head;
	const __u32 ground = a->ground, bit = key >> (a->ground_shift & 31);

	return !ground || atlas_word(v, (__u64)ground + (bit >> 6)) >> (bit & 63) & 1;
}

static __always_inline __u64 atlas_ip4(const struct atlas_view *v, __u32 key)
{
	const volatile struct teg_atlas *a = v->head;
	const volatile struct teg_atlas_table *hosts = &a->tables[TEG_ATLAS_HOSTS4];
	bool ask = true;
	__u32 value = 0;

	if (!atlas_grounds(v, key))
		return 0;
	if (a->tags)
		value = atlas_tag(v, key, &ask);
	if (!value && ask && hosts->buckets)
		value = atlas_cell(v, hosts, teg_atlas_hash(a->seed, key, 0), key);
	if (!value)
		value = atlas_paged(v, false, key);
	return value ? atlas_word(v, (__u64)a->masks + value) : 0;
}

/* As words in host order. A host is asked first: its value has what is around it within. */
static __always_inline __u64 atlas_ip6(const struct atlas_view *v, __u64 high, __u64 low)
{
	const volatile struct teg_atlas *a = v->head;
	const volatile struct teg_atlas_table *hosts = &a->tables[TEG_ATLAS_HOSTS6];
	const __u32 top = (__u32)(high >> 32), middle = (__u32)high;
	__u32 head = 0, value = 0;

	if (hosts->buckets) {
		const __u64 hash = teg_atlas_hash(a->seed, middle, low);

		if (atlas_gate(v, hosts, hash)) {
			head = atlas_head(v, top);
			value = head ? atlas_host6(v, head, hash, middle, low) : 0;
		}
	}
	if (!value && !head && (a->tree_count || a->length_count))
		head = atlas_head(v, top);
	const __u64 has = !value && head && a->length_count ? atlas_far_lengths(v, head) : 0;
	if (has)
		value = ATLAS_LONGEST(v, has, head, middle, low);
	if (!value)
		value = head && head <= a->tree_count ? atlas_headed(v, head, middle) : atlas_paged(v, true, top);
	return value ? atlas_word(v, (__u64)a->masks + value) : 0;
}

/* Is it long enough for its head to be read, and what is compared with less than `words`? */
static __always_inline bool atlas_is_whole(const struct atlas_view *v)
{
	return v->words >= sizeof(struct teg_atlas) / 8 + TEG_ATLAS_PARTS;
}

#endif
