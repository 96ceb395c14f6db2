/*
 * blocks - the table of runtime blocks (struct teg_blocks in abi.h): who is in it, and a place for one more.
 *
 * The program and the warden write it at the same time, on all CPUs. A place is claimed by one
 * compare-and-swap of its second word, then named, then given its end; whoever reads in between sees no
 * block. Two who place the same source at the same moment may give it two places, which is no harm.
 * Text of both worlds: the program calls it with `now` of the clock that it judges by.
 */
#ifndef TEG_BLOCKS_H
#define TEG_BLOCKS_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf-templates/abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define BLOCKS_TRIES 4

/* A source as the table knows it. */
struct blocks_key {
	__u64 rest;   /* what its sets do not say */
	__u64 family; /* TEG_BLOCK_IP6 or 0, of a network with TEG_BLOCK_NET */
	__u32 set[2];
};

static __always_inline __u64 blocks_mix(__u64 x, const __u64 seed[2])
{
	x ^= x >> 32;
	x *= seed[0];
	x ^= x >> 32;
	x *= seed[1];
	return x ^ x >> 32;
}

/* Where a set stands. Who has no more of the table than its beginning says how; it may then be NULL. */
#ifndef BLOCKS_SET
#define BLOCKS_SET(t, number) ((t)->at[number])
#endif

/* How blocks_place() finds the source's place, and claims one for it: by functions, where places are known only by their numbers. */
#ifndef BLOCKS_FOUND
#define BLOCKS_FOUND(t, k, now) blocks_find(t, k, now)
#define BLOCKS_CLAIMED(t, k, now, second) blocks_claim_either(t, k, now, second)
#endif

static __always_inline struct blocks_key blocks_key_of(const struct teg_blocks *t, __u64 word, __u64 family)
{
	__u64 mixed = blocks_mix(word, t->seed);
	struct blocks_key k = { mixed & TEG_BLOCK_REST, family, { (__u32)(mixed >> TEG_BLOCK_REST_BITS) } };

	k.set[1] = teg_block_other(k.set[0], k.rest);
	return k;
}

/* Of an IPv4 address, or of the first 64 bits of an IPv6 one. */
static __always_inline struct blocks_key blocks_key(const struct teg_blocks *t, __u64 source, bool is_ip6)
{
	return blocks_key_of(t, source, is_ip6 ? TEG_BLOCK_IP6 : 0);
}

/* The network of that length which the address is in, whose first bits are the word's; by the length's bit. */
static __always_inline __u64 blocks_net_word(__u64 word, __u64 bit)
{
	return (word & -(bit << 1)) | bit;
}

static __always_inline struct blocks_key blocks_net_key(const struct teg_blocks *t, __u64 word, bool is_ip6)
{
	return blocks_key_of(t, word, is_ip6 ? TEG_BLOCK_NET | TEG_BLOCK_IP6 : TEG_BLOCK_NET);
}

static __always_inline bool blocks_is(const struct teg_block *b, __u64 meta, const struct blocks_key *k, __u32 second)
{
	return b->key >> TEG_BLOCK_BY_BITS == k->rest && (meta & TEG_BLOCK_WHOSE) == (k->family | (second ? TEG_BLOCK_SECOND : 0));
}

static __always_inline __u64 blocks_meta(const struct teg_block *b)
{
	return *(const volatile __u64 *)&b->meta;
}

/* The place is still the same source's: its end may have been changed meanwhile, or a sign set of others. */
static __always_inline bool blocks_stays(__u64 is, __u64 was)
{
	return !((is ^ was) & (TEG_BLOCK_WHOSE | TEG_BLOCK_CLAIMED));
}

/* As blocks_find(); *number is the place's. */
static __always_inline struct teg_block *blocks_look(struct teg_blocks *t, const struct blocks_key *k, __u64 now, __u32 *number)
{
	for (__u32 second = 0; second < 2; second++) {
		struct teg_block *set = BLOCKS_SET(t, k->set[second]);

		if (!set)
			return (struct teg_block *)0;
		for (__u32 i = 0; i < TEG_BLOCK_WAYS; i++) {
			__u64 meta = blocks_meta(&set[i]);

			if (TEG_BLOCK_UNTIL(meta) > now && blocks_is(&set[i], meta, k, second) && blocks_stays(blocks_meta(&set[i]), meta)) {
				*number = k->set[second] * TEG_BLOCK_WAYS + i;
				return &set[i];
			}
		}
		if (!(blocks_meta(&set[0]) & TEG_BLOCK_SPILLED))
			return (struct teg_block *)0;
	}
	return (struct teg_block *)0;
}

/* The source's block that is in force at `now`, or NULL; or, with now 0, any that it has. */
static __always_inline struct teg_block *blocks_find(struct teg_blocks *t, const struct blocks_key *k, __u64 now)
{
	__u32 number;

	return blocks_look(t, k, now, &number);
}

static __always_inline bool blocks_swap(struct teg_block *b, __u64 was, __u64 is)
{
	return __sync_val_compare_and_swap(&b->meta, was, is) == was;
}

/* A place that nobody has at `now`, claimed; or NULL. */
static __always_inline struct teg_block *blocks_claim(struct teg_block *set, __u64 now)
{
	for (__u32 i = 0; set && i < TEG_BLOCK_WAYS; i++) {
		__u64 meta = blocks_meta(&set[i]);

		if (TEG_BLOCK_UNTIL(meta) <= now && !(meta & TEG_BLOCK_CLAIMED) &&
		    blocks_swap(&set[i], meta, (meta & TEG_BLOCK_SPILLED) | TEG_BLOCK_CLAIMED))
			return &set[i];
	}
	return (struct teg_block *)0;
}

/* In either of its two sets: in the second, when all places of the first are taken. */
static __always_inline struct teg_block *blocks_claim_either(struct teg_blocks *t, const struct blocks_key *k, __u64 now, __u32 *second)
{
	struct teg_block *b = blocks_claim(BLOCKS_SET(t, k->set[0]), now);

	*second = !b;
	return b ? b : blocks_claim(BLOCKS_SET(t, k->set[1]), now);
}

/* What is in the second set of its two is looked for there from now on. */
static __always_inline void blocks_spill(struct teg_block *first)
{
	for (int i = 0; first && i < BLOCKS_TRIES; i++) {
		__u64 meta = blocks_meta(first);

		if (meta & TEG_BLOCK_SPILLED || blocks_swap(first, meta, meta | TEG_BLOCK_SPILLED))
			return;
	}
}

/* Names a claimed place. */
static __always_inline void blocks_name(struct teg_block *b, const struct blocks_key *k, __u32 second, __u64 until, __u32 by)
{
	*(volatile __u64 *)&b->key = k->rest << TEG_BLOCK_BY_BITS | (by & TEG_BLOCK_BY);
	for (int i = 0; i < BLOCKS_TRIES; i++) {
		__u64 meta = blocks_meta(b);

		if (blocks_swap(b, meta, TEG_BLOCK_META(until) | k->family | (second ? TEG_BLOCK_SECOND : 0) |
						 (meta & TEG_BLOCK_SPILLED)))
			return;
	}
}

/*
 * Who placed it last. Only while the place is still the source's: the warden may have moved the block away
 * since it was renewed, and given the place to another.
 */
static __always_inline void blocks_by(struct teg_block *b, const struct blocks_key *k, __u32 by)
{
	__u64 was = *(volatile __u64 *)&b->key, is = k->rest << TEG_BLOCK_BY_BITS | (by & TEG_BLOCK_BY);

	if (was != is && was >> TEG_BLOCK_BY_BITS == k->rest)
		__sync_val_compare_and_swap(&b->key, was, is);
}

/* Blocks the source until then, or longer if it is; false where all its places are taken. */
static __always_inline bool blocks_place(struct teg_blocks *t, const struct blocks_key *k, __u64 until, __u32 by, __u64 now)
{
	struct teg_block *b = BLOCKS_FOUND(t, k, now);
	__u32 second;

	for (int i = 0; b && i < BLOCKS_TRIES; i++) {
		__u64 meta = blocks_meta(b), longer = TEG_BLOCK_META(until) | (meta & TEG_BLOCK_FLAGS);

		if (!blocks_is(b, meta, k, (meta & TEG_BLOCK_SECOND) != 0))
			break;
		if (TEG_BLOCK_UNTIL(meta) >= until || blocks_swap(b, meta, longer)) {
			blocks_by(b, k, by);
			return true;
		}
	}
	b = BLOCKS_CLAIMED(t, k, now, &second);
	if (!b)
		return false;
	if (second)
		blocks_spill(BLOCKS_SET(t, k->set[0]));
	blocks_name(b, k, second, until, by);
	return true;
}

#endif
