/*
 * name - what a source of a limit is called: one hash of what it is limited by, under the table's secret seeds, of
 * which struct teg_buckets in abi.h says what it is used for.
 *
 *     who = name_address(bucket, seed, hi, lo, is_six)      then, of a flow, name_more() for each other word
 *     who = name_end(who, seed)
 *
 * A word is folded before it is multiplied: what differs only in its upper bits, as neighbours do in network
 * order, would differ there alone. Two multiplications at least, or neighbours stand at even steps, and under
 * some seeds in few sets. Text of both worlds: tests count what it spreads.
 */
#ifndef TEG_NAME_H
#define TEG_NAME_H

#include <linux/types.h>
#include <stdbool.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static __always_inline __u64 name_fold(__u64 x)
{
	return x ^ x >> 32;
}

static __always_inline __u64 name_more(__u64 who, __u64 word, __u64 seed)
{
	return name_fold(who ^ word) * seed;
}

/* Words of an address as they lie in memory; what an IPv4 address has in front is the same for all, and stays out. */
static __always_inline __u64 name_address(__u64 bucket, const __u64 seed[2], __u64 hi, __u64 lo, bool is_six)
{
	const __u64 who = bucket + name_fold(lo) * seed[0];

	return is_six ? name_more(who, hi, seed[1]) : who;
}

/* Never 0, nor is its beginning. */
static __always_inline __u64 name_end(__u64 who, const __u64 seed[2])
{
	return name_fold(name_fold(who) * seed[1]) | 1ull << 63;
}

#endif
