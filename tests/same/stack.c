/*
 * Would kernels before 6.8 take the programs' stack? They round each frame up to 32 bytes, and refuse calls one inside the other that
 * take more than 512 together (kernel/bpf/verifier.c of 5.15, check_max_stack_depth()). Newer ones round up less, so it is reckoned here, of the
 * instructions that this kernel is given: per function the deepest place of its frame, who calls whom, and the deepest chain.
 *
 *     tests/same/stack [SEED [POLICIES]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "compiler/emit/emit.h"
#include "compiler/front/front.h"
#include "enforcer/hook/fold/own.h"
#include "enforcer/hook/one_value.h"
#include "enforcer/hook/tables/tables.h"
#include "lang/base/buf.h"
#include "tests/lib/draw.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define STACK_MOST 512
#define FUNCTIONS_MOST 128

static const char *const hooks[TEG_HOOKS] = { [TEG_HOOK_XDP] = "XDP", [TEG_HOOK_TC] = "TC" };

/* ---- what the kernel is given ---------------------------------------------------------------- */

/* The last program that was loaded: functions in the order in which they stand. */
static struct given {
	struct bpf_insn *code;
	size_t len, count;
	uint32_t begins[FUNCTIONS_MOST + 1], types[FUNCTIONS_MOST];
	bool too_many;
} given;

static void note_functions(const struct bpf_prog_load_opts *opts)
{
	given.too_many = !opts->func_info_cnt || opts->func_info_cnt > FUNCTIONS_MOST;
	given.count = given.too_many ? 0 : opts->func_info_cnt;
	for (size_t i = 0; i < given.count; i++) {
		struct bpf_func_info is;

		memcpy(&is, (const uint8_t *)opts->func_info + i * opts->func_info_rec_size, sizeof is);
		given.begins[i] = is.insn_off;
		given.types[i] = is.type_id;
	}
	given.begins[given.count] = (uint32_t)given.len;
}

static int note_program(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	const int rc = one_value_prepare(program, opts, cookie);

	if (rc)
		return rc;
	free(given.code);
	given.len = bpf_program__insn_cnt(program);
	given.code = calloc(given.len, sizeof *given.code);
	if (!given.code)
		return -ENOMEM;
	memcpy(given.code, bpf_program__insns(program), given.len * sizeof *given.code);
	note_functions(opts);
	return 0;
}

/* Of two handlers of one section, libbpf takes the one that was there first. */
static bool note_programs(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = note_program);

	return libbpf_register_prog_handler("xdp", BPF_PROG_TYPE_XDP, BPF_XDP, &opts) >= 0 &&
	       libbpf_register_prog_handler("tc", BPF_PROG_TYPE_SCHED_CLS, 0, &opts) >= 0;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* What registers hold before an instruction: how far from the frame's end their address is at least, 0 to -512, or none. */
#define NO_ADDRESS 1
#define NOT_REACHED 2

struct regs { int16_t at[FOLD_REGS]; };

static int16_t within_frame(int at)
{
	return (int16_t)(at < -FOLD_FRAME ? -FOLD_FRAME : at > 0 ? 0 : at);
}

static int16_t added(const struct bpf_insn *in, const struct regs *r)
{
	const int16_t at = r->at[in->dst_reg];

	if (BPF_SRC(in->code) == BPF_X)
		return at != NO_ADDRESS ? at : r->at[in->src_reg];
	return at == NO_ADDRESS ? at : within_frame(at + in->imm);
}

static int16_t worked_out(const struct bpf_insn *in, const struct regs *r)
{
	if (BPF_CLASS(in->code) != BPF_ALU64)
		return NO_ADDRESS;
	if (BPF_OP(in->code) == BPF_MOV && BPF_SRC(in->code) == BPF_X)
		return r->at[in->src_reg];
	return BPF_OP(in->code) == BPF_ADD ? added(in, r) : NO_ADDRESS;
}

static void lower(int *least, int at)
{
	if (at < *least)
		*least = at;
}

/* What the registers hold behind it; an address is a place of the frame whether or not something is read there. */
static void step(const struct bpf_insn *in, struct regs *r, int *least)
{
	const uint8_t class = BPF_CLASS(in->code);
	const uint8_t base = class == BPF_LDX ? in->src_reg : in->dst_reg;

	if (class == BPF_LDX || class == BPF_ST || class == BPF_STX)
		if (r->at[base] != NO_ADDRESS)
			lower(least, r->at[base] + in->off);
	if (class == BPF_ALU64 || class == BPF_ALU)
		lower(least, r->at[in->dst_reg] = worked_out(in, r));
	else if (class == BPF_LDX || class == BPF_LD)
		r->at[in->dst_reg] = NO_ADDRESS;
	else if (fold_is_call(in))
		for (int i = 0; i <= 5; i++)
			r->at[i] = NO_ADDRESS;
}

static bool meet(struct regs *to, const struct regs *from)
{
	bool lowered = false;

	for (int i = 0; i < FOLD_REGS; i++)
		if (from->at[i] < to->at[i])
			to->at[i] = from->at[i], lowered = true;
	return lowered;
}

static bool pass_on(struct regs *all, size_t i, int *least)
{
	const struct bpf_insn *in = &given.code[i];
	struct regs r = all[i];
	bool lowered = false;

	step(in, &r, least);
	if (fold_is_jump(in))
		lowered |= meet(&all[i + 1 + (size_t)(ssize_t)in->off], &r);
	if (!fold_is_always(in) && !fold_is_exit(in))
		lowered |= meet(&all[i + 1 + fold_is_address(in)], &r);
	return lowered;
}

/* Bytes of the function's frame that are reached, in whole places of eight. */
static unsigned frame_of(size_t f)
{
	own(mem) struct regs *all = calloc(given.len + 2, sizeof *all);
	int least = 0;
	bool more = all != NULL;

	for (size_t i = 0; all && i < given.len + 2; i++)
		for (int k = 0; k < FOLD_REGS; k++)
			all[i].at[k] = i == given.begins[f] ? NO_ADDRESS : NOT_REACHED;
	if (all)
		all[given.begins[f]].at[BPF_REG_10] = 0;
	while (more) {
		more = false;
		for (size_t i = given.begins[f]; i < given.begins[f + 1]; i++)
			if (all[i].at[BPF_REG_10] != NOT_REACHED)
				more |= pass_on(all, i, &least);
	}
	return ((unsigned)-least + 7) / 8 * 8;
}

/* ---- chains ---------------------------------------------------------------------------------- */

struct chains {
	unsigned frame[FUNCTIONS_MOST];
	unsigned bytes[FUNCTIONS_MOST]; /* from here on down; 0: not known yet */
	size_t next[FUNCTIONS_MOST];	/* whom the deepest chain calls from here; the function itself: nobody */
	bool leaves;			/* for another program, which 5.15 allows below 256 bytes only */
};

static size_t function_at(size_t at)
{
	size_t f = 0;

	while (f + 1 < given.count && given.begins[f + 1] <= at)
		f++;
	return f;
}

static size_t callee_at(size_t call)
{
	return function_at(call + 1 + (size_t)(ssize_t)given.code[call].imm);
}

static unsigned rounded(unsigned frame)
{
	return frame ? (frame + 31) / 32 * 32 : 32;
}

/* Functions do not call themselves: the verifier took them, or will say so. */
static unsigned deepest(struct chains *c, size_t f, unsigned calls)
{
	unsigned below = 0;

	if (c->bytes[f] || calls > FUNCTIONS_MOST)
		return c->bytes[f];
	c->next[f] = f;
	for (size_t i = given.begins[f]; i < given.begins[f + 1]; i++) {
		if (!fold_is_call(&given.code[i]))
			continue;
		c->leaves |= !given.code[i].src_reg && given.code[i].imm == BPF_FUNC_tail_call;
		if (given.code[i].src_reg != BPF_PSEUDO_CALL)
			continue;
		const size_t callee = callee_at(i);
		const unsigned bytes = deepest(c, callee, calls + 1);

		if (bytes > below)
			below = bytes, c->next[f] = callee;
	}
	return c->bytes[f] = rounded(c->frame[f]) + below;
}

static void chains_find(struct chains *c)
{
	*c = (struct chains){ 0 };
	for (size_t f = 0; f < given.count; f++)
		c->frame[f] = frame_of(f);
	deepest(c, 0, 0);
}

/* ---- all policies together ------------------------------------------------------------------- */

/*
 * A deep frame here, a long chain there: some policy has both, though none of those that were drawn may. So each function is taken with the deepest
 * frame that it had, and with all that it called, in any policy of the same program.
 */
#define PROGRAMS_MOST 4

struct together {
	struct chains worst;
	char name[FUNCTIONS_MOST][64];
	bool calls[FUNCTIONS_MOST][FUNCTIONS_MOST];
	size_t count; /* functions; the program is the first */
};

static const char *name_of(const struct btf *btf, size_t f)
{
	const struct btf_type *t = btf__type_by_id(btf, given.types[f]);

	return t ? btf__name_by_offset(btf, t->name_off) : "?";
}

static void chain_print(struct buf *out, const struct chains *c, const struct btf *btf)
{
	for (size_t f = 0;; f = c->next[f]) {
		buf_printf(out, "%s%s %u", f ? ", " : "", name_of(btf, f), c->frame[f]);
		if (c->next[f] == f)
			return;
	}
}

static size_t together_at(struct together *t, const char *name)
{
	size_t f = 0;

	while (f < t->count && strcmp(t->name[f], name))
		f++;
	if (f == t->count && f < FUNCTIONS_MOST)
		snprintf(t->name[t->count++], sizeof *t->name, "%s", name);
	return f < FUNCTIONS_MOST ? f : 0;
}

/* Functions that nobody calls are in the program all the same, and the kernel is given them: they lead nowhere from the first. */
static void together_add(struct together all[static PROGRAMS_MOST], const struct chains *c, const struct btf *btf)
{
	size_t is[FUNCTIONS_MOST];
	struct together *t = all;

	while (t->count && t < all + PROGRAMS_MOST - 1 && strcmp(t->name[0], name_of(btf, 0)))
		t++;
	for (size_t f = 0; f < given.count; f++) {
		is[f] = together_at(t, name_of(btf, f));
		if (c->frame[f] > t->worst.frame[is[f]])
			t->worst.frame[is[f]] = c->frame[f];
	}
	for (size_t f = 0; f < given.count; f++)
		for (size_t i = given.begins[f]; i < given.begins[f + 1]; i++)
			if (given.code[i].src_reg == BPF_PSEUDO_CALL && fold_is_call(&given.code[i]))
				t->calls[is[f]][is[callee_at(i)]] = true;
}

static unsigned together_deepest(struct together *t, size_t f)
{
	unsigned below = 0;

	if (t->worst.bytes[f])
		return t->worst.bytes[f];
	t->worst.next[f] = f;
	for (size_t g = 0; g < t->count; g++) {
		const unsigned bytes = t->calls[f][g] && g != f ? together_deepest(t, g) : 0;

		if (bytes > below)
			below = bytes, t->worst.next[f] = g;
	}
	return t->worst.bytes[f] = rounded(t->worst.frame[f]) + below;
}

static void together_tell(struct together all[static PROGRAMS_MOST], enum teg_hook hook)
{
	for (struct together *t = all; t < all + PROGRAMS_MOST && t->count; t++) {
		own(buf) struct buf chain = { 0 };
		const unsigned bytes = together_deepest(t, 0);

		for (size_t f = 0;; f = t->worst.next[f]) {
			buf_printf(&chain, "%s%s %u", f ? ", " : "", t->name[f], t->worst.frame[f]);
			if (t->worst.next[f] == f)
				break;
		}
		tap_ok(bytes <= STACK_MOST, "%s, %s: with the deepest frames and all the calls of any policy, %u bytes of %d", t->name[0], hooks[hook],
		       bytes, STACK_MOST);
		tap_note("%s", buf_text(&chain));
	}
}

/* ---- policies -------------------------------------------------------------------------------- */

struct deep {
	unsigned bytes, policies, leave, less; /* less: frames of which this kernel's verifier counts more than is found here */
	struct buf chain;
	struct together *together;
};

/* This kernel says "stack depth 96+0+112"; what it found to be never called it does not say, and then numbers do not stand for the same. */
static unsigned counted_more(const struct chains *c, const char *said)
{
	const char *at = strstr(said, "stack depth ");
	unsigned counted[FUNCTIONS_MOST], count = 0, more = 0;

	for (at = at ? at + strlen("stack depth ") : NULL; at && count < FUNCTIONS_MOST; count++) {
		char *end;

		counted[count] = (unsigned)strtoul(at, &end, 10);
		at = *end == '+' ? end + 1 : NULL;
	}
	for (size_t f = 0; count == given.count && f < count; f++)
		more += counted[f] > c->frame[f];
	return more;
}

static struct btf *types_of(enum teg_hook hook, struct bpf_object **object)
{
	size_t len;
	const void *bytes = emit_program(hook, &len);

	*object = bpf_object__open_mem(bytes, len, NULL);
	return *object ? bpf_object__btf(*object) : NULL;
}

static int look(struct deep *d, enum teg_hook hook, const struct plan *plan, enum xdp_run_clock clock, struct err *why)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct bpf_object *object = NULL;
	struct chains c;
	int rc;

	given.count = 0;
	rc = xdp_run_new_in(&x, hook, plan, clock, why);
	if (!given.count)
		return rc ? rc : err_set(why, EINVAL, given.too_many ? "functions are not said" : "no program was given to the kernel");
	chains_find(&c);
	d->policies++;
	d->leave += c.leaves;
	d->less += x ? counted_more(&c, xdp_run_spent(x)->said) : 0;
	const struct btf *btf = types_of(hook, &object);
	together_add(d->together, &c, btf);
	if (c.bytes[0] > d->bytes) {
		d->bytes = c.bytes[0];
		buf_release(&d->chain);
		chain_print(&d->chain, &c, btf);
	}
	bpf_object__close(object);
	return rc;
}

static void tell(struct deep *d, const char *what, enum teg_hook hook)
{
	const bool fits = d->bytes && d->bytes <= STACK_MOST && !d->leave && !d->less;

	tap_ok(fits, "%s, %s: of %d bytes of stack, calls inside calls take at most %u, %u %s", what, hooks[hook], STACK_MOST, d->bytes,
	       d->bytes > STACK_MOST ? d->bytes - STACK_MOST : STACK_MOST - d->bytes, d->bytes > STACK_MOST ? "too many" : "are left");
	tap_note("%s", buf_text(&d->chain));
	if (d->leave)
		tap_note("and some leave for another program: then 256 bytes are the most");
	if (d->less)
		tap_note("of %u frames, this kernel's verifier counts more than is found here", d->less);
	buf_release(&d->chain);
}

static int of_file(const char *path, enum teg_hook hook, struct together *together)
{
	own(compilation) struct compilation *c = compilation_new();
	struct policy *p = front_read(c, path);
	struct err why = { 0 };
	struct deep d = { .together = together };
	struct plan plan = { 0 };
	int rc = p ? 0 : err_set(&why, EINVAL, "it is not read");

	if (p) {
		struct ir *ir = ir_lower(p, c->arena);

		emit_plan(&plan, ir, c->arena);
		rc = emit_xdp(&plan, ir, c->arena, &why);
	}
	if (!rc)
		rc = look(&d, hook, &plan, XDP_RUN_REAL_CLOCK, &why);
	if (rc == -EPERM)
		return rc;
	if (rc)
		tap_note("%s: %s", path, why.text);
	tell(&d, path, hook);
	return 0;
}

static void of_drawn(uint64_t seed, unsigned policies, enum teg_hook hook, struct together *together)
{
	struct deep d = { .together = together };
	unsigned feeding = 0;
	char what[64];

	for (unsigned i = 0; i < policies; i++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed + i);
		struct drawn of = { 0 };
		struct err why = { 0 };
		int rc = draw(&of, &g, draw_kind(seed + i), a, &why);

		if (!rc) {
			draw_feeds(&of, seed + i);
			feeding += of.plan.feed_count != 0;
			rc = look(&d, hook, &of.plan, draw_clock(seed + i), &why);
		}
		if (rc && rc != -E2BIG)
			tap_note("seed %" PRIu64 ": %s", seed + i, why.text);
	}
	snprintf(what, sizeof what, "%u drawn policies, %u of which ask for feeds", d.policies, feeding);
	tell(&d, what, hook);
}

int main(int argc, char **argv)
{
	static const char *const files[] = { "policies/examples/edge.teg", "policies/examples/whole.teg" };
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	const unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 200;

	xdp_run_loops(TABLES_LOOPS_COUNTED); /* as those kernels have them */
	tap_ok(note_programs(), "programs are looked at before the kernel is given them");
	for (unsigned hook = 0; hook < TEG_HOOKS; hook++) {
		own(mem) struct together *together = calloc(PROGRAMS_MOST, sizeof *together);

		if (!together)
			return 1;
		for (size_t i = 0; i < ARRAY_LEN(files); i++)
			if (of_file(files[i], hook, together) == -EPERM) {
				tap_skip("BPF is not allowed here", "what programs take of the stack");
				return tap_done();
			}
		of_drawn(seed, policies, hook, together);
		together_tell(together, hook);
	}
	free(given.code);
	return tap_done();
}
