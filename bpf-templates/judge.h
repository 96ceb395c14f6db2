/*
 * judge - the first of a list's cells in which the packet lies, and whose rule decides. Three ways to walk them, of one meaning: a short
 * list where the program stands, a short one of which the first rate is asked without a call, and a long one, a part a call.
 */
#ifndef TEG_JUDGE_H
#define TEG_JUDGE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/config.h"
#include "bpf-templates/one.h"
#include "bpf-templates/reflex.h"
#include "bpf-templates/vectors.h"
#include "bpf-templates/walk.h"

static const __u32 zero; /* the key of a CPU's own table of one value */

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
 * the verifier walks the cells of one part, or of a list that is shorter, not those of the longest, and a call is little beside so many cells; none of them has a
 * branch, each of which it would walk both ways. The table has cells to spare, so that only a part's beginning is checked.
 */
__noinline __u32 judge_cells(struct judge *j)
{
	if (!judges_by_parts(gen_config.box_count) || !j)
		return 0;
	const struct walk w = { .head = j->head, .zones = j->zones, .src = j->src, .dst = j->dst, .ports = j->ports };
	const struct teg_cell *cells = ONE(gen_cells);
	const __u32 most = gen_config.box_count < TEG_CELLS_A_PART ? gen_config.box_count : TEG_CELLS_A_PART;
	__u64 first = j->part;
	__u32 in = 0;

	WALK_ONE_REGISTER(first);
	if (first >= gen_config.box_count)
		return 0;
	const struct teg_cell *c = &cells[first];
	for (__u32 i = 0; i < most; i++, c++)
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

#endif /* TEG_JUDGE_H */
