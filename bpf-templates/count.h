/*
 * count - packets and bytes, by counter slot and by cause. Each CPU has its
 * own, so a plain addition loses nothing; the reader sums. Who loads gives the
 * maps of slots room for all CPUs.
 */
#ifndef TEG_COUNT_H
#define TEG_COUNT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/cause.h"
#include "bpf-templates/config.h"
#include "bpf-templates/hook.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TEG_SLOTS_FIRST);
	__type(key, __u32);
	__type(value, struct teg_counter);
} teg_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TEG_SLOTS_MORE);
	__type(key, __u32);
	__type(value, struct teg_counter);
} teg_more SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * CAUSE_COUNT); /* those that the posture let go on behind all others */
	__type(key, __u32);
	__type(value, struct teg_counter);
} teg_causes SEC(".maps");

static __always_inline struct teg_counter *count_in(void *map, __u32 at, __u64 bytes)
{
	struct teg_counter *c = bpf_map_lookup_elem(map, &at);

	if (likely(c)) {
		c->packets++;
		c->bytes += bytes;
	}
	return c;
}

static __always_inline struct teg_counter *count_slot(__u32 slot, __u64 bytes)
{
	const __u32 cpu = bpf_get_smp_processor_id();

	if (gen_config.host & TEG_HOST_MORE && unlikely(slot >= TEG_SLOTS_FIRST))
		return count_in(&teg_more, cpu * TEG_SLOTS_MORE + slot - TEG_SLOTS_FIRST, bytes);
	return count_in(&teg_counters, cpu * TEG_SLOTS_FIRST + slot, bytes);
}

#endif
