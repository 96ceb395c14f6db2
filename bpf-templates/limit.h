/*
 * limit - what is counted per source while packets pass: token buckets, and
 * the blocks that a reflex places.
 *
 * A bucket is one word, taken from by compare-and-swap, so two CPUs never hand
 * out the same token. The slack that is left is to the source's favour: one whose
 * bucket four swaps in a row lost to other CPUs is let within its rate once.
 * So is one that gets a place on two CPUs at once, one in each of its sets: that can be while
 * the near set's time is over for the one and not yet for the other; one bucket is then used once.
 */
#ifndef TEG_LIMIT_H
#define TEG_LIMIT_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"

/* By a function that stands below. */
#define BLOCKS_SET(t, number) ((void)(t), limit_block_set(number))
static struct teg_block *limit_block_set(__u32 number);

#include "bpf-templates/blocks.h"
#include "bpf-templates/bound.h"
#include "bpf-templates/event.h"
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

/* Who is limited, its addresses cut to so many bits at most: one name and two places in the table, all of one hash. */
static __always_inline __u64 limit_name(const struct teg_buckets *all, const struct pkt *p, const struct teg_rule *rule,
					__u32 most4, __u32 most6)
{
	const bool flow = rule->key == TEG_KEY_FLOW;
	__u64 who = rule->bucket;

	if (rule->key != TEG_KEY_ALL) {
		const __u32 bits4 = flow ? 32 : rule->key_bits4 < most4 ? rule->key_bits4 : most4;
		const __u32 bits6 = flow ? 128 : rule->key_bits6 < most6 ? rule->key_bits6 : most6;
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

/*
 * For how many units more a place is kept; 0: it makes room. What would be kept for longer than anything is was over long ago. Where
 * the moment comes round again, the bucket has not been used for 156 days, and was empty before that.
 */
static __always_inline __u32 limit_ahead(__u64 is_who, __u64 is_ns, __u64 now)
{
	const __u64 ahead = (is_who - (now >> TEG_BUCKET_UNIT)) & ((1u << TEG_BUCKET_UNTIL) - 1);
	const __s64 can = ahead - 1 - TEG_BUCKET_AHEAD;
	const __s64 lately = ((__s64)(now - is_ns) >> TEG_BUCKET_UNIT) - ((1u << TEG_BUCKET_UNTIL) - TEG_BUCKET_AHEAD);

	return ahead & (can & lately & (__s64)is_who) >> 63;
}

static __always_inline __u64 limit_until(__u64 word, __u64 until)
{
	return word >> TEG_BUCKET_UNTIL << TEG_BUCKET_UNTIL | (until & ((1u << TEG_BUCKET_UNTIL) - 1));
}

#define LIMIT_TAG_EACH (1ull | 1ull << TEG_GATE_BITS | 1ull << 2 * TEG_GATE_BITS | 1ull << 3 * TEG_GATE_BITS)

static __always_inline __u64 limit_tag(__u64 who)
{
	return who >> (64 - TEG_GATE_BITS);
}

/* The highest bit of each place's part: the lowest that is set is a place whose name begins so. None: it stands nowhere. */
static __always_inline __u64 limit_gate_asks(__u64 gate, __u64 who)
{
	const __u64 differ = gate >> TEG_BUCKET_UNTIL ^ limit_tag(who) * LIMIT_TAG_EACH;

	return (differ - LIMIT_TAG_EACH) & ~differ & LIMIT_TAG_EACH << (TEG_GATE_BITS - 1);
}

static __always_inline __u32 limit_gate_place(__u64 asked)
{
	const __u64 one = asked & -asked;

	return (one >> (2 * TEG_GATE_BITS - 1) & 1) | (one >> (3 * TEG_GATE_BITS - 2) & 2) |
	       (one >> (4 * TEG_GATE_BITS - 1) & 1) * 3;
}

/* Where `who` stands in the set, by its gate; NULL when nowhere. */
static __always_inline struct teg_bucket *limit_find(struct teg_bucket *set, __u64 gate, __u64 who)
{
	__u64 asked = limit_gate_asks(gate, who);

	for (__u32 i = 0; asked && i < TEG_BUCKET_WAYS; i++) {
		struct teg_bucket *b = &set[BOUND(limit_gate_place(asked), TEG_BUCKET_WAYS)];

		if ((*(volatile __u64 *)&b->who ^ who) >> TEG_BUCKET_UNTIL == 0)
			return b;
		asked &= asked - 1;
	}
	return NULL;
}

/* Are all places of the set surely kept? */
static __always_inline bool limit_gate_is_shut(__u64 gate, __u32 unit)
{
	return (((__u32)gate - unit - 1) & ((1u << TEG_BUCKET_UNTIL) - 1)) < TEG_GATE_AHEAD;
}

/* The first place that will be free is kept so many more units. */
static __always_inline __u64 limit_gate_shut(__u64 gate, __u32 unit, __u32 more)
{
	return limit_until(gate, unit + (more < TEG_GATE_AHEAD ? more + 1 : TEG_GATE_AHEAD));
}

/* All that it counts are one, who has a bucket whatever comes. */
static __always_inline bool limit_must(const struct teg_rule *rule)
{
	return rule->key == TEG_KEY_ALL;
}

/*
 * limit_place - the place of `who`, looked for: its own, or that of one who is kept no longer. That one's bucket is
 * full: unless its depth was less, it is left as it is; else it is filled first and then renamed. A CPU that comes late
 * with either finds the word changed, and leaves what the first has taken since. Who renames says so at the gate;
 * changes of the gate's parts can come in any order. NULL when all are kept, unless it must have one, and when another
 * source took the place.
 */
static __always_inline struct teg_bucket *limit_place(struct teg_bucket *set, __u64 *gate, __u64 seen, __u64 who,
						      __u64 now, const struct teg_rule *rule)
{
	const __u32 unit = now >> TEG_BUCKET_UNIT;
	struct teg_bucket *room = &set[0];
	__u32 ahead = ~0u, part = 0;
	__u64 was_who = 0, was_ns = 0;

	/* A branch, though it is often guessed wrong: while its line is waited for, a guess goes on. */
	for (__u32 i = 0; i < TEG_BUCKET_WAYS; i++) {
		__u64 is_who = *(volatile __u64 *)&set[i].who, is_ns = *(volatile __u64 *)&set[i].empty_ns;
		__u32 more = limit_ahead(is_who, is_ns, now);

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
	if (ahead && !limit_must(rule)) {
		__sync_val_compare_and_swap(gate, seen, limit_gate_shut(seen, unit, ahead));
		return NULL;
	}
	who = limit_until(who, unit + TEG_BUCKET_KEPT);
	if ((__s64)(now - was_ns) < (__s64)rule->depth_ns)
		__sync_val_compare_and_swap(&room->empty_ns, was_ns, now - rule->depth_ns);
	__u64 is = __sync_val_compare_and_swap(&room->who, was_who, who);
	if (is == was_who)
		__sync_fetch_and_xor(gate, (limit_tag(was_who) ^ limit_tag(who)) << part);
	return is == was_who || is == who ? room : NULL;
}

static __always_inline __u32 limit_near(__u64 who)
{
	return who & (TEG_NEAR_SETS - 1);
}

static __always_inline __u32 limit_far(__u64 who)
{
	return TEG_NEAR_SETS + (who & (TEG_FAR_SETS - 1));
}

/* A place in that set, unless all are kept; *kept says whether they surely are. */
static __always_inline struct teg_bucket *limit_room_in(struct teg_buckets *all, __u32 at, __u64 who, __u64 now,
							const struct teg_rule *rule, bool *kept)
{
	const __u32 unit = now >> TEG_BUCKET_UNIT;
	__u64 *gate = &all->gate[at], seen = *(volatile __u64 *)gate;

	*kept = !limit_must(rule) && limit_gate_is_shut(seen, unit);
	if (*kept)
		return NULL;
	struct teg_bucket *b = limit_place(all->at[at], gate, seen, who, now, rule);
	*kept = !b && limit_gate_is_shut(*(volatile __u64 *)gate, unit);
	return b;
}

/*
 * A place for whom no gate knows; in the far set when the near one is found full. What must have one is always far, where
 * few displace each other. Not a loop of two: Linux 5.15 takes it for one without an end.
 */
static __always_inline struct teg_bucket *limit_room(struct teg_buckets *all, __u64 who, __u64 now, const struct teg_rule *rule)
{
	bool kept = true;
	struct teg_bucket *b = limit_must(rule) ? NULL : limit_room_in(all, limit_near(who), who, now, rule, &kept);

	return kept ? limit_room_in(all, limit_far(who), who, now, rule, &kept) : b;
}

/* The bucket of `who`; NULL when it has none and there is no room. */
static __always_inline struct teg_bucket *limit_bucket(struct teg_buckets *all, __u64 who, __u64 now,
						       const struct teg_rule *rule)
{
	const __u32 near = limit_near(who), far = limit_far(who);
	struct teg_bucket *b = limit_must(rule) ? NULL : limit_find(all->at[near], *(volatile __u64 *)&all->gate[near], who);

	if (likely(b))
		return b;
	b = limit_find(all->at[far], *(volatile __u64 *)&all->gate[far], who);
	return b ? b : limit_room(all, who, now, rule);
}

/* Takes a token from the bucket that was empty then; true when there was none. *missing_ns: what it lacks then. */
static __always_inline bool limit_takes(__u64 *empty_ns, __u64 cost_ns, __u64 depth_ns, __u64 now, __u64 *missing_ns)
{
	for (int i = 0; i < LIMIT_TRIES; i++) {
		__u64 seen = *(volatile __u64 *)empty_ns;
		__s64 held = (__s64)(now - seen); /* below 0: another CPU's clock is ahead */

		if (held > (__s64)depth_ns)
			held = (__s64)depth_ns;
		*missing_ns = depth_ns - (__u64)held;
		if (held < (__s64)cost_ns)
			return true;
		*missing_ns += cost_ns;
		if (__sync_val_compare_and_swap(empty_ns, seen, now - (__u64)held + cost_ns) == seen)
			return false;
	}
	return false;
}

/* A bucket that is used stays its source's. At most once in a unit of time, so nearly never, it is said so. */
static __always_inline void limit_keep(struct teg_bucket *b, __u64 name, __u64 missing_ns, __u64 now)
{
	const __u64 missing = missing_ns >> TEG_BUCKET_UNIT;
	__u64 is = *(volatile __u64 *)&b->who;
	__u64 who = limit_until(name, (now >> TEG_BUCKET_UNIT) + TEG_BUCKET_KEPT +
					     (missing < TEG_BUCKET_KEPT_MOST ? missing : TEG_BUCKET_KEPT_MOST));

	if (is != who && (is ^ who) >> TEG_BUCKET_UNTIL == 0)
		__sync_val_compare_and_swap(&b->who, is, who);
}

/* Takes a token of all that share the packet's two words; true when both had none. */
static __always_inline bool limit_sketch_takes(struct teg_buckets *all, const struct pkt *p,
					       const struct teg_rule *rule, __u64 cost_ns, __u64 now)
{
	const __u64 name = limit_name(all, p, rule, TEG_SKETCH_BITS4, TEG_SKETCH_BITS6);
	const __u32 bits = rule->sketch_bits & 15, slice = (__u32)rule->sketch << bits;
	struct teg_telling *telling = bpf_map_lookup_elem(&teg_telling, &(const __u32){ 0 });
	__u64 *word[TEG_SKETCH_ROWS], missing_ns;
	bool over = true;

	if (telling)
		telling->crowded++;
	for (__u32 row = 0; row < TEG_SKETCH_ROWS; row++) {
		__u32 at = slice + (name >> (12 + 20 * row) & ((1u << bits) - 1));

		word[row] = &all->sketch[row][BOUND(at, TEG_SKETCH_WORDS)];
		*(volatile __u64 *)word[row]; /* all come from memory at once: taking from one waits for those before it */
	}
	for (__u32 row = 0; row < TEG_SKETCH_ROWS; row++)
		if (!limit_takes(word[row], cost_ns, rule->depth_ns, now, &missing_ns))
			over = false;
	return over;
}

enum {
	LIMIT_WITHIN,
	LIMIT_OVER,
	LIMIT_OVER_TOGETHER, /* with others: nobody knows whose fault it is */
};

/*
 * limit_over - takes a token from the bucket that the rule has for the packet, or from what
 * those have together for whom there is none; LIMIT_WITHIN when there was one. A function of
 * its own: the verifier follows its branches once, and not once a rule, of which it can
 * hold 8192 open (BPF_COMPLEXITY_LIMIT_JMP_SEQ).
 */
__noinline int limit_over(const struct pkt *p, const struct teg_rule *rule, __u64 now)
{
	struct teg_buckets *all = ONE(teg_buckets);

	if (!p || !rule)
		return LIMIT_WITHIN;
	const __u64 name = limit_name(all, p, rule, 32, 128);
	struct teg_bucket *b = limit_bucket(all, name, now, rule);
	const __u64 cost_ns = rule->bytes ? rule->cost_ns * p->len / rule->bytes : rule->cost_ns;
	__u64 missing_ns = 0;

	if (!b)
		return limit_sketch_takes(all, p, rule, cost_ns, now) ? LIMIT_OVER_TOGETHER : LIMIT_WITHIN;
	bool over = limit_takes(&b->empty_ns, cost_ns, rule->depth_ns, now, &missing_ns);
	limit_keep(b, name, missing_ns, now);
	return over ? LIMIT_OVER : LIMIT_WITHIN;
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

static __always_inline struct blocks_key limit_block_key(const struct teg_blocks *t, const struct pkt *p)
{
	return p->family == TEG_IP4 ? blocks_key(t, bpf_be64_to_cpu(p->src.lo) & 0xffffffff, false)
				    : blocks_key(t, bpf_be64_to_cpu(p->src.hi), true);
}

/* Functions of their own, as limit_over() is. Is the packet's source blocked now? Then who placed the block, else LIMIT_NOT_BLOCKED. */
__noinline __u32 limit_blocked_by(const struct pkt *p, __u64 now)
{
	struct teg_blocks *t = limit_blocks();

	if (!p || !t)
		return LIMIT_NOT_BLOCKED;
	struct blocks_key key = limit_block_key(t, p);
	const struct teg_block *b = blocks_find(t, &key, now);
	if (!b)
		return LIMIT_NOT_BLOCKED;
	__u32 by = b->key & TEG_BLOCK_BY;
	return by == TEG_BLOCK_NOBODY ? TEG_WHO_NOBODY : by;
}

__noinline int limit_block_place(const struct pkt *p, __u64 until, __u32 by, __u64 now)
{
	struct teg_blocks *t = limit_blocks();

	if (!p || !t)
		return 0;
	struct blocks_key key = limit_block_key(t, p);
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
