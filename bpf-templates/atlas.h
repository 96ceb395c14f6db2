/*
 * atlas - in which sets an address lies, as an atlas of up to millions of prefixes says
 * (struct teg_atlas in abi.h). IPv4 costs three loads at most where a /24 is of few parts:
 * its page, its entry and the mask; one that no set touches is known after the page.
 *
 * The same text is the program's and user space's: nothing is trusted that was not compared with `words`.
 */
#ifndef TEG_ATLAS_H
#define TEG_ATLAS_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf-templates/abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

struct atlas_view {
	const __u64 *at;
	__u32 words;
	__u32 which; /* the program's functions are told: 0 the policy's sets, else TEG_FEEDING_ */
};

/* What is compared is what is used: the verifier knows no more of a copy. */
#define ATLAS_ONE_REGISTER(x) asm volatile("" : "+r"(x))

static __always_inline __u64 atlas_word(const struct atlas_view *v, __u64 at)
{
	ATLAS_ONE_REGISTER(at);
	if (at >= v->words)
		return 0;
	ATLAS_ONE_REGISTER(at);
	return v->at[at];
}

/* The half of a word that is the u32 at this place. */
static __always_inline __u32 atlas_half(const struct atlas_view *v, __u32 words, __u32 at)
{
	return (__u32)(atlas_word(v, words + (at >> 1)) >> (at & 1) * 32);
}

/* BPF has no instruction for it. */
static __always_inline __u32 atlas_ones(__u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (__u32)(x * 0x0101010101010101ull >> 56);
}

/* 1 when x <= y, of numbers below 2^31; no branch, which the verifier would follow both ways. */
static __always_inline __u32 atlas_at_most(__u32 x, __u32 y)
{
	__u32 below = x - y - 1;

	ATLAS_ONE_REGISTER(below);
	return below >> 31;
}

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
		__u32 at = (low + step) & 0xff;

		low += step & -(atlas_at_most(at, last) & atlas_at_most(parts[at] >> 24, byte));
	}
	return parts[low & 0xff] & TEG_ATLAS_VALUE;
}

/* The program calls functions instead, which the verifier follows once. */
#ifndef ATLAS_PART
#define ATLAS_PART(v, entry, byte) atlas_part(v, entry, byte)
#define ATLAS_LONGER(v, region, length, hi, lo) atlas_longer(v, region, length, hi, lo)
#define ATLAS_REGION(v, region, hi, lo) atlas_region(v, region, hi, lo)
#endif

static __always_inline __u32 atlas_entry(const struct atlas_view *v, __u64 entry, __u32 byte)
{
	if (TEG_ATLAS_KIND(entry) == TEG_ATLAS_MANY)
		return ATLAS_PART(v, entry, byte);
	__u32 lo = (__u32)(entry >> 52) & 0xff, hi = (__u32)(entry >> 44) & 0xff;
	return (__u32)(byte >= lo && byte <= hi ? entry >> 22 : entry) & TEG_ATLAS_VALUE;
}

/* The value of an IPv4 address, or of the first 32 bits of an IPv6 one. */
static __always_inline __u32 atlas_value(const struct atlas_view *v, __u32 root, __u32 key)
{
	__u64 at = atlas_half(v, root, key >> 16);
	__u32 middle = key >> 8 & 0xff, word = middle >> 6;

	ATLAS_ONE_REGISTER(at);
	if (at >= v->words - TEG_ATLAS_PAGE)
		return 0;
	ATLAS_ONE_REGISTER(at);
	const __u64 *page = v->at + at;
	__u64 bits = page[word], bit = 1ull << (middle & 63);
	if (!(bits & bit))
		return (__u32)page[5] & TEG_ATLAS_VALUE;
	at += TEG_ATLAS_PAGE + ((__u32)(page[4] >> word * 8) & 0xff) + atlas_ones(bits & (bit - 1));
	return atlas_entry(v, atlas_word(v, at), key & 0xff);
}

/* The value of a prefix in a table of buckets; 0: it is not there. */
static __always_inline __u32 atlas_probe(const struct atlas_view *v, __u32 table, __u32 buckets, __u64 key, __u64 low,
					 bool far)
{
	const struct teg_atlas *a = (const struct teg_atlas *)v->at;
	__u64 hash = teg_atlas_hash(a->seed, key, low);
	__u32 gate = teg_atlas_gate(hash, a->gate_shift & 63);
	const __u32 ways = far ? TEG_ATLAS_FAR_WAYS : TEG_ATLAS_NEAR_WAYS, each = far ? 2 : 1;

	if (!(atlas_word(v, (__u64)a->gate + (gate >> 6)) >> (gate & 63) & 1))
		return 0;
	for (__u32 i = 0; i < 2; i++) {
		__u64 at = table + (__u64)teg_atlas_bucket(hash, buckets, i) * 8;

		ATLAS_ONE_REGISTER(at);
		if (at >= v->words - 8)
			return 0;
		ATLAS_ONE_REGISTER(at);
		const __u64 *word = v->at + at;
		const __u32 *half = (const __u32 *)word;
#pragma GCC unroll 5
		for (__u32 way = 0; way < ways; way++)
			if (word[way * each] == key && (!far || word[way * each + 1] == low))
				return half[2 * ways * each + way];
		if (!half[15])
			return 0;
	}
	return 0;
}

/* The sets that a region's prefix of that length, which is longer than 32 bits, has the address in. */
static __always_inline __u64 atlas_longer(const struct atlas_view *v, __u32 region, __u32 length, __u64 hi, __u64 lo)
{
	const struct teg_atlas *a = (const struct teg_atlas *)v->at;
	__u64 bits = (__u32)hi;
	__u32 value = 0;

	if (length > 64 && a->far_buckets)
		value = atlas_probe(v, a->far, a->far_buckets, (__u64)region << 38 | bits << 6 | (length - 65),
				    lo & ~0ull << ((128 - length) & 63), true);
	else if (length <= 64 && a->near_buckets)
		value = atlas_probe(v, a->near, a->near_buckets,
				    (__u64)region << 37 | (bits & ~0ull << ((64 - length) & 63)) << 5 | (length - 33), 0, false);
	return atlas_word(v, a->masks + value);
}

/* The sets of an IPv6 address in a region: of all lengths that the region has. */
static __always_inline __u64 atlas_region(const struct atlas_view *v, __u32 region, __u64 hi, __u64 lo)
{
	const struct teg_atlas *a = (const struct teg_atlas *)v->at;

	__u64 head = atlas_word(v, a->regions + 2 * region), far = atlas_word(v, a->regions + 2 * region + 1);
	__u64 in = atlas_word(v, a->masks + ((__u32)head & TEG_ATLAS_VALUE));

	for (__u32 i = 0; i < TEG_ATLAS_LENGTHS && i < a->length_count; i++) {
		__u32 length = a->lengths[i];

		if (length > 64 ? far >> ((length - 65) & 63) & 1 : head >> ((length - 1) & 63) & 1)
			in |= ATLAS_LONGER(v, region, length, hi, lo);
	}
	return in;
}

/* The sets of an address, as words in host order; of IPv4 it is the last 32 bits. */
static __always_inline __u64 atlas_sets(const struct atlas_view *v, __u64 hi, __u64 lo, bool is_ip6)
{
	const struct teg_atlas *a = (const struct teg_atlas *)v->at;

	if (v->words < sizeof *a / 8 + TEG_ATLAS_PAGE)
		return 0;
	const __u32 root = a->root[is_ip6];
	__u32 value = root ? atlas_value(v, root, is_ip6 ? (__u32)(hi >> 32) : (__u32)lo) : 0;
	if (is_ip6 && value & TEG_ATLAS_REGION)
		return ATLAS_REGION(v, value & ~TEG_ATLAS_REGION, hi, lo);
	return atlas_word(v, a->masks + value);
}

#endif
