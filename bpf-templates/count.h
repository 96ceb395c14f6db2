/*
 * count - packets and bytes, by counter slot and by cause. Each CPU has its
 * own, so a plain addition loses nothing; the reader sums.
 */
#ifndef TEG_COUNT_H
#define TEG_COUNT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/cause.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TEG_COUNTER_SLOTS);
	__type(key, __u32);
	__type(value, struct teg_counter);
} teg_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CAUSE_COUNT);
	__type(key, __u32);
	__type(value, struct teg_counter);
} teg_causes SEC(".maps");

static __always_inline struct teg_counter *count_in(void *map, __u32 at, __u64 bytes)
{
	struct teg_counter *c = bpf_map_lookup_elem(map, &at);

	if (c) {
		c->packets++;
		c->bytes += bytes;
	}
	return c;
}

#endif
