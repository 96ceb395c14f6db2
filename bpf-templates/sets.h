/*
 * sets - in which address sets an address lies, as a mask of them.
 *
 * Sets overlap. The tables hold the mask of every set that covers a prefix, wider
 * ones included, so that one walk answers for all sets at once. The trie of few prefixes
 * costs a load a byte, and most addresses leave it after one or two; many are in an atlas (atlas.h).
 */
#ifndef TEG_SETS_H
#define TEG_SETS_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* By functions that stand below. */
__u32 sets_part(__u32 which, __u64 entry, __u32 byte);
__u32 sets_entry6(__u32 which, __u64 at, __u32 middle, __u32 around);
__u32 sets_far(__u32 which, __u64 head_length, __u32 middle, __u64 low);
__u32 sets_longest(__u32 which, __u64 has, __u32 head, __u32 middle, __u64 low);
__u32 sets_lengths(__u32 which_from, __u64 has, __u32 head, __u32 middle, __u64 low);
#define ATLAS_PART(v, entry, byte) sets_part((v)->which, entry, byte)
#define ATLAS_ENTRY6(v, at, middle, around) sets_entry6((v)->which, at, middle, around)
#define ATLAS_FAR(v, head, length, middle, low) sets_far((v)->which, (__u64)(head) << 32 | (length), middle, low)
#define ATLAS_LONGEST(v, has, head, middle, low) sets_longest((v)->which, has, head, middle, low)
#define ATLAS_PART_OF_LENGTHS(v, has, head, middle, low, from) sets_lengths((v)->which | (from) << 8, has, head, middle, low)

#include "bpf-templates/abi.h"
#include "bpf-templates/atlas.h"
#include "bpf-templates/config.h"
#include "bpf-templates/one.h"
#include "bpf-templates/pkt.h"

ONE_TABLE(struct teg_node) gen_nodes SEC(".maps");
ONE_TABLE(__u64) gen_masks SEC(".maps");
ONE_TABLE(struct teg_atlas) gen_atlas SEC(".maps");

/* Two banks. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct teg_atlas));
} gen_feeds SEC(".maps");

__u32 gen_feeding SEC(TEG_FEEDING_SECTION);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct teg_self);
} teg_self SEC(".maps");

static __always_inline __u64 sets_walk(const __u8 *addr, __u32 entry, int bytes)
{
	const __u32 nodes_max = gen_config.nodes, masks_max = gen_config.masks;
	const struct teg_node *nodes = ONE(gen_nodes);
	const __u64 *masks = ONE(gen_masks);

	for (int i = 0; i < bytes && entry < nodes_max; i++)
		entry = nodes[entry].at[addr[i]];
	entry &= ~TEG_LEAF;
	return entry < masks_max ? masks[entry] : 0;
}

static __always_inline bool sets_view(struct atlas_view *v, __u32 which)
{
	/* Reckoned, not asked: the verifier would walk what follows once for each bank. */
	const __u32 bank = (which >> 1) & 1;

	_Static_assert(TEG_FEEDING_FIRST >> 1 == 0 && TEG_FEEDING_SECOND >> 1 == 1, "the bank");

	v->which = which;
	if (which) {
		v->words = gen_config.feed_words;
		v->at = v->words ? bpf_map_lookup_elem(&gen_feeds, &bank) : NULL;
		v->head = (const struct teg_atlas *)v->at;
	} else {
		v->words = gen_config.atlas;
		v->at = ONE(gen_atlas);
		v->head = &gen_config.sets;
	}
	return atlas_is_whole(v) && v->at;
}

/*
 * Functions of their own, so that the verifier follows each look-up once and not once a way that leads to it. What most
 * packets need is none: a call costs them as much as a look into a table.
 */
__noinline __u32 sets_part(__u32 which, __u64 entry, __u32 byte)
{
	struct atlas_view v;

	return sets_view(&v, which) ? atlas_part(&v, entry, byte & 0xff) : 0;
}

__noinline __u32 sets_entry6(__u32 which, __u64 at, __u32 middle, __u32 around)
{
	struct atlas_view v;

	return sets_view(&v, which) ? atlas_entry6(&v, at, middle, around) : 0;
}

__noinline __u32 sets_far(__u32 which, __u64 head_length, __u32 middle, __u64 low)
{
	struct atlas_view v;

	return sets_view(&v, which) ? atlas_far(&v, (__u32)(head_length >> 32), (__u32)head_length, middle, low) : 0;
}

__noinline __u32 sets_lengths(__u32 which_from, __u64 has, __u32 head, __u32 middle, __u64 low)
{
	struct atlas_view v;

	return sets_view(&v, which_from & 0xff) ? atlas_lengths(&v, has, head, middle, low, which_from >> 8) : 0;
}

__noinline __u32 sets_longest(__u32 which, __u64 has, __u32 head, __u32 middle, __u64 low)
{
	struct atlas_view v;

	return sets_view(&v, which) ? atlas_longest(&v, has, head, middle, low) : 0;
}

static __always_inline __u64 sets_atlas(const struct pkt_addr *a, __u8 family, __u32 which)
{
	const __u64 low = bpf_be64_to_cpu(a->lo);
	struct atlas_view v;

	if (!sets_view(&v, which))
		return 0;
	return family == TEG_IP6 ? atlas_ip6(&v, bpf_be64_to_cpu(a->hi), low) : atlas_ip4(&v, (__u32)low);
}

/* What of gen_feeds is read: asked once, so that a packet meets all of one bank. */
static __always_inline __u32 sets_feeding(void)
{
	return *(volatile __u32 *)&gen_feeding;
}

/* All ones when the address is the host's own, else 0: without a branch, each of which the verifier would follow both ways
 * through all that comes after. */
static __always_inline __u64 sets_self(const struct pkt_addr *a)
{
	const struct teg_self *self = ONE(teg_self);
	__u64 found = 0;

	__u32 bank = *(volatile __u32 *)&self->bank & 1;
	const __u64(*set)[2] = self->at[bank][teg_self_set(self->seed[bank], a->hi, a->lo)];
	for (__u32 i = 0; i < TEG_SELF_WAYS; i++)
		found |= atlas_if_none((set[i][0] ^ a->hi) | (set[i][1] ^ a->lo));
	return found & ~atlas_if_none(a->hi | a->lo);
}

static __always_inline bool sets_is_self(const struct pkt_addr *a)
{
	return sets_self(a);
}

/* sets_of - asks only what the policy asks: both flags are constants to the verifier. */
static __always_inline __u64 sets_of(const struct pkt_addr *a, __u8 family, bool sets, bool self)
{
	const __u8 *bytes = (const __u8 *)a;
	__u64 in = TEG_SET_ANY;

	if (sets && !gen_config.nodes)
		in |= sets_atlas(a, family, 0);
	else if (sets)
		in |= family == TEG_IP4 ? sets_walk(bytes + 12, 0, 4) : sets_walk(bytes, 1, 16);
	if (self)
		in |= TEG_SET_SELF & sets_self(a);
	return in;
}

#endif
