/*
 * own - what the parts of fold share: the program cut into blocks, of which each is entered at its beginning
 * and left at its end.
 *
 * An address on the stack that is given to a helper, or to a function of the program, gives away what lies there and above. A
 * helper reaches what it is given from its beginning on. A function that is seen to reach below, by a number that is
 * known, is given the whole stack of those who call it. It may add what is not known to such an address, or keep the address and read it
 * back: that this stays within the object that begins there is assumed, as C says of pointers (C17, 6.5.6), and our programs are
 * C. No function of theirs is given the inside of an object to find its beginning.
 */
#ifndef TEG_HOOK_FOLD_OWN_H
#define TEG_HOOK_FOLD_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "enforcer/hook/fold/fold.h"

#define FOLD_NONE UINT32_MAX
#define FOLD_REGS 11
#define FOLD_SLOTS 64 /* of eight bytes, in a function's stack */
#define FOLD_FRAME 512
#define FOLD_NOT_MEETING (-1)

/* An instruction. What it was is kept where it stood. */
struct fold_item {
	struct bpf_insn in;
	uint64_t wide;	  /* with is_wide: `in` loads this number, which takes two places */
	int16_t stack_at; /* it reads or writes this place of the function's stack; 0: another, or none that is known */
	bool is_wide, gone;
};

struct fold_block {
	uint32_t from, to;    /* places */
	uint32_t next, other; /* blocks: what follows, and where its jump leads; or FOLD_NONE */
	uint32_t function;
	bool reached; /* as far as is known; at first, all are */
	bool mark;    /* most packets come here (TEG_MARK) */
};

struct fold_function {
	uint32_t block; /* where it is entered */
	int stack_own;	/* what lies below is reached by known places only; above, addresses have been given away */
	uint32_t given_where; /* by this instruction; or, where ways meet at this block, */
	int given_meeting;    /* by this register, which holds an address on one of them */
	uint8_t given;	/* bits of r1 to r5: some caller gives an address of its stack there */
	bool below;	/* is seen to reach what lies below such an address */
	bool called;
};

struct fold {
	const struct fold_table *tables;
	size_t table_count;
	struct fold_item *items;
	uint32_t *block_at; /* by place: the block that begins there, or FOLD_NONE */
	struct fold_block *blocks;
	struct fold_function *functions;
	uint32_t len, block_count, function_count;
};

static inline bool fold_is_jump(const struct bpf_insn *in)
{
	const uint8_t class = BPF_CLASS(in->code), op = BPF_OP(in->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

static inline bool fold_is_always(const struct bpf_insn *in)
{
	return in->code == (BPF_JMP | BPF_JA);
}

static inline bool fold_is_address(const struct bpf_insn *in)
{
	return in->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static inline bool fold_is_call(const struct bpf_insn *in)
{
	return in->code == (BPF_JMP | BPF_CALL);
}

static inline bool fold_is_exit(const struct bpf_insn *in)
{
	return in->code == (BPF_JMP | BPF_EXIT);
}

static inline unsigned fold_bytes(const struct bpf_insn *in)
{
	switch (BPF_SIZE(in->code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 8;
}

/* The place of the stack that is looked into as one: whole, and not given away. FOLD_SLOTS: none. */
static inline unsigned fold_slot(const struct fold_function *f, int at)
{
	if (at < -FOLD_FRAME || at >= 0)
		return FOLD_SLOTS;
	const unsigned slot = (unsigned)(at + FOLD_FRAME) / 8;

	return (int)slot * 8 + 8 - FOLD_FRAME <= f->stack_own ? slot : FOLD_SLOTS;
}

/* How many of r1 to r5 a call reads: of what is not called often, all. */
unsigned fold_call_reads(const struct bpf_insn *in);

/* What has one value becomes that number, and which blocks are reached. */
int fold_values(struct fold *f);

/* What nobody reads goes: *less when something did. *more: what gave a stack away is not there any more, and more of it may be known now. */
int fold_life(struct fold *f, bool *less, bool *more);

/* Which registers are read before they are written, at each block's beginning. */
int fold_live_registers(struct fold *f, uint16_t *live);

#endif
