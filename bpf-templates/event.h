/*
 * event - what is told of a packet beside its verdict, to whoever reads teg_events.
 *
 *     counted ──► due? ──► within the bounds? ──► room in the ring? ──► written
 *                  │            └── no: teg_telling.rate   └── no: teg_telling.full
 *                  └── no: it stays a number
 *
 * A flood must cost nothing here. So time is a tick that the reader lets go on after it
 * has read (teg_active.tick): in each, a CPU tells at most TEG_EVENTS_A_RULE packets of a rule, and
 * TEG_EVENTS_A_TICK in all. What is not told costs one comparison in the line of memory that the
 * counter has warmed. A reader that is gone lets no tick go on, and soon nothing is told.
 */
#ifndef TEG_EVENT_H
#define TEG_EVENT_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/config.h"
#include "bpf-templates/pkt.h"
#include "bpf-templates/walk.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TEG_EVENTS_BYTES);
} teg_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct teg_telling);
} teg_telling SEC(".maps");

/* What is told, as struct teg_event has it. */
struct event_of {
	__u32 tick;
	__u32 who, by;
	__u32 since;
	__u8 does, severity;
	__u16 posture;
};

/* Given to event_tell() in registers, as `ends`, `how` and the tick: in memory it would take 24 bytes of the stack of each who tells. */
#define EVENT_ENDS(of) ((__u64)(of).by << 32 | (of).who)
#define EVENT_HOW(of) ((__u64)(of).posture << 48 | (__u64)(of).severity << 40 | (__u64)(of).does << 32 | (of).since)

/* One of so many, by lot: whatever comes at a beat of its own is met like all else. */
static __always_inline bool event_drawn(struct teg_counter *c, __u32 one_in)
{
	if (one_in <= 1)
		return true;
	if (c->pass) {
		c->pass--;
		return false;
	}
	c->pass = bpf_get_prandom_u32() % (2 * one_in - 1);
	return true;
}

/*
 * event_is_due - is the packet told, as far as its rule goes? `c` has counted it. What a policy asks to be
 * told and is not, is a loss; of a plain drop, which is sampled anyway, it is not.
 */
static __always_inline bool event_is_due(struct teg_counter *c, __u32 tick, __u32 one_in, bool asked)
{
	if (gen_config.host & TEG_HOST_TELL_ALL)
		return true;
	if (gen_config.host & TEG_HOST_DRAWS && !event_drawn(c, one_in))
		return false;
	if (unlikely(c->tick != tick)) {
		c->tick = tick;
		c->told = 0;
	}
	if (unlikely(c->told < TEG_EVENTS_A_RULE)) {
		c->told++;
		return true;
	}
	if (asked) {
		const __u32 zero = 0;
		struct teg_telling *t = bpf_map_lookup_elem(&teg_telling, &zero);

		if (t)
			t->rate++;
	}
	return false;
}

/* Before Linux 5.18 XDP has no call for it. */
static __always_inline __u32 event_head_bytes(struct frame_ctx *ctx, __u8 *to)
{
	const __u8 *from = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 i = 0;

	for (; i < TEG_EVENT_HEAD; i++) {
		if (from + i + 1 > end)
			break;
		to[i] = from[i];
	}
	return i;
}

/*
 * Each bound is asked of the register that the call is given: clang would ask both of len - 2. Of "not 0" the verifiers before Linux 6.8 learn nothing, and
 * what begins here is never one byte: each frame has a header of Ethernet.
 */
static __always_inline bool event_copy(struct frame_ctx *ctx, __u32 from, __u8 *to, __u64 len, const __u32 most)
{
	WALK_ONE_REGISTER(len);
	if (len < 2)
		return false;
	WALK_ONE_REGISTER(len);
	return len <= most && !frame_load(ctx, from, to, (__u32)len);
}

/* The beginning of the frame as it was sent, as far as its first part has it; a tag that was taken off stands where it stood. */
static __always_inline __u32 event_head(struct frame_ctx *ctx, __u8 *to)
{
	const bool tag = frame_lost_tags(ctx);
	__u64 len = (__u64)((void *)(long)ctx->data_end - (void *)(long)ctx->data), rest;

	if (!frame_has_parts())
		return event_head_bytes(ctx, to);
	if (len > TEG_EVENT_HEAD)
		len = TEG_EVENT_HEAD;
	if (!tag)
		return event_copy(ctx, 0, to, len, TEG_EVENT_HEAD) ? (__u32)len : 0;
	rest = (len < TEG_EVENT_HEAD - 4 ? len : TEG_EVENT_HEAD - 4) - 2 * ETH_ALEN;
	if (len <= 2 * ETH_ALEN || frame_load(ctx, 0, to, 2 * ETH_ALEN))
		return 0;
	*(__be32 *)(to + 2 * ETH_ALEN) = frame_lost_tag(ctx);
	return event_copy(ctx, 2 * ETH_ALEN, to + 2 * ETH_ALEN + 4, rest, TEG_EVENT_HEAD - 2 * ETH_ALEN - 4) ? 2 * ETH_ALEN + 4 + (__u32)rest : 0;
}

static __always_inline bool event_within_tick(struct teg_telling *t, __u32 tick)
{
	if (t->tick != tick) {
		t->tick = tick;
		t->in_tick = 0;
	}
	if (t->in_tick >= TEG_EVENTS_A_TICK && !(gen_config.host & TEG_HOST_TELL_ALL)) {
		t->rate++;
		return false;
	}
	t->in_tick++;
	return true;
}

/* event_tell - into the ring, when the bounds and the ring have room. A function of its own: verified once. */
__noinline int event_tell(struct frame_ctx *ctx, const struct pkt *p, __u64 ends, __u64 how, __u32 tick)
{
	const __u32 zero = 0;
	struct teg_telling *t = bpf_map_lookup_elem(&teg_telling, &zero);
	struct teg_event *e;

	if (!t || !p || !event_within_tick(t, tick))
		return 0;
	e = bpf_ringbuf_reserve(&teg_events, sizeof *e, 0);
	if (!e) {
		t->full++;
		return 0;
	}
	/* A field after the other: a compound literal has all of them on the stack first. */
	__builtin_memset(e, 0, sizeof *e);
	e->at_ns = bpf_ktime_get_coarse_ns();
	e->generation = gen_config.generation;
	e->who = (__u32)ends;
	e->by = ends >> 32;
	e->since = (__u32)how;
	e->ifindex = ctx->ingress_ifindex;
	e->frame_len = frame_len(ctx);
	e->sport = p->sport;
	e->dport = p->dport;
	e->icmp = p->icmp;
	e->posture = how >> 48;
	e->does = (__u8)(how >> 32);
	e->severity = (__u8)(how >> 40);
	e->family = p->family;
	e->fragment = p->fragment;
	e->proto = p->proto;
	e->flags = p->flags;
	__builtin_memcpy(&e->src, &p->src, sizeof e->src);
	__builtin_memcpy(&e->dst, &p->dst, sizeof e->dst);
	e->head_len = event_head(ctx, e->head);
	bpf_ringbuf_submit(e, 0);
	t->told++;
	return 0;
}

#endif
