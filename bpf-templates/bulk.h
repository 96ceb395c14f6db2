/*
 * bulk - the first of many cells: by a tree to the few that may match, then one by one.
 *
 *     key ──► a node of each root of its family ──► node ──► ... ──► leaf: cells ──► the first that matches
 *
 * The first nodes of all roots are asked for before any of them is needed: they
 * lie far from each other. Below that one tree comes after the other, and most of them end at once: nothing below the
 * node stands before what was found. On machines whose returns are guarded a call costs as much
 * as a tree; so nothing is called but where the list is long, and the verifier would
 * walk it anew for every way through the trees.
 */
#ifndef TEG_BULK_H
#define TEG_BULK_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/config.h"
#include "bpf-templates/one.h"
#include "bpf-templates/walk.h"

#define NO_RULE TEG_BULK_NO_RULE
#define BULK_NONE TEG_BULK_LAST(NO_RULE, 0, 0, 0) /* no cell's last word, and behind all of them */
#define BULK_LIST_LONG 64 /* cells */
#define BULK_SCAN_HERE 8 /* cells of a leaf that are asked without a call: most leaves have no more */
#define BULK_SCAN_PART 16
#define BULK_SCAN_PARTS (TEG_BULK_LONGEST_MAX / BULK_SCAN_PART)

ONE_TABLE(__u64) gen_bulk SEC(".maps");

/*
 * What is known of the packet, in the form of a tree. Of each CPU, not on the stack: there it would
 * leave too little for what is called later, and the verifier would tell keys apart that are alike.
 */
struct bulk_key {
	__u64 words[8]; /* TEG_BULK_WORDS of them; eight so that three bits choose one */
	__u64 pair;	/* IPv4: source << 32 | destination */
	__u64 node[TEG_BULK_GROUPS]; /* of each root */
	__u64 found;
	__u64 zones, src, dst; /* these and what follows only where some cell asks more */
	__u32 posture, flags;
	__u32 part;
	__u64 above, below; /* the ports, or ICMP type and code, by 32 bits each, and BULK_BORROWS more; and less */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bulk_key);
} gen_key SEC(".maps");

#define BULK_PORTS 0x0000ffff0000ffffull
#define BULK_BORROWS 0x0001000000010000ull

/* 0: both ports lie in the ranges. Of each the bit behind its sixteen says that a difference is not negative. */
static __always_inline __u64 bulk_ports(__u64 ports, const struct bulk_key *k)
{
	const __u64 from = k->above - (ports & BULK_PORTS), to = (ports >> 16 & BULK_PORTS) - k->below;

	return (from & to & BULK_BORROWS) ^ BULK_BORROWS;
}

/* What a cell is: of IPv6 there are two kinds, of which a policy has one. */
enum bulk_form { BULK_IP4, BULK_IP6, BULK_SHORT6 };
#define BULK_EACH(form) ((form) == BULK_IP6 ? TEG_BULK_CELL6 : TEG_BULK_CELL4)
_Static_assert(TEG_BULK_SHORT6 == TEG_BULK_CELL4, "abi");

/* What differs in an end of a short cell. */
static __always_inline __u64 bulk_short(__u64 end, __u64 word, __u64 last, const __u32 whole_bit)
{
	const __s64 whole = last << (63 - whole_bit);

	return (end ^ word) & (-((end & -end) << 1) | whole >> 63);
}

/* Of a word of an address what a cell's lens ask. */
static __always_inline __u64 bulk_mask(__u64 lens, __u32 word)
{
	return (__u64)((__s64)(lens << (56 - 8 * word) & 1ull << 63) >> (lens >> 8 * word & 63));
}

/* Two branches a cell: most that differ do so in an end, and the second half need not be worked out. */
static __always_inline bool bulk_cell_has(const __u64 *c, const struct bulk_key *k, const enum bulk_form form)
{
	const __u64 last = c[BULK_EACH(form) - 1], *w = k->words;
	__u64 differs, asks;

	if (form == BULK_SHORT6)
		differs = bulk_short(c[0], w[0], last, TEG_BULK_SRC_WHOLE_BIT) | bulk_short(c[1], w[2], last, TEG_BULK_DST_WHOLE_BIT);
	else if (form == BULK_IP6)
		differs = ((w[0] ^ c[0]) & bulk_mask(c[4], 0)) | ((w[1] ^ c[1]) & bulk_mask(c[4], 1)) |
			   ((w[2] ^ c[2]) & bulk_mask(c[4], 2)) | ((w[3] ^ c[3]) & bulk_mask(c[4], 3));
	else
		differs = (k->pair ^ c[0]) & c[1];
	if (differs)
		return false;
	asks = (__s64)(last << 52) >> 63;
	WALK_ONE_REGISTER(asks); /* clang would make a branch of it */
	differs = (k->part & last & 0x700) | ((k->part ^ last) & asks & 0xff);
	return !(differs | bulk_ports(c[BULK_EACH(form) - 2], k));
}

/* 1 when the packet has all that these words of mores ask, else 0: without a branch. */
static __always_inline __u64 bulk_more_has(const __u64 *m, __u64 zones, __u64 src, __u64 dst, __u32 posture, __u32 flags)
{
	__u64 in = walk_some(m[0] & zones) & walk_some(m[1] & src) & walk_some(m[2] & dst);
	__u64 not = (m[3] >> (posture & 63) & 1) | (((__u64)flags ^ m[4] >> 8) & m[4] & 0xff);

	return (in & ~walk_some(not)) >> 63;
}

static __always_inline bool bulk_key_has_more(const __u64 *words, const struct bulk_key *k, __u64 at)
{
	const __u32 mores = gen_config.bulk.mores;

	WALK_ONE_REGISTER(at);
	return at < mores &&
	       bulk_more_has(&words[at * TEG_BULK_MORE], k->zones, k->src, k->dst, k->posture, k->flags);
}

/* Shifts take the lowest six bits of their right side themselves; clang would take them before. */
#define BULK_SHIFT(x, how, by) asm("%0 " how " %1" : "+r"(x) : "r"(by))

/* Where the child is that the key belongs to. */
static __always_inline __u64 bulk_child(const struct bulk_key *k, __u64 n)
{
	__u64 word = *(const __u64 *)((const char *)k->words + (n & 56)), up = n >> 6, down = n >> 12;

	BULK_SHIFT(word, "<<=", up);
	BULK_SHIFT(word, ">>=", down);
	return TEG_BULK_AT(n) + word;
}

/*
 * The leaf where the key belongs, from a root's node on; 0 when it has no cell that stands before `found`. One comparison
 * asks both, whether the node is no leaf, and whether something below it stands before.
 */
static __always_inline __u64 bulk_leaf(const __u64 *words, const struct bulk_key *k, __u64 n, __u64 found)
{
	const __u32 words_max = gen_config.bulk.words, depth = gen_config.bulk.depth, best = TEG_BULK_RULE(found);

	for (__u32 i = 0; i < depth && TEG_BULK_LEAST(n) < best; i++) {
		__u64 at = bulk_child(k, n);

		WALK_ONE_REGISTER(at);
		if (at >= words_max)
			return 0;
		n = words[at];
	}
	return TEG_BULK_LEAST(n) - TEG_BULK_LEAST_OF_LEAF < best ? n : 0;
}

/* What the packet has of what a cell asks beside its own words. */
static __always_inline bool bulk_last_has(const __u64 *words, const struct bulk_key *k, __u64 last)
{
	return gen_config.bulk.mores <= 1 || !TEG_BULK_MORE_OF(last) || bulk_key_has_more(words, k, TEG_BULK_MORE_OF(last));
}

/*
 * What was found, read once more. By what it was compared with the verifier knows bounds of the first copy, other ones wherever a cell
 * matches; it would walk all that follows for each. The place is known long before, so nothing waits for it.
 */
static __always_inline __u64 bulk_found(const __u64 *last)
{
	return *(const volatile __u64 *)last;
}

/* The last word of the first of a part's cells that matches, if it stands before `found`; else `found`. */
static __always_inline __u64 bulk_scan_some(const __u64 *words, const struct bulk_key *k, __u64 first, __u32 count, __u64 found,
					    const enum bulk_form form)
{
	const __u32 words_max = gen_config.bulk.words, longest = gen_config.bulk.longest, each = BULK_EACH(form);

	for (__u32 i = 0; i < BULK_SCAN_PART && i < longest; i++) {
		__u64 at = first + i * each;

		WALK_ONE_REGISTER(at);
		if (i >= count || at > words_max - each)
			return found;
		const __u64 *cell = &words[at], last = cell[each - 1];

		if (last >= found)
			return found;
		if (bulk_cell_has(cell, k, form) && bulk_last_has(words, k, last))
			return bulk_found(&cell[each - 1]);
	}
	return found;
}

/*
 * The rest of a long leaf, a part after the other. Functions of their own: the verifier walks the cells of one part, and not those of the
 * longest leaf, for each tree and each way to it.
 */
__noinline __u64 bulk_scan_part(const struct bulk_key *k, __u64 first, __u32 count, __u64 found, __u32 ip6)
{
	if (!k || gen_config.bulk.words < TEG_BULK_CELL6)
		return found;
	if (!ip6)
		return bulk_scan_some(ONE(gen_bulk), k, first, count, found, BULK_IP4);
	return gen_config.bulk.short6 ? bulk_scan_some(ONE(gen_bulk), k, first, count, found, BULK_SHORT6)
				      : bulk_scan_some(ONE(gen_bulk), k, first, count, found, BULK_IP6);
}

__noinline __u64 bulk_scan_rest(const struct bulk_key *k, __u64 first, __u32 count, __u64 found, __u32 ip6)
{
	if (!k)
		return found;
	for (__u32 i = 0; i < BULK_SCAN_PARTS; i++) {
		__u64 is = bulk_scan_part(k, first, count, found, ip6);

		if (is != found || count <= BULK_SCAN_PART)
			return is;
		first += BULK_SCAN_PART * (ip6 && !gen_config.bulk.short6 ? TEG_BULK_CELL6 : TEG_BULK_CELL4);
		count -= BULK_SCAN_PART;
	}
	return found;
}

/*
 * The last word of the first cell of a leaf that matches, if it stands before `found`; else `found`. One question, whether the place is
 * within the words, serves all cells that are asked here: behind the last leaf there is room for as many.
 */
static __always_inline __u64 bulk_scan(const __u64 *words, const struct bulk_key *k, __u64 leaf, __u64 found, const enum bulk_form form)
{
	const __u32 words_max = gen_config.bulk.words, longest = gen_config.bulk.longest, count = TEG_BULK_COUNT(leaf);
	const __u32 each = BULK_EACH(form);
	__u64 at = TEG_BULK_AT(leaf);

	WALK_ONE_REGISTER(at);
	if (words_max < TEG_BULK_PAD || at > words_max - BULK_SCAN_HERE * each)
		return found;
	const __u64 *cell = &words[at];
	WALK_ONE_REGISTER(cell);
#pragma unroll
	for (__u32 i = 0; i < BULK_SCAN_HERE; i++, cell += each) {
		const __u64 last = cell[each - 1];

		if (i >= longest || i >= count || last >= found)
			return found;
		if (bulk_cell_has(cell, k, form) && bulk_last_has(words, k, last))
			return bulk_found(&cell[each - 1]);
	}
	if (longest <= BULK_SCAN_HERE || likely(count <= BULK_SCAN_HERE))
		return found;
	return bulk_scan_rest(k, TEG_BULK_AT(leaf) + BULK_SCAN_HERE * each, count - BULK_SCAN_HERE, found, form != BULK_IP4);
}

/*
 * A root's node of the packet, or one below which nothing is when it is a leaf whose cells all have another mark: no branch depends on the
 * packet. Each root has a copy of this code, of which the verifier takes out what that root does not ask.
 */
static __always_inline __u64 bulk_root(const __u64 *words, const struct bulk_key *k, const volatile struct teg_bulk_root *r, bool ip6)
{
	const __u64 src = r->take[0], dst = r->take[1], upper = r->take[2];
	const __u32 words_max = gen_config.bulk.words, shift = r->shift;
	__u64 mix = 0, at = r->first, n;

	if (src)
		mix += teg_bulk_mix_src(k->words[ip6 ? 0 : 1] & src);
	if (dst)
		mix += teg_bulk_mix_dst(k->words[ip6 ? 2 : 3] & dst);
	if (upper)
		mix += teg_bulk_mix_upper(k->words[4] & upper);
	if (shift)
		at += mix >> shift;
	WALK_ONE_REGISTER(at);
	if (at >= words_max)
		return ~0ull;
	n = words[at];
	if (shift) {
		__s64 other = -((n ^ mix >> TEG_BULK_MARK_DOWN) & TEG_BULK_MARK_MASK), marked = n << 44;

		WALK_ONE_REGISTER(other);
		WALK_ONE_REGISTER(marked);
		n |= other >> 63 & marked >> 63;
	}
	return n;
}

/*
 * The last word of the first cell that matches, or BULK_NONE. What is found stands in the key between one root and the next: of memory the
 * verifier knows nothing, so it walks each root once, and not once for all that can be known of what the roots before it have found.
 */
static __always_inline __u64 bulk_first(struct bulk_key *k, bool ip6)
{
	const __u32 groups = gen_config.bulk.groups[ip6];
	const __u64 *words = ONE(gen_bulk);
	volatile __u64 *found = &k->found;

	*found = BULK_NONE;
#pragma unroll
	for (__u32 g = 0; g < TEG_BULK_GROUPS; g++)
		if (g < groups)
			k->node[g] = bulk_root(words, k, &gen_config.bulk.roots[ip6][g], ip6);
	for (__u32 g = 0; g < TEG_BULK_GROUPS && g < groups; g++) {
		const __u64 before = *found, leaf = bulk_leaf(words, k, k->node[g], before);

		if (leaf && ip6 && gen_config.bulk.short6)
			*found = bulk_scan(words, k, leaf, before, BULK_SHORT6);
		else if (leaf)
			*found = bulk_scan(words, k, leaf, before, ip6 ? BULK_IP6 : BULK_IP4);
	}
	return *found;
}

static __always_inline bool bulk_is_apart(void)
{
	return gen_config.box_count > BULK_LIST_LONG;
}

__noinline __u64 bulk_apart(__u32 ip6)
{
	const __u32 zero = 0;
	struct bulk_key *k = bulk_is_apart() ? bpf_map_lookup_elem(&gen_key, &zero) : NULL;

	if (!k)
		return BULK_NONE;
	return ip6 ? bulk_first(k, true) : bulk_first(k, false);
}

#endif
