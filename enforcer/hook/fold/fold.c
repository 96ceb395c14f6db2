#include "enforcer/hook/fold/own.h"

#include <errno.h>
#include <string.h>

#include "lang/base/own.h"

#define TURNS 3 /* what is left is folded anew where less of a stack is given away, and so more is known of it */

/* ---- cut into blocks ------------------------------------------------------------------------ */

/* What reads its place, and acquires or releases (6.15), has another order of registers. */
static bool is_known_atomic(const struct bpf_insn *in)
{
	switch (in->imm & ~BPF_FETCH) {
	case BPF_ADD:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		return true;
	}
	return in->imm == BPF_XCHG || in->imm == BPF_CMPXCHG;
}

static bool is_known(const struct bpf_insn *in)
{
	const uint8_t class = BPF_CLASS(in->code), op = BPF_OP(in->code), mode = BPF_MODE(in->code);

	switch (class) {
	case BPF_ALU:
	case BPF_ALU64:
		return op <= BPF_END && !in->off && !(class == BPF_ALU64 && op == BPF_END);
	case BPF_LD:
		return fold_is_address(in) && in->src_reg != BPF_PSEUDO_FUNC;
	case BPF_LDX:
	case BPF_ST:
		return mode == BPF_MEM;
	case BPF_STX:
		return mode == BPF_MEM || (mode == BPF_ATOMIC && is_known_atomic(in));
	case BPF_JMP:
		return op <= BPF_JSLE;
	}
	return op != BPF_JA && op != BPF_CALL && op != BPF_EXIT && op <= BPF_JSLE;
}

static bool is_call_of_ours(const struct bpf_insn *in)
{
	return fold_is_call(in) && in->src_reg == BPF_PSEUDO_CALL;
}

/* Where blocks and functions begin: 1 and 2 in `begins`, which has a place more than the program. */
static int find_begins(uint8_t *begins, const struct fold_code *c)
{
	begins[0] = 2;
	for (uint32_t i = 0; i < c->len; i++) {
		const struct bpf_insn *in = &c->code[i];

		if (!is_known(in) || in->dst_reg >= FOLD_REGS || in->src_reg >= FOLD_REGS)
			return -EOPNOTSUPP;
		const int64_t to = (int64_t)i + 1 + (is_call_of_ours(in) ? in->imm : in->off);
		if ((fold_is_jump(in) || is_call_of_ours(in)) && (to < 0 || to >= (int64_t)c->len))
			return -EOPNOTSUPP;
		if (is_call_of_ours(in)) {
			begins[to] = 2;
		} else if (fold_is_jump(in) || fold_is_exit(in)) {
			begins[i + 1] |= 1;
			if (fold_is_jump(in))
				begins[to] |= 1;
		}
		i += fold_is_address(in);
		if (i == c->len)
			return -EOPNOTSUPP;
	}
	return 0;
}

static void take_items(struct fold *f, const struct fold_code *c)
{
	for (uint32_t i = 0; i < c->len; i++) {
		struct fold_item *item = &f->items[i];

		item->in = c->code[i];
		if (!fold_is_address(&item->in))
			continue;
		item->is_wide = true;
		item->wide = (uint32_t)c->code[i].imm | (uint64_t)(uint32_t)c->code[i + 1].imm << 32;
		f->items[++i].gone = true;
	}
}

/* What leaves the block: its last instruction. A jump that is always taken is no instruction here. */
static int tie(struct fold *f, struct fold_block *b)
{
	struct fold_item *last = &f->items[b->to - 1];
	const uint32_t behind = b->to < f->len ? f->block_at[b->to] : FOLD_NONE;

	b->next = behind, b->other = FOLD_NONE;
	if (!last->gone && fold_is_exit(&last->in)) {
		b->next = FOLD_NONE;
	} else if (!last->gone && fold_is_always(&last->in)) {
		b->next = f->block_at[b->to + (uint32_t)last->in.off];
		b->mark = !last->in.off;
		last->gone = true;
	} else if (!last->gone && fold_is_jump(&last->in)) {
		b->other = f->block_at[b->to + (uint32_t)last->in.off];
	}
	const bool ends = !last->gone && fold_is_exit(&last->in);
	const bool inside = (b->next == FOLD_NONE ? ends : f->blocks[b->next].function == b->function) &&
			    (b->other == FOLD_NONE || f->blocks[b->other].function == b->function);
	return inside ? 0 : -EOPNOTSUPP;
}

static int cut(struct fold *f, const struct fold_code *c)
{
	own(mem) uint8_t *begins = calloc(c->len + 1, 1);

	f->items = calloc(c->len + 1, sizeof *f->items);
	f->block_at = calloc(c->len + 1, sizeof *f->block_at);
	if (!begins || !f->items || !f->block_at)
		return -ENOMEM;
	int rc = c->len ? find_begins(begins, c) : -EOPNOTSUPP;
	if (rc)
		return rc;
	f->len = (uint32_t)c->len;
	for (uint32_t i = 0; i < f->len; i++)
		f->block_count += begins[i] != 0, f->function_count += begins[i] == 2 || begins[i] == 3;
	f->blocks = calloc(f->block_count + 1, sizeof *f->blocks);
	f->functions = calloc(f->function_count + 1, sizeof *f->functions);
	if (!f->blocks || !f->functions)
		return -ENOMEM;
	take_items(f, c);
	for (uint32_t i = 0, block = FOLD_NONE, function = FOLD_NONE; i < f->len; i++) {
		f->block_at[i] = begins[i] ? ++block : FOLD_NONE;
		if (begins[i] & 2)
			f->functions[++function].block = block;
		if (begins[i])
			f->blocks[block] = (struct fold_block){ .from = i, .function = function, .reached = true };
		f->blocks[block].to = i + 1;
	}
	for (uint32_t i = 0; i < f->block_count; i++) {
		rc = tie(f, &f->blocks[i]);
		if (rc)
			return rc;
	}
	return 0;
}

static void fold_own_(struct fold *f)
{
	free(f->items);
	free(f->block_at);
	free(f->blocks);
	free(f->functions);
}

/* ---- jumps ---------------------------------------------------------------------------------- */

static bool is_empty(const struct fold *f, const struct fold_block *b)
{
	for (uint32_t i = b->from; i < b->to; i++)
		if (!f->items[i].gone)
			return false;
	return b->next != FOLD_NONE && b->other == FOLD_NONE && !b->mark;
}

/* Past blocks in which nothing is left. */
static uint32_t past_empty(const struct fold *f, uint32_t block)
{
	for (uint32_t i = 0; block != FOLD_NONE && i < f->block_count && is_empty(f, &f->blocks[block]); i++)
		block = f->blocks[block].next;
	return block;
}

/* A jump that leads where the program goes anyway asks nothing. */
static bool shorten(struct fold *f)
{
	bool less = false;

	for (uint32_t i = 0; i < f->block_count; i++) {
		struct fold_block *b = &f->blocks[i];

		if (!b->reached)
			continue;
		b->next = past_empty(f, b->next);
		b->other = past_empty(f, b->other);
		if (b->other == FOLD_NONE || b->other != b->next)
			continue;
		f->items[b->to - 1].gone = true;
		b->other = FOLD_NONE;
		less = true;
	}
	return less;
}

/* ---- order ---------------------------------------------------------------------------------- */

struct order {
	struct fold_code out;
	uint32_t *place;      /* by block: where it begins now, or FOLD_NONE */
	uint32_t *far;	      /* by block: how many instructions it is from its beginning to the next mark, or FOLD_NONE */
	uint32_t *jump, *to;  /* jumps: their places, and blocks */
	uint32_t jumps;
};

static uint32_t nearer(const struct order *o, uint32_t a, uint32_t b)
{
	const uint32_t a_far = a == FOLD_NONE ? FOLD_NONE : o->far[a], b_far = b == FOLD_NONE ? FOLD_NONE : o->far[b];

	return a_far < b_far ? a_far : b_far;
}

static void find_ways(const struct fold *f, struct order *o)
{
	for (uint32_t i = 0; i < f->block_count; i++)
		o->far[i] = FOLD_NONE;
	for (bool more = true; more;) {
		more = false;
		for (uint32_t i = f->block_count; i-- > 0;) {
			const struct fold_block *b = &f->blocks[i];
			const uint32_t behind = b->mark ? 0 : nearer(o, b->next, b->other);
			const uint32_t far = behind == FOLD_NONE ? FOLD_NONE : behind + b->to - b->from;

			if (!b->reached || far >= o->far[i])
				continue;
			o->far[i] = far;
			more = true;
		}
	}
}

static uint8_t opposite(uint8_t op)
{
	switch (op) {
	case BPF_JEQ: return BPF_JNE;
	case BPF_JNE: return BPF_JEQ;
	case BPF_JGT: return BPF_JLE;
	case BPF_JLE: return BPF_JGT;
	case BPF_JGE: return BPF_JLT;
	case BPF_JLT: return BPF_JGE;
	case BPF_JSGT: return BPF_JSLE;
	case BPF_JSLE: return BPF_JSGT;
	case BPF_JSGE: return BPF_JSLT;
	case BPF_JSLT: return BPF_JSGE;
	}
	return 0;
}

/* From mark to mark, the shortest way stands in one line: what jumps to it asks the opposite. */
static void turn_jump(const struct fold *f, const struct order *o, struct fold_block *b)
{
	struct bpf_insn *jump = &f->items[b->to - 1].in;
	const uint32_t next = b->next;

	if (b->other == FOLD_NONE || o->far[b->other] >= o->far[next] || !opposite(BPF_OP(jump->code)))
		return;
	jump->code = (uint8_t)((jump->code & ~0xf0) | opposite(BPF_OP(jump->code)));
	b->next = b->other;
	b->other = next;
}

static void put(struct order *o, struct bpf_insn in, uint32_t was)
{
	o->out.code[o->out.len] = in;
	o->out.was[o->out.len++] = was;
}

static void put_jump(struct order *o, struct bpf_insn in, uint32_t was, uint32_t block)
{
	o->jump[o->jumps] = (uint32_t)o->out.len;
	o->to[o->jumps++] = block;
	put(o, in, was);
}

static void put_block(struct fold *f, struct order *o, uint32_t block, const uint32_t *was)
{
	const struct fold_block *b = &f->blocks[block];

	o->place[block] = (uint32_t)o->out.len;
	for (uint32_t i = b->from; i < b->to; i++) {
		const struct fold_item *item = &f->items[i];
		const uint32_t at = was ? was[i] : i;

		if (item->gone)
			continue;
		if (i == b->to - 1 && b->other != FOLD_NONE) {
			put_jump(o, item->in, at, b->other);
		} else if (is_call_of_ours(&item->in)) {
			put_jump(o, item->in, at, f->block_at[i + 1 + (uint32_t)item->in.imm]);
		} else if (item->is_wide) {
			struct bpf_insn in = item->in;

			in.imm = (int32_t)(uint32_t)item->wide;
			put(o, in, at);
			put(o, (struct bpf_insn){ .imm = (int32_t)(item->wide >> 32) }, at);
		} else {
			put(o, item->in, at);
		}
	}
}

/* One block after the other, as the program goes on when no jump is taken. */
static void put_way(struct fold *f, struct order *o, uint32_t block, const uint32_t *was)
{
	for (;;) {
		const uint32_t next = f->blocks[block].next, last = f->blocks[block].to - 1;

		put_block(f, o, block, was);
		if (f->blocks[block].mark)
			put(o, (struct bpf_insn){ .code = BPF_JMP | BPF_JA }, was ? was[last] : last);
		if (next == FOLD_NONE)
			return;
		if (o->place[next] != FOLD_NONE) {
			put_jump(o, (struct bpf_insn){ .code = BPF_JMP | BPF_JA }, was ? was[last] : last, next);
			return;
		}
		block = next;
	}
}

static int mend_jumps(struct order *o)
{
	for (uint32_t i = 0; i < o->jumps; i++) {
		struct bpf_insn *in = &o->out.code[o->jump[i]];
		const int64_t by = (int64_t)o->place[o->to[i]] - o->jump[i] - 1;

		if (is_call_of_ours(in))
			in->imm = (int32_t)by;
		else if (by < INT16_MIN || by > INT16_MAX)
			return -EOPNOTSUPP;
		else
			in->off = (int16_t)by;
	}
	return 0;
}

/* Functions stay apart, and each begins with its own beginning. */
static int put_all(struct fold *f, struct order *o, const uint32_t *was)
{
	find_ways(f, o);
	for (uint32_t i = 0; i < f->block_count; i++) {
		o->place[i] = FOLD_NONE;
		if (f->blocks[i].reached)
			turn_jump(f, o, &f->blocks[i]);
	}
	for (uint32_t fn = 0; fn < f->function_count; fn++) {
		const uint32_t end = fn + 1 < f->function_count ? f->functions[fn + 1].block : f->block_count;

		for (uint32_t i = f->functions[fn].block; f->functions[fn].called && i < end; i++) {
			const bool needed = f->blocks[i].reached && (i == f->functions[fn].block || !is_empty(f, &f->blocks[i]));

			if (needed && o->place[i] == FOLD_NONE)
				put_way(f, o, i, was);
		}
	}
	return mend_jumps(o);
}

static int order(struct fold *f, struct fold_code *c)
{
	/* An instruction that becomes a long number takes a place more, and so do each block's jump and its mark. */
	const size_t most = 2 * c->len + 2 * f->block_count;
	own(mem) uint32_t *place = calloc(f->block_count, sizeof *place), *far = calloc(f->block_count, sizeof *far);
	own(mem) uint32_t *jump = calloc(most, sizeof *jump), *to = calloc(most, sizeof *to);
	own(fold_code) struct fold_code out = { calloc(most, sizeof *out.code), calloc(most, sizeof *out.was), 0 };
	struct order o = { .out = out, .place = place, .far = far, .jump = jump, .to = to };

	if (!place || !far || !jump || !to || !out.code || !out.was)
		return -ENOMEM;
	int rc = put_all(f, &o, c->was);
	if (rc)
		return rc;
	out = *c;
	*c = o.out;
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Another turn may find *more. */
static int turn(struct fold_code *c, const struct fold_table *tables, size_t count, bool *more)
{
	own(fold) struct fold f = { .tables = tables, .table_count = count };
	bool less = true;
	int rc = cut(&f, c);

	if (!rc)
		rc = fold_values(&f);
	while (!rc && less) {
		less = false;
		rc = fold_life(&f, &less, more);
		less |= shorten(&f);
	}
	return rc ? rc : order(&f, c);
}

int fold(struct fold_code *c, const struct fold_table *tables, size_t count)
{
	bool more = true;

	for (int i = 0; i < TURNS && more; i++) {
		int rc = turn(c, tables, count, &more);

		if (rc)
			return i ? 0 : rc;
	}
	return 0;
}
