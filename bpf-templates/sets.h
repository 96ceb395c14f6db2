/*
 * sets - in which address sets an address lies, as a mask of them.
 *
 * Sets overlap; the tries hold their joint partition, so that the longest
 * prefix alone answers for all sets at once.
 */
#ifndef TEG_SETS_H
#define TEG_SETS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TEG_SELF_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct teg_addr);
	__type(value, __u8);
} teg_self SEC(".maps");

static __always_inline __u64 sets_trie(const struct pkt_addr *a, __u8 family)
{
	__u64 *mask;

	if (family == TEG_IP4) {
		struct teg_lpm4 key = { .bits = 32 };
		__builtin_memcpy(key.addr, (const __u8 *)a + 12, 4);
		mask = bpf_map_lookup_elem(&gen_sets4, &key);
	} else {
		struct teg_lpm6 key = { .bits = 128 };
		__builtin_memcpy(key.addr, a, 16);
		mask = bpf_map_lookup_elem(&gen_sets6, &key);
	}
	return mask ? *mask : 0;
}

/* sets_of - asks only what the policy asks: both flags are constants to the verifier. */
static __always_inline __u64 sets_of(const struct pkt_addr *a, __u8 family, bool sets, bool self)
{
	__u64 in = TEG_SET_ANY;

	if (sets)
		in |= sets_trie(a, family);
	if (self && bpf_map_lookup_elem(&teg_self, a))
		in |= TEG_SET_SELF;
	return in;
}

#endif
