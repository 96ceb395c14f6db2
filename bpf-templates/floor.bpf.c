/*
 * floor - what a packet costs before any policy: the measure that tests/bench
 * holds policies against. Not part of any bundle.
 *
 *     feed ──► bench_next[0] ──► read_only
 *                           ├──► policy
 *                           └──► send ──► the trace's interface `out`
 *
 * feed stands where the anchor does, and writes the next record of a trace over
 * the frame first, so that a repeated BPF_PROG_TEST_RUN judges different packets,
 * or sends them. What arrives may meet read_only or read_drop. ask_hash and ask_lpm read the
 * frame and drop it when the kernel's own map has its IPv4 source: what sets are held against.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/floor.h"
#include "bpf-templates/pkt.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_next SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct floor_trace);
} bench_trace SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOOR_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} bench_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, FLOOR_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct floor_prefix);
	__type(value, __u32);
} bench_lpm SEC(".maps");

__u64 sink; /* keeps what was read */

/* An answer that no policy has; and sections that libbpf knows, but enforcer/hook/one_value.h does not: tables are looked up here. */
#ifdef TEG_FRAME_TC
#define FLOOR_BROKEN TC_ACT_OK
#define FLOOR_SECTION "classifier"
#else
#define FLOOR_BROKEN XDP_ABORTED
#define FLOOR_SECTION "xdp.frags"
#endif

SEC(FLOOR_SECTION)
int feed(struct frame_ctx *ctx)
{
	const __u32 zero = 0;
	struct floor_trace *trace = bpf_map_lookup_elem(&bench_trace, &zero);
	__u64 *to = (void *)(long)ctx->data;

	if (!trace || (void *)to + FLOOR_BYTES > (void *)(long)ctx->data_end)
		return FLOOR_BROKEN;
	__u64 turn = trace->next / FLOOR_RECORDS;
	const __u64 *from = trace->records[trace->next++ & (FLOOR_RECORDS - 1)].words;
	for (int i = 0; i < FLOOR_BYTES / 8; i++)
		to[i] = from[i];
	if (trace->strange)
		*(__u32 *)((void *)to + 26) += turn * 0x01030507; /* within what is no bogon, nearly always */
	bpf_tail_call(ctx, &bench_next, 0);
	return FLOOR_BROKEN;
}

static __always_inline int read(struct frame_ctx *ctx, int then)
{
	struct pkt p = {};

	if (pkt_read(ctx, &p, false))
		return FLOOR_BROKEN;
	sink = FLOOR_SINK(&p);
	return then;
}

SEC(FLOOR_SECTION)
int read_only(struct frame_ctx *ctx)
{
	return read(ctx, FRAME_PASS);
}

SEC(FLOOR_SECTION)
int read_drop(struct frame_ctx *ctx)
{
	return read(ctx, FRAME_DROP);
}

SEC(FLOOR_SECTION)
int ask_hash(struct frame_ctx *ctx)
{
	struct pkt p = {};

	if (pkt_read(ctx, &p, false))
		return FLOOR_BROKEN;
	__u32 key = (__u32)(p.src.lo >> 32);
	return bpf_map_lookup_elem(&bench_hash, &key) ? FRAME_DROP : FRAME_PASS;
}

SEC(FLOOR_SECTION)
int ask_lpm(struct frame_ctx *ctx)
{
	struct pkt p = {};

	if (pkt_read(ctx, &p, false))
		return FLOOR_BROKEN;
	struct floor_prefix key = { 32, (__u32)(p.src.lo >> 32) };
	return bpf_map_lookup_elem(&bench_lpm, &key) ? FRAME_DROP : FRAME_PASS;
}

SEC(FLOOR_SECTION)
int send(struct frame_ctx *ctx __attribute__((unused)))
{
	const __u32 zero = 0;
	struct floor_trace *trace = bpf_map_lookup_elem(&bench_trace, &zero);

	return trace ? bpf_redirect(trace->out, 0) : FLOOR_BROKEN;
}

char LICENSE[] SEC("license") = "GPL";
