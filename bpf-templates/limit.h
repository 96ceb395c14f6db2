/*
 * limit - what is counted per source while packets pass: token buckets, and
 * the blocks that a reflex places.
 *
 * Buckets are in buckets.h. Who has no place there takes a token from the sketch: two words, of which either is enough.
 */
#ifndef TEG_LIMIT_H
#define TEG_LIMIT_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"

struct blocks_key;

/* By functions that stand below. */
#define BLOCKS_SET(t, number) ((void)(t), limit_block_set(number))
#define BLOCKS_FOUND(t, k, now) ((void)(t), limit_block_found(k, now))
#define BLOCKS_CLAIMED(t, k, now, second) ((void)(t), limit_block_claimed(k, now, second))
static struct teg_block *limit_block_set(__u32 number);
static struct teg_block *limit_block_found(const struct blocks_key *k, __u64 now);
static struct teg_block *limit_block_claimed(const struct blocks_key *k, __u64 now, __u32 *second);

#include "bpf-templates/blocks.h"
#include "bpf-templates/bound.h"
#include "bpf-templates/event.h"
#include "bpf-templates/loop.h"
#include "bpf-templates/name.h"
#include "bpf-templates/one.h"
#include "bpf-templates/pkt.h"

#define LIMIT_TRIES 4
#define LIMIT_NOT_BLOCKED (~0u - 1)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct teg_buckets);
} teg_buckets SEC(".maps");

#define BUCKETS_ALL ONE(teg_buckets)
#include "bpf-templates/buckets.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 + TEG_BLOCK_SETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, TEG_BLOCK_SET_BYTES);
} teg_blocks SEC(".maps");

/* The time that tests give; see TEG_HOST_GIVEN_CLOCK. */
__u64 gen_clock SEC(TEG_CLOCK_SECTION);

static __always_inline __u64 limit_ones(__u32 bits)
{
	return bits == 0 ? 0 : bits >= 64 ? ~0ull : ~0ull << (64 - bits);
}

/* The leading bits of an address, as it lies in memory; `bits` of its family. */
static __always_inline struct pkt_addr limit_cut(const struct pkt *p, const struct pkt_addr *a, __u32 bits4, __u32 bits6)
{
	if (p->family == TEG_IP4)
		return (struct pkt_addr){ a->hi, a->lo & bpf_cpu_to_be64(limit_ones(32 + bits4)) };
	return (struct pkt_addr){
		a->hi & bpf_cpu_to_be64(limit_ones(bits6)),
		a->lo & bpf_cpu_to_be64(limit_ones(bits6 > 64 ? bits6 - 64 : 0)),
	};
}

/* The source as blocks know it. */
static __always_inline struct teg_source limit_blocked(const struct pkt *p)
{
	const struct pkt_addr cut = limit_cut(p, &p->src, TEG_BLOCK_BITS4, TEG_BLOCK_BITS6);
	struct teg_source s = {};

	__builtin_memcpy(&s.addr, &cut, sizeof cut);
	return s;
}

_Static_assert(!((TEG_KEY_SOURCE | TEG_KEY_DESTINATION) & TEG_KEY_FLOW), "a flow's key has a bit of its own");

/* Of the bits that a rule has, which are no more than `all` (lang/bundle/plan_holds.c), so many at most. */
static __always_inline __u32 limit_least(__u32 bits, __u32 most, __u32 all)
{
	return most < all && bits > most ? most : bits;
}

/* Who is limited, its addresses cut to so many bits at most: one name and two places in the table, all of one hash. */
static __always_inline __u64 limit_name(const struct teg_buckets *all, const struct pkt *p, const struct teg_rule *rule,
					__u32 most4, __u32 most6)
{
	const bool flow = rule->key == TEG_KEY_FLOW;
	__u64 who = rule->bucket;

	if (rule->key != TEG_KEY_ALL) {
		const __u32 whole = rule->key & TEG_KEY_FLOW; /* a flow's bits are 32 or 128 at least, which are all there are: no branch */
		const __u32 bits4 = limit_least(rule->key_bits4, most4, 32) | whole * (32 / TEG_KEY_FLOW);
		const __u32 bits6 = limit_least(rule->key_bits6, most6, 128) | whole * (128 / TEG_KEY_FLOW);
		const struct pkt_addr a = limit_cut(p, rule->key == TEG_KEY_DESTINATION ? &p->dst : &p->src, bits4, bits6);

		who = name_address(who, all->seed, a.hi, a.lo, p->family == TEG_IP6);
	}
	if (flow) {
		who = name_more(who, p->dst.hi, all->seed[0]);
		who = name_more(who, p->dst.lo, all->seed[1]);
		who = name_more(who, (__u64)p->proto << 32 | (__u32)p->sport << 16 | p->dport, all->seed[1]);
	}
	return name_end(who, all->seed);
}

enum {
	LIMIT_WITHIN,
	LIMIT_OVER,
	LIMIT_OVER_TOGETHER, /* with others: nobody knows whose fault it is */
};

static __always_inline __u64 limit_cost_ns(const struct pkt *p, const struct teg_rule *rule)
{
	return rule->bytes ? rule->cost_ns * p->len / rule->bytes : rule->cost_ns;
}

/* Takes a token of all that share the packet's two words; LIMIT_WITHIN unless both had none. */
static __always_inline int limit_sketch_take(const struct pkt *p, const struct teg_rule *rule, __u64 now)
{
	struct teg_buckets *all = ONE(teg_buckets);
	const __u64 cost_ns = limit_cost_ns(p, rule);
	const __u64 name = limit_name(all, p, rule, TEG_SKETCH_BITS4, TEG_SKETCH_BITS6);
	const __u32 bits = rule->sketch_bits & 15, slice = (__u32)rule->sketch << bits;
	struct teg_telling *telling = bpf_map_lookup_elem(&teg_telling, &(const __u32){ 0 });
	__u64 *word[TEG_SKETCH_ROWS], seen[TEG_SKETCH_ROWS];
	bool over = true;

	if (telling)
		telling->crowded++;
	for (__u32 row = 0; row < TEG_SKETCH_ROWS; row++) {
		__u32 at = slice + (name >> (12 + 20 * row) & ((1u << bits) - 1));

		word[row] = &all->sketch[row][BOUND(at, TEG_SKETCH_WORDS)];
		seen[row] = BUCKETS_READ(word[row]); /* all come from memory at once: taking from one waits for those before it */
	}
	for (__u32 row = 0; row < TEG_SKETCH_ROWS; row++)
		if (!buckets_is_over(word[row], seen[row], cost_ns, rule->depth_ns, now))
			over = false;
	return over ? LIMIT_OVER_TOGETHER : LIMIT_WITHIN;
}

static __always_inline enum buckets_said limit_bucket_take(const struct pkt *p, const struct teg_rule *rule, __u64 now, const bool brief)
{
	struct teg_buckets *all = ONE(teg_buckets);

	return buckets_take(all, limit_name(all, p, rule, 32, 128), rule, limit_cost_ns(p, rule), now, brief);
}

/*
 * limit_over - takes a token from the bucket that the rule has for the packet, or from what
 * those have together for whom there is none; LIMIT_WITHIN when there was one. A function of
 * its own: the verifier follows its branches once, and not once a rule, of which it can
 * hold 8192 open (BPF_COMPLEXITY_LIMIT_JMP_SEQ).
 */
__noinline int limit_over(const struct pkt *p, const struct teg_rule *rule, __u64 now)
{
	if (!p || !rule)
		return LIMIT_WITHIN;
	const enum buckets_said said = limit_bucket_take(p, rule, now, false);

	if (said != BUCKETS_NONE)
		return said == BUCKETS_OVER ? LIMIT_OVER : LIMIT_WITHIN;
	return limit_sketch_take(p, rule, now);
}

/*
 * limit_over() where it stands, for one place of a program: a return that is guarded against speculation costs 5 to 8 ns, a
 * third of a token. What takes long is left to the function.
 */
static __always_inline int limit_over_here(const struct pkt *p, const struct teg_rule *rule, __u64 now)
{
	const enum buckets_said said = limit_bucket_take(p, rule, now, true);

	if (unlikely(said == BUCKETS_LATER))
		return limit_over(p, rule, now);
	if (said == BUCKETS_NONE)
		return limit_sketch_take(p, rule, now);
	return said == BUCKETS_OVER ? LIMIT_OVER : LIMIT_WITHIN;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct teg_hints);
} teg_hints SEC(".maps");

static __always_inline __u64 *limit_hint(const struct teg_source *source)
{
	struct teg_hints *hints = ONE(teg_hints);
	const __u64 *words = (const __u64 *)source;

	return &hints->until_ns[teg_hint(words[0], words[1])];
}

/* Until when the packet's source may be blocked; 0: surely it is not. */
static __always_inline __u64 limit_may_be_blocked(const struct pkt *p)
{
	struct teg_source key = limit_blocked(p);

	return *(const volatile __u64 *)limit_hint(&key);
}

static __always_inline struct teg_block *limit_block_set(__u32 number)
{
	const __u32 at = 1 + number;

	return bpf_map_lookup_elem(&teg_blocks, &at);
}

/* What the table begins with. */
static __always_inline struct teg_blocks *limit_blocks(void)
{
	const __u32 first = 0;

	return bpf_map_lookup_elem(&teg_blocks, &first);
}

/* A host's word. */
static __always_inline __u64 limit_word(const struct pkt *p)
{
	return p->family == TEG_IP4 ? bpf_be64_to_cpu(p->src.lo) & 0xffffffff : bpf_be64_to_cpu(p->src.hi);
}

static __always_inline __u64 limit_family(const struct pkt *p)
{
	return p->family == TEG_IP4 ? 0 : TEG_BLOCK_IP6;
}

/* The source as networks know it: its first bits, at a word's top. */
static __always_inline __u64 limit_net_source(const struct pkt *p)
{
	return p->family == TEG_IP4 ? bpf_be64_to_cpu(p->src.lo) << 32 : bpf_be64_to_cpu(p->src.hi);
}

static __always_inline __u64 limit_net_hint(__u64 word)
{
	const struct teg_hints *hints = ONE(teg_hints);

	return *(const volatile __u64 *)&hints->until_ns[teg_hint(word, 0)];
}

/* Of the first of these lengths, which goes: not before which no network is blocked that the source is in. */
static __always_inline __u64 limit_net_next(__u64 source, __u64 *lengths)
{
	const __u64 bit = *lengths & -*lengths;

	*lengths ^= bit;
	return limit_net_hint(blocks_net_word(source, bit));
}

#define LIMIT_NETS_A_CALL 8u

/* Of so many of them. No more a call, as the verifier walks a loop to its end. */
__noinline __u64 limit_nets_some(__u64 source, __u64 lengths)
{
	__u64 until = 0;

	for (__u32 i = 0; i < LIMIT_NETS_A_CALL && lengths; i++)
		until |= limit_net_next(source, &lengths); /* no less than any */
	return until;
}

/* Until when a network may be blocked that the packet's source is in; 0: surely none is. */
__noinline __u64 limit_nets_may_be_blocked(__u64 source, __u64 family)
{
	const struct teg_blocks *t = limit_blocks();
	__u64 until = 0;

	if (!t)
		return 0;
	__u64 lengths = *(const volatile __u64 *)&t->nets[family == TEG_BLOCK_IP6];
	if (loop_is_free()) {
		while (lengths && LOOP_MAY_GO_ON())
			until |= limit_net_next(source, &lengths);
		return lengths ? ~0ull : until;
	}
	for (__u32 i = 0; i < TEG_NET_LENGTHS / LIMIT_NETS_A_CALL && lengths; i++) {
		until |= limit_nets_some(source, lengths);
		for (__u32 j = 0; j < LIMIT_NETS_A_CALL; j++)
			lengths &= lengths - 1;
	}
	return until;
}

/* Functions of their own, as limit_over() is. Is the source of that word blocked now, or the network? Then who placed the block, else
 * LIMIT_NOT_BLOCKED. */
__noinline __u32 limit_word_blocked_by(__u64 word, __u64 family, __u64 now)
{
	struct teg_blocks *t = limit_blocks();

	if (!t || (family & TEG_BLOCK_NET && limit_net_hint(word) <= now))
		return LIMIT_NOT_BLOCKED;
	struct blocks_key key = blocks_key_of(t, word, family);
	const struct teg_block *b = blocks_find(t, &key, now);
	if (!b)
		return LIMIT_NOT_BLOCKED;
	__u32 by = b->key & TEG_BLOCK_BY;
	return by == TEG_BLOCK_NOBODY ? TEG_WHO_NOBODY : by;
}

/* The packet's source, or the longest network that it is in. */
__noinline __u32 limit_blocked_by(const struct pkt *p, __u64 now)
{
	const struct teg_blocks *t = limit_blocks();
	__u32 by = LIMIT_NOT_BLOCKED;

	if (!p || !t)
		return by;
	__u64 lengths = *(const volatile __u64 *)&t->nets[p->family == TEG_IP6];
	__u64 source = limit_net_source(p), family = TEG_BLOCK_NET | limit_family(p);

	asm volatile("" : "+r"(source), "+r"(family)); /* worked out once, and not for each length */
	if (limit_may_be_blocked(p) > now)
		by = limit_word_blocked_by(limit_word(p), limit_family(p), now);
	for (__u32 i = 0; i < TEG_NET_LENGTHS && by == LIMIT_NOT_BLOCKED && lengths; i++) {
		by = limit_word_blocked_by(blocks_net_word(source, lengths & -lengths), family, now);
		lengths &= lengths - 1;
	}
	return by;
}

#define LIMIT_NO_PLACE ~0u

/* A place by its number; NULL where there is none. */
static __always_inline struct teg_block *limit_block_at(__u32 place)
{
	struct teg_block *set = limit_block_set(place / TEG_BLOCK_WAYS);

	return set ? &set[BOUND(place, TEG_BLOCK_WAYS)] : NULL;
}

/*
 * Functions of their own: what is done with a place that they give by its number, the verifier walks once, and not once for each
 * that there is in a set.
 */
__noinline __u32 limit_block_find(__u64 rest, __u64 family, __u32 first, __u64 now)
{
	const struct blocks_key k = { rest, family, { first, teg_block_other(first, rest) } };
	__u32 place;

	return blocks_look(NULL, &k, now, &place) ? place : LIMIT_NO_PLACE;
}

__noinline __u32 limit_block_claim(__u32 number, __u64 now)
{
	struct teg_block *set = limit_block_set(number), *b = blocks_claim(set, now);

	return b ? number * TEG_BLOCK_WAYS + (__u32)(b - set) : LIMIT_NO_PLACE;
}

static __always_inline struct teg_block *limit_block_found(const struct blocks_key *k, __u64 now)
{
	return limit_block_at(limit_block_find(k->rest, k->family, k->set[0], now));
}

static __always_inline struct teg_block *limit_block_claimed(const struct blocks_key *k, __u64 now, __u32 *second)
{
	__u32 place = limit_block_claim(k->set[0], now);

	*second = place == LIMIT_NO_PLACE;
	if (*second)
		place = limit_block_claim(k->set[1], now);
	return limit_block_at(place);
}

__noinline int limit_block_place(const struct pkt *p, __u64 until, __u32 by, __u64 now)
{
	struct teg_blocks *t = limit_blocks();

	if (!p || !t)
		return 0;
	struct blocks_key key = blocks_key_of(t, limit_word(p), limit_family(p));
	if (!blocks_place(t, &key, until, by, now))
		__sync_fetch_and_add(&t->full, 1);
	return 0;
}

static __always_inline void limit_raise(__u64 *word, __u64 to)
{
	for (int i = 0; i < LIMIT_TRIES; i++) {
		__u64 seen = *(volatile __u64 *)word;

		if (seen >= to || __sync_val_compare_and_swap(word, seen, to) == seen)
			return;
	}
}

/*
 * limit_block - nothing of the source passes for block_ns. A block that lasts
 * longer stays. Should four swaps be lost to other CPUs, the next packet that is
 * over raises the hint. Where the source has no place left its packet is dropped all the same, and that is counted.
 */
static __always_inline void limit_block(struct teg_active *active, const struct teg_rule *rule,
					const struct pkt *p, __u64 now)
{
	struct teg_source key = limit_blocked(p);
	__u64 until = now + rule->block_ns;

	limit_raise(&active->blocks_until_ns, until);
	limit_raise(limit_hint(&key), until);
	limit_block_place(p, until, rule->counter_slot, now);
}

#endif
