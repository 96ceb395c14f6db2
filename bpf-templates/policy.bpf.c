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
#include "bpf-templates/bulk.h"
#include "bpf-templates/config.h"
#include "bpf-templates/cookie.h"
#include "bpf-templates/count.h"
#include "bpf-templates/event.h"
#include "bpf-templates/frame.h"
#include "bpf-templates/limit.h"
#include "bpf-templates/one.h"
#include "bpf-templates/payload.h"
#include "bpf-templates/pkt.h"
#include "bpf-templates/sets.h"
#include "bpf-templates/vectors.h"
#include "bpf-templates/walk.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct teg_active);
} teg_active SEC(".maps");

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

static const __u32 zero;

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

static __always_inline __u64 zones_of(__u32 ifindex)
{
	__u64 *bits = bpf_map_lookup_elem(&gen_zones, &ifindex);

	if (!bits)
		bits = bpf_map_lookup_elem(&gen_zones_far, &ifindex);
	return bits && *bits ? *bits : TEG_ZONE_NONE;
}

static __always_inline bool is_icmpv6(const struct pkt *p)
{
	return unlikely(p->proto == ICMPV6_PROTO) && p->family == TEG_IP6 && p->fragment != TEG_LATER;
}

/* RFC 2710 and 3810: what listeners and routers say of multicast comes from a link-local address with
 * hop limit 1; RFC 3590: a report also from ::, of a host that has no address yet. */
static __always_inline bool is_listener(const struct pkt *p, __u32 type)
{
	bool local = (p->src.hi & bpf_cpu_to_be64(0x3ffull << 54)) == bpf_cpu_to_be64(0xfe80ull << 48);
	bool none = !(p->src.hi | p->src.lo) && (type == 131 || type == 143);

	return ((type >= 130 && type <= 132) || type == 143) && p->hop_limit == 1 && (local || none);
}

/* RFC 4861: neighbour discovery, whose hop limit proves a sender on the link. */
static __always_inline bool is_neighbour(const struct pkt *p)
{
	__u32 type = p->icmp >> 8, code = p->icmp & 0xff;

	if (likely(!is_icmpv6(p)))
		return false;
	if (type >= 133 && type <= 136)
		return code == 0 && p->hop_limit == 255;
	return is_listener(p, type);
}

/* What a closed posture leaves to layer 4: errors of a lifeline's flows, and
 * parts that mean nothing before reassembly. */
static __always_inline bool is_left_open(const struct pkt *p)
{
	__u32 type = p->icmp >> 8;

	if (p->fragment == TEG_LATER)
		return true;
	if (is_icmpv6(p))
		return type >= 1 && type <= 4;
	return p->proto == IPPROTO_ICMP && p->family == TEG_IP4 && (type == 3 || type == 11 || type == 12);
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

/* What reflex_decides() says beside what a limit does: it is counted, told, and done. */
enum { REFLEX_ANSWERED = LIMIT_OVER_TOGETHER + 1, REFLEX_REFUSED };

/* The packet is over: on when the listener has room, else answered or not, counted and told before it is another. */
static __always_inline int reflex_answers(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active,
					  const struct teg_rule *rule)
{
	const bool tries = gen_config.host & TEG_HOST_GIVEN_CLOCK;

	if (!tries && !sets_is_self(&p->dst))
		return LIMIT_WITHIN; /* layer 4 answers for servers behind this host */
	const __u32 heads = tries ? 0 : cookie_heads(ctx);
	const __u64 made = tries ? COOKIE_NONE : cookie_make(ctx, p, heads);

	if (made == COOKIE_ROOM)
		return LIMIT_WITHIN;
	rule_acts(ctx, p, active, rule, made == COOKIE_NONE ? 0 : TEG_DOES_ANSWER);
	return made != COOKIE_NONE && cookie_answer(ctx, p, heads, made) ? REFLEX_ANSWERED : REFLEX_REFUSED;
}

/*
 * reflex_goes_on - LIMIT_WITHIN when the packet goes on though the rule's rate was exceeded, or it has none: to the rule that
 * only tells, which has done so, and to a listener that has room; else what to do. A function of its own, as limit_over() is.
 */
__noinline int reflex_goes_on(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active,
			      const struct teg_rule *rule, int over)
{
	if (!p || !active || !rule)
		return LIMIT_WITHIN;
	if (asks(TEG_ASKS_COOKIES) && rule->act == TEG_ACT_COOKIES)
		return reflex_answers(ctx, p, active, rule);
	if (!asks(TEG_ASKS_WATCHES) || rule->act != TEG_ACT_TELL)
		return over;
	rule_acts(ctx, p, active, rule, 0);
	return LIMIT_WITHIN;
}

/* Most packets are within their rate, and cost one call; or none, when it is asked `here`. */
static __always_inline int reflex_decides(const struct walk *w, const struct teg_rule *rule, const bool here)
{
	int over = LIMIT_OVER;

	if (asks(TEG_ASKS_CLOCK) && rule->cost_ns)
		over = here ? limit_over_here(w->p, rule, bucket_ns()) : limit_over(w->p, rule, bucket_ns());
	if (over && asks(TEG_ASKS_COOKIES | TEG_ASKS_WATCHES) && rule->act != TEG_ACT_DROP)
		over = reflex_goes_on(w->ctx, w->p, w->active, rule, over);
	return over;
}

/* The same number, of which the verifier then knows as little as of the other one. */
static __always_inline __u64 forget(__u64 x, __u64 other)
{
	asm volatile("%0 ^= %1" : "+r"(x) : "r"(other));
	asm volatile("%0 ^= %1" : "+r"(x) : "r"(other));
	return x;
}

/* The rule with this number, or NULL. */
static __always_inline const struct teg_rule *rule_at(__u64 at)
{
	const struct teg_rule *rules = ONE(gen_rules);

	WALK_ONE_REGISTER(at);
	if (at >= gen_config.rule_count)
		return NULL;
	WALK_ONE_REGISTER(at);
	return &rules[at];
}

/* What a list's cells may ask: constants, read once and not for each cell. Only reflexes have rates, or only tell. */
struct judging {
	bool opens;    /* which cells decide is open */
	bool payloads;
	bool later;    /* something else may decide before */
	__u32 other;   /* the rule that does, if no cell's stands before it */
};

static __always_inline struct judging judging(bool reflexes, __u32 other)
{
	const bool payloads = reflexes && asks(TEG_ASKS_PAYLOAD);

	return (struct judging){ reflexes && asks(TEG_ASKS_CLOCK | TEG_ASKS_WATCHES), payloads, gen_config.bulk.cells || payloads, other };
}

/* The rule of a cell in which the packet lies, unless it is not asked. */
static __always_inline const struct teg_rule *cell_rule(const struct walk *w, const struct teg_cell *c, const struct judging *by)
{
	const struct teg_rule *rule = rule_at(c->rule);

	if (!rule)
		return NULL;
	if (by->payloads && c->mark && !(w->marks >> ((c->mark - 1) & 63) & 1))
		return NULL;
	return rule->except >> w->posture & 1 ? NULL : rule;
}

/*
 * Does that rule decide? *done is one whose bucket has let this packet by, or that has told of it: its other cells do it no more.
 */
static __always_inline bool rule_decides(struct walk *w, const struct teg_rule *rule, __u32 at, const struct judging *by, __u32 *done,
					 const bool here)
{
	if (!by->opens || !(rule->cost_ns | (rule->act == TEG_ACT_TELL)))
		return true;
	const int over = at != *done ? reflex_decides(w, rule, here) : LIMIT_WITHIN;
	if (!over)
		*done = at;
	else
		w->over = over;
	return over;
}

static __always_inline const struct teg_rule *judge_cell(struct walk *w, const struct teg_cell *c, const struct judging *by, __u32 *done)
{
	const __u32 at = c->rule;
	const struct teg_rule *rule = cell_rule(w, c, by);

	return rule && rule_decides(w, rule, at, by, done, false) ? rule : NULL;
}

#define JUDGE_PARTS (TEG_BOXES_MAX / TEG_CELLS_A_PART + 1)
#define JUDGE_FEW 4u /* cells of a part, of which nearly none match: what those are asked more is walked for so many */
#define JUDGE_CALLS(cells) (((cells) / TEG_CELLS_A_PART + 1) * (TEG_CELLS_A_PART / JUDGE_FEW))
#define JUDGE_NONE ~0ull

/* What is known of the packet, for cells of a long list. A CPU's own: the stack has no room for it. */
struct judge {
	__u64 zones, src, dst, ports, marks;
	__u32 head, posture;
	__u32 other, done;
	__u32 part, to; /* the next cells that are to be looked at, and behind the last */
	__u32 seen, in; /* the last part that was, and in which of its cells the packet lies: those that are still to be judged */
	__u32 at;	/* the first that is judged next */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct judge);
} gen_judge SEC(".maps");

static __always_inline bool judges_by_parts(__u32 cells)
{
	return cells > (asks(TEG_ASKS_PAYLOAD) ? 0 : TEG_CELLS_SHORT);
}

/*
 * Goes past the next part: j->in says in which of its cells the packet lies, a bit each, and so is what is given back. A function of its own:
 * the verifier walks the cells of one part, not those of the longest list, and a call is little beside so many cells; none of them has a
 * branch, each of which it would walk both ways. The table has cells to spare, so that only a part's beginning is checked.
 */
__noinline __u32 judge_cells(struct judge *j)
{
	if (!judges_by_parts(gen_config.box_count) || !j)
		return 0;
	const struct walk w = { .head = j->head, .zones = j->zones, .src = j->src, .dst = j->dst, .ports = j->ports };
	const struct teg_cell *cells = ONE(gen_cells);
	__u64 first = j->part;
	__u32 in = 0;

	WALK_ONE_REGISTER(first);
	if (first >= gen_config.box_count)
		return 0;
	const struct teg_cell *c = &cells[first];
	for (__u32 i = 0; i < TEG_CELLS_A_PART; i++, c++)
		in |= walk_cell_in(c, &w) >> 63 << i;
	const __u32 left = j->to - (__u32)first;

	if (left < TEG_CELLS_A_PART)
		in &= (1u << left) - 1;
	j->seen = (__u32)first;
	j->part = (__u32)first + TEG_CELLS_A_PART;
	j->in = in;
	return in;
}

/* Goes on to the next cell in which the packet lies: j->at. So too for JUDGE_FEW - 1 behind it: a bit each; 0: there is none. */
__noinline __u32 judge_next(struct judge *j)
{
	if (!judges_by_parts(gen_config.box_count) || !j)
		return 0;
	__u32 in = j->in;

	for (__u32 i = 0; i < JUDGE_PARTS && !in && j->part < j->to; i++)
		in = judge_cells(j);
	const __u32 low = in ? vector_lowest(in) & 31 : 0, few = in >> low & ((1u << JUDGE_FEW) - 1);

	j->at = j->seen + low;
	j->in = in & ~(few << low);
	return few;
}

/*
 * Of so few cells, those in which the packet lies: the first whose rule decides, as the rule | how it is over its rate << 32, or
 * JUDGE_NONE. Lifelines have neither rates nor marks. What is asked of each cell is read for each: little is left of the stack for what
 * is called from here.
 */
__noinline __u64 judge_found(struct frame_ctx *ctx, const struct pkt *p, struct judge *j, __u32 in)
{
	const struct teg_cell *cells = ONE(gen_cells);

	if (!judges_by_parts(gen_config.box_count) || !p || !j)
		return JUDGE_NONE;
	__u64 first = j->at;

	WALK_ONE_REGISTER(first);
	if (first >= gen_config.box_count)
		return JUDGE_NONE;
	const struct teg_cell *c = &cells[first];
	for (__u32 i = 0; i < JUDGE_FEW && in; i++, c++, in >>= 1) {
		const struct judging by = judging(true, j->other);
		struct walk w = { .ctx = ctx, .active = ONE(teg_active), .p = p, .posture = j->posture, .marks = j->marks };

		if (!(in & 1))
			continue;
		if (by.later && c->rule > by.other)
			break;
		if (judge_cell(&w, c, &by, &j->done))
			return (__u64)w.over << 32 | c->rule;
	}
	return JUDGE_NONE;
}

static __always_inline const struct teg_rule *judge_long(struct walk *w, __u32 from, __u32 to, __u32 other)
{
	struct judge *j = bpf_map_lookup_elem(&gen_judge, &zero);

	if (!j)
		return rule_at(other);
	*j = (struct judge){ .zones = w->zones, .src = w->src, .dst = w->dst, .ports = w->ports, .marks = w->marks, .head = w->head,
			     .posture = w->posture, .other = other, .done = ~0u, .part = from, .to = to };
	__u64 found = JUDGE_NONE;

	for (__u32 i = 0; i < JUDGE_CALLS(to - from) && found == JUDGE_NONE; i++) {
		const __u32 few = judge_next(j);

		if (!few)
			break;
		found = judge_found(w->ctx, w->p, j, few);
	}
	if (found == JUDGE_NONE)
		return rule_at(other);
	w->over = found >> 32;
	return rule_at((__u32)found);
}

/* The first of a few cells in which the packet lies and whose rule is asked; `to`: none. */
static __always_inline __u64 judge_meets(const struct walk *w, __u64 from, __u64 to, const struct judging *by)
{
	const struct teg_cell *cells = ONE(gen_cells);

	for (__u64 i = from; i < to && i < from + TEG_CELLS_SHORT; i++) {
		const struct teg_cell *c = &cells[i];

		if (by->later && c->rule > by->other)
			break;
		if (walk_cell_has(c, w) && cell_rule(w, c, by))
			return i;
	}
	return to;
}

/* Those from `at` on, which the verifier does not know. */
static __always_inline const struct teg_rule *judge_rest(struct walk *w, __u64 at, __u64 to, const struct judging *by, __u32 done)
{
	const struct teg_cell *cells = ONE(gen_cells);

	for (__u32 i = 1; i < TEG_CELLS_SHORT; i++, at++) {
		const struct teg_rule *rule;

		WALK_ONE_REGISTER(at);
		if (at >= to)
			break;
		WALK_ONE_REGISTER(at);
		const struct teg_cell *c = &cells[at];
		if (by->later && c->rule > by->other)
			break;
		if (walk_cell_has(c, w) && (rule = judge_cell(w, c, by, &done)))
			return rule;
	}
	return rule_at(by->other);
}

/*
 * The first rate that a packet meets is asked where the program stands, and what it meets behind it by calls: else the verifier would walk
 * buckets for each cell. It forgets which cell the first was, and walks once what follows.
 */
static __always_inline const struct teg_rule *judge_rates(struct walk *w, __u64 from, __u64 to, __u32 other)
{
	const struct judging by = judging(true, other);
	const struct teg_cell *cells = ONE(gen_cells);
	__u64 met = judge_meets(w, from, to, &by);
	__u32 done = ~0u;

	met = forget(met, w->p->len);
	if (met >= to)
		return rule_at(other);
	WALK_ONE_REGISTER(met);
	const __u32 at = cells[met].rule;
	const struct teg_rule *rule = rule_at(at);
	if (!rule || rule_decides(w, rule, at, &by, &done, true))
		return rule;
	return to - from > 1 ? judge_rest(w, met + 1, to, &by, done) : rule_at(other);
}

static __always_inline const struct teg_rule *judge_short(struct walk *w, __u32 from, __u32 to, bool reflexes, __u32 other)
{
	const struct teg_cell *cells = ONE(gen_cells);
	const struct judging by = judging(reflexes, other);
	__u32 done = ~0u;

	for (__u32 i = from; i < to && i < from + TEG_CELLS_SHORT; i++) {
		const struct teg_cell *c = &cells[i];
		const struct teg_rule *rule;

		if (by.later && c->rule > other)
			break;
		if (walk_cell_has(c, w) && (rule = judge_cell(w, c, &by, &done)))
			return rule;
	}
	return rule_at(other);
}

/* Which of the object's this is (enforcer/hook/tables/tables.c chooses). */
enum program {
	PROGRAM_USUAL,
	PROGRAM_PAYLOADS,
	PROGRAM_RATES,
};

/*
 * judge - the rule of the first cell in [from, to) that decides; `other` when that
 * one stands before it; NULL when none does.
 * Without cells nothing is done for them: `from` and `to` are constant to the verifier.
 */
static __always_inline const struct teg_rule *judge(struct walk *w, __u32 from, __u32 to, bool reflexes, __u32 other, const enum program is)
{
	if (from >= to)
		return reflexes && other != NO_RULE ? rule_at(other) : NULL;
	if (is == PROGRAM_RATES)
		return reflexes ? judge_rates(w, from, to, other) : judge_short(w, from, to, reflexes, other);
	if (is == PROGRAM_PAYLOADS || judges_by_parts(to - from))
		return judge_long(w, from, to, other);
	return judge_short(w, from, to, reflexes, other);
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
