/* A program and what fold leaves of it do the same: programs written out, and programs drawn, run side by side. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <linux/bpf.h>

#include "enforcer/hook/fold/fold.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"

#define MAP 77 /* of the constants */

#define MOV(d, i)	 { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (d), .imm = (i) }
#define MOVR(d, s)	 { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (d), .src_reg = (s) }
#define ALU(op, d, i)	 { .code = BPF_ALU64 | (op) | BPF_K, .dst_reg = (d), .imm = (i) }
#define ALUR(op, d, s)	 { .code = BPF_ALU64 | (op) | BPF_X, .dst_reg = (d), .src_reg = (s) }
#define LOAD(sz, d, s, o)  { .code = BPF_LDX | (sz) | BPF_MEM, .dst_reg = (d), .src_reg = (s), .off = (o) }
#define STORE(sz, d, s, o) { .code = BPF_STX | (sz) | BPF_MEM, .dst_reg = (d), .src_reg = (s), .off = (o) }
#define JMP(op, d, i, o)  { .code = BPF_JMP | (op) | BPF_K, .dst_reg = (d), .imm = (i), .off = (o) }
#define JMPR(op, d, s, o) { .code = BPF_JMP | (op) | BPF_X, .dst_reg = (d), .src_reg = (s), .off = (o) }
#define GOTO(o)		 { .code = BPF_JMP | BPF_JA, .off = (o) }
#define CALL(id)	 { .code = BPF_JMP | BPF_CALL, .imm = (id) }
#define OURS(by)	 { .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = (by) }
#define EXIT		 { .code = BPF_JMP | BPF_EXIT }
#define CONSTANTS(d, o)	 { .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = (d), .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = MAP }, { .imm = (o) }
#define LONG(d, lo, hi)	 { .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = (d), .imm = (lo) }, { .imm = (hi) }

#define RANDOM BPF_FUNC_get_prandom_u32 /* reads no register */
#define OTHER  200			/* may read all that calls are given */

/* By words: 0, 1, 5, 2^31, and a long number. */
static const uint32_t constants[] = { 0, 1, 5, 1u << 31, 0x89abcdef, 0x01234567, 0, 0 };
static const struct fold_table table = { MAP, (const uint8_t *)constants, sizeof constants };

/* ---- written out ---------------------------------------------------------------------------- */

#define CODE_MOST 32

static const struct {
	const char *what;
	struct bpf_insn in[CODE_MOST], out[CODE_MOST];
} rows[] = {
	{ "a question of the constants has one answer",
	  { CONSTANTS(2, 4), LOAD(BPF_W, 3, 2, 0), MOV(0, 7), JMP(BPF_JEQ, 3, 1, 1), MOV(0, 9), EXIT },
	  { MOV(0, 7), EXIT } },
	{ "what it leads to is there, and nothing else",
	  { CONSTANTS(2, 0), LOAD(BPF_W, 3, 2, 0), JMP(BPF_JEQ, 3, 1, 2), CALL(RANDOM), EXIT, CALL(OTHER), EXIT },
	  { CALL(RANDOM), EXIT } },
	{ "a table that is none of the constants stays unknown",
	  { { .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = MAP + 1 }, { 0 }, LOAD(BPF_W, 0, 2, 0), EXIT },
	  { { .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = MAP + 1 }, { 0 }, LOAD(BPF_W, 0, 2, 0), EXIT } },
	{ "behind the constants nothing is known",
	  { CONSTANTS(2, 32), LOAD(BPF_W, 0, 2, 0), EXIT },
	  { CONSTANTS(2, 32), LOAD(BPF_W, 0, 2, 0), EXIT } },
	{ "numbers are reckoned out",
	  { MOV(2, 6), ALU(BPF_LSH, 2, 3), LOAD(BPF_DW, 0, 1, 0), ALUR(BPF_ADD, 0, 2), EXIT },
	  { LOAD(BPF_DW, 0, 1, 0), ALU(BPF_ADD, 0, 48), EXIT } },
	{ "a word above 2^31 is no negative number",
	  { CONSTANTS(2, 12), LOAD(BPF_W, 0, 2, 0), EXIT },
	  { { .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = INT32_MIN }, EXIT } },
	{ "a long number takes two places",
	  { CONSTANTS(2, 16), LOAD(BPF_DW, 0, 2, 0), EXIT },
	  { LONG(0, (int32_t)0x89abcdef, 0x01234567), EXIT } },
	{ "a long number is compared with as it is",
	  { CONSTANTS(2, 16), LOAD(BPF_DW, 3, 2, 0), LOAD(BPF_DW, 0, 1, 0), JMPR(BPF_JGT, 0, 3, 1), MOV(0, 1), EXIT },
	  { LONG(3, (int32_t)0x89abcdef, 0x01234567), LOAD(BPF_DW, 0, 1, 0), JMPR(BPF_JGT, 0, 3, 1), MOV(0, 1), EXIT } },
	{ "what nobody reads is not worked out, nor read for that",
	  { LOAD(BPF_DW, 2, 1, 0), ALU(BPF_MUL, 2, 3), LOAD(BPF_DW, 0, 1, 8), EXIT },
	  { LOAD(BPF_DW, 0, 1, 8), EXIT } },
	{ "nor kept on the stack",
	  { LOAD(BPF_DW, 2, 1, 0), STORE(BPF_DW, 10, 2, -8), LOAD(BPF_DW, 0, 1, 8), EXIT },
	  { LOAD(BPF_DW, 0, 1, 8), EXIT } },
	{ "what is read back stays",
	  { LOAD(BPF_DW, 2, 1, 0), STORE(BPF_DW, 10, 2, -8), CALL(RANDOM), LOAD(BPF_DW, 0, 10, -8), EXIT },
	  { LOAD(BPF_DW, 2, 1, 0), STORE(BPF_DW, 10, 2, -8), CALL(RANDOM), LOAD(BPF_DW, 0, 10, -8), EXIT } },
	{ "and so does what is read back in part",
	  { LOAD(BPF_DW, 2, 1, 0), STORE(BPF_B, 10, 2, -3), LOAD(BPF_H, 0, 10, -4), EXIT },
	  { LOAD(BPF_DW, 2, 1, 0), STORE(BPF_B, 10, 2, -3), LOAD(BPF_H, 0, 10, -4), EXIT } },
	{ "a number is known behind the stack",
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -8), CALL(RANDOM), LOAD(BPF_DW, 0, 10, -8), EXIT },
	  { CALL(RANDOM), MOV(0, 3), EXIT } },
	{ "what a call is given the address of is read there",
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -8), MOVR(1, 10), ALU(BPF_ADD, 1, -16), CALL(OTHER), LOAD(BPF_DW, 0, 10, -8), EXIT },
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -8), MOVR(1, 10), ALU(BPF_ADD, 1, -16), CALL(OTHER), LOAD(BPF_DW, 0, 10, -8), EXIT } },
	{ "but not below",
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -24), MOVR(1, 10), ALU(BPF_ADD, 1, -16), CALL(OTHER), EXIT },
	  { MOV(2, 3), MOVR(1, 10), ALU(BPF_ADD, 1, -16), CALL(OTHER), EXIT } },
	{ "unless a function is seen to reach there",
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -24), MOVR(1, 10), ALU(BPF_ADD, 1, -16), OURS(2), LOAD(BPF_DW, 0, 10, -24), EXIT,
	    MOV(0, 5), STORE(BPF_DW, 1, 0, -8), EXIT },
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -24), MOVR(1, 10), ALU(BPF_ADD, 1, -16), OURS(2), LOAD(BPF_DW, 0, 10, -24), EXIT,
	    MOV(0, 5), STORE(BPF_DW, 1, 0, -8), EXIT } },
	{ "or one that it calls, with what it has kept",
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -24), MOVR(1, 10), ALU(BPF_ADD, 1, -16), OURS(2), LOAD(BPF_DW, 0, 10, -24), EXIT,
	    STORE(BPF_DW, 10, 1, -8), CALL(RANDOM), LOAD(BPF_DW, 2, 10, -8), ALU(BPF_ADD, 2, -16), MOVR(1, 2), OURS(1), EXIT,
	    MOV(0, 5), STORE(BPF_DW, 1, 0, 8), EXIT },
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -24), MOVR(1, 10), ALU(BPF_ADD, 1, -16), OURS(2), LOAD(BPF_DW, 0, 10, -24), EXIT,
	    STORE(BPF_DW, 10, 1, -8), CALL(RANDOM), LOAD(BPF_DW, 2, 10, -8), ALU(BPF_ADD, 2, -16), MOVR(1, 2), OURS(1), EXIT,
	    MOV(0, 5), STORE(BPF_DW, 1, 0, 8), EXIT } },
	{ "an address that is kept somewhere is given away",
	  { STORE(BPF_DW, 10, 1, -24), MOVR(2, 10), ALU(BPF_ADD, 2, -24), STORE(BPF_DW, 1, 2, 0), MOV(0, 0), EXIT },
	  { STORE(BPF_DW, 10, 1, -24), MOVR(2, 10), ALU(BPF_ADD, 2, -24), STORE(BPF_DW, 1, 2, 0), MOV(0, 0), EXIT } },
	{ "and may be reckoned with where it is read back",
	  { MOV(2, 7), STORE(BPF_DW, 10, 2, -24), MOVR(3, 10), ALU(BPF_ADD, 3, -16), STORE(BPF_DW, 10, 3, -8), LOAD(BPF_DW, 4, 10, -8),
	    STORE(BPF_DW, 4, 1, -8), LOAD(BPF_DW, 0, 10, -24), EXIT },
	  { MOV(2, 7), STORE(BPF_DW, 10, 2, -24), MOVR(3, 10), ALU(BPF_ADD, 3, -16), STORE(BPF_DW, 10, 3, -8), LOAD(BPF_DW, 4, 10, -8),
	    STORE(BPF_DW, 4, 1, -8), LOAD(BPF_DW, 0, 10, -24), EXIT } },
	{ "places that overlap are not told apart",
	  { MOV(2, 7), STORE(BPF_DW, 10, 2, -8), STORE(BPF_DW, 10, 1, -12), LOAD(BPF_DW, 0, 10, -8), EXIT },
	  { MOV(2, 7), STORE(BPF_DW, 10, 2, -8), STORE(BPF_DW, 10, 1, -12), LOAD(BPF_DW, 0, 10, -8), EXIT } },
	{ "where an address is reckoned with, all of the stack is",
	  { STORE(BPF_DW, 10, 1, -24), LOAD(BPF_DW, 3, 1, 0), MOVR(2, 10), ALUR(BPF_ADD, 2, 3), LOAD(BPF_DW, 0, 2, 0), EXIT },
	  { STORE(BPF_DW, 10, 1, -24), LOAD(BPF_DW, 3, 1, 0), MOVR(2, 10), ALUR(BPF_ADD, 2, 3), LOAD(BPF_DW, 0, 2, 0), EXIT } },
	{ "and where it is one of two",
	  { STORE(BPF_DW, 10, 1, -24), MOVR(2, 10), LOAD(BPF_DW, 3, 1, 0), JMP(BPF_JEQ, 3, 0, 1), ALU(BPF_ADD, 2, -8), LOAD(BPF_DW, 0, 2, -16), EXIT },
	  { STORE(BPF_DW, 10, 1, -24), MOVR(2, 10), LOAD(BPF_DW, 3, 1, 0), JMP(BPF_JEQ, 3, 0, 1), ALU(BPF_ADD, 2, -8), LOAD(BPF_DW, 0, 2, -16), EXIT } },
	{ "what only an excluded branch reads gives nothing away",
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -8), MOVR(3, 10), LOAD(BPF_DW, 4, 1, 0), JMP(BPF_JEQ, 4, 0, 1), MOV(3, 0), CONSTANTS(5, 0),
	    LOAD(BPF_W, 5, 5, 0), JMP(BPF_JEQ, 5, 0, 1), LOAD(BPF_DW, 0, 3, -8), LOAD(BPF_DW, 0, 10, -8), EXIT },
	  { MOV(0, 3), EXIT } },
	{ "nor does what nobody reads",
	  { MOV(2, 3), STORE(BPF_DW, 10, 2, -8), LOAD(BPF_DW, 4, 1, 0), MOVR(3, 10), ALUR(BPF_ADD, 3, 4), LOAD(BPF_DW, 0, 10, -8), EXIT },
	  { MOV(0, 3), EXIT } },
	{ "two ways to one place are one",
	  { LOAD(BPF_DW, 2, 1, 0), LOAD(BPF_DW, 0, 1, 8), JMP(BPF_JEQ, 2, 0, 1), MOV(3, 1), EXIT },
	  { LOAD(BPF_DW, 0, 1, 8), EXIT } },
	{ "what both ways know is known behind them",
	  { LOAD(BPF_DW, 2, 1, 0), MOV(3, 4), MOV(4, 1), JMP(BPF_JEQ, 2, 0, 1), MOV(4, 2), MOVR(0, 3), ALUR(BPF_ADD, 0, 4), EXIT },
	  { LOAD(BPF_DW, 2, 1, 0), MOV(4, 1), JMP(BPF_JEQ, 2, 0, 1), MOV(4, 2), MOV(0, 4), ALUR(BPF_ADD, 0, 4), EXIT } },
	{ "what follows stands behind, without a jump",
	  { LOAD(BPF_DW, 0, 1, 0), GOTO(2), MOV(0, 5), EXIT, JMP(BPF_JEQ, 0, 0, -3), CALL(RANDOM), EXIT },
	  { LOAD(BPF_DW, 0, 1, 0), JMP(BPF_JEQ, 0, 0, 2), CALL(RANDOM), EXIT, MOV(0, 5), EXIT } },
	{ "what most packets do stands in one line",
	  { LOAD(BPF_DW, 0, 1, 0), JMP(BPF_JGT, 0, 5, 2), CALL(RANDOM), EXIT, LOAD(BPF_DW, 0, 1, 8), GOTO(0), EXIT },
	  { LOAD(BPF_DW, 0, 1, 0), JMP(BPF_JLE, 0, 5, 3), LOAD(BPF_DW, 0, 1, 8), GOTO(0), EXIT, CALL(RANDOM), EXIT } },
	{ "and the shortest way to it",
	  { LOAD(BPF_DW, 0, 1, 0), JMP(BPF_JEQ, 0, 5, 2), ALU(BPF_ADD, 0, 1), ALU(BPF_XOR, 0, 2), ALU(BPF_ADD, 0, 3), GOTO(0), EXIT },
	  { LOAD(BPF_DW, 0, 1, 0), JMP(BPF_JNE, 0, 5, 3), ALU(BPF_ADD, 0, 3), GOTO(0), EXIT, ALU(BPF_ADD, 0, 1), ALU(BPF_XOR, 0, 2), GOTO(-6) } },
	{ "a loop goes on",
	  { MOV(0, 0), LOAD(BPF_DW, 2, 1, 0), ALU(BPF_ADD, 0, 1), JMPR(BPF_JLT, 0, 2, -2), EXIT },
	  { MOV(0, 0), LOAD(BPF_DW, 2, 1, 0), ALU(BPF_ADD, 0, 1), JMPR(BPF_JLT, 0, 2, -2), EXIT } },
	{ "what the turn after the next reads is kept",
	  { MOV(0, 0), LOAD(BPF_DW, 2, 1, 0), LOAD(BPF_DW, 3, 1, 8), LOAD(BPF_DW, 4, 1, 16), ALUR(BPF_ADD, 0, 3), MOVR(3, 4), ALU(BPF_ADD, 4, 1),
	    JMPR(BPF_JLT, 0, 2, -4), EXIT },
	  { MOV(0, 0), LOAD(BPF_DW, 2, 1, 0), LOAD(BPF_DW, 3, 1, 8), LOAD(BPF_DW, 4, 1, 16), ALUR(BPF_ADD, 0, 3), MOVR(3, 4), ALU(BPF_ADD, 4, 1),
	    JMPR(BPF_JLT, 0, 2, -4), EXIT } },
	{ "a function that nobody calls is not there, and calls find the others",
	  { MOV(3, 0), JMP(BPF_JEQ, 3, 0, 1), OURS(2), OURS(3), EXIT, CALL(OTHER), EXIT, LOAD(BPF_DW, 0, 1, 8), EXIT },
	  { MOV(3, 0), OURS(1), EXIT, LOAD(BPF_DW, 0, 1, 8), EXIT } },
};

static size_t length(const struct bpf_insn *code)
{
	size_t len = CODE_MOST;

	while (len && !memcmp(&code[len - 1], &(struct bpf_insn){ 0 }, sizeof *code))
		len--;
	return len;
}

static bool alike(const struct bpf_insn *a, size_t a_len, const struct bpf_insn *b, size_t b_len)
{
	return a_len == b_len && !memcmp(a, b, a_len * sizeof *a);
}

static void say(const char *what, const struct bpf_insn *code, size_t len)
{
	printf("# %s:\n", what);
	for (size_t i = 0; i < len; i++)
		printf("#   %2zu: %02x r%u r%u %+d %d\n", i, code[i].code, code[i].dst_reg, code[i].src_reg, code[i].off, code[i].imm);
}

static struct fold_code code_of(const struct bpf_insn *in, size_t len)
{
	struct fold_code c = { .code = calloc(len, sizeof *in), .len = len };

	memcpy(c.code, in, len * sizeof *in);
	return c;
}

static void written_out(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(fold_code) struct fold_code c = code_of(rows[i].in, length(rows[i].in));
		const size_t want = length(rows[i].out);
		const int rc = fold(&c, &table, 1);

		if (!tap_ok(!rc && alike(c.code, c.len, rows[i].out, want), "%s", rows[i].what)) {
			say("expected", rows[i].out, want);
			say("got", c.code, c.len);
		}
	}
}

static const struct {
	const char *what;
	struct bpf_insn in[CODE_MOST];
} not_folded[] = {
	{ "a packet's bytes by their number", { { .code = BPF_LD | BPF_ABS | BPF_W, .imm = 0 }, EXIT } },
	{ "a load that acquires", { { .code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = 0, .src_reg = 1, .imm = 0x100 }, EXIT } },
	{ "a program without an end", { MOV(0, 1), MOV(2, 1) } },
	{ "and one that may come to it", { MOV(0, 1), JMP(BPF_JEQ, 1, 0, 1), EXIT, JMP(BPF_JEQ, 1, 1, -3) } },
	{ "half a long number", { MOV(0, 1), EXIT, { .code = BPF_LD | BPF_IMM | BPF_DW, .imm = 1 } } },
	{ "nothing", { { 0 } } },
};

static void not_known(void)
{
	for (size_t i = 0; i < ARRAY_LEN(not_folded); i++) {
		const size_t len = length(not_folded[i].in);
		own(fold_code) struct fold_code c = code_of(not_folded[i].in, len);
		const int rc = fold(&c, &table, 1);

		tap_ok(rc == -EOPNOTSUPP && alike(c.code, c.len, not_folded[i].in, len), "left as it was: %s", not_folded[i].what);
	}
}

/* Every instruction says where it stood. */
static void where_it_stood(void)
{
	static const struct bpf_insn in[] = { MOV(2, 1), LOAD(BPF_DW, 0, 1, 0), GOTO(1), EXIT, ALU(BPF_ADD, 0, 3), GOTO(-3) };
	static const uint32_t was[] = { 1, 4, 3 };
	own(fold_code) struct fold_code c = code_of(in, ARRAY_LEN(in));

	tap_ok(!fold(&c, &table, 1) && c.len == 3 && !memcmp(c.was, was, sizeof was), "places are told");
}

/* ---- drawn ---------------------------------------------------------------------------------- */

#define DRAWN 60000
#define BODY 40
#define PLACES 8 /* of the stack, from -8 down */
#define STEPS_MOST 2000

struct machine {
	uint64_t input[8], random;
	unsigned steps;
};

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t reckon(uint8_t op, bool wide, uint64_t a, uint64_t b)
{
	const unsigned by = b & (wide ? 63 : 31);

	switch (op) {
	case BPF_ADD: a += b; break;
	case BPF_SUB: a -= b; break;
	case BPF_MUL: a *= b; break;
	case BPF_OR: a |= b; break;
	case BPF_AND: a &= b; break;
	case BPF_XOR: a ^= b; break;
	case BPF_LSH: a = wide ? a << by : (uint32_t)a << by; break;
	case BPF_RSH: a = wide ? a >> by : (uint32_t)a >> by; break;
	case BPF_ARSH: a = wide ? (uint64_t)((int64_t)a >> by) : (uint64_t)((int32_t)a >> by); break;
	case BPF_NEG: a = -a; break;
	case BPF_MOV: a = b; break;
	}
	return wide ? a : (uint32_t)a;
}

static bool jumps(uint8_t op, bool wide, uint64_t a, uint64_t b)
{
	const int64_t x = wide ? (int64_t)a : (int32_t)a, y = wide ? (int64_t)b : (int32_t)b;

	if (!wide)
		a = (uint32_t)a, b = (uint32_t)b;
	switch (op) {
	case BPF_JA: return true;
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
	case BPF_JSET: return a & b;
	}
	return false;
}

static void move(uint8_t size, void *to, const void *from)
{
	memcpy(to, from, size == BPF_DW ? 8 : size == BPF_W ? 4 : size == BPF_H ? 2 : 1);
}

/* r0 of a function at its end. What calls do not keep, they spoil. */
static uint64_t run(struct machine *m, const struct bpf_insn *code, size_t at, uint64_t r1)
{
	_Alignas(8) uint8_t stack[512] = { 0 };
	uint64_t r[11] = { [1] = r1, [10] = (uint64_t)(uintptr_t)(stack + sizeof stack) };

	for (;; at++) {
		const struct bpf_insn *i = &code[at];
		const uint8_t class = BPF_CLASS(i->code), op = BPF_OP(i->code);
		const bool wide = class == BPF_ALU64 || class == BPF_JMP;
		const uint64_t b = BPF_SRC(i->code) == BPF_X ? r[i->src_reg] : (uint64_t)(int64_t)i->imm;
		uint64_t word = 0;

		if (m->steps++ > STEPS_MOST)
			return 0;
		if (class == BPF_ALU || class == BPF_ALU64) {
			r[i->dst_reg] = reckon(op, wide, r[i->dst_reg], b);
		} else if (class == BPF_LD) {
			r[i->dst_reg] = i->src_reg ? (uint64_t)(uintptr_t)constants + (uint32_t)code[at + 1].imm
						   : (uint32_t)i->imm | (uint64_t)(uint32_t)code[at + 1].imm << 32;
			at++;
		} else if (class == BPF_LDX) {
			move(BPF_SIZE(i->code), &word, (const void *)(uintptr_t)(r[i->src_reg] + (uint64_t)(int64_t)i->off));
			r[i->dst_reg] = word;
		} else if (class == BPF_STX) {
			move(BPF_SIZE(i->code), (void *)(uintptr_t)(r[i->dst_reg] + (uint64_t)(int64_t)i->off), &r[i->src_reg]);
		} else if (i->code == (BPF_JMP | BPF_EXIT)) {
			return r[0];
		} else if (i->code == (BPF_JMP | BPF_CALL)) {
			r[0] = i->src_reg ? run(m, code, at + 1 + (size_t)i->imm, r[1]) : next(&m->random);
			for (int k = 1; k <= 5; k++)
				r[k] = next(&m->random);
		} else if (jumps(op, wide, r[i->dst_reg], b)) {
			at += (size_t)(int64_t)i->off;
		}
	}
}

/* r6 is the input's address, r7 the constants'; r0 to r5, r8 and r9 are numbers. */
static struct bpf_insn draw_one(uint64_t *g, unsigned left)
{
	static const uint8_t free_registers[] = { 0, 1, 2, 3, 4, 5, 8, 9 }, sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };
	static const uint8_t ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_MOV, BPF_MOV, BPF_LSH, BPF_RSH, BPF_ARSH, BPF_NEG };
	static const uint8_t asks[] = { BPF_JA, BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET };
	const uint8_t d = free_registers[next(g) % 8] & 15, s = free_registers[next(g) % 8] & 15, size = sizes[next(g) % 4];
	const int16_t stack = (int16_t)(-8 * (int)(1 + next(g) % PLACES) + (size == BPF_DW ? 0 : 4 * (int)(next(g) % 2)));
	const bool by_register = next(g) % 2;
	const int32_t number = (int32_t)(next(g) % 7) - 1;
	uint8_t op = ops[next(g) % ARRAY_LEN(ops)];

	switch (next(g) % 10) {
	case 0:
		return (struct bpf_insn)LOAD(size, d, 6, 8 * (int16_t)(next(g) % 8));
	case 1:
		return (struct bpf_insn)LOAD(size, d, 7, 8 * (int16_t)(next(g) % 4));
	case 2:
	case 3:
		return (struct bpf_insn)STORE(size, 10, s, stack);
	case 4:
	case 5:
		return (struct bpf_insn)LOAD(size, d, 10, stack);
	case 6:
		op = asks[next(g) % ARRAY_LEN(asks)];
		return (struct bpf_insn){ .code = (uint8_t)((op != BPF_JA && next(g) % 2 ? BPF_JMP32 : BPF_JMP) | op | (by_register && op != BPF_JA ? BPF_X : BPF_K)),
					  .dst_reg = (op == BPF_JA ? 0 : d) & 15, .src_reg = (by_register && op != BPF_JA ? s : 0) & 15,
					  .off = (int16_t)(next(g) % (left < 6 ? left : 6)), .imm = by_register || op == BPF_JA ? 0 : number };
	}
	if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
		return (struct bpf_insn){ .code = (uint8_t)((next(g) % 2 ? BPF_ALU : BPF_ALU64) | op | BPF_K), .dst_reg = d & 15, .imm = (int32_t)(next(g) % 32) };
	return (struct bpf_insn){ .code = (uint8_t)((next(g) % 2 ? BPF_ALU : BPF_ALU64) | op | (by_register && op != BPF_NEG ? BPF_X : BPF_K)),
				  .dst_reg = d & 15, .src_reg = (by_register && op != BPF_NEG ? s : 0) & 15, .imm = by_register || op == BPF_NEG ? 0 : number };
}

/* Registers and places are filled; then whatever comes, with a call here and there; a function writes to where it is told. */
static size_t draw(struct bpf_insn *to, uint64_t *g)
{
	static const struct bpf_insn before[] = { MOVR(6, 1), CONSTANTS(7, 0) };
	static const struct bpf_insn function[] = { LOAD(BPF_DW, 2, 1, 0), MOV(3, 5), STORE(BPF_DW, 10, 3, -8), ALUR(BPF_ADD, 2, 3), STORE(BPF_DW, 1, 2, 0), MOVR(0, 2), EXIT };
	size_t len = 0, calls = 0, call[2];

	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		to[len++] = before[i];
	for (uint8_t i = 0; i < 10; i++)
		if (i != 6 && i != 7)
			to[len++] = (struct bpf_insn)MOV(i & 15, i % 3);
	for (int16_t i = 1; i <= PLACES; i++)
		to[len++] = (struct bpf_insn)STORE(BPF_DW, 10, (uint8_t)(i % 5) & 15, -8 * i);
	for (unsigned left = BODY; left > 0; left--) {
		if (left > 12 && calls < 2 && next(g) % 40 == 0) {
			to[len++] = (struct bpf_insn)STORE(BPF_DW, 10, 8, -16);
			call[calls++] = len;
			to[len++] = (struct bpf_insn)OURS(0);
			left--;
			continue;
		}
		to[len++] = next(g) % 30 ? draw_one(g, left) : (struct bpf_insn)CALL(next(g) % 2 ? RANDOM : OTHER);
	}
	to[len++] = (struct bpf_insn)LOAD(BPF_DW, 5, 10, -8);
	to[len++] = (struct bpf_insn)ALUR(BPF_XOR, 0, 5);
	to[len++] = (struct bpf_insn)EXIT;
	/* What is called calls one more, to which it gives a place of its stack. */
	static const struct bpf_insn between[] = { MOV(2, 9), STORE(BPF_DW, 10, 2, -16), MOVR(1, 10), ALU(BPF_ADD, 1, -16), OURS(3), LOAD(BPF_DW, 3, 10, -16), ALUR(BPF_ADD, 0, 3), EXIT };
	for (size_t i = 0; i < calls; i++)
		to[call[i]].imm = (int32_t)(len - call[i] - 1);
	if (calls) {
		for (size_t i = 0; i < ARRAY_LEN(between); i++)
			to[len++] = between[i];
		for (size_t i = 0; i < ARRAY_LEN(function); i++)
			to[len++] = function[i];
	}
	return len;
}

static uint64_t ask(const struct bpf_insn *code, uint64_t seed)
{
	struct machine m = { .random = seed | 1 };

	for (size_t i = 0; i < ARRAY_LEN(m.input); i++)
		m.input[i] = next(&seed) % 4 ? next(&seed) % 5 : next(&seed);
	return run(&m, code, 0, (uint64_t)(uintptr_t)m.input);
}

static void drawn(void)
{
	uint64_t g = 0x9e3779b97f4a7c15;
	unsigned wrong = 0, calling = 0;
	size_t before = 0, after = 0;

	for (unsigned i = 0; i < DRAWN; i++) {
		struct bpf_insn code[128];
		const size_t len = draw(code, &g);
		own(fold_code) struct fold_code c = code_of(code, len);

		if (fold(&c, &table, 1)) {
			wrong++;
			continue;
		}
		before += len, after += c.len;
		calling += len > 70;
		for (uint64_t seed = 1; seed <= 4; seed++) {
			const uint64_t want = ask(code, seed), got = ask(c.code, seed);

			if (want == got)
				continue;
			if (!wrong++) {
				printf("# program %u, input %" PRIu64 ": 0x%" PRIx64 ", expected 0x%" PRIx64 "\n", i, seed, got, want);
				say("the program", code, len);
				say("folded", c.code, c.len);
			}
			break;
		}
	}
	tap_num(wrong, 0, "programs drawn do as before");
	tap_ok(calling > DRAWN / 50, "%u of them call a function", calling);
	tap_ok(after < before * 3 / 4, "%zu instructions became %zu", before, after);
}

int main(void)
{
	written_out();
	not_known();
	where_it_stood();
	drawn();
	return tap_done();
}
