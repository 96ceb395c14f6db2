#include "enforcer/hook/fold/own.h"

#include <errno.h>
#include <string.h>

#include "lang/base/own.h"

/* What is read later before it is written: registers, and places of the stack that are looked into. */
struct life {
	uint64_t slots;
	uint16_t registers;
};

struct effect {
	struct life reads, writes;
	bool needed; /* does more than write a register, or a place of the stack that is looked into */
};

#define REG(r) ((uint16_t)(1u << (r)))
#define CALL_WRITES 0x3fu /* r0 to r5 */

unsigned fold_call_reads(const struct bpf_insn *in)
{
	if (in->src_reg)
		return 5;
	switch (in->imm) {
	case BPF_FUNC_get_smp_processor_id:
	case BPF_FUNC_get_prandom_u32:
	case BPF_FUNC_ktime_get_ns:
	case BPF_FUNC_ktime_get_coarse_ns:
	case BPF_FUNC_jiffies64:
		return 0;
	case BPF_FUNC_map_lookup_elem:
		return 2;
	case BPF_FUNC_tail_call:
		return 3;
	}
	return 5;
}

static void touch_stack(struct effect *e, const struct fold_function *in, const struct fold_item *item, bool writes)
{
	const unsigned slot = fold_slot(in, item->stack_at), bytes = fold_bytes(&item->in);

	if (slot == FOLD_SLOTS) {
		e->needed |= writes;
		return;
	}
	if (!writes)
		e->reads.slots |= UINT64_C(1) << slot;
	else if (bytes == 8)
		e->writes.slots |= UINT64_C(1) << slot;
}

static struct effect effect_of(const struct fold_function *in, const struct fold_item *item)
{
	const struct bpf_insn *i = &item->in;
	const uint8_t op = BPF_OP(i->code);
	const bool from = BPF_SRC(i->code) == BPF_X;
	struct effect e = { 0 };

	switch (BPF_CLASS(i->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		e.writes.registers = REG(i->dst_reg);
		e.reads.registers = (uint16_t)((op == BPF_MOV ? 0 : REG(i->dst_reg)) | (from && op != BPF_END && op != BPF_NEG ? REG(i->src_reg) : 0));
		return e;
	case BPF_LD:
		e.writes.registers = REG(i->dst_reg);
		return e;
	case BPF_LDX:
		e.writes.registers = REG(i->dst_reg);
		e.reads.registers = REG(i->src_reg);
		touch_stack(&e, in, item, false);
		return e;
	case BPF_ST:
		e.reads.registers = REG(i->dst_reg);
		touch_stack(&e, in, item, true);
		return e;
	case BPF_STX:
		e.reads.registers = REG(i->dst_reg) | REG(i->src_reg);
		if (BPF_MODE(i->code) == BPF_MEM) {
			touch_stack(&e, in, item, true);
			return e;
		}
		e.reads.registers |= i->imm == BPF_CMPXCHG ? REG(0) : 0;
		e.writes.registers = i->imm == BPF_CMPXCHG ? REG(0) : i->imm & BPF_FETCH ? REG(i->src_reg) : 0;
		e.needed = true;
		return e;
	}
	e.needed = true;
	if (fold_is_exit(i)) {
		e.reads.registers = REG(0);
	} else if (fold_is_call(i)) {
		e.reads.registers = (uint16_t)(((1u << fold_call_reads(i)) - 1) << 1);
		e.writes.registers = CALL_WRITES;
	} else {
		e.reads.registers = REG(i->dst_reg) | (from ? REG(i->src_reg) : 0);
	}
	return e;
}

static bool is_idle(const struct effect *e, const struct life *after)
{
	/* A write of a part of a place is idle where nothing of it is read. */
	return !e->needed && !(e->writes.registers & after->registers) && !(e->writes.slots & after->slots);
}

/* What a part of a place is written to, is no write of the place; but it must be read for that. */
static bool is_idle_part(const struct fold_function *in, const struct fold_item *item, const struct life *after)
{
	const uint8_t class = BPF_CLASS(item->in.code);
	const unsigned slot = class == BPF_ST || class == BPF_STX ? fold_slot(in, item->stack_at) : FOLD_SLOTS;

	return slot == FOLD_SLOTS || !(after->slots >> slot & 1);
}

/* What is alive before the block, given what is behind it. With `takes`, what is idle goes. */
static struct life before(struct fold *f, const struct fold_block *b, struct life alive, bool *takes)
{
	const struct fold_function *in = &f->functions[b->function];

	for (uint32_t i = b->to; i-- > b->from;) {
		struct fold_item *item = &f->items[i];

		if (item->gone)
			continue;
		const struct effect e = effect_of(in, item);
		if (is_idle(&e, &alive) && is_idle_part(in, item, &alive)) {
			if (takes)
				item->gone = *takes = true;
			continue;
		}
		alive.registers = (uint16_t)((alive.registers & ~e.writes.registers) | e.reads.registers);
		alive.slots = (alive.slots & ~e.writes.slots) | e.reads.slots;
	}
	return alive;
}

static struct life behind(const struct fold_block *b, const struct life *at)
{
	struct life alive = { 0 };
	const uint32_t to[] = { b->next, b->other };

	for (size_t i = 0; i < 2; i++) {
		if (to[i] == FOLD_NONE)
			continue;
		alive.registers |= at[to[i]].registers;
		alive.slots |= at[to[i]].slots;
	}
	return alive;
}

/* When the block was gone through last, and when what is alive before it was another last. */
struct turn {
	uint32_t seen, changed;
};

static bool is_settled(const struct fold_block *b, const struct turn *turns, uint32_t seen)
{
	return seen && (b->next == FOLD_NONE || turns[b->next].changed <= seen) && (b->other == FOLD_NONE || turns[b->other].changed <= seen);
}

/* Until nothing comes alive any more; loops need some turns. */
static int settle(struct fold *f, struct life *at)
{
	own(mem) struct turn *turns = calloc(f->block_count, sizeof *turns);
	uint32_t now = 0;

	if (!turns)
		return -ENOMEM;
	for (bool more = true; more;) {
		more = false;
		for (uint32_t b = f->block_count; b-- > 0;) {
			if (!f->blocks[b].reached || is_settled(&f->blocks[b], turns, turns[b].seen))
				continue;
			const struct life is = before(f, &f->blocks[b], behind(&f->blocks[b], at), NULL);

			turns[b].seen = ++now;
			if (is.registers == at[b].registers && is.slots == at[b].slots)
				continue;
			at[b] = is;
			turns[b].changed = ++now; /* later than it was seen: a block may follow itself */
			more = true;
		}
	}
	return 0;
}

/* Would the function's stack be given away again? Not by an instruction that is gone, nor by a register that nobody reads there. */
static bool is_given_still(const struct fold *f, const struct fold_function *in, const struct life *at)
{
	if (in->given_meeting == FOLD_NOT_MEETING)
		return !f->items[in->given_where].gone;
	return at[in->given_where].registers >> in->given_meeting & 1;
}

int fold_life(struct fold *f, bool *less, bool *more)
{
	own(mem) struct life *at = calloc(f->block_count, sizeof *at);

	if (!at || settle(f, at))
		return -ENOMEM;
	*more = false;
	for (uint32_t i = 0; i < f->function_count; i++)
		*more |= f->functions[i].called && f->functions[i].stack_own < 0 && !is_given_still(f, &f->functions[i], at);
	for (uint32_t b = 0; b < f->block_count; b++)
		if (f->blocks[b].reached)
			before(f, &f->blocks[b], behind(&f->blocks[b], at), less);
	return 0;
}

int fold_live_registers(struct fold *f, uint16_t *live)
{
	own(mem) struct life *at = calloc(f->block_count, sizeof *at);

	if (!at || settle(f, at))
		return -ENOMEM;
	for (uint32_t b = 0; b < f->block_count; b++)
		live[b] = at[b].registers;
	return 0;
}
