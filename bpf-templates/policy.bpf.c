/*
 * policy - layers 1 to 3 of any policy, judged on arrival. Compiled once:
 * what a policy says is in its tables and in gen_config.
 *
 *     frame ──► read ──┬── malformed ──────────────► drop, or on as the posture says, counted by cause
 *                      ├── not IP ─────────────────► on
 *                      ├── a lifeline ─────────────► on
 *                      ├── neighbours, listeners ──► on
 *                      ├── a runtime block ────────► drop
 *                      ├── on a feed ──────────────► drop
 *                      ├── a block, a reflex ──────► drop
 *                      ├── the posture is closed ──► drop
 *                      └──────────────────────────── on
 *
 * What is dropped is told, sampled, and so is what the policy asks to be told (event.h); a
 * reflex that only tells stands among the others, and decides nothing.
 *
 * "On" is to layer 4, which has the last word. What a posture decides is here
 * only where it is the same for every connection state: the closed posture's
 * drop is the one case.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/act.h"
#include "bpf-templates/bulk.h"
#include "bpf-templates/config.h"
#include "bpf-templates/count.h"
#include "bpf-templates/frame.h"
#include "bpf-templates/judge.h"
#include "bpf-templates/limit.h"
#include "bpf-templates/neighbour.h"
#include "bpf-templates/one.h"
#include "bpf-templates/payload.h"
#include "bpf-templates/pkt.h"
#include "bpf-templates/reflex.h"
#include "bpf-templates/sets.h"
#include "bpf-templates/vectors.h"
#include "bpf-templates/walk.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TEG_ZONES_NEAR);
	__type(key, __u32);
	__type(value, __u64);
} gen_zones SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TEG_ZONES_FAR);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
} gen_zones_far SEC(".maps");

static __always_inline __u64 zones_of(__u32 ifindex)
{
	__u64 *bits = bpf_map_lookup_elem(&gen_zones, &ifindex);

	if (!bits)
		bits = bpf_map_lookup_elem(&gen_zones_far, &ifindex);
	return bits && *bits ? *bits : TEG_ZONE_NONE;
}

/* The last word of the first bulk cell that matches, or BULK_NONE. */
static __always_inline __u64 judge_bulk(const struct walk *w)
{
	const struct pkt *p = w->p;

	if (gen_config.bulk.vectors[0].words | gen_config.bulk.vectors[1].words) {
		if (p->family != TEG_IP4)
			return vector_first(w, true);
		TEG_MARK();
		return vector_first(w, false);
	}

	struct bulk_key *k = gen_config.bulk.cells ? bpf_map_lookup_elem(&gen_key, &zero) : NULL;

	if (!k)
		return BULK_NONE;
	k->words[0] = bpf_be64_to_cpu(p->src.hi);
	k->words[1] = bpf_be64_to_cpu(p->src.lo);
	k->words[2] = bpf_be64_to_cpu(p->dst.hi);
	k->words[3] = bpf_be64_to_cpu(p->dst.lo);
	k->words[4] = (__u64)p->sport << 48 | (__u64)p->dport << 32 | (__u64)p->icmp << 16 | (p->proto & 0xff);
	k->pair = k->words[1] << 32 | (__u32)k->words[3];
	k->part = TEG_BULK_PART(p->proto & 0xff, p->fragment);
	const __u64 ports = (__u64)(p->dport | p->icmp) << 32 | p->sport;
	k->above = ports + BULK_BORROWS;
	k->below = ports - BULK_BORROWS;
	if (gen_config.bulk.mores > 1) {
		k->zones = w->zones;
		k->src = w->src;
		k->dst = w->dst;
		k->posture = w->posture;
		k->flags = p->flags;
	}
	if (bulk_is_apart())
		return bulk_apart(p->family == TEG_IP6);
	return p->family == TEG_IP4 ? bulk_first(k, false) : bulk_first(k, true);
}

/*
 * The first rule among what decides at once when it is found in the payload, and `other`;
 * marks what else is found. False when the payload cannot be read.
 */
static __always_inline bool judge_payload(struct walk *w, __u32 *other)
{
	const struct pkt *p = w->p;

	if (!p->payload_len || *other < gen_config.payload.first_rule)
		return true;
	struct payload *s = bpf_map_lookup_elem(&gen_payload, &zero);
	if (!s)
		return false;
	s->zones = w->zones, s->src = w->src, s->dst = w->dst;
	s->head = w->head, s->posture = w->posture;
	s->first = p->payload_at, s->len = p->payload_len;
	s->best = *other, s->marks = 0;
	if (payload_find(w->ctx, p, s) != PAYLOAD_END)
		return false;
	w->marks = s->marks;
	*other = s->best;
	return true;
}

/*
 * Calls one inside the other have 512 bytes of stack together, and a payload's go deep. So what
 * needs much of it is apart in the program that looks into payloads, and only there: a call costs.
 */
static __noinline __u64 judge_bulk_apart(const struct walk *w)
{
	return judge_bulk(w);
}

/* Of each cause the verifier knows the number, and asks which it was where a table is read by it: but not in a function that it walks once. */
__noinline int cause_ends_apart(struct frame_ctx *ctx, const struct pkt *p, __u32 failed)
{
	return p ? cause_ends(ctx, p, failed) : FRAME_DROP;
}

/* What the packet is beside its own fields. */
static __always_inline void look_around(struct walk *w)
{
	const struct pkt *p = w->p;

	if (asks(TEG_ASKS_ZONES))
		w->zones = zones_of(w->ctx->ingress_ifindex);
	w->src = sets_of(&p->src, p->family, asks(TEG_ASKS_SRC_SETS), asks(TEG_ASKS_SRC_SELF));
	w->dst = sets_of(&p->dst, p->family, asks(TEG_ASKS_DST_SETS), asks(TEG_ASKS_DST_SELF));
}

/* Dropped, counted there, and told as any drop is. */
static __always_inline int plain_drop(const struct walk *w, __u32 slot)
{
	tell_drop(w->ctx, w->p, w->active, count_slot(slot, w->p->len), slot, TEG_WHO_NOBODY);
	return FRAME_DROP;
}

/* What becomes of the packet when it is neither a lifeline nor blocked. */
static __always_inline int reflexes_end(struct walk *w, const struct teg_rule *rule, __u32 posture)
{
	const struct pkt *p = w->p;

	if (asks(TEG_ASKS_COOKIES) && w->over >= REFLEX_ANSWERED)
		return w->over == REFLEX_ANSWERED ? frame_send_back(w->ctx) : FRAME_DROP;
	if (rule) {
		const bool blocks = asks(TEG_ASKS_CLOCK) && rule->block_ns && w->over != LIMIT_OVER_TOGETHER;

		if (blocks)
			limit_block(w->active, rule, p, w->now ? w->now : now_ns());
		rule_acts(w->ctx, p, w->active, rule, blocks ? TEG_DOES_BLOCK : 0);
		return rule->act == TEG_ACT_PASS ? FRAME_PASS : FRAME_DROP;
	}
	if (gen_config.closed && gen_config.closed >> posture & 1 && !is_left_open(p))
		return plain_drop(w, gen_config.closed_slot[posture]);
	return FRAME_PASS;
}

static __noinline int reflexes_end_apart(struct walk *w, const struct teg_rule *rule)
{
	__u32 posture = w->posture;

	WALK_ONE_REGISTER(posture); /* from the stack, where the verifier has forgotten how large it may be */
	return reflexes_end(w, rule, posture & 63);
}

/*
 * The feeds that the source is on. Who gave the walk itself away would have it written to the stack for every packet of every policy. A function
 * for each family: one for both needs 72 bytes of stack, and so 32 more for all who stand above it.
 */
__noinline __u64 feeds_on4(const struct pkt *p, __u32 which)
{
	return p ? sets_atlas(&p->src, TEG_IP4, which) : 0;
}

__noinline __u64 feeds_on6(const struct pkt *p, __u32 which)
{
	return p ? sets_atlas(&p->src, TEG_IP6, which) : 0;
}

/* Drops the packet by the first of them. Apart from asking, which goes so deep that what telling needs does not fit above it. */
__noinline int feed_drops(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active, __u64 on)
{
	if (!p || !active)
		return 0;
	const struct teg_rule *rule = rule_at((__u64)gen_config.feed_first + atlas_ones((on & -on) - 1));

	if (rule)
		rule_acts(ctx, p, active, rule, 0);
	return !!rule;
}

static __always_inline int judge_frame(struct frame_ctx *ctx, struct pkt *p, const enum program is)
{
	const bool payloads = is == PROGRAM_PAYLOADS;
	__u32 c = pkt_read(ctx, p, payloads);

	if (unlikely(c) && frame_pull(ctx))
		c = pkt_read_pulled(ctx, p);
	if (unlikely(c))
		return payloads ? cause_ends_apart(ctx, p, c) : cause_ends(ctx, p, c);
	if (count_in(&teg_causes, CAUSE_NONE, p->len))
		TEG_MARK();

	struct teg_active *active = ONE(teg_active);
	__u64 blocked_until = unlikely(*(volatile __u64 *)&active->blocks_until_ns) ? limit_may_be_blocked(p) : 0;
	if (unlikely(*(volatile __u32 *)&active->nets & p->family))
		blocked_until |= limit_nets_may_be_blocked(limit_net_source(p), limit_family(p));
	struct walk w = {
		.ctx = ctx, .active = active, .p = p,
		.head = payloads || gen_config.box_count ? TEG_HEAD(p->proto, p->flags, p->family, p->fragment) : 0,
		.zones = TEG_ZONE_NONE, .src = TEG_SET_ANY, .dst = TEG_SET_ANY,
		.ports = payloads || gen_config.box_count ? TEG_PORTS(p->sport, p->dport, p->icmp) : 0,
		.posture = posture_of(active),
		.now = unlikely(blocked_until) ? now_ns() : 0,
	};
	if (asks(TEG_ASKS_AROUND))
		look_around(&w);

	const struct teg_rule *rule = NULL;
	if (gen_config.lifeline_boxes)
		rule = judge(&w, 0, gen_config.lifeline_boxes, false, NO_RULE, is);
	if (rule) {
		count_slot(rule->counter_slot, p->len);
		return FRAME_PASS;
	}
	if (unlikely(is_neighbour(p))) {
		count_slot(gen_config.neighbour_slot, p->len);
		return FRAME_PASS;
	}
	const __u32 blocked_by = unlikely(w.now < blocked_until) ? limit_blocked_by(p, w.now) : LIMIT_NOT_BLOCKED;
	if (unlikely(blocked_by != LIMIT_NOT_BLOCKED)) {
		struct teg_counter *counted = count_slot(gen_config.blocked_slot, p->len);

		tell_drop(ctx, p, active, counted, gen_config.blocked_slot, blocked_by);
		return FRAME_DROP;
	}
	const __u32 feeding = gen_config.feed_count ? sets_feeding() : TEG_FEEDING_NOTHING;
	const __u64 on = !feeding ? 0 : p->family == TEG_IP4 ? feeds_on4(p, feeding) : feeds_on6(p, feeding);
	if (on && feed_drops(ctx, p, active, on))
		return FRAME_DROP;
	const __u64 found = payloads ? judge_bulk_apart(&w) : judge_bulk(&w);
	__u32 other = TEG_BULK_RULE(found);
	if (!payloads) {
		if (found & TEG_BULK_PLAIN && gen_config.box_count == gen_config.lifeline_boxes)
			return plain_drop(&w, TEG_BULK_SLOT(found));
		rule = judge(&w, gen_config.lifeline_boxes, gen_config.box_count, true, other, is);
		return reflexes_end(&w, rule, w.posture);
	}
	if (!judge_payload(&w, &other))
		return cause_ends_apart(ctx, p, CAUSE_PAYLOAD);
	rule = judge(&w, gen_config.lifeline_boxes, gen_config.box_count, true, other, is);
	return reflexes_end_apart(&w, rule);
}

SEC(FRAME_SECTION)
int policy(struct frame_ctx *ctx)
{
	struct pkt p;

	return judge_frame(ctx, &p, PROGRAM_USUAL);
}

/*
 * Loaded in its place when the policy has rates and all its lists are short. By its section libbpf leaves it out unless it is told to load
 * it: so does a tegd that does not know it.
 */
SEC("?" FRAME_SECTION)
int policy_rates(struct frame_ctx *ctx)
{
	struct pkt p;

	return judge_frame(ctx, &p, PROGRAM_RATES);
}

/*
 * Loaded in its place when the policy looks into payloads. The packet is not on the stack: before 6.8 each call takes a multiple of
 * 32 bytes of it, and four calls one inside the other would take more than there is.
 */
SEC(FRAME_SECTION)
int policy_payload(struct frame_ctx *ctx)
{
	struct payload *s = bpf_map_lookup_elem(&gen_payload, &zero);

	return s ? judge_frame(ctx, &s->pkt, PROGRAM_PAYLOADS) : FRAME_DROP;
}

char LICENSE[] SEC("license") = "GPL";
