#include "enforcer/hook/fold/own.h"

#include <errno.h>
#include <string.h>

#include "lang/base/own.h"

/* What is known of a register, or of a place of the stack. */
enum { ANYTHING, NUMBER, STACK, GIVEN /* an address of a caller's stack */, TABLE /* and behind it, one for each */ };

struct value {
	uint8_t kind;
	uint64_t v; /* the number; or where in the stack or the table, or how far from the address that was given */
};

/* Of most places nothing is known: `held` says of which there is something, a bit each, and only those are read or copied. */
struct known {
	struct value reg[FOLD_REGS];
	uint64_t held;
	struct value slot[FOLD_SLOTS];
};

struct reckoning {
	struct fold *f;
	struct known *at;  /* by block, where it begins */
	uint16_t *live;	   /* the same */
	bool *changed;	   /* the same: is to be gone through */
	bool again;	   /* a function's stack is less its own than was thought */
	uint32_t where;	   /* what is looked at: an instruction, or, where ways meet, */
	int meeting;	   /* a block's register; or FOLD_NOT_MEETING */
};

static const struct value anything = { ANYTHING, 0 };

static bool alike(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->v == b->v;
}

static struct value number(uint64_t v)
{
	return (struct value){ NUMBER, v };
}

/* The lowest place of those, which it is taken from. */
static unsigned next_place(uint64_t *places)
{
	const unsigned slot = (unsigned)__builtin_ctzll(*places);

	*places &= *places - 1;
	return slot;
}

static void copy_known(struct known *to, const struct known *from)
{
	memcpy(to->reg, from->reg, sizeof to->reg);
	to->held = from->held;
	for (uint64_t rest = from->held; rest;) {
		const unsigned slot = next_place(&rest);

		to->slot[slot] = from->slot[slot];
	}
}

/* From this place on, others may read and write the function's stack. */
static void give_away(struct reckoning *r, uint32_t function, int64_t from)
{
	struct fold_function *in = &r->f->functions[function];
	const int at = from < -FOLD_FRAME || from > 0 ? -FOLD_FRAME : (int)from;

	if (at >= in->stack_own)
		return;
	in->stack_own = at;
	in->given_where = r->where;
	in->given_meeting = r->meeting;
	r->again = true;
}

/* What becomes of an address is not known from here on. */
static void lose(struct reckoning *r, uint32_t function, const struct value *v)
{
	if (v->kind == STACK)
		give_away(r, function, -FOLD_FRAME);
}

/* What lies below an address that the function is given is its callers' too, and none of theirs alone any more. */
static void reach_below(struct reckoning *r, uint32_t function)
{
	struct fold_function *in = &r->f->functions[function];

	r->again |= !in->below;
	in->below = true;
}

/* ---- one instruction ------------------------------------------------------------------------ */

static bool reckon(uint8_t op, bool wide, uint64_t a, uint64_t b, uint64_t *out)
{
	const unsigned most = wide ? 63 : 31;

	if (!wide)
		a = (uint32_t)a, b = (uint32_t)b;
	switch (op) {
	case BPF_ADD: a += b; break;
	case BPF_SUB: a -= b; break;
	case BPF_MUL: a *= b; break;
	case BPF_OR: a |= b; break;
	case BPF_AND: a &= b; break;
	case BPF_XOR: a ^= b; break;
	case BPF_LSH: a <<= b & most; break;
	case BPF_RSH: a >>= b & most; break;
	case BPF_ARSH: a = wide ? (uint64_t)((int64_t)a >> (b & most)) : (uint32_t)((int32_t)a >> (b & most)); break;
	case BPF_NEG: a = -a; break;
	case BPF_MOV: a = b; break;
	default: return false; /* quotients, and bytes turned round */
	}
	*out = wide ? a : (uint32_t)a;
	return true;
}

static struct value of_source(const struct known *k, const struct bpf_insn *in)
{
	return BPF_SRC(in->code) == BPF_X ? k->reg[in->src_reg] : number((uint64_t)(int64_t)in->imm);
}

static struct value of_arithmetic(struct reckoning *r, const struct known *k, const struct bpf_insn *in, uint32_t function)
{
	const uint8_t op = BPF_OP(in->code);
	const bool wide = BPF_CLASS(in->code) == BPF_ALU64;
	const struct value a = op == BPF_MOV ? number(0) : k->reg[in->dst_reg];
	const struct value b = op == BPF_END || op == BPF_NEG ? number(0) : of_source(k, in);
	uint64_t v;

	if (a.kind == NUMBER && b.kind == NUMBER)
		return reckon(op, wide, a.v, b.v, &v) ? number(v) : anything;
	if (wide && op == BPF_MOV)
		return b;
	if (wide && a.kind >= STACK && b.kind == NUMBER && (op == BPF_ADD || op == BPF_SUB))
		return (struct value){ a.kind, op == BPF_ADD ? a.v + b.v : a.v - b.v };
	if (wide && b.kind >= STACK && a.kind == NUMBER && op == BPF_ADD)
		return (struct value){ b.kind, a.v + b.v };
	lose(r, function, &a);
	lose(r, function, &b);
	return anything;
}

static struct value of_address(const struct fold *f, const struct fold_item *item)
{
	if (!item->in.src_reg)
		return number(item->wide);
	for (size_t i = 0; i < f->table_count && item->in.src_reg == BPF_PSEUDO_MAP_VALUE; i++)
		if (f->tables[i].map == item->in.imm)
			return (struct value){ (uint8_t)(TABLE + i), item->wide >> 32 };
	return anything;
}

static struct value of_bytes(const uint8_t *at, unsigned bytes)
{
	uint8_t one;
	uint16_t two;
	uint32_t four;
	uint64_t all;

	switch (bytes) {
	case 1: memcpy(&one, at, sizeof one); return number(one);
	case 2: memcpy(&two, at, sizeof two); return number(two);
	case 4: memcpy(&four, at, sizeof four); return number(four);
	}
	memcpy(&all, at, sizeof all);
	return number(all);
}

static struct value of_memory(const struct reckoning *r, const struct known *k, const struct bpf_insn *in, uint32_t function)
{
	const struct value *base = &k->reg[in->src_reg];
	const uint64_t at = base->v + (uint64_t)(int64_t)in->off;
	const unsigned bytes = fold_bytes(in);

	if (base->kind >= TABLE) {
		const struct fold_table *t = &r->f->tables[base->kind - TABLE];

		return at < t->len && bytes <= t->len - at ? of_bytes(t->bytes + at, bytes) : anything;
	}
	if (base->kind != STACK)
		return anything;
	const unsigned slot = fold_slot(&r->f->functions[function], (int)(int64_t)at);
	if (slot == FOLD_SLOTS)
		return anything;
	if (!(k->held >> slot & 1))
		return anything;
	const struct value *held = &k->slot[slot];
	if (bytes == 8)
		return *held;
	return held->kind == NUMBER && !(at % bytes) ? of_bytes((const uint8_t *)&held->v + at % 8, bytes) : anything;
}

/* A place that is written in part is not known any more. An address that is kept may be reckoned with where it is read back. */
static void write_slot(struct reckoning *r, struct known *k, const struct bpf_insn *in, struct value what, uint32_t function)
{
	const struct value *base = &k->reg[in->dst_reg];

	const int64_t at = (int64_t)base->v + in->off;
	const unsigned slot = base->kind == STACK ? fold_slot(&r->f->functions[function], (int)at) : FOLD_SLOTS;
	const bool whole = slot != FOLD_SLOTS && fold_bytes(in) == 8;

	lose(r, function, &what);
	if (slot == FOLD_SLOTS)
		return;
	k->held &= ~(UINT64_C(1) << slot);
	if (!whole || what.kind == ANYTHING)
		return;
	k->held |= UINT64_C(1) << slot;
	k->slot[slot] = what;
}

/* The kernel takes no access to the stack that is not aligned. Here, places that overlap are not told apart. */
static void see_place(struct reckoning *r, const struct known *k, const struct bpf_insn *in, uint32_t function)
{
	const uint8_t class = BPF_CLASS(in->code);
	const struct value *base = &k->reg[class == BPF_LDX ? in->src_reg : in->dst_reg];

	if (class != BPF_LDX && class != BPF_ST && class != BPF_STX)
		return;
	const int64_t at = (int64_t)base->v + in->off;

	if (at % (int)fold_bytes(in))
		lose(r, function, base);
	if (base->kind == GIVEN && at < 0)
		reach_below(r, function);
}

static uint32_t callee_of(const struct fold *f, const struct fold_item *item)
{
	const uint32_t to = (uint32_t)(item - f->items) + 1 + (uint32_t)item->in.imm;

	return item->in.src_reg == BPF_PSEUDO_CALL ? f->blocks[f->block_at[to]].function : FOLD_NONE;
}

/* Helpers reach what they are given upwards, from its beginning. */
static void call(struct reckoning *r, struct known *k, uint32_t callee, uint32_t function)
{
	const bool below = callee != FOLD_NONE && r->f->functions[callee].below;

	for (unsigned i = 1; i <= 5; i++) {
		const struct value *v = &k->reg[i];

		if (v->kind == STACK)
			give_away(r, function, below ? -FOLD_FRAME : (int64_t)v->v);
		else if (v->kind == GIVEN && (below || (int64_t)v->v < 0))
			reach_below(r, function);
	}
	for (unsigned i = 0; i <= 5; i++)
		k->reg[i] = anything;
}

/* What is known behind the instruction. */
static void step(struct reckoning *r, struct known *k, const struct fold_item *item, uint32_t function)
{
	const struct bpf_insn *in = &item->in;

	r->where = (uint32_t)(item - r->f->items);
	r->meeting = FOLD_NOT_MEETING;
	see_place(r, k, in, function);
	switch (BPF_CLASS(in->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		k->reg[in->dst_reg] = of_arithmetic(r, k, in, function);
		return;
	case BPF_LD:
		k->reg[in->dst_reg] = of_address(r->f, item);
		return;
	case BPF_LDX:
		k->reg[in->dst_reg] = of_memory(r, k, in, function);
		return;
	case BPF_ST:
		write_slot(r, k, in, number((uint64_t)(int64_t)in->imm), function);
		return;
	case BPF_STX:
		if (BPF_MODE(in->code) == BPF_MEM) {
			write_slot(r, k, in, k->reg[in->src_reg], function);
			return;
		}
		lose(r, function, &k->reg[in->dst_reg]);
		lose(r, function, &k->reg[in->src_reg]);
		k->reg[in->imm == BPF_CMPXCHG ? 0 : in->src_reg] = anything;
		return;
	}
	if (fold_is_call(in))
		call(r, k, callee_of(r->f, item), function);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static bool holds(uint8_t op, bool wide, uint64_t a, uint64_t b)
{
	const int64_t x = wide ? (int64_t)a : (int32_t)a, y = wide ? (int64_t)b : (int32_t)b;

	if (!wide)
		a = (uint32_t)a, b = (uint32_t)b;
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JLT: return a < b;
	case BPF_JLE: return a <= b;
	case BPF_JSGT: return x > y;
	case BPF_JSGE: return x >= y;
	case BPF_JSLT: return x < y;
	case BPF_JSLE: return x <= y;
	}
	return a & b; /* BPF_JSET */
}

/* Does the block's last jump have one answer? */
static bool decided(const struct known *k, const struct bpf_insn *in, bool *taken)
{
	const struct value a = k->reg[in->dst_reg], b = of_source(k, in);

	if (a.kind != NUMBER || b.kind != NUMBER)
		return false;
	*taken = holds(BPF_OP(in->code), BPF_CLASS(in->code) == BPF_JMP, a.v, b.v);
	return true;
}

static struct fold_item *last_jump(const struct fold *f, const struct fold_block *b)
{
	struct fold_item *last = &f->items[b->to - 1];

	return b->other == FOLD_NONE || last->gone ? NULL : last;
}

/* What is not read any more there is not told apart. */
static void come_to(struct reckoning *r, const struct known *k, uint32_t to)
{
	struct known *at = &r->at[to];
	struct fold_block *b = &r->f->blocks[to];

	if (!b->reached) {
		copy_known(at, k);
		for (unsigned i = 0; i < FOLD_REGS - 1; i++)
			if (!(r->live[to] >> i & 1))
				at->reg[i] = anything;
		b->reached = r->changed[to] = true;
		return;
	}
	r->where = to;
	for (unsigned i = 0; i < FOLD_REGS - 1; i++) {
		if (!(r->live[to] >> i & 1) || alike(&at->reg[i], &k->reg[i]))
			continue;
		r->meeting = (int)i;
		lose(r, b->function, &at->reg[i]);
		lose(r, b->function, &k->reg[i]);
		r->changed[to] |= at->reg[i].kind != ANYTHING;
		at->reg[i] = anything;
	}
	for (uint64_t rest = at->held; rest;) {
		const unsigned slot = next_place(&rest);

		if (k->held >> slot & 1 && alike(&at->slot[slot], &k->slot[slot]))
			continue;
		at->held &= ~(UINT64_C(1) << slot);
		r->changed[to] = true;
	}
}

/* Whoever calls, the function begins with the same; when it is given more, all is gone through again. */
static void enter(struct reckoning *r, uint32_t function, uint8_t given)
{
	struct fold_function *in = &r->f->functions[function];
	struct known k = { .reg = { [BPF_REG_10] = { STACK, 0 } } };

	r->again |= (given & ~in->given) != 0;
	in->given |= given;
	in->called = true;
	for (unsigned i = 1; i <= 5; i++)
		if (in->given >> i & 1)
			k.reg[i].kind = GIVEN;
	if (!r->f->blocks[in->block].reached)
		come_to(r, &k, in->block);
}

static uint8_t addresses_in(const struct known *k)
{
	uint8_t given = 0;

	for (unsigned i = 1; i <= 5; i++)
		if (k->reg[i].kind == STACK || k->reg[i].kind == GIVEN)
			given |= (uint8_t)(1u << i);
	return given;
}

static void go_through(struct reckoning *r, uint32_t block)
{
	const struct fold *f = r->f;
	const struct fold_block *b = &f->blocks[block];
	const struct fold_item *jump = last_jump(f, b);
	struct known k;
	bool taken;

	copy_known(&k, &r->at[block]);
	for (uint32_t i = b->from; i < b->to; i++) {
		const struct fold_item *item = &f->items[i];

		if (item->gone)
			continue;
		if (fold_is_call(&item->in) && item->in.src_reg == BPF_PSEUDO_CALL)
			enter(r, callee_of(f, item), addresses_in(&k));
		step(r, &k, item, b->function);
	}
	if (jump && decided(&k, &jump->in, &taken)) {
		come_to(r, &k, taken ? b->other : b->next);
		return;
	}
	if (b->next != FOLD_NONE)
		come_to(r, &k, b->next);
	if (b->other != FOLD_NONE)
		come_to(r, &k, b->other);
}

static void reckon_all(struct reckoning *r)
{
	r->again = false;
	for (uint32_t i = 0; i < r->f->block_count; i++)
		r->f->blocks[i].reached = r->changed[i] = false;
	for (uint32_t i = 0; i < r->f->function_count; i++)
		r->f->functions[i].called = false;
	enter(r, 0, 0);
	for (bool more = true; more;) {
		more = false;
		for (uint32_t i = 0; i < r->f->block_count; i++) {
			if (!r->changed[i])
				continue;
			r->changed[i] = false;
			go_through(r, i);
			more = true;
		}
	}
}

/* ---- said in the instructions --------------------------------------------------------------- */

static bool fits(uint64_t v)
{
	return (uint64_t)(int64_t)(int32_t)v == v;
}

static void say_number(struct fold_item *item, uint64_t v)
{
	const uint8_t to = item->in.dst_reg;

	item->is_wide = !fits(v) && v > UINT32_MAX;
	item->wide = v;
	item->in = (struct bpf_insn){ .code = fits(v) ? BPF_ALU64 | BPF_MOV | BPF_K : BPF_ALU | BPF_MOV | BPF_K, .dst_reg = to, .imm = (int32_t)v };
	if (item->is_wide)
		item->in.code = BPF_LD | BPF_IMM | BPF_DW;
}

/* The right side is a number: said where it stands. The kernel takes no shift by too much, and divides by no 0. */
static void say_source(struct bpf_insn *in, const struct value *from)
{
	const uint8_t class = BPF_CLASS(in->code), op = BPF_OP(in->code);
	const bool narrow = class == BPF_ALU || class == BPF_JMP32, is_jump = class == BPF_JMP || class == BPF_JMP32;

	if (from->kind != NUMBER || (!narrow && !fits(from->v)))
		return;
	if (!is_jump && (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH) && from->v > (narrow ? 31 : 63))
		return;
	if (!is_jump && (op == BPF_DIV || op == BPF_MOD || op == BPF_END || op == BPF_NEG))
		return;
	in->code = (uint8_t)((in->code & ~BPF_X) | BPF_K);
	in->src_reg = 0;
	in->imm = (int32_t)from->v;
}

/* Where in the stack; said by the frame's end, if it was another register that said it. */
static void say_place(struct fold_item *item, const struct value *by, bool writes)
{
	const int64_t at = (int64_t)by->v + item->in.off;

	item->stack_at = 0;
	if (by->kind != STACK || at < -FOLD_FRAME || at >= 0)
		return;
	item->stack_at = item->in.off = (int16_t)at;
	if (writes)
		item->in.dst_reg = BPF_REG_10;
	else
		item->in.src_reg = BPF_REG_10;
}

/* `to` and `from` are what its registers held before it. */
static void say(struct fold_item *item, const struct value *to, const struct value *from, const struct known *after)
{
	struct bpf_insn *in = &item->in;
	const uint8_t class = BPF_CLASS(in->code);
	const bool writes = class == BPF_ALU || class == BPF_ALU64 || class == BPF_LDX || class == BPF_LD;

	if (writes && after->reg[in->dst_reg].kind == NUMBER) {
		say_number(item, after->reg[in->dst_reg].v);
		item->stack_at = 0;
		return;
	}
	if (class == BPF_LDX)
		say_place(item, from, false);
	else if (class == BPF_ST || (class == BPF_STX && BPF_MODE(in->code) == BPF_MEM))
		say_place(item, to, true);
	else if ((class == BPF_ALU || class == BPF_ALU64 || fold_is_jump(in)) && BPF_SRC(in->code) == BPF_X)
		say_source(in, from);
}

static void say_block(struct reckoning *r, uint32_t block)
{
	struct fold *f = r->f;
	struct fold_block *b = &f->blocks[block];
	struct fold_item *jump = last_jump(f, b);
	struct known k;
	bool taken;

	copy_known(&k, &r->at[block]);
	for (uint32_t i = b->from; i < b->to; i++) {
		struct fold_item *item = &f->items[i];
		const struct value to = k.reg[item->in.dst_reg], from = k.reg[item->in.src_reg];

		if (item->gone)
			continue;
		step(r, &k, item, b->function);
		say(item, &to, &from, &k);
	}
	if (!jump || !decided(&k, &jump->in, &taken))
		return;
	b->next = taken ? b->other : b->next;
	b->other = FOLD_NONE;
	jump->gone = true;
}

int fold_values(struct fold *f)
{
	own(mem) struct known *at = calloc(f->block_count, sizeof *at);
	own(mem) uint16_t *live = calloc(f->block_count, sizeof *live);
	own(mem) bool *changed = calloc(f->block_count, sizeof *changed);
	struct reckoning r = { .f = f, .at = at, .live = live, .changed = changed };

	if (!at || !live || !changed || fold_live_registers(f, live))
		return -ENOMEM;
	do
		reckon_all(&r);
	while (r.again);
	for (uint32_t i = 0; i < f->block_count; i++)
		if (f->blocks[i].reached)
			say_block(&r, i);
	return 0;
}
