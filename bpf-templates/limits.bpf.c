/*
 * limits - token buckets of IPv4 sources as others write them: what the policy's own are held against (tests/bench/rates).
 * Not part of any bundle.
 *
 *     lru         the kernel's LRU map, a bucket of two words, the fine clock: as most write it
 *     lru_ticks   the same by the kernel's ticks, as the policy's buckets go
 *     table       four places to a line, without any swap, and who comes displaces who has not come for longest: what one
 *                 CPU can do at best. Two would hand out tokens twice, and a flood displaces everybody.
 *
 * They stand where the policy does, and read the frame as read_only does (floor.bpf.c). fine, coarse and ticks only read a clock.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/floor.h"
#include "bpf-templates/pkt.h"

#define SECOND 1000000000ull
#define LRU_PLACES 262144u /* all new sources of a round find room */
#define SETS 32768u	   /* a power of two */
#define WAYS 4u
#define RATE 1000000u /* tokens a second; a bucket holds those of a second */

const volatile __u64 tick_ns = 4000000; /* by who loads */
const volatile __u64 a_tick = 4000;	/* tokens */
__u64 sink;				/* keeps what was read */

struct lru_bucket {
	__u64 last_ns, tokens;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LRU_PLACES);
	__type(key, __u32);
	__type(value, struct lru_bucket);
} limits_lru SEC(".maps");

struct place {
	__u32 source, last, tokens, pad;
};
struct place places[SETS][WAYS] SEC(".bss.places");

static __always_inline int lru_take(__u32 source, __u64 now)
{
	struct lru_bucket *b = bpf_map_lookup_elem(&limits_lru, &source);

	if (!b) {
		const struct lru_bucket first = { now, RATE - 1 };

		bpf_map_update_elem(&limits_lru, &source, &first, BPF_ANY);
		return XDP_PASS;
	}
	__u64 tokens = b->tokens + (now - b->last_ns) * RATE / SECOND;
	if (tokens > RATE)
		tokens = RATE;
	b->last_ns = now;
	b->tokens = tokens ? tokens - 1 : 0;
	return tokens ? XDP_PASS : XDP_DROP;
}

static __always_inline int table_take(__u32 source, __u32 now)
{
	struct place *set = places[source * 0x9e3779b1u >> 17], *oldest = set;

#pragma unroll
	for (__u32 i = 0; i < WAYS; i++) {
		if (set[i].source == source) {
			__u32 tokens = set[i].tokens + (now - set[i].last) * (__u32)a_tick;

			if (tokens > RATE)
				tokens = RATE;
			set[i].last = now;
			set[i].tokens = tokens ? tokens - 1 : 0;
			return tokens ? XDP_PASS : XDP_DROP;
		}
		if ((__s32)(set[i].last - oldest->last) < 0)
			oldest = &set[i];
	}
	*oldest = (struct place){ .source = source, .last = now, .tokens = RATE - 1 };
	return XDP_PASS;
}

/* A packet's source, and what is done with it. */
#define LIMITS(name, does)                                            \
	SEC("xdp.frags") int name(struct frame_ctx *ctx)              \
	{                                                             \
		struct pkt p = {};                                    \
                                                                      \
		if (pkt_read(ctx, &p, false))                         \
			return XDP_ABORTED;                           \
		sink = FLOOR_SINK(&p);                                \
		__u32 source = bpf_ntohl((__u32)(p.src.lo >> 32));    \
		return does;                                          \
	}

LIMITS(lru, lru_take(source, bpf_ktime_get_ns()))
LIMITS(lru_ticks, lru_take(source, bpf_jiffies64() * tick_ns))
LIMITS(table, table_take(source, (__u32)bpf_jiffies64()))
LIMITS(fine, (sink += bpf_ktime_get_ns(), source ? XDP_PASS : XDP_DROP))
LIMITS(coarse, (sink += bpf_ktime_get_coarse_ns(), source ? XDP_PASS : XDP_DROP))
LIMITS(ticks, (sink += bpf_jiffies64() * tick_ns, source ? XDP_PASS : XDP_DROP))

char LICENSE[] SEC("license") = "GPL";
