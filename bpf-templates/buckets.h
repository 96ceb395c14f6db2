/*
 * buckets - the table of token buckets (struct teg_buckets in abi.h): whose bucket is where, a place for one more,
 * and a token of it.
 *
 * All CPUs write it at the same time, and none waits for another. What they share is a set's gate, and of each
 * place `who` and `empty_ns`. Both are changed by compare-and-swap, from what was seen to what is meant:
 *
 *     a known source    reads the gate and `who`, sets until when it is kept, takes from empty_ns
 *     a new one         reads all four places, fills empty_ns, sets `who`, then its part of the gate; goes on as a known one
 *     where all are kept  the gate is told until when
 *
 * So no two hand out the same token, and nobody pays with another's bucket, whether CPUs meet or a program interrupts
 * another on its own CPU. Three slacks are left:
 *
 *     four swaps in a row lost to other CPUs: the source is let within its rate once;
 *     the time of a place is over by one CPU's clock and not yet by another's: a source may get a bucket in each of its
 *     sets, and one of them is then used once;
 *     a rate over everything, idle for half a minute, finds all its places kept and displaces a source, from whose bucket
 *     a token is just being taken: it is taken from the other's.
 *
 * Text of both worlds: tests/unit/buckets takes CPUs through it in every order.
 */
#ifndef TEG_BUCKETS_H
#define TEG_BUCKETS_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/bound.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* What CPUs share is read and changed by these alone. */
#ifndef BUCKETS_READ
#define BUCKETS_READ(word) (*(const volatile __u64 *)(word))
#define BUCKETS_SWAP(word, was, is) __sync_val_compare_and_swap(word, was, is)
#define BUCKETS_XOR(word, bits) __sync_fetch_and_xor(word, bits)
#endif

#define BUCKETS_TRIES 4

/*
 * For how many units more a place is kept; 0: it makes room. What would be kept for longer than anything is was over long ago. Where
 * the moment comes round again, the bucket has not been used for 156 days, and was empty before that.
 */
static __always_inline __u32 buckets_ahead(__u64 is_who, __u64 is_ns, __u64 now)
{
	const __u64 ahead = (is_who - (now >> TEG_BUCKET_UNIT)) & ((1u << TEG_BUCKET_UNTIL) - 1);
	const __s64 can = ahead - 1 - TEG_BUCKET_AHEAD;
	const __s64 lately = ((__s64)(now - is_ns) >> TEG_BUCKET_UNIT) - ((1u << TEG_BUCKET_UNTIL) - TEG_BUCKET_AHEAD);

	return ahead & (can & lately & (__s64)is_who) >> 63;
}

static __always_inline __u64 buckets_until(__u64 word, __u64 until)
{
	return word >> TEG_BUCKET_UNTIL << TEG_BUCKET_UNTIL | (until & ((1u << TEG_BUCKET_UNTIL) - 1));
}

#define BUCKETS_TAG_EACH (1ull | 1ull << TEG_GATE_BITS | 1ull << 2 * TEG_GATE_BITS | 1ull << 3 * TEG_GATE_BITS)

static __always_inline __u64 buckets_tag(__u64 who)
{
	return who >> (64 - TEG_GATE_BITS);
}

/* The highest bit of each place's part: the lowest that is set is a place whose name begins so. None: it stands nowhere. */
static __always_inline __u64 buckets_gate_asks(__u64 gate, __u64 who)
{
	const __u64 differ = gate >> TEG_BUCKET_UNTIL ^ buckets_tag(who) * BUCKETS_TAG_EACH;

	return (differ - BUCKETS_TAG_EACH) & ~differ & BUCKETS_TAG_EACH << (TEG_GATE_BITS - 1);
}

static __always_inline __u32 buckets_gate_place(__u64 asked)
{
	const __u64 one = asked & -asked;

	__u64 low = one >> (2 * TEG_GATE_BITS - 1) | one >> (4 * TEG_GATE_BITS - 1);

	asm volatile("" : "+r"(low)); /* else clang branches on it */
	return (low & 1) | ((one >> (3 * TEG_GATE_BITS - 2) | one >> (4 * TEG_GATE_BITS - 2)) & 2);
}

/* Where `who` stands in the set, by its gate; NULL when nowhere. */
static __always_inline struct teg_bucket *buckets_find(struct teg_bucket *set, __u64 gate, __u64 who)
{
	__u64 asked = buckets_gate_asks(gate, who);

	for (__u32 i = 0; asked && i < TEG_BUCKET_WAYS; i++) {
		struct teg_bucket *b = &set[BOUND(buckets_gate_place(asked), TEG_BUCKET_WAYS)];

		if ((BUCKETS_READ(&b->who) ^ who) >> TEG_BUCKET_UNTIL == 0)
			return b;
		asked &= asked - 1;
	}
	return (struct teg_bucket *)0;
}

/* Are all places of the set surely kept? */
static __always_inline bool buckets_gate_is_shut(__u64 gate, __u32 unit)
{
	return (((__u32)gate - unit - 1) & ((1u << TEG_BUCKET_UNTIL) - 1)) < TEG_GATE_AHEAD;
}

/* The first place that will be free is kept so many more units. */
static __always_inline __u64 buckets_gate_shut(__u64 gate, __u32 unit, __u32 more)
{
	return buckets_until(gate, unit + (more < TEG_GATE_AHEAD ? more + 1 : TEG_GATE_AHEAD));
}

/* Does the gate name all who stand behind it? A place that was taken just now may not be said yet. */
static __always_inline bool buckets_gate_names(__u64 gate, struct teg_bucket *set)
{
	for (__u32 i = 0; i < TEG_BUCKET_WAYS; i++)
		gate ^= buckets_tag(BUCKETS_READ(&set[i].who)) << (TEG_BUCKET_UNTIL + i * TEG_GATE_BITS);
	return gate >> TEG_BUCKET_UNTIL == 0;
}

/* All that it counts are one, who has a bucket whatever comes. */
static __always_inline bool buckets_must(const struct teg_rule *rule)
{
	return *(const volatile __u8 *)&rule->key == TEG_KEY_ALL; /* read anew: by how the name was made, the verifier would know which it is */
}

/*
 * buckets_place - the place of `who`, looked for: its own, or that of one who is kept no longer. That one's bucket is
 * full: unless its depth was less, it is left as it is; else it is filled first and then renamed. Only what was seen to be empty while the
 * place was still that one's is filled: else it may be another CPU that renamed it, and has taken a token. Who renames says so at the gate;
 * changes of the gate's parts can come in any order. NULL when all are kept, unless it must have one. Another may have taken the
 * place first: buckets_keep() sees that.
 */
static __always_inline struct teg_bucket *buckets_place(struct teg_bucket *set, __u64 *gate, __u64 seen, __u64 who,
							__u64 now, const struct teg_rule *rule, bool *all_kept)
{
	const __u32 unit = now >> TEG_BUCKET_UNIT;
	struct teg_bucket *room = &set[0];
	__u32 ahead = ~0u, part = 0;
	__u64 was_who = 0, was_ns = 0;

	*all_kept = false;
	/* A branch, though it is often guessed wrong: while its line is waited for, a guess goes on. */
	for (__u32 i = 0; i < TEG_BUCKET_WAYS; i++) {
		__u64 is_who = BUCKETS_READ(&set[i].who), is_ns = BUCKETS_READ(&set[i].empty_ns);
		__u32 more = buckets_ahead(is_who, is_ns, now);

		if ((is_who ^ who) >> TEG_BUCKET_UNTIL == 0)
			return &set[i];
		if (more < ahead) {
			ahead = more;
			room = &set[i];
			was_who = is_who;
			was_ns = is_ns;
			part = TEG_BUCKET_UNTIL + i * TEG_GATE_BITS;
		}
	}
	if (ahead && !buckets_must(rule)) {
		if (buckets_gate_names(seen, set))
			BUCKETS_SWAP(gate, seen, buckets_gate_shut(seen, unit, ahead));
		*all_kept = true;
		return (struct teg_bucket *)0;
	}
	who = buckets_until(who, unit + TEG_BUCKET_KEPT);
	if ((__s64)(now - was_ns) < (__s64)rule->depth_ns && BUCKETS_SWAP(&room->who, was_who, was_who) == was_who)
		BUCKETS_SWAP(&room->empty_ns, was_ns, now - rule->depth_ns);
	if (BUCKETS_SWAP(&room->who, was_who, who) == was_who)
		BUCKETS_XOR(gate, (buckets_tag(was_who) ^ buckets_tag(who)) << part);
	return room;
}

/*
 * Where `who` has its bucket, or now has: in the far set when the near one is found full. What must have one is always far, where
 * few displace each other. NULL when there is no room. A gate is read once: one that does not name `who`, and lets nobody in, did
 * both at the same moment. Not a loop of two: Linux 5.15 takes it for one without an end.
 */
static __always_inline struct teg_bucket *buckets_place_of(struct teg_buckets *all, __u64 who, __u64 now,
							   const struct teg_rule *rule)
{
	const __u32 near = who & (TEG_NEAR_SETS - 1), far = TEG_NEAR_SETS + (who & (TEG_FAR_SETS - 1)), unit = now >> TEG_BUCKET_UNIT;
	const bool must = buckets_must(rule);
	const __u64 near_gate = must ? 0 : BUCKETS_READ(&all->gate[near]);
	struct teg_bucket *b = must ? (struct teg_bucket *)0 : buckets_find(all->at[near], near_gate, who);
	bool kept = true;

	if (__builtin_expect(!!b, 1))
		return b;
	const __u64 far_gate = BUCKETS_READ(&all->gate[far]);
	b = buckets_find(all->at[far], far_gate, who);
	if (b)
		return b;
	if (!must && !buckets_gate_is_shut(near_gate, unit))
		b = buckets_place(all->at[near], &all->gate[near], near_gate, who, now, rule, &kept);
	if (!kept || (!must && buckets_gate_is_shut(far_gate, unit)))
		return b;
	return buckets_place(all->at[far], &all->gate[far], far_gate, who, now, rule, &kept);
}

/* What a bucket that was empty then holds. */
static __always_inline __s64 buckets_held(__u64 empty_ns, __u64 depth_ns, __u64 now)
{
	const __s64 held = (__s64)(now - empty_ns); /* below 0: another CPU's clock is ahead */

	return held > (__s64)depth_ns ? (__s64)depth_ns : held;
}

/* Takes a token from the bucket that was seen to be empty then; true when there is none. */
static __always_inline bool buckets_is_over(__u64 *empty_ns, __u64 seen, __u64 cost_ns, __u64 depth_ns, __u64 now)
{
	for (int i = 0; i < BUCKETS_TRIES; i++) {
		const __s64 held = buckets_held(seen, depth_ns, now);
		const __u64 expected = seen;

		if (held < (__s64)cost_ns)
			return true;
		seen = BUCKETS_SWAP(empty_ns, expected, now - (__u64)held + cost_ns);
		if (seen == expected)
			return false;
	}
	return false;
}

/*
 * Makes sure that the place stays its source's until the bucket, seen to be empty then, will be full without the token that
 * is to be taken, and half a minute longer; false when it is another's. Before the token is taken: of a place that is not kept it may be
 * another's. At most once in a unit of time, so nearly never, there is something to say.
 */
static __always_inline bool buckets_keep(struct teg_bucket *b, __u64 seen, __u64 name, __u64 cost_ns, __u64 depth_ns, __u64 now)
{
	const __s64 held = buckets_held(seen, depth_ns, now);
	const __u64 missing = (depth_ns - (__u64)held + (held < (__s64)cost_ns ? 0 : cost_ns)) >> TEG_BUCKET_UNIT;
	const __u64 is = BUCKETS_READ(&b->who);
	const __u64 who = buckets_until(name, (now >> TEG_BUCKET_UNIT) + TEG_BUCKET_KEPT +
						      (missing < TEG_BUCKET_KEPT_MOST ? missing : TEG_BUCKET_KEPT_MOST));

	if (is == who)
		return true;
	if ((is ^ who) >> TEG_BUCKET_UNTIL)
		return false;
	if (((is - who) & ((1u << TEG_BUCKET_UNTIL) - 1)) <= TEG_BUCKET_AHEAD)
		return true; /* for longer */
	return (BUCKETS_SWAP(&b->who, is, who) ^ who) >> TEG_BUCKET_UNTIL == 0;
}

/*
 * The same place, but one of all to the verifier: by what it was found, near or far, with its name or without, it knows a dozen of them, and
 * would walk what follows for each.
 */
static __always_inline struct teg_bucket *buckets_anew(struct teg_buckets *all, struct teg_bucket *b)
{
	if (!b)
		return b;
	asm volatile("" : "+r"(b));
	__u64 at = (__u64)((char *)b - (char *)all);

	asm volatile("" : "+r"(at));
	at &= -sizeof at; /* as it is: words that are swapped must be seen to be aligned */
	asm volatile("" : "+r"(at));
	if (at > sizeof *all - sizeof *b)
		return (struct teg_bucket *)0;
	asm volatile("" : "+r"(at));
	return (struct teg_bucket *)((char *)all + at);
}

enum buckets_said {
	BUCKETS_WITHIN,
	BUCKETS_OVER,
	BUCKETS_NONE, /* it has no bucket, and there is no place */
};

/* Takes a token from the bucket of `who`. */
static __always_inline enum buckets_said buckets_take(struct teg_buckets *all, __u64 who, const struct teg_rule *rule,
						      __u64 cost_ns, __u64 now)
{
	struct teg_bucket *b = buckets_anew(all, buckets_place_of(all, who, now, rule));

	if (!b)
		return BUCKETS_NONE;
	const __u64 seen = BUCKETS_READ(&b->empty_ns);
	if (!buckets_keep(b, seen, who, cost_ns, rule->depth_ns, now))
		return BUCKETS_NONE;
	return buckets_is_over(&b->empty_ns, seen, cost_ns, rule->depth_ns, now) ? BUCKETS_OVER : BUCKETS_WITHIN;
}

#endif
