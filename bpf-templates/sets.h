/*
 * sets - in which address sets an address lies, as a mask of them.
 *
 * Sets overlap. The tries hold the mask of every set that covers a prefix, wider
 * ones included, so that one walk answers for all sets at once. The own trie
 * costs a load a byte, and most addresses leave it after one or two.
 */
#ifndef TEG_SETS_H
#define TEG_SETS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/config.h"
#include "bpf-templates/pkt.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct teg_lpm4);
	__type(value, __u64);
} gen_sets4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct teg_lpm6);
	__type(value, __u64);
} gen_sets6 SEC(".maps");

/* One value each, as long as the policy needs: set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct teg_node));
} gen_nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} gen_masks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct teg_self);
} teg_self SEC(".maps");

static __always_inline __u64 sets_walk(const __u8 *addr, __u32 entry, int bytes)
{
	const __u32 zero = 0, nodes_max = gen_config.nodes, masks_max = gen_config.masks;
	const struct teg_node *nodes = bpf_map_lookup_elem(&gen_nodes, &zero);
	const __u64 *masks = bpf_map_lookup_elem(&gen_masks, &zero);

	if (!nodes || !masks)
		return 0;
	for (int i = 0; i < bytes && entry < nodes_max; i++)
		entry = nodes[entry].at[addr[i]];
	entry &= ~TEG_LEAF;
	return entry < masks_max ? masks[entry] : 0;
}

static __always_inline __u64 sets_lpm(const __u8 *addr, __u8 family)
{
	__u64 *mask;

	if (family == TEG_IP4) {
		struct teg_lpm4 key = { .bits = 32 };
		__builtin_memcpy(key.addr, addr + 12, 4);
		mask = bpf_map_lookup_elem(&gen_sets4, &key);
	} else {
		struct teg_lpm6 key = { .bits = 128 };
		__builtin_memcpy(key.addr, addr, 16);
		mask = bpf_map_lookup_elem(&gen_sets6, &key);
	}
	return mask ? *mask : 0;
}

static __always_inline bool sets_is_self(const struct pkt_addr *a)
{
	const __u32 zero = 0;
	const struct teg_self *self = bpf_map_lookup_elem(&teg_self, &zero);

	if (!self)
		return false;
	__u32 bank = *(volatile __u32 *)&self->bank & 1;
	const __u64(*set)[2] = self->at[bank][teg_self_set(self->seed[bank], a->hi, a->lo)];
	for (__u32 i = 0; i < TEG_SELF_WAYS; i++)
		if (set[i][0] == a->hi && set[i][1] == a->lo)
			return a->hi | a->lo;
	return false;
}

/* sets_of - asks only what the policy asks: both flags are constants to the verifier. */
static __always_inline __u64 sets_of(const struct pkt_addr *a, __u8 family, bool sets, bool self)
{
	const __u8 *bytes = (const __u8 *)a;
	__u64 in = TEG_SET_ANY;

	if (sets && !gen_config.nodes)
		in |= sets_lpm(bytes, family);
	else if (sets)
		in |= family == TEG_IP4 ? sets_walk(bytes + 12, 0, 4) : sets_walk(bytes, 1, 16);
	if (self && sets_is_self(a))
		in |= TEG_SET_SELF;
	return in;
}

#endif
