/*
 * act - what is done with a packet once something has decided it: counted, told as its rule says, dropped or let on. And what all who do
 * so read: the active posture, and the clocks.
 */
#ifndef TEG_ACT_H
#define TEG_ACT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/cause.h"
#include "bpf-templates/config.h"
#include "bpf-templates/count.h"
#include "bpf-templates/event.h"
#include "bpf-templates/frame.h"
#include "bpf-templates/hook.h"
#include "bpf-templates/limit.h"
#include "bpf-templates/pkt.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct teg_active);
} teg_active SEC(".maps");

/* The barriers keep two loads, of which the verifier removes one; clang would reckon which word it is, for each packet. */
static __always_inline __u32 posture_of(const struct teg_active *active)
{
	__u32 posture;

	if (gen_config.host & TEG_HOST_BANK_B) {
		posture = *(const volatile __u32 *)&active->posture[1];
		asm volatile("");
	} else {
		posture = *(const volatile __u32 *)&active->posture[0];
		asm volatile("");
	}
	return posture & 63;
}

/* A tick of the coarse clock is 1 to 10 ms; reading it costs a third of the fine one. */
static __always_inline __u64 now_ns(void)
{
	if (gen_config.host & TEG_HOST_GIVEN_CLOCK)
		return *(volatile __u64 *)&gen_clock;
	return asks(TEG_ASKS_FINE_CLOCK) ? bpf_ktime_get_ns() : bpf_ktime_get_coarse_ns();
}

/* For buckets, which only count what has passed: ticks are read without a call (do_misc_fixups() of the kernel's verifier). */
static __always_inline __u64 bucket_ns(void)
{
	if (asks(TEG_ASKS_FINE_CLOCK) || gen_config.host & TEG_HOST_GIVEN_CLOCK)
		return now_ns();
	return bpf_jiffies64() * gen_config.tick_ns;
}

static __always_inline __u32 tick_of(const struct teg_active *active)
{
	return *(volatile __u32 *)&active->tick;
}

/* What is told of a packet that is due. */
static __always_inline void tell(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active,
				 struct teg_counter *counted, struct event_of of)
{
	of.tick = tick_of(active);
	of.posture = posture_of(active);
	of.since = (__u32)counted->packets - counted->told_at;
	counted->told_at = (__u32)counted->packets;
	event_tell(ctx, p, EVENT_ENDS(of), EVENT_HOW(of), of.tick);
}

/* A drop that nobody asked to be told. */
static __always_inline void tell_drop(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active,
				      struct teg_counter *counted, __u32 who, __u32 by)
{
	if (likely(counted) && unlikely(event_is_due(counted, tick_of(active), 1, false)))
		tell(ctx, p, active, counted, (struct event_of){ .who = who, .by = by, .does = TEG_DOES_DROP });
}

/* What the rule does to the packet, counted, and told as it says; `also` are TEG_DOES_ bits. */
static __always_inline void rule_acts(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active,
				      const struct teg_rule *rule, __u32 also)
{
	struct teg_counter *counted = count_slot(rule->counter_slot, p->len);

	if (unlikely(!counted) || likely(!event_is_due(counted, tick_of(active), rule->one_in, rule->tells)))
		return;
	tell(ctx, p, active, counted, (struct event_of){
		.who = rule->counter_slot, .by = TEG_WHO_NOBODY,
		.does = (rule->act == TEG_ACT_DROP || rule->act == TEG_ACT_COOKIES ? TEG_DOES_DROP : 0) |
			(rule->tells ? TEG_DOES_TELL : 0) | also,
		.severity = rule->tells ? rule->tells - 1 : 0,
	});
}

/* `failed`: as pkt_read() has it. */
static __always_inline int cause_ends(struct frame_ctx *ctx, const struct pkt *p, __u32 failed)
{
	const __u32 c = failed & (PKT_FAILED - 1);
	enum { CAUSE_IS_PASS, CAUSE_IS_DROP };
	const __u32 drops = 0
#define CAUSE(id, name, verdict, ...) | CAUSE_IS_##verdict << CAUSE_##id
#include "bpf-templates/cause.def"
#undef CAUSE
		;

	const struct teg_active *active = ONE(teg_active);
	if (!(drops >> c & 1)) {
		count_in(&teg_causes, c, frame_len(ctx));
		return FRAME_PASS;
	}
	if (gen_config.passes[c & (TEG_CAUSES_MOST - 1)] >> posture_of(active) & 1) {
		count_in(&teg_causes, CAUSE_COUNT + c, frame_len(ctx));
		return FRAME_PASS;
	}
	struct teg_counter *counted = count_in(&teg_causes, c, frame_len(ctx));
	tell_drop(ctx, p, active, counted, TEG_WHO_CAUSE | c, TEG_WHO_NOBODY);
	return FRAME_DROP;
}

#endif /* TEG_ACT_H */
